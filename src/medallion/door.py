"""The one door of everything that is written to a lakehouse and to its models: table commits, files, removals.

A disk that is full is told here in words, whichever library met it. Tests put a double in the place of `through` that ends
a command before or after any of its writes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medallion.errors import LakehouseError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
#: What libraries say of them that have an error of their own.
_SAID = tuple(os.strerror(number) for number in _FULL)


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


def full(error: BaseException) -> bool:
    """Whether an error means that a disk is full, or a quota or a limit of file sizes reached."""
    return getattr(error, "errno", None) in _FULL or any(said in str(error) for said in _SAID)
