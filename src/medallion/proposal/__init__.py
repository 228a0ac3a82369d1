"""From a folder of unknown exports to a contract to review."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from medallion import contracts
from medallion.contracts import Override
from medallion.errors import SourceError
from medallion.proposal import doubts, hyperlinks, key_columns, match, plan, profile, systems, vocabulary, write
from medallion.proposal.doubts import Answer, Question
from medallion.sources import delivery
from medallion.sources.files import beginnings


@dataclass(frozen=True)
class Proposed:
    """The contract's text, what it says table by table, and the files that could not be read."""

    text: str
    system: str | None
    tables: list[dict[str, Any]]
    columns: list[dict[str, Any]]
    not_mapped: dict[str, list[str]]
    not_used: dict[str, str]
    unreadable: list[SourceError]
    #: Tables of which only the first rows were looked at, and how many.
    sampled: dict[str, str]


def propose(
    folder: str,
    name: str,
    preset: Path | None = None,
    ask: Callable[[Question], Answer | None] | None = None,
    today: date | None = None,
) -> Proposed:
    """Profile every table of a folder and propose a contract for them.

    Args:
        folder: Where the exports are.
        name: What the contract calls their source.
        preset: A file with the standard headers of the system they come from; without one, a known system is recognized.
        ask: Answers a doubt, or leaves it open with None; without it all doubts stay open.
        today: The day on which the exports are looked at: what has happened was before its end.

    Raises:
        ContractError: The preset cannot be used.
        SourceError: There is no such folder, or nothing in it looks like a CRM export.
    """
    tables: list[profile.Table] = []
    unreadable: list[delivery.Unreadable] = []
    others: list[str] = []
    with beginnings(profile.BEGINNING):
        for part in profile.tables(folder, vocabulary.known):
            if isinstance(part, profile.Table):
                tables.append(part)
            elif isinstance(part, delivery.Unreadable):
                unreadable.append(part)
            else:
                others.append(part)
    entities = contracts.entities()
    tables = profile.together(tables, lambda table: key_columns.likely(table, entities))
    proposal = plan.plan(tables, entities, None if preset is None else systems.read(preset), today)
    if not proposal.feeds:
        left_out = (f"{table.file.name}: {proposal.left.get(table.file.name, 'not understood')}" for table in tables)
        seen = "; ".join([*left_out, *(f"{name}: holds no table" for name in others)]) or "the folder is empty"
        reasons = "; ".join(item.error.problem for item in unreadable)
        raise SourceError(
            f"{folder}: nothing here looks like a CRM export ({seen}{'; ' if reasons else ''}{reasons})",
            "Say what its headers mean with --preset FILE, or write a contract by hand; docs/SOURCES.md shows how.",
        )
    for item in unreadable:  # expected all the same, so that it is missed as long as it cannot be read
        if kind := match.kind_of_unread(item.stems, item.cells, entities):
            proposal.unread.setdefault(kind, []).append(item)
    for question in doubts.questions(proposal, entities) if ask else ():
        if ask and (answer := ask(question)):
            answer.take()
    hyperlinks.leave_out(proposal, tables, entities)
    text = write.contract(proposal, name, folder)
    contracts.entities([Override("the proposal", text)])  # what was written is what was meant
    return Proposed(
        text,
        proposal.system,
        write.summary(proposal),
        write.details(proposal),
        {table: [column.header for column in columns] for table, columns in write.not_mapped(proposal).items()},
        {**proposal.left, **dict.fromkeys(others, "holds no table")},
        [item.error for item in unreadable],
        {table.file.name: table.sampled for table in proposal.sampled},
    )
