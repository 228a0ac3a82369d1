"""Identifiers that may be one or two: equal only after folding case, the 15- and the 18-character form of one
Salesforce identifier, or with and without leading zeros.

Each function gives one row per record whose identifier is doubtful: `_source_file`, `_source_row`, `column`, `one` (its
identifier) and `other` (the one it is too like). Upper or lower case throughout is a way of typing, so `c004` and
`C004` are one record unless the records differ; in `0015g00000A1bCd` and `0015g00000A1bCD` case tells two apart.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion import columns as words
from medallion.contracts import Entity

#: Columns that two records of one entity rarely share: what tells a repeated record from another one.
_TELLING = ("created_at", "occurred_at", "customer_name", "product_name", "customer_id")
SHORT, LONG = 15, 18
_PLACE = ("_source_file", "_source_row")


def spelled(entity: Entity) -> Column:
    """The key of a staged row as written."""
    return F.coalesce(F.col("_spelling"), F.col(entity.key))


def _mixed(text: Column) -> Column:
    return (text != F.upper(text)) & (text != F.lower(text))


def by_case(staged: DataFrame, entity: Entity) -> DataFrame:
    """Keys of a batch that two of its records spell differently."""
    telling = [name for name in _TELLING if name in entity.column_names and name != entity.key]
    rows = staged.filter(F.col(entity.key).isNotNull()).withColumn("_spelled", spelled(entity))
    differ = [F.countDistinct(words.code(F.col(name).cast("string"))) > 1 for name in telling]
    keys = (
        rows.groupBy(F.col(entity.key).alias("_key"))
        .agg(
            F.min("_spelled").alias("_lowest"),
            F.max("_spelled").alias("_highest"),
            reduce(Column.__or__, differ, F.count_if(_mixed(F.col("_spelled"))) > 0).alias("_doubtful"),
        )
        .filter((F.col("_lowest") != F.col("_highest")) & F.col("_doubtful"))
    )
    spellings = rows.join(keys, F.col(entity.key) == F.col("_key"), how="inner")
    other = F.when(F.col("_spelled") == F.col("_lowest"), F.col("_highest")).otherwise(F.col("_lowest"))
    return spellings.select(
        *_PLACE, F.lit(entity.key).alias("column"), F.col("_spelled").alias("one"), other.alias("other")
    )


def by_case_of_known(rows: DataFrame, known: DataFrame, column: str) -> DataFrame:
    """Identifiers that are spelt differently elsewhere.

    Args:
        rows: Records with `_key` (folded) and `_spelled` beside their place.
        known: Identifiers elsewhere: `_key` and `_known`, as written there.
        column: The column that they are of.
    """
    pairs = rows.join(known.distinct(), on="_key", how="inner").filter(F.col("_spelled") != F.col("_known"))
    doubtful = pairs.filter(_mixed(F.col("_spelled")) | _mixed(F.col("_known")))
    return doubtful.select(
        *_PLACE, F.lit(column).alias("column"), F.col("_spelled").alias("one"), F.col("_known").alias("other")
    )


def by_length(rows: DataFrame, known: DataFrame, column: str) -> DataFrame:
    """Identifiers of 15 characters that begin one of 18 elsewhere, or the other way round.

    Args:
        rows: Records with `_key` beside their place.
        known: Identifiers elsewhere, `_known`.
        column: The column that they are of.
    """
    keys = rows.filter(F.length("_key").isin(SHORT, LONG)).withColumn("_stem", F.substring("_key", 1, SHORT))
    theirs = known.filter(F.length("_known").isin(SHORT, LONG)).select(
        F.substring("_known", 1, SHORT).alias("_stem"), "_known"
    )
    pairs = keys.join(theirs.distinct(), on="_stem", how="inner").filter(F.length("_key") != F.length("_known"))
    return pairs.select(
        *_PLACE, F.lit(column).alias("column"), F.col("_key").alias("one"), F.col("_known").alias("other")
    )


#: A number with leading zeros, which a spreadsheet takes away, and any number.
PADDED, NUMBER = r"^0[0-9]+\z", r"^[0-9]+\z"


def by_zeros(rows: DataFrame, known: DataFrame, column: str) -> DataFrame:
    """Numbers that are not known, and are with other leading zeros.

    Args:
        rows: Records with `_key` beside their place.
        known: Identifiers of earlier deliveries, `_known`.
        column: The column that they are of.
    """

    def bare(text: str) -> Column:
        return F.regexp_replace(F.col(text), "^0+", "")

    theirs = known.distinct()
    new = rows.filter(F.col("_key").rlike(NUMBER))
    new = new.join(theirs.select(F.col("_known").alias("_key")), on="_key", how="left_anti")
    numbers = theirs.filter(F.col("_known").rlike(NUMBER)).select(bare("_known").alias("_bare"), "_known")
    pairs = new.withColumn("_bare", bare("_key")).join(numbers, on="_bare", how="inner")
    return pairs.select(
        *_PLACE, F.lit(column).alias("column"), F.col("_key").alias("one"), F.col("_known").alias("other")
    )
