"""The commands of models and scores: `train`, `score`, `explain`, `monitor` and `models`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medallion import pipeline
from medallion.care import notices, status
from medallion.cli import notifying
from medallion.cli.command import Call, Models, command, group
from medallion.config import utc_now
from medallion.figures import money, percent, ratio, span

if TYPE_CHECKING:
    from medallion.learning.monitor import Watch
    from medallion.learning.train import Outcome

app = group()


@command(
    app,
    examples=(
        "`medallion train` · learn from the lakehouse, if there is enough to learn from",
        "`medallion train --if-needed` · only when `medallion monitor` says so",
        "`medallion train --as-of 2025-03-31 --horizon 60`",
    ),
)
def train(
    call: Call,
    horizon: Annotated[int | None, typer.Option(min=1, max=730, help="Days within which a win counts.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Learn from outcomes up to this day.")] = None,
    if_needed: Annotated[bool, typer.Option("--if-needed", help="Only when monitoring recommends it.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Activate the new model even if it cannot be shown to be as good.")
    ] = False,
    models: Models = None,
) -> None:
    """Learn the probability of winning an open deal, test it on later deals, and activate the best model."""
    from medallion.learning import monitor, train  # they load the engine, which `--help` has no need of

    settings = call.settings(as_of=as_of, models=models)
    if horizon is not None:
        settings = settings.model_copy(update={"score": settings.score.model_copy(update={"horizon_days": horizon})})
    with call.steps() as report:
        watched = monitor.watch(settings, report) if if_needed else None
        if watched is None or watched.recommendation != monitor.KEEP:
            outcome = train.train(settings, utc_now(), report, anyway=replace)
            watched = None
    if watched is None:
        call.answer(asdict(outcome), lambda: _show_trained(call, outcome))
        return
    because = "; ".join(watched.because)
    call.answer(
        {"version": None, "reason": "not needed", "champion": watched.champion},
        lambda: call.say(f"Not needed: {because}."),
    )


@command(
    app,
    examples=(
        "`medallion score` · the open deals most likely to be won, and why",
        "`medallion score --top 50 --json`",
    ),
)
def score(
    call: Call,
    top: Annotated[int, typer.Option(min=0, max=1000, help="How many deals to show.")] = 15,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Score as of this day.")] = None,
    models: Models = None,
) -> None:
    """Score the open deals, bring gold up to date with the scores, and show the best."""
    settings = call.settings(as_of=as_of, models=models)
    call.lake.delta("silver.leads_clean")
    with call.steps() as report:
        result = pipeline.run(settings, utc_now(), report, stages=[pipeline.SILVER_TO_GOLD])
    scores = status.scores(call.lake, top)

    def tell() -> None:
        call.say(*result.recovered)
        _show_scores(call, scores)

    call.answer({"changed": result.changed, "recovered": result.recovered, **scores}, tell)


@command(app, examples=("`medallion explain L-1012`", "`medallion explain C004 --json`"), at=True, shows="own")
def explain(
    call: Call,
    key: Annotated[str, typer.Argument(help="A deal or an account, such as L-1012 or C004.")],
    models: Models = None,
) -> None:
    """Tell why a deal or an account has its score, what would change it, and the rows behind it."""
    from medallion.care import explain as explaining

    explanation = explaining.explain(call.settings(models=models), key)
    call.answer(explanation, lambda: _show_explained(call, explanation))


@command(app, examples=("`medallion monitor`", "`medallion monitor --json | jq .recommendation`"), at=True, shows="all")
def monitor(call: Call, models: Models = None) -> None:
    """Compare the model with the open deals of today, and its forecasts with the outcomes."""
    from medallion.learning import monitor

    settings = call.settings(models=models)
    with notifying.on_error(settings, "monitor"), call.steps() as report:
        watch = monitor.watch(settings, report)
    call.answer(asdict(watch), lambda: _show_watched(call, watch))
    notifying.tell(settings, notices.of_watch(watch))


@command(
    app,
    "models",
    examples=(
        "`medallion models`",
        "`medallion models --use 2025-06-30-logistic-1a2b3c4d` · an earlier one",
        "`medallion models --use rules` · none: the rates per score band are used",
    ),
    shows="all",
)
def list_models(
    call: Call,
    use: Annotated[str | None, typer.Option("--use", help="Activate this version, or `rules`.")] = None,
    models: Models = None,
) -> None:
    """List the trained models, or choose the active one."""
    from medallion.learning import registered

    settings = call.settings(models=models)
    if use is not None:
        registered.use(settings, use)
    versions = registered.versions(settings)

    def tell() -> None:
        call.records("Models", versions)
        if not versions:
            call.say("No model is trained yet: the rates per score band are used.")
            call.next("train")
        if use is not None:
            call.say("Scoring brings gold up to date with it.")
            call.next("score")

    call.answer(versions, tell)


_NAMES = {"rules": "rates per score band", "logistic": "logistic regression", "xgboost": "XGBoost"}


def _show_trained(call: Call, outcome: Outcome) -> None:
    """Show the candidates' scores on later deals, and the outcome."""
    e = outcome.evaluation
    rows = [
        {
            "candidate": _NAMES[kind],
            "roc_auc": scores["roc_auc"],
            "pr_auc": scores["pr_auc"],
            "brier": scores["brier"],
            "log_loss": scores["log_loss"],
            "ece": scores["ece"],
            "lift_at_10": scores["lift_at_10"],
        }
        for kind, scores in e["candidates"].items()
    ]
    title = f"On {e['snapshots']['test']:,} later snapshots of {e['deals']['test']:,} deals"
    call.records(title, rows, f"Won within {outcome.horizon_days} days: {percent(e['base_rate']['won_share'])}")
    checks = e["leak_checks"]
    call.say(f"Leak checks passed: {sum(c['passed'] for c in checks)} of {len(checks)}")
    for name, reason in e["left_out"].items():
        call.say(f"Not used: {name}, since {reason}.")
    if "simulated" in e["trained_on"]:
        call.say(f"Trained on {e['trained_on']}: it knows nothing of real customers.")
    if outcome.promoted:
        call.say(
            f"{outcome.version} is the active model from now on. Card: {outcome.folder}/{outcome.version}/model_card.md"
        )
        call.next("score", "explain LEAD", "monitor")
    else:
        call.say(f"Nothing changes: {outcome.reason}.")


