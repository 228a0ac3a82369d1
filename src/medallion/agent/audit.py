"""The agent's log: every question, tool call, answer and receipt in `ops.agent_log`, append-only.

Questions are kept as they were asked, without what looks like an e-mail address or a telephone number. Where the
lakehouse cannot be written, the answer is given without an entry, and standard error says so once.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from datetime import datetime
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake
from deltalake.exceptions import DeltaError

from medallion import door as doors
from medallion.agent.answer import Answer
from medallion.agent.personal import without_personal
from medallion.errors import LakehouseError
from medallion.lakehouse.store import Lakehouse
from medallion.log import one_line

TABLE = "ops.agent_log"
SCHEMA = pa.schema(
    [
        ("entry_id", pa.string()),
        ("asked_at", pa.timestamp("us", tz="UTC")),
        ("door", pa.string()),
        ("question", pa.string()),
        ("tools", pa.string()),
        ("answer", pa.string()),
        ("declined", pa.string()),
        ("by", pa.string()),
        ("receipts", pa.string()),
        ("seconds", pa.float64()),
    ]
)


_not_kept: set[str] = set()


def record(lake: Lakehouse, answer: Answer, door: str, now: datetime, seconds: float) -> str | None:
    """Append an entry; gives its identifier, None where the lakehouse cannot be written.

    Args:
        lake: The lakehouse.
        answer: What was answered.
        door: Where the question came in: ask, chat, mcp, dashboard.
        now: The clock, UTC without zone.
        seconds: How long it took.
    """
    entry = uuid.uuid4().hex
    row = {
        "entry_id": entry,
        "asked_at": now,
        "door": door,
        "question": without_personal(answer.question),
        "tools": json.dumps(list(answer.calls)),
        "answer": without_personal(answer.text),
        "declined": without_personal(answer.declined),
        "by": answer.by,
        "receipts": json.dumps([receipt.document() for receipt in answer.receipts], default=str),
        "seconds": seconds,
    }
    table = pa.Table.from_pylist([row], schema=SCHEMA)
    if not _writable(lake):  # asked first, since delta-rs panics on its way out of a failed write
        _say_not_kept(lake, "Permission denied")
        return None
    try:
        with doors.through(lake.path(TABLE)):
            write_deltalake(lake.path(TABLE), table, mode="append")
    except (DeltaError, OSError, LakehouseError) as error:
        _say_not_kept(lake, str(error))
        return None
    return entry


def _writable(lake: Lakehouse) -> bool:
    """Whether the log can be added to, as far as the modes of local folders say."""
    if lake.folder is None:
        return True
    log = Path(lake.path(TABLE))
    folders = [log, log / "_delta_log"] if log.exists() else [next(up for up in log.parents if up.exists())]
    return all(os.access(folder, os.W_OK | os.X_OK) for folder in folders)


def _say_not_kept(lake: Lakehouse, reason: str) -> None:
    """Say once per lakehouse that what is asked of it is not logged."""
    if lake.root not in _not_kept:
        _not_kept.add(lake.root)
        reason = " ".join(reason.split())[:200]
        sys.stderr.write(one_line(f"{lake.root}: cannot be written ({reason}); answers are not kept in {TABLE}") + "\n")
