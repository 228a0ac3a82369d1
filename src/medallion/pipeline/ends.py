"""Records that end without a row of their own, and references that follow merged records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from medallion import bronze, silver
from medallion.contracts import Entity
from medallion.contracts.filling import COMPLETE, OF, SNAPSHOT
from medallion.contracts.model import ENDED
from medallion.lakehouse import store
from medallion.pipeline import batches
from medallion.pipeline.batches import Batch
from medallion.pipeline.context import Context
from medallion.silver import life

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from medallion.pipeline.gate import Gate
    from medallion.sources import SourceFile


def following(context: Context, entity: Entity) -> tuple[dict[str, DataFrame], DataFrame | None]:
    """Per referring column the merged records of the entity that it refers to; and the merges of the entity's own."""
    pairs = {}
    for column in entity.references:
        parent = context.entities[column.reference.entity] if column.reference else entity
        if parent is not entity and parent.merges_records and context.lake.exists(parent.survivors.name):
            pairs[column.name] = context.read(parent.survivors)
    listed = entity.merges
    return pairs, context.read(listed.clean) if listed and context.lake.exists(listed.clean.name) else None


def of_source(files: Iterable[SourceFile], entity: str) -> dict[str, list[SourceFile]]:
    """Files of an entity by the source that says what ends its records."""
    by_source: dict[str, list[SourceFile]] = {}
    for file in files:
        filling = file.mapping.get(COMPLETE) or file.mapping.get(SNAPSHOT) or file.mapping.get(OF)
        if file.entity == entity and filling:
            by_source.setdefault(str(filling.value), []).append(file)
    return by_source


