"""What the records of a table say about a proposal beyond single columns: which of several amounts and dates counts,
in which unit an amount is, and which known figure would stay empty beside a column that could hold it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from statistics import median
from typing import Any

import pyarrow as pa

from medallion.contracts import CONFIDENT, Entity, Filling, formats
from medallion.contracts.filling import Condition
from medallion.contracts.model import Column as Declared
from medallion.proposal import cells, match, roles, stages, vocabulary
from medallion.proposal.feeds import Feed
from medallion.proposal.match import Match
from medallion.proposal.profile import Column, Table
from medallion.proposal.vocabulary import Meaning
from medallion.sources import units

_ASKED = 0.6
#: Share of values that must look like figures or dates.
_MOST = 0.7
#: What a report is grouped by.
_OF_GROUPS = ("status", "stage", "customer_id", "customer_name", "company", "owner", "source", "product_id", "currency")
#: Records that are too few to tell anything.
_FEW = 5
#: Names of an amount, when the words for its role are taken away.
_AMOUNTS = frozenset(["amount", "value", "revenue", "revenues", "total", "price", "worth", "sales", "turnover", "umsatz", "betrag", "wert", "erlos", "summe", "volumen", "auftragswert", "auftragssumme", "auftragsvolumen", "montant", "valeur", "chiffre", "importe", "valor", "monto", "ingresos", "importo", "valore", "ricavo", "ricavi", "receita", "bedrag", "waarde", "omzet", "opbrengst", "kwota", "wartosc", "przychod", "hodnota", "castka", "belopp", "varde", "intakt", "belob", "vaerdi", "tutar", "deger", "gelir", "osszeg", "ertek", "arvo", "summa", "netto", "net"])  # fmt: skip
#: Words of headers whose figures are no amounts of a deal.
_NO_AMOUNT = frozenset(["probability", "percent", "pct", "confidence", "wahrscheinlichkeit", "probabilite", "probabilidad", "probabilita", "kans", "prawdopodobienstwo", "id", "number", "no", "score", "rank", "position", "days", "tage", "age", "year", "month", "quarter", "count", "quantity", "menge", "anzahl", "phone", "zip", "plz", "postal", "duration", "hours", "minutes", "employees", "discount", "rabatt", "tax", "vat", "mwst", "cost", "costs", "kosten", "margin", "rate", "forecast", "index", "version", "row", "line", "seats", "users"])  # fmt: skip
#: Words of headers whose dates tell of something else than opening or closing a deal.
_OTHER_DATES = frozenset(["last", "next", "converted", "modified", "modif", "updated", "changed", "activity", "contact", "contacted", "follow", "followup", "reminder", "birth", "birthday", "start", "end", "due", "renewal", "invoice", "delivery", "viewed", "stage", "synced", "meeting", "call", "letzte", "letzter", "nachste", "geandert", "geburtstag", "dernier", "derniere", "prochaine", "ultima", "ultimo", "proxima", "ostatnia", "fivetran", "sync"])  # fmt: skip
_NUMBERS = frozenset(
    {"number", "nr", "no", "id", "code", "position", "pos", "numero", "nummer", "numer", "cislo", "番号"}
)
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


def _words(column: Column) -> set[str]:
    return {*vocabulary.tokens(column.header), *vocabulary.words_of(column.header)}


def says_amount(column: Column) -> bool:
    """Whether a header is that of an amount or a measure, and of no number of a record."""
    words = _words(column)
    return bool(roles.of(column.header)[0]) or bool(
        words & (_AMOUNTS | (_NO_AMOUNT - _NUMBERS - {"number", "version", "row", "line", "index"}))
    )


def _is_amount(column: Column) -> bool:
    figures = column.share("number") > _MOST and column.share("flag") < 0.9
    return column.filled > 0 and figures and column.share("date") < 0.5


# amounts


def amounts(feed: Feed) -> None:
    """Of several amounts of a deal the one that counts: what it brought, else what was expected, never a weighted one."""
    held = feed.fillings.get("deal_value")
    if held is not None and held.column is None:
        return
    used = {item.column for name, item in feed.fillings.items() if name != "deal_value"}
    mapped = feed.table.column(str(held.column)) if held else None
    groups: dict[tuple[str, ...], dict[str, Column]] = {}
    for column in feed.table.columns:
        if column is mapped or (_is_amount(column) and column.header not in used):
            role, name = roles.of(column.header)
            if column is mapped or (name and {*name} & _AMOUNTS and not {*name} & _NO_AMOUNT):
                groups.setdefault(name, {}).setdefault(role, column)
    mine = roles.of(mapped.header) if mapped else None
    of_one = groups.get(mine[1]) if mine else None
    is_part = mapped is not None and bool(re.search(r"[/>]", mapped.header))
    if of_one is None or len(of_one) < 2 or (mine and is_part):
        if mapped is not None and not is_part and mine and mine[0] != roles.WEIGHTED:
            return
        others = [each for name, each in groups.items() if mine is None or name != mine[1]]
        of_one = max(others, key=len, default=of_one or {})
    plan = of_one.get("") or of_one.get(roles.PLANNED)
    end = of_one.get(roles.ACTUAL)
    if plan and end:
        sql = f"CASE WHEN regexp_replace(`{end.name}`, '[^1-9]', '') <> '' THEN `{end.name}` ELSE `{plan.name}` END"
        reason = f"{end.header} where there is one, else {plan.header}"
        feed.fillings["deal_value"] = Filling(
            sql=sql, decimal_comma=end.comma or plan.comma, confidence=0.9, reason=reason
        )
    elif (chosen := plan or end) and chosen is not mapped:
        weighted = of_one.get(roles.WEIGHTED)
        sure = 0.85 if len(of_one) > 1 or mapped is None or is_part else _ASKED
        reason = f"its name; {weighted.header} is weighted by probability" if weighted else "figures, and its name"
        if mapped is not None:
            reason += f"; {mapped.header} is another amount"
        item = Filling(column=chosen.header, decimal_comma=chosen.comma, confidence=sure, reason=reason)
        feed.fillings["deal_value"] = item
    elif chosen is None and (weighted := of_one.get(roles.WEIGHTED)):
        reason = f"{weighted.header} is weighted by probability, and no column has the whole amount: is it to count?"
        item = Filling(column=weighted.header, decimal_comma=weighted.comma, confidence=_ASKED, reason=reason)
        feed.fillings["deal_value"] = item


#: Words beside a name of an amount that leave it the value of a deal.
_OF_DEALS = frozenset(["deal", "opportunity", "opp", "sales", "in", "usd", "eur", "gbp", "chf", "currency", "closed"])
#: Kinds of amounts that are the value of deals in some exports.
_CONTENDERS = ("per month", "per year", "per piece", "a target", "with tax")
_QUANTITY = frozenset(["quantity", "menge", "anzahl", "stuck", "stuckzahl", "cantidad", "quantite", "quantita", "quantidade", "aantal", "ilosc", "seats", "users", "units"])  # fmt: skip


def value(feed: Feed, leads: Entity) -> None:
    """An amount per month or piece, or that was aimed at, beside one that may be the value of a deal, or alone: asked about."""
    held = feed.fillings.get("deal_value")
    if (
        held is None
        or held.column is None
        or (is_asked(held) and "?" in held.reason)
        or held.reason.count("calls it so")
    ):
        return
    used = {item.column for name, item in feed.fillings.items() if name != "deal_value"}
    mapped, kind = feed.table.column(held.column), vocabulary.kind_of_amount(held.column)
    others = [c for c in feed.table.columns if c is not mapped and c.header not in used and _may_be_value(c, leads)]
    if not kind and _is_bare(mapped):
        return
    bare = [c for c in others if _is_bare(c)]
    if kind and len(bare) == 1:
        reason = f"its name; {held.column} is {kind}"
        feed.fillings["deal_value"] = cells.amount(
            Filling(column=bare[0].header, confidence=0.85, reason=reason), bare[0]
        )
        return
    is_net = not is_asked(held) and bool({"net", "netto", "ht"} & {*vocabulary.words_of(mapped.header)})
    plain = [c for c in others if not vocabulary.kind_of_amount(c.header)]
    rivals = [c for c in others if vocabulary.kind_of_amount(c.header) in _CONTENDERS[: 4 if is_net else 5]]
    chosen = (
        mapped
        if not kind or not plain
        else min(plain, key=lambda c: not {*vocabulary.words_of(c.header)} & {"tcv", "contract", "total"})
    )
    shown = [chosen, *(c for c in (mapped, *plain, *rivals) if c is not chosen)]
    if len(shown) == 1 and kind in ("", "per year", "with tax"):
        return
    told = " or ".join(map(_with_kind, shown[:4]))
    item = cells.amount(Filling(column=chosen.header, confidence=_ASKED), chosen)
    reason = f"which is the value of a deal: {told}?" if len(shown) > 1 else f"is {told} the value of a deal?"
    pieces = next((c for c in feed.table.columns if _words(c) & _QUANTITY and _is_amount(c)), None)
    if kind == "per piece" and not plain and pieces is not None and item.column:
        price, number = (_as_decimal(c) for c in (chosen, pieces))
        item = Filling(sql=f"cast({price} * {number} as string)", confidence=_ASKED)
        reason = f"{chosen.header} is per piece: is the value of a deal {chosen.header} times {pieces.header}?"
    feed.fillings["deal_value"] = item.model_copy(update={"confidence": _ASKED, "reason": reason})


def _with_kind(column: Column) -> str:
    """A header with an example, and what it says the amounts to be besides the value of a deal."""
    kind = vocabulary.kind_of_amount(column.header)
    return f"{column.header} ({column.examples(1)}{f', {kind}' if kind else ''})"


def _as_decimal(column: Column) -> str:
    cell = f"`{column.name}`"
    cell = f"replace(replace({cell}, '.', ''), ',', '.')" if column.comma else f"replace({cell}, ',', '')"
    return f"try_cast(regexp_replace({cell}, '[^0-9.-]|[.][-–—]+$', '') as decimal(18,4))"


def _is_bare(column: Column) -> bool:
    """Whether a header is a word for an amount and nothing more."""
    words = {*vocabulary.tokens(column.header)} - _OF_DEALS
    return (
        bool(words) and words <= _AMOUNTS - {"net", "netto", "price"} and not vocabulary.kind_of_amount(column.header)
    )


def _may_be_value(column: Column, leads: Entity) -> bool:
    named = vocabulary.header(column.header, leads, "deal_value") is not None or bool(_words(column) & _AMOUNTS)
    is_other = bool(_words(column) & _NO_AMOUNT) or roles.of(column.header)[0] in (roles.WEIGHTED, roles.PLANNED)
    return named and _is_amount(column) and (not is_other or vocabulary.kind_of_amount(column.header) == "a target")


def scaled(item: Filling, columns: list[Column]) -> Filling:
    """An amount in the unit that its header says, such as thousands: asked about with what a cell then is."""
    column = next((c for c in columns if item.column == c.header or f"`{c.name}`" in str(item.sql)), None)
    unit = units.scale(column.header) if column else None
    if column is None or unit is None or item.unit or " rlike " in str(item.sql):  # k and M of cells are written out
        return item
    text = next((text for text in column.counts if units.figure(text)), "")
    times = (units.signed(text, column.comma) or Decimal(0)) * (1_000 if unit == "thousands" else 1_000_000)
    reason = f"{item.reason}; {column.header} says {unit}: is {text!r} {times:,.2f} (`unit: {unit}`)?"
    update: dict[str, Any] = {"unit": unit, "confidence": min(item.confidence or 1, _ASKED), "reason": reason}
    return item.model_copy(update=update)


def unit(feed: Feed) -> None:
    """An amount in hundredths or thousands, as a column beside it shows or its header says."""
    held = feed.fillings.get("deal_value")
    if held is None:
        return
    held = feed.fillings["deal_value"] = scaled(held, feed.table.columns)
    if held.column is None or held.unit:
        return
    column = feed.table.column(held.column)
    whole = all(re.fullmatch(r"-?\d+", text) for text in column.counts)
    others = [c for c in feed.table.columns if c is not column and units.looks_formatted(c.header, c.counts)]
    for other in others:
        twin = units.twin((mine, theirs) for mine, theirs in feed.table.together(column, other))
        if twin is None:
            continue
        shown = f"{twin.mine!r} beside {twin.other!r} in {other.header}"
        if twin.times == 100 and whole:
            cents, reason, sure = "cents", f"{held.reason}; in hundredths: {shown}", held.confidence
        elif twin.times in (100, 1000):
            cents, reason, sure = None, f"{held.reason}; but {shown}: which of them is the amount?", _ASKED
        else:
            continue
        feed.fillings["deal_value"] = held.model_copy(update={"unit": cents, "reason": reason, "confidence": sure})
        return
    if whole and units.says_cents(column.header):
        reason = f"{held.reason}; in hundredths, as its name says"
        feed.fillings["deal_value"] = held.model_copy(update={"unit": "cents", "reason": reason})


# dates of closing


def _is_date(column: Column) -> bool:
    return column.filled > 0 and column.share("date") > _MOST


def _may_be_closing(column: Column, leads: Entity) -> bool:
    """Whether a column has dates, or under a name that fits figures that would be dates, as spreadsheets keep them, or
    months and weeks.
    """
    counted = column.filled > 0 and column.counted_dates > _MOST
    named = _says_closed(column) or vocabulary.header(column.header, leads, "closed_at") is not None
    return _is_date(column) or (named and (counted or formats.wider(column.counts, column.name) is not None))


def _says_closed(column: Column) -> bool:
    return bool(_words(column) & stages.CLOSED) and roles.of(column.header)[0] != roles.PLANNED


def _says_closing(column: Column, leads: Entity) -> bool:
    _, words = roles.of(column.header)
    named = [vocabulary.header(text, leads, name) for text in (column.header, " ".join(words)) if text
             for name in ("closed_at", "expected_close_date")]  # fmt: skip
    return any(each is not None and each.confidence >= 0.84 for each in named)


def closing_roles(feed: Feed, leads: Entity) -> None:
    """Of two dates of closing the actual one is that of deals won and lost, the other is the plan."""
    used = {item.column for name, item in feed.fillings.items() if name not in ("closed_at", "expected_close_date")}
    found: dict[str, Column] = {}
    for column in feed.table.columns:
        if _is_date(column) and column.header not in used and _says_closing(column, leads):
            found.setdefault(roles.of(column.header)[0], column)
    plan, end = found.get(roles.PLANNED), found.get(roles.ACTUAL) or found.get("")
    held = feed.fillings.get("closed_at")
    if not plan or not end or (held is not None and held.column in (None, end.header)):
        return
    for name, column in (("closed_at", end), ("expected_close_date", plan)):
        feed.fillings[name] = Filling(
            column=column.header, confidence=0.9, reason=f"its name, beside {_other(name, plan, end)}"
        )


def _other(name: str, plan: Column, end: Column) -> str:
    return plan.header if name == "closed_at" else end.header


def states(feed: Feed, leads: Entity, *columns: Column) -> list[tuple[str, ...]]:
    """Per record its state, "" where it is not told by a column, with the cells of further columns."""
    return [*_states(feed, leads, *columns).elements()]


def _states(feed: Feed, leads: Entity, *columns: Column) -> Counter[tuple[str, ...]]:
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
            found = None if known else match.meaning("leads", declared, text) if text else None
            meant[text] = known or (found.value if found else item.otherwise or "")
        records[meant[text], *others] += count
    return records


def _day(text: str, column: Column) -> date | None:
    found = re.match(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})|(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})", text)
    if not found:
        return None
    year, month, day = found.group(1, 2, 3) if found[1] else found.group(6, 4, 5)
    order = column.day_order
    dotted = not found[1] and "." in found[0]
    if order.after_year.decided if found[1] else not order.dots.decided if dotted else order.decided:
        month, day = day, month
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def closing(feed: Feed, leads: Entity) -> None:
    """When deals were won and lost, where no column is named so: never silently the day they were opened."""
    if "closed_at" in feed.fillings:
        return
    ended = [state for (state,) in states(feed, leads) if state in ("won", "lost")]
    told = feed.fillings.get("status")
    if not ended and not (told and (told.sql or told.lookup)):
        return
    expected = feed.fillings.get("expected_close_date")
    candidates = [c for c in feed.unmapped if _may_be_closing(c, leads) and not _words(c) & _OTHER_DATES]
    if expected and expected.column:
        candidates.append(feed.table.column(expected.column))
    offers = [(_fit(feed, leads, column), column) for column in candidates]
    if not offers:
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
        if formats.wider(column.counts, column.name):
            item = cells.unread(column, reason, is_time=True)
    else:
        reason = f"no column is named so: {named}? without one, closed deals count on the day they were last changed or opened"
        item = Filling(column=column.header, confidence=_ASKED, reason=reason)
    if planned and expected:
        item = item.model_copy(update={"date_formats": expected.date_formats})
    feed.fillings["closed_at"] = item


def _fit(feed: Feed, leads: Entity, column: Column) -> float:
    """2 when a date is there for closed deals alone, 1 when it is past for them and to come for open ones, else less."""
    records = [(state, text) for state, text in states(feed, leads, column) if state]
    ended = [text for state, text in records if state in ("won", "lost")]
    still = [text for state, text in records if state == "open"]
    few = len(ended) < _FEW or len(still) < _FEW
    if not ended or (few and not _says_closed(column)):
        return 0.5 if column.filled else 0.0
    filled, held = sum(map(bool, ended)) / len(ended), sum(map(bool, still)) / max(len(still), 1)
    if filled > 0.9 and held < 0.1:
        return 2.0
    if few:
        return 0.5
    past = [day for text in ended if (day := _day(text, column))]
    to_come = [day for text in still if (day := _day(text, column))]
    if filled > 0.9 and len(past) > 0.9 * len(ended) and len(to_come) >= _FEW and min(to_come) > max(past):
        return 1.0
    return 0.5


# who a deal is with

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


def accounts(feed: Feed) -> None:
    """An identifier and a name that go together, each of several deals: the accounts, whatever they are called."""
    if {"customer_id", "company"} & {*feed.fillings}:
        return
    used = {item.column for name, item in feed.fillings.items() if name not in ("lead_name",)}
    free = [c for c in feed.table.columns if c.filled > 0.9 * c.rows and c.repeats and c.header not in used]
    free = [c for c in free if c.distinct > max(3, 0.05 * c.rows) and not _words(c) & _PEOPLE]
    for code in (c for c in free if c.share("code") + c.share("number") > 0.9 and "id" in _words(c)):
        for name in (c for c in free if c is not code and _may_be_accounts(c)):
            pairs = {*feed.table.together(code, name)}
            if _words(name) & (_words(code) - {"id"}) and len(pairs) == len({one for one, _ in pairs}):
                reason = f"{code.header} and {name.header} go together in all rows: are they the accounts of the deals?"
                feed.fillings["customer_id"] = Filling(
                    column=code.header, confidence=CONFIDENT, reason=f"with {name.header}"
                )
                feed.fillings["company"] = Filling(column=name.header, confidence=_ASKED, reason=reason)
                if feed.fillings.get("lead_name", Filling(value="")).column in (code.header, name.header):
                    del feed.fillings["lead_name"]
                return


# what would stay empty


def gaps(feed: Feed, entity: Entity) -> None:
    """A known figure that would stay empty beside columns that could hold it is asked about."""
    if feed.entity == "leads" and "deal_value" not in feed.fillings:
        figures = [c for c in feed.unmapped if _is_amount(c) and not _words(c) & _NO_AMOUNT and not _is_number(c)]
        figures.sort(key=lambda c: (bool(_words(c) & _AMOUNTS), c.distinct), reverse=True)
        if figures:
            _ask(feed, "deal_value", figures, entity, "no column is named as the amount")
    if "created_at" in entity.column_names and "created_at" not in feed.fillings:
        dates = [c for c in feed.unmapped if _is_date(c) and not _words(c) & _OTHER_DATES]
        dates.sort(key=lambda c: (c.filled, -_newest(c)), reverse=True)
        if dates and feed.entity == "leads":
            _ask(feed, "created_at", dates, entity, "no column is named as the day of opening")
    if feed.entity == "leads" and not {"customer_id", "company"} & {*feed.fillings}:
        names = [c for c in feed.unmapped if _may_be_accounts(c)]
        names.sort(key=lambda c: c.distinct, reverse=True)
        if names:
            shown = " or ".join(f"{c.header!r} ({c.examples(2)})" for c in names[:3])
            problem = f"no column holds the account: is it {shown}? without one no deal has an account"
            feed.reason += f"; {problem}; write `customer_id: {{column: ...}}`"
            feed.confidence = min(feed.confidence, _ASKED)


def _is_number(column: Column) -> bool:
    """Whether figures number records: each its own, or of more digits than an amount, or under a header such as CONTACTID."""
    whole = all(re.fullmatch(r"-?\d+", text) for text in column.counts)
    return whole and (column.is_unique or column.header.lower().endswith("id") or min(map(len, column.counts)) > 12)


def _newest(column: Column) -> int:
    days = [day.toordinal() for text in list(column.counts)[:400] if (day := _day(text, column))]
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
    feed.fillings[name] = Filling(column=columns[0].header, confidence=_ASKED, reason=reason, **update)


_ORDER_ASKED = re.compile(
    r"; (day(?: or|, month or) (?:month|year) first in '[^']*'\?|'[^']*' has the day first, '[^']*' the month"
    r"(?:, and [\d,]+ others may be either and have the (?:day|month) first by what is proposed)?)"
)
#: What is asked about a column beside what it is taken for.
_FURTHER = re.compile(
    r"; (?=but [\d,]+ of [\d,]+ deals |but it is filled in |[\d,]+ open deals have |[\d,]+ are below 0: |"
    r"[\d,]+ columns have this name |not read as dates: )"
)


def doubts(item: Filling) -> list[str]:
    """What is asked about a filling, one by one; what is only told of it is not among it."""
    if not is_asked(item):
        return []
    order = _ORDER_ASKED.search(item.reason)
    first, *further = _FURTHER.split(_ORDER_ASKED.sub("", item.reason))
    is_told = (further or order) and "?" not in first and (" may be " not in first)
    return [*([order[1]] if order else []), *([] if is_told else [first]), *further]


def is_order(doubt: str) -> bool:
    """Whether a doubt is about the order of day, month and year."""
    return bool(_ORDER_ASKED.match(f"; {doubt}"))


def without(item: Filling, doubt: str) -> Filling:
    """A filling of which one doubt has been answered; sure once there is no other."""
    left = [each for each in doubts(item) if each != doubt]
    return item.model_copy(update={"reason": "; ".join(left)} if left else {"confidence": None, "reason": ""})


def one_order(feed: Feed) -> None:
    """Several columns of which nothing tells the order of day and month are one question: their source names the formats."""
    asked = {
        name: item
        for name, item in feed.fillings.items()
        if item.column and item.date_formats and is_asked(item) and _ORDER_ASKED.search(item.reason)
    }
    dates = [item for item in feed.fillings.values() if item.column and _is_date(feed.table.column(item.column))]
    others = [item for item in dates if not item.date_formats and not _is_iso(feed.table.column(str(item.column)))]
    columns = list(dict.fromkeys(str(item.column) for item in asked.values()))
    if len(asked) < 2 or others:
        return
    found = _ORDER_ASKED.search(next(iter(asked.values())).reason)
    feed.date_formats = tuple(dict.fromkeys(one for item in asked.values() for one in item.date_formats))
    feed.reason += f"; {found[1] if found else ''} in {' and '.join(columns)}: dateFormats has the answer"
    feed.undecided, feed.sure_besides = tuple(columns), feed.confidence
    feed.confidence = min(feed.confidence, _ASKED)
    for name, item in asked.items():
        further = [each for each in doubts(item) if not is_order(each)]
        reason = f"{_ORDER_ASKED.sub('', item.reason)}; by the dateFormats of the source"
        update = {"date_formats": (), "reason": reason} | ({} if further else {"confidence": CONFIDENT})
        feed.fillings[name] = item.model_copy(update=update)


def _is_iso(column: Column) -> bool:
    return all(re.match(r"\d{4}-\d{2}-\d{2}", text) for text in column.counts)


def is_asked(item: Filling) -> bool:
    """Whether a filling waits for a person."""
    return item.confidence is not None and item.confidence < CONFIDENT


# what the records themselves contradict


def outcome(feed: Feed, leads: Entity) -> None:
    """A state that the probability and an archive mark contradict: archived at 0 is lost, whatever stage it was in."""
    chance = next((c for c in feed.table.columns if _words(c) & CHANCE and c.share("number") > _MOST), None)
    item = feed.fillings.get("status")
    if chance is None or item is None or item.column is None:
        return
    active = next((c for c in feed.table.columns if _words(c) <= {"active", "aktiv", "actif", "activo", "attivo"}
                   and c.share("flag") > 0.9), None)  # fmt: skip
    extra = [chance, active] if active else [chance]
    scale = 100 if any((units.figure(text) or 0) > 1 for text in chance.counts) else 1
    if told := _by_chance(feed, item, chance, scale):
        feed.fillings["status"] = told
        return
    still = [(cells, n) for (state, *cells), n in _states(feed, leads, *extra).items() if state == "open"]
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
            item = item.model_copy(update={"confidence": min(item.confidence or 1, _ASKED), "reason": reason})
            feed.fillings["status"] = item


def flags(feed: Feed, leads: Entity) -> None:
    """A state that the system's own flags, such as IsWon and IsClosed, contradict in some records."""
    item = feed.fillings.get("status")
    for word, named in (("won", ("won",)), ("lost", ("lost",)), ("closed", ("won", "lost"))):
        column = stages.flag(feed.table, word)
        if item is None or column is None or column.header == item.column or column.filled < column.rows:
            continue
        told = [
            (state, cell.lower() not in _FALSE, n) for (state, cell), n in _states(feed, leads, column).items() if state
        ]
        for is_so, says in ((True, "true"), (False, "false")):
            wrong = [state for state, flagged, _ in told if flagged == is_so and (state in named) != is_so]
            count = sum(n for state, flagged, n in told if flagged == is_so and (state in named) != is_so)
            if count >= 2 and count > 0.01 * (deals := sum(n for *_, n in told)):
                reason = (
                    f"{item.reason}; but {count:,} of {deals:,} deals that {item.column} says are "
                    f"{' or '.join(dict.fromkeys(wrong))} have {column.header} {says}: which of the two is right?"
                )
                item = item.model_copy(update={"confidence": min(item.confidence or 1, _ASKED), "reason": reason})
                feed.fillings["status"] = item


