"""Forget an account and its people: out of every layer, out of every older version, and not back with the next export.

The order is that of safety: the hashes are written down first, so that nothing comes back meanwhile; what is removed
last is what tells the rest apart. An erasure that was interrupted is completed, by `resume` or before the next one; its
intent holds what that needs, since the rows that told it may be gone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from pyspark.sql import Window
from pyspark.sql import functions as F

from medallion import bronze, contracts, door, silver
from medallion.care import status
from medallion.care.proposals import Actions
from medallion.config import Settings
from medallion.contracts import Entity
from medallion.errors import LakehouseError
from medallion.gold import graph
from medallion.lakehouse import contracts_in_use, locks, query, store
from medallion.lakehouse.session import session
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import batches, erasure_log, extensions, journal, models
from medallion.pipeline.context import Context
from medallion.pipeline.silver_to_gold import silver_to_gold
from medallion.pipeline.steps import Report, Steps
from medallion.silver import redaction
from medallion.silver.redaction import ErasureLog

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

_ERASED = "[erased]"
#: Terms looked for in one regular expression.
_AT_ONCE = 200
_SHORTEST = 4
#: Stands between the parts of a place; no file name has it.
_MARK = "\x01"
_PROVENANCE = ("_batch_id", "_source_file", "_source_row")
_AGENT_LOG = "ops.agent_log"


@dataclass
class _Subject:
    """Whom to erase: keys by entity, and the texts by which they would be recognised."""

    keys: dict[str, set[str]] = field(default_factory=dict)
    names: dict[str, set[str]] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)
    spoken: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> _Subject:
        """From what `told` gave."""
        keys, names = ({name: set(known) for name, known in told[what].items()} for what in ("keys", "names"))
        return cls(keys, names, set(told["texts"]), set(told["spoken"]))

    def told(self) -> dict[str, Any]:
        """As values that JSON has."""
        keys, names = ({name: sorted(known) for name, known in what.items()} for what in (self.keys, self.names))
        return {"keys": keys, "names": names, "texts": sorted(self.texts), "spoken": sorted(self.spoken)}

    def terms(self) -> list[str]:
        """What must not be found anywhere: addresses, numbers, and keys that are no common figure."""
        keys = {key for known in self.keys.values() for key in known if _is_telling(key)}
        return sorted(keys | {text for text in self.texts if len(text) >= _SHORTEST})

    def names_in_text(self) -> list[str]:
        """Names that are looked for in free text: of two words, or long."""
        return sorted(name for name in self.spoken if len(name) >= 8 or len(name.split()) > 1)


def _is_telling(key: str) -> bool:
    return (len(key) >= _SHORTEST and bool(re.search(r"\d", key)) and bool(re.search(r"[^\W\d]", key))) or len(key) >= 8


def forget(
    settings: Settings,
    customer_id: str,
    reason: str,
    who: str,
    now: datetime,
    report: Report = lambda name, seconds: None,
    *,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Remove an account, its deals and touches from a lakehouse; gives the certificate, which holds none of it.

    Args:
        settings: Which lakehouse, and how gold is scored.
        customer_id: Key of the account.
        reason: Why, for the record.
        who: Who asks for it.
        now: When, UTC without zone.
        report: Is told of each step.
        dry_run: Only count what would go.

    Raises:
        LakehouseError: There is no such account, another run is writing, or something of it is still found after all.
    """
    steps = Steps(report)
    if dry_run:
        work = _Erasure(settings, customer_id, now, steps)
        return {"dry_run": True, "erasure_id": work.erasure_id, "tables": work.count()}
    lake = _in_a_folder(settings)
    lake.delta("silver.customers_history")
    with _locked(settings, steps) as (writer, completed):
        if completed is not None and completed.is_about(customer_id):
            return completed.proved()
        work = _Erasure(settings, customer_id, now, steps)
        arguments = work.arguments(reason, who)
        with writer.intent(journal.FORGET, (), **arguments):
            work.do(arguments)
        return work.proved()


