"""A catalog without an engine: its tables are Delta tables in a folder, which delta-rs reads and writes with real commits.

Statements are recorded, so that tests can count them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import TableNotFoundError

from medallion.lakehouse import unity


class OnDisk:
    """Takes the place of the engine in `unity`.

    Attributes:
        said: What was asked of the engine, one word per statement.
        fails: A pattern of statements that the platform refuses.
    """

    def __init__(self, folder: Path, monkeypatch: Any) -> None:
        self.folder, self.said, self.fails = folder, list[str](), ""
        for name in ("exists", "tables", "drop", "row", "execute", "append", "rows", "sums"):
            monkeypatch.setattr(unity, name, getattr(self, name))
        monkeypatch.setattr(unity, "hashed_by", lambda: "on disk")
        monkeypatch.setattr(unity.Table, "schema", lambda table: DeltaTable(self.path(table.name)).schema())
        monkeypatch.setattr(unity.Table, "history", lambda table, limit=None: self._history(table, limit))
        monkeypatch.setattr(unity.Table, "restore", lambda table, version: self._restore(table, version))
        monkeypatch.setattr(unity.Table, "count", lambda table: self.rows(table.root, table.table, table.at).num_rows)
        monkeypatch.setattr(
            unity.Table,
            "to_pyarrow_table",
            lambda table, columns=None, filters=None: self._some(table, columns, filters),
        )

    def path(self, quoted: str) -> str:
        return str(self.folder.joinpath(*quoted.replace("`", "").split(".")[-2:]))

    def _say(self, word: str) -> None:
        self.said.append(word)

    def exists(self, root: str, name: str) -> bool:
        self._say("exists")
        return DeltaTable.is_deltatable(self.path(name))

    def tables(self, root: str, layers: Any) -> list[str]:
        self._say("SHOW TABLES")
        logs = (log for layer in layers for log in sorted(self.folder.glob(f"{layer}/*/_delta_log")))
        return [f"{log.parent.parent.name}.{log.parent.name}" for log in logs]

    def drop(self, root: str, name: str) -> None:
        self._say("DROP")
        Path(self.path(name)).rename(self.folder / f"{name}.gone")
        unity.removed(unity.quoted(root, name))

    def row(self, root: str, name: str, columns: str) -> tuple[Any, ...] | None:
        self._say("SELECT")
        try:
            (found,) = DeltaTable(self.path(name)).to_pyarrow_table(columns=columns.split(", ")).to_pylist()
        except TableNotFoundError:
            return None
        return tuple(found[column] for column in columns.split(", "))

    def execute(self, statement: str) -> int | None:
        word, path = statement.split()[0], self.path(re.search(r"`\S+`", statement)[0])
        self._say(word)
        if self.fails and re.search(self.fails, statement):
            raise RuntimeError(f"{word} is not for you")
        if word == "CREATE":
            write_deltalake(path, pa.table({"version": pa.array([0]), "document": [""]}), mode="ignore")
        elif word == "UPDATE":
            version, told, before = re.search(
                r"version = (\d+), document = '(.*)' WHERE version = (\d+)", statement
            ).groups()
            new = {"version": version, "document": f"'{told}'"}
            return DeltaTable(path).update(updates=new, predicate=f"version = {before}")["num_updated_rows"]
        elif word == "ALTER":
            told = dict(re.findall(r"'(\S+?)' = '(.*?)'", statement))
            DeltaTable(path).alter.set_table_properties(told)
        elif word == "VACUUM":
            DeltaTable(path).vacuum(0, dry_run=False, enforce_retention_duration=False)
        return None

    def append(self, root: str, name: str, rows: pa.Table) -> None:
        self._say("INSERT")
        write_deltalake(self.path(name), rows, mode="append")
        unity.written(unity.quoted(root, name))

    def rows(self, root: str, name: str, version: int | None = None) -> pa.Table:
        self._say("SELECT")
        return DeltaTable(self.path(name), version=version).to_pyarrow_table()

    def sums(self, root: str, tables: Any) -> dict[str, tuple[int, int]]:
        self._say("SUM")
        found = {name: self.rows(root, name, version).to_pylist() for name, version in tables.items()}
        return {name: (sum(len(str(sorted(row.items()))) for row in rows), len(rows)) for name, rows in found.items()}

    def write(self, root: str, name: str, values: list[Any]) -> None:
        """As the engine writes a table."""
        self._say("WRITE")
        write_deltalake(self.path(name), pa.table({"value": values}), mode="overwrite")
        unity.written(unity.quoted(root, name))

    def _history(self, table: unity.Table, limit: int | None) -> list[dict[str, Any]]:
        self._say("HISTORY")
        return DeltaTable(self.path(table.name)).history(limit)

    def _restore(self, table: unity.Table, version: int) -> None:
        self._say("RESTORE")
        DeltaTable(self.path(table.name)).restore(version)
        unity.written(table.name)

    def _some(self, table: unity.Table, columns: Any, filters: Any) -> pa.Table:
        self._say("SELECT")
        return DeltaTable(self.path(table.name), version=table.at).to_pyarrow_table(columns=columns, filters=filters)
