"""The model against the truth of simulated worlds, with the usual leaking recipe beside it.

    python benchmarks/lead_scoring.py --seeds 5 --customers 20000

Per seed: simulate, run the pipeline, train, score the open deals of the last day; then compare with their true
probabilities. "Reported" is what each recipe says of itself, "future" what it is worth for the deals that are open now.
The leaking recipe is the one found in many projects: totals per customer as they are today, closed deals split at
random.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))  # `models/publish.py` is no part of the package
RESULT = HERE / "results" / "lead_scoring.json"

_TOTALS = (
    "interactions", "calls", "emails", "whatsapps", "meetings", "positive_touches", "negative_touches",
    "unanswered_touches", "meetings_booked", "total_duration_minutes", "leads", "won_leads", "lost_leads", "open_leads",
    "won_value", "total_deal_value", "average_deal_value", "employee_count", "days_since_last_interaction",
)  # fmt: skip
_SQL = f"""
select d.lead_id, d.status, t.probability as truth,
       {", ".join(f"cast(f.{name} as double) as {name}" for name in _TOTALS)}
from gold.deals d join gold.customer_features f using (customer_id)
left join read_parquet($1) t on t.lead_id = d.lead_id order by d.lead_id
"""


def leaking(lake: Path, exports: Path, *, without_outcomes: bool) -> dict[str, float]:
    """The usual recipe: its own figure, and its worth for the open deals."""
    import numpy as np
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import train_test_split
    from xgboost import XGBClassifier

    from medallion.lakehouse import query
    from medallion.lakehouse.store import Lakehouse
    from models.publish import expected_auc

    with query.connect(Lakehouse(str(lake)), layers=["gold"]) as connection:
        table = connection.execute(_SQL, [str(exports / "truth.parquet")]).fetchnumpy()
    names = [n for n in _TOTALS if not (without_outcomes and n in ("won_leads", "lost_leads", "won_value"))]
    x = np.column_stack([np.ma.filled(np.ma.asarray(table[name], dtype=float), np.nan) for name in names])
    status = np.asarray(table["status"])
    closed, still = status != "open", status == "open"
    train, test, won, held = train_test_split(x[closed], status[closed] == "won", test_size=0.2, random_state=1)
    model = XGBClassifier(random_state=1).fit(train, won)
    truth = np.ma.filled(np.ma.asarray(table["truth"], dtype=float), np.nan)[still]
    return {
        "reported": round(float(roc_auc_score(held, model.predict_proba(test)[:, 1])), 4),
        "future": round(expected_auc(truth, model.predict_proba(x[still])[:, 1].astype(float)), 4),
    }


def one(customers: int, days: int, seed: int) -> dict[str, Any]:
    """One world."""
    from medallion.config import end_of_day, load
    from medallion.pipeline import run
    from medallion.simulate import World
    from models import publish

    last = World(customers=1, days=1, seed=0).last_day
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        started = time.perf_counter()
        entry = publish.train_on_simulation(work, customers, days, seed)
        settings = load(None, source=str(work / "exports"), lakehouse=str(work / "lake"), as_of=last.isoformat())
        run(settings, end_of_day(last), stages=["silver_to_gold"])
        seconds = time.perf_counter() - started
        card = entry.evaluation["candidates"][entry.scorer.kind]
        return {
            "seed": seed,
            "champion": entry.scorer.kind,
            "reported": card["roc_auc"],
            "reported_ece": card["ece"],
            **publish.held_against_truth(work / "lake", work / "exports"),
            "leaking": leaking(work / "lake", work / "exports", without_outcomes=False),
            "leaking_without_outcomes": leaking(work / "lake", work / "exports", without_outcomes=True),
            "seconds": round(seconds, 1),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one is not None:
        print(json.dumps(one(given.customers, given.days, given.one)))
        return
    runs = []
    for seed in range(1, given.seeds + 1):
        command = [
            sys.executable,
            __file__,
            "--customers",
            str(given.customers),
            "--days",
            str(given.days),
            "--one",
            str(seed),
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
        r = runs[-1]
        print(
            f"seed {seed}: {r['champion']}, future AUC {r['roc_auc']:.3f} (oracle {r['roc_auc_of_the_oracle']:.3f}), "
            f"ECE {r['ece']:.3f}; leaking recipe reports {r['leaking']['reported']:.3f}, is worth {r['leaking']['future']:.3f}"
        )
    document = {
        "customers": given.customers,
        "days": given.days,
        "runs": runs,
        "versions": {name: version(name) for name in ("scikit-learn", "xgboost-cpu", "pysail", "numpy")},
        "python": platform.python_version(),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
