"""Runs deliveries through the pipeline in a process of its own and prints what gold then says, as one JSON document.

usage: bring_in.py LAKEHOUSE SOURCE... ; environment variables choose engine and storage as they do for everyone.
`catalog` among the words before the lakehouse lets delta-rs answer the two statements of a catalog that Sail lacks.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime, timedelta
from pathlib import Path

from deltalake import DeltaTable, Field

from medallion import pipeline
from medallion.care import status
from medallion.config import load
from medallion.lakehouse import manifests, query, session, unity
from medallion.lakehouse.store import Lakehouse


def stand_in() -> None:
    """The statements of a catalog that Sail lacks, on the tables where it has put them.

    DESCRIBE HISTORY, RESTORE, ALTER TABLE ADD COLUMNS and SET TBLPROPERTIES, REORG and VACUUM.
    """

    def at(quoted: str) -> DeltaTable:
        name = quoted.replace("`", "").split(".")[2]
        folders = Path("spark-warehouse").glob(f"{name}-{'?' * 8}-{'?' * 4}-*")
        return DeltaTable(max(folders, key=lambda folder: folder.stat().st_ctime))

    def table(self: unity.Table) -> DeltaTable:
        return at(self.name)

    sail = unity.execute

    def execute(statement: str) -> int | None:
        told = re.match(r"(VACUUM|REORG TABLE|ALTER TABLE) (\S+)(?: SET TBLPROPERTIES \((.*)\))?", statement)
        if told is None:
            return sail(statement.replace(f"TBLPROPERTIES ({unity.listed(unity.KEEP_NOTHING)}) ", ""))
        if told[1] == "VACUUM":
            at(told[2]).vacuum(0, dry_run=False, enforce_retention_duration=False)
        elif told[3]:
            at(told[2]).alter.set_table_properties(dict(re.findall(r"'(.*?)' = '(.*?)'", told[3])))
        return None

    unity.execute = execute
    unity.keep = lambda root, name: False  # SHOW TBLPROPERTIES

    def history(self: unity.Table, limit: int | None = None) -> list[dict]:
        return table(self).history(limit)

    def add_columns(self: unity.Table, fields: list[Field]) -> None:
        table(self).alter.add_columns(fields)
        unity.written(self.name)

    def restore(self: unity.Table, version: int) -> None:
        table(self).restore(version)
        unity.written(self.name)

    unity.Table.history, unity.Table.add_columns, unity.Table.restore = history, add_columns, restore


def main(lakehouse: str, sources: list[str]) -> None:
    lake, now = Lakehouse(lakehouse), datetime(2025, 7, 1, 8)
    if lake.catalog:
        stand_in()
        for layer in ("bronze", "silver", "gold", "ops"):
            session.session().sql(f"CREATE SCHEMA IF NOT EXISTS {unity.quoted(lakehouse, layer)}").collect()
    told = {"changed": [], "accounts": []}
    for place, source in enumerate(sources):
        settings = load(None, source=source, lakehouse=lakehouse)
        for again in range(2):
            result = pipeline.run(settings, now + timedelta(days=place, hours=again))
            told["changed"].append(result.changed)
            told["accounts"] += [
                [a["entity"], a["rows_read"], a["accepted"], a["quarantined"]] for a in result.accounts
            ]
    with query.connect(lake) as connection:
        # a catalog has no manifests, and elsewhere they say when, and how the files lie
        told["tables"] = [n for n in lake.tables() if not n.startswith("bronze.") and n != manifests.TABLE]
        for name in told["tables"]:
            columns = "* exclude (source)" if name == "ops.proofs" else "*"  # where the exports were
            rows = query.rows(connection, f"select {columns} from {name}")
            told[name] = sorted(json.dumps(row, default=str, sort_keys=True) for row in rows)
    for name in ("ops.runs", "ops.batches"):  # these say how long it took, and where the files lay
        told[name] = len(told[name])
    told["insights"] = {name: str(value) for name, value in status.insights(lake).items()}
    told["status"] = status.status(lake, now)["row_accounts"]
    told["listed"] = [
        [row["table"], row["rows"], row["columns"]] for row in status.tables(lake) if row["table"] != manifests.TABLE
    ]
    session.close()
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
