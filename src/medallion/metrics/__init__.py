"""One definition per number: metrics declared as Unity Catalog metric views, and their Spark and DuckDB routes.

Expressions are Spark SQL. DuckDB runs what sqlglot makes of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import duckdb
import sqlglot
from pydantic import BaseModel, ConfigDict, ValidationError

from medallion.contracts import yaml
from medallion.errors import ContractError

#: The figures that a run ends with, in the order in which they are told.
INSIGHTS = (
    "total_deal_value", "average_deal_value", "revenue", "open_pipeline", "weighted_pipeline",
    "total_customers", "total_interactions", "average_lead_score", "hot_lead_share",
    "conversion_rate", "win_rate", "top_customer_revenue",
)  # fmt: skip


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


class Dimension(_Strict):
    """A column that a metric may be split by."""

    name: str
    expr: str
    display_name: str
    comment: str


class Measure(_Strict):
    """One metric: its expression over the view's source."""

    name: str
    expr: str
    display_name: str
    comment: str
    format: Format


class MetricView(_Strict):
    """Metrics over one table."""

    version: str
    source: str
    comment: str
    filter: str | None = None
    dimensions: tuple[Dimension, ...]
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class Metric:
    """A measure with the view it stands in."""

    view: MetricView
    measure: Measure

    def spark_sql(self, relation: str | None = None, by: str | None = None) -> str:
        """The query in Spark SQL, total or by one dimension, over the source table or a view in its place.

        Raises:
            ContractError: The view has no such dimension.
        """
        where = f" WHERE {self.view.filter}" if self.view.filter else ""
        source = relation or self.view.source
        if by is None:
            return f"SELECT {self.measure.expr} AS value FROM {source}{where}"
        dimension = next((item for item in self.view.dimensions if item.name == by), None)
        if dimension is None:
            known = ", ".join(item.name for item in self.view.dimensions)
            raise ContractError(f"{self.measure.name} cannot be split by {by!r}", f"Dimensions: {known}.")
        return (
            f"SELECT {dimension.expr} AS {by}, {self.measure.expr} AS value "
            f"FROM {source}{where} GROUP BY {dimension.expr} ORDER BY 1"
        )

    def duckdb_sql(self, by: str | None = None) -> str:
        """The same query for DuckDB."""
        return sqlglot.transpile(self.spark_sql(by=by), read="spark", write="duckdb")[0]


@cache
def metrics() -> dict[str, Metric]:
    """All metrics by name.

    Raises:
        ContractError: A declaration is broken, or a name is given twice.
    """
    found: dict[str, Metric] = {}
    for path in sorted(Path(str(files("medallion.metrics"))).glob("*.yaml")):
        try:
            view = MetricView(**yaml.load(path.read_text(encoding="utf-8")))
        except (ValidationError, yaml.YAMLError, TypeError) as error:
            raise ContractError(f"{path}: {error}", "See the metric view format.") from error
        for measure in view.measures:
            if measure.name in found:
                raise ContractError(f"{path}: metric {measure.name} is declared twice", "Keep one definition.")
            found[measure.name] = Metric(view, measure)
    return found


def value(connection: duckdb.DuckDBPyConnection, name: str) -> float | int | None:
    """The total of a metric, computed by DuckDB over `medallion.query.connect`'s views; null for no rows."""
    row = connection.execute(metrics()[name].duckdb_sql()).fetchone()
    return plain(row[0]) if row else None


def plain(number: Any) -> float | int | None:
    """A figure as JSON has it: whole numbers as int, others as float rounded to six decimals.

    >>> plain(Decimal("1937000.00")), plain(0.84615384615), plain(None)
    (1937000, 0.846154, None)
    """
    if number is None or isinstance(number, int):
        return number
    rounded = round(float(number), 6)
    return int(rounded) if isinstance(number, Decimal) and rounded.is_integer() else rounded


def insights(connection: duckdb.DuckDBPyConnection) -> dict[str, float | int | None]:
    """The figures that a run ends with, by metric name."""
    return {name: value(connection, name) for name in INSIGHTS}


def written(name: str, number: float | int | None) -> str:
    """A metric's value as a person reads it.

    >>> written("total_deal_value", 1937000), written("hot_lead_share", 0.846154), written("win_rate", None)
    ('$1,937,000', '84.6 %', 'no data')
    """
    if number is None:
        return "no data"
    form = metrics()[name].measure.format
    places = form.decimal_places.places
    if form.type == "percentage":
        return f"{number * 100:,.{places}f} %"
    text = f"{number:,.{places}f}"
    return f"${text}" if form.type == "currency" else text
