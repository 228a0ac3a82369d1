"""`gold.channel_performance`: what each channel brings and what it costs in attention."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion.columns import rounded, share, wilson
from medallion.features import AsOf, interactions_as_of
from medallion.features.engagement import CHANNELS, OUTCOMES, is_positive
from medallion.gold.attribution import attribution
from medallion.gold.touch_days import touch_days

_Z_95 = 1.96


def channel_performance(
    leads: DataFrame,
    interactions: DataFrame,
    as_of: AsOf,
    days: DataFrame | None = None,
    attributed: DataFrame | None = None,
    totals: DataFrame | None = None,
) -> DataFrame:
    """One row per channel; its `attributed_revenue` adds up to all revenue, `unattributed` is that of no channel.

    Args:
        leads: `silver.leads_clean`, or its rewound history.
        interactions: `silver.interactions_clean`, or its rewound history.
        as_of: The as-of time.
        days: `gold.touch_days` of that time; made from the touches when None.
        attributed: `gold.attribution` of that time; made from deals and touches when None.
        totals: `gold.touch_totals` of that time, where there are no other channels than it has; customers are
            counted among the touches when None.
    """
    days = touch_days(interactions, as_of) if days is None else days
    attributed = attribution(leads, interactions, as_of) if attributed is None else attributed
    measured = days.groupBy("channel").agg(
        F.sum("touches").alias("interactions"),
        *(F.sum(F.when(F.col("outcome") == name, F.col("touches")).otherwise(0)).alias(name) for name in OUTCOMES),
        F.sum(F.when(is_positive(), F.col("touches")).otherwise(0)).alias("positive_touches"),
        F.sum("duration_minutes").alias("total_duration_minutes"),
        F.max("last_at").alias("last_interaction_at"),
    )
    customers = _touched(interactions, as_of) if totals is None else _counted(totals)
    measured = measured.join(customers, on="channel", how="left")
    revenue = attributed.groupBy("channel").agg(
        F.sum("attributed_revenue").cast("decimal(18,2)").alias("attributed_revenue"),
        rounded(F.sum("deal_millionths") / F.lit(1e6), 4).alias("attributed_deals"),
    )
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


def _touched(interactions: DataFrame, as_of: AsOf) -> DataFrame:
    touches = interactions_as_of(interactions, as_of)
    return touches.groupBy("channel").agg(F.countDistinct("customer_id").alias("customers"))


def _counted(totals: DataFrame) -> DataFrame:
    """Customers per channel, from the touches that each has had over it."""
    sums = totals.groupBy("customer_id").agg(*(F.sum(f"{name}_touches").alias(name) for name in CHANNELS))
    row = sums.agg(*(F.count_if(F.col(name) > 0).alias(name) for name in CHANNELS))
    pairs = [F.struct(F.lit(name).alias("channel"), F.col(name).alias("customers")) for name in CHANNELS]
    return row.select(F.explode(F.array(*pairs)).alias("pair")).select("pair.channel", "pair.customers")
