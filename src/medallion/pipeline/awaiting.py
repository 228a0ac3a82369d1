"""Deals that wait for exchange rates: refused for their currency while there was no table of rates."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import duckdb

from medallion.cells.texts import ODD_SPACE
from medallion.contracts import Entity, Filling
from medallion.contracts.dates import day_order, formats
from medallion.contracts.filling import COMPLETE, SNAPSHOT
from medallion.contracts.odcs import names_in
from medallion.lakehouse import query
from medallion.pipeline import batches
from medallion.pipeline.batches import Batch
from medallion.sources import SourceFile

TABLES = ("silver.quarantine", "silver.leads_history", "bronze.leads")
#: When a record was learned, and where it stood: of two of one version and time the one further down is the newer.
_Arrival = tuple[datetime, str, int]


def deals(
    connection: duckdb.DuckDBPyConnection, there: Collection[str], known: Iterable[Batch], leads: Entity
) -> list[dict[str, Any]]:
    """Refused deals that still wait, oldest first, as `silver.quarantine` has them.

    A record no longer waits once one of its key that can be read has come after it and is no older by its version, or a
    complete delivery without its key: what it says is out of date. Where the later one says that it is older, silver puts
    both in their order, as it does with any record that arrives late.

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
    as_read = {(batch.in_bronze, file.name): file for batch, file in read}
    keys = sorted({row["record_key"] for row in waiting if row["record_key"]})
    cells = list(_cells(connection, there, read, keys, leads))
    refused = {
        (batch.in_bronze, row["source_file"], row["source_row"])
        for row in query.rows(connection, quarantine)
        if (batch := root(row["batch_id"]))
    }
    came: dict[str, list[tuple[_Arrival, str | datetime | None]]] = {}
    for key, batch, name, place, version in cells:
        if (batch.in_bronze, name, place) not in refused:
            came.setdefault(key, []).append(((batch.known_at, name, place), version))
    if "silver.leads_history" in there:
        in_bronze = {(batch.in_bronze, name, place) for _, batch, name, place, _ in cells}
        for key, batch_id, time, changed in _versions(connection, keys, leads):
            home = root(batch_id)
            if home is None or (home.in_bronze, *time[1:]) not in in_bronze:
                came.setdefault(key, []).append((time, changed))
    delivered = {(key, batch.in_bronze) for key, batch, *_ in cells}

    def waits(row: Mapping[str, Any]) -> bool:
        key, batch, arrived = row["record_key"], root(row["batch_id"]), arrival(row)
        file = as_read.get((batch.in_bronze, row["source_file"])) if batch else None
        version = _version_text(json.loads(row["raw"] or "{}"), _version(file, leads)) if file else ""
        if any(time > arrived and not _is_older(theirs, version) for time, theirs in came.get(key, ())):
            return False
        place = next((_whole(f) for f in batch.files_of("leads") if f.name == row["source_file"]), "") if batch else ""
        later = [of for of, file in read if place and _whole(file) == place and of.known_at > arrived[0]]
        return not later or (key, max(later, key=lambda of: of.known_at).in_bronze) in delivered

    return sorted(filter(waits, waiting), key=arrival)


