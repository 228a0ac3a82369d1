"""Probability to convert per account: from a model's scores of its open deals, else a base rate per score band.

The base rate for a band is the share of its deals that were won within the horizon (90 days) of being opened,
among deals old enough for the horizon to have passed, shrunk towards the share over all bands by the weight of
ten deals: `(won + 10*p) / (n + 10)`, where `p` is `(won + 0.5) / (n + 1)` of all bands together, so that it is
never quite 0 or 1. The interval is Wilson's at 90 % for the same counts.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from medallion.columns import rounded, share, wilson
from medallion.features import Features, Moment
from medallion.features.deals import has_converted, is_mature

SOURCE = "base_rate_by_band"
NO_EVIDENCE = "none"
_Z_90 = 1.645


def with_probability(
    customers: DataFrame, deals: DataFrame, moment: Moment, scored: DataFrame | None = None
) -> DataFrame:
    """`customers` with their band's evidence and rate, and what a model says of their open deals.

    Args:
        customers: Features with `lead_quality` and the deal counts; a window over each band adds them up, so that
            the features are computed once.
        deals: `leads_as_of`, from which the share over all bands comes.
        moment: The moment; deals opened within the horizon before it are too young to tell.
        scored: A model's scores of open deals, as `predict.scored` gives them; None without a model.
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
    rated = joined.withColumns(
        {
            "_band_probability": rounded(won / n, 6),
            "_band_low": F.when(base.isNotNull(), low),
            "_band_high": F.when(base.isNotNull(), high),
        }
    )
    if scored is None:
        return rated.withColumns({name: F.lit(None).cast(kind) for name, kind in _OF_MODEL.items()})
    return rated.join(_by_account(scored, deals), on="customer_id", how="left")


_OF_MODEL = {
    "_scored_leads": "bigint",
    "_scored_value": "decimal(18,2)",
    "_scored_weighted": "decimal(18,2)",
    "_nano_none": "bigint",
    "_micro_probability": "bigint",
    "_micro_low": "bigint",
    "_micro_high": "bigint",
    "_model_version": "string",
}


def _by_account(scored: DataFrame, deals: DataFrame) -> DataFrame:
    """A model's scores per account, columns as in `_OF_MODEL`; whole numbers, so that the order of rows is nothing."""
    values = deals.filter(F.col("status") == "open").select("lead_id", "deal_value")
    p = F.col("probability")
    worth = F.coalesce("deal_value", F.lit(0).cast("decimal(18,2)"))
    columns = {
        "_scored_leads": F.count(F.lit(1)),
        "_scored_value": F.sum(worth),
        "_scored_weighted": F.sum(rounded(worth.cast("double") * p, 2).cast("decimal(18,2)")),
        "_nano_none": F.sum(rounded(F.log(F.greatest(F.lit(1e-12), F.lit(1.0) - p)) * F.lit(1e9)).cast("bigint")),
        "_micro_probability": F.sum(rounded(p * F.lit(1e6)).cast("bigint")),
        "_micro_low": F.sum(rounded(F.col("probability_low") * F.lit(1e6)).cast("bigint")),
        "_micro_high": F.sum(rounded(F.col("probability_high") * F.lit(1e6)).cast("bigint")),
        "_model_version": F.max("model_version"),
    }
    joined = scored.join(values, on="lead_id", how="inner")
    return joined.groupBy("customer_id").agg(*(c.cast(_OF_MODEL[name]).alias(name) for name, c in columns.items()))


def _of_deal(micro: str, band: str) -> Column:
    """Mean over the scored deals, else that of the band."""
    mean = rounded(F.col(micro).cast("double") / F.col("_scored_leads").cast("double") / F.lit(1e6), 6)
    return F.coalesce(F.when(F.col("_scored_leads") > 0, mean), F.col(band))


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
    """Probability that one open deal of the account is won within 90 days: the mean of its scored deals, else the
    shrunken rate of its band; null when no deal is old enough to tell.
    """
    return _of_deal("_micro_probability", "_band_probability")


@PROBABILITY.add("double", "probability")
def lead_probability_low(moment: Moment) -> Column:
    """Lower end of the 90 % interval of lead_probability."""
    return _of_deal("_micro_low", "_band_low")


@PROBABILITY.add("double", "probability")
def lead_probability_high(moment: Moment) -> Column:
    """Upper end of the 90 % interval of lead_probability."""
    return _of_deal("_micro_high", "_band_high")


def _unscored() -> Column:
    """Open deals that no model scored."""
    return F.coalesce("open_leads", F.lit(0)) - F.coalesce("_scored_leads", F.lit(0))


@PROBABILITY.add("double", "probability")
def probability_to_convert(moment: Moment) -> Column:
    """Probability that at least one open deal is won within 90 days: 1 - product(1 - p) over its open deals."""
    by_band = F.pow(F.lit(1.0) - F.col("_band_probability"), _unscored().cast("double"))
    of_the_rest = F.when(_unscored() == 0, F.lit(1.0)).otherwise(by_band)
    none = F.exp(F.coalesce("_nano_none", F.lit(0)).cast("double") / F.lit(1e9)) * of_the_rest
    return F.when(F.coalesce("open_leads", F.lit(0)) == 0, F.lit(0.0)).otherwise(rounded(F.lit(1.0) - none, 6))


@PROBABILITY.add("string")
def probability_source(moment: Moment) -> Column:
    """What the probability rests on: the version of a model, `base_rate_by_band`, or `none` when no deal is old enough
    to tell.
    """
    by_band = F.when(F.col("_band_probability").isNotNull(), SOURCE).otherwise(NO_EVIDENCE)
    return F.coalesce(F.when(F.col("_scored_leads") > 0, F.col("_model_version")), by_band)


@PROBABILITY.add("decimal(18,2)", "USD")
def weighted_pipeline(moment: Moment) -> Column:
    """Value of each open deal times its probability, added up; null when there is a value but no probability."""
    scored = F.coalesce(F.col("_scored_weighted").cast("double"), F.lit(0.0))
    rest = F.col("open_value").cast("double") - F.coalesce(F.col("_scored_value").cast("double"), F.lit(0.0))
    of_rest = F.when(rest == 0, F.lit(0.0)).otherwise(rest * F.col("_band_probability"))
    return F.when(F.col("open_value") == 0, F.col("open_value")).otherwise(rounded(scored + of_rest, 2))
