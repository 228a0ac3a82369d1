"""Point-in-time snapshots: what was known of each open deal at a cutoff, and its outcome.

The time line of one row:

    ... touches, stages, earlier deals ...  | cutoff |  ... won within the horizon? ...  | horizon over
    known and happened strictly before it ->          -> the label, read from what is known today

Rows that came with the first delivery are taken to have been known when they happened: a first export is history. What
came later is known from the run that read it, and only then.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from medallion.contracts import Column as Declared
from medallion.contracts import Table
from medallion.contracts.model import ENDED, STANDING
from medallion.features import ScoreWeights, account, engagement, in_order, touches
from medallion.features.deals import best_source_weight
from medallion.scoring import rules, signals
from medallion.scoring.signals import SIGNALS, Cutoff, Own

#: Days between cutoffs; no multiple of 7, or all would fall on one day of the week and scores on others.
EVERY_DAYS = 27
#: Cutoffs at most: more than five years back tells of another market.
AT_MOST = 65
#: Days before the as-of time that the last cutoff lies at least: the length of the first period.
LEAST_OBSERVED = 7

CONTRACT = Table(
    name="gold.lead_snapshots",
    grain="one row per deal and cutoff at which it was open",
    description="What the last training learned from: signals as they were known at the cutoff, and the outcome.",
    key=("lead_id", "cutoff"),
    columns=(
        Declared("lead_id", "string", "The deal."),
        Declared("customer_id", "string", "Its account."),
        Declared("cutoff", "timestamp", "Everything strictly before it was known; nothing from it on."),
        Declared("won", "bigint", "1 when the deal was won from the cutoff on and within the horizon, else 0; null while the horizon is not over."),
        Declared("outcome", "string", "How the deal ended from the cutoff on, won or lost; null while it is open."),
        Declared("outcome_days", "bigint", "Whole days from the cutoff to that end.", unit="days"),
        Declared("observed_days", "bigint", "Days from the cutoff to the last outcome that is known.", unit="days"),
        Declared("lead_score", "bigint", "Rule score of the account at the cutoff.", unit="0-100"),
        *(signal.declared for signal in SIGNALS),
    ),
    invariants=(
        "won IN (0, 1)",
        "days_open >= 0",
        "lead_score BETWEEN 0 AND 100",
        "(outcome IS NULL) = (outcome_days IS NULL)",
        "outcome_days BETWEEN 0 AND observed_days - 1",
    ),
)  # fmt: skip


def contract(own: Collection[Own] = (), horizon_days: int | None = None) -> Table:
    """The table with the signals that contracts add; with a horizon also what its labels must be by it."""
    labels: tuple[str, ...] = ()
    if horizon_days is not None:
        labels = (
            f"(won IS NULL) = (observed_days < {horizon_days})",
            f"won = CAST(coalesce(outcome = 'won' AND outcome_days < {horizon_days}, false) AS INT)",
        )
    columns = (*CONTRACT.columns, *(signal.declared for signal in own))
    return replace(CONTRACT, columns=columns, invariants=(*CONTRACT.invariants, *labels))


@dataclass(frozen=True)
class Facts:
    """What snapshots are made from: silver history with the time in which each version was the one known.

    Each frame has `known_from` (null: since it happened) and `known_until` (null: still). Those of deals and accounts have
    `told_at` too, when the version was really delivered, and deals have `entry_value` and `pushes`, as `with_entry` says.
    """

    customers: DataFrame
    leads: DataFrame
    interactions: DataFrame
    stage_changes: DataFrame | None = None


def current(
    customers: DataFrame,
    leads: DataFrame,
    interactions: DataFrame,
    stage_changes: DataFrame | None,
    history: DataFrame,
    currency: str,
) -> Facts:
    """Facts from the tables of current versions, all of which are known: what scoring reads.

    Args:
        customers: `silver.customers_clean`.
        leads: `silver.leads_clean`.
        interactions: `silver.interactions_clean`.
        stage_changes: `silver.stage_changes_clean`; None without.
        history: `silver.leads_history`, for the first value of a deal and the moves of its expected close date.
        currency: That of the lakehouse.
    """

    def known(frame: DataFrame) -> DataFrame:
        nothing = F.lit(None).cast("timestamp")
        return frame.withColumns({"known_from": nothing, "known_until": nothing, "told_at": nothing})

    stages = None if stage_changes is None else known(stage_changes)
    standing = history.filter(F.col("_outcome").isin(*STANDING))
    of_deal = with_entry(standing, currency).groupBy("lead_id").agg(
        F.min("entry_value").alias("entry_value"), F.max("pushes").alias("pushes")
    )  # fmt: skip
    leads = known(leads).join(of_deal, on="lead_id", how="left")
    return Facts(known(customers), leads, known(interactions), stages)


def with_entry(versions: DataFrame, currency: str, *, single: bool = False) -> DataFrame:
    """Versions of deals with `entry_value`, the value in the first of them, and `pushes`, how often the expected close
    date had moved to a later day by then.

    Args:
        versions: Versions that were current.
        currency: Values in another one are unknown.
        single: Promise that no deal has two.
    """
    value = F.when(F.col("currency") == F.lit(currency), F.col("deal_value"))
    if single:
        return versions.withColumns({"entry_value": value, "pushes": F.lit(0).cast("bigint")})
    in_order = Window.partitionBy("lead_id").orderBy("known_at", "_source_file", "_source_row")
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    before = F.lag("expected_close_date").over(in_order)
    moved = versions.withColumns(
        {
            "_pushed": F.coalesce((F.col("expected_close_date") > before).cast("bigint"), F.lit(0)),
            "_first": F.when(F.row_number().over(in_order) == 1, value),
        }
    )
    return moved.withColumns({"entry_value": F.max("_first").over(so_far), "pushes": F.sum("_pushed").over(so_far)})


def versions(history: DataFrame, key: str, first_known: datetime, *, single: bool = False) -> DataFrame:
    """The versions that were ever current and said that their record is there, each with `known_from` and `known_until`.

    Args:
        history: A table `silver.<entity>_history`.
        key: Its key column.
        first_known: `known_at` of the first delivery.
        single: Promise that no key has two such versions; saves sorting them.
    """
    current = history.filter(F.col("_outcome").isin(*STANDING, *ENDED))
    first = F.lit(first_known.isoformat(sep=" ")).cast("timestamp")
    learned = F.when(F.col("known_at") > first, F.col("known_at"))
    if single:
        until = F.lit(None).cast("timestamp")
    else:
        until = F.lead("known_at").over(Window.partitionBy(key).orderBy("known_at", "_source_file", "_source_row"))
    current = current.withColumns({"known_from": learned, "known_until": until, "told_at": F.col("known_at")})
    return current.filter(F.col("_outcome").isin(*STANDING))  # an end is known until a record comes back


def cutoffs(as_of: datetime, first: datetime | None, horizon_days: int, every: int = EVERY_DAYS) -> list[datetime]:
    """Ends of days after `first`, `every` days apart, earliest first: one of them a whole horizon before the as-of time.

    Those after it have a horizon that is not over: they tell what came until the as-of time. The last lies at least
    `LEAST_OBSERVED` days before it.
    """
    last = as_of - timedelta(days=horizon_days)
    last += timedelta(days=every) * max(0, (horizon_days - LEAST_OBSERVED) // every)
    times: list[datetime] = []
    while first is not None and last > first and len(times) < AT_MOST:
        times.append(last)
        last -= timedelta(days=every)
    return times[::-1]


def happened(event: Column) -> Column:
    """Whether something had happened at the row's cutoff: strictly before it."""
    return event < F.col("cutoff")


