"""The command `medallion powerbi build`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medallion import access
from medallion.care import status
from medallion.cli.command import Call, command, group
from medallion.errors import MedallionError
from medallion.lakehouse import contracts_in_use, query
from medallion.pipeline import proof

app = group("powerbi", "Power BI files from the gold tables and the metrics.")
app.callback()(lambda: None)


@command(
    app,
    examples=(
        "`medallion powerbi build`",
        r"`medallion powerbi build --out /tmp/report --folder 'D:\sales\export'`",
        "`medallion powerbi build --no-data --host adb-1.2.azuredatabricks.net "
        "--http-path /sql/1.0/warehouses/abc --catalog crm --live`",
    ),
    at=True,
    shows="all",
)
def build(
    call: Call,
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")] = Path("dashboards"),
    folder: Annotated[
        str | None, typer.Option("--folder", help="Folder of exported Parquet files that Power BI refreshes from.")
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help="Databricks: server hostname of the warehouse.")] = None,
    http_path: Annotated[str | None, typer.Option("--http-path", help="Databricks: HTTP path of it.")] = None,
    catalog: Annotated[str | None, typer.Option("--catalog", help="Databricks: catalog with silver and gold.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Databricks: ask the warehouse at each look.")] = False,
    data: Annotated[bool, typer.Option("--data/--no-data", help="Write the .pbix with the data in it.")] = True,
    pictures: Annotated[bool, typer.Option("--pictures", help="Also draw each page as a picture.")] = False,
) -> None:
    """Write the Power BI report: .pbix with data, .pbit without, and the PBIP project as text."""
    from medallion.powerbi import build, m, model  # they load the engine's functions, which `--help` has no need of

    warehouse = m.Databricks(host, http_path, catalog, live) if host and http_path and catalog else None
    if (host or http_path or catalog) and (warehouse is None or folder):
        raise MedallionError(
            "a Databricks source is --host, --http-path and --catalog together, without --folder",
            "The warehouse's page in Databricks shows host and path under Connection details.",
        )
    if live and not warehouse:
        raise MedallionError("--live needs a Databricks source", "Give --host, --http-path and --catalog.")
    source = warehouse or (m.Folder(folder) if folder else m.Folder())
    contracts_in_use.for_readers(call.lake)
    status.needs(call.lake, [name for table in model.model().tables for name in table.sources])
    declared = call.settings().access
    people = access.read(declared) if declared else ()
    with query.connect(call.lake, layers=("gold", "silver")) as connection:
        built = build.build(
            connection, out, source, data, pictures, currency=call.currency, note=proof.note(call.lake), people=people
        )
    files = [{"file": str(path), "kB": round(_size(path) / 1000)} for path in built.files]

    def tell() -> None:
        call.records("Power BI files", files)
        if built.rows:
            call.say(", ".join(f"{name} {count}" for name, count in built.rows.items()))
        call.say(*built.notes)

    call.answer({"files": files, "rows": built.rows, "notes": built.notes}, tell)


def _size(path: Path) -> int:
    return (
        sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size
    )
