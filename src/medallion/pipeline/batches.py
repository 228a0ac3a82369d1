"""The journal of batches: which files have been read, and which batch a killed run left unfinished."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from medallion import query, store
from medallion.contracts import table
from medallion.sources import SourceFile
from medallion.store import Lakehouse

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

JOURNAL = "ops.batches"
STARTED, INGESTED, FINISHED, ABANDONED = "started", "ingested", "finished", "abandoned"


@dataclass(frozen=True)
class Batch:
    """Files read together. `known_at` is when they were learned, the same however often the batch is retried.

    A batch with an `origin` reads no files: it takes up again rows of that batch which the contract had refused.
    """

    batch_id: str
    known_at: datetime
    files: tuple[SourceFile, ...]
    state: str = STARTED
    origin: str = ""

    @classmethod
    def of(cls, files: tuple[SourceFile, ...], now: datetime) -> Batch:
        """A new batch, named by its time and content."""
        content = hashlib.sha256("".join(sorted(file.content_hash for file in files)).encode()).hexdigest()
        return cls(f"{now:%Y%m%dT%H%M%S}-{content[:8]}", now, files)

    @classmethod
    def again(cls, origin: Batch, files: tuple[SourceFile, ...], ids: Sequence[str], now: datetime) -> Batch:
        """A new batch that takes up refused rows of `origin`; `files` as they are to be read now."""
        content = hashlib.sha256(f"{origin.batch_id} {' '.join(ids)}".encode()).hexdigest()
        return cls(f"{now:%Y%m%dT%H%M%S}-again-{content[:8]}", now, files, origin=origin.batch_id)

    def files_of(self, entity: str) -> list[SourceFile]:
        """The batch's files of one entity."""
        return [file for file in self.files if file.entity == entity]


def history(lake: Lakehouse) -> list[Batch]:
    """Every batch in its latest state, oldest first."""
    if not lake.exists(JOURNAL):
        return []
    with query.connect(lake, layers=["ops"]) as connection:
        found = query.rows(
            connection,
            f"select * from {JOURNAL} "
            "qualify row_number() over (partition by batch_id order by recorded_at desc, "
            "list_position(['started', 'ingested', 'finished', 'abandoned'], state) desc) = 1 order by known_at, batch_id",
        )
    return [
        Batch(
            row["batch_id"],
            row["known_at"].replace(tzinfo=None),
            tuple(SourceFile.from_dict(item) for item in json.loads(row["files"])),
            row["state"],
            row.get("origin") or "",
        )
        for row in found
    ]


def record(spark: SparkSession, lake: Lakehouse, batch: Batch, state: str, now: datetime) -> None:
    """Write that the batch has reached a state, never before its last one: a clock may have been moved back."""
    if lake.exists(JOURNAL):
        with query.connect(lake, layers=["ops"], only={JOURNAL}) as connection:
            sql = f"select max(recorded_at) as last from {JOURNAL} where batch_id = ?"
            last = query.rows(connection, sql, [batch.batch_id])[0]["last"]
        now = max(now, last.replace(tzinfo=None)) if last else now
    files = json.dumps([file.as_dict() for file in batch.files])
    known_at, recorded_at = batch.known_at.isoformat(sep=" "), now.isoformat(sep=" ")
    frame = spark.createDataFrame(
        [(batch.batch_id, state, known_at, recorded_at, files, batch.origin or None)],
        "batch_id string, state string, known_at string, recorded_at string, files string, origin string",
    )
    store.save(frame, spark, lake, table(JOURNAL), append=True)


ACCOUNTS = "ops.row_accounts"


def erased_sql(lake: Lakehouse) -> str:
    """The count of erased rows as SQL over `ops.row_accounts`; 0 where the table was written before there was one."""
    known = lake.exists(ACCOUNTS) and any(field.name == "erased" for field in lake.delta(ACCOUNTS).schema().fields)
    return "coalesce(erased, 0)" if known else "0"