def was_known() -> Column:
    """Whether a version was the one known at the row's cutoff: learned strictly before it, and not superseded yet."""
    learned = F.coalesce(F.col("known_from") < F.col("cutoff"), F.lit(True))
    return learned & F.coalesce(F.col("known_until") >= F.col("cutoff"), F.lit(True))


def was_told() -> Column:
    """Whether a version had been delivered at the row's cutoff; one of a first delivery tells nothing of the time before."""
    return F.coalesce(F.col("told_at") < F.col("cutoff"), F.lit(True))


def has_ended(closed_at: Column) -> Column:
    """Whether a deal had ended at the row's cutoff."""
    return happened(closed_at)


def is_another(lead_id: Column) -> Column:
    """Whether a deal is not the one that the row is about."""
    return lead_id != F.col("lead_id")


def snapshots(
    facts: Facts,
    cutoffs: Collection[datetime],
    weights: ScoreWeights,
    fixed: Collection[str] = (),
    accounts: Collection[str] | None = None,
    own: Collection[Own] = (),
) -> DataFrame:
    """One row per cutoff and deal that was open then: keys, `lead_score` and all signals.

    Args:
        facts: Versions of silver rows.
        cutoffs: Ends of days.
        weights: Of the rule score.
        fixed: Columns of a deal that the CRM is trusted not to change once it was opened. Only `owner` makes a
            difference; without it there is no owner in the signals.
        accounts: Only deals of these; None is all. What all deals tell together still comes from all.
        own: Signals that contracts add; one whose column is not there is unknown.
    """
    cutoff = Cutoff(weights)
    deals = open_deals(facts.leads, cutoffs, [signal for signal in own if signal.entity == "leads"])
    if accounts is not None:
        deals = deals.filter(F.col("customer_id").isin(list(accounts)))
    of_account = [signal for signal in own if signal.entity == "customers"]
    parts = [_of_account(deals, facts.customers, of_account), _of_touches(deals, facts.interactions, cutoff)]
    parts.append(_of_history(deals, facts.leads, cutoff))
    if facts.stage_changes is not None:
        parts.append(_of_stages(deals, facts.stage_changes))
    whole = reduce(lambda joined, part: joined.join(part, on=["lead_id", "cutoff"], how="left"), parts, deals)
    whole = whole.join(_of_everyone(facts.leads, cutoffs), on="cutoff", how="left")
    if "owner" in fixed:
        whole = whole.join(_of_owners(facts.leads, cutoffs), on=["owner", "cutoff"], how="left")
    whole = _with_rest(whole.withColumns({name: F.coalesce(name, F.lit(0)) for name in _COUNTS}))
    columns = [F.col(s.name) if s in _AGGREGATED else s.column(cutoff).cast(s.type).alias(s.name) for s in SIGNALS]
    columns += [signal.column(cutoff) for signal in own]
    return _with_rule_score(whole, cutoff).select("lead_id", "customer_id", "cutoff", "lead_score", *columns)


