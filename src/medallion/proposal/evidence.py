"""What the records of a table say about a proposal beyond single columns: states that other columns contradict, and known
figures that would stay empty beside a column that could hold them.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from medallion.contracts import CONFIDENT, Entity, Filling
from medallion.contracts.model import Column as Declared
from medallion.proposal import asking, closing_dates, match, stages, vocabulary, worth
from medallion.proposal.feeds import Feed
from medallion.proposal.match import Match
from medallion.proposal.profile import Column, Table
from medallion.proposal.systems import System
from medallion.proposal.vocabulary import Meaning
from medallion.sources import units

_FALSE = frozenset({"false", "0", "no", "n", "f", "nein", "non", "nie", "nej", "falso", "falsch"})
CHANCE = frozenset(
    [
        "probability",
        "wahrscheinlichkeit",
        "probabilite",
        "probabilidad",
        "probabilita",
        "prawdopodobienstwo",
        "confidence",
        "kans",
    ]
)
_PEOPLE = frozenset(
    [
        "owner",
        "user",
        "agent",
        "rep",
        "salesperson",
        "seller",
        "contact",
        "person",
        "created",
        "modified",
        "assigned",
        "manager",
        "besitzer",
    ]
)
#: A number that a spreadsheet has cut to a few digits.
DAMAGED = re.compile(r"\d([.,]\d+)?E\+?\d+", re.IGNORECASE)


def accounts(feed: Feed) -> None:
    """Propose an identifier and a name that go together, each on several deals, as the accounts, whatever their headers."""
    if {"customer_id", "company"} & {*feed.fillings}:
        return
    used = {item.column for name, item in feed.fillings.items() if name not in ("lead_name",)}
    free = [c for c in feed.table.columns if c.filled > 0.9 * c.rows and c.repeats and c.header not in used]
    free = [c for c in free if c.distinct > max(3, 0.05 * c.rows) and not worth.words_in(c) & _PEOPLE]
    for code in (c for c in free if c.share("code") + c.share("number") > 0.9 and "id" in worth.words_in(c)):
        for name in (c for c in free if c is not code and _may_be_accounts(c)):
            pairs = {*feed.table.together(code, name)}
            if worth.words_in(name) & (worth.words_in(code) - {"id"}) and len(pairs) == len({key for key, _ in pairs}):
                reason = f"{code.header} and {name.header} go together in all rows: are they the accounts of the deals?"
                feed.fillings["customer_id"] = Filling(
                    column=code.header, confidence=CONFIDENT, reason=f"with {name.header}"
                )
                feed.fillings["company"] = Filling(column=name.header, confidence=asking.ASKED, reason=reason)
                if feed.fillings.get("lead_name", Filling(value="")).column in (code.header, name.header):
                    del feed.fillings["lead_name"]
                return


def gaps(feed: Feed, entity: Entity) -> None:
    """A known figure that would stay empty beside columns that could hold it is asked about."""
    if feed.entity == "leads" and "deal_value" not in feed.fillings:
        figures = [
            c
            for c in feed.unmapped
            if worth.is_amount(c) and not worth.words_in(c) & worth.NO_AMOUNT and not _is_number(c)
        ]
        figures.sort(key=lambda c: (bool(worth.words_in(c) & worth.AMOUNTS), c.distinct), reverse=True)
        if figures:
            _ask(feed, "deal_value", figures, entity, "no column is named as the amount")
    if "created_at" in entity.column_names and "created_at" not in feed.fillings:
        dates = [
            c for c in feed.unmapped if closing_dates.is_date(c) and not worth.words_in(c) & closing_dates.OTHER_DATES
        ]
        dates.sort(key=lambda c: (c.filled, -_newest(c)), reverse=True)
        if dates and feed.entity == "leads":
            _ask(feed, "created_at", dates, entity, "no column is named as the day of opening")
    if feed.entity == "leads" and not {"customer_id", "company"} & {*feed.fillings}:
        named = [c for c in feed.unmapped if c.filled and says_account(c, entity)]
        names = [c for c in feed.unmapped if _may_be_accounts(c) and c not in named]
        names = [*named, *sorted(names, key=lambda c: c.distinct, reverse=True)]
        if names:
            shown = " or ".join(f"{c.header!r} ({c.examples(2)})" for c in names[:3])
            problem = f"no column holds the account: is it {shown}? without one no deal has an account"
            feed.reason += f"; {problem}; write `customer_id: {{column: ...}}`"
            feed.confidence = min(feed.confidence, asking.ASKED)


def says_account(column: Column, leads: Entity) -> bool:
    """Whether a header is perhaps that of the account, by its name or by its number."""
    named = (vocabulary.header(column.header, leads, name) for name in ("customer_id", "company"))
    return (
        any(named)
        and not any(column.share(kind) > 0.5 for kind in ("date", "flag", "email"))
        and not worth.says_amount(column)
    )


def _is_number(column: Column) -> bool:
    """Whether figures number records: each its own, or of more digits than an amount, or under a header such as CONTACTID;
    not under one that says a unit, such as thousands.
    """
    if units.scale(column.header) is not None:
        return False
    whole = all(re.fullmatch(r"-?\d+", text) for text in column.counts)
    round_ones = (
        sum(text.endswith("0") for text in column.counts) > 0.6 * column.distinct
    )  # numbers of records count on
    is_own = column.is_unique and not round_ones
    return whole and (is_own or column.header.lower().endswith("id") or min(map(len, column.counts)) > 12)


def _newest(column: Column) -> int:
    days = [day.toordinal() for text in list(column.counts)[:400] if (day := closing_dates.day_of(text, column))]
    return sum(days) // len(days) if days else 0


def _may_be_accounts(column: Column) -> bool:
    kinds = ("date", "flag", "email", "phone", "number")
    texts = column.filled > 0.5 * column.rows and not any(column.share(kind) > 0.5 for kind in kinds)
    return texts and column.distinct > 1 and column.repeats > 0.0 and column.distinct > 0.02 * column.rows


def _ask(feed: Feed, name: str, columns: list[Column], entity: Entity, why: str) -> None:
    shown = " or ".join(f"{c.header!r} ({c.examples(1)})" for c in columns[:3])
    declared: Declared = entity.column(name)
    update: dict[str, Any] = {"decimal_comma": columns[0].comma} if declared.kind == "money" else {}
    reason = f"{why}: is it {shown}? without one {name} stays empty in {columns[0].rows:,} rows"
    item = Filling(column=columns[0].header, confidence=asking.ASKED, reason=reason, **update)
    feed.fillings[name] = worth.scaled(item, columns[:1]) if declared.kind == "money" else item


def outcome(feed: Feed, leads: Entity) -> None:
    """Correct or question states that the probability contradicts: an archived deal at 0 is lost, whatever its stage."""
    chance = next(
        (c for c in feed.table.columns if worth.words_in(c) & CHANCE and c.share("number") > worth.MOST), None
    )
    item = feed.fillings.get("status")
    if chance is None or item is None or item.column is None:
        return
    active = next((c for c in feed.table.columns if worth.words_in(c) <= {"active", "aktiv", "actif", "activo", "attivo"}
                   and c.share("flag") > 0.9), None)  # fmt: skip
    extra = [chance, active] if active else [chance]
    scale = 100 if any((units.figure(text) or 0) > 1 for text in chance.counts) else 1
    if filling := _by_chance(feed, item, chance, scale):
        feed.fillings["status"] = filling
        return
    still = [
        (cells, n)
        for (state, *cells), n in closing_dates.counted_states(feed, leads, *extra).items()
        if state == "open"
    ]
    at = [(units.figure(cells[0]) if cells[0] else None, cells[-1].lower(), n) for cells, n in still]
    nothing = sum(n for figure, _, n in at if figure == 0)
    everything = sum(n for figure, _, n in at if figure == scale)
    gone = sum(n for figure, mark, n in at if active and figure == 0 and mark in _FALSE)
    if active and gone >= 2 and gone == nothing:
        column = feed.table.column(item.column)
        sql = _by_cases(column, item, leads)
        ended = f"lower(`{active.name}`) IN {tuple(sorted(_FALSE))}"
        zero = f"try_cast(`{chance.name}` as double) = 0"
        sql = f"CASE WHEN {ended} AND {zero} THEN 'lost' ELSE {sql} END"
        reason = f"{item.reason}; {gone} rows with {active.header} false and {chance.header} 0 are lost"
        feed.fillings["status"] = item.model_copy(update={"column": None, "sql": sql, "values": (), "reason": reason})
        return
    for wrong, meant, value in ((nothing, "lost", "0"), (everything, "won", str(scale))):
        if wrong >= 3 and wrong >= 0.1 * sum(n for _, _, n in at):
            reason = f"{item.reason}; {wrong} open deals have {chance.header} {value}: are they {meant}?"
            item = item.model_copy(update={"confidence": min(item.confidence or 1, asking.ASKED), "reason": reason})
            feed.fillings["status"] = item


def flags(feed: Feed, leads: Entity) -> None:
    """Ask about states that the system's own flags, such as IsWon and IsClosed, contradict in some records."""
    item = feed.fillings.get("status")
    for word, named in (("won", ("won",)), ("lost", ("lost",)), ("closed", ("won", "lost"))):
        column = stages.flag(feed.table, word)
        if item is None or column is None or column.header == item.column or column.filled < column.rows:
            continue
        counts = [
            (state, cell.lower() not in _FALSE, n)
            for (state, cell), n in closing_dates.counted_states(feed, leads, column).items()
            if state
        ]
        for is_so, says in ((True, "true"), (False, "false")):
            wrong = [state for state, flagged, _ in counts if flagged == is_so and (state in named) != is_so]
            count = sum(n for state, flagged, n in counts if flagged == is_so and (state in named) != is_so)
            if count >= 2 and count > 0.01 * (deals := sum(n for *_, n in counts)):
                reason = (
                    f"{item.reason}; but {count:,} of {deals:,} deals that {item.column} says are "
                    f"{' or '.join(dict.fromkeys(wrong))} have {column.header} {says}: which of the two is right?"
                )
                item = item.model_copy(update={"confidence": min(item.confidence or 1, asking.ASKED), "reason": reason})
                feed.fillings["status"] = item


