"""Deals in the reporting currency, by the rates that a user gives; those of which no rate is known are held out.

Silver has amounts as the CRM has them. They are converted where gold starts, so that another table of rates changes
figures and no record.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_AMOUNT = "decimal(18,2)"
#: Days after which a rate is old.
OLD = 45


def in_currency(leads: DataFrame, rates: DataFrame, last: date, reporting: str, places: int) -> DataFrame:
    """Every deal, with its amount in the reporting currency as `value`.

    The rate of a deal is the one that holds on the day on which it closed, or is expected to close while it is open,
    or else on which it was opened; never one of a later day than `last`. An amount is rounded half up.

    Besides: `day`, that day; `rate` and `rate_date`, since when it holds; `held_out`, why a deal cannot be counted,
    null when it can. A deal without an amount can.

    Args:
        leads: `silver.leads_clean`, or its rewound history.
        rates: Of every day the rate that holds on it (`rates.by_day`).
        last: The last day to count, or the last one of `rates` where that is earlier.
        reporting: ISO code of the reporting currency.
        places: Its decimal places.
    """
    ends = F.when(F.col("status") == "open", F.col("expected_close_date")).otherwise(F.col("closed_at").cast("date"))
    day = F.coalesce(ends, F.col("created_at").cast("date"))
    code = F.coalesce(F.col("currency"), F.lit(reporting))
    dated = leads.withColumns({"day": day, "_on": F.least(day, F.lit(last)), "_is": code})
    joined = dated.join(rates, (F.col("_is") == F.col("_code")) & (F.col("_on") == F.col("_day")), how="left")
    same = F.col("_is") == reporting
    # three decimals times ten are as many as DECIMAL(38) has room for beside an amount
    product = F.col("deal_value").try_cast("decimal(18,3)") * F.col("rate")
    value = F.when(same, F.col("deal_value").try_cast(_AMOUNT)).otherwise(
        product.try_cast(f"decimal(18,{places})").cast(_AMOUNT)
    )
    why = (
        F.when(same | F.col("deal_value").isNull(), F.lit(None).cast("string"))
        .when(
            F.col("rate").isNull(),
            F.concat(F.lit("no rate of "), F.col("_is"), F.lit(" by "), F.col("day").cast("string")),
        )
        .when(F.col("value").isNull(), F.lit("its amount is too large"))
    )
    valued = joined.withColumn("value", value).withColumn("held_out", why)
    return valued.select(*leads.columns, "day", "rate", "rate_date", "value", "held_out")


def counted(valued: DataFrame, columns: list[str], reporting: str) -> DataFrame:
    """The deals that can be counted, as `silver.leads_clean` has them, with their amounts in the reporting currency."""
    there = valued.filter(F.col("held_out").isNull())
    return there.withColumns({"deal_value": F.col("value"), "currency": F.lit(reporting)}).select(*columns)


def versions(valued: DataFrame, current: DataFrame, columns: list[str]) -> DataFrame:
    """Versions of deals, as `silver.leads_history` has them, with amounts in the reporting currency: null without a rate.

    Those of deals that are held out are left out.

    Args:
        valued: `in_currency` of the versions.
        current: `in_currency` of the deals.
        columns: Those of `silver.leads_history`.
    """
    held_out = current.filter(F.col("held_out").isNotNull()).select("lead_id")
    there = valued.join(held_out, on="lead_id", how="left_anti")
    return there.withColumn("deal_value", F.col("value")).select(*columns)


def as_written(leads: DataFrame, conversions: DataFrame, reporting: str) -> DataFrame:
    """Deals as `counted` gives them, from what a run has written down of those in other currencies.

    One whose amount it has not written down, or another one than it has by now, is left out: amounts are not added across
    currencies.
    """
    written = conversions.filter(F.col("currency") == reporting).select(
        F.col("lead_id").alias("_of"),
        F.col("original_currency").alias("_from"),
        F.col("original_amount").alias("_amount"),
        "value",
        "held_out",
    )
    amount = F.col("deal_value").try_cast(_AMOUNT)
    is_of = (F.col("lead_id") == F.col("_of")) & (F.col("currency") == F.col("_from")) & (amount == F.col("_amount"))
    same = F.coalesce(F.col("currency"), F.lit(reporting)) == reporting
    known = F.col("_of").isNotNull() & F.col("held_out").isNull()
    there = leads.join(written, is_of, how="left").filter(same | F.col("deal_value").isNull() | known)
    values = {"deal_value": F.when(same, F.col("deal_value")).otherwise(F.col("value")), "currency": F.lit(reporting)}
    return there.withColumns(values).select(*leads.columns)


def conversions(valued: DataFrame, reporting: str) -> DataFrame:
    """`silver.conversions`: the deals with an amount in another currency."""
    other = valued.filter((F.col("currency") != reporting) & F.col("deal_value").isNotNull())
    return other.select(
        "lead_id",
        F.col("deal_value").try_cast(_AMOUNT).alias("original_amount"),
        F.col("currency").alias("original_currency"),
        "day",
        "rate",
        "rate_date",
        F.when(F.col("held_out").isNull(), F.col("value")).alias("value"),
        F.lit(reporting).alias("currency"),
        "held_out",
        F.col("_source_file").alias("source_file"),
        F.col("_source_row").alias("source_row"),
    )


def in_doubt(conversions: DataFrame, last: date) -> DataFrame:
    """Conversions to warn about, per currency and kind: how many deals of what value, and one of them.

    They are deals that are held out (`held`), without a rate (`unknown`) or too large; and those that are converted at a
    rate of more than `OLD` days before their day, or `last` where that is earlier: `newest` is its newest day.
    """
    day = F.least(F.col("day"), F.lit(last))
    is_old = F.col("held_out").isNull() & (F.date_add(F.col("rate_date"), OLD) < day)
    doubtful = conversions.filter(F.col("held_out").isNotNull() | is_old).withColumn(
        "held", F.col("held_out").isNotNull()
    )
    kinds = ["original_currency", "held", F.col("rate").isNull().alias("unknown")]
    totals = doubtful.groupBy(*kinds).agg(
        F.count(F.lit(1)).alias("deals"),
        F.sum("original_amount").alias("amount"),
        F.max("rate_date").alias("newest"),
        F.min("lead_id").alias("lead_id"),
    )
    example = conversions.select("lead_id", "source_file", "source_row", "held_out")
    return totals.join(example, on="lead_id").orderBy("original_currency", "held", "unknown")
