"""Records that were decided to be one: one row of the survivor, and references that lead to it.

History keeps every record as it was delivered. What is current is resolved from it, so that undoing a merge needs nothing
but the decisions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion.contracts import PROVENANCE, Entity
from medallion.silver import life

#: Of each merged record and survivor: its key, the key of its group, and its place in the line for the survivor.
MEMBERS = "_key string, _group string, _rank bigint"
#: The first of these dates that any of the records has is that of the survivor.
_EARLIEST = frozenset({"created_at"})
#: What any of the records says of a person's consent counts in this order: a refusal is not lost in a merge.
_STRICTEST = {"consent": ("denied", "granted", "unknown"), "opted_out": ("yes", "no")}


def survivors(members: DataFrame, rows: DataFrame, entity: Entity) -> DataFrame:
    """Merged records with the one that each is in, `_from` and `_to`: the first in line that is there.

    Args:
        members: Rows as `MEMBERS`.
        rows: Records of the entity that are there.
        entity: Their contract.
    """
    there = members.join(rows.select(F.col(entity.key).alias("_key")), on="_key", how="left_semi")
    first = there.groupBy("_group").agg(F.min(F.struct("_rank", "_key")).alias("_first"))
    first = first.select(F.col("_group").alias("_of"), F.col("_first")["_key"].alias("_to"))
    pairs = members.join(first, F.col("_group") == F.col("_of"), how="inner")
    return pairs.select(F.col("_key").alias("_from"), "_to").filter(F.col("_from") != F.col("_to"))


def composed(rows: DataFrame, entity: Entity, pairs: DataFrame) -> DataFrame:
    """Records with one row in place of those that are one: of each column the first value in the order of survivorship.

    Where a row came from, and its version, are those of the survivor's own record.

    Args:
        rows: Records as the clean table has them, each as it was delivered.
        entity: Their contract, which says by `survivorship` whose values come first.
        pairs: What `survivors` gave.
    """
    names = [column.name for column in PROVENANCE]
    joined = rows.join(pairs, F.col(entity.key) == F.col("_from"), how="left")
    into = joined.join(
        pairs.select(F.col("_to").alias("_root")).distinct(), F.col(entity.key) == F.col("_root"), how="left"
    )
    alone = into.filter(F.col("_from").isNull() & F.col("_root").isNull()).select(*entity.clean.column_names)
    merged = into.filter(F.col("_from").isNotNull() | F.col("_root").isNotNull())
    merged = merged.withColumn("_to", F.coalesce("_to", entity.key))
    order = _order(entity)
    values = []
    for column in entity.columns:
        if column.name == entity.key:
            continue
        value = F.col(column.name)
        if column.name in _EARLIEST:
            chosen = F.min(value)
        elif column.name == entity.version_column:
            chosen = F.max(value)
        elif column.name in _STRICTEST:
            place = F.array_position(F.array(*map(F.lit, _STRICTEST[column.name])), value)
            chosen = F.min(F.when(place > 0, F.struct(place.alias("_place"), value.alias("_value"))))["_value"]
        else:
            chosen = F.max(F.when(value.isNotNull(), F.struct(*order, value.alias("_value"))))["_value"]
        values.append(chosen.alias(column.name))
    own = F.when(F.col(entity.key) == F.col("_to"), F.struct(*names))
    composite = merged.groupBy("_to").agg(*values, F.max(own).alias("_own"))
    named = {name: F.col("_own")[name] for name in names}
    composite = composite.withColumns(named).withColumnRenamed("_to", entity.key)
    return alone.unionByName(composite.select(*entity.clean.column_names))


def _order(entity: Entity) -> list[Column]:
    """The order of survivorship, last first; among equals the survivor's own record."""
    version = F.col(entity.version_column).cast("timestamp") if entity.version_column else F.lit(None).cast("timestamp")
    own = F.when(F.col(entity.key) == F.col("_to"), 1).otherwise(0).alias("_survivor")
    newest = [F.coalesce(version, F.col("known_at")).alias("_since"), F.col("known_at").alias("_known"), own]
    key = F.col(entity.key).alias("_last")
    if entity.preferred:
        place = F.lit(len(entity.preferred))
        for at, pattern in reversed(list(enumerate(entity.preferred))):
            alike = pattern.replace("*", "%").replace("?", "_")
            place = F.when(F.lower("_source_file").like(alike), F.lit(at)).otherwise(place)
        return [(-place).alias("_preferred"), *newest, key]
    if entity.survivorship == "complete":
        filled = [F.when(F.col(column.name).isNotNull(), 1).otherwise(0) for column in entity.columns]
        whole = filled[0]
        for each in filled[1:]:
            whole = whole + each
        return [whole.alias("_filled"), *newest, key]
    return [*newest, key]


def resolved(
    frames: Mapping[str, DataFrame], entities: Iterable[Entity], members: Mapping[str, DataFrame]
) -> dict[str, DataFrame]:
    """Tables of current records by name, with one row in place of records that are one.

    Args:
        frames: Records as delivered, by the name of the clean table.
        entities: The contracts.
        members: Per entity the records that are merged, rows as `MEMBERS`.
    """
    known = list(entities)
    pairs = {
        entity.name: survivors(members[entity.name], frames[entity.clean.name], entity)
        for entity in known
        if entity.name in members and entity.clean.name in frames
    }
    tables = {}
    for entity in known:
        if entity.clean.name not in frames:
            continue
        frame = frames[entity.clean.name]
        if entity.name in pairs:
            frame = composed(frame, entity, pairs[entity.name])
        tables[entity.clean.name] = life.following(frame, references(entity, pairs))
    return tables


def references(entity: Entity, pairs: Mapping[str, DataFrame]) -> dict[str, DataFrame]:
    """Per referring column of an entity the merged records that it may lead to."""
    return {
        column.name: pairs[column.reference.entity]
        for column in entity.references
        if column.reference and column.reference.entity in pairs
    }


def merged(judged: DataFrame, entity: Entity, keys: DataFrame) -> DataFrame:
    """The judged rows of a batch; those that would be accepted of a record that was merged into another are `merged`.

    Args:
        judged: What `silver.outcomes` gave.
        entity: Their contract.
        keys: Keys of merged records, as `_key`.
    """
    marked = judged.join(keys.select("_key").distinct(), F.col(entity.key) == F.col("_key"), how="left")
    is_merged = (F.col("_outcome") == F.lit("accepted")) & F.col("_key").isNotNull()
    return marked.withColumn("_outcome", F.when(is_merged, F.lit("merged")).otherwise(F.col("_outcome"))).drop("_key")
