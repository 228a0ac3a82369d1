"""Telling what happened to whom the settings name, from the commands that a schedule starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from medallion.care import notices
from medallion.care.notices import Notice
from medallion.cli import console
from medallion.config import Settings, utc_now


def tell(settings: Settings, notice: Notice | None) -> None:
    """Send a notice; what keeps it from arriving is said, and changes nothing else."""
    if settings.notify is None or notice is None:
        return
    for error in notices.send(settings.notify, notice, settings.lakehouse, utc_now()):
        console.wrong("A notice was not delivered:", error.problem, error.remedy)


@contextmanager
def on_error(settings: Settings, command: str) -> Iterator[None]:
    """Send a notice of the error that a command ends with."""
    try:
        yield
    except Exception as error:
        tell(settings, notices.of_error(command, error))
        raise
