"""Every metric is one number, whichever way it is computed."""

from __future__ import annotations

import csv
import itertools
import json
import random
import statistics
from datetime import date, timedelta
from decimal import Decimal

import pytest

from conftest import NOW
from medallion import metrics
from medallion.errors import ContractError
from medallion.lakehouse import query
from medallion.lakehouse.store import Lakehouse


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
        + [[f"I{n}", f"C{pick.randrange(60)}", pick.choice(["call", "email", "other"]), day(), pick.choice(["positive", "neutral", "no_answer"])]
           for n in range(300)],
    }  # fmt: skip
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    lake = Lakehouse(str(folder / "lakehouse"))
    pipeline.run(load(None, source=str(folder), lakehouse=lake.root), NOW)
    return lake


@pytest.mark.slow
@pytest.mark.parametrize("lakehouse", ["sample", pytest.param("generated", marks=pytest.mark.nightly)])
def test_spark_and_duckdb_agree(request, spark, lakehouse):
    """In value and in order, total and by every dimension, all metrics."""
    from medallion.care import metric_check
    from medallion.config import load

    lake = request.getfixturevalue(lakehouse)
    found = metric_check.check(load(None, lakehouse=lake.root), lake)
    assert [row for row in found if not row["same"]] == []
    assert [row["metric"] for row in found] == list(metrics.metrics())
    assert sum(row["queries"] for row in found) > 400


def test_a_difference_between_the_routes_is_told(sample, spark, declared):
    """A median that DuckDB takes from the data and Spark interpolates."""
    from medallion.care import metric_check
    from medallion.config import load

    declared(
        VIEW.replace("COUNT(1)", "'PERCENTILE(CAST(deal_value AS DOUBLE), 0.5)'"),
        VIEW.replace("all_deals", "honest"),
    )
    found = {row["metric"]: row["by"] for row in metric_check.check(load(None, lakehouse=sample.root), sample)}
    assert found["honest"] == []
    assert "status" in found["all_deals"]


def test_parts_add_up_to_the_whole(generated):
    """By any dimension, nothing is left out and nothing is counted twice."""
    with query.connect(generated, layers=("gold",)) as connection:
        for name in ("total_deal_value", "total_leads", "won_leads", "revenue", "open_pipeline", "total_customers"):
            metric = metrics.metrics()[name]
            for dimension in metric.view.dimensions:
                parts = connection.execute(metric.duckdb_sql(dimension.name)).fetchall()
                total = sum(Decimal(str(value)) for _, value, _ in parts)
                assert float(total) == pytest.approx(metrics.value(connection, name)), (name, dimension.name)


#: For the metrics that need one.
TARGET = {"target_attainment": {"sales_target": 1_000_000}}


