"""What a feature is, and the moment it is computed for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from pyspark.sql import Column
from pyspark.sql import functions as F

from medallion.contracts import Column as Declared
from medallion.weights import ScoreWeights


@dataclass(frozen=True)
class Moment:
    """The moment that features describe: everything strictly before `as_of` (UTC) has happened.

    What was known at some time is for `medallion.silver.rewind` to say, of the tables that features are computed from.
    """

    as_of: datetime
    weights: ScoreWeights = field(default_factory=ScoreWeights)

    @property
    def day(self) -> date:
        """The last day that has begun before `as_of`; ages in days are counted back from it."""
        return (self.as_of - timedelta(microseconds=1)).date()

    @property
    def instant(self) -> Column:
        """`as_of` as a timestamp literal."""
        return F.lit(self.as_of.isoformat(sep=" ")).cast("timestamp")

    @property
    def today(self) -> Column:
        """`day` as a date literal."""
        return F.lit(self.day.isoformat()).cast("date")

    def days_since(self, moment: Column) -> Column:
        """Whole days from the date of `moment` to `day`."""
        return F.datediff(self.today, moment.cast("date"))


FeatureFunction = Callable[[Moment], Column]


@dataclass(frozen=True)
class Feature:
    """One column of `gold.customer_features`. Its definition is its function's docstring."""

    name: str
    source: str
    type: str
    unit: str
    column: FeatureFunction
    definition: str

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

    def columns(self, moment: Moment) -> list[Column]:
        """All features as named columns of their type."""
        return [feature.column(moment).cast(feature.type).alias(feature.name) for feature in self]
