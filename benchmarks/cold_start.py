"""Seconds of the whole command on the sample, from a cold process: a first run and a second one that finds nothing.

python benchmarks/cold_start.py --runs 5
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", default=5, type=int)
    runs = parser.parse_args().runs
    found: dict[str, list[float]] = {"first run": [], "second run, nothing new": []}
    folder = Path(tempfile.mkdtemp())
    command = [
        sys.executable,
        "-m",
        "medallion",
        "run",
        "--source",
        str(HERE.parent / "data"),
        "--lakehouse",
        str(folder / "lake"),
    ]
    try:
        for number in range(runs + 1):
            shutil.rmtree(folder / "lake", ignore_errors=True)
            for seconds in found.values():
                started = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                if number:  # the first pair warms the disk
                    seconds.append(round(time.perf_counter() - started, 2))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, seconds in found.items():
        print(f"{name:<25} min {min(seconds):.2f}  median {statistics.median(seconds):.2f}  max {max(seconds):.2f} s")
    (HERE / "results" / "cold_start.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