def test_values_of_generated_deals(generated):
    """Each metric written down a second time, over the rows of gold."""
    with query.connect(generated) as connection:
        asked = [name for name, one in metrics.metrics().items() if not one.measure.needs_period]
        found = {name: metrics.ask(connection, name, parameters=TARGET.get(name)).value for name in asked}
        deals = query.rows(connection, "select * from gold.deals")
        customers = query.rows(connection, "select * from gold.customer_features")
        channels = query.rows(connection, "select * from gold.channel_performance")
        stays = query.rows(connection, "select * from gold.stage_history")
        silver = query.rows(connection, "select * from silver.interactions_clean")
        states = query.rows(
            connection, "select * from gold.deal_changes where known_to is null order by lead_id, valid_from"
        )
    won, lost, still = ([d for d in deals if d["status"] == status] for status in ("won", "lost", "open"))
    valued = [d["deal_value"] for d in deals if d["has_value"]]
    assert won and lost and still and len(valued) < len(deals)  # noqa: PT018
    touches = sum(c["interactions"] for c in channels)
    buyers = [c for c in customers if c["won_leads"]]
    cycle = statistics.mean(d["cycle_days"] for d in won)
    left = [s["days_in_stage"] for s in stays if s["left_at"]]

    touched = {}
    for touch in silver:
        touched.setdefault(touch["customer_id"], []).append(touch["occurred_at"])
    firsts = [min((t for t in touched.get(d["customer_id"], []) if t >= d["created_at"]), default=None) for d in deals]
    waited = [(t - d["created_at"]).total_seconds() / 3600 for t, d in zip(firsts, deals, strict=True) if t]

    def value(some):
        return sum(d["deal_value"] or 0 for d in some)

    moved = [
        (two["lead_id"], (two["expected_close_date"] - one["expected_close_date"]).days)
        for one, two in itertools.pairwise(states)
        if one["lead_id"] == two["lead_id"] and one["status"] == two["status"] == "open"
        and one["expected_close_date"] and two["expected_close_date"]
    ]  # fmt: skip
    pushes = [(lead, days) for lead, days in moved if days > 0]

    expected = {
        "pushes": len(pushes),
        "slipped_deals": len({lead for lead, _ in pushes}),
        "days_per_push": statistics.mean(days for _, days in pushes) if pushes else None,
        "total_leads": len(deals),
        "open_leads": len(still),
        "won_leads": len(won),
        "lost_leads": len(lost),
        "total_deal_value": sum(valued),
        "average_deal_value": sum(valued) / len(valued),
        "median_deal_value": statistics.median(valued),
        "conversion_rate": len(won) / len(deals),
        "conversion_rate_by_value": value(won) / sum(valued),
        "win_rate": len(won) / (len(won) + len(lost)),
        "win_rate_by_value": value(won) / (value(won) + value(lost)),
        "revenue": value(won),
        "average_won_value": value(won) / sum(d["has_value"] for d in won),
        "lost_value": value(lost),
        "open_pipeline": value(still),
        "weighted_pipeline": sum(d["weighted_value"] or 0 for d in still),
        "hot_pipeline": value(d for d in still if d["lead_quality"] == "Hot"),
        "open_value_due": value(still),
        "target_attainment": value(won) / 1_000_000,
        "conversion_rate_by_period": len(won) / len(deals),
        "new_customers": len({d["customer_id"] for d in won if d["customer_id"]}),
        "lead_response_hours": statistics.median(waited),
        "answered_share": len(waited) / len(deals),
        "expected_wins": sum(d["probability_to_convert"] or 0 for d in still),
        "average_probability": statistics.mean(p for d in still if (p := d["probability_to_convert"]) is not None),
        "average_cycle_days": cycle,
        "median_cycle_days": statistics.median(d["cycle_days"] for d in won),
        "average_days_to_loss": statistics.mean(d["cycle_days"] for d in lost),
        "average_deal_age": statistics.mean(d["age_days"] for d in still),
        "sales_velocity": len(still)
        * float(value(won) / sum(d["has_value"] for d in won))
        * len(won)
        / (len(won) + len(lost))
        / cycle,
        "silent_deals": sum((d["days_since_last_interaction"] or 0) > 30 for d in still),
        "never_touched_deals": sum(d["days_since_last_interaction"] is None for d in still),
        "overdue_deals": sum(bool(d["expected_close_date"] and d["expected_close_date"] < d["as_of"]) for d in still),
        "total_customers": 60,
        "buying_customers": len(buyers),
        "active_customers": sum(c["interactions_90d"] > 0 for c in customers),
        "average_lead_score": sum(c["lead_score"] for c in customers) / 60,
        "hot_customers": sum(c["lead_score"] >= 80 for c in customers),
        "hot_lead_share": sum(c["lead_score"] >= 80 for c in customers) / 60,
        "average_engagement_score": sum(c["engagement_score"] for c in customers) / 60,
        "revenue_per_customer": sum(c["won_value"] for c in buyers) / len(buyers),
        "top_customer_revenue": max(c["won_value"] for c in customers),
        "top_customer_share": max(c["won_value"] for c in customers) / value(won),
        "interactions_per_customer": 300 / 60,
        "interactions_per_won_deal": sum(c["interactions"] for c in buyers) / sum(c["won_leads"] for c in buyers),
        "median_response_hours": statistics.median(
            c["hours_to_first_touch"] for c in customers if c["hours_to_first_touch"] is not None
        ),
        "total_interactions": 300,
        "positive_rate": sum(c["positive_touches"] for c in channels) / touches,
        "no_answer_rate": sum(t["outcome"] == "no_answer" for t in silver) / 300,
        "meetings_booked": 0,
        "average_duration_minutes": sum(t["duration_minutes"] or 0 for t in silver) / 300,
        "attributed_revenue": value(won),
        "touches": 300,
        "touched_customers": len({t["customer_id"] for t in silver}),
        "touch_positive_rate": sum(t["outcome"] == "positive" for t in silver) / 300,
        "average_days_in_stage": None if not left else statistics.mean(left),
        "stage_entries": len(stays),
    }
    assert found.keys() == expected.keys()
    for name, wanted in expected.items():
        assert found[name] == (None if wanted is None else pytest.approx(float(wanted), abs=1e-5)), name


