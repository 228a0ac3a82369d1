"""The one kind of error that a user sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec


class MedallionError(Exception):
    """Something a user can put right.

    Args:
        problem: What is wrong and where (file, line, column, value), one sentence.
        remedy: What to do next, one sentence.
    """

    #: What the command exits with.
    exit_status = 1

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem if not remedy else f"{problem}\n{remedy}")
        self.problem = problem
        self.remedy = remedy


class ContractError(MedallionError):
    """A data contract, metric declaration or setting that cannot be used."""


class SourceError(MedallionError):
    """A source folder or file that cannot be read."""


class LakehouseError(MedallionError):
    """A lakehouse that is missing, busy, damaged or not writable."""


class StateRemovedError(LakehouseError):
    """What a reader had opened was removed meanwhile, by an erasure or upkeep; a later state can be read."""


class ConservationError(MedallionError):
    """Rows read are not the sum of rows accounted for."""


@contextmanager
def extra(name: str, what: str) -> Iterator[None]:
    """Around the imports of libraries that come with an extra of the package.

    Args:
        name: The extra, such as `slides`.
        what: What is not there without it, such as `Slides`.

    Raises:
        MedallionError: A library is missing; says how to install it.
    """
    try:
        yield
    except ImportError as error:
        raise _missing(name, what, str(error)) from error


def look_for(extras: str, what: str, *modules: str) -> None:
    """See that libraries are installed, without loading them, before any work is done.

    Args:
        extras: The extras that they come with, such as `ml,dashboard`.
        what: What is not there without them, such as `The dashboard`.
        modules: Their modules.

    Raises:
        MedallionError: One is missing; says how to install it.
    """
    for name in modules:
        if find_spec(name) is None:
            raise _missing(extras, what, f"No module named {name!r}")


def _missing(extras: str, what: str, reason: str) -> MedallionError:
    return MedallionError(
        f"{what} cannot be used: {reason}", f"Install what is missing with: pip install 'medallion-crm[{extras}]'"
    )
