"""Where a lakehouse is: in a folder, at an address of an object store, or in a catalog, and all that differs between them.

| | path of a table | lock |
| --- | --- | --- |
| `Folder` | a folder | a lock file, which the system frees when its process ends |
| `Address` | an address | the next commit of a small Delta table, which delta-rs creates only if nobody else has (If-None-Match) |
| `Catalog` | its name, in quotes | one row, updated only while it is as it was read |

What can only be done with files (repair, flushing to disk, erasure, `doctor`) asks for `folder`, which is None elsewhere.
"""

from __future__ import annotations

import base64
import json
import os
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from deltalake import CommitProperties, DeltaTable, Field, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.schema import PrimitiveType

from medallion import addresses, door
from medallion.errors import LakehouseError
from medallion.lakehouse import unity
from medallion.sources import azure, files

LAYERS = ("bronze", "silver", "gold", "ops")
#: The table of the lock at an address and in a catalog; no table of the lakehouse may have such a name.
LOCK = "ops._writer"
#: File of the intent of a lakehouse in a folder.
INTENT_FILE = ".intent.json"
#: Where a table of a folder goes first when it is removed, so that it is there or not.
GONE = ".gone"


class ConflictError(Exception):
    """Another writer was faster."""


class Document(Protocol):
    """What the lock says; `write` fails with `ConflictError` unless it is as it was last read or written here."""

    def read(self) -> dict[str, Any]: ...

    def write(self, document: Mapping[str, Any]) -> None: ...


class Place(Protocol):
    """Where the tables of a lakehouse are."""

    @property
    def key(self) -> str:
        """The same however the place is spelled."""

    @property
    def folder(self) -> Path | None:
        """The folder, for what can only be done with files; None elsewhere."""

    @property
    def catalog(self) -> str | None:
        """The catalog of Unity Catalog, which only the engine can reach; None elsewhere."""

    def path(self, name: str) -> str:
        """Where a table is, absolute, as the engine and delta-rs name it."""

    def delta(self, name: str, version: int | None = None) -> DeltaTable:
        """The Delta table of that name; fails with `TableNotFoundError` where there is none."""

    def exists(self, name: str) -> bool:
        """Whether there is such a table."""

    def tables(self) -> Iterable[str]:
        """What is there by the names of tables, by layer."""

    def remove(self, name: str) -> None:
        """Remove a table, where there is one."""

    def document(self) -> Document:
        """What the lock says."""


def of(root: str) -> Place:
    """The place that a root names."""
    if root.startswith(unity.PREFIX):
        return Catalog(root)
    return Address(root) if addresses.is_address(root) else Folder(root)


@dataclass(frozen=True)
class Folder:
    """A folder of this machine."""

    root: str
    catalog = None

    @property
    def key(self) -> str:
        return os.path.realpath(self.root)

    @property
    def folder(self) -> Path:
        return Path(self.root)

    def path(self, name: str) -> str:
        return str(Path(self.root, *name.split(".")).absolute())

    def delta(self, name: str, version: int | None = None) -> DeltaTable:
        return DeltaTable(self.path(name), version=version)

    def exists(self, name: str) -> bool:
        return DeltaTable.is_deltatable(self.path(name))

    def tables(self) -> Iterator[str]:
        for layer in LAYERS:
            for log in sorted(Path(self.root, layer).glob("*/_delta_log")):
                yield f"{layer}.{log.parent.name}"

    def remove(self, name: str) -> None:
        if Path(self.path(name)).exists():
            target = Path(self.root, GONE, uuid.uuid4().hex)
            target.parent.mkdir(exist_ok=True)
            Path(self.path(name)).rename(target)

    def document(self) -> Document:
        return _File(Path(self.root, INTENT_FILE))


@dataclass(frozen=True)
class Address:
    """An address of an object store, such as `abfss://` or `s3://`."""

    root: str
    folder = None
    catalog = None

    @property
    def key(self) -> str:
        return self.root.rstrip("/")

    def path(self, name: str) -> str:
        return f"{self.key}/{name.replace('.', '/')}"

    def delta(self, name: str, version: int | None = None) -> DeltaTable:
        with _reached(self.root):
            return DeltaTable(self.path(name), version=version)

    def exists(self, name: str) -> bool:
        with _reached(self.root):
            return DeltaTable.is_deltatable(self.path(name))

    def tables(self) -> Iterator[str]:
        for layer in LAYERS:
            for name in files.folders(f"{self.key}/{layer}"):
                if not name.startswith("_") and self.exists(f"{layer}.{name}"):
                    yield f"{layer}.{name}"

    def remove(self, name: str) -> None:
        files.remove_folder(self.path(name))

    def document(self) -> Document:
        return _Commits(self)