class Ends:
    """The records of one batch that end because of what is not in it, and what refers to merged ones.

    Everything starts from history, not from the clean tables: a batch that was killed and is done again comes to the
    same.
    """

    def __init__(self, context: Context, batch: Batch, gate: Gate, retried: bool) -> None:
        self.context, self.lake, self.batch, self.gate, self.retried = context, context.lake, batch, gate, retried
        self.of_batch = f"_batch_id = '{batch.batch_id}'"
        self.known_at = batch.known_at.isoformat(sep=" ")
        self.tables: list[str] = []

    def may_end(self, entity: Entity) -> bool:
        """Whether anything of the batch may end records of an entity."""
        mapping = bronze.mapping_of(self.batch.files_of(entity.name))
        return life.is_told(mapping) or COMPLETE in mapping or SNAPSHOT in mapping or entity.merges_records

    def prepare(self, present: list[Entity]) -> None:
        """End what a file of merges alone ends, and tell the survivors of entities that the batch does not have."""
        names = {entity.name for entity in present}
        refers = {column.reference.entity for e in present for column in e.references if column.reference}
        for entity in self.context.entities.values():
            alone = entity.merges is not None and entity.merges.name in names
            needed = entity.merges_records and not alone and entity.name in refers - names
            if needed and store.grow(self.lake, entity.history):
                self._tell_survivors(entity)

    def close(self, entity: Entity, met: bool) -> None:
        """End the records of an entity of the batch, after its versions have been kept.

        Args:
            entity: The entity.
            met: Whether the clean table may have records that end.
        """
        history = self.context.read(entity.history)
        ending = [*self._lacking(entity, history), *self._listed(entity, history)]
        self._end(entity, ending, met)
        if entity.merges_records:
            self._tell_survivors(entity)

    def _end(self, entity: Entity, ending: list[DataFrame], met: bool) -> None:
        for frame in ending:
            if not frame.isEmpty():
                self.context.save(frame, entity.history, append=True)
                met = True
        if met:
            ended = self.context.read(entity.history).filter(self.of_batch).filter(F.col("_outcome").isin(*ENDED))
            keys, clean = ended.select(entity.key), self.context.read(entity.clean)
            if not clean.join(keys, on=entity.key, how="left_semi").isEmpty():
                store.replace(clean.join(keys, on=entity.key, how="left_anti"), self.lake, entity.clean.name)

    def _lacking(self, entity: Entity, history: DataFrame) -> Iterator[DataFrame]:
        """Ends of records that a complete delivery lacks, and of those that no longer count."""
        if self.batch.origin and not self.batch.is_held_file:
            return
        staged = self.context.read(entity.staged)
        key, held_files = F.col(entity.key), self.gate.names(entity.name)
        for source, files in of_source(self.batch.files, entity.name).items():
            if any(file.name in held_files for file in files):
                continue
            names = source_names(self.lake, entity.name, source, files)
            delivered = staged.filter(F.col("_source_file").isin(*(file.name for file in files)) & key.isNotNull())
            ours = history.filter(F.col("_source_file").isin(*names)).select(entity.key).distinct()
            left_out = delivered.filter("_fate = 'excluded'").select(entity.key).distinct()
            counts = silver.counted(delivered).select(entity.key)
            keys = {"where": ours.join(left_out.join(counts, on=entity.key, how="left_anti"), entity.key, "left_semi")}
            if any(COMPLETE in file.mapping for file in files):
                keys["complete"] = ours.join(delivered.select(entity.key), on=entity.key, how="left_anti")
            for why, asked in keys.items():
                current = life.standing(history, entity, asked).filter(F.col("_source_file").isin(*names))
                stamped = life.stamped(current, self.batch.batch_id, self.known_at, files[-1].name)
                yield life.gone(stamped, entity, why)
            if any(SNAPSHOT in file.mapping for file in files):
                refused = delivered.filter("_reasons IS NOT NULL").select(entity.key)  # it is there all the same
                asked, ours_too = ours.join(refused, on=entity.key, how="left_anti"), F.col("_source_file").isin(*names)
                current = life.standing(history, entity, asked).filter(ours_too)
                stamped = life.stamped(current, self.batch.batch_id, self.known_at, files[-1].name)
                taken = (
                    file
                    for known in batches.history(self.lake)
                    if known.state == batches.FINISHED
                    for file in known.files
                )
                named = named_days((*of_source(taken, entity.name).get(source, []), *files), entity)
                states = life.states(history.filter(ours_too), entity, named)
                yield life.gone_since(life.gone(stamped, entity, "complete"), entity, states)

    def _listed(self, entity: Entity, history: DataFrame) -> Iterator[DataFrame]:
        """Ends of records that a file of merges lists and the batch does not have."""
        listed = entity.merges
        if listed is None or not self.lake.exists(listed.clean.name):
            return
        merges = self.context.read(listed.clean).filter("merged <> survivor")
        pairs = merges.select(F.col("merged").alias(entity.key), F.col("survivor").alias("_into"))
        current = life.standing(history, entity, pairs.select(entity.key)).join(pairs, on=entity.key, how="inner")
        yield life.gone(
            life.stamped(current, self.batch.batch_id, self.known_at, None), entity, "merged", F.col("_into")
        )

    def _tell_survivors(self, entity: Entity) -> None:
        """Save which merged records of an entity are in which others."""
        pairs = life.merged_pairs(self.context.read(entity.history), self.context.read(entity.clean), entity)
        if pairs.isEmpty():
            return
        self.tables.append(entity.survivors.name)
        self.context.save(pairs, entity.survivors, whole=True)
        self.context.save(life.survivors(self.context.read(entity.survivors)), entity.survivors, whole=True)

    def follow(self, present: list[Entity]) -> dict[str, int]:
        """Versions for the known records whose references lead to merged ones; gives how many rows came to the
        history of each entity that the batch does not have.
        """
        names = {entity.name for entity in present}
        touched: dict[str, int] = {}
        for entity in self.context.entities.values():
            listed = entity.merges
            alone = listed is not None and listed.name in names and entity.name not in names
            pairs = following(self.context, entity)[0]
            if not (alone or pairs) or not store.grow(self.lake, entity.history):
                continue
            if entity.name not in names and self.retried:
                self.context.delete_rows(entity.history.name, self.of_batch)
            if alone:
                self._end(entity, list(self._listed(entity, self.context.read(entity.history))), self.retried)
                self._tell_survivors(entity)
            if pairs:
                self._move(entity, pairs)
            if entity.name not in names:
                count = self.context.read(entity.history).filter(self.of_batch).count()
                touched |= {entity.name: count} if count else {}
        return touched

    def _move(self, entity: Entity, pairs: Mapping[str, DataFrame]) -> None:
        history = self.context.read(entity.history)
        refers = [
            history.join(frame.select(F.col("_from").alias(name)), on=name, how="left_semi").select(entity.key)
            for name, frame in pairs.items()
        ]
        keys = reduce(lambda left, right: left.unionByName(right), refers).distinct()
        stamped = life.stamped(life.standing(history, entity, keys), self.batch.batch_id, self.known_at, None)
        moved = life.moved(stamped, entity, pairs)
        if not moved.isEmpty():
            self.context.save(moved, entity.history, append=True)
            versions = self.context.read(entity.history).filter(self.of_batch).filter("_outcome = 'moved'")
            self.context.merge(versions.select(*entity.clean.column_names), entity.clean)


def named_days(files: Iterable[SourceFile], entity: Entity) -> set[str]:
    """The days in the names of snapshots, by which alone one without a record is known."""
    fillings = (file.mapping.get(str(entity.version_column)) for file in files if SNAPSHOT in file.mapping)
    return {filling.value for filling in fillings if filling and filling.value}


def source_names(lake: store.Lakehouse, entity: str, source: str, files: Iterable[SourceFile]) -> list[str]:
    """Names of all files that a source has ever fed an entity with."""
    known = (file for batch in batches.history(lake) for file in batch.files)
    return sorted({file.name for file in (*of_source(known, entity).get(source, []), *files)})
