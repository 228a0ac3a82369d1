"""One table as the source of one entity, by its own columns alone."""

from __future__ import annotations

from typing import Any

from medallion.contracts import Filling, yaml
from medallion.contracts.odcs import code
from medallion.figures import percent
from medallion.proposal import (
    activities,
    asking,
    cells,
    closing_dates,
    currency_columns,
    date_columns,
    evidence,
    match,
    profile,
    vocabulary,
    worth,
)
from medallion.proposal.draft import FEW, Draft
from medallion.proposal.feeds import Feed
from medallion.proposal.match import Match
from medallion.proposal.profile import Column, Table
from medallion.sources import currencies

#: Days on which a deal ends, or will.
_ENDS = ("closed_at", "expected_close_date")
_CHANNELS = {
    "call": {"call", "calls", "phone", "phonecall", "phonecalls", "anruf", "anrufe", "llamada", "llamadas"},
    "email": {"email", "emails", "mails", "correo", "correos"},
    "meeting": {"meeting", "meetings", "appointment", "appointments", "event", "events", "reunion", "reuniones", "termin", "termine"},
    "whatsapp": {"whatsapp"},
}  # fmt: skip


def feed(draft: Draft, matched: Match) -> Feed:
    """A table's own columns; what has to be looked up elsewhere comes later."""
    feed = Feed(matched.table, matched.entity.name, matched.confidence, matched.reason)
    for canonical, (column, meant) in matched.columns.items():
        declared = matched.entity.column(canonical)
        item = Filling(column=column.header, confidence=meant.confidence, reason=meant.reason)
        if declared.kind in ("date", "timestamp"):
            item = date_columns.dated(draft, item, column, matched.table, canonical in _ENDS)
            if canonical == "closed_at":
                item = cells.won_or_lost(item, column, feed.table)
        elif declared.kind == "money":
            item = cells.amount(item, column)
            if canonical == "deal_value" and item.column:
                item = cells.actual(item, column, feed.table)
            elif canonical != "deal_value":
                item = worth.scaled(item, [column])
        elif canonical == "duration_minutes":
            item = cells.duration(item, column, feed.table, meant.standard)
        elif canonical == "currency" and currencies.in_company_currency(column.header):
            continue  # amounts
        elif canonical == "currency":
            item = currency_columns.of_column(draft, item, column, feed)
        elif canonical in ("source", "channel", "direction", "outcome"):
            item = valued(draft, item, column, feed, declared)
        feed.fillings[canonical] = item
    begun, length = feed.fillings.get("occurred_at"), matched.columns.get("duration_minutes")
    if feed.entity == "interactions" and begun and begun.column and _is_open(feed.fillings.get("duration_minutes")):
        least = min(length[0].filled, profile.COMPARED) if length else 0
        lasted = cells.lasted(feed.table.column(begun.column), begun.date_formats, feed.table, least)
        feed.fillings |= {"duration_minutes": lasted} if lasted else {}
    closing = feed.fillings.get("closed_at")
    words = set(vocabulary.tokens(str(closing.column))) if closing else set()
    planned = words & {"close", "closing", "cierre", "cloture", "abschluss"} and "actual" not in words
    if closing and planned and "expected_close_date" not in feed.fillings:
        reason = "one date for both: planned while the deal is open"
        feed.fillings["expected_close_date"] = closing.model_copy(update={"reason": reason})
    for canonical, (column, meant) in matched.unread.items():
        is_time, is_end = matched.entity.column(canonical).is_time, canonical in _ENDS
        feed.fillings[canonical] = cells.unread(column, meant.reason, is_time, is_end)
    if feed.entity == "leads":
        worth.amounts(feed)
        worth.value(feed, matched.entity)
        closing_dates.by_roles(feed, matched.entity)
    _twins(feed)
    if feed.entity == "leads":
        worth.unit(feed, draft.system)
        evidence.accounts(feed)
        currency_columns.of_deals(draft, feed)
    elif feed.entity in draft.entities and "currency" not in draft.entities[feed.entity].column_names:
        currency_columns.of_accounts(draft, feed)
    if doubt := draft.settled.doubts.get(id(feed.table)):
        feed.confidence, feed.reason = min(feed.confidence, 0.7), f"{feed.reason}; {doubt.text}"
        feed.may_be_none = doubt.may_be_none
    for canonical, (column, meant) in matched.perhaps.items():
        named = Filling(column=column.header, confidence=meant.confidence)
        read = cells.duration(named, column, feed.table) if canonical == "duration_minutes" else named
        origin = f"{{sql: {yaml.quoted(read.sql)}}}" if read.sql else column.header
        feed.comments.append(f"perhaps {canonical}: {origin} ({meant.confidence:.2f}: {meant.reason})")
    draft.feeds.append(feed)
    return feed


