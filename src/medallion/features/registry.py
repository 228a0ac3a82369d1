"""What a feature is, and the as-of time it is computed for."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from medallion.contracts import Column as Declared
from medallion.errors import MedallionError
from medallion.weights import ScoreWeights


@dataclass(frozen=True)
class AsOf:
    """The as-of time of features, with the weights of the score: only what happened strictly before it counts.

    What was known at some time is for `medallion.silver.rewind` to say, of the tables that features are computed from.
    """

    time: datetime
    weights: ScoreWeights = field(default_factory=ScoreWeights)

    @property
    def day(self) -> date:
        """The last day that begins before `time`; ages in days are counted back from it."""
        return (self.time - timedelta(microseconds=1)).date()

    @property
    def instant(self) -> Column:
        """`time` as a timestamp literal."""
        return F.lit(self.time.isoformat(sep=" ")).cast("timestamp")

    @property
    def last_instant(self) -> Column:
        """The last timestamp before `time`, as a literal."""
        return F.lit((self.time - timedelta(microseconds=1)).isoformat(sep=" ")).cast("timestamp")

    @property
    def today(self) -> Column:
        """`day` as a date literal."""
        return F.lit(self.day.isoformat()).cast("date")

    def days_since(self, time: Column) -> Column:
        """Whole days from the date of `time` to `day`."""
        return F.datediff(self.today, time.cast("date"))


class Moment(AsOf):
    """`AsOf` by its name of version 0.1, with the parameter of then: `Moment(as_of=...)`."""

    def __init__(self, as_of: datetime, weights: ScoreWeights | None = None) -> None:
        super().__init__(as_of, weights or ScoreWeights())

    @property
    def as_of(self) -> datetime:
        """`time` by its name of version 0.1."""
        return self.time


FeatureFunction = Callable[..., Column]
#: The parameter of a feature that is given the as-of time; any other is given the column of its name.
_AS_OF = "as_of"


@dataclass(frozen=True)
class Feature:
    """One column of `gold.customer_features`. Its definition is its function's docstring.

    `reads` are the columns that it is computed from: those that its function has parameters of. A feature that
    aggregates a table has none.
    """

    name: str
    source: str
    type: str
    unit: str
    function: FeatureFunction
    definition: str

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the columns that the function is given."""
        return tuple(name for name in inspect.signature(self.function).parameters if name != _AS_OF)

    def column(self, as_of: AsOf) -> Column:
        """The feature as a column of its name and type, over rows or groups that have what it reads."""
        given: dict[str, Any] = {name: F.col(name) for name in self.reads}
        if _AS_OF in inspect.signature(self.function).parameters:
            given[_AS_OF] = as_of
        return self.function(**given).cast(self.type).alias(self.name)

    @property
    def declared(self) -> Declared:
        """The feature as a column of the table's contract."""
        return Declared(name=self.name, type=self.type, description=self.definition, unit=self.unit)


class Features(list[Feature]):
    """An ordered list of features that functions join by decorator."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source

    def add(self, type_: str, unit: str = "") -> Callable[[FeatureFunction], FeatureFunction]:
        """Register the decorated function under its own name; its docstring becomes the definition."""

        def register(function: FeatureFunction) -> FeatureFunction:
            name = function.__name__
            definition = " ".join(inspect.cleandoc(function.__doc__ or "").split())
            self.append(Feature(name, self.source, type_, unit, function, definition))
            return function

        return register

    def columns(self, as_of: AsOf) -> list[Column]:
        """All features as named columns of their type."""
        return [feature.column(as_of) for feature in self]


def in_order(features: Iterable[Feature], known: Collection[str] | None = None) -> list[list[Feature]]:
    """Features in as few steps as their reading of each other allows; those of a step read `known` and earlier ones.

    Args:
        features: Features of one row each.
        known: Columns that are there before; None when any other name is one.

    Raises:
        MedallionError: A feature reads what is no feature, or itself by way of others.
    """
    by_name = {feature.name: feature for feature in features}
    for feature in by_name.values():
        for name in feature.reads:
            if known is not None and name not in by_name and name not in known:
                near = difflib.get_close_matches(name, [*by_name, *known], 3)
                raise MedallionError(
                    f"the feature {feature.name} reads {name!r}, which is no feature",
                    f"Nearest: {', '.join(near)}." if near else "Add a feature of that name, or another parameter.",
                )
    sorter = TopologicalSorter({name: [n for n in feature.reads if n in by_name] for name, feature in by_name.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " reads ".join(reversed(error.args[1]))
        raise MedallionError(f"features read each other in a circle: {circle}", "Take one of them out.") from error
    steps = []
    while sorter.is_active():
        ready = set(sorter.get_ready())
        steps.append([feature for name, feature in by_name.items() if name in ready])
        sorter.done(*ready)
    return steps


def around(
    group: Features, reads: Collection[str], features: Iterable[Feature], known: Collection[str]
) -> tuple[list[list[Feature]], list[list[Feature]]]:
    """`in_order` before and after a group that is computed at once: what it reads comes before, what reads it after.

    Args:
        group: The group.
        reads: Features that the group reads.
        features: Features that may read each other, `known` and the group.
        known: Columns that are there before.

    Raises:
        MedallionError: As `in_order`; or the group reads what reads the group.
    """
    group_names = {feature.name for feature in group}
    steps = in_order(features, {*known, *group_names})
    late: set[str] = set()
    for step in steps:
        late |= {feature.name for feature in step if {*feature.reads} & (late | group_names)}
    if circle := sorted(late & set(reads)):
        raise MedallionError(
            f"features read each other in a circle: {circle[0]} reads by way of others {group.source}, which reads it",
            "Take one of them out.",
        )
    before = [[feature for feature in step if feature.name not in late] for step in steps]
    after = [[feature for feature in step if feature.name in late] for step in steps]
    return [step for step in before if step], [step for step in after if step]
