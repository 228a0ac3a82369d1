"""`medallion init --interactive`: doubts asked one by one, their answers in the contract."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from medallion import contracts, proposal
from medallion.cli import run as command
from medallion.cli.app import app
from medallion.contracts import Override
from medallion.pipeline import sample

STAGES = (
    "Record ID,Deal Name,Deal Stage,Amount,Create Date,Close Date,Associated Company,Deal owner\n"
    "1,A,Closed Won,1000,2025-01-06,2025-03-14,Velde Paper,Ines\n"
    "2,B,Closed Lost,500,2025-01-09,2025-03-17,Orrin Steel,Petra\n"
    "3,C,Credit check,900,2025-01-13,2026-12-19,Tarn Foods,Ines\n"
    "4,D,Zebra,70,2025-01-14,2026-12-19,Tarn Foods,Ines\n"
)
ORDER = STAGES.replace("Credit check", "Negotiation").replace("Zebra", "Proposal")
for _text, _slash in (("2025-01-06", "01/06/2025"), ("2025-01-09", "01/09/2025"), ("2025-01-13", "01/08/2025"),
                      ("2025-01-14", "01/05/2025")):  # fmt: skip
    ORDER = ORDER.replace(_text, _slash)
for _text, _slash in (("2025-03-14", "03/04/2025"), ("2025-03-17", "03/07/2025"), ("2026-12-19", "12/09/2026")):
    ORDER = ORDER.replace(_text, _slash)


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """`ask({"deals.csv": "..."}, "2", "1")` gives what was shown, the exit status and the contract that was written."""
    monkeypatch.setattr(command, "_at_a_terminal", lambda: True)
    monkeypatch.setattr(sample, "proved", lambda folder, text: (None, ""))

    def call(files, *answers, more=()):
        folder = tmp_path / "in"
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            (folder / name).write_text(content)
        out = tmp_path / "x.odcs.yaml"
        given = "".join(f"{answer}\n" for answer in answers)
        done = CliRunner().invoke(app, ["init", str(folder), "--out", str(out), "--interactive", *more], input=given)
        return done, out.read_text() if out.exists() else ""

    return call


def guesses(text):
    return contracts.guesses(contracts.entities([Override("x", text)]).values())


def test_leads_that_are_no_deals_name_no_accounts_either(ask):
    leads = "Lead ID,Company,Lead Status,Lead Source,Created\n" + "".join(
        f"L{n},Prospect {n},New,Web,2025-01-0{n}\n" for n in range(1, 9)
    )
    deals = (
        ORDER.replace("01/0", "2025-01-0")
        .replace("/2025", "")
        .replace("03/0", "2025-03-0")
        .replace("12/09/2026", "2026-12-09")
    )
    done, text = ask({"deals.csv": deals, "leads.csv": leads}, "2")
    assert "if not, delete this source, and that of customers with its accounts" in " ".join(done.output.split())
    assert "file: deals" in text
    assert "file: leads" not in text


def test_every_unknown_spelling_is_asked_with_what_it_comes_to(ask):
    done, text = ask({"deals.csv": STAGES}, "2", "3")
    assert done.exit_code == 0, done.output
    assert "What does 'Credit check' in Deal Stage mean for status?" in done.output
    assert "1  open: 1 row more open" in done.output
    assert '"Credit check": won' in text
    assert "Zebra: lost" in text
    assert guesses(text) == []


def test_a_doubt_may_be_left_open_and_a_wrong_number_is_asked_again(ask):
    done, text = ask({"deals.csv": STAGES}, "9", "1", "0")
    assert done.exit_code == 0, done.output
    assert "'9' is not a number from 0 to 3." in done.output
    assert [guess.split(" from")[0] for guess in guesses(text)] == ["leads: status"]


@pytest.mark.parametrize(("answer", "formats", "shows"), [("1", "d/M", "2025-05-01 to 2025-09-01"), ("2", "M/d", "2025-01-05 to 2025-01-09")])  # fmt: skip
def test_the_order_of_days_and_months_is_asked_with_both_spans(ask, answer, formats, shows):
    done, text = ask({"deals.csv": ORDER}, *[answer] * 4)
    assert done.exit_code == 0, done.output
    assert shows in done.output
    assert "the month: 2025-01-05 to 2025-01-09" in done.output
    assert guesses(text) == []


@pytest.mark.parametrize(("place", "formats"), [(0, "d/M/yy"), (1, "M/d/yy"), (2, "yy/M/d")])
def test_years_of_two_digits_are_asked_once_with_three_readings(tmp_path, place, formats):
    header = "Record ID,Deal Name,Deal Stage,Amount,Create Date,Close Date,Associated Company\n"
    (tmp_path / "deals.csv").write_text(
        header + "1,A,Closed Won,9,05/06/04,07/08/04,Velde\n2,B,Closed Lost,9,06/07/04,08/09/04,Orrin\n"
    )
    seen = []

    def answer(question):
        seen.append([(a.says, a.comes_to) for a in question.answers])
        return question.answers[place]

    text = proposal.propose(str(tmp_path), "x", ask=answer).text
    (answers,) = seen
    assert [says for says, _ in answers] == ["the day", "the month", "the year"]
    assert [comes_to[:24] for _, comes_to in answers] == [
        "2004-06-05 to 2004-07-06",
        "2004-05-06 to 2004-06-07",
        "2005-06-04 to 2006-07-04",
    ]
    assert guesses(text) == []
    assert f'["{formats} since' in text


CLOSED_BEFORE = "".join(
    f"{n},Deal {n},Closed {'Won' if n % 2 else 'Lost'},{amount},0{n}/05/2025,0{n}/03/2025,Firm {n % 3}\n"
    for n, amount in enumerate((100, 200, -50, 400, 500, 600), 1)
)
HEADER = "Record ID,Deal Name,Deal Stage,Amount,Create Date,Close Date,Associated Company\n"


def test_each_doubt_of_a_column_has_an_answer_of_its_own(tmp_path):
    """The order of days, and deals that close before they are opened: one answer does not take the other away."""
    (tmp_path / "deals.csv").write_text(HEADER + CLOSED_BEFORE)

    def answered(*words):
        asked = []

        def answer(question):
            asked.append(question.asks)
            return question.answers[0] if any(word in question.asks for word in words) else None

        return asked, guesses(proposal.propose(str(tmp_path), "x", ask=answer).text)

    asked, left = answered("What comes first", "below 0", "close before")
    assert sum("close before Create Date" in each for each in asked) == 1
    assert sum("What comes first" in each for each in asked) == 1
    assert left == []
    assert any("closed_at" in guess for guess in answered("What comes first", "below 0")[1])
    assert not any("closed_at" in guess for guess in answered("close before", "What comes first")[1])
    assert answered("close before", "below 0")[1]


def test_a_column_can_be_left_empty_or_filled_by_another(tmp_path):
    (tmp_path / "deals.csv").write_text(STAGES.replace("Close Date", "Due").replace("Amount", "Amount,Fee").replace(
        ",1000,", ",1000,5,").replace(",500,", ",500,6,").replace(",900,", ",900,7,").replace(",70,", ",70,8,"))  # fmt: skip
    seen = []

    def answer(question):
        seen.append((question.asks, [(a.says, a.comes_to) for a in question.answers]))
        return question.answers[-1]

    proposed = proposal.propose(str(tmp_path), "x", ask=answer)
    assert all(len(answers) >= 2 for _, answers in seen)
    assert guesses(proposed.text) == []


def test_no_terminal_is_refused_in_words(tmp_path):
    (tmp_path / "deals.csv").write_text(STAGES)
    done = CliRunner().invoke(app, ["init", str(tmp_path), "--out", str(tmp_path / "x.yaml"), "--interactive"])
    assert "--interactive asks in a terminal, and this is none" in str(done.exception)
    assert not (tmp_path / "x.yaml").exists()
