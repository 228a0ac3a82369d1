"""A file as it is opened in the process that reads it: as it lies, unpacked, or a member of an archive."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

#: Between the name of an archive in an archive and that of its member.
INSIDE = "!/"
#: An archive in an archive is held in memory.
_LARGEST_INSIDE = 256 << 20
_MOST_OPEN = 2
_CHUNK = 1 << 20
#: Archives that were opened last, so that a member of one is found without reading the directory of all members again.
_OPEN: dict[Any, zipfile.ZipFile] = {}
#: What was made of the last file, so that all sheets of a workbook are read from one.
_LAST: dict[Any, Any] = {}


class File:
    """What is to be read."""

    def __init__(self, question: dict[str, Any], remote: Callable[[], io.RawIOBase]) -> None:
        self._path, self.member, self._packed = question["path"], question["member"], question["packed"]
        self._remote, self._key = remote, tuple(question["key"])

    def _lying(self) -> BinaryIO:
        if self._path is not None:
            return Path(self._path).open("rb")
        return io.BufferedReader(self._remote(), 1 << 20)

    def archive(self, member: str) -> zipfile.ZipFile:
        """The zip archive, or one in it; its directory is read once for all of its members."""
        key = (self._key, member)
        if key in _OPEN:
            archive = _OPEN.pop(key)
        elif member:
            with self.archive("").open(member) as stream:
                archive = zipfile.ZipFile(io.BytesIO(whole(stream, _LARGEST_INSIDE, "an archive in an archive")))
        else:
            archive = zipfile.ZipFile(self._lying())
        _OPEN[key] = archive
        while len(_OPEN) > _MOST_OPEN:
            oldest = next(iter(_OPEN))
            _OPEN.pop(oldest).close()
        return archive

    def _member(self) -> Any:
        archive, inner = self.archive(""), self.member
        if inner not in archive.NameToInfo and INSIDE in inner:  # which may be in the name of a folder too
            outer, _, inner = inner.rpartition(INSIDE)
            archive = self.archive(outer)
        return archive.open(inner)

    @contextmanager
    def stream(self) -> Iterator[BinaryIO]:
        """The unpacked bytes in order."""
        with self._member() if self.member else self._lying() as stream:
            yield cast(BinaryIO, gzip.GzipFile(fileobj=stream) if self._packed else stream)

    @contextmanager
    def seekable(self, most: int) -> Iterator[BinaryIO]:
        """The unpacked bytes to be read from anywhere; held in memory where they are packed."""
        if self.member or self._packed:
            with self.stream() as stream:
                yield io.BytesIO(whole(stream, most, "a packed file"))
        else:
            with self._lying() as stream:
                yield stream

    def made(self, make: Callable[[], Any]) -> Any:
        """What is made of the file, once for all questions about it."""
        key = (self._key, self.member)
        if key not in _LAST:
            _LAST.clear()
            _LAST[key] = make()
        return _LAST[key]

    def made_of(self, part: str, make: Callable[[], Any]) -> Any:
        """What is made of a part of the file that `made` was made of last, once for all questions about it."""
        key = (self._key, self.member, part)
        if key not in _LAST:
            _LAST[key] = make()
        return _LAST[key]


def whole(stream: Any, most: int, what: str) -> bytes:
    """All bytes of a stream.

    Raises:
        OSError: There are too many.
    """
    content = io.BytesIO()
    while chunk := stream.read(_CHUNK):
        if content.tell() + len(chunk) > most:
            raise OSError(f"{what} of more than {most >> 20:,} MiB is not opened")
        content.write(chunk)
    return content.getvalue()
