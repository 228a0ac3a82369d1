"""Several full states of one table in a delivery: files of one kind whose newest lacks records that older ones have, and
copies that say something else of the same records.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from medallion import figures
from medallion.contracts import Entity, Filling
from medallion.contracts.dates.names import MONTHS
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
    """The files of one entity with the same columns and, but for figures and months, the same name."""
    groups: dict[tuple[str, ...], list[SourceFile]] = {}
    for file in files:
        name = file.name if named_day(file.name) is None else file.name.rpartition("/")[2]
        words = re.findall(r"[^\W\d_]+", name.lower())
        headers = sorted(header for header, _ in file.columns)
        base = " ".join(word for word in words if word not in MONTHS)
        groups.setdefault((file.entity, base, *headers), []).append(file)
    return [group for group in groups.values() if len(group) > 1]


def copies(files: Iterable[SourceFile]) -> list[list[SourceFile]]:
    """The files of one entity with the same columns, of which the names do not tell the newest: they have no day, or the days
    are in another order than the names, in which files are read.
    """
    groups: dict[tuple[str, ...], list[SourceFile]] = {}
    for file in sorted(files, key=lambda file: file.name):
        groups.setdefault((file.entity, *sorted(header for header, _ in file.columns)), []).append(file)
    of_one_kind = []
    for group in groups.values():
        days = [day for file in group if (day := named_day(file.name))]
        in_order = days == sorted(days)
        of_one_kind.append([file for file in group if not in_order or named_day(file.name) is None])
    return [group for group in of_one_kind if len(group) > 1]


def contradicted(files: Sequence[SourceFile], records: Callable[[SourceFile], Records]) -> str | None:
    """What is wrong with copies of which no column tells the newest; None where they say the same of each record."""
    met: dict[str, list[tuple[SourceFile, tuple[str, Decimal | None]]]] = {}
    for file in files:
        for key, record in records(file).items():
            met.setdefault(key, []).append((file, record))
    several = {key: met[key] for key in met if len(met[key]) > 1}
    others = {key: stated for key, stated in several.items() if len({record for _, record in stated}) > 1}
    if not others:
        return None
    key, stated = next(iter(others.items()))
    if None not in map(named_day, (file.name for file in files)):
        why = "the days in the names of the files are in another order than the names, in which they are read"
    else:
        why = "nothing tells which file is the newest"
    shown = ", ".join(f"{state} {value or ''}".strip() + f" in {file.name}" for file, (state, value) in stated[:3])
    return (
        f"{len(others):,} of the {len(several):,} deals that stand in several files have another state or value in each, such as "
        f"{key!r} ({shown}), and {why}"
    )


def asked(files: Sequence[SourceFile], records: Callable[[SourceFile], Records]) -> str | None:
    """What is asked about files of one kind: whether each is a complete state; None where they are parts or changes.

    The newest and the largest of the others are read first; the rest only where these have mostly the same records.
    Where the names do not tell the newest, no file may lack what another has.
    """
    states: dict[date | str, list[SourceFile]] = {}
    days = {file.name: named_day(file.name) for file in files}
    is_dated = None not in days.values()
    for file in files:
        states.setdefault((is_dated and days[file.name]) or file.name, []).append(file)
    if len(states) < 2:
        return None
    *before, last = sorted(states, key=str)

    def of(state: date | str) -> Records:
        return {key: record for file in states[state] for key, record in records(file).items()}

    fullest = max(before, key=lambda state: sum(file.size_bytes for file in states[state]))
    newest, largest = of(last), of(fullest)
    if len(newest) < _LEAST or not largest or len(newest.keys() & largest.keys()) < _MOST * len(largest):
        return None
    every: dict[str, tuple[str, Decimal | None]] = {} if is_dated else {**newest}
    all_states = [newest]
    for state in before:
        all_states.append(largest if state == fullest else of(state))
        every |= all_states[-1]
    kept = newest.keys() if is_dated else set.intersection(*(set(each) for each in all_states))
    lacking = every.keys() - kept
    if not lacking:
        return None
    entity = files[0].entity
    what = {"leads": "deals", "customers": "accounts"}.get(entity, entity)
    worth = []
    for meant in ("open", "won"):
        of_state = [every[key][1] or Decimal(0) for key in lacking if every[key][0] == meant]
        if of_state:
            worth.append(f"{len(of_state):,} {meant} worth {figures.ratio(sum(of_state, Decimal(0)), 0)}")
    shown = f" ({', '.join(worth)})" if worth else ""
    if is_dated:
        return (
            f"{len(states)} files of the same kind, dated {before[0]} to {last}, have mostly the same {what}, and the newest lacks "
            f"{len(lacking):,} of the {len(every):,} in the older ones{shown}: is each file a complete state? Then these "
            f"{len(lacking):,} are gone (snapshot: true); or does it have only what changed? Then they still count"
        )
    return (
        f"{len(states)} files of the same kind, such as {before[0]} and {last}, have mostly the same {what}, but {len(lacking):,} of the "
        f"{len(every):,} are not in each{shown}, and the names tell no day: is each file a complete state? Then those that the newest "
        "lacks are gone (snapshot: true), and each file has to be named by its day, such as deals_2025-01-31.csv; or does it have "
        "only what changed? Then they still count"
    )


def propose(feeds: Sequence[Feed], entities: Mapping[str, Entity]) -> None:
    """Propose `snapshot` for feeds of one kind that may be states of several days; never for accounts that deals name."""
    named_by = {id(feed.table) for feed in feeds if feed.entity != "customers"}
    by_file = {
        (feed.table.file.name, feed.entity): feed
        for feed in feeds
        if feed.entity in entities and not (feed.entity == "customers" and id(feed.table) in named_by)
    }
    named = [SourceFile(**{**vars(feed.table.file), "entity": feed.entity}) for feed in by_file.values()]
    deals = [
        file for file in named if file.entity == "leads" and not _is_versioned(by_file[file.name, "leads"], entities)
    ]
    for group in copies(deals):
        if differs := contradicted(
            group, lambda file: _records(by_file[file.name, file.entity], entities[file.entity])
        ):
            feed = by_file[group[0].name, "leads"]
            if None not in map(named_day, (file.name for file in group)):
                state = (
                    f"{differs}: is each file the state of its day? Then the newest counts, and what it lacks is gone (snapshot: "
                    "true); or does it have only what changed? Then name each by its day, such as deals_2025-01-31.csv, for of two "
                    "records the one further down in the order of paths counts"
                )
                for each in (by_file[file.name, "leads"] for file in group):
                    each.life["snapshot"] = Snapshot(value=True, confidence=0.5, reason=state)
                continue
            feed.reason += (
                f"; {differs}: which counts? Delete the sources of the others; or delete this confidence, and of two records the one "
                "further down in the order of paths counts"
            )
            feed.confidence, feed.may_be_none = min(feed.confidence, 0.5), True
    for group in alike(named):
        entity = entities[group[0].entity]
        ours = [by_file[file.name, file.entity] for file in group]
        by_name = {feed.table.file.name: _records(feed, entity) for feed in ours}
        if entity.version_column and all(by_name.values()) and (asks := asked(group, lambda file: by_name[file.name])):  # noqa: B023
            for feed in ours:
                feed.life["snapshot"] = Snapshot(value=True, confidence=0.5, reason=asks)
                feed.version = feed.fillings.pop(entity.version_column, None)
                day = named_day(feed.table.file.name)
                if not feed.version and day and feed.table.file.sheet:  # a source of its own
                    feed.version = Filling(value=day.isoformat())
                if feed.version:
                    origin = feed.version.column or feed.version.sql or f"{{value: {feed.version.value}}}"
                    feed.comments.append(
                        f"{entity.version_column}: {origin}, where these have only changes and are no snapshots"
                    )


def _is_versioned(feed: Feed, entities: Mapping[str, Entity]) -> bool:
    """Whether a column tells the newest of several versions of a record."""
    return str(entities[feed.entity].version_column) in feed.fillings


def _records(feed: Feed, entity: Entity) -> Records:
    """The records of a feed; none where no column is their key, or they are derived from rows of another."""
    names = (entity.key, "status", "deal_value")
    key, status, value = (feed.column_of(name) for name in names)
    if key is None:
        return {}
    records: dict[str, tuple[str, Decimal | None]] = {code(text): ("", None) for text in key.counts}
    if status is None or value is None or entity.name != "leads":
        return records
    item, declared = feed.fillings["status"], entity.column("status")
    states = {code(text): meant for text, meant in item.values}
    for text in status.counts:
        meaning = match.meaning("leads", declared, text)
        states.setdefault(code(text), str(meaning.value if meaning else item.otherwise or ""))
    for cells in feed.table.together(key, status, value):
        records[code(cells[0])] = (states.get(code(cells[1]), item.empty or ""), units.signed(cells[2], value.comma))
    records.pop("", None)
    return records