def _by_chance(feed: Feed, item: Filling, chance: Column, scale: int) -> Filling | None:
    """Stages that nothing else explains, by the probability that all of their deals have: 0 is lost, all of it won."""
    if not is_asked(item) or "open, won or lost" not in item.reason:
        return None
    met: dict[str, set[Decimal | None]] = {}
    for text, cell in feed.table.together(feed.table.column(str(item.column)), chance):
        if text:
            met.setdefault(text, set()).add(units.figure(cell) if cell else None)
    ends = {text: "won" if chances == {scale} else "lost" for text, chances in met.items() if chances in ({scale}, {0})}
    values = {text: ends.get(text, value) for text, value in item.values}
    if {*ends.values()} != {"won", "lost"} or not {"won", "lost"} <= {*values.values()}:
        return None
    told = ", ".join(f"{text!r} {value}" for text, value in ends.items())
    reason = f"by {chance.header}: {told}; the others are open"
    return item.model_copy(update={"values": tuple(values.items()), "confidence": 0.85, "reason": reason})


def _by_cases(column: Column, item: Filling, leads: Entity) -> str:
    """The state by a column of spellings, as an expression; an unknown one stays as it is and is refused."""
    listed, declared = dict(item.values), leads.column("status")
    by_state: dict[str, list[str]] = {}
    for text in column.counts:
        found = match.meaning("leads", declared, text)
        if meant := listed.get(text) or (found.value if found else None):
            by_state.setdefault(meant, []).append("'" + text.lower().replace("\\", "\\\\").replace("'", "\\'") + "'")
    cell = f"trim(lower(`{column.name}`))"
    whens = " ".join(f"WHEN {cell} IN ({', '.join(texts)}) THEN '{state}'" for state, texts in by_state.items())
    return f"CASE {whens} ELSE `{column.name}` END" if whens else f"`{column.name}`"


