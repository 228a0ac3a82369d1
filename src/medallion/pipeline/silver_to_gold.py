"""Every gold table from the silver tables, as of a point in time."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from medallion import contracts, figures, silver
from medallion.config import end_of_day
from medallion.contracts import Entity, Table
from medallion.contracts.model import ENDED
from medallion.contracts.own import bring
from medallion.errors import ConservationError, ContractError, LakehouseError, MedallionError
from medallion.features import AsOf, interactions_as_of
from medallion.features.deals import is_reversed
from medallion.features.engagement import CHANNELS
from medallion.gold import CONVERSIONS, OWN_STEPS, SCORED, SCORED_FROM, Step, gold_contract, graph, possible
from medallion.gold.lead_scores import lead_scores, newest
from medallion.lakehouse import contracts_in_use, removal, store
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import batches, identities
from medallion.pipeline.additions import Additions, additions
from medallion.pipeline.context import Context
from medallion.pipeline.freshness import Stale, optional_tables
from medallion.pipeline.steps import in_order
from medallion.scoring import predict, snapshots
from medallion.silver import converted, resolved
from medallion.sources import rates
from medallion.weights import ScoreWeights

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from medallion.scoring.registry import Entry

_WORKERS = 2
#: So many keys at most are computed again by themselves.
_FEW = 20_000
#: So many deals at most whose scores are looked for by name.
_FEW_DEALS = 300
_SCORES = "gold.lead_scores"
#: Touches, and rows of a table that is not made from them, from which that is quicker than computing a table whole:
#: finding the keys is a query more.
_MANY_TOUCHES, _MANY_ROWS = 200_000, 5_000
#: Rows from which a table is checked as soon as it is written; smaller ones are checked in one statement at the end.
_LARGE = 200_000
_NO_EVENTS = date(1970, 1, 1)
_END_OF_TIME = "9999-12-31"
#: The type of amounts, and the sum from which one of them, to the nearest double, no longer fits into it.
_AMOUNT, _MOST = "decimal(18,2)", 1e16


_EVERY_CHANNEL, _STAGES = "every channel is counted", "a file tells stages"


def silver_to_gold(
    context: Context,
    as_of: date | None,
    weights: ScoreWeights,
    known_as_of: datetime | None = None,
    target: Lakehouse | None = None,
    champion: Entry | None = None,
    score_at: datetime | None = None,
    anew: bool = False,
    stale: Callable[[date], Stale] | None = None,
    time_zone: str = "UTC",
) -> tuple[date, list[str]]:
    """Bring every gold table to the end of a day; None is the day of the newest event. Gives the day, and what is odd.

    Where touches have only been added since the last time, their totals are added to; everything else is computed
    from silver and these totals. The tables are the same either way.

    Args:
        context: The run, in the lakehouse that has silver.
        as_of: The last day to count.
        weights: The weights of the score.
        known_as_of: Count only what was known before this time, exclusive; None is everything known by now.
        target: Where gold goes; the same lakehouse unless said.
        champion: The active model; it does not score days before the one it was trained on.
        score_at: Add the scores to `gold.lead_scores`, as known at this time; None leaves that table alone.
        anew: Add up every touch again, whatever gold has.
        stale: Which tables are to be computed for a day; None computes all of them.
        time_zone: That of the business.

    Raises:
        ConservationError: A gold table breaks an invariant of its contract, or revenue differs between tables.
    """
    lake, entities, steps = context.lake, context.entities, context.steps
    for place in (target or lake, lake):
        bring(entities, place.root)
    for name in contracts.ENTITY_NAMES:
        context.create(entities[name].history)
        context.create(entities[name].clean)
    optional = optional_tables(lake, entities)
    there = [entity for entity in entities.values() if lake.exists(entity.clean.name)]
    frames: dict[str, DataFrame] = {
        entity.clean.name: silver.grown(context.read(entity.clean), entity) for entity in there
    }
    _check_own([entity.clean.name for entity in entities.values()])
    replaced = batches.replaced(batches.history(lake), known_as_of)
    known = None if known_as_of is None else F.lit(known_as_of.isoformat(sep=" ")).cast("timestamp")

    members = identities.frames(context.spark, lake, entities, known_as_of)

    def rewind(time: Column) -> None:
        for entity in there:
            versions = silver.without(silver.grown(context.read(entity.history), entity), replaced.get(entity.name, ()))
            frames[entity.clean.name] = silver.rewind(versions, entity, time, known)
        if members:
            names = {entity.clean.name for entity in there}
            frames.update(resolved.resolved({name: frames[name] for name in names}, there, members))

    if known is not None:
        rewind(F.lit(_END_OF_TIME).cast("timestamp"))  # what was current then
    events = {entity.name: frames[entity.clean.name] for entity in there}
    newest = silver.newest_event(events, entities).collect()[0]["newest"]
    day = as_of or (newest.date() if newest else _NO_EVENTS)
    as_of_time = AsOf(end_of_day(day), weights=weights)
    versions = silver.without(context.read(entities["leads"].history), replaced.get("leads", ()))
    if known is not None:
        versions = versions.filter(F.col("known_at") < known)
    frames["silver.leads_history"] = versions
    is_past_day = newest is not None and newest >= as_of_time.time
    rewound = known is not None or is_past_day
    if is_past_day:
        rewind(as_of_time.instant)

    foreign = f"currency <> '{entities['leads'].currency}' and deal_value is not null"
    ended = " or ".join(f"_outcome = '{outcome}'" for outcome in ENDED)
    some_foreign, some_ended = context.has_rows(entities["leads"].history, foreign, ended)
    some_foreign = some_foreign and not frames["silver.leads_clean"].filter(foreign).isEmpty()
    held_out = _in_reporting_currency(context, frames, day, known_as_of, some_foreign, target is None)
    every, frames["silver.leads_history"] = frames["silver.leads_history"], versions
    if held_out or some_ended:  # stages of deals that are there
        frames["silver.leads_history"] = silver.of_counted(versions, frames["silver.leads_clean"])
    every = silver.ended_by(every, as_of_time.last_instant if some_ended and not is_past_day else None)
    # withdrawn deals were there once, so they are in their history, and in no other table
    special = {("gold.deal_changes", "silver.leads_history"): every}

    by_table = {step.table: step for step in possible(optional)}
    outdated = Stale(dict.fromkeys(by_table, ""), anew) if stale is None else stale(day)
    wanted, anew = set(outdated.tables), outdated.anew
    since = Additions()
    if not any(by_table[name].adds for name in wanted):
        pass
    elif target is not None:
        since = Additions(_high_watermark(frames["silver.interactions_clean"], as_of_time))
    elif not rewound:
        with steps.step("gold: look for added touches"):
            since = additions(context.spark, lake, frames["silver.interactions_clean"], as_of_time)
        since = Additions(since.high_watermark) if anew else since
    without_files = _without_files(context)
    out = context if target is None else replace(context, lake=target)
    frames |= {name: out.read(name) for name in by_table if name not in wanted}
    asks = any(SCORED in by_table[name].inputs for name in wanted)
    if champion is not None and champion.as_of <= day and asks:
        with steps.step("gold: score open deals"):
            frames[SCORED] = _scored(out, frames, as_of_time, champion)

    given: dict[str, Any] = {"as_of": as_of_time, "high_watermark": since.high_watermark, "time_zone": time_zone}
    # a user's own table may have the name of an optional entity
    named_so = {entities[name].clean.name for name in contracts.OPTIONAL_NAMES} - optional
    facts = {_EVERY_CHANNEL: _counts_every_channel(entities), _STAGES: "silver.stage_changes_clean" in optional}

    def is_given(step: Step, what: str) -> bool:
        return facts.get(step.only_if.get(what, ""), True)

    later: dict[str, DataFrame] = {}

    def make(name: str) -> None:
        step = by_table[name]
        with steps.step(name.replace(".", ": ")), _of_module(step):
            inputs = [
                special.get((name, what), given.get(what, frames.get(what))) if is_given(step, what) else None
                for what in step.inputs
            ]
            if not step.module:
                inputs = [None if what in named_so else frame for what, frame in zip(step.inputs, inputs, strict=True)]
            else:
                inputs = [
                    without_files.get(what) if frame is None else frame
                    for what, frame in zip(step.inputs, inputs, strict=True)
                ]
            contract = gold_contract(name)
            written = _write(
                out, step, contract, inputs, since, outdated.rows.get(name, 0) if name in outdated.kept else None
            )
            frames[name] = out.read(name)
            rows = frames[name] if written is None else frames[name].filter(written)
            if _is_small(out.lake, name):
                later[name] = rows
            else:
                verify(rows, contract)

    needs = {
        name: {what for what in step.inputs if what in wanted and is_given(step, what)}
        for name, step in by_table.items()
        if name in wanted
    }
    try:
        in_order(needs, make, _WORKERS)
    except Exception as error:
        _explain_overflow(frames["silver.leads_clean"], entities["leads"], error)
        raise
    with steps.step("gold: check small tables"):
        for name, verdict in _verdicts(later).items():
            with _of_module(by_table[name]):
                _refuse_broken(verdict, later[name], gold_contract(name))
    with steps.step("gold: compare revenue"):
        odd = _compare_revenue(frames)
    if score_at is not None and asks:
        with steps.step("gold: lead_scores"):
            _append_scores(out, frames, as_of_time, score_at, unfinished=target is None)
    removal.drop(out.lake, [SCORED])
    return day, [*odd, *held_out]


def _in_reporting_currency(
    context: Context,
    frames: dict[str, DataFrame],
    day: date,
    known_as_of: datetime | None,
    some_foreign: bool,
    keep: bool,
) -> list[str]:
    """Put deals and their versions in the reporting currency in the place of `silver.leads_clean` and `silver.leads_history`;
    says which are held out, or by old rates.

    By the rates that were known then. Nothing is done where every amount is in the reporting currency.

    Args:
        context: The run.
        frames: The tables that gold is computed from.
        day: The last day to count.
        known_as_of: Only rates known before this time count.
        some_foreign: Whether there is an amount in another currency.
        keep: Write down the conversions.
    """
    leads, reporting = frames["silver.leads_clean"], context.entities["leads"].currency
    if not some_foreign:
        if keep and context.lake.exists(CONVERSIONS):
            context.delete_rows(CONVERSIONS, "true")
        return []
    given = contracts_in_use.rates(context.lake, known_as_of=known_as_of)
    known = rates.read(given.text, given.path, reporting) if given else ()
    by_day = context.spark.createDataFrame(rates.by_day(known) if known else [], rates.BY_DAY)
    last = min(day, max((each.day for each in known), default=day))
    valued = converted.in_currency(leads, by_day, last, reporting, rates.places(reporting))
    frames["silver.leads_clean"] = converted.counted(valued, leads.columns, reporting)
    versions = frames["silver.leads_history"]
    of_each = converted.in_currency(versions, by_day, last, reporting, rates.places(reporting))
    frames["silver.leads_history"] = converted.versions(of_each, valued, versions.columns)
    others = converted.conversions(valued, reporting)
    if keep:
        context.save(others, contracts.table(CONVERSIONS), whole=True)
        others = context.read(CONVERSIONS)
    frames[CONVERSIONS] = others
    last_days = {each.currency: each.day for each in known}
    place = given.path if given else "a table of rates, named in config.yaml as `rates:`"
    return [
        _doubt(row.asDict(), place, last_days.get(row["original_currency"]))
        for row in converted.in_doubt(others, day).collect()
    ]


def _doubt(row: Mapping[str, Any], place: str, last: date | None) -> str:
    """The warning about a row of `converted.in_doubt`; `last` is the last day with a rate of the currency."""
    code = row["original_currency"]
    value, is_one = figures.money(row["amount"], code), row["deals"] == 1
    deals = "1 deal is" if is_one else f"{row['deals']:,} deals are"
    example = f"such as {row['lead_id']} ({row['source_file']}:{row['source_row']})"
    if not row["held"]:
        return (
            f"{deals} converted at a {code} rate more than {converted.OLD} days older than the deal: {value} in all, {example}. "
            f"The last {code} rate is dated {last}; add newer ones to {place} and run again."
        )
    remedy = f"Add it to {place} and run again." if row["unknown"] else "Correct it in the CRM and deliver it again."
    return f"{deals} held out of every figure: {value} in all, {example}: {row['held_out']}. {remedy}"


def _check_own(silver: Iterable[str]) -> None:
    """Refuse a user's own step that reads what is not there.

    Raises:
        ContractError: It does; names the module and the nearest tables.
    """
    known = [*silver, "silver.leads_history", "as_of", *(step.table for step in graph())]
    for step in OWN_STEPS:
        for name in step.inputs:
            if name not in known:
                near = difflib.get_close_matches(name, known, 3)
                raise ContractError(
                    f"{step.module}: reads {name!r}, which is no table here",
                    f"Nearest: {', '.join(near)}." if near else "Name tables of silver or gold, or `as_of`.",
                )


def _without_files(context: Context) -> dict[str, DataFrame]:
    """What a user's own steps read of entities of which no file has come: frames without rows."""
    read = {name for step in OWN_STEPS for name in step.inputs}
    return {
        entity.clean.name: store.empty(context.spark, entity.clean)
        for entity in context.entities.values()
        if entity.clean.name in read and not context.lake.exists(entity.clean.name)
    }


