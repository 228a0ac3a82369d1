"""Reads files in other processes, which have limits of memory, time and open files, and no keys of the environment.

A damaged or hostile workbook, JSON document, web page, archive or Parquet file may make its reader ask for more memory
than there is, never end, or crash. That ends one of these processes and refuses one file; everything else is read.

A process is started for the first file of such a kind and kept for the next one. It opens a local file by its path; of
any other it asks this process for parts.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.fs

from medallion.errors import SourceError

#: What a process that reads a file may use: bytes of memory, seconds of processor time per question, open files.
_MEMORY, _SECONDS, _FILES = 6 << 30, 600, 64
#: Seconds for which it may say nothing while it is waited for, and bytes that it may say at once.
_SILENCE, _MOST = 900.0, 2 << 30
#: What it knows of the environment, beside what begins with LC_ or ARROW_: no keys, passwords or tokens.
_KNOWN = {"PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT"}
_CHILD = str(Path(__file__).with_name("readers") / "child.py")
_HEAD = struct.Struct(">cQ")


class _Child:
    """A process that reads files."""

    def __init__(self) -> None:
        limits = (_memory(), _SECONDS, _FILES)
        command = [sys.executable, "-I", _CHILD, *map(str, limits), *filter(None, sys.path)]
        environment = {name: value for name, value in os.environ.items() if _is_known(name.upper())}
        environment["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # gives memory back
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(  # noqa: S603 - this Python, with a file of this package
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environment
        )
        self._to_child, self._from_child = cast(BinaryIO, self.process.stdin), cast(BinaryIO, self.process.stdout)
        self._is_silent = False

    def send(self, data: bytes) -> None:
        """Say something; the answer shows if nobody is there to hear it."""
        with self._in_time(), suppress(OSError):
            self._to_child.write(data)
            self._to_child.flush()

    def answer(self) -> tuple[bytes, bytes]:
        """The next thing that it says: its kind, and what.

        Raises:
            OSError: It has ended before its time, says nothing for too long, or too much at once.
        """
        with self._in_time():
            head = self._from_child.read(_HEAD.size)
            if len(head) == _HEAD.size:
                kind, size = _HEAD.unpack(head)
                if size > _MOST:
                    raise OSError(f"it has more than {_MOST >> 20:,} MiB in one piece, or it is damaged")
                data = self._from_child.read(size)
                if len(data) == size:
                    return kind, data
            ended = self.process.wait()
        if self._is_silent:
            raise OSError(f"reading it has come no further for {_SILENCE:g} seconds")
        if ended == -getattr(signal, "SIGXCPU", 0):
            raise OSError(f"reading it takes more than {_SECONDS} seconds")
        raise OSError(f"reading it takes more than {_memory() >> 20:,} MiB of memory, or it is damaged")

    @contextmanager
    def _in_time(self) -> Generator[None, None, None]:
        """End the process if this takes too long: it may wait for something that never comes."""
        timer = threading.Timer(_SILENCE, self._give_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _give_up(self) -> None:
        self._is_silent = True
        self.process.kill()

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        for stream in (self._to_child, self._from_child):
            with suppress(OSError):
                stream.close()


_IDLE: list[_Child] = []
_LOCK = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_IDLE.clear)  # they are the parent's


def _is_known(name: str) -> bool:
    return name in _KNOWN or name.startswith(("LC_", "ARROW_"))


def _memory() -> int:
    """The limit of memory: less where the machine has little."""
    try:
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return _MEMORY
    return min(_MEMORY, max(physical * 3 // 4, 1 << 30))


def _free() -> _Child:
    with _LOCK:
        while _IDLE:
            child = _IDLE.pop()
            if child.process.poll() is None:
                return child
            child.end()
    return _Child()


@atexit.register
def end_all() -> None:
    """End the processes that wait for a question."""
    with _LOCK:
        while _IDLE:
            _IDLE.pop().end()


def ask(place: Any, name: str, what: str, *arguments: Any) -> Generator[Any, None, None]:
    """What a function of `medallion.sources.readers` yields of a file, read in another process.

    Args:
        place: Where the file is.
        name: Its name in messages.
        what: The function, such as `workbooks.rows`.
        arguments: Plain values that it is given beside the file.

    Raises:
        SourceError: The file is refused.
        OSError: It cannot be read, or reading it takes more than is allowed.
    """
    child, whole = _free(), False
    is_local = isinstance(place.fs, pa.fs.LocalFileSystem)
    info = place.fs.get_file_info(place.path)
    question = {
        "what": what,
        "path": str(Path(place.path).absolute()) if is_local else None,
        "member": place.member,
        "packed": (place.member or place.path).lower().endswith(".gz"),
        "size": info.size,
        "key": [place.fs.type_name, place.path, info.size, info.mtime_ns],
        "arguments": [name, *arguments],
    }
    message = json.dumps(question).encode()
    opened: list[Any] = []
    try:
        child.send(struct.pack(">Q", len(message)) + message)
        while True:
            kind, data = child.answer()
            if kind == b"R":
                start, size = json.loads(data)
                if size > _MOST:
                    raise OSError(f"it has more than {_MOST >> 20:,} MiB in one piece, or it is damaged")
                if not opened:
                    opened.append(place.fs.open_input_file(place.path))
                part = bytes(opened[0].read_at(size, start))
                child.send(struct.pack(">Q", len(part)) + part)
            elif kind in b"EX":
                ended = json.loads(data)
                whole = not ended["retire"]
                if kind == b"X":
                    raise SourceError(*ended["refused"]) if "refused" in ended else OSError(ended["damaged"])
                return
            else:
                try:
                    yield _value(kind, data)
                except GeneratorExit:
                    whole = _stopped(child)
                    raise
                child.send(b"N")
    finally:
        for stream in opened:
            stream.close()
        if whole:
            with _LOCK:
                _IDLE.append(child)
        else:
            child.end()


def _value(kind: bytes, data: bytes) -> Any:
    if kind == b"B":
        return data
    if kind == b"A":
        return pa.ipc.open_stream(data).read_next_batch()
    return json.loads(data)


def _stopped(child: _Child) -> bool:
    """Tell a process that nobody wants the rest; whether it can be asked again."""
    child.send(b"S")
    try:
        while True:
            kind, data = child.answer()
            if kind in b"EX":
                return not json.loads(data)["retire"]
    except OSError:
        return False
