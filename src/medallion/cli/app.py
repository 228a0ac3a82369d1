"""The `medallion` command."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from medallion import __version__, log
from medallion.cli import agent, dashboard, deploy, metrics, powerbi, report, upkeep
from medallion.errors import MedallionError
from medallion.figures import count, duration

app = typer.Typer(
    name="medallion",
    help="CRM exports to trusted gold tables and insights, on a laptop or on Databricks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog="**Examples**\n\n`medallion run` · then `medallion insights`, `medallion status`, "
    "`medallion export --format csv --to export`\n\n"
    "Exit status: 0 the laws hold and every file was taken in; 1 something is wrong, the message says what; "
    "2 the command line is wrong; 3 too little to learn from.",
)
_debug = False

Config = Annotated[Path | None, typer.Option("--config", help="Settings file [default: config/config.yaml].")]
LakehouseOption = Annotated[str | None, typer.Option("--lakehouse", help="Folder of the tables [default: lakehouse].")]
ContractOption = Annotated[
    list[Path] | None,
    typer.Option("--contract", help="Contract file laid over the shipped ones; may be given again. Remembered."),
]
AcceptOption = Annotated[
    bool, typer.Option("--accept", help="Run on a contract's guesses too, and take in files that are held back.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]


def main() -> None:
    """Run the command; a user's mistake is told in one message, a traceback only with `--debug`."""
    before = signal.signal(signal.SIGINT, lambda *_: _stop())
    try:
        app()
    except MedallionError as error:
        _fail(error)
    except Exception as error:
        if _debug:
            raise
        reason = str(error).strip().splitlines() or [type(error).__name__]
        _fail(
            MedallionError(
                f"Unexpected {type(error).__name__}: {reason[0][:300]}", "Run again with --debug for the traceback."
            )
        )
    finally:
        signal.signal(signal.SIGINT, before)


def _stop() -> NoReturn:
    """End at once: threads would wait for what the engine is at, and nothing half-written counts."""
    Console(stderr=True).print("\nStopped. The next command that writes continues or rolls back what was begun.")
    os._exit(130)


def _fail(error: MedallionError) -> NoReturn:
    if _debug:
        raise error
    log.event("error", logging.ERROR, kind=type(error).__name__, exit_status=error.exit_status)
    _say("Error:", error.problem, error.remedy)
    sys.exit(error.exit_status)


def _say(what: str, problem: str, remedy: str) -> None:
    """What is wrong and what to do about it, on standard error."""
    from medallion.cli.console import lines, screen

    console = screen(stderr=True)
    console.print(Text(what, style="bold red"), end=" ")
    lines(console, problem)
    if remedy:
        lines(console, remedy)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"medallion {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    log_file: Annotated[
        str | None,
        typer.Option(
            "--log-file",
            envvar="MEDALLION_LOG_FILE",
            help="Add events to this file, one a line; `-` is standard error.",
        ),
    ] = None,
    log_format: Annotated[
        Literal["json", "text"],
        typer.Option("--log-format", envvar="MEDALLION_LOG_FORMAT", help="How events are written."),
    ] = "json",
    log_level: Annotated[
        str,
        typer.Option("--log-level", envvar="MEDALLION_LOG_LEVEL", help="debug, info, warning or error."),
    ] = "info",
) -> None:
    global _debug
    _debug = debug
    if log_file:
        log.start(log_file, log_format, log_level)


def _dump(document: dict[str, Any] | list[Any]) -> None:
    from medallion.cli.console import dump

    dump(document)


def _settings(config: Path | None, **overrides: Any) -> Any:
    from medallion.config import load

    return load(config, **overrides)


def _lake(config: Path | None, lakehouse: str | None) -> Any:
    from medallion.lakehouse.store import Lakehouse

    return Lakehouse(_settings(config, lakehouse=lakehouse).lakehouse)


