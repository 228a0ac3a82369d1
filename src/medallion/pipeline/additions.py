"""What has come to the touches since gold added them up, when nothing else has happened to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from medallion.lakehouse import store
from medallion.lakehouse.store import Lakehouse

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession

    from medallion.features import AsOf

TOTALS, DAYS = "gold.touch_totals", "gold.touch_days"
#: Deliveries after which the totals are made anew, so that they stay small.
AT_MOST = 40


@dataclass(frozen=True)
class Additions:
    """Touches that were added, and what they are added to.

    Attributes:
        high_watermark: When the newest touch was learned, as text in UTC; None when there is none.
        touches: The added touches; None when totals have to be made anew.
        count: How many they are.
        total: How many touches there are with them.
    """

    high_watermark: str | None = None
    touches: DataFrame | None = None
    count: int = 0
    total: int = 0


def additions(spark: SparkSession, lake: Lakehouse, touches: DataFrame, as_of: AsOf) -> Additions:
    """What came to `silver.interactions_clean` since `gold.touch_totals` and `gold.touch_days` were written.

    Touches may only have been added: those in the totals and those learned since must be all that there are. A
    corrected or removed touch makes the numbers differ, and everything is made anew; so do other weights and another
    block of days.

    Args:
        spark: The session.
        lake: The lakehouse.
        touches: The table, all of which had happened at the as-of time.
        as_of: The as-of time.
    """
    from pyspark.sql import functions as F

    from medallion.features.engagement import totals_cache_key

    def counted(since: str | None) -> Row:
        later = F.col("known_at") > F.lit(since).cast("timestamp")
        known_to = F.max("known_at").cast("string").alias("known_to")
        return touches.agg(F.count(F.lit(1)).alias("n"), known_to, F.count_if(later).alias("added")).collect()[0]

    if not lake.exists(TOTALS) or not lake.exists(DAYS):
        return Additions(counted(None)["known_to"])
    totals = store.read(spark, lake, TOTALS).agg(
        F.sum("touches").alias("n"),
        F.max("known_to").cast("string").alias("known_to"),
        F.countDistinct("known_to").alias("readings"),
        F.min("basis").alias("lowest"),
        F.max("basis").alias("highest"),
        F.count_if(F.col("known_to").isNull()).alias("unmarked"),
    )
    days = store.read(spark, lake, DAYS).agg(
        F.sum("touches").alias("n_by_day"),
        F.max("known_to").cast("string").alias("known_to_by_day"),
        F.countDistinct("known_to").alias("readings_by_day"),
    )
    totals = totals.join(days, how="cross").collect()[0]
    now = counted(totals["known_to"])
    nothing = Additions(now["known_to"])
    alike = all(totals[name] == totals[f"{name}_by_day"] for name in ("n", "known_to", "readings"))
    if totals["unmarked"] or not alike or not totals["lowest"] == totals["highest"] == totals_cache_key(as_of):
        return nothing
    if totals["readings"] >= AT_MOST:
        return nothing
    if totals["n"] + now["added"] != now["n"]:
        return nothing
    added = touches.filter(F.col("known_at") > F.lit(totals["known_to"]).cast("timestamp"))
    return Additions(now["known_to"], added, now["added"], now["n"])
