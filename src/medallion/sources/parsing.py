"""Source files to record batches: pyarrow reads CSV, the standard library JSON lines, other processes the rest; all but
JSON documents, web pages and workbooks are streamed.

Runs inside the engine's tasks. Nothing is interpreted: every cell is the text it was, a record that does not split
into the header's cells is kept whole and marked, and each record has the line on which it starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pacsv

from medallion import progress
from medallion.errors import SourceError
from medallion.sources import SourceFile, headers, readers
from medallion.sources.files import UNREADABLE, text_lines
from medallion.sources.readers import documents

_BLOCK = 8 << 20
#: Records of a sheet or document in one batch.
_ROWS = 20_000
_Good = tuple[pa.RecordBatch, np.ndarray]


def parse(file: SourceFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """The records of one file in batches of `columns` plus source file, source row and what is malformed.

    Raises:
        SourceError: The file cannot be read to its end; names the file.
    """
    forms = {"csv": _parse_csv, "jsonl": _parse_json_lines, "json": _parse_json, "parquet": _parse_parquet}
    try:
        for batch in forms.get(file.format, _parse_sheet)(file, columns):
            progress.reading.add(batch.num_rows)
            yield batch
    except (pa.ArrowException, UnicodeError, *UNREADABLE) as error:
        reason = re.sub(r"\s+", " ", str(error))[:300]
        if "straddling" in reason:
            reason = f"a record is longer than {_BLOCK >> 20} MiB; is a quotation mark never closed?"
        raise SourceError(f"{file.name}: cannot be read to its end: {reason}", "Export the file again.") from error


def _parse_csv(file: SourceFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    header = [written for written, _ in file.columns]
    names = [name for _, name in file.columns]
    malformed: list[tuple[int, int, str]] = []

    def keep(record: Any) -> str:
        malformed.append((record.number, record.actual_columns, record.text))
        return "skip"

    lines = _Lines(header, file.header_line)
    if _only_header(file):
        return
    last: _Good | None = None
    with file.text() as stream:
        reader = pacsv.open_csv(
            stream,
            read_options=pacsv.ReadOptions(
                use_threads=False,
                block_size=_BLOCK,
                encoding="utf8" if file.encoding == "utf-8" else file.encoding,
                column_names=names,
                skip_rows=file.header_line - 1,
                skip_rows_after_names=1,
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=file.delimiter,
                newlines_in_values=file.quoted,
                ignore_empty_lines=False,
                invalid_row_handler=keep,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
        for batch in reader:
            # what each text takes beside itself is its offset, and in the file one delimiter
            progress.reading.add(given=batch.nbytes - 3 * batch.num_rows * batch.num_columns)
            reached = lines.place(batch, malformed, file.quoted)
            yield from _malformed_batch(file, columns, names, lines.taken)
            if not batch.num_rows:
                continue
            if last:
                yield from _records(file, columns, names, *last)
            last = batch, reached
    if last:
        batch, reached = last
        if file.quoted and not file.ends_quoted and not malformed[lines.done :] and _unclosed(batch):
            text = file.delimiter.join(str(column[-1]) for column in batch.columns)
            reason = "a quotation mark is opened and never closed"
            yield _batch(file, columns, {}, reached[-1:], [text.rstrip("\r\n")], [reason])
            batch, reached = batch.slice(0, batch.num_rows - 1), reached[:-1]
        yield from _records(file, columns, names, batch, reached)
    lines.rest(malformed)
    yield from _malformed_batch(file, columns, names, lines.taken)


def _only_header(file: SourceFile) -> bool:
    """Whether a small file is one record, the header: pyarrow fails on one without a line end."""
    if file.size_bytes > _BLOCK:
        return False
    with file.text() as stream:
        text = stream.read().decode(file.encoding)
    text = "\n".join(re.split("\r\n|\r|\n", text)[file.header_line - 1 :])
    return not any(cells for _, cells in islice(headers.records_of(text, file.delimiter), 1, None))


def _unclosed(batch: pa.RecordBatch) -> bool:
    """Whether the last record of a text that does not end in a quotation mark goes over line ends to its end."""
    return bool(re.search("[\r\n]", str(batch.column(batch.num_columns - 1)[-1])))


def _records(
    file: SourceFile, columns: list[str], names: list[str], batch: pa.RecordBatch, reached: np.ndarray
) -> Iterator[pa.RecordBatch]:
    """The records of a batch without its blank lines; those that cannot be meant as they stand are malformed."""
    odd = _swallowed(file, batch) if file.quoted else {}
    odd |= dict.fromkeys(_repeats(file, batch), "repeats the header")
    odd |= dict.fromkeys(_with_zero(batch), "holds a NUL byte")
    if odd:
        at = sorted(odd)
        texts = [file.delimiter.join(str(column[place]) for column in batch.columns) for place in at]
        yield _batch(file, columns, {}, reached[at], texts, [odd[place] for place in at])
        kept = np.setdiff1d(np.arange(batch.num_rows), at)
        batch, reached = batch.take(pa.array(kept)), reached[kept]
    blank = _blank(batch)
    if blank is not None:
        batch, reached = batch.filter(pc.invert(blank)), reached[~blank.to_numpy(zero_copy_only=False)]
    yield _batch(file, columns, dict(zip(names, batch.columns, strict=True)), reached)


def _repeats(file: SourceFile, batch: pa.RecordBatch) -> list[int]:
    """Records that are the header once more: files put one after the other."""
    same = pa.scalar(True)
    for (written, _), column in zip(file.columns, batch.columns, strict=True):
        same = pc.and_(same, pc.equal(pc.utf8_trim(column, "\ufeff "), written.strip("\ufeff ")))
        if not pc.any(same).as_py():
            return []
    return [int(place) for place in np.flatnonzero(same.to_numpy(zero_copy_only=False))]


def _with_zero(batch: pa.RecordBatch) -> list[int]:
    """Records with a zero byte, which no text has."""
    places: set[int] = set()
    for column in batch.columns:
        data = column.buffers()[2]
        if data is not None and b"\0" in data.to_pybytes():
            has_zero = pc.match_substring(column, "\0").to_numpy(zero_copy_only=False)
            places |= {int(place) for place in np.flatnonzero(has_zero)}
    return sorted(places)


def _swallowed(file: SourceFile, batch: pa.RecordBatch) -> dict[int, str]:
    """Records with a cell over line ends of which a line reads like a record of its own, with its key first.

    A cell that was closed where another was opened has a quotation mark left in it; without one it is as it was written.
    """
    problems = {}
    width = len(file.columns)
    for column in batch.columns if width > 1 else ():
        if not _has_line_end(column):
            continue
        for place in np.flatnonzero(pc.match_substring(column, "\n").to_numpy(zero_copy_only=False)):
            cell = str(column[int(place)])
            for line in cell.splitlines()[1:] if '"' in cell else ():
                cells = line.split(file.delimiter)
                if len(cells) == width and re.fullmatch(r"\S*\d\S*", cells[0]):
                    problems[int(place)] = "a cell goes on over records; is a quotation mark missing?"
    return problems


class _Lines:
    """Gives records their line numbers, which pyarrow does not.

    pyarrow numbers malformed records only, counting the lines above the header and then records; good records fill
    the gaps in between. A quoted line end moves everything after it one line down.
    """

    def __init__(self, header: list[str], header_line: int = 1) -> None:
        self.record = header_line + 1
        self.shift = sum(cell.count("\n") for cell in header)
        self.done = 0
        self.taken: list[tuple[int, int, str]] = []

    def place(self, batch: pa.RecordBatch, malformed: list[tuple[int, int, str]], quoted: bool) -> np.ndarray:
        """Lines of the batch's records; `taken` becomes the malformed records met on the way, with lines."""
        self.taken = []
        count = batch.num_rows
        waiting = malformed[self.done :]
        numbers = np.arange(self.record, self.record + count + len(waiting), dtype=np.int64)
        if waiting:
            numbers = np.setdiff1d(numbers, np.array([number for number, _, _ in waiting], dtype=np.int64))
        numbers = numbers[:count]
        if not count:
            return numbers
        breaks = _line_ends(batch) if quoted else None
        passed = [item for item in waiting if item[0] < numbers[-1]]
        shifts = np.full(count, self.shift, dtype=np.int64)
        if breaks is not None:
            shifts += np.concatenate([[0], np.cumsum(breaks)[:-1]])
        for number, cells, text in passed:
            after = numbers > number
            inside = text.count("\n")
            before = int(breaks[~after].sum()) if breaks is not None else 0
            self.taken.append((number + self.shift + before, cells, text))
            shifts[after] += inside
            self.shift += inside
        if breaks is not None:
            self.shift += int(breaks.sum())
        self.done += len(passed)
        self.record = int(numbers[-1]) + 1
        return numbers + shifts

    def rest(self, malformed: list[tuple[int, int, str]]) -> None:
        """`taken` becomes the malformed records after the last good one."""
        self.taken = []
        for number, cells, text in malformed[self.done :]:
            self.taken.append((number + self.shift, cells, text))
            self.shift += text.count("\n")
        self.done = len(malformed)


