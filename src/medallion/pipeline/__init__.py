"""Sources to gold: the only place where transformations meet the store.

`run` is what the command does: take the new files through bronze and silver as one batch, recompute gold, check
the laws, and write down what was done.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from medallion import __version__, contracts, query, sources, store
from medallion.config import Settings, end_of_day
from medallion.contracts import Entity
from medallion.errors import LakehouseError, SourceError
from medallion.pipeline import batches
from medallion.pipeline.batches import Batch
from medallion.pipeline.bronze_to_silver import bronze_to_silver
from medallion.pipeline.silver_to_gold import STEPS, silver_to_gold
from medallion.pipeline.steps import Report, Steps
from medallion.session import engine_name, session
from medallion.store import Lakehouse

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass
class Result:
    """What a run did. `changed` is false when there was nothing to do and no table was touched."""

    run_id: str
    changed: bool = False
    batch_id: str | None = None
    as_of: date | None = None
    files: list[str] = field(default_factory=list)
    already_known: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    refused: list[sources.Refusal] = field(default_factory=list)
    new_columns: dict[str, list[str]] = field(default_factory=dict)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    steps: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


#: The two halves of a run; the notebooks do one each.
BRONZE_TO_SILVER, SILVER_TO_GOLD = "bronze_to_silver", "silver_to_gold"
BOTH = (BRONZE_TO_SILVER, SILVER_TO_GOLD)


def run(
    settings: Settings,
    now: datetime,
    report: Report = lambda name, seconds: None,
    halves: Collection[str] = BOTH,
) -> Result:
    """Bring what is new in the source folder into the lakehouse, then gold up to date.

    Args:
        settings: Where from, where to, as of when.
        now: The clock, UTC without zone; becomes `known_at` of what is read.
        report: Is told of each step.
        halves: Do only one of `BRONZE_TO_SILVER` and `SILVER_TO_GOLD`.

    Raises:
        SourceError: Nothing in the folder can be read.
        LakehouseError: Another run is writing, or the folder cannot be written.
        ConservationError: A law does not hold; the batch is left unfinished.
    """
    started = time.perf_counter()
    lake = Lakehouse(settings.lakehouse)
    entities = contracts.entities(settings.contracts)
    result = Result(run_id=f"{now:%Y%m%dT%H%M%S.%f}"[:-3])
    steps = Steps(report)
    scan = sources.Scan((), (), ())
    if BRONZE_TO_SILVER in halves:
        with steps.step("look at the source files"):
            scan = sources.scan(settings.source, entities)
    result.refused, result.ignored = list(scan.refused), list(scan.ignored)
    goal = _goal(settings, now)
    with writing(lake):
        todo = _todo(lake, scan, now, result) if BRONZE_TO_SILVER in halves else []
        stale = SILVER_TO_GOLD in halves and (bool(todo) or not _is_current(lake, entities, settings, goal))
        if todo or stale:
            with steps.step("start the engine"):
                spark = session(settings.engine, settings.memory_gib)
            _check_folder(lake)
            for batch in todo:
                result.accounts += bronze_to_silver(spark, lake, entities, batch, result.run_id, now, steps)
                result.batch_id = batch.batch_id
                result.files += [file.name for file in batch.files]
                result.new_columns |= _unmapped(batch)
            if stale:
                result.as_of = silver_to_gold(spark, lake, entities, goal, settings.score, steps)
            result.changed = True
            result.steps, result.seconds = steps.seconds, round(time.perf_counter() - started, 3)
            fingerprint = _fingerprint(lake, entities, settings, goal) if stale else None
            _record_run(spark, lake, result, fingerprint, now)
    result.steps, result.seconds = steps.seconds, round(time.perf_counter() - started, 3)
    return result


def _todo(lake: Lakehouse, scan: sources.Scan, now: datetime, result: Result) -> list[Batch]:
    """What a killed run left unfinished, then one batch of the files whose content was never read."""
    known = batches.history(lake)
    pending = [batch for batch in known if batch.state in (batches.STARTED, batches.INGESTED)]
    read = {file.content_hash for batch in known if batch.state != batches.ABANDONED for file in batch.files}
    new: dict[str, sources.SourceFile] = {}
    for file in scan.files:
        if file.content_hash in read or file.content_hash in new:
            result.already_known.append(file.name)
        else:
            new[file.content_hash] = file
    if not known and not new:
        raise SourceError("\n".join(item.problem for item in scan.refused), scan.refused[0].remedy)
    return [*pending, *([Batch.of(tuple(new.values()), now)] if new else [])]


def _unmapped(batch: Batch) -> dict[str, list[str]]:
    """Per file the columns that no contract reads; they are kept in bronze."""
    found = {}
    for file in batch.files:
        mapped = set(file.mapping.values())
        if extra := [header for header, name in file.columns if name not in mapped]:
            found[file.name] = extra
    return found


@contextmanager
def writing(lake: Lakehouse) -> Iterator[None]:
    """Hold the lakehouse for writing.

    Raises:
        LakehouseError: Another process holds it, or its folder cannot be written.
    """
    if "://" in lake.root:  # object stores have no lock files; Delta's commits still keep tables whole
        yield
        return
    try:
        Path(lake.root).mkdir(parents=True, exist_ok=True)
        lock = FileLock(Path(lake.root, ".lock"), timeout=0)
        lock.acquire()
    except Timeout as error:
        raise LakehouseError(
            f"{lake.root}: another run is writing to this lakehouse",
            "Wait for it to end; what is there stays readable meanwhile.",
        ) from error
    except OSError as error:
        raise LakehouseError(
            f"{lake.root}: cannot be written: {error.strerror}", "Choose another --lakehouse."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _check_folder(lake: Lakehouse) -> None:
    """Sail 0.7 puts the log and the files of a table into two other folders where a path has such characters.

    Raises:
        LakehouseError: The embedded engine cannot write to a folder of that name.
    """
    path = str(Path(lake.root).absolute())
    odd = [letter for letter in path if not (letter.isascii() and (letter.isalnum() or letter in "/!$&'()+,-.:;=@_"))]
    if odd and "://" not in lake.root and engine_name() == "sail":
        raise LakehouseError(
            f"{path}: the embedded engine cannot write to a folder with {odd[0]!r} in its path",
            "Choose a --lakehouse with plain letters, digits, - and _ only.",
        )


def _goal(settings: Settings, now: datetime) -> date | None:
    if settings.as_of == "latest":
        return None
    return now.date() if settings.as_of == "today" else date.fromisoformat(settings.as_of)


def _fingerprint(lake: Lakehouse, entities: Mapping[str, Entity], settings: Settings, goal: date | None) -> str:
    """What gold depends on, as a hash: silver versions, the moment, the weights and the code's version."""
    inputs = {
        "silver": {entity.clean.name: lake.version(entity.clean.name) for entity in entities.values()},
        "as_of": str(goal),
        "score": settings.score.model_dump(mode="json"),
        "version": __version__,
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


def _is_current(lake: Lakehouse, entities: Mapping[str, Entity], settings: Settings, goal: date | None) -> bool:
    if not lake.exists("ops.runs") or not all(lake.exists(step.table) for step in STEPS):
        return False
    with query.connect(lake, layers=["ops"]) as connection:
        last = query.rows(
            connection,
            "select fingerprint from ops.runs where fingerprint is not null order by started_at desc limit 1",
        )
    return bool(last) and last[0]["fingerprint"] == _fingerprint(lake, entities, settings, goal)


def _record_run(spark: SparkSession, lake: Lakehouse, result: Result, fingerprint: str | None, now: datetime) -> None:
    contract = contracts.table("ops.runs")
    row = {
        "run_id": result.run_id,
        "batch_id": result.batch_id,
        "started_at": now,
        "finished_at": now + timedelta(seconds=result.seconds),
        "as_of": end_of_day(result.as_of) if result.as_of else None,
        "fingerprint": fingerprint,
        "version": __version__,
        "engine": engine_name(),
        "seconds": result.seconds,
        "steps": json.dumps(result.steps),
    }
    schema = ", ".join(f"`{column.name}` {column.type}" for column in contract.columns)
    frame = spark.createDataFrame([tuple(row[name] for name in contract.column_names)], schema)
    store.save(frame, spark, lake, contract, append=True)
