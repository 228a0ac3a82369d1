"""One customer with a fifth of all touches against touches spread evenly: whole runs in turn.

    python benchmarks/skew.py --interactions 5m --runs 2

The exports are those of generate.py; in the skewed ones every fifth touch is of one customer. A step that handles a customer
as a whole (a join, a window, a group in one task) would take much longer, or much more memory, there. Prints the steps side
by side, checks that no row is lost, and keeps all in benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
from pathlib import Path

import duckdb
from generate import count, generate
from pipeline import measured

HERE = Path(__file__).resolve().parent
HEAVY = "C00000001"


def skewed(exports: Path, out: Path) -> None:
    """The same exports, with every fifth touch of one customer."""
    out.mkdir(parents=True, exist_ok=True)
    for name in ("customers", "leads", "products"):
        shutil.copy(exports / f"{name}.csv", out / f"{name}.csv")
    read = f"read_csv('{exports}/interactions.csv', all_varchar = true)"
    moved = f"case when hash(interaction_id) % 5 = 0 then '{HEAVY}' else customer_id end as customer_id"
    duckdb.sql(f"copy (select * replace ({moved}) from {read}) to '{out}/interactions.csv' (header)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", default="1m")
    parser.add_argument("--runs", default=2, type=int)
    parser.add_argument("--work", default=Path("/tmp/medallion-bench"), type=Path)  # noqa: S108
    arguments = parser.parse_args()
    size = arguments.interactions.lower()
    even, heavy = arguments.work / f"exports-{size}", arguments.work / f"skewed-{size}"
    if not (even / "interactions.csv").exists():
        generate(count(size), even)
    if not (heavy / "interactions.csv").exists():
        skewed(even, heavy)
    log, lakehouse = arguments.work / "skew.log", arguments.work / f"skew-lake-{size}"
    found: dict[str, list[dict]] = {"even": [], "skewed": []}
    for _ in range(arguments.runs):
        for name, exports in (("even", even), ("skewed", heavy)):
            shutil.rmtree(lakehouse, ignore_errors=True)
            command = [sys.executable, "-m", "medallion", "run", "--json", "--source", str(exports)]
            taken = measured([*command, "--lakehouse", str(lakehouse)], log)
            text = log.read_text()
            told = json.loads(text[text.index("\n{") :])
            for account in told["row_accounts"]:
                ends = sum(account[end] for end in ("accepted", "duplicate", "superseded", "quarantined"))
                if ends != account["rows_read"]:
                    raise SystemExit(f"rows were lost: {account}")
            found[name].append({**taken, "steps": told["steps"]})
            print(f"{name}: {taken['wall']:.1f} s, {taken['peak_mib']:,.0f} MiB", flush=True)
    shutil.rmtree(lakehouse, ignore_errors=True)
    for step in found["even"][0]["steps"]:
        one, other = (statistics.median(run["steps"][step] for run in found[name]) for name in ("even", "skewed"))
        print(f"{one:8.2f} {other:8.2f}  {step}")
    target = HERE / "results" / f"skew-{size}.json"
    kept = {"interactions": count(size), "machine": {"cores": os.cpu_count()}, **found}
    target.write_text(json.dumps(kept, indent=1) + "\n")
    print(f"kept in {target}")


if __name__ == "__main__":
    main()
