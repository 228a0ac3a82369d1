"""Who may write to a lakehouse, one process at a time, and what it has set out to do.

| lakehouse | lock | intent |
| --- | --- | --- |
| a folder | a lock file, which the system frees when its process ends | a small file, replaced as a whole |
| an address | the next commit of a small Delta table, which delta-rs creates only if nobody else has (If-None-Match) | in that commit |
| a catalog | one row, updated only while it is as it was read | in that row |

At an address and in a catalog nothing frees the lock of a process that died, so a writer renews it every minute and
it expires ten minutes after the last renewal.
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from deltalake import CommitProperties, DeltaTable, Field, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.schema import PrimitiveType
from filelock import FileLock, Timeout

from medallion import door, log
from medallion.errors import LakehouseError
from medallion.lakehouse import unity
from medallion.sources import azure

#: How long a lock at an address or in a catalog holds after its last renewal, and seconds between renewals.
LEASE, RENEWAL = timedelta(minutes=10), 60.0
#: The table of the lock; no table of the lakehouse may have such a name.
TABLE = "ops._writer"
#: Files of the lock and the intent of a lakehouse in a folder.
LOCK_FILE, INTENT_FILE = ".lock", ".intent.json"
#: What the last run found in its source files.
SOURCES_FILE = ".sources.json"
#: Lakehouses whose lock this process has lost to another, each with the reason.
_lost: dict[str, str] = {}
#: Lakehouses that this process holds for writing.
_ours: set[str] = set()


class _ConflictError(Exception):
    """Another writer was faster."""


class _Place(Protocol):
    """Where one small document is kept; `write` fails with `_ConflictError` unless it is as it was last read or written."""

    def read(self) -> dict[str, Any]: ...

    def write(self, document: Mapping[str, Any]) -> None: ...


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
        if not document.get("intent"):
            if self.path.exists():
                with door.through(self.path):
                    self.path.unlink(missing_ok=True)
                    _flush_folder(self.path.parent)
            return
        _write_whole(self.path, document)


def _write_whole(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document, which is as it was or as it is to be, also after a power failure."""
    part = path.with_name(path.name + ".part")
    with door.through(path):
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(json.dumps(document))
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
        _flush_folder(path.parent)


def sources(root: str) -> dict[str, Any]:
    """What the last run found in its source files; empty without it, where it cannot be read, and elsewhere than in a folder."""
    try:
        found = json.loads(Path(root, SOURCES_FILE).read_bytes()) if "://" not in root else {}
    except (OSError, ValueError):
        found = {}
    return found if isinstance(found, dict) else {}


def remember_sources(root: str, document: Mapping[str, Any]) -> None:
    """Keep what a run found in its source files, where that is something else. The caller holds the lock."""
    if "://" not in root and document != sources(root):
        _write_whole(Path(root, SOURCES_FILE), document)


