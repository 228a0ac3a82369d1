"""A year of daily deliveries into one lakehouse: what the last ones cost beside the first, and how many files there are.

    python benchmarks/year.py --days 365 --rows 300

Every delivery is a process of its own, whose clock stands at its day, so that upkeep removes what a year's would. A
delivery of 300 rows: 200 touches, 20 new deals and 40 changed ones, 10 new accounts and 30 changed ones. Prints the
curve and keeps it in benchmarks/results/.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import random
import shutil
import statistics
import sys
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from pipeline import measured

HERE = Path(__file__).resolve().parent
START = date(2024, 7, 1)


def run(source: str, lakehouse: str, clock: str) -> None:
    """One delivery, whose manifest says that it ended at its clock: what expires goes by that."""
    from medallion import pipeline
    from medallion.config import load
    from medallion.lakehouse import publishing

    now = datetime.fromisoformat(clock)
    publishing.datetime = type("Clock", (datetime,), {"now": classmethod(lambda _, zone: now.replace(tzinfo=zone))})
    pipeline.run(load(None, source=source, lakehouse=lakehouse), now)


def delivery(folder: Path, day: int, rows: int, chance: random.Random) -> None:
    """Write the files of a day; keys of earlier days are those of its changed records."""
    folder.mkdir(parents=True)
    accounts, deals, touches = rows // 30, rows // 15, rows * 2 // 3
    today = f"{START + timedelta(days=day):%Y-%m-%d}"
    known_accounts, known_deals = (day + 1) * accounts, (day + 1) * deals

    def write(name: str, header: str, lines: list[list[object]]) -> None:
        with (folder / f"{name}_{today}.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([header.split(","), *lines])

    def some(new: int, known: int, old: int) -> list[int]:
        return [*range(known - new, known), *sorted(chance.sample(range(known - new), min(old, known - new)))]

    write(
        "customers",
        "customer_id,customer_name,industry,country,employee_count,created_at,updated_at",
        [
            [f"C{n}", f"Account {n}", "Retail", "United States", 10 + day, f"{START}T08:00:00", f"{today}T08:00:00"]
            for n in some(accounts, known_accounts, 3 * accounts)
        ],
    )
    states = ["open"] * 6 + ["won", "lost"]
    lines: list[list[object]] = []
    for n in some(deals, known_deals, 2 * deals):
        state, opened = chance.choice(states), START + timedelta(days=n // deals)
        closed = f"{today}T12:00:00" if state != "open" else ""
        account = f"C{n % known_accounts}"
        lines.append(
            [f"L{n}", account, state, 1000 + n % 900, "USD", f"{opened}T09:00:00", f"{today}T12:00:00", closed]
        )
    write("leads", "lead_id,customer_id,status,deal_value,currency,created_at,updated_at,closed_at", lines)
    write(
        "interactions",
        "interaction_id,customer_id,lead_id,channel,direction,occurred_at,duration_minutes,outcome",
        [
            [
                *(
                    f"T{day}-{n}",
                    f"C{chance.randrange(known_accounts)}",
                    "",
                    chance.choice(["call", "email"]),
                    "outbound",
                ),
                *(f"{today}T{8 + n % 9:02}:00:00", 5, chance.choice(["positive", "neutral", "no_answer"])),
            ]
            for n in range(touches)
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", default=365, type=int)
    parser.add_argument("--rows", default=300, type=int)
    parser.add_argument("--work", default=Path("/tmp/medallion-year"), type=Path)  # noqa: S108
    parser.add_argument("--one", nargs=3, metavar=("SOURCE", "LAKEHOUSE", "CLOCK"), help="one delivery alone")
    arguments = parser.parse_args()
    if arguments.one:
        run(*arguments.one)
        return
    shutil.rmtree(arguments.work, ignore_errors=True)
    lake, log, chance = arguments.work / "lakehouse", arguments.work / "log", random.Random(7)  # noqa: S311
    curve = []
    for day in range(arguments.days):
        folder = arguments.work / "exports" / str(day)
        delivery(folder, day, arguments.rows, chance)
        clock = datetime.combine(START + timedelta(days=day), datetime.min.time()) + timedelta(hours=20)
        taken = measured([sys.executable, __file__, "--one", str(folder), str(lake), clock.isoformat()], log)
        files = [path for path in lake.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        curve.append({"day": day + 1, "cpu": taken["cpu"], "files": len(files), "mib": round(size / 2**20, 1)})
        if day < 10 or day % 10 == 9:
            print(
                f"day {day + 1:>3}: {taken['cpu']:.1f} s CPU, {len(files):,} files, {size / 2**20:,.1f} MiB", flush=True
            )
    # the very first makes the tables, which no later one does
    first, last = ([one["cpu"] for one in part] for part in (curve[1:11], curve[-10:]))
    ratio = statistics.median(last) / statistics.median(first)
    result = {
        "days": arguments.days,
        "rows": arguments.rows,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("pysail", "pyspark-client", "duckdb", "deltalake", "pyarrow")},
        "curve": curve,
        "ratio_of_medians": round(ratio, 3),
    }
    target = HERE / "results" / f"year-{arguments.days}.json"
    target.write_text(json.dumps(result, indent=1) + "\n")
    print(f"last ten beside the first ten, medians of CPU seconds: {ratio:.2f}; kept in {target}")


if __name__ == "__main__":
    main()
