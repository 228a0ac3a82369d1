"""The command `medallion forecast`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from medallion.cli.command import Call, command, group
from medallion.config import utc_now
from medallion.figures import count, money
from medallion.learning import forecasts
from medallion.learning.forecasts import Forecast

app = group()


@command(
    app,
    examples=(
        "`medallion forecast` · the quarter of the newest day",
        "`medallion forecast --period Q3-2025 --by owner`",
        "`medallion forecast --period 2025-07 --no-new --json`",
    ),
    shows="own",
)
def forecast(
    call: Call,
    period: Annotated[
        str | None, typer.Option(help="A quarter, a month or a year: Q3-2025, 2025-07, 2025 [default: this quarter].")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(help="Split by owner, product, source, industry, country, size_band, stage or quality."),
    ] = None,
    new: Annotated[
        bool, typer.Option("--new/--no-new", help="Expect revenue from deals that are not opened yet, too.")
    ] = True,
    keep: Annotated[
        bool, typer.Option("--keep/--no-keep", help="Keep the forecast, to be compared with what comes.")
    ] = True,
) -> None:
    """Forecast the revenue of a period with its intervals, and keep the forecast to be compared with what comes.

    That of a rep's or manager's own deals is not kept.
    """
    result = forecasts.make(call.settings(), utc_now(), period, by, new_deals=new, keep=keep)
    call.answer(asdict(result), lambda: _show(call, result))


def _show(call: Call, forecast: Forecast) -> None:
    """Show the forecast as a table with its parts, and the deals listed apart from it."""

    def amount(value: float) -> str:
        return money(value, call.currency)

    with_quota = any(part["quota"] is not None for part in (forecast.total, *forecast.groups))

    def row(part: dict[str, Any], name: str) -> dict[str, Any]:
        return {
            forecast.dimension or "": name,
            "expected": amount(part["expected"]),
            "80%": f"{amount(part['low_80'])} to {amount(part['high_80'])}",
            "50%": f"{amount(part['low_50'])} to {amount(part['high_50'])}",
            "won": amount(part["won"]),
            "open deals": amount(part["open"]),
            "new deals": amount(part["new"]),
            "commit": amount(part["commit"]),
            "best case": amount(part["best_case"]),
            **({"quota": money(part["quota"], call.currency, none="")} if with_quota else {}),
        }

    rows = [row(part, str(part[forecast.dimension])) for part in forecast.groups if forecast.dimension]
    by = f"{count(forecast.scored_deals)} of {count(forecast.open_deals, 'open deal')} scored by a model, the rest by age"
    call.records(
        f"Revenue of {forecast.period.name} ({forecast.period.first} to {forecast.period.last}), as of {forecast.as_of}",
        [*rows, row(forecast.total, "total" if rows else "revenue")],
        f"{by}. Commit and best case: won, and deals with a probability from 70% and 40%.",
    )
    call.say(f"Pipeline (expected close date in the period): {amount(forecast.pipeline)}")
    for name, what in (("overdue", "expected close date has passed"), ("slipped", "moved out of the period")):
        part = getattr(forecast, name)
        if part["deals"]:
            call.say(f"{name.capitalize()} ({what}): {count(part['deals'], 'deal')}, {amount(part['value'])}")
    if forecast.unknown:
        call.say(f"Not counted, without a value or a probability: {count(forecast.unknown, 'open deal')}")
