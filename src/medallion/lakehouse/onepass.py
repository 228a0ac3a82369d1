"""Data files of several tables from one pass over their rows, inside the embedded engine and written with pyarrow.

The engine's own writer takes one table and no settings. Here each task writes one Parquet file per table from the rows
that pass it, and gives back one row per file, which is what a commit needs to know.
"""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.transaction import AddAction
from pyspark.sql import DataFrame
from pyspark.sql.types import BinaryType, LongType, StringType, StructField, StructType

from medallion.columns import with_known_names

#: Rows of a row group: what a task holds of a table before it is written.
_GROUP = 1 << 17
#: Texts of a column are written once each where of so many rows at most a quarter differ.
_SAMPLE = 1 << 13
#: As Delta has it by default: statistics of so many columns, and so much of a text.
_COLUMNS, _LETTERS = 32, 32
#: A task with so few rows gives them back, so that those of all tasks are one file.
_FEW = 1 << 13
#: Nor more bytes than these, since they come back in one message; and what a task holds at most before it is written.
_SMALL, _HELD = 4 << 20, 64 << 20
#: What a pass gives: one row per file, and one per task with few rows.
FILES = StructType(
    [
        StructField("name", StringType()),
        StructField("file", StringType()),
        StructField("size", LongType()),
        StructField("rows", LongType()),
        StructField("stats", StringType()),
        StructField("few", BinaryType()),
    ]
)
_FILES = pa.schema(
    {
        "name": pa.string(),
        "file": pa.string(),
        "size": pa.int64(),
        "rows": pa.int64(),
        "stats": pa.string(),
        "few": pa.binary(),
    }
)


def flag(place: int) -> str:
    """The column that says which rows are those of a table, by its place among the tables of a pass."""
    return f"_in_{place}"


