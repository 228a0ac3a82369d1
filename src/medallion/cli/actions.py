"""The commands `medallion actions list`, `propose`, `approve`, `reject` and `apply`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medallion import figures
from medallion.agent import crm
from medallion.care.proposals import Actions, Outbox
from medallion.cli.command import Call, DryRun, by, command, group, user
from medallion.config import utc_now

app = group("actions", "Changes to the CRM that were proposed: decide on them, apply them.")

Action = Annotated[str, typer.Argument(help="Identifier of the proposal, or its beginning.")]
Who = Annotated[str | None, by("decides")]


@command(app, "list", examples=("`medallion actions list`",), shows="personal")
def list_actions(call: Call) -> None:
    """List the proposed changes and their outcomes."""
    proposals = Actions(call.lake).all(utc_now())
    rows = [
        {
            "id": proposal.action_id,
            "state": proposal.state,
            "record": f"{proposal.kind} {proposal.key}",
            "change": ", ".join(f"{name}={value}" for name, value in proposal.changes.items()),
            "reason": proposal.reason,
            "by": proposal.proposed_by,
            "expires": figures.day(proposal.expires_at),
        }
        for proposal in proposals
    ]
    call.answer(
        [proposal.document() for proposal in proposals],
        lambda: call.records(figures.count(len(rows), "proposal"), rows),
    )


@command(
    app,
    examples=("`medallion actions propose deal L-1012 --set next_step='Send the offer' --reason 'asked for it'`",),
    json=False,
)
def propose(
    call: Call,
    kind: Annotated[str, typer.Argument(help="customer or deal.")],
    key: Annotated[str, typer.Argument(help="Key of the record.")],
    changes: Annotated[list[str], typer.Option("--set", help="FIELD=VALUE; may be given again.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    who: Who = None,
) -> None:
    """Propose a change to a record of the CRM."""
    wanted = {name.strip(): value.strip() for name, _, value in (change.partition("=") for change in changes)}
    proposal = Actions(call.lake).propose(kind, key, wanted, reason, user(who), utc_now())
    call.say(f"{proposal.action_id} is {proposal.state}.")
    call.next(f"actions approve {proposal.action_id}")


@command(app, examples=("`medallion actions approve 3f2a`",), json=False)
def approve(call: Call, action: Action, who: Who = None) -> None:
    """Approve a proposed change."""
    _decide(call, action, "approved", who)


@command(app, examples=("`medallion actions reject 3f2a`",), json=False)
def reject(call: Call, action: Action, who: Who = None) -> None:
    """Reject a proposed change."""
    _decide(call, action, "rejected", who)


def _decide(call: Call, action: str, state: str, who: str | None) -> None:
    proposal = Actions(call.lake).decide(action, state, user(who), utc_now())
    call.say(f"{proposal.action_id} is {proposal.state}.")


@command(app, examples=("`medallion actions apply 3f2a --dry-run`",), json=False)
def apply(
    call: Call,
    action: Action,
    dry_run: DryRun = False,
    outbox: Annotated[
        Path | None,
        typer.Option(help="Write to this folder, whatever CRM is set [default without one: LAKEHOUSE/agent/outbox]."),
    ] = None,
    who: Who = None,
) -> None:
    """Apply an approved change: written to the CRM of the settings or to the outbox, read back, on record."""
    settings, actions = call.settings(), Actions(call.lake)
    executor: Outbox | crm.Crm
    if settings.agent.crm is not None and outbox is None:
        executor = crm.executor(settings.agent.crm)
    else:
        executor = Outbox(outbox or actions.path.parent / "outbox")
    done = actions.apply(action, executor, user(who), utc_now(), dry_run=dry_run)
    changes = done.changes
    if isinstance(executor, Outbox):
        where = f"{executor.folder}/{done.action_id}.json"
    else:
        where, changes = f"{executor.label}, {executor.target(done)}", executor.wanted(done)
    written = ", ".join(f"{name}={value}" for name, value in changes.items())
    call.say(f"{'Would be written' if dry_run else 'Written'} to {where}: {done.kind} {done.key}: {written}")
