"""`gold.attainment`: what owners, teams and leaders were to sell in a period, and what they have sold."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion.columns import share
from medallion.contracts import Column as Declared
from medallion.contracts import Table
from medallion.features import AsOf
from medallion.gold import team

_AMOUNT = "decimal(18,2)"
_KEY = ("level", "who", "period_start", "period_end")
#: In the place of the name, for the quota of everyone.
EVERYONE = "everyone"


def contract() -> Table:
    """The contract of the table."""
    return Table(
        name="gold.attainment",
        grain="one row per period, and owner, team, leader or everyone with a quota in it",
        description="Quotas and what was won of them. A team without a quota of its own has those of its owners, and a "
        "leader has those of everyone below and their own.",
        key=_KEY,
        columns=(
            Declared("level", "string", "owner, team, leader or everyone."),
            Declared("who", "string", "Name of the owner, team or leader; `everyone` for the whole."),
            Declared("period_start", "date", "First day of the period."),
            Declared("period_end", "date", "Last day of the period."),
            Declared("quota", _AMOUNT, "What was to be won.", kind="money", unit="USD"),
            Declared("is_declared", "boolean", "Whether the quota is one that was delivered, and no sum of others."),
            Declared("won_value", _AMOUNT, "Value of the deals won in the period so far.", kind="money", unit="USD"),
            Declared("won_leads", "bigint", "Deals won in the period so far.", unit="deals"),
            Declared("attainment", "double", "Won value as a share of the quota; null for a quota of 0.", unit="share"),
            Declared(
                "open_value", _AMOUNT, "Value of open deals expected to close in the period.", kind="money", unit="USD"
            ),
            Declared("weighted_value", _AMOUNT, "That value times probability.", kind="money", unit="USD"),
            Declared("as_of", "date", "Last day that the row includes."),
        ),
        invariants=("level IN ('owner', 'team', 'leader', 'everyone')", "period_start <= period_end", "quota >= 0"),
    )


def attainment(quotas: DataFrame, deals: DataFrame, as_of: AsOf, owners: DataFrame | None = None) -> DataFrame:
    """One row per period and whoever has a quota in it, counted to the as-of time.

    Args:
        quotas: `silver.quotas_clean`.
        deals: `gold.deals` of the same time.
        as_of: The as-of time.
        owners: `silver.owners_clean`; without it nobody has a team or a leader.
    """
    declared = _declared(quotas, owners)
    of_owners = declared.filter(F.col("level") == "owner")
    sums = [declared.withColumn("is_declared", F.lit(True))]
    members = [
        deals.select(F.lit("owner").alias("level"), F.col("owner").alias("who"), "lead_id"),
        deals.select(F.lit("everyone").alias("level"), F.lit(EVERYONE).alias("who"), "lead_id"),
    ]
    if owners is not None:
        known = team.directory(owners)
        of_team = known.select(F.col("_owner_name").alias("owner_name"), F.col("_team").alias("up")).distinct()
        by_leader = team.leaders(owners).withColumnRenamed("leader", "up")
        for level, groups in (("team", of_team), ("leader", by_leader)):
            groups = groups.filter(F.col("up").isNotNull())
            sums.append(_summed(of_owners, groups, level))
            owned = deals.select("lead_id", "owner").join(groups, F.col("owner") == F.col("owner_name"))
            members.append(owned.select(F.lit(level).alias("level"), F.col("up").alias("who"), "lead_id").distinct())
    # a quota that was delivered counts in place of the sum
    targets = (
        reduce(DataFrame.unionByName, sums)
        .groupBy(*_KEY)
        .agg(F.sum(F.when(F.col("is_declared"), F.col("quota"))).alias("_delivered"), F.sum("quota").alias("_summed"))
    )
    targets = targets.select(
        *_KEY,
        F.coalesce("_delivered", "_summed").cast(_AMOUNT).alias("quota"),
        F.col("_delivered").isNotNull().alias("is_declared"),
    )
    return _sold(targets, reduce(DataFrame.unionByName, members), deals).select(
        *_KEY, "quota", "is_declared", "won_value", "won_leads",
        share(F.col("won_value").cast("double"), F.col("quota").cast("double")).alias("attainment"),
        "open_value", "weighted_value", as_of.today.alias("as_of"),
    )  # fmt: skip


def _declared(quotas: DataFrame, owners: DataFrame | None) -> DataFrame:
    """The quotas that were delivered, each of whom they are."""
    named: Column = F.col("owner")
    if owners is not None:
        known = team.directory(owners).select("_called", "_owner_name")
        quotas = quotas.join(known, team.comparable(F.col("owner")) == F.col("_called"), how="left")
        named = F.coalesce("_owner_name", "owner")
    level = F.when(F.col("owner").isNotNull(), "owner").when(F.col("team").isNotNull(), "team").otherwise("everyone")
    who = F.coalesce(named, "team", F.lit(EVERYONE))
    each = quotas.select(level.alias("level"), who.alias("who"), "period_start", "period_end", "amount")
    return each.groupBy(*_KEY).agg(F.sum("amount").cast(_AMOUNT).alias("quota"))


def _summed(of_owners: DataFrame, groups: DataFrame, level: str) -> DataFrame:
    """Quotas of owners, added up by the group that each is in."""
    joined = of_owners.join(groups, F.col("who") == F.col("owner_name"))
    each = joined.select(F.lit(level).alias("level"), F.col("up").alias("who"), "period_start", "period_end", "quota")
    return each.groupBy(*_KEY).agg(F.sum("quota").cast(_AMOUNT).alias("quota")).withColumn("is_declared", F.lit(False))


def _sold(targets: DataFrame, members: DataFrame, deals: DataFrame) -> DataFrame:
    """What belongs to each target: deals won in its period, and open ones expected to close in it."""
    facts = deals.select(
        F.col("lead_id").alias("_lead"), "status", "deal_value", F.col("weighted_value").alias("_weighted"),
        F.when(F.col("status") == "won", F.col("closed_at").cast("date")).alias("_won_on"),
        F.when(F.col("status") == "open", F.col("expected_close_date")).alias("_due_on"),
    )  # fmt: skip
    facts = facts.filter(F.col("_won_on").isNotNull() | F.col("_due_on").isNotNull())
    each = members.join(facts, F.col("lead_id") == F.col("_lead"))
    each = each.select(
        F.col("level").alias("_level"), F.col("who").alias("_who"), "_won_on", "_due_on", "deal_value", "_weighted"
    )
    same = (F.col("level") == F.col("_level")) & (F.col("who") == F.col("_who"))
    within = F.coalesce("_won_on", "_due_on").between(F.col("period_start"), F.col("period_end"))
    joined = targets.join(each, same & within, how="left")
    won, due = F.col("_won_on").isNotNull(), F.col("_due_on").isNotNull()

    def total(of: Column) -> Column:
        return F.coalesce(F.sum(of), F.lit(0)).cast(_AMOUNT)

    return joined.groupBy(*_KEY, "quota", "is_declared").agg(
        total(F.when(won, F.col("deal_value"))).alias("won_value"),
        F.count_if(won).alias("won_leads"),
        total(F.when(due, F.col("deal_value"))).alias("open_value"),
        total(F.when(due, F.col("_weighted").cast(_AMOUNT))).alias("weighted_value"),
    )
