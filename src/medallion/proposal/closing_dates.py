"""When deals were won and lost: which of several dates counts, and in which order its day and month stand."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date

from medallion.contracts import CONFIDENT, Entity, Filling
from medallion.contracts.dates import periods
from medallion.proposal import asking, cells, match, roles, vocabulary, worth
from medallion.proposal.feeds import Feed
from medallion.proposal.profile import Column

#: Records that are too few to tell anything.
FEW = 5
#: Words of headers whose dates tell of something else than opening or closing a deal.
OTHER_DATES = frozenset(["last", "next", "converted", "modified", "modif", "updated", "changed", "activity", "contact", "contacted", "follow", "followup", "reminder", "birth", "birthday", "start", "end", "due", "renewal", "invoice", "delivery", "viewed", "stage", "synced", "meeting", "call", "letzte", "letzter", "nachste", "geandert", "geburtstag", "dernier", "derniere", "prochaine", "ultima", "ultimo", "proxima", "ostatnia", "fivetran", "sync"])  # fmt: skip


def is_date(column: Column) -> bool:
    """Whether most of a column's values are dates."""
    return column.filled > 0 and column.share("date") > worth.MOST


def _may_be_closing(column: Column, leads: Entity) -> bool:
    """Whether a column has dates, or under a name that fits figures that would be dates, as spreadsheets keep them, or
    months and weeks; figures need a name for the day of closing itself.
    """
    counted = column.filled > 0 and column.counted_dates > worth.MOST
    is_named = vocabulary.header(column.header, leads, "closed_at") is not None
    is_wide = periods.wider(column.counts, column.name) is not None
    return (
        is_date(column) or (is_named and counted) or ((is_named or vocabulary.says_closed(column.header)) and is_wide)
    )


def _says_closing(column: Column, leads: Entity) -> bool:
    _, words = roles.of(column.header)
    named = [vocabulary.header(text, leads, name) for text in (column.header, " ".join(words)) if text
             for name in ("closed_at", "expected_close_date")]  # fmt: skip
    return any(each is not None and each.confidence >= 0.84 for each in named)


def by_roles(feed: Feed, leads: Entity) -> None:
    """Of two closing dates, fill `closed_at` from the actual one and `expected_close_date` from the planned one."""
    used = {item.column for name, item in feed.fillings.items() if name not in ("closed_at", "expected_close_date")}
    by_role: dict[str, Column] = {}
    for column in feed.table.columns:
        if is_date(column) and column.header not in used and _says_closing(column, leads):
            by_role.setdefault(roles.of(column.header)[0], column)
    plan, end = by_role.get(roles.PLANNED), by_role.get(roles.ACTUAL) or by_role.get("")
    filling = feed.fillings.get("closed_at")
    if not plan or not end:
        return
    planned = feed.fillings.get("expected_close_date")
    settled = filling is not None and filling.column in (None, end.header)
    if settled and planned is not None and planned.column != end.header:
        return
    for name, column in (("closed_at", end), ("expected_close_date", plan))[settled:]:
        feed.fillings[name] = Filling(
            column=column.header, confidence=0.9, reason=f"its name, beside {_other(name, plan, end)}"
        )
        feed.comments = [each for each in feed.comments if not each.startswith(f"perhaps {name}:")]


def _other(name: str, plan: Column, end: Column) -> str:
    return plan.header if name == "closed_at" else end.header


def states(feed: Feed, leads: Entity, *columns: Column) -> list[tuple[str, ...]]:
    """Per record its state, "" where no column says it, with the cells of further columns."""
    return [*counted_states(feed, leads, *columns).elements()]


