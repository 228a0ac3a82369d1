"""The bundle's definitions, `databricks.yml` and `resources/`, with their variables filled in for a target.

What the Databricks CLI would deploy is read from the same files, so there is one definition of the job. Of the bundle
language this knows what those files use: variables, targets, references; anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medallion.contracts import yaml
from medallion.deploy import checks
from medallion.deploy.settings import TargetSettings
from medallion.errors import ContractError

_REFERENCE = re.compile(r"\$\{([\w.]+)\}")
_JOB = "medallion"
#: Stands for the user before anybody has signed in.
_SOMEBODY = "you"
_DEEPEST = 10


@dataclass(frozen=True)
class Bundle:
    """What is to be in a workspace for a target.

    `schemas` and `volumes` are named in full, with their comments; `grants` are privileges per principal, by kind and full
    name; `code` is the folder of the volume that wheels go to. `job` is a specification of the Jobs API in which notebooks
    and requirements are still local files and the wheel a pattern; `notebooks` and `requirements` are those files.
    `permissions` are those of the job, `folder_permissions` those of the folder `root_path`, empty where it is the user's own.
    """

    target: str
    user: str
    production: bool
    catalog: str
    root_path: str
    variables: Mapping[str, Any]
    schemas: Mapping[str, str]
    volumes: Mapping[str, str]
    grants: Mapping[tuple[str, str], Mapping[str, frozenset[str]]]
    code: str
    job: Mapping[str, Any]
    permissions: tuple[Mapping[str, Any], ...]
    folder_permissions: tuple[Mapping[str, Any], ...]
    notebooks: tuple[Path, ...]
    requirements: Path


def short_name(user: str, display_name: str = "") -> str:
    """A user as the Databricks CLI shortens the name: `ann.lee@example.com` is `ann_lee`; of a service principal, whose
    user name is an application id, its display name is taken.

    >>> short_name("Ann.Lee+crm@example.com"), short_name("11111111-2222-3333-4444-555555555555", "CRM deploys")
    ('ann_lee_crm', 'crm_deploys')
    """
    named = display_name if checks.is_application(user) and display_name else user
    return re.sub(r"[\W_]+", "_", named.partition("@")[0].lower()).strip("_")


def load(path: Path, target: str, given: TargetSettings, user: str | None, display_name: str = "") -> Bundle:
    """The definitions of a target.

    Args:
        path: The file `databricks.yml`.
        target: Name of the target.
        given: Settings that win over those of the file.
        user: Name of who deploys; None before anybody has signed in.
        display_name: The user's display name, which counts for a service principal.

    Raises:
        ContractError: A file or reference is wrong, the job is inconsistent, or a deployment would do harm.
    """
    document = _read(path)
    if target not in document["targets"]:
        raise ContractError(f"{path}: there is no target {target!r}", f"Targets: {', '.join(document['targets'])}.")
    chosen = document["targets"][target]
    values = _values(path, document, target, given)
    facts: dict[str, Any] = {f"var.{name}": value for name, value in values.items()}
    facts |= {
        "bundle.name": document["bundle"]["name"],
        "bundle.target": target,
        "workspace.current_user.userName": user or _SOMEBODY,
        "workspace.current_user.short_name": short_name(user or _SOMEBODY, display_name),
    }
    development, production = (chosen.get("mode") == mode for mode in ("development", "production"))
    resources = _resources(path, document["include"], given.compute)
    if development:
        _own(resources, str(facts["workspace.current_user.short_name"]))
    for kind in ("schemas", "volumes"):
        for key, item in resources[kind].items():
            facts[f"resources.{kind}.{key}.name"] = item["name"]
    filled = _filled(resources, facts, str(path))
    variables = _filled(values, facts, str(path))
    checks.values(variables, target, production=production)
    job = dict(filled["jobs"][_JOB])
    permissions = tuple(job.pop("permissions", ()))
    if run_as := _filled(chosen.get("run_as"), facts, str(path)):
        job["run_as"] = run_as
    if wrong := checks.problems(job):
        raise ContractError(f"{path}: job {job.get('name')}: {'; '.join(wrong)}", "Mend the files in resources/.")
    catalog = str(variables["catalog"])
    notebooks = {task["notebook_task"]["notebook_path"] for task in job["tasks"] if "notebook_task" in task}
    bundle = Bundle(
        target=target,
        user=user or "",
        production=production,
        catalog=catalog,
        root_path=_filled(chosen["workspace"]["root_path"], facts, str(path)),
        variables=variables,
        schemas={_full(item): item["comment"] for item in filled["schemas"].values()},
        volumes={_full(item): item["comment"] for item in filled["volumes"].values()},
        grants={
            (kind, _full(item)): {grant["principal"]: frozenset(grant["privileges"]) for grant in item["grants"]}
            for kind in ("schema", "volume")
            for item in filled[f"{kind}s"].values()
            if item.get("grants")
        },
        code="/Volumes/" + _full(filled["volumes"]["code"]).replace(".", "/"),
        job=job,
        permissions=permissions,
        folder_permissions=tuple(_filled(chosen.get("permissions", []), facts, str(path))),
        notebooks=tuple(sorted(Path(name) for name in notebooks)),
        requirements=checks.requirements(job)[0],
    )
    if wrong := checks.shared(bundle, chosen.get("mode"), user):
        raise ContractError(f"{path}: {target}: {'; '.join(wrong)}", "See docs/DEPLOYMENT.md.")
    return bundle


def _values(path: Path, document: Mapping[str, Any], target: str, given: TargetSettings) -> dict[str, Any]:
    """Values of the bundle's variables, with references in them."""
    declared: dict[str, Any] = document["variables"]
    values = {name: item["default"] for name, item in declared.items() if "default" in item}
    for source, overrides in (
        (path, document["targets"][target].get("variables", {})),
        ("databricks_config.json", given.variables),
    ):
        for name, value in overrides.items():
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
    return values


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: cannot be read: {error}", "Deploy from a checkout of the project.") from error
    if not isinstance(document, dict):
        raise ContractError(f"{path}: is not a list of `key: value` lines", "Deploy from a checkout of the project.")
    return document


