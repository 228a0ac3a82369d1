"""The commands that beginners know, run in the root of the repository: what they install, need and write."""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT

SCRIPTS = [
    *(f"notebooks/{name}.py" for name in ("01_bronze_to_silver", "02_silver_to_gold", "03_eda_analysis")),
    *(f"scripts/{name}.py" for name in ("train_ml_model", "deploy_to_databricks", "upload_data")),
    *(f"models/{name}.py" for name in ("model_training", "model_evaluation")),
    *(f"tests/test_{name}.py" for name in ("bronze_to_silver", "silver_to_gold", "data_quality")),
]


def requirements(name: str) -> list[str]:
    return (ROOT / "config" / name).read_text().splitlines()


def run(script: str, cwd: Path, *options: str, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, *flags, str(ROOT / script), *options]
    return subprocess.run(line, capture_output=True, text=True, cwd=cwd)


def test_requirements_install_the_package_and_the_versions_of_the_lock():
    pins = [line for line in requirements("requirements.txt") if not line.startswith("#")]
    locked = [line.rstrip(" \\") for line in requirements("requirements.lock") if re.match("[a-z0-9]", line)]
    assert pins == ["-e .", *locked]
    everything = [line.rstrip(" \\") for line in requirements("requirements-dev.lock") if re.match("[a-z0-9]", line)]
    # pbix-mcp, a tool of the tests, wants an older library of the protocol; both are tested
    assert {line.split("==")[0] for line in {*locked} - {*everything}} <= {"mcp", "mcp-types"}
    tools = ("mypy", "ruff", "openai", "anthropic", "mlflow-skinny", "sqlalchemy", "splink", "igraph")
    assert not [line for line in locked if line.split("==")[0] in tools]


def test_every_version_of_the_lock_has_a_hash_and_no_file_names_a_host():
    for name in ("requirements.lock", "requirements-dev.lock"):
        for entry in re.split(r"\n(?=[a-z0-9])", "\n".join(requirements(name))):
            assert re.match(r"[a-z0-9._-]+==\S+.*(\\\n +--hash=sha256:[0-9a-f]{64} ?)+", entry), entry
    for name in ("requirements.lock", "requirements-dev.lock", "requirements.txt"):
        assert not [line for line in requirements(name) if "://" in line or line.startswith("--")]


@pytest.mark.parametrize("script", SCRIPTS)
def test_without_the_package_a_script_says_what_to_install(script, tmp_path):
    done = run(script, tmp_path, flags=("-I", "-S"))  # -S: the standard library alone
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "pip install -r config/requirements.txt" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("notebooks/01_bronze_to_silver.py", "data: there is no such folder"),
        ("notebooks/02_silver_to_gold.py", "Run notebooks/01_bronze_to_silver.py first"),
        ("notebooks/03_eda_analysis.py", "data: there is no such folder"),
        ("scripts/train_ml_model.py", "Run `medallion run` first"),
    ],
)
def test_without_its_inputs_a_script_says_what_to_run_first(script, words, tmp_path):
    done = run(script, tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert words in done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".parquet", ".txt", ".html")]


@pytest.mark.slow
def test_the_analysis_brings_the_sample_to_gold_and_writes_what_is_shipped(tmp_path):
    shutil.copytree(ROOT / "data", tmp_path / "data")
    shutil.copytree(ROOT / "analysis", tmp_path / "analysis")
    for _ in range(2):
        done = run("notebooks/03_eda_analysis.py", tmp_path)
        assert done.returncode == 0, done.stderr
        written = {path.name: path.read_bytes() for path in (tmp_path / "analysis").iterdir()}
        assert written["01_deals_and_interactions.png"][:4] == b"\x89PNG"
        shipped = {path.name: path.read_bytes() for path in (ROOT / "analysis").iterdir() if path.name in written}
        assert [name for name in written if written[name] != shipped[name]] == []


def test_a_picture_is_drawn_again_only_when_its_chart_changed(tmp_path, monkeypatch):
    from medallion import charts, report

    drawn = []
    monkeypatch.setattr(
        charts, "png", lambda chart: drawn.append(chart) or (ROOT / "docs/pictures/dashboard.png").read_bytes()
    )
    for chart in ({"mark": "bar"}, {"mark": "bar"}, {"mark": "line"}):
        report._picture(tmp_path / "a.png", chart)
    assert drawn == [{"mark": "bar"}, {"mark": "line"}]


def test_on_databricks_the_analysis_never_runs_the_pipeline(tmp_path):
    from medallion.cli import notebook
    from medallion.config import load

    settings = load(None, source=str(ROOT / "data"), lakehouse=str(tmp_path / "lakehouse"))
    notebook.bring_to_gold({"dbutils": object()}, settings)
    assert not (tmp_path / "lakehouse").exists()


def test_a_notebook_tells_all_that_is_wrong_and_steers_no_terminal(tmp_path, monkeypatch, capsys):
    from medallion import pipeline
    from medallion.cli import notebook
    from medallion.config import load
    from medallion.pipeline.result import Result
    from medallion.sources import Refusal

    held = Refusal("a.csv", None, "a\x1b[2J\x9b\u202e.csv: a delivery\nof less", "Look at it.")
    monkeypatch.setattr(pipeline, "run", lambda *_: Result("r", held=[held]))
    with pytest.raises(SystemExit) as ended:
        notebook.bring_to_gold({}, load(None, source=str(tmp_path), lakehouse=str(tmp_path / "lake")))
    told = capsys.readouterr().out
    assert ended.value.code == 1
    assert r"Held back: a\x1b[2J\x9b\u202e.csv: a delivery\nof less Look at it." in told


@pytest.mark.parametrize("written", ["json", "text"])
def test_a_log_steers_no_terminal(written, capsys):
    from medallion import log

    log.start("-", written)
    try:
        log.event("read", file="a\x1b[2J\x9b\u202eé.csv")
    finally:
        logging.getLogger("medallion").handlers[-1].close()
        logging.getLogger("medallion").handlers.pop()
    told = capsys.readouterr().err.rstrip("\n")
    assert "read" in told
    assert told.isprintable()


def test_weights_do_not_depend_on_the_order_of_addition():
    """Another processor adds in another order; here the rows come in another order."""
    from medallion.scoring.hazards import Outcomes, fit

    random = np.random.default_rng(1)
    x = random.normal(size=(3000, 12)) @ random.normal(size=(12, 12))
    won = random.random(3000) < 1 / (1 + np.exp(-x[:, 0] - 0.5 * x[:, 3]))
    outcomes = Outcomes((0, 7, 14), random.integers(0, 3, 3000), won, random.integers(0, 3, 3000))
    first = fit(x, outcomes, 3.0)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(3000)
        again = fit(x[order], outcomes.take(order), 3.0)
        assert (again.weights.tolist(), again.base.tolist()) == (first.weights.tolist(), first.base.tolist())


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
