"""Date formats, as Spark writes them: which texts each one reads, and which of them a column's values call for.

Beside Spark's own there are `d/M/yy since 1950` (two digits stand for 1950 to 2049), `d LLLL yyyy` (month names of any
language that is known), `epoch s`, `ms` and `us`, `serial 1900` and `1904` (days of Excel's two calendars), ` z` at the
end (a zone or offset), `E, ` at the beginning (the name of a weekday in any language that is known, which must be that of
the day), `yyyy-d-M` (ISO 8601 with the day before the month, with any time of day), and `zone Europe/Berlin` (where times
without a zone of their own are local).
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

#: Text that is read as ISO 8601 whatever the formats are.
ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T].*)?"
_DAY_MONTH_YEAR = re.compile(r"([0-9]{1,2})([/.-])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})(?![0-9])")
_TIMES = ("", " H:mm", " H:mm:ss", " h:mm a", " h:mm:ss a")
_MONTHS = "|".join((*calendar.month_name[1:], *calendar.month_abbr[1:]))
#: Dates with the year first: the year, then two figures, which may be a month and a day or a day and a month.
_YEAR_FIRST = re.compile(
    r"([0-9]{4})(?:([-/.])([0-9]{1,2})\2([0-9]{1,2})(?![0-9])|([0-9]{2})([0-9]{2})(?=(?:[0-9]{6})?\Z))"
)
#: ISO 8601 with the day before the month.
DAY_BEFORE_MONTH = "yyyy-d-M"
#: Formats in which the order of day and month cannot be mistaken.
_PLAIN = (
    *(f"d MMM yyyy{time}" for time in _TIMES),
    *(f"MMM d, yyyy{time}" for time in _TIMES),
    *(f"MMM d yyyy{time}" for time in _TIMES),
    *(f"d-MMM-yyyy{time}" for time in _TIMES),
)
#: Formats that are tried after these: am and pm beside an ISO day, and month names of any language.
_FURTHER = (
    *(f"yyyy-MM-dd{time}" for time in _TIMES if time.endswith("a")),
    *(f"d LLLL yyyy{time}" for time in _TIMES),
    *(f"LLLL d yyyy{time}" for time in _TIMES),
    *(f"{day}{time}" for day in ("yyyy-M-d", "yyyy年M月d日", "yyyy년 M월 d일") for time in _TIMES),
    "yyyy. M. d.",
)
_ISO_TIMES = ("yyyy-MM-dd H:mm", "yyyy-MM-dd H:mm:ss", "yyyy-MM-dd'T'H:mm:ss")
#: Formats of months, each of which is read as its first day where a contract says so.
_OF_MONTHS = ("M/yyyy", "M.yyyy", "M-yyyy", "yyyy-M", "yyyy/M", "yyyy.M", "MMM yyyy")
_ENGLISH_MONTHS = frozenset(name.lower() for name in _MONTHS.split("|"))
#: What two digits of a year stand for where no date of four tells: 1969 to 2068.
SINCE = 1969
#: Seconds of one unit of a time counted from 1970; such a time is plausible from 2000 to 2100.
EPOCHS = {"epoch s": 1, "epoch ms": 1_000, "epoch us": 1_000_000}
_EPOCH_SHAPES = {
    "epoch s": "[0-9]{9,10}(?:[.][0-9]+)?",
    "epoch ms": r"[0-9]{12,13}(?:[.][0-9]+)?|/Date\([0-9]{12,13}(?:[+-][0-9]{4})?\)/",  # as .NET writes it in JSON
    "epoch us": "[0-9]{15,16}(?:[.][0-9]+)?",
}
_EPOCH_ENDS = (946_684_800, 4_102_444_800)
#: The day 0 of a calendar that counts days, and the numbers that may be days: 1954 to 2119.
SERIALS = {"serial 1900": date(1899, 12, 30), "serial 1904": date(1904, 1, 1)}
_SERIAL = r"[2-7][0-9]{4}(?:[.,][0-9]+)?"
_SURE, _NEAR = 365, 730
#: So many dates of what has happened that would be yet to come are no slips.
_SEVERAL = 2
#: Names of months: the first three letters of English ones, and others that are not these.
_NAMES = {
    1: "january jan januar jänner jän janvier janv enero ene gennaio gen janeiro januari sty stycznia ledna",
    2: "february feb februar feber février févr fév fevrier fevr febrero febbraio fevereiro fev februari lut lutego února",
    3: "march mar märz mär mrz maerz mars marzo março marco maart mrt marca března",
    4: "april apr avril avr abril abr aprile kwi kwietnia dubna",
    5: "may mai mayo maggio mag maio mei maj maja května",
    6: "june jun juni juin junio giugno giu junho cze czerwca června",
    7: "july jul juli juillet juil julio luglio lug julho lip lipca července",
    8: "august aug août aout aoû agosto ago augustus augusti sie sierpnia srpna",
    9: "september sep sept septembre septiembre settembre set setembro wrz września září",
    10: "october oct oktober okt octobre octubre ottobre ott outubro out paź października října",
    11: "november nov novembre noviembre novembro lis listopada",
    12: "december dec dezember dez décembre déc decembre diciembre dic dicembre dezembro gru grudnia prosince",
}
#: The month of each name; a name that is another month elsewhere (`listopadu`) is not here.
MONTHS = {name: month for month, names in _NAMES.items() for name in names.split()}
#: Names of weekdays from Monday on; those that are two days in two languages are not here.
_DAYS = (
    "monday mon montag mo lundi lun lunes lunedì lunedi maandag ma poniedziałek pon pondělí segunda segunda-feira seg 月",
    "tuesday tue tues dienstag di mardi martes martedì martedi dinsdag wtorek wt úterý terça terça-feira ter 火",
    "wednesday wed mittwoch mi mercredi mer miércoles miercoles mié mie mercoledì mercoledi woensdag wo środa śr středa "
    "quarta quarta-feira qua 水",
    "thursday thu thur thurs donnerstag do jeudi jeu jueves jue giovedì giovedi gio donderdag czwartek czw čtvrtek quinta "
    "quinta-feira qui 木",
    "friday fri freitag fr vendredi ven viernes vie venerdì venerdi vrijdag vr piątek pt pátek sexta sexta-feira sex 金",
    "saturday sat samstag sonnabend sa samedi sam sábado sabado sáb sab sabato zaterdag za sobota sob 土",
    "sunday sun sonntag so dimanche dim domingo dom domenica zondag zo niedziela niedz neděle 日",
)
WEEKDAYS = {name: day for day, names in enumerate(_DAYS) for name in names.split()}
#: Hours between a zone's time and UTC; names that several zones have (CST, IST, BST) are not here.
ZONES = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2, "EEST": 3,
    "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "JST": 9, "AEST": 10, "AEDT": 11,
}  # fmt: skip
#: The years of which the clock changes of a zone are looked up; before and after them the nearest offset holds.
_CLOCKS = (1990, 2045)
#: A zone at the end of a text: a name, an offset, or both.
ZONE = rf" ?(?:{'|'.join(sorted(ZONES, key=len, reverse=True))})?(?:[+-][0-9]{{2}}:?[0-9]{{2}})?"
_ZONED = re.compile(
    rf"(?P<text>.*[0-9mM.])(?P<zone> ?(?:{'|'.join(sorted(ZONES, key=len, reverse=True))}| ?(?:GMT|UTC)?[+-][0-9]{{2}}:?[0-9]{{2}}))"
)
_MERIDIEM = r" ?(?P<a>[AaPp])\.? ?[Mm]\.?"
#: The name of a weekday before a date, and after one of Japan.
_WEEKDAY = re.compile(rf"({'|'.join(sorted(WEEKDAYS, key=len, reverse=True))})\.?(?:, ?| )(?=[^\W_])", re.IGNORECASE)
_WEEKDAY_AFTER = re.compile(r"(?<=[0-9日]) ?[(（]([月火水木金土日])(?:曜日?)?[)）]")
_BEFORE = re.compile("E{1,4}(?:, ?| )")


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
    return DayOrder(**examples, years=years, dots=_dots(texts), after_year=_after_year(texts))


def _dots(texts: Iterable[str]) -> OtherOrder:
    """What dates such as 12.31.2025 say: whether the month comes first.

    >>> _dots(["31.12.2025", "2.3.2025"]).decided, _dots(["12.31.2025", "12.30.2025", "2.3.2025"]).decided
    (False, True)
    """
    matches = (match for text in texts if (match := _DAY_MONTH_YEAR.match(text.strip())) and match[2] == ".")
    return _other_order((m[0], in_full(m[4]), int(m[3]), int(m[1])) for m in matches)


def _after_year(texts: Iterable[str]) -> OtherOrder:
    """What dates such as 2025-22-11 say: whether the day comes before the month.

    >>> _after_year(["2025-12-31"]).decided, _after_year(["20252211", "20252311", "20250405"]).decided
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
        if near[first] <= _NEAR and near[not first] - near[first] >= _SURE:
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


