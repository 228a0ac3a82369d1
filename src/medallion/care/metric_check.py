"""Every metric by every route: Spark SQL on the engine and DuckDB on the same tables, compared."""

from __future__ import annotations

from typing import Any

from medallion import metrics
from medallion.config import Settings
from medallion.lakehouse import query, store
from medallion.lakehouse.session import session
from medallion.lakehouse.store import Lakehouse
from medallion.metrics import Metric
from medallion.pipeline.steps import Report, Steps


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
    found = []
    with query.connect(lake, layers=("gold", "silver")) as connection, steps.step("compare"):
        for name, metric in metrics.metrics().items():
            differ = []
            ways = (None, *(one.name for one in metric.view.dimensions))
            for by in ways:
                served = connection.execute(metric.duckdb_sql(by)).fetchall()
                computed = [tuple(row) for row in spark.sql(_over(metric, by, views)).collect()]
                if _plain(served) != _plain(computed):
                    differ.append(by or "")
            found.append({"metric": name, "queries": len(ways), "same": not differ, "by": differ})
    return found


def _over(metric: Metric, by: str | None, views: dict[str, str]) -> str:
    """The metric's Spark SQL over temporary views in place of tables."""
    text = metric.spark_sql(by=by)
    for name in metric.view.tables:
        text = text.replace(name, views[name])
    return text


def _plain(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows with figures as JSON has them; dimensions as they are."""
    return [(*row[:-2], metrics.plain(row[-2]), row[-1]) for row in rows]
