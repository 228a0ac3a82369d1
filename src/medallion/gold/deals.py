"""`gold.deals`: every deal as of that time, with its customer's score and its probability."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion.columns import rounded
from medallion.contracts import GIVING_WAY
from medallion.contracts.own import brought, own_columns
from medallion.features import AsOf, leads_as_of
from medallion.features.deals import cycle_days
from medallion.gold import team
from medallion.scoring.base_rate import with_base_rate

#: Columns of a model's forecast, and those of the base rate in its place.
_BASE_RATE = {"probability": "base_rate", "probability_low": "base_rate_low", "probability_high": "base_rate_high"}


def deals(
    leads: DataFrame,
    customer_features: DataFrame,
    score_bands: DataFrame,
    as_of: AsOf,
    scored: DataFrame | None = None,
    stage_history: DataFrame | None = None,
    products: DataFrame | None = None,
    owners: DataFrame | None = None,
) -> DataFrame:
    """One row per deal opened before the as-of time; amounts as the deals have them, probability for open deals only.

    Args:
        leads: `silver.leads_clean`, or its rewound history.
        customer_features: `gold.customer_features` of the same time.
        score_bands: `gold.score_bands` of the same time.
        as_of: The as-of time.
        scored: A model's scores of the open deals; a deal that it left out has the base rate of its band and age.
        stage_history: `gold.stage_history` of the same time: the stage of a deal is that of its last stay. Without it,
            the stage of the deal's row.
        products: `silver.products_clean`, for their names.
        owners: `silver.owners_clean`, for their names, teams and managers, by whatever deals call them.
    """
    account = customer_features.select(
        "customer_id",
        "customer_name",
        "industry",
        "country",
        "size_band",
        "lead_score",
        "lead_quality",
        "days_since_last_interaction",
        *(F.col(column.name).alias(f"_of_account_{column.name}") for column in brought("customers")),
    )
    band = score_bands.select(
        "lead_quality",
        F.col("probability").alias("_band_probability"),
        F.col("mature_leads").alias("_band_mature"),
    )
    account = account.join(band, on="lead_quality", how="left")
    counted = opened = leads_as_of(leads, as_of)
    if stage_history is not None:
        last = stage_history.filter(F.col("left_at").isNull()).select("lead_id", F.col("stage").alias("_last_stage"))
        opened = opened.join(last, on="lead_id", how="left").withColumn("stage", F.col("_last_stage"))
    stays = stage_history if scored is None else None
    joined = with_base_rate(opened.join(account, on="customer_id", how="left"), counted, as_of, stays)
    own = {name: F.col(base) for name, base in _BASE_RATE.items()}
    if scored is not None:
        joined = joined.join(scored.select("lead_id", *_BASE_RATE), on="lead_id", how="left")
        by_model = F.col("probability").isNotNull()
        own = {name: F.when(by_model, F.col(name)).otherwise(base) for name, base in own.items()}
    is_open = F.col("status") == "open"
    probability, low, high = (F.when(is_open, column) for column in own.values())
    nothing = F.lit(None).cast("string")
    by_owner = {"owner": F.col("owner"), "owner_team": nothing, "owner_manager": nothing}
    if owners is not None:
        known = team.directory(owners).select("_called", "_owner_name", "_team", "_manager")
        joined = joined.join(known, team.comparable(F.col("owner")) == F.col("_called"), how="left")
        name = F.coalesce("_owner_name", "owner")
        by_owner = {"owner": name, "owner_team": F.col("_team"), "owner_manager": F.col("_manager")}
    product = nothing
    if products is not None:
        named = products.select(F.col("product_id").alias("_product"), F.col("product_name").alias("_product_name"))
        joined = joined.join(named, F.col("product_id") == F.col("_product"), how="left")
        product = F.col("_product_name")
    own_of_deal = {column.name for column in brought("leads")}
    own_names = [column.name for column in own_columns("gold.deals")]
    giving_way = {**by_owner, "product_name": product}
    return joined.select(
        "lead_id",
        "customer_id",
        "customer_name",
        "product_id",
        "source",
        "status",
        "stage",
        by_owner["owner"].alias("owner"),
        "industry",
        "country",
        "size_band",
        F.coalesce("deal_value", F.lit(0)).cast("decimal(18,2)").alias("deal_value"),
        F.col("deal_value").isNotNull().alias("has_value"),
        "created_at",
        "closed_at",
        "expected_close_date",
        F.when(is_open, as_of.days_since(F.col("created_at"))).alias("age_days"),
        cycle_days().alias("cycle_days"),
        "lead_score",
        "lead_quality",
        probability.alias("probability_to_convert"),
        low.alias("probability_low"),
        high.alias("probability_high"),
        rounded(F.col("deal_value").cast("double") * probability, 2).alias("weighted_value"),
        "days_since_last_interaction",
        as_of.today.alias("as_of"),
        *(giving_way[name].alias(name) for name in GIVING_WAY if name not in own_names),
        *(F.col(name if name in own_of_deal else f"_of_account_{name}").alias(name) for name in own_names),
    )