def candidates(day_first: bool, dots: bool = False, after_year: bool = False) -> tuple[str, ...]:
    """Every format that may be called for, with days or months first where figures stand for both.

    Args:
        day_first: Whether the day is first in 3/4/2025.
        dots: Whether the month is first in 3.4.2025.
        after_year: Whether the day is before the month in 2025/4/3.
    """
    order = "d{0}M{0}yyyy" if day_first else "M{0}d{0}yyyy"
    dotted, years = "M.d.yyyy" if dots else "d.M.yyyy", "yyyy{0}d{0}M" if after_year else "yyyy{0}M{0}d"
    figures = "yyyyddMM" if after_year else "yyyyMMdd"
    return (
        *(order.format(mark) + time for mark in "/-" for time in _TIMES),
        *(dotted + time for time in _TIMES),
        *(years.format(mark) + time for mark in "/." for time in _TIMES),
        *_PLAIN,
        figures,
        f"{figures}HHmmss",
    )


def short_years(order: str, since: int, dots: bool = False) -> tuple[str, ...]:
    """Formats with two digits of the year, which comes last, or first with `order` "year"; months first between dots."""
    written = {"year": "yy{0}M{0}d", "day": "d{0}M{0}yy", "month": "M{0}d{0}yy"}[order]
    marks = "/-." if order == "year" else "/-"
    dotted = "M.d.yy" if dots else "d.M.yy"
    formats = [written.format(mark) for mark in marks] + ([] if order == "year" else [dotted, "d LLLL yy"])
    return tuple(f"{format_}{time} since {since}" for format_ in formats for time in _TIMES)