def _resources(path: Path, patterns: Iterable[str], compute: str) -> dict[str, dict[str, Any]]:
    """Resources of all files by kind; on a cluster, the job is the one of resources/variants."""
    resources: dict[str, dict[str, Any]] = {"jobs": {}, "schemas": {}, "volumes": {}, "pipelines": {}}
    files = [file for pattern in patterns for file in sorted(path.parent.glob(pattern))]
    if compute == "cluster":
        files = [file for file in files if file.name != "medallion.job.yml"]
        files.append(path.parent / "resources" / "variants" / "medallion_on_cluster.job.yml")
    for file in files:
        for kind, items in _read(file).get("resources", {}).items():
            if kind not in resources:
                raise ContractError(f"{file}: {kind} are not deployed from here", "Deploy with the Databricks CLI.")
            resources[kind] |= items
            for item in items.values():
                _absolute(item, file.parent)
    return resources


def _absolute(item: Mapping[str, Any], folder: Path) -> None:
    """Files that a job names, as paths that hold anywhere."""
    for task in item.get("tasks", ()):
        if notebook := task.get("notebook_task"):
            notebook["notebook_path"] = str((folder / notebook["notebook_path"]).resolve())
        for library in task.get("libraries", ()):
            if "requirements" in library:
                library["requirements"] = str((folder / library["requirements"]).resolve())
    for environment in item.get("environments", ()):
        wanted = environment["spec"].get("dependencies", [])
        environment["spec"]["dependencies"] = [
            f"-r {(folder / dependency.removeprefix('-r ')).resolve()}" if dependency.startswith("-r ") else dependency
            for dependency in wanted
        ]


def _own(resources: Mapping[str, Any], short: str) -> None:
    """Names of resources as `mode: development` makes them somebody's own."""
    for schema in resources["schemas"].values():
        schema["name"] = f"dev_{short}_{schema['name']}"
    for job in resources["jobs"].values():
        job["name"] = f"[dev {short}] {job['name']}"


def _full(item: Mapping[str, Any]) -> str:
    return ".".join(str(item[key]) for key in ("catalog_name", "schema_name", "name") if key in item)


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
