"""`gold.identity_links`: records of one entity that are the same person or account as a record of another, and why."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion.columns import code
from medallion.contracts import Column as Declared
from medallion.contracts import Table
from medallion.features import AsOf, leads_as_of

EMAIL, NAME, COMPANY = "same e-mail address", "same name at the same account", "it names the account"


def contract() -> Table:
    """The contract of the table."""
    return Table(
        name="gold.identity_links",
        grain="one row per record and entity in which the same person or account has a record",
        description="A deal and the contact whom it is discussed with; a deal or a contact without a known account and the "
        "account that it names. A text that leads to several records leads to none.",
        key=("entity", "source_key", "linked_entity"),
        columns=(
            Declared("entity", "string", "Of which entity the record is: leads or contacts."),
            Declared("source_key", "string", "Its key."),
            Declared(
                "linked_entity", "string", "In which entity the same person or account is: contacts or customers."
            ),
            Declared("linked_key", "string", "The key there."),
            Declared("why", "string", "What says so; of several the first: e-mail address, name and account, name."),
            Declared("as_of", "date", "Last day that the row includes."),
        ),
        invariants=("entity <> linked_entity",),
    )


def identity_links(contacts: DataFrame, leads: DataFrame, customers: DataFrame, as_of: AsOf) -> DataFrame:
    """One row per link of the deals and contacts of the as-of time; keys alone, no names or addresses.

    Args:
        contacts: `silver.contacts_clean`.
        leads: `silver.leads_clean`, or its rewound history.
        customers: `silver.customers_clean`.
        as_of: The as-of time.
    """
    opened = leads_as_of(leads, as_of)
    people = contacts.select("contact_id", "customer_id", "contact_name", "email")
    by_email = _unique(people.select(F.col("email").alias("_called"), F.col("contact_id").alias("_to")))
    at_account = F.concat_ws("|", "customer_id", code(F.col("contact_name")))
    named = people.filter(F.col("customer_id").isNotNull() & F.col("contact_name").isNotNull())
    by_name = _unique(named.select(at_account.alias("_called"), F.col("contact_id").alias("_to")))
    lead_at_account = F.when(
        F.col("customer_id").isNotNull() & F.col("lead_name").isNotNull(),
        F.concat_ws("|", "customer_id", code(F.col("lead_name"))),
    )
    same_email = _linked(opened, "leads", "lead_id", F.col("email"), by_email, "contacts", EMAIL)
    same_name = _linked(opened, "leads", "lead_id", lead_at_account, by_name, "contacts", NAME)
    linked = same_email.select(F.col("source_key").alias("_told"))
    same_name = same_name.join(linked, F.col("source_key") == F.col("_told"), how="left_anti")
    accounts = _unique(
        customers.select(code(F.col("customer_name")).alias("_called"), F.col("customer_id").alias("_to"))
    )
    known = customers.select(F.col("customer_id").alias("_known"))
    of_account = [
        _linked(
            frame.join(known, F.col("customer_id") == F.col("_known"), how="left_anti"),
            entity, key, code(F.col("company")), accounts, "customers", COMPANY,
        )
        for frame, entity, key in ((opened, "leads", "lead_id"), (contacts, "contacts", "contact_id"))
    ]  # fmt: skip
    whole = reduce(DataFrame.unionByName, (same_email, same_name, *of_account))
    return whole.withColumn("as_of", as_of.today)


def _unique(pairs: DataFrame) -> DataFrame:
    """Texts that lead to one key, `_called` and `_to`."""
    known = pairs.filter(F.col("_called").isNotNull() & (F.col("_called") != ""))
    counted = known.groupBy("_called").agg(F.countDistinct("_to").alias("_keys"), F.min("_to").alias("_to"))
    return counted.filter(F.col("_keys") == 1).select("_called", "_to")


def _linked(frame: DataFrame, entity: str, key: str, text: Column, to: DataFrame, target: str, why: str) -> DataFrame:
    asked = frame.select(F.col(key).alias("source_key"), text.alias("_text"))
    return asked.join(to, F.col("_text") == F.col("_called")).select(
        F.lit(entity).alias("entity"),
        "source_key",
        F.lit(target).alias("linked_entity"),
        F.col("_to").alias("linked_key"),
        F.lit(why).alias("why"),
    )