def order(feed: Feed) -> None:
    """Deals that mostly close before they are opened: the dates are those of something else, or read in another order."""
    opened, closed = (feed.fillings.get(name) for name in ("created_at", "closed_at"))
    if not opened or not closed or not opened.column or not closed.column or opened.column == closed.column:
        return
    mine, theirs = feed.table.column(opened.column), feed.table.column(closed.column)
    pairs = feed.table.counted(mine, theirs, length=10)
    starts = {text: _day(text, mine) for text in {one for one, _ in pairs}}
    ends = {text: _day(text, theirs) for text in {two for _, two in pairs}}
    days = [(start, end, n) for (one, two), n in pairs.items() if (start := starts[one]) and (end := ends[two])]
    known, before = sum(n for *_, n in days), sum(n for start, end, n in days if end < start)
    if known >= _FEW and before > 0.5 * known:
        reason = (
            f"{closed.reason}; but {before} of {known} deals close before {opened.column}: which of the two is wrong?"
        )
        update = {"confidence": min(closed.confidence or 1, _ASKED), "reason": reason}
        feed.fillings["closed_at"] = closed.model_copy(update=update)


def below_zero(feed: Feed) -> int:
    """How many amounts are below 0."""
    item = feed.fillings.get("deal_value")
    if item is None or item.column is None:
        return 0
    return sum(count for text, count in feed.table.column(item.column).counts.items() if units.is_below(text))


