"""The page about the data itself: row accounts, quarantine, freshness, drift, runs, and the active model."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from medallion import figures
from medallion.config import Settings
from medallion.dashboard.listing import Listing
from medallion.dashboard.origins import PARTS
from medallion.dashboard.reading import Reading
from medallion.dashboard.tables import Column
from medallion.errors import MedallionError
from medallion.identities.matching import Pair
from medallion.lakehouse import manifests

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
#: Manifests that growth looks back, and tables that it tells of, the largest.
LOOK_BACK, LARGEST = 10, 12
#: What may have duplicates.
KINDS = ("accounts", "contacts")


def health(reading: Reading, settings: Settings, now: datetime) -> dict[str, Any]:
    """What the page shows; `now` is UTC without zone."""
    from medallion.care import status  # loads the pipeline, which no other page needs

    state = reading.once(
        "status", lambda: reading.answer(lambda over: status.status(reading.lake, now, settings.contracts, over))
    )
    accounts = state["row_accounts"]
    later = [name for name in ("excluded", "withdrawn", "merged", "erased") if any(row[name] for row in accounts)]
    names = ("rows_read", "accepted", "duplicate", "superseded", "quarantined", *later)
    known = list(dict.fromkeys(row["batch_id"] for row in reversed(accounts)))[:BATCHES]
    return {
        "accounts": [row for row in accounts if row["batch_id"] in known],
        "batches": len({row["batch_id"] for row in accounts}),
        "all": {name: sum(row[name] for row in accounts) for name in names},
        "later": later,
        "account_columns": [(name, name.capitalize()) for name in later],
        "balanced": all(row["balanced"] for row in accounts),
        "parts": PARTS,
        "unfinished": state["unfinished"],
        "returned": state["returned"],
        "failures": state["failures"],
        "manifests": state["manifests"],
        "growth": reading.once("growth", lambda: _growth(reading)),
        "proofs": state["proofs"],
        "deliveries": [
            {
                **row,
                "names": ", ".join(row["files"][:3]) + (" …" if len(row["files"]) > 3 else ""),
                "count": len(row["files"]),
            }
            for row in state["batches"][::-1][:BATCHES]
        ],
        "quarantine": state["quarantine"],
        "freshness": [status.aged(row, now) for row in state["freshness"]],
        "drift": state["drift"],
        "runs": state["runs"],
        "states": [batch for batch in state["batches"] if batch["state"] != "finished"],
        "tables": state["tables"],
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


def accounts(reading: Reading) -> Listing:
    """All row accounts; their sums are the figures of the page."""
    rows = reading.rows("select * from ops.row_accounts order by known_at desc, batch_id, entity")
    known = [name for name in (*PARTS, "excluded", "erased") if rows and name in rows[0]]
    linked = [
        {**row, **{f"{name}_at": f"{row['batch_id']}/{row['entity']}/{name}" for name in known if name in PARTS}}
        for row in rows
    ]
    columns = [Column("batch_id", "Batch"), Column("entity", "Entity"), Column("known_at", "Read (UTC)", "timestamp")]
    for name in known:
        link = "/health/rows/{}" if name in PARTS else None
        columns.append(Column(name, PARTS.get(name, name.capitalize()), "number", link, f"{name}_at"))
    return Listing(
        "accounts", "Row accounts", "One row per batch and entity: every row read is in one of the columns after it.",
        tuple(columns), linked, {name: sum(row[name] or 0 for row in rows) for name in known},
    )  # fmt: skip


def _growth(reading: Reading) -> list[dict[str, Any]]:
    """The largest tables: rows and bytes now, and rows added over the last `LOOK_BACK` manifests."""
    known = manifests.history(reading.lake)
    if not known:
        return []
    last, before = known[-1], known[-min(len(known), LOOK_BACK)]
    growth: list[dict[str, Any]] = [
        {
            "table": name,
            "rows": kept.rows,
            "more": kept.rows - before.tables[name].rows if name in before.tables else kept.rows,
            "files": kept.files,
            "megabytes": kept.bytes / 1e6,
            "since": before.number,
        }
        for name, kept in last.tables.items()
    ]
    return sorted(growth, key=lambda row: (-row["rows"], row["table"]))[:LARGEST]


def proof_of(reading: Reading, run_id: str) -> tuple[dict[str, Any] | None, bool]:
    """The proof that a run kept, and whether it is the newest; None without one."""
    if "ops.proofs" not in reading.tables:
        return None, False
    rows = reading.rows("select * from ops.proofs order by known_at desc, run_id desc")
    proof = next((row for row in rows if row["run_id"] == run_id), None)
    if proof is None:
        return None, False
    document = json.loads(proof["document"])
    amounts = [
        {
            "currency": amount["currency"],
            **{state: amount["deals"][state] for state in amount["deals"]},
            **{
                f"{state}_value": figures.money(float(amount["values"][state]), amount["currency"])
                for state in amount["values"]
            },
        }
        for amount in document["amounts"]
    ]
    filled = [column for column in document["filled"] if column["refused"] or column["empty"]]
    return {**document, **proof, "amounts": amounts, "filled": filled}, proof is rows[0]


def duplicates(reading: Reading, kind: str) -> tuple[list[Pair] | None, dict[str, str]]:
    """Undecided pairs of the last comparison that may be one, and the names of accounts; None where nothing was
    compared.
    """
    from medallion.care import duplicates as care  # loads the pipeline, which no other page needs

    pairs = care.last_compared(reading.lake, kind)
    if pairs is None or kind != "accounts":
        return pairs, {}
    keys = tuple({key for pair in pairs for key in (pair.left, pair.right)})
    rows = reading.rows(
        "select customer_id, customer_name from gold.customer_features where customer_id in (select unnest(?))", [keys]
    )
    return pairs, {row["customer_id"]: row["customer_name"] for row in rows}
