"""The commands `medallion databricks plan`, `deploy`, `run`, `status` and `destroy`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from medallion import temporary
from medallion.cli import console
from medallion.cli.command import Call, Yes, command, group
from medallion.deploy import bundle, runs, settings, workspace
from medallion.deploy import databricks as deploying
from medallion.deploy.databricks import Deployment, build_wheel
from medallion.errors import ContractError

app = group("databricks", "The job and what it needs in a Databricks workspace.")

Target = Annotated[str, typer.Option("--target", "-t", help="Target of the bundle: dev, staging or prod.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Settings of the targets [default: config/databricks_config.json].")
]
Wheel = Annotated[Path | None, typer.Option("--wheel", help="Wheel to deploy [default: built from this checkout].")]


@contextmanager
def _deployment(target: str, config: Path | None, wheel: Path | None, *, build: bool = True) -> Iterator[Any]:
    """A signed-in client and the deployment of a target; without `build`, the code does not matter."""
    deploy_settings = settings.load(config)
    if target not in deploy_settings.targets:
        raise ContractError(f"There is no target {target!r}", f"Targets: {', '.join(deploy_settings.targets)}.")
    chosen = deploy_settings.targets[target]
    bundle.load(Path(deploy_settings.bundle), target, chosen, None)  # an error here is reported without a workspace
    if wheel is not None and not (wheel.is_file() and wheel.suffix == ".whl"):
        raise ContractError(f"{wheel}: is no wheel", "Build one with `uv build --wheel`.")
    client = workspace.client(chosen.profile or None, chosen.host or None)
    with workspace.told("sign in"):
        user = client.current_user.me()
    user_bundle = bundle.load(
        Path(deploy_settings.bundle), target, chosen, user.user_name or "", user.display_name or ""
    )
    with temporary.folder() as folder:
        if wheel is None and build:
            wheel = build_wheel(Path(deploy_settings.bundle).absolute().parent, Path(folder))
        if wheel is None:
            wheel = Path(folder, "none.whl")
            wheel.write_bytes(b"")
        yield client, Deployment(client, user_bundle, wheel)


@command(
    app,
    examples=(
        "`medallion databricks plan -t dev`",
        "`medallion databricks plan -t prod --check` · exit status 1 when something would change",
    ),
    lakehouse=False,
)
def plan(
    call: Call,
    target: Target,
    check: Annotated[bool, typer.Option("--check", help="End with 1 when something would change.")] = False,
    config: ConfigFile = None,
    wheel: Wheel = None,
) -> None:
    """Tell what a deployment would change; change nothing."""
    with _deployment(target, config, wheel) as (_, deployment):
        changes = deployment.plan()
    _answer_changes(call, target, changes, "would change")
    if check and changes:
        raise typer.Exit(1)


@command(
    app,
    examples=(
        "`medallion databricks deploy -t dev`",
        "`medallion databricks deploy -t prod --check` · sign in, check and plan only",
    ),
    lakehouse=False,
)
def deploy(
    call: Call,
    target: Target,
    check: Annotated[bool, typer.Option("--check", help="Check and plan only, as `plan --check` does.")] = False,
    config: ConfigFile = None,
    wheel: Wheel = None,
) -> None:
    """Bring schemas, volumes, wheel, notebooks and the job up to date; nothing that holds data is deleted."""
    with _deployment(target, config, wheel) as (_, deployment):
        changes = deployment.plan()
        if not check:
            screen = console.screen(stderr=True)
            deployment.apply(
                changes, lambda change: console.line(screen, f"{change.action:<7}{change.kind:<9}{change.name}")
            )
    _answer_changes(call, target, changes, "would change" if check else "changed")
    if check and changes:
        raise typer.Exit(1)


@command(
    app,
    examples=(
        "`medallion databricks run -t dev`",
        "`medallion databricks run -t dev --param as_of=2025-06-30 --no-wait`",
    ),
    lakehouse=False,
)
def run(
    call: Call,
    target: Target,
    param: Annotated[list[str] | None, typer.Option("--param", help="NAME=VALUE of a job parameter.")] = None,
    once: Annotated[str | None, typer.Option(help="A key of your own: the same key starts no second run.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end; 1 when it failed.")] = True,
    interval: Annotated[float, typer.Option(min=0.01, help="Seconds between looks.")] = 15,
    config: ConfigFile = None,
) -> None:
    """Start the deployed job, wait for its end, and end with 1 when it failed."""
    parameters = {}
    for item in param or ():
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{item!r} is not NAME=VALUE", param_hint="--param")
        parameters[name] = value
    screen = console.screen(stderr=True)
    with _deployment(target, config, None, build=False) as (client, deployment):
        run_id = runs.start(client, deployment, parameters, once)
        console.line(screen, f"Run {run_id} started.")
        outcome: dict[str, Any] = {"run_id": run_id, "result": None}
        if wait:
            outcome = runs.wait(
                client, run_id, lambda task, state: console.line(screen, f"{state:<12}{task}"), interval
            )
    ended = f"Run {run_id}: {outcome['result'] or 'goes on'} {outcome.get('url') or ''}".rstrip()
    call.answer(outcome, lambda: call.say(ended))
    if wait and outcome["result"] != runs.SUCCESS:
        raise typer.Exit(1)


@command(
    app,
    examples=(
        "`medallion databricks status -t prod`",
        "`medallion databricks status -t prod --check` · exit status 1 when it is not deployed or its last run failed",
    ),
    lakehouse=False,
)
def status(
    call: Call,
    target: Target,
    check: Annotated[bool, typer.Option("--check", help="End with 1 when it is not deployed or failed.")] = False,
    config: ConfigFile = None,
) -> None:
    """Tell the deployed job, its schedule and its last runs."""
    with _deployment(target, config, None, build=False) as (client, deployment):
        job = runs.status(client, deployment)

    def tell() -> None:
        if job["job_id"] is None:
            call.say(f"{target}: is not deployed. Next: medallion databricks deploy -t {target}")
            return
        starts = f"Starts when files arrive in {job['arrival']}" if job["arrival"] else "Starts by hand"
        starts = f"Schedule: {job['schedule']} UTC" if job["schedule"] else starts
        call.say(f"Job {job['job_id']}: {job['url']}", f"{starts}{', paused' * job['paused']}")
        shown = ("state", "result", "message")
        rows = [{"run": str(row["run_id"]), **{name: row[name] for name in shown}} for row in job["runs"]]
        call.records("Last runs", rows)

    call.answer(job, tell)
    ended = [row["result"] for row in job["runs"] if row["result"]]
    if check and (job["job_id"] is None or (ended and ended[0] != runs.SUCCESS)):
        raise typer.Exit(1)


@command(
    app,
    examples=("`medallion databricks destroy -t dev --yes`",),
    lakehouse=False,
)
def destroy(
    call: Call,
    target: Target,
    yes: Yes = False,
    config: ConfigFile = None,
) -> None:
    """Delete the job and its notebooks. Schemas, tables, volumes and their files stay."""
    if not yes:
        typer.confirm(f"Delete the job and the notebooks of {target}? The data stays", abort=True, err=True)
    with _deployment(target, config, None, build=False) as (client, deployment):
        gone = deploying.destroy(client, deployment)
        kept = [*deployment.bundle.schemas, *deployment.bundle.volumes]
    summary = f"Deleted: {', '.join(gone) or 'nothing, it was not deployed'}. Kept: {', '.join(kept)}."
    call.answer({"target": target, "deleted": gone, "kept": kept}, lambda: call.say(summary))


def _answer_changes(call: Call, target: str, changes: list[Any], verb: str) -> None:
    rows = [change.as_dict() for change in changes]

    def tell() -> None:
        if rows:
            call.records(f"{target}: {len(rows)} {verb}", rows)
        else:
            call.say(f"{target}: 0 {verb}; it is as it should be.")

    call.answer({"target": target, "changes": rows}, tell)
