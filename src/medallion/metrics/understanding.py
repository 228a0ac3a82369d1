"""A question as it is understood: names looked up in what is declared, values read by their types, periods as days.

What is not there, cannot be read, or would undo the metric is refused with what is nearest to it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from medallion.errors import ContractError
from medallion.metrics import periods
from medallion.metrics.answers import TELLS, contradicted, named, refuse
from medallion.metrics.conditions import (
    COMPARISONS,
    And,
    Beside,
    Condition,
    Not,
    Or,
    Test,
    Value,
    both,
    conjuncts,
    one_value,
    parse,
    tests,
)
from medallion.metrics.declared import Dimension, Metric, MetricView, finite
from medallion.metrics.filters import Filter, boolean, leave_something, number, one_of
from medallion.metrics.loading import declarations
from medallion.metrics.periods import Shift, Span, Today
from medallion.metrics.possible import OTHER, about, values_left
from medallion.metrics.question import TIME, Given, Order, Question, Records, Split
from medallion.metrics.relations import columns_of

#: Reads, of these texts, those that are values of a dimension of a view; all of its values when there are none.
Known = Callable[[MetricView, Dimension, Sequence[str]], Collection[str]]
_NEAREST = 3


@dataclass(frozen=True)
class Facts:
    """What is known of the data while a question is read.

    Attributes:
        first: The first day; None where there is none.
        last: The last day, which gold describes.
        known: Reads values of dimensions.
        there: Whether a table is there.
    """

    first: date | None
    last: date | None
    known: Known
    there: Callable[[str], bool] = lambda name: True


@dataclass(frozen=True)
class Part:
    """A metric without parts, with the time that it is counted by.

    Attributes:
        metric: The metric.
        time: Its time column, where the period or a split needs it.
        where: Which rows count.
        splits: What it is split by, in the order of the question.
        days: Of a stock that is counted from its history: at the end of which days.
        days_before: The same of the period that is compared with.
    """

    metric: Metric
    time: Dimension | None
    where: Condition | None
    splits: tuple[tuple[Dimension, str | None], ...]
    days: tuple[date, ...] = ()
    days_before: tuple[date, ...] = ()


@dataclass(frozen=True)
class Understood:
    """A question whose every word is understood.

    Attributes:
        question: As it was asked.
        metrics: The metrics.
        parts: By name, those that they are made of, or themselves.
        splits: What they are split by, with the dimension of the first metric.
        where: Which rows count, with values as they are in the data.
        span: The period, cut to the as-of day; None for all time.
        before: The period that is compared with, and how far it lies before.
        having: Which rows of the answer are shown.
        order: By what they are ordered.
        parameters: The values of all parameters.
        today: The as-of day, and the fiscal calendar.
        notes: What a reader should know.
    """

    question: Question
    metrics: tuple[Metric, ...]
    parts: Mapping[str, Part]
    splits: tuple[tuple[Split, Dimension], ...]
    where: Condition | None
    span: Span | None
    before: tuple[Span, Shift] | None
    having: Condition | None
    order: tuple[Order, ...]
    parameters: Mapping[str, float]
    today: Today
    notes: tuple[str, ...]

    def __str__(self) -> str:
        labels = [one.measure.display_name for one in self.metrics]
        told = [" and ".join([labels[0], *(label[0].lower() + label[1:] for label in labels[1:])])]
        if self.splits:
            told[0] += " by " + " and ".join(_split_told(split, dimension) for split, dimension in self.splits)
        if self.where is not None:
            told[0] += f" where {self.where}"
        if self.span is not None:
            whole = self.span.first and self.span.last and self.span.first != self.span.last
            told.append(f"from {self.span}" if whole else str(self.span))
        if self.before:
            told.append(f"compared with {self.before[0]}")
        if self.having is not None:
            told.append(f"having {self.having}")
        return ", ".join(told)


@dataclass(frozen=True)
class UnderstoodRecords:
    """A list whose every word is understood.

    Attributes:
        asked: As it was asked.
        view: The entity.
        columns: What is shown.
        where: Which records.
        order: By which columns, and whether the largest comes first.
        parameters: The values of all parameters.
        each: The column of each of whose values the first records are shown.
    """

    asked: Records
    view: MetricView
    columns: tuple[Dimension, ...]
    where: Condition | None
    order: tuple[tuple[Dimension, bool], ...]
    parameters: Mapping[str, float]
    each: Dimension | None = None

    def __str__(self) -> str:
        told = self.view.entity.replace("_", " ").capitalize() + (f" where {self.where}" if self.where else "")
        if self.each is None:
            return told
        order = ", ".join(str(one) for one in self.asked.order)
        return f"{told}, the first {self.asked.limit} of each {self.each.display_name.lower()} by {order or 'key'}"


def understand(asked: Question, facts: Facts) -> Understood:
    """A question with all that it names.

    Raises:
        ContractError: Something of it is not there, cannot be read, or would change what a metric means.
    """
    found = tuple(named(name) for name in asked.metrics)
    today = _today(asked.as_of, facts)
    span, before = _period(asked, today, facts)
    parts: dict[str, Part] = {}
    for metric in found:
        _check_metric(metric, asked, span, facts)
        for one in _leaves(metric):
            parts[one.name] = _of_history(one, asked, span, before, today, facts) or _part(
                one, asked, today, facts, timed=span is not None
            )
    if span is not None and ((today.day and facts.last and today.day < facts.last) or before):
        span = replace(span, last=min(filter(None, (span.last, today.day))))
    for part in parts.values():
        _check_time(part, asked, span, today, facts)
    for metric in found:
        _check_whole(metric, [parts[one.name] for one in _leaves(metric)], asked, span, today, facts)
    first = next(iter(parts.values()))
    parameters = _parameters(asked, found)
    splits = tuple((split, dimension) for split, (dimension, _) in zip(asked.by, first.splits, strict=True))
    having = _having(asked, found)
    order = tuple(_ordered(one, found, asked) for one in asked.order)
    notes = _notes(found, span, before, today, facts)
    return Understood(asked, found, parts, splits, first.where, span, before, having, order, parameters, today, notes)


def understand_records(asked: Records, facts: Facts) -> UnderstoodRecords:
    """A list with all that it names.

    Raises:
        ContractError: Something of it is not there or cannot be read.
    """
    views = declarations().views
    view = views.get(asked.entity)
    if view is None:
        near = difflib.get_close_matches(asked.entity[:40], views, n=_NEAREST, cutoff=0.5)
        raise ContractError(
            f"there are no records of {asked.entity[:80]!r}", f"{_nearest(near)}There are: {', '.join(views)}."
        )
    today = _today(asked.as_of, facts)
    where = condition(asked.where, view, facts, today)
    span = periods.read(asked.period, today) if asked.period is not None else Span(None, None)
    if span.first is not None or span.last is not None:
        day = _day_of(view, where)
        if not day.future:
            outside(span, facts, today.day)
        where = both(where, _within(day, span))
    if today.day != facts.last:
        where = both(where, _until(view, today, facts))
    fields = _fields(view)
    leave_something(filters_of(where), fields)
    every = [one.name for one in (*view.dimensions, *view.fields) if one.type != "month"]
    names = dict.fromkeys((*view.key, *(view.listed or every)))
    shown = [fields[name] for name in names if name in fields and _reachable(view, fields[name], facts)]
    columns = tuple(_field(name, view, fields, "show") for name in asked.columns) or tuple(shown)
    if not columns:
        raise ContractError(f"{view.entity} have no dimension or field to show", "Declare one.")
    order = tuple((_field(one.name, view, fields, "order by"), one.descending) for one in asked.order)
    each = _field(asked.each, view, fields, "show the first of each") if asked.each else None
    if each is not None and not asked.limit:
        raise ContractError(f"how many of each {each.name}?", "Give a limit, such as 1.")
    for one in (*columns, *(one for one, _ in order), *([each] if each else [])):
        _reach(view, one, facts)
    known = {one.name for one in view.parameters}
    _only_known(dict(asked.parameters), known, view.entity)
    for name, value in asked.parameters:
        finite(name, value)
    parameters = {one.name: one.default for one in view.parameters} | dict(asked.parameters)
    given = {name: value for name, value in parameters.items() if value is not None}
    return UnderstoodRecords(asked, view, columns, where, order, given, each)


def _until(view: MetricView, today: Today, facts: Facts) -> Condition:
    """Of events, those up to the day that is asked as of; other records are only known as they are now."""
    times = {one.period for one in view.measures}
    day = view.dimension(times.pop() or "") if len(times) == 1 else None
    if day is None or today.day is None or any(one.maturing for one in view.measures):
        raise ContractError(
            f"{view.entity} are known as of the last day of the data, {facts.last}, not of {today.day}",
            "Leave as of out; `medallion replay DAY` gives the state of a past day.",
        )
    return Test(day.name, "<=", (today.day,))


def _day_of(view: MetricView, where: Condition | None) -> Dimension:
    """The day that a list's period restricts: the first of its rows, or one that all rows of the condition have by its nature,
    such as the day closed of deals that were won.
    """
    days = [one for one in (*view.dimensions, *view.fields) if one.type == "day"]
    own = [one for one in view.dimensions if one.type == "day"]
    if not own:  # days that are only fields say something of a row, and not when it came to be
        named = " or ".join(f"--where '{one.name} in PERIOD'" for one in days)
        raise ContractError(
            f"{view.entity} have no day to count by", f"Write {named}." if named else "Leave the period out."
        )
    said = _said(view, where)

    def is_theirs(day: Dimension) -> bool:
        return bool(day.implies) and all(
            any(one.dimension == name and one.operator == "=" and {*one.values} <= {*values} for one in said)
            for name, values in day.implies
        )

    return next(filter(is_theirs, days), own[0])


def condition(given: Given, view: MetricView, facts: Facts, today: Today) -> Condition | None:
    """Conditions over the dimensions and fields of a view, with their values as the data has them.

    Raises:
        ContractError: A name or value is not there or cannot be read; or they leave nothing together.
    """
    found = both(*(_read(one, view, facts, today) for one in given))
    for part in conjuncts(found):
        if isinstance(part, Test) and part.op == "=" and len(part.values) == 0:
            raise ContractError(f"{part}: no value", "Name one.")
    leave_something(filters_of(found), {one.name: one for one in (*view.dimensions, *view.fields)})
    return found


def _read(given: Condition | str, view: MetricView, facts: Facts, today: Today) -> Condition | None:
    if not isinstance(given, str):
        return _meant(given, view, facts, today)
    try:
        parsed = parse(given)
        return None if parsed is None else _meant(parsed, view, facts, today)
    except ContractError as error:
        whole = one_value(given)
        if whole is None:
            raise
        try:
            return _meant(whole, view, facts, today)
        except ContractError:
            raise error from None


def _meant(given: Condition, view: MetricView, facts: Facts, today: Today) -> Condition:
    """A condition with the names and values that its words mean."""
    if isinstance(given, And):
        return both(*(_meant(one, view, facts, today) for one in given.parts)) or given
    if isinstance(given, Or):
        return Or(tuple(_meant(one, view, facts, today) for one in given.parts))
    if isinstance(given, Not):
        return Not(_meant(given.part, view, facts, today))
    return _test(given, view, facts, today)


def _test(given: Test, view: MetricView, facts: Facts, today: Today) -> Condition:
    dimension = _field(given.name, view, _fields(view), "filter by")
    _reach(view, dimension, facts)
    name, kind, label = dimension.name, dimension.type, f"{dimension.name} {given.op}".replace(" is", "")
    if given.op in ("unknown", "known"):
        return Test(name, given.op)
    if given.op == "is":
        if kind != "boolean":
            raise ContractError(
                f"{name} is no yes or no, so it cannot stand alone", f"Compare it: {name} {_example(dimension)}."
            )
        return Test(name, "is")
    if any(one == "" for one in given.values):
        raise ContractError(f"{label} has an empty value beside others", f"Write `or {name} is unknown`.")
    if kind == "boolean":
        return _yes_or_no(given, dimension)
    if given.op == "contains":
        if kind != "text":
            raise ContractError(f"{name} is no text, so it contains nothing", f"Write {name} {_example(dimension)}.")
        return Test(name, "contains", (str(given.values[0]),))
    if kind == "text":
        if given.op in (*COMPARISONS, "between"):
            near = _some(facts.known(view, dimension, ()) or dimension.values)
            raise ContractError(f"{name} is text and cannot be compared with {given.op}", f"Name its values: {near}.")
        return Test(name, given.op, _texts(given.values, view, dimension, facts))
    if other := _beside(given, dimension, view, facts):
        return Test(name, given.op, (other,))
    if kind == "number":
        percent = dimension.format is not None and dimension.format.type == "percentage"
        values = tuple(_number(one, dimension, percent=percent) for one in given.values)
        if given.op == "between" and values[0] > values[1]:
            raise ContractError(f"{given} ends before it begins", "Change one of the two.")
        return Test(name, given.op, values)
    found = _time(given, dimension, today)
    return _in_the_data(found, given, dimension, facts, today)


def _beside(given: Test, dimension: Dimension, view: MetricView, facts: Facts) -> Beside | None:
    """The column of the same row that a day or number is compared with; None where it is compared with a value."""
    value = given.values[0] if len(given.values) == 1 else None
    named_one = value.name if isinstance(value, Beside) else value if isinstance(value, str) else ""
    other = _fields(view).get(named_one)
    if other is None:
        return None
    kinds = [(one.type, one.format.type if one.format else None) for one in (dimension, other)]
    if kinds[0] != kinds[1]:
        raise ContractError(
            f"{given.name} and {named_one} are not of one kind, so they cannot be compared",
            f"Compare {given.name} with a value, such as {given.name} {_example(dimension)}.",
        )
    _reach(view, other, facts)
    return Beside(other.name)


def _yes_or_no(given: Test, dimension: Dimension) -> Condition:
    told = [boolean(one) if isinstance(one, str) else "true" if one is True else "false" for one in given.values]
    if given.op not in ("=", "!=") or None in told or len(told) != 1:
        raise ContractError(
            f"{dimension.name}: {' '.join(map(str, given.values))[:80]!r} is not yes or no",
            f"Write {dimension.name}, or not {dimension.name}.",
        )
    test = Test(dimension.name, "is")
    return test if (told[0] == "true") == (given.op == "=") else Not(test)


def _texts(values: Sequence[Value], view: MetricView, dimension: Dimension, facts: Facts) -> tuple[str, ...]:
    texts = tuple(str(one) for one in values)
    there = {*dimension.values, *facts.known(view, dimension, texts)}
    if there.issuperset(texts):
        return tuple(dict.fromkeys(texts))
    every = tuple(dict.fromkeys((*dimension.values, *facts.known(view, dimension, ()))))
    return tuple(dict.fromkeys(one_of(text, dimension, every) for text in texts))


def _number(given: Value, dimension: Dimension, *, percent: bool = False) -> Decimal:
    if isinstance(given, Decimal | int | float) and not isinstance(given, bool):
        return Decimal(str(given))
    text = str(given).strip().replace("_", "")
    part = text.removesuffix("%").strip() if percent else text
    if number(part) is None:
        raise ContractError(f"{dimension.name}: {text[:80]!r} is not a number", "Write a number such as 7.")
    read = Decimal(part) / (100 if part != text else 1)
    allowed = dimension.values
    if allowed and str(number(part)) not in allowed:
        raise ContractError(f"{dimension.name} has no value {text[:80]!r}", f"It has {_some(allowed)}.")
    return read


def _time(given: Test, dimension: Dimension, today: Today) -> Condition:
    """A condition on a day or month, by the days that its periods are."""
    name = dimension.name
    spans = [_span(one, dimension, today) for one in given.values]
    if given.op == "between":
        return _within(dimension, Span(spans[0].first, spans[1].last, text=str(given)))
    if given.op in COMPARISONS:
        edge = spans[0].first if given.op in ("<", ">=") else spans[0].last
        if edge is None:
            raise ContractError(f"{given}: {spans[0]} has no such end", "Give a day.")
        return Test(name, given.op, (_as_kept(edge, dimension),))
    parts = tuple(_within(dimension, span) for span in spans)
    if all(span.first == span.last and span.first for span in spans):
        return Test(name, given.op, tuple(_as_kept(span.first, dimension) for span in spans if span.first))
    found = parts[0] if len(parts) == 1 else Or(parts)
    return found if given.op == "=" else Not(found)


def _span(given: Value, dimension: Dimension, today: Today) -> Span:
    if isinstance(given, date):
        return Span(given, given, "day")
    try:
        found = periods.read(str(given), today)
    except ContractError as error:
        kind = {"day": "a day", "month": "a month"}[dimension.type]
        remedy = error.remedy
        if near := periods.perhaps(str(given)):
            remedy = f"Perhaps {' or '.join(near)}? {remedy}"
        raise ContractError(f"{dimension.name}: {str(given)[:80]!r} is not {kind}, and no period", remedy) from error
    if dimension.type == "month" and not _of_months(found):
        raise ContractError(f"{dimension.name}: {given} is no whole month", "Write a month such as 2025-06.")
    return found


def _of_months(span: Span) -> bool:
    first = span.first is None or span.first.day == 1
    return first and (span.last is None or (span.last + timedelta(days=1)).day == 1)


def _as_kept(day: date, dimension: Dimension) -> Value:
    """A day as the dimension has it: months are text."""
    return f"{day:%Y-%m}" if dimension.type == "month" else day


def _within(dimension: Dimension, span: Span) -> Condition:
    name = dimension.name
    if span.first is None and span.last is None:
        raise ContractError(f"{name}: {span.text or span} is all there is", "Leave it out.")
    if span.first is None or span.last is None:
        edge = span.last if span.first is None else span.first
        assert edge is not None  # noqa: S101 - one of the two is there
        return Test(name, "<=" if span.first is None else ">=", (_as_kept(edge, dimension),))
    if span.first > span.last:
        raise ContractError(f"{name}: {span} ends before it begins", "Change one of the two.")
    first, last = _as_kept(span.first, dimension), _as_kept(span.last, dimension)
    return Test(name, "=", (first,)) if first == last else Test(name, "between", (first, last))


def _in_the_data(found: Condition, given: Test, dimension: Dimension, facts: Facts, today: Today) -> Condition:
    """Refuse a time that lies wholly before or after the data: nothing would read as a figure."""
    if given.op == "!=" or dimension.future:
        return found
    for part in found.parts if isinstance(found, Or) else (found,):
        if not isinstance(part, Test):
            continue
        for first, last in _edges(part, dimension):
            outside(Span(first, last, text=str(part)), facts, today.day)
    return found


def _edges(test: Test, dimension: Dimension) -> list[tuple[date | None, date | None]]:
    told = [date.fromisoformat(f"{one}-01") if isinstance(one, str) else one for one in test.values]
    days = [one for one in told if isinstance(one, date)]
    ends = [_month_end(one) if dimension.type == "month" else one for one in days]
    if test.op == "between":
        return [(days[0], ends[1])]
    if test.op in (">", ">="):
        return [(days[0], None)]
    if test.op in ("<", "<="):
        return [(None, ends[0])]
    return list(zip(days, ends, strict=True))


def _month_end(day: date) -> date:
    return periods.add_months(day, 1) - timedelta(days=1)


def outside(span: Span, facts: Facts, as_of: date | None = None) -> None:
    """Refuse days that lie wholly before the first day of the data, or after the last, or after that which is asked as of.

    Raises:
        ContractError: They do.
    """
    if facts.last is not None and span.first is not None and span.first > facts.last:
        raise ContractError(f"{span.text or span}: the data ends on {facts.last}", "Ask for a time up to that day.")
    if as_of is not None and span.first is not None and span.first > as_of:
        raise ContractError(
            f"{span.text or span}: begins after {as_of}, the day that the question is asked as of",
            "Ask for a time up to that day.",
        )
    if facts.first is not None and span.last is not None and span.last < facts.first:
        raise ContractError(
            f"{span.text or span}: the data begins on {facts.first}", "Ask for a time that reaches to that day."
        )


def _today(as_of: date | None, facts: Facts) -> Today:
    if as_of is not None and facts.last is not None and as_of > facts.last:
        raise ContractError(f"as of {as_of}: the data ends on {facts.last}", "Ask as of a day up to that one.")
    if as_of is not None and facts.first is not None and as_of < facts.first:
        raise ContractError(f"as of {as_of}: the data begins on {facts.first}", "Ask as of a day from that one on.")
    return Today(as_of or facts.last, declarations().calendar.fiscal_year_starts)


def _period(asked: Question, today: Today, facts: Facts) -> tuple[Span | None, tuple[Span, Shift] | None]:
    if asked.period is None:
        if asked.compare:
            raise ContractError("a comparison needs a period", "Give one, such as --period ytd.")
        return (Span(None, today.day) if asked.as_of and today.day != facts.last else None), None
    span = periods.read(asked.period, today)
    if span.first is None and span.last is None:
        return _period(replace(asked, period=None), today, facts)
    if not asked.compare:
        return span, None
    here, there, shift = periods.before(span, asked.compare, today)
    if facts.first is not None and there.last is not None and there.last < facts.first:
        raise ContractError(
            f"{there}, which {here} is compared with, is before the data begins on {facts.first}",
            "Choose a later period, or leave the comparison out.",
        )
    return here, (there, shift)


def _leaves(metric: Metric) -> list[Metric]:
    """The metrics that one is made of; itself where it is made of none."""
    measures = [metric.view.measure(name) for name in metric.measure.parts]
    return [Metric(metric.view, one) for one in measures if one] or [metric]


def _check_metric(metric: Metric, asked: Question, span: Span | None, facts: Facts) -> None:
    label = metric.measure.display_name
    for table in metric.view.tables:
        if not facts.there(table):
            raise ContractError(f"{label} needs the table {table}, which is not there", "Run `medallion run` first.")
    if metric.measure.needs_period and (span is None or asked.period is None):
        raise ContractError(f"{label} means nothing without a period", "Give one, such as --period 'this quarter'.")


def _check_whole(
    metric: Metric, parts: Sequence[Part], asked: Question, span: Span | None, today: Today, facts: Facts
) -> None:
    """Refuse a time that the parts of a metric do not have, or do not share."""
    times = [part.time for part in parts if part.time is not None]
    if span is not None and (metric.measure.additivity == "stock" or (times and not any(one.future for one in times))):
        outside(span, facts, today.day)  # of days to come, a part may have what another has not
    if not metric.measure.parts:
        return
    fields, first = _fields(metric.view), parts[0]
    used = [one for (one, _), split in zip(first.splits, asked.by, strict=True) if not _own_time(split, fields)]
    for one in (*used, *(fields[test.name] for test in tests(first.where))):
        if one.is_time:
            raise ContractError(
                f"{metric.measure.display_name} counts its parts by times of their own, not by {one.name}",
                "Give a period, or split by month.",
            )


def _part(metric: Metric, asked: Question, today: Today, facts: Facts, *, timed: bool) -> Part:
    """A metric without parts, as the question wants it."""
    where = condition(asked.where, metric.view, facts, today)
    fields, label = _fields(metric.view), metric.name
    splits: list[tuple[Dimension, str | None]] = []
    for one in asked.by:
        grain: str | None = one.grain
        if _own_time(one, fields):
            time, grain = _time_of(metric, asked), one.grain or one.name
        else:
            time = _field(one.name, metric.view, fields, "split by", label)
        if one.name in {"value", "n", "total", *asked.metrics}:
            raise ContractError(f"split by {one.name}: the answer has a figure of that name", f"Write {time.name}.")
        if grain is not None and time.type != "day":
            raise ContractError(f"{time.name} is no day, so it has no {grain}", f"Split by {time.name} alone.")
        _reach(metric.view, time, facts)
        splits.append((time, grain))
    own = any(_own_time(one, fields) for one in asked.by)
    period = metric.measure.period
    part = Part(metric, metric.dimension(period) if period and (timed or own) else None, where, tuple(splits))
    _undone(part, facts)
    return part


#: The day that a stock of the past is as of; `compilers.sql` puts it beside the rows.
_DAY = Dimension(name="day", expr="day", display_name="Day", comment="Day at whose end it was so", type="day")
_MOST_DAYS = 800


def _of_history(
    metric: Metric,
    asked: Question,
    span: Span | None,
    before: tuple[Span, Shift] | None,
    today: Today,
    facts: Facts,
) -> Part | None:
    """A stock counted from its history: of an earlier day, compared, or by time; None where today's state is asked for."""
    views = declarations().views
    view = views.get(metric.measure.history or "")
    if view is None or today.day is None or not all(map(facts.there, view.tables)):
        return None
    units = [one.grain or one.name for one in asked.by if _own_time(one, _fields(metric.view))]
    last = min(filter(None, (span.last if span else None, today.day)))
    if not units and last == facts.last and not asked.compare:
        return None
    begins = max(filter(None, (span.first if span else None, facts.first)), default=last)
    days = _ends(begins, last, units, today)
    earlier = (before[0].last,) if before and before[0].last else ()
    if units and asked.compare:
        raise ContractError(
            f"{metric.measure.display_name} by {units[0]} has its values over time already", "Leave the comparison out."
        )
    if len(days) > _MOST_DAYS:
        raise ContractError(
            f"{len(days):,} days are too many to count a stock at", "Ask by month, or for a shorter period."
        )
    for day in (*days, *earlier):
        outside(Span(day, day), facts)
    past = Metric(view, metric.measure)
    fields = _fields(view)
    splits: list[tuple[Dimension, str | None]] = []
    for one in asked.by:
        if _own_time(one, _fields(metric.view)):
            splits.append((_DAY, one.grain or one.name))
            continue
        dimension = _field(one.name, view, fields, "split by", f"{metric.name} of an earlier day")
        _reach(view, dimension, facts)
        splits.append((dimension, one.grain))
    where = condition(asked.where, view, facts, today)
    part = Part(past, None, where, tuple(splits), tuple(days), earlier)
    _undone(part, facts)
    return part


