"""The manifest of a command that has ended: versions of all tables with their rows, files and the hash of their content."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import cast
from urllib.parse import unquote

import duckdb
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from medallion.lakehouse import manifests, query, unity
from medallion.lakehouse.commits import data_files, newest_commit, sizes
from medallion.lakehouse.manifests import Kept
from medallion.lakehouse.places import BESIDE
from medallion.lakehouse.store import Lakehouse
from medallion.version import VERSION

#: The command that writes versions, and no content.
MAINTAIN = manifests.MAINTAIN
#: Endings of tables that hold work in progress only.
WORK = ("_staged", "_strays", "_contested")
#: At an address, tables from this size (bytes) on are hashed by the files that were added, not as a whole.
_LARGE = 8 << 20


def publish(
    lake: Lakehouse, kind: str, run_id: str = "", now: datetime | None = None, *, cut: bool = False
) -> manifests.Manifest | None:
    """Add the manifest of a command that has ended; None where no table has changed.

    The caller holds the lock. After an erasure, and where commits that a manifest names were lost (`cut`), no earlier
    manifest opens any more. What was lost may have had the same version, so then every table is hashed anew.

    Raises:
        LakehouseError: Another writer has added one meanwhile.
    """
    reserved = manifests.reserved(lake) if lake.place.reads_files else None
    before, method = manifests.newest(lake, reserved), hashed_by(lake)
    known = before.tables if before and before.hashed_by == method and not cut else {}
    if before and not (known or cut) and _is_same(lake, before):
        return None
    tables = dict(kept(lake, known))
    if kind == MAINTAIN:
        tables |= {name: replace(table, since=known[name].since) for name, table in tables.items() if name in known}
    number = before.number + 1 if before else 1
    opens_from = number if kind == "forget" or cut or before is None else before.opens_from
    if before and cut:  # a restore whose manifest was written, and which was killed then
        same = tables == before.tables and before.opens_from == before.number
    else:
        same = _identities(tables) == _identities(before.tables if before else {})
    if same:
        return None
    if before and not lake.place.reads_files and _contents(tables) == _contents(before.tables):
        kind = MAINTAIN  # of the platform
    manifest = manifests.Manifest(
        number,
        now or datetime.now(UTC),
        kind,
        run_id,
        manifests.FORMAT,
        VERSION,
        opens_from,
        method,
        tables,
        before.hash if before else "",
    ).sealed()
    manifests.add(lake, manifest, reserved)
    return manifest


def _is_same(lake: Lakehouse, manifest: manifests.Manifest) -> bool:
    """Whether every table is as a manifest has it, whose hashes do not compare with those of today."""
    there = {name for name in lake.tables() if _is_in_manifests(name)}
    return there == {*manifest.tables} and all(_is_unchanged(lake, *item) for item in manifest.tables.items())


def _is_in_manifests(name: str) -> bool:
    return name not in BESIDE and not name.endswith(WORK) and manifests.is_ours(name)


def kept(
    lake: Lakehouse, known: Mapping[str, Kept] = MappingProxyType({}), only: Iterable[str] | None = None
) -> Iterator[tuple[str, Kept]]:
    """Each table with its version, rows, files and content; of those that have not changed as it was known."""
    changed: dict[str, DeltaTable] = {}
    for name in lake.tables() if only is None else only:
        if only is None and not _is_in_manifests(name):
            continue
        if name in known and _is_unchanged(lake, name, known[name]):
            yield name, known[name]
        else:
            changed[name] = lake.delta(name)
    if not changed:
        return
    if not lake.place.reads_files:
        yield from _kept_by_engine(lake, changed, known)
        return
    parts = {name: _part(lake, name, table, known.get(name)) for name, table in changed.items()}
    with query.empty() as connection, query.damage_in_words(lake, changed):
        sums = _sums(connection, lake, {name: (table, parts[name].of) for name, table in changed.items()})
        gone = {name: (table, parts[name].gone) for name, table in changed.items() if parts[name].gone}
        less = _sums(connection, lake, gone) if gone else {}
    for name, table in changed.items():
        (total, rows), part = sums[name], parts[name]
        if part.beside:
            total, rows = total + int(part.beside.content), rows + part.beside.rows
        if name in less:
            total, rows = total - less[name][0], rows - less[name][1]
        yield (
            name,
            Kept(str(table.metadata().id), table.version(), table.version(), rows, part.files, part.bytes, str(total)),
        )


@dataclass(frozen=True)
class _Part:
    """What of a table is to be hashed.

    Attributes:
        of: The data files; None is all.
        files: How many it has, with those that are not to be hashed.
        bytes: Theirs.
        beside: What was known, where the files of then count, but for those that are `gone`.
        gone: Those that were removed since and are still in the folder.
    """

    of: Collection[str] | None
    files: int
    bytes: int
    beside: Kept | None = None
    gone: Collection[str] = ()


def _part(lake: Lakehouse, name: str, table: DeltaTable, known: Kept | None) -> _Part:
    """The files that a table has gained since it was known, and those that it has lost; all, where that is not more to read."""
    if known is not None and str(table.metadata().id) == known.id:
        changed = _changes(lake, name, table, known) if lake.folder else _changes_elsewhere(lake, name, table, known)
        if changed is not None:
            added, gone = changed
            files, size = known.files + len(added) - len(gone), known.bytes + sum(added.values()) - sum(gone.values())
            if len(gone) == known.files:
                return _Part({*added}, files, sum(added.values()))
            if sum(gone.values()) + sum(added.values()) < size and all(Path(file).is_file() for file in gone):
                return _Part({*added}, files, size, known, {*gone})
    every = data_files(table)["size_bytes"].to_pylist()
    return _Part(None, len(every), sum(every))


def _sums(
    connection: duckdb.DuckDBPyConnection,
    lake: Lakehouse,
    wanted: Mapping[str, tuple[DeltaTable, Collection[str] | None]],
) -> dict[str, tuple[int, int]]:
    """Per table the sum of the hashes of the rows of these data files, and how many there are."""
    if lake.folder is not None:
        hashed = [(name, query.hashed(name, table, of)) for name, (table, of) in wanted.items()]
        # planning takes most of it, and one core: two statements are planned side by side
        halves = [half for half in (hashed[::2], hashed[1::2]) if half]
        with suppress(duckdb.BinderException), ThreadPoolExecutor(len(halves)) as threads:
            # a BinderException: no file has a column that its table has gained
            results = threads.map(_hashes, [connection.cursor() for _ in halves], halves)
            return {name: sums for half in results for name, sums in half.items()}
    return sums_of(
        connection, {name: query.source(connection, lake, name, table, of) for name, (table, of) in wanted.items()}
    )


def _hashes(cursor: duckdb.DuckDBPyConnection, queries: list[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    with cursor:
        cursor.execute("set timezone = 'UTC'")  # which a cursor does not have from its connection
        cursor.execute("pragma disable_optimizer")  # every row of every column counts: there is nothing to plan
        totals = cursor.execute(" union all ".join(statement for _, statement in queries)).fetchall()
    return {name: (int(total), int(rows)) for (name, _), (total, rows) in zip(queries, totals, strict=True)}


def _kept_by_engine(
    lake: Lakehouse, tables: Mapping[str, DeltaTable], known: Mapping[str, Kept]
) -> Iterator[tuple[str, Kept]]:
    """Tables that only the engine reads: hashed whole in one statement, but for those that upkeep alone has changed."""
    same = {
        name: known[name] for name in tables if name in known and is_as(lake, name, known[name], tables[name].version())
    }
    pinned = lake.pinned or {}
    _, sums = lake.place.sums({name: pinned.get(name) for name in tables if name not in same}) or ("", {})
    for name, table in tables.items():
        table_id, version = str(table.metadata().id), table.version()
        if name in same:
            yield name, replace(same[name], id=table_id, version=version)
        else:
            total, rows = sums[name]
            yield name, Kept(table_id, version, version, rows, 0, 0, str(total))


def is_as(lake: Lakehouse, name: str, known: Kept, version: int) -> bool:
    """Whether a table at its newest version has the rows that are known, as far as the version says; in a catalog its history,
    which tells of upkeep by the platform.
    """
    if lake.place.reads_files or version == known.version:
        return version == known.version
    return version > known.version and cast(unity.Table, lake.delta(name)).is_since(known.version, known.id)


def _contents(tables: Mapping[str, Kept]) -> dict[str, tuple[int, str, int]]:
    return {name: (table.rows, table.content, table.since) for name, table in tables.items()}


def _identities(tables: Mapping[str, Kept]) -> dict[str, tuple[str, int]]:
    return {name: (table.id, table.version) for name, table in tables.items()}


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


def _changes(
    lake: Lakehouse, name: str, table: DeltaTable, known: Kept
) -> tuple[dict[str, int], dict[str, int]] | None:
    """The files that a table in a folder has gained since it was known, and those that it has lost, with their bytes.

    None where its columns have changed, or its commits do not say.
    """
    added: dict[str, int] = {}
    removed: dict[str, int] = {}
    try:
        for version in range(known.version + 1, table.version() + 1):
            for line in Path(lake.path(name), "_delta_log", f"{version:020d}.json").read_bytes().splitlines():
                action = json.loads(line)
                if "metaData" in action:
                    return None
                if gone := action.get("remove"):
                    file = _file(gone["path"])
                    if added.pop(file, None) is None:
                        removed[str(Path(lake.path(name), unquote(gone["path"])))] = int(gone["size"])
                if new := action.get("add"):
                    added[_file(new["path"])] = int(new["size"])
    except (OSError, ValueError, KeyError, TypeError):  # upkeep has removed the commit
        return None
    uris = table.file_uris()
    gained = {uri: added[_file(uri)] for uri in uris if _file(uri) in added}
    # a file may be added again, in another commit or with another description
    is_told = len(gained) == len(added) and len(uris) == known.files + len(added) - len(removed)
    return (gained, removed) if is_told and not {Path(file).name for file in removed} & {*added} else None


def _file(path: str) -> str:
    return unquote(path).rsplit("/", 1)[-1]


def _changes_elsewhere(
    lake: Lakehouse, name: str, table: DeltaTable, known: Kept
) -> tuple[dict[str, int], dict[str, int]] | None:
    """The same at an address, of large tables: the version before has to be opened, which takes longer than a small hash."""
    if known.bytes < _LARGE:
        return None
    try:
        old = DeltaTable(lake.path(name), version=known.version)
    except DeltaError:  # the version before is gone
        return None
    if old.schema() != table.schema():
        return None
    before, now = sizes(old), sizes(table)
    return {uri: now[uri] for uri in now.keys() - before}, {uri: before[uri] for uri in before.keys() - now}


def newest(lake: Lakehouse, name: str) -> int:
    """The newest version of a table; in a folder without reading its log."""
    if lake.folder is None or lake.pinned is not None:
        return lake.version(name)
    commit = newest_commit(lake, name)
    return int(commit.name[:20]) if commit else -1


def sums_of(connection: duckdb.DuckDBPyConnection, sources: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """Per name the sum of the hashes of the rows of its query, and how many there are."""
    statement = "select '{}', coalesce(sum(hash(_whole_row)::hugeint), 0), count(*) from ({}) _whole_row"
    totals = connection.execute(" union all ".join(statement.format(*item) for item in sources.items())).fetchall()
    return {name: (int(total), int(rows)) for name, total, rows in totals}


def hashed_by(lake: Lakehouse) -> str:
    """What hashes the rows of a lakehouse, as its manifests name it."""
    by_engine = lake.place.sums({})
    return by_engine[0] if by_engine else probe()


@cache
def probe() -> str:
    """What DuckDB's hash makes of known values: its hashes compare only where this is the same.

    The first value names the way of hashing: before 2 a column called `rows` stood for the whole row.
    """
    with query.empty() as connection:
        values = "'2', 1::bigint, 1.5::double, 2.50::decimal(18, 2), date '2025-07-01', true, null::varchar, ['b']"
        (row,) = connection.execute(f"select hash(row({values}))").fetchall()
    return f"{row[0]:016x}"
