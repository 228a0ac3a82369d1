"""Probability to convert without a model: a base rate per score band, age and stage of the deal; and both kinds per
account.

The base rate answers the model's question by counting: of the deals that were still open at an age, which share was
won within the horizon (90 days) from there on? Deals whose horizon from that age is not over do not count, nor do
deals that ended on an unknown day or before they were opened. The ages are shares of the horizon, by default 0, 30,
90 and 180 days, and an open deal goes by the nearest; ages that fewer than `LEAST_AT_RISK` deals reached have
the rate of the age before. At each age the rate is `p = (won + 0.5) / (n + 1)`, never quite 0 or 1.

A band's rate for new deals (age 0) is shrunk towards that of all by the weight of ten deals: `(won + 10*p) / (n + 10)`.
The band is that of the account today, so for deals of the past it was not known: bands whose rates contradict their
observed win rates are brought into the order of these (`_rated`). What a band
adds to the log odds of a new deal it adds at every age, and so does a stage whose deals are won more or less often than
others of their age (`stage_rates`). The interval is Wilson's at 90%.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from itertools import pairwise

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from medallion.columns import rounded, share, wilson
from medallion.features import AsOf, Features
from medallion.features.deals import cycle_days
from medallion.scoring.stage_rates import GROUPS, USUAL, stage_rates

SOURCE = "base_rate_by_band"
NO_EVIDENCE = "none"
BANDS = ("Hot", "Warm", "Cool", "Cold")
#: Ages at which deals are counted, as shares of the horizon.
AGES = (0.0, 1 / 3, 1.0, 2.0)
#: Deals that must have been open at an age, over all bands, for its rate to be used.
LEAST_AT_RISK = 40
_Z_90 = 1.645


def ages(horizon_days: int) -> tuple[int, ...]:
    """Ages in days at which deals are counted.

    >>> ages(90), ages(2)
    ((0, 30, 90, 180), (0, 1, 2, 4))
    """
    return tuple(sorted({round(part * horizon_days) for part in AGES}))


def _place(as_of: AsOf) -> Column:
    """Place, from 1, of the age in `ages` that a deal is nearest to; an unknown age counts as 0."""
    known = ages(as_of.weights.horizon_days)
    twice, place = as_of.days_since(F.col("created_at")) * 2, F.lit(1)
    for later, (before, after) in enumerate(pairwise(known), start=2):
        place = F.when(twice >= before + after, F.lit(later)).otherwise(place)
    return place


def _places(as_of: AsOf, with_stages: bool) -> range:
    """Places of the ages, once for each group of stages where the stage of a deal changes its odds."""
    return range(1, (len(GROUPS) if with_stages else 1) * len(ages(as_of.weights.horizon_days)) + 1)


def _age_and_group(place: int, as_of: AsOf) -> tuple[int, int]:
    """The place of the age that a place is of, and its group of stages."""
    group, age = divmod(place - 1, len(ages(as_of.weights.horizon_days)))
    return age + 1, group


def with_stage(deals: DataFrame, counted: DataFrame, stays: DataFrame | None, as_of: AsOf) -> DataFrame:
    """Deals with what their last stage adds (`_group`, `_stage_odds`, `_stage_told`), and the row of `curve`.

    Args:
        deals: Deals with columns of any kind.
        counted: All of `leads_as_of`, from which rates are counted.
        stays: `gold.stage_history` of the same time; None where stages add nothing.
        as_of: The as-of time.
    """
    rate = curve(counted, as_of)
    whole = deals.join(rate, how="cross")
    none = {"_group": F.lit(USUAL), "_stage_odds": F.lit(1.0), "_stage_told": F.lit(None).cast("double")}
    if stays is None:
        return whole.withColumns(none)
    known = ages(as_of.weights.horizon_days)
    rates = stage_rates(counted, stays, rate, as_of, known)
    last = stays.filter(F.col("left_at").isNull()).select(F.col("lead_id").alias("_of"), F.col("stage").alias("_in"))
    apart = last.join(rates, F.col("_in") == F.col("_stage")).select("_of", *none)
    joined = whole.join(apart, F.col("lead_id") == F.col("_of"), how="left")
    return joined.withColumns({name: F.coalesce(name, usual) for name, usual in none.items()})


def curve(deals: DataFrame, as_of: AsOf) -> DataFrame:
    """One row: `_rate`, that of all deals from their opening, and two lists with an element per age in `ages`:
    `_odds`, the odds at that age as a multiple of those of a new deal, and `_told`, how many deals they are counted from.

    Args:
        deals: `leads_as_of`.
        as_of: The as-of time.
    """
    horizon = as_of.weights.horizon_days
    known = ages(horizon)
    cycle, oldest = cycle_days(), as_of.days_since(F.col("created_at")) - F.lit(horizon)
    # the last age at which a deal is mature, as `is_mature` says; it is so at all ages before
    last = F.when((F.col("status") == "open") | (cycle >= oldest), oldest).otherwise(cycle)
    each = deals.select(last.alias("_last"), F.when(F.col("status") == "won", cycle).alias("_won_after"))
    mature_at = [F.col("_last") >= F.lit(age) for age in known]
    in_time = [F.col("_won_after") < F.lit(age + horizon) for age in known]
    counts = each.agg(
        *(F.count_if(mature).cast("double").alias(f"_n_{k}") for k, mature in enumerate(mature_at)),
        *(
            F.count_if(m & w).cast("double").alias(f"_won_{k}")
            for k, (m, w) in enumerate(zip(mature_at, in_time, strict=True))
        ),
    )
    n, won = ([F.col(f"_{name}_{k}") for k in range(len(known))] for name in ("n", "won"))
    enough = [count >= F.lit(float(LEAST_AT_RISK if k else 1)) for k, count in enumerate(n)]
    # of (won + 1/2) / (n + 1)
    odds = [(w + F.lit(0.5)) / (m - w + F.lit(0.5)) for m, w in zip(n, won, strict=True)]
    own = counts.select(
        F.when(enough[0], (won[0] + F.lit(0.5)) / (n[0] + F.lit(1.0))).alias("_rate"),
        *(F.when(e, o / odds[0]).alias(f"_odds_{k}") for k, (e, o) in enumerate(zip(enough, odds, strict=True))),
        *(F.when(e, m).alias(f"_told_{k}") for k, (e, m) in enumerate(zip(enough, n, strict=True))),
    )

    def filled(name: str) -> Column:
        values = [f"_{name}_{k}" for k in range(len(known))]
        return F.array(values[0], *(F.coalesce(*reversed(values[: k + 1])) for k in range(1, len(known))))

    return own.select("_rate", filled("odds").alias("_odds"), filled("told").alias("_told"))


def _probability(place: Column, stage_odds: Column) -> Column:
    """Of a deal at the age of this place and in a stage with such odds, null without a band."""
    new, times = F.col("_band_probability"), F.element_at("_odds", place) * stage_odds
    return rounded(times * new / (F.lit(1.0) + (times - F.lit(1.0)) * new), 6)


def _behind(place: Column, as_of: AsOf, of_stage: Column) -> Column:
    """How many deals tell: no more than there are of the band, of the age, or of the stage if it adds something, and the
    prior.
    """
    of_band = F.col("_band_mature").cast("double")
    return F.least(of_band, F.element_at("_told", place), of_stage) + F.lit(float(as_of.weights.prior_leads))


def with_base_rate(deals: DataFrame, counted: DataFrame, as_of: AsOf, stays: DataFrame | None = None) -> DataFrame:
    """Deals with `base_rate`, `base_rate_low` and `base_rate_high`, null where the band has none, and columns of its own.

    These begin with `_` and stay: a declarative pipeline may not ask a view for its columns while it is declared.

    Args:
        deals: Deals with `_band_probability` and `_band_mature` of their account's band.
        counted: All of `leads_as_of`.
        as_of: The as-of time.
        stays: `gold.stage_history` of the same time; without it the stage of a deal adds nothing.
    """
    joined = with_stage(deals, counted, stays, as_of).withColumn("_place", _place(as_of))
    rate = _probability(F.col("_place"), F.col("_stage_odds"))
    rated = joined.withColumns({"base_rate": rate, "_behind": _behind(F.col("_place"), as_of, F.col("_stage_told"))})
    low, high = _interval(F.col("base_rate"), F.col("_behind"))
    return rated.withColumns({"base_rate_low": low, "base_rate_high": high})


def _interval(p: Column, behind: Column) -> tuple[Column, Column]:
    """Wilson's 90% interval around a probability."""
    low, high = wilson(p * behind, behind, _Z_90)
    return F.when(p.isNotNull(), low), F.when(p.isNotNull(), high)