def called_for(
    texts: Iterable[str],
    day_first: bool,
    span: Span | None = None,
    days: Iterable[str] | None = None,
    with_year_first: bool | None = None,
    dots: bool | None = None,
    after_year: bool | None = None,
) -> tuple[tuple[str, ...], list[str]]:
    """The formats that read a column's texts, and the texts that none reads. ISO 8601 needs no format.

    Args:
        texts: The column's texts, or one of each form and the first and last of those that are figures alone.
        day_first: Whether days come before months where figures stand for both.
        span: Other dates of the delivery.
        days: All days of the column that are written in figures, where `texts` are only examples.
        with_year_first: Whether years of two digits come first; None where the texts tell.
        dots: Whether the month is first in 3.4.2025; None where the texts tell.
        after_year: Whether the day is before the month in 2025-04-03; None where the texts tell.

    >>> called_for(["2025-01-31", "31/12/2024", "5/1/2025 14:30", "soon"], day_first=True)
    (('d/M/yyyy', 'd/M/yyyy H:mm'), ['soon'])
    >>> called_for(["31.12.24", "45909", "1741777200000"], True, Span(date(2024, 1, 1), date(2026, 1, 1)))
    (('d.M.yy since 1950', 'serial 1900', 'epoch ms'), [])
    >>> called_for(["2025-22-11", "2025-23-11 10:00", "2025-05-04", "Sat, 22 Nov 2025"], True)
    (('yyyy-d-M', 'E, d MMM yyyy'), [])
    >>> called_for(["06/May/2024  01:15:00 PM", "not  yet"], True)
    (('d LLLL yyyy h:mm:ss a',), ['not  yet'])
    """
    written = {" ".join(text.split()): text.strip() for text in texts}  # cells are read without doubled spaces
    texts = list(written)
    days = texts if days is None else list(days)
    dots = _dots(days).decided is True if dots is None else dots
    after_year = _after_year(days).decided is True if after_year is None else after_year
    left = [text for text in texts if not is_iso(text)]
    whole = (DAY_BEFORE_MONTH,) if after_year and (len(left) < len(texts) or any(map(is_iso, days))) else ()
    if not left:
        return whole, []
    since = span.since if span else SINCE
    years_first = year_first(days, span) if with_year_first is None else with_year_first
    order = "year" if years_first else "day" if day_first else "month"
    turned = tuple(f"{DAY_BEFORE_MONTH}{time}" for time in _TIMES) if after_year else ()
    every = (*turned, *candidates(day_first, dots, after_year), *_FURTHER, *short_years(order, since, dots))
    needed, left = _reading(left, every)
    if left:
        calendar_ = serial([text for text in left if re.fullmatch(_SERIAL, text)], span)
        epochs = [name for name in EPOCHS if span is None or span.off(*_ends(name, left)) <= _NEAR]
        numbers, left = _reading(left, (*([calendar_] if calendar_ else []), *epochs))
        needed += numbers
    if left:
        zoned = {text: match["text"] for text in left if (match := _ZONED.fullmatch(text))}
        with_zone, unread = _reading(list(zoned.values()), (*every, *_ISO_TIMES))
        needed += [f"{format_} z" for format_ in with_zone]
        left = [text for text in left if text not in zoned or zoned[text] in unread]
    if named := {text: bare for text in left for day, bare in [without_weekday(text)] if day is not None}:
        bare_formats, unread = called_for(named.values(), day_first, span, None, years_first, dots, after_year)
        needed += [f"E, {format_}" for format_ in bare_formats if not format_.startswith("E")]
        left = [text for text in left if text not in named or named[text] in unread]
    return tuple(dict.fromkeys((*whole, *needed))), [written[text] for text in left]


