"""Malloy of the metrics: a model of their sources, and a query per metric of a question, from what the contract declares.

It takes from a question its metrics, splits, conditions, periods and parameters, and nothing from what the other
compilers make of them, since it is there to prove these: which time counts, as of which day a stock is, what a unit of
time is and what becomes of rows that are not known is read from the contract once more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from sqlglot import exp

from medallion import metrics
from medallion.metrics import Dimension, Metric, MetricView
from medallion.metrics.declared import Measure
from medallion.metrics.periods import GRAINS, Shift, Span
from medallion.metrics.question import TIME, Split
from medallion.metrics.understanding import Understood
from tools.malloy.expressions import UNKNOWN_FORM, UNKNOWN_QUERY, Speaker, UnsayableError, condition, fields_of, parsed

SOURCES = Path(__file__).with_name("sources.malloy")
#: The views whose source is a query that `SOURCES` has in Malloy.
BY_HAND = frozenset(re.findall(r"(?m)^source: (\w+)", SOURCES.read_text()))


def model(tables: frozenset[str]) -> str:
    """The sources of all views, over these tables.

    Args:
        tables: Names of the tables that are there, such as `gold.deals`.
    """
    lines = [f"source: `{name}` is duckdb.table('{name}')" for name in sorted(tables)]
    lines.append(SOURCES.read_text())
    for view in metrics.views().values():
        if not tables.issuperset(view.tables) or (view.is_query and view.entity not in BY_HAND):
            continue
        joins = [
            f"join_one: `{join.name}` is `{join.source}` on "
            + " and ".join(f"`{name}` = `{join.name}`.`{name}`" for name in join.using)
            for join in view.joins
            if join.source in tables
        ]
        own = view.entity if view.is_query else view.source
        only = [f"where: {Speaker().say(view.filter)}"] if view.filter else []
        lines.append(f"source: `of {_name(view)}` is `{own}` extend {{ {' '.join([*joins, *only])} }}")
    return "\n".join(lines)


def _name(view: MetricView) -> str:
    return view.entity or view.source


@dataclass(frozen=True)
class Asker:
    """Says questions in Malloy.

    Attributes:
        first: The first day of the data.
        last: The last day, which a stock of today is as of.
    """

    first: date | None
    last: date | None

    def query(self, metric: Metric, asked: Understood, *, before: bool = False, nothing: bool = False) -> str:
        """A metric of a question: keys `k0`, `k1` and so on, its value `v` and the rows behind it `n`.

        Args:
            metric: The metric.
            asked: The question.
            before: Within the period that is compared with.
            nothing: Over no rows at all, without splits: what the metric is worth where nothing is.

        Raises:
            UnsayableError: It is one of `EXCEPTIONS`.
        """
        span, shift = asked.before if before and asked.before else (asked.span, None)
        by = () if nothing else asked.question.by
        measure = metric.measure
        if not nothing and self._is_past(metric, asked):
            return self._past(metric, asked, span, by)
        if measure.parts:
            return self._parts(metric, asked, span, shift, by, nothing=nothing)
        say = Speaker(asked.parameters)
        time = _time(metric.view, measure)
        keys = [self._key(split, metric.view, time, asked, shift) for split in by]
        where = [self._where(metric.name, metric.view, asked), _within(time, span, say), "false" if nothing else ""]
        rest = f"run: `of {_of(metric.view)}` -> {{ {_only(where)} "
        if isinstance(tree := parsed(measure.expr, asked.parameters), exp.Median):
            return rest + _median(tree, measure, keys, say)
        return rest + f"{_grouped(keys)} aggregate: v is {say.say(measure.expr)}, n is {say.say(measure.n)} }}"

    def _parts(
        self,
        metric: Metric,
        asked: Understood,
        span: Span | None,
        shift: Shift | None,
        by: Sequence[Split],
        *,
        nothing: bool,
    ) -> str:
        """A metric that is made of others, each counted by its own time: every row once per part."""
        view, say = metric.view, Speaker(asked.parameters)
        parts = [part for name in metric.measure.parts if (part := view.measure(name))]
        times = [_time(view, part) for part in parts]
        within = [
            " and ".join(clause for clause in (f"part.at = {place}", _within(time, span, say)) if clause)
            for place, time in enumerate(times)
        ]
        keys = []
        for split in by:
            own = [self._key(split, view, time, asked, shift) for time in times]
            keys.append(
                "(" + " ".join(f"pick {key} when part.at = {place}" for place, key in enumerate(own)) + " else null)"
            )
        where = [
            self._where(parts[0].name, view, asked),
            " or ".join(f"({clause})" for clause in within),
            "false" if nothing else "",
        ]
        values = {
            part.name: Speaker(asked.parameters, f"asked_part = {place}").say(part.expr)
            for place, part in enumerate(parts)
        }
        counting = re.search(r"MEASURE\(\s*(\w+)\s*\)", metric.measure.n)
        place = [part.name for part in parts].index(counting[1]) if counting else 0
        rows = Speaker(asked.parameters, f"asked_part = {place}").say(parts[place].n)
        value = Speaker(asked.parameters, parts=values).say(metric.measure.expr)
        return _crossed(view, "part", [str(number) for number in range(len(parts))], "", where, keys, value, rows)

    def _is_past(self, metric: Metric, asked: Understood) -> bool:
        """Whether a stock is asked for that is not today's alone."""
        if not metric.measure.history or asked.today.day is None:
            return False
        end = min(filter(None, (asked.span.last if asked.span else None, asked.today.day)))
        return bool(_units(asked.question.by, metric.view)) or end != self.last or bool(asked.question.compare)

    def _past(self, metric: Metric, asked: Understood, span: Span | None, by: Sequence[Split]) -> str:
        """A stock as it was at the end of a period, or of each unit of time in it, from its history."""
        view, say = metrics.views()[str(metric.measure.history)], Speaker(asked.parameters)
        assert asked.today.day is not None  # noqa: S101 - `_is_past` says so
        end = min(filter(None, (span.last if span else None, asked.today.day)))
        ends, units = [end], _units(by, metric.view)
        if units:
            begins = max(filter(None, (span.first if span else None, self.first)), default=end)
            days = [begins + timedelta(days=number) for number in range((end - begins).days)]
            fiscal = asked.today.fiscal
            ends = [
                day for day in days if unit(day, units[0], fiscal) != unit(day + timedelta(days=1), units[0], fiscal)
            ]
            ends.append(end)
        time = Dimension(name="moment", expr="moment.at", display_name="", comment="", type="day")
        keys = [
            _unit("moment.at", of_time, asked.today.fiscal)
            if (of_time := own_unit(split, metric.view))
            else self._key(split, view, time, asked, None)
            for split in by
        ]
        where = [self._where(metric.name, view, asked), "moment.at is not null"]
        on = " on `from_day` <= moment.at and (`to_day` is null or `to_day` > moment.at)"
        moments = [f"DATE '{day}'" for day in ends]
        value, rows = say.say(metric.measure.expr), say.say(metric.measure.n)
        return _crossed(view, "moment", moments, on, where, keys, value, rows)

    def _where(self, part: str, view: MetricView, asked: Understood) -> str:
        given = asked.parts[part].where
        return "" if given is None else condition(given, view, asked.parameters)

    def _key(
        self, split: Split, view: MetricView, time: Dimension | None, asked: Understood, shift: Shift | None
    ) -> str:
        """A split; of the period that is compared with, its time as that of the period that it is compared to."""
        say, fiscal = Speaker(asked.parameters), asked.today.fiscal
        if (of_time := own_unit(split, view)) and time is not None:
            return _unit(_moved(say.say(time.expr), shift), of_time, fiscal)
        dimension = fields_of(view)[split.name]
        grain = "month" if dimension.type == "month" else split.grain
        is_month = time is not None and dimension.type == "month" and _column(dimension) == _column(time)
        if time is not None and shift is not None and (is_month or dimension.expr == time.expr):
            return _unit(_moved(say.say(time.expr), shift), grain or "day", fiscal)
        text = say.say(dimension.expr)
        return _unit(text, grain, fiscal) if grain else text


