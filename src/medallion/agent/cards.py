"""The call plan as cards to work from: each account with its deal, why now, how to open, and what is to be done next."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from medallion import figures, metrics
from medallion.agent import consent, drafts
from medallion.agent.facts import Found
from medallion.agent.rules import FRESH_DAYS, due
from medallion.agent.tools import Tools
from medallion.config import AgentSettings

CHANNELS = ("call", "email", "whatsapp")
_DEALS = "gold.deals"
_SCORES = "gold.lead_scores"


@dataclass(frozen=True)
class Card:
    """An account to contact.

    Attributes:
        row: Its row of the call plan.
        deal: Its best open deal, as gold has it: at least `lead_id`, `stage`, `deal_value`, `expected_close_date`.
        why_now: One sentence.
        last: `channel`, `outcome`, `direction` and `occurred_at` of the last touch; None where there was none.
        opening: What to say first.
        ask: What to ask for.
        refused: Channels that the account, or the person whom the plan names, must not be contacted on.
        knows_people: Whether contacts of the account are known.
        situation: What drafts are written from.
        language: That of whoever is written to.
    """

    row: dict[str, Any]
    deal: dict[str, Any]
    why_now: str
    last: dict[str, Any] | None
    opening: str
    ask: str
    refused: frozenset[str | None]
    knows_people: bool
    situation: drafts.Situation
    language: str

    def letter(self, settings: AgentSettings, first_name: str = "") -> tuple[str, str]:
        """Subject and text of an e-mail, in the language of the account."""
        return drafts.letter(settings, dataclasses.replace(self.situation, language=self.language), first_name)


def cards(tools: Tools, day: date, owner: str | None = None, count: int = 10) -> tuple[Found, list[Card]]:
    """The call plan of a day, and a card for each of its first accounts, those with most expected value first.

    Raises:
        MedallionError: There is no such rep, or the day is before gold's last.
    """
    plan = tools.call_plan(owner, count, day)
    rows = sorted(plan.rows, key=lambda row: -(row["expected_value"] or 0))[:count]
    keys = [row["lead_id"] for row in rows]
    deals = {row["lead_id"]: row for row in tools.serving.rows(
        f"select * from {_DEALS} where lead_id in (select unnest(?))", [keys])}  # fmt: skip
    trends = {}
    if _SCORES in tools.serving.versions:
        sql = (
            f"select lead_id, trend, probability, previous_probability from {_SCORES} where lead_id in (select unnest(?)) "
            "and as_of = ? qualify row_number() over (partition by lead_id order by known_as_of desc) = 1"
        )
        trends = {row["lead_id"]: row for row in tools.serving.rows(sql, [keys, tools.serving.as_of])}
    people = consent.people(tools.serving, [row["customer_id"] for row in rows], keys)
    return plan, [
        _card(
            tools, row, deals[row["lead_id"]], trends.get(row["lead_id"], {}), people.get(row["customer_id"], []), day
        )
        for row in rows
    ]


def _card(
    tools: Tools,
    row: dict[str, Any],
    deal: dict[str, Any],
    trend: dict[str, Any],
    people: Sequence[consent.Person],
    day: date,
) -> Card:
    last = None
    if row["last_interaction_at"] is not None:
        last = {
            "channel": row["last_channel"],
            "outcome": row["last_outcome"],
            "direction": row["last_direction"],
            "occurred_at": row["last_interaction_at"],
        }
    situation = drafts.Situation.of(row["customer_name"], last, deal, tools.day)
    opening, ask = drafts.opening(situation)
    why = why_now(row, deal, trend, tools.day, day, tools.serving.currency)
    blocked = consent.in_force(tools.rules.suppressed, day)
    named = [person for person in people if person["contact_id"] == row["contact_id"]]
    refuses = {channel for channel in CHANNELS for person in named if consent.why_not(person, channel, blocked)}
    refused = tools.rules.refused(row["customer_id"], day) | refuses
    opening = opening[:1].upper() + opening[1:]
    language = drafts.spoken(row["country"], named[0] if named else None)
    return Card(row, deal, why, last, opening, ask, refused, bool(people), situation, language)


def why_now(
    row: dict[str, Any], deal: dict[str, Any], trend: dict[str, Any], as_of: date, day: date, currency: str
) -> str:
    """The most pressing reason to call an account on a day, in one sentence, from what is known as of another."""
    silent, outcome = row["days_silent"], row["last_outcome"]
    ago = "today" if silent == 0 else "yesterday" if silent == 1 else f"{silent} days ago"
    fresh = silent is not None and silent <= FRESH_DAYS
    closes = deal.get("expected_close_date")
    nears = due(closes, as_of)
    if outcome == "meeting_booked" and fresh:
        return f"A meeting was booked {ago}: confirm it and prepare."
    if closes is not None and nears == "passed":
        return f"The deal was expected to close {figures.count((day - closes).days, 'day')} ago and is still open."
    if closes is not None and nears == "near":
        left = (closes - day).days
        when = "today" if left == 0 else f"in {figures.count(left, 'day')}" if left > 0 else f"on {figures.day(closes)}"
        return f"The deal is expected to close {when}."
    if outcome == "positive" and fresh:
        return f"The last answer was positive, {ago}."
    if trend.get("trend") == "improving":
        before, now = (figures.percent(trend[name], 0) for name in ("previous_probability", "probability"))
        return f"The probability to win rose from {before} to {now} since the last score."
    stake = figures.money(row["at_stake"], currency)
    if silent is None:
        return f"{stake} at stake, and nobody has been in touch yet."
    if silent > metrics.threshold("silent_days"):
        return f"{stake} at stake, and nobody has been in touch for {silent} days."
    likely = "" if row["probability"] is None else f", {figures.percent(row['probability'], 0)} likely"
    return f"{stake} at stake{likely}; last contact {ago}{', without an answer' if outcome == 'no_answer' else ''}."
