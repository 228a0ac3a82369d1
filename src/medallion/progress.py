"""How far reading has come, for whoever shows it: what the tasks of this process have given since it began.

With an engine in another process nothing is counted here, and nothing is shown.
"""

from __future__ import annotations

from threading import Lock

#: The step of a run in which files are read.
STEP = "bronze: read the files"


class Reading:
    """Rows and bytes of text that were given, and how many bytes are expected; None where that is not known."""

    def __init__(self) -> None:
        self.rows, self.bytes = 0, 0
        self.expected: int | None = None
        self._lock = Lock()

    def begin(self, expected: int | None) -> None:
        """Count anew, with so many bytes to come."""
        with self._lock:
            self.rows, self.bytes, self.expected = 0, 0, expected

    def add(self, rows: int = 0, given: int = 0) -> None:
        """Count rows, and bytes of text."""
        with self._lock:
            self.rows += rows
            self.bytes += given

    @property
    def share(self) -> float | None:
        """Share of the bytes that were given, from 2% on; None before, and where it is not known."""
        if not self.expected or self.bytes < 0.02 * self.expected:
            return None
        return min(1.0, self.bytes / self.expected)


reading = Reading()
