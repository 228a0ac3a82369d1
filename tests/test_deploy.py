"""Deploying to a workspace, with the real SDK against a strict stand-in that can be made to fail."""

from __future__ import annotations

import copy
import json
import logging
import random
import re
import shutil
import subprocess
import sys

import pytest
import sqlglot
from doubles.workspace import CLIENT_ID, CLIENT_SECRET, DEPLOYER, TOKEN, USER, Workspace
from sqlglot import exp
from typer.testing import CliRunner

from conftest import ROOT
from medallion import contracts
from medallion.contracts import yaml
from medallion.deploy import bundle, checks, databricks, runs, settings, upload, workspace
from medallion.deploy.databricks import Deployment
from medallion.deploy.volume import Volume
from medallion.errors import ContractError, MedallionError

ALL = ["schema"] * 4 + ["volume"] * 4 + ["wheel"] + ["notebook"] * 3 + ["job"]
IN_PRODUCTION = ["schema"] * 4 + ["volume"] * 4 + ["grant"] * 8 + ["wheel", "folder"] + ["notebook"] * 3 + ["job"]


@pytest.fixture(scope="module")
def server():
    found = Workspace()
    yield found
    found.close()


@pytest.fixture
def there(server, monkeypatch, tmp_path):
    """An empty workspace with the catalog crm_dev, and a person's login in the environment; nobody waits."""
    from databricks.sdk.clock import RealClock

    for name in ("DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET", "DATABRICKS_CONFIG_PROFILE", "ARM_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    server.reset()
    monkeypatch.setattr(RealClock, "sleep", lambda self, seconds: None)
    monkeypatch.setenv("DATABRICKS_HOST", server.url)
    monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "none"))
    return server


@pytest.fixture
def project(tmp_path):
    """A copy of what is deployed, to be changed, with a small wheel."""
    home = tmp_path / "project"
    for name in ("resources", "notebooks", "config"):
        shutil.copytree(ROOT / name, home / name)
    shutil.copy(ROOT / "databricks.yml", home)
    (home / "medallion_crm-0.1.0-py3-none-any.whl").write_bytes(b"PK the code")
    return home


@pytest.fixture
def deployment(there, project):
    """`deployment()` is the target dev as the project says it now."""

    def make(target="dev", **variables):
        given = settings.TargetSettings(variables=variables)
        found = bundle.load(project / "databricks.yml", target, given, there.user)
        return Deployment(workspace.client(), found, project / "medallion_crm-0.1.0-py3-none-any.whl")

    return make


def deploy(made):
    changes = made.plan()
    made.apply(changes, lambda change: None)
    return [change.kind for change in changes]


def content(there):
    """What is in a workspace, without numbers and times."""
    notebooks = {path: item.get("content") for path, item in there.objects.items()}
    files = {path: data for path, data in there.files.items() if "state-" not in path}
    jobs = sorted(json.dumps(job["settings"], sort_keys=True) for job in there.jobs.values())
    return there.schemas, there.volumes, files, notebooks, jobs


# --- deploying -------------------------------------------------------------------------------------------------------


def test_the_first_deployment_makes_everything_and_the_second_changes_nothing(there, deployment):
    assert deploy(deployment()) == ALL
    there.calls.clear()
    assert deploy(deployment()) == []
    assert there.changes() == []
    (job,) = there.jobs.values()
    assert job["settings"]["schedule"]["pause_status"] == "PAUSED"
    assert there.permissions[str(job["job_id"])] == [{"group_name": "users", "permission_level": "CAN_MANAGE_RUN"}]


def test_a_plan_changes_nothing(there, deployment):
    assert [change.kind for change in deployment().plan()] == ALL
    assert there.changes() == []


def test_one_changed_notebook_is_one_change(there, deployment, project):
    deploy(deployment())
    with (project / "notebooks" / "02_silver_to_gold.py").open("a") as file:
        file.write("\nprint('more')\n")
    (change,) = deployment().plan()
    assert (change.kind, change.action, change.reason) == ("notebook", "update", "has changed here")
    assert change.name.endswith("/02_silver_to_gold")
    assert deploy(deployment()) == ["notebook"]
    assert deploy(deployment()) == []


