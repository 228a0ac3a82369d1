"""The same pipeline where a cloud would run it, as far as one machine goes: `just azure`.

On Azure storage (the emulator), in a catalog, through a Spark Connect server in another process, and the whole job,
task by task, from the wheel in a clean environment of the other Python. Every figure is compared with a folder's.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from doubles import in_catalog
from doubles.workspace import USER

from conftest import ROOT
from medallion.deploy import adls, bundle, settings, upload
from medallion.errors import MedallionError
from medallion.sources import azure
from tools.rehearse import environment

pytestmark = pytest.mark.azure

BRING_IN = ROOT / "tests" / "doubles" / "bring_in.py"
DELIVERIES = [str(ROOT / "data"), str(ROOT / "data" / "updates")]


def bring_in(lakehouse, sources, cwd, **environment):
    line = [sys.executable, str(BRING_IN), lakehouse, *sources]
    done = subprocess.run(line, capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def in_a_folder(tmp_path_factory):
    """What the pipeline says of the two deliveries in a folder, on the embedded engine."""
    folder = tmp_path_factory.mktemp("folder")
    found = bring_in(str(folder / "lake"), DELIVERIES, folder)
    assert found["changed"] == [True, False, True, False]
    return found


def differences(found, wanted):
    return {name for name in wanted if found.get(name) != wanted[name]} | (set(found) - set(wanted))


def test_on_azure_storage(emulator, in_a_folder, tmp_path):
    """Exports and tables on abfss://, read and written by the pipeline itself."""
    root = f"abfss://lake-{uuid.uuid4().hex[:12]}@devstoreaccount1.dfs.core.windows.net"
    adls.container(azure.address(root)).create_container()
    sources = []
    for place, folder in enumerate(DELIVERIES):
        sources.append(f"{root}/landing/{place}")
        items = [item for item in upload.listed(folder) if "/" not in item.name]
        upload.upload(items, adls.Adls(sources[-1]), lambda size: None)
    assert differences(bring_in(f"{root}/tables", sources, tmp_path), in_a_folder) == set()
    assert not list(tmp_path.iterdir()), "nothing of it lies on this disk"


def test_in_a_catalog(in_a_folder, tmp_path):
    """Tables by name, catalog.layer.table, as Unity Catalog has them; the catalog is Sail's own."""
    catalogs = '[{type="memory", name="sail", initial_database=["default"]}, {type="memory", name="crm_test", initial_database=["bronze"]}]'
    where = {"SAIL_CATALOG__LIST": catalogs, "SAIL_CATALOG__DEFAULT_CATALOG": "sail"}
    assert differences(bring_in("uc://crm_test", DELIVERIES, tmp_path, **where), in_a_folder) == set()
    assert list((tmp_path / "spark-warehouse").rglob("_delta_log"))


def test_manifests_restore_forget_and_verify_in_a_catalog(tmp_path):
    catalogs = '[{type="memory", name="sail", initial_database=["default"]}, {type="memory", name="crm_test", initial_database=["bronze"]}]'
    where = {"SAIL_CATALOG__LIST": catalogs, "SAIL_CATALOG__DEFAULT_CATALOG": "sail"}
    line = [sys.executable, in_catalog.__file__, "uc://crm_test"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, **where})
    assert done.returncode == 0, done.stderr[-3000:]
    in_catalog.check(json.loads(done.stdout.splitlines()[-1]))


def test_a_second_writer_in_a_catalog_is_refused(tmp_path):
    catalogs = '[{type="memory", name="sail", initial_database=["default"]}, {type="memory", name="crm_test", initial_database=["ops"]}]'
    where = {"SAIL_CATALOG__LIST": catalogs, "SAIL_CATALOG__DEFAULT_CATALOG": "sail"}
    code = """
from medallion.lakehouse import locks, places, session
from medallion.errors import LakehouseError
from medallion.lakehouse.store import Lakehouse

root, told = "uc://crm_test", []
with locks.hold(root) as held:
    other = places.of(root).document()
    other.read()
    held.note({"kind": "train", "text": "it's \\\\"})
    try:
        with locks.hold(root):
            told.append("two at once")
    except LakehouseError as error:
        told.append("another run is writing" in str(error))
    try:
        other.write({"holder": None})
    except places.ConflictError:
        told.append("conflict")
print([*told, locks.peek(root), Lakehouse(root).tables()])
session.close()
"""
    (tmp_path / "two.py").write_text(code)
    line = [sys.executable, "two.py"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, **where})
    assert done.returncode == 0, done.stderr[-2000:]
    intent = {"kind": "train", "text": "it's \\"}
    assert ast.literal_eval(done.stdout) == [True, "conflict", {"holder": None, "intent": intent}, []]


