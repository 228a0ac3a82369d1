"""What ends a record, and which rows do not count."""

from __future__ import annotations

from medallion.contracts import CONFIDENT, yaml
from medallion.contracts.filling import Condition, Merged
from medallion.contracts.odcs import code
from medallion.proposal import activities, deletions, marks, merges, vocabulary
from medallion.proposal.draft import Draft
from medallion.proposal.feeds import Feed
from medallion.proposal.profile import Column

_ASKED_OF_FLAGS = 0.6
#: Optional entities whose records may be marked as deleted.
_WITH_LIFE = ("contacts", "deal_contacts", "deal_products")


def settle(draft: Draft, feed: Feed) -> None:
    """Find what ends a record of a table: columns that mark it as ended, and files that list merges.

    An account that is only named in rows of another entity does not end with one of them: such a row does not count.
    """
    if feed.entity not in ("leads", "customers", "interactions", "stage_changes", *_WITH_LIFE):
        return
    if feed.entity == "interactions" and (counts := activities.planned(feed)):
        feed.life["where"] = counts
    columns = [column for column in feed.unmapped if _may_end(draft, feed, column)]
    if feed.entity == "leads" and (status := feed.column_of("status")) and marks.marked(status.header, status.counts):
        columns.append(status)
    telling = [c for c in columns if not marks.is_pointer(c.header) and (_is_sure(c) or _marked(draft, c))]
    per_column = [_mark(draft, feed, column, len(telling) < 2) for column in columns]
    conditions = [condition for condition in per_column if condition]
    if conditions:
        sql = " OR ".join(item.when if len(conditions) == 1 else f"({item.when})" for item in conditions)
        sure = min(item.confidence or 0 for item in conditions)
        condition = Condition(when=sql, confidence=sure, reason="; ".join(item.reason for item in conditions))
        if draft.is_derived(feed):
            feed.life["where"] = condition.model_copy(
                update={"when": f"NOT coalesce(try_cast({sql} AS boolean), false)"}
            )
        else:
            feed.life["absent"] = condition
    if "absent" not in feed.life and not draft.is_derived(feed) and (all_of_it := deletions.of_whole(feed)):
        feed.life["absent"] = all_of_it
    _no_business(draft, feed)
    if "mergedInto" not in feed.life and not draft.is_derived(feed) and (merged := _merges(draft, feed)):
        feed.life["mergedInto"] = merged


def _no_business(draft: Draft, feed: Feed) -> None:
    """Ask about rows that a flag marks as tests, copies, templates or the like."""
    flags = [(c, texts) for c in feed.unmapped if marks.is_no_business(c.header) and (texts := marks.flagged(c.counts))]
    shown = " and ".join(f"{c.header} marks {sum(texts.values()):,} of {c.rows:,} rows" for c, texts in flags)
    names = [] if flags else _names(draft, feed)  # a flag says more than names
    tests = [(column, texts) for column in names if (texts := _of_tests(column))]
    for column, texts in tests:
        named = f"{column.header} names {sum(texts.values()):,} of {column.rows:,} rows as {', '.join(map(repr, list(texts)[:3]))}"
        shown = f"{shown} and {named}" if shown else named
    flags += tests
    if not flags:
        return
    where = feed.life.get("where")
    conditions = [where.when] if isinstance(where, Condition) else []
    every = " AND ".join([*conditions, *(marks.counts_all(column.name) for column, _ in flags)])
    reason = (
        f"{shown}: are these tests, copies or others that do not count? Then delete this confidence, and they are left out; "
        f"else write where: {yaml.quoted(every)}, and they count"
    )
    if draft.is_derived(feed):
        reason = f"{shown}: as for the deals, change both"
    if isinstance(where, Condition) and where.reason:
        reason = f"{where.reason}; {reason}"
    when = " AND ".join(
        [*(f"({each})" for each in conditions), *(marks.unflagged(c.name, texts) for c, texts in flags)]
    )
    feed.life["where"] = Condition(
        when=when, confidence=CONFIDENT if draft.is_derived(feed) else _ASKED_OF_FLAGS, reason=reason
    )


def _names(draft: Draft, feed: Feed) -> list[Column]:
    """The columns with names of a table's accounts and deals; also for accounts that its deals name."""
    ours = [other for other in draft.feeds if other.table is feed.table]
    columns = [other.column_of(name) for other in ours for name in ("customer_name", "company", "lead_name")]
    named = (
        [c for c in feed.unmapped if vocabulary.words_of(c.header)[-1:] == ("name",)] if feed.entity == "leads" else []
    )
    return list({id(column): column for column in (*columns, *named) if column}.values())


