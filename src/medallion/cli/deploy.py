"""Commands that bring exports and the job to Azure and Databricks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def upload(
    folder: Annotated[Path, typer.Argument(help="Folder of exports.")],
    to: Annotated[
        str, typer.Option("--to", help="`adls`, a container of Azure storage, or `volume`, of Unity Catalog.")
    ],
    at: Annotated[
        str,
        typer.Option(
            "--at", help="abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/FOLDER, or /Volumes/CATALOG/SCHEMA/VOLUME."
        ),
    ],
    replace: Annotated[bool, typer.Option("--replace", help="Write over files with other content.")] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Files, and pieces of files, sent at once.")] = 4,
    profile: Annotated[str | None, typer.Option(help="Section of ~/.databrickscfg, for a volume.")] = None,
    as_json: Json = False,
) -> None:
    """Send exports to the landing place: what is there is skipped, what was interrupted goes on."""
    from rich import progress

    from medallion.cli import console as show
    from medallion.deploy import upload as sending

    if to not in ("adls", "volume"):
        raise typer.BadParameter(f"{to!r} is not adls or volume", param_hint="--to")
    items = sending.listed(folder)
    target: sending.Target
    if to == "adls":
        from medallion.deploy.adls import Adls

        target = Adls(at, workers)
    else:
        from medallion.deploy import workspace
        from medallion.deploy.volume import Volume

        target = Volume(workspace.client(profile), at)
    screen = show.screen(stderr=True)
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(binary_units=True),
        progress.TransferSpeedColumn(),
    )
    with progress.Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("Sending", total=sum(item.size for item in items))
        done = sending.upload(items, target, lambda size: bar.advance(task, size), replace=replace, workers=workers)
    _tell_sent(done, at, as_json)
    if any(item.outcome == "refused" for item in done):
        raise typer.Exit(1)


def _tell_sent(done: list[Any], at: str, as_json: bool) -> None:
    from medallion.cli import console as show

    counts = {outcome: sum(item.outcome == outcome for item in done) for outcome in ("sent", "there", "refused")}
    if as_json:
        typer.echo(json.dumps({"at": at, **counts, "files": [asdict(item) for item in done]}, indent=2))
        return
    screen = show.screen()
    show.line(screen, f"{counts['sent']} sent, {counts['there']} there already, {counts['refused']} refused: {at}")
    resumed = sum(item.resumed_bytes for item in done)
    if resumed:
        show.line(screen, f"{resumed:,} bytes had been sent before and were not sent again.")
    for item in done:
        if item.outcome == "refused":
            show.line(screen, f"{item.name}: {item.problem}")


def gate(
    max_refused: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the newest delivery's rows that may be refused.")
    ] = 0.10,
    lakehouse: Annotated[str | None, typer.Option(help="Folder of the tables [default: lakehouse].")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file [default: config/config.yaml].")] = None,
    as_json: Json = False,
) -> None:
    """Check the newest delivery and gold; end with 1 when they must not be published."""
    from medallion.care import gate as gates
    from medallion.cli import console as show
    from medallion.config import load
    from medallion.lakehouse.store import Lakehouse

    found = gates.checks(Lakehouse(load(config, lakehouse=lakehouse).lakehouse), max_refused)
    if as_json:
        typer.echo(json.dumps(gates.as_dict(found), indent=2))
    else:
        rows = [
            {"check": c.name, "passed": "yes" if c.passed else "NO", "found": c.value, "allowed": c.limit}
            for c in found
        ]
        show.records(show.screen(), "Quality gate", rows)
    if not all(check.passed for check in found):
        raise typer.Exit(1)


databricks = typer.Typer(help="The job and what it needs in a Databricks workspace.", no_args_is_help=True)

Target = Annotated[str, typer.Option("--target", "-t", help="Target of the bundle: dev, staging or prod.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Settings of the targets [default: config/databricks_config.json].")
]
Wheel = Annotated[Path | None, typer.Option("--wheel", help="Wheel to deploy [default: built from this checkout].")]


@contextmanager
def _deployment(target: str, config: Path | None, wheel: Path | None, *, build: bool = True) -> Iterator[Any]:
    """A signed-in client and the deployment of a target; without `build`, code is of no importance."""
    import tempfile

    from medallion.deploy import bundle, settings, workspace
    from medallion.deploy.databricks import Deployment, build_wheel
    from medallion.errors import ContractError

    told = settings.load(config)
    if target not in told.targets:
        raise ContractError(f"There is no target {target!r}", f"Targets: {', '.join(told.targets)}.")
    chosen = told.targets[target]
    bundle.load(Path(told.bundle), target, chosen, "you")  # what is wrong here needs no workspace to be told
    if wheel is not None and not (wheel.is_file() and wheel.suffix == ".whl"):
        raise ContractError(f"{wheel}: is no wheel", "Build one with `uv build --wheel`.")
    client = workspace.client(chosen.profile or None, chosen.host or None)
    with workspace.told("sign in"):
        user = client.current_user.me().user_name or ""
    found = bundle.load(Path(told.bundle), target, chosen, user)
    with tempfile.TemporaryDirectory(prefix="medallion-") as folder:
        if wheel is None and build:
            wheel = build_wheel(Path(told.bundle).absolute().parent, Path(folder))
        if wheel is None:
            wheel = Path(folder, "none.whl")
            wheel.write_bytes(b"")
        yield client, Deployment(client, found, wheel)


@databricks.command(
    epilog="**Examples**\n\n`medallion databricks plan -t dev`\n\n"
    "`medallion databricks plan -t prod --check` · exit status 1 when something would change"
)
def plan(
    target: Target,
    check: Annotated[bool, typer.Option("--check", help="End with 1 when something would change.")] = False,
    config: ConfigFile = None,
    wheel: Wheel = None,
    as_json: Json = False,
) -> None:
    """Tell what a deployment would change; change nothing."""
    with _deployment(target, config, wheel) as (_, deployment):
        changes = deployment.plan()
    _tell_changes(target, changes, "would change", as_json)
    if check and changes:
        raise typer.Exit(1)


@databricks.command(
    epilog="**Examples**\n\n`medallion databricks deploy -t dev`\n\n"
    "`medallion databricks deploy -t prod --check` · sign in, check and plan only"
)
def deploy(
    target: Target,
    check: Annotated[bool, typer.Option("--check", help="Check and plan only, as `plan --check` does.")] = False,
    config: ConfigFile = None,
    wheel: Wheel = None,
    as_json: Json = False,
) -> None:
    """Bring schemas, volumes, wheel, notebooks and the job up to date; nothing that holds data is deleted."""
    from medallion.cli import console as show

    with _deployment(target, config, wheel) as (_, deployment):
        changes = deployment.plan()
        if not check:
            screen = show.screen(stderr=True)
            deployment.apply(
                changes, lambda change: show.line(screen, f"{change.action:<7}{change.kind:<9}{change.name}")
            )
    _tell_changes(target, changes, "would change" if check else "changed", as_json)
    if check and changes:
        raise typer.Exit(1)


@databricks.command(
    epilog="**Examples**\n\n`medallion databricks run -t dev`\n\n"
    "`medallion databricks run -t dev --param as_of=2025-06-30 --no-wait`"
)
def run(
    target: Target,
    param: Annotated[list[str] | None, typer.Option("--param", help="NAME=VALUE of a job parameter.")] = None,
    once: Annotated[str | None, typer.Option(help="A key of your own: the same key starts no second run.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end; 1 when it failed.")] = True,
    interval: Annotated[float, typer.Option(min=0.01, help="Seconds between looks.")] = 15,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Start the deployed job, wait for its end, and end with 1 when it failed."""
    from medallion.cli import console as show
    from medallion.deploy import runs

    parameters = {}
    for item in param or ():
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{item!r} is not NAME=VALUE", param_hint="--param")
        parameters[name] = value
    screen = show.screen(stderr=True)
    with _deployment(target, config, None, build=False) as (client, deployment):
        run_id = runs.start(client, deployment, parameters, once)
        show.line(screen, f"Run {run_id} started.")
        found: dict[str, Any] = {"run_id": run_id, "result": None}
        if wait:
            found = runs.wait(client, run_id, lambda task, state: show.line(screen, f"{state:<12}{task}"), interval)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        show.line(show.screen(), f"Run {run_id}: {found['result'] or 'goes on'} {found.get('url') or ''}".rstrip())
    if wait and found["result"] != runs.SUCCESS:
        raise typer.Exit(1)


