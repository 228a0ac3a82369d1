"""The pipeline against the same job written by hand in DuckDB, whole processes in turn.

    python benchmarks/pipeline.py --interactions 5m --runs 3

Makes the exports once, runs both, compares their results (nothing is timed before they agree), then measures wall
time, CPU time and peak memory of each run. Prints medians and the ratio of each pair; keeps all in
benchmarks/results/.
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
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import duckdb
from generate import count, generate

HERE = Path(__file__).resolve().parent


def measured(command: list[str], log: Path) -> dict[str, float]:
    """Wall seconds, CPU seconds and peak MiB of one process."""
    started = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text()[-2000:]}")
    return {
        "wall": time.perf_counter() - started,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss / 1024,
    }


def compare(lakehouse: Path, hand: Path) -> list[str]:
    """What differs between our tables and the hand-written ones; empty when nothing does."""
    from medallion import query
    from medallion.store import Lakehouse

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


def spread(runs: list[dict], key: str) -> str:
    values = [run[key] for run in runs]
    return f"{min(values):9.1f} {statistics.median(values):9.1f} {max(values):9.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", default="1m")
    parser.add_argument("--runs", default=3, type=int)
    parser.add_argument("--work", default=Path("/tmp/medallion-bench"), type=Path)  # noqa: S108
    arguments = parser.parse_args()
    size = arguments.interactions.lower()
    exports, lakehouse, hand = (arguments.work / f"{name}-{size}" for name in ("exports", "lakehouse", "duckdb"))
    if not (exports / "interactions.csv").exists():
        generate(count(size), exports)
    log = arguments.work / "last.log"
    ours: list[dict] = []
    theirs: list[dict] = []
    for number in range(arguments.runs + 1):  # the first pair warms up and is compared
        shutil.rmtree(lakehouse, ignore_errors=True)
        shutil.rmtree(hand, ignore_errors=True)
        our_command = [
            sys.executable,
            "-m",
            "medallion",
            "run",
            "--source",
            str(exports),
            "--lakehouse",
            str(lakehouse),
            "--json",
        ]
        mine = measured(our_command, log)
        text = log.read_text()
        mine["steps"] = json.loads(text[text.index("\n{") :])["steps"]
        other = measured([sys.executable, str(HERE / "duckdb_pipeline.py"), str(exports), str(hand)], log)
        if number == 0:
            if different := compare(lakehouse, hand):
                raise SystemExit("The results differ, so no time counts:\n" + "\n".join(different))
            print("results agree")
            continue
        ours.append(mine)
        theirs.append(other)
        print(
            f"pair {number}: ours {mine['wall']:.1f} s, DuckDB by hand {other['wall']:.1f} s, ratio {mine['wall'] / other['wall']:.2f}"
        )
    ratios = [mine["wall"] / other["wall"] for mine, other in zip(ours, theirs, strict=True)]
    print(f"\n{size} interactions, {os.cpu_count()} cores          min    median       max")
    for name, runs in (("medallion on Sail", ours), ("DuckDB by hand", theirs)):
        for key, unit in (("wall", "s wall"), ("cpu", "s CPU"), ("peak_mib", "MiB peak")):
            print(f"{name:<18} {unit:<9} {spread(runs, key)}")
    print(f"ratio of wall time, median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    result = {
        "interactions": count(size),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("pysail", "pyspark-client", "duckdb", "deltalake", "pyarrow")},
        "medallion": ours,
        "duckdb_by_hand": theirs,
        "ratio_median": round(statistics.median(ratios), 3),
    }
    target = HERE / "results" / f"pipeline-{size}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n")
    print(f"kept in {target}")


if __name__ == "__main__":
    main()
