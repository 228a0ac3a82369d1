"""Drafts in the language of the account and the tone of the settings, for you to finish and send.

They go on from the last touch: who wrote or called, when, and what came of it. They thank only for what the customer did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from medallion.agent import consent
from medallion.agent.countries import place
from medallion.agent.facts import Found
from medallion.agent.letters import LANGUAGES, sentences
from medallion.agent.rules import FRESH_DAYS, due
from medallion.agent.tools import Tools
from medallion.config import AgentSettings
from medallion.errors import MedallionError

KINDS = ("email", "whatsapp", "call-script")
#: Days after which a touch is too old to be referred to.
OLD_DAYS = 180
_TALKED, _WRITTEN = ("call", "meeting"), ("email", "whatsapp")


@dataclass(frozen=True)
class Situation:
    """What a draft is written from.

    Attributes:
        name: The account's.
        last: `channel`, `outcome`, `occurred_at` and, where it is known, `direction` of the last touch; None without one.
        is_open: Whether the account has an open deal.
        day: The day on which it is written; that of the touch is compared with it.
        product: What the best open deal is about; empty where that is not known.
        closes: When that deal is expected to close.
        language: One of `LANGUAGES`.
    """

    name: Any
    last: Mapping[str, Any] | None
    is_open: bool
    day: date | None = None
    product: str = ""
    closes: date | None = None
    language: str = "en"

    @classmethod
    def of(
        cls,
        name: Any,
        last: Mapping[str, Any] | None,
        deal: Mapping[str, Any] | None,
        day: date | None,
        language: str = "en",
    ) -> Situation:
        """That of an account whose best open deal is a row of `gold.deals`, or None where it has none open."""
        row = deal or {}
        product = _one_line(row.get("product_name") or "")
        return cls(name, last, deal is not None, day, product, row.get("expected_close_date"), language)

    @property
    def age(self) -> int | None:
        """Days since the last touch."""
        if self.last is None or self.day is None:
            return None
        when = self.last["occurred_at"]
        return (self.day - (when.date() if isinstance(when, datetime) else when)).days

    @property
    def is_old(self) -> bool:
        """Whether the last touch is too old to be referred to."""
        return self.age is not None and self.age > OLD_DAYS


def draft(tools: Tools, settings: AgentSettings, customer: str, kind: str, language: str | None = None) -> str:
    """A draft to an account, with places in brackets for what the CRM's personal data would say.

    It is for the first person of the account who may be contacted, by key and role; who may not is named with the reason.

    Args:
        tools: What is known.
        settings: Tone and signature.
        customer: Key or name.
        kind: email, whatsapp or call-script.
        language: One of `LANGUAGES`; that of the account's country without it, English where that has none of these.

    Raises:
        MedallionError: There is no such kind, language or account, it must not be contacted this way, or its last touch is
            too old to be referred to.
    """
    if kind not in KINDS:
        raise MedallionError(f"{kind!r} is no kind of draft", f"Kinds: {', '.join(KINDS)}.")
    if language is not None and language not in LANGUAGES:
        raise MedallionError(f"{language!r} is no language of drafts", f"Languages: {', '.join(LANGUAGES)}.")
    account, deals, touches = tools.account_brief(customer)[:3]
    facts = account.rows[0]
    channel = {"call-script": "call"}.get(kind, kind)
    name, blocked = facts["customer_name"], consent.in_force(tools.rules.suppressed, tools.serving.as_of)
    for entry in blocked:
        if entry.customer_id == facts["customer_id"] and entry.channel in (None, channel):
            raise MedallionError(
                f"{name} is not to be contacted by {channel}{': ' + entry.reason if entry.reason else ''}",
                "It is on the suppression list of the settings.",
            )
    known = consent.people(tools.serving, [facts["customer_id"]], [row["lead_id"] for row in deals.rows]).get(
        facts["customer_id"], []
    )
    person = consent.first(known, channel, blocked)
    not_to = [
        f"{candidate['contact_id']} {why}"
        for candidate in known
        if (why := consent.why_not(candidate, channel, blocked))
    ]
    if known and person is None:
        raise MedallionError(
            f"Nobody at {name} may be contacted by {channel}: {'; '.join(not_to)}",
            "Ask for consent in another way, or correct it in the CRM.",
        )
    last, best = (finding.rows[0] if finding.rows else None for finding in (touches, deals))
    situation = Situation.of(name, last, best, tools.day, language or spoken(facts["country"], person))
    if situation.is_old and kind != "call-script":
        raise MedallionError(
            f"{_one_line(name)}: the last touch was on {situation.last['occurred_at']:%Y-%m-%d}, {situation.age} days before "  # type: ignore[index]
            f"{tools.day}: too old to refer to",
            "Call first: `--kind call-script` has what is known.",
        )
    heads = [f"To: {consent.called(person)}"] if person else []
    heads += [f"Not to: {'; '.join(not_to)}"] if not_to else []
    heads += [_language_note(situation.language, facts["country"], person)] if language is None else []
    return "\n".join([*filter(None, heads), _text(situation, account, deals, touches, settings, kind)])


def spoken(country: str | None, person: consent.Person | None) -> str:
    """The language to write in: what is known of the person, else of the country; English where that is none of `LANGUAGES`."""
    own = str((person or {}).get("language") or "").strip().casefold()[:2]
    if own:
        return own if own in LANGUAGES else "en"
    return place(country).language or "en"


def _language_note(language: str, country: str | None, person: consent.Person | None) -> str:
    """Why a draft is in the language that it is in; empty for English where English is spoken."""
    own = (person or {}).get("language")
    name = sentences(language)["language"]
    if language != "en":
        why = f"{person['contact_id']} speaks it" if own and person else f"the account is in {_one_line(country)}"
        return f"In {name}: {why}; `--language en` for English."
    known = own or place(country).language or ""
    if known == "en" or not (own or country):
        return ""
    whose = person["contact_id"] if own and person else _one_line(country)
    return f"In English: drafts are not available in the language of {whose}."


def _text(
    situation: Situation, account: Found, deals: Found, touches: Found, settings: AgentSettings, kind: str
) -> str:
    if kind == "call-script":
        return _script(situation, account, deals, touches)
    if kind == "whatsapp":
        words = sentences(situation.language)
        message = " ".join([words["greeting"][settings.tone], *opening(situation)])
        return f"{message}\n{settings.signature or words['signature']}"
    subject, body = letter(settings, situation)
    return f"Subject: {subject}\n\n{body}"


def letter(settings: AgentSettings, situation: Situation, first_name: str = "") -> tuple[str, str]:
    """Subject and text of an e-mail to an account."""
    words = sentences(situation.language)
    start, ask = opening(situation)
    greeting = words["greeting"][settings.tone]
    if first_name:
        for mark in ("[first name]", "[First name]", "[nombre]"):
            greeting = greeting.replace(mark, _one_line(first_name))
    kind = "closed" if not situation.is_open else "product" if situation.product else "open"
    subject = words["subject"][kind].format(name=_name(situation), product=_one_line(situation.product))
    signature = settings.signature or words["signature"]
    if not words.get("goes_on_small"):
        start = start[:1].upper() + start[1:]
    return subject, f"{greeting}\n\n{start}\n\n{ask}\n\n{words['closing'][settings.tone]},\n{signature}"


def opening(situation: Situation) -> tuple[str, str]:
    """What to say first and what to ask for, from what happened last."""
    words = sentences(situation.language)
    case, ask = _case(situation)
    last = situation.last or {}
    channel = last.get("channel")
    start = words["situations"][case].format(
        name=_name(situation), day=_day(words, last["occurred_at"]) if last else "", talked=words["talked"].get(channel),
        yours=words["yours"].get(channel), mine=words["mine"].get(channel),
    )  # fmt: skip
    if situation.product and situation.is_open and case != "none":
        start += f" {words['about'].format(product=_one_line(situation.product))}"
    return start, words["asks"][ask]


def _case(situation: Situation) -> tuple[str, str]:
    """Which sentence says what happened last, and which asks for what is next."""
    last = situation.last
    if last is None:
        return "none", "none"
    if situation.is_old:
        return "old", "old"
    channel, outcome, inbound = last["channel"], last["outcome"], last.get("direction") == "inbound"
    next_step = "next_step" if situation.is_open else "something_new"
    if situation.is_open and situation.day and due(situation.closes, situation.day):
        next_step = "timetable"
    if outcome == "meeting_booked":
        booked = "booked_past" if (situation.age or 0) > FRESH_DAYS else "booked"
        return booked, booked
    if outcome == "no_answer":
        if inbound:
            return ("unanswered", "unanswered") if channel in _WRITTEN else ("missed", "missed")
        return ("unread" if channel in _WRITTEN else "tried" if channel == "call" else "contact"), "no_answer"
    if outcome == "negative":
        return "doubts", "doubts"
    ask = next_step if outcome == "positive" or next_step == "timetable" else "questions"
    if channel in _TALKED:
        return "took_part", ask
    if channel in _WRITTEN and inbound:
        return "wrote", ask
    if channel in _WRITTEN and last.get("direction") == "outbound":
        return ("liked" if outcome == "positive" else "sent"), ask
    return "contact", ask


def _day(words: Mapping[str, Any], when: date) -> str:
    """A day as a letter in the language says it."""
    number = words.get("first", "1") if when.day == 1 else str(when.day)
    return str(words["day"].format(day=number, month=words["months"][when.month - 1]))


def _name(situation: Situation) -> str:
    return _one_line(situation.name) or str(sentences(situation.language)["company"])


def _script(situation: Situation, account: Found, deals: Found, touches: Found) -> str:
    facts, (start, ask) = account.rows[0], opening(situation)
    lines = [
        f"CALL SCRIPT: {_one_line(facts['customer_name'])} ({facts['customer_id']})",
        f"Goal: {account.written(facts, 'next_step')}",
        "",
        f'Open: "{start[0].upper()}{start[1:]}"',
        f'Ask: "{ask}"',
        "",
        "Know before you call:",
        f"- {account.written(facts, 'lead_quality')}, score {account.written(facts, 'lead_score')}; "
        f"revenue so far {account.written(facts, 'won_value')}, open {account.written(facts, 'open_value')}",
    ]
    for row in deals.rows[:3]:
        lines.append(
            f"- deal {row['lead_id']}: {deals.written(row, 'stage')}, {deals.written(row, 'deal_value')}, "
            f"expected to close {deals.written(row, 'expected_close_date')}"
        )
    for row in touches.rows[:3]:
        lines.append(f"- {touches.written(row, 'occurred_at')}: {row['channel']}, {touches.written(row, 'outcome')}")
    lines += [
        "",
        "If they hesitate: ask what would have to be true for them to say yes.",
        "If no one answers: leave your name, no details, and write a short message.",
        "After the call: note outcome and next step in the CRM.",
    ]
    return "\n".join(lines)


def _one_line(text: Any) -> str:
    """Text of the CRM without line breaks or control signs: it is not ours."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text or "")).split())[:120]
