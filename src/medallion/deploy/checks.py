"""What a deployment refuses: values that cannot be, jobs that do not hang together, and what would fail or do harm later.

A workspace would take most of it, and a run would find out at night.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import ContractError

if TYPE_CHECKING:
    from medallion.deploy.bundle import Bundle

LAYERS = ("bronze", "silver", "gold", "ops")
#: Parameters that whoever may start the job may set; where it reads and writes is not among them.
FREE = frozenset({"as_of"})
_TASKS = ("notebook_task", "python_wheel_task", "spark_python_task", "pipeline_task", "condition_task", "run_job_task")
#: What starts a job; the service takes one of them.
_STARTS = ("schedule", "trigger", "continuous")
#: Parameters that say where something is.
_PLACES = frozenset({"source", "lakehouse", "models", "out"})
_NAME = re.compile(r"[A-Za-z_][\w-]{0,254}")
_PREFIX = re.compile(r"([A-Za-z]\w{0,199}_)?", re.ASCII)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PINNED = re.compile(r"[A-Za-z0-9][\w.-]*(\[[\w,.-]+\])?==[\w.!+-]+( *;.*)?")
_SECRET = re.compile(
    r"dapi[0-9a-f]{8}|AccountKey=|SharedAccessSignature|[?&]sig=|-----BEGIN|eyJ[\w-]{10,}\.eyJ"
    r"|(?<![a-z])(token|secret|password|passwd|api_?key)(?![a-z])",
    re.IGNORECASE,
)
#: Levels at which a folder can be read, not written.
_READS = frozenset({"CAN_VIEW", "CAN_READ", "CAN_RUN"})


def is_application(name: str) -> bool:
    """Whether a name is the application id of a service principal."""
    return bool(_GUID.fullmatch(name))


def values(given: Mapping[str, Any], target: str, *, production: bool) -> None:
    """Refuse values of variables that cannot be.

    Raises:
        ContractError: Names the variable, its value and the reason.
    """

    def refuse(name: str, reason: str) -> None:
        raise ContractError(
            f"{target}: {name}: {reason} (value: {given[name]!r})", "Set it in config/databricks_config.json."
        )

    if not _NAME.fullmatch(str(given["catalog"])):
        refuse("catalog", "is not a name of a catalog")
    if not _PREFIX.fullmatch(str(given["prefix"])):
        refuse("prefix", "is not empty and not letters, digits and _ that end with _")
    if given["pause_status"] not in ("PAUSED", "UNPAUSED"):
        refuse("pause_status", "is not PAUSED or UNPAUSED")
    if given["performance_target"] not in ("STANDARD", "PERFORMANCE_OPTIMIZED"):
        refuse("performance_target", "is not STANDARD or PERFORMANCE_OPTIMIZED")
    if not 6 <= len(str(given["schedule"]).split()) <= 7:
        refuse("schedule", "is not a Quartz expression such as 0 30 4 * * ?")
    if not isinstance(given["alerts"], list) or not all(re.fullmatch(r"[^@\s]+@[^@\s]+", a) for a in given["alerts"]):
        refuse("alerts", "is not a list of mail addresses")
    for name, does in (("deployer", "deploys it"), ("service_principal", "runs the job")):
        if (production or given[name]) and not is_application(str(given[name])):
            refuse(name, f"is not the application id of a service principal, which {does} in staging and prod")
    if production and given["deployer"] == given["service_principal"]:
        refuse("service_principal", "deploys the job, too: whoever runs it could change its code; take another")
    try:
        if not 0 <= float(given["max_refused"]) <= 1:
            refuse("max_refused", "is not a share from 0 to 1")
    except ValueError:
        refuse("max_refused", "is not a share from 0 to 1")


def shared(bundle: Bundle, mode: str | None, user: str | None) -> list[str]:
    """How people could get in each other's way, or change what runs in production.

    Args:
        bundle: The definitions of a target.
        mode: `mode` of the target.
        user: Name of who deploys; None before anybody has signed in.
    """
    wrong = []
    if mode not in ("development", "production"):
        wrong.append(f"mode is {mode or 'missing'}, and not development or production")
    named = {f"{bundle.catalog}.{bundle.variables['prefix']}{layer}" for layer in LAYERS}
    if missing := sorted(named - set(bundle.schemas)):
        wrong.append(
            f"the job writes to {missing[0]}, which is not among the schemas {', '.join(bundle.schemas)}: "
            "prefix is not what the mode puts before their names"
        )
    owner = str(bundle.variables["deployer"]) if bundle.production else user
    if owner and not bundle.root_path.startswith(f"/Workspace/Users/{owner}/"):
        wrong.append(
            f"the code is in {bundle.root_path}, where others can change it; put it below /Workspace/Users/{owner}/"
        )
    for item in bundle.folder_permissions:
        name = next((str(value) for key, value in item.items() if key != "level"), "")
        if item["level"] not in _READS and name != owner:
            wrong.append(f"{name} may change the code, as permissions say {item['level']}")
    if bundle.production and "run_as" not in bundle.job:
        wrong.append("there is no run_as, so the job would run as whoever deploys it")
    return wrong


def problems(job: Mapping[str, Any]) -> list[str]:
    """What does not hang together in a job, or would fail or do harm when it runs."""
    wrong: list[str] = []
    keys = [task["task_key"] for task in job["tasks"]]
    wrong += [f"two tasks are called {key}" for key in sorted({key for key in keys if keys.count(key) > 1})]
    environments = {item["environment_key"] for item in job.get("environments", ())}
    clusters = {item["job_cluster_key"] for item in job.get("job_clusters", ())}
    parameters = {item["name"] for item in job.get("parameters", ())}
    wrong += [
        f"whoever may start the job may set the parameter {name}; fix it in the tasks"
        for name in sorted(parameters - FREE)
    ]
    starts = [name for name in _STARTS if name in job]
    if len(starts) > 1:
        wrong.append(f"it has {' and '.join(starts)}, and may have one of them")
    if not job.get("timeout_seconds"):
        wrong.append("it has no timeout_seconds, and a run that hangs bills for ever")
    if job.get("max_concurrent_runs") != 1:
        wrong.append("max_concurrent_runs is not 1, and a second writer is refused")
    needs: dict[str, set[str]] = {}
    for task in job["tasks"]:
        needs[task["task_key"]] = {item["task_key"] for item in task.get("depends_on", ())}
        wrong += _of_task(task, keys, environments | clusters, parameters)
    wrong += [f"{where} looks like a secret; sign in instead" for where in _secrets(job)]
    return wrong + _of_dependencies(job) + _circle(needs)


def _of_task(task: Mapping[str, Any], keys: list[str], places: set[str], parameters: set[str]) -> Iterator[str]:
    key = task["task_key"]
    for item in task.get("depends_on", ()):
        if item["task_key"] not in keys:
            yield f"{key} depends on {item['task_key']}, which is no task"
    kinds = [kind for kind in _TASKS if kind in task]
    if len(kinds) != 1:
        yield f"{key} is {' and '.join(kinds) or 'no kind of task'}"
    where = [name for name in ("environment_key", "job_cluster_key") if name in task]
    if len(where) != 1:
        yield f"{key} runs nowhere, or in two places"
    elif task[where[0]] not in places:
        yield f"{key} runs in {task[where[0]]}, which is not declared"
    if not task.get("timeout_seconds"):
        yield f"{key} has no timeout_seconds"
    if not task.get("max_retries") and not task.get("disable_auto_optimization"):
        yield f"{key} is not to be tried again, and serverless compute does so unless disable_auto_optimization is true"
    for name in re.findall(r"\{\{job\.parameters\.(\w+)\}\}", str(task)):
        if name not in parameters:
            yield f"{key}: the job has no parameter {name}"
    if notebook := task.get("notebook_task"):
        yield from _of_notebook(key, notebook)
    arguments = task.get("python_wheel_task", {}).get("parameters", [])
    for option, value in pairwise(arguments):
        if option.removeprefix("--") in _PLACES and option.startswith("--") and not _is_absolute(value):
            yield f"{key}: {option} {value} is relative, and nobody knows to which folder"


def _of_notebook(key: str, task: Mapping[str, Any]) -> Iterator[str]:
    path, given = Path(task["notebook_path"]), task.get("base_parameters", {})
    if not path.is_file():
        yield f"{key}: there is no notebook {path}"
        return
    for name, value in given.items():
        if name in _PLACES and not _is_absolute(value):
            yield f"{key}: {name} {value} is relative, and nobody knows to which folder"
    if "notebook.out(" in path.read_text(encoding="utf-8") and "out" not in given:
        yield f"{key} writes files, and no parameter out says where"
    if "lakehouse" not in given:
        yield f"{key}: no parameter lakehouse says where the tables are"


def _is_absolute(place: str) -> bool:
    return place.startswith(("/Volumes/", "uc:", "abfss:"))


def _secrets(node: Any, where: str = "") -> Iterator[str]:
    """Where in a specification something looks like a secret."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _secrets(str(key), f"{where}{key}")
            yield from _secrets(value, f"{where}{key}.")
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from _secrets(value, f"{where}{place}.")
    elif isinstance(node, str) and _SECRET.search(node):
        yield where.rstrip(".")