@app.command(
    epilog="""**Examples**

`medallion run` · the sample, or what config.yaml says

`medallion run --source exports/2025-07 --lakehouse /data/lake` · your own exports

`medallion run --source data/updates` · a second delivery into the same tables

`medallion run --as-of 2025-03-31` · gold as it stood at the end of March

`medallion run --source crm --contract crm/contract.odcs.yaml` · with your own mapping"""
)
def run(
    source: Annotated[str | None, typer.Option(help="Folder of CRM exports [default: data].")] = None,
    lakehouse: LakehouseOption = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Last day to count: `latest` (newest event in the data), `today` or a date."),
    ] = None,
    contract: ContractOption = None,
    accept: AcceptOption = False,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Rebuild every gold table, whatever has changed.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Bring new exports through bronze, silver and gold, and tell the insights."""
    from medallion import pipeline
    from medallion.cli import console as show
    from medallion.config import utc_now

    settings = _settings(
        config,
        source=source,
        lakehouse=lakehouse,
        as_of=as_of,
        contracts=tuple(contract) if contract else None,
        accept=accept or None,
    )
    screen = show.screen(stderr=as_json)
    with show.Progressing(screen) as report:
        result = pipeline.run(settings, utc_now(), report, full_refresh=full_refresh)
    from medallion.care import status  # loads what reads and writes SQL, which the run has no need of
    from medallion.lakehouse import remembered

    lake = _lake(config, settings.lakehouse)
    figures, day = status.insights(lake), status.as_of(lake)
    if as_json:
        _dump(_document(result, figures, day, lake))
    else:
        show.run(screen, result, settings.lakehouse)
        show.insights(screen, figures, day, remembered.currency(lake))
        show.next_steps(screen, settings.source, settings.lakehouse)
    for label, refusal in result.wrong:
        _say(f"{label}:", refusal.problem, refusal.remedy)
    if result.wrong:
        raise typer.Exit(1)


def _document(result: Any, figures: dict[str, Any], day: Any, lake: Any) -> dict[str, Any]:
    return {
        **figures,
        "as_of": day,
        "changed": result.changed,
        "run_id": result.run_id if result.changed else None,
        "batch_id": result.batch_id,
        "files_read": result.files,
        "files_already_known": result.already_known,
        "files_ignored": result.ignored,
        "accepted_doubts": result.notes,
        "files_refused": _refusals(result.refused),
        "files_held": _refusals(result.held),
        "files_given_up": result.given_up,
        "files_mostly_refused": _refusals(result.poor),
        "contracts": result.contracts,
        "recovered": result.recovered,
        "rebuilt": result.rebuilt,
        "columns_not_mapped": result.new_columns,
        "columns_missing": result.missing_columns,
        "lines_above_header": result.skipped_lines,
        "row_accounts": [{k: v for k, v in row.items() if k != "known_at"} for row in result.accounts],
        "tables": {name: lake.version(name) for name in lake.tables()},
        "steps": result.steps,
        "seconds": result.seconds,
    }


def _refusals(items: list[Any]) -> list[dict[str, str]]:
    return [{"file": item.name, "problem": item.problem, "remedy": item.remedy} for item in items]


@app.command(
    epilog="""**Examples**

`medallion init exports/hubspot` · writes config/sources/hubspot.odcs.yaml

`medallion init exports/old-crm --out crm.odcs.yaml` · then review it, and

