"""A forecast evaluated on the known truth of a simulated world; no draw of outcomes is in it, so no noise of one."""

from __future__ import annotations

import numpy as np

from medallion.simulate.world import Floats


def expected_auc(truth: Floats, forecast: Floats) -> float:
    """ROC-AUC to be expected when each deal is won with its true probability; ties of the forecast count half.

    Args:
        truth: True probability per deal.
        forecast: Forecast per deal; the truth itself gives the oracle's.
    """
    order = np.argsort(forecast, kind="stable")
    p, q = truth[order], forecast[order]
    _, first, counts = np.unique(q, return_index=True, return_counts=True)
    lost = 1 - p
    before = np.concatenate([[0.0], np.cumsum(lost)])
    below, tied = before[first], before[first + counts] - before[first]
    won = np.add.reduceat(p, first)
    # a deal is not compared with itself
    itself = float((p * lost).sum())
    pairs = float(p.sum() * lost.sum()) - itself
    return float((won * (below + tied / 2)).sum() - itself / 2) / pairs


def expected_calibration_error(truth: Floats, forecast: Floats, bins: int = 10) -> float:
    """Mean distance of forecast and truth over bins of equal size, sorted by the forecast."""
    parts = np.array_split(np.argsort(forecast, kind="stable"), bins)
    return float(
        sum(abs(truth[part].mean() - forecast[part].mean()) * len(part) for part in parts if len(part)) / len(truth)
    )
