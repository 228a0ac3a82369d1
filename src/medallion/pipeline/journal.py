"""The one door of every writer: the lock, the intent that is recorded before the first table write, and recovery.

    with journal.writing(lake) as writer, writer.intent("train", ["gold.lead_snapshots"]):
        ...

An intent that is still there when the next writer comes was left by a process that was killed. Everything but an
erasure is rolled back to the versions that the intent recorded, unless its manifest was written; batches of files have
a journal of their own (`batches`), by which the next run continues them. An erasure is completed, never rolled back:
until then other writers are refused.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medallion import door, log
from medallion.errors import LakehouseError
from medallion.lakehouse import commits, locks, maintenance, manifests, places, publishing, removal, store
from medallion.lakehouse.maintenance import Maintained
from medallion.lakehouse.manifests import Manifest
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import batches, erasure_log
from medallion.pipeline.batches import Batch

RUN, SCORE, REPLAY, QUARANTINE_REPLAY = "run", "score", "replay", "quarantine replay"
TRAIN, RESTORE, FORGET, REPROCESS = "train", "restore", "forget", "reprocess"
FIX, KEEP, DUPLICATES = "quarantine fix", "keep", "duplicates"
#: Recovery of what a killed command had left, as a manifest names it.
RECOVER = "recovery"
#: A lakehouse that was written before there were manifests, as it was found.
FOUND = "found"
#: Tables that are left alone when a lakehouse goes back: what failed stays known, and so does what was asked.
KEPT = places.BESIDE
#: The table that a run writes last.
RUNS = "ops.runs"
#: How an interrupted erasure is completed.
RESUME = "medallion forget --resume"


@dataclass
class Writer:
    """Who holds a lakehouse for writing; `recovered` says what was done about what a killed process had left."""

    lake: Lakehouse
    held: locks.Held
    recovered: list[str] = field(default_factory=list)
    kind: str = RECOVER
    published: bool = False

    @contextmanager
    def intent(self, kind: str, tables: Iterable[str] | None = None, **arguments: Any) -> Iterator[None]:
        """Record what is about to be done with the present versions of the tables; what raises is rolled back at once.

        Args:
            kind: What it is, such as `train`.
            tables: Tables it may write; None is every table, those that it creates among them.
            arguments: What recovery needs to know besides; values that JSON has.
        """
        self.kind = kind
        names = self.lake.tables() if tables is None else set(tables)
        self.held.note(
            {
                "kind": kind,
                "began_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "process": {name: self.held.me.get(name) for name in ("host", "machine", "pid")},
                "before": {name: self.lake.version(name) for name in sorted(names) if is_kept_track_of(name)},
                "all": tables is None,
                "manifest": manifests.number(self.lake),
                "arguments": arguments,
            }
        )
        try:
            yield
        except Exception:
            if kind != FORGET:
                self._undo_after_error()
            raise
        self.publish()
        self.held.note(None)

    def amend(self, **arguments: Any) -> None:
        """Add to the arguments of the intent."""
        intent = self.held.intent or {}
        self.held.note({**intent, "arguments": {**intent.get("arguments", {}), **arguments}})

    def publish(self) -> None:
        """Add the manifest of what was done, unless a batch is half done, its gold included, or nothing was."""
        if not half_done(self.lake):
            publishing.publish(self.lake, self.kind, log.common.get("run_id", ""), cut=self.is_cut())
        self.published = True

    def maintain(self, now: datetime, names: Collection[str], *, thorough: bool = True) -> list[Maintained]:
        """Keep up tables (`maintenance.maintain`); the state before has its manifest. `now` is the clock, UTC without zone."""
        self.publish()
        self.held.settle()
        needs = maintenance.needed(manifests.history(self.lake), now.replace(tzinfo=UTC))
        for name in names:  # what it goes back to if it is killed, and what a half done batch has come to
            needs.setdefault(name, set()).add(self.lake.version(name))
        with self.intent(publishing.MAINTAIN, names):
            return maintenance.maintain(self.lake, names, needs, thorough=thorough)

    def is_cut(self) -> bool:
        """Whether the intent is a restore after commits were lost: no manifest from before it may be opened."""
        return bool((self.held.intent or {}).get("arguments", {}).get("cut"))

    def is_erasing(self) -> bool:
        """Whether the intent is an erasure, which nothing but its completion may follow."""
        return (self.held.intent or {}).get("kind") == FORGET

    def recover(self, *, publish: bool = True) -> None:
        """Roll back what a killed process has left.

        Args:
            publish: Without it the caller adds a manifest and replaces the intent, after further changes.

        Raises:
            LakehouseError: An erasure is not complete, or a version that is needed is not there.
        """
        intent = self.held.intent
        if not intent:
            return
        what = f"{intent['kind']} that began at {_began(intent)} UTC"
        if intent["kind"] == FORGET:
            raise LakehouseError(
                f"{self.lake.root}: the erasure that began at {_began(intent)} UTC is not complete; until it is, nothing "
                "else may write",
                f"Complete it with `{RESUME}`.",
            )
        try:
            done = undo(self.lake, intent)
        except LakehouseError:
            raise
        except Exception as error:
            raise LakehouseError(
                f"{self.lake.root}: the {what} was interrupted and cannot be rolled back: {str(error).splitlines()[0][:200]}",
                "See what `medallion doctor` says, and `medallion restore --list`.",
            ) from error
        self.kind = RECOVER if done == _ROLLED_BACK else intent["kind"]
        if publish:
            self.publish()
            self.held.note(None)
        self.recovered.append(f"The {what} was interrupted. {done}")
        log.event("interrupted work recovered", logging.WARNING, kind=intent["kind"], outcome=done)

    def _undo_after_error(self) -> None:
        """Best effort: what cannot be rolled back now is by the next writer."""
        try:
            if self.held.intent:
                undo(self.lake, self.held.intent)
                self.kind = RECOVER
                self.publish()
                self.held.note(None)
        except Exception as error:  # noqa: BLE001 - the error that led here is the one to tell
            log.event("not rolled back", logging.WARNING, error=type(error).__name__)


@contextmanager
def writing(lake: Lakehouse, *, recover: bool = True) -> Iterator[Writer]:
    """Hold a lakehouse for writing, after recovery of what a killed writer has left.

    Args:
        lake: The lakehouse.
        recover: Without it the caller sees to damaged commits and to recovery itself.

    Raises:
        LakehouseError: Another process holds it, it cannot be written, a table's last commit is damaged, or an
            erasure is not complete.
    """
    with locks.hold(lake.root) as lock, store.kept_open(lake):
        writer = Writer(lake, lock)
        removal.sweep(lake)
        if torn := commits.damage(lake, manifests.TABLE):
            torn.set_aside()  # the command did not end; its tables are as they are, and rolled back where it has an intent
        for name in lake.tables() if lake.folder is not None else ():
            commits.mend(lake, name)
        spoiled = damaged(lake)
        if passing := [damage.table for damage in spoiled if damage.table.endswith(publishing.WORK)]:
            removal.drop(lake, passing)  # the batch makes them anew from bronze
        if recover:
            if writer.is_erasing():
                writer.recover()  # refuses before anything is changed
            for damage in spoiled:
                if damage.table in passing:
                    continue
                if not _is_of(lock.intent, damage):
                    raise damage.error()
                damage.set_aside()
            for lost in lost_commits(lake).values():
                raise lost
            writer.recover()
            if writer.recovered:  # the journal may tell less than before, and of what a batch rests on again
                for lost in lost_commits(lake).values():
                    raise lost
        if recover and not (writer.published or manifests.number(lake)):
            writer.kind = FOUND  # a lakehouse of an earlier version: the state that readers open meanwhile, and restore
            writer.publish()
            lock.settle()
            writer.published = False
        yield writer
        if not writer.published:
            writer.publish()
            lock.settle()


def _is_of(intent: Mapping[str, Any] | None, damage: commits.Damage) -> bool:
    """Whether a commit was being written under an intent that rolls its table back, so that nothing is lost without it."""
    if not intent or intent["kind"] == FORGET:
        return False
    before = intent["before"].get(damage.table)
    return damage.version > before if before is not None else bool(intent["all"])


def lost_commits(lake: Lakehouse) -> dict[str, LakehouseError]:
    """Tables whose newest commits are not there, which the newest manifest names, or the state of a batch since then: a
    machine that lost power, or a copy.

    What unfinished work removes is not lost: tables that were to be dropped, and whatever an erasure has begun to remove.
    """
    intent = unfinished_intent(lake) or {}
    if intent.get("kind") == FORGET:
        return {}
    lost = {name: (version, "the last manifest") for name, version in publishing.lost(lake).items()}
    with suppress(LakehouseError):  # a damaged journal is reported by itself
        for batch in [] if lake.folder is None else half_done(lake):
            for name, version in batches.lost(lake, batch).items():
                lost.setdefault(name, (version, f"the journal of batch {batch.batch_id}"))
    back = (
        f"{commits.GO_BACK}."
        if manifests.number(lake) or (lake.exists(RUNS) and store.count(lake, RUNS))
        else "No run has ended here yet: remove the folder, and run again."
    )
    return {
        name: LakehouseError(
            f"{name}: its newest commits are lost: "
            + (f"the newest is {version}" if version >= 0 else "the table is not there")
            + f", and {names} names a later one",
            back,
        )
        for name, (version, names) in lost.items()
        if name not in intent.get("arguments", {}).get("dropping", ())
    }


def damaged(lake: Lakehouse) -> list[commits.Damage]:
    """Tables whose newest commit was not written whole."""
    if lake.folder is None:
        return []
    return [damage for name in lake.tables() if (damage := commits.damage(lake, name))]


def undo(lake: Lakehouse, intent: Mapping[str, Any]) -> str:
    """Take the tables of an intent back to the versions that it recorded; says what was done. May be repeated."""
    before, arguments = intent["before"], intent.get("arguments", {})
    if manifests.number(lake) > intent.get("manifest", 1 << 63):
        return "Its manifest was written: it is complete."
    registered = arguments.get("registered")
    if registered and _champion(Path(arguments["models"])) == registered:
        return "Its model is the active one: it is complete."
    if arguments.get("dropping"):
        removal.drop(lake, arguments["dropping"])
        return "All that remained was to remove tables: it is complete."
    if arguments.get("cut"):
        raise LakehouseError(
            f"{lake.root}: commits were lost, and the restore that began at {_began(intent)} UTC was interrupted",
            f"{commits.GO_BACK}.",
        )
    if intent["kind"] == publishing.MAINTAIN:
        before = _unlike(lake, before)
    new_tables = {name for name in lake.tables() if name not in before and name not in KEPT and manifests.is_ours(name)}
    created = new_tables if intent["all"] else set()
    for name, version in before.items():
        now = lake.version(name)
        if version < 0:
            created.add(name)
        elif now != version:
            with door.through(lake.path(name)):
                lake.delta(name).restore(version)
    removal.drop(lake, sorted(created))
    if intent["kind"] == publishing.MAINTAIN and not before:
        return "What it had done is whole: it is complete."
    if registered:
        with door.through(Path(arguments["models"], registered)):
            shutil.rmtree(Path(arguments["models"], registered), ignore_errors=True)
            with suppress(OSError):  # others are in it
                Path(arguments["models"]).rmdir()
    return _ROLLED_BACK


def _unlike(lake: Lakehouse, before: Mapping[str, int]) -> dict[str, int]:
    """Tables whose content upkeep has changed, or of which no manifest tells; it leaves the others the same at every step."""
    manifest = manifests.newest(lake)
    known = manifest.tables if manifest and manifest.hashed_by == publishing.hashed_by(lake) else {}
    changed = [name for name, version in before.items() if lake.version(name) != version]
    now = dict(publishing.kept(lake, only=[name for name in changed if name in known]))
    same = {
        name for name, table in now.items() if (table.rows, table.content) == (known[name].rows, known[name].content)
    }
    return {name: before[name] for name in changed if name not in same}


_ROLLED_BACK = "It was rolled back: every table is as it was before."


def _champion(models: Path) -> str | None:
    try:
        return str(json.loads((models / "champion.json").read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def half_done(lake: Lakehouse) -> list[Batch]:
    """Batches that the next run continues, gold included: until it has, readers see the state before them."""
    return [*_in_the_middle(lake), *without_gold(lake)]


def _in_the_middle(lake: Lakehouse) -> list[Batch]:
    return [batch for batch in batches.history(lake) if batch.state in (batches.STARTED, batches.INGESTED)]


def without_gold(lake: Lakehouse) -> list[Batch]:
    """Batches that are in silver since the newest manifest, by a run that did not come to its end: gold is from before them.

    A run that ended has a row in `ops.runs`, also one that was to make no gold.
    """
    try:
        manifest, now = manifests.newest(lake), publishing.newest(lake, batches.JOURNAL)
        then = manifest.tables.get(batches.JOURNAL) if manifest else None
        if now <= (then.version if then else -1) or _has_recorded_a_run_since(lake, manifest):
            return []
    except LakehouseError:  # a damaged table, which is reported by itself
        return []
    before = batches.finished(lake, then.version) if then else set()
    if before is None:
        return []
    return [
        batch for batch in batches.history(lake) if batch.state == batches.FINISHED and batch.batch_id not in before
    ]


def _has_recorded_a_run_since(lake: Lakehouse, manifest: Manifest | None) -> bool:
    if not lake.exists(RUNS):
        return False
    before = manifest.tables.get(RUNS) if manifest else None
    count = store.count(lake, RUNS)
    return count is None or count > (before.rows if before else 0)


def needs_whole_batches(lake: Lakehouse, *, with_gold: bool = True) -> None:
    """Make sure that no batch is half done, since what is computed from it would be wrong.

    Args:
        lake: The lakehouse.
        with_gold: Gold must have them too; without it the caller is to compute it.

    Raises:
        LakehouseError: One is.
    """
    for batch in half_done(lake) if with_gold else _in_the_middle(lake):
        raise LakehouseError(
            f"{lake.root}: batch {batch.batch_id} is unfinished: the run that read it was interrupted, and gold lacks it",
            "Finish it with `medallion run`.",
        )


def unfinished_intent(lake: Lakehouse) -> dict[str, Any] | None:
    """The intent of a command that runs or was killed, None without one. Reads only."""
    intent: dict[str, Any] | None = locks.peek(lake.root).get("intent")
    return intent


def under_way(lake: Lakehouse) -> list[dict[str, Any]]:
    """Of `unfinished` what the intent tells, whatever tables are damaged."""
    intent = unfinished_intent(lake)
    if not intent:
        return []
    state = "in progress" if locks.is_held(lake.root) else "interrupted"
    remedy = f"`{RESUME}`" if intent["kind"] == FORGET else "the next command that writes rolls it back"
    if intent.get("arguments", {}).get("cut"):
        remedy = "`medallion restore --to NUMBER` again"
    return [_entry(intent["kind"], _began(intent), state, "wait" if state == "in progress" else remedy)]


def unfinished(lake: Lakehouse) -> list[dict[str, Any]]:
    """Work that was begun and has not ended, erasures first: what, when it began, its state, what to do. Reads only.

    The state is `interrupted`, or `in progress` where somebody holds the lock.
    """
    intent, entries = unfinished_intent(lake), under_way(lake)
    if not intent or intent["kind"] != FORGET:
        for erasure_id, began in erasure_log.unfinished(lake):
            entries.insert(
                0, _entry(FORGET, began, "interrupted", f"`medallion forget KEY` again (erasure {erasure_id})")
            )
    running = bool(entries) and entries[-1]["state"] == "in progress"
    half: list[Batch] = []
    try:
        half = half if running else half_done(lake)
    except LakehouseError:  # a damaged journal has a message of its own; what is known comes first
        if not entries:
            raise
    for batch in half:
        known_at = f"{batch.known_at:%Y-%m-%d %H:%M:%S}"
        entries.append(_entry(f"batch {batch.batch_id}", known_at, "interrupted", _GOLD_LACKS_IT))
    return entries


_GOLD_LACKS_IT = "`medallion run` finishes it; until then gold lacks it"


def is_kept_track_of(name: str) -> bool:
    """Whether a table goes back with the others: not what is written beside the lock, work in progress, or somebody else's."""
    return name not in KEPT and not name.endswith(publishing.WORK) and manifests.is_ours(name)


def _entry(what: str, began: str, state: str, remedy: str) -> dict[str, Any]:
    return {"what": what, "began_at": began, "state": state, "what_to_do": remedy}


def _began(intent: Mapping[str, Any]) -> str:
    return datetime.fromisoformat(intent["began_at"]).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
