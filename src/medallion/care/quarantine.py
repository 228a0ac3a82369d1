"""Refused records as work: list them, look at one, have repairs suggested, correct them, reprocess them."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
from rapidfuzz import fuzz, process

from medallion import contracts, pipeline
from medallion.config import Settings
from medallion.contracts import Entity, Filling
from medallion.errors import LakehouseError, MedallionError
from medallion.lakehouse import contracts_in_use, query, store
from medallion.lakehouse.session import session
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import batches, journal
from medallion.pipeline.result import Result
from medallion.pipeline.steps import Report
from medallion.proposal.match import meaning

TABLE, CORRECTIONS = "silver.quarantine", "ops.corrections"
#: How alike a text and a known one must be to be suggested for it, of 100.
_ALIKE = 84
_FORMULA = re.compile(r"^'(?=[=+\-@\t\r])")


@dataclass(frozen=True)
class Correction:
    """What a column of a refused record is to say; an empty value is none."""

    quarantine_id: str
    column: str
    value: str


def waiting(lake: Lakehouse, reason: str | None = None, entity: str | None = None) -> list[dict[str, Any]]:
    """Records that wait in quarantine, oldest first: identifier, entity, place, reasons, corrections so far.

    Args:
        lake: The lakehouse.
        reason: Only records with this failed check, such as `status.accepted`, or of this column.
        entity: Only records of this entity.

    Raises:
        LakehouseError: There is no lakehouse.
    """
    lake.delta(TABLE)
    with query.connect(lake) as connection:
        fixed = _latest(connection, lake)
        records = query.rows(
            connection,
            f"select * from {TABLE} where resolved_by is null and not list_contains(failed_checks, 'record.erased') and (? is null or entity = ?) and (? is null or "
            "list_contains(failed_checks, ?) or len(list_filter(failed_checks, lambda x: starts_with(x, ?))) > 0) "
            "order by known_at, entity, source_file, source_row",
            [entity, entity, reason, reason, f"{reason}."],
        )
    return [{**row, "corrections": fixed.get(row["quarantine_id"], {})} for row in records]


def _latest(connection: duckdb.DuckDBPyConnection, lake: Lakehouse) -> dict[str, dict[str, str]]:
    """Per record the newest correction of each column."""
    corrections: dict[str, dict[str, str]] = {}
    if lake.exists(CORRECTIONS):
        sql = f"select quarantine_id, column_name, after from {CORRECTIONS} order by corrected_at, after"
        for row in query.rows(connection, sql):
            corrections.setdefault(row["quarantine_id"], {})[row["column_name"]] = row["after"]
    return corrections


def record(lake: Lakehouse, quarantine_id: str) -> dict[str, Any]:
    """One record with its cells as they came, what fills which column, and who corrected what.

    Args:
        lake: The lakehouse.
        quarantine_id: Its identifier, or the beginning of it.

    Raises:
        LakehouseError: No record, or more than one, has it.
    """
    lake.delta(TABLE)
    with query.connect(lake) as connection:
        sql = f"select * from {TABLE} where starts_with(quarantine_id, ?) order by known_at"
        records = query.rows(connection, sql, [quarantine_id.upper()])
        if len(records) != 1:
            much = "no record has" if not records else f"{len(records)} records have"
            raise LakehouseError(f"{much} the identifier {quarantine_id}", "See `medallion quarantine list`.")
        row = records[0]
        corrections = (
            query.rows(
                connection,
                f"select column_name, before, after, corrected_by, corrected_at from {CORRECTIONS} "
                "where quarantine_id = ? order by corrected_at, column_name",
                [row["quarantine_id"]],
            )
            if lake.exists(CORRECTIONS)
            else []
        )
    cells = json.loads(row.pop("raw") or "{}")
    mapping = _mapping(_journal(lake), row)
    return {
        **row,
        "cells": cells,
        "columns": {name: _text_of(item, cells) for name, item in mapping.items()},
        "corrections": corrections,
    }


def _journal(lake: Lakehouse) -> dict[str, batches.Batch]:
    return {batch.batch_id: batch for batch in batches.history(lake)}


def _mapping(journal: Mapping[str, batches.Batch], row: Mapping[str, Any]) -> dict[str, Filling]:
    batch = journal.get(row["batch_id"])
    files = batch.files_of(row["entity"]) if batch else []
    return next((file.mapping for file in files if file.name == row["source_file"]), {})


def _text_of(item: Filling, cells: Mapping[str, Any]) -> str | None:
    """The text of a column in the record, where a single cell or the contract gives it."""
    if item.column is not None:
        cell = cells.get(item.column)
        return None if cell is None else str(cell)
    return item.value


def fix(settings: Settings, corrections: Iterable[Correction], who: str, now: datetime) -> int:
    """Write corrections down; gives how many. They count once the records are reprocessed.

    Args:
        settings: Which lakehouse.
        corrections: What is to be said; identifiers may be cut short.
        who: Who says so.
        now: When, UTC without zone.

    Raises:
        LakehouseError: A record is not waiting, or has no such column; nothing is written then.
    """
    lake = Lakehouse(settings.lakehouse)
    entities = contracts.entities(contracts_in_use.overrides(lake, settings.contracts))
    known_batches = _journal(lake)
    open_records = {row["quarantine_id"]: row for row in waiting(lake)}
    rows: dict[tuple[str, str], tuple[Any, ...]] = {}
    for item in corrections:
        row = _record_of(open_records, item.quarantine_id)
        entity = entities[row["entity"]]
        if item.column not in entity.column_names:
            raise LakehouseError(
                f"{item.quarantine_id}: {entity.name} have no column {item.column!r}",
                f"Columns: {', '.join(entity.column_names)}.",
            )
        cells = json.loads(row["raw"] or "{}")
        filling = _mapping(known_batches, row).get(item.column)
        before = row["corrections"].get(
            item.column, cells.get(f"={item.column}", _text_of(filling, cells) if filling else None)
        )
        key = (row["quarantine_id"], item.column)
        rows[key] = (*key, now, before, item.value, who)
    if rows:
        with journal.writing(lake) as writer, writer.intent(journal.FIX, [CORRECTIONS]):
            spark = session(settings.engine, settings.memory_gib)
            store.append_rows(list(rows.values()), spark, lake, contracts.table(CORRECTIONS))
    return len(rows)


def _record_of(open_records: Mapping[str, dict[str, Any]], wanted: str) -> dict[str, Any]:
    if wanted.upper() in open_records:
        return open_records[wanted.upper()]
    hits = [row for key, row in open_records.items() if wanted and key.startswith(wanted.upper())]
    if len(hits) != 1:
        much = "no waiting record has" if not hits else f"{len(hits)} waiting records have"
        raise LakehouseError(f"{much} the identifier {wanted}", "See `medallion quarantine list`.")
    return hits[0]


def from_csv(path: Path) -> Iterator[Correction]:
    """Corrections from a file with the columns `quarantine_id`, `column` and `value`, as `suggest --out` writes it.

    Raises:
        MedallionError: The file cannot be read; names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            if lacking := {"quarantine_id", "column", "value"} - {*(reader.fieldnames or ())}:
                raise MedallionError(f"{path}: line 1: has no column {sorted(lacking)[0]}", "See `suggest --out`.")
            for row in reader:
                if None in row:
                    raise MedallionError(f"{path}: line {reader.line_num}: has more cells than the header", "Quote it.")
                if not row["quarantine_id"] or not row["column"] or row["value"] is None:
                    raise MedallionError(
                        f"{path}: line {reader.line_num}: a cell is missing", "Fill or delete the line."
                    )
                yield Correction(row["quarantine_id"].strip(), row["column"].strip(), _FORMULA.sub("", row["value"]))
    except (OSError, UnicodeError, csv.Error) as error:
        raise MedallionError(f"{path}: cannot be read: {error}", "Check the path; save it as CSV in UTF-8.") from error