def _ends(first: date, last: date, units: Sequence[str], today: Today) -> list[date]:
    """The last days of the units of time from one day to another; the other alone where there are no units."""
    found, day = [last], last
    for unit in units[:1]:
        while (day := periods.start(day, unit, today.fiscal) - timedelta(days=1)) >= first:
            found.append(day)
    return found[::-1]


def _own_time(split: Split, fields: Mapping[str, Dimension]) -> bool:
    """Whether a split is by the time column of each metric: `time:month`, or `month`."""
    return split.name not in fields and (split.name == TIME or (split.grain is None and split.name in periods.GRAINS))


def _time_of(metric: Metric, asked: Question) -> Dimension:
    if metric.measure.period is None:
        label = metric.measure.display_name
        days = [one.name for one in (*metric.view.dimensions, *metric.view.fields) if one.type == "day"]
        why = "is a state, known as of the last day" if metric.measure.additivity == "stock" else "has no time column"
        raise ContractError(f"{label} {why}, so it has no {asked.by[0].grain or asked.by[0].name}", _by_days(days))
    return metric.dimension(metric.measure.period)


def _by_days(days: Sequence[str]) -> str:
    return f"Split by a day of its rows: {', '.join(f'{one}:month' for one in days)}." if days else "Leave it out."


def _said(view: MetricView, where: Condition | None) -> list[Filter]:
    """What a condition says of every row that it leaves, with what the values of its dimensions imply."""
    said = list(filters_of(where))
    for test in tests(where if not isinstance(where, Or | Not) else None):
        if test.op in ("is", "between", "=", *COMPARISONS, "known") and test in conjuncts(where):
            said += [Filter(name, values) for name, values in _fields(view)[test.name].implies]
    return said


