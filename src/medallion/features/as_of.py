"""The three silver tables as they stood at a moment. Everything downstream reads these."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion.features.registry import Moment


def customers_as_of(customers: DataFrame, moment: Moment) -> DataFrame:
    """Accounts that existed; one without a creation date is taken to have."""
    return customers.filter(F.col("created_at").isNull() | (F.col("created_at") < moment.instant))


def leads_as_of(leads: DataFrame, moment: Moment) -> DataFrame:
    """Deals that had been opened, without what was still to come: a later close makes a deal open.

    A closed deal without any close date counts as closed.
    """
    opened = leads.filter(F.col("created_at").isNull() | (F.col("created_at") < moment.instant))
    closed = (F.col("status") != "open") & F.coalesce(F.col("closed_at") < moment.instant, F.lit(True))
    return opened.withColumns(
        {
            "status": F.when(~closed, F.lit("open")).otherwise(F.col("status")),
            "stage": F.when(closed | (F.col("status") == "open"), F.col("stage")),
            "closed_at": F.when(closed, F.col("closed_at")),
        }
    )


def interactions_as_of(interactions: DataFrame, moment: Moment) -> DataFrame:
    """Touches that had happened."""
    return interactions.filter(F.col("occurred_at") < moment.instant)


def recent_days(moment: Moment) -> int:
    """Days that `RECENT` looks back."""
    return max(90, moment.weights.intent_window_days + 1)


def recent_interactions(interactions: DataFrame, moment: Moment) -> DataFrame:
    """Touches that had happened, of the last months only: those that `RECENT` looks at."""
    first = F.date_sub(moment.today, recent_days(moment)).cast("timestamp")
    return interactions_as_of(interactions, moment).filter(F.col("occurred_at") >= first)
