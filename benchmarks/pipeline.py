"""The pipeline against the same job written by hand and against itself on Apache Spark, whole processes in turn.

    python benchmarks/pipeline.py --interactions 5m --runs 3 --against duckdb polars spark

Makes the exports once, runs every contestant, compares their results with ours (nothing is timed before they agree),
then measures wall time, CPU time and peak memory of each process with all its children. Apache Spark is started for each
run by scripts/with_spark.sh; its seconds are those of the pipeline alone, since a server would go on running. Prints
medians and the ratio of each round; keeps all in benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
from generate import count, generate

HERE = Path(__file__).resolve().parent


def measured(command: list[str], log: Path) -> dict[str, float]:
    """Wall seconds, CPU seconds and peak MiB of a process and its children."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installation has its modules compiled
    started = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        tree = Tree(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
    wall, peak = time.perf_counter() - started, tree.stop()
    if os.waitstatus_to_exitcode(status):
        raise RuntimeError(f"{' '.join(command)} failed:\n{log.read_text()[-2000:]}")
    return {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_mib": max(usage.ru_maxrss / 1024, peak),
    }


class Tree(threading.Thread):
    """Watches the memory of a process and all that it started, four times a second."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root, self.peak, self.done = root, 0.0, threading.Event()
        self.start()

    def run(self) -> None:
        while not self.done.wait(0.25):
            self.peak = max(self.peak, self.resident())

    def stop(self) -> float:
        self.done.set()
        return self.peak

    def resident(self) -> float:
        """MiB of the tree now."""
        parents, pages = {}, {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                    pages[int(entry.name)] = int((entry / "statm").read_text().split()[1])
                except (OSError, IndexError):
                    continue  # it has just ended
        mine, total = {self.root}, 0
        for _ in range(6):
            mine |= {pid for pid, parent in parents.items() if parent in mine}
        total = sum(pages.get(pid, 0) for pid in mine)
        return total * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def compare(lakehouse: Path, hand: Path) -> list[str]:
    """What differs between our tables and the hand-written ones; empty when nothing does."""
    from medallion.lakehouse import query
    from medallion.lakehouse.store import Lakehouse

    checks = {
        "row accounts": (
            "select entity, rows_read, duplicate, superseded, quarantined from ops.row_accounts",
            "select entity, rows_read, duplicate, superseded, quarantined from '{}/accounts.parquet'",
        ),
        "current deals": (
            "select count(*), sum(deal_value), count(closed_at) from silver.leads_clean",
            "select count(*), sum(deal_value), count(closed_at) from '{}/silver_leads_clean.parquet'",
        ),
        "current touches": (
            "select channel, outcome, count(*), sum(duration_minutes), left(max(occurred_at)::varchar, 19) from silver.interactions_clean group by all",
            "select channel, outcome, count(*), sum(duration_minutes), left(max(occurred_at)::varchar, 19) from '{}/silver_interactions_clean.parquet' group by all",
        ),
        "customer features": (
            "select customer_id, lead_score, lead_quality, interactions, calls, interactions_90d, preferred_channel, open_leads, won_value from gold.customer_features",
            "select customer_id, lead_score, lead_quality, coalesce(interactions, 0), coalesce(call, 0), coalesce(interactions_90d, 0), preferred_channel, coalesce(open_leads, 0), coalesce(won_value, 0) from '{}/gold_customer_features.parquet'",
        ),
        "daily summary": (
            "select day, new_leads, won_leads, revenue, open_pipeline, interactions from gold.sales_summary",
            "select day, new_leads, won_leads, revenue, open_pipeline, interactions from '{}/gold_sales_summary.parquet'",
        ),
        "channels": (
            "select channel, interactions, customers, attributed_revenue from gold.channel_performance",
            "select channel, coalesce(interactions, 0), coalesce(customers, 0), attributed_revenue from '{}/gold_channel_performance.parquet'",
        ),
        "stages": (
            "select lead_id, left(entered_at::varchar, 19), stage, left_at is null, days_in_stage from gold.stage_history",
            "select lead_id, left(entered_at::varchar, 19), stage, left_at is null, days_in_stage from '{}/gold_stage_history.parquet'",
        ),
        "top customers": (
            "select rank, customer_id, won_value from gold.top_customers",
            "select rank, customer_id, won_value from '{}/gold_top_customers.parquet'",
        ),
    }
    different = []
    with query.connect(Lakehouse(str(lakehouse))) as ours:
        for name, (our_sql, hand_sql) in checks.items():
            mine, theirs = ours.execute(our_sql).fetchall(), duckdb.sql(hand_sql.format(hand)).fetchall()
            plain = [
                sorted(
                    tuple(float(v) if hasattr(v, "as_tuple") or isinstance(v, int | float) else str(v) for v in row)
                    for row in rows
                )
                for rows in (mine, theirs)
            ]
            if len(plain[0]) != len(plain[1]) or any(not same(a, b) for a, b in zip(*plain, strict=True)):
                odd = [(a, b) for a, b in zip(*plain, strict=False) if not same(a, b)][:2]
                different.append(f"{name}: {len(mine)} and {len(theirs)} rows, such as {odd}")
    return different


def same(one: tuple, other: tuple) -> bool:
    return all(
        abs(a - b) < 0.005 if isinstance(a, float) and isinstance(b, float) else a == b
        for a, b in zip(one, other, strict=True)
    )


#: Contestants by name, and how they are called.
NAMES = {
    "medallion": "Medallion on Sail",
    "duckdb": "DuckDB by hand",
    "polars": "Polars by hand",
    "spark": "Medallion on Apache Spark",
}


class Contest:
    """Runs contestants on one set of exports."""

    def __init__(self, work: Path, size: str) -> None:
        self.work, self.size, self.exports, self.log = work, size, work / f"exports-{size}", work / "last.log"

    def out(self, name: str) -> Path:
        return self.work / f"{'lakehouse' if name == 'medallion' else name}-{self.size}"

    def run(self, name: str) -> dict[str, Any]:
        out = self.out(name)
        shutil.rmtree(out, ignore_errors=True)
        ours = [
            sys.executable,
            "-m",
            "medallion",
            "run",
            "--source",
            str(self.exports),
            "--lakehouse",
            str(out),
            "--json",
        ]
        by_hand = [sys.executable, str(HERE / f"{name}_pipeline.py"), str(self.exports), str(out)]
        on_spark = ["bash", str(HERE.parent / "scripts" / "with_spark.sh"), *ours]
        taken = measured({"medallion": ours, "spark": on_spark}.get(name, by_hand), self.log)
        if name in ("medallion", "spark"):
            text = self.log.read_text()
            told = json.loads(text[text.index("\n{") :])
            taken["steps"] = told["steps"]
            if name == "spark":
                taken["with_start"], taken["wall"] = taken["wall"], told["seconds"]
        return taken

    def differs(self, name: str) -> list[str]:
        if name == "spark":
            return compare_lakehouses(self.out("medallion"), self.out("spark"))
        return compare(self.out("medallion"), self.out(name))


def compare_lakehouses(one: Path, other: Path) -> list[str]:
    """Tables of gold that are not the same in two lakehouses."""
    from medallion.lakehouse import query
    from medallion.lakehouse.store import Lakehouse

    different = []
    with query.connect(Lakehouse(str(one))) as left, query.connect(Lakehouse(str(other))) as right:
        for name in ("customer_features", "deals", "sales_summary", "channel_performance", "top_customers"):
            sums = [
                side.execute(f"select count(*), sum(hash(t::varchar)::hugeint) from gold.{name} t").fetchall()
                for side in (left, right)
            ]
            if sums[0] != sums[1]:
                different.append(f"gold.{name}: {sums}")
    return different


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", default="1m")
    parser.add_argument("--runs", default=3, type=int)
    parser.add_argument(
        "--against", nargs="*", default=["duckdb"], choices=[name for name in NAMES if name != "medallion"]
    )
    parser.add_argument("--spark-runs", default=1, type=int, help="rounds in which Apache Spark takes part")
    parser.add_argument("--no-warm-up", action="store_true", help="count the first round too, for runs of many minutes")
    parser.add_argument("--keep", action="store_true", help="keep what the contestants wrote")
    parser.add_argument("--work", default=Path("/tmp/medallion-bench"), type=Path)  # noqa: S108
    arguments = parser.parse_args()
    size = arguments.interactions.lower()
    contest = Contest(arguments.work, size)
    if not (contest.exports / "interactions.csv").exists():
        generate(count(size), contest.exports)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in NAMES if name in ("medallion", *arguments.against)}
    failed: dict[str, str] = {}
    for number in range(arguments.runs + (0 if arguments.no_warm_up else 1)):
        counts = arguments.no_warm_up or number > 0
        for name in found:
            first = number == 0
            if name in failed or (name == "spark" and not first and len(found[name]) >= arguments.spark_runs):
                continue
            if name == "spark" and first and not arguments.no_warm_up:
                continue  # minutes of it tell nothing new
            try:
                taken = contest.run(name)
                if name != "medallion" and (first or not found[name]) and (different := contest.differs(name)):
                    raise SystemExit("The results differ, so no time counts:\n" + "\n".join(different))
            except RuntimeError as error:
                failed[name] = str(error)[-500:]
                print(f"{NAMES[name]} failed: {failed[name]}")
                continue
            if counts:
                found[name].append(taken)
            told = f"{taken['wall']:.1f} s, {taken['peak_mib']:,.0f} MiB"
            print(f"{'round' if counts else 'warm-up'} {number}: {NAMES[name]} {told}", flush=True)
    ratios = {
        name: [one["wall"] / other["wall"] for one, other in zip(found["medallion"], runs, strict=False)]
        for name, runs in found.items()
        if name != "medallion" and runs
    }
    for name, runs in found.items():
        for key, unit in (("wall", "s wall"), ("cpu", "s CPU"), ("peak_mib", "MiB peak")):
            if runs:
                values = [run[key] for run in runs]
                print(
                    f"{NAMES[name]:<26} {unit:<9} {min(values):9.1f} {statistics.median(values):9.1f} {max(values):9.1f}"
                )
        if name in ratios:
            print(
                f"  ours / this, median {statistics.median(ratios[name]):.2f} ({min(ratios[name]):.2f} to {max(ratios[name]):.2f})"
            )
    packages = ("pysail", "pyspark-client", "duckdb", "deltalake", "pyarrow", "polars")
    result = {
        "interactions": count(size),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "versions": {name: version(name) for name in packages if name != "polars" or "polars" in found},
        "runs": found,
        "failed": failed,
        "ratios": {name: round(statistics.median(values), 3) for name, values in ratios.items()},
    }
    target = HERE / "results" / f"pipeline-{size}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n")
    print(f"kept in {target}")
    if not arguments.keep:
        for name in found:
            shutil.rmtree(contest.out(name), ignore_errors=True)


if __name__ == "__main__":
    main()
