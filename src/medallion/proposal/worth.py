"""Which of several amounts is the value of a deal, and in which unit it is."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from medallion.contracts import Entity, Filling
from medallion.proposal import asking, cells, roles, vocabulary
from medallion.proposal.feeds import Feed
from medallion.proposal.profile import Column
from medallion.proposal.systems import System
from medallion.sources import units

#: Share of values that must look like figures or dates.
MOST = 0.7
#: Names of an amount, when the words for its role are taken away.
AMOUNTS = frozenset(["amount", "value", "revenue", "revenues", "total", "price", "worth", "sales", "turnover", "umsatz", "betrag", "wert", "erlos", "summe", "volumen", "auftragswert", "auftragssumme", "auftragsvolumen", "montant", "valeur", "chiffre", "importe", "valor", "monto", "ingresos", "importo", "valore", "ricavo", "ricavi", "receita", "bedrag", "waarde", "omzet", "opbrengst", "kwota", "wartosc", "przychod", "hodnota", "castka", "belopp", "varde", "intakt", "belob", "vaerdi", "tutar", "deger", "gelir", "osszeg", "ertek", "arvo", "summa", "netto", "net"])  # fmt: skip
#: Words of headers whose figures are no amounts of a deal.
NO_AMOUNT = frozenset(["probability", "percent", "pct", "confidence", "wahrscheinlichkeit", "probabilite", "probabilidad", "probabilita", "kans", "prawdopodobienstwo", "id", "number", "no", "score", "rank", "position", "days", "tage", "age", "year", "month", "quarter", "count", "quantity", "menge", "anzahl", "phone", "zip", "plz", "postal", "duration", "hours", "minutes", "employees", "discount", "rabatt", "tax", "vat", "mwst", "cost", "costs", "kosten", "margin", "rate", "forecast", "index", "version", "row", "line", "seats", "users"])  # fmt: skip
NUMBERS = frozenset(
    {"number", "nr", "no", "id", "code", "position", "pos", "numero", "nummer", "numer", "cislo", "番号"}
)
#: Words beside a name of an amount that leave it the value of a deal.
_OF_DEALS = frozenset(["deal", "opportunity", "opp", "sales", "in", "usd", "eur", "gbp", "chf", "currency", "closed"])
#: Kinds of amounts that are the value of deals in some exports.
_CONTENDERS = ("per month", "per year", "per piece", "a target", "with tax")
_QUANTITY = frozenset(["quantity", "menge", "anzahl", "stuck", "stuckzahl", "cantidad", "quantite", "quantita", "quantidade", "aantal", "ilosc", "seats", "users", "units"])  # fmt: skip


def words_in(column: Column) -> set[str]:
    """The words of a header, abbreviations written out and as they are."""
    return {*vocabulary.tokens(column.header), *vocabulary.words_of(column.header)}


def says_amount(column: Column) -> bool:
    """Whether a header is that of an amount or a measure, and of no number of a record."""
    words = words_in(column)
    return bool(roles.of(column.header)[0]) or bool(
        words & (AMOUNTS | (NO_AMOUNT - NUMBERS - {"number", "version", "row", "line", "index"}))
    )


def is_amount(column: Column) -> bool:
    """Whether a column holds figures that are no dates and no flags."""
    figures = column.share("number") > MOST and column.share("flag") < 0.9
    return column.filled > 0 and figures and column.share("date") < 0.5


def amounts(feed: Feed) -> None:
    """Choose the amount of a deal that counts: the actual one, else the expected one; a weighted one only after asking."""
    filling = feed.fillings.get("deal_value")
    if filling is not None and filling.column is None:
        return
    used = {item.column for name, item in feed.fillings.items() if name != "deal_value"}
    mapped = feed.table.column(str(filling.column)) if filling else None
    groups: dict[tuple[str, ...], dict[str, Column]] = {}
    for column in feed.table.columns:
        if column is mapped or (is_amount(column) and column.header not in used):
            role, name = roles.of(column.header)
            if column is mapped or (name and {*name} & AMOUNTS and not {*name} & NO_AMOUNT):
                groups.setdefault(name, {}).setdefault(role, column)
    mapped_as = roles.of(mapped.header) if mapped else None
    of_one = groups.get(mapped_as[1]) if mapped_as else None
    is_part = mapped is not None and bool(re.search(r"[/>]", mapped.header))
    if of_one is None or len(of_one) < 2 or (mapped_as and is_part):
        if mapped is not None and not is_part and mapped_as and mapped_as[0] != roles.WEIGHTED:
            return
        others = [each for name, each in groups.items() if mapped_as is None or name != mapped_as[1]]
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
        sure = 0.85 if len(of_one) > 1 or mapped is None or is_part else asking.ASKED
        reason = f"its name; {weighted.header} is weighted by probability" if weighted else "figures, and its name"
        if mapped is not None:
            reason += f"; {mapped.header} is another amount"
        item = Filling(column=chosen.header, decimal_comma=chosen.comma, confidence=sure, reason=reason)
        feed.fillings["deal_value"] = item
    elif chosen is None and (weighted := of_one.get(roles.WEIGHTED)):
        reason = f"{weighted.header} is weighted by probability, and no column has the whole amount: is it to count?"
        item = Filling(column=weighted.header, decimal_comma=weighted.comma, confidence=asking.ASKED, reason=reason)
        feed.fillings["deal_value"] = item


def value(feed: Feed, leads: Entity) -> None:
    """Ask about an amount per month or piece, or a target, alone or beside one that may be the value of a deal."""
    filling = feed.fillings.get("deal_value")
    if (
        filling is None
        or filling.column is None
        or (asking.is_asked(filling) and "?" in filling.reason)
        or filling.reason.count("calls it so")
    ):
        return
    used = {item.column for name, item in feed.fillings.items() if name != "deal_value"}
    mapped, kind = feed.table.column(filling.column), vocabulary.kind_of_amount(filling.column)
    others = [c for c in feed.table.columns if c is not mapped and c.header not in used and _may_be_value(c, leads)]
    if not kind and _is_bare(mapped):
        return
    bare = [c for c in others if _is_bare(c)]
    if kind and len(bare) == 1:
        reason = f"its name; {filling.column} is {kind}"
        feed.fillings["deal_value"] = cells.amount(
            Filling(column=bare[0].header, confidence=0.85, reason=reason), bare[0]
        )
        return
    is_net = not asking.is_asked(filling) and bool({"net", "netto", "ht"} & {*vocabulary.words_of(mapped.header)})
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
    options = " or ".join(map(_with_kind, shown[:4]))
    item = cells.amount(Filling(column=chosen.header, confidence=asking.ASKED), chosen)
    reason = f"which is the value of a deal: {options}?" if len(shown) > 1 else f"is {options} the value of a deal?"
    pieces = next((c for c in feed.table.columns if words_in(c) & _QUANTITY and is_amount(c)), None)
    if kind == "per piece" and not plain and pieces is not None and item.column:
        price, number = (_as_decimal(c) for c in (chosen, pieces))
        item = Filling(sql=f"cast({price} * {number} as string)", confidence=asking.ASKED)
        reason = f"{chosen.header} is per piece: is the value of a deal {chosen.header} times {pieces.header}?"
    feed.fillings["deal_value"] = item.model_copy(update={"confidence": asking.ASKED, "reason": reason})


def _with_kind(column: Column) -> str:
    """A header with an example, and what it says the amounts to be besides the value of a deal."""
    kind = vocabulary.kind_of_amount(column.header)
    return f"{column.header} ({column.examples(1)}{f', {kind}' if kind else ''})"


def _as_decimal(column: Column) -> str:
    """The SQL for the figure in a cell; null for one that is not written as those of the column are, so that none is misread."""
    point, mark = (",", "[.]") if column.comma else ("[.]", ",")
    groups = f"({mark}[0-9]{{3}})*" if column.comma else "((,[0-9]{2})*,[0-9]{3})*"
    bare = f"regexp_replace(`{column.name}`, '\\\\p{{L}}[.]|/[.]|/[-–—=]+|[^0-9.,()−-]|[.,][-–—]+[^0-9]*$', '')"
    figure = f"regexp_extract({bare}, '^-?[0-9]*{groups}({point}[0-9]+)?$', 0)"
    plain = f"replace(replace({figure}, '.', ''), ',', '.')" if column.comma else f"replace({figure}, ',', '')"
    return f"try_cast({plain} as decimal(18,4))"


def _is_bare(column: Column) -> bool:
    """Whether a header is a word for an amount and nothing more."""
    words = {*vocabulary.tokens(column.header)} - _OF_DEALS
    return bool(words) and words <= AMOUNTS - {"net", "netto", "price"} and not vocabulary.kind_of_amount(column.header)


def _may_be_value(column: Column, leads: Entity) -> bool:
    named = vocabulary.header(column.header, leads, "deal_value") is not None or bool(words_in(column) & AMOUNTS)
    is_other = bool(words_in(column) & NO_AMOUNT) or roles.of(column.header)[0] in (roles.WEIGHTED, roles.PLANNED)
    return named and is_amount(column) and (not is_other or vocabulary.kind_of_amount(column.header) == "a target")


def scaled(item: Filling, columns: list[Column]) -> Filling:
    """An amount in the unit that its header says, such as thousands: asked about with what a cell then is."""
    column = next((c for c in columns if item.column == c.header or f"`{c.name}`" in str(item.sql)), None)
    unit = units.scale(column.header) if column else None
    if column is None or unit is None or item.unit or " rlike " in str(item.sql):  # k and M of cells are written out
        return item
    if not unit:
        reason = f"{column.header} says a unit that no contract has: write an expression that gives whole amounts"
        reason = "; ".join(filter(None, (item.reason, reason)))
        return item.model_copy(update={"confidence": min(item.confidence or 1, asking.ASKED), "reason": reason})
    text = next((text for text in column.counts if units.figure(text)), "")
    times = (units.signed(text, column.comma) or Decimal(0)) * units.SIZES[unit]
    reason = f"{column.header} says {unit}: is {text!r} {times:,.2f} (`unit: {unit}`)?"
    reason = "; ".join(filter(None, (item.reason, reason)))
    update: dict[str, Any] = {"unit": unit, "confidence": min(item.confidence or 1, asking.ASKED), "reason": reason}
    return item.model_copy(update=update)


def _in_unit_of_title(item: Filling, column: Column, title: str, unit: str) -> Filling:
    """An amount in the unit that a line above the header says, which is asked about."""
    text = next((text for text in column.counts if units.figure(text)), "")
    size = (units.signed(text, column.comma) or Decimal(0)) * units.SIZES.get(unit, 1)
    asks = f"is {text!r} {size:,.2f} (`unit: {unit}`)?" if unit else "write an expression that gives whole amounts"
    reason = f"{item.reason}; the line {title!r} above the header says {unit or 'a unit that no contract has'}: {asks}"
    return item.model_copy(
        update={"unit": unit or None, "confidence": min(item.confidence or 1, asking.ASKED), "reason": reason}
    )


def unit(feed: Feed, system: System | None = None) -> None:
    """Find an amount in hundredths or thousands by a column beside it, by its header, or by the system that it comes from."""
    filling = feed.fillings.get("deal_value")
    if filling is None:
        return
    filling = feed.fillings["deal_value"] = scaled(filling, feed.table.columns)
    title = None if filling.unit or filling.column is None else units.above(feed.table.file.above)
    if title and filling.column:
        feed.fillings["deal_value"] = _in_unit_of_title(filling, feed.table.column(filling.column), *title)
        return
    if filling.column is None or filling.unit:
        return
    column = feed.table.column(filling.column)
    whole = all(re.fullmatch(r"-?\d+", text) for text in column.counts)
    others = [c for c in feed.table.columns if c is not column and units.looks_formatted(c.header, c.counts)]
    for other in others:
        twin = units.twin((cell, other_cell) for cell, other_cell in feed.table.together(column, other))
        if twin is None:
            continue
        shown = f"{twin.mine!r} beside {twin.other!r} in {other.header}"
        if twin.times == 100 and whole:
            cents, reason, sure = "cents", f"{filling.reason}; in hundredths: {shown}", filling.confidence
        elif twin.times in (100, 1000):
            cents, reason, sure = None, f"{filling.reason}; but {shown}: which of them is the amount?", asking.ASKED
        else:
            continue
        feed.fillings["deal_value"] = filling.model_copy(update={"unit": cents, "reason": reason, "confidence": sure})
        return
    if whole and units.says_cents(column.header):
        reason = f"{filling.reason}; in hundredths, as its name says"
        feed.fillings["deal_value"] = filling.model_copy(update={"unit": "cents", "reason": reason})
    elif whole and system and vocabulary.bare(column.header) in system.cents:
        text = next(iter(column.counts), "")
        times = (units.signed(text, column.comma) or Decimal(0)) / 100
        reason = f"{filling.reason}; {system.name} gives amounts in cents: is {text!r} {times:,.2f} (`unit: cents`)?"
        feed.fillings["deal_value"] = filling.model_copy(
            update={"unit": "cents", "reason": reason, "confidence": asking.ASKED}
        )


def below_zero(feed: Feed) -> int:
    """How many amounts are below 0."""
    item = feed.fillings.get("deal_value")
    if item is None or item.column is None:
        return 0
    return sum(count for text, count in feed.table.column(item.column).counts.items() if units.is_below(text))