def reprocess_refused(
    settings: Settings,
    now: datetime,
    report: Report,
    *,
    everything: bool = False,
    reason: str | None = None,
    ids: Iterable[str] = (),
) -> Result | None:
    """Reprocess records and bring gold up to date; None when there are none to reprocess.

    Args:
        settings: Which lakehouse, and the contracts to go by.
        now: The clock, UTC without zone.
        report: Is told of each step.
        everything: Reprocess every waiting record: after a change of contract, or when missing accounts have arrived.
        reason: Reprocess the records with this failed check.
        ids: Reprocess these. Without any choice, those with corrections.

    Raises:
        LakehouseError: A record is not waiting.
    """
    lake = Lakehouse(settings.lakehouse)
    lake.delta(TABLE)
    with journal.writing(lake):
        pass  # what a killed replay has marked waits again before anything is chosen
    open_records = {row["quarantine_id"]: row for row in waiting(lake, reason)}
    chosen = [_record_of(open_records, item) for item in ids]
    if not chosen:
        chosen = [row for row in open_records.values() if everything or reason or row["corrections"]]
    by_batch: dict[str, dict[str, str]] = {}
    for row in chosen:
        by_batch.setdefault(row["batch_id"], {})[row["quarantine_id"]] = row["entity"]
    return pipeline.reprocess_refused(settings, now, by_batch, report) if by_batch else None


def suggest(lake: Lakehouse, settings: Settings, reason: str | None = None) -> list[dict[str, Any]]:
    """Likely repairs of waiting records: the value to write instead, and why. A record may have none, or several.

    Raises:
        LakehouseError: There is no lakehouse.
    """
    entities = contracts.entities(contracts_in_use.overrides(lake, settings.contracts))
    journal = _journal(lake)
    repairs = []
    with query.connect(lake) as connection:
        known = _Known(connection, lake, entities)
        for row in waiting(lake, reason):
            entity, cells, mapping = entities[row["entity"]], json.loads(row["raw"] or "{}"), _mapping(journal, row)
            for code in row["failed_checks"] or ():
                column, _, check = code.rpartition(".")
                if column not in entity.column_names or column in row["corrections"]:
                    continue
                item = mapping.get(column)
                text = _text_of(item, cells) if item else None
                for value, why in _repairs(entity, column, check, text, item, known):
                    repairs.append(
                        {
                            "quarantine_id": row["quarantine_id"],
                            "source": f"{row['source_file']}:{row['source_row']}",
                            "column": column,
                            "before": text,
                            "value": value,
                            "reason": why,
                        }
                    )
                    break
    return repairs


