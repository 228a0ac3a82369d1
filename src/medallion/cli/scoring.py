"""What the command line shows of models and scores."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from medallion.cli import console as show
from medallion.figures import money, percent, ratio, span
from medallion.learning.monitor import Watch
from medallion.learning.train import Outcome

_NAMES = {"rules": "rates per score band", "logistic": "logistic regression", "xgboost": "XGBoost"}


def trained(console: Console, outcome: Outcome) -> None:
    """The candidates on later deals, and what came of it."""
    e = outcome.evaluation
    rows = [
        {
            "candidate": _NAMES[kind],
            "roc_auc": one["roc_auc"],
            "pr_auc": one["pr_auc"],
            "brier": one["brier"],
            "log_loss": one["log_loss"],
            "ece": one["ece"],
            "lift_at_10": one["lift_at_10"],
        }
        for kind, one in e["candidates"].items()
    ]
    title = f"On {e['snapshots']['test']:,} later snapshots of {e['deals']['test']:,} deals"
    show.records(
        console, title, rows, f"Won within {outcome.horizon_days} days: {percent(e['base_rate']['won_share'])}"
    )
    checks = e["leak_checks"]
    show.line(console, f"Leak checks passed: {sum(c['passed'] for c in checks)} of {len(checks)}")
    if "simulated" in e["trained_on"]:
        show.line(console, f"Trained on {e['trained_on']}: it knows nothing of real customers.")
    if outcome.promoted:
        show.line(
            console, f"{outcome.version} speaks from now on. Card: {outcome.folder}/{outcome.version}/model_card.md"
        )
        show.line(console, "Next: medallion score · medallion explain LEAD · medallion monitor")
    else:
        show.line(console, f"Nothing changes: {outcome.reason}.")


def scores(console: Console, found: dict[str, Any]) -> None:
    """The best deals with their reasons."""
    rows = [
        {
            "lead_id": row["lead_id"],
            "customer": row["customer_name"],
            "value": money(row["deal_value"], found["currency"], none=""),
            "won": percent(row["probability"], none=""),
            "from": percent(row["probability_low"], none=""),
            "to": percent(row["probability_high"], none=""),
            "score": f"{row['lead_score']} {row['lead_quality']}" if row["lead_quality"] else "",
            "why": "; ".join(
                [row["trend"]] * (row["trend"] in ("improving", "declining"))
                + (row["reasons_up"] or [])[:2]
                + [f"but: {reason}" for reason in (row["reasons_down"] or [])[:1]]
            ),
        }
        for row in found["deals"]
    ]
    by = f"by {found['model_version']}" if found["model_version"] else "by the rates per score band"
    wins = "" if found["expected_wins"] is None else f", {ratio(found['expected_wins'])} wins expected"
    first = f"The first {len(rows):,} of " if len(rows) < found["open_deals"] else ""
    show.records(console, f"{first}{found['open_deals']:,} open deals as of {found['as_of']}, scored {by}{wins}", rows)
    if not rows:
        show.line(console, "No deal is open.")


def explained(console: Console, found: dict[str, Any]) -> None:
    """One score with everything behind it."""
    account, rule = found["account"], found["rule_score"]
    deal = f"{found['deal']['lead_id']} of " if found["deal"] else ""
    show.line(console, f"{deal}{account['customer_name']} ({account['customer_id']}), as of {account['as_of']}")
    show.records(
        console,
        f"Rule score {rule['lead_score']} ({rule['lead_quality']})",
        [{"part": p["part"], "points": p["points"], "of": f"{p['of']:g}"} for p in rule["parts"]],
    )
    show.records(console, "What would change it", rule["what_would_change_it"])
    for row in found["scores"]:
        by = row["model_version"] or row["probability_source"]
        interval = (
            "" if row["probability_low"] is None else f" ({span(row['probability_low'], row['probability_high'])})"
        )
        trend = "" if row["trend"] == "not enough information" else f", {row['trend']}"
        show.line(
            console,
            f"{row['lead_id']}: {percent(row['probability'])}{interval} within {row['horizon_days']} days, {by}{trend}",
        )
        for sign, reasons in (("+", row["reasons_up"]), ("-", row["reasons_down"])):
            for reason in reasons or ():
                show.line(console, f"  {sign} {reason}")
    if found["model"]:
        for lead_id, told in found["model"]["deals"].items():
            show.records(
                console, f"{lead_id}: what the model makes of it", told["signals"][:10], found["model"]["trained_on"]
            )
            show.records(
                console,
                f"{lead_id}: if it looked otherwise",
                [
                    {"if": row["if"], "probability": percent(row["probability"], none="")}
                    for row in told["if_it_looked_otherwise"]
                ],
                "Forecasts for deals that look like that; no promise that doing it has the effect.",
            )
    for name, title in (("deals", "Deals behind it"), ("touches", "Last touches behind it")):
        rows, total = found["rows"][name], found["total"][name]
        show.records(console, title + (f", {len(rows)} of {total:,}" if len(rows) < total else ""), rows)


def watched(console: Console, found: Watch) -> None:
    """Drift, calibration, bands and the recommendation."""
    show.records(
        console,
        f"Drift of the signals of open deals, as of {found.as_of} (PSI; from 0.25 on others than learned from)",
        [{"signal": name, "psi": f"{psi:.3f}"} for name, psi in list(found.drift.items())[:10]],
    )
    show.records(
        console,
        "Scores whose horizon is over",
        [
            {"by": name, "scores": f["n"], "forecast": percent(f["mean_forecast"], none=""), "won": percent(f["won_share"], none=""), "roc_auc": f["roc_auc"], "ece": f["ece"]}
            for name, f in found.ended.items()
        ],
    )  # fmt: skip
    show.records(
        console,
        "Observed conversion per band",
        [
            {"by": b["means"], "band": b["lead_quality"], "scores": b["scores"], "forecast": percent(b["forecast"], none=""), "won": percent(b["converted"], none="")}
            for b in found.bands
        ],
    )  # fmt: skip
    if not found.ended:
        show.line(console, "No score is old enough for its horizon to be over.")
    show.line(console, f"Recommendation: {found.recommendation}. Because {'; '.join(found.because)}.")
