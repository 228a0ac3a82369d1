"""The commands of the sales agent: `plan`, `brief`, `draft`, `ask`, `chat` and `mcp`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from medallion import access, figures
from medallion.agent import audit, briefing, drafts, spans
from medallion.agent.answer import Answer, age, planned
from medallion.agent.current import Current
from medallion.agent.facts import Found, simple
from medallion.agent.offered import Offered
from medallion.agent.planner import Before, Planner
from medallion.agent.rules import rules
from medallion.agent.serving import serve, speaker
from medallion.agent.tools import Tools
from medallion.cli import console
from medallion.cli.command import Call, Receipts, UserHeader, command, group
from medallion.config import Settings, utc_now
from medallion.errors import MedallionError

app = group()


@contextmanager
def _tools(call: Call, *, many: bool = False) -> Iterator[tuple[Tools, Settings]]:
    """The tools over a lakehouse; for many questions with the tables in memory and what the tools share computed."""
    settings = call.settings()
    with serve(call.lake, locked=many) as serving:
        tools = Tools(serving, rules(settings.agent, call.lake), settings.agent.trace_content)
        if many:
            tools.prepare()
        yield tools, settings


def _me(call: Call, tools: Tools) -> str | None:
    """The owner whom `I` and `my` mean: who looks, by the name that the deals they see have where that is one."""
    return speaker(tools.serving, call.person) if call.person else call.me or call.settings().me


def _show_age(call: Call, tools: Tools) -> None:
    call.say(*age(tools.serving.as_of, utc_now().date()))


@command(
    app,
    examples=("`medallion plan`", "`medallion plan --owner 'Priya Nair' --capacity 10 --json`"),
    at=True,
    shows="own",
)
def plan(
    call: Call,
    owner: Annotated[str | None, typer.Option(help="Only this rep's accounts.")] = None,
    capacity: Annotated[
        int | None, typer.Option(min=1, help="Accounts per rep [default: 20, or the settings].")
    ] = None,
    day: Annotated[
        str | None, typer.Option("--date", help="Day of the calls [default: the day after the data].")
    ] = None,
) -> None:
    """Tell whom to contact: accounts with most expected value first, with channel, hour, reasons and what happened last."""
    try:
        on = None if day is None else date.fromisoformat(day)
    except ValueError as error:
        raise MedallionError(f"--date {day!r} is no date", "Write it as 2025-07-01.") from error
    with _tools(call) as (tools, _):
        finding = tools.call_plan(owner, capacity, on)
        rows = [
            {
                "rep": finding.written(row, "owner"),
                "#": finding.written(row, "rank"),
                "account": f"{row['customer_name'] or ''} ({row['customer_id']})",
                "do": f"{row['deal_step']} · {row['channel']}"
                + ("" if row["local_hour"] is None else f" at {row['local_hour']}:00 in {row['time_zone']}")
                + (f" · {row['contact_id']}" if row["contact_id"] else ""),
                "expected": finding.written(row, "expected_value"),
                "at stake": finding.written(row, "at_stake"),
                "for": " · ".join(row["reasons"][:2]),
                "against": " · ".join([*_flags(row), *row["against"][:2]]),
                "last": "never"
                if row["last_interaction_at"] is None
                else ", ".join(  # another's touch has no channel and no outcome for who does not see it
                    filter(None, (row["last_channel"], row["last_outcome"], f"{row['days_silent']:,} days ago"))
                ),
            }
            for row in finding.rows
        ]

        def tell() -> None:
            call.records(_title(finding), rows, finding.note)
            if not rows:
                call.say(f"No one to contact. {finding.note}")
            _show_age(call, tools)

        call.answer(_document(finding), tell)


@command(
    app,
    examples=("`medallion brief C004`", "`medallion brief 'Northgate Freight Lines' --receipts`"),
    at=True,
    shows="own",
)
def brief(
    call: Call,
    customer: Annotated[str, typer.Argument(help="Key or name of an account.")],
    receipts: Receipts = False,
    show_pii: Annotated[
        bool, typer.Option("--show-pii", help="Quote the note of the last conversation, which is personal data.")
    ] = False,
) -> None:
    """Put one account on a page: worth, open deals, last touches, what notes say, and an agenda."""
    if show_pii and call.person is not None and not call.person.personal:
        raise MedallionError(f"{call.person.user} may not see personal data", "Leave --show-pii out.")
    with _tools(call) as (tools, _):
        findings = tools.account_brief(customer)
        last = briefing.noted(tools, findings[0].rows[0]["customer_id"], 1) if show_pii else []
        quoted = [
            {**row, "when": figures.minute(row["occurred_at"]), "place": f"{row['file']}, row {row['line']}"}
            for row in last
        ]

        def tell() -> None:
            account = findings[0]
            row = account.rows[0]
            facts = [
                {"fact": about.label, "value": account.written(row, about.name)}
                for about in account.fields[2:]
                if row[about.name] is not None
            ]
            call.records(f"{row['customer_name']} ({row['customer_id']}) as of {account.as_of}", facts)
            for finding in findings[1:]:
                rows = [{f.label.lower(): finding.written(r, f.name) for f in finding.fields} for r in finding.rows]
                call.records(_title(finding), rows)
            for row in quoted:
                call.say(f"Last note, {row['when']}, {row['channel']} ({row['place']}): {row['notes']}")
            if receipts:
                call.say(*map(_receipt, findings))
            _show_age(call, tools)

        notes = [
            {"title": "Last note", "rows": [{name: simple(value) for name, value in row.items()}]} for row in quoted
        ]
        call.answer([*map(_document, findings), *notes], tell)


def _flags(row: dict[str, Any]) -> list[str]:
    """What of a deal's date is evidence against it."""
    overdue, pushes = row["overdue_days"], row["pushes"]
    flags = [f"overdue by {figures.count(overdue, 'day')}"] if overdue else []
    return [*flags, f"moved later {'once' if pushes == 1 else f'{pushes} times'}"] if pushes else flags


