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
from medallion.lakehouse import query, store
from medallion.lakehouse.store import Lakehouse

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from medallion.silver.redaction import ErasureLog

TABLE = "ops.erasures"
#: Kinds of hashes of addresses and numbers: they tell whether someone has come back under another key.
CONTACTS = EMAIL, PHONE = "contact.email", "contact.phone"
STARTED, FINISHED = "started", "finished"
#: File with whom to search for again, where a search found something that is not ours to remove.
LEFT_FILE = ".erasures.json"


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
    path = lake.folder / LEFT_FILE if lake.folder is not None else None
    if path is None or not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise LakehouseError(
            f"{path}: is damaged: {error}", "Delete it; the certificates in ops/certificates say what was found."
        ) from error


def leave(lake: Lakehouse, erasure_id: str, arguments: Mapping[str, Any] | None) -> None:
    """Keep what repeating the search of an erasure needs, readable by its owner only; None when it found nothing."""
    known, path = left(lake), Path(lake.root, LEFT_FILE)
    found = {name: kept for name, kept in known.items() if name != erasure_id}
    if arguments is not None:
        found[erasure_id] = dict(arguments)
    if found:
        door.write(path, json.dumps(found))
    elif known:
        with door.through(path):
            path.unlink()


def contacts(emails: Iterable[str], phones: Iterable[str]) -> dict[str, set[str]]:
    """The forms in which addresses and numbers are hashed, by kind."""
    from medallion.silver import mentions

    written = [one for text in phones for one in mentions.numbers(text)]
    return {
        EMAIL: {form for text in emails for form in mentions.addresses(text)},
        PHONE: {form for text in written for form in mentions.phone_forms(text)},
    }


@dataclass(frozen=True)
class Returned:
    """A record that has an address or number of someone who was forgotten under another key."""

    entity: str
    key: str
    account: str
    what: str

    @property
    def says(self) -> str:
        """In words."""
        account = f" of account {self.account}" if self.account != self.key else ""
        return f"{self.entity} {self.key}{account} has the {self.what} of someone who was forgotten"


#: What to do about such records.
TO_DO = (
    "If it is the same person, `medallion forget` that account too and have it removed at the source; if not, leave it."
)


def returned(
    lake: Lakehouse, entities: Mapping[str, Entity], batch_ids: Collection[str] | None = None
) -> list[Returned]:
    """Records of today, or those of some batches, that have an address or number of someone who was forgotten."""
    if not lake.exists(TABLE):
        return []
    log = read(lake)
    if not any(log.hashes.get(kind) for kind in CONTACTS):
        return []
    found = []
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
            said = []
            for name, kind in columns.items():
                of = EMAIL if kind == "email" else PHONE
                forms = (
                    contacts([row[name] or ""], ())[EMAIL]
                    if kind == "email"
                    else contacts((), [row[name] or ""])[PHONE]
                )
                if any(log.hashed(of, form) in log.hashes.get(of, ()) for form in forms):
                    said.append({"email": "e-mail address", "phone": "telephone number"}[kind])
            if said:
                what = " and ".join(dict.fromkeys(said))
                found.append(Returned(entity.name, str(row[entity.key]), str(row[account]), what))
    return found
