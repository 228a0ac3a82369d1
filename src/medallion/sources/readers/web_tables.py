"""Tables of a web page as rows of text: what some CRMs call a workbook is one. Nothing in it is run or fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from medallion.errors import SourceError
from medallion.sources import encodings
from medallion.sources.readers.opened import File

#: A page is held in memory.
_LARGEST = 256 << 20
#: Cells that one merged cell may stand for.
_MOST_MERGED = 10_000
#: Rows that are handed over at once.
_AT_ONCE = 1000
_START = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|table|meta|head|body|style|div|!--)", re.IGNORECASE)


def is_page(start: bytes) -> bool:
    """Whether a file begins as a web page does."""
    wide = start.startswith((b"\xff\xfe", b"\xfe\xff"))
    return bool(_START.match(start[2:].replace(b"\0", b"") if wide else start))


class _Tables(HTMLParser):
    """The tables of a page; a table in a cell of another is one of its own. A merged cell is said in each of its rows."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self._open: list[list[list[str]]] = []
        self._below: list[dict[int, tuple[str, int]]] = []
        self._cell: list[list[str] | None] = []
        self._spans: list[tuple[int, int]] = []
        self._silent = 0
        self._fresh: list[str] | None = None
        self._due: dict[int, tuple[str, int]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self._silent += 1
        elif tag == "table":
            self._open.append([])
            self._below.append({})
            self._cell.append(None)
            self._spans.append((1, 1))
            self.tables.append(self._open[-1])
        elif self._open and tag == "tr":
            self._end_cell()
            self._open[-1].append([])
            self._fill()
        elif self._open and tag in ("td", "th"):
            self._end_cell()
            if not self._open[-1]:
                self._open[-1].append([])
            given = dict(attrs)
            self._spans[-1] = (_span(given.get("colspan")), _span(given.get("rowspan")))
            self._cell[-1] = []
        elif tag == "br" and self._cell and self._cell[-1] is not None:
            self._cell[-1].append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._silent = max(0, self._silent - 1)
        elif self._open and tag in ("td", "th", "tr"):
            self._end_cell()
        elif self._open and tag == "table":
            self._end_cell()
            for stack in (self._open, self._below, self._cell, self._spans):
                stack.pop()

    def handle_data(self, data: str) -> None:
        if self._cell and self._cell[-1] is not None and not self._silent:
            self._cell[-1].append(data)

    def _end_cell(self) -> None:
        if not self._cell or self._cell[-1] is None:
            return
        lines = "".join(self._cell[-1]).replace("\xa0", " ").split("\n")
        text = "\n".join(line for line in (re.sub(r"\s+", " ", line).strip() for line in lines) if line)
        self._cell[-1] = None
        across, down = self._spans[-1]
        row = self._open[-1][-1]
        for place in range(across):
            if down > 1:
                self._below[-1][len(row)] = (text if not place else "", down - 1)
            row.append(text if not place else "")
        self._fill()

    def _fill(self) -> None:
        """The cells of a row that are merged with those above."""
        row, below = self._open[-1][-1], self._below[-1]
        if self._fresh is not row:  # what this row begins is not for itself
            self._fresh, self._due = row, dict(below)
        while (waiting := self._due.pop(len(row), None)) is not None:
            text, left = waiting
            below[len(row)] = (text, left - 1)
            if left == 1:
                del below[len(row)]
            row.append(text)


def _span(given: str | None) -> int:
    return min(max(int(given), 1), _MOST_MERGED) if given and given.strip().isdigit() else 1


def _tables(file: File, name: str) -> dict[str, list[list[str]]]:
    """The tables of a page of two rows or more, by the name that tells them apart."""
    remedy = "Open it in a spreadsheet program and save it as .xlsx or .csv."
    with file.stream() as stream:
        content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise SourceError(f"{name}: is a web page of more than {_LARGEST >> 20} MiB", remedy)
    reader = _Tables()
    reader.feed(_text(content, name))
    reader.close()
    grids = [rows for rows in reader.tables if len(rows) > 1 and max(map(len, rows)) > 1]
    if not grids:
        raise SourceError(f"{name}: is a web page (HTML or XML) without a table, whatever its name says", remedy)
    return {"Table" if len(grids) == 1 else f"Table {n}": rows for n, rows in enumerate(grids, start=1)}


def _text(content: bytes, name: str) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    charset = re.search(rb"charset=[\"']?([\w-]+)", content[:4096])
    for encoding in (
        charset[1].decode() if charset else "",
        encodings.east_asian(content) or "",
        encodings.of_chunks([content])[0] or "",
    ):
        try:
            return content.decode(encoding)
        except (LookupError, UnicodeDecodeError):
            continue
    raise SourceError(f"{name}: is a web page whose letters do not tell which encoding it is in", "Export it as UTF-8.")


def tables(file: File, name: str) -> Iterator[list[str]]:
    """The names of the tables of a page.

    Raises:
        SourceError: It cannot be read, is too large to be held, or has no table.
    """
    yield list(file.made(lambda: _tables(file, name)))


def rows(file: File, name: str, table: str) -> Iterator[list[list[str]]]:
    """The rows of a table of a page, some at once, every cell as text."""
    table_rows = file.made(lambda: _tables(file, name)).get(table, [])
    for start in range(0, len(table_rows), _AT_ONCE):
        yield table_rows[start : start + _AT_ONCE]