def _undone(part: Part, facts: Facts) -> None:
    """Refuse a condition or split that leaves none of what the metric looks at, or not all of what it compares."""
    metric, view = part.metric, part.metric.view
    for one in _said(view, part.where):
        if contradicted(metric, [one]):
            written = next((str(test) for test in tests(part.where) if _implies(view, test, one)), str(one))
            refuse(metric, metric.dimension(one.dimension), one, written)
    _nothing_left(part)
    for dimension, _ in part.splits:
        for name, values in dimension.implies:
            if contradicted(metric, [Filter(name, values)]) and metric.measure.additivity != "ratio":
                refuse(metric, metric.dimension(name), Filter(name, values), dimension.name)


def _nothing_left(part: Part) -> None:
    """Refuse a condition that no value of a dimension fulfills, or none that the metric looks at."""
    if part.where is None:
        return
    view, fields = part.metric.view, _fields(part.metric.view)
    for dimension in view.dimensions:
        if dimension.type != "text" or not dimension.values:
            continue
        left = values_left(part.where, dimension, fields)
        if not left:
            said = about(part.where, dimension.name, fields)
            raise ContractError(f"{said} leaves nothing, whatever {dimension.name} is", "Change the condition.")
        known = tuple(value for value in left if value is not None and value != OTHER)
        wrong = Filter(dimension.name, known)
        if not {*dimension.values} <= {*known} and contradicted(part.metric, [wrong]):
            refuse(part.metric, dimension, wrong, about(part.where, dimension.name, fields))


