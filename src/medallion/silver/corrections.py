"""Refused records that are reprocessed: what the file said of them, with what people have put right."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F


def reprocessed(
    refused: DataFrame, corrections: DataFrame, columns: Iterable[str], batch_id: str, known_at: str
) -> DataFrame:
    """Refused records as rows of bronze once more, one per record, for `silver.conform`.

    Args:
        refused: Rows of `silver.quarantine`.
        corrections: Rows of `ops.corrections`.
        columns: Bronze columns of the files that the records came from, and `=column` for each corrected one.
        batch_id: The batch that reprocesses them.
        known_at: When, ISO 8601 in UTC: what a correction says was not known before.
    """
    columns = list(columns)
    corrected = [name.removeprefix("=") for name in columns if name.startswith("=")]
    cells = F.from_json("raw", "map<string,string>")
    parsed = refused.select("quarantine_id", "source_file", "source_row", cells.alias("_cells"))
    cells_by_name = {name: F.col("_cells")[name] for name in columns}
    if corrected:
        parsed = parsed.join(_latest(corrections, corrected), on="quarantine_id", how="left")
        cells_by_name |= {
            f"={name}": F.coalesce(F.col(f"_after_{name}"), cells_by_name[f"={name}"]) for name in corrected
        }
    whole = F.col("_cells")["_record"]
    if corrected:  # one condition: conditions within each other take the engine seconds to plan
        whole = F.when(F.coalesce(*(F.col(f"_after_{name}") for name in corrected)).isNull(), whole)
    return parsed.select(
        *(cell.alias(name) for name, cell in cells_by_name.items()),
        F.lit(batch_id).alias("_batch_id"),
        F.col("source_file").alias("_source_file"),
        F.col("source_row").alias("_source_row"),
        F.lit(known_at).cast("timestamp").alias("_ingested_at"),
        whole.alias("_malformed"),
        F.lit("its cells could not be told apart").alias("_malformed_reason"),
    )


def applied(raw: DataFrame, corrections: DataFrame, refused: DataFrame) -> DataFrame:
    """Rows of bronze with what people have corrected in refused ones, as `=column` cells.

    Args:
        raw: Rows of bronze, of one batch.
        corrections: Rows of `ops.corrections`.
        refused: Rows of `silver.quarantine` of the same batch, and of those that reprocessed them.
    """
    place = F.concat_ws(":", "source_file", F.col("source_row").cast("string"))
    places = refused.select("quarantine_id", place.alias("_place"))
    placed = corrections.join(places, on="quarantine_id", how="inner")
    placed = placed.select(F.col("_place").alias("quarantine_id"), "column_name", "corrected_at", "after")
    columns = sorted(row["column_name"] for row in placed.select("column_name").distinct().collect())
    if not columns:
        return raw
    latest = _latest(placed, columns).withColumnRenamed("quarantine_id", "_place")
    raw_place = F.concat_ws(":", "_source_file", F.col("_source_row").cast("string"))
    joined = raw.withColumn("_place", raw_place).join(latest, on="_place", how="left")
    mended = reduce(Column.__or__, (F.col(f"_after_{name}").isNotNull() for name in columns))
    cells = [F.col(f"_after_{name}").alias(f"={name}") for name in columns]
    kept = [F.col(f"`{name}`") for name in raw.columns if name != "_malformed"]
    return joined.select(*kept, F.when(~mended, F.col("_malformed")).alias("_malformed"), *cells)


def _latest(corrections: DataFrame, columns: list[str]) -> DataFrame:
    """One row per corrected record, `_after_<column>` what each column is to say; null where it was not corrected."""
    newest = Window.partitionBy("quarantine_id", "column_name").orderBy(F.desc("corrected_at"), F.desc("after"))
    last = corrections.withColumn("_rank", F.row_number().over(newest)).filter(F.col("_rank") == 1)
    return last.groupBy("quarantine_id").agg(
        *(F.max(F.when(F.col("column_name") == name, F.col("after"))).alias(f"_after_{name}") for name in columns)
    )
