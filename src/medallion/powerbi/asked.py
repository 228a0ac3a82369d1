"""A question answered by evaluated DAX, where a page of the report can ask it: measures, filters of single columns, a period.

What is chosen in a report is a list of values per column. So a condition is asked as the values of its column that fulfill
it; a condition across columns, a field that the model does not have, and an as-of day have no such form.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from medallion.metrics import Dimension, Metric
from medallion.metrics.conditions import And, Condition, Not, Or, Test, conjuncts, tests
from medallion.metrics.periods import Span
from medallion.metrics.understanding import Understood
from medallion.powerbi.check import same
from medallion.powerbi.evaluate import Evaluator, Field
from medallion.powerbi.model import DATE, dimension, home, model, modelled, titled

#: The column of the date table for each unit of time.
_UNITS = {
    "day": "Date", "week": "Week", "month": "Month", "quarter": "Quarter", "year": "Year",
    "fiscal_quarter": "Fiscal quarter", "fiscal_year": "Fiscal year",
}  # fmt: skip
#: So many groups of an answer are evaluated, and so many that it does not have.
_MOST, _ABSENT = 8, 3
_Context = dict[Field, list[Any]]


def differences(evaluator: Evaluator, asked: Understood, rows: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """Where DAX and SQL differ about a question; None where a report cannot ask it.

    Args:
        evaluator: The model with its rows.
        asked: The question, without order and limit.
        rows: Its answer by SQL: its first groups are compared, and some that it does not have, which have to be blank.
    """
    if asked.question.as_of or any(metric.name not in modelled() for metric in asked.metrics):
        return None
    context, before, columns = _context(evaluator, asked), _before(evaluator, asked), _columns(asked)
    if context is None or before is None or columns is None:
        return None
    keys = {tuple(_seen(row[str(split)], split.grain) for split, _ in asked.splits): row for row in rows}
    absent = itertools.islice(
        (key for key in itertools.product(*(evaluator.distinct(column)[-6:] for column in columns)) if key not in keys),
        _ABSENT,
    )
    different = []
    for key in [*itertools.islice(keys, _MOST), *absent]:
        group = _within(context, {column: [value] for column, value in zip(columns, key, strict=True)})
        if group is None:
            continue
        for metric in asked.metrics:
            name = "value" if len(asked.metrics) == 1 else metric.name
            row = keys.get(key, {})
            figures = [(context, row.get(name), row.get("n" if name == "value" else f"{name}_n", 0))]
            figures += [(before, row.get(f"{name}_before"), 0)] if asked.before and not columns else []
            for chosen, value, count in figures:
                dax = _evaluated(evaluator, metric, {**chosen, **(group if chosen is context else {})}, columns)
                if not same(dax, value, rows=count):
                    different.append(f"{metric.name} {key or ''}: DAX {dax}, SQL {value}")
    return different


def _evaluated(evaluator: Evaluator, metric: Metric, context: _Context, columns: Sequence[Field]) -> Any:
    label = metric.measure.display_name
    return evaluator.values([label], context, by=columns)[label]


def _context(evaluator: Evaluator, asked: Understood) -> _Context | None:
    """The filters of a question as values of columns; None where they have no such form."""
    first = asked.metrics[0]
    context: _Context | None = {
        (titled(name), titled(name)): [int(value)]
        for metric in asked.metrics
        for name, value in ((p.name, asked.parameters.get(p.name)) for p in metric.parameters if p.what_if)
        if value is not None
    }
    for part in conjuncts(asked.where):
        columns = {test.name: _column(asked.metrics, first.view.field(test.name), None) for test in tests(part)}
        (field, *more) = {*columns.values()}
        if field is None or more or _as_it_is_now(asked, field):
            return None
        every = [*evaluator.distinct(field), *([None] if evaluator.has_blank(field) else [])]
        context = _within(context, {field: [value for value in every if _holds(part, value)]})
    return _in_period(evaluator, asked, asked.span, context)


def _as_it_is_now(asked: Understood, field: Field) -> bool:
    """Whether a column says what deals are now, where the question is about what they were."""
    return field[0] == "Deals" and any(part.days for part in asked.parts.values())


def _before(evaluator: Evaluator, asked: Understood) -> _Context | None:
    """The filters of the period that is compared with; those of none where there is none."""
    if asked.before is None:
        return {}
    context = _context(evaluator, asked)
    if context is None or asked.splits:
        return None
    return _in_period(evaluator, asked, asked.before[0], {k: v for k, v in context.items() if k != DATE})


def _in_period(evaluator: Evaluator, asked: Understood, span: Span | None, context: _Context | None) -> _Context | None:
    """The filters within a period; None for a state of days that are still to come, which a report leaves blank."""
    if span is None or context is None:
        return context
    is_stock = any(part.metric.measure.additivity == "stock" for part in asked.parts.values())
    if is_stock and span.first and asked.today.day and span.first > asked.today.day:
        return None
    days = [day for day in evaluator.distinct(DATE) if _between(day.date(), span)]
    return _within(context, {DATE: days})


def _between(day: date, span: Span) -> bool:
    return (span.first is None or day >= span.first) and (span.last is None or day <= span.last)


def _within(context: _Context | None, more: Mapping[Field, Iterable[Any]]) -> _Context | None:
    """Filters narrowed by others; None where no value is left to choose."""
    if context is None:
        return None
    narrowed = dict(context)
    for field, values in more.items():
        narrowed[field] = [value for value in values if field not in narrowed or value in narrowed[field]]
        if not narrowed[field]:
            return None
    return narrowed


def _columns(asked: Understood) -> list[Field] | None:
    """The columns of the splits; None where the model does not have one column for all metrics."""
    fields = []
    for split, own in asked.splits:
        grain = split.grain or (split.name if split.name in _UNITS and split.name != own.name else None)
        is_time = split.name in ("time", *_UNITS) and split.name != own.name
        field = (DATE[0], _UNITS[grain]) if is_time and grain else _column(asked.metrics, own, grain)
        if field is None or _as_it_is_now(asked, field):
            return None
        fields.append(field)
    return fields if len(set(fields)) == len(fields) else None


def _column(metrics: Sequence[Metric], own: Dimension | None, grain: str | None) -> Field | None:
    """The one column that a dimension is for all these metrics; None where there is none, or it is no dimension."""
    if own is None or own.type == "boolean":
        return None
    fields = {
        dimension(metric, own.name) if metric.view.dimension(own.name) else _field(metric, own) for metric in metrics
    }
    (field, *more) = fields
    if field is None or more:
        return None
    if grain is None or grain == "day":
        return field
    return (DATE[0], _UNITS[grain]) if field == DATE else None


def _field(metric: Metric, own: Dimension) -> Field | None:
    """The column of a field that is no dimension: one of the metric's table, or of the account."""
    plain = re.sub(r"CAST\((\S+) AS DOUBLE\)", r"\1", own.expr)
    table = "Customers" if plain.startswith("account.") else home(metric)
    columns = model().table(table).columns
    name = next(
        (column.name for column in columns if column.source == plain.removeprefix("account.") and not column.sql), None
    )
    return (table, name) if name else None