def _has_line_end(column: pa.StringArray) -> bool:
    """Whether a line end may be in a cell: looked for in all cells at once, which is many times faster than one by one."""
    data = column.buffers()[2]
    return data is not None and b"\n" in data.to_pybytes()


def _line_ends(batch: pa.RecordBatch) -> np.ndarray | None:
    """Line ends inside the cells of each record, None when there are none."""
    total = None
    for column in batch.columns:
        if _has_line_end(column):
            breaks = pc.count_substring(column, "\n").to_numpy(zero_copy_only=False).astype(np.int64)
            total = breaks if total is None else total + breaks
    return total


def _blank(batch: pa.RecordBatch) -> pa.Array | None:
    """True for lines without any value, None when there are none: such a line is no record."""
    blank = pc.equal(batch.column(0), "")
    if not pc.any(blank).as_py():
        return None
    for column in batch.columns[1:]:
        blank = pc.and_(blank, pc.equal(column, ""))
    return blank


def _malformed_batch(
    file: SourceFile, columns: list[str], names: list[str], taken: list[tuple[int, int, str]]
) -> Iterator[pa.RecordBatch]:
    taken = [record for record in taken if record[2].strip(file.delimiter + "\r\n")]  # delimiters alone: no record
    if taken:
        reasons = [f"{cells} cells, the header has {len(names)}" for _, cells, _ in taken]
        yield _batch(
            file,
            columns,
            {},
            np.array([line for line, _, _ in taken]),
            [text for _, _, text in taken],
            reasons,
        )


