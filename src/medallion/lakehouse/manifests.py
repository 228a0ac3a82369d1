"""Manifests: which versions of the tables belong together, one per finished command, each with the hash of the one before.

A manifest is the commit point of a command. It is one row, added in one commit that only the holder of the lock makes,
after the last table is written and before the intent is closed; readers open the newest manifest, so that they see every
table as one command left it, and never half of another. Tables that people write to meanwhile are not part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from pyarrow.json import ParseOptions, ReadOptions, read_json
from pyarrow.parquet import ParquetFile

from medallion import door
from medallion.errors import LakehouseError
from medallion.gold import written_names
from medallion.lakehouse import locks
from medallion.lakehouse.commits import damage, data_files
from medallion.lakehouse.places import ConflictError
from medallion.lakehouse.store import Lakehouse, erasing, state
from medallion.version import VERSION

TABLE = "ops.manifests"
#: How a lakehouse is laid out. A newer one is refused.
FORMAT = 1
SCHEMA = pa.schema(
    [
        ("number", pa.int64()),
        ("written_at", pa.timestamp("us", tz="UTC")),
        ("kind", pa.string()),
        ("run_id", pa.string()),
        ("format", pa.int64()),
        ("written_by", pa.string()),
        ("opens_from", pa.int64()),
        ("hashed_by", pa.string()),
        ("tables", pa.string()),
        ("previous", pa.string()),
        ("hash", pa.string()),
    ]
)


#: How long every manifest can be opened; older ones only where they are the last of their month.
RETENTION = timedelta(days=30)
#: The kind of the manifest of upkeep, which removes what no manifest needs that can be opened then.
MAINTAIN = "maintain"


@dataclass(frozen=True)
class Kept:
    """A table in a manifest.

    Attributes:
        id: Identifier of the Delta table: one that was removed and recreated has another. In a catalog, when its commit
            was made.
        version: Its version.
        since: The version from which it has this content; a compaction writes a version, not a content.
        rows: How many rows.
        files: How many data files; 0 in a catalog, which does not say.
        bytes: Their bytes; 0 in a catalog.
        content: The sum of the hashes of its rows, so that neither their order nor their files matter.
    """

    id: str
    version: int
    since: int
    rows: int
    files: int
    bytes: int
    content: str


@dataclass(frozen=True)
class Manifest:
    """One state of a lakehouse.

    Attributes:
        number: Counted from 1.
        written_at: When the command ended (UTC).
        kind: What ended: run, train, forget, ...
        run_id: The run, empty where there was none.
        format: Layout of the lakehouse.
        written_by: Version of Medallion.
        opens_from: The oldest manifest that may still be opened; an erasure sets it to its own.
        hashed_by: What the engine that hashed the content makes of known values; contents of different ones do not compare.
        tables: Per table what it was.
        previous: Hash of the manifest before, empty for the first.
        hash: Of everything above.
    """

    number: int
    written_at: datetime
    kind: str
    run_id: str
    format: int
    written_by: str
    opens_from: int
    hashed_by: str
    tables: Mapping[str, Kept]
    previous: str
    hash: str = ""

    def sealed(self) -> Manifest:
        """With its hash."""
        return replace(self, hash=self.computed())

    def computed(self) -> str:
        """The hash of its content."""
        tables = {name: vars(kept) for name, kept in self.tables.items()}
        content = {name: value for name, value in {**vars(self), "tables": tables}.items() if name != "hash"}
        text = json.dumps(content, sort_keys=True, default=lambda value: value.isoformat())
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def versions(self) -> dict[str, int]:
        """Version per table."""
        return {name: kept.version for name, kept in self.tables.items()}

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Manifest:
        """From a row of the table, with its time in UTC."""
        tables = {name: Kept(**kept) for name, kept in json.loads(row["tables"]).items()}
        return cls(**{**row, "written_at": row["written_at"].replace(tzinfo=UTC), "tables": tables})

    def row(self) -> dict[str, Any]:
        """As a row of the table."""
        tables = json.dumps({name: vars(kept) for name, kept in sorted(self.tables.items())})
        return {**{name: getattr(self, name) for name in SCHEMA.names}, "tables": tables}


def history(lake: Lakehouse) -> list[Manifest]:
    """All manifests, oldest first; none where no command has ended since there are manifests."""
    table = _table(lake)
    if table is None:
        return []
    known = sorted(map(Manifest.of, _rows(lake, table)), key=lambda manifest: manifest.number)
    head = locks.head(lake.place)
    return known if head is None else _behind(known, head)


def _behind(known: Iterable[Manifest], head: str) -> list[Manifest]:
    """The manifest of a hash, and those before it; others were left by writers that died before theirs counted."""
    by_hash, chain = {manifest.hash: manifest for manifest in known}, []
    while manifest := by_hash.pop(head, None):
        chain.append(manifest)
        head = manifest.previous
    return chain[::-1]


def newest(lake: Lakehouse, table: DeltaTable | None = None) -> Manifest | None:
    """The manifest of the last command that ended; `table` is what `reserved` gave.

    Raises:
        LakehouseError: It was written by a later version of Medallion in a format that this one does not know.
    """
    manifest = _last(lake, table)
    if manifest and manifest.format > FORMAT:
        raise LakehouseError(
            f"{lake.root}: was written by Medallion {manifest.written_by} in format {manifest.format}; this is {VERSION}, "
            f"which knows formats up to {FORMAT}",
            "Use that version or a later one.",
        )
    return manifest


def number(lake: Lakehouse) -> int:
    """Number of the newest manifest, 0 where there is none."""
    manifest = _last(lake)
    return manifest.number if manifest else 0


#: The newest manifest of a lakehouse as this process has read it last, with the commit that added it, or its hash.
_read: dict[str, tuple[tuple[str, int, int, int] | str, Manifest]] = {}


def _last(lake: Lakehouse, table: DeltaTable | None = None) -> Manifest | None:
    """The newest manifest, read once as long as no commit is added."""
    head = locks.head(lake.place)
    now = state(lake, TABLE) if head is None else head
    known, manifest = _read.get(lake.root, (None, None))
    if now and known == now:
        return manifest
    table = None if head == "" else table or _table(lake)
    rows = _rows(lake, table, newest=True, head=head) if table else []
    manifest = Manifest.of(max(rows, key=lambda row: row["number"])) if rows else None
    if manifest and now:
        _read[lake.root] = now, manifest
    return manifest


def opened(lake: Lakehouse, at: str | None = None) -> Lakehouse:
    """The lakehouse as the last finished command left it, or as an earlier one did.

    Tables of somebody else in gold, which no manifest knows yet, are read at their newest in the first case. Other tables
    that it does not know were made by a command that has not ended.

    Args:
        lake: The lakehouse.
        at: Number of a manifest, or a time (UTC), for which the last manifest by then is taken.

    Raises:
        LakehouseError: There is no such manifest, or it can no longer be opened.
    """
    if at is None:
        manifest = newest(lake)
        if manifest is None:
            return lake
        other = [name for name in lake.tables(["gold"]) if name not in manifest.tables and not is_ours(name)]
        return replace(lake, versions={**manifest.versions, **{name: lake.version(name) for name in other}})
    manifest = found(lake, at)
    still_there(lake, manifest)
    return replace(lake, versions=manifest.versions)


def is_ours(name: str) -> bool:
    """Whether a table is one that Medallion writes; others in gold are somebody else's, and always read at their newest."""
    return not name.startswith("gold.") or name in written_names() or name == "gold.lead_snapshots"


