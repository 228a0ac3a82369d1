"""Mistakes in what is deployed, each put into a copy of the files: reading the bundle refuses it, or a check finds it."""

from __future__ import annotations

import ast
import json
import re
import shutil
import tomllib

import pytest
import yaml
from doubles.workspace import CLIENT_ID, DEPLOYER, USER

from conftest import ROOT
from medallion.deploy import bundle, settings
from medallion.errors import ContractError

JOB, BUNDLE, CLUSTER = (
    "resources/medallion.job.yml",
    "databricks.yml",
    "resources/variants/medallion_on_cluster.job.yml",
)
PACKAGES, STORAGE = "config/requirements.databricks.txt", "infra/storage.json"
WORKFLOW = "examples/ci/github-databricks.yml"
#: Packages of these extras are imported by tasks of the job.
EXTRAS = ("charts", "ml")


@pytest.fixture
def copy(tmp_path):
    """A copy of what is deployed."""
    for name in ("resources", "notebooks", "config", "infra", "examples/ci"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("databricks.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def read(root, target="dev", compute="serverless", user=None):
    """The definitions of a target, refused where something is wrong with them."""
    variables = {} if target == "dev" else {"deployer": DEPLOYER, "service_principal": CLIENT_ID}
    given = settings.TargetSettings(compute=compute, variables=variables)
    return bundle.load(root / BUNDLE, target, given, user or (USER if target == "dev" else DEPLOYER))


def workflow_problems(root):
    """What a workflow of GitHub Actions must not do, or lack."""
    text = (root / WORKFLOW).read_text()
    document = yaml.safe_load(text)
    found = set()
    if "secrets." in text or "inherit" in text:
        found.add("a stored secret")
    if "pull_request_target" in text or "workflow_run" in document[True]:
        found.add("code of a pull request with rights of the repository")
    if document["permissions"] != {"contents": "read"}:
        found.add("rights for all jobs")
    for name, job in document["jobs"].items():
        if not job.get("timeout-minutes"):
            found.add(f"{name} without an end")
        deploys = "medallion databricks deploy" in str(job)
        if "medallion databricks" in str(job) and "environment" not in job:
            found.add(f"{name} outside an environment")
        if deploys and job.get("concurrency", {}).get("cancel-in-progress") is not False:
            found.add(f"{name} beside another")
        if deploys and "pull_request" in str(job.get("if", "")):
            found.add(f"{name} from a pull request")
        for step in job["steps"]:
            if "uses" in step and not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]):
                found.add(f"{step['uses']} by a name that can move")
            if "${{" in step.get("run", ""):
                found.add(f"{name} puts a text of others into a script")
            if "checkout" in step.get("uses", "") and step["with"]["persist-credentials"] is not False:
                found.add(f"{name} keeps the token")
    return found


#: What serverless compute has not, wherever it is called.
NOT_SERVERLESS = {
    *("cache", "persist", "unpersist", "checkpoint", "localCheckpoint", "cacheTable", "clearCache"),
    *("sparkContext", "rdd", "_jvm", "_jsc", "toJavaRDD", "setLogLevel", "createGlobalTempView"),
}
#: The settings of a session that it takes.
SETTINGS = {"spark.sql.session.timeZone"}


def refused_by_serverless(text):
    """Calls and settings in a module that serverless compute refuses."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and node.attr in NOT_SERVERLESS:
            found.add(node.attr)
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if called.endswith(".conf.set") and isinstance(node.args[0], ast.Constant):
            found |= {node.args[0].value} - SETTINGS
    return found


def test_nothing_is_called_that_serverless_compute_refuses():
    """Of settings, `session` makes one for the embedded engine alone."""
    found = {}
    for path in sorted((ROOT / "src" / "medallion").rglob("*.py")):
        if refused := refused_by_serverless(path.read_text()):
            found[path.name] = refused
    assert found == {"session.py": {"spark.python.sql.dataFrameDebugging.enabled"}}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("frame.cache().count()", {"cache"}),
        ("frame.rdd.getNumPartitions()", {"rdd"}),
        ("spark.sparkContext.setLogLevel('WARN')", {"sparkContext", "setLogLevel"}),
        ("spark.conf.set('spark.sql.adaptive.enabled', 'true')", {"spark.sql.adaptive.enabled"}),
    ],
)
def test_a_call_that_serverless_compute_refuses_is_found(line, told):
    assert refused_by_serverless(line) == told


def normal(name):
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!; ]", name, maxsplit=1)[0]).lower()


def missing_packages(root):
    """What the job's tasks import and the file of packages does not have."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    wanted = {*project["dependencies"], *(one for name in EXTRAS for one in project["optional-dependencies"][name])}
    lines = (root / PACKAGES).read_text().splitlines()
    return {normal(one) for one in wanted} - {normal(line) for line in lines if line and line[0] != "#"}


