"""Dates and times of cells: ISO 8601, the formats of a contract, counts of days and seconds, months in any language."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from medallion.contracts.dates import day_order, formats, time_zones
from medallion.contracts.dates.counts import EPOCHS, SERIALS
from medallion.contracts.dates.day_order import SINCE
from medallion.contracts.dates.names import MONTHS, without_weekday
from medallion.contracts.dates.time_zones import ZONES

SECOND = 1_000_000
_DAY = 86_400 * SECOND
_EPOCH = date(1970, 1, 1).toordinal()
LOCAL = re.compile(r"[0-9]:[0-9]{2}")
ZONED = re.compile(r"(?:[A-LN-Za-ln-z]|[+-][0-9]{2}:?[0-9]{2})\Z")
_MONTH = re.compile(r"[^0-9 .,/-]{3,12}")
_ENGLISH = {
    name.lower(): month
    for names in (calendar.month_name, calendar.month_abbr)
    for month, name in enumerate(names)
    if name
}
_SHORT = (4, 6, 9, 11)
#: Texts that are ISO 8601 or nothing, and the parts of one.
_ISO = re.compile(r".{4}-..-..(?:\Z|[ T])", re.DOTALL)
_ISO_PARTS = re.compile(
    r"(?P<y>[0-9]{4})-(?P<M>[0-9]{2})-(?P<d>[0-9]{2})(?:[ T](?P<H>[0-9]{1,2})(?::(?P<m>[0-9]{1,2})"
    r"(?::(?P<s>[0-9]{1,2})(?:\.(?P<S>[0-9]*))?(?P<zone>[^0-9].*)?)?)?)?",
    re.DOTALL,
)
_CONTROL = "".join(map(chr, range(0x21)))
_OFFSET = re.compile(
    r"(?:UTC|GMT|UT)?(?P<sign>[+-])(?:(?P<h>[0-9]{1,2})(?::(?P<m>[0-9]{1,2})(?::(?P<s>[0-9]{1,2}))?)?"
    r"|(?P<h2>[0-9]{2})(?P<m2>[0-9]{2})(?P<s2>[0-9]{2})?)"
)
_FURTHEST = 18 * 3_600
_BILLIONTH = Decimal("0.000000001")
#: Names of zones that Java knows beside the IANA's, in ISO 8601 alone: `ZONES` leaves out those that are several.
_SHORT_ZONES = {
    "ACT": "Australia/Darwin", "AET": "Australia/Sydney", "AGT": "America/Argentina/Buenos_Aires", "ART": "Africa/Cairo",
    "AST": "America/Anchorage", "BET": "America/Sao_Paulo", "BST": "Asia/Dhaka", "CAT": "Africa/Harare",
    "CNT": "America/St_Johns", "CST": "America/Chicago", "CTT": "Asia/Shanghai", "EAT": "Africa/Addis_Ababa",
    "ECT": "Europe/Paris", "EST": "-05:00", "HST": "-10:00", "IET": "America/Indiana/Indianapolis", "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo", "MIT": "Pacific/Apia", "MST": "-07:00", "NET": "Asia/Yerevan", "NST": "Pacific/Auckland",
    "PLT": "Asia/Karachi", "PNT": "America/Phoenix", "PRT": "America/Puerto_Rico", "PST": "America/Los_Angeles",
    "SST": "Pacific/Guadalcanal", "VST": "Asia/Ho_Chi_Minh",
}  # fmt: skip

#: What reads a text: microseconds since 1970 of the clock that it shows, or None.
Read = Callable[[str], int | None]


def timestamp(text: str, written: Iterable[str]) -> int | None:
    """Microseconds since 1970 in UTC: ISO 8601 first, then formats in their order. A date alone is its midnight.

    An impossible date such as 31/02/2025 is not read. What formats there are beside Spark's own,
    `medallion.contracts.dates.formats` says.

    >>> from datetime import datetime, timedelta
    >>> def show(texts, formats):
    ...     found = [timestamp(text, formats) for text in texts]
    ...     return [at if at is None else str(datetime(1970, 1, 1) + timedelta(microseconds=at)) for at in found]
    >>> show(["3/2/25 3:30p.m.", "2/3/99", "45909.5", "1741777200000", "12. März 2025"],
    ...      ["d/M/yy since 1950", "d/M/yy h:mm a since 1950", "serial 1900", "epoch ms", "d LLLL yyyy"])
    ['2025-02-03 15:30:00', '1999-03-02 00:00:00', '2025-09-09 12:00:00', '2025-03-12 11:00:00', '2025-03-12 00:00:00']
    >>> show(["12 Mar 25", "12 mars 1998"], ["d LLLL yy", "d LLLL yyyy"])
    ['2025-03-12 00:00:00', '1998-03-12 00:00:00']
    >>> show(["2025-06-12T14:30:00Z", "06/12/2025 14:30", "2025-06-31", "6/31/2025 1:00"], ["M/d/yyyy H:mm"])
    ['2025-06-12 14:30:00', '2025-06-12 14:30:00', None, None]
    >>> show(["2025-01-15 12:00", "2025-07-15 12:00", "2025-07-15T12:00:00Z", "2025-07-15"], ["zone Europe/Berlin"])
    ['2025-01-15 11:00:00', '2025-07-15 10:00:00', '2025-07-15 12:00:00', '2025-07-15 00:00:00']
    """
    return reader(tuple(written))(text)


@cache
def reader(written: tuple[str, ...]) -> Read:
    """What `timestamp` is for these formats."""
    rewritten = _families(written)
    listed = [each for each in written if not any(each in alike for alike in rewritten)]
    special = [each for each in listed if formats.is_special(each) or each.startswith("yyyy-")]
    cases = [[_Form(format_) for format_ in alike] for alike in rewritten]
    cases += [[_Form(format_)] for format_ in special if not format_.startswith("zone ")]
    plain = [_Form(format_) for format_ in listed if format_ not in special]
    zones, is_turned = time_zones.zones(written), formats.DAY_BEFORE_MONTH in written

    def clock(text: str) -> int | None:
        """What a clock showed; in UTC where the text names a zone. Of each group the first that has its shape decides."""
        for forms in cases[: len(rewritten)]:
            if shaped := [form for form in forms if formats.fits(form.format, text)]:
                return _first(shaped, text)
        for (form,) in cases[len(rewritten) :]:
            if (at := form.read(text)) is not None:
                return at
        if not _ISO.match(text):
            return _first(plain, text)
        return iso(f"{text[:5]}{text[8:10]}-{text[5:7]}{text[10:]}" if is_turned else text)

    def read(text: str) -> int | None:
        at = clock(text)
        if at is not None and zones and LOCAL.search(text) and not ZONED.search(text):
            for zone in zones:
                at = utc(at, zone)
        return at

    return read


def _first(forms: Iterable[_Form], text: str) -> int | None:
    return next((at for form in forms if (at := form.read(text)) is not None), None)


def _families(written: Iterable[str]) -> list[list[str]]:
    """Formats with a month's name in any language or a year of two digits, those together that differ in the time alone."""
    families: dict[tuple[bool, str, int], list[str]] = {}
    for format_ in written:
        bare, since = formats.without_century(format_)
        named = "LLLL" in bare
        if not bare.endswith(" z") and (named or since is not None):
            order = "" if named else "".join(letter for letter in bare if letter in "dMy").replace("yy", "y")
            first = 0 if "yyyy" in bare else since or SINCE
            families.setdefault((named, order, first), []).append(format_)
    return list(families.values())


