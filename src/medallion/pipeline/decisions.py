"""The table of decisions about records that may be one, `ops.identity_decisions`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from medallion.contracts import table
from medallion.identities.decisions import Decision, members
from medallion.lakehouse import query, store
from medallion.lakehouse.store import Lakehouse

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TABLE = "ops.identity_decisions"


def read(lake: Lakehouse) -> list[Decision]:
    """Everything that was ever decided, oldest first."""
    if not lake.exists(TABLE):
        return []
    with query.connect(lake, layers=["ops"], only={TABLE}, newest=lake.pinned is None) as connection:
        sql = f"select * replace (decided_at::timestamp as decided_at) from {TABLE} order by decided_at, decision_id"
        return [Decision(**row) for row in query.rows(connection, sql)]


def record(spark: SparkSession, lake: Lakehouse, made: Iterable[Decision]) -> None:
    """Write decisions down."""
    contract = table(TABLE)
    rows = [tuple(getattr(one, name) for name in contract.column_names) for one in made]
    if rows:
        store.append_rows(rows, spark, lake, contract)


def fingerprint(lake: Lakehouse) -> str:
    """Hash of the merges that count now; empty without any."""
    merged = [
        (one.key, one.root, one.rank)
        for found in members(read(lake)).values()
        for one in sorted(found, key=lambda one: (one.root, one.rank))
    ]
    return hashlib.sha256(json.dumps(merged).encode()).hexdigest()[:16] if merged else ""