def untested_versions(root):
    """Packages of the job in other versions than those of the lock and of the platform."""
    known = set()
    for name in ("requirements.txt", "databricks_environment.txt"):
        known |= {line.split(" ;")[0] for line in (root / "config" / name).read_text().splitlines()}
    lines = (root / PACKAGES).read_text().splitlines()
    return {line.split(" ;")[0] for line in lines if line and line[0] != "#"} - known


def brought_over_the_platform(root):
    """Packages of the job that replace those with which the platform's own client works, or are an engine."""
    platform = (root / "config" / "databricks_environment.txt").read_text().splitlines()
    named = {normal(line): line for line in platform if line and line[0] != "#"}
    lines = [line for line in (root / PACKAGES).read_text().splitlines() if line and line[0] != "#"]
    engines = {"pyspark", "pyspark-client", "pysail", "databricks-connect"}
    return {line for line in lines if normal(line) in engines or named.get(normal(line), line) != line}


def roles(root):
    """Role and scope of each assignment of the access connector."""
    found = set()
    for item in json.loads((root / STORAGE).read_text())["resources"]:
        if item["type"].endswith("roleAssignments") and "connectorId" in item["properties"]["principalId"]:
            of = re.search(r"variables\('(\w+)'\)", item["properties"]["roleDefinitionId"])[1]
            found.add((of, "container" if "/containers/" in item["scope"] else "account"))
    return found


def test_nothing_is_wrong_with_what_is_shipped(copy):
    for target in ("dev", "staging", "prod"):
        for compute in ("serverless", "cluster"):
            read(copy, target, compute)
    assert not missing_packages(copy)
    assert not untested_versions(copy)
    assert not brought_over_the_platform(copy)
    assert not workflow_problems(copy)
    assert roles(copy) == {("blobDataContributor", "container"), ("blobDelegator", "account")}
    for name in (JOB, CLUSTER):
        assert writes_a_place_of_its_own(copy, name)


def writes_a_place_of_its_own(root, name):
    """Whether all tasks use one lakehouse, which a prefix makes somebody's own."""
    (job,) = yaml.safe_load((root / name).read_text())["resources"]["jobs"].values()
    return set(re.findall(r"uc://[^\s'\"]+", str(job))) == {"uc://${var.catalog}/${var.prefix}"}


def changed(root, name, before, after, count=1):
    path = root / name
    text = path.read_text()
    assert before in text, f"{name} has no {before!r} any more"
    path.write_text(text.replace(before, after, count) if count else text.replace(before, after))


def entry(name, old, new):
    return lambda root: changed(root, name, old, new)