def with_scores(
    deals: DataFrame, as_of: AsOf, scored: DataFrame | None = None, stays: DataFrame | None = None
) -> DataFrame:
    """Deals as `by_account` reads them: an open one with its `_forecast`, if a model scored it, else with its `_place`.

    Args:
        deals: `leads_as_of`.
        as_of: The as-of time.
        scored: A model's scores of open deals, as `predict.scored` gives them; None without a model.
        stays: `gold.stage_history` of the same time; without it, or with a model, the stage of a deal adds nothing.
    """
    is_open, place = F.col("status") == "open", _place(as_of)
    if scored is None:
        if stays is not None:
            deals = with_stage(deals, deals, stays, as_of)
            place = place + F.col("_group") * len(ages(as_of.weights.horizon_days))
        return deals.withColumn("_place", F.when(is_open, place))
    given = scored.select("lead_id", F.col("probability").alias("_forecast"), "model_version")
    joined = deals.join(given, on="lead_id", how="left")
    forecast = {name: F.when(is_open, F.col(name)) for name in ("_forecast", "model_version")}
    return joined.withColumns({**forecast, "_place": F.when(is_open & F.col("_forecast").isNull(), place)})


def by_account(as_of: AsOf, with_model: bool, with_stages: bool = False) -> list[Column]:
    """Aggregates over `with_scores`, per account: the open deals that no model scored, by place of the nearest age in
    `ages` and group of stages; and a model's scores, in whole numbers, so that the order of rows is nothing.
    """
    none = F.lit(0).cast("decimal(18,2)")
    value = F.coalesce("deal_value", none)
    at = {place: F.col("_place") == place for place in _places(as_of, with_stages)}
    aggregates = [
        F.count("_place").cast("double").alias("_rest"),
        F.sum(F.when(F.col("_place").isNotNull(), value)).alias("_rest_value"),
        *(F.count_if(at_place).cast("double").alias(f"_open_{k}") for k, at_place in at.items()),
        *(
            F.sum(F.when(at_place, value).otherwise(none)).cast("double").alias(f"_value_{k}")
            for k, at_place in at.items()
        ),
    ]
    for group in _apart(with_stages):
        odds = F.max(F.when(F.col("_group") == group, F.col("_stage_odds")))
        aggregates.append(F.coalesce(odds, F.lit(1.0)).alias(f"_stage_odds_{group}"))
    if not with_model:
        return aggregates
    p = F.col("_forecast")
    not_won = rounded(F.log(F.greatest(F.lit(1e-12), F.lit(1.0) - p)) * F.lit(1e9)).cast("bigint")
    of_model = {
        "_scored_leads": F.count(p),
        "_scored_weighted": F.sum(rounded(value.cast("double") * p, 2).cast("decimal(18,2)")),
        "_nano_none": F.sum(F.when(p.isNotNull(), not_won)),  # greatest leaves nulls out
        "_model_version": F.max("model_version"),
    }
    return aggregates + [column.cast(_OF_MODEL[name]).alias(name) for name, column in of_model.items()]


