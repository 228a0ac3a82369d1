"""`gold.top_customers`: the fifty customers with most revenue, ready for a report."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from medallion.columns import share

LIMIT = 50


def top_customers(customer_features: DataFrame) -> DataFrame:
    """At most 50 rows: customers by won value, then score, then identifier. Shares are of the revenue of all customers."""
    total = customer_features.agg(F.sum("won_value").alias("_revenue"))
    order = [F.desc("won_value"), F.desc("lead_score"), F.asc("customer_id")]
    # sorted and cut first, so that the numbering window sees fifty rows however many customers there are
    best = customer_features.filter(F.col("won_value") > 0).orderBy(*order).limit(LIMIT)
    ranked = best.withColumn("rank", F.row_number().over(Window.orderBy(*order))).join(total, how="cross")
    so_far = Window.orderBy("rank").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return ranked.select(
        "rank",
        "customer_id",
        "customer_name",
        "industry",
        "country",
        "account_manager",
        "won_value",
        "won_leads",
        share(F.col("won_value"), F.col("_revenue")).alias("revenue_share"),
        share(F.sum("won_value").over(so_far), F.col("_revenue")).alias("cumulative_share"),
        "open_value",
        "lead_score",
        "lead_quality",
        "probability_to_convert",
        "segment",
        "days_since_last_interaction",
        next_step().alias("next_step"),
        "as_of",
    )


def next_step() -> Column:
    """What to do next with a customer, in words, from its features."""
    quiet, idle = F.col("days_since_last_interaction"), F.col("days_since_last_activity")
    has_open = F.col("open_leads") > 0
    preferred = F.coalesce(F.col("preferred_channel"), F.lit("call"))
    how = F.when(preferred == "other", F.lit("their usual channel")).otherwise(preferred)
    return (
        F.when(has_open & quiet.isNull(), "Make first contact on the open deal")
        .when(has_open & (quiet > 14), F.concat(F.lit("Revive the open deal by "), how))
        .when(has_open, F.concat(F.lit("Move the open deal forward by "), how))
        .when(idle.isNull() | (idle > 60), F.concat(F.lit("Win back: ask for news by "), how))
        .when(F.col("best_recent_intent") >= 0.8, F.concat(F.lit("Open a follow-up deal by "), how))
        .otherwise(F.concat(F.lit("Keep in touch by "), how))
    )
