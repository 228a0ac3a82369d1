"""The typed question: one grammar, read whole or refused; periods, comparisons, records; metrics of a user's own."""

from __future__ import annotations

import json
import re
import shlex
import time
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import in_memory
from typer.testing import CliRunner

from medallion import contracts, metrics
from medallion.contracts import own
from medallion.errors import ContractError
from medallion.lakehouse import contracts_in_use, query
from medallion.metrics import conditions, over_time, periods
from medallion.metrics.compilers.duckdb import answer
from medallion.metrics.compilers.sql import DUCKDB, SPARK, compile_question
from medallion.metrics.conditions import And, Not, Or, parse
from medallion.metrics.meaning import Facts
from medallion.metrics.periods import Span, Today
from medallion.metrics.question import Order, Question, Records
from medallion.metrics.understanding import understand

ROOT = Path(__file__).parent.parent
TODAY = Today(date(2025, 6, 30))


@pytest.fixture(scope="module")
def served(sample):
    with query.connect(sample, layers=("gold", "silver")) as connection:
        yield in_memory(connection)


def told(connection, *question, **more):
    return answer(connection, Question.read(*question, **more))


# The grammar


names = st.sampled_from(["status", "owner", "deal_value", "closed_at", "open"])
values = st.text(min_size=1, max_size=12).filter(lambda text: text.strip())
single = st.one_of(
    st.builds(
        conditions.Test,
        names,
        st.sampled_from(["=", "!="]),
        st.lists(values, min_size=1, max_size=3, unique=True).map(tuple),
    ),
    st.builds(conditions.Test, names, st.sampled_from(["<", "<=", ">", ">="]), values.map(lambda one: (one,))),
    st.builds(conditions.Test, names, st.just("between"), st.tuples(values, values)),
    st.builds(conditions.Test, names, st.just("contains"), values.map(lambda one: (one,))),
    st.builds(conditions.Test, names, st.sampled_from(["unknown", "known", "is"])),
)


def several(kind, children):
    parts = st.lists(children.filter(lambda one: not isinstance(one, kind)), min_size=2, max_size=3)
    return parts.map(lambda found: kind(tuple(found)))


trees = st.recursive(
    single, lambda inner: st.one_of(st.builds(Not, inner), several(And, inner), several(Or, inner)), max_leaves=8
)


@settings(max_examples=100, deadline=None)
@given(trees)
def test_what_a_condition_is_written_as_is_read_as_the_same(tree):
    assert parse(str(tree)) == tree


words = st.sampled_from(
    ["status", "open", "=", "!=", "<", ">=", "and", "or", "not", "in", "is", "between", "contains", "unknown", "(", ")",
     ",", "won", "'a b'", '"', "'", "2025-01", "last 3 months", "30", "--", ";", "%", "\0", "é", "country", "Germany"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(words, max_size=12).map(" ".join)))
def test_any_text_is_read_whole_or_refused(text):
    try:
        found = parse(text)
    except ContractError:
        return
    if found is None:
        assert not text.strip()
        return
    said = str(found).casefold()
    for part in conditions._tokens(text):  # no word is dropped
        word = part.text.casefold()
        if part.kind in ("word", "string") and word not in conditions.KEYWORDS:
            inner = word[1:-1].replace(word[0] * 2, word[0]) if part.kind == "string" else word
            assert inner.replace("'", "''") in said


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=30), st.lists(st.sampled_from(
    ["last", "this", "next", "3", "99999999", "0", "month", "quarters", "fiscal", "year", "ytd", "to", "..", "2025", "2025-02-30",
     "0000", "9999-12-31", "FY2025", "-Q1", "since", "ago", "in", "W53"]), max_size=5).map(" ".join)))  # fmt: skip
def test_any_period_is_read_or_refused(text):
    try:
        span = periods.read(text, TODAY)
    except ContractError:
        return
    assert span.first is None or span.last is None or span.first <= span.last


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2025-Q1", "2025-01-01", "2025-03-31"), ("2024-02", "2024-02-01", "2024-02-29"), ("ytd", "2025-01-01", "2025-06-30"),
        ("last 30 days", "2025-06-01", "2025-06-30"), ("last 3 months", "2025-04-01", "2025-06-30"),
        ("this quarter", "2025-04-01", "2025-06-30"), ("next month", "2025-07-01", "2025-07-31"),
        ("2025-W01", "2024-12-30", "2025-01-05"), ("June 2025", "2025-06-01", "2025-06-30"),
        ("2025-01 to 2025-03-15", "2025-01-01", "2025-03-15"), ("since 2025-05", "2025-05-01", None),
        ("until 2025-05", None, "2025-05-31"), ("last week", "2025-06-23", "2025-06-29"), ("2 weeks ago", "2025-06-16", "2025-06-16"),
    ],
)  # fmt: skip
def test_periods(text, first, last):
    span = periods.read(text, TODAY)
    assert (span.first and span.first.isoformat(), span.last and span.last.isoformat()) == (first, last)


@pytest.mark.parametrize(
    ("day", "text", "first", "last"),
    [
        ((2025, 6, 29), "last 3 months", "2025-03-01", "2025-05-31"),
        ((2025, 6, 29), "last 2 weeks", "2025-06-16", "2025-06-29"),  # a Sunday, on which its week is over
        ((2025, 6, 28), "last 2 weeks", "2025-06-09", "2025-06-22"),
        ((2024, 2, 29), "last 2 quarters", "2023-07-01", "2023-12-31"),
        ((2024, 12, 31), "last 2 years", "2023-01-01", "2024-12-31"),
    ],
)
def test_a_unit_counts_among_the_last_ones_on_its_last_day(day, text, first, last):
    span = periods.read(text, Today(date(*day)))
    assert (str(span.first), str(span.last)) == (first, last)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [("FY2025", "2024-04-01", "2025-03-31"), ("FY2025-Q1", "2024-04-01", "2024-06-30"), ("fytd", "2025-04-01", "2025-06-30"),
     ("last fiscal year", "2024-04-01", "2025-03-31"), ("last 2 fiscal quarters", "2025-01-01", "2025-06-30")],
)  # fmt: skip
def test_fiscal_periods(text, first, last):
    span = periods.read(text, Today(date(2025, 6, 30), fiscal=4))
    assert (str(span.first), str(span.last)) == (first, last)