def resume(settings: Settings, report: Report = lambda name, seconds: None) -> dict[str, Any]:
    """Complete the erasure that was interrupted; gives its certificate, which counts the rows that were left to remove.

    Raises:
        LakehouseError: None was, another run is writing, or something of the account is still found after all.
    """
    _in_a_folder(settings)
    with _locked(settings, Steps(report)) as (_, completed):
        if completed is None:
            raise LakehouseError(
                f"{settings.lakehouse}: no erasure was interrupted",
                "Begin one with `medallion forget KEY --reason ...`; `medallion status` shows what is unfinished.",
            )
        return completed.proved()


@contextmanager
def _locked(settings: Settings, steps: Steps) -> Iterator[tuple[journal.Writer, _Erasure | None]]:
    """Hold the lakehouse for writing, after an interrupted erasure was completed; gives that one where there was one."""
    extensions.load(settings)
    lake = Lakehouse(settings.lakehouse)
    with journal.writing(lake, recover=False) as writer:
        for found in journal.damaged(lake):
            raise found.error()
        intent, work = writer.held.intent, None
        for lost in journal.lost_commits(lake).values():
            raise lost
        if intent and intent["kind"] == journal.FORGET:
            arguments = intent["arguments"]
            work = _Erasure(settings, "", datetime.fromisoformat(arguments["now"]), steps, arguments)
            work.do(arguments)
            writer.kind = journal.FORGET
            writer.publish()
            writer.held.note(None)
        writer.recover()
        yield writer, work


def _in_a_folder(settings: Settings) -> Lakehouse:
    lake = Lakehouse(settings.lakehouse)
    if "://" in lake.root:
        raise LakehouseError(
            f"{lake.root}: forgetting works on the files of a folder, so that it can prove that nothing is left",
            "In Unity Catalog delete by key, then REORG TABLE ... APPLY (PURGE) and VACUUM; see docs/DEPLOYMENT.md.",
        )
    return lake


