"""`gold.attribution`: which channels had a part in each win, and what that part is worth."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from medallion.columns import rounded
from medallion.features import AsOf, interactions_as_of, leads_as_of

#: Days before a win in which a touch has a part in it.
ATTRIBUTION_DAYS = 90
UNATTRIBUTED = "unattributed"

#: The share of a deal's cents by touches, in whole cents; the product of both could be more than BIGINT holds, and wraps.
_SHARE = "(_cents div _all) * touches + ((_cents % _all) * touches) div _all"


def attribution(leads: DataFrame, interactions: DataFrame, as_of: AsOf, only: DataFrame | None = None) -> DataFrame:
    """One row per won deal and channel; the parts of a deal add up to its value, and to 1.

    Attribution is linear: the value of a won deal is shared among the touches of its customer in the 90 days
    before the win, cent by cent, what cannot be divided going to the channel with most touches. A win without
    such a touch is `unattributed`.

    Args:
        leads: `silver.leads_clean`, or its rewound history.
        interactions: `silver.interactions_clean`, or its rewound history.
        as_of: The as-of time.
        only: The `lead_id` of the deals that are wanted; None is all.
    """
    won = _won(leads, as_of)
    won = won if only is None else won.join(only, on="lead_id", how="left_semi")
    counted = _near(won, interactions, as_of).groupBy("lead_id", "channel").agg(F.count(F.lit(1)).alias("touches"))
    deal = Window.partitionBy("lead_id")
    shared = counted.withColumns(
        {"_all": F.sum("touches").over(deal), "_place": F.row_number().over(deal.orderBy(F.desc("touches"), "channel"))}
    )
    cents = (F.col("deal_value") * 100).cast("bigint")
    valued = won.withColumn("_cents", cents).join(shared, on="lead_id", how="left").withColumns(
        {
            "channel": F.coalesce("channel", F.lit(UNATTRIBUTED)),
            "touches": F.coalesce("touches", F.lit(0)),
            "_part": F.when(F.col("_all") > 0, F.expr(_SHARE)),
            # whole millionths, since a sum of doubles would depend on the order of rows
            "_micro": F.when(F.col("_all") > 0, rounded(F.col("touches") / F.col("_all") * F.lit(1e6)).cast("bigint")),
        }
    )  # fmt: skip
    left_over = F.col("_cents") - F.sum("_part").over(deal)
    part = F.col("_part") + F.when(F.col("_place") == 1, left_over).otherwise(F.lit(0))
    return valued.select(
        "lead_id",
        "customer_id",
        "closed_at",
        "deal_value",
        "channel",
        "touches",
        _hundredths(F.coalesce(part, F.col("_cents"))).alias("attributed_revenue"),
        F.coalesce("_micro", F.lit(1_000_000)).cast("bigint").alias("deal_millionths"),
    )


def changed(kept: DataFrame, added: DataFrame, leads: DataFrame, interactions: DataFrame, as_of: AsOf) -> DataFrame:
    """The `lead_id` of deals whose rows are other than those kept, one a row, where touches have only been added.

    Those are deals that are no longer won as they were or are newly won, and those won with an added touch in the days
    before.

    Args:
        kept: The table as it is.
        added: Touches that have come since it was written; all others are as they were.
        leads: `silver.leads_clean`.
        interactions: `silver.interactions_clean`.
        as_of: The as-of time.
    """
    won = _won(leads, as_of)
    before = kept.select(*_OF_DEAL).distinct()
    others = won.subtract(before).unionByName(before.subtract(won)).select("lead_id")
    return others.unionByName(_near(won, added, as_of).select("lead_id")).distinct()


#: Columns that repeat the deal.
_OF_DEAL = ("lead_id", "customer_id", "closed_at", "deal_value")


def _won(leads: DataFrame, as_of: AsOf) -> DataFrame:
    value = F.coalesce("deal_value", F.lit(0)).cast("decimal(18,2)")
    won = leads_as_of(leads, as_of).filter(F.col("status") == "won")
    return won.withColumn("deal_value", value).select(*_OF_DEAL)


def _near(won: DataFrame, interactions: DataFrame, as_of: AsOf) -> DataFrame:
    """Deals, each with the touches that have a part in it."""
    touches = interactions_as_of(interactions, as_of).select(
        F.col("customer_id").alias("_customer"), "channel", "occurred_at"
    )
    age = F.datediff(F.col("closed_at"), F.col("occurred_at"))
    before = (F.col("occurred_at") < F.col("closed_at")) & (age <= ATTRIBUTION_DAYS)
    return won.join(touches, (F.col("customer_id") == F.col("_customer")) & before, how="inner")


def _hundredths(cents: Column) -> Column:
    return (cents.cast("decimal(20,0)") / F.lit(100).cast("decimal(3,0)")).cast("decimal(18,2)")
