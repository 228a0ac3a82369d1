"""Times that are still to come, times that are a part of another, and states that are denied."""

from __future__ import annotations

import duckdb
import pytest
from test_planner import LAST, TABLES, Quick, told

from medallion.agent.planner import Declined, Planner

#: Questions of open deals and of closings, by the time that they name; the data end on 30 June 2025.
AHEAD = {
    "pipeline in Q4": "? what is due in 2025-Q4, or what was open in 2024-Q4? Say the year",
    "pipeline in December": "? what is due in 2025-12, or what was open in 2024-12? Say the year",
    "pipeline in H2": "? what is due from 2025-07-01 to 2025-12-31, or what was open from 2024-07-01 to 2024-12-31? Say the year",
    "weighted pipeline in December": "? what is due in 2025-12, or what was open in 2024-12? Say the year",
    "how many open deals in Q3": "? what is due in 2025-Q3, or what was open in 2024-Q3? Say the year",
    "wie viele offene Deals im Dezember": "? what is due in 2025-12, or what was open in 2024-12? Say the year",
    "cuántos negocios abiertos en diciembre": "? what is due in 2025-12, or what was open in 2024-12? Say the year",
    "combien d'affaires ouvertes en T3": "? what is due in 2025-Q3, or what was open in 2024-Q3? Say the year",
    "how many open deals next quarter": "open_leads where expected_close_date = 'next quarter'",
    "how many open deals in 2025-Q3": "open_leads where expected_close_date = 2025-Q3",
    "pipeline due in the first half of August": "open_value_due in 2025-08-01 to 2025-08-15",
    "deals due in the first week of July": "list deals where open and expected_close_date = '2025-07-01 to 2025-07-07'",
    # the past one is nearer, or it is said which
    "pipeline in May": "open_pipeline in 2025-05",
    "pipeline in Q1": "open_pipeline in 2025-Q1",
    "pipeline in January": "open_pipeline in 2025-01",
    "pipeline in December 2024": "open_pipeline in 2024-12",
    "what was the pipeline in December": "open_pipeline in 2024-12",
    "how many open deals were there in Q3": "open_leads in 2024-Q3",
    "how many open deals from last December": "open_leads in 2024-12",
    "how many open deals in May": "open_leads in 2025-05",
    # closings
    "closings next month": "list deals where open and expected_close_date = 'next month'",
    "how many closings next month": "open_leads where expected_close_date = 'next month'",
    "closings in July 2025": "list deals where open and expected_close_date = 2025-07",
    "closings by the end of July": "list deals where open and expected_close_date = 'until 2025-07-31'",
    "closings in July": "? the deals due in 2025-07, or those won in 2024-07? Say the year",
    "Abschlüsse im Juli": "? the deals due in 2025-07, or those won in 2024-07? Say the year",
    "signatures en juillet": "? the deals due in 2025-07, or those won in 2024-07? Say the year",
    "cierres de julio": "? the deals due in 2025-07, or those won in 2024-07? Say the year",
    "Abschlüsse nächsten Monat": "list deals where open and expected_close_date = 'next month'",
    "cierres del mes que viene": "list deals where open and expected_close_date = 'next month'",
    "closings in May": "won_leads,revenue in 2025-05",
    "Abschlüsse im Mai": "won_leads,revenue in 2025-05",
    "closings in July 2024": "won_leads,revenue in 2024-07",
    "how many closings did we have in July": "won_leads in 2024-07",
    "wie viele Abschlüsse hatten wir im Juli": "won_leads in 2024-07",
    "closings this year": "won_leads,revenue in this year",
    "won deals next month": "? that time is still to come: nothing has happened in it",
}
NESTED = {
    "revenue in the last week of 2024": "revenue in 2024-12-25 to 2024-12-31",
    "revenue in the last two months of 2024": "revenue in 2024-11-01 to 2024-12-31",
    "revenue in the last 10 days of 2024": "revenue in 2024-12-22 to 2024-12-31",
    "revenue in the last quarter of 2024": "revenue in 2024-10-01 to 2024-12-31",
    "revenue in the first two quarters of 2024": "revenue in 2024-01-01 to 2024-06-30",
    "revenue in the third month of 2025": "revenue in 2025-03-01 to 2025-03-31",
    "revenue in the last month of 2025-Q1": "revenue in 2025-03-01 to 2025-03-31",
    "revenue in the first week of May": "revenue in 2025-05-01 to 2025-05-07",
    "revenue in the last month of the quarter": "revenue in 2025-06-01 to 2025-06-30",
    "revenue in the last day of last year": "revenue in 2024-12-31 to 2024-12-31",
    "Umsatz in der letzten Woche von 2024": "revenue in 2024-12-25 to 2024-12-31",
    "Umsatz in den letzten zwei Monaten des Jahres 2024": "revenue in 2024-11-01 to 2024-12-31",
    "chiffre d'affaires de la dernière semaine de 2024": "revenue in 2024-12-25 to 2024-12-31",
    "ingresos de los últimos dos meses de 2024": "revenue in 2024-11-01 to 2024-12-31",
    "Umsatz in den ersten zwei Monaten von 2025": "revenue in 2025-01-01 to 2025-02-28",
    "Umsatz in der ersten Woche des Quartals": "revenue in 2025-04-01 to 2025-04-07",
    "chiffre d'affaires des trois premiers mois de 2025": "revenue in 2025-01-01 to 2025-03-31",
    "chiffre d'affaires de la première semaine de juin": "revenue in 2025-06-01 to 2025-06-07",
    "chiffre d'affaires du dernier mois du trimestre": "revenue in 2025-06-01 to 2025-06-30",
    "ingresos de la primera semana de junio": "revenue in 2025-06-01 to 2025-06-07",
    "ingresos del primer mes de 2025": "revenue in 2025-01-01 to 2025-01-31",
    # a time beside another is two times
    "revenue last month and in 2024": "revenue in last month + revenue in 2024",
    "revenue last month vs 2024": "revenue in last month + revenue in 2024",
    "revenue in the last two months": "revenue in last 2 months",
    "revenue in May of last year": "revenue in 2024-05",
    "revenue in the second half of 2024": "revenue in 2024-07-01 to 2024-12-31",
    "revenue last month of Ben Haddad": "revenue where owner = 'Ben Haddad' in last month",
    # what may be either is asked about
    "revenue in the last weeks of 2024": "? I do not understand 'last', 'weeks' in the question",
    "revenue last week 2024": "? 'last week 2024' may be two times or a part of one: write its first and last day",
    "Umsatz letzte Woche 2024": "? 'letzte Woche 2024' may be two times or a part of one: write its first and last day",
    "revenue in the last 1 month": "? 'last 1 month' may be 2025-05-01 to 2025-05-31 or 2025-06-01 to 2025-06-30: write one of them",
    "revenue in the last one week": "revenue in last 1 weeks",
    "revenue in the last month": "revenue in last month",
    "revenue in the first half of Q2": "? a half of 2025-Q2 is not read, only one of a month or a year: write its first and last day, such as 2025-04-01 to 2025-05-15",
}
DENIED = {
    "deals that have not slipped": "? there is a list of the deals that slipped, not of those that did not",
    "deals never slipped": "? there is a list of the deals that slipped, not of those that did not",
    "how many deals did not slip": "? there is a list of the deals that slipped, not of those that did not",
    "Deals die nicht gerutscht sind": "? there is a list of the deals that slipped, not of those that did not",
    "affaires qui n'ont pas glissé": "? there is a list of the deals that slipped, not of those that did not",
    "deals that are not stuck": "? there is a list of the deals that are stuck, not of those that are not",
    "deals that are not overdue": "open_leads where not overdue + list deals where open and not overdue",
    "how many deals are not overdue": "open_leads where not overdue",
    "value of deals that are not overdue": "open_pipeline where not overdue",
    "affaires pas en retard": "open_leads where not overdue + list deals where open and not overdue",
    "cuántos negocios no están atrasados": "open_leads where not overdue",
    "nicht überfällige Deals": "open_leads where not overdue + list deals where open and not overdue",
    "deals that are not silent": "open_leads where not silent + list deals where open and not silent",
    "won deals that are not overdue": "? overdue is known of open deals only: it is not kept for deals that have ended",
    "deals that slipped": "slipped deals: period this quarter, where ()",
    "deals that are not won": "total_leads where not won + list deals where not won",
    "deals not yet contacted": "open_leads where never_touched + list deals where never_touched",
    "customers that have not bought": "total_customers where not bought + list accounts where not bought",
}  # fmt: skip


