"""Gold as a declarative pipeline: the same functions, each a materialized view over the silver tables.

For teams that run Lakeflow or Spark Declarative Pipelines: the engine orders the views and refreshes them. Silver stays
with the job, which keeps the batch journal and the accounts of every row. The views lie beside the job's tables, in a
schema of their own. Settings of the pipeline: `medallion.catalog` (empty: the session's own),
`medallion.prefix` (what the names of its schemas begin with), `medallion.as_of` (a date; empty: the day of the newest event), `medallion.time_zone` (of the business; empty: UTC) and `medallion.schema`
(where silver is found).
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from pyspark import pipelines as dp
from pyspark.sql import SparkSession

from medallion import contracts, silver
from medallion.config import end_of_day
from medallion.contracts import Override
from medallion.contracts.own import bring
from medallion.features import AsOf
from medallion.gold import CONVERSIONS, STEPS, Step, possible
from medallion.silver import converted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

spark = SparkSession.getActiveSession() or SparkSession.builder.getOrCreate()
#: Views of this pipeline by the name of the table that the job writes.
MADE = {step.table: step.table.removeprefix("gold.") for step in STEPS}


def _setting(name: str) -> str:
    return str(spark.conf.get(f"medallion.{name}", "") or "")


def _path(name: str) -> str:
    """Where the job has written a table `layer.table`."""
    catalog = _setting("catalog")
    return f"`{catalog}`.{_setting('prefix')}{name}" if catalog else f"{_setting('prefix')}{name}"


def _silver(name: str) -> DataFrame:
    return spark.read.table(_path(name))


#: Where the job records the contract files in use.
_CONTRACTS = "ops.contracts"


def _is_there(name: str) -> bool:
    return bool(spark.catalog.tableExists(_path(name)))


def _in_use() -> tuple[Override, ...]:
    """The contract files that the job has recorded last."""
    rows = _silver(_CONTRACTS).collect() if _is_there(_CONTRACTS) else []
    last = [row for row in rows if row["known_at"] == max(row["known_at"] for row in rows)]
    return tuple(Override(row["path"], row["content"]) for row in sorted(last, key=lambda row: row["position"]))


def _clean(name: str) -> DataFrame:
    """A clean table, with the columns that its contract brings to gold."""
    return silver.grown(_silver(_ENTITIES[name].clean.name), _ENTITIES[name])


def _leads() -> DataFrame:
    """Deals in the reporting currency, others as the job has converted them."""
    return converted.as_written(_clean("leads"), _conversions(), _ENTITIES["leads"].currency)


def _conversions() -> DataFrame:
    made = contracts.table(CONVERSIONS)
    schema = ", ".join(f"{column.name} {column.type}" for column in made.columns)
    return _silver(CONVERSIONS) if _is_there(CONVERSIONS) else spark.createDataFrame([], schema)


def _versions(history: DataFrame) -> DataFrame:
    """Versions of deals in the reporting currency; the job has written down the amounts of current versions alone."""
    versions = converted.as_written(history, _conversions(), _ENTITIES["leads"].currency)
    return silver.ended_by(versions, _AS_OF.last_instant)


def _as_of() -> AsOf:
    told = _setting("as_of")
    if told:
        return AsOf(end_of_day(date.fromisoformat(told)))
    events = {name: _silver(_ENTITIES[name].clean.name) for name in contracts.ENTITY_NAMES}
    newest = silver.newest_event(events, _ENTITIES).collect()[0]["newest"]
    return AsOf(end_of_day(newest.date()))


_ENTITIES = contracts.entities(_in_use())
bring(_ENTITIES, _setting("catalog"))
_AS_OF, _LEADS = _as_of(), _leads()
# a view of its own, since a plan nested more than about 90 relations deep cannot be sent
dp.temporary_view(lambda: _LEADS, name="_leads", comment="Deals in the reporting currency.")
# asked for here, and not in a view: a view may not ask whether a table is there, or which columns it has
_VERSIONS = _versions(_silver(_ENTITIES["leads"].history.name))
_SOURCES = {name for step in STEPS for name in step.inputs if name.startswith("silver.")}


def _declare(step: Step) -> None:
    """A materialized view of a gold table; its inputs are silver tables and views declared here."""
    contract = contracts.table(step.table) if step.table in contracts.tables() else None

    def made() -> DataFrame:
        inputs = []
        for name in step.inputs:
            if name == "as_of":
                inputs.append(_AS_OF)
            elif name in MADE:
                inputs.append(spark.read.table(MADE[name]))
            elif name == "silver.leads_clean":
                # functions of versions ask a frame for its columns, which that of a view has only later
                inputs.append(_LEADS if "silver.leads_history" in step.inputs else spark.read.table("_leads"))
            elif name == "silver.leads_history":
                every = step.table == "gold.deal_changes"  # with deals that were withdrawn since
                inputs.append(_VERSIONS if every else silver.of_counted(_silver(name), _LEADS))
            elif name == "time_zone":
                inputs.append(_setting("time_zone") or "UTC")
            elif name == "silver.customers_clean":
                inputs.append(_clean("customers"))
            else:
                inputs.append(_silver(name) if name in _SOURCES and name not in _ABSENT else None)
        return step.function(*inputs)

    dp.materialized_view(made, name=MADE[step.table], comment=contract.grain if contract else None)


_OPTIONAL = {_ENTITIES[name].clean.name: _ENTITIES[name] for name in contracts.OPTIONAL_NAMES}
_THERE = frozenset(name for name, entity in _OPTIONAL.items() if contracts.is_shipped(entity) and _is_there(name))
#: Silver tables that only some sources feed.
_ABSENT = {
    "silver.stage_changes_clean",
    *(_OPTIONAL.keys() - _THERE),
    *({CONVERSIONS} if not _is_there(CONVERSIONS) else ()),
}
for _step in possible(_THERE):
    _declare(_step)