def _apart(with_stages: bool) -> tuple[int, ...]:
    """Groups of stages whose deals have other odds than usual."""
    return tuple(group for group in GROUPS if with_stages and group != USUAL)


def reads(as_of: AsOf, with_model: bool, with_stages: bool = False) -> tuple[str, ...]:
    """The columns that the bands, `with_probability` and the features of `PROBABILITY` read."""
    per_age = (f"_{name}_{k}" for name in ("open", "value") for k in _places(as_of, with_stages))
    of_stages = (f"_stage_odds_{group}" for group in _apart(with_stages))
    of_model = _OF_MODEL if with_model else ()
    return (*READS, "_rest", "_rest_value", *per_age, *of_stages, *of_model, "_rate", "_odds", "_told")


def with_probability(customers: DataFrame, as_of: AsOf, with_model: bool, with_stages: bool = False) -> DataFrame:
    """`customers` with what the features of `PROBABILITY` read: the rate of their band, and the forecasts of their open deals.

    Args:
        customers: Features with `lead_quality`, the deal counts, the aggregates of `by_account` and the row of `curve`;
            a window adds the bands up, so that the features are computed once.
        as_of: The as-of time; deals whose horizon is not over by then are too young to count.
        with_model: Whether a model scored any of the deals.
        with_stages: Whether the stages of deals change their odds.
    """
    # no step of its own: a plan of too many steps within each other cannot be sent to a declarative pipeline
    rates = {} if with_model else {name: F.lit(None).cast(kind) for name, kind in _OF_MODEL.items()}
    places = _places(as_of, with_stages)
    for place in places:
        age, group = _age_and_group(place, as_of)
        rates[f"_at_{place}"] = _probability(
            F.lit(age), F.lit(1.0) if group == USUAL else F.col(f"_stage_odds_{group}")
        )

    def over_open(of_account: str, of_age: Callable[[Column], Column]) -> Column:
        """The sum over the ages of what the account has at each times what a deal is worth there; null without such deals."""
        return reduce(Column.__add__, (F.col(f"{of_account}_{k}") * of_age(F.col(f"_at_{k}")) for k in places))

    rated = _rated(customers, as_of).withColumns(rates)
    # a hair more than 1, so that a rate that is 1 when rounded has a logarithm
    none_won = over_open("_open", lambda p: F.log(F.lit(1.0 + 1e-12) - p))
    return rated.withColumns({"_log_none_won": none_won, "_rest_weighted": over_open("_value", lambda p: p)})


