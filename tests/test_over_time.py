"""The pipeline over time: what is open on a day, and movements that add up, from any history of deals."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion.errors import ContractError
from medallion.metrics import over_time

DAY0 = datetime(2025, 1, 1, tzinfo=UTC)
COLUMNS = {
    "lead_id": "varchar", "valid_from": "timestamptz", "valid_to": "timestamptz", "known_from": "timestamptz",
    "known_to": "timestamptz", "from_day": "date", "to_day": "date", "status": "varchar", "stage": "varchar",
    "deal_value": "decimal(18,2)", "expected_close_date": "date", "owner": "varchar", "customer_id": "varchar",
    "product_id": "varchar", "source": "varchar",
}  # fmt: skip


def hour(n):
    return None if n is None else DAY0 + timedelta(hours=n)


def day(n):
    return date(2025, 1, 1) + timedelta(days=n)


def state(lead, start, until, status="open", value=100, known=(0, None), **says):
    begins, ends = hour(start), hour(until)
    row = {
        "lead_id": lead,
        "valid_from": begins,
        "valid_to": ends,
        "known_from": hour(known[0]),
        "known_to": hour(known[1]),
    }
    row |= {"from_day": begins.date(), "to_day": ends and ends.date(), "status": status, "stage": None, "owner": "Ann"}
    row |= {
        "deal_value": Decimal(value),
        "expected_close_date": None,
        "customer_id": "C1",
        "product_id": None,
        "source": None,
    }
    return row | says


@pytest.fixture(scope="module")
def engine():
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'; create schema gold")
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        connection.execute(f"create table gold.deal_changes ({columns})")
        connection.execute(
            "create table gold.customer_features (customer_id varchar, industry varchar, country varchar, size_band varchar)"
        )
        connection.execute(
            "insert into gold.customer_features values ('C1', 'steel', 'DE', '1-50'), ('C2', null, 'NL', null)"
        )
        yield connection


@pytest.fixture(scope="module")
def history(engine):
    def put(rows):
        engine.execute("delete from gold.deal_changes")
        if rows:
            table = pa.table({name: [row[name] for row in rows] for name in COLUMNS})
            engine.register("given", table)
            engine.execute(f"insert into gold.deal_changes select {', '.join(COLUMNS)} from given")
        return engine

    return put


@st.composite
def histories(draw):
    """States of some deals, one after the other from an opening on, as `gold.deal_changes` has what is known now."""
    rows = []
    for lead in range(draw(st.integers(0, 8))):
        times = sorted(draw(st.sets(st.integers(0, 20 * 24), min_size=1, max_size=6)))
        for place, (start, until) in enumerate(zip(times, [*times[1:], None], strict=True)):
            kinds = ["open", "open", "won", "lost", *(["withdrawn"] if place else [])]
            rows.append(
                state(
                    f"L{lead}", start, until, draw(st.sampled_from(kinds)), draw(st.sampled_from([0, 100, 250])),
                    stage=draw(st.sampled_from([None, "demo", "offer"])), owner=draw(st.sampled_from([None, "Ann", "Bob"])),
                    customer_id=draw(st.sampled_from(["C1", "C2", "C3"])),
                    expected_close_date=draw(st.sampled_from([None, day(9), day(40)])),
                )
            )  # fmt: skip
    return rows


SPLITS = st.lists(st.sampled_from([*over_time.DIMENSIONS]), unique=True, max_size=2)


@settings(max_examples=15, deadline=None)
@given(rows=histories(), by=SPLITS, start=st.integers(-1, 20), length=st.integers(0, 12))
def test_every_movement_adds_up(history, rows, by, start, length):
    connection, first, last = history(rows), day(start), day(start + length)
    found = over_time.movement(connection, first, last, by)
    for row in found:
        parts = over_time.PARTS
        assert row["start"] + sum(row[part] for part in parts) == row["end"], row
        assert (
            row["start_deals"] + sum(row[f"{part}_deals"] for part in parts if part != "revalued") == row["end_deals"]
        ), row
    (total,) = over_time.movement(connection, first, last)
    assert total["moved_in"] == total["moved_out"] == 0
    for name in {*total} - {"moved_in", "moved_out", "moved_in_deals", "moved_out_deals"}:
        assert sum(row[name] for row in found) == (total[name] if found else 0), name
    for word, when in (("start", first), ("end", last)):
        still = {
            tuple(r[n] for n in by): (r["deals"], r["value"])
            for r in over_time.open_pipeline(connection, when, by)
            if r["deals"]
        }
        assert {tuple(r[n] for n in by): (r[f"{word}_deals"], r[word]) for r in found if r[f"{word}_deals"]} == still


@settings(max_examples=4, deadline=None)
@given(
    rows=histories(),
    by=st.sampled_from([None, *over_time.DIMENSIONS]),
    start=st.integers(-1, 10),
    length=st.integers(0, 12),
)
def test_the_steps_of_every_part_add_up_to_it(history, rows, by, start, length):
    connection, first, last = history(rows), day(start), day(start + length)
    for row in over_time.movement(connection, first, last, () if by is None else (by,)):
        for part in ("start", *over_time.PARTS, "end"):
            found = over_time.steps(connection, first, last, part, by, by and row[by])
            assert sum(one["value"] for one in found) == row[part], (part, row)
            if part != "revalued" and by not in ("owner", "stage"):
                assert len(found) == abs(row[f"{part}_deals"]), (part, row)
    (slips,) = over_time.slips(connection, first, last)
    found = over_time.pushes(connection, first, last)
    told = (len(found), sum(one["days"] for one in found), sum(one["deal_value"] for one in found))
    assert told == (slips["pushes"], slips["days_pushed"], slips["pushed_value"])
    assert len({one["lead_id"] for one in found}) == slips["pushed"]


@settings(max_examples=30, deadline=None)
@given(rows=histories(), on=st.integers(0, 20))
def test_what_is_open_on_a_day_is_what_was_open_at_its_end(history, rows, on):
    end = hour(24 * (on + 1))
    held = [
        row
        for row in rows
        if row["status"] == "open" and row["valid_from"] < end and (row["valid_to"] is None or row["valid_to"] >= end)
    ]
    (found,) = over_time.open_pipeline(history(rows), day(on))
    late = [row for row in held if row["expected_close_date"] and row["expected_close_date"] < day(on)]
    assert found == {
        "deals": len(held),
        "value": sum(row["deal_value"] for row in held) if held else None,
        "past_due": len(late),
        "past_due_value": sum(row["deal_value"] for row in late),
    }


@settings(max_examples=30, deadline=None)
@given(rows=histories())
def test_every_stay_in_a_stage_ends_in_one_way(history, rows):
    found = over_time.stage_conversion(history(rows), day(-1), day(21))
    for row in found:
        assert row["entered"] == sum(row[word] for word in ("moved_on", "won", "lost", "withdrawn", "still")), row
    entries, before = Counter(), {}
    for row in rows:
        was = before.get(row["lead_id"])
        if (
            row["status"] == "open"
            and row["stage"]
            and not (was and was["status"] == "open" and was["stage"] == row["stage"])
        ):
            entries[row["stage"]] += 1
        before[row["lead_id"]] = row
    assert {row["stage"]: row["entered"] for row in found} == entries


DEAL = [
    state("L1", 0, 30, stage="demo", expected_close_date=day(5)),
    state("L1", 30, 50, stage="demo", value=150, owner="Bob", expected_close_date=day(9)),
    state("L1", 50, 80, stage="offer", value=150, owner="Bob", expected_close_date=day(7)),
    state("L1", 80, None, "won", value=170, stage="closed_won", owner="Bob", expected_close_date=day(7)),
    state("L2", 26, 26 + 24, value=40, stage="demo", expected_close_date=day(2)),
    state("L2", 26 + 24, None, "withdrawn", value=0),
]


def test_the_parts_of_a_movement(history):
    ann, bob = over_time.movement(history(DEAL), day(0), day(3), ["owner"])
    told = {name: int(value) for name, value in ann.items() if name != "owner" and value}
    assert told == {
        "start": 100, "start_deals": 1, "opened": 40, "opened_deals": 1, "moved_out": -100, "moved_out_deals": -1,
        "withdrawn": -40, "withdrawn_deals": -1,
    }  # fmt: skip
    told = {name: int(value) for name, value in bob.items() if name != "owner" and value}
    assert told == {"moved_in": 100, "moved_in_deals": 1, "revalued": 70, "won": -170, "won_deals": -1}


def test_pushes_and_pulls(history):
    assert over_time.slips(history(DEAL), day(0), day(3), ["owner"]) == [
        {"owner": "Bob", "pushed": 1, "pushes": 1, "days_pushed": 4, "pushed_value": Decimal(150), "pulled_in": 1}
    ]
    (late,) = over_time.open_pipeline(history(DEAL[:1]), day(0))
    assert late["past_due"] == 0


def test_what_became_of_stages(history):
    demo, offer = over_time.stage_conversion(history(DEAL), day(-1), day(9))
    assert demo == {
        "stage": "demo", "entered": 2, "moved_on": 1, "won": 0, "lost": 0, "withdrawn": 1, "still": 0, "won_since": 1,
        "average_days": round((50 + 24) / 2 / 24, 3),
    }  # fmt: skip
    assert (offer["entered"], offer["won"], offer["average_days"]) == (1, 1, 1.25)


def test_how_many_came_from_one_stage_to_another(history):
    assert over_time.passed_on(history(DEAL), day(-1), day(9), "demo", "offer") == [{"entered": 2, "reached": 1}]
    assert over_time.passed_on(history(DEAL), day(-1), day(9), "offer", "demo") == [{"entered": 1, "reached": 0}]
    assert over_time.passed_on(history(DEAL), day(-1), day(9), "demo", "won") == [{"entered": 2, "reached": 1}]
    assert over_time.passed_on(history(DEAL), day(0), day(1), "demo", "offer") == [{"entered": 2, "reached": 1}]
    assert over_time.passed_on(history(DEAL), day(9), day(12), "demo", "offer") == [{"entered": 0, "reached": 0}]


def test_what_was_known(history):
    rows = [
        state("L1", 0, None, known=(10, 50)),
        state("L1", 0, 5, known=(50, None)),
        state("L1", 5, None, "lost", known=(50, None)),
    ]
    at = (DAY0 + timedelta(hours=n) for n in (10, 11, 50, 51))
    found = [over_time.open_pipeline(history(rows), day(1), (), time)[0]["deals"] for time in at]
    assert found == [0, 1, 1, 0]
    assert over_time.movement(history(rows), day(-1), day(1))[0]["lost_deals"] == -1


def test_what_is_refused(history):
    with pytest.raises(ContractError, match="not split by 'ownr'"):
        over_time.open_pipeline(history([]), day(0), ["ownr"])
    with pytest.raises(ContractError, match="by owner twice"):
        over_time.movement(history([]), day(0), day(1), ["owner", "owner"])
    with pytest.raises(ContractError, match="no part 'luck'"):
        over_time.steps(history([]), day(0), day(1), "luck")
    with pytest.raises(ContractError, match="is before"):
        over_time.movement(history([]), day(2), day(1))
