"""From signals to numbers: which signals tell anything, and how categories become columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from medallion.scoring.readiness import INSTEAD, NotReadyError
from medallion.scoring.signals import SEASON, Kind
from medallion.scoring.signals import kinds as all_kinds

Floats = NDArray[np.float64]

#: Categories kept per signal, and rows that one needs to be kept.
MOST_LEVELS, LEAST_ROWS = 40, 30
_SEASON = frozenset(signal.name for signal in SEASON)
_DAYS_OF_SEASONS = 365


@dataclass(frozen=True)
class Encoder:
    """Turns signals into a matrix: amounts and shares as they are (unknown is NaN), categories as 0 and 1.

    Attributes:
        signals: Per signal in use, its categories; empty for amounts and shares. A category that is not among them
            has zeros only, an unknown one has a column of its own, `None`.
        amounts: Signals that a line takes on a log scale.
    """

    signals: Mapping[str, tuple[str | None, ...]]
    amounts: frozenset[str] = frozenset()

    @classmethod
    def fit(cls, rows: pa.Table, kinds: Mapping[str, Kind] | None = None) -> Encoder:
        """Leave out what is constant, what is always unknown, and the season where there is not a year of it.

        Args:
            rows: Rows to learn from.
            kinds: Kind of each column that is a signal; those of `SIGNALS` when None.

        Raises:
            NotReadyError: No signal is left.
        """
        kinds = kinds or all_kinds()
        categories: dict[str, tuple[str | None, ...]] = {}
        for name in kinds:
            column = rows[name]
            if name in _SEASON and _days(rows) < _DAYS_OF_SEASONS:
                continue
            if kinds[name] == "category":
                counts = pc.value_counts(column).to_pylist()
                often = sorted(
                    (-c["counts"], c["values"] or "", c["values"]) for c in counts if c["counts"] >= LEAST_ROWS
                )
                levels = tuple(value for _, _, value in often[:MOST_LEVELS])
                if len(counts) > 1 and levels:
                    categories[name] = levels
            elif pc.count_distinct(column, mode="all").as_py() > 1 and column.null_count < len(column):
                categories[name] = ()
        if not categories:
            raise NotReadyError("Too little to learn from: every signal is the same for all deals", INSTEAD)
        return cls(categories, frozenset(name for name in categories if kinds[name] == "amount"))

    @property
    def columns(self) -> list[tuple[str, str | None]]:
        """Per column of the matrix its signal, and the category it stands for."""
        return [(name, level) for name, levels in self.signals.items() for level in (levels or (None,))]

    @property
    def groups(self) -> NDArray[np.int64]:
        """Per column of the matrix the place of its signal in `signals`."""
        places = {name: place for place, name in enumerate(self.signals)}
        return np.array([places[name] for name, _ in self.columns], dtype=np.int64)

    @property
    def on_log_scale(self) -> NDArray[np.bool_]:
        """Per column of the matrix whether a line takes it on a log scale."""
        return np.array([name in self.amounts for name, _ in self.columns])

    def transform(self, rows: pa.Table | pa.RecordBatch) -> Floats:
        """The matrix, rows by `columns`."""
        out = np.zeros((rows.num_rows, len(self.columns)))
        place = 0
        for name, levels in self.signals.items():
            column = rows.column(name)
            if not levels:
                out[:, place] = _numbers(column)
                place += 1
            for level in levels:
                out[:, place] = _numbers(
                    column.is_null() if level is None else pc.equal(column, level).fill_null(False)
                )
                place += 1
        return out

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return {"signals": {n: list(levels) for n, levels in self.signals.items()}, "amounts": sorted(self.amounts)}

    @classmethod
    def load(cls, document: Mapping[str, Any]) -> Encoder:
        """From JSON."""
        return cls({n: tuple(levels) for n, levels in document["signals"].items()}, frozenset(document["amounts"]))


def _days(rows: pa.Table) -> int:
    ends = pc.min_max(rows["cutoff"]).as_py()
    return 0 if ends["min"] is None else int((ends["max"] - ends["min"]).days)


def _numbers(column: pa.Array | pa.ChunkedArray) -> Floats:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.asarray(whole.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
