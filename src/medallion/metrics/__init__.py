"""One definition per number: metrics declared as Unity Catalog metric views, and what they are worth.

Expressions are Spark SQL. DuckDB runs what sqlglot makes of them.
"""

from medallion.metrics.answers import INSIGHTS, Answer, Filter, ask, insights, named, question, together, value
from medallion.metrics.declared import Dimension, Format, Measure, Metric, MetricView, Parameter, metrics
from medallion.metrics.relations import Relation
from medallion.metrics.writing import plain, written

__all__ = [
    "INSIGHTS",
    "Answer",
    "Dimension",
    "Filter",
    "Format",
    "Measure",
    "Metric",
    "MetricView",
    "Parameter",
    "Relation",
    "ask",
    "insights",
    "metrics",
    "named",
    "plain",
    "question",
    "together",
    "value",
    "written",
]
