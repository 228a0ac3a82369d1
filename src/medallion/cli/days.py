"""Days and times that people write on the command line."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime
from typing import Annotated

import typer

from medallion.config import end_of_day

_DATED = re.compile(r"(?<!\d)(\d{4})-?(0[1-9]|1[0-2])(?:-?([0-3]\d))?(?!\d)")
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


def time(text: str | None, name: str = "--known-as-of") -> datetime | None:
    """A time in UTC; a day alone means through its end; `name` is the option that it is of."""
    if text is None:
        return None
    try:
        if len(text) == len("2025-06-30"):
            return end_of_day(date.fromisoformat(text))
        known = datetime.fromisoformat(text)
        return known.astimezone(UTC).replace(tzinfo=None) if known.tzinfo else known
    except (ValueError, OverflowError):
        message = f"{text!r} is neither a date nor a time such as 2025-06-30T18:00"
        raise typer.BadParameter(message, param_hint=name) from None


def of_delivery(text: str | None, source: str) -> datetime | None:
    """When a delivery came: the time given, or with `name` the end of the day or month in its folder's name."""
    if text != "name":
        return time(text, "--known-at")
    folder = source.rstrip("/").rpartition("/")[2]
    dates = _DATED.findall(folder)
    try:
        if len(dates) == 1:
            year, month, on = (int(part) for part in (*dates[0][:2], dates[0][2] or 0))
            return end_of_day(date(year, month, on or calendar.monthrange(year, month)[1]))
    except ValueError:  # no such day
        pass
    raise typer.BadParameter(
        f"the folder {folder!r} does not name one day or month, such as 2025-06-30 or 2025-06", param_hint="--known-at"
    )