@pytest.fixture(scope="module")
def planner():
    connection = duckdb.connect()
    connection.execute(TABLES)
    return Planner(Quick(None, connection, {}, LAST))


@pytest.mark.parametrize("question", AHEAD)
def test_what_is_open_or_closes_in_a_time_that_comes_is_due_or_asked_about(planner, question):
    assert told(planner.understand(question)) == AHEAD[question]


@pytest.mark.parametrize("question", [question for question, answer in AHEAD.items() if answer.startswith("?")])
def test_what_is_offered_for_a_time_that_may_come_can_be_answered(planner, question):
    offered = planner.understand(question).closest
    assert offered
    assert not [other for other in offered if isinstance(planner.understand(other), Declined)]


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        ("deals due next month", "and in August", "list deals where open and expected_close_date = 2025-08"),
        ("deals due next month", "revenue in August", "revenue in 2024-08"),
        ("deals won in May", "and in August", "won_leads,revenue in 2024-08"),
    ],
)
def test_another_month_after_deals_that_are_due_is_the_coming_one(planner, first, then, expected):
    assert told(planner.understand(then, planner.understand(first))) == expected


@pytest.mark.parametrize("question", NESTED)
def test_a_part_of_a_time_is_one_time(planner, question):
    assert told(planner.understand(question)) == NESTED[question]


@pytest.mark.parametrize("question", DENIED)
def test_a_state_that_is_denied_is_never_dropped(planner, question):
    assert told(planner.understand(question)) == DENIED[question]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Umsatz ht", "? I do not understand 'ht' in the question"),
        ("revenue tdy", "revenue in today"),
        ("revenue lst month", "? I do not understand 'lst', 'month' in the question"),
        ("whch deals are overdue", "list deals where overdue"),
    ],
)
def test_a_word_without_its_vowels_is_read_only_where_no_other_word_is_as_near(planner, question, expected):
    assert told(planner.understand(question)).split(" + ")[0] == expected
