"""Metrics as they are declared: Unity Catalog metric views in YAML, checked, and their queries in Spark SQL."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import sqlglot
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlglot import exp

from medallion.contracts import Column, yaml
from medallion.contracts.own import own_columns
from medallion.errors import ContractError


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
    """A number that an expression names as `:name` and that whoever asks may set."""

    name: str
    default: float
    comment: str


class Dimension(_Strict):
    """A column that a metric may be split and filtered by.

    Attributes:
        type: What its values are read as in a filter. Text is enumerable: its values are those declared and those in
            the data.
        values: Values that it may have whether or not the data has them; of a number, the only ones.
    """

    name: str
    expr: str
    display_name: str
    comment: str
    synonyms: tuple[str, ...] = ()
    type: Literal["text", "number", "boolean", "day", "month"] = "text"
    values: tuple[str, ...] = ()

    @property
    def is_time(self) -> bool:
        """Whether it is a day or a month."""
        return self.type in ("day", "month")


class Measure(_Strict):
    """One metric: its expression over the view's source.

    Attributes:
        period: The dimension, a day, that a period of time restricts; None for what only has a present state.
        additivity: `flow` adds up over time; `stock` is a state, known as of the last day of the data alone; `ratio`
            follows its parts.
        needs: Columns that a contract has to bring to gold, without which the metric is not there.
    """

    name: str
    expr: str
    display_name: str
    comment: str
    synonyms: tuple[str, ...] = ()
    period: str | None = None
    additivity: Literal["flow", "stock", "ratio"] = "flow"
    needs: tuple[str, ...] = ()
    format: Format


class MetricView(_Strict):
    """Metrics over one table, or over a query."""

    version: str
    source: str
    comment: str
    filter: str | None = None
    parameters: tuple[Parameter, ...] = ()
    dimensions: tuple[Dimension, ...]
    measures: tuple[Measure, ...]

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that it reads."""
        if not self.is_query:
            return (self.source,)
        found = sqlglot.parse_one(self.source, read="spark").find_all(exp.Table)
        return tuple(sorted({f"{table.db}.{table.name}" for table in found}))

    @property
    def is_query(self) -> bool:
        """Whether the source is a query."""
        return self.source.lstrip()[:6].upper() == "SELECT"

    def dimension(self, name: str) -> Dimension | None:
        """The dimension of that name; None where there is none."""
        return next((item for item in self.dimensions if item.name == name), None)


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
        """The dimensions that it may be split and filtered by: a stock by none of time."""
        stock = self.measure.additivity == "stock"
        return tuple(one for one in self.view.dimensions if not (stock and one.is_time))

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters that its expression names."""
        return tuple(p for p in self.view.parameters if re.search(rf":{p.name}\b", self.measure.expr))

    def dimension(self, name: str) -> Dimension:
        """A dimension that the metric may be split by.

        Raises:
            ContractError: There is none of that name.
        """
        found = self.view.dimension(name)
        if found is None:
            known = ", ".join(item.name for item in self.view.dimensions)
            raise ContractError(f"{self.name} cannot be split by {name!r}", f"Dimensions: {known}.")
        return found

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
        told = values or {"value": self.expression(parameters or {}), "n": "COUNT(1)"}
        split = [self.dimension(name) for name in ([by] if isinstance(by, str) else by or ())]
        source = relation or (f"({self.view.source})" if self.view.is_query else self.view.source)
        conditions = [f"({one})" for one in (self.view.filter, *where) if one]
        columns = [f"{one.expr} AS {one.name}" for one in split] + [f"{text} AS {name}" for name, text in told.items()]
        parts = [f"SELECT {', '.join(columns)} FROM {source}"]
        if conditions:
            parts.append("WHERE " + " AND ".join(conditions))
        if split:
            parts.append("GROUP BY " + ", ".join(one.expr for one in split))
            parts.append("ORDER BY " + ", ".join(str(place) for place in range(1, len(split) + 1)))
        return " ".join(parts)

    def duckdb_sql(self, by: str | Sequence[str] | None = None) -> str:
        """The same query for DuckDB, over everything."""
        return sqlglot.transpile(self.spark_sql(by=by), read="spark", write="duckdb")[0]

    def expression(self, given: Mapping[str, float]) -> str:
        """The measure's expression in Spark SQL with these parameters; the others at their defaults.

        Raises:
            ContractError: The metric has no such parameter, or its value is no finite number.
        """
        known = {p.name: p.default for p in self.parameters}
        if unknown := given.keys() - known:
            raise ContractError(
                f"{self.name} has no parameter {sorted(unknown)[0]!r}", f"Parameters: {', '.join(known) or 'none'}."
            )
        for name, value in given.items():
            if not math.isfinite(value):
                raise ContractError(
                    f"{name}={value} is not a finite number", f"Write {name} as a number such as 500000."
                )
        text = self.measure.expr
        for name, value in {**known, **given}.items():
            text = re.sub(rf":{name}\b", repr(float(value)), text)
        return text


#: How a filter reads a column of each type that is no text; others are numbers.
_TYPES: dict[str, Literal["text", "number", "boolean", "day", "month"]] = {
    "string": "text", "boolean": "boolean", "date": "day", "timestamp": "day",
}  # fmt: skip


def metrics() -> dict[str, Metric]:
    """All metrics by name, with the columns that the contracts in use bring to gold (`contracts.own`) as dimensions.

    Raises:
        ContractError: A declaration is broken, or a name is given twice.
    """
    return _metrics(own_columns("gold.deals"), own_columns("gold.customer_features"))


@cache
def _metrics(of_deals: tuple[Column, ...], of_customers: tuple[Column, ...]) -> dict[str, Metric]:
    own = {"gold.deals": of_deals, "gold.customer_features": of_customers}
    found: dict[str, Metric] = {}
    for path in sorted(Path(str(files("medallion.metrics"))).glob("*.yaml")):
        try:
            view = MetricView(**yaml.load(path.read_text(encoding="utf-8")))
        except (ValidationError, yaml.YAMLError, TypeError) as error:
            raise ContractError(f"{path}: {error}", "See the metric view format.") from error
        columns = own.get(view.source, ())
        there = {column.name for column in columns}
        measures = tuple(measure for measure in view.measures if there.issuperset(measure.needs))
        dimensions = (*view.dimensions, *map(_dimension, columns))
        view = view.model_copy(update={"measures": measures, "dimensions": dimensions})
        for measure in view.measures:
            if measure.name in found:
                raise ContractError(f"{path}: metric {measure.name} is declared twice", "Keep one definition.")
            found[measure.name] = Metric(view, measure)
    return found


def _dimension(column: Column) -> Dimension:
    """A column that a contract brings to gold, as a dimension."""
    kind = _TYPES.get(column.type, "number")
    return Dimension(
        name=column.name,
        expr=f"CAST({column.name} AS DATE)" if column.type == "timestamp" else column.name,
        display_name=column.shown,
        comment=column.description or column.shown,
        type=kind,
        values=column.accepted if kind == "text" else (),
    )
