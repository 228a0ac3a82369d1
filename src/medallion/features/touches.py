"""Features that an account's touches give, one row per customer.

`TOUCHES` are aggregates over `gold.touch_totals`, where touches are added up by customer; `RECENT` over the touches of the
last months.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from medallion.columns import rounded
from medallion.features.engagement import CHANNELS, faded_nano, weight_of
from medallion.features.registry import AsOf, Features

TOUCHES = Features("gold.touch_totals")
RECENT = Features("silver.interactions_clean")

#: Added to seconds since 1970, so that no touch lies before 0.
_BEFORE_1970 = 10_000_000_000


def _within(as_of: AsOf, days: int, before: int = 0) -> Column:
    age = as_of.days_since(F.col("occurred_at"))
    return (age >= before) & (age < before + days)


# --- over gold.touch_totals ------------------------------------------------------------------------------------------


def _total(column: str) -> Column:
    return F.coalesce(F.sum(column), F.lit(0))


@TOUCHES.add("bigint", "touches")
def interactions(as_of: AsOf) -> Column:
    """Touches of any channel."""
    return _total("touches")


@TOUCHES.add("bigint", "touches")
def calls(as_of: AsOf) -> Column:
    """Calls."""
    return _total("call_touches")


@TOUCHES.add("bigint", "touches")
def emails(as_of: AsOf) -> Column:
    """E-mails."""
    return _total("email_touches")


@TOUCHES.add("bigint", "touches")
def whatsapps(as_of: AsOf) -> Column:
    """WhatsApp messages."""
    return _total("whatsapp_touches")


@TOUCHES.add("bigint", "touches")
def meetings(as_of: AsOf) -> Column:
    """Meetings held."""
    return _total("meeting_touches")


@TOUCHES.add("bigint", "touches")
def other_touches(as_of: AsOf) -> Column:
    """Touches of any other channel."""
    return _total("other_touches")


@TOUCHES.add("bigint", "touches")
def inbound(as_of: AsOf) -> Column:
    """Touches that the customer started."""
    return _total("inbound")


@TOUCHES.add("bigint", "touches")
def outbound(as_of: AsOf) -> Column:
    """Touches that we started."""
    return _total("outbound")


@TOUCHES.add("bigint", "touches")
def meetings_booked(as_of: AsOf) -> Column:
    """Touches that ended with a booked meeting."""
    return _total("meeting_booked")


@TOUCHES.add("bigint", "touches")
def positive_touches(as_of: AsOf) -> Column:
    """Touches with a positive answer or a booked meeting."""
    return _total("meeting_booked") + _total("positive")


@TOUCHES.add("bigint", "touches")
def neutral_touches(as_of: AsOf) -> Column:
    """Touches with a neutral outcome."""
    return _total("neutral")


@TOUCHES.add("bigint", "touches")
def negative_touches(as_of: AsOf) -> Column:
    """Touches with a negative outcome."""
    return _total("negative")


@TOUCHES.add("bigint", "touches")
def unanswered_touches(as_of: AsOf) -> Column:
    """Touches without an answer."""
    return _total("no_answer")


@TOUCHES.add("timestamp")
def first_interaction_at(as_of: AsOf) -> Column:
    """When the account was first touched."""
    return F.min("first_at")


@TOUCHES.add("timestamp")
def last_interaction_at(as_of: AsOf) -> Column:
    """When the account was last touched."""
    return F.max("last_at")


@TOUCHES.add("timestamp")
def last_positive_at(as_of: AsOf) -> Column:
    """When a touch last went well."""
    return F.max("last_positive_at")


@TOUCHES.add("bigint", "minutes")
def total_duration_minutes(as_of: AsOf) -> Column:
    """Minutes spent on all touches."""
    return _total("duration_minutes")


@TOUCHES.add("bigint", "billionths")
def engagement_nano(as_of: AsOf) -> Column:
    """Touches weighted by channel and outcome, each losing half its weight every 45 days, in billionths."""
    return faded_nano(F.sum("weighed_nano"), as_of)


@TOUCHES.add("string")
def preferred_channel(as_of: AsOf) -> Column:
    """Channel with the best smoothed rate of positive outcomes, (positive + 1) / (touches + 2); ties go to the
    one used last, by the second, then by name.
    """
    # a number per channel, of its rate in millionths, the second of its last touch, and its inverse alphabetical place
    names, codes = sorted(CHANNELS), []
    for place, channel in enumerate(names):
        touched, well = _total(f"{channel}_touches"), _total(f"{channel}_positive")
        rate = rounded((well + F.lit(1.0)) / (touched + F.lit(2.0)) * F.lit(1e6)).cast("bigint")
        last = F.unix_seconds(F.max(f"{channel}_last_at")) + F.lit(_BEFORE_1970)
        code = rate * F.lit(10**12) + last * F.lit(10) + F.lit(9 - place)
        codes.append(F.when(touched > 0, code))
    named = (F.lit(item) for place, name in enumerate(names) for item in (9 - place, name))
    return F.element_at(F.create_map(*named), F.greatest(*codes) % F.lit(10))


# --- over single touches ---------------------------------------------------------------------------------------------


@RECENT.add("bigint", "touches")
def interactions_30d(as_of: AsOf) -> Column:
    """Touches in the last 30 days."""
    return F.count_if(_within(as_of, 30))


@RECENT.add("bigint", "touches")
def interactions_90d(as_of: AsOf) -> Column:
    """Touches in the last 90 days."""
    return F.count_if(_within(as_of, 90))


@RECENT.add("double", "0-1")
def best_recent_intent(as_of: AsOf) -> Column:
    """Weight of the best outcome in the last 60 days."""
    weights = as_of.weights
    recent = _within(as_of, weights.intent_window_days + 1)
    return F.max(F.when(recent, weight_of(F.col("outcome"), weights.intent)))