def _by_chance(feed: Feed, item: Filling, chance: Column, scale: int) -> Filling | None:
    """Explain unknown stages by the probability that all of their deals have: 0 is lost, 100% is won."""
    if not asking.is_asked(item) or "open, won or lost" not in item.reason:
        return None
    met: dict[str, set[Decimal | None]] = {}
    for text, cell in feed.table.together(feed.table.column(str(item.column)), chance):
        if text:
            met.setdefault(text, set()).add(units.figure(cell) if cell else None)
    ends = {text: "won" if chances == {scale} else "lost" for text, chances in met.items() if chances in ({scale}, {0})}
    values = {text: ends.get(text, value) for text, value in item.values}
    if {*ends.values()} != {"won", "lost"} or not {"won", "lost"} <= {*values.values()}:
        return None
    listed = ", ".join(f"{text!r} {value}" for text, value in ends.items())
    reason = f"by {chance.header}: {listed}; the others are open"
    return item.model_copy(update={"values": tuple(values.items()), "confidence": 0.85, "reason": reason})


def _by_cases(column: Column, item: Filling, leads: Entity) -> str:
    """The state as an expression over a column of spellings; an unknown spelling stays as it is and is refused."""
    listed, declared = dict(item.values), leads.column("status")
    by_state: dict[str, list[str]] = {}
    for text in column.counts:
        meaning = match.meaning("leads", declared, text)
        if meant := listed.get(text) or (meaning.value if meaning else None):
            by_state.setdefault(meant, []).append("'" + text.lower().replace("\\", "\\\\").replace("'", "\\'") + "'")
    cell = f"trim(lower(`{column.name}`))"
    whens = " ".join(f"WHEN {cell} IN ({', '.join(texts)}) THEN '{state}'" for state, texts in by_state.items())
    return f"CASE {whens} ELSE `{column.name}` END" if whens else f"`{column.name}`"


