"""What the agent may read: gold and touches without free text or anything that identifies a person, in DuckDB.

Tables are loaded without the columns that a contract marks as personal, instead of hiding them: what is not there
cannot be asked for in another way.
"""

from __future__ import annotations

import threading
from collections.abc import Container, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import duckdb

from medallion.access import Person
from medallion.care import status
from medallion.errors import LakehouseError
from medallion.lakehouse import contracts_in_use, manifests, query, visible
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import proof

#: Tables that the agent reads, with the columns that it does not: free text is untrusted and may name people.
TABLES: dict[str, tuple[str, ...]] = {
    "gold.customer_features": (),
    "gold.deals": (),
    "gold.sales_summary": (),
    "gold.channel_performance": (),
    "gold.top_customers": (),
    "gold.score_bands": (),
    "gold.stage_history": (),
    "gold.lead_scores": (),
    "gold.deal_changes": (),
    "gold.attainment": (),
    "gold.contact_activity": (),
    "gold.deal_people": (),
    "gold.line_items": (),
    "silver.interactions_clean": ("notes", "_source_file", "_source_row", "_batch_id", "_version_hash", "known_at"),
    "silver.identities": ("why", "decision_id", "decided_at"),
    "silver.deal_contacts_clean": ("_source_file", "_source_row", "_batch_id", "_version_hash", "known_at"),
    "silver.products_clean": ("_source_file", "_source_row", "_batch_id", "_version_hash", "known_at"),
}
_FEATURES = "gold.customer_features"
#: Tables that a lakehouse need not have: one without scores, or of before the version that added the table.
_OPTIONAL = (
    *("gold.lead_scores", "gold.score_bands", "gold.deal_changes"),
    *("gold.attainment", "gold.contact_activity", "gold.deal_people", "gold.line_items"),
    *("silver.products_clean", "silver.deal_contacts_clean", "silver.identities"),
)
#: Seconds that one query may take.
PATIENCE = 10.0


@dataclass
class Serving:
    """A lakehouse as the agent sees it: one version of each table, read-only.

    Attributes:
        lake: The lakehouse.
        versions: Version of each table that is read.
        as_of: Last day that gold includes.
        locked: The tables are in memory and every door of DuckDB is shut: no files, no network, no settings.
        prepared: Names of the tables that were computed once.
        currency: ISO code of all amounts.
        currencies: What became of amounts in others, in words.
        state: The lakehouse at the versions that are read.
    """

    lake: Lakehouse
    connection: duckdb.DuckDBPyConnection
    versions: dict[str, int]
    as_of: date | None
    locked: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    prepared: set[str] = field(default_factory=set)
    currency: str = "USD"
    currencies: str = ""
    state: Lakehouse | None = None

    def rows(self, sql: str, bindings: Any = ()) -> list[dict[str, Any]]:
        """The rows of a query as dicts; ended after `PATIENCE` seconds.

        Raises:
            LakehouseError: It took too long.
        """
        with self.reading(PATIENCE) as connection:
            return query.rows(connection, sql, bindings)

    @contextmanager
    def reading(self, seconds: float | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to read from; of tables in memory one of its own, so that calls run side by side.

        Args:
            seconds: How long; without it `PATIENCE` where the tables are in memory, and else as long as it takes, since they
                may first have to be fetched.

        Raises:
            LakehouseError: It took too long.
        """
        with ExitStack() as stack:
            if self.locked:
                connection = stack.enter_context(self.connection.cursor())
            else:
                stack.enter_context(self.lock)
                connection = self.connection
            seconds = PATIENCE if seconds is None and self.locked else seconds
            if seconds is not None:
                stack.enter_context(stopping(connection, seconds))
            try:
                yield connection
            except duckdb.InterruptException as error:
                raise LakehouseError(
                    f"the query took more than {seconds or PATIENCE:.0f} seconds", "Ask for less at once."
                ) from error

    def prepare(self, name: str, sql: str) -> None:
        """Compute a table of this name once: what it is made of does not change while it is served."""
        with self.lock:
            if name not in self.prepared:
                kind = "table" if self.locked else "temp table"  # one that all who read beside each other see
                self.connection.execute(f"create {kind} {name} as {sql}")
                self.prepared.add(name)

    def read(self, *names: str) -> dict[str, int]:
        """Versions of these tables, for a receipt."""
        return {name: self.versions[name] for name in names if name in self.versions}


def speaker(served: Serving, person: Person) -> str:
    """The owner whom `I` and `my` of a person mean: by the name that the deals they see have, where that is one."""
    seen = served.rows("select distinct owner from gold.deals where owner is not null limit 2")
    return str(seen[0]["owner"]) if person.owners and len(seen) == 1 else person.user


@contextmanager
def stopping(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupt what a connection is at after some seconds."""
    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def serve(lake: Lakehouse, *, locked: bool = False, only: Container[str] = TABLES) -> Iterator[Serving]:
    """Open a lakehouse for the agent.

    Args:
        lake: The lakehouse.
        locked: Load the tables into memory and then shut every door of DuckDB: no files, no network, no settings. For a
            process that answers many questions, and for queries that somebody else wrote.
        only: The tables that are read.

    Raises:
        LakehouseError: There is no gold yet.
    """
    status.needs(lake, [name for name in TABLES if name not in _OPTIONAL])
    state = manifests.as_read(lake)
    personal = visible.personal(contracts_in_use.for_readers(lake).values())
    with query.connect(state, layers=("gold", "silver"), alone=True) as connection:
        versions = {}
        connection.execute("create schema agent_gold; create schema agent_silver")
        for name, hidden in TABLES.items():
            if name not in only or not state.exists(name):
                continue
            versions[name] = lake.version(name) if state.pinned is None else state.pinned[name]
            shown = ", ".join(
                f'"{column}"' for column in connection.table(name).columns if column not in {*hidden, *personal(name)}
            )
            kind = "table" if locked else "view"
            connection.execute(f"create {kind} agent_{name} as select {shown} from {name}")
        if locked:
            for layer in ("gold", "silver"):
                connection.execute(f"drop schema {layer} cascade; create schema {layer}")
            for name in versions:
                connection.execute(f"create view {name} as from agent_{name}")
            if _FEATURES in versions:
                connection.execute(f"create index by_customer on agent_{_FEATURES}(customer_id)")
            for setting in ("timezone = 'UTC'", "python_enable_replacements = false"):
                connection.execute(f"set global {setting}")  # of the connections that read side by side
            connection.execute("set enable_external_access = false; set lock_configuration = true")
        served = Serving(lake, connection, versions, status.as_of(lake), locked)
        served.currency, served.currencies = contracts_in_use.currency(lake), proof.note(lake)
        served.state = state
        yield served
