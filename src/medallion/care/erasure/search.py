"""Look for someone in files (data, statistics, commits, checkpoints, names), or in tables where only the engine knows the files."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import functions as F

from medallion.lakehouse import store
from medallion.lakehouse.store import Lakehouse
from medallion.silver.mentions import NAME, Mentions
from medallion.silver.mentions.documents import texts_in

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


_MAXIMA = "maxValues"


def search(root: Path, wanted: Mentions, but: Collection[str] = ()) -> tuple[int, list[str]]:
    """Look for someone in every file below a folder, and in its name; gives how many files, and where they were found.

    Files directly in the folder whose names are in `but` are left out.

    Of Parquet every text is read, nested values and names of columns included; other files are read line by
    line. A name that is all that a text of Parquet or of a Delta log says may be that of somebody else's record. A file
    that cannot be read, such as Parquet that is not whole, counts as found: nobody can say what it holds.
    """
    files = sorted(path for path in root.rglob("*") if path.is_file() and str(path.relative_to(root)) not in but)
    places = []
    for path in files:
        place = str(path.relative_to(root))
        says = _says if path.suffix == ".parquet" or path.parent.name == "_delta_log" else _mentions
        try:
            if any(wanted.found(text) for text in (place, path.stem)) or any(
                says(text, wanted) for text in texts(path)
            ):
                places.append(place)
        except (pa.ArrowException, OSError, ValueError):
            places.append(f"{place}: cannot be read")
    return len(files), places


def search_tables(spark: SparkSession, lake: Lakehouse, wanted: Mentions) -> tuple[int, list[str]]:
    """Look for someone in every row of every table at its newest version, in its name and in those of its columns.

    Gives how many tables, and where they were found, with how many texts.
    """
    names, places = lake.tables(), []
    for name in names:
        rows = store.read(spark, lake, name)
        texts = int(rows.mapInArrow(_counting(wanted), "n bigint").agg(F.sum("n")).collect()[0][0] or 0)
        if texts or any(wanted.found(text) for text in (name, *rows.columns)):
            places.append(f"{name}: {texts} texts")
    return len(names), places


def _counting(wanted: Mentions) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Counts the texts of rows that tell of someone, as `search` finds them in a file."""

    def count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            texts = (text for column in batch.columns for text in _texts_of(column))
            yield pa.RecordBatch.from_pydict({"n": [sum(_says(text, wanted) for text in texts)]})

    return count


def _mentions(text: str, wanted: Mentions) -> bool:
    return bool(wanted.found(text))


def _says(text: str, wanted: Mentions) -> bool:
    """Whether a text of a file mentions them; of statistics in a checkpoint, a JSON document, each text counts."""
    kinds = wanted.found(text)
    if kinds != {NAME}:
        return bool(kinds)
    try:
        each = list(texts_in(json.loads(text)))
    except (ValueError, RecursionError):
        each = [text]
    return any(wanted.found(part) and not wanted.names_all(part) for part in each)


def texts(path: Path) -> Iterator[str]:
    """Every text of a file.

    Not the statistics of Parquet: they are of values that are read here, cut to 64 letters, and the last letter of a cut
    maximum is counted up, so that `C003` tells of `C004`. Those in a log are copies, which are read without it.
    """
    in_log = path.parent.name == "_delta_log"
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            yield from file.schema_arrow.names
            for text in (file.metadata.metadata or {}).values():
                yield text.decode("utf-8", "replace")
            for batch in file.iter_batches():
                for column in batch.columns:
                    column_texts = _texts_of(column)
                    yield from map(_without_last_letters, column_texts) if in_log else column_texts
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            document = json.loads(line) if in_log else None
        except (ValueError, RecursionError):
            document = None
        added = document.get("add") if isinstance(document, dict) else None
        if isinstance(added, dict) and isinstance(added.get("stats"), str):
            added["stats"] = _without_last_letters(added["stats"])
        if document is None:
            yield line
        else:
            yield from texts_in(document)


def _without_last_letters(text: str) -> str:
    """The statistics of a data file without the last letter of long maxima, which may differ from what was written."""
    if _MAXIMA not in text:
        return text
    try:
        statistics = json.loads(text)
        statistics[_MAXIMA] = {
            name: value[:-1] if isinstance(value, str) and _may_be_cut(value) else value
            for name, value in statistics[_MAXIMA].items()
        }
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return text
    return json.dumps(statistics, ensure_ascii=False)


def _may_be_cut(maximum: str) -> bool:
    """Whether a text in statistics is as long as writers make it: Spark of 32 letters and one more, others of 64 bytes."""
    return len(maximum) in (32, 33) or 60 < len(maximum.encode("utf-8", "replace")) <= 64


def _texts_of(column: Any) -> Iterator[str]:
    """Every different text of a column, nested ones included."""
    kind = column.type
    if pa.types.is_struct(kind):
        for each in column.flatten():
            yield from _texts_of(each)
    elif pa.types.is_map(kind):
        yield from _texts_of(column.keys)
        yield from _texts_of(column.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _texts_of(column.flatten())
    elif pa.types.is_dictionary(kind):
        yield from _texts_of(column.dictionary)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield from (text for text in column.unique().to_pylist() if text)
