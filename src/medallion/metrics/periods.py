"""Periods of time as people write them, as days: `2025-Q1`, `last 3 months`, `ytd`, `2025-01-01 to 2025-03-15`.

What is relative counts from a day that is given, the last day of the data; no clock is read. `last 30 days` ends on
that day; `last 3 months` are the last three months that are over, the current one among them on its last day.
"""

from __future__ import annotations

import calendar
import difflib
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from medallion.errors import ContractError

UNITS = ("day", "week", "month", "quarter", "year", "fiscal_quarter", "fiscal_year")
#: By what a day may be split: a dimension is written `closed_date:month`.
GRAINS = UNITS
_MONTHS = {"month": 1, "quarter": 3, "year": 12, "fiscal_quarter": 3, "fiscal_year": 12}
_TO_DATE = {
    "wtd": "week", "mtd": "month", "qtd": "quarter", "ytd": "year",
    "fqtd": "fiscal_quarter", "fytd": "fiscal_year",
}  # fmt: skip
_MONTH_NAMES = {
    name.casefold(): number
    for names in (calendar.month_name, calendar.month_abbr)
    for number, name in enumerate(names)
    if number
}
EXAMPLES = (
    "2025-06-30", "2025-06", "2025-Q2", "2025", "FY2025", "FY2025-Q1", "today", "yesterday", "this month",
    "last quarter", "next month", "last 30 days", "last 3 months", "next 2 weeks", "mtd", "qtd", "ytd", "fytd",
    "since 2025-01", "until 2025-03", "2025-01 to 2025-03",
)  # fmt: skip
_UNIT = "day|week|month|quarter|year|fiscal quarter|fiscal year"
_FORMS = ("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y%m%d", "%d %B %Y", "%B %d, %Y", "%d-%m-%Y", "%m-%d-%Y")
_MOST = 10_000


@dataclass(frozen=True)
class Span:
    """Days from the first to the last, both included.

    Attributes:
        first: The first day; None for no beginning.
        last: The last day; None for no end.
        unit: What it is one or several of, or the begun part of; None for days between two dates.
        text: As it was written.
    """

    first: date | None
    last: date | None
    unit: str | None = None
    text: str = ""

    def __str__(self) -> str:
        if self.first is None and self.last is None:
            return "all time"
        if self.first is None:
            return f"until {self.last}"
        if self.last is None:
            return f"since {self.first}"
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"


@dataclass(frozen=True)
class Today:
    """What relative periods count from.

    Attributes:
        day: The day; None where the data has none.
        fiscal: The month with which the fiscal year begins.
    """

    day: date | None
    fiscal: int = 1


def read(text: str, today: Today) -> Span:
    """The days that a text means.

    Raises:
        ContractError: It means none, lies outside of years 1 to 9999, or is relative and there is no day to count from.
    """
    words = " ".join(text.split()).casefold()
    try:
        span = _range(words, today) or _single(words, today)
    except (ValueError, OverflowError):
        span = None
    if span is None:
        known = sorted(EXAMPLES)
        near = difflib.get_close_matches(words[:40], [example.casefold() for example in known], n=3, cutoff=0.6)
        some = near or ("2025-Q1", "2025-06", "last quarter", "last 30 days", "ytd", "2025-01-01 to 2025-03-15")
        raise ContractError(f"{text[:80]!r} is no period of time", f"Such as {', '.join(some)}.")
    if span.first and span.last and span.first > span.last:
        raise ContractError(f"{text[:80]!r} ends before it begins", "Change one of the two.")
    return Span(span.first, span.last, span.unit, " ".join(text.split()))


def perhaps(text: str) -> list[str]:
    """Days that a text in another form may mean, such as 06/01/2025."""
    days = []
    for form in _FORMS:
        with suppress(ValueError):
            days.append(datetime.strptime(text.strip()[:40], form).date().isoformat())  # noqa: DTZ007 - a day has no zone
    return list(dict.fromkeys(days))