class _Erasure:
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
        self.lake = _in_a_folder(settings)
        self.lake.delta("silver.customers_history")
        self.entities = contracts.entities(contracts_in_use.overrides(self.lake, settings.contracts))
        self.erasure_id = f"{now:%Y%m%dT%H%M%S%f}" if saved is None else saved["erasure_id"]
        self.journal = batches.history(self.lake)
        if any(batch.state in (batches.STARTED, batches.INGESTED) for batch in self.journal):
            raise LakehouseError(
                f"{self.lake.root}: a run was interrupted and its batch is unfinished",
                "Run `medallion run` first, so that nothing is half read while it is searched.",
            )
        with steps.step("start the engine"):
            self.spark: SparkSession = session(settings.engine, settings.memory_gib)
        known = erasure_log.read(self.lake)
        key = self.entities["customers"].column(self.entities["customers"].key)
        customer_id = re.sub(r"\s+", "", customer_id).upper() if key.kind == "identifier" else customer_id.strip()
        with steps.step("find what is about the account"):
            self.subject = self._subject(customer_id) if saved is None else _Subject.of(saved["subject"])
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
        self.mine = ErasureLog(known.salt, hashes)

    def _form(self, entity: str, column: str, text: str) -> str:
        return redaction.comparable(text, self.entities[entity].column(column))

    # what is about the account

    def _subject(self, customer_id: str) -> _Subject:
        """Keys of the account, its deals, touches and further records, from every version that was ever known."""
        subject = _Subject({"customers": self._merged_into({customer_id})})
        looked_by = {
            (str(item.lookup), str(item.by))
            for entity in self.entities.values()
            for source in entity.sources
            for item in (source.columns or {}).values()
            if item.lookup
        } | {("customers", "customer_name")}
        with query.connect(self.lake) as connection:
            for entity in self.entities.values():
                if entity.name == "products" or not self.lake.exists(entity.history.name):
                    continue
                where, values = self._links_sql(entity, subject)
                rows = query.rows(connection, f"select * from {entity.history.name} where {where}", values)
                subject.keys.setdefault(entity.name, set()).update(str(row[entity.key]) for row in rows)
                for column in entity.columns:
                    said = {str(row[column.name]) for row in rows if row[column.name] is not None}
                    if (entity.name, column.name) in looked_by:
                        subject.names.setdefault(f"{entity.name}.{column.name}", set()).update(said)
                    if column.kind in ("email", "phone"):
                        subject.texts |= said
                    elif column.pii or column.name in ("customer_name", "company"):
                        subject.spoken |= said
                if entity.name == "customers" and not rows and not self._was_begun(customer_id):
                    raise LakehouseError(
                        f"{self.lake.root}: there is no customer {customer_id}",
                        "Look it up in silver.customers_clean; the key is written as there.",
                    )
        return subject

    def _merged_into(self, keys: set[str]) -> set[str]:
        """These accounts, and those that were merged into them, however many merges ago."""
        entity = self.entities["customers"]
        if not self.lake.exists(entity.history.name) or "_merged_into" not in dict(
            store.spark_types(self.lake, entity.history.name)
        ):
            return keys
        found, more = set(keys), set(keys)
        with query.connect(self.lake, layers=["silver"], only={entity.history.name}) as connection:
            while more:
                sql = f'select distinct "{entity.key}" as key from {entity.history.name} where list_contains(?, _merged_into)'
                more = {str(row["key"]) for row in query.rows(connection, sql, [sorted(more)])} - found
                found |= more
        return found

    def _was_begun(self, customer_id: str) -> bool:
        known = erasure_log.read(self.lake)
        kind = f"customers.{self.entities['customers'].key}"
        form = self._form("customers", self.entities["customers"].key, customer_id)
        return known.hashed(kind, form) in known.hashes.get(kind, frozenset())

    def _links_sql(self, entity: Entity, subject: _Subject) -> tuple[str, list[Any]]:
        tests, values = [], []
        for column, (target, _) in redaction.links(entity, self.entities).items():
            if known := subject.keys.get(target):
                tests.append(f'list_contains(?, "{column}")')
                values.append(sorted(known))
        return " or ".join(tests) or "false", values

    def _about_silver(self, entity: Entity) -> Column:
        """True for rows of the entity's silver tables, or others with its columns, that are about the account."""
        tests = [
            F.coalesce(F.col(column).isin(sorted(known)), F.lit(False))
            for column, (target, _) in redaction.links(entity, self.entities).items()
            if (known := self.subject.keys.get(target))
        ]
        return reduce(lambda one, other: one | other, tests, F.lit(False))

    def _quarantined(self) -> set[str]:
        """Refused records that name the account; those reprocessed since then as well."""
        found = set()
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
            said = {str(text).strip() for text in cells.values() if text}
            if said & self.subject.texts or str(row["record_key"]) in self.subject.keys.get(row["entity"], set()):
                found.add(row["quarantine_id"])
                continue
            for name, (target, column) in redaction.links(entity, self.entities).items():
                item = file.mapping.get(name) if file else None
                texts = [cells.get(f"={name}"), cells.get(item.column) if item and item.column else None]
                looked_in, by = (item.lookup, str(item.by)) if item and item.lookup else (target, column)
                for where, what, text in ((target, column, texts[0]), (looked_in, by, texts[1])):
                    kind = f"{where}.{what}"
                    known = self.mine.hashes.get(kind, frozenset())
                    if text and self.mine.hashed(kind, self._form(where, what, text)) in known:
                        found.add(row["quarantine_id"])
            for text in re.split(r"[,;|\t\"]+", str(cells.get("_record") or "")):
                form = self._form("customers", self.entities["customers"].key, text)
                if form and self.mine.hashed(customer, form) in self.mine.hashes[customer]:
                    found.add(row["quarantine_id"])
        return found

    # table by table

    def _marked(self, name: str) -> DataFrame | None:
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
            told = filled.join(places.withColumn("_place", F.lit(True)), on=list(_PROVENANCE), how="left")
            told = told.withColumn("_about", F.col("_place").isNotNull()).drop("_place")
            # what was the head of a group when it went is so no more: the next row of the group says what it said
            above = F.lag("_about").over(Window.partitionBy("_batch_id", "_source_file").orderBy("_source_row"))
            cells = {name: F.when(above, F.col(f"`{name}`")).otherwise(F.col(at)) for name, at in written.items()}
            return (told.withColumns(cells) if cells else told).select(*frame.columns, "_about")
        if name in ("silver.quarantine", "ops.corrections"):
            ids = sorted(self.refused)
            return frame.withColumn("_about", F.col("quarantine_id").isin(ids) if ids else F.lit(False))
        if name == _AGENT_LOG:
            whole = F.concat_ws(" ", *frame.columns)
            told = [F.contains(whole, F.lit(word)) for word in sorted({*self.subject.terms(), *self.subject.spoken})]
            return frame.withColumn("_about", reduce(lambda one, other: one | other, told, F.lit(False)))
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
        either = reduce(lambda one, other: one | other, [F.coalesce(test, F.lit(False)) for test in tests])
        return frame.withColumn("_about", either)

    def _bronze_places(self, frame: DataFrame, entity: Entity, mapping: Any) -> DataFrame:
        """Where in the files the account's rows of an entity stood: by their cells, by silver, by quarantine, and
        the same rows delivered again.
        """
        filled = silver.filled_down(frame, mapping)
        about = redaction.about(filled, entity, self.entities, mapping, self.mine)
        place = F.concat_ws(_MARK, "_batch_id", "_source_file", F.col("_source_row").cast("string"))
        listed = filled.agg(F.collect_list(F.when(about, place)).alias("places")).collect()[0]["places"]
        schema = "_batch_id string, _source_file string, _source_row bigint"
        rows = [tuple(text.split(_MARK)) for text in listed or ()]
        found = self.spark.createDataFrame([(batch, file, int(row)) for batch, file, row in rows], schema)
        if self.lake.exists(entity.history.name):
            versions = store.read(self.spark, self.lake, entity.history.name)
            rows = versions.filter(self._about_silver(entity)).filter(F.col("_source_row").isNotNull())
            found = found.unionByName(rows.select(*_PROVENANCE))
        quarantine = store.read(self.spark, self.lake, "silver.quarantine")
        ids = sorted(self.refused) or [""]
        refused = quarantine.filter((F.col("entity") == entity.name) & F.col("quarantine_id").isin(ids))
        found = found.unionByName(
            refused.select(
                F.col("batch_id").alias("_batch_id"),
                F.col("source_file").alias("_source_file"),
                F.col("source_row").alias("_source_row"),
            )
        )
        for ending in (batches.OF_REREAD, batches.OF_HELD_FILE):
            found = found.withColumn("_batch_id", F.regexp_replace("_batch_id", ending, ""))
        hashes = frame.join(found, on=list(_PROVENANCE), how="left_semi").select("_row_hash").distinct()
        again = frame.join(hashes, on="_row_hash", how="left_semi").select(*_PROVENANCE)
        collected = {tuple(row) for row in found.unionByName(again).collect()}
        return self.spark.createDataFrame(sorted(collected), schema)

    def count(self) -> list[dict[str, Any]]:
        """Per table the rows that are about the account."""
        self.refused = self._quarantined()
        found = []
        for name in self.lake.tables():
            marked = self._marked(name)
            if marked is not None:
                row = marked.agg(F.count(F.lit(1)), F.count_if(F.col("_about"))).collect()[0]
                found.append({"table": name, "rows": int(row[0]), "about_the_account": int(row[1])})
        return found

    def arguments(self, reason: str, who: str) -> dict[str, Any]:
        """All that completing the erasure needs once some of the rows are gone. Kept until it is complete, not longer."""
        day = status.as_of(self.lake) if self.lake.exists("gold.sales_summary") else None
        self.refused = self._quarantined()
        self.subject.texts |= self._as_written()
        return {
            "erasure_id": self.erasure_id,
            "now": self.now.isoformat(),
            "reason": reason,
            "who": who,
            "day": None if day is None else day.isoformat(),
            "subject": self.subject.told(),
            "accounts": self._accounts(),
        }

    def is_about(self, customer_id: str) -> bool:
        """Whether it is the erasure of that account."""
        return bool({re.sub(r"\s+", "", customer_id).upper(), customer_id.strip()} & self.subject.keys["customers"])

    def do(self, arguments: Mapping[str, Any]) -> None:
        """Remove, search, certify."""
        self._remove(arguments)
        self._certify(arguments)

    def _remove(self, arguments: Mapping[str, Any]) -> None:
        """Remove, blank out, compute gold again, purge. Done again from the start after a kill, it comes to the same."""
        day = None if arguments["day"] is None else date.fromisoformat(arguments["day"])
        erasure = (self.erasure_id, arguments["who"], arguments["reason"])
        with self.steps.step("write down the hashes"):
            erasure_log.record(self.spark, self.lake, self.mine, erasure, erasure_log.STARTED, self.now)
        self.refused = self._quarantined()
        removed = {}
        order = {"bronze": 0, "ops": 1, "gold": 2, "silver": 3}
        last = [entity.history.name for entity in self.entities.values()][::-1]
        names = sorted(
            self.lake.tables(), key=lambda name: (order[name.split(".")[0]], name in last, _place(name, last))
        )
        for name in names:
            with self.steps.step(f"erase: {name}"):
                removed[name] = self._rewrite(name)
        with self.steps.step("erase: ops.row_accounts"):
            self._save_accounts(arguments["accounts"])
        Actions(self.lake).forget({key for keys in self.subject.keys.values() for key in keys})
        if self.lake.exists("gold.sales_summary"):  # without a dated event there is no day, but there is gold
            model = models.champion(self.settings)
            context = Context(self.spark, self.lake, self.entities, self.steps, self.now)
            silver_to_gold(context, day, self.settings.score, champion=model, anew=True)
        self.tables: list[dict[str, Any]] = []
        for name in self.lake.tables():
            with self.steps.step(f"purge: {name}"):
                versions, files = store.purge(self.lake, name)
            gone, blanked = removed.get(name, (0, 0))
            self.tables.append(
                {
                    "table": name,
                    "rows_removed": gone,
                    "rows_blanked": blanked,
                    "versions_purged": versions,
                    "files_removed": files,
                }
            )
        erasure_log.record(self.spark, self.lake, self.mine, erasure, erasure_log.FINISHED, self.now)

    def _certify(self, arguments: Mapping[str, Any]) -> None:
        """Search what is left, and write down what was done."""
        with self.steps.step("search every remaining file"):
            searched, findings = search(Path(self.lake.root), self.subject.terms(), {locks.INTENT_FILE})
        left = [row for row in self.count() if row["about_the_account"]]
        found = [*findings, *(f"{row['table']}: {row['about_the_account']} rows" for row in left)]
        certificate = {
            "erasure_id": self.erasure_id,
            "account": sorted(self.mine.hashes[f"customers.{self.entities['customers'].key}"])[0],
            "forgotten_at": self.now.isoformat(sep=" ", timespec="seconds"),
            "forgotten_by": arguments["who"],
            "reason": arguments["reason"],
            "records": {name: len(keys) for name, keys in self.subject.keys.items()},
            "tables": self.tables,
            "gold_computed_again_as_of": arguments["day"],
            "files_searched": searched,
            "terms_searched": len(self.subject.terms()),
            "found": found,
            "not_touched": "The exports themselves, copies made with `medallion export`, and backups: "
            + ", ".join(sorted({file.name for batch in self.journal for file in batch.files})),
        }
        folder = Path(self.lake.root, "ops", "certificates")
        path = folder / f"erasure-{self.erasure_id}.json"
        with door.through(path):
            folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text(json.dumps(certificate, indent=2) + "\n", encoding="utf-8")
            part.replace(path)
        self.certificate = {**certificate, "certificate": str(path)}

    def proved(self) -> dict[str, Any]:
        """The certificate.

        Raises:
            LakehouseError: Something of the account is still there.
        """
        if found := self.certificate["found"]:
            raise LakehouseError(
                f"{self.lake.root}: after the erasure something of the account is still there: {found[:5]}",
                f"See {self.certificate['certificate']}, and run the erasure again.",
            )
        return self.certificate

    def _accounts(self) -> list[dict[str, Any]]:
        """The row accounts of batches of which rows will go, as they are to be: what goes is `erased`, and no longer
        what it was. Counted before anything is removed, so that a row lost otherwise still shows.
        """
        if not self.lake.exists(batches.ACCOUNTS):
            return []
        gone = self._gone()
        again = {batch.batch_id for batch in self.journal if not (batch.has_files or batch.is_reread)}
        reread = {batch.batch_id: batch.origin for batch in self.journal if batch.is_reread}
        with query.connect(self.lake, layers=["ops"]) as connection:
            sql = f"select * replace (known_at::timestamp::varchar as known_at) from {batches.ACCOUNTS} order by all"
            known = query.rows(connection, sql)
        changed = []
        for row in known:
            key = (row["batch_id"], row["entity"])
            rows = (reread.get(row["batch_id"], row["batch_id"]), row["entity"])
            read = gone["reprocessed"].get(key, 0) if row["batch_id"] in again else gone["read"].get(rows, 0)
            if not read and not gone["implied"].get(key, 0):
                continue
            parts = {name: gone[name].get(key, 0) for name in ("accepted", "superseded", "withdrawn", "quarantined")}
            parts["duplicate"] = min(read - sum(parts.values()), row["duplicate"])
            parts["excluded"] = read - sum(parts.values())
            parts["implied"] = gone["implied"].get(key, 0)
            left = {name: (row.get(name) or 0) - count for name, count in parts.items()}
            changed.append({**row, **left, "erased": (row.get("erased") or 0) + read})
        return changed

    def _gone(self) -> dict[str, dict[tuple[str, str], int]]:
        """How many rows of each batch and entity go: of those read, reprocessed, accepted, superseded, withdrawn,
        quarantined, and implied by others.

        Rows of a held file are in bronze under the batch that it came with. They count for the file's own batch, and
        for none until the file is accepted.
        """
        counted = ("read", "reprocessed", "accepted", "superseded", "withdrawn", "quarantined", "implied")
        found: dict[str, dict[tuple[str, str], int]] = {name: {} for name in counted}

        def count(name: str, by: Iterable[str]) -> list[Any]:
            marked = self._marked(name) if self.lake.exists(name) else None
            return (
                []
                if marked is None
                else marked.filter("_about").groupBy(*by).agg(F.count(F.lit(1)).alias("n")).collect()
            )

        held = {(b.origin, f.entity, f.name): b for b in self.journal if b.is_held_file for f in b.files}
        for entity in self.entities.values():
            for row in count(f"bronze.{entity.name}", ["_batch_id", "_source_file"]):
                own = held.get((row["_batch_id"], entity.name, row["_source_file"]))
                if own is None or own.state == batches.FINISHED:
                    key = (own.batch_id if own else row["_batch_id"], entity.name)
                    found["read"][key] = found["read"].get(key, 0) + row["n"]
            if entity.name != "products":
                for row in count(entity.history.name, ["_batch_id", "_outcome"]):
                    name = "implied" if row["_outcome"] in silver.IMPLIED else row["_outcome"]
                    key = (row["_batch_id"], entity.name)
                    found[name][key] = found[name].get(key, 0) + row["n"]
        for row in count("silver.quarantine", ["batch_id", "resolved_by", "entity"]):
            for what, batch in (("quarantined", row["batch_id"]), ("reprocessed", row["resolved_by"])):
                if batch is not None:
                    key = (batch, row["entity"])
                    found[what][key] = found[what].get(key, 0) + row["n"]
        return found

    def _save_accounts(self, changed: Iterable[Mapping[str, Any]]) -> None:

        contract = contracts.table(batches.ACCOUNTS)
        rows = [tuple(row[name] for name in contract.column_names) for row in changed]
        if not rows:
            return
        types = {column.name: "string" if column.name == "known_at" else column.type for column in contract.columns}
        new = self.spark.createDataFrame(rows, ", ".join(f"`{name}` {kind}" for name, kind in types.items()))
        kept = store.read(self.spark, self.lake, contract.name)
        lacking = [name for name in contract.column_names if name not in kept.columns]
        if lacking:
            kept = kept.withColumns({name: F.lit(None).cast(contract.column(name).type) for name in lacking})
        kept = kept.join(new.select(*contract.key), on=list(contract.key), how="left_anti")
        new = new.withColumn("known_at", F.col("known_at").cast("timestamp"))
        whole = kept.select(*contract.column_names).unionByName(new)
        store.save(whole, self.spark, self.lake, contract, whole=True)

    def _as_written(self) -> set[str]:
        """Addresses and numbers of the account as the exports wrote them."""
        found: set[str] = set()
        for entity in self.entities.values():
            name = f"bronze.{entity.name}"
            if not self.lake.exists(name) or entity.name == "products":
                continue
            marked = self._marked(name)
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
                found |= {row["text"] for row in rows if row["text"]}
        return found

    def _rewrite(self, name: str) -> tuple[int, int]:
        """Take the account's rows out of a table, and its addresses, numbers and names out of the others."""
        if name.startswith("ops.") and name not in ("ops.corrections", _AGENT_LOG):
            return 0, 0
        if name in {step.table for step in graph()}:
            return 0, 0
        marked = self._marked(name)
        if marked is None:
            return 0, 0
        kept = marked.filter(~F.col("_about")).drop("_about")
        cleaned, touched = self._blanked(kept)
        gone = int(marked.agg(F.count_if(F.col("_about"))).collect()[0][0])
        changed = int(cleaned.agg(F.count_if(touched)).collect()[0][0])
        if gone or changed:
            store.replace(cleaned.select(*kept.columns), self.lake, name)
        return gone, changed

    def _blanked(self, frame: DataFrame) -> tuple[DataFrame, Column]:
        """A frame with every mention blanked out, and whether a row had one; the old texts stay under `_old_`."""
        free = {
            column.name for entity in self.entities.values() for column in entity.columns if column.kind == "free_text"
        }
        free |= {
            str(item.column)
            for batch in self.journal
            for file in batch.files
            for name, item in file.mapping.items()
            if name in free and item.column
        }
        replaced, tests = {}, [F.lit(False)]
        for column in frame.schema.fields:
            kind = column.dataType.simpleString()
            if kind not in ("string", "array<string>") or column.name in (
                "_batch_id",
                "_source_file",
                "batch_id",
                "source_file",
            ):
                continue
            terms = self.subject.terms() + (self.subject.names_in_text() if column.name in free | {"raw"} else [])
            if not terms:
                continue
            cell = F.col("`" + column.name.replace("`", "``") + "`")
            new = _without(cell, terms) if kind == "string" else F.transform(cell, _cleaner(terms))
            replaced[column.name] = new
            tests.append(F.coalesce(new != cell, F.lit(False)))
        touched = reduce(lambda one, other: one | other, tests)
        told = frame.withColumn("_touched", touched)
        return told.withColumns(replaced) if replaced else told, F.col("_touched")


