"""The command `medallion records`."""

from __future__ import annotations

from typing import Annotated

import typer

from medallion import figures, metrics
from medallion.care import status
from medallion.cli.command import Call, command, group
from medallion.cli.metrics import AsOf, OrderBy, Period, Set, Where
from medallion.lakehouse import contracts_in_use, query
from medallion.metrics.compilers.duckdb import answer, written_rows
from medallion.metrics.question import Records

app = group()


@command(
    app,
    examples=(
        "`medallion records deals --where 'open and days_silent > 30' --order -value`",
        "`medallion records accounts --where 'country = Germany and won_value > 100000' --columns customer_name,won_value`",
        "`medallion records interactions --period 'last 7 days' --json`",
    ),
    at=True,
    shows="own",
)
def records(
    call: Call,
    entity: Annotated[
        str,
        typer.Argument(
            help="deals, accounts, interactions, stage_changes, deal_changes, responses, first_wins, slips or channels."
        ),
    ],
    where: Where = None,
    period: Period = None,
    order: OrderBy = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Only so many records.")] = 50,
    columns: Annotated[str | None, typer.Option("--columns", help="What is shown, with commas.")] = None,
    each: Annotated[
        str | None, typer.Option("--each", help="A column of each of whose values the first --limit records are shown.")
    ] = None,
    given: Set = None,
    as_of: AsOf = None,
) -> None:
    """List records, with the question as it was understood: which deals, which accounts."""
    contracts_in_use.for_readers(call.lake)
    asked = Records.read(entity, where, period, order or (), limit, columns or (), as_of, given or (), each)
    if view := metrics.views().get(asked.entity):
        status.needs(call.lake, view.tables)
    with query.connect(call.lake, layers=("gold", "silver")) as connection:
        result = answer(connection, asked, call.lake.version)
    document = {"entity": entity, "as_of": status.as_of(call.lake), **result.document()}

    def tell() -> None:
        shown = f"{result.shown:,} of " if not result.complete else ""
        title = f"{result.understood}: {shown}{figures.count(result.total, 'record')}"
        call.records(title, written_rows(result, call.currency))
        if not result.rows:
            call.say(f"No {entity.replace('_', ' ')}.")

    call.answer(document, tell)