`medallion run --source exports/old-crm --contract crm.odcs.yaml`"""
)
def init(
    folder: Annotated[str, typer.Argument(help="Folder of exports that no contract knows yet.")],
    out: Annotated[
        Path | None, typer.Option(help="Contract file to write [default: config/sources/FOLDER.odcs.yaml].")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Look at unknown exports and propose a contract for them, to be reviewed."""
    from medallion import proposal
    from medallion.cli import console as show
    from medallion.errors import SourceError

    name = re.sub(r"\W+", "_", Path(folder).resolve().name).strip("_") or "exports"
    target = out or Path("config/sources", f"{name}.odcs.yaml")
    if target.exists() and not force:
        raise SourceError(f"{target}: is there already", "Name another file with --out, or write over it with --force.")
    proposed = proposal.propose(folder, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(proposed.text, encoding="utf-8")
    if as_json:
        _dump({"contract": str(target), **asdict(proposed, dict_factory=_without_text)})
    else:
        show.proposed(show.screen(), proposed, folder, str(target))
    if proposed.unreadable:
        raise typer.Exit(1)


def _without_text(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if name != "text"}


@app.command(
    epilog="**Examples**\n\n`medallion replay 2025-06-30` · the figures of that day, by what is known now\n\n"
    "`medallion replay 2025-06-30 --known-as-of 2025-07-01 --to june` · as they were computed that night, kept in june"
)
def replay(
    day: Annotated[str, typer.Argument(help="Last day to count, such as 2025-06-30.")],
    known_as_of: Annotated[
        str | None,
        typer.Option(
            help="Count only what was known before this moment (UTC): a date and time, or a date for its end."
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="Lakehouse to write gold into [default: shown only, and gone after].")
    ] = None,
    lakehouse: LakehouseOption = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Compute gold as it was on a day, beside the lakehouse; the lakehouse itself is only read."""
    import tempfile

    from medallion import pipeline
    from medallion.care import status
    from medallion.cli import console as show
    from medallion.lakehouse import remembered
    from medallion.lakehouse.store import Lakehouse

    settings = _settings(config, lakehouse=lakehouse)
    last, known = _day(day, "DAY"), _moment(known_as_of)
    screen = show.screen(stderr=as_json)
    with tempfile.TemporaryDirectory(prefix="medallion-") as folder:
        target = to or folder
        with show.Progressing(screen) as report:
            pipeline.replay(settings, last, known, target, report)
        figures = status.insights(Lakehouse(target))
    if as_json:
        _dump({**figures, "as_of": last, "known_as_of": known, "lakehouse": to})
    else:
        show.insights(screen, figures, last, remembered.currency(Lakehouse(settings.lakehouse)))
        if to:
            show.line(screen, f"Tables: {to}/gold (Delta)")


def _day(text: str, name: str) -> date:
    from medallion.config import end_of_day

    try:
        return end_of_day(date.fromisoformat(text)).date() and date.fromisoformat(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a date such as 2025-06-30", param_hint=name) from None


def _moment(text: str | None) -> datetime | None:
    """A moment in UTC; a day alone means through its end."""
    from datetime import UTC

    from medallion.config import end_of_day

    if text is None:
        return None
    try:
        if len(text) == len("2025-06-30"):
            return end_of_day(date.fromisoformat(text))
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        message = f"{text!r} is not a date, nor a moment such as 2025-06-30T18:00"
        raise typer.BadParameter(message, param_hint="--known-as-of") from None


@app.command(epilog="**Examples**\n\n`medallion insights`\n\n`medallion insights --json | jq .win_rate`")
def insights(lakehouse: LakehouseOption = None, config: Config = None, as_json: Json = False) -> None:
    """Print the figures of the gold tables."""
    from medallion.care import status
    from medallion.cli import console as show
    from medallion.lakehouse import remembered

    lake = _lake(config, lakehouse)
    figures, day = status.insights(lake), status.as_of(lake)
    if as_json:
        _dump({**figures, "as_of": day})
    else:
        show.insights(show.screen(), figures, day, remembered.currency(lake))


@app.command(epilog="**Examples**\n\n`medallion status`\n\n`medallion status --json | jq .row_accounts`")
def status(lakehouse: LakehouseOption = None, config: Config = None, as_json: Json = False) -> None:
    """Show runs, batches, row accounts, quarantine and freshness."""
    from medallion.care import status as state
    from medallion.cli import console as show
    from medallion.config import utc_now

    settings = _settings(config, lakehouse=lakehouse)
    document = state.status(_lake(config, lakehouse), utc_now(), settings.contracts)
    if as_json:
        _dump(document)
        return
    screen = show.screen()
    show.records(screen, "Unfinished", document["unfinished"])
    show.records(screen, "Runs", document["runs"])
    if document["failures"]:
        show.records(screen, "Runs that failed", document["failures"])
    show.records(screen, "Batches", document["batches"])
    show.records(screen, "Row accounts", document["row_accounts"])
    show.records(screen, "Quarantine by failed check", document["quarantine"])
    show.records(screen, "Freshness", document["freshness"], "hours from the newest event to now")


@app.command(
    epilog="**Examples**\n\n`medallion simulate --customers 1000 --days 730 --seed 1 --out world` · then\n\n"
    "`medallion run --source world --lakehouse world-lake`\n\n"
    "`medallion simulate --customers 1000 --days 730 --seed 1 --out messy --mess some` · with what real exports do\n\n"
    "`medallion simulate --customers 1000 --days 730 --seed 1 --out daily --batches 7` · day_001 to day_007"
)
def simulate(
    customers: Annotated[int, typer.Option(help="Accounts; about 20 touches each in two years.")],
    days: Annotated[int, typer.Option(help="Days simulated, ending with the last day.")],
    seed: Annotated[int, typer.Option(help="Whole number; the same seed gives the same bytes.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    mess: Annotated[str, typer.Option(help="What is wrong with the exports: none, some or much.")] = "none",
    batches: Annotated[
        int, typer.Option(help="Deliveries: the last ones hold one day each, the first all before them.")
    ] = 1,
    last_day: Annotated[str, typer.Option(help="Last simulated day.")] = "2025-06-30",
    force: Annotated[bool, typer.Option("--force", help="Replace a simulation that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write exports of a simulated CRM world, with the true probability of every open deal beside them."""
    from time import perf_counter

    from medallion import simulate as simulating
    from medallion.cli import console as show

    begun = perf_counter()
    try:
        day = date.fromisoformat(last_day)
    except ValueError:
        raise typer.BadParameter(f"{last_day!r} is not a date such as 2025-06-30", param_hint="--last-day") from None
    world = simulating.World(customers, days, seed, last_day=day)
    made = simulating.simulate(world, out, mess, batches, force=force)
    if as_json:
        _dump({**made, "out": str(out), "seconds": round(perf_counter() - begun, 3)})
        return
    screen = show.screen()
    files = [{"file": f"{name}.csv", "rows": rows} for name, rows in made["rows"].items()]
    show.records(screen, "Simulated", [*files, {"file": "truth.parquet", "rows": made["open_leads"]}])
    show.line(screen, f"{world.first_day} to {day}, mess: {mess}, batches: {batches:,}")
    first = out if batches == 1 else out / f"day_{1:0{max(3, len(str(batches)))}d}"
    show.line(screen, f"Written: {out}, in {duration(perf_counter() - begun)}. Next: medallion run --source {first}")


queue = typer.Typer(help="Refused records: see them, correct them, take them up again.", no_args_is_help=True)
app.add_typer(queue, name="quarantine")

Reason = Annotated[
    str | None, typer.Option("--reason", help="Failed check such as `status.accepted`, or a column such as `status`.")
]


@queue.command(
    "list", epilog="**Examples**\n\n`medallion quarantine list`\n\n`medallion quarantine list --reason status.accepted`"
)
def quarantine_list(
    reason: Reason = None,
    entity: Annotated[str | None, typer.Option(help="Only records of this entity.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 50,
    lakehouse: LakehouseOption = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List the records that wait, each with its reasons and its place in the file."""
    from medallion.care import quarantine
    from medallion.cli import console as show

    found = quarantine.waiting(_lake(config, lakehouse), reason, entity)
    if as_json:
        _dump(found)
        return
    screen = show.screen()
    rows = [
        {
            "id": row["quarantine_id"],
            "entity": row["entity"],
            "key": row["record_key"],
            "source": f"{row['source_file']}:{row['source_row']}",
            "reasons": "; ".join(row["reasons"] or ()),
            "corrected": ", ".join(f"{name}={value}" for name, value in row["corrections"].items()),
        }
        for row in found[:limit]
    ]
    show.records(screen, count(len(found), "waiting record"), rows)
    show.queue(screen, len(found), limit)


@queue.command("show", epilog="**Examples**\n\n`medallion quarantine show 3F2A`")
def quarantine_show(
    quarantine_id: Annotated[str, typer.Argument(help="Identifier of the record, or the beginning of it.")],
    lakehouse: LakehouseOption = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show one record: its cells as they came, what fills which column, what was corrected."""
    from medallion.care import quarantine
    from medallion.cli import console as show

    found = quarantine.record(_lake(config, lakehouse), quarantine_id)
    if as_json:
        _dump(found)
    else:
        show.refused(show.screen(), found)


@queue.command(
    "suggest",
    epilog="**Examples**\n\n`medallion quarantine suggest`\n\n`medallion quarantine suggest --out corrections.csv`",
)
def quarantine_suggest(
    reason: Reason = None,
    out: Annotated[Path | None, typer.Option(help="Write them as CSV, for `fix --from`.")] = None,
    lakehouse: LakehouseOption = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Suggest likely repairs, each with its reason; nothing is changed."""
    from medallion.care import quarantine
    from medallion.cli import console as show

    settings = _settings(config, lakehouse=lakehouse)
    found = quarantine.suggest(_lake(config, lakehouse), settings, reason)
    if out:
        quarantine.write_suggestions(found, out)
    if as_json:
        _dump(found)
        return
    screen = show.screen()
    rows = [{"id" if name == "quarantine_id" else name: value for name, value in row.items()} for row in found[:50]]
    show.records(screen, count(len(found), "suggestion"), rows)
    if out:
        show.line(screen, f"Written: {out}. Read it, delete what is wrong, then medallion quarantine fix --from {out}")
    elif not found:
        show.line(screen, "No suggestion for what waits.")


@queue.command(
    "fix",
    epilog="**Examples**\n\n`medallion quarantine fix 3F2A --set status=won --set deal_value=1200`\n\n"
    "`medallion quarantine fix --from corrections.csv`",
)
def quarantine_fix(
    quarantine_id: Annotated[str | None, typer.Argument(help="Identifier of the record, or its beginning.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="column=value; may be given again. An empty value is none.")
    ] = None,
    source: Annotated[Path | None, typer.Option("--from", help="CSV with quarantine_id, column, value.")] = None,
    who: Annotated[str | None, typer.Option("--by", help="Who corrects [default: the user of this system].")] = None,
    lakehouse: LakehouseOption = None,
    config: Config = None,
) -> None:
    """Write corrections down: who, when, before and after. `replay` then takes the records up again."""
    import getpass

    from medallion.care import quarantine
    from medallion.cli import console as show
    from medallion.config import utc_now

    corrections = list(quarantine.from_csv(source)) if source else []
    for text in assignments or ():
        column, given, value = text.partition("=")
        if not given or not quarantine_id:
            raise typer.BadParameter(f"{text!r}: write ID --set column=value", param_hint="--set")
        corrections.append(quarantine.Correction(quarantine_id, column.strip(), value))
    if not corrections:
        raise typer.BadParameter("say what: ID --set column=value, or --from FILE", param_hint="--set")
    made = quarantine.fix(_settings(config, lakehouse=lakehouse), corrections, who or getpass.getuser(), utc_now())
    show.line(show.screen(), f"{count(made, 'correction')} written down. Next: medallion quarantine replay")


@queue.command(
    "replay",
    epilog="**Examples**\n\n`medallion quarantine replay` · the corrected ones\n\n"
    "`medallion quarantine replay --reason customer_id.reference` · missing accounts have arrived\n\n"
    "`medallion quarantine replay --all --contract crm.odcs.yaml` · the contract has changed",
)
def quarantine_replay(
    ids: Annotated[list[str] | None, typer.Argument(help="Identifiers of records [default: the corrected].")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every waiting record.")] = False,
    reason: Reason = None,
    contract: ContractOption = None,
    accept: AcceptOption = False,
    lakehouse: LakehouseOption = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Take records through the contract again; they are accepted or refused once more, and gold follows."""
    from medallion.care import quarantine
    from medallion.cli import console as show
    from medallion.config import utc_now

    settings = _settings(
        config, lakehouse=lakehouse, contracts=tuple(contract) if contract else None, accept=accept or None
    )
    screen = show.screen(stderr=as_json)
    with show.Progressing(screen) as report:
        result = quarantine.take_up(settings, utc_now(), report, everything=everything, reason=reason, ids=ids or ())
    if as_json:
        _dump({"row_accounts": [] if result is None else result.accounts})
    elif result is None:
        show.line(screen, "Nothing to take up: no waiting record has corrections. --all tries every one.")
    else:
        show.run(screen, result, settings.lakehouse)


@app.command(
    epilog="**Examples**\n\n`medallion forget C004 --reason 'GDPR request 2025-17' --dry-run`\n\n"
    "`medallion forget C004 --reason 'GDPR request 2025-17'`\n\n"
    "`medallion forget --resume` · complete an erasure that was interrupted"
)
def forget(
    customer_id: Annotated[str | None, typer.Argument(help="Key of the account, as in silver.customers_clean.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; it is kept, so name no one in it.")] = None,
    who: Annotated[str | None, typer.Option("--by", help="Who asks for it [default: the user of this system].")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Complete the erasure that was interrupted.")] = False,
    lakehouse: LakehouseOption = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Forget an account and its people: out of every layer and version, and not back with the next export."""
    import getpass

    from medallion.care import erasure
    from medallion.cli import console as show
    from medallion.config import utc_now

    settings, screen = _settings(config, lakehouse=lakehouse), show.screen(stderr=as_json)
    if resume:
        if customer_id is not None:
            raise typer.BadParameter("takes no key: it completes the erasure that was begun", param_hint="--resume")
        with show.Progressing(screen) as report:
            result = erasure.resume(settings, report)
    else:
        if customer_id is None:
            raise typer.BadParameter("name the account, or complete an interrupted erasure with --resume")
        if reason is None:
            raise typer.BadParameter("say why", param_hint="--reason")
        if not (dry_run or yes):
            typer.confirm(f"Remove everything about {customer_id}? It cannot be undone", abort=True, err=True)
        with show.Progressing(screen) as report:
            result = erasure.forget(
                settings, customer_id, reason, who or getpass.getuser(), utc_now(), report, dry_run=dry_run
            )
    if as_json:
        _dump(result)
    else:
        show.erased(screen, result)


@app.command(epilog="**Examples**\n\n`medallion tables`\n\n`medallion tables --lakehouse /data/lake --json`")
def tables(lakehouse: LakehouseOption = None, config: Config = None, as_json: Json = False) -> None:
    """List the tables with their rows, version and grain."""
    from medallion.care import status as state
    from medallion.cli import console as show

    found = state.tables(_lake(config, lakehouse))
    if as_json:
        _dump(found)
    else:
        show.records(show.screen(), "Tables", [{k: v for k, v in row.items() if k != "path"} for row in found])


@app.command(
    epilog="**Examples**\n\n`medallion export --format csv --to export`\n\n"
    "`medallion export --format parquet --to export --table gold.customer_features`"
)
def export(
    to: Annotated[Path, typer.Option(help="Folder to write into.")],
    form: Annotated[str, typer.Option("--format", help="parquet or csv.")] = "parquet",
    table: Annotated[
        list[str] | None, typer.Option(help="Table; may be given again [default: silver and gold].")
    ] = None,
    lakehouse: LakehouseOption = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Write tables as plain Parquet or CSV files."""
    from medallion.care import export as exporting
    from medallion.cli import console as show

    if form not in ("parquet", "csv"):
        raise typer.BadParameter(f"{form!r} is not parquet or csv", param_hint="--format")
    written = exporting.export(_lake(config, lakehouse), to, form, table or ())  # type: ignore[arg-type]
    if as_json:
        _dump(written)
    else:
        show.records(show.screen(), "Exported", written)


Models = Annotated[str | None, typer.Option("--models", help="Folder of the models [default: LAKEHOUSE/models].")]


@app.command(
    epilog="**Examples**\n\n`medallion train` · learn from the lakehouse, if there is enough to learn from\n\n"
    "`medallion train --if-needed` · only when `medallion monitor` says so\n\n"
    "`medallion train --as-of 2025-03-31 --horizon 60`"
)
def train(
    horizon: Annotated[int | None, typer.Option(min=1, max=730, help="Days within which a win counts.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Learn from outcomes up to this day.")] = None,
    if_needed: Annotated[bool, typer.Option("--if-needed", help="Only when monitoring recommends it.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Let the new model speak even if it cannot be shown to be as good.")
    ] = False,
    models: Models = None,
    lakehouse: LakehouseOption = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Learn the probability of winning an open deal, test it on later deals, and let the best model speak."""
    from medallion.cli import console as show
    from medallion.cli import scoring as tell
    from medallion.config import utc_now
    from medallion.learning import monitor, train

    settings = _settings(config, lakehouse=lakehouse, as_of=as_of, models=models)
    if horizon is not None:
        settings = settings.model_copy(update={"score": settings.score.model_copy(update={"horizon_days": horizon})})
    screen = show.screen(stderr=as_json)
    with show.Progressing(screen) as report:
        watched = monitor.watch(settings, report) if if_needed else None
        if watched and watched.recommendation == monitor.KEEP:
            outcome = None
        else:
            outcome = train.train(settings, utc_now(), report, anyway=replace)
    if as_json:
        _dump(
            asdict(outcome)
            if outcome
            else {"version": None, "reason": "not needed", "champion": watched and watched.champion}
        )
    elif outcome:
        tell.trained(screen, outcome)
    else:
        show.line(screen, f"Not needed: {'; '.join(watched.because) if watched else ''}.")


@app.command(
    epilog="**Examples**\n\n`medallion score` · the open deals most likely to be won, and why\n\n"
    "`medallion score --top 50 --json`"
)
def score(
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many deals to show.")] = 15,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Score as of this day.")] = None,
    models: Models = None,
    lakehouse: LakehouseOption = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Score the open deals, bring gold up to date with the scores, and show the best."""
    from medallion import pipeline
    from medallion.care import status
    from medallion.cli import console as show
    from medallion.cli import scoring as tell
    from medallion.config import utc_now

    settings = _settings(config, lakehouse=lakehouse, as_of=as_of, models=models)
    lake = _lake(config, settings.lakehouse)
    lake.delta("silver.leads_clean")
    screen = show.screen(stderr=as_json)
    with show.Progressing(screen) as report:
        result = pipeline.run(settings, utc_now(), report, halves=[pipeline.SILVER_TO_GOLD])
    found = status.scores(lake, top)
    if as_json:
        _dump({"changed": result.changed, "recovered": result.recovered, **found})
    else:
        for text in result.recovered:
            show.line(screen, text)
        tell.scores(screen, found)


@app.command(epilog="**Examples**\n\n`medallion explain L-1012`\n\n`medallion explain C004 --json`")
def explain(
    key: Annotated[str, typer.Argument(help="A deal or an account, such as L-1012 or C004.")],
    models: Models = None,
    lakehouse: LakehouseOption = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Tell why a deal or an account has its score, what would change it, and the rows behind it."""
    from medallion.care import explain as explaining
    from medallion.cli import console as show
    from medallion.cli import scoring as tell

    found = explaining.explain(_settings(config, lakehouse=lakehouse, models=models), key)
    if as_json:
        _dump(found)
    else:
        tell.explained(show.screen(), found)


@app.command(epilog="**Examples**\n\n`medallion monitor`\n\n`medallion monitor --json | jq .recommendation`")
def monitor(
    models: Models = None, lakehouse: LakehouseOption = None, config: Config = None, as_json: Json = False
) -> None:
    """Hold the model against the open deals of now and against what became of those it scored."""
    from medallion.cli import console as show
    from medallion.cli import scoring as tell
    from medallion.learning import monitor

    screen = show.screen(stderr=as_json)
    with show.Progressing(screen) as report:
        found = monitor.watch(_settings(config, lakehouse=lakehouse, models=models), report)
    if as_json:
        _dump(asdict(found))
    else:
        tell.watched(screen, found)


@app.command(
    "models",
    epilog="**Examples**\n\n`medallion models`\n\n`medallion models --use 2025-06-30-logistic-1a2b3c4d` · an earlier one\n\n"
    "`medallion models --use rules` · none: the rates per score band speak",
)
def list_models(
    use: Annotated[str | None, typer.Option("--use", help="Let this version speak, or `rules`.")] = None,
    models: Models = None,
    lakehouse: LakehouseOption = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List the trained models, or choose the one that speaks."""
    from medallion.cli import console as show
    from medallion.learning import train

    settings = _settings(config, lakehouse=lakehouse, models=models)
    if use is not None:
        train.use(settings, use)
    found = train.versions(settings)
    screen = show.screen()
    if as_json:
        _dump(found)
    elif found:
        show.records(screen, "Models", found)
    else:
        show.line(screen, "No model was trained yet: the rates per score band speak. Next: medallion train")
    if use is not None and not as_json:
        show.line(screen, "Next: medallion score, which brings gold up to date with it")


metrics.add_to(app)
agent.add_to(app)
report.add_to(app)
dashboard.add_to(app)
upkeep.add_to(app)
powerbi.add_to(app)
app.command(
    epilog="**Examples**\n\n"
    "`medallion upload data --to adls --at abfss://lakehouse@crmlake.dfs.core.windows.net/landing`\n\n"
    "`medallion upload data --to volume --at /Volumes/crm_dev/bronze/landing`"
)(deploy.upload)
app.command(epilog="**Examples**\n\n`medallion gate`\n\n`medallion gate --max-refused 0.02 --json`")(deploy.gate)
app.add_typer(deploy.databricks, name="databricks")
