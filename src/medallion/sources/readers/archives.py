"""Members of zip archives, and their bytes."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

from medallion.sources.readers.opened import File

_CHUNK = 1 << 20
_AT_ONCE = 5000
_BEGINNINGS_AT_ONCE = 50


def members(file: File, name: str) -> Iterator[list[list[Any]]]:
    """Name, unpacked size, packed size and whether it is encrypted of each member of an archive, in order of name."""
    infos = sorted(
        (info for info in file.archive(file.member).infolist() if not info.is_dir()), key=lambda i: i.filename
    )
    for start in range(0, len(infos), _AT_ONCE):
        yield [
            [info.filename, info.file_size, info.compress_size, bool(info.flag_bits & 1)]
            for info in infos[start : start + _AT_ONCE]
        ]


def content(file: File, name: str, most: int | None = None) -> Iterator[bytes]:
    """The unpacked bytes of a member, or the first of them."""
    with file.stream() as stream:
        while chunk := stream.read(_CHUNK if most is None else min(_CHUNK, most)):
            yield chunk
            if most is not None and (most := most - len(chunk)) <= 0:
                return


def beginnings(file: File, name: str, members: list[str], size: int) -> Iterator[list[str]]:
    """The first bytes of members as Latin-1, some at once; of one that cannot be read none."""
    archive = file.archive(file.member)
    for start in range(0, len(members), _BEGINNINGS_AT_ONCE):
        part = []
        for member in members[start : start + _BEGINNINGS_AT_ONCE]:
            try:
                with archive.open(member) as stream:
                    packed = member.lower().endswith(".gz")
                    part.append((gzip.GzipFile(fileobj=stream) if packed else stream).read(size).decode("latin-1"))
            except Exception:  # noqa: BLE001 - what is wrong with it is told when it is read
                part.append("")
        yield part
