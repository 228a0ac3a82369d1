"""Commands that bring exports and the job to Azure and Databricks."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def upload(
    folder: Annotated[Path, typer.Argument(help="Folder of exports.")],
    to: Annotated[
        str, typer.Option("--to", help="`adls`, a container of Azure storage, or `volume`, of Unity Catalog.")
    ],
    at: Annotated[
        str,
        typer.Option(
            "--at", help="abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/FOLDER, or /Volumes/CATALOG/SCHEMA/VOLUME."
        ),
    ],
    replace: Annotated[bool, typer.Option("--replace", help="Write over files with other content.")] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Files, and pieces of files, sent at once.")] = 4,
    profile: Annotated[str | None, typer.Option(help="Section of ~/.databrickscfg, for a volume.")] = None,
    as_json: Json = False,
) -> None:
    """Send exports to the landing place: what is there is skipped, what was interrupted goes on."""
    from rich import progress

    from medallion import console as show
    from medallion.deploy import upload as sending

    if to not in ("adls", "volume"):
        raise typer.BadParameter(f"{to!r} is not adls or volume", param_hint="--to")
    items = sending.listed(folder)
    target: sending.Target
    if to == "adls":
        from medallion.deploy.adls import Adls

        target = Adls(at, workers)
    else:
        from medallion.deploy import workspace
        from medallion.deploy.volume import Volume

        target = Volume(workspace.client(profile), at)
    screen = show.screen(stderr=True)
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(binary_units=True),
        progress.TransferSpeedColumn(),
    )
    with progress.Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("Sending", total=sum(item.size for item in items))
        done = sending.upload(items, target, lambda size: bar.advance(task, size), replace=replace, workers=workers)
    _tell_sent(done, at, as_json)
    if any(item.outcome == "refused" for item in done):
        raise typer.Exit(1)


def _tell_sent(done: list[Any], at: str, as_json: bool) -> None:
    from medallion import console as show

    counts = {outcome: sum(item.outcome == outcome for item in done) for outcome in ("sent", "there", "refused")}
    if as_json:
        typer.echo(json.dumps({"at": at, **counts, "files": [asdict(item) for item in done]}, indent=2))
        return
    screen = show.screen()
    show.line(screen, f"{counts['sent']} sent, {counts['there']} there already, {counts['refused']} refused: {at}")
    resumed = sum(item.resumed_bytes for item in done)
    if resumed:
        show.line(screen, f"{resumed:,} bytes had been sent before and were not sent again.")
    for item in done:
        if item.outcome == "refused":
            show.line(screen, f"{item.name}: {item.problem}")
