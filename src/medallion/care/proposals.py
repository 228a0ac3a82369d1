"""Changes to a CRM: proposed from anywhere, approved by someone elsewhere, applied by an executor, on record.

A proposal names the exact change. Its hash covers every field, so what is approved is what is applied; it expires, and it
is applied once. Records are lines of JSON in `<lakehouse>/agent/actions.jsonl`, each with the hash of the one before it:
a line that was changed or taken out shows.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock

from medallion import door
from medallion.errors import LakehouseError, MedallionError
from medallion.lakehouse import query
from medallion.lakehouse.store import Lakehouse

#: What may be changed, per kind of record, and how long a value may be.
FIELDS: Mapping[str, Mapping[str, int]] = {
    "customer": {"next_step": 200, "next_contact_on": 10, "preferred_channel": 20, "note": 1000},
    "deal": {"next_step": 200, "stage": 60, "expected_close_date": 10, "note": 1000},
}
#: Where gold has the records of a kind, and their key.
_RECORDS = {"customer": ("gold.customer_features", "customer_id"), "deal": ("gold.deals", "lead_id")}
#: The entity of the records of a kind.
ENTITIES = {"customer": "customers", "deal": "leads"}
EXPIRES = timedelta(days=7)


@dataclass(frozen=True)
class Proposal:
    """One exact change.

    Attributes:
        action_id: Beginning of its hash.
        kind: customer or deal.
        key: Key of the record in the CRM, by which it is found there.
        changes: New value per field.
        reason: Why, in words.
        proposed_by: Who or what proposed it.
        proposed_at: When, UTC without zone.
        expires_at: When it can no longer be approved or applied.
        state: proposed, approved, rejected, applied or failed.
        seal: SHA-256 of everything above but the state.
    """

    action_id: str
    kind: str
    key: str
    changes: Mapping[str, str]
    reason: str
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    state: str
    seal: str

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            **asdict(self),
            "changes": dict(self.changes),
            "proposed_at": self.proposed_at.isoformat(),
            "expires_at": self.expires_at.isoformat(),
        }


class Executor(Protocol):
    """Applies a change to a CRM."""

    name: str

    def apply(self, proposal: Proposal) -> None:
        """Make the change; the same proposal a second time changes nothing."""

    def read_back(self, proposal: Proposal) -> Mapping[str, str]:
        """What the record says now in the fields of the proposal."""


class Outbox:
    """Writes changes as files, one per proposal, for an import into the CRM: the executor that needs no CRM."""

    name = "outbox"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def apply(self, proposal: Proposal) -> None:
        """Write `<action_id>.json`, whole or not at all."""
        target = self.folder / f"{proposal.action_id}.json"
        document = {
            "kind": proposal.kind,
            "external_id": proposal.key,
            "set": dict(proposal.changes),
            "seal": proposal.seal,
        }
        door.write(target, json.dumps(document, indent=1, sort_keys=True) + "\n", door.SHARED)

    def read_back(self, proposal: Proposal) -> Mapping[str, str]:
        """What the file says."""
        document: dict[str, dict[str, str]] = json.loads(
            (self.folder / f"{proposal.action_id}.json").read_text(encoding="utf-8")
        )
        return document["set"]


@dataclass
class Actions:
    """The proposals of a lakehouse."""

    lake: Lakehouse

    @property
    def path(self) -> Path:
        """The record of all proposals and of their outcomes.

        Raises:
            LakehouseError: The lakehouse is not in a folder.
        """
        if self.lake.folder is None:
            raise LakehouseError(
                f"{self.lake.root}: proposals are kept for a lakehouse in a folder only",
                "Bring it into a folder first.",
            )
        return self.lake.folder / "agent" / "actions.jsonl"

    def propose(
        self, kind: str, key: str, changes: Mapping[str, str], reason: str, who: str, now: datetime
    ) -> Proposal:
        """Put a change on record for someone to approve or reject; the same open change is proposed once.

        Raises:
            MedallionError: The kind or a field may not be changed, a value is too long, a reason is missing, or gold knows
                no such record.
        """
        if kind not in FIELDS:
            raise MedallionError(f"{kind!r} cannot be changed", f"Kinds: {', '.join(FIELDS)}.")
        if not key.strip() or not reason.strip() or not changes:
            raise MedallionError("a proposal needs a key, a change and a reason", "Give all three.")
        for name, value in changes.items():
            most = FIELDS[kind].get(name)
            if most is None:
                raise MedallionError(f"{name!r} of a {kind} may not be changed", f"Fields: {', '.join(FIELDS[kind])}.")
            if not isinstance(value, str) or len(value) > most or not value.isprintable():
                raise MedallionError(f"{name}: not a line of text of at most {most} characters", "Shorten it.")
        if not self._known(kind, key.strip()):
            raise MedallionError(f"there is no {kind} {key.strip()!r}", "Give its key as gold has it.")
        with self._locked():
            content = {
                "kind": kind,
                "key": key.strip(),
                "changes": dict(sorted(changes.items())),
                "reason": reason.strip()[:500],
                "proposed_by": who,
                "proposed_at": now.isoformat(),
                "expires_at": (now + EXPIRES).isoformat(),
            }
            for proposal in self.all(now):
                if proposal.state in ("proposed", "approved") and (
                    proposal.kind,
                    proposal.key,
                    dict(proposal.changes),
                ) == (
                    kind,
                    content["key"],
                    content["changes"],
                ):
                    return proposal
            seal = _seal(content)
            self._write({"event": "proposed", "action_id": seal[:12], "at": now.isoformat(), "seal": seal, **content})
            return self.one(seal[:12], now)

    def _known(self, kind: str, key: str) -> bool:
        """Whether gold has the record; a lakehouse without gold cannot tell."""
        table, column = _RECORDS[kind]
        if not self.lake.exists(table):
            return True
        with query.connect(self.lake, layers=("gold",), only=(table,)) as connection:
            return bool(query.rows(connection, f"select 1 from {table} where {column} = ? limit 1", [key]))

    def all(self, now: datetime) -> list[Proposal]:
        """All proposals, oldest first; those whose time is over are `expired`.

        Raises:
            MedallionError: The record was changed.
        """
        proposals: dict[str, dict[str, Any]] = {}
        for event in self.events():
            if event["event"] == "proposed":
                content = {k: event[k] for k in _SEALED}
                if _seal(content) != event["seal"]:
                    raise _changed(self.path, event["action_id"])
                proposals[event["action_id"]] = {**content, "seal": event["seal"], "state": "proposed"}
            else:
                proposals[event["action_id"]]["state"] = event["event"]
        return [_proposal(action_id, content, now) for action_id, content in proposals.items()]

    def one(self, action_id: str, now: datetime) -> Proposal:
        """The proposal of that identifier, or of its beginning.

        Raises:
            MedallionError: There is none, or more than one.
        """
        matches = [p for p in self.all(now) if action_id and p.action_id.startswith(action_id)]
        if len(matches) != 1:
            problem = (
                f"several proposals begin with {action_id!r}" if matches else f"there is no proposal {action_id!r}"
            )
            raise MedallionError(problem, "`medallion actions list` has them.")
        return matches[0]

    def decide(self, action_id: str, state: str, who: str, now: datetime) -> Proposal:
        """Approve or reject a proposal.

        Raises:
            MedallionError: It was decided on before, or its time is over.
        """
        if state not in ("approved", "rejected"):
            raise MedallionError(f"{state!r} is no decision", "approved or rejected.")
        with self._locked():
            proposal = self.one(action_id, now)
            if proposal.state != "proposed":
                raise MedallionError(
                    f"{proposal.action_id} is {proposal.state}, it cannot be {state}", "Propose it again."
                )
            self._write(
                {
                    "event": state,
                    "action_id": proposal.action_id,
                    "at": now.isoformat(),
                    "by": who,
                    "seal": proposal.seal,
                }
            )
            return self.one(proposal.action_id, now)

    def apply(self, action_id: str, executor: Executor, who: str, now: datetime, *, dry_run: bool = False) -> Proposal:
        """Apply an approved change once, and read it back.

        Raises:
            MedallionError: It is not approved, its time is over, or the CRM does not say afterwards what it should.
        """
        with self._locked():
            proposal = self.one(action_id, now)
            if proposal.state != "approved":
                raise MedallionError(
                    f"{proposal.action_id} is {proposal.state}, not approved",
                    "Someone has to approve it first: `medallion actions approve ID`.",
                )
            if dry_run:
                return proposal
            attempt = {
                "action_id": proposal.action_id,
                "at": now.isoformat(),
                "by": who,
                "executor": executor.name,
                "seal": proposal.seal,
            }
            try:
                executor.apply(proposal)
                actual = {name: executor.read_back(proposal).get(name) for name in proposal.changes}
            except (OSError, KeyError, ValueError, MedallionError) as error:
                problem, remedy = (
                    (error.problem, error.remedy) if isinstance(error, MedallionError) else (str(error), "")
                )
                self._write({"event": "failed", **attempt, "error": problem[:300]})
                raise MedallionError(
                    f"{proposal.action_id} failed: {problem}", f"{remedy} Mend the cause and propose it again.".strip()
                ) from error
            if actual != dict(proposal.changes):
                wrong = ", ".join(name for name in proposal.changes if actual[name] != proposal.changes[name])
                self._write({"event": "failed", **attempt, "error": f"read back otherwise: {wrong}"})
                raise MedallionError(
                    f"{proposal.action_id}: the CRM says otherwise afterwards in {wrong}",
                    "Look at the record there: it may be changed in part.",
                )
            self._write({"event": "applied", **attempt})
            return self.one(proposal.action_id, now)

    def forget(
        self,
        keys: Mapping[str, Collection[str]],
        mentioned: Callable[[str], bool] = lambda text: False,
        theirs: Collection[str] = (),
    ) -> int:
        """Take out every proposal about these records, or whose texts mention them, with its files, and chain the rest
        anew; gives how many went.

        Args:
            keys: Keys of the records, by the kind of record that a proposal is about.
            mentioned: Whether a text mentions them.
            theirs: Keys that records of others have too: a text that names one may name those.
        """
        if self.lake.folder is None or not self.path.is_file():
            return 0
        with self._locked():
            events = list(self.events())
            telling = {key for known in keys.values() for key in known if _is_telling(key)} - set(theirs)
            gone = {
                e["action_id"]
                for e in events
                if (e["event"] == "proposed" and (e["key"] in keys.get(e["kind"], ()) or _names(e, telling)))
                or mentioned(json.dumps(e, ensure_ascii=False))
            }
            if not gone:
                return 0
            lines, before = list[str](), ""
            for action_id in gone:  # while the record still names them, so that a killed erasure finds them again
                with door.through(self.path.parent / "outbox" / f"{action_id}.json"):
                    (self.path.parent / "outbox" / f"{action_id}.json").unlink(missing_ok=True)
            for event in events:
                if event["action_id"] not in gone:
                    before = _seal({"before": before, **event})
                    lines.append(json.dumps({**event, "chain": before}, sort_keys=True) + "\n")
            door.write(self.path, "".join(lines), door.SHARED)
            return len(gone)

    def events(self) -> Iterator[dict[str, Any]]:
        """The record, line by line, each checked against the one before it.

        Raises:
            MedallionError: A line was changed, added by hand, or taken out.
        """
        if self.lake.folder is None or not self.path.is_file():
            return
        before = ""
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                event: dict[str, Any] = json.loads(line)
                chain = event.pop("chain")
            except (ValueError, KeyError, AttributeError) as error:
                raise _changed(self.path, f"line {number}") from error
            before = _seal({"before": before, **event})
            if chain != before:
                raise _changed(self.path, f"line {number}")
            yield event

    def _write(self, event: dict[str, Any]) -> None:
        before = ""
        for earlier in self.events():
            before = _seal({"before": before, **earlier})
        line = json.dumps({**event, "chain": _seal({"before": before, **event})}, sort_keys=True)
        with door.through(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(str(self.path) + ".lock", timeout=10):
            yield


_SEALED = ("kind", "key", "changes", "reason", "proposed_by", "proposed_at", "expires_at")


def _is_telling(key: str) -> bool:
    """Whether a key is known by itself; one of digits or letters alone may be any number or word."""
    return any(map(str.isdecimal, key)) and any(map(str.isalpha, key))


def _names(event: Mapping[str, Any], keys: Collection[str]) -> bool:
    """Whether a proposal's texts name one of the records."""
    text = " ".join([event["reason"], *event["changes"].values()])
    return any(re.search(rf"(?<![\w-]){re.escape(key)}(?![\w-])", text) for key in keys)


def _seal(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _changed(path: Path, place: str) -> MedallionError:
    return MedallionError(
        f"{path}: {place} was changed by hand", "Nothing is applied from it; restore it from a backup."
    )


def _proposal(action_id: str, content: Mapping[str, Any], now: datetime) -> Proposal:
    expires = datetime.fromisoformat(content["expires_at"])
    state = "expired" if content["state"] in ("proposed", "approved") and expires <= now else content["state"]
    return Proposal(
        action_id,
        content["kind"],
        content["key"],
        content["changes"],
        content["reason"],
        content["proposed_by"],
        datetime.fromisoformat(content["proposed_at"]),
        expires,
        state,
        content["seal"],
    )