@pytest.mark.parametrize(
    ("text", "compare", "first", "last"),
    [
        ("ytd", "previous", "2024-01-01", "2024-06-30"), ("ytd", "year-ago", "2024-01-01", "2024-06-30"),
        ("2025-02", "year-ago", "2024-02-01", "2024-02-29"), ("2025-Q1", "previous", "2024-10-01", "2024-12-31"),
        ("last 30 days", "previous", "2025-05-02", "2025-05-31"), ("2025", "previous", "2024-01-01", "2024-06-30"),
        ("2025-03-10 to 2025-03-19", "previous", "2025-02-28", "2025-03-09"), ("last week", "previous", "2025-06-16", "2025-06-22"),
        ("2025-06-30", "previous", "2025-06-29", "2025-06-29"), ("2025-06-30", "year-ago", "2024-06-30", "2024-06-30"),
    ],
)  # fmt: skip
def test_periods_that_are_compared_with(text, compare, first, last):
    _, before, _ = periods.before(periods.read(text, TODAY), compare, TODAY)
    assert (str(before.first), str(before.last)) == (first, last)


# What is understood


ANSWERS = [
    (("revenue",), {"period": "2025-Q1"}, 440_000),
    (("revenue",), {"where": "closed_date in 2025-Q1"}, 440_000),
    (("revenue",), {"where": ["closed_date >= 2025-01", "closed_date < 2025-Q2"]}, 440_000),
    (("revenue",), {"as_of": "2025-03-31"}, 440_000),
    (("revenue",), {"where": "not country = Germany"}, 970_000),
    (("revenue",), {"where": "country in (Germany, Sweden) or industry = Hospitality"}, 360_000),
    (("revenue",), {"where": "country=germany,SWEDEN"}, 265_000),
    (("revenue",), {"where": "category contains PLAT and value > 100000"}, 695_000),
    (("win_rate",), {"period": "2025-Q1"}, 0.6),
    (("conversion_rate",), {"period": "2025-Q1"}, 0.5),
    (("open_leads",), {"period": "ytd"}, 4),
    (("total_leads",), {"as_of": "2025-03-31"}, 10),
    (("win_rate",), {"where": "not open", "period": "2025-Q1"}, 0.6),
    (("win_rate",), {"where": "won or lost", "period": "2025-Q1"}, 0.6),
    (("revenue",), {"where": "not lost and (won or overdue)", "period": "2025-Q1"}, 440_000),
    (("revenue",), {"where": "stage in (closed_won, proposal)", "period": "2025-Q1"}, 440_000),
    (("win_rate",), {"where": "stage != proposal", "period": "2025-Q1"}, 0.6),
    (("revenue",), {"as_of": "2025-03-31", "where": "won and closed_month = 2025-03"}, 145_000),
    (("open_leads",), {"where": "probability >= 0%"}, 4),
    (("open_pipeline",), {"where": "expected_close in 2025-08 and owner = 'Tom Brannigan'"}, 98_000),
    (("open_pipeline",), {"where": "created_at >= 2025-05"}, 185_000),
    (("touches",), {"where": "industry = Energy and positive"}, None),
    (("total_customers",), {"where": "city is unknown"}, 0),
    (("conversion_rate_by_period",), {"period": "2025-Q2"}, 0.6),
    (("new_customers",), {"period": "2025-Q1"}, 3),
    (("open_value_due",), {"period": "2025-Q3"}, 345_000),
    (("pipeline_coverage",), {"period": "2025-Q2", "parameters": {"sales_target": 700_000}}, 0),
    (("pipeline_coverage",), {"period": "since 2025-07", "parameters": {"sales_target": 345_000}}, 1),
    (("target_attainment",), {"period": "2025-Q2", "parameters": {"sales_target": 1_300_000}}, 0.5),
]  # fmt: skip


@pytest.mark.parametrize(("question", "more", "value"), ANSWERS)
def test_answers(served, question, more, value):
    found = told(served, *question, **more)
    if value is None:
        value = served.execute(
            "select count(*) from silver.interactions_clean join gold.customer_features using (customer_id) "
            "where industry = 'Energy' and outcome in ('positive', 'meeting_booked')"
        ).fetchone()[0]
    assert found.value == value


def test_a_split_by_the_metrics_own_time_and_a_comparison(served):
    found = told(served, "revenue", "month", period="2025-Q2", compare="previous")
    assert [(row["month"], row["value"], row["value_before"]) for row in found.rows] == [
        ("2025-04", 180_000, 95_000), ("2025-05", 0, 200_000), ("2025-06", 470_000, 145_000),
    ]  # fmt: skip
    less = told(
        served, "revenue", "month", period="2025-Q2", compare="previous", having="change < 0 and change_share < -50%"
    )
    assert [row["month"] for row in less.rows] == ["2025-05"]
    for by in ("closed_month", "closed_at:month"):  # another name of the same days
        other = told(served, "revenue", by, period="2025-Q2", compare="previous")
        assert [(row[by], row["value_before"]) for row in other.rows] == [
            (row["month"], row["value_before"]) for row in found.rows
        ]
    assert found.totals["value"] == 650_000
    assert found.totals["value_change_share"] == pytest.approx(210 / 440, abs=1e-6)


