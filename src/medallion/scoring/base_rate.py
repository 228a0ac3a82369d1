"""Probability to convert without a model: a base rate per score band and age of the deal; and both kinds per account.

The base rate answers the model's question by counting: of the deals that were still open at an age, which share was
won within the horizon (90 days) from there on? Deals whose horizon from that age is not over do not count, nor do
deals that ended on an unknown day or before they were opened. The ages are shares of the horizon, by default 0, 15,
30, 60, 90 and 180 days, and an open deal goes by the nearest; ages that fewer than `LEAST_AT_RISK` deals reached have
the rate of the age before. At each age the rate is `p = (won + 0.5) / (n + 1)`, never quite 0 or 1.

A band's rate for new deals (age 0) is shrunk towards that of all by the weight of ten deals: `(won + 10*p) / (n + 10)`.
The band is that of the account today, so for deals of the past it was not known: bands whose rates contradict their
observed win rates are pooled (isotonic regression), and none has a lower rate than one that won a smaller share. What
a band adds to the log odds of a new deal it adds at every age. The interval is Wilson's at 90 %.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from medallion.columns import rounded, share, wilson
from medallion.features import Features, Moment
from medallion.features.deals import cycle_days, is_mature

SOURCE = "base_rate_by_band"
NO_EVIDENCE = "none"
BANDS = ("Hot", "Warm", "Cool", "Cold")
#: Ages at which deals are counted, as shares of the horizon.
AGES = (0.0, 1 / 6, 1 / 3, 2 / 3, 1.0, 2.0)
#: Deals that must have been open at an age, over all bands, for its rate to be used.
LEAST_AT_RISK = 40
_Z_90 = 1.645


def ages(horizon_days: int) -> tuple[int, ...]:
    """Ages in days at which deals are counted.

    >>> ages(90), ages(2)
    ((0, 15, 30, 60, 90, 180), (0, 1, 2, 4))
    """
    return tuple(sorted({round(part * horizon_days) for part in AGES}))


def nearest(age: Column, values: list[Column], horizon_days: int) -> Column:
    """Of one value per age in `ages`, that of the age which a deal's age in days is nearest to; unknown counts as 0."""
    known = ages(horizon_days)
    found = values[0]
    for before, after, value in zip(known[:-1], known[1:], values[1:], strict=True):
        found = F.when(age * 2 >= before + after, value).otherwise(found)
    return found


def _places(moment: Moment) -> range:
    return range(len(ages(moment.weights.horizon_days)))


def curve(deals: DataFrame, moment: Moment) -> DataFrame:
    """One row: `_rate`, that of all deals from their opening, and per place of an age in `ages` the odds of all deals at
    that age, `_odds_<place>`, and how many deals tell, `_n_<place>`.

    Args:
        deals: `leads_as_of`.
        moment: The moment.
    """
    known = ages(moment.weights.horizon_days)
    told = deals.select(
        *(is_mature(moment, age).alias(f"_told_{k}") for k, age in enumerate(known)),
        F.when(F.col("status") == "won", cycle_days()).alias("_won_after"),
    )
    ends = (F.lit(age + moment.weights.horizon_days) for age in known)
    counted = told.agg(
        *(F.count_if(f"_told_{k}").cast("double").alias(f"_mature_{k}") for k in range(len(known))),
        *(
            F.count_if(F.col(f"_told_{k}") & (F.col("_won_after") < end)).alias(f"_won_{k}")
            for k, end in enumerate(ends)
        ),
    )
    found = {f"_{name}_0": F.lit(None).cast("double") for name in ("odds", "n")}
    for k in range(len(known)):
        mature, won = F.col(f"_mature_{k}"), F.col(f"_won_{k}").cast("double")
        enough = mature >= (LEAST_AT_RISK if k else 1)
        # of (won + 1/2) / (n + 1)
        odds = (won + F.lit(0.5)) / (mature - won + F.lit(0.5))
        before = max(k - 1, 0)
        found[f"_odds_{k}"] = F.when(enough, odds).otherwise(found[f"_odds_{before}"])
        found[f"_n_{k}"] = F.when(enough, mature).otherwise(found[f"_n_{before}"])
    rate = F.when(F.col("_mature_0") > 0, (F.col("_won_0") + F.lit(0.5)) / (F.col("_mature_0") + F.lit(1.0)))
    return counted.select(rate.alias("_rate"), *(column.alias(name) for name, column in found.items()))


