"""Metrics as they are declared: Unity Catalog metric views in YAML, with a few words more, and their queries in Spark SQL.

The words that the standard does not have: of a view `entity`, `grain`, `key`, `listed`, `parameters` and `fields`; of a dimension
`type`, `values`, `aliases`, `implies`, `future` and `ordered`; of a measure `period`, `additivity`, `history`, `unit`, `n`, `maturing`,
`needs` and `needs_period`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal

import sqlglot
from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlglot import exp

from medallion.errors import ContractError

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DecimalPlaces(_Strict):
    """How many digits stand after the point."""

    type: Literal["exact"] = "exact"
    places: int = 0


class Format(_Strict):
    """How a value is written."""

    type: Literal["number", "percentage", "currency"]
    currency_code: str | None = None
    decimal_places: DecimalPlaces = DecimalPlaces()


class Parameter(_Strict):
    """A number that an expression names as `:name`: a threshold or a target, which whoever asks may set.

    Attributes:
        default: Its value where nobody says another; None where there is none, and it has to be given.
        what_if: Whether a page of Power BI lets its readers choose it.
    """

    name: Name
    default: float | None = None
    comment: str
    what_if: bool = False


class Join(_Strict):
    """A table that each row of the source belongs to one row of.

    Attributes:
        name: How expressions call it: `account.city`.
        source: The table, such as `gold.customer_features`; its key is unique.
        using: Columns that both have and that name the row.
    """

    name: Name
    source: str
    using: tuple[str, ...] = Field(min_length=1)


class Calendar(_Strict):
    """How years are divided where that is not by the calendar.

    Attributes:
        fiscal_year_starts: The month, 1 to 12, with which the fiscal year begins; it is named for the year it ends in.
    """

    fiscal_year_starts: Annotated[int, Field(ge=1, le=12)] = 1


class Dimension(_Strict):
    """A column that a metric may be split and filtered by.

    Attributes:
        type: What its values are read as in a filter. Text is enumerable: its values are those declared and those in
            the data.
        values: Values that it may have whether or not the data has them, in their order; of a number, the only ones.
        aliases: Other names that a question may use for it.
        implies: What is so of each row that has a value here, by column: closed deals are won or lost.
        future: Whether its days may lie after the last day of the data.
        ordered: Whether its values have an order of their own: that of `values`, or where none are declared, that in
            which deals pass them. An answer without another order has it.
        format: How a number is written for readers.
        needs: Tables of optional entities without which the dimension is not there.
    """

    name: Name
    expr: str
    display_name: str
    comment: str
    synonyms: tuple[str, ...] = ()
    type: Literal["text", "number", "boolean", "day", "month"] = "text"
    values: tuple[str, ...] = ()
    aliases: tuple[Name, ...] = ()
    implies: tuple[tuple[str, tuple[str, ...]], ...] = ()
    future: bool = False
    ordered: bool = False
    format: Format | None = None
    needs: tuple[str, ...] = ()

    @field_validator("implies", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        return tuple(value.items()) if isinstance(value, dict) else value

    @property
    def is_time(self) -> bool:
        """Whether it is a day or a month."""
        return self.type in ("day", "month")


class Measure(_Strict):
    """One metric: its expression over the view's source.

    Attributes:
        expr: Aggregates in Spark SQL. `MEASURE(name)` is another metric of the view, counted by that metric's own time.
        period: The time column: a dimension, a day, that a period of time restricts; None for what only has a present
            state, and for what is made of others.
        additivity: `flow` adds up over time; `stock` is a state, known as of the last day of the data alone; `ratio`
            follows its parts.
        history: The entity whose rows say what a stock was on an earlier day, each with `from_day` and `to_day`; None
            where only today's is known.
        unit: What it counts: deals, days, touches; the currency of the deals for amounts.
        n: Expression that counts the rows behind a value; all rows where it is not given.
        maturing: Whether a period's value changes with what becomes of its rows later, as that of a cohort or a quota does.
        needs: Columns that a contract has to bring to gold, without which the metric is not there.
        needs_period: Whether it means nothing without a period.
    """

    name: Name
    expr: str
    display_name: str
    comment: str
    synonyms: tuple[str, ...] = ()
    period: str | None = None
    additivity: Literal["flow", "stock", "ratio"] = "flow"
    history: Name | None = None
    unit: str = ""
    n: str = "COUNT(1)"
    maturing: bool = False
    needs: tuple[str, ...] = ()
    needs_period: bool = False
    format: Format

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the metrics that it is made of; none for most."""
        return parts_of(self.expr)