class _Known:
    """Keys and names that a lakehouse knows, read when first asked for."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, lake: Lakehouse, entities: Mapping[str, Entity]) -> None:
        self.connection, self.lake, self.entities = connection, lake, entities
        self.read: dict[tuple[str, str], list[str]] = {}

    def values(self, entity: str, column: str) -> list[str]:
        """Different values of a column of an entity's clean table."""
        key = (entity, column)
        if key not in self.read:
            table = self.entities[entity].clean.name
            sql = f'select distinct "{column}" as value from {table} where "{column}" is not null order by 1'
            exists = self.lake.exists(table)
            self.read[key] = [str(row["value"]) for row in query.rows(self.connection, sql)] if exists else []
        return self.read[key]

    def keys_by(self, entity: str, by: str, take: str | None) -> dict[str, str]:
        """What a lookup takes from the row of each text of a column, for texts of one row only."""
        target = self.entities[entity]
        value, table = take or target.key, target.clean.name
        if not self.lake.exists(table):
            return {}
        sql = (
            f'select "{by}" as text, min("{value}")::varchar as value from {table} where "{by}" is not null '
            f'group by 1 having count(distinct "{value}") = 1 order by 1'
        )
        return {str(row["text"]): row["value"] for row in query.rows(self.connection, sql)}


def _repairs(
    entity: Entity, column: str, check: str, text: str | None, item: Filling | None, known: _Known
) -> Iterator[tuple[str, str]]:
    """Values that a column may be meant to have, most likely first, each with the reason."""
    declared = entity.column(column)
    if not text:
        return
    if check == "accepted":
        words = {"status", "source", "channel", "direction", "outcome"}
        if column in words and (meant := meaning(entity.name, declared, text)):
            yield meant.value, meant.reason
        yield from _nearest(text.strip().lower(), list(declared.spellings), declared.spellings)
    elif check == "reference" and declared.reference:
        keys = known.values(declared.reference.entity, declared.reference.column)
        bare = re.sub(r"\s+", "", text).upper()
        if bare in {key.upper() for key in keys}:
            yield text, f"{declared.reference.entity} knows it by now; reprocess the record"
        yield from _nearest(bare, keys)
    elif check == "lookup" and item and item.lookup and item.by:
        taken = known.keys_by(item.lookup, item.by, item.take)
        yield from _nearest(text, list(taken), taken)
    elif check in ("readable", "future") and declared.is_time:
        yield from _dates(text)
    elif check == "readable" and declared.kind in ("money", "integer"):
        yield from _figures(text)
    elif check == "pattern":
        bare = re.sub(r"[^A-Z0-9_.:-]+", "", text.upper()).strip("_.:-")
        if bare and bare != text and not text.startswith("#"):  # a spreadsheet's error is no key
            yield bare, "without characters that identifiers do not have"


def _nearest(text: str, known: list[str], meant: Mapping[str, str] | None = None) -> Iterator[tuple[str, str]]:
    nearest = process.extractOne(text, known, scorer=fuzz.ratio, score_cutoff=_ALIKE) if known else None
    if nearest:
        value = meant[nearest[0]] if meant else nearest[0]
        yield value, f"nearest known: {nearest[0]!r}, {nearest[1]:.0f} of 100 alike"


def _dates(text: str) -> Iterator[tuple[str, str]]:
    """Day and month in the other order, where that is a day."""
    if match := re.match(r"\s*(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?!\d)", text):
        day, month, year = (int(part) for part in match.groups())
    elif match := re.match(r"\s*(\d{4})-(\d{1,2})-(\d{1,2})", text):
        year, day, month = (int(part) for part in match.groups())
    else:
        return
    try:
        yield datetime(year, month, day).date().isoformat(), "day and month in the other order"  # noqa: DTZ001
    except ValueError:
        return


def _figures(text: str) -> Iterator[tuple[str, str]]:
    bare = re.sub(r"[\s$]|USD", "", text.upper())
    if match := re.fullmatch(r"(-?[\d.,]+)([KM])", bare):
        number = float(match.group(1).replace(",", ".")) * {"K": 1_000, "M": 1_000_000}[match.group(2)]
        yield f"{number:.2f}", "thousands or millions written out"
    elif re.fullmatch(r"-?\d+,\d{1,2}", bare):
        yield bare.replace(",", "."), "a decimal comma"
    elif match := re.search(r"^[^\d-]*(-?\d[\d,]*(?:\.\d+)?)[^\d]*$", text):
        yield match.group(1).replace(",", ""), "the only figure in it"


def write_suggestions(suggestions: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write suggestions as a CSV that `fix --from` reads; texts that a spreadsheet would run get an apostrophe."""
    names = ("quarantine_id", "column", "value", "before", "reason", "source")
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(names)
        for item in suggestions:
            writer.writerow([_safe(item[name]) for name in names])


def _safe(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