def _batch(
    file: SourceFile,
    columns: list[str],
    cells: dict[str, pa.Array],
    lines: np.ndarray,
    malformed: list[str] | pa.Array | None = None,
    reasons: list[str] | None = None,
) -> pa.RecordBatch:
    count = len(lines)
    nothing = pa.nulls(count, pa.string())
    arrays = [cells.get(name, nothing) for name in columns]
    arrays.append(pa.repeat(pa.scalar(file.name, pa.string()), count))
    arrays.append(pa.array(lines, pa.int64()))
    arrays.append(nothing if malformed is None else pa.array(malformed, pa.string()))
    arrays.append(nothing if reasons is None else pa.array(reasons, pa.string()))
    return pa.RecordBatch.from_arrays(
        arrays, names=[*columns, "_source_file", "_source_row", "_malformed", "_malformed_reason"]
    )


def _parse_json_lines(file: SourceFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    start = 1
    for lines in text_lines(file.place):
        records = [(start + place, line, documents.record(line)) for place, line in enumerate(lines) if line.strip()]
        start += len(lines)
        yield from _objects(file, columns, records)


def _parse_json(file: SourceFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    start, written = 1, [header for header, _ in file.columns]
    for part in readers.objects(file.place, file.name, file.sheet, written):
        good = [(start + place, cells) for place, (text, cells) in enumerate(part) if text is None]
        if good:
            cells = {
                name: pa.array([cells[place] for _, cells in good], pa.string())
                for place, (_, name) in enumerate(file.columns)
            }
            yield _batch(file, columns, cells, np.array([number for number, _ in good], dtype=np.int64))
        yield from _no_objects(
            file, columns, [(start + place, text) for place, (text, _) in enumerate(part) if text is not None]
        )
        start += len(part)


def _objects(
    file: SourceFile, columns: list[str], records: list[tuple[int, str, dict[str, Any] | None]]
) -> Iterator[pa.RecordBatch]:
    """Records given as number, text and JSON object; without an object they are malformed."""
    good = [(number, document) for number, _, document in records if document is not None]
    if good:
        cells = {
            name: pa.array([documents.cell(document, written) for _, document in good], pa.string())
            for written, name in file.columns
        }
        yield _batch(file, columns, cells, np.array([number for number, _ in good], dtype=np.int64))
    yield from _no_objects(file, columns, [(number, text) for number, text, document in records if document is None])


def _no_objects(file: SourceFile, columns: list[str], wrong: list[tuple[int, str]]) -> Iterator[pa.RecordBatch]:
    if wrong:
        numbers = np.array([number for number, _ in wrong], dtype=np.int64)
        yield _batch(
            file,
            columns,
            {},
            numbers,
            [text for _, text in wrong],
            ["not a JSON object, or one with a key twice"] * len(wrong),
        )


def _parse_parquet(file: SourceFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    start = 1
    for batch in readers.batches(file.place, file.name):
        lines = np.arange(start, start + batch.num_rows, dtype=np.int64)
        start += batch.num_rows
        cells = {name: batch.column(place) for place, (_, name) in enumerate(file.columns)}
        yield _batch(file, columns, cells, lines)


def _parse_sheet(file: SourceFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    names = [name for _, name in file.columns]
    width = len(names)
    rows = enumerate(readers.rows(file.place, file.name, file.format, file.sheet), start=1)
    records = ((line, row) for line, row in islice(rows, file.header_line, None) if any(cell.strip() for cell in row))
    header = [written.strip() for written, _ in file.columns]
    while part := list(islice(records, _ROWS)):
        again = [(line, row) for line, row in part if [cell.strip() for cell in row[:width]] == header]
        if again:
            texts = ["\t".join(row) for _, row in again]
            lines = np.array([line for line, _ in again], dtype=np.int64)
            yield _batch(file, columns, {}, lines, texts, ["repeats the header"] * len(again))
            taken = {line for line, _ in again}
            part = [(line, row) for line, row in part if line not in taken]
        fitting = [(line, row) for line, row in part if not any(cell.strip() for cell in row[width:])]
        beyond = [(line, row) for line, row in part if any(cell.strip() for cell in row[width:])]
        if fitting:
            cells = {
                name: pa.array([row[place] if place < len(row) else "" for _, row in fitting], pa.string())
                for place, name in enumerate(names)
            }
            yield _batch(file, columns, cells, np.array([line for line, _ in fitting], dtype=np.int64))
        if beyond:
            reasons = [f"cells to the right of the header's {width}" for _ in beyond]
            texts = ["\t".join(row) for _, row in beyond]
            yield _batch(file, columns, {}, np.array([line for line, _ in beyond], dtype=np.int64), texts, reasons)