@contextmanager
def _of_module(step: Step) -> Iterator[None]:
    """Name the user's own module that makes a table when it cannot be made.

    Raises:
        MedallionError: It cannot; an error that says why already is passed on.
    """
    try:
        yield
    except ConservationError as error:
        if not step.module:
            raise
        raise ConservationError(f"{step.module}: {error.problem}", "Correct the module, or its contract.") from error
    except MedallionError:
        raise
    except (Exception, SystemExit) as error:
        if not step.module:
            raise
        reason = (str(error).strip().splitlines() or [""])[0][:300]
        raise MedallionError(
            f"{step.module}: {step.table} cannot be made: {type(error).__name__}: {reason}",
            "Correct the module, or take it out of gold in config.yaml; --debug shows the traceback.",
        ) from error


def _explain_overflow(leads: DataFrame, entity: Entity, error: Exception) -> None:
    """Raise what a user can put right where gold failed since the amounts of deals add up to more than it can hold.

    Raises:
        LakehouseError: A sum of amounts does not fit; names the column and the deal with the largest amount.
    """
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
    row = interactions_as_of(touches, as_of).agg(F.max("known_at").cast("string").alias("known_to")).collect()[0]
    return None if row["known_to"] is None else str(row["known_to"])


def _counts_every_channel(entities: Mapping[str, Entity]) -> bool:
    """Whether `gold.touch_totals` has every channel that the contract knows as one of its own."""
    return set(entities["interactions"].column("channel").accepted) <= set(CHANNELS)