def test_the_month_of_a_quota_is_that_of_its_first_day(two_reps):
    """Whatever the two are called: they are beside the period that they are compared with, and leave nothing together."""
    contracts_in_use.for_readers(two_reps)
    with query.connect(two_reps, layers=("gold", "silver")) as connection:
        for by in ("quota_month", "quota_start:month", "month"):
            found = told(connection, "quota", by, period="2025-Q2", compare="previous")
            assert [(row[by], row["value"], row["value_before"]) for row in found.rows] == [("2025-04", 0, 81_508)]
        with pytest.raises(ContractError, match="leave nothing"):
            told(connection, "quota", where="quota_month = 2025-01 and quota_start >= 2025-02-01")


def test_a_stock_of_an_earlier_day_is_what_the_days_say(served):
    by_day = dict(served.execute("select day, (open_leads, open_pipeline::bigint) from gold.sales_summary").fetchall())
    found = told(served, "open_leads,open_pipeline", "month")
    ends = [periods.read(row["month"], TODAY).last for row in found.rows]
    assert len(ends) == 9
    assert [(row["open_leads"], row["open_pipeline"]) for row in found.rows] == [by_day[day] for day in ends]
    assert found.totals["open_pipeline"] == found.rows[-1]["open_pipeline"] == 345_000
    found = told(served, "open_pipeline", "industry", period="2025-Q1", compare="previous")
    assert found.totals["value"] == sum(row["value"] for row in found.rows) == by_day[date(2025, 3, 31)][1]
    assert found.totals["value_before"] == by_day[date(2024, 12, 31)][1]
    assert told(served, "open_leads", as_of="2025-05-31").value == by_day[date(2025, 5, 31)][0]


def test_a_stock_of_an_earlier_day_counts_the_days_that_flows_count(served):
    """Days of the business time zone may be others."""
    with duckdb.connect() as elsewhere:
        elsewhere.execute("create schema gold")
        for name in ("sales_summary", "deals", "customer_features", "stage_history", "deal_changes"):
            elsewhere.register("given", served.sql(f"from gold.{name}").to_arrow_table())
            elsewhere.execute(f"create table gold.{name} as select * from given")
        elsewhere.execute("update gold.deal_changes set from_day = from_day + 1, to_day = to_day + 1")
        assert told(elsewhere, "open_leads", "day").rows == told(served, "open_leads", "day").rows
        quarter = date(2025, 3, 31), date(2025, 6, 30)
        assert over_time.movement(elsewhere, *quarter) == over_time.movement(served, *quarter)
        (moved,) = over_time.movement(elsewhere, *quarter)
        assert -moved["won"] == told(served, "revenue", period="2025-Q2").value
        assert moved["start"] == told(served, "open_pipeline", period="2025-Q1").value


@pytest.fixture
def with_quotas():
    own.bring(contracts.entities(), "a lakehouse with quotas", ("gold.attainment", "silver.owners_clean"))
    yield
    own.forget()


@pytest.mark.usefixtures("with_quotas")
def test_coverage_is_of_what_owners_have_still_to_win():
    with duckdb.connect() as quotas:
        quotas.execute("""
            create schema gold;
            create table gold.sales_summary as select unnest([date '2025-01-01', date '2025-06-30']) as day;
            create table gold.attainment as select * from (values
                ('owner', 'Ann', date '2025-04-01', 1000.00, 400.00, 900.00), ('owner', 'Bob', date '2025-04-01', 500.00, 600.00, 300.00),
                ('team', 'East', date '2025-04-01', 1500.00, 1000.00, 1200.00), ('owner', 'Ann', date '2025-07-01', 1000.00, 0.00, 100.00)
            ) t(level, who, period_start, quota, won_value, open_value)""")
        found = told(quotas, "quota_coverage", "owner", period="2025-Q2")
        assert [(row["owner"], row["value"]) for row in found.rows] == [("Ann", 1.5), ("Bob", None)]
        assert found.totals["value"] == 2.4
        assert told(quotas, "team_quota_coverage", period="2025-Q2").value == 2.4
        assert told(quotas, "quota_coverage,quota", period="next quarter").rows[0]["quota_coverage"] == 0.1
        with pytest.raises(ContractError, match="what became of its rows since"):
            told(quotas, "quota_attainment", as_of="2025-05-31")


def test_slips_are_what_the_history_of_deals_says():
    with duckdb.connect() as history:
        history.execute("""
            set timezone = 'UTC';
            create schema gold;
            create table gold.sales_summary as select unnest([date '2025-01-01', date '2025-06-30']) as day;
            create table gold.deal_changes as select *, 'P-1' as product_id, 'C1' as customer_id, 'web' as source, valid_from as known_from,
                null::timestamptz as known_to, null::timestamptz as valid_to, null::date as from_day, null::date as to_day, true as has_value
            from (values
                ('L1', timestamptz '2025-01-05', 'open', 'new', date '2025-02-01', 'Ann', 100.00),
                ('L1', timestamptz '2025-02-10', 'open', 'new', date '2025-03-01', 'Ann', 100.00),
                ('L1', timestamptz '2025-04-02', 'open', 'proposal', date '2025-05-01', 'Bob', 100.00),
                ('L1', timestamptz '2025-05-02', 'won', 'closed_won', date '2025-07-01', 'Bob', 100.00),
                ('L2', timestamptz '2025-01-05', 'open', 'new', date '2025-04-01', 'Ann', 50.00),
                ('L2', timestamptz '2025-03-05', 'open', 'new', date '2025-03-20', 'Ann', 50.00)
            ) t(lead_id, valid_from, status, stage, expected_close_date, owner, deal_value)""")
        rows = told(history, "slipped_deals,pushes,days_per_push", "owner", period="2025-Q1").rows
        assert [(row["owner"], row["slipped_deals"], row["pushes"], row["days_per_push"]) for row in rows] == [
            ("Ann", 1, 1, 28)
        ]
        whole = told(history, "pushes,slipped_deals").rows[0]
        assert (whole["pushes"], whole["slipped_deals"]) == (2, 1)
        (row,) = over_time.slips(history, date(2024, 12, 31), date(2025, 6, 30))
        assert (row["pushes"], row["pushed"]) == (2, 1)
        listed = answer(
            history, Records.read("slips", "later", columns="lead_id,moved_date,days_moved", order="moved_date")
        )
        assert [tuple(one.values()) for one in listed.rows] == [
            ("L1", date(2025, 2, 10), 28),
            ("L1", date(2025, 4, 2), 61),
        ]
        assert told(history, "pushes", where="was_expected < 2025-02-15 and days_moved > 20").value == 1