@dataclass(frozen=True)
class Catalog:
    """A catalog of Unity Catalog, with the layers as schemas."""

    root: str
    folder = None

    @property
    def key(self) -> str:
        return self.root.rstrip("/")

    @property
    def catalog(self) -> str:
        return unity.catalog(self.root)

    def path(self, name: str) -> str:
        return unity.quoted(self.root, name)

    def delta(self, name: str, version: int | None = None) -> DeltaTable:
        if not self.exists(name):
            raise TableNotFoundError(name)
        return cast(DeltaTable, unity.Table(self.root, name))

    def exists(self, name: str) -> bool:
        return unity.exists(self.root, name)

    def tables(self) -> list[str]:
        return unity.tables(self.root, LAYERS)

    def remove(self, name: str) -> None:
        unity.drop(self.root, name)

    def document(self) -> Document:
        return _Row(self)


@contextmanager
def _reached(root: str) -> Iterator[None]:
    """Tell of an address that cannot be reached in words."""
    try:
        yield
    except OSError as error:
        raise LakehouseError(f"{root}: cannot be reached: {azure.reason(error)}", addresses.sign_in(root)) from error


@dataclass
class _File:
    """A file of a folder. The lock file says who may write it."""

    path: Path

    def read(self) -> dict[str, Any]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise LakehouseError(
                f"{self.path}: is damaged: {error}",
                "Look at the lakehouse with `medallion doctor`; delete the file once it is whole.",
            ) from error
        return found if isinstance(found, dict) else {}

    def write(self, document: Mapping[str, Any]) -> None:
        if document.get("intent"):
            door.write(self.path, json.dumps(document))
        elif self.path.exists():
            with door.through(self.path):
                self.path.unlink(missing_ok=True)
                door.flush(self.path.parent)


@dataclass
class _Commits:
    """The description of a Delta table without rows: every change is one file of its log, created if nobody else has."""

    place: Address
    table: DeltaTable | None = None

    def read(self) -> dict[str, Any]:
        try:
            self.table = self.place.delta(LOCK)
        except TableNotFoundError:
            return {}
        return _parsed(self.table.metadata().description)

    def write(self, document: Mapping[str, Any]) -> None:
        told, once = json.dumps(document), CommitProperties(max_commit_retries=0)
        with _reached(self.place.root), door.through(self.place.path(LOCK)):
            try:
                if self.table is None:
                    self.table = DeltaTable.create(
                        self.place.path(LOCK),
                        Schema([Field("nothing", PrimitiveType("string"))]),
                        mode="error",
                        description=told,
                        configuration={
                            "delta.checkpointInterval": "50",
                            "delta.logRetentionDuration": "interval 1 days",
                        },
                        commit_properties=once,
                    )
                else:
                    self.table.alter.set_table_description(told, commit_properties=once)
            except CommitFailedError as error:
                raise ConflictError from error
            except DeltaError as error:
                if self.table is None and self.place.exists(LOCK):
                    raise ConflictError from error
                raise


@dataclass
class _Row:
    """One row of a table in a catalog, changed by an UPDATE that names the version it was read at."""

    place: Catalog
    version: int = 0

    def read(self) -> dict[str, Any]:
        if not self.place.exists(LOCK):
            return {}
        self.version, document = unity.row(self.place.root, LOCK, "version, document")
        return _parsed(base64.b64decode(document).decode())

    def write(self, document: Mapping[str, Any]) -> None:
        name, told = self.place.path(LOCK), base64.b64encode(json.dumps(document).encode()).decode()
        with door.through(name):
            self._update(name, told)

    def _update(self, name: str, told: str) -> None:
        try:
            unity.execute(
                f"CREATE TABLE IF NOT EXISTS {name} USING DELTA AS SELECT CAST(0 AS BIGINT) AS version, '' AS document"
            )
            unity.execute(
                f"UPDATE {name} SET version = {self.version + 1}, document = '{told}' WHERE version = {self.version}"
            )
        except Exception as error:
            if re.search(r"(?i)concurrent|conflict|Failed to commit|Missing commit", str(error)):
                raise ConflictError from error
            raise
        if unity.row(self.place.root, LOCK, "version, document") != (self.version + 1, told):
            raise ConflictError
        self.version += 1


def _parsed(text: str | None) -> dict[str, Any]:
    found = json.loads(text or "{}")
    return found if isinstance(found, dict) else {}
