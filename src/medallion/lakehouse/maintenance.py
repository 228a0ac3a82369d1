"""Upkeep of the tables of a folder or an address: few files, short logs, and nothing that no manifest needs any more.

What can be opened stays: the manifests of the last 30 days, the last of every month, and none from before an erasure.
A catalog does this itself (predictive optimization).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deltalake import DeltaTable

from medallion import door
from medallion.errors import LakehouseError
from medallion.lakehouse import locks, manifests, publishing, store
from medallion.lakehouse.manifests import Manifest
from medallion.lakehouse.store import BESIDE, Lakehouse

#: A table is due when it has so many files that are small, or so many commits that no checkpoint covers or nothing needs.
FILES, SMALL, COMMITS = 32, 32 << 20, 50
#: Hours for which files of a table that is written beside the lock are left alone, since a commit may be about to name them.
_BESIDE_HOURS = 24
#: Versions are removed by `maintain`, which knows the manifests, and not with whatever checkpoint is written next.
_PROPERTY = {"delta.enableExpiredLogCleanup": "false"}


@dataclass(frozen=True)
class Maintained:
    """What was done to a table: data files and log files before and after, and how many files were removed."""

    table: str
    files_before: int
    files_after: int
    commits_before: int
    commits_after: int
    removed: int


def needed(known: Iterable[Manifest], now: datetime) -> dict[str, set[int]]:
    """Versions of each table that the manifests which can be opened need."""
    known = list(known)
    wanted = manifests.openable(known, now)
    found: dict[str, set[int]] = defaultdict(set)
    for manifest in known:
        if manifest.number in wanted:
            for name, kept in manifest.tables.items():
                found[name].add(kept.version)
    return found


def tables(lake: Lakehouse) -> list[str]:
    """Tables that are kept up; none in a catalog. Those of somebody else are not: no manifest says which versions they need."""
    if not lake.place.reads_files:
        return []
    return [name for name in lake.tables() if manifests.is_ours(name) and not name.endswith(publishing.WORK)]


def due(lake: Lakehouse, now: datetime | None = None) -> list[str]:
    """Tables that have come to many small files or long logs, as far as upkeep can make them fewer.

    Args:
        lake: The lakehouse.
        now: The clock, UTC without zone.
    """
    names = tables(lake)
    long = [] if lake.folder is None else [name for name in names if len(_commits(lake, name)) >= COMMITS]
    needs = needed(manifests.history(lake), now.replace(tzinfo=UTC) if now else datetime.now(UTC)) if long else {}
    return [
        name
        for name in names
        if _has_small_files(lake.delta(name)) or (name in long and _is_long(lake, name, needs.get(name, set())))
    ]


def maintain(lake: Lakehouse, names: Iterable[str], needs: dict[str, set[int]]) -> list[Maintained]:
    """Compact tables, write checkpoints, and remove files and commits that no manifest needs. The caller holds the lock.

    Args:
        lake: A lakehouse in a folder or at an address.
        names: The tables.
        needs: Versions of each that stay, from `needed`.

    Raises:
        LakehouseError: The content of a table was not the same afterwards; nothing of it is removed then.
    """
    return [_maintained(lake, name, needs.get(name, set())) for name in names]


def _has_small_files(table: DeltaTable) -> bool:
    sizes = store.data_files(table)["size_bytes"].to_pylist()
    return len(sizes) >= FILES and sum(sizes) < SMALL * len(sizes)


def _is_long(lake: Lakehouse, name: str, needs: Collection[int]) -> bool:
    commits = [int(path.stem) for path in _commits(lake, name)]
    log = Path(lake.path(name), "_delta_log")
    covered = max(store.checkpointed(log), default=-1)
    spare = _old(lake, name) if name in BESIDE else {*commits[:-1]} - {*needs}
    return len(spare) >= COMMITS or sum(version > covered for version in commits) >= COMMITS


def _old(lake: Lakehouse, name: str) -> set[int]:
    """Commits of a table written beside the lock that nobody reads any more: before the newest, and of another day."""
    limit = time.time() - _BESIDE_HOURS * 3600
    commits = _commits(lake, name)
    ages = {int(path.stem): path.stat().st_mtime for path in commits[:-1]}
    young = min((version for version, written in ages.items() if written >= limit), default=1 << 63)
    return {version for version in ages if version < young}


def _commits(lake: Lakehouse, name: str) -> list[Path]:
    return sorted(path for path in Path(lake.path(name), "_delta_log").glob("[0-9]*.json") if path.stem.isdigit())


def _maintained(lake: Lakehouse, name: str, needs: Collection[int]) -> Maintained:
    locks.check()
    table = lake.delta(name)
    before, commits = len(table.file_uris()), len(_commits(lake, name)) if lake.folder is not None else 0
    if table.metadata().configuration.get(next(iter(_PROPERTY))) != "false":
        with door.through(lake.path(name)):
            table.alter.set_table_properties(_PROPERTY)
    if before > 1:
        _compacted(lake, name)
    table = lake.delta(name)
    newest = table.version()
    hours = _BESIDE_HOURS if name in BESIDE else 0
    stay = sorted({*needs, newest})
    gone = store.vacuum(lake, name, hours, stay)
    with door.through(lake.path(name)):
        lake.delta(name).create_checkpoint()
    if lake.folder is not None and name in BESIDE:
        store.flush(lake, name)
        _remove(lake, name, _old(lake, name))
    elif lake.folder is not None:
        _shorten(lake, name, {*needs, newest, lake.version(name)})
    after = len(_commits(lake, name)) if lake.folder is not None else 0
    return Maintained(name, before, len(lake.delta(name).file_uris()), commits, after, gone)


def _compacted(lake: Lakehouse, name: str) -> None:
    """Few large files in place of many small ones, with the same rows."""
    one = [name]
    before = dict(publishing.kept(lake, only=one))
    with door.through(lake.path(name)):
        lake.delta(name).optimize.compact()
    after = dict(publishing.kept(lake, only=one))
    if (before[name].rows, before[name].content) != (after[name].rows, after[name].content):
        with door.through(lake.path(name)):
            lake.delta(name).restore(before[name].version)
        raise LakehouseError(
            f"{name}: its content was not the same after compaction, which was taken back",
            "Report this as a defect.",
        )


def _shorten(lake: Lakehouse, name: str, needs: Collection[int]) -> None:
    """Give every version that is needed a checkpoint, and remove all other commits and checkpoints."""
    log = Path(lake.path(name), "_delta_log")
    for version in sorted({*needs} - store.checkpointed(log)):
        with door.through(lake.path(name)):
            DeltaTable(lake.path(name), version=version).create_checkpoint()
    with door.through(lake.path(name)):
        lake.delta(name).create_checkpoint()  # the last one written is the one that readers look for first
    store.flush(lake, name)
    _remove(lake, name, {*_of_versions(lake, name).values()} - {*needs})


def _remove(lake: Lakehouse, name: str, versions: Collection[int]) -> None:
    """Commits, checkpoints and checksums of versions, which a newer checkpoint covers."""
    for path, version in _of_versions(lake, name).items():
        if version in versions:
            with door.through(path):
                path.unlink()


def _of_versions(lake: Lakehouse, name: str) -> dict[Path, int]:
    """Files of a log that belong to a version, with the version."""
    stems = {path: path.name.split(".")[0] for path in Path(lake.path(name), "_delta_log").iterdir()}
    return {path: int(stem) for path, stem in stems.items() if stem.isdigit()}
