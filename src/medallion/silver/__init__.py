"""Bronze text to silver rows: conform, tell versions apart, keep the current one.

Every record of a batch ends in exactly one account:

- `accepted`: valid, and the current version of its key when it arrived;
- `superseded`: valid, but a newer version of its key was known or came with it; kept in history only;
- `merged`: valid and current, of a record that a decision has merged into another; kept in history only;
- `duplicate`: the same cleaned values as the version of its key just before it; adds nothing;
- `withdrawn`: says that its record has ended (deleted, merged into another); a version in history, not in the clean
  table;
- `excluded`: does not count by the `where` of its source;
- `quarantined`: refused by the contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StringType, StructField, StructType

from medallion import columns as words
from medallion.cells.arrays import read_batches
from medallion.cells.plain import read_type
from medallion.contracts import Column as Declared
from medallion.contracts import Entity, Filling
from medallion.contracts.model import ENDED
from medallion.contracts.odcs import names_in
from medallion.errors import ContractError
from medallion.silver import checks, life
from medallion.silver.rewinding import ended_by as ended_by
from medallion.silver.rewinding import grown as grown
from medallion.silver.rewinding import newest_event as newest_event
from medallion.silver.rewinding import of_counted as of_counted
from medallion.silver.rewinding import rewind as rewind
from medallion.silver.rewinding import without as without

#: Where a row came from, as bronze has it.
_SOURCE = ("known_at", "_batch_id", "_source_file", "_source_row")


@dataclass(frozen=True)
class Readings:
    """Every record of a batch with its cells, their texts and the values read from them; what `conform` starts from."""

    frame: DataFrame
    texts: Mapping[str, Column]
    read_as: Mapping[str, Column]
    looked_up: Mapping[str, checks.Lookup]
    may_end: bool = False


def filled_down(bronze: DataFrame, mapping: Mapping[str, Mapping[Filling, tuple[str, ...]]]) -> DataFrame:
    """Rows of whole files with empty cells filled from the cell above, in the columns that a contract fills down.

    A record whose cells are not known may be the head of a group: below it, up to the next head, `_headless` names a
    column that has no value for that reason. It is null elsewhere.
    """
    filled: dict[str, Column] = {}
    headless = []
    in_file = Window.partitionBy("_batch_id", "_source_file").orderBy("_source_row")
    whole = F.col("_malformed").isNull()
    for canonical, filling, files in _fill_downs(mapping):
        name = str(filling.column)
        cell = F.col(_quoted(name))
        lost = ~whole & cell.isNull()  # a cell that is known to have been empty is left as an empty text
        head = F.when((words.squish(cell) != "") | lost, F.struct("_source_row", F.when(whole, cell).alias("_cell")))
        above = F.max(head).over(in_file)
        applies = whole & (F.col("_source_file").isin(*files) if files else F.lit(True))
        filled[name] = F.when(applies, above["_cell"]).otherwise(filled.get(name, cell))
        headless.append(F.when(applies & above.isNotNull() & above["_cell"].isNull(), F.lit(canonical)))
    return bronze.withColumns({**filled, "_headless": F.coalesce(*headless)}) if filled else bronze


def filled_columns(mapping: Mapping[str, Mapping[Filling, tuple[str, ...]]]) -> set[str]:
    """Columns of bronze in which an empty cell means the one above, in any file."""
    return {str(filling.column) for _, filling, _ in _fill_downs(mapping)}


def _fill_downs(
    mapping: Mapping[str, Mapping[Filling, tuple[str, ...]]],
) -> list[tuple[str, Filling, tuple[str, ...]]]:
    return [
        (name, filling, files)
        for name, fillings in mapping.items()
        for filling, files in fillings.items()
        if filling.fill_down
    ]


def readings(
    bronze: DataFrame,
    entity: Entity,
    mapping: Mapping[str, Mapping[Filling, tuple[str, ...]]],
    lookups: Mapping[Filling, LookupTable] | None = None,
    survivors: Mapping[str, DataFrame] | None = None,
    merges: DataFrame | None = None,
    with_cells: bool = True,
) -> Readings:
    """The records of a batch, read by the contract.

    Args:
        bronze: Rows of one batch, all cells as text. A column `=name` holds corrections: where it is not null it
            replaces what the file says of the canonical column `name`.
        entity: The contract.
        mapping: Per canonical column, what fills it and in which files; no file means in all.
        lookups: Per filling that is looked up in another entity, the `lookup_table` for it.
        survivors: Per referring column, the merged records of the entity that it refers to (`life.survivors`).
        merges: The file that lists merges of these records, as its clean table; None without one.
        with_cells: Whether the cells stay beside what is read of them, as `conform` wants them.
    """
    names = [name for name in bronze.columns if with_cells and not name.startswith("_")]
    filled = {
        column.name: texts_of(column.name, sources, entity, bronze.columns)
        for column in entity.columns
        if (sources := _with_correction(column.name, mapping, bronze.columns))
    }
    parts = {f"_text_{name}_{place}": text for name, of in filled.items() for place, (_, text) in enumerate(of)}
    may_end = entity.key in entity.column_names and (life.is_told(mapping) or merges is not None)
    conditions = life.told(mapping) if may_end else {}
    into = {f"_text_into_{n}": text for n, text in enumerate(life.merged_into(mapping, entity))} if may_end else {}
    headless = F.col("_headless") if "_headless" in bronze.columns else F.lit(None).cast("string")
    carried = {
        "known_at": F.col("_ingested_at"),
        "_batch_id": F.col("_batch_id"),
        "_source_file": F.col("_source_file"),
        "_source_row": F.col("_source_row").cast("bigint"),
        "_headless": headless,
        "_malformed": F.col("_malformed"),
        "_malformed_reason": F.col("_malformed_reason"),
        **({"_cells": F.struct(*map(_cell, names), F.col("_malformed").alias("_record"))} if with_cells else {}),
        **conditions,
        **parts,
        **into,
    }
    read = {
        name: [(f"_text_{name}_{place}", entity.column(name), filling) for place, (filling, _) in enumerate(of)]
        for name, of in filled.items()
    }
    if into:
        key = entity.column(entity.key)
        read["_into"] = [(name, key, Filling(column=key.name)) for name in into]
    elif may_end:
        carried["_into"] = F.lit(None).cast("string")
    read |= _meanings(filled)
    texts = {name: F.coalesce(*(F.col(f"_text_{name}_{i}") for i in range(len(of)))) for name, of in filled.items()}
    typed = _read(bronze, carried, names, read)
    kept = [*carried, *(name for name in read if name not in filled)]
    typed = typed.select(*(_typed(column, column.name in read) for column in entity.columns), *kept)
    typed, looked_up = _look_up(typed, entity, filled, texts, lookups or {})
    typed = life.following(typed, survivors or {})
    changed = [column.name for column in entity.columns if column.fallback or column.default or column.derive]
    if changed:
        typed = typed.withColumns({f"_read_{name}": F.col(name) for name in changed})
    typed = _complete(typed, entity, texts)
    if may_end:
        typed = life.with_merges(typed, entity, merges)
    return Readings(typed, texts, {name: F.col(f"_read_{name}") for name in changed}, looked_up, may_end)


def orphan_keys(readings: Readings, parents: Mapping[str, DataFrame]) -> DataFrame:
    """One row per referring column and key that no known row has: `referring` and `key`.

    A few keys as a rule, so that the rows which have them are marked by comparing texts, and no row is moved as by a join
    with all known keys.

    Args:
        readings: The records of a batch.
        parents: Per referring column, the known keys of the entity it refers to, as one column `_key`.
    """
    parts = []
    for name, keys in parents.items():
        referring = readings.frame.select(F.col(name).cast("string").alias("key")).filter(F.col("key").isNotNull())
        # each key once, before the join: the embedded engine keeps in memory what is on the left of it
        unknown = referring.distinct().join(keys, F.col("key") == F.col("_key"), how="left_anti")
        parts.append(unknown.select(F.lit(name).alias("referring"), "key"))
    return reduce(DataFrame.unionByName, parts)


def references_as_written(
    readings: Readings, entity: Entity, mapping: Mapping[str, Mapping[Filling, tuple[str, ...]]]
) -> DataFrame | None:
    """One row per reference that is compared in another case than it is written in, None where none can be.

    Columns: `_source_file`, `_source_row`, `column`, `_key` (as compared) and `_spelled` (as written).
    """
    parts = []
    for column in entity.references:
        looked_up = any(filling.lookup for filling in mapping.get(column.name, ()))
        if column.kind == "identifier" and column.name in readings.texts and not looked_up:
            written = words.unspaced(readings.texts[column.name])
            rows = readings.frame.filter(
                (written != F.col(column.name)) & (F.upper(written) == F.col(column.name))
            )  # no merge
            parts.append(
                rows.select(
                    "_source_file",
                    "_source_row",
                    F.lit(column.name).alias("column"),
                    F.col(column.name).alias("_key"),
                    written.alias("_spelled"),
                )
            )
    return reduce(DataFrame.unionByName, parts) if parts else None


def conform(readings: Readings, entity: Entity, unknown: Mapping[str, DataFrame | Sequence[str]]) -> DataFrame:
    """Every record of a batch as `entity.staged`: typed values, what is wrong with it, the raw row if refused.

    Args:
        readings: The records of a batch.
        entity: The contract.
        unknown: Per referring column that is checked, the keys that lead nowhere, distinct: as texts where they are few,
            which moves no row, else as one column `key`.
    """
    typed, known = readings.frame, {}
    for name, keys in unknown.items():
        if not isinstance(keys, DataFrame):
            leads_nowhere = F.col(name).cast("string").isin(*keys) if keys else F.lit(False)
            known[name] = ~F.coalesce(leads_nowhere, F.lit(False))
            continue
        typed = typed.join(
            keys.select(F.col("key").alias(f"_orphan_{name}")), F.col(name) == F.col(f"_orphan_{name}"), how="left"
        )
        known[name] = F.col(f"_orphan_{name}").isNull()
    judged = [*_shape(), *checks.checks(entity, readings.texts, readings.read_as, known, readings.looked_up)]
    nothing = F.lit(None).cast("string")
    fate, by, into, version = nothing, nothing, nothing, F.xxhash64(*entity.column_names)
    if readings.may_end:
        typed = typed.withColumn("_by", life.ended_by(entity))
        typed = typed.withColumn("_fate", life.fate(F.col("_by")))
        by, into = F.when(F.col("_fate") == "withdrawn", F.col("_by")), F.when(F.col("_by") == "merged", F.col("_into"))
        fate = F.col("_fate")
        judged = [*_of_living(judged, entity), _unclear()]
        ended = F.xxhash64(*entity.column_names, by, F.coalesce(into, F.lit("")))
        version = F.when(by.isNull(), version).otherwise(ended)
    typed, evaluated = _evaluated(typed, judged)
    reasons = checks.messages(evaluated)
    if readings.may_end:
        reasons = F.when(fate == "excluded", F.array(fate)).otherwise(reasons)
    return typed.select(
        *entity.column_names,
        *_SOURCE,
        version.alias("_version_hash"),
        reasons.alias("_reasons"),
        checks.failed_checks(evaluated).alias("_failed_checks"),
        F.when(checks.refuses(evaluated), F.to_json("_cells")).alias("_raw"),
        _spelling(readings, entity).alias("_spelling"),
        fate.alias("_fate"),
        by.alias("_ended_by"),
        into.alias("_merged_into"),
    )


def _of_living(judged: list[checks.Check], entity: Entity) -> list[checks.Check]:
    """Checks where records may have ended: those have to have a key, and those that do not count nothing."""
    counts, lives = ~F.col("_excluded"), F.col("_fate").isNull()
    return [
        replace(check, fails=(counts if check.column in ("record", entity.key) else lives) & check.fails)
        for check in judged
    ]


def _unclear() -> checks.Check:
    """The check that a condition of the contract tells whether the record counts, and whether it has ended."""
    return checks.Check("record", "condition", "reject", F.col("_unclear").isNotNull(), F.col("_unclear"))


def _spelling(readings: Readings, entity: Entity) -> Column:
    """The key as written, where upper case makes another text of it; null where it is compared as written anyway."""
    if entity.column(entity.key).kind != "identifier" or entity.key not in readings.texts:
        return F.lit(None).cast("string")
    written = words.unspaced(readings.texts[entity.key])
    return F.when(written != F.col(entity.key), written)


def _with_correction(
    name: str, mapping: Mapping[str, Mapping[Filling, tuple[str, ...]]], columns: list[str]
) -> dict[Filling, tuple[str, ...]]:
    corrected: dict[Filling, tuple[str, ...]] = {Filling(column=f"={name}"): ()} if f"={name}" in columns else {}
    return {**corrected, **mapping.get(name, {})}


def texts_of(
    name: str, sources: Mapping[Filling, tuple[str, ...]], entity: Entity, columns: list[str]
) -> list[tuple[Filling, Column]]:
    """What fills a canonical column, each with its text: null for a placeholder and in rows of other files.

    Args:
        name: The column.
        sources: What fills it, and in which files.
        entity: Its contract.
        columns: Columns of the bronze rows.
    """
    corrected = F.col(_quoted(f"={name}")).isNotNull() if f"={name}" in columns else None
    texts = []
    for filling, files in sources.items():
        if filling.column is not None:
            text = words.null_if_placeholder(F.col(_quoted(filling.column)), entity.empty(name))
        elif filling.sql is not None:
            text = words.null_if_placeholder(F.expr(filling.sql).cast("string"), entity.empty(name))
        else:
            text = F.lit(filling.value)
        if filling.empty is not None:
            text = F.coalesce(text, F.lit(filling.empty))
        if files:
            text = F.when(F.col("_source_file").isin(*files), text)
        if corrected is not None and filling.column != f"={name}":
            text = F.when(~corrected, text)
        texts.append((filling, text))
    return texts


def _read(
    rows: DataFrame,
    carried: Mapping[str, Column],
    cells_of: Iterable[str],
    read: Mapping[str, Sequence[tuple[str, Declared, Filling]]],
) -> DataFrame:
    """Rows as `carried` says, with what is read of their texts, by the names in `read`; see `read_batches`."""
    rows = rows.select(*(value.alias(name) for name, value in carried.items()))
    if not read:
        return rows
    of_record = StructType([StructField(name, StringType()) for name in (*cells_of, "_record")])
    types = {
        "known_at": "timestamp",
        "_source_row": "bigint",
        "_cells": of_record,
        "_excluded": "boolean",
        "_absent": "boolean",
    }
    types |= {name: read_type(parts[0][1]) for name, parts in read.items()}
    schema = StructType()
    for name in (*read, *carried):
        schema = schema.add(name, _spark_type(types.get(name, "string")))
    return words.with_known_names(rows, carried).mapInArrow(partial(read_batches, readings=read), schema)


def _spark_type(type_: str | DataType) -> Any:
    """A type as `StructType` knows it."""
    return "long" if type_ == "bigint" else type_


def _meanings(
    filled: Mapping[str, list[tuple[Filling, Column]]],
) -> dict[str, list[tuple[str, Declared, Filling]]]:
    """What texts that are looked up in another entity stand for there, `_meant_<column>_<place>`, where values are told."""
    return {
        f"_meant_{name}_{place}": [
            (
                f"_text_{name}_{place}",
                Declared(name, "string", kind="free_text"),
                Filling(column=name, values=filling.values, otherwise=filling.otherwise),
            )
        ]
        for name, of in filled.items()
        for place, (filling, _) in enumerate(of)
        if filling.lookup and (filling.values or filling.otherwise)
    }


def _typed(column: Declared, is_read: bool) -> Column:
    """The value of a column as its contract has it."""
    if not is_read:
        return F.lit(None).cast(column.type).alias(column.name)
    value = F.col(column.name)
    return value if read_type(column) == column.type else value.try_cast(column.type).alias(column.name)


@dataclass(frozen=True)
class LookupTable:
    """What texts of another entity's column `by` lead to: `_by` (in comparable form), `_take` and `_hits`, how many.

    `exact` has the texts that lead to one record as they are written (`_text`), and to several in comparable form.
    """

    frame: DataFrame
    exact: DataFrame
    by: Declared

    def comparable(self, text: Column) -> Column:
        """How texts are compared: identifiers as keys, others by their words."""
        return words.identifier(text) if self.by.kind == "identifier" else words.code(text)


def tried(spark: SparkSession, columns: list[str], sql: str, place: str) -> None:
    """Evaluate an expression over one row without a value: an engine reads its patterns only where there is one.

    Raises:
        ContractError: The engine does not know it, or it is no expression over one row.
    """
    schema = ", ".join(f"{_quoted(name)} string" for name in columns)
    try:
        spark.createDataFrame([(None,) * len(columns)], schema).select(
            F.expr(sql).cast("string").alias("value")
        ).collect()
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise ContractError(f"{place}: {sql!r} cannot be evaluated: {reason}", "Correct it in the contract.") from error


def lookup_table(parent: DataFrame, entity: Entity, filling: Filling, groups: DataFrame | None = None) -> LookupTable:
    """The table for a filling that is looked up in `entity`, of which `parent` has the current records as delivered.

    A text that several records have leads to one of them where all are one by decisions: `groups`, rows as
    `resolved.MEMBERS`.
    """
    by, take = entity.column(str(filling.by)), filling.take or entity.key
    table = LookupTable(parent, parent, by)
    text, value = F.col(by.name).cast("string"), F.col(take).cast("string")
    group = value
    if groups is not None and take == entity.key:
        parent = parent.join(groups.select("_key", "_group"), F.col(entity.key) == F.col("_key"), how="left")
        group = F.coalesce("_group", value)
    pairs = parent.select(
        table.comparable(text).alias("_by"),
        words.squish(text).alias("_text"),
        value.alias("_take"),
        group.alias("_one"),
    )
    known = pairs.filter(F.col("_by").isNotNull() & (F.col("_by") != "") & F.col("_take").isNotNull())
    first, count = F.min("_take").alias("_take"), F.countDistinct("_one").alias("_hits")
    hits = known.groupBy("_by").agg(first, count)
    alike = known.join(hits.filter("_hits > 1").select("_by"), on="_by", how="left_semi")
    exact = alike.groupBy("_text").agg(first, count).filter("_hits = 1").select("_text", F.col("_take").alias("_exact"))
    return LookupTable(hits, exact, by)


def _look_up(
    typed: DataFrame,
    entity: Entity,
    filled: Mapping[str, list[tuple[Filling, Column]]],
    texts: Mapping[str, Column],
    lookups: Mapping[Filling, LookupTable],
) -> tuple[DataFrame, dict[str, checks.Lookup]]:
    """Replace each text with what it leads to in another entity, and flag where it leads nowhere."""
    done = {}
    keys = {
        column
        for filling, _ in filled.get(entity.key, ())
        for column in ([filling.column] if filling.column else names_in(filling.sql or ""))
    }
    for name, of in filled.items():
        flags = []
        for place, (filling, _) in enumerate(of):
            if filling not in lookups:
                continue
            table, suffix = lookups[filling], f"{name}_{place}"
            text = F.col(f"_text_{suffix}")
            meant = F.col(f"_meant_{suffix}") if filling.values or filling.otherwise else text
            matches = table.frame.select(
                *(F.col(column).alias(f"{column}_{suffix}") for column in ("_by", "_take", "_hits"))
            )
            typed = typed.withColumn(f"_for_{suffix}", table.comparable(meant))
            typed = typed.join(matches, F.col(f"_for_{suffix}") == F.col(f"_by_{suffix}"), how="left")
            exact = table.exact.select(F.col("_text").alias(f"_as_{suffix}"), F.col("_exact").alias(f"_exact_{suffix}"))
            typed = typed.join(exact, words.squish(meant) == F.col(f"_as_{suffix}"), how="left")
            hit = F.coalesce(F.col(f"_exact_{suffix}"), F.when(F.col(f"_hits_{suffix}") == 1, F.col(f"_take_{suffix}")))
            typed = _with_hits(typed.withColumn("_hit", hit), entity.column(name))
            orphan = text.isNotNull() & hit.isNull()
            flags.append((filling, orphan, orphan & F.coalesce(F.col(f"_hits_{suffix}") > 1, F.lit(False))))
        if flags:
            done[name] = checks.Lookup(
                str(flags[0][0].lookup),
                reduce(Column.__or__, (orphan for _, orphan, _ in flags)),
                reduce(Column.__or__, (several for _, _, several in flags)),
                {filling.column for filling, _, _ in flags} <= keys,
            )
    return typed, done


def _with_hits(typed: DataFrame, column: Declared) -> DataFrame:
    """Rows with what is read of `_hit`, a text of another entity, where a column has no value."""
    read = {"_found": [("_hit", column, Filling(column="_hit"))]}
    schema = StructType().add("_found", _spark_type(read_type(column)))
    for field in typed.schema.fields:
        schema = schema.add(field)
    typed = typed.mapInArrow(partial(read_batches, readings=read), schema)
    value = F.coalesce(F.col(column.name), F.col("_found").try_cast(column.type))
    return typed.withColumn(column.name, value).drop("_found", "_hit")


def _evaluated(typed: DataFrame, judged: list[checks.Check]) -> tuple[DataFrame, list[checks.Check]]:
    """Each check as a column of its own, computed once, however often it is asked for.

    A record without cells is malformed and nothing else.
    """
    whole = F.col("_malformed").isNull()
    flags = {
        f"_fails_{place}": check.fails if check.column == "record" else whole & check.fails
        for place, check in enumerate(judged)
    }
    return typed.select("*", *(fails.alias(name) for name, fails in flags.items())), [
        replace(check, fails=F.col(name)) for name, check in zip(flags, judged, strict=True)
    ]


def _cell(name: str) -> Column:
    return F.col(_quoted(name))


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _complete(typed: DataFrame, entity: Entity, texts: Mapping[str, Column]) -> DataFrame:
    """Fallbacks and defaults of the contract, then its derived values."""
    filled = {}
    for column in entity.columns:
        value, text = F.col(column.name), texts.get(column.name, F.lit(None))
        if column.fallback is not None:
            value = F.when(value.isNull() & text.isNotNull(), F.lit(column.fallback)).otherwise(value)
        if column.default is not None:
            value = F.when(value.isNull() & text.isNull(), F.expr(column.default)).otherwise(value)
        if column.fallback is not None or column.default is not None:
            filled[column.name] = value
    derived = {column.name: F.expr(column.derive) for column in entity.columns if column.derive}
    for values in (filled, derived):
        if values:
            typed = typed.withColumns(values)
    return typed


def _shape() -> list[checks.Check]:
    """The checks that the record could be split into the header's cells, that what it continues could be, and that it
    may be kept.
    """
    erased = F.col("_malformed_reason") == F.lit(checks.ERASED)
    erased = F.col("_malformed").isNotNull() & F.coalesce(erased, F.lit(False))
    message = F.concat(F.lit(f"record: {checks.MESSAGES['shape']}: "), F.col("_malformed_reason"))
    return [
        checks.Check("record", "shape", "reject", F.col("_malformed").isNotNull() & ~erased, message),
        checks.Check(
            "record",
            "head",
            "reject",
            F.col("_headless").isNotNull(),
            F.concat("_headless", F.lit(f": {checks.MESSAGES['head']}")),
        ),
        checks.Check("record", "erased", "reject", erased, F.lit(f"record: {checks.MESSAGES['erased']}")),
    ]


def valid(staged: DataFrame) -> DataFrame:
    """Rows that the contract accepts, those that say that their record has ended among them."""
    return staged.filter(F.col("_reasons").isNull())


def counted(staged: DataFrame) -> DataFrame:
    """Rows of records that count and have not ended, refused ones among them."""
    return staged.filter(F.col("_fate").isNull())


def conflicting_keys(staged: DataFrame, history: DataFrame | None, entity: Entity) -> DataFrame:
    """Keys of a batch that need judging, by hash: `key_hash`, and whether a version was `known` before the batch.

    One row per key that occurs more than once in the batch, or in `history` (versions known before it). The rows of
    all other keys are accepted as they are.
    """
    hashes = valid(staged).select(words.key_hash(F.col(entity.key)).alias("key_hash"))
    repeated = hashes.groupBy("key_hash").agg(F.count(F.lit(1)).alias("n")).filter(F.col("n") > 1)
    repeated = repeated.select("key_hash", F.lit(False).alias("known"))
    if history is None:
        return repeated
    known = history.select(words.key_hash(F.col(entity.key)).alias("key_hash"))
    met = hashes.join(known, on="key_hash", how="left_semi").distinct()
    both = repeated.unionByName(met.withColumn("known", F.lit(True)))
    return both.groupBy("key_hash").agg((F.count_if("known") > 0).alias("known"))


def outcomes(
    staged: DataFrame,
    conflicting: DataFrame | Sequence[int],
    history: DataFrame | None,
    entity: Entity,
    may_end: bool = False,
) -> DataFrame:
    """The valid rows of a batch with `_outcome`: accepted, superseded, duplicate or withdrawn.

    Only conflicting keys are sorted; rows of all others pass through unchanged. The newest version by the contract's
    version column counts, then the one known last, then the one further down in the source; a version equal to the one
    before it in that order repeats it. So a value that comes back (10, 12, 10 in three deliveries) counts again.

    Args:
        staged: The batch.
        conflicting: Keys from `conflicting_keys`: their hashes where they are few, which moves no row, else a frame.
        history: Versions known before the batch; None when no conflicting key has any.
        entity: The contract.
        may_end: Whether rows of the batch may say that their record has ended.
    """
    names = outcome_columns(entity, may_end)
    staged = _undated(staged, may_end)
    unchanged = _of_keys(valid(staged), conflicting, entity, "left_anti").select(*names[:-1])
    unchanged = unchanged.withColumn("_outcome", F.lit("accepted"))
    if may_end:
        ends, at = F.col("_fate") == F.lit("withdrawn"), F.lit(None).cast("timestamp")
        if entity.version_column:
            at = F.col(entity.version_column).cast("timestamp")
        unchanged = unchanged.withColumn("_outcome", F.when(ends, F.lit("withdrawn")).otherwise(F.lit("accepted")))
        unchanged = unchanged.withColumn("_ended_at", F.when(ends, F.coalesce(at, "known_at")))
    if isinstance(conflicting, Sequence) and not conflicting:
        return unchanged
    return unchanged.unionByName(conflicts(staged, conflicting, history, entity, may_end))


def outcome_columns(entity: Entity, may_end: bool) -> list[str]:
    """The columns of `outcomes`, in order."""
    ends = ("_fate", "_ended_at", "_ended_by", "_merged_into") if may_end else ()
    return [*entity.column_names, *_SOURCE, "_version_hash", *ends, "_outcome"]


def conflicts(
    staged: DataFrame,
    conflicting: DataFrame | Sequence[int],
    history: DataFrame | None,
    entity: Entity,
    may_end: bool = False,
) -> DataFrame:
    """The rows of `outcomes` that have conflicting keys: all of the batch that repeat a version are among them."""
    names = outcome_columns(entity, may_end)
    rows = _of_keys(valid(_undated(staged, may_end)), conflicting, entity, "left_semi").select(*names[:-1])
    rows = rows.withColumn("_new", F.lit(True))
    if history is not None:
        if may_end:
            history = history.withColumn("_fate", F.when(F.col("_outcome").isin(*ENDED), F.lit("withdrawn")))
        before = _of_keys(history, conflicting, entity, "left_semi").select(*names[:-1])
        rows = rows.unionByName(before.withColumn("_new", F.lit(False)))
    if may_end:
        rows = life.dated(rows, entity)
    judged = _judge(rows, entity).filter(F.col("_new"))
    if may_end:
        ended = F.when((F.col("_fate") == "withdrawn") & (F.col("_outcome") == "accepted"), F.lit("withdrawn"))
        judged = judged.withColumn("_outcome", F.coalesce(ended, "_outcome"))
    return judged.select(*names)


def _undated(staged: DataFrame, may_end: bool) -> DataFrame:
    """Staged rows, where records may end with when they did, which is not yet known."""
    return staged.withColumn("_ended_at", F.lit(None).cast("timestamp")) if may_end else staged


def _of_keys(rows: DataFrame, conflicting: DataFrame | Sequence[int], entity: Entity, how: str) -> DataFrame:
    """The rows with conflicting keys (`left_semi`) or without (`left_anti`)."""
    key = words.key_hash(F.col(entity.key))
    if isinstance(conflicting, DataFrame):
        return rows.withColumn("key_hash", key).join(conflicting.select("key_hash"), on="key_hash", how=how)
    if not conflicting:
        return rows if how == "left_anti" else rows.limit(0)
    has = F.coalesce(key.isin(*conflicting), F.lit(False))
    return rows.filter(has if how == "left_semi" else ~has)


def _judge(rows: DataFrame, entity: Entity) -> DataFrame:
    """`_outcome` of each row of conflicting keys."""
    arrival = ("known_at", "_source_file", "_source_row")
    oldest = [F.asc_nulls_first(entity.version_column)] if entity.version_column else []
    newest = [F.desc_nulls_last(entity.version_column)] if entity.version_column else []
    in_order = Window.partitionBy(entity.key).orderBy(*oldest, *map(F.asc, arrival))
    before = F.lag("_version_hash").over(in_order)
    marked = rows.withColumn("_repeat", F.coalesce(before == F.col("_version_hash"), F.lit(False)))
    last_first = Window.partitionBy(entity.key, "_repeat").orderBy(*newest, *map(F.desc, arrival))
    ranked = marked.withColumn("_rank", F.row_number().over(last_first))
    return ranked.withColumn(
        "_outcome",
        F.when(F.col("_repeat"), F.lit("duplicate"))
        .when(F.col("_rank") == 1, F.lit("accepted"))
        .otherwise(F.lit("superseded")),
    )


def versions(judged: DataFrame) -> DataFrame:
    """What a batch adds to history: its accepted, superseded and withdrawn rows."""
    return judged.filter(F.col("_outcome") != "duplicate")


#: Which versions that a batch adds to history are in the clean table after it.
CURRENT = "_outcome = 'accepted'"


def current(history_of_batch: DataFrame, entity: Entity) -> DataFrame:
    """What a batch brings to the clean table: its accepted rows."""
    return history_of_batch.filter(CURRENT).select(*entity.clean.column_names)


def quarantined(staged: DataFrame, entity: Entity) -> DataFrame:
    """Refused rows of a batch as `silver.quarantine`."""
    refused = staged.filter(F.col("_reasons").isNotNull() & ~F.coalesce(F.col("_fate") == "excluded", F.lit(False)))
    place = F.concat_ws(":", "_batch_id", F.lit(entity.name), "_source_file", F.col("_source_row").cast("string"))
    return refused.select(
        F.hex(F.xxhash64(place)).alias("quarantine_id"),
        F.lit(entity.name).alias("entity"),
        F.col(entity.key).cast("string").alias("record_key"),
        F.col("_reasons").alias("reasons"),
        F.col("_failed_checks").alias("failed_checks"),
        F.col("_source_file").alias("source_file"),
        F.col("_source_row").alias("source_row"),
        F.col("_raw").alias("raw"),
        "known_at",
        F.col("_batch_id").alias("batch_id"),
    )


#: The accounts of which every record read is in one; history has also rows that no record of the batch brought.
ACCOUNTS = ("accepted", "duplicate", "superseded", "quarantined", "excluded", "withdrawn", "merged")
IMPLIED = ("gone", "moved")


def account(
    entity: Entity,
    bronze: DataFrame,
    staged: DataFrame,
    conflicts: DataFrame | None,
    history: DataFrame,
    quarantine: DataFrame,
) -> DataFrame:
    """Where the records of a batch went: one row of `entity`, `rows_read` and a count per account.

    All frames hold the rows of one batch; `conflicts` those of conflicting keys, None without such keys. Each count is taken where the rows ended: those read in bronze,
    accepted, merged, superseded and withdrawn in what history now holds, quarantined in the quarantine table, duplicates
    among those of conflicting keys, excluded among the staged. `implied` counts what history has besides. So a row lost in writing shows: the caller compares the sum with the rows read.
    """
    row_count = F.count(F.lit(1))
    read = bronze.agg(row_count.alias("rows_read")).select(F.lit(entity.name).alias("entity"), "rows_read")
    kept = history.agg(
        F.count_if(F.col("_outcome") == "accepted").alias("accepted"),
        F.count_if(F.col("_outcome") == "superseded").alias("superseded"),
        F.count_if(F.col("_outcome") == "withdrawn").alias("withdrawn"),
        F.count_if(F.col("_outcome") == "merged").alias("merged"),
        F.count_if(F.col("_outcome").isin(*IMPLIED)).alias("implied"),
    )
    left_out = staged.agg(F.count_if(F.coalesce(F.col("_fate") == "excluded", F.lit(False))).alias("excluded"))
    refused = quarantine.agg(row_count.alias("quarantined"))
    counts = [kept, refused, left_out]
    if conflicts is not None:
        counts.append(conflicts.agg(F.count_if(F.col("_outcome") == "duplicate").alias("duplicate")))
    whole = reduce(lambda left, right: left.join(right, how="cross"), counts, read)
    return whole if conflicts is not None else whole.withColumn("duplicate", F.lit(0).cast("bigint"))