def test_through_a_server_elsewhere(in_a_folder, tmp_path):
    """SPARK_REMOTE names a Spark Connect server in another process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sail = Path(sys.executable).with_name("sail")
    server = subprocess.Popen([sail, "spark", "server", "--ip", "127.0.0.1", "--port", str(port)], cwd=tmp_path)
    try:
        for _ in range(100):
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        remote = f"sc://127.0.0.1:{port}"
        assert (
            differences(bring_in(str(tmp_path / "lake"), DELIVERIES, tmp_path, SPARK_REMOTE=remote), in_a_folder)
            == set()
        )
    finally:
        server.terminate()
        server.wait()


# --- the whole job from the wheel ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Another Python, in which there are the job's packages, the wheel and an engine, and nothing of this checkout."""
    locked = (ROOT / "config" / "requirements.txt").read_text().splitlines()
    engine = [line for line in locked if line.startswith(("pysail==", "pyspark-client==", "pandas=="))]
    job = bundle.load(ROOT / "databricks.yml", "dev", settings.TargetSettings(), USER).job
    try:
        return environment.make(job, tmp_path_factory.mktemp("clean"), brought=(), more=engine)
    except MedallionError as error:
        pytest.skip(error.problem) if "no Python" in error.problem else pytest.fail(str(error))


@pytest.fixture
def task(clean, tmp_path):
    """`task("score", lakehouse=...)` runs a task of the job in the clean environment; gives status and output.

    Places of the workspace become folders, which each task has as it has them there.
    """
    job = dict(bundle.load(ROOT / "databricks.yml", "dev", settings.TargetSettings(), USER).job)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    for item in job["tasks"]:
        if notebook := item.get("notebook_task"):
            notebook["notebook_path"] = str(tmp_path / "notebooks" / Path(notebook["notebook_path"]).name)
    runner = shutil.copy(ROOT / "tools" / "rehearse" / "run_task.py", tmp_path)

    here = {
        "lakehouse": "uc://crm_dev/dev_ann_", "source": "/Volumes/crm_dev/dev_ann_bronze/landing",
        "models": "/Volumes/crm_dev/dev_ann_ops/models", "out": "/Volumes/crm_dev/dev_ann_ops/reports",
    }  # fmt: skip

    def run(key, **places):
        text = json.dumps(job)
        for name, place in here.items():
            text = text.replace(place, places.get(name, str(tmp_path / name)))
        (tmp_path / "job.json").write_text(text)
        # -I: nothing but what is installed can be imported
        line = [str(clean), "-I", runner, str(tmp_path / "job.json"), key, "{}"]
        done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path)
        return done.returncode, done.stdout + done.stderr

    run.order = [item["task_key"] for item in job["tasks"]]
    return run


def test_the_whole_job_task_by_task(task, tmp_path):
    parameters = {"source": DELIVERIES[0], "lakehouse": str(tmp_path / "lake"), "models": str(tmp_path / "models")}
    outputs = {}
    for key in task.order:
        status, outputs[key] = task(key, **parameters)
        assert status == 0, f"{key}: {outputs[key]}"
    assert "$1,937,000" in outputs["silver_to_gold"]
    assert "open deals" in outputs["score"]
    assert (tmp_path / "out" / "EDA_REPORT.html").is_file()
    assert not list(tmp_path.glob("analysis*")), "a report beside the job"
    for key, output in outputs.items():
        assert not re.search("Halvorsen|Baumgart", output), f"{key} names a customer"
    assert "every row accounted for" in outputs["quality_gate"]

    # the next day a delivery comes of which too much is refused: the gate closes, by an exception and not by an exit
    parameters["source"] = DELIVERIES[1]
    assert task("bronze_to_silver", **parameters)[0] == 0
    status, output = task("quality_gate", **parameters)
    assert status == 9
    assert output.strip().splitlines()[-2].startswith("MedallionError: medallion gate ended with status 1")


def test_a_task_that_cannot_work_fails_with_its_reason(task, tmp_path):
    status, output = task("bronze_to_silver", source=str(tmp_path / "nowhere"), lakehouse=str(tmp_path / "lake"))
    assert status == 9
    assert "there is no such folder" in output
    status, output = task("score", lakehouse=str(tmp_path / "nothing"), models=str(tmp_path / "models"))
    assert (status, "LakehouseError" in output) == (9, True)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, "-m", "azure", "-n", "0"]))
