"""`gold.stage_history`: the stages that deals went through, and how long they stayed."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from medallion.columns import rounded
from medallion.features import Moment

_SECONDS_A_DAY = 86_400.0


def stage_history(versions: DataFrame, changes: DataFrame | None, moment: Moment) -> DataFrame:
    """One row per deal and stay in a stage, before the moment.

    What a file says of a deal stands in place of what its versions tell: a version tells of a stage at the latest when
    the CRM last changed the deal, a file when it was entered.

    Args:
        versions: `silver.leads_history`, as far as it was known.
        changes: `silver.stage_changes_clean`; None where no export has them.
        moment: The moment; stages entered later are left out.
    """
    entered = F.coalesce("updated_at", "created_at", "known_at")
    every = versions.select("lead_id", "stage", entered.alias("entered_at"), F.lit("version").alias("told_by"))
    every = every.filter(F.col("stage").isNotNull() & (F.col("entered_at") < moment.instant))
    if changes is not None:
        from_files = changes.select("lead_id", "stage", "entered_at", F.lit("file").alias("told_by"))
        from_files = from_files.filter(F.col("lead_id").isNotNull() & (F.col("entered_at") < moment.instant))
        told = from_files.select("lead_id").distinct()
        every = from_files.unionByName(every.join(told, on="lead_id", how="left_anti"))
    # most deals were told of once: only the others have to be sorted (and one whose hash is that of another)
    every = every.withColumn("_hash", F.xxhash64("lead_id"))
    several = every.groupBy("_hash").agg(F.count(F.lit(1)).alias("n")).filter(F.col("n") > 1).select("_hash")
    once = every.join(several, on="_hash", how="left_anti").withColumn("left_at", F.lit(None).cast("timestamp"))
    left = once.drop("_hash").unionByName(_stays(every.join(several, on="_hash", how="left_semi")))
    until = F.coalesce(F.col("left_at"), moment.instant)
    seconds = (F.unix_micros(until) - F.unix_micros("entered_at")).cast("double") / F.lit(1e6)
    return left.select(
        "lead_id",
        "entered_at",
        "stage",
        "left_at",
        rounded(seconds / F.lit(_SECONDS_A_DAY), 3).alias("days_in_stage"),
        "told_by",
        moment.today.alias("as_of"),
    )


def _stays(entries: DataFrame) -> DataFrame:
    """Entries that changed the stage, each with when it was left."""
    # two entries at one moment: one of them counts, the same one every time
    one = entries.groupBy("lead_id", "entered_at", "told_by").agg(F.max("stage").alias("stage"))
    in_order = Window.partitionBy("lead_id").orderBy("entered_at")
    before = F.lag("stage").over(in_order)
    changed = one.withColumn("_before", before).filter(F.col("_before").isNull() | (F.col("_before") != F.col("stage")))
    return changed.withColumn("left_at", F.lead("entered_at").over(in_order)).drop("_before")
