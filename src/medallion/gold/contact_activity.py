"""`gold.contact_activity`: how often each person was reached, and when last, without anything that says who it is."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion.contracts import Column, Table
from medallion.features import AsOf, interactions_as_of


def contract() -> Table:
    """The contract of the table."""
    return Table(
        name="gold.contact_activity",
        grain="one row per person",
        description="Touches of people. Names, addresses and numbers are in silver.contacts_clean alone.",
        key=("contact_id",),
        columns=(
            Column("contact_id", "string", "Identifier of the person."),
            Column("customer_id", "string", "Account; null when the CRM names none."),
            Column("role", "string", "Part in buying decisions."),
            Column("consent", "string", "Whether the person may be written to and called: granted, denied or unknown."),
            Column("language", "string", "Language to write in."),
            Column("touches", "bigint", "Touches of the person.", unit="touches"),
            Column("last_touch_at", "timestamp", "When the person was last touched (UTC); null without touches."),
            Column("days_since_last_touch", "bigint", "Days since then.", unit="days"),
            Column("open_leads", "bigint", "Open deals that the person takes part in.", unit="deals"),
            Column("open_value", "decimal(18,2)", "Value of these deals.", kind="money", unit="USD"),
            Column("as_of", "date", "Last day that the row includes."),
        ),
        invariants=("touches >= 0", "(touches = 0) = (last_touch_at IS NULL)"),
    )


def contact_activity(
    contacts: DataFrame, interactions: DataFrame, as_of: AsOf, links: DataFrame | None, deals: DataFrame
) -> DataFrame:
    """One row per person known at the as-of time.

    Args:
        contacts: `silver.contacts_clean`.
        interactions: `silver.interactions_clean`.
        as_of: The as-of time.
        links: `silver.deal_contacts_clean`; without it no one takes part in a deal.
        deals: `gold.deals` of the same time.
    """
    people = contacts.filter(F.col("created_at").isNull() | (F.col("created_at") < as_of.instant))
    people = people.select("contact_id", "customer_id", "role", "consent", "language")
    by_touch = (
        touches_of_people(interactions, as_of)
        .groupBy("_person")
        .agg(F.count(F.lit(1)).alias("touches"), F.max("occurred_at").alias("last_touch_at"))
    )
    rows = people.join(by_touch, F.col("contact_id") == F.col("_person"), how="left")
    opened = {"open_leads": F.lit(0).cast("bigint"), "open_value": F.lit(0).cast("decimal(18,2)")}
    if links is not None:
        open_ = deals.filter(F.col("status") == "open").select(F.col("lead_id").alias("_lead"), "deal_value")
        pairs = links.select("lead_id", F.col("contact_id").alias("_partner")).distinct()
        by_deal = (
            pairs.join(open_, F.col("lead_id") == F.col("_lead"))
            .groupBy("_partner")
            .agg(F.count(F.lit(1)).alias("_leads"), F.sum("deal_value").cast("decimal(18,2)").alias("_value"))
        )
        rows = rows.join(by_deal, F.col("contact_id") == F.col("_partner"), how="left")
        opened = {
            name: F.coalesce(F.col(of), opened[name])
            for name, of in (("open_leads", "_leads"), ("open_value", "_value"))
        }
    return rows.select(
        "contact_id", "customer_id", "role", "consent", "language",
        F.coalesce("touches", F.lit(0)).alias("touches"), "last_touch_at",
        as_of.days_since(F.col("last_touch_at")).alias("days_since_last_touch"),
        *(value.alias(name) for name, value in opened.items()), as_of.today.alias("as_of"),
    )  # fmt: skip


def touches_of_people(interactions: DataFrame, as_of: AsOf) -> DataFrame:
    """The touches before the as-of time that say whom they reached: `_person`, `occurred_at`, `lead_id`; none of a table
    of touches from before these said it.
    """
    person = F.col("contact_id") if "contact_id" in interactions.columns else F.lit(None).cast("string")
    reached = interactions_as_of(interactions, as_of).withColumn("_person", person)
    return reached.filter(F.col("_person").isNotNull()).select("_person", "occurred_at", "lead_id")
