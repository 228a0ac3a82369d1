"""Seconds and memory of `medallion init` on one wide export, from a cold process.

python benchmarks/init.py --columns 200 --rows 1000000 --runs 3
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
STAGES = ("Closed Won", "Closed Lost", "Negotiation", "Proposal")
#: Records that are different in all but their identifier; further ones repeat them.
BLOCK = 10_000


def own_field(place: int, chance: random.Random) -> str:
    """A cell of a column that a company has added: a word, a figure, a day, a flag, a short text."""
    day = f"{2024 + place % 2}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
    word, figure = chance.choice(("alpha", "beta", "gamma", "delta", "")), chance.randint(0, 999_999)
    return (word, str(figure), day, str(figure % 2), f"Note about {figure}")[place % 5]


def write(folder: Path, columns: int, rows: int) -> int:
    """An export of deals with so many columns and rows; its bytes."""
    chance = random.Random(1)  # noqa: S311 - no secret
    known = ["Deal ID", "Company", "Deal Stage", "Amount", "Create Date", "Close Date"]
    own = range(columns - len(known))
    block = []
    for n in range(BLOCK):
        opened, closed = (f"{year}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}" for year in (2024, 2025))
        cells = [f"Firm {n % 5_000}", STAGES[n % 4], str(chance.randint(100, 99_999)), opened, closed]
        block.append(",".join((*cells, *(own_field(place, chance) for place in own))))
    with (folder / "deals.csv").open("w") as out:
        out.write(",".join((*known, *(f"Own field {place}" for place in own))) + "\n")
        for start in range(0, rows, BLOCK):
            out.writelines(f"D{start + n},{text}\n" for n, text in enumerate(block[: rows - start]))
    return (folder / "deals.csv").stat().st_size


def measured(folder: Path) -> dict[str, float]:
    """Wall and CPU seconds and the peak memory of one run."""
    command = [sys.executable, "-m", "medallion", "init", str(folder), "--out", str(folder / "deals.yaml"), "--force"]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"medallion init ended with {os.waitstatus_to_exitcode(status)}")
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mib": usage.ru_maxrss // 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", default=200, type=int)
    parser.add_argument("--rows", default=1_000_000, type=int)
    parser.add_argument("--runs", default=3, type=int)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        size = write(folder, chosen.columns, chosen.rows)
        runs = [measured(folder) for _ in range(chosen.runs)]
        said = re.search("Proposed from (.*) in", (folder / "deals.yaml").read_text())
    medians = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    found = {"columns": chosen.columns, "rows": chosen.rows, "mb": size // 1_000_000, **medians, "runs": chosen.runs}
    found["looked_at"] = said[1] if said else "all rows"
    print(json.dumps(found))
    (HERE / "results" / "init.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
