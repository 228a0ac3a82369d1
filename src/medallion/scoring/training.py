"""Training on snapshots: split by time, tune and calibrate on later blocks, test on still later deals, promote on evidence.

Every part is learned from as if its end were today: what came after it counts as not known yet. So no outcome reaches
from one part into the next, and what is still open is learned from as far as it was observed.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from medallion.scoring import calibration as calibrating
from medallion.scoring import hazards
from medallion.scoring.calibration import Calibration, Held, won_within
from medallion.scoring.evaluation import Figures, Gain, figures, gain, reliability, segments
from medallion.scoring.hazards import Outcomes
from medallion.scoring.matrix import Floats
from medallion.scoring.models import (
    DEPTHS,
    PENALTIES,
    USUAL_DEPTH,
    USUAL_PENALTY,
    USUAL_ROUNDS,
    BandRates,
    Boosted,
    Logistic,
    Model,
)
from medallion.scoring.readiness import INSTEAD, NotReadyError
from medallion.scoring.signals import Kind
from medallion.weights import ScoreWeights

#: Share of the cutoffs, the latest, that are kept for the test.
LATER = 0.2
#: Blocks of time before the test, over which settings are chosen and calibrated, and the share of cutoffs they cover.
BLOCKS, IN_BLOCKS = 3, 0.6
#: Snapshots of each outcome that a part needs for its figures to mean anything.
LEAST_TEST = 10
#: Tiers of scores, at most, and deals that one needs.
TIERS, TIER_DEALS = 10, 100
#: Days after a score at which monitoring compares it with what came, long before the horizon is over.
SHORT_DAYS = (14, 21)
#: Snapshots at most that settings are tried on, and that trees learn from.
MOST_TRIED, MOST_FOR_TREES = 40_000, 200_000

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Block:
    """A block of time: rows to learn from, as they were known when it begins, and the rows of the block itself."""

    begins: np.datetime64
    earlier: Mask
    later: Mask


@dataclass(frozen=True)
class Split:
    """Rows by time.

    Attributes:
        train: Rows before the test, learned from as if it were `test_from`.
        test: The last rows whose horizon is over.
        blocks: Blocks of time within `train`, the earliest first.
    """

    train: Mask
    test: Mask
    blocks: list[Block]
    test_from: datetime
    train_to: datetime


@dataclass
class Candidate:
    """A model as it did on the test: learned from the training part only."""

    settings: dict[str, Any]
    forecast: Floats
    figures: Figures
    gain: Gain | None = None
    model: Model | None = None
    calibration: Calibration = field(default_factory=Calibration)
    held: list[tuple[Model, Mask]] = field(default_factory=list)


@dataclass
class Learned:
    """The outcome of a training."""

    champion: str
    model: Model | None
    calibration: Calibration
    tiers: list[dict[str, float]]
    candidates: dict[str, Candidate]
    evaluation: dict[str, Any] = field(default_factory=dict)
    unrest: dict[int, tuple[float, float]] = field(default_factory=dict)


def cutoffs_of(rows: pa.Table) -> NDArray[np.datetime64]:
    """The cutoff of every row."""
    return np.asarray(rows["cutoff"].cast(pa.timestamp("us")).to_numpy(), dtype="datetime64[us]")


def known_at(outcomes: Outcomes, at: NDArray[np.datetime64], when: np.datetime64) -> Outcomes:
    """What was known of rows at a time: periods that were over by then, and nothing later."""
    return outcomes.known_after((when - at) / np.timedelta64(1, "D"))


def split(rows: pa.Table, horizon_days: int) -> Split:
    """Split by cutoff.

    Raises:
        NotReadyError: The deals cover too short a time, or a part would have deals of one outcome only.
    """
    at, outcomes = cutoffs_of(rows), Outcomes.of(rows, horizon_days)
    within = outcomes.within(horizon_days)
    over = outcomes.seen >= within
    every = np.unique(at[over])
    if not len(every):
        raise NotReadyError("Too little to learn from: no deal was open at a cutoff whose horizon is over", INSTEAD)
    test_from = every[len(every) - max(1, round(len(every) * LATER))]
    test = over & (at >= test_from)
    train = known_at(outcomes, at, test_from).seen > 0
    won = won_within(outcomes, horizon_days) > 0
    days = int((every[-1] - every[0]).astype("timedelta64[D]").astype(int))
    learned = known_at(outcomes, at, test_from).take(train).counts()
    for ends, name in (
        ((learned[0], int(train.sum()) - learned[0]), "learn from"),
        ((int(won[test].sum()), int((~won[test]).sum())), "test on"),
    ):
        if min(ends) < LEAST_TEST:
            raise NotReadyError(
                f"Too little to learn from: the deals cover {days + horizon_days} days, which leaves {ends[0]} won and "
                f"{ends[1]} other snapshots to {name}, at least {LEAST_TEST} of each are needed",
                INSTEAD,
            )
    blocks = _blocks(at, outcomes, train, test_from)
    return Split(train, test, blocks, _datetime(test_from), _datetime(at[train].max()))


def _blocks(at: NDArray[np.datetime64], outcomes: Outcomes, train: Mask, test_from: np.datetime64) -> list[Block]:
    """Blocks of the last cutoffs before the test; only those with deals of both outcomes before and in them."""
    every = np.unique(at[train])
    late = every[len(every) - round(len(every) * IN_BLOCKS) :]
    blocks = []
    for part in np.array_split(late, BLOCKS):
        if not len(part):
            continue
        begins = part[0]
        earlier = known_at(outcomes, at, begins).seen > 0
        later = train & (at >= begins) & (at <= part[-1])
        counts = (
            known_at(outcomes, at, when).take(which).counts() for when, which in ((begins, earlier), (test_from, later))
        )
        if all(won >= LEAST_TEST and lost >= LEAST_TEST for won, lost in counts):
            blocks.append(Block(begins, earlier, later))
    return blocks


def _datetime(value: np.datetime64) -> datetime:
    converted: datetime = value.astype("datetime64[us]").item()
    return converted


def learn(
    rows: pa.Table,
    horizon_days: int,
    kinds: Sequence[str],
    weights: ScoreWeights,
    seed: int,
    signals: Mapping[str, Kind] | None = None,
) -> Learned:
    """Train the champion and its challengers, judge them on later deals, and train the best again on everything.

    Args:
        rows: Labelled snapshots.
        horizon_days: Length of the horizon.
        kinds: Models that may be tried beside the rules.
        weights: Of the rule score.
        seed: Of everything drawn.
        signals: Those to learn from, each with its kind; all that every lakehouse has when None.

    Raises:
        NotReadyError: There is too little, or nothing that differs.
    """
    from threadpoolctl import threadpool_limits

    # threads would wait for each other over matrices this small, and add in another order
    with threadpool_limits(1, "blas"):
        return _learn(rows, horizon_days, kinds, weights, seed, signals)


def _learn(
    rows: pa.Table,
    horizon_days: int,
    kinds: Sequence[str],
    weights: ScoreWeights,
    seed: int,
    signals: Mapping[str, Kind] | None = None,
) -> Learned:
    rows = rows.sort_by([("cutoff", "ascending"), ("lead_id", "ascending")])
    work = _Learning(rows, horizon_days, seed, signals)
    parts, outcomes = work.parts, work.outcomes
    test, deals = rows.filter(pa.array(parts.test)), work.deals[parts.test]
    accounts = _accounts(test)
    actual = won_within(outcomes, horizon_days)[parts.test]

    before = work.known(np.datetime64(parts.test_from), parts.train)
    over = before.seen >= before.within(horizon_days)
    trained, labels = rows.filter(pa.array(parts.train)), won_within(before, horizon_days)
    rates = BandRates.fit(trained.filter(pa.array(over)), labels[over], weights.bands, weights.prior_leads)
    forecast = rates.probabilities(test)
    candidates = {"rules": Candidate({}, forecast, figures(actual, forecast))}
    champion = "rules"
    for kind in kinds:
        candidate = work.candidate(kind, candidates.get("logistic"))
        candidates[kind] = candidate
        candidate.gain = gain(actual, candidates[champion].forecast, candidate.forecast, accounts, seed)
        champion = kind if candidate.gain.beyond_doubt else champion
    best = candidates[champion]
    base = np.full(len(actual), (labels[over].sum() + 0.5) / (over.sum() + 1))
    model, calibration, tiers = work.final(best)
    return Learned(
        champion,
        model,
        calibration,
        tiers,
        candidates,
        {
            "snapshots": {"all": len(rows), "train": int(parts.train.sum()), "test": int(parts.test.sum())},
            "blocks": [
                {
                    "begins": _datetime(b.begins).isoformat(),
                    "earlier": int(b.earlier.sum()),
                    "later": int(b.later.sum()),
                }
                for b in parts.blocks
            ],
            "deals": {"all": pc.count_distinct(rows["lead_id"]).as_py(), "test": len(np.unique(deals))},
            "won_deals_tested": len(np.unique(deals[actual > 0])),
            "first_cutoff": _datetime(cutoffs_of(rows).min()).isoformat(),
            "train_until": parts.train_to.isoformat(),
            "test_from": parts.test_from.isoformat(),
            "test_until": _datetime(cutoffs_of(test).max()).isoformat(),
            "last_cutoff": _datetime(cutoffs_of(rows).max()).isoformat(),
            "base_rate": asdict(figures(actual, base)),
            "candidates": {
                kind: {
                    **asdict(candidate.figures),
                    "settings": candidate.settings,
                    "gain": None if candidate.gain is None else asdict(candidate.gain),
                }
                for kind, candidate in candidates.items()
            },
            "champion": champion,
            "grouped_by_account": work.grouped(champion, best),
            "reliability": reliability(actual, best.forecast, deals),
            "segments": segments(test, actual, best.forecast),
        },
        work.unrest,
    )


@dataclass(frozen=True)
class Again:
    """The forecast of another recipe for the test deals of a training, what came of these, and their accounts."""

    forecast: Floats
    actual: Floats
    accounts: list[Any]


def again(
    rows: pa.Table,
    horizon_days: int,
    kind: str,
    settings: dict[str, Any],
    seed: int,
    signals: Mapping[str, Kind] | None = None,
) -> Again:
    """What a kind and settings that were chosen before make of the same rows.

    Args:
        rows: As for `learn`.
        horizon_days: Length of the horizon.
        kind: logistic or xgboost.
        settings: Of the recipe.
        seed: Of everything drawn.
        signals: As for `learn`.
    """
    rows = rows.sort_by([("cutoff", "ascending"), ("lead_id", "ascending")])
    work = _Learning(rows, horizon_days, seed, signals)
    models = [(work.fit(kind, settings, block.earlier, block.begins), block.later) for block in work.parts.blocks]
    candidate = work.tested(kind, settings, models)
    test = rows.filter(pa.array(work.parts.test))
    return Again(candidate.forecast, won_within(work.outcomes, horizon_days)[work.parts.test], _accounts(test))


def _accounts(rows: pa.Table) -> list[Any]:
    """The account of each row, by which evidence is drawn; the deal where all rows are of one account."""
    accounts: list[Any] = rows["customer_id"].to_pylist()
    return accounts if len(set(accounts)) > 1 else rows["lead_id"].to_pylist()


class _Learning:
    def __init__(self, rows: pa.Table, horizon_days: int, seed: int, signals: Mapping[str, Kind] | None = None) -> None:
        self.signals = signals
        self.rows, self.horizon, self.seed = rows, horizon_days, seed
        self.outcomes, self.at = Outcomes.of(rows, horizon_days), cutoffs_of(rows)
        self.parts = split(rows, horizon_days)
        self.deals = np.asarray(rows["lead_id"].to_pylist())
        self.within = self.outcomes.within(horizon_days)
        self.unrest: dict[int, tuple[float, float]] = {}
        self.hashes = np.array([zlib.crc32(str(deal).encode()) for deal in self.deals], dtype=np.int64)

    def known(self, when: np.datetime64, which: Mask) -> Outcomes:
        """What was known of some rows at a time."""
        return known_at(self.outcomes, self.at, when).take(which)

    def some(self, which: Mask, most: int) -> Mask:
        """Whole deals, drawn by their hash, where there are more rows than that."""
        parts = -(-int(which.sum()) // most)
        return which & (self.hashes % parts == 0) if parts > 1 else which

    def candidate(self, kind: str, line: Candidate | None) -> Candidate:
        """A model with the settings that did best over the blocks, learned from the training part, calibrated on the blocks.

        The test has no part in it: it only judges.
        """
        return self.tested(kind, *self.tuned(kind, line))

    def tested(self, kind: str, settings: dict[str, Any], models: list[tuple[Model, Mask]]) -> Candidate:
        """A recipe learned from the training part and evaluated on the test."""
        model = self.fit(kind, settings, self.parts.train, np.datetime64(self.parts.test_from))
        calibration = self.calibrated(models)
        test = self.rows.filter(pa.array(self.parts.test))
        forecast = calibration.probabilities(model.base, model.margins(test), self.outcomes.edges, self.horizon)
        actual = won_within(self.outcomes, self.horizon)[self.parts.test]
        return Candidate(settings, forecast, figures(actual, forecast), None, model, calibration, models)

    def tuned(self, kind: str, line: Candidate | None) -> tuple[dict[str, Any], list[tuple[Model, Mask]]]:
        """Settings of least loss over the blocks, and per block the model that learned from what was known before it."""
        blocks, until = self.parts.blocks, np.datetime64(self.parts.test_from)
        penalty = line.settings["penalty"] if line is not None else USUAL_PENALTY
        settings: dict[str, Any] = {"penalty": penalty}
        if kind == "xgboost":
            settings |= {"rounds": USUAL_ROUNDS, "depth": USUAL_DEPTH}
        if not blocks:
            return settings, []
        loss: dict[tuple[Any, ...], float] = {}
        for block in blocks:
            earlier, later = self.some(block.earlier, MOST_TRIED), self.some(block.later, MOST_TRIED)
            seen, new = self.rows.filter(pa.array(earlier)), self.rows.filter(pa.array(later))
            known, came = self.known(block.begins, earlier), self.known(until, later)
            tries: dict[tuple[Any, ...], tuple[Floats, Floats]] = {}
            if kind == "logistic":
                shell = Logistic.shell(seen, self.signals)
                x, z = shell.matrix(seen), shell.matrix(new)
                for penalty in PENALTIES:
                    fitted = shell.learned(x, known, penalty)
                    tries[(penalty,)] = fitted.base, z @ fitted.weights
            else:
                fitted = Logistic.fit(seen, known, settings["penalty"], self.signals)
                for depth in DEPTHS:
                    paths = Boosted.paths(fitted, seen, known, new, self.seed, depth)
                    tries |= {(depth, rounds): path for rounds, path in paths.items()}
            for setting, (base, margins) in tries.items():
                total = float(hazards.losses(base, margins, came, self.within).sum())
                loss[setting] = loss.get(setting, 0.0) + total
        best = min(loss, key=lambda setting: (loss[setting], setting))
        if kind == "logistic":
            settings["penalty"] = best[0]
        else:
            settings |= {"depth": best[0], "rounds": best[1]}
        return settings, [(self.fit(kind, settings, block.earlier, block.begins), block.later) for block in blocks]

    def fit(self, kind: str, settings: dict[str, Any], which: Mask, when: np.datetime64) -> Model:
        """A model of some rows, from what was known of them at a time."""
        rows = self.rows.filter(pa.array(which))
        line = Logistic.fit(rows, self.known(when, which), settings["penalty"], self.signals)
        if kind == "logistic":
            return line
        some = self.some(which, MOST_FOR_TREES)
        rows, known = self.rows.filter(pa.array(some)), self.known(when, some)
        return Boosted.fit(line, rows, known, self.seed, settings["rounds"], settings["depth"])

    def held(self, models: list[tuple[Model, Mask]], until: np.datetime64) -> Held:
        """What models said of later rows, and what came of these by a time."""
        margins = [model.margins(self.rows.filter(pa.array(later))) for model, later in models]
        outcomes = [self.known(until, later) for _, later in models]
        return Held(
            [model.base for model, _ in models],
            np.concatenate(margins),
            Outcomes(
                self.outcomes.edges,
                np.concatenate([o.period for o in outcomes]),
                np.concatenate([o.won for o in outcomes]),
                np.concatenate([o.seen for o in outcomes]),
            ),
            np.concatenate([self.deals[later] for _, later in models]),
            np.repeat(np.arange(len(models)), [len(m) for m in margins]),
            np.concatenate([self.at[later] for _, later in models]),
        )

    def calibrated(self, models: list[tuple[Model, Mask]]) -> Calibration:
        """A calibration by the blocks, from what was known of them when the test begins."""
        if not models:
            return Calibration()
        held_out = self.held(models, np.datetime64(self.parts.test_from))
        return calibrating.fit(held_out, self.horizon, self.tiers(held_out))

    def tiers(self, held_out: Held) -> int:
        """Tiers that there are deals enough for."""
        over = held_out.outcomes.seen >= self.within
        return max(1, min(TIERS, len(np.unique(held_out.deals[over])) // TIER_DEALS))

    def final(self, best: Candidate) -> tuple[Model | None, Calibration, list[dict[str, float]]]:
        """The model again on everything, with a calibration and tiers by the blocks and the test."""
        if best.model is None:
            return None, Calibration(), []
        kind, end = best.model.kind, self.at.max() + np.timedelta64(36_500, "D")
        model = self.fit(kind, best.settings, np.ones(len(self.rows), dtype=bool), end)
        held_out = self.held([*best.held, (best.model, self.parts.test)], end)
        tiers = self.tiers(held_out)
        calibration = calibrating.fit(held_out, self.horizon, tiers)
        over = held_out.outcomes.seen >= self.within
        forecast = held_out.by(self.horizon, calibration, self.horizon)[0][over]
        won, deals, block = (
            won_within(held_out.outcomes, self.horizon)[over],
            held_out.deals[over],
            held_out.block[over],
        )
        wide = calibrating.spread(forecast, won, deals, block, tiers)
        self.unrest = {days: calibrating.unrest(held_out, calibration, self.horizon, days) for days in SHORT_DAYS}
        return model, calibration, reliability(won, forecast, deals, tiers, wide)

    def grouped(self, kind: str, best: Candidate) -> dict[str, Any] | None:
        """Figures on the same later deals when a model has never seen a deal of their accounts: two halves, in turn.

        None without a model, and where one half of the accounts has too little to learn from.
        """
        if best.model is None:
            return None
        accounts = self.rows["customer_id"].to_pylist()
        half = np.array([zlib.crc32(str(account).encode()) % 2 for account in accounts], dtype=bool)
        forecast = np.full(len(half), 0.0)
        for side in (half, ~half):
            train, test = self.parts.train & side, self.parts.test & ~side
            if test.any():
                try:
                    model = self.fit(kind, best.settings, train, np.datetime64(self.parts.test_from))
                except NotReadyError:
                    return None
                later = self.rows.filter(pa.array(test))
                forecast[test] = best.calibration.probabilities(
                    model.base, model.margins(later), self.outcomes.edges, self.horizon
                )
        actual = won_within(self.outcomes, self.horizon)[self.parts.test]
        return asdict(figures(actual, forecast[self.parts.test]))
