"""The models: band rates, a line, trees on top of it. What they learned is plain JSON or UBJSON.

Line and trees give four margins per row of snapshots, from which `hazards` makes the probability of winning and of losing
by any day. Trees add to the lasting margins of a line; with none of them they are that line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medallion.scoring import hazards
from medallion.scoring.hazards import MARGINS, Outcomes
from medallion.scoring.matrix import Encoder, Floats
from medallion.scoring.signals import Kind
from medallion.weights import Bands

#: Parameters of the trees; depth and number are chosen on later deals, block by block.
TREES: Mapping[str, Any] = {
    "eta": 0.05,
    "min_child_weight": 10,
    "subsample": 0.8,
    "colsample_bytree": 0.7,
    "lambda": 5,
    "tree_method": "hist",
    "num_class": 2,
    "base_score": 0.0,
    "disable_default_eval_metric": True,
}
DEPTHS, MOST_ROUNDS, ROUNDS_APART, USUAL_ROUNDS, USUAL_DEPTH = (2, 4), 200, 20, 60, 2
#: Strengths of the penalty on weights that later deals choose among, and the one taken without them.
PENALTIES, USUAL_PENALTY = (3.0, 30.0, 300.0), 30.0


class Model(Protocol):
    """What scoring needs of a model."""

    @property
    def kind(self) -> str:
        """Its name, `logistic` or `xgboost`."""

    @property
    def base(self) -> Floats:
        """Log odds per week of winning and of losing in each period."""

    def margins(self, rows: pa.Table | pa.RecordBatch) -> Floats:
        """Rows by 4: won, lost, and what fades of both."""

    def effects(self, rows: pa.Table | pa.RecordBatch, slopes: Floats, *, exact: bool = False) -> Floats:
        """What each signal adds to a quantity that changes by `slopes` with each margin: rows by `names`."""

    @property
    def names(self) -> list[str]:
        """Signals in use."""

    def dump(self) -> dict[str, Any]:
        """As JSON."""


def sigmoid(margins: Floats) -> Floats:
    """Probability from the logarithm of the odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(margins, -40, 40))))


def logit(probability: Floats) -> Floats:
    """Logarithm of the odds from a probability."""
    p = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(p / (1 - p)))


@dataclass(frozen=True)
class BandRates:
    """Conversion per band of the rule score, shrunk towards that of all: `(won + k*p) / (n + k)`."""

    lows: tuple[int, ...]
    rates: tuple[float, ...]

    @classmethod
    def fit(cls, rows: pa.Table, won: Floats, bands: Bands, prior: float) -> BandRates:
        """Learn the rates; `prior` is the weight of all bands together, in rows."""
        lows = (0, bands.cool, bands.warm, bands.hot)
        band = np.searchsorted(lows, _scores(rows), side="right") - 1
        n, total = np.bincount(band, minlength=4), np.bincount(band, won, minlength=4)
        base = (won.sum() + 0.5) / (len(won) + 1)
        return cls(lows, tuple(float(r) for r in (total + prior * base) / (n + prior)))

    def probabilities(self, rows: pa.Table) -> Floats:
        """P(won within the horizon) per row."""
        return np.asarray(np.array(self.rates)[np.searchsorted(self.lows, _scores(rows), side="right") - 1])


def _scores(rows: pa.Table) -> NDArray[np.int64]:
    return np.asarray(rows["lead_score"].to_numpy())