# rows that are no records

_TOTAL = re.compile(
    r"(?i)\W*((grand |sub)?total(s|en|es|e)?|sub[- ]?total|(zwischen|end|gesamt)?summen?|gesamt(ergebnis)?|suma( całkowita)?|"
    r"razem|ogółem|somme|total général|sous-total|totale( generale)?|subtotale|totaal|subtotaal|eindtotaal|celkem|součet|"
    r"итого|всего|合計|小計|総計|总计|合计|sum|i alt|sammanlagt|summa|yhteensä|összesen|végösszeg|toplam|genel toplam|"
    r"count|anzahl|nombre|liczba)\W*(\(.*\)|\d+)?"
)


@dataclass(frozen=True)
class NoRecords:
    """Rows of a table that are no records, such as totals, and what is known of them."""

    rows: int
    #: The column and texts that head them, where a key alone does not tell them apart.
    heads: tuple[Column, tuple[str, ...]] | None
    #: A column that every record fills and none of these rows.
    lacking: Column | None
    said: Decimal | None
    read: Decimal | None

    @property
    def agrees(self) -> bool:
        """Whether a total row has the sum of the rows that are read; so if no row has a total."""
        return self.said is None or self.read is None or abs(self.said - self.read) < Decimal("0.02")


def no_records(table: Table, key: Column, amount: Column | None) -> NoRecords | None:
    """Rows without a key, or with a word for a total in its place, that fill fewer cells than records do; and totals.

    They are taken out of the table: what its columns hold is then what its records hold. A record in several rows
    counts once towards the sum that is compared with the total.
    """
    if table.of is not None or sum(batch.num_rows for batch in table.records) < table.rows:
        return None
    records = list(table.together(*table.columns))
    place = table.columns.index(key)
    filled = [sum(map(bool, record)) for record in records]
    full = [count for record, count in zip(records, filled, strict=True) if record[place]]
    if not full:
        return None
    usual = median(full)

    def is_record(record: tuple[str, ...], count: int) -> bool:
        return (bool(record[place]) and not _TOTAL.fullmatch(record[place])) or count > 0.6 * usual

    good = [is_record(record, count) for record, count in zip(records, filled, strict=True)]
    others = [record for record, is_good in zip(records, good, strict=True) if not is_good]
    totals = [record for record in table.short if any(map(_TOTAL.fullmatch, record))]
    if (not others and not totals) or len(others) == len(records):
        return None
    kept = [record for record, is_good in zip(records, good, strict=True) if is_good]
    heads = tuple(dict.fromkeys(record[place] for record in others if record[place]))
    lacking = next(
        (column for at, column in enumerate(table.columns)
         if column is not key and all(record[at] for record in kept) and not any(record[at] for record in others)), None
    )  # fmt: skip
    said = read = None
    if amount is not None:
        at = table.columns.index(amount)
        sums = [units.figure(record[at]) for record in others if any(map(_TOTAL.fullmatch, record)) and record[at]]
        amounts = [units.signed(record[at]) or Decimal(0) for record in kept]
        every = sum(amounts, Decimal(0))
        once = {record[place] or n: each for n, (record, each) in enumerate(zip(kept, amounts, strict=True))}
        read = sum(once.values(), Decimal(0))
        cut = [
            units.figure(cell) for record in totals for cell in record if cell
        ]  # where its cells belong is not known
        sums += [
            each for each in cut if each is not None and min(abs(each - read), abs(each - every)) < Decimal("0.02")
        ]
        near = [each for each in sums if each is not None]
        said = min(near, key=lambda each: abs(each - read), default=None) if near else None
        if said is not None and abs(said - read) >= Decimal("0.02"):
            said = max(near)
    if others:
        _leave_out(table, good, others)
    return NoRecords(len(others), (key, heads) if heads else None, lacking, said, read)


