"""Plain files for tools that do not read Delta: one Parquet or CSV file per table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import duckdb

from medallion.errors import MedallionError
from medallion.lakehouse import query
from medallion.lakehouse.store import Lakehouse

Format = Literal["parquet", "csv"]


def export(lake: Lakehouse, folder: Path, form: Format, names: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Write tables as `<folder>/<layer>.<table>.<form>`; gives one record per file (table, rows, path).

    Each file is written under another name first, put in place when it is whole and removed when it fails. In CSV a text that a
    spreadsheet would take for a formula (it starts with `=`, `+`, `-`, `@`, tab or carriage return) gets a
    leading apostrophe, and lists are written as JSON.

    Args:
        lake: The lakehouse.
        folder: Where to; made when missing.
        form: parquet or csv.
        names: Tables; all of silver and gold when empty.

    Raises:
        LakehouseError: There is no lakehouse.
        MedallionError: A table does not exist, or the folder cannot be written.
    """
    with query.connect(lake, layers=("silver", "gold", "ops")) as connection:
        present = [name for name in lake.tables() if not name.startswith("bronze.")]
        wanted = list(names) or [name for name in present if not name.startswith("ops.")]
        if unknown := [name for name in wanted if name not in present]:
            raise MedallionError(f"There is no table {unknown[0]}", f"Tables: {', '.join(present)}.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return [_write(connection, name, folder / f"{name}.{form}", form) for name in wanted]
        except (OSError, duckdb.IOException) as error:
            raise MedallionError(f"{folder}: cannot be written: {error}", "Choose another folder with --to.") from error


def _write(connection: Any, name: str, target: Path, form: Format) -> dict[str, Any]:
    part = target.with_suffix(target.suffix + ".part")
    select = f"select * from {name}" if form == "parquet" else query.for_spreadsheets(connection, name)
    options = "format parquet" if form == "parquet" else "format csv, header"
    place = str(part).replace("'", "''")
    try:
        count = connection.execute(f"copy ({select}) to '{place}' ({options})").fetchone()[0]
        part.replace(target)
    finally:
        if part.is_file():
            part.unlink()
    return {"table": name, "rows": count, "path": str(target)}
