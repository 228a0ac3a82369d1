"""Reports that are written in groups, without identifiers: what records of a group share stands once, and sums stand below them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from statistics import median

import pyarrow as pa
import pyarrow.compute as pc

from medallion import figures
from medallion.contracts import CONFIDENT
from medallion.contracts.filling import Condition
from medallion.proposal import asking, totals
from medallion.proposal.feeds import Feed
from medallion.proposal.profile import Column, Table
from medallion.sources import units

#: What ends a line that adds up a group under the name of that group.
_OF_GROUP = re.compile(
    r"(?i).*\w[ :-]+(total|subtotal|ergebnis|summe|résultat|totale|totaal|suma|soma|summa|toplam|celkem|razem|итог|集計|合計|汇总)"
)
#: Share of the cells of a record that a line which is none has at most.
_FEW = 0.6
_OFF = Decimal("0.02")
Record = tuple[str, ...]


def settle(feed: Feed, has_key: bool = False) -> None:
    """Leave out the lines of a report that are no deals, by a column that every deal fills and none of them, and take an empty
    cell of a column that it is grouped by for the one above.

    Whoever knows the report is asked where no line confirms it with the sum of the deals. Lines that have no key of deals are left
    out by that (`totals`), so where it `has_key`, it is about the groups alone, if a line confirms them.
    """
    table = feed.table
    if table.of is not None or sum(batch.num_rows for batch in table.records) < table.rows:
        return
    records = list(table.together(*table.columns))
    is_deal = _deals(records)
    deals = [record for record, is_one in zip(records, is_deal, strict=True) if is_one]
    others = [record for record, is_one in zip(records, is_deal, strict=True) if not is_one]
    if not deals or not any(map(_adds_up, others)):
        return
    telling = [
        column
        for at, column in enumerate(table.columns)
        if all(each[at] for each in deals) and not any(each[at] for each in others)
    ]
    if not telling:
        return
    grouped = [
        column
        for at, column in enumerate(table.columns)
        if _heads_groups([d[at] for d in deals], [o[at] for o in others])
    ]
    item = feed.fillings.get("deal_value")
    at = table.columns.index(table.column(item.column)) if item and item.column else None
    total = sum((units.signed(each[at]) or Decimal(0) for each in deals), Decimal(0)) if at is not None else None
    sums = {units.signed(each[at]) for each in others if each[at]} if at is not None else set[Decimal | None]()
    agrees = total is not None and any(each is not None and abs(each - total) < _OFF for each in sums)
    if has_key and not (grouped and agrees):
        return
    named = {column.header for column in grouped}
    what = f"{figures.count(len(others), 'line')} of sums and notes, without {telling[0].header}, {'does' if len(others) == 1 else 'do'} not count"
    shown = f"; a line says {total:,.2f}, and so do the records" if agrees else ""
    asks = "" if agrees else ": is that so? No line has the sum of the records"
    when = f"trim(coalesce(`{telling[0].name}`, '')) <> ''"
    feed.life["where"] = Condition(
        when=when, confidence=None if agrees else asking.ASKED, reason=f"{what}{shown}{asks}"
    )
    totals.leave_out(table, is_deal, others)
    _fill_down(table, grouped)
    for name, filling in feed.fillings.items():
        if filling.column in named:
            reason = f"{filling.reason}; the report is grouped by {filling.column}, so an empty cell is the one above"
            sure = max(filling.confidence or 1, CONFIDENT) if agrees else filling.confidence
            feed.fillings[name] = filling.model_copy(update={"fill_down": True, "confidence": sure, "reason": reason})


def _heads_groups(cells: list[str], below: list[str]) -> bool:
    """Whether a column says of each group of records once what they share: it begins with one, a line of sums stands below each,
    and no group comes twice or the column tells the sums.
    """
    heads = [cell for cell in cells if cell]
    sums = sum(bool(cell) and _is_sum(cell) for cell in below)
    if not cells[0] or len(heads) == len(cells) or not sums:
        return False
    return sums >= len(heads) or (len(below) > len(heads) == len({*heads}))


def _deals(records: Iterable[Record]) -> list[bool]:
    """Which records are none of sums and notes: those that fill more cells than these do."""
    records = list(records)
    filled = [sum(map(bool, record)) for record in records]
    full = [count for record, count in zip(records, filled, strict=True) if not _adds_up(record)]
    usual = median(full) if full else 0
    return [count > _FEW * usual and not _adds_up(record) for record, count in zip(records, filled, strict=True)]


def _adds_up(record: Record) -> bool:
    return any(map(_is_sum, record))


def _is_sum(text: str) -> bool:
    return bool(text and (totals.TOTAL.fullmatch(text) or _OF_GROUP.fullmatch(text)))


def _fill_down(table: Table, columns: Iterable[Column]) -> None:
    for column in columns:
        place = table.columns.index(column)
        whole = pa.chunked_array([batch.column(place) for batch in table.records], pa.string()).combine_chunks()
        empty = pc.equal(pc.utf8_trim_whitespace(pc.fill_null(whole, "")), "")
        filled = pc.fill_null_forward(pc.if_else(empty, pa.scalar(None, pa.string()), whole))
        begun = 0
        for n, batch in enumerate(table.records):
            table.records[n] = batch.set_column(place, batch.schema.field(place), filled.slice(begun, batch.num_rows))
            begun += batch.num_rows
        column.counts.clear()
        column.counts.update(text for (text,) in table.together(column) if text)
