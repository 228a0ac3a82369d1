"""A doubt about a file, and the names its columns have there."""

from __future__ import annotations

from dataclasses import dataclass

from medallion.sources import SourceFile

MESSAGES = 5


@dataclass(frozen=True)
class Doubt:
    """Why a file may mean something else than it seems to, and what says what it means; both are sentences."""

    problem: str
    remedy: str


def header_of(file: SourceFile, bronze: str) -> str:
    """The header that a bronze column has in its file."""
    return next(header for header, name in file.columns if name == bronze)


def origin_of(file: SourceFile, name: str) -> str:
    """What fills a canonical column, as a user knows it: the header, or the expression."""
    filling = file.mapping[name]
    return header_of(file, filling.column) if filling.column else str(filling.sql)
