"""An identifier that several rows share: lines of one record, versions of it, or lines that each have their own amount."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from medallion import figures
from medallion.contracts import Entity, Filling
from medallion.contracts.filling import joined
from medallion.contracts.odcs import code, names_in
from medallion.proposal import vocabulary, worth
from medallion.proposal.evidence import DAMAGED
from medallion.proposal.feeds import Feed
from medallion.proposal.match import named
from medallion.proposal.profile import Column
from medallion.proposal.systems import System
from medallion.sources import units

#: How sure a name must be to be that of the records' own identifier.
_NAMED = 0.84
#: Share of the identifiers in several rows of which a cell must be the same in all of their rows.
_MOST = 0.95
_ASKED = 0.6
#: How far the figures of lines may be off the amount of their record.
_OFF = Decimal("0.02")
#: Words of a column that numbers the lines of a record.
_LINES = frozenset(
    ["line", "lines", "item", "pos", "position", "positionsnr", "posnr", "zeile", "row", "linea", "ligne", "riga", "linha", "regel",
     "pozycja", "radek", "rad", "linje", "lineitem", "split"]
)  # fmt: skip
_WHAT = {"leads": "deals", "customers": "accounts", "interactions": "touches", "products": "products"}
#: What of a deal is the same in all of its lines.
_OF_A_DEAL = ("status", "stage", "customer_id", "company", "deal_value", "created_at", "closed_at")


@dataclass(frozen=True)
class Repeated:
    """A column that names records by its header and repeats: how many records and rows, and in what their rows differ."""

    column: Column
    kind: Literal["lines", "positions", "versions", "copies"]
    records: int
    rows: int
    differing: tuple[Column, ...]
    #: Columns that tell the rows apart together with the identifier, none where no column does.
    beside: Column | None


def own(feed: Feed, entity: Entity, system: System | None, header: str | None = None) -> Repeated | None:
    """The identifier of records that several rows share, and what these are; None where there is none, or where the rows
    of one identifier are of different accounts, which it then does not name alone.

    Args:
        feed: The table as the source of the entity.
        entity: Its contract.
        system: The system that the export comes from.
        header: The header of the key in another file of the same kind.
    """
    filling, declared = feed.fillings.get(entity.key), entity.column(entity.key)
    if filling and not (filling.column and numbers_lines(feed.table.column(filling.column))):
        return None
    taken = {item.column for name, item in feed.fillings.items() if name not in (entity.key, "lead_name", "product_id")}
    for column in feed.table.columns:
        meant = named(column, entity, declared, system)
        is_named = column.header == header or (meant is not None and meant.confidence >= _NAMED)
        codes = column.share("code") + column.share("number") > 0.9 and column.share("date") < 0.5
        is_whole = column.filled > 0.9 * column.rows and not any(map(DAMAGED.fullmatch, column.counts))
        if is_named and codes and is_whole and column.repeats > 0 and column.header not in taken:
            return _read(feed, column)
    return None


def numbers_lines(column: Column) -> bool:
    """Whether a header is that of the lines of a record."""
    return bool({*vocabulary.words_of(column.header)} & _LINES)


def _read(feed: Feed, column: Column) -> Repeated | None:
    columns = feed.table.columns
    place = columns.index(column)
    groups: dict[str, list[tuple[str, ...]]] = {}
    for record in feed.table.together(*columns):
        if record[place]:
            groups.setdefault(code(record[place]), []).append(record)
    several = [records for records in groups.values() if len(records) > 1]
    if not several:
        return None

    def differs(at: int) -> bool:
        return sum(len({record[at] for record in records}) > 1 for records in several) > (1 - _MOST) * len(several)

    differing = [each for at, each in enumerate(columns) if at != place and differs(at)]
    of = {name: _of(feed, name) for name in (*_OF_A_DEAL, "updated_at")}
    varying = {name for name, headers in of.items() if any(each.name in headers for each in differing)}
    if varying & {"customer_id", "company"}:
        return None
    kind: Literal["lines", "positions", "versions", "copies"] = "versions"
    if not differing:
        kind = "copies"
    elif feed.entity == "leads" and "updated_at" not in varying:
        kind = "lines" if not varying else "positions" if varying == {"deal_value"} else "versions"
    pairs = [each for at, each in enumerate(columns) if each in differing and _tells(several, at)]
    pairs.sort(key=lambda each: (not numbers_lines(each), each.share("date") < 0.5))
    rows = sum(map(len, groups.values()))
    return Repeated(column, kind, len(groups), rows, tuple(differing), pairs[0] if pairs else None)


def _of(feed: Feed, name: str) -> set[str]:
    """The bronze columns that fill a canonical one."""
    item = feed.fillings.get(name)
    if item is None:
        return set()
    return {feed.table.column(item.column).name} if item.column else names_in(item.sql or "''")


def _tells(several: Iterable[list[tuple[str, ...]]], at: int) -> bool:
    return all(len({record[at] for record in records if record[at]}) == len(records) for records in several)


def key(feed: Feed, repeated: Repeated) -> Filling:
    """The key that is proposed where an identifier repeats, with what is asked about it."""
    header, what = repeated.column.header, _WHAT.get(feed.entity, "records")
    counted = f"{header} names {repeated.records:,} {what} in {repeated.rows:,} rows"
    apart = (
        f"`key: [{header}, {repeated.beside.header}]`" if repeated.beside else "a column that each row has its own of"
    )
    if repeated.kind == "copies":
        return Filling(column=header, confidence=0.85, reason=f"its name; {counted}, and those of one are the same")
    differ = _listed(repeated.differing)
    if repeated.kind == "lines" and (part := _adding_up(feed, repeated)):
        reason = (
            f"{counted}; the rows of one have the same state, account, amount and dates, and their {part.header} adds up to the amount, so they "
            f"are lines of one deal, which counts once{_line_items(feed, header)}"
        )
        return Filling(column=header, confidence=0.9, reason=reason)
    if repeated.kind == "lines":
        reason = (
            f"{counted}; the rows of one have the same state, account, amount and dates and differ in {differ}: are they lines of "
            f"one deal? Then delete this confidence, and a deal and its amount count once{_line_items(feed, header)}. If each row is a deal of its own, write {apart}"
        )
        return Filling(column=header, confidence=_ASKED, reason=reason)
    if repeated.kind == "positions":
        amount = " and ".join(sorted(_headers(feed, _of(feed, "deal_value"))))
        reason = (
            f"{counted}; the rows of one have the same state, account and dates, and {amount} differs: are they lines of one deal, "
            f"each with its part of the amount? As proposed, each of the {repeated.rows:,} lines counts as a deal, in counts, averages and "
            f"win rates. A contract adds no rows up: for {repeated.records:,} deals export one row per {header} with the sum"
            f"{_line_items(feed, header)}. If each row is a deal of its own, delete this confidence"
        )
        names = [repeated.column.name, *([repeated.beside.name] if repeated.beside else [])]
        whole = f"md5(concat_ws('|', {', '.join(f'`{each.name}`' for each in feed.table.columns)}))"
        return Filling(sql=joined(names) if repeated.beside else whole, confidence=_ASKED, reason=reason)
    version = feed.fillings.get("updated_at")
    newest = f"the newest by {version.column}" if version and version.column else "the last row of the file"
    days = [each.header for each in repeated.differing if each.share("date") > 0.5]
    other = f" (`updated_at: {days[0]}` would count the newest by it)" if days and not version else ""
    reason = (
        f"{counted} that differ in {differ}: are these versions of one record? Then delete this confidence, and {newest} "
        f"counts{other}. If each row is one of its own, write {apart}"
    )
    return Filling(column=header, confidence=_ASKED, reason=reason)


def _adding_up(feed: Feed, repeated: Repeated) -> Column | None:
    """The column of amounts that add up, for each record, to the amount of it."""
    item = feed.fillings.get("deal_value")
    if item is None or item.column is None or repeated.records == repeated.rows:
        return None
    amount = feed.table.column(item.column)
    for part in (each for each in repeated.differing if each.share("number") > 0.9 and worth.says_amount(each)):
        sums: dict[str, list[Decimal | None]] = {}
        for key, whole, cell in feed.table.together(repeated.column, amount, part):
            total = sums.setdefault(key, [units.signed(whole, amount.comma), Decimal(0)])
            figure = units.signed(cell, part.comma)
            total[1] = None if figure is None or total[1] is None else total[1] + figure
        if all(whole is not None and added is not None and abs(whole - added) < _OFF for whole, added in sums.values()):
            return part
    return None


def _listed(columns: tuple[Column, ...]) -> str:
    names = [column.header for column in columns]
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:3])} and {figures.count(len(names) - 3, 'more column')}" if len(names) > 3 else (
        f"{', '.join(names[:-1])} and {names[-1]}"
    )  # fmt: skip


def _headers(feed: Feed, names: set[str]) -> set[str]:
    return {column.header for column in feed.table.columns if column.name in names}


def _line_items(feed: Feed, header: str) -> str:
    """What is said of reading the rows as line items, where they name products."""
    products, quantities = (
        [c.header for c in feed.table.columns if _says(c, *beginnings)]
        for beginnings in (("produ", "artik", "artic", "item"), ("quantit", "qty", "menge", "anzahl", "cantidad"))
    )
    if not products:
        return ""
    columns = [f"lead_id: {header}", f"product_name: {products[0]}", *(f"quantity: {each}" for each in quantities[:1])]
    return f"; a source of deal_products reads the lines ({', '.join(columns)})"


def _says(column: Column, *beginnings: str) -> bool:
    return any(word.startswith(beginnings) for word in vocabulary.tokens(column.header))
