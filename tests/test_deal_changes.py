"""`gold.deal_changes`: what was so on any day, by what was known on any day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tables_of_gold import gold

from medallion.features import AsOf, leads_as_of

VERSION = (
    "lead_id string, customer_id string, product_id string, source string, owner string, deal_value decimal(18,2), "
    "expected_close_date date, status string, stage string, created_at timestamp, updated_at timestamp, "
    "closed_at timestamp, _outcome string, _ended_at timestamp, known_at timestamp, _source_file string, _source_row bigint"
)
NAMES = [word.split()[0] for word in VERSION.replace("decimal(18,2)", "decimal").split(", ")]
STAY = "lead_id string, stage string, entered_at timestamp, left_at timestamp"
CHANGE = (
    "lead_id string, stage string, entered_at timestamp, known_at timestamp, _source_file string, _source_row bigint"
)
DAY0 = datetime(2025, 1, 1)
END = AsOf(DAY0 + timedelta(days=40))


def day(n, hour=0):
    return None if n is None else DAY0 + timedelta(days=n, hours=hour)


def version(lead="L1", *, known, created=0, updated=None, closed=None, status="open", ended=None, place=0, **says):
    row = dict.fromkeys(NAMES) | {
        "lead_id": lead,
        "customer_id": "C1",
        "owner": "Ann",
        "deal_value": 100,
        "stage": "demo",
    }
    row |= {"created_at": day(created), "updated_at": day(updated), "closed_at": day(closed), "status": status}
    row |= {
        "_outcome": "accepted" if ended is None else "withdrawn",
        "_ended_at": day(ended),
        "known_at": day(known, 8),
    }
    row |= {"_source_file": "leads.csv", "_source_row": place, **says}
    return row | {"deal_value": None if row["deal_value"] is None else Decimal(row["deal_value"])}


@pytest.fixture
def changes_of(spark):
    def made(versions, stays=(), changes=None, as_of=END, zone="UTC", only=None):
        rows = spark.createDataFrame([tuple(row[name] for name in NAMES) for row in versions], VERSION)
        given = None if changes is None else spark.createDataFrame([tuple(row) for row in changes], CHANGE)
        history = spark.createDataFrame([tuple(stay) for stay in stays], STAY)
        only = None if only is None else spark.createDataFrame([(key,) for key in only], "lead_id string")
        found = [row.asDict() for row in gold.deal_changes(rows, given, history, as_of, zone, only).collect()]
        return sorted(found, key=lambda row: (row["lead_id"], row["valid_from"], row["known_from"]))

    return made


def at(rows, lead, time, known=None):
    """The row that holds at a time by what was known at another; None when there is none."""
    found = [
        row
        for row in rows
        if row["lead_id"] == lead
        and row["valid_from"] <= time
        and (row["valid_to"] is None or time < row["valid_to"])
        and (
            row["known_to"] is None
            if known is None
            else row["known_from"] <= known and (row["known_to"] is None or known < row["known_to"])
        )
    ]
    assert len(found) <= 1, found
    return found[0] if found else None


def expected(versions, time, known):
    """The version that holds at a time by what was known, from the definition; `withdrawn`, or None before the opening."""
    there = [row for row in versions if row["known_at"] <= known]
    if not there:
        return None

    def since(row):
        start = row["_ended_at"] or row["updated_at"] or row["known_at"]
        return start if row["status"] == "open" or row["_ended_at"] else min(start, row["closed_at"] or start)

    def order(row):
        return (row["updated_at"] or datetime.min, row["known_at"], row["_source_file"], row["_source_row"])

    held = [row for row in there if since(row) <= time]
    chosen = max(held, key=order) if held else min(sorted(there, key=order, reverse=True), key=since)
    if chosen["_ended_at"]:
        return "withdrawn"
    last = max((row for row in there if not row["_ended_at"]), key=order)
    if time < (last["created_at"] or min(map(since, there))):
        return None
    closed = chosen["status"] != "open" and (chosen["closed_at"] or since(chosen)) <= time
    return {**chosen, "status": chosen["status"] if closed else "open"}


#: Not shrunk: each try is a query of the engine.
RANDOM = settings(
    max_examples=5, derandomize=True, deadline=None, suppress_health_check=[*HealthCheck], phases=[Phase.generate]
)
SAYS = ("status", "owner", "customer_id", "expected_close_date")
DAYS = st.integers(0, 38)


@st.composite
def histories(draw):
    """Versions of some deals, in any order of arrival, corrections of closes and ends among them."""
    found = []
    for lead in range(draw(st.integers(8, 25))):
        created, undated = draw(st.one_of(st.none(), st.integers(0, 20))), draw(st.booleans())
        for place in range(draw(st.integers(1, 4))):
            status = draw(st.sampled_from(["open", "open", "won", "lost"]))
            ended = draw(DAYS) if place and draw(st.integers(0, 5)) == 0 else None
            found.append(
                version(
                    f"L{lead}",
                    known=draw(st.integers(1, 39)),
                    created=created,
                    updated=None if undated else draw(DAYS),
                    closed=draw(DAYS) if status != "open" and ended is None else None,
                    status=status,
                    ended=ended,
                    place=place,
                    deal_value=draw(st.sampled_from([None, 100, 200])),
                    owner=draw(st.sampled_from(["Ann", "Bob"])),
                    expected_close_date=draw(st.sampled_from([None, date(2025, 3, 1), date(2025, 4, 1)])),
                )
            )
    return found


@RANDOM
@given(versions=histories())
def test_every_state_at_every_time_is_the_one_that_was_known(changes_of, versions):
    rows = changes_of(versions)
    for lead in {row["lead_id"] for row in versions}:
        mine = [row for row in versions if row["lead_id"] == lead]
        known = sorted({row["known_at"] for row in mine})
        for learned in known:
            for hours in range(0, 40 * 24, 12):
                time = DAY0 + timedelta(hours=hours)
                wanted = expected(mine, time, learned)
                found = at(rows, lead, time, learned)
                if wanted in (None, "withdrawn"):
                    assert found is None or found["status"] == "withdrawn" == wanted, (mine, time, learned, found)
                    continue
                assert found, (mine, time, learned, wanted)
                assert {name: found[name] for name in SAYS} == {name: wanted[name] for name in SAYS}, (
                    mine,
                    time,
                    learned,
                )
                assert (found["deal_value"] if found["has_value"] else None) == wanted["deal_value"]
                if learned == known[-1]:
                    assert at(rows, lead, time) == found


def told(rows, *names, known=False):
    """Rows that are known now (or were known before), in order."""
    chosen = [row for row in rows if (row["known_to"] is not None) == known]
    return [
        tuple(row[name] for name in names)
        for row in sorted(chosen, key=lambda row: (row["lead_id"], row["valid_from"]))
    ]


@RANDOM
@given(versions=histories())
def test_what_is_known_now_runs_from_the_opening_to_the_end_without_gap_or_overlap(changes_of, versions):
    rows = changes_of(versions)
    for lead in {row["lead_id"] for row in rows if row["known_to"] is None}:
        mine = sorted(
            (row for row in rows if row["lead_id"] == lead and row["known_to"] is None), key=lambda r: r["valid_from"]
        )
        assert [row["valid_to"] for row in mine] == [*(row["valid_from"] for row in mine[1:]), None]
        for before, after in pairwise(mine):
            keys = ("status", "stage", "has_value", "deal_value", "owner", "customer_id", "expected_close_date")
            assert any(before[key] != after[key] for key in keys), (before, after)


def test_stages_come_from_their_stays_until_the_close(changes_of):
    versions = [version(known=30, updated=20, closed=12, status="won", stage="closed_won")]
    stays = [("L1", "new", day(0, 5), day(4)), ("L1", "demo", day(4), day(20)), ("L1", "closed_won", day(20), None)]
    assert told(changes_of(versions, stays), "valid_from", "valid_to", "status", "stage") == [
        (day(0), day(0, 5), "open", None),
        (day(0, 5), day(4), "open", "new"),
        (day(4), day(12), "open", "demo"),
        (day(12), None, "won", "closed_won"),
    ]


def test_a_value_that_is_corrected_and_comes_back_is_known_twice(changes_of):
    versions = [version(known=known, updated=2, deal_value=value) for known, value in ((5, 100), (6, 200), (7, 100))]
    rows = changes_of(versions)
    assert sorted(
        (row["known_from"], row["known_to"], int(row["deal_value"])) for row in rows if row["valid_to"] is None
    ) == [
        (day(5, 8), day(6, 8), 100),
        (day(6, 8), day(7, 8), 200),
        (day(7, 8), None, 100),
    ]


def test_what_does_not_change_is_known_since_it_was_first_learned(changes_of):
    versions = [version(known=5, updated=2), version(known=12, updated=10, deal_value=300, owner="Bob")]
    stays = [("L1", "demo", day(2), None)]
    rows = changes_of(versions, stays)
    names = ("valid_from", "valid_to", "known_from", "stage", "owner")
    assert told(rows, *names) == [
        (day(0), day(2), day(5, 8), None, "Ann"),
        (day(2), day(10), day(12, 8), "demo", "Ann"),
        (day(10), None, day(12, 8), "demo", "Bob"),
    ]
    assert told(rows, *names, known=True) == [(day(2), None, day(5, 8), "demo", "Ann")]


def test_a_record_that_ends_is_withdrawn_from_then_on(changes_of):
    rows = changes_of([version(known=5, updated=2), version(known=20, updated=15, ended=15, deal_value=None)])
    assert told(rows, "valid_from", "valid_to", "status", "deal_value") == [
        (day(0), day(2), "open", Decimal(100)),
        (day(2), day(15), "open", Decimal(100)),
        (day(15), None, "withdrawn", Decimal(0)),
    ]
    assert told(rows, "valid_from", "valid_to", "status", "stage", known=True) == [(day(2), None, "open", "demo")]


def test_a_record_of_which_only_the_end_is_known_has_no_rows(changes_of):
    assert changes_of([version(known=5, updated=2, ended=2)]) == []


def test_what_is_still_to_come_is_left_out(changes_of):
    versions = [
        version("L1", known=5, closed=30, status="won", updated=4),
        version("L2", known=5, created=25, updated=25),
    ]
    rows = changes_of(versions, as_of=AsOf(day(20)))
    assert told(rows, "lead_id", "status", "valid_to") == [("L1", "open", None)]


@pytest.mark.parametrize(
    ("zone", "days"), [("UTC", ["2025-01-01", "2025-01-12"]), ("Asia/Tokyo", ["2025-01-02", "2025-01-13"])]
)
def test_days_are_those_of_the_business(changes_of, zone, days):
    row = version(known=5, closed=11, status="lost") | {"created_at": day(0, 20), "closed_at": day(11, 20)}
    (opened, closed) = told(changes_of([row], zone=zone), "from_day", "to_day")
    assert [str(each) for each in opened] == days
    assert closed == (opened[1], None)


def test_only_deals_of_which_something_changed_are_computed_anew(spark, changes_of):
    versions = [version(f"L{n}", known=5, updated=2) for n in range(4)]
    before = changes_of(versions)
    later = [*versions, version("L1", known=9, updated=8), version("L9", known=9, updated=8)]
    later = [row for row in later if row["lead_id"] != "L3"]
    changes = [("L2", "demo", day(8), day(9), "stages.csv", 1), ("gone", "demo", day(8), day(9), "stages.csv", 2)]

    def found(rows, given=None, as_of=END, zone="UTC"):
        from medallion.gold.deal_changes import changed

        given = None if given is None else spark.createDataFrame(given, CHANGE)
        kept = spark.createDataFrame([(row["lead_id"], row["basis"]) for row in before], "lead_id string, basis bigint")
        frame = spark.createDataFrame([tuple(row[name] for name in NAMES) for row in rows], VERSION)
        return {row["lead_id"] for row in changed(kept, None, frame, given, None, as_of, zone).collect()}

    assert found(versions) == set()
    assert found(later, changes) == {"L1", "L2", "L3", "L9"}
    assert found(versions, as_of=AsOf(day(1))) == {f"L{n}" for n in range(4)}  # what is still to come then
    assert found(versions, as_of=AsOf(day(60))) == set()
    assert found(versions, zone="Asia/Tokyo") == {f"L{n}" for n in range(4)}
    again = changes_of(later, changes=changes)
    assert changes_of(later, changes=changes, only=["L1"]) == [row for row in again if row["lead_id"] == "L1"]


@RANDOM
@given(versions=histories(), on=st.integers(3, 38))
def test_a_replay_of_an_earlier_day_gives_what_was_so_then(spark, changes_of, versions, on):
    """State and stage of a deal on a day are those of `gold.deals` and `gold.stage_history` as a replay computes them."""
    from medallion import contracts, silver

    versions = [row | {"stage": f"stage_{n % 5}"} for n, row in enumerate(versions) if not row["_ended_at"]]
    versions = [row | {"created_at": row["created_at"] and day(0)} for row in versions]
    entity = contracts.entities()["leads"]
    kinds = ", ".join(f"{column.name} {column.type}" for column in entity.history.columns)
    named = [tuple(row.get(name) for name in entity.history.column_names) for row in versions]
    history = spark.createDataFrame(named, kinds)

    def replayed(as_of):
        leads = silver.rewind(history, entity, as_of.instant, None)
        stays = gold.stage_history(history, None, as_of, leads).collect()
        return leads_as_of(leads, as_of).collect(), {
            (r["lead_id"], r["stage"], r["entered_at"], r["left_at"]) for r in stays
        }

    then, (_, last) = AsOf(day(on)), replayed(END)
    deals, stays = replayed(then)
    assert stays == {
        (lead, stage, entered, left if left and left < then.time else None)
        for lead, stage, entered, left in last
        if entered < then.time
    }
    rows = changes_of(versions, stays=last)
    before = then.time - timedelta(microseconds=1)
    now_in = {lead: stage for lead, stage, _, left in stays if left is None}
    for deal in deals:
        found = at(rows, deal["lead_id"], before)
        if deal["created_at"] is None and found is None:
            continue  # opened on no day: it is there from the first that is known of it
        assert (found["status"], found["owner"], found["stage"]) == (
            deal["status"],
            deal["owner"],
            now_in.get(deal["lead_id"]),
        )
    assert {row["lead_id"] for row in deals} >= {row["lead_id"] for row in rows if row["valid_from"] <= before}


def test_days_in_a_zone_follow_its_clock(spark):
    """Through every change of the clock in forty years; the engine's own function, of which only this direction is right."""
    from pyspark.sql import functions as F

    from medallion.gold.deal_changes import _day

    zones = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
    times = [datetime(1985, 1, 1) + timedelta(hours=53 * n, minutes=7 * n) for n in range(6000)]
    frame = spark.createDataFrame([(time,) for time in times], "time timestamp")
    rows = frame.select(
        "time", *(_day(F.col("time"), zone).alias(f"day_{n}") for n, zone in enumerate(zones))
    ).collect()
    for row in rows:
        for n, zone in enumerate(zones):
            assert row[f"day_{n}"] == row["time"].replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date(), (row, zone)