def requirements(job: Mapping[str, Any]) -> list[Path]:
    """The files with the packages of a job, each once."""
    listed = [dependency for item in job.get("environments", ()) for dependency in item["spec"].get("dependencies", ())]
    files = [dependency.removeprefix("-r ") for dependency in listed if dependency.startswith("-r ")]
    files += [
        library["requirements"]
        for task in job["tasks"]
        for library in task.get("libraries", ())
        if "requirements" in library
    ]
    return [Path(file) for file in dict.fromkeys(files)]


def _of_dependencies(job: Mapping[str, Any]) -> list[str]:
    """Packages that another day could bring in another version."""
    wrong = []
    files = requirements(job)
    if len(files) != 1:
        wrong.append(f"its packages are in {len(files)} files of requirements, and not in one")
    for environment in job.get("environments", ()):
        for dependency in environment["spec"].get("dependencies", ()):
            if not (dependency.startswith("-r ") or dependency.endswith(".whl") or _PINNED.fullmatch(dependency)):
                wrong.append(f"{dependency} in {environment['environment_key']} is not pinned to one version")
    for task in job["tasks"]:
        if "job_cluster_key" in task and not any("requirements" in item for item in task.get("libraries", ())):
            wrong.append(f"{task['task_key']} has no file of requirements among its libraries")
    for file in files:
        if not file.is_file():
            wrong.append(f"there is no file {file}")
            continue
        lines = (line.partition(" #")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
        loose = [line for line in lines if line and not line.startswith("#") and not _PINNED.fullmatch(line)]
        wrong += [f"{line} in {file.name} is not pinned to one version" for line in loose]
    return wrong


def _circle(needs: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        return [f"tasks wait for each other: {' -> '.join(error.args[1])}"]
    return []
