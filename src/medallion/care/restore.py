"""Back to an earlier state: a whole lakehouse as a manifest has it, or one table at one version.

A lakehouse that is older than manifests goes back to how a run left it, by the times of commits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from deltalake import DeltaTable

from medallion import addresses, door
from medallion.errors import LakehouseError
from medallion.lakehouse import commits, manifests, publishing, removal
from medallion.lakehouse.manifests import Manifest
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import journal

RUNS = journal.RUNS


@dataclass(frozen=True)
class Move:
    """What happens to one table: from a version to an earlier one; `to` is None for a table that was not there yet."""

    table: str
    now: int
    to: int | None


class Point(NamedTuple):
    """A state that can be gone back to: its manifest, None for a run from before there were any; when it ended (UTC); by what."""

    manifest: int | None
    ended: datetime
    by: str


def points(lake: Lakehouse) -> list[Point]:
    """States that can be gone back to, oldest first."""
    known = manifests.history(lake)
    opens = manifests.kept(known)
    runs = [] if known and len(opens) < len(known) else _runs_before(lake, known)
    return [
        *(Point(None, ended, journal.RUN) for _, ended in runs),
        *(Point(manifest.number, manifest.written_at, manifest.kind) for manifest in opens),
    ]


def plan(lake: Lakehouse, to: str, table: str | None = None) -> list[Move]:
    """What going back would do.

    Args:
        lake: The lakehouse.
        to: Number of a manifest, or a time (UTC), for which the last state by then is taken; with `table` a number is a
            version of it.
        table: Only this table.

    Raises:
        LakehouseError: There is no such state or version, or files of it were removed since, by an erasure for one;
            or a commit that belongs to it was not written whole. Elsewhere than in a folder lost files are met only when
            the table goes back, and the restore is rolled back then.
    """
    if table is not None and manifests.is_number(to):
        moves = [Move(table, _newest(lake, table), int(to))]
    else:
        names = [table] if table else [name for name in lake.tables() if journal.is_kept_track_of(name)]
        manifest = _manifest(lake, to)
        versions = _of_a_run(lake, to, names) if manifest is None else _of_a_manifest(lake, manifest, names)
        moves = [Move(name, _newest(lake, name), versions[name]) for name in names]
    moves = [move for move in moves if move.to != move.now]
    for move in moves:
        if move.to is not None:
            _has_files(lake, move)
    return moves


def apply(lake: Lakehouse, to: str, table: str | None = None) -> list[Move]:
    """Go back, `ops.runs` last and removals after it; each table is one commit that can itself be undone.

    A last commit that was not written whole is set aside first: its file stays in the log's folder as `.torn`. With
    `table` that is done for this table only, and refused while others are damaged. What a killed process left is
    rolled back before the moves are planned. A restore that is killed is rolled back by the next command that writes,
    or completed where only removals were left; until its manifest is written, readers open the state before. Where
    commits that a manifest names are lost, nothing is rolled back, since no state before was whole: the restore is
    to be repeated, and its own manifest is the first that opens.

    Args:
        lake: As in `plan`.
        to: As in `plan`.
        table: As in `plan`.

    Raises:
        LakehouseError: As `plan`, or another run is writing.
    """
    with journal.writing(lake, recover=False) as writer:
        if writer.is_erasing():
            writer.recover()  # refuses: an erasure is completed
        plan(lake, to, table)  # refuses what cannot be done before anything is changed
        damaged, lost = journal.damaged(lake), journal.lost_commits(lake)
        others = [damage.error() for damage in damaged if table not in (None, damage.table)]
        others += [error for name, error in lost.items() if table not in (None, name)]
        if others:
            raise LakehouseError(f"{table}: cannot go back alone: {others[0].problem}", f"{commits.GO_BACK}.")
        newest = manifests.newest(lake)
        named = newest.versions if newest else {}
        cut = (
            any(named.get(damage.table, -1) >= damage.version for damage in damaged)
            or bool(publishing.lost(lake))
            or writer.is_cut()
        )
        for damage in damaged:
            damage.set_aside()
        if table is not None or not cut:  # else every table is moved anyway, whatever was begun
            # of a journal that is damaged no manifest can be made; when all goes back, the restore makes one
            writer.recover(publish=table is not None and not cut)
        moves = plan(lake, to, table)
        gone = [move.table for move in moves if move.to is None]
        with writer.intent(journal.RESTORE, cut=cut):
            for move in sorted(moves, key=lambda move: move.table == RUNS):
                if move.to is not None:
                    with door.through(lake.path(move.table)):
                        lake.delta(move.table).restore(move.to)
            if gone:
                writer.amend(dropping=gone)
                removal.drop(lake, gone)
    return moves


def _manifest(lake: Lakehouse, to: str) -> Manifest | None:
    """The manifest that is meant; None where it is a run from before the first."""
    known = manifests.history(lake)
    if manifests.is_number(to) or (known and manifests.last_by(known, to, "--to")):
        return manifests.found(lake, to, "--to")
    return None


def _runs_before(lake: Lakehouse, known: list[Manifest]) -> list[tuple[int, datetime]]:
    """Versions of `ops.runs` from before the first manifest, with the time at which the run ended (UTC), oldest first.

    A run writes `ops.runs` last, so every table's newest version at that time is the one that the run left.
    """
    if not known and not lake.exists(RUNS):
        lake.delta(RUNS)
    first = known[0].versions.get(RUNS, 0) if known else 1 << 62
    if (
        known and first <= 1 and known[0].kind == journal.RUN
    ):  # made and written once: the first manifest is that of the first run
        return []
    history = _whole(lake, RUNS).history()
    stamps = {int(commit["version"]): int(commit["timestamp"]) for commit in history if "timestamp" in commit}
    ended = [(version, datetime.fromtimestamp(stamp / 1000, UTC)) for version, stamp in sorted(stamps.items())]
    return [run for run in ended if run[0] < first]


def _of_a_manifest(lake: Lakehouse, manifest: Manifest, names: list[str]) -> dict[str, int | None]:
    """Versions of these tables in a manifest; the present one where its content is the same."""
    newest = manifests.newest(lake) or manifest
    for name in names:
        damage, kept = commits.damage(lake, name), manifest.tables.get(name)
        if damage and kept and kept.version >= damage.version:
            before = [earlier for earlier in manifests.history(lake) if earlier.versions.get(name, -1) < damage.version]
            raise LakehouseError(
                f"Manifest {manifest.number} of {_written(manifest.written_at)} cannot be gone back to: {damage.error().problem}",
                f"Go back to the state before with `medallion restore --to {before[-1].number}`."
                if before
                else "No earlier state is left: restore a backup, or run again with another --lakehouse.",
            )
    manifests.still_there(lake, manifest, names if len(names) == 1 else None)
    return {name: _version_in(lake, name, manifest, newest) for name in names}


def _version_in(lake: Lakehouse, name: str, manifest: Manifest, newest: Manifest) -> int | None:
    kept, last = manifest.tables.get(name), newest.tables.get(name)
    if kept is None:
        return None
    now = _newest(lake, name)
    same = last is not None and now == last.version and manifest.hashed_by == newest.hashed_by
    if same and last is not None and (last.rows, last.content, last.since) == (kept.rows, kept.content, kept.since):
        return now  # a compaction is no other content
    return kept.version


def _of_a_run(lake: Lakehouse, to: str, names: list[str]) -> dict[str, int | None]:
    """Versions of these tables when the last run by a time had ended, as far as there are no manifests."""
    time = manifests.time_of(to, "--to")
    runs = _runs_before(lake, manifests.history(lake))
    ended = [stamp for _, stamp in runs if stamp <= time]
    if not ended:
        known = ", ".join(f"{point.ended:%Y-%m-%dT%H:%M:%S}" for point in points(lake)[-5:])
        raise LakehouseError(f"{lake.root}: no run had ended by {to}", f"Last runs ended at: {known or 'none'}.")
    _is_whole(lake, names, ended)
    return {name: _version_at(lake, name, ended[-1]) for name in names}


def _is_whole(lake: Lakehouse, names: list[str], ended: list[datetime]) -> None:
    """Refuse the last of these runs if a damaged commit was written before it ended, since its state is lost.

    Without that commit the table would be behind the others, and its part of the delivery would not be loaded again.
    """
    damaged = [damage for name in names if (damage := commits.damage(lake, name))]
    lost = [damage for damage in damaged if damage.begun <= ended[-1].timestamp()]
    if lost:
        first = min(damage.begun for damage in damaged)
        left = [stamp for stamp in ended if stamp.timestamp() < first]
        raise LakehouseError(
            f"The run that ended at {_written(ended[-1])} cannot be gone back to: {lost[0].error().problem}",
            f"Go back to the run before with `medallion restore --to {_written(left[-1])}`."
            if left
            else "No earlier run is left: restore a backup, or run again with another --lakehouse.",
        )


def _written(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def _whole(lake: Lakehouse, name: str) -> DeltaTable:
    """A table at its newest version that was written whole."""
    damage = commits.damage(lake, name)
    return DeltaTable(lake.path(name), version=damage.version - 1) if damage and damage.version else lake.delta(name)


def _newest(lake: Lakehouse, name: str) -> int:
    return publishing.newest(lake, name)


def _version_at(lake: Lakehouse, name: str, time: datetime) -> int | None:
    damage = commits.damage(lake, name)
    if not lake.exists(name) or (damage and not damage.version):
        return None  # its first commit was never whole
    stamps = {
        int(commit["version"]): int(commit["timestamp"])
        for commit in _whole(lake, name).history()
        if "timestamp" in commit
    }
    return max((v for v, stamp in stamps.items() if stamp <= time.timestamp() * 1000), default=None)


def _has_files(lake: Lakehouse, move: Move) -> None:
    try:
        table = lake.place.delta(move.table, move.to)
        table.version()
        files = commits.sizes(table) if lake.folder is not None else {}
        lost = [uri for uri, size in files.items() if not _is_there(Path(addresses.on_disk(uri)), size)]
    except Exception as error:
        raise LakehouseError(
            f"{move.table}: there is no version {move.to}: {str(error).splitlines()[0][:160]}",
            f"It is at version {move.now}; an erasure removes all earlier ones.",
        ) from error
    if lost:
        raise LakehouseError(
            f"{move.table}: {len(lost)} files of version {move.to} are no longer there as they were written",
            "An erasure or a clean-up removed them, or a disk lost them. Nothing was changed: choose another state "
            "(`medallion restore --list`).",
        )


def _is_there(file: Path, size: int) -> bool:
    try:
        return file.is_file() and file.stat().st_size == size
    except OSError:
        return False
