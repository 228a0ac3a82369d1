"""The job and what it needs into a workspace: look, plan, apply. A plan that is empty changes nothing.

Order of changes: schemas, volumes, grants, wheel, folder, notebooks, and the job last, so that an interrupted deployment
leaves the old job as it was and the next one goes on from there. Nothing that holds data is ever deleted, and no grant is
taken away.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.deploy import rights
from medallion.deploy.bundle import Bundle
from medallion.deploy.changes import Change, there
from medallion.deploy.workspace import told
from medallion.errors import ContractError, MedallionError, extra

with extra("databricks", "Databricks"):
    from databricks.sdk.errors import NotFound
    from databricks.sdk.service.catalog import VolumeType
    from databricks.sdk.service.iam import AccessControlRequest
    from databricks.sdk.service.jobs import JobAccessControlRequest, JobSettings
    from databricks.sdk.service.workspace import ImportFormat, Language

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import BaseJob

#: Tags of a job that say who made it and from what; letters, digits and dashes only.
MADE_BY, SPEC = "made-by", "spec"
_ME = "medallion-deploy"
_BUILD_SECONDS = 300


def build_wheel(root: Path, out: Path) -> Path:
    """Build the project's wheel into a new folder; the same sources give the same bytes.

    Raises:
        MedallionError: There is no uv, or the build fails.
    """
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if not uv:
        raise MedallionError(
            "uv, which builds the wheel, is not installed", "Install it, or give a wheel with --wheel."
        )
    # with the build backend at hand there is nothing to download
    options = ["--no-build-isolation", "--python", sys.executable] if importlib.util.find_spec("hatchling") else []
    line = [uv, "build", "--quiet", "--wheel", *options, "--out-dir", str(out), str(root)]
    try:
        subprocess.run(line, check=True, capture_output=True, text=True, timeout=_BUILD_SECONDS)  # noqa: S603
    except (subprocess.SubprocessError, OSError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1:]
        raise MedallionError(
            f"The wheel cannot be built: {''.join(reason)}", "Build it yourself, and give --wheel."
        ) from error
    (wheel,) = out.glob("*.whl")
    return wheel


class Deployment:
    """A target in a workspace, as it is to be."""

    def __init__(self, client: WorkspaceClient, bundle: Bundle, wheel: Path) -> None:
        self.client, self.bundle = client, bundle
        self.content, self.packages = wheel.read_bytes(), bundle.requirements.read_bytes()
        digest = hashlib.sha256(self.content + self.packages).hexdigest()
        #: A path of its own for every content, so that a run that has started keeps the code it started with.
        self.code = f"{bundle.code}/wheels/{digest[:16]}"
        self.wheel, self.requirements = f"{self.code}/{wheel.name}", f"{self.code}/requirements.txt"
        self.folder = f"{bundle.root_path}/files/notebooks"
        self.state = f"{bundle.code}/state-{bundle.target}.json"

    def plan(self) -> list[Change]:
        """What is to be done, in order; nothing is changed.

        Raises:
            MedallionError: No catalog, two jobs of the name, a job of another, or the workspace refuses.
        """
        self._catalog()
        return [
            *self._schemas(), *self._volumes(), *rights.grants(self.client, self.bundle),
            *self._wheel(), *rights.folder(self.client, self.bundle), *self._notebooks(), *self._job(),
        ]  # fmt: skip

    def apply(self, changes: list[Change], report: Callable[[Change], None]) -> None:
        """Do what a plan says, telling of each change when it is done.

        Raises:
            ContractError: It is production, and another deploys it.
            MedallionError: The workspace refuses; what was done stays, and the next plan goes on from there.
        """
        self.refuse_others()
        for change in changes:
            with told(f"{change.action} {change.kind} {change.name}", _grant(change, self.bundle)):
                change.do()
            report(change)

    def refuse_others(self) -> None:
        """Let nobody change production but the service principal that deploys it.

        Raises:
            ContractError: It is production, and another is signed in.
        """
        deployer = self.bundle.variables["deployer"]
        if self.bundle.production and self.bundle.user != deployer:
            raise ContractError(
                f"{self.bundle.target} is deployed by the service principal {deployer}, and you are signed in as "
                f"{self.bundle.user}",
                "Deploy it from the pipeline (docs/CI_CD.md), or sign in as that service principal.",
            )

    def _catalog(self) -> None:

        name = self.bundle.catalog
        with told(f"catalog {name}", f"GRANT USE CATALOG ON CATALOG `{name}` TO `you`"):
            try:
                self.client.catalogs.get(name)
            except NotFound as error:
                raise MedallionError(
                    f"catalog {name}: there is none, or you may not see it",
                    f"An administrator makes it: CREATE CATALOG `{name}` MANAGED LOCATION 'abfss://...'; "
                    f"GRANT USE CATALOG, CREATE SCHEMA ON CATALOG `{name}` TO `you`. "
                    "Or name another: variables.catalog in config/databricks_config.json.",
                ) from error

    def _schemas(self) -> Iterator[Change]:
        for full, comment in self.bundle.schemas.items():
            if not there(self.client.schemas.get, full, f"schema {full}"):
                catalog, name = full.split(".")

                def make(catalog: str = catalog, name: str = name, comment: str = comment) -> None:
                    self.client.schemas.create(name=name, catalog_name=catalog, comment=comment)

                yield Change("schema", full, "create", "is not there", make)

    def _volumes(self) -> Iterator[Change]:

        for full, comment in self.bundle.volumes.items():
            if not there(self.client.volumes.read, full, f"volume {full}"):
                catalog, schema, name = full.split(".")

                def make(
                    catalog: str = catalog, schema: str = schema, name: str = name, comment: str = comment
                ) -> None:
                    self.client.volumes.create(catalog, schema, name, VolumeType.MANAGED, comment=comment)

                yield Change("volume", full, "create", "is not there", make)

    def _wheel(self) -> Iterator[Change]:
        """The wheel beside the list of the packages that it was tested with."""
        wanted = {self.requirements: self.packages, self.wheel: self.content}
        files = {path: there(self.client.files.get_metadata, path, "wheel") for path in wanted}
        if all(file and file.content_length == len(wanted[path]) for path, file in files.items()):
            return

        def send() -> None:
            self.client.files.create_directory(self.code)
            for path, content in wanted.items():
                self.client.files.upload(path, io.BytesIO(content), overwrite=True)

        yield Change("wheel", self.wheel, "create", "this content is not there", send)

    def _notebooks(self) -> Iterator[Change]:
        state = self._read_state()
        for path in self.bundle.notebooks:
            remote = f"{self.folder}/{path.stem}"
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            status = there(self.client.workspace.get_status, remote, f"notebook {remote}")
            known = state.get(path.stem, {})
            if not status:
                reason = "is not there"
            elif known.get("sha256") != digest:
                reason = "has changed here"
            elif known.get("modified_at") != status.modified_at:
                reason = "was edited in the workspace"
            else:
                continue

            def send(remote: str = remote, content: bytes = content, digest: str = digest) -> None:
                self._import(remote, content, digest)

            yield Change("notebook", remote, "update" if status else "create", reason, send)

    def _import(self, remote: str, content: bytes, digest: str) -> None:

        self.client.workspace.mkdirs(self.folder)
        self.client.workspace.import_(
            remote,
            content=base64.b64encode(content).decode(),
            format=ImportFormat.SOURCE,
            language=Language.PYTHON,
            overwrite=True,
        )
        status = self.client.workspace.get_status(remote)
        state = self._read_state()
        state[remote.rpartition("/")[2]] = {"sha256": digest, "modified_at": status.modified_at}
        text = json.dumps(state, indent=1, sort_keys=True).encode()
        self.client.files.upload(self.state, io.BytesIO(text), overwrite=True)

    def _read_state(self) -> dict[str, Any]:
        """Checksum of every notebook as sent, and when it was changed there; empty where nothing was sent."""
        response = there(self.client.files.download, self.state, "state of the deployment")
        try:
            state = json.loads(response.contents.read()) if response else {}
        except ValueError:
            state = {}
        return state if isinstance(state, dict) else {}

    def specification(self) -> dict[str, Any]:
        """The job as the API takes it, with paths of the workspace and the hash of all of it as a tag.

        Raises:
            ContractError: The specification says something that the SDK does not know and would leave out.
        """
        job: dict[str, Any] = json.loads(json.dumps(self.bundle.job))
        for task in job["tasks"]:
            if "notebook_task" in task:
                task["notebook_task"]["notebook_path"] = (
                    f"{self.folder}/{Path(task['notebook_task']['notebook_path']).stem}"
                )
            if "libraries" in task:
                sent = {"whl": self.wheel, "requirements": self.requirements}
                task["libraries"] = [
                    {key: sent.get(key, library[key]) for key in library} for library in task["libraries"]
                ]
        for environment in job.get("environments", ()):
            wanted = environment["spec"]["dependencies"]
            environment["spec"]["dependencies"] = [
                self.wheel
                if dependency.endswith(".whl")
                else f"-r {self.requirements}"
                if dependency.startswith("-r ")
                else dependency
                for dependency in wanted
            ]
        definition = json.dumps({"job": job, "permissions": list(self.bundle.permissions)}, sort_keys=True)
        job["tags"] = {**job.get("tags", {}), MADE_BY: _ME, SPEC: hashlib.sha256(definition.encode()).hexdigest()[:16]}
        if lost := _lost(job, JobSettings.from_dict(job).as_dict()):
            raise ContractError(
                f"resources/: job: the SDK does not know {lost}", "Check its spelling; update databricks-sdk."
            )
        return job

    def job(self) -> BaseJob | None:
        """The deployed job, None before the first deployment.

        Raises:
            MedallionError: Two jobs have the name, or the one that has it was not made by this.
        """
        name = str(self.bundle.job["name"])
        with told(f"jobs called {name}"):
            # the service compares names without regard to case
            jobs = [job for job in self.client.jobs.list(name=name) if job.settings and job.settings.name == name]
        if len(jobs) > 1:
            ids = ", ".join(str(job.job_id) for job in jobs)
            raise MedallionError(
                f"{len(jobs)} jobs are called {name}: {ids}",
                "Keep one and rename or delete the others, then run this again; nothing was changed.",
            )
        if jobs and ((jobs[0].settings.tags if jobs[0].settings else None) or {}).get(MADE_BY) != _ME:
            raise MedallionError(
                f"Job {jobs[0].job_id} is called {name} too, but was not made by this command",
                "Rename it, or deploy it by what made it (`databricks bundle deploy`); nothing was changed.",
            )
        return jobs[0] if jobs else None

    def _job(self) -> Iterator[Change]:

        wanted, known = self.specification(), self.job()
        settings = JobSettings.from_dict(wanted)
        tags = (known.settings.tags if known and known.settings else None) or {}
        job_id = known.job_id if known else None
        if job_id is None:

            def make() -> None:
                fields = {key: value for key, value in vars(settings).items() if value not in (None, [])}
                allowed = [
                    JobAccessControlRequest.from_dict(rights.permission(item)) for item in self.bundle.permissions
                ]
                self.client.jobs.create(**fields, access_control_list=allowed)

            yield Change("job", wanted["name"], "create", "is not there", make)
        elif tags.get(SPEC) != wanted["tags"][SPEC]:

            def reset() -> None:
                self.client.jobs.reset(job_id, settings)
                allowed = [AccessControlRequest.from_dict(rights.permission(item)) for item in self.bundle.permissions]
                if allowed:
                    self.client.permissions.update("jobs", str(job_id), access_control_list=allowed)

            yield Change("job", wanted["name"], "update", "its definition or code has changed", reset)


def destroy(client: WorkspaceClient, deployment: Deployment) -> list[str]:
    """Delete the job and the folder of its notebooks, and give their names. Schemas, tables, volumes stay.

    Raises:
        ContractError: It is production, and another deploys it.
        MedallionError: A run is going on, or the workspace refuses.
    """
    deployment.refuse_others()
    gone, job = [], deployment.job()
    with told("destroy"):
        if job and job.job_id:
            if running := [run.run_id for run in client.jobs.list_runs(job_id=job.job_id, active_only=True)]:
                raise MedallionError(
                    f"Run {running[0]} is going on", "Wait for its end or cancel it, then run this again."
                )
            client.jobs.delete(job.job_id)
            gone.append(f"job {job.job_id}")
        folder = f"{deployment.bundle.root_path}/files"
        try:
            client.workspace.get_status(folder)
            client.workspace.delete(folder, recursive=True)
            gone.append(f"folder {folder}")
        except NotFound:
            pass
    return gone


def _lost(wanted: Any, kept: Any, path: str = "") -> str:
    """The first thing of a specification that is not in another, as a path; empty when all of it is."""
    if isinstance(wanted, Mapping):
        for key, value in wanted.items():
            if value in ([], {}):
                continue
            if not isinstance(kept, Mapping) or key not in kept:
                return f"{path}{key}"
            if lost := _lost(value, kept[key], f"{path}{key}."):
                return lost
    elif isinstance(wanted, list):
        for place, value in enumerate(wanted):
            if lost := _lost(value, kept[place] if place < len(kept) else None, f"{path}{place}."):
                return lost
    elif wanted != kept:
        return path.rstrip(".")
    return ""


def _volume(folder: str) -> str:
    return ".".join(f"`{part}`" for part in folder.split("/")[2:])


def _grant(change: Change, bundle: Bundle) -> str:
    grants = {
        "schema": f"GRANT USE CATALOG, CREATE SCHEMA ON CATALOG `{bundle.catalog}` TO `you`",
        "volume": f"GRANT USE SCHEMA, CREATE VOLUME ON SCHEMA `{'`.`'.join(change.name.split('.')[:2])}` TO `you`",
        "grant": f"MANAGE on the {change.name}, as its owner has it",
        "wheel": f"GRANT READ VOLUME, WRITE VOLUME ON VOLUME {_volume(bundle.code)} TO `you`",
        "folder": f"CAN MANAGE on the workspace folder {bundle.root_path}",
        "notebook": f"CAN MANAGE on the workspace folder {bundle.root_path}",
        "job": "CAN MANAGE on the job; to run it as a service principal, the role Service Principal User on it",
    }
    return grants[change.kind]
