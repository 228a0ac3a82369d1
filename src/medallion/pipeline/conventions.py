"""How the cells of a delivery are written, decided per column from all its values before anything is loaded.

A file whose values contradict each other or can be read in two ways is refused with both readings, so is one whose
known columns hold what nothing here understands. Looks at files only; needs no engine.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from itertools import islice

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from pyarrow import csv as pacsv

from medallion.contracts import Column, Entity, Filling, formats, yaml
from medallion.contracts.filling import ABSENT, LIFE, MERGED, WHERE
from medallion.contracts.model import DATE_FORMATS, NO_DATES
from medallion.contracts.odcs import code, names_in
from medallion.errors import SourceError
from medallion.lakehouse import query
from medallion.proposal import (
    activities,
    asking,
    closing_dates,
    evidence,
    marks,
    profile,
    snapshots,
    stages,
    state,
    systems,
    vocabulary,
)
from medallion.proposal.feeds import Feed
from medallion.sources import Refusal, SourceFile, parsing, quoting, units
from medallion.sources.files import UNREADABLE

#: An unknown spelling of a closed list in so many rows, and in this share of them, is a word and not a slip.
_ROWS, _SHARE = 2, 0.01
#: A column of at least so many values of which more than half cannot be read is not understood.
_VALUES = 3
#: Closed lists whose unknown spellings stop a file, also where the contract has a value for them.
_ASKED = ("status", "channel", "outcome")
#: Distinct texts of a column that are kept.
_DISTINCT = 1_000
_MESSAGES = 5
#: Under which names, which no column has, the pairs of state and stage are kept, and the states of deals without a day of closing.
_PAIR, _UNDATED = "\n", "\n\n"


#: Gives the cells of some columns of a file.
Cells = Callable[[SourceFile, list[str]], Iterator[pa.RecordBatch]]


#: Combinations of cells that a condition is tried with.
_COMBINATIONS = 10_000


@dataclass
class Seen:
    """What the values of one column are, without placeholders: `filled` of `rows` rows have one.

    `dates` has the distinct days written in figures, such as 31/12/2025, `days` those in the form of ISO 8601, `forms` an
    example and a count per form of other text, `ends` the first and last of the days in ISO 8601 and of the texts of a form
    that is figures alone; `words` has the distinct texts of a column with few of them, `no_dates` the texts of a column of
    dates that stand for none, such as 00000000.
    """

    rows: int = 0
    filled: int = 0
    dates: set[str] = field(default_factory=set)
    days: set[str] = field(default_factory=set)
    forms: dict[str, tuple[str, int]] = field(default_factory=dict)
    ends: set[str] = field(default_factory=set)
    words: Counter[str] = field(default_factory=Counter)
    no_dates: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Settled:
    """The files that can be read, as they are to be read; those that are refused; what is worth knowing."""

    files: list[SourceFile]
    refused: list[Refusal]
    notes: list[str]


def settle(
    files: Sequence[SourceFile],
    entities: Mapping[str, Entity],
    earlier: Iterable[SourceFile],
    *,
    accept: bool = False,
    today: date | None = None,
    cells: Cells | None = None,
) -> Settled:
    """Decide how the dates of a delivery are written, and refuse the files that are not understood.

    Args:
        files: New files of a delivery.
        entities: The contracts.
        earlier: Files read before, newest last; how their dates were written decides where nothing else does.
        accept: Read on by the contract's own conventions where the values do not decide.
        today: The day of the run: what is counted in days is not years after it, where no other date is known.
        cells: Gives columns of a file that was read before, where the file itself is not to be opened.
    """
    seen, refused = {}, []
    for file in files:
        try:
            seen[id(file)] = look(file, entities[file.entity], cells)
        except SourceError as error:
            refused.append(Refusal(file.name, file.entity, error.problem, error.remedy))
    readable = [file for file in files if id(file) in seen]
    before = _precedents(earlier)
    dated = [
        (id(file), look) for file in readable for look in _dates(file, entities[file.entity], seen[id(file)]).values()
    ]
    everywhere = _span(look for _, look in dated) or (formats.Span(date(1990, 1, 1), today) if today else None)
    orders = {
        (id(file), name): _order(file.mapping[name], entities[file.entity].column(name), texts, everywhere, today)
        for file in readable
        for name, texts in _dates(file, entities[file.entity], seen[id(file)]).items()
    }
    kept, notes = [], []
    whole = {} if cells else _states(readable, entities)
    for file in readable:
        entity = entities[file.entity]
        doubts = [*_twins(file, seen[id(file)]), *_marked(file, seen[id(file)]), *_planned(file, seen[id(file)])]
        doubts += _without_closing(file, entity, seen[id(file)]) + (
            [] if cells else [*_contradicted(file, entity), *_in_several_rows(file, entity)]
        )
        doubts += _unknown_spellings(file, entity, seen[id(file)]) + _never_won(file, entity, seen[id(file)])
        doubts += _ended_otherwise(file, entity, seen[id(file)]) + whole.get(id(file), [])
        dates: dict[str, tuple[str, ...]] = {}
        span = _span(look for of, look in dated if of == id(file)) or everywhere
        for name, texts in _dates(file, entity, seen[id(file)]).items():
            own = [other for (of, _), other in orders.items() if of == id(file)]
            others = [own, list(orders.values()), before.get((file.entity, name), [])]
            dates[name], of_dates = _dated(file, entity.column(name), texts, orders[id(file), name], others, span)
            doubts += of_dates
            notes += [note for note in _notes(file, name, dates[name], texts) if note not in notes]
        notes += [f"{file.name}: {doubt.problem}" for doubt in doubts if accept] + _slips(file, entity, seen[id(file)])
        notes += _undated(file, entity, seen[id(file)])
        if doubts and not accept:
            refused.append(_refusal(file, doubts))
        else:
            kept.append((file, dates))
    return Settled(_written(kept), refused, notes)


def _dated(
    file: SourceFile,
    column: Column,
    seen: Seen,
    order: formats.DayOrder,
    others: list[list[formats.DayOrder]],
    span: formats.Span | None = None,
) -> tuple[tuple[str, ...], list[_Doubt]]:
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
        needed, unread = formats.called_for([*texts, *figures], chosen, span, seen.dates, bool(years), dots, after_year)
    else:
        known = _explicit(filling, column)
        needed, unread = (), [text for text in texts if not any(formats.fits(format_, text) for format_ in known)]
    if filling.column:
        doubts += _unreadable(file, column.name, seen, unread)
    return needed, doubts


def _span(columns: Iterable[Seen]) -> formats.Span | None:
    """The first and last of the days whose year is plain; one of two digits is not where it may come first."""
    return formats.span_of((*seen.ends, *seen.dates) for seen in columns)


def _notes(file: SourceFile, name: str, needed: tuple[str, ...], seen: Seen) -> list[str]:
    """Notes on dates that are not written as days, months and years of four digits."""
    none = seen.no_dates.total()
    notes = [f"cells such as {next(iter(seen.no_dates))!r} ({none:,}) stand for no date"] if none else []
    since = sorted({year for format_ in needed if (year := formats.without_century(format_)[1])})
    if since:
        order = " (year, month, day)" if any(format_.startswith(("yy/", "yy-", "yy.")) for format_ in needed) else ""
        notes.append(f"years of two digits{order} are {since[0]} to {since[0] + 99}")
    notes += [
        f"days are counted by Excel's calendar of {format_[-4:]}" for format_ in needed if format_ in formats.SERIALS
    ]
    units = {"epoch s": "seconds", "epoch ms": "milliseconds", "epoch us": "microseconds"}
    notes += [f"times are {units[format_]} since 1970 (UTC)" for format_ in needed if format_ in units]
    return [f"{file.name}: {_origin(file, name)!r}: {note}" for note in notes]


@dataclass(frozen=True)
class _Doubt:
    problem: str
    remedy: str


def _refusal(file: SourceFile, doubts: list[_Doubt]) -> Refusal:
    problems = "; ".join(doubt.problem for doubt in doubts[:_MESSAGES])
    more = f"; and {len(doubts) - _MESSAGES} more" if len(doubts) > _MESSAGES else ""
    remedies = " ".join(dict.fromkeys(doubt.remedy for doubt in doubts[:_MESSAGES]))
    return Refusal(
        file.name, file.entity, f"{file.name}: {problems}{more}", f"{remedies} Or read it as it is with --accept."
    )


def _written(kept: list[tuple[SourceFile, dict[str, tuple[str, ...]]]]) -> list[SourceFile]:
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


def _precedents(earlier: Iterable[SourceFile]) -> dict[tuple[str, str], list[formats.DayOrder]]:
    """Per entity and column, the order of day and month in the newest file that told one; what was read with `accept`
    tells nothing.
    """
    orders: dict[tuple[str, str], list[formats.DayOrder]] = {}
    for file in earlier:
        for name, needed in () if file.accept else file.dates.items():
            order = _named_order(needed)
            if order.year_elsewhere is not None or order.after_year.vote is not None:
                orders[file.entity, name] = [order]
    return orders


def _named_order(needed: Iterable[str]) -> formats.DayOrder:
    """The order that formats have."""
    if any(re.match("yy[/.-]", format_) for format_ in needed):
        return formats.DayOrder(years=True)
    is_day_first = _is_day_first(needed)
    dots, after_year = (
        formats.OtherOrder("x" * _begins(needed, patterns[0]), "x" * _begins(needed, patterns[1]))
        for patterns in _OTHER_ORDERS.values()
    )
    return formats.DayOrder(
        "d" * (is_day_first is True), "M" * (is_day_first is False), dots=dots, after_year=after_year
    )


def _order(
    filling: Filling, column: Column, seen: Seen, span: formats.Span | None, today: date | None
) -> formats.DayOrder:
    """What a column says about the order of day, month and year: what its contract names, else its values. What has
    happened lies before the end of the day of the run.
    """
    named = _explicit(filling, column)
    order = formats.day_order([*_days(seen, filling, column), *seen.days], span)
    if named:
        return replace(order, years=_named_order(named).years)
    if column.event and today and order.either and order.years is False and not (order.day_first or order.month_first):
        day_first = formats.by_present(seen.dates, today + timedelta(days=1))
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


def _choose(
    order: formats.DayOrder, declared: bool | None, others: list[list[bool | None]], both: bool
) -> tuple[bool, bool]:
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


def _year_doubt(file: SourceFile, name: str, seen: Seen) -> _Doubt:
    """A doubt about years of two digits that may come first: every reading of one value beside the others."""
    example = min(text for text in seen.dates if "year" in formats.as_read(text))
    readings = " or ".join(f"{day} ({order} first)" for order, day in formats.as_read(example).items())
    return _Doubt(
        f"{_origin(file, name)!r}: {example!r} may be {readings}, and no value tells which",
        f"Say which it is in a contract: `dates: {{order: day}}`, `month` or `year` for {file.entity}.{name} "
        "(docs/SOURCES.md), or export dates as 2025-12-31.",
    )


def _order_doubt(file: SourceFile, seen: Seen, name: str, order: formats.DayOrder, declared: bool | None) -> _Doubt:
    header = _origin(file, name)
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
        return _Doubt(f"{header!r}: the contract reads the {used} first, but {shown!r} has the {other} first", remedy)
    if order.contradicts:
        either = f", so {order.either!r} may be either" if order.either else ""
        contradiction = f"{order.day_first!r} has the day first and {order.month_first!r} the month"
        return _Doubt(f"{header!r}: {contradiction}{either}", remedy)
    day, month, *rest = re.split(r"\D", order.either)
    year = formats.in_full(rest[0])
    readings = f"{year}-{month:0>2}-{day:0>2} (day first) or {year}-{day:0>2}-{month:0>2} (month first)"
    return _Doubt(f"{header!r}: {order.either!r} may be {readings}, and no value tells which", remedy)


#: Per kind of dates the beginnings of the formats with the usual and with the other order, and what comes first in these.
_OTHER_ORDERS = {
    "dots": (r"d\.", r"M\.", "the day first", "the month"),
    "after_year": ("yyyy[-/.]?M", "yyyy[-/.]?d", "the month after the year", "the day"),
}


def _other_doubts(file: SourceFile, name: str, order: formats.DayOrder, named: Iterable[str]) -> list[_Doubt]:
    """Doubts about dates whose values contradict each other, or the contract, in the order of day and month."""
    doubts = []
    for kind, (usual, other, has_usual, has_other) in _OTHER_ORDERS.items():
        votes: formats.OtherOrder = getattr(order, kind)
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
            _Doubt(
                f"{_origin(file, name)!r}: {', '.join(shown)}",
                f"Say which it is in a contract: `dateFormats: [{second}]` or `[{first}]` for {file.entity}.{name}, or both where "
                "each row is written in one of them; or export dates as 2025-12-31.",
            )
        )
    return doubts


def _unreadable(file: SourceFile, name: str, seen: Seen, unread: list[str]) -> list[_Doubt]:
    """A doubt about a column of which most values are no dates."""
    count = sum(times for example, times in seen.forms.values() if example in unread)
    if seen.filled < _VALUES or count * 2 <= seen.filled:
        return []
    if asked := formats.either_calendar(unread):
        remedy = f"Say which in a contract, as `dates: {{serial: 1900}}` of {file.entity}.{name} (docs/SOURCES.md)."
        return [_Doubt(f"{_origin(file, name)!r}: {asked}, and no other date tells which", remedy)]
    shown = ", ".join(repr(text[:40]) for text in unread[:3])
    column = f"{file.entity}.{name}"
    if wider := formats.wider(unread, str(file.mapping[name].column)):
        setting = f"dateFormats: [{wider.format}]" if wider.format else f"sql: {yaml.quoted(wider.sql)}"
        remedy = f"These are {wider.what}. If each is to count as its first day, say it in a contract: `{setting}` of {column}."
    else:
        remedy = (
            f"Name their form in a contract, `dateFormats: [d/M/yyyy]` of {column} with the letters that docs/SOURCES.md lists, "
            "or make days of them with an expression (`sql`); or export dates as 2025-12-31."
        )
    problem = f"{_origin(file, name)!r}: {count} of {seen.filled} values cannot be read as dates for {name}: {shown}"
    return [_Doubt(problem, remedy)]


def _unknown(file: SourceFile, entity: Entity, seen: Mapping[str, Seen]) -> Iterator[tuple[str, Seen, Counter[str]]]:
    """Closed columns with spellings that nothing knows: the column, what it holds, and those spellings with their rows."""
    for name, bronze in _closed(file, entity).items():
        column, filling = entity.column(name), file.mapping[name]
        if not filling.otherwise and name in _ASKED:
            words = seen[bronze].words
            unknown = Counter({text: n for text, n in words.items() if meant(text, column, filling) is None})
            if unknown:
                yield name, seen[bronze], unknown


def _is_slip(seen: Seen, unknown: Counter[str]) -> bool:
    """Whether so few rows have an unknown spelling that it is told with its row, and is no word of the export."""
    return unknown.total() < max(_ROWS, _SHARE * seen.filled)


def _unknown_spellings(file: SourceFile, entity: Entity, seen: Mapping[str, Seen]) -> list[_Doubt]:
    """A doubt about a closed column with spellings that nothing knows, however its contract goes on with them."""
    doubts = []
    for name, seen_column, unknown in _unknown(file, entity, seen):
        if not _is_slip(seen_column, unknown):
            header = _header(file, file.mapping[name].column or "")
            doubts.append(
                _Doubt(
                    f"{header!r}: {_shown(unknown)} is no known spelling of {name}",
                    f"Say what it means under `spellings` or `values` of {file.entity}.{name} in a contract "
                    f"({', '.join(entity.column(name).accepted)}).",
                )
            )
    return doubts


def _slips(file: SourceFile, entity: Entity, seen: Mapping[str, Seen]) -> list[str]:
    """What is taken for another value though nothing knows its spelling, since few rows have it."""
    return [
        f"{file.name}: {_shown(unknown)} is no known spelling of {name} and counts as {entity.column(name).fallback}"
        for name, seen_column, unknown in _unknown(file, entity, seen)
        if _is_slip(seen_column, unknown) and entity.column(name).fallback
    ]


def _shown(unknown: Counter[str]) -> str:
    rows = ((text, f"{count} row{'' if count == 1 else 's'}") for text, count in unknown.most_common(_MESSAGES))
    more = f" and {len(unknown) - _MESSAGES} more" if len(unknown) > _MESSAGES else ""
    return ", ".join(f"{text!r} ({count})" for text, count in rows) + more


def meant(text: str, column: Column, filling: Filling) -> str | None:
    """The value that a text of a closed column stands for; None for a spelling that nobody knows."""
    forms = (text.strip().lower(), code(text))
    listed = {form: value for written, value in filling.values for form in (written.strip().lower(), code(written))}
    known = (listed.get(form) or column.spellings.get(form) for form in forms)
    return next((value for value in known if value), filling.otherwise)


def _without_closing(file: SourceFile, entity: Entity, seen: Mapping[str, Seen]) -> list[_Doubt]:
    """A doubt about deals won and lost that would count on the day they were opened, beside a column of other dates."""
    expected = file.mapping.get("expected_close_date")
    if entity.name != "leads" or "closed_at" in file.mapping or not expected or expected.column not in seen:
        return []
    planned = seen[str(expected.column)]
    filling, column = file.mapping.get("status"), entity.column("status")
    states = seen[str(filling.column)].words if filling and filling.column in seen else Counter()
    by_table = filling is not None and filling.lookup is not None
    ended = sum(
        n for text, n in states.items() if filling and (by_table or meant(text, column, filling) in ("won", "lost"))
    )
    if not ended or not planned.filled or _has_updates(file):
        return []
    header = _header(file, str(expected.column))
    return [
        _Doubt(
            f"{ended} deals are won or lost and no column says when, though {header!r} has dates: they would count on the "
            "day they were opened",
            f"If {header!r} is that day for closed deals, let a contract say `closed_at: {header}`.",
        )
    ]


def _undated(file: SourceFile, entity: Entity, seen: Mapping[str, Seen]) -> list[str]:
    """What is said of deals won or lost in rows without a day of closing: the contract fills it from another day."""
    filling = file.mapping.get("status")
    if _UNDATED not in seen or filling is None:
        return []
    column = entity.column("status")
    ended = sum(n for text, n in seen[_UNDATED].words.items() if meant(text, column, filling) in ("won", "lost"))
    if not ended or "updated_at" not in (entity.column("closed_at").derive or ""):
        return []
    day = "last changed" if _has_updates(file) else "opened" if "created_at" in file.mapping else ""
    how = f"count on the day they were {day}" if day else "have no closing date"
    header = _header(file, str(file.mapping["closed_at"].column))
    return [f"{file.name}: deals won or lost without {header!r}: {ended:,}; they {how}"]


def _has_updates(file: SourceFile) -> bool:
    return "updated_at" in file.mapping


def _never_won(file: SourceFile, entity: Entity, seen: Mapping[str, Seen]) -> list[_Doubt]:
    """A doubt about deals of which none is won though stages that mean won are there."""
    filling = file.mapping.get("status")
    stage = file.mapping.get("stage")
    if entity.name != "leads" or filling is None or filling.sql or filling.lookup:
        return []
    column = entity.column("status")
    states = seen[filling.column].words if filling.column else Counter({str(filling.value): 1})
    if any(meant(text, column, filling) == "won" for text in states):
        return []
    texts = Counter(states)
    if stage and stage.column and stage.column in seen:
        texts.update(seen[stage.column].words)
    won = [text for text in texts if (meaning := vocabulary.value("leads.status", text)) and meaning.value == "won"]
    if not won:
        return []
    return [
        _Doubt(
            f"no deal is won, though {won[0]!r} ({texts[won[0]]} rows) says so",
            "Fill status from that column in a contract, or say there what the spelling means.",
        )
    ]


def _ended_otherwise(file: SourceFile, entity: Entity, seen: Mapping[str, Seen]) -> list[_Doubt]:
    """A doubt about deals whose stage says won or lost, and whose state says something else."""
    if _PAIR not in seen or not (filling := file.mapping.get("status")):
        return []
    pairs = {(text, stage): n for pair, n in seen[_PAIR].words.items() for text, _, stage in [pair.partition("\n")]}
    column = entity.column("status")
    others = state.ended_otherwise(pairs, lambda text: meant(text, column, filling))
    if not others:
        return []
    (text, stage), _ = others.most_common(1)[0]
    by_status, by_stage = (_header(file, str(file.mapping[name].column)) for name in ("status", "stage"))
    return [
        _Doubt(
            f"{others.total()} of {sum(pairs.values())} deals are such as {text!r} in {by_status!r} and {stage!r} in {by_stage!r}: which counts?",
            f"Let a contract say it: `status: {{column: {by_status}}}` or `status: {{column: {by_stage}}}` (`medallion init` has the figures "
            "of both).",
        )
    ]


def _contradicted(file: SourceFile, entity: Entity) -> list[_Doubt]:
    """What the records of a table of deals that no contract knows contradict, by the evidence of `medallion init`."""
    if entity.name != "leads" or entity.sources or "status" not in file.mapping:
        return []
    telling = {*stages.FLAG_WORDS, *evidence.CHANCE, "active"}
    read = {file.mapping[name].column for name in ("status", "created_at", "closed_at") if name in file.mapping}
    beside = {name for header, name in file.columns if telling & {*vocabulary.words_of(header)}}
    if not beside and "closed_at" not in file.mapping:
        return []
    wanted = [name for _, name in file.columns if name in read | beside]
    of_days = {file.mapping[name].column for name in ("created_at", "closed_at") if name in file.mapping}
    table = profile.of_columns(file, wanted, _every(file, wanted), of_days)
    feed = Feed(table, "leads", 1.0, "")
    headers = {column.name: column.header for column in table.columns}
    for name in ("status", "created_at", "closed_at"):
        item = file.mapping.get(name)
        if item and item.column and not item.lookup:
            feed.fillings[name] = item.model_copy(
                update={"column": headers[item.column], "confidence": 1.0, "reason": ""}
            )
    evidence.outcome(feed, entity)
    evidence.flags(feed, entity)
    days = [
        table.column(str(feed.fillings[name].column)) for name in ("created_at", "closed_at") if name in feed.fillings
    ]
    if all(each.day_order.decided is not None or not each.day_order.either for each in days):
        closing_dates.order(feed)
    return [
        _Doubt(
            f"{item.column!r}: {doubt.removeprefix('; ').removeprefix('but ')}",
            f"Say in a contract what fills {file.entity}.{name} (`medallion init` proposes one).",
        )
        for name, item in feed.fillings.items()
        for doubt in asking.doubts(item)
    ]


def _in_several_rows(file: SourceFile, entity: Entity) -> list[_Doubt]:
    """A doubt about deals that stand in several rows with different amounts, of which nothing tells the newest."""
    plain = _plain(file)
    known = entity.name == "leads" and not entity.sources and {entity.key, "deal_value"} <= plain.keys()
    if not known or "updated_at" in file.mapping:
        return []
    wanted = [plain[entity.key], plain["deal_value"]]
    table = profile.of_columns(file, wanted, _every(file, wanted), ())
    met: dict[str, tuple[str, list[str]]] = {}
    for key, amount in table.counted(*table.columns):
        if key:
            met.setdefault(code(key), (key, []))[1].append(amount)
    several = [record for record in met.values() if len(record[1]) > 1]
    if len(several) < max(_ROWS, _SHARE * len(met)):
        return []
    key, amounts = several[0]
    return [
        _Doubt(
            f"{len(several):,} of {len(met):,} deals stand in several rows with different amounts, such as {key!r} "
            f"({', '.join(amount or 'empty' for amount in amounts[:3])}), and no column says which is the newest: only the last row "
            "would count",
            "Let `medallion init` write a contract: it asks whether these are lines of a deal or versions of it.",
        )
    ]


def _states(files: Sequence[SourceFile], entities: Mapping[str, Entity]) -> dict[int, list[_Doubt]]:
    """Doubts about files of one kind that no contract knows and that may be states of several days, per file."""
    doubts: dict[int, list[_Doubt]] = {}
    unknown = [file for file in files if not entities[file.entity].sources and entities[file.entity].version_column]
    for group in snapshots.alike(unknown):
        asks = snapshots.asked(group, lambda file: _records(file, entities[file.entity]))
        remedy = (
            f"Let `medallion init` write a contract: `snapshot: true` for {group[0].entity} says that each is a complete state; "
            "without it all of their records count."
        )
        doubts |= {id(file): [_Doubt(asks, remedy)] for file in group if asks}
    return doubts


def _records(file: SourceFile, entity: Entity) -> snapshots.Records:
    """Per key of a file the state and value of the record, where these are columns."""
    plain = _plain(file)
    if entity.key not in plain:
        return {}
    names = [plain[name] for name in (entity.key, "status", "deal_value") if name in plain]
    states = entity.column("status") if len(names) == 3 else None
    records: dict[str, tuple[str, str]] = {}
    for batch in parsing.parse(file, [name for _, name in file.columns]):
        for key, *texts in zip(*(batch.column(name).to_pylist() for name in names), strict=True):
            if key:
                records[code(key)] = (texts[0] or "", texts[1] or "") if states else ("", "")
    comma = profile.Column("", "", 0, Counter(value for _, value in records.values() if value)).comma
    return {
        key: (
            (states and (meant(text, states, file.mapping["status"]) or states.default)) or "",
            units.signed(value, comma),
        )
        for key, (text, value) in records.items()
    }


def _twins(file: SourceFile, seen: Mapping[str, Seen]) -> list[_Doubt]:
    """A doubt about two columns of one name that hold different things; which of them counts nobody said."""
    doubts = []
    for bronze, others in _same_header(file).items():
        for other in others:
            if seen[other].filled and seen[bronze].words != seen[other].words:
                doubts.append(
                    _Doubt(
                        f"two columns are named {_header(file, bronze)!r} and hold different values "
                        f"({_example(seen[bronze])} and {_example(seen[other])})",
                        f"Rename one of the columns, or fill it in a contract by `sql: {other}` or `sql: {bronze}`.",
                    )
                )
    return doubts


def _example(seen: Seen) -> str:
    return next((repr(text[:40]) for text in seen.words), "empty")


def _marked(file: SourceFile, seen: Mapping[str, Seen]) -> list[_Doubt]:
    """A doubt about rows that a column marks as deleted or merged away."""
    doubts = []
    for bronze in _markers(file):
        header = _header(file, bronze)
        if marks.is_no_business(header):
            if texts := marks.flagged(seen[bronze].words):
                doubts.append(
                    _Doubt(
                        f"{header!r} marks {sum(texts.values())} of {seen[bronze].rows} rows as tests, copies or the like "
                        f"({', '.join(map(repr, texts))})",
                        "Let `medallion init` write a contract, or say it in yours beside the columns of the file: `where: "
                        f"{yaml.quoted(marks.unflagged(bronze, texts))}`. If they count like the others, write `where: "
                        f"{yaml.quoted(marks.counts_all(bronze))}` (docs/SOURCES.md).",
                    )
                )
            continue
        texts = marks.marked(header, seen[bronze].words)
        is_state = not marks.is_put_away(header, ())  # activities that are archived took place
        if texts and not (file.entity == "interactions" and is_state and marks.is_put_away(header, texts)):
            word = (
                f"`mergedInto: {header}`"
                if marks.is_pointer(header)
                else f"`absent: {{when: {yaml.quoted(marks.ended(header, bronze, texts))}}}`"
            )
            shown = ", ".join(repr(text[:40]) for text in list(texts)[:3])
            doubts.append(
                _Doubt(
                    f"{_header(file, bronze)!r} marks {sum(texts.values())} of {seen[bronze].rows} rows as deleted or "
                    f"merged away ({shown})",
                    f"Let `medallion init` write a contract, or say it in yours beside the columns of the file: {word}. "
                    f"If they count like the others, write `absent: {{when: {yaml.quoted(f'`{bronze}` IS NULL AND false')}}}` (docs/SOURCES.md).",
                )
            )
    return doubts


def _planned(file: SourceFile, seen: Mapping[str, Seen]) -> list[_Doubt]:
    """A doubt about activities that a column tells to be yet to come, or called off, and that would count as touches."""
    pending = {
        name: {text: n for text, n in texts.items() if _may_count(file, seen, name, text)}
        for header, name in _activity_states(file)
        if (texts := activities.not_done(header, seen[name].words))
    }
    pending = {name: texts for name, texts in pending.items() if texts}
    if not pending:
        return []
    shown = "; ".join(
        f"{_header(file, name)!r} {', '.join(repr(text[:40]) for text in list(texts)[:3])}"
        for name, texts in pending.items()
    )
    rows = max(sum(texts.values()) for texts in pending.values())
    words = " AND ".join(activities.when(name, texts) for name, texts in pending.items())
    if where := file.mapping.get(WHERE):
        words = f"({where.sql}) AND {words}"
    return [
        _Doubt(
            f"{rows} of {max(seen[name].rows for name in pending)} activities have not taken place ({shown}), but would count as "
            "touches",
            f"Let `medallion init` write a contract, or say which count in yours: `where: {yaml.quoted(words)}`; "
            '`where: "true"` counts all.',
        )
    ]


def _may_count(file: SourceFile, seen: Mapping[str, Seen], name: str, text: str) -> bool:
    """Whether activities of that state may count by the contract, which does not mention it: beside any of the cells that
    the other columns in its condition have. Where that cannot be told, they may.
    """
    where = file.mapping.get(WHERE)
    if where is None or where.sql is None:
        return True
    columns = names_in(where.sql)
    if not columns or repr(text.strip().lower()) in where.sql.lower():
        return False  # every activity, or this one, as somebody has decided
    if name not in columns:
        return True
    others = sorted(columns - {name})
    most = round(_COMBINATIONS ** (1 / max(len(others), 1)))
    cells = [[text], *([None, *islice(seen[other].words if other in seen else (), most)] for other in others)]
    listed = ", ".join(f'(select unnest(?::varchar[]) as "{each}")' for each in (name, *others))
    try:
        condition = sqlglot.transpile(where.sql, read="spark", write="duckdb")[0]
        with query.empty() as connection:
            (row,) = query.rows(connection, f"select bool_or(({condition})::boolean) as counts from {listed}", cells)
    except (duckdb.Error, sqlglot.ParseError):
        return True
    return row["counts"] is True


# which columns are looked at, and how


def _header(file: SourceFile, bronze: str) -> str:
    return next(header for header, name in file.columns if name == bronze)


def _origin(file: SourceFile, name: str) -> str:
    """What fills a canonical column, as a user knows it: the header, or the expression."""
    filling = file.mapping[name]
    return _header(file, filling.column) if filling.column else str(filling.sql)


def _plain(file: SourceFile) -> dict[str, str]:
    """Canonical columns that are read from a column of the file as it is."""
    named = {name: item for name, item in file.mapping.items() if name not in LIFE}
    return {name: item.column for name, item in named.items() if item.column and not item.lookup}


def _date_columns(file: SourceFile, entity: Entity) -> dict[str, list[str]]:
    """Per canonical column of dates the columns of the file that it is read from, by an expression or as they are."""
    columns = {}
    for column in entity.columns:
        item = file.mapping.get(column.name)
        if item and column.kind in ("date", "timestamp") and not item.values and not item.lookup:
            read = {item.column} if item.column else names_in(item.sql) if item.sql else set()
            columns[column.name] = [name for _, name in file.columns if name in read]
    return columns


def _dates(file: SourceFile, entity: Entity, seen: Mapping[str, Seen]) -> dict[str, Seen]:
    """Per canonical column of dates what the columns that it is read from hold together."""
    dates = {}
    for name, columns in _date_columns(file, entity).items():
        if columns:
            dates[name] = Seen(
                filled=sum(seen[column].filled for column in columns),
                dates=set().union(*(seen[column].dates for column in columns)),
                days=set().union(*(seen[column].days for column in columns)),
                forms={form: example for column in columns for form, example in seen[column].forms.items()},
                ends=set().union(*(seen[column].ends for column in columns)),
                no_dates=Counter({text: n for column in columns for text, n in seen[column].no_dates.items()}),
            )
    return dates


def _closed(file: SourceFile, entity: Entity) -> dict[str, str]:
    return {name: bronze for name, bronze in _plain(file).items() if entity.column(name).accepted}


def _markers(file: SourceFile) -> list[str]:
    """Columns that may mark rows as deleted and that no contract reads."""
    if file.entity not in (
        "customers",
        "leads",
        "interactions",
        "stage_changes",
    ):  # a stage that is retired is still looked up
        return []
    unread = [
        (header, name)
        for header, name in file.columns
        if name not in file.columns_read and (marks.may_mark(header) or marks.is_no_business(header))
    ]
    old = {header for header, _ in unread if file.entity == "interactions" and marks.is_put_away(header, ())}
    if old and (system := systems.recognized([[header for header, _ in file.columns]])):
        old = {header for header in old if vocabulary.bare(header) not in system.deleted}
    return [name for header, name in unread if header not in old]


def _activity_states(file: SourceFile) -> list[tuple[str, str]]:
    """Header and name of the columns that may tell activities that have taken place from others."""
    if file.entity != "interactions":
        return []
    return [(header, name) for header, name in file.columns if activities.may_tell(header)]


def _state_and_stage(file: SourceFile, entity: Entity) -> tuple[str, str] | None:
    """The columns of state and stage of deals, where they are two and no contract has said which counts."""
    status, stage = file.mapping.get("status"), file.mapping.get("stage")
    if entity.name != "leads" or any(source.columns for source in entity.sources) or not status or not stage:
        return None
    return (status.column, stage.column) if status.column and stage.column and status.column != stage.column else None


def _state_and_closing(file: SourceFile, entity: Entity) -> tuple[str, str] | None:
    """The columns of the state of deals and of their day of closing, as far as both are read as they are."""
    plain = _plain(file) if entity.name == "leads" else {}
    names = plain.get("status"), plain.get("closed_at")
    return (names[0], names[1]) if names[0] and names[1] and names[0] != names[1] else None


def _marks_read(file: SourceFile, entity: Entity) -> list[tuple[str, str]]:
    """Header and name of the columns that mark rows as deleted and that the contract or its key reads."""
    fillings = [item for name in (entity.key, ABSENT, MERGED) if (item := file.mapping.get(name))]
    read = set().union(*(names_in(item.sql) for item in fillings if item.sql))
    read |= {item.column for item in [file.mapping.get(MERGED)] if item and item.column}
    return [(header, name) for header, name in file.columns if name in read and marks.may_mark(header)]


def _same_header(file: SourceFile) -> dict[str, list[str]]:
    """Columns that fill something by their header, each with the others of that header.

    Keys of JSON and columns of Parquet are names as they are: two that differ by case are two.
    """
    if file.format in ("json", "jsonl", "parquet"):
        return {}
    bare = {name: header.strip().casefold() for header, name in file.columns}
    mapped = [item.column for item in file.mapping.values() if item.column]
    alike = {name: [other for other in bare if other != name and bare[other] == bare[name]] for name in mapped}
    return {name: others for name, others in alike.items() if others and bare[name]}


def look(file: SourceFile, entity: Entity, cells: Cells | None = None) -> dict[str, Seen]:
    """What the columns of a file hold that its reading depends on.

    Raises:
        SourceError: The file cannot be read to its end.
    """
    dates = {column for columns in _date_columns(file, entity).values() for column in columns}
    stage = file.mapping.get("stage")
    listed = {*_closed(file, entity).values(), *_markers(file), *([stage.column] if stage and stage.column else [])}
    if states := {name for _, name in _activity_states(file)}:
        counts = file.mapping.get(WHERE)
        listed |= states | (
            {name for _, name in file.columns} & names_in(counts.sql) if counts and counts.sql else set()
        )
    for bronze, others in _same_header(file).items():
        listed |= {bronze, *others}
    unread, read_markers = set(_markers(file)), _marks_read(file, entity) if listed else []
    item = file.mapping.get(entity.key)
    key = {item.column} if item and item.column and listed and entity.name == "leads" else set()
    wanted = [name for _, name in file.columns if name in dates | listed | key | {name for _, name in read_markers}]
    if not wanted:
        return {}
    empty = {*entity.placeholders}
    pair, undated = _state_and_stage(file, entity), _state_and_closing(file, entity)

    def read(batches: Iterator[pa.RecordBatch]) -> dict[str, Seen]:
        seen = {name: Seen() for name in wanted}
        for batch in batches:
            for name in key:  # a row without one is refused whatever it says: a total, a note
                batch = batch.filter(pc.fill_null(pc.not_equal(batch.column(name), ""), False))
            if pair:
                both = [pc.utf8_trim_whitespace(pc.fill_null(batch.column(name), "")) for name in pair]
                counted = _counted(pc.binary_join_element_wise(*both, "\n"), {"\n"})
                seen.setdefault(_PAIR, Seen()).words.update(dict(counted.most_common(_DISTINCT)))
            if undated:
                state_, closing = (pc.utf8_trim_whitespace(pc.fill_null(batch.column(name), "")) for name in undated)
                blank = pc.is_in(pc.utf8_lower(closing), pa.array(sorted({*empty, *NO_DATES, ""}), pa.string()))
                seen.setdefault(_UNDATED, Seen()).words.update(_counted(state_.filter(blank), empty))
            unmarked = batch.filter(_unmarked(batch, read_markers, empty)) if read_markers else batch
            for name in wanted:
                cells = (unmarked if name in unread else batch).column(name)
                _add(seen[name], cells, empty, name in dates, name in listed)
        return seen

    if cells:
        return read(cells(file, wanted))
    if file.format == "csv":
        try:
            return read(_columns_of_csv(file, wanted))
        except (pa.ArrowException, UnicodeError, *UNREADABLE):
            pass  # read again as bronze is, which says what is wrong with it
    names = [name for _, name in file.columns]
    return read(batch.select(wanted) for batch in parsing.parse(file, names))


def _every(file: SourceFile, wanted: list[str]) -> list[pa.RecordBatch]:
    """Some columns of all records of a file that could be read to its end, without those that are malformed."""
    if file.format == "csv":
        try:
            return [*_columns_of_csv(file, wanted)]
        except (pa.ArrowException, UnicodeError, *UNREADABLE):
            pass
    names = [name for _, name in file.columns]
    read = (batch.filter(batch.column(len(names) + 2).is_null()) for batch in parsing.parse(file, names))
    return [batch.select(wanted) for batch in read]


def _unmarked(batch: pa.RecordBatch, read_markers: Iterable[tuple[str, str]], empty: Collection[str]) -> pa.Array:
    """Which rows none of the columns that the contract reads marks as deleted."""
    ended = pa.array(np.zeros(batch.num_rows, bool))
    for header, name in read_markers:
        cells = pc.fill_null(pc.utf8_trim_whitespace(batch.column(name)), "")
        texts = pa.array(list(marks.marked(header, _counted(cells, empty))), pa.string())
        ended = pc.or_(ended, pc.is_in(cells, value_set=texts))
    return pc.invert(ended)


def _add(seen: Seen, cells: pa.Array, empty: Collection[str], dates: bool, listed: bool) -> None:
    """Add the cells of a batch. What is costly is done for distinct texts, and for dates in other forms than ISO."""
    seen.rows += len(cells)
    if listed:
        counts = _counted(cells, empty)
        if len(seen.words) < _DISTINCT:
            seen.words.update(counts)
        seen.filled += counts.total()
    if not dates:
        return
    iso = pc.match_like(cells, "____-__-__%")
    for end in "mM.T":  # am and pm, names of zones
        iso = pc.and_(iso, pc.invert(pc.ends_with(cells, end)))
    days = set(pc.unique(pc.utf8_slice_codeunits(cells.filter(iso), 0, 10)).to_pylist())
    if days & {*NO_DATES}:  # they have the form of ISO 8601
        none, cells = _no_dates(seen, cells)
        iso, days = iso.filter(none), days - {*NO_DATES}
    seen.days |= days
    plausible = [day for day in days if "198" < day < "206"]
    seen.ends |= {min(plausible), max(plausible)} if plausible else set()
    seen.filled += 0 if listed else pc.sum(iso).as_py() or 0
    texts = pc.utf8_trim_whitespace(cells.filter(pc.invert(iso)))
    texts = texts.filter(pc.invert(pc.is_in(pc.utf8_lower(texts), pa.array(sorted(empty), pa.string()))))
    _, texts = _no_dates(seen, texts)
    seen.filled += 0 if listed else len(texts)
    if len(texts):
        _add_forms(seen, texts)


def _no_dates(seen: Seen, cells: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Which cells of dates do not stand for none, and these cells; the others are counted."""
    bare = pc.utf8_trim_whitespace(cells)
    none = pc.fill_null(pc.is_in(pc.utf8_lower(bare), pa.array(NO_DATES, pa.string())), False)
    seen.no_dates.update(_counted(bare.filter(none), ()))
    kept = pc.invert(none)
    return kept, cells.filter(kept)


