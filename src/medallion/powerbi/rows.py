"""The rows of the model's tables, read from the lakehouse, and the names of what Power BI cannot hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import sqlglot

from medallion.errors import MedallionError
from medallion.metrics.loading import declarations
from medallion.powerbi import dates
from medallion.powerbi.model import Model, Table, modelled, parameter_values

#: The first day that DAX counts: 1900 was no leap year, but its calendar says so.
FIRST_DAY = date(1900, 3, 1)
#: Money has four digits after the point in 64 bits.
MOST_MONEY = Decimal(2**63 - 1) / 10000

#: Columns whose days may be any, so that the calendar does not go as far.
ANY_DAY = ("Expected close",)

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Rows:
    """Rows by table, in the order of the table's columns.

    Attributes:
        tables: The rows.
        notes: What is not in them as it is in the lakehouse, in words.
    """

    tables: dict[str, list[Row]]
    notes: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Rows of all tables."""
        return sum(len(rows) for rows in self.tables.values())


def size(connection: duckdb.DuckDBPyConnection, model: Model) -> int:
    """How many rows the model's tables have, without reading them."""
    return sum(
        _count(connection, f"SELECT COUNT(*) FROM ({_query(table, count=True)})")
        for table in model.tables
        if table.is_read
    )


def read(connection: duckdb.DuckDBPyConnection, model: Model) -> Rows:
    """All rows of the model, ordered so that equal data give equal rows.

    Args:
        connection: From `medallion.lakehouse.query.connect`, with the layers gold and silver.
        model: The model.

    Raises:
        MedallionError: Two keys that Power BI takes for one, or a value that it cannot hold.
    """
    data = Rows({})
    for table in model.tables:
        if table.is_read:
            rows = connection.execute(_query(table)).fetchall()
            data.tables[table.name] = _converted(table, rows, data.notes)
            _unique(table, data.tables[table.name])
    for table in model.tables:
        if table.kind == "dates":
            data.tables[table.name] = list(calendar(_days(model, data)))
        elif not table.is_read:
            data.tables[table.name] = fixed(table)
    return data


def fixed(table: Table) -> list[Row]:
    """The rows of a table that no data is read for."""
    if table.kind == "metrics":
        return dictionary()
    if table.kind == "parameter":
        return [(value,) for value in parameter_values(table.columns[0].source)]
    return [(item.name, place) for place, item in enumerate(table.items)]


def spark_sql(table: Table, catalog: str | None = None) -> str:
    """The query of a table of the kind `gold`, `values` or `dates` in Spark SQL, days held as Power BI holds them.

    With a catalog it is for Databricks: tables in that catalog.
    """
    within = f"`{catalog}`." if catalog else ""
    if table.kind == "dates":
        ends = (
            f"SELECT GREATEST(MAKE_DATE(YEAR(MIN(day)), 1, 1), DATE '{FIRST_DAY}') AS first, "
            f"MAKE_DATE(YEAR(MAX(day)) + 1, 12, 31) AS last FROM {within}gold.sales_summary"
        )
        columns = [f"{column.sql} AS {column.source}" if column.sql else column.source for column in table.columns]
        return (
            f"SELECT {', '.join(columns)} "
            f"FROM (SELECT EXPLODE(SEQUENCE(first, last, INTERVAL 1 DAY)) AS date FROM ({ends}))"
        )
    if table.kind == "values":
        return _values(table, within)
    columns = []
    for column in table.columns:
        value = column.sql or column.source
        if column.type == "DateTime":
            value = f"CASE WHEN {value} < DATE '{FIRST_DAY}' THEN DATE '{FIRST_DAY}' ELSE {value} END"
        columns.append(value if value == column.source else f"{value} AS {column.source}")
    return f"SELECT {', '.join(columns)} FROM {within}{table.source}{_until(table, within)}"


def _until(table: Table, within: str = "") -> str:
    if table.unless:
        return f" WHERE {table.unless} IS NULL"
    if not table.until:
        return ""
    return f" WHERE CAST({table.until} AS DATE) <= (SELECT MAX(as_of) FROM {within}gold.customer_features)"


def _values(table: Table, within: str = "") -> str:
    """One row per value of the key: texts that Power BI takes for one are one, with what the source says of it."""
    key, *more = (column.source for column in table.columns)
    alike = f"LOWER(RTRIM({key}))"
    every = " UNION ALL ".join(f"SELECT {key} FROM {within}{name}" for name in table.keys)
    values = (
        f"SELECT MIN(RTRIM({key})) AS {key}, {alike} AS alike FROM ({every}) WHERE {key} IS NOT NULL GROUP BY {alike}"
    )
    if not more:
        return f"SELECT {key} FROM ({values})"
    listed = ", ".join(f"MAX({name}) AS {name}" for name in more)
    details = f"SELECT {alike} AS alike, {listed} FROM {within}{table.source} GROUP BY {alike}"
    chosen = ", ".join([f"v.{key}", *(f"t.{name}" for name in more)])
    return f"SELECT {chosen} FROM ({values}) AS v LEFT JOIN ({details}) AS t ON v.alike = t.alike"


