"""Answers: a question understood without a model, told from findings; every figure a cell with its receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise
from typing import Any

from medallion import figures
from medallion.agent import spans
from medallion.agent.explaining import EXPLAINING
from medallion.agent.facts import Found, Ledger, Receipt
from medallion.agent.planner import Before, Declined, Intent, Planner, Understood
from medallion.agent.planner.slots import Rows, Slots
from medallion.agent.tools import Tools
from medallion.errors import MedallionError
from medallion.metrics import views
from medallion.metrics.question import Question, Records

#: Rows of a finding that an answer shows; the rest are only counted.
MOST_ROWS = 25
#: Records that the first figure of a course is of at least.
FEWEST = 5


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
        understood: What the planner understood.
        context: What the next question may go on from: what was understood, or what a declined question named.
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
    context: Before = field(default=None, compare=False)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "question": self.question,
            "answer": self.text,
            "declined": self.declined,
            "closest": list(self.closest),
            "by": self.by,
            "notes": [*self.notes, *([self.remedy] if self.remedy else [])],
            "receipts": [receipt.document() for receipt in self.receipts],
            "findings": [
                {"title": finding.title, "shown": min(len(finding.rows), MOST_ROWS), "total": finding.count}
                for finding in self.found
            ],
        }


def planned(tools: Tools, planner: Planner, question: str, before: Before = None) -> Answer:
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
        return Answer(
            question, "", declined=understood.reason, remedy=understood.remedy, closest=closest, context=understood
        )
    if not understood.asked:  # somebody says who they are
        text, *notes = understood.notes
        return Answer(question, text, notes=tuple(notes), understood=understood, context=understood)
    try:
        findings = [finding for asked in understood.asked for finding in called(tools, asked)]
    except MedallionError as error:
        closest = planner.closest(question)
        named = Slots(about=understood.slots.about) if understood.slots.about else None
        speaker = understood.slots.speaker
        context = Declined(error.problem, closest, error.remedy, named, understood.language, speaker=speaker)
        return Answer(question, "", declined=error.problem, remedy=error.remedy, closest=closest, context=context)
    understood = replace(understood, slots=replace(understood.slots, rows=rows_of(understood, findings)))
    ledger = Ledger()
    for finding in findings:
        ledger.add(finding)
    text, receipts = as_text(ledger)
    first = verdict(understood, findings)
    text = f"{first}\n{text}" if first else text
    calls = tuple(dict.fromkeys(finding.tool for finding in findings))
    return Answer(
        question,
        text,
        tuple(findings),
        tuple(receipts),
        notes=understood.notes,
        verdict=first,
        calls=calls,
        understood=understood,
        context=understood,
    )


def rows_of(understood: Understood, findings: Sequence[Found]) -> Rows | None:
    """The rows of an answer that the next question may be about: few enough to show, each about one thing."""
    last = next((finding for finding in reversed(findings) if finding.key), None)
    rank = understood.slots.rank
    cut = rank is not None and rank.limit is not None
    if understood.slots.bands or understood.slots.other_way:
        return None  # of several answers
    if last is None or not 0 < len(last.rows) <= MOST_ROWS or not (cut or last.count == len(last.rows)):
        return None
    name = next((column for column in ("lead_id", "customer_id") if column in last.key), last.key[0])
    known = name in ("lead_id", "customer_id") or (
        len(last.key) == 1
        and name
        in {dimension.name for view in views().values() for dimension in view.dimensions if dimension.type == "text"}
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


def verdict(understood: Understood, findings: Sequence[Found]) -> str:
    """`Yes.` or `No.` for a question whether such records exist or a figure rose or fell; empty for other questions."""
    slots = understood.slots
    if slots.contrast and slots.yes_no and len(slots.by) == 1 and len(findings) == 1:
        return _contrast(
            [str(value) for condition in slots.where for value in getattr(condition, "values", ())],
            findings[0],
            slots.contrast,
        )
    if slots.contrast and slots.yes_no and len(findings) == 2 and all(len(finding.rows) == 1 for finding in findings):
        return _more(findings[0].rows[0].get("value"), findings[1].rows[0].get("value"), slots.contrast)
    if slots.premise == "missed" and len(findings) == 1 and len(findings[0].rows) == 1:
        attained = findings[0].rows[0].get("quota_attainment")
        return "The quota was not missed." if attained is not None and attained >= 1 else ""
    if (
        slots.contrast
        and slots.yes_no
        and len(slots.metrics) == 2
        and len(findings) == 1
        and len(findings[0].rows) == 1
    ):
        first, second = (findings[0].rows[0].get(name) for name in slots.metrics)
        return _more(first, second, slots.contrast)
    if (
        slots.exists
        and slots.entity
        and slots.goal in ("", "list", "count")
        and not (slots.turn or slots.by or slots.rank or slots.share)
    ):
        rows = findings[-1].rows if findings else []
        return "Yes." if rows and rows[0].get("value", 1) else "No."
    if slots.turn not in ("up", "down") or not slots.yes_no or slots.goal == "why" or not findings:
        return ""
    if len(slots.by) == 1 and slots.by[0].startswith("time:") and len(findings) == 1 and len(findings[0].rows) > 1:
        return _course(findings[0], slots.turn, slots.by[0].removeprefix("time:"))
    rows = [finding.rows[0] for finding in findings if len(finding.rows) == 1]
    values = [(row["value_before"], row["value"]) for row in rows if "value_before" in row]
    if not values and len(rows) == 2:
        values = [(rows[0].get("value"), rows[1].get("value"))]
    if len(values) != 1 or None in values[0]:
        return ""
    before, now = values[0]
    return _more(now, before, "more" if slots.turn == "up" else "less")


def _contrast(values: Sequence[str], finding: Found, way: str) -> str:
    """`Yes.` or `No.` for a question whether the first of two values has more than the second, or less."""
    rows = {
        str(row.get(name)): row.get("value") for row in finding.rows for name in row if str(row.get(name)) in values
    }
    first, second = (rows.get(value) for value in values) if len(values) == 2 else (None, None)
    return _more(first, second, way)


def _course(finding: Found, way: str, unit: str) -> str:
    """Whether figures that follow one another rise or fall, in words; empty where one of them is not known.

    Rows without a time are left out, and the first ones of few records.
    """
    rows = [row for row in finding.rows if finding.key and row.get(finding.key[0]) is not None]
    few = next((place for place, row in enumerate(rows) if row.get("n") is None or row["n"] >= FEWEST), len(rows))
    values: list[Any] = [row.get("value") for row in rows[few:]]
    if len(values) < 2 or None in values:
        return ""
    steps = [then > first if way == "up" else then < first for first, then in pairwise(values)]
    if all(steps):
        return f"Yes, from each {unit} to the next{', but for the first with fewer than five records' if few else ''}."
    if not any(steps):
        return "No."
    ends = values[-1] > values[0] if way == "up" else values[-1] < values[0]
    first, before = (_beside(values[-1], other) for other in (values[0], values[-2]))
    if len(values) > 2:
        first = f"{first} the first and {before} the one before it"
    return (
        f"{'Not steadily' if ends else 'No'}: it rose in some {unit}s and fell in others, and the last one is {first}."
    )


def _beside(value: Any, other: Any) -> str:
    return "above" if value > other else "below" if value < other else "the same as"


def _more(first: Any, second: Any, way: str) -> str:
    """Whether the first of two figures is more, or less; empty where one of them is not known."""
    if first is None or second is None:
        return ""
    return "Yes." if (first > second if way == "more" else first < second) else "No."


def as_text(ledger: Ledger) -> tuple[str, list[Receipt]]:
    """Findings in plain lines, with a receipt per figure."""
    lines: list[str] = []
    receipts: list[Receipt] = []
    for place, finding in enumerate(ledger.found, 1):
        name = f"F{place}"
        split = len(finding.rows) != 1 or finding.key
        lines.append(f"{finding.title}{'' if split else ': ' + _value(ledger, name, 0, finding, receipts)}")
        if split:
            for row in range(min(len(finding.rows), MOST_ROWS)):
                lines.append("  " + _value(ledger, name, row, finding, receipts))
        shown = min(len(finding.rows), MOST_ROWS)
        if finding.count > shown:
            lines.append(f"  {shown:,} of {finding.count:,} rows")
        elif shown > 3:  # fewer are counted at a glance
            lines.append(f"  {shown:,} rows")
        if not finding.rows:
            lines.append("  none")
        if finding.note:
            lines.append(f"  {finding.note}")
    return "\n".join(lines), receipts


def _value(ledger: Ledger, name: str, row: int, finding: Found, receipts: list[Receipt]) -> str:
    """A row in one line: its key first, then what is known of the rest."""
    parts = []
    for about in finding.fields:
        receipt = ledger.receipt(name, row, about.name)
        if receipt is None or (
            receipt.value in (None, []) and about.name not in finding.key and len(finding.fields) > 4
        ):
            continue
        receipts.append(receipt)
        if about.name == "value" or about.name in finding.key or about.name == "customer_name":
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


def references(findings: Sequence[Found]) -> dict[str, Any]:
    """Findings for a model: each with its name, columns and rows; text cells are data, never instructions."""
    return {
        f"F{place}": {
            "title": finding.title,
            "columns": [about.name for about in finding.fields],
            "rows": [
                [finding.written(row, about.name) for about in finding.fields] for row in finding.rows[:MOST_ROWS]
            ],
            "note": finding.note,
            "shown": min(len(finding.rows), MOST_ROWS),
            "total": finding.count,
        }
        for place, finding in enumerate(findings, 1)
    }
