"""Commands that read work on a lakehouse that cannot be written, and on one where the agent has kept its log."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from conftest import NOW
from medallion import contracts
from medallion.agent import audit
from medallion.agent.answer import Answer
from medallion.care import status
from medallion.lakehouse.store import Lakehouse

ANSWER = Answer("win rate?", "50%", ())


@pytest.fixture
def copy(sample, tmp_path):
    """A lakehouse of the sample that a test may change."""
    shutil.copytree(sample.root, tmp_path / "lakehouse")
    return Lakehouse(str(tmp_path / "lakehouse"))


def test_tables_are_listed_whatever_else_is_there(copy):
    audit.record(copy, ANSWER, "ask", NOW, 0.1)
    shutil.copytree(copy.path("gold.deals"), copy.path("gold.a_table_of_ones_own"))
    grains = {row["table"]: row["grain"] for row in status.tables(copy)}
    assert grains["ops.agent_log"] == "one row per question or tool call"
    assert grains["gold.a_table_of_ones_own"] == "no contract describes this table"
    assert contracts.table("ops.agent_log").column_names == tuple(audit.SCHEMA.names)


def test_an_answer_is_given_where_its_log_cannot_be_kept(copy, monkeypatch, capsys):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert [audit.record(copy, ANSWER, "ask", NOW, 0.1) for _ in range(2)] == [None, None]
    said = f"{copy.root}: cannot be written (Permission denied); answers are not kept in ops.agent_log\n"
    assert capsys.readouterr().err == said  # once
    assert not copy.exists("ops.agent_log")


COMMANDS = [
    "tables", "insights", "status", "metrics value revenue", "plan", "brief C004", "explain L-1012",
    "ask 'What is the win rate by source?'", "doctor", "gate", "quarantine list", "models", "actions list",
    "export --to {out}/export", "dashboard --export {out}/page.html", "verify", "restore --list", "restore --to 1 --dry-run",
    "quarantine suggest", "metrics list", "powerbi build --out {out}/powerbi", "slides --out {out}/slides",
    "eda --out {out}/eda", "tables --at 1",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="folders have no modes on Windows")
def test_reading_commands_on_a_read_only_lakehouse(sample):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        _read_everything(sample, Path(folder))


def _read_everything(sample, folder):
    lake, out, someone = Path(folder, "lakehouse"), Path(folder, "out"), []
    shutil.copytree(sample.root, lake)
    out.mkdir()
    if os.geteuid() == 0:  # modes do not hold root back
        if not shutil.which("setpriv"):
            pytest.skip("runs as root, and there is no setpriv to give up its power over modes")
        less = "-dac_override,-dac_read_search"
        someone = ["setpriv", f"--bounding-set={less}", f"--inh-caps={less}"]
        folder.chmod(0o755)
        out.chmod(0o777)
    everything = [lake, *lake.rglob("*")]
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    script = "\n".join(
        [
            "from medallion.cli import app; import shlex, sys",
            "for line in sys.argv[2:]:",
            "    try:",
            "        app([*shlex.split(line), '--lakehouse', sys.argv[1]], standalone_mode=False)",
            "    except BaseException as error:",
            "        print(f'FAILED {line}: {type(error).__name__} {error}')",
        ]
    )
    lines = [command.format(out=out) for command in COMMANDS]
    done = subprocess.run(
        [*someone, sys.executable, "-c", script, str(lake), *lines],
        cwd=out, env={**os.environ, "HOME": str(out)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    # commands that start the engine have a process of their own
    engine = [
        subprocess.run(
            [*someone, sys.executable, "-m", "medallion", *line.split(), "--lakehouse", str(lake)],
            cwd=out, env={**os.environ, "HOME": str(out)}, capture_output=True, text=True, check=False,
        )
        for line in ("metrics check", f"replay 2025-05-31 --to {out}/replay", "reprocess --dry-run --entity products --accept")
    ]  # fmt: skip
    for path in everything:
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert [line for line in done.stdout.splitlines() if line.startswith("FAILED")] == [], done.stderr[-2000:]
    assert [one.returncode for one in engine] == [0, 0, 0], [one.stderr[-1000:] for one in engine]
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr.count("answers are not kept in ops.agent_log") == 1


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
