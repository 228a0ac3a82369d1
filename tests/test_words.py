"""What the planner understands of a question: which words it may drop, and which change what is asked. No engine."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from medallion import metrics
from medallion.agent.rules import Rules
from medallion.agent.serving import Serving
from medallion.agent.tools import Tools
from medallion.agent.words import Call, Declined, Vocabulary
from medallion.errors import ContractError
from medallion.lakehouse import query
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
def vocabulary():
    connection = duckdb.connect()
    connection.execute(TABLES)
    return Vocabulary(Quick(None, connection, {}, LAST))


ANSWERED = {
    "What is the win rate?": {"metric": "win_rate"},
    "How many open deals do we have?": {"metric": "open_leads"},
    "How many deals did we win?": {"metric": "won_leads"},
    "How much revenue came from referral or cold call?": {"metric": "revenue", "where": ["source=cold_call,referral"]},
    "Which 3 owners have the highest revenue?": {"metric": "revenue", "by": ["owner"], "top": 3},
    "Which two industries have the lowest win rate?": {"metric": "win_rate", "by": ["industry"], "bottom": 2},
    "How many new deals in June 2025?": {
        "metric": "total_leads", "where": ["created_date>=2025-06-01", "created_date<=2025-06-30"]
    },
    "new deals by month opened": {"metric": "total_leads", "by": ["created_month"]},
    "How many deals are open?": {"metric": "open_leads"},
    "How many deals do we have open?": {"metric": "total_leads", "where": ["status=open"]},
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
    "Who should I call today?": Call("call_plan", {"day": LAST}),
    "Whom does Tess Nair need to call tomorrow": Call("call_plan", {"owner": "Tess Nair", "day": date(2025, 7, 1)}),
    "Who are the top 5 customers to call?": Call("call_plan", {"capacity": 5}),
    "Show me the call list for Tess": Call("call_plan", {"owner": "Tess Nair"}),
    "Give me today's call list please": Call("call_plan", {"day": LAST}),
    "Which channel works best?": Call("compare_channels"),
    "What industry is C004 in?": Call("account_brief", {"customer": "C004"}, "industry"),
    "What is the lead score of C004?": Call("account_brief", {"customer": "C004"}, "lead_score"),
    "How many calls did C004 have?": Call("account_brief", {"customer": "C004"}, "calls"),
    "When was Lumen Works last contacted?": Call("account_brief", {"customer": "C004"}, "last_interaction_at"),
    "Why is L-4 scored so high?": Call("explain_score", {"key": "L-4"}),
    "What is the chance of winning L-4?": Call("explain_score", {"key": "L-4"}),
    "Why is Lumen Works hot?": Call("explain_score", {"key": "C004"}),
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
SAME = (
    {("Who should I call?", word) for word in ("to", "my", "should")}
    | {
        ("Why is L-4 scored so high?", "why"),
        ("When was Lumen Works last contacted?", "when"),
        ("When was Lumen Works last contacted?", "ago"),
        ("What is the chance of winning L-4?", "why"),
        ("Why is Lumen Works hot?", "why"),
        ("open deals in Germany or the Netherlands", "from"),
    }
    | {(question, "amount of") for question, asked in ANSWERED.items() if asked["metric"] == "revenue"}
)


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
    "best owner by revenue": "'best' is ambiguous for revenue: say highest or lowest",
    "top owners by revenue": "say how many",
    "largest open deals by owner": "a number, not a size",
    "open pipeline last month": "only as of the last day of the data",
    "What was the open pipeline?": "only as of the last day of the data",
    "How many deals were open?": "only as of the last day",
    "How many deals have been open?": "only as of the last day",
    "How many deals did we open?": "that were opened",
    "How many leads do we open": "that were opened",
    "How many deals did Ben Haddad open": "that were opened",
    "How many deals have we open in Germany?": "that were opened",
    "How many deals with status open did Ben Haddad have?": "only as of the last day",
    "How many deals were in negotiation?": "only as of the last day",
    "deals in stage negotiation in June 2025": "only as of the last day",
    "What was the open pipeline of C004?": "of C004 is known only as of the last day",
    "What was the lead score of C004?": "of C004 is known only as of the last day",
    "What has the lead score of C004 been?": "of C004 is known only as of the last day",
    "How many open deals did C004 have?": "of C004 is known only as of the last day",
    "Who can call me?": "",
    "Who should the top 5 customers call?": "",
    "Who should call Tess Nair?": "",
    "Who should I call next week?": "'next', 'week'",
    "Who should I call first?": "'first'",
    "Who should I call up?": "'up'",
    "Who should I call for top 5 deals?": "'top', '5', 'deals'",
    "How many new deals?": "needs a time in which they were opened",
    "new leads by owner": "needs a time in which they were opened",
    "How many new open deals": "'new'",
    "Why is L-4 scored so low?": "Hot, not low",
    "Why is C004 cold?": "C004 is Hot, not cold",
    "why was L-1 won": "'was', 'won'",
    "Why is L-4 likely": "'likely'",
    "probability of L-1": "L-1 is won: only an open deal has a probability",
    "how overdue are deals": "a count",
    "how open are deals in Germany": "a count",
    "revenue by the 3 owners": "",
    "Which 3 sources have the top 5 revenue": "3 and 5",
    "Which 3 owners have revenue?": "say highest or lowest",
    "Show the blorp of our frobs": "'blorp', 'frobs'",
    "open pipeline by month closed": "'by', 'month', 'closed'",
    "revenue of open value": "names two metrics, 'open pipeline' and 'revenue'",
    "win rate of open deals by owner": "not a share",
    "Tell me about Germany": "also the name of an account (C001)",
    "How many calls in Germany?": "also the name of an account (C001)",
    "revenue in negotiation": "Revenue counts won deals only, so it cannot be filtered by negotiation",
    "lost deals with status won": "counts lost deals only, so it cannot be filtered by won",
    "list the open deals": "count open deals, not list them",
    "which deals did we win": "count deals won, not list them",
    "number of revenue": "Revenue is an amount, not a count",
    "value of lost deals": "not an amount of money",
    "total win rate": "does not add up",
    "revenue in Germany or referral": "'or'",
    "revenue by referral": "'by'",
    "revenue from June 2025": "'from'",
    "revenue in 2019": "begin on 2024-08-01",
    "revenue in August 2025": "end on 2025-06-30",
    "my revenue": "'my'",
    "who won the most deals in June 2025": "won deals by closing date",
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


#: Words that a question does without, in some places.
DROPPED = """a an the of in on at for our ours us we is are be been being do does done have has having there please
    thanks thank all any and what's s company company's companys business make makes made bring brings brought come
    comes came get gets got gotten""".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def countries():
    """The vocabulary of a world with these countries."""

    def known(*names):
        connection = duckdb.connect()
        connection.execute(TABLES)
        for name in names:
            connection.execute("insert into gold.deals by name (select * replace (? as country) from gold.deals limit 1)", [name])  # fmt: skip
        return Vocabulary(Quick(None, connection, {}, LAST))

    return known


@pytest.mark.parametrize(
    "form", ["{} in {}", "{} for the {}", "{} of the {}", "{} from {}", "{} in the {}", "{} at {}"]
)
def test_a_word_that_is_dropped_elsewhere_is_a_name_after_a_preposition(vocabulary, countries, form):
    """In such a place it is the name of something, or the question is declined; never is it left out."""
    for word in DROPPED:
        for name in (word, word.upper()):
            told = vocabulary.understand(form.format("win rate", name))
            assert isinstance(told, Declined), (name, told)
    names = [word.upper() for word in DROPPED if word not in ("the", "thanks", "please")]
    world = countries(*names)
    told = [world.understand(form.format("revenue", name)) for name in names]
    filters = [one.arguments.get("where") if isinstance(one, Call) else [f"country={name}"] for one, name in zip(told, names, strict=True)]  # fmt: skip
    assert filters == [[f"country={name}"] for name in names]


@pytest.mark.parametrize("word", ["AT", "BE", "DO", "IN", "IS", "AN", "US", "Business"])
def test_a_word_that_is_dropped_elsewhere_is_a_name_where_it_is_written_as_one(countries, word):
    for question in (f"revenue in {word}", f"{word} revenue", f"What is the {word} revenue?", f"revenue {word}"):
        told = countries(word).understand(question)
        assert isinstance(told, Call), (question, told)
        assert told.arguments == {"metric": "revenue", "where": [f"country={word}"]}


UNITED = ["country=United States"]
#: What is asked, and the filter; None where it is declined.
COUNTRIES = {
    "What is the revenue in the US?": UNITED,
    "How many deals won in US?": UNITED,
    "win rate for US": UNITED,
    "win rate for the us": UNITED,
    "revenue in us": UNITED,
    "US revenue": UNITED,
    "Show US revenue": UNITED,
    "revenue for US deals won": None,
    "revenue in USA": UNITED,
    "revenue in the U.S.": UNITED,
    "revenue in the U.S.A.": UNITED,
    "revenue in America": UNITED,
    "revenue in the UK": ["country=United Kingdom"],
    "revenue in the U.K. or the US": ["country=United States,United Kingdom"],
    "revenue in England": ["country=United Kingdom"],
    "revenue in Holland": ["country=Netherlands"],
    "What is the open pipeline of Deutschland?": ["country=Germany"],
    "TELL US THE REVENUE": [],
    "Tell us the revenue": [],
    "give us our win rate please": [],
    "Which owner brings us the most revenue?": [],
    "revenue for us": [],
    "revenue for us in June 2025": ["closed_date>=2025-06-01", "closed_date<=2025-06-30"],
    "revenue for our company": [],
    "What is the company's revenue?": [],
    "REVENUE FOR US": None,
    "revenue for us deals": None,
    "revenue of us": None,
    "revenue us": None,
    "us revenue": None,
    "revenue with us": None,
    "revenue in UAE": None,
    "revenue in the CA": None,
    "revenue for the company": None,
    "business revenue": None,
    "revenue in": None,
    "revenue for all": None,
    "Who should I call in the US?": None,
    "call list for US": None,
    "Give US call list": None,
    "Show the pipeline forecast in the US": None,
    "Which channel works best for US?": None,
    "Tell me about C004 in the US": None,
}  # fmt: skip


@pytest.mark.parametrize("question", COUNTRIES)
def test_countries_by_their_other_names(countries, question):
    told = countries("United States", "United Kingdom").understand(question)
    if COUNTRIES[question] is None:
        assert isinstance(told, Declined), told
    else:
        assert isinstance(told, Call), told
        assert told.arguments.get("where", []) == COUNTRIES[question]


def test_another_name_of_a_country_that_is_not_there_is_declined(vocabulary):
    for name in ("US", "the us", "USA", "U.S.", "UK", "Great Britain"):
        told = vocabulary.understand(f"revenue in {name}")
        assert isinstance(told, Declined), told
    assert "'us'" in vocabulary.understand("revenue in the US").reason


def test_who_asks_and_a_country_of_that_name(countries):
    told = countries("United States").understand("win rate for us")
    assert told == Call("metric_value", {"metric": "win_rate"}, note="'us' was taken for who asks; for United States, write its name.")  # fmt: skip
    assert countries("France").understand("win rate for us") == Call("metric_value", {"metric": "win_rate"})
    assert countries("United States").understand("tell us the win rate").note == ""


SIGNS = ["!=", "<>", "≠", "<", ">", "<=", ">=", "=", "==", "~", "-", "--", "–", "—", "−", "+", "*", "/", "%", "^", "|", "¬", "!~", "->", "×", "∉"]  # fmt: skip


@pytest.mark.parametrize("sign", SIGNS)
def test_a_sign_is_not_left_out(vocabulary, sign):
    """What compares or reckons changes what is asked: the question with it is never answered as without."""
    forms = ["revenue {} Retail", "revenue {}Retail", "revenue industry{}Retail", "revenue {} 100", "{} revenue in Retail",
             "win rate in Retail {} Logistics", "Who should I call {} Tess Nair?", "{}Retail revenue"]  # fmt: skip
    for form in forms:
        told = vocabulary.understand(form.format(sign))
        assert isinstance(told, Declined), (form, told)
        assert told.closest
        assert f"I do not understand '{sign[:1]}" in told.reason or f"retail{sign}" in told.reason.casefold() or "industry" in told.reason  # fmt: skip


@pytest.mark.parametrize(
    ("industry", "question"),
    [
        ("Retail - Online", "revenue in Retail - Online"),
        ("Food + Drink", "revenue of food + drink"),
        ("R+D", "revenue in R+D"),
        ("C++", "revenue in C++"),
        ("<50", "revenue for <50"),
        ("100% Juice", "revenue in 100% Juice"),
        ("Oil/Gas", "revenue in Oil/Gas"),
        ("E-Commerce", "revenue in e-commerce"),
        ("Wow!Effects", "revenue in Wow!Effects"),
    ],
)
def test_a_sign_in_a_value_is_part_of_it(industry, question):
    connection = duckdb.connect()
    connection.execute(TABLES)
    connection.execute("update gold.deals set industry = ? where lead_id = 'L-4'", [industry])
    connection.execute("update gold.customer_features set customer_name = 'Lumen + Works' where customer_id = 'C004'")
    vocabulary = Vocabulary(Quick(None, connection, {}, LAST))
    told = vocabulary.understand(question)
    assert isinstance(told, Call), told
    assert told.arguments == {"metric": "revenue", "where": [f"industry={industry}"]}
    assert vocabulary.understand("Tell me about Lumen + Works") == Call("account_brief", {"customer": "C004"})
    assert isinstance(vocabulary.understand(f"{question} - Retail"), Declined)


@pytest.mark.parametrize("question", ["revenue (Retail)", "revenue: Retail", "Revenue, Retail!", "“revenue” in Retail?", "revenue in Retail..."])  # fmt: skip
def test_punctuation_says_nothing(vocabulary, question):
    assert vocabulary.understand(question).arguments == {"metric": "revenue", "where": ["industry=Retail"]}


#: Verbs of doing, getting, gaining and closing, as they are in the past and at present.
DOINGS = {"done": "do", "made": "make", "got": "get", "gotten": "get", "closed": "close", "signed": "sign", "landed": "land",
          "finished": "finish", "gained": "gain", "secured": "secure", "brought": "bring", "sealed": "seal"}  # fmt: skip


@pytest.mark.parametrize(("past", "present"), DOINGS.items())
def test_what_is_done_is_not_each_deal(vocabulary, past, present):
    """Deals that were done, made or closed are won, or won or lost, or new: all deals are none of them."""
    forms = [f"How many {{}} are {past}?", f"{{}} {past}", f"How many {{}} did we {present}?", f"How many {{}} has Ben Haddad {past}?",
             f"How many {{}} did Tess Nair {present} in June 2025?", f"Which owner {past} the most {{}}?", f"number of {{}} we {present}"]  # fmt: skip
    for form in forms[:3] + forms[4:] if past == "got" else forms:  # has got is has
        for said in ("deals", "leads", "opportunities"):
            told = vocabulary.understand(form.format(said))
            assert isinstance(told, Declined), (form, told)
            assert told.closest[0] == "How many deals won are there?", told
        told = vocabulary.understand(form.format("customers"))
        assert isinstance(told, Declined), (form, told)
        told = vocabulary.understand(form.format("meetings"))
        assert isinstance(told, Declined), (form, told)


DONE = {
    "How much revenue did we make?": {"metric": "revenue"},
    "How much revenue did we do?": {"metric": "revenue"},
    "revenue brought in by Ben Haddad": {"metric": "revenue", "where": ["owner=Ben Haddad"]},
    "Which owner made the most revenue?": {"metric": "revenue", "by": ["owner"], "top": 1},
    "who did the most revenue": {"metric": "revenue", "by": ["owner"], "top": 1},
    "How many wins did we get?": {"metric": "won_leads"},
    "What win rate do we get from referral?": {"metric": "win_rate", "where": ["source=referral"]},
    "How many interactions did we make?": {"metric": "total_interactions"},
    "How many deals came from referral?": {"metric": "total_leads", "where": ["source=referral"]},
    "Which source brings the most deals?": {"metric": "total_leads", "by": ["source"], "top": 1},
    "How many deals have we got?": {"metric": "total_leads"},
    "How many customers have we got?": {"metric": "total_customers"},
    "How many deals does Ben Haddad have?": {"metric": "total_leads", "where": ["owner=Ben Haddad"]},
    "How many deals are there?": {"metric": "total_leads"},
    "How many meetings were booked?": {"metric": "meetings_booked"},
}


@pytest.mark.parametrize("question", DONE)
def test_what_is_done_of_what_is_done(vocabulary, question):
    told = vocabulary.understand(question)
    assert isinstance(told, Call), told
    assert told.arguments == DONE[question]


NOT_DONE = {
    "How many deals came in?": "'came' may ask for deals won",
    "How many deals did Ben Haddad bring in?": "'bring' may ask",
    "How many deals did we do?": "'do' may ask",
    "How many deals have we got in June 2025?": "'got' may ask",
    "How many customers have we made?": "'made' for customers",
    "customers we won": "'won'",
    "customers we lost": "'lost'",
    "revenue we missed": "'missed'",
    "How much revenue is coming?": "'coming'",
    "open pipeline we made": "'made' for open pipeline",
    "lost deals we made": "'made' for deals lost",
    "average deal size we made": "'made' for average deal value",
    "value of all deals we got": "'got' for total deal value",
    "meetings we had": "'meetings' may ask for meetings booked, or",
    "How many meetings do we have?": "'meetings' may ask",
}


@pytest.mark.parametrize(("question", "says"), NOT_DONE.items())
def test_what_is_done_of_what_is_not(vocabulary, question, says):
    told = vocabulary.understand(question)
    assert isinstance(told, Declined), told
    assert says in told.reason
    assert isinstance(vocabulary.understand(told.closest[0]), Call), told.closest


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


def test_an_account_named_as_a_time_shadows_none():
    connection = duckdb.connect()
    connection.execute(TABLES)
    connection.execute("update gold.customer_features set customer_name = 'Last Month' where customer_id = 'C004'")
    vocabulary = Vocabulary(Quick(None, connection, {}, LAST))
    declined = vocabulary.understand("pipeline last month")
    assert isinstance(declined, Declined)
    assert "also the name of an account (C004)" in declined.reason
    for name in ("right now", "so far", "q1", "yesterday", "this year"):
        assert vocabulary.shadowed(name)
    assert not vocabulary.shadowed("lumen works")


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
        ("revenue", "stage=negotiation", "Revenue looks at status=won itself, so stage=negotiation leaves nothing"),
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
def test_what_the_data_say_of_a_filter(vocabulary, name, text, says):
    """Which stages tell which status, and when the data begins."""

    def asked():
        return metrics.ask(vocabulary.serving.connection, name, None, [Filter.parse(text)]).value

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
def test_a_stock_is_not_asked_for_by_time(vocabulary, name):
    ask = vocabulary.serving.connection
    for by, where in ((["closed_month"], []), ([], ["created_date>=2025-01-01"]), ([], ["closed_month="])):
        with pytest.raises(ContractError, match="is a stock"):
            metrics.ask(ask, name, by, [Filter.parse(text) for text in where])
