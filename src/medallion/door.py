"""The one door of everything that is written to a lakehouse and to its models: table commits, files, removals.

A disk that is full is told here in words, whichever library met it. Tests put a double in the place of `through` that ends
a command before or after any of its writes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from medallion.errors import LakehouseError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
#: What libraries say of them that have an error of their own.
_MESSAGES = tuple(os.strerror(number) for number in _FULL)


#: Mode of files that are for whom the folder is for: while a lakehouse is held, the mask of the process says who that is.
SHARED = 0o666


@contextmanager
def through(path: str | Path) -> Iterator[None]:
    """One write: a table or file, as a whole, after which the state on disk makes sense.

    Raises:
        LakehouseError: There is no room for it.
    """
    try:
        yield
    except Exception as error:
        if full(error):
            raise LakehouseError(
                f"{path}: there is no room left to write it",
                "Make room, or raise the quota, and run the command again: what it began is rolled back or continued.",
            ) from error
        raise


def write(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    """Write a small file so that it is there whole, or as it was before, even after a power failure.

    Args:
        path: The file; its folder is made where it is not there.
        content: What it holds; a text is written as UTF-8.
        mode: Who may read and write it, as far as the process's mask lets them.

    Raises:
        LakehouseError: There is no room for it.
    """
    part = path.with_name(f"{path.name}.part")
    with through(path):
        new = [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in new:  # or its name is lost, and the file with it
            flush(folder.parent)
        part.unlink(missing_ok=True)  # left by a killed writer, with whatever mode it had
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content.encode() if isinstance(content, str) else content)
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        flush(path.parent)


def flush(path: Path) -> None:
    """Make a file, or the names in a folder, last through a power failure, where the system can."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def full(error: BaseException) -> bool:
    """Whether an error means that a disk is full, or that a quota or a file size limit is reached."""
    return getattr(error, "errno", None) in _FULL or any(message in str(error) for message in _MESSAGES)
