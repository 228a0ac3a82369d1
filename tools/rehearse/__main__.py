"""Rehearse the bundle's job on Apache Spark behind a proxy that stands for serverless compute: `python -m tools.rehearse`.

Each task of the job runs in order, in an environment made of the job's own dependencies, on a Spark Connect server with Delta
Lake and a catalog: on the sample, then with its updates, then with nothing new. It fails where a task fails, where something was
asked for that serverless compute refuses, and where a budget is exceeded.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from medallion.contracts import yaml
from medallion.deploy import bundle, settings
from medallion.errors import MedallionError
from tools.rehearse import environment
from tools.rehearse.environment import HERE, ROOT
from tools.rehearse.proxy import Counts, Proxy

#: Rounds, each with the folders of the sample that arrive in the landing volume before it.
ROUNDS = {"first day": ("data",), "second day": ("data/updates",), "nothing new": ()}
_FAILED = 9
_MIB = 1 << 20


@dataclass
class Run:
    """One task in one round: what it took, and what is wrong with it."""

    round: str
    task: str
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    executed: int = 0
    analyzed: int = 0
    configured: int = 0
    round_trips: int = 0
    sent: int = 0
    results: int = 0
    largest_result: int = 0
    wrong: list[str] = field(default_factory=list)

    def count(self, counts: Counts) -> None:
        """Take what the proxy has counted."""
        self.executed, self.analyzed, self.configured = (
            counts.calls[method] for method in ("ExecutePlan", "AnalyzePlan", "Config")
        )
        self.round_trips, self.sent = counts.round_trips, counts.sent
        self.results, self.largest_result = counts.results.total(), max(counts.results.values(), default=0)
        self.wrong += [f"serverless compute refuses: {text}" for text in dict.fromkeys(counts.refused)]


class Stage:
    """Where tasks run: the job with its places as folders, an environment, and an address of Spark Connect."""

    def __init__(self, folder: Path, python: Path, job: dict[str, Any], volumes: Path, remote: str) -> None:
        self.folder, self.python, self.volumes = folder, python, volumes
        # a volume is a folder of this machine, for the tasks and for the workers of the engine
        self.job = json.loads(json.dumps(job).replace("/Volumes/", f"{volumes}/"))
        # as the tasks of a job have it; serverless compute gives a session by itself
        self.variables = {
            "PATH": os.defpath,
            "HOME": str(folder / "home"),
            "LANG": "C.UTF-8",
            "DATABRICKS_RUNTIME_VERSION": "client.5",
            "SPARK_REMOTE": f"sc://{remote}",
        }
        (folder / "home").mkdir()
        (folder / "job.json").write_text(json.dumps(self.job), encoding="utf-8")

    def run(self, name: str, task: dict[str, Any]) -> Run:
        """Run a task in a process of its own, in an empty folder that has to stay empty."""
        run, key = Run(name, task["task_key"]), task["task_key"]
        place = self.folder / "here" / f"{name.replace(' ', '_')}_{key}"
        place.mkdir(parents=True)
        # -I: nothing but what is installed can be imported
        line = [str(self.python), "-I", str(HERE / "run_task.py"), str(self.folder / "job.json"), key, "{}"]
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        try:
            done = subprocess.run(
                line,
                cwd=place,
                env=self.variables,
                capture_output=True,
                text=True,
                timeout=task["timeout_seconds"],
                check=False,
            )
            status, output = done.returncode, done.stdout + done.stderr
        except subprocess.TimeoutExpired:
            status, output = _FAILED, f"It did not end within {task['timeout_seconds']} seconds."
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        run.seconds = round(time.monotonic() - start, 1)
        run.cpu_seconds = round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1)
        if status:
            run.wrong.append("\n".join(["failed:", *output.strip().splitlines()[-12:]]))
        if left := sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()):
            run.wrong.append(f"wrote {', '.join(left[:5])} into the folder it ran in, which is gone after the task")
        return run


def ordered(job: dict[str, Any]) -> list[dict[str, Any]]:
    """The tasks of a job, each after those that it depends on."""
    tasks = {task["task_key"]: task for task in job["tasks"]}
    graph = {key: [item["task_key"] for item in task.get("depends_on", ())] for key, task in tasks.items()}
    return [tasks[key] for key in TopologicalSorter(graph).static_order()]


@contextmanager
def server(python: Path) -> Iterator[str]:
    """A server of Spark Connect whose workers run in the job's environment; gives HOST:PORT. `SPARK_REMOTE` names another."""
    if remote := os.environ.get("SPARK_REMOTE"):
        yield remote.removeprefix("sc://")
        return
    line = ["bash", str(ROOT / "scripts" / "with_spark.sh"), "bash", "-c", 'echo "$SPARK_REMOTE"; read -r']
    variables = {**os.environ, "SPARK_WORKERS": str(python), "SPARK_SMALL": os.environ.get("SPARK_SMALL", "1")}
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables)
    try:
        address = process.stdout.readline().strip() if process.stdout else ""
        if not address:
            raise MedallionError("Apache Spark did not start", "See what scripts/with_spark.sh says above.")
        yield address.removeprefix("sc://")
    finally:
        process.communicate("\n")


