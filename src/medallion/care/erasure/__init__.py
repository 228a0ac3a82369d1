"""Forget an account and its people: out of every layer, out of every older version, and not back with the next export.

The order is that of safety: the hashes are written down first, so that nothing comes back meanwhile; what is removed
last is what tells the rest apart. An erasure that was interrupted is completed, by `resume` or before the next one; its
intent holds what that needs, since the rows that told it may be gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from medallion import contracts
from medallion.care.erasure.about import erasable
from medallion.care.erasure.search import search
from medallion.care.erasure.subject import Subject
from medallion.care.erasure.work import Erasure
from medallion.config import Settings
from medallion.errors import LakehouseError
from medallion.gold import graph
from medallion.lakehouse import commits, contracts_in_use, locks, removal, store
from medallion.lakehouse.session import session
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import erasure_log, extensions, journal
from medallion.pipeline.steps import Report, Steps


def forget(
    settings: Settings,
    customer_id: str,
    reason: str,
    who: str,
    now: datetime,
    report: Report = lambda name, seconds: None,
    *,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Remove an account, its deals and touches from a lakehouse; gives the certificate, which holds none of it.

    Args:
        settings: Which lakehouse, and how gold is scored.
        customer_id: Key of the account.
        reason: Why, for the record.
        who: Who asks for it.
        now: When, UTC without zone.
        report: Is told of each step.
        dry_run: Only count what would go.

    Raises:
        LakehouseError: There is no such account, another run is writing, something of it is still found after all, or the
            lakehouse is at an address.
    """
    steps = Steps(report)
    if dry_run:
        work = Erasure(settings, customer_id, now, steps)
        return {"dry_run": True, "erasure_id": work.erasure_id, "tables": work.count()}
    lake = erasable(settings)
    lake.delta("silver.customers_history")
    with _locked(settings, steps) as (writer, completed):
        if completed is not None and completed.is_about(customer_id):
            return completed.proved()
        if again := _searched_again(settings, steps, customer_id):
            return again[-1].proved()
        work = Erasure(settings, customer_id, now, steps)
        arguments = work.arguments(reason, who)
        with writer.intent(journal.FORGET, (), **arguments):
            work.do(arguments)
        writer.held.purge()  # it has said whom to erase
        return work.proved()


def resume(settings: Settings, report: Report = lambda name, seconds: None) -> dict[str, Any]:
    """Complete the erasure that was interrupted; gives its certificate, which counts the rows that were left to remove.

    Where none was, repeat the search of erasures that found something, such as a file of the user.

    Raises:
        LakehouseError: There is neither, another run is writing, or something of the account is still found after all.
    """
    erasable(settings)
    steps = Steps(report)
    with _locked(settings, steps) as (_, completed):
        done = _searched_again(settings, steps) if completed is None else [completed]
        if not done:
            raise LakehouseError(
                f"{settings.lakehouse}: no erasure was interrupted",
                "Begin one with `medallion forget KEY --reason ...`; `medallion status` shows what is unfinished.",
            )
        return [erasure.proved() for erasure in done][-1]


def _searched_again(settings: Settings, steps: Steps, customer_id: str | None = None) -> list[Erasure]:
    """Erasures whose search found something, all or those of an account, after it was repeated."""
    erasures = []
    for arguments in erasure_log.left(Lakehouse(settings.lakehouse)).values():
        if customer_id is not None and not Subject.of(arguments["subject"]).is_account(customer_id):
            continue
        work = Erasure(settings, "", datetime.fromisoformat(arguments["now"]), steps, arguments)
        work.search_again(arguments)
        erasures.append(work)
    if erasures:
        locks.held(settings.lakehouse).purge()
    return erasures


def keep(settings: Settings, customer_id: str, reason: str, who: str, now: datetime) -> dict[str, Any]:
    """Decide that the flagged records of an account are not those of the person who was forgotten; gives them.

    Raises:
        LakehouseError: None of its records waits for a decision, or another run is writing.
    """
    lake = Lakehouse(settings.lakehouse)
    entities = contracts.entities(contracts_in_use.overrides(lake, settings.contracts))
    flagged = erasure_log.waiting(lake, entities)
    known = [record for record in flagged if Subject({"customers": {record.account}}).is_account(customer_id)]
    if not known:
        raise LakehouseError(
            f"{lake.root}: no record of account {customer_id} waits for a decision",
            "`medallion status` lists those that do.",
        )
    with journal.writing(lake) as writer, writer.intent(journal.KEEP, [erasure_log.RETURNED]):
        spark = session(settings.engine, settings.memory_gib)
        erasure_log.note(spark, lake, known, erasure_log.KEPT, now, who, reason)
    return {"kept": [record.says for record in known]}


@contextmanager
def _locked(settings: Settings, steps: Steps) -> Iterator[tuple[journal.Writer, Erasure | None]]:
    """Hold the lakehouse for writing, after an interrupted erasure was completed; gives that one where there was one."""
    extensions.load(settings)
    lake = Lakehouse(settings.lakehouse)
    with journal.writing(lake, recover=False) as writer:
        for damage in journal.damaged(lake):
            _without(damage, writer)
        intent, work = writer.held.intent, None
        for lost in journal.lost_commits(lake).values():
            raise lost
        if intent and intent["kind"] == journal.FORGET:
            _grow(settings, lake)
            arguments = intent["arguments"]
            work = Erasure(settings, "", datetime.fromisoformat(arguments["now"]), steps, arguments)
            work.do(arguments)
            writer.kind = journal.FORGET
            writer.publish()
            writer.held.note(None)
            writer.held.purge()
        writer.recover()
        if work is None:
            _grow(settings, lake)
        yield writer, work


def _without(damage: commits.Damage, writer: journal.Writer) -> None:
    """Set aside a commit that an interrupted erasure wrote only in part: completing it starts from the version before.

    Raises:
        LakehouseError: No erasure wrote it, or the version before is not whole either.
    """
    lake = writer.lake
    if not writer.is_erasing():
        raise damage.error()
    if not damage.version and damage.table in {erasure_log.TABLE, *(step.table for step in graph())}:
        removal.drop(lake, [damage.table])  # made by the erasure, and made again
        return
    folder = Path(lake.path(damage.table))
    try:
        files = DeltaTable(str(folder), version=damage.version - 1).file_uris()
        whole = all((folder / unquote(uri.rsplit("/", 1)[-1])).exists() for uri in files)
    except (DeltaError, OverflowError):
        whole = False
    if not whole:
        raise LakehouseError(
            f"{damage.error().problem}; the erasure that was interrupted needs it, and the version before is not there",
            "Restore the lakehouse from a backup, and forget the account there.",
        )
    damage.set_aside()


def _grow(settings: Settings, lake: Lakehouse) -> None:
    """Give tables of an earlier version the columns that their contracts have gained since."""
    entities = contracts.entities(contracts_in_use.overrides(lake, settings.contracts)).values()
    declared = [table for name, table in contracts.tables().items() if name.split(".")[0] in ("silver", "ops")]
    for table in [*declared, *(table for entity in entities for table in (entity.history, entity.clean))]:
        store.grow(lake, table)


__all__ = ["forget", "keep", "resume", "search"]
