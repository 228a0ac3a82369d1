"""Features that an account's deals give: aggregates over `leads_as_of`, one row per customer."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from medallion.features.registry import AsOf, Features

DEALS = Features("silver.leads_clean")


def _is(status: str) -> Column:
    return F.col("status") == status


def _value_where(condition: Column) -> Column:
    return F.coalesce(F.sum(F.when(condition, F.col("deal_value"))), F.lit(0))


@DEALS.add("bigint", "deals")
def leads(as_of: AsOf) -> Column:
    """Deals of the account, whatever their state."""
    return F.count(F.lit(1))


@DEALS.add("bigint", "deals")
def open_leads(as_of: AsOf) -> Column:
    """Deals still open."""
    return F.count_if(_is("open"))


@DEALS.add("bigint", "deals")
def won_leads(as_of: AsOf) -> Column:
    """Deals won."""
    return F.count_if(_is("won"))


@DEALS.add("bigint", "deals")
def lost_leads(as_of: AsOf) -> Column:
    """Deals lost."""
    return F.count_if(_is("lost"))


@DEALS.add("bigint", "deals")
def valued_leads(as_of: AsOf) -> Column:
    """Deals that have a value in the CRM."""
    return F.count("deal_value")


@DEALS.add("decimal(18,2)", "USD")
def total_deal_value(as_of: AsOf) -> Column:
    """Value of all deals of the account."""
    return _value_where(F.lit(True))


@DEALS.add("decimal(18,2)", "USD")
def open_value(as_of: AsOf) -> Column:
    """Value of the open deals."""
    return _value_where(_is("open"))


@DEALS.add("decimal(18,2)", "USD")
def won_value(as_of: AsOf) -> Column:
    """Revenue: value of the deals won."""
    return _value_where(_is("won"))


@DEALS.add("decimal(18,2)", "USD")
def lost_value(as_of: AsOf) -> Column:
    """Value of the deals lost."""
    return _value_where(_is("lost"))


@DEALS.add("decimal(18,2)", "USD")
def largest_deal_value(as_of: AsOf) -> Column:
    """Value of the account's largest deal."""
    return F.max("deal_value")


@DEALS.add("timestamp")
def first_lead_at(as_of: AsOf) -> Column:
    """When the account's first deal was opened."""
    return F.min("created_at")


@DEALS.add("timestamp")
def last_won_at(as_of: AsOf) -> Column:
    """When the account last bought."""
    return F.max(F.when(_is("won"), F.col("closed_at")))


@DEALS.add("timestamp")
def last_closed_at(as_of: AsOf) -> Column:
    """When a deal of the account was last won or lost."""
    return F.max("closed_at")


@DEALS.add("date")
def next_expected_close(as_of: AsOf) -> Column:
    """Earliest expected close among the open deals."""
    return F.min(F.when(_is("open"), F.col("expected_close_date")))


def cycle_days() -> Column:
    """Days from opening to close; null while open, where a day is not known, and where the close lies before the opening."""
    days = F.datediff(F.col("closed_at"), F.col("created_at"))
    return F.when(days >= 0, days)


def is_reversed() -> Column:
    """Deals whose close lies on a day before that of their opening: one of the two dates is wrong."""
    return F.coalesce(F.datediff(F.col("closed_at"), F.col("created_at")) < 0, F.lit(False))


@DEALS.add("bigint", "days")
def won_cycle_days(as_of: AsOf) -> Column:
    """Days from opening to winning, summed over the deals won that did not close before they were opened."""
    return F.coalesce(F.sum(F.when(_is("won"), cycle_days())), F.lit(0))


@DEALS.add("bigint", "deals")
def dated_won_leads(as_of: AsOf) -> Column:
    """Deals won of which both days are known, opening and winning, in this order."""
    return F.count_if(_is("won") & cycle_days().isNotNull())


def is_mature(as_of: AsOf, age: Column | int = 0) -> Column:
    """Deals that were still open at an age in days, at least the horizon (90 days) ago: it is known whether they were
    won in it. One that ended on an unknown day, or before it was opened, is none.
    """
    age = F.lit(age) if isinstance(age, int) else age
    long_ago = as_of.days_since(F.col("created_at")) >= age + F.lit(as_of.weights.horizon_days)
    return F.coalesce(long_ago & (_is("open") | (cycle_days() >= age)), F.lit(False))


def has_converted(as_of: AsOf, age: Column | int = 0) -> Column:
    """Mature deals that were won within the horizon from that age on."""
    end = (F.lit(age) if isinstance(age, int) else age) + F.lit(as_of.weights.horizon_days)
    return is_mature(as_of, age) & _is("won") & F.coalesce(cycle_days() < end, F.lit(False))


@DEALS.add("bigint", "deals")
def mature_leads(as_of: AsOf) -> Column:
    """Deals opened at least 90 days ago: old enough to tell whether they were won within 90 days."""
    return F.count_if(is_mature(as_of))


@DEALS.add("bigint", "deals")
def converted_leads(as_of: AsOf) -> Column:
    """Deals opened at least 90 days ago and won within 90 days of being opened."""
    return F.count_if(has_converted(as_of))


@DEALS.add("double", "0-1")
def best_source_weight(as_of: AsOf) -> Column:
    """Weight of the best source that brought one of the account's deals."""
    weights = as_of.weights.source
    value = F.lit(weights.get("other", 0.0))
    for name, weight in weights.items():
        value = F.when(F.col("source") == name, F.lit(float(weight))).otherwise(value)
    return F.max(value)


@DEALS.add("boolean")
def deal_has_email(as_of: AsOf) -> Column:
    """Whether a contact of one of the deals has an e-mail address."""
    return F.count("email") > 0


@DEALS.add("boolean")
def deal_has_phone(as_of: AsOf) -> Column:
    """Whether a contact of one of the deals has a telephone number."""
    return F.count("phone") > 0
