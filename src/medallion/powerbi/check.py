"""Every measure by evaluated DAX against the metric that it is, in one filter context after the other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

import duckdb

from medallion import metrics
from medallion.metrics import Filter, Metric
from medallion.powerbi.evaluate import Evaluator, Field
from medallion.powerbi.model import Measure, Model, dimension
from medallion.powerbi.rows import Rows


def check(connection: duckdb.DuckDBPyConnection, model: Model, rows: Rows, most: int = 12) -> list[dict[str, Any]]:
    """Compare all measures with their metrics: in total, by values of each dimension, and by pairs of dimensions.

    Args:
        connection: From `medallion.lakehouse.query.connect`, with the layers gold and silver.
        model: The model.
        rows: Its rows, read through that connection.
        most: How many values of a dimension are looked at, those with most rows first.

    Returns:
        One document per metric: `metric`, `contexts` compared, `same`, and `different` with the contexts that are
        not, each as text with both values.
    """
    evaluator = Evaluator(model, rows)
    views: dict[str, list[Measure]] = {}
    for measure in model.measures:
        if measure.metric and metrics.named(measure.metric).stands_alone:
            views.setdefault(measure.folder, []).append(measure)
    found = []
    for measures in views.values():
        different: dict[str, list[str]] = {str(one.metric): [] for one in measures}
        contexts = list(_contexts(connection, metrics.named(str(measures[0].metric)), most))
        for filters, fields in contexts:
            values = evaluator.values([one.name for one in measures], fields, by=list(fields))
            for one in measures:
                answer = metrics.computed(connection, metrics.named(str(one.metric)), filters=tuple(filters))
                if not same(values[one.name], answer.value, rows=answer.rows[0]["n"]):
                    told = f"{' and '.join(map(str, filters)) or 'total'}: "
                    different[answer.metric.name].append(f"{told}DAX {values[one.name]}, metric {answer.value}")
        found += [
            {"metric": name, "contexts": len(contexts), "same": not wrong, "different": wrong}
            for name, wrong in different.items()
        ]
    return found


def same(dax: Any, value: float | int | None, rows: int) -> bool:
    """Whether a measure is worth what the metric is.

    Blank is null; where no row is in the context it is also the 0 that SQL counts, since a visual shows no such group.
    """
    if dax is None or value is None:
        return dax is None and (value is None or (rows == 0 and value == 0))
    return math.isclose(float(dax), float(value), rel_tol=1e-9, abs_tol=1e-6)


def _contexts(
    connection: duckdb.DuckDBPyConnection, metric: Metric, most: int
) -> Iterator[tuple[list[Filter], Mapping[Field, list[Any]]]]:
    """Filter contexts: none, every value of every dimension, and each two neighbouring dimensions with two values."""
    yield [], {}
    reached = [(one.name, field) for one in metric.view.dimensions if (field := dimension(metric, one.name))]
    values = {name: _values(connection, metric, name)[:most] for name, _ in reached}
    for name, field in reached:
        for value in values[name]:
            yield [_filter(name, [value])], {field: [_day(value)]}
    for (one, first), (other, second) in itertools.pairwise(reached):
        left, right = values[one][:2], values[other][-2:]
        fields = {first: [_day(v) for v in left], second: [_day(v) for v in right]}
        yield [_filter(one, left), _filter(other, right)], fields


def _values(connection: duckdb.DuckDBPyConnection, metric: Metric, name: str) -> list[Any]:
    rows = metrics.ask(connection, metric.name, by=name).rows
    return [row[name] for row in sorted(rows, key=lambda row: -row["n"])]


def _filter(name: str, values: Iterable[Any]) -> Filter:
    return Filter(name, tuple("" if value is None else str(value) for value in values))


def _day(value: Any) -> Any:
    return datetime(value.year, value.month, value.day) if isinstance(value, date) else value  # noqa: DTZ001