def as_read(lake: Lakehouse) -> Lakehouse:
    """The lakehouse as readers see it: as it was opened, else as the last finished command left it.

    Who holds it for writing sees what it writes.
    """
    return lake if lake.pinned is not None or locks.is_ours(lake.root) else opened(lake)


def found(lake: Lakehouse, at: str, option: str = "--at") -> Manifest:
    """The manifest of a number, or the last one by a time (UTC).

    Raises:
        LakehouseError: There is none, or it can no longer be opened.
    """
    known = history(lake)
    if not known:
        raise LakehouseError(f"{lake.root}: has no manifests yet", "The next command that writes adds the first.")
    manifest = _at(known, at, option)
    if manifest is None:
        first = known[0]
        raise LakehouseError(
            f"{lake.root}: there is no manifest {at}; the first is {first.number}, of {_minute(first.written_at)} UTC",
            "See `medallion status`.",
        )
    if manifest.number < known[-1].opens_from:
        raise LakehouseError(
            f"{lake.root}: manifest {manifest.number} of {_minute(manifest.written_at)} UTC can no longer be opened: what it had was "
            "erased or removed since",
            f"The oldest that opens is {known[-1].opens_from}.",
        )
    if manifest not in kept(known):
        raise LakehouseError(
            f"{lake.root}: manifest {manifest.number} of {_minute(manifest.written_at)} UTC can no longer be opened: it has "
            "expired, and upkeep has removed what only it needed",
            "`opens` of `medallion status` says which can still be read.",
        )
    return manifest


