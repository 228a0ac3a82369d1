"""From margins to calibrated probabilities, by what came of deals that a model had not learned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medallion.scoring import hazards
from medallion.scoring.evaluation import bins
from medallion.scoring.hazards import DIGITS, MARGINS, Curves, Floats, Outcomes
from medallion.scoring.models import logit, sigmoid

#: Strength with which margins are held as they are, and deals that a tier's own forecast weighs in its rate.
_HELD, PRIOR_DEALS = 30.0, 100.0
#: The level moves from season to season by itself, so that many deals of few blocks tell little of it: this constant in
#: place of 1 holds it a hundred times as strongly as the slope, and tiers are not moved all at once.
_LEVEL = 0.1
#: Most that the intervals of tiers are widened because some blocks of time were further off than chance explains.
_MOST_SPREAD = 4.0


@dataclass(frozen=True)
class Calibration:
    """Two corrections, one after the other: of the margins of all deals, and of the probability within each tier.

    Attributes:
        means: Margins of winning and of losing around which the correction turns.
        weights: A constant and these two margins, by the four margins they are added to.
        at: Log odds of the forecast at which the correction of the tiers is known, rising.
        shift: What is added there; between them it changes evenly, beyond them it stays.
    """

    means: tuple[float, float] = (0.0, 0.0)
    weights: tuple[tuple[float, ...], ...] = ((0.0,) * MARGINS,) * 3
    at: tuple[float, ...] = (0.0,)
    shift: tuple[float, ...] = (0.0,)

    def margins(self, margins: Floats) -> Floats:
        """The margins after the correction of all."""
        one = np.hstack([np.full((len(margins), 1), _LEVEL), margins[:, :2] - np.array(self.means)])
        return np.asarray(margins + one @ np.array(self.weights))

    def curves(self, base: Floats, margins: Floats, marks: tuple[int, ...], horizon_days: int) -> Curves:
        """Calibrated curves."""
        found = hazards.curves(base, self.margins(margins), marks)
        return found.tilted(self.within(found.at(horizon_days)[0]), horizon_days)

    def within(self, probability: Floats) -> Floats:
        """A probability after the correction of its tier."""
        own = logit(probability)
        return sigmoid(own + np.interp(own, self.at, self.shift))

    def probabilities(self, base: Floats, margins: Floats, marks: tuple[int, ...], horizon_days: int) -> Floats:
        """P(won within the horizon)."""
        return self.curves(base, margins, marks, horizon_days).at(horizon_days)[0]

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "means": list(self.means),
            "weights": [list(row) for row in self.weights],
            "at": list(self.at),
            "shift": list(self.shift),
        }

    @classmethod
    def load(cls, document: Mapping[str, Any]) -> Calibration:
        """From JSON; ValueError or KeyError when it is none."""
        means, weights = np.array(document["means"], dtype=float), np.array(document["weights"], dtype=float)
        at, shift = np.array(document["at"], dtype=float), np.array(document["shift"], dtype=float)
        if means.shape != (2,) or weights.shape != (3, MARGINS) or not len(at) or at.shape != shift.shape:
            raise ValueError("the calibration has another shape")
        return cls(
            (float(means[0]), float(means[1])), tuple(tuple(row) for row in weights.tolist()), tuple(at.tolist()),
            tuple(shift.tolist()),
        )  # fmt: skip


@dataclass(frozen=True)
class Held:
    """What a model said of deals that it had not learned from, and what came of them.

    Attributes:
        base: Hazards per period of the model of each row's block.
        margins: Margins of the rows.
        outcomes: What is known of them.
        deals: Their deals.
        block: The block of time that each is in.
        cutoffs: Their cutoffs.
    """

    base: list[Floats]
    margins: Floats
    outcomes: Outcomes
    deals: NDArray[Any]
    block: NDArray[np.int64]
    cutoffs: NDArray[np.datetime64]

    def by(self, days: int, calibration: Calibration, horizon_days: int) -> tuple[Floats, Floats]:
        """P(won) and P(lost) by a day after the cutoff by each row's own model, calibrated."""
        won, lost = np.zeros((2, len(self.margins)))
        for block, base in enumerate(self.base):
            mine = self.block == block
            found = calibration.curves(base, self.margins[mine], self.outcomes.edges, horizon_days)
            won[mine], lost[mine] = found.at(days)
        return won, lost


