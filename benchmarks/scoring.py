"""How fast snapshots are made and deals are scored.

    python benchmarks/scoring.py --customers 1000000        # about 1.5 million deals, 20 million touches

Simulates a world, runs the pipeline, then measures in processes of their own: `snapshots` (histories to
gold.lead_snapshots) and `scores` (a million snapshots through each kind of model with reasons, in Arrow batches, best
of three).
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
from datetime import date, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "scoring.json"
DAY = date(2025, 6, 30)


def snapshots(lake: str) -> dict[str, Any]:
    """Seconds and peak memory of making all snapshots."""
    from medallion.config import end_of_day, load
    from medallion.lakehouse import query
    from medallion.lakehouse.session import session
    from medallion.lakehouse.store import Lakehouse
    from medallion.learning import train
    from medallion.pipeline.steps import Steps

    settings = load(None, lakehouse=lake, as_of=DAY.isoformat(), memory_gib=3)
    work = train._Training(settings, Lakehouse(lake), Path(lake, "models"), end_of_day(DAY), Steps(lambda *_: None))
    spark = session(settings.engine, settings.memory_gib)
    started = time.perf_counter()
    work._save_snapshots(spark, work._facts(spark), work._cutoffs(DAY), DAY)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with query.connect(Lakehouse(lake), layers=["gold", "silver"]) as connection:
        counts = query.rows(
            connection,
            "select (select count(*) from gold.lead_snapshots) as snapshots, (select count(*) from silver.leads_clean) as deals, "
            "(select count(*) from silver.interactions_clean) as touches, "
            "(select count(*) from silver.stage_changes_clean) as stage_changes",
        )[0]
    return {**counts, "seconds": round(seconds, 1), "peak_mib": round(peak)}


def scores(lake: str, rows: int) -> dict[str, Any]:
    """Rows per second of each kind of model, with approximate reasons."""
    import numpy as np

    from medallion.lakehouse import query
    from medallion.lakehouse.store import Lakehouse
    from medallion.scoring import registry
    from medallion.scoring.calibration import Calibration, won_within
    from medallion.scoring.evaluation import reliability
    from medallion.scoring.hazards import Outcomes
    from medallion.scoring.models import Boosted, Logistic
    from medallion.scoring.predict import Scorer

    with query.connect(Lakehouse(lake), layers=["gold"]) as connection:
        table = connection.sql(f"from gold.lead_snapshots limit {rows}").to_arrow_table()
    part = table.slice(0, 200_000)
    outcomes = Outcomes.of(part, 90)
    label, line = won_within(outcomes, 90), Logistic.fit(part, outcomes, 30.0)
    found: dict[str, Any] = {"rows": table.num_rows, "signals": registry.signature()}
    for model in (line, Boosted.fit(line, part, outcomes, 7, 100, 4)):
        given = (model.kind, model.dump(), getattr(model, "trees", None), Calibration())
        forecast = Scorer("benchmark", *given, [], 90).probabilities(part)
        scorer = Scorer("benchmark", *given, reliability(label, forecast, np.arange(len(label))), 90)
        batches = table.to_batches(max_chunksize=32_768)
        seconds = []
        for _ in range(3):
            started = time.perf_counter()
            for batch in batches:
                scorer(batch)
            seconds.append(time.perf_counter() - started)
        found[model.kind] = {
            "rows_per_second": round(table.num_rows / min(seconds)),
            "seconds": [round(s, 2) for s in seconds],
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--lakehouse", help="Take this one instead of simulating.")
    parser.add_argument("--step", choices=("snapshots", "scores"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        found = snapshots(given.lakehouse) if given.step == "snapshots" else scores(given.lakehouse, given.rows)
        print(json.dumps(found), flush=True)
        os._exit(0)  # no need to wait for the engine to stop
    with tempfile.TemporaryDirectory() as folder:
        lake = given.lakehouse or f"{folder}/lake"
        medallion = [sys.executable, "-m", "medallion"]
        if not given.lakehouse:
            world = ["--customers", str(given.customers), "--days", "730", "--seed", "1", "--out", f"{folder}/world"]
            subprocess.run([*medallion, "simulate", *world], check=True, capture_output=True)
            subprocess.run(
                [*medallion, "run", "--source", f"{folder}/world", "--lakehouse", lake], check=True, capture_output=True
            )
        document = {}
        for step in ("snapshots", "scores"):
            command = [sys.executable, __file__, "--lakehouse", lake, "--rows", str(given.rows), "--step", step]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            document[step] = json.loads(done.stdout.splitlines()[-1])
            print(step, document[step])
    document["cores"] = os.cpu_count()
    document["last_cutoff"] = (DAY - timedelta(days=89)).isoformat()
    RESULT.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
