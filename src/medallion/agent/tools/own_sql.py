"""Queries that somebody wrote, checked and run behind shut doors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import duckdb

from medallion import metrics
from medallion.agent import sql_guard
from medallion.agent.facts import Field, Found
from medallion.agent.serving import Serving, serve
from medallion.agent.tools.findings import Findings
from medallion.errors import MedallionError


class OwnSql(Findings):
    """Queries that somebody wrote."""

    def run_safe_sql(self, sql: str) -> Found:
        """Run one SELECT over the agent's tables: parsed, checked against a list of what is allowed, at most 200 rows.

        It runs in a database in which every door is shut: no files, no network, no settings.

        Raises:
            MedallionError: It is not allowed, fails, or takes too long.
        """
        text = sql_guard.checked(sql, set(self.serving.versions))
        try:
            with self._shut(text) as serving:
                rows = serving.rows(text)
        except duckdb.Error as error:
            raise MedallionError(f"the query fails: {str(error).splitlines()[0]}", "Check its columns.") from error
        total = None
        if len(rows) == sql_guard.MOST_ROWS:
            with self._shut(text) as serving:
                total = int(serving.rows(sql_guard.counting(text))[0]["n"])
        rows, names = _own_names(rows)
        fields = tuple(
            Field(name, label, _kind(rows, name), 2 * _fraction(rows, name)) for name, label in names.items()
        )
        read = tuple(sorted(sql_guard.tables(text)))
        note = f"Own calculation, no metric of the dictionary: {text}"
        return self.found("run_safe_sql", "Own calculation", fields, (), rows, read, text, (), note, total)

    @contextmanager
    def _shut(self, sql: str) -> Iterator[Serving]:
        """What a query of somebody else runs in: every door of DuckDB is shut."""
        if self.serving.locked:
            yield self.serving
        else:
            with serve(self.serving.lake, locked=True, only=sql_guard.tables(sql)) as locked:
                yield locked


def _own_names(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Rows of a query somebody wrote, with their columns and labels: none is called as a metric is."""
    taken = {
        " ".join(re.sub(r"[^a-z0-9]+", " ", term.casefold()).split())
        for name, metric in metrics.metrics().items()
        for term in (name, metric.measure.display_name, *metric.measure.synonyms)
    }
    names = {}
    for place, name in enumerate(rows[0] if rows else (), 1):
        words = " ".join(re.sub(r"[^a-z0-9]+", " ", name.casefold()).split())
        shown = any(f" {term} " in f" {words} " for term in taken) or not re.fullmatch(r"[a-z_0-9]+", name)
        names[name] = f"own_{place}" if shown else name
    labels = {short: f"own calculation, column {place}" for place, short in enumerate(names.values(), 1)}
    return [{names[name]: value for name, value in row.items()} for row in rows], labels


def _kind(rows: list[dict[str, Any]], name: str) -> Any:
    values = [row[name] for row in rows if row[name] is not None]
    numbers = values and all(not isinstance(v, (str, bool, list, date)) for v in values)
    return "list" if values and isinstance(values[0], list) else "number" if numbers else "text"


def _fraction(rows: list[dict[str, Any]], name: str) -> bool:
    return any(isinstance(row[name], float) and row[name] != int(row[name]) for row in rows if row[name] is not None)
