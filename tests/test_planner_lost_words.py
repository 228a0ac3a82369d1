"""Words that an answer would leave out: all, most, only, the first one, together or each, of how many, than before."""

from __future__ import annotations

import duckdb
import pytest
from test_planner import LAST, TABLES, Quick, told

from medallion.agent.planner import Declined, Planner


@pytest.fixture(scope="module")
def planner():
    connection = duckdb.connect()
    connection.execute(TABLES)
    return Planner(Quick(None, connection, {}, LAST))


#: Questions that are declined: how the reason begins, and the first question that is offered.
DECLINED = {
    # together or each
    "are our open deals worth more than 5m": ("are they worth that together", "how much are our open deals worth"),
    "are our won deals this quarter worth at least 20m": ("are they worth that together", "how much are our won deals this quarter worth"),
    "are there open deals worth more than 5m in total": ("are they worth that together", "how much are open deals worth"),
    "sind unsere offenen Deals mehr als 5 Mio wert": ("are they worth that together", "wie viel sind unsere offenen Deals wert"),
    "is the pipeline of Ben Haddad more than 1m": ("a figure is not put against a number", "the pipeline of Ben Haddad"),
    "was revenue in May over 5m": ("a figure is not put against a number", "revenue in May"),
    "ist die Pipeline von Ben Haddad größer als 1 Mio": ("a figure is not put against a number", "die Pipeline von Ben Haddad"),
    "le pipeline de Ben Haddad dépasse-t-il 1 million": ("a figure is not put against a number", "le pipeline de Ben Haddad"),
    "est-ce que le pipeline de Ben Haddad est supérieur à 1 million": ("a figure is not put against a number", "le pipeline de Ben Haddad"),
    "es el pipeline de Ben Haddad mayor que 1 millón": ("a figure is not put against a number", "el pipeline de Ben Haddad"),
    # all, most, only
    "are all open deals in negotiation": ("whether 'all' are so", "open deals in negotiation"),
    "are all open deals worth more than 20k": ("whether 'all' are so", "open deals worth more than 20 k"),
    "are all deals of Ben Haddad overdue": ("whether 'all' are so", "deals of Ben Haddad overdue"),
    "sind alle offenen Deals in Verhandlung": ("whether 'alle' are so", "offenen Deals in Verhandlung"),
    "toutes les affaires ouvertes sont-elles en négociation": ("whether 'toutes' are so", "les affaires ouvertes elles en négociation"),
    "están todos los negocios abiertos en negociación": ("whether 'todos' are so", "los negocios abiertos en negociación"),
    "are most of our customers in Germany": ("whether 'most' are so", "our customers in Germany"),
    "most of our customers in Germany": ("whether 'most' are so", "our customers in Germany"),
    "sind die meisten Kunden in Deutschland": ("whether 'meisten' are so", "die Kunden in Deutschland"),
    "do we only win deals in Germany": ("whether there are no others", "we win deals in Germany"),
    "have we only lost deals in June": ("whether there are no others", "we lost deals in June"),
    "haben wir nur Kunden in Deutschland": ("whether there are no others", "Kunden in Deutschland"),
    # the first of an order
    "is Ben Haddad the best rep this year": ("whether it is the one that 'best'", "the best rep this year"),
    "Ben Haddad is our best rep this year": ("whether it is the one that 'best'", "our best rep this year"),
    "is our biggest open deal in Germany": ("whether it is the one that 'biggest'", "our biggest open deal"),
    "was May our best month this year": ("whether it is the one that 'best'", "our best month this year"),
    "ist Ben Haddad der beste Verkäufer dieses Jahr": ("whether it is the one that 'beste'", "der beste Verkäufer dieses Jahr"),
    "est-ce que Ben Haddad est le meilleur commercial cette année": ("whether it is the one that 'meilleur'", "le meilleur commercial cette année"),
    "es Ben Haddad el mejor vendedor este año": ("whether it is the one that 'mejor'", "el mejor vendedor este año"),
    # the first of each group
    "best rep of each country this year": ("the first of each country or owner", "revenue by country and owner"),
    "top 3 reps per country": ("the first of each country or owner", "revenue by country and owner"),
    "most won deals in each country by rep": ("the first of each country or owner", "deals won by country and owner"),
    "bester Verkäufer in jedem Land": ("the first of each country or owner", "revenue by country and owner"),
    "top 10% of customers by revenue": ("the first part of a group", "top 10 customers by revenue"),
    # of how many of a group
    "what percentage of reps won a deal in June": ("a share by owner is of deals", "deals won by owner"),
    "what percentage of countries have open deals": ("a share by country is of deals", "deals won by country"),
    "wie viel Prozent der Verkäufer haben im Juni einen Deal gewonnen": ("a share by owner is of deals", "deals won by owner"),
    "quel pourcentage de commerciaux ont gagné une affaire en juin": ("a share by owner is of deals", "deals won by owner"),
    "qué porcentaje de vendedores ganaron un negocio en junio": ("a share by owner is of deals", "deals won by owner"),
    # than before, and both together
    "is our revenue higher than last year": ("what is 'higher than' put against", "revenue this year vs last year"),
    "is our win rate better than last year": ("what is 'better than' put against", "win rate this year vs last year"),
    "hemos ganado más que el mes pasado": ("what is 'más que' put against", "revenue this month vs last month"),
    "revenue in May and June combined": ("figures of several times are not added up", ""),
    "wins in the first half vs second half of June": ("half of what", ""),
}  # fmt: skip