def _implies(view: MetricView, test: Test, one: Filter) -> bool:
    return (one.dimension, one.values) in _fields(view)[test.name].implies


def _check_time(part: Part, asked: Question, span: Span | None, today: Today, facts: Facts) -> None:
    """Refuse a period that the metric cannot honour."""
    metric, measure = part.metric, part.metric.measure
    label = measure.display_name
    earlier = bool(today.day and facts.last and today.day < facts.last)
    if part.days:
        return
    if measure.additivity == "stock":
        past = span is not None and span.last is not None and facts.last is not None and span.last < facts.last
        if earlier or past or asked.compare:
            day = span.last if span is not None and past else today.day
            raise ContractError(
                f"{label} is a stock: it is known as of the last day of the data, {facts.last}, not of {day}",
                f"Ask for {metric.name} without a time; `medallion replay DAY` gives the state of a past day.",
            )
        return
    if span is None:
        return
    if part.time is None:
        near = [one.name for one in metric.view.measures if one.period]
        raise ContractError(
            f"{label} has no time column, so it cannot be counted within {span.text or span}",
            f"Leave the period out{', or ask for ' + ' or '.join(near[:_NEAREST]) if near else ''}.",
        )
    if earlier and (measure.maturing or _became(part, of_rows=True)):
        raise ContractError(
            f"{label} of an earlier day is not known: what became of its rows since would count",
            f"Leave as of {today.day} out; `medallion replay DAY` gives the state of a past day.",
        )
    if asked.compare and not measure.maturing and _became(part, of_rows=False):
        raise ContractError(
            f"{label} counts its rows as they are now, so there is none of an earlier period to compare with",
            "Leave the comparison out.",
        )


