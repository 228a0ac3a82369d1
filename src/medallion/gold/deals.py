"""`gold.deals`: every deal as it stood at the moment, with its customer's score and its probability."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion.columns import rounded
from medallion.features import Moment, leads_as_of


def deals(
    leads: DataFrame,
    customer_features: DataFrame,
    moment: Moment,
    scored: DataFrame | None = None,
    stage_history: DataFrame | None = None,
) -> DataFrame:
    """One row per deal opened before the moment; amounts in USD, probability for open deals only.

    Args:
        leads: `silver.leads_clean`, or its rewound history.
        customer_features: `gold.customer_features` of the same moment.
        moment: The moment.
        scored: A model's scores of the open deals; a deal that it left out has the probability of its account.
        stage_history: `gold.stage_history` of the same moment: the stage of a deal is that of its last stay. Without it,
            the stage of the deal's row.
    """
    account = customer_features.select(
        "customer_id",
        "customer_name",
        "industry",
        "country",
        "size_band",
        "lead_score",
        "lead_quality",
        "lead_probability",
        "days_since_last_interaction",
    )
    opened = leads_as_of(leads, moment)
    if stage_history is not None:
        last = stage_history.filter(F.col("left_at").isNull()).select("lead_id", "stage")
        opened = opened.drop("stage").join(last, on="lead_id", how="left")
    joined = opened.join(account, on="customer_id", how="left")
    is_open = F.col("status") == "open"
    by_model = F.lit(None).cast("double")
    if scored is not None:
        mine = scored.select("lead_id", F.col("probability").alias("_by_model"))
        joined, by_model = joined.join(mine, on="lead_id", how="left"), F.col("_by_model")
    probability = F.when(is_open, F.coalesce(by_model, F.col("lead_probability")))
    return joined.select(
        "lead_id",
        "customer_id",
        "customer_name",
        "product_id",
        "source",
        "status",
        "stage",
        "owner",
        "industry",
        "country",
        "size_band",
        F.coalesce("deal_value", F.lit(0)).cast("decimal(18,2)").alias("deal_value"),
        F.col("deal_value").isNotNull().alias("has_value"),
        "created_at",
        "closed_at",
        "expected_close_date",
        F.when(is_open, moment.days_since(F.col("created_at"))).alias("age_days"),
        F.datediff(F.col("closed_at"), F.col("created_at")).alias("cycle_days"),
        "lead_score",
        "lead_quality",
        probability.alias("probability_to_convert"),
        rounded(F.col("deal_value").cast("double") * probability, 2).alias("weighted_value"),
        "days_since_last_interaction",
        moment.today.alias("as_of"),
    )
