"""Files whose form is not CSV: archives, workbooks, JSON documents, web pages and Parquet.

What is in the modules here is done in other processes (see `medallion.sources.confined`); the functions here ask these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from medallion.errors import SourceError
from medallion.sources import confined

if TYPE_CHECKING:
    from medallion.sources.files import Place

_KINDS = {
    "workbooks": ("workbook", "Open it and save it again as .xlsx, or export the sheet as CSV."),
    "documents": ("JSON document", "Export it again, or write one object per line."),
    "web_tables": ("web page", "Open it in a spreadsheet program and save it as .xlsx or .csv."),
    "parquet": ("Parquet file", "Export it again."),
}


def _asked(place: Place, name: str, what: str, *arguments: Any) -> Iterator[Any]:
    kind, remedy = _KINDS[what.partition(".")[0]]
    try:
        yield from confined.ask(place, name, what, *arguments)
    except OSError as error:
        raise SourceError(f"{name}: is not a readable {kind}: {error}", remedy) from error


def sheets(place: Place, name: str) -> tuple[list[str], list[str]]:
    """Names of the visible sheets of cells of a workbook, and of the other ones.

    Raises:
        SourceError: It cannot be read; so it is with all that is asked here.
    """
    listed = list(_asked(place, name, "workbooks.sheets"))
    return [sheet for sheet, shown in listed if shown], [sheet for sheet, shown in listed if not shown]


def pages(place: Place, name: str) -> list[str]:
    """Names of the tables of a web page."""
    (names,) = _asked(place, name, "web_tables.tables")
    return list(names)


def rows(place: Place, name: str, form: str, table: str) -> Iterator[list[str]]:
    """The rows of a sheet or of a table of a page, every cell as text."""
    module = "workbooks" if form == "workbook" else "web_tables"
    for part in _asked(place, name, f"{module}.rows", table):
        yield from part


def lists(place: Place, name: str) -> list[str] | None:
    """Paths to the lists of objects in a JSON document, None for JSON lines."""
    (paths,) = _asked(place, name, "documents.lists")
    return None if paths is None else list(paths)


def header(place: Place, name: str, path: str | None = None) -> list[str]:
    """The columns of a Parquet file, or of the list of a JSON document at a path."""
    asked = ("parquet.header",) if path is None else ("documents.header", path)
    (columns,) = _asked(place, name, *asked)
    return list(columns)


def objects(
    place: Place, name: str, path: str, columns: list[str]
) -> Iterator[list[tuple[str | None, list[str | None]]]]:
    """Cells of the objects of a list in a JSON document, some at once; of what is no object its text."""
    yield from _asked(place, name, "documents.rows", path, columns)


def batches(place: Place, name: str) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file, every cell as text."""
    yield from _asked(place, name, "parquet.rows")


def count(place: Place, name: str) -> int:
    """How many rows a Parquet file has."""
    (total,) = _asked(place, name, "parquet.count")
    return int(total)
