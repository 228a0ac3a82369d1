"""`gold.stage_history`: the stages that deals went through, and how long they stayed."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from medallion.columns import key_hash, rounded
from medallion.features import AsOf, leads_as_of

_SECONDS_A_DAY = 86_400.0
_ARRIVAL = ("known_at", "_source_file", "_source_row")
_ENTRY = ("lead_id", "stage", "entered_at", "told_by", *_ARRIVAL)


def stage_history(versions: DataFrame, changes: DataFrame | None, as_of: AsOf, leads: DataFrame) -> DataFrame:
    """One row per deal and stay in a stage, before the as-of time; the last stay is in the stage that the deal then had.

    A file of stage changes replaces what the versions of a deal say: a version says of a stage when the CRM last
    changed the deal, a file when the stage was entered. The deal's own row is the last entry where it was delivered
    after the file, or where the deal is closed. Changes of deals that are not in `leads`, such as refused ones, are
    left out.

    Args:
        versions: `silver.leads_history`, as far as it was known.
        changes: `silver.stage_changes_clean`; None where no export has them.
        as_of: The as-of time; stages entered later are left out.
        leads: `silver.leads_clean`, or its rewound history, where the stage is null if it was not known then.
    """
    current = _current(leads, as_of)
    deals = versions.select(key_hash(F.col("lead_id")).alias("_hash"))
    if changes is not None:
        changes = changes.join(leads.select("lead_id"), on="lead_id", how="left_semi")
        deals = deals.unionByName(changes.select(key_hash(F.col("lead_id")).alias("_hash")))
    # most deals have one entry: only the others have to be sorted (and one whose hash is that of another)
    several = deals.groupBy("_hash").agg(F.count(F.lit(1)).alias("n")).filter(F.col("n") > 1).select("_hash")

    def joined(frame: DataFrame, how: str) -> DataFrame:
        return frame.withColumn("_hash", key_hash(F.col("lead_id"))).join(several, on="_hash", how=how).drop("_hash")

    once = joined(current, "left_anti").withColumn("entered_at", F.least("_first", as_of.last_instant))
    once = once.select("lead_id", "stage", "entered_at", "told_by").withColumn("left_at", F.lit(None).cast("timestamp"))
    entries, current = _versions(joined(versions, "left_semi")), joined(current, "left_semi")
    if changes is not None:
        entries, current = _with_changes(entries, current, changes, as_of)
    left = once.unionByName(_stays(entries.filter(F.col("entered_at") < as_of.instant), current))
    until = F.coalesce(F.col("left_at"), as_of.instant)
    seconds = (F.unix_micros(until) - F.unix_micros("entered_at")).cast("double") / F.lit(1e6)
    return left.select(
        "lead_id",
        "entered_at",
        "stage",
        "left_at",
        rounded(seconds / F.lit(_SECONDS_A_DAY), 3).alias("days_in_stage"),
        "told_by",
        as_of.today.alias("as_of"),
    )


def _changed_at(otherwise: Column) -> Column:
    """When the CRM last changed the stage of a version at the latest; a closed deal entered its stage when it closed."""
    closed = F.when(F.col("status") != "open", F.col("closed_at"))
    return F.coalesce(closed, "updated_at", otherwise)


def _current(leads: DataFrame, as_of: AsOf) -> DataFrame:
    """The stage that each deal had at the as-of time, by its row: `entered_at` at the latest, `_first` if it never changed."""
    rows = leads_as_of(leads, as_of).filter(F.col("stage").isNotNull())
    closed = F.col("status") != "open"
    at = F.when(closed, F.col("closed_at")).otherwise(F.coalesce("updated_at", "known_at"))
    first = _changed_at(F.coalesce("created_at", "known_at"))
    return rows.select(
        "lead_id",
        "stage",
        F.least(F.coalesce(at, "known_at"), as_of.last_instant).alias("entered_at"),
        F.lit("version").alias("told_by"),
        *_ARRIVAL,
        first.alias("_first"),
        closed.alias("_closed"),
        F.col("updated_at").isNull().alias("_undated"),
    )


def _versions(versions: DataFrame) -> DataFrame:
    """An entry per version; one without a time of change holds from the creation, or from when it was learned.

    A version of which a later one says that the deal was in another stage, or closed, by then is none.
    """
    in_order = Window.partitionBy("lead_id").orderBy(*_ARRIVAL)
    since = F.when(F.row_number().over(in_order) == 1, F.coalesce("created_at", "known_at")).otherwise(
        F.col("known_at")
    )
    entries = versions.withColumns({"_since": since, "told_by": F.lit("version")})
    entries = entries.withColumn("entered_at", _changed_at(F.col("_since")))
    later = Window.partitionBy("lead_id").orderBy(F.asc_nulls_first("updated_at"), *_ARRIVAL)
    outdone = F.min("entered_at").over(later.rowsBetween(1, Window.unboundedFollowing))
    entries = entries.withColumn("_outdone", outdone).filter("_outdone IS NULL OR entered_at < _outdone")
    return entries.filter("stage IS NOT NULL").select(*_ENTRY)


def _with_changes(
    entries: DataFrame, current: DataFrame, changes: DataFrame, as_of: AsOf
) -> tuple[DataFrame, DataFrame]:
    """The entries of the file for deals that it names, and the rows of deals that add to it."""
    from_files = changes.withColumn("told_by", F.lit("file")).select(*_ENTRY)
    last = from_files.groupBy("lead_id").agg(
        F.max("entered_at").alias("_told_until"), F.max("known_at").alias("_told_at")
    )
    entries = entries.join(last, on="lead_id", how="left_anti").unionByName(from_files)
    changed_later = F.col("_undated") | (F.col("entered_at") >= F.col("_told_until"))
    newer = F.col("_closed") | ((F.col("known_at") > F.col("_told_at")) & changed_later)
    newer = (F.col("_told_until") < as_of.instant) & newer
    current = current.join(last, on="lead_id", how="left").filter(F.col("_told_until").isNull() | newer)
    return entries, current.drop("_told_until", "_told_at")


def _stays(entries: DataFrame, current: DataFrame) -> DataFrame:
    """Entries that changed the stage, each with when it was left; what the deal's row says comes last."""
    both = entries.withColumn("_current", F.lit(False)).unionByName(
        current.select(*_ENTRY).withColumn("_current", F.lit(True))
    )
    deal = Window.partitionBy("lead_id")
    newest = F.max(F.when(~F.col("_current"), F.unix_micros("entered_at"))).over(deal)
    after = F.timestamp_micros(F.greatest(F.unix_micros("entered_at"), newest + F.lit(1)))
    both = both.withColumn("_after", after)
    both = both.withColumn("entered_at", F.when(F.col("_current"), F.col("_after")).otherwise(F.col("entered_at")))
    # two entries at the same time: the one that was learned last counts
    last_first = Window.partitionBy("lead_id", "entered_at").orderBy(*map(F.desc, _ARRIVAL), F.desc("stage"))
    latest = both.withColumn("_rank", F.row_number().over(last_first)).filter(F.col("_rank") == 1)
    in_order = deal.orderBy("entered_at")
    before = F.lag("stage").over(in_order)
    changed = latest.withColumn("_before", before).filter(
        F.col("_before").isNull() | (F.col("_before") != F.col("stage"))
    )
    changed = changed.withColumn("left_at", F.lead("entered_at").over(in_order))
    return changed.select("lead_id", "stage", "entered_at", "told_by", "left_at")