def nearest(table: Table, leads: Entity, system: System | None = None) -> Match | None:
    """Match a table whose headers are not, or not all, known as a list of deals if its values look like one; it is asked
    about as a whole.
    """
    named = match.assign(table, leads, system).columns
    whole = [column for column in table.columns if column.filled]
    texts = [c for c in whole if not any(c.share(kind) > 0.5 for kind in ("date", "number", "flag", "email", "phone"))]
    keys = [named["lead_id"][0]] if "lead_id" in named else []
    keys += [
        c for c in whole if c.is_unique and not closing_dates.is_date(c) and c.share("code") + c.share("number") > 0.9
    ]
    stages = [c for c in texts if 2 <= c.distinct <= min(15, 0.3 * c.filled) and c.filled > 0.9 * c.rows]
    figures = [c for c in whole if worth.is_amount(c) and c not in keys[:1] and c.distinct > 0.3 * c.filled]
    figures = [c for c in figures if not _counts_rows(c)]
    dates = sorted((c for c in whole if closing_dates.is_date(c)), key=lambda c: (-c.filled, _newest(c)))
    if table.rows < closing_dates.FEW or not (keys and stages and figures and dates):
        return None
    stages.sort(key=lambda c: sum(count for text, count in c.counts.items() if vocabulary.value("leads.status", text)))
    stage = stages[-1]
    names = sorted((c for c in texts if c is not stage and c.repeats > 0 and c.distinct > stage.distinct),
                   key=lambda c: c.distinct)  # fmt: skip
    chosen = {
        "lead_id": keys[0],
        "stage": stage,
        "deal_value": max(figures, key=lambda c: c.distinct),
        "created_at": dates[0],
    }
    if names:
        chosen["company"] = names[-1]
    if len(dates) > 1:
        chosen["closed_at"] = dates[1]
    chosen = {name: column for name, column in chosen.items() if not any(column is each for each, _ in named.values())}
    listed = ", ".join(f"{name} from {column.header} ({column.examples(1)})" for name, column in chosen.items())
    headers = "some of its headers" if named else "its headers"
    reason = f"{headers} are in words that are not known (--preset says what they mean); by its values a list of deals: {listed}"
    columns = {name: (column, Meaning(name, CONFIDENT, "by its values")) for name, column in chosen.items()} | named
    return Match(table, leads, 0.5, reason, columns)


