"""Features that an account's touches give: aggregates over `interactions_as_of`, one row per customer."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

from medallion.columns import rounded
from medallion.features.registry import Features, Moment

TOUCHES = Features("silver.interactions_clean")

#: A channel that a contract adds to these counts as `other`.
CHANNELS = ("call", "email", "meeting", "other", "whatsapp")
OUTCOMES = ("meeting_booked", "positive", "neutral", "negative", "no_answer")
#: Engagement is summed in whole billionths: a sum of doubles depends on the order of rows, this one does not.
NANO = 1_000_000_000


def is_positive() -> Column:
    """Touches that went well: a positive answer or a booked meeting."""
    return F.col("outcome").isin("positive", "meeting_booked")


def is_channel(name: str) -> Column:
    """Touches of a channel; `other` is every channel that has no name of its own."""
    if name == "other":
        return ~F.col("channel").isin([channel for channel in CHANNELS if channel != "other"])
    return F.col("channel") == name


def weight_of(column: str, weights: Mapping[str, float]) -> Column:
    """The weight of a column's value; that of `other`, or 0, for a value without one."""
    value = F.lit(float(weights.get("other", 0.0)))
    for name, weight in weights.items():
        value = F.when(F.col(column) == name, F.lit(float(weight))).otherwise(value)
    return value


def _within(moment: Moment, days: int, before: int = 0) -> Column:
    age = moment.days_since(F.col("occurred_at"))
    return (age >= before) & (age < before + days)


@TOUCHES.add("bigint", "touches")
def interactions(moment: Moment) -> Column:
    """Touches of any channel."""
    return F.count(F.lit(1))


@TOUCHES.add("bigint", "touches")
def calls(moment: Moment) -> Column:
    """Calls."""
    return F.count_if(is_channel("call"))


@TOUCHES.add("bigint", "touches")
def emails(moment: Moment) -> Column:
    """E-mails."""
    return F.count_if(is_channel("email"))


@TOUCHES.add("bigint", "touches")
def whatsapps(moment: Moment) -> Column:
    """WhatsApp messages."""
    return F.count_if(is_channel("whatsapp"))


@TOUCHES.add("bigint", "touches")
def meetings(moment: Moment) -> Column:
    """Meetings held."""
    return F.count_if(is_channel("meeting"))


@TOUCHES.add("bigint", "touches")
def other_touches(moment: Moment) -> Column:
    """Touches of any other channel."""
    return F.count_if(is_channel("other"))


@TOUCHES.add("bigint", "touches")
def inbound(moment: Moment) -> Column:
    """Touches that the customer started."""
    return F.count_if(F.col("direction") == "inbound")


@TOUCHES.add("bigint", "touches")
def outbound(moment: Moment) -> Column:
    """Touches that we started."""
    return F.count_if(F.col("direction") == "outbound")


@TOUCHES.add("bigint", "touches")
def meetings_booked(moment: Moment) -> Column:
    """Touches that ended with a booked meeting."""
    return F.count_if(F.col("outcome") == "meeting_booked")


@TOUCHES.add("bigint", "touches")
def positive_touches(moment: Moment) -> Column:
    """Touches with a positive answer or a booked meeting."""
    return F.count_if(is_positive())


@TOUCHES.add("bigint", "touches")
def neutral_touches(moment: Moment) -> Column:
    """Touches with a neutral outcome."""
    return F.count_if(F.col("outcome") == "neutral")


@TOUCHES.add("bigint", "touches")
def negative_touches(moment: Moment) -> Column:
    """Touches with a negative outcome."""
    return F.count_if(F.col("outcome") == "negative")


@TOUCHES.add("bigint", "touches")
def unanswered_touches(moment: Moment) -> Column:
    """Touches without an answer."""
    return F.count_if(F.col("outcome") == "no_answer")


@TOUCHES.add("timestamp")
def first_interaction_at(moment: Moment) -> Column:
    """When the account was first touched."""
    return F.min("occurred_at")


@TOUCHES.add("timestamp")
def last_interaction_at(moment: Moment) -> Column:
    """When the account was last touched."""
    return F.max("occurred_at")


@TOUCHES.add("timestamp")
def last_positive_at(moment: Moment) -> Column:
    """When a touch last went well."""
    return F.max(F.when(is_positive(), F.col("occurred_at")))


@TOUCHES.add("bigint", "minutes")
def total_duration_minutes(moment: Moment) -> Column:
    """Minutes spent on all touches."""
    return F.coalesce(F.sum("duration_minutes"), F.lit(0))


@TOUCHES.add("bigint", "touches")
def interactions_30d(moment: Moment) -> Column:
    """Touches in the last 30 days."""
    return F.count_if(_within(moment, 30))


@TOUCHES.add("bigint", "touches")
def interactions_90d(moment: Moment) -> Column:
    """Touches in the last 90 days."""
    return F.count_if(_within(moment, 90))


@TOUCHES.add("bigint", "billionths")
def engagement_nano(moment: Moment) -> Column:
    """Touches weighted by channel and outcome, each losing half its weight every 45 days, in billionths."""
    weights = moment.weights
    age = moment.days_since(F.col("occurred_at")).cast("double")
    fading = F.pow(F.lit(2.0), -age / F.lit(float(weights.engagement_half_life_days)))
    touch = weight_of("channel", weights.channel) * weight_of("outcome", weights.outcome)
    return F.sum(rounded(touch * fading * F.lit(float(NANO))).cast("bigint"))


@TOUCHES.add("double", "0-1")
def best_recent_intent(moment: Moment) -> Column:
    """Weight of the best outcome in the last 60 days."""
    weights = moment.weights
    recent = _within(moment, weights.intent_window_days + 1)
    return F.max(F.when(recent, weight_of("outcome", weights.intent)))


@TOUCHES.add("string")
def preferred_channel(moment: Moment) -> Column:
    """Channel with the best smoothed rate of positive outcomes, (positive + 1) / (touches + 2); ties go to the
    one used last, then by name.
    """
    # each channel coded as a sortable text of rate, time of the last touch and inverse alphabetical place
    codes = []
    for place, channel in enumerate(sorted(CHANNELS)):
        mine = is_channel(channel)
        touched, well = F.count_if(mine), F.count_if(mine & is_positive())
        rate = rounded((well + F.lit(1.0)) / (touched + F.lit(2.0)) * F.lit(1e6)).cast("bigint")
        last = F.unix_micros(F.max(F.when(mine, F.col("occurred_at"))))
        coded = F.concat(
            F.lpad(rate.cast("string"), 7, "0"),
            F.lpad((last + F.lit(10**17)).cast("string"), 19, "0"),
            F.lit(f"{9 - place}{channel}"),
        )
        codes.append(F.when(touched > 0, coded))
    return F.substring(F.greatest(*codes), 28, 20)
