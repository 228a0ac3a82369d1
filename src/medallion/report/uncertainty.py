"""How sure a figure from few rows is: intervals of shares, of differences and of rank correlations."""

from __future__ import annotations

from math import atanh, sqrt, tanh
from statistics import NormalDist

from medallion.figures import wilson

#: What an interval covers unless several are looked at together.
LEVEL = 0.95


def z(level: float = LEVEL, looks: int = 1) -> float:
    """Standard normal quantile of a two-sided interval; with `looks` of them at once, after Bonferroni.

    >>> round(z(), 2), round(z(looks=10), 2)
    (1.96, 2.81)
    """
    return NormalDist().inv_cdf(1 - (1 - level) / (2 * max(1, looks)))


def difference(part: int, whole: int, other_part: int, other_whole: int, looks: int = 1) -> tuple[float, float]:
    """Interval of the difference of two shares (Newcombe 1998, method 10); -1 to 1 when a side has no rows.

    >>> [round(end, 2) for end in difference(56, 70, 48, 80)]
    [0.05, 0.33]
    """
    if not whole or not other_whole:
        return -1.0, 1.0
    share, other_share = part / whole, other_part / other_whole
    low, high = wilson(part, whole, z(looks=looks))
    other_low, other_high = wilson(other_part, other_whole, z(looks=looks))
    gap = share - other_share
    return gap - sqrt((share - low) ** 2 + (other_high - other_share) ** 2), gap + sqrt(
        (high - share) ** 2 + (other_share - other_low) ** 2
    )


def rank_correlation(rho: float, n: int, looks: int = 1) -> tuple[float, float]:
    """Interval of Spearman's rho by Fisher's transformation, with the variance of Bonett and Wright (2000).

    >>> [round(end, 2) for end in rank_correlation(0.5, 13)]
    [-0.11, 0.84]
    """
    if n <= 3:
        return -1.0, 1.0
    if abs(rho) >= 1:
        return rho, rho
    half = z(looks=looks) * sqrt((1 + rho**2 / 2) / (n - 3))
    return tanh(atanh(rho) - half), tanh(atanh(rho) + half)
