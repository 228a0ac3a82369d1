"""How the columns of a file differ from those of the files before it."""

from __future__ import annotations

from collections.abc import Iterable

from medallion.pipeline.batches import Batch
from medallion.sources import SourceFile


def missing(file: SourceFile, before: Iterable[Batch]) -> set[str]:
    """Headers that the newest earlier file of the entity had, and this one lacks."""
    last = _last(file, before)
    have = {column for _, column in file.columns}
    return {header for header, column in last.columns if column not in have} if last else set()


def gained(file: SourceFile, before: Iterable[Batch]) -> set[str]:
    """Headers that the newest earlier file of the entity lacked, and this one has."""
    last = _last(file, before)
    had = {column for _, column in last.columns} if last else set()
    return {header for header, column in file.columns if column not in had} if last else set()


def _last(file: SourceFile, before: Iterable[Batch]) -> SourceFile | None:
    """The newest earlier file of the entity that shares most columns with this one, half of them at least."""
    have = {column for _, column in file.columns}
    best, most = None, 0.5
    for batch in before:
        for other in batch.files:
            theirs = {column for _, column in other.columns}
            share = len(have & theirs) / max(len(have | theirs), 1)
            if other.entity == file.entity and not batch.origin and share >= most:
                best, most = other, share
    return best
