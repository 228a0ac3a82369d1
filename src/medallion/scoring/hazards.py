"""Time to an outcome: a deal is won, lost or still open in each period from its cutoff on (discrete-time competing risks).

Per period k the odds of winning and of losing against staying open are

    log(P(won in k) / P(open after k)) = base_won[k] + log(weeks in k) + won + fade[k] * won_fade

and likewise for losing. The four numbers `won, lost, won_fade, lost_fade` are the margins of a row; `fade` runs from -1
in the first period to 1 in the last, so that a signal may tell more of next week than of next year. A period counts
only where all of it has been observed, so what is still open adds what is known of it and nothing more. See Allison,
Discrete-time methods for the analysis of event histories (1982), and van Houwelingen, Dynamic prediction by landmarking
(2007).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Ends of the periods in days; the horizon is one of them too.
_DAYS = (7, 14, 21, 28, 42, 56, 70, 90, 120, 150, 180, 240, 300, 365)
#: Margins per row.
MARGINS = 4
#: How much more a fading effect is shrunk than a lasting one.
_FADE_PENALTY = 4.0
#: Stiffness of the hazards of neighboring periods, so that one that was hardly observed takes that of the one before.
_STIFF, _HELD = 10.0, 0.01
_CHUNK = 65_536
_STEPS, _PRECISION = 60, 1e-9
#: Rounding of what is learned, so that a model file does not depend on the last bits of a sum.
DIGITS = 9
_LEAST = 1e-12


def edges(horizon_days: int) -> tuple[int, ...]:
    """Beginning of the first period, then the end of each, in days from the cutoff.

    >>> edges(90)[:5], edges(10)[:4]
    ((0, 7, 14, 21, 28), (0, 7, 10, 14))
    """
    return tuple(sorted({0, *_DAYS, horizon_days}))


@dataclass(frozen=True)
class Outcomes:
    """What is known of each row: the period in which it ended, how it ended, and how many periods were observed whole.

    Attributes:
        edges: As `edges` gives them.
        period: Period of the end, from 0; the number of periods where no end is known.
        won: Whether the end was a win.
        seen: Periods observed whole, from the first on.
    """

    edges: tuple[int, ...]
    period: Ints
    won: NDArray[np.bool_]
    seen: Ints

    @classmethod
    def of(cls, rows: pa.Table, horizon_days: int) -> Outcomes:
        """From snapshots with `outcome`, `outcome_days` and `observed_days`."""
        marks = edges(horizon_days)
        days = np.nan_to_num(rows["outcome_days"].to_numpy().astype(float), nan=np.inf)
        observed = rows["observed_days"].to_numpy().astype(float)
        won = np.asarray(rows["outcome"].to_pylist(), dtype=object) == "won"
        period = np.searchsorted(marks[1:], np.where(days < observed, days, np.inf), side="right")
        return cls(marks, period, won, np.searchsorted(marks[1:], observed, side="right"))

    def __len__(self) -> int:
        return len(self.period)

    @property
    def periods(self) -> int:
        """Number of periods."""
        return len(self.edges) - 1

    @property
    def ended(self) -> NDArray[np.bool_]:
        """Rows whose end is in a period that was observed whole."""
        return self.period < self.seen

    def within(self, horizon_days: int) -> int:
        """Number of periods up to the horizon."""
        return self.edges.index(horizon_days)

    def take(self, which: NDArray[np.bool_] | Ints) -> Outcomes:
        """Those of some rows."""
        return Outcomes(self.edges, self.period[which], self.won[which], self.seen[which])

    def known_after(self, days: Floats) -> Outcomes:
        """What had been observed so many days after each row's cutoff: nothing later counts."""
        return replace(self, seen=np.minimum(self.seen, np.searchsorted(self.edges[1:], days, side="right")))

    def counts(self) -> tuple[int, int]:
        """Rows that ended in an observed period: won, and lost."""
        return int((self.ended & self.won).sum()), int((self.ended & ~self.won).sum())


def fade(periods: int) -> Floats:
    """Per period how much of a fading margin counts, from -1 to 1."""
    return np.linspace(-1.0, 1.0, periods) if periods > 1 else np.zeros(1)