def _add_forms(seen: Seen, texts: pa.Array) -> None:
    """Add dates in other forms than ISO. Texts that differ in their digits alone are of one form, so that regular
    expressions are tried on the few forms and not on every cell.
    """
    shapes = _without_digits(texts).dictionary_encode()
    rows: dict[str, list[int]] = {}
    for place, shape in enumerate(shapes.dictionary.to_pylist()):
        rows.setdefault(_form(shape), []).append(place)
    counts = Counter({item["values"]: item["counts"] for item in pc.value_counts(shapes.indices).to_pylist()})
    for form, places in islice(rows.items(), _DISTINCT):
        example, count = seen.forms.get(form, ("", 0))
        is_figure = bool(re.fullmatch("[0.,]+", form))
        days = {place: match.end(1) for place in places if (match := _DAY.match(shapes.dictionary[place].as_py()))}
        if is_figure or not count or days:
            of_form = texts.filter(pc.is_in(shapes.indices, pa.array(places, shapes.indices.type)))
            ends = set(pc.min_max(of_form).as_py().values())
            seen.ends |= ends if is_figure else set()
            example = example or str(min(ends))
        for place, end in days.items():
            of_shape = of_form if len(places) == 1 else texts.filter(pc.equal(shapes.indices, place))
            seen.dates |= set(pc.unique(pc.utf8_slice_codeunits(of_shape, 0, end)).to_pylist())
        seen.forms[form] = (example, count + sum(counts[place] for place in places))