def openable(known: Iterable[Manifest], now: datetime, *, month_ends: bool = True) -> set[int]:
    """Numbers of the manifests that can be opened at a time (UTC); the last of every month where upkeep of ours keeps them."""
    known = list(known)
    if not known:
        return set()
    left = [manifest for manifest in known if manifest.number >= known[-1].opens_from]
    last = (
        {(manifest.written_at.year, manifest.written_at.month): manifest.number for manifest in left}
        if month_ends
        else {}
    )
    recent = {manifest.number for manifest in left if manifest.written_at >= now - RETENTION}
    return {*last.values(), *recent, known[-1].number}


def kept(known: list[Manifest]) -> list[Manifest]:
    """Manifests whose tables are as they were: not from before an erasure, nor expired when upkeep last removed files."""
    last = max((place for place, manifest in enumerate(known) if manifest.kind == MAINTAIN), default=0)
    before = known[:last]
    expired = {manifest.number for manifest in before} - openable(before, known[last].written_at) if before else set()
    return [
        manifest for manifest in known if manifest.number >= known[-1].opens_from and manifest.number not in expired
    ]


def still_there(lake: Lakehouse, manifest: Manifest, names: Iterable[str] | None = None) -> None:
    """Make sure that the tables of a manifest were not removed since.

    Raises:
        LakehouseError: One was, and perhaps recreated.
    """
    for name, kept in manifest.tables.items():
        if names is not None and name not in names:
            continue
        try:
            there = str(lake.place.delta(name, kept.version).metadata().id)
        except DeltaError as error:
            raise erasing(lake) or LakehouseError(
                f"{lake.root}: {name} has no version {kept.version} any more, which manifest {manifest.number} names",
                "See what `medallion doctor` says." if newest(lake) == manifest else "Choose a later manifest.",
            ) from error
        if there != kept.id:
            raise LakehouseError(
                f"{lake.root}: {name} was removed and recreated since manifest {manifest.number}",
                "Open a later manifest; see `medallion status`.",
            )


def reserved(lake: Lakehouse) -> DeltaTable | None:
    """The table as it is now, to which `add` adds only where nothing else was added meanwhile."""
    return _table(lake)


