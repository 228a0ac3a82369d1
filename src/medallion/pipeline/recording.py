"""A row of `ops` for each run."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from medallion import contracts
from medallion.config import end_of_day
from medallion.contracts import Table
from medallion.lakehouse import store
from medallion.lakehouse.session import engine_name
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline.result import Result
from medallion.version import VERSION

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def peak_mib() -> float | None:
    """Largest resident memory of this process so far."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10  # bytes there, kibibytes elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def record_run(spark: SparkSession, lake: Lakehouse, result: Result, fingerprint: str | None, now: datetime) -> None:
    """Write down what a run did, and what gold was computed from."""
    contract = contracts.table("ops.runs")
    row = {
        "run_id": result.run_id,
        "batch_id": result.batch_id,
        "started_at": now,
        "finished_at": now + timedelta(seconds=result.seconds),
        "as_of": end_of_day(result.as_of) if result.as_of else None,
        "fingerprint": fingerprint,
        "version": VERSION,
        "engine": engine_name(),
        "seconds": result.seconds,
        "steps": json.dumps(result.steps),
        "rows_read": sum(int(account["rows_read"]) for account in result.accounts),
        "peak_mib": peak_mib(),
    }
    append_row(spark, lake, contract, row)


def append_row(spark: SparkSession, lake: Lakehouse, contract: Table, row: Mapping[str, Any]) -> None:
    """Append one row, its values by column."""
    store.append_rows([tuple(row[name] for name in contract.column_names)], spark, lake, contract)