def _of(view: MetricView) -> str:
    if view.is_query and view.entity not in BY_HAND:
        raise UnsayableError(f"{UNKNOWN_QUERY}: {view.entity}")
    return _name(view)


def _time(view: MetricView, measure: Measure) -> Dimension | None:
    return view.dimension(measure.period) if measure.period else None


def _column(dimension: Dimension) -> str:
    """The column that a dimension is the day or month of; another expression by itself."""
    match = re.fullmatch(r"DATE_FORMAT\((\w+), 'yyyy-MM'\)|CAST\((\w+) AS DATE\)|(\w+)", dimension.expr)
    return next(filter(None, match.groups())) if match else dimension.expr


def own_unit(split: Split, view: MetricView) -> str | None:
    """The unit of a split by the time column of each metric, as in `time:month` or `month`; None for another split."""
    if split.name in fields_of(view):
        return None
    return split.grain or (split.name if split.name in GRAINS else None) if split.name in (TIME, *GRAINS) else None


def _units(by: Sequence[Split], view: MetricView) -> list[str]:
    return [unit for split in by if (unit := own_unit(split, view))]


def unit(day: date, name: str, fiscal: int) -> tuple[int, ...]:
    """The unit of time that a day is in, as numbers: its year, and its number within the year.

    >>> unit(date(2025, 3, 31), "fiscal_quarter", 4), unit(date(2024, 12, 30), "week", 1)
    ((2025, 3), (2025, 1))
    """
    if name in ("day", "week"):
        return (day.toordinal(),) if name == "day" else day.isocalendar()[:2]
    begins = fiscal if name.startswith("fiscal") else 1
    year, month = divmod(day.year * 12 + day.month - 1 + (13 - begins) % 12, 12)
    parts = {"month": (month,), "quarter": (month // 3,), "year": ()}[name.removeprefix("fiscal_")]
    return (year, *parts)


def _unit(day: str, name: str, fiscal: int) -> str:
    """The first day of the unit that a day is in; of a fiscal one, that of the calendar's with the same number."""
    if name == "day":
        return f"({day}::date)"
    if name == "week":  # Malloy's begin on Sunday
        return f"(({day}::date - 1 day).week + 1 day)"
    if name.startswith("fiscal") and fiscal > 1:
        day = f"({day}::date + {13 - fiscal} months)"
    return f"({day}::date.{name.removeprefix('fiscal_')})"


def _moved(day: str, shift: Shift | None) -> str:
    if shift is None:
        return day
    return f"({day}::date + {shift.months} months)" if shift.months else f"({day}::date + {shift.days} days)"


def _within(time: Dimension | None, span: Span | None, say: Speaker) -> str:
    if time is None or span is None:
        return ""
    edges = ((">=", span.first), ("<=", span.last))
    return " and ".join(f"{say.say(time.expr)} {sign} @{edge}" for sign, edge in edges if edge is not None)


def _only(where: Sequence[str]) -> str:
    clauses = [f"({clause})" for clause in where if clause]
    return f"where: {' and '.join(clauses)}" if clauses else ""


def _grouped(keys: Sequence[str]) -> str:
    return "group_by: " + ", ".join(f"k{place} is {key}" for place, key in enumerate(keys)) if keys else ""


def _crossed(
    view: MetricView, name: str, values: Sequence[str], on: str, where: Sequence[str], keys: Sequence[str], value: str, rows: str
) -> str:  # fmt: skip
    """Every row once per value, then counted."""
    listed = f'duckdb.sql("SELECT unnest([{", ".join(values)}]) AS at")'
    columns = ", ".join(["*", f"asked_{name} is {name}.at", *(f"k{place} is {key}" for place, key in enumerate(keys))])
    again = f"group_by: {', '.join(f'k{place}' for place in range(len(keys)))}" if keys else ""
    return (
        f"run: `of {_of(view)}` extend {{ join_cross: {name} is {listed}{on} }} -> {{ {_only(where)} select: {columns} }}"
        f" -> {{ {again} aggregate: v is {value}, n is {rows} }}"
    )


def _median(tree: exp.Median, measure: Measure, keys: Sequence[str], say: Speaker) -> str:
    """The mean of the values that at least half of the rows reach, and at least half do not exceed."""
    if not isinstance(parsed(measure.n, say.parameters), exp.Count):
        raise UnsayableError(f"{UNKNOWN_FORM}: {measure.n} of a median")
    x = say.say(str(tree.this.sql("spark")))
    names = [f"k{place}" for place in range(len(keys))]
    apart = f"partition_by: {', '.join(names)}, " if names else ""
    grouped = f"group_by: {', '.join(names)}" if names else ""
    sums = ", ".join(
        f"{to} is sum_cumulative(c) {{ {apart}order_by: x {way} }}" for to, way in (("up", "asc"), ("down", "desc"))
    )
    middle = "x is not null and 2 * up >= up + down - c and 2 * down >= up + down - c"
    return (
        f"group_by: {', '.join([*(f'k{place} is {key}' for place, key in enumerate(keys)), f'x is {x}'])}"
        f" aggregate: c is count() {{ where: {x} is not null }}, n is {say.say(measure.n)} }}"
        f" -> {{ select: * calculate: {sums} }}"
        f" -> {{ {grouped} aggregate: v is avg(x) {{ where: {middle} }}, n is sum(n) }}"
    )
