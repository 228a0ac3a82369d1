"""Upkeep on request: compaction, checkpoints, and the removal of what no manifest needs any more."""

from __future__ import annotations

from datetime import datetime

from medallion import figures
from medallion.errors import LakehouseError
from medallion.lakehouse import maintenance, manifests, unity
from medallion.lakehouse.maintenance import Maintained
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import journal


def maintain(lake: Lakehouse, now: datetime) -> list[Maintained]:
    """Keep up every table of a lakehouse; none in a catalog, see `left_to`.

    Args:
        lake: The lakehouse.
        now: The clock, UTC without zone: manifests older than 30 days are not kept but for the last of each month.

    Raises:
        LakehouseError: Another command is writing, or it is in a catalog that does not keep up its tables.
    """
    if left_to(lake):
        return []
    if not lake.tables():
        raise LakehouseError(f"{lake.root}: there is no lakehouse here", "Run `medallion run` first.")
    with journal.writing(lake) as writer:
        return writer.maintain(now, maintenance.tables(lake))


def left_to(lake: Lakehouse) -> str:
    """Who keeps up the tables of a catalog, and what was seen to there; empty where `maintain` does.

    Tables written by an earlier version are told to keep the files of 30 days, for which manifests can be opened.

    Raises:
        LakehouseError: Predictive optimization is off for the catalog, or another command is writing.
    """
    if lake.catalog is None:
        return ""
    names = [name for name in lake.tables() if manifests.is_ours(name)]
    if not names:
        raise LakehouseError(f"{lake.root}: there is no lakehouse here", "Run `medallion run` first.")
    on = unity.upkeep(lake.root)
    if on is False:
        raise LakehouseError(
            f"{lake.root}: predictive optimization is off for the catalog, so nothing keeps up its tables",
            f"Switch it on: ALTER CATALOG `{lake.catalog}` ENABLE PREDICTIVE OPTIMIZATION.",
        )
    with journal.writing(lake):
        longer = [name for name in names if unity.keep(lake.root, name)]
    says = "is on for the catalog" if on else "is not known to the engine: have the catalog's owner check that it is on"
    kept = f" {figures.count(len(longer), 'table')} told to keep the files of 30 days." if longer else ""
    return f"Left to predictive optimization, which {says}.{kept}"
