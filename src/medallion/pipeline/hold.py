"""Files that are held back: too many of their rows are refused, or their identifiers cannot be told apart.

Every file of a batch is judged on its staged rows, before any of them is kept. A file that is held back becomes a batch
of its own in the state `held`: its rows stay in bronze, nothing of it enters silver, and every run says so until the
file is corrected or accepted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any

from medallion.config import HoldBack
from medallion.contracts import Entity, Override
from medallion.contracts.filling import COMPLETE
from medallion.figures import percent
from medallion.lakehouse import contracts_in_use, query, store
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import batches
from medallion.pipeline.batches import Batch
from medallion.pipeline.context import Context
from medallion.sources import Refusal, SourceFile

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: Reasons that are told of a file.
_REASONS = 3
#: A small file is loaded, but the run ends with exit status 1 when more than this share of its rows is refused.
_MOST = 0.5
#: A column of at least so many values of which more than half cannot be read is not understood.
_VALUES = 3
#: So many known records tell that a complete delivery is not.
_KNOWN = 10
#: So many lines of one cell each after the last record are a report's footer; a single one may be a record cut short.
_FOOTER, _ONE_CELL = 2, r"^record: cannot be read: [01] cells, "
#: What a key must have to be written in upper and lower case at once.
_TWO_LETTERS = r"\p{L}.*\p{L}"


@dataclass(frozen=True)
class Reason:
    """Why rows of a file are refused or doubtful: how many, and the first of them."""

    says: str
    rows: int
    line: int
    value: str = ""

    def told(self, values: bool) -> str:
        """As text; without values where it is written down, since a value may be someone's name."""
        shown = f": {self.value}" if values and self.value else ""
        return f"{self.says} ({self.rows:,} row{'' if self.rows == 1 else 's'}, such as line {self.line}{shown})"


