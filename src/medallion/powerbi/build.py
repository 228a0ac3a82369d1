"""From the lakehouse to the files: `.pbix` with data, `.pbit` without, and the PBIP project as text."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from medallion.access import Person
from medallion.errors import MedallionError
from medallion.powerbi import evaluate, layout, pbix, reach, roles, rows, theme, tmdl
from medallion.powerbi import pictures as drawings
from medallion.powerbi.m import Databricks, Folder, Source
from medallion.powerbi.model import Model, model
from medallion.powerbi.pages import pages

NAME = "sales_pipeline_dashboard"
#: Rows of all tables that are written into a .pbix; more are for Power BI to fetch.
MOST_ROWS = 1_000_000
_FABRIC = "https://developer.microsoft.com/json-schemas/fabric"


@dataclass(frozen=True)
class Built:
    """What was written.

    Attributes:
        files: Paths, folders of the project as one each.
        rows: Rows by table, of the data in the .pbix; empty without one.
        notes: What a reader of the files should know.
    """

    files: list[Path]
    rows: dict[str, int]
    notes: list[str]


def build(
    connection: duckdb.DuckDBPyConnection, folder: Path, source: Source | None = None, with_data: bool = True,
    pictures: bool = False, *, currency: str, note: str = "", people: Sequence[Person] = (),
) -> Built:  # fmt: skip
    """Write all files; those of an earlier build are replaced, nothing else in the folder is touched.

    Args:
        connection: From `medallion.lakehouse.query.connect`, with the layers gold and silver.
        folder: Where to; made when missing.
        source: Where Power BI refreshes from; a folder of exported Parquet files when None.
        with_data: Whether to write the .pbix with the data in it.
        pictures: Whether to draw the pages too; needs the data.
        currency: ISO code of the amounts.
        note: What became of amounts in other currencies; added to the description of the table of deals.
        people: Who may see what; the model has a role for them.

    Raises:
        MedallionError: pbix-mcp is missing, the folder cannot be written, there are too many rows, or a value
            cannot be held by Power BI.
    """
    evaluate.needed()
    whole, refreshed = model(currency), source or Folder()
    for page in pages():
        reach.check(page, whole)
    if note:
        tables = [replace(t, description=f"{t.description} {note}") if t.name == "Deals" else t for t in whole.tables]
        whole = replace(whole, tables=tuple(tables))
    whole = replace(whole, permissions=roles.permissions(connection, people, [table.name for table in whole.tables]))
    if isinstance(refreshed, Databricks) and refreshed.live and with_data:
        raise MedallionError("a live report holds no data", "Add --no-data to --live.")
    if pictures and not with_data:
        raise MedallionError("pages are drawn from the data", "Leave away --no-data or --pictures.")
    if pictures:
        drawings.needed()
    data = rows.Rows({})
    if with_data:
        count = rows.size(connection, whole)
        if count > MOST_ROWS:
            raise MedallionError(
                f"{count:,} rows, and a .pbix is written with at most {MOST_ROWS:,}",
                "Add --no-data and let Power BI load them, or --no-data --live with a Databricks source to ask the warehouse.",
            )
        if pictures:
            drawings.fits(count)
        data = rows.read(connection, whole)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = [*_project(folder, whole, refreshed), _put(folder / f"{NAME}.pbit", pbix.pbit(whole, refreshed))]
        if with_data:
            files.append(_put(folder / f"{NAME}.pbix", pbix.pbix(whole, data, refreshed)))
        if with_data and pictures:
            files += drawings.draw(whole, data, folder / "pages")
    except OSError as error:
        raise MedallionError(f"{folder}: cannot be written: {error}", "Choose another folder with --out.") from error
    return Built(
        files, {name: len(table) for name, table in data.tables.items()}, [*data.notes, *([note] if note else [])]
    )


def project(whole: Model, source: Source) -> dict[str, str]:
    """The PBIP project as text by path."""
    report, semantic = f"{NAME}.Report", f"{NAME}.SemanticModel"
    files = {
        f"{NAME}.pbip": _json(
            {
                "$schema": f"{_FABRIC}/pbip/pbipProperties/1.0.0/schema.json",
                "version": "1.0",
                "artifacts": [{"report": {"path": report}}],
                "settings": {"enableAutoRecovery": True},
            }
        ),
        f"{semantic}/.platform": _platform("SemanticModel"),
        f"{semantic}/definition.pbism": _json(
            {
                "$schema": f"{_FABRIC}/item/semanticModel/definitionProperties/1.0.0/schema.json",
                "version": "4.2",
                "settings": {},
            }
        ),
        f"{report}/.platform": _platform("Report"),
        f"{report}/definition.pbir": _json(
            {
                "$schema": f"{_FABRIC}/item/report/definitionProperties/2.0.0/schema.json",
                "version": "4.0",
                "datasetReference": {"byPath": {"path": f"../{semantic}"}},
            }
        ),
        f"{report}/StaticResources/RegisteredResources/{layout.THEME_FILE}": _json(theme.theme()),
    }
    files |= {f"{report}/definition/{path}": _json(content) for path, content in layout.pbir().items()}
    return files | {f"{semantic}/definition/{path}": text for path, text in tmdl.tmdl(whole, source).items()}


def _project(folder: Path, whole: Model, source: Source) -> list[Path]:
    texts = project(whole, source)
    folders = []
    for top in dict.fromkeys(Path(path).parts[0] for path in texts):
        folders.append(folder / top)
        if (folder / top).is_dir():
            # files of visuals and tables that are gone must not stay behind
            shutil.rmtree(folder / top / "definition", ignore_errors=True)
    for path, text in texts.items():
        _put(folder / path, text.encode())
    return folders


def _put(path: Path, content: bytes) -> Path:
    """A file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _platform(kind: str) -> str:
    return _json(
        {
            "$schema": f"{_FABRIC}/gitIntegration/platformProperties/2.0.0/schema.json",
            "metadata": {"type": kind, "displayName": NAME},
            "config": {"version": "2.0", "logicalId": tmdl.tag("item", kind)},
        }
    )


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
