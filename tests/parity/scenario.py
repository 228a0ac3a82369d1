"""A year in the life of a lakehouse, with every clock fixed: `python tests/parity/scenario.py FOLDER sample|world [EXPORTS]`.

Run by the tests on one engine and on the other; what is in the tables afterwards has to be the same, cell by cell.
"""

from __future__ import annotations

import sys
from datetime import date, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2025, 7, 1, 8, 0)


def sample(lake: Path) -> None:
    """The sample and its second day, corrections, an erasure, and the past again."""
    from medallion import pipeline
    from medallion.care import erasure, quarantine
    from medallion.config import load
    from medallion.lakehouse.store import Lakehouse

    settings = load(None, source=str(ROOT / "data"), lakehouse=str(lake))
    pipeline.run(settings, NOW)
    second = load(None, source=str(ROOT / "data" / "updates"), lakehouse=str(lake))
    pipeline.run(second, NOW + timedelta(days=1))
    open_ = quarantine.waiting(Lakehouse(str(lake)))
    amount = next(row for row in open_ if row["entity"] == "leads" and "call me" in str(row["reasons"]))
    quarantine.fix(
        settings,
        [quarantine.Correction(amount["quarantine_id"], "deal_value", "12000")],
        "parity",
        NOW + timedelta(days=2),
    )
    quarantine.take_up(settings, NOW + timedelta(days=2), lambda *_: None)
    pipeline.replay(settings, date(2025, 6, 30), NOW + timedelta(hours=1), str(lake.parent / "replayed"))
    erasure.forget(settings, "C004", "parity", "parity", NOW + timedelta(days=3))


def world(lake: Path, exports: Path) -> None:
    """A messy simulated world in deliveries, learned from and scored."""
    from medallion import pipeline
    from medallion.config import load
    from medallion.learning import train

    deliveries = sorted(path for path in exports.iterdir() if path.is_dir()) or [exports]
    for place, folder in enumerate(deliveries):
        pipeline.run(load(None, source=str(folder), lakehouse=str(lake)), NOW + timedelta(days=place))
    settings = load(None, source=str(exports), lakehouse=str(lake), as_of="2025-06-30")
    train.train(settings, NOW + timedelta(days=len(deliveries)))
    pipeline.run(settings, NOW + timedelta(days=len(deliveries)), stages=[pipeline.SILVER_TO_GOLD])


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    if sys.argv[2] == "sample":
        sample(folder / "lake")
    else:
        world(folder / "lake", Path(sys.argv[3]))
