"""Which rows of a lakehouse are about an account, table by table."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

from pyspark.sql import Window
from pyspark.sql import functions as F

from medallion import bronze, contracts, silver
from medallion.care import follow_ups
from medallion.care.erasure import subject
from medallion.care.erasure.subject import Subject
from medallion.config import Settings
from medallion.contracts import Entity
from medallion.errors import LakehouseError
from medallion.gold import graph
from medallion.lakehouse import contracts_in_use, query, store
from medallion.lakehouse.session import session
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import batches, decisions, erasure_log, journal
from medallion.pipeline.steps import Steps
from medallion.silver import redaction
from medallion.silver.mentions import Mentions
from medallion.silver.mentions.cleaning import cleaner
from medallion.silver.redaction import ErasureLog

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

#: Provenance that is no text of an export.
KEPT = frozenset({"_batch_id", "batch_id", "run_id", "_outcome", "_version_hash", "quarantine_id", "resolved_by", "entity", "record_key", "failed_checks", "entry_id", "follow_up_id", "value_hash"})  # fmt: skip
#: Stands between the parts of a place; no file name has it.
_MARK = "\x01"
_PROVENANCE = ("_batch_id", "_source_file", "_source_row")
_AGENT_LOG, _IDENTITIES = "ops.agent_log", "silver.identities"


def erasable(settings: Settings) -> Lakehouse:
    """The lakehouse of the settings.

    Raises:
        LakehouseError: It is at an address.
    """
    lake = Lakehouse(settings.lakehouse)
    if lake.folder is None and lake.catalog is None:
        raise LakehouseError(
            f"{lake.root}: forgetting works in a folder or a catalog, not at an address; nothing was removed",
            "Bring the lakehouse into a folder first: docs/ERASURE.md has it step by step.",
        )
    return lake


class About:
    """An account and the rows that are about it."""

    def __init__(
        self,
        settings: Settings,
        customer_id: str,
        now: datetime,
        steps: Steps,
        saved: Mapping[str, Any] | None = None,
    ) -> None:
        """`saved` are the arguments of an erasure that was interrupted; the account is then who it was."""
        self.settings, self.now, self.steps = settings, now, steps
        self.lake = erasable(settings)
        self.lake.delta("silver.customers_history")
        self.entities = contracts.entities(contracts_in_use.overrides(self.lake, settings.contracts))
        self.erasure_id = f"{now:%Y%m%dT%H%M%S%f}" if saved is None else saved["erasure_id"]
        self.journal = batches.history(self.lake)
        journal.needs_whole_batches(self.lake)  # nothing may be half read while it is searched
        with steps.step("start the engine"):
            self.spark: SparkSession = session(settings.engine, settings.memory_gib)
        known = erasure_log.read(self.lake)
        key = self.entities["customers"].column(self.entities["customers"].key)
        customer_id = re.sub(r"\s+", "", customer_id).upper() if key.kind == "identifier" else customer_id.strip()
        with steps.step("find what is about the account"):
            self.subject = (
                subject.found(self.lake, self.entities, customer_id) if saved is None else Subject.of(saved["subject"])
            )
        hashes = {
            f"{entity}.{self.entities[entity].key}": frozenset(
                known.hashed(
                    f"{entity}.{self.entities[entity].key}", self._form(entity, self.entities[entity].key, value)
                )
                for value in values
            )
            for entity, values in self.subject.keys.items()
            if entity != "interactions"
        }
        for kind, values in self.subject.names.items():
            entity, _, column = kind.partition(".")
            forms = {self._form(entity, column, value) for value in values} - {""}
            hashes[kind] = hashes.get(kind, frozenset()) | {known.hashed(kind, form) for form in forms}
        self.own_log = ErasureLog(known.salt)
        self.mentions = self._looked_for()
        contacts = erasure_log.contacts(self.mentions.emails, self.mentions.phones)
        for kind, forms in contacts.items():
            hashes[kind] = frozenset(known.hashed(kind, form) for form in forms)
        self.own_log = ErasureLog(known.salt, hashes)
        self.alike: dict[str, int] = {}
        self.tables: list[dict[str, Any]] = []
        #: Temporary folders that were removed, and that others still use.
        self.temporary = (0, 0)

    def _looked_for(self) -> Mentions:
        """Whom to look for, names of files that mention them among it."""
        known = subject.vocabulary(self.entities.values())
        plain = replace(self.subject.mentions(self.own_log.salt), vocabulary=known)
        named = {part for b in self.journal for f in b.files for part in (*f.uri.split("/"), f.name, f.member, f.sheet)}
        self.subject.files |= {name for name in named if name and plain.in_file_name(name) != name}
        columns = {pair for b in self.journal for f in b.files for pair in f.columns}
        self.subject.files |= {name for header, name in columns if plain.in_file_name(header) != header}
        return replace(plain, files=frozenset(self.subject.files))

    def _form(self, entity: str, column: str, text: str) -> str:
        return subject.form(self.entities, entity, column, text)

    def _about_silver(self, entity: Entity) -> Column:
        """True for rows of the entity's silver tables, or others with its columns, that are about the account."""
        tests = [
            F.coalesce(F.col(column).isin(sorted(known)), F.lit(False))
            for column, (target, _) in redaction.links(entity, self.entities).items()
            if (known := self.subject.keys.get(target))
        ]
        return reduce(lambda left, right: left | right, tests, F.lit(False))

    def _quarantined(self) -> set[str]:
        """Refused records that name the account; those reprocessed since then as well."""
        ids = set()
        files = {(b.batch_id, f.entity, f.name): f for b in self.journal for f in b.files}
        customer = f"customers.{self.entities['customers'].key}"
        with query.connect(self.lake) as connection:
            rows = (
                query.rows(connection, "select * from silver.quarantine")
                if self.lake.exists("silver.quarantine")
                else []
            )
        for row in rows:
            entity, cells = self.entities[row["entity"]], json.loads(row["raw"] or "{}")
            file = files.get((row["batch_id"], row["entity"], row["source_file"]))
            if str(row["record_key"]) in self.subject.keys.get(row["entity"], set()):
                ids.add(row["quarantine_id"])
                continue
            has_owner = False
            for name, (target, column) in redaction.links(entity, self.entities).items():
                item = file.mapping.get(name) if file else None
                texts = [cells.get(f"={name}"), cells.get(item.column) if item and item.column else None]
                looked_in, by = (item.lookup, str(item.by)) if item and item.lookup else (target, column)
                for where, what, text in ((target, column, texts[0]), (looked_in, by, texts[1])):
                    kind = f"{where}.{what}"
                    known = self.own_log.hashes.get(kind, frozenset())
                    if text and self.own_log.hashed(kind, self._form(where, what, text)) in known:
                        ids.add(row["quarantine_id"])
                if name != entity.key or entity.name == "customers":
                    has_owner |= any(str(text or "").strip() for text in texts)
            for text in re.split(r"[,;|\t\"]+", str(cells.get("_record") or "")):
                form = self._form("customers", self.entities["customers"].key, text)
                if form and self.own_log.hashed(customer, form) in self.own_log.hashes[customer]:
                    ids.add(row["quarantine_id"])
            # the number of a switchboard is that of many: it says whose a record is only where nothing else does
            if not has_owner and any(self.mentions.is_contact(str(text).strip()) for text in cells.values() if text):
                ids.add(row["quarantine_id"])
        return ids

    # table by table

    def marked(self, name: str) -> DataFrame | None:
        """A table with `_about`, true for rows that go; None for a table that knows no accounts."""
        frame = store.read(self.spark, self.lake, name)
        layer, table = name.split(".")
        if layer == "bronze":
            entity = self.entities.get(table)
            if entity is None:
                return None
            files = [file for batch in self.journal if batch.has_files for file in batch.files_of(table)]
            mapping = bronze.mapping_of(files)
            places = self._bronze_places(frame, entity, mapping)
            filled, written = redaction.filled_beside(frame, mapping)
            marked = filled.join(places.withColumn("_place", F.lit(True)), on=list(_PROVENANCE), how="left")
            marked = marked.withColumn("_about", F.col("_place").isNotNull()).drop("_place")
            # where the head of a group goes, the next row of the group takes over its cells
            above = F.lag("_about").over(Window.partitionBy("_batch_id", "_source_file").orderBy("_source_row"))
            cells = {name: F.when(above, F.col(f"`{name}`")).otherwise(F.col(at)) for name, at in written.items()}
            return (marked.withColumns(cells) if cells else marked).select(*frame.columns, "_about")
        if name in ("silver.quarantine", "ops.corrections"):
            ids = sorted(self.refused)
            return frame.withColumn("_about", F.col("quarantine_id").isin(ids) if ids else F.lit(False))
        if name == erasure_log.RETURNED:
            tests = [
                (F.col("entity") == entity) & F.col("record_key").isin(sorted(known))
                for entity, known in self.subject.keys.items()
                if known
            ]
            tests.append(F.col("customer_id").isin(sorted(self.subject.keys["customers"])))
            return frame.withColumn("_about", reduce(lambda left, right: left | right, tests))
        if name in (decisions.TABLE, _IDENTITIES):
            tests = [
                (F.col("entity") == entity) & F.col(column).isin(sorted(known))
                for entity, known in self.subject.keys.items()
                for column in ("source_key", "entity_key")
                if known
            ]
            return frame.withColumn("_about", reduce(lambda left, right: left | right, tests, F.lit(False)))
        if name == follow_ups.TABLE:
            return self._marked_gold(frame)
        if name == _AGENT_LOG:
            marked = frame.mapInArrow(cleaner(self.mentions, KEPT, (), ()), with_marks(frame))
            ids = [row["entry_id"] for row in marked.filter("_touched").select("entry_id").collect()]
            return frame.withColumn("_about", F.col("entry_id").isin(ids) if ids else F.lit(False))
        entity = self.entities.get(table.removesuffix("_history").removesuffix("_clean"))
        if layer == "silver" and entity is not None:
            return frame.withColumn("_about", self._about_silver(entity))
        if layer == "gold" and name not in {step.table for step in graph()}:
            return self._marked_gold(frame)
        return None

    def _marked_gold(self, frame: DataFrame) -> DataFrame | None:

        keys = {entity.key: self.subject.keys.get(entity.name, set()) for entity in self.entities.values()}
        tests = [F.col(name).isin(sorted(keys[name])) for name in frame.columns if keys.get(name)]
        if not tests:
            return None
        either = reduce(lambda left, right: left | right, [F.coalesce(test, F.lit(False)) for test in tests])
        return frame.withColumn("_about", either)

    def _bronze_places(self, frame: DataFrame, entity: Entity, mapping: Any) -> DataFrame:
        """Where in the files the account's rows of an entity are: found by their cells, in silver, in quarantine, and as
        the same rows delivered again.
        """
        filled = silver.filled_down(frame, mapping)
        about = redaction.about(filled, entity, self.entities, mapping, self.own_log)
        place = F.concat_ws(_MARK, "_batch_id", "_source_file", F.col("_source_row").cast("string"))
        listed = filled.agg(F.collect_list(F.when(about, place)).alias("places")).collect()[0]["places"]
        schema = "_batch_id string, _source_file string, _source_row bigint"
        rows = [tuple(text.split(_MARK)) for text in listed or ()]
        places = self.spark.createDataFrame([(batch, file, int(row)) for batch, file, row in rows], schema)
        if self.lake.exists(entity.history.name):
            versions = store.read(self.spark, self.lake, entity.history.name)
            rows = versions.filter(self._about_silver(entity)).filter(F.col("_source_row").isNotNull())
            places = places.unionByName(rows.select(*_PROVENANCE))
        quarantine = store.read(self.spark, self.lake, "silver.quarantine")
        ids = sorted(self.refused) or [""]
        refused = quarantine.filter((F.col("entity") == entity.name) & F.col("quarantine_id").isin(ids))
        places = places.unionByName(
            refused.select(
                F.col("batch_id").alias("_batch_id"),
                F.col("source_file").alias("_source_file"),
                F.col("source_row").alias("_source_row"),
            )
        )
        for ending in (batches.OF_REREAD, batches.OF_HELD_FILE):
            places = places.withColumn("_batch_id", F.regexp_replace("_batch_id", ending, ""))
        # the same row is that of another account below another head of its group
        same = [F.coalesce(F.col(f"`{name}`"), F.lit(_MARK)) for name in sorted(silver.filled_columns(mapping))]
        rows = filled.select(*_PROVENANCE, F.concat_ws(_MARK, "_row_hash", *same).alias("_same"))
        contents = rows.join(places, on=list(_PROVENANCE), how="left_semi").select("_same").distinct()
        again = rows.join(contents, on="_same", how="left_semi").select(*_PROVENANCE)
        collected = {tuple(row) for row in places.unionByName(again).collect()}
        return self.spark.createDataFrame(sorted(collected), schema)

    def count(self) -> list[dict[str, Any]]:
        """Per table the rows that are about the account."""
        self.refused = self._quarantined()
        counts = []
        for name in self.lake.tables():
            marked = self.marked(name)
            if marked is not None:
                row = marked.agg(F.count(F.lit(1)), F.count_if(F.col("_about"))).collect()[0]
                counts.append({"table": name, "rows": int(row[0]), "about_the_account": int(row[1])})
        return counts

    def _as_written(self) -> set[str]:
        """Addresses and numbers of the account as the exports wrote them."""
        texts: set[str] = set()
        for entity in self.entities.values():
            name = f"bronze.{entity.name}"
            if not self.lake.exists(name) or entity.name == "products":
                continue
            marked = self.marked(name)
            assert marked is not None  # noqa: S101 - bronze of an entity always is
            files = [file for batch in self.journal if batch.has_files for file in batch.files_of(entity.name)]
            mapping = bronze.mapping_of(files)
            wanted = [
                text
                for column in entity.columns
                if column.kind in ("email", "phone")
                for _, text in silver.texts_of(column.name, mapping.get(column.name, {}), entity, marked.columns)
            ]
            for text in wanted:
                rows = marked.filter("_about").select(F.trim(text).alias("text")).distinct().collect()
                texts |= {row["text"] for row in rows if row["text"]}
        return texts


def with_marks(frame: DataFrame) -> str:
    """The columns of a frame as SQL declares them, with those that `cleaner` adds."""
    columns = [f"`{field.name.replace('`', '``')}` {field.dataType.simpleString()}" for field in frame.schema.fields]
    return ", ".join([*columns, "_touched boolean", "_alike boolean"])