#: Signals that come out of aggregations; those of them that count something are 0 where there was nothing.
_AGGREGATED = (*signals.TOUCHES, *signals.HISTORY)
_COUNTS = (
    "account_won",
    *(s.name for s in _AGGREGATED if s.unit in ("touches", "fading touches", "deals", "people")),
    "deal_trend",
)
_OPTIONAL = {
    "owner_won": "bigint",
    "owner_ended": "bigint",
    "stage": "string",
    "stage_entered_at": "timestamp",
    "stage_moves": "bigint",
}


def _with_rest(whole: DataFrame) -> DataFrame:
    """With the columns that only some exports can fill, null where this one cannot; an owner that is not trusted is null."""
    absent = {name: F.lit(None).cast(kind) for name, kind in _OPTIONAL.items() if name not in whole.columns}
    if "owner_won" in absent:
        absent["owner"] = F.lit(None).cast("string")
    return whole.withColumns(absent) if absent else whole


def labelled(rows: DataFrame, leads: DataFrame, horizon_days: int, as_of: datetime) -> DataFrame:
    """Snapshots with their outcome, as far as it is known, and `won` within the horizon where that is over.

    Deals of which we know today that they had ended before the cutoff, or that ended on a day no one wrote down, are
    left out: nobody could have predicted their outcome.

    Args:
        rows: Snapshots, with cutoffs before `as_of`.
        leads: The latest versions, `silver.leads_clean`.
        horizon_days: Length of the horizon.
        as_of: No outcome from this time on is known.
    """
    until = F.lit(as_of.isoformat(sep=" ")).cast("timestamp")
    is_known = F.col("closed_at") < until
    ends = leads.select(
        "lead_id", F.when(F.coalesce(is_known, F.lit(True)), F.col("status")).alias("end"), "closed_at"
    )  # fmt: skip
    joined = rows.join(ends, on="lead_id", how="inner")
    joined = joined.filter(
        (F.col("closed_at") >= F.col("cutoff")) | (F.col("closed_at").isNull() & (F.col("end") == "open"))
    )
    observed = F.datediff(until, F.col("cutoff")).cast("bigint")
    is_over = F.coalesce(F.col("end") != "open", F.lit(False))
    within = F.col("closed_at") < F.col("cutoff") + F.expr(f"interval {int(horizon_days)} days")
    won = F.coalesce((F.col("end") == "won") & within, F.lit(False)).cast("bigint")
    return joined.withColumns(
        {
            "won": F.when(observed >= horizon_days, won),
            "outcome": F.when(is_over, F.col("end")),
            "outcome_days": F.when(is_over, F.datediff(F.col("closed_at"), F.col("cutoff")).cast("bigint")),
            "observed_days": observed,
        }
    ).drop("end", "closed_at")


