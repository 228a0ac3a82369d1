"""The row accounts of batches after an erasure: what goes is counted as `erased`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyspark.sql import functions as F

from medallion import contracts, silver
from medallion.care.erasure.about import About
from medallion.errors import LakehouseError
from medallion.lakehouse import query, store
from medallion.pipeline import batches


def changed(about: About) -> list[dict[str, Any]]:
    """The row accounts of batches of which rows will go, as they are to be: what goes is `erased`, and no longer
    what it was. Counted before anything is removed, so that a row lost otherwise still shows.
    """
    if not about.lake.exists(batches.ACCOUNTS):
        return []
    gone = _gone(about)
    again = {batch.batch_id for batch in about.journal if not (batch.has_files or batch.is_reread)}
    reread = {batch.batch_id: batch.origin for batch in about.journal if batch.is_reread}
    with query.connect(about.lake, layers=["ops"]) as connection:
        sql = f"select * replace (known_at::timestamp::varchar as known_at) from {batches.ACCOUNTS} order by all"
        known = query.rows(connection, sql)
    changed = []
    for row in known:
        key = (row["batch_id"], row["entity"])
        rows = (reread.get(row["batch_id"], row["batch_id"]), row["entity"])
        read = gone["reprocessed"].get(key, 0) if row["batch_id"] in again else gone["read"].get(rows, 0)
        if not read and not gone["implied"].get(key, 0):
            continue
        parts = {
            name: gone[name].get(key, 0) for name in ("accepted", "merged", "superseded", "withdrawn", "quarantined")
        }
        parts["duplicate"] = min(read - sum(parts.values()), row["duplicate"])
        parts["excluded"] = read - sum(parts.values())
        parts["implied"] = gone["implied"].get(key, 0)
        left = {name: (row.get(name) or 0) - count for name, count in parts.items()}
        if any(count < 0 for count in left.values()):
            raise LakehouseError(
                f"{about.lake.root}: {read} rows of {row['entity']} in batch {row['batch_id']} are about the account, "
                "which is more than its row accounts say there are; nothing was removed",
                "See what `medallion doctor` says of the accounts, and report this as a defect if it finds them well.",
            )
        changed.append({**row, **left, "erased": (row.get("erased") or 0) + read})
    return changed


def _gone(about: About) -> dict[str, dict[tuple[str, str], int]]:
    """How many rows of each batch and entity go: of those read, reprocessed, accepted, merged, superseded, withdrawn,
    quarantined, and implied by others.

    Rows of a held file are in bronze under the batch that it came with. They count for the file's own batch, and
    for none until the file is accepted.
    """
    counted = ("read", "reprocessed", "accepted", "merged", "superseded", "withdrawn", "quarantined", "implied")
    gone: dict[str, dict[tuple[str, str], int]] = {name: {} for name in counted}

    def count(name: str, by: Iterable[str]) -> list[Any]:
        marked = about.marked(name) if about.lake.exists(name) else None
        return (
            [] if marked is None else marked.filter("_about").groupBy(*by).agg(F.count(F.lit(1)).alias("n")).collect()
        )

    held_batches = {(b.origin, f.entity, f.name): b for b in about.journal if b.is_held_file for f in b.files}
    for entity in about.entities.values():
        for row in count(f"bronze.{entity.name}", ["_batch_id", "_source_file"]):
            own = held_batches.get((row["_batch_id"], entity.name, row["_source_file"]))
            if own is None or own.state == batches.FINISHED:
                key = (own.batch_id if own else row["_batch_id"], entity.name)
                gone["read"][key] = gone["read"].get(key, 0) + row["n"]
        if entity.name != "products":
            for row in count(entity.history.name, ["_batch_id", "_outcome"]):
                name = "implied" if row["_outcome"] in silver.IMPLIED else row["_outcome"]
                key = (row["_batch_id"], entity.name)
                gone[name][key] = gone[name].get(key, 0) + row["n"]
    for row in count("silver.quarantine", ["batch_id", "resolved_by", "entity"]):
        for what, batch in (("quarantined", row["batch_id"]), ("reprocessed", row["resolved_by"])):
            if batch is not None:
                key = (batch, row["entity"])
                gone[what][key] = gone[what].get(key, 0) + row["n"]
    return gone


def save(about: About, changed: Iterable[Mapping[str, Any]]) -> None:
    """Put changed row accounts in place of those of the same batch and entity."""
    contract = contracts.table(batches.ACCOUNTS)
    rows = [tuple(row[name] for name in contract.column_names) for row in changed]
    if not rows:
        return
    types = {column.name: "string" if column.name == "known_at" else column.type for column in contract.columns}
    new = about.spark.createDataFrame(rows, ", ".join(f"`{name}` {kind}" for name, kind in types.items()))
    kept = store.read(about.spark, about.lake, contract.name)
    lacking = [name for name in contract.column_names if name not in kept.columns]
    if lacking:
        kept = kept.withColumns({name: F.lit(None).cast(contract.column(name).type) for name in lacking})
    kept = kept.join(new.select(*contract.key), on=list(contract.key), how="left_anti")
    new = new.withColumn("known_at", F.col("known_at").cast("timestamp"))
    whole = kept.select(*contract.column_names).unionByName(new)
    store.save(whole, about.spark, about.lake, contract, whole=True)