def _show_scores(call: Call, scores: dict[str, Any]) -> None:
    """The best deals with their reasons."""
    rows = [
        {
            "lead_id": row["lead_id"],
            "customer": row["customer_name"],
            "value": money(row["deal_value"], call.currency, none=""),
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
        for row in scores["deals"]
    ]
    by = f"by {scores['model_version']}" if scores["model_version"] else "by the rates per score band"
    wins = "" if scores["expected_wins"] is None else f", {ratio(scores['expected_wins'])} wins expected"
    first = f"The first {len(rows):,} of " if 0 < len(rows) < scores["open_deals"] else ""
    title = f"{first}{scores['open_deals']:,} open deals as of {scores['as_of']}, scored {by}{wins}"
    call.records(title, rows)
    if not rows:
        call.say(f"{title}." if scores["open_deals"] else "No deal is open.")
    if scores["bands"]:
        bands = [
            {
                "band": band["band"],
                "score from": band["score_from"],
                "open deals": band["open_deals"],
                "closed deals": band["closed"],
                "won": percent(band["win_rate"], none=""),
            }
            for band in scores["bands"]
        ]
        call.records("Bands of the rule score, with the share won of closed deals", bands)
    for doubt in scores["doubts"]:
        call.say(f"{doubt}.")


def _show_explained(call: Call, explanation: dict[str, Any]) -> None:
    """One score with everything behind it."""
    account, rule = explanation["account"], explanation["rule_score"]
    deal = f"{explanation['deal']['lead_id']} of " if explanation["deal"] else ""
    call.say(f"{deal}{account['customer_name']} ({account['customer_id']}), as of {account['as_of']}")
    call.records(
        f"Rule score {rule['lead_score']} ({rule['lead_quality']})",
        [{"part": p["part"], "points": p["points"], "of": f"{p['of']:g}"} for p in rule["parts"]],
    )
    if changes := rule["what_would_change_it"]:
        call.records("What would change it", changes)
    else:
        call.say("No touch today would change it.", "")
    for row in explanation["scores"]:
        by = row["model_version"] or row["probability_source"]
        interval = (
            "" if row["probability_low"] is None else f" ({span(row['probability_low'], row['probability_high'])})"
        )
        trend = "" if row["trend"] == "not enough information" else f", {row['trend']}"
        call.say(
            f"{row['lead_id']}: {percent(row['probability'])}{interval} within {row['horizon_days']} days, {by}{trend}",
        )
        for sign, reasons in (("+", row["reasons_up"]), ("-", row["reasons_down"])):
            for reason in reasons or ():
                call.say(f"  {sign} {reason}")
    if explanation["model"]:
        for lead_id, detail in explanation["model"]["deals"].items():
            call.records(
                f"{lead_id}: what the model makes of it", detail["signals"][:10], explanation["model"]["trained_on"]
            )
            call.records(
                f"{lead_id}: if it looked otherwise",
                [
                    {"if": row["if"], "probability": percent(row["probability"], none="")}
                    for row in detail["if_it_looked_otherwise"]
                ],
                "Forecasts for deals that look like that; no promise that doing it has the effect.",
            )
    for name, title in (("deals", "Deals behind it"), ("touches", "Last touches behind it")):
        rows, total = explanation["rows"][name], explanation["total"][name]
        call.records(title + (f", {len(rows)} of {total:,}" if len(rows) < total else ""), rows)


def _show_watched(call: Call, watch: Watch) -> None:
    """Drift, calibration, bands and the recommendation."""
    call.records(
        f"Drift of the signals of open deals, as of {watch.as_of} (PSI; from 0.25 on others than learned from)",
        [{"signal": name, "psi": f"{psi:.3f}"} for name, psi in list(watch.drift.items())[:10]],
    )
    call.records(
        "Scores whose horizon is over",
        [
            {"by": name, "scores": f["n"], "forecast": percent(f["mean_forecast"], none=""), "won": percent(f["won_share"], none=""), "roc_auc": f["roc_auc"], "ece": f["ece"]}
            for name, f in watch.ended.items()
        ],
    )  # fmt: skip
    call.records(
        "Observed conversion per band",
        [
            {"by": b["means"], "band": b["lead_quality"], "scores": b["scores"], "forecast": percent(b["forecast"], none=""), "won": percent(b["converted"], none="")}
            for b in watch.bands
        ],
    )  # fmt: skip
    call.records(
        "Weeks after a score",
        [
            {"days": row["days"], "end": row["end"], "scores": row["scores"], "expected": row["expected"], "came": row["came"], "off by": ratio(row["off"], 1, after=" sd", none="too few")}
            for row in watch.short
        ],
        "In standard deviations; from 3.5 on something has changed.",
    )  # fmt: skip
    if watch.forecasts:
        f = watch.forecasts
        call.say(
            f"Forecasts of periods that are over: {f['forecasts']}, {percent(f['inside_80'])} inside their 80% interval, "
            f"{percent(f['inside_50'])} inside their 50% interval, mean error {percent(f['error'])}"
        )
    if not watch.ended:
        call.say("No score is old enough for its horizon to be over.")
    call.say(f"Recommendation: {watch.recommendation}. Because {'; '.join(watch.because)}.")