def _at(frame: DataFrame, cutoffs: Collection[datetime]) -> DataFrame:
    """Every row at every cutoff."""
    days = F.array(*(F.lit(cutoff.isoformat(sep=" ")).cast("timestamp") for cutoff in sorted(cutoffs)))
    return frame.withColumn("cutoff", F.explode(days))


def _own_columns(frame: DataFrame, own: Collection[Own]) -> list[Column]:
    """Columns that contracts add to an entity, as far as they were known at the row's cutoff."""

    def value(signal: Own) -> Column:
        if signal.name not in frame.columns:
            return F.lit(None).cast(signal.type)
        return F.col(signal.name) if signal.known == "opening" else F.when(was_told(), F.col(signal.name))

    return [value(signal).alias(signal.name) for signal in own]


def open_deals(leads: DataFrame, cutoffs: Collection[datetime], own: Collection[Own]) -> DataFrame:
    """Deals at the cutoffs at which they were open, as they were known then."""
    closed = (F.col("status") != "open") & F.coalesce(has_ended(F.col("closed_at")), F.lit(True))
    at = _at(leads, cutoffs).filter(happened(F.col("created_at")) & was_known() & ~closed)
    told_date = F.when(was_told(), F.col("expected_close_date")).alias("told_close_date")
    return at.select(
        *("lead_id", "customer_id", "cutoff", "source", "owner", "created_at"),
        *("product_id", "entry_value", "pushes", told_date, *_own_columns(leads, own)),
    )


def _of_account(deals: DataFrame, customers: DataFrame, own: Collection[Own]) -> DataFrame:
    accounts = customers.select(
        "customer_id",
        "industry",
        "country",
        "employee_count",
        F.col("created_at").alias("account_created_at"),
        F.col("email").isNotNull().alias("account_has_email"),
        F.col("phone").isNotNull().alias("account_has_phone"),
        "known_from",
        "known_until",
        "told_at",
        *(signal.name for signal in own if signal.name in customers.columns),
    )
    joined = (
        deals.select("lead_id", "cutoff", "customer_id")
        .join(accounts, on="customer_id", how="inner")
        .filter(was_known())
    )
    names = ("industry", "country", "employee_count", "account_created_at", "account_has_email", "account_has_phone")
    return joined.select("lead_id", "cutoff", *names, *_own_columns(accounts, own))


def _of_touches(deals: DataFrame, interactions: DataFrame, cutoff: Cutoff) -> DataFrame:
    """Signals from the touches of a deal's account, and what the rule score takes from them."""
    account_touches = interactions.select(
        "customer_id",
        F.col("lead_id").alias("touch_lead"),
        *("channel", "outcome", "occurred_at", "known_from", "known_until"),
        # a lakehouse of before contacts has no such column until the next delivery
        (F.col("contact_id") if "contact_id" in interactions.columns else F.lit(None).cast("string")).alias(
            "contact_id"
        ),
    )
    joined = deals.select("lead_id", "cutoff", "customer_id").join(account_touches, on="customer_id", how="inner")
    recent = cutoff.days_since(F.col("occurred_at")) < signals.LOOK_BACK_DAYS
    seen = joined.filter(happened(F.col("occurred_at")) & was_known() & recent)
    return seen.groupBy("lead_id", "cutoff").agg(
        *signals.TOUCHES.columns(cutoff),
        engagement.faded_nano(F.sum(engagement.weighed_nano(cutoff)), cutoff).alias("engagement_nano"),
        touches.best_recent_intent(cutoff).alias("best_recent_intent"),
    )


