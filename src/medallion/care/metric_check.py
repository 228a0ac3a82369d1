"""Every metric by every route: Spark SQL on the engine and DuckDB on the same tables, compared."""

from __future__ import annotations

from typing import Any

import sqlglot

from medallion import metrics
from medallion.config import Settings
from medallion.lakehouse import query, store
from medallion.lakehouse.session import session
from medallion.lakehouse.store import Lakehouse
from medallion.metrics import Metric
from medallion.pipeline.steps import Report, Steps

#: A target for the metrics that need one and have no default.
_TARGET = 1_000_000.0


def check(settings: Settings, lake: Lakehouse, report: Report = lambda name, seconds: None) -> list[dict[str, Any]]:
    """Compute all metrics, total and by each of their dimensions, by both routes.

    Returns:
        One document per metric: `metric`, `queries`, `same`, and `by` with the dimensions that differ (empty text
        for the total).

    Raises:
        LakehouseError: A table that a metric needs is missing.
    """
    steps = Steps(report)
    with steps.step("start the engine"):
        spark = session(settings.engine, settings.memory_gib)
        views = {}
        for name in sorted({table for metric in metrics.metrics().values() for table in metric.view.tables}):
            views[name] = name.replace(".", "_")
            store.read(spark, lake, name).createOrReplaceTempView(views[name])
    documents = []
    with query.connect(lake, layers=("gold", "silver")) as connection, steps.step("compare"):
        for name, metric in metrics.metrics().items():
            differ = []
            ways = (None, *(dimension.name for dimension in metric.view.dimensions))
            for by in ways:
                targets = {parameter.name: _TARGET for parameter in metric.parameters if parameter.default is None}
                sql = metric.spark_sql(by=by, parameters=targets)
                served = connection.execute(sqlglot.transpile(sql, read="spark", write="duckdb")[0]).fetchall()
                computed = [tuple(row) for row in spark.sql(_over(metric, sql, views)).collect()]
                if _plain(served) != _plain(computed):
                    differ.append(by or "")
            documents.append({"metric": name, "queries": len(ways), "same": not differ, "by": differ})
    return documents


def _over(metric: Metric, text: str, views: dict[str, str]) -> str:
    """Spark SQL of a metric over temporary views in place of tables."""
    for name in metric.view.tables:
        text = text.replace(name, views[name])
    return text


def _plain(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows with figures as JSON has them; dimensions as they are."""
    return [(*row[:-2], metrics.plain(row[-2]), row[-1]) for row in rows]