def fit(held: Held, horizon_days: int, tiers: int) -> Calibration:
    """Learn both corrections from deals that the model had not seen.

    Args:
        held: Margins of later deals, block by block.
        horizon_days: Of the probability.
        tiers: Tiers by forecast; their rates are shrunk towards what they were forecast.
    """
    means = held.margins[:, :2].mean(axis=0).round(DIGITS)
    one = np.hstack([np.full((len(held.margins), 1), _LEVEL), held.margins[:, :2] - means])
    base = np.stack(held.base)[held.block]
    fitted = hazards.fit(one, held.outcomes, _HELD, offset=held.margins, base=base)
    overall = Calibration((float(means[0]), float(means[1])), tuple(tuple(row) for row in fitted.weights.tolist()))
    over = held.outcomes.seen >= held.outcomes.within(horizon_days)
    forecast = held.by(horizon_days, overall, horizon_days)[0][over]
    won = won_within(held.outcomes, horizon_days)[over]
    deals = held.deals[over]
    if not len(won):
        return overall
    at, shift, weight = [], [], []
    for part in bins(forecast, tiers):
        count, mean = len(np.unique(deals[part])), float(forecast[part].mean())
        rate = (float(won[part].mean()) * count + PRIOR_DEALS * mean) / (count + PRIOR_DEALS)
        at.append(float(logit(np.array(mean))))
        shift.append(float(logit(np.array(rate))))
        weight.append(count + PRIOR_DEALS)
    moved = np.array(shift) - np.array(at)
    rising = _rising(np.array(shift) - np.average(moved, weights=weight), np.array(weight))
    places, first = np.unique(np.round(at, DIGITS), return_index=True)
    return Calibration(
        overall.means, overall.weights, tuple(places.tolist()),
        tuple(np.round(rising[first] - places, DIGITS).tolist()),
    )  # fmt: skip


def _rising(values: Floats, weights: Floats) -> Floats:
    """The nearest values that do not fall (pool adjacent violators)."""
    pools: list[list[float]] = []
    for value, weight in zip(values, weights, strict=True):
        pools.append([float(value), float(weight), 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            value2, weight2, count2 = pools.pop()
            value1, weight1, count1 = pools.pop()
            total = weight1 + weight2
            pools.append([(value1 * weight1 + value2 * weight2) / total, total, count1 + count2])
    return np.concatenate([np.full(int(count), value) for value, _, count in pools])


def won_within(outcomes: Outcomes, horizon_days: int) -> Floats:
    """1 for rows that were won within the horizon, else 0; means something where the horizon is over."""
    return ((outcomes.period < outcomes.within(horizon_days)) & outcomes.won).astype(float)


def spread(forecast: Floats, won: Floats, deals: NDArray[Any], block: NDArray[np.int64], tiers: int) -> float:
    """How much further blocks of time were off than chance explains, at least 1: a factor of the variance.

    Mean of `(won - forecast)^2 / variance` over blocks and tiers; the snapshots of one deal count as one.
    """
    found = []
    for part in bins(forecast, tiers):
        for one in np.unique(block[part]):
            mine = part[block[part] == one]
            chance = float((forecast[mine] * (1 - forecast[mine])).sum())
            if chance > 1:
                off = float((won[mine] - forecast[mine]).sum())
                found.append(off * off / chance * len(np.unique(deals[mine])) / len(mine))
    return float(np.clip(np.mean(found), 1.0, _MOST_SPREAD)) if found else 1.0


def unrest(held: Held, calibration: Calibration, horizon_days: int, days: int) -> tuple[float, float]:
    """How much more the wins, and the losses, within some days of a cutoff vary than chance explains, at least 1.

    Mean of `(ended - expected)^2 / variance` over the cutoffs: ends of quarters and holidays are in it, so that they
    alarm no one later.
    """
    seen = held.outcomes.seen >= held.outcomes.within(days)
    soon = held.outcomes.period < held.outcomes.within(days)
    found = []
    for p, is_won in zip(held.by(days, calibration, horizon_days), (True, False), strict=True):
        off = (soon & (held.outcomes.won == is_won)) - p
        ratios = []
        for cutoff in np.unique(held.cutoffs[seen]):
            mine = seen & (held.cutoffs == cutoff)
            chance = float((p[mine] * (1 - p[mine])).sum())
            if chance > 1:
                ratios.append(float(off[mine].sum()) ** 2 / chance)
        found.append(max(1.0, float(np.mean(ratios))) if ratios else 1.0)
    return found[0], found[1]