def test_a_notebook_edited_over_there_is_put_right(there, deployment):
    deploy(deployment())
    path = next(path for path in there.objects if path.endswith("03_eda_analysis"))
    there.objects[path] |= {"content": b"# Databricks notebook source\n# mine", "modified_at": 1}
    (change,) = deployment().plan()
    assert change.reason == "was edited in the workspace"
    deploy(deployment())
    assert there.objects[path]["content"] == (ROOT / "notebooks" / "03_eda_analysis.py").read_bytes()


def test_new_code_gets_a_path_of_its_own_and_old_runs_keep_theirs(there, deployment, project):
    deploy(deployment())
    before = {path: data for path, data in there.files.items() if path.endswith(".whl")}
    (project / "medallion_crm-0.1.0-py3-none-any.whl").write_bytes(b"PK other code")
    assert deploy(deployment()) == ["wheel", "job"]
    assert before.items() <= there.files.items()
    (job,) = there.jobs.values()
    packages, used = job["settings"]["environments"][0]["spec"]["dependencies"]
    assert there.files[used] == b"PK other code"
    assert used not in before
    assert there.files[packages.removeprefix("-r ")] == (ROOT / "config" / "requirements.databricks.txt").read_bytes()


def test_other_packages_are_other_code(there, deployment, project):
    deploy(deployment())
    with (project / "config" / "requirements.databricks.txt").open("a") as file:
        file.write("tomli==2.3.0\n")
    assert deploy(deployment()) == ["wheel", "job"]
    assert deploy(deployment()) == []


def test_a_wheel_that_is_not_whole_is_sent_again(there, deployment):
    made = deployment()
    deploy(made)
    there.files[made.wheel] = b"PK"
    assert deploy(made) == ["wheel"]
    assert there.files[made.wheel] == made.content


def test_a_changed_setting_updates_the_job_and_its_permissions(there, deployment):
    deploy(deployment())
    assert deploy(deployment(schedule="0 0 6 * * ?", operators="sales-ops")) == ["job"]
    (job,) = there.jobs.values()
    assert job["settings"]["schedule"]["quartz_cron_expression"] == "0 0 6 * * ?"
    assert there.permissions[str(job["job_id"])][0]["group_name"] == "sales-ops"
    assert deploy(deployment(schedule="0 0 6 * * ?", operators="sales-ops")) == []


def test_an_interrupted_deployment_is_continued(there, deployment):
    made = deployment()
    for after in range(1, len(ALL)):
        there.reset()
        done = []

        def stop(change, done=done, after=after):
            done.append(change)
            if len(done) == after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            made.apply(made.plan(), stop)
        assert deploy(made) == ALL[after:]
        assert deploy(made) == []
        assert len(there.jobs) == 1


def test_a_deployment_cut_within_a_change_ends_as_an_unbroken_one(there, deployment):
    made = deployment()
    deploy(made)
    whole = copy.deepcopy(content(there))
    seed = random.randrange(1 << 30)  # noqa: S311
    pick = random.Random(seed)  # noqa: S311
    for _ in range(6):
        there.reset()
        there.fail("(POST|PUT) ", 400, after=pick.randrange(30))
        for _ in range(3):
            try:
                deploy(made)
                break
            except MedallionError:
                continue
        there._faults.clear()
        deploy(made)
        assert content(there) == whole, f"seed {seed}"
        assert deploy(made) == [], f"seed {seed}"


@pytest.mark.parametrize("status", [429, 503])
def test_busy_answers_are_tried_again(there, deployment, status):
    for call in (
        "GET .*catalogs",
        "POST .*schemas",
        "POST .*volumes",
        "PUT .*fs/files",
        "POST .*import",
        "POST .*jobs/create",
    ):
        there.fail(call, status, times=2)
    assert deploy(deployment()) == ALL
    assert deploy(deployment()) == []
    assert len(there.jobs) == 1


def test_a_job_made_twice_by_a_lost_answer_is_told_and_not_guessed_at(there, deployment):
    there.fail("POST .*jobs/create", 503, done=True)
    deploy(deployment())
    assert len(there.jobs) == 2
    with pytest.raises(MedallionError, match=r"2 jobs are called \[dev ann\] medallion-dev: "):
        deployment().plan()


