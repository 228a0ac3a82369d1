"""Plain files for tools that do not read Delta: one Parquet or CSV file per table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import duckdb

from medallion.errors import MedallionError
from medallion.lakehouse import contracts_in_use, query
from medallion.lakehouse.store import Lakehouse

Format = Literal["parquet", "csv"]


#: Entities whose personal columns are written by permission alone.
_PERSONAL = ("contacts", "owners")
_QUARANTINE = "silver.quarantine"


def export(
    lake: Lakehouse, folder: Path, form: Format, names: Iterable[str] = (), *, pii: bool = False
) -> list[dict[str, Any]]:
    """Write tables as `<folder>/<layer>.<table>.<form>`; gives one record per file (table, rows, path, and what is left out).

    Each file is written under another name first, put in place when it is whole and removed when it fails. In CSV a text that a
    spreadsheet would take for a formula (it starts with `=`, `+`, `-`, `@`, tab or carriage return) gets a
    leading apostrophe, and lists are written as JSON.

    Args:
        lake: The lakehouse.
        folder: Where to; made when missing.
        form: parquet or csv.
        names: Tables; all of silver and gold when empty.
        pii: Also the personal columns of contacts and owners, and what their refused records say.

    Raises:
        LakehouseError: There is no lakehouse.
        MedallionError: A table does not exist, the folder cannot be written, or who looks may not see personal data.
    """
    if pii and lake.seen_by and not lake.seen_by.personal:
        raise MedallionError(f"{lake.seen_by.user} may not see personal data", "Leave --show-pii out.")
    with query.connect(lake, layers=("silver", "gold", "ops")) as connection:
        present = [name for name in lake.tables() if not name.startswith("bronze.")]
        present = query.readable(connection, present) if lake.seen_by else present
        wanted = list(names) or [name for name in present if not name.startswith("ops.")]
        if unknown := [name for name in wanted if name not in present]:
            raise MedallionError(f"There is no table {unknown[0]}", f"Tables: {', '.join(present)}.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            hidden = {} if pii else _hidden(lake)
            return [_write(connection, name, folder / f"{name}.{form}", form, hidden.get(name, ())) for name in wanted]
        except (OSError, duckdb.IOException) as error:
            if isinstance(error, duckdb.Error) and ".part" not in str(error):
                raise  # of what is read
            raise MedallionError(f"{folder}: cannot be written: {error}", "Choose another folder with --to.") from error


def _hidden(lake: Lakehouse) -> dict[str, tuple[str, ...]]:
    """Per table the columns that are not written: of quarantine those that quote records of people."""
    hidden: dict[str, tuple[str, ...]] = {_QUARANTINE: ("raw", "reasons")}
    for entity in (each for name, each in contracts_in_use.for_readers(lake).items() if name in _PERSONAL):
        columns = tuple(column.name for column in entity.columns if column.pii)
        hidden |= dict.fromkeys((entity.clean.name, entity.history.name), columns)
    return hidden


def _write(connection: Any, name: str, target: Path, form: Format, hidden: tuple[str, ...]) -> dict[str, Any]:
    part = target.with_suffix(target.suffix + ".part")
    omitted: dict[str, Any] = {}
    source, there = name, set(connection.table(name).columns) if hidden else set()
    if left := [column for column in hidden if column in there]:
        source = "exported"
        if name == _QUARANTINE:
            of_people = f"entity in ({', '.join(map(repr, _PERSONAL))})"
            shown = (
                f"replace ({', '.join(f'case when not {of_people} then {column} end as {column}' for column in left)})"
            )
        else:
            shown, omitted = f"exclude ({', '.join(left)})", {"left_out": ", ".join(left)}
        connection.execute(f"create or replace temp view {source} as select * {shown} from {name}")
    select = f"select * from {source}" if form == "parquet" else query.for_spreadsheets(connection, source)
    options = "format parquet" if form == "parquet" else "format csv, header"
    place = str(part).replace("'", "''")
    try:
        count = connection.execute(f"copy ({select}) to '{place}' ({options})").fetchone()[0]
        part.replace(target)
    finally:
        if part.is_file():
            part.unlink()
    return {"table": name, "rows": count, "path": str(target), **omitted}
