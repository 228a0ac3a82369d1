"""Why a figure changed between two periods: parts of the change that add up to it exactly.

A total is split by what it is a product of (deals closed, share won, value of a win) and by the values of dimensions; a
rate by how each group's rate changed and how the mix of groups did; a stock by the movement of the pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import duckdb

from medallion.errors import ContractError
from medallion.metrics.answers import named
from medallion.metrics.compilers.duckdb import Answer, answer
from medallion.metrics.over_time import PARTS, movement
from medallion.metrics.question import Question, Split
from medallion.metrics.understanding import Understood

#: Dimensions by which a change is split, where the metric has them.
DIMENSIONS = ("owner", "country", "industry", "source", "product", "product_id", "stage", "channel")
#: Groups of a dimension that are told; the others are one line.
MOST_GROUPS = 5
#: Dimensions that are told, those with the largest single contribution first.
MOST_DIMENSIONS = 2
#: Metrics that are a number of won or lost deals times their value: the number and the value.
_PRODUCTS = {"revenue": ("won_leads", "lost_leads"), "lost_value": ("lost_leads", "won_leads")}
_RATES = (
    "win_rate",
    "conversion_rate",
    "touch_positive_rate",
    "average_won_value",
    "average_deal_value",
    "average_cycle_days",
)


@dataclass(frozen=True)
class Effect:
    """A part of a change.

    Attributes:
        of: What the change is split by: `how`, or a dimension.
        part: Which part.
        before: The part's figure before; None where it has none.
        now: The same now.
        effect: What it adds to the change.
    """

    of: str
    part: str
    before: Any
    now: Any
    effect: Decimal


@dataclass(frozen=True)
class Change:
    """A figure in two periods, and the parts of the change between; the effects of each `of` add up to it exactly.

    Attributes:
        told: The answer that both figures are from.
        before: The figure before.
        now: The figure now.
        effects: The parts.
        queries: What was asked for the parts, beside the figures.
    """

    told: Answer
    before: Decimal
    now: Decimal
    effects: tuple[Effect, ...]
    queries: tuple[Answer, ...] = field(default=())

    @property
    def change(self) -> Decimal:
        """How much was added."""
        return self.now - self.before


def explain(connection: duckdb.DuckDBPyConnection, asked: Question) -> Change:
    """Why a metric changed, compared as the question says; with the period before where it does not.

    Raises:
        ContractError: The question is not understood, has no period, or one of the figures is not known.
    """
    asked = replace(
        asked, metrics=asked.metrics[:1], by=(), order=(), limit=None, having=(), compare=asked.compare or "previous"
    )
    metric = named(asked.metrics[0])
    comparison = answer(connection, asked)
    before, now = (_decimal(comparison.rows[0][name]) for name in ("value_before", "value"))
    label = metric.measure.display_name
    if before is None or now is None:
        raise ContractError(f"{label} has no value in one of the two periods", "Choose another period.")
    effects: list[Effect] = []
    queries: list[Answer] = []
    if metric.name in _PRODUCTS:
        of_number = answer(connection, replace(asked, metrics=(metric.name, *_PRODUCTS[metric.name])))
        queries.append(of_number)
        effects += _by_factors(metric.name, of_number.rows[0], now - before)
    elif metric.measure.history and not asked.where:
        effects += _by_movement(connection, metric.name, comparison, now - before)
    candidates: list[tuple[Decimal, list[Effect], Answer]] = []
    if metric.measure.additivity != "ratio" or metric.name in _RATES:
        for name in DIMENSIONS:
            if metric.view.field(name) is None or any(name in str(condition) for condition in asked.where):
                continue
            if name == "stage" and metric.measure.additivity != "stock":
                continue  # what is won or lost is in its last stage
            try:
                by = answer(connection, replace(asked, by=(Split(name),)))
            except ContractError:
                continue  # not of this metric, or of a table that is not there
            parts = _by_groups(name, by.rows, before, now, rate=metric.measure.additivity == "ratio")
            if parts and (name != "product_id" or not any(others[0].of == "product" for _, others, _ in candidates)):
                candidates.append((max(abs(effect.effect) for effect in parts), parts, by))
    candidates.sort(key=lambda candidate: -candidate[0])
    for _, parts, by in candidates[:MOST_DIMENSIONS]:
        effects += parts
        queries.append(by)
    return Change(comparison, before, now, tuple(effects), tuple(queries))


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _by_factors(name: str, row: Mapping[str, Any], change: Decimal) -> list[Effect]:
    """Deals closed, the share of them, and the value of each; the last takes what rounding leaves."""
    own, other = _PRODUCTS[name]
    count = {when: [Decimal(row[f"{metric}{when}"] or 0) for metric in (own, other)] for when in ("_before", "")}
    closed = {when: sum(count[when], Decimal(0)) for when in count}
    if not all(count[when][0] for when in count):
        return []
    rate = {when: count[when][0] / closed[when] for when in count}
    value = {when: Decimal(str(row[f"{name}{when}"])) / count[when][0] for when in count}
    volume = (closed[""] - closed["_before"]) * rate["_before"] * value["_before"]
    of_rate = closed[""] * (rate[""] - rate["_before"]) * value["_before"]
    volume, of_rate = volume.quantize(Decimal("0.01")), of_rate.quantize(Decimal("0.01"))
    won = "won" if own == "won_leads" else "lost"
    return [
        Effect("how", "deals closed", int(closed["_before"]), int(closed[""]), volume),
        Effect("how", f"share of them {won}", float(rate["_before"]), float(rate[""]), of_rate),
        Effect("how", f"value of a {won} deal", float(value["_before"]), float(value[""]), change - volume - of_rate),
    ]


def _by_movement(connection: duckdb.DuckDBPyConnection, name: str, comparison: Answer, change: Decimal) -> list[Effect]:
    """The movement of the pipeline between the ends of both periods."""
    understood = comparison.understood
    if (
        not isinstance(understood, Understood)
        or not understood.before
        or not understood.span
        or not understood.before[0].last
        or not understood.span.last
    ):
        return []
    row = movement(connection, understood.before[0].last, understood.span.last)[0]
    ending = "_deals" if name == "open_leads" else ""
    parts = [(part, Decimal(str(row.get(f"{part}{ending}") or 0))) for part in PARTS]
    effects = [Effect("how", part.replace("_", " "), None, None, value) for part, value in parts if value]
    return effects if sum((effect.effect for effect in effects), Decimal(0)) == change else []


def _by_groups(
    name: str, rows: Sequence[Mapping[str, Any]], before: Decimal, now: Decimal, *, rate: bool
) -> list[Effect]:
    """What each value of a dimension adds; of a rate, how its own rate and its weight did."""
    change = now - before
    if rate:
        return _rates_of_groups(name, rows, before, now)
    effects = []
    for row in rows:
        was, current = _decimal(row["value_before"]) or Decimal(0), _decimal(row["value"]) or Decimal(0)
        effects.append(
            Effect(name, str(row[name]) if row[name] is not None else "unknown", was, current, current - was)
        )
    if sum((effect.effect for effect in effects), Decimal(0)) != change:
        return []  # groups overlap: a number of distinct things does not add up
    return _largest(name, effects)


def _rates_of_groups(name: str, rows: Sequence[Mapping[str, Any]], before: Decimal, now: Decimal) -> list[Effect]:
    """The effect of each group's own rate, and that of the mix as one line.

    There is no number of rows of the period before, so the weights are those of now and the rest is the mix.
    """
    total = sum(Decimal(row["n"] or 0) for row in rows)
    if not total:
        return []
    effects, own = [], Decimal(0)
    for row in rows:
        was, current = _decimal(row["value_before"]), _decimal(row["value"])
        if was is None or current is None:
            continue
        effect = Decimal(row["n"] or 0) / total * (current - was)
        own += effect
        effects.append(Effect(name, str(row[name]) if row[name] is not None else "unknown", was, current, effect))
    if not effects:
        return []
    return [*_largest(name, effects), Effect(name, "mix of groups", None, None, now - before - own)]


def _largest(name: str, effects: Sequence[Effect]) -> list[Effect]:
    """The largest effects, and all others as one."""
    ordered = sorted(effects, key=lambda effect: (-abs(effect.effect), effect.part))
    largest, rest = ordered[:MOST_GROUPS], ordered[MOST_GROUPS:]
    if rest:
        largest.append(
            Effect(name, f"{len(rest)} others", None, None, sum((effect.effect for effect in rest), Decimal(0)))
        )
    return largest