GRANTS = "    permissions: &permissions\n"
MUTANTS = {
    "an unpinned package": (entry(PACKAGES, "duckdb==", "duckdb>="), "duckdb>=2.0.0 in .* is not pinned"),
    "a package that is pinned nowhere": (
        entry(JOB, "              - ../dist/*.whl", "              - requests\n              - ../dist/*.whl"),
        "requests in medallion is not pinned",
    ),
    "packages from an index of its own": (
        entry(PACKAGES, "altair==", "--extra-index-url https://x\naltair=="),
        "is not pinned",
    ),
    "no file of packages": (
        entry(JOB, "              - -r ../config/requirements.databricks.txt\n", ""),
        "0 files of requirements",
    ),
    "a file of packages that is not there": (entry(JOB, "requirements.databricks", "requirements.nowhere"), "no file"),
    "a report into a relative folder": (
        entry(JOB, "out: /Volumes/${var.catalog}/${resources.schemas.ops.name}/reports", "out: analysis"),
        "out analysis is relative",
    ),
    "a report into nowhere": (
        entry(JOB, "              out: /Volumes/${var.catalog}/${resources.schemas.ops.name}/reports\n", ""),
        "no parameter out says where",
    ),
    "models in a relative folder": (
        entry(JOB, "              - /Volumes/${var.catalog}/${resources.schemas.ops.name}/models", "              - models"),
        "--models models is relative",
    ),
    "a lakehouse that an operator may choose": (
        entry(JOB, "        - {name: as_of, default: latest}", "        - {name: as_of, default: latest}\n        - {name: lakehouse, default: x}"),
        "may set the parameter lakehouse",
    ),
    "a secret in a parameter": (
        entry(JOB, "              source: ${var.source}", "              source: ${var.source}\n              token: dapi0123456789abcdef"),
        "looks like a secret",
    ),
    "a key in a tag": (
        entry(JOB, "        product: medallion", "        product: AccountKey=abc"), "tags.product looks like a secret",
    ),
    "a gate that is tried again": (
        entry(JOB, "          disable_auto_optimization: true\n", ""), "quality_gate is not to be tried again",
    ),
    "a task without an end": (entry(JOB, "          timeout_seconds: 1800\n", ""), "quality_gate has no timeout_seconds"),
    "a job without an end": (entry(JOB, "      timeout_seconds: 14400\n", ""), "it has no timeout_seconds"),
    "two runs at once": (entry(JOB, "max_concurrent_runs: 1", "max_concurrent_runs: 2"), "a second writer is refused"),
    "a schedule and a trigger": (
        entry(JOB, "      schedule:", "      trigger: {periodic: {interval: 1, unit: DAYS}}\n      schedule:"),
        "schedule and trigger, and may have one",
    ),
    "a dev target that all share": (
        lambda root: [
            changed(root, BUNDLE, "    mode: development\n", ""),
            changed(root, BUNDLE, "      prefix: dev_${workspace.current_user.short_name}_\n", ""),
        ],
        "mode is missing",
    ),
    "a dev job in the schemas of all": (
        entry(BUNDLE, "      prefix: dev_${workspace.current_user.short_name}_\n", ""),
        "the job writes to crm_dev.bronze, which is not among the schemas",
    ),
    "a dev job in another's schemas": (
        entry(BUNDLE, "prefix: dev_${workspace.current_user.short_name}_", "prefix: dev_bob_"), "crm_dev.dev_bob_bronze",
    ),
    "dev code in a folder of all": (
        entry(BUNDLE, "root_path: /Workspace/Users/${workspace.current_user.userName}/", "root_path: /Workspace/Shared/"),
        "where others can change it",
    ),
}  # fmt: skip
IN_PRODUCTION = {
    "code in a folder of all": (
        lambda root: changed(root, BUNDLE, "/Workspace/Users/${var.deployer}/", "/Workspace/Shared/", 0),
        "where others can change it",
    ),
    "code that everyone may change": (
        entry(BUNDLE, GRANTS, f"{GRANTS}      - {{level: CAN_MANAGE, group_name: users}}\n"), "users may change the code",
    ),
    "code that the job may change": (
        entry(BUNDLE, "level: CAN_VIEW", "level: CAN_MANAGE"), f"{CLIENT_ID} may change the code",
    ),
    "a job that runs as whoever deploys": (
        entry(BUNDLE, "    run_as: &run_as\n      service_principal_name: ${var.service_principal}\n", "    x-run_as: &run_as\n      service_principal_name: ${var.service_principal}\n"),
        "there is no run_as",
    ),
    "production by anybody": (entry(BUNDLE, "    mode: production\n", ""), "mode is missing"),
}  # fmt: skip
ON_CLUSTER = {
    "a job cluster without an end": (entry(CLUSTER, "      timeout_seconds: 14400\n", ""), "it has no timeout_seconds"),
    "a task without its packages": (
        entry(CLUSTER, "            - requirements: ../../config/requirements.databricks.txt\n", ""),
        "bronze_to_silver has no file of requirements",
    ),
}
FOUND = {
    "an extra that is missing": (entry(PACKAGES, "altair==", "# altair=="), missing_packages, {"altair"}),
    "a package that nothing was tested with": (
        entry(PACKAGES, "duckdb==2.0.0", "duckdb==1.4.0"), untested_versions, {"duckdb==1.4.0"},
    ),
    "another pyarrow than the platform's client has": (
        entry(PACKAGES, "pyarrow==21.0.0", "pyarrow==26.0.1"), brought_over_the_platform, {"pyarrow==26.0.1"},
    ),
    "an engine over the platform's": (
        entry(PACKAGES, "altair==", "pyspark-client==4.2.0\naltair=="), brought_over_the_platform, {"pyspark-client==4.2.0"},
    ),
    "a role that is missing": (
        entry(STORAGE, "\"roleDefinitionId\": \"[variables('blobDelegator')]\"", "\"roleDefinitionId\": \"[variables('blobDataContributor')]\""),
        roles,
        {("blobDataContributor", "container"), ("blobDataContributor", "account")},
    ),
    "a role on the container that is there on accounts only": (
        entry(STORAGE, "\"scope\": \"[concat('Microsoft.Storage/storageAccounts/', parameters('accountName'))]\"", "\"scope\": \"[concat('Microsoft.Storage/storageAccounts/', parameters('accountName'), '/blobServices/default/containers/lakehouse')]\""),
        roles,
        {("blobDataContributor", "container"), ("blobDelegator", "container")},
    ),
    "a secret in the pipeline": (
        entry(WORKFLOW, "DATABRICKS_HOST: ", "DATABRICKS_TOKEN: ${{ secrets.TOKEN }}\n  DATABRICKS_HOST: "),
        workflow_problems, {"a stored secret"},
    ),
    "an action by its tag": (
        entry(WORKFLOW, "@5fda3b95a4ea91299a34e894583c3862153e4b97", "@v7"),
        workflow_problems, {"actions/setup-python@v7 by a name that can move"},
    ),
    "a pipeline without an end": (
        entry(WORKFLOW, "    timeout-minutes: 300\n", ""), workflow_problems, {"staging without an end"},
    ),
    "a deployment that nobody approves": (
        entry(WORKFLOW, "    environment: prod\n", ""), workflow_problems, {"prod outside an environment"},
    ),
    "two deployments at once": (
        entry(WORKFLOW, "      group: databricks-staging\n      cancel-in-progress: false", "      group: databricks-staging\n      cancel-in-progress: true"),
        workflow_problems, {"staging beside another"},
    ),
    "code of strangers with rights of the repository": (
        entry(WORKFLOW, "  pull_request:\n", "  pull_request_target:\n"),
        workflow_problems, {"code of a pull request with rights of the repository"},
    ),
    "a commit's name in a script": (
        entry(WORKFLOW, 'deploy --target "$TARGET"', "deploy --target ${{ inputs.target }}"),
        workflow_problems, {"roll_back puts a text of others into a script"},
    ),
    "an identity for every job": (
        entry(WORKFLOW, "permissions:\n  contents: read\n", "permissions:\n  contents: read\n  id-token: write\n"),
        workflow_problems, {"rights for all jobs"},
    ),
    "a task in a lakehouse of its own": (
        entry(JOB, "              - uc://${var.catalog}/${var.prefix}", "              - uc://${var.catalog}"),
        lambda root: writes_a_place_of_its_own(root, JOB),
        False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mistake_is_refused(copy, name):
    mutate, told = MUTANTS[name]
    mutate(copy)
    with pytest.raises(ContractError, match=told):
        read(copy)


@pytest.mark.parametrize("name", IN_PRODUCTION)
def test_a_mistake_in_production_is_refused(copy, name):
    mutate, told = IN_PRODUCTION[name]
    mutate(copy)
    with pytest.raises(ContractError, match=told):
        read(copy, "staging")


@pytest.mark.parametrize("name", ON_CLUSTER)
def test_a_mistake_on_a_cluster_is_refused(copy, name):
    mutate, told = ON_CLUSTER[name]
    mutate(copy)
    with pytest.raises(ContractError, match=told):
        read(copy, compute="cluster")


@pytest.mark.parametrize("name", FOUND)
def test_a_mistake_is_found(copy, name):
    mutate, check, expected = FOUND[name]
    mutate(copy)
    assert check(copy) == expected


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
