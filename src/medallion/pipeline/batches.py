"""The journal of batches: which files have been read, and which batch a killed run left unfinished."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from deltalake.exceptions import DeltaError

from medallion.contracts import table
from medallion.lakehouse import manifests, publishing, query, store
from medallion.lakehouse.store import Lakehouse
from medallion.sources import SourceFile

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

JOURNAL = "ops.batches"
#: What the identifier of a held file's batch has after that of the batch whose rows in bronze it reads.
OF_HELD_FILE = "-held-[0-9a-f]{8}$"
#: What the identifier of a batch has that reads bronze again, after that of the batch that it reads again.
OF_REREAD = "-reread-[0-9a-f]{8}$"
ACCOUNTS, METRICS = "ops.row_accounts", "ops.quality_metrics"
STARTED, INGESTED, HELD, FINISHED, ABANDONED = STATES = "started", "ingested", "held", "finished", "abandoned"


@dataclass(frozen=True)
class Batch:
    """Files read together. `known_at` is when they were learned, the same however often the batch is retried.

    `rests_on` are the versions of tables that its state rests on.

    A batch with an `origin` reads no files: it reprocesses rows of that batch which the contract had refused, a
    file of that batch that was held back (`is_held_file`), or all rows that bronze has of it (`is_reread`).
    """

    batch_id: str
    known_at: datetime
    files: tuple[SourceFile, ...]
    state: str = STARTED
    origin: str = ""
    rests_on: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, files: tuple[SourceFile, ...], now: datetime) -> Batch:
        """A new batch, named by its time and content."""
        content = hashlib.sha256("".join(sorted(file.content_hash for file in files)).encode()).hexdigest()
        return cls(f"{now:%Y%m%dT%H%M%S}-{content[:8]}", now, files)

    @classmethod
    def again(cls, origin: Batch, files: tuple[SourceFile, ...], ids: Sequence[str], now: datetime) -> Batch:
        """A new batch that reprocesses refused rows of `origin`; `files` as they are to be read now."""
        content = hashlib.sha256(f"{origin.batch_id} {' '.join(ids)}".encode()).hexdigest()
        return cls(f"{now:%Y%m%dT%H%M%S}-again-{content[:8]}", now, files, origin=origin.batch_id)

    @classmethod
    def held(cls, origin: Batch, file: SourceFile) -> Batch:
        """A file that is held back out of its batch: a batch of its own, whose rows are in bronze under `origin`."""
        home = origin.origin or origin.batch_id
        name = hashlib.sha256(f"{file.entity} {file.name}".encode()).hexdigest()[:8]
        return cls(f"{home}-held-{name}", origin.known_at, (file,), HELD, home)

    @classmethod
    def reread(cls, origin: Batch, files: tuple[SourceFile, ...], now: datetime) -> Batch:
        """A new batch that reads again what bronze has of these files of `origin`; `files` as they are to be read now."""
        content = hashlib.sha256(
            f"{now.isoformat()} {' '.join(sorted({f.entity for f in files}))}".encode()
        ).hexdigest()
        return cls(f"{origin.batch_id}-reread-{content[:8]}", now, files, origin=origin.batch_id)

    @property
    def is_reread(self) -> bool:
        """Whether it reads again what bronze has of the batch `origin`."""
        return bool(self.origin) and self.batch_id.startswith(f"{self.origin}-reread-")

    @property
    def in_bronze(self) -> str:
        """The batch under which bronze has its rows."""
        return re.sub(OF_HELD_FILE, "", re.sub(OF_REREAD, "", self.batch_id))

    @property
    def is_held_file(self) -> bool:
        """Whether it is a file that was held back out of the batch `origin`."""
        return bool(self.origin) and self.batch_id.startswith(f"{self.origin}-held-")

    @property
    def has_files(self) -> bool:
        """Whether its files were read into bronze, by it or by the batch that they were held back out of."""
        return not self.origin or self.is_held_file

    def files_of(self, entity: str) -> list[SourceFile]:
        """The batch's files of one entity."""
        return [file for file in self.files if file.entity == entity]