def _reading(texts: list[str], formats: Iterable[str]) -> tuple[list[str], list[str]]:
    """The formats that read some of the texts, and the texts left unread."""
    needed, left = [], texts
    for format_ in formats:
        if not left:
            break
        unread = [text for text in left if not reads(format_, text)]
        if len(unread) < len(left):
            needed.append(format_)
            left = unread
    return needed, left


@dataclass(frozen=True)
class Wider:
    """What dates tell that are no days: months, weeks and other periods, the format or the Spark SQL that reads one day of
    each, and whether that is its `last`.
    """

    what: str
    format: str = ""
    sql: str = ""
    last: bool = False

    @property
    def asks(self) -> str:
        """Which day each is to count as."""
        return f"its {'last' if self.last else 'first'} day"


#: What is between the parts of a period, and after the number of one.
_SIGNS, _ORDINAL = "[-/ .,_']*", "(?:[.ºª°]|er|ère|e|ème|st|nd|rd|th)?"
_YEAR = "(?:19|20)[0-9]{2}"
#: Kinds of periods: their words, the figures that they take, and the Spark SQL of the first and of the last day of one
#: with the year {y} and the number {n}.
_PERIODS = {
    "weeks": (
        "w|wk|ww|kw|cw|week|woche|kalenderwoche|semaine|semana|settimana|tydzie[nń]|t[yý]den|hafta|vecka|uke|uge",
        "0?[1-9]|[1-4][0-9]|5[0-3]",
        "date_add(date_trunc('week', make_date({y}, 1, 4)), 7 * {n} - 7)",
        "date_add(date_trunc('week', make_date({y}, 1, 4)), 7 * {n} - 1)",
    ),
    "quarters": (
        "q|qtr|quarter|quartal|t|trim|trimestre|kwarta[lł]|kwartaal|kvart[aá]l|[cč]tvrtlet[ií]|[cç]eyrek",
        "0?[1-4]",
        "make_date({y}, 3 * (({n} + 3) % 4) + 1, 1)",
        "last_day(make_date({y}, 3 * (({n} + 3) % 4) + 3, 1))",
    ),
    "half years": (
        "h|hj|hy|s|half|half[- ]?year|halbjahr|semestre|semester|halfjaar|p[oó][lł]rocze|pololet[ií]",
        "0?[12]",
        "make_date({y}, 6 * (({n} + 1) % 2) + 1, 1)",
        "last_day(make_date({y}, 6 * (({n} + 1) % 2) + 6, 1))",
    ),
    "months": (
        "|".join(sorted(MONTHS, key=len, reverse=True)),
        "0?[1-9]|1[0-2]",
        "make_date({y}, (({n} + 11) % 12) + 1, 1)",
        "last_day(make_date({y}, (({n} + 11) % 12) + 1, 1))",
    ),
}


