"""What the stage of an open deal adds to the base rate of its age.

Deals are counted at the ages of `base_rate.ages`, as the base rate counts them, by the stage that they were in on that
day. A stage whose deals were won clearly more or less often within the horizon than deals of their ages stands apart:
the odds of all stages that stand apart on the same side are shrunk together. Only stages that a file of stage changes
tells are counted: the row of a deal tells the stage of the past for deals that are still open, and these were not won.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from medallion.columns import rounded
from medallion.features import AsOf
from medallion.features.deals import cycle_days

#: Groups of stages: those that stand for nothing, those whose deals were won less often, and more often.
USUAL, SELDOM, OFTEN = GROUPS = (0, 1, 2)
#: Counted deals from which a stage may stand apart, and how many times the odds have to be for it.
_LEAST, _APART = 40, 1.25


def stage_rates(deals: DataFrame, stays: DataFrame, curve: DataFrame, as_of: AsOf, ages: tuple[int, ...]) -> DataFrame:
    """One row per stage that stands apart: `_stage`, its `_group`, the odds of that group as a multiple of those of all
    deals of the same ages, `_stage_odds`, and how many deals tell it, `_stage_told`.

    Args:
        deals: `leads_as_of`.
        stays: `gold.stage_history` of the same time.
        curve: `base_rate.curve` of the deals.
        as_of: The as-of time.
        ages: Ages in days at which deals are counted.
    """
    horizon, opened = as_of.weights.horizon_days, F.col("created_at").cast("date")
    cycle = cycle_days()
    dated = deals.select(
        F.col("lead_id").alias("_deal"),
        opened.alias("_opened"),
        (as_of.days_since(F.col("created_at")) - F.lit(horizon)).alias("_oldest"),
        F.when(F.col("status") != "open", F.coalesce(cycle, F.lit(-1))).alias("_ended_after"),
        F.when(F.col("status") == "won", cycle).alias("_won_after"),
    )
    from_file = stays.filter((F.col("told_by") == "file") & F.col("stage").isNotNull())
    each = from_file.join(dated, F.col("lead_id") == F.col("_deal")).crossJoin(curve)
    # not columns of their own: a plan of too many steps within each other cannot be sent to a declarative pipeline
    entered, left = (F.datediff(F.col(name).cast("date"), F.col("_opened")) for name in ("entered_at", "left_at"))
    counted: dict[str, list[Column]] = {"_seen": [], "_won": [], "_expected": []}
    for place, age in enumerate(ages, start=1):
        was_open = F.col("_ended_after").isNull() | (F.col("_ended_after") > age)
        there = (entered <= age) & (left.isNull() | (left > age))
        counts = F.coalesce((was_open & (F.col("_oldest") >= age)) & there, F.lit(False))
        counted["_seen"].append(F.count_if(counts))
        counted["_won"].append(F.count_if(counts & F.coalesce(F.col("_won_after") < age + horizon, F.lit(False))))
        counted["_expected"].append(F.count_if(counts) * F.max(_rate(F.element_at("_odds", place))))
    by_age = each.groupBy("stage").agg(
        *(column.cast("double").alias(f"{name}_{k}") for name, of in counted.items() for k, column in enumerate(of))
    )
    totals = by_age.select(
        "stage",
        *(reduce(Column.__add__, (F.col(f"{name}_{k}") for k in range(len(ages)))).alias(name) for name in counted),
    )
    prior = float(as_of.weights.prior_leads)
    odds = _odds(F.col("_seen"), F.col("_won"), F.col("_expected"), prior)
    with_odds = totals.withColumn("_own_odds", F.when(F.col("_seen") >= _LEAST, odds))
    own = F.col("_own_odds")
    grouped = with_odds.withColumn("_group", F.when(own > _APART, OFTEN).when(own < 1 / _APART, SELDOM))
    mates = Window.partitionBy("_group")
    # whole millionths, since the order of rows must not matter
    millionths = rounded(F.col("_expected") * 1e6).cast("bigint")
    of_group = {"_seen": F.sum("_seen"), "_won": F.sum("_won"), "_expected": F.sum(millionths)}
    summed = grouped.select("stage", "_group", *(column.over(mates).alias(name) for name, column in of_group.items()))
    summed = summed.withColumn("_expected", F.col("_expected").cast("double") / 1e6)
    rates = summed.select(
        F.col("stage").alias("_stage"),
        "_group",
        F.when(F.col("_group").isNotNull(), odds).alias("_stage_odds"),
        F.col("_seen").cast("double").alias("_stage_told"),
    )
    # by the odds: the engine would write what a group is made of into every table below
    return rates.filter(F.col("_stage_odds").isNotNull())


def _rate(times: Column) -> Column:
    """The rate of an age whose odds are so many times those of a new deal."""
    new = F.col("_rate")
    return times * new / (F.lit(1.0) + (times - F.lit(1.0)) * new)


def _odds(seen: Column, won: Column, expected: Column, prior: float) -> Column:
    """The odds as a multiple of those expected, shrunk by the weight of `prior` deals."""
    usual = F.greatest(expected, F.lit(1e-9)) / F.greatest(
        seen, F.lit(1.0)
    )  # a stage without counted deals is left out
    share = (won + F.lit(prior) * usual) / (seen + F.lit(prior))
    return share / (F.lit(1.0) - share) / (usual / (F.lit(1.0) - usual))