@dataclass(frozen=True)
class Logistic:
    """Hazards that are lines in standardized signals; amounts enter as log(1 + |x|) with their sign, unknown ones as average.

    Attributes:
        weights: Columns by the four margins.
    """

    encoder: Encoder
    means: Floats
    scales: Floats
    unknown: NDArray[np.bool_]
    weights: Floats
    base: Floats
    kind: str = "logistic"

    @classmethod
    def shell(cls, rows: pa.Table, kinds: Mapping[str, Kind] | None = None) -> Logistic:
        """A model that has learned the scales of its signals and no weights."""
        encoder = Encoder.fit(rows, kinds)
        x = _on_log_scale(encoder.transform(rows), encoder)
        unknown = np.asarray(np.isnan(x).any(axis=0))
        means = np.nan_to_num(np.nanmean(x, axis=0))
        scales = np.maximum(np.nan_to_num(np.nanstd(x, axis=0)), 1e-6)
        return cls(encoder, means.round(12), scales.round(12), unknown, np.zeros((0, MARGINS)), np.zeros((2, 0)))

    @classmethod
    def fit(
        cls, rows: pa.Table, outcomes: Outcomes, penalty: float, kinds: Mapping[str, Kind] | None = None
    ) -> Logistic:
        """Learn weights.

        Args:
            rows: Snapshots.
            outcomes: What is known of each.
            penalty: Strength of the quadratic penalty.
            kinds: As for `Encoder.fit`.
        """
        shell = cls.shell(rows, kinds)
        return shell.learned(shell.matrix(rows), outcomes, penalty)

    def learned(self, x: Floats, outcomes: Outcomes, penalty: float) -> Logistic:
        """With the weights that a matrix of `matrix` teaches."""
        fitted = hazards.fit(x, outcomes, penalty)
        return Logistic(self.encoder, self.means, self.scales, self.unknown, fitted.weights, fitted.base)

    @property
    def names(self) -> list[str]:
        """Signals in use."""
        return list(self.encoder.signals)

    def matrix(self, rows: pa.Table | pa.RecordBatch) -> Floats:
        """Standardized signals, then a column per signal that may be unknown."""
        x = _on_log_scale(self.encoder.transform(rows), self.encoder)
        gaps = np.isnan(x[:, self.unknown]).astype(float)
        z = np.nan_to_num((x - self.means) / self.scales, nan=0.0)
        return np.hstack([np.clip(z, -10, 10), gaps])

    def margins(self, rows: pa.Table | pa.RecordBatch) -> Floats:
        """Rows by 4."""
        return np.asarray(self.matrix(rows) @ self.weights)

    def effects(self, rows: pa.Table | pa.RecordBatch, slopes: Floats, *, exact: bool = False) -> Floats:
        """What each signal adds; always exact."""
        groups = np.concatenate([self.encoder.groups, self.encoder.groups[self.unknown]])
        return _by_signal(self.matrix(rows) * (slopes @ self.weights.T), groups, len(self.encoder.signals))

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "encoder": self.encoder.dump(),
            "means": self.means.tolist(),
            "scales": self.scales.tolist(),
            "unknown": self.unknown.tolist(),
            "weights": self.weights.tolist(),
            "base": self.base.tolist(),
        }


def _on_log_scale(x: Floats, encoder: Encoder) -> Floats:
    amounts = encoder.on_log_scale
    x[:, amounts] = np.sign(x[:, amounts]) * np.log1p(np.abs(x[:, amounts]))
    return x


def _by_signal(terms: Floats, groups: NDArray[np.int64], count: int) -> Floats:
    out = np.zeros((len(terms), count))
    for column, group in enumerate(groups):
        out[:, group] += terms[:, column]
    return out