def add(lake: Lakehouse, manifest: Manifest, table: DeltaTable | None = None) -> None:
    """Add a manifest in one commit.

    Args:
        lake: The lakehouse.
        manifest: The manifest.
        table: What `reserved` gave before the manifest was made.

    Raises:
        LakehouseError: Another one was added meanwhile.
    """
    text = json.dumps(manifest.row(), default=datetime.isoformat).encode()
    options = ReadOptions(use_threads=False, block_size=len(text) + 1)
    rows = read_json(BytesIO(text), options, ParseOptions(explicit_schema=SCHEMA))  # `from_pylist` would load pandas
    locks.check()
    try:
        with door.through(lake.path(TABLE)):
            lake.place.append(TABLE, rows, table)
    except ConflictError as error:
        raise LakehouseError(
            f"{lake.root}: another writer has ended meanwhile", "Run again; what was begun is rolled back."
        ) from error
    if locks.head(lake.place) is not None:
        locks.held(lake.root).point(manifest.hash)
        _read[lake.root] = manifest.hash, manifest


def _table(lake: Lakehouse) -> DeltaTable | None:
    if lake.folder is not None and not Path(lake.path(TABLE), "_delta_log").is_dir():
        return None
    try:
        return replace(lake, versions=None).delta(TABLE)
    except LakehouseError as error:
        if isinstance(error.__cause__, TableNotFoundError):
            return None
        raise


def _rows(lake: Lakehouse, table: DeltaTable, *, newest: bool = False, head: str | None = None) -> list[dict[str, Any]]:
    """The manifests, or the newest and perhaps others; `head` is its hash where that is known."""
    if not lake.place.reads_files:
        return list(_unzoned(table.to_pyarrow_table(filters=[("hash", "=", head)] if newest else None)).to_pylist())
    files = data_files(table)
    paths = files["path"].to_pylist()
    numbers = files["max.number"].to_pylist() if "max.number" in files.column_names else [None] * len(paths)
    last = max((number for number in numbers if number is not None), default=0) if newest else 0
    paths = [path for path, number in zip(paths, numbers, strict=True) if number is None or number >= last]
    try:
        if lake.folder is None:  # only delta-rs can sign in there
            parts = [table.to_pyarrow_table(filters=[("number", ">=", last)])]
        else:
            parts = [ParquetFile(Path(lake.path(TABLE), unquote(path))).read() for path in paths]
        rows = [row for part in parts for row in _unzoned(part).to_pylist()]
    except (pa.ArrowException, OSError) as error:
        if wrong := damage(lake, TABLE):
            raise wrong.error() from error
        raise
    return rows


def _unzoned(rows: pa.Table) -> pa.Table:
    """With the times in UTC as times without a zone, to look which up pyarrow loads pandas."""
    place = rows.schema.get_field_index("written_at")
    return rows.set_column(place, "written_at", rows.column(place).combine_chunks().view(pa.timestamp("us")))


def is_number(text: str) -> bool:
    """Whether a text is the number of a manifest, and no time: `isdigit` holds of `²` too."""
    return text.isascii() and text.isdecimal()


def _at(known: Iterable[Manifest], at: str, option: str) -> Manifest | None:
    if is_number(at):
        return next((manifest for manifest in known if manifest.number == int(at)), None)
    return last_by(known, at, option)


def time_of(text: str, option: str) -> datetime:
    """The time that an option gives (UTC).

    Raises:
        LakehouseError: It is no time.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise LakehouseError(
            f"{option} {text!r} is neither the number of a manifest nor a time",
            "Write 12 or 2025-07-01T08:00:00, in UTC; see `medallion status`.",
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def last_by(known: Iterable[Manifest], text: str, option: str) -> Manifest | None:
    """The last manifest by the time that an option gives (UTC), compared as it is written: to the second, or to the millisecond.

    Raises:
        LakehouseError: It is no time.
    """
    time, unit = time_of(text, option), 1000 if "." in text or "," in text else 1_000_000
    before = (
        manifest
        for manifest in known
        if manifest.written_at - timedelta(microseconds=manifest.written_at.microsecond % unit) <= time
    )
    return max(before, key=lambda manifest: manifest.number, default=None)


def _minute(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M")
