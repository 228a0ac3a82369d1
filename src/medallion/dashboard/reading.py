"""The lakehouse as the dashboard reads it: one version kept open, figures cached, a new version opened when there is one."""

from __future__ import annotations

import gzip
import hashlib
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import duckdb
from cachetools import LRUCache, cached

from medallion import metrics, temporary
from medallion.access import Person
from medallion.errors import LakehouseError
from medallion.lakehouse import contracts_in_use, manifests, query
from medallion.lakehouse.store import Lakehouse
from medallion.metrics import Answer, Filter, Relation
from medallion.metrics.compilers.duckdb import stages
from medallion.pipeline import proof

T = TypeVar("T")
Shortcut = Callable[[duckdb.DuckDBPyConnection, str, tuple[str, ...], tuple[Filter, ...]], Answer | None]

#: What DuckDB may take, beyond which it goes on in files; and what the rare question may that cannot.
MEMORY, MEMORY_ONCE = "105MB", "600MB"
#: How many answers are cached for one version.
CACHED = 4000
#: How many pages and pictures are cached for one version, compressed.
WRITTEN = 1000
#: So many different views of a version stay open, those asked for last.
OPEN = 8
#: Seconds between two looks for a new version.
LOOK = 1.0
#: Seconds between the first answer of a version and work in the background: time for the figures of a page.
PAUSE = 0.5
#: Tables whose log moves when a command has ended: then, and not in between, figures change. The others tell where
#: manifests are not kept.
_SIGNS = ("ops.manifests", "ops.runs", "ops.erasures", "ops.corrections")
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
        #: Who sees what is read; None where nothing declares it.
        self.person = lake.seen_by
        #: ISO code of all amounts.
        self.currency = contracts_in_use.currency(lake)
        #: What became of amounts in others, in words.
        self.currencies = proof.note(lake)
        self._stack = ExitStack()
        self._read = manifests.as_read(lake)
        self._connection = self._stack.enter_context(query.connect(self._read, alone=True))
        try:
            for name in _NEEDED:
                lake.delta(name)
        except LakehouseError:
            self._stack.close()
            raise
        #: For what does not fit into memory, and for `copies`; it goes with the reading.
        self.folder, remove = temporary.make()
        self._emptied = weakref.finalize(self, remove)
        self._connection.execute(f"set memory_limit = '{MEMORY}'; set temp_directory = '{quoted(self.folder)}'")
        for setting in ("timezone = 'UTC'", "python_enable_replacements = false"):
            self._connection.execute(f"set global {setting}")  # of cursors too
        #: A table, or a query in parentheses, with the copy that is read in its place; from `copies`.
        self.copies: Mapping[str, str] = {}
        #: The source of a metric view with what is read in its place.
        self.relations: Mapping[str, Relation] = {}
        #: Answers metrics in a way of its own; None for those that it does not know.
        self.shortcut: Shortcut | None = None
        self.tables = frozenset(
            f"{layer}.{name}"
            for layer, name in self._connection.execute(
                "select schema_name, view_name from duckdb_views() where not internal"
            ).fetchall()
        )
        #: Set when the copies are made, or given up.
        self.complete = threading.Event()
        self.closed = False
        #: Held by each statement of the work in the background, and by a reader for whom memory was short beside it.
        self.alone = threading.Lock()
        self.working: duckdb.DuckDBPyConnection | None = None
        self._slots = threading.BoundedSemaphore(max(2, os.cpu_count() or 2))
        self._known, self._written = _cache(CACHED), _cache(WRITTEN)

    def close(self) -> None:
        """Let go of the files; work in the background is broken off."""
        self.closed = True
        if working := self.working:
            with suppress(duckdb.Error):  # it has just ended
                working.interrupt()
            self.complete.wait(10)
        with suppress(duckdb.Error):  # a request still reads; the process ends soon
            self._stack.close()
        self._emptied()

    @property
    def as_read(self) -> Lakehouse:
        """The lakehouse at this version."""
        return self._read

    def opened(self, context: AbstractContextManager[T]) -> T:
        """What a context manager gives, until the reading is closed."""
        return self._stack.enter_context(context)

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The result of `compute`, computed once per key even when many ask at once; a failure is not cached."""
        value: T = self._known(key, compute)
        return value

    def written(self, key: Hashable, write: Callable[[], bytes]) -> bytes:
        """The result of `write`, compressed with gzip once per key as long as it is cached."""
        content: bytes = self._written(key, lambda: gzip.compress(write(), 6))
        return content

    def version(self, name: str) -> int:
        """The version of a table that is read."""
        return self._read.version(name)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor of its own for a thread, in UTC."""
        return self._connection.cursor()

    def rows(self, sql: str, parameters: Iterable[Any] = ()) -> list[dict[str, Any]]:
        """The rows of a query as dicts."""
        given = tuple(parameters)

        return self.once(("rows", sql, given), lambda: self.answer(lambda cursor: query.rows(cursor, sql, given)))

    def answer(self, question: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """The answer of a question, of which only some are asked at a time."""
        try:
            with self._slots, self.cursor() as cursor:
                return question(cursor)
        except duckdb.OutOfMemoryException:
            with self.alone, self._slots, self.cursor() as cursor:
                try:
                    cursor.execute(f"set memory_limit = '{MEMORY_ONCE}'")
                    return question(cursor)
                finally:
                    with suppress(duckdb.OutOfMemoryException):  # more is in use beside it; the next one tries again
                        cursor.execute(f"set memory_limit = '{MEMORY}'")

    def ask(
        self,
        name: str,
        by: tuple[str, ...] = (),
        where: tuple[Filter, ...] = (),
        largest: int | None = None,
        parameters: Mapping[str, float] | None = None,
    ) -> Answer:
        """A metric, as `medallion.metrics.ask` gives it."""
        where = self._understood(name, by, where)

        def question(cursor: duckdb.DuckDBPyConnection) -> Answer:
            if self.shortcut and not largest and (answer := self.shortcut(cursor, name, by, where)):
                return answer
            return metrics.computed(
                cursor, metrics.named(name), by, where, parameters, largest, self._over(name, by, where)
            )

        key = ("ask", name, by, where, largest, tuple(sorted((parameters or {}).items())))
        return self.once(key, lambda: self.answer(question))

    def _understood(self, name: str, by: tuple[str, ...], where: tuple[Filter, ...]) -> tuple[Filter, ...]:
        times = {dimension.name for dimension in metrics.named(name).view.dimensions if dimension.is_time}
        last = self.last_day if times & {filter_.dimension for filter_ in where} else None
        return metrics.understand(metrics.named(name), by, where, self.known, last)

    @property
    def last_day(self) -> Any:
        """`as_of`, read once."""
        return self.once(("last day",), lambda: self.as_of)

    def ahead(self, wanted: Iterable[tuple[str, tuple[Filter, ...]]]) -> None:
        """Compute totals that are about to be asked for, those of one view and filter in one pass."""
        groups: dict[tuple[str, tuple[Filter, ...], Relation | None], list[str]] = {}
        for name, given in dict.fromkeys(wanted):
            where = self._understood(name, (), given)
            over = self._over(name, (), where)
            groups.setdefault((metrics.named(name).view.source, where, over), []).append(name)
        for (source, where, over), names in groups.items():
            question = partial(metrics.together, names=names, where=where, over=over)
            if len(names) > 1:
                answers = self.once(("together", source, where, tuple(names)), partial(self.answer, question))
                for name, answer in zip(names, answers, strict=True):
                    self.once(("ask", name, (), where, None, ()), partial(_identity, answer))

    def _over(self, name: str, by: tuple[str, ...], where: tuple[Filter, ...]) -> Relation | None:
        metric = metrics.named(name)
        over = self.relations.get(metric.view.source)
        return over if over and over.covers(metric, (*by, *(filter_.dimension for filter_ in where))) else None

    def at_hand(self, source: str) -> str:
        """A relation of DuckDB, read from copies where there are some."""
        for original, copy in self.copies.items():
            source = source.replace(original, copy)
        return source

    def values(self, table: str, column: str) -> tuple[str, ...]:
        """The values of a column to choose from in a filter: known ones, in order."""
        sql = f"select distinct cast({column} as varchar) as value from {table} where {column} is not null order by 1"
        return tuple(row["value"] for row in self.rows(sql))

    def known(self, dimension: metrics.Dimension) -> tuple[str, ...]:
        """The values of a dimension of the metrics, read once."""

        def read(cursor: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
            return metrics.values_of(cursor, dimension, self.at_hand)

        return self.once(("known", dimension.name, dimension.expr), lambda: self.answer(read))

    def in_funnel(self, rows: list[dict[str, Any]], by: str, key: str = "key") -> list[dict[str, Any]]:
        """The rows of a split by stage as deals go through their stages; those of other splits as they are."""
        if by != "stage":
            return rows
        place = {stage: at for at, stage in enumerate(self.once("stages", lambda: self.answer(stages)))}
        return sorted(rows, key=lambda row: place.get(row[key], len(place)))

    @property
    def as_of(self) -> Any:
        """The last day that gold includes; None when it is empty."""
        return self.rows("select max(day) as day from gold.sales_summary")[0]["day"]


def quoted(text: str) -> str:
    """A text as it stands between the quotes of SQL."""
    return text.replace("'", "''")


def _identity(answer: Answer) -> Answer:
    return answer


def _cache(most: int) -> Callable[[Hashable, Callable[[], Any]], Any]:
    """Gives what a function gives, by a key; who asks for a key that is being computed waits for it."""
    remember = cached(LRUCache(most), key=lambda key, compute: key, condition=threading.Condition())
    return remember(lambda key, compute: compute())


class Source:
    """Gives the reading of the newest version, and a new one when a run has ended since; one for all who see the same."""

    def __init__(self, lake: Lakehouse, opened: Callable[[Reading], None] = lambda reading: None) -> None:
        """Of a lakehouse; `opened` runs in the background with each version, once it has answered a request."""
        self.lake, self._opened = lake, opened
        self._lock = threading.Lock()
        self._sign: tuple[int, ...] | None = None
        self._readings: OrderedDict[Person | None, Reading] = OrderedDict()
        self._looked = 0.0
        self._waiting: list[Reading] = []
        #: What is to begin in the background; held by nobody else, since each keeps a version.
        self._later: weakref.WeakSet[threading.Timer] = weakref.WeakSet()

    def reading(self, person: Person | None = None) -> Reading:
        """The reading that answers a request: of what a person may see, or of everything.

        Raises:
            LakehouseError: There is no lakehouse, or no gold in it.
        """
        alike = person and replace(person, user="", line=0)
        with self._lock:
            if not self._readings or monotonic() - self._looked > LOOK:
                sign = self._look()
                if sign != self._sign:
                    # nobody closes the old ones: requests may still read from them, and the last one frees them
                    self._readings.clear()
                    self._waiting.clear()
                self._sign, self._looked = sign, monotonic()
            if alike not in self._readings:
                reading = Reading(replace(self.lake, person=alike), _short((*(self._sign or ()), alike)))
                self._readings[alike] = reading
                self._waiting.append(reading)
                while len(self._readings) > OPEN:
                    self._readings.popitem(last=False)
            self._readings.move_to_end(alike)
            return self._readings[alike]

    def answered(self) -> None:
        """A request was answered: whoever waits for figures of a new version has the first of them."""
        with self._lock:
            for reading in self._waiting:
                later = threading.Timer(PAUSE, self._opened, (reading,))
                later.daemon = True
                later.start()
                self._later.add(later)
            self._waiting.clear()

    def close(self) -> None:
        """Let go of the versions that are open; what has not begun in the background does not begin."""
        with self._lock:
            for later in tuple(self._later):
                later.cancel()
            for reading in self._readings.values():
                reading.close()
            self._readings.clear()

    def forget(self) -> None:
        """Open anew at the next request: files of the version were taken away."""
        with self._lock:
            self._readings.clear()

    def _look(self) -> tuple[int, ...]:
        if self.lake.folder is None:
            return tuple(self.lake.version(name) for name in _SIGNS)
        times = []
        for name in _SIGNS:
            try:
                times.append(Path(self.lake.path(name), "_delta_log").stat().st_mtime_ns)
            except OSError:
                times.append(-1)
        return tuple(times)


def _short(sign: tuple[int | Person | None, ...]) -> str:
    """What addresses of pictures end in, which browsers keep: another version, or another view of it, has another."""
    return hashlib.sha256(repr(sign).encode()).hexdigest()[:12]
