"""Every metric is one number, whichever way it is computed."""

from __future__ import annotations

import pytest

from medallion import metrics, query, store
from medallion.errors import ContractError


def numbers(rows):
    return [tuple(metrics.plain(v) if not isinstance(v, str) else v for v in row) for row in rows]


@pytest.mark.parametrize("name", sorted(metrics.metrics()))
def test_spark_and_duckdb_agree(sample, spark, name):
    metric = metrics.metrics()[name]
    view = metric.view.source.replace(".", "_")
    store.read(spark, sample, metric.view.source).createOrReplaceTempView(view)
    for by in (None, *(dimension.name for dimension in metric.view.dimensions)):
        with query.connect(sample, layers=("gold",)) as connection:
            served = connection.execute(metric.duckdb_sql(by)).fetchall()
        computed = [tuple(row) for row in spark.sql(metric.spark_sql(view, by)).collect()]
        assert sorted(numbers(served), key=str) == sorted(numbers(computed), key=str), by
        assert served, by


def test_an_unknown_dimension_is_refused():
    with pytest.raises(ContractError, match="win_rate cannot be split by 'mood'"):
        metrics.metrics()["win_rate"].spark_sql(by="mood")


@pytest.mark.parametrize(
    ("name", "number", "text"),
    [
        ("total_deal_value", 1937000, "$1,937,000"),
        ("average_lead_score", 88.692308, "88.7"),
        ("hot_lead_share", 0.846154, "84.6 %"),
        ("total_leads", 1234, "1,234"),
        ("win_rate", None, "no data"),
    ],
)
def test_how_a_value_is_written(name, number, text):
    assert metrics.written(name, number) == text


def test_insights_are_metrics_with_words():
    for name in metrics.INSIGHTS:
        measure = metrics.metrics()[name].measure
        assert measure.display_name
        assert measure.comment.endswith(".")


def test_empty_tables_give_zero_or_no_data(deliver):
    _, lake = deliver({"customers.csv": "customer_id,customer_name\n"})
    with query.connect(lake, layers=("gold",)) as connection:
        found = metrics.insights(connection)
    zero = ("total_deal_value", "revenue", "open_pipeline", "total_customers", "total_interactions")
    assert {name: found[name] for name in zero} == dict.fromkeys(zero, 0)
    assert found["win_rate"] is None


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
