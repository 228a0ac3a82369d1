"""Point-in-time snapshots: what counts at a cutoff, what does not, and that the leak checks would notice."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from medallion.weights import ScoreWeights

CUTOFF = datetime(2025, 3, 1)
BEFORE, AFTER = CUTOFF - timedelta(microseconds=1), CUTOFF + timedelta(days=10)
DAY = timedelta(days=1)

CUSTOMER = (
    "customer_id string, customer_name string, industry string, country string, employee_count bigint, "
    "created_at timestamp, email string, phone string, known_from timestamp, known_until timestamp, told_at timestamp, "
    "tier string, renewal date"
)
LEAD = (
    "lead_id string, customer_id string, source string, owner string, status string, deal_value decimal(18,2), "
    "created_at timestamp, closed_at timestamp, email string, phone string, known_from timestamp, known_until timestamp, "
    "product_id string, expected_close_date date, entry_value decimal(18,2), pushes bigint, told_at timestamp, "
    "competitor string, seats bigint"
)
TOUCH = (
    "interaction_id string, customer_id string, lead_id string, channel string, outcome string, occurred_at timestamp, "
    "known_from timestamp, known_until timestamp, contact_id string"
)
STAGE = "lead_id string, stage string, entered_at timestamp, known_from timestamp, known_until timestamp"


def lead(lead_id="L1", status="open", created=CUTOFF - 30 * DAY, closed=None, known=(None, None), **other):
    return (
        lead_id, other.get("customer", "C1"), other.get("source", "website"), other.get("owner", "Ann"), status,
        Decimal(other.get("value", 100)), created, closed, "a@b.example", None, *known,
        other.get("product", "P1"), other.get("expected"), Decimal(other.get("first", 50)), other.get("pushes", 0),
        other.get("told"), other.get("competitor"), other.get("seats"),
    )  # fmt: skip


def touch(number, at, deal="L1", outcome="positive", known=(None, None), channel="call", customer="C1", who=None):
    return (f"I{number}", customer, deal, channel, outcome, at, *known, who)


@pytest.fixture
def taken(frame):
    """`taken(leads, touches, ...)` gives the snapshots as dicts by deal."""
    from medallion.scoring.snapshots import Facts, snapshots

    def make(leads, touches=(), stages=None, name="Acme", fixed=(), cutoffs=(CUTOFF,), own=(), account=(None,) * 3):
        customer = ("C1", name, "Retail", "Germany", 120, CUTOFF - 99 * DAY, None, "1", None, None, *account)
        facts = Facts(
            frame(CUSTOMER, customer, ("C2", "Other", None, None, None, CUTOFF - 9 * DAY, *[None] * 7)),
            frame(LEAD, *leads),
            frame(TOUCH, *touches),
            None if stages is None else frame(STAGE, *stages),
        )
        rows = snapshots(facts, cutoffs, ScoreWeights(), fixed, own=own).collect()
        return {(row["lead_id"], row["cutoff"].replace(tzinfo=None)): row.asDict() for row in rows}

    return make


def at(found, deal="L1", cutoff=CUTOFF):
    return found.get((deal, cutoff))


TIMES = [
    # what happens, when, whether it counts at the cutoff
    ("a touch just before", BEFORE, None, True),
    ("a touch at the very cutoff", CUTOFF, None, False),
    ("a touch after it", AFTER, None, False),
    ("a touch before it that was learned after it", BEFORE - DAY, AFTER, False),
    ("a touch before it that was learned at the very cutoff", BEFORE - DAY, CUTOFF, False),
    ("a touch before it that was learned before it", BEFORE - DAY, BEFORE, True),
    ("a touch more than a year before", CUTOFF - 366 * DAY, None, False),
]


@pytest.mark.parametrize(("what", "happened", "learned", "counts"), TIMES, ids=[row[0] for row in TIMES])
def test_what_counts_at_a_cutoff(taken, what, happened, learned, counts):
    row = at(taken([lead(created=CUTOFF - 400 * DAY)], [touch(1, happened, known=(learned, None))]))
    assert row["deal_touches"] == row["touches_365d"] == row["positive_365d"] == int(counts)
    assert (row["days_since_touch"] is not None) is counts


def test_the_version_that_was_known_counts(taken):
    """A correction that came after the cutoff changes nothing at it; one before it does."""
    first = touch(1, CUTOFF - 9 * DAY, outcome="positive", known=(None, AFTER))
    corrected = touch(1, CUTOFF - 9 * DAY, outcome="negative", known=(AFTER, None))
    row = at(taken([lead()], [first, corrected]))
    assert (row["deal_touches"], row["positive_365d"], row["negative_365d"]) == (1, 1, 0)
    late = {"first": (None, BEFORE), "corrected": (BEFORE, None)}
    versions = [first[:-3] + late["first"] + (None,), corrected[:-3] + late["corrected"] + (None,)]
    row = at(taken([lead()], versions))
    assert (row["deal_touches"], row["positive_365d"], row["negative_365d"]) == (1, 0, 1)


LIVES = [
    # created, status, closed, known, whether it was open at the cutoff
    (BEFORE, "open", None, None, True),
    (CUTOFF, "open", None, None, False),
    (CUTOFF - DAY, "won", BEFORE, None, False),
    (CUTOFF - DAY, "won", CUTOFF, None, True),
    (CUTOFF - DAY, "lost", AFTER, None, True),
    (CUTOFF - DAY, "lost", None, None, False),
    (CUTOFF - DAY, "open", None, CUTOFF, False),
    (None, "open", None, None, False),
]


@pytest.mark.parametrize(("created", "status", "closed", "known", "is_open"), LIVES)
def test_which_deals_are_open_at_a_cutoff(taken, created, status, closed, known, is_open):
    found = taken([lead(status=status, created=created, closed=closed, known=(known, None))])
    assert (at(found) is not None) is is_open


def test_history_of_the_account_leaves_out_the_deal_itself_and_what_had_not_ended(taken):
    others = [
        lead("L2", "won", CUTOFF - 90 * DAY, BEFORE),
        lead("L3", "lost", CUTOFF - 90 * DAY, CUTOFF),
        lead("L4", "won", CUTOFF - 90 * DAY, AFTER),
        lead("L5", "open", CUTOFF - 90 * DAY),
        lead("L6", "won", CUTOFF - 90 * DAY, BEFORE, customer="C2"),
        lead("L7", "lost", CUTOFF - 90 * DAY, CUTOFF - 2 * DAY, known=(AFTER, None)),
    ]
    row = at(taken([lead(), *others]))
    assert (row["account_closed"], row["account_open"]) == (1, 3)
    assert row["account_win_lift"] == pytest.approx((1 + 5 * 2.5 / 3) / 6 - 2.5 / 3, abs=1e-6)
    assert at(taken([lead()]))["account_win_lift"] == 0


def test_an_owner_counts_only_where_it_is_trusted(taken):
    deals = [lead(), lead("L2", "won", CUTOFF - 90 * DAY, BEFORE, customer="C2"), lead("L3", "lost", CUTOFF - 90 * DAY, BEFORE, owner="Bob", customer="C2")]  # fmt: skip
    assert (at(taken(deals))["owner_win_lift"], at(taken(deals))["owner"]) == (None, None)
    assert at(taken(deals, fixed=["owner"]))["owner"] == "Ann"
    assert at(taken(deals, fixed=["owner"]))["owner_win_lift"] == pytest.approx((1 + 5 * 0.5) / 6 - 0.5, abs=1e-6)


def test_the_stage_is_the_last_one_entered_before(taken):
    stages = [
        ("L1", "new", CUTOFF - 30 * DAY, None, None),
        ("L1", "proposal", BEFORE - 3 * DAY, None, None),
        ("L1", "won", CUTOFF, None, None),
        ("L1", "demo", BEFORE - DAY, AFTER, None),
    ]
    row = at(taken([lead()], stages=stages))
    assert (row["stage"], row["days_in_stage"], row["stage_moves"]) == ("proposal", 3, 2)
    assert at(taken([lead()]))["stage"] is None


def test_names_and_later_amounts_change_nothing(taken):
    touches = [touch(n, CUTOFF - n * DAY) for n in range(1, 5)]
    plain = taken([lead(value=100)], touches)
    assert plain == taken([lead(value=999_999)], touches, name="Renamed & Co")
    assert (at(plain)["amount_at_entry"], at(plain)["product"]) == (50.0, "P1")


@pytest.mark.parametrize(
    ("days", "told", "expected"),
    [
        (12, BEFORE, (0, 13, 2)),  # today is the day before the cutoff
        (-5, BEFORE, (4, 0, 2)),
        (-5, None, (4, 0, 2)),  # what scoring reads has been told
        (
            12,
            CUTOFF,
            (None, None, None),
        ),  # a first delivery of deals that have closed since: the date is that of the end
    ],
)
def test_the_expected_close_counts_from_the_delivery_that_says_it(taken, days, told, expected):
    row = at(taken([lead(expected=(CUTOFF + days * DAY).date(), pushes=2, told=told)]))
    assert (row["days_overdue"], row["days_to_close_date"], row["close_date_pushes"]) == expected


def test_people_and_the_trend_of_a_deal(taken):
    touches = [touch(1, CUTOFF - 3 * DAY, who="K1"), touch(2, CUTOFF - 4 * DAY, who="K2"), touch(3, CUTOFF - 40 * DAY, who="K1")]  # fmt: skip
    row = at(taken([lead()], [*touches, touch(4, AFTER, who="K9"), touch(5, BEFORE, deal="L2", who="K8")]))
    assert (row["deal_people"], row["deal_trend"]) == (2, 0.25)
    assert (at(taken([lead()]))["deal_people"], at(taken([lead()]))["deal_trend"]) == (0, 0.0)


def test_signals_of_a_contract(taken):
    from medallion.scoring.signals import Own

    def own(name, entity, kind, known):
        return Own(name, entity, kind, known, name.capitalize())

    added = [
        own("competitor", "leads", "string", "opening"), own("seats", "leads", "bigint", "delivery"),
        own("tier", "customers", "string", "delivery"), own("renewal", "customers", "date", "opening"),
        own("gone", "leads", "string", "opening"),
    ]  # fmt: skip
    deal = {"competitor": "Norvex", "seats": 40}
    known = at(taken([lead(**deal, told=BEFORE)], own=added, account=(BEFORE, "gold", (CUTOFF + 9 * DAY).date())))
    late = at(taken([lead(**deal, told=CUTOFF)], own=added, account=(CUTOFF, "gold", (CUTOFF + 9 * DAY).date())))
    names = [one.name for one in added]
    assert [known[name] for name in names] == ["Norvex", 40.0, "gold", 10.0, None]
    assert [late[name] for name in names] == ["Norvex", None, None, 10.0, None]


def test_the_first_value_of_a_deal_and_the_pushes_of_its_expected_close(frame):
    from medallion.scoring.snapshots import with_entry

    schema = (
        "lead_id string, currency string, deal_value decimal(18,2), expected_close_date string, known_at timestamp, "
        "_source_file string, _source_row bigint"
    )
    versions = [
        ("L1", "USD", Decimal(10), "2025-01-01", CUTOFF, "a", 1),
        ("L1", "USD", Decimal(30), "2025-03-01", CUTOFF + DAY, "b", 1),
        ("L1", "USD", Decimal(20), "2025-02-01", CUTOFF + 2 * DAY, "c", 1),
        ("L1", "USD", None, "2025-02-02", CUTOFF + 3 * DAY, "d", 1),
        ("L2", "EUR", Decimal(5), None, CUTOFF, "a", 2),
    ]
    from pyspark.sql import functions as F

    rows = with_entry(frame(schema, *versions).withColumn("expected_close_date", F.col("expected_close_date").cast("date")), "USD")  # fmt: skip
    found = [(r["lead_id"], r["entry_value"], r["pushes"]) for r in rows.orderBy("lead_id", "known_at").collect()]
    assert found == [("L1", 10, 0), ("L1", 10, 1), ("L1", 10, 1), ("L1", 10, 2), ("L2", None, 0)]


def test_later_data_changes_no_earlier_snapshot(taken):
    touches = [touch(n, CUTOFF - n * DAY) for n in range(1, 5)]
    cutoffs = [CUTOFF - 7 * DAY, CUTOFF]
    earlier = taken([lead()], touches, cutoffs=cutoffs)
    later = [touch(9, AFTER), touch(8, CUTOFF - DAY, outcome="meeting_booked", known=(AFTER, None))]
    closed = lead(status="lost", closed=AFTER)
    more = [closed, lead("L9", "won", CUTOFF + DAY, AFTER)]
    assert taken(more, [*touches, *later], cutoffs=cutoffs) == earlier
    assert len(earlier) == 2


LABELS = [
    # status, closed, days from the cutoff until the as-of time, won, outcome, its day
    ("won", CUTOFF, 200, 1, "won", 0),
    ("won", CUTOFF + 90 * DAY - timedelta(microseconds=1), 200, 1, "won", 89),
    ("won", CUTOFF + 90 * DAY, 200, 0, "won", 90),
    ("lost", CUTOFF + DAY, 200, 0, "lost", 1),
    ("open", None, 200, 0, None, None),
    ("won", CUTOFF + 300 * DAY, 200, 0, None, None),
    # the horizon is not over: what has not happened yet is no loss
    ("open", None, 89, None, None, None),
    ("won", CUTOFF + 89 * DAY, 89, None, None, None),
    ("lost", CUTOFF + DAY, 89, None, "lost", 1),
    ("won", CUTOFF + DAY, 89, None, "won", 1),
    ("open", None, 90, 0, None, None),
]


@pytest.mark.parametrize(("status", "closed", "days", "won", "outcome", "outcome_days"), LABELS)
def test_labels(frame, status, closed, days, won, outcome, outcome_days):
    from medallion.scoring.snapshots import labelled

    rows = frame("lead_id string, cutoff timestamp", ("L1", CUTOFF))
    leads = frame(LEAD, lead(status=status, closed=closed))
    (found,) = labelled(rows, leads, 90, CUTOFF + days * DAY).collect()
    assert (found["won"], found["outcome"], found["outcome_days"]) == (won, outcome, outcome_days)
    assert found["observed_days"] == days


@pytest.mark.parametrize(("status", "closed"), [("won", BEFORE), ("lost", None)])
def test_what_had_ended_before_has_no_snapshot(frame, status, closed):
    from medallion.scoring.snapshots import labelled

    rows = frame("lead_id string, cutoff timestamp", ("L1", CUTOFF))
    leads = frame(LEAD, lead(status=status, closed=closed))
    assert labelled(rows, leads, 90, CUTOFF + 200 * DAY).collect() == []


def test_cutoffs_go_on_until_a_week_before_the_as_of_time():
    from medallion.scoring.snapshots import AT_MOST, LEAST_OBSERVED, cutoffs

    over = CUTOFF - 90 * DAY
    found = cutoffs(CUTOFF, over - 60 * DAY, 90)
    assert found == [over + 27 * DAY * k for k in (-2, -1, 0, 1, 2, 3)]
    assert cutoffs(CUTOFF, None, 90) == cutoffs(CUTOFF, CUTOFF, 90) == []
    assert len(cutoffs(CUTOFF, datetime(1, 1, 1), 90)) == AT_MOST
    assert len({day.weekday() for day in cutoffs(CUTOFF, CUTOFF - 300 * DAY, 90)}) == 7
    for horizon in range(1, 200):
        assert max(cutoffs(CUTOFF, CUTOFF - 400 * DAY, horizon)) <= CUTOFF - min(horizon, LEAST_OBSERVED) * DAY


def test_the_rule_score_of_a_snapshot_is_that_of_gold(spark, sample):
    from medallion.lakehouse import query, store
    from medallion.scoring.snapshots import current, snapshots

    frames = [store.read(spark, sample, f"silver.{name}_clean") for name in ("customers", "leads", "interactions")]
    history = store.read(spark, sample, "silver.leads_history")
    rows = snapshots(current(*frames, None, history, "USD"), [datetime(2025, 7, 1)], ScoreWeights()).collect()
    with query.connect(sample) as connection:
        gold = query.rows(connection, "select lead_id, lead_score, as_of from gold.deals where status = 'open'")
    assert {row["lead_id"]: row["lead_score"] for row in gold} == {row["lead_id"]: row["lead_score"] for row in rows}
    assert {str(row["as_of"]) for row in gold} == {"2025-06-30"}


# leaks


@pytest.fixture(scope="module")
def learned_late(spark):
    """Facts of a small world, a third of whose touches and some of whose deals were learned late."""
    import numpy as np

    from medallion.scoring.snapshots import Facts

    rng = np.random.default_rng(3)
    start, count = datetime(2025, 1, 1), 60
    customers = [
        (f"C{n}", f"Name {n}", "Retail", "Germany", n * 7, start, None, "1", *[None] * 5) for n in range(count)
    ]
    leads, touches, stages = [], [], []
    for n in range(count * 2):
        created = start + timedelta(days=float(rng.integers(0, 90)), seconds=float(rng.integers(0, 86_400)))
        ended = rng.random() < 0.7
        closed = created + timedelta(days=float(rng.integers(5, 90))) if ended else None
        status = ("won", "lost")[int(rng.integers(0, 2))] if ended else "open"
        leads.append(lead(f"L{n}", status, created, closed, customer=f"C{n % (count - 15)}"))
        stages.append((f"L{n}", "new", created, None, None))
        stages.append((f"L{n}", "proposal", created + timedelta(days=12), None, None))
        for k in range(int(rng.integers(1, 9))):
            time = created + timedelta(days=float(rng.integers(0, 80)), seconds=k)
            late = time + timedelta(days=15) if rng.random() < 0.33 else None
            outcome = ("positive", "negative", "no_answer")[int(rng.integers(0, 3))]
            touches.append(touch(f"{n}-{k}", time, f"L{n}", outcome, (late, None), customer=f"C{n % (count - 15)}"))

    tables = ((CUSTOMER, customers), (LEAD, leads), (TOUCH, touches), (STAGE, stages))
    return Facts(*(spark.createDataFrame(rows, schema) for schema, rows in tables))


CUTOFFS = [datetime(2025, 3, 10), datetime(2025, 4, 1), datetime(2025, 4, 20)]


def test_the_code_does_not_leak(learned_late):
    from medallion.scoring import leaks

    found = leaks.check(learned_late, CUTOFFS, ScoreWeights(), ["owner"])
    assert [item.name for item in found] == list(leaks.CHECKS)
    assert all(item.passed for item in found), found


def _known_always():
    from pyspark.sql import functions as F

    return F.lit(True)


def _closed_at_as_age(original):
    from pyspark.sql import functions as F

    def deals(leads, cutoffs, own):
        ends = leads.select("lead_id", F.col("closed_at").alias("_end"))
        rows = original(leads, cutoffs, own).join(ends, on="lead_id", how="left")
        return rows.withColumn("created_at", F.coalesce("_end", "created_at")).drop("_end")

    return deals


def _any_stage(deals, changes):
    """The stage of whichever row comes first, instead of the last one entered."""
    from pyspark.sql import functions as F

    from medallion.scoring import snapshots

    joined = deals.select("lead_id", "cutoff").join(changes, on="lead_id", how="inner")
    seen = joined.filter(snapshots.happened(F.col("entered_at")) & snapshots.was_known())
    return seen.groupBy("lead_id", "cutoff").agg(
        F.first("stage").alias("stage"),
        F.max("entered_at").alias("stage_entered_at"),
        F.count("stage").alias("stage_moves"),
    )


def _bugs():
    from medallion.scoring import snapshots

    return [
        ("strict at the cutoff", "happened", lambda event: event <= _cutoff(), {"nothing at the beginning"}),
        ("known-time filter", "was_known", _known_always, {"truncate the future", "shuffle the future"}),
        ("end of the account's deals", "has_ended", lambda closed: closed.isNotNull(), {"truncate the future", "flip later outcomes"}),
        ("own deal left out", "is_another", lambda lead_id: _known_always(), {"nothing at the beginning"}),
        ("closed-at as a signal", "open_deals", _closed_at_as_age(snapshots.open_deals), {"truncate the future"}),
        ("order of rows", "_of_stages", _any_stage, {"order of rows"}),
    ]  # fmt: skip


def _cutoff():
    from pyspark.sql import functions as F

    return F.col("cutoff")


@pytest.mark.parametrize("place", range(6))
@pytest.mark.slow
def test_every_leak_that_is_put_in_is_noticed(learned_late, monkeypatch, place):
    from medallion.scoring import leaks, snapshots

    _, name, broken, noticed = _bugs()[place]
    monkeypatch.setattr(snapshots, name, broken)
    failed = {item.name for item in leaks.check(learned_late, CUTOFFS, ScoreWeights()) if item.differ}
    assert failed & noticed, failed
