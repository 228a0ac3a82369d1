"""Whether snapshots see the future: five checks on the code that makes them, with a sample of the real rows.

Each changes something that a snapshot must not depend on, makes the snapshots again and compares. Together they catch
what each alone would miss.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion.scoring import snapshots
from medallion.scoring.signals import Own
from medallion.scoring.snapshots import Facts
from medallion.weights import ScoreWeights

if TYPE_CHECKING:
    import pyarrow as pa

#: Accounts in the sample, and openings of deals that are taken as cutoffs.
ACCOUNTS, OPENINGS = 200, 12

CHECKS = {
    "shuffle the future": "touches and stages from the cutoff on, or learned from it on, are given to other accounts",
    "truncate the future": "everything from the cutoff on, or learned from it on, is taken away",
    "flip later outcomes": "deals that end from the cutoff on are won instead of lost and the other way round",
    "nothing at the beginning": "at the instant a deal is opened, nothing of it is known, and it is not its own past",
    "order of rows": "all tables come in another order",
}


@dataclass(frozen=True)
class Checked:
    """Outcome of one check: how many snapshots were compared, and how many differed."""

    name: str
    rows: int
    differ: int

    @property
    def passed(self) -> bool:
        """Whether there was something to compare and it was the same."""
        return self.rows > 0 and self.differ == 0


def sample(facts: Facts, accounts: int = ACCOUNTS) -> Facts:
    """The facts about some accounts that have deals, always the same ones."""
    some = (
        facts.leads.select("customer_id").distinct().orderBy(F.xxhash64("customer_id"), "customer_id").limit(accounts)
    )

    def of(frame: DataFrame) -> DataFrame:
        return frame.join(some, on="customer_id", how="left_semi")

    deals = of(facts.leads)
    stages = facts.stage_changes
    return Facts(
        of(facts.customers),
        deals,
        of(facts.interactions),
        None if stages is None else stages.join(deals.select("lead_id"), on="lead_id", how="left_semi"),
    )


def check(
    facts: Facts,
    cutoffs: Collection[datetime],
    weights: ScoreWeights,
    fixed: Collection[str] = (),
    own: Collection[Own] = (),
) -> list[Checked]:
    """Run the five checks.

    Args:
        facts: A sample of the facts; every check makes all its snapshots anew.
        cutoffs: Ends of days; the one in the middle is taken, or the nearest at which a deal of the sample was open.
        weights: Of the rule score.
        fixed: As for `snapshots`.
        own: As for `snapshots`.
    """
    cutoff = _in_the_middle(facts, cutoffs)

    def rows(of: Facts, at: Collection[datetime]) -> pa.Table:
        table = snapshots.snapshots(of, at, weights, fixed, own=own).toArrow()
        return table.sort_by([("lead_id", "ascending"), ("cutoff", "ascending")])

    plain = rows(facts, [cutoff])
    changes: dict[str, Callable[[Facts, datetime], Facts]] = {
        "shuffle the future": _shuffled,
        "truncate the future": partial(_truncated, own=own),
        "flip later outcomes": _flipped,
        "order of rows": _reordered,
    }
    results = {}
    for name, change in changes.items():
        again = rows(change(facts, cutoff), [cutoff])
        results[name] = Checked(name, len(plain), _differ(plain.to_pylist(), again.to_pylist()))
    results["nothing at the beginning"] = _at_the_beginning(facts, rows)
    return [results[name] for name in CHECKS]


def _in_the_middle(facts: Facts, cutoffs: Collection[datetime]) -> datetime:
    """The cutoff in the middle of those at which a deal of the sample was open; of all where none ever was."""
    every = sorted(cutoffs)
    middle = every[len(every) // 2]
    at = snapshots.open_deals(facts.leads, cutoffs, ()).select("cutoff").distinct().collect()
    return min((_naive(row["cutoff"]) for row in at), key=lambda time: (abs(time - middle), time), default=middle)


def _differ(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> int:
    """How many keys are in one of two lists only, or have different rows."""
    by_key = {(row["lead_id"], row["cutoff"]): row for row in right}
    differ = sum(by_key.pop((row["lead_id"], row["cutoff"]), None) != row for row in left)
    return differ + len(by_key)


def _literal(cutoff: datetime) -> Column:
    return F.lit(cutoff.isoformat(sep=" ")).cast("timestamp")


def _later(event: str, cutoff: datetime) -> Column:
    """Events from the cutoff on, and those that were learned from it on."""
    at = _literal(cutoff)
    return F.coalesce(F.col(event) >= at, F.lit(False)) | F.coalesce(F.col("known_from") >= at, F.lit(False))


def _shuffled(facts: Facts, cutoff: datetime) -> Facts:
    touches, later = facts.interactions, _later("occurred_at", cutoff)
    accounts = facts.leads.groupBy().agg(F.min("customer_id").alias("_one"), F.max("lead_id").alias("_deal"))
    moved = touches.join(accounts, how="cross").withColumns(
        {
            "customer_id": F.when(later, F.col("_one")).otherwise(F.col("customer_id")),
            "lead_id": F.when(later, F.col("_deal")).otherwise(F.col("lead_id")),
            "outcome": F.when(later, F.lit("meeting_booked")).otherwise(F.col("outcome")),
        }
    )
    stages = facts.stage_changes
    if stages is not None:
        later = _later("entered_at", cutoff)
        stages = stages.withColumn("stage", F.when(later, F.lit("another")).otherwise(F.col("stage")))
    return replace(facts, interactions=moved.drop("_one", "_deal"), stage_changes=stages)


def _truncated(facts: Facts, cutoff: datetime, own: Collection[Own] = ()) -> Facts:
    at = _literal(cutoff)
    delivered = F.coalesce(F.col("told_at") < at, F.lit(True))

    def as_told(frame: DataFrame, entity: str, *names: str) -> DataFrame:
        """Without what changes as long as a deal is open, of versions that were delivered from the cutoff on."""
        added = (signal.name for signal in own if signal.entity == entity and signal.known == "delivery")
        there = [name for name in (*names, *added) if name in frame.columns]
        return frame.withColumns({name: F.when(delivered, F.col(name)) for name in there}) if there else frame

    def before(frame: DataFrame, event: str | None) -> DataFrame:
        there = frame.filter(~_later(event or "known_from", cutoff))
        until = F.when(F.col("known_until") < at, F.col("known_until"))
        return there.withColumn("known_until", until)

    leads = as_told(before(facts.leads, "created_at"), "leads", "deal_value", "expected_close_date")
    ended = F.coalesce(F.col("closed_at") < at, F.col("status") != "open")
    leads = leads.withColumns(
        {
            "status": F.when(ended, F.col("status")).otherwise(F.lit("open")),
            "closed_at": F.when(ended, F.col("closed_at")),
        }
    )
    stages = facts.stage_changes
    return Facts(
        as_told(before(facts.customers, None), "customers"),
        leads,
        before(facts.interactions, "occurred_at"),
        None if stages is None else before(stages, "entered_at"),
    )


def _flipped(facts: Facts, cutoff: datetime) -> Facts:
    later = F.coalesce(F.col("closed_at") >= _literal(cutoff), F.lit(False))
    other = F.when(F.col("status") == "won", "lost").when(F.col("status") == "lost", "won").otherwise(F.col("status"))
    return replace(facts, leads=facts.leads.withColumn("status", F.when(later, other).otherwise(F.col("status"))))


def _reordered(facts: Facts, cutoff: datetime) -> Facts:
    stages = facts.stage_changes
    return Facts(
        _backwards(facts.customers),
        _backwards(facts.leads),
        _backwards(facts.interactions),
        None if stages is None else _backwards(stages),
    )


def _backwards(frame: DataFrame) -> DataFrame:
    """The rows the other way round, held as data: an engine would leave out a sort that nothing asks for."""
    table = frame.toArrow()
    if not table.num_rows:
        return frame
    return frame.sparkSession.createDataFrame(table.take(list(range(table.num_rows))[::-1]))


def _at_the_beginning(facts: Facts, rows: Callable[[Facts, Collection[datetime]], pa.Table]) -> Checked:
    """At the opening of deals, to the instant: no snapshot of them, and nothing counts that happens at that instant."""
    name = "nothing at the beginning"
    opened = facts.leads.filter("created_at IS NOT NULL").orderBy(F.xxhash64("lead_id"), "lead_id").limit(OPENINGS)
    begun = {(row["lead_id"], _naive(row["created_at"])) for row in opened.collect()}
    one_each = facts.interactions.groupBy("customer_id").agg(F.min("interaction_id").alias("interaction_id"))
    touched = facts.interactions.join(one_each, on=["customer_id", "interaction_id"], how="left_semi")
    some = touched.orderBy(F.xxhash64("interaction_id"), "interaction_id").limit(OPENINGS)
    happening = {(row["customer_id"], _naive(row["occurred_at"])): row["interaction_id"] for row in some.collect()}
    at = sorted({time for _, time in (*begun, *happening)})
    if not at:
        return Checked(name, 0, 0)
    plain = rows(facts, at)
    early = sum((row["lead_id"], _naive(row["cutoff"])) in begun for row in plain.to_pylist())
    without = facts.interactions.filter(~F.col("interaction_id").isin(list(happening.values())))
    there, gone = (
        [row for row in table.to_pylist() if (row["customer_id"], _naive(row["cutoff"])) in happening]
        for table in (plain, rows(replace(facts, interactions=without), at))
    )
    first = facts.leads.groupBy("customer_id").agg(F.min("lead_id").alias("lead_id"))
    alone = facts.leads.join(first, on=["customer_id", "lead_id"], how="left_semi")
    lone_deals = rows(replace(facts, leads=alone), at).to_pylist()
    itself = sum(row["account_closed"] + row["account_open"] > 0 for row in lone_deals)
    return Checked(name, len(begun) + len(there), early + itself + _differ(there, gone))


def _naive(time: datetime) -> datetime:
    return time.replace(tzinfo=None)