class _Form:
    """One format: which texts have its shape, and what they mean."""

    def __init__(self, format_: str) -> None:
        self.format = format_
        self.zoned = format_.endswith(" z")
        self.named = format_.startswith("E") or "日" in format_
        bare, since = formats.without_century(format_.removesuffix(" z"))
        self.since = (since or SINCE) if since is not None or "LLLL" in bare else 2000
        pattern = formats.shape(format_)
        self._shape = None if pattern is None else re.compile(pattern)

    def read(self, text: str) -> int | None:
        """What the text stands for; None where it has another shape, or there is no such day or hour."""
        weekday, text = without_weekday(text) if self.named else (None, text)
        match = self._shape and self._shape.fullmatch(text)
        if match is None:
            return None
        if self.format in EPOCHS:
            return _of_epoch(text, self.format)
        if self.format in SERIALS:
            return _of_serial(text, self.format)
        part = match.groupdict()
        at = instant(self._year(part.get("y")), self._month(part, text), int(part.get("d") or 1), clock_time(part))
        if at is None or weekday not in (None, (at // _DAY + 3) % 7):  # 1970 began on a Thursday
            return None
        if offset := part.get("offset"):
            return in_utc(at, offset)
        return (at // SECOND - _ahead(part["zone"] or "")) * SECOND if self.zoned else at

    def _year(self, digits: str | None) -> int:
        if digits is None:
            return 1970
        return day_order.in_full(digits, self.since) if len(digits) == 2 and "yy" in self.format else int(digits)

    def _month(self, part: Mapping[str, str | None], text: str) -> int:
        if "LLLL" in self.format:
            word = _MONTH.search(text.lower())
            return MONTHS.get(word[0], 0) if word else 0
        if name := part.get("MMM"):
            return _ENGLISH.get(name.lower(), 0)
        return int(part.get("M") or 1)


def instant(year: int, month: int, day: int, time: int | None) -> int | None:
    """Microseconds since 1970 of a day and a time of it; None where there is no such day or time."""
    if time is None or not 1 <= month <= 12 or not 1 <= day <= (29 if month == 2 else 30 if month in _SHORT else 31):
        return None
    cycle = 400 if year == 0 else 0  # the year before the first, which `date` does not know
    try:
        return (date(year + cycle, month, day).toordinal() - _EPOCH) * _DAY - cycle // 400 * 146_097 * _DAY + time
    except ValueError:
        return None


def clock_time(part: Mapping[str, str | None]) -> int | None:
    """Microseconds since midnight of the parts of a time, by the letters of its format; None where there is no such time.
    24:00 is the last second of its day, so that what ended then counts on that day.

    >>> clock_time({"h": "12", "m": "30", "a": "a"}), clock_time({"H": "24", "m": "00"}), clock_time({"H": "24", "m": "01"})
    (1800000000, 86399000000, None)
    """
    late = (part["a"] or "").lower() == "p" if part.get("a") else None
    hour = 0
    if part.get("H") is not None:
        hour = int(part["H"] or 0)
        if (
            hour == 24
            and late is None
            and part.get("m") is not None
            and not int(part["m"] or 0) + int(part.get("s") or 0)
        ):
            return _DAY - SECOND
        if hour > 23 or (late is not None and late != (hour >= 12)):
            return None
    elif part.get("k") is not None:
        hour = int(part["k"] or 0)
        if not 1 <= hour <= 24:
            return None
        hour %= 24
    elif part.get("h") is not None or part.get("K") is not None:
        written = int(part.get("h") or part.get("K") or 0)
        if late is None or not (1 <= written <= 12 if part.get("h") else written <= 11):
            return None
        hour = written % 12 + 12 * late
    minute, second = int(part.get("m") or 0), int(part.get("s") or 0)
    if minute > 59 or second > 59:
        return None
    return (hour * 3_600 + minute * 60 + second) * SECOND + int((part.get("S") or "0").ljust(6, "0")[:6])


def iso(text: str) -> int | None:
    """A text in ISO 8601 of ASCII, with hours and minutes of one digit or two, and with seconds a zone or an offset.

    >>> iso("1970-01-01 0:01"), iso("1970-01-01T00:00:01.5+00:00"), iso("1970-01-01 0:01Z"), iso("2025-06-31")
    (60000000, 1500000, None, None)
    """
    match = _ISO_PARTS.fullmatch(text.rstrip(_CONTROL)) if text.isascii() else None
    if match is None:
        return None
    at = instant(int(match["y"]), int(match["M"]), int(match["d"]), clock_time(match.groupdict()))
    zone = (match["zone"] or "").strip(_CONTROL)
    return in_utc(at, zone) if at is not None and zone else at


def in_utc(local: int, zone: str) -> int | None:
    """The time in UTC of a wall clock in a zone: an offset, a name of the IANA's or one of Java's short ones.

    Of an hour that the clock shows twice, the first. None for a zone that is not known.

    >>> in_utc(0, "+02:00"), in_utc(0, "UTC-1"), in_utc(0, "Europe/Berlin"), in_utc(0, "MEZ")
    (-7200000000, 3600000000, -3600000000, None)
    """
    if match := _OFFSET.fullmatch(zone):
        hours, minutes, seconds = (int(match[part] or match[f"{part}2"] or 0) for part in ("h", "m", "s"))
        ahead = hours * 3_600 + minutes * 60 + seconds
        if minutes > 59 or seconds > 59 or ahead > _FURTHEST:
            return None
        return local - (-ahead if match["sign"] == "-" else ahead) * SECOND
    name = _SHORT_ZONES.get(zone, zone)
    if name != zone and name.startswith("-"):
        return in_utc(local, name)
    if name in ("Z", "UT"):
        return local
    if name not in _zones():
        return None
    # the calendar repeats after 400 years, so that a year 0 has the offset of the year 400
    days, time = divmod(local, _DAY)
    at = datetime.fromordinal(min(max(days + _EPOCH, 1), date.max.toordinal())) + timedelta(microseconds=time)
    offset = at.replace(tzinfo=ZoneInfo(name)).utcoffset()
    return None if offset is None else local - int(offset.total_seconds()) * SECOND


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"Factory", "localtime"})


def utc(local: int, zone: str) -> int:
    """The time in UTC of a wall clock, by the offsets of the zone that `time_zones.offsets` gives."""
    ahead = 0
    for since, offset in time_zones.offsets(zone):
        if since is None or local // SECOND >= since:
            ahead = offset
    return local - ahead * SECOND


def _ahead(zone: str) -> int:
    """The seconds by which a zone at the end of a text is ahead of UTC: one of `ZONES`, or an offset."""
    name, offset = re.search("[A-Z]+", zone), re.search("([0-9]{2}):?([0-9]{2})", zone)
    if name and (ahead := ZONES.get(name[0])):
        return ahead * 3_600
    sign = -60 if "-" in zone else 60
    return sign * (int(offset[1]) * 60 + int(offset[2])) if offset else 0


def _of_epoch(text: str, unit: str) -> int:
    """A count of seconds, or of parts of them, since 1970."""
    figure = re.search(r"[0-9]+(?:\.[0-9]+)?", text)
    exact = Decimal(figure[0] if figure else 0).quantize(_BILLIONTH, ROUND_HALF_UP)
    return int((exact * (SECOND // EPOCHS[unit])).to_integral_value(ROUND_DOWN))


def _of_serial(text: str, system: str) -> int:
    """A count of days of one of Excel's calendars, to the second."""
    days = Decimal(text.replace(",", ".")).quantize(_BILLIONTH, ROUND_HALF_UP)
    start = SERIALS[system].toordinal() - _EPOCH
    return int(((days + start) * 86_400 + Decimal("0.5")).to_integral_value(ROUND_FLOOR)) * SECOND
