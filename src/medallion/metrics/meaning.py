"""What a condition means for the rows of a view: names looked up in what is declared, values read by their types.

What is not there or cannot be read is refused with what is nearest to it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from medallion.errors import ContractError
from medallion.metrics import periods
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
)
from medallion.metrics.declared import Dimension, MetricView
from medallion.metrics.filters import Filter, boolean, leave_something, number, one_of, some
from medallion.metrics.periods import Span, Today
from medallion.metrics.question import Given

#: Reads, of these texts, those that are values of a dimension of a view; all of its values when there are none.
Known = Callable[[MetricView, Dimension, Sequence[str]], Collection[str]]


NEAREST = 3


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


def condition(given: Given, view: MetricView, facts: Facts, today: Today) -> Condition | None:
    """Conditions over the dimensions and fields of a view, with their values as the data has them.

    Raises:
        ContractError: A name or value is not there or cannot be read; or they leave nothing together.
    """
    combined = both(*(_read(part, view, facts, today) for part in given))
    for part in conjuncts(combined):
        if isinstance(part, Test) and part.op == "=" and len(part.values) == 0:
            raise ContractError(f"{part}: no value", "Name one.")
    leave_something(filters_of(combined), {dimension.name: dimension for dimension in (*view.dimensions, *view.fields)})
    return combined


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
        return both(*(_meant(part, view, facts, today) for part in given.parts)) or given
    if isinstance(given, Or):
        return Or(tuple(_meant(part, view, facts, today) for part in given.parts))
    if isinstance(given, Not):
        return Not(_meant(given.part, view, facts, today))
    return _test(given, view, facts, today)


def _test(given: Test, view: MetricView, facts: Facts, today: Today) -> Condition:
    dimension = field_of(given.name, view, fields_of(view), "filter by")
    reach(view, dimension, facts)
    name, kind, label = dimension.name, dimension.type, f"{dimension.name} {given.op}".replace(" is", "")
    if given.op in ("unknown", "known"):
        return Test(name, given.op)
    if given.op == "is":
        if kind != "boolean":
            raise ContractError(
                f"{name} is no yes or no, so it cannot stand alone", f"Compare it: {name} {_example(dimension)}."
            )
        return Test(name, "is")
    if any(value == "" for value in given.values):
        raise ContractError(f"{label} has an empty value beside others", f"Write `or {name} is unknown`.")
    if kind == "boolean":
        return _yes_or_no(given, dimension)
    if given.op == "contains":
        if kind != "text":
            raise ContractError(f"{name} is no text, so it contains nothing", f"Write {name} {_example(dimension)}.")
        return Test(name, "contains", (str(given.values[0]),))
    if kind == "text":
        if given.op in (*COMPARISONS, "between"):
            near = some(facts.known(view, dimension, ()) or dimension.values)
            raise ContractError(f"{name} is text and cannot be compared with {given.op}", f"Name its values: {near}.")
        return Test(name, given.op, _texts(given.values, view, dimension, facts))
    if other := _beside(given, dimension, view, facts):
        return Test(name, given.op, (other,))
    if kind == "number":
        percent = dimension.format is not None and dimension.format.type == "percentage"
        values = tuple(number_of(value, dimension, percent=percent) for value in given.values)
        if given.op == "between" and values[0] > values[1]:
            raise ContractError(f"{given} ends before it begins", "Change one of the two.")
        return Test(name, given.op, values)
    return _in_the_data(_time(given, dimension, today), given, dimension, facts, today)


def _beside(given: Test, dimension: Dimension, view: MetricView, facts: Facts) -> Beside | None:
    """The column of the same row that a day or number is compared with; None where it is compared with a value."""
    value = given.values[0] if len(given.values) == 1 else None
    other_name = value.name if isinstance(value, Beside) else value if isinstance(value, str) else ""
    other = fields_of(view).get(other_name)
    if other is None:
        return None
    kinds = [(column.type, column.format.type if column.format else None) for column in (dimension, other)]
    if kinds[0] != kinds[1]:
        raise ContractError(
            f"{given.name} and {other_name} are not of one kind, so they cannot be compared",
            f"Compare {given.name} with a value, such as {given.name} {_example(dimension)}.",
        )
    reach(view, other, facts)
    return Beside(other.name)


def _yes_or_no(given: Test, dimension: Dimension) -> Condition:
    values = [
        boolean(value) if isinstance(value, str) else "true" if value is True else "false" for value in given.values
    ]
    if given.op not in ("=", "!=") or None in values or len(values) != 1:
        raise ContractError(
            f"{dimension.name}: {' '.join(map(str, given.values))[:80]!r} is not yes or no",
            f"Write {dimension.name}, or not {dimension.name}.",
        )
    test = Test(dimension.name, "is")
    return test if (values[0] == "true") == (given.op == "=") else Not(test)


def _texts(values: Sequence[Value], view: MetricView, dimension: Dimension, facts: Facts) -> tuple[str, ...]:
    texts = tuple(str(value) for value in values)
    there = {*dimension.values, *facts.known(view, dimension, texts)}
    if there.issuperset(texts):
        return tuple(dict.fromkeys(texts))
    every = tuple(dict.fromkeys((*dimension.values, *facts.known(view, dimension, ()))))
    return tuple(dict.fromkeys(one_of(text, dimension, every) for text in texts))


def number_of(given: Value, dimension: Dimension, *, percent: bool = False) -> Decimal:
    """A number as it was written; of a percentage also `50%`.

    Raises:
        ContractError: It is none, or none of those that the dimension has.
    """
    if isinstance(given, Decimal | int | float) and not isinstance(given, bool):
        return Decimal(str(given))
    text = str(given).strip().replace("_", "")
    part = text.removesuffix("%").strip() if percent else text
    if number(part) is None:
        raise ContractError(f"{dimension.name}: {text[:80]!r} is not a number", "Write a number such as 7.")
    read = Decimal(part) / (100 if part != text else 1)
    allowed = dimension.values
    if allowed and str(number(part)) not in allowed:
        raise ContractError(f"{dimension.name} has no value {text[:80]!r}", f"It has {some(allowed)}.")
    return read


def _time(given: Test, dimension: Dimension, today: Today) -> Condition:
    """A condition on a day or month, by the days that its periods are."""
    name = dimension.name
    spans = [_span(value, dimension, today) for value in given.values]
    if given.op == "between":
        return within_days(dimension, Span(spans[0].first, spans[1].last, text=str(given)))
    if given.op in COMPARISONS:
        edge = spans[0].first if given.op in ("<", ">=") else spans[0].last
        if edge is None:
            raise ContractError(f"{given}: {spans[0]} has no such end", "Give a day.")
        return Test(name, given.op, (_as_kept(edge, dimension),))
    parts = tuple(within_days(dimension, span) for span in spans)
    if all(span.first == span.last and span.first for span in spans):
        return Test(name, given.op, tuple(_as_kept(span.first, dimension) for span in spans if span.first))
    inside = parts[0] if len(parts) == 1 else Or(parts)
    return inside if given.op == "=" else Not(inside)


def _span(given: Value, dimension: Dimension, today: Today) -> Span:
    if isinstance(given, date):
        return Span(given, given, "day")
    try:
        span = periods.read(str(given), today)
    except ContractError as error:
        kind = {"day": "a day", "month": "a month"}[dimension.type]
        remedy = error.remedy
        if near := periods.perhaps(str(given)):
            remedy = f"Perhaps {' or '.join(near)}? {remedy}"
        raise ContractError(f"{dimension.name}: {str(given)[:80]!r} is not {kind}, and no period", remedy) from error
    if dimension.type == "month" and not _of_months(span):
        raise ContractError(f"{dimension.name}: {given} is no whole month", "Write a month such as 2025-06.")
    return span


def _of_months(span: Span) -> bool:
    first = span.first is None or span.first.day == 1
    return first and (span.last is None or (span.last + timedelta(days=1)).day == 1)


def _as_kept(day: date, dimension: Dimension) -> Value:
    """A day as the dimension has it: months are text."""
    return f"{day:%Y-%m}" if dimension.type == "month" else day


def within_days(dimension: Dimension, span: Span) -> Condition:
    """That a day, or month, lies within others.

    Raises:
        ContractError: The days have neither beginning nor end, or end before they begin.
    """
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


def _in_the_data(condition: Condition, given: Test, dimension: Dimension, facts: Facts, today: Today) -> Condition:
    """Refuse a time that lies wholly before or after the data: nothing would read as a figure."""
    if given.op == "!=" or dimension.future:
        return condition
    for part in condition.parts if isinstance(condition, Or) else (condition,):
        if not isinstance(part, Test):
            continue
        for first, last in _edges(part, dimension):
            outside(Span(first, last, text=str(part)), facts, today.day)
    return condition


def _edges(test: Test, dimension: Dimension) -> list[tuple[date | None, date | None]]:
    values = [date.fromisoformat(f"{value}-01") if isinstance(value, str) else value for value in test.values]
    days = [value for value in values if isinstance(value, date)]
    ends = [_month_end(day) if dimension.type == "month" else day for day in days]
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


def fields_of(view: MetricView) -> dict[str, Dimension]:
    """All that a view can be filtered by: by name, alias, or a synonym that only one has."""
    every = (*view.dimensions, *view.fields)
    by_name = {name: dimension for dimension in every for name in dimension.aliases} | {
        dimension.name: dimension for dimension in every
    }
    synonyms: dict[str, list[Dimension]] = {}
    for dimension in every:
        for text in dimension.synonyms:
            synonyms.setdefault(text.casefold().replace(" ", "_"), []).append(dimension)
    return {name: dimensions[0] for name, dimensions in synonyms.items() if len(dimensions) == 1} | by_name


def field_of(
    name: str, view: MetricView, fields: Mapping[str, Dimension], what: str, label: str | None = None
) -> Dimension:
    """The dimension or field of that name; `what` is what is done with it, `label` whose it is.

    Raises:
        ContractError: There is none.
    """
    dimension = fields.get(name) or fields.get(name.casefold())
    if dimension is None:
        own = [dimension.name for dimension in (*view.dimensions, *view.fields)]
        near = difflib.get_close_matches(name[:40].casefold(), list(fields), n=NEAREST, cutoff=0.6)
        raise ContractError(
            f"{label or view.entity} has no dimension {name[:80]!r} to {what}",
            f"{nearest_told(near)}Dimensions: {', '.join(own)}.",
        )
    return dimension


def joins_of(view: MetricView, dimension: Dimension) -> list[str]:
    """Names of the joins that a dimension takes its value from."""
    return [join.name for join in view.joins if re.search(rf"\b{join.name}\.", dimension.expr)]


def reachable(view: MetricView, dimension: Dimension, facts: Facts) -> bool:
    """Whether the tables that a dimension takes its value from are there."""
    used = joins_of(view, dimension)
    return all(facts.there(join.source) for join in view.joins if join.name in used)


def reach(view: MetricView, dimension: Dimension, facts: Facts) -> None:
    """Refuse a dimension whose tables are not there.

    Raises:
        ContractError: One is not.
    """
    if not reachable(view, dimension, facts):
        used = joins_of(view, dimension)
        missing = next(join.source for join in view.joins if join.name in used)
        raise ContractError(
            f"{dimension.name} needs the table {missing}, which is not there", "Leave it out, or bring such exports in."
        )


def filters_of(where: Condition | None) -> tuple[Filter, ...]:
    """The conditions all of which must hold, as far as they are simple ones on dimensions."""
    filters: list[Filter] = []
    for part in conjuncts(where):
        if not isinstance(part, Test) or part.op in ("is", "contains"):
            continue
        if any(isinstance(value, Beside) for value in part.values):
            continue
        values = tuple(_text(value) for value in part.values)
        if part.op == "between":
            filters += [Filter(part.name, values[:1], ">="), Filter(part.name, values[1:], "<=")]
        elif part.op in ("unknown", "known"):
            filters.append(Filter(part.name, ("",), "=" if part.op == "unknown" else "!="))
        else:
            filters.append(Filter(part.name, values, part.op))
    return tuple(filters)


def _text(value: Value) -> str:
    if isinstance(value, Beside):
        return value.name
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else value if isinstance(value, str) else value.isoformat()


def _example(dimension: Dimension) -> str:
    return {"number": "> 7", "day": ">= 2025-01-01", "month": "= 2025-06", "text": "= ..."}.get(
        dimension.type, "= true"
    )


def nearest_told(near: Sequence[str]) -> str:
    """The nearest names, in words; empty for none."""
    return f"Nearest: {', '.join(near)}. " if near else ""
