"""The erasure log: the salted hashes that every delivery is checked against."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from medallion.contracts import table
from medallion.lakehouse import query, store
from medallion.lakehouse.store import Lakehouse

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from medallion.silver.redaction import ErasureLog

TABLE = "ops.erasures"
STARTED, FINISHED = "started", "finished"


def read(lake: Lakehouse) -> ErasureLog:
    """All hashes with their salt; a new salt where nothing was erased yet."""
    from medallion.silver.redaction import ErasureLog

    if not lake.exists(TABLE):
        return ErasureLog(secrets.token_hex(16))
    with query.connect(lake, layers=["ops"], only={TABLE}, newest=True) as connection:
        rows = query.rows(connection, f"select distinct kind, value_hash, salt from {TABLE}")
    hashes: dict[str, set[str]] = {}
    for row in rows:
        hashes.setdefault(row["kind"], set()).add(row["value_hash"])
    return ErasureLog(rows[0]["salt"], {kind: frozenset(values) for kind, values in hashes.items()})


def record(
    spark: SparkSession,
    lake: Lakehouse,
    log: ErasureLog,
    erasure: tuple[str, str, str],
    state: str,
    now: datetime,
) -> None:
    """Write down that an erasure (its identifier, who, why) of the hashes in `log` has reached a state, once."""
    erasure_id, who, reason = erasure
    if lake.exists(TABLE):
        with query.connect(lake, layers=["ops"], only={TABLE}, newest=True) as connection:
            sql = f"select 1 from {TABLE} where erasure_id = ? and state = ? limit 1"
            if query.rows(connection, sql, [erasure_id, state]):
                return
    pairs: Iterable[tuple[str, str]] = ((kind, value) for kind, values in log.hashes.items() for value in values)
    rows = [(erasure_id, kind, value, state, now, who, reason, log.salt) for kind, value in sorted(pairs)]
    store.append_rows(rows, spark, lake, table(TABLE))


def unfinished(lake: Lakehouse) -> list[tuple[str, str]]:
    """Erasures that have started and not finished: identifier, and when (UTC)."""
    if not lake.exists(TABLE):
        return []
    with query.connect(lake, layers=["ops"], only={TABLE}, newest=True) as connection:
        rows = query.rows(
            connection,
            f"select erasure_id, cast(date_trunc('second', min(recorded_at)::timestamp) as varchar) as began from {TABLE} group by 1 "
            f"having not bool_or(state = '{FINISHED}') order by 1",
        )
    return [(row["erasure_id"], row["began"]) for row in rows]
