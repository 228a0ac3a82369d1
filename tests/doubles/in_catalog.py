"""A lakehouse in a catalog: `python tests/doubles/in_catalog.py ROOT` prints what it saw as one JSON document.

On the engine that SPARK_REMOTE names, else on Sail, for which delta-rs answers the statements of a catalog that it lacks.
Two deliveries, a state before, back to it and forth again, a killed command, an erasure; and twenty races for the lock.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from medallion import pipeline
from medallion.care import doctor, erasure, maintain, restore, status, verify
from medallion.config import load
from medallion.errors import LakehouseError
from medallion.lakehouse import locks, manifests, places, session, store, unity
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import journal

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2025, 7, 1, 8)


class KilledError(BaseException):
    """Stands in for a process that ends."""


def races(root: str, count: int) -> list[int]:
    """How many of two writers that had read the same won the lock, per race."""
    won = []
    for _ in range(count):
        rows = [places.of(root).document() for _ in range(2)]
        for row in rows:
            row.read()
        together, wins = threading.Barrier(2), []

        def write(row: places.Document, name: str, together: Any = together, wins: list[str] = wins) -> None:
            together.wait()
            try:
                row.write({"holder": {"id": name}, "intent": None})
                wins.append(name)
            except places.ConflictError:
                pass

        both = [threading.Thread(target=write, args=(row, str(place))) for place, row in enumerate(rows)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        assert [locks.peek(root)["holder"]["id"]] == wins, wins
        won.append(len(wins))
    last = places.of(root).document()
    last.read()
    last.write({"holder": None, "intent": None})
    return won


def main(root: str) -> None:
    lake, told = Lakehouse(root), dict[str, Any]()
    for layer in places.LAYERS:
        session.session().sql(f"CREATE SCHEMA IF NOT EXISTS {unity.quoted(root, layer)}").collect()

    def value() -> int:
        return int(status.insights(lake)["total_deal_value"])

    told["values"] = []
    for day, source in enumerate((ROOT / "data", ROOT / "data" / "updates")):
        pipeline.run(load(None, source=str(source), lakehouse=root), NOW + timedelta(days=day))
        told["values"].append(value())
    settings = load(None, lakehouse=root)
    with store.reading(root, manifests.opened(lake, "1").versions or {}):
        told["at 1"] = value()
    told["moves"] = len(restore.apply(lake, "1"))
    told["back"] = value()
    restore.apply(lake, "2")
    told["forth"] = value()
    try:
        with journal.writing(lake) as writer, writer.intent(journal.TRAIN, ["gold.deals"]):
            lake.delta("gold.deals").restore(manifests.found(lake, "1").versions["gold.deals"])
            raise KilledError
    except KilledError:
        told["interrupted"] = value()
    with journal.writing(lake) as writer:
        told["recovered"] = writer.recovered
    told["left to"] = maintain.left_to(lake)
    certificate = erasure.forget(settings, "C004", "test", "test", NOW + timedelta(days=3))
    told["certificate"] = {name: certificate[name] for name in ("found", "records", "tables", "not_searched")}
    told["forgotten"] = value()
    told["kinds"] = [one.kind for one in manifests.history(lake)]
    found = verify.verify(settings, deep=True)
    told["verify"] = sorted({f"{one.state}: {one.check}" for one in found})
    told["doctor"] = sorted({f"{one.state}: {one.check}" for one in doctor.examine(settings)})
    told["earlier"] = []
    for name, kept in (("silver.customers_clean", 1), ("silver.customers_history", 1)):
        try:
            unity.frame(root, name, kept).toArrow()
            told["earlier"].append(name)
        except Exception:  # noqa: BLE001, S110 - whatever the engine says
            pass
    try:
        manifests.opened(lake, "2")
    except LakehouseError as error:
        told["refused"] = error.problem
    told["races"] = races(root, 20)
    print(json.dumps(told))


def check(told: dict[str, Any]) -> None:
    """What it must have seen."""
    first, second = told["values"]
    assert (first, second) == (1_937_000, 2_049_000)
    assert (told["at 1"], told["back"], told["forth"], told["interrupted"]) == (first, first, second, second)
    assert told["recovered"][0].endswith("It was rolled back: every table is as it was before.")
    assert told["left to"].startswith("Left to predictive optimization, which is not known to the engine")
    assert (told["certificate"]["found"], told["certificate"]["records"]["customers"]) == ([], 1)
    assert not [one for one in told["certificate"]["tables"] if "left_to_the_platform" in one]
    assert told["forgotten"] == 1_499_000
    assert told["kinds"] == ["run", "run", "restore", "restore", "recovery", "forget"]
    assert not [one for one in told["verify"] if one.startswith("broken")]
    assert not [one for one in told["doctor"] if one.startswith("broken")]
    assert {f"ok: {check}" for check in ("accounts", "current", "proof", "reading", "erasure")} <= {*told["doctor"]}
    assert (told["earlier"], "can no longer be opened" in told["refused"]) == ([], True)
    assert told["races"] == [1] * 20


if __name__ == "__main__":
    if "SPARK_REMOTE" not in os.environ:
        from bring_in import stand_in

        stand_in()
    main(sys.argv[1])
    session.close()
