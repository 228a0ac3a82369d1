"""What people do with the accounts of the call plan: done, snoozed, not now, a note; kept in `ops.follow_ups`.

Rows are appended beside the lock, as the agent's log is, so that nobody waits for a run; plans read the newest of them.
A note, and the day until which an account is snoozed, are proposed to the CRM, where someone approves them.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake
from deltalake.exceptions import DeltaError

from medallion import door
from medallion.care.proposals import Actions
from medallion.errors import LakehouseError, MedallionError
from medallion.lakehouse import query
from medallion.lakehouse.store import Lakehouse

TABLE = "ops.follow_ups"
SCHEMA = pa.schema(
    [
        ("follow_up_id", pa.string()),
        ("recorded_at", pa.timestamp("us", tz="UTC")),
        ("plan_day", pa.date32()),
        ("customer_id", pa.string()),
        ("lead_id", pa.string()),
        ("kind", pa.string()),
        ("until_day", pa.date32()),
        ("note", pa.string()),
        ("recorded_by", pa.string()),
        ("action_id", pa.string()),
    ]
)
#: What may be done; `undone` takes back what was done last.
KINDS = ("done", "snoozed", "not_now", "note", "undone")
#: Characters of a note.
LONGEST = 1000


@dataclass(frozen=True)
class FollowUp:
    """One row of `ops.follow_ups`, whose contract says what each value is."""

    follow_up_id: str
    recorded_at: datetime
    plan_day: date
    customer_id: str
    lead_id: str | None
    kind: str
    until_day: date | None
    note: str | None
    recorded_by: str
    action_id: str | None = None


def add(
    lake: Lakehouse,
    kind: str,
    plan_day: date,
    customer_id: str,
    lead_id: str | None,
    who: str,
    now: datetime,
    *,
    until: date | None = None,
    note: str = "",
) -> FollowUp:
    """Record what someone did with an account, and propose to the CRM what it should know.

    Args:
        lake: The lakehouse.
        kind: One of `KINDS`.
        plan_day: Day of the plan.
        customer_id: The account.
        lead_id: Its best open deal.
        who: Who did it.
        now: The clock, UTC without zone.
        until: Of `snoozed`: the first day on which the account is planned again.
        note: Of `note`: what is noted; line breaks become spaces.

    Raises:
        MedallionError: The kind is none, a snooze has no later day, or a note is empty or too long.
        LakehouseError: The lakehouse cannot be written.
    """
    text = " ".join(note.split())
    if kind not in KINDS:
        raise MedallionError(f"{kind[:40]!r} is nothing to record", f"Record one of: {', '.join(KINDS)}.")
    if (kind == "snoozed") != (until is not None) or (until is not None and until <= plan_day):
        raise MedallionError("an account is snoozed until a day after the plan's", "Give a later day.")
    if (kind == "note") != bool(text) or len(text) > LONGEST or not text.isprintable():
        raise MedallionError(f"a note is a text of at most {LONGEST} characters", "Write one, or shorten it.")
    _needs_room(lake)
    action = None
    if lake.folder is not None:
        action = _proposed(lake, kind, customer_id, lead_id, who, now, until, text)
    follow_up = FollowUp(
        uuid.uuid4().hex, now, plan_day, customer_id, lead_id, kind, until, text or None, who, action
    )  # fmt: skip
    try:
        with door.through(lake.path(TABLE)):
            write_deltalake(lake.path(TABLE), pa.Table.from_pylist([asdict(follow_up)], schema=SCHEMA), mode="append")
    except (DeltaError, OSError) as error:
        raise LakehouseError(f"{lake.root}: cannot be written: {' '.join(str(error).split())[:200]}",
                             "Nothing was recorded; check who may write there.") from error  # fmt: skip
    return follow_up


def _needs_room(lake: Lakehouse) -> None:
    """Ask first, since delta-rs panics on its way out of a failed write."""
    if lake.folder is None:
        return
    table = Path(lake.path(TABLE))
    folder = next(up for up in (table, *table.parents) if up.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        raise LakehouseError(
            f"{lake.root}: cannot be written (Permission denied)", "Nothing was recorded; check who may write there."
        )


def _proposed(
    lake: Lakehouse, kind: str, customer_id: str, lead_id: str | None, who: str, now: datetime, until: date | None, text: str
) -> str | None:  # fmt: skip
    """The change of the CRM that goes with it; what is undone is rejected."""
    actions = Actions(lake)
    if kind == "note":
        record = ("deal", lead_id) if lead_id else ("customer", customer_id)
        return actions.propose(*record, {"note": text}, "Noted on the call sheet", who, now).action_id
    if kind == "snoozed" and until:
        wanted = {"next_contact_on": until.isoformat()}
        return actions.propose("customer", customer_id, wanted, "Snoozed on the call sheet", who, now).action_id
    if kind == "undone":
        last = latest(every(lake)).get(customer_id)
        if last and last.action_id and actions.one(last.action_id, now).state == "proposed":
            actions.decide(last.action_id, "rejected", who, now)
    return None


def every(lake: Lakehouse) -> list[FollowUp]:
    """All that was recorded, oldest first."""
    if not lake.exists(TABLE):
        return []
    with query.connect(lake, layers=("ops",), only=(TABLE,)) as connection:
        names = ", ".join(SCHEMA.names).replace("recorded_at", "recorded_at::timestamp as recorded_at", 1)
        rows = query.rows(connection, f"select {names} from {TABLE} order by recorded_at, follow_up_id")
    return [FollowUp(**row) for row in rows]


def latest(rows: Iterable[FollowUp]) -> dict[str, FollowUp]:
    """What was last done with each account, without notes and what was undone."""
    last: dict[str, FollowUp] = {}
    for follow_up in rows:
        if follow_up.kind == "undone":
            last.pop(follow_up.customer_id, None)
        elif follow_up.kind != "note":
            last[follow_up.customer_id] = follow_up
    return last


def put_off(rows: Iterable[FollowUp], rest_days: int) -> dict[str, date]:
    """The first day on which each account that was dealt with is planned again.

    One that is done rests as after a contact on the day of its plan; `not_now` is for that day alone.
    """
    days: dict[str, date] = {}
    for key, follow_up in latest(rows).items():
        after = {"done": rest_days + 1, "not_now": 1}.get(follow_up.kind, 0)
        days[key] = follow_up.until_day or follow_up.plan_day + timedelta(days=after)
    return days
