"""Whether the amounts of a new file may count in the currency of the lakehouse: looked up before it is read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from medallion.contracts import Entity
from medallion.contracts.odcs import names_in
from medallion.errors import SourceError
from medallion.sources import Refusal, SourceFile, currencies, parsing, units

#: Different texts of a column that are kept; a column of currencies has few.
_TEXTS = 1000
#: Figures alone say nothing of a currency.
_FIGURES = r"^[-+(]?[0-9.,'\s]*\)?$"


def refused(files: Iterable[SourceFile], entities: Mapping[str, Entity]) -> list[Refusal]:
    """The files of which it cannot be told what currency their amounts are in."""
    refusals, files = [], list(files)
    for file in files:
        entity = entities[file.entity]
        own = entity if "currency" in entity.column_names else entities["leads"]
        if (doubt := _doubt(file, entity, own.unsaid)) or (
            file.entity == "leads" and (doubt := _elsewhere(file, files, entity))
        ):
            refusals.append(Refusal(file.name, file.entity, f"{file.name}: {doubt.problem}", doubt.remedy))
    return refusals


def _elsewhere(file: SourceFile, files: Iterable[SourceFile], leads: Entity) -> currencies.Doubt | None:
    """A doubt about amounts of deals in a file that names no currency, where another file of the delivery names one."""
    if (
        "currency" in file.mapping
        or "deal_value" not in file.mapping
        or any(map(currencies.in_header, dict(file.columns)))
    ):
        return None
    for other in files:
        named = [pair for pair in other.columns if currencies.names_one(pair[0])] if other.entity != "leads" else []
        elsewhere = currencies.elsewhere(_cells(other, named, leads.placeholders), leads.unsaid) if named else None
        if elsewhere:
            return currencies.not_said(f"column {elsewhere[0]!r} of {other.name}", elsewhere[1], leads.unsaid)
    return None


def _doubt(file: SourceFile, entity: Entity, default: str) -> currencies.Doubt | None:
    amounts: dict[str, str] = {}
    for column in entity.columns:
        item = file.mapping.get(column.name)
        if item and column.kind == "money":
            amounts |= dict.fromkeys([item.column] if item.column else names_in(item.sql or "''"), column.name)
    own = "currency" in entity.column_names
    if not own and not amounts:
        return None
    currency = file.mapping.get("currency")
    declared = currency is not None and (currency.column is None or currency.empty is not None)
    mapped = currency.column if currency else None
    other = file.columns_read - {*amounts, mapped or ""}
    try:
        columns = _cells(file, [pair for pair in file.columns if pair[1] not in other], entity.placeholders)
    except SourceError:  # told when it is read
        return None
    if not own:
        return currencies.of_accounts(columns, amounts, default)
    accepted = entity.column("currency").accepted
    code = currencies.code_of(currency.value) if currency and currency.value else None
    if code and accepted and code not in accepted:
        return currencies.not_shown(code, default)
    converted = not accepted
    doubt = currencies.doubt(columns, amounts, mapped, default, declared, converted, file.above)
    return doubt or (None if entity.sources else _above(file)) or _unit(file, amounts)


def _above(file: SourceFile) -> currencies.Doubt | None:
    """A doubt about amounts of which a line above the header says another unit, where no contract has been asked about it."""
    item, title = file.mapping.get("deal_value"), units.above(file.above)
    if item is None or item.unit or title is None:
        return None
    text, unit = title
    column = next((header for header, name in file.columns if name == item.column), item.column)
    say = f"`deal_value: {{column: {column}, unit: {unit}}}`" if unit else "an expression that gives whole amounts"
    return currencies.Doubt(
        f"the line {text!r} above the header says that amounts are in {unit or 'a unit that no contract has'}, and column {column!r} would count "
        "as it is",
        f"Let a contract say {say}, or `deal_value: {column}` if these are whole amounts (`medallion init` asks).",
    )


def _unit(file: SourceFile, amounts: Mapping[str, str]) -> currencies.Doubt | None:
    """A doubt about amounts a hundred or a thousand times as large as the same amounts in a column that nothing reads."""
    item = file.mapping.get("deal_value")
    if item is None or item.column is None or item.unit:
        return None
    mapped = item.column
    others = [name for header, name in file.columns if name not in file.columns_read and name not in amounts]
    names = [name for _, name in file.columns]
    batch = next(iter(parsing.parse(file, names)), None)
    if batch is None or not others:
        return None
    first = batch.slice(0, _TEXTS)
    cells = first.column(names.index(mapped)).to_pylist()
    if not all(re.fullmatch(r"\s*-?\d*\s*", cell or "") for cell in cells):
        return None
    headers = {name: header for header, name in file.columns}
    for name in others:
        texts = first.column(names.index(name)).to_pylist()
        if not units.looks_formatted(headers[name], [text for text in texts if text]):
            continue
        twin = units.twin(zip((cell or "" for cell in cells), (text or "" for text in texts), strict=True))
        if twin is not None and twin.times >= 100:
            times = f"{twin.times:f}"
            other = f'column: "{headers[mapped]}", unit: cents'
            if twin.times != 100:
                other = f'sql: "cast(cast(`{mapped}` as decimal(20,0)) / {times} as decimal(18,2))"'
            return currencies.Doubt(
                f"column {headers[mapped]!r} has {times} times the amounts of {headers[name]!r} ({twin.mine!r} beside {twin.other!r})",
                f'Let a contract say which it is: `deal_value: {{column: "{headers[name]}"}}`, or '
                f"`deal_value: {{{other}}}`.",
            )
    return None


def _cells(file: SourceFile, columns: Iterable[tuple[str, str]], placeholders: Iterable[str]) -> list[currencies.Cells]:
    """Columns of a file: of figures one as an example, of other texts up to a thousand with their counts."""
    columns = list(columns)
    names = [name for _, name in columns]
    nothing = pa.array(sorted({*placeholders, ""}), pa.string())
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    empty: Counter[str] = Counter()
    for batch in parsing.parse(file, names):
        whole = batch.filter(batch.column(len(names) + 2).is_null())
        for place, name in enumerate(names):
            if len(counts[name]) > _TEXTS:
                continue
            text = pc.fill_null(pc.utf8_trim_whitespace(whole.column(place)), "")
            blank = pc.is_in(pc.utf8_lower(text), value_set=nothing)
            empty[name] += int(pc.sum(blank).as_py() or 0)
            text = text.filter(pc.invert(blank))
            figures = pc.match_substring_regex(text, _FIGURES)
            if plain := int(pc.sum(figures).as_py() or 0):
                counts[name]["1"] += plain
            for count in pc.value_counts(text.filter(pc.invert(figures))).slice(0, _TEXTS + 1).to_pylist():
                counts[name][count["values"]] += count["counts"]
    return [currencies.Cells(header, name, counts[name], empty[name]) for header, name in columns]
