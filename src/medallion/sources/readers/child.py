"""Reads files in a process of its own: `python -I child.py MEMORY SECONDS FILES LIBRARIES...`.

Questions come in over standard input, answers go out over standard output; `medallion.sources.confined` is at the other
end. Each answer has a kind: `J` JSON, `A` an Arrow batch, `B` bytes, `R` a part of the file that is wanted, and at the
end `E`, or `X` where the file is refused. After an answer the other end says `N` for the next one or `S` to stop; the
next one is computed in the meantime.

Starts with nothing of the package but what a reader needs, since it has to start quickly.
"""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import types
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

_HEAD = struct.Struct(">cQ")
#: A process that uses more memory than this ends after its answer, so that it does not keep it.
_MOST_KEPT = 512 << 20


class _StoppedError(Exception):
    """Nobody wants the rest."""


class Line:
    """The line to the process that asks."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming, self._outgoing, self._waits = incoming, outgoing, False

    def question(self) -> Any:
        """The next question, None after the last one."""
        self._waits = False
        head = self._incoming.read(8)
        return json.loads(self._incoming.read(*struct.unpack(">Q", head))) if len(head) == 8 else None

    def say(self, kind: bytes, data: bytes) -> None:
        """Give an answer."""
        self._outgoing.write(_HEAD.pack(kind, len(data)) + data)
        self._outgoing.flush()

    def next(self) -> None:
        """Wait until the next answer is wanted.

        Raises:
            _StoppedError: It is not.
        """
        if self._waits:
            self._waits = False
            if self._incoming.read(1) != b"N":
                raise _StoppedError

    def tell(self, item: Any) -> None:
        """Say one of the values that a reader yields, once it is wanted."""
        self.next()
        if isinstance(item, bytes):
            self.say(b"B", item)
        elif hasattr(item, "schema"):
            pa = import_module("pyarrow")
            out = pa.BufferOutputStream()
            with pa.ipc.new_stream(out, item.schema) as stream:
                stream.write_batch(item)
            self.say(b"A", out.getvalue())
        else:
            self.say(b"J", json.dumps(item).encode())
        self._waits = True

    def part(self, start: int, size: int) -> bytes:
        """A part of the file, of one that is not local."""
        self.next()
        self.say(b"R", json.dumps([start, size]).encode())
        return self._incoming.read(*struct.unpack(">Q", self._incoming.read(8)))


class Remote(io.RawIOBase):
    """A file that is read through the process that asks."""

    def __init__(self, line: Line, size: int) -> None:
        self._line, self._size, self._at = line, size, 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        """Read on from there."""
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what comes next."""
        size = min(len(buffer), self._size - self._at)
        data = self._line.part(self._at, size) if size > 0 else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _limit(memory: int, seconds: int, files: int) -> None:
    """Limit what this process may use; the time begins anew with each question."""
    try:
        import resource
    except ImportError:  # Windows
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    for kind, wanted in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + seconds),
        (resource.RLIMIT_NOFILE, files),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            hard = resource.getrlimit(kind)[1]
            resource.setrlimit(kind, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
        except (OSError, ValueError):  # a system that does not have this limit
            continue


def _used() -> int:
    """Bytes of memory that this process uses; 0 where that is not known."""
    try:  # the most that it has used is no measure: it begins with what its parent has
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _stand_in() -> None:
    """Packages that have the readers and not what else comes with them."""
    readers = Path(__file__).resolve().parent
    for name, folder in (
        ("medallion", readers.parents[1]),
        ("medallion.sources", readers.parent),
        ("medallion.sources.readers", readers),
    ):
        package = types.ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package


def _answers(question: Any, line: Line) -> Iterable[Any]:
    module, function = question["what"].split(".")
    file = import_module("medallion.sources.readers.opened").File(question, lambda: Remote(line, question["size"]))
    return getattr(import_module(f"medallion.sources.readers.{module}"), function)(file, *question["arguments"])  # type: ignore[no-any-return]


def main(memory: str, seconds: str, files: str, *libraries: str) -> None:
    """Answer questions until there are no more."""
    limits = int(memory), int(seconds), int(files)
    _limit(*limits)
    sys.path.extend(path for path in libraries if path not in sys.path)
    _stand_in()
    line = Line(sys.stdin.buffer, os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)  # what a library prints is no answer
    errors = import_module("medallion.errors")
    while (question := line.question()) is not None:
        _limit(*limits)
        kind, outcome = b"E", dict[str, Any]()
        try:
            for item in _answers(question, line):
                line.tell(item)
            line.next()
        except _StoppedError:
            pass
        except MemoryError:
            os._exit(1)
        except errors.SourceError as error:
            kind, outcome = b"X", {"refused": [error.problem, error.remedy]}
        except Exception as error:  # noqa: BLE001 - whatever a library makes of a damaged file
            kind, outcome = b"X", {"damaged": " ".join(str(error).split())[:300] or type(error).__name__}
        if kind == b"X":
            with suppress(_StoppedError):
                line.next()
        retire = _used() > _MOST_KEPT
        line.say(kind, json.dumps({**outcome, "retire": retire}).encode())
        if retire:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
