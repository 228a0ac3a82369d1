"""Silver as of a point in time, and the newest event in it: where gold starts from.

Apart from the rest of silver, so that gold follows a change of it and of nothing else there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from medallion.contracts import Entity
from medallion.contracts.model import ENDED


def rewind(history: DataFrame, entity: Entity, as_of: Column, known_as_of: Column | None) -> DataFrame:
    """The version of every key that was valid just before `as_of`, from what was known before `known_as_of`.

    A version is valid from its version time; without one, from when it was learned; of a deal that has closed, from its
    close, where that is earlier. Where only later versions are
    known (a first export after the fact), the earliest of them is used, without its stage, as far as it says when it
    was changed: an open deal may have been in another one. Both times are exclusive. A record that had ended by then
    is not there; a history from before there were ends has none.
    """
    known = history if known_as_of is None else history.filter(F.col("known_at") < known_as_of)
    names = known.columns
    if "_ended_at" in names:
        known = known.filter(F.col("_ended_at").isNull() | (F.col("_ended_at") < as_of))
    arrival = [F.desc("known_at"), F.desc("_source_file"), F.desc("_source_row")]
    if entity.version_column is None:  # an event: the version learned last corrects the others
        order = arrival
    else:
        version = F.col(entity.version_column)
        since = F.coalesce(version.cast("timestamp"), F.col("known_at"))
        if "_ended_at" in names:  # an end may leave the version as it was
            since = F.coalesce("_ended_at", since)
        if entity.name == "leads":  # closed, it was so from its close on; an end is none
            closed = F.when(F.col("status") != "open", F.col("closed_at"))
            ends = F.col("_ended_at").isNotNull() if "_ended_at" in names else F.lit(False)
            since = F.when(ends, since).otherwise(F.least(since, closed))
        known = known.withColumns({"_held": since < as_of, "_since": since})
        order = [
            F.desc("_held"),
            F.when(F.col("_held"), version).desc_nulls_last(),
            F.when(~F.col("_held"), F.col("_since")).asc_nulls_last(),
            *arrival,
        ]
    ranked = known.withColumn("_rank", F.row_number().over(Window.partitionBy(entity.key).orderBy(*order)))
    chosen = ranked.filter(F.col("_rank") == 1)
    if entity.name == "leads":
        later = ~F.col("_held") & ~F.coalesce((F.col("status") != "open") & (F.col("closed_at") < as_of), F.lit(False))
        later = later & (version.isNotNull() | F.col("created_at").isNull())  # else it holds from the opening
        chosen = chosen.withColumn("stage", F.when(~later, F.col("stage")))
    if "_outcome" in names:
        chosen = chosen.filter(~F.coalesce(F.col("_outcome").isin(*ENDED), F.lit(False)))
    columns = ((c.name, c.type) for c in entity.clean.columns)  # those that the contract has gained since are null
    return chosen.select(*(name if name in names else F.lit(None).cast(type_).alias(name) for name, type_ in columns))


def without(history: DataFrame, replaced: Collection[str]) -> DataFrame:
    """A history without the versions of batches whose reading no longer counts, since their rows were read again."""
    return history.filter(~F.col("_batch_id").isin(*sorted(replaced))) if replaced else history


def of_counted(history: DataFrame, leads: DataFrame) -> DataFrame:
    """The versions of deals that are there and count, without those that end a record."""
    there = history.filter(~F.col("_outcome").isin(*ENDED))
    return there.join(leads.select("lead_id"), on="lead_id", how="left_semi")


def ended_by(history: DataFrame, last: Column | None) -> DataFrame:
    """A history whose ends count at `last` at the latest, as in the clean table, which has no record that has ended by now.

    None leaves them when they were. A history from before ends were written has none.
    """
    if "_ended_at" not in history.columns:
        return history.withColumn("_ended_at", F.lit(None).cast("timestamp"))
    if last is None:
        return history
    return history.withColumn("_ended_at", F.when(F.col("_ended_at").isNotNull(), F.least("_ended_at", last)))


def grown(frame: DataFrame, entity: Entity) -> DataFrame:
    """A table with the columns of gold that its contract has gained; no row has come since, so they are null."""
    there = frame.columns if entity.in_gold else ()
    gained = [column for column in entity.in_gold if column.name not in there]
    return frame.withColumns({column.name: F.lit(None).cast(column.type) for column in gained}) if gained else frame


def newest_event(tables: Mapping[str, DataFrame], entities: Mapping[str, Entity]) -> DataFrame:
    """The newest event in the data, one row with `newest`, null when there is none.

    A date after the reading of its own row is a plan or a mistake, not an event.
    """
    parts = []
    for name, entity in entities.items():
        events = [
            F.max(F.when(F.col(column.name) <= F.col("known_at"), F.col(column.name)))
            for column in entity.columns
            if column.event
        ]
        if events and name in tables:
            newest = F.greatest(*events, F.lit(None).cast("timestamp"))
            parts.append(tables[name].agg(newest.alias("newest")))
    return reduce(DataFrame.unionByName, parts).agg(F.max("newest").alias("newest"))
