"""Times as questions say them: spans of a question as periods of `medallion.metrics.periods`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from medallion.agent.planner.lexer import Span
from medallion.agent.planner.lexicon import folded
from medallion.errors import ContractError
from medallion.metrics import periods
from medallion.metrics.periods import Today

_UNITS = ("day", "week", "month", "quarter", "year")
#: Units in the plural, of which a question has to say how many.
_SEVERAL = frozenset(
    [
        "days",
        "weeks",
        "months",
        "quarters",
        "years",
        "tage",
        "tagen",
        "wochen",
        "monate",
        "monaten",
        "quartale",
        "quartalen",
        "jahre",
        "jahren",
        "jours",
        "semaines",
        "trimestres",
        "ans",
        "annees",
        "dias",
        "semanas",
        "meses",
        "anos",
    ]
)
_EDGES = ("since", "until", "before", "after", "from", "between")


@dataclass(frozen=True)
class Time:
    """A period that a question names.

    Attributes:
        text: As `periods.read` takes it.
        place: The span that it begins with.
        floating: A month, quarter or half whose year the question may name elsewhere; `month.5`.
        year: Whether it is a year and nothing else.
        edge: `since` or `until`, where only one end is told; `as of` of the day of a state.
    """

    text: str
    place: int
    floating: str = ""
    year: bool = False
    edge: str = ""


def _several(way: str, number: int, unit: str) -> str:
    """A period of several units; the weeks ahead are counted in days from tomorrow on, since this week is not over.

    >>> _several("next", 2, "week"), _several("last", 2, "week"), _several("next", 3, "month")
    ('next 14 days', 'last 2 weeks', 'next 3 months')
    """
    ahead = way == "next" and unit == "week" and number > 0
    return f"next {7 * number} days" if ahead else f"{way} {number} {unit}s"


#: Words before a month, and before a day of a month.
_IN, _ON = frozenset({"in", "im", "en"}), frozenset({"on", "am", "le", "el"})
_ARTICLES = frozenset({"the", "dem", "den"})
_THE = frozenset({"the"})
#: Words between a part of a time and the time.
_PART_OF = frozenset({"of", "von", "vom", "des", "de", "du", "del"})
_ONE = frozenset({"a", "an", "one"})
_OF = frozenset({"of", "in", "the", "von", "vom", "im", "des", "de", "du", "del", "la"})
#: Kinds of words before a day of a month: `since May 24`.
_BESIDE_DAYS = ("to", "from", "since", "until", "before", "after", "between", "and", "deadline")


class Times:
    """Reads the times of a question and marks their spans as used.

    Attributes:
        found: The times, in order.
        doubt: What is not clear about a time; empty where all is.
    """

    def __init__(self, spans: Sequence[Span], today: Today, *, future: bool, day_first: bool = False) -> None:
        self.spans, self.today, self.future, self.day_first = spans, today, future, day_first
        self.found: list[Time] = []
        self.doubt = ""
        place = 0
        while place < len(spans):
            read = None if spans[place].used else self._range(place) or self._point(place)
            if read is None:
                place += 1
                continue
            time, after = read
            self._part_of_another(time, place, after)
            for span in spans[place:after]:
                span.used = True
            self.found.append(replace(time, place=place))
            place = after
        self._years()

    @property
    def day(self) -> date:
        """The day that relative times count from."""
        return self.today.day or date(1970, 1, 1)

    def _is(self, place: int, *kinds: str) -> bool:
        return place < len(self.spans) and not self.spans[place].used and self.spans[place].of(*kinds) is not None

    def _over(self, place: int) -> int:
        """The next place whose span says something."""
        while self._is(place, "neutral", "during", "comma") and not self._is(place, "this", "last", "next"):
            place += 1
        return place

    def number(self, place: int) -> int | None:
        """The whole number at a place."""
        if not self._is(place, "number", "num"):
            return None
        sense = self.spans[place].of("number", "num")
        return int(sense.name) if sense and sense.name.isdigit() else None

    def unit(self, place: int) -> str | None:
        """The unit of time at a place."""
        sense = self.spans[place].of("unit") if self._is(place, "unit") else None
        return sense.name if sense and sense.name in _UNITS else None

    def _range(self, place: int) -> tuple[Time, int] | None:
        """Since, until, before, after, from ... to, between ... and."""
        kind = next((edge for edge in _EDGES if self._is(place, edge)), None)
        if kind is None and self._is(place, "as_of") and (first := self._point(self._over(place + 1))):
            return Time(self._edge(first[0].text, 1), place, edge="as of"), first[1]
        if kind is None and not self._compares and (first := self._point(place)) and self._is_dash(first[1]):
            second = self._point(self._over(first[1] + 1))
            if second is not None and not (first[0].year and second[0].year):
                return self._from_to(place, first[0], second)  # 1 Jan to 31 March
        if (
            kind is None
            and self._is(place, "deadline")
            and self._point(self._over(place + 1))
            and not self.unit(place + 1)
        ):
            kind = "until"  # by the end of May
        if kind is None:
            return None
        first = self._point(self._over(place + 1)) or self._day_before(self._over(place + 1), kind)
        if first is None:
            return None
        time, after = first
        if (
            kind in ("between", "from", "since")
            and not (kind == "between" and self._compares and not self._are_days(time, after))
            and not (kind == "from" and time.floating and self._moves)
            and (self._is(after, "to", "and" if kind == "between" else "until", "until") or self._is_through(after))
        ):
            second = self._point(self._over(after + 1))
            if second is not None:
                return self._from_to(place, time, second)
        if kind in ("between", "from"):
            return None
        if kind == "since":
            return Time(f"since {self._edge(time.text, 0)}", place, edge="since"), after
        if kind == "until":
            return Time(f"until {self._edge(time.text, 1)}", place, edge="until"), after
        if kind == "after":
            last = date.fromisoformat(self._edge(time.text, 1))
            return Time(f"since {last + timedelta(days=1)}", place, edge="since"), after
        first_day = date.fromisoformat(self._edge(time.text, 0))
        return Time(f"until {first_day - timedelta(days=1)}", place, edge="until"), after

    def _day_before(self, place: int, kind: str) -> tuple[Time, int] | None:
        """The first of two days of a month that is named after the second: `between 10 and 20 June`."""
        day, at = self.number(place), place + 1
        if kind not in ("between", "from", "since") or day is None or not self._is(at, "and", "to", "until"):
            return None
        second = self._day_of_month(self._over(at + 1)) if self.number(self._over(at + 1)) is not None else None
        if second is None or not 0 < day <= 31:
            return None
        try:
            there = date.fromisoformat(second[0].text).replace(day=day)
        except ValueError:
            self.doubt = f"{day} is no day of that month"
            return None
        return Time(str(there), place), at

    def _from_to(self, place: int, earlier: Time, second: tuple[Time, int]) -> tuple[Time, int]:
        later, end = second
        earlier = self._same_year(earlier, later)
        first, last = self._edge(earlier.text, 0), self._edge(later.text, 1)
        if first > last:
            self.doubt = f"the time ends before it begins: {first} to {last}"
        return Time(f"{first} to {last}", place), end

    def _is_dash(self, place: int) -> bool:
        """Whether what stands at a place leads from the first to the last day of a time: `to`, or a dash."""
        return (
            self._is(place, "to", "until")
            or self._is_through(place)
            or (place < len(self.spans) and not self.spans[place].senses and self.spans[place].text in ("-", "\u2013"))
        )

    def _is_through(self, place: int) -> bool:
        """Whether `through` stands at a place: `January through March`."""
        return place < len(self.spans) and self.spans[place].text.casefold() in ("through", "thru")

    @property
    def _compares(self) -> bool:
        """Whether two times may be put against each other: how a figure moved from the one to the other."""
        kinds = ("vs", "compare", "up", "down", "change", "more", "fewer", "why")
        return any(span.of(*kinds) and not span.of("neutral") for span in self.spans)

    @property
    def _moves(self) -> bool:
        """Whether it is asked how a figure moved from one time to another."""
        return any(span.of("up", "down", "change") and not span.of("neutral", "last_year") for span in self.spans)

    def _same_year(self, earlier: Time, later: Time) -> Time:
        """`from January to March 2024`: the first is of the second's year."""
        year = self._edge(later.text, 0)[:4]
        if earlier.floating and not later.floating:
            earlier = self._of_year(earlier, int(year))
        while earlier.floating and self._edge(earlier.text, 0) > self._edge(later.text, 0):
            earlier = self._of_year(earlier, int(self._edge(earlier.text, 0)[:4]) - 1)
        return earlier

    def _edge(self, text: str, end: int) -> str:
        period = periods.read(text, self.today)
        day = (period.first, period.last)[end] or (period.last, period.first)[end]
        return str(day)

    def _point(self, place: int) -> tuple[Time, int] | None:
        """One day, week, month, quarter, half or year, or several of them."""
        place = self._over(place)
        if place >= len(self.spans) or self.spans[place].used:
            return None
        for read in (
            self._part_of,
            self._named,
            self._edge_of,
            self._day_of_month,
            self._this_unit,
            self._said_after,
            self._month,
            self._relative,
            self._ago,
            self._year,
        ):
            if point := read(place):
                return point
        return None

    def _named(self, place: int) -> tuple[Time, int] | None:
        span = self.spans[place]
        if written := span.of("day"):
            return Time(self._written(written.name), place), place + 1
        if written := span.of("short_day"):
            return self._short_day(written.name, place)
        if span.of("ordinal") and self._is_bare_day(place):
            return self._day_named(self.number(place) or 0, place)
        if before := span.of("days_back"):
            return Time(str(self.day - timedelta(days=int(before.name))), place), place + 1
        if span.of("weekend"):
            saturday = self.day - timedelta(days=self.day.weekday() + 2)  # the last one that is over
            saturday += timedelta(days=7 * self.future)
            return Time(f"{saturday} to {saturday + timedelta(days=1)}", place), place + 1
        if written := span.of("period"):
            return Time(written.name, place), place + 1
        now = span.of("now")
        if now and self._is(self._over(place + 1), now.name):  # for the month of May
            of_it = self._month(self._over(place + 1))
            return (replace(of_it[0], place=place), of_it[1]) if of_it else None
        if now and not self._is(
            self._over(place + 1), "before", "before_that", "number", "month", "quarter", *_EDGES, "last", "next", "ago"
        ):
            return Time(f"this {now.name}", place), place + 1
        for kind in ("ytd", "qtd", "mtd", "wtd", "today", "yesterday", "tomorrow"):
            if span.of(kind):
                return Time(kind, place), place + 1
        week = self.number(place + 1) if self.unit(place) == "week" else None
        if week and self._is(self._over(place + 3 if self._is(place + 2, "prep") else place + 2), "month"):
            self.doubt = f"week {week} of a month is not read: write its first and last day, or the week of the year as {self.day.year}-W23"
        if week and week <= 53 and not self._is(place + 2, "unit", "percent", "magnitude"):  # week 24
            year, after = self._a_year(place + 2)
            year = year or self.day.year - (week > self.day.isocalendar().week and not self.future)
            return Time(f"{year}-W{week:02}", place), after
        if weekday := span.of("weekday"):
            if of_week := self._weekday_of(int(weekday.name), place):
                return of_week
            back = (self.day.isoweekday() - int(weekday.name)) % 7 or 7
            there = self.day + timedelta(days=7 - back) if self.future else self.day - timedelta(days=back)
            return Time(str(there), place), place + 1
        return None

    def _weekday_of(self, weekday: int, place: int) -> tuple[Time, int] | None:
        """`Monday last week`, `Friday of this week`: that day of the week."""
        at = self._past_of(place + 1)
        rel = next((word for word in ("this", "last", "next") if self._is(at, word)), None)
        if rel is None or self.unit(at + 1) != "week":
            return None
        monday = self.day - timedelta(days=self.day.weekday()) + timedelta(days={"last": -7, "next": 7}.get(rel, 0))
        return Time(str(monday + timedelta(days=weekday - 1)), place), at + 2

    def _written(self, text: str) -> str:
        """A written day as ISO; one that may be two days is asked about."""
        if "-" in text:
            return text
        head, year = text[:-2], text[-2:]
        if not text[-4:].isdigit():
            text = f"{head}20{year}"
        days = [day for day in periods.perhaps(text) if "." not in text or day[5:7] == text.split(".")[1].zfill(2)]
        if len(days) != 1:
            self.doubt = f"{text!r} may be {' or '.join(days)}: write one of them" if days else f"{text!r} is no day"
        return days[0] if days else text

    def _short_day(self, text: str, place: int) -> tuple[Time, int] | None:
        """`13/06`, `13.6.`: a day of the year that is nearest; one that may be two days is asked about."""
        first, second = (int(part) for part in text.rstrip(".").replace(".", "/").split("/"))
        before = self.spans[place - 1].text.casefold() if place else ""
        if before in _IN and "/" in text and first <= 12 and self.day.year - 1 <= 2000 + second <= self.day.year:
            return Time(f"{2000 + second}-{first:02}", place), place + 1  # in 06/25
        orders = [(first, second)] if "." in text or self.day_first else [(first, second), (second, first)]
        days = [there for day, month in orders if (there := self._day_in_year(day, month))]
        both = dict.fromkeys(days)
        if len(both) > 1 and (proven := self._proven_order()):
            both = dict.fromkeys(days[:1] if proven == "day" else days[1:])
        if len(both) != 1:
            names = " or ".join(map(str, both))
            self.doubt = f"{text!r} may be {names}: write one of them" if both else f"{text!r} is no day"
            return None
        return Time(str(next(iter(both))), place), place + 1

    def _proven_order(self) -> str:
        """Whether another day that is written short has its day or its month first for certain."""
        for span in self.spans:
            parts = [int(part) for part in written.name.split("/")] if (written := span.of("short_day")) and "/" in written.name else [0, 0]  # fmt: skip
            if max(parts) > 12:
                return "day" if parts[0] > 12 else "month"
        return ""

    def _day_in_year(self, day: int, month: int) -> date | None:
        """The day of a month in the year in which it was last, or is next; None where there is no such day."""
        for year in (self.day.year, self.day.year - 1, self.day.year + 1):
            try:
                there = date(year, month, day)
            except ValueError:
                continue
            if (there >= self.day) if self.future else (there <= self.day):
                return there
        return None

    def _is_bare_day(self, place: int) -> bool:
        """Whether an ordinal in digits stands as a day of a month that is not named: `on the 13th`."""
        at = place - 1
        while at >= 0 and self.spans[at].text.casefold() in _ARTICLES:
            at -= 1
        led = at >= 0 and (self.spans[at].text.casefold() in _ON or self.spans[at].of(*_EDGES, "to", "deadline"))
        after = self._over(place + 1)
        return bool(led) and not self._is(
            after, "month", "desc", "asc", "best", "worst", "entity", "dim", "kind", "unit", "quarter", "weekday", "last",
        )  # fmt: skip

    def _day_named(self, day: int, place: int) -> tuple[Time, int] | None:
        """That day of the month in which it was last, or is next."""
        for months in (0, 1 if self.future else -1, 2 if self.future else -2):
            first = periods.add_months(self.day.replace(day=1), months)
            there = first + timedelta(days=day - 1)
            fits = there.month == first.month and ((there >= self.day) if self.future else (there <= self.day))
            if day and fits:
                return Time(str(there), place), place + 1
        return None

    def _are_days(self, time: Time, after: int) -> bool:
        """Whether single days stand beside a place, which are the ends of a time and not put against each other."""
        return bool(self.spans[after - 1].of("short_day")) and bool(time.text)

    def _part_of(self, place: int) -> tuple[Time, int] | None:
        """`the last week of May`, `the first two weeks of June`, `the second half of May`: days of a month or quarter."""
        lead = self.number(place)  # les deux dernières semaines de mai
        head = place + 1 if lead is not None and self._is(place + 1, "last", "foremost") else place
        sense = self.spans[head].of("foremost", "nth", "last", "ordinal", "half")
        if sense is None or not self._is(head, sense.kind):
            return None
        at, count, unit = head + 1, lead or 1, "half"
        if head == place:
            count = 1
        if sense.kind != "half":
            if head == place and (number := self.number(at)) is not None:
                count, at = number, at + 1
            named = self.unit(at)
            if named not in ("day", "week", "month", "quarter") or (
                count > 1 and sense.kind not in ("foremost", "last")
            ):
                return None
            if folded(self.spans[at].text) in _SEVERAL and at == head + 1 == place + 1:
                return None  # the last weeks of 2024: how many is not said
            unit, at = named, at + 1
        after = self._past_of(at)
        if after == at and sense.kind != "half":
            return None
        whole = self._whole(after, after > at)
        if whole is None or (sense.kind == "half" and (whole[0].year or self._is(after, "half"))):
            return None
        time, end = whole
        first, last = (date.fromisoformat(self._edge(time.text, edge)) for edge in (0, 1))
        if unit == "half":
            if (last - first).days > 31:
                self.doubt = (
                    f"a half of {time.text} is not read, only one of a month or a year: write its first and last day, "
                    f"such as {first} to {first + timedelta(days=44)}"
                )
                return None
            first, last = (first, first.replace(day=15)) if sense.name == "1" else (first.replace(day=16), last)
        elif unit in ("month", "quarter"):
            size = 3 if unit == "quarter" else 1
            months = (last.year - first.year) * 12 + last.month - first.month + 1
            count = count * size
            begin = months - count if sense.kind == "last" else 0 if sense.kind == "foremost" else size * (int(sense.name) - 1)  # fmt: skip
            if not 0 <= begin <= months - count or months < 2 * size:
                self.doubt = f"{time.text} has no such {unit}"
                return None
            first = periods.add_months(first, begin)
            last = periods.add_months(first, count) - timedelta(days=1)
        else:
            days = count * (7 if unit == "week" else 1)
            if sense.kind == "last":
                first = last - timedelta(days=days - 1)
            else:
                place_in = 0 if sense.kind == "foremost" else int(sense.name) - 1
                first, last = first + timedelta(days=days * place_in), min(first + timedelta(days=days * (place_in + 1) - 1), last)  # fmt: skip
        if first > last:
            self.doubt = f"{time.text} has no such {unit}"
            return None
        return Time(f"{first} to {last}", place), end

    def _part_of_another(self, time: Time, place: int, after: int) -> None:
        """Doubt a time that may be a part of the one right after it, which is read as another: `last week 2024`."""
        words = time.text.split()
        if words[0] not in ("last", "next", "this") or time.edge or after >= len(self.spans):
            return
        led = self.spans[after].text.casefold() in _PART_OF
        of_it = self._point(self._past_of(after)) if led else self._year(after)
        if of_it is not None and not self.doubt:
            text = " ".join(span.text for span in self.spans[place : of_it[1]])
            self.doubt = f"{text!r} may be two times or a part of one: write its first and last day"

    def _whole(self, place: int, led: bool) -> tuple[Time, int] | None:
        """The time at a place that another one is a part of; `led` where a word such as `of` leads to it."""
        written = self._named(place) if led and self._is(place, "period") else None
        if not led:
            return self._month(place) or self._relative(place)
        of_year = self._year(place + 1) if self.unit(place) == "year" else self._year(place)
        return written or self._month(place) or self._relative(place) or of_year or self._current(place)

    def _current(self, place: int) -> tuple[Time, int] | None:
        """`the quarter`, `des Quartals`, `du trimestre`: the current one, of which a part is named."""
        unit = self.unit(place)
        led = self.spans[place - 1].text.casefold() in _PART_OF | {"la"}
        alone = unit not in (None, "day") and self.number(place + 1) is None and not self._is(place + 1, "last", "next")
        if led and alone and folded(self.spans[place].text) not in _SEVERAL:
            return Time(f"this {unit}", place, year=unit == "year"), place + 1
        return self._this_unit(place)

    def _past_of(self, place: int) -> int:
        """The next place after `of`, `in` and articles."""
        while place < len(self.spans) and not self.spans[place].used and (self.spans[place].text.casefold() in _OF):
            place += 1
        return place

    def _this_unit(self, place: int) -> tuple[Time, int] | None:
        """`the month` after a word that makes a time of it: `how is the month going`, `since the start of the week`."""
        unit = self.unit(place)
        if unit is None or unit == "day" or folded(self.spans[place].text) in _SEVERAL or not place:
            return None
        if self.spans[place - 1].text.casefold() not in _THE or self._is(
            place + 1, "before", "before_that", "number", "num", "month", "quarter", "half", "ago", "last", "next", "after", "with",
            "desc", "asc", "best", "worst",
        ):  # fmt: skip
            return None
        after = self._past_of(place + 1)
        begins = self._is(place + 1, "since", "from", "start") and unit == "week"
        if (begins or after > place + 1) and (of_it := self._point(place + 2 if begins else after)):
            return self._unit_of(unit, of_it, place)
        lead = self.spans[place - 2] if place > 1 else None
        edged = lead is not None and lead.of(
            "prep", "since", "until", "start", "end", "during", "how", "be", "from", "within"
        )
        return (Time(f"this {unit}", place, year=unit == "year"), place + 1) if edged else None

    def _unit_of(self, unit: str, of_it: tuple[Time, int], place: int) -> tuple[Time, int] | None:
        """`the week of 9 June`, `the month of May`: the week of a day, or the month itself."""
        time, end = of_it
        day = date.fromisoformat(self._edge(time.text, 0))
        if unit == "week" and str(day) == self._edge(time.text, 1):
            year, week, _ = day.isocalendar()
            return Time(f"{year}-W{week:02}", place), end
        return (time, end) if time.floating.startswith(f"{unit}.") else None

    def _edge_of(self, place: int) -> tuple[Time, int] | None:
        """The end or the beginning of a period: a day."""
        kind = next((edge for edge in ("start", "end") if self._is(place, edge)), None)
        point = self._point(self._over(place + 1)) if kind else None
        if point is None:
            return None
        time, after = point
        if kind == "start" and self._is(place, "since"):
            return time, after
        return Time(self._edge(time.text, int(kind == "end")), place), after

    def _day_of_month(self, place: int) -> tuple[Time, int] | None:
        """`5 June 2025`, `June 5th`."""
        day, at = self.number(place), self._over(place + 1)
        if day is not None and self._is(at, "month") and day <= 31:
            month, after = self.spans[at].of("month"), at + 1
        elif self._is(place, "month") and self.number(place + 1) is not None and (self.number(place + 1) or 99) <= 31:
            if self._is(place + 2, "unit", "percent", "magnitude"):
                return None
            if self._may_be_year(place + 1):
                return self._month_of(2000 + (self.number(place + 1) or 0), place)
            month, day, after = self.spans[place].of("month"), self.number(place + 1), place + 2
        else:
            return None
        assert month is not None  # noqa: S101 - looked at above
        year, after = self._a_year(after)
        try:
            there = date(year or self.day.year, int(month.name), day or 0)
        except ValueError:
            self.doubt = f"{self.spans[place].text} {self.spans[at].text} is no day"
            return None
        if year is None and (there > self.day) != self.future:
            there = periods.add_months(there, 12 if self.future else -12)
        return Time(str(there), place), after

    def _may_be_year(self, place: int) -> bool:
        """Whether the number after a month may be its year: `in Sept 24`, not `on Sept 24`, and no year follows."""
        year, number = 2000 + (self.number(place) or 0), self.spans[place]
        if (
            not self.day.year - 1 <= year <= self.day.year
            or number.of("ordinal")
            or self._a_year(place + 1)[0] is not None
        ):
            return False
        before = self.spans[place - 2] if place > 1 else None
        after = self.spans[place + 1] if place + 1 < len(self.spans) else None
        of_day = before is not None and (before.text.casefold() in _ON or before.of(*_BESIDE_DAYS))
        return not of_day and not (after and after.of("to", "until"))

    def _month_of(self, year: int, place: int) -> tuple[Time, int] | None:
        """The month at a place, of a year of two digits after it, where a word before it says that it is no day."""
        month = self.spans[place].of("month")
        if month is None or not place or self.spans[place - 1].text.casefold() not in _IN:
            words = f"{self.spans[place].text} {self.spans[place + 1].text}"
            self.doubt = f"{words!r} may be a day or a month of {year}: write the year in full"
            return None
        return Time(f"{year}-{int(month.name):02d}", place), place + 2

    def _month(self, place: int) -> tuple[Time, int] | None:
        """A month, quarter or half, with its year or without."""
        kind = next((unit for unit in ("month", "quarter", "half") if self._is(place, unit)), None)
        if kind is None:
            return None
        sense = self.spans[place].of(kind)
        floating = f"{kind}.{sense.name if sense else ''}"
        year, after = self._a_year(place + 1)
        time = self._of_year(Time("", place, floating), year or self._likely_year(floating))
        return (replace(time, floating="" if year else floating), after)

    def _a_year(self, place: int) -> tuple[int | None, int]:
        """The year that stands after a month, and where it ends."""
        at = self._over(place)
        number = self.number(at)
        if number is not None and 1900 <= number <= 2100 and not self._is(at + 1, "unit"):
            return number, at + 1
        if number is not None and len(self.spans[at].text) == 2 and at == place + 1 and 10 <= number <= 60:
            return 2000 + number, at + 1  # the first half of 24
        rel = next((word for word in ("this", "last", "next") if self._is(at, word)), None)
        if rel and self.unit(at + 1) == "year":
            return self.day.year + {"last": -1, "next": 1}.get(rel, 0), at + 2
        after = next((word for word in ("last", "next") if self._is(at + 1, word)), None)
        if self.unit(at) == "year" and after:  # du T2 de l'an dernier, del año pasado
            return self.day.year + {"last": -1, "next": 1}[after], at + 2
        return None, place

    def _likely_year(self, floating: str) -> int:
        """The year of the last month of that name that has begun; of the next that is not over for what is to come."""
        year = self.day.year
        period = periods.read(self._of_year(Time("", 0, floating), year).text, self.today)
        assert period.first and period.last  # noqa: S101, PT018 - a period of a year
        if self.future:
            return year + (period.last < self.day)
        return year - (period.first > self.day)

    def _of_year(self, time: Time, year: int) -> Time:
        kind, _, name = time.floating.partition(".")
        first = {"month": int(name), "quarter": 3 * int(name) - 2, "half": 6 * int(name) - 5}[kind]
        if kind == "month":
            return replace(time, text=f"{year}-{first:02}")
        if kind == "quarter":
            return replace(time, text=f"{year}-Q{name}")
        begin = date(year, first, 1)
        return replace(time, text=f"{begin} to {periods.add_months(begin, 6) - timedelta(days=1)}")

    def _relative(self, place: int) -> tuple[Time, int] | None:
        """`last`, `this` and `next` with a unit, several units, a month or a weekday."""
        within = self._is(place, "within")
        at = self._over(place + 1) if within else place
        rel = next((word for word in ("this", "last", "next") if self._is(at, word)), None)
        if rel is None and not within:
            return self._said_after(place)
        at += rel is not None
        fiscal = "fiscal " if self._is(at, "fiscal") else ""
        at += bool(fiscal)
        number = self.number(at)
        way = rel or ("next" if self.future else "last")
        if number is not None and (unit := self.unit(at + 1)) and way != "this":
            if number == 1 and way == "last":
                self._single(f"{fiscal}{unit}", place, at + 2)
            return Time(_several(way, number, f"{fiscal}{unit}"), place), at + 2
        if rel in ("last", "next") and self._is(at, "fortnight"):
            return Time(f"{rel} 14 days", place), at + 1
        if (unit := self.unit(at)) and rel:
            if folded(self.spans[at].text) in _SEVERAL:
                return None  # the last months: how many is not said
            text = f"{rel} {fiscal}{unit}"
            return Time(text, place, year=unit == "year" and not fiscal), at + 1
        if self._is(at, "month", "quarter", "half", "weekday") and rel and not self.spans[at].text[0].isdigit():
            return self._rel_named(rel, at, place)
        return None

    def _single(self, unit: str, place: int, after: int) -> None:
        """Doubt `last 1 month` on the last day of a month: the month before, or the one that ends."""
        before, ending = (periods.read(text, self.today) for text in (f"last {unit}", f"last 1 {unit}s"))
        if (before.first, before.last) != (ending.first, ending.last) and not self.doubt:
            text = " ".join(span.text for span in self.spans[place:after])
            self.doubt = (
                f"{text!r} may be {before.first} to {before.last} or {ending.first} to {ending.last}: write one of them"
            )

    def _said_after(self, place: int) -> tuple[Time, int] | None:
        """`la semaine passée`, `el mes pasado`, `les 3 derniers mois`."""
        if (unit := self.unit(place)) and folded(self.spans[place].text) not in _SEVERAL:
            rel = next((word for word in ("last", "next") if self._is(place + 1, word)), None)
            return (Time(f"{rel} {unit}", place, year=unit == "year"), place + 2) if rel else None
        number = self.number(place)
        rel = (
            next((word for word in ("last", "next") if self._is(place + 1, word)), None) if number is not None else None
        )
        if rel and number is not None and (unit := self.unit(place + 2)):
            return Time(_several(rel, number, unit), place), place + 3
        if self._is(place, "month", "quarter", "half", "weekday"):
            rel = next((word for word in ("last", "next") if self._is(place + 1, word)), None)
            if rel and not self._is(place + 2, "unit"):
                point = self._rel_named(rel, place, place)
                return (point[0], place + 2) if point else None
        return None

    def _rel_named(self, rel: str, at: int, place: int) -> tuple[Time, int] | None:
        """`last May`, `next Friday`."""
        if weekday := self.spans[at].of("weekday"):
            monday = self.day - timedelta(days=self.day.weekday()) + timedelta(days={"last": -7, "next": 7}.get(rel, 0))
            return Time(str(monday + timedelta(days=int(weekday.name) - 1)), place), at + 1
        sense = self.spans[at].of("month", "quarter", "half")
        assert sense is not None  # noqa: S101 - looked at above
        floating = f"{sense.kind}.{sense.name}"
        year = self.day.year
        period = periods.read(self._of_year(Time("", 0, floating), year).text, self.today)
        assert period.first and period.last  # noqa: S101, PT018 - a period of a year
        if rel == "last":
            year -= period.last >= self.day
        if rel == "next":
            year += period.first <= self.day
        return replace(self._of_year(Time("", place, floating), year), floating=""), at + 1

    def _ago(self, place: int) -> tuple[Time, int] | None:
        """`3 months ago`: a day."""
        number = self.number(place)
        unit = self.unit(place + 1) if number is not None else None
        if unit and self._is(place + 2, "ago"):
            return Time(f"{number} {unit}s ago", place), place + 3
        if place and self.spans[place - 1].text.casefold() in _ONE and self.unit(place) and self._is(place + 1, "ago"):
            return Time(f"1 {self.unit(place)}s ago", place), place + 2  # a week ago
        if self._is(place, "ago") and self.number(place + 1) is not None and (unit := self.unit(place + 2)):
            return Time(f"{self.number(place + 1)} {unit}s ago", place), place + 3  # il y a 3 mois, vor 3 Monaten
        return None

    def _year(self, place: int) -> tuple[Time, int] | None:
        number = self.number(place) if place < len(self.spans) else None
        if number is None or not 1900 <= number <= 2100 or len(self.spans[place].text) != 4:
            return None
        before = place - 1
        if before >= 0 and self.spans[before].of("gt", "ge", "lt", "le", "currency", "desc", "asc"):
            return None
        if self._is(place + 1, "unit", "magnitude", "percent", "entity", "currency", "field", "kind"):
            return None
        if before >= 0 and self.spans[before].of("fiscal"):
            self.spans[before].used = True
            return Time(f"FY{number}", place), place + 1
        return Time(str(number), place, year=True), place + 1

    def _years(self) -> None:
        """`Q1 and Q2 revenue this year`: the year is of both."""
        years = [time for time in self.found if time.year]
        floating = [time for time in self.found if time.floating]
        if len(years) == 1 and floating:
            try:
                first = periods.read(years[0].text, self.today).first
            except ContractError:
                return
            year = first.year if first else self.day.year
            self.found = [
                replace(self._of_year(time, year), floating="") if time.floating else time
                for time in self.found
                if not time.year
            ]
