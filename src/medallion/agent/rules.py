"""The house rules of selling: how many contacts a rep can make, how long an account is left alone, whom not to contact."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from medallion.config import AgentSettings
from medallion.errors import MedallionError

CHANNELS = ("call", "email", "whatsapp", "meeting")
_HEADER = ("customer_id", "channel", "until", "reason")


@dataclass(frozen=True)
class Suppressed:
    """An account that must not be contacted: on one channel or, without it, at all; until a day or, without it, ever."""

    customer_id: str
    channel: str | None = None
    until: date | None = None
    reason: str = ""


@dataclass(frozen=True)
class Rules:
    """What the call list keeps to."""

    capacity: int = 20
    rest_days: int = 2
    suppressed: tuple[Suppressed, ...] = ()


def rules(settings: AgentSettings) -> Rules:
    """The rules as the settings have them, with the suppression list read.

    Raises:
        MedallionError: The list cannot be read; names file, line and value.
    """
    listed = suppressed(settings.suppressions) if settings.suppressions else ()
    return Rules(settings.capacity, settings.rest_days, listed)


def suppressed(path: Path) -> tuple[Suppressed, ...]:
    """The suppression list: CSV with `customer_id`, and optionally `channel`, `until` and `reason`.

    Raises:
        MedallionError: It cannot be read, or a line says something impossible.
    """
    found = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if "customer_id" not in (reader.fieldnames or ()):
                raise MedallionError(f"{path}: has no column customer_id", f"Header: {','.join(_HEADER)}.")
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
                key = (row["customer_id"] or "").strip()
                if not key:
                    raise MedallionError(f"{place}: customer_id is empty", "Give the key of an account.")
                found.append(Suppressed(key, channel, until, (row.get("reason") or "").strip()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MedallionError(
            f"{path}: cannot be read: {error}", "Check `agent.suppressions` in config.yaml."
        ) from error
    return tuple(found)