def test_two_jobs_of_the_name_are_refused(there, deployment):
    deploy(deployment())
    (job,) = there.jobs.values()
    there.jobs[7] = {"job_id": 7, "settings": job["settings"]}
    there.calls.clear()
    with pytest.raises(MedallionError, match=r"2 jobs are called \[dev ann\] medallion-dev") as told:
        deployment().plan()
    assert "7" in told.value.problem
    assert there.changes() == []


def test_a_job_of_another_is_not_touched(there, deployment):
    there.jobs[7] = {"job_id": 7, "settings": {"name": "[dev ann] medallion-dev", "tags": {"team": "other"}}}
    with pytest.raises(MedallionError, match="not made by this command"):
        deployment().plan()
    assert there.changes() == []


def test_a_name_in_other_letters_is_another_job(there, deployment):
    there.jobs[7] = {"job_id": 7, "settings": {"name": "[DEV Ann] Medallion-DEV", "tags": {}}}
    assert deploy(deployment()) == ALL
    assert there.jobs[7]["settings"]["name"] == "[DEV Ann] Medallion-DEV"
    assert len(there.jobs) == 2


def test_destroy_leaves_everything_that_holds_data(there, deployment):
    made = deployment()
    deploy(made)
    there.files["/Volumes/crm_dev/dev_ann_bronze/landing/leads.csv"] = b"data"
    kept = copy.deepcopy((there.schemas, there.volumes, there.files))
    there.calls.clear()
    assert len(databricks.destroy(workspace.client(), made)) == 2
    assert (there.schemas, there.volumes, there.files) == kept
    assert there.jobs == {}
    assert not [path for path in there.objects if "01_bronze" in path]
    assert there.changes() == ["POST /api/2.2/jobs/delete", "POST /api/2.0/workspace/delete"]
    assert databricks.destroy(workspace.client(), made) == []
    assert deploy(deployment()) == ["notebook"] * 3 + ["job"]


def test_two_developers_have_nothing_in_common(there, deployment):
    """Not a schema, a volume, a notebook or a job; each can take their own away."""
    deploy(deployment())
    first = set(there.schemas) | set(there.volumes) | set(there.objects) | set(there.files)
    there.user = "Bob.Lee@example.com"
    assert deploy(deployment()) == ALL
    mine = {name for name in (*there.schemas, *there.volumes, *there.files) if "dev_bob_lee_" in name}
    assert mine.isdisjoint(first)
    assert len(mine) == len([name for name in first if "dev_ann_" in name])
    assert sorted(job["settings"]["name"] for job in there.jobs.values()) == [
        "[dev ann] medallion-dev", "[dev bob_lee] medallion-dev",
    ]  # fmt: skip
    ann, bob = (json.dumps(job["settings"]) for job in there.jobs.values())
    assert "uc://crm_dev/dev_ann_" in ann
    assert "bob" not in ann
    assert "uc://crm_dev/dev_bob_lee_" in bob
    assert "ann" not in bob.replace('"channel"', "")


@pytest.fixture
def production(there, deployment):
    """The target prod, by the service principal that deploys it."""
    there.user = DEPLOYER
    there.catalogs.add("crm_prod")
    return lambda **more: deployment("prod", deployer=DEPLOYER, service_principal=CLIENT_ID, **more)


def test_production_is_deployed_with_its_grants_and_a_folder_of_its_own(there, production):
    assert deploy(production()) == IN_PRODUCTION
    assert deploy(production()) == []
    assert there.privileges["crm_prod.gold"] == {
        CLIENT_ID: {"USE_SCHEMA", "SELECT", "MODIFY", "CREATE_TABLE"}, "crm-readers": {"USE_SCHEMA", "SELECT"},
    }  # fmt: skip
    assert "crm-readers" not in there.privileges["crm_prod.silver"]
    assert there.privileges["crm_prod.ops.code"] == {CLIENT_ID: {"READ_VOLUME"}}
    (folder,) = there.folder_permissions
    assert folder == f"/Users/{DEPLOYER}/.bundle/medallion/prod"
    assert there.folder_permissions[folder] == {DEPLOYER: "CAN_MANAGE", CLIENT_ID: "CAN_READ"}
    (job,) = there.jobs.values()
    assert job["settings"]["run_as"] == {"service_principal_name": CLIENT_ID}
    for task in job["settings"]["tasks"]:
        if "notebook_task" in task:
            assert task["notebook_task"]["notebook_path"].startswith(f"/Workspace{folder}/")


