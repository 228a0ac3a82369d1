"""Who at an account may be contacted on a channel, and why others may not: consent, and the suppression list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from medallion.agent.rules import Suppressed
from medallion.agent.serving import Serving

PEOPLE, LINKS = "gold.contact_activity", "silver.deal_contacts_clean"
_REFUSED = "consent = 'denied' or contact_id in (select unnest(?))"
Person = Mapping[str, Any]


def in_force(suppressed: Sequence[Suppressed], day: date | None) -> list[Suppressed]:
    """What of a suppression list holds on a day."""
    return [entry for entry in suppressed if entry.until is None or day is None or entry.until >= day]


def silent(serving: Serving, blocked: Sequence[Suppressed]) -> list[str]:
    """Accounts of which people are known and none may be contacted on any channel."""
    if PEOPLE not in serving.versions:
        return []
    sql = f"select customer_id from {PEOPLE} where customer_id is not null group by 1 having bool_and({_REFUSED}) order by 1"
    refused = [entry.contact_id for entry in blocked if entry.contact_id and entry.channel is None]
    return [row["customer_id"] for row in serving.rows(sql, [refused])]


def people(serving: Serving, accounts: Sequence[str], deals: Sequence[str] = ()) -> dict[str, list[Person]]:
    """The people of accounts in the order in which they are to be contacted; keys, roles and languages, no names.

    First those of the deals, then those who have given consent, then the main contact, then who was touched last.
    """
    if PEOPLE not in serving.versions:
        return {}
    links = f"(select contact_id, bool_or(is_primary = 'yes') as main, any_value(role) as part from {LINKS} where lead_id in (select unnest(?)) group by 1)"
    joined = f"left join {links} d using (contact_id)" if LINKS in serving.versions else ""
    order = "d.contact_id is not null desc, consent = 'granted' desc, coalesce(main, false) desc," if joined else ""
    role = "coalesce(d.part, a.role)" if joined else "a.role"
    rows = serving.rows(
        f"select a.customer_id, a.contact_id, {role} as role, a.consent, a.language from {PEOPLE} a {joined} "
        f"where a.customer_id in (select unnest(?)) order by a.customer_id, {order} a.last_touch_at desc nulls last, a.contact_id",
        [*([list(deals)] if joined else []), list(accounts)],
    )
    by_account: dict[str, list[Person]] = {}
    for row in rows:
        by_account.setdefault(row["customer_id"], []).append(row)
    return by_account


def why_not(person: Person, channel: str, blocked: Sequence[Suppressed]) -> str:
    """Why someone may not be contacted on a channel; empty where they may."""
    if person["consent"] == "denied":
        return "has denied consent"
    entries = (
        entry for entry in blocked if entry.contact_id == person["contact_id"] and entry.channel in (None, channel)
    )
    listed = next(entries, None)
    return "" if listed is None else listed.reason or "is on the suppression list"


def first(known: Sequence[Person], channel: str, blocked: Sequence[Suppressed]) -> Person | None:
    """The first of some people who may be contacted on a channel."""
    return next((person for person in known if not why_not(person, channel, blocked)), None)


def called(person: Person) -> str:
    """Someone by key and role."""
    role = f", {person['role'].replace('_', ' ')}" if person["role"] else ""
    return f"{person['contact_id']}{role}"