def _title(finding: Found) -> str:
    """The title of a finding, with how many of its rows are shown."""
    cut = f", {len(finding.rows):,} of {finding.count:,}" if finding.count > len(finding.rows) else ""
    return finding.title + cut


def _receipt(finding: Found) -> str:
    tables = ", ".join(f"{name} version {version}" for name, version in finding.tables.items())
    return f"{finding.title}: {tables}; {' '.join(finding.sql.split())} {list(finding.bindings) or ''}".rstrip()


def _document(finding: Found) -> dict[str, Any]:
    return {
        "title": finding.title,
        "as_of": finding.as_of,
        "rows": [{name: simple(value) for name, value in row.items()} for row in finding.rows],
        "shown": len(finding.rows),
        "total": finding.count,
        "note": finding.note,
        "tables": dict(finding.tables),
        "sql": finding.sql,
        "bindings": [simple(value) for value in finding.bindings],
    }


@command(app, examples=("`medallion draft C001 --kind email`",), json=False, at=True, shows="own")
def draft(
    call: Call,
    customer: Annotated[str, typer.Argument(help="Key or name of an account.")],
    kind: Annotated[str, typer.Option(help="email, whatsapp or call-script.")] = "email",
    language: Annotated[
        str | None, typer.Option(help="en, de, fr or es [default: that of the person or the account's country].")
    ] = None,
) -> None:
    """Write a draft to an account in its language and the tone of the settings, for you to finish and send."""
    with _tools(call) as (tools, settings):
        console.lines(call.screen, drafts.draft(tools, settings.agent, customer, kind, language))


def _answer(
    tools: Tools, settings: Settings, planner: Planner, question: str, door: str, before: Before = None
) -> Answer:
    started = time.perf_counter()
    with spans.question(door, question, settings.agent.trace_content) as answers:
        if settings.agent.model:
            from medallion.agent import model  # pydantic-ai, which only those have who set a model

            answer = model.answered(tools, planner, settings.agent, question, before=before)
        else:
            answer = planned(tools, planner, question, before)
        answers.append(answer)
    audit.record(tools.serving.lake, answer, door, utc_now(), round(time.perf_counter() - started, 4))
    return answer


