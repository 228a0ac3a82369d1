"""The bundle's definitions, `databricks.yml` and `resources/`, with their variables filled in for a target.

What the Databricks CLI would deploy is read from the same files, so there is one definition of the job. Of the bundle
language this knows what those files use: variables, targets, references; anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from medallion.contracts import yaml
from medallion.deploy.settings import TargetSettings
from medallion.errors import ContractError

_REFERENCE = re.compile(r"\$\{([\w.]+)\}")
_JOB = "medallion"
_TASKS = ("notebook_task", "python_wheel_task", "spark_python_task", "pipeline_task", "condition_task", "run_job_task")
_DEEPEST = 10


@dataclass(frozen=True)
class Bundle:
    """What is to be in a workspace for a target.

    `schemas` and `volumes` are named in full, with their comments; `job` is a specification of the Jobs API in which
    notebooks are still local files and the wheel a pattern, `notebooks` are those files.
    """

    target: str
    catalog: str
    root_path: str
    variables: Mapping[str, Any]
    schemas: Mapping[str, str]
    volumes: Mapping[str, str]
    job: Mapping[str, Any]
    permissions: tuple[Mapping[str, Any], ...]
    notebooks: tuple[Path, ...]


def load(path: Path, target: str, given: TargetSettings, user: str) -> Bundle:
    """The definitions of a target.

    Args:
        path: The file `databricks.yml`.
        target: Name of the target.
        given: Settings that win over those of the file.
        user: Name of who deploys.

    Raises:
        ContractError: A file or reference is wrong, or the job does not hang together.
    """
    document = _read(path)
    if target not in document["targets"]:
        raise ContractError(f"{path}: there is no target {target!r}", f"Targets: {', '.join(document['targets'])}.")
    chosen = document["targets"][target]
    declared: dict[str, Any] = document["variables"]
    values = {name: item["default"] for name, item in declared.items() if "default" in item}
    for source, told in ((path, chosen.get("variables", {})), ("databricks_config.json", given.variables)):
        for name, value in told.items():
            if name not in declared:
                raise ContractError(
                    f"{source}: {target}: {name} is no variable of the bundle", f"It has: {', '.join(declared)}."
                )
            values[name] = value
    missing = sorted(set(declared) - set(values))
    if missing:
        raise ContractError(
            f"{path}: {target}: no value for {', '.join(missing)}", "Give it in databricks_config.json."
        )
    facts: dict[str, Any] = {f"var.{name}": value for name, value in values.items()}
    facts |= {
        "bundle.name": document["bundle"]["name"],
        "bundle.target": target,
        "workspace.current_user.userName": user,
    }
    resources = _resources(path, document["include"], given.compute)
    for kind in ("schemas", "volumes"):
        for key, item in resources[kind].items():
            facts[f"resources.{kind}.{key}.name"] = item["name"]
    filled = _filled(resources, facts, str(path))
    variables = _filled(values, facts, str(path))
    _check_values(variables, target, production=chosen.get("mode") == "production")
    job = dict(filled["jobs"][_JOB])
    permissions = tuple(job.pop("permissions", ()))
    if run_as := _filled(chosen.get("run_as"), facts, str(path)):
        job["run_as"] = run_as
    if wrong := problems(job):
        raise ContractError(f"{path}: job {job.get('name')}: {'; '.join(wrong)}", "Mend the files in resources/.")
    catalog = str(variables["catalog"])
    notebooks = {task["notebook_task"]["notebook_path"] for task in job["tasks"] if "notebook_task" in task}
    return Bundle(
        target=target,
        catalog=catalog,
        root_path=_filled(chosen["workspace"]["root_path"], facts, str(path)),
        variables=variables,
        schemas={f"{s['catalog_name']}.{s['name']}": s["comment"] for s in filled["schemas"].values()},
        volumes={
            f"{v['catalog_name']}.{v['schema_name']}.{v['name']}": v["comment"] for v in filled["volumes"].values()
        },
        job=job,
        permissions=permissions,
        notebooks=tuple(sorted(Path(name) for name in notebooks)),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: cannot be read: {error}", "Deploy from a checkout of the project.") from error
    if not isinstance(found, dict):
        raise ContractError(f"{path}: is not a list of `key: value` lines", "Deploy from a checkout of the project.")
    return found


def _resources(path: Path, patterns: Iterable[str], compute: str) -> dict[str, dict[str, Any]]:
    """Resources of all files by kind; on a cluster, the job is the one of resources/variants."""
    found: dict[str, dict[str, Any]] = {"jobs": {}, "schemas": {}, "volumes": {}, "pipelines": {}}
    files = [file for pattern in patterns for file in sorted(path.parent.glob(pattern))]
    if compute == "cluster":
        files = [file for file in files if file.name != "medallion.job.yml"]
        files.append(path.parent / "resources" / "variants" / "medallion_on_cluster.job.yml")
    for file in files:
        for kind, items in _read(file).get("resources", {}).items():
            if kind not in found:
                raise ContractError(f"{file}: {kind} are not deployed from here", "Deploy with the Databricks CLI.")
            found[kind] |= items
            for task in (task for item in items.values() for task in item.get("tasks", ())):
                if notebook := task.get("notebook_task"):
                    notebook["notebook_path"] = str((file.parent / notebook["notebook_path"]).resolve())
    return found


def _filled(node: Any, facts: Mapping[str, Any], where: str, depth: int = 0) -> Any:
    """The node with every reference replaced; one that is a whole text takes the value's type."""
    if isinstance(node, Mapping):
        return {key: _filled(value, facts, where, depth) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, facts, where, depth) for value in node]
    if not isinstance(node, str) or not (names := _REFERENCE.findall(node)):
        return node
    unknown = [name for name in names if name not in facts]
    if unknown or depth > _DEEPEST:
        raise ContractError(f"{where}: ${{{(unknown or names)[0]}}} leads nowhere", "Declare it under variables.")
    if _REFERENCE.fullmatch(node):
        return _filled(facts[names[0]], facts, where, depth + 1)
    return _filled(_REFERENCE.sub(lambda match: str(facts[match[1]]), node), facts, where, depth + 1)


