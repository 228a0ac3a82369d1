"""The rule score: a priority from 0 to 100 that anyone can recompute, without any outcome or revenue in it.

`lead_score = 30*fit + 35*engagement + 20*recency + 15*intent`, each part in [0, 1]; the weights are those of
`ScoreWeights`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
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


#: Lowest score of each band but the last, as `with_thresholds` gives them.
THRESHOLDS = ("_hot_from", "_warm_from", "_cool_from")
_TEN = 10


def with_thresholds(customers: DataFrame, as_of: AsOf) -> DataFrame:
    """`customers` with the lowest score of each band, the same in every row.

    With `quarters_from` open deals or more, a score is in the quarter in which the middle one of its open deals lies,
    counted from the highest score: so a band of several scores never holds more than half of the open deals.

    Args:
        customers: Features with `lead_score` and `open_leads`.
        as_of: The as-of time.
    """
    bands = as_of.weights.bands
    fixed = {name: F.lit(score) for name, score in zip(THRESHOLDS, (bands.hot, bands.warm, bands.cool), strict=True)}
    if bands.quarters_from is None:
        return customers.withColumns(fixed)
    # sums over all rows, of tens of scores and then in one ten: a window in the order of scores would sort wide rows
    whole = Window.partitionBy()

    def down_to(score: Column) -> Column:
        return F.sum(F.when(F.col("lead_score") >= score, F.col("open_leads")).otherwise(0)).over(whole)

    row = customers.withColumns({f"_down_to_{ten}": down_to(F.lit(ten)) for ten in range(0, 101, _TEN)})
    total, quarters = F.col("_down_to_0"), dict(enumerate(THRESHOLDS, start=1))
    # the highest ten down to which the quarters are full; the threshold is in it, or is its end
    full = {k: [F.col(f"_down_to_{ten}") * 4 >= total * k for ten in range(_TEN, 101, _TEN)] for k in quarters}
    row = row.withColumns({f"_ten_{k}": F.lit(_TEN) * _number(full[k]) for k in quarters})
    inside = {f"_of_{k}_{unit}": down_to(F.col(f"_ten_{k}") + unit) for k in quarters for unit in range(_TEN + 1)}
    row = row.withColumns(inside)
    # the middle of a score lies halfway between the deals above it and those down to it
    below = {
        k: [(F.col(f"_of_{k}_{unit}") + F.col(f"_of_{k}_{unit + 1}")) * 2 >= total * k for unit in range(_TEN)]
        for k in quarters
    }
    lowest = {name: F.col(f"_ten_{k}") + _number(below[k]) for k, name in quarters.items()}
    divides = total >= bands.quarters_from
    return row.withColumns({name: F.when(divides, lowest[name]).otherwise(fixed[name]) for name in THRESHOLDS})


def _number(conditions: Iterable[Column]) -> Column:
    return reduce(Column.__add__, (condition.cast("bigint") for condition in conditions))


@RULES.add("string")
def lead_quality(lead_score: Column, _hot_from: Column, _warm_from: Column, _cool_from: Column) -> Column:
    """Band of the score: Hot from 80, Warm from 60, Cool from 40, else Cold; with 200 open deals or more, the quarters of
    these by score, the highest first.
    """
    return (
        F.when(lead_score >= _hot_from, "Hot")
        .when(lead_score >= _warm_from, "Warm")
        .when(lead_score >= _cool_from, "Cool")
        .otherwise("Cold")
    )
