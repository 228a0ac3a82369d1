"""The revenue of a period: what is won so far, what open deals bring, and what is opened and won until its end.

A deal brings its value with P(won in the period), which its curve tells. A deal that no model scored has the curve of all
deals of its age (a life table of the deals so far), tilted to the probability that gold has for it, so that an old open
deal is not counted as a new one. Where wins pile up at the ends of quarters, the days of a curve go at their pace
(`Pace`). Intervals come from simulation: each deal is won or not, and in every run all of them
are a little more or less likely than said, as far as their published intervals reach, and all that is still to come is
a little more or less, as far as past periods were.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from medallion.scoring.hazards import Curves, Floats, edges
from medallion.scoring.models import logit, sigmoid

#: Simulated periods: at most, at least where there are many deals, draws in all, and draws held in memory at once.
RUNS, FEWEST_RUNS, _MOST_DRAWN, _AT_ONCE = 4000, 500, 200_000_000, 4_000_000
#: P(won in the period) from which a deal is in `commit` and in `best case`.
COMMIT, BEST_CASE = 0.7, 0.4
#: Ends of the ages, in days, between which deals are counted as alike.
_AGES = (0, 15, 30, 60, 90, 120, 180, 270, 365, 540, 730)
#: Days at an age over which an age's own rate counts as much as that of all ages.
_PRIOR_DAYS = 2000.0
#: Open deals that a past period needs to be compared with, and periods; what holds without them, least and most.
_LEAST_OPEN, _LEAST_PERIODS = 30, 4
_USUAL_UNREST, _LEAST_UNREST, _MOST_UNREST = 0.15, 0.03, 0.5
#: Weeks of a quarter, and wins that an average pace weighs in that of each week.
_WEEKS, _PRIOR_WINS = 14, 20.0
_Z_90 = 1.645
_SEED = 7


@dataclass(frozen=True)
class LifeTable:
    """Rates per day of winning and of losing by the age of a deal, counted from deals so far.

    Attributes:
        won: Per age band of `_AGES`.
        lost: Likewise.
    """

    won: Floats
    lost: Floats

    @classmethod
    def of(cls, days: Floats, won: NDArray[np.bool_], lost: NDArray[np.bool_]) -> LifeTable:
        """Count.

        Args:
            days: Age at which each deal ended, or its age today while it is open.
            won: Whether it ended so.
            lost: Likewise.
        """
        starts = np.array(_AGES, dtype=float)
        ends = np.append(starts[1:], np.inf)
        exposed = np.clip(np.minimum(days[:, None], ends) - starts, 0.0, None).sum(axis=0)
        band = np.searchsorted(starts, days, side="right") - 1
        rates = []
        for which in (won, lost):
            counts = np.bincount(band[which], minlength=len(starts)).astype(float)
            whole = (counts.sum() + 0.5) / (exposed.sum() + 1.0)
            rates.append((counts + _PRIOR_DAYS * whole) / (exposed + _PRIOR_DAYS))
        return cls(*rates)

    def curves(self, ages: Floats, horizon_days: int) -> Curves:
        """P(won by t) and P(lost by t) of deals that are open at these ages."""
        marks = edges(horizon_days)
        rounded, back = np.unique(np.round(np.maximum(ages, 0)), return_inverse=True)
        won, lost = np.zeros((2, len(rounded), len(marks) - 1))
        still, so_far = np.ones(len(rounded)), np.zeros((2, len(rounded)))
        for k, (begin, end) in enumerate(pairwise(marks)):
            for day in range(begin, end):
                band = np.searchsorted(_AGES, rounded + day, side="right") - 1
                rates = np.stack([self.won[band], self.lost[band]])
                ended = (1.0 - np.exp(-rates.sum(axis=0))) * still
                so_far += ended * rates / np.maximum(rates.sum(axis=0), 1e-12)
                still = still - ended
            won[:, k], lost[:, k] = so_far
        return Curves(marks, won[back], lost[back])


@dataclass(frozen=True)
class Pace:
    """How fast deals are won in each week before the end of a quarter, as a multiple of the average: the last week first.

    Curves count days from a cutoff, and do not know that a quarter ends.
    """

    factors: Floats

    @classmethod
    def of(cls, opened: Floats, ended: Floats, won: NDArray[np.bool_], day: date) -> Pace:
        """Count wins per open deal and day, shrunk to the average.

        Args:
            opened: Days from the opening of each deal to `day`.
            ended: Days from its end to `day`, NaN while it is open.
            won: Whether it was won.
            day: The as-of day.
        """
        span = int(opened.max(initial=0)) + 1
        change, wins = np.zeros(span + 1), np.zeros(span)
        whole = opened >= 0
        np.add.at(change, (span - 1 - opened[whole]).astype(int), 1.0)
        over = whole & ~np.isnan(ended) & (ended >= 0) & (ended <= opened)
        np.add.at(change, (span - ended[over]).astype(int), -1.0)
        np.add.at(wins, (span - 1 - ended[over & won]).astype(int), 1.0)
        still = np.cumsum(change)[:span]
        weeks = _weeks_left(day - timedelta(days=span - 1), span)
        exposed, came = (np.bincount(weeks, of, minlength=_WEEKS) for of in (still, wins))
        rate = came.sum() / max(exposed.sum(), 1.0)
        factors = (came + _PRIOR_WINS) / (rate * exposed + _PRIOR_WINS)
        average = (factors * exposed).sum() / exposed.sum() if exposed.sum() else 1.0
        return cls(np.asarray(factors / average))

    def days(self, after: date, count: int) -> Floats:
        """The factor of each of so many days after a day."""
        return self.factors[_weeks_left(after + timedelta(days=1), count)]


def _weeks_left(first: date, count: int) -> NDArray[np.int64]:
    """Whole weeks from each of so many days, from the first on, to the end of its quarter."""
    days = np.datetime64(first, "D") + np.arange(count)
    months = days.astype("datetime64[M]")
    quarter = months - months.astype(np.int64) % 3
    last = (quarter + 3).astype("datetime64[D]") - 1
    return np.asarray((last - days).astype(np.int64) // 7)


@dataclass(frozen=True)
class Deals:
    """Open deals: value, group, P(won in the period), and the ends of its interval."""

    value: Floats
    group: NDArray[np.int64]
    probability: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class NewDeals:
    """Deals that are not opened yet: how many of each group are expected to be won in the period, and what such are worth."""

    expected: Floats
    values: Floats


@dataclass(frozen=True)
class Expected:
    """The forecast of one group, or of all: amounts.

    Attributes:
        won: Won so far.
        open: Expected from deals that are open.
        new: Expected from deals that are not opened yet.
        low_80, low_50, high_50, high_80: Ends of the intervals around all three together.
        commit, best_case: Won so far and the whole value of open deals whose probability is at least `COMMIT` and
            `BEST_CASE`.
    """

    won: float
    open: float
    new: float
    low_80: float
    low_50: float
    high_50: float
    high_80: float
    commit: float
    best_case: float

    @property
    def total(self) -> float:
        """Expected revenue of the period."""
        return self.won + self.open + self.new


def in_period(curves: Curves, begins: int, ends: int, pace: Floats) -> Floats:
    """P(won in a period) per deal, of which the first and the last day lie so many days after the as-of day.

    Beyond the last period of a curve nothing is known to be won.

    Args:
        curves: P(won by t) and P(lost by t).
        begins: Days to the day before the first day of the period; not above 0 where it has begun.
        ends: Days to its last day.
        pace: A factor of the odds of a win on each day from the first after the as-of day on.
    """
    still, probability = np.ones(len(curves.won)), np.zeros(len(curves.won))
    won, lost, rest = np.zeros((2, len(still))), np.zeros((2, len(still))), np.ones(len(still))
    for day in range(1, min(ends, curves.edges[-1]) + 1):
        won[1], lost[1] = curves.at(day)
        both = [(after - before) / np.maximum(rest, 1e-9) for before, after in (won, lost)]
        win, loss = both[0] * pace[day - 1], both[1]
        scale = np.maximum(win + loss, 1.0)
        win, loss = win / scale * still, loss / scale * still
        if day > begins:
            probability += win
        still = np.maximum(still - win - loss, 0.0)
        won[0], lost[0] = won[1], lost[1]
        rest = np.maximum(1.0 - won[0] - lost[0], 0.0)
    return probability


def arriving(table: LifeTable, per_day: Floats, begins: int, ends: int, horizon_days: int) -> Floats:
    """How many deals of each group that are opened from tomorrow on are won in a period.

    Args:
        table: Of all deals.
        per_day: Deals of each group that are opened per day.
        begins: Days from the as-of day to the first day of the period, at most 0 where it has begun.
        ends: Days to its last.
        horizon_days: Of the probability.
    """
    if ends <= 0:
        return np.zeros(len(per_day))
    new = table.curves(np.zeros(1), horizon_days)
    by_day = np.array([new.at(day)[0][0] for day in range(ends + 1)])
    share = by_day[:ends].sum() - (by_day[:begins].sum() if begins > 0 else 0.0)
    return np.asarray(per_day * share)


def unrest(
    opened: Floats,
    ended: Floats,
    won: NDArray[np.bool_],
    value: Floats,
    table: LifeTable,
    length: int,
    pace: Pace,
    day: date,
) -> float:
    """How far past periods together were off, beyond the luck of single deals: root mean square of the logarithm.

    At every 30th day of the past two years open deals are expected as now, by age alone, and compared with what they
    brought in a period of the same length. Good and bad quarters, holidays and deals that move together are in it.

    Args:
        opened: Days from the opening of each deal to the as-of day.
        ended: Days from its end to the as-of day, NaN while it is open.
        won: Whether it was won.
        value: Its value.
        table: Of all deals.
        length: Days from the as-of day to the end of the period.
        pace: Of the weeks of a quarter.
        day: The as-of day.
    """
    ratios, luck = [], []
    for back in range(max(length, 1), 730, 30):
        still = (opened > back) & ~(ended >= back)
        if still.sum() < _LEAST_OPEN:
            break
        curves = table.curves(opened[still] - back, 90)
        p = in_period(curves, 0, length, pace.days(day - timedelta(days=back), length))
        expected = float(value[still] @ p)
        came = float(value[still & won & (ended >= back - length)].sum())
        if expected > 0 and came > 0:
            ratios.append(np.log(came / expected))
            luck.append(float((value[still] ** 2) @ (p * (1 - p))) / expected**2)
    if len(ratios) < _LEAST_PERIODS:
        return _USUAL_UNREST
    beyond = max(0.0, float(np.mean(np.square(ratios))) - float(np.mean(luck)))
    return float(np.clip(np.sqrt(beyond), _LEAST_UNREST, _MOST_UNREST))


def expect(won: Floats, deals: Deals, new: NewDeals, groups: int, unrest: float = 0.0) -> list[Expected]:
    """The forecast of each group, and after them that of all.

    Args:
        won: Won so far, per group.
        deals: Open deals.
        new: Deals that are not opened yet; expects none where they are left out.
        groups: Number of groups.
        unrest: Standard deviation, on the log scale, by which all that is still to come moves together.
    """
    rng = np.random.default_rng(_SEED)
    own = logit(deals.probability)
    spread = (logit(np.maximum(deals.high, deals.probability)) - logit(np.minimum(deals.low, deals.probability))) / (
        2 * _Z_90
    )
    spread = np.where((deals.probability > 0) & (deals.probability < 1), spread, 0.0)
    runs = int(np.clip(_MOST_DRAWN // max(1, len(own)), FEWEST_RUNS, RUNS))
    drawn = np.zeros((runs, groups))
    members = [np.flatnonzero(deals.group == group) for group in range(groups)]
    together = max(1, _AT_ONCE // max(1, len(own)))
    for begin in range(0, runs, together):
        lot = slice(begin, min(runs, begin + together))
        levels = rng.standard_normal(len(drawn[lot]))[:, None]
        wins = rng.random((len(levels), len(own))) < sigmoid(own + levels * spread)
        for group, rows in enumerate(members):
            drawn[lot, group] = wins[:, rows] @ deals.value[rows]
    mean = float(new.values.mean()) if len(new.values) else 0.0
    if new.expected.sum() > 0 and len(new.values):
        # a rate that is itself uncertain by a tenth
        counts = rng.poisson(new.expected * np.exp(0.1 * rng.standard_normal(runs))[:, None])
        values = new.values[rng.integers(0, len(new.values), counts.sum())]
        ends = np.cumsum(counts.ravel())
        sums = np.diff(np.concatenate([[0.0], np.cumsum(values)])[np.concatenate([[0], ends])])
        drawn += sums.reshape(counts.shape)
    drawn *= np.exp(unrest * rng.standard_normal(runs) - unrest * unrest / 2)[:, None]
    expected = []
    for which in [*([g] for g in range(groups)), list(range(groups))]:
        in_group = np.isin(deals.group, which)
        value, p = deals.value[in_group], deals.probability[in_group]
        base = float(won[which].sum())
        quantiles = base + np.quantile(drawn[:, which].sum(axis=1), [0.1, 0.25, 0.75, 0.9])
        low_80, low_50, high_50, high_80 = (round(float(q), 2) for q in quantiles)
        expected.append(
            Expected(
                round(base, 2), round(float(value @ p), 2), round(float(new.expected[which].sum()) * mean, 2),
                low_80, low_50, high_50, high_80,
                round(base + float(value[p >= COMMIT].sum()), 2), round(base + float(value[p >= BEST_CASE].sum()), 2),
            )
        )  # fmt: skip
    return expected