def test_a_stock_over_time_begins_with_the_data(served):
    assert told(served, "open_leads", "month", period="since 2020").rows == told(served, "open_leads", "month").rows
    assert told(served, "open_leads", "year", period="since 0001").total == 2


def test_the_rows_behind_a_metric_of_parts_are_a_number_of_rows(served):
    coverage = told(served, "pipeline_coverage", period="since 2025-07", parameters={"sales_target": 345_000})
    assert coverage.rows[0]["n"] == 4
    by_channel = told(served, "total_interactions,positive_rate", "channel").rows
    assert all(row["total_interactions_n"] == row["positive_rate_n"] == row["total_interactions"] for row in by_channel)


def test_several_metrics_of_several_sources_stand_side_by_side(served):
    found = told(served, "revenue,open_pipeline,total_customers,touches", "industry")
    assert found.total == 13
    for name in ("revenue", "open_pipeline", "total_customers"):
        assert sum(row[name] for row in found.rows) == found.totals[name] == told(served, name).value
    assert {row["industry"]: row["revenue"] for row in found.rows}["Energy"] == 0


def test_the_largest_come_first_where_it_is_asked():
    assert [str(order) for order in (Order("value"), Order("value", True))] == ["value", "-value"]
    assert Question.read("revenue", "owner", order="owner,-value").order == (Order("owner"), Order("value", True))


@pytest.mark.parametrize(
    ("period", "phrase"),
    [
        ("2025-Q2", "from 2025-04-01 to 2025-06-30"),
        ("since 2025-05", "since 2025-05-01"),
        ("until 2025-05", "until 2025-05-31"),
        ("2025-06-12", "2025-06-12"),
    ],
)
def test_a_period_is_written_as_days(served, period, phrase):
    assert str(told(served, "revenue", period=period).understood) == f"Revenue, {phrase}"


def test_an_answer_says_whether_it_is_whole(served):
    found = told(served, "revenue", "owner", order="-value", limit=1, having="value > 0")
    assert (found.shown, found.total, found.complete) == (1, 3, False)
    assert found.rows[0] == {"owner": "Marcus Oyelaran", "value": 550_000, "n": 2}
    document = json.loads(json.dumps(found.document()))
    assert document["understood"] == "Revenue by owner, having revenue > 0"
    assert document["table_versions"] == {"gold.deals": None}
    assert [one["role"] for one in document["columns"]] == ["split", "value", "n"]
    assert "period" not in document
    beside = told(served, "revenue", period="2025-Q2", compare="previous").document()
    assert beside["period"] == {"from": "2025-04-01", "to": "2025-06-30", "written": "2025-Q2"}
    assert beside["compared_with"] == {"from": "2025-01-01", "to": "2025-03-31", "written": ""}