def _hazards(base: Floats, margins: Floats, k: int, weight: float) -> Floats:
    """P(won in period k) and P(lost in it), of rows open at its beginning: rows by 2."""
    odds = np.exp(np.clip(base[..., k] + margins[:, :2] + weight * margins[:, 2:], -40.0, 30.0))
    return np.asarray(odds / (1.0 + odds.sum(axis=1, keepdims=True)))


def _of(base: Floats, rows: Ints) -> Floats:
    """Hazards of some rows, where each has its own."""
    return base[rows] if base.ndim == 3 else base


def _with_length(base: Floats, marks: tuple[int, ...]) -> Floats:
    return np.asarray(base + np.log(np.diff(marks) / 7.0))


@dataclass(frozen=True)
class Curves:
    """P(won by t) and P(lost by t) of each row at the end of every period; neither falls, and both add up to at most 1."""

    edges: tuple[int, ...]
    won: Floats
    lost: Floats

    def at(self, days: int | float) -> tuple[Floats, Floats]:
        """P(won by a day) and P(lost by it), evenly within a period; beyond the last period as at its end."""
        return by_day(self.edges, self.won, days), by_day(self.edges, self.lost, days)

    def days_until(self, share: float) -> Floats:
        """Days until so large a share of the wins within all periods has come, evenly within a period."""
        aim = share * self.won[:, -1]
        k = np.minimum((self.won < aim[:, None]).sum(axis=1), self.won.shape[1] - 1)
        row = np.arange(len(aim))
        before = np.where(k > 0, self.won[row, k - 1], 0.0)
        part = (aim - before) / np.maximum(self.won[row, k] - before, _LEAST)
        marks = np.array(self.edges, dtype=float)
        return np.asarray(marks[k] + np.clip(part, 0.0, 1.0) * (marks[k + 1] - marks[k]))

    def tilted(self, won: Floats, horizon_days: int) -> Curves:
        """The curves whose P(won by the horizon) is another: the odds of a win at any time are multiplied.

        What is lost or stays open gives way in proportion, so that everything still adds up to 1. A probability that
        no factor reaches is taken as near as it goes.
        """
        k = self.edges.index(horizon_days) - 1
        at_horizon, ever = self.won[:, k], self.won[:, -1]
        aim = np.minimum(won, 0.999999 * at_horizon / np.maximum(ever, _LEAST))
        rest = np.maximum(at_horizon - aim * ever, _LEAST)
        # what is not won, at least as much as is lost: near 1 the difference alone would be rounded below it
        others = np.maximum(np.maximum(1.0 - ever, self.lost[:, -1]), _LEAST)
        factor = np.where(at_horizon > _LEAST, aim * others / rest, 1.0)[:, None]
        whole = factor * ever[:, None] + others[:, None]
        return Curves(self.edges, factor * self.won / whole, self.lost / whole)


def by_day(marks: tuple[int, ...], cumulative: Floats, days: int | float) -> Floats:
    """Of cumulative probabilities at the ends of periods the one at a day."""
    k = int(np.searchsorted(marks[1:], days, side="left"))
    if k >= len(marks) - 1:
        return cumulative[:, -1]
    before = cumulative[:, k - 1] if k else np.zeros(len(cumulative))
    part = (days - marks[k]) / (marks[k + 1] - marks[k])
    return np.asarray(before + part * (cumulative[:, k] - before))


def curves(base: Floats, margins: Floats, marks: tuple[int, ...], periods: int | None = None) -> Curves:
    """Curves of rows from their margins.

    Args:
        base: Two rows, won and lost, by periods.
        margins: Rows by 4.
        marks: As `edges` gives them.
        periods: Only the first so many.
    """
    count = len(marks) - 1
    base, weights = _with_length(base, marks), fade(count)
    count = count if periods is None else periods
    won, lost = np.empty((len(margins), count)), np.empty((len(margins), count))
    still, so_far = np.ones(len(margins)), np.zeros((len(margins), 2))
    for k in range(count):
        ends = _hazards(base, margins, k, weights[k]) * still[:, None]
        so_far = so_far + ends
        won[:, k], lost[:, k] = so_far[:, 0], so_far[:, 1]
        still = np.maximum(still - ends.sum(axis=1), 0.0)
    return Curves(marks[: count + 1], won, lost)


