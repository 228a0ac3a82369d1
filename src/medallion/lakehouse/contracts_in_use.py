"""The contracts in use: contract files given once apply to every later command on the lakehouse."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.contracts import Override, entities, table
from medallion.lakehouse import query, store
from medallion.lakehouse.store import Lakehouse

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TABLE = "ops.contracts"


def overrides(lake: Lakehouse, given: Iterable[Path] = ()) -> tuple[Override, ...]:
    """The contract files to use: those given, else those in use.

    Raises:
        ContractError: A given file cannot be read.
    """
    return tuple(Override.read(path) for path in given) or _in_use(lake)


def currency(lake: Lakehouse) -> str:
    """ISO code of the amounts of a lakehouse: that of the deals in the contract that it was last used with."""
    return entities(overrides(lake))["leads"].currency


def are_in_use(lake: Lakehouse, used: tuple[Override, ...]) -> bool:
    """Whether exactly these are in use, so that someone has accepted what they guess."""
    return fingerprint(used) == fingerprint(_in_use(lake))


def _in_use(lake: Lakehouse) -> tuple[Override, ...]:
    if not lake.exists(TABLE):
        return ()
    with query.connect(lake, layers=["ops"], only={TABLE}, newest=True) as connection:
        rows = query.rows(
            connection,
            f"select path, content from {TABLE} where known_at = (select max(known_at) from {TABLE}) order by position",
        )
    return tuple(Override(row["path"], row["content"]) for row in rows)


def record(spark: SparkSession, lake: Lakehouse, used: tuple[Override, ...], now: datetime) -> None:
    """Record the contract files that a run uses, unless they are in use already."""
    if not used or are_in_use(lake, used):
        return
    rows = [(now, position, item.path, item.text) for position, item in enumerate(used)]
    store.append_rows(rows, spark, lake, table(TABLE))


def put(spark: SparkSession, lake: Lakehouse, used: tuple[Override, ...], now: datetime) -> None:
    """Record the contract files of a lakehouse in place of those recorded before; none are the shipped ones."""
    if not are_in_use(lake, used):
        store.delete_rows(spark, lake, TABLE, "position >= 0")
        record(spark, lake, used, now)


def fingerprint(used: Iterable[Override]) -> str:
    """A hash of the texts of contract files, in their order."""
    return hashlib.sha256("\0".join(item.text for item in used).encode()).hexdigest()[:16]