def test_what_others_were_granted_since_is_put_right_where_it_harms(there, production):
    """A lost privilege is granted again, one more stays; of the code's folder, one more is taken away."""
    deploy(production())
    there.privileges["crm_prod.silver"][CLIENT_ID].discard("MODIFY")
    there.privileges["crm_prod.gold"]["users"] = {"SELECT"}
    there.folder_permissions[f"/Users/{DEPLOYER}/.bundle/medallion/prod"]["users"] = "CAN_EDIT"
    changes = production().plan()
    assert [(change.kind, change.reason) for change in changes] == [
        ("grant", f"{CLIENT_ID} lacks MODIFY"), ("folder", "who may read and change it is not as it should be"),
    ]  # fmt: skip
    deploy(production())
    assert there.privileges["crm_prod.gold"]["users"] == {"SELECT"}
    assert there.folder_permissions[f"/Users/{DEPLOYER}/.bundle/medallion/prod"] == {
        DEPLOYER: "CAN_MANAGE", CLIENT_ID: "CAN_READ",
    }  # fmt: skip


def test_a_reader_whom_the_account_does_not_know_is_told(there, production):
    with pytest.raises(MedallionError, match="Could not find principal nobody"):
        deploy(production(readers="nobody"))


def test_production_is_deployed_by_its_service_principal_alone(there, production):
    """Others may look, and those who may start the job start it."""
    there.user = USER
    refused = f"deployed by the service principal {DEPLOYER}, and you are signed in as {USER}"
    with pytest.raises(ContractError, match=refused):
        deploy(production())
    assert there.changes() == []
    there.user = DEPLOYER
    deploy(production())
    there.user = USER
    made = production()
    assert made.plan() == []
    assert runs.start(made.client, made, {})
    with pytest.raises(ContractError, match=refused):
        databricks.destroy(made.client, made)


def test_a_job_that_starts_when_files_arrive(there, deployment, project):
    path = project / "resources" / "medallion.job.yml"
    path.write_text(by_arrival(path.read_text()))
    made = deployment()
    deploy(made)
    (job,) = there.jobs.values()
    assert job["settings"]["trigger"]["file_arrival"]["url"] == "/Volumes/crm_dev/dev_ann_bronze/landing/"
    assert "schedule" not in job["settings"]
    found = runs.status(made.client, made)
    assert (found["schedule"], found["arrival"]) == (None, "/Volumes/crm_dev/dev_ann_bronze/landing/")
    assert found["paused"] is True


def by_arrival(text):
    """The job's file as its comment says to write it."""
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines) if "in place of `schedule`" in line)
    commented = [line.replace("#   ", "", 1) for line in lines[at + 1 :] if line.startswith("      #   ")]
    start = lines.index("      schedule:")
    return "\n".join([*lines[:at], *commented, *lines[start + 4 :]]) + "\n"


def test_destroy_waits_for_a_run(there, deployment):
    made = deployment()
    deploy(made)
    runs.start(made.client, made, {})
    with pytest.raises(MedallionError, match="is going on"):
        databricks.destroy(made.client, made)
    assert there.jobs


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_no_login(there, monkeypatch):
    monkeypatch.delenv("DATABRICKS_TOKEN")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MedallionError, match="Not signed in to Databricks") as told:
        workspace.client()
    assert "DATABRICKS_CLIENT_ID" in told.value.remedy


def test_a_wrong_login(there, deployment, monkeypatch):
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-wrong")
    with pytest.raises(MedallionError, match="does not accept the login") as told:
        deployment().plan()
    assert "dapi-wrong" not in str(told.value)


