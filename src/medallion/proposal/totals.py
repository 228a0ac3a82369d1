"""Rows that are no records, such as totals and notes, and columns that are written once per group of records."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

import pyarrow as pa

from medallion.contracts import CONFIDENT, Entity
from medallion.contracts.filling import Condition
from medallion.proposal import asking, closing_dates
from medallion.proposal.feeds import Feed
from medallion.proposal.profile import Column, Table
from medallion.sources import units

#: What a report is grouped by.
_OF_GROUPS = ("status", "stage", "customer_id", "customer_name", "company", "owner", "source", "product_id", "currency")
#: A word of a line that adds up records or counts them.
TOTAL = re.compile(
    r"(?i)\W*((grand |sub)?total(s|en|es|e)?|sub[- ]?total|(zwischen|end|gesamt)?summen?|gesamt(ergebnis)?|suma( całkowita)?|"
    r"razem|ogółem|somme|total général|sous-total|totale( generale)?|subtotale|totaal|subtotaal|eindtotaal|celkem|součet|"
    r"итого|всего|合計|小計|総計|总计|合计|sum|i alt|sammanlagt|summa|yhteensä|összesen|végösszeg|toplam|genel toplam|"
    r"count|anzahl|nombre|liczba|recuento|conteo|conteggio|contagem|aantal|antal|antall|件数|計数|计数|записей)\W*(\(.*\)|\d+)?"
)


#: So many cells without a key that are headers of the table are the header of parts; and so many cells that all records with
#: a key have are missing in a part.
_HEADERS, _LACKING = 3, 2
#: Share of refused rows from which on a file is held back.
_MANY = 0.2


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
    """Rows without a key, or with a word for a total in its place, that fill fewer cells than records do; rows without a key
    that are a header or lack what all others have; and totals.

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

    keyed = [record for record in records if record[place]]
    always = [at for at in range(len(table.columns)) if at != place and all(record[at] for record in keyed)]
    headers = {column.header for column in table.columns}

    def is_record(record: tuple[str, ...], count: int) -> bool:
        if record[place]:
            return not TOTAL.fullmatch(record[place]) or count > 0.6 * usual
        is_header = len(headers & {*record}) >= _HEADERS
        is_part = sum(not record[at] for at in always) >= _LACKING
        return count > 0.6 * usual and not is_header and not is_part

    good = [is_record(record, count) for record, count in zip(records, filled, strict=True)]
    others = [record for record, is_good in zip(records, good, strict=True) if not is_good]
    totals = [record for record in table.short if any(map(TOTAL.fullmatch, record))]
    if (not others and not totals) or len(others) == len(records):
        return None
    kept = [record for record, is_good in zip(records, good, strict=True) if is_good]
    heads = tuple(dict.fromkeys(record[place] for record in others if record[place]))
    lacking = next(
        (column for at, column in enumerate(table.columns)
         if column is not key and all(record[at] for record in kept) and not any(record[at] for record in others)), None
    )  # fmt: skip
    total = read = None
    if amount is not None:
        at = table.columns.index(amount)
        sums = [units.figure(record[at]) for record in others if any(map(TOTAL.fullmatch, record)) and record[at]]
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
        total = min(near, key=lambda each: abs(each - read), default=None) if near else None
        if total is not None and abs(total - read) >= Decimal("0.02"):
            total = max(near)
    if others:
        leave_out(table, good, others)
    return NoRecords(len(others), (key, heads) if heads else None, lacking, total, read)


def leave_out(table: Table, good: list[bool], others: list[tuple[str, ...]]) -> None:
    """Take records out of a table that are none: those that are not good."""
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