def test_filters_and_splits(sample):
    with query.connect(sample) as connection:

        def ask(name, by=None, *filters, **more):
            return metrics.ask(connection, name, by, [metrics.Filter.parse(text) for text in filters], **more)

        whole = ask("revenue", "owner")
        assert sum(row["value"] for row in whole.rows) == metrics.value(connection, "revenue") == 1_090_000
        assert sum(row["n"] for row in whole.rows) == 15
        one = whole.rows[0]["owner"]
        alone, rest = ask("revenue", None, f"owner={one}"), ask("revenue", None, f"owner!={one}")
        assert alone.value == whole.rows[0]["value"]
        assert alone.value + rest.value == 1_090_000
        assert "?" in alone.sql
        assert one not in alone.sql
        assert alone.bindings == (one,)
        late = ask("revenue", "closed_month", "closed_month>=2025-04", "status=won")
        assert [row["closed_month"] for row in late.rows] == ["2025-04", "2025-06"]
        largest = ask("revenue", "owner", largest=1)
        assert largest.rows == [max(whole.rows, key=lambda row: row["value"])]
        assert ask("revenue", None, "industry=retail").filters == (metrics.Filter("industry", ("Retail",)),)
        never = ("source=referral", "closed_month=2025-01")
        assert ask("revenue", None, *never).rows == [{"value": 0, "n": 0}]
        assert ask("win_rate", None, *never).value is None
        smallest = ask("revenue", "owner", smallest=1)
        assert smallest.rows == [min(whole.rows, key=lambda row: row["value"])]
        assert metrics.groups(connection, smallest) == len(whole.rows)
        assert ask("total_leads", None, "closed_month=").value == 4
        assert ask("total_leads", None, "closed_month!=").value == 11
        assert ask("target_attainment", parameters={"sales_target": 1_090_000}).value == 1
        assert ask("total_leads", ["source", "status"]).rows[0].keys() == {"source", "status", "value", "n"}


HOSTILE = ["x' OR 1=1 --", "'; drop table gold.deals; --", '"', "\\", "%", "a" * 10_000, "ﷺ\x00"]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_values_are_only_values(sample, text):
    with query.connect(sample) as connection:
        with pytest.raises(ContractError, match="source has no value"):
            metrics.ask(connection, "total_leads", "source", [metrics.Filter("source", (text,))])
        found = metrics.computed(
            connection, metrics.named("total_leads"), ("source",), (metrics.Filter("source", (text,)),)
        )
        assert text not in found.sql
        assert found.rows == []
        assert metrics.value(connection, "total_leads") == 15


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda c: metrics.ask(c, "win_rat"), "win_rate"),
        (lambda c: metrics.ask(c, "win_rate", "1; drop table x"), "cannot be split"),
        (lambda c: metrics.ask(c, "win_rate", None, [metrics.Filter("mood", ("x",))]), "no dimension 'mood'"),
        (lambda c: metrics.ask(c, "win_rate", None, [metrics.Filter("owners", ("x",))]), "Nearest: owner"),
        (lambda c: metrics.ask(c, "revenue", None, [metrics.Filter.parse("status=Win")]), "Nearest: won"),
        (lambda c: metrics.ask(c, "revenue", None, [metrics.Filter.parse("closed_date>=06/01/2025")]), "2025-06-01"),
        (
            lambda c: metrics.ask(c, "open_pipeline", None, [metrics.Filter.parse("closed_date>=2025-06-01")]),
            "is a stock",
        ),
        (lambda c: metrics.ask(c, "silent_deals", "closed_month"), "is a stock"),
        (
            lambda c: metrics.ask(c, "win_rate", None, [metrics.Filter("owner", ("x",), "LIKE")]),
            "not a filter operator",
        ),
        (lambda c: metrics.ask(c, "win_rate", None, [metrics.Filter("owner", ("x", "y"), ">=")]), "one value"),
        (lambda c: metrics.ask(c, "win_rate", parameters={"sales_target": 1}), "no parameter"),
        (lambda c: metrics.ask(c, "target_attainment", parameters={"sales_target": float("nan")}), "finite number"),
        (lambda c: metrics.ask(c, "target_attainment"), "needs sales_target"),
        (lambda c: metrics.ask(c, "pipeline_coverage"), "means nothing without a period"),
        (lambda c: metrics.ask(c, "conversion_rate_by_period", "closed_month"), "times of their own"),
        (lambda c: metrics.ask(c, "revenue", None, [metrics.Filter.parse("status=open")]), "leaves nothing"),
        (lambda c: metrics.ask(c, "revenue", None, [metrics.Filter.parse("closed_month=2031-01")]), "the data ends on"),
        (
            lambda c: metrics.ask(c, "revenue", None, [metrics.Filter.parse("closed_month<=1999-01")]),
            "the data begins on 2024-10-14",
        ),
        (lambda c: metrics.ask(c, "win_rate", None, [metrics.Filter.parse("status=won")]), "for total_deal_value or"),
        (lambda c: metrics.Filter.parse("owner"), "cannot read the filter"),
        (lambda c: metrics.Filter.parse("1=1"), "cannot read the filter"),
    ],
)
def test_what_cannot_be_asked(sample, call, told):
    with query.connect(sample) as connection, pytest.raises(ContractError) as error:
        call(connection)
    assert told in f"{error.value.problem} {error.value.remedy}"


