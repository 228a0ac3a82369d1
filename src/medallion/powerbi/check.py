"""Every measure by evaluated DAX against the metric that it is, in one filter context after the other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

import duckdb

from medallion import metrics
from medallion.errors import ContractError
from medallion.metrics import Filter, Metric
from medallion.metrics.answers import days
from medallion.metrics.compilers.duckdb import answer
from medallion.metrics.conditions import Test
from medallion.metrics.question import Question
from medallion.powerbi.evaluate import Evaluator, Field
from medallion.powerbi.model import Measure, Model, dimension, parameter_values, titled
from medallion.powerbi.rows import FIRST_DAY, Rows

#: Columns of the date table by which a reader chooses a period that a question can name as well.
PERIODS = tuple(("Date", column) for column in ("Week", "Month", "Quarter", "Year", "Fiscal quarter", "Fiscal year"))


def check(connection: duckdb.DuckDBPyConnection, model: Model, rows: Rows, most: int = 12) -> list[dict[str, Any]]:
    """Compare all measures with their metrics: in total, by values of each dimension, by pairs of dimensions, and in
    periods, each alone and with a value of a dimension. Where a metric refuses a period its measure has to be blank.

    Args:
        connection: From `medallion.lakehouse.query.connect`, with the layers gold and silver.
        model: The model.
        rows: Its rows, read through that connection.
        most: How many values of a dimension are looked at, those with most rows first, and how many periods of a kind.

    Returns:
        One document per metric: `metric`, `contexts` compared, `same`, and `different` with the contexts that are
        not, each as text with both values.
    """
    evaluator = Evaluator(model, rows)
    alike: dict[tuple[Any, ...], list[Measure]] = {}
    for measure in model.measures:
        if measure.metric:
            metric = metrics.named(measure.metric)
            names = tuple(own.name for own in metric.dimensions)
            alike.setdefault((measure.folder, metric.measure.period, names, metric.stands_alone), []).append(measure)
    documents = []
    for measures in alike.values():
        first = metrics.named(str(measures[0].metric))
        different: dict[str, list[str]] = {str(measure.metric): [] for measure in measures}
        contexts = 0
        for label, asked, fields in itertools.chain(
            _alone(connection, evaluator, first, most) if first.stands_alone else (),
            _timed(connection, evaluator, first, most),
        ):
            contexts += 1
            values = evaluator.values([measure.name for measure in measures], fields, by=list(fields))
            for measure in measures:
                answered = _asked(connection, str(measure.metric), *asked)
                if answered and not same(values[measure.name], answered[0], rows=answered[1]):
                    different[str(measure.metric)].append(f"{label}: DAX {values[measure.name]}, metric {answered[0]}")
        documents += [
            {"metric": name, "contexts": contexts, "same": not wrong, "different": wrong}
            for name, wrong in different.items()
        ]
    return documents


def same(dax: Any, value: float | int | None, rows: int) -> bool:
    """Whether a measure is worth what the metric is.

    Blank is null; where no row is in the context it is also the 0 that SQL counts, since a visual shows no such group.
    """
    if dax is None or value is None:
        return dax is None and (value is None or (rows == 0 and value == 0))
    return math.isclose(float(dax), float(value), rel_tol=1e-9, abs_tol=1e-6)


def _asked(
    connection: duckdb.DuckDBPyConnection, name: str, filters: tuple[Filter, ...], period: str | None
) -> tuple[Any, int] | None:
    """What a metric is worth, with the rows behind it: of no value where it refuses the period, None where it refuses the
    filters.
    """
    metric = metrics.named(name)
    if period is None:
        computed = metrics.computed(connection, metric, filters=filters)
        return computed.value, computed.rows[0]["n"]
    targets = tuple(
        (parameter.name, float(_target(parameter.name))) for parameter in metric.parameters if parameter.default is None
    )
    where = tuple(Test(filter_.dimension, "=", filter_.values) for filter_ in filters)
    try:
        answered = answer(connection, Question((name,), where=where, period=period, parameters=targets))
    except ContractError:
        whole = _asked(connection, name, (), period) if filters else (None, 0)
        return whole if whole == (None, 0) else None
    return answered.value, answered.rows[0]["n"] if answered.rows else 0


_Asked = tuple[tuple[Filter, ...], str | None]
_Context = tuple[str, _Asked, Mapping[Field, list[Any]]]


def _alone(
    connection: duckdb.DuckDBPyConnection, evaluator: Evaluator, metric: Metric, most: int
) -> Iterator[_Context]:
    """Filter contexts: none, every value of every dimension, and each two neighbouring dimensions with two values."""
    yield "total", ((), None), {}
    reached = [(own.name, field) for own in metric.dimensions if (field := dimension(metric, own.name))]
    values = {name: _values(connection, evaluator, metric, name, field)[:most] for name, field in reached}
    for name, field in reached:
        for value in values[name]:
            filters = (_filter(name, [value]),)
            yield str(filters[0]), (filters, None), {field: [_day(value)]}
    for (left_name, first), (right_name, second) in itertools.pairwise(reached):
        left, right = values[left_name][:2], values[right_name][-2:]
        if first == second or not (left and right):
            continue
        both = (_filter(left_name, left), _filter(right_name, right))
        fields = {first: [_day(v) for v in left], second: [_day(v) for v in right]}
        yield " and ".join(map(str, both)), (both, None), fields


def _timed(
    connection: duckdb.DuckDBPyConnection, evaluator: Evaluator, metric: Metric, most: int
) -> Iterator[_Context]:
    """Periods that have begun, the last ones of each kind, alone and with a value of one dimension after the other."""
    today = days(connection)[1]
    targets = {
        (titled(parameter.name), titled(parameter.name)): [_target(parameter.name)]
        for parameter in metric.parameters
        if parameter.default is None
    }
    narrowed = itertools.cycle(list(_narrowed(connection, evaluator, metric)))
    for field in PERIODS:
        begun = [
            period for period in evaluator.distinct(field) if today and evaluator.first_day(field, period) <= today
        ]
        for period in begun[-most:]:
            yield f"period {period}", ((), str(period)), {field: [period], **targets}
            for name, column, value in itertools.islice(narrowed, 1):
                filters = (_filter(name, [value]),)
                label = f"{filters[0]} in period {period}"
                yield label, (filters, str(period)), {field: [period], column: [value], **targets}


def _narrowed(
    connection: duckdb.DuckDBPyConnection, evaluator: Evaluator, metric: Metric
) -> Iterator[tuple[str, Field, Any]]:
    """Values of dimensions that are no time: name, column of the model, value."""
    for own in metric.dimensions:
        if not own.is_time and (field := dimension(metric, own.name)):
            for value in _values(connection, evaluator, metric, own.name, field)[:2]:
                if value is not None:
                    yield own.name, field, value


def _target(name: str) -> int:
    return parameter_values(name)[4]


def _values(
    connection: duckdb.DuckDBPyConnection, evaluator: Evaluator, metric: Metric, name: str, field: Field
) -> list[Any]:
    """The values of a dimension, those with most rows first; of days those that the date table has."""
    if metric.stands_alone:
        rows = metrics.ask(connection, metric.name, by=name).rows
        values = [row[name] for row in sorted(rows, key=lambda row: -row["n"])]
    else:
        values = list(metrics.values_of(connection, metric.dimension(name)))
    known = set(evaluator.distinct(field)) if field[0] == "Date" else None
    return [value for value in values if known is None or value is None or _day(value) in known]


def _filter(name: str, values: Iterable[Any]) -> Filter:
    return Filter(name, tuple("" if value is None else str(value) for value in values))


def _day(value: Any) -> Any:
    """A value as the model has it: a day as midnight, none before the first that DAX counts."""
    if not isinstance(value, date):
        return value
    day = max(value, FIRST_DAY)
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a day has no zone