def _query(table: Table, count: bool = False) -> str:
    """The query of a table in DuckDB's SQL, days as they are."""
    if table.kind == "values":
        text = sqlglot.transpile(_values(table), read="spark", write="duckdb")[0]
        return text if count else f"{text} ORDER BY ALL NULLS FIRST"
    columns = [f"{column.sql} AS {column.source}" if column.sql else column.source for column in table.columns]
    text = f"SELECT {', '.join(columns)} FROM {table.source}{_until(table)}"
    return sqlglot.transpile(text, read="spark", write="duckdb")[0] + ("" if count else " ORDER BY ALL NULLS FIRST")


def _converted(table: Table, rows: list[Row], notes: list[str]) -> list[Row]:
    """The rows as Power BI holds them: days as timestamps, none before its calendar begins, so that later is still later."""
    dated = [n for n, column in enumerate(table.columns) if column.type == "DateTime"]
    money = [n for n, column in enumerate(table.columns) if column.type == "Decimal"]
    early = dict.fromkeys(dated, 0)
    converted = []
    for row in rows:
        cells = list(row)
        for n in dated:
            day = cells[n]
            if day is not None and day < FIRST_DAY:
                early[n] += 1
                day = FIRST_DAY
            cells[n] = day and datetime(day.year, day.month, day.day)  # noqa: DTZ001
        for n in money:
            if cells[n] is not None and abs(cells[n]) > MOST_MONEY:
                raise MedallionError(
                    f"{table.source}: {table.columns[n].source} has {cells[n]}, more than the {MOST_MONEY} that "
                    "Power BI holds as money",
                    "Correct it in the CRM, or look at the data through Databricks.",
                )
        converted.append(tuple(cells))
    for n, times in early.items():
        if times:
            column = table.columns[n]
            notes.append(
                f"{table.source}.{column.source}: {times} before {FIRST_DAY} told as that day, the first of DAX"
            )
    return converted


def _unique(table: Table, rows: list[Row]) -> None:
    """That no two keys differ by nothing that Power BI sees: it ignores case and what is blank at the end."""
    if table.key is None:
        return
    at, seen = table.columns.index(table.key), dict[str, str]()
    for row in rows:
        if not isinstance(row[at], str):
            continue
        alike = row[at].rstrip().lower()
        if alike in seen:
            raise MedallionError(
                f"{table.source}: {table.key.source} {seen[alike]!r} and {row[at]!r} are one and the same to Power BI, "
                "which ignores case",
                "Give one of them another identifier in the CRM.",
            )
        seen[alike] = row[at]


def _days(model: Model, rows: Rows) -> tuple[date, date]:
    """First and last day that facts have; an expected close may be any day, and does not count."""
    ends: list[datetime] = []
    for link in model.relationships:
        if link.to == "Date" and link.column not in ANY_DAY:
            ends += _ends(model, rows, link.table, link.column)
    ends += _ends(model, rows, "Customers", "as_of")
    if not ends:
        return date(2000, 1, 1), date(2000, 12, 31)
    return min(ends).date(), max(ends).date()


def _ends(model: Model, rows: Rows, name: str, column: str) -> list[datetime]:
    table = model.table(name)
    at = table.columns.index(table.column(column))
    days = [row[at] for row in rows.tables[name] if row[at] is not None]
    return [min(days), max(days)] if days else []


def calendar(span: tuple[date, date]) -> Iterator[Row]:
    """The date table: every day of the calendar years of the span, as time intelligence wants it, and of the year after,
    in which open deals are expected to close.
    """
    first, last = max(date(span[0].year, 1, 1), FIRST_DAY), date(span[1].year + 1, 12, 31)
    yield from dates.days(first, last, declarations().calendar.fiscal_year_starts)


def dictionary() -> list[Row]:
    """The metrics with what they mean, in the order of their labels."""
    return sorted(
        (m.measure.display_name, m.name, m.measure.comment, " ".join(m.measure.expr.split()), ", ".join(m.view.tables))
        for m in modelled().values()
    )


def cells(table: Table, row: Row) -> dict[str, Any]:
    """A row by the names that readers see."""
    return {column.name: value for column, value in zip(table.columns, row, strict=True)}


def _count(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row else 0
