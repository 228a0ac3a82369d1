"""Currencies and credits in a draft: in which currency amounts are, and what is asked where several are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from medallion.contracts import Filling, money
from medallion.contracts.odcs import names_in
from medallion.proposal import cells, worth
from medallion.proposal.draft import Draft
from medallion.proposal.feeds import Feed
from medallion.proposal.profile import Column
from medallion.sources import currencies

_SIGNS = {"€": "EUR", "£": "GBP", "pounds": "GBP"}


def _code(text: str) -> str:
    """The code of a currency that a cell names; the text itself where it is none that is known."""
    bare = text.strip().lower()
    return _SIGNS.get(bare) or money.NAMES.get(bare) or text.strip().upper()


def of_deals(draft: Draft, feed: Feed) -> None:
    """Map the column that names a currency, and ask about amounts that may be in another one."""
    used = {item.column for name, item in feed.fillings.items() if name not in ("deal_value", "currency")}
    columns = [
        currencies.Cells(c.header, c.name, c.counts, c.rows - c.filled)
        for c in feed.table.columns
        if c.header not in used
    ]
    named = {cell.header: cell.name for cell in columns}
    currency = feed.fillings.get("currency")
    if _in_company_currency(draft, feed, columns, currency):
        return
    if currency is None and (own := [c for c in columns if c.is_currency]):
        column = feed.table.column(own[0].header)
        item = Filling(column=column.header, confidence=0.7, reason="its values are currencies")
        currency = feed.fillings["currency"] = of_column(draft, item, column, feed)
    if "deal_value" not in feed.fillings:
        for cell in (c for c in columns if c.has_figures and currencies.only([c], {c.name: ""})):
            item = Filling(column=cell.header, confidence=0.6, reason="amounts in a currency")
            column = feed.table.column(cell.header)
            feed.fillings["deal_value"] = worth.scaled(cells.amount(item, column), [column])
            break
    value = feed.fillings.get("deal_value")
    amounts = {}
    if value is not None:
        headers = [value.column] if value.column else [c.header for c in columns if f"`{c.name}`" in str(value.sql)]
        amounts = {named[header]: "deal_value" for header in headers if header}
    if currency is None and (code := currencies.only(columns, amounts)) and code != "USD" and value is not None:
        reason = f"{value.reason}; every amount is in {code}, and so is every figure that is shown"
        if several := money.SHARED.get(code):
            code = several[0]
            reason = f"{value.reason}: is it {', '.join(several)}? {code} is written as the currency"
        _in_one(draft, feed.entity, code)
        feed.fillings["deal_value"] = value = value.model_copy(update={"confidence": 0.6, "reason": reason})
    elif currency is None and value is not None and (beside := _beside(draft, feed, columns, amounts)):
        place, codes = beside
        code = next(iter(codes)) if len(codes) == 1 else None
        if code:
            _in_one(draft, feed.entity, code)
            reason = f"{place} says {code}, and nothing else says in which currency these are: every figure is shown in {code}"
        else:
            reason = ". ".join(vars(currencies.not_said(place, codes, "USD")).values())
        reason = f"{value.reason}; {reason}"
        feed.fillings["deal_value"] = value = value.model_copy(update={"confidence": 0.6, "reason": reason})
    changed = draft.properties.get(feed.entity, {}).get("currency", {}).get("enum")
    default = changed[0]["value"] if changed else "USD"
    mapped = named.get(currency.column or "") if currency else None
    declared = currency is not None and currency.column is None
    if doubt := currencies.doubt(columns, amounts, mapped, default, declared):
        feed.comments.append(f"currency: {doubt.problem}. {doubt.remedy}")
        target = "deal_value" if value is not None else "currency" if currency is not None else ""
        if target:
            item = feed.fillings[target]
            update = {"confidence": min(item.confidence or 0.6, 0.6), "reason": f"{doubt.problem}. {doubt.remedy}"}
            feed.fillings[target] = item.model_copy(update=update)
        else:
            feed.confidence, feed.reason = min(feed.confidence, 0.7), f"{doubt.problem}. {doubt.remedy}"


def _beside(
    draft: Draft, feed: Feed, columns: list[currencies.Cells], amounts: Mapping[str, str]
) -> tuple[str, Mapping[str, int]] | None:
    """Where a currency is named if not by the amounts of deals: by other figures of the table, or in another table."""
    if named := currencies.figures_beside(columns, amounts):
        return (named[0], {named[1]: 1}) if named[1] != "USD" else None
    if any(cell.is_currency for cell in columns):
        return None
    if title := currencies.above(feed.table.file.above):
        return (f"the line {title[0]!r} above the header", title[1]) if {*title[1]} - {"USD"} else None
    for table in (each for each in draft.tables if each is not feed.table):
        cells_of = (currencies.Cells(c.header, c.name, c.counts, c.rows - c.filled) for c in table.columns)
        if elsewhere := currencies.elsewhere(cells_of, "USD"):
            return f"{elsewhere[0]} of {table.file.name}", elsewhere[1]
    return None


def _in_company_currency(draft: Draft, feed: Feed, columns: list[currencies.Cells], currency: Filling | None) -> bool:
    """Amounts in several currencies beside the same in the company's own, whose currency the file names."""
    own = next((c for c in columns if currencies.in_company_currency(c.header) and c.has_figures), None)
    if own is None or currency is None or currency.column is None:
        return False
    codes = next(c for c in columns if c.header == currency.column).codes()
    beside = currencies.code_beside(own, columns)
    code = beside[1] if beside else None
    if code is None or not set(codes) - {code}:
        return False
    item = Filling(column=own.header, confidence=0.6)
    foreign = ", ".join(f"{name} ({count:,})" for name, count in codes.most_common(5))
    reason = (
        f"amounts are in {foreign}; {own.header} has all of them in {code}, which is then the currency of every figure"
    )
    feed.fillings["deal_value"] = cells.amount(item, feed.table.column(own.header)).model_copy(
        update={"reason": reason}
    )
    header = beside[0] if beside else ""
    filled = {"column": header} if header else {"value": code}
    feed.fillings["currency"] = Filling(**filled, confidence=0.9, reason=f"that of {own.header}")
    if code != "USD":
        _in_one(draft, feed.entity, code)
    return True


