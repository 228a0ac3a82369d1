"""Which formats a column's texts call for, and those that a contract's word for them stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime

from medallion.contracts.dates.counts import EPOCHS, SERIAL, counted, serial
from medallion.contracts.dates.day_order import NEAR, SINCE, Span, dotted_order, order_after_year, year_first
from medallion.contracts.dates.formats import DAY_BEFORE_MONTH, is_iso, reads
from medallion.contracts.dates.names import without_weekday
from medallion.contracts.dates.time_zones import ZONED

_TIMES = ("", " H:mm", " H:mm:ss", " h:mm a", " h:mm:ss a")
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
    dots = dotted_order(days).decided is True if dots is None else dots
    after_year = order_after_year(days).decided is True if after_year is None else after_year
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
        calendar_ = serial([text for text in left if re.fullmatch(SERIAL, text)], span)
        epochs = [name for name in EPOCHS if span is None or span.off(*_ends(name, left)) <= NEAR]
        numbers, left = _reading(left, (*([calendar_] if calendar_ else []), *epochs))
        needed += numbers
    if left:
        zoned = {text: match["text"] for text in left if (match := ZONED.fullmatch(text))}
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


def _ends(epoch: str, texts: list[str]) -> tuple[date, date]:
    """The first and last day of those texts that an epoch reads, the widest span where it reads none."""
    seconds = [counted(text) / EPOCHS[epoch] for text in texts if reads(epoch, text)]
    days = [datetime.fromtimestamp(each, UTC).date() for each in seconds] or [date.min, date.max]
    return min(days), max(days)


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
