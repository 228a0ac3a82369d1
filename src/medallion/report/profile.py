"""Data quality before and after cleaning, column by column: cells of bronze beside values of silver.

Bronze is counted as it came, every delivery of it; silver as it is now, one version per key. One scan per table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb

from medallion import bronze, contracts, query
from medallion.contracts import Column, Entity, Filling
from medallion.pipeline import batches, remembered
from medallion.store import Lakehouse

#: Rows of a table from which distinct values are estimated (HyperLogLog, about 2 % off).
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
    """One entity: what became of its records, and its columns."""

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
    journal = [batch for batch in batches.history(lake) if batch.state != batches.ABANDONED and not batch.origin]
    entities = contracts.entities(remembered.overrides(lake))
    return [
        _profile(connection, entity, bronze.mapping_of(files))
        for entity in entities.values()
        if (files := [file for batch in journal for file in batch.files_of(entity.name)])
        and lake.exists(f"bronze.{entity.name}")
        and lake.exists(entity.clean.name)
    ]


def _profile(
    connection: duckdb.DuckDBPyConnection, entity: Entity, mapping: Mapping[str, Mapping[Filling, tuple[str, ...]]]
) -> Profile:
    accounts = query.rows(
        connection,
        "select coalesce(sum(rows_read), 0) as rows_read, coalesce(sum(accepted), 0) as accepted, "
        "coalesce(sum(duplicate), 0) as duplicate, coalesce(sum(superseded), 0) as superseded, "
        "coalesce(sum(quarantined), 0) as quarantined from ops.row_accounts where entity = $1",
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
    bare = ", ".join(
        f"{text} as c{place}, trim({text}, {_SPACES}) as b{place}" for place, (_, text) in enumerate(measured)
    )
    sums = ["count(*) as n"]
    for place, (column, _) in enumerate(measured):
        cell, trimmed = f"c{place}", f"b{place}"
        none = f"(length({trimmed}) <= {_longest(entity)} and lower({trimmed}) in ({_words(entity.placeholders)}))"
        spellings = f"count(distinct {cell}) filter (not {none})"
        if many:
            spellings = f"approx_count_distinct(case when not {none} then {cell} end)"
        sums += [
            f"count({cell}) as cells{place}",
            f"count(*) filter (not {none}) as filled{place}",
            f"count(*) filter ({none} and {trimmed} <> '') as placeholders{place}",
            f"count(*) filter (not {none} and not {_tidy(column, cell)}) as untidy{place}",
            f"{spellings if column.kind in _SPELLED and not column.pii else 'null'} as spellings{place}",
        ]
    row = query.rows(
        connection, f"select {', '.join(sums)} from (select {bare} from bronze.{entity.name} where _malformed is null)"
    )[0]
    names = ("cells", "filled", "placeholders", "untidy", "spellings")
    return {column.name: {name: row[f"{name}{place}"] for name in names} for place, (column, _) in enumerate(measured)}


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


def _longest(entity: Entity) -> int:
    return max((len(word) for word in entity.placeholders), default=0)


#: What a reader takes for white space: the plain space, controls, no-break and typographic spaces.
_SPACES = "' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(8239) || chr(12288) || chr(65279)"
_SQUISHED = (
    "({cell} = trim({cell}, "
    + _SPACES
    + ") and not contains({cell}, '  ') and not contains({cell}, chr(160)) and not contains({cell}, chr(10)))"
)


def _tidy(column: Column, cell: str) -> str:
    """Whether a filled cell is written as the contract has the value, as SQL."""
    if column.accepted:
        return f"{cell} in ({_words(column.accepted)})"
    squished = _SQUISHED.format(cell=cell)
    return {
        "free_text": f"({cell} = trim({cell}, {_SPACES}))",
        "identifier": f"({squished} and {cell} = upper({cell}))",
        "code": f"regexp_full_match({cell}, '[\\p{{Ll}}\\p{{N}}_]+')",
        "email": f"({squished} and {cell} = lower({cell}))",
        "phone": f"regexp_full_match({cell}, '\\+?[0-9]+')",
        "money": f"regexp_full_match({cell}, '-?[0-9]+(\\.[0-9]{{1,2}})?')",
        "integer": f"regexp_full_match({cell}, '-?[0-9]+')",
        "date": f"regexp_full_match({cell}, '\\d{{4}}-\\d\\d-\\d\\d')",
        "timestamp": f"regexp_full_match({cell}, '\\d{{4}}-\\d\\d-\\d\\d([ T]\\d\\d:\\d\\d(:\\d\\d(\\.\\d+)?)?(Z|[+-]\\d\\d:?\\d\\d)?)?')",
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
    found: dict[str, dict[str, int]] = {}
    for row in query.rows(
        connection,
        "select code, count(*) as records from (select unnest(failed_checks) as code from silver.quarantine "
        "where entity = $1 and resolved_by is null) group by 1 order by 1",
        [entity.name],
    ):
        column, _, check = row["code"].rpartition(".")
        found.setdefault(column, {})[check] = row["records"]
    return found