def test_nobody_answers(there, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", "http://127.0.0.1:9")
    with pytest.raises(MedallionError, match="nothing answers"):
        workspace.client()


def test_no_catalog(there, deployment):
    with pytest.raises(MedallionError, match="catalog crm_none: there is none") as told:
        deployment(catalog="crm_none").plan()
    assert "CREATE CATALOG `crm_none`" in told.value.remedy


@pytest.mark.parametrize(
    ("grant", "told"),
    [
        ("CREATE SCHEMA", "GRANT USE CATALOG, CREATE SCHEMA ON CATALOG `crm_dev`"),
        ("CREATE VOLUME", "GRANT USE SCHEMA, CREATE VOLUME ON SCHEMA `crm_dev`.`dev_ann_bronze`"),
        ("WRITE VOLUME", "GRANT READ VOLUME, WRITE VOLUME ON VOLUME `crm_dev`.`dev_ann_ops`.`code`"),
        ("MANAGE JOBS", "CAN MANAGE on the job"),
    ],
)
def test_a_missing_grant_is_named(there, deployment, grant, told):
    there.grants.remove(grant)
    with pytest.raises(MedallionError, match="not permitted") as error:
        deploy(deployment())
    assert told in error.value.remedy
    there.grants.add(grant)
    deploy(deployment())
    assert deploy(deployment()) == []


def test_a_machine_signs_in(there, deployment, monkeypatch):
    monkeypatch.delenv("DATABRICKS_TOKEN")
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", CLIENT_SECRET)
    assert deploy(deployment()) == ALL
    assert there.issued >= 1
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", "wrong")
    with pytest.raises(MedallionError) as told:
        deployment().plan()
    assert "wrong" not in str(told.value)


def test_the_login_of_the_databricks_cli_is_used(there, deployment, monkeypatch, tmp_path):
    monkeypatch.delenv("DATABRICKS_TOKEN")
    answer = json.dumps({"access_token": TOKEN, "token_type": "Bearer", "expiry": "2099-01-01T00:00:00Z"})
    tool = tmp_path / "databricks"
    # the SDK takes a small file for the CLI of old, which knows no login
    tool.write_text(f"#!/bin/sh\necho '{answer}'\nexit 0\n" + "#" * (1 << 20))
    tool.chmod(0o755)
    monkeypatch.setenv("DATABRICKS_CLI_PATH", str(tool))
    monkeypatch.setenv("DATABRICKS_AUTH_TYPE", "databricks-cli")
    assert deploy(deployment()) == ALL


# --- runs ------------------------------------------------------------------------------------------------------------


def test_a_run_is_watched_to_its_end(deployment):
    made, seen = deployment(), []
    deploy(made)
    number = runs.start(made.client, made, {"as_of": "2025-06-30"})
    ended = runs.wait(made.client, number, lambda task, state: seen.append((task, state)), 0.001)
    assert ended["result"] == runs.SUCCESS
    assert [task for task, state in seen if state == "SUCCESS"] == [
        task["task_key"] for task in made.bundle.job["tasks"]
    ]
    assert runs.status(made.client, made)["runs"][0]["result"] == "SUCCESS"


def test_a_request_whose_answer_is_lost_starts_one_run(there, deployment):
    made = deployment()
    deploy(made)
    there.fail("POST .*run-now", 503, done=True)
    number = runs.start(made.client, made, {})
    assert list(there.runs) == [number]
    assert runs.start(made.client, made, {}, once="today") == runs.start(made.client, made, {}, once="today")
    assert len(there.runs) == 2


def test_what_cannot_be_run(deployment):
    made = deployment()
    with pytest.raises(MedallionError, match="is not deployed"):
        runs.start(made.client, made, {})
    deploy(made)
    with pytest.raises(MedallionError, match="no parameter sauce"):
        runs.start(made.client, made, {"sauce": "x"})


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def command(there, project, monkeypatch):
    """`command("plan", ...)` runs `medallion databricks` in the project; gives exit status and everything printed."""
    from medallion.cli import app

    monkeypatch.chdir(project)
    wheel = "medallion_crm-0.1.0-py3-none-any.whl"

    def run(*line):
        given = ["--wheel", wheel] if line[0] in ("plan", "deploy") else []
        done = CliRunner().invoke(app, ["databricks", *line, "--target", "dev", *given])
        printed = done.stderr + done.stdout
        if isinstance(done.exception, MedallionError):
            return done.exception.exit_status, f"{printed}{done.exception}"
        return done.exit_code, printed

    return run


def test_the_commands_from_nothing_to_nothing(there, command):
    assert command("status", "--check")[0] == 1
    assert command("plan", "--check")[0] == 1
    status, output = command("deploy", "--json")
    assert status == 0
    document = json.loads(output[output.index("{\n") :])
    assert [change["kind"] for change in document["changes"]] == ALL
    assert command("plan", "--check")[0] == 0
    assert command("deploy", "--check")[0] == 0
    status, output = command("run", "--interval", "0.01")
    assert (status, "SUCCESS" in output) == (0, True)
    assert command("status", "--check")[0] == 0
    there.results["quality_gate"] = "RUN_EXECUTION_ERROR"
    status, output = command("run", "--interval", "0.01", "--param", "as_of=2025-06-30")
    assert (status, "UPSTREAM_FAILED" in output) == (1, True), output
    assert command("status", "--check")[0] == 1
    assert command("destroy", "--yes")[0] == 0
    assert len(there.schemas) == 4


def test_secrets_are_never_told(there, command, monkeypatch, caplog, project):
    caplog.set_level(logging.DEBUG)
    told = []
    there.fail("POST .*schemas", 503)
    for line in (
        ["plan"],
        ["deploy", "--json"],
        ["run", "--interval", "0.01"],
        ["status", "--json"],
        ["plan", "--check"],
    ):
        told.append(command(*line)[1])
    there.grants.clear()
    (project / "medallion_crm-0.1.0-py3-none-any.whl").write_bytes(b"PK new")
    told.append(command("deploy")[1])
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-also-secret")
    told.append(command("plan")[1])
    monkeypatch.delenv("DATABRICKS_TOKEN")
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", CLIENT_ID)
    for secret in (CLIENT_SECRET, "wr0ng-s3cret"):
        monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", secret)
        told.append(command("plan")[1])
    monkeypatch.delenv("DATABRICKS_CLIENT_SECRET")
    monkeypatch.setenv("PATH", "/nowhere")
    told.append(command("plan")[1])
    written = [path.read_text(errors="replace") for path in project.rglob("*") if path.is_file()]
    stored = [str(content(there)), str(there.files)]
    everything = "\n".join([*told, caplog.text, *written, *stored])
    assert "not permitted" in everything
    for secret in (TOKEN, CLIENT_SECRET, "dapi-also-secret", "wr0ng-s3cret", "machine-token-"):
        assert secret not in everything


# --- definitions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["dev", "staging", "prod"])
@pytest.mark.parametrize("compute", ["serverless", "cluster"])
def test_every_target_hangs_together_and_the_sdk_knows_all_of_it(there, target, compute):
    given = settings.TargetSettings(
        compute=compute,
        variables={"deployer": DEPLOYER, "service_principal": CLIENT_ID, "alerts": ["ops@example.com"]},
    )
    found = bundle.load(ROOT / "databricks.yml", target, given, USER if target == "dev" else DEPLOYER)
    made = Deployment(workspace.client(), found, ROOT / "pyproject.toml")
    job = made.specification()
    assert job["max_concurrent_runs"] == 1
    assert job["queue"] == {"enabled": True}
    assert job["email_notifications"]["on_failure"] == ["ops@example.com"]
    assert job["schedule"]["pause_status"] == ("UNPAUSED" if target == "prod" else "PAUSED")
    assert ("run_as" in job) == (target != "dev")
    assert ("performance_target" in job) == (compute == "serverless")
    assert "${" not in json.dumps(job)
    assert "../" not in json.dumps(job)


def test_the_job_on_a_cluster_is_the_serverless_one_elsewhere():
    def tasks(compute):
        given = settings.TargetSettings(compute=compute)
        job = bundle.load(ROOT / "databricks.yml", "dev", given, USER).job
        places = ("environment_key", "job_cluster_key", "libraries")
        own = ("environments", "job_clusters", "tasks", "performance_target")
        same = {key: value for key, value in job.items() if key not in own}
        return same, [{key: value for key, value in task.items() if key not in places} for task in job["tasks"]]

    assert tasks("serverless") == tasks("cluster")


def broken(change):
    job = copy.deepcopy(dict(bundle.load(ROOT / "databricks.yml", "dev", settings.TargetSettings(), USER).job))
    change(job)
    return "; ".join(checks.problems(job))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda job: job["tasks"][1]["depends_on"].append({"task_key": "nothing"}),
            "depends on nothing, which is no task",
        ),
        (lambda job: job["tasks"][0].update(depends_on=[{"task_key": "eda"}]), "wait for each other"),
        (lambda job: job["tasks"][0].update(environment_key="other"), "runs in other, which is not declared"),
        (lambda job: job["tasks"][0].pop("environment_key"), "runs nowhere"),
        (lambda job: job["tasks"][0].update(python_wheel_task={}), "notebook_task and python_wheel_task"),
        (lambda job: job["tasks"][2].pop("python_wheel_task"), "is no kind of task"),
        (lambda job: job["tasks"][1].update(task_key="score"), "two tasks are called score"),
        (lambda job: job["parameters"].pop(), "has no parameter as_of"),
        (lambda job: job["tasks"][0]["notebook_task"].update(notebook_path="/no/where.py"), "there is no notebook"),
    ],
)
def test_a_job_that_does_not_hang_together_is_refused(change, told):
    assert broken(lambda job: None) == ""
    assert told in broken(change)


