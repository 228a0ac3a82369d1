"""Questions about contacts, in a lakehouse that has them; names are never read."""

from __future__ import annotations

import duckdb
import pytest
from test_planner import LAST, TABLES, Quick, swallowed, told

from medallion import contracts
from medallion.agent.planner import Declined, Planner
from medallion.contracts import own

OF_CONTACTS = """
create table gold.contact_activity as select *, 'granted' as consent, 3 as touches, timestamp '2025-06-01' as last_touch_at,
  29 as days_since_last_touch, date '2025-06-30' as as_of
  from (values ('K-1', 'C004', 'decision_maker', 'fr'), ('K-2', 'C004', 'champion', 'en'), ('K-3', 'C001', 'user', 'de'))
  t(contact_id, customer_id, role, language);
"""


@pytest.fixture(scope="module")
def planner():
    own.bring(contracts.entities(), "a lakehouse with contacts", ("gold.contact_activity",))
    connection = duckdb.connect()
    connection.execute(TABLES)
    connection.execute(OF_CONTACTS)
    yield Planner(Quick(None, connection, {}, LAST))
    own.forget()


_OF_LUMEN = "list contacts where customer_id = C004"
_DECIDERS = "list contacts where role = decision_maker and customer_id = C004"
_FRENCH = "contacts where language = fr + list contacts where language = fr"
UNDERSTOOD = {
    # of an account
    "who do we know at Lumen Works": _OF_LUMEN,
    "contacts at Lumen Works": _OF_LUMEN,
    "who are our contacts at Lumen Works?": _OF_LUMEN,
    "wen kennen wir bei Lumen Works": _OF_LUMEN,
    "Ansprechpartner bei Lumen Works": _OF_LUMEN,
    "qui connaissons-nous chez Lumen Works": _OF_LUMEN,
    "¿a quién conocemos en Lumen Works?": _OF_LUMEN,
    "how many contacts do we have at Lumen Works": "contacts where customer_id = C004",
    # by their part in buying decisions, their language, their consent
    "decision makers at Lumen Works": _DECIDERS,
    "who is the decision maker at Lumen Works": _DECIDERS,
    "Entscheider bei Lumen Works": _DECIDERS,
    "décideurs chez Lumen Works": _DECIDERS,
    "decisores en Lumen Works": _DECIDERS,
    "how many decision makers do we know": "contacts where role = decision_maker",
    "wie viele Entscheider kennen wir": "contacts where role = decision_maker",
    "who has the most decision makers": "contacts by account_manager where role = decision_maker order -contacts limit 1",
    "French-speaking contacts": _FRENCH,
    "französischsprachige Ansprechpartner": _FRENCH,
    "interlocuteurs francophones": _FRENCH,
    "interlocutores que hablan francés": _FRENCH,
    "how many contacts speak French": "contacts where language = fr",
    "contacts who are decision makers": "list contacts where role = decision_maker",
    "who opted out": "list contacts where consent = denied",
    "how many contacts said no to marketing": "contacts where consent = denied",
    "wie viele Kontakte haben widersprochen": "contacts where consent = denied",
    "combien de contacts ont refusé le marketing": "contacts where consent = denied",
    "decision makers never touched": "contacts where role = decision_maker and not touched + list contacts where role = decision_maker and not touched",
    # split
    "contacts per country": "contacts by country",
    "Ansprechpartner nach Rolle": "contacts by role",
    "interlocuteurs par langue": "contacts by language",
    "interlocutores por país": "contacts by country",
    "contacts by role in Germany": "contacts by role where country = Germany",
}  # fmt: skip


@pytest.mark.parametrize("question", UNDERSTOOD)
def test_what_is_understood_of_contacts(planner, question):
    assert told(planner.understand(question)) == UNDERSTOOD[question]