@cache
def _period(kind: str) -> str:
    """The regular expression of texts that are a period of a kind: `2025-W14`, `KW 14/2025`, `1. Quartal 2025`, `mars 2025`."""
    words, number, *_ = _PERIODS[kind]
    word, number, of = f"(?:{words})[.]?", f"(?:{number})", "(?:de |del |of )?"
    shapes = (
        [f"{word}{_SIGNS}{of}{_YEAR}", f"{_YEAR}{_SIGNS}{word}", f"{number}[-/.]{_YEAR}", f"{_YEAR}[-/.]{number}"]
        if kind == "months"
        else [
            f"{_YEAR}{_SIGNS}{word}{_SIGNS}{number}",
            f"{word}{_SIGNS}{number}{_SIGNS}{of}{_YEAR}",
            f"{number}{_ORDINAL}{_SIGNS}{word}{_SIGNS}{of}{_YEAR}",
            f"{_YEAR}{_SIGNS}{number}{_ORDINAL}{_SIGNS}{word}",
        ]
    )
    return f"(?i)^(?:{'|'.join(shapes)})$"


def period(text: str) -> str | None:
    """What kind of period a text is, None for a day or something else.

    >>> [period(text) for text in ("2025-W14", "KW 14/2025", "Q1 2025", "1. Quartal 2025", "H1 2025", "mars 2025", "2025-05-09")]
    ['weeks', 'weeks', 'quarters', 'quarters', 'half years', 'months', None]
    """
    return next((kind for kind in _PERIODS if re.match(_period(kind), text)), None)


def wider(texts: Iterable[str], column: str, is_end: bool = False) -> Wider | None:
    """The periods that a column of bronze holds, days beside them too; None where some of its texts are something else.

    Months and weeks alone are read as their first days. Of other periods, and of several kinds together, the last day
    counts in a column of ends (`is_end`), since a deal is closed in a period that has begun before it was opened.

    >>> wider(["08/2025", "11/2025"], "closed"), wider(["2025-08-01"], "closed"), wider(["2025-W33"], "closed").what
    (Wider(what='months', format='M/yyyy', sql='', last=False), None, 'weeks')
    >>> wider(["Q1 2025", "2025-05-09", "W22 2025"], "closed", True).what, wider(["Q1 2025", "soon"], "closed")
    ('weeks and quarters', None)
    """
    texts = list(texts)
    for format_ in _OF_MONTHS if texts else ():
        if all(fits(format_, text) for text in texts) and (
            "MMM" not in format_ or all(text.split()[0].lower() in _ENGLISH_MONTHS for text in texts)
        ):
            return Wider("months", format_)
    if texts and all(re.fullmatch(r"[0-9]{4}[-/ ]?W[0-9]{1,2}", text) for text in texts):
        year, week = f"substring(`{column}`, 1, 4)", f"regexp_extract(`{column}`, 'W([0-9]+)', 1)"
        first = f"date_trunc('week', make_date(try_cast({year} as int), 1, 4))"  # 4 January is in the first
        return Wider("weeks", sql=f"date_add({first}, 7 * try_cast({week} as int) - 7)")
    kinds = {text: kind for text in texts if (kind := period(text))}
    if not kinds or called_for([text for text in texts if text not in kinds], day_first=False)[1]:
        return None
    there = [kind for kind in _PERIODS if kind in kinds.values()]
    last = is_end and there != ["months"]
    of_kind = {kind: [text.lower() for text in texts if kinds.get(text) == kind] for kind in there}
    whens = (
        f"WHEN {_is_period(kind, of_kind[kind], column)} THEN {_day_of_period(kind, column, last)}" for kind in there
    )
    what = " and ".join(filter(None, (", ".join(there[:-1]), there[-1])))
    return Wider(what, sql=f"CASE {' '.join(whens)} ELSE `{column}` END", last=last)