def _write(
    context: Context, step: Step, contract: Table, inputs: list[Any], since: Additions, kept: int | None
) -> str | None:
    """Write a gold table from its inputs; gives a condition for the rows that are new, None when all are.

    `kept` is how many rows it had, None where they may not be kept.
    """
    if step.adds and since.touches is not None:
        if since.count:
            added = step.function(since.touches, *inputs[1:])
            context.save(added, contract, append=True, whole=True)
        return f"known_to = TIMESTAMP '{since.high_watermark}'"
    few = _few(context, step, inputs, since, kept) if kept is not None and step.by else None
    if few is None:
        context.save(step.function(*inputs), contract, whole=True)
        return None
    rest = context.read(contract).join(few, on=step.by, how="left_anti").select(*contract.column_names)
    again = step.function(*inputs, only=few).select(*contract.column_names)
    context.save(rest.unionByName(again), contract, whole=True)
    return None


def _few(context: Context, step: Step, inputs: list[Any], since: Additions, kept: int) -> DataFrame | None:
    """The keys of a table whose rows have to be computed again; None where that would be no quicker than all of it.

    They are fetched and given back: a small table, where a plan within a plan would be computed twice.
    """
    reads_touches = "silver.interactions_clean" in step.inputs
    few_touches = since.touches is None or since.total < _MANY_TOUCHES
    if few_touches if reads_touches else kept < _MANY_ROWS:
        return None
    keys = step.changed(context.read(step.table), since.touches, *inputs).limit(_FEW + 1).collect()
    if len(keys) > _FEW:
        return None
    return context.spark.createDataFrame([tuple(key) for key in keys], f"{step.by} string")


