"""Why a deal or an account has its score: the parts, the reasons, what would change it, the rows behind it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import functions as F

from medallion import contracts
from medallion.config import Settings, end_of_day
from medallion.errors import LakehouseError
from medallion.lakehouse import contracts_in_use, query
from medallion.lakehouse.session import session
from medallion.lakehouse.store import Lakehouse
from medallion.learning.facts import current_facts
from medallion.pipeline import models
from medallion.scoring import reasons, snapshots
from medallion.weights import ScoreWeights

if TYPE_CHECKING:
    import pyarrow as pa

    from medallion.scoring.registry import Entry

_PARTS = ("fit", "engagement", "recency", "intent")
_ROWS = 10
#: What could happen next, by channel and outcome, for the rule score.
_ACTIONS = (
    ("a call with a positive answer today", "call", "positive"),
    ("a meeting booked by e-mail today", "email", "meeting_booked"),
    ("a call without an answer today", "call", "no_answer"),
)


def explain(settings: Settings, key: str) -> dict[str, Any]:
    """Everything about one score; `key` is a deal's or an account's.

    Raises:
        LakehouseError: There is no lakehouse, or neither a deal nor an account of that key.
    """
    lake = Lakehouse(settings.lakehouse)
    for name in ("gold.customer_features", "gold.deals", "gold.lead_scores"):
        lake.delta(name)
    wanted = "".join(key.split()).upper()
    with query.connect(lake, layers=["gold", "silver"]) as connection:

        def rows(sql: str, *parameters: Any) -> list[dict[str, Any]]:
            return query.rows(connection, sql, parameters)

        deal = rows("select * from gold.deals where upper(lead_id) = $1", wanted)
        customer_id = deal[0]["customer_id"] if deal else None
        accounts = rows("select * from gold.customer_features where upper(customer_id) = $1", customer_id or wanted)
        if not accounts:
            raise LakehouseError(
                f"{key}: there is no deal and no account of that key in gold",
                "Keys are those of gold.deals and gold.customer_features.",
            )
        account = accounts[0]
        scored = rows(
            "select * from gold.lead_scores where customer_id = $1 and ($2 is null or lead_id = $2) and as_of = $3 "
            "qualify row_number() over (partition by lead_id order by known_as_of desc) = 1 "
            "order by probability desc nulls last, lead_id",
            account["customer_id"], deal[0]["lead_id"] if deal else None, account["as_of"],
        )  # fmt: skip
        behind = {
            "touches": rows(
                "select interaction_id, lead_id, channel, outcome, occurred_at, _source_file as file, "
                "_source_row as line from silver.interactions_clean where customer_id = $1 and occurred_at < $2 "
                f"order by occurred_at desc, interaction_id limit {_ROWS}",
                account["customer_id"], end_of_day(account["as_of"]),
            ),
            "deals": rows(
                "select lead_id, source, status, created_at, closed_at, _source_file as file, _source_row as line "
                f"from silver.leads_clean where customer_id = $1 order by created_at desc, lead_id limit {_ROWS}",
                account["customer_id"],
            ),
        }  # fmt: skip
        totals = {
            "touches": rows(
                "select count(*) as n from silver.interactions_clean where customer_id = $1 and occurred_at < $2",
                account["customer_id"], end_of_day(account["as_of"]),
            )[0]["n"],
            "deals": rows("select count(*) as n from silver.leads_clean where customer_id = $1", account["customer_id"])[0]["n"],
        }  # fmt: skip
    entry = models.champion(settings)
    ids = [row["lead_id"] for row in scored if row["model_version"] and entry]
    return {
        "deal": deal[0] if deal else None,
        "account": {
            name: account[name]
            for name in ("customer_id", "customer_name", "industry", "size_band", "open_leads", "probability_to_convert", "probability_source", "as_of")
        },
        "rule_score": rule_score(account, settings.score),
        "scores": scored,
        "model": _by_model(settings, lake, entry, account["as_of"], account["customer_id"], ids) if entry and ids else None,
        "rows": behind,
        "total": totals,
    }  # fmt: skip


def rule_score(account: dict[str, Any], weights: ScoreWeights) -> dict[str, Any]:
    """The parts of the rule score in points, and what a touch of today would make of it, where that is another score."""
    points = {part: getattr(weights.parts, part) for part in _PARTS}
    return {
        "lead_score": account["lead_score"],
        "lead_quality": account["lead_quality"],
        "parts": [
            {"part": part, "value": account[f"score_{part}"], "points": round(account[f"score_{part}"] * points[part], 1), "of": points[part]}
            for part in _PARTS
        ],
        "what_would_change_it": sorted(
            (
                {"if": words, "lead_score": after}
                for words, channel, outcome in _ACTIONS
                if (after := _after(account, weights, channel, outcome)) != account["lead_score"]
            ),
            key=lambda item: -item["lead_score"],
        ),
    }  # fmt: skip


def _after(account: dict[str, Any], weights: ScoreWeights, channel: str, outcome: str) -> int:
    """The rule score after one more touch today."""
    touch = weights.channel[channel] * weights.outcome[outcome]
    values = {
        "fit": account["score_fit"],
        "engagement": min(1.0, max(0.0, account["score_engagement"] + touch / weights.engagement_full)),
        "recency": 1.0,
        "intent": max(account["score_intent"], weights.intent[outcome]),
    }
    return int(sum(values[part] * getattr(weights.parts, part) for part in _PARTS) + 0.5)


def _by_model(
    settings: Settings, lake: Lakehouse, entry: Entry, day: Any, customer_id: str, ids: list[str]
) -> dict[str, Any]:
    """Exact contributions of every signal, and what the probability would be if the deal were different."""
    spark = session(settings.engine, settings.memory_gib)

    facts = current_facts(spark, lake, contracts.entities(contracts_in_use.overrides(lake, settings.contracts)))
    facts = replace(
        facts,
        customers=facts.customers.filter(F.col("customer_id") == customer_id),
        interactions=facts.interactions.filter(F.col("customer_id") == customer_id),
    )
    at: datetime = end_of_day(day)
    table = snapshots.snapshots(facts, [at], settings.score, entry.fixed, [customer_id], entry.own).toArrow()
    model = entry.scorer.model
    effects = entry.scorer.contributions(table, exact=True)
    phrases = reasons.phrases(entry.own)
    words = {name: phrases[name].of(table[name].combine_chunks()).to_pylist() for name in model.names}
    explanation: dict[str, Any] = {"version": entry.scorer.version, "trained_on": entry.scorer.trained_on, "deals": {}}
    for place, row in enumerate(table.to_pylist()):
        if row["lead_id"] not in ids:
            continue
        signals = [
            {"signal": name, "says": words[name][place], "effect_on_log_odds": round(float(effects[place, column]), 4)}
            for column, name in enumerate(model.names)
        ]
        deal = table.slice(place, 1)
        explanation["deals"][row["lead_id"]] = {
            "signals": sorted(signals, key=lambda item: -abs(item["effect_on_log_odds"])),
            "if_it_looked_otherwise": [
                {"if": label, "probability": round(float(entry.scorer.probabilities(_changed(deal, change))[0]), 4)}
                for label, change in _OTHERWISE.items()
            ],
        }
    return explanation


def _changed(row: pa.Table, change: dict[str, Any]) -> pa.Table:
    """One row of signals with some of them changed: by a function of the old value."""
    for name, new in change.items():
        old = row[name][0].as_py()
        value = new(old) if callable(new) else new
        row = row.set_column(
            row.schema.get_field_index(name), row.schema.field(name), pa.array([value], row.schema.field(name).type)
        )
    return row  # fmt: skip


def _one_more(old: float | None) -> float:
    return (old or 0) + 1


def _later(old: float | None) -> float | None:
    return None if old is None else old + 30


def _half(old: float | None) -> float | None:
    return None if old is None else old / 2


_TOUCHED: dict[str, Any] = {
    **dict.fromkeys(("touches_30d", "touches_90d", "touches_365d", "deal_touches", "deal_touches_30d"), _one_more),
    **dict.fromkeys(("days_since_touch", "days_since_deal_touch"), 0),
}
_FADING = ("deal_meetings_booked", "deal_positive", "deal_neutral", "deal_negative", "deal_meetings", "deal_calls")
#: Signals as they would be; a forecast for a deal that looks like that, no promise of an effect.
_OTHERWISE: dict[str, dict[str, Any]] = {
    "a call with a positive answer today": {
        **_TOUCHED, "positive_365d": _one_more, "days_since_positive": 0, "deal_positive": _one_more, "deal_calls": _one_more,
    },
    "a meeting booked by e-mail today": {
        **_TOUCHED, "positive_365d": _one_more, "days_since_positive": 0, "deal_meetings_booked": _one_more,
    },
    "thirty more days of silence": {
        **dict.fromkeys(("days_open", "account_age_days", "days_since_touch", "days_since_positive", "days_since_deal_touch", "days_in_stage"), _later),
        **dict.fromkeys(_FADING, _half), "touches_30d": 0, "deal_touches_30d": 0,
    },
}  # fmt: skip
