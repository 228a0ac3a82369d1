"""The gate before silver: judges the staged rows of each file of a batch, before any of them is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion import columns as words
from medallion import silver
from medallion.config import HoldBack
from medallion.contracts import Entity
from medallion.contracts.filling import COMPLETE, SNAPSHOT
from medallion.lakehouse import query, store
from medallion.pipeline import batches
from medallion.pipeline.batches import Batch
from medallion.pipeline.context import Context
from medallion.pipeline.ends import named_days, of_source, source_names
from medallion.pipeline.hold import (
    Counts,
    Reason,
    Verdict,
    case_sensitive,
    conversion,
    cut,
    judged,
    padded,
    part_of,
    poor,
    remedy,
    waiting,
)
from medallion.silver import lookalikes
from medallion.silver.lookalikes import LONG, NUMBER, PADDED, SHORT
from medallion.sources import SourceFile

#: Reasons that are told of a file.
_REASONS = 3
#: So many known records tell that a complete delivery is not.
_KNOWN, _GONE = 10, 0.5
#: So many lines of one cell each after the last record are a report's footer; a single one may be a record cut short.
_FOOTER, _ONE_CELL = 2, r"^record: cannot be read: [01] cells, "
#: What a key must have to be written in upper and lower case at once.
_TWO_LETTERS = r"\p{L}.*\p{L}"


class Gate:
    """Judges the files of one batch, entity by entity, parents first."""

    def __init__(self, context: Context, batch: Batch, limits: HoldBack, held_under: str) -> None:
        self.context, self.lake, self.batch = context, context.lake, batch
        self.limits, self.held_under = limits, held_under
        self.verdicts: list[Verdict] = []
        self.folded: dict[str, bool] = {}
        self.lettered: dict[str, bool] = {}

    @property
    def held(self) -> list[SourceFile]:
        """Files that are held back, each with why."""
        return [
            replace(verdict.file, held=verdict.told(values=False), held_under=self.held_under)
            for verdict in self.verdicts
            if verdict.held
        ]

    @cached_property
    def _held_before(self) -> list[SourceFile]:
        """Files that are held back since an earlier run."""
        earlier = [batch for batch in waiting(batches.history(self.lake)) if batch.batch_id != self.batch.batch_id]
        return [file for batch in earlier for file in batch.files]

    def _waiting(self) -> set[str]:
        """Entities of which a file is held back, in this batch or since an earlier run."""
        return {file.entity for file in (*self.held, *self._held_before)}

    def names(self, entity: str) -> list[str]:
        """Names of the files of an entity that are held back."""
        return [file.name for file in self.held if file.entity == entity]

    def look(self, entity: Entity, parents: Mapping[str, DataFrame], references: DataFrame | None) -> list[str]:
        """Judge the staged rows of an entity; gives the names of files to leave out.

        Args:
            entity: The entity.
            parents: Per referring column, the known keys as one column `_key`.
            references: Records with `_key`, `_spelled`, `column` and their place, one per reference as written.
        """
        if self.batch.origin and not self.batch.is_held_file:
            return []

        staged = silver.counted(self.context.read(entity.staged))
        seen = {row["_source_file"]: row for row in _counted(staged, entity).collect()}
        if any(row["broken"] >= _FOOTER and row["last"] for row in seen.values()) and self._leave_out(entity, seen):
            staged = silver.counted(self.context.read(entity.staged))
            seen = {row["_source_file"]: row for row in _counted(staged, entity).collect()}
        self.folded[entity.name] = any(row["folded"] for row in seen.values())
        self.lettered[entity.name] = any(row["lettered"] for row in seen.values())
        unaccepted = not all(file.accept for file in self.batch.files_of(entity.name))
        doubtful = self._lookalikes(staged, entity, seen, parents, references) if unaccepted else {}
        shrunk = self._shrunk(entity)
        parent_held = bool(self._waiting() & entity.depends_on)
        for file in self.batch.files_of(entity.name):
            row = seen.get(file.name)
            if file.name in shrunk:
                self.verdicts.append(Verdict(file, True, shrunk[file.name], (), remedy(file)))
                continue
            if row is None:
                continue
            if not file.accept and file.name in doubtful:
                way_out, reason = doubtful[file.name]
                self.verdicts.append(Verdict(file, True, file.name, (reason,), way_out))
                continue
            required = [c.name for c in entity.columns if c.checks.get("null") == "reject"]
            unread = {name: (row[f"unread_{name}"], row[f"filled_{name}"]) for name in _nulled(entity)}
            empty = {name: row[f"empty_{name}"] for name in required}
            counts = Counts(row["rows"], row["refused"], empty, unread)
            says, is_held = judged(file, counts, self.limits, parent_held), True
            if says is None:
                says, is_held = poor(file, self._without_footer(staged, file.name, row, counts)), False
            if says:
                reasons = (*_unread(entity, row), *self._reasons(staged, file.name))
                way_out = (
                    remedy(file)
                    if is_held
                    else (
                        "The rows wait in quarantine (`medallion quarantine list`). Correct the export and run again, or "
                        "correct the contract and take them through it with `medallion quarantine replay --all`."
                    )
                )
                self.verdicts.append(Verdict(file, is_held, says, reasons, conversion(entity.name, reasons) + way_out))
        return self.names(entity.name)

    def _shrunk(self, entity: Entity) -> dict[str, str]:
        """Files that lack most of the known records though a contract says that their deliveries are complete."""
        shrunk: dict[str, str] = {}
        for source, files in of_source(self.batch.files, entity.name).items():
            if not any({COMPLETE, SNAPSHOT} & {*file.mapping} and not file.accept for file in files):
                continue
            names = source_names(self.lake, entity.name, source, files)
            there = self.context.read(entity.staged)
            known, says = there.limit(0), "known records"
            if self.lake.exists(entity.clean.name):
                known = self.context.read(entity.clean).filter(F.col("_source_file").isin(*names))
            elif not any(SNAPSHOT in file.mapping for file in files):
                continue
            if any(SNAPSHOT in file.mapping for file in files):
                known, there = self._last_two(entity, known, there, files)
                says = "records of the state before"
            keys = known.select(entity.key).distinct()
            count = keys.count()
            missing = keys.join(there.select(entity.key), on=entity.key, how="left_anti").count()
            if count >= _KNOWN and missing > _GONE * count:
                says = f"it lacks {part_of(missing, count, says)}, which would all be gone, since a contract says that its deliveries are complete"
                shrunk |= {file.name: f"{file.name}: {says}" for file in files}
        return shrunk

    def _last_two(
        self, entity: Entity, known: DataFrame, there: DataFrame, files: list[SourceFile]
    ) -> tuple[DataFrame, DataFrame]:
        """Records of the state before the newest one of some snapshots, known or of the same batch, and of the newest."""
        there = there.filter(F.col("_source_file").isin(*(file.name for file in files)))
        day = F.col(str(entity.version_column)).cast("date").cast("string")
        columns = (F.col(entity.key), day.alias("_day"))
        newest = max({there.agg(F.max(day)).collect()[0][0] or "", *named_days(files, entity)})
        there, older = there.select(*columns), silver.counted(there).select(*columns)
        older = older.unionByName(known.select(*columns)).filter(F.col("_day") < newest)
        before = older.agg(F.max("_day")).collect()[0][0] or ""
        return older.filter(F.col("_day") == before), there.filter(F.col("_day") == newest)

    def _leave_out(self, entity: Entity, seen: Mapping[str, Any]) -> bool:
        """Exclude the lines after the last record of a file that are text and no records, as reports have them there."""
        staged, last = self.context.read(entity.staged), F.lit(None).cast("bigint")
        for name, row in seen.items():
            if row["broken"] >= _FOOTER and row["last"]:
                last = F.when(F.col("_source_file") == name, F.lit(row["last"])).otherwise(last)
        footer = F.coalesce((F.col("_source_row") > last) & F.col("_reasons")[0].rlike(_ONE_CELL), F.lit(False))
        rows = staged.filter(footer).groupBy("_source_file").agg(F.count(F.lit(1)).alias("n")).collect()
        files = [row["_source_file"] for row in rows if row["n"] >= _FOOTER]
        if files:
            footer = footer & F.col("_source_file").isin(*files)
            left_out = F.lit("excluded")
            changes = {
                "_fate": F.when(footer, left_out).otherwise(F.col("_fate")),
                "_reasons": F.when(footer, F.array(left_out)).otherwise(F.col("_reasons")),
                "_failed_checks": F.when(~footer, F.col("_failed_checks")),
                "_raw": F.when(~footer, F.col("_raw")),
            }
            self.context.save(staged.withColumns(changes), entity.staged, whole=True)
        return bool(files)

    def _without_footer(self, staged: DataFrame, file: str, row: Any, counts: Counts) -> Counts:
        """The counts without lines after the last record that are none, as reports have them at their end."""
        if not row["broken"] or row["last"] is None or counts.refused == counts.rows:
            return counts
        after = (F.col("_source_file") == file) & (F.col("_source_row") > row["last"])
        footer = staged.filter(after).count()
        return replace(counts, rows=counts.rows - footer, refused=counts.refused - footer)

    def _reasons(self, staged: DataFrame, file: str) -> tuple[Reason, ...]:
        """Why rows of a file are refused, the most frequent first."""
        refused = staged.filter((F.col("_source_file") == file) & F.col("_reasons").isNotNull())
        each = refused.select("_source_row", F.explode("_reasons").alias("_reason"))
        says = F.substring_index("_reason", ": '", 1)
        ranked = (
            each.groupBy(says.alias("says"))
            .agg(F.count(F.lit(1)).alias("n"), F.min(F.struct("_source_row", "_reason")).alias("first"))
            .orderBy(F.desc("n"), "says")
            .limit(_REASONS)
        )
        return tuple(
            Reason(row["says"], row["n"], row["first"][0], row["first"][1].removeprefix(row["says"]).removeprefix(": "))
            for row in ranked.collect()
        )

    def _lookalikes(
        self,
        staged: DataFrame,
        entity: Entity,
        seen: Mapping[str, Any],
        parents: Mapping[str, DataFrame],
        references: DataFrame | None,
    ) -> dict[str, tuple[str, Reason]]:
        """Per file with doubtful identifiers, the way out and the first of them."""
        files = {file.name: file for file in self.batch.files_of(entity.name)}
        case, length, zeros = list[DataFrame](), list[DataFrame](), list[DataFrame]()
        key = F.col(entity.key)
        place = ("_source_file", "_source_row")
        if self.folded[entity.name]:
            case.append(lookalikes.by_case(staged, entity))
        # a key of one letter is in one case, however it is written: only two of its records can be in doubt, by what they say
        mixed = self.lettered[entity.name] and self._knows_mixed(entity)
        asks = self.lettered[entity.name] and (self.folded[entity.name] or mixed)
        if asks and (known := self._known_spellings(staged, entity, every=mixed)) is not None:
            rows = staged.select(*place, key.alias("_key"), lookalikes.spelled(entity).alias("_spelled"))
            case.append(lookalikes.by_case_of_known(rows, known, entity.key))
        if references is not None:
            for column in entity.references:
                target = column.reference.entity if column.reference else ""
                if self.folded.get(target) and self.lettered.get(target) and target != entity.name:
                    parent = self.context.read(f"silver.{target}_staged")
                    there = F.coalesce(F.col("_spelling"), F.col(column.reference.column))  # type: ignore[union-attr]
                    known = parent.select(F.col(column.reference.column).alias("_key"), there.alias("_known"))  # type: ignore[union-attr]
                    own_references = references.filter(F.col("column") == column.name)
                    case.append(lookalikes.by_case_of_known(own_references, known, column.name))
        if any(row["sized"] for row in seen.values()):
            keys = staged.select(key.alias("_known"))
            if self.lake.exists(entity.clean.name):
                clean = self.context.read(entity.clean)
                keys = keys.unionByName(clean.select(key.alias("_known")))
            length.append(lookalikes.by_length(staged.select(*place, key.alias("_key")), keys, entity.key))
        if any(row["numbered"] for row in seen.values()) and self._may_lack_zeros(entity, seen):
            known = self.context.read(entity.clean).select(key.alias("_known"))
            zeros.append(lookalikes.by_zeros(staged.select(*place, key.alias("_key")), known, entity.key))
        for name, known in parents.items():
            if any(row[f"orphans_{name}"] for row in seen.values()):
                rows = staged.filter(F.array_contains("_failed_checks", f"{name}.reference"))
                rows = rows.select(*place, F.col(name).alias("_key"))
                length.append(lookalikes.by_length(rows, known.select(F.col("_key").alias("_known")), name))
        owners = {entity.key: (entity.name, entity.key)}
        owners |= {c.name: (c.reference.entity, c.reference.column) for c in entity.references if c.reference}
        doubtful: dict[str, tuple[str, Reason]] = {}
        pairs = [
            frame.withColumn("by", F.lit(by))
            for by, frames in (("case", case), ("length", length), ("zeros", zeros))
            for frame in frames
        ]
        if not pairs:
            return doubtful
        summary = (
            reduce(lambda left, right: left.unionByName(right), pairs)
            .groupBy("_source_file", "by")
            .agg(
                F.countDistinct("_source_row").alias("n"),
                F.min(F.struct("_source_row", "column", "one", "other")).alias("first"),
            )
        )
        for row in sorted(summary.collect(), key=lambda row: row["by"]):
            line, column, spelling, other = row["first"]
            file = files[row["_source_file"]]
            if row["by"] == "length":
                says, text = "an identifier has a short and a long form", cut(file)
            elif row["by"] == "zeros":
                says, text = "identifiers are known with other leading zeros", padded(file, column, len(other))
            else:
                says, text = "identifiers are equal only after folding case", case_sensitive(file, *owners[column])
            reason = Reason(f"{column}: {says}", row["n"], line, f"{spelling!r} and {other!r}")
            doubtful.setdefault(file.name, (text, reason))
        return doubtful

    def _may_lack_zeros(self, entity: Entity, seen: Mapping[str, Any]) -> bool:
        """Whether a number is written with leading zeros in this batch or in an earlier one: one scan, and no join."""
        name = entity.clean.name
        if not self.lake.exists(name):
            return False
        if any(row["padded"] for row in seen.values()):
            return True
        with query.connect(self.lake, layers=["silver"], only={name}) as connection:
            sql = f"select 1 from {name} where regexp_matches({entity.key}, '{PADDED}') limit 1"
            return bool(query.rows(connection, sql))

    def _key_columns(self, entity: Entity) -> list[str]:
        """Columns of bronze that hold the key of an entity; none where the lakehouse knows no record of it yet."""
        if not self.lake.exists(entity.history.name):
            return []
        written = {
            file.mapping[entity.key].column for file in self.batch.files_of(entity.name) if entity.key in file.mapping
        }
        there = {column for column, _ in store.spark_types(self.lake, f"bronze.{entity.name}")}
        return sorted(column for column in written if column in there)

    def _knows_mixed(self, entity: Entity) -> bool:
        """Whether some known key that is compared in upper case is written in both cases: one scan, and no join."""
        columns = self._key_columns(entity)
        if not columns or entity.column(entity.key).kind != "identifier":
            return False
        name = f"bronze.{entity.name}"
        tests = (f'("{column}" <> upper("{column}") and "{column}" <> lower("{column}"))' for column in columns)
        with query.connect(self.lake, layers=["bronze"], only={name}) as connection:
            return bool(query.rows(connection, f"select 1 as found from {name} where {' or '.join(tests)} limit 1"))

    def _known_spellings(self, staged: DataFrame, entity: Entity, every: bool) -> DataFrame | None:
        """Keys of the batch that the lakehouse knows, as bronze has them written: `_key` and `_known`.

        With `every` also those that the batch writes in upper case throughout.
        """
        history, name, columns = entity.history.name, f"bronze.{entity.name}", self._key_columns(entity)
        if not columns:
            return None
        place = ["_source_file", "_source_row"]
        asked = staged if every else staged.filter(F.col("_spelling").isNotNull())
        keys = asked.select(F.col(entity.key).alias("_key")).distinct()
        earlier = F.col("_batch_id") != F.lit(self.batch.batch_id)
        kept = self.context.read(history).filter(earlier).select(F.col(entity.key).alias("_key"), *place)
        kept = kept.join(keys, on="_key", how="left_semi").distinct()
        cell = words.unspaced(F.coalesce(*(F.col(f"`{column}`") for column in columns)))
        raw = self.context.read(name).select(*place, cell.alias("_known"))
        met = kept.join(raw, on=place, how="inner").filter(F.upper("_known") == F.col("_key"))
        return met.select("_key", "_known")


def _nulled(entity: Entity) -> list[str]:
    """Columns whose value is null where it cannot be read, while the row is kept."""
    return [column.name for column in entity.columns if column.checks.get("readable") == "warn"]


def _unread(entity: Entity, row: Any) -> list[Reason]:
    """Why the columns of a file are not understood of which most values cannot be read."""
    return [
        Reason(f"{name}: cannot be read as {entity.column(name).kind}", row[f"unread_{name}"], row[f"line_{name}"])
        for name in _nulled(entity)
        if row[f"unread_{name}"] * 2 > row[f"filled_{name}"]
    ]


def _sized(key: str) -> Column:
    """Identifiers that may be the short or the long form of one."""
    return F.length(F.col(key)).isin(SHORT, LONG)


def _counted(staged: DataFrame, entity: Entity) -> DataFrame:
    """One row per file: rows, refused rows, records that are broken, keys in another case, keys that could be written in
    both cases, keys that may be a short or long form, keys that are numbers, those with leading zeros, rows without a required value, such keys among the references that
    lead nowhere, and values that cannot be read.
    """
    required = [column.name for column in entity.columns if column.checks.get("null") == "reject"]
    references = [column.name for column in entity.references]
    failed = F.coalesce(F.col("_failed_checks"), F.array().cast("array<string>"))
    broken = F.array_contains(failed, "record.shape")
    unread = {name: F.array_contains(failed, f"{name}.readable") for name in _nulled(entity)}
    return staged.groupBy("_source_file").agg(
        F.count(F.lit(1)).alias("rows"),
        F.count_if(F.col("_reasons").isNotNull()).alias("refused"),
        F.count_if(F.col("_spelling").isNotNull()).alias("folded"),
        F.count_if(F.col(entity.key).cast("string").rlike(_TWO_LETTERS)).alias("lettered"),
        F.count_if(_sized(entity.key)).alias("sized"),
        F.count_if(F.col(entity.key).cast("string").rlike(NUMBER)).alias("numbered"),
        F.count_if(F.col(entity.key).cast("string").rlike(PADDED)).alias("padded"),
        F.count_if(broken).alias("broken"),
        F.max(F.when(~broken, F.col("_source_row"))).alias("last"),
        *(F.count_if(F.col(name).isNull()).alias(f"empty_{name}") for name in required),
        *(
            F.count_if(F.array_contains(failed, f"{name}.reference") & _sized(name)).alias(f"orphans_{name}")
            for name in references
        ),
        *(F.count_if(bad).alias(f"unread_{name}") for name, bad in unread.items()),
        *(F.count_if(bad | F.col(name).isNotNull()).alias(f"filled_{name}") for name, bad in unread.items()),
        *(F.min(F.when(bad, F.col("_source_row"))).alias(f"line_{name}") for name, bad in unread.items()),
    )