def _probability(odds: Column) -> Column:
    """Of a deal whose band shifts the odds of all deals by `_lift`, null without a band."""
    lifted = odds * F.col("_lift")
    return rounded(lifted / (F.lit(1.0) + lifted), 6)


def _lift() -> Column:
    """By what the band of a deal multiplies the odds of a new deal."""
    new = F.col("band_probability")
    return new / (F.lit(1.0) - new) / F.col("_odds_0")


def _interval(p: Column, n: Column, moment: Moment) -> tuple[Column, Column]:
    """Wilson's 90 % interval around a probability: no more evidence than there is of the band, or of the age."""
    behind = F.least(F.col("band_mature_leads").cast("double"), n) + F.lit(float(moment.weights.prior_leads))
    low, high = wilson(p * behind, behind, _Z_90)
    return F.when(p.isNotNull(), low), F.when(p.isNotNull(), high)


def with_base_rate(deals: DataFrame, moment: Moment) -> DataFrame:
    """Deals with `base_rate`, `base_rate_low` and `base_rate_high`, null where the band has none.

    Args:
        deals: All of `leads_as_of`, with `band_probability` and `band_mature_leads` of their account.
        moment: The moment.
    """
    age, horizon = moment.days_since(F.col("created_at")), moment.weights.horizon_days
    odds, n = (nearest(age, [F.col(f"_{name}_{k}") for k in _places(moment)], horizon) for name in ("odds", "n"))
    joined = deals.join(curve(deals, moment), how="cross").withColumns({"_lift": _lift(), "_odds": odds, "_n": n})
    found = joined.withColumn("base_rate", _probability(F.col("_odds")))
    low, high = _interval(F.col("base_rate"), F.col("_n"), moment)
    return found.select(*deals.columns, "base_rate", low.alias("base_rate_low"), high.alias("base_rate_high"))


def with_probability(
    customers: DataFrame, deals: DataFrame, moment: Moment, scored: DataFrame | None = None
) -> DataFrame:
    """`customers` with their band's evidence and rate, and the forecasts of their open deals.

    Args:
        customers: Features with `lead_quality` and the deal counts; a window adds the bands up, so that the features
            are computed once.
        deals: `leads_as_of`.
        moment: The moment; deals whose horizon is not over at it are too young to tell.
        scored: A model's scores of open deals, as `predict.scored` gives them; None without a model.
    """
    whole = Window.partitionBy(F.lit(0))
    sums = {"closed": F.col("won_leads") + F.col("lost_leads"), "won": F.col("won_leads")}
    sums |= {"mature": F.col("mature_leads"), "converted": F.col("converted_leads")}
    counted = customers.withColumns(
        {
            f"_{band}_{name}": F.sum(F.when(F.col("lead_quality") == band, value).otherwise(F.lit(0))).over(whole)
            for band in BANDS
            for name, value in sums.items()
        }
    )
    joined = counted.join(curve(deals, moment), how="cross")
    rated = _with_bands(joined, moment).join(_unscored(deals, moment, scored), on="customer_id", how="left")
    if scored is not None:
        rated = rated.join(_by_account(scored, deals), on="customer_id", how="left")
    else:
        rated = rated.withColumns({name: F.lit(None).cast(kind) for name, kind in _OF_MODEL.items()})
    return _with_mean(rated, moment)


def _with_bands(customers: DataFrame, moment: Moment) -> DataFrame:
    """With the counts, the observed win rate and the rate for new deals of the account's band."""

    def own(name: str) -> Column:
        return reduce(
            lambda rest, band: F.when(F.col("lead_quality") == band, F.col(f"_{band}_{name}")).otherwise(rest),
            BANDS,
            F.lit(None),
        )

    prior, everyone = F.lit(float(moment.weights.prior_leads)), F.col("_rate")
    evidence = customers.withColumns(
        {
            **{f"_{band}_win_rate": share(F.col(f"_{band}_won"), F.col(f"_{band}_closed")) for band in BANDS},
            **{f"_{band}_successes": F.col(f"_{band}_converted").cast("double") + prior * everyone for band in BANDS},
            **{f"_{band}_trials": F.col(f"_{band}_mature").cast("double") + prior for band in BANDS},
        }
    ).withColumns(
        {f"_band_{name}": own(name) for name in ("closed", "mature", "win_rate", "successes", "trials")}
    )  # fmt: skip
    alone = F.col("_band_successes") / F.col("_band_trials")
    rate = rounded(F.coalesce(_pooled(), alone), 6)
    return evidence.withColumns({"band_probability": rate, "band_mature_leads": F.col("_band_mature")})