@databricks.command(
    epilog="**Examples**\n\n`medallion databricks status -t prod`\n\n"
    "`medallion databricks status -t prod --check` · exit status 1 when it is not deployed or its last run failed"
)
def status(
    target: Target,
    check: Annotated[bool, typer.Option("--check", help="End with 1 when it is not deployed or failed.")] = False,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Tell the deployed job, its schedule and its last runs."""
    from medallion.cli import console as show
    from medallion.deploy import runs

    with _deployment(target, config, None, build=False) as (client, deployment):
        found = runs.status(client, deployment)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif found["job_id"] is None:
        show.line(show.screen(), f"{target}: is not deployed. Next: medallion databricks deploy -t {target}")
    else:
        screen = show.screen()
        show.line(screen, f"Job {found['job_id']}: {found['url']}")
        show.line(screen, f"Schedule: {found['schedule']} UTC{', paused' * found['paused']}")
        rows = [
            {"run": str(row["run_id"]), **{k: row[k] for k in ("state", "result", "message")}} for row in found["runs"]
        ]
        show.records(screen, "Last runs", rows)
    ended = [row["result"] for row in found["runs"] if row["result"]]
    if check and (found["job_id"] is None or (ended and ended[0] != runs.SUCCESS)):
        raise typer.Exit(1)


@databricks.command(epilog="**Examples**\n\n`medallion databricks destroy -t dev --yes`")
def destroy(
    target: Target,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Delete the job and its notebooks. Schemas, tables, volumes and their files stay."""
    from medallion.cli import console as show
    from medallion.deploy import databricks as deploying

    if not yes:
        typer.confirm(f"Delete the job and the notebooks of {target}? The data stays", abort=True, err=True)
    with _deployment(target, config, None, build=False) as (client, deployment):
        gone = deploying.destroy(client, deployment)
        kept = [*deployment.bundle.schemas, *deployment.bundle.volumes]
    if as_json:
        typer.echo(json.dumps({"target": target, "deleted": gone, "kept": kept}, indent=2))
    else:
        show.line(
            show.screen(), f"Deleted: {', '.join(gone) or 'nothing, it was not deployed'}. Kept: {', '.join(kept)}."
        )


def _tell_changes(target: str, changes: list[Any], verb: str, as_json: bool) -> None:
    from medallion.cli import console as show

    if as_json:
        typer.echo(json.dumps({"target": target, "changes": [change.as_dict() for change in changes]}, indent=2))
        return
    screen = show.screen()
    if changes:
        show.records(screen, f"{target}: {len(changes)} {verb}", [change.as_dict() for change in changes])
    else:
        show.line(screen, f"{target}: 0 {verb}; it is as it should be.")
