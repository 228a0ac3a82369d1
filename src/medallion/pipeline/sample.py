"""What a folder of exports comes to by a contract that nobody has run yet: the first rows of each file, read as a run does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from medallion import contracts, sources
from medallion.contracts import Entity, Override
from medallion.contracts.filling import SNAPSHOT
from medallion.errors import MedallionError
from medallion.lakehouse import query
from medallion.lakehouse.session import session
from medallion.pipeline import conventions, proof
from medallion.pipeline.proof import Proof
from medallion.proposal import profile
from medallion.sources import SourceFile, parsing
from medallion.sources.files import beginnings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_KNOWN_AT = "2999-01-01 00:00:00"


def proved(folder: str, contract: str) -> tuple[Proof | None, str]:
    """The proof of a folder by the text of a contract, or why there is none.

    Args:
        folder: The exports.
        contract: A contract file's text, guesses among it.
    """
    try:
        entities = contracts.entities([Override("the proposal", contract)])
        with beginnings(profile.BEGINNING):
            scan = sources.scan(folder, entities)
            settled = conventions.settle(list(scan.files), entities, [], accept=True)
            return _proved(session(), entities, settled.files), ""
    except MedallionError as error:
        return None, error.problem
    except Exception as error:  # noqa: BLE001 - whatever the engine makes of an expression that nobody has tried yet
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        return None, re.sub(r"\s+", " ", reason)[:200]


def _proved(spark: SparkSession, entities: Mapping[str, Entity], files: Iterable[SourceFile]) -> Proof | None:
    """The proof of files, entity by entity, parents first."""
    files = list(files)
    raw: dict[str, pa.Table] = {}
    whole: dict[str, bool] = {}
    rows: dict[str, pa.Table] = {}
    for name in entities:
        of_entity = [file for file in files if file.entity == name]
        if of_entity:
            raw[name], whole[name] = _cells(of_entity)
            rows[name] = _read(spark, entities, name, of_entity, raw[name], rows, whole)
    if "leads" not in rows:
        return None
    return _over(entities, files, raw, rows, all(whole.values()))


def _cells(files: list[SourceFile]) -> tuple[pa.Table, bool]:
    """The first records of the files of an entity as rows of bronze, what is read of them, and whether these are all."""
    read = set().union(*(file.columns_read for file in files))
    columns = list(dict.fromkeys(name for file in files for _, name in file.columns if name in read))
    parts, whole = [], True
    for file in files:
        left = profile.looked_at(file)
        whole = whole and not file.place.is_cut
        for batch in parsing.parse(file, columns):
            parts.append(pa.Table.from_batches([batch.slice(0, left)]))
            left -= batch.num_rows
            if left <= 0:
                whole = whole and left == 0
                break
    names = [*columns, "_source_file", "_source_row", "_malformed", "_malformed_reason"]
    types = [pa.int64() if name == "_source_row" else pa.string() for name in names]
    schema = pa.schema(list(zip(names, types, strict=True)))
    tables = [part.rename_columns(names).cast(schema) for part in parts]
    return (pa.concat_tables(tables) if tables else schema.empty_table()), whole


def _read(
    spark: SparkSession,
    entities: Mapping[str, Entity],
    name: str,
    files: list[SourceFile],
    raw: pa.Table,
    known: Mapping[str, pa.Table],
    whole: Mapping[str, bool],
) -> pa.Table:
    """The records of an entity, read and judged; references are judged where every key is known."""
    from pyspark.sql import functions as F

    from medallion import bronze, silver

    entity, mapping = entities[name], bronze.mapping_of(files)
    frame = spark.createDataFrame(raw).withColumns(
        {"_batch_id": F.lit("sample"), "_ingested_at": F.lit(_KNOWN_AT).cast("timestamp")}
    )
    lookups = {
        filling: silver.lookup_table(_clean(spark, entities[filling.lookup], known), entities[filling.lookup], filling)
        for fillings in mapping.values()
        for filling in fillings
        if filling.lookup
    }
    readings = silver.readings(silver.filled_down(frame, mapping), entity, mapping, lookups)
    unknown = {}
    for column in entity.references:
        target = column.reference
        if target and target.entity in known and whole.get(target.entity) and target.entity != name:
            keys = _clean(spark, entities[target.entity], known).select(
                F.col(target.column).cast("string").alias("_key")
            )
            orphans = silver.orphan_keys(readings, {column.name: keys})
            unknown[column.name] = orphans
    return silver.conform(readings, entity, unknown).toArrow()


def _clean(spark: SparkSession, entity: Entity, known: Mapping[str, pa.Table]) -> Any:
    """The valid rows of an entity that was read before; none where it was not."""
    from medallion import silver

    if entity.name in known:
        return silver.valid(spark.createDataFrame(known[entity.name]))
    return spark.createDataFrame([], ", ".join(f"`{column.name}` {column.type}" for column in entity.columns))


def _newest(entity: Entity, files: list[SourceFile]) -> str:
    """The condition that rows of snapshots are of the newest: what that lacks is gone."""
    states: dict[str, list[str]] = {}
    for file in files:
        if file.entity == entity.name and SNAPSHOT in file.mapping:
            states.setdefault(str(file.mapping[SNAPSHOT].value), []).append(file.name.replace("'", "''"))
    day, condition = f'cast("{entity.version_column}" as date)', ""
    for names in states.values():
        ours = "_source_file in (" + ", ".join(f"'{name}'" for name in names) + ")"
        condition += f" and (not {ours} or {day} = (select max({day}) from read_{entity.name} where {ours}))"
    return condition


def _over(
    entities: Mapping[str, Entity],
    files: list[SourceFile],
    raw: Mapping[str, pa.Table],
    rows: Mapping[str, pa.Table],
    whole: bool,
) -> Proof:
    """The proof of read records: of several of one key the newest counts, unless it says that the record has ended."""
    with query.empty() as connection:
        there, refused = set(), []
        for name, table in rows.items():
            entity = entities[name]
            connection.register(f"read_{name}", table)
            newest = [f'"{entity.version_column}" desc nulls last'] if entity.version_column else []
            order = ", ".join([*newest, "_source_file desc", "_source_row desc"])
            connection.execute(
                f"create view {entity.clean.name} as select * from (select * from read_{name} where _reasons is null{_newest(entity, files)} "
                f'qualify row_number() over (partition by "{entity.key}" order by {order}) = 1) where _fate is null'
            )
            there.add(entity.clean.name)
            refused.append(
                f"select '{name}' as entity, concat('{name}:', _source_file, ':', _source_row) as quarantine_id, "
                f"_failed_checks as failed_checks, null as resolved_by from read_{name} where _reasons is not null"
            )
        connection.execute(f"create view silver.quarantine as {' union all '.join(refused)}")
        connection.register("cells_leads", raw["leads"])

        def cells(row: Mapping[str, Any]) -> tuple[SourceFile | None, dict[str, Any]]:
            file = next((f for f in files if f.entity == "leads" and f.name == row["_source_file"]), None)
            sql = "select * from cells_leads where _source_file = ? and _source_row = ?"
            matches = query.rows(connection, sql, [row["_source_file"], row["_source_row"]])
            return file, matches[0] if matches else {}

        there.add("silver.quarantine")
        totals = proof.over(connection, entities, entities["leads"].currency, there, sampled=not whole)
        return replace(totals, examples=tuple(proof.examples(connection, cells)))
