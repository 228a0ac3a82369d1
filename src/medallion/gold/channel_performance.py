"""`gold.channel_performance`: what each channel brings and what it costs in attention."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from medallion.columns import rounded, share, wilson
from medallion.features import Moment, interactions_as_of, leads_as_of
from medallion.features.touches import OUTCOMES, is_positive

#: Days before a win in which a touch has a part in it.
ATTRIBUTION_DAYS = 90
UNATTRIBUTED = "unattributed"
_Z_95 = 1.96


def channel_performance(leads: DataFrame, interactions: DataFrame, moment: Moment) -> DataFrame:
    """One row per channel; its `attributed_revenue` adds up to all revenue.

    Attribution is linear: the value of a won deal is shared among the touches of its customer in the 90 days
    before the win, cent by cent, what cannot be divided going to the channel with most touches. A win without
    such a touch is in the row `unattributed`.
    """
    touches = interactions_as_of(interactions, moment)
    measured = touches.groupBy("channel").agg(
        F.count(F.lit(1)).alias("interactions"),
        F.countDistinct("customer_id").alias("customers"),
        *(F.count_if(F.col("outcome") == outcome).alias(outcome) for outcome in OUTCOMES),
        F.count_if(is_positive()).alias("positive_touches"),
        F.coalesce(F.sum("duration_minutes"), F.lit(0)).alias("total_duration_minutes"),
        F.max("occurred_at").alias("last_interaction_at"),
    )
    revenue = attributed_revenue(leads_as_of(leads, moment), touches)
    joined = measured.join(revenue, on="channel", how="full")
    counts = ("interactions", "customers", *OUTCOMES, "positive_touches", "total_duration_minutes")
    whole = joined.withColumns({name: F.coalesce(name, F.lit(0).cast("bigint")) for name in counts}).withColumns(
        {
            "attributed_revenue": F.coalesce("attributed_revenue", F.lit(0).cast("decimal(18,2)")),
            "attributed_deals": F.coalesce("attributed_deals", F.lit(0.0)),
        }
    )
    positive, all_touches = F.col("positive_touches"), F.col("interactions")
    low, high = wilson(positive, all_touches, _Z_95)
    minutes = F.col("total_duration_minutes")
    return whole.select(
        "channel",
        *counts,
        rounded(share(minutes, all_touches), 2).alias("average_duration_minutes"),
        share(positive, all_touches).alias("positive_rate"),
        low.alias("positive_rate_low"),
        high.alias("positive_rate_high"),
        "attributed_revenue",
        "attributed_deals",
        rounded(share(F.col("attributed_revenue"), all_touches), 2).alias("revenue_per_interaction"),
        rounded(share(minutes, positive), 2).alias("minutes_per_positive"),
        rounded(share(minutes * 1000, F.col("attributed_revenue")), 4).alias("minutes_per_1000_usd"),
        "last_interaction_at",
    )


def attributed_revenue(deals: DataFrame, touches: DataFrame) -> DataFrame:
    """Revenue and deals won per channel: `channel`, `attributed_revenue`, `attributed_deals`."""
    won = deals.filter(F.col("status") == "won").select(
        "lead_id",
        F.col("customer_id").alias("_customer"),
        "closed_at",
        F.coalesce((F.col("deal_value") * 100).cast("bigint"), F.lit(0)).alias("cents"),
    )
    mine = touches.select("customer_id", "channel", "occurred_at")
    age = F.datediff(F.col("closed_at"), F.col("occurred_at"))
    near = (
        (F.col("customer_id") == F.col("_customer"))
        & (F.col("occurred_at") < F.col("closed_at"))
        & (age <= ATTRIBUTION_DAYS)
    )
    counted = won.join(mine, near, how="inner").groupBy("lead_id", "cents", "channel").agg(F.count(F.lit(1)).alias("n"))
    deal = Window.partitionBy("lead_id")
    shared = counted.withColumns(
        {"total": F.sum("n").over(deal), "place": F.row_number().over(deal.orderBy(F.desc("n"), "channel"))}
    ).withColumn("part", F.floor(F.expr("(cents * n) div total")))
    left_over = F.col("cents") - F.sum("part").over(deal)
    parts = shared.select(
        "lead_id",
        "channel",
        (F.col("part") + F.when(F.col("place") == 1, left_over).otherwise(F.lit(0))).alias("part"),
        # whole millionths, since a sum of doubles would depend on the order of rows
        rounded(F.col("n") / F.col("total") * F.lit(1e6)).cast("bigint").alias("micro_deals"),
    )
    untouched = won.join(parts.select("lead_id").distinct(), on="lead_id", how="left_anti").select(
        "lead_id",
        F.lit(UNATTRIBUTED).alias("channel"),
        F.col("cents").alias("part"),
        F.lit(1_000_000).cast("bigint").alias("micro_deals"),
    )
    return (
        parts.unionByName(untouched)
        .groupBy("channel")
        .agg(
            (F.sum("part").cast("decimal(20,0)") / F.lit(100).cast("decimal(3,0)"))
            .cast("decimal(18,2)")
            .alias("attributed_revenue"),
            rounded(F.sum("micro_deals") / F.lit(1e6), 4).alias("attributed_deals"),
        )
    )
