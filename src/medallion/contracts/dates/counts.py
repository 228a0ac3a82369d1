"""Times that are counted: seconds from 1970, and days of Excel's two calendars."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from medallion.contracts.dates.day_order import NEAR, SURE, Span

#: Seconds of one unit of a time counted from 1970; such a time is plausible from 2000 to 2100.
EPOCHS = {"epoch s": 1, "epoch ms": 1_000, "epoch us": 1_000_000}
EPOCH_SHAPES = {
    "epoch s": "[0-9]{9,10}(?:[.][0-9]+)?",
    "epoch ms": r"[0-9]{12,13}(?:[.][0-9]+)?|/Date\([0-9]{12,13}(?:[+-][0-9]{4})?\)/",  # as .NET writes it in JSON
    "epoch us": "[0-9]{15,16}(?:[.][0-9]+)?",
}
EPOCH_ENDS = (946_684_800, 4_102_444_800)
#: The day 0 of a calendar that counts days, and the numbers that may be days: 1954 to 2119.
SERIALS = {"serial 1900": date(1899, 12, 30), "serial 1904": date(1904, 1, 1)}
SERIAL = r"[2-7][0-9]{4}(?:[.,][0-9]+)?"


def counted(text: str) -> float:
    """The figure of a time that is counted from 1970, `/Date(1741777200000)/` too."""
    figure = re.search(r"[0-9]+(?:\.[0-9]+)?", text)
    return float(figure[0]) if figure else 0.0


def serial(texts: list[str], span: Span | None) -> str | None:
    """The calendar in which days are counted, None where that cannot be told: the one that puts them near other dates.

    >>> year = Span(date(2025, 1, 1), date(2025, 12, 31))
    >>> serial(["45909"], year), serial(["44447"], year), serial(["45909"], None)
    ('serial 1900', 'serial 1904', None)
    """
    if not texts or span is None:
        return None
    off = sorted((span.off(*ends), name) for name, ends in _by_calendar(texts).items())
    return off[0][1] if off[0][0] <= NEAR and off[1][0] - off[0][0] >= SURE else None


def _by_calendar(texts: list[str]) -> dict[str, tuple[date, date]]:
    """The first and last day that numbers of days are, by each calendar."""
    numbers = [int(re.split("[.,]", text)[0]) for text in texts]
    return {name: (start + timedelta(min(numbers)), start + timedelta(max(numbers))) for name, start in SERIALS.items()}


def either_calendar(texts: Iterable[str]) -> str:
    """What is to be asked about numbers that may be days of either calendar, "" where there is none."""
    numbers = [text for text in texts if re.fullmatch(SERIAL, text)]
    if not numbers:
        return ""
    day, other = (days[0].isoformat() for days in _by_calendar(numbers[:1]).values())
    return f"{numbers[0]!r} may be {day} (Excel's days, `serial: 1900`) or {other} (`serial: 1904`)"


def instant(text: str, format_: str) -> datetime | None:
    """The time in UTC that a figure stands for by a format such as `epoch ms` or `serial 1900`."""
    if format_ in EPOCHS:
        return datetime(1970, 1, 1) + timedelta(seconds=counted(text) / EPOCHS[format_])  # noqa: DTZ001 - UTC as columns hold it
    if format_ in SERIALS:
        days = float(text.replace(",", "."))
        return datetime(*SERIALS[format_].timetuple()[:3]) + timedelta(seconds=round(days * 86_400))  # noqa: DTZ001
    return None
