"""What the planner understands of a question: which words it may drop, and which change what is asked. No engine."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from medallion import metrics
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


@pytest.fixture(scope="module")
def vocabulary():
    connection = duckdb.connect()
    connection.execute(TABLES)
    return Vocabulary(Serving(None, connection, {}, LAST))


def understood(vocabulary, question):
    found = vocabulary.understand(question)
    return found if isinstance(found, Call) else None


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


def mutations():
    """Questions with a word put in at the beginning, in the middle and at the end, one place for each pair in turn."""
    for turn, question in enumerate([*ANSWERED, *OTHER]):
        words = question.rstrip("?").split()
        for place, word in enumerate(MEANINGFUL):
            at = (0, len(words), len(words) // 2, 1, len(words) - 1)[(turn + place) % 5]
            yield question, " ".join([*words[:at], word, *words[at:]])


def test_a_word_that_matters_changes_the_question_or_declines_it(vocabulary):
    before = {question: vocabulary.understand(question) for question in (*ANSWERED, *OTHER)}
    assert {question: before[question] for question in OTHER} == OTHER
    same = [changed for question, changed in mutations() if vocabulary.understand(changed) == before[question]]
    assert same == []
