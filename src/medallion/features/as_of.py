"""The three silver tables as of a point in time. Everything downstream reads these."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion.features.registry import AsOf


def customers_as_of(customers: DataFrame, as_of: AsOf) -> DataFrame:
    """Accounts that existed; one without a creation date is taken to have."""
    return customers.filter(F.col("created_at").isNull() | (F.col("created_at") < as_of.instant))


def leads_as_of(leads: DataFrame, as_of: AsOf) -> DataFrame:
    """Deals that had been opened, without what was still to come: a later close makes a deal open.

    A closed deal without any close date counts as closed.
    """
    opened = leads.filter(F.col("created_at").isNull() | (F.col("created_at") < as_of.instant))
    closed = (F.col("status") != "open") & F.coalesce(F.col("closed_at") < as_of.instant, F.lit(True))
    return opened.withColumns(
        {
            "status": F.when(~closed, F.lit("open")).otherwise(F.col("status")),
            "stage": F.when(closed | (F.col("status") == "open"), F.col("stage")),
            "closed_at": F.when(closed, F.col("closed_at")),
        }
    )


def interactions_as_of(interactions: DataFrame, as_of: AsOf) -> DataFrame:
    """Touches that had happened."""
    return interactions.filter(F.col("occurred_at") < as_of.instant)


def recent_days(as_of: AsOf) -> int:
    """Days that `RECENT` looks back."""
    return max(90, as_of.weights.intent_window_days + 1)


def recent_interactions(interactions: DataFrame, as_of: AsOf) -> DataFrame:
    """Touches that had happened, of the last months only: those that `RECENT` looks at."""
    first = F.date_sub(as_of.today, recent_days(as_of)).cast("timestamp")
    return interactions_as_of(interactions, as_of).filter(F.col("occurred_at") >= first)
