"""What is expected of an answer, and whether one fulfills it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asking.world import Truth
from medallion.agent.answer import Answer

EXACT, DECLINED, WRONG, LEAKED = "exact", "declined", "wrong", "leaked"
_KEYS = ("lead_id", "customer_id")


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same, numbers to six digits; nothing added up is 0."""
    if isinstance(one, str) or isinstance(other, str):
        return str(one) == str(other)
    return math.isclose(float(one or 0), float(other or 0), rel_tol=1e-6, abs_tol=1e-6)


@dataclass(frozen=True)
class Expected:
    """What is expected of one answer; the first finding that could hold it is looked at."""

    def fulfilled(self, answer: Answer) -> bool:
        """Whether the answer says this and nothing else."""
        raise NotImplementedError


@dataclass(frozen=True)
class Figure(Expected):
    """One figure."""

    value: float | None

    def fulfilled(self, answer: Answer) -> bool:
        rows = answer.found[0].rows
        return len(rows) == 1 and same(rows[0].get("share", rows[0].get("value")), self.value)


@dataclass(frozen=True)
class Change(Expected):
    """A figure beside that of another time; the answer may be one row with both, or two findings."""

    before: float
    now: float

    def fulfilled(self, answer: Answer) -> bool:
        rows = [row for one in answer.found for row in one.rows[:1]]
        if "value_before" in rows[0]:
            return same(rows[0]["value_before"], self.before) and same(rows[0]["value"], self.now)
        told = [row.get("value") for row in rows]
        pairs = (self.before, self.now), (self.now, self.before)
        return len(told) == 2 and any(all(map(same, told, pair)) for pair in pairs)


@dataclass(frozen=True)
class Table(Expected):
    """A figure for each value of a split, or for the first of them in their order.

    Attributes:
        values: Every value of the split with its figure.
        order: `desc` or `asc`; empty where none is asked for.
        limit: How many rows are asked for.
        column: The figure's name.
    """

    values: Mapping[str, float]
    order: str = ""
    limit: int | None = None
    column: str = "value"

    def fulfilled(self, answer: Answer) -> bool:
        found = answer.found[0]
        told = [(_named(row, self.values), row.get(self.column)) for row in found.rows]
        if not self.order:  # a month in which nothing was
            told = [one for one in told if one[0] is not None or one[1]]
        if any(name is None or not same(self.values[name], value) for name, value in told):
            return False
        if not self.order:
            return {name for name, _ in told} == {*self.values} and len(told) == len(self.values)
        limit = None if self.limit == 1 and len(told) == len(self.values) else self.limit  # all of them, in their order
        right = sorted(self.values.values(), reverse=self.order == "desc")[:limit]
        return len(told) == min(len(right), len(found.rows)) and all(
            same(value, other) for (_, value), other in zip(told, right, strict=False)
        )


@dataclass(frozen=True)
class Keys(Expected):
    """A list of records.

    Attributes:
        keys: Of which.
        values: The figure by which the first ones are chosen, by key, where only some are asked for.
        limit: How many are asked for.
        reverse: Whether the largest come first.
    """

    keys: frozenset[str]
    values: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    reverse: bool = True

    def fulfilled(self, answer: Answer) -> bool:
        found = next((one for one in answer.found if one.field("lead_id") or one.field("customer_id")), None)
        if found is None:
            return not self.keys and not any(one.rows for one in answer.found)
        column = "lead_id" if found.field("lead_id") else "customer_id"
        told = [row[column] for row in found.rows]
        if self.limit is None:
            return found.count == len(self.keys) and {*told} <= self.keys and len(set(told)) == len(told)
        right = sorted(self.values.values(), reverse=self.reverse)[: self.limit]
        return len(told) == len(right) and all(
            key in self.values and same(self.values[key], value) for key, value in zip(told, right, strict=True)
        )


@dataclass(frozen=True)
class PerGroup(Expected):
    """For each group its first records.

    Attributes:
        best: Keys that are right for a group: those of its largest value, more than one where they tie.
        limit: How many of each.
    """

    best: Mapping[str, Sequence[str]]
    limit: int = 1

    def fulfilled(self, answer: Answer) -> bool:
        found = answer.found[0]
        told: dict[str, list[str]] = {}
        for row in found.rows:
            name = _named(row, self.best)
            if name is None or row.get("lead_id") not in self.best[name]:
                return False
            told.setdefault(name, []).append(row["lead_id"])
        return found.count >= len(self.best) and all(len(set(keys)) == len(keys) for keys in told.values())


@dataclass(frozen=True)
class Fact(Expected):
    """A value that one row has."""

    value: Any
    column: str

    def fulfilled(self, answer: Answer) -> bool:
        return any(same(_day(row.get(self.column)), self.value) for one in answer.found for row in one.rows)


@dataclass(frozen=True)
class YesNo(Expected):
    """Yes or no, with the figures."""

    yes: bool
    values: Mapping[str, float]

    def fulfilled(self, answer: Answer) -> bool:
        first = answer.text.split("\n")[0]
        told = sorted(float(row["value"]) for one in answer.found for row in one.rows if row.get("value") is not None)
        figures = len(told) == len(self.values) and all(map(same, told, sorted(self.values.values())))
        return first == ("Yes." if self.yes else "No.") and figures


@dataclass(frozen=True)
class Any_(Expected):  # noqa: N801 - one of several
    """One of several readings."""

    readings: Sequence[Expected]

    def fulfilled(self, answer: Answer) -> bool:
        return any(one.fulfilled(answer) for one in self.readings)


@dataclass(frozen=True)
class Refused(Expected):
    """It must be declined: what is asked for is not there, or not for who asks."""

    def fulfilled(self, answer: Answer) -> bool:
        return bool(answer.declined)


def judged(answer: Answer, expected: Expected, truth: Truth) -> str:
    """Exact, declined with an offer, wrong or leaked."""
    shown = " ".join([answer.text, answer.declined, *answer.closest, *answer.notes, *map(str, answer.receipts)])
    if truth.leaked(shown) - truth.leaked(answer.question):
        return LEAKED
    if answer.declined:
        right = isinstance(expected, Refused)
        return EXACT if right and answer.closest else WRONG if not answer.closest else DECLINED
    try:
        return EXACT if expected.fulfilled(answer) else WRONG
    except (IndexError, KeyError, TypeError, ValueError):
        return WRONG


def _named(row: Mapping[str, Any], names: Mapping[str, Any]) -> str | None:
    """Which of some names a row is about."""
    return next((text for value in row.values() if (text := _day(value)) in names), None)


def _day(value: Any) -> Any:
    return value.isoformat()[:10] if hasattr(value, "isoformat") else value