def test_every_wheel_task_calls_what_there_is():
    """The entry point exists, and the command takes the parameters."""
    from importlib.metadata import entry_points

    from typer.main import get_command

    from medallion.cli import app

    job = bundle.load(ROOT / "databricks.yml", "dev", settings.TargetSettings(), USER).job
    tasks = [task["python_wheel_task"] for task in job["tasks"] if "python_wheel_task" in task]
    assert tasks
    for task in tasks:
        (found,) = entry_points(group="console_scripts", name=task["entry_point"])
        assert callable(found.load())
        name, *parameters = [re.sub(r"\{\{.*\}\}", "2025-06-30", value) for value in task["parameters"]]
        get_command(app).commands[name].make_context(name, parameters)


def test_notebooks_take_the_parameters_of_the_job():
    from medallion.cli.notebook import PARAMETERS

    job = bundle.load(ROOT / "databricks.yml", "dev", settings.TargetSettings(), USER).job
    assert {item["name"] for item in job["parameters"]} <= set(PARAMETERS)


def test_what_holds_data_outlives_the_bundle():
    for kind, items in yaml.load((ROOT / "resources" / "catalog.yml").read_text())["resources"].items():
        assert kind in ("schemas", "volumes")
        for item in items.values():
            assert item["lifecycle"] == {"prevent_destroy": True}


