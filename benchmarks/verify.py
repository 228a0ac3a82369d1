"""Seconds of `medallion verify`, without `--deep`, on many touches that came in 365 daily deliveries.

    python benchmarks/verify.py --interactions 50m --runs 3

The lakehouse is made and not run: the sample, to whose tables of touches files of a million rows are added, each with the
same rows from 365 batches, with their row accounts, and with two manifests a day. Their content is not hashed, since only
`--deep` looks at that. What counts here is how many rows, files, batches and manifests there are. Each run is a process
of its own; medians.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake
from deltalake.transaction import AddAction
from generate import count
from pipeline import measured

from medallion import pipeline
from medallion.config import load
from medallion.lakehouse import locks, manifests, publishing
from medallion.lakehouse.store import Lakehouse

HERE = Path(__file__).resolve().parent
DAYS, ROWS, START = 365, 1_000_000, datetime(2025, 7, 2)  # noqa: DTZ001
IDS = [f"{START + timedelta(days=day):%Y%m%dT080000}-{day:08x}" for day in range(DAYS)]


def make(lake: Lakehouse, files: int) -> None:
    """Write the lakehouse."""
    pipeline.run(load(None, source=str(HERE.parent / "data"), lakehouse=lake.root), START - timedelta(days=1))
    for name in ("bronze.interactions", "silver.interactions_history", "silver.interactions_clean"):
        copied(lake, name, files)
    several(lake, "ops.batches", batches)
    several(lake, "ops.row_accounts", lambda row: accounts(row, files))
    publishing._sums = lambda connection, lake, wanted: dict.fromkeys(wanted, (0, 0))
    with locks.hold(lake.root):
        last = publishing.publish(lake, "run")
        chain = []
        for number in range(2 * DAYS):
            later = last.written_at + timedelta(hours=12 * (number + 1))
            last = replace(last, number=last.number + 1, written_at=later, previous=last.hash, hash="").sealed()
            chain.append(last.row())
        write_deltalake(lake.path(manifests.TABLE), pa.Table.from_pylist(chain, schema=manifests.SCHEMA), mode="append")


def copied(lake: Lakehouse, name: str, files: int) -> None:
    """Add the rows of a table again and again, as rows of every batch, in files of a million rows."""
    table = DeltaTable(lake.path(name))
    listed = ", ".join(f"'{uri}'" for uri in table.file_uris())
    one = Path(lake.path(name), "part-00000-00000000-0000-4000-8000-000000000000-c000.snappy.parquet")
    batch = f"{IDS}[1 + (i // {-(-ROWS // DAYS)})::int]"
    many = (
        f"select row_number() over () - 1 as i, rows.* from read_parquet([{listed}]) rows, range({ROWS}) limit {ROWS}"
    )
    duckdb.sql(f"copy (select * exclude (i) replace ({batch} as _batch_id) from ({many})) to '{one}' (format parquet)")
    actions = []
    for number in range(files):
        path = one.with_name(one.name.replace("00000-00000000", f"00000-{number + 1:08x}"))
        shutil.copyfile(one, path)
        told = json.dumps({"numRecords": pq.ParquetFile(path).metadata.num_rows})
        actions.append(AddAction(path.name, path.stat().st_size, {}, 0, True, told))
    one.unlink()
    table.create_write_transaction(actions, "append", table.schema(), [])


def several(lake: Lakehouse, name: str, of: Callable[[dict], Iterator[dict]]) -> None:
    """Add rows to a table of ops that are made from those that it has."""
    rows = DeltaTable(lake.path(name)).to_pyarrow_table()
    made = [one for row in rows.to_pylist() for one in of(row)]
    write_deltalake(lake.path(name), pa.Table.from_pylist(made, schema=rows.schema), mode="append")


def batches(row: dict) -> Iterator[dict]:
    """The journal of the batches: each as the sample's, a day after the other."""
    for day, batch_id in enumerate(IDS):
        later = timedelta(days=day + 1)
        times = {name: row[name] + later for name in ("known_at", "recorded_at")}
        yield {**row, **times, "batch_id": batch_id}


def accounts(row: dict, files: int) -> Iterator[dict]:
    """Every row of touches was accepted."""
    if row["entity"] == "interactions":
        each = -(-ROWS // DAYS)
        for place, batch_id in enumerate(IDS):
            rows = files * (min(ROWS, (place + 1) * each) - place * each)
            nothing = {name: 0 for name, value in row.items() if isinstance(value, int) and value is not True}
            yield {**row, **nothing, "batch_id": batch_id, "rows_read": rows, "accepted": rows, "balanced": True}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", default="50m")
    parser.add_argument("--runs", default=3, type=int)
    parser.add_argument("--work", default=Path("/tmp/medallion-verify"), type=Path)  # noqa: S108
    arguments = parser.parse_args()
    size = arguments.interactions.lower()
    lake = Lakehouse(str(arguments.work / f"lakehouse-{size}"))
    if not lake.exists("ops.batches"):
        shutil.rmtree(lake.root, ignore_errors=True)
        make(lake, count(size) // ROWS)
    log = arguments.work / "log"
    command = [sys.executable, "-m", "medallion", "verify", "--lakehouse", lake.root]
    taken = [measured(command, log) for _ in range(arguments.runs + 1)][1:]  # the first warms the disk
    paths = [path for path in Path(lake.root).rglob("*") if path.is_file()]
    result = {
        "interactions": count(size),
        "batches": DAYS,
        "manifests": manifests.number(lake),
        "files": len(paths),
        "mib": round(sum(path.stat().st_size for path in paths) / 2**20),
        "runs": arguments.runs,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "load": round(os.getloadavg()[0], 1)},
        "versions": {name: version(name) for name in ("duckdb", "deltalake", "pyarrow")},
        **{name: round(statistics.median(one[name] for one in taken), 2) for name in ("wall", "cpu", "peak_mib")},
    }
    (HERE / "results" / f"verify-{size}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