def make_schemas(remote: str, names: dict[str, str]) -> None:
    """Make the schemas of the bundle, as its deployment does."""
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.remote(f"sc://{remote}").create()
    for name in names:
        spark.sql(f"CREATE SCHEMA IF NOT EXISTS {name}").collect()
    spark.stop()


def over_budget(runs: list[Run], budgets: dict[str, Any]) -> list[str]:
    """What exceeds the budgets."""
    wrong = []
    for name, most in budgets["round_trips"].items():
        if (trips := sum(run.round_trips for run in runs if run.round == name)) > most:
            wrong.append(f"{name}: {trips} round trips, budget {most}")
    for run in runs:
        if run.largest_result > budgets["largest_result_mib"] * _MIB:
            wrong.append(
                f"{run.round}, {run.task}: one statement brought {run.largest_result / _MIB:.1f} MiB to the driver, "
                f"budget {budgets['largest_result_mib']} MiB"
            )
    return wrong


_COLUMNS = (
    "round", "task", "seconds", "CPU seconds", "executions", "analyses", "settings", "round trips", "kB sent", "kB of rows",
    "largest kB",
)  # fmt: skip


def table(runs: list[Run]) -> str:
    """What each task took, and the sum of each round, as a table in Markdown."""
    rows = []
    for name in dict.fromkeys(run.round for run in runs):
        of_round = [run for run in runs if run.round == name]
        total = Run(name, "all tasks", largest_result=max(run.largest_result for run in of_round))
        for key in ("seconds", "cpu_seconds", "executed", "analyzed", "configured", "round_trips", "sent", "results"):
            setattr(total, key, sum(getattr(run, key) for run in of_round))
        rows += [*of_round, total]
    cells = [
        (
            run.round, run.task, f"{run.seconds:.1f}", f"{run.cpu_seconds:.1f}", str(run.executed), str(run.analyzed),
            str(run.configured), str(run.round_trips), *(f"{n / 1000:,.0f}" for n in (run.sent, run.results, run.largest_result)),
        )
        for run in rows
    ]  # fmt: skip
    return "\n".join(f"| {' | '.join(row)} |" for row in (_COLUMNS, ["---"] * len(_COLUMNS), *cells))


def rehearse(work: Path, rounds: list[str], *, verbose: bool) -> list[Run]:
    """Run every round; ends with the first task that fails, as the job does."""
    user = f"rehearsal_{uuid.uuid4().hex[:6]}"
    # more of the sample's second day is refused than the gate lets pass, on purpose
    given = settings.TargetSettings(variables={"catalog": "spark_catalog", "max_refused": "0.5"})
    definitions = bundle.load(ROOT / "databricks.yml", "dev", given, f"{user}@example.com")
    job, volumes = dict(definitions.job), work / "Volumes"
    say("Making the environment from the job's dependencies ...")
    python, runs = environment.make(job, work), list[Run]()
    landing = Path(str(definitions.variables["source"]).replace("/Volumes", str(volumes), 1))
    landing.mkdir(parents=True)
    with server(python) as remote:
        make_schemas(remote, dict(definitions.schemas))
        with Proxy(remote, str(volumes), say if verbose else None) as proxy:
            stage = Stage(work, python, job, volumes, proxy.address)
            for name in rounds:
                for folder in ROUNDS[name]:
                    for file in sorted((ROOT / folder).glob("*.csv")):
                        shutil.copy(file, landing)
                for task in ordered(stage.job):
                    run = stage.run(name, task)
                    run.count(proxy.take())
                    runs.append(run)
                    say(f"{name}, {run.task}: {run.seconds:.1f} s, {run.round_trips} round trips")
                    if run.wrong:
                        return runs
    return runs


def say(text: str) -> None:
    """Tell of progress."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Rehearse, print the table and what is wrong, and give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.rehearse", description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--rounds", type=int, choices=range(1, len(ROUNDS) + 1), default=len(ROUNDS), help="only so many"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table as JSON, too")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="work in this folder, which must be empty, and keep it"
    )
    parser.add_argument("--verbose", action="store_true", help="print a line per request")
    given = parser.parse_args()
    if given.keep and given.keep.exists() and any(given.keep.iterdir()):
        parser.error(f"--keep {given.keep}: is not empty")
    with tempfile.TemporaryDirectory(prefix="rehearse-") as temporary:
        work = given.keep or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        try:
            runs = rehearse(work.resolve(), list(ROUNDS)[: given.rounds], verbose=given.verbose)
        except MedallionError as error:
            say(f"Error: {error}")
            return 1
    print(table(runs))
    if given.json:
        given.json.write_text(json.dumps([asdict(run) for run in runs], indent=1) + "\n", encoding="utf-8")
    wrong = [f"{run.round}, {run.task}: {text}" for run in runs for text in run.wrong]
    wrong += over_budget(runs, yaml.load((HERE / "budgets.yaml").read_text(encoding="utf-8")))
    for text in wrong:
        say(f"\n{text}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
