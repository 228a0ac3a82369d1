"""The commands `medallion doctor`, `medallion verify`, `medallion maintain` and `medallion restore`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from medallion import figures
from medallion.care import doctor as examining
from medallion.care import maintain as maintaining
from medallion.care import restore as going_back
from medallion.care import verify as verifying
from medallion.cli.command import Call, DryRun, command, group
from medallion.config import utc_now
from medallion.errors import LakehouseError
from medallion.pipeline import extensions

app = group()


@command(app, examples=("`medallion doctor`", "`medallion doctor --json | jq .state`"), shows="all")
def doctor(call: Call) -> None:
    """Examine a lakehouse: logs, files, schemas, keys, row accounts, models. Ends with 1 when something is broken."""
    _tell(call, examining.examine(call.settings()))


@command(app, examples=("`medallion verify`", "`medallion verify --deep --json | jq .state`"), shows="all")
def verify(
    call: Call,
    deep: Annotated[
        bool, typer.Option("--deep", help="Hash the content of all tables, and compute gold anew to compare it.")
    ] = False,
) -> None:
    """Compare a lakehouse with its manifests. Ends with 1 when something is broken."""
    _tell(call, verifying.verify(call.settings(), deep))


@command(app, examples=("`medallion maintain`",))
def maintain(call: Call) -> None:
    """Compact tables and delete files that no manifest you can still open needs (the last 30 days and each month's last)."""
    extensions.load(call.settings())  # your own tables of gold are kept up as well
    left = maintaining.left_to(call.lake)
    done = [] if left else maintaining.maintain(call.lake, utc_now())
    rows = [asdict(table) for table in done]
    changed = [row for row in rows if row["removed"] or row["files_before"] != row["files_after"]]

    def tell() -> None:
        call.records("Maintained", changed)
        if left:
            call.say(left)
        elif not changed:
            call.say("Nothing to do: few files, and all are needed.")

    call.answer(rows, tell)


def _tell(call: Call, findings: list[examining.Finding]) -> None:
    document = examining.document(findings)
    bad = [finding for finding in findings if finding.state != examining.OK]
    rows = [{"state": o.state, "check": o.check, "about": o.about, "says": o.says, "what to do": o.remedy} for o in bad]

    def tell() -> None:
        call.records("Not well", rows)
        well = figures.count(len(findings) - len(bad), "check")
        call.say(f"{well} passed, {len(bad)} not. The lakehouse is {document['state']}.")

    call.answer(document, tell)
    if document["state"] == examining.BROKEN:
        raise typer.Exit(1)


@command(
    app,
    examples=(
        "`medallion restore --list`",
        "`medallion restore --to 12 --dry-run`",
        "`medallion restore --to 2025-07-01T08:00:00`",
        "`medallion restore --table gold.deals --to 3`",
    ),
)
def restore(
    call: Call,
    to: Annotated[
        str | None, typer.Option(help="Number of a manifest, or a time in UTC; with --table a number is a version.")
    ] = None,
    table: Annotated[str | None, typer.Option(help="Only this table, such as gold.deals.")] = None,
    points: Annotated[bool, typer.Option("--list", help="List the states that can be gone back to.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Go back to how a command left the lakehouse; files that came later count as new again."""
    if points or to is None:
        states = [
            {"manifest": point.manifest, "ended": f"{point.ended:%Y-%m-%dT%H:%M:%S.%f}"[:-3], "by": point.by}
            for point in going_back.points(call.lake)
        ]
        call.answer(states, lambda: call.records("States that can be gone back to (UTC)", states))
        if not points:
            raise LakehouseError("--to is missing", "Give the number or the time of one of these states.")
        return
    moves = going_back.plan(call.lake, to, table) if dry_run else going_back.apply(call.lake, to, table)
    rows = [
        {"table": m.table, "from version": m.now, "to version": "not there yet" if m.to is None else m.to}
        for m in moves
    ]

    def tell() -> None:
        call.records("Would go back" if dry_run else "Went back", rows)
        if not rows:
            call.say("Nothing to do: that is how it stands.")

    call.answer({"done": not dry_run, "moves": rows}, tell)
