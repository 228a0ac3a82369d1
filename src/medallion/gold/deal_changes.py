"""`gold.deal_changes`: every state of every deal, with when it was so and when that was known."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from medallion.contracts.model import ENDED
from medallion.features import AsOf

#: What a version says of a deal, besides its state.
_SAYS = ("customer_id", "product_id", "source", "owner", "deal_value", "expected_close_date")
_ARRIVAL = ("known_at", "_source_file", "_source_row")
#: One deal, by what was known from one time on.
_KNOWLEDGE = ("lead_id", "known_from")
_STATE = ("status", "stage", *_SAYS)
_ROW = ("lead_id", "valid_from", "valid_to", "known_from", "known_to", *_STATE, "basis")


def deal_changes(
    versions: DataFrame,
    changes: DataFrame | None,
    stage_history: DataFrame,
    as_of: AsOf,
    time_zone: str,
    only: DataFrame | None = None,
) -> DataFrame:
    """One row per deal, interval in which nothing of it changed, and interval in which that is what was known.

    The first interval is business time: `valid_from` (inclusive) to `valid_to` (exclusive; null: it is so at the as-of
    time). A deal opens when it was created and closes when it was won or lost, on the days that are now known; stages
    change as `gold.stage_history` says; owner, account, product, value and expected close change with the version that
    says so, and hold from the opening where there is no earlier one. A deal whose record ends is `withdrawn` from then on.

    The second is transaction time: `known_from` (inclusive) to `known_to` (exclusive; null: it is what is known now). Rows
    whose `known_to` is null are the history of the deals as it is known now; they do not overlap and run from the opening
    to the as-of time. The others are what was known before. They, and deals that were withdrawn since, have the stages that
    the versions of the deal say.

    `basis` is the same as long as nothing that the rows of a deal are computed from has changed.

    Args:
        versions: `silver.leads_history` with every version, ends too, `_ended_at`, and amounts in the reporting currency.
        changes: `silver.stage_changes_clean`; None where no export has them.
        stage_history: `gold.stage_history` of the same time.
        as_of: The as-of time; what happened later is left out.
        time_zone: The business time zone, of `from_day` and `to_day`.
        only: Deals to compute; None is all of them.
    """
    if only is not None:
        versions, stage_history = (
            frame.join(only, on="lead_id", how="left_semi") for frame in (versions, stage_history)
        )
        changes = None if changes is None else changes.join(only, on="lead_id", how="left_semi")
    facts = _facts(versions, changes, as_of, time_zone)
    entries = _entries(versions).join(facts, on="lead_id")
    # most deals have one version: only the others have to be put in order
    once = entries.filter(F.col("_alone") & ~F.col("_ended")).withColumns(
        {
            "known_from": F.col("known_at"),
            "known_to": F.lit(None).cast("timestamp"),
            "_place": F.lit(1),
            "_until": F.lit(None).cast("timestamp"),
            "_first": F.lit(True),
            "_stays": F.lit(True),
            "_opened": F.coalesce("created_at", "_since"),
        }
    )
    learned = versions.select("lead_id", "known_at")
    if changes is not None:
        learned = learned.unionByName(changes.select("lead_id", "known_at"))
    knowledge = _knowledge(learned.join(facts.filter(~F.col("_alone")), on="lead_id", how="left_semi"))
    more = entries.filter(~F.col("_alone")).join(knowledge, on="lead_id").filter("known_at <= known_from")
    stages = _stages(stage_history)
    several = _as_long_as_known(_merged(_states(_in_order(more), stages, as_of)))
    # columns are chosen by name where `drop` would need to know them all: in a declarative pipeline stays are not there yet
    rows = _states(once, stages, as_of).select(*_ROW).unionByName(several)
    return rows.select(
        "lead_id",
        "valid_from",
        "known_from",
        "valid_to",
        "known_to",
        _day(F.col("valid_from"), time_zone).alias("from_day"),
        _day(F.col("valid_to"), time_zone).alias("to_day"),
        "status",
        "stage",
        F.coalesce("deal_value", F.lit(0)).cast("decimal(18,2)").alias("deal_value"),
        F.col("deal_value").isNotNull().alias("has_value"),
        "expected_close_date",
        "owner",
        "customer_id",
        "product_id",
        "source",
        "basis",
    )


def changed(
    kept: DataFrame,
    added: DataFrame | None,
    versions: DataFrame,
    changes: DataFrame | None,
    stage_history: DataFrame,
    as_of: AsOf,
    time_zone: str,
) -> DataFrame:
    """Deals, one a row, whose rows in `kept` are not what their versions and stage changes give."""
    now = _facts(versions, changes, as_of, time_zone)
    before = kept.groupBy("lead_id").agg(F.max("basis").alias("_kept"))
    both = now.join(before, on="lead_id", how="full")
    return both.filter(~F.col("basis").eqNullSafe(F.col("_kept"))).select("lead_id")


def _day(time: Column, time_zone: str) -> Column:
    return F.from_utc_timestamp(time, time_zone).cast("date")


def _entries(versions: DataFrame) -> DataFrame:
    """Versions with `_since`, from when on they hold: their version time, or else when they were learned.

    A deal that has closed holds from its close, where that is earlier; a record that has ended, from its end.
    """
    ended = F.col("_outcome").isin(*ENDED)
    closed = F.when(~ended & (F.col("status") != "open"), F.coalesce("closed_at", "updated_at", "known_at"))
    since = F.coalesce("_ended_at", "updated_at", "known_at")
    return versions.select(
        "lead_id",
        *_SAYS,
        "stage",
        F.when(ended, F.lit("withdrawn")).otherwise(F.col("status")).alias("status"),
        "created_at",
        F.col("updated_at").alias("_version"),
        closed.alias("_closed"),
        F.least(since, closed).alias("_since"),
        ended.alias("_ended"),
        *_ARRIVAL,
    )


def _knowledge(learned: DataFrame) -> DataFrame:
    """The times at which something of a deal was learned: `known_from`, the next one as `known_to`, and `_place`."""
    in_order = Window.partitionBy("lead_id").orderBy("known_from")
    times = learned.select("lead_id", F.col("known_at").alias("known_from")).distinct()
    return times.withColumns({"known_to": F.lead("known_from").over(in_order), "_place": F.row_number().over(in_order)})


def _in_order(entries: DataFrame) -> DataFrame:
    """The versions that held at some time, as they were known, with `_until`, the next; later ones outdo earlier ones."""
    knowledge = Window.partitionBy(*_KNOWLEDGE)
    of_version = knowledge.orderBy(F.asc_nulls_first("_version"), *_ARRIVAL)
    last_first = Window.partitionBy(*_KNOWLEDGE, "_ended").orderBy(
        F.desc_nulls_last("_version"), *map(F.desc, _ARRIVAL)
    )
    after = of_version.rowsBetween(1, Window.unboundedFollowing)
    ranked = entries.withColumns(
        {
            "_until": F.min("_since").over(after),
            "_rank": F.row_number().over(last_first),
            "_earliest": F.min("_since").over(knowledge),
        }
    )
    newest = F.when((F.col("_rank") == 1) & ~F.col("_ended"), F.col("created_at"))
    ranked = ranked.withColumn("_opened", F.coalesce(F.max(newest).over(knowledge), "_earliest"))
    there = ranked.filter(F.col("_until").isNull() | (F.col("_since") < F.col("_until")))
    gone = F.max(F.col("_until").isNull() & F.col("_ended")).over(knowledge)
    there = there.withColumns(
        {"_first": F.col("_since") == F.col("_earliest"), "_stays": F.col("known_to").isNull() & ~gone}
    )
    return there.filter(~(F.col("_first") & F.col("_ended"))).drop("_rank", "_earliest")


def _stages(stage_history: DataFrame) -> DataFrame:
    """Stays, and from the beginning of time to the first of them no stage."""
    stays = stage_history.select(
        F.col("lead_id").alias("_deal"),
        F.col("stage").alias("_stage"),
        F.col("entered_at").alias("_entered"),
        F.col("left_at").alias("_left"),
    )
    before = stays.groupBy("_deal").agg(F.min("_entered").alias("_left"))
    nothing = {"_stage": F.lit(None).cast("string"), "_entered": F.lit(None).cast("timestamp")}
    return stays.unionByName(before.withColumns(nothing))


def _states(entries: DataFrame, stages: DataFrame, as_of: AsOf) -> DataFrame:
    """The states that versions describe: open, one row per stage, then closed or withdrawn."""
    start = F.greatest(F.when(F.col("_first"), F.col("_opened")).otherwise(F.col("_since")), "_opened")
    entries = entries.withColumn("_start", start)
    is_open, has_stays = F.col("status") == "open", F.col("_stays")
    # without stays the stage of a version counts, from its time on where it has one
    staged = F.when(is_open & ~has_stays & F.col("_version").isNotNull(), F.greatest("_since", "_start")).otherwise(
        F.col("_start")
    )
    ends = F.when(~is_open, F.greatest("_closed", "_start"))
    early = F.struct(
        F.lit("open").alias("status"),
        F.col("_start").alias("from"),
        F.least(staged, "_until").alias("to"),
        F.lit(None).cast("string").alias("stage"),
        F.lit(None).cast("string").alias("key"),
    )
    opened = F.struct(
        F.lit("open").alias("status"),
        staged.alias("from"),
        F.least("_until", ends).alias("to"),
        F.when(is_open & ~has_stays, F.col("stage")).alias("stage"),
        F.when(has_stays, F.col("lead_id")).alias("key"),
    )
    ended = F.struct(
        F.when(~is_open, F.col("status")).alias("status"),
        ends.alias("from"),
        F.col("_until").alias("to"),
        F.col("stage").alias("stage"),
        F.when(F.col("stage").isNull() & has_stays, F.col("lead_id")).alias("key"),
    )
    parts = entries.withColumn("_part", F.explode(F.array(early, opened, ended))).drop("status", "stage")
    names = {
        f"_{name}" if name in ("from", "to", "key") else name: name for name in ("status", "stage", "from", "to", "key")
    }
    parts = parts.withColumns({alias: F.col(f"_part.{name}") for alias, name in names.items()})
    lasts = F.col("_to").isNull() | (F.col("_from") < F.col("_to"))
    parts = parts.filter(F.col("status").isNotNull() & lasts & (F.col("_from") < as_of.instant))
    overlap = (F.col("_key") == F.col("_deal")) & (F.col("_left").isNull() | (F.col("_from") < F.col("_left")))
    overlap = overlap & (F.col("_entered").isNull() | F.col("_to").isNull() | (F.col("_entered") < F.col("_to")))
    both = parts.join(stages, overlap, how="left")
    return both.select(
        "lead_id",
        F.greatest("_from", "_entered").alias("valid_from"),
        F.when(F.least("_to", "_left") < as_of.instant, F.least("_to", "_left")).alias("valid_to"),
        "known_from",
        "known_to",
        "status",
        F.coalesce("stage", "_stage").alias("stage"),
        *_SAYS,
        "basis",
        "_place",
    ).filter(F.col("valid_from") < as_of.instant)


def _merged(states: DataFrame) -> DataFrame:
    """States that follow on the same one become part of it."""
    in_order = Window.partitionBy(*_KNOWLEDGE).orderBy("valid_from")
    states = states.withColumn("_state", F.struct(*_STATE)).withColumn("_before", F.lag("_state").over(in_order))
    first = F.row_number().over(in_order) == 1
    changed = states.withColumn("_changed", first | ~F.col("_before").eqNullSafe(F.col("_state"))).filter("_changed")
    return changed.withColumn("valid_to", F.lead("valid_from").over(in_order)).select(*_ROW, "_place")


def _as_long_as_known(rows: DataFrame) -> DataFrame:
    """Rows that are the same by what was known from several times on become one."""
    same = ("lead_id", "valid_from", "valid_to", *_STATE, "basis")
    in_order = Window.partitionBy(*same).orderBy("_place")
    rows = rows.withColumn("_run", F.col("_place") - F.row_number().over(in_order))
    now = F.count_if(F.col("known_to").isNull()) > 0
    return (
        rows.groupBy(*same, "_run")
        .agg(F.min("known_from").alias("known_from"), F.when(~now, F.max("known_to")).alias("known_to"))
        .select(*_ROW)
    )


def _facts(versions: DataFrame, changes: DataFrame | None, as_of: AsOf, time_zone: str) -> DataFrame:
    """Per deal `basis`, a number that changes with anything that its rows are computed from, and `_alone`, whether there is
    one version of it and nothing was learned of it since.
    """

    def numbered(frame: DataFrame, kind: str, columns: tuple[str, ...], times: tuple[str, ...]) -> DataFrame:
        past = (F.col(name) < as_of.instant for name in times)
        number = F.hash(F.lit(kind), F.lit(time_zone), *columns, *times, *_ARRIVAL, *past)
        is_version = F.lit(int(kind == "version")).alias("_version")
        return frame.select("lead_id", "known_at", number.cast("bigint").alias("_number"), is_version)

    times = ("created_at", "updated_at", "closed_at", "_ended_at")
    parts = numbered(versions, "version", ("_outcome", *_STATE), times)
    if changes is not None:
        parts = parts.unionByName(numbered(changes, "change", ("stage",), ("entered_at",)))
    versions_of = F.sum("_version")
    facts = parts.groupBy("lead_id").agg(
        F.sum("_number").alias("basis"),
        ((versions_of == 1) & (F.min("known_at") == F.max("known_at"))).alias("_alone"),
        (versions_of > 0).alias("_there"),
    )
    return facts.filter("_there").drop("_there")