#: A day in figures at the beginning of a text whose digits are all 0.
_DAY = re.compile(r"((?:0{1,2}[/.-]0{1,2}[/.-](?:0000|00)|0000[/.-]0{1,2}[/.-]0{1,2})(?=[^0]|$)|0{8}(?=(?:0{6})?$))")
_ZEROS = np.array([ord("0") if chr(byte).isdecimal() else byte for byte in range(256)], np.uint8)


def _without_digits(texts: pa.Array) -> pa.Array:
    """Texts with every digit 0: done on their bytes at once."""
    texts = pa.concat_arrays([texts])  # from its own beginning
    _, offsets, data = texts.buffers()
    zeros = pa.py_buffer(_ZEROS[np.frombuffer(data, np.uint8)].tobytes())
    return pa.StringArray.from_buffers(len(texts), offsets, zeros, offset=texts.offset)


@cache
def _form(shape: str) -> str:
    """The format that reads dates of a shape, whichever of day and month is first; for others the shape itself."""
    for format_ in formats.candidates(day_first=False):
        if re.fullmatch(formats.reader(format_), shape):
            return format_
    return shape


def _counted(cells: pa.Array, empty: Collection[str]) -> Counter[str]:
    """How often each text occurs, without white space around it and without placeholders."""
    counts: Counter[str] = Counter()
    for item in pc.value_counts(cells.drop_null()).to_pylist():
        text = item["values"].strip()
        if text.lower() not in empty:
            counts[text] += item["counts"]
    return counts


def _columns_of_csv(file: SourceFile, wanted: list[str]) -> Iterator[pa.RecordBatch]:
    """Some columns of a delimited text, without records that do not split into the header's cells."""
    names = [name for _, name in file.columns]
    with file.place.text() as stream:
        yield from pacsv.open_csv(
            quoting.Doubled(stream, file.delimiter) if file.slashed else stream,
            read_options=pacsv.ReadOptions(
                use_threads=True,
                block_size=8 << 20,
                encoding="utf8" if file.encoding == "utf-8" else file.encoding,
                column_names=names,
                skip_rows=file.header_line - 1,
                skip_rows_after_names=1,
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=file.delimiter, newlines_in_values=file.quoted, invalid_row_handler=lambda record: "skip"
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, include_columns=wanted
            ),
        )
