"""A rep's day: drafts that go on from the last touch, in the account's language; what notes say; the plan and the brief."""

from __future__ import annotations

import itertools
from datetime import date, datetime

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from medallion.agent import briefing, countries, drafts, notes
from medallion.agent.drafts import Situation, letter, opening, spoken
from medallion.agent.letters import LANGUAGES, sentences
from medallion.agent.rules import Rules
from medallion.agent.serving import serve
from medallion.agent.tools import Tools
from medallion.agent.tools.call_plan import deal_step
from medallion.config import AgentSettings
from medallion.errors import MedallionError
from medallion.lakehouse import publishing

DAY = date(2025, 6, 30)
CHANNELS = ("call", "email", "whatsapp", "meeting", "other")
OUTCOMES = ("positive", "neutral", "negative", "no_answer", "meeting_booked", None)
DIRECTIONS = ("inbound", "outbound", None)
THANKS = ("thank", "dank", "merci", "gracias")


def touch(channel, outcome, direction, day=25):
    return {"channel": channel, "outcome": outcome, "direction": direction, "occurred_at": datetime(2025, 6, day, 9)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_draft_thanks_only_for_what_the_customer_did(language):
    for channel, outcome, direction in itertools.product(CHANNELS, OUTCOMES, DIRECTIONS):
        told = Situation("Lumen", touch(channel, outcome, direction), True, DAY, "Suite", None, language)
        said, ask = opening(told)
        assert "{" not in said + ask
        assert "None" not in said + ask
        assert "25" in said
        assert "Suite" in said
        wrote = channel in ("email", "whatsapp") and direction == "inbound"
        took_part = channel in ("call", "meeting")
        answered = outcome in ("positive", "neutral", None)
        thanks = any(word in said.casefold() for word in THANKS)
        assert thanks == (answered and (wrote or took_part)), (channel, outcome, direction, said)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same(language):
    def keys(told):
        return {name: keys(one) if isinstance(one, dict) else None for name, one in told.items()}

    more = {"first", "goes_on_small"}
    assert keys({k: v for k, v in sentences(language).items() if k not in more}) == keys(sentences("en"))
    assert len(sentences(language)["months"]) == 12


@pytest.mark.parametrize(
    ("last", "closes", "said"),
    [
        (None, None, "Wir haben noch nicht"), (touch("email", "no_answer", "inbound"), None, "hätten längst eine Antwort"),
        (touch("call", "no_answer", "outbound"), None, "telefonisch zu erreichen"),
        (touch("email", "positive", "outbound"), None, "meine E-Mail vom 25. Juni Ihr Interesse"),
        (touch("call", "meeting_booked", "outbound", 1), None, "nichts mehr dazu vermerkt"),
        (touch("email", "neutral", "inbound"), date(2025, 6, 20), "Welchen Zeitplan"),
    ],
)  # fmt: skip
def test_a_letter_goes_on_from_the_last_touch(last, closes, said):
    told = Situation("Lumen", last, True, DAY, "Suite", closes, "de")
    subject, body = letter(AgentSettings(tone="formal", signature="Ann"), told)
    assert subject == "Suite: nächste Schritte für Lumen"
    assert said.casefold() in body.casefold()
    assert body.endswith("Mit freundlichen Grüßen,\nAnn")


def test_what_follows_a_greeting_begins_as_the_language_has_it():
    def first(language):
        return letter(AgentSettings(), Situation("Lumen", None, True, language=language))[1].split("\n\n")[1][0]

    assert [first(language).isupper() for language in LANGUAGES] == [True, False, True, True]
    told = Situation("Lumen", touch("call", "positive", "inbound", 1), True, DAY, "", None, "fr")
    assert "du 1er juin" in opening(told)[0]


def test_the_language_is_that_of_the_person_else_of_the_country():
    assert spoken("Germany", None) == "de"
    assert spoken("Germany", {"language": "fr-FR"}) == "fr"
    assert spoken("Germany", {"language": "nl"}) == "en"
    assert spoken("Belgium", None) == spoken(None, None) == "en"


def test_a_touch_that_is_too_old_is_not_referred_to(sample, monkeypatch):
    monkeypatch.setattr(drafts, "OLD_DAYS", 2)
    with serve(sample) as serving:
        tools = Tools(serving, Rules())
        with pytest.raises(MedallionError, match="too old to refer to") as refused:
            drafts.draft(tools, AgentSettings(), "C001", "email")
        assert "call-script" in refused.value.remedy
        script = drafts.draft(tools, AgentSettings(), "C001", "call-script", "de")
        assert "unser letzter Kontakt liegt schon länger zurück" in script.replace("Unser", "unser")
        with pytest.raises(MedallionError, match="no language of drafts"):
            drafts.draft(tools, AgentSettings(), "C001", "email", "nl")


@pytest.mark.parametrize(
    ("note", "found"),
    [
        ("Asked for a quote and sounded keen.", [("request", "quote")]), ("Not convinced by the price.", [("objection", "price")]),
        ("Has other priorities now.", [("objection", "timing")]), ("Will look at it with the team.", [("promise", "theirs")]),
        ("Bat um ein Angebot, findet uns aber zu teuer", [("request", "quote"), ("objection", "price")]),
        ("Möchte eine Demo. Meldet sich nächste Woche.", [("request", "demo"), ("promise", "theirs")]),
        ("Demande un devis; reviendra vers nous", [("request", "quote"), ("promise", "theirs")]),
        ("Trop cher pour eux", [("objection", "price")]), ("Pidió un presupuesto, lo revisará", [("request", "quote"), ("promise", "theirs")]),
        ("Demasiado caro, no es el momento", [("objection", "price"), ("objection", "timing")]),
        ("It is not too expensive.", []), ("Nobody asked for a demo.", []), ("Nicht zu teuer", []), ("No trop cher", []),
        ("I will send the quote tomorrow", [("promise", "ours")]), ("Sent the material. No answer.", []), (None, []), ("Repriced", []),
    ],
)  # fmt: skip
def test_what_notes_say(note, found):
    assert [(one.kind, one.subject) for one in notes.read(note)] == found


def test_every_subject_of_notes_has_words():
    told = {said.subject for said, _ in notes._patterns()[1]}
    assert told == set(briefing.SUBJECTS)


def test_a_brief_has_an_agenda_and_no_words_of_notes(sample):
    with serve(sample) as serving:
        tools = Tools(serving, Rules())
        found = {one.title: one for one in tools.account_brief("C001")}
        assert {"From the notes", "Stages of the open deals", "Suggested agenda"} <= set(found)
        assert found["Suggested agenda"].rows[-1]["point"] == "Agree on the next step and its date"
        said = " ".join(str(one.rows) for one in found.values())
        for row in briefing.noted(tools, "C001"):
            assert row["notes"] not in said


def test_notes_are_of_the_state_that_the_rest_is_of(own_sample):
    with serve(own_sample, locked=True) as serving:
        tools = Tools(serving, Rules())
        before = briefing.noted(tools, "C001")
        touches = own_sample.delta("silver.interactions_clean").to_pyarrow_table()
        newer = {**touches.to_pylist()[0], "interaction_id": "I-9998", "customer_id": "C001", "notes": "Send a quote"}
        more = pa.Table.from_pylist([newer], touches.schema)
        write_deltalake(own_sample.path("silver.interactions_clean"), more, mode="append")
        publishing.publish(own_sample, "run")
        assert briefing.noted(tools, "C001") == before
    with serve(own_sample) as serving:
        assert "I-9998" in {row["interaction_id"] for row in briefing.noted(Tools(serving, Rules()), "C001", 99)}


def test_an_agenda_follows_from_what_is_known():
    deal = {"lead_id": "L-1", "expected_close_date": date(2025, 6, 1)}
    last = touch("email", "no_answer", "inbound")
    said = [
        {"kind": kind, "about": about, "channel": "call", "occurred_at": datetime(2025, month, 2)}
        for kind, about, month in (("request", "a quote", 6), ("request", "a quote", 5), ("objection", "the price", 5), ("promise", "x", 1))
    ]  # fmt: skip
    points = [point for point, _ in briefing._points(DAY, [deal], [last], said, [{"product_name": "Suite"}])]
    assert points == [
        "Get back to them: they tried to reach us", "They asked for a quote: say what became of it", "Address their concern: the price",
        "L-1: agree on a new date for the decision", "Confirm the scope: Suite", "Agree on the next step and its date",
    ]  # fmt: skip


def test_the_plan_has_local_hours_reasons_against_and_what_is_overdue(sample):
    with serve(sample) as serving:
        row = Tools(serving, Rules(), False).call_plan(day=date(2026, 1, 31)).rows[0]
    assert {"against", "overdue_days", "pushes", "deal_step", "local_hour", "time_zone"} <= set(row)
    assert row["overdue_days"] is None or row["overdue_days"] > 0


@pytest.mark.parametrize(
    ("silent", "outcome", "direction", "closes", "step"),
    [
        (None, None, None, None, "Make first contact"), (3, "meeting_booked", "outbound", None, "Confirm the meeting and prepare it"),
        (1, "no_answer", "inbound", None, "Get back to them: they tried to reach us"),
        (1, "positive", "outbound", date(2025, 6, 1), "Agree on a new date for the decision"),
        (1, "negative", "outbound", None, "Address their concerns"), (1, "positive", "inbound", date(2025, 7, 5), "Ask for the decision"),
        (40, "positive", "inbound", None, "Pick up the thread"), (2, "no_answer", "outbound", None, "Try again at another hour"),
        (2, "neutral", "outbound", date(2025, 9, 1), "Agree on the next step"),
    ],
)  # fmt: skip
def test_what_is_next_for_a_deal(silent, outcome, direction, closes, step):
    row = {"days_silent": silent, "last_outcome": outcome, "last_direction": direction, "expected_close_date": closes}
    assert deal_step(row, DAY) == step


def test_every_time_zone_is_one():
    for one in countries.countries().values():
        assert 0 <= countries.in_utc(DAY, 10, one.zone) < 24
        assert one.language in ("", *LANGUAGES)
