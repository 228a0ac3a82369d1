"""Where a lakehouse is: in a folder, at an address of an object store, or in a catalog, and all that differs between them.

| | path of a table | lock | newest manifest |
| --- | --- | --- | --- |
| `Folder` | a folder | a lock file, which the system frees when its process ends | the last row of the manifests |
| `Address` | an address | the next commit of a small Delta table, which delta-rs creates only if nobody else has (If-None-Match) | the last row of the manifests |
| `Catalog` | its name, in quotes | one row, updated only while it is as it was read | the one that this row names |

What can only be done with files (repair, flushing to disk, comparing data files one by one) asks for `folder`, which is None elsewhere.
"""

from __future__ import annotations

import base64
import json
import os
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, cast

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Field, Schema, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.schema import PrimitiveType

from medallion import addresses, door
from medallion.errors import LakehouseError
from medallion.lakehouse import unity
from medallion.sources import azure, files

LAYERS = ("bronze", "silver", "gold", "ops")
#: Tables that are written beside the lock, while others read: no manifest says which version counts.
BESIDE = frozenset({"ops.manifests", "ops.agent_log", "ops.failures", "ops.follow_ups"})
#: The table of the lock at an address and in a catalog; no table of the lakehouse may have such a name.
LOCK = "ops._writer"
#: What the lock says of the newest manifest where it says which that is: its hash.
MANIFEST = "manifest"
#: File of the intent of a lakehouse in a folder.
INTENT_FILE = ".intent.json"
#: Where a table of a folder goes first when it is removed, so that it is there or not.
GONE = ".gone"


def is_data_file(path: str | Path) -> bool:
    """Whether a file has the name that writers of tables give to data; any other is somebody's own, and is never removed."""
    return bool(_DATA_FILE.fullmatch(Path(path).name))


_DATA_FILE = re.compile(
    r"(?:part-\d+-[0-9a-f]{8}-[0-9a-f-]{27}.*\.parquet|deletion_vector_[0-9a-f-]{36}\.bin)(?:#\d+)?"
)


class ConflictError(Exception):
    """Another writer was faster."""


class Document(Protocol):
    """What the lock says; `write` fails with `ConflictError` unless it is as it was last read or written here."""

    @property
    def manifest(self) -> str | None:
        """Hash of the newest manifest, empty where there is none; None where that is the last of the manifests."""

    def read(self) -> dict[str, Any]: ...

    def write(self, document: Mapping[str, Any]) -> None: ...

    def keep(self, name: str, value: Any) -> bool:
        """Say one thing more from the next `write` on, None for no longer; False where there is another place for it."""

    def purge(self) -> None:
        """Remove what the lock has said before, as far as it is kept."""


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

    @property
    def reads_files(self) -> bool:
        """Whether this process reads and keeps up the files of tables; else only the engine knows where they are."""

    def path(self, name: str) -> str:
        """Where a table is, absolute, as the engine and delta-rs name it."""

    def delta(self, name: str, version: int | None = None) -> DeltaTable:
        """The Delta table of that name; fails with `TableNotFoundError` where there is none."""

    def exists(self, name: str) -> bool:
        """Whether there is such a table."""

    def tables(self, layers: Iterable[str] = LAYERS) -> Iterable[str]:
        """What is there by the names of tables of these layers, by layer."""

    def remove(self, name: str) -> None:
        """Remove a table, where there is one, and no file of somebody's own beside its files."""

    def document(self) -> Document:
        """What the lock says."""

    def kept(self) -> AbstractContextManager[None]:
        """Keep what is known of a table until this process writes to it: nobody else does while it holds the lock."""

    def state(self, name: str) -> tuple[str, int, int, int] | None:
        """What tells a table from itself before its last change, where that is known without its log; else None."""

    def head(self) -> str | None:
        """What `document().manifest` says now."""

    def append(self, name: str, rows: pa.Table, table: DeltaTable | None = None) -> None:
        """Add rows of this process in one commit; fails with `ConflictError` where a commit came after `table` was opened."""

    def sums(self, tables: Mapping[str, int | None]) -> tuple[str, dict[str, tuple[int, int]]] | None:
        """By what the engine hashes, and per table, at a version or the newest one, the sum of the hashes of its rows and
        their count; None where the files tell.
        """


