"""The commands of the sales agent: `plan`, `brief`, `draft`, `ask`, `chat`, `actions` and `mcp`."""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medallion.figures import count, day

if TYPE_CHECKING:
    from rich.console import Console

    from medallion.agent.answer import Answer
    from medallion.agent.facts import Found
    from medallion.agent.tools import Tools
    from medallion.config import Settings

Lake = Annotated[str | None, typer.Option("--lakehouse", help="Folder of the tables [default: lakehouse].")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings file [default: config/config.yaml].")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
Receipts = Annotated[bool, typer.Option("--receipts", help="Print where each figure comes from.")]
Who = Annotated[str | None, typer.Option("--by", help="Who decides [default: the user of this system].")]
Action = Annotated[str, typer.Argument(help="Identifier of the proposal, or its beginning.")]


def add_to(app: typer.Typer) -> None:
    """Give the app these commands."""
    app.command(
        epilog="**Examples**\n\n`medallion plan`\n\n`medallion plan --owner 'Priya Nair' --capacity 10 --json`"
    )(plan)
    app.command(
        epilog="**Examples**\n\n`medallion brief C004`\n\n`medallion brief 'Northgate Freight Lines' --receipts`"
    )(brief)
    app.command(epilog="**Examples**\n\n`medallion draft C001 --kind email`")(draft)
    app.command(
        epilog="**Examples**\n\n`medallion ask 'What is the win rate by source?'`\n\n"
        "`medallion ask 'Which owner has the highest revenue?' --receipts`"
    )(ask)
    app.command(epilog="**Examples**\n\n`medallion chat`")(chat)
    app.command(
        epilog="**Examples**\n\n`medallion mcp` · over standard input and output, for a client that starts it\n\n"
        "`medallion mcp --http --port 8765`"
    )(mcp)
    group = typer.Typer(no_args_is_help=True, help="Changes to the CRM that were proposed: decide on them, apply them.")
    group.command("list", epilog="**Examples**\n\n`medallion actions list`")(list_actions)
    group.command(
        "propose",
        epilog="**Examples**\n\n`medallion actions propose deal L-1012 --set next_step='Send the offer' --reason 'asked for it'`",
    )(propose)
    group.command("approve", epilog="**Examples**\n\n`medallion actions approve 3f2a`")(approve)
    group.command("reject", epilog="**Examples**\n\n`medallion actions reject 3f2a`")(reject)
    group.command("apply", epilog="**Examples**\n\n`medallion actions apply 3f2a --dry-run`")(apply)
    app.add_typer(group, name="actions")


@contextmanager
def _tools(config: Path | None, lakehouse: str | None, *, many: bool = False) -> Iterator[tuple[Tools, Settings]]:
    """The tools over a lakehouse; for many questions with the tables in memory and what the tools share computed."""
    from medallion.agent.rules import rules
    from medallion.agent.serving import serve
    from medallion.agent.tools import Tools
    from medallion.config import load
    from medallion.lakehouse.store import Lakehouse

    settings = load(config, lakehouse=lakehouse)
    with serve(Lakehouse(settings.lakehouse), locked=many) as serving:
        tools = Tools(serving, rules(settings.agent), settings.agent.trace_content)
        if many:
            tools.prepare()
        yield tools, settings


def _notes(screen: Console, tools: Tools) -> None:
    from medallion.agent.answer import age
    from medallion.cli import console as show
    from medallion.config import utc_now

    for note in age(tools.serving.as_of, utc_now().date()):
        show.line(screen, note)


def plan(
    owner: Annotated[str | None, typer.Option(help="Only this rep's accounts.")] = None,
    capacity: Annotated[
        int | None, typer.Option(min=1, help="Accounts per rep [default: 20, or the settings].")
    ] = None,
    day: Annotated[
        str | None, typer.Option("--date", help="Day of the calls [default: the day after the data].")
    ] = None,
    lakehouse: Lake = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Tell whom to contact: accounts with most expected value first, with channel, hour, reasons and what happened last."""
    from medallion.cli import console as show
    from medallion.errors import MedallionError

    try:
        on = None if day is None else date.fromisoformat(day)
    except ValueError as error:
        raise MedallionError(f"--date {day!r} is no date", "Write it as 2025-07-01.") from error
    with _tools(config, lakehouse) as (tools, _):
        found = tools.call_plan(owner, capacity, on)
        if as_json:
            show.dump(_document(found))
            return
        screen = show.screen()
        rows = [
            {
                "rep": found.written(row, "owner"),
                "#": found.written(row, "rank"),
                "account": f"{row['customer_name'] or ''} ({row['customer_id']})",
                "do": f"{row['next_step']} · {row['channel']}"
                + ("" if row["hour"] is None else f" at {row['hour']}:00 UTC"),
                "expected": found.written(row, "expected_value"),
                "at stake": found.written(row, "at_stake"),
                "why": "; ".join(row["reasons"][:2]),
                "last": "never"
                if row["last_interaction_at"] is None
                else f"{row['last_channel']}, {row['last_outcome']}, {found.written(row, 'days_silent')} days ago",
            }
            for row in found.rows
        ]
        show.records(screen, _title(found), rows, found.note)
        if not rows:
            show.line(screen, f"No one to contact. {found.note}")
        _notes(screen, tools)


def brief(
    customer: Annotated[str, typer.Argument(help="Key or name of an account.")],
    receipts: Receipts = False,
    lakehouse: Lake = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Put one account on a page: worth, open deals, last touches, what is next."""
    from medallion.cli import console as show

    with _tools(config, lakehouse) as (tools, _):
        found = tools.account_brief(customer)
        if as_json:
            show.dump([_document(one) for one in found])
            return
        screen = show.screen()
        account = found[0]
        row = account.rows[0]
        facts = [
            {"fact": about.label, "value": account.written(row, about.name)}
            for about in account.fields[2:]
            if row[about.name] is not None
        ]
        show.records(screen, f"{row['customer_name']} ({row['customer_id']}) as of {account.as_of}", facts)
        for one in found[1:]:
            show.records(
                screen, _title(one), [{f.label.lower(): one.written(r, f.name) for f in one.fields} for r in one.rows]
            )
        if receipts:
            for one in found:
                _receipt(screen, one)
        _notes(screen, tools)


def _title(found: Found) -> str:
    """What a finding is, and how many rows of how many it has."""
    cut = f", {len(found.rows):,} of {found.count:,}" if found.count > len(found.rows) else ""
    return found.title + cut


def _receipt(screen: Console, found: Found) -> None:
    from medallion.cli import console as show

    tables = ", ".join(f"{name} version {version}" for name, version in found.tables.items())
    show.line(screen, f"{found.title}: {tables}; {' '.join(found.sql.split())} {list(found.bindings) or ''}".rstrip())


def _document(found: Found) -> dict[str, Any]:
    from medallion.agent.facts import simple

    return {
        "title": found.title,
        "as_of": found.as_of,
        "rows": [{name: simple(value) for name, value in row.items()} for row in found.rows],
        "shown": len(found.rows),
        "total": found.count,
        "note": found.note,
        "tables": dict(found.tables),
        "sql": found.sql,
        "bindings": [simple(value) for value in found.bindings],
    }


def draft(
    customer: Annotated[str, typer.Argument(help="Key or name of an account.")],
    kind: Annotated[str, typer.Option(help="email, whatsapp or call-script.")] = "email",
    lakehouse: Lake = None,
    config: Config = None,
) -> None:
    """Write a draft to an account in the tone of the settings, for a person to finish and send."""
    from medallion.agent import drafts
    from medallion.cli import console as show

    with _tools(config, lakehouse) as (tools, settings):
        show.lines(show.screen(), drafts.draft(tools, settings.agent, customer, kind))


def _answer(tools: Tools, settings: Settings, vocabulary: Any, question: str, door: str) -> Answer:
    from medallion.agent import audit, spans
    from medallion.agent.answer import planned
    from medallion.config import utc_now

    started = time.perf_counter()
    with spans.question(door, question, settings.agent.trace_content) as answers:
        if settings.agent.model:
            from medallion.agent import model

            answer = model.answered(tools, vocabulary, settings.agent, question)
        else:
            answer = planned(tools, vocabulary, question)
        answers.append(answer)
    audit.record(tools.serving.lake, answer, door, utc_now(), round(time.perf_counter() - started, 4))
    return answer


def _show(screen: Console, answer: Answer, receipts: bool) -> None:
    from medallion.cli import console as show

    if answer.declined:
        show.line(screen, f"I cannot answer that: {answer.declined}.")
        if answer.closest:
            show.line(screen, "What I can answer: " + " · ".join(answer.closest))
    else:
        show.lines(screen, answer.text)
    for note in answer.notes:
        show.line(screen, note)
    if receipts:
        show.records(
            screen,
            "Receipts",
            [
                {
                    "cell": one.reference,
                    "label": one.label,
                    "value": one.written,
                    "row": ", ".join(f"{name}={value}" for name, value in one.key.items()),
                    "tables": ", ".join(f"{name} v{version}" for name, version in one.tables.items()),
                }
                for one in answer.receipts
            ],
        )
        for sql in dict.fromkeys(" ".join(one.sql.split()) for one in answer.receipts):
            show.line(screen, sql)


def ask(
    question: Annotated[str, typer.Argument(help="A question in plain words.")],
    receipts: Receipts = False,
    lakehouse: Lake = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Answer a question about sales, with a receipt for every figure; says so where it cannot (exit status 1)."""
    from medallion.agent.words import Vocabulary
    from medallion.cli import console as show

    with _tools(config, lakehouse) as (tools, settings):
        answer = _answer(tools, settings, Vocabulary(tools.serving), question, "ask")
        if as_json:
            show.dump({**answer.document(), "as_of": tools.serving.as_of})
        else:
            screen = show.screen()
            _show(screen, answer, receipts)
            _notes(screen, tools)
    if answer.declined:
        raise typer.Exit(1)


def chat(receipts: Receipts = False, lakehouse: Lake = None, config: Config = None) -> None:
    """Answer questions one after the other; an empty line or `exit` ends."""
    from medallion.agent.words import Vocabulary
    from medallion.cli import console as show

    with _tools(config, lakehouse, many=True) as (tools, settings):
        screen = show.screen()
        vocabulary = Vocabulary(tools.serving)
        _notes(screen, tools)
        show.line(screen, "Ask away; an empty line ends.")
        while True:
            try:
                question = screen.input("> ").strip()
            except EOFError:
                break
            if question.casefold() in ("", "exit", "quit"):
                break
            _show(screen, _answer(tools, settings, vocabulary, question, "chat"), receipts)


def mcp(
    http: Annotated[bool, typer.Option("--http", help="Streamable HTTP instead of standard input and output.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8765,
    lakehouse: Lake = None,
    config: Config = None,
) -> None:
    """Offer the agent's tools to clients of the Model Context Protocol."""
    from medallion.agent import mcp_server

    with _tools(config, lakehouse, many=True) as (tools, _):
        mcp_server.server(tools, host, port).run(transport="streamable-http" if http else "stdio")


def _actions(config: Path | None, lakehouse: str | None) -> Any:
    from medallion.care.proposals import Actions
    from medallion.config import load
    from medallion.lakehouse.store import Lakehouse

    return Actions(Lakehouse(load(config, lakehouse=lakehouse).lakehouse))


def list_actions(lakehouse: Lake = None, config: Config = None, as_json: Json = False) -> None:
    """List the proposed changes and what became of them."""
    from medallion.cli import console as show
    from medallion.config import utc_now

    found = _actions(config, lakehouse).all(utc_now())
    if as_json:
        show.dump([one.document() for one in found])
        return
    rows = [
        {
            "id": one.action_id,
            "state": one.state,
            "record": f"{one.kind} {one.key}",
            "change": ", ".join(f"{name}={value}" for name, value in one.changes.items()),
            "reason": one.reason,
            "by": one.proposed_by,
            "expires": day(one.expires_at),
        }
        for one in found
    ]
    show.records(show.screen(), count(len(rows), "proposal"), rows)


def propose(
    kind: Annotated[str, typer.Argument(help="customer or deal.")],
    key: Annotated[str, typer.Argument(help="Key of the record.")],
    changes: Annotated[list[str], typer.Option("--set", help="FIELD=VALUE; may be given again.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    who: Who = None,
    lakehouse: Lake = None,
    config: Config = None,
) -> None:
    """Propose a change to a record of the CRM."""
    from medallion.cli import console as show
    from medallion.config import utc_now

    wanted = {name.strip(): value.strip() for name, _, value in (one.partition("=") for one in changes)}
    made = _actions(config, lakehouse).propose(kind, key, wanted, reason, who or getpass.getuser(), utc_now())
    show.line(show.screen(), f"{made.action_id} is {made.state}. Next: medallion actions approve {made.action_id}")


def approve(action: Action, who: Who = None, lakehouse: Lake = None, config: Config = None) -> None:
    """Approve a proposed change."""
    _decide(action, "approved", who, lakehouse, config)


def reject(action: Action, who: Who = None, lakehouse: Lake = None, config: Config = None) -> None:
    """Reject a proposed change."""
    _decide(action, "rejected", who, lakehouse, config)


def _decide(action: str, state: str, who: str | None, lakehouse: str | None, config: Path | None) -> None:
    from medallion.cli import console as show
    from medallion.config import utc_now

    made = _actions(config, lakehouse).decide(action, state, who or getpass.getuser(), utc_now())
    show.line(show.screen(), f"{made.action_id} is {made.state}.")


def apply(
    action: Action,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    outbox: Annotated[
        Path | None,
        typer.Option(help="Write to this folder, whatever CRM is set [default without one: LAKEHOUSE/agent/outbox]."),
    ] = None,
    who: Who = None,
    lakehouse: Lake = None,
    config: Config = None,
) -> None:
    """Apply an approved change: written to the CRM of the settings or to the outbox, read back, on record."""
    from medallion.agent import crm
    from medallion.care.proposals import Actions, Outbox
    from medallion.cli import console as show
    from medallion.config import load, utc_now
    from medallion.lakehouse.store import Lakehouse

    settings = load(config, lakehouse=lakehouse)
    actions = Actions(Lakehouse(settings.lakehouse))
    executor: Outbox | crm.Crm
    if settings.agent.crm is not None and outbox is None:
        executor = crm.executor(settings.agent.crm)
    else:
        executor = Outbox(outbox or actions.path.parent / "outbox")
    done = actions.apply(action, executor, who or getpass.getuser(), utc_now(), dry_run=dry_run)
    changes = done.changes
    if isinstance(executor, Outbox):
        where = f"{executor.folder}/{done.action_id}.json"
    else:
        where, changes = f"{executor.label}, {executor.target(done)}", executor.wanted(done)
    told = ", ".join(f"{name}={value}" for name, value in changes.items())
    show.line(
        show.screen(), f"{'Would be written' if dry_run else 'Written'} to {where}: {done.kind} {done.key}: {told}"
    )
