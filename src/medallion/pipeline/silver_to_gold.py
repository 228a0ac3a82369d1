"""Every gold table from the silver tables, as of a point in time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from medallion import contracts
from medallion.config import end_of_day
from medallion.contracts import Entity, Table
from medallion.errors import ConservationError, LakehouseError
from medallion.lakehouse import store
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline.additions import DAYS, TOTALS, Additions, additions
from medallion.pipeline.steps import Steps, in_order
from medallion.weights import ScoreWeights

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from medallion.features import AsOf
    from medallion.scoring.registry import Entry

#: A model's scores of open deals, an input that is there when a model is.
SCORED = "ops.scored_leads"
#: What a model scores open deals from, in the order in which snapshots take it.
SCORED_FROM = (
    "silver.customers_clean",
    "silver.leads_clean",
    "silver.interactions_clean",
    "silver.stage_changes_clean",
)
_WORKERS = 2
_NO_EVENTS = date(1970, 1, 1)
_END_OF_TIME = "9999-12-31"
#: The type of amounts, and the sum from which one of them, to the nearest double, no longer fits into it.
_AMOUNT, _MOST = "decimal(18,2)", 1e16


@dataclass(frozen=True)
class Step:
    """One gold table and the inputs of the function of its name, in order.

    `as_of` is the as-of time itself, `high_watermark` when the newest touch was learned.
    """

    table: str
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Stale:
    """Gold tables to compute, each with why. `anew` adds up every touch again, whatever gold has."""

    tables: Mapping[str, str]
    anew: bool


STEPS: tuple[Step, ...] = (
    Step("gold.touch_totals", ("silver.interactions_clean", "as_of", "high_watermark")),
    Step(
        "gold.customer_features",
        (
            "silver.customers_clean",
            "silver.leads_clean",
            "silver.interactions_clean",
            "as_of",
            SCORED,
            "gold.touch_totals",
        ),
    ),
    Step("gold.deals", ("silver.leads_clean", "gold.customer_features", "as_of", SCORED, "gold.stage_history")),
    Step("gold.touch_days", ("silver.interactions_clean", "as_of", "high_watermark")),
    Step("gold.attribution", ("silver.leads_clean", "silver.interactions_clean", "as_of")),
    Step("gold.sales_summary", ("silver.leads_clean", "silver.interactions_clean", "as_of", "gold.touch_days")),
    Step(
        "gold.channel_performance",
        (
            "silver.leads_clean",
            "silver.interactions_clean",
            "as_of",
            "gold.touch_days",
            "gold.attribution",
            "gold.touch_totals",
        ),
    ),
    Step("gold.top_customers", ("gold.customer_features",)),
    Step("gold.stage_history", ("silver.leads_history", "silver.stage_changes_clean", "as_of", "silver.leads_clean")),
)

#: Every table that a step of gold may write.
GOLD = (*(step.table for step in STEPS), "gold.lead_scores", SCORED)


def silver_to_gold(
    spark: SparkSession,
    lake: Lakehouse,
    entities: Mapping[str, Entity],
    as_of: date | None,
    weights: ScoreWeights,
    steps: Steps,
    known_as_of: datetime | None = None,
    target: Lakehouse | None = None,
    champion: Entry | None = None,
    score_at: datetime | None = None,
    anew: bool = False,
    stale: Callable[[date], Stale] | None = None,
) -> tuple[date, list[str]]:
    """Bring every gold table to the end of a day; None is the day of the newest event. Gives the day, and what is odd.

    Where touches have only been added since the last time, their totals are added to; everything else is computed
    from silver and these totals. The tables are the same either way.

    Args:
        spark: The session.
        lake: Where silver is.
        entities: The contracts.
        as_of: The last day to count.
        weights: The weights of the score.
        steps: What is told of each step.
        known_as_of: Count only what was known before this time, exclusive; None is everything known by now.
        target: Where gold goes; the same lakehouse unless said.
        champion: The active model; it does not score days before the one it was trained on.
        score_at: Add the scores to `gold.lead_scores`, as known at this time; None leaves that table alone.
        anew: Add up every touch again, whatever gold has.
        stale: Which tables are to be computed for a day; None computes all of them.

    Raises:
        ConservationError: A gold table breaks an invariant of its contract, or revenue differs between tables.
    """
    from pyspark.sql import functions as F

    from medallion import silver
    from medallion.features import AsOf

    for name in contracts.ENTITY_NAMES:
        store.create(spark, lake, entities[name].history)
        store.create(spark, lake, entities[name].clean)
    there = [entity for entity in entities.values() if lake.exists(entity.clean.name)]
    frames: dict[str, DataFrame] = {entity.clean.name: store.read(spark, lake, entity.clean.name) for entity in there}
    known = None if known_as_of is None else F.lit(known_as_of.isoformat(sep=" ")).cast("timestamp")

    def rewind(time: Column) -> None:
        for entity in there:
            versions = store.read(spark, lake, entity.history.name)
            frames[entity.clean.name] = silver.rewind(versions, entity, time, known)

    if known is not None:
        rewind(F.lit(_END_OF_TIME).cast("timestamp"))  # what was current then
    events = {entity.name: frames[entity.clean.name] for entity in there}
    newest = silver.newest_event(events, entities).collect()[0]["newest"]
    day = as_of or (newest.date() if newest else _NO_EVENTS)
    as_of_time = AsOf(end_of_day(day), weights=weights)
    frames["silver.leads_history"] = store.read(spark, lake, entities["leads"].history.name)
    if known is not None:
        frames["silver.leads_history"] = frames["silver.leads_history"].filter(F.col("known_at") < known)
    rewound = known is not None
    if newest and newest >= as_of_time.time:
        rewound = True
        rewind(as_of_time.instant)

    found = Stale({step.table: "" for step in STEPS}, anew) if stale is None else stale(day)
    wanted, anew = set(found.tables), found.anew
    since = Additions()
    if not wanted & {TOTALS, DAYS}:
        pass
    elif target is not None:
        since = Additions(_high_watermark(frames["silver.interactions_clean"], as_of_time))
    elif not rewound:
        with steps.step("gold: look for added touches"):
            since = additions(spark, lake, frames["silver.interactions_clean"], as_of_time)
        since = Additions(since.high_watermark) if anew else since
    target = target or lake
    by_table = {step.table: step for step in STEPS}
    frames |= {name: store.read(spark, target, name) for name in by_table if name not in wanted}
    asks = any(SCORED in by_table[name].inputs for name in wanted)
    if champion is not None and champion.as_of <= day and asks:
        with steps.step("gold: score open deals"):
            frames[SCORED] = _scored(spark, target, frames, as_of_time, champion)

    given: dict[str, Any] = {"as_of": as_of_time, "high_watermark": since.high_watermark}

    def make(name: str) -> None:
        with steps.step(name.replace(".", ": ")):
            inputs = [given[what] if what in given else frames.get(what) for what in by_table[name].inputs]
            contract = gold_contract(name)
            if name == "gold.channel_performance" and not _counts_every_channel(entities):
                inputs = inputs[:-1]
            written = _write(spark, target, contract, inputs, since)
            frames[name] = store.read(spark, target, name)
            verify(frames[name] if written is None else frames[name].filter(written), contract)

    needs = {name: {given for given in by_table[name].inputs if given in wanted} for name in by_table if name in wanted}
    try:
        in_order(needs, make, _WORKERS)
    except Exception as error:
        _explain_overflow(frames["silver.leads_clean"], entities["leads"], error)
        raise
    with steps.step("gold: compare revenue"):
        odd = _compare_revenue(frames)
    if score_at is not None and asks:
        with steps.step("gold: lead_scores"):
            if target == lake:
                _delete_unfinished(spark, lake)
            _append_scores(spark, target, frames, as_of_time, score_at)
    store.drop(target, [SCORED])
    return day, odd


def _explain_overflow(leads: DataFrame, entity: Entity, error: Exception) -> None:
    """Raise what a user can put right where gold failed since the amounts of deals add up to more than it can hold.

    Raises:
        LakehouseError: A sum of amounts does not fit; names the column and the deal with the largest amount.
    """
    from pyspark.sql import functions as F

    amounts = [column.name for column in entity.columns if column.type == _AMOUNT]
    sizes = {name: F.abs(F.col(name)).cast("double") for name in amounts}
    totals = leads.agg(*(F.sum(size).alias(name) for name, size in sizes.items())).collect()[0]
    for name in amounts:
        if (totals[name] or 0) < _MOST:
            continue
        row = leads.orderBy(sizes[name].desc_nulls_last(), entity.key).limit(1).collect()[0]
        raise LakehouseError(
            f"{entity.clean.name}: {name} adds up to more than {_AMOUNT.upper()} can hold; the largest amount is "
            f"{row[name]:,} of {entity.key} {row[entity.key]} ({row['_source_file']}, line {row['_source_row']})",
            f"Deliver that deal again with the right {name}, and give {name} a maximum in your contract.",
        ) from error


def _high_watermark(touches: DataFrame, as_of: AsOf) -> str | None:
    """When the newest of the touches before the as-of time was learned, as text in UTC."""
    from pyspark.sql import functions as F

    from medallion.features import interactions_as_of

    row = interactions_as_of(touches, as_of).agg(F.max("known_at").cast("string").alias("known_to")).collect()[0]
    return None if row["known_to"] is None else str(row["known_to"])


def _counts_every_channel(entities: Mapping[str, Entity]) -> bool:
    """Whether `gold.touch_totals` has every channel that the contract knows as one of its own."""
    from medallion.features.engagement import CHANNELS

    return set(entities["interactions"].column("channel").accepted) <= set(CHANNELS)


def _write(spark: SparkSession, lake: Lakehouse, contract: Table, inputs: list[Any], since: Additions) -> str | None:
    """Write a gold table from its inputs; gives a condition for the rows that are new, None when all are."""
    from medallion import gold

    make = getattr(gold, contract.name.removeprefix("gold."))
    if contract.name in (TOTALS, DAYS) and since.touches is not None:
        if since.count:
            store.save(make(since.touches, *inputs[1:]), spark, lake, contract, append=True, whole=True)
        return f"known_to = TIMESTAMP '{since.high_watermark}'"
    store.save(make(*inputs), spark, lake, contract, whole=True)
    return None


def _scored(
    spark: SparkSession, lake: Lakehouse, frames: Mapping[str, DataFrame], as_of: AsOf, champion: Entry
) -> DataFrame:
    from medallion.scoring import predict, snapshots

    *always, changes = SCORED_FROM
    customers, leads, interactions = (frames[name] for name in always)
    facts = snapshots.current(customers, leads, interactions, frames.get(changes))
    rows = snapshots.snapshots(facts, [as_of.time], as_of.weights, champion.fixed)
    store.save(predict.scored(rows, champion.scorer), spark, lake, predict.WORK)
    return store.read(spark, lake, SCORED)


def _delete_unfinished(spark: SparkSession, lake: Lakehouse) -> None:
    """Remove scores of runs that were killed after they had written them: those known when no finished run began."""
    from pyspark.sql import functions as F

    def times(name: str, column: str) -> set[str]:
        if not lake.exists(name):
            return set()
        rows = store.read(spark, lake, name).select(F.col(column).cast("string").alias("time")).distinct().collect()
        return {str(row["time"]) for row in rows}

    scores = contracts.table("gold.lead_scores").name
    unfinished = sorted(times(scores, "known_as_of") - times("ops.runs", "started_at"))
    if unfinished:
        listed = ", ".join(f"TIMESTAMP '{time}'" for time in unfinished)
        store.delete_rows(spark, lake, scores, f"known_as_of IN ({listed})")


def _append_scores(
    spark: SparkSession, lake: Lakehouse, frames: Mapping[str, DataFrame], as_of: AsOf, known_at: datetime
) -> None:
    from medallion import gold

    contract = contracts.table("gold.lead_scores")
    before = None
    same = f"as_of = DATE '{as_of.day}' AND known_as_of = TIMESTAMP '{known_at.isoformat(sep=' ')}'"
    if lake.exists(contract.name):
        before = store.read(spark, lake, contract.name)
        if not before.filter(same).isEmpty():
            store.delete_rows(spark, lake, contract.name, same)
            before = store.read(spark, lake, contract.name)
    rows = gold.lead_scores(
        frames["gold.deals"], frames["gold.customer_features"], frames.get(SCORED), before, as_of, known_at
    )
    store.save(rows, spark, lake, contract, append=True, whole=True)
    verify(store.read(spark, lake, contract.name).filter(same), contract)


def gold_contract(name: str) -> Table:
    """The contract of a gold table; those of customer_features and lead_snapshots are made from their features."""
    if name == "gold.customer_features":
        from medallion.gold.customer_features import contract

        return contract()
    if name == "gold.lead_snapshots":
        from medallion.scoring import snapshots

        return snapshots.CONTRACT
    return contracts.table(name)


def verify(frame: DataFrame, contract: Table) -> None:
    """Check the invariants and the key of a written table.

    Raises:
        ConservationError: Rows break an invariant, or a key occurs twice.
    """
    from pyspark.sql import functions as F

    # of several columns their hash: a distinct count would hold them all in memory, and a count by itself reads twice
    key = F.col(contract.key[0]) if len(contract.key) == 1 else F.xxhash64(*contract.key)
    broken = [F.count_if(~F.coalesce(F.expr(rule), F.lit(True))) for rule in contract.invariants]
    repeated, *counts = frame.agg(F.count(F.lit(1)) - F.countDistinct(key), *broken).collect()[0]
    if repeated and len(contract.key) > 1:  # or two keys have one hash
        repeated = frame.count() - frame.select(*contract.key).distinct().count()
    rules = (f"unique {', '.join(contract.key)}", *contract.invariants)
    for rule, count in zip(rules, (repeated, *counts), strict=True):
        if count:
            raise ConservationError(f"{contract.name}: {count} rows break the rule: {rule}", "Report this as a defect.")


def _compare_revenue(frames: Mapping[str, DataFrame]) -> list[str]:
    """Revenue is one number: by deal, by channel, and by day for the deals with a day. Gives what is odd about deals."""
    from pyspark.sql import functions as F

    from medallion.features.deals import is_reversed

    won = F.col("status") == "won"
    by_deal = frames["gold.deals"].agg(
        F.sum(F.when(won, F.col("deal_value"))).alias("deals"),
        F.sum(F.when(won & F.col("closed_at").isNotNull(), F.col("deal_value"))).alias("dated"),
        F.count_if(is_reversed()).alias("reversed"),
        F.min(F.when(is_reversed(), F.col("lead_id"))).alias("example"),
    )
    by_day = frames["gold.sales_summary"].agg(F.sum("revenue").alias("days"))
    by_channel = frames["gold.channel_performance"].agg(F.sum("attributed_revenue").alias("channels"))
    row = by_deal.join(by_day, how="cross").join(by_channel, how="cross").collect()[0]
    counts = {name: row[name] or 0 for name in ("deals", "dated", "days", "channels")}
    if counts["deals"] != counts["channels"] or counts["dated"] != counts["days"]:
        raise ConservationError(
            "Revenue differs: gold.deals {deals} (with a close date {dated}), gold.sales_summary {days}, "
            "gold.channel_performance {channels}".format(**counts),
            "Report this as a defect.",
        )
    if not row["reversed"]:
        return []
    deals = "1 deal is" if row["reversed"] == 1 else f"{row['reversed']:,} deals are"
    return [
        f"{deals} closed before the day on which {'it was' if row['reversed'] == 1 else 'they were'} opened, such as "
        f"{row['example']}: no cycle time is counted. Correct one of the two dates in the CRM."
    ]
