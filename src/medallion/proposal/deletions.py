"""Tables beside the records that list which of them are deleted."""

from __future__ import annotations

from medallion import figures
from medallion.contracts import Filling
from medallion.contracts.filling import Condition
from medallion.proposal import asking, date_columns, vocabulary
from medallion.proposal.draft import Draft
from medallion.proposal.feeds import Feed, feed_of
from medallion.proposal.profile import Column, Table
from medallion.sources import deletions

_WHAT = {"leads": "deals", "customers": "accounts", "interactions": "touches"}
#: Every row ends its record.
_ALL = "true"


def add(draft: Draft) -> None:
    """Add the tables that are called lists of deleted records, and feed nothing yet, as sources whose records have ended."""
    used = {*map(id, (feed.table for feed in draft.feeds)), *draft.listing}
    for table in draft.tables:
        if id(table) not in used and table.file.name not in draft.settled.left and (feed := _feed(draft, table)):
            draft.feeds.append(feed)


def is_list(feed: Feed) -> bool:
    """Whether every row of a feed ends its record."""
    absent = feed.life.get("absent")
    return isinstance(absent, Condition) and absent.when == _ALL


def of_whole(feed: Feed) -> Condition | None:
    """What is asked of a table of whole records that is called one of deleted records."""
    if not deletions.are_named(feed.table.stems):
        return None
    reason = (
        f"the name of {feed.table.file.name} says that its {feed.table.rows:,} {_WHAT.get(feed.entity, 'records')} are deleted: are they? "
        'Then delete this confidence, and they leave the figures; else write when: "false", and they count'
    )
    return Condition(when=_ALL, confidence=asking.ASKED, reason=reason)


def _doubt(table: Table, key: Column) -> str:
    """What of a list may mean that not every record it names is gone; empty where it says no more than which, when, who and why."""
    if not key.is_unique:
        return f"{key.header} has some of them several times"
    if others := [header for header in deletions.ids_of([c.header for c in table.columns]) if header != key.header]:
        return f"it has {others[0]} too, which may be what was deleted"
    telling = [
        column.header
        for column in table.columns
        if column is not key and column.filled and (deletions.tells_state(column.header) or column.share("flag") > 0.5)
    ]
    return f"{telling[0]} tells more of each" if telling else ""


def _feed(draft: Draft, table: Table) -> Feed | None:
    if (
        not table.rows
        or not deletions.are_named(table.stems)
        or not deletions.may_list([c.header for c in table.columns])
    ):
        return None
    header = deletions.key_of([column.header for column in table.columns])
    columns = [c for c in table.columns if c.share("code") + c.share("number") > 0.9 and c.share("date") < 0.5]
    columns.sort(key=lambda column: column.header != header)
    offers: list[tuple[int, float, int, str, Column]] = []
    for entity, keys in draft.known_keys().items():
        named = max(vocabulary.kind_of_file(stem, entity) for stem in table.stems)
        for place, column in enumerate(columns):
            known = len(column.forms & keys)
            if known or named > 0:
                offers.append((known, named, -place, entity, column))
    if not offers:
        return None
    known, named, _, entity, key = max(offers, key=lambda offer: offer[:3])
    main, what = feed_of(draft.feeds, entity), _WHAT[entity]
    feed = Feed(table, entity, 0.9, f"its name: a list of deleted {what}")
    feed.fillings[draft.entities[entity].key] = Filling(
        column=key.header, confidence=0.9, reason=f"{known:,} of its {key.distinct:,} values are known {what}"
    )
    reason, sure = f"all {figures.count(table.rows, 'row')} name deleted {what}", 0.9
    days = [column for column in table.columns if column.filled == column.rows and column.share("date") > 0.9]
    if main and "updated_at" in main.fillings and len(days) == 1:
        item = Filling(column=days[0].header, confidence=0.9, reason="when they were deleted")
        feed.fillings["updated_at"] = date_columns.dated(draft, item, days[0], table)
    elif main and known and table.file.name < main.table.file.name:
        reason += (
            f", and {main.table.file.name} of the same delivery has {known:,} of these. No time says which of the two is newer, so the file of "
            "the later name counts: give the list in a later delivery, or rename it"
        )
        sure = asking.ASKED
    elif not known and named < 1:
        reason, sure = f"{reason}, none of which is in the export: are these {what}?", asking.ASKED
    if doubt := _doubt(table, key):
        reason, sure = f"{reason}; {doubt}: are all {what} that it names deleted?", asking.ASKED
    feed.life["absent"] = Condition(when=_ALL, confidence=sure, reason=reason)
    return feed