def written_to(
    folders: Mapping[str, str], schemas: Mapping[str, pa.Schema]
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """A function for `mapInArrow` that writes the rows which pass to the tables of a lakehouse in a folder.

    The first table gets every row, the others those whose `flag` is true; each its own columns of them.

    Args:
        folders: Folder per table.
        schemas: Columns per table, as its files have them.
    """

    def task(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        groups = _groups(batches)
        first = next(groups, None)
        if first is None:
            return
        if first.num_rows <= _FEW and first.nbytes <= _SMALL:
            yield pa.RecordBatch.from_pylist([{"few": _packed(first)}], schema=_FILES)
        else:
            yield pa.RecordBatch.from_pylist(_write(chain([first], groups), folders, schemas), schema=_FILES)

    return task


def write(
    rows: DataFrame, names: Iterable[str], folders: Mapping[str, str], schemas: Mapping[str, pa.Schema]
) -> dict[str, list[Any]]:
    """Write rows of the columns `names` to the tables of a lakehouse in a folder; gives the files of each."""
    given = with_known_names(rows, names).mapInArrow(written_to(folders, schemas), FILES).collect()
    return written(given, folders, schemas)


def written(given: Iterable[Any], folders: Mapping[str, str], schemas: Mapping[str, pa.Schema]) -> dict[str, list[Any]]:
    """The files of each table that a pass has written, with the one of the rows that it gave back."""
    rows = [row.asDict() for row in given]
    few = [_unpacked(row["few"]) for row in rows if row["few"] is not None]
    files = [row for row in rows if row["few"] is None]
    files += _write([pa.concat_tables(few)], folders, schemas) if few else []
    return {name: [file for file in files if file["name"] == name] for name in schemas}


def _write(
    rows: Iterable[pa.Table], folders: Mapping[str, str], schemas: Mapping[str, pa.Schema]
) -> list[dict[str, Any]]:
    files: dict[str, _File] = {}
    try:
        for part in rows:
            for place, (name, schema) in enumerate(schemas.items()):
                its = (_where(part, flag(place)) if place else part).select(schema.names).cast(schema)
                if its.num_rows:
                    file = files.get(name) or files.setdefault(name, _File(folders[name], its))
                    file.writer.write_table(its, row_group_size=_GROUP)
        return [{"name": name, **file.end()} for name, file in files.items()]
    except BaseException:
        for file in files.values():
            file.remove()
        raise


def _where(rows: pa.Table, flag: str) -> pa.Table:
    """The rows for which a column is true; as a rule all, which need not be copied."""
    mask = rows[flag]
    return rows if mask.unique().to_pylist() == [True] else rows.filter(mask)


def _packed(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return bytes(sink.getvalue())


def _unpacked(packed: bytes) -> pa.Table:
    return pa.ipc.open_stream(packed).read_all()


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    group: list[pa.RecordBatch] = []
    count = size = 0
    for batch in batches:
        group.append(batch)
        count, size = count + batch.num_rows, size + batch.nbytes
        if count >= _GROUP or size >= _HELD:
            yield pa.Table.from_batches(group)
            group, count, size = [], 0, 0
    if count:
        yield pa.Table.from_batches(group)


class _File:
    """One data file of a table; `first` are the rows that it begins with."""

    def __init__(self, folder: str, first: pa.Table) -> None:
        self.schema = first.schema
        self.path = Path(folder, f"part-00000-{uuid.uuid4()}-c000.snappy.parquet")
        self.writer = pq.ParquetWriter(
            self.path, self.schema, use_dictionary=_repeating(first), store_decimal_as_integer=True
        )

    def end(self) -> dict[str, Any]:
        self.writer.close()
        metadata = self.writer.writer.metadata
        stats = json.dumps(statistics(metadata, self.schema))
        return {"file": self.path.name, "size": self.path.stat().st_size, "rows": metadata.num_rows, "stats": stats}

    def remove(self) -> None:
        with suppress(OSError, pa.ArrowException):
            self.writer.close()
        self.path.unlink(missing_ok=True)


def _repeating(rows: pa.Table) -> list[str]:
    """Columns of texts of which few differ: looking every one of them up costs more than it saves elsewhere."""
    first = rows.slice(0, _SAMPLE)
    return [
        field.name
        for field in rows.schema
        if pa.types.is_string(field.type) and len(first[field.name].unique()) * 4 <= first.num_rows
    ]


def statistics(metadata: pq.FileMetaData, schema: pa.Schema) -> dict[str, Any]:
    """What the log of a Delta table says of a file: its rows, and per column nulls, the least and the greatest value.

    Bounds hold though they are rounded: texts are cut and times have milliseconds.
    """
    least: dict[str, Any] = {}
    greatest: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    plain = [(place, field.name) for place, field in enumerate(schema) if not pa.types.is_nested(field.type)]
    at = {metadata.schema.column(place).path: place for place in range(metadata.num_columns)}
    for _, name in plain[:_COLUMNS]:
        groups = [metadata.row_group(group).column(at[name]) for group in range(metadata.num_row_groups)]
        chunks = [group.statistics for group in groups]
        if any(chunk is None or not chunk.has_null_count for chunk in chunks):
            continue
        nulls[name] = sum(chunk.null_count for chunk in chunks)
        valued = [chunk for chunk, group in zip(chunks, groups, strict=True) if chunk.null_count < group.num_values]
        if valued and all(chunk.has_min_max for chunk in valued):
            try:
                low, high = (
                    _bound(min(chunk.min for chunk in valued), False),
                    _bound(max(chunk.max for chunk in valued), True),
                )
            except (OverflowError, ValueError, pa.ArrowNotImplementedError):
                continue  # a time that Python cannot represent, or a decimal number in the statistics that earlier pyarrow reads
            least |= {} if low is None else {name: low}
            greatest |= {} if high is None else {name: high}
    return {"numRecords": metadata.num_rows, "minValues": least, "maxValues": greatest, "nullCount": nulls}


def _bound(value: Any, upper: bool) -> Any:
    """A bound as the log has it, None where it has none for it."""
    if isinstance(value, str):
        return value if len(value) <= _LETTERS else value[:_LETTERS] + (chr(0x10FFFF) if upper else "")
    if isinstance(value, datetime):
        rest = value.microsecond % 1000
        try:
            value += timedelta(microseconds=(1000 - rest if upper and rest else -rest))
        except OverflowError:  # the last millisecond that there is
            return None
        return f"{value.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value) if Decimal(repr(float(value))) == value else None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return None if isinstance(value, bool | bytes) else value


def added(file: Mapping[str, Any]) -> AddAction:
    """A file that a pass has written, for the commit that adds it."""
    return AddAction(file["file"], file["size"], {}, int(time.time() * 1000), True, file["stats"])