def _became(part: Part, *, of_rows: bool) -> bool:
    """Whether a metric tells what became of its rows after the day that they are counted by, such as which deals of those
    that were opened are won; with `of_rows` also its conditions and splits.
    """
    view, settled = part.metric.view, part.time.implies if part.time else ()
    days = (one for one in (*view.dimensions, *view.fields) if one.is_time)
    outcome = {name for day in days for name, _ in day.implies} - {name for name, _ in settled}
    if outcome & columns_of(part.metric.measure.expr):
        return True
    fields = _fields(view)
    used = [*(one for one, _ in part.splits), *(fields[one.name] for one in tests(part.where))] if of_rows else []
    return any(
        outcome & {TELLS.get(one.name), *columns_of(one.expr), *(name for name, _ in one.implies)} for one in used
    )


def _parameters(asked: Question, found: Iterable[Metric]) -> dict[str, float]:
    given = dict(asked.parameters)
    every = [one for metric in found for one in metric.view.parameters]
    if given:
        _only_known(given, {p.name for metric in found for p in metric.parameters}, ", ".join(asked.metrics))
    settled = {one.name: one.default for one in every if one.default is not None}
    for metric in found:
        settled |= metric.settled({p.name: given[p.name] for p in metric.parameters if p.name in given})
    return settled


