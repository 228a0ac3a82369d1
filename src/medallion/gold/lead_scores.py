"""`gold.lead_scores`: every score that was ever given to an open deal, with its reasons and its trend."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from medallion.columns import rounded
from medallion.features import AsOf
from medallion.scoring.base_rate import NO_EVIDENCE, SOURCE

#: A change of the odds by less than a tenth is no trend.
_STEADY = 0.1
#: Days within which a score counts as the last one.
_LOOK_BACK_DAYS = 120
_CURVES = {
    "probability_lost": "double",
    "won_by": "array<double>",
    "lost_by": "array<double>",
    "close_date": "date",
    "close_date_low": "date",
    "close_date_high": "date",
}
_OF_MODEL = {
    "tier": "bigint",
    "model_version": "string",
    "horizon_days": "bigint",
    "reasons_up": "array<string>",
    "reasons_down": "array<string>",
    **_CURVES,
}


def lead_scores(
    deals: DataFrame,
    customer_features: DataFrame,
    scored: DataFrame | None,
    previous: DataFrame | None,
    as_of: AsOf,
    known_as_of: datetime,
) -> DataFrame:
    """One row per open deal; to be appended.

    Args:
        deals: `gold.deals` of the as-of time, whose probabilities and intervals these are.
        customer_features: `gold.customer_features` of the same time.
        scored: A model's scores of the open deals; None without a model.
        previous: The table so far, or what `newest` leaves of it; None where there is none.
        as_of: The as-of time.
        known_as_of: Only what was known before this time counts.
    """
    opened = deals.filter(F.col("status") == "open").select(
        "lead_id",
        "customer_id",
        "probability_to_convert",
        "probability_low",
        "probability_high",
        "lead_score",
        "lead_quality",
        "as_of",
    )
    account = customer_features.select(
        "customer_id",
        "score_fit",
        "score_engagement",
        "score_recency",
        "score_intent",
        "days_since_last_interaction",
    )
    row = opened.join(account, on="customer_id", how="left")
    if scored is not None:
        model_scores = scored.select("lead_id", *_OF_MODEL)
        row = row.join(model_scores, on="lead_id", how="left")
    else:
        row = row.withColumns({name: F.lit(None).cast(kind) for name, kind in _OF_MODEL.items()})
    by_model = F.col("model_version").isNotNull()
    p = F.col("probability_to_convert")
    up, down = _rule_reasons(as_of)
    row = row.withColumns(
        {
            "probability_source": F.when(by_model, "model").when(p.isNotNull(), SOURCE).otherwise(NO_EVIDENCE),
            "horizon_days": F.coalesce("horizon_days", F.lit(as_of.weights.horizon_days).cast("bigint")),
            "reasons_up": F.when(by_model, F.col("reasons_up")).otherwise(up),
            "reasons_down": F.when(by_model, F.col("reasons_down")).otherwise(down),
        }
    )
    return _with_trend(row, previous, as_of).select(
        "lead_id",
        "customer_id",
        "as_of",
        F.lit(known_as_of.isoformat(sep=" ")).cast("timestamp").alias("known_as_of"),
        "probability_source",
        "model_version",
        "horizon_days",
        p.alias("probability"),
        "probability_low",
        "probability_high",
        *_CURVES,
        "tier",
        "lead_score",
        "lead_quality",
        "reasons_up",
        "reasons_down",
        "previous_probability",
        "previous_as_of",
        "trend",
    )


def newest(scores: DataFrame, day: date, others: Collection[str]) -> DataFrame:
    """The scores of a day, and every score of some other deals: the last one of each deal is among them where `others` are
    the deals that have none of that day.
    """
    wanted = F.col("as_of") == F.lit(day)
    return scores.filter(wanted | F.col("lead_id").isin(*others) if others else wanted)


def _with_trend(row: DataFrame, previous: DataFrame | None, as_of: AsOf) -> DataFrame:
    """With the last score by the same means on an earlier day, and where it went from there."""
    if previous is None:
        none = {"previous_probability": "double", "previous_as_of": "date"}
        row = row.withColumns({name: F.lit(None).cast(kind) for name, kind in none.items()})
    else:
        age = F.datediff(as_of.today, F.col("as_of"))
        before = previous.filter((age > 0) & (age <= _LOOK_BACK_DAYS) & F.col("probability").isNotNull())
        # a row for each deal and day: the last day by a hash first, so that little is left to sort
        days = before.groupBy("lead_id").agg(F.max("as_of").alias("as_of"))
        latest = Window.partitionBy("lead_id").orderBy(F.desc("known_as_of"))
        before = before.join(days, on=["lead_id", "as_of"])
        before = before.withColumn("_place", F.row_number().over(latest)).filter(F.col("_place") == 1)
        before = before.select(
            "lead_id",
            F.col("probability").alias("_before"),
            F.col("as_of").alias("_before_as_of"),
            F.coalesce("model_version", "probability_source").alias("_before_by"),
        )
        same = F.coalesce("model_version", "probability_source") == F.col("_before_by")
        row = row.join(before, on="lead_id", how="left").withColumns(
            {
                "previous_probability": F.when(same, F.col("_before")),
                "previous_as_of": F.when(same, F.col("_before_as_of")),
            }
        )
    change = _log_odds(F.col("probability_to_convert")) - _log_odds(F.col("previous_probability"))
    trend = (
        F.when(change.isNull(), "not enough information")
        .when(change > _STEADY, "improving")
        .when(change < -_STEADY, "declining")
        .otherwise("steady")
    )
    return row.withColumn("trend", trend)


def _log_odds(p: Column) -> Column:
    bounded = F.greatest(F.lit(1e-6), F.least(F.lit(1 - 1e-6), p))
    return F.when(p.isNotNull(), F.log(bounded / (F.lit(1.0) - bounded)))


def _rule_reasons(as_of: AsOf) -> tuple[Column, Column]:
    """What the rule score says, for deals that no model scores: its full parts and its empty ones."""
    weights, days = as_of.weights.parts, F.col("days_since_last_interaction")
    last = (
        F.when(days.isNull(), "never touched")
        .when(days == 0, "touched today")
        .when(days == 1, "last touch 1 day ago")
        .otherwise(F.concat(F.lit("last touch "), days.cast("string"), F.lit(" days ago")))
    )
    parts = {
        "score_fit": ("Fits well", "Fits poorly", None, weights.fit),
        "score_engagement": ("Much engagement", "Little engagement", None, weights.engagement),
        "score_recency": ("In touch", "Out of touch", last, weights.recency),
        "score_intent": ("Clear intent in 60 days", "No clear intent in 60 days", None, weights.intent),
    }
    up, down = [], []
    for name, (well, badly, more, points) in parts.items():
        detail = F.concat(
            F.lit(" ("),
            *([more, F.lit("; ")] if more is not None else []),
            rounded(F.col(name) * F.lit(float(points))).cast("bigint").cast("string"),
            F.lit(f" of {points:g} points)"),
        )
        up.append(F.when(F.col(name) >= 0.7, F.concat(F.lit(well), detail)))
        down.append(F.when(F.col(name) < 0.4, F.concat(F.lit(badly), detail)))
    return F.array_compact(F.array(*up)), F.array_compact(F.array(*down))
