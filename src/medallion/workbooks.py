"""Sheets of Excel and OpenDocument workbooks as rows of text, read by python-calamine."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from medallion.errors import SourceError
from medallion.files import UNREADABLE, Place

#: A workbook is held in memory, unpacked.
_LARGEST = 1 << 30
_HEAD = 1 << 20
#: Cells of the rectangle of one sheet, empty ones too.
_MOST_CELLS = 50_000_000


@contextmanager
def _workbook(place: Place, name: str) -> Iterator[CalamineWorkbook]:
    try:
        with place.open() as stream:
            content = io.BytesIO(stream.read(_LARGEST + 1))
        if content.getbuffer().nbytes > _LARGEST:
            raise SourceError(f"{name}: is larger than {_LARGEST >> 20:,} MiB", "Export the sheet as CSV instead.")
        if "EncryptedPackage".encode("utf-16-le") in content.getbuffer()[:_HEAD].tobytes():
            raise SourceError(f"{name}: the workbook needs a password", "Save it without one.")
        if zipfile.is_zipfile(content):
            _check_size(content, name)
        content.seek(0)
        yield CalamineWorkbook.from_filelike(content)
    except CalamineError as error:
        protected = "password" in str(error).lower() or "encrypted" in str(error).lower()
        raise SourceError(
            f"{name}: is not a readable workbook: {error}",
            "Save it without a password." if protected else "Open it and save it again as .xlsx, or export CSV.",
        ) from error
    except UNREADABLE as error:
        raise SourceError(f"{name}: cannot be read: {error}", "Check the file is complete; export it again.") from error


def _check_size(content: io.BytesIO, name: str) -> None:
    """Refuse what would not fit into memory: a sheet is held as a rectangle that reaches to its farthest cell."""
    with zipfile.ZipFile(content) as parts:
        unpacked = sum(part.file_size for part in parts.infolist())
        if unpacked > _LARGEST:
            raise SourceError(
                f"{name}: the workbook unpacks to {unpacked >> 20:,} MiB", "Export the sheet as CSV instead."
            )
        for part in parts.infolist():
            if not re.fullmatch(r"xl/worksheets/[^/]+\.xml", part.filename):
                continue
            rows = columns = 0
            with parts.open(part) as stream:
                rest = b""
                while chunk := stream.read(1 << 20):
                    for letters, row in re.findall(rb'<c r="([A-Z]{1,3})(\d{1,7})"', rest + chunk):
                        rows = max(rows, int(row))
                        columns = max(columns, _number(letters))
                    rest = chunk[-32:]
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


def sheets(place: Place, name: str) -> tuple[list[str], list[str]]:
    """Names of the visible sheets of cells, and of the other ones.

    Raises:
        SourceError: The workbook cannot be read.
    """
    shown: list[str] = []
    hidden: list[str] = []
    with _workbook(place, name) as book:
        for sheet in book.sheets_metadata:
            visible = sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet
            (shown if visible else hidden).append(sheet.name)
    return shown, hidden


def rows(place: Place, name: str, sheet: str) -> Iterator[list[str]]:
    """The rows of a sheet from its first one on, every cell as text, an empty one as ``.

    Raises:
        SourceError: The workbook cannot be read, or has no such sheet.
    """
    with _workbook(place, name) as book:
        if sheet not in book.sheet_names:
            raise SourceError(f"{name}: has no sheet {sheet!r}", "Export it again.")
        for row in book.get_sheet_by_name(sheet).iter_rows():
            yield [text(cell) for cell in row]


def text(cell: Any) -> str:
    """A cell as it would stand in a CSV export: whole numbers without decimals, moments in ISO 8601.

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