class MetricView(_Strict):
    """Metrics over one table, or over a query.

    Attributes:
        entity: What one row is, in the plural: deals, accounts.
        grain: The same in words.
        key: Dimensions or fields that name a row.
        listed: What a list of records shows beside the key; all where none are named.
        joins: Tables that fields may be taken from.
        needs: Tables of optional entities without which there are none of these metrics.
        fields: What questions may also filter and split by, and lists of records show, beside the dimensions.
    """

    version: str
    entity: str = ""
    grain: str = ""
    key: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    source: str
    comment: str
    filter: str | None = None
    needs: tuple[str, ...] = ()
    joins: tuple[Join, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    dimensions: tuple[Dimension, ...]
    fields: tuple[Dimension, ...] = ()
    measures: tuple[Measure, ...] = ()

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that it reads."""
        if not self.is_query:
            return (self.source,)
        tables = sqlglot.parse_one(self.source, read="spark").find_all(exp.Table)
        return tuple(sorted({f"{table.db}.{table.name}" for table in tables}))

    @property
    def is_query(self) -> bool:
        """Whether the source is a query."""
        return self.source.lstrip()[:6].upper() == "SELECT"

    def dimension(self, name: str) -> Dimension | None:
        """The dimension of that name; None where there is none."""
        return next((item for item in self.dimensions if item.name == name), None)

    def field(self, name: str) -> Dimension | None:
        """The dimension or field of that name; None where there is none."""
        return next((item for item in (*self.dimensions, *self.fields) if item.name == name), None)

    def measure(self, name: str) -> Measure | None:
        """The measure of that name; None where there is none."""
        return next((item for item in self.measures if item.name == name), None)


@dataclass(frozen=True)
class Metric:
    """A measure with the view it is in."""

    view: MetricView
    measure: Measure

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.measure.name

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """The dimensions that it may be split and filtered by; a stock, or a metric made of others, has none of time."""
        timeless = self.measure.additivity == "stock" or bool(self.measure.parts)
        return tuple(dimension for dimension in self.view.dimensions if not (timeless and dimension.is_time))

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters that its expression names."""
        return tuple(p for p in self.view.parameters if re.search(rf":{p.name}\b", self.expanded))

    @property
    def stands_alone(self) -> bool:
        """Whether it is worth something without a period and without a parameter that has no default."""
        return not self.measure.needs_period and all(parameter.default is not None for parameter in self.parameters)

    @property
    def expanded(self) -> str:
        """The expression with the metrics that it is made of written out: its value over all time."""
        text = self.measure.expr
        for name in self.measure.parts:
            if part := self.view.measure(name):
                text = re.sub(rf"\bMEASURE\(\s*{name}\s*\)", f"({Metric(self.view, part).expanded})", text, flags=re.I)
        return text

    def dimension(self, name: str) -> Dimension:
        """A dimension that the metric may be split by.

        Raises:
            ContractError: There is none of that name.
        """
        dimension = self.view.dimension(name)
        if dimension is None:
            known = ", ".join(item.name for item in self.view.dimensions)
            raise ContractError(f"{self.name} cannot be split by {name!r}", f"Dimensions: {known}.")
        return dimension

    def spark_sql(
        self,
        relation: str | None = None,
        by: str | Sequence[str] | None = None,
        where: Iterable[str] = (),
        parameters: Mapping[str, float] | None = None,
        values: Mapping[str, str] | None = None,
    ) -> str:
        """The query in Spark SQL: columns of the dimensions, `value`, and `n`, the rows behind it.

        Args:
            relation: A table or view to read in place of the source.
            by: Dimensions to split by, one row per combination, in their order; the total without.
            where: Conditions in Spark SQL beside the view's own filter. They are put in as they are.
            parameters: Values of the expression's parameters, where they are not the defaults.
            values: Column to expression, in place of `value` and `n`.

        Raises:
            ContractError: The view has no such dimension, or the metric no such parameter.
        """
        expressions = values or {"value": self.expression(parameters or {}), "n": "COUNT(1)"}
        split = [self.dimension(name) for name in ([by] if isinstance(by, str) else by or ())]
        source = relation or (f"({self.view.source})" if self.view.is_query else self.view.source)
        conditions = [f"({condition})" for condition in (self.view.filter, *where) if condition]
        columns = [f"{dimension.expr} AS {dimension.name}" for dimension in split] + [
            f"{text} AS {name}" for name, text in expressions.items()
        ]
        parts = [f"SELECT {', '.join(columns)} FROM {source}"]
        if conditions:
            parts.append("WHERE " + " AND ".join(conditions))
        if split:
            parts.append("GROUP BY " + ", ".join(dimension.expr for dimension in split))
            parts.append("ORDER BY " + ", ".join(str(place) for place in range(1, len(split) + 1)))
        return " ".join(parts)

    def duckdb_sql(self, by: str | Sequence[str] | None = None) -> str:
        """The same query for DuckDB, over everything."""
        return sqlglot.transpile(self.spark_sql(by=by), read="spark", write="duckdb")[0]

    def expression(self, given: Mapping[str, float]) -> str:
        """The measure's expression in Spark SQL with these parameters; the others at their defaults.

        Raises:
            ContractError: The metric has no such parameter, its value is no finite number, or one without a default is
                not given.
        """
        return with_parameters(self.expanded, self.settled(given))

    def settled(self, given: Mapping[str, float]) -> dict[str, float]:
        """The values of the metric's parameters: those given, the others at their defaults.

        Raises:
            ContractError: See `expression`.
        """
        known: dict[str, float | None] = {p.name: p.default for p in self.parameters}
        if unknown := given.keys() - known:
            raise ContractError(
                f"{self.name} has no parameter {sorted(unknown)[0]!r}", f"Parameters: {', '.join(known) or 'none'}."
            )
        for name, number in given.items():
            finite(name, number)
        values: dict[str, float] = {}
        for name, value in {**known, **given}.items():
            if value is None:
                label = self.measure.display_name
                raise ContractError(
                    f"{label} needs {name}, which has no default", f"Give it: --set {name}=500000, or as a threshold."
                )
            values[name] = float(value)
        return values


def finite(name: str, number: float) -> None:
    """Refuse a value of a parameter that is no finite number.

    Raises:
        ContractError: It is none.
    """
    if not math.isfinite(number):
        raise ContractError(f"{name}={number} is not a finite number", f"Write {name} as a number such as 500000.")


def with_parameters(text: str, values: Mapping[str, float]) -> str:
    """An expression with numbers in place of its parameters.

    >>> with_parameters("COUNT(CASE WHEN age > :days THEN 1 END)", {"days": 30})
    'COUNT(CASE WHEN age > 30.0 THEN 1 END)'
    """
    for name, value in values.items():
        number = repr(float(value))
        text = re.sub(rf":{name}\b", f"({number})" if value < 0 else number, text)  # two minus signs begin a comment
    return text


@lru_cache(maxsize=1024)
def parts_of(text: str) -> tuple[str, ...]:
    """Names of the metrics that an expression is made of.

    >>> parts_of("MEASURE(won_leads) / NULLIF(MEASURE(total_leads), 0)")
    ('won_leads', 'total_leads')
    """
    return tuple(dict.fromkeys(re.findall(r"\bMEASURE\(\s*(\w+)\s*\)", text, re.IGNORECASE)))