def _is_period(kind: str, texts: list[str], column: str) -> str:
    """The Spark SQL of whether a text is such a period, by the words that stand in some of them."""
    if kind == "months":
        return f"lower(trim(`{column}`)) rlike '^([^0-9]+[0-9]{{4}}|[0-9]{{4}}[^0-9]+|[0-9]{{1,2}}[-/.][0-9]{{4}}|[0-9]{{4}}[-/.][0-9]{{1,2}})$'"
    whole = re.compile(rf"(?<![^\W\d_])(?:{_PERIODS[kind][0]})(?![^\W\d_])")
    words = sorted({word for text in texts for word in whole.findall(text)}, key=lambda word: (-len(word), word))
    return f"lower(`{column}`) rlike '(^|[^a-z])({'|'.join(words)})([^a-z]|$)'"


def _day_of_period(kind: str, column: str, last: bool) -> str:
    """The Spark SQL of one day of a period as text."""
    year = f"try_cast(regexp_extract(`{column}`, '({_YEAR})', 1) as int)"
    rest = f"regexp_replace(`{column}`, '{_YEAR}', '')"
    number = f"try_cast(regexp_extract({rest}, '([0-9]+)', 1) as int)"
    if kind == "months":
        names = {month: "|".join(name for name, its in MONTHS.items() if its == month) for month in range(1, 13)}
        named = (f"WHEN lower(`{column}`) rlike '(^|[^a-z])({names[month]})([^a-z]|$)' THEN {month}" for month in names)
        number = f"coalesce({number}, CASE {' '.join(named)} END)"
    return f"cast({_PERIODS[kind][2 + last].format(y=year, n=number)} as string)"


def is_iso(text: str) -> bool:
    """Whether a text is read as ISO 8601; a day with am or pm, or with the name of a zone, is not."""
    return bool(re.fullmatch(ISO, text)) and not re.search("[a-zA-Z.]$", text.removesuffix("Z"))


def reads(format_: str, text: str) -> bool:
    """Whether a format reads a text; a figure only when it stands for a plausible time."""
    if not re.fullmatch(reader(format_), text):
        return False
    if format_ in EPOCHS:
        first, last = _EPOCH_ENDS
        return first <= counted(text) / EPOCHS[format_] < last
    return "LLLL" not in format_ or month_in(text) is not None


def counted(text: str) -> float:
    """The figure of a time that is counted from 1970, `/Date(1741777200000)/` too."""
    figure = re.search(r"[0-9]+(?:\.[0-9]+)?", text)
    return float(figure[0]) if figure else 0.0


def without_weekday(text: str) -> tuple[int | None, str]:
    """The weekday that a text names before or after a date, from 0 for Monday on, and the text without it.

    >>> without_weekday("Mon, 20 Jan 2025"), without_weekday("2025年3月5日(水)"), without_weekday("20 Jan 2025")
    ((0, '20 Jan 2025'), (2, '2025年3月5日'), (None, '20 Jan 2025'))
    """
    if match := _WEEKDAY.match(text):
        return WEEKDAYS[match[1].lower()], text[match.end() :]
    if match := _WEEKDAY_AFTER.search(text):
        return WEEKDAYS[match[1]], text[: match.start()] + text[match.end() :]
    return None, text


def month_in(text: str) -> int | None:
    """The month that is named in a text, in any of the languages that are known."""
    return MONTHS.get(next((word for word in re.findall(r"[^\W\d_]+", text.lower()) if word in MONTHS), ""))


def serial(texts: list[str], span: Span | None) -> str | None:
    """The calendar in which days are counted, None where that cannot be told: the one that puts them near other dates.

    >>> year = Span(date(2025, 1, 1), date(2025, 12, 31))
    >>> serial(["45909"], year), serial(["44447"], year), serial(["45909"], None)
    ('serial 1900', 'serial 1904', None)
    """
    if not texts or span is None:
        return None
    off = sorted((span.off(*ends), name) for name, ends in _by_calendar(texts).items())
    return off[0][1] if off[0][0] <= _NEAR and off[1][0] - off[0][0] >= _SURE else None


def _ends(epoch: str, texts: list[str]) -> tuple[date, date]:
    """The first and last day of those texts that an epoch reads, the widest span where it reads none."""
    seconds = [counted(text) / EPOCHS[epoch] for text in texts if reads(epoch, text)]
    days = [datetime.fromtimestamp(each, UTC).date() for each in seconds] or [date.min, date.max]
    return min(days), max(days)


