"""The commands that tell what a lakehouse holds: `insights`, `status`, `tables`, `export` and `gate`."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from medallion.care import export as exporting
from medallion.care import gate as gates
from medallion.care import status as state
from medallion.cli import console
from medallion.cli.command import Call, command, group
from medallion.config import utc_now
from medallion.errors import MedallionError
from medallion.pipeline import extensions, proof

app = group()


@command(app, examples=("`medallion insights`", "`medallion insights --json | jq .win_rate`"), at=True, shows="own")
def insights(call: Call) -> None:
    """Print the figures of the gold tables."""
    figures, day = state.insights(call.lake), state.as_of(call.lake)
    note = proof.note(call.lake)
    call.answer({**figures, "as_of": day}, lambda: show_insights(call, figures, day, call.currency, note))


def show_insights(call: Call, figures: dict[str, Any], day: Any, currency: str, note: str = "") -> None:
    """The figures with their labels and definitions."""
    from medallion import metrics

    title = f"Insights as of {day}" if day else "Insights (no events in the data yet)"
    table = Table(
        title=title, title_justify="left", title_style="bold", show_header=False, box=box.SIMPLE_HEAD, pad_edge=False
    )
    table.add_column(style="bold")
    table.add_column(justify="right", style="cyan", no_wrap=True)
    table.add_column(style="dim")
    for name, value in figures.items():
        measure = metrics.metrics()[name].measure
        table.add_row(measure.display_name, metrics.written(name, value, currency), measure.comment)
    call.screen.print(table)
    if note:
        call.say(note)


@command(
    app,
    examples=("`medallion status`", "`medallion status --json | jq .row_accounts`"),
    at=True,
    shows="all",
    live=True,
)
def status(call: Call) -> None:
    """Show runs, manifests, batches, row accounts, quarantine and freshness."""
    document = state.status(call.lake, utc_now(), call.settings().contracts)

    def tell() -> None:
        call.records("Unfinished", document["unfinished"])
        if document["returned"]:
            call.records("Forgotten, and here again", document["returned"])
        call.records("Runs", document["runs"])
        call.records(
            "Manifests",
            document["manifests"],
            "Pass a number or a time to `--at`. `opens` says which can still be read.",
        )
        call.records("Runs that failed", document["failures"])
        call.records("Batches", document["batches"])
        for batch_id, accounts in groupby(document["row_accounts"], key=lambda account: account["batch_id"]):
            call.records(f"Row accounts of {batch_id}", _without_usual(list(accounts)))
        call.records("What the deals came to", document["proofs"])
        call.records("Quarantine by failed check", document["quarantine"])
        call.records("Freshness", document["freshness"], "hours from the newest event to now")

    call.answer(document, tell)


#: What is left out of row accounts where it is so in all of them.
_USUAL = {"excluded": 0, "withdrawn": 0, "merged": 0, "implied": 0, "erased": 0, "balanced": True}


def _without_usual(accounts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The accounts of a batch, without the columns that have their usual value in all of them."""
    usual = {
        "batch_id",
        *(name for name, value in _USUAL.items() if all(account[name] == value for account in accounts)),
    }
    return [{name: value for name, value in account.items() if name not in usual} for account in accounts]


@command(app, examples=("`medallion tables`", "`medallion tables --lakehouse /data/lake --json`"), at=True, shows="all")
def tables(call: Call) -> None:
    """List the tables with their rows, version and grain."""
    try:
        extensions.load(call.settings())
    except MedallionError as error:  # then only the grain of your own tables is unknown
        console.wrong("Warning:", error.problem, error.remedy)
    details = state.tables(call.lake)
    rows = [{name: value for name, value in row.items() if name not in ("path", "columns")} for row in details]
    call.answer(details, lambda: call.records("Tables", rows))


@command(
    app,
    examples=(
        "`medallion export --format csv --to export`",
        "`medallion export --format parquet --to export --table gold.customer_features`",
    ),
    at=True,
    shows="own",
)
def export(
    call: Call,
    to: Annotated[Path, typer.Option(help="Folder to write into.")],
    form: Annotated[str, typer.Option("--format", help="parquet or csv.")] = "parquet",
    table: Annotated[
        list[str] | None, typer.Option(help="Table; may be given again [default: silver and gold].")
    ] = None,
    show_pii: Annotated[
        bool, typer.Option("--show-pii", help="Write names, addresses and numbers of contacts and owners too.")
    ] = False,
) -> None:
    """Write tables as plain Parquet or CSV files."""
    if form not in ("parquet", "csv"):
        raise typer.BadParameter(f"{form!r} is not parquet or csv", param_hint="--format")
    written = exporting.export(call.lake, to, form, table or (), pii=show_pii)  # type: ignore[arg-type]

    def tell() -> None:
        call.records("Exported", [{name: entry[name] for name in ("table", "rows", "path")} for entry in written])
        for entry in written:
            if "left_out" in entry:
                call.say(f"{entry['table']}: without {entry['left_out']}; --show-pii writes these too.")

    call.answer(written, tell)


@command(app, examples=("`medallion gate`", "`medallion gate --max-refused 0.02 --json`"), at=True, shows="all")
def gate(
    call: Call,
    max_refused: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the newest delivery's rows that may be refused.")
    ] = 0.10,
) -> None:
    """Check the newest delivery and gold; end with 1 when they must not be published."""
    checks = gates.checks(call.lake, max_refused)
    rows = [
        {"check": c.name, "passed": "yes" if c.passed else "NO", "found": c.value, "allowed": c.limit} for c in checks
    ]
    call.answer(gates.as_dict(checks), lambda: call.records("Quality gate", rows))
    if not all(check.passed for check in checks):
        raise typer.Exit(1)