@dataclass(frozen=True)
class Boosted:
    """Gradient-boosted trees (XGBoost) that add to the lasting margins of a line, kept as UBJSON."""

    line: Logistic
    trees: bytes
    rounds: int
    base: Floats
    kind: str = "xgboost"

    @classmethod
    def fit(cls, line: Logistic, rows: pa.Table, outcomes: Outcomes, seed: int, rounds: int, depth: int) -> Boosted:
        """Learn trees.

        Args:
            line: What they add to.
            rows: Snapshots.
            outcomes: What is known of each.
            seed: Of the samples that each tree sees.
            rounds: How many trees, for winning and for losing each.
            depth: Of each tree.
        """
        margins = line.margins(rows)
        booster = _boosted(line, rows, margins, outcomes, seed, rounds, depth)
        trees = bytes(booster.save_raw("ubj"))
        boosted = cls(line, trees, rounds, line.base)
        level = hazards.fit(np.zeros((len(margins), 0)), outcomes, 1.0, offset=boosted.margins(rows))
        return cls(line, trees, rounds, level.base)

    @staticmethod
    def paths(
        line: Logistic,
        rows: pa.Table,
        outcomes: Outcomes,
        later: pa.Table,
        seed: int,
        depth: int,
    ) -> dict[int, tuple[Floats, Floats]]:
        """Base and margins of later rows after every `ROUNDS_APART` rounds; after none they are those of the line."""
        own, margins = line.margins(rows), line.margins(later)
        booster = _boosted(line, rows, own, outcomes, seed, MOST_ROUNDS, depth)
        seen, data = (_matrix(line, table) for table in (rows, later))
        by_rounds = {0: (line.base, margins)}
        for rounds in range(ROUNDS_APART, MOST_ROUNDS + 1, ROUNDS_APART):
            before, after = (
                _with(kept, np.asarray(booster.predict(part, output_margin=True, iteration_range=(0, rounds))))
                for kept, part in ((own, seen), (margins, data))
            )
            level = hazards.fit(np.zeros((len(before), 0)), outcomes, 1.0, offset=before)
            by_rounds[rounds] = level.base, after
        return by_rounds

    @property
    def names(self) -> list[str]:
        """Signals in use."""
        return self.line.names

    @cached_property
    def _booster(self) -> Any:
        import xgboost

        booster = xgboost.Booster()
        booster.load_model(bytearray(self.trees))
        return booster

    def margins(self, rows: pa.Table | pa.RecordBatch) -> Floats:
        """Rows by 4."""
        margins = self.line.margins(rows)
        if not rows.num_rows or not self.rounds:
            return margins
        return _with(margins, np.asarray(self._booster.predict(_matrix(self.line, rows), output_margin=True)))

    def effects(self, rows: pa.Table | pa.RecordBatch, slopes: Floats, *, exact: bool = False) -> Floats:
        """What each signal adds: SHAP values of the trees when `exact`, else Saabas' approximation, which is far faster."""
        whole = self.line.effects(rows, slopes)
        if not rows.num_rows or not self.rounds:
            return whole
        terms = self._booster.predict(_matrix(self.line, rows), pred_contribs=True, approx_contribs=not exact)
        for end in range(2):
            own = np.asarray(terms[:, end, :-1], dtype=np.float64) * slopes[:, end : end + 1]
            whole += _by_signal(own, self.line.encoder.groups, len(self.names))
        return whole

    def dump(self) -> dict[str, Any]:
        """As JSON; the trees are a file of their own."""
        return {"line": self.line.dump(), "rounds": self.rounds, "base": self.base.tolist()}


def _matrix(line: Logistic, rows: pa.Table | pa.RecordBatch) -> Any:
    import xgboost

    return xgboost.DMatrix(line.encoder.transform(rows))


def _with(margins: Floats, added: Floats) -> Floats:
    whole = margins.copy()
    whole[:, :2] += added
    return whole


def _boosted(
    line: Logistic, rows: pa.Table, margins: Floats, outcomes: Outcomes, seed: int, rounds: int, depth: int
) -> Any:
    import xgboost

    data = xgboost.QuantileDMatrix(line.encoder.transform(rows), label=np.zeros(rows.num_rows))

    def slope(predicted: Floats, _: Any) -> tuple[Floats, Floats]:
        return hazards.gradient(line.base, _with(margins, predicted.reshape(-1, 2)), outcomes)

    return xgboost.train({**TREES, "max_depth": depth, "seed": seed}, data, rounds, obj=slope)


def load(kind: str, document: Mapping[str, Any], trees: bytes | None, periods: int) -> Model:
    """A model from what `dump` gave; ValueError or KeyError when it is none."""
    if kind == "xgboost":
        if trees is None:
            raise ValueError("the trees are missing")
        base = _base(document["base"], periods)
        return Boosted(_line(document["line"], periods), trees, int(document["rounds"]), base)
    if kind != "logistic":
        raise ValueError(f"{kind!r} is no kind of model")
    return _line(document, periods)


def _line(document: Mapping[str, Any], periods: int) -> Logistic:
    encoder = Encoder.load(document["encoder"])
    means, scales, weights = (np.array(document[name], dtype=float) for name in ("means", "scales", "weights"))
    unknown = np.array(document["unknown"], dtype=bool)
    columns = len(encoder.columns)
    if not len(means) == len(scales) == len(unknown) == columns or weights.shape != (columns + unknown.sum(), MARGINS):
        raise ValueError("the weights do not fit the signals")
    return Logistic(encoder, means, scales, unknown, weights, _base(document["base"], periods))


def _base(values: Sequence[Any], periods: int) -> Floats:
    base = np.array(values, dtype=float)
    if base.shape != (2, periods):
        raise ValueError("the hazards do not fit the periods")
    return base
