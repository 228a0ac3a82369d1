"""Folders for copies that are gone when their process ends, such as those of a dashboard, and what DuckDB writes when memory is short.

Each is locked while it is in use. So one that a killed process has left is told apart, and removed by the next process that
needs a folder, and by an erasure.
"""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX, _LOCK = "medallion-", ".in-use"
_counter = itertools.count()
#: Folders of this process.
_mine: set[Path] = set()


@contextmanager
def folder() -> Iterator[str]:
    """A folder that only this user can read, gone afterwards."""
    path, remove = make()
    try:
        yield path
    finally:
        remove()


def make() -> tuple[str, Callable[[], None]]:
    """A folder that only this user can read, and what removes it."""
    sweep()
    hidden = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}"))
    lock = FileLock(hidden / _LOCK, timeout=0, thread_local=False)
    lock.acquire()
    path = hidden.with_name(hidden.name[1:])  # by this name only once it is locked
    try:
        hidden.rename(path)
    except OSError:  # Windows does not rename a folder with an open file
        path = hidden
    _mine.add(path)

    def remove() -> None:
        lock.release()
        shutil.rmtree(path, ignore_errors=True)
        _mine.discard(path)

    return str(path), remove


def spill() -> str:
    """Where a DuckDB of this process may put what does not fit into memory; each needs its own."""
    return f"{_of_process()}/{next(_counter)}"


@cache
def _of_process() -> str:
    path, remove = make()
    atexit.register(remove)
    return path


def sweep() -> tuple[int, int]:
    """Remove the folders that ended processes of this user have left; gives how many, and how many others still use."""
    removed = used = 0
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if path in _mine:
            continue
        with suppress(OSError):
            about = path.lstat()
            if not stat.S_ISDIR(about.st_mode) or about.st_uid != _user() or not (path / _LOCK).is_file():
                continue
            try:
                FileLock(path / _LOCK, timeout=0).acquire().lock.release()
            except Timeout:
                used += 1
                continue
            shutil.rmtree(path)
            removed += 1
    return removed, used


def _user() -> int:
    """The number of this user; 0, which owns every file, on Windows."""
    return os.geteuid() if hasattr(os, "geteuid") else 0


__all__ = ["folder", "make", "spill", "sweep"]