def _scored(context: Context, frames: Mapping[str, DataFrame], as_of: AsOf, champion: Entry) -> DataFrame:
    customers, leads, interactions, history, changes = SCORED_FROM
    facts = snapshots.current(
        frames[customers],
        frames[leads],
        frames[interactions],
        frames.get(changes),
        frames[history].filter(F.coalesce(F.col("updated_at") < as_of.instant, F.lit(True))),
        context.entities["leads"].currency,
    )
    rows = snapshots.snapshots(facts, [as_of.time], as_of.weights, champion.fixed, own=champion.own)
    context.save(predict.scored(rows, champion.scorer), predict.WORK)
    return context.read(SCORED)


def _delete_scores(context: Context, same: str, unfinished: bool) -> set[date]:
    """Remove scores of the `same` day and time, and those that killed runs had written where `unfinished` ones are looked
    for: those known when no finished run began. Gives the days of the others.
    """
    tables, ended, joined = [_SCORES], str(not unfinished), ""
    if unfinished and context.lake.exists("ops.runs"):
        tables, ended = [_SCORES, "ops.runs"], "started_at is not null"
        joined = "left join (select distinct started_at from ops.runs) on started_at = known_as_of"
    rows = context.ask(
        f"select distinct as_of, cast(known_as_of as string) as known_at, {same} as is_same, {ended} as is_ended "
        f"from {_SCORES} {joined}",
        *tables,
    )
    times = sorted({row["known_at"].removesuffix("+00") for row in rows if not row["is_ended"]})
    listed = ", ".join(f"TIMESTAMP '{time}'" for time in times)
    conditions = [f"known_as_of IN ({listed})"] if listed else []
    conditions += [same] if any(row["is_same"] and row["is_ended"] for row in rows) else []
    if conditions:
        context.delete_rows(_SCORES, " OR ".join(f"({condition})" for condition in conditions))
    return {row["as_of"] for row in rows if row["is_ended"] and not row["is_same"]}


