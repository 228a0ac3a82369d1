"""Scoring: a trained model as a function on Arrow batches, the same on every engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from medallion.contracts import Column, Table
from medallion.scoring import models
from medallion.scoring.matrix import Floats
from medallion.scoring.models import Model
from medallion.scoring.reasons import reasons
from medallion.scoring.training import Calibrator

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
        Column("tier", "bigint", "Tier of the forecast, 1 for the lowest."),
        Column("model_version", "string", "The model."),
        Column("horizon_days", "bigint", "Horizon."),
        Column("reasons_up", "array<string>", "Reasons for the deal."),
        Column("reasons_down", "array<string>", "Reasons against it."),
    ),
)
#: What scoring gives per deal; the interval comes from the tested deals of the same tier.
SCHEMA = ", ".join(f"{column.name} {column.type}" for column in WORK.columns)


@dataclass(frozen=True)
class Scorer:
    """A registered model, ready to score; everything in it is text, numbers or bytes, so that workers can be sent it.

    Attributes:
        version: Name of the model in its registry.
        kind: logistic or xgboost.
        document: What the model dumped.
        trees: Its trees, or None.
        calibrator: `a` and `b` of the line on the log odds.
        tiers: Tiers from the lowest forecast to the highest, as `evaluation.reliability` gives them.
        horizon_days: Horizon of the probability.
        trained_on: Where the model's deals came from, in words.
    """

    version: str
    kind: str
    document: Mapping[str, Any]
    trees: bytes | None
    calibrator: tuple[float, float]
    tiers: Sequence[Mapping[str, float]]
    horizon_days: int
    trained_on: str = ""

    @cached_property
    def model(self) -> Model:
        """The model itself."""
        return models.load(self.kind, self.document, self.trees)

    def probabilities(self, rows: pa.Table | pa.RecordBatch) -> Floats:
        """P(won within the horizon) per row."""
        return Calibrator(*self.calibrator)(self.model.margins(rows))

    def predict_proba(self, rows: Any) -> Floats:
        """Probabilities of not winning and of winning, n by 2, as scikit-learn gives them.

        Args:
            rows: Snapshots, as an Arrow table or a pandas DataFrame.
        """
        table = rows if isinstance(rows, (pa.Table, pa.RecordBatch)) else pa.Table.from_pandas(rows)
        won = self.probabilities(table)
        return np.column_stack([1 - won, won])

    def tier(self, probability: Floats) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Tier per probability, 1 for the lowest."""
        starts = [tier["from"] for tier in self.tiers[1:]]
        return np.searchsorted(starts, probability, side="right") + 1

    def interval(self, probability: Floats) -> tuple[Floats, Floats]:
        """90% interval around the forecast, which is always inside.

        The tested deals of a tier tell how far its forecasts may lie from the share that is won: from the lower to the
        upper end of their own interval, on the log odds. Where all of that is on one side, the forecasts of the tier
        were off on the test; the forecast itself was not corrected for that, so the interval reaches from it to them.
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
        margins, effects = self.model.both(batch)
        probability = np.round(Calibrator(*self.calibrator)(margins), 6)
        tier = self.tier(probability)
        low, high = self.interval(probability)
        up, down = reasons(batch, self.model.names, effects)
        count = batch.num_rows
        return pa.RecordBatch.from_arrays(
            [
                batch.column("lead_id"),
                batch.column("customer_id"),
                pa.array(probability),
                pa.array(low, pa.float64()),
                pa.array(high, pa.float64()),
                pa.array(tier, pa.int64()),
                pa.repeat(pa.scalar(self.version), count),
                pa.repeat(pa.scalar(self.horizon_days, pa.int64()), count),
                up,
                down,
            ],
            names=list(WORK.column_names),
        )


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
