"""The rule score: a priority from 0 to 100 that anyone can recompute, without any outcome or revenue in it.

`lead_score = 30*fit + 35*engagement + 20*recency + 15*intent`, each part in [0, 1]; the weights are those of
`ScoreWeights`.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from medallion.columns import half_up, rounded
from medallion.features import Features, Moment
from medallion.features.touches import NANO, weight_of

RULES = Features("rule score")


def _unit(part: Column) -> Column:
    return rounded(F.greatest(F.lit(0.0), F.least(F.lit(1.0), part)), 6)


@RULES.add("double", "0-1")
def score_fit(moment: Moment) -> Column:
    """How well the account fits: best source of its deals, company size, and whether it can be reached."""
    weights = moment.weights
    source = F.coalesce("best_source_weight", F.lit(float(weights.source.get("other", 0.0))))
    reach = (F.col("has_email").cast("double") + F.col("has_phone").cast("double")) / F.lit(2.0)
    return _unit(
        F.lit(weights.fit.source) * source
        + F.lit(weights.fit.size) * weight_of("size_band", weights.size)
        + F.lit(weights.fit.reach) * reach
    )


@RULES.add("double", "0-1")
def score_engagement(moment: Moment) -> Column:
    """Weighted, fading touches, full at 2 (two fresh calls with a neutral outcome); 0 without touches."""
    raw = F.coalesce("engagement_nano", F.lit(0)).cast("double") / F.lit(float(NANO))
    return _unit(raw / F.lit(float(moment.weights.engagement_full)))


@RULES.add("double", "0-1")
def score_recency(moment: Moment) -> Column:
    """1 up to 14 days after the last touch, then halved every 30 days; 0 without touches."""
    weights = moment.weights
    days = F.col("days_since_last_interaction").cast("double")
    late = F.greatest(F.lit(0.0), days - F.lit(weights.recency_grace_days))
    fading = F.pow(F.lit(2.0), -late / F.lit(float(weights.recency_half_life_days)))
    # greatest leaves nulls out, so without touches `late` would be 0 and the part full
    return F.when(days.isNull(), F.lit(0.0)).otherwise(_unit(fading))


@RULES.add("double", "0-1")
def score_intent(moment: Moment) -> Column:
    """Best outcome of the last 60 days; 0 without touches in them."""
    return _unit(F.coalesce("best_recent_intent", F.lit(0.0)))


BANDING = Features("rule score")


@BANDING.add("bigint", "0-100")
def lead_score(moment: Moment) -> Column:
    """30*fit + 35*engagement + 20*recency + 15*intent, rounded half up: a priority, not a probability."""
    parts = moment.weights.parts
    return half_up(
        F.lit(float(parts.fit)) * F.col("score_fit")
        + F.lit(float(parts.engagement)) * F.col("score_engagement")
        + F.lit(float(parts.recency)) * F.col("score_recency")
        + F.lit(float(parts.intent)) * F.col("score_intent")
    )


QUALITY = Features("rule score")


@QUALITY.add("bigint", "0-100")
def engagement_score(moment: Moment) -> Column:
    """100 times the engagement part of the score."""
    return half_up(F.col("score_engagement") * F.lit(100.0))


@QUALITY.add("string")
def lead_quality(moment: Moment) -> Column:
    """Band of the score: Hot from 80, Warm from 60, Cool from 40, else Cold."""
    bands = moment.weights.bands
    score = F.col("lead_score")
    return (
        F.when(score >= bands.hot, "Hot")
        .when(score >= bands.warm, "Warm")
        .when(score >= bands.cool, "Cool")
        .otherwise("Cold")
    )