def _range(words: str, today: Today) -> Span | None:
    if words in ("all", "all time", "ever"):
        return Span(None, None)
    if match := re.fullmatch(r"since (.+)|(.+) ?\.\.", words):
        span = _single((match[1] or match[2]).strip(), today)
        return span and Span(span.first, None)
    if match := re.fullmatch(r"(?:until|through) (.+)|\.\. ?(.+)", words):
        span = _single((match[1] or match[2]).strip(), today)
        return span and Span(None, span.last)
    parts = re.split(r" ?\.\. ?| to | through ", words)
    if len(parts) == 2:
        first, last = (_single(part.strip(), today) for part in parts)
        return Span(first.first, last.last) if first and last else None
    return None


def _single(words: str, today: Today) -> Span | None:
    return _written(words, today.fiscal) or _relative(words, today)


def _written(words: str, fiscal: int) -> Span | None:
    """A day, week, month, quarter or year by its name."""
    if match := re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", words):
        day = date(int(match[1]), int(match[2]), int(match[3]))
        return Span(day, day, "day")
    if match := re.fullmatch(r"(\d{4})-(\d{2})", words):
        return _of(date(int(match[1]), int(match[2]), 1), "month", fiscal)
    if match := re.fullmatch(r"([a-z]+) (\d{4})", words):
        month = _MONTH_NAMES.get(match[1])
        return _of(date(int(match[2]), month, 1), "month", fiscal) if month else None
    if match := re.fullmatch(r"(\d{4})[- ]?q([1-4])|q([1-4])[- ](\d{4})", words):
        year, quarter = int(match[1] or match[4]), int(match[2] or match[3])
        return _of(date(year, 3 * quarter - 2, 1), "quarter", fiscal)
    if match := re.fullmatch(r"(\d{4})-w(\d{2})", words):
        return _of(date.fromisocalendar(int(match[1]), int(match[2]), 1), "week", fiscal)
    if match := re.fullmatch(r"fy ?(\d{4})(?:[- ]?q([1-4]))?", words):
        first = date(int(match[1]) - (fiscal > 1), fiscal, 1)
        if match[2]:
            return _of(add_months(first, 3 * int(match[2]) - 3), "fiscal_quarter", fiscal)
        return _of(first, "fiscal_year", fiscal)
    if match := re.fullmatch(r"\d{4}", words):
        return _of(date(int(match[0]), 1, 1), "year", fiscal)
    return None


def _relative(words: str, today: Today) -> Span | None:
    day = _needed(words, today)
    named = {"today": 0, "yesterday": -1, "tomorrow": 1}
    if words in named:
        there = day + timedelta(days=named[words])
        return Span(there, there, "day")
    if words in _TO_DATE:
        return Span(start(day, _TO_DATE[words], today.fiscal), day, _TO_DATE[words])
    if match := re.fullmatch(rf"({_UNIT}) to date", words):
        unit = match[1].replace(" ", "_")
        return Span(start(day, unit, today.fiscal), day, unit)
    if match := re.fullmatch(rf"(this|current|last|previous|next) ({_UNIT})", words):
        unit = match[2].replace(" ", "_")
        current = _of(day, unit, today.fiscal)
        steps = {"last": -1, "previous": -1, "next": 1}.get(match[1], 0)
        return _of(moved(_first(current), unit, steps), unit, today.fiscal)
    if match := re.fullmatch(rf"(last|past|previous|next) (\d+) ({_UNIT})s?", words):
        return _several(match[1], int(match[2]), match[3].replace(" ", "_"), day, today.fiscal)
    if match := re.fullmatch(rf"(\d+) ({_UNIT})s? ago|in (\d+) ({_UNIT})s?", words):
        count = -int(match[1]) if match[1] else int(match[3])
        there = moved(day, (match[2] or match[4]).replace(" ", "_"), _few(count))
        return Span(there, there, "day")
    return None


def _needed(words: str, today: Today) -> date:
    if today.day is None:
        raise ContractError(f"{words[:80]!r} cannot be counted: the data has no days", "Run `medallion run` first.")
    return today.day


def _few(count: int) -> int:
    if abs(count) > _MOST:
        raise ValueError(count)
    return count


def _several(way: str, count: int, unit: str, day: date, fiscal: int) -> Span | None:
    if _few(count) < 1:
        return None
    if way == "next":
        first = moved(start(day, unit, fiscal), unit, 1)
        return Span(first, moved(first, unit, count) - timedelta(days=1), unit)
    if unit == "day":
        return Span(day - timedelta(days=count - 1), day, "day")
    current = _of(day, unit, fiscal)
    after = moved(_first(current), unit, 1) if current.last == day else _first(current)
    return Span(moved(after, unit, -count), after - timedelta(days=1), unit)


