"""Where the header of a table is, and what separates its cells."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

#: What may separate the cells of a text.
DELIMITERS = (",", ";", "\t", "|")
#: Records looked at for a header that is not the first line.
_DEPTH = 30
#: The standard library stops at cells of 128 KiB unless told otherwise; a note may be longer.
_LONGEST_CELL = 1 << 30
#: Of the texts above a header as many are kept, and so many characters of each.
_MOST_TEXTS, _LONGEST_TEXT = 60, 120

#: How many columns of a header somebody knows.
Known = Callable[[Sequence[str]], int]


@dataclass(frozen=True)
class Header:
    """The cells of a header, the line on which it starts, the delimiter, and the texts of the lines above it."""

    cells: tuple[str, ...]
    line: int
    delimiter: str = ","
    above: tuple[str, ...] = ()


def of_text(head: str, known: Known, line: int | None = None) -> Header | None:
    """The header of a delimited text, from its beginning: on `line`, or on the line that looks most like one.

    The delimiter is the one under which most of its cells are known, then under which there are most cells.
    """
    candidates = [header for delimiter in DELIMITERS if (header := _with(head, delimiter, known, line))]
    return max(candidates, key=lambda header: (known(header.cells), len(header.cells)), default=None)


def _with(head: str, delimiter: str, known: Known, line: int | None) -> Header | None:
    records = list(islice(records_of(head, delimiter), max(_DEPTH, line or 0)))
    at = _place(
        [cells for _, cells in records], known, next((i for i, (n, _) in enumerate(records) if n == line), line)
    )
    if at is None:
        return None
    cells = grouped(records[at - 1][1], records[at][1]) if at else records[at][1]
    return Header((*cells, *_ended(records, at)), records[at][0], delimiter, _texts(each for _, each in records[:at]))


def grouped(above: Sequence[str], cells: Sequence[str]) -> list[str]:
    """A header, its names that stand in it more than once with those of the groups that the record above it has.

    A group goes on to the next one. Where the record above is none of groups, or does not tell the names apart, the header
    stays as it is.

    >>> grouped(["", "", "Created", "", "Closed", ""], ["ID", "Account", "Date", "By", "Date", "By"])
    ['ID', 'Account', 'Created Date', 'Created By', 'Closed Date', 'Closed By']
    >>> grouped(["Deals", "", ""], ["ID", "Date", "Date"]), grouped(["Date", "Name", ""], ["ID", "Name", "Owner"])
    (['ID', 'Date', 'Date'], ['ID', 'Name', 'Owner'])
    """
    names = [cell.strip().lower() for cell in cells]
    repeated = {name for name in names if name and names.count(name) > 1}
    groups = [cell.strip() for cell in above if cell.strip()]
    if not repeated or not 2 <= len(groups) < len(cells) or any(map(_figure, groups)):
        return list(cells)
    group, joined = "", list[str]()
    for place, (cell, name) in enumerate(zip(cells, names, strict=True)):
        group = (above[place].strip() if place < len(above) else "") or group
        joined.append(f"{group} {cell.strip()}" if group and name in repeated else cell)
    told_apart = [cell.lower() for cell, name in zip(joined, names, strict=True) if name in repeated]
    return joined if len({*told_apart}) == len(told_apart) else list(cells)


def _ended(records: Sequence[tuple[int, list[str]]], at: int) -> list[str]:
    """A nameless cell for the header where every record, and it alone does not, ends in one more delimiter."""
    width = len(records[at][1])
    below = [cells for _, cells in records[at + 1 :] if sum(map(bool, cells)) > 1]
    return [""] if below and all(len(cells) == width + 1 and not cells[-1].strip() for cells in below) else []


def records_of(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The records of a delimited text, each with the line on which it starts, however long a cell is."""
    csv.field_size_limit(_LONGEST_CELL)
    reader, start = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), 1
    for cells in reader:
        yield start, cells
        start = reader.line_num + 1


def of_rows(rows: Sequence[Sequence[str]], known: Known, line: int | None = None) -> Header | None:
    """The header of a sheet, from its first rows; cells to the right of the last named one do not count."""
    at = _place(rows[: max(_DEPTH, line or 0)], known, None if line is None else line - 1)
    if at is None:
        return None
    cells = tuple(grouped(rows[at - 1] if at else [], _trimmed(rows[at])))
    return Header(cells, at + 1, above=_texts(rows[:at]))


def _texts(records: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The titles, notes and groups that stand above a header."""
    return tuple(cell.strip()[:_LONGEST_TEXT] for cells in records for cell in cells if cell.strip())[:_MOST_TEXTS]


def _trimmed(cells: Sequence[str]) -> list[str]:
    kept = list(cells)
    while kept and not kept[-1].strip():
        kept.pop()
    return kept


def _place(records: Sequence[Sequence[str]], known: Known, wanted: int | None) -> int | None:
    """Place of the header among the first records.

    The first record that is not blank, unless a later one has more known names, or stands out by its shape: it is as
    wide as the table while what is above it is a title.
    """
    if wanted is not None:
        return wanted if wanted < len(records) and any(records[wanted]) else None
    filled = [sum(1 for cell in cells if cell.strip()) for cells in records]
    first = next((place for place, count in enumerate(filled) if count), None)
    if first is None:
        return None
    scores = [known(cells) if count else 0 for cells, count in zip(records, filled, strict=True)]
    if filled[first] >= max(filled[first:]) and not any(_figure(cell.strip()) for cell in records[first]):
        for place in range(first + 1, len(records)):  # a record of the table that the first heads
            scores[place] *= not any(_figure(cell.strip()) for cell in records[place])
    best = max(range(len(records)), key=lambda place: (scores[place], -place))
    if scores[best] > max(scores[first], 1):
        return best
    if scores[first] == 0 and (shaped := _by_shape(records, filled)) is not None:
        return shaped
    return first


def _by_shape(records: Sequence[Sequence[str]], filled: Sequence[int]) -> int | None:
    """The first record with about as many cells as the widest, all of them different words and none a figure."""
    widest = max(filled)
    for place, cells in enumerate(records):
        named = [cell.strip().lower() for cell in cells if cell.strip()]
        if len(named) >= max(2, 0.8 * widest) and len(set(named)) == len(named) and not any(map(_figure, named)):
            return place
    return None


def _figure(cell: str) -> bool:
    return bool(re.fullmatch(r"[\d\s.,:/%$€£+()-]*\d[\d\s.,:/%$€£+()-]*", cell))