def _only_known(given: Mapping[str, Any], known: Collection[str], label: str) -> None:
    if unknown := sorted(set(given) - set(known)):
        raise ContractError(
            f"{label} has no parameter {unknown[0]!r}", f"Parameters: {', '.join(sorted(known)) or 'none'}."
        )


#: Of the first metric, since the period that is compared with.
_CHANGES = ("change", "change_share")


def _having(asked: Question, found: Sequence[Metric]) -> Condition | None:
    parsed = both(*(parse(one) if isinstance(one, str) else one for one in asked.having))
    return None if parsed is None else _of_answer(parsed, found, compared=asked.compare is not None)


def _of_answer(given: Condition, found: Sequence[Metric], *, compared: bool) -> Condition:
    if isinstance(given, And | Or):
        return type(given)(tuple(_of_answer(one, found, compared=compared) for one in given.parts))
    if isinstance(given, Not):
        return Not(_of_answer(given.part, found, compared=compared))
    name = given.name if compared and given.name in _CHANGES else _column(given.name, found, "having")
    if given.op in ("unknown", "known"):
        return Test(name, given.op)
    if given.op not in (*COMPARISONS, "=", "!=", "between"):
        raise ContractError(f"having {given}: {name} is a number", f"Compare it, as in {name} > 0.")
    metric = next((one for one in found if one.name == name), found[0])
    percent = name == "change_share" or (metric.measure.format.type == "percentage" and name != "n")
    stands = Dimension(name=name, expr=name, display_name=name, comment="")
    values = tuple(_number(one, stands, percent=percent) for one in given.values)
    if given.op == "between" and values[0] > values[1]:
        raise ContractError(f"having {given} ends before it begins", "Change one of the two.")
    return Test(name, given.op, values)


