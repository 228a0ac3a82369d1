"""How good forecasts are, on deals that a model has not seen: figures, segments, reliability, evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medallion.figures import wilson
from medallion.scoring.matrix import Floats

#: Bins of equal size for the calibration error and the reliability picture.
BINS = 10
RESAMPLES = 1000
#: Segments that the model card shows, and rows that one needs for that.
SEGMENTS, LEAST_ROWS = ("source", "industry", "size_band", "stage"), 50
_Z_90 = 1.645


@dataclass(frozen=True)
class Figures:
    """Quality of a forecast; n snapshots of deals, of which a share was won.

    Attributes:
        roc_auc: Probability that a won deal was put before one that was not.
        pr_auc: Average precision.
        brier: Mean squared error of the probability.
        log_loss: Mean negative logarithm of the probability of what came to be.
        ece: Expected calibration error: mean distance of forecast and share won over ten bins of equal size.
        lift_at_10: Share won in the top tenth against the share of all.
    """

    n: int
    won_share: float
    mean_forecast: float
    roc_auc: float | None
    pr_auc: float | None
    brier: float
    log_loss: float
    ece: float
    lift_at_10: float | None


def figures(won: Floats, forecast: Floats) -> Figures:
    """Every figure of a forecast; those of ranking are None when all ended alike."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    both = 0 < won.sum() < len(won)
    top = np.argsort(-forecast, kind="stable")[: max(1, len(won) // 10)]
    return Figures(
        n=len(won),
        won_share=_short(won.mean()),
        mean_forecast=_short(forecast.mean()),
        roc_auc=_short(roc_auc_score(won, forecast)) if both else None,
        pr_auc=_short(average_precision_score(won, forecast)) if both else None,
        brier=_short(((forecast - won) ** 2).mean()),
        log_loss=_short(losses(won, forecast).mean()),
        ece=_short(calibration_error(won, forecast)),
        lift_at_10=_short(won[top].mean() / won.mean()) if both else None,
    )


def _short(value: Any) -> float:
    return round(float(value), 4)


def losses(won: Floats, forecast: Floats) -> Floats:
    """Log loss per row."""
    p = np.clip(forecast, 1e-9, 1 - 1e-9)
    return np.asarray(-np.where(won > 0, np.log(p), np.log1p(-p)))


def bins(forecast: Floats, count: int = BINS) -> list[NDArray[np.int64]]:
    """Rows of each bin, bins of equal size from the lowest forecast to the highest."""
    order = np.argsort(forecast, kind="stable")
    return [part for part in np.array_split(order, min(count, len(order))) if len(part)]


def calibration_error(won: Floats, forecast: Floats) -> float:
    """Expected calibration error over bins of equal size."""
    return float(sum(abs(won[b].mean() - forecast[b].mean()) * len(b) for b in bins(forecast)) / max(1, len(won)))


def reliability(
    won: Floats, forecast: Floats, deals: NDArray[Any], count: int = BINS, spread: float = 1.0
) -> list[dict[str, float]]:
    """Per bin: forecasts from and to, their mean, share won, its 90% interval, number of snapshots and of deals.

    The interval counts deals, not snapshots: the snapshots of one deal share its outcome.

    Args:
        won: 0 or 1 per row.
        forecast: Probability per row.
        deals: The deal of each row.
        count: Number of bins.
        spread: Factor of the variance of a share, where blocks of time differ by more than chance.
    """
    rows = []
    for part in bins(forecast, count):
        distinct, share = len(np.unique(deals[part])), float(won[part].mean())
        behind = distinct / spread
        low, high = (round(end, 4) for end in wilson(share * behind, behind, _Z_90))
        rows.append(
            {
                "from": round(float(forecast[part].min()), 6),
                "to": round(float(forecast[part].max()), 6),
                "forecast": _short(forecast[part].mean()),
                "won_share": _short(share),
                "low": low,
                "high": high,
                "snapshots": len(part),
                "deals": distinct,
            }
        )
    return rows


def segments(rows: pa.Table, won: Floats, forecast: Floats) -> dict[str, dict[str, dict[str, Any]]]:
    """Figures per value of each of `SEGMENTS` that has rows enough."""
    by_segment: dict[str, dict[str, dict[str, Any]]] = {}
    for name in SEGMENTS:
        values = np.array(["unknown" if value is None else value for value in rows[name].to_pylist()])
        parts = {}
        for value in np.unique(values):
            members = values == value
            if members.sum() >= LEAST_ROWS:
                parts[str(value)] = asdict(figures(won[members], forecast[members]))
        if len(parts) > 1:
            by_segment[name] = parts
    return by_segment


@dataclass(frozen=True)
class Gain:
    """What a challenger gains on the same rows: log loss less, with a 90% interval, and how sure that is."""

    log_loss: float
    low: float
    high: float
    sure: float

    @property
    def beyond_doubt(self) -> bool:
        """Whether the whole interval is a gain."""
        return self.low > 0

    @property
    def no_worse(self) -> bool:
        """Whether it is at least as good, or more likely better than not."""
        return self.log_loss >= 0 or self.sure >= 0.5


def gain(won: Floats, before: Floats, after: Floats, accounts: Sequence[Any] | NDArray[Any], seed: int) -> Gain:
    """Bootstrap over accounts, since the deals and snapshots of one account hang together."""
    saved = losses(won, before) - losses(won, after)
    _, account = np.unique(np.asarray(accounts), return_inverse=True)
    count = int(account.max()) + 1
    total, n = np.bincount(account, saved, minlength=count), np.bincount(account, minlength=count)
    rng = np.random.default_rng(seed)
    means = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        drawn = rng.multinomial(count, np.full(count, 1.0 / count)) if count < 2000 else rng.poisson(1.0, count)
        means[i] = float(drawn @ total) / max(1.0, float(drawn @ n))
    low, high = np.quantile(means, [0.05, 0.95])
    digits = 6
    return Gain(
        round(float(saved.mean()), digits), round(float(low), digits), round(float(high), digits),
        round(float((means > 0).mean()), 3),
    )  # fmt: skip
