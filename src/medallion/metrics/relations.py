"""Other rows that give a metric the values that its view's source gives: a copy of it, or equal rows folded into one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp

from medallion.metrics.declared import Metric


@dataclass(frozen=True)
class Relation:
    """What is read in place of a view's source.

    Attributes:
        sql: A table, or a query in parentheses, in Spark SQL.
        columns: Those of the source that it has.
        folded: Column that says how many rows of the source one row stands for, a double; None when it is one.
    """

    sql: str
    columns: frozenset[str]
    folded: str | None = None

    def covers(self, metric: Metric, dimensions: tuple[str, ...]) -> bool:
        """Whether the metric has the same value here, split and filtered by these dimensions."""
        expressions = {
            metric.measure.expr,
            metric.view.filter or "TRUE",
            *(metric.dimension(name).expr for name in dimensions),
        }
        needed = frozenset[str]().union(*map(columns_of, expressions))
        return needed <= self.columns and (self.folded is None or _counts(metric.measure.expr))

    def expression(self, text: str) -> str:
        """An expression over the source as one over these rows, in Spark SQL."""
        return text if self.folded is None else _fold(text, self.folded)


@lru_cache(maxsize=1024)
def columns_of(text: str) -> frozenset[str]:
    """The columns that an expression in Spark SQL reads.

    >>> sorted(columns_of("COUNT(CASE WHEN status = 'won' THEN deal_value END)"))
    ['deal_value', 'status']
    """
    return frozenset(column.name for column in sqlglot.parse_one(text, read="spark").find_all(exp.Column))


@lru_cache(maxsize=1024)
def _counts(text: str) -> bool:
    """Whether it does nothing but count rows, so that rows may be folded."""
    return all(
        isinstance(aggregate, exp.Count) and not isinstance(aggregate.this, exp.Distinct)
        for aggregate in sqlglot.parse_one(text, read="spark").find_all(exp.AggFunc)
    )


@lru_cache(maxsize=1024)
def _fold(text: str, weight: str) -> str:
    """Counting rows becomes adding up for how many each stands.

    >>> _fold("COUNT(1) / NULLIF(COUNT(x), 0)", "n")
    'COALESCE(CAST(SUM(n) AS BIGINT), 0) / NULLIF(COALESCE(CAST(SUM(CASE WHEN NOT x IS NULL THEN n END) AS BIGINT), 0), 0)'
    """

    def sums(node: Any) -> Any:
        if not isinstance(node, exp.Count):
            return node
        counted = f"CASE WHEN {node.this.sql('spark')} IS NOT NULL THEN {weight} END"
        rows = weight if isinstance(node.this, exp.Literal | exp.Star) else counted
        return sqlglot.parse_one(f"COALESCE(CAST(SUM({rows}) AS BIGINT), 0)", read="spark")

    return str(sqlglot.parse_one(text, read="spark").transform(sums).sql("spark"))