def _of(day: date, unit: str, fiscal: int) -> Span:
    """The day, week, month, quarter or year that a day is in."""
    first = start(day, unit, fiscal)
    return Span(first, moved(first, unit, 1) - timedelta(days=1), unit)


def _first(span: Span) -> date:
    assert span.first is not None  # noqa: S101 - a unit has a beginning
    return span.first


def start(day: date, unit: str, fiscal: int = 1) -> date:
    """The first day of the unit that a day is in; weeks begin on Monday.

    >>> start(date(2025, 5, 14), "quarter"), start(date(2025, 3, 14), "fiscal_year", 4)
    (datetime.date(2025, 4, 1), datetime.date(2024, 4, 1))
    """
    if unit == "day":
        return day
    if unit == "week":
        return day - timedelta(days=day.weekday())
    begins = fiscal if unit.startswith("fiscal") else 1
    back = (day.month - begins) % 12 % _MONTHS[unit]
    return add_months(day.replace(day=1), -back)


def moved(day: date, unit: str, steps: int) -> date:
    """A day so many units later."""
    if unit in ("day", "week"):
        return day + timedelta(days=steps * (7 if unit == "week" else 1))
    return add_months(day, steps * _MONTHS[unit])


def add_months(day: date, months: int) -> date:
    """The same day so many months later; the last one of a shorter month.

    >>> add_months(date(2024, 2, 29), 12), add_months(date(2025, 1, 31), 1)
    (datetime.date(2025, 2, 28), datetime.date(2025, 2, 28))
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


@dataclass(frozen=True)
class Shift:
    """How far the period that is compared with lies before.

    Attributes:
        months: So many months.
        days: So many days, where it is none of months.
    """

    months: int = 0
    days: int = 0


def before(span: Span, compare: str, today: Today) -> tuple[Span, Span, Shift]:
    """The period itself as far as the data goes, the one to compare it with, and how far that lies before.

    A period that is not over is compared with the same part of the one before.

    Args:
        span: The period; it has a beginning.
        compare: `previous` for the period of the same length before, `year-ago` for the same a year before.
        today: The last day of the data.

    Raises:
        ContractError: The period has no beginning, or none of it has passed.
    """
    if span.first is None:
        raise ContractError(f"{span} has no beginning, so there is none before it", "Give a period such as ytd.")
    last = min(filter(None, (span.last, today.day)), default=None)
    if last is None or last < span.first:
        raise ContractError(f"{span}: none of it has passed", "Compare a period that the data reaches.")
    current = Span(span.first, last, span.unit, span.text)
    whole = span.last or last
    try:
        shift = Shift(months=12) if compare == "year-ago" else _own_length(span.first, whole, span.unit, today)
        return current, _shifted(current, whole, shift), shift
    except (ValueError, OverflowError):  # before year 1
        raise ContractError(f"there is no time before {span} to compare it with", "Give a later period.") from None


def _own_length(first: date, last: date, unit: str | None, today: Today) -> Shift:
    after = last + timedelta(days=1)
    if unit in _MONTHS and start(first, unit, today.fiscal) == first and after <= moved(first, unit, 1):
        return Shift(months=_MONTHS[unit])
    if unit != "day" and first.day == 1 and after.day == 1:
        return Shift(months=(after.year - first.year) * 12 + after.month - first.month)
    if unit == "week" and (last - first).days < 6:
        return Shift(days=7)
    return Shift(days=(after - first).days)


def _shifted(span: Span, whole: date, shift: Shift) -> Span:
    def move(day: date) -> date:
        return add_months(day, -shift.months) if shift.months else day - timedelta(days=shift.days)

    assert span.first is not None and span.last is not None  # noqa: S101, PT018 - cut to the data
    first, last = move(span.first), move(span.last)
    if shift.months and _ends_a_month(span.last) and span.last == whole:
        last = last.replace(day=calendar.monthrange(last.year, last.month)[1])
    return Span(first, last, span.unit)


def _ends_a_month(day: date) -> bool:
    return (day + timedelta(days=1)).day == 1