@pytest.mark.parametrize("question", DECLINED)
def test_a_word_that_would_be_lost_declines(planner, question):
    declined, (reason, offered) = planner.understand(question), DECLINED[question]
    assert isinstance(declined, Declined), told(declined)
    assert declined.reason.startswith(reason)
    if offered:
        assert declined.closest[0] == offered
        assert not isinstance(planner.understand(offered), Declined)


#: Questions beside those, which are answered as before.
ANSWERED = {
    "which open deals are worth more than 5m": "list deals where open and deal_value > 5000000",
    "are there any open deals over 300k": "open_leads where deal_value > 300000 + list deals where open and deal_value > 300000",
    "did we win any deals over 50k this quarter": "list deals where won and deal_value > 50000 and closed_date = 'this quarter'",
    "are any deals over 100k overdue": "open_leads where overdue and deal_value > 100000 + list deals where overdue and deal_value > 100000",
    "how much are our open deals worth": "open_pipeline",
    "show me all open deals in negotiation": "list deals where stage = negotiation and open",
    "only open deals in negotiation": "open_leads where stage = negotiation + list deals where stage = negotiation and open",
    "who is the best rep this year": "revenue by owner in this year order -revenue limit 1",
    "what is our biggest open deal in Germany": "list deals where country = Germany and open order -deal_value limit 1",
    "biggest open deal of each rep": "list deals where open the first of each owner order -deal_value limit 1",
    "which rep won the most deals in Germany": "won_leads by owner where country = Germany order -won_leads limit 1",
    "revenue per rep and month": "revenue by owner, time:month",
    "is revenue this year higher than last year": "revenue in this year + revenue in last year",
    "deals won over the last 30 days": "won_leads,revenue in last 30 days",
    "wins in the first half of June vs the second half of June": "won_leads in 2025-06-01 to 2025-06-15 + won_leads in 2025-06-16 to 2025-06-30",
    "top 10 customers by revenue": "revenue by customer_id, customer_name order -revenue limit 10",
}  # fmt: skip


@pytest.mark.parametrize("question", ANSWERED)
def test_what_says_the_same_without_it_is_answered(planner, question):
    assert told(planner.understand(question)) == ANSWERED[question]


@pytest.mark.parametrize(
    "question",
    ["share of won deals by rep", "what share of revenue does each rep have", "what percentage of deals are over 50k"],
)
def test_shares_of_figures_are_answered(planner, question):
    assert not isinstance(planner.understand(question), Declined)


@pytest.mark.parametrize(
    "purpose",
    [
        "i need it for a cross sell campaign",
        "we need the list to run our marketing mailing",
        "ich brauche die zahlen für eine kampagne",
    ],
)
def test_what_a_list_is_wanted_for_says_nothing_of_what_is_in_it(planner, purpose):
    question = "offene Deals in Deutschland" if purpose.startswith("ich") else "open deals in Germany"
    assert told(planner.understand(f"{question}, {purpose}")) == told(planner.understand(question))
