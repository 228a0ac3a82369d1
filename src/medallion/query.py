"""Read-only serving of the lakehouse through DuckDB: how every consumer reads silver, gold and ops.

A connection sees each table as a view `layer.table` over the Parquet files of one Delta version, fixed when it
was opened, so that figures read from it belong together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import duckdb
from deltalake import DeltaTable

from medallion.errors import LakehouseError
from medallion.store import LAYERS, Lakehouse


@contextmanager
def connect(lake: Lakehouse, layers: Iterable[str] = ("silver", "gold", "ops")) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection with a view per table of `layers`, in UTC.

    Raises:
        LakehouseError: There is no lakehouse, or a table uses deletion vectors, which Parquet readers ignore.
    """
    wanted = set(layers)
    names = [name for name in lake.tables() if name.split(".")[0] in wanted]
    if not names:
        raise LakehouseError(
            f"{lake.root}: there is no lakehouse here", "Run `medallion run` first, or check --lakehouse."
        )
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'; set enable_progress_bar = false")
        for layer in LAYERS:
            connection.execute(f"create schema {layer}")
        for name in names:
            connection.execute(f"create view {name} as {_select(lake.delta(name), name)}")
        yield connection


def _select(table: DeltaTable, name: str) -> str:
    protocol = table.protocol()
    if "deletionVectors" in (protocol.reader_features or []):
        raise LakehouseError(
            f"{name}: uses deletion vectors, which are not read here",
            "Purge them (REORG TABLE ... APPLY (PURGE)) and leave delta.enableDeletionVectors off.",
        )
    fields = {'"' + field.name.replace('"', '""') + '"': field.type for field in table.schema().fields}
    typed = ", ".join(f"cast(null as {_duckdb_type(kind)}) as {name}" for name, kind in fields.items())
    files = table.file_uris()
    if not files:
        return f"select {typed} where false"
    listed = ", ".join("'" + _pattern(uri).replace("'", "''") + "'" for uri in files)
    # by name, since a column that a table has gained may not be in any of its files yet
    return (
        f"select {', '.join(fields)} from (from read_parquet([{listed}], union_by_name = true) "
        f"union all by name select {typed} where false)"
    )


def _pattern(uri: str) -> str:
    """The file of a Delta log as DuckDB wants it: a local path in plain letters that matches nothing but itself.

    >>> _pattern("/my%20lake/[a]/part-0.parquet"), _pattern("az://lake/part-0.parquet")
    ('/my lake/[[]a]/part-0.parquet', 'az://lake/part-0.parquet')
    """
    path = uri.removeprefix("file://")
    return path if "://" in path else re.sub(r"([*?[])", r"[\1]", unquote(path))


def _duckdb_type(delta_type: Any) -> str:
    if hasattr(delta_type, "element_type"):
        return f"{_duckdb_type(delta_type.element_type)}[]"
    text = str(delta_type.type)
    return {"string": "varchar", "long": "bigint", "timestamp": "timestamptz"}.get(text, text)


def rows(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Iterable[Any] = ()) -> list[dict[str, Any]]:
    """The rows of a query as dicts."""
    cursor = connection.execute(sql, list(parameters))
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def for_spreadsheets(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """A select of a table whose cells a spreadsheet takes as they are.

    A text that it would take for a formula (it starts with `=`, `+`, `-`, `@`, tab or carriage return) gets a leading
    apostrophe, and lists become JSON.
    """
    columns = []
    for row in rows(connection, f"describe {name}"):
        column, kind = '"' + row["column_name"].replace('"', '""') + '"', row["column_type"]
        if kind == "VARCHAR":
            value = f"case when regexp_matches({column}, '^[=+\\-@\\t\\r]') then '''' || {column} else {column} end"
        elif kind.endswith("[]"):
            value = f"to_json({column})"
        else:
            value = column
        columns.append(f"{value} as {column}")
    return f"select {', '.join(columns)} from {name}"
