"""The order of day, month and year in dates that are written in figures, by what a column's texts say."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

_DAY_MONTH_YEAR = re.compile(r"([0-9]{1,2})([/.-])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})(?![0-9])")
#: Dates with the year first: the year, then two figures, which may be a month and a day or a day and a month.
_YEAR_FIRST = re.compile(
    r"([0-9]{4})(?:([-/.])([0-9]{1,2})\2([0-9]{1,2})(?![0-9])|([0-9]{2})([0-9]{2})(?=(?:[0-9]{6})?\Z))"
)
#: What two digits of a year stand for where no date of four tells: 1969 to 2068.
SINCE = 1969
SURE, NEAR = 365, 730
#: So many dates of what has happened that would be yet to come are no slips.
_SEVERAL = 2


@dataclass(frozen=True)
class OtherOrder:
    """What dates say that usually have one order of day and month: examples of those that are real days in the `usual`
    order alone, in the `other` alone, and in both (`either`), "" for none. One date alone is `few`.
    """

    usual: str = ""
    other: str = ""
    either: str = ""
    few: bool = False

    @property
    def decided(self) -> bool | None:
        """Whether it is the other order; None where the dates contradict each other, or one date alone says so of others."""
        return bool(self.other) if not self.usual or not self.other else None

    @property
    def vote(self) -> bool | None:
        """The same, None also where nothing tells."""
        return self.decided if self.usual or self.other else None

    @property
    def is_doubtful(self) -> bool:
        """Whether the dates contradict each other, or one of them alone says that others have the other order."""
        return bool(self.other) and bool(self.usual or (self.few and self.either))


@dataclass(frozen=True)
class DayOrder:
    """What texts such as 3/4/2025 say about the order of day and month: an example of each kind, "" for none.

    `day_first` and `month_first` are real dates in that order alone; `either` is two different dates. `dots` is about
    dates such as 3.4.2025, usually day first, and `after_year` about 2025-04-03, usually month first.
    """

    day_first: str = ""
    month_first: str = ""
    either: str = ""
    #: Whether years of two digits come first; None where that may be so.
    years: bool | None = field(default=False, repr=False)
    dots: OtherOrder = field(default=OtherOrder(), repr=False)
    after_year: OtherOrder = field(default=OtherOrder(), repr=False)

    @property
    def year_elsewhere(self) -> bool | None:
        """What it says of years in other columns: whether they come first."""
        known = self.day_first or self.month_first or self.either
        return False if self.years is False and known else self.years or None

    @property
    def decided(self) -> bool | None:
        """True for day first, False for month first, None when the texts contradict each other or do not tell."""
        return None if bool(self.day_first) == bool(self.month_first) else bool(self.day_first)

    @property
    def contradicts(self) -> bool:
        """Whether some texts are dates only day first and others only month first."""
        return bool(self.day_first and self.month_first)


def day_order(texts: Iterable[str], span: Span | None = None) -> DayOrder:
    """What a column's texts say about the order of day and month, and of years of two digits, which other dates may tell.
    Dates with dots, and those with the year first, tell nothing of others.

    >>> day_order(["02/03/2025", "2025-01-31", "31/12/2024", "31/02/2025"])
    DayOrder(day_first='31/12/2024', month_first='', either='02/03/2025')
    >>> day_order(["5/5/2025", "12.01.2025"])
    DayOrder(day_first='', month_first='', either='')
    """
    texts = list(texts)
    examples = dict.fromkeys(("day_first", "month_first", "either"), "")
    days = [match for text in texts if (match := _DAY_MONTH_YEAR.match(text.strip()))]
    years = year_first((match.string for match in days if len(match[4]) == 2), span)
    for match in days:
        text = match.string
        if match[2] == ".":
            continue
        if years and len(match[4]) == 2:
            continue
        first, second, year = int(match[1]), int(match[3]), in_full(match[4])
        day, month = _is_date(year, second, first), _is_date(year, first, second)
        kind = "" if first == second else "either" if day and month else "day_first" if day else "month_first" * month
        if kind and not examples[kind]:
            examples[kind] = text.strip()
            if all(examples.values()):
                break
    return DayOrder(**examples, years=years, dots=dotted_order(texts), after_year=order_after_year(texts))


def dotted_order(texts: Iterable[str]) -> OtherOrder:
    """What dates such as 12.31.2025 say: whether the month comes first.

    >>> dotted_order(["31.12.2025", "2.3.2025"]).decided, dotted_order(["12.31.2025", "12.30.2025", "2.3.2025"]).decided
    (False, True)
    """
    matches = (match for text in texts if (match := _DAY_MONTH_YEAR.match(text.strip())) and match[2] == ".")
    return _other_order((m[0], in_full(m[4]), int(m[3]), int(m[1])) for m in matches)


def order_after_year(texts: Iterable[str]) -> OtherOrder:
    """What dates such as 2025-22-11 say: whether the day comes before the month.

    >>> order_after_year(["2025-12-31"]).decided, order_after_year(["20252211", "20252311", "20250405"]).decided
    (False, True)
    """
    matches = (match for text in texts if (match := _YEAR_FIRST.match(text.strip())))
    return _other_order((m[0], int(m[1]), int(m[3] or m[5]), int(m[4] or m[6])) for m in matches)


def _other_order(dates: Iterable[tuple[str, int, int, int]]) -> OtherOrder:
    """What texts say, each with its year, month and day as usual; a few against many are slips."""
    examples: dict[str, set[str]] = {"usual": set(), "other": set(), "either": set()}
    for text, year, month, day in dates:
        usual, other = _is_date(year, month, day), _is_date(year, day, month)
        if (usual or other) and day != month:
            examples["either" if usual and other else "usual" if usual else "other"].add(text)
    least = max(2, 0.01 * sum(map(len, examples.values())))
    for kind, contrary in (("other", "usual"), ("usual", "other")):
        if len(examples[kind]) < least and examples[contrary]:
            examples[kind].clear()
    return OtherOrder(
        **{kind: min(some, default="") for kind, some in examples.items()}, few=len(examples["other"]) < 2
    )


def in_full(year: str, since: int = SINCE) -> int:
    """The year that its digits stand for, two of them within a hundred years.

    >>> in_full("25"), in_full("99"), in_full("2025"), in_full("60", since=1950)
    (2025, 1999, 2025, 1960)
    """
    return int(year) if len(year) > 2 else since + (int(year) - since) % 100


def year_first(texts: Iterable[str], span: Span | None = None) -> bool | None:
    """Whether dates with two digits of the year, such as 25/03/14, have the year first; None where all of them are real
    dates with the year first and with the year last, and other dates are near neither or both. Dots have the year last
    where they can.

    >>> year_first(["25/03/14", "32/11/02"]), year_first(["14/03/25", "2/11/24"]), year_first(["24/05/06", "24/07/08"])
    (True, False, None)
    >>> year_first(["24/05/06"], Span(date(2024, 1, 1), date(2025, 1, 1))), year_first(["24.05.06"])
    (True, False)
    """
    texts = list(texts)
    dates = {match.groups() for text in texts if (match := _DAY_MONTH_YEAR.match(text.strip()))}
    short = [(first, int(middle), year) for first, _, middle, year in dates if len(year) == 2]

    def is_real(year: str, month: int, day: int) -> bool:
        return _is_date(in_full(year), month, day)

    if not short or not all(len(first) == 2 and is_real(first, middle, int(year)) for first, middle, year in short):
        return False
    if not all(is_real(last, middle, int(first)) or is_real(last, int(first), middle) for first, middle, last in short):
        return True
    if all(mark == "." for _, mark, _, year in dates if len(year) == 2):
        return False
    readings = [as_read(text.strip()) for text in texts]
    near = {}
    for first, orders in ((True, ("year",)), (False, ("day", "month"))):
        days = [day for read in readings for order, day in read.items() if order in orders and "year" in read]
        near[first] = span.off(min(days), max(days)) if span else 0
    for first in (True, False):
        if near[first] <= NEAR and near[not first] - near[first] >= SURE:
            return first
    return None


def by_present(texts: Iterable[str], today: date) -> bool | None:
    """Whether the day is first in dates of what has happened, where the other order puts several of them after today.

    >>> by_present(["12/03/2026", "12/04/2026", "01/02/2026"], date(2026, 6, 1)), by_present(["1/2/2026"], date(2026, 6, 1))
    (True, None)
    """
    readings = [as_read(text) for text in {*texts} if "." not in text]
    late = {order: sum(order in read and read[order] > today for read in readings) for order in ("day", "month")}
    if min(late.values()) or max(late.values()) < _SEVERAL:
        return None
    return late["day"] == 0


def as_read(text: str) -> dict[str, date]:
    """The day that a text such as 05/06/24 is with the day, the month or the year first, where that is a real date.

    >>> {order: day.isoformat() for order, day in as_read("05/06/24").items()}
    {'day': '2024-06-05', 'month': '2024-05-06', 'year': '2005-06-24'}
    """
    match = _DAY_MONTH_YEAR.match(text)
    if not match:
        return {}
    first, second, last = int(match[1]), int(match[3]), in_full(match[4])
    parts = {"day": (last, second, first), "month": (last, first, second)}
    if len(match[1]) == len(match[4]) == 2:
        parts["year"] = (in_full(match[1]), second, int(match[4]))
    return {order: date(*day) for order, day in parts.items() if _is_date(*day)}


def _is_date(year: int, month: int, day: int) -> bool:
    return year > 0 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


@dataclass(frozen=True)
class Span:
    """The first and the last day of other dates that are known; what is written otherwise is likely near them."""

    first: date
    last: date

    @property
    def since(self) -> int:
        """The first of the hundred years that two digits stand for: up to two decades after the newest date."""
        return self.last.year // 10 * 10 - 70

    def off(self, first: date, last: date) -> int:
        """By how many days other dates lie outside."""
        return max(0, (self.first - first).days, (last - self.last).days)

    @classmethod
    def of(cls, days: Iterable[date | None]) -> Span | None:
        """The span of some days, None where there is none."""
        known = [day for day in days if day]
        return cls(min(known), max(known)) if known else None


def span_of(columns: Iterable[Iterable[str]]) -> Span | None:
    """The span of the dates of columns: those with a plain year, else those of columns whose short years come last."""
    listed = [list(texts) for texts in columns]
    plain = (
        text for texts in listed for text in texts if not re.match(r"[0-9]+([/.-])[0-9]+\1[0-9]{2}(?![0-9])", text)
    )
    last = (text for texts in listed if year_first(texts) is False for text in texts)
    return Span.of(about(plain)) or Span.of(about(last))


def about(texts: Iterable[str]) -> Iterator[date]:
    """The days, or the first and last day of the years, of texts whose year is plain; others tell nothing."""
    for text in texts:
        if match := re.match(r"(19[89]|20[0-5])[0-9]-[0-9]{2}-[0-9]{2}", text):
            try:
                yield date.fromisoformat(match[0])
            except ValueError:
                continue
        elif match := _DAY_MONTH_YEAR.match(text):
            year = in_full(match[4])
            if 1980 <= year < 2060:  # others stand for no date at all
                yield from (date(year, 1, 1), date(year, 12, 31))
