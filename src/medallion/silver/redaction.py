"""Accounts in the erasure log, by salted hashes of their keys only: which records are about them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion import columns as words
from medallion import silver
from medallion.contracts import Column as Declared
from medallion.contracts import Entity, Filling
from medallion.contracts.odcs import code
from medallion.silver import checks

_MARK = "(withheld)"
_BETWEEN_CELLS = r"[,;|\t\"{}]+"


@dataclass(frozen=True)
class ErasureLog:
    """Salted SHA-256 hashes by kind, such as `customers.customer_id`."""

    salt: str = ""
    hashes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def hashed(self, kind: str, text: str) -> str:
        """The hash of one text in its comparable form."""
        return hashlib.sha256(f"{self.salt}{kind}:{text}".encode()).hexdigest()

    def has(self, kind: str, text: Column) -> Column:
        """Whether a comparable text is in the erasure log; false for null."""
        known = sorted(self.hashes.get(kind, ()))
        if not known:
            return F.lit(False)
        return F.coalesce(F.sha2(F.concat(F.lit(f"{self.salt}{kind}:"), text), 256).isin(known), F.lit(False))


def comparable(text: str, declared: Declared) -> str:
    """The form in which a key or name is hashed, the same as `comparable_column` gives."""
    return code(re.sub(r"\s+", "", text).upper() if declared.kind == "identifier" else text)


def comparable_column(text: Column, declared: Declared) -> Column:
    """The form in which a key or name is hashed."""
    return words.code(words.identifier(text) if declared.kind == "identifier" else text)


def links(entity: Entity, entities: Mapping[str, Entity]) -> dict[str, tuple[str, str]]:
    """Per column of an entity that names a row of a forgettable entity: that entity and its column."""
    for owner in entities.values():
        if owner.merges and owner.merges.name == entity.name:
            return dict.fromkeys(entity.column_names, (owner.name, owner.key))
    linked = {entity.key: (entity.name, entity.key)}
    for column in entity.columns:
        if column.reference and column.reference.entity != "products":
            linked[column.name] = (column.reference.entity, column.reference.column)
        elif column.name == "customer_id" and entity.name != "customers":
            linked[column.name] = ("customers", entities["customers"].key)
    return linked


def about(
    bronze: DataFrame,
    entity: Entity,
    entities: Mapping[str, Entity],
    mapping: Mapping[str, Mapping[Filling, tuple[str, ...]]],
    log: ErasureLog,
) -> Column:
    """True for rows of bronze that name an erased account as their own key, by a reference or by a lookup.

    To be selected, not filtered by: Sail 0.7 cannot push a lambda down into a scan.

    Args:
        bronze: Rows as bronze has them.
        entity: Their contract.
        entities: All contracts.
        mapping: Per canonical column, what fills it and in which files.
        log: Whom to look for.
    """
    tests = [F.lit(False)]
    for name, (target, column) in links(entity, entities).items():
        for filling, text in silver.texts_of(name, mapping.get(name, {}), entity, bronze.columns):
            looked_in, by = (filling.lookup, str(filling.by)) if filling.lookup else (target, column)
            declared = entities[looked_in].column(by)
            tests.append(log.has(f"{looked_in}.{by}", comparable_column(text, declared)))
    key = entities["customers"].column(entities["customers"].key)
    known = sorted(log.hashes.get(f"customers.{key.name}", ()))
    if known:
        head = F.lit(f"{log.salt}customers.{key.name}:")
        cells = F.transform(
            F.split("_malformed", _BETWEEN_CELLS),
            lambda cell: F.sha2(F.concat(head, comparable_column(cell, key)), 256),
        )
        tests.append(F.coalesce(F.arrays_overlap(cells, F.array(*map(F.lit, known))), F.lit(False)))
    return reduce(Column.__or__, tests)


def withheld(
    bronze: DataFrame,
    entity: Entity,
    entities: Mapping[str, Entity],
    mapping: Mapping[str, Mapping[Filling, tuple[str, ...]]],
    log: ErasureLog,
) -> DataFrame:
    """Rows for bronze, those about erased accounts redacted to empty cells: their place alone, so that rows still add up."""
    kept = ("_batch_id", "_source_file", "_source_row", "_ingested_at")
    marked, written = filled_beside(bronze, mapping)
    marked = marked.withColumn("_about", about(marked, entity, entities, mapping, log))
    instead = {"_malformed": F.lit(_MARK), "_malformed_reason": F.lit(checks.ERASED)}

    def redacted(name: str) -> Column:
        cell = F.col(written[name]) if name in written else _cell(name)
        blank = F.lit(None)
        if name in written:  # that it was empty says nothing of anyone, and what is below it belongs to the head above
            blank = F.when(F.col("_malformed").isNull() & (words.squish(F.coalesce(cell, F.lit(""))) == ""), F.lit(""))
        return F.when(F.col("_about"), instead.get(name, blank)).otherwise(cell).alias(name)

    return marked.select(*(F.col(name) if name in kept else redacted(name) for name in bronze.columns))


def filled_beside(
    bronze: DataFrame, mapping: Mapping[str, Mapping[Filling, tuple[str, ...]]]
) -> tuple[DataFrame, dict[str, str]]:
    """Rows of bronze filled down, and per filled column the one beside it with its cells as written."""
    written = {name: f"_written_{place}" for place, name in enumerate(sorted(silver.filled_columns(mapping)))}
    beside = bronze.withColumns({at: _cell(name) for name, at in written.items()}) if written else bronze
    return silver.filled_down(beside, mapping), written


def _cell(name: str) -> Column:
    return F.col("`" + name.replace("`", "``") + "`")
