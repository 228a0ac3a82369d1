"""Which order of day, month and year the dates of a column have, and what of that is in doubt."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

from medallion.contracts import Column, Filling, yaml
from medallion.contracts.dates import counts, day_order, formats, inference, periods
from medallion.contracts.dates.counts import SERIALS
from medallion.contracts.dates.day_order import DayOrder, OtherOrder, Span
from medallion.contracts.model import DATE_FORMATS
from medallion.pipeline.conventions.cells import Seen
from medallion.pipeline.conventions.doubts import Doubt, origin_of
from medallion.sources import SourceFile

#: A column of at least so many values of which more than half cannot be read is not understood.
_VALUES = 3


def formats_of(
    file: SourceFile,
    column: Column,
    seen: Seen,
    order: DayOrder,
    others: list[list[DayOrder]],
    span: Span | None = None,
) -> tuple[tuple[str, ...], list[Doubt]]:
    """The formats that a column of dates calls for, none where its contract names them; and what is in doubt."""
    filling = file.mapping[column.name]
    declared = _declared_order(filling, column)
    years = order.years if order.years is not None else _agreed([each.year_elsewhere for each in of] for of in others)
    both = _names_both(_explicit(filling, column))
    chosen, doubt = _choose(order, declared, [[each.decided for each in of] for of in others], both)
    doubts = (
        [_order_doubt(file, seen, column.name, order, declared)] if doubt and not (declared is None and years) else []
    )
    if declared is None and years is None:
        doubts = [_year_doubt(file, column.name, seen)]
    dots, after_year = (
        votes.vote
        if votes.vote is not None
        else bool(_agreed([getattr(each, kind).vote for each in of] for of in others))
        for kind in ("dots", "after_year")
        for votes in [getattr(order, kind)]
    )
    doubts += _other_doubts(file, column.name, order, _explicit(filling, column))
    texts = [example for example, _ in seen.forms.values()]
    if declared is None:
        figures = {text for text in seen.ends if not formats.is_iso(text)}
        if after_year:
            texts += sorted(seen.days)[:1]
        needed, unread = inference.called_for(
            [*texts, *figures], chosen, span, seen.dates, bool(years), dots, after_year
        )
    else:
        known = _explicit(filling, column)
        needed, unread = (), [text for text in texts if not any(formats.fits(format_, text) for format_ in known)]
    if filling.column:
        doubts += _unreadable(file, column.name, seen, unread)
    return needed, doubts


def span_of(columns: Iterable[Seen]) -> Span | None:
    """The first and last of the days whose year is plain; one of two digits is not where it may come first."""
    return day_order.span_of((*seen.ends, *seen.dates) for seen in columns)


def date_notes(file: SourceFile, name: str, needed: tuple[str, ...], seen: Seen) -> list[str]:
    """Notes on dates that are not written as days, months and years of four digits."""
    none = seen.no_dates.total()
    notes = [f"cells such as {next(iter(seen.no_dates))!r} ({none:,}) stand for no date"] if none else []
    since = sorted({year for format_ in needed if (year := formats.without_century(format_)[1])})
    if since:
        order = " (year, month, day)" if any(format_.startswith(("yy/", "yy-", "yy.")) for format_ in needed) else ""
        notes.append(f"years of two digits{order} are {since[0]} to {since[0] + 99}")
    notes += [f"days are counted by Excel's calendar of {format_[-4:]}" for format_ in needed if format_ in SERIALS]
    units = {"epoch s": "seconds", "epoch ms": "milliseconds", "epoch us": "microseconds"}
    notes += [f"times are {units[format_]} since 1970 (UTC)" for format_ in needed if format_ in units]
    return [f"{file.name}: {origin_of(file, name)!r}: {note}" for note in notes]


def with_formats(kept: list[tuple[SourceFile, dict[str, tuple[str, ...]]]]) -> list[SourceFile]:
    """Each file with the formats of its dates; one list for all files of an entity that are written in one order."""
    lists: dict[tuple[str, str, bool | None, frozenset[str]], dict[str, None]] = {}
    for file, dates in kept:
        for name, needed in dates.items():
            lists.setdefault((file.entity, name, *_way(needed)), {}).update(dict.fromkeys(needed))
    return [
        file.with_dates({name: tuple(lists[file.entity, name, *_way(needed)]) for name, needed in dates.items()})
        for file, dates in kept
    ]


def _way(needed: Iterable[str]) -> tuple[bool | None, frozenset[str]]:
    """What formats of one file share with those of another: the order, and the calendars and centuries of figures."""
    needed = list(needed)
    figures = (re.search(r"^(serial|epoch) .*|since [0-9]{4}$|^yyyy[-/.]?d|^M\.", format_) for format_ in needed)
    return _is_day_first(needed), frozenset(match[0] for match in figures if match)


def _is_day_first(needed: Iterable[str]) -> bool | None:
    """Whether formats have the day first, None where none of them tells."""
    orders = {format_[0] == "d" for format_ in needed if format_[:2] in ("d/", "d-", "d.", "M/", "M-", "M.")}
    return orders.pop() if len(orders) == 1 else None


def precedents_of(earlier: Iterable[SourceFile]) -> dict[tuple[str, str], list[DayOrder]]:
    """Per entity and column, the order of day and month in the newest file that told one; what was read with `accept`
    tells nothing.
    """
    orders: dict[tuple[str, str], list[DayOrder]] = {}
    for file in earlier:
        for name, needed in () if file.accept else file.dates.items():
            order = _named_order(needed)
            if order.year_elsewhere is not None or order.after_year.vote is not None:
                orders[file.entity, name] = [order]
    return orders


def _named_order(needed: Iterable[str]) -> DayOrder:
    """The order that formats have."""
    if any(re.match("yy[/.-]", format_) for format_ in needed):
        return DayOrder(years=True)
    is_day_first = _is_day_first(needed)
    dots, after_year = (
        OtherOrder("x" * _begins(needed, patterns[0]), "x" * _begins(needed, patterns[1]))
        for patterns in _OTHER_ORDERS.values()
    )
    return DayOrder("d" * (is_day_first is True), "M" * (is_day_first is False), dots=dots, after_year=after_year)


def order_of(filling: Filling, column: Column, seen: Seen, span: Span | None, today: date | None) -> DayOrder:
    """What a column says about the order of day, month and year: what its contract names, else its values. What has
    happened lies before the end of the day of the run.
    """
    named = _explicit(filling, column)
    order = day_order.day_order([*_days(seen, filling, column), *seen.days], span)
    if named:
        return replace(order, years=_named_order(named).years)
    if column.event and today and order.either and order.years is False and not (order.day_first or order.month_first):
        day_first = day_order.by_present(seen.dates, today + timedelta(days=1))
        if day_first is not None:
            return replace(order, day_first=order.either * day_first, month_first=order.either * (not day_first))
    return order


def _explicit(filling: Filling, column: Column) -> tuple[str, ...]:
    """The formats that a contract names for a column; the shipped list names none."""
    return filling.date_formats or (() if column.date_formats == DATE_FORMATS else column.date_formats)


def _days(seen: Seen, filling: Filling, column: Column) -> list[str]:
    """The days of a column that are written in figures; by a contract's formats those with a mark that these have."""
    named = _explicit(filling, column)
    return sorted(
        day for day in seen.dates if not named or any(mark in day for mark in "/.-" if mark in "".join(named))
    )