@dataclass(frozen=True)
class Counts:
    """What the staged rows of one file come to. `empty` has the rows without a value per required column, `unread` those
    whose value cannot be read, and those that have one, per column that is null then.
    """

    rows: int
    refused: int
    empty: Mapping[str, int] = field(default_factory=dict)
    unread: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a file: `held` back, or loaded with a warning that ends the run with exit status 1."""

    file: SourceFile
    held: bool
    says: str
    reasons: tuple[Reason, ...]
    remedy: str

    def told(self, values: bool = True) -> str:
        """As one sentence with the reasons, the most frequent first."""
        return (
            f"{self.says}: {'; '.join(reason.told(values) for reason in self.reasons)}" if self.reasons else self.says
        )

    @property
    def refusal(self) -> Refusal:
        """As a message."""
        return Refusal(self.file.name, self.file.entity, self.told(), self.remedy)


def judged(file: SourceFile, counts: Counts, limits: HoldBack, parent_held: bool = False) -> str | None:
    """Why a file is held back by its counts, None when it is not.

    Args:
        file: The file.
        counts: Its counts.
        limits: When a file is held back.
        parent_held: Whether a file that its rows refer to is held back; then a small file waits as well.
    """
    least = 1 if parent_held else limits.rows
    if file.accept:
        return None
    for column, (unread, filled) in counts.unread.items():
        if filled >= _VALUES and unread * 2 > filled:
            return f"{file.name}: {unread:,} of {filled:,} values of {column} cannot be read"
    if counts.rows < least:
        return None
    if counts.refused > limits.refused * counts.rows:
        return f"{file.name}: {_of(counts.refused, counts.rows)} are refused (limit {percent(limits.refused, 0)})"
    for column, empty in counts.empty.items():
        if empty > limits.empty * counts.rows:
            return f"{file.name}: {_of(empty, counts.rows)} have no {column} (limit {percent(limits.empty, 0)})"
    return None


def poor(file: SourceFile, counts: Counts) -> str | None:
    """What to say of a file that is loaded although most of it is refused; None when most is accepted."""
    if counts.rows and counts.refused == counts.rows:
        return f"No row of {file.name} was accepted"
    if not file.accept and counts.refused > _MOST * counts.rows:
        return f"{file.name}: {_of(counts.refused, counts.rows)} are refused"
    return None


def _of(part: int, whole: int, what: str = "rows") -> str:
    return f"{part:,} of {whole:,} {what}"


def remedy(file: SourceFile) -> str:
    """What to do about a file that is held back."""
    return (
        f"Put the corrected file in the place of {file.uri}, or correct the contract and give it with --contract; "
        "--accept takes the file in as it is."
    )


def case_sensitive(file: SourceFile, entity: str, key: str) -> str:
    """What to do about identifiers that differ by case alone."""
    words = "primaryKey: true, semanticType: text, logicalTypeOptions: {pattern: '^\\S.*$'}"
    return (
        "If these are different records, let a contract compare the key as written "
        f"({entity}: properties: - {{name: {key}, {words}}}; semanticType: text for columns that refer to it; "
        f"`medallion init` writes both). Otherwise spell them alike. {remedy(file)}"
    )


def cut(file: SourceFile) -> str:
    """What to do about short and long forms of one identifier."""
    return (
        "If these are the same records, export both with 18 characters, or let a contract cut the long ones, such as "
        f'customer_id: {{sql: "substring(id, 1, 15)"}}. {remedy(file)}'
    )


def under(limits: HoldBack, overrides: Iterable[Override]) -> str:
    """By which contracts and limits files are held back, as a text: when it differs, they are tried again."""
    return f"{contracts_in_use.fingerprint(overrides)} {limits.rows} {limits.refused} {limits.empty}"


def waiting(known: Iterable[Batch]) -> list[Batch]:
    """Files that are held back."""
    return [batch for batch in known if batch.state == batches.HELD]


def to_try(
    known: Iterable[Batch],
    held_under: str,
    accept: bool,
    entities: Mapping[str, Entity],
    arriving: Collection[str] = (),
) -> list[Batch]:
    """Held files to take through silver in this run.

    All of them with `accept`; else those that were held back under another contract, and those whose rows refer to
    an entity of which files arrive.
    """
    from medallion import sources

    def is_due(file: SourceFile) -> bool:
        waits_for = entities[file.entity].depends_on & set(arriving)
        return accept or file.held_under != held_under or bool(waits_for)

    due = [batch for batch in waiting(known) if batch.files[0].entity in entities and is_due(batch.files[0])]
    order = list(entities)
    due.sort(key=lambda batch: order.index(batch.files[0].entity))
    return [
        replace(
            batch,
            state=batches.INGESTED,
            files=tuple(replace(sources.remapped(file, entities), accept=accept) for file in batch.files),
        )
        for batch in due
    ]


def replaced(known: Iterable[Batch]) -> list[Batch]:
    """Held files in whose place there is another content later, read before or now."""
    known = list(known)
    read = [
        (_place(file), file.content_hash, batch.known_at)
        for batch in known
        if batch.state != batches.ABANDONED and (not batch.origin or batch.state == batches.HELD)
        for file in batch.files
    ]
    return [
        batch
        for batch in waiting(known)
        for mine in batch.files
        if any(
            at == _place(mine) and content != mine.content_hash and when > batch.known_at for at, content, when in read
        )
    ]


def _place(file: SourceFile) -> tuple[str, str, str, str]:
    return file.uri, file.member, file.sheet, file.entity


def told(batch: Batch) -> Refusal:
    """A file that an earlier run held back, as a message."""
    file = batch.files[0]
    return Refusal(file.name, file.entity, file.held, remedy(file))


def left_behind(lake: Lakehouse, entity: Entity, batch: Batch, limits: HoldBack) -> Refusal | None:
    """Why a held file stays held though there is other content in its place, None when it may be given up.

    It may when its records are in the new content or in the tables, all but the share that may be refused; or when the
    new content has no rows, which withdraws it. A file of changed rows alone takes the place of the one before it and
    replaces nothing.
    """
    file, bronze = batch.files[0], f"bronze.{entity.name}"
    filling = file.mapping.get(entity.key)
    key = "upper(regexp_replace(\"{}\", '\\s', '', 'g'))"
    mine = f"select {key.format(filling.column)} as k" if filling and filling.column else "select _source_row as k"
    mine += f" from {bronze} where _source_file = ? and _batch_id "
    known = (
        f"select upper({entity.key}) from {entity.history.name}" if lake.exists(entity.history.name) else "select ''"
    )
    with query.connect(lake, layers=["bronze", "silver"], only={bronze, entity.history.name}) as connection:
        counts = query.rows(
            connection,
            f"with held as (select distinct k from ({mine} = ?) where k is not null), later as (select k from ({mine} > ?)) "
            "select (select count(*) from held) as n, (select count(*) from later) as later, "
            "(select count(*) from held where k not in (select k from later where k is not null) "
            f"and cast(k as varchar) not in ({known})) as missing",
            [file.name, batch.origin, file.name, batch.origin],
        )[0]
    if not counts["later"] or counts["missing"] <= limits.refused * counts["n"]:
        return None
    problem = (
        f"{file.held}; other content has taken its place, but {_of(counts['missing'], counts['n'], 'records')} are "
        "in none that was read"
    )
    way_out = (
        f"Put the whole corrected file in the place of {file.uri} (one with the header alone withdraws it), or correct the "
        "contract and give it with --contract; --accept takes the held rows in as they are."
    )
    return Refusal(file.name, file.entity, problem, way_out)


def given_up(lake: Lakehouse, batch: Batch) -> str:
    """What to say of a held file in whose place there is other content."""
    file = batch.files[0]
    name = f"bronze.{file.entity}"
    with query.connect(lake, layers=["bronze"], only={name}) as connection:
        sql = f"select count(*) as n from {name} where _batch_id = ? and _source_file = ?"
        rows = query.rows(connection, sql, [batch.origin, file.name])[0]["n"]
    return (
        f"{file.name}: the version that was held back on {batch.known_at:%Y-%m-%d} ({rows:,} row{'' if rows == 1 else 's'}) "
        "is given up, since other content is in its place"
    )


class Gate:
    """Judges the files of one batch, entity by entity, parents first."""

    def __init__(self, context: Context, batch: Batch, limits: HoldBack, held_under: str) -> None:
        self.context, self.lake, self.batch = context, context.lake, batch
        self.limits, self.held_under = limits, held_under
        self.verdicts: list[Verdict] = []
        self.folded: dict[str, bool] = {}

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
        from medallion import silver  # brings the engine's functions along

        staged = silver.counted(self.context.read(entity.staged))
        seen = {row["_source_file"]: row for row in _counted(staged, entity).collect()}
        if any(row["broken"] >= _FOOTER and row["last"] for row in seen.values()) and self._leave_out(entity, seen):
            staged = silver.counted(self.context.read(entity.staged))
            seen = {row["_source_file"]: row for row in _counted(staged, entity).collect()}
        self.folded[entity.name] = any(row["folded"] for row in seen.values())
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
            says, held = judged(file, counts, self.limits, parent_held), True
            if says is None:
                says, held = poor(file, self._without_footer(staged, file.name, row, counts)), False
            if says:
                reasons = (*_unread(entity, row), *self._reasons(staged, file.name))
                way_out = (
                    remedy(file)
                    if held
                    else (
                        "The rows wait in quarantine (`medallion quarantine list`). Correct the export and run again, or "
                        "correct the contract and take them through it with `medallion quarantine replay --all`."
                    )
                )
                self.verdicts.append(Verdict(file, held, says, reasons, way_out))
        return self.names(entity.name)

    def _shrunk(self, entity: Entity) -> dict[str, str]:
        """Files that lack most of the known records though a contract says that their deliveries are complete."""
        from pyspark.sql import functions as F

        from medallion.pipeline.ends import of_source, source_names

        found: dict[str, str] = {}
        for source, files in of_source(self.batch.files, entity.name).items():
            if not any(COMPLETE in file.mapping and not file.accept for file in files):
                continue
            if not self.lake.exists(entity.clean.name):
                continue
            names = source_names(self.lake, entity.name, source, files)
            known = self.context.read(entity.clean).filter(F.col("_source_file").isin(*names)).select(entity.key)
            there = self.context.read(entity.staged).select(entity.key)
            count, missing = known.count(), known.join(there, on=entity.key, how="left_anti").count()
            if count >= _KNOWN and missing > _MOST * count:
                says = f"it lacks {_of(missing, count, 'known records')}, which would all be gone, since a contract says that its deliveries are complete"
                found |= {file.name: f"{file.name}: {says}" for file in files}
        return found

    def _leave_out(self, entity: Entity, seen: Mapping[str, Any]) -> bool:
        """Exclude the lines after the last record of a file that are text and no records, as reports have them there."""
        from pyspark.sql import functions as F

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
        from pyspark.sql import functions as F

        if not row["broken"] or row["last"] is None or counts.refused == counts.rows:
            return counts
        after = (F.col("_source_file") == file) & (F.col("_source_row") > row["last"])
        footer = staged.filter(after).count()
        return replace(counts, rows=counts.rows - footer, refused=counts.refused - footer)

    def _reasons(self, staged: DataFrame, file: str) -> tuple[Reason, ...]:
        """Why rows of a file are refused, the most frequent first."""
        from pyspark.sql import functions as F

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
        from pyspark.sql import functions as F

        from medallion.silver import lookalikes

        files = {file.name: file for file in self.batch.files_of(entity.name)}
        case, length = [], []
        key = F.col(entity.key)
        place = ("_source_file", "_source_row")
        if self.folded[entity.name]:
            case.append(lookalikes.by_case(staged, entity))
        mixed = any(row["lettered"] for row in seen.values()) and self._knows_mixed(entity)
        asks = self.folded[entity.name] or mixed
        if asks and (known := self._known_spellings(staged, entity, every=mixed)) is not None:
            rows = staged.select(*place, key.alias("_key"), lookalikes.spelled(entity).alias("_spelled"))
            case.append(lookalikes.by_case_of_known(rows, known, entity.key))
        if references is not None:
            for column in entity.references:
                target = column.reference.entity if column.reference else ""
                if self.folded.get(target) and target != entity.name:
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
        for name, known in parents.items():
            if any(row[f"orphans_{name}"] for row in seen.values()):
                rows = staged.filter(F.array_contains("_failed_checks", f"{name}.reference"))
                rows = rows.select(*place, F.col(name).alias("_key"))
                length.append(lookalikes.by_length(rows, known.select(F.col("_key").alias("_known")), name))
        owners = {entity.key: (entity.name, entity.key)}
        owners |= {c.name: (c.reference.entity, c.reference.column) for c in entity.references if c.reference}
        doubtful: dict[str, tuple[str, Reason]] = {}
        for frames, says, way_out in (
            (case, "identifiers are equal only after folding case", None),
            (length, "an identifier has a short and a long form", cut),
        ):
            if not frames:
                continue
            pairs = reduce(lambda one, other: one.unionByName(other), frames)
            summary = pairs.groupBy("_source_file").agg(
                F.countDistinct("_source_row").alias("n"),
                F.min(F.struct("_source_row", "column", "one", "other")).alias("first"),
            )
            for row in summary.collect():
                line, column, one, other = row["first"]
                file = files[row["_source_file"]]
                text = way_out(file) if way_out else case_sensitive(file, *owners[column])
                reason = Reason(f"{column}: {says}", row["n"], line, f"{one!r} and {other!r}")
                doubtful.setdefault(file.name, (text, reason))
        return doubtful

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
        from pyspark.sql import functions as F

        from medallion import columns as words

        history, name, columns = entity.history.name, f"bronze.{entity.name}", self._key_columns(entity)
        if not columns:
            return None
        place = ["_source_file", "_source_row"]
        asked = staged if every else staged.filter(F.col("_spelling").isNotNull())
        keys = asked.select(F.col(entity.key).alias("_key")).distinct()
        mine = F.col("_batch_id") != F.lit(self.batch.batch_id)
        kept = self.context.read(history).filter(mine).select(F.col(entity.key).alias("_key"), *place)
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


def _counted(staged: DataFrame, entity: Entity) -> DataFrame:
    """One row per file: rows, refused rows, records that are broken, keys in another case, keys that could be written in
    both cases, keys that may be a short or long form, rows without a required value, rows whose reference leads nowhere,
    and values that cannot be read.
    """
    from pyspark.sql import functions as F

    from medallion.silver.lookalikes import LONG, SHORT

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
        F.count_if(F.length(F.col(entity.key)).isin(SHORT, LONG)).alias("sized"),
        F.count_if(broken).alias("broken"),
        F.max(F.when(~broken, F.col("_source_row"))).alias("last"),
        *(F.count_if(F.col(name).isNull()).alias(f"empty_{name}") for name in required),
        *(F.count_if(F.array_contains(failed, f"{name}.reference")).alias(f"orphans_{name}") for name in references),
        *(F.count_if(bad).alias(f"unread_{name}") for name, bad in unread.items()),
        *(F.count_if(bad | F.col(name).isNotNull()).alias(f"filled_{name}") for name, bad in unread.items()),
        *(F.min(F.when(bad, F.col("_source_row"))).alias(f"line_{name}") for name, bad in unread.items()),
    )
