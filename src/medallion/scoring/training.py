"""Training on snapshots: split by time, tune on a later slice, test on a still later one, promote on evidence."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from medallion.scoring.evaluation import Figures, Gain, figures, gain, losses, reliability, segments
from medallion.scoring.matrix import Floats
from medallion.scoring.models import (
    PENALTIES,
    USUAL_PENALTY,
    BandRates,
    Boosted,
    Logistic,
    Model,
    newton,
    sigmoid,
)  # fmt: skip
from medallion.scoring.readiness import INSTEAD, NotReadyError
from medallion.weights import ScoreWeights

#: Share of the cutoffs, the latest, that are kept for the test, and again of the rest for tuning.
LATER = 0.2
#: Snapshots of each outcome that the test needs for its figures to mean anything, and that a calibrator needs.
LEAST_TEST, LEAST_CALIBRATION = 10, 500
#: Tiers of scores, at most, and snapshots that one needs.
TIERS, TIER_ROWS = 10, 100


@dataclass(frozen=True)
class Calibrator:
    """Platt's line on the log odds: `a + b * margin`."""

    a: float = 0.0
    b: float = 1.0

    def __call__(self, margins: Floats) -> Floats:
        """Calibrated probabilities."""
        return sigmoid(self.a + self.b * margins)

    @classmethod
    def fit(cls, margins: Floats, won: Floats) -> Calibrator:
        """Learn the line."""
        weights, intercept = newton(margins[:, None], won, 1e6)
        return cls(intercept, float(weights[0]))


@dataclass(frozen=True)
class Split:
    """Rows by time: those to learn from, with their own earlier and later part, and those to test on."""

    train: NDArray[np.bool_]
    earlier: NDArray[np.bool_]
    later: NDArray[np.bool_]
    test: NDArray[np.bool_]
    test_from: datetime
    train_to: datetime


@dataclass
class Candidate:
    """A model as it did on the test: learned from the training part only."""

    model: Model
    calibrator: Calibrator
    settings: dict[str, Any]
    forecast: Floats
    figures: Figures
    gain: Gain | None = None


@dataclass
class Learned:
    """The outcome of a training."""

    champion: str
    model: Model
    calibrator: Calibrator
    tiers: list[dict[str, float]]
    candidates: dict[str, Candidate]
    evaluation: dict[str, Any] = field(default_factory=dict)


def cutoffs_of(rows: pa.Table) -> NDArray[np.datetime64]:
    """The cutoff of every row."""
    return np.asarray(rows["cutoff"].cast(pa.timestamp("us")).to_numpy(), dtype="datetime64[us]")


def split(rows: pa.Table, horizon_days: int) -> Split:
    """Split by cutoff so that no label of one part reaches into the next.

    Raises:
        NotReadyError: The deals cover too short a time, or a part would have deals of one outcome only.
    """
    at = cutoffs_of(rows)
    every = np.unique(at)
    gap = np.timedelta64(horizon_days, "D")
    won = rows["won"].to_numpy()

    def cut(among: NDArray[np.datetime64]) -> tuple[np.datetime64, NDArray[np.bool_]]:
        start = among[len(among) - max(1, round(len(among) * LATER))]
        return start, (at <= start - gap)

    if not len(every):
        raise NotReadyError("Too little to learn from: no deal was open at any cutoff", INSTEAD)
    test_from, train = cut(every)
    test = at >= test_from
    days = int((every[-1] - every[0]).astype("timedelta64[D]").astype(int))
    for part, name in ((train, "learn from"), (test, "test on")):
        ends = int(won[part].sum()), int(part.sum() - won[part].sum())
        if min(ends) < LEAST_TEST:
            raise NotReadyError(
                f"Too little to learn from: the deals cover {days + horizon_days} days, which leaves {ends[0]} won and "
                f"{ends[1]} other snapshots to {name}, at least {LEAST_TEST} of each are needed",
                INSTEAD,
            )
    tune_from, earlier = cut(np.unique(at[train]))
    later = train & (at >= tune_from)
    if not all(min(won[p].sum(), p.sum() - won[p].sum()) >= LEAST_TEST for p in (earlier, later)):
        earlier, later = np.zeros_like(train), np.zeros_like(train)
    return Split(train, earlier, later, test, _datetime(test_from), _datetime(at[train].max()))


def _datetime(value: np.datetime64) -> datetime:
    converted: datetime = value.astype("datetime64[us]").item()
    return converted


