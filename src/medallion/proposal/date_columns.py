"""Columns of dates in a draft: their order of day and month by the whole folder, when deals were closed, when touches took place."""

from __future__ import annotations

from datetime import date, timedelta
from operator import attrgetter
from typing import Any

from medallion.contracts import CONFIDENT, Filling
from medallion.contracts.dates import day_order
from medallion.contracts.dates.day_order import Span
from medallion.contracts.model import DATE_FORMATS
from medallion.proposal import activities, asking, cells, closing_dates, vocabulary
from medallion.proposal.draft import FEW, Draft
from medallion.proposal.feeds import Feed
from medallion.proposal.profile import Column, Table


def _day_first(draft: Draft, table: Table) -> bool | None:
    agreed = _agreed(draft, table, "decided")
    return agreed if agreed is not None or draft.today is None else _by_present(draft, table, draft.today)


def _by_present(draft: Draft, table: Table, today: date) -> bool | None:
    """The order of day and month that a table's dates of what has happened tell, none of which is yet to come."""
    votes = {
        day_order.by_present(column.counts, today + timedelta(days=1))
        for item in draft.matches
        for name, (column, _) in item.columns.items()
        if item.table is table and item.entity.column(name).event and column.day_order.decided is None
        and not column.day_order.contradicts and column.day_order.years is False
    }  # fmt: skip
    votes.discard(None)
    return votes.pop() if len(votes) == 1 else None


def _agreed(draft: Draft, table: Table, of: str) -> bool | None:
    """What other columns tell of an order of dates: those of the table, else those of the folder."""
    for tables in ([table], draft.tables):
        votes = {attrgetter(of)(column.day_order) for each in tables for column in each.columns} - {None}
        if votes:
            return votes.pop() if len(votes) == 1 else None
    return None


def _span(draft: Draft, table: Table) -> Span | None:
    """The dates whose year is plain: those of the table, else those of the folder."""
    for tables in ([table], draft.tables):
        columns = [column for each in tables for column in each.columns if column.share("date") > 0.5]
        if span := day_order.span_of(column.counts for column in columns):
            return span
    return None


def closing(draft: Draft, feed: Feed) -> None:
    """When deals were won and lost, by a column that no name gives away, in the form that its dates have."""
    before, expected = feed.fillings.get("closed_at"), feed.fillings.get("expected_close_date")
    if ends := closing_dates.of_ends(feed, draft.entities["leads"]):
        feed.fillings["closed_at"] = _of_either(draft, feed, *ends)
        feed.comments = [each for each in feed.comments if not each.startswith("perhaps closed_at:")]
        return
    closing_dates.by_records(feed, draft.entities["leads"])
    item = feed.fillings.get("closed_at")
    if (
        before is None
        and item
        and item.column
        and not item.date_formats
        and (expected is None or expected.column != item.column)
    ):
        feed.fillings["closed_at"] = dated(draft, item, feed.table.column(item.column), feed.table, True)
        feed.comments = [each for each in feed.comments if not each.startswith("perhaps closed_at:")]


def _of_either(draft: Draft, feed: Feed, won: Column, lost: Column) -> Filling:
    """The day of closing from a column that deals won alone have, and another that deals lost alone have."""
    reason = f"deals won alone have {won.header}, and deals lost alone {lost.header}"
    read = [dated(draft, Filling(column=c.header, confidence=0.9, reason=reason), c, feed.table) for c in (won, lost)]
    needed = dict.fromkeys(format_ for item in read for format_ in item.date_formats)
    others = () if all(item.date_formats for item in read) or not needed else DATE_FORMATS
    unsure = min(read, key=lambda item: item.confidence or 0)
    update: dict[str, Any] = {"column": None, "sql": cells.or_else(won, lost, feed.table)}
    if not (
        vocabulary.says_ended(won.header, "won") and vocabulary.says_ended(lost.header, "lost")
    ):  # Go live and Contact again
        reason = f"{reason}: are these the days of closing?"
        update |= {"confidence": min(unsure.confidence or 1, asking.ASKED), "reason": reason}
    return unsure.model_copy(update={**update, "date_formats": tuple(dict.fromkeys((*needed, *others)))})