def _scores_before(context: Context, days: Iterable[date], as_of: AsOf) -> DataFrame | None:
    """Scores that include the last one of each open deal; None where there are none.

    They are the scores of the newest day before, and those of deals that have none of that day: reading every day took
    longer with each.
    """
    past = [day for day in days if day < as_of.day]
    if not past:
        return None
    scores, day = context.read(_SCORES), max(past)
    scored = f"select lead_id from {_SCORES} where as_of = DATE '{day}' and probability is not null"
    others = context.ask(
        f"select lead_id from gold.deals where status = 'open' and coalesce(created_at < DATE '{day}', true) "
        f"and lead_id not in ({scored}) limit {_FEW_DEALS + 1}",
        *(_SCORES, "gold.deals"),
    )
    return scores if len(others) > _FEW_DEALS else newest(scores, day, [row["lead_id"] for row in others])


def _append_scores(
    context: Context, frames: Mapping[str, DataFrame], as_of: AsOf, known_at: datetime, unfinished: bool
) -> None:
    contract = contracts.table(_SCORES)
    before = None
    same = f"as_of = DATE '{as_of.day}' AND known_as_of = TIMESTAMP '{known_at.isoformat(sep=' ')}'"
    if context.lake.exists(contract.name):
        before = _scores_before(context, _delete_scores(context, same, unfinished), as_of)
    rows = lead_scores(
        frames["gold.deals"], frames["gold.customer_features"], frames.get(SCORED), before, as_of, known_at
    )
    context.save(rows, contract, append=True, whole=True)
    verify(context.read(contract).filter(same), contract)


def verify(frame: DataFrame, contract: Table) -> None:
    """Check the invariants and the key of a written table.

    Raises:
        ConservationError: Rows break an invariant, or a key occurs twice.
    """
    _refuse_broken(_verdict(frame, contract).collect()[0], frame, contract)


def _is_small(lake: Lakehouse, name: str) -> bool:
    """Whether a table is checked with others: its rows are few, and its files say so without the engine."""
    rows = store.count(lake, name) if lake.place.reads_files else None
    return rows is not None and rows < _LARGE


def _verdicts(frames: Mapping[str, DataFrame]) -> dict[str, Any]:
    """What `_verdict` says of tables of gold, asked in one statement."""
    if not frames:
        return {}
    each = [_verdict(frame, gold_contract(name)) for name, frame in frames.items()]
    rows = {row["name"]: row for row in reduce(lambda left, right: left.unionByName(right), each).collect()}
    return {name: rows[name] for name in frames}


def _verdict(frame: DataFrame, contract: Table) -> DataFrame:
    """How often a key of a table is `repeated`, and how many rows break each of its invariants, `broken`: one row."""
    # of several columns their hash: a distinct count would hold them all in memory, and a count by itself reads twice
    key = F.col(contract.key[0]) if len(contract.key) == 1 else F.xxhash64(*contract.key)
    broken = [F.count_if(~F.coalesce(F.expr(rule), F.lit(True))) for rule in contract.invariants]
    return frame.agg(
        F.lit(contract.name).alias("name"),
        (F.count(F.lit(1)) - F.countDistinct(key)).alias("repeated"),
        F.array(*broken).cast("array<bigint>").alias("broken"),
    )


def _refuse_broken(verdict: Any, frame: DataFrame, contract: Table) -> None:
    repeated, counts = verdict["repeated"], verdict["broken"]
    if repeated and len(contract.key) > 1:  # or two keys have one hash
        repeated = frame.count() - frame.select(*contract.key).distinct().count()
    rules = (f"unique {', '.join(contract.key)}", *contract.invariants)
    for rule, count in zip(rules, (repeated, *counts), strict=True):
        if count:
            raise ConservationError(f"{contract.name}: {count} rows break the rule: {rule}", "Report this as a defect.")


def _compare_revenue(frames: Mapping[str, DataFrame]) -> list[str]:
    """Revenue is one number: by deal, by channel, and by day for the deals with a day. Gives what is odd about deals."""
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
