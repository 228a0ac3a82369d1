"""The models: band rates, logistic regression, gradient-boosted trees. What they learned is plain JSON or UBJSON.

All three give a probability per row of snapshots. The last two also give what each signal adds to the logarithm of the
odds, against the average of what they learned from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medallion.scoring.matrix import Encoder, Floats
from medallion.scoring.signals import Kind
from medallion.weights import Bands

#: Parameters that 50 rounds of tuning did not beat (docs/LEAD_SCORING.md); trees are added while a later slice gains.
TREES: Mapping[str, Any] = {
    "objective": "binary:logistic",
    "eta": 0.05,
    "max_depth": 4,
    "min_child_weight": 5,
    "subsample": 0.8,
    "colsample_bytree": 0.7,
    "lambda": 2,
    "tree_method": "hist",
}
MOST_TREES, PATIENCE, USUAL_TREES = 600, 30, 150
#: Inverse strengths of regularisation that a later slice chooses among, and the one taken without such a slice.
PENALTIES, USUAL_PENALTY = (0.003, 0.03, 0.3), 0.03
#: Rounding of what a model is made of, so that a model file does not depend on the last bits of a sum.
_DIGITS = 12
#: The same for weights, which the arithmetic of different processors moves by up to 1e-12 (see `newton`).
_WEIGHT_DIGITS = 9


class Model(Protocol):
    """What scoring needs of a model."""

    @property
    def kind(self) -> str:
        """rules, logistic or xgboost."""

    def margins(self, rows: pa.Table | pa.RecordBatch) -> Floats:
        """Logarithm of the odds per row."""

    def contributions(self, rows: pa.Table | pa.RecordBatch, *, exact: bool = False) -> Floats:
        """What each signal adds to the logarithm of the odds: rows by `names`."""

    def both(self, rows: pa.Table | pa.RecordBatch) -> tuple[Floats, Floats]:
        """Margins and approximate contributions, from rows that are encoded once."""

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


def newton(x: Floats, won: Floats, penalty: float) -> tuple[Floats, float]:
    """Weights and intercept of a regularized logistic regression, the same on every processor.

    Newton's steps end at the optimum itself. Methods that follow the gradient end near it, at a point that depends on
    the order in which the processor adds: a model trained twice was two models.
    """
    from sklearn.linear_model import LogisticRegression

    learned = LogisticRegression(C=penalty, solver="newton-cholesky", max_iter=1000, tol=1e-9).fit(x, won)
    return learned.coef_[0].round(_WEIGHT_DIGITS), round(float(learned.intercept_[0]), _WEIGHT_DIGITS)


@dataclass(frozen=True)
class BandRates:
    """Conversion per band of the rule score, shrunk towards that of all: `(won + k*p) / (n + k)`."""

    lows: tuple[int, ...]
    rates: tuple[float, ...]
    kind: str = "rules"

    @classmethod
    def fit(cls, rows: pa.Table, won: Floats, bands: Bands, prior: float) -> BandRates:
        """Learn the rates; `prior` is the weight of all bands together, in rows."""
        lows = (0, bands.cool, bands.warm, bands.hot)
        band = np.searchsorted(lows, _scores(rows), side="right") - 1
        n, total = np.bincount(band, minlength=4), np.bincount(band, won, minlength=4)
        base = (won.sum() + 0.5) / (len(won) + 1)
        return cls(lows, tuple(float(r) for r in np.round((total + prior * base) / (n + prior), _DIGITS)))

    @property
    def names(self) -> list[str]:
        """The score alone."""
        return ["lead_score"]

    def margins(self, rows: pa.Table | pa.RecordBatch) -> Floats:
        """Logarithm of the odds per row."""
        return logit(np.array(self.rates)[np.searchsorted(self.lows, _scores(rows), side="right") - 1])

    def contributions(self, rows: pa.Table | pa.RecordBatch, *, exact: bool = False) -> Floats:
        """All of it comes from the score."""
        return self.both(rows)[1]

    def both(self, rows: pa.Table | pa.RecordBatch) -> tuple[Floats, Floats]:
        """Margins, and how far they lie from their mean."""
        margins = self.margins(rows)
        return margins, np.asarray((margins - margins.mean())[:, None])

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return {"lows": list(self.lows), "rates": list(self.rates)}


def _scores(rows: pa.Table | pa.RecordBatch) -> NDArray[np.int64]:
    column = rows.column("lead_score")
    return np.asarray(column.to_numpy() if isinstance(column, pa.ChunkedArray) else column.to_numpy(False))


@dataclass(frozen=True)
class Logistic:
    """Regularised logistic regression on standardised signals; amounts enter as log(1 + x), unknown ones as average."""

    encoder: Encoder
    means: Floats
    scales: Floats
    unknown: NDArray[np.bool_]
    weights: Floats
    intercept: float
    kind: str = "logistic"

    @classmethod
    def fit(cls, rows: pa.Table, won: Floats, penalty: float, kinds: Mapping[str, Kind] | None = None) -> Logistic:
        """Learn weights.

        Args:
            rows: Snapshots.
            won: 0 or 1 per row.
            penalty: Inverse strength of the quadratic penalty, as scikit-learn's `C`.
            kinds: As for `Encoder.fit`.
        """
        encoder = Encoder.fit(rows, kinds)
        x = _on_log_scale(encoder.transform(rows), encoder)
        unknown = np.asarray(np.isnan(x).any(axis=0))
        means = np.nan_to_num(np.nanmean(x, axis=0))
        scales = np.maximum(np.nan_to_num(np.nanstd(x, axis=0)), 1e-6)
        shell = cls(encoder, means.round(_DIGITS), scales.round(_DIGITS), unknown, np.zeros(0), 0.0)
        z = shell._standardised(x)
        weights, intercept = newton(z, won, penalty)
        return cls(encoder, shell.means, shell.scales, unknown, weights, intercept)

    @property
    def names(self) -> list[str]:
        """Signals in use."""
        return list(self.encoder.signals)

    def _standardised(self, x: Floats) -> Floats:
        gaps = np.isnan(x[:, self.unknown]).astype(float)
        z = np.nan_to_num((x - self.means) / self.scales, nan=0.0)
        return np.hstack([np.clip(z, -10, 10), gaps])

    def _terms(self, rows: pa.Table | pa.RecordBatch) -> Floats:
        x = _on_log_scale(self.encoder.transform(rows), self.encoder)
        return np.asarray(self._standardised(x) * self.weights)

    def margins(self, rows: pa.Table | pa.RecordBatch) -> Floats:
        """Logarithm of the odds per row."""
        return np.asarray(self._terms(rows).sum(axis=1) + self.intercept)

    def contributions(self, rows: pa.Table | pa.RecordBatch, *, exact: bool = False) -> Floats:
        """What each signal adds; always exact."""
        return self.both(rows)[1]

    def both(self, rows: pa.Table | pa.RecordBatch) -> tuple[Floats, Floats]:
        """Margins and contributions."""
        terms = self._terms(rows)
        groups = np.concatenate([self.encoder.groups, self.encoder.groups[self.unknown]])
        return np.asarray(terms.sum(axis=1) + self.intercept), _by_signal(terms, groups, len(self.encoder.signals))

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "encoder": self.encoder.dump(),
            "means": self.means.tolist(),
            "scales": self.scales.tolist(),
            "unknown": self.unknown.tolist(),
            "weights": self.weights.tolist(),
            "intercept": self.intercept,
        }


def _on_log_scale(x: Floats, encoder: Encoder) -> Floats:
    amounts = encoder.on_log_scale
    x[:, amounts] = np.log1p(np.maximum(x[:, amounts], 0))
    return x


def _by_signal(terms: Floats, groups: NDArray[np.int64], count: int) -> Floats:
    out = np.zeros((len(terms), count))
    for column, group in enumerate(groups):
        out[:, group] += terms[:, column]
    return out


@dataclass(frozen=True)
class Boosted:
    """Gradient-boosted trees (XGBoost), kept as UBJSON."""

    encoder: Encoder
    trees: bytes
    rounds: int
    kind: str = "xgboost"

    @classmethod
    def fit(
        cls,
        rows: pa.Table,
        won: Floats,
        seed: int,
        rounds: int | None,
        later: tuple[pa.Table, Floats] | None = None,
        kinds: Mapping[str, Kind] | None = None,
    ) -> Boosted:
        """Learn trees.

        Args:
            rows: Snapshots.
            won: 0 or 1 per row.
            seed: Of the samples that each tree sees.
            rounds: How many trees; None adds them while `later` gains.
            later: A later slice that tells when to stop.
            kinds: As for `Encoder.fit`.
        """
        import xgboost

        encoder = Encoder.fit(rows, kinds)
        data = xgboost.QuantileDMatrix(encoder.transform(rows), label=won)
        parameters = {**TREES, "seed": seed, "base_score": float(np.clip(won.mean(), 0.001, 0.999))}
        if later is not None and rounds is None:
            check = xgboost.QuantileDMatrix(encoder.transform(later[0]), label=later[1], ref=data)
            booster = xgboost.train(
                parameters, data, MOST_TREES, evals=[(check, "later")], early_stopping_rounds=PATIENCE, verbose_eval=False
            )  # fmt: skip
            rounds = max(10, int(booster.best_iteration) + 1)
            booster = booster[:rounds]
        else:
            rounds = rounds or USUAL_TREES
            booster = xgboost.train(parameters, data, rounds)
        return cls(encoder, bytes(booster.save_raw("ubj")), rounds)

    @property
    def names(self) -> list[str]:
        """Signals in use."""
        return list(self.encoder.signals)

    @cached_property
    def _booster(self) -> Any:
        import xgboost

        booster = xgboost.Booster()
        booster.load_model(bytearray(self.trees))
        return booster

    def _data(self, rows: pa.Table | pa.RecordBatch) -> Any:
        import xgboost

        return xgboost.DMatrix(self.encoder.transform(rows))

    def margins(self, rows: pa.Table | pa.RecordBatch) -> Floats:
        """Logarithm of the odds per row."""
        return self._margins(self._data(rows)) if rows.num_rows else np.zeros(0)

    def contributions(self, rows: pa.Table | pa.RecordBatch, *, exact: bool = False) -> Floats:
        """What each signal adds: SHAP values when `exact`, else Saabas' approximation, which is far faster."""
        return self._contributions(self._data(rows), exact) if rows.num_rows else np.zeros((0, len(self.names)))

    def both(self, rows: pa.Table | pa.RecordBatch) -> tuple[Floats, Floats]:
        """Margins and approximate contributions."""
        if not rows.num_rows:
            return np.zeros(0), np.zeros((0, len(self.names)))
        data = self._data(rows)
        return self._margins(data), self._contributions(data, exact=False)

    def _margins(self, data: Any) -> Floats:
        return np.asarray(self._booster.predict(data, output_margin=True), dtype=np.float64)

    def _contributions(self, data: Any, exact: bool) -> Floats:
        terms = self._booster.predict(data, pred_contribs=True, approx_contribs=not exact)
        return _by_signal(np.asarray(terms[:, :-1], dtype=np.float64), self.encoder.groups, len(self.names))

    def dump(self) -> dict[str, Any]:
        """As JSON; the trees are a file of their own."""
        return {"encoder": self.encoder.dump(), "rounds": self.rounds}


def load(kind: str, document: Mapping[str, Any], trees: bytes | None) -> Model:
    """A model from what `dump` gave; ValueError or KeyError when it is none."""
    if kind == "rules":
        return BandRates(tuple(document["lows"]), tuple(document["rates"]))
    encoder = Encoder.load(document["encoder"])
    if kind == "xgboost":
        if trees is None:
            raise ValueError("the trees are missing")
        return Boosted(encoder, trees, int(document["rounds"]))
    if kind != "logistic":
        raise ValueError(f"{kind!r} is no kind of model")
    arrays = [np.array(document[name], dtype=float) for name in ("means", "scales", "weights")]
    unknown = np.array(document["unknown"], dtype=bool)
    if not len(arrays[0]) == len(arrays[1]) == len(unknown) == len(encoder.columns):
        raise ValueError("the weights do not fit the signals")
    return Logistic(encoder, arrays[0], arrays[1], unknown, arrays[2], float(document["intercept"]))