def losses(base: Floats, margins: Floats, outcomes: Outcomes, periods: int) -> Floats:
    """Negative log likelihood per row of what was observed of the first so many periods."""
    base, weights = _with_length(base, outcomes.edges), fade(outcomes.periods)
    total = np.zeros(len(margins))
    for k in range(periods):
        risk = np.flatnonzero((k < outcomes.seen) & (k <= outcomes.period))
        if len(risk):
            p = _hazards(_of(base, risk), margins[risk], k, weights[k])
            ends = outcomes.period[risk] == k
            likely = np.where(ends, np.where(outcomes.won[risk], p[:, 0], p[:, 1]), 1.0 - p.sum(axis=1))
            total[risk] -= np.log(np.maximum(likely, _LEAST))
    return total


def gradient(base: Floats, margins: Floats, outcomes: Outcomes) -> tuple[Floats, Floats]:
    """Of the negative log likelihood by the lasting margins of each row, won and lost: first and second derivative."""
    base, weights = _with_length(base, outcomes.edges), fade(outcomes.periods)
    first, second = np.zeros((len(margins), 2)), np.zeros((len(margins), 2))
    for k in range(int(outcomes.seen.max(initial=0))):
        risk = np.flatnonzero((k < outcomes.seen) & (k <= outcomes.period))
        if len(risk):
            p = _hazards(_of(base, risk), margins[risk], k, weights[k])
            second[risk] += p * (1.0 - p)
            first[risk] += p - _happened(outcomes, risk, k)
    return first, np.maximum(second, 1e-6)


def _happened(outcomes: Outcomes, risk: Ints, k: int) -> Floats:
    ends = outcomes.period[risk] == k
    won = outcomes.won[risk]
    return np.stack([ends & won, ends & ~won], axis=1).astype(float)


def level(outcomes: Outcomes) -> Floats:
    """Log odds per week of winning and of losing in each period, without any signal: where fitting begins."""
    weeks = np.diff(outcomes.edges) / 7.0
    base = np.zeros((2, outcomes.periods))
    whole = np.zeros(2)
    exposed = 0.0
    for k in range(outcomes.periods):
        risk = np.flatnonzero((k < outcomes.seen) & (k <= outcomes.period))
        exposed += len(risk) * weeks[k]
        whole += _happened(outcomes, risk, k).sum(axis=0)
    base[:] = np.log((whole + 0.5) / (exposed + 1.0))[:, None]
    return base


@dataclass(frozen=True)
class Fitted:
    """Hazards per period and the weights of signals in the four margins."""

    base: Floats
    weights: Floats


def fit(
    x: Floats, outcomes: Outcomes, penalty: float, offset: Floats | None = None, base: Floats | None = None
) -> Fitted:
    """Weights of largest penalized likelihood, by Newton's steps to the optimum itself.

    Methods that follow the gradient end near the optimum, at a point that depends on the order in which a processor adds.

    Args:
        x: Signals, rows by columns, of about the same scale.
        outcomes: What is known of the rows.
        penalty: Strength of the quadratic penalty on the weights.
        offset: Margins to start from, rows by 4.
        base: Hazards that are taken as they are, for all rows or, rows by 2 by periods, for each; learned when None.
    """
    n, p, periods = len(x), x.shape[1], outcomes.periods
    given = base is not None
    start = level(outcomes) if base is None else base
    free = 0 if given else 2 * periods
    ridge = np.zeros(free + MARGINS * p)
    ridge[free : free + 2 * p] = penalty
    ridge[free + 2 * p :] = penalty * _FADE_PENALTY
    stiff = _stiffness(periods) if not given else np.zeros((0, 0))
    theta = np.zeros(free + MARGINS * p)
    if not given:
        theta[:free] = start.ravel()

    def parts(at: Floats) -> tuple[Floats, Floats]:
        hazards = start if given else at[:free].reshape(2, periods)
        return hazards, at[free:].reshape(MARGINS, p).T

    def penalized(at: Floats) -> float:
        own = 0.5 * float(ridge @ (at * at))
        if not given:
            own += 0.5 * float(at[:free] @ stiff @ at[:free]) + 0.5 * _HELD * float(
                ((at[:free] - start.ravel()) ** 2).sum()
            )
        hazards, weights = parts(at)
        total = own
        for lot in _lots(n):
            margins = x[lot] @ weights + (0.0 if offset is None else offset[lot])
            total += float(losses(_of(hazards, lot), margins, outcomes.take(lot), periods).sum())
        return total

    value = penalized(theta)
    for _ in range(_STEPS):
        slope, bend = ridge * theta, np.diag(ridge)
        if not given:
            slope[:free] += stiff @ theta[:free] + _HELD * (theta[:free] - start.ravel())
            bend[:free, :free] += stiff + _HELD * np.eye(free)
        hazards, weights = parts(theta)
        for lot in _lots(n):
            margins = x[lot] @ weights + (0.0 if offset is None else offset[lot])
            _add(slope, bend, x[lot], margins, _of(hazards, lot), outcomes.take(lot), free)
        step = np.linalg.solve(bend, slope)
        size = 1.0
        while True:
            trial = theta - size * step
            after = penalized(trial)
            if after <= value + 1e-9 * abs(value) or size < 1e-4:
                break
            size /= 2.0
        theta, value = trial, after
        if float(np.abs(step).max(initial=0.0)) * size < _PRECISION:
            break
    hazards, weights = parts(theta)
    return Fitted(np.round(hazards, DIGITS), np.round(weights, DIGITS))


