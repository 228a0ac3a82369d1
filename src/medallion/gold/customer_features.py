"""`gold.customer_features`: what is known of each customer at a point in time, with its score and its reasons."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion.columns import rounded
from medallion.contracts import Column, Table
from medallion.contracts.own import brought
from medallion.errors import ContractError, MedallionError
from medallion.features import (
    ACCOUNT,
    DEALS,
    DERIVED,
    OWN,
    RECENT,
    TOUCHES,
    AsOf,
    Feature,
    Features,
    around,
    customers_as_of,
    leads_as_of,
    recent_interactions,
)
from medallion.gold import team
from medallion.gold.touch_totals import touch_totals
from medallion.scoring.base_rate import PROBABILITY, READS, by_account, curve, reads, with_probability, with_scores
from medallion.scoring.rules import RULES, THRESHOLDS, with_thresholds

#: Features that only feed others.
_INTERNAL = {
    "engagement_nano",
    "dated_won_leads",
    "account_has_email",
    "account_has_phone",
    "deal_has_email",
    "deal_has_phone",
}
_ALL = (ACCOUNT, DEALS, TOUCHES, RECENT, DERIVED, RULES, PROBABILITY)

#: The features of the package, in the order of the columns.
FEATURES: tuple[Feature, ...] = tuple(feature for group in _ALL for feature in group if feature.name not in _INTERNAL)

#: Revenue per buying customer, the same in every row.
_AVERAGE = "_average_won_value"
#: What is computed from all accounts together: the bands of the score, and the probabilities by band.
_BAND = next(feature for feature in RULES if feature.name == "lead_quality")
_OVER_ALL = Features("the bands of the score")
_OVER_ALL.extend((_BAND, *PROBABILITY))
#: What these do not read, as one column while they are computed: the engine plans each of their steps for every column
#: that there is.
_CARRIED = "_carried"
#: Types that a column of a user's own may have.
_TYPE = re.compile(r"string|boolean|int|bigint|double|date|timestamp|decimal\(\d+, ?\d+\)|array<string>")


def contract() -> Table:
    """The contract of the table, with the columns that a user's own modules add (`features.OWN`)."""
    return Table(
        name="gold.customer_features",
        grain="one row per customer",
        description="Everything the call list, the dashboards and the models know of a customer at one point in time.",
        key=("customer_id",),
        columns=(
            *(feature.declared for feature in FEATURES),
            Column("as_of", "date", "Last day that the features include."),
            *(feature.declared for feature in OWN),
        ),
        invariants=(
            "won_leads + lost_leads + open_leads = leads",
            "won_value + lost_value + open_value = total_deal_value",
            "calls + emails + whatsapps + meetings + other_touches = interactions",
            "lead_score BETWEEN 0 AND 100",
        ),
    )


@cache
def _steps(
    own: tuple[Feature, ...] = (), of_contract: tuple[str, ...] = ()
) -> tuple[list[list[Feature]], list[list[Feature]]]:
    """The features of one row before and after those that are computed from all rows, each in steps.

    Raises:
        MedallionError: One of a user's own features, or a column that a contract brings to gold, has the name of
            another; or a feature reads what is no feature, or itself.
    """
    known = {_AVERAGE, *(feature.name for group in (ACCOUNT, DEALS, TOUCHES, RECENT) for feature in group)}
    # an engine does not tell upper from lower case in names of columns
    there = {"as_of", *known, *THRESHOLDS, *(feature.name for feature in (*DERIVED, *RULES, *PROBABILITY))}
    for name in of_contract:
        if name in there:
            raise ContractError(
                f"customers.{name}: gold: gold.customer_features has a column of that name",
                "Name yours otherwise, or leave gold out.",
            )
    known, there = known.union(of_contract), there.union(of_contract)
    for feature in own:
        if not _TYPE.fullmatch(feature.type):
            raise MedallionError(f"your feature {feature.name}: {feature.type!r} is no type", "Use double, bigint, ...")
        if feature.name.lower() in there:
            raise MedallionError(f"your feature {feature.name}: there is a column of that name", "Name it otherwise.")
        if not feature.definition:
            raise MedallionError(f"your feature {feature.name}: has no docstring", "Say in it what the column means.")
        there.add(feature.name.lower())
    one_row = [feature for feature in (*DERIVED, *RULES, *own) if feature is not _BAND]
    return around(_OVER_ALL, READS, one_row, known)


def check_own() -> None:
    """Refuse features of a user's own modules and columns of contracts that cannot be computed.

    Raises:
        MedallionError: See `_steps`.
    """
    _steps(tuple(OWN), _of_contract())


