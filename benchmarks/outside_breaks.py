"""How soon a change of regime is noticed, and what the scores are worth after it, in a world of hazards.

    python benchmarks/outside_breaks.py --seeds 1-5

Each seed twice: once the world becomes another on the day after training, once it stays. A delivery a week, each
followed by score, monitor and `train --if-needed`. Told are the day of the first advice to retrain, and the gap to the
oracle, who knows of the break, at the end. An advice in a world that stays is a false alarm.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import outside_worlds as bench
from worlds import crm, hazards

RESULT = bench.HERE / "results" / "outside_breaks.json"


def compared(world: hazards.World, day: date, lake: Path, folder: Path) -> dict[str, Any]:
    """Scores of a day against the truth."""
    bench.medallion("export", "--lakehouse", lake, "--format", "csv", "--to", folder, "--table", "gold.lead_scores")
    rows = bench.read(folder / "gold.lead_scores.csv")
    newest = {
        r["lead_id"]: r for r in sorted(rows, key=lambda r: r["known_as_of"]) if r["as_of"][:10] == day.isoformat()
    }
    return bench.against_truth({row[0]: row[2] for row in world.truth(day)}, list(newest.values()))


def one(seed: int, breaks: bool, given: argparse.Namespace, work: Path) -> dict[str, Any]:
    """A world, week by week."""
    start = given.days - 1 - 7 * given.weeks
    params = crm.load(hazards.Params, given.params, seed=seed, accounts=given.accounts, days=given.days)
    world = hazards.World(replace(params, break_day=start + 1 if breaks else -1))
    lake, day = work / "lake", world.first + timedelta(days=start)

    def do(*words: str | Path) -> Any:
        status, document = bench.medallion(*words, "--lakehouse", lake)
        if status and words[0] != "train":
            raise SystemExit(f"seed {seed}, {day}: {words[0]} failed: {document}")
        return document

    def deliver() -> None:
        source = work / day.isoformat()
        crm.write(world.crm, source, day)
        do("run", "--source", source, *bench.known_at(day))
        shutil.rmtree(source)

    deliver()
    do("train")
    do("score")
    # A break that comes is in the truth of the day before it; the model is held to the world that it was trained in.
    before = compared(hazards.World(replace(params, break_day=-1)) if breaks else world, day, lake, work / "plain")
    found: dict[str, Any] = {"seed": seed, "break": breaks, "gap_before": before["gap"], "advice": [], "models": []}
    for week in range(1, given.weeks + 1):
        day = world.first + timedelta(days=start + 7 * week)
        deliver()
        do("score")
        said = do("monitor")
        if said["recommendation"] != "keep":
            found["advice"].append({"days": 7 * week, "because": said["because"]})
            made = do("train", "--if-needed")
            found["models"].append(
                {"days": 7 * week, "promoted": made.get("promoted") if isinstance(made, dict) else made}
            )
    do("score")
    after = compared(world, day, lake, work / "plain")
    first = found["advice"][0]["days"] if found["advice"] else None
    return found | {
        "first_advice": first,
        "gap_after": after["gap"],
        "ece_after": after["ece"],
        "slope_after": after["slope"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=bench.numbers, default=bench.numbers("1-5"))
    parser.add_argument("--accounts", type=int, default=3000)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--weeks", type=int, default=9, help="after the training")
    parser.add_argument("--params", type=Path, help="JSON of parameters of the world")
    parser.add_argument("--only", choices=("break", "stationary"))
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    if not bench.known_at(date(2025, 1, 1)):
        print("This version has no `run --known-at`: deliveries of one day are known from that day on alone.")
    runs = []
    for seed in given.seeds:
        for breaks in {"break": (True,), "stationary": (False,), None: (True, False)}[given.only]:
            with tempfile.TemporaryDirectory() as work:
                runs.append(one(seed, breaks, given, Path(work)))
            r = runs[-1]
            print(
                f"seed {seed}, {'break' if breaks else 'stationary'}: first advice after {r['first_advice']} days, "
                f"gap {r['gap_before']:.3f} before, {r['gap_after']:.3f} after {7 * given.weeks} days",
                flush=True,
            )
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"runs": runs}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