def test_dashboard_and_alert_ask_what_there_is():
    path = ROOT / "resources" / "variants" / "medallion_sql.yml"
    found = yaml.load(path.read_text())["resources"]
    (board,), (alert,) = (list(found[kind].values()) for kind in ("dashboards", "alerts"))
    assert (path.parent / board["file_path"]).resolve().is_file()
    assert board["embed_credentials"] is False
    tree = sqlglot.parse_one(re.sub(r"\$\{[\w.]+\}", "", alert["query_text"]), read="databricks")
    (table,) = tree.find_all(exp.Table)
    known = {column.name for column in contracts.table(f"{table.db}.{table.name}").columns}
    assert {column.name for column in tree.find_all(exp.Column)} - {"HOUR"} <= known
    assert tree.named_selects == [alert["evaluation"]["source"]["name"]]
    declared = yaml.load((ROOT / "databricks.yml").read_text())["variables"]
    assert set(re.findall(r"\$\{var\.(\w+)\}", path.read_text())) <= set(declared)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"targets": {"dev": {"token": "x"}}}', "targets.dev.token: is not a setting"),
        ('{"targets": {"dev": {"compute": "mainframe"}}}', "targets.dev.compute"),
        ('{"targets": {"../dev": {}}}', "targets"),
        ("{", "is no JSON"),
        ("[]", "databricks_config.json"),
    ],
)
def test_settings_that_cannot_be(tmp_path, text, told):
    path = tmp_path / "databricks_config.json"
    path.write_text(text)
    with pytest.raises(ContractError, match=re.escape(told)):
        settings.load(path)
    with pytest.raises(ContractError, match="cannot be read"):
        settings.load(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"catalog": "a`; drop"}, "is not a name of a catalog"),
        ({"pause_status": "MAYBE"}, "pause_status"),
        ({"schedule": "daily"}, "Quartz"),
        ({"alerts": ["nobody"]}, "mail addresses"),
        ({"service_principal": "me"}, "application id"),
        ({"deployer": "me"}, "application id"),
        ({"prefix": "dev_ann"}, "prefix"),
        ({"prefix": "dev_bob_"}, "the job writes to crm_dev.dev_bob_bronze, which is not among the schemas"),
        ({"performance_target": "FAST"}, "performance_target"),
        ({"max_refused": "7"}, "share"),
        ({"sauce": "x"}, "sauce is no variable"),
    ],
)
def test_values_that_cannot_be(variables, told):
    with pytest.raises(ContractError, match=told):
        bundle.load(ROOT / "databricks.yml", "dev", settings.TargetSettings(variables=variables), USER)


