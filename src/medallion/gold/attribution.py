"""`gold.attribution`: which channels had a part in each win, and what that part is worth."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from medallion.columns import rounded
from medallion.features import Moment, interactions_as_of, leads_as_of

#: Days before a win in which a touch has a part in it.
ATTRIBUTION_DAYS = 90
UNATTRIBUTED = "unattributed"
_WIN = ("lead_id", "customer_id", "closed_at", "deal_value")


def attribution(
    leads: DataFrame,
    interactions: DataFrame,
    moment: Moment,
    known_to: str | None = None,
    previous: DataFrame | None = None,
    added: DataFrame | None = None,
) -> DataFrame:
    """One row per won deal and channel; the parts of a deal add up to its value, and to 1.

    Attribution is linear: the value of a won deal is shared among the touches of its customer in the 90 days
    before the win, cent by cent, what cannot be divided going to the channel with most touches. A win without
    such a touch is `unattributed`.

    Args:
        leads: `silver.leads_clean`, or its rewound history.
        interactions: `silver.interactions_clean`, or its rewound history.
        moment: The moment.
        known_to: When the newest touch was learned, as text in UTC; None when the rows are not to be kept.
        previous: The table as it was; its wins are taken as they are where neither they nor their touches changed.
        added: The touches that came since then, and nothing else did.
    """
    won = leads_as_of(leads, moment).filter(F.col("status") == "won")
    won = won.select(
        "lead_id",
        "customer_id",
        "closed_at",
        F.coalesce("deal_value", F.lit(0)).cast("decimal(18,2)").alias("deal_value"),
    )
    touches = interactions_as_of(interactions, moment).select("customer_id", "channel", "occurred_at")
    if previous is None or added is None:
        return _parts(won, touches).withColumn("known_to", F.lit(known_to).cast("timestamp"))
    alike = [F.col(name).eqNullSafe(F.col(f"_{name}")) for name in _WIN[1:]]
    before = previous.select(*(F.col(name).alias(f"_{name}") for name in _WIN)).distinct()
    same = won.join(before, (F.col("lead_id") == F.col("_lead_id")) & _all(alike), how="left_semi")
    late = same.join(_renamed(added), _near(), how="left_semi").select("lead_id")
    kept = same.join(late, on="lead_id", how="left_anti").select("lead_id")
    old = previous.join(kept, on="lead_id", how="left_semi")
    new = _parts(won.join(kept, on="lead_id", how="left_anti"), touches)
    return old.select(*new.columns).unionByName(new).withColumn("known_to", F.lit(known_to).cast("timestamp"))


def _all(conditions: list[Column]) -> Column:
    one = conditions[0]
    for condition in conditions[1:]:
        one = one & condition
    return one


def _renamed(touches: DataFrame) -> DataFrame:
    return touches.select(F.col("customer_id").alias("_customer"), "channel", "occurred_at")


def _near() -> Column:
    """Whether a touch has a part in a win."""
    age = F.datediff(F.col("closed_at"), F.col("occurred_at"))
    before = (F.col("occurred_at") < F.col("closed_at")) & (age <= ATTRIBUTION_DAYS)
    return (F.col("customer_id") == F.col("_customer")) & before


def _parts(won: DataFrame, touches: DataFrame) -> DataFrame:
    near = won.join(_renamed(touches), _near(), how="inner")
    counted = near.groupBy("lead_id", "channel").agg(F.count(F.lit(1)).alias("touches"))
    deal = Window.partitionBy("lead_id")
    shared = counted.withColumns(
        {"_all": F.sum("touches").over(deal), "_place": F.row_number().over(deal.orderBy(F.desc("touches"), "channel"))}
    )
    cents = (F.col("deal_value") * 100).cast("bigint")
    valued = won.withColumn("_cents", cents).join(shared, on="lead_id", how="left").withColumns(
        {
            "channel": F.coalesce("channel", F.lit(UNATTRIBUTED)),
            "touches": F.coalesce("touches", F.lit(0)),
            "_part": F.when(F.col("_all") > 0, F.floor(F.expr("(_cents * touches) div _all"))),
            # whole millionths, since a sum of doubles would depend on the order of rows
            "_micro": F.when(F.col("_all") > 0, rounded(F.col("touches") / F.col("_all") * F.lit(1e6)).cast("bigint")),
        }
    )  # fmt: skip
    left_over = F.col("_cents") - F.sum("_part").over(deal)
    part = F.col("_part") + F.when(F.col("_place") == 1, left_over).otherwise(F.lit(0))
    return valued.select(
        *_WIN,
        "channel",
        "touches",
        _hundredths(F.coalesce(part, F.col("_cents"))).alias("attributed_revenue"),
        F.coalesce("_micro", F.lit(1_000_000)).cast("bigint").alias("deal_millionths"),
    )


def _hundredths(cents: Column) -> Column:
    return (cents.cast("decimal(20,0)") / F.lit(100).cast("decimal(3,0)")).cast("decimal(18,2)")
