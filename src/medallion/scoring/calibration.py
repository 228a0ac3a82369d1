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
        design = np.hstack([np.full((len(margins), 1), _LEVEL), margins[:, :2] - np.array(self.means)])
        return np.asarray(margins + design @ np.array(self.weights))

    def curves(self, base: Floats, margins: Floats, marks: tuple[int, ...], horizon_days: int) -> Curves:
        """Calibrated curves."""
        curves = hazards.curves(base, self.margins(margins), marks)
        return curves.tilted(self.within(curves.at(horizon_days)[0]), horizon_days)

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
            in_block = self.block == block
            curves = calibration.curves(base, self.margins[in_block], self.outcomes.edges, horizon_days)
            won[in_block], lost[in_block] = curves.at(days)
        return won, lost


def fit(held_out: Held, horizon_days: int, tiers: int) -> Calibration:
    """Learn both corrections from deals that the model had not seen.

    Args:
        held_out: Margins of later deals, block by block.
        horizon_days: Of the probability.
        tiers: Tiers by forecast; their rates are shrunk towards what they were forecast.
    """
    means = held_out.margins[:, :2].mean(axis=0).round(DIGITS)
    design = np.hstack([np.full((len(held_out.margins), 1), _LEVEL), held_out.margins[:, :2] - means])
    base = np.stack(held_out.base)[held_out.block]
    fitted = hazards.fit(design, held_out.outcomes, _HELD, offset=held_out.margins, base=base)
    overall = Calibration((float(means[0]), float(means[1])), tuple(tuple(row) for row in fitted.weights.tolist()))
    over = held_out.outcomes.seen >= held_out.outcomes.within(horizon_days)
    forecast = held_out.by(horizon_days, overall, horizon_days)[0][over]
    won = won_within(held_out.outcomes, horizon_days)[over]
    deals = held_out.deals[over]
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
    ratios = []
    for part in bins(forecast, tiers):
        for number in np.unique(block[part]):
            rows = part[block[part] == number]
            chance = float((forecast[rows] * (1 - forecast[rows])).sum())
            if chance > 1:
                off = float((won[rows] - forecast[rows]).sum())
                ratios.append(off * off / chance * len(np.unique(deals[rows])) / len(rows))
    return float(np.clip(np.mean(ratios), 1.0, _MOST_SPREAD)) if ratios else 1.0


def unrest(held_out: Held, calibration: Calibration, horizon_days: int, days: int) -> tuple[float, float]:
    """How much more the wins, and the losses, within some days of a cutoff vary than chance explains, at least 1.

    Mean of `(ended - expected)^2 / variance` over the cutoffs: ends of quarters and holidays are in it, so that they
    alarm no one later.
    """
    seen = held_out.outcomes.seen >= held_out.outcomes.within(days)
    soon = held_out.outcomes.period < held_out.outcomes.within(days)
    factors = []
    for p, is_won in zip(held_out.by(days, calibration, horizon_days), (True, False), strict=True):
        off = (soon & (held_out.outcomes.won == is_won)) - p
        ratios = []
        for cutoff in np.unique(held_out.cutoffs[seen]):
            at_cutoff = seen & (held_out.cutoffs == cutoff)
            chance = float((p[at_cutoff] * (1 - p[at_cutoff])).sum())
            if chance > 1:
                ratios.append(float(off[at_cutoff].sum()) ** 2 / chance)
        factors.append(max(1.0, float(np.mean(ratios))) if ratios else 1.0)
    return factors[0], factors[1]