def _show(call: Call, answer: Answer, receipts: bool) -> None:
    if answer.declined:
        call.say(" ".join(filter(None, (f"I cannot answer that: {answer.declined}.", answer.remedy))))
        if answer.closest:
            call.say("What I can answer: " + " · ".join(answer.closest))
    else:
        console.lines(call.screen, answer.text)
    call.say(*answer.notes)
    if receipts:
        rows = [
            {
                "cell": receipt.reference,
                "label": receipt.label,
                "value": receipt.written,
                "row": ", ".join(f"{name}={value}" for name, value in receipt.key.items()),
                "tables": ", ".join(f"{name} v{version}" for name, version in receipt.tables.items()),
            }
            for receipt in answer.receipts
        ]
        call.records("Receipts", rows)
        call.say(*dict.fromkeys(" ".join(receipt.sql.split()) for receipt in answer.receipts))


@command(
    app,
    examples=(
        "`medallion ask 'What is the win rate by source?'`",
        "`medallion ask 'Which owner has the highest revenue?' --receipts`",
    ),
    at=True,
    shows="asks",
)
def ask(
    call: Call,
    question: Annotated[str, typer.Argument(help="A question in plain words.")],
    receipts: Receipts = False,
) -> None:
    """Answer a question about sales, with a receipt for every figure; says so where it cannot (exit status 1)."""
    with _tools(call) as (tools, settings):
        answer = _answer(tools, settings, Planner(tools.serving, _me(call, tools)), question, "ask")

        def tell() -> None:
            _show(call, answer, receipts)
            _show_age(call, tools)

        call.answer({**answer.document(), "as_of": tools.serving.as_of}, tell)
    if answer.declined:
        raise typer.Exit(1)


@command(app, examples=("`medallion chat`",), json=False, at=True, shows="asks", live=True)
def chat(call: Call, receipts: Receipts = False) -> None:
    """Answer questions one after the other, each may go on from the one before; an empty line or `exit` ends."""
    with _tools(call, many=True) as (tools, settings):
        planner = Planner(tools.serving, _me(call, tools))
        before: Before = None
        _show_age(call, tools)
        call.say("Ask away; an empty line ends.")
        while True:
            try:
                question = call.screen.input("> ").strip()
            except EOFError:
                break
            if question.casefold() in ("", "exit", "quit"):
                break
            answer = _answer(tools, settings, planner, question, "chat", before)
            before = answer.context
            _show(call, answer, receipts)


@command(
    app,
    examples=(
        "`medallion mcp` · over standard input and output, for a client that starts it",
        "`medallion mcp --http --port 8765`",
        "`medallion mcp --http --host 0.0.0.0 --tokens config/tokens.csv` · for a team, behind TLS; each sees their own",
    ),
    json=False,
    at=True,
    shows=None,
    live=True,
)
def mcp(
    call: Call,
    http: Annotated[bool, typer.Option("--http", help="Streamable HTTP instead of standard input and output.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8765,
    tokens: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV of users and the SHA-256 of their tokens: who may come in over HTTP."),
    ] = None,
    user_header: UserHeader = None,
) -> None:
    """Offer the agent's tools to clients of the Model Context Protocol, always over the newest state."""
    if (tokens or user_header) and not http:
        raise MedallionError("--tokens and --user-header are for HTTP", "Add --http.")
    if tokens and user_header:
        raise MedallionError("--tokens and --user-header exclude each other", "Give one of the two.")
    from medallion.agent import mcp_server  # the protocol's library, an extra

    settings = call.settings()
    declared = access.read(settings.access) if settings.access else None
    each = bool(tokens or user_header)
    current = Current(
        call.lake,
        lambda: rules(settings.agent, call.lake),
        lambda tools: _me(call, tools),
        settings.agent.trace_content,
    )
    server = mcp_server.server(Offered(current))
    try:
        with nullcontext() if each else call.looking("asks"):
            with nullcontext() if each else current.view():
                pass  # the first question need not wait, and what is wrong is told now
            if not http:
                mcp_server.serve(server)
                return
            from medallion.agent import mcp_http

            door = mcp_http.Door(mcp_http.tokens(tokens) if tokens else {}, user_header, declared if each else None)
            mcp_http.serve(server, door, host, port)
    finally:
        current.close()