def of(root: str) -> Place:
    """The place that a root names."""
    if root.startswith(unity.PREFIX):
        return Catalog(root)
    return Address(root) if addresses.is_address(root) else Folder(root)


class _Files:
    """What is the same wherever delta-rs reads and writes the tables."""

    root: str
    catalog = None
    reads_files = True

    def kept(self) -> AbstractContextManager[None]:
        return nullcontext()

    def state(self, name: str) -> None:
        return None

    def head(self) -> None:
        return None

    def sums(self, tables: Mapping[str, int | None]) -> None:
        return None

    def append(self, name: str, rows: pa.Table, table: DeltaTable | None = None) -> None:
        try:
            once = CommitProperties(max_commit_retries=0)
            write_deltalake(table or self.path(name), rows, mode="append", commit_properties=once)
        except CommitFailedError as error:
            raise ConflictError from error

    def path(self, name: str) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class Folder(_Files):
    """A folder of this machine."""

    root: str

    @property
    def key(self) -> str:
        return os.path.realpath(self.root)

    @cached_property
    def folder(self) -> Path:
        return Path(self.root)

    def path(self, name: str) -> str:
        return os.path.join(self._absolute, *name.split("."))  # noqa: PTH118 - asked a thousand times by every command

    @property
    def _absolute(self) -> str:
        return str(self.folder if self.folder.is_absolute() else self.folder.absolute())

    def delta(self, name: str, version: int | None = None) -> DeltaTable:
        return DeltaTable(self.path(name), version=version)

    def exists(self, name: str) -> bool:
        return DeltaTable.is_deltatable(self.path(name))

    def tables(self, layers: Iterable[str] = LAYERS) -> Iterator[str]:
        for layer in layers:
            for log in sorted(Path(self.root, layer).glob("*/_delta_log")):
                yield f"{layer}.{log.parent.name}"

    def remove(self, name: str) -> None:
        if Path(self.path(name)).exists():
            target = Path(self.root, GONE, uuid.uuid4().hex, *name.split("."))
            target.parent.mkdir(parents=True)
            Path(self.path(name)).rename(target)

    def document(self) -> Document:
        return _File(Path(self.root, INTENT_FILE))


@dataclass(frozen=True)
class Address(_Files):
    """An address of an object store, such as `abfss://` or `s3://`."""

    root: str
    folder = None

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

    def tables(self, layers: Iterable[str] = LAYERS) -> Iterator[str]:
        for layer in layers:
            for name in files.folders(f"{self.key}/{layer}"):
                if not name.startswith("_") and self.exists(f"{layer}.{name}"):
                    yield f"{layer}.{name}"

    def remove(self, name: str) -> None:
        files.remove_folder(self.path(name), lambda path: path.startswith("_delta_log/") or is_data_file(path))

    def document(self) -> Document:
        return _Commits(self)


