"""Seconds, memory and size of a .pbix of so many rows: a fifth of them deals, a twentieth customers, the rest touches.

python benchmarks/powerbi.py --rows 1000000
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import time
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from medallion.powerbi import pbix, rows
from medallion.powerbi.m import Folder
from medallion.powerbi.model import Column, Table, model

FIRST, DAYS = date(2023, 1, 1), 900
CHANNELS = ("call", "email", "meeting", "whatsapp", "other")


def cell(column: Column, row: int, pick: random.Random, customers: int) -> Any:
    if column.source == "customer_id":
        return f"C{row % customers}"
    if column.name in ("Customer", "Deal", "lead_id"):
        return f"{column.name} {row}"
    if column.type == "String":
        return pick.choice(CHANNELS)
    if column.type == "DateTime":
        return datetime(FIRST.year, FIRST.month, FIRST.day) + timedelta(days=pick.randrange(DAYS))  # noqa: DTZ001
    if column.type == "Decimal":
        return Decimal(pick.randrange(10**7)) / 100
    return {"Int64": pick.randrange(100), "Double": round(pick.random(), 4), "Boolean": True}[column.type]


def made(table: Table, count: int, customers: int, pick: random.Random) -> list[tuple[Any, ...]]:
    if table.kind == "dates":
        return list(rows.calendar((FIRST, FIRST + timedelta(days=DAYS))))
    if table.kind in ("metrics", "parameter", "items"):
        return rows.fixed(table)
    if table.name == "Channels" or table.kind == "values":
        return [tuple(one if c.key else cell(c, 0, pick, customers) for c in table.columns) for one in CHANNELS]
    size = {"Customers": customers, "Deals": count // 5, "Deal changes": 2 * count // 5, "Daily": DAYS, "Stages": 100}
    many = size.get(table.name, count - customers - 3 * count // 5 - DAYS)
    return [tuple(cell(column, row, pick, customers) for column in table.columns) for row in range(many)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=1_000_000, type=int)
    count = parser.parse_args().rows
    pick, whole = random.Random(1), model()  # noqa: S311
    found = rows.Rows({table.name: made(table, count, max(1, count // 20), pick) for table in whole.tables})
    begun, worked = time.perf_counter(), time.process_time()
    content = pbix.pbix(whole, found, Folder())
    told = {
        "rows": found.count,
        "seconds": round(time.perf_counter() - begun, 1),
        "cpu_seconds": round(time.process_time() - worked, 1),
        "file_mb": round(len(content) / 1e6, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
