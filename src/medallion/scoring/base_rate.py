"""Probability to convert while there are too few closed deals for a model: a base rate per score band.

The estimate for a band is the share of its deals that were won within the horizon (90 days) of being opened,
among deals old enough for the horizon to have passed, shrunk towards the share over all bands by the weight of
ten deals: `(won + 10*p) / (n + 10)`. The interval is Wilson's at 90 % for the same counts.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion.columns import share, wilson
from medallion.features import Features, Moment

SOURCE = "base_rate_by_band"
NO_EVIDENCE = "none"
_Z_90 = 1.645


def band_rates(leads: DataFrame, bands: DataFrame, moment: Moment) -> DataFrame:
    """One row per band that has deals, with counts and the shrunken rate.

    Args:
        leads: `leads_as_of`.
        bands: `customer_id`, `lead_quality`.
        moment: The moment; deals opened within the horizon before it are too young to tell.

    Columns: `lead_quality`, `band_closed_leads`, `band_won_leads`, `_mature`, `_converted`.
    """
    horizon = moment.weights.horizon_days
    age = moment.days_since(F.col("created_at"))
    cycle = F.datediff(F.col("closed_at"), F.col("created_at"))
    mature = F.coalesce(age >= horizon, F.lit(False))
    converted = mature & (F.col("status") == "won") & F.coalesce(cycle < horizon, F.lit(False))
    banded = leads.select("customer_id", "status", "created_at", "closed_at").join(bands, on="customer_id", how="inner")
    return banded.groupBy("lead_quality").agg(
        F.count_if(F.col("status").isin("won", "lost")).alias("band_closed_leads"),
        F.count_if(F.col("status") == "won").alias("band_won_leads"),
        F.count_if(mature).alias("_mature"),
        F.count_if(converted).alias("_converted"),
    )


def with_probability(customers: DataFrame, leads: DataFrame, moment: Moment) -> DataFrame:
    """`customers` (features with `lead_quality`) with the band's evidence and rate joined on."""
    rates = band_rates(leads, customers.select("customer_id", "lead_quality"), moment)
    total = rates.agg(F.sum("_mature").alias("_all_mature"), F.sum("_converted").alias("_all_converted"))
    joined = customers.join(rates, on="lead_quality", how="left").join(total, how="cross")
    prior = F.lit(float(moment.weights.prior_leads))
    base = F.when(
        F.col("_all_mature") > 0,
        (F.col("_all_converted").cast("double") + F.lit(0.5)) / (F.col("_all_mature").cast("double") + F.lit(1.0)),
    )
    won = F.coalesce("_converted", F.lit(0)).cast("double") + prior * base
    n = F.coalesce("_mature", F.lit(0)).cast("double") + prior
    low, high = wilson(won, n, _Z_90)
    return joined.withColumns(
        {
            "_lead_probability": F.round(won / n, 6),
            "_lead_low": F.when(base.isNotNull(), low),
            "_lead_high": F.when(base.isNotNull(), high),
        }
    )


PROBABILITY = Features("base rate")


@PROBABILITY.add("bigint", "deals")
def band_closed_leads(moment: Moment) -> Column:
    """Closed deals of all accounts in the same score band."""
    return F.coalesce("band_closed_leads", F.lit(0))


@PROBABILITY.add("double", "share")
def band_win_rate(moment: Moment) -> Column:
    """Observed conversion of the band: share of its closed deals that were won; null without closed deals."""
    return share(F.col("band_won_leads"), F.col("band_closed_leads"))


@PROBABILITY.add("double", "probability")
def lead_probability(moment: Moment) -> Column:
    """Probability that one open deal of the account is won within 90 days, by the shrunken rate of its band;
    null when no deal is old enough to tell.
    """
    return F.col("_lead_probability")


@PROBABILITY.add("double", "probability")
def lead_probability_low(moment: Moment) -> Column:
    """Lower end of the 90 % interval of lead_probability."""
    return F.col("_lead_low")


@PROBABILITY.add("double", "probability")
def lead_probability_high(moment: Moment) -> Column:
    """Upper end of the 90 % interval of lead_probability."""
    return F.col("_lead_high")


@PROBABILITY.add("double", "probability")
def probability_to_convert(moment: Moment) -> Column:
    """Probability that at least one open deal is won within 90 days: 1 - product(1 - p) over its open deals."""
    p = F.col("_lead_probability")
    count = F.coalesce("open_leads", F.lit(0)).cast("double")
    some = F.round(F.lit(1.0) - F.pow(F.lit(1.0) - p, count), 6)
    return F.when(count == 0, F.lit(0.0)).otherwise(some)


@PROBABILITY.add("string")
def probability_source(moment: Moment) -> Column:
    """What the probability rests on: `base_rate_by_band`, or `none` when no deal is old enough to tell."""
    return F.when(F.col("_lead_probability").isNotNull(), SOURCE).otherwise(NO_EVIDENCE)


@PROBABILITY.add("decimal(18,2)", "USD")
def weighted_pipeline(moment: Moment) -> Column:
    """Value of the open deals times their probability; null when there is a value but no probability."""
    value = F.col("open_value")
    return F.when(value == 0, value).otherwise(F.round(value.cast("double") * F.col("_lead_probability"), 2))
