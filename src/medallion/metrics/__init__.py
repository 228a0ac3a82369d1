"""One definition per number: metrics declared as Unity Catalog metric views, and what they are worth.

Expressions are Spark SQL. DuckDB runs what sqlglot makes of them.
"""

from medallion.metrics.answers import (
    INSIGHTS,
    Answer,
    ask,
    computed,
    contradicted,
    days,
    groups,
    insights,
    named,
    query_of,
    together,
    understand,
    value,
    values_of,
)
from medallion.metrics.declared import Dimension, Format, Measure, Metric, MetricView, Parameter
from medallion.metrics.filters import Filter, Known, understood, within
from medallion.metrics.loading import every_metric, flag, metrics, threshold, views
from medallion.metrics.relations import Relation
from medallion.metrics.writing import plain, written

__all__ = [
    "INSIGHTS",
    "Answer",
    "Dimension",
    "Filter",
    "Format",
    "Known",
    "Measure",
    "Metric",
    "MetricView",
    "Parameter",
    "Relation",
    "ask",
    "computed",
    "contradicted",
    "days",
    "every_metric",
    "flag",
    "groups",
    "insights",
    "metrics",
    "named",
    "plain",
    "query_of",
    "threshold",
    "together",
    "understand",
    "understood",
    "value",
    "values_of",
    "views",
    "within",
    "written",
]
