"""What a scheduler, a log collector and a lineage backend are told of a run."""

from __future__ import annotations

import importlib
import json
import logging
import threading
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from conftest import NOW, ROOT
from medallion import contracts, log, pipeline
from medallion.care import restore, status
from medallion.cli import app
from medallion.config import load
from medallion.errors import ConservationError, LakehouseError, MedallionError
from medallion.gold import gold_contract, possible
from medallion.lakehouse.store import Lakehouse

CUSTOMERS = "customer_id,customer_name,email,created_at\nC1,Acme,secret@x.example,2025-01-01\n"
LEADS = "lead_id,customer_id,status,created_at\nL1,C1,open,2025-02-01\nL2,C9,open,2025-02-01\n"


@pytest.fixture(autouse=True)
def _quiet_again():
    yield
    logger = logging.getLogger("medallion")
    for handler in [one for one in logger.handlers if not isinstance(one, logging.NullHandler)]:
        logger.removeHandler(handler)
        handler.close()
    log.common.clear()


@pytest.fixture
def exports(tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "customers.csv").write_text(CUSTOMERS)
    (folder / "leads.csv").write_text(LEADS)
    return folder


def events(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_log_has_the_run_its_steps_and_its_end(spark, exports, tmp_path):
    path = tmp_path / "log.jsonl"
    lakehouse = str(tmp_path / "lake")
    done = CliRunner().invoke(
        app, ["--log-file", str(path), "run", "--source", str(exports), "--lakehouse", lakehouse, "--json"]
    )
    assert done.exit_code == 0, done.output
    found = events(path)
    names = [one["event"] for one in found]
    assert names[0] == "step finished"
    assert names.count("run started") == names.count("run finished") == 1
    steps = [one["step"] for one in found if one["event"] == "step finished"]
    assert {"bronze: read the files", "silver: conform leads", "gold: deals"} <= set(steps)
    last = found[-1]
    assert last["rows"] == {"customers": 1, "leads": 2}
    assert (last["quarantined"], last["changed"], last["level"]) == (1, True, "info")
    assert {one["run_id"] for one in found} == {last["run_id"]}
    assert "secret" not in path.read_text()


def test_a_log_of_a_run_that_fails(spark, exports, tmp_path):
    path, lakehouse = tmp_path / "log.jsonl", tmp_path / "lake"
    log.start(str(path), "json", "warning")
    lakehouse.mkdir()
    (lakehouse / "silver").write_text("no folder")
    with pytest.raises(Exception, match=r"."):
        pipeline.run(load(None, source=str(exports), lakehouse=str(lakehouse)), NOW)
    found = events(path)
    assert [one["event"] for one in found][-1] == "run failed"
    assert {one["level"] for one in found} == {"error"}


@pytest.mark.slow
def test_a_run_that_failed_is_told_of_until_long_after(spark, exports, tmp_path, monkeypatch):
    lake = Lakehouse(str(tmp_path / "lake"))
    settings = load(None, source=str(exports), lakehouse=lake.root)
    rule = replace(contracts.table("gold.deals"), invariants=("lead_id = 'somebody secret'",))
    gold = importlib.import_module("medallion.pipeline.silver_to_gold")  # the package has the function of this name
    with monkeypatch.context() as broken:
        broken.setattr(gold, "gold_contract", lambda name: rule if name == rule.name else gold_contract(name))
        with pytest.raises(ConservationError):
            pipeline.run(settings, NOW)
    told = status.status(lake, NOW)
    assert told["runs"] == []
    (failure,) = told["failures"]
    assert (failure["step"], failure["error"]) == ("gold: check small tables", "ConservationError")
    assert failure["seconds"] > 0
    assert not lake.exists(restore.RUNS)  # nothing to go back to, and no sign for the dashboard
    shown = CliRunner().invoke(app, ["status", "--lakehouse", lake.root])
    assert "Runs that failed" in shown.output
    assert pipeline.run(settings, NOW + timedelta(hours=1)).changed
    told = status.status(lake, NOW)
    assert (len(told["runs"]), len(told["failures"])) == (1, 1)


def test_what_hinders_the_record_of_a_failure_does_not_hide_it(spark, exports, tmp_path, monkeypatch):
    path, lakehouse = tmp_path / "log.jsonl", tmp_path / "lake"
    log.start(str(path), "json", "warning")
    monkeypatch.setattr(
        importlib.import_module("medallion.pipeline.silver_to_gold"), "silver_to_gold", lambda *given, **more: 1 / 0
    )
    (lakehouse / "ops").mkdir(parents=True)
    (lakehouse / "ops" / "failures").write_text("no folder")
    with pytest.raises(ZeroDivisionError):
        pipeline.run(load(None, source=str(exports), lakehouse=str(lakehouse)), NOW)
    assert [one["event"] for one in events(path)][-2:] == ["run failed", "failure not recorded"]


def test_text_and_levels(tmp_path):
    path = tmp_path / "log.txt"
    log.start(str(path), "text")
    log.event("step finished", step="gold: deals", seconds=0.8)
    log.event("step started", logging.DEBUG, step="gold: deals")
    (line,) = path.read_text().splitlines()
    assert line.endswith('info    step finished step="gold: deals" seconds=0.8')


@pytest.mark.parametrize(("target", "level", "problem"), [("/no/such/folder/log", "info", "cannot be written"), ("-", "loud", "is no level")])  # fmt: skip
def test_a_log_that_cannot_be_written(target, level, problem):
    with pytest.raises(MedallionError, match=problem):
        log.start(target, "json", level)


# --- lineage ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def backend(monkeypatch):
    """A server that takes OpenLineage events, and what it has taken."""
    taken = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            taken.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{server.server_port}")
    yield taken
    server.shutdown()


@pytest.mark.slow
def test_lineage_of_a_run(spark, exports, tmp_path, backend):
    lakehouse = str(tmp_path / "lake")
    pipeline.run(load(None, source=str(exports), lakehouse=lakehouse), NOW)
    whole = [one for one in backend if one["job"]["name"] == "run"]
    assert [one["eventType"] for one in whole] == ["START", "COMPLETE"]
    assert (backend[0], backend[-1]) == (whole[0], whole[1])
    ended = {one["job"]["name"]: one for one in backend if one["eventType"] == "COMPLETE"}
    assert set(ended) == {"run", "silver.customers", "silver.leads", *(step.table for step in possible(()))}
    leads = ended["silver.leads"]
    assert {(one["namespace"], one["name"]) for one in leads["inputs"]} == {
        ("file", str(exports / "leads.csv")), (lakehouse, "silver.customers_clean"), (lakehouse, "silver.products_clean")
    }  # fmt: skip
    history = leads["outputs"][0]
    assert history["name"] == "silver.leads_history"
    assert history["outputFacets"]["outputStatistics"]["rowCount"] == 1
    assert "customer_id" in {field["name"] for field in history["facets"]["schema"]["fields"]}
    deals = ended["gold.deals"]
    assert {one["name"] for one in deals["inputs"]} >= {"silver.leads_clean", "gold.customer_features"}
    assert deals["run"]["facets"]["parent"]["run"]["runId"] == whole[0]["run"]["runId"]


@pytest.mark.slow
def test_nothing_new_gives_no_lineage(spark, exports, tmp_path, backend):
    settings = load(None, source=str(exports), lakehouse=str(tmp_path / "lake"))
    pipeline.run(settings, NOW)
    backend.clear()
    assert pipeline.run(settings, NOW).changed is False
    assert backend == []


def test_lineage_of_a_run_that_fails(spark, exports, tmp_path, backend, monkeypatch):
    def broken(*_, **__):
        raise LakehouseError("the disk is full", "Make room.")

    monkeypatch.setattr(importlib.import_module("medallion.pipeline.silver_to_gold"), "silver_to_gold", broken)
    with pytest.raises(LakehouseError):
        pipeline.run(load(None, source=str(exports), lakehouse=str(tmp_path / "lake")), NOW)
    last = backend[-1]
    assert (last["eventType"], last["job"]["name"]) == ("FAIL", "run")
    assert last["run"]["facets"]["errorMessage"]["message"] == "LakehouseError: the disk is full"


def test_a_backend_that_is_down_does_not_stop_a_run(spark, exports, tmp_path, monkeypatch):
    """It is told of once, and the run goes on."""
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "http")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__URL", "http://127.0.0.1:9")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__RETRY__TOTAL", "0")
    path = tmp_path / "log.jsonl"
    log.start(str(path), "json")
    settings = load(None, source=str(exports), lakehouse=str(tmp_path / "lake"))
    assert pipeline.run(settings, NOW, stages=[pipeline.BRONZE_TO_SILVER]).changed
    assert [one["event"] for one in events(path)].count("lineage not taken") == 1


def test_without_configuration_the_client_is_not_even_imported(tmp_path):
    import os
    import subprocess
    import sys

    # the client notes what it was told in the environment of the process
    told = {name: value for name, value in os.environ.items() if not name.startswith("OPENLINEAGE")}
    code = (
        "import sys; from medallion.pipeline.lineage import Lineage; Lineage('x').started(); "
        "print([name for name in sys.modules if name.startswith('openlineage')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True, env=told)
    assert done.stdout.strip() == "[]"