def _declared_order(filling: Filling, column: Column) -> bool | None:
    """The order of day and month that a contract names, None where it leaves that to the values."""
    named = _explicit(filling, column)
    return (_is_day_first(named) or False) if named else None


def _begins(named: Iterable[str], pattern: str) -> bool:
    """Whether one of some formats begins so."""
    return any(re.match(pattern, format_) for format_ in named)


def _names_both(named: Iterable[str]) -> bool:
    """Whether formats have the day first and the month first: each date is then read by the first that reads it."""
    return {format_[0] for format_ in named if re.match("d[/-]M|M[/-]d", format_)} == {"d", "M"}


def _choose(order: DayOrder, declared: bool | None, others: list[list[bool | None]], both: bool) -> tuple[bool, bool]:
    """Whether days come first in a column, and whether that is in doubt, as it is not where a contract names `both` orders."""
    if declared is not None:
        return declared, not both and not order.years and bool(order.month_first if declared else order.day_first)
    if order.contradicts:
        return False, True
    if order.decided is not None:
        return order.decided, False
    agreed = _agreed(others)
    return bool(agreed), agreed is None and bool(order.either)


def _agreed(others: Iterable[Iterable[bool | None]]) -> bool | None:
    """What the nearest of others that say something agree on."""
    for known in others:
        votes = {vote for vote in known if vote is not None}
        if votes:
            return votes.pop() if len(votes) == 1 else None
    return None


def _year_doubt(file: SourceFile, name: str, seen: Seen) -> Doubt:
    """A doubt about years of two digits that may come first: every reading of one value beside the others."""
    example = min(text for text in seen.dates if "year" in day_order.as_read(text))
    readings = " or ".join(f"{day} ({order} first)" for order, day in day_order.as_read(example).items())
    return Doubt(
        f"{origin_of(file, name)!r}: {example!r} may be {readings}, and no value tells which",
        f"Say which it is in a contract: `dates: {{order: day}}`, `month` or `year` for {file.entity}.{name} "
        "(docs/SOURCES.md), or export dates as 2025-12-31.",
    )