def _of_tests(column: Column) -> dict[str, int]:
    """The names in a column that say nothing but that they are tests; none where most do."""
    texts = {text: count for text, count in column.counts.items() if marks.is_test_name(text)}
    return texts if 0 < 2 * sum(texts.values()) < column.filled else {}


def _mark(draft: Draft, feed: Feed, column: Column, alone: bool) -> Condition | None:
    """The condition under which a column marks rows as ended; a column of survivors is noted in the feed instead."""
    marked = _marked(draft, column)
    rows = sum(marked.values())
    if marks.is_pointer(column.header):
        if draft.is_derived(feed):
            return None
        if not marked and marks.may_mark(column.header) and column.share("code") + column.share("number") < 0.9:
            return None
        known = len({code(text) for text in marked} & draft.own_keys(feed))
        sure = 0.95 if known >= 0.9 * len(marked) else 0.85
        reason = f"its name; {rows} records were merged, {known} of {len(marked)} survivors are in the table"
        feed.life["mergedInto"] = Merged(column=column.header, confidence=sure, reason=reason)
        return None
    sure = _is_sure(column) or _says_deleted(draft, column)
    if not marked and not sure:
        return None
    reason = f"{column.header} marks {rows:,} of {column.rows:,} rows"
    if not sure:
        shown = ", ".join(repr(text) for text in list(marked)[:3])
        reason += (
            f" ({shown}): have these ended? Then delete this confidence and they leave the figures ({rows:,} rows are "
            'withdrawn); else write when: "false", and they count'
        )
    return Condition(
        when=marks.ended(column.header, column.name, column.counts, alone, _is_flag(draft, column)),
        confidence=0.95 if sure else 0.6,
        reason=reason,
    )


def _may_end(draft: Draft, feed: Feed, column: Column) -> bool:
    """Whether a column may say that records have ended; an archived activity is an old one."""
    old = feed.entity == "interactions" and marks.is_put_away(column.header, marks.marked(column.header, column.counts))
    return _says_deleted(draft, column) or (marks.may_mark(column.header) and not old)


def _says_deleted(draft: Draft, column: Column) -> bool:
    """Whether the system that the export comes from means deleted by such a header, and nothing else."""
    return draft.system is not None and vocabulary.bare(column.header) in draft.system.deleted


def _is_flag(draft: Draft, column: Column) -> bool:
    """Whether only the system that the export comes from tells that a column marks deletions, by whatever it says."""
    return _says_deleted(draft, column) and not marks.may_mark(column.header)


def _marked(draft: Draft, column: Column) -> dict[str, int]:
    """The texts of a column that mark a record as ended, in that system too."""
    return marks.marked(column.header, column.counts, _is_flag(draft, column))


def _live_keys(draft: Draft, entity: str) -> set[str]:
    """Keys of an entity's records that no column marks as ended; of a table with such columns those of its first records."""
    keys: set[str] = set()
    for feed in draft.feeds:
        own = draft.own(feed) if feed.entity == entity else None
        if own is None or draft.is_derived(feed):
            continue
        marking = [c for c in feed.table.columns if c is not own and (marks.may_mark(c.header) or _is_flag(draft, c))]
        marked = [(c, texts) for c in marking if (texts := _marked(draft, c))]
        if not marked:
            keys |= own.forms
            continue
        rows = feed.table.together(own, *(column for column, _ in marked))
        there = {
            (code(key), any(cell in texts for cell, (_, texts) in zip(cells, marked, strict=True)))
            for key, *cells in rows
        }
        keys |= {key for key, ended in there if not ended} - {key for key, ended in there if ended}
    return keys - {""}


def _merges(draft: Draft, feed: Feed) -> Merged | None:
    """The table that lists which records of a feed were merged into which."""
    keys = draft.known_keys()
    used = {id(other.table) for other in draft.feeds}
    for table in draft.tables if keys.get(feed.entity) else ():
        if id(table) in used and (table is feed.table or not merges.is_named(table)):
            continue
        if merged := merges.is_listed_in(table, feed.entity, keys, lambda: _live_keys(draft, feed.entity)):
            before = draft.listing.get(id(table))
            draft.listing[id(table)] = f"{before} and {feed.entity}" if before else f"lists merges of {feed.entity}"
            return merged
    return None


def _is_sure(column: Column) -> bool:
    return marks.is_sure(column.header, column.counts, column.share("date") > 0.9)