REFUSED = [
    (("revenue",), {"where": "closed_date>=06/01/2025"}, "Perhaps 2025-06-01"),
    (("revenue",), {"where": "status=Win"}, "Nearest: won"),
    (("revenue",), {"where": "open"}, "leaves nothing"),
    (("revenue",), {"where": "stage = proposal"}, "leaves nothing"),
    (("revenue",), {"where": "not won"}, "so not won leaves nothing"),
    (("revenue",), {"where": "(status = open or lost) and country = Germany"}, "so status = open or lost leaves nothing"),
    (("win_rate",), {"where": "not lost"}, "changes what it means"),
    (("win_rate",), {"where": "deal_value > 5 and not (lost or overdue)"}, "changes what it means"),
    (("revenue",), {"where": "stage contains prop"}, "so stage contains prop leaves nothing"),
    (("revenue",), {"where": "not stage = closed_won"}, "leaves nothing"),
    (("win_rate",), {"where": "stage = closed_won or stage = proposal"}, "changes what it means"),
    (("touch_positive_rate",), {"where": "positive"}, "changes what it means"),
    (("revenue",), {"where": "probability > 50%"}, "leaves nothing"),
    (("total_leads",), {"where": "open and won"}, "open and won leaves nothing, whatever status is"),
    (("total_leads",), {"where": "closed_at in 2025 and overdue"}, "leaves nothing"),
    (("open_pipeline",), {"where": "closed_at >= 2025-01"}, "leaves nothing"),
    (("open_pipeline",), {"by": "closed_at:month"}, "leaves nothing"),
    (("conversion_rate",), {"where": "closed_at in 2025-Q1"}, "changes what it means"),
    (("conversion_rate",), {"as_of": "2025-03-31", "period": "ytd"}, "what became of its rows since"),
    (("silent_deals",), {"period": "2025-Q1"}, "is a stock: .* not of 2025-03-31"),
    (("silent_deals",), {"by": "month"}, "is a state"),
    (("silent_deals",), {"period": "2025-Q2", "compare": "previous"}, "is a stock"),
    (("open_pipeline",), {"period": "2025-Q2", "compare": "previous", "by": "month"}, "over time already"),
    (("open_pipeline",), {"period": "2025-Q1", "by": "lead_quality"}, "no dimension 'lead_quality'"),
    (("total_interactions",), {"period": "ytd"}, "no time column"),
    (("revenue",), {"period": "2031"}, "the data ends on 2025-06-30"),
    (("revenue",), {"period": "2020"}, "the data begins on"),
    (("revenue",), {"period": "0001", "compare": "year-ago"}, "no time before"),
    (("revenue",), {"period": "0001", "compare": "previous"}, "no time before"),
    (("open_pipeline",), {"period": "2031"}, "the data ends on 2025-06-30"),
    (("open_pipeline",), {"period": "next quarter", "by": "owner"}, "the data ends on 2025-06-30"),
    (("silent_deals",), {"period": "next quarter"}, "the data ends on 2025-06-30"),
    (("open_pipeline",), {"period": "2020", "by": "month"}, "the data begins on"),
    (("revenue",), {"period": "2025-Q2", "as_of": "2025-03-31"}, "2025-Q2: begins after 2025-03-31"),
    (("open_pipeline",), {"period": "2025-Q2", "as_of": "2025-03-31"}, "2025-Q2: begins after 2025-03-31"),
    (("revenue",), {"where": "closed_at >= 2025-05", "as_of": "2025-03-31"}, "begins after 2025-03-31"),
    (("open_value_due",), {"period": "ytd", "as_of": "2025-03-31"}, "what became of its rows since"),
    (("total_leads",), {"by": "status", "as_of": "2025-03-31"}, "what became of its rows since"),
    (("total_leads",), {"by": "closed_at:month", "as_of": "2025-03-31"}, "what became of its rows since"),
    (("total_leads",), {"where": "not open", "as_of": "2025-03-31"}, "what became of its rows since"),
    (("total_leads",), {"where": "cycle_days > 3 or stage = proposal", "as_of": "2025-03-31"}, "what became of its rows since"),
    (("open_value_due",), {"period": "this quarter", "compare": "previous"}, "as they are now"),
    (("conversion_rate_by_period",), {"by": "closed_at:month", "period": "ytd"}, "times of their own"),
    (("conversion_rate_by_period",), {"where": "closed_at >= 2025-02", "period": "ytd"}, "times of their own"),
    (("revenue",), {"period": "ytd", "compare": "year-ago"}, "before the data begins"),
    (("revenue",), {"period": "last fortnight"}, "no period of time"),
    (("revenue",), {"compare": "previous"}, "needs a period"),
    (("revenue",), {"period": "ytd", "compare": "last year"}, "is no comparison"),
    (("revenue",), {"by": "ownr"}, "Nearest: owner"),
    (("revenue",), {"by": "value"}, "Write deal_value"),
    (("revenue",), {"by": "owner:month"}, "is no day"),
    (("revenue",), {"by": "closed_at:mnth"}, "no unit of time"),
    (("revenue",), {"order": "-owners_"}, "no such figure"),
    (("revenue",), {"having": "reveneu > 3"}, "Nearest: revenue"),
    (("revenue",), {"having": "value > lots"}, "is not a number"),
    (("revenue",), {"having": "value between 5 and 3"}, "ends before it begins"),
    (("revenue",), {"having": "change > 3", "period": "ytd"}, "no such figure"),
    (("revenue",), {"where": "value > lots"}, "is not a number"),
    (("revenue",), {"where": "owner > 3"}, "is text"),
    (("revenue",), {"where": "owner"}, "cannot stand alone"),
    (("revenue",), {"where": "value contains 3"}, "is no text"),
    (("revenue",), {"where": "open = maybe"}, "is not yes or no"),
    (("revenue",), {"where": "country = Germany and"}, "it ends"),
    (("revenue",), {"where": "country = Germany owner = Ann"}, "stands at character"),
    (("revenue",), {"where": "country in (Germany"}, "it ends"),
    (("revenue",), {"where": "country = Germany,"}, "it ends"),
    (("revenue",), {"where": "country = ,Germany"}, "',' stands"),
    (("revenue",), {"where": "value = 100,000"}, "may be one number or 2\nWrite 100000 for one"),
    (("revenue",), {"where": "value between 1,000 and 2,000"}, "may be one number"),
    (("revenue",), {"where": "customer_name contains 'plat"}, "in quotes that are closed"),
    (("revenue",), {"where": "owner = Ann\udcff"}, "unreadable character at 12"),
    (("revenue",), {"limit": 0}, "number of rows"),
    (("revenue",), {"parameters": ["silent_days=3"]}, "no parameter"),
    (("revenue",), {"as_of": "2026-01-01"}, "the data ends on"),
    (("revenu",), {}, "Nearest: revenue"),
    (("target_attainment",), {}, "needs sales_target, which has no default"),
    (("pipeline_coverage",), {"parameters": {"sales_target": 1e6}}, "means nothing without a period"),
    (("pipeline_coverage",), {"period": "ytd"}, "needs sales_target"),
]  # fmt: skip


@pytest.mark.parametrize(("question", "more", "says"), REFUSED)
def test_what_is_not_understood_is_refused(served, question, more, says):
    with pytest.raises(ContractError) as error:
        told(served, *question, **more)
    assert re.search(says, str(error.value)), str(error.value)


def test_records(served):
    found = answer(served, Records.read("deals", "open and days_silent > 3", order="-value", limit=1))
    assert (found.shown, found.total, found.complete) == (1, 2, False)
    assert 0 < found.seconds < 600
    assert found.rows[0]["lead_id"] == "L-1013"
    assert found.rows[0]["deal_value"] == 98_000
    assert found.rows[0]["expected_close_date"] == date(2025, 8, 15)
    found = answer(
        served, Records.read("accounts", "bought and not country = Germany", columns="customer_name,won_value")
    )
    assert found.total == 4
    assert list(found.rows[0]) == ["customer_name", "won_value"]
    days = {
        str(row["closed_date"])[:7]
        for row in answer(served, Records.read("deals", "won", period="2025-Q2", columns="closed_date")).rows
    }
    assert days
    assert days <= {"2025-04", "2025-05", "2025-06"}  # of deals that were won the day closed counts
    opened = answer(served, Records.read("deals", "won = false", period="2025-Q2", columns="created_date,status")).rows
    assert {row["status"] for row in opened} == {"open"}
    assert {str(row["created_date"])[:7] for row in opened} <= {"2025-04", "2025-05", "2025-06"}
    touches = answer(served, Records.read("interactions", as_of="2025-06-15", columns="date", limit=None)).rows
    counted = "select count(*) from silver.interactions_clean where occurred_at < '2025-06-16'"
    assert len(touches) == served.execute(counted).fetchone()[0] > 0
    assert answer(served, Records.read("deals", period="all")).total == answer(served, Records.read("deals")).total
    for entity, more, says in (
        ("accounts", {"period": "2025-Q2"}, "no day to count by\nWrite --where 'last_touch_date in PERIOD' or "),
        ("deals", {"period": "2020"}, "the data begins on"),
        ("deals", {"period": "2031"}, "the data ends on"),
        ("deals", {"where": "created_at < 2025-02", "period": "2025-Q2"}, "leave nothing"),
        ("deals", {"where": "open", "as_of": "2025-03-31"}, "known as of the last day"),
        ("stage_changes", {"as_of": "2025-03-31"}, "known as of the last day"),
        ("deals", {"where": "silent", "parameters": ["silent_days=nan"]}, "not a finite number"),
        ("deals", {"where": "silent", "parameters": ["silent_days=3", "silent_days=5"]}, "given twice"),
    ):
        with pytest.raises(ContractError, match=says):
            answer(served, Records.read(entity, **more))
    with pytest.raises(ContractError, match="no records of 'deels'") as error:
        answer(served, Records.read("deels"))
    assert "Nearest: deals" in error.value.remedy
    with pytest.raises(ContractError, match="to show"):
        answer(served, Records.read("deals", columns="email"))


