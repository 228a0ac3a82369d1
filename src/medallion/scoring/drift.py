"""Whether the deals of now still look like those that a model learned from: the population stability index.

`PSI = sum((now - then) * ln(now / then))` over the bins of a signal, shares of at least 0.0001 (Siddiqi 2006): below
0.1 stable, from 0.25 on another population.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medallion.scoring.matrix import MOST_LEVELS, Floats
from medallion.scoring.signals import SEASON, SIGNALS, Kind
from medallion.scoring.signals import kinds as all_kinds

WATCH, DRIFTED = 0.1, 0.25
_LEAST_SHARE = 1e-4
_BINS = 10
#: Bins of ages: finer ones would tell the days of the week apart.
_DAYS = (7.0, 14.0, 30.0, 60.0, 90.0, 180.0, 365.0)
#: Signals that grow by themselves while time goes on: shown, but no reason to train again.
GROWING = frozenset({"days_open", "account_age_days", "account_closed", "touches_365d", "days_in_stage", "stage_moves"})
#: Share of all effects from which the drift of a signal matters.
MATTERS = 0.03


def profile(
    rows: pa.Table, names: Sequence[str], effects: Floats, kinds: Mapping[str, Kind] | None = None
) -> dict[str, dict[str, Any]]:
    """Per signal its bins, the shares of rows in them, unknown last, and its share of all effects.

    Args:
        rows: What a model learned from.
        names: Its signals.
        effects: What each adds to the logarithm of the odds, for some of the rows.
        kinds: Kind of each signal; those of every lakehouse when None.
    """
    kinds = kinds or all_kinds()
    calendar = {signal.name for signal in SEASON}
    ages = {signal.name for signal in SIGNALS if signal.unit == "days"}
    size = np.abs(effects).mean(axis=0) if len(effects) else np.zeros(len(names))
    weight = dict(zip(names, size / max(float(size.sum()), 1e-12), strict=True))
    profiles: dict[str, dict[str, Any]] = {}
    for name in names:
        if name in calendar:
            continue  # the calendar moves on by itself
        column = rows[name]
        if kinds[name] == "category":
            counts = pc.value_counts(column.drop_null()).to_pylist()
            levels = [c["values"] for c in sorted(counts, key=lambda c: (-c["counts"], c["values"]))[:MOST_LEVELS]]
            bins: dict[str, Any] = {"levels": levels}
        elif name in ages:
            bins = {"edges": list(_DAYS)}
        else:
            values = column.drop_null().cast(pa.float64()).to_numpy()
            edges = np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1])) if len(values) else np.zeros(0)
            bins = {"edges": [round(float(edge), 9) for edge in edges]}
        bins["weight"] = round(float(weight[name]), 6)
        profiles[name] = {**bins, "shares": [round(float(share), 9) for share in shares(rows, name, bins)]}
    return profiles


def shares(rows: pa.Table, name: str, bins: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Share of the rows in each bin of a signal, unknown last."""
    column = rows[name]
    known = column.drop_null()
    if "levels" in bins:
        places = pc.index_in(known, pa.array(bins["levels"], pa.string())).fill_null(len(bins["levels"])).to_numpy()
        width = len(bins["levels"]) + 1
    else:
        places = np.searchsorted(bins["edges"], known.cast(pa.float64()).to_numpy(), side="left")
        width = len(bins["edges"]) + 1
    counts = np.append(np.bincount(places.astype(int), minlength=width), column.null_count)
    return np.asarray(counts / max(1, len(column)), dtype=np.float64)


def stability(rows: pa.Table, kept: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """PSI per signal, the largest first."""
    psi = {}
    for name, bins in kept.items():
        then = np.maximum(np.array(bins["shares"], dtype=float), _LEAST_SHARE)
        now = np.maximum(shares(rows, name, bins), _LEAST_SHARE)
        psi[name] = round(float(((now - then) * np.log(now / then)).sum()), 4)
    return dict(sorted(psi.items(), key=lambda item: (-item[1], item[0])))