def of_accounts(draft: Draft, feed: Feed) -> None:
    """Amounts in records that have no currency of their own: asked about where something else says another one."""
    amounts = {
        source: name
        for name, item in feed.fillings.items()
        if draft.entities[feed.entity].column(name).kind == "money"
        for source in ([feed.table.column(item.column).name] if item.column else names_in(item.sql or "''"))
    }
    columns = [currencies.Cells(c.header, c.name, c.counts, c.rows - c.filled) for c in feed.table.columns]
    if doubt := currencies.of_accounts(columns, amounts, "USD"):
        for name in amounts.values():
            update = {"confidence": 0.6, "reason": f"{doubt.problem}. {doubt.remedy}"}
            feed.fillings[name] = feed.fillings[name].model_copy(update=update)


def of_column(draft: Draft, item: Filling, column: Column, feed: Feed) -> Filling:
    """One foreign currency may become the one of the lakehouse; of several, all but dollars are refused."""
    dollars = draft.entities[feed.entity].column("currency").spellings
    codes: dict[str, list[str]] = {}
    for text in column.counts:
        if text.strip().lower() not in dollars:
            codes.setdefault(_code(text), []).append(text)
    if not codes:
        return item
    counted = ", ".join(f"{name} ({sum(column.counts[text] for text in texts)})" for name, texts in codes.items())
    foreign = sum(len(texts) for texts in codes.values())
    if len(codes) > 1 or foreign < column.distinct:
        problem = f"unless config.yaml names a table of rates (`rates:`), these rows are refused: {counted}"
        return item.model_copy(
            update={"confidence": min(item.confidence or 0.6, 0.6), "reason": f"{item.reason}; {problem}"}
        )
    name, texts = next(iter(codes.items()))
    _in_one(draft, feed.entity, name, sorted({text.strip().lower() for text in texts} - {name.lower()}))
    reason = f"every amount is in {name}, and so is every figure that is shown"
    return item.model_copy(update={"confidence": 0.6, "reason": reason})


def _in_one(draft: Draft, entity: str, name: str, others: Iterable[str] = ()) -> None:
    """Make a currency that of the lakehouse."""
    properties: list[dict[str, Any]] = [{"property": "default", "value": f"'{name}'"}]
    if others := list(others):
        properties.append({"property": "spellings", "value": {name: others}})
    draft.change(entity, "currency", {"enum": [{"value": name}], "customProperties": properties})


def below_zero(draft: Draft, feed: Feed) -> None:
    """Amounts below 0 count where a contract says so: proposed, and asked about."""
    if not (count := worth.below_zero(feed)):
        return
    draft.change(
        feed.entity, "deal_value", {"logicalTypeOptions": {"minimum": -100_000_000_000, "maximum": 100_000_000_000}}
    )
    item = feed.fillings["deal_value"]
    reason = f"{item.reason}; {count:,} are below 0: credits that lessen revenue? without `minimum` they are refused"
    update = {"confidence": min(item.confidence or 1, 0.6), "reason": reason}
    feed.fillings["deal_value"] = item.model_copy(update=update)
