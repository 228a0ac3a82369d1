"""Several full states of one table in a delivery: files of one kind whose newest lacks records that older ones have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from medallion import figures
from medallion.contracts import Entity
from medallion.contracts.filling import Snapshot
from medallion.contracts.odcs import code
from medallion.proposal import match
from medallion.proposal.feeds import Feed
from medallion.sources import SourceFile, named_day, units

#: Share of the records of a state that the newest has too, and how many it has at least: fewer are changes.
_MOST, _LEAST = 0.5, 5

#: Per key of a file the state and the value of the record.
Records = Mapping[str, tuple[str, Decimal | None]]


def alike(files: Iterable[SourceFile]) -> list[list[SourceFile]]:
    """The files of one entity with the same columns and, but for a day, the same name; each with the states of several days."""
    groups: dict[tuple[str, ...], list[SourceFile]] = {}
    for file in files:
        base = "".join(re.findall(r"[^\W\d_]+", file.name.rpartition("/")[2].lower()))
        headers = sorted(header for header, _ in file.columns)
        if named_day(file.name):
            groups.setdefault((file.entity, base, *headers), []).append(file)
    return [group for group in groups.values() if len({named_day(file.name) for file in group}) > 1]


def asked(files: Sequence[SourceFile], records: Callable[[SourceFile], Records]) -> str | None:
    """What is asked about files of one kind: whether each is a complete state; None where they are parts or changes.

    The newest and the largest of the older ones are read first; the others only where these have mostly the same records.
    """
    by_day: dict[date, list[SourceFile]] = {}
    for file in files:
        if day := named_day(file.name):
            by_day.setdefault(day, []).append(file)
    *before, last = sorted(by_day)

    def of(day: date) -> Records:
        return {key: told for file in by_day[day] for key, told in records(file).items()}

    fullest = max(before, key=lambda day: sum(file.size_bytes for file in by_day[day]))
    newest, largest = of(last), of(fullest)
    if len(newest) < _LEAST or not largest or len(newest.keys() & largest.keys()) < _MOST * len(largest):
        return None
    older: dict[str, tuple[str, Decimal | None]] = {}
    for day in before:
        older |= largest if day == fullest else of(day)
    lacking = older.keys() - newest.keys()
    if not lacking:
        return None
    entity = files[0].entity
    what = {"leads": "deals", "customers": "accounts"}.get(entity, entity)
    worth = []
    for state in ("open", "won"):
        of_state = [older[key][1] or Decimal(0) for key in lacking if older[key][0] == state]
        if of_state:
            worth.append(f"{len(of_state):,} {state} worth {figures.ratio(sum(of_state, Decimal(0)), 0)}")
    told = f" ({', '.join(worth)})" if worth else ""
    return (
        f"{len(by_day)} files of one kind, of {before[0]} to {last}, have mostly the same {what}, and the newest lacks {len(lacking):,} of "
        f"the {len(older):,} in the older ones{told}: is each file a complete state? Then these {len(lacking):,} are gone "
        "(snapshot: true); or does it have only what changed? Then they count on"
    )


def propose(feeds: Sequence[Feed], entities: Mapping[str, Entity]) -> None:
    """Propose `snapshot` for feeds of one kind that may be states of several days."""
    held = {(feed.table.file.name, feed.entity): feed for feed in feeds if feed.entity in entities}
    named = [SourceFile(**{**vars(feed.table.file), "entity": feed.entity}) for feed in held.values()]
    for group in alike(named):
        entity = entities[group[0].entity]
        ours = [held[file.name, file.entity] for file in group]
        told = {feed.table.file.name: _records(feed, entity) for feed in ours}
        if entity.version_column and all(told.values()) and (asks := asked(group, lambda file: told[file.name])):  # noqa: B023
            for feed in ours:
                feed.life["snapshot"] = Snapshot(value=True, confidence=0.5, reason=asks)
                feed.version = feed.fillings.pop(entity.version_column, None)
                if feed.version:
                    origin = feed.version.column or feed.version.sql
                    feed.comments.append(
                        f"{entity.version_column}: {origin}, where these have only changes and are no snapshots"
                    )


def _records(feed: Feed, entity: Entity) -> Records:
    """The records of a feed; none where no column is their key, or they are derived from rows of another."""
    names = (entity.key, "status", "deal_value")
    columns = [feed.table.column(i.column) if (i := feed.fillings.get(name)) and i.column else None for name in names]
    key, status, value = columns
    if key is None:
        return {}
    found: dict[str, tuple[str, Decimal | None]] = {code(text): ("", None) for text in key.counts}
    if status is None or value is None or entity.name != "leads":
        return found
    item, declared = feed.fillings["status"], entity.column("status")
    states = {code(text): meant for text, meant in item.values}
    for text in status.counts:
        meaning = match.meaning("leads", declared, text)
        states.setdefault(code(text), str(meaning.value if meaning else item.otherwise or ""))
    for cells in feed.table.together(key, status, value):
        found[code(cells[0])] = (states.get(code(cells[1]), item.empty or ""), units.signed(cells[2], value.comma))
    found.pop("", None)
    return found
