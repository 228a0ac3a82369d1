"""The command `medallion upload`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import progress

from medallion.cli import console
from medallion.cli.command import Call, command, group
from medallion.deploy import upload as sending

app = group()


@command(
    app,
    examples=(
        "`medallion upload data --to adls --at abfss://lakehouse@crmlake.dfs.core.windows.net/landing`",
        "`medallion upload data --to volume --at /Volumes/crm_dev/bronze/landing`",
    ),
    lakehouse=False,
)
def upload(
    call: Call,
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
) -> None:
    """Send exports to the landing place: what is there is skipped, what was interrupted goes on."""
    if to not in ("adls", "volume"):
        raise typer.BadParameter(f"{to!r} is not adls or volume", param_hint="--to")
    items = sending.listed(folder)
    target: sending.Target
    if to == "adls":
        from medallion.deploy.adls import Adls  # the libraries of Azure, an extra

        target = Adls(at, workers)
    else:
        from medallion.deploy import workspace  # the SDK of Databricks, an extra
        from medallion.deploy.volume import Volume

        target = Volume(workspace.client(profile), at)
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(binary_units=True),
        progress.TransferSpeedColumn(),
    )
    with progress.Progress(*columns, console=console.screen(stderr=True), transient=True) as bar:
        task = bar.add_task("Sending", total=sum(item.size for item in items))
        done = sending.upload(items, target, lambda size: bar.advance(task, size), replace=replace, workers=workers)
    counts = {outcome: sum(item.outcome == outcome for item in done) for outcome in ("sent", "there", "refused")}
    document = {"at": at, **counts, "files": [asdict(item) for item in done]}
    call.answer(document, lambda: _show_sent(call, done, at, counts))
    if counts["refused"]:
        raise typer.Exit(1)


def _show_sent(call: Call, done: list[Any], at: str, counts: dict[str, int]) -> None:
    call.say(f"{counts['sent']} sent, {counts['there']} there already, {counts['refused']} refused: {at}")
    resumed = sum(item.resumed_bytes for item in done)
    if resumed:
        call.say(f"{resumed:,} bytes had been sent before and were not sent again.")
    call.say(*(f"{item.name}: {item.problem}" for item in done if item.outcome == "refused"))
