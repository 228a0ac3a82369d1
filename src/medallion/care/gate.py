"""The quality gate of a scheduled run: whether what was just loaded may be published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from medallion.errors import LakehouseError
from medallion.figures import percent
from medallion.lakehouse import query
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import batches, journal

#: Share of a delivery's rows that may be refused.
MAX_REFUSED = 0.10


@dataclass(frozen=True)
class Check:
    """One question and its answer: `value` is what was found, `limit` what is allowed."""

    name: str
    passed: bool
    value: str
    limit: str


def checks(lake: Lakehouse, max_refused: float = MAX_REFUSED) -> list[Check]:
    """The checks of the newest batch and of gold.

    - `conservation`: rows read = accepted + duplicate + superseded + quarantined + excluded + withdrawn + merged + erased,
      for every entity;
    - `refused`: quarantined rows as a share of the rows read, of all entities together;
    - `gold`: `gold.customer_features` has rows whenever `silver.customers_clean` has;
    - `finished`: no batch and no other work was left half done.

    Raises:
        LakehouseError: Nothing was loaded yet.
    """
    for name in ("ops.row_accounts", "gold.customer_features", "silver.customers_clean"):
        if not lake.exists(name):
            raise LakehouseError(f"{lake.root}: there is no table {name}", "Run `medallion run` first.")
    parts = " + ".join(batches.account_sql(lake, name) for name in ("excluded", "withdrawn", "merged", "erased"))
    with query.connect(lake) as connection:
        account = query.rows(
            connection,
            "select coalesce(sum(rows_read), 0) as read, coalesce(sum(quarantined), 0) as refused, "
            f"bool_and(rows_read = accepted + duplicate + superseded + quarantined + {parts}) as balanced, max(batch_id) as batch "
            "from ops.row_accounts where known_at = (select max(known_at) from ops.row_accounts)",
        )[0]
        counts = query.rows(
            connection,
            "select (select count(*) from gold.customer_features) as gold, "
            "(select count(*) from silver.customers_clean) as silver",
        )[0]
    open_work = [work for work in journal.unfinished(lake) if work["state"] == "interrupted"]
    share = float(account["refused"]) / max(int(account["read"]), 1)
    return [
        Check("conservation", bool(account["balanced"]), f"batch {account['batch']}", "every row accounted for"),
        Check(
            "refused", share <= max_refused, f"{percent(share)} of {int(account['read']):,} rows", percent(max_refused)
        ),
        Check(
            "gold",
            counts["gold"] > 0 or counts["silver"] == 0,
            f"{counts['gold']:,} accounts",
            "some" if counts["silver"] else "none",
        ),
        Check(
            "finished", not open_work, ", ".join(work["what"] for work in open_work) or "nothing half done", "nothing"
        ),
    ]


def as_dict(results: list[Check]) -> dict[str, Any]:
    """The checks as one document."""
    return {"passed": all(check.passed for check in results), "checks": [vars(check) for check in results]}
