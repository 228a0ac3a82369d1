"""`gold.line_items`: what deals are made of, with names of products and the state of the deal."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion.contracts import Column, Table

_AMOUNT = "decimal(18,2)"
_OF_DEAL = (
    "customer_id",
    "customer_name",
    "status",
    "stage",
    "owner",
    "owner_team",
    "created_at",
    "closed_at",
    "as_of",
)


def contract() -> Table:
    """The contract of the table."""
    return Table(
        name="gold.line_items",
        grain="one row per line item of a deal",
        description="What deals are made of. Amounts are in the currency of the lakehouse, at the rate of the deal.",
        key=("deal_product_id",),
        columns=(
            Column("deal_product_id", "string", "Identifier of the line."),
            Column("lead_id", "string", "The deal."),
            Column("product_id", "string", "Product; null when the CRM names none."),
            Column("product_name", "string", "Name of the product, else the name on the line, else its identifier."),
            Column("category", "string", "Category of the product."),
            Column("quantity", "double", "How many."),
            Column("unit_price", _AMOUNT, "Price of one.", kind="money", unit="USD"),
            Column("amount", _AMOUNT, "Value of the line; null when the CRM has none.", kind="money", unit="USD"),
            Column("customer_id", "string", "Account; null when the CRM names none."),
            Column("customer_name", "string", "Name of the account."),
            Column("status", "string", "open, won or lost."),
            Column("stage", "string", "Pipeline stage."),
            Column("owner", "string", "Sales rep who owns the deal."),
            Column("owner_team", "string", "Team of the owner; null where it is not known."),
            Column("created_at", "timestamp", "When the deal was opened (UTC)."),
            Column("closed_at", "timestamp", "When the deal was won or lost (UTC)."),
            Column("as_of", "date", "Last day that the row includes."),
        ),
        invariants=("status IN ('open', 'won', 'lost')",),
    )


def line_items(
    lines: DataFrame, deals: DataFrame, products: DataFrame, conversions: DataFrame | None = None
) -> DataFrame:
    """One row per line item of the deals of the as-of time.

    Args:
        lines: `silver.deal_products_clean`.
        deals: `gold.deals`.
        products: `silver.products_clean`.
        conversions: `silver.conversions`; a line of a deal that it has is converted at the deal's rate.
    """
    known = products.select(F.col("product_id").alias("_product"), F.col("product_name").alias("_name"), "category")
    of_deal = deals.select(F.col("lead_id").alias("_deal"), "has_value", *_OF_DEAL)
    each = lines.select("deal_product_id", "lead_id", "product_id", "product_name", "quantity", "unit_price", "amount")
    each = each.join(of_deal, F.col("lead_id") == F.col("_deal"))
    each = each.join(known, F.col("product_id") == F.col("_product"), how="left")
    amounts = {name: F.col(name) for name in ("unit_price", "amount")}
    if conversions is not None:
        rates = conversions.select(F.col("lead_id").alias("_foreign"), "rate")
        each = each.join(rates, F.col("lead_id") == F.col("_foreign"), how="left")
        # nothing says in which currency the lines of a deal without a value are
        amounts = {
            name: F.when(
                F.col("_foreign").isNotNull(), (amount.try_cast("decimal(18,3)") * F.col("rate")).try_cast(_AMOUNT)
            ).when(F.col("has_value"), amount)
            for name, amount in amounts.items()
        }
    return each.select(
        "deal_product_id", "lead_id", "product_id",
        F.coalesce("_name", "product_name", "product_id").alias("product_name"), "category", "quantity",
        *(amount.alias(name) for name, amount in amounts.items()), *_OF_DEAL,
    )  # fmt: skip
