"""What a filter means: values read by their types, conditions that undo a metric, and time. No engine."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from medallion import metrics
from medallion.agent.rules import Rules
from medallion.agent.serving import Serving, serve
from medallion.agent.tools import Tools
from medallion.errors import ContractError
from medallion.lakehouse import query
from medallion.metrics import Filter
from medallion.metrics.question import Order, Question, Split

#: Accounts whose names mean something else too, and names of deals' owners, sources and industries.
TABLES = """
create schema gold; create schema silver;
create table gold.customer_features as select *, 'mid' as size_band, 'Hot' as lead_quality, 'loyal' as segment,
  'call' as preferred_channel, 'Ann Lee' as account_manager, 80 as lead_score, date '2025-06-30' as as_of
  from (values ('C001', 'Germany', 'Retail', 'Germany'), ('C002', 'Revenue', 'Logistics', 'Netherlands'),
               ('C003', 'Retail', 'Retail', 'Germany'), ('C004', 'Lumen Works', 'Logistics', 'Netherlands'),
               ('C005', 'Won Deals', 'Retail', 'France')) t(customer_id, customer_name, industry, country);
create table gold.deals as select *, 'mid' as size_band, 'Hot' as lead_quality, 'P-1' as product_id
  from (values ('L-1', 'C001', 'won', 'referral', 'closed_won', 'Retail', 'Germany', 'Tess Nair', timestamp '2024-05-01', timestamp '2024-08-01', 100.0),
               ('L-2', 'C002', 'lost', 'cold_call', 'closed_lost', 'Logistics', 'Netherlands', 'Ben Haddad', timestamp '2024-09-01', timestamp '2025-06-30', 50.0),
               ('L-3', 'C003', 'open', 'other', 'new', 'Retail', 'Germany', 'Ben Haddad', timestamp '2025-05-01', null, 70.0),
               ('L-4', 'C004', 'open', 'referral', 'negotiation', 'Logistics', 'France', 'Tess Nair', timestamp '2025-06-01', null, 20.0))
  t(lead_id, customer_id, status, source, stage, industry, country, owner, created_at, closed_at, deal_value);
create table gold.channel_performance as select 'call' as channel, 10 as interactions;
create table gold.sales_summary as select unnest([date '2024-05-01', date '2025-06-30']) as day;
create table gold.stage_history as select 'new' as stage;
create table silver.interactions_clean as select 'call' as channel, 'positive' as outcome, 'inbound' as direction,
  timestamp '2024-05-01' as occurred_at
