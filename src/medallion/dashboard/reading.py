"""The lakehouse as the dashboard reads it: one version held open, figures remembered, a new version taken up."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import duckdb

from medallion import metrics, query
from medallion.errors import LakehouseError
from medallion.metrics import Answer, Filter
from medallion.store import Lakehouse

T = TypeVar("T")

#: What DuckDB may take; beyond it, it goes on in files.
MEMORY = "300MB"
#: How many answers are remembered for one version.
REMEMBERED = 4000
#: Seconds between two looks for a new version.
LOOK = 1.0
#: Tables whose log moves when a run, an erasure or a correction has ended: then, and not in between, figures change.
_SIGNS = ("ops.runs", "ops.erasures", "ops.corrections")
_NEEDED = (
    "gold.deals",
    "gold.customer_features",
    "gold.channel_performance",
    "gold.sales_summary",
    "gold.top_customers",
)


class Reading:
    """One version of every table. Answers are computed once; threads ask side by side."""

    def __init__(self, lake: Lakehouse, sign: str = "") -> None:
        """Open the newest version; `sign` tells it from others.

        Raises:
            LakehouseError: There is no lakehouse, or no gold in it.
        """
        self.lake, self.sign = lake, sign
        self._stack = ExitStack()
        self._connection = self._stack.enter_context(query.connect(lake))
        try:
            for name in _NEEDED:
                lake.delta(name)
        except LakehouseError:
            self._stack.close()
            raise
        self._connection.execute(f"set memory_limit = '{MEMORY}'")
        self.tables = frozenset(
            f"{layer}.{name}"
            for layer, name in self._connection.execute(
                "select schema_name, view_name from duckdb_views() where not internal"
            ).fetchall()
        )
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(max(2, os.cpu_count() or 2))
        self._known: OrderedDict[Hashable, _Once] = OrderedDict()

    def close(self) -> None:
        """Let go of the files."""
        self._stack.close()

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """What `compute` gives, computed once per key however many ask at a time; a failure is not remembered."""
        with self._lock:
            cell = self._known.get(key)
            if cell is None:
                cell = self._known[key] = _Once()
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
            else:
                self._known.move_to_end(key)
        found: T = cell.value(compute)
        return found

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor of its own for a thread, in UTC."""
        cursor = self._connection.cursor()
        cursor.execute("set timezone = 'UTC'")
        return cursor

    def rows(self, sql: str, parameters: Iterable[Any] = ()) -> list[dict[str, Any]]:
        """The rows of a query as dicts."""
        given = tuple(parameters)

        def compute() -> list[dict[str, Any]]:
            with self._slots, self.cursor() as cursor:
                return query.rows(cursor, sql, given)

        return self.once(("rows", sql, given), compute)

    def ask(
        self,
        name: str,
        by: tuple[str, ...] = (),
        where: tuple[Filter, ...] = (),
        largest: int | None = None,
        parameters: Mapping[str, float] | None = None,
    ) -> Answer:
        """A metric, as `medallion.metrics.ask` gives it."""

        def compute() -> Answer:
            with self._slots, self.cursor() as cursor:
                return metrics.ask(cursor, name, by, where, parameters, largest)

        return self.once(("ask", name, by, where, largest, tuple(sorted((parameters or {}).items()))), compute)

    def ahead(self, wanted: Iterable[tuple[str, tuple[Filter, ...]]]) -> None:
        """Compute totals that are about to be asked for, those of one view and filter in one pass."""
        groups: dict[tuple[str, tuple[Filter, ...]], list[str]] = {}
        for name, where in dict.fromkeys(wanted):
            groups.setdefault((metrics.named(name).view.source, where), []).append(name)
        for (source, where), names in groups.items():

            def compute(names: list[str] = names, where: tuple[Filter, ...] = where) -> list[Answer]:
                with self._slots, self.cursor() as cursor:
                    return metrics.together(cursor, names, where)

            if len(names) > 1:
                found = self.once(("together", source, where, tuple(names)), compute)
                for name, answer in zip(names, found, strict=True):
                    self.once(("ask", name, (), where, None, ()), partial(_held, answer))

    def values(self, table: str, column: str) -> tuple[str, ...]:
        """The values of a column that stand in a filter: known ones, in order."""
        sql = f"select distinct cast({column} as varchar) as value from {table} where {column} is not null order by 1"
        return tuple(row["value"] for row in self.rows(sql))

    @property
    def as_of(self) -> Any:
        """The last day that gold includes; None when it is empty."""
        return self.rows("select max(day) as day from gold.sales_summary")[0]["day"]


def _held(answer: Answer) -> Answer:
    return answer


class _Once:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[Any] = []

    def value(self, compute: Callable[[], Any]) -> Any:
        with self._lock:
            if not self._held:
                self._held.append(compute())
            return self._held[0]


class Source:
    """Gives the reading of the newest version, and a new one when a run has ended since."""

    def __init__(self, lake: Lakehouse) -> None:
        self.lake = lake
        self._lock = threading.Lock()
        self._sign: tuple[int, ...] | None = None
        self._reading: Reading | None = None
        self._looked = 0.0

    def reading(self) -> Reading:
        """The reading to answer a request from.

        Raises:
            LakehouseError: There is no lakehouse, or no gold in it.
        """
        with self._lock:
            if self._reading is None or monotonic() - self._looked > LOOK:
                sign = self._look()
                if self._reading is None or sign != self._sign:
                    # the one before is closed by nobody: requests may still read from it, and it goes with them
                    self._reading, self._sign = Reading(self.lake, _short(sign)), sign
                self._looked = monotonic()
            return self._reading

    def forget(self) -> None:
        """Open anew at the next request: files of the version were taken away."""
        with self._lock:
            self._reading = None

    def _look(self) -> tuple[int, ...]:
        if "://" in self.lake.root:
            return tuple(self.lake.version(name) for name in _SIGNS)
        found = []
        for name in _SIGNS:
            try:
                found.append(Path(self.lake.path(name), "_delta_log").stat().st_mtime_ns)
            except OSError:
                found.append(-1)
        return tuple(found)


def _short(sign: tuple[int, ...]) -> str:
    return hashlib.sha256(repr(sign).encode()).hexdigest()[:12]
