"""The command `medallion reprocess`."""

from __future__ import annotations

from typing import Annotated

import typer

from medallion import figures
from medallion.care import reprocess as reading
from medallion.cli.command import Accept, Call, Contract, DryRun, Yes, command, group
from medallion.cli.run import show_result
from medallion.config import utc_now

app = group()


@command(
    app,
    examples=(
        "`medallion reprocess --dry-run` · what the present contract makes of what was read before",
        "`medallion reprocess --contract crm.odcs.yaml` · shows won, lost and open before and after, then asks",
        "`medallion reprocess --entity leads --yes` · only the deals, without a question",
    ),
)
def reprocess(
    call: Call,
    entity: Annotated[
        list[str] | None, typer.Option("--entity", help="Entity to read again; may be given again [default: all].")
    ] = None,
    contract: Contract = None,
    accept: Accept = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Read again what bronze has, by the present contract and code; the reading before stays replayable, and gold follows."""
    settings = call.settings(contracts=tuple(contract) if contract else None, accept=accept or None)
    only = entity or ()
    if dry_run or not yes:
        with call.steps() as report:
            change = reading.preview(settings, utc_now(), only, report)
        if not dry_run:
            _show(call, change, "What reading again would change")
            typer.confirm("Read again?", abort=True, err=True)
    if not dry_run:
        with call.steps() as report:
            change = reading.apply(settings, utc_now(), only, report)

    def tell() -> None:
        _show(call, change, "Would change" if dry_run else "What reading again changed")
        if not dry_run:
            show_result(call, change.result)

    call.answer({"done": not dry_run, **change.document()}, tell)


def _show(call: Call, change: reading.Change, title: str) -> None:
    """Deals won, lost and open before and after."""
    rows = [
        {
            **row,
            **{name: figures.money(row[name], row["currency"]) for name in ("value before", "value after")},
        }
        for row in change.rows()
    ]
    call.records(title, rows)
    call.say(f"Before: {change.before.says}", f"After:  {change.after.says}")