def _column(name: str, found: Sequence[Metric], what: str) -> str:
    """A figure of the answer: `value` is the one metric."""
    known = [one.name for one in found] + ["n"]
    if name == "value" and len(found) == 1:
        return found[0].name
    if name not in known:
        near = difflib.get_close_matches(name[:40], known, n=_NEAREST, cutoff=0.5)
        raise ContractError(
            f"{what} {name[:40]!r}: the answer has no such figure",
            f"{_nearest(near)}There are: {', '.join(['value'] * (len(found) == 1) + known)}.",
        )
    return name


def _ordered(one: Order, found: Sequence[Metric], asked: Question) -> Order:
    splits = {str(split): str(split) for split in asked.by} | {split.name: str(split) for split in asked.by}
    if one.name in splits:
        return Order(splits[one.name], one.descending)
    if one.name in _CHANGES and asked.compare:
        return one
    try:
        return Order(_column(one.name, found, "order by"), one.descending)
    except ContractError as error:
        if not splits:
            raise
        raise ContractError(error.problem, f"{error.remedy.rstrip('.')}, {', '.join(splits)}.") from error


def _notes(
    found: Sequence[Metric], span: Span | None, before: tuple[Span, Shift] | None, today: Today, facts: Facts
) -> tuple[str, ...]:
    told = []
    if span and span.last and today.day and span.last > today.day and any(one.measure.period for one in found):
        told.append(f"The period is not over: the data ends on {today.day}.")
    if before and facts.first and before[0].first and before[0].first < facts.first:
        told.append(f"The data begins on {facts.first}, within the period that is compared with.")
    if span is not None and (maturing := [one.measure.display_name for one in found if one.measure.maturing]):
        told.append(f"{maturing[0]} of a period still changes with what becomes of its deals.")
    if span is not None and any(one.measure.additivity == "stock" for one in found):
        told.append(f"A stock is as of the period's end, {min(filter(None, (span.last, today.day)))}.")
    return tuple(told)


