"""What the active model scores open deals from, for whoever looks at it again: monitoring and explanations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from medallion.lakehouse import store
from medallion.lakehouse.store import Lakehouse
from medallion.scoring import snapshots
from medallion.scoring.snapshots import Facts

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from medallion.contracts import Entity


def current_facts(spark: SparkSession, lake: Lakehouse, entities: Mapping[str, Entity]) -> Facts:
    """What the active model scores open deals from: the current versions of silver, as they are delivered now."""

    def clean(name: str) -> DataFrame:
        return store.read(spark, lake, entities[name].clean.name)

    stages = entities.get("stage_changes")
    there = stages is not None and lake.exists(stages.clean.name)
    leads = entities["leads"]
    return snapshots.current(
        clean("customers"),
        clean("leads"),
        clean("interactions"),
        clean("stage_changes") if there else None,
        store.read(spark, lake, leads.history.name),
        leads.currency,
    )