def _leave_out(table: Table, good: list[bool], others: list[tuple[str, ...]]) -> None:
    for at, column in enumerate(table.columns):
        column.counts.subtract(record[at] for record in others if record[at])
        column.counts = +column.counts
        column.rows -= len(others)
        for kept in ("day_order", "_forms"):
            column.__dict__.pop(kept, None)
    begun, batches = 0, []
    for batch in table.records:
        batches.append(batch.filter(pa.array(good[begun : begun + batch.num_rows], pa.bool_())))  # also of none
        begun += batch.num_rows
    table.records[:] = batches


def sums(feed: Feed, entity: Entity) -> None:
    """Rows that are totals, notes or parts of the record above: without a key, so that they are refused and counted."""
    held = feed.fillings.get(entity.key)
    if held is None or held.column is None or held.column != feed.table.column(held.column).header:
        return
    value = feed.fillings.get("deal_value")
    amount = feed.table.column(value.column) if value and value.column else None
    key = feed.table.column(held.column)
    found = no_records(feed.table, key, amount)
    if found is None:
        return
    told = f"{found.rows} of the rows are no records (totals, notes, parts of the one above) and are refused"
    if not found.rows:
        told = "a total with fewer cells than the header stands below the records"
    if found.heads and found.lacking:
        texts = ", ".join("'" + text.lower().replace("'", "\\'") + "'" for text in found.heads[1])
        sql = (
            f"CASE WHEN lower(trim(`{key.name}`)) IN ({texts}) AND coalesce(trim(`{found.lacking.name}`), '') = '' "
            f"THEN NULL ELSE `{key.name}` END"
        )
        update = {"column": None, "sql": sql, "reason": f"{held.reason}; {told}"}
        feed.fillings[entity.key] = held.model_copy(update=update)
    if not found.agrees:
        feed.reason += (
            f"; its total row says {found.said:,.2f}, but its records come to {found.read:,.2f}: is one missing?"
        )
        feed.confidence = min(feed.confidence, _ASKED)
    elif found.said is None and not found.rows:
        pass
    elif found.said is not None:
        if held.confidence is not None and held.confidence < CONFIDENT and key.repeats:
            shown = f"a total says {found.said:,.2f}, which is what they come to counted once"
            feed.fillings[entity.key] = held.model_copy(update={"reason": f"{held.reason}; {shown}"})
        feed.comments.append(f"{told}; its total row says {found.said:,.2f}, and so do its records")
    else:
        feed.comments.append(told)


