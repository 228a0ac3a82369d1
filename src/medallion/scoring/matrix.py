"""From signals to numbers: which signals tell anything, and how categories become columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from medallion.scoring.readiness import INSTEAD, NotReadyError
from medallion.scoring.signals import SIGNALS, kind

Floats = NDArray[np.float64]

#: Categories kept per signal, and rows that one needs to be kept.
MOST_LEVELS, LEAST_ROWS = 20, 30
_SEASON = ("season_cos", "season_sin")
_DAYS_OF_SEASONS = 365


@dataclass(frozen=True)
class Encoder:
    """Turns signals into a matrix: amounts and shares as they are (unknown is NaN), categories as 0 and 1.

    Attributes:
        signals: Per signal in use, its categories; empty for amounts and shares. A category that is not among them
            has zeros only, an unknown one has a column of its own, `None`.
    """

    signals: Mapping[str, tuple[str | None, ...]]

    @classmethod
    def fit(cls, rows: pa.Table) -> Encoder:
        """Leave out what is constant, what is always unknown, and the season where there is not a year of it.

        Raises:
            NotReadyError: No signal is left.
        """
        found: dict[str, tuple[str | None, ...]] = {}
        for signal in SIGNALS:
            column = rows[signal.name]
            if signal.name in _SEASON and _days(rows) < _DAYS_OF_SEASONS:
                continue
            if kind(signal) == "category":
                counts = pc.value_counts(column).to_pylist()
                often = sorted(
                    (-c["counts"], c["values"] or "", c["values"]) for c in counts if c["counts"] >= LEAST_ROWS
                )
                levels = tuple(value for _, _, value in often[:MOST_LEVELS])
                if len(counts) > 1 and levels:
                    found[signal.name] = levels
            elif pc.count_distinct(column, mode="all").as_py() > 1 and column.null_count < len(column):
                found[signal.name] = ()
        if not found:
            raise NotReadyError("Too little to learn from: every signal is the same for all deals", INSTEAD)
        return cls(found)

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
    def amounts(self) -> NDArray[np.bool_]:
        """Per column of the matrix whether it is an amount, which a line takes on a log scale."""
        kinds = {signal.name: kind(signal) for signal in SIGNALS}
        return np.array([kinds[name] == "amount" for name, _ in self.columns])

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
        return {name: list(levels) for name, levels in self.signals.items()}

    @classmethod
    def load(cls, document: Mapping[str, Sequence[str | None]]) -> Encoder:
        """From JSON."""
        return cls({name: tuple(levels) for name, levels in document.items()})


def _days(rows: pa.Table) -> int:
    ends = pc.min_max(rows["cutoff"]).as_py()
    return 0 if ends["min"] is None else int((ends["max"] - ends["min"]).days)


def _numbers(column: pa.Array | pa.ChunkedArray) -> Floats:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.asarray(whole.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