def _pooled() -> Column:
    """The own band's rate where rates must not fall as the observed win rate rises: isotonic regression.

    The largest, over its beginnings, of the smallest, over its ends, of the mean of a block of bands around the own
    (Barlow and others, Statistical Inference under Order Restrictions, 1972); null for a band without closed deals.
    """
    mine = F.col("_band_win_rate")

    def block(first: Column, last: Column) -> Column:
        def total(name: str) -> Column:
            inside = (F.col(f"_{band}_win_rate").between(first, last) for band in BANDS)
            parts = (
                F.when(each, F.col(f"_{band}_{name}")).otherwise(F.lit(0.0))
                for each, band in zip(inside, BANDS, strict=True)
            )
            return reduce(Column.__add__, parts)

        return total("successes") / total("trials")

    starts = []
    for first in (F.col(f"_{band}_win_rate") for band in BANDS):
        ends = (F.col(f"_{band}_win_rate") for band in BANDS)
        starts.append(F.when(first <= mine, F.least(*(F.when(last >= mine, block(first, last)) for last in ends))))
    return F.greatest(*starts)


def _unscored(deals: DataFrame, moment: Moment, scored: DataFrame | None) -> DataFrame:
    """Per account the open deals without a model's score, and their value, by place of the nearest age in `ages`."""
    horizon = moment.weights.horizon_days
    places = range(len(ages(horizon)))
    rest = deals.filter(F.col("status") == "open")
    if scored is not None:
        rest = rest.join(scored.select("lead_id"), on="lead_id", how="left_anti")
    place = nearest(moment.days_since(F.col("created_at")), [F.lit(k) for k in places], horizon)
    placed = rest.select("customer_id", "deal_value", place.alias("_place"))
    value = F.coalesce("deal_value", F.lit(0).cast("decimal(18,2)"))
    return placed.groupBy("customer_id").agg(
        *(F.count_if(F.col("_place") == k).alias(f"_open_{k}") for k in places),
        *(F.sum(F.when(F.col("_place") == k, value)).alias(f"_value_{k}") for k in places),
    )


_OF_MODEL = {
    "_scored_leads": "bigint",
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
        "_scored_weighted": F.sum(rounded(worth.cast("double") * p, 2).cast("decimal(18,2)")),
        "_nano_none": F.sum(rounded(F.log(F.greatest(F.lit(1e-12), F.lit(1.0) - p)) * F.lit(1e9)).cast("bigint")),
        "_micro_probability": F.sum(rounded(p * F.lit(1e6)).cast("bigint")),
        "_micro_low": F.sum(rounded(F.col("probability_low") * F.lit(1e6)).cast("bigint")),
        "_micro_high": F.sum(rounded(F.col("probability_high") * F.lit(1e6)).cast("bigint")),
        "_model_version": F.max("model_version"),
    }
    joined = scored.join(values, on="lead_id", how="inner")
    return joined.groupBy("customer_id").agg(*(c.cast(_OF_MODEL[name]).alias(name) for name, c in columns.items()))


def _over_open(moment: Moment, of_age: Callable[[int], Column]) -> Column:
    """The sum over the places of the ages at which the account has open deals that no model scored; 0 without any."""
    parts = (F.when(F.col(f"_open_{k}") > 0, of_age(k)).otherwise(F.lit(0.0)) for k in _places(moment))
    return reduce(Column.__add__, parts)


def _with_mean(customers: DataFrame, moment: Moment) -> DataFrame:
    """With mean and interval of the base rates of the open deals that no model scored, or of a new deal without any."""
    places = _places(moment)
    row = customers.withColumn("_lift", _lift()).withColumns(
        {f"_at_{k}": _probability(F.col(f"_odds_{k}")) for k in places}
    )
    row = row.withColumns(
        {
            "_rest": reduce(Column.__add__, (F.coalesce(f"_open_{k}", F.lit(0)) for k in places)).cast("double"),
            "_sum": _over_open(moment, lambda k: F.col(f"_open_{k}").cast("double") * F.col(f"_at_{k}")),
            "_least_n": F.least(F.col("_n_0"), *(F.when(F.col(f"_open_{k}") > 0, F.col(f"_n_{k}")) for k in places)),
        }
    )
    row = row.withColumn("_mean", F.when(F.col("_rest") > 0, F.col("_sum") / F.col("_rest")).otherwise(F.col("_at_0")))
    low, high = _interval(F.col("_mean"), F.col("_least_n"), moment)
    return row.withColumns({"_mean_low": low, "_mean_high": high})


