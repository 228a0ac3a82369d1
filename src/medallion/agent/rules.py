"""The house rules of selling: how many contacts a rep can make, how long an account is left alone, whom not to contact."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from medallion.care import follow_ups
from medallion.config import AgentSettings
from medallion.errors import MedallionError
from medallion.lakehouse.store import Lakehouse

CHANNELS = ("call", "email", "whatsapp", "meeting")
#: Days within which an answer is fresh, and within which an expected close is near.
FRESH_DAYS = 14
_HEADER = ("customer_id", "contact_id", "channel", "until", "reason")


def due(closes: date | None, as_of: date) -> str:
    """Whether an expected close date has `passed` on the as-of day, as `overdue_deals` has it, or is `near`; empty for neither.

    >>> due(date(2025, 6, 29), date(2025, 6, 30)), due(date(2025, 6, 30), date(2025, 6, 30)), due(None, date(2025, 6, 30))
    ('passed', 'near', '')
    """
    if closes is None:
        return ""
    left = (closes - as_of).days
    return "passed" if left < 0 else "near" if left <= FRESH_DAYS else ""


@dataclass(frozen=True)
class Suppressed:
    """An account or person not to be contacted: on one channel or, without it, at all; until a day or, without it, ever."""

    customer_id: str
    channel: str | None = None
    until: date | None = None
    reason: str = ""
    contact_id: str = ""


@dataclass(frozen=True)
class Rules:
    """What the call list keeps to.

    Attributes:
        capacity: Accounts per rep.
        rest_days: Days that an account is left alone after a contact.
        suppressed: Who must not be contacted.
        put_off: The first day on which an account that someone has dealt with is planned again, by its key.
    """

    capacity: int = 20
    rest_days: int = 2
    suppressed: tuple[Suppressed, ...] = ()
    put_off: Mapping[str, date] = field(default_factory=dict)

    def refused(self, customer_id: str, on: date) -> frozenset[str | None]:
        """Channels that an account must not be contacted on, on a day; None stands for all of them."""
        return frozenset(
            entry.channel
            for entry in self.suppressed
            if entry.customer_id == customer_id and (entry.until is None or entry.until >= on)
        )


def rules(settings: AgentSettings, lake: Lakehouse) -> Rules:
    """The rules as the settings have them, with the suppression list read, and what people did with the plans so far.

    Raises:
        MedallionError: The list cannot be read; names file, line and value.
    """
    listed = suppressed(settings.suppressions) if settings.suppressions else ()
    put_off = follow_ups.put_off(follow_ups.every(lake), settings.rest_days)
    return Rules(settings.capacity, settings.rest_days, listed, put_off)


def suppressed(path: Path) -> tuple[Suppressed, ...]:
    """The suppression list: CSV with `customer_id` or `contact_id`, and optionally `channel`, `until` and `reason`.

    Raises:
        MedallionError: It cannot be read, or a line says something impossible.
    """
    entries = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if not {"customer_id", "contact_id"} & {*(reader.fieldnames or ())}:
                raise MedallionError(
                    f"{path}: has no column customer_id or contact_id", f"Header: {','.join(_HEADER)}."
                )
            for row in reader:
                place = f"{path}, line {reader.line_num}"
                channel = (row.get("channel") or "").strip().lower() or None
                if channel is not None and channel not in CHANNELS:
                    raise MedallionError(f"{place}: channel {channel!r} is none", f"Channels: {', '.join(CHANNELS)}.")
                text = (row.get("until") or "").strip()
                try:
                    until = date.fromisoformat(text) if text else None
                except ValueError as error:
                    raise MedallionError(f"{place}: until {text!r} is no date", "Write it as 2025-12-31.") from error
                key, person = ((row.get(name) or "").strip() for name in ("customer_id", "contact_id"))
                if not key and not person:
                    raise MedallionError(
                        f"{place}: customer_id and contact_id are empty", "Give the key of an account or of a contact."
                    )
                # of a person at an account the person alone
                entries.append(
                    Suppressed("" if person else key, channel, until, (row.get("reason") or "").strip(), person)
                )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MedallionError(
            f"{path}: cannot be read: {error}", "Check `agent.suppressions` in config.yaml."
        ) from error
    return tuple(entries)
