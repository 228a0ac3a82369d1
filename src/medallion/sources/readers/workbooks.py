"""Sheets of Excel and OpenDocument workbooks as rows of text, read by python-calamine."""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from medallion.errors import SourceError
from medallion.sources.readers.opened import File, whole

#: A workbook is held in memory, unpacked.
_LARGEST = 1 << 30
_HEAD = 1 << 20
#: Cells of the rectangle of one sheet, empty ones too.
_MOST_CELLS = 50_000_000
#: Rows that are handed over at once.
_AT_ONCE = 1000
#: A cell of a sheet with its place, whatever its quotation marks, the order of its attributes or its prefix.
_CELL = re.compile(rb"""<(?:\w+:)?c\s[^<>]{0,200}?\br\s*=\s*["']([A-Z]{1,3})(\d{1,7})["']""")
_CSV_REMEDY = "Export the sheet as CSV instead."


def text(cell: Any) -> str:
    """A cell as it would stand in a CSV export: whole numbers without decimals, timestamps in ISO 8601.

    >>> [text(cell) for cell in (1234.0, 0.1, 1e20, True, datetime(2025, 6, 1, 9, 30), date(2025, 6, 1), " a ")]
    ['1234', '0.1', '100000000000000000000', 'true', '2025-06-01 09:30:00', '2025-06-01', ' a ']
    """
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else format(Decimal(repr(cell)), "f")
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return str(cell)


def spread(
    rows: Iterable[list[Any]], merged: Iterable[tuple[tuple[int, int], tuple[int, int]]], left: int = 0
) -> Iterator[list[Any]]:
    """Rows in which a text or a date that is merged over rows is in each of them; a figure would count more than once.

    `left` is the column of the first cell of a row.

    >>> list(spread([["Ann", "D1", 9.0], ["", "D2", ""], ["", "D3", 4.0]], [((0, 0), (1, 0)), ((0, 2), (1, 2))]))
    [['Ann', 'D1', 9.0], ['Ann', 'D2', ''], ['', 'D3', 4.0]]
    """
    over = sorted((first, column, last) for (first, column), (last, _) in merged if last > first)
    place, below = 0, dict[int, tuple[Any, int]]()
    for number, row in enumerate(rows):
        below = {column: merged_cell for column, merged_cell in below.items() if merged_cell[1] >= number}
        row = [below[n][0] if n in below and cell == "" else cell for n, cell in enumerate(row)]
        while place < len(over) and over[place][0] <= number:
            first, column, last = over[place]
            place += 1
            if first == number and 0 <= column - left < len(row) and not isinstance(row[column - left], float):
                below[column - left] = row[column - left], last
        yield row


def _book(file: File, name: str) -> Any:
    from python_calamine import CalamineError, CalamineWorkbook

    with file.seekable(_LARGEST) as stream:
        content = whole(stream, _LARGEST, "a workbook")
    if "EncryptedPackage".encode("utf-16-le") in content[:_HEAD]:
        raise SourceError(f"{name}: the workbook needs a password", "Save it without one.")
    if zipfile.is_zipfile(io.BytesIO(content)):
        _check_size(io.BytesIO(content), name)
    try:
        return CalamineWorkbook.from_filelike(io.BytesIO(content))
    except (CalamineError, OSError, ValueError) as error:
        raise _refusal(name, error) from error


def _refusal(name: str, error: Exception) -> SourceError:
    protected = "password" in str(error).lower() or "encrypted" in str(error).lower()
    return SourceError(
        f"{name}: is not a readable workbook: {error}",
        "Save it without a password." if protected else "Open it and save it again as .xlsx, or export CSV.",
    )