def history(lake: Lakehouse) -> list[Batch]:
    """Every batch in its latest state, oldest first."""
    return sorted((batch for batch, _ in _latest(lake).values()), key=lambda batch: (batch.known_at, batch.batch_id))


#: Per batch its latest state, and when that was recorded.
_Latest = dict[str, tuple[Batch, datetime]]
#: The journal of a lakehouse in a folder as this process has read or written it last, with its newest commit then.
_read: dict[str, tuple[tuple[str, int, int, int], _Latest]] = {}


def _latest(lake: Lakehouse) -> _Latest:
    """The journal, read once as long as nobody else adds a commit."""
    now = store.state(lake, JOURNAL)
    known, latest = _read.get(lake.root, (None, {}))
    if not now or known != now:
        latest = _of_journal(lake)
    if now:
        _read[lake.root] = now, latest
    return {**latest}


def _of_journal(lake: Lakehouse) -> _Latest:
    if not lake.exists(JOURNAL):
        return {}
    with query.connect(lake, layers=["ops"], only={JOURNAL}, newest=True) as connection:
        rows = query.rows(
            connection,
            f"select * from {JOURNAL} qualify row_number() over (partition by batch_id order by recorded_at desc, "
            f"list_position({list(STATES)}, state) desc) = 1",
        )
    return {row["batch_id"]: (_of_row(row), row["recorded_at"].replace(tzinfo=None)) for row in rows}


def _order(recorded: tuple[Batch, datetime]) -> tuple[datetime, int]:
    """By what the latest of a batch's records is known: its time, and of one time the state that comes last."""
    batch, recorded_at = recorded
    return recorded_at, STATES.index(batch.state)


def _of_row(row: Mapping[str, Any]) -> Batch:
    return Batch(
        row["batch_id"],
        row["known_at"].replace(tzinfo=None),
        tuple(SourceFile.from_dict(item) for item in json.loads(row["files"])),
        row["state"],
        row.get("origin") or "",
        tuple(json.loads(row.get("rests_on") or "{}").items()),
    )


def lost(lake: Lakehouse, batch: Batch) -> dict[str, int]:
    """Tables that no longer have the version which the state of a batch rests on, with the one that is left.

    A machine that loses power may keep the journal and lose what was written before it.
    """
    there = {name: publishing.newest(lake, name) for name, _ in batch.rests_on}
    return {name: there[name] for name, version in batch.rests_on if there[name] < version}


def finished(lake: Lakehouse, version: int) -> set[str] | None:
    """Identifiers of the batches that were finished at a version of the journal; None where it can no longer be read."""
    try:
        rows = lake.place.delta(JOURNAL, version).to_pyarrow_table(columns=["batch_id", "state"])
    except (DeltaError, OSError):
        return None
    return {row["batch_id"] for row in rows.to_pylist() if row["state"] == FINISHED}


def _versions(lake: Lakehouse, state: str) -> dict[str, int]:
    """The versions that a state rests on: of bronze, and once it is finished of silver; none in a catalog, where none are lost."""
    if lake.folder is None or state not in (INGESTED, FINISHED):
        return {}
    known = [name for name in lake.tables() if manifests.is_ours(name) and not name.endswith(publishing.WORK)]
    silver = ("silver.", ACCOUNTS, METRICS) if state == FINISHED else ("silver.quarantine",)
    return {name: lake.version(name) for name in known if name.startswith(("bronze.", *silver))}


def families(known: Iterable[Batch]) -> dict[str, str]:
    """Per batch the one that brought its rows: a batch of files, or a file that was held back; itself for these."""
    by_id = {batch.batch_id: batch for batch in known}
    roots = {}
    for batch in by_id.values():
        root = batch
        while not root.has_files and root.origin in by_id:
            root = by_id[root.origin]
        roots[batch.batch_id] = root.batch_id
    return roots


