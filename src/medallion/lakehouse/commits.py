"""The log of a table in a folder: its newest commit, its checkpoints, and what a power failure left of them."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable

from medallion import addresses, door
from medallion.errors import LakehouseError
from medallion.lakehouse import places

if TYPE_CHECKING:
    from medallion.lakehouse.store import Lakehouse


#: How to go on where one table cannot be mended alone.
GO_BACK = "Go back to how an earlier command left it (`medallion restore --list`, then `medallion restore --to NUMBER`)"


@dataclass(frozen=True)
class Damage:
    """The newest commit of a table that was not written whole; the versions before it are as they were."""

    table: str
    version: int
    path: Path
    says: str

    @property
    def remedy(self) -> str:
        """How to go on without the commit. Only gold is computed again from other tables, so only it may go back alone."""
        if self.table == "ops.manifests":
            return "The next command that writes, such as `medallion run`, writes it again."
        if not self.table.startswith("gold."):
            return f"{GO_BACK}. The files that came later count as new again."
        if not self.version:
            return f"Delete the folder {self.path.parent.parent}, then compute gold again with `medallion score`."
        return (
            f"{GO_BACK}, or this table alone to the version before with `medallion restore --table {self.table} --to "
            f"{self.version - 1}`, then compute gold again with `medallion score`."
        )

    @property
    def begun(self) -> float:
        """When the commit was being written at the latest (seconds since 1970), by the first file written for it."""
        log, folder = self.path.parent, self.path.parent.parent
        before = max((p.stat().st_mtime for p in log.iterdir() if not p.name.startswith(self.path.stem)), default=0.0)
        written = (p.stat().st_mtime for p in folder.rglob("*.parquet") if "_delta_log" not in p.parts)
        return min([self.path.stat().st_mtime, *(time for time in written if time > before)])

    def error(self) -> LakehouseError:
        """As an error that tells what to do."""
        return LakehouseError(f"{self.table}: its last commit, {self.path.name}, {self.says}", self.remedy)

    def set_aside(self) -> None:
        """Take the commit out of the log, and what sums it up; the files stay beside it under other names.

        Its data files that were not written whole are removed before: nobody can say what they hold, so that an erasure
        would stumble over them.
        """
        log, hint = self.path.parent, self.path.with_name("_last_checkpoint")
        for file in _unlike(self.path):
            if _is_data_of(log.parent, file):
                with door.through(file):
                    file.unlink()
        for path in (self.path.with_suffix(".crc"), *log.glob(f"{self.path.stem}.checkpoint*.parquet"), self.path):
            if path.exists():
                _put_aside(path)
        if _checkpoint_named(hint) == self.version:
            with door.through(hint):
                hint.unlink()


def damage(lake: Lakehouse, name: str, data: bool = True) -> Damage | None:
    """What is wrong with the newest commit of a table in a folder: empty, cut short, or without files that it counts.

    A machine that loses power while a commit is written leaves such a file, or a commit whose `data` was not written
    whole. Object stores create objects whole.
    """
    commit = newest_commit(lake, name)
    says = _torn(commit, data) if commit else None
    return Damage(name, int(commit.stem), commit, says) if commit and says else None


def newest_commit(lake: Lakehouse, name: str) -> Path | None:
    """The newest commit in the log of a table in a folder; None where there is none, and elsewhere."""
    if lake.folder is None:
        return None
    log = f"{lake.path(name)}/_delta_log"
    commits = [
        file for file in names_of(log) if len(file) == _LENGTH and file.endswith(".json") and file[:20].isdigit()
    ]
    return Path(log, max(commits)) if commits else None


_COMMIT = re.compile(r"\d{20}\.json")


_LENGTH = len(f"{0:020d}.json")


def names_of(log: str | Path) -> list[str]:
    """Names of the files in a log; none where it is not there. It may have hundreds, and is read often."""
    try:
        return os.listdir(log)  # noqa: PTH208 - a path of each would take long
    except (FileNotFoundError, NotADirectoryError):
        return []


def mend(lake: Lakehouse, name: str) -> None:
    """Set aside what a power failure left in the log of a table in a folder.

    These are checksums of lost commits, checkpoints that were not written whole if the commits that they sum up are there,
    and commits after a lost one that no checkpoint sums up: what remains is the table before it.

    Raises:
        LakehouseError: The commits of such a checkpoint are not there, so that it is all that is left of them. Nothing is
            changed.
    """
    if lake.folder is None:
        return
    log = Path(lake.path(name), "_delta_log")
    names = names_of(log)
    newest = max((file[:20] for file in names if _COMMIT.fullmatch(file)), default="")
    for file in names:
        checksum = file[:20].isdigit() and file.endswith(".crc")
        if (checksum and file[:20] > newest) or (_CHECKPOINT.match(file) and file.endswith(".torn")):
            _put_aside(log / file)
    whole, broken = _newest_checkpoint(log, names)
    for error in broken_checkpoints(lake, name) if broken else ():
        if error.remedy != MENDED:
            raise error
    for path in broken:
        _put_aside(path)
    hint = log / "_last_checkpoint"
    if hint.name in names and (named := _checkpoint_named(hint)) != whole and named not in checkpointed(log):
        with door.through(hint):
            hint.unlink()
    for path in _behind_a_gap(log, names, whole):
        _put_aside(path)


#: What to do about a checkpoint whose commits are there.
MENDED = "The next command that writes, such as `medallion maintain`, sets it aside."


def broken_checkpoints(lake: Lakehouse, name: str) -> list[LakehouseError]:
    """Checkpoints of a table in a folder that were not written whole and that readers look at, each with what to do."""
    if lake.folder is None:
        return []
    log = Path(lake.path(name), "_delta_log")
    whole, broken = _newest_checkpoint(log, names_of(log))
    errors = []
    for version in sorted({int(path.name[:20]) for path in broken}):
        problem = f"{name}: its checkpoint of version {version} was not written whole"
        summed_up = range(whole + 1, version + 1)
        lacking = [number for number in summed_up if not (log / f"{number:020d}.json").exists()]
        if lacking:
            problem += f", and commits that it sums up are no longer there, such as {lacking[0]:020d}.json"
        errors.append(LakehouseError(problem, f"Restore the folder {log.parent} from a backup." if lacking else MENDED))
    return errors


def _put_aside(path: Path) -> None:
    """Rename a file of a log. What begins as the name of a checkpoint is one to delta-rs when it removes old commits."""
    name = f"_{path.name}" if ".checkpoint" in path.name else path.name
    with door.through(path):
        path.replace(path.with_name(f"{name.removesuffix('.torn')}.torn"))


def checkpointed(log: Path) -> set[int]:
    """Versions that have a checkpoint of which every part was written whole."""
    checkpoints = _checkpoints(log, names_of(log))
    return {version for version, kinds in checkpoints.items() if any(map(_is_whole, kinds.items()))}


def _newest_checkpoint(log: Path, names: Iterable[str]) -> tuple[int, list[Path]]:
    """Version of the newest checkpoint in a log that is whole (-1 without one), and the files of later ones that are not.

    Readers find checkpoints by the names of files, also those that `_last_checkpoint` does not name. Upkeep leaves one for
    every version that can be opened, so only the newest are looked at.
    """
    broken: list[Path] = []
    for version, kinds in sorted(_checkpoints(log, names).items(), reverse=True):
        if any(map(_is_whole, kinds.items())):
            return version, broken
        broken += [path for paths in kinds.values() for path in paths]
    return -1, broken


def _checkpoints(log: Path, names: Iterable[str]) -> dict[int, dict[str, list[Path]]]:
    """Files of the checkpoints of each version, by the file or, where another writer has split it, by the number of parts."""
    checkpoints: dict[int, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for name in sorted(names):
        if _CHECKPOINT.match(name) and name.endswith(".parquet"):
            parts = _PART.fullmatch(name)
            checkpoints[int(name[:20])][parts[1] if parts else name].append(log / name)
    return checkpoints


def _is_whole(checkpoint: tuple[str, list[Path]]) -> bool:
    parts, paths = checkpoint
    return not (parts.isdigit() and len(paths) < int(parts)) and all(map(_ends, paths))


_CHECKPOINT = re.compile(r"\d{20}\.checkpoint")


_PART = re.compile(r"\d{20}\.checkpoint\.\d{10}\.(\d{10})\.parquet")


def _behind_a_gap(log: Path, names: Iterable[str], summed_up: int) -> list[Path]:
    """Commits after one that is lost, newest first, with their checksums; none where nothing is left before it."""
    versions = {int(name[:20]) for name in names if _COMMIT.fullmatch(name)}
    later = sorted(version for version in versions if version > summed_up)
    if not later or (summed_up < 0 < later[0]):
        return []
    lost = next((version for version in range(summed_up + 1, later[-1]) if version not in versions), later[-1] + 1)
    behind = [f"{version:020d}" for version in reversed(later) if version > lost]
    return [path for stem in behind for path in (log / f"{stem}.crc", log / f"{stem}.json") if path.exists()]


def _checkpoint_named(hint: Path) -> int:
    """Version of the checkpoint that a log says is its last; -1 where it says none that can be read."""
    try:
        return int(json.loads(hint.read_bytes())["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return -1


def _ends(path: Path) -> bool:
    """Whether a Parquet file has its end, which is written last."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4))
        return file.read() == b"PAR1"


