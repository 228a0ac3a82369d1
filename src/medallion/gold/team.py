"""Who an owner is, by whatever a record calls them: identifier, e-mail address or name."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion.columns import squish

#: How many leaders an owner may have above another.
LEVELS = 5


def comparable(text: Column) -> Column:
    """The form in which what records call an owner is compared."""
    return F.lower(squish(text))


def directory(owners: DataFrame) -> DataFrame:
    """One row per text that leads to one owner: `_called`, `_owner_id`, `_owner_name`, `_team`, `_led_by`, `_manager`.

    `_led_by` is the identifier of the manager and `_manager` the name; as written where the manager is no known owner. A
    text that several owners have, such as a common name, leads to none.

    Args:
        owners: `silver.owners_clean`.
    """
    by_text = _by_text(owners)
    leaders = by_text.select(
        F.col("_called").alias("_leader"),
        F.col("_owner_id").alias("_led_by"),
        F.col("_owner_name").alias("_leader_name"),
    )
    known = by_text.join(leaders, comparable(F.col("_said")) == F.col("_leader"), how="left")
    manager = F.coalesce("_leader_name", "_said")
    return known.select("_called", "_owner_id", "_owner_name", "_team", "_led_by", manager.alias("_manager"))


def named(frame: DataFrame, column: str, owners: DataFrame) -> DataFrame:
    """Rows with the name of the owner in place of whatever a column calls them; as it was where it leads to none.

    Args:
        frame: Any rows.
        column: Its column with owners.
        owners: `silver.owners_clean`.
    """
    known = directory(owners).select("_called", "_owner_name")
    joined = frame.join(known, comparable(F.col(column)) == F.col("_called"), how="left")
    return joined.withColumn(column, F.coalesce("_owner_name", column)).select(*frame.columns)


def _by_text(owners: DataFrame) -> DataFrame:
    texts = F.array(*(comparable(F.col(name)) for name in ("owner_id", "email", "owner_name")))
    each = owners.select(F.explode(texts).alias("_called"), "owner_id", "owner_name", "team", "manager")
    return (
        each.filter(F.col("_called").isNotNull())
        .groupBy("_called")
        .agg(
            F.countDistinct("owner_id").alias("_owners"),
            F.min("owner_id").alias("_owner_id"),
            F.min("owner_name").alias("_owner_name"),
            F.min("team").alias("_team"),
            F.min("manager").alias("_said"),
        )
        .filter(F.col("_owners") == 1)
    )


def leaders(owners: DataFrame) -> DataFrame:
    """One row per owner and leader, direct or not, up to `LEVELS` above: `owner_name`, `leader`; owners lead themselves.

    Args:
        owners: `silver.owners_clean`.
    """
    known = directory(owners).select("_owner_id", "_owner_name", "_led_by", "_manager").distinct()
    chain = known.select("_owner_name", F.col("_manager").alias("_leader_1"), F.col("_led_by").alias("_next"))
    for level in range(2, LEVELS + 1):
        above = known.select(
            F.col("_owner_id").alias("_above"),
            F.col("_manager").alias(f"_leader_{level}"),
            F.col("_led_by").alias("_then"),
        )
        chain = chain.join(above, F.col("_next") == F.col("_above"), how="left").drop("_next", "_above")
        chain = chain.withColumnRenamed("_then", "_next")
    # of one plan: a union of what each level gives would have the whole chain once for each
    pairs = (
        F.struct(F.col(led).alias("owner_name"), F.col(leader).alias("leader"))
        for leader in (f"_leader_{level}" for level in range(1, LEVELS + 1))
        for led in ("_owner_name", leader)  # who leads no one has no total as a leader
    )
    each = chain.select(F.explode(F.array(*pairs)).alias("_pair")).filter(F.col("_pair.leader").isNotNull())
    return each.select("_pair.owner_name", "_pair.leader").distinct()
