"""What the manifest of a command costs: of the second day of the sample, and of a command that writes every table anew.

    python benchmarks/manifest.py --runs 15

Counted is all of `publishing.publish`: which tables have changed, the hash of what they have gained, and the commit of
the manifest. Not counted is what the command has done anyway: each table that it wrote is open, since its columns were
read back. CPU time of the whole process, threads of DuckDB and delta-rs included; medians.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from deltalake import DeltaTable, write_deltalake

from medallion import pipeline
from medallion.config import load, utc_now
from medallion.lakehouse import locks, manifests, places, publishing, store
from medallion.lakehouse.store import Lakehouse

HERE = Path(__file__).resolve().parent
REAL = publishing.publish


def published(lake: Lakehouse) -> tuple[float, float, int]:
    """CPU and wall milliseconds of a manifest, and how many tables it found changed."""
    before = manifests.newest(lake)
    with locks.hold(lake.root), store.kept_open(lake):
        for name in lake.tables():
            lake.delta(name)
        cpu, wall = time.process_time(), time.perf_counter()
        manifest = REAL(lake, "run")
        spent = (time.process_time() - cpu) * 1e3, (time.perf_counter() - wall) * 1e3
    known = before.tables if before else {}
    changed = sum(known.get(name) != kept for name, kept in manifest.tables.items()) if manifest else 0
    return *spent, changed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", default=15, type=int)
    runs = parser.parse_args().runs
    folder = Path(tempfile.mkdtemp())
    found: dict[str, list[tuple[float, float, int]]] = {"second day": [], "every table anew": []}
    try:
        lake = Lakehouse(str(folder / "lake"))
        sample = load(None, source=str(HERE.parent / "data"), lakehouse=lake.root)
        pipeline.run(sample, utc_now())
        publishing.publish = lambda *_, **__: None
        pipeline.run(sample.model_copy(update={"source": f"{sample.source}/updates"}), utc_now())
        publishing.publish = REAL
        for number in range(runs + 1):
            copy = Lakehouse(str(shutil.copytree(lake.root, folder / f"copy_{number}")))
            took = [published(copy)]
            for name in copy.tables():
                if name not in places.BESIDE:
                    rows = DeltaTable(copy.path(name)).to_pyarrow_table()
                    write_deltalake(copy.path(name), rows, mode="overwrite")
            took.append(published(copy))
            if number:  # the first loads what the run has loaded by then
                for name, one in zip(found, took, strict=True):
                    found[name].append(one)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    results = {}
    for name, several in found.items():
        cpu, wall = (round(statistics.median(one[place] for one in several), 1) for place in (0, 1))
        results[name] = {"tables_changed": several[0][2], "cpu_ms": cpu, "wall_ms": wall, "runs": runs}
        print(f"{name:<20} {several[0][2]} tables changed  CPU {cpu} ms  wall {wall} ms")
    (HERE / "results" / "manifest.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
