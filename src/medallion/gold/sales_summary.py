"""`gold.sales_summary`: the days of the sales team, one row each, without gaps."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from medallion.columns import share
from medallion.features import AsOf, leads_as_of
from medallion.gold.touch_days import touch_days

_COUNTS = ("new_leads", "won_leads", "lost_leads", "interactions")
_VALUES = ("new_value", "revenue", "lost_value", "_moved_value")


def sales_summary(
    leads: DataFrame, interactions: DataFrame, as_of: AsOf, deal_changes: DataFrame, days: DataFrame | None = None
) -> DataFrame:
    """One row per day from the first event to `as_of.day`; amounts as the deals have them, rates as shares.

    The open pipeline at the end of a day is what `gold.deal_changes` has as open then, with the values of that day; a deal
    that was withdrawn since counts until then, and in nothing else.

    Args:
        leads: `silver.leads_clean`, or its rewound history.
        interactions: `silver.interactions_clean`, or its rewound history.
        as_of: The as-of time.
        deal_changes: `gold.deal_changes` of that time.
        days: `gold.touch_days` of that time; made from the touches when None.
    """
    deals = leads_as_of(leads, as_of)
    daily = _daily(deals, _moves(deal_changes), touch_days(interactions, as_of) if days is None else days)
    span = daily.agg(F.min("day").alias("first"))
    days = span.select(F.explode(F.sequence("first", as_of.today, F.expr("interval 1 day"))).alias("day"))
    filled = days.join(daily, on="day", how="left")
    amount = F.lit(0).cast("decimal(18,2)")
    filled = filled.withColumns(
        {
            **{name: F.coalesce(name, F.lit(0).cast("bigint")) for name in (*_COUNTS, "_moved")},
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
        F.sum("_moved").over(so_far).alias("open_leads"),
        F.sum("_moved_value").over(so_far).alias("open_pipeline"),
        share(won_30d, won_30d + lost_30d).alias("win_rate_30d"),
        F.sum("revenue").over(month).alias("revenue_30d"),
        F.sum("revenue").over(so_far).alias("cumulative_revenue"),
        F.sum("new_leads").over(so_far).alias("cumulative_leads"),
        F.sum("won_leads").over(so_far).alias("cumulative_won_leads"),
        F.sum("interactions").over(so_far).alias("cumulative_interactions"),
    )


def _moves(deal_changes: DataFrame) -> DataFrame:
    """By how many deals, and how much, the open pipeline grows on a day (UTC)."""
    was_open = deal_changes.filter((F.col("status") == "open") & F.col("known_to").isNull())
    into = F.struct(F.col("valid_from").alias("at"), F.lit(1).alias("n"), F.col("deal_value").alias("value"))
    out = F.struct(F.col("valid_to").alias("at"), F.lit(-1).alias("n"), (-F.col("deal_value")).alias("value"))
    moves = was_open.select(F.explode(F.array(into, out)).alias("_move")).filter(F.col("_move.at").isNotNull())
    by_day = moves.groupBy(F.col("_move.at").cast("date").alias("day"))
    return by_day.agg(F.sum("_move.n").alias("_moved"), F.sum("_move.value").alias("_moved_value"))


def _daily(deals: DataFrame, moves: DataFrame, days: DataFrame) -> DataFrame:
    value = F.coalesce("deal_value", F.lit(0).cast("decimal(18,2)"))
    opened = deals.filter(F.col("created_at").isNotNull()).groupBy(F.col("created_at").cast("date").alias("day"))
    new = opened.agg(
        F.count(F.lit(1)).alias("new_leads"),
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
    touched = days.groupBy("day").agg(F.sum("touches").alias("interactions"))
    parts = [new, results, moves, touched]
    return reduce(lambda left, right: left.join(right, on="day", how="full"), parts)
