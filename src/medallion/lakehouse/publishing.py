"""The manifest of a command that has ended: versions of all tables with their rows, files and the hash of their content."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType

import duckdb
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from medallion.lakehouse import manifests, query
from medallion.lakehouse.manifests import Kept
from medallion.lakehouse.store import BESIDE, Lakehouse, data_files, newest_commit
from medallion.version import VERSION

#: The command that writes versions, and no content.
MAINTAIN = manifests.MAINTAIN
#: Endings of tables that hold work in progress only.
WORK = ("_staged", "_strays", "_contested")
#: Tables from this size (bytes) on are hashed by the files that were added, not as a whole.
_LARGE = 8 << 20


def publish(
    lake: Lakehouse, kind: str, run_id: str = "", now: datetime | None = None, *, cut: bool = False
) -> manifests.Manifest | None:
    """Add the manifest of a command that has ended; None where no table has changed, and in a catalog.

    The caller holds the lock. After an erasure, and where commits that a manifest names were lost (`cut`), no earlier
    manifest opens any more. What was lost may have had the same version, so then every table is hashed anew.

    Raises:
        LakehouseError: Another writer has added one meanwhile.
    """
    if lake.in_catalog:
        return None
    reserved = manifests.reserved(lake)
    before = manifests.newest(lake, reserved)
    known = before.tables if before and before.hashed_by == probe() and not cut else {}
    tables = dict(kept(lake, known))
    if kind == MAINTAIN:
        tables |= {name: replace(one, since=known[name].since) for name, one in tables.items() if name in known}
    number = before.number + 1 if before else 1
    opens_from = number if kind == "forget" or cut or before is None else before.opens_from
    if before and cut:  # a restore whose manifest was written, and which was killed then
        same = tables == before.tables and before.opens_from == before.number
    else:
        same = _identities(tables) == _identities(before.tables if before else {})
    if same:
        return None
    manifest = manifests.Manifest(
        number,
        now or datetime.now(UTC),
        kind,
        run_id,
        manifests.FORMAT,
        VERSION,
        opens_from,
        probe(),
        tables,
        before.hash if before else "",
    ).sealed()
    manifests.add(lake, manifest, reserved)
    return manifest


def kept(
    lake: Lakehouse, known: Mapping[str, Kept] = MappingProxyType({}), only: Iterable[str] | None = None
) -> Iterator[tuple[str, Kept]]:
    """Each table with its version, rows, files and content; of those that have not changed as it was known."""
    changed: dict[str, DeltaTable] = {}
    for name in lake.tables() if only is None else only:
        if only is None and (name in BESIDE or name.endswith(WORK) or not manifests.is_ours(name)):
            continue
        if name in known and _is_unchanged(lake, name, known[name]):
            yield name, known[name]
        else:
            changed[name] = lake.delta(name)
    if not changed:
        return
    before: dict[str, Kept] = {}
    sources: dict[str, str] = {}
    with query.empty() as connection, query.damage_in_words(lake, changed):
        for name, table in changed.items():
            gained = _gained(lake, name, table, known.get(name))
            if gained is not None:
                before[name] = known[name]
            sources[name] = query.source(connection, lake, name, table, gained)
        sums = sums_of(connection, sources)
    for name, table in changed.items():
        total, rows = sums[name]
        if name in before:
            total, rows = total + int(before[name].content), rows + before[name].rows
        sizes = data_files(table)["size_bytes"].to_pylist()
        yield (
            name,
            Kept(str(table.metadata().id), table.version(), table.version(), rows, len(sizes), sum(sizes), str(total)),
        )


def _identities(tables: Mapping[str, Kept]) -> dict[str, tuple[str, int]]:
    return {name: (one.id, one.version) for name, one in tables.items()}


def _is_unchanged(lake: Lakehouse, name: str, known: Kept) -> bool:
    """Whether a table is the one that was known, at the same version: one that was removed and recreated may have it too.

    In a folder its first commit tells, which is there unless upkeep has removed it, and then it is not new.
    """
    if lake.folder is None:
        table = lake.delta(name)
        return (str(table.metadata().id), table.version()) == (known.id, known.version)
    return newest(lake, name) == known.version and _created_as(lake, name) in (None, known.id)


def _created_as(lake: Lakehouse, name: str) -> str | None:
    """The identifier in the first commit of a table in a folder; None where that commit is not there or says none."""
    try:
        lines = Path(lake.path(name), "_delta_log", f"{0:020d}.json").read_bytes().splitlines()
        return next((str(json.loads(line)["metaData"]["id"]) for line in lines if b'"metaData"' in line), None)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def lost(lake: Lakehouse) -> dict[str, int]:
    """Tables whose newest commits are gone although the newest manifest names them, with the version that is left.

    A table of gold that is not there at all counts as removed, to be computed again.
    """
    manifest = None if lake.folder is None else manifests.newest(lake)
    if manifest is None:
        return {}
    there = {name: newest(lake, name) for name in manifest.tables}
    gone = {name for name, version in there.items() if version < 0 and name.startswith("gold.")}
    return {n: version for n, version in there.items() if n not in gone and version < manifest.tables[n].version}


def _gained(lake: Lakehouse, name: str, table: DeltaTable, known: Kept | None) -> set[str] | None:
    """The files that a large table has gained and nothing else has changed; None where it is to be hashed as a whole."""
    if known is None or known.bytes < _LARGE:
        return None
    try:
        old = DeltaTable(lake.path(name), version=known.version)
    except DeltaError:  # the version before is gone
        return None
    same = old.schema() == table.schema() and {*old.file_uris()} <= {*table.file_uris()}
    return {*table.file_uris()} - {*old.file_uris()} if same else None


def newest(lake: Lakehouse, name: str) -> int:
    """The newest version of a table; in a folder without reading its log."""
    if lake.folder is None or lake.pinned is not None:
        return lake.version(name)
    commit = newest_commit(lake, name)
    return int(commit.name[:20]) if commit else -1


def sums_of(connection: duckdb.DuckDBPyConnection, sources: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """Per name the sum of the hashes of the rows of its query, and how many there are."""
    one = "select '{}', coalesce(sum(hash(rows)::hugeint), 0), count(*) from ({}) rows"
    found = connection.execute(" union all ".join(one.format(*item) for item in sources.items())).fetchall()
    return {name: (int(total), int(rows)) for name, total, rows in found}


@cache
def probe() -> str:
    """What DuckDB's hash makes of known values: its hashes compare only where this is the same."""
    with query.empty() as connection:
        values = "'a', 1::bigint, 1.5::double, 2.50::decimal(18, 2), date '2025-07-01', true, null::varchar, ['b']"
        (row,) = connection.execute(f"select hash(row({values}))").fetchall()
    return f"{row[0]:016x}"
