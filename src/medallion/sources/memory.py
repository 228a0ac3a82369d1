"""What earlier runs found in the files of a folder: a file that is as it was is listed, and not read again.

A file is as it was when its size, its times of change and its inode are. One that was changed within two seconds before
it was read is read again by the next run, since a second change may have left all of these the same.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import pyarrow.fs

from medallion.sources.delivery import Part, Unreadable
from medallion.sources.files import Content, Place
from medallion.sources.headers import Header
from medallion.version import VERSION

#: Nanoseconds between the last change of a file and its reading after which it is cached.
_SETTLED = 2_000_000_000
#: Packages that decide what is found in a file.
_CODE = ("medallion.sources", "medallion.contracts")


@dataclass
class Memory:
    """What is in the files of a folder, as earlier runs found it and as this one does.

    Attributes:
        basis: What else decides how files are read, such as the contracts; where it is another, all are read.
        before: By file what an earlier run found.
        now: The same of this run.
    """

    basis: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)
    now: dict[str, Any] = field(default_factory=dict)
    _read_at: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Mapping[str, Any], basis: str) -> Memory:
        """From what `document` gave; empty where that has another basis, or is damaged."""
        basis, entries = f"{basis} {_code()}", document.get("files", {})
        same = document.get("basis") == basis and document.get("sum") == _sum(entries)
        return cls(basis, entries if same else {})

    def document(self) -> dict[str, Any]:
        """What the next run may rely on, as plain values."""
        entries = {uri: known for uri, known in self.now.items() if uri not in self._read_at or self._is_settled(uri)}
        return {"basis": self.basis, "files": entries, "sum": _sum(entries)}

    def parts(
        self, place: Place, uri: str, read: Iterable[Part | Unreadable | str]
    ) -> Iterator[Part | Unreadable | str]:
        """The tables of a file: as they are cached, else as they are `read`, which is left alone before."""
        state, known = _state(place), self.before.get(uri)
        if known and known["state"] == state:
            self.now[uri] = known
            for part in known["parts"]:
                yield part if isinstance(part, str) else _part(place, uri, part)
            return
        self._read_at[uri] = time.time_ns()
        entry: dict[str, Any] = {"state": state, "parts": [], "looked": {}}
        if state:
            self.now[uri] = entry
        for part in read:
            if isinstance(part, Unreadable):
                self.forget(uri)  # it is told of by every run
            entry["parts"].append(_entry(part) if isinstance(part, Part) else part)
            yield part

    def looked(self, part: Part, look: Callable[[], tuple[Content, Header]]) -> tuple[Content, Header]:
        """How a table is written as text, and its header: as cached by an earlier run, else as `look` finds them."""
        known = self.now.get(part.uri, {}).get("looked", {}).get(part.name)
        if known:
            content, header = known
            return Content(**content, head=b""), Header(
                **{**header, "cells": tuple(header["cells"]), "above": tuple(header["above"])}
            )
        try:
            table = look()
        except BaseException:
            self.forget(part.uri)
            raise
        if part.uri in self.now:
            content, header = (asdict(each) for each in table)
            del content["head"]
            self.now[part.uri]["looked"][part.name] = [content, {**header, "cells": list(header["cells"])}]
        return table

    def forget(self, uri: str) -> None:
        """Have a file read by the next run."""
        self.now.pop(uri, None)

    def _is_settled(self, uri: str) -> bool:
        state = self.now[uri]["state"]
        with suppress(OSError):
            return bool(_of(uri) == state and self._read_at[uri] - max(state[1:3]) >= _SETTLED)
        return False


def _sum(entries: Any) -> str:
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()


def _state(place: Place) -> list[int] | None:
    """What a file of a local folder is known by; None elsewhere."""
    with suppress(OSError):
        return _of(place.path) if isinstance(place.fs, pyarrow.fs.LocalFileSystem) else None
    return None


def _of(path: str) -> list[int]:
    stat = Path(path).stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def _entry(part: Part) -> dict[str, Any]:
    return {
        "name": part.name,
        "format": part.format,
        "member": part.place.member,
        "stems": list(part.stems),
        "sheet": part.sheet,
    }


def _part(place: Place, uri: str, entry: Mapping[str, Any]) -> Part:
    lies = Place(place.fs, place.path, entry["member"])
    return Part(uri, entry["name"], entry["format"], lies, tuple(entry["stems"]), entry["sheet"])


@cache
def _code() -> str:
    """Hash of the code and the shipped contracts by which files are read."""
    digest = hashlib.sha256(VERSION.encode())
    for text in (text for package in _CODE for text in _texts(files(package))):
        digest.update(text)
    return digest.hexdigest()[:16]


def _texts(folder: Traversable) -> Iterator[bytes]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _texts(entry)
        elif entry.name.endswith((".py", ".yaml")):
            yield f"\0{entry.name}\0".encode()
            yield entry.read_bytes()
