"""What every part of a run works with: the engine, a lakehouse, the contracts, the time and who is told of progress."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from medallion.contracts import Entity, Table
from medallion.errors import LakehouseError
from medallion.lakehouse import query, store
from medallion.lakehouse.session import engine_name
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline.steps import Steps

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Context:
    """One run in one lakehouse.

    Attributes:
        spark: The session.
        lake: Where tables are read and written.
        entities: The contracts, by entity.
        steps: Times each step and reports it.
        now: The clock of the run, UTC without zone.
        run_id: Its name in the tables of `ops`.
        replaced: Per entity the batches whose reading no longer counts (`batches.replaced`).
        members: Per entity the records that were decided to be one (`identities.frames`).
    """

    spark: SparkSession
    lake: Lakehouse
    entities: Mapping[str, Entity]
    steps: Steps
    now: datetime
    run_id: str = ""
    replaced: Mapping[str, Collection[str]] = field(default_factory=dict)
    members: Mapping[str, DataFrame] = field(default_factory=dict)

    def read(self, table: Table | str) -> DataFrame:
        """A table as it is now."""
        return store.read(self.spark, self.lake, table if isinstance(table, str) else table.name)

    def has_rows(self, table: Table, *conditions: str) -> list[bool]:
        """Whether each condition of SQL holds for some row of a table; asked without the engine, which plans it for longer."""
        name = table.name
        if not self.lake.place.reads_files:
            return [not self.read(name).filter(condition).isEmpty() for condition in conditions]
        with query.connect(self.lake, [name.split(".")[0]], only={name}) as connection:
            each = (f"exists (select 1 from {name} where {condition})" for condition in conditions)
            (row,) = query.rows(connection, f"select [{', '.join(each)}] as holds")
        return list(row["holds"])

    def ask(self, sql: str, *tables: str) -> list[dict[str, Any]]:
        """The few rows that a query gives of tables as they are now, in SQL that DuckDB and Spark read alike."""
        if self.lake.place.reads_files:
            with query.connect(self.lake, only=set(tables), newest=True) as connection:
                return query.rows(connection, sql)
        frames = {name.replace(".", "__"): self.read(name) for name in tables}
        for name in tables:
            sql = re.sub(rf"\b{re.escape(name)}\b", f"{{{name.replace('.', '__')}}}", sql)
        return [row.asDict() for row in self.spark.sql(sql, **frames).collect()]

    def create(self, contract: Table) -> None:
        """An empty table, unless it exists."""
        store.create(self.spark, self.lake, contract)

    def save(self, frame: DataFrame, contract: Table, *, append: bool = False, whole: bool = False) -> None:
        """Write a table, as `store.save` does."""
        store.save(frame, self.spark, self.lake, contract, append=append, whole=whole)

    def save_files(
        self,
        frame: DataFrame,
        tables: Mapping[Table, str],
        own_rows: str = "true",
        *,
        append: bool = True,
        names: Iterable[str] | None = None,
    ) -> None:
        """Write rows to several tables in one pass over them, as `store.save_files` does."""
        store.save_files(frame, self.spark, self.lake, tables, own_rows, append=append, names=names)

    def merge(self, frame: DataFrame, contract: Table, *, whole: bool = False, met: bool = False) -> None:
        """Upsert rows by the key of their contract, as `store.merge` does."""
        store.merge(frame, self.spark, self.lake, contract, whole=whole, met=met)

    def append_rows(self, rows: Sequence[tuple[Any, ...]], contract: Table) -> None:
        """Append rows that this process has in hand, as `store.append_rows` does."""
        store.append_rows(rows, self.spark, self.lake, contract)

    def delete_rows(self, name: str, condition: str) -> None:
        """Delete the rows of a table for which a condition holds."""
        store.delete_rows(self.spark, self.lake, name, condition)


def check_folder(lake: Lakehouse) -> None:
    """Sail 0.7 puts the log and the files of a table into two other folders where a path has such characters.

    Raises:
        LakehouseError: The embedded engine cannot write to a folder of that name.
    """
    if lake.folder is None:
        return
    path = str(lake.folder.absolute())
    odd = [letter for letter in path if not (letter.isascii() and (letter.isalnum() or letter in "/!$&'()+,-.:;=@_"))]
    if odd and engine_name() == "sail":
        raise LakehouseError(
            f"{path}: the embedded engine cannot write to a folder with {odd[0]!r} in its path",
            "Choose a --lakehouse with plain letters, digits, - and _ only.",
        )