def replaced(known: Iterable[Batch], before: datetime | None = None) -> dict[str, frozenset[str]]:
    """Per entity the batches whose reading does not count: a later one read the same rows of bronze again.

    What a batch reads again keeps the `known_at` of its rows, since nothing new was learned of the CRM; when it was
    read so is the `known_at` of the batch.

    Args:
        known: The journal.
        before: As it counted before this time, exclusive; a batch that read again later does not count then. None is now.
    """
    every = [batch for batch in known if batch.state != ABANDONED]
    known = [batch for batch in every if before is None or batch.known_at < before or not batch.is_reread]
    outdated: dict[str, set[str]] = {}
    later = {batch.batch_id for batch in every}.difference(batch.batch_id for batch in known)
    for batch in every:
        for entity in {file.entity for file in batch.files} if batch.batch_id in later else ():
            outdated.setdefault(entity, set()).add(batch.batch_id)
    roots = families(known)
    latest: dict[tuple[str, str], datetime] = {}
    for batch in known:
        for entity in {file.entity for file in batch.files} if batch.is_reread else ():
            place = (roots[batch.batch_id], entity)
            latest[place] = max(latest.get(place, batch.known_at), batch.known_at)
    for batch in known:
        for entity in {file.entity for file in batch.files}:
            read = latest.get((roots[batch.batch_id], entity))
            if read is not None and batch.known_at < read:
                outdated.setdefault(entity, set()).add(batch.batch_id)
    return {entity: frozenset(ids) for entity, ids in outdated.items()}


def record(
    spark: SparkSession, lake: Lakehouse, batch: Batch, state: str, now: datetime, held_files: Sequence[Batch] = ()
) -> None:
    """Record that the batch has reached a state, and in the same commit the files that are held back out of it.

    The time is never before that of its last state: a clock may have been moved back.
    """
    reached, latest = [(batch, state), *((item, HELD) for item in held_files)], _latest(lake)
    now = max([now, *(latest[item.batch_id][1] for item, _ in reached if item.batch_id in latest)])
    versions = _versions(lake, state)
    rows = [
        {
            "batch_id": item.batch_id,
            "state": its_state,
            "known_at": item.known_at,
            "recorded_at": now,
            "files": json.dumps([file.as_dict() for file in item.files]),
            "origin": item.origin or None,
            "rests_on": json.dumps(versions) if versions else None,
        }
        for item, its_state in reached
    ]
    contract = table(JOURNAL)
    store.append_rows([tuple(row[name] for name in contract.column_names) for row in rows], spark, lake, contract)
    if written := store.state(lake, JOURNAL):
        added = {str(row["batch_id"]): (_of_row(row), now) for row in rows}
        _read[lake.root] = (
            written,
            latest | {key: max(latest.get(key, new), new, key=_order) for key, new in added.items()},
        )


def account_sql(lake: Lakehouse, name: str) -> str:
    """A count as SQL over `ops.row_accounts`; 0 where the table was written before there was one."""
    known = lake.exists(ACCOUNTS) and any(field.name == name for field in lake.delta(ACCOUNTS).schema().fields)
    return f"coalesce({name}, 0)" if known else "0"


def erased_sql(lake: Lakehouse) -> str:
    """The count of erased rows as SQL over `ops.row_accounts`; 0 where the table was written before there was one."""
    return account_sql(lake, "erased")


def readings(known: Iterable[Batch]) -> list[tuple[Batch, SourceFile]]:
    """Every file that was read into silver, with the batch whose reading of it counts now, oldest first."""
    known = [batch for batch in known if batch.state == FINISHED]
    gone = replaced(known)
    return [
        (batch, file)
        for batch in known
        if batch.has_files or batch.is_reread
        for file in batch.files
        if batch.batch_id not in gone.get(file.entity, ())
    ]
