"""Runs of the deployed job: start one and wait, and tell how the last ones went."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from medallion.deploy.databricks import SPEC, Deployment
from medallion.deploy.workspace import told
from medallion.errors import MedallionError

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import Run

SUCCESS = "SUCCESS"
_ENDED = "TERMINATED"
_SHOWN = 5


def start(
    client: WorkspaceClient, deployment: Deployment, parameters: Mapping[str, str], once: str | None = None
) -> int:
    """Start a run and give its number; a repeated request with the same `once` starts no second one.

    Raises:
        MedallionError: The job is not deployed, or the workspace refuses.
    """
    job = deployment.job()
    if job is None or job.job_id is None:
        raise MedallionError(f"{deployment.bundle.job['name']}: is not deployed", "Deploy it first.")
    known = {item["name"] for item in deployment.bundle.job.get("parameters", ())}
    if unknown := sorted(set(parameters) - known):
        raise MedallionError(f"The job has no parameter {unknown[0]}", f"It has: {', '.join(sorted(known))}.")
    with told(f"run {deployment.bundle.job['name']}", "CAN MANAGE RUN on the job"):
        started = client.jobs.run_now(
            job.job_id, idempotency_token=once or uuid.uuid4().hex, job_parameters=dict(parameters)
        )
    return int(started.run_id)


def wait(
    client: WorkspaceClient,
    run_id: int,
    report: Callable[[str, str], None],
    seconds: float = 15,
    patience: float = 6 * 3600,
) -> dict[str, Any]:
    """Wait for the end of a run, telling of each task whose state changes; gives how it ended.

    Raises:
        MedallionError: It does not end within `patience` seconds, or the workspace refuses.
    """
    seen: dict[str, str] = {}
    end = time.monotonic() + patience
    while True:
        with told(f"run {run_id}"):
            run = client.jobs.get_run(run_id)
        for task in run.tasks or ():
            state = _state(task)
            if seen.get(task.task_key) != state:
                seen[task.task_key] = state
                report(task.task_key, state)
        if run.status and run.status.state and run.status.state.value == _ENDED:
            return described(run)
        if time.monotonic() > end:
            raise MedallionError(f"Run {run_id} has not ended", f"Look at it: {run.run_page_url}")
        time.sleep(seconds)


def described(run: Run) -> dict[str, Any]:
    """A run as plain values: number, address, result, message, and the state of each task."""
    ended = run.status.termination_details if run.status else None
    return {
        "run_id": run.run_id,
        "url": run.run_page_url,
        "state": run.status.state.value if run.status and run.status.state else None,
        "result": ended.code.value if ended and ended.code else None,
        "message": (ended.message if ended else None) or "",
        "started_at": run.start_time,
        "tasks": {task.task_key: _state(task) for task in run.tasks or ()},
    }


def _state(task: Any) -> str:
    if not task.status or not task.status.state:
        return "PENDING"
    ended = task.status.termination_details
    if ended and ended.code:
        return str(ended.code.value)
    older = task.state.result_state if task.state else None  # which tells of failures upstream, too
    return str(older.value if older else task.status.state.value)


def status(client: WorkspaceClient, deployment: Deployment) -> dict[str, Any]:
    """The deployed job, its schedule, and its last runs; `job_id` is None when it is not deployed.

    Raises:
        MedallionError: The workspace refuses.
    """
    job = deployment.job()
    if job is None or job.job_id is None:
        return {"target": deployment.bundle.target, "job_id": None, "runs": []}
    settings = job.settings
    schedule, trigger = (settings.schedule, settings.trigger) if settings else (None, None)
    arrival, starts = trigger.file_arrival if trigger else None, schedule or trigger
    with told("runs"):
        runs = [client.jobs.get_run(run.run_id) for run in _latest(client, job.job_id) if run.run_id]
    return {
        "target": deployment.bundle.target,
        "job_id": job.job_id,
        "url": f"{(client.config.host or '').rstrip('/')}/jobs/{job.job_id}",
        "spec": ((settings.tags if settings else None) or {}).get(SPEC),
        "schedule": schedule.quartz_cron_expression if schedule else None,
        "arrival": arrival.url if arrival else None,
        "paused": bool(starts and starts.pause_status and starts.pause_status.value == "PAUSED"),
        "runs": [described(run) for run in runs],
    }


def _latest(client: WorkspaceClient, job_id: int) -> list[Any]:
    runs = []
    for run in client.jobs.list_runs(job_id=job_id, limit=_SHOWN):
        runs.append(run)
        if len(runs) == _SHOWN:
            break
    return runs
