"""What the planner understands of a question: which words it may drop, and which change what is asked. No engine."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from medallion import metrics, query
from medallion.agent.serving import Serving
from medallion.agent.words import Call, Declined, Vocabulary
from medallion.errors import ContractError
from medallion.metrics import Filter

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
def vocabulary():
    connection = duckdb.connect()
    connection.execute(TABLES)
    return Vocabulary(Quick(None, connection, {}, LAST))


ANSWERED = {
    "What is the win rate?": {"metric": "win_rate"},
    "How many open deals do we have?": {"metric": "open_leads"},
    "How many deals did we win?": {"metric": "won_leads"},
    "What was our revenue in June 2025?": {
        "metric": "revenue", "where": ["closed_date>=2025-06-01", "closed_date<=2025-06-30"]
    },
    "How much revenue came from referral?": {"metric": "revenue", "where": ["source=referral"]},
    "Which owner has the highest revenue?": {"metric": "revenue", "by": ["owner"], "top": 1},
    "who has the lowest win rate": {"metric": "win_rate", "by": ["owner"], "bottom": 1},
    "bottom 3 sources by win rate": {"metric": "win_rate", "by": ["source"], "bottom": 3},
    "open deals in Germany or the Netherlands": {"metric": "open_leads", "where": ["country=Netherlands,Germany"]},
    "revenue by industry and country": {"metric": "revenue", "by": ["industry", "country"]},
    "How many interactions in the last 3 months?": {
        "metric": "touches", "where": ["date>=2025-04-01", "date<=2025-06-30"]
    },
    "What is the open pipeline of Ben Haddad?": {"metric": "open_pipeline", "where": ["owner=Ben Haddad"]},
    "total booked revenue so far": {"metric": "revenue"},
    "How long is the sales cycle?": {"metric": "average_cycle_days"},
    "revenue yesterday": {"metric": "revenue", "where": ["closed_date>=2025-06-29", "closed_date<=2025-06-29"]},
    "revenue last week": {"metric": "revenue", "where": ["closed_date>=2025-06-23", "closed_date<=2025-06-29"]},
}  # fmt: skip


@pytest.mark.parametrize("question", ANSWERED)
def test_what_is_understood(vocabulary, question):
    call = vocabulary.understand(question)
    assert isinstance(call, Call), call
    assert (call.tool, call.arguments) == ("metric_value", ANSWERED[question])


OTHER = {
    "Who should I call?": Call("call_plan"),
    "Which channel works best?": Call("compare_channels"),
    "What is the lead score of C004?": Call("account_brief", {"customer": "C004"}, "lead_score"),
    "When was Lumen Works last contacted?": Call("account_brief", {"customer": "C004"}, "last_interaction_at"),
    "Why is L-4 scored so high?": Call("explain_score", {"key": "L-4"}),
}
#: Words that change what is asked wherever they stand: a rank, a time, a direction, a comparison, a negation, a quantity.
MEANINGFUL = (
    "lowest", "highest", "least", "most", "best", "worst", "fewest", "top",
    "yesterday", "last month", "next month", "this quarter", "recently", "ago",
    "not", "no", "never", "except", "without", "excluding", "other than", "nobody",
    "versus", "vs", "compared to", "than", "more", "change in", "trend of",
    "from", "to", "until", "since", "before", "after", "between", "over", "under", "outside", "via",
    "per deal", "per month", "each", "average", "median", "share of", "half", "double", "amount of", "first", "only",
    "my", "their", "those", "will", "should", "if", "why", "when", "or", "at most",
)  # fmt: skip


#: Where a word says what the question says already.
SAME = {("Who should I call?", word) for word in ("to", "first", "my", "should")} | {
    ("Why is L-4 scored so high?", "why"),
    ("total booked revenue so far", "amount of"),
}


def mutations(every):
    """Questions with a word put in at the beginning, in the middle and at the end, one place for each pair in turn."""
    pairs = [(question, word) for question in (*ANSWERED, *OTHER) for word in MEANINGFUL]
    for turn, (question, word) in enumerate(pairs):
        words = question.rstrip("?").split()
        at = (0, len(words), len(words) // 2, 1, len(words) - 1)[turn % 5]
        if turn % every == 0 and (question, word) not in SAME:
            yield question, " ".join([*words[:at], word, *words[at:]])


@pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_a_word_that_matters_changes_the_question_or_declines_it(vocabulary, monkeypatch, every):
    monkeypatch.setattr(Vocabulary, "closest", lambda self, text: ("another question",))
    before = {question: vocabulary.understand(question) for question in (*ANSWERED, *OTHER)}
    assert {question: before[question] for question in OTHER} == OTHER
    same = [changed for question, changed in mutations(every) if vocabulary.understand(changed) == before[question]]
    assert same == []


DECLINED = {
    "highest revenue": "does not say what by",
    "best owner by revenue": "whether a high or a low revenue is best",
    "top owners by revenue": "say how many",
    "largest open deals by owner": "a number, not a size",
    "open pipeline last month": "last day of the data alone",
    "What was the open pipeline?": "last day of the data alone",
    "open pipeline by month closed": "'by', 'month', 'closed'",
    "revenue of open value": "'revenue'",
    "win rate of open deals by owner": "no share",
    "Tell me about Germany": "also the name of an account (C001)",
    "How many calls in Germany?": "also the name of an account (C001)",
    "revenue in negotiation": "looks at status itself",
    "lost deals with status won": "looks at status itself",
    "list the open deals": "count open deals, not list them",
    "which deals did we win": "count deals won, not list them",
    "number of revenue": "no number of things",
    "value of lost deals": "no amount of money",
    "total win rate": "does not add up",
    "revenue in Germany or referral": "'or'",
    "revenue by referral": "'by'",
    "revenue from June 2025": "'from'",
    "revenue in 2019": "begin on 2024-08-01",
    "revenue in August 2025": "end on 2025-06-30",
    "my revenue": "'my'",
    "who won the most deals in June 2025": "dated by their opening",
    "revenue today versus yesterday": "'versus', 'yesterday'",
    "who did we call": "no metric",
    "sales forecast last month": "",
    "attributed revenue last month": "no dates",
}


@pytest.mark.parametrize(("question", "says"), DECLINED.items())
def test_what_is_not_understood_is_declined_with_an_offer(vocabulary, question, says):
    declined = vocabulary.understand(question)
    assert isinstance(declined, Declined), declined
    assert says in declined.reason
    assert declined.closest


def test_a_state_is_that_of_the_last_day_and_says_so(vocabulary):
    for word in ("today", "currently", "right now"):
        call = vocabulary.understand(f"open pipeline {word}")
        assert call == Call(
            "metric_value", {"metric": "open_pipeline"}, note="As of 2025-06-30, the last day of the data."
        )


@pytest.mark.parametrize(
    ("question", "arguments", "key"),
    [
        ("win rate in Germany", {"metric": "win_rate", "where": ["country=Germany"]}, "C001"),
        ("What is the revenue?", {"metric": "revenue"}, "C002"),
        ("win rate of Retail", {"metric": "win_rate", "where": ["industry=Retail"]}, "C003"),
        ("How many won deals?", {"metric": "won_leads"}, "C005"),
    ],
)
def test_the_name_of_an_account_shadows_nothing(vocabulary, question, arguments, key):
    call = vocabulary.understand(question)
    assert call.arguments == arguments
    assert key in call.note
    assert vocabulary.understand(f"Tell me about {key}") == Call("account_brief", {"customer": key})


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
        ("x>=2025-06-01 & x<=2025-06-01", "day", "x>=2025-06-01 x<=2025-06-01"),
    ],
)
def test_a_value_that_is_understood(text, kind, done):
    assert " ".join(read(text, type=kind)) == done


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


@pytest.mark.parametrize(
    ("name", "text", "refused"),
    [
        ("revenue", "status=open", True),
        ("revenue", "status!=won", True),
        ("revenue", "status=won,lost", False),
        ("win_rate", "status=open", True),
        ("win_rate", "status=lost", False),
        ("open_pipeline", "status=won", True),
        ("hot_pipeline", "lead_quality=Cold", True),
        ("hot_pipeline", "lead_quality=Hot", False),
        ("total_leads", "status=open", False),
        ("revenue", "lead_quality=Cold", False),
        ("revenue", "closed_month=2025-07", True),
        ("revenue", "closed_month=2025-06", False),
        ("revenue", "closed_date>2025-06-30", True),
        ("revenue", "closed_date>=2025-06-30", False),
        ("revenue", "closed_date<=2031-01-01", False),
    ],
)
def test_a_filter_that_can_only_give_zero_is_refused(name, text, refused):
    def asked():
        return metrics.understand(metrics.named(name), (), [Filter.parse(text)], lambda _: (), date(2025, 6, 30))

    if refused:
        with pytest.raises(ContractError, match="leaves nothing|the data ends on 2025-06-30"):
            asked()
    else:
        assert asked()


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
            assert stock == (metric.measure.period is None), name
        if metric.measure.period:
            assert metric.dimension(metric.measure.period).type == "day"
        for one in metric.view.dimensions:
            assert one.is_time == ("DATE" in one.expr and "DATEDIFF" not in one.expr), one


@pytest.mark.parametrize("name", [n for n, m in metrics.metrics().items() if m.measure.additivity == "stock" and m.view.dimension("closed_date")])  # fmt: skip
def test_a_stock_is_not_asked_for_by_time(vocabulary, name):
    ask = vocabulary.serving.connection
    for by, where in ((["closed_month"], []), ([], ["created_date>=2025-01-01"]), ([], ["closed_month="])):
        with pytest.raises(ContractError, match="is a stock"):
            metrics.ask(ask, name, by, [Filter.parse(text) for text in where])