_NAME = re.compile(r"[A-Za-z_][\w-]{0,254}")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _check_values(values: Mapping[str, Any], target: str, *, production: bool) -> None:
    def refuse(name: str, reason: str) -> None:
        raise ContractError(
            f"{target}: {name}: {reason} (value: {values[name]!r})", "Set it in config/databricks_config.json."
        )

    if not _NAME.fullmatch(str(values["catalog"])):
        refuse("catalog", "is not a name of a catalog")
    if values["pause_status"] not in ("PAUSED", "UNPAUSED"):
        refuse("pause_status", "is not PAUSED or UNPAUSED")
    if not 6 <= len(str(values["schedule"]).split()) <= 7:
        refuse("schedule", "is not a Quartz expression such as 0 30 4 * * ?")
    if not isinstance(values["alerts"], list) or not all(re.fullmatch(r"[^@\s]+@[^@\s]+", a) for a in values["alerts"]):
        refuse("alerts", "is not a list of mail addresses")
    principal = str(values["service_principal"])
    if (production or principal) and not _GUID.fullmatch(principal):
        refuse(
            "service_principal", "is not the application id of a service principal, which runs the job in production"
        )
    try:
        if not 0 <= float(values["max_refused"]) <= 1:
            refuse("max_refused", "is not a share from 0 to 1")
    except ValueError:
        refuse("max_refused", "is not a share from 0 to 1")


def problems(job: Mapping[str, Any]) -> list[str]:
    """What does not hang together in a job, which the API or a run would find out late."""
    wrong: list[str] = []
    keys = [task["task_key"] for task in job["tasks"]]
    wrong += [f"two tasks are called {key}" for key in sorted({key for key in keys if keys.count(key) > 1})]
    environments = {item["environment_key"] for item in job.get("environments", ())}
    clusters = {item["job_cluster_key"] for item in job.get("job_clusters", ())}
    parameters = {item["name"] for item in job.get("parameters", ())}
    needs: dict[str, set[str]] = {}
    for task in job["tasks"]:
        key = task["task_key"]
        needs[key] = {item["task_key"] for item in task.get("depends_on", ())}
        wrong += [f"{key} depends on {name}, which is no task" for name in sorted(needs[key] - set(keys))]
        kinds = [kind for kind in _TASKS if kind in task]
        if len(kinds) != 1:
            wrong.append(f"{key} is {' and '.join(kinds) or 'no kind of task'}")
        places = [name for name in ("environment_key", "job_cluster_key") if name in task]
        if len(places) != 1:
            wrong.append(f"{key} runs nowhere, or in two places")
        elif task[places[0]] not in (environments | clusters):
            wrong.append(f"{key} runs in {task[places[0]]}, which is not declared")
        notebook = task.get("notebook_task", {}).get("notebook_path")
        if notebook and not Path(notebook).is_file():
            wrong.append(f"{key}: there is no notebook {notebook}")
        for name in re.findall(r"\{\{job\.parameters\.(\w+)\}\}", str(task)):
            if name not in parameters:
                wrong.append(f"{key}: the job has no parameter {name}")
    return wrong + _circle(needs)


def _circle(needs: Mapping[str, set[str]]) -> list[str]:

    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        return [f"tasks wait for each other: {' -> '.join(error.args[1])}"]
    return []
