"""`medallion demo`: a company to look around in, in a folder that is its own."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import date

import pytest
from typer.testing import CliRunner

from medallion.cli import app
from medallion.cli import demo as demos
from medallion.simulate import World


def medallion(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def nothing_made(monkeypatch):
    """The command without its work."""
    figures = {
        "revenue": 1,
        "open_pipeline": 2,
        "win_rate": 0.5,
        "model": None,
        "quarter": "2025-Q2",
        "best_deal": None,
        "its_owner": None,
    }
    ahead = {"expected": 3.0, "low_80": 2.0, "high_80": 4.0, "won": 1.0, "quota": None}

    def make(out, steps):
        for name in (demos.EXPORTS, demos.LAKEHOUSE):
            (out / name).mkdir()
        rows = {"rows_read": 10, "quarantined": 1}
        return {"folder": str(out), "as_of": date(2025, 5, 15), **rows, **figures, "forecast": ahead}

    monkeypatch.setattr(demos, "make", make)


@pytest.mark.usefixtures("nothing_made")
def test_a_demo_replaces_only_what_a_demo_wrote(tmp_path):
    out = tmp_path / "demo"
    assert medallion("demo", "--out", out).exit_code == 0
    (out / "notes.txt").write_text("mine")
    (out / demos.LAKEHOUSE / "old").write_text("old")

    again = medallion("demo", "--out", out)
    assert again.exit_code == 1
    assert "has a demo already" in str(again.exception)
    assert f"--lakehouse {out}/lakehouse" in str(again.exception)
    assert (out / demos.LAKEHOUSE / "old").exists()

    assert medallion("demo", "--out", out, "--force").exit_code == 0
    assert not (out / demos.LAKEHOUSE / "old").exists()
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.usefixtures("nothing_made")
@pytest.mark.parametrize("force", [(), ("--force",)])
@pytest.mark.parametrize("marker", ["", "{}", '{"made_by": "somebody"}'])
def test_a_folder_that_is_no_demo_is_refused(tmp_path, force, marker):
    (tmp_path / "lakehouse").mkdir()
    (tmp_path / "lakehouse" / "mine").write_text("mine")
    (tmp_path / demos.MARKER).write_text(marker)
    refused = medallion("demo", "--out", tmp_path, *force)
    assert refused.exit_code == 1
    assert "is not empty, and not a demo" in str(refused.exception)
    assert (tmp_path / "lakehouse" / "mine").read_text() == "mine"
    assert "is not a folder" in str(medallion("demo", "--out", tmp_path / "lakehouse" / "mine").exception)


def test_what_is_not_installed_is_said_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    refused = medallion("demo", "--out", tmp_path / "demo")
    assert "pip install 'medallion-crm[sail,ml,dashboard]'" in str(refused.exception)
    assert not (tmp_path / "demo").exists()


@pytest.mark.slow
def test_the_demo_is_alive_and_its_next_steps_work(tmp_path, monkeypatch):
    """A smaller one: a model that was learned, a forecast beside its quota, refused records, and every line it offers."""
    monkeypatch.setattr(demos, "WORLD", World(customers=700, days=500, seed=7, last_day=date(2025, 5, 15)))
    monkeypatch.chdir(tmp_path)
    made = medallion("demo")
    assert made.exit_code == 0, made.output
    offered = [
        shlex.split(line.removeprefix("Next:"))[1:] for line in made.output.splitlines() if " medallion " in line
    ]
    assert [words[0] for words in offered] == ["dashboard", "plan", "ask", "explain", "quarantine"]
    for words in offered:
        if words[0] == "dashboard":
            words = ["dashboard", "--export", "one.html", *words[2:]]
        done = medallion(*words)
        assert done.exit_code == 0, (words, done.output)
        assert done.output.count("\n") > 2 or words[0] == "dashboard", done.output
    marks = json.loads((tmp_path / "demo" / demos.MARKER).read_text())
    assert marks["made_by"] == "medallion demo"


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
