"""Features computed from the other features of the same row."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from medallion.columns import rounded, share
from medallion.features.registry import Features, Moment

DERIVED = Features("other features")


@DERIVED.add("boolean")
def has_email(moment: Moment) -> Column:
    """Whether the account or a contact of one of its deals has an e-mail address."""
    return F.col("account_has_email") | F.coalesce("deal_has_email", F.lit(False))


@DERIVED.add("boolean")
def has_phone(moment: Moment) -> Column:
    """Whether the account or a contact of one of its deals has a telephone number."""
    return F.col("account_has_phone") | F.coalesce("deal_has_phone", F.lit(False))


@DERIVED.add("bigint", "days")
def days_since_last_interaction(moment: Moment) -> Column:
    """Days since the last touch; null when there was none."""
    return moment.days_since(F.col("last_interaction_at"))


@DERIVED.add("bigint", "days")
def days_since_last_activity(moment: Moment) -> Column:
    """Days since the last touch or purchase, whichever came later; null when there was neither."""
    return moment.days_since(F.greatest("last_interaction_at", "last_won_at"))


@DERIVED.add("double", "minutes")
def average_duration_minutes(moment: Moment) -> Column:
    """Minutes per touch."""
    return rounded(share(F.col("total_duration_minutes"), F.col("interactions")), 2)


@DERIVED.add("double", "share")
def positive_rate(moment: Moment) -> Column:
    """Share of touches with a positive answer or a booked meeting."""
    return share(F.col("positive_touches"), F.col("interactions"))


@DERIVED.add("double", "share")
def response_rate(moment: Moment) -> Column:
    """Share of touches that got an answer of any kind."""
    return share(F.col("interactions") - F.col("unanswered_touches"), F.col("interactions"))


@DERIVED.add("double", "hours")
def hours_to_first_touch(moment: Moment) -> Column:
    """Hours from the first deal's opening to the first touch; null when the account was touched before."""
    seconds = F.unix_seconds("first_interaction_at") - F.unix_seconds("first_lead_at")
    return F.when(seconds >= 0, rounded(seconds / F.lit(3600.0), 2))


@DERIVED.add("double", "ratio")
def activity_trend(moment: Moment) -> Column:
    """Touches of the last 30 days against the monthly average of the last 90; above 1 is rising."""
    return rounded(share(F.col("interactions_30d") * 3, F.col("interactions_90d")), 4)


@DERIVED.add("double", "share")
def win_rate(moment: Moment) -> Column:
    """Share of closed deals that were won; null when none is closed."""
    return share(F.col("won_leads"), F.col("won_leads") + F.col("lost_leads"))


@DERIVED.add("double", "share")
def conversion_rate(moment: Moment) -> Column:
    """Share of all deals that were won; null when there is none."""
    return share(F.col("won_leads"), F.col("leads"))


@DERIVED.add("decimal(18,2)", "USD")
def average_deal_value(moment: Moment) -> Column:
    """Value per deal that has one; null when none has."""
    value, count = F.col("total_deal_value").cast("double"), F.col("valued_leads")
    return F.when(count > 0, rounded(value / count.cast("double"), 2))


@DERIVED.add("double", "days")
def average_cycle_days(moment: Moment) -> Column:
    """Days from opening to winning per deal won of which both are known; null when there is none."""
    return rounded(share(F.col("won_cycle_days"), F.col("dated_won_leads")), 2)


@DERIVED.add("bigint", "1-5")
def rfm_recency(moment: Moment) -> Column:
    """5 for a touch or purchase in the last 14 days, 4 for 30, 3 for 60, 2 for 90, else 1."""
    days = F.col("days_since_last_activity")
    return F.when(days <= 14, 5).when(days <= 30, 4).when(days <= 60, 3).when(days <= 90, 2).otherwise(1)


@DERIVED.add("bigint", "1-5")
def rfm_frequency(moment: Moment) -> Column:
    """Purchases plus one, at most 5."""
    return F.least(F.col("won_leads") + 1, F.lit(5))


@DERIVED.add("bigint", "1-5")
def rfm_monetary(moment: Moment) -> Column:
    """Won value against the average buying customer: 5 from twice, 4 from once, 3 from half, 2 below, 1 for none."""
    ratio = share(F.col("won_value"), F.col("_average_won_value"))
    some = F.col("won_value") > 0
    return (
        F.when(some & (ratio >= 2), 5)
        .when(some & (ratio >= 1), 4)
        .when(some & (ratio >= 0.5), 3)
        .when(some, 2)
        .otherwise(1)
    )


@DERIVED.add("string")
def rfm_score(moment: Moment) -> Column:
    """The three digits of recency, frequency and monetary value, such as 534."""
    return F.concat(*(F.col(name).cast("string") for name in ("rfm_recency", "rfm_frequency", "rfm_monetary")))


@DERIVED.add("string")
def segment(moment: Moment) -> Column:
    """Champion (bought above average, active), Customer (bought, active), At risk (bought, silent for more than 60 days),
    Prospect (not bought, active) or Dormant.
    """
    bought, active = F.col("won_leads") > 0, F.col("rfm_recency") >= 3
    return (
        F.when(bought & active & (F.col("rfm_monetary") >= 4), "Champion")
        .when(bought & active, "Customer")
        .when(bought, "At risk")
        .when(active, "Prospect")
        .otherwise("Dormant")
    )


@DERIVED.add("string")
def next_step(moment: Moment) -> Column:
    """What to do next, in words: first contact, revive or move forward an open deal, win back, follow up, or keep in
    touch.
    """
    quiet, idle = F.col("days_since_last_interaction"), F.col("days_since_last_activity")
    has_open = F.col("open_leads") > 0
    preferred = F.coalesce(F.col("preferred_channel"), F.lit("call"))
    how = F.when(preferred == "other", F.lit("their usual channel")).otherwise(preferred)
    return (
        F.when(has_open & quiet.isNull(), "Make first contact on the open deal")
        .when(has_open & (quiet > 14), F.concat(F.lit("Revive the open deal by "), how))
        .when(has_open, F.concat(F.lit("Move the open deal forward by "), how))
        .when(idle.isNull() | (idle > 60), F.concat(F.lit("Win back: ask for news by "), how))
        .when(F.col("best_recent_intent") >= 0.8, F.concat(F.lit("Open a follow-up deal by "), how))
        .otherwise(F.concat(F.lit("Keep in touch by "), how))
    )
