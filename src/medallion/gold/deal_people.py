"""`gold.deal_people`: how many people take part in a deal, in which roles, and how many of them were touched."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from medallion.contracts import Column as Declared
from medallion.contracts import Table
from medallion.features import AsOf
from medallion.gold.contact_activity import touches_of_people

#: Roles of a deal that are listed.
MOST_ROLES = 12


def contract() -> Table:
    """The contract of the table."""
    return Table(
        name="gold.deal_people",
        grain="one row per deal with people in it",
        description="The buyer's side of deals. A deal that hangs on one person is at risk when that person leaves.",
        key=("lead_id",),
        columns=(
            Declared("lead_id", "string", "The deal."),
            Declared("customer_id", "string", "Account; null when the CRM names none."),
            Declared("status", "string", "open, won or lost."),
            Declared("owner", "string", "Sales rep who owns the deal."),
            Declared("owner_team", "string", "Team of the owner; null where it is not known."),
            Declared("owner_manager", "string", "Who leads the owner; null where nobody is known to."),
            Declared("deal_value", "decimal(18,2)", "Value; 0 when the CRM has none.", kind="money", unit="USD"),
            Declared("contacts", "bigint", "People who take part.", unit="people"),
            Declared("contacts_touched", "bigint", "Those touched while the deal was open.", unit="people"),
            Declared("roles", "bigint", "Different roles that they have.", unit="roles"),
            Declared("roles_touched", "bigint", "Different roles of those touched while the deal was open.", unit="roles"),
            Declared("role_names", "array<string>", f"The roles that they have, in order of the alphabet, the first {MOST_ROLES}."),
            Declared("role_names_touched", "array<string>", f"The roles of those touched while the deal was open, the first {MOST_ROLES}."),
            Declared("has_primary", "boolean", "Whether one of them is the main contact."),
            Declared(
                "is_single_threaded", "boolean",
                "Whether it hangs on one person: one takes part, or one alone was touched; null where no touch says whom "
                "it reached.",
            ),
            Declared("as_of", "date", "Last day that the row includes."),
        ),
        invariants=("contacts >= 1", "contacts_touched BETWEEN 0 AND contacts", "roles_touched BETWEEN 0 AND roles"),
    )  # fmt: skip


def deal_people(
    links: DataFrame, deals: DataFrame, interactions: DataFrame, as_of: AsOf, contacts: DataFrame | None = None
) -> DataFrame:
    """One row per deal of the as-of time that has people in it.

    Args:
        links: `silver.deal_contacts_clean`.
        deals: `gold.deals` of the same time.
        interactions: `silver.interactions_clean`.
        as_of: The as-of time.
        contacts: `silver.contacts_clean`, for the role of who has none in the deal.
    """
    pairs = links.select("lead_id", "contact_id", "role", "is_primary")
    if contacts is not None:
        own = contacts.select(F.col("contact_id").alias("_contact"), F.col("role").alias("_role"))
        pairs = pairs.join(own, F.col("contact_id") == F.col("_contact"), how="left")
        pairs = pairs.withColumn("role", F.coalesce("role", "_role"))
    of_deal = ("customer_id", "status", "owner", "owner_team", "owner_manager", "deal_value")
    facts = (*of_deal, "created_at", "closed_at")
    pairs = pairs.join(deals.select(F.col("lead_id").alias("_deal"), *facts), F.col("lead_id") == F.col("_deal"))
    until = F.coalesce(F.col("closed_at"), as_of.instant)
    touches = touches_of_people(interactions, as_of).select("_person", F.col("occurred_at").alias("_at"))
    in_time = (F.col("_at") >= F.col("created_at")) & (F.col("_at") <= until)
    reached = pairs.join(touches, (F.col("contact_id") == F.col("_person")) & in_time)
    reached = reached.select(F.col("lead_id").alias("_in"), F.col("contact_id").alias("_who")).distinct()
    each = pairs.join(reached, (F.col("lead_id") == F.col("_in")) & (F.col("contact_id") == F.col("_who")), how="left")
    touched = F.col("_who").isNotNull()
    each = each.withColumn("_touched_role", F.when(touched, F.col("role")))
    each = each.withColumns({"_place": _place("role"), "_touched_place": _place("_touched_role")})
    by_deal = each.groupBy("lead_id", *of_deal).agg(
        F.countDistinct("contact_id").alias("contacts"),
        F.countDistinct("_who").alias("contacts_touched"),
        F.countDistinct("role").alias("roles"),
        F.countDistinct("_touched_role").alias("roles_touched"),
        _listed("role", "_place").alias("role_names"),
        _listed("_touched_role", "_touched_place").alias("role_names_touched"),
        F.max(F.coalesce(F.col("is_primary") == "yes", F.lit(False))).alias("has_primary"),
    )
    alone = F.when(F.col("contacts") == 1, F.lit(True)).when(
        F.col("contacts_touched") > 0, F.col("contacts_touched") == 1
    )

    return by_deal.select(
        "lead_id", *of_deal, "contacts", "contacts_touched",
        "roles", "roles_touched", "role_names", "role_names_touched", "has_primary",
        alone.alias("is_single_threaded"), as_of.today.alias("as_of"),
    )  # fmt: skip


def _place(role: str) -> Column:
    return F.dense_rank().over(Window.partitionBy("lead_id").orderBy(F.asc_nulls_last(role)))


def _listed(role: str, place: str) -> Column:
    """The first roles of a deal in order, without gathering them in a set, which engines do slowly or in no order."""
    return F.array_compact(F.array(*(F.max(F.when(F.col(place) == n, F.col(role))) for n in range(1, MOST_ROLES + 1))))
