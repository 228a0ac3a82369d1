"""A question as it is understood: metrics with their parts, periods as days, the answer's order and thresholds.

What is not there, cannot be read, or would undo the metric is refused with what is nearest to it.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from medallion.errors import ContractError
from medallion.metrics import periods
from medallion.metrics.answers import named
from medallion.metrics.conditions import COMPARISONS, And, Condition, Not, Or, Test, both, parse
from medallion.metrics.declared import Dimension, Metric, MetricView, finite
from medallion.metrics.filters import leave_something
from medallion.metrics.loading import declarations
from medallion.metrics.meaning import (
    NEAREST,
    Facts,
    condition,
    field_of,
    fields_of,
    filters_of,
    nearest_told,
    number_of,
    outside,
    reach,
    reachable,
    within_days,
)
from medallion.metrics.parts import Part, check_metric, check_time, check_whole, leaves_of, part_of, past_part, said_of
from medallion.metrics.periods import Shift, Span, Today
from medallion.metrics.question import Order, Question, Records, Split


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
        labels = [metric.measure.display_name for metric in self.metrics]
        phrases = [" and ".join([labels[0], *(label[0].lower() + label[1:] for label in labels[1:])])]
        if self.splits:
            phrases[0] += " by " + " and ".join(_split_label(split, dimension) for split, dimension in self.splits)
        if self.where is not None:
            phrases[0] += f" where {self.where}"
        if self.span is not None:
            whole = self.span.first and self.span.last and self.span.first != self.span.last
            phrases.append(f"from {self.span}" if whole else str(self.span))
        if self.before:
            phrases.append(f"compared with {self.before[0]}")
        if self.having is not None:
            phrases.append(f"having {self.having}")
        return ", ".join(phrases)


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
        text = self.view.entity.replace("_", " ").capitalize() + (f" where {self.where}" if self.where else "")
        if self.each is None:
            return text
        order = ", ".join(str(ordering) for ordering in self.asked.order)
        return f"{text}, the first {self.asked.limit} of each {self.each.display_name.lower()} by {order or 'key'}"


def understand(asked: Question, facts: Facts) -> Understood:
    """A question with all that it names.

    Raises:
        ContractError: Something of it is not there, cannot be read, or would change what a metric means.
    """
    metrics = tuple(named(name) for name in asked.metrics)
    today = _today(asked.as_of, facts)
    span, before = _period(asked, today, facts)
    parts: dict[str, Part] = {}
    for metric in metrics:
        check_metric(metric, asked, span, facts)
        for leaf in leaves_of(metric):
            parts[leaf.name] = past_part(leaf, asked, span, before, today, facts) or part_of(
                leaf, asked, today, facts, timed=span is not None
            )
    if span is not None and ((today.day and facts.last and today.day < facts.last) or before):
        span = replace(span, last=min(filter(None, (span.last, today.day))))
    for part in parts.values():
        check_time(part, asked, span, today, facts)
    for metric in metrics:
        check_whole(metric, [parts[leaf.name] for leaf in leaves_of(metric)], asked, span, today, facts)
    first = next(iter(parts.values()))
    parameters = _parameters(asked, metrics)
    splits = tuple((split, dimension) for split, (dimension, _) in zip(asked.by, first.splits, strict=True))
    having = _having(asked, metrics)
    order = tuple(_ordered(ordering, metrics, asked) for ordering in asked.order)
    notes = _notes(metrics, span, before, today, facts)
    return Understood(asked, metrics, parts, splits, first.where, span, before, having, order, parameters, today, notes)


def understand_records(asked: Records, facts: Facts) -> UnderstoodRecords:
    """A list with all that it names.

    Raises:
        ContractError: Something of it is not there or cannot be read.
    """
    views = declarations().views
    view = views.get(asked.entity)
    if view is None:
        near = difflib.get_close_matches(asked.entity[:40], views, n=NEAREST, cutoff=0.5)
        raise ContractError(
            f"there are no records of {asked.entity[:80]!r}", f"{nearest_told(near)}There are: {', '.join(views)}."
        )
    today = _today(asked.as_of, facts)
    where = condition(asked.where, view, facts, today)
    span = periods.read(asked.period, today) if asked.period is not None else Span(None, None)
    if span.first is not None or span.last is not None:
        day = _day_of(view, where)
        if not day.future:
            outside(span, facts, today.day)
        where = both(where, within_days(day, span))
    if today.day != facts.last:
        where = both(where, _until(view, today, facts))
    fields = fields_of(view)
    leave_something(filters_of(where), fields)
    every = [dimension.name for dimension in (*view.dimensions, *view.fields) if dimension.type != "month"]
    names = dict.fromkeys((*view.key, *(view.listed or every)))
    shown = [fields[name] for name in names if name in fields and reachable(view, fields[name], facts)]
    columns = tuple(field_of(name, view, fields, "show") for name in asked.columns) or tuple(shown)
    if not columns:
        raise ContractError(f"{view.entity} have no dimension or field to show", "Declare one.")
    order = tuple((field_of(ordering.name, view, fields, "order by"), ordering.descending) for ordering in asked.order)
    each = field_of(asked.each, view, fields, "show the first of each") if asked.each else None
    if each is not None and not asked.limit:
        raise ContractError(f"how many of each {each.name}?", "Give a limit, such as 1.")
    for dimension in (*columns, *(dimension for dimension, _ in order), *([each] if each else [])):
        reach(view, dimension, facts)
    known = {parameter.name for parameter in view.parameters}
    _only_known(dict(asked.parameters), known, view.entity)
    for name, value in asked.parameters:
        finite(name, value)
    parameters = {parameter.name: parameter.default for parameter in view.parameters} | dict(asked.parameters)
    given = {name: value for name, value in parameters.items() if value is not None}
    return UnderstoodRecords(asked, view, columns, where, order, given, each)


def _until(view: MetricView, today: Today, facts: Facts) -> Condition:
    """Of events, those up to the day that is asked as of; other records are only known as they are now."""
    times = {measure.period for measure in view.measures}
    day = view.dimension(times.pop() or "") if len(times) == 1 else None
    if day is None or today.day is None or any(measure.maturing for measure in view.measures):
        raise ContractError(
            f"{view.entity} are known as of the last day of the data, {facts.last}, not of {today.day}",
            "Leave as of out; `medallion replay DAY` gives the state of a past day.",
        )
    return Test(day.name, "<=", (today.day,))


def _day_of(view: MetricView, where: Condition | None) -> Dimension:
    """The day that a list's period restricts: the first of its rows, or one that all rows of the condition have by its nature,
    such as the day closed of deals that were won.
    """
    days = [dimension for dimension in (*view.dimensions, *view.fields) if dimension.type == "day"]
    own = [dimension for dimension in view.dimensions if dimension.type == "day"]
    if not own:  # days that are only fields say something of a row, and not when it came to be
        named = " or ".join(f"--where '{day.name} in PERIOD'" for day in days)
        raise ContractError(
            f"{view.entity} have no day to count by", f"Write {named}." if named else "Leave the period out."
        )
    filters = said_of(view, where)

    def is_theirs(day: Dimension) -> bool:
        return bool(day.implies) and all(
            any(
                filter_.dimension == name and filter_.operator == "=" and {*filter_.values} <= {*values}
                for filter_ in filters
            )
            for name, values in day.implies
        )

    return next(filter(is_theirs, days), own[0])


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
    current, previous, shift = periods.before(span, asked.compare, today)
    if facts.first is not None and previous.last is not None and previous.last < facts.first:
        raise ContractError(
            f"{previous}, which {current} is compared with, is before the data begins on {facts.first}",
            "Choose a later period, or leave the comparison out.",
        )
    return current, (previous, shift)


def _parameters(asked: Question, metrics: Iterable[Metric]) -> dict[str, float]:
    given = dict(asked.parameters)
    every = [parameter for metric in metrics for parameter in metric.view.parameters]
    if given:
        _only_known(given, {p.name for metric in metrics for p in metric.parameters}, ", ".join(asked.metrics))
    settled = {parameter.name: parameter.default for parameter in every if parameter.default is not None}
    for metric in metrics:
        settled |= metric.settled({p.name: given[p.name] for p in metric.parameters if p.name in given})
    return settled


def _only_known(given: Mapping[str, Any], known: Collection[str], label: str) -> None:
    if unknown := sorted(set(given) - set(known)):
        raise ContractError(
            f"{label} has no parameter {unknown[0]!r}", f"Parameters: {', '.join(sorted(known)) or 'none'}."
        )


#: Of the first metric, since the period that is compared with.
_CHANGES = ("change", "change_share")


def _having(asked: Question, metrics: Sequence[Metric]) -> Condition | None:
    parsed = both(*(parse(part) if isinstance(part, str) else part for part in asked.having))
    return None if parsed is None else _of_answer(parsed, metrics, compared=asked.compare is not None)


def _of_answer(given: Condition, metrics: Sequence[Metric], *, compared: bool) -> Condition:
    if isinstance(given, And | Or):
        return type(given)(tuple(_of_answer(part, metrics, compared=compared) for part in given.parts))
    if isinstance(given, Not):
        return Not(_of_answer(given.part, metrics, compared=compared))
    name = given.name if compared and given.name in _CHANGES else _column(given.name, metrics, "having")
    if given.op in ("unknown", "known"):
        return Test(name, given.op)
    if given.op not in (*COMPARISONS, "=", "!=", "between"):
        raise ContractError(f"having {given}: {name} is a number", f"Compare it, as in {name} > 0.")
    metric = next((metric for metric in metrics if metric.name == name), metrics[0])
    percent = name == "change_share" or (metric.measure.format.type == "percentage" and name != "n")
    stands = Dimension(name=name, expr=name, display_name=name, comment="")
    values = tuple(number_of(value, stands, percent=percent) for value in given.values)
    if given.op == "between" and values[0] > values[1]:
        raise ContractError(f"having {given} ends before it begins", "Change one of the two.")
    return Test(name, given.op, values)


def _column(name: str, metrics: Sequence[Metric], what: str) -> str:
    """A figure of the answer: `value` is the one metric."""
    known = [metric.name for metric in metrics] + ["n"]
    if name == "value" and len(metrics) == 1:
        return metrics[0].name
    if name not in known:
        near = difflib.get_close_matches(name[:40], known, n=NEAREST, cutoff=0.5)
        raise ContractError(
            f"{what} {name[:40]!r}: the answer has no such figure",
            f"{nearest_told(near)}There are: {', '.join(['value'] * (len(metrics) == 1) + known)}.",
        )
    return name


def _ordered(ordering: Order, metrics: Sequence[Metric], asked: Question) -> Order:
    splits = {str(split): str(split) for split in asked.by} | {split.name: str(split) for split in asked.by}
    if ordering.name in splits:
        return Order(splits[ordering.name], ordering.descending)
    if ordering.name in _CHANGES and asked.compare:
        return ordering
    try:
        return Order(_column(ordering.name, metrics, "order by"), ordering.descending)
    except ContractError as error:
        if not splits:
            raise
        raise ContractError(error.problem, f"{error.remedy.rstrip('.')}, {', '.join(splits)}.") from error


def _notes(
    metrics: Sequence[Metric], span: Span | None, before: tuple[Span, Shift] | None, today: Today, facts: Facts
) -> tuple[str, ...]:
    notes = []
    if span and span.last and today.day and span.last > today.day and any(metric.measure.period for metric in metrics):
        notes.append(f"The period is not over: the data ends on {today.day}.")
    if before and facts.first and before[0].first and before[0].first < facts.first:
        notes.append(f"The data begins on {facts.first}, within the period that is compared with.")
    if span is not None and (
        maturing := [metric.measure.display_name for metric in metrics if metric.measure.maturing]
    ):
        notes.append(f"{maturing[0]} of a period still changes with what becomes of its deals.")
    if span is not None and any(metric.measure.additivity == "stock" for metric in metrics):
        notes.append(f"A stock is as of the period's end, {min(filter(None, (span.last, today.day)))}.")
    return tuple(notes)


def _split_label(split: Split, dimension: Dimension) -> str:
    label = dimension.display_name.lower()
    grain = split.grain or (split.name if split.name != dimension.name and split.name in periods.GRAINS else None)
    if grain is None:
        return label
    unit = grain.replace("_", " ")
    return f"{unit} {label[4:]}".strip() if label.startswith("day") else f"{label} ({unit})"