def by_band(customers: DataFrame, deals: DataFrame, as_of: AsOf) -> DataFrame:
    """One row per band that an account has, with its `customers`, its deals, and its rate for a new deal with interval.

    Args:
        customers: Features with `lead_quality`, `lead_score` and the deal counts.
        deals: `leads_as_of`.
        as_of: The as-of time.
    """
    counts = ("won_leads", "lost_leads", "mature_leads", "converted_leads")
    totals = customers.groupBy("lead_quality").agg(
        F.count(F.lit(1)).alias("customers"),
        F.sum("open_leads").alias("open_leads"),
        F.min("lead_score").alias("score_from"),
        *(F.sum(name).alias(name) for name in counts),
    )
    rated = _rated(totals.join(curve(deals, as_of), how="cross"), as_of)
    rated = rated.withColumn("_band_mature", F.col("mature_leads")).withColumn(
        "_behind", _behind(F.lit(1), as_of, F.lit(None).cast("double"))
    )
    low, high = _interval(F.col("_band_probability"), F.col("_behind"))  # by name: planned once, not wherever it occurs
    closed = F.col("won_leads") + F.col("lost_leads")
    return rated.select(
        "lead_quality",
        "score_from",
        "customers",
        "open_leads",
        closed.alias("closed_leads"),
        "won_leads",
        share(F.col("won_leads"), closed).alias("win_rate"),
        "mature_leads",
        "converted_leads",
        F.col("_band_probability").alias("probability"),
        low.alias("probability_low"),
        high.alias("probability_high"),
        as_of.today.alias("as_of"),
    )


