"""Whether a backslash before a quotation mark makes that mark one of the cell's, where the standard doubles it."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from typing import Any

from medallion.sources.files import Place

_CHUNK = 1 << 20
#: Encodings in which a byte of a backslash is always one.
_PLAIN = re.compile(r"utf-8|latin-1|(windows-|cp)125\d")
#: A backslash with what it stands before, and a mark.
_TOKEN = re.compile(rb'\\[\\"]|"')


def escapes(place: Place, encoding: str, delimiter: str) -> bool:
    """Whether the backslashes before quotation marks of a text escape them, as some databases write them.

    They do where a mark would else stand in the midst of a cell, and where none does then.
    """
    plain = _PLAIN.fullmatch(encoding) is not None
    return plain and not _is_whole(place, encoding, delimiter, None) and _is_whole(place, encoding, delimiter, "\\")


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


class Doubled:
    """A stream of bytes in which marks after a backslash are written as the standard has them: doubled within marks, and
    as they are within a cell that has none around it. Every other backslash stays.
    """

    def __init__(self, stream: Any, delimiter: str) -> None:
        self._stream, self._rest, self.closed = stream, b"", False
        self._starts = {b"\n", b"\r", delimiter.encode()}
        self._before, self._within, self._is_second = b"\n", False, False

    def read(self, size: int = -1) -> bytes:
        """Some more bytes, none at the end."""
        while True:
            read = bytes(self._stream.read(size if size > 0 else _CHUNK))
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
