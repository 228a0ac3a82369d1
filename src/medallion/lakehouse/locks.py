"""Who may write to a lakehouse, one process at a time, and what it has set out to do.

What the lock is in each kind of place is in `places`; the intent is in a small file beside it in a folder, and in the lock
itself elsewhere. At an address and in a catalog nothing frees the lock of a process that died, so a writer renews it every minute and
it expires ten minutes after the last renewal.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from medallion import addresses, door, log
from medallion.errors import LakehouseError
from medallion.lakehouse import places
from medallion.lakehouse.places import ConflictError, Document, Place

#: How long a lock at an address or in a catalog holds after its last renewal, and seconds between renewals.
LEASE, RENEWAL = timedelta(minutes=10), 60.0
#: File of the lock of a lakehouse in a folder.
LOCK_FILE = ".lock"
#: File with what the last run found in its source files.
SOURCES_FILE = ".sources.json"
#: Lakehouses whose lock this process has lost to another, by root, each with the reason.
_lost: dict[str, str] = {}
#: Lakehouses that this process holds for writing, by their place.
_ours: dict[str, Held] = {}
#: Set for what reads only, in a process that may write beside it.
_reads_only: ContextVar[bool] = ContextVar("reads_only", default=False)


@dataclass
class Held:
    """The right to write to a lakehouse, with what its holder, or one that died, has set out to do."""

    root: str
    document: Document
    me: dict[str, Any]
    intent: dict[str, Any] | None = None
    _busy: threading.Lock = field(default_factory=threading.Lock)
    _unsaid: bool = False

    def note(self, intent: Mapping[str, Any] | None) -> None:
        """Write down what is about to be done, before it is; None when it has ended.

        Raises:
            LakehouseError: The lock was lost to another writer.
        """
        with self._busy:
            self.intent = None if intent is None else dict(intent)
            self._write(self.me)

    def point(self, manifest: str) -> None:
        """Name the newest manifest by its hash, where the lock says which it is; it counts from the next note or `settle`."""
        self.keep(places.MANIFEST, manifest)

    def keep(self, name: str, value: Any) -> bool:
        """Keep a value in the lock from the next note or `settle` on, None to drop it; False where it is kept elsewhere."""
        with self._busy:
            is_kept = self.document.keep(name, value)
            self._unsaid |= is_kept
            return is_kept

    def purge(self) -> None:
        """Remove what the lock has said before: whom to erase, for one. A kill before leaves that to the next erasure."""
        with self._busy:  # a renewal meanwhile would write what is to be removed
            self.document.purge()

    def settle(self) -> None:
        """Make a manifest count that was named since the last note.

        Raises:
            LakehouseError: The lock was lost to another writer.
        """
        with self._busy:
            if self._unsaid:
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
        renewed = holder and {**holder, "renewed_at": _now().isoformat(timespec="seconds")}
        try:
            self.document.write({"holder": renewed, "intent": self.intent})
            self._unsaid = False
        except ConflictError:
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
    place = _place(root)
    with _lease(root, place) if place.folder is None else _file_lock(root, place.folder, place) as lock:
        _ours[place.key] = lock
        before = _reads_only.set(False)
        try:
            yield lock
        finally:
            _reads_only.reset(before)
            _ours.pop(place.key, None)


@contextmanager
def reading_only() -> Iterator[None]:
    """Read what the last finished command left, also while another thread of this process holds the lakehouse for writing."""
    before = _reads_only.set(True)
    try:
        yield
    finally:
        _reads_only.reset(before)


def is_ours(root: str) -> bool:
    """Whether this process holds a lakehouse for writing, and what asks is part of the command that does."""
    return bool(_ours) and not _reads_only.get() and _place(root).key in _ours


def held(root: str) -> Held:
    """The right to write to a lakehouse that this process holds."""
    return _ours[_place(root).key]


def head(place: Place) -> str | None:
    """Hash of the newest manifest by the lock, empty where there is none; None where the manifests themselves tell it."""
    lock = None if _reads_only.get() else _ours.get(place.key)
    return place.head() if lock is None else lock.document.manifest


def _place(root: str) -> Place:
    return places.of(addresses.of_lakehouse(root))


@contextmanager
def _file_lock(root: str, folder: Path, place: Place) -> Iterator[Held]:
    try:
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        lock = FileLock(folder / LOCK_FILE, timeout=0, mode=0o600)
        lock.acquire()
    except Timeout as error:
        raise LakehouseError(
            f"{root}: another run is writing to this lakehouse",
            "Wait for it to end; what is there stays readable meanwhile.",
        ) from error
    except OSError as error:
        raise LakehouseError(f"{root}: cannot be written: {error.strerror}", "Choose another --lakehouse.") from error
    mode = folder.stat().st_mode
    mask = os.umask(0o077)  # files are for whom the folder is for; nobody but its group may write them too
    os.umask((~mode & 0o777) | 0o002 | (mask & (0o707 if mode & 0o020 else 0o777)))
    try:
        document = place.document()
        yield Held(root, document, _myself(), document.read().get("intent"))
    finally:
        os.umask(mask)
        lock.release()


@contextmanager
def _lease(root: str, place: Place) -> Iterator[Held]:
    document = place.document()
    content = document.read()
    holder = content.get("holder")
    if holder and not _expired(holder):
        raise _refusal(root, holder)
    if holder:
        log.event("lock of a dead writer taken over", lakehouse=root, **{k: holder.get(k) for k in ("host", "since")})
    _lost.pop(root, None)
    lock = Held(root, document, _myself(), content.get("intent"))
    try:
        lock.renew()
    except LakehouseError as error:
        if _lost.pop(root, None) is None:
            raise
        raise _refusal(root, document.read().get("holder") or {}) from error
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(lock, ended), name="lock", daemon=True)
    renewing.start()
    try:
        yield lock
    finally:
        ended.set()
        renewing.join()
        if _lost.pop(root, None) is None:
            try:
                lock.release()
            except Exception as error:  # noqa: BLE001 - what was done is done, and the lock expires
                log.event("lock not released", lakehouse=root, error=type(error).__name__)
                _lost.pop(root, None)


def _renew(lock: Held, ended: threading.Event) -> None:
    last = time.monotonic()
    while not ended.wait(RENEWAL):
        try:
            lock.renew()
            last = time.monotonic()
        except Exception as error:  # noqa: BLE001 - a network that fails for a moment is no reason to stop
            log.event("lock not renewed", lakehouse=lock.root, error=type(error).__name__)
            if time.monotonic() - last > LEASE.total_seconds() - 2 * RENEWAL:
                _lost.setdefault(lock.root, "its lock could not be renewed")
        if lock.root in _lost:
            return


def _refusal(root: str, holder: Mapping[str, Any]) -> LakehouseError:
    details = ""
    if holder:
        details = f" (process {holder.get('pid')} on {holder.get('host')}, since {holder.get('since')}, last sign of life {holder.get('renewed_at')})"
    return LakehouseError(
        f"{root}: another run is writing to this lakehouse{details}",
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
    place = _place(root)
    document = place.document().read()
    if place.folder is None:
        holder = document.get("holder")
        return bool(holder and not _expired(holder))
    if not (place.folder / LOCK_FILE).exists():
        return False
    try:
        with FileLock(place.folder / LOCK_FILE, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a lakehouse that may only be read
        return bool(alive((document.get("intent") or {}).get("process") or {}))


def peek(root: str) -> dict[str, Any]:
    """What the lock says, without taking it and without writing: `holder` and `intent`, each possibly None."""
    return _place(root).document().read()


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


def sources(root: str) -> dict[str, Any]:
    """What the last run found in its source files; empty without it, where it cannot be read, and elsewhere than in a folder."""
    folder = places.of(root).folder
    try:
        files = json.loads((folder / SOURCES_FILE).read_bytes()) if folder else {}
    except (OSError, ValueError):
        files = {}
    return files if isinstance(files, dict) else {}


def remember_sources(root: str, document: Mapping[str, Any]) -> None:
    """Keep what a run found in its source files, where that is something else. The caller holds the lock."""
    folder = places.of(root).folder
    if folder and document != sources(root):
        door.write(folder / SOURCES_FILE, json.dumps(document))
