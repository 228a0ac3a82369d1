"""Data quality before and after cleaning, column by column: cells of bronze beside values of silver.

Bronze is counted as it came, every delivery of it; silver as it is now, one version per key. One scan per table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb

from medallion import bronze, contracts
from medallion.contracts import Column, Entity, Filling
from medallion.lakehouse import contracts_in_use, query
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import batches

#: Rows of a table from which distinct values are estimated (HyperLogLog, about 2% off).
EXACT_DISTINCT = 1_000_000
#: Kinds of column whose different spellings are worth counting.
_SPELLED = ("text", "code")


@dataclass(frozen=True)
class Cells:
    """One canonical column before and after cleaning.

    `cells` are records that had the column, `filled` those with a value in it, `placeholders` those that say "none"
    in some word, `untidy` the filled ones not written as the contract has them. `values` are rows of silver with a
    value, of `rows`. `spellings` before and after are distinct values, null where nobody asks. `failed` counts records
    with a failed check of the column.
    """

    column: str
    kind: str
    cells: int
    filled: int
    placeholders: int
    untidy: int
    spellings: int | None
    rows: int
    values: int
    distinct: int | None
    least: Any
    most: Any
    failed: Mapping[str, int] = field(default_factory=dict)
    about: bool = False


@dataclass(frozen=True)
class Profile:
    """One entity: the outcomes of its records, and its columns."""

    entity: str
    accounts: Mapping[str, int]
    cells: tuple[Cells, ...]

    @property
    def filled(self) -> int:
        """Filled cells as they came."""
        return sum(cell.filled for cell in self.cells)

    @property
    def untidy(self) -> int:
        """Filled cells that were not written as the contract has them."""
        return sum(cell.untidy for cell in self.cells)

    @property
    def placeholders(self) -> int:
        """Cells that said "none" in some word."""
        return sum(cell.placeholders for cell in self.cells)


def profiles(connection: duckdb.DuckDBPyConnection, lake: Lakehouse) -> list[Profile]:
    """One profile per entity that files were read for, in the order of loading; all columns of its contract."""
    journal = [
        batch
        for batch in batches.history(lake)
        if batch.state not in (batches.ABANDONED, batches.HELD) and batch.has_files
    ]
    entities = contracts.entities(contracts_in_use.overrides(lake))
    later = {name: batches.account_sql(lake, name) for name in ("excluded", "withdrawn", "merged", "erased")}
    return [
        _profile(connection, entity, bronze.mapping_of(files), later)
        for entity in entities.values()
        if (files := [file for batch in journal for file in batch.files_of(entity.name)])
        and lake.exists(f"bronze.{entity.name}")
        and lake.exists(entity.clean.name)
    ]


def _profile(
    connection: duckdb.DuckDBPyConnection,
    entity: Entity,
    mapping: Mapping[str, Mapping[Filling, tuple[str, ...]]],
    later: Mapping[str, str],
) -> Profile:
    accounts = query.rows(
        connection,
        "select coalesce(sum(rows_read), 0) as rows_read, coalesce(sum(accepted), 0) as accepted, "
        "coalesce(sum(duplicate), 0) as duplicate, coalesce(sum(superseded), 0) as superseded, "
        "coalesce(sum(quarantined), 0) as quarantined, "
        f"{', '.join(f'coalesce(sum({sql}), 0) as {name}' for name, sql in later.items())} "
        "from ops.row_accounts where entity = $1",
        [entity.name],
    )[0]
    many = query.rows(connection, f"select count(*) as n from bronze.{entity.name}")[0]["n"] > EXACT_DISTINCT
    before = _before(connection, entity, mapping, many)
    after = _after(connection, entity, many)
    failed = _failed(connection, entity)
    return Profile(
        entity.name,
        {name: int(value) for name, value in accounts.items()},
        tuple(
            Cells(
                column.name,
                column.kind,
                **before.get(column.name, _NEVER),
                **after[column.name],
                failed=failed.get(column.name, {}),
                about=many,
            )
            for column in entity.columns
        ),
    )


_NEVER = {"cells": 0, "filled": 0, "placeholders": 0, "untidy": 0, "spellings": None}


def _before(
    connection: duckdb.DuckDBPyConnection,
    entity: Entity,
    mapping: Mapping[str, Mapping[Filling, tuple[str, ...]]],
    many: bool,
) -> dict[str, dict[str, Any]]:
    present = {row["column_name"] for row in query.rows(connection, f"describe bronze.{entity.name}")}
    measured = [
        (column, text)
        for column in entity.columns
        if (text := _cell(mapping.get(column.name, {}), present)) is not None
    ]
    if not measured:
        return {}
    places = range(len(measured))
    cells = ", ".join(f"{text} as c{place}" for place, (_, text) in enumerate(measured))
    bare = ", ".join(f"{_TRIMMED.format(cell=f'c{place}')} as b{place}" for place in places)
    verdicts = ", ".join(f"{_verdict(column, place, entity)} as v{place}" for place, (column, _) in enumerate(measured))
    distinct = "approx_count_distinct({})" if many else "count(distinct {})"
    sums = ["count(*) as n"]
    for place, (column, _) in enumerate(measured):
        spelled = column.kind in _SPELLED and not column.pii
        sums += [
            f"count(v{place}) as cells{place}",
            f"count(*) filter (v{place} >= {_TIDY}) as filled{place}",
            f"count(*) filter (v{place} = {_PLACEHOLDER}) as placeholders{place}",
            f"count(*) filter (v{place} = {_UNTIDY}) as untidy{place}",
            f"{distinct.format(f'case when v{place} >= {_TIDY} then c{place} end') if spelled else 'null'} as spellings{place}",
        ]
    raw = f"select {cells} from bronze.{entity.name} where _malformed is null"
    judged = f"select *, {verdicts} from (select *, {bare} from ({raw}))"
    row = query.rows(connection, f"select {', '.join(sums)} from ({judged})")[0]
    names = ("cells", "filled", "placeholders", "untidy", "spellings")
    return {column.name: {name: row[f"{name}{place}"] for name in names} for place, (column, _) in enumerate(measured)}


#: What a cell turns out to be; null for a record without the column.
_EMPTY, _PLACEHOLDER, _TIDY, _UNTIDY = range(4)


def _verdict(column: Column, place: int, entity: Entity) -> str:
    """What the cell `c<place>`, trimmed `b<place>`, is, as SQL; the slow tests are only run on filled cells."""
    cell, trimmed = f"c{place}", f"b{place}"
    words = entity.empty(column.name)
    longest = max((len(word.encode()) for word in words), default=0)
    return (
        f"cast(case when {cell} is null then null when {trimmed} = '' then {_EMPTY} "
        f"when strlen({trimmed}) <= {longest} and lower({trimmed}) in ({_words(words)}) then {_PLACEHOLDER} "
        f"when {_tidy(column, cell, trimmed)} then {_TIDY} else {_UNTIDY} end as tinyint)"
    )


def _cell(fillings: Mapping[Filling, tuple[str, ...]], present: Iterable[str]) -> str | None:
    """The cell that fills a column, as SQL; None when no cell of a file does as it stands."""
    parts = []
    for filling, files in fillings.items():
        if filling.column is None or filling.column not in present or filling.lookup:
            continue
        name = '"' + filling.column.replace('"', '""') + '"'
        parts.append(f"case when _source_file in ({_words(files)}) then {name} end" if files else name)
    return None if not parts else parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"


def _words(texts: Iterable[str]) -> str:
    return ", ".join("'" + text.replace("'", "''") + "'" for text in sorted(set(texts)))


#: What a reader takes for white space: the plain space, controls, no-break and typographic spaces.
_SPACES = "' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(8239) || chr(12288) || chr(65279)"
#: Trimming by a set of characters is slow: only cells that begin or end with something else than plain letters need it.
_TRIMMED = (
    "case when unicode({cell}) not between 33 and 126 or unicode(right({cell}, 1)) not between 33 and 126 "
    f"then trim({{cell}}, {_SPACES}) else {{cell}} end"
)


def _tidy(column: Column, cell: str, trimmed: str) -> str:
    """Whether a filled cell is written as the contract has the value, as SQL."""
    if column.accepted:
        return f"{cell} in ({_words(column.accepted)})"
    squished = f"({cell} = {trimmed} and not contains({cell}, '  ') and not contains({cell}, chr(160)) and not contains({cell}, chr(10)))"
    patterns = {
        "code": r"[\p{Ll}\p{N}_]+",
        "phone": r"\+?[0-9]+",
        "money": r"-?[0-9]+(\.[0-9]{1,2})?",
        "integer": r"-?[0-9]+",
        "date": r"\d{4}-\d\d-\d\d",
        "timestamp": r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?",
    }
    if column.kind in patterns:
        return f"regexp_full_match({cell}, '{patterns[column.kind]}')"
    return {
        "free_text": f"({cell} = {trimmed})",
        "identifier": f"({squished} and {cell} = upper({cell}))",
        "email": f"({squished} and {cell} = lower({cell}))",
    }.get(column.kind, squished)


def _after(connection: duckdb.DuckDBPyConnection, entity: Entity, many: bool) -> dict[str, dict[str, Any]]:
    sums = ["count(*) as n"]
    for place, column in enumerate(entity.columns):
        name = f'"{column.name}"'
        count = "approx_count_distinct" if many else "count(distinct {})"
        distinct = count.format(name) if "{" in count else f"{count}({name})"
        spelled = column.kind in _SPELLED and not column.pii
        ends = column.kind in ("money", "integer", "date", "timestamp")
        sums += [
            f"count({name}) as values{place}",
            f"{distinct if spelled else 'null'} as distinct{place}",
            f"{f'min({name})' if ends else 'null'} as least{place}",
            f"{f'max({name})' if ends else 'null'} as most{place}",
        ]
    row = query.rows(connection, f"select {', '.join(sums)} from {entity.clean.name}")[0]
    return {
        column.name: {"rows": row["n"], **{name: row[f"{name}{place}"] for name in ("values", "distinct", "least", "most")}}
        for place, column in enumerate(entity.columns)
    }  # fmt: skip


def _failed(connection: duckdb.DuckDBPyConnection, entity: Entity) -> dict[str, dict[str, int]]:
    failures: dict[str, dict[str, int]] = {}
    for row in query.rows(
        connection,
        "select code, count(*) as records from (select unnest(failed_checks) as code from silver.quarantine "
        "where entity = $1 and resolved_by is null) group by 1 order by 1",
        [entity.name],
    ):
        column, _, check = row["code"].rpartition(".")
        failures.setdefault(column, {})[check] = row["records"]
    return failures
