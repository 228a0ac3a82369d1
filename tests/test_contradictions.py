"""A state and a stage that contradict each other are asked about, by `init` and by a run without a contract."""

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
    assert ("which counts?" in status["reason"]) == asked and said in status["reason"]
    assert (status["confidence"] < CONFIDENT) == asked
    plain = contracts.entities()
    refused = conventions.settle(scan(str(tmp_path), plain).files, plain, []).refused
    assert [("which counts?" in refusal.problem) for refusal in refused] == [True] * asked
    answered = contracts.entities([Override("mine", found.text.replace("confidence: 0.6,", ""))])
    assert conventions.settle(scan(str(tmp_path), answered).files, answered, []).refused == []


def test_every_spelling_of_the_stage_is_compared(tmp_path):
    rows = [f"D{n},A1,Open,{stage},{n}00,2025-01-01,2025-02-01" for n, stage in enumerate(["won", "Gewonnen", "Proposal"], 1)]
    (tmp_path / "deals.csv").write_text(HEAD + "\n".join(rows) + "\n")
    plain = contracts.entities()
    (refusal,) = conventions.settle(scan(str(tmp_path), plain).files, plain, []).refused
    assert "2 of 3 deals are such as 'Open' in 'Status'" in refusal.problem