def by_state(table: Table, leads: Entity, system: System | None = None) -> Match | None:
    """Match a table with too few known headers as deals if a column that says how deals stand tells won from lost and another
    has amounts; it is asked about as a whole.
    """
    matched = match.assign(table, leads, system)
    state = next((matched.columns[name][0] for name in ("status", "stage") if name in matched.columns), None)
    ends = (
        {meant.value for text in state.counts if (meant := vocabulary.value("leads.status", text))} if state else set()
    )
    if not {"won", "lost"} <= ends or not any(worth.is_amount(c) and c is not state for c in table.columns):
        return None
    reason = f"{matched.reason}; few of its headers are known, but {state.header if state else ''} tells won from lost: is each row a deal?"
    return Match(table, leads, asking.ASKED, reason, matched.columns, matched.perhaps, matched.unread)


def _counts_rows(column: Column) -> bool:
    """Whether a column but numbers the rows."""
    return column.is_unique and {*column.counts} == {str(number) for number in range(1, column.rows + 1)}


def key_of_two(feed: Feed) -> tuple[Column, Column] | None:
    """Two columns that tell the records apart together where neither does alone: a number within something."""
    table = feed.table
    changing = {item.column for name, item in feed.fillings.items() if name not in ("customer_id", "company")}
    full = [
        c for c in table.columns if c.filled == c.rows > 1 and 1 < c.distinct < c.rows and not closing_dates.is_date(c)
    ]
    full = [c for c in full if c.header not in changing and not any(map(DAMAGED.fullmatch, c.counts))]
    numbers = [c for c in full if worth.words_in(c) & worth.NUMBERS and c.share("code") + c.share("number") > 0.9]
    for number in numbers:
        for other in full:
            if other is number or (worth.words_in(other) & worth.AMOUNTS and worth.is_amount(other)):
                continue
            pairs = list(table.together(other, number))
            if len(pairs) > 1 and len({*pairs}) == len(pairs):
                return other, number
    return None
