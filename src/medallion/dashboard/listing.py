"""Rows behind a figure that is no filter of a table: shown with what they add up to, and written to a file as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from medallion.dashboard.tables import Column
from medallion.lakehouse import query

#: Rows that a page shows; a file has all of them.
SHOWN = 200


@dataclass(frozen=True)
class Listing:
    """Rows and their totals.

    Attributes:
        name: Of the file.
        title: Heading.
        says: What one row is, and which of them are here.
        columns: What is shown, in order.
        rows: All of them.
        totals: Sums, by column; they are the figure.
        told: What narrows them, by name, for a print and a file.
        count: How many there are, where `rows` are the first of them.
    """

    name: str
    title: str
    says: str
    columns: tuple[Column, ...]
    rows: list[dict[str, Any]]
    totals: dict[str, Any] = field(default_factory=dict)
    told: tuple[tuple[str, str], ...] = ()
    count: int | None = None

    @property
    def total(self) -> int:
        """How many rows there are."""
        return len(self.rows) if self.count is None else self.count

    @property
    def shown(self) -> list[dict[str, Any]]:
        """The rows of the page."""
        return self.rows[:SHOWN]

    def file_name(self, kind: str) -> str:
        """A name that says what is in the file."""
        return file_name(self.name, self.told, kind)

    def write(self, to: Path) -> None:
        """Write all rows as a CSV that spreadsheets take as it is, or as Parquet that says what narrows them."""
        written(self.rows, [column.name for column in self.columns], self.told, to)


def file_name(name: str, narrowing: Iterable[tuple[str, str]], kind: str) -> str:
    """A name that says what narrows a file.

    >>> file_name("deals", [("owner", "Ann Lee"), ("as of", "2025-06-30")], "csv")
    'deals-Ann-Lee-2025-06-30.csv'
    """
    parts = [name, *(text for _, text in narrowing)]
    return "-".join(filter(None, (re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-") for part in parts)))[:120] + f".{kind}"


def written(
    rows: Iterable[dict[str, Any]], names: Iterable[str], narrowing: Iterable[tuple[str, str]], to: Path
) -> None:
    """Write rows to a file that ends in `.csv` or `.parquet`."""
    chosen = [{name: row.get(name) for name in names} for row in rows]
    table = pa.Table.from_pylist(chosen) if chosen else pa.table({name: pa.array([], pa.string()) for name in names})
    if to.suffix == ".parquet":
        pq.write_table(table.replace_schema_metadata({"medallion": json.dumps(dict(narrowing))}), to)
        return
    with duckdb.connect() as connection:
        connection.register("listed", table)
        safe = query.for_spreadsheets(connection, "listed")
        name = str(to).replace("'", "''")
        connection.execute(f"copy ({safe}) to '{name}' (format csv, header)")
