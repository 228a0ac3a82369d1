"""The commands that compute: `medallion run`, `init` and `replay`."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from medallion import addresses, figures, pipeline, temporary
from medallion.care import notices, status
from medallion.cli import console, days, notifying
from medallion.cli import proof as proving
from medallion.cli.command import Accept, Call, Contract, command, group
from medallion.cli.state import show_insights
from medallion.config import utc_now
from medallion.contracts import CONFIDENT
from medallion.errors import MedallionError, SourceError
from medallion.lakehouse import contracts_in_use
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import freshness
from medallion.pipeline.proof import note
from medallion.pipeline.result import Result

app = group()


@command(
    app,
    examples=(
        "`medallion run` · the sample, or what config.yaml says",
        "`medallion run --source exports/2025-07 --lakehouse /data/lake` · your own exports",
        "`medallion run --source data/updates` · a second delivery into the same tables",
        "`medallion run --as-of 2025-03-31` · gold as it stood at the end of March",
        "`medallion run --source crm --contract crm/contract.odcs.yaml` · with your own mapping",
        "`medallion run --source exports/2024-03 --known-at name` · an export of the past, as known at the end of March 2024",
    ),
)
def run(
    call: Call,
    source: Annotated[str | None, typer.Option(help="Folder of CRM exports [default: data].")] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Last day to count: `latest` (newest event in the data), `today` or a date."),
    ] = None,
    contract: Contract = None,
    accept: Accept = False,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Rebuild every gold table and read every file, whatever has changed.")
    ] = False,
    known_at: Annotated[
        str | None,
        typer.Option(
            "--known-at",
            help="When these files were delivered, for exports of the past: a date for its end, a time (UTC), or `name` for the day or month in the folder's name.",
        ),
    ] = None,
) -> None:
    """Bring new exports through bronze, silver and gold, and tell the insights."""
    settings = call.settings(
        source=source, as_of=as_of, contracts=tuple(contract) if contract else None, accept=accept or None
    )
    with notifying.on_error(settings, "run"), call.steps() as report:
        known = days.of_delivery(known_at, settings.source)
        result = pipeline.run(settings, utc_now(), report, full_refresh=full_refresh, known_at=known)
    insights, day = status.insights(call.lake), status.as_of(call.lake)

    def tell() -> None:
        show_result(call, result)
        if result.proof and result.first_proof:
            proving.show(call, result.proof)
        show_insights(call, insights, day, call.currency, note(call.lake))
        _next_steps(call, settings.source, settings.lakehouse)

    call.answer(_document(result, insights, day, call.lake) if call.as_json else None, tell)
    for label, refusal in result.wrong:
        console.wrong(f"{label}:", refusal.problem, refusal.remedy)
    notifying.tell(settings, notices.of_run(result))
    if result.wrong:
        raise typer.Exit(1)


def _document(result: Result, insights: dict[str, Any], day: date | None, lake: Lakehouse) -> dict[str, Any]:
    return {
        **insights,
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
        "proof": result.proof.document() if result.proof else None,
        "steps": result.steps,
        "seconds": result.seconds,
    }


def _refusals(items: list[Any]) -> list[dict[str, str]]:
    return [{"file": item.name, "problem": item.problem, "remedy": item.remedy} for item in items]


_ACCOUNT = ("entity", "rows_read", "accepted", "duplicate", "superseded", "quarantined")
#: Shown where there are any: what does not count, what has ended, and what no row of the batch says.
_LATER = ("excluded", "withdrawn", "merged", "implied")


def show_result(call: Call, result: Result) -> None:
    """What a run did with every row, what it did not read and why."""
    call.say(*result.recovered)
    if not result.changed:
        known = f" ({len(result.already_known)} files, all read before)" if result.already_known else ""
        call.screen.print(Text.assemble(("Nothing new", "bold"), f"{known}; every table is as it was."))
    elif not result.accounts:
        rebuilt = (
            f"{figures.count(len(result.rebuilt), 'table')} of gold rebuilt" if result.rebuilt else "gold is as it was"
        )
        call.screen.print(Text.assemble(("No new rows", "bold"), f"; {rebuilt}."))
    for table, reason in result.rebuilt.items():
        if reason in (freshness.REDEFINED, freshness.ELSEWHERE) or not result.accounts:
            call.say(f"{table.removeprefix('gold.')} is rebuilt: {reason}")
    ended = [name for name in _LATER if any(account[name] for account in result.accounts)]
    shown = (*_ACCOUNT, *ended)
    rows = [{name: account[name] for name in shown} for account in result.accounts]
    if len(rows) > 1:
        total: dict[str, Any] = {"entity": "all"}
        total |= {name: sum(row[name] for row in rows) for name in shown[1:]}
        rows.append(total)
    note = f"rows read = {' + '.join(name for name in shown[2:] if name != 'implied')}: holds"
    call.records("What happened to every row", rows, note)
    for account in result.accounts:
        if account["implied"]:
            call.say(
                f"{account['entity']}: {figures.count(account['implied'], 'record')} without a row of "
                f"{'its' if account['implied'] == 1 else 'their'} own ended, or {'refers' if account['implied'] == 1 else 'refer'} "
                "to the survivor of a merge now"
            )
        elif not account["rows_read"] and account["entity"] not in {item.entity for item in result.held}:
            call.say(f"{account['entity']}: a header and no rows")
    call.say(*result.given_up)
    for file, columns in result.new_columns.items():
        call.say(f"{file}: kept in bronze, not mapped: {_some(columns)}")
    for file, columns in result.missing_columns.items():
        call.say(f"{file}: lacks what the file before it had: {_some(columns)}")
    for file, count in result.skipped_lines.items():
        call.say(f"{file}: {figures.count(count, 'line')} above the header not read")
    if result.unfed and result.changed:
        call.say(f"No file here for these sources of the contract: {_some(result.unfed)}")
    for path in result.contracts:
        call.say(f"Read by the contract {path}")
    if quarantined := sum(account["quarantined"] for account in result.accounts):
        call.say(
            f"{quarantined:,} {'row waits' if quarantined == 1 else 'rows wait'} in quarantine with "
            f"{'its' if quarantined == 1 else 'their'} reasons: {call.typed('quarantine list')}"
        )
    call.say(*(f"Accepted: {note}" for note in result.notes))
    call.say(*(f"Warning: {text}" for text in result.warnings))
    if result.ignored and result.changed:
        call.say(f"Not a CRM export, left alone: {_some(result.ignored)}")


def _some(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    return ", ".join(names[:20]) + (f" and {len(names) - 20:,} more" if len(names) > 20 else "")


def _next_steps(call: Call, source: str, lakehouse: str) -> None:
    """Where the tables are and what to try."""
    call.say("", f"Tables: {lakehouse}/{{bronze,silver,gold,ops}} (Delta)")
    more = [f"run --source {shlex.quote(str(updates))}"] if (updates := Path(source, "updates")).is_dir() else []
    call.next("status", "plan", "dashboard --open", "export --format csv --to export", *more)


@command(
    app,
    examples=(
        "`medallion init exports/hubspot` · writes config/sources/hubspot.odcs.yaml",
        "`medallion init exports/old-crm --out crm.odcs.yaml` · then review it, and",
        "`medallion run --source exports/old-crm --contract crm.odcs.yaml`",
        "`medallion init exports/hubspot --interactive` · asks what is in doubt, one by one",
        "`medallion init exports/our-crm --preset our_crm.yaml` · with the headers that your CRM always writes",
    ),
    lakehouse=False,
)
def init(
    call: Call,
    folder: Annotated[str, typer.Argument(help="Folder of exports that no contract knows yet.")],
    out: Annotated[
        Path | None, typer.Option(help="Contract file to write [default: config/sources/FOLDER.odcs.yaml].")
    ] = None,
    preset: Annotated[
        Path | None,
        typer.Option(help="Standard headers of your CRM, such as crm.yaml [default: those of known CRMs]."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    interactive: Annotated[
        bool,
        typer.Option("--interactive", help="Ask about each doubt in turn, and write the answers into the contract."),
    ] = False,
) -> None:
    """Look at unknown exports and propose a contract for them, to be reviewed."""
    from medallion import proposal  # words and spellings of CRMs, which a run does not need
    from medallion.pipeline import sample

    folder = addresses.of_source(folder)
    name = re.sub(r"\W+", "_", Path(folder).resolve().name).strip("_") or "exports"
    target = out or Path("config/sources", f"{name}.odcs.yaml")
    if target.exists() and not force:
        raise SourceError(f"{target}: is there already", "Name another file with --out, or write over it with --force.")
    if interactive and not _at_a_terminal():
        raise MedallionError(
            "--interactive asks in a terminal, and this is none",
            "Run it in a terminal; or leave the option out, and answer in the contract that is written.",
        )
    ask = (lambda each: _asked(call, each)) if interactive else None
    proposed = proposal.propose(folder, name, preset, ask, utc_now().date())
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(proposed.text, encoding="utf-8")
    proof, why_not = sample.proved(folder, proposed.text)
    proved = {"proof": proof.document() if proof else None, "no_proof": why_not or None}
    document = {"contract": str(target), **asdict(proposed, dict_factory=_without_text), **proved}

    def tell() -> None:
        _show_proposed(call, proposed)
        if proof:
            proving.show(call, proof)
        elif why_not:
            call.say(f"No proof: {why_not}")
        _where_next(call, folder, str(target))

    call.answer(document, tell)
    if proposed.unreadable:
        raise typer.Exit(1)


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()


def _asked(call: Call, question: Any) -> Any:
    """The answer that someone chooses in the terminal; none when the doubt is left open."""
    call.say("", question.asks, f"  (in the contract: {question.line})")
    for place, answer in enumerate(question.answers, 1):
        call.say(f"  {place}  {answer.says}: {answer.comes_to}")
    call.say("  0  decide later: it stays a doubt, and nothing runs on it")
    most = len(question.answers)
    while True:
        given = typer.prompt(f"0 to {most}", err=call.as_json).strip()
        if given.isdigit() and int(given) <= most:
            return question.answers[int(given) - 1] if int(given) else None
        call.say(f"{given!r} is not a number from 0 to {most}.")


def _without_text(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if name != "text"}


def _where_next(call: Call, folder: str, target: str) -> None:
    """Where the contract is, and what to do next."""
    call.screen.print()
    call.say(
        f"Written: {target}",
        f"Next:    read it, then medallion run --source {shlex.quote(folder)} --contract {shlex.quote(target)}",
    )


def _show_proposed(call: Call, proposed: Any) -> None:
    """Show what a proposed contract says, and what to review."""
    if proposed.system:
        call.say(f"Looks like an export from {proposed.system}.")
    call.records("Proposed", proposed.tables)
    for table, rows in proposed.sampled.items():
        call.say(f"{table}: proposed from {rows}; `medallion run` looks at every row.")
    doubtful = [
        {name: row.get(name) for name in ("table", "entity", "column", "from", "confidence", "reason")}
        for row in proposed.columns
        if row.get("confidence") is not None and row["confidence"] < CONFIDENT
    ]
    call.records("To review: nothing runs on these unless you confirm them", doubtful)
    for table, columns in proposed.not_mapped.items():
        shown = ", ".join(columns[:12]) + (f" and {len(columns) - 12} more" if len(columns) > 12 else "")
        call.say(f"{table}: not mapped: {shown}")
    for table, why in proposed.not_used.items():
        call.say(f"Not used: {table}: {why}")
    for error in proposed.unreadable:
        call.say(f"Not read: {error.problem}")


@command(
    app,
    examples=(
        "`medallion replay 2025-06-30` · the figures of that day, by what is known now",
        "`medallion replay 2025-06-30 --known-as-of 2025-07-01 --to june` · as they were computed that night, kept in june",
    ),
)
def replay(
    call: Call,
    day: Annotated[str, typer.Argument(help="Last day to count, such as 2025-06-30.")],
    known_as_of: days.KnownAsOf = None,
    to: Annotated[
        str | None, typer.Option("--to", help="Lakehouse to write gold into [default: shown only, and gone after].")
    ] = None,
) -> None:
    """Compute gold as it was on a day, beside the lakehouse; the lakehouse itself is only read."""
    settings = call.settings()
    last, known = days.day(day, "DAY"), days.time(known_as_of)
    with temporary.folder() as folder:
        target = to or folder
        with call.steps() as report:
            pipeline.replay(settings, last, known, target, report)
        insights, currency = status.insights(Lakehouse(target)), contracts_in_use.currency(Lakehouse(target))

    def tell() -> None:
        show_insights(call, insights, last, currency)
        if to:
            call.say(f"Tables: {to}/gold (Delta)")

    call.answer({**insights, "as_of": last, "known_as_of": known, "lakehouse": to}, tell)
