"""A second delivery of one per cent against the full run: whole processes, a fresh copy of the lakehouse each time.

    python benchmarks/incremental.py --interactions 5m --runs 3

The delivery: new touches (1% of those there are), corrections and wins of 1% of the deals, 0.1% of the accounts
changed, all after the newest event. Prints medians and the ratio; keeps all in benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import duckdb
from generate import count, generate
from pipeline import measured

HERE = Path(__file__).resolve().parent


def delivery(exports: Path, out: Path) -> None:
    """Write the second delivery's files from the first one's."""
    out.mkdir(parents=True, exist_ok=True)

    def read(name: str) -> str:
        return f"read_csv('{exports / name}.csv', all_varchar = true)"

    day = "'2025-06-30 ' || lpad((hash({key}) % 24)::varchar, 2, '0') || ':15:00'"
    touches = (
        f"select interaction_id || 'N' as interaction_id, * exclude (interaction_id, occurred_at), "
        f"{day.format(key='interaction_id')} as occurred_at from {read('interactions')} "
        "where hash(interaction_id) % 100 = 7"
    )
    header = duckdb.sql(f"select * from {read('interactions')} limit 0").columns
    deals = f"select * replace ('2025-06-30 12:00:00' as updated_at) from {read('leads')} where hash(lead_id) % 100 = 7"
    accounts = (
        f"select * replace ('2025-06-30 12:00:00' as updated_at, '99' as employee_count) from {read('customers')} "
        "where hash(customer_id) % 1000 = 7"
    )
    for name, sql in (
        ("interactions", f"select {', '.join(header)} from ({touches})"),
        ("leads", deals),
        ("customers", accounts),
    ):
        duckdb.sql(f"copy ({sql}) to '{out / name}_2025-07-01.csv' (header)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", default="1m")
    parser.add_argument("--runs", default=3, type=int)
    parser.add_argument("--work", default=Path("/tmp/medallion-bench"), type=Path)  # noqa: S108
    arguments = parser.parse_args()
    size = arguments.interactions.lower()
    exports, batch = arguments.work / f"exports-{size}", arguments.work / f"delivery-{size}"
    base, lakehouse = arguments.work / f"base-{size}", arguments.work / f"lakehouse-{size}"
    if not (exports / "interactions.csv").exists():
        generate(count(size), exports)
    delivery(exports, batch)
    log = arguments.work / "incremental.log"

    def run(source: Path, into: Path) -> dict:
        command = [
            sys.executable,
            "-m",
            "medallion",
            "run",
            "--json",
            "--source",
            str(source),
            "--lakehouse",
            str(into),
        ]
        taken = measured(command, log)
        text = log.read_text()
        return {**taken, "steps": json.loads(text[text.index("\n{") :])["steps"]}

    full, added = [], []
    for number in range(arguments.runs + 1):  # the first pair warms up
        shutil.rmtree(base, ignore_errors=True)
        first = run(exports, base)
        shutil.rmtree(lakehouse, ignore_errors=True)
        shutil.copytree(base, lakehouse)
        second = run(batch, lakehouse)
        if number:
            full.append(first)
            added.append(second)
            print(
                f"pair {number}: full {first['wall']:.1f} s, batch {second['wall']:.1f} s, {second['wall'] / first['wall']:.1%}"
            )
    ratios = [one["wall"] / whole["wall"] for one, whole in zip(added, full, strict=True)]
    result = {
        "interactions": count(size),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("pysail", "pyspark-client", "duckdb", "deltalake", "pyarrow")},
        "full": full,
        "batch": added,
        "ratio_median": round(statistics.median(ratios), 4),
    }
    target = HERE / "results" / f"incremental-{size}.json"
    target.write_text(json.dumps(result, indent=1) + "\n")
    for name, runs in (("full run", full), ("1% batch", added)):
        print(f"{name}: median {statistics.median(run['wall'] for run in runs):.1f} s wall")
        for step in runs[0]["steps"]:
            print(f"    {statistics.median(run['steps'][step] for run in runs):8.2f} s  {step}")
    print(f"ratio, median: {statistics.median(ratios):.1%}; kept in {target}")


if __name__ == "__main__":
    main()