def _seen(value: Any, grain: str | None) -> Any:
    """A value of an answer as the model has it."""
    if isinstance(value, date) and grain == "week":
        iso = value.isocalendar()
        return f"{iso.year}-W{iso.week:02d}"
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a day has no zone
    return int(value) if grain == "year" and value is not None else value


def _holds(given: Condition, value: Any) -> bool:
    """Whether a value fulfills a condition; one that is not known fulfills none, and so the negation of each."""
    if isinstance(given, And | Or):
        parts = [_holds(part, value) for part in given.parts]
        return all(parts) if isinstance(given, And) else any(parts)
    if isinstance(given, Not):
        return not _holds(given.part, value)
    if given.op in ("unknown", "known"):
        return (value is None) == (given.op == "unknown")
    if value is None:
        return given.op == "!="
    return _fulfills(given, value.date() if isinstance(value, datetime) else value)


def _fulfills(test: Test, value: Any) -> bool:
    values = [float(value) if isinstance(value, Decimal) else value for value in test.values]
    if test.op == "contains":
        return str(values[0]).lower() in str(value).lower()
    if test.op in ("=", "!="):
        return (value in values) == (test.op == "=")
    if test.op == "between":
        return bool(values[0] <= value <= values[1])
    first = values[0]
    return bool({"<": value < first, "<=": value <= first, ">": value > first, ">=": value >= first}[test.op])
