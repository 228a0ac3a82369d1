"""What a brief has beside figures: what notes say, products, stages, and an agenda that follows from all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from medallion import figures
from medallion.agent import notes
from medallion.agent.facts import Field, Found
from medallion.agent.rules import FRESH_DAYS, due
from medallion.lakehouse import query

if TYPE_CHECKING:
    from medallion.agent.tools.findings import Findings

_TOUCHES, _LINES, _STAGES = "silver.interactions_clean", "gold.line_items", "gold.stage_history"
#: Touches whose notes are read, days after which what was said in one is no longer brought up, and points of an agenda.
NOTED, STILL_OPEN_DAYS, POINTS = 20, 120, 6
#: What is said of each subject that the notes may have.
SUBJECTS = {
    "quote": "a quote", "demo": "a demo", "material": "material or information", "call_back": "a call back",
    "reference": "a reference", "contract": "a contract or its terms", "price": "the price", "timing": "the timing",
    "competitor": "a competitor", "no_need": "no need seen", "authority": "someone else decides", "fit": "what it can do, or security",
    "theirs": "they will come back to us", "ours": "we will send or call",
}  # fmt: skip
#: How each kind of what notes say is raised again.
_RAISED = {
    "request": "They asked for {}: say what became of it",
    "objection": "Address their concern: {}",
    "promise": "Ask what became of it: {}",
}
_NOTED = (
    f"select interaction_id, occurred_at, channel, notes, _source_file as file, _source_row as line from {_TOUCHES} "
    "where customer_id = ? and notes is not null order by occurred_at desc, interaction_id limit ?"
)


def noted(tools: Findings, key: str, count: int = NOTED) -> list[dict[str, Any]]:
    """The last touches of an account with their notes: free text, which nothing else of the agent reads."""
    with query.connect(tools.serving.state or tools.serving.lake, layers=("silver",), only={_TOUCHES}) as connection:
        return query.rows(connection, _NOTED, [key, count])


def said(tools: Findings, key: str) -> Found:
    """Requests, objections and promises that the notes of an account's last touches hold, the newest first."""
    rows = [
        {
            "interaction_id": row["interaction_id"],
            "occurred_at": row["occurred_at"],
            "kind": statement.kind,
            "about": SUBJECTS[statement.subject],
            "channel": row["channel"],
        }
        for row in noted(tools, key)
        for statement in notes.read(row["notes"])
    ]
    fields = (
        Field("interaction_id", "Touch"), Field("occurred_at", "When", "timestamp"), Field("kind", "Kind"),
        Field("about", "About"), Field("channel", "Channel"),
    )  # fmt: skip
    note = f"Found by phrases in the notes of the last {NOTED} touches that have some; the notes themselves are personal data."
    return tools.found(
        "account_brief", "From the notes", fields, ("interaction_id",), rows, (_TOUCHES,), _NOTED, [key, NOTED], note
    )


def products(tools: Findings, key: str) -> Found | None:
    """What the open deals of an account are about, product by product; None where no lines are known."""
    if _LINES not in tools.serving.versions:
        return None
    sql = (
        f"select product_name, sum(quantity) as quantity, sum(amount) as amount, count(distinct lead_id) as deals from {_LINES} "
        "where customer_id = ? and status = 'open' group by 1 order by amount desc nulls last, product_name"
    )
    fields = (
        Field("product_name", "Product"), Field("quantity", "Quantity", "number"), Field("amount", "Amount", "money"),
        Field("deals", "Open deals", "number"),
    )  # fmt: skip
    rows = tools.serving.rows(sql, [key])
    return tools.found(
        "account_brief", "Products of the open deals", fields, ("product_name",), rows, (_LINES,), sql, [key]
    )


def stages(tools: Findings, leads: Sequence[str]) -> Found:
    """The stages that open deals have passed, the newest first."""
    sql = (
        f"select lead_id, stage, entered_at, days_in_stage from {_STAGES} where lead_id in (select unnest(?)) "
        "order by entered_at desc, lead_id limit 12"
    )
    fields = (
        Field("lead_id", "Deal"), Field("stage", "Stage"), Field("entered_at", "Since", "timestamp"),
        Field("days_in_stage", "Days in it", "number"),
    )  # fmt: skip
    rows = tools.serving.rows(sql, [list(leads)])
    return tools.found(
        "account_brief", "Stages of the open deals", fields, ("lead_id",), rows, (_STAGES,), sql, [list(leads)]
    )


def agenda(tools: Findings, deals: Found, touches: Found, from_notes: Found, product_lines: Found | None) -> Found:
    """What to talk about, in order, each point with the fact that it follows from."""
    points = _points(tools.day, deals.rows, touches.rows, from_notes.rows, product_lines.rows if product_lines else [])
    last = points.pop()
    rows = [{"point": point, "because": because} for point, because in (*points[: POINTS - 1], last)]
    fields = (Field("point", "Point"), Field("because", "Because"))
    return tools.found(
        "account_brief",
        "Suggested agenda",
        fields,
        ("point",),
        rows,
        tuple(tools.serving.read(*deals.tables, _TOUCHES)),
        deals.sql,
    )


def _points(
    day: date,
    deals: Sequence[Mapping[str, Any]],
    touches: Sequence[Mapping[str, Any]],
    statements: Sequence[Mapping[str, Any]],
    product_lines: Sequence[Mapping[str, Any]],
) -> list[tuple[str, str]]:
    points: list[tuple[str, str]] = []
    last = touches[0] if touches else None
    if last and last["outcome"] == "meeting_booked" and (day - last["occurred_at"].date()).days <= FRESH_DAYS:
        points.append(
            ("Confirm the meeting and what it is for", f"booked on {figures.day(last['occurred_at'].date())}")
        )
    if last and last["direction"] == "inbound" and last["outcome"] == "no_answer":
        points.append(
            (
                "Get back to them: they tried to reach us",
                f"{last['channel']} of {figures.day(last['occurred_at'].date())}",
            )
        )
    for kind, words in _RAISED.items():
        raised = [
            statement
            for statement in statements
            if statement["kind"] == kind and (day - statement["occurred_at"].date()).days <= STILL_OPEN_DAYS
        ]
        for about in list(dict.fromkeys(statement["about"] for statement in raised))[:2]:
            row = next(statement for statement in raised if statement["about"] == about)
            because = f"note of the {row['channel']} of {figures.day(row['occurred_at'].date())}"
            points.append((words.format(about), because))
    for row in deals[:2]:
        closes = row["expected_close_date"]
        if due(closes, day) == "passed":
            points.append(
                (f"{row['lead_id']}: agree on a new date for the decision",
                 f"it was expected to close on {figures.day(closes)}")
            )  # fmt: skip
        elif due(closes, day) == "near":
            points.append(
                (f"{row['lead_id']}: ask for the decision", f"it is expected to close on {figures.day(closes)}")
            )
    if product_lines:
        names = ", ".join(str(row["product_name"]) for row in product_lines[:3])
        points.append((f"Confirm the scope: {names}", "lines of the open deals"))
    if last is None:
        points.append(("Introduce yourself and ask what matters to them", "nobody has been in touch yet"))
    points.append(("Agree on the next step and its date", "so that both know what follows"))
    return points
