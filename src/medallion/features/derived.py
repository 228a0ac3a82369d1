"""Features computed from the other features of the same row, which are their parameters."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from medallion.columns import rounded, share
from medallion.features.registry import AsOf, Features

DERIVED = Features("other features")


@DERIVED.add("boolean")
def has_email(account_has_email: Column, deal_has_email: Column) -> Column:
    """Whether the account or a contact of one of its deals has an e-mail address."""
    return account_has_email | F.coalesce(deal_has_email, F.lit(False))


@DERIVED.add("boolean")
def has_phone(account_has_phone: Column, deal_has_phone: Column) -> Column:
    """Whether the account or a contact of one of its deals has a telephone number."""
    return account_has_phone | F.coalesce(deal_has_phone, F.lit(False))


@DERIVED.add("bigint", "days")
def days_since_last_interaction(as_of: AsOf, last_interaction_at: Column) -> Column:
    """Days since the last touch; null when there was none."""
    return as_of.days_since(last_interaction_at)


@DERIVED.add("bigint", "days")
def days_since_last_activity(as_of: AsOf, last_interaction_at: Column, last_won_at: Column) -> Column:
    """Days since the last touch or purchase, whichever came later; null when there was neither."""
    return as_of.days_since(F.greatest(last_interaction_at, last_won_at))


@DERIVED.add("double", "minutes")
def average_duration_minutes(total_duration_minutes: Column, interactions: Column) -> Column:
    """Minutes per touch."""
    return rounded(share(total_duration_minutes, interactions), 2)


@DERIVED.add("double", "share")
def positive_rate(positive_touches: Column, interactions: Column) -> Column:
    """Share of touches with a positive answer or a booked meeting."""
    return share(positive_touches, interactions)


@DERIVED.add("double", "share")
def response_rate(interactions: Column, unanswered_touches: Column) -> Column:
    """Share of touches that got an answer of any kind."""
    return share(interactions - unanswered_touches, interactions)


@DERIVED.add("double", "hours")
def hours_to_first_touch(first_interaction_at: Column, first_lead_at: Column) -> Column:
    """Hours from the first deal's opening to the first touch; null when the account was touched before."""
    seconds = F.unix_seconds(first_interaction_at) - F.unix_seconds(first_lead_at)
    return F.when(seconds >= 0, rounded(seconds / F.lit(3600.0), 2))


@DERIVED.add("double", "ratio")
def activity_trend(interactions_30d: Column, interactions_90d: Column) -> Column:
    """Touches of the last 30 days against the monthly average of the last 90; above 1 is rising."""
    return rounded(share(interactions_30d * 3, interactions_90d), 4)


@DERIVED.add("double", "share")
def win_rate(won_leads: Column, lost_leads: Column) -> Column:
    """Share of closed deals that were won; null when none is closed."""
    return share(won_leads, won_leads + lost_leads)


@DERIVED.add("double", "share")
def conversion_rate(won_leads: Column, leads: Column) -> Column:
    """Share of all deals that were won; null when there is none."""
    return share(won_leads, leads)


@DERIVED.add("decimal(18,2)", "USD")
def average_deal_value(total_deal_value: Column, valued_leads: Column) -> Column:
    """Value per deal that has one; null when none has."""
    average = total_deal_value.cast("double") / valued_leads.cast("double")
    return F.when(valued_leads > 0, rounded(average, 2))


@DERIVED.add("double", "days")
def average_cycle_days(won_cycle_days: Column, dated_won_leads: Column) -> Column:
    """Days from opening to winning per deal won of which both are known; null when there is none."""
    return rounded(share(won_cycle_days, dated_won_leads), 2)


@DERIVED.add("bigint", "1-5")
def rfm_recency(days_since_last_activity: Column) -> Column:
    """5 for a touch or purchase in the last 14 days, 4 for 30, 3 for 60, 2 for 90, else 1."""
    days = days_since_last_activity
    return F.when(days <= 14, 5).when(days <= 30, 4).when(days <= 60, 3).when(days <= 90, 2).otherwise(1)


@DERIVED.add("bigint", "1-5")
def rfm_frequency(won_leads: Column) -> Column:
    """Purchases plus one, at most 5."""
    return F.least(won_leads + 1, F.lit(5))


@DERIVED.add("bigint", "1-5")
def rfm_monetary(won_value: Column, _average_won_value: Column) -> Column:
    """Won value against the average buying customer: 5 from twice, 4 from once, 3 from half, 2 below, 1 for none."""
    ratio, some = share(won_value, _average_won_value), won_value > 0
    return (
        F.when(some & (ratio >= 2), 5)
        .when(some & (ratio >= 1), 4)
        .when(some & (ratio >= 0.5), 3)
        .when(some, 2)
        .otherwise(1)
    )


@DERIVED.add("string")
def rfm_score(rfm_recency: Column, rfm_frequency: Column, rfm_monetary: Column) -> Column:
    """The three digits of recency, frequency and monetary value, such as 534."""
    return F.concat(*(digit.cast("string") for digit in (rfm_recency, rfm_frequency, rfm_monetary)))


@DERIVED.add("string")
def segment(won_leads: Column, rfm_recency: Column, rfm_monetary: Column) -> Column:
    """Champion (bought above average, active), Customer (bought, active), At risk (bought, silent for more than 60 days),
    Prospect (not bought, active) or Dormant.
    """
    bought, active = won_leads > 0, rfm_recency >= 3
    return (
        F.when(bought & active & (rfm_monetary >= 4), "Champion")
        .when(bought & active, "Customer")
        .when(bought, "At risk")
        .when(active, "Prospect")
        .otherwise("Dormant")
    )


@DERIVED.add("string")
def next_step(
    open_leads: Column,
    days_since_last_interaction: Column,
    days_since_last_activity: Column,
    preferred_channel: Column,
    best_recent_intent: Column,
) -> Column:
    """What to do next, in words: first contact, revive or move forward an open deal, win back, follow up, or keep in
    touch.
    """
    quiet, idle, has_open = days_since_last_interaction, days_since_last_activity, open_leads > 0
    preferred = F.coalesce(preferred_channel, F.lit("call"))
    how = F.when(preferred == "other", F.lit("their usual channel")).otherwise(preferred)
    return (
        F.when(has_open & quiet.isNull(), "Make first contact on the open deal")
        .when(has_open & (quiet > 14), F.concat(F.lit("Revive the open deal by "), how))
        .when(has_open, F.concat(F.lit("Move the open deal forward by "), how))
        .when(idle.isNull() | (idle > 60), F.concat(F.lit("Win back: ask for news by "), how))
        .when(best_recent_intent >= 0.8, F.concat(F.lit("Open a follow-up deal by "), how))
        .otherwise(F.concat(F.lit("Keep in touch by "), how))
    )