def _rated(counted: DataFrame, as_of: AsOf) -> DataFrame:
    """Rows of some or all accounts of each band, and the row of `curve`, with the rate of their band for new deals.

    A rate that contradicts the observed win rates lies halfway between its bounds: the largest rate of the bands that
    won no larger a share, and the smallest of those that won no smaller. Neither falls as the win rate rises, and both
    are the band's own rate where nothing contradicts it. Bands without closed deals are compared with each other.
    """
    # over all rows: a window by band would have to sort them, wide as they are
    everyone, band = Window.partitionBy(), F.col("lead_quality")

    def total(name: str, of: Column) -> Column:
        return F.sum(F.when(of, F.col(name))).over(everyone)

    places = range(len(BANDS))
    of_band = [band == name for name in BANDS]
    names = {"won": "won_leads", "lost": "lost_leads", "mature": "mature_leads", "converted": "converted_leads"}
    totals = {f"_{short}_of_{k}": total(name, of_band[k]) for short, name in names.items() for k in places}
    prior, summed = F.lit(float(as_of.weights.prior_leads)), counted.withColumns(totals)
    rates = {
        f"_rate_of_{k}": (F.col(f"_converted_of_{k}").cast("double") + prior * F.col("_rate"))
        / (F.col(f"_mature_of_{k}").cast("double") + prior)
        for k in places
    }
    shares = {
        f"_share_of_{k}": share(F.col(f"_won_of_{k}"), F.col(f"_won_of_{k}") + F.col(f"_lost_of_{k}")) for k in places
    }
    own = F.coalesce(*(F.when(of_band[k], F.col(f"_share_of_{k}")) for k in places))
    row, own_share = summed.withColumns({**rates, **shares}).withColumn("_share", own), F.col("_share")
    others = [(F.col(f"_share_of_{k}"), F.col(f"_rate_of_{k}")) for k in places]
    most = F.greatest(*(F.when((x <= own_share) | (x.isNull() & own_share.isNull()), rate) for x, rate in others))
    least = F.least(*(F.when((x >= own_share) | (x.isNull() & own_share.isNull()), rate) for x, rate in others))
    return row.withColumn("_band_probability", rounded((most + least) / F.lit(2.0), 6))


_OF_MODEL = {
    "_scored_leads": "bigint",
    "_scored_weighted": "decimal(18,2)",
    "_nano_none": "bigint",
    "_model_version": "string",
}


PROBABILITY = Features("base rate")
#: Features that these and the bands are computed from.
READS = ("lead_score", "won_leads", "lost_leads", "mature_leads", "converted_leads", "open_leads", "open_value")


@PROBABILITY.add("double", "probability")
def probability_to_convert(as_of: AsOf) -> Column:
    """Probability that at least one open deal is won within 90 days: 1 - product(1 - p) over its open deals."""
    rest = F.when(F.col("_rest") > 0, F.col("_log_none_won")).otherwise(F.lit(0.0))
    none = F.exp(F.coalesce("_nano_none", F.lit(0)).cast("double") / F.lit(1e9) + rest)
    return F.when(F.coalesce("open_leads", F.lit(0)) == 0, F.lit(0.0)).otherwise(rounded(F.lit(1.0) - none, 6))


@PROBABILITY.add("string")
def probability_source(as_of: AsOf) -> Column:
    """What the probability rests on: the version of a model, `base_rate_by_band`, or `none` when no deal is old enough
    to tell.
    """
    by_band = F.when(F.col("_band_probability").isNotNull(), SOURCE).otherwise(NO_EVIDENCE)
    return F.coalesce(F.when(F.col("_scored_leads") > 0, F.col("_model_version")), by_band)


@PROBABILITY.add("decimal(18,2)", "USD")
def weighted_pipeline(as_of: AsOf) -> Column:
    """Value of each open deal times its probability, added up; null when there is a value but no probability."""
    scored = F.coalesce(F.col("_scored_weighted").cast("double"), F.lit(0.0))
    rest = F.coalesce("_rest_weighted", F.when(F.coalesce("_rest_value", F.lit(0)) == 0, F.lit(0.0)))
    return F.when(F.col("open_value") == 0, F.col("open_value")).otherwise(rounded(scored + rest, 2))
