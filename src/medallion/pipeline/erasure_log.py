"""The erasure log: the salted hashes that every delivery is checked against."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion import door
from medallion.contracts import Entity, table
from medallion.errors import LakehouseError
from medallion.lakehouse import locks, query, store
from medallion.lakehouse.store import Lakehouse

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from medallion.silver.redaction import ErasureLog

TABLE = "ops.erasures"
#: Kinds of hashes of addresses and numbers: they tell whether someone has come back under another key.
CONTACTS = EMAIL, PHONE = "contact.email", "contact.phone"
STARTED, FINISHED = "started", "finished"
#: Records that have such an address or number, until someone decides.
RETURNED = "ops.returned"
FLAGGED, KEPT = "flagged", "kept"
#: File with whom to search for again, where a search found something that is not ours to remove.
LEFT_FILE = ".erasures.json"
#: What the lock calls that elsewhere than in a folder.
_LEFT = "left"


def read(lake: Lakehouse) -> ErasureLog:
    """All hashes with their salt; a new salt where nothing was erased yet."""
    from medallion.silver.redaction import ErasureLog

    if not lake.exists(TABLE):
        return ErasureLog(secrets.token_hex(16))
    with query.connect(lake, layers=["ops"], only={TABLE}, newest=True) as connection:
        rows = query.rows(connection, f"select distinct kind, value_hash, salt from {TABLE}")
    if not rows:  # an erasure was ended between making the table and its first rows
        return ErasureLog(secrets.token_hex(16))
    hashes: dict[str, set[str]] = {}
    for row in rows:
        hashes.setdefault(row["kind"], set()).add(row["value_hash"])
    return ErasureLog(rows[0]["salt"], {kind: frozenset(values) for kind, values in hashes.items()})


def record(
    spark: SparkSession,
    lake: Lakehouse,
    log: ErasureLog,
    erasure: tuple[str, str, str],
    state: str,
    now: datetime,
) -> None:
    """Write down that an erasure (its identifier, who, why) of the hashes in `log` has reached a state, once."""
    erasure_id, who, reason = erasure
    if lake.exists(TABLE):
        with query.connect(lake, layers=["ops"], only={TABLE}, newest=True) as connection:
            sql = f"select 1 from {TABLE} where erasure_id = ? and state = ? limit 1"
            if query.rows(connection, sql, [erasure_id, state]):
                return
    pairs: Iterable[tuple[str, str]] = ((kind, value) for kind, values in log.hashes.items() for value in values)
    rows = [(erasure_id, kind, value, state, now, who, reason, log.salt) for kind, value in sorted(pairs)]
    store.append_rows(rows, spark, lake, table(TABLE))


def unfinished(lake: Lakehouse) -> list[tuple[str, str]]:
    """Erasures that have started and not finished: identifier, and when (UTC)."""
    if not lake.exists(TABLE):
        return []
    with query.connect(lake, layers=["ops"], only={TABLE}, newest=True) as connection:
        rows = query.rows(
            connection,
            f"select erasure_id, cast(date_trunc('second', min(recorded_at)::timestamp) as varchar) as began from {TABLE} group by 1 "
            f"having not bool_or(state = '{FINISHED}') order by 1",
        )
    return [(row["erasure_id"], row["began"]) for row in rows]


def left(lake: Lakehouse) -> dict[str, dict[str, Any]]:
    """Arguments of the erasures whose search found something, by identifier: it is to be repeated.

    Raises:
        LakehouseError: The file that has them is damaged.
    """
    if lake.folder is None:
        return dict(locks.peek(lake.root).get(_LEFT, {}))
    path = lake.folder / LEFT_FILE
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise LakehouseError(
            f"{path}: is damaged: {error}", "Delete it; the certificates in ops/certificates say what was found."
        ) from error


def leave(lake: Lakehouse, erasure_id: str, arguments: Mapping[str, Any] | None) -> None:
    """Keep what repeating the search of an erasure needs, None when it found nothing. The caller holds the lock.

    In a folder in a file that its owner alone may read, elsewhere in the lock.
    """
    known, path = left(lake), Path(lake.root, LEFT_FILE)
    pending = {name: kept for name, kept in known.items() if name != erasure_id}
    if arguments is not None:
        pending[erasure_id] = dict(arguments)
    if lake.folder is None:
        if pending != known:
            locks.held(lake.root).keep(_LEFT, pending or None)
            locks.held(lake.root).settle()
    elif pending:
        door.write(path, json.dumps(pending))
    elif known:
        with door.through(path):
            path.unlink()


def contacts(emails: Iterable[str], phones: Iterable[str]) -> dict[str, set[str]]:
    """The forms in which addresses and numbers are hashed, by kind."""
    from medallion.silver.mentions.contacts import addresses, numbers, phone_forms

    written = [number for text in phones for number in numbers(text)]
    return {
        EMAIL: {form for text in emails for form in addresses(text)},
        PHONE: {form for text in written for form in phone_forms(text)},
    }


@dataclass(frozen=True)
class Returned:
    """A record that has addresses or numbers of someone who was forgotten under another key.

    Attributes:
        entity: Entity of the record.
        key: Its key.
        account: Key of its account.
        contacts: Kind and hash of each address and number.
    """

    entity: str
    key: str
    account: str
    contacts: frozenset[tuple[str, str]]

    @property
    def what(self) -> str:
        """What it has of them, in words."""
        kinds = {kind for kind, _ in self.contacts}
        return " and ".join(name for kind, name in _CALLED.items() if kind in kinds)

    @property
    def says(self) -> str:
        """In words."""
        account = f" of account {self.account}" if self.account != self.key else ""
        return f"{self.entity} {self.key}{account} has the {self.what} of someone who was forgotten"


_CALLED = {EMAIL: "e-mail address", PHONE: "telephone number"}
#: What to do about such records.
TO_DO = (
    "If it is the same person, `medallion forget` that account too and have it removed at the source; if not, "
    "`medallion forget KEY --keep --reason ...` says so."
)


def returned(
    lake: Lakehouse, entities: Mapping[str, Entity], batch_ids: Collection[str] | None = None
) -> list[Returned]:
    """Records of today, or those of some batches, that have an address or number of someone who was forgotten.

    Those that someone decided to keep are left out.
    """
    if not lake.exists(TABLE):
        return []
    log = read(lake)
    if not any(log.hashes.get(kind) for kind in CONTACTS):
        return []
    records, known = [], _kept(lake, KEPT)
    for entity in entities.values():
        columns = {column.name: column.kind for column in entity.columns if column.kind in ("email", "phone")}
        if not columns or not lake.exists(entity.clean.name):
            continue
        account = "customer_id" if "customer_id" in entity.column_names else entity.key
        names = ", ".join(f'"{name}"' for name in {entity.key: 0, account: 0, **columns})
        where = " or ".join(f'"{name}" is not null' for name in columns)
        values: list[object] = []
        if batch_ids is not None:
            where, values = f"({where}) and list_contains(?, _batch_id)", [sorted(batch_ids)]
        with query.connect(lake, layers=["silver"], only={entity.clean.name}, newest=True) as connection:
            rows = query.rows(connection, f"select {names} from {entity.clean.name} where {where}", values)
        for row in rows:
            emails = [row[name] or "" for name, kind in columns.items() if kind == "email"]
            phones = [row[name] or "" for name, kind in columns.items() if kind == "phone"]
            hashed = {(of, log.hashed(of, form)) for of, forms in contacts(emails, phones).items() for form in forms}
            theirs = {(of, value) for of, value in hashed if value in log.hashes.get(of, ())}
            key = str(row[entity.key])
            if theirs := theirs - known.get((entity.name, key), set()):
                records.append(Returned(entity.name, key, str(row[account]), frozenset(theirs)))
    return records


def waiting(lake: Lakehouse, entities: Mapping[str, Entity]) -> list[Returned]:
    """Records that were flagged and about which nobody has decided; of a lakehouse that keeps none yet, those of today."""
    if not lake.exists(RETURNED):
        return returned(lake, entities)
    decided = _kept(lake, KEPT)
    accounts = {(row["entity"], row["record_key"]): row["customer_id"] for row in _rows(lake, FLAGGED)}
    left = {place: contacts - decided.get(place, set()) for place, contacts in _kept(lake, FLAGGED).items()}
    return [
        Returned(*place, accounts[place], frozenset(contacts)) for place, contacts in sorted(left.items()) if contacts
    ]


def _kept(lake: Lakehouse, state: str) -> dict[tuple[str, str], set[tuple[str, str]]]:
    """Kind and hash of the addresses and numbers in a state, by entity and key of the record."""
    by_record: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for row in _rows(lake, state):
        by_record.setdefault((row["entity"], row["record_key"]), set()).add((row["kind"], row["value_hash"]))
    return by_record


def _rows(lake: Lakehouse, state: str) -> list[dict[str, Any]]:
    if not lake.exists(RETURNED):
        return []
    with query.connect(lake, layers=["ops"], only={RETURNED}, newest=True) as connection:
        return query.rows(connection, f"select * from {RETURNED} where state = ? order by all", [state])


def note(
    spark: SparkSession,
    lake: Lakehouse,
    records: Iterable[Returned],
    state: str,
    now: datetime,
    who: str | None = None,
    why: str | None = None,
) -> None:
    """Record once that records were flagged, or that someone decided to keep them, with who and why."""
    known = _kept(lake, state)
    rows = [
        (record.entity, record.key, value, state, record.account, kind, now, who, why)
        for record in records
        for kind, value in sorted(record.contacts - known.get((record.entity, record.key), set()))
    ]
    store.create(spark, lake, table(RETURNED))
    if rows:
        store.append_rows(rows, spark, lake, table(RETURNED))
