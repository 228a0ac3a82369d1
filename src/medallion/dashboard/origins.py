"""The rows behind a row account: where each record of a batch stands in its file, and what became of it."""

from __future__ import annotations

import re
from typing import Any

from medallion import contracts
from medallion.contracts import Entity
from medallion.dashboard import words
from medallion.dashboard.listing import Listing
from medallion.dashboard.parameters import BadRequestError, Given
from medallion.dashboard.reading import Reading
from medallion.dashboard.tables import Column
from medallion.lakehouse import contracts_in_use, query

PARAMETERS = ("batch", "entity", "part")
#: Rows that are listed at most: a file of an export may have millions.
MOST = 100_000
#: Parts of an account, by what they are called.
PARTS = {
    "rows_read": "Rows read", "accepted": "Accepted", "duplicate": "Duplicates", "superseded": "Superseded",
    "quarantined": "Quarantined", "withdrawn": "Withdrawn", "merged": "Merged",
}  # fmt: skip
_MEANS = {
    "rows_read": "The records of the batch's files, or those that were reprocessed.",
    "accepted": "Records that became a version in history.",
    "duplicate": "Records that are neither in history nor in quarantine: they say what is known already, or the contract leaves them out.",
    "superseded": "Records for which a newer one was known already.",
    "quarantined": "Records that the contract refused; those that were reprocessed say by which batch.",
    "withdrawn": "Records that the source no longer has.",
    "merged": "Records that were merged into another.",
}
_COLUMNS = (
    Column("key", "Key"),
    Column("file", "File"),
    Column("line", "Line", "number"),
    Column("known_at", "Read (UTC)", "timestamp"),
)
_REFUSED = (
    *_COLUMNS,
    Column("checks", "Failed checks", "list"),
    Column("quarantine_id", "Record", link="/health/quarantine/{}"),
    Column("resolved_by", "Reprocessed by"),
)


def listed(reading: Reading, params: Given) -> Listing:
    """The records of one part of the account of an entity in a batch, in the order of files and lines.

    Raises:
        BadRequestError: There is no such part, entity or batch.
    """
    part, name, batch = params.get("part") or "", params.get("entity"), params.get("batch")
    if part not in PARTS:
        raise BadRequestError(words.say("no_such_account", name=part[:40], known=", ".join(PARTS)))
    accounts = reading.rows("select batch_id, entity from ops.row_accounts order by 1, 2")
    if not any(row["batch_id"] == batch and row["entity"] == name for row in accounts):
        raise BadRequestError(words.say("no_such_batch", name=f"{batch or ''} {name or ''}"[:80].strip()))
    entity = contracts.entities(contracts_in_use.overrides(reading.lake))[str(name)]
    rows, total = _rows(reading, entity, part, str(batch))
    says = _MEANS[part] if total == len(rows) else f"{_MEANS[part]} The first {len(rows):,} of {total:,}."
    return Listing(
        "rows", PARTS[part], says, _REFUSED if part == "quarantined" else _COLUMNS, rows,
        told=(("batch", str(batch)), ("entity", entity.name)),
    )  # fmt: skip


def _rows(reading: Reading, entity: Entity, part: str, batch: str) -> tuple[list[dict[str, Any]], int]:
    """The records, at most so many of them, and how many there are."""
    raw, history, refused = f"bronze.{entity.name}", entity.history.name, "silver.quarantine"
    names = {name for name in (raw, history, refused) if reading.lake.exists(name)}
    if not names:
        return [], 0
    with query.connect(reading.lake, layers=("bronze", "silver"), only=names) as connection:
        parts = {
            "bronze": _read(connection, raw, entity, "_ingested_at") if raw in names else _NOTHING,
            "history": _read(connection, history, entity, "known_at", "_outcome") if history in names else _NOTHING,
            "refused": _QUARANTINE if refused in names else _NOTHING,
        }
        ctes = ", ".join(f"{name} as ({sql})" for name, sql in parts.items())
        sql = f"with {ctes} {_PART.get(part) or _OUTCOME}"
        given = {"batch": batch, "entity": entity.name, **({} if part in _PART else {"part": part})}
        wanted = {name: given[name] for name in re.findall(r"[$](\w+)", sql)}
        total = connection.execute(f"select count(*) from ({sql})", wanted).fetchall()[0][0]
        cursor = connection.execute(f"select * from ({sql}) order by file, line limit {MOST}", wanted)
        columns = [column[0] for column in cursor.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()], int(total)


_PLACE = "key, file, line, known_at, batch_id"
_NOTHING = (
    "select null::varchar as key, null::varchar as file, null::bigint as line, null::timestamptz as known_at, "
    "null::varchar as batch_id, null::varchar as outcome, null::varchar[] as checks, null::varchar as quarantine_id, "
    "null::varchar as resolved_by where false"
)
_QUARANTINE = (
    "select record_key as key, source_file as file, source_row as line, known_at, batch_id, failed_checks as checks, "
    "quarantine_id, resolved_by from silver.quarantine "
    "where entity = $entity and not list_contains(failed_checks, 'record.erased')"
)
#: What a replay read stands in quarantine, what files held in bronze.
_ALL = (
    f"select {_PLACE} from bronze where batch_id = $batch union all "
    "select key, file, line, known_at, resolved_by from refused where resolved_by = $batch"
)
_PART = {
    "rows_read": _ALL,
    "quarantined": "select * from refused where batch_id = $batch",
    "duplicate": f"select * from ({_ALL}) anti join (select file, line from history where batch_id = $batch union all "
    "select file, line from refused where batch_id = $batch) using (file, line)",
}
_OUTCOME = f"select {_PLACE} from history where batch_id = $batch and outcome = $part"


def _read(connection: Any, table: str, entity: Entity, known_at: str, outcome: str = "null") -> str:
    """Keys and places of a table; the cells of an export may have other names than the contract's."""
    there = {row[0] for row in connection.execute(f"describe {table}").fetchall()}
    key = f'cast("{entity.key}" as varchar)' if entity.key in there else "null::varchar"
    return (
        f"select {key} as key, _source_file as file, _source_row as line, {known_at} as known_at, "
        f"_batch_id as batch_id, {outcome} as outcome from {table}"
    )
