"""Versions, tables and temporary files that go from a lakehouse, and with them what they hold."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from medallion import door
from medallion.lakehouse import places
from medallion.lakehouse.commits import data_files
from medallion.lakehouse.places import BESIDE, LAYERS

if TYPE_CHECKING:
    from medallion.lakehouse.store import Lakehouse


def flush(lake: Lakehouse, name: str) -> None:
    """Make the newest version of a table in a folder last through a power failure, before older ones are removed."""
    if lake.folder is None:
        return
    log = Path(lake.path(name), "_delta_log")
    data = [Path(lake.path(name), unquote(uri.rsplit("/", 1)[-1])) for uri in lake.delta(name).file_uris()]
    for path in (*log.iterdir(), *(file for file in data if file.is_file()), log, log.parent):
        door.flush(path)


#: For so many hours a file that no commit names may be of one that is being written, in a table written beside the lock.
_WRITING_HOURS = 1


def vacuum(lake: Lakehouse, name: str, hours: int = 0, keep: list[int] | None = None) -> int:
    """Remove data files that a table does not need any more, and those that a killed writer has left; gives how many.

    Files of another name that no version has had stay (`places.is_data_file`).

    Args:
        lake: A lakehouse in a folder or at an address.
        name: The table.
        hours: Files that went so many hours ago, or less, stay.
        keep: Versions whose files stay besides those of the newest.
    """
    table = lake.delta(name)
    left = max(hours, _WRITING_HOURS) if name in BESIDE else hours
    had = table.vacuum(hours, dry_run=True, enforce_retention_duration=False, keep_versions=keep)
    spare = table.vacuum(left, dry_run=True, enforce_retention_duration=False, full=True, keep_versions=keep)
    gone = [path for path in {*had, *spare} if path in had or places.is_data_file(path)]
    with door.through(lake.path(name)):
        if lake.folder is None:
            whole = name not in BESIDE and {*gone} == {*had, *spare}
            gone = table.vacuum(hours, dry_run=False, enforce_retention_duration=False, full=whole, keep_versions=keep)
        else:
            for path in gone:
                Path(lake.path(name), path).unlink(missing_ok=True)
    return len(gone)


def purge(lake: Lakehouse, name: str) -> tuple[int, int]:
    """Remove everything of a table in a folder but its newest version; gives how many versions and data files went.

    What older versions held stays readable in their files, and in the statistics of the log, until this is done. What
    is being written to a table beside the lock meanwhile is left alone.
    """
    before = len(lake.delta(name).history())
    with door.through(lake.path(name)):
        lake.delta(name).alter.set_table_properties(_KEEP_NOTHING)
    flush(lake, name)
    gone = vacuum(lake, name)
    table = lake.delta(name)
    with door.through(lake.path(name)):
        table.create_checkpoint()
    flush(lake, name)
    young = time.time() - _WRITING_HOURS * 3600 if name in BESIDE else None
    with door.through(lake.path(name)):
        lake.delta(name).cleanup_metadata()
        _purge_log(Path(lake.path(name), "_delta_log"), table.version(), young)
    with door.through(lake.path(name)):
        lake.delta(name).alter.set_table_properties(_KEEP_AS_USUAL)
    return before, gone


def _purge_log(log: Path, newest: int, young: float | None = None) -> None:
    """Remove what the log of a table does not need to give a version, which has a checkpoint, and later ones.

    Those are commits and checkpoints before it, which a table may be set to keep; summaries of versions with statistics
    (`.crc`), which Apache Spark writes; commits that were set aside; and what a killed writer has left, unless it is so
    `young` (written since then) that its writer may be at work.
    """
    if not log.is_dir():
        return
    for path in log.rglob("*"):
        stem = path.name.removeprefix("_").split(".")[0]
        needed = path.name == "_last_checkpoint" or (stem.isdigit() and int(stem) >= newest)
        if not path.is_file() or (needed and path.suffix not in (".crc", ".torn", ".tmp")):
            continue
        with suppress(FileNotFoundError):  # its writer has just given it its name
            if young is None or stem.isdigit() or path.stat().st_mtime < young:
                path.unlink()


_KEEP_NOTHING = {
    "delta.logRetentionDuration": "interval 0 seconds",
    "delta.deletedFileRetentionDuration": "interval 0 seconds",
}


_KEEP_AS_USUAL = {
    "delta.logRetentionDuration": "interval 30 days",
    "delta.deletedFileRetentionDuration": "interval 7 days",
}


def drop(lake: Lakehouse, names: Iterable[str]) -> None:
    """Remove tables: their logs and data. A file of another name in the folder of one stays where it is."""
    for name in names:
        with door.through(lake.path(name)):
            lake.place.remove(name)
    sweep(lake)


def sweep(lake: Lakehouse) -> None:
    """Remove what is left of removed tables, and put back what somebody has in their folders."""
    if lake.folder is None or not (gone := lake.folder / places.GONE).exists():
        return
    with door.through(gone):
        for table in (table for layer in LAYERS for table in gone.glob(f"*/{layer}/*")):
            _put_back(table, lake.folder / table.parent.name / table.name)
        shutil.rmtree(gone, ignore_errors=True)


def _put_back(table: Path, folder: Path) -> None:
    """Move the files of a removed table's folder that are not the table's to where the folder was."""
    paths = {str(path.relative_to(table)): path for path in table.rglob("*") if not path.is_dir()}
    others = {name for name in paths if not name.startswith("_delta_log") and not places.is_data_file(name)}
    if others:
        with suppress(DeltaError):  # a log that was not written whole
            others -= {unquote(path) for path in data_files(DeltaTable(str(table)))["path"].to_pylist()}
    for name in others:
        target = folder / name
        while target.exists():  # somebody has written it anew since a writer was killed here
            target = target.with_name(f"{target.name}.before")
        target.parent.mkdir(parents=True, exist_ok=True)
        paths[name].rename(target)
