"""The model card: what a model learned from, how good it is on later deals, and what it cannot say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from medallion.figures import percent
from medallion.scoring.leaks import CHECKS
from medallion.scoring.signals import SIGNALS

_FIGURES = ("n", "won_share", "mean_forecast", "roc_auc", "pr_auc", "brier", "log_loss", "ece", "lift_at_10")
_HEADS = ("", "n", "won", "forecast", "ROC-AUC", "PR-AUC", "Brier", "log loss", "ECE", "lift at 10%")
_NAMES = {"rules": "rates per score band", "logistic": "logistic regression", "xgboost": "XGBoost"}


def card(evaluation: dict[str, Any], names: Sequence[str], *, picture: bool = True) -> str:
    """The card as Markdown.

    Args:
        evaluation: What training found, as in evaluation.json.
        names: Signals that the model uses.
        picture: Whether reliability.svg lies beside it.
    """
    e = evaluation
    day = e["as_of"]
    parts = [
        "# Model card: P(an open deal is won)",
        f"**{_upper(_NAMES[e['champion']])}**, trained on {e['trained_on']}.",
        _warning(e["trained_on"]),
        f"It estimates the probability that an open deal is won within {e['horizon_days']} days. It learned from outcomes "
        f"up to {day}, and scores open deals from that day on.",
        "## Data",
        _table(
            ("what", "how much"),
            [
                ("closed deals with both dates", f"{e['closed_deals']['won']:,} won, {e['closed_deals']['lost']:,} lost"),
                ("deals in snapshots", f"{e['deals']['all']:,}"),
                ("snapshots learned from for the test", f"{e['snapshots']['train']:,}, cutoffs {e['first_cutoff'][:10]} to {e['train_until'][:10]}"),
                ("snapshots tested on", f"{e['snapshots']['test']:,} of {e['deals']['test']:,} deals, cutoffs {e['test_from'][:10]} to {e['test_until'][:10]}"),
                ("of these deals won in time", f"{e['won_deals_tested']:,}"),
            ],
        ),
        "One snapshot is one deal at one cutoff, every 27 days while it was open, with what had happened and was known "
        "strictly before. The model learns in which week or month a deal is won or lost; what is still open counts as "
        "far as it was observed. For the test it learned what was known when the test begins and nothing later, so that "
        f"no outcome is in both. {_settings(e)} The model that scores was then trained once more, with the same "
        "settings, on all snapshots.",
        "## On later deals",
        _figures(e),
        _gains(e),
        f"Of deals of accounts that the model had never seen: {_sentence(e['grouped_by_account'])}"
        if e["grouped_by_account"]
        else "",
        "## Reliability",
        "![Forecast and share won](reliability.svg)" if picture else "",
        _table(
            ("forecast", "from", "to", "won", "90% interval", "snapshots", "deals"),
            [
                (
                    percent(row["forecast"]), percent(row["from"]), percent(row["to"]), percent(row["won_share"]),
                    f"{percent(row['low'])} to {percent(row['high'])}", f"{row['snapshots']:,}", f"{row['deals']:,}",
                )
                for row in e["reliability"]
            ],
        ),
        *_segments(e),
        "## Leak checks",
        _table(
            ("check", "what is changed", "snapshots compared", "differ"),
            [(c["name"], CHECKS[c["name"]], str(c["rows"]), str(c["differ"])) for c in e["leak_checks"]],
        ),
        "## Signals",
        ", ".join(f"`{name}`" for name in names) + ".",
        _left_out(names, e["fixed_columns"]),
        _refused(e["left_out"]),
        "## Limits",
        _limits(e),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _warning(trained_on: str) -> str:
    if "simulated" not in trained_on:
        return ""
    return (
        "> **This model knows a simulated world, not your customers.** Its figures show that the method works; its "
        "probabilities mean nothing for real deals. Train on your own: `medallion train`."
    )


def _settings(e: dict[str, Any]) -> str:
    blocks = len(e["blocks"])
    if not blocks:
        return "There was too little before the test to choose settings or to calibrate."
    settings = e["candidates"][e["champion"]]["settings"]
    chosen = ", ".join(f"{name} {value:g}" for name, value in settings.items())
    return f"Settings ({chosen}) and calibration are those of {blocks} {'block' if blocks == 1 else 'blocks'} of time before the test."


def _figures(e: dict[str, Any]) -> str:
    rows = [("no model (base rate)", e["base_rate"])]
    rows += [
        (_NAMES[kind] + (" **(chosen)**" if kind == e["champion"] else ""), e["candidates"][kind])
        for kind in e["candidates"]
    ]
    return _table(_HEADS, [(label, *(_number(figures[name]) for name in _FIGURES)) for label, figures in rows])


def _gains(e: dict[str, Any]) -> str:
    sentences = []
    for kind, candidate in e["candidates"].items():
        if candidate["gain"]:
            g = candidate["gain"]
            verdict = "taken" if g["low"] > 0 else "not taken"
            sentences.append(
                f"{_upper(_NAMES[kind])} lowers the log loss of the best before it by {g['log_loss']:.4f} (90% interval "
                f"{g['low']:.4f} to {g['high']:.4f}, accounts drawn 1,000 times): {verdict}."
            )
    return " ".join(sentences)


def _sentence(figures: dict[str, Any]) -> str:
    return f"ROC-AUC {_number(figures['roc_auc'])}, log loss {_number(figures['log_loss'])}, ECE {_number(figures['ece'])}."


def _segments(e: dict[str, Any]) -> list[str]:
    parts = []
    for name, values in e["segments"].items():
        rows = [
            (
                value,
                f"{f['n']:,}",
                percent(f["won_share"]),
                percent(f["mean_forecast"]),
                _number(f["roc_auc"]),
                _number(f["ece"]),
            )
            for value, f in values.items()
        ]
        parts.append(
            f"### By {name.replace('_', ' ')}\n\n" + _table(("", "n", "won", "forecast", "ROC-AUC", "ECE"), rows)
        )
    return ["## Segments", *parts] if parts else []


def _left_out(names: Sequence[str], fixed: Sequence[str]) -> str:
    absent = [s.name for s in SIGNALS if s.name not in names]
    owner = (
        ""
        if fixed
        else " The owner of a deal is not used: many a CRM hands deals over when they are won (`fixed_columns`)."
    )
    gone = (
        f"Not used, since they are the same or unknown for all deals here: {', '.join(f'`{n}`' for n in absent)}."
        if absent
        else ""
    )
    return (gone + owner + " Names and contact details of people are never signals.").strip()


def _refused(left_out: Mapping[str, str]) -> str:
    return "\n".join(f"- Not used: `{name}`, since {reason}." for name, reason in left_out.items())


def _limits(e: dict[str, Any]) -> str:
    return (
        "- It ranks and estimates; it does not say that a call causes a win. Who is called is chosen by people, and the "
        "model has learned from their choices.\n"
        "- What came with the first export is taken to have been known when it happened; industry and size of an account "
        "are those of its last version then.\n"
        "- Its intervals are those of tested deals in the same tier, not of one deal.\n"
        f"- Outcomes after {e['as_of']} are unknown to it. `medallion monitor` says when the world has moved on."
    )


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    lines += [" | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _upper(name: str) -> str:
    return name[:1].upper() + name[1:]