"""
LAST = date(2025, 6, 30)


class Quick(Serving):
    """Without the timer of each query, of which there are thousands here."""

    def rows(self, sql, bindings=()):
        return query.rows(self.connection, sql, bindings)


@pytest.fixture(scope="module")
def connection():
    made = duckdb.connect()
    made.execute(TABLES)
    return made


def test_a_superlative_names_no_winner_without_a_value():
    connection = duckdb.connect()
    connection.execute(TABLES)
    best = metrics.ask(connection, "win_rate", ["owner"], [Filter.parse("country=France")], largest=1, valued=True)
    assert best.rows == []
    assert (metrics.groups(connection, best), metrics.groups(connection, best, unknown=True)) == (1, 1)
    serving = Quick(None, connection, dict.fromkeys(["gold.deals"], 1), LAST)
    found = Tools(serving, Rules()).metric_value("win_rate", ["country"], top=9)
    assert [row["country"] for row in found.rows] == ["Germany", "Netherlands"]
    assert "1 without a value left out" in found.note
    worst = metrics.ask(connection, "win_rate", ["industry", "country"], smallest=5, valued=True)
    assert [row["value"] for row in worst.rows] == [0.0, 1.0]


def test_a_superlative_names_nobody_where_the_name_is_not_known():
    connection = duckdb.connect()
    connection.execute(TABLES)
    connection.execute("update gold.deals set owner = null where lead_id <> 'L-4'")
    serving = Quick(None, connection, dict.fromkeys(["gold.deals"], 1), LAST)
    found = Tools(serving, Rules()).metric_value("total_deal_value", ["owner"], top=1)
    assert [row["owner"] for row in found.rows] == ["Tess Nair"]
    assert "Not ranked: what is of no known owner." in found.note


def test_an_account_without_a_name_is_ranked_by_its_key(sample):
    by, order = (Split("customer_id"), Split("customer_name")), (Order("revenue", True),)
    with serve(sample) as serving:
        tools, ranking = Tools(serving, Rules()), Question(("revenue",), by, order=order, limit=1)
        (first,) = tools.asked(ranking).rows
        for name in ("deals", "customer_features"):
            serving.connection.execute(
                f"create table renamed_{name} as select * replace (nullif(customer_name, '{first['customer_name']}') as customer_name) "
                f"from gold.{name}; create or replace view gold.{name} as from renamed_{name}"
            )
        (again,) = tools.asked(ranking).rows
    assert again == {**first, "customer_name": None}


# filters


def read(text, *, values=("Retail", "Media", "Health, Care"), **dimension):
    one = metrics.Dimension(**{"name": "x", "expr": "x", "display_name": "X", "comment": "", **dimension})
    return [str(done) for done in metrics.understood([Filter.parse(part) for part in text.split(" & ")], [one], lambda _: values, of="m")]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "kind", "done"),
    [
        ("x=Retail,Media", "text", "x=Retail,Media"),
        ("x = retail", "text", "x=Retail"),
        ("x!=RETAIL", "text", "x!=Retail"),
        ("x=Health, Care", "text", "x=Health, Care"),
        ("x=", "text", "x="),
        ("x=", "day", "x="),
        ("x>=2025-02-28", "day", "x>=2025-02-28"),
        ("x<2025-12", "month", "x<2025-12"),
        ("x>=07", "number", "x>=7"),
        ("x=Yes", "boolean", "x=true"),
        ("x='Retail'", "text", "x=Retail"),
        ('x != "retail"', "text", "x!=Retail"),
        ("x='Retail', \"Media\",Health", "text", "x=Retail,Media,Health"),
        ("x='Health, Care',Media", "text", "x=Health, Care,Media"),
        ("x='Bob''s'", "text", "x=Bob's"),
        ("x=Bob's", "text", "x=Bob's"),
        ("x='s Heeren", "text", "x='s Heeren"),
        ("x='Quoted'", "text", "x='Quoted'"),
        ("x=''", "text", "x="),
        ("x>='2025-02-28'", "day", "x>=2025-02-28"),
        ('x="2025-02"', "month", "x=2025-02"),
        ("x='7'", "number", "x=7"),
        ("x>=2025-06-01 & x<=2025-06-01", "day", "x>=2025-06-01 x<=2025-06-01"),
    ],
)
def test_a_value_that_is_understood(text, kind, done):
    values = ("Retail", "Media", "Health", "Health, Care", "Bob's", "'s Heeren", "'Quoted'")
    assert " ".join(read(text, type=kind, values=values)) == done


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("x=Retial", "text", "Nearest: Retail"),
        ("x=Mining", "text", "It has Health, Care, Media, Retail"),
        ("x>=Retail", "text", "cannot be compared with >="),
        ("x>=06/01/2025", "day", "Perhaps 2025-06-01 or 2025-01-06?"),
        ("x>=2025-06", "day", "Write a day such as 2025-06-30"),
        ("x=2025-02-30", "day", "is not a day"),
        ("x=2025-13", "month", "is not a month"),
        ("x=June 2025", "month", "Perhaps 2025-06?"),
        ("x>=", "day", "x needs a day such as 2025-06-30"),
        ("x=seven", "number", "is not a number"),
        ("x=nan", "number", "is not a number"),
        ("x=maybe", "boolean", "true or false"),
        ("y=1", "number", "Dimensions: x"),
        ("x>=2025-06-02 & x<=2025-06-01", "day", "leave nothing"),
        ("x>2025-06-01 & x<=2025-06-01", "day", "leave nothing"),
        ("x>=10 & x<=9", "number", "leave nothing"),
        ("x=7 & x>9", "number", "leave nothing"),
        ("x=Retail,", "text", "empty value beside others"),
        ("x='Retial'", "text", "x has no value 'Retial' Nearest: Retail"),
        ("x='Retail", "text", "Nearest: Retail"),
        ("x='Retail\"", "text", "Nearest: Retail"),
        ("x='Retail' or x='Media'", "text", "has no value"),
        ("x>=''", "day", "x needs a day"),
        ("x='2025-02-30'", "day", "'2025-02-30' is not a day"),
        ("x=Retail & x=Media", "text", "Write x=Retail,Media"),
        ("x=Retail & x!=Retail,Media", "text", "leave nothing"),
        ("x= & x>=2025-06-01", "day", "leave nothing"),
    ],
)
def test_a_value_that_is_refused(text, kind, says):
    with pytest.raises(ContractError) as error:
        read(text, type=kind)
    assert says in f"{error.value.problem} {error.value.remedy}"


def test_the_month_and_the_day_of_an_event_are_held_together():
    days = metrics.named("revenue").view.dimensions
    for text in ("closed_month=2025-01 & closed_date>=2025-03-01", "closed_month>2025-02 & closed_date<=2025-02-28"):
        with pytest.raises(ContractError, match="leave nothing"):
            metrics.understood([Filter.parse(one) for one in text.split(" & ")], days, lambda _: (), of="m")
    for text in ("closed_month=2025-01 & closed_date>=2025-01-31", "closed_month=2025-01 & created_month=2024-12"):
        assert metrics.understood([Filter.parse(one) for one in text.split(" & ")], days, lambda _: (), of="m")


def test_days_to_come_may_be_asked_for_where_there_are_such():
    last = date(2025, 6, 30)
    metrics.within(
        [Filter("expected_close_date", ("2025-07-01",), ">=")], metrics.named("revenue").view.dimensions, last
    )
    with pytest.raises(ContractError, match="the data ends on"):
        metrics.within([Filter("created_date", ("2025-07-01",), ">=")], metrics.named("revenue").view.dimensions, last)


@pytest.mark.parametrize(
    ("name", "text", "refused"),
    [
        ("revenue", "status=open", True),
        ("revenue", "status!=won", True),
        ("revenue", "status=won,lost", False),
        ("revenue", "status=lost,open", True),
        ("revenue", "status!=open", False),
        ("average_won_value", "status=won", False),
        ("won_leads", "status!=won", True),
        *((rate, f"status{text}", refused) for rate in ("win_rate", "win_rate_by_value") for text, refused in
          (("=open", True), ("=lost", True), ("=won", True), ("!=lost", True), ("=won,lost", False), ("!=open", False))),
        *((rate, f"status{text}", refused) for rate in ("conversion_rate", "conversion_rate_by_value") for text, refused in
          (("=won", True), ("=won,lost", True), ("!=open", True), ("=lost,open,won", False))),
        ("sales_velocity", "status=won", True),
        ("sales_velocity", "status=open,won", True),
        ("sales_velocity", "status=open,won,lost", False),
        ("hot_lead_share", "lead_quality=Hot", True),
        ("touch_positive_rate", "outcome=positive", True),
        ("touch_positive_rate", "channel=call", False),
        ("hot_customers", "lead_quality=Hot", False),
        ("open_pipeline", "status=won", True),
        ("hot_pipeline", "lead_quality=Cold", True),
        ("hot_pipeline", "lead_quality=Hot", False),
        ("total_leads", "status=open", False),
        ("total_leads", "status=won,lost", False),
        ("total_deal_value", "status=won", False),
        ("revenue", "lead_quality=Cold", False),
        ("revenue", "closed_month=2025-07", True),
        ("revenue", "closed_month=2025-06", False),
        ("revenue", "closed_date>2025-06-30", True),
        ("revenue", "closed_date>=2025-06-30", False),
        ("revenue", "closed_date<=2031-01-01", False),
        ("revenue", "closed_month<=1999-01", True),
        ("revenue", "closed_month=2024-07,2024-06", True),
        ("revenue", "closed_month=2024-07,2024-08", False),
        ("revenue", "closed_date<2024-08-01", True),
        ("revenue", "closed_date<=2024-08-01", False),
        ("revenue", "closed_date>=1999-01-01", False),
        ("revenue", "closed_month!=1999-01", False),
        ("total_leads", "closed_month=", False),
    ],
)  # fmt: skip
def test_a_filter_that_undoes_the_metric_is_refused(name, text, refused):
    def asked():
        days = date(2025, 6, 30), date(2024, 8, 1)
        return metrics.understand(metrics.named(name), (), [Filter.parse(text)], lambda _: (), *days)

    if refused:
        says = "leaves nothing|changes what it means|the data ends on 2025-06-30|the data begins on 2024-08-01"
        with pytest.raises(ContractError, match=says):
            asked()
    else:
        assert asked()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("revenue", "stage=negotiation", "Revenue looks at status=won itself, so stage = negotiation leaves nothing"),
        ("revenue", "stage!=closed_won", "leaves nothing"),
        ("win_rate", "stage=closed_won", "changes what it means"),
        ("sales_velocity", "stage=new", "changes what it means"),
        ("conversion_rate", "stage=closed_won,closed_lost", "changes what it means"),
        ("revenue", "closed_month<=2024-04", "the data begins on 2024-05-01"),
        ("total_leads", "created_date=2024-04-30", "the data begins on 2024-05-01"),
        ("revenue", "stage=closed_won", 100.0),
        ("win_rate", "stage=closed_won,closed_lost", 0.5),
        ("open_leads", "stage=negotiation", 1),
        ("total_leads", "stage=negotiation", 1),
        ("total_leads", "created_date=2024-05-01", 1),
        ("revenue", "closed_month<=2024-07", 0),
        ("total_leads", "closed_date=", 2),
        ("total_leads", "country='Germany'", 2),
    ],
)
def test_what_the_data_say_of_a_filter(connection, name, text, says):
    """Which stages tell which status, and when the data begins."""

    def asked():
        return metrics.ask(connection, name, None, [Filter.parse(text)]).value

    if isinstance(says, str):
        with pytest.raises(ContractError, match=says):
            asked()
    else:
        assert asked() == says


def test_two_values_that_differ_in_case_alone_are_asked_about():
    assert read("x=retail", values=("retail", "Retail")) == ["x=retail"]
    with pytest.raises(ContractError, match="may be 'retail' or 'Retail'"):
        read("x=RETAIL", values=("retail", "Retail"))


def test_declared_values_need_not_be_in_the_data():
    assert [str(one) for one in metrics.understood([Filter("status", ("Won",))], metrics.named("revenue").view.dimensions, lambda _: (), of="m")] == ["status=won"]  # fmt: skip
    with pytest.raises(ContractError, match="hour has no value '24'"):
        metrics.understood([Filter("hour", ("24",))], metrics.named("touches").view.dimensions, lambda _: (), of="m")


def test_each_metric_says_how_it_goes_with_time():
    """What has dates in its view is of a period, or a stock; no stock is of a period."""
    for name, metric in metrics.metrics().items():
        stock = metric.measure.additivity == "stock"
        assert not (stock and metric.measure.period), name
        if any(one.is_time for one in metric.view.dimensions):
            assert (stock or bool(metric.measure.parts)) == (metric.measure.period is None), name
        if metric.measure.period:
            assert metric.dimension(metric.measure.period).type == "day"
        for one in metric.view.dimensions:
            assert one.is_time == (
                "date" in one.expr.lower() and "DATEDIFF" not in one.expr and "HOUR" not in one.expr
            ), one


@pytest.mark.parametrize("name", [n for n, m in metrics.metrics().items() if m.measure.additivity == "stock" and m.view.dimension("closed_date")])  # fmt: skip
def test_a_stock_is_not_asked_for_by_time(connection, name):
    ask = connection
    for by, where in ((["closed_month"], []), ([], ["created_date>=2025-01-01"]), ([], ["closed_month="])):
        with pytest.raises(ContractError, match="is a stock"):
            metrics.ask(ask, name, by, [Filter.parse(text) for text in where])
