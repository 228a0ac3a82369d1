"""Forget an account and its people: out of every layer, out of every older version, and not back with the next export.

The order is that of safety: the hashes are written down first, so that nothing comes back meanwhile; what is removed
last is what tells the rest apart. An erasure that was interrupted is done again from the start.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion import contracts, erased, pipeline, query, status, store
from medallion.agent import audit
from medallion.agent.actions import Actions
from medallion.config import Settings
from medallion.contracts import Entity
from medallion.erased import Forgotten
from medallion.errors import LakehouseError
from medallion.pipeline import batches, forgotten, learning, remembered
from medallion.pipeline.silver_to_gold import STEPS, silver_to_gold
from medallion.pipeline.steps import Report, Steps
from medallion.session import session
from medallion.store import Lakehouse

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

_ERASED = "[erased]"
#: Terms looked for in one regular expression.
_AT_ONCE = 200
_SHORTEST = 4
#: Stands between the parts of a place; no file name has it.
_MARK = "\x01"
_PROVENANCE = ("_batch_id", "_source_file", "_source_row")


@dataclass
class _Subject:
    """Who is to be forgotten: keys by entity, and the texts by which they would be recognised."""

    keys: dict[str, set[str]] = field(default_factory=dict)
    names: dict[str, set[str]] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)
    spoken: set[str] = field(default_factory=set)

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
    work = _Erasure(settings, customer_id, now, Steps(report))
    if dry_run:
        return {"dry_run": True, "erasure_id": work.erasure_id, "tables": work.count()}
    with pipeline.writing(work.lake):
        return work.do(reason, who)


class _Erasure:
    def __init__(self, settings: Settings, customer_id: str, now: datetime, steps: Steps) -> None:
        self.settings, self.now, self.steps = settings, now, steps
        self.lake = Lakehouse(settings.lakehouse)
        if "://" in self.lake.root:
            raise LakehouseError(
                f"{self.lake.root}: forgetting works on the files of a folder, so that it can prove that nothing is left",
                "In Unity Catalog delete by key, then REORG TABLE ... APPLY (PURGE) and VACUUM; see docs/DEPLOYMENT.md.",
            )
        self.lake.delta("silver.customers_history")
        self.entities = contracts.entities(remembered.overrides(self.lake, settings.contracts))
        self.erasure_id = f"{now:%Y%m%dT%H%M%S%f}"
        self.journal = batches.history(self.lake)
        if any(batch.state in (batches.STARTED, batches.INGESTED) for batch in self.journal):
            raise LakehouseError(
                f"{self.lake.root}: a run was interrupted and its batch is unfinished",
                "Run `medallion run` first, so that nothing is half read while it is searched.",
            )
        with steps.step("start the engine"):
            self.spark: SparkSession = session(settings.engine, settings.memory_gib)
        known = forgotten.known(self.lake)
        key = self.entities["customers"].column(self.entities["customers"].key)
        asked = re.sub(r"\s+", "", customer_id).upper() if key.kind == "identifier" else customer_id.strip()
        with steps.step("find what is about the account"):
            self.subject = self._subject(asked)
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
        self.mine = Forgotten(known.salt, hashes)

    def _form(self, entity: str, column: str, text: str) -> str:
        return erased.comparable(text, self.entities[entity].column(column))

    # what is about the account

    def _subject(self, asked: str) -> _Subject:
        """Keys of the account, its deals, touches and further records, from every version that was ever known."""
        subject = _Subject({"customers": {asked}})
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
                if entity.name == "customers" and not rows and not self._was_begun(asked):
                    raise LakehouseError(
                        f"{self.lake.root}: there is no customer {asked}",
                        "Look it up in silver.customers_clean; the key is written as there.",
                    )
        return subject

    def _was_begun(self, asked: str) -> bool:
        known = forgotten.known(self.lake)
        kind = f"customers.{self.entities['customers'].key}"
        form = self._form("customers", self.entities["customers"].key, asked)
        return known.hashed(kind, form) in known.hashes.get(kind, frozenset())

    def _links_sql(self, entity: Entity, subject: _Subject) -> tuple[str, list[Any]]:
        tests, values = [], []
        for column, (target, _) in erased.links(entity, self.entities).items():
            if known := subject.keys.get(target):
                tests.append(f'list_contains(?, "{column}")')
                values.append(sorted(known))
        return " or ".join(tests) or "false", values

    def _about_silver(self, entity: Entity) -> Column:
        """True for rows of the entity's silver tables, or others with its columns, that are about the account."""
        from pyspark.sql import functions as F

        tests = [
            F.coalesce(F.col(column).isin(sorted(known)), F.lit(False))
            for column, (target, _) in erased.links(entity, self.entities).items()
            if (known := self.subject.keys.get(target))
        ]
        return reduce(lambda one, other: one | other, tests, F.lit(False))

    def _quarantined(self) -> set[str]:
        """Refused records that name the account; those taken up since then as well."""
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
            for name, (target, column) in erased.links(entity, self.entities).items():
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
        from pyspark.sql import functions as F

        from medallion import bronze

        frame = store.read(self.spark, self.lake, name)
        layer, table = name.split(".")
        if layer == "bronze":
            entity = self.entities.get(table)
            if entity is None:
                return None
            files = [file for batch in self.journal if batch.has_files for file in batch.files_of(table)]
            places = self._bronze_places(frame, entity, bronze.mapping_of(files))
            told = frame.join(places.withColumn("_place", F.lit(True)), on=list(_PROVENANCE), how="left")
            return (
                told.withColumn("_about", F.col("_place").isNotNull()).drop("_place").select(*frame.columns, "_about")
            )
        if name in ("silver.quarantine", "ops.corrections"):
            ids = sorted(self.refused)
            return frame.withColumn("_about", F.col("quarantine_id").isin(ids) if ids else F.lit(False))
        if name == audit.TABLE:
            whole = F.concat_ws(" ", *frame.columns)
            told = [F.contains(whole, F.lit(word)) for word in sorted({*self.subject.terms(), *self.subject.spoken})]
            return frame.withColumn("_about", reduce(lambda one, other: one | other, told, F.lit(False)))
        entity = self.entities.get(table.removesuffix("_history").removesuffix("_clean"))
        if layer == "silver" and entity is not None:
            return frame.withColumn("_about", self._about_silver(entity))
        if layer == "gold" and name not in {step.table for step in STEPS}:
            return self._marked_gold(frame)
        return None

    def _marked_gold(self, frame: DataFrame) -> DataFrame | None:
        from pyspark.sql import functions as F

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
        from pyspark.sql import functions as F

        about = erased.about(frame, entity, self.entities, mapping, self.mine)
        place = F.concat_ws(_MARK, "_batch_id", "_source_file", F.col("_source_row").cast("string"))
        listed = frame.agg(F.collect_list(F.when(about, place)).alias("places")).collect()[0]["places"]
        schema = "_batch_id string, _source_file string, _source_row bigint"
        rows = [tuple(text.split(_MARK)) for text in listed or ()]
        found = self.spark.createDataFrame([(batch, file, int(row)) for batch, file, row in rows], schema)
        if self.lake.exists(entity.history.name):
            versions = store.read(self.spark, self.lake, entity.history.name)
            found = found.unionByName(versions.filter(self._about_silver(entity)).select(*_PROVENANCE))
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
        hashes = frame.join(found, on=list(_PROVENANCE), how="left_semi").select("_row_hash").distinct()
        again = frame.join(hashes, on="_row_hash", how="left_semi").select(*_PROVENANCE)
        collected = {tuple(row) for row in found.unionByName(again).collect()}
        return self.spark.createDataFrame(sorted(collected), schema)

    def count(self) -> list[dict[str, Any]]:
        """Per table the rows that are about the account."""
        from pyspark.sql import functions as F

        self.refused = self._quarantined()
        found = []
        for name in self.lake.tables():
            marked = self._marked(name)
            if marked is not None:
                row = marked.agg(F.count(F.lit(1)), F.count_if(F.col("_about"))).collect()[0]
                found.append({"table": name, "rows": int(row[0]), "about_the_account": int(row[1])})
        return found

    def do(self, reason: str, who: str) -> dict[str, Any]:
        """Remove, blank out, compute gold again, purge, search, certify."""
        day = status.as_of(self.lake) if self.lake.exists("gold.sales_summary") else None
        with self.steps.step("write down the hashes"):
            forgotten.record(
                self.spark, self.lake, self.mine, (self.erasure_id, who, reason), forgotten.STARTED, self.now
            )
        self.refused = self._quarantined()
        self.subject.texts |= self._as_written()
        removed = {}
        order = {"bronze": 0, "ops": 1, "gold": 2, "silver": 3}
        last = [entity.history.name for entity in self.entities.values()][::-1]
        names = sorted(
            self.lake.tables(), key=lambda name: (order[name.split(".")[0]], name in last, _place(name, last))
        )
        for name in names:
            with self.steps.step(f"erase: {name}"):
                removed[name] = self._rewrite(name)
        Actions(self.lake).forget({key for keys in self.subject.keys.values() for key in keys})
        if day is not None:
            model = learning.champion(self.settings)
            silver_to_gold(
                self.spark, self.lake, self.entities, day, self.settings.score, self.steps, champion=model, anew=True
            )
        tables = []
        for name in self.lake.tables():
            with self.steps.step(f"purge: {name}"):
                versions, files = store.purge(self.lake, name)
            gone, blanked = removed.get(name, (0, 0))
            tables.append(
                {
                    "table": name,
                    "rows_removed": gone,
                    "rows_blanked": blanked,
                    "versions_purged": versions,
                    "files_removed": files,
                }
            )
        forgotten.record(self.spark, self.lake, self.mine, (self.erasure_id, who, reason), forgotten.FINISHED, self.now)
        with self.steps.step("search every remaining file"):
            searched, findings = search(Path(self.lake.root), self.subject.terms())
        left = [row for row in self.count() if row["about_the_account"]]
        found = [*findings, *(f"{row['table']}: {row['about_the_account']} rows" for row in left)]
        certificate = {
            "erasure_id": self.erasure_id,
            "account": sorted(self.mine.hashes[f"customers.{self.entities['customers'].key}"])[0],
            "forgotten_at": self.now.isoformat(sep=" ", timespec="seconds"),
            "forgotten_by": who,
            "reason": reason,
            "records": {name: len(keys) for name, keys in self.subject.keys.items()},
            "tables": tables,
            "gold_computed_again_as_of": None if day is None else day.isoformat(),
            "files_searched": searched,
            "terms_searched": len(self.subject.terms()),
            "found": found,
            "not_touched": "The exports themselves, copies made with `medallion export`, and backups: "
            + ", ".join(sorted({file.name for batch in self.journal for file in batch.files})),
        }
        folder = Path(self.lake.root, "ops", "certificates")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"erasure-{self.erasure_id}.json"
        path.write_text(json.dumps(certificate, indent=2) + "\n", encoding="utf-8")
        if found:
            raise LakehouseError(
                f"{self.lake.root}: after the erasure something of the account is still there: {found[:5]}",
                f"See {path}, and run the erasure again.",
            )
        return {**certificate, "certificate": str(path)}

    def _as_written(self) -> set[str]:
        """Addresses and numbers of the account as the exports wrote them."""
        from pyspark.sql import functions as F

        from medallion import bronze, silver

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
        from pyspark.sql import functions as F

        if name.startswith("ops.") and name not in ("ops.corrections", audit.TABLE):
            return 0, 0
        if name in {step.table for step in STEPS}:
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
        from pyspark.sql import functions as F

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
    from pyspark.sql import functions as F

    for start in range(0, len(terms), _AT_ONCE):
        pattern = _pattern(terms[start : start + _AT_ONCE])
        text = F.when(text.rlike(pattern), F.regexp_replace(text, pattern, f"$1{_ERASED}$3")).otherwise(text)
    return text


def _cleaner(terms: list[str]) -> Callable[[Column], Column]:
    return lambda text: _without(text, terms)


def search(root: Path, terms: list[str]) -> tuple[int, list[str]]:
    """Look for terms as whole words in every file below a folder; gives how many files, and where one was found.

    Parquet is read row by row as text, statistics and nested values included; other files are read as they are.
    """
    import duckdb

    files = sorted(path for path in root.rglob("*") if path.is_file())
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


__all__ = ["forget", "search"]
