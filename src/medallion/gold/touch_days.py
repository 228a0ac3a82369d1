"""`gold.touch_days`: touches added up by day, channel and outcome, what the figures of days and channels are made from.

A delivery adds rows of its own; whoever reads the table adds up.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion.features import AsOf, interactions_as_of


def touch_days(interactions: DataFrame, as_of: AsOf, high_watermark: str | None = None) -> DataFrame:
    """One row per day, channel and outcome.

    Args:
        interactions: `silver.interactions_clean`, its rewound history, or what a delivery has added to it.
        as_of: The as-of time.
        high_watermark: When the newest of these touches was learned, as text in UTC; None when the rows are not to be
            added to.
    """
    return (
        interactions_as_of(interactions, as_of)
        .groupBy(F.col("occurred_at").cast("date").alias("day"), "channel", "outcome")
        .agg(
            F.count(F.lit(1)).alias("touches"),
            F.coalesce(F.sum("duration_minutes"), F.lit(0)).alias("duration_minutes"),
            F.max("occurred_at").alias("last_at"),
        )
        .withColumn("known_to", F.lit(high_watermark).cast("timestamp"))
    )
