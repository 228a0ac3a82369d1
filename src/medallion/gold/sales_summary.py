"""`gold.sales_summary`: the days of the sales team, one row each, without gaps."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from medallion.columns import share
from medallion.features import AsOf, leads_as_of
from medallion.gold.touch_days import touch_days

_COUNTS = ("new_leads", "won_leads", "lost_leads", "interactions")
_VALUES = ("new_value", "revenue", "lost_value", "_closed_value")


def sales_summary(leads: DataFrame, interactions: DataFrame, as_of: AsOf, days: DataFrame | None = None) -> DataFrame:
    """One row per day from the first event to `as_of.day`; amounts as the deals have them, rates as shares.

    The open pipeline at the end of a day is what had been opened by then less what had been closed; a deal
    without an opening date is in no day's pipeline.

    Args:
        leads: `silver.leads_clean`, or its rewound history.
        interactions: `silver.interactions_clean`, or its rewound history.
        as_of: The as-of time.
        days: `gold.touch_days` of that time; made from the touches when None.
    """
    deals = leads_as_of(leads, as_of)
    daily = _daily(deals, touch_days(interactions, as_of) if days is None else days)
    span = daily.agg(F.min("day").alias("first"))
    days = span.select(F.explode(F.sequence("first", as_of.today, F.expr("interval 1 day"))).alias("day"))
    filled = days.join(daily, on="day", how="left")
    amount = F.lit(0).cast("decimal(18,2)")
    filled = filled.withColumns(
        {
            **{name: F.coalesce(name, F.lit(0).cast("bigint")) for name in (*_COUNTS, "_opened", "_closed")},
            **{name: F.coalesce(F.col(name).cast("decimal(18,2)"), amount) for name in _VALUES},
        }
    )
    so_far = Window.orderBy("day").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    month = Window.orderBy("day").rowsBetween(-29, Window.currentRow)
    won_30d, lost_30d = F.sum("won_leads").over(month), F.sum("lost_leads").over(month)
    return filled.select(
        "day",
        *_COUNTS,
        "new_value",
        "revenue",
        "lost_value",
        (F.sum("_opened").over(so_far) - F.sum("_closed").over(so_far)).alias("open_leads"),
        (F.sum("new_value").over(so_far) - F.sum("_closed_value").over(so_far)).alias("open_pipeline"),
        share(won_30d, won_30d + lost_30d).alias("win_rate_30d"),
        F.sum("revenue").over(month).alias("revenue_30d"),
        F.sum("revenue").over(so_far).alias("cumulative_revenue"),
        F.sum("new_leads").over(so_far).alias("cumulative_leads"),
        F.sum("won_leads").over(so_far).alias("cumulative_won_leads"),
        F.sum("interactions").over(so_far).alias("cumulative_interactions"),
    )


def _daily(deals: DataFrame, days: DataFrame) -> DataFrame:
    value = F.coalesce("deal_value", F.lit(0).cast("decimal(18,2)"))
    dated = F.col("created_at").isNotNull()
    opened = deals.filter(dated).groupBy(F.col("created_at").cast("date").alias("day"))
    new = opened.agg(
        F.count(F.lit(1)).alias("new_leads"),
        F.count(F.lit(1)).alias("_opened"),
        F.sum(value).alias("new_value"),
    )
    ended = deals.filter(F.col("closed_at").isNotNull())
    won, lost = F.col("status") == "won", F.col("status") == "lost"
    results = ended.groupBy(F.col("closed_at").cast("date").alias("day")).agg(
        F.count_if(won).alias("won_leads"),
        F.count_if(lost).alias("lost_leads"),
        F.sum(F.when(won, value)).alias("revenue"),
        F.sum(F.when(lost, value)).alias("lost_value"),
    )
    leaves = F.greatest("closed_at", "created_at").cast("date").alias("day")
    left = ended.filter(dated).groupBy(leaves).agg(
        F.count(F.lit(1)).alias("_closed"), F.sum(value).alias("_closed_value")
    )  # fmt: skip
    touched = days.groupBy("day").agg(F.sum("touches").alias("interactions"))
    parts = [new, results, left, touched]
    return reduce(lambda one, other: one.join(other, on="day", how="full"), parts)
