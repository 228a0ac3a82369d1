"""How many reps, countries or accounts have something, and which of them have none of it."""

from __future__ import annotations

import duckdb
import pytest
from test_planner import LAST, TABLES, Quick, one, told

from medallion.agent.answer import planned
from medallion.agent.planner import Declined, Planner
from medallion.agent.rules import Rules
from medallion.agent.serving import serve
from medallion.agent.tools import Tools


@pytest.fixture(scope="module")
def planner():
    connection = duckdb.connect()
    connection.execute(TABLES)
    return Planner(Quick(None, connection, {}, LAST))


@pytest.fixture(scope="module")
def tools(sample):
    with serve(sample) as serving:
        yield Tools(serving, Rules())


def plan(understood):
    """The plan in words; what is counted or left out of what stands in it whole."""
    if isinstance(understood, Declined):
        return f"? {understood.reason}"
    (asked,) = understood.asked
    if getattr(asked, "tool", "") == "number_of":
        return f"number of {one(asked.arguments['asked'])}"
    if getattr(asked, "tool", "") == "without_figure":
        counted = "number of " * asked.arguments.get("count", False)
        return f"{counted}{one(asked.arguments['every'])} but {one(asked.arguments['some'])}"
    if getattr(asked, "tool", "") == "without_deals":
        counted = "number of " * asked.arguments["count"]
        return f"{counted}{one(asked.arguments['asked'])} but {' or '.join(map(one, asked.arguments['bought']))}"
    return told(understood)


COUNTED = {
    # who has a figure: something of it
    "how many reps have open deals over 250k": "number of open_leads by owner where deal_value > 250000 having value > 0",
    "how many reps have overdue deals": "number of open_leads by owner where overdue having value > 0",
    "how many reps have more than 3 open deals": "number of open_leads by owner having value > 3",
    "how many reps have fewer than 3 open deals": "number of open_leads by owner having value < 3",
    "how many reps won or lost deals in June": "number of won_leads,lost_leads by owner in 2025-06 having won_leads > 0 or lost_leads > 0",
    "how many countries do we sell to": "number of revenue by country having value > 0",
    "how many products do we have": "number of total_leads by product having value > 0",
    "how many reps have a win rate above 40%": "number of win_rate by owner having value > '40%'",
    "wie viele Vertriebler haben offene Deals über 250k": "number of open_leads by owner where deal_value > 250000 having value > 0",
    "combien de commerciaux ont des affaires ouvertes de plus de 250k": "number of open_leads by owner where deal_value > 250000 having value > 0",
    "cuántos comerciales tienen negocios abiertos de más de 250k": "number of open_leads by owner where deal_value > 250000 having value > 0",
    "how many customers bought this year": "number of won_leads by customer_id, customer_name where won in this year having value > 0",
    "how many customers did we win in June": "? accounts that are won: those that are new, or all",
    "how many new customers did we win in June": "new_customers in 2025-06",
    "how many customers bought": "total_customers where bought",
    # who has none, whatever it is limited to
    "which reps have no open deals": "open_leads by owner having value = 0",
    "how many reps have no open deals": "number of open_leads by owner having value = 0",
    "which reps have no open deals in Germany": "total_leads by owner but open_leads by owner where country = Germany having value > 0",
    "how many reps have no open deals in Germany": "number of total_leads by owner but open_leads by owner where country = Germany having value > 0",
    "which reps have no open deals over 250k": "total_leads by owner but open_leads by owner where deal_value > 250000 having value > 0",
    "reps with nothing won over 200k this year": "total_leads by owner but won_leads by owner where deal_value > 200000 in this year having value > 0",
    "which reps have not won anything in Germany this month": "total_leads by owner but won_leads by owner where country = Germany in this month having value > 0",
    "welche Vertriebler haben keine überfälligen Deals in Deutschland": "total_leads by owner but overdue_deals by owner where country = Germany having value > 0",
    "quels commerciaux n'ont aucune affaire ouverte en Allemagne": "total_leads by owner but open_leads by owner where country = Germany having value > 0",
    "qué comerciales no tienen negocios abiertos en Alemania": "total_leads by owner but open_leads by owner where country = Germany having value > 0",
    "which reps have no silent deals": "silent_deals by owner having value = 0",
    "which reps have deals that are not open": "total_leads by owner where not open",
    "deals that are not open by rep": "total_leads by owner where not open",
    "which reps had no open deals in June": "? who has no deals that are open",
    "which months had no won deals over 250k": "? who has no deals that are won",
    # accounts that bought nothing in a time, or ever
    "how many customers did not buy": "total_customers where not bought",
    "how many customers did not buy this year": "number of list accounts all but won_leads by customer_id, customer_name in this year having value > 0",
    "accounts without a won deal this year": "list accounts all but won_leads by customer_id, customer_name in this year having value > 0",
    "customers in Germany that bought nothing this year": "list accounts where country = Germany but won_leads by customer_id, customer_name in this year having value > 0",
    "accounts without a won deal over 50k this year": "list accounts all but won_leads by customer_id, customer_name where deal_value > 50000 in this year having value > 0",
    "wie viele Kunden haben dieses Jahr nichts gekauft": "number of list accounts all but won_leads by customer_id, customer_name in this year having value > 0",
    "combien de clients n'ont rien acheté cette année": "number of list accounts all but won_leads by customer_id, customer_name in this year having value > 0",
    "qué clientes no compraron nada este año": "list accounts all but won_leads by customer_id, customer_name in this year having value > 0",
    "how many customers have not bought Forecast": "number of list accounts all but won_leads by customer_id, customer_name where product = Forecast having value > 0",
    "who has not won anything in Germany this month": "? who has won nothing cannot be asked",
    "customers who bought last year but not this year": "? ",
    "accounts without any deals": "? whether an account has had any deal at all is not read",
    "how much did customers that bought this year spend": "? accounts that bought are listed or counted",
}  # fmt: skip


