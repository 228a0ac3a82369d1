"""What a question keeps of the one before it, what it leaves and says so, and who asks."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest
from test_planner import LAST, TABLES, Quick, told

from medallion.agent.answer import planned
from medallion.agent.planner import Declined, Planner
from medallion.agent.planner.slots import Rows

DIALOGS = {
    # a limit of the same figure comes in place of the earlier one
    "reps with more than 20 open deals | and more than 40": "open_leads by owner having value > 40",
    "how many reps have over 20 open deals | which ones | and more than 40": "open_leads by owner having value > 40",
    "countries with a win rate over 40% | and over 50%": "win_rate by country having value > '50%'",
    "open deals over 50k | and over 100k": "open_leads where deal_value > 100000 + list deals where open and deal_value > 100000",
    "open deals older than 90 days | and more than 120": "open_leads where age_days > 120 + list deals where open and age_days > 120",
    "offene Deals über 50k | und über 100k": "open_leads where deal_value > 100000 + list deals where open and deal_value > 100000",
    # one of another figure is added, and one that may be of either is asked about
    "open deals over 50k | and older than 90 days": "open_leads where deal_value > 50000 and age_days > 90 + list deals where open and deal_value > 50000 and age_days > 90",
    "open deals over 50k older than 90 days | and over 100k": "open_leads where age_days > 90 and deal_value > 100000 + list deals where open and age_days > 90 and deal_value > 100000",
    "open deals over 50k older than 90 days | and more than 120": "? the question before has limits on several figures, and this one does not say of which it is",
    "reps with more than 20 open deals | and over 1m": "? the limit before was no amount, and this one is",
    # what is asked of the records before
    "customers in Germany | how much did they bring | how many of them bought": "total_customers where country = Germany and bought",
    "customers in Germany | how many of them bought": "total_customers where country = Germany and bought",
    "customers in Germany | how much did they bring | and this year": "revenue where country = Germany in this year",
    "customers in Germany | how many of them have open deals": "total_customers where country = Germany and open_deals > 0",
    "customers in Germany | which of them have open deals": "list accounts where country = Germany and open_deals > 0",
    "customers in Germany | how many of them have no open deals": "total_customers where country = Germany and open_deals = 0",
    "Kunden in Deutschland | wie viele davon haben offene Deals": "total_customers where country = Germany and open_deals > 0",
    "clients en Allemagne | combien d'entre eux ont des affaires ouvertes": "total_customers where country = Germany and open_deals > 0",
    "clientes en Alemania | cuántos de ellos tienen negocios abiertos": "total_customers where country = Germany and open_deals > 0",
    "customers in Germany | how many of their deals are open": "open_leads where country = Germany",
    "customers in Germany | how many open deals do they have": "open_leads where country = Germany",
    "revenue in Germany | how many of them bought": "? accounts buy, and the question before was not about accounts",
    "how many reps have more than 20 open deals | what are those worth": "? the question before counted how many there are, and what those are worth is another figure of each",
    "how many open deals | what are those worth": "open_pipeline",
    # who asks
    "hi, I'm Ben Haddad | my open deals": "list deals where owner = 'Ben Haddad' and open",
    "hi, I'm Ben Haddad | what is the margin | my revenue this year": "revenue where owner = 'Ben Haddad' in this year",
    "hi, I'm Ben Haddad, what is the margin | my revenue this year": "revenue where owner = 'Ben Haddad' in this year",
    "hi, I'm Ben Haddad | pipeline by rep": "open_pipeline by owner",
    "ich bin Ben Haddad | meine offenen Deals": "list deals where owner = 'Ben Haddad' and open",
    "je suis Ben Haddad | mes affaires ouvertes": "list deals where owner = 'Ben Haddad' and open",
    "soy Ben Haddad | mis negocios abiertos": "list deals where owner = 'Ben Haddad' and open",
    "revenue in Germany this year | I'm Ben Haddad | and last year": "revenue where country = Germany in last year",
    "I'm Ben Haddad, who sold most this year": "revenue by owner in this year order -revenue limit 1",
    "Ben Haddad here, pipeline by rep": "open_pipeline by owner",
    "hi its Ben Haddad, top 3 reps by revenue": "revenue by owner order -revenue limit 3",
    "hi its Ben Haddad, win rate this year": "win_rate where owner = 'Ben Haddad' in this year",
    "hi its Ben Haddad, open deals": "list deals where owner = 'Ben Haddad' and open",
    "for Ben Haddad, my open deals": "list deals where owner = 'Ben Haddad' and open",
    "for Ben Haddad, my open deals | my revenue this year": "? I do not know who you are: say it with `--me NAME` or as `me` in the settings",
    "for Ben Haddad, my revenue this year | and last year": "revenue where owner = 'Ben Haddad' in last year",
    "I'm Tess Nair | for Ben Haddad, my revenue this year | my revenue this year": "revenue where owner = 'Tess Nair' in this year",
    "Tess Nair here. revenue by month this year | and by rep": "revenue by owner in this year",
    "I'm Tess Nair, my overdue deals | and Ben Haddad's": "list deals where owner = 'Ben Haddad' and overdue",
    "soy Tess Nair | mis negocios abiertos | y los de Ben Haddad": "list deals where owner = 'Ben Haddad' and open",
    "hi, I'm Bim Haddock": "? there is no owner, account or value 'Bim Haddock'",
    "is it Ben Haddad": "? the question does not say what is asked for",
    "Ben Haddad": "? the question does not say what is asked for",
}  # fmt: skip


@pytest.fixture(scope="module")
def planner():
    connection = duckdb.connect()
    connection.execute(TABLES)
    return Planner(Quick(None, connection, {}, LAST))


def _last(planner, dialog):
    before = None
    for question in dialog.split(" | "):
        before = planner.understand(question, before)
    return before


@pytest.mark.parametrize("dialog", DIALOGS)
def test_the_last_question_of_a_dialog_is_understood_as(planner, dialog):
    assert told(_last(planner, dialog)) == DIALOGS[dialog]


def test_a_limit_that_is_replaced_is_said(planner):
    after = _last(planner, "open deals over 50k | and over 100k")
    assert after.notes[-1] == "The limit of the question before (> 50000) is replaced."


@pytest.mark.parametrize(
    ("dialog", "note"),
    [
        ("revenue in Germany | win rate this year", "country = Germany"),
        ("Umsatz in Deutschland | win rate this year", "country = Germany"),
        ("revenue in Germany | revenue by month this year", "country = Germany"),
        ("open deals of Ben Haddad | revenue by month this year", "owner = 'Ben Haddad'"),
        ("my open deals | revenue by month this year", "whose it is"),
    ],
)
def test_a_condition_that_a_whole_question_leaves_behind_is_said(planner, dialog, note):
    said = f"The conditions of the question before are not carried over ({note}); name them to keep them."
    assert said in _last(planner, dialog).notes


@pytest.mark.parametrize(
    "dialog",
    ["revenue in Germany | revenue in Germany this year", "revenue of Ben Haddad | pipeline by rep", "revenue this year | win rate this year"],
)  # fmt: skip
def test_where_nothing_is_left_behind_nothing_is_said(planner, dialog):
    assert not [note for note in _last(planner, dialog).notes if "not carried over" in note]


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        ("best seller in Germany", "and the win rate this year", "win_rate by owner where country = Germany and owner = 'Ben Haddad' in this year"),
        ("who sold most this year", "and the win rate", "win_rate by owner where owner = 'Ben Haddad' in this year"),
        ("who sold most this year", "and their win rate", "win_rate by owner where owner = 'Ben Haddad' in this year"),
        ("who sold most this year", "and in May", "revenue by owner in 2025-05 order -revenue limit 1"),
    ],
)  # fmt: skip
def test_another_figure_after_the_best_of_a_split_is_of_that_one(planner, first, then, expected):
    before = planner.understand(first)
    answered = replace(before, slots=replace(before.slots, rows=Rows("owner", ("Ben Haddad",))))
    after = planner.understand(then, answered)
    assert told(after) == expected
    assert "and in" in then or after.notes == ("Of the row of the answer before.",)


def test_another_figure_after_the_best_of_a_split_whose_rows_are_not_known_is_asked_back(planner):
    assert isinstance(planner.understand("and the win rate", planner.understand("best seller in Germany")), Declined)


def test_who_only_says_who_they_are_is_greeted(planner):
    greeting = planner.understand("hi, I'm Ben Haddad")
    assert greeting.asked == ()
    assert greeting.notes == ("Hello, Ben Haddad. From now on, `I` and `my` mean Ben Haddad.",)
    answer = planned(None, planner, "hi, I'm Ben Haddad")
    assert (answer.text, answer.declined, answer.context) == (*greeting.notes, "", greeting)


def test_one_rep_in_a_country_is_put_beside_all_there(planner):
    one, everybody = planner.understand("why is Ben Haddad so weak in Germany this year").asked
    assert [str(part) for part in one.where] == ["owner = 'Ben Haddad'", "country = Germany"]
    assert [str(part) for part in everybody.where] == ["country = Germany"]
    _, alone = planner.understand("why is Ben Haddad so weak this year").asked
    assert alone.where == ()