def sums(feed: Feed, entity: Entity) -> Condition | None:
    """Give no key to rows that are totals, notes or parts of the record above, so that they are refused and counted.

    Gives the condition under which rows count where so many are no records that their file would be held back, None else.
    """
    filling = feed.fillings.get(entity.key)
    if filling is None or filling.column is None or filling.column != feed.table.column(filling.column).header:
        return None
    value = feed.fillings.get("deal_value")
    amount = feed.table.column(value.column) if value and value.column else None
    key = feed.table.column(filling.column)
    others = no_records(feed.table, key, amount)
    if others is None:
        return None
    explanation = f"{others.rows} of the rows are no records (totals, notes, parts of the one above) and are refused"
    left_out = None
    if others.rows > _MANY * (others.rows + key.rows) and not others.heads:
        explanation = f"{others.rows} of the rows are no records (heads and sums of groups, parts of the one above) and do not count"
        left_out = Condition(when=f"trim(coalesce(`{key.name}`, '')) <> ''", reason=explanation)
    if not others.rows:
        explanation = "a total with fewer cells than the header stands below the records"
    if others.heads and others.lacking:
        texts = ", ".join("'" + text.lower().replace("'", "\\'") + "'" for text in others.heads[1])
        sql = (
            f"CASE WHEN lower(trim(`{key.name}`)) IN ({texts}) AND coalesce(trim(`{others.lacking.name}`), '') = '' "
            f"THEN NULL ELSE `{key.name}` END"
        )
        update = {"column": None, "sql": sql, "reason": f"{filling.reason}; {explanation}"}
        feed.fillings[entity.key] = filling.model_copy(update=update)
    if not others.agrees:
        feed.reason += (
            f"; its total row says {others.said:,.2f}, but its records come to {others.read:,.2f}: is one missing?"
        )
        feed.confidence = min(feed.confidence, asking.ASKED)
    elif others.said is None and not others.rows:
        pass
    elif others.said is not None:
        if filling.confidence is not None and filling.confidence < CONFIDENT and key.repeats:
            shown = f"a total says {others.said:,.2f}, which is what they come to counted once"
            feed.fillings[entity.key] = filling.model_copy(update={"reason": f"{filling.reason}; {shown}"})
        feed.comments.append(f"{explanation}; its total row says {others.said:,.2f}, and so do its records")
    else:
        feed.comments.append(explanation)
    return left_out


def grouped(feed: Feed, deals: Feed) -> None:
    """Columns that are written once per group of records: an empty cell means the one above. Asked of the deals, once.

    Args:
        feed: The deals of a table, or the accounts that they name.
        deals: The deals.
    """
    filled_down: dict[str, str] = {}
    for name in _OF_GROUPS:
        item = feed.fillings.get(name)
        if item is None or item.column is None:
            continue
        cells = [text for (text,) in feed.table.together(feed.table.column(item.column))]
        heads = [text for text in cells if text and not TOTAL.fullmatch(text)]
        is_state = name in ("status", "stage")  # the others may be empty
        is_few = (
            len(heads) < 2 or len(cells) < 2 * closing_dates.FEW
            if not is_state
            else not heads or len(cells) < closing_dates.FEW
        )
        if is_few or not cells[0] or len(heads) >= 0.5 * len(cells) or len({*heads}) < len(heads):
            continue
        reason = (
            f"{item.reason}; it is filled in {len(heads)} of {len(cells)} rows, as the head of a group ({heads[0]!r} first), "
            "so an empty cell is taken for the one above: is that so?"
        )
        if feed is not deals or item.column in filled_down:
            reason = (
                f"{item.reason}; an empty cell is the one above, as for {filled_down.get(item.column, 'the deals')}"
            )
        sure = asking.ASKED if feed is deals and item.column not in filled_down else CONFIDENT
        filled_down[item.column] = name
        feed.fillings[name] = item.model_copy(update={"fill_down": True, "confidence": sure, "reason": reason})
    key = deals.fillings.get("lead_id")
    if filled_down and feed is not deals and key and key.column:
        name = feed.table.column(key.column).name
        feed.life.setdefault("where", Condition(when=f"trim(coalesce(`{name}`, '')) <> ''", reason="the rows of deals"))