@pytest.mark.parametrize("question", COUNTED)
def test_who_has_something_and_who_has_none(planner, question):
    asked, expected = plan(planner.understand(question)), COUNTED[question]
    assert asked.startswith(expected) if expected.startswith("? ") else asked == expected


@pytest.mark.parametrize(
    "question",
    [
        "how many people did we call", "which people did we call last week", "how many people did we talk to last week",
        "how many people did Ben Haddad call this week", "how many people called us this week", "how many people bought Forecast",
        "how many people did we sell to", "how many people did we lose in June", "how many people are in Germany",
        "how many reps did we call", "wie viele Leute haben wir im Juni angerufen", "wie viele Personen haben wir angerufen",
        "wie viele Leute haben gekauft", "combien de gens avons-nous appelés en juin",
    ],
)  # fmt: skip
def test_people_to_whom_something_was_done_are_not_reps(planner, question):
    asked = planner.understand(question)
    assert "are accounts meant?" in asked.reason
    assert all(not isinstance(planner.understand(near), Declined) for near in asked.closest)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("how many people won a deal in June", "number of won_leads by owner in 2025-06 having value > 0"),
        ("how many people have open deals over 250k", "number of open_leads by owner where deal_value > 250000 having value > 0"),
        ("how many people sold more than 3 deals in June", "number of won_leads by owner in 2025-06 having value > 3"),
        ("people with more than 50 open deals", "open_leads by owner having value > 50"),
        ("which person won the most deals", "won_leads by owner order -won_leads limit 1"),
        ("which people made calls in June", "touches by owner where channel = call in 2025-06"),
        ("which rep lost the most money", "lost_value by owner order -lost_value limit 1"),
        # by value is an order of a list, and no split
        ("open deals by value", "list deals where open"),
        ("how many deals by stage", "total_leads by stage"),
        ("how many deals by value", "? by value: as a list in that order, or by bands"),
        ("number of open deals by value", "? by value: as a list in that order, or by bands"),
        ("share of deals by value", "? by value: as a list in that order, or by bands"),
        # the size of deals beside another figure is that of those won, as it is alone
        ("wins and average deal size in May", "won_leads,average_won_value in 2025-05"),
        ("average deal size and win rate in May", "average_won_value,win_rate in 2025-05"),
        ("Umsatz und durchschnittliche Dealgröße im Mai", "revenue,average_won_value in 2025-05"),
        ("number of touches and average deal size in May", "touches,average_won_value in 2025-05"),
        ("wins and median deal size in May", "won_leads,median_deal_value where won and closed_date = 2025-05"),
        ("open pipeline and average deal size", "? the size of which deals"),
        ("average deal size and win rate by stage", "average_deal_value,win_rate by stage"),
        ("which products has Lumen Works never bought in 2024", "? what an account never bought is of all time"),
        # worth, in any place
        ("and the pipeline worth", "open_pipeline"),
        ("was sind die offenen Deals zusammen wert", "open_pipeline"),
    ],
)  # fmt: skip
def test_what_stands_next_to_it(planner, question, expected):
    asked = plan(planner.understand(question))
    assert asked.startswith(expected) if expected.startswith("? ") else asked == expected


@pytest.mark.parametrize(
    ("question", "truth"),
    [
        (
            "how many reps have open deals over 100k",
            "select count(distinct owner) as n from gold.deals where status = 'open' and deal_value > 100000",
        ),
        (
            "how many reps have no open deals over 100k",
            "select count(*) as n from (select owner from gold.deals where owner is not null group by 1 having count(*) filter (where status = 'open' and deal_value > 100000) = 0)",
        ),
        (
            "how many customers bought in 2025",
            "select count(distinct customer_id) as n from gold.deals where status = 'won' and closed_at >= '2025-01-01'",
        ),
        (
            "how many customers did not buy in 2025",
            "select count(*) as n from gold.customer_features where customer_id not in (select customer_id from gold.deals where status = 'won' and closed_at >= '2025-01-01')",
        ),
    ],
)  # fmt: skip
def test_numbers_are_those_of_the_data(tools, question, truth):
    [finding] = planned(tools, Planner(tools.serving), question).found
    assert [row["value"] for row in finding.rows] == [row["n"] for row in tools.serving.rows(truth)]


def test_accounts_whose_deals_of_a_product_were_lost_have_not_bought_it(tools):
    [name] = [row["product_name"] for row in tools.serving.rows("select product_name from gold.deals where status = 'lost' group by 1 order by count(*) desc limit 1")]  # fmt: skip
    [finding] = planned(tools, Planner(tools.serving), f"how many customers have not bought {name}").found
    truth = "select count(*) as n from gold.customer_features where customer_id not in (select customer_id from gold.deals where status = 'won' and product_name = ?)"
    assert finding.rows[0]["value"] == tools.serving.rows(truth, [name])[0]["n"]


def test_a_call_that_was_not_made_is_said_to_be_one_of_either_side(planner):
    assert planner.understand("which customers have we not called this month").notes == (
        "A call counts whichever side made it.",
    )
    assert not planner.understand("customers without a meeting this month").notes


def test_which_they_are_is_said_in_words(tools):
    answer = planned(tools, Planner(tools.serving), "how many countries do we sell to")
    assert answer.text.startswith("Countries with revenue: ")
    assert "These are " in answer.text
    [finding] = planned(tools, Planner(tools.serving), "which reps have no open deals over 100k").found
    assert finding.title == "Owners without open deals where deal_value > 100000"
    assert {*finding.rows[0]} == {"owner"} if finding.rows else True
