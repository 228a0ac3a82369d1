"""The one kind of error that a user sees."""

from __future__ import annotations


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


class ConservationError(MedallionError):
    """Rows read are not the sum of rows accounted for."""
