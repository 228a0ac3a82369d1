"""Refused records that are reprocessed: what the file said of them, with what people have put right."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import DataFrame, Window
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
    is_corrected = [F.col(f"_after_{name}").isNotNull() for name in corrected]
    whole = F.col("_cells")["_record"]
    for mended in is_corrected:
        whole = F.when(~mended, whole)
    return parsed.select(
        *(cell.alias(name) for name, cell in cells_by_name.items()),
        F.lit(batch_id).alias("_batch_id"),
        F.col("source_file").alias("_source_file"),
        F.col("source_row").alias("_source_row"),
        F.lit(known_at).cast("timestamp").alias("_ingested_at"),
        whole.alias("_malformed"),
        F.lit("its cells could not be told apart").alias("_malformed_reason"),
    )


def _latest(corrections: DataFrame, columns: list[str]) -> DataFrame:
    """One row per corrected record, `_after_<column>` what each column is to say; null where it was not corrected."""
    newest = Window.partitionBy("quarantine_id", "column_name").orderBy(F.desc("corrected_at"), F.desc("after"))
    last = corrections.withColumn("_rank", F.row_number().over(newest)).filter(F.col("_rank") == 1)
    return last.groupBy("quarantine_id").agg(
        *(F.max(F.when(F.col("column_name") == name, F.col("after"))).alias(f"_after_{name}") for name in columns)
    )