def counted_states(feed: Feed, leads: Entity, *columns: Column) -> Counter[tuple[str, ...]]:
    """How often a state stands beside cells of further columns."""
    item = feed.fillings.get("status")
    records: Counter[tuple[str, ...]] = Counter()
    if item is None or item.column is None or item.lookup:
        return records
    listed, declared = dict(item.values), leads.column("status")
    meant: dict[str, str] = {}
    for (text, *others), count in feed.table.counted(feed.table.column(item.column), *columns).items():
        if text not in meant:
            known = listed.get(text) or declared.spellings.get(text.lower())
            meaning = None if known else match.meaning("leads", declared, text) if text else None
            meant[text] = known or (meaning.value if meaning else item.otherwise or "")
        records[meant[text], *others] += count
    return records


def day_of(text: str, column: Column) -> date | None:
    """The day of a text in figures, by the order that its column shows."""
    matched = re.match(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})|(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})", text)
    if not matched:
        return None
    year, month, day = matched.group(1, 2, 3) if matched[1] else matched.group(6, 4, 5)
    order = column.day_order
    dotted = not matched[1] and "." in matched[0]
    if order.after_year.decided if matched[1] else not order.dots.decided if dotted else order.decided:
        month, day = day, month
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def by_records(feed: Feed, leads: Entity) -> None:
    """Find the closing date by its values where no column is named so; never take the opening day without asking."""
    if "closed_at" in feed.fillings:
        return
    ended = [state for (state,) in states(feed, leads) if state in ("won", "lost")]
    status = feed.fillings.get("status")
    if not ended and not (status and (status.sql or status.lookup)):
        return
    expected = feed.fillings.get("expected_close_date")
    candidates = [c for c in feed.unmapped if _may_be_closing(c, leads) and not worth.words_in(c) & OTHER_DATES]
    if expected and expected.column:
        candidates.append(feed.table.column(expected.column))
    offers = [(_fit(feed, leads, column), column) for column in candidates]
    if not offers:
        named_so = [c for c in feed.unmapped if vocabulary.says_closed(c.header) and not c.share("flag") > 0.9]
        if named_so:  # what it holds is no day that is understood
            feed.fillings["closed_at"] = cells.unread(named_so[0], "its name", is_time=True, is_end=True)
        return
    best, column = max(offers, key=lambda offer: offer[0])
    planned = expected is not None and expected.column == column.header
    named = " or ".join(repr(c.header) for c in candidates)
    if best >= 1:
        reason = (
            "deals that are won or lost have one, open ones none"
            if best >= 2
            else "past where a deal is closed, to come where it is open"
        )
        item = Filling(column=column.header, confidence=0.85, reason=reason)
    else:
        reason = f"no column is named so: {named}? without one, closed deals count on the day they were last changed or opened"
        item = Filling(column=column.header, confidence=asking.ASKED, reason=reason)
    if periods.wider(column.counts, column.name):
        reason = "its name" if vocabulary.says_closed(column.header) else reason
        item = cells.unread(column, reason, is_time=True, is_end=True)
    if planned and expected:
        item = item.model_copy(update={"date_formats": expected.date_formats})
    feed.fillings["closed_at"] = item


def of_ends(feed: Feed, leads: Entity) -> tuple[Column, Column] | None:
    """The column of dates that deals won alone have and the one that deals lost alone have, where no column is the day of
    closing beyond doubt.
    """
    item = feed.fillings.get("closed_at")
    own = feed.table.column(item.column) if item and item.column else None
    if (item and not own) or (own and _fit(feed, leads, own) >= 2):
        return None
    used = {item.column for name, item in feed.fillings.items() if name not in ("closed_at", "expected_close_date")}
    dates = [c for c in feed.table.columns if is_date(c) and c.header not in used]
    won, lost = (next((c for c in dates if _is_of(feed, leads, c, end)), None) for end in ("won", "lost"))
    return (won, lost) if won and lost else None


def _is_of(feed: Feed, leads: Entity, column: Column, end: str) -> bool:
    """Whether the deals that ended so have a date, and no others do."""
    records = [(state == end, bool(text)) for state, text in states(feed, leads, column)]
    theirs, others = ([filled for is_so, filled in records if is_so == of] for of in (True, False))
    return len(theirs) >= 2 and sum(theirs) > 0.9 * len(theirs) and sum(others) <= 0.02 * len(others)


