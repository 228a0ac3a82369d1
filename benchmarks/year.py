"""A year of daily deliveries into one lakehouse: what the last ones cost beside the first, and how many files there are.

    python benchmarks/year.py --days 365 --rows 300

The last ten are measured in turn with the first ten, which are loaded once more into a copy of the lakehouse as the very
first left it, so that a busy machine is busy for both. Every tenth day before is measured too, each of these as a process
of its own; the days between share one. The clock stands at the day of a delivery, so that upkeep removes what a year's
would. A delivery of 300 rows: 200 touches, 20 new deals and 40 changed ones, 10 new accounts and 30 changed ones. Prints
the curve and keeps it in benchmarks/results/.
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
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from pipeline import measured

HERE = Path(__file__).resolve().parent
START = date(2024, 7, 1)


def run(exports: Path, lakehouse: Path, days: Iterable[int]) -> None:
    """Deliveries, whose manifests say that they ended at their clock: what expires goes by that."""
    from medallion import pipeline
    from medallion.config import load
    from medallion.lakehouse import publishing

    for day in days:
        now = datetime.combine(START + timedelta(days=day), datetime.min.time()) + timedelta(hours=20)
        told = {"now": classmethod(lambda _, zone, now=now: now.replace(tzinfo=zone))}
        publishing.datetime = type("Clock", (datetime,), told)
        pipeline.run(load(None, source=str(exports / str(day)), lakehouse=str(lakehouse)), now)


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
    parser.add_argument("--only", nargs=2, type=int, metavar=("FROM", "TO"), help="load days, from 0, TO exclusive")
    parser.add_argument("--into", default="lakehouse", help="for --only, which lakehouse in the folder of --work")
    arguments = parser.parse_args()
    if arguments.only:
        run(arguments.work / "exports", arguments.work / arguments.into, range(*arguments.only))
        return
    shutil.rmtree(arguments.work, ignore_errors=True)
    chance, days = random.Random(7), arguments.days  # noqa: S311
    for day in range(days):
        delivery(arguments.work / "exports" / str(day), day, arguments.rows, chance)

    def loaded(start: int, end: int, lakehouse: str = "lakehouse") -> float:
        """CPU seconds of a process that loads these days."""
        line = [
            sys.executable,
            __file__,
            "--only",
            str(start),
            str(end),
            "--work",
            str(arguments.work),
            "--into",
            lakehouse,
        ]
        return round(measured(line, arguments.work / "log")["cpu"], 2)

    lake, curve, first, last = arguments.work / "lakehouse", [], [], []

    def seen(day: int, cpu: float) -> None:
        sizes = [path.stat().st_size for path in lake.rglob("*") if path.is_file()]
        curve.append({"day": day, "cpu": cpu, "files": len(sizes), "mib": round(sum(sizes) / 2**20, 1)})
        print(curve[-1], flush=True)

    seen(1, loaded(0, 1))  # makes the tables, which no later one does
    shutil.copytree(lake, arguments.work / "first")
    done = 1
    for day in range(10, days - 10, 10):
        loaded(done, day - 1)
        seen(day, loaded(day - 1, day))
        done = day
    if done < days - 10:
        loaded(done, days - 10)
    for number in range(10):
        first.append(loaded(number + 1, number + 2, "first"))
        last.append(loaded(days - 10 + number, days - 9 + number))
        print(f"day {number + 2}: {first[-1]} s, day {days - 9 + number}: {last[-1]} s", flush=True)
    seen(days, last[-1])
    ratio = statistics.median(last) / statistics.median(first)
    result = {
        "days": arguments.days,
        "rows": arguments.rows,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("pysail", "pyspark-client", "duckdb", "deltalake", "pyarrow")},
        "curve": curve,
        "first": first,
        "last": last,
        "ratio_of_medians": round(ratio, 3),
    }
    target = HERE / "results" / f"year-{arguments.days}.json"
    target.write_text(json.dumps(result, indent=1) + "\n")
    print(f"last ten beside the first ten, medians of CPU seconds: {ratio:.2f}; kept in {target}")


if __name__ == "__main__":
    main()