@pytest.mark.parametrize(
    ("dialog", "expected"),
    [
        (["tell me about Lumen Works", "who are our contacts there"], _OF_LUMEN),
        (
            ["contacts at Lumen Works", "how many of them are decision makers"],
            "contacts where role = decision_maker and customer_id = C004",
        ),
        (["how many contacts speak French", "by role"], "contacts by role where language = fr"),
        (["who is the decision maker at Lumen Works", "when was he last contacted"], _DECIDERS),
        (["who is the decision maker at Lumen Works", "email?", "when was he last contacted"], _DECIDERS),
        (["wer ist der Entscheider bei Lumen Works", "wann wurde er zuletzt kontaktiert"], _DECIDERS),
        (
            ["qui est le décideur chez Lumen Works", "quand a-t-il été contacté pour la dernière fois"],
            _DECIDERS,
        ),
        (["quién es el decisor en Lumen Works", "¿cuándo fue contactado por última vez?"], _DECIDERS),
        (["who is the decision maker at Lumen Works", "last touch?"], _DECIDERS),
        (["contacts at Lumen Works", "how many?"], "contacts where customer_id = C004"),
        (["contacts at Lumen Works", "open deals?"], "list deals where customer_id = C004 and open"),
        (["contacts at Lumen Works", "email?"], "? addresses are personal data, which I do not read"),
        (["Ansprechpartner bei Lumen Works", "E-Mail?"], "? addresses are personal data, which I do not read"),
        (
            ["contacts at Lumen Works", "e-mails this month?"],
            "list interactions where channel = email and customer_id = C004 and date = 'this month'",
        ),
        (["tell me about Lumen Works", "decision makers?"], _DECIDERS),
        (["tell me about Lumen Works", "who is the decision maker"], _DECIDERS),
        (["L-4", "wer ist der Entscheider"], _DECIDERS),
        (["why did we lose Lumen Works", "was there a decision maker"], _DECIDERS),
        (["warum haben wir Lumen Works verloren", "gab es einen Entscheider"], _DECIDERS),
        (["pourquoi avons-nous perdu Lumen Works", "y avait-il un décideur"], _DECIDERS),
        (["por qué perdimos Lumen Works", "¿había un decisor?"], _DECIDERS),
        (
            ["contacts at Lumen Works", "how many calls did she get"],
            "? of a contact only the role, the language, the consent and the last touch are known here",
        ),
    ],
)
def test_a_conversation_about_contacts(planner, dialog, expected):
    before = None
    for question in dialog:
        before = planner.understand(question, before)
    assert told(before) == expected


@pytest.mark.parametrize(
    "question",
    [
        "names of our contacts at Lumen Works",
        "phone number of the decision maker at Lumen Works",
        "accounts without a decision maker",
        "revenue of decision makers",
        "average contacts by role",
        "contacts at Lumen Works by mood",
    ],
)
def test_what_contacts_do_not_say_is_declined(planner, question):
    found = planner.understand(question)
    assert isinstance(found, Declined), told(found)


def test_where_the_names_of_contacts_are_is_told(planner):
    assert "dashboard" in planner.understand("who do we know at Lumen Works").notes[0]


@pytest.mark.parametrize(
    "question", ["when did we last talk to Noor Moreau", "wann haben wir zuletzt mit Noor Moreau gesprochen", "who is Uma Petrov"]
)  # fmt: skip
def test_somebody_who_may_be_a_contact_is_not_looked_up(planner, question):
    found = planner.understand(question)
    assert isinstance(found, Declined)
    assert "there is no owner or account" in found.reason
    assert "dashboard" in found.remedy


@pytest.mark.parametrize("number", [30, pytest.param(2000, marks=[pytest.mark.slow, pytest.mark.nightly])])
def test_a_word_that_matters_changes_a_question_about_contacts(planner, monkeypatch, number):
    monkeypatch.setattr(Planner, "closest", lambda self, text: ("another question",))
    assert swallowed(planner, number, UNDERSTOOD) == []
