"""The agent's log: every question, tool call, answer and receipt in `ops.agent_log`, append-only.

Questions are kept as they were asked, without what looks like an e-mail address or a telephone number.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime

import pyarrow as pa

from medallion.agent.answer import Answer
from medallion.agent.personal import without_personal
from medallion.store import Lakehouse

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


def record(lake: Lakehouse, answer: Answer, door: str, now: datetime, seconds: float) -> str:
    """Append an entry; gives its identifier.

    Args:
        lake: The lakehouse.
        answer: What was answered.
        door: Where the question came in: ask, chat, mcp.
        now: The clock, UTC without zone.
        seconds: How long it took.
    """
    from deltalake import write_deltalake

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
        "receipts": json.dumps([one.document() for one in answer.receipts], default=str),
        "seconds": seconds,
    }
    table = pa.Table.from_pylist([row], schema=SCHEMA)
    write_deltalake(lake.path(TABLE), table, mode="append")
    return entry