def without_totals(draft: Draft, feed: Feed) -> None:
    """Read columns again whose names are sure and whose values could not be read beside words such as Sum, now that the rows
    that are no records have been taken out.
    """
    entity = draft.entities[feed.entity]
    for name, item in feed.fillings.items():
        declared = entity.column(name)
        if not item.column or cells.UNREAD not in item.reason or not (declared.is_time or declared.kind == "money"):
            continue
        column = feed.table.column(item.column)
        meant = match.score(column, entity, declared, draft.system)
        if meant and meant.confidence >= match.PROPOSED:
            item = Filling(column=column.header, confidence=meant.confidence, reason=meant.reason)
            is_time = declared.is_time
            feed.fillings[name] = (
                date_columns.dated(draft, item, column, feed.table, name in _ENDS)
                if is_time
                else cells.amount(item, column)
            )


def _is_open(item: Filling | None) -> bool:
    """Whether nothing says how long activities took, or in which unit."""
    return item is None or (item.sql is not None and asking.is_asked(item))


def valued(draft: Draft, item: Filling, column: Column, feed: Feed, declared: Any) -> Filling:
    """A column of closed values with what each of its spellings means, and what is asked about those not understood."""
    values, unknown = cells.spellings(feed.entity, declared, column)
    if feed.entity == "interactions" and declared.name == "outcome":  # what is yet to come does not count
        coming = activities.not_done(column.header, column.counts)
        values += tuple((text, "neutral") for text, _ in unknown if text in coming)
        unknown = [pair for pair in unknown if pair[0] not in coming]
    update: dict[str, Any] = {"values": values}
    if unknown:
        shown = ", ".join(f"{text!r} ({count})" for text, count in unknown[:8])
        feed.comments.append(f"{declared.name}: not understood: {shown}")
        if declared.name in ("channel", "outcome"):
            item = item.model_copy(update={"confidence": 0.6, "reason": f"{item.reason}; what are {shown}?"})
    lacking = 1 - column.filled / max(column.rows, 1)
    if declared.name == "outcome" and lacking > 0:
        update |= {
            "empty": "neutral",
            "confidence": min(item.confidence or 0, 0.75 if lacking > FEW else 0.8),
            "reason": f"{item.reason}; {percent(lacking, 0)} are empty, taken as neutral",
        }
    elif declared.name == "channel" and lacking > 0:
        update["empty"] = _channel_of(feed.table) or "other"
    return item.model_copy(update=update)


def _twins(feed: Feed) -> None:
    """Columns of one header: the one with values counts where the others are empty, else someone has to say which."""
    for canonical, item in feed.fillings.items():
        if item.column is None:
            continue
        bare = code(item.column)
        same = [column for column in feed.table.columns if code(column.header) == bare]
        filled = [column for column in same if column.filled]
        if len(same) < 2 or not filled or all(column.counts == same[0].counts for column in same):
            continue
        examples = " and ".join(column.examples(1) or "nothing" for column in same)
        reason = f"{item.reason}; {len(same)} columns have this name and hold {examples}"
        confidence = 0.85 if len(filled) == 1 else 0.5
        update = {"column": None, "sql": f"`{filled[0].name}`", "reason": reason}
        feed.fillings[canonical] = item.model_copy(
            update={**update, "confidence": min(item.confidence or 0, confidence)}
        )


def _channel_of(table: Table) -> str | None:
    words = {word for stem in table.stems for word in vocabulary.tokens(stem)}
    return next((channel for channel, names in _CHANNELS.items() if words & names), None)


def channel_and_outcome(feed: Feed) -> None:
    """Channel and outcome where the table has no column for them."""
    if "channel" not in feed.fillings:
        channel = _channel_of(feed.table)
        reason = "the table's name" if channel else "nothing tells the channel"
        feed.fillings["channel"] = Filling(value=channel or "other", confidence=0.9 if channel else 0.5, reason=reason)
    outcome = feed.fillings.get("outcome")
    if outcome is None or (outcome.column and not feed.table.column(outcome.column).filled):
        reason = "nothing tells how it went" if outcome is None else f"{outcome.column} is empty"
        feed.fillings["outcome"] = Filling(value="neutral", confidence=0.5, reason=reason)
