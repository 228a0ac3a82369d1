"""One batch from its files to the silver tables, safe to repeat after a kill."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame as Frame
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StructField, StructType

from medallion import bronze, contracts, progress, silver, sources
from medallion.columns import with_known_names
from medallion.contracts import Entity, Filling, Table
from medallion.errors import ConservationError, SourceError
from medallion.lakehouse import removal, store
from medallion.pipeline import batches, erasure_log, identities
from medallion.pipeline.batches import Batch
from medallion.pipeline.context import Context
from medallion.pipeline.ends import Ends, following
from medallion.pipeline.gate import Gate
from medallion.pipeline.steps import in_order
from medallion.silver import checks, corrections, life, redaction, resolved

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from medallion.silver import LookupTable

_WORKERS = 2
#: Up to so many keys are written into a query; more of them are a table that it joins.
_FEW = 300
#: So many conflicting keys, of files of so many bytes in all, are fetched; of more of them the engine keeps a table.
_MANY, _SMALL = 20_000, 64 << 20
_HASHES = StructType([StructField("key_hash", LongType())])
#: What is done for each entity: its records against the contract, then its versions into history and clean table.
_CONFORM, _KEEP = "conform", "keep"
_OPS = ("silver.quarantine", "ops.row_accounts", "ops.quality_metrics")


def bronze_to_silver(context: Context, batch: Batch, gate: Gate, chosen: Collection[str] = ()) -> list[dict[str, Any]]:
    """Take a batch through bronze and silver; gives its row accounts, one per entity.

    A file that the gate holds back leaves the batch and becomes one of its own, in the state held.

    Args:
        context: The run.
        batch: What to read.
        gate: Judges the files.
        chosen: For a batch that reprocesses refused rows, their identifiers in quarantine.

    Raises:
        SourceError: A file cannot be read to its end; what was read of the batch is rolled back.
        ConservationError: Rows are missing or invented; the batch stays unfinished.
    """
    lake, steps, now = context.lake, context.steps, context.now
    retried = any(known.batch_id == batch.batch_id for known in batches.history(lake))
    present = [entity for name, entity in context.entities.items() if batch.files_of(name)]
    for name in _OPS:
        context.create(contracts.table(name))
    if batch.state == batches.STARTED:
        if not retried:
            batches.record(context.spark, lake, batch, batches.STARTED, now)
        if batch.is_reread:
            _mark_reread(context, batch)
        elif batch.origin:
            with steps.step("silver: reprocess refused rows"):
                if not _mark_reprocessed(context, batch, chosen):
                    batches.record(context.spark, lake, batch, batches.ABANDONED, now)
                    return []
        else:
            texts = all(file.format == "csv" and "16" not in file.encoding for file in batch.files)
            progress.reading.begin(sum(file.size_bytes for file in batch.files) if texts else None)
            with steps.step(progress.STEP):
                _ingest(context, batch, present, retried)
    if batch.state == batches.STARTED or batch.is_held_file:  # also one that reads bronze again
        batches.record(context.spark, lake, batch, batches.INGESTED, now)

    if retried:  # a kill while they were removed leaves half of a table, which cannot be written over
        removal.drop(lake, [name for entity in present for name in entity.work])

    conflicting: dict[str, Conflicts] = {}

    def work(task: tuple[str, str]) -> None:
        kind, name = task
        with steps.step(f"silver: {kind} {name}"):
            if kind == _CONFORM:
                _conform(context, context.entities[name], batch, gate)
            else:
                conflicting[name] = _keep(context, context.entities[name], batch, retried, ends)

    ends = Ends(context, batch, gate, retried)
    ends.prepare(present)
    in_order(_tasks(present, context.entities), work, _WORKERS)
    with steps.step("silver: ends of records"):
        touched = ends.follow(present)
    with steps.step("silver: quarantine, accounts, quality"):
        _quarantine(context, present, batch, retried)
        accounts = _accounts(context, present, batch, retried, gate, touched, conflicting)
        _quality(context, present, batch, accounts, retried)
    _conserve(accounts, batch)
    # in this order: a batch that was killed in between is done again, from bronze; the other way round they would stay
    removal.drop(lake, [name for entity in present for name in entity.work])
    removal.drop(lake, ends.tables)
    held_batches = [Batch.held(batch, file) for file in gate.held]
    if batch.is_held_file and held_batches:
        batches.record(context.spark, lake, replace(batch, files=held_batches[0].files), batches.HELD, now)
    else:
        kept = tuple(file for file in batch.files if file.name not in gate.names(file.entity))
        batches.record(context.spark, lake, replace(batch, files=kept), batches.FINISHED, now, held_batches)
    return accounts


def _tasks(present: list[Entity], entities: Mapping[str, Entity]) -> dict[tuple[str, str], set[tuple[str, str]]]:
    """What is to be done for a batch, each with what must be done before it.

    A record's references are looked up as soon as the records that it refers to have been read; what is looked up in
    another entity is looked up in its clean table, and so is what follows the merges of its records.
    """
    names = {entity.name for entity in present}
    needs: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for entity in present:
        looked_up = {name for source in entity.sources for name in source.lookups}
        looked_up |= {name for name in entity.parents if entities[name].merges_records}
        looked_up |= {entity.merges.name} if entity.merges else set()
        needs[_CONFORM, entity.name] = {
            (_KEEP if name in looked_up else _CONFORM, name) for name in entity.parents & names
        }
        needs[_KEEP, entity.name] = {(_CONFORM, entity.name)}
    return needs


def _of_batch(batch: Batch, column: str = "_batch_id", batch_id: str = "") -> str:
    return f"{column} = '{batch_id or batch.batch_id}'"


def _ingest(context: Context, batch: Batch, present: list[Entity], retried: bool) -> None:
    spark, lake = context.spark, context.lake
    gone = erasure_log.read(lake)

    def load(entity: Entity) -> None:
        files, name = batch.files_of(entity.name), f"bronze.{entity.name}"
        listed = spark.createDataFrame([(json.dumps(file.as_dict()),) for file in files], bronze.FILE)
        columns = bronze.columns_of(files)
        frame = bronze.rows(listed, columns, batch.batch_id, batch.known_at.isoformat(sep=" "))
        if gone.hashes:
            frame = redaction.withheld(frame, entity, context.entities, bronze.mapping_of(files), gone)
        if retried:
            context.delete_rows(name, _of_batch(batch))
            for file in files:
                sources.unchanged(file)
        store.append_raw(frame, spark, lake, name, bronze.types_of(columns))

    try:
        with ThreadPoolExecutor(_WORKERS) as pool:
            largest_first = sorted(present, key=lambda e: -sum(f.size_bytes for f in batch.files_of(e.name)))
            list(pool.map(load, largest_first))
    except Exception as error:
        match = re.search(r"SourceError: (.*?)(?:\\n|\n|$)", str(error))
        reason = error.problem if isinstance(error, SourceError) else match.group(1) if match else None
        if not reason:
            raise
        for entity in present:
            context.delete_rows(f"bronze.{entity.name}", _of_batch(batch))
        batches.record(spark, lake, batch, batches.ABANDONED, context.now)
        raise SourceError(
            reason, "Mend or remove the file and run again; nothing of this delivery was kept."
        ) from error


def _mark_reprocessed(context: Context, batch: Batch, chosen: Collection[str]) -> bool:
    """Mark the chosen rows as reprocessed by this batch, all or none; whether there are any."""
    contract = contracts.table("silver.quarantine")
    quarantine = context.read(contract)
    if chosen:
        ids = context.spark.createDataFrame([(item,) for item in sorted(chosen)], "quarantine_id string")
        waiting = quarantine.filter(_of_batch(batch, "batch_id", batch.origin) + " AND resolved_by IS NULL")
        records = waiting.join(ids, on="quarantine_id", how="left_semi")
        context.merge(records.withColumn("resolved_by", F.lit(batch.batch_id)), contract)
    marked = context.read(contract).filter(_of_batch(batch, "resolved_by"))
    return not marked.isEmpty()


def _mark_reread(context: Context, batch: Batch) -> None:
    """Refused rows of what is read again no longer wait: they are refused once more, or accepted."""
    contract = contracts.table("silver.quarantine")
    waiting = _refused_before(context, batch).filter(F.col("resolved_by").isNull())
    waiting = waiting.filter(F.col("entity").isin(*sorted({file.entity for file in batch.files})))
    context.merge(waiting.withColumn("resolved_by", F.lit(batch.batch_id)), contract)


def _refused_before(context: Context, batch: Batch) -> DataFrame:
    """Rows that were refused by the batch that is read again, and by those that reprocessed it."""
    known = [*batches.history(context.lake), batch]
    roots = batches.families(known)
    same = [b.batch_id for b in known if roots[b.batch_id] == roots[batch.batch_id] and b.batch_id != batch.batch_id]
    return context.read("silver.quarantine").filter(F.col("batch_id").isin(*same))


def _again(context: Context, entity: Entity, batch: Batch) -> DataFrame:
    """What bronze has of the files of an entity, as rows of this batch.

    A held file is learned when it is accepted: until then nothing was known of it. What is read again was known before.
    """
    known = {other.batch_id: other.known_at for other in batches.history(context.lake)}
    learned = known[batch.origin] if batch.is_reread else batch.known_at
    names = [file.name for file in batch.files_of(entity.name)]
    whole = context.read(f"bronze.{entity.name}").filter(_of_batch(batch, batch_id=batch.in_bronze))
    known_at = F.lit(learned.isoformat(sep=" ")).cast("timestamp")
    rows = whole.filter(F.col("_source_file").isin(*names))
    return rows.withColumns({"_batch_id": F.lit(batch.batch_id), "_ingested_at": known_at})


def _raw(context: Context, entity: Entity, batch: Batch) -> DataFrame:
    """The records of a batch as bronze has them, or as refused rows and their corrections have them."""
    if not batch.origin:
        rows, name = context.read(f"bronze.{entity.name}").filter(_of_batch(batch)), f"bronze.{entity.name}"
        names = context.lake.place.reads_files and [column for column, _ in store.spark_types(context.lake, name)]
        return with_known_names(rows, names) if names else rows
    if batch.is_held_file:
        return _again(context, entity, batch)
    if batch.is_reread:
        raw = _again(context, entity, batch)
        if not context.lake.exists("ops.corrections"):
            return raw
        before = _refused_before(context, batch).filter(F.col("entity") == entity.name)
        return corrections.applied(raw, context.read("ops.corrections"), before)
    refused = _refused(context, entity, batch)
    context.create(contracts.table("ops.corrections"))
    ids = refused.select("quarantine_id")
    corrected_cells = context.read("ops.corrections").join(ids, on="quarantine_id", how="left_semi")
    columns = bronze.columns_of(batch.files_of(entity.name))
    corrected = [f"={column.name}" for column in entity.columns]
    known_at = batch.known_at.isoformat(sep=" ")
    return corrections.reprocessed(refused, corrected_cells, [*columns, *corrected], batch.batch_id, known_at)


def _refused(context: Context, entity: Entity, batch: Batch) -> DataFrame:
    quarantine = context.read("silver.quarantine")
    return quarantine.filter(f"{_of_batch(batch, 'resolved_by')} AND entity = '{entity.name}'")


def _conform(context: Context, entity: Entity, batch: Batch, gate: Gate) -> None:
    """One entity of a batch from bronze to its staged table, without the files that are held back."""
    mapping = bronze.mapping_of(batch.files_of(entity.name))
    lookups = {
        filling: _lookup_table(context, context.entities[filling.lookup], filling)
        for fillings in mapping.values()
        for filling in fillings
        if filling.lookup
    }
    raw = _raw(context, entity, batch)
    if (
        not batch.origin or batch.is_held_file or batch.is_reread
    ):  # refused rows have the cells that they were refused with
        raw = silver.filled_down(raw, mapping)
    parents, unknown = _parent_keys(context, entity, batch), {}
    survivors, merges = following(context, entity)
    references = None
    if parents:
        # of the references alone: the engine plans for every column, whether it is asked for or not
        referring = silver.readings(raw, entity.referring, mapping, lookups, survivors, with_cells=False)
        unknown = _orphan_keys(context, entity, silver.orphan_keys(referring, parents), parents)
        references = silver.references_as_written(referring, entity, mapping)

    def stage(rows: DataFrame) -> None:
        readings = silver.readings(rows, entity, mapping, lookups, survivors, merges)
        rows, names = silver.conform(readings, entity, unknown), entity.staged.column_names
        context.save_files(rows, {entity.staged: "true"}, append=False, names=names)

    stage(raw)
    if held_files := gate.look(entity, parents, references):
        stage(raw.filter(~F.col("_source_file").isin(*held_files)))


def _orphan_keys(
    context: Context, entity: Entity, orphans: DataFrame, names: Iterable[str]
) -> dict[str, DataFrame | list[str]]:
    """Per referring column the keys that lead nowhere: a list where there are few, else rows of a work table."""
    few = orphans.limit(_FEW + 1).collect()
    if len(few) <= _FEW:
        return {name: sorted(row["key"] for row in few if row["referring"] == name) for name in names}
    context.save(orphans, entity.orphan_keys, whole=True)
    saved = context.read(entity.orphan_keys)
    return {name: saved.filter(F.col("referring") == name) for name in names}


def _keep(context: Context, entity: Entity, batch: Batch, retried: bool, ends: Ends) -> Conflicts:
    """One entity of a batch from its staged table to its history and clean tables; gives its conflicting keys."""
    store.grow(context.lake, entity.history)
    conflicting = _conflicting(context, entity, batch)
    met, may_end = conflicting.met, _may_end(entity, batch)
    history = _earlier(context, entity, batch) if met else None
    judged = silver.outcomes(context.read(entity.staged), conflicting.keys, history, entity, may_end)
    members = context.members.get(entity.name)
    if members is not None:
        judged = resolved.merged(judged, entity, identities.merged_keys(members))
    kept, names = {entity.history: "true"}, silver.outcome_columns(entity, may_end)
    if retried:
        context.delete_rows(entity.history.name, _of_batch(batch))
    if met or retried:
        context.save_files(silver.versions(judged), kept, names=names)
        rows = context.read(entity.history).filter(_of_batch(batch))
        context.merge(silver.current(rows, entity), entity.clean, whole=True, met=met)
    else:
        tables = {**kept, entity.clean: silver.CURRENT}
        context.save_files(silver.versions(judged), tables, _of_batch(batch), names=names)
    if ends.may_end(entity):
        ends.close(entity, met or retried)
    return conflicting


def _may_end(entity: Entity, batch: Batch) -> bool:
    return life.is_told(bronze.mapping_of(batch.files_of(entity.name))) or entity.merges is not None


@dataclass(frozen=True)
class Conflicts:
    """The conflicting keys of an entity in a batch: hashes where they are few, else a frame; and whether one was known."""

    keys: DataFrame | Sequence[int]
    met: bool

    @property
    def any(self) -> bool:
        """Whether there may be some."""
        return not isinstance(self.keys, Sequence) or bool(self.keys)


def _conflicting(context: Context, entity: Entity, batch: Batch) -> Conflicts:
    """The conflicting keys of an entity: kept in this process, or of a large delivery in a work table."""
    earlier = _earlier(context, entity, batch)
    conflicting = silver.conflicting_keys(context.read(entity.staged), earlier, entity)
    if sum(file.size_bytes for file in batch.files_of(entity.name)) <= _SMALL:
        rows = conflicting.limit(_MANY + 1).collect()
        if len(rows) <= _MANY:
            met, hashes = any(row["known"] for row in rows), [row["key_hash"] for row in rows]
            few = len(hashes) <= _FEW
            return Conflicts(
                hashes if few else context.spark.createDataFrame([(key_hash,) for key_hash in hashes], _HASHES), met
            )
    context.save(conflicting, entity.conflicting_keys, whole=True)
    keys = context.read(entity.conflicting_keys)
    return Conflicts(keys, not keys.filter("known").isEmpty())


def _parent_keys(context: Context, entity: Entity, batch: Batch) -> dict[str, DataFrame]:
    """Known keys per referring column, those of the batch and of deleted records among them, since a deal counts though its
    account was deleted; without any, a reference that may lead nowhere is left out.
    """
    keys = {}
    for column in entity.references:
        target = column.reference
        if target is None:
            continue
        parent, key = context.entities[target.entity], F.col(target.column).cast("string").alias("_key")
        known = [context.read(parent.clean).select(key)] if context.lake.exists(parent.clean.name) else []
        if batch.files_of(parent.name) and parent.name != entity.name:
            staged = silver.valid(context.read(parent.staged))
            known += [
                silver.counted(staged).select(key),
                *([life.left_alone(staged, parent)] if parent.ends_records else []),
            ]
        if parent.ends_records and store.grow(context.lake, parent.history):
            known.append(life.left_alone(context.read(parent.history), parent))
        if parent.name in context.members:
            known.append(context.members[parent.name].select("_key"))
        if known:
            keys[column.name] = reduce(lambda left, right: left.unionByName(right), known)
        elif column.checks.get("reference") == "reject":
            keys[column.name] = context.spark.createDataFrame([], "_key string")
    return keys


def _lookup_table(context: Context, parent: Entity, filling: Filling) -> LookupTable:
    context.create(parent.clean)
    members = context.members.get(parent.name)
    if members is None or not context.lake.exists(parent.history.name):
        return silver.lookup_table(context.read(parent.clean), parent, filling)
    return silver.lookup_table(identities.as_delivered(context, parent, members), parent, filling, members)


def _earlier(context: Context, entity: Entity, batch: Batch) -> DataFrame | None:
    """Versions known before the batch, None when there is no history."""
    if not context.lake.exists(entity.history.name):
        return None
    counting = silver.without(context.read(entity.history), context.replaced.get(entity.name, ()))
    return counting.filter(f"NOT ({_of_batch(batch)})")


def _save_once(
    context: Context, frame: DataFrame, contract: Table, own_rows: str, retried: bool, whole: bool = False
) -> None:
    """Append rows, in place of those that an attempt before a kill wrote of the same batch; `whole` as in `store.save`."""
    if retried:
        context.delete_rows(contract.name, own_rows)
    context.save(frame, contract, append=True, whole=whole)


def _quarantine(context: Context, present: list[Entity], batch: Batch, retried: bool) -> None:
    parts = [silver.quarantined(context.read(entity.staged), entity) for entity in present]
    contract = contracts.table("silver.quarantine")
    refused = reduce(Frame.unionByName, parts).withColumn("resolved_by", F.lit(None).cast("string"))
    _save_once(context, refused, contract, _of_batch(batch, "batch_id"), retried, whole=True)


def _accounts(
    context: Context,
    present: list[Entity],
    batch: Batch,
    retried: bool,
    gate: Gate,
    touched: Mapping[str, int],
    conflicting: Mapping[str, Conflicts],
) -> list[dict[str, Any]]:
    """Count where every record of the batch went, table by table, and write it down."""
    parts = []
    quarantine = context.read("silver.quarantine").filter(_of_batch(batch, "batch_id"))
    for entity in present:
        keys, repeated = conflicting[entity.name], None
        if keys.any:
            history = _earlier(context, entity, batch) if keys.met else None
            staged, may_end = context.read(entity.staged), _may_end(entity, batch)
            repeated = silver.conflicts(staged, keys.keys, history, entity, may_end)
        again = batch.origin and not (batch.is_held_file or batch.is_reread)
        read = _refused(context, entity, batch) if again else _raw(context, entity, batch)
        if held_files := gate.names(entity.name):
            read = read.filter(~F.col("_source_file").isin(*held_files))
        parts.append(
            silver.account(
                entity,
                read,
                context.read(entity.staged),
                repeated,
                context.read(entity.history).filter(_of_batch(batch)),
                quarantine.filter(F.col("entity") == entity.name),
            )
        )
    accounts = [
        {"entity": row["entity"], **{name: int(row[name]) for name in ("rows_read", *silver.ACCOUNTS, "implied")}}
        for row in reduce(Frame.unionByName, parts).collect()
    ]
    accounts.sort(key=lambda account: [entity.name for entity in present].index(account["entity"]))
    for name, count in touched.items():  # no record of the batch is theirs
        accounts.append({"entity": name, "rows_read": 0, **dict.fromkeys(silver.ACCOUNTS, 0), "implied": count})
    for account in accounts:
        account |= {"run_id": context.run_id, "batch_id": batch.batch_id, "erased": 0, "known_at": batch.known_at}
        account["balanced"] = account["rows_read"] == sum(account[name] for name in silver.ACCOUNTS)
    contract = contracts.table("ops.row_accounts")
    if retried:
        context.delete_rows(contract.name, _of_batch(batch, "batch_id"))
    rows = [tuple(account[name] for name in contract.column_names) for account in accounts]
    context.append_rows(rows, contract)
    return accounts


def _quality(
    context: Context, present: list[Entity], batch: Batch, accounts: list[dict[str, Any]], retried: bool
) -> None:
    parts = [checks.counts(silver.counted(context.read(entity.staged)), entity) for entity in present]
    counted = {row["entity"]: row.asDict() for row in reduce(Frame.unionByName, parts).collect()}
    given = {"batch_id": batch.batch_id, "known_at": batch.known_at, "run_id": context.run_id}
    rows = [
        {**row, **given, "entity": entity.name}
        for entity, account in zip(present, accounts, strict=False)
        for row in checks.quality(counted[entity.name], entity, account["duplicate"] + account["superseded"])
    ]
    contract = contracts.table("ops.quality_metrics")
    if retried:
        context.delete_rows(contract.name, _of_batch(batch, "batch_id"))
    context.append_rows([tuple(row[name] for name in contract.column_names) for row in rows], contract)


def _conserve(accounts: list[dict[str, Any]], batch: Batch) -> None:
    for account in accounts:
        if not account["balanced"]:
            accounted = " + ".join(f"{account[name]} {name}" for name in silver.ACCOUNTS)
            raise ConservationError(
                f"{account['entity']}: {account['rows_read']} rows were read, but {accounted} is another number",
                f"Batch {batch.batch_id} stays unfinished; run again, and report this if it stays.",
            )
