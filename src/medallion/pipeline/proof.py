"""The proof of a reading: what the deals come to, as one question that someone who knows the CRM can answer.

Deals won, lost and open, their sums by currency, date spans, accounts matched and not, what is refused or empty per
required column, and a won, a lost and an open deal with their cells beside what they were read as. What is won is what the
metrics say. Computed over clean tables, those of a lakehouse or those of a sample of files alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import duckdb
import sqlglot

from medallion import contracts, figures, metrics
from medallion.cells import plain
from medallion.contracts import Column, Entity
from medallion.contracts.odcs import names_in
from medallion.gold import CONVERSIONS
from medallion.lakehouse import query
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import awaiting, batches
from medallion.sources import SourceFile, currencies

PROOFS = "ops.proofs"
#: States of a deal, in the order in which they are told, each with the metrics that count and sum it.
STATES = {
    "won": ("won_leads", "revenue"),
    "lost": ("lost_leads", "lost_value"),
    "open": ("open_leads", "open_pipeline"),
}
#: Columns of a deal that are shown beside its cells.
_SHOWN = (
    *("lead_id", "lead_name", "customer_id", "status", "stage", "deal_value", "currency"),
    *("created_at", "closed_at", "expected_close_date", "owner"),
)
_LONGEST = 40


@dataclass(frozen=True)
class Amounts:
    """Deals in one currency: how many are won, lost and open, and what they sum up to."""

    currency: str
    deals: Mapping[str, int]
    values: Mapping[str, Decimal]


@dataclass(frozen=True)
class Foreign:
    """Deals in another currency than the reporting one: those that are converted, and those that are held out.

    `held_value` is None where an amount of those cannot be read.
    """

    currency: str
    converted: int
    value: Decimal
    worth: Decimal
    held_out: int
    held_value: Decimal | None


@dataclass(frozen=True)
class Span:
    """The first and last day in a column of dates."""

    entity: str
    column: str
    first: date
    last: date


@dataclass(frozen=True)
class Filled:
    """A required column: of how many rows, how many wait refused because of it, and how many are kept without a value."""

    entity: str
    column: str
    rows: int
    refused: int
    empty: int


@dataclass(frozen=True)
class LeftOut:
    """Pairs of a junction, and how many of them do not count, since their record leads to another one."""

    table: str
    pairs: int
    further: int


@dataclass(frozen=True)
class Example:
    """A record: its state, where it stands, and per column its cell and what the cell was read as."""

    state: str
    source: str
    cells: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Proof:
    """What a reading comes to. `sampled` says that only the beginning of the files was read; accounts are not matched then.

    `matched` and `unmatched` are deals whose account is known, and the others, those refused for it among them.
    """

    currency: str
    amounts: tuple[Amounts, ...]
    spans: tuple[Span, ...]
    matched: int | None
    unmatched: int | None
    filled: tuple[Filled, ...]
    examples: tuple[Example, ...] = ()
    sampled: bool = False
    foreign: tuple[Foreign, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def deals(self, state: str) -> int:
        """How many deals are in a state, in all currencies."""
        return sum(each.deals[state] for each in self.amounts)

    @property
    def question(self) -> str:
        """The one sentence that someone who knows the CRM can answer.

        >>> each = {"won": 79, "lost": 60, "open": 145}
        >>> dollars = Amounts("USD", each, {"won": Decimal(3327500), "lost": Decimal(9), "open": Decimal(9)})
        >>> Proof("USD", (dollars,), (), None, None, ()).question
        'Your CRM should show 79 won, $3,327,500; 60 lost; 145 open. Is that so?'
        """
        return f"Your CRM should show {self.says}. Is that so?"

    @property
    def says(self) -> str:
        """Deals won with their value, lost and open; amounts of different currencies are never added."""
        won = [figures.money(each.values["won"], each.currency) for each in self.amounts if each.deals["won"]]
        value = " and ".join(won) or figures.money(0, self.currency)
        return f"{self.deals('won'):,} won, {value}; {self.deals('lost'):,} lost; {self.deals('open'):,} open"

    def document(self) -> dict[str, Any]:
        """As plain values."""
        document = asdict(self)
        document["examples"] = [
            {
                **asdict(each),
                "cells": [dict(zip(("column", "cell", "read_as"), cell, strict=True)) for cell in each.cells],
            }
            for each in self.examples
        ]
        return {"question": self.question, **{state: self.deals(state) for state in STATES}, **document}


def in_currencies(foreign: Iterable[Mapping[str, Any]], reporting: str) -> str:
    """What became of amounts in other currencies, in words; nothing where there are none.

    >>> each = {"currency": "EUR", "converted": 2, "value": "100", "worth": "110", "held_out": 1, "held_value": None}
    >>> in_currencies([each], "USD")
    'Figures are in USD. 2 deals in EUR are converted: €100 to $110. 1 deal in EUR is held out of every figure.'
    """
    sentences = []
    for each in foreign:
        code, there, out = each["currency"], int(each["converted"]), int(each["held_out"])
        if there:
            value, worth = (figures.money(Decimal(each[n]), c) for n, c in (("value", code), ("worth", reporting)))
            sentences.append(f"{figures.count(there, 'deal')} in {code} {_are(there)} converted: {value} to {worth}.")
        if out:
            value = "" if each["held_value"] is None else f": {figures.money(Decimal(each['held_value']), code)}"
            sentences.append(f"{figures.count(out, 'deal')} in {code} {_are(out)} held out of every figure{value}.")
    return " ".join([f"Figures are in {reporting}.", *sentences]) if sentences else ""


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def note(lake: Lakehouse) -> str:
    """What the last proof says of amounts in other currencies; nothing where there are none, and to who sees not all of them."""
    if lake.seen_by and not lake.seen_by.sees_all:
        return ""
    last: dict[str, Any] = next((json.loads(row["document"]) for row in reversed(recorded(lake))), {})
    return in_currencies(last.get("foreign", []), last.get("currency", ""))


def of_lake(lake: Lakehouse, entities: Mapping[str, Entity], currency: str) -> Proof | None:
    """The proof of what a lakehouse has by now; None where it has no deals and no accounts yet."""
    tables = {entity.clean.name for entity in entities.values()} | {*awaiting.TABLES, CONVERSIONS}
    if not lake.exists(entities["leads"].clean.name):
        return None
    known = batches.history(lake)
    with query.connect(lake, ["silver", "bronze"], only=tables) as connection:
        there = set(lake.tables())

        def raw_of(row: Mapping[str, Any]) -> tuple[SourceFile | None, dict[str, Any]]:
            batch, root = _origin(row["_batch_id"], known)
            files = [file for file in batch.files_of("leads") if file.name == row["_source_file"]] if batch else []
            if not files or root is None:
                return None, {}
            sql = "select * from bronze.leads where _batch_id = ? and _source_file = ? and _source_row = ?"
            rows = query.rows(connection, sql, [root.in_bronze, row["_source_file"], row["_source_row"]])
            return files[0], rows[0] if rows else {}

        proof = over(connection, entities, currency, there)
        foreign = tuple(_foreign(connection, there, known, entities["leads"]))
        return replace(proof, examples=tuple(examples(connection, raw_of)), foreign=foreign)


def _foreign(
    connection: duckdb.DuckDBPyConnection, there: set[str], known: list[batches.Batch], leads: Entity
) -> Iterable[Foreign]:
    """Deals in other currencies: those with rates as gold has them, and those refused since there are no rates."""
    by_code: dict[str, Foreign] = {}
    if CONVERSIONS in there:
        for row in query.rows(
            connection,
            "select original_currency as currency, count(value) as converted, count(held_out) as held_out, "
            "coalesce(sum(original_amount) filter (value is not null), 0) as value, coalesce(sum(value), 0) as worth, "
            f"coalesce(sum(original_amount) filter (value is null), 0) as held_value from {CONVERSIONS} group by 1",
        ):
            by_code[row["currency"]] = Foreign(**row)
    files = {(batch.batch_id, file.name): file for batch in known for file in batch.files_of("leads")}
    waiting = awaiting.deals(connection, there, known, leads)
    for row in {row["record_key"] or row["quarantine_id"]: row for row in waiting}.values():
        reason = next((each for each in row["reasons"] if each.startswith("currency: ")), "")
        code = currencies.code_of(reason.split("'", 1)[-1].rstrip("'"))
        if code:
            amount = _amount(row["raw"], files.get((row["batch_id"], row["source_file"])), leads.column("deal_value"))
            by_code[code] = _with_held_deal(by_code.get(code), code, amount)
    return [by_code[code] for code in sorted(by_code)]


def _with_held_deal(before: Foreign | None, code: str, amount: Decimal | None) -> Foreign:
    """With one more deal that is held out."""
    so_far = before or Foreign(code, 0, Decimal(0), Decimal(0), 0, Decimal(0))
    held_value = None if amount is None or so_far.held_value is None else so_far.held_value + amount
    return replace(so_far, held_out=so_far.held_out + 1, held_value=held_value)


def _amount(raw: str, file: SourceFile | None, declared: Column) -> Decimal | None:
    """The amount of a refused deal, an empty cell as 0; None where its cell cannot be read."""
    item = file.mapping.get(declared.name) if file else None
    if item is None or item.column is None:
        return None
    amount = plain.plain(declared, item)(json.loads(raw).get(item.column) or "0")
    return None if amount is None else Decimal(amount)


def _origin(batch_id: str, known: list[batches.Batch]) -> tuple[batches.Batch | None, batches.Batch | None]:
    """The batch of an identifier, and the one that brought its rows."""
    by_id = {batch.batch_id: batch for batch in known}
    root = batches.families(known).get(batch_id, "")
    return by_id.get(batch_id), by_id.get(root)


def over(
    connection: duckdb.DuckDBPyConnection,
    entities: Mapping[str, Entity],
    currency: str,
    there: Iterable[str],
    sampled: bool = False,
) -> Proof:
    """The proof of clean tables and refused rows, without examples.

    Args:
        connection: Has `silver.<entity>_clean` and `silver.quarantine` as far as they are in `there`.
        entities: The contracts.
        currency: What amounts are in that name none.
        there: Names of the tables that are there.
        sampled: Whether only the beginning of the files was read.
    """
    there = set(there)
    refused = _refused(connection) if "silver.quarantine" in there else {}
    present = [entity for entity in entities.values() if entity.clean.name in there]
    spans, filled = [], []
    for entity in present:
        of_entity, columns = _columns(connection, entity, refused)
        spans += of_entity
        filled += columns
    with_accounts = entities["customers"].clean.name in there and not sampled
    known = entities["customers"].clean.name if with_accounts else "(select null as customer_id where false)"
    sums = ", ".join(f"{_sql(name)} as {name}" for pair in STATES.values() for name in pair)
    rows = query.rows(
        connection,
        f"select coalesce(currency, ?) as unit, {sums}, count(known.customer_id) as matched, count(*) as deals "
        f"from silver.leads_clean left join (select distinct customer_id from {known}) known "
        "on leads_clean.customer_id = known.customer_id group by 1 order by 1",
        [currency],
    )
    amounts = tuple(
        Amounts(
            row["unit"],
            {state: int(row[count]) for state, (count, _) in STATES.items()},
            {state: Decimal(row[value]) for state, (_, value) in STATES.items()},
        )
        for row in rows
    )
    matched: int | None = sum(row["matched"] for row in rows)
    unmatched: int | None = (
        sum(row["deals"] for row in rows) - (matched or 0) + refused.get(("leads", "customer_id"), 0)
    )
    if not with_accounts:
        matched = unmatched = None
    junctions = [entity for entity in present if "of_record" in entity.column_names]
    left_out = [left for each in junctions if (left := _left_out(connection, each)).further]
    return Proof(
        currency, amounts, tuple(spans), matched, unmatched, tuple(filled), (), sampled, left_out=tuple(left_out)
    )


def _left_out(connection: duckdb.DuckDBPyConnection, junction: Entity) -> LeftOut:
    sql = f"select count(*) as pairs, count(*) filter (of_record is null) as further from {junction.clean.name}"
    (row,) = query.rows(connection, sql)
    return LeftOut(junction.name, row["pairs"], row["further"])


@cache
def _sql(metric: str) -> str:
    """A metric's own expression for DuckDB."""
    return sqlglot.transpile(metrics.metrics()[metric].measure.expr, read="spark", write="duckdb")[0]


