"""Scoring: a trained model as a function on Arrow batches, the same on every engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from medallion.contracts import Column, Table
from medallion.scoring import hazards, models
from medallion.scoring.calibration import Calibration
from medallion.scoring.hazards import MARGINS, Curves, edges
from medallion.scoring.matrix import Floats
from medallion.scoring.models import Model, logit
from medallion.scoring.reasons import reasons
from medallion.scoring.signals import Own

#: Table of the scores of one run, gone when it ends.
WORK = Table(
    name="ops.scored_leads",
    grain="one row per open deal",
    description="Scores of the run at work.",
    key=("lead_id",),
    columns=(
        Column("lead_id", "string", "The deal."),
        Column("customer_id", "string", "Its account."),
        Column("probability", "double", "P(won within the horizon)."),
        Column("probability_low", "double", "Lower end of the interval of its tier."),
        Column("probability_high", "double", "Upper end of the interval of its tier."),
        Column("probability_lost", "double", "P(lost within the horizon)."),
        Column("won_by", "array<double>", "P(won by the end of each period)."),
        Column("lost_by", "array<double>", "P(lost by the end of each period)."),
        Column("close_date", "date", "Day by which half of such deals are won, of those that are."),
        Column("close_date_low", "date", "Day by which a tenth of them are."),
        Column("close_date_high", "date", "Day by which nine tenths of them are."),
        Column("tier", "bigint", "Tier of the forecast, 1 for the lowest."),
        Column("model_version", "string", "The model."),
        Column("horizon_days", "bigint", "Horizon."),
        Column("reasons_up", "array<string>", "Reasons for the deal."),
        Column("reasons_down", "array<string>", "Reasons against it."),
    ),
)
#: What scoring gives per deal; the interval comes from the tested deals of the same tier.
SCHEMA = ", ".join(f"{column.name} {column.type}" for column in WORK.columns)
#: Shares of the wins by which the close date and the ends of its interval are told.
_CLOSED = (0.5, 0.1, 0.9)
#: Step of a margin by which its slope is measured, and places on the way from the average deal to a deal.
_STEP, _PLACES = 1e-3, 8


@dataclass(frozen=True)
class Scorer:
    """A registered model, ready to score; everything in it is text, numbers or bytes, so that workers can be sent it.

    Attributes:
        version: Name of the model in its registry.
        kind: logistic or xgboost.
        document: What the model dumped.
        trees: Its trees, or None.
        calibration: What makes its margins calibrated probabilities.
        tiers: Tiers from the lowest forecast to the highest, as `evaluation.reliability` gives them.
        horizon_days: Horizon of the probability.
        trained_on: Where the model's deals came from, in words.
        own: Signals of a contract among those it learned from.
        typical: Medians of won deals that reasons compare with.
    """

    version: str
    kind: str
    document: Mapping[str, Any]
    trees: bytes | None
    calibration: Calibration
    tiers: Sequence[Mapping[str, float]]
    horizon_days: int
    trained_on: str = ""
    own: tuple[Own, ...] = ()
    typical: Mapping[str, float] = field(default_factory=dict)

    @property
    def edges(self) -> tuple[int, ...]:
        """Beginning of the first period and the end of each, in days."""
        return edges(self.horizon_days)

    @cached_property
    def model(self) -> Model:
        """The model itself."""
        return models.load(self.kind, self.document, self.trees, len(self.edges) - 1)

    def curves(self, rows: pa.Table | pa.RecordBatch) -> Curves:
        """P(won by t) and P(lost by t) per row."""
        return self._curves(self.model.margins(rows))

    def _curves(self, margins: Floats) -> Curves:
        return self.calibration.curves(self.model.base, margins, self.edges, self.horizon_days)

    def probabilities(self, rows: pa.Table | pa.RecordBatch) -> Floats:
        """P(won within the horizon) per row."""
        return self.curves(rows).at(self.horizon_days)[0]

    def predict_proba(self, rows: Any) -> Floats:
        """Probabilities of not winning and of winning, n by 2, as scikit-learn gives them.

        Args:
            rows: Snapshots, as an Arrow table or a pandas DataFrame.
        """
        table = rows if isinstance(rows, (pa.Table, pa.RecordBatch)) else pa.Table.from_pandas(rows)
        won = self.probabilities(table)
        return np.column_stack([1 - won, won])

    def contributions(self, rows: pa.Table | pa.RecordBatch, *, exact: bool = False) -> Floats:
        """What each signal adds to the log odds of a win within the horizon: rows by the names of the model.

        Args:
            rows: Snapshots.
            exact: Add up to the whole difference from a deal whose signals are all average (Aumann and Shapley 1974),
                instead of following the slope at the deal.
        """
        margins = self.model.margins(rows)
        if not exact or not len(margins):
            return self.model.effects(rows, self._slopes(margins))
        added = np.empty_like(margins)
        for margin in range(MARGINS):
            unit = np.zeros_like(margins)
            unit[:, margin] = 1.0
            added[:, margin] = self.model.effects(rows, unit, exact=True).sum(axis=1)
        places, weights = np.polynomial.legendre.leggauss(_PLACES)
        slopes = np.zeros_like(margins)
        for place, weight in zip(places, weights, strict=True):
            slopes += weight / 2.0 * self._slopes(margins - added * (1.0 - (place + 1.0) / 2.0))
        return self.model.effects(rows, slopes, exact=True)

    def _log_odds(self, margins: Floats) -> Floats:
        within = self.edges.index(self.horizon_days)
        curves = hazards.curves(self.model.base, self.calibration.margins(margins), self.edges, within)
        return logit(self.calibration.within(curves.won[:, -1]))

    def _slopes(self, margins: Floats) -> Floats:
        """How much the log odds of a win within the horizon change with each margin."""
        slopes = np.empty_like(margins)
        for margin in range(MARGINS):
            step = np.zeros(MARGINS)
            step[margin] = _STEP
            slopes[:, margin] = (self._log_odds(margins + step) - self._log_odds(margins - step)) / (2 * _STEP)
        return slopes

    def tier(self, probability: Floats) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Tier per probability, 1 for the lowest."""
        starts = [tier["from"] for tier in self.tiers[1:]]
        return np.searchsorted(starts, probability, side="right") + 1

    def interval(self, probability: Floats) -> tuple[Floats, Floats]:
        """90% interval around the forecast, which is always inside.

        The deals of a tier that the model had not seen tell how far its forecasts may lie from the share that is won:
        from the lower to the upper end of their own interval, on the log odds. Where all of that is on one side, the
        interval reaches from the forecast to it.
        """
        tier = self.tier(probability) - 1
        centre, low, high = (
            models.logit(np.array([t[name] for t in self.tiers])) for name in ("forecast", "low", "high")
        )
        own = models.logit(probability)
        below = models.sigmoid(own + np.minimum(low - centre, 0.0)[tier])
        above = models.sigmoid(own + np.maximum(high - centre, 0.0)[tier])
        # rounded as the forecast is; of one that is not rounded, the last digit must not exclude it
        return np.minimum(np.round(below, 6), probability), np.maximum(np.round(above, 6), probability)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Scores of a batch of snapshots, columns as in `SCHEMA`; reasons by the fast approximation."""
        curves = self._curves(self.model.margins(batch))
        won, lost = (np.round(part, 6) for part in (curves.won, curves.lost))
        within = self.edges.index(self.horizon_days) - 1
        probability = won[:, within]
        tier = self.tier(probability)
        low, high = self.interval(probability)
        up, down = reasons(batch, self.model.names, self.contributions(batch), self.own, self.typical)
        count = batch.num_rows
        columns = {
            "lead_id": batch.column("lead_id"),
            "customer_id": batch.column("customer_id"),
            "probability": pa.array(probability),
            "probability_low": pa.array(low, pa.float64()),
            "probability_high": pa.array(high, pa.float64()),
            "probability_lost": pa.array(lost[:, within]),
            "won_by": _lists(won),
            "lost_by": _lists(lost),
            **dict(zip(("close_date", "close_date_low", "close_date_high"), close_dates(batch, curves), strict=True)),
            "tier": pa.array(tier, pa.int64()),
            "model_version": pa.repeat(pa.scalar(self.version), count),
            "horizon_days": pa.repeat(pa.scalar(self.horizon_days, pa.int64()), count),
            "reasons_up": up,
            "reasons_down": down,
        }
        return pa.RecordBatch.from_arrays([columns[name] for name in WORK.column_names], names=list(WORK.column_names))


def _lists(values: Floats) -> pa.Array:
    width = values.shape[1]
    return pa.ListArray.from_arrays(pa.array(np.arange(0, values.size + 1, width, dtype=np.int32)), values.ravel())


def close_dates(rows: pa.Table | pa.RecordBatch, curves: Curves) -> list[pa.Array]:
    """Days by which half, a tenth and nine tenths of such deals are won, of those that are won within the last period."""
    days = [np.minimum(curves.days_until(share), curves.edges[-1] - 1e-6) for share in _CLOSED]
    first = pc.cast(rows.column("cutoff"), pa.date32())
    first = first.combine_chunks() if isinstance(first, pa.ChunkedArray) else first
    return [
        pa.array(first.cast(pa.int32()).to_numpy() + np.floor(d).astype(np.int32), pa.int32()).cast(pa.date32())
        for d in days
    ]


def scored(snapshots: DataFrame, scorer: Scorer) -> DataFrame:
    """Scores of open deals at one cutoff, columns as in `SCHEMA`.

    Args:
        snapshots: What `snapshots.snapshots` gives.
        scorer: The model.
    """
    return snapshots.mapInArrow(_on_batches(scorer), SCHEMA)


def _on_batches(scorer: Scorer) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                yield scorer(batch)

    return score
