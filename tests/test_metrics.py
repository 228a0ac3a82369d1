"""Every metric is one number, whichever way it is computed."""

from __future__ import annotations

import csv
import random
from datetime import date, timedelta
from decimal import Decimal

import pytest

from conftest import NOW
from medallion import metrics, query, store
from medallion.errors import ContractError
from medallion.store import Lakehouse


def numbers(rows):
    return [tuple(metrics.plain(v) if not isinstance(v, str) else v for v in row) for row in rows]


@pytest.fixture(scope="module")
def generated(spark, tmp_path_factory):
    """A lakehouse of a few hundred random rows: cents, missing values and dimensions, all outcomes."""
    from medallion import pipeline
    from medallion.config import load

    pick = random.Random(21)  # noqa: S311
    folder = tmp_path_factory.mktemp("generated")

    def day():
        return date(2025, 1, 1) + timedelta(days=pick.randrange(150))

    tables = {
        "customers": [["customer_id", "customer_name", "industry", "country", "employee_count"]]
        + [[f"C{n}", f"Name {n}", pick.choice(["Retail", "Media", ""]), pick.choice(["France", ""]), pick.choice([9, 99, 999, ""])]
           for n in range(60)],
        "leads": [["lead_id", "customer_id", "source", "status", "stage", "deal_value", "created_at", "closed_at", "owner"]]
        + [[f"L{n}", f"C{pick.randrange(60)}", pick.choice(["referral", "event", ""]), pick.choice(["open", "won", "lost"]),
            pick.choice(["demo", ""]), pick.choice(["", pick.randrange(10**7) / 100]), opened := day(),
            opened + timedelta(days=pick.randrange(100)), pick.choice(["Ann", "Bob", ""])]
           for n in range(200)],
        "interactions": [["interaction_id", "customer_id", "channel", "occurred_at", "outcome"]]
        + [[f"I{n}", f"C{pick.randrange(60)}", pick.choice(["call", "email", "fax"]), day(), pick.choice(["positive", "neutral", "no_answer"])]
           for n in range(300)],
    }  # fmt: skip
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    lake = Lakehouse(str(folder / "lakehouse"))
    pipeline.run(load(None, source=str(folder), lakehouse=lake.root), NOW)
    return lake


@pytest.mark.parametrize("lakehouse", ["sample", "generated"])
@pytest.mark.parametrize("name", sorted(metrics.metrics()))
def test_spark_and_duckdb_agree(request, spark, name, lakehouse):
    """In value and in order, total and by every dimension."""
    lake = request.getfixturevalue(lakehouse)
    metric = metrics.metrics()[name]
    view = metric.view.source.replace(".", "_")
    store.read(spark, lake, metric.view.source).createOrReplaceTempView(view)
    for by in (None, *(dimension.name for dimension in metric.view.dimensions)):
        with query.connect(lake, layers=("gold",)) as connection:
            served = connection.execute(metric.duckdb_sql(by)).fetchall()
        computed = [tuple(row) for row in spark.sql(metric.spark_sql(view, by)).collect()]
        assert numbers(served) == numbers(computed), by
        assert served, by


def test_parts_add_up_to_the_whole(generated):
    """By any dimension, nothing is left out and nothing is counted twice."""
    with query.connect(generated, layers=("gold",)) as connection:
        for name in ("total_deal_value", "total_leads", "won_leads", "revenue", "open_pipeline", "total_customers"):
            metric = metrics.metrics()[name]
            for dimension in metric.view.dimensions:
                parts = connection.execute(metric.duckdb_sql(dimension.name)).fetchall()
                total = sum(Decimal(str(value)) for _, value in parts)
                assert float(total) == pytest.approx(metrics.value(connection, name)), (name, dimension.name)


