"""Features that the account itself gives, one row per customer."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from medallion.features.registry import AsOf, Features

ACCOUNT = Features("silver.customers_clean")


@ACCOUNT.add("string")
def customer_id(as_of: AsOf) -> Column:
    """Identifier of the account; one row per customer."""
    return F.col("customer_id")


@ACCOUNT.add("string")
def customer_name(as_of: AsOf) -> Column:
    """Name of the account."""
    return F.col("customer_name")


@ACCOUNT.add("string")
def industry(as_of: AsOf) -> Column:
    """Industry of the account; null when the CRM has none."""
    return F.col("industry")


@ACCOUNT.add("string")
def country(as_of: AsOf) -> Column:
    """Country of the account's head office."""
    return F.col("country")


@ACCOUNT.add("string")
def city(as_of: AsOf) -> Column:
    """City of the account's head office."""
    return F.col("city")


@ACCOUNT.add("bigint", "people")
def employee_count(as_of: AsOf) -> Column:
    """Number of employees."""
    return F.col("employee_count")


@ACCOUNT.add("string")
def size_band(as_of: AsOf) -> Column:
    """Company size: 1-50, 51-200, 201-1000, 1000+ or unknown."""
    count = F.col("employee_count")
    return (
        F.when(count > 1000, "1000+")
        .when(count > 200, "201-1000")
        .when(count > 50, "51-200")
        .when(count > 0, "1-50")
        .otherwise("unknown")
    )


@ACCOUNT.add("decimal(18,2)", "USD")
def annual_revenue(as_of: AsOf) -> Column:
    """Yearly revenue of the account as the CRM has it; no part of the score."""
    return F.col("annual_revenue")


@ACCOUNT.add("string")
def account_manager(as_of: AsOf) -> Column:
    """Person who looks after the account."""
    return F.col("account_manager")


@ACCOUNT.add("bigint", "days")
def account_age_days(as_of: AsOf) -> Column:
    """Days since the account was added to the CRM."""
    return as_of.days_since(F.col("created_at"))


@ACCOUNT.add("boolean")
def account_has_email(as_of: AsOf) -> Column:
    """Whether the account's own record has an e-mail address."""
    return F.col("email").isNotNull()


@ACCOUNT.add("boolean")
def account_has_phone(as_of: AsOf) -> Column:
    """Whether the account's own record has a telephone number."""
    return F.col("phone").isNotNull()
