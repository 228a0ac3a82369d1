"""How touches are told apart and weighed: channels, outcomes, and engagement that fades.

Apart from the features, so that a changed feature is no change of the tables that only add touches up.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from math import ceil

from pyspark.sql import Column
from pyspark.sql import functions as F

from medallion.columns import rounded
from medallion.features.registry import AsOf

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


def weight_of(column: Column, weights: Mapping[str, float]) -> Column:
    """The weight of a column's value; that of `other`, or 0, for a value without one."""
    value = F.lit(float(weights.get("other", 0.0)))
    for name, weight in weights.items():
        value = F.when(column == name, F.lit(float(weight))).otherwise(value)
    return value


# --- engagement: touches that fade, added up so that a day more costs nothing ----------------------------------------


def _fading_block(as_of: AsOf) -> int:
    """Days for which touches are weighed as of the same day; twice the half-life, so that no weight exceeds 4."""
    return max(1, ceil(2 * as_of.weights.engagement_half_life_days))


def _fading_base(as_of: AsOf) -> Column:
    """The day, as a number since 1970, as of which touches are weighed: the start of the block that the as-of day is in."""
    today = F.unix_date(as_of.today)
    return today - today % F.lit(_fading_block(as_of))


def weighed_nano(as_of: AsOf) -> Column:
    """A touch by its channel and outcome, fading or growing to the start of the block of days, in whole billionths."""
    weights = as_of.weights
    age = (_fading_base(as_of) - F.unix_date(F.col("occurred_at").cast("date"))).cast("double")
    fading = F.pow(F.lit(2.0), -age / F.lit(float(weights.engagement_half_life_days)))
    touch = weight_of(F.col("channel"), weights.channel) * weight_of(F.col("outcome"), weights.outcome)
    return rounded(touch * fading * F.lit(float(NANO))).cast("bigint")


def faded_nano(weighed: Column, as_of: AsOf) -> Column:
    """What a sum of `weighed_nano` has faded to as of that time, in whole billionths."""
    age = (F.unix_date(as_of.today) - _fading_base(as_of)).cast("double")
    fading = F.pow(F.lit(2.0), -age / F.lit(float(as_of.weights.engagement_half_life_days)))
    return rounded(weighed.cast("double") * fading).cast("bigint")


def totals_cache_key(as_of: AsOf) -> str:
    """What totals of touches depend on besides the touches: weights, and the day that they are weighed as of."""
    weights = as_of.weights
    day = (as_of.day - date(1970, 1, 1)).days
    given = [
        sorted((name, float(weight)) for name, weight in each.items()) for each in (weights.channel, weights.outcome)
    ]
    parts = (*given, float(weights.engagement_half_life_days), day - day % _fading_block(as_of))
    return sha256(repr(parts).encode()).hexdigest()[:16]
