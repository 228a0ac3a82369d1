"""The command `medallion simulate`."""

from __future__ import annotations

import shlex
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from medallion import simulate as simulating
from medallion.cli.command import Call, command, group
from medallion.figures import duration

app = group()


@command(
    app,
    examples=(
        "`medallion simulate --customers 1000 --days 730 --seed 1 --out world` · then",
        "`medallion run --source world --lakehouse world-lake`",
        "`medallion simulate --customers 1000 --days 730 --seed 1 --out messy --mess some` · with what real exports do",
        "`medallion simulate --customers 1000 --days 730 --seed 1 --out daily --batches 7` · day_001 to day_007",
    ),
    lakehouse=False,
)
def simulate(
    call: Call,
    customers: Annotated[int, typer.Option(help="Accounts; about 20 touches each in two years.")],
    days: Annotated[int, typer.Option(help="Days simulated, ending with the last day.")],
    seed: Annotated[int, typer.Option(help="Whole number; the same seed gives the same bytes.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    mess: Annotated[str, typer.Option(help="What is wrong with the exports: none, some or much.")] = "none",
    batches: Annotated[
        int, typer.Option(help="Deliveries: the last ones hold one day each, the first all before them.")
    ] = 1,
    people: Annotated[
        bool, typer.Option("--people", help="Also contacts, owners, quotas, people in deals and line items.")
    ] = False,
    last_day: Annotated[str, typer.Option(help="Last simulated day.")] = "2025-06-30",
    force: Annotated[bool, typer.Option("--force", help="Replace a simulation that is there.")] = False,
) -> None:
    """Write exports of a simulated CRM world, with the true probability of every open deal beside them."""
    begun = perf_counter()
    try:
        day = date.fromisoformat(last_day)
    except ValueError:
        raise typer.BadParameter(f"{last_day!r} is not a date such as 2025-06-30", param_hint="--last-day") from None
    world = simulating.World(customers, days, seed, last_day=day)
    summary = simulating.simulate(world, out, mess, batches, people=people, force=force)
    seconds = perf_counter() - begun

    def tell() -> None:
        files = [{"file": f"{name}.csv", "rows": rows} for name, rows in summary["rows"].items()]
        call.records("Simulated", [*files, {"file": "truth.parquet", "rows": summary["open_leads"]}])
        call.say(f"{world.first_day} to {day}, mess: {mess}, batches: {batches:,}")
        first = out if batches == 1 else out / f"day_{1:0{max(3, len(str(batches)))}d}"
        call.say(f"Written: {out}, in {duration(seconds)}.")
        call.next(f"run --source {shlex.quote(str(first))}")

    call.answer({**summary, "out": str(out), "seconds": round(seconds, 3)}, tell)