def learn(rows: pa.Table, horizon_days: int, kinds: Sequence[str], weights: ScoreWeights, seed: int) -> Learned:
    """Train the champion and its challengers, judge them on later deals, and train the best again on everything.

    Args:
        rows: Labelled snapshots.
        horizon_days: Length of the horizon.
        kinds: Models that may be tried beside the rules.
        weights: Of the rule score.
        seed: Of everything drawn.

    Raises:
        NotReadyError: There is too little, or nothing that differs.
    """
    rows = rows.sort_by([("cutoff", "ascending"), ("lead_id", "ascending")])
    parts = split(rows, horizon_days)
    won = rows["won"].to_numpy().astype(float)
    accounts = np.asarray(rows["customer_id"].to_pylist())
    test, deals = rows.filter(pa.array(parts.test)), np.asarray(rows["lead_id"].to_pylist())[parts.test]
    actual = won[parts.test]

    candidates: dict[str, Candidate] = {}
    champion = "rules"
    for kind in ("rules", *kinds):
        model, calibrator, settings = _fitted(kind, rows, won, parts, weights, seed)
        margins = model.margins(test)
        forecast = sigmoid(margins)
        if calibrator != Calibrator():
            if gain(actual, forecast, calibrator(margins), accounts[parts.test], seed).beyond_doubt:
                forecast = calibrator(margins)
            else:
                calibrator = Calibrator()
        one = Candidate(model, calibrator, settings, forecast, figures(actual, forecast))
        candidates[kind] = one
        if kind != champion:
            one.gain = gain(actual, candidates[champion].forecast, forecast, accounts[parts.test], seed)
            champion = kind if one.gain.beyond_doubt else champion
    best = candidates[champion]
    final = _fit(champion, rows, won, best.settings, weights, seed)
    shown = reliability(actual, best.forecast, deals)
    tiers = reliability(actual, best.forecast, deals, max(1, min(TIERS, len(actual) // TIER_ROWS)))
    base = np.full(len(actual), (won[parts.train].sum() + 0.5) / (parts.train.sum() + 1))
    return Learned(
        champion,
        final,
        best.calibrator,
        tiers,
        candidates,
        {
            "snapshots": {name: int(getattr(parts, name).sum()) for name in ("train", "earlier", "later", "test")},
            "deals": {"all": pc.count_distinct(rows["lead_id"]).as_py(), "test": len(np.unique(deals))},
            "won_deals_tested": len(np.unique(deals[actual > 0])),
            "first_cutoff": _datetime(cutoffs_of(rows).min()).isoformat(),
            "train_until": parts.train_to.isoformat(),
            "test_from": parts.test_from.isoformat(),
            "last_cutoff": _datetime(cutoffs_of(rows).max()).isoformat(),
            "base_rate": asdict(figures(actual, base)),
            "candidates": {
                kind: {
                    **asdict(one.figures),
                    "settings": one.settings,
                    "calibrator": asdict(one.calibrator),
                    "gain": None if one.gain is None else asdict(one.gain),
                }
                for kind, one in candidates.items()
            },
            "champion": champion,
            "grouped_by_account": asdict(_grouped(champion, rows, won, parts, accounts, best, weights, seed)),
            "reliability": shown,
            "segments": segments(test, actual, best.forecast),
        },
    )


def _fitted(
    kind: str, rows: pa.Table, won: Floats, parts: Split, weights: ScoreWeights, seed: int
) -> tuple[Model, Calibrator, dict[str, Any]]:
    """A model learned from the training part, its settings and a calibrator learned from the later slice of it."""
    settings: dict[str, Any] = {}
    calibrator = Calibrator()
    if kind != "rules" and parts.later.any():
        earlier, later = rows.filter(pa.array(parts.earlier)), rows.filter(pa.array(parts.later))
        early, late = won[parts.earlier], won[parts.later]
        if kind == "logistic":
            tried = {penalty: Logistic.fit(earlier, early, penalty) for penalty in PENALTIES}
            loss = {penalty: losses(late, sigmoid(one.margins(later))).mean() for penalty, one in tried.items()}
            settings["penalty"] = min(PENALTIES, key=lambda penalty: loss[penalty])
            model: Model = tried[settings["penalty"]]
        else:
            trees = Boosted.fit(earlier, early, seed, None, (later, late))
            settings["rounds"], model = trees.rounds, trees
        # learned where the model was not, and kept only where it helps on the test, later still
        if min(len(late) - late.sum(), late.sum()) >= LEAST_CALIBRATION:
            calibrator = Calibrator.fit(model.margins(later), late)
    return (
        _fit(kind, rows.filter(pa.array(parts.train)), won[parts.train], settings, weights, seed),
        calibrator,
        settings,
    )


def _fit(kind: str, rows: pa.Table, won: Floats, settings: dict[str, Any], weights: ScoreWeights, seed: int) -> Model:
    if kind == "rules":
        return BandRates.fit(rows, won, weights.bands, weights.prior_leads)
    if kind == "logistic":
        return Logistic.fit(rows, won, settings.get("penalty", USUAL_PENALTY))
    return Boosted.fit(rows, won, seed, settings.get("rounds"))


def _grouped(
    kind: str,
    rows: pa.Table,
    won: Floats,
    parts: Split,
    accounts: NDArray[Any],
    best: Candidate,
    weights: ScoreWeights,
    seed: int,
) -> Figures:
    """Figures on the same later deals when a model has never seen a deal of their accounts: two halves, in turn."""
    half = np.array([zlib.crc32(str(account).encode()) % 2 for account in accounts], dtype=bool)
    forecast = np.full(len(won), float(won[parts.train].mean()))
    for side in (half, ~half):
        train, test = parts.train & side, parts.test & ~side
        if 0 < won[train].sum() < train.sum() and test.any():
            model = _fit(kind, rows.filter(pa.array(train)), won[train], best.settings, weights, seed)
            forecast[test] = best.calibrator(model.margins(rows.filter(pa.array(test))))
    return figures(won[parts.test], forecast[parts.test])