def dated(draft: Draft, item: Filling, column: Column, table: Table, is_end: bool = False) -> Filling:
    """A column of dates with the formats that it needs, by what the rest of the folder says; of periods in one of ends the
    last day counts.
    """
    first, years = _day_first(draft, table), _agreed(draft, table, "year_elsewhere")
    others = {kind: _agreed(draft, table, f"{kind}.vote") for kind in ("dots", "after_year")}
    return cells.dated(item, column, first, draft.foreign, _span(draft, table), years, **others, is_end=is_end)


def undated(draft: Draft, feed: Feed) -> None:
    """Deals won or lost without a day of closing count on another day: that is said, and asked where they are many."""
    item = feed.fillings.get("closed_at")
    if item is None or item.column is None:
        return
    ended = [
        bool(day)
        for state_, day in closing_dates.states(feed, draft.entities["leads"], feed.table.column(item.column))
        if state_ in ("won", "lost")
    ]
    lacking = len(ended) - sum(ended)
    if not lacking:
        return
    other = next((feed.fillings[name] for name in ("updated_at", "created_at") if name in feed.fillings), None)
    day = f"the day in {other.column}" if other and other.column else "no day"
    reason = f"{item.reason}; {lacking:,} of {len(ended):,} deals won or lost have none and count on {day}"
    update: dict[str, Any] = {"reason": reason}
    if lacking > FEW * len(ended):
        reason += (
            ": is that so? to leave it empty, write {name: closed_at, transformLogic: \"CASE WHEN status IN ('won', 'lost') THEN "
            'closed_at END"} under the properties of leads'
        )
        update = {"reason": reason, "confidence": min(item.confidence or 0, 0.7)}
    feed.fillings["closed_at"] = item.model_copy(update=update)


def _named_days(draft: Draft, feed: Feed) -> list[tuple[Column, Any]]:
    """Columns of dates whose names say that something took place then, the surest first."""
    entity = draft.entities["interactions"]
    dates = [column for column in feed.table.columns if column.filled and column.share("date") > 0.7]
    named = [(column, vocabulary.header(column.header, entity, "occurred_at")) for column in dates]
    sure = [(column, meant) for column, meant in named if meant and meant.confidence >= CONFIDENT]
    return sorted(sure, key=lambda pair: -pair[1].confidence)


def occurred(draft: Draft, feed: Feed) -> None:
    """Fill the day of a touch from the best column: its own day, else when it was done, due, entered or last changed."""
    item = feed.fillings.get("occurred_at")
    if item is None or item.column is None or asking.is_asked(item):
        return
    mapped, others = feed.table.column(item.column), []
    own = [c for c, meant in _named_days(draft, feed) if activities.is_late(mapped) and not activities.is_late(c)]
    if own:  # created or changed is the last resort
        mapped = own[0]
        item = Filling(column=mapped.header, confidence=item.confidence, reason="its name; dates")
        item = dated(draft, item, mapped, feed.table)
        if asking.is_asked(item):
            feed.fillings["occurred_at"] = item
            return
    needed, usual = {*item.date_formats}, not item.date_formats
    for column, what in activities.days(feed, mapped):
        filling = dated(draft, Filling(column=column.header), column, feed.table)
        if filling.confidence is None:  # nothing is in doubt
            others.append((column, what))
            usual = usual and not filling.date_formats
            needed |= {*filling.date_formats}
    taken = activities.occurred(feed, item, mapped, others)
    if taken is not item:
        formats_of_all = (
            () if usual else (*sorted(needed), *(format_ for format_ in DATE_FORMATS if format_ not in needed))
        )
        feed.fillings["occurred_at"] = taken.model_copy(update={"date_formats": formats_of_all})
