"""The certificate of an erasure: what was done, what was searched, how and where, what was not, and where it is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from medallion import door
from medallion.lakehouse import query
from medallion.lakehouse.store import Lakehouse

#: Certificates of a lakehouse in a catalog: one row per certificate, of which the last of an erasure counts.
TABLE = "ops.certificates"
#: What of a table says why its older versions are left to the platform.
LEFT = "left_to_the_platform"
_TABLES = {"where": "tables", "how": "every row, by the keys of the account, its deals and touches; other cells by the terms above. A cell that holds "
     "nothing but the name of another account's record stays, unless that record has an address or number of the account. "
     "Gold is computed again without the account instead"}  # fmt: skip
_FILES = {"where": "files", "how": "every file of the lakehouse and its name, after the rows had gone: data, commits, "
     "checkpoints, proposals and models"}  # fmt: skip
_ROWS = {"where": "what is left", "how": "every row of the newest version of every table, its name and the names of its columns, after the rows "
     "had gone"}  # fmt: skip
_NOT_SEARCHED = (
    "the folder of exports, and what a later delivery says of the person in notes of others",
    "copies made with `medallion export` or the dashboard, wherever they were written to, and parts of such files that a killed command left there",
    "reports, slides and Power BI files", "models that are kept outside the lakehouse", "backups and snapshots of the disk",
    "temporary folders of other users, of other machines and of versions before this one",
    "the CRM and every other system",
)  # fmt: skip
_NOT_SEARCHED_IN_A_CATALOG = (
    "the storage of the catalog: files are reached through its tables only",
    "the logs of the tables, whose commits have the smallest and largest values of columns until the platform removes them "
    "(delta.logRetentionDuration, 30 days)",
    "earlier versions of the lock (ops._writer), which said whom to erase: they are removed once this is written",
    "tables that were dropped, such as those of work in progress: the platform can bring them back for days (UNDROP)",
    "query history, lineage and audit logs of the platform",
)


def searched_in(lake: Lakehouse) -> list[dict[str, str]]:
    """Where an erasure has looked, and how."""
    return [_TABLES, _FILES if lake.folder is not None else _ROWS]


def older_versions(tables: Iterable[Mapping[str, Any]]) -> str:
    """What became of the older versions of tables, each with what its purge has said."""
    left = _left(tables)
    but = f" but {left}, whose are left to the platform," if left else ""
    return (
        f"Older versions were removed from every table{but} without a search, also from tables in which nothing of the account was found: "
        "states from before an erasure cannot be opened."
    )


def not_searched(lake: Lakehouse, tables: Iterable[Mapping[str, Any]], folders: int) -> list[str]:
    """Where an erasure has not looked.

    Args:
        lake: The lakehouse.
        tables: Its tables, each with what its purge has said.
        folders: How many temporary folders other programs still use.
    """
    places, tables = [*_NOT_SEARCHED], [*tables]
    if folders:
        places.append(
            f"{folders} temporary folders that running programs hold, such as dashboards: each goes when its program ends, and a "
            "dashboard drops what it has copied after the next request"
        )
    if lake.folder is not None:
        return places
    left = []
    if names := _left(tables):
        why = next(table[LEFT] for table in tables if LEFT in table)
        left.append(
            f"earlier versions of {names}: they are left to the next VACUUM of the platform, such as that of predictive optimization ({why})"
        )
    return [*_NOT_SEARCHED_IN_A_CATALOG, *left, *places]


def _left(tables: Iterable[Mapping[str, Any]]) -> str:
    """The tables whose older versions the platform did not remove on request."""
    return ", ".join(str(table["table"]) for table in tables if LEFT in table)


def read(lake: Lakehouse, erasure_id: str) -> dict[str, Any]:
    """The certificate of an erasure as it was written last."""
    if lake.folder is not None:
        return dict(json.loads(_file(lake, erasure_id).read_text(encoding="utf-8")))
    with query.connect(lake, ["ops"], only={TABLE}, newest=True) as connection:
        sql = f"select document from {TABLE} where erasure_id = ? order by number desc limit 1"
        return dict(json.loads(query.rows(connection, sql, [erasure_id])[0]["document"]))


def write(lake: Lakehouse, erasure_id: str, certificate: Mapping[str, Any]) -> str:
    """Keep a certificate, in a file or as a row of a table where there are no files; gives where."""
    text = json.dumps(certificate, indent=2) + "\n"
    if lake.folder is not None:
        door.write(_file(lake, erasure_id), text, door.SHARED)
        return str(_file(lake, erasure_id))
    number = lake.delta(TABLE).count() if lake.exists(TABLE) else 0
    with door.through(lake.path(TABLE)):
        lake.place.append(TABLE, pa.table({"erasure_id": [erasure_id], "number": [number], "document": [text]}))
    return f"{lake.path(TABLE)}, erasure {erasure_id}"


def _file(lake: Lakehouse, erasure_id: str) -> Path:
    return Path(lake.root, "ops", "certificates", f"erasure-{erasure_id}.json")