def _torn(commit: Path, data: bool = True) -> str | None:
    try:
        lines = commit.read_bytes().splitlines()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not any(line.strip() for line in lines):
        return f"is empty ({commit.stat().st_size:,} bytes)"
    counts = {"add": 0, "remove": 0}
    promised: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        try:
            action = json.loads(line)
        except ValueError:
            return f"is cut short: line {number} is not JSON"
        if not isinstance(action, dict):
            return f"is damaged: line {number} is no action"
        for kind in counts:
            counts[kind] += kind in action
        info = action.get("commitInfo")
        metrics = info.get("operationMetrics") if isinstance(info, dict) else None
        metrics = metrics if isinstance(metrics, dict) else {}
        for kind, name in ((kind, name) for kind, names in _COUNTED.items() for name in names):
            if str(metrics.get(name)).isdigit():
                promised[kind] = int(metrics[name])
    lacking = [f"{counts[kind]} of {count} files to {kind}" for kind, count in promised.items() if counts[kind] < count]
    if lacking:
        return f"is cut short: it has {' and '.join(lacking)}"
    for file in _unlike(commit) if data else ():
        return f"has data that {'is of another size than written' if file.is_file() else 'is not there'}: {file.name}"
    return None


def _unlike(commit: Path) -> Iterator[Path]:
    """The data files that a commit adds and that are not as it says, in size; as far as it can be read."""
    try:
        lines = commit.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        try:
            add = json.loads(line)["add"]
            path, size = str(add["path"]), int(add["size"])
        except (ValueError, TypeError, KeyError):
            continue
        file = commit.parent.parent / unquote(path)
        if not addresses.is_address(path) and not (file.is_file() and file.stat().st_size == size):
            yield file