def grouped(feed: Feed, deals: Feed) -> None:
    """Columns that are written once per group of records: an empty cell means the one above. Asked of the deals, once.

    Args:
        feed: The deals of a table, or the accounts that they name.
        deals: The deals.
    """
    told: dict[str, str] = {}
    for name in _OF_GROUPS:
        item = feed.fillings.get(name)
        if item is None or item.column is None:
            continue
        cells = [text for (text,) in feed.table.together(feed.table.column(item.column))]
        heads = [text for text in cells if text and not _TOTAL.fullmatch(text)]
        is_state = name in ("status", "stage")  # the others may be empty
        is_few = len(heads) < 2 or len(cells) < 2 * _FEW if not is_state else not heads or len(cells) < _FEW
        if is_few or not cells[0] or len(heads) >= 0.5 * len(cells) or len({*heads}) < len(heads):
            continue
        reason = (
            f"{item.reason}; it is filled in {len(heads)} of {len(cells)} rows, as the head of a group ({heads[0]!r} first), "
            "so an empty cell is taken for the one above: is that so?"
        )
        if feed is not deals or item.column in told:
            reason = f"{item.reason}; an empty cell is the one above, as for {told.get(item.column, 'the deals')}"
        sure = _ASKED if feed is deals and item.column not in told else CONFIDENT
        told[item.column] = name
        feed.fillings[name] = item.model_copy(update={"fill_down": True, "confidence": sure, "reason": reason})
    key = deals.fillings.get("lead_id")
    if told and feed is not deals and key and key.column:
        name = feed.table.column(key.column).name
        feed.life.setdefault("where", Condition(when=f"trim(coalesce(`{name}`, '')) <> ''", reason="the rows of deals"))


