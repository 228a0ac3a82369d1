"""What deals say against themselves: a stage that is not the state, a deal that has ended on no day."""

from __future__ import annotations

import pytest

from medallion import contracts, proposal
from medallion.contracts import CONFIDENT, Override
from medallion.pipeline import conventions
from medallion.sources import scan

HEAD = "Deal ID,Account ID,Status,Stage,Amount,Created Date,Close Date\n"
PAIRS = [
    # states and stages of the rows, whether they contradict each other, what is said of either
    (["Open/Closed Won", "Won/Closed Won", "Open/Proposal", "Lost/Closed Lost"], True, "by Status 1 won, 1 lost, 2 open; by Stage 2 won, 1 lost, 1 open"),
    (["New/Won", "Won/Negotiation", "Open/Lost", "Lost/Lost"], True, "by Status 1 won, 1 lost, 2 open; by Stage 1 won, 2 lost, 1 open"),
    (["Won/Closed Lost", "Open/Prospecting", "Won/Closed Won"], True, "by Status 2 won, 0 lost, 1 open; by Stage 1 won, 1 lost, 1 open"),
    (["Won/Negotiation", "Lost/Proposal", "Open/Prospecting"], False, ""),  # the stage stays where it was
    (["Won/Closed Won", "Open/Prospecting", "Lost/Closed Lost"], False, ""),
]  # fmt: skip


@pytest.mark.parametrize(("pairs", "asked", "said"), PAIRS, ids=[row[0][0] for row in PAIRS])
def test_a_stage_that_says_otherwise_than_the_state_is_asked_about(tmp_path, pairs, asked, said):
    rows = [f"D{n},A1,{pair.replace('/', ',')},{n}00,2025-01-0{n},2025-02-0{n}" for n, pair in enumerate(pairs, 1)]
    (tmp_path / "deals.csv").write_text(HEAD + "\n".join(rows) + "\n")
    (tmp_path / "accounts.csv").write_text("Account ID,Account Name\nA1,Acme\n")
    found = proposal.propose(str(tmp_path), "x")
    (status,) = [c for c in found.columns if (c["entity"], c["column"]) == ("leads", "status")]
    assert ("which counts?" in status["reason"]) == asked
    assert said in status["reason"]
    assert (status["confidence"] < CONFIDENT) == asked
    plain = contracts.entities()
    refused = conventions.settle(scan(str(tmp_path), plain).files, plain, []).refused
    assert [("which counts?" in refusal.problem) for refusal in refused] == [True] * asked
    answered = contracts.entities([Override("mine", found.text.replace("confidence: 0.6,", ""))])
    assert conventions.settle(scan(str(tmp_path), answered).files, answered, []).refused == []


def test_every_spelling_of_the_stage_is_compared(tmp_path):
    rows = [
        f"D{n},A1,Open,{stage},{n}00,2025-01-01,2025-02-01"
        for n, stage in enumerate(["won", "Gewonnen", "Proposal"], 1)
    ]
    (tmp_path / "deals.csv").write_text(HEAD + "\n".join(rows) + "\n")
    plain = contracts.entities()
    (refusal,) = conventions.settle(scan(str(tmp_path), plain).files, plain, []).refused
    assert "2 of 3 deals are such as 'Open' in 'Status'" in refusal.problem


UNDATED = [
    # headers of state, closing, change; days of closing of five deals won or lost; what is said
    ("Status", "Close Date", "Last Modified Date", "2025-02-01 - 2025-02-03 - 2025-02-05", "2 of 5 deals won or lost have none and count on the day in Last Modified Date"),
    ("Deal Status", "Won Date", "", "2025-02-01 2025-02-02 2025-02-03 - 2025-02-05", "1 of 5 deals won or lost have none and count on the day in Created Date"),
    ("Status", "Actual Close Date", "Modified On", "2025-02-01 2025-02-02 2025-02-03 2025-02-04 2025-02-05", ""),
]  # fmt: skip


@pytest.mark.parametrize(("status", "closing", "changed", "days", "said"), UNDATED, ids=[row[1] for row in UNDATED])
def test_a_deal_that_ended_on_no_day_is_told(tmp_path, status, closing, changed, days, said):
    more = f",{changed}" if changed else ""
    rows = [
        f"D{n},A1,{['Won', 'Lost'][n % 2]},{n}00,2025-01-0{n},{'' if day == '-' else day}{',2025-03-01' if changed else ''}"
        for n, day in enumerate(days.split(), 1)
    ]
    rows += [f"D9,A1,Open,900,2025-01-09,{',2025-03-01' if changed else ''}"]  # open deals have none
    (tmp_path / "deals.csv").write_text(
        f"Deal ID,Account ID,{status},Amount,Created Date,{closing}{more}\n" + "\n".join(rows) + "\n"
    )
    (tmp_path / "accounts.csv").write_text("Account ID,Account Name\nA1,Acme\n")
    found = proposal.propose(str(tmp_path), "x")
    (closed,) = [c for c in found.columns if (c["entity"], c["column"]) == ("leads", "closed_at")]
    assert (closed["confidence"] < CONFIDENT) == bool(said), closed
    assert said in closed["reason"]
    assert ("transformLogic" in closed["reason"]) == bool(said)
    plain = contracts.entities()
    notes = [
        note for note in conventions.settle(scan(str(tmp_path), plain).files, plain, []).notes if "without" in note
    ]
    lacking = days.split().count("-")
    assert [f"without '{closing}': {lacking}; they count on the day they were" in note for note in notes] == [
        True
    ] * bool(said)


def test_the_declared_rule_may_leave_the_day_empty():
    rule = "CASE WHEN status IN ('won', 'lost') THEN closed_at END"
    text = f'apiVersion: v3.1.0\nkind: DataContract\nid: m\nname: m\nversion: 1.0.0\nstatus: draft\nschema:\n  - name: leads\n    properties:\n      - {{name: closed_at, transformLogic: "{rule}"}}\n'
    assert contracts.entities([Override("m", text)])["leads"].column("closed_at").derive == rule