def _refused(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], int]:
    """Waiting records per entity and column for which they are refused; all of an entity under no column."""
    rows = query.rows(
        connection,
        "select entity, failed_check, count(distinct quarantine_id) as n from (select entity, quarantine_id, "
        "unnest(list_append(list_transform(coalesce(failed_checks, []), lambda x: split_part(x, '.', 1)), '')) as failed_check "
        "from silver.quarantine where resolved_by is null) group by all",
    )
    return {(row["entity"], row["failed_check"]): row["n"] for row in rows}


def _columns(
    connection: duckdb.DuckDBPyConnection, entity: Entity, refused: Mapping[tuple[str, str], int]
) -> tuple[list[Span], list[Filled]]:
    """Date spans of an entity, and how full its required columns are."""
    there = {row["column_name"] for row in query.rows(connection, f"describe {entity.clean.name}")}
    declared = [column for column in entity.columns if column.name in there]  # a lakehouse of before lacks newer ones
    dates = [column.name for column in declared if column.kind in ("date", "timestamp")]
    required = [column.name for column in declared if column.checks.get("null")]
    parts = ["count(*) as _rows", *(f'count(*) filter ("{name}" is null) as "empty {name}"' for name in required)]
    parts += [f'cast({end}("{name}") as date) as "{end} {name}"' for name in dates for end in ("min", "max")]
    if closed := "status" in entity.column_names and "closed_at" in entity.column_names:
        parts.append("count(*) filter (status in ('won', 'lost')) as _closed")
        parts.append("count(*) filter (status in ('won', 'lost') and closed_at is null) as _undated")
    (row,) = query.rows(connection, f"select {', '.join(parts)} from {entity.clean.name}")
    spans = [Span(entity.name, n, row[f"min {n}"], row[f"max {n}"]) for n in dates if row[f"min {n}"] is not None]
    whole = row["_rows"] + refused.get((entity.name, ""), 0)
    filled = [Filled(entity.name, n, whole, refused.get((entity.name, n), 0), row[f"empty {n}"]) for n in required]
    if closed:
        filled.append(Filled(entity.name, "closed_at", row["_closed"], 0, row["_undated"]))
    return spans, filled if whole else []