def test_a_column_is_compared_with_another_of_the_same_row(served):
    late = answer(
        served,
        Records.read("deals", "closed_date > expected_close_date", columns="lead_id,closed_date,expected_close_date"),
    )
    every = answer(
        served,
        Records.read("deals", "closed_date is known", columns="lead_id,closed_date,expected_close_date", limit=None),
    ).rows
    after = {row["lead_id"] for row in every if (row["expected_close_date"] or row["closed_date"]) < row["closed_date"]}
    assert {row["lead_id"] for row in late.rows} == after
    assert str(late.understood) == "Deals where closed_date > expected_close_date"
    for text in ("closed_date > deal_value", "deal_value > days_silent", "deal_value > stage"):
        with pytest.raises(ContractError):
            answer(served, Records.read("deals", text))


def test_the_first_records_of_each_value_of_a_column(served):
    every = answer(served, Records.read("deals", limit=None, columns="lead_id,owner,deal_value")).rows
    found = answer(
        served, Records.read("deals", order="-deal_value", limit=1, columns="owner,deal_value,lead_id", each="owner")
    )
    best = {}
    for row in every:
        best[row["owner"]] = max(best.get(row["owner"], 0), row["deal_value"] or 0)
    assert {row["owner"]: row["deal_value"] or 0 for row in found.rows} == best
    assert found.total == len(best)
    assert "the first 1 of each owner by -deal_value" in str(found.understood)
    with pytest.raises(ContractError):
        answer(served, Records.read("deals", limit=None, each="owner"))


def test_records_have_one_order_where_their_key_does_not_say_it(served):
    sql = answer(served, Records.read("stage_changes", order="-entered_date", columns="stage,left_date")).sql
    order = re.findall(r"(\w+)(?: AS DATE\)\))? (ASC|DESC) NULLS LAST", sql)
    assert order == [("entered_at", "DESC"), ("lead_id", "ASC"), ("stage", "ASC"), ("left_at", "ASC")]


def test_every_metric_by_every_dimension_is_worth_what_its_declaration_gives(served):
    for name, metric in metrics.metrics().items():
        if not metric.stands_alone:
            continue
        assert told(served, name).value == metrics.value(served, name), name
        for dimension in metric.dimensions[-1:]:
            if metrics.contradicted(metric, [metrics.Filter(*one) for one in dimension.implies]):
                continue
            new = {row[dimension.name]: row["value"] for row in told(served, name, dimension.name).rows}
            assert new == {row[dimension.name]: row["value"] for row in metrics.ask(served, name, dimension.name).rows}


def test_the_expressions_of_the_package_can_be_computed(two_reps):
    contracts_in_use.for_readers(two_reps)  # those of optional tables too
    for view in metrics.views().values():
        for measure in view.measures:
            metrics.loading.check_measure(view, measure)
        for one in (*view.dimensions, *view.fields):
            metrics.loading.check_expression(view, one.expr, one.name, aggregates=False)
        known = {one.name for one in (*view.dimensions, *view.fields)}
        assert known.issuperset((*view.key, *view.listed))
        assert view.grain


def test_a_question_is_compiled_in_less_than_20_ms():
    facts = Facts(date(2024, 1, 1), date(2025, 6, 30), lambda view, dimension, texts: texts)
    asked = Question.read(
        "revenue,win_rate,touches", ["industry", "month"], "country in (A, B) and not size_band = 'C' ", "2025-Q1", "previous",
        "revenue > 3", "-revenue", 10,
    )  # fmt: skip
    compile_question(understand(asked, facts), DUCKDB)
    started = time.process_time()
    for _ in range(10):
        compile_question(understand(asked, facts), DUCKDB)
    assert (time.process_time() - started) / 10 < 0.02


def test_values_are_bound_and_never_part_of_the_query():
    facts = Facts(date(2024, 1, 1), date(2025, 6, 30), lambda view, dimension, texts: texts)
    found = compile_question(understand(Question.read("revenue", where="owner = 'x'' or 1=1 --'"), facts), DUCKDB)
    assert "1=1" not in found.sql
    assert found.bindings == ("x' or 1=1 --",)
    assert "'x\\' or 1=1 --'" in str(
        compile_question(understand(Question.read("revenue", where="owner = 'x'' or 1=1 --'"), facts), SPARK)
    )


# Metrics of a user's own


