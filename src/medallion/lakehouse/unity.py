"""Tables of a Unity Catalog catalog: a lakehouse whose root is `uc://CATALOG` has its layers as schemas.

There the engine alone knows where a table lies, so everything is asked of the session that it gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from deltalake.schema import Schema

from medallion.errors import LakehouseError
from medallion.lakehouse.session import session

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake.schema import Field, Schema

PREFIX = "uc://"
_CATALOG = re.compile(r"[A-Za-z_][\w-]{0,254}")


def catalog(root: str) -> str:
    """The catalog that a root names.

    Raises:
        LakehouseError: It names none.
    """
    name = root.removeprefix(PREFIX).rstrip("/")
    if not root.startswith(PREFIX) or not _CATALOG.fullmatch(name):
        raise LakehouseError(f"{root}: names no catalog", "Write uc://CATALOG, such as uc://crm_dev.")
    return name


def quoted(root: str, name: str) -> str:
    """The full name of a table `layer.table`, as SQL wants it."""
    return ".".join(f"`{part}`" for part in (catalog(root), *name.split(".")))


def exists(root: str, name: str) -> bool:
    """Whether there is such a table."""
    return bool(session().catalog.tableExists(quoted(root, name)))


def tables(root: str, layers: Iterable[str]) -> list[str]:
    """Names of all tables, by layer; views and temporary ones left out."""
    spark, found = session(), []
    for layer in layers:
        where = f"`{catalog(root)}`.`{layer}`"
        if spark.catalog.databaseExists(where):
            rows = spark.sql(f"SHOW TABLES IN {where}").collect()
            found += sorted(f"{layer}.{row['tableName']}" for row in rows if not row["isTemporary"])
    return found


def drop(root: str, name: str) -> None:
    """Remove a table that holds work in progress only."""
    session().sql(f"DROP TABLE IF EXISTS {quoted(root, name)}").collect()


def row(root: str, name: str, columns: str) -> tuple[Any, ...]:
    """Columns of the only row of a table."""
    return tuple(session().sql(f"SELECT {columns} FROM {quoted(root, name)}").collect()[0])


def execute(statement: str) -> None:
    """Run a statement that gives no rows."""
    session().sql(statement).collect()


def arrow(root: str, name: str) -> pa.Table:
    """All rows of a table, fetched through the engine."""
    return session().table(quoted(root, name)).toArrow()


class Table:
    """What is asked of a `deltalake.DeltaTable`, asked of the engine."""

    def __init__(self, root: str, name: str) -> None:
        self.name = quoted(root, name)
        self.alter = self

    def version(self) -> int:
        """Number of the newest commit."""
        rows = session().sql(f"DESCRIBE HISTORY {self.name} LIMIT 1").collect()
        return int(rows[0]["version"])

    def schema(self) -> Schema:
        """Columns and types."""
        return Schema.from_arrow(session().table(self.name).limit(0).toArrow().schema)

    def restore(self, version: int) -> None:
        """Go back to an earlier version, as a new commit."""
        session().sql(f"RESTORE TABLE {self.name} TO VERSION AS OF {version}").collect()

    def add_columns(self, fields: list[Field]) -> None:
        """Give the table more columns, null so far."""
        told = ", ".join(f"`{field.name}` {_sql_type(field.type)}" for field in fields)
        session().sql(f"ALTER TABLE {self.name} ADD COLUMNS ({told})").collect()

    def __getattr__(self, name: str) -> Any:
        raise LakehouseError(
            f"{self.name}: {name} is left to Unity Catalog",
            "Use its own means, such as VACUUM or REORG TABLE ... APPLY (PURGE).",
        )


def _sql_type(delta_type: Any) -> str:
    if hasattr(delta_type, "element_type"):
        return f"ARRAY<{_sql_type(delta_type.element_type)}>"
    return {"long": "BIGINT", "integer": "INT"}.get(str(delta_type.type), str(delta_type.type).upper())
