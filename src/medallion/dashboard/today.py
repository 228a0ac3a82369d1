"""The first page of a rep: whom to contact today, from the plan that the agent gives, and what was done with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

from medallion.agent import cards, serving
from medallion.agent.cards import Card
from medallion.agent.rules import rules
from medallion.agent.serving import Serving
from medallion.agent.tools import Tools
from medallion.care import follow_ups
from medallion.care.follow_ups import FollowUp
from medallion.config import Settings, system_user
from medallion.dashboard.reading import Reading

#: Cards on the page.
CARDS = 10
#: For how many days an account may be snoozed.
SNOOZES = {1: "a day", 7: "a week", 30: "a month"}


@dataclass(frozen=True)
class Person:
    """Whom to contact at an account."""

    name: str
    role: str
    phone: str
    email: str


@dataclass(frozen=True)
class Shown:
    """A card as the page shows it.

    Attributes:
        card: What the agent says.
        person: Whom to contact; None where personal data is not shown, or none is known.
        said: What was noted of the last touch; empty where personal data is not shown.
        mail: Address of a new e-mail with the draft.
        phone: Address that calls; empty where no number is shown.
    """

    card: Card
    person: Person | None
    said: str
    mail: str
    phone: str


def tools(reading: Reading, settings: Settings) -> Tools:
    """The agent's tools over the version that the dashboard reads."""

    def opened() -> Serving:
        versions = {name: reading.version(name) for name in serving.TABLES if name in reading.tables}
        served = Serving(reading.lake, reading.cursor(), versions, reading.last_day)
        served.currency, served.currencies = reading.currency, reading.currencies
        return served

    return Tools(reading.once("serving", opened), rules(settings.agent, reading.lake))


def day_of(reading: Reading) -> date | None:
    """The day of the plan: the one after the last of the data."""
    return reading.last_day + timedelta(days=1) if reading.last_day else None


def owners(reading: Reading) -> tuple[str, ...]:
    """Whose plan may be shown: those with an open deal."""
    sql = "select distinct owner from gold.deals where status = 'open' and owner is not null order by 1"
    return tuple(row["owner"] for row in reading.rows(sql))


def today(reading: Reading, settings: Settings, owner: str | None, *, pii: bool) -> dict[str, Any]:
    """What the page shows; `owner` is one of `owners`."""
    day = day_of(reading)
    if day is None:
        return {"day": None, "cards": [], "total": 0, "note": "", "dealt_with": []}
    plan, planned = cards.cards(tools(reading, settings), day, owner, CARDS)
    people = _people(reading, planned) if pii else {}
    notes = _notes(reading, planned) if pii else {}
    shown = [
        _shown(card, people.get(card.row["lead_id"]), notes.get(card.row["customer_id"], ""), settings)
        for card in planned
    ]
    return {
        "day": day,
        "cards": shown,
        "total": plan.count,
        "note": plan.note,
        "dealt_with": _dealt_with(reading, day, owner),
    }


def _shown(card: Card, person: Person | None, note: str, settings: Settings) -> Shown:
    refuses = {None} & card.refused
    subject, body = card.letter(settings.agent, (person.name.split() or [""])[0] if person else "")
    may_mail = not refuses and "email" not in card.refused and (person is None or bool(person.email))
    may_call = not refuses and "call" not in card.refused and person is not None and bool(person.phone)
    to = quote(person.email, safe="@") if person else ""
    mail = f"mailto:{to}?subject={quote(subject)}&body={quote(body)}" if may_mail else ""
    person = person and replace(person, phone=person.phone if may_call else "", email=person.email if may_mail else "")
    digits = "".join(sign for sign in person.phone if sign.isdigit() or sign == "+") if person else ""
    return Shown(card, person, note, mail, f"tel:{digits}" if may_call and digits else "")


def _people(reading: Reading, planned: Iterable[Card]) -> dict[str, Person]:
    """Whom to contact about each deal: the contact in the plan, or the one in the deal where no contacts are known."""
    contacts = {card.row["contact_id"]: card.row["lead_id"] for card in planned if card.row["contact_id"]}
    people: dict[str, Person] = {}
    if contacts:
        rows = reading.rows(
            "select contact_id, contact_name, job_title, role, phone, email from silver.contacts_clean "
            "where contact_id in (select unnest(?))",
            [tuple(contacts)],
        )
        for row in rows:
            title = _spaced(row["job_title"] or row["role"])
            lead = contacts[row["contact_id"]]
            people[lead] = Person(row["contact_name"] or "", title, row["phone"] or "", row["email"] or "")
    if missing := [card.row["lead_id"] for card in planned if not card.knows_people]:
        rows = reading.rows(
            "select l.lead_id, l.lead_name, coalesce(l.phone, c.phone) as phone, coalesce(l.email, c.email) as email "
            "from silver.leads_clean l left join silver.customers_clean c on c.customer_id = l.customer_id "
            "where l.lead_id in (select unnest(?))",
            [tuple(missing)],
        )
        for row in rows:
            if any((row["lead_name"], row["phone"], row["email"])):
                people[row["lead_id"]] = Person(row["lead_name"] or "", "", row["phone"] or "", row["email"] or "")
    return people


def _spaced(text: str | None) -> str:
    return (text or "").replace("_", " ")


def _notes(reading: Reading, planned: Iterable[Card]) -> dict[str, str]:
    """The note of each account's last touch."""
    last = {card.row["customer_id"]: card.last["occurred_at"] for card in planned if card.last}
    if not last or "silver.interactions_clean" not in reading.tables:
        return {}
    rows = reading.rows(
        "select customer_id, notes from silver.interactions_clean where occurred_at in (select unnest(?::timestamptz[])) "
        "and customer_id in (select unnest(?)) "
        "qualify row_number() over (partition by customer_id order by occurred_at desc, interaction_id) = 1",
        [tuple(last.values()), tuple(last)],
    )
    return {row["customer_id"]: " ".join(row["notes"].split())[:400] for row in rows if (row["notes"] or "").strip()}


def _dealt_with(reading: Reading, day: date, owner: str | None) -> list[dict[str, Any]]:
    """What was recorded for a day's plan, the newest first, with the name of the account; notes are left out."""
    every = [
        follow_up
        for follow_up in follow_ups.latest(follow_ups.every(reading.lake)).values()
        if follow_up.plan_day == day
    ]
    keys = tuple(follow_up.customer_id for follow_up in every)
    sql = (
        "select f.customer_id, f.customer_name, list(distinct d.owner) as owners from gold.customer_features f "
        "left join gold.deals d on d.customer_id = f.customer_id and d.status = 'open' "
        "where f.customer_id in (select unnest(?)) group by all"
    )
    known = {row["customer_id"]: row for row in reading.rows(sql, [keys])} if keys else {}
    return [
        {
            "name": known[follow_up.customer_id]["customer_name"] or follow_up.customer_id,
            **vars(follow_up),
            "says": says(follow_up),
        }
        for follow_up in sorted(every, key=lambda follow_up: follow_up.recorded_at, reverse=True)
        if follow_up.customer_id in known and (owner is None or owner in known[follow_up.customer_id]["owners"])
    ]


def says(follow_up: FollowUp) -> str:
    """What was done, in words."""
    return {"done": "Done", "not_now": "Not today"}.get(follow_up.kind, f"Snoozed until {follow_up.until_day}")


def user(proxy: str | None, *, shared: bool) -> str:
    """Who records: the user that a sign-in proxy names, or the one of this system where nobody else can come in."""
    return proxy or ("dashboard" if shared else system_user())
