"""Tables of Parquet files as text, read by pyarrow and written as text by DuckDB."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from medallion.sources.readers.opened import File

#: A packed file is held in memory.
_LARGEST = 1 << 30


def header(file: File, name: str) -> Iterator[list[str]]:
    """The names of the columns."""
    with file.seekable(_LARGEST) as stream:
        yield pq.read_schema(stream).names


def count(file: File, name: str) -> Iterator[int]:
    """How many rows there are."""
    with file.seekable(_LARGEST) as stream:
        yield pq.ParquetFile(stream).metadata.num_rows


def rows(file: File, name: str) -> Iterator[pa.RecordBatch]:
    """The rows, every cell as text, the columns called c0, c1 and so on."""
    with duckdb.connect() as connection, file.seekable(_LARGEST) as stream:
        connection.execute("set timezone = 'UTC'")
        connection.execute("set threads = 1")
        for batch in pq.ParquetFile(stream).iter_batches(use_threads=False):
            places = [f"c{place}" for place in range(batch.num_columns)]  # names may differ in case alone
            batch.validate(full=True)  # a text of which the bytes are none would go on to bronze
            connection.register("part", pa.Table.from_batches([batch]).rename_columns(places))
            texts = ", ".join(f"cast({place} as varchar) as {place}" for place in places)
            yield from connection.sql(f"select {texts} from part").to_arrow_table().combine_chunks().to_batches()