def _cells(
    connection: duckdb.DuckDBPyConnection,
    there: Collection[str],
    read: Iterable[tuple[Batch, SourceFile]],
    keys: list[str],
    leads: Entity,
) -> Iterator[tuple[str, Batch, str, int, str]]:
    """Places of the records of some keys in bronze, as far as a column of the file has the key as it is, and the versions
    that their cells give.
    """
    if "bronze.leads" not in there:
        return
    columns: dict[tuple[str, Filling | None], dict[tuple[str, str], Batch]] = {}
    for batch, file in read:
        if column := (file.mapping[leads.key].column if leads.key in file.mapping else None):
            columns.setdefault((column, _version(file, leads)), {})[batch.in_bronze, file.name] = batch
    for (column, version), of in columns.items():
        bare = f"regexp_replace(\"{column}\", '[ {ODD_SPACE}]+', '', 'g')"
        key = f"upper({bare})" if leads.column(leads.key).kind == "identifier" else bare
        version_columns = "".join(f', "{name}" as "={name}"' for name in _names(version))
        place = "_batch_id, _source_file, _source_row"
        sql = f"select {key} as key, {place}{version_columns} from bronze.leads where list_contains(?, {key})"
        spelled = {"".join(key.split()): key for key in keys}  # a key that is a text may have spaces
        for row in query.rows(connection, sql, [list(spelled)]):
            if origin := of.get((row["_batch_id"], row["_source_file"])):
                cells = {name: row[f"={name}"] for name in _names(version)}
                yield (
                    spelled[row["key"]],
                    origin,
                    row["_source_file"],
                    row["_source_row"],
                    _version_text(cells, version),
                )


def _versions(
    connection: duckdb.DuckDBPyConnection, keys: list[str], leads: Entity
) -> Iterator[tuple[str, str, _Arrival, datetime | None]]:
    """The versions of some keys: the batch, when it came, and its version, which the end that no row says has not."""
    version = f"case when _outcome <> 'gone' then \"{leads.version_column}\" end" if leads.version_column else "null"
    sql = f'select "{leads.key}" as key, _batch_id, known_at, _source_file, _source_row, {version} as version '
    sql += f'from silver.leads_history where list_contains(?, "{leads.key}")'
    for row in query.rows(connection, sql, [keys]):
        time = row["known_at"].replace(tzinfo=None), row["_source_file"], row["_source_row"]
        yield row["key"], row["_batch_id"], time, row["version"] and row["version"].replace(tzinfo=None)


def _version(file: SourceFile, leads: Entity) -> Filling | None:
    """What tells the version of a file's records."""
    return file.mapping.get(leads.version_column) if leads.version_column else None


def _names(version: Filling | None) -> list[str]:
    """The columns that tell a version."""
    if version is None:
        return []
    return [version.column] if version.column else sorted(names_in(version.sql)) if version.sql else []


def _version_text(cells: Mapping[str, str | None], version: Filling | None) -> str:
    """The version of a record as its cells give it."""
    if version is not None and version.value is not None:
        return version.value
    return " ".join(filter(None, ((cells.get(name) or "").strip() for name in _names(version))))


def _is_older(version: str | datetime | None, other: str) -> bool:
    """Whether a version is older than another, or may be, so that silver has to put them in order.

    >>> _is_older("2025-01-31", "2025-01-31 00:00:01"), _is_older("2025-02-01T00:00:00Z", "2025-02-01"), _is_older("", "x")
    (True, False, True)
    >>> _is_older("02/03/2025 9:00", "02/03/2025 10:00"), _is_older("2025-03-02", "02/03/2025"), _is_older("x", "")
    (True, False, False)
    """
    if not other or version in (None, other):
        return False
    if not version:
        return True
    times = [each if isinstance(each, datetime) else _instant(each) for each in (version, other)]
    if times[0] and times[1]:
        return times[0] < times[1]
    if isinstance(version, str) and re.sub("[0-9]+", "0", version) == re.sub("[0-9]+", "0", other):
        return True
    days = [
        {time.date()} if time else {*day_order.as_read(str(each)).values()}
        for each, time in zip((version, other), times, strict=True)
    ]
    return not days[0] & days[1]


def _instant(text: str) -> datetime | None:
    """The time in UTC that a text in ISO 8601 is."""
    try:
        time = datetime.fromisoformat(text) if formats.is_iso(text) else None
    except ValueError:
        return None
    return time.astimezone(UTC).replace(tzinfo=None) if time and time.tzinfo else time


def _whole(file: SourceFile) -> str:
    """The source of which a file is a complete delivery by its contract, "" where it is none."""
    filling = file.mapping.get(COMPLETE) or file.mapping.get(SNAPSHOT)
    return str(filling.value) if filling else ""
