"""How a proof is shown: sums, dates, accounts, refused and empty cells, three deals, and the question at the end."""

from __future__ import annotations

from typing import Any

from medallion import figures
from medallion.cli.command import Call
from medallion.pipeline.proof import STATES, Example, Proof


def show(call: Call, proof: Proof) -> None:
    """The whole proof; columns of which nothing is refused or empty are only counted."""
    sampled = " (the first rows of each file)" if proof.sampled else ""
    rows = [
        {
            "currency": each.currency,
            **{
                state: f"{each.deals[state]:,} · {figures.money(each.values[state], each.currency)}" for state in STATES
            },
        }
        for each in proof.amounts
    ]
    call.records(f"What was read{sampled}: deals by state, and their value", rows)
    spans = [
        {"entity": each.entity, "column": each.column, "first": each.first, "last": each.last} for each in proof.spans
    ]
    call.records("Dates", spans)
    if proof.matched is not None:
        unmatched = proof.unmatched or 0
        asks = " Most deals have no account: is that so?" if unmatched > proof.matched else ""
        call.say(f"Accounts: {proof.matched:,} deals belong to a known account, {unmatched:,} do not.{asks}")
    for left in proof.left_out:
        call.say(f"{left.table}: {left.further:,} of {left.pairs:,} pairs are not the primary ones and do not count.")
    lacking = [
        {
            "entity": each.entity,
            "column": each.column,
            "rows": each.rows,
            "refused": _share(each.refused, each.rows),
            "empty": _share(each.empty, each.rows),
        }
        for each in proof.filled
        if each.refused or each.empty
    ]
    call.records("Required columns with refused or empty cells", lacking)
    complete = len(proof.filled) - len(lacking)
    call.say(f"{figures.count(complete, 'required column')} {'has' if complete == 1 else 'have'} no such cells.")
    call.records("Example deals: the cell → its reading", side_by_side(proof.examples))
    call.say(proof.question)


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({figures.percent(part / whole)})" if part else "0"


def side_by_side(examples: tuple[Example, ...]) -> list[dict[str, Any]]:
    """One record per column, with a column per example: what its cell says, and what it was read as where it differs."""
    names = dict.fromkeys(name for each in examples for name, _, _ in each.cells)
    columns = {
        f"{each.state} ({each.source})": {
            name: read if cell == read else f"{cell or '(empty)'} → {read}" for name, cell, read in each.cells
        }
        for each in examples
    }
    return [{"column": name, **{title: cells.get(name, "") for title, cells in columns.items()}} for name in names]