def _check_size(content: io.BytesIO, name: str) -> None:
    """Refuse what would not fit into memory: a sheet is held as a rectangle that reaches to its farthest cell."""
    with zipfile.ZipFile(content) as parts:
        unpacked = sum(part.file_size for part in parts.infolist())
        if unpacked > _LARGEST:
            raise SourceError(f"{name}: the workbook unpacks to {unpacked >> 20:,} MiB", _CSV_REMEDY)
        for part in parts.infolist():
            if not part.filename.lower().endswith(".xml"):
                continue
            rows = columns = 0
            with parts.open(part) as stream:
                rest = b""
                while chunk := stream.read(1 << 20):
                    for letters, row in _CELL.findall(rest + chunk):
                        rows = max(rows, int(row))
                        columns = max(columns, _number(letters))
                    rest = chunk[-256:]
            if rows * columns > _MOST_CELLS:
                raise SourceError(
                    f"{name}: a sheet reaches to row {rows:,} and column {columns:,}, far beyond its table",
                    "Delete the stray cell, or export the sheet as CSV.",
                )


def _number(letters: bytes) -> int:
    """The number of a column: A is 1, XFD is 16,384."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


#: The parts of a sheet's cell: its place, its attributes, what is in it.
_WHOLE_CELL = re.compile(rb"<(?:\w+:)?c\s([^<>]*?)(?:/>|>(.*?)</(?:\w+:)?c>)", re.DOTALL)
_PLACE = re.compile(rb"""\br\s*=\s*["']([A-Z]{1,3})(\d{1,7})["']""")
_TYPE = re.compile(rb"""\bt\s*=\s*["'](\w+)["']""")
_FORMULA, _VALUE = re.compile(rb"<(?:\w+:)?f[\s/>]"), re.compile(rb"<(?:\w+:)?v>([^<]+)</")
#: So many formulas of a column without a result, and this share of its rows, are no total below the table.
_FORMULAS, _SHARE = 2, 0.2


def _part(book: zipfile.ZipFile, sheet: str) -> str | None:
    """The part of an .xlsx workbook that has the cells of a sheet."""
    named = {item.filename.lower(): item.filename for item in book.infolist()}
    texts = [
        book.read(named[name]).decode("utf-8", "replace") if name in named else ""
        for name in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels")
    ]
    targets = {}
    for tag in re.findall(r"<(?:\w+:)?Relationship\s[^<>]*>", texts[1]):
        attributes = {name: re.search(rf"""\b{name}\s*=\s*["']([^"']*)["']""", tag) for name in ("Id", "Target")}
        if all(attributes.values()):
            targets[attributes["Id"][1]] = attributes["Target"][1]  # type: ignore[index]
    for tag in re.findall(r"<(?:\w+:)?sheet\s[^<>]*>", texts[0]):
        name, place = (
            re.search(r"""\bname\s*=\s*["']([^"']*)["']""", tag),
            re.search(r"""\w+:id\s*=\s*["']([^"']*)["']""", tag),
        )
        if name and place and html.unescape(name[1]) == sheet and place[1] in targets:
            target = targets[place[1]]
            return named.get((target.lstrip("/") if target.startswith("/") else f"xl/{target}").lower())
    return None


def _errors_and_formulas(file: File, sheet: str) -> tuple[dict[tuple[int, int], str], dict[int, int]]:
    """What a workbook's own text says of a sheet beyond its values: errors by row and column, both from 0, and by column the
    formulas whose result is not stored.
    """
    errors, formulas, computed = dict[tuple[int, int], str](), dict[int, int](), set[int]()
    with file.seekable(_LARGEST) as stream:
        content = io.BytesIO(whole(stream, _LARGEST, "a workbook"))
    if not zipfile.is_zipfile(content):
        return errors, formulas
    with zipfile.ZipFile(content) as book:
        part = _part(book, sheet)
        text = book.read(part) if part else b""
        is_left = b'fullCalcOnLoad="1"' in book.read("xl/workbook.xml") if part else False  # computed when it is opened
    if b"<f" not in text and b":f" not in text and not re.search(rb"""t\s*=\s*["']e["']""", text):
        return errors, formulas
    for cell in _WHOLE_CELL.finditer(text):
        place, kind, value = _PLACE.search(cell[1]), _TYPE.search(cell[1]), _VALUE.search(cell[2] or b"")
        if place is None:
            continue
        row, column = int(place[2]) - 1, _number(place[1]) - 1
        if kind and kind[1] == b"e" and value:
            errors[row, column] = value[1].decode("utf-8", "replace")
        if not _FORMULA.search(cell[2] or b""):
            continue
        if (kind is None or kind[1] == b"n") and (value is None or (is_left and value[1] == b"0")):
            formulas[column] = formulas.get(column, 0) + 1  # an empty text as the result has a type
        elif value:
            computed.add(column)
    return errors, {column: n for column, n in formulas.items() if column not in computed}


def _without_results(name: str, formulas: dict[int, int], rows: list[list[Any]], left: int) -> None:
    """Refuse a sheet of which a column has formulas that nothing has computed: their cells would be empty."""
    most = [column for column, n in formulas.items() if n >= max(_FORMULAS, _SHARE * (len(rows) - 1))]
    if not most:
        return
    header = next((row for row in rows if sum(isinstance(cell, str) and cell != "" for cell in row) > 1), [])
    shown = []
    for column in sorted(most)[:5]:
        place = column - left
        title = f" ({header[place]!r})" if 0 <= place < len(header) and header[place] != "" else ""
        shown.append(f"column {_letters(column)}{title} has {formulas[column]:,}")
    raise SourceError(
        f"{name}: formulas without a stored result: {', '.join(shown)}; their cells would be empty",
        "Open the workbook in a spreadsheet program, let it compute, and save it once; then run again.",
    )


def _letters(column: int) -> str:
    """The letters of a column from 0.

    >>> _letters(0), _letters(27)
    ('A', 'AB')
    """
    column, letters = column + 1, ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def sheets(file: File, name: str) -> Iterator[tuple[str, bool]]:
    """Names of the sheets, and whether each is a visible one of cells.

    Raises:
        SourceError: The workbook cannot be read.
    """
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    for sheet in file.made(lambda: _book(file, name)).sheets_metadata:
        yield sheet.name, sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet


def _with_errors(rows: Iterable[list[Any]], errors: dict[tuple[int, int], str], left: int) -> Iterator[list[Any]]:
    """Rows with the errors that stand in their cells, which are empty otherwise."""
    by_row: dict[int, dict[int, str]] = {}
    for (row, column), says in errors.items():
        by_row.setdefault(row, {})[column - left] = says
    for number, cells in enumerate(rows):
        there = by_row.get(number, {})
        yield [there.get(place, cell) if cell == "" else cell for place, cell in enumerate(cells)] if there else cells


def rows(file: File, name: str, sheet: str) -> Iterator[list[list[str]]]:
    """The rows of a sheet from its first one on, some at once, every cell as text, an empty one as ``.

    Raises:
        SourceError: The workbook cannot be read, or has no such sheet.
    """
    from python_calamine import CalamineError

    book = file.made(lambda: _book(file, name))
    if sheet not in book.sheet_names:
        raise SourceError(f"{name}: has no sheet {sheet!r}", "Export it again.")
    try:
        cells = book.get_sheet_by_name(sheet)
        left = (cells.start or (0, 0))[1]
        errors, formulas = file.made_of(sheet, lambda: _errors_and_formulas(file, sheet))
        listed = cells.iter_rows()
        if formulas:
            whole_sheet = list(listed)
            _without_results(name, formulas, whole_sheet, left)
            listed = iter(whole_sheet)
        if errors:
            listed = _with_errors(listed, errors, left)
        spread_out = spread(listed, cells.merged_cell_ranges or (), left)
        while part := list(islice(spread_out, _AT_ONCE)):
            yield [[text(cell) for cell in row] for row in part]
    except (CalamineError, OSError, ValueError) as error:
        raise _refusal(name, error) from error
