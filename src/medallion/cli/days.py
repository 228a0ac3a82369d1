"""Days and times that people write on the command line."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

import typer

from medallion.config import end_of_day

KnownAsOf = Annotated[
    str | None,
    typer.Option(help="Count only what was known before this time (UTC): a date and time, or a date for its end."),
]


def day(text: str, name: str) -> date:
    """A day such as 2025-06-30; `name` is the argument that it is of."""
    try:
        return end_of_day(date.fromisoformat(text)).date() and date.fromisoformat(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a date such as 2025-06-30", param_hint=name) from None


def time(text: str | None) -> datetime | None:
    """A time in UTC; a day alone means through its end."""
    if text is None:
        return None
    try:
        if len(text) == len("2025-06-30"):
            return end_of_day(date.fromisoformat(text))
        known = datetime.fromisoformat(text)
        return known.astimezone(UTC).replace(tzinfo=None) if known.tzinfo else known
    except (ValueError, OverflowError):
        message = f"{text!r} is neither a date nor a time such as 2025-06-30T18:00"
        raise typer.BadParameter(message, param_hint="--known-as-of") from None
