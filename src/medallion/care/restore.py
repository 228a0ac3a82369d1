"""Back to an earlier state: a whole lakehouse as a run left it, or one table at one version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from deltalake import DeltaTable

from medallion.errors import LakehouseError
from medallion.lakehouse import store
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import journal

RUNS = "ops.runs"


@dataclass(frozen=True)
class Move:
    """What happens to one table: from a version to an earlier one; `to` is None for a table that was not there yet."""

    table: str
    now: int
    to: int | None


def points(lake: Lakehouse) -> list[tuple[int, datetime]]:
    """States that can be gone back to: versions of `ops.runs` with the time at which the run ended (UTC), oldest first.

    A run writes `ops.runs` last, so every table's newest version at that time is the one that the run left.
    """
    history = _whole(lake, RUNS).history()
    told = {int(one["version"]): int(one["timestamp"]) for one in history if "timestamp" in one}
    return [(version, datetime.fromtimestamp(stamp / 1000, UTC)) for version, stamp in sorted(told.items())]


def plan(lake: Lakehouse, to: str, table: str | None = None) -> list[Move]:
    """What going back would do.

    Args:
        lake: A lakehouse in a folder.
        to: A time (UTC), for which the last run that had ended by then is taken; or, with `table`, a version.
        table: Only this table.

    Raises:
        LakehouseError: There is no such state or version, or files of it were removed since, by an erasure for one;
            or a commit that belongs to it was not written whole.
    """
    if "://" in lake.root:
        raise LakehouseError(f"{lake.root}: only a folder can be restored", "Use RESTORE TABLE on the platform.")
    if table is not None and to.isdigit():
        moves = [Move(table, _newest(lake, table), int(to))]
    else:
        time = _time(to)
        ended = [stamp for _, stamp in points(lake) if stamp <= time]
        if not ended:
            known = ", ".join(f"{stamp:%Y-%m-%dT%H:%M:%S}" for _, stamp in points(lake)[-5:])
            raise LakehouseError(f"{lake.root}: no run had ended by {to}", f"Last runs ended at: {known or 'none'}.")
        names = [table] if table else lake.tables()
        _is_whole(lake, names, ended)
        moves = [Move(name, _newest(lake, name), _version_at(lake, name, ended[-1])) for name in names]
    moves = [move for move in moves if move.to != move.now]
    for move in moves:
        if move.to is not None:
            _has_files(lake, move)
    return moves


def apply(lake: Lakehouse, to: str, table: str | None = None) -> list[Move]:
    """Go back, `ops.runs` last and removals after it; each table is one commit that can itself be undone.

    A last commit that was not written whole is set aside first: its file stays in the log's folder as `.torn`. With
    `table` that is done for this table only, and refused while others are damaged. What a killed process left is
    rolled back before the moves are planned. A restore that is killed is rolled back by the next command that writes.

    Args:
        lake: As in `plan`.
        to: As in `plan`.
        table: As in `plan`.

    Raises:
        LakehouseError: As `plan`, or another run is writing.
    """
    plan(lake, to, table)  # refuses what cannot be done before anything is touched
    with journal.writing(lake, recover=False) as writer:
        damaged = journal.damaged(lake)
        if others := [found for found in damaged if table not in (None, found.table)]:
            raise LakehouseError(f"{table}: cannot go back alone: {others[0].error().problem}", f"{store.GO_BACK}.")
        for found in damaged:
            found.set_aside()
        writer.recover()
        moves = plan(lake, to, table)
        gone = [move.table for move in moves if move.to is None]
        with writer.intent(journal.RESTORE):
            for move in sorted(moves, key=lambda one: one.table == RUNS):
                if move.to is not None:
                    lake.delta(move.table).restore(move.to)
            if gone:
                writer.amend(dropping=gone)
                store.drop(lake, gone)
    return moves


def _is_whole(lake: Lakehouse, names: list[str], ended: list[datetime]) -> None:
    """Refuse the last of these runs where a damaged commit was written before it ended, so that its state is lost.

    Without that commit the table would stay behind the others, and what it had of the delivery would not come again.
    """
    damaged = [found for name in names if (found := store.damage(lake, name))]
    lost = [found for found in damaged if found.begun <= ended[-1].timestamp()]
    if lost:
        first = min(found.begun for found in damaged)
        left = [stamp for stamp in ended if stamp.timestamp() < first]
        raise LakehouseError(
            f"The run that ended at {_told(ended[-1])} cannot be gone back to: {lost[0].error().problem}",
            f"Go back to the run before with `medallion restore --to {_told(left[-1])}`."
            if left
            else "No earlier run is left: restore a backup, or run again with another --lakehouse.",
        )


def _told(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def _whole(lake: Lakehouse, name: str) -> DeltaTable:
    """A table at its newest version that was written whole."""
    found = store.damage(lake, name)
    return DeltaTable(lake.path(name), version=found.version - 1) if found and found.version else lake.delta(name)


def _newest(lake: Lakehouse, name: str) -> int:
    found = store.damage(lake, name)
    return found.version if found else lake.version(name)


def _time(text: str) -> datetime:
    try:
        told = datetime.fromisoformat(text)
    except ValueError as error:
        raise LakehouseError(f"--to {text!r} is not a time", "Write it as 2025-07-01T08:00:00, in UTC.") from error
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _version_at(lake: Lakehouse, name: str, time: datetime) -> int | None:
    found = store.damage(lake, name)
    if not lake.exists(name) or (found and not found.version):
        return None  # its first commit was never whole
    stamps = {int(one["version"]): int(one["timestamp"]) for one in _whole(lake, name).history() if "timestamp" in one}
    return max((v for v, stamp in stamps.items() if stamp <= time.timestamp() * 1000), default=None)


def _has_files(lake: Lakehouse, move: Move) -> None:
    try:
        table = DeltaTable(lake.path(move.table), version=move.to)
        lost = [uri for uri in table.file_uris() if not Path(unquote(uri.removeprefix("file://"))).is_file()]
    except Exception as error:
        raise LakehouseError(
            f"{move.table}: there is no version {move.to}: {str(error).splitlines()[0][:160]}",
            f"It is at version {move.now}; an erasure removes all earlier ones.",
        ) from error
    if lost:
        raise LakehouseError(
            f"{move.table}: {len(lost)} files of version {move.to} are no longer there",
            "An erasure or a clean-up removed them; nothing was changed.",
        )