def test_prod_wants_two_service_principals():
    given = settings.TargetSettings(variables={"deployer": DEPLOYER, "service_principal": DEPLOYER})
    with pytest.raises(ContractError, match="whoever runs it could change its code"):
        bundle.load(ROOT / "databricks.yml", "prod", given, DEPLOYER)
    with pytest.raises(ContractError, match="deployer"):
        bundle.load(
            ROOT / "databricks.yml",
            "prod",
            settings.load(ROOT / "config" / "databricks_config.json").targets["prod"],
            USER,
        )
    with pytest.raises(ContractError, match="no target 'moon'"):
        bundle.load(ROOT / "databricks.yml", "moon", settings.TargetSettings(), USER)


def test_the_wheel_is_the_same_for_the_same_sources(tmp_path):
    first, second = (databricks.build_wheel(ROOT, tmp_path / name) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


# --- a volume --------------------------------------------------------------------------------------------------------


def test_uploads_to_a_volume_go_on_where_they_were_cut(there, deployment, tmp_path):
    deploy(deployment())
    folder = tmp_path / "exports"
    folder.mkdir()
    for number in range(5):
        (folder / f"part_{number}.csv").write_bytes(bytes([number]) * 1000)
    items, place = upload.listed(folder), "/Volumes/crm_dev/dev_ann_bronze/landing"

    def send(**options):
        return [
            item.outcome
            for item in upload.upload(items, Volume(workspace.client(), place), lambda n: None, workers=1, **options)
        ]

    cut = random.Random().randrange(1, 10)  # noqa: S311
    there.fail(r"PUT /api/2.0/fs/files", 400, after=cut)
    with pytest.raises(MedallionError):
        send()
    before = {path for path in there.files if path.startswith(place)}
    there.calls.clear()
    again = send()
    assert set(again) <= {"sent", "there"}
    put_again = {call.removeprefix("PUT /api/2.0/fs/files") for call in there.changes() if "fs/files" in call}
    assert not put_again & before, f"sent twice after a cut at {cut}"
    for item in items:
        assert there.files[f"{place}/{item.name}"] == item.path.read_bytes()
    assert send() == ["there"] * 5
    items[2].path.write_bytes(b"x" * 1000)
    assert send() == ["there", "there", "refused", "there", "there"]
    assert send(replace=True)[2] == "sent"
    assert there.files[f"{place}/part_2.csv"] == b"x" * 1000


@pytest.mark.parametrize(
    "place", ["/landing", "/Volumes/a/b", "/Volumes/a/b/../c", "/Volumes/a/b/c/../../d", "dbfs:/x"]
)
def test_places_that_are_no_volume_are_refused(there, place):
    with pytest.raises(MedallionError, match="no folder of a volume"):
        Volume(workspace.client(), place)


def test_an_upload_to_azure_needs_nothing_of_databricks():
    told = "import sys; sys.modules['databricks'] = None\nfrom medallion.cli import app\napp(['upload', '--help'])"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--workers" in done.stdout


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
