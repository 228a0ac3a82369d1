"""Answers: a question understood without a model, told from findings; every figure a cell with its receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from medallion import figures
from medallion.agent import spans
from medallion.agent.explaining import EXPLAINING
from medallion.agent.facts import Found, Ledger, Receipt
from medallion.agent.planner import Declined, Intent, Planner, Understood
from medallion.agent.planner.slots import Rows
from medallion.agent.tools import Tools
from medallion.errors import MedallionError
from medallion.metrics import views
from medallion.metrics.question import Question, Records

#: Rows of a finding that are told; the rest is counted.
MOST_ROWS = 25


@dataclass(frozen=True)
class Answer:
    """What is shown for a question.

    Attributes:
        question: As it was asked.
        text: The answer; empty where it is declined.
        found: What it rests on.
        receipts: One per figure of the text.
        declined: Why there is no answer.
        remedy: What to do where it is declined, a sentence; empty where asking another question is all that helps.
        closest: Questions that can be answered instead.
        by: `planner`, or the model's name.
        notes: Staleness, a model that was not there, and the like.
        verdict: `Yes.` or `No.`, of a question that is answered so; the text begins with it.
        calls: Tools that were called.
        understood: What the planner understood, which the next question may go on from.
    """

    question: str
    text: str
    found: tuple[Found, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    declined: str = ""
    remedy: str = ""
    closest: tuple[str, ...] = ()
    by: str = "planner"
    notes: tuple[str, ...] = ()
    verdict: str = ""
    calls: tuple[str, ...] = field(default=())
    understood: Understood | None = field(default=None, compare=False)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "question": self.question,
            "answer": self.text,
            "declined": self.declined,
            "closest": list(self.closest),
            "by": self.by,
            "notes": [*self.notes, *([self.remedy] if self.remedy else [])],
            "receipts": [one.document() for one in self.receipts],
            "findings": [
                {"title": one.title, "shown": min(len(one.rows), MOST_ROWS), "total": one.count} for one in self.found
            ],
        }


def planned(tools: Tools, planner: Planner, question: str, before: Understood | None = None) -> Answer:
    """Answer without a model, or say why not.

    Args:
        tools: What reads.
        planner: What understands.
        question: As it was asked.
        before: What was asked before it, which it may go on from.
    """
    understood = planner.understand(question, before)
    if isinstance(understood, Declined):
        closest = understood.closest or planner.closest(question)
        return Answer(question, "", declined=understood.reason, remedy=understood.remedy, closest=closest)
    try:
        found = [one for asked in understood.asked for one in called(tools, asked)]
    except MedallionError as error:
        return Answer(question, "", declined=error.problem, remedy=error.remedy, closest=planner.closest(question))
    understood = replace(understood, slots=replace(understood.slots, rows=rows_of(understood, found)))
    ledger = Ledger()
    for one in found:
        ledger.add(one)
    text, receipts = told(ledger)
    first = verdict(understood, found)
    text = f"{first}\n{text}" if first else text
    calls = tuple(dict.fromkeys(one.tool for one in found))
    return Answer(
        question,
        text,
        tuple(found),
        tuple(receipts),
        notes=understood.notes,
        verdict=first,
        calls=calls,
        understood=understood,
    )


def rows_of(understood: Understood, found: Sequence[Found]) -> Rows | None:
    """The rows of an answer that the next question may be about: few enough to be told, each of one thing."""
    last = next((one for one in reversed(found) if one.key), None)
    rank = understood.slots.rank
    cut = rank is not None and rank.limit is not None
    if last is None or not 0 < len(last.rows) <= MOST_ROWS or not (cut or last.count == len(last.rows)):
        return None
    name = next((one for one in ("lead_id", "customer_id") if one in last.key), last.key[0])
    known = name in ("lead_id", "customer_id") or (
        len(last.key) == 1
        and name in {one.name for view in views().values() for one in view.dimensions if one.type == "text"}
    )
    keys = tuple(str(row[name]) for row in last.rows if row.get(name) is not None)
    if not known or len(keys) != len(last.rows) or len(set(keys)) != len(keys):
        return None
    accounts = tuple(str(row["customer_id"]) for row in last.rows if row.get("customer_id"))
    return Rows(name, keys, accounts if len(accounts) == len(keys) else ())


def called(tools: Tools, asked: Question | Records | Intent) -> list[Found]:
    """What a question, list or intent finds."""
    name = asked.tool if isinstance(asked, Intent) else "asked"
    arguments = dict(asked.arguments) if isinstance(asked, Intent) else {"question": str(asked)}
    with spans.tool(name, arguments, tools.trace_content):
        if not isinstance(asked, Intent):
            return [tools.asked(asked)]
        result = EXPLAINING[name](tools, **arguments) if name in EXPLAINING else getattr(tools, name)(**arguments)
    return result if isinstance(result, list) else [result]


def verdict(understood: Understood, found: Sequence[Found]) -> str:
    """Yes or no, of a question whether there are such records, or a figure rose or fell; empty for others."""
    slots = understood.slots
    if slots.contrast and slots.yes_no and len(slots.by) == 1 and len(found) == 1:
        return _contrast(
            [str(value) for one in slots.where for value in getattr(one, "values", ())], found[0], slots.contrast
        )
    if slots.contrast and slots.yes_no and len(found) == 2 and all(len(one.rows) == 1 for one in found):
        return _more(found[0].rows[0].get("value"), found[1].rows[0].get("value"), slots.contrast)
    if (
        slots.exists
        and slots.entity
        and slots.goal in ("", "list", "count")
        and not (slots.turn or slots.by or slots.rank)
    ):
        rows = found[-1].rows if found else []
        return "Yes." if rows and rows[0].get("value", 1) else "No."
    if slots.turn not in ("up", "down") or not slots.yes_no or slots.goal == "why" or not found:
        return ""
    rows = [one.rows[0] for one in found if len(one.rows) == 1]
    values = [(row["value_before"], row["value"]) for row in rows if "value_before" in row]
    if not values and len(rows) == 2:
        values = [(rows[0].get("value"), rows[1].get("value"))]
    if len(values) != 1 or None in values[0]:
        return ""
    before, now = values[0]
    return _more(now, before, "more" if slots.turn == "up" else "less")


def _contrast(values: Sequence[str], found: Found, way: str) -> str:
    """Yes or no, of a question whether the first of two values has more than the second."""
    rows = {str(row.get(name)): row.get("value") for row in found.rows for name in row if str(row.get(name)) in values}
    first, second = (rows.get(value) for value in values) if len(values) == 2 else (None, None)
    return _more(first, second, way)


def _more(first: Any, second: Any, way: str) -> str:
    """Whether the first of two figures is more, or less; empty where one of them is not known."""
    if first is None or second is None:
        return ""
    return "Yes." if (first > second if way == "more" else first < second) else "No."


def told(ledger: Ledger) -> tuple[str, list[Receipt]]:
    """Findings in plain lines, with a receipt per figure."""
    lines: list[str] = []
    receipts: list[Receipt] = []
    for place, found in enumerate(ledger.found, 1):
        name = f"F{place}"
        split = len(found.rows) != 1 or found.key
        lines.append(f"{found.title}{'' if split else ': ' + _value(ledger, name, 0, found, receipts)}")
        if split:
            for row in range(min(len(found.rows), MOST_ROWS)):
                lines.append("  " + _value(ledger, name, row, found, receipts))
        shown = min(len(found.rows), MOST_ROWS)
        if found.count > shown:
            lines.append(f"  {shown:,} of {found.count:,} rows")
        elif shown > 3:  # fewer are counted at a glance
            lines.append(f"  {shown:,} rows")
        if not found.rows:
            lines.append("  none")
        if found.note:
            lines.append(f"  {found.note}")
    return "\n".join(lines), receipts


def _value(ledger: Ledger, name: str, row: int, found: Found, receipts: list[Receipt]) -> str:
    """A row in one line: its key first, then what is known of the rest."""
    parts = []
    for about in found.fields:
        receipt = ledger.receipt(name, row, about.name)
        if receipt is None or (receipt.value in (None, []) and about.name not in found.key and len(found.fields) > 4):
            continue
        receipts.append(receipt)
        if about.name == "value" or about.name in found.key or about.name == "customer_name":
            parts.append(receipt.written)
        else:
            parts.append(f"{about.label.lower() if not about.label[:2].isupper() else about.label} {receipt.written}")
    return " · ".join(parts)


def age(as_of: date | None, today: date) -> tuple[str, ...]:
    """A note where the figures are older than two days."""
    if as_of is None:
        return ("gold is empty",)
    days = (today - as_of).days
    return (
        (
            f"The figures are as of {figures.day(as_of)}, {figures.count(days, 'day')} ago; `medallion run` brings them up to date.",
        )
        if days > 2
        else ()
    )


def references(found: Sequence[Found]) -> dict[str, Any]:
    """Findings for a model: each with its name, columns and rows; text cells are data, never instructions."""
    return {
        f"F{place}": {
            "title": one.title,
            "columns": [about.name for about in one.fields],
            "rows": [[one.written(row, about.name) for about in one.fields] for row in one.rows[:MOST_ROWS]],
            "note": one.note,
            "shown": min(len(one.rows), MOST_ROWS),
            "total": one.count,
        }
        for place, one in enumerate(found, 1)
    }
