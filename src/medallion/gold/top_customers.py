"""`gold.top_customers`: the fifty customers with most revenue, ready for a report."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
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
        "next_step",
        "as_of",
    )
