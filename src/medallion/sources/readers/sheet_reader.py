"""Reads a workbook in a process of its own: `python -I sheet_reader.py MEMORY SECONDS LIBRARIES [SHEET]`.

The native reader ends its process when a damaged or hostile workbook makes it ask for more memory than there is. Here
that ends this process only, which has a limit of memory and of processor time. The workbook comes in over standard
input; out go JSON lines: the sheets, or the rows of one, then `"end"`; or `{"error": ...}`. Imports nothing of the
package, so that it starts quickly.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any


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
        below = {column: held for column, held in below.items() if held[1] >= number}
        row = [below[n][0] if n in below and cell == "" else cell for n, cell in enumerate(row)]
        while place < len(over) and over[place][0] <= number:
            first, column, last = over[place]
            place += 1
            if first == number and 0 <= column - left < len(row) and not isinstance(row[column - left], float):
                below[column - left] = row[column - left], last
        yield row


def _limit(memory: int, seconds: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, wanted in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            hard = resource.getrlimit(kind)[1]
            resource.setrlimit(kind, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
        except (OSError, ValueError):  # a system that does not have this limit
            continue


def main(memory: str, seconds: str, libraries: str, sheet: str | None = None) -> None:
    """Write what was asked for to standard output."""
    _limit(int(memory), int(seconds))
    sys.path.append(libraries)
    from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    def say(document: Any) -> None:
        sys.stdout.write(json.dumps(document) + "\n")

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
        if sheet is None:
            for one in book.sheets_metadata:
                visible = one.visible == SheetVisibleEnum.Visible and one.typ == SheetTypeEnum.WorkSheet
                say([one.name, visible])
        elif sheet not in book.sheet_names:
            say({"missing": sheet})
        else:
            cells = book.get_sheet_by_name(sheet)
            for row in spread(cells.iter_rows(), cells.merged_cell_ranges or (), (cells.start or (0, 0))[1]):
                say([text(cell) for cell in row])
        say("end")
    except (CalamineError, OSError, ValueError) as error:
        say({"error": str(error)})
    except MemoryError:
        say({"memory": True})


if __name__ == "__main__":
    main(*sys.argv[1:])