def test_the_command(sample, capsys):
    from typer.testing import CliRunner

    from medallion.cli import app

    def run(*words):
        return CliRunner().invoke(app, ["metrics", *words])

    assert "win_rate" in run("list").output
    assert "Won deals as a share" in run("show", "win_rate").output
    text = run(
        "value", "revenue", "--where", "status=Won", "--by", "owner", "--top", "1", "--lakehouse", sample.root
    ).output
    assert "1 of 3 rows" in " ".join(text.split())
    told = json.loads(
        run(
            "value", "win_rate", "--by", "source", "--where", "status=won,lost", "--lakehouse", sample.root, "--json"
        ).output
    )
    assert told["as_of"] == "2025-06-30"
    assert told["table_versions"]["gold.deals"] >= 0
    assert {row["source"]: row["n"] for row in told["rows"]}["referral"] > 1
    assert len(json.loads(run("list", "--json").output)) == len(metrics.metrics()) >= 25


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
        metrics.loading._declarations.cache_clear()
        monkeypatch.setattr("medallion.metrics.loading.files", lambda package: tmp_path)
        return metrics.metrics()

    yield load
    monkeypatch.undo()
    metrics.loading._declarations.cache_clear()


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
    assert metric.spark_sql("t") == "SELECT COUNT(1) AS value, COUNT(1) AS n FROM t WHERE (status <> 'open')"
    assert metric.duckdb_sql("status").startswith(
        "SELECT status AS status, COUNT(1) AS value, COUNT(1) AS n FROM gold.deals WHERE"
    )


def test_an_unknown_dimension_is_refused():
    with pytest.raises(ContractError, match="win_rate cannot be split by 'mood'"):
        metrics.metrics()["win_rate"].spark_sql(by="mood")


@pytest.mark.parametrize(
    ("name", "number", "text"),
    [
        ("total_deal_value", 1937000, "$1,937,000"),
        ("average_lead_score", 88.692308, "88.7"),
        ("hot_lead_share", 0.846154, "84.6%"),
        ("total_leads", 1234, "1,234"),
        ("win_rate", None, "no data"),
    ],
)
def test_how_a_value_is_written(name, number, text):
    assert metrics.written(name, number, "USD") == text


def test_insights_take_one_query_per_view_and_are_what_each_metric_is_worth(sample):
    class Counting:
        def __init__(self, connection):
            self.connection, self.queries = connection, 0

        def execute(self, *given):
            self.queries += 1
            return self.connection.execute(*given)

    with query.connect(sample) as connection:
        counted = Counting(connection)
        found = metrics.insights(counted)
        assert found == {name: metrics.value(connection, name) for name in metrics.INSIGHTS}
    assert counted.queries == len({metrics.named(name).view.source for name in metrics.INSIGHTS})


def test_insights_are_metrics_with_words():
    for name in metrics.INSIGHTS:
        measure = metrics.metrics()[name].measure
        assert measure.display_name
        assert measure.comment.endswith(".")


@pytest.mark.slow
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
