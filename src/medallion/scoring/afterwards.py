"""Signals that are filled, or changed, only when a deal ends: found by what they tell of deals, and left out.

A first delivery has closed deals as they were at the end. A field that a rep fills when a deal is won, or a value that is
set then, looks like a signal of it. Two things give it away: it is known of closed deals and unknown of open ones; and it
tells outcomes far better for deals that were delivered closed than for those that were delivered while they were open.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medallion.figures import percent
from medallion.scoring.signals import Kind

#: Deals of a group that a share, and an area under the curve, is told from.
LEAST_DEALS, LEAST_RANKED = 20, 40
#: How much more often a field may be known of closed deals than of open ones.
MOST_MORE = 0.2
#: Area under the curve that one field alone does not reach before the outcome; and how far it may lie above that of
#: deals that were delivered while they were open, beyond chance.
MOST_ALONE, MOST_ABOVE = 0.85, 0.1
_Z_MUCH, _BINS, _PRIOR = 4.0, 10, 5.0

Texts = NDArray[np.object_]
Mask = NDArray[np.bool_]


def found(rows: pa.Table, kinds: Mapping[str, Kind], delivered_open: Collection[str]) -> dict[str, str]:
    """What gives each suspicious signal away, in words.

    Args:
        rows: Labelled snapshots.
        kinds: The signals to look at, each with its kind.
        delivered_open: Deals of which a delivery came while they were open.
    """
    if not kinds:
        return {}
    last = rows.sort_by([("lead_id", "ascending"), ("cutoff", "descending")])
    deals = np.asarray(last["lead_id"].to_pylist(), dtype=object)
    first = np.r_[True, deals[1:] != deals[:-1]] if len(deals) else np.zeros(0, dtype=bool)
    one_each = last.filter(pa.array(first))
    outcome = np.asarray(one_each["outcome"].to_pylist(), dtype=object)
    before = np.isin(deals[first], np.asarray(list(delivered_open), dtype=object))
    reasons = {}
    for name, kind in kinds.items():
        levels = _levels(one_each[name], kind)
        reason = _filled(levels, outcome, before) or _tells(levels, outcome, before)
        if reason:
            reasons[name] = reason
    return reasons


def _levels(column: pa.ChunkedArray, kind: Kind) -> Texts:
    """Categories as they are and amounts as the number of their bin; None where nothing is known."""
    values = np.asarray(column.to_pylist(), dtype=object)
    if kind == "category":
        return values
    known = np.array([value is not None for value in values], dtype=bool)
    numbers = values[known].astype(float)
    out = np.full(len(values), None, dtype=object)
    if len(numbers):
        edges = np.unique(np.quantile(numbers, np.linspace(0, 1, _BINS + 1)[1:-1]))
        out[known] = [str(place) for place in np.searchsorted(edges, numbers, side="right")]
    return out


def _filled(levels: Texts, outcome: Texts, before: Mask) -> str:
    """Whether it is known far more often of deals that were delivered closed than of those that were delivered open."""
    known = np.array([level is not None for level in levels], dtype=bool)
    then = known[before]
    closed = {end: known[~before & (outcome == end)] for end in ("won", "lost")}
    if len(then) < LEAST_DEALS:
        return ""
    for end, of_end in closed.items():
        if len(of_end) < LEAST_DEALS:
            continue
        more = of_end.mean() - then.mean()
        both = (of_end.sum() + then.sum() + 1.0) / (len(of_end) + len(then) + 2.0)
        if more > MOST_MORE and more > _Z_MUCH * np.sqrt(both * (1 - both) * (1 / len(of_end) + 1 / len(then))):
            return (
                f"it is known of {percent(float(of_end.mean()))} of the deals that were delivered {end}, and of "
                f"{percent(float(then.mean()))} of those that were delivered open: it is filled when a deal ends"
            )
    return ""


def _tells(levels: Texts, outcome: Texts, before: Mask) -> str:
    """Whether it tells the outcome of deals that were delivered closed better than a signal can."""
    ended = np.isin(outcome, ["won", "lost"])
    won = outcome == "won"
    after, earlier = ended & ~before, ended & before
    if min((won & after).sum(), (~won & after).sum()) < LEAST_RANKED:
        return ""
    alone = _auc(won[after], _rates(levels[after], won[after]))
    if min((won & earlier).sum(), (~won & earlier).sum()) >= LEAST_RANKED:
        open_then = _auc(won[earlier], _rates(levels[earlier], won[earlier]))
        chance = sum(0.58 / np.sqrt(min(won[part].sum(), (~won[part]).sum())) for part in (after, earlier))
        if alone - open_then > MOST_ABOVE + chance:
            return (
                f"alone it tells won from lost with an AUC of {alone:.2f} for deals that were delivered closed, and of "
                f"{open_then:.2f} for those that were delivered open: it is changed when a deal ends"
            )
        return ""
    if alone > MOST_ALONE:
        return (
            f"alone it tells won from lost with an AUC of {alone:.2f}, and nearly all closed deals were delivered closed: "
            "it seems to be set when a deal ends"
        )
    return ""


def _rates(levels: Texts, won: Mask) -> NDArray[np.float64]:
    """The share won of each deal's level, from the other half of the deals."""
    codes = np.unique(np.array([f"={level}" if level is not None else "" for level in levels]), return_inverse=True)[1]
    half = np.arange(len(won)) % 2 == 0
    rates = np.zeros(len(won))
    for rated in (half, ~half):
        of, to = codes[~rated], won[~rated]
        count, wins = np.bincount(of, minlength=codes.max() + 1), np.bincount(of, to, minlength=codes.max() + 1)
        rates[rated] = ((wins + _PRIOR * to.mean()) / (count + _PRIOR))[codes[rated]]
    return rates


def _auc(won: Mask, score: NDArray[np.float64]) -> float:
    """P(a won deal has the higher score than a lost one); ties count half."""
    place = np.unique(score, return_inverse=True)[1]
    wins, losses = (np.bincount(place, of, minlength=place.max() + 1) for of in (won, ~won))
    below = np.cumsum(losses) - losses
    return float((wins * (below + losses / 2)).sum() / (wins.sum() * losses.sum()))
