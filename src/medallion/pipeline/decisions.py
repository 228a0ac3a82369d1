"""The table of decisions about records that may be one, `ops.identity_decisions`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from medallion.contracts import Entity, table
from medallion.contracts.model import ENDED, STANDING
from medallion.identities.decisions import MERGE, Decision, Member, members
from medallion.lakehouse import query, store
from medallion.lakehouse.store import Lakehouse, spark_types

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TABLE = "ops.identity_decisions"


def read(lake: Lakehouse) -> list[Decision]:
    """Everything that was ever decided, oldest first."""
    if not lake.exists(TABLE):
        return []
    with query.connect(lake, layers=["ops"], only={TABLE}, newest=lake.pinned is None) as connection:
        sql = f"select * replace (decided_at::timestamp as decided_at) from {TABLE} order by decided_at, decision_id"
        return [Decision(**row) for row in query.rows(connection, sql)]


def record(spark: SparkSession, lake: Lakehouse, decisions: Iterable[Decision]) -> None:
    """Record decisions."""
    contract = table(TABLE)
    rows = [tuple(getattr(decision, name) for name in contract.column_names) for decision in decisions]
    if rows:
        store.append_rows(rows, spark, lake, contract)


def groups(lake: Lakehouse, entities: Mapping[str, Entity], before: datetime | None = None) -> dict[str, list[Member]]:
    """Per entity the records that are merged by decisions, survivors among them.

    A survivor that the CRM has merged into another record takes its group along.

    Args:
        lake: The lakehouse.
        entities: The contracts.
        before: As it was decided and known before this time, exclusive; None is now.
    """
    decisions = read(lake)
    by_entity, stated = members(decisions, before), dict[tuple[str, str], Decision]()
    asking = bool(by_entity)
    while asking:
        asked = {name: [member.key for member in listed if not member.rank] for name, listed in by_entity.items()}
        more = {
            (name, decision.source_key): decision
            for name, keys in asked.items()
            if name in entities
            for decision in _stated(lake, entities[name], keys, before)
        }
        asking = not more.keys() <= stated.keys()
        stated |= more
        by_entity = members([*decisions, *stated.values()], before)
    return by_entity


def _stated(lake: Lakehouse, entity: Entity, keys: list[str], before: datetime | None) -> list[Decision]:
    """The merges of records that the CRM states, as decisions."""
    name = entity.history.name
    if not lake.exists(name) or "_merged_into" not in dict(spark_types(lake, name)):
        return []
    arrival = "row(known_at, _source_file, _source_row)"
    outcomes = ", ".join(f"'{outcome}'" for outcome in (*STANDING, *ENDED))
    with query.connect(lake, layers=["silver"], only={name}, newest=lake.pinned is None) as connection:
        rows = query.rows(
            connection,
            f"select \"{entity.key}\" as key, arg_max(coalesce(_merged_into, ''), {arrival}) as into_, "
            f'max(known_at::timestamp) as at from {name} where list_contains(?, "{entity.key}") and _outcome in ({outcomes}) '
            "and (? is null or known_at::timestamp < ?) group by 1",
            [keys, before, before],
        )
    return [
        Decision("", entity.name, MERGE, row["key"], row["into_"], row["at"], "the CRM", "merged in the CRM")
        for row in rows
        if row["into_"] and row["into_"] != row["key"]
    ]


def fingerprint(lake: Lakehouse, entities: Mapping[str, Entity]) -> str:
    """Hash of the merges that count now; empty without any."""
    merged = [
        (member.key, member.root, member.rank)
        for listed in groups(lake, entities).values()
        for member in sorted(listed, key=lambda member: (member.root, member.rank))
    ]
    return hashlib.sha256(json.dumps(merged).encode()).hexdigest()[:16] if merged else ""
