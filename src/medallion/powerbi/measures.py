"""A metric as a measure that keeps to its own time: the period that a reader chooses means in DAX what it means in a question.

- A flow or ratio counts within the period by its own time column: where that is not the day by which its table follows the
  date table, the measure takes the other path.
- A stock is as of the period's end. One with a history is counted from it; another is known as of the last day alone and
  blank for an earlier one.
- What is made of others takes each of them by its own time.
- What has no time column is blank in a period, and what means nothing without a period is blank without one.
"""

from __future__ import annotations

from dataclasses import dataclass

from medallion.metrics import Metric
from medallion.powerbi import dax

#: The measure that gives the last day of the data.
AS_OF = "As of"
_DATE = "'Date'"
_DAY = "'Date'[Date]"


@dataclass(frozen=True)
class Path:
    """How the date table reaches a metric.

    Attributes:
        column: Table and column of the metric's time.
        active: Whether the date table filters by it without being told.
    """

    column: tuple[str, str]
    active: bool


def timed(
    metric: Metric,
    place: dax.Place,
    *,
    path: Path | None = None,
    past: dax.Place | None = None,
    unreached: tuple[tuple[str, str], ...] = (),
) -> str:
    """The DAX of a metric in whatever period the reader has chosen.

    Args:
        metric: The metric.
        place: The table that it is computed from.
        path: How the date table reaches it; None without a time column.
        past: Of a stock with a history: its table.
        unreached: Columns that the history does not have; filtered by one of them, an earlier day has no value.

    Raises:
        ContractError: The expression has a form that is not translated.
    """
    measure = metric.measure
    if measure.parts:
        there = " || ".join(f"NOT ISBLANK({dax.measure(label)})" for label, _ in place.parts.values())
        value = f"IF({there}, {dax.scalar(measure.expr, place)})"
    else:
        value = dax.whole(measure.expr, place, metric.view.filter)
        if measure.additivity == "stock":
            return _stock(metric, value, past, unreached)
        if path is None:
            return f"IF(NOT ISFILTERED({_DATE}), {value})"
        if not path.active:
            value = f"CALCULATE({value}, USERELATIONSHIP({dax.column(*path.column)}, {_DAY}))"
    return f"IF(ISFILTERED({_DATE}), {value})" if measure.needs_period else value


def _stock(metric: Metric, today: str, past: dax.Place | None, unreached: tuple[tuple[str, str], ...]) -> str:
    """The state at the end of the last day in view; of none that is still to come."""
    now = f"CALCULATE({today}, REMOVEFILTERS({_DATE}))"
    earlier = ""
    if past is not None:
        since, until = (dax.column(past.table, past.columns[name]) for name in ("valid_from", "valid_to"))
        pairs = f"FILTER(ALL({since}, {until}), {since} <= LastDay && (ISBLANK({until}) || {until} > LastDay))"
        then = f"CALCULATE({dax.whole(metric.measure.expr, past)}, KEEPFILTERS({pairs}))"
        blind = " || ".join(f"ISFILTERED({dax.column(*column)})" for column in unreached)
        earlier = f", IF(NOT ({blind}), {then})" if blind else f", {then}"
    return (
        f"VAR LastDay = MAX({_DAY}) VAR Today = [{AS_OF}] "
        f"RETURN IF(MIN({_DAY}) <= Today, IF(LastDay >= Today, {now}{earlier}))"
    )
