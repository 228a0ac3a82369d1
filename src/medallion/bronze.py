"""Bronze rows: every cell of a batch of files as the text it was, with its provenance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from medallion.columns import with_known_names
from medallion.contracts import Filling
from medallion.sources import SourceFile
from medallion.sources.parsing import parse

#: What bronze adds to the cells of a record. `_malformed` is the text of a record that does not split into the
#: header's cells; its cells are null.
PROVENANCE = (
    "_batch_id",
    "_source_file",
    "_source_row",
    "_ingested_at",
    "_row_hash",
    "_malformed",
    "_malformed_reason",
)
_TYPES = {"_source_row": "bigint", "_ingested_at": "timestamp", "_row_hash": "bigint"}
#: What `rows` is given of each file.
FILE = StructType([StructField("file", StringType())])


def columns_of(files: Iterable[SourceFile]) -> list[str]:
    """Bronze columns of a batch of files of one entity, in order of first appearance."""
    return list(dict.fromkeys(name for file in files for _, name in file.columns))


def mapping_of(files: Iterable[SourceFile]) -> dict[str, dict[Filling, tuple[str, ...]]]:
    """What fills each canonical column, each filling with its files; no files means all of them.

    A header means something in its own file only: `Name` is the contact in one and, beside `Contact`, the deal in
    the next.
    """
    files = list(files)
    mapping: dict[str, dict[Filling, tuple[str, ...]]] = {}
    for file in files:
        for canonical, filling in file.mapping.items():
            fillings = mapping.setdefault(canonical, {})
            fillings[filling] = (*fillings.get(filling, ()), file.name)
    return {
        canonical: {filling: () if len(names) == len(files) else names for filling, names in fillings.items()}
        for canonical, fillings in mapping.items()
    }


def rows(specifications: DataFrame, columns: list[str], batch_id: str, ingested_at: str) -> DataFrame:
    """Bronze rows of the files that `specifications` lists (one column, a JSON text per file).

    Args:
        specifications: One row per file, `SourceFile.as_dict()` as JSON.
        columns: Bronze columns of the batch; a file without one of them has null there.
        batch_id: The batch.
        ingested_at: When the batch was learned, ISO 8601 in UTC.
    """
    schema = StructType([StructField(name, StringType()) for name in columns])
    for name in ("_source_file", "_source_row", "_malformed", "_malformed_reason"):
        schema = schema.add(name, "long" if name == "_source_row" else "string")

    def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for text in batch.column(0).to_pylist():
                yield from parse(SourceFile.from_dict(json.loads(text)), columns)

    cells = [F.col(f"`{name}`") for name in columns]
    parsed = (
        with_known_names(specifications, ["file"])
        .mapInArrow(read, schema)
        .select(
            *cells,
            F.lit(batch_id).alias("_batch_id"),
            "_source_file",
            "_source_row",
            F.lit(ingested_at).cast("timestamp").alias("_ingested_at"),
            F.xxhash64(*cells, F.col("_malformed")).alias("_row_hash"),
            "_malformed",
            "_malformed_reason",
        )
    )
    return with_known_names(parsed, [*columns, *PROVENANCE])


def types_of(columns: Iterable[str]) -> list[tuple[str, str]]:
    """The columns of `rows` with their types as Spark writes them: cells are text."""
    return [(name, _TYPES.get(name, "string")) for name in (*columns, *PROVENANCE)]
