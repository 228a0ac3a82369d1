"""What is proposed: tables as sources of entities."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from medallion.contracts import Filling
from medallion.contracts.filling import Condition, Merged, Snapshot
from medallion.proposal.merges import Unclear
from medallion.proposal.profile import Column, Table
from medallion.sources.delivery import Unreadable


@dataclass
class Feed:
    """One table as the source of one entity."""

    table: Table
    entity: str
    confidence: float
    reason: str
    fillings: dict[str, Filling] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    #: What is said of whole records: `where`, `absent`, `mergedInto` and `snapshot`.
    life: dict[str, Condition | Merged | Snapshot] = field(default_factory=dict)
    #: What tells the newest version of a record where its files are no snapshots.
    version: Filling | None = None
    date_formats: tuple[str, ...] = ()
    #: Columns of which one answer gives the order of day and month, and how sure the feed is besides.
    undecided: tuple[str, ...] = ()
    sure_besides: float = 1.0
    #: Whether an answer to what is asked of the table is to delete its source.
    may_be_none: bool = False
    #: Columns that tell its records apart together, where none does alone.
    key: tuple[str, ...] = ()

    @property
    def unmapped(self) -> list[Column]:
        """Columns with values that fill nothing."""
        read = {item.column for item in self.fillings.values()}
        read |= {item.column for item in self.life.values() if isinstance(item, Merged)}
        sql = " ".join(item.sql or "" for item in self.fillings.values())
        sql += " ".join(item.when for item in self.life.values() if isinstance(item, Condition))
        return [c for c in self.table.columns if c.filled and c.header not in read and f"`{c.name}`" not in sql]

    def column_of(self, name: str) -> Column | None:
        """The column that fills something, also where some of its cells, such as a total, are left out."""
        item = self.fillings.get(name)
        if item is None or item.column:
            return self.table.column(item.column) if item and item.column else None
        wrapped = re.fullmatch(r"CASE WHEN .* THEN NULL ELSE `([^`]+)` END", item.sql or "")
        return next((column for column in self.table.columns if wrapped and column.name == wrapped[1]), None)


@dataclass
class Proposal:
    """What is proposed for a folder."""

    system: str | None
    feeds: list[Feed]
    #: Per entity and column, what of the shipped contract changes.
    properties: dict[str, dict[str, dict[str, Any]]]
    #: Further entities that others are looked up in, each with its columns, the key first.
    further: dict[str, tuple[str, ...]]
    #: Tables that feed nothing, and why.
    left: dict[str, str]
    #: Per entity the files that could not be read, and that their names say hold it.
    unread: dict[str, list[Unreadable]] = field(default_factory=dict)
    #: Tables that feed nothing and name records of an entity.
    unclear: list[Unclear] = field(default_factory=list)
    #: Those of them that someone said count nowhere.
    ignored: list[Unclear] = field(default_factory=list)

    @property
    def sampled(self) -> list[Table]:
        """The tables of which only the first rows were looked at."""
        return list({id(feed.table): feed.table for feed in self.feeds if feed.table.of is not None}.values())

    def of(self, entity: str) -> list[Feed]:
        """The feeds of an entity."""
        return [feed for feed in self.feeds if feed.entity == entity]


def feed_of(feeds: Iterable[Feed], entity: str) -> Feed | None:
    """The first feed of an entity."""
    return next((feed for feed in feeds if feed.entity == entity), None)
