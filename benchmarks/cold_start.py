"""Seconds of the whole command on the sample, from a cold process: a first run, one that finds nothing, and the second day.

python benchmarks/cold_start.py --runs 5
"""

from __future__ import annotations

import argparse
import json
import os
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
    data = HERE.parent / "data"
    sources = {"first run": data, "second run, nothing new": data, "second day, 24 rows on 61": data / "updates"}
    found: dict[str, list[float]] = {name: [] for name in sources}
    folder = Path(tempfile.mkdtemp())
    command = [sys.executable, "-m", "medallion", "run", "--lakehouse", str(folder / "lake"), "--source"]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installation has its modules compiled
    try:
        for number in range(runs + 1):
            shutil.rmtree(folder / "lake", ignore_errors=True)
            for name, source in sources.items():
                started = time.perf_counter()
                subprocess.run([*command, str(source)], check=True, capture_output=True)
                if number:  # the first round warms the disk
                    found[name].append(round(time.perf_counter() - started, 2))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, seconds in found.items():
        print(f"{name:<26} min {min(seconds):.2f}  median {statistics.median(seconds):.2f}  max {max(seconds):.2f} s")
    (HERE / "results" / "cold_start.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
