"""Deals that wait for exchange rates: refused for their currency while there was no table of rates."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import duckdb

from medallion.contracts import Entity
from medallion.contracts.filling import COMPLETE, SNAPSHOT
from medallion.lakehouse import query
from medallion.pipeline import batches
from medallion.pipeline.batches import Batch
from medallion.sources import SourceFile

TABLES = ("silver.quarantine", "silver.leads_history", "bronze.leads")
#: White space as `columns.unspaced` has it.
_SPACE = r"[\s\x{00a0}\x{2000}-\x{200b}\x{202f}\x{3000}\x{feff}]+"
#: When a record was learned, and where it stood: of two of one time the one further down is the newer.
_Arrival = tuple[datetime, str, int]


def deals(
    connection: duckdb.DuckDBPyConnection, there: Collection[str], known: Iterable[Batch], leads: Entity
) -> list[dict[str, Any]]:
    """Refused deals that still wait, oldest first, as `silver.quarantine` has them.

    A record no longer waits once one of its key that can be read has come after it, or a complete delivery without its key:
    what it says is out of date.

    Args:
        connection: Has `TABLES`, as far as they are in `there`.
        there: Names of the tables that are there.
        known: The journal.
        leads: The contract of deals.
    """
    if "silver.quarantine" not in there:
        return []
    quarantine = "select * from silver.quarantine where entity = 'leads'"
    sql = f"{quarantine} and resolved_by is null and list_contains(failed_checks, 'currency.accepted')"
    waiting = query.rows(connection, sql)
    if not waiting:
        return []
    known = list(known)
    by_id, roots = {batch.batch_id: batch for batch in known}, batches.families(known)

    def root(batch_id: str) -> Batch | None:
        return by_id.get(roots.get(batch_id, batch_id))

    def arrival(row: Mapping[str, Any]) -> _Arrival:
        batch = root(row["batch_id"])
        learned = batch.known_at if batch else row["known_at"].replace(tzinfo=None)
        return learned, row["source_file"], row["source_row"]

    read = [(root(batch.batch_id) or batch, file) for batch, file in batches.readings(known) if file.entity == "leads"]
    keys = sorted({row["record_key"] for row in waiting if row["record_key"]})
    cells = list(_cells(connection, there, read, keys, leads))
    refused = {
        (batch.in_bronze, row["source_file"], row["source_row"])
        for row in query.rows(connection, quarantine)
        if (batch := root(row["batch_id"]))
    }
    newest: dict[str, _Arrival] = {}
    for key, batch, name, place in cells:
        if (batch.in_bronze, name, place) not in refused:
            time = batch.known_at, name, place
            newest[key] = max(newest.get(key, time), time)
    if "silver.leads_history" in there:
        sql = f'select "{leads.key}" as key, known_at, _source_file, _source_row from silver.leads_history where list_contains(?, "{leads.key}")'
        for row in query.rows(connection, sql, [keys]):
            time = row["known_at"].replace(tzinfo=None), row["_source_file"], row["_source_row"]
            newest[row["key"]] = max(newest.get(row["key"], time), time)
    held = {(key, batch.in_bronze) for key, batch, _, _ in cells}

    def waits(row: Mapping[str, Any]) -> bool:
        key, batch, mine = row["record_key"], root(row["batch_id"]), arrival(row)
        if newest.get(key, mine) > mine:
            return False
        place = next((_whole(f) for f in batch.files_of("leads") if f.name == row["source_file"]), "") if batch else ""
        later = [of for of, file in read if place and _whole(file) == place and of.known_at > mine[0]]
        return not later or (key, max(later, key=lambda of: of.known_at).in_bronze) in held

    return sorted(filter(waits, waiting), key=arrival)


def _cells(
    connection: duckdb.DuckDBPyConnection,
    there: Collection[str],
    read: Iterable[tuple[Batch, SourceFile]],
    keys: list[str],
    leads: Entity,
) -> Iterator[tuple[str, Batch, str, int]]:
    """Where in bronze records of some keys stand, as far as a column of the file has the key as it is."""
    if "bronze.leads" not in there:
        return
    columns: dict[str, dict[tuple[str, str], Batch]] = {}
    for batch, file in read:
        if column := (file.mapping[leads.key].column if leads.key in file.mapping else None):
            columns.setdefault(column, {})[batch.in_bronze, file.name] = batch
    for column, of in columns.items():
        bare = f"regexp_replace(\"{column}\", '{_SPACE}', '', 'g')"
        key = f"upper({bare})" if leads.column(leads.key).kind == "identifier" else bare
        sql = (
            f"select {key} as key, _batch_id, _source_file, _source_row from bronze.leads where list_contains(?, {key})"
        )
        spelled = {"".join(key.split()): key for key in keys}  # a key that is a text may have spaces
        for row in query.rows(connection, sql, [list(spelled)]):
            if found := of.get((row["_batch_id"], row["_source_file"])):
                yield spelled[row["key"]], found, row["_source_file"], row["_source_row"]


def _whole(file: SourceFile) -> str:
    """The source of which a file is a complete delivery by its contract, "" where it is none."""
    said = file.mapping.get(COMPLETE) or file.mapping.get(SNAPSHOT)
    return str(said.value) if said else ""