def _fields(view: MetricView) -> dict[str, Dimension]:
    """All that a view can be filtered by: by name, alias, or a synonym that only one has."""
    every = (*view.dimensions, *view.fields)
    found = {name: one for one in every for name in one.aliases} | {one.name: one for one in every}
    synonyms: dict[str, list[Dimension]] = {}
    for one in every:
        for text in one.synonyms:
            synonyms.setdefault(text.casefold().replace(" ", "_"), []).append(one)
    return {name: ones[0] for name, ones in synonyms.items() if len(ones) == 1} | found


def _field(
    name: str, view: MetricView, fields: Mapping[str, Dimension], what: str, label: str | None = None
) -> Dimension:
    found = fields.get(name) or fields.get(name.casefold())
    if found is None:
        own = [one.name for one in (*view.dimensions, *view.fields)]
        near = difflib.get_close_matches(name[:40].casefold(), list(fields), n=_NEAREST, cutoff=0.6)
        raise ContractError(
            f"{label or view.entity} has no dimension {name[:80]!r} to {what}",
            f"{_nearest(near)}Dimensions: {', '.join(own)}.",
        )
    return found


def joins_of(view: MetricView, dimension: Dimension) -> list[str]:
    """Names of the joins that a dimension takes its value from."""
    return [one.name for one in view.joins if re.search(rf"\b{one.name}\.", dimension.expr)]


def _reachable(view: MetricView, dimension: Dimension, facts: Facts) -> bool:
    used = joins_of(view, dimension)
    return all(facts.there(one.source) for one in view.joins if one.name in used)


def _reach(view: MetricView, dimension: Dimension, facts: Facts) -> None:
    if not _reachable(view, dimension, facts):
        used = joins_of(view, dimension)
        missing = next(one.source for one in view.joins if one.name in used)
        raise ContractError(
            f"{dimension.name} needs the table {missing}, which is not there", "Leave it out, or bring such exports in."
        )


def filters_of(found: Condition | None) -> tuple[Filter, ...]:
    """The conditions all of which must hold, as far as they are simple ones on dimensions."""
    told: list[Filter] = []
    for one in conjuncts(found):
        if not isinstance(one, Test) or one.op in ("is", "contains"):
            continue
        if any(isinstance(value, Beside) for value in one.values):
            continue
        values = tuple(_text(value) for value in one.values)
        if one.op == "between":
            told += [Filter(one.name, values[:1], ">="), Filter(one.name, values[1:], "<=")]
        elif one.op in ("unknown", "known"):
            told.append(Filter(one.name, ("",), "=" if one.op == "unknown" else "!="))
        else:
            told.append(Filter(one.name, values, one.op))
    return tuple(told)


def _text(value: Value) -> str:
    if isinstance(value, Beside):
        return value.name
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else value if isinstance(value, str) else value.isoformat()


def _split_told(split: Split, dimension: Dimension) -> str:
    label = dimension.display_name.lower()
    grain = split.grain or (split.name if split.name != dimension.name and split.name in periods.GRAINS else None)
    if grain is None:
        return label
    unit = grain.replace("_", " ")
    return f"{unit} {label[4:]}".strip() if label.startswith("day") else f"{label} ({unit})"


def _example(dimension: Dimension) -> str:
    return {"number": "> 7", "day": ">= 2025-01-01", "month": "= 2025-06", "text": "= ..."}.get(
        dimension.type, "= true"
    )


def _nearest(near: Sequence[str]) -> str:
    return f"Nearest: {', '.join(near)}. " if near else ""


def _some(values: Collection[str]) -> str:
    most = 12
    more = f" and {len(values) - most:,} more" if len(values) > most else ""
    return (", ".join(sorted(values)[:most]) or "no values") + more
