"""Upkeep on request: compaction, checkpoints, and the removal of what no manifest needs any more."""

from __future__ import annotations

from datetime import datetime

from medallion.errors import LakehouseError
from medallion.lakehouse import maintenance
from medallion.lakehouse.maintenance import Maintained
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import journal


def maintain(lake: Lakehouse, now: datetime) -> list[Maintained]:
    """Keep up every table of a lakehouse.

    Args:
        lake: A lakehouse in a folder or at an address.
        now: The clock, UTC without zone: manifests older than 30 days are not kept but for the last of each month.

    Raises:
        LakehouseError: It is in a catalog, or another command is writing.
    """
    if lake.in_catalog:
        raise LakehouseError(
            f"{lake.root}: a catalog keeps up its tables itself",
            "Switch predictive optimization on for it; it compacts and removes old files.",
        )
    if not lake.tables():
        raise LakehouseError(f"{lake.root}: there is no lakehouse here", "Run `medallion run` first.")
    with journal.writing(lake) as writer:
        return writer.maintain(now, maintenance.tables(lake))