def _of_contract() -> tuple[str, ...]:
    return tuple(column.name for column in brought("customers"))


_steps()  # the package's own are checked when they are imported

_COUNTED = (
    *(feature.name for feature in (*DEALS, *TOUCHES, *RECENT) if feature.unit in ("deals", "touches", "minutes")),
    "total_deal_value",
    "open_value",
    "won_value",
    "lost_value",
    "won_cycle_days",
)


def customer_features(
    customers: DataFrame,
    leads: DataFrame,
    interactions: DataFrame,
    as_of: AsOf,
    scored: DataFrame | None = None,
    totals: DataFrame | None = None,
    owners: DataFrame | None = None,
    stage_history: DataFrame | None = None,
) -> DataFrame:
    """One row per customer that existed at the as-of time, columns as in `contract`.

    Args:
        customers: `silver.customers_clean`, or its rewound history.
        leads: `silver.leads_clean`, or its rewound history.
        interactions: `silver.interactions_clean`, or its rewound history.
        as_of: The as-of time and the weights of the score.
        scored: A model's scores of the open deals at that time; None without a model.
        totals: `gold.touch_totals` of that time; made from the touches when None.
        owners: `silver.owners_clean`, for the names of account managers.
        stage_history: `gold.stage_history` of the same time, for what the stage of a deal adds to its base rate.
    """
    customers = customers if owners is None else team.named(customers, "account_manager", owners)
    totals = touch_totals(interactions, as_of) if totals is None else totals
    deals = leads_as_of(leads, as_of)
    accounts = customers_as_of(customers, as_of).select(*ACCOUNT.columns(as_of), *_of_contract())
    with_model, with_stages = scored is not None, scored is None and stage_history is not None
    forecast = with_scores(deals, as_of, scored, stage_history)
    by_deal = forecast.groupBy("customer_id").agg(*DEALS.columns(as_of), *by_account(as_of, with_model, with_stages))
    by_touch = totals.groupBy("customer_id").agg(*TOUCHES.columns(as_of))
    recent = recent_interactions(interactions, as_of).groupBy("customer_id").agg(*RECENT.columns(as_of))
    joined = accounts
    for part in (by_deal, by_touch, recent):
        joined = joined.join(part, on="customer_id", how="left")
    whole = joined.withColumns({name: F.coalesce(name, F.lit(0)) for name in _COUNTED})
    row = whole.join(_average_won_value(deals).join(curve(deals, as_of), how="cross"), how="cross")
    before, after = _steps(tuple(OWN), _of_contract())
    row = _with(before, row, as_of)
    early = (*ACCOUNT, *DEALS, *TOUCHES, *RECENT, *(feature for step in before for feature in step))
    needed = reads(as_of, with_model, with_stages)
    carried = {feature.name for feature in early}.union(_of_contract(), [_AVERAGE]).difference(needed)
    row = with_thresholds(row.select(*needed, F.struct(*sorted(carried)).alias(_CARRIED)), as_of)
    row = with_probability(row.withColumn(_BAND.name, _BAND.column(as_of)), as_of, with_model, with_stages)
    row = row.withColumns({feature.name: feature.column(as_of) for feature in PROBABILITY})

    def column(name: str) -> SparkColumn:
        return F.col(_CARRIED)[name].alias(name) if name in carried else F.col(name)

    if after:
        over_all = (feature.name for feature in _OVER_ALL)
        row = row.select(*map(column, (*READS, *sorted(carried), *over_all)))
        row, carried = _with(after, row, as_of), set()
    features, own = [[column(feature.name) for feature in group] for group in (FEATURES, OWN)]
    return row.select(*features, as_of.today.alias("as_of"), *own, *map(column, _of_contract()))


def _average_won_value(deals: DataFrame) -> DataFrame:
    """Revenue per buying customer, one row with `_average_won_value`."""
    won = deals.filter((F.col("status") == "won") & (F.col("deal_value") > 0) & F.col("customer_id").isNotNull())
    totals = won.agg(F.sum("deal_value").alias("value"), F.countDistinct("customer_id").alias("buyers"))
    average = rounded(F.col("value").cast("double") / F.col("buyers").cast("double"), 6)
    return totals.select(F.when(F.col("buyers") > 0, average).alias(_AVERAGE))


def _with(steps: Sequence[Sequence[Feature]], row: DataFrame, as_of: AsOf) -> DataFrame:
    """The row with these features, step by step."""
    for step in steps:
        row = row.withColumns({feature.name: feature.column(as_of) for feature in step})
    return row
