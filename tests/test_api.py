"""`import medallion`: what Python code calls."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime

import pytest

import medallion
from conftest import ROOT
from medallion import Lakehouse, metrics, query
from medallion.errors import LakehouseError


def test_a_lakehouse_is_opened_and_asked(sample):
    lake = medallion.open(sample.root)
    assert isinstance(lake, Lakehouse)
    with query.connect(lake) as connection:
        assert metrics.written("win_rate", metrics.value(connection, "win_rate"), "USD") == "54.5%"


def test_there_has_to_be_one(tmp_path):
    with pytest.raises(LakehouseError, match="there is no lakehouse here"):
        medallion.open(str(tmp_path))


def test_a_run_is_that_of_the_command(monkeypatch, tmp_path):
    from medallion import pipeline

    asked = []
    monkeypatch.setattr(pipeline, "run", lambda settings, now, **more: asked.append((settings, more)))
    medallion.run("exports", str(tmp_path), as_of="2025-03-31", full_refresh=True)
    ((settings, more),) = asked
    assert (settings.source, settings.lakehouse, settings.as_of) == ("exports", str(tmp_path), "2025-03-31")
    assert more == {"full_refresh": True}


@pytest.mark.slow
def test_a_line_of_python_runs_it(tmp_path):
    """The client of Spark takes `python -c` for its own doctests, unless it is loaded otherwise."""
    code = f"import medallion; print(medallion.run({str(ROOT / 'data')!r}, {str(tmp_path / 'lake')!r}).wrong)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_importing_it_loads_nothing():
    told = "import sys, medallion; print(sorted(set(sys.modules) & {'pyspark', 'duckdb', 'pyarrow', 'deltalake', 'pydantic'}))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_metrics_need_no_import_of_their_own():
    told = "import medallion; print(len(medallion.metrics.metrics()) > 10)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


@pytest.mark.parametrize("name", medallion.__all__)
def test_every_name_is_there(name):
    assert getattr(medallion, name) is not None


def test_the_import_paths_of_earlier_versions():
    from medallion import notebook, status
    from medallion.store import Lakehouse as Earlier

    assert (notebook.__name__, status.__name__) == ("medallion.cli.notebook", "medallion.care.status")
    assert Earlier is Lakehouse
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = medallion.nothing


def test_the_as_of_time_has_its_name_and_parameter_of_earlier_versions():
    from medallion.features import AsOf, Moment

    moment = Moment(as_of=datetime(2025, 7, 1))
    assert isinstance(moment, AsOf)
    assert moment.as_of == moment.time
    assert moment.day == date(2025, 6, 30)
    assert moment.weights == AsOf(moment.time).weights


@pytest.mark.parametrize("name", ["model_training", "model_evaluation"])
def test_scripts_of_models_say_how_they_are_run(name):
    command = [sys.executable, "-m", f"models.{name}", "--help"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert told.returncode == 1
    assert f"python models/{name}.py" in told.stderr