def _flush_folder(folder: Path) -> None:
    """Make a change of names in a folder last through a power failure, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@dataclass
class _Commits:
    """The description of a Delta table without rows: every change is one file of its log, created if nobody else has."""

    root: str
    table: DeltaTable | None = None

    def read(self) -> dict[str, Any]:
        with _in_words(self.root):
            try:
                self.table = DeltaTable(self._uri)
            except TableNotFoundError:
                return {}
            return _parsed(self.table.metadata().description)

    def write(self, document: Mapping[str, Any]) -> None:
        with _in_words(self.root), door.through(self._uri):
            try:
                if self.table is None:
                    self.table = DeltaTable.create(
                        self._uri,
                        Schema([Field("nothing", PrimitiveType("string"))]),
                        mode="error",
                        description=json.dumps(document),
                        configuration={
                            "delta.checkpointInterval": "50",
                            "delta.logRetentionDuration": "interval 1 days",
                        },
                        commit_properties=CommitProperties(max_commit_retries=0),
                    )
                else:
                    self.table.alter.set_table_description(
                        json.dumps(document), commit_properties=CommitProperties(max_commit_retries=0)
                    )
            except CommitFailedError as error:
                raise _ConflictError from error
            except DeltaError as error:
                if self.table is None and DeltaTable.is_deltatable(self._uri):
                    raise _ConflictError from error
                raise

    @property
    def _uri(self) -> str:
        return f"{self.root.rstrip('/')}/{TABLE.replace('.', '/')}"


@dataclass
class _Row:
    """One row of a table in a catalog, changed by an UPDATE that names the version it was read at."""

    root: str
    version: int = 0

    def read(self) -> dict[str, Any]:
        if not unity.exists(self.root, TABLE):
            return {}
        self.version, document = unity.row(self.root, TABLE, "version, document")
        return _parsed(base64.b64decode(document).decode())

    def write(self, document: Mapping[str, Any]) -> None:
        name, told = unity.quoted(self.root, TABLE), base64.b64encode(json.dumps(document).encode()).decode()
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
                raise _ConflictError from error
            raise
        if unity.row(self.root, TABLE, "version, document") != (self.version + 1, told):
            raise _ConflictError
        self.version += 1


def _parsed(text: str | None) -> dict[str, Any]:
    found = json.loads(text or "{}")
    return found if isinstance(found, dict) else {}


@contextmanager
def _in_words(root: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LakehouseError(f"{root}: cannot be reached: {azure.reason(error)}", azure.SIGN_IN) from error


def _place(root: str) -> _Place:
    if root.startswith(unity.PREFIX):
        return _Row(root)
    return _Commits(root) if "://" in root else _File(Path(root, INTENT_FILE))


@dataclass
class Held:
    """The right to write to a lakehouse, with what its holder, or one that died, has set out to do."""

    root: str
    place: _Place
    me: dict[str, Any]
    intent: dict[str, Any] | None = None
    _busy: threading.Lock = field(default_factory=threading.Lock)

    def note(self, intent: Mapping[str, Any] | None) -> None:
        """Write down what is about to be done, before it is; None when it has ended.

        Raises:
            LakehouseError: The lock was lost to another writer.
        """
        with self._busy:
            self.intent = None if intent is None else dict(intent)
            self._write(self.me)

    def renew(self) -> None:
        """Say that the holder lives."""
        with self._busy:
            self._write(self.me)

    def release(self) -> None:
        """Let others write; an intent that is still there is theirs to complete or roll back."""
        with self._busy:
            self._write(None)

    def _write(self, holder: dict[str, Any] | None) -> None:
        told = holder and {**holder, "renewed_at": _now().isoformat(timespec="seconds")}
        try:
            self.place.write({"holder": told, "intent": self.intent})
        except _ConflictError:
            _lost[self.root] = f"another writer took over at {_now():%Y-%m-%d %H:%M:%S} UTC"
            check()


def check() -> None:
    """Stop a writer that has lost its lock, before it writes on.

    Raises:
        LakehouseError: This process has lost the lock of a lakehouse.
    """
    for root, reason in _lost.items():
        raise LakehouseError(
            f"{root}: this process may no longer write: {reason}",
            "It gave no sign of life for too long. What it began is rolled back or completed by the other writer.",
        )


@contextmanager
def hold(root: str) -> Iterator[Held]:
    """Hold a lakehouse for writing.

    Raises:
        LakehouseError: Another process holds it, or it cannot be written.
    """
    with _file_lock(root) if "://" not in root else _lease(root) as held:
        _ours.add(_same(root))
        try:
            yield held
        finally:
            _ours.discard(_same(root))


def is_ours(root: str) -> bool:
    """Whether this process holds a lakehouse for writing."""
    return _same(root) in _ours


def _same(root: str) -> str:
    return root.rstrip("/") if "://" in root else str(Path(root).absolute())


@contextmanager
def _file_lock(root: str) -> Iterator[Held]:
    try:
        if not Path(root).exists():
            Path(root).parent.mkdir(parents=True, exist_ok=True)
            Path(root).mkdir(mode=0o700, exist_ok=True)
        lock = FileLock(Path(root, LOCK_FILE), timeout=0, mode=0o600)
        lock.acquire()
    except Timeout as error:
        raise LakehouseError(
            f"{root}: another run is writing to this lakehouse",
            "Wait for it to end; what is there stays readable meanwhile.",
        ) from error
    except OSError as error:
        raise LakehouseError(f"{root}: cannot be written: {error.strerror}", "Choose another --lakehouse.") from error
    mode = Path(root).stat().st_mode
    mask = os.umask(0o077)  # files are for whom the folder is for; nobody but its group may write them too
    os.umask((~mode & 0o777) | 0o002 | (mask & (0o707 if mode & 0o020 else 0o777)))
    try:
        place = _place(root)
        yield Held(root, place, _myself(), place.read().get("intent"))
    finally:
        os.umask(mask)
        lock.release()


@contextmanager
def _lease(root: str) -> Iterator[Held]:
    place = _place(root)
    found = place.read()
    holder = found.get("holder")
    if holder and not _expired(holder):
        raise _refusal(root, holder)
    if holder:
        log.event("lock of a dead writer taken over", lakehouse=root, **{k: holder.get(k) for k in ("host", "since")})
    _lost.pop(root, None)
    held = Held(root, place, _myself(), found.get("intent"))
    try:
        held.renew()
    except LakehouseError as error:
        if _lost.pop(root, None) is None:
            raise
        raise _refusal(root, place.read().get("holder") or {}) from error
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(held, ended), name="lock", daemon=True)
    renewing.start()
    try:
        yield held
    finally:
        ended.set()
        renewing.join()
        if _lost.pop(root, None) is None:
            try:
                held.release()
            except Exception as error:  # noqa: BLE001 - what was done is done, and the lock expires
                log.event("lock not released", lakehouse=root, error=type(error).__name__)
                _lost.pop(root, None)


def _renew(held: Held, ended: threading.Event) -> None:
    last = time.monotonic()
    while not ended.wait(RENEWAL):
        try:
            held.renew()
            last = time.monotonic()
        except Exception as error:  # noqa: BLE001 - a network that fails for a moment is no reason to stop
            log.event("lock not renewed", lakehouse=held.root, error=type(error).__name__)
            if time.monotonic() - last > LEASE.total_seconds() - 2 * RENEWAL:
                _lost.setdefault(held.root, "its lock could not be renewed")
        if held.root in _lost:
            return


def _refusal(root: str, holder: Mapping[str, Any]) -> LakehouseError:
    told = ""
    if holder:
        told = f" (process {holder.get('pid')} on {holder.get('host')}, since {holder.get('since')}, last sign of life {holder.get('renewed_at')})"
    return LakehouseError(
        f"{root}: another run is writing to this lakehouse{told}",
        "Wait for it to end; what is there stays readable meanwhile. If it died, its lock expires "
        f"{int(LEASE.total_seconds() // 60)} minutes after its last sign of life: run again then.",
    )


def _expired(holder: Mapping[str, Any]) -> bool:
    """Whether a holder has died: it gave no sign of life for the lease, or its process is gone from this machine."""
    if alive(holder) is False:
        return True
    try:
        return _now() - datetime.fromisoformat(str(holder["renewed_at"])) > LEASE
    except (KeyError, ValueError):
        return True


def alive(holder: Mapping[str, Any]) -> bool | None:
    """Whether the process of a holder runs; None where that cannot be known from here."""
    if not holder.get("machine") or holder["machine"] != _machine():
        return None
    try:
        os.kill(int(holder["pid"]), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def is_held(root: str) -> bool:
    """Whether somebody holds a lakehouse for writing now, as far as can be known from here.

    A process that gave the lock back without having completed its intent may live on, so in a folder the lock is tried,
    and elsewhere its holder counts, not who wrote the intent.
    """
    document = peek(root)
    holder = document.get("holder")
    if "://" in root:
        return bool(holder and not _expired(holder))
    if not Path(root, LOCK_FILE).exists():
        return False
    try:
        with FileLock(Path(root, LOCK_FILE), timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a lakehouse that may only be read
        return bool(alive((document.get("intent") or {}).get("process") or {}))


def peek(root: str) -> dict[str, Any]:
    """What the lock says, without taking it and without writing: `holder` and `intent`, each possibly None."""
    return _place(root).read()


def _myself() -> dict[str, Any]:
    return {
        "id": uuid.uuid4().hex,
        "host": socket.gethostname(),
        "machine": _machine(),
        "pid": os.getpid(),
        "since": _now().isoformat(timespec="seconds"),
    }


def _machine() -> str | None:
    """Names a start of this machine and a table of processes: where both are the same, so is a process number."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def _now() -> datetime:
    return datetime.now(UTC)
