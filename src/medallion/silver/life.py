"""The life of a record: which records count, what ends one, and what follows from it.

A row that says that its record has ended needs no more than a key. It is a version like any other, told apart from the
others by its order; the newest of them decides whether the record is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from medallion import columns as words
from medallion.contracts import Entity, Filling
from medallion.contracts.filling import ABSENT, LIFE, MERGED, WHERE
from medallion.contracts.model import ENDED, STANDING

#: Per canonical column, what fills it and in which files.
Fillings = Mapping[str, Mapping[Filling, tuple[str, ...]]]
#: Longest chain of merges that is followed: two to the power of it.
_DOUBLINGS = 3
_ARRIVAL = ("known_at", "_source_file", "_source_row")


def is_told(mapping: Fillings) -> bool:
    """Whether anything of a batch says which records count or which have ended."""
    return any(name in mapping for name in LIFE)


def told(mapping: Fillings) -> dict[str, Column]:
    """What the rows of bronze say of their records: `_excluded`, `_absent` and `_unclear`, the message about a condition
    that cannot be read.

    A condition that is null does not hold. One that is neither true nor false is `_unclear`, as a message. A record
    that does not split into cells is excluded only by a condition that is false of its text.
    """
    malformed = F.col("_malformed").isNotNull()
    excluded, absent, unclear = [F.lit(False)], [F.lit(False)], []
    for word, name in (("where", WHERE), ("absent", ABSENT)):
        for filling, files in mapping.get(name, {}).items():
            in_files = F.col("_source_file").isin(*files) if files else F.lit(True)
            holds = F.expr(str(filling.sql)).try_cast("boolean")
            text = F.trim(F.expr(str(filling.sql)).cast("string"))
            shown = F.substring(text, 1, 80)
            says = F.concat(F.lit(f"record: {word} is neither true nor false: '"), shown, F.lit("'"))
            unclear.append(F.when(in_files & ~malformed & holds.isNull() & (text != ""), says))
            if name == WHERE:
                excluded.append(in_files & ~F.coalesce(holds, malformed))
            else:
                absent.append(in_files & F.coalesce(holds, F.lit(False)))
    nothing = F.lit(None).cast("string")
    return {
        "_excluded": reduce(Column.__or__, excluded),
        "_absent": reduce(Column.__or__, absent),
        "_unclear": F.coalesce(*unclear, nothing),
    }


def merged_into(mapping: Fillings, entity: Entity) -> list[Column]:
    """The texts that name the record which one was merged into; null where there is none, or `false` or zeros."""
    texts = []
    for filling, files in mapping.get(MERGED, {}).items():
        text = F.col(f"`{filling.column}`") if filling.column else F.expr(str(filling.sql)).cast("string")
        text = words.null_if_placeholder(text, entity.placeholders)
        text = F.when(~F.lower(text).rlike(r"^(false|0+a*)\z"), text)
        texts.append(F.when(F.col("_source_file").isin(*files), text) if files else text)
    return texts


def with_merges(typed: DataFrame, entity: Entity, merges: DataFrame | None) -> DataFrame:
    """Records with the survivor that a file of merges names (`merged`, `survivor`) where they name none themselves."""
    if merges is None:
        return typed
    pairs = merges.select(F.col("merged").alias("_merged_key"), F.col("survivor").alias("_survivor"))
    joined = typed.join(pairs, F.col(entity.key) == F.col("_merged_key"), how="left")
    return joined.withColumn("_into", F.coalesce("_into", "_survivor")).drop("_merged_key", "_survivor")


def fate(ended_by: Column) -> Column:
    """`excluded`, `withdrawn` or null."""
    return F.when(F.col("_excluded"), F.lit("excluded")).when(ended_by.isNotNull(), F.lit("withdrawn"))


def ended_by(entity: Entity) -> Column:
    """What ends a record by its own row: `merged`, `absent` or null; one that is merged into itself has not ended."""
    merged = F.col("_into").isNotNull() & ~F.coalesce(F.col("_into") == F.col(entity.key), F.lit(False))
    return F.when(merged, F.lit("merged")).when(F.col("_absent"), F.lit("absent"))


def dated(rows: DataFrame, entity: Entity) -> DataFrame:
    """Versions of conflicting keys; those that end a record have a version time, and `_ended_at`.

    An export that says nothing of when a record was deleted leaves its version time as it was, or empty: then it ended
    when that was learned.
    """
    ends = F.col("_fate") == F.lit("withdrawn")
    if entity.version_column is None:
        return rows.withColumn("_ended_at", F.when(ends, F.coalesce("_ended_at", "known_at")))
    version = F.col(entity.version_column)
    before = Window.partitionBy(entity.key).orderBy(*_ARRIVAL).rowsBetween(Window.unboundedPreceding, -1)
    newest = F.max(entity.version_column).over(before)
    rows = rows.withColumn("_newest", newest)
    at = F.when(
        version.isNotNull() & (F.col("_newest").isNull() | (version > F.col("_newest"))), version.cast("timestamp")
    )
    rows = rows.withColumn("_ended_at", F.when(ends, F.coalesce("_ended_at", at, "known_at")))
    filled = F.when(ends, F.coalesce(version, "_newest")).otherwise(version)
    return rows.withColumn(entity.version_column, filled).drop("_newest")


def last_known(history: DataFrame, entity: Entity, keys: DataFrame) -> DataFrame:
    """Of each of `keys` the version that was learned last of those that were current or ended the record."""
    deciding = history.filter(F.col("_outcome").isin(*STANDING, *ENDED)).join(keys, on=entity.key, how="left_semi")
    last_first = Window.partitionBy(entity.key).orderBy(*map(F.desc_nulls_first, _ARRIVAL))
    return deciding.withColumn("_rank", F.row_number().over(last_first)).filter(F.col("_rank") == 1).drop("_rank")


def standing(history: DataFrame, entity: Entity, keys: DataFrame) -> DataFrame:
    """The current version of those of `keys` that have not ended."""
    return last_known(history, entity, keys).filter(F.col("_outcome").isin(*STANDING))


def left_alone(rows: DataFrame, entity: Entity) -> DataFrame:
    """Keys, as `_key`, of records that ended by themselves, among versions or staged rows: what refers to them still counts."""
    ended = rows.filter(F.col("_ended_by").isin("absent", "complete"))
    return ended.select(F.col(entity.key).cast("string").alias("_key"))


def gone(current: DataFrame, entity: Entity, why: str, into: Column | None = None) -> DataFrame:
    """Versions that end records of which no row says so; their values are the last that were known.

    Args:
        current: Their current versions, with `known_at`, `_batch_id` and `_source_file` of what ends them.
        entity: Their contract.
        why: What ends them.
        into: Key of the record that they were merged into.
    """
    merged = F.lit(None).cast("string") if into is None else into
    mark = F.xxhash64("_version_hash", F.lit(why), merged)
    return current.withColumns(
        {
            "_outcome": F.lit("gone"),
            "_ended_at": F.col("known_at"),
            "_ended_by": F.lit(why),
            "_merged_into": merged,
            "_version_hash": mark,
        }
    )


def states(rows: DataFrame, entity: Entity, days: Iterable[str] = ()) -> DataFrame:
    """The days of which snapshots show a state: `_day`, and `_since`, the one after it.

    An export that runs for an hour shows one state, so times of a day are not told apart.

    Args:
        rows: Rows of snapshots.
        entity: Their contract.
        days: Further days, of states without a record.
    """
    known = rows.select(_day(entity).alias("_day")).filter(F.col("_day").isNotNull()).distinct()
    listed = F.explode(F.array(*(F.lit(day).cast("date") for day in sorted(days)))).alias("_day") if days else None
    if listed is not None:
        known = known.unionByName(rows.sparkSession.range(1).select(listed)).distinct()
    return known.withColumn("_since", F.lead("_day").over(Window.orderBy("_day")))


def gone_since(ended: DataFrame, entity: Entity, states: DataFrame) -> DataFrame:
    """Those of the versions that end records which are older than the last of the `states`; each ended with the next one."""
    version = str(entity.version_column)
    later = ended.join(states, _day(entity) == F.col("_day"), how="inner").filter(F.col("_since").isNotNull())
    since = F.col("_since").cast("timestamp")
    changed = {"_ended_at": since, version: since.cast(entity.column(version).type)}
    return later.withColumns(changed).drop("_day", "_since")


def _day(entity: Entity) -> Column:
    return F.col(str(entity.version_column)).cast("date")


def stamped(current: DataFrame, batch_id: str, known_at: str, file: str | None) -> DataFrame:
    """Versions as learned with a batch; without a file they keep theirs."""
    changed = {
        "known_at": F.lit(known_at).cast("timestamp"),
        "_batch_id": F.lit(batch_id),
        "_source_row": F.lit(None).cast("bigint"),
    }
    if file is not None:
        changed["_source_file"] = F.lit(file)
    return current.withColumns(changed)


def merged_pairs(history: DataFrame, clean: DataFrame, entity: Entity) -> DataFrame:
    """Merged records that have ended, with the record that each went into: `_from` and `_to`."""
    merged = history.filter(F.col("_merged_into").isNotNull() & F.col("_outcome").isin(*ENDED))
    pairs = merged.join(clean.select(entity.key), on=entity.key, how="left_anti")
    last_first = Window.partitionBy(entity.key).orderBy(*map(F.desc_nulls_first, _ARRIVAL))
    last = pairs.withColumn("_rank", F.row_number().over(last_first)).filter(F.col("_rank") == 1)
    return last.select(F.col(entity.key).alias("_from"), F.col("_merged_into").alias("_to"))


def survivors(pairs: DataFrame) -> DataFrame:
    """Merged records with the one that they are in after all merges: `_from` and `_to`."""
    for _ in range(_DOUBLINGS):
        further = pairs.select(F.col("_from").alias("_via"), F.col("_to").alias("_then"))
        pairs = pairs.join(further, F.col("_to") == F.col("_via"), how="left")
        pairs = pairs.select("_from", F.coalesce("_then", "_to").alias("_to"))
    return pairs


def following(typed: DataFrame, pairs: Mapping[str, DataFrame]) -> DataFrame:
    """Records whose references to merged ones lead to the survivor, per referring column."""
    for name, frame in pairs.items():
        links = frame.select(F.col("_from").alias(f"_from_{name}"), F.col("_to").alias(f"_to_{name}"))
        typed = typed.join(links, F.col(name) == F.col(f"_from_{name}"), how="left")
        typed = typed.withColumn(name, F.coalesce(f"_to_{name}", name)).drop(f"_from_{name}", f"_to_{name}")
    return typed


def moved(current: DataFrame, entity: Entity, pairs: Mapping[str, DataFrame]) -> DataFrame:
    """New versions of current records that refer to a merged one, with its survivor in its place."""
    refers: Iterable[DataFrame] = [
        current.join(frame.select(F.col("_from").alias(name)), on=name, how="left_semi").select(entity.key)
        for name, frame in pairs.items()
    ]
    referring = current.join(reduce(DataFrame.unionByName, refers).distinct(), on=entity.key, how="left_semi")
    changed = following(referring, pairs)
    return changed.withColumns({"_outcome": F.lit("moved"), "_version_hash": F.xxhash64(*entity.column_names)})