def _fit(feed: Feed, leads: Entity, column: Column) -> float:
    """2 when only closed deals have the date, 1 when it is past for closed deals and to come for open ones, else less."""
    records = [(state, text) for state, text in states(feed, leads, column) if state]
    ended = [text for state, text in records if state in ("won", "lost")]
    still = [text for state, text in records if state == "open"]
    few = len(ended) < FEW or len(still) < FEW
    if not ended or (few and not vocabulary.says_closed(column.header)):
        return 0.5 if column.filled else 0.0
    filled, open_filled = sum(map(bool, ended)) / len(ended), sum(map(bool, still)) / max(len(still), 1)
    if filled > 0.9 and open_filled < 0.1:
        return 2.0
    if few:
        return 0.5
    past = [day for text in ended if (day := day_of(text, column))]
    to_come = [day for text in still if (day := day_of(text, column))]
    if filled > 0.9 and len(past) > 0.9 * len(ended) and len(to_come) >= FEW and min(to_come) > max(past):
        return 1.0
    return 0.5


def one_order(feed: Feed) -> None:
    """Ask once about all columns whose order of day and month is unknown: their source names the formats."""
    asked = {
        name: item
        for name, item in feed.fillings.items()
        if item.column and item.date_formats and asking.is_asked(item) and asking.ORDER.search(item.reason)
    }
    dates = [item for item in feed.fillings.values() if item.column and is_date(feed.table.column(item.column))]
    others = [item for item in dates if not item.date_formats and not _is_iso(feed.table.column(str(item.column)))]
    columns = list(dict.fromkeys(str(item.column) for item in asked.values()))
    if len(asked) < 2 or others:
        return
    doubt = asking.ORDER.search(next(iter(asked.values())).reason)
    feed.date_formats = tuple(dict.fromkeys(format_ for item in asked.values() for format_ in item.date_formats))
    feed.reason += f"; {doubt[1] if doubt else ''} in {' and '.join(columns)}: dateFormats has the answer"
    feed.undecided, feed.sure_besides = tuple(columns), feed.confidence
    feed.confidence = min(feed.confidence, asking.ASKED)
    for name, item in asked.items():
        further = [each for each in asking.doubts(item) if not asking.is_order(each)]
        reason = f"{asking.ORDER.sub('', item.reason)}; by the dateFormats of the source"
        update = {"date_formats": (), "reason": reason} | ({} if further else {"confidence": CONFIDENT})
        feed.fillings[name] = item.model_copy(update=update)


def _is_iso(column: Column) -> bool:
    return all(re.match(r"\d{4}-\d{2}-\d{2}", text) for text in column.counts)


def order(feed: Feed) -> None:
    """Ask about deals that mostly close before they are opened: a date means something else, or has another order."""
    opened, closed = (feed.fillings.get(name) for name in ("created_at", "closed_at"))
    if not opened or not closed or not opened.column or not closed.column or opened.column == closed.column:
        return
    opening, closing = feed.table.column(opened.column), feed.table.column(closed.column)
    pairs = feed.table.counted(opening, closing, length=10)
    starts = {text: day_of(text, opening) for text in {text for text, _ in pairs}}
    ends = {text: day_of(text, closing) for text in {text for _, text in pairs}}
    days = [
        (start, end, n)
        for (opening_text, closing_text), n in pairs.items()
        if (start := starts[opening_text]) and (end := ends[closing_text])
    ]
    known, before = sum(n for *_, n in days), sum(n for start, end, n in days if end < start)
    if known >= FEW and before > 0.5 * known:
        reason = (
            f"{closed.reason}; but {before} of {known} deals close before {opened.column}: which of the two is wrong?"
        )
        update = {"confidence": min(closed.confidence or 1, asking.ASKED), "reason": reason}
        feed.fillings["closed_at"] = closed.model_copy(update=update)
