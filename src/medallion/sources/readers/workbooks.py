"""Sheets of Excel and OpenDocument workbooks as rows of text, read by python-calamine in a process of its own."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from medallion.errors import SourceError
from medallion.sources.files import UNREADABLE, Place
from medallion.sources.readers import sheet_reader

#: A workbook is held in memory, unpacked.
_LARGEST = 1 << 30
_HEAD = 1 << 20
#: Cells of the rectangle of one sheet, empty ones too.
_MOST_CELLS = 50_000_000
#: What the process that reads a workbook may use: bytes of memory, seconds of processor time.
_MEMORY, _SECONDS = 6 << 30, 600
#: A cell of a sheet with its place, whatever its quotation marks, the order of its attributes or its prefix.
_CELL = re.compile(rb"""<(?:\w+:)?c\s[^<>]{0,200}?\br\s*=\s*["']([A-Z]{1,3})(\d{1,7})["']""")
_CSV_REMEDY = "Export the sheet as CSV instead."


def _content(place: Place, name: str) -> bytes:
    try:
        with place.open() as stream:
            content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise SourceError(f"{name}: is larger than {_LARGEST >> 20:,} MiB", _CSV_REMEDY)
        if "EncryptedPackage".encode("utf-16-le") in content[:_HEAD]:
            raise SourceError(f"{name}: the workbook needs a password", "Save it without one.")
        if zipfile.is_zipfile(io.BytesIO(content)):
            _check_size(io.BytesIO(content), name)
    except UNREADABLE as error:
        raise SourceError(f"{name}: cannot be read: {error}", "Check the file is complete; export it again.") from error
    return content


def _answers(place: Place, name: str, *arguments: str) -> Iterator[Any]:
    """What the reading process says of a workbook, up to its end.

    Raises:
        SourceError: The workbook cannot be read, or the process ended before it had read it.
    """
    content = _content(place, name)
    specification = importlib.util.find_spec("python_calamine")
    libraries = str(Path(str(specification and specification.origin)).parent.parent)
    command = [sys.executable, "-I", sheet_reader.__file__, str(_MEMORY), str(_SECONDS), libraries, *arguments]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)  # noqa: S603
    given, answers = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
    try:
        with suppress(BrokenPipeError):
            given.write(content)
            given.close()
        del content
        for line in answers:
            said = json.loads(line)
            if said == "end":
                return
            if isinstance(said, dict):
                raise _refusal(name, said)
            yield said
        raise _ended(name, process.wait())
    finally:
        process.kill()
        process.wait()
        answers.close()


def _refusal(name: str, said: dict[str, Any]) -> SourceError:
    if "memory" in said:
        return _ended(name, -signal.SIGABRT)
    if "missing" in said:
        return SourceError(f"{name}: has no sheet {said['missing']!r}", "Export it again.")
    reason = str(said["error"])
    protected = "password" in reason.lower() or "encrypted" in reason.lower()
    return SourceError(
        f"{name}: is not a readable workbook: {reason}",
        "Save it without a password." if protected else "Open it and save it again as .xlsx, or export CSV.",
    )


def _ended(name: str, status: int) -> SourceError:
    """Why the reading process ended before its time."""
    if status == -getattr(signal, "SIGXCPU", 0):
        reason = f"reading it takes more than {_SECONDS} seconds"
    else:
        reason = f"reading it takes more than {_MEMORY >> 30} GiB of memory, or it is damaged"
    return SourceError(f"{name}: is not a readable workbook: {reason}", _CSV_REMEDY)


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


def sheets(place: Place, name: str) -> tuple[list[str], list[str]]:
    """Names of the visible sheets of cells, and of the other ones.

    Raises:
        SourceError: The workbook cannot be read.
    """
    shown: list[str] = []
    hidden: list[str] = []
    for sheet, visible in _answers(place, name):
        (shown if visible else hidden).append(sheet)
    return shown, hidden


def rows(place: Place, name: str, sheet: str) -> Iterator[list[str]]:
    """The rows of a sheet from its first one on, every cell as text, an empty one as ``.

    Raises:
        SourceError: The workbook cannot be read, or has no such sheet.
    """
    yield from _answers(place, name, sheet)