@dataclass(frozen=True)
class Catalog:
    """A catalog of Unity Catalog, with the layers as schemas, or as those whose names begin with a prefix."""

    root: str
    folder = None
    reads_files = False

    @property
    def key(self) -> str:
        return self.root.rstrip("/")

    @property
    def catalog(self) -> str:
        return unity.catalog(self.root)

    def path(self, name: str) -> str:
        return unity.quoted(self.root, name)

    def delta(self, name: str, version: int | None = None) -> DeltaTable:
        # a version is named by a manifest, whose tables were there; what reads one that was removed since says so
        if version is None and not self.exists(name):
            raise TableNotFoundError(name)
        return cast(DeltaTable, unity.Table(self.root, name, version))

    def exists(self, name: str) -> bool:
        known = None if name in BESIDE else unity.known(self.root, name.split(".")[0])
        return unity.exists(self.root, name) if known is None else name in known

    def tables(self, layers: Iterable[str] = LAYERS) -> list[str]:
        names = list[str]()
        for layer in layers:
            # others make tables of `ops` beside the lock
            known = None if layer == "ops" else unity.known(self.root, layer)
            names += unity.tables(self.root, [layer]) if known is None else sorted(known)
        return names

    def remove(self, name: str) -> None:
        if self.exists(name):
            unity.drop(self.root, name)

    def document(self) -> Document:
        return _Row(self)

    def kept(self) -> AbstractContextManager[None]:
        return unity.kept(self.root, LAYERS)

    def state(self, name: str) -> tuple[str, int, int, int] | None:
        return unity.state(self.path(name))

    def head(self) -> str:
        row = _Row(self)
        row.read()
        return row.manifest

    def sums(self, tables: Mapping[str, int | None]) -> tuple[str, dict[str, tuple[int, int]]]:
        return unity.hashed_by(), unity.sums(self.root, tables) if tables else {}

    def append(self, name: str, rows: pa.Table, table: DeltaTable | None = None) -> None:
        unity.append(self.root, name, rows)


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
    manifest = None

    def read(self) -> dict[str, Any]:
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise LakehouseError(
                f"{self.path}: is damaged: {error}",
                "Look at the lakehouse with `medallion doctor`; delete the file once it is whole.",
            ) from error
        return document if isinstance(document, dict) else {}

    def keep(self, name: str, value: Any) -> bool:
        return False

    def purge(self) -> None:
        return None

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
    manifest = None

    def read(self) -> dict[str, Any]:
        try:
            self.table = self.place.delta(LOCK)
        except TableNotFoundError:
            return {}
        return _parsed(self.table.metadata().description)

    def keep(self, name: str, value: Any) -> bool:
        return False

    def purge(self) -> None:
        raise LakehouseError(f"{self.place.root}: what the lock has said stays in its log", "Forget in a folder.")

    def write(self, document: Mapping[str, Any]) -> None:
        text, once = json.dumps(document), CommitProperties(max_commit_retries=0)
        with _reached(self.place.root), door.through(self.place.path(LOCK)):
            try:
                if self.table is None:
                    self.table = DeltaTable.create(
                        self.place.path(LOCK),
                        Schema([Field("nothing", PrimitiveType("string"))]),
                        mode="error",
                        description=text,
                        configuration={
                            "delta.checkpointInterval": "50",
                            "delta.logRetentionDuration": "interval 1 days",
                        },
                        commit_properties=once,
                    )
                else:
                    self.table.alter.set_table_description(text, commit_properties=once)
            except CommitFailedError as error:
                raise ConflictError from error
            except DeltaError as error:
                if self.table is None and self.place.exists(LOCK):
                    raise ConflictError from error
                raise


@dataclass
class _Row:
    """One row of a table in a catalog, changed by an UPDATE that names the version it was read at.

    Every change of holder, lease, intent and newest manifest gives it the next version, so one that names the version has
    seen that nobody holds the lock, or that its lease has expired. What the row says of the manifest and of the intent
    changes at once: the manifest of a command closes its intent.
    """

    place: Catalog
    version: int | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def manifest(self) -> str:
        return str(self.more.get(MANIFEST, ""))

    def read(self) -> dict[str, Any]:
        row = unity.row(self.place.root, LOCK, "version, document")
        self.version, text = row or (None, "")
        document = _parsed(base64.b64decode(text).decode())
        self.more = {name: value for name, value in document.items() if name not in ("holder", "intent")}
        return document

    def keep(self, name: str, value: Any) -> bool:
        self.more = {key: kept for key, kept in {**self.more, name: value}.items() if kept is not None}
        return True

    def purge(self) -> None:
        unity.purge_earlier(self.place.root, LOCK)

    def write(self, document: Mapping[str, Any]) -> None:
        text = json.dumps({**document, **self.more})
        name, encoded = self.place.path(LOCK), base64.b64encode(text.encode()).decode()
        with door.through(name):
            self.version = self._update(name, encoded)

    def _update(self, name: str, encoded: str) -> int:
        """The version that the row has now."""
        before = self.version or 0
        try:
            if self.version is None:
                unity.execute(
                    f"CREATE TABLE IF NOT EXISTS {name} USING DELTA TBLPROPERTIES ({unity.listed(unity.KEEP_NOTHING)}) "
                    "AS SELECT CAST(0 AS BIGINT) AS version, '' AS document"
                )
            changed = unity.execute(
                f"UPDATE {name} SET version = {before + 1}, document = '{encoded}' WHERE version = {before}"
            )
        except Exception as error:
            if re.search(r"(?i)concurrent|conflict|Failed to commit|Missing commit", str(error)):
                raise ConflictError from error
            raise
        if changed == 0 or (
            changed is None and unity.row(self.place.root, LOCK, "version, document") != (before + 1, encoded)
        ):
            raise ConflictError
        return before + 1


def _parsed(text: str | None) -> dict[str, Any]:
    document = json.loads(text or "{}")
    return document if isinstance(document, dict) else {}
