"""How long the exploratory analysis takes, cold, and how much memory.

    python benchmarks/report.py --customers 1000000                 # about 20 million touches
    python benchmarks/report.py --lakehouse l1m --customers 1000000 # a lakehouse that is there already

Runs `medallion eda` as a process of its own on the sample and on a simulated world: seconds from start to end, seconds
of processor, peak resident memory. `load` is the machine's load average before it: from 2 on two cores on, seconds say
more about the neighbours than about the report.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "report.json"
MEDALLION = str(Path(sys.executable).parent / "medallion")


def run(*command: str) -> None:
    subprocess.run([MEDALLION, *command], check=True, stdout=subprocess.DEVNULL)


def measure(lake: str, out: str, rounds: int) -> dict[str, Any]:
    """The best of some rounds, each a process."""
    found = []
    for _ in range(rounds):
        load, begun, before = os.getloadavg()[0], time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        shown = subprocess.run(
            [MEDALLION, "eda", "--lakehouse", lake, "--out", out], check=True, capture_output=True, text=True
        ).stdout
        seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(
            {
                "seconds": round(seconds, 1),
                "processor_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
                "peak_mib": round(after.ru_maxrss / 1024),
                "load": round(load, 1),
                "steps": {line[11:].strip(): float(line[:7]) for line in shown.splitlines() if " s  report" in line},
            }
        )
    return min(found, key=lambda row: row["seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lakehouse", help="a world's lakehouse that is there already")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        run("run", "--source", str(HERE.parent / "data"), "--lakehouse", f"{work}/sample")
        measured = {"sample": measure(f"{work}/sample", f"{work}/out", given.rounds)}
        lake = given.lakehouse or f"{work}/lake"
        if not given.lakehouse:
            world = f"{work}/world"
            run(
                "simulate",
                "--customers",
                str(given.customers),
                "--days",
                str(given.days),
                "--seed",
                "1",
                "--out",
                world,
            )
            run("run", "--source", world, "--lakehouse", lake)
        measured[f"{given.customers} customers"] = measure(lake, f"{work}/out", given.rounds)
    RESULT.write_text(json.dumps({"cores": os.cpu_count(), **measured}, indent=2) + "\n")
    print(RESULT.read_text())


if __name__ == "__main__":
    main()