def _is_data_of(table: Path, file: Path) -> bool:
    """Whether a file that a commit names is data of its table: others, and the log itself, are not ours to remove."""
    inside = file.is_file() and file.resolve().is_relative_to(table.resolve())
    return (
        inside and places.is_data_file(file) and "_delta_log" not in file.resolve().relative_to(table.resolve()).parts
    )


#: Per action of a commit, what engines call the number of them in its metrics.
_COUNTED = {"add": ("numAddedFiles", "num_added_files"), "remove": ("numRemovedFiles", "num_removed_files")}


def data_files(table: DeltaTable) -> pa.Table:
    """The data files of a table with their sizes and statistics.

    As a stream, since `pyarrow.table` loads pandas to tell whether it was given one of its frames.
    """
    return pa.RecordBatchReader.from_stream(table.get_add_actions(flatten=True)).read_all()


def sizes(table: DeltaTable) -> dict[str, int]:
    """Each data file of a table, by its address, with its bytes."""
    actions = data_files(table)
    paths, bytes_of = actions["path"].to_pylist(), actions["size_bytes"].to_pylist()
    known = {unquote(path).rsplit("/", 1)[-1]: size for path, size in zip(paths, bytes_of, strict=True)}
    return {uri: known[unquote(uri).rsplit("/", 1)[-1]] for uri in table.file_uris()}


def is_empty_commit(lake: Lakehouse, name: str, version: int) -> bool:
    """Whether a commit of a table in a folder has no bytes, as a power failure may leave it."""
    try:
        return Path(lake.path(name), "_delta_log", f"{version:020d}.json").stat().st_size == 0
    except OSError:  # cleaned away behind a checkpoint
        return False
