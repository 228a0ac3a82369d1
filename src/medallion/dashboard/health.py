"""The page about the data itself: row accounts, quarantine, freshness, drift, runs, and the active model."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from medallion.config import Settings
from medallion.dashboard.reading import Reading
from medallion.errors import MedallionError

_CANDIDATES = {"rules": "Rates per score band", "logistic": "Logistic regression", "xgboost": "XGBoost"}
_FIGURES = {
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "brier": "Brier",
    "log_loss": "Log loss",
    "ece": "ECE",
    "lift_at_10": "Lift at 10%",
}
#: Batches whose accounts are shown, the newest.
BATCHES = 20


def health(reading: Reading, settings: Settings, now: datetime) -> dict[str, Any]:
    """What the page shows; `now` is UTC without zone."""
    from medallion.care import status  # brings the pipeline along, which no other page needs

    found = reading.once(
        "status", lambda: reading.answer(lambda over: status.status(reading.lake, now, settings.contracts, over))
    )
    accounts = found["row_accounts"]
    later = [name for name in ("excluded", "withdrawn", "merged", "erased") if any(row[name] for row in accounts)]
    names = ("rows_read", "accepted", "duplicate", "superseded", "quarantined", *later)
    known = list(dict.fromkeys(row["batch_id"] for row in reversed(accounts)))[:BATCHES]
    return {
        "accounts": [row for row in accounts if row["batch_id"] in known],
        "batches": len({row["batch_id"] for row in accounts}),
        "all": {name: sum(row[name] for row in accounts) for name in names},
        "later": later,
        "account_columns": [(name, name.capitalize(), "number") for name in later],
        "balanced": all(row["balanced"] for row in accounts),
        "quarantine": found["quarantine"],
        "freshness": [status.aged(row, now) for row in found["freshness"]],
        "drift": found["drift"],
        "runs": found["runs"],
        "states": [batch for batch in found["batches"] if batch["state"] != "finished"],
        "tables": found["tables"],
        "model": model(reading, settings),
    }


def model(reading: Reading, settings: Settings) -> dict[str, Any]:
    """The active model, from its own file; without one, what is used in its place."""

    def compute() -> dict[str, Any]:
        from medallion.pipeline import models

        try:
            entry = models.champion(settings.model_copy(update={"lakehouse": reading.lake.root}))
        except MedallionError as error:
            return {"version": None, "problem": str(error)}
        if entry is None:
            return {"version": None, "problem": None}
        evaluation = entry.evaluation
        return {
            "version": entry.scorer.version,
            "problem": None,
            "kind": _CANDIDATES.get(entry.scorer.kind, entry.scorer.kind),
            "trained_on": entry.scorer.trained_on,
            "as_of": entry.as_of.isoformat(),
            "horizon_days": entry.scorer.horizon_days,
            "simulated": "simulated" in entry.scorer.trained_on,
            "figures": _FIGURES,
            "candidates": [
                {
                    "name": _CANDIDATES.get(name, name),
                    "chosen": name == entry.scorer.kind,
                    **{f: row.get(f) for f in _FIGURES},
                }
                for name, row in evaluation.get("candidates", {}).items()
            ],
            "tested": evaluation.get("deals", {}).get("test"),
            "leaks": [
                (check.get("name") or check.get("check"), bool(check.get("passed")))
                for check in evaluation.get("leak_checks", [])
            ],
            "reliability": evaluation.get("reliability", []),
        }

    return reading.once("model", compute)
