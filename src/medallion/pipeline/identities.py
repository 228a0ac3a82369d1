"""Records that were decided to be one: what is current is resolved by the decisions, after every delivery and decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame as Frame
from pyspark.sql import functions as F

from medallion import silver
from medallion.contracts import Entity, table
from medallion.errors import ConservationError
from medallion.identities.decisions import Member
from medallion.lakehouse import query, store
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import decisions
from medallion.silver import life, resolved

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from medallion.pipeline.context import Context

IDENTITIES = "silver.identities"
_COLUMNS = ("entity", "source_key", "entity_key", "why", "decision_id", "decided_at")


def frames(
    spark: SparkSession, lake: Lakehouse, entities: Mapping[str, Entity], before: datetime | None = None
) -> dict[str, DataFrame]:
    """Per entity with merged records, these as rows of `resolved.MEMBERS`.

    Args:
        spark: The session.
        lake: The lakehouse.
        entities: The contracts.
        before: As it was decided before this time, exclusive; None is now.
    """
    return {name: _frame(spark, members) for name, members in decisions.groups(lake, entities, before).items()}


def _frame(spark: SparkSession, members: Iterable[Member]) -> DataFrame:
    return spark.createDataFrame([(member.key, member.root, member.rank) for member in members], resolved.MEMBERS)


def merged_keys(members: DataFrame) -> DataFrame:
    """Keys of the records that are merged into others, as `_key`."""
    return members.filter("_rank > 0").select("_key")


def into(members: DataFrame) -> DataFrame:
    """Merged records with the survivor that the decisions name, `_from` and `_to`."""
    return members.filter("_rank > 0").select(F.col("_key").alias("_from"), F.col("_group").alias("_to"))


def as_delivered(context: Context, entity: Entity, members: DataFrame) -> DataFrame:
    """The current records of an entity, those that are one each by itself."""
    keys = members.select(F.col("_key").alias(entity.key))
    alone = context.read(entity.clean).join(keys, on=entity.key, how="left_anti")
    standing = life.standing(_history(context, entity), entity, keys)
    return alone.select(*entity.clean.column_names).unionByName(standing.select(*entity.clean.column_names))


def _history(context: Context, entity: Entity) -> DataFrame:
    return silver.without(context.read(entity.history), context.replaced.get(entity.name, ()))


def settle(context: Context, delivered: bool) -> None:
    """Apply the decisions to the clean tables; may be repeated.

    Args:
        context: The run.
        delivered: Whether records have come since the last time.

    Raises:
        ConservationError: Records are missing or invented.
    """
    lake = context.lake
    wanted = decisions.groups(lake, context.entities)
    applied = _applied(lake)
    if not wanted and not applied:
        return
    same = {(name, member.key, member.root) for name, members in wanted.items() for member in members} == {
        (row["entity"], row["source_key"], _group(row, wanted)) for row in applied
    }
    if same and not delivered:
        return
    work = _Settling(context, wanted, applied, same)
    for entity in context.entities.values():
        if lake.exists(entity.history.name) and lake.exists(entity.clean.name):
            work.do(entity)
    rows = work.rows()
    if rows != [tuple(row[name] for name in _COLUMNS) for row in applied]:
        contract = table(IDENTITIES)
        schema = ", ".join(f"{column.name} {column.type}" for column in contract.columns)
        context.save(context.spark.createDataFrame(rows, schema), contract, whole=True)


def _applied(lake: Lakehouse) -> list[dict[str, Any]]:
    if not lake.exists(IDENTITIES):
        return []
    with query.connect(lake, layers=["silver"], only={IDENTITIES}, newest=True) as connection:
        sql = f"select * replace (decided_at::timestamp as decided_at) from {IDENTITIES} order by entity, source_key"
        return query.rows(connection, sql)


def _group(row: Mapping[str, Any], wanted: Mapping[str, list[Member]]) -> str | None:
    """The group of a record by the decisions of now, if it is merged by the same decision as then."""
    for member in wanted.get(row["entity"], ()):
        if (
            member.key == row["source_key"]
            and ((member.decision.decision_id or None) if member.decision else None) == row["decision_id"]
        ):
            return member.root
    return None


class _Settling:
    def __init__(
        self, context: Context, wanted: Mapping[str, list[Member]], applied: Iterable[Mapping[str, Any]], same: bool
    ) -> None:
        self.context, self.wanted, self.same = context, wanted, same
        self.affected: dict[str, set[str]] = {
            name: {member.key for member in members} for name, members in wanted.items()
        }
        for row in applied:
            self.affected.setdefault(row["entity"], set()).add(row["source_key"])
        self.standing: dict[str, DataFrame] = {}
        self.pairs: dict[str, DataFrame] = {}
        self.into: dict[str, dict[str, str]] = {}
        for name, keys in self.affected.items():
            entity = context.entities.get(name)
            if entity is None or not context.lake.exists(entity.history.name):
                continue
            current = life.standing(_history(context, entity), entity, self._keys(keys, entity.key))
            self.standing[name] = current.select(*entity.clean.column_names)
            pairs = resolved.survivors(_frame(context.spark, wanted.get(name, ())), self.standing[name], entity)
            self.into[name] = {row["_from"]: row["_to"] for row in pairs.collect()}
            self.pairs[name] = context.spark.createDataFrame(
                sorted(self.into[name].items()), "_from string, _to string"
            )

    def do(self, entity: Entity) -> None:
        """Apply the decisions to one clean table."""
        context, references = self.context, resolved.references(entity, self.pairs)
        clean = context.read(entity.clean).select(*entity.clean.column_names)
        parts, keys = [], []
        if entity.name in self.standing:
            composed = resolved.composed(self.standing[entity.name], entity, self.pairs[entity.name])
            self._conserved(entity, composed)
            parts.append(composed)
            keys.append(self._keys(self.affected[entity.name], entity.key))
        if references:
            led = [self._led(clean, entity, name) for name in references]
            asked = reduce(Frame.unionByName, led).distinct()
            asked = asked.join(keys[0], on=entity.key, how="left_anti") if keys else asked
            if not asked.isEmpty():
                rows = life.standing(_history(context, entity), entity, asked)
                parts.append(rows.select(*entity.clean.column_names))
                keys.append(asked)
        if not parts:
            return
        target = life.following(reduce(Frame.unionByName, parts), references).select(*entity.clean.column_names)
        there = clean.join(reduce(Frame.unionByName, keys), on=entity.key, how="left_semi")
        mark = F.xxhash64(*entity.clean.column_names)
        before = there.select(F.col(entity.key).alias("_before"), mark.alias("_was"))
        changed = target.withColumn("_is", mark).join(before, F.col(entity.key) == F.col("_before"), how="left")
        changed = changed.filter(~F.col("_is").eqNullSafe(F.col("_was"))).select(*entity.clean.column_names)
        gone = there.select(entity.key).join(target.select(entity.key), on=entity.key, how="left_anti")
        listed = sorted(row[entity.key] for row in gone.collect())
        if not changed.isEmpty():
            context.merge(changed, entity.clean)
        if listed:
            left = context.read(entity.clean).join(self._keys(listed, entity.key), on=entity.key, how="left_anti")
            store.replace(left, context.lake, entity.clean.name)

    def rows(self) -> list[tuple[Any, ...]]:
        """The rows of `silver.identities`."""
        rows = []
        for name, members in self.wanted.items():
            for member in members:
                to, decision = self.into.get(name, {}).get(member.key, member.key), member.decision
                why = "the survivor" if decision is None else decision.reason or f"merged by {decision.decided_by}"
                rows.append(
                    (
                        name,
                        member.key,
                        to,
                        why,
                        (decision.decision_id or None) if decision else None,
                        decision.decided_at if decision else None,
                    )
                )
        return sorted(rows, key=lambda row: row[:2])

    def _led(self, clean: DataFrame, entity: Entity, name: str) -> DataFrame:
        """Keys of records whose reference may lead elsewhere than the clean table has it."""
        reference = entity.column(name).reference
        assert reference is not None  # noqa: S101 - it is one of the entity's references
        keys = self.into[reference.entity] if self.same else self.affected[reference.entity]
        return clean.join(self._keys(keys, name), on=name, how="left_semi").select(entity.key)

    def _keys(self, keys: Iterable[str], column: str) -> DataFrame:
        return self.context.spark.createDataFrame([(key,) for key in sorted(keys)], f"`{column}` string")

    def _conserved(self, entity: Entity, composed: DataFrame) -> None:
        """Compare the records that are there with those that they have become."""
        there, left = self.standing[entity.name].count(), composed.count()
        keys = {row[entity.key] for row in self.standing[entity.name].select(entity.key).collect()}
        merged = sum(1 for key in self.into[entity.name] if key in keys)
        if there != left + merged:
            raise ConservationError(
                f"{entity.name}: of {there} records that decisions are about, {left} are left and {merged} were merged",
                "Nothing was merged; report this as a defect.",
            )
