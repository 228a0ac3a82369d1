"""Count what a run asks of the engine, of Delta logs and of DuckDB: seconds depend on who else is at work, counts do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql.connect.client import SparkConnectClient

from medallion.lakehouse import query

#: What is counted: statements that the engine runs, questions that it only plans for, openings of Delta tables, and
#: connections of DuckDB.
STATEMENTS, SCHEMAS, OPENINGS, CONNECTIONS = "statements", "schema questions", "openings", "connections"
_CALLS: tuple[tuple[str, Any, str], ...] = (
    (STATEMENTS, SparkConnectClient, "_execute"),
    (STATEMENTS, SparkConnectClient, "_execute_and_fetch"),
    (SCHEMAS, SparkConnectClient, "_analyze"),
    (OPENINGS, DeltaTable, "__init__"),
    (CONNECTIONS, query, "_database"),
)


@contextmanager
def counting() -> Iterator[Counter[str]]:
    """How often each happened inside, in all threads of this process."""
    counts: Counter[str] = Counter()

    def counted(what: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **named: Any) -> Any:
            counts[what] += 1
            return call(*args, **named)

        return wrapper

    with pytest.MonkeyPatch.context() as patch:
        for what, owner, name in _CALLS:
            patch.setattr(owner, name, counted(what, getattr(owner, name)))
        yield counts
