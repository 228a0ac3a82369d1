"""`gold.touch_totals`: touches added up by customer, what the figures of customers are made from.

A delivery adds rows of its own, so that figures follow without every touch being counted again. Whoever reads the table
adds up: a customer has one row per reading.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion.features import AsOf, interactions_as_of
from medallion.features.engagement import CHANNELS, OUTCOMES, is_channel, is_positive, totals_cache_key, weighed_nano


def touch_totals(interactions: DataFrame, as_of: AsOf, high_watermark: str | None = None) -> DataFrame:
    """One row per customer.

    Args:
        interactions: `silver.interactions_clean`, its rewound history, or what a delivery has added to it.
        as_of: The as-of time.
        high_watermark: When the newest of these touches was learned, as text in UTC; None when the rows are not to be
            added to.
    """
    at = F.col("occurred_at")
    by_channel = [
        column
        for name in CHANNELS
        for column in (
            F.count_if(is_channel(name)).alias(f"{name}_touches"),
            F.count_if(is_channel(name) & is_positive()).alias(f"{name}_positive"),
            F.max(F.when(is_channel(name), at)).alias(f"{name}_last_at"),
        )
    ]
    return (
        interactions_as_of(interactions, as_of)
        .groupBy("customer_id")
        .agg(
            F.count(F.lit(1)).alias("touches"),
            *by_channel,
            *(F.count_if(F.col("outcome") == outcome).alias(outcome) for outcome in OUTCOMES),
            *(F.count_if(F.col("direction") == way).alias(way) for way in ("inbound", "outbound")),
            F.coalesce(F.sum("duration_minutes"), F.lit(0)).alias("duration_minutes"),
            F.min(at).alias("first_at"),
            F.max(at).alias("last_at"),
            F.max(F.when(is_positive(), at)).alias("last_positive_at"),
            F.sum(weighed_nano(as_of)).alias("weighed_nano"),
        )
        .withColumns({"known_to": F.lit(high_watermark).cast("timestamp"), "basis": F.lit(totals_cache_key(as_of))})
    )