OURS = """
entity: deals
parameters:
  - {name: big_deal, default: 100000, comment: Value from which a deal is big}
dimensions:
  - {name: region, expr: "CASE WHEN country IN ('Germany', 'Sweden') THEN 'EU' ELSE 'other' END", display_name: Region, comment: Region, synonyms: [regions]}
measures:
  - name: big_wins
    expr: COUNT(CASE WHEN status = 'won' AND deal_value > :big_deal THEN 1 END)
    display_name: Big wins
    comment: Won deals of a high value.
    period: closed_date
    additivity: flow
    unit: deals
    format: {type: number}
thresholds: {silent_days: 4}
calendar: {fiscal_year_starts: 4}
"""


@pytest.fixture
def ours(tmp_path):
    """`ours(text)` puts a declaration into the user's folder of metrics."""
    own.metrics_in(tmp_path)

    def write(text, name="ours"):
        (tmp_path / f"{name}.yaml").write_text(text)
        return metrics.metrics()

    yield write
    own.metrics_in(None)


def test_own_metrics_dimensions_thresholds_and_calendar_count_at_once(ours, served):
    assert told(served, "silent_deals").value == 0
    ours(OURS)
    assert told(served, "big_wins", "region", period="2025-Q2").rows == [
        {"region": "EU", "value": 1, "n": 1}, {"region": "other", "value": 2, "n": 5},
    ]  # fmt: skip
    assert told(served, "big_wins", parameters={"big_deal": 200_000}).value == 1
    assert told(served, "silent_deals").value == 2
    assert told(served, "revenue", period="FY2026").totals == {}
    assert told(served, "revenue", period="FY2026").value == told(served, "revenue", period="2025-Q2").value
    ours(OURS.replace("> :big_deal", "< :big_deal"))
    assert told(served, "big_wins").value == told(served, "won_leads", where="value < 100000").value


RENEWALS = """
entity: deals
dimensions:
  - {name: renewal_date, expr: "DATE_ADD(CAST(closed_at AS DATE), 365)", display_name: Renewal, comment: A year after, type: day}
  - {name: renewal_month, expr: "DATE_FORMAT(ADD_MONTHS(closed_at, 12), 'yyyy-MM')", display_name: Month of renewal, comment: A year after, type: month}
"""


def test_a_time_that_is_computed_of_a_column_is_another_than_its_day(ours, served):
    """Such a condition is no contradiction of one on the day, and a comparison does not take its month for that of closing."""
    ours(RENEWALS)
    day = served.execute("select max(closed_at)::date from gold.deals where status = 'won'").fetchall()[0][0]
    until = f"closed_date <= {day}"
    assert told(served, "revenue", where=f"{until} and renewal_date > {day}").value > 0
    asked = {"period": "2025-Q2", "compare": "previous"}
    by_renewal = told(served, "revenue", "renewal_month", **asked).rows
    assert {row["renewal_month"] for row in by_renewal if row["value"]} == {
        f"2026-{row['closed_month'][5:]}"
        for row in told(served, "revenue", "closed_month", period="2025-Q2").rows
        if row["value"]
    }
    assert {row["renewal_month"] for row in by_renewal if row["value_before"]} <= {"2026-01", "2026-02", "2026-03"}


UNCOMPUTABLE = """
entity: ours
key: [k]
source: SELECT owner, deal_value FROM gold.deals
comment: Deals
version: "1.1"
dimensions:
  - {name: k, expr: ownr, display_name: Owner, comment: Owner}
measures:
  - {name: last_owner, expr: MAX(owner), display_name: Last owner, comment: A text, format: {type: number}}
  - {name: nothing, expr: LN(SUM(0)), display_name: Nothing, comment: No number, format: {type: number}}
"""


def test_a_declaration_that_cannot_be_computed_is_told(ours, served):
    ours(UNCOMPUTABLE)
    for more in ({"by": "k"}, {"where": "k = Ann"}, {"where": "k != Ann"}):
        with pytest.raises(ContractError, match="cannot be computed: Binder Error"):
            told(served, "nothing", **more)
    with pytest.raises(ContractError, match="cannot be computed"):
        answer(served, Records.read("ours"))
    with pytest.raises(ContractError, match="is Tom Brannigan and not a number"):
        told(served, "last_owner")
    assert told(served, "nothing").value is None
    ours(re.sub("dimensions:\n.*", "dimensions: []", UNCOMPUTABLE))
    with pytest.raises(ContractError, match="no dimension or field to show"):
        answer(served, Records.read("ours"))


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (OURS.replace("    unit: deals", "    n: MEASURE(won_leads)"), 8, "n is of no one part"),
        (re.sub("COUNT.*", "MEASURE(won_leads) / MEASURE(revenue)\n    n: MEASURE(won_leads) + MEASURE(revenue)", OURS), 8, "n is of no one part"),
        (re.sub("COUNT.*", "MEASURE(won_leads) / MEASURE(revenue)\n    n: COUNT(1)", OURS), 8, "n is of no one part"),
        (OURS.replace("period: closed_date", "period: closing_date"), 8, "'closing_date' is no day"),
        (OURS.replace("deal_value > ", "deal_valeu > "), 8, "no column 'deal_valeu'"),
        (OURS.replace(":big_deal THEN", ":bigdeal THEN"), 8, "no parameter :bigdeal"),
        (OURS.replace("COUNT(CASE", "(CASE"), 8, "adds nothing up"),
        (OURS.replace("THEN 1 END)", "THEN 1 END) + deal_value"), 8, "outside of an aggregate"),
        (OURS.replace("COUNT(CASE", "COUNT((CASE"), 8, "is no expression"),
        (OURS.replace("name: big_wins", "name: revenue"), 8, "declared twice, first in .*deals.yaml"),
        (OURS.replace("name: region", "name: country"), 6, "country is declared twice"),
        (OURS.replace("name: region", "name: Region"), 6, "is no name"),
        (OURS.replace("unit: deals", "units: deals"), 14, "Nearest: unit"),
        (OURS.replace("entity: deals", "entity: deels"), 2, "there is no entity 'deels'"),
        (OURS.replace("entity: deals\n", ""), 2, "entity is missing"),
        (OURS.replace("silent_days", "silent_day"), 16, "no threshold 'silent_day'"),
        (OURS.replace("fiscal_year_starts: 4", "fiscal_year_starts: 13"), 17, "less than or equal to 12"),
        (OURS.replace("comment: Won", "  comment: Won"), 11, "cannot be read"),
    ],
)  # fmt: skip
def test_a_broken_declaration_is_refused_with_its_line(ours, text, line, says):
    with pytest.raises(ContractError) as error:
        ours(text)
    assert re.search(says, str(error.value)), str(error.value)
    assert f"ours.yaml:{line}: " in error.value.problem, error.value.problem


