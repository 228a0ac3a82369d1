"""How the columns of a file differ from those of the files before it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from medallion.contracts import Entity
from medallion.contracts.dates.names import MONTHS
from medallion.contracts.odcs import names_in
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


def emptied(file: SourceFile, entity: Entity, earlier: Iterable[SourceFile]) -> dict[str, str]:
    """Columns that figures rest on which this file would leave empty, since it lacks what filled them in the file of its
    kind before, each with the header there; `earlier` has the files read before, the newest last.
    """
    have = {column for _, column in file.columns}
    same = [
        other
        for other in earlier
        if other.entity == file.entity and other.content_hash != file.content_hash and _kind(other) == _kind(file)
    ]
    if not same:
        return {}
    last = max(reversed(same), key=lambda other: len(have & {column for _, column in other.columns}))
    wanted = {name for source in entity.sources for name in source.columns or ()} if entity.sources else None
    headers = {column: header for header, column in last.columns}
    gone: dict[str, str] = {}
    for column in entity.columns:
        item, figures = last.mapping.get(column.name), column.is_time or column.kind == "money" or column.accepted
        if (
            item is None
            or column.name in (*file.mapping, entity.version_column)
            or not (figures or column.reference or column.name in _TELLING)
        ):
            continue
        read = {item.column} if item.column else names_in(item.sql) if item.sql else set()
        lacking = sorted(name for name in read if name in headers and name not in have)
        if lacking and (wanted is None or column.name in wanted):
            gone[column.name] = headers[lacking[0]]
    return gone


#: Columns of words by which figures are told apart.
_TELLING = {"stage", "owner", "company", "customer_name", "account_manager"}


def _kind(file: SourceFile) -> str:
    """What files of one kind have in common: their name, without its figures and months."""
    words = re.findall(r"[^\W\d_]+", file.name.lower())
    return " ".join(word for word in words if word not in MONTHS)


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
