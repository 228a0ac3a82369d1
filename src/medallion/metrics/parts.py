"""A metric without parts as a question wants it: the time that it is counted by, its conditions and its splits.

What would undo the metric, and a time that it does not have, is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from medallion.errors import ContractError
from medallion.metrics import periods
from medallion.metrics.answers import TELLS, contradicted, refuse
from medallion.metrics.conditions import COMPARISONS, Condition, Not, Or, Test, conjuncts, tests
from medallion.metrics.declared import Dimension, Metric, MetricView
from medallion.metrics.filters import Filter
from medallion.metrics.loading import declarations
from medallion.metrics.meaning import NEAREST, Facts, condition, field_of, fields_of, filters_of, outside, reach
from medallion.metrics.periods import Shift, Span, Today
from medallion.metrics.possible import OTHER, about, values_left
from medallion.metrics.question import TIME, Question, Split
from medallion.metrics.relations import columns_of


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


def leaves_of(metric: Metric) -> list[Metric]:
    """The metrics that one is made of; itself where it is made of none."""
    measures = [metric.view.measure(name) for name in metric.measure.parts]
    return [Metric(metric.view, measure) for measure in measures if measure] or [metric]


def check_metric(metric: Metric, asked: Question, span: Span | None, facts: Facts) -> None:
    """Refuse a metric whose tables are not there, or which means nothing without a period where there is none.

    Raises:
        ContractError: It is so.
    """
    label = metric.measure.display_name
    for table in metric.view.tables:
        if not facts.there(table):
            raise ContractError(f"{label} needs the table {table}, which is not there", "Run `medallion run` first.")
    if metric.measure.needs_period and (span is None or asked.period is None):
        raise ContractError(f"{label} means nothing without a period", "Give one, such as --period 'this quarter'.")


def check_whole(
    metric: Metric, parts: Sequence[Part], asked: Question, span: Span | None, today: Today, facts: Facts
) -> None:
    """Refuse a time that the parts of a metric do not have, or do not share."""
    times = [part.time for part in parts if part.time is not None]
    if span is not None and (
        metric.measure.additivity == "stock" or (times and not any(time.future for time in times))
    ):
        outside(span, facts, today.day)  # of days to come, a part may have what another has not
    if not metric.measure.parts:
        return
    fields, first = fields_of(metric.view), parts[0]
    used = [
        dimension for (dimension, _), split in zip(first.splits, asked.by, strict=True) if not own_time(split, fields)
    ]
    for dimension in (*used, *(fields[test.name] for test in tests(first.where))):
        if dimension.is_time:
            raise ContractError(
                f"{metric.measure.display_name} counts its parts by times of their own, not by {dimension.name}",
                "Give a period, or split by month.",
            )


def part_of(metric: Metric, asked: Question, today: Today, facts: Facts, *, timed: bool) -> Part:
    """A metric without parts, as the question wants it."""
    where = condition(asked.where, metric.view, facts, today)
    fields, label = fields_of(metric.view), metric.name
    splits: list[tuple[Dimension, str | None]] = []
    for split in asked.by:
        grain: str | None = split.grain
        if own_time(split, fields):
            time, grain = _time_of(metric, asked), split.grain or split.name
        else:
            time = field_of(split.name, metric.view, fields, "split by", label)
        if split.name in {"value", "n", "total", *asked.metrics}:
            raise ContractError(f"split by {split.name}: the answer has a figure of that name", f"Write {time.name}.")
        if grain is not None and time.type != "day":
            raise ContractError(f"{time.name} is no day, so it has no {grain}", f"Split by {time.name} alone.")
        reach(metric.view, time, facts)
        splits.append((time, grain))
    own = any(own_time(split, fields) for split in asked.by)
    period = metric.measure.period
    part = Part(metric, metric.dimension(period) if period and (timed or own) else None, where, tuple(splits))
    _undone(part, facts)
    return part


#: The day that a stock of the past is as of; `compilers.sql` puts it beside the rows.
_DAY = Dimension(name="day", expr="day", display_name="Day", comment="Day at whose end it was so", type="day")


_MOST_DAYS = 800


def past_part(
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
    units = [split.grain or split.name for split in asked.by if own_time(split, fields_of(metric.view))]
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
    fields = fields_of(view)
    splits: list[tuple[Dimension, str | None]] = []
    for split in asked.by:
        if own_time(split, fields_of(metric.view)):
            splits.append((_DAY, split.grain or split.name))
            continue
        dimension = field_of(split.name, view, fields, "split by", f"{metric.name} of an earlier day")
        reach(view, dimension, facts)
        splits.append((dimension, split.grain))
    where = condition(asked.where, view, facts, today)
    part = Part(past, None, where, tuple(splits), tuple(days), earlier)
    _undone(part, facts)
    return part


def _ends(first: date, last: date, units: Sequence[str], today: Today) -> list[date]:
    """The last days of the units of time from one day to another; the other alone where there are no units."""
    days, day = [last], last
    for unit in units[:1]:
        while (day := periods.start(day, unit, today.fiscal) - timedelta(days=1)) >= first:
            days.append(day)
    return days[::-1]


def own_time(split: Split, fields: Mapping[str, Dimension]) -> bool:
    """Whether a split is by the time column of each metric: `time:month`, or `month`."""
    return split.name not in fields and (split.name == TIME or (split.grain is None and split.name in periods.GRAINS))


def _time_of(metric: Metric, asked: Question) -> Dimension:
    if metric.measure.period is None:
        label = metric.measure.display_name
        days = [
            dimension.name for dimension in (*metric.view.dimensions, *metric.view.fields) if dimension.type == "day"
        ]
        why = "is a state, known as of the last day" if metric.measure.additivity == "stock" else "has no time column"
        raise ContractError(f"{label} {why}, so it has no {asked.by[0].grain or asked.by[0].name}", _by_days(days))
    return metric.dimension(metric.measure.period)


def _by_days(days: Sequence[str]) -> str:
    return f"Split by a day of its rows: {', '.join(f'{day}:month' for day in days)}." if days else "Leave it out."


def said_of(view: MetricView, where: Condition | None) -> list[Filter]:
    """What a condition says of every row that it leaves, with what the values of its dimensions imply."""
    filters = list(filters_of(where))
    for test in tests(where if not isinstance(where, Or | Not) else None):
        if test.op in ("is", "between", "=", *COMPARISONS, "known") and test in conjuncts(where):
            filters += [Filter(name, values) for name, values in fields_of(view)[test.name].implies]
    return filters


def _undone(part: Part, facts: Facts) -> None:
    """Refuse a condition or split that leaves none of what the metric looks at, or not all of what it compares."""
    metric, view = part.metric, part.metric.view
    for filter_ in said_of(view, part.where):
        if contradicted(metric, [filter_]):
            written = next((str(test) for test in tests(part.where) if _implies(view, test, filter_)), str(filter_))
            refuse(metric, metric.dimension(filter_.dimension), filter_, written)
    _nothing_left(part)
    for dimension, _ in part.splits:
        for name, values in dimension.implies:
            if contradicted(metric, [Filter(name, values)]) and metric.measure.additivity != "ratio":
                refuse(metric, metric.dimension(name), Filter(name, values), dimension.name)


def _nothing_left(part: Part) -> None:
    """Refuse a condition that no value of a dimension fulfills, or none that the metric looks at."""
    if part.where is None:
        return
    view, fields = part.metric.view, fields_of(part.metric.view)
    for dimension in view.dimensions:
        if dimension.type != "text" or not dimension.values:
            continue
        left = values_left(part.where, dimension, fields)
        if not left:
            text = about(part.where, dimension.name, fields)
            raise ContractError(f"{text} leaves nothing, whatever {dimension.name} is", "Change the condition.")
        known = tuple(value for value in left if value is not None and value != OTHER)
        wrong = Filter(dimension.name, known)
        if not {*dimension.values} <= {*known} and contradicted(part.metric, [wrong]):
            refuse(part.metric, dimension, wrong, about(part.where, dimension.name, fields))


def _implies(view: MetricView, test: Test, filter_: Filter) -> bool:
    return (filter_.dimension, filter_.values) in fields_of(view)[test.name].implies


def check_time(part: Part, asked: Question, span: Span | None, today: Today, facts: Facts) -> None:
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
        near = [other.name for other in metric.view.measures if other.period]
        raise ContractError(
            f"{label} has no time column, so it cannot be counted within {span.text or span}",
            f"Leave the period out{', or ask for ' + ' or '.join(near[:NEAREST]) if near else ''}.",
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
    days = (dimension for dimension in (*view.dimensions, *view.fields) if dimension.is_time)
    outcome = {name for day in days for name, _ in day.implies} - {name for name, _ in settled}
    if outcome & columns_of(part.metric.measure.expr):
        return True
    fields = fields_of(view)
    used = (
        [*(dimension for dimension, _ in part.splits), *(fields[test.name] for test in tests(part.where))]
        if of_rows
        else []
    )
    return any(
        outcome & {TELLS.get(dimension.name), *columns_of(dimension.expr), *(name for name, _ in dimension.implies)}
        for dimension in used
    )