def _of_history(deals: DataFrame, leads: DataFrame, cutoff: Cutoff) -> DataFrame:
    """Signals from the account's other deals, and what the rule score takes from all its deals."""
    ended = (F.col("status") != "open") & has_ended(F.col("closed_at"))
    others = leads.select(
        "customer_id",
        F.col("lead_id").alias("other"),
        F.col("source"),
        "status",
        F.col("created_at").alias("other_created_at"),
        "closed_at",
        "email",
        "phone",
        "known_from",
        "known_until",
    )
    joined = deals.select("lead_id", "cutoff", "customer_id").join(others, on="customer_id", how="inner")
    there = joined.filter(happened(F.col("other_created_at")) & was_known())
    status = F.when(ended, F.col("status")).when((F.col("status") == "open") | F.col("closed_at").isNotNull(), "open")
    with_status = there.withColumn("other_status", F.when(is_another(F.col("other")), status))
    return with_status.groupBy("lead_id", "cutoff").agg(
        *signals.HISTORY.columns(cutoff),
        F.count_if(F.col("other_status") == "won").alias("account_won"),
        best_source_weight(cutoff).alias("best_source_weight"),
        (F.count("email") > 0).alias("deal_has_email"),
        (F.count("phone") > 0).alias("deal_has_phone"),
    )


def _of_stages(deals: DataFrame, changes: DataFrame) -> DataFrame:
    """The stage that a deal was in, since when, and how often it had entered one."""
    entries = changes.select("lead_id", "stage", "entered_at", "known_from", "known_until")
    joined = deals.select("lead_id", "cutoff").join(entries, on="lead_id", how="inner")
    seen = joined.filter(happened(F.col("entered_at")) & was_known())
    # a sortable text of time and stage: the latest entry, and of two at the same time always the same one
    coded = F.concat(F.lpad((F.unix_micros("entered_at") + F.lit(10**17)).cast("string"), 19, "0"), F.col("stage"))
    latest = seen.groupBy("lead_id", "cutoff").agg(
        F.max(coded).alias("_latest"), F.max("entered_at").alias("stage_entered_at"), F.count("stage").alias("stage_moves")
    )  # fmt: skip
    return latest.withColumn("stage", F.expr("substring(_latest, 20)")).drop("_latest")


def _ended(leads: DataFrame, cutoffs: Collection[datetime]) -> DataFrame:
    deals = leads.filter((F.col("status") != "open") & F.col("closed_at").isNotNull())
    deals = deals.select("lead_id", "owner", "status", "closed_at", "known_from", "known_until")
    return _at(deals, cutoffs).filter(has_ended(F.col("closed_at")) & was_known())


def _of_everyone(leads: DataFrame, cutoffs: Collection[datetime]) -> DataFrame:
    return _ended(leads, cutoffs).groupBy("cutoff").agg(
        F.count_if(F.col("status") == "won").alias("all_won"), F.count(F.lit(1)).alias("all_ended")
    )  # fmt: skip


def _of_owners(leads: DataFrame, cutoffs: Collection[datetime]) -> DataFrame:
    return _ended(leads, cutoffs).groupBy("owner", "cutoff").agg(
        F.count_if(F.col("status") == "won").alias("owner_won"), F.count(F.lit(1)).alias("owner_ended")
    )  # fmt: skip


def _with_rule_score(whole: DataFrame, cutoff: Cutoff) -> DataFrame:
    """With `lead_score` of the account at the cutoff, by the functions that make it in gold."""
    no = F.lit(False)
    row = whole.withColumns(
        {
            "size_band": account.size_band(cutoff),
            "days_since_last_interaction": F.col("days_since_touch"),
            "has_email": F.coalesce("account_has_email", no) | F.coalesce("deal_has_email", no),
            "has_phone": F.coalesce("account_has_phone", no) | F.coalesce("deal_has_phone", no),
        }
    )
    for step in in_order([part for part in rules.RULES if part.name in (*rules.PARTS, "lead_score")]):
        row = row.withColumns({part.name: part.column(cutoff) for part in step})
    return row
