"""The state of a deal: from flags, from a column of states, from stages, from times of winning and losing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from medallion.contracts import CONFIDENT, Entity, Filling
from medallion.figures import count, percent
from medallion.proposal import marks, match, stages, vocabulary
from medallion.proposal.cells import spellings
from medallion.proposal.feeds import Feed
from medallion.proposal.profile import Column, Table
from medallion.proposal.systems import System


def status(feed: Feed, leads: Entity, system: System | None = None) -> None:
    """The state of a deal: from flags, from a column of states, from stages, from times of winning and losing."""
    declared = leads.column("status")
    table = feed.table
    if (flags := stages.by_two_flags(table)) and not _says_otherwise(feed, declared):
        sql, reason, odd = flags
        asks = (
            f"; {count(odd, 'deal')} {'is' if odd == 1 else 'are'} won and not closed by these: is that so?"
            if odd
            else ""
        )
        feed.fillings["status"] = Filling(sql=sql, confidence=0.6 if odd else 0.97, reason=f"{reason}{asks}")
        return
    offers = []
    for canonical in ("status", "stage"):
        filling = feed.fillings.get(canonical)
        if filling is None or filling.column is None:
            continue
        column = table.column(filling.column)
        meant = {text: m for text in column.counts if (m := match.meaning("leads", declared, text))}
        share = sum(column.counts[text] for text in meant) / max(column.filled, 1)
        ends = {m.value for m in meant.values()} & {"won", "lost"}
        offers.append(
            (len(ends) + share + (0.1 if canonical == "status" else 0), canonical, column, share, ends, filling)
        )
    if offers and max(offers, key=lambda o: o[0])[3] > 0:
        _, canonical, column, share, ends, filling = max(offers, key=lambda offer: offer[0])
        values, unknown = spellings("leads", declared, column)
        ended = marks.marked(column.header, column.counts)  # asked about as records that have ended
        gone = [(text, count) for text, count in unknown if text in ended and marks.says_deleted(text)]
        values += tuple((text, "lost") for text, _ in gone)
        unknown = [pair for pair in unknown if pair not in gone]
        share += sum(count for _, count in gone) / max(column.filled, 1)
        values += _standard(column, system, declared)
        listed = ", ".join(f"{text!r} ({count})" for text, count in unknown[:8])
        confidence = min(filling.confidence or 0.9, 0.93 if ends == {"won", "lost"} else 0.82 if ends else 0.65)
        update: dict[str, Any] = {
            "values": values,
            "confidence": confidence,
            "reason": f"{percent(share, 0)} of its values are understood"
            + ("" if ends else ", and none is won or lost: are all of these deals open?"),
        }
        if unknown:
            guessed = tuple((text, _guess(text)) for text, _ in unknown)
            reason = f"{update['reason']}; open, won or lost: {listed}?"
            update |= {"values": (*values, *guessed), "confidence": min(confidence, 0.6), "reason": reason}
        feed.fillings["status"] = filling.model_copy(update=update)
        return
    if by_values := _by_values(feed, declared):
        feed.fillings["status"] = by_values
        return
    won_at, lost_at = _timestamp(table, "won"), _timestamp(table, "lost")
    if won_at and lost_at:
        sql = f"CASE WHEN `{won_at.name}` <> '' THEN 'won' WHEN `{lost_at.name}` <> '' THEN 'lost' ELSE 'open' END"
        feed.fillings["status"] = Filling(sql=sql, confidence=0.9, reason=f"{won_at.header} and {lost_at.header}")
        return
    by_words = [item for name in ("status", "stage") if (item := feed.fillings.get(name))]
    if by_flags := stages.of_records(table) or (None if by_words else stages.of_chances(table)):
        sql, asks = by_flags
        feed.fillings["status"] = Filling(sql=sql, confidence=0.6, reason=f"no column of states; {asks}")
        return
    if coded := _by_codes(table, system):
        feed.fillings["status"] = coded
        return
    others = [
        c for c in feed.unmapped if (m := vocabulary.header(c.header, leads, "status")) and m.confidence >= CONFIDENT
    ]
    unread = [Filling(column=c.header) for c in others if c.share("date") < 0.5 and c.share("number") < 0.5]
    for candidate in by_words or unread:
        if not candidate.column or candidate.lookup:
            continue
        column = table.column(candidate.column)
        if 1 < column.distinct <= 30:
            listed = ", ".join(f"{text!r} ({count})" for text, count in column.counts.most_common(12))
            values = tuple((text, _guess(text)) for text, _ in column.counts.most_common())
            reason = f"no value is understood; open, won or lost: {listed}?"
            feed.fillings["status"] = Filling(column=candidate.column, values=values, confidence=0.3, reason=reason)
            return
    old = feed.fillings.get("status")
    reason = (
        f"no value of {old.column or 'the columns of that name'} is understood"
        if old
        else "nothing tells the state of a deal"
    )
    feed.fillings["status"] = Filling(value="open", confidence=0.3, reason=reason)


def _standard(column: Column, system: System | None, declared: Any) -> tuple[tuple[str, str], ...]:
    """The stages that a system comes with and that no deal of the export is in yet, each with the state of its deals."""
    known = system.stages.get(vocabulary.bare(column.header), {}) if system else {}
    if not {*known} & {*column.counts}:
        return ()
    return tuple(
        (text, state)
        for text, state in known.items()
        if text not in column.counts and text.lower() not in declared.spellings
    )


def _says_otherwise(feed: Feed, declared: Any) -> bool:
    """Whether a column of states, understood as a whole, contradicts the flags of winning and closing."""
    filling = feed.fillings.get("status")
    won, closed = (stages.flag(feed.table, word) for word in ("won", "closed"))
    if filling is None or filling.column is None or not won or not closed:
        return False
    column = feed.table.column(filling.column)
    meant = {text: match.meaning("leads", declared, text) for text in column.counts}
    if not all(meant.values()):
        return False
    return any(
        meaning.value != stages.of_flags(is_won, is_closed)
        for text, is_won, is_closed in feed.table.counted(column, won, closed)
        if (meaning := meant.get(text))
    )


def _by_codes(table: Table, system: System | None) -> Filling | None:
    """The state by codes of a known system, beside the column whose cells say that a deal was lost; it is asked about."""
    headers = {vocabulary.bare(column.header): column for column in table.columns}
    for header, (over, lost) in (system.states if system else {}).items():
        column, reason = headers.get(header), headers.get(lost)
        if column is None or not {*over} & {*column.counts}:
            continue
        listed = ", ".join(f"'{code}'" for code in over)
        is_lost = f"WHEN nullif(trim(`{reason.name}`), '') IS NOT NULL THEN 'lost' " if reason else ""
        sql = f"CASE {is_lost}WHEN trim(`{column.name}`) IN ({listed}) THEN 'won' ELSE 'open' END"
        with_reason = f"a filled {reason.header} says lost, " if reason else ""
        also = "" if reason else f", none lost, since {lost.upper()} is not in the file"
        asks = f"{with_reason}{column.header} {' or '.join(over)} won, and all others are open{also}: is that so?"
        return Filling(sql=sql, confidence=0.6, reason=asks)
    return None


def _guess(text: str) -> str:
    """What a spelling that has to be confirmed probably means."""
    meaning = vocabulary.value("leads.status", text)
    return meaning.value if meaning else "open"


def ended_otherwise(
    pairs: Mapping[tuple[str, str], int], says: Callable[[str], str | None]
) -> Counter[tuple[str, str]]:
    """Pairs of a state and a stage of which the stage says won or lost and the state something else, with their rows.

    >>> ended_otherwise({("Open", "Closed Won"): 3, ("Won", "Proposal"): 2, ("Lost", "Closed Lost"): 4}, {"Open": "open", "Lost": "lost"}.get)
    Counter({('Open', 'Closed Won'): 3})
    """
    contradictions: Counter[tuple[str, str]] = Counter()
    for (text, stage), rows in pairs.items():
        state, end = says(text), vocabulary.value("leads.status", stage)
        if state and end and end.value in ("won", "lost") and end.confidence >= 0.84 and state != end.value:
            contradictions[text, stage] += rows
    return contradictions


def contradicted(feed: Feed, leads: Entity, status: Filling | None, stage: Filling | None) -> None:
    """A stage that says won or lost beside a state that says something else is asked about, with what either comes to."""
    item = feed.fillings.get("status")
    if (
        not item
        or item.lookup
        or not status
        or not stage
        or not status.column
        or not stage.column
        or status.column == stage.column
    ):
        return
    columns = feed.table.column(status.column), feed.table.column(stage.column)
    declared = leads.column("status")
    pairs = Counter((text, stage) for text, stage in feed.table.together(*columns))

    def says(text: str) -> str | None:
        meaning = match.meaning("leads", declared, text) if text else None
        return meaning.value if meaning else None

    others = ended_otherwise(pairs, says)
    if not others:
        return
    if confirming := _by_days(feed.table, status.column, says):
        feed.comments.append(
            f"status: {others.total():,} rows name such as {others.most_common(1)[0][0][1]!r} in {stage.column}; {confirming} are filled as "
            f"{status.column} says, so that counts"
        )
        return
    (text, end), _ = others.most_common(1)[0]
    by = []
    for place, column in enumerate(columns):
        counts = Counter(says(pair[place]) or "?" for pair in pairs.elements())
        by.append(f"by {column.header} " + ", ".join(f"{counts[state]:,} {state}" for state in ("won", "lost", "open")))
    first = f" (first {pairs.total():,} rows)" if pairs.total() < feed.table.rows else ""
    reason = (
        f"{item.reason}; but {others.total():,} rows say such as {text!r} in {status.column} and {end!r} in {stage.column}: which counts? "
        f"{'; '.join(by)}{first}"
    )
    feed.fillings["status"] = item.model_copy(update={"confidence": min(item.confidence or 1, 0.6), "reason": reason})


def _by_days(table: Table, header: str, says: Callable[[str], str | None]) -> str:
    """The columns of the days of winning and losing, where exactly the deals have one that a column of states says were won and
    lost; "" where that is not so.
    """
    won, lost = (_timestamp(table, word) for word in ("won", "lost"))
    if not won or not lost or won is lost or not won.filled or not lost.filled:
        return ""
    pairs = table.counted(table.column(header), won, lost)
    agree = all((says(text) == "won", says(text) == "lost") == (bool(at), bool(other)) for text, at, other in pairs)
    return f"{won.header} and {lost.header}" if agree else ""


def _by_values(feed: Feed, declared: Any) -> Filling | None:
    """A column that tells won from lost by its values, whatever its header."""
    for column in feed.unmapped:
        meant = {text: m for text in column.counts if (m := match.meaning("leads", declared, text))}
        share = sum(column.counts[text] for text in meant) / column.filled
        if column.distinct > 30 or share < 0.5 or not {"won", "lost"} <= {m.value for m in meant.values()}:
            continue
        values, unknown = spellings("leads", declared, column)
        reason = f"{percent(share, 0)} of its values are understood"
        if unknown:
            listed = ", ".join(f"{text!r} ({count})" for text, count in unknown[:8])
            values, reason = (
                (*values, *((text, _guess(text)) for text, _ in unknown)),
                f"{reason}; open, won or lost: {listed}?",
            )
        return Filling(column=column.header, values=values, confidence=0.6 if unknown else 0.85, reason=reason)
    return None


def _timestamp(table: Table, word: str) -> Column | None:
    return next((c for c in table.columns if word in vocabulary.tokens(c.header) and c.share("date") > 0.8), None)