def _by_calendar(texts: list[str]) -> dict[str, tuple[date, date]]:
    """The first and last day that numbers of days are, by each calendar."""
    numbers = [int(re.split("[.,]", text)[0]) for text in texts]
    return {name: (start + timedelta(min(numbers)), start + timedelta(max(numbers))) for name, start in SERIALS.items()}


def either_calendar(texts: Iterable[str]) -> str:
    """What is to be asked about numbers that may be days of either calendar, "" where there is none."""
    numbers = [text for text in texts if re.fullmatch(_SERIAL, text)]
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


@cache
def reader(format_: str) -> str:
    """The regular expression of texts that a format reads, with the names of months."""
    return str(shape(format_)).replace("[^0-9]+", f"(?:{_MONTHS})")


def is_special(format_: str) -> bool:
    """Whether a format is none of Spark's own."""
    return bool(re.search("LLLL| z$| since [0-9]{4}$|^(epoch|serial|zone) |^E", format_))


def zones(formats: Iterable[str]) -> list[str]:
    """The zones in which times without one of their own are local.

    >>> zones(["d/M/yyyy", "zone Europe/Berlin"])
    ['Europe/Berlin']
    """
    return [format_.removeprefix("zone ") for format_ in formats if format_.startswith("zone ")]


def without_century(format_: str) -> tuple[str, int | None]:
    """A format without ` since 1950`, and that year.

    >>> without_century("d/M/yy since 1950"), without_century("d/M/yyyy")
    (('d/M/yy', 1950), ('d/M/yyyy', None))
    """
    bare, _, since = format_.partition(" since ")
    return bare, int(since) if since else None


def declared(
    order: str | None, century: int | None, epoch: str | None, serial: int | None, zone: str | None
) -> tuple[str, ...]:
    """The formats that a contract's word `dates` stands for."""
    formats: list[str] = []
    if order in ("day", "month"):
        formats += [*candidates(order == "day"), *_FURTHER]
    if order:
        formats += short_years(order, century or SINCE)
    formats += [f"serial {serial}"] * bool(serial) + [f"epoch {epoch}"] * bool(epoch)
    return (*formats, *([f"zone {zone}"] if zone else []))


def fits(format_: str, text: str) -> bool:
    """Whether a text has the shape of a format, whether or not there is such a day or hour.

    >>> fits("M/d/yyyy", "31/31/2025"), fits("M/d/yyyy", "31/31/25")
    (True, False)
    """
    pattern = _compiled(format_)
    return pattern is not None and pattern.fullmatch(text) is not None


@cache
def _compiled(format_: str) -> re.Pattern[str] | None:
    pattern = shape(format_)
    return None if pattern is None else re.compile(pattern)


def shape(format_: str) -> str | None:
    r"""The regular expression of texts in a format, None for a format with letters that are not known here.

    Its groups are named by the letters of the format, but for `offset` and `zone`.

    >>> shape("M/d/yyyy h a"), shape("d. MMM yyyy"), shape("G")
    ('(?P<M>[0-9]{1,2})/(?P<d>[0-9]{1,2})/(?P<y>[0-9]{4}) (?P<h>[0-9]{1,2}) ?(?P<a>[AaPp])\\.? ?[Mm]\\.?', '(?P<d>[0-9]{1,2})\\. (?P<MMM>[^0-9]+) (?P<y>[0-9]{4})', None)
    """
    if format_ in EPOCHS or format_ in SERIALS:
        return f"(?:{_EPOCH_SHAPES[format_]})" if format_ in EPOCHS else _SERIAL
    if format_.startswith("zone "):
        return r"[^\s\S]"  # says nothing of the text
    if format_.endswith(" z"):
        bare = shape(format_.removesuffix(" z"))
        return None if bare is None else f"(?:{bare})(?P<zone>{ZONE})"
    if match := _BEFORE.match(format_):
        bare = shape(format_[match.end() :])
        return None if bare is None else f"(?i:{_WEEKDAY.pattern})?{bare}(?:{_WEEKDAY_AFTER.pattern})?"
    format_, _ = without_century(format_)
    if "LLLL" in format_:
        return _named(format_)
    written = ""
    seen: set[str] = set()
    for part in re.finditer(r"'(?P<quoted>[^']*)'|(?P<letter>[A-Za-z])(?P=letter)*|.", format_):
        run, letter = part[0], part["letter"]
        if letter is None:
            literal = run if part["quoted"] is None else part["quoted"] or "'"
            written += "".join(sign if sign.isalnum() or sign in " ,/:-'" else f"\\{sign}" for sign in literal)
            continue
        if run == "a":
            written = written.removesuffix(" ") + _MERIDIEM
            continue
        name = "offset" if letter in "XxZV" else "MMM" if run in ("MMM", "MMMM") else letter
        digits = "{1,2}" if len(run) == 1 else "{2}"
        digits = {"y": "{1,4}", "yy": "{2}", "yyyy": "{4}"}.get(run, f"{{1,{len(run)}}}" if letter == "S" else digits)
        pattern = _OFFSETS.get(run, "[^0-9]+" if name == "MMM" else f"[0-9]{digits}")
        if run not in _OFFSETS and (letter not in "yMdHhKkmsS" or run == "yyy" or (len(run) > 4 and letter != "S")):
            return None
        written += f"(?P={name})" if name in seen else f"(?P<{name}>{pattern})"
        seen.add(name)
    return written.replace("日", f"日(?:{_WEEKDAY_AFTER.pattern})?")