def test_values_of_generated_deals(generated):
    """Each metric written down a second time, over the rows of gold."""
    with query.connect(generated, layers=("gold",)) as connection:
        found = {name: metrics.value(connection, name) for name in metrics.metrics()}
        deals = query.rows(connection, "select * from gold.deals")
        customers = query.rows(connection, "select * from gold.customer_features")
        channels = query.rows(connection, "select * from gold.channel_performance")
    won, lost, still = ([d for d in deals if d["status"] == status] for status in ("won", "lost", "open"))
    valued = [d["deal_value"] for d in deals if d["has_value"]]
    assert won and lost and still and len(valued) < len(deals)  # noqa: PT018
    touches = sum(c["interactions"] for c in channels)
    expected = {
        "total_leads": len(deals),
        "won_leads": len(won),
        "total_deal_value": sum(valued),
        "average_deal_value": sum(valued) / len(valued),
        "conversion_rate": len(won) / len(deals),
        "win_rate": len(won) / (len(won) + len(lost)),
        "revenue": sum(d["deal_value"] for d in won),
        "open_pipeline": sum(d["deal_value"] for d in still),
        "weighted_pipeline": sum(d["weighted_value"] or 0 for d in still),
        "total_customers": 60,
        "average_lead_score": sum(c["lead_score"] for c in customers) / 60,
        "hot_lead_share": sum(c["lead_score"] >= 80 for c in customers) / 60,
        "top_customer_revenue": max(c["won_value"] for c in customers),
        "total_interactions": 300,
        "positive_rate": sum(c["positive_touches"] for c in channels) / touches,
    }
    assert found == {name: pytest.approx(float(value), abs=1e-6) for name, value in expected.items()}


VIEW = """
version: "1.1"
source: gold.deals
comment: Deals.
dimensions: [{name: status, expr: status, display_name: Status, comment: State}]
measures: [{name: all_deals, expr: COUNT(1), display_name: Deals, comment: All., format: {type: number}}]
"""
BROKEN = [
    (VIEW.replace("source:", "sauce:"), "sauce"),
    (VIEW.replace("expr: COUNT(1), ", ""), "measures.0.expr"),
    (VIEW.replace("type: number", "type: percent"), "measures.0.format.type"),
    (VIEW.replace("comment: All.", "coment: All."), "coment"),
    ("- a", "mine.yaml"),
    ("a: [", "mine.yaml"),
]


@pytest.fixture
def declared(tmp_path, monkeypatch):
    """`declared(text, ...)` are the metrics of these files instead of the shipped ones."""

    def load(*texts):
        for number, text in enumerate(texts):
            (tmp_path / f"{'mine' if not number else 'other'}.yaml").write_text(text)
        metrics.metrics.cache_clear()
        monkeypatch.setattr(metrics, "files", lambda package: tmp_path)
        return metrics.metrics()

    yield load
    monkeypatch.undo()
    metrics.metrics.cache_clear()


@pytest.mark.parametrize(("text", "says"), BROKEN)
def test_broken_declarations_are_refused(declared, text, says):
    with pytest.raises(ContractError, match=says) as error:
        declared(text)
    assert "mine.yaml" in error.value.problem


def test_a_name_is_declared_once(declared):
    assert list(declared(VIEW)) == ["all_deals"]
    with pytest.raises(ContractError, match="metric all_deals is declared twice"):
        declared(VIEW, VIEW)


def test_a_filter_holds_on_both_routes(declared):
    metric = declared(VIEW + "filter: status <> 'open'\n")["all_deals"]
    assert metric.spark_sql("t") == "SELECT COUNT(1) AS value FROM t WHERE status <> 'open'"
    assert metric.duckdb_sql("status").startswith("SELECT status AS status, COUNT(1) AS value FROM gold.deals WHERE")


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
    unknown = ("average_deal_value", "weighted_pipeline", "average_lead_score", "hot_lead_share", "conversion_rate",
               "win_rate", "top_customer_revenue")  # fmt: skip
    assert {name: found[name] for name in unknown} == dict.fromkeys(unknown)


def test_no_division_by_zero():
    """An engine with ANSI rules fails on it: every divisor that may be 0 is made null."""
    import sqlglot

    for name, metric in metrics.metrics().items():
        for division in sqlglot.parse_one(metric.measure.expr, read="spark").find_all(sqlglot.exp.Div):
            assert isinstance(division.expression, sqlglot.exp.Nullif), name


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
