"""The commands `medallion doctor` and `medallion restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medallion.figures import count

Lake = Annotated[str | None, typer.Option("--lakehouse", help="Folder of the tables [default: lakehouse].")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings file [default: config/config.yaml].")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]


def add_to(app: typer.Typer) -> None:
    """Give the app these commands."""
    app.command(epilog="**Examples**\n\n`medallion doctor`\n\n`medallion doctor --json | jq .state`")(doctor)
    app.command(
        epilog="**Examples**\n\n`medallion restore --list`\n\n`medallion restore --to 2025-07-01T08:00:00 --dry-run`\n\n"
        "`medallion restore --table gold.deals --to 3`"
    )(restore)


def doctor(lakehouse: Lake = None, config: Config = None, as_json: Json = False) -> None:
    """Examine a lakehouse: logs, files, schemas, keys, row accounts, models. Ends with 1 when something is broken."""
    from medallion.care import doctor as examining
    from medallion.cli import console as show
    from medallion.config import load

    found = examining.examine(load(config, lakehouse=lakehouse))
    told = examining.document(found)
    if as_json:
        show.dump(told)
    else:
        screen = show.screen()
        bad = [one for one in found if one.state != examining.OK]
        show.records(
            screen,
            "Not well",
            [
                {"state": o.state, "check": o.check, "about": o.about, "says": o.says, "what to do": o.remedy}
                for o in bad
            ],
        )
        well = len(found) - len(bad)
        show.line(screen, f"{count(well, 'check')} passed, {len(bad)} not. The lakehouse is {told['state']}.")
    if told["state"] == examining.BROKEN:
        raise typer.Exit(1)


def restore(
    to: Annotated[str | None, typer.Option(help="Moment in UTC; with --table also a version.")] = None,
    table: Annotated[str | None, typer.Option(help="Only this table, such as gold.deals.")] = None,
    points: Annotated[bool, typer.Option("--list", help="List the states that can be gone back to.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    lakehouse: Lake = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Go back to how a run left the lakehouse; files that came later count as new again."""
    from medallion.care import restore as going_back
    from medallion.cli import console as show
    from medallion.config import load
    from medallion.errors import LakehouseError
    from medallion.lakehouse.store import Lakehouse

    lake = Lakehouse(load(config, lakehouse=lakehouse).lakehouse)
    screen = show.screen(stderr=as_json)
    if points or to is None:
        rows = [
            {"run": version, "ended": f"{stamp:%Y-%m-%dT%H:%M:%S.%f}"[:-3]}
            for version, stamp in going_back.points(lake)
        ]
        if as_json:
            show.dump(rows)
        else:
            show.records(screen, "Runs that can be gone back to (UTC)", rows)
        if not points:
            raise LakehouseError("--to is missing", "Give the moment of one of these runs.")
        return
    moves = going_back.plan(lake, to, table) if dry_run else going_back.apply(lake, to, table)
    rows = [
        {"table": m.table, "from version": m.now, "to version": "not there yet" if m.to is None else m.to}
        for m in moves
    ]
    if as_json:
        show.dump({"done": not dry_run, "moves": rows})
        return
    show.records(screen, "Would go back" if dry_run else "Went back", rows)
    if not rows:
        show.line(screen, "Nothing to do: that is how it stands.")
