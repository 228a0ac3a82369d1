"""Malloy in a process of Node, and what it says otherwise of the answers of DuckDB."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO, cast

import duckdb

from medallion import metrics
from medallion.lakehouse import query
from medallion.lakehouse.store import Lakehouse
from medallion.metrics import Metric
from medallion.metrics.understanding import Understood
from tools.malloy.compiler import Asker, model, own_unit
from tools.malloy.expressions import UnsayableError

ROOT = Path(__file__).resolve().parents[2]
#: Where `scripts/malloy_tools.sh` puts the packages.
PACKAGES = ROOT / ".tools" / "malloy"

#: Runs a query in Malloy and gives its rows.
Run = Callable[[str], list[dict[str, Any]]]


class MalloyError(Exception):
    """What Malloy says of a model or query that it does not take."""


@contextmanager
def asked_of(lake: Lakehouse) -> Iterator[tuple[duckdb.DuckDBPyConnection, Differences]]:
    """A connection to a lakehouse, and what compares its answers with those of Malloy over a copy of the same tables.

    Raises:
        MalloyError: The model is not taken.
    """
    with query.connect(lake, layers=("gold", "silver")) as connection, tempfile.TemporaryDirectory() as folder:
        views = metrics.views().values()
        sources = {name for view in views for name in (*view.tables, *(join.source for join in view.joins))}
        there = frozenset(name for name in sources if lake.exists(name))
        for name in there:
            connection.execute(f"COPY (FROM {name}) TO '{folder}/{name}.parquet' (FORMAT parquet)")
        with _process(Path(folder)) as ask:
            ask(json.dumps({"model": model(there)}))
            asker = Asker(*metrics.days(connection))
            yield connection, Differences(lambda text: ask(json.dumps({"query": text})), asker)


@contextmanager
def _process(tables: Path) -> Iterator[Run]:
    node = shutil.which("node")
    if node is None or not (PACKAGES / "node_modules").is_dir():
        raise MalloyError("Node or Malloy's packages are not there: scripts/malloy_tools.sh")
    command = [node, str(Path(__file__).with_name("run.mjs")), str(PACKAGES), str(tables)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - its own
        to, of = cast(TextIO, process.stdin), cast(TextIO, process.stdout)

        def ask(line: str) -> list[dict[str, Any]]:
            to.write(line + "\n")
            to.flush()
            reply = of.readline()
            if not reply:
                raise MalloyError("the process of Node ended; see above")
            document = json.loads(reply)
            if "error" in document:
                raise MalloyError(document["error"])
            return list(document["rows"])

        yield ask


class Differences:
    """Asks Malloy what DuckDB was asked.

    Attributes:
        not_asked: What could not be asked, each with how often.
    """

    def __init__(self, run: Run, asker: Asker) -> None:
        self.run, self.asker = run, asker
        self.not_asked: dict[str, int] = {}
        self._nothing: dict[tuple[Any, ...], Any] = {}

    def __call__(self, asked: Understood, rows: Sequence[Mapping[str, Any]]) -> list[str] | None:
        """What Malloy says otherwise of an answer; None where it cannot be asked."""
        try:
            return self._differences(asked, rows)
        except UnsayableError as error:
            self.not_asked[str(error)] = self.not_asked.get(str(error), 0) + 1
            return None
        except MalloyError as error:
            return [f"Malloy: {str(error)[:500]}"]

    def _differences(self, asked: Understood, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        names = [str(split) for split in asked.question.by]
        sql_rows = {tuple(_key(row[name], "") for name in names): row for row in rows}
        figures: dict[str, tuple[dict[tuple[Any, ...], tuple[Any, Any]], Any]] = {}
        for metric in asked.metrics:
            name = "value" if len(asked.metrics) == 1 else metric.name
            figures[name] = self._figures(metric, asked, before=False), self._worth_of_nothing(metric, asked)
            if asked.before:
                figures[f"{name}_before"] = self._figures(metric, asked, before=True), figures[name][1]
        keys = set[tuple[Any, ...]]().union(*(by_key for by_key, _ in figures.values()))
        different = [f"{key}: only {'Malloy' if key in keys else 'SQL'} has it" for key in keys ^ sql_rows.keys()]
        different += ["a row is there twice"] if len(sql_rows) < len(rows) else []
        for key in keys & sql_rows.keys():
            for name, (by_key, nothing) in figures.items():
                value, count = by_key.get(key, (nothing, 0))
                if not _same(value, sql_rows[key][name]):
                    different.append(f"{name} {key or ''}: Malloy {value}, SQL {sql_rows[key][name]}")
                counted = sql_rows[key].get("n" if name == "value" else f"{name}_n")
                if counted is not None and not _same(count or 0, counted):
                    different.append(f"rows behind {name} {key or ''}: Malloy {count}, SQL {counted}")
        return different

    def _figures(self, metric: Metric, asked: Understood, *, before: bool) -> dict[tuple[Any, ...], tuple[Any, Any]]:
        """Value and rows behind it, by the values of the splits."""
        kinds = [_kind(metric, asked, place) for place in range(len(asked.question.by))]
        rows = self.run(self.asker.query(metric, asked, before=before))
        by_key = {tuple(_key(row[f"k{n}"], kind) for n, kind in enumerate(kinds)): (row["v"], row["n"]) for row in rows}
        if len(by_key) < len(rows):
            raise MalloyError("a row is there twice")
        return by_key

    def _worth_of_nothing(self, metric: Metric, asked: Understood) -> Any:
        key = metric.name, tuple(sorted(asked.parameters.items()))
        if key not in self._nothing:
            (row,) = self.run(self.asker.query(metric, asked, nothing=True))
            self._nothing[key] = row["v"]
        return self._nothing[key]


def _kind(metric: Metric, asked: Understood, place: int) -> str:
    """The unit of time that a split's values are; nothing of another split."""
    split, dimension = asked.splits[place]
    own = metric.view.field(split.name) or dimension
    return own_unit(split, metric.view) or split.grain or {"month": "month", "day": "day"}.get(own.type, "")


def _key(value: Any, kind: str) -> Any:
    """A value of a split, whoever tells it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, date):
        return value.isoformat()[:10]
    if isinstance(value, int | float | Decimal):
        return round(float(value), 6)
    if not kind:
        return str(value)
    day = date.fromisoformat(str(value)[:10])
    return {
        "month": f"{day:%Y-%m}",
        "quarter": f"{day.year}-Q{(day.month + 2) // 3}",
        "year": str(day.year),
        "fiscal_quarter": f"FY{day.year}-Q{(day.month + 2) // 3}",
        "fiscal_year": f"FY{day.year}",
    }.get(kind, day.isoformat())


def _same(value: Any, rounded: Any) -> bool:
    """Whether two figures are the same, of which the second is rounded to six decimals."""
    if value is None or rounded is None:
        return value is rounded
    return math.isclose(float(value), float(rounded), rel_tol=1e-9, abs_tol=1e-6)