def _stiffness(periods: int) -> Floats:
    """Of the sum of squared differences of neighboring periods, won and lost apart."""
    differences = np.diff(np.eye(periods), axis=0)
    return np.asarray(np.kron(np.eye(2), _STIFF * differences.T @ differences), dtype=np.float64)


def _lots(n: int) -> list[Ints]:
    return [np.arange(begin, min(n, begin + _CHUNK)) for begin in range(0, n, _CHUNK)]


def _add(slope: Floats, bend: Floats, x: Floats, margins: Floats, base: Floats, outcomes: Outcomes, free: int) -> None:
    """Add what some rows tell to the first and second derivative, in place."""
    n, p = x.shape
    periods, weights = outcomes.periods, fade(outcomes.periods)
    base = _with_length(base, outcomes.edges)
    first = np.zeros((n, MARGINS))
    second = np.zeros((3, 3, n))  # pair of ends (won won, won lost, lost lost), power of fade, row
    pairs = ((0, 0), (0, 1), (1, 1))
    by_period = np.zeros((3, periods, n)) if free else None
    for k in range(int(outcomes.seen.max(initial=0))):
        risk = np.flatnonzero((k < outcomes.seen) & (k <= outcomes.period))
        if not len(risk):
            continue
        h = _hazards(_of(base, risk), margins[risk], k, weights[k])
        off = h - _happened(outcomes, risk, k)
        first[risk, :2] += off
        first[risk, 2:] += weights[k] * off
        for pair, (cause, other) in enumerate(pairs):
            value = h[:, cause] * ((cause == other) - h[:, other])
            for power in range(3):
                second[pair, power, risk] += weights[k] ** power * value
            if by_period is not None:
                by_period[pair, k, risk] = value
        if free:
            for end in range(2):
                slope[end * periods + k] += off[:, end].sum()
    slope[free:] += (x.T @ first).T.ravel()
    places = {(end, power): free + (2 * power + end) * p for end in range(2) for power in range(2)}
    for pair, (cause, other) in enumerate(pairs):
        blocks = [x.T @ (second[pair, power][:, None] * x) for power in range(3)]
        for a in range(2):
            for b in range(2):
                i, j = places[cause, a], places[other, b]
                bend[i : i + p, j : j + p] += blocks[a + b]
                if cause != other:
                    bend[j : j + p, i : i + p] += blocks[a + b].T
        if by_period is not None:
            sums, crossed = by_period[pair].sum(axis=1), by_period[pair] @ x
            for k in range(periods):
                i, j = cause * periods + k, other * periods + k
                bend[i, j] += sums[k]
                if cause != other:
                    bend[j, i] += sums[k]
                for power in range(2):
                    scaled = weights[k] ** power * crossed[k]
                    for row, end in {(i, other), (j, cause)}:
                        place = places[end, power]
                        bend[row, place : place + p] += scaled
                        bend[place : place + p, row] += scaled