def _of_open(micro: str, rest: str) -> Column:
    """Mean over the open deals of a model's forecasts and of base rates; without open deals that of a new one."""
    scored, others = F.coalesce("_scored_leads", F.lit(0)).cast("double"), F.col("_rest")
    both = F.coalesce(F.col(micro), F.lit(0)).cast("double") / F.lit(1e6)
    both = both + F.when(others > 0, others * F.col(rest)).otherwise(F.lit(0.0))
    return rounded(F.when(scored + others > 0, both / (scored + others)).otherwise(F.col(rest)), 6)


PROBABILITY = Features("base rate")


@PROBABILITY.add("bigint", "deals")
def band_closed_leads(moment: Moment) -> Column:
    """Closed deals of all accounts in the same score band."""
    return F.col("_band_closed")


@PROBABILITY.add("double", "share")
def band_win_rate(moment: Moment) -> Column:
    """Observed conversion of the band: share of its closed deals that were won; null without closed deals."""
    return F.col("_band_win_rate")


@PROBABILITY.add("bigint", "deals")
def band_mature_leads(moment: Moment) -> Column:
    """Deals of the band that were opened at least 90 days ago: those that band_probability is counted from."""
    return F.col("band_mature_leads")


@PROBABILITY.add("double", "probability")
def band_probability(moment: Moment) -> Column:
    """Base rate of the band for a new deal: the shrunken share of its deals won within 90 days of being opened; null
    when no deal is old enough to tell.
    """
    return F.col("band_probability")


@PROBABILITY.add("double", "probability")
def lead_probability(moment: Moment) -> Column:
    """Probability that one open deal of the account is won within 90 days: the mean over its open deals of a model's
    forecast, else of the base rate of band and age; without open deals the base rate of a new one; null when no deal
    is old enough to tell.
    """
    return _of_open("_micro_probability", "_mean")


@PROBABILITY.add("double", "probability")
def lead_probability_low(moment: Moment) -> Column:
    """Lower end of the 90 % interval of lead_probability."""
    return _of_open("_micro_low", "_mean_low")


@PROBABILITY.add("double", "probability")
def lead_probability_high(moment: Moment) -> Column:
    """Upper end of the 90 % interval of lead_probability."""
    return _of_open("_micro_high", "_mean_high")


@PROBABILITY.add("double", "probability")
def probability_to_convert(moment: Moment) -> Column:
    """Probability that at least one open deal is won within 90 days: 1 - product(1 - p) over its open deals."""

    def none_of(k: int) -> Column:
        p = F.col(f"_at_{k}")
        return F.col(f"_open_{k}").cast("double") * F.log(F.when(p < 1, F.lit(1.0) - p).when(p == 1, F.lit(1e-12)))

    none = F.exp(F.coalesce("_nano_none", F.lit(0)).cast("double") / F.lit(1e9) + _over_open(moment, none_of))
    return F.when(F.coalesce("open_leads", F.lit(0)) == 0, F.lit(0.0)).otherwise(rounded(F.lit(1.0) - none, 6))


@PROBABILITY.add("string")
def probability_source(moment: Moment) -> Column:
    """What the probability rests on: the version of a model, `base_rate_by_band`, or `none` when no deal is old enough
    to tell.
    """
    by_band = F.when(F.col("band_probability").isNotNull(), SOURCE).otherwise(NO_EVIDENCE)
    return F.coalesce(F.when(F.col("_scored_leads") > 0, F.col("_model_version")), by_band)


@PROBABILITY.add("decimal(18,2)", "USD")
def weighted_pipeline(moment: Moment) -> Column:
    """Value of each open deal times its probability, added up; null when there is a value but no probability."""

    def worth(k: int) -> Column:
        amount = F.col(f"_value_{k}").cast("double")
        return F.when(amount == 0, F.lit(0.0)).otherwise(amount * F.col(f"_at_{k}"))

    scored = F.coalesce(F.col("_scored_weighted").cast("double"), F.lit(0.0))
    return F.when(F.col("open_value") == 0, F.col("open_value")).otherwise(
        rounded(scored + _over_open(moment, worth), 2)
    )