def examples(connection: duckdb.DuckDBPyConnection, cells: Any) -> Iterable[Example]:
    """The largest deal of each state; `cells` gives the file and the cells of a clean row."""
    largest = "select * from silver.leads_clean where status = ? order by deal_value desc nulls last, lead_id limit 1"
    for state in STATES:
        for row in query.rows(connection, largest, [state]):
            file, raw = cells(row)
            yield example(row, file, raw)


def example(row: Mapping[str, Any], file: SourceFile | None, raw: Mapping[str, Any]) -> Example:
    """A deal beside its cells, as its file's mapping takes them."""
    cells = []
    for name in _SHOWN:
        item = file.mapping.get(name) if file else None
        if item is None or name not in row:
            continue
        if item.value is not None:
            cell = f"always {item.value}"
        else:
            names = [item.column] if item.column else names_in(item.sql or "''")
            cell = " | ".join(_short(raw.get(each)) for each in names)
        cells.append((name, cell, _meaning(row[name])))
    return Example(str(row["status"]), f"{row['_source_file']}:{row['_source_row']}", tuple(cells))


def _short(cell: Any) -> str:
    text = "" if cell is None else " ".join(str(cell).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _meaning(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, datetime):
        return figures.day(value) if value.time() == datetime.min.time() else figures.minute(value)
    return _short(value)


def recorded(lake: Lakehouse) -> list[dict[str, Any]]:
    """The proofs that a lakehouse keeps, oldest first."""
    if not lake.exists(PROOFS):
        return []
    with query.connect(lake, layers=["ops"], only={PROOFS}) as connection:
        return query.rows(connection, f"select * from {PROOFS} order by known_at, run_id")


def kept(proof: Proof) -> str:
    """A proof as a lakehouse keeps it: where its examples stand and not what they say, which may be about people."""
    document = proof.document()
    document["examples"] = [{"state": each.state, "source": each.source} for each in proof.examples]
    return json.dumps(document, default=str)


def contract() -> contracts.Table:
    """The contract of the table that keeps proofs."""
    return contracts.table(PROOFS)