#: Offsets from UTC and zones by the letters of a format.
_OFFSETS = {
    "X": "Z|[+-][0-9]{2}(?:[0-9]{2})?", "XX": "Z|[+-][0-9]{4}", "XXX": "Z|[+-][0-9]{2}:[0-9]{2}",
    "x": "[+-][0-9]{2}(?:[0-9]{2})?", "xx": "[+-][0-9]{4}", "xxx": "[+-][0-9]{2}:[0-9]{2}",
    **dict.fromkeys(("Z", "ZZ", "ZZZ"), "[+-][0-9]{4}"), "ZZZZZ": "Z|[+-][0-9]{2}:[0-9]{2}",
    "VV": "[A-Za-z][A-Za-z0-9_+/-]*",
}  # fmt: skip


def _named(format_: str) -> str:
    """The regular expression of a format with month names: `12. März 2025`, `12 de marzo de 2025`, `12-MAR-25`."""
    year = "(?P<y>[0-9]{4})" if "yyyy" in format_ else "(?P<y>[0-9]{2})"
    day, name = r"(?P<d>[0-9]{1,2})(?:\.|º|er)?", r"[^0-9\s.,/-]{3,12}\.?"
    first = rf"{name} {day}" if format_.startswith("L") else rf"{day}(?: | de |-|/)?{name}"
    letter = "h" if "h" in format_ else "H"
    minutes = rf",? (?P<{letter}>[0-9]{{1,2}}):(?P<m>[0-9]{{2}})"
    time = {"": "", "H:mm": minutes, "H:mm:ss": minutes + ":(?P<s>[0-9]{2})"}
    time["h:mm a"], time["h:mm:ss a"] = time["H:mm"] + _MERIDIEM, time["H:mm:ss"] + _MERIDIEM
    return rf"{first}(?:,? | de | del |-|/){year}{time[format_.rpartition('y')[2].strip()]}"


@cache
def offsets(zone: str) -> tuple[tuple[int | None, int], ...]:
    """The seconds by which a zone's clock is ahead of UTC, each with the wall clock, in seconds since 1970, from which.

    >>> [(since, ahead) for since, ahead in offsets("Europe/Berlin") if since is None or since > 1_740_000_000][:2]
    [(None, 3600), (1743303600, 7200)]
    """
    home, day = ZoneInfo(zone), timedelta(days=1)

    def ahead(at: datetime) -> int:
        return int((at.replace(tzinfo=home).utcoffset() or timedelta()).total_seconds())

    at, end = (datetime(year, 1, 1, tzinfo=UTC) for year in _CLOCKS)  # as wall clocks
    changes: list[tuple[int | None, int]] = [(None, ahead(at))]
    while at < end:
        if ahead(at + day) != ahead(at):
            minute = next(m for m in range(1, 1441) if ahead(at + timedelta(minutes=m)) != ahead(at))
            since = int((at + timedelta(minutes=minute)).timestamp())
            changes.append((since, ahead(at + day)))
        at += day
    return tuple(changes)