def _place(name: str, last: list[str]) -> int:
    return last.index(name) if name in last else 0


def _pattern(terms: Iterable[str]) -> str:
    """A word of these, whatever its case. The same in Java's, Rust's and Python's regular expressions."""
    escaped = "|".join(re.sub(r"([^\w\s@])", r"\\\1", term) for term in sorted(terms, key=len, reverse=True))
    return f"(?i)(^|[^A-Za-z0-9])({escaped})($|[^A-Za-z0-9])"


def _without(text: Column, terms: list[str]) -> Column:

    for start in range(0, len(terms), _AT_ONCE):
        pattern = _pattern(terms[start : start + _AT_ONCE])
        text = F.when(text.rlike(pattern), F.regexp_replace(text, pattern, f"$1{_ERASED}$3")).otherwise(text)
    return text


def _cleaner(terms: list[str]) -> Callable[[Column], Column]:
    return lambda text: _without(text, terms)


def search(root: Path, terms: list[str], but: Collection[str] = ()) -> tuple[int, list[str]]:
    """Look for terms as whole words in every file below a folder; gives how many files, and where one was found.

    Files directly in the folder whose names are in `but` are left out.

    Parquet is read row by row as text, statistics and nested values included; other files are read as they are.
    """
    files = sorted(path for path in root.rglob("*") if path.is_file() and str(path.relative_to(root)) not in but)
    found = []
    for start in range(0, len(terms), _AT_ONCE):
        pattern = _pattern(terms[start : start + _AT_ONCE])
        compiled = re.compile(pattern)
        with duckdb.connect() as connection:
            for path in files:
                if path.suffix == ".parquet":
                    sql = "select count(*) from read_parquet(?) as t where regexp_matches(t::varchar, ?)"
                    row = connection.execute(sql, [_literal_path(path), pattern]).fetchone()
                    hit = bool(row and row[0])
                else:
                    hit = bool(compiled.search(path.read_text(encoding="utf-8", errors="replace")))
                if hit:
                    found.append(str(path.relative_to(root)))
    return len(files), found


def _literal_path(path: Path) -> str:
    return re.sub(r"([*?[])", r"[\1]", str(path))


__all__ = ["forget", "resume", "search"]
