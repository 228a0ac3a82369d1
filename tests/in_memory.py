"""The tables of a lakehouse as DuckDB's own: what asks hundreds of questions of a small one reads its files once."""

from __future__ import annotations

import duckdb


def in_memory(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The connection, with a table in the place of each view of `query.connect`: the same names, columns and rows.

    A question of a view opens the table's files, which takes longer than the answer.
    """
    views = connection.execute(
        "select schema_name, view_name from duckdb_views() where not internal and database_name = current_database()"
    ).fetchall()
    for schema, name in views:
        connection.execute(f"create table {schema}._rows as from {schema}.{name}")
        connection.execute(f"drop view {schema}.{name}")
        connection.execute(f"alter table {schema}._rows rename to {name}")
    return connection