def _order_doubt(file: SourceFile, seen: Seen, name: str, order: DayOrder, declared: bool | None) -> Doubt:
    header = origin_of(file, name)
    forms = [re.sub("^d(.)M", r"M\1d", form) for form in seen.forms if re.match("d[/-]M|M[/-]d", form)] or ["M/d/yyyy"]
    month_first, day_first = ", ".join(forms), ", ".join(re.sub("^M(.)d", r"d\1M", form) for form in forms)
    remedy = (
        f"Say which it is in a contract: `dateFormats: [{day_first}]` or `[{month_first}]` for {file.entity}.{name} "
        "(docs/SOURCES.md), or export dates as 2025-12-31."
    )
    if order.contradicts and not order.years:
        remedy = (
            f"If each row is written in one of both, name both in a contract, `dateFormats: [{day_first}, {month_first}]` for "
            f"{file.entity}.{name}: dates that may be either are read by the first. Better export dates as 2025-12-31."
        )
    if declared is not None:
        shown = order.month_first if declared else order.day_first
        used, other = ("day", "month") if declared else ("month", "day")
        return Doubt(f"{header!r}: the contract reads the {used} first, but {shown!r} has the {other} first", remedy)
    if order.contradicts:
        either = f", so {order.either!r} may be either" if order.either else ""
        contradiction = f"{order.day_first!r} has the day first and {order.month_first!r} the month"
        return Doubt(f"{header!r}: {contradiction}{either}", remedy)
    day, month, *rest = re.split(r"\D", order.either)
    year = day_order.in_full(rest[0])
    readings = f"{year}-{month:0>2}-{day:0>2} (day first) or {year}-{day:0>2}-{month:0>2} (month first)"
    return Doubt(f"{header!r}: {order.either!r} may be {readings}, and no value tells which", remedy)


#: Per kind of dates the beginnings of the formats with the usual and with the other order, and what comes first in these.
_OTHER_ORDERS = {
    "dots": (r"d\.", r"M\.", "the day first", "the month"),
    "after_year": ("yyyy[-/.]?M", "yyyy[-/.]?d", "the month after the year", "the day"),
}


def _other_doubts(file: SourceFile, name: str, order: DayOrder, named: Iterable[str]) -> list[Doubt]:
    """Doubts about dates whose values contradict each other, or the contract, in the order of day and month."""
    doubts = []
    for kind, (usual, other, has_usual, has_other) in _OTHER_ORDERS.items():
        votes: OtherOrder = getattr(order, kind)
        declared = [_begins(named, usual), _begins(named, other)]
        if all(declared) or not (
            votes.is_doubtful if not any(declared) else votes.other if declared[0] else votes.usual
        ):
            continue
        example = votes.other or votes.usual
        mark = (re.match(r"[0-9]+(\D?)", example) or [""])[1]
        months, days = ("yyyyMMdd", "yyyyddMM") if not mark else (f"yyyy{mark}M{mark}d", f"yyyy{mark}d{mark}M")
        first, second = ("d.M.yyyy", "M.d.yyyy") if kind == "dots" else (months, days)
        shown = [f"{text!r} has {has}" for text, has in ((votes.usual, has_usual), (votes.other, has_other)) if text]
        shown += [f"the contract reads {has_other if declared[1] else has_usual}"] if any(declared) else []
        shown += [f"{votes.either!r} may be either"] if votes.either and not any(declared) else []
        doubts.append(
            Doubt(
                f"{origin_of(file, name)!r}: {', '.join(shown)}",
                f"Say which it is in a contract: `dateFormats: [{second}]` or `[{first}]` for {file.entity}.{name}, or both where "
                "each row is written in one of them; or export dates as 2025-12-31.",
            )
        )
    return doubts


def _unreadable(file: SourceFile, name: str, seen: Seen, unread: list[str]) -> list[Doubt]:
    """A doubt about a column of which most values are no dates."""
    count = sum(times for example, times in seen.forms.values() if example in unread)
    if seen.filled < _VALUES or count * 2 <= seen.filled:
        return []
    if asked := counts.either_calendar(unread):
        remedy = f"Say which in a contract, as `dates: {{serial: 1900}}` of {file.entity}.{name} (docs/SOURCES.md)."
        return [Doubt(f"{origin_of(file, name)!r}: {asked}, and no other date tells which", remedy)]
    shown = ", ".join(repr(text[:40]) for text in unread[:3])
    column = f"{file.entity}.{name}"
    is_end = name in ("closed_at", "expected_close_date")
    if wider := periods.wider(unread, str(file.mapping[name].column), is_end):
        setting = f"dateFormats: [{wider.format}]" if wider.format else f"sql: {yaml.quoted(wider.sql)}"
        remedy = f"These are {wider.what}. If each is to count as {wider.asks}, say it in a contract: `{setting}` of {column}."
    else:
        remedy = (
            f"Name their form in a contract, `dateFormats: [d/M/yyyy]` of {column} with the letters that docs/SOURCES.md lists, "
            "or make days of them with an expression (`sql`); or export dates as 2025-12-31."
        )
    problem = f"{origin_of(file, name)!r}: {count} of {seen.filled} values cannot be read as dates for {name}: {shown}"
    return [Doubt(problem, remedy)]