def test_the_command_takes_the_settings_folder(sample, tmp_path, ours):
    from medallion.cli.app import app

    ours(OURS)
    own.metrics_in(None)
    config = tmp_path / "settings.txt"
    config.write_text(f"metrics: {tmp_path}\n")
    found = CliRunner().invoke(
        app, ["metrics", "value", "big_wins", "--by", "region", "--period", "ytd", "--json", "--lakehouse", sample.root,
              "--config", str(config)],
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    document = json.loads(found.output)
    assert {row["region"]: row["value"] for row in document["rows"]} == {"EU": 2, "other": 3}
    assert document["table_versions"]["gold.deals"] >= 0
    assert document["period"]["from"] == "2025-01-01"


def test_the_commands(sample):
    from medallion.cli.app import app

    def run(*words):
        return CliRunner().invoke(app, [*words, "--lakehouse", sample.root])

    text = " ".join(run("metrics", "value", "revenue", "--by", "closed_at:month", "--period", "2025-Q2", "--compare", "previous", "--order", "-value").output.split())  # fmt: skip
    assert "Revenue by month closed, from 2025-04-01 to 2025-06-30, compared with 2025-01-01 to 2025-03-31" in text
    assert "+" not in text
    assert "In total: value $650,000" in text
    text = run(
        "records", "deals", "--where", "open and days_silent > 3", "--columns", "deal,value", "--order", "-value"
    ).output
    assert "2 records" in " ".join(text.split())
    assert "$98,000" in text
    document = json.loads(run("records", "accounts", "--where", "bought", "--json", "--limit", "2").output)
    assert (document["shown"], document["total"], document["complete"]) == (2, 5, False)
    assert document["where"] == "bought"
    assert "Nearest" in str(run("records", "deals", "--where", "contry = Germany").exception)
    moved = json.loads(run("metrics", "movement", "2025-05-31", "2025-06-30", "--by", "owner,stage", "--json").output)
    assert moved["by"] == ["owner", "stage"]
    assert "--seed is of random" in str(run("metrics", "check", "--seed", "3").exception)
    assert "time: closed_date" in run("metrics", "show", "revenue").output
    early = run("metrics", "movement", "2020-01-01", "2020-02-01")
    assert "before 2024-10-14, the first day of the data" in str(early.exception)


def test_a_span_is_told():
    assert [str(one) for one in (Span(None, None), Span(date(2025, 1, 1), None), Span(None, date(2025, 1, 1)))] == [
        "all time", "since 2025-01-01", "until 2025-01-01",
    ]  # fmt: skip
    assert conditions.written(Decimal("1.50")) == "1.50"


def test_the_agent_and_the_command_read_one_grammar(sample, served):
    from medallion.agent.rules import Rules
    from medallion.agent.serving import serve
    from medallion.agent.tools import Tools

    question = {"by": ["industry", "closed_at:quarter"], "where": ["country in (Germany, Sweden) or product_category = Platform"],
                "period": "ytd", "having": ["value > 0"], "order": ["-value"]}  # fmt: skip
    with serve(sample) as serving:
        tools = Tools(serving, Rules())
        found = tools.metric_value("revenue", **question)
        listed = tools.records("deals", ["open and days_silent > 3"], order=["-value"])
        assert (found.fields[1].name, found.fields[2].kind) == ("closed_at_quarter", "money")
        assert listed.written(listed.rows[0], "deal_value") == "$98,000"
        assert listed.count == 2
        for wrong in (
            {"period": "last fortnight"},
            {"where": ["country = Germny"]},
            {"where": ["country ="], "by": ["x"]},
        ):
            with pytest.raises(ContractError):
                tools.metric_value("revenue", **wrong)
    same = told(served, "revenue", **question)
    assert [tuple(row.values()) for row in found.rows] == [tuple(row.values()) for row in same.rows]
    assert len(same.rows) > 2


DOCUMENTED = re.findall(
    r"^medallion ((?:metrics value|records) .*)$", (ROOT / "docs" / "METRICS.md").read_text(), re.MULTILINE
)
#: These show the form; the sample has no such values.
SHAPES = ("--compare year-ago --where 'country in (Germany, Netherlands)'", "days_silent > 30' --order")


@pytest.mark.parametrize("part", range(6))
def test_the_examples_of_the_docs_are_answered(sample, part):
    from medallion.cli.app import app

    examples = [line for line in DOCUMENTED if not any(shape in line for shape in SHAPES)]
    assert len(examples) >= 50
    for line in examples[part::6]:
        found = CliRunner().invoke(app, [*shlex.split(line), "--lakehouse", sample.root])
        assert found.exit_code == 0, (line, found.output, found.exception)
        assert found.output.strip(), line


def test_stages_are_in_the_order_of_the_funnel(served):
    stages = [row["stage"] for row in told(served, "open_leads", "stage").rows]
    assert stages[-2:] == ["closed_won", "closed_lost"]
    assert stages.index("discovery") < stages.index("closed_lost")
    assert [row["lead_quality"] for row in told(served, "total_customers", "lead_quality").rows] == [
        "Hot",
        "Warm",
        "Cool",
    ]
    assert told(served, "open_leads", "stage", order="stage", limit=1).rows[0]["stage"] == "closed_lost"
    assert [row["stage"] for row in told(served, "open_leads", "stage", limit=3).rows] == stages[:3]
