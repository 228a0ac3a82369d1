"""The rule score: a priority from 0 to 100 that anyone can recompute, without any outcome or revenue in it.

`lead_score = 30*fit + 35*engagement + 20*recency + 15*intent`, each part in [0, 1]; the weights are those of
`ScoreWeights`.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from medallion.columns import half_up, rounded
from medallion.features import AsOf, Features
from medallion.features.engagement import NANO, weight_of

RULES = Features("rule score")
#: The parts of the score.
PARTS = ("score_fit", "score_engagement", "score_recency", "score_intent")


def _unit(part: Column) -> Column:
    return rounded(F.greatest(F.lit(0.0), F.least(F.lit(1.0), part)), 6)


@RULES.add("double", "0-1")
def score_fit(
    as_of: AsOf, best_source_weight: Column, size_band: Column, has_email: Column, has_phone: Column
) -> Column:
    """How well the account fits: best source of its deals, company size, and whether it can be reached."""
    weights = as_of.weights
    source = F.coalesce(best_source_weight, F.lit(float(weights.source.get("other", 0.0))))
    reach = (has_email.cast("double") + has_phone.cast("double")) / F.lit(2.0)
    return _unit(
        F.lit(weights.fit.source) * source
        + F.lit(weights.fit.size) * weight_of(size_band, weights.size)
        + F.lit(weights.fit.reach) * reach
    )


@RULES.add("double", "0-1")
def score_engagement(as_of: AsOf, engagement_nano: Column) -> Column:
    """Weighted, fading touches, full at 2 (two fresh calls with a neutral outcome); 0 without touches."""
    raw = F.coalesce(engagement_nano, F.lit(0)).cast("double") / F.lit(float(NANO))
    return _unit(raw / F.lit(float(as_of.weights.engagement_full)))


@RULES.add("double", "0-1")
def score_recency(as_of: AsOf, days_since_last_interaction: Column) -> Column:
    """1 up to 14 days after the last touch, then halved every 30 days; 0 without touches."""
    weights = as_of.weights
    days = days_since_last_interaction.cast("double")
    late = F.greatest(F.lit(0.0), days - F.lit(weights.recency_grace_days))
    fading = F.pow(F.lit(2.0), -late / F.lit(float(weights.recency_half_life_days)))
    # greatest leaves nulls out, so without touches `late` would be 0 and the part full
    return F.when(days.isNull(), F.lit(0.0)).otherwise(_unit(fading))


@RULES.add("double", "0-1")
def score_intent(best_recent_intent: Column) -> Column:
    """Best outcome of the last 60 days; 0 without touches in them."""
    return _unit(F.coalesce(best_recent_intent, F.lit(0.0)))


@RULES.add("bigint", "0-100")
def lead_score(
    as_of: AsOf, score_fit: Column, score_engagement: Column, score_recency: Column, score_intent: Column
) -> Column:
    """30*fit + 35*engagement + 20*recency + 15*intent, rounded half up: a priority, not a probability."""
    parts = as_of.weights.parts
    return half_up(
        F.lit(float(parts.fit)) * score_fit
        + F.lit(float(parts.engagement)) * score_engagement
        + F.lit(float(parts.recency)) * score_recency
        + F.lit(float(parts.intent)) * score_intent
    )


@RULES.add("bigint", "0-100")
def engagement_score(score_engagement: Column) -> Column:
    """100 times the engagement part of the score."""
    return half_up(score_engagement * F.lit(100.0))


@RULES.add("string")
def lead_quality(as_of: AsOf, lead_score: Column) -> Column:
    """Band of the score: Hot from 80, Warm from 60, Cool from 40, else Cold."""
    bands = as_of.weights.bands
    return (
        F.when(lead_score >= bands.hot, "Hot")
        .when(lead_score >= bands.warm, "Warm")
        .when(lead_score >= bands.cool, "Cool")
        .otherwise("Cold")
    )
