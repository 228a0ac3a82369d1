"""Probability to convert while there are too few closed deals for a model: a base rate per score band.

The estimate for a band is the share of its deals that were won within the horizon (90 days) of being opened,
among deals old enough for the horizon to have passed, shrunk towards the share over all bands by the weight of
ten deals: `(won + 10*p) / (n + 10)`, where `p` is `(won + 0.5) / (n + 1)` of all bands together, so that it is
never quite 0 or 1. The interval is Wilson's at 90 % for the same counts.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from medallion.columns import share, wilson
from medallion.features import Features, Moment
from medallion.features.deals import has_converted, is_mature

SOURCE = "base_rate_by_band"
NO_EVIDENCE = "none"
_Z_90 = 1.645


def with_probability(customers: DataFrame, deals: DataFrame, moment: Moment) -> DataFrame:
    """`customers` with their band's evidence and rate.

    Args:
        customers: Features with `lead_quality` and the deal counts; a window over each band adds them up, so that
            the features are computed once.
        deals: `leads_as_of`, from which the share over all bands comes.
        moment: The moment; deals opened within the horizon before it are too young to tell.
    """
    band = Window.partitionBy("lead_quality")
    counted = customers.withColumns(
        {
            "_band_closed": F.sum(F.col("won_leads") + F.col("lost_leads")).over(band),
            "_band_won": F.sum("won_leads").over(band),
            "_band_mature": F.sum("mature_leads").over(band),
            "_band_converted": F.sum("converted_leads").over(band),
        }
    )
    everything = deals.agg(
        F.count_if(is_mature(moment)).cast("double").alias("_mature"),
        F.count_if(has_converted(moment)).cast("double").alias("_converted"),
    )
    joined = counted.join(everything, how="cross")
    prior = F.lit(float(moment.weights.prior_leads))
    base = F.when(F.col("_mature") > 0, (F.col("_converted") + F.lit(0.5)) / (F.col("_mature") + F.lit(1.0)))
    won = F.col("_band_converted").cast("double") + prior * base
    n = F.col("_band_mature").cast("double") + prior
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
    return F.col("_band_closed")


@PROBABILITY.add("double", "share")
def band_win_rate(moment: Moment) -> Column:
    """Observed conversion of the band: share of its closed deals that were won; null without closed deals."""
    return share(F.col("_band_won"), F.col("_band_closed"))


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
