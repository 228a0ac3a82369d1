"""Upkeep of the tables of a folder or an address: few files, short logs, and nothing that no manifest needs any more.

What can be opened stays: the manifests of the last 30 days, the last of every month, and none from before an erasure.
A catalog does this itself (predictive optimization).
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from deltalake import DeltaTable

from medallion import door
from medallion.errors import LakehouseError
from medallion.lakehouse import locks, manifests, publishing, removal, store
from medallion.lakehouse.commits import checkpointed, data_files, names_of, newest_commit
from medallion.lakehouse.manifests import Kept, Manifest
from medallion.lakehouse.places import BESIDE
from medallion.lakehouse.store import Lakehouse

#: A table is due when it has so many files that are small (the engine writes up to one per core), or so many commits since
#: commits were last removed.
FILES, SMALL, COMMITS = max(16, 4 * (os.cpu_count() or 1)), 32 << 20, 50
#: Compaction makes no files larger than this, and leaves such alone.
_LARGEST = 128 << 20
#: Who opens a table reads the commits since its newest checkpoint, so after as many the next one is written.
UNREAD = 10
#: Hours for which files of a table that is written beside the lock are left alone, since a commit may be about to name them.
_BESIDE_HOURS = 24


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
    versions: dict[str, set[int]] = defaultdict(set)
    for manifest in known:
        if manifest.number in wanted:
            for name, kept in manifest.tables.items():
                versions[name].add(kept.version)
    return versions


def tables(lake: Lakehouse) -> list[str]:
    """Tables that are kept up; none in a catalog. Those of somebody else are not: no manifest says which versions they need."""
    if not lake.place.reads_files:
        return []
    return [name for name in lake.tables() if manifests.is_ours(name) and not name.endswith(publishing.WORK)]


def due(lake: Lakehouse) -> list[str]:
    """Tables that have come to many small files or long logs, and where there are any, those that are half way to it.

    So that a delivery in several does the upkeep of all, with one more manifest, and most do none.
    """
    names = tables(lake)
    small, long = {name: _small_files(lake.delta(name)) for name in names}, {n for n in names if _is_long(lake, n)}
    if not long and max(small.values(), default=0) < FILES:
        return []
    return [name for name in names if name in long or 2 * small[name] >= FILES]


def sum_up(lake: Lakehouse) -> list[str]:
    """Write checkpoints of tables in a folder that have come to many commits since their last; gives their names.

    The caller holds the lock. No version changes and nothing is removed, so that no manifest is needed.
    """
    names = [name for name in tables(lake) if _is_unread(lake, name)] if lake.folder is not None else []
    for name in names:
        locks.check()
        commit = newest_commit(lake, name)
        for path in (commit, commit.parent) if commit else ():
            door.flush(path)  # a checkpoint must not outlive the commit that it ends with
        with door.through(lake.path(name)):
            lake.delta(name).create_checkpoint()
    return names


def maintain(
    lake: Lakehouse, names: Collection[str], needs: dict[str, set[int]], *, thorough: bool = True
) -> list[Maintained]:
    """Compact tables, write checkpoints, and remove files and commits that no manifest needs. The caller holds the lock.

    Args:
        lake: A lakehouse in a folder or at an address.
        names: The tables.
        needs: Versions of each that stay, from `needed`.
        thorough: Without it only tables whose logs are long lose files and commits, in a folder, since to find which takes
            longest, and large files are not written again for the sake of a few small ones.

    Raises:
        LakehouseError: The content of a table was not the same afterwards; nothing of it is removed then.
    """
    before = manifests.newest(lake)
    known = before.tables if before and before.hashed_by == publishing.hashed_by(lake) else {}
    removing = {name for name in names if thorough or lake.folder is None or _is_long(lake, name)}
    return [
        _maintained(lake, name, needs.get(name, set()), known, thorough=thorough, removing=name in removing)
        for name in names
    ]


def _small_files(table: DeltaTable) -> int:
    """How many files a table has; 0 where they are not small."""
    sizes = data_files(table)["size_bytes"].to_pylist()
    return len(sizes) if sum(sizes) < SMALL * len(sizes) else 0


def _is_long(lake: Lakehouse, name: str) -> bool:
    """Whether many commits came since upkeep gave every commit that stays a checkpoint; beside the lock, whether many are old."""
    if lake.folder is None:
        return False
    if name in BESIDE:
        return len(_old(lake, name)) >= COMMITS
    commits, summed_up = _log(lake, name)
    return len(commits - summed_up) >= COMMITS


def _is_unread(lake: Lakehouse, name: str) -> bool:
    """Whether a checkpoint is missed. Only where it does not have the next writer remove commits that manifests need."""
    commits, summed_up = _log(lake, name)
    newest = max(summed_up, default=-1)
    return sum(version > newest for version in commits) >= UNREAD and (name in BESIDE or _keeps_commits(lake, name))


def _keeps_commits(lake: Lakehouse, name: str) -> bool:
    (only,) = store.KEEP_COMMITS.items()
    return only in lake.delta(name).metadata().configuration.items()


def _log(lake: Lakehouse, name: str) -> tuple[set[int], set[int]]:
    """Versions that have a commit in the log of a table in a folder, and those that have a checkpoint."""
    names = [file for file in names_of(Path(lake.path(name), "_delta_log")) if file[:20].isdigit()]
    commits = {int(file[:20]) for file in names if file[20:] == ".json"}
    return commits, {int(file[:20]) for file in names if file.startswith(".checkpoint", 20)}


def _old(lake: Lakehouse, name: str) -> set[int]:
    """Commits of a table written beside the lock that nobody reads any more: before the newest, and of another day."""
    limit = time.time() - _BESIDE_HOURS * 3600
    log = Path(lake.path(name), "_delta_log")
    commits, _ = _log(lake, name)
    ages = {version: (log / f"{version:020d}.json").stat().st_mtime for version in sorted(commits)[:-1]}
    young = min((version for version, written in ages.items() if written >= limit), default=1 << 63)
    return {version for version in ages if version < young}


def _worth_merging(sizes: Iterable[int]) -> tuple[int, int]:
    """How many of the smallest files are to become one, and their bytes together.

    Half of them at least; of the rest each that is not larger than all before it. So a row is written again when its file
    has about doubled, however many deliveries there were, and the number of files grows with the logarithm of the bytes.

    >>> _worth_merging([900, 1, 1, 1, 2, 3]), _worth_merging([4, 4, 4, 4]), _worth_merging([90, 1])
    ((5, 8), (4, 16), (1, 1))
    """
    ordered = sorted(sizes)
    total = 0
    for place, size in enumerate(ordered):
        if 2 * place >= len(ordered) and size > total:
            return place, total
        total += size
    return len(ordered), total


def _maintained(
    lake: Lakehouse, name: str, needs: Collection[int], known: Mapping[str, Kept], *, thorough: bool, removing: bool
) -> Maintained:
    locks.check()
    table = lake.delta(name)
    before, commits = len(table.file_uris()), _commits(lake, name)
    if not _keeps_commits(lake, name):
        with door.through(lake.path(name)):
            table.alter.set_table_properties(store.KEEP_COMMITS)
    merged, size = (before, _LARGEST) if thorough else _worth_merging(data_files(table)["size_bytes"].to_pylist())
    if merged > 1:
        _compacted(lake, name, known, min(size + 1, _LARGEST))
    newest = lake.delta(name).version()
    hours = _BESIDE_HOURS if name in BESIDE else 0
    gone = removal.vacuum(lake, name, hours, sorted({*needs, newest})) if removing else 0
    with door.through(lake.path(name)):
        lake.delta(name).create_checkpoint()
    if lake.folder is None or not removing:
        pass
    elif name in BESIDE:
        removal.flush(lake, name)
        _remove(lake, name, _old(lake, name))
    else:
        _shorten(lake, name, {*needs, newest, lake.version(name)})
    return Maintained(name, before, len(lake.delta(name).file_uris()), commits, _commits(lake, name), gone)


def _commits(lake: Lakehouse, name: str) -> int:
    return 0 if lake.folder is None else len(_log(lake, name)[0])


def _compacted(lake: Lakehouse, name: str, known: Mapping[str, Kept], below: int) -> None:
    """Compact many small files into few large ones with the same rows; files of `below` bytes or more stay."""
    names = [name]
    before = dict(publishing.kept(lake, known, names))
    with door.through(lake.path(name)):
        lake.delta(name).optimize.compact(target_size=below)
    after = dict(publishing.kept(lake, before, names))
    if (before[name].rows, before[name].content) != (after[name].rows, after[name].content):
        with door.through(lake.path(name)):
            lake.delta(name).restore(before[name].version)
        raise LakehouseError(
            f"{name}: its content was not the same after compaction, which was rolled back",
            "Report this as a defect.",
        )


def _shorten(lake: Lakehouse, name: str, needs: Collection[int]) -> None:
    """Give every version that is needed a checkpoint, and remove all other commits and checkpoints."""
    log = Path(lake.path(name), "_delta_log")
    for version in sorted({*needs} - checkpointed(log)):
        with door.through(lake.path(name)):
            DeltaTable(lake.path(name), version=version).create_checkpoint()
    with door.through(lake.path(name)):
        lake.delta(name).create_checkpoint()  # the last one written is the one that readers look for first
    removal.flush(lake, name)
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