def nearest(table: Table, leads: Entity) -> Match | None:
    """A table in words that are not known, as a list of deals if its values are such: to be asked about as a whole."""
    whole = [column for column in table.columns if column.filled]
    texts = [c for c in whole if not any(c.share(kind) > 0.5 for kind in ("date", "number", "flag", "email", "phone"))]
    keys = [c for c in whole if c.is_unique and not _is_date(c) and c.share("code") + c.share("number") > 0.9]
    stages = [c for c in texts if 2 <= c.distinct <= min(15, 0.3 * c.filled) and c.filled > 0.9 * c.rows]
    figures = [c for c in whole if _is_amount(c) and c not in keys[:1] and c.distinct > 0.3 * c.filled]
    dates = sorted((c for c in whole if _is_date(c)), key=lambda c: (-c.filled, _newest(c)))
    if table.rows < _FEW or not (keys and stages and figures and dates):
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
    said = ", ".join(f"{name} from {column.header} ({column.examples(1)})" for name, column in chosen.items())
    reason = f"its headers are in words that are not known (--preset says what they mean); by its values a list of deals: {said}"
    columns = {name: (column, Meaning(name, CONFIDENT, "by its values")) for name, column in chosen.items()}
    return Match(table, leads, 0.5, reason, columns)


#: A number that a spreadsheet has cut to a few digits.
DAMAGED = re.compile(r"\d([.,]\d+)?E\+?\d+", re.IGNORECASE)


def key_of_two(feed: Feed) -> tuple[Column, Column] | None:
    """Two columns that tell the records apart together where neither does alone: a number within something."""
    table = feed.table
    changing = {item.column for name, item in feed.fillings.items() if name not in ("customer_id", "company")}
    full = [c for c in table.columns if c.filled == c.rows > 1 and 1 < c.distinct < c.rows and not _is_date(c)]
    full = [c for c in full if c.header not in changing and not any(map(DAMAGED.fullmatch, c.counts))]
    numbers = [c for c in full if _words(c) & _NUMBERS and c.share("code") + c.share("number") > 0.9]
    for number in numbers:
        for other in full:
            if other is number or (_words(other) & _AMOUNTS and _is_amount(other)):
                continue
            pairs = list(table.together(other, number))
            if len(pairs) > 1 and len({*pairs}) == len(pairs):
                return other, number
    return None
