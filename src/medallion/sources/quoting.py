"""Texts whose quotation marks are not as the standard has them: escaped by a backslash, or around each record as one cell."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from medallion.sources import headers
from medallion.sources.files import Place

_CHUNK = 1 << 20
#: Encodings in which a byte of a backslash is always one.
_PLAIN = re.compile(r"utf-8|latin-1|(windows-|cp)125\d")
#: A backslash with what it stands before, and a mark.
_TOKEN = re.compile(rb'\\[\\"]|"')
#: A record, with its end: one that stands in marks as a whole, or any other.
_RECORD = re.compile(
    rb'(?:\xef\xbb\xbf)?"((?:[^"]|"")*+)"(\r\n|[\r\n]|\Z)|(?:[^"\r\n]|"(?:[^"]|"")*+"?)*+(?:\r\n|[\r\n]|\Z)'
)
#: So many of the first records decide whether they stand in marks as a whole.
_FIRST = 30
#: Share of them that has as many cells as the header.
_ALIKE = 0.9


def escapes(place: Place, encoding: str, delimiter: str) -> bool:
    """Whether the backslashes before quotation marks of a text escape them, as some databases write them.

    They do where a mark would else stand in the midst of a cell, and where none does then.
    """
    plain = _PLAIN.fullmatch(encoding) is not None
    return plain and not _is_whole(place, encoding, delimiter, None) and _is_whole(place, encoding, delimiter, "\\")


def unwrapped(head: str) -> str | None:
    r"""The beginning of a text each of whose records is quoted as one cell, without these quotation marks.

    A spreadsheet writes them so where all has been pasted into its first column. The header may stand without marks.

    >>> unwrapped('"id,name,city"\n"1,""Acme, Inc"",Ulm"'), unwrapped('id,name\n"1,2"'), unwrapped('id,name\n"1",2')
    ('id,name,city\n1,"Acme, Inc",Ulm', 'id,name\n1,2', None)
    """
    for delimiter in headers.DELIMITERS:
        records = [cells for _, cells in islice(headers.records_of(head, delimiter), _FIRST) if any(cells)]
        while records and len(records[0]) == 1 and delimiter not in records[0][0]:
            del records[0]  # a title
        if len(records) < 2 or not all(len(cells) == 1 for cells in records[1:]):
            continue
        first, *others = [[len(within) for _, within in headers.records_of(cells[0], delimiter)] for cells in records]
        width = first if len(records[0]) == 1 else [len(records[0])]
        if width > [1] and sum(each == width for each in others) >= _ALIKE * len(others):
            return _RECORD.sub(_bare, head.encode()).decode()
    return None


def wraps(place: Place, encoding: str, header: headers.Header) -> bool:
    """Whether every record of a text below its header is one cell, and every quotation mark is closed."""
    csv.field_size_limit(1 << 30)
    if not _PLAIN.fullmatch(encoding):
        return False
    try:
        records = csv.reader(_lines(place, encoding), delimiter=header.delimiter, strict=True)
        return all(len(cells) < 2 or records.line_num <= header.line for cells in records)
    except csv.Error as error:
        return "end of data" in str(error)  # only the beginning may be looked at, which ends within a record


def _bare(match: re.Match[bytes]) -> bytes:
    return match[0] if match[1] is None else match[1].replace(b'""', b'"') + match[2]


def _is_whole(place: Place, encoding: str, delimiter: str, escape: str | None) -> bool:
    csv.field_size_limit(1 << 30)
    try:
        for _ in csv.reader(_lines(place, encoding), delimiter=delimiter, escapechar=escape, strict=True):
            pass
    except csv.Error:
        return False
    return True


def _lines(place: Place, encoding: str) -> Iterator[str]:
    """The lines of a text with their ends."""
    rest = ""
    with place.text() as stream:
        for text in codecs.iterdecode(iter(lambda: stream.read(_CHUNK), b""), encoding):
            *whole, rest = (rest + text).split("\n")
            yield from (f"{line}\n" for line in whole)
    if rest:
        yield rest


class Unwrapped:
    """A stream of bytes each of whose records is quoted as one cell, without these quotation marks."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._rest, self.closed = stream, b"", False

    def read(self, size: int = -1) -> bytes:
        """Some more bytes, all that are left with a size below 0, none at the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(_CHUNK), b""))
        while True:
            read = bytes(self._stream.read(size))
            data, self._rest = self._rest + read, b""
            if read:  # what comes next may belong to the last record
                *_, last = [match.start() for match in _RECORD.finditer(data) if match[0]]
                data, self._rest = data[:last], data[last:]
            if data or not read:
                return _RECORD.sub(_bare, data)

    def close(self) -> None:
        """Whoever opened the stream closes it."""
        self.closed = True


class Doubled:
    """A stream of bytes in which marks after a backslash are written as the standard has them: doubled within marks, and
    as they are within a cell that has none around it. Every other backslash stays.
    """

    def __init__(self, stream: Any, delimiter: str) -> None:
        self._stream, self._rest, self.closed = stream, b"", False
        self._starts = {b"\n", b"\r", delimiter.encode()}
        self._before, self._within, self._is_second = b"\n", False, False

    def read(self, size: int = -1) -> bytes:
        """Some more bytes, all that are left with a size below 0, none at the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(_CHUNK), b""))
        while True:
            read = bytes(self._stream.read(size))
            data = self._rest + read
            cut = len(data.rstrip(b'\\"')) if read else len(data)  # what comes next may belong to it
            data, self._rest = data[:cut], data[cut:]
            if data or not read:
                changed = _TOKEN.sub(self._standard, data)
                self._before = data[-1:] or self._before
                return changed

    def _standard(self, match: re.Match[bytes]) -> bytes:
        token, at = match[0], match.start()
        first = (match.string[at - 1 : at] if at else self._before) in self._starts
        if token == b'"' and self._is_second:
            self._is_second = False
        elif token == b'"' and self._within and match.string[match.end() : match.end() + 1] == token:
            self._is_second = True  # of two marks within a cell, which are one
        elif token == b'"' and (first or self._within):
            self._within = not self._within
        if token == b'\\"':
            return b'""' if self._within else token if first else b'"'
        return token

    def close(self) -> None:
        """Whoever opened the stream closes it."""
        self.closed = True
