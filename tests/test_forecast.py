"""The forecast of a period: curves of deals without a model, sums, intervals, what is kept and what is compared."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import NOW
from medallion.access import Person
from medallion.agent.rules import Rules
from medallion.agent.serving import serve
from medallion.agent.tools import Tools
from medallion.errors import MedallionError
from medallion.learning import forecasts
from medallion.scoring.forecast import Deals, LifeTable, NewDeals, Pace, arriving, expect, in_period

DAY = timedelta(days=1)
EVEN = Pace(np.ones(14))


def table():
    """Deals that are won soon or hardly ever: 4 of 10 in the first 15 days, then none."""
    days = np.concatenate([np.full(4000, 10.0), np.full(6000, 400.0)])
    won = np.arange(10_000) < 4000
    return LifeTable.of(days, won, np.zeros(10_000, dtype=bool))


def test_an_old_deal_is_not_counted_as_a_new_one():
    found = table().curves(np.array([0.0, 200.0]), 90)
    assert found.at(90)[0][0] > 5 * found.at(90)[0][1]
    assert (np.diff(found.won, axis=1) >= 0).all()
    assert (found.won + found.lost <= 1 + 1e-9).all()


def test_a_life_table_by_hand():
    """1,000 deals of which one a day is won: each day of age has the same rate, and so has the estimate."""
    days = np.repeat(np.arange(1.0, 101.0), 10)
    found = LifeTable.of(days, np.arange(1000) % 2 == 0, np.arange(1000) % 2 == 1)
    assert found.won == pytest.approx(found.lost)
    assert found.won.min() > 0
    exposed = np.clip(np.minimum(days, 15), 0, None).sum()
    ended = int((days < 15).sum()) / 2
    whole = (500 + 0.5) / (days.sum() + 1)
    assert found.won[0] == pytest.approx((ended + 2000 * whole) / (exposed + 2000))


PERIODS = [
    ("Q3-2025", "2025-Q3", date(2025, 7, 1), date(2025, 9, 30)),
    ("2025q1", "2025-Q1", date(2025, 1, 1), date(2025, 3, 31)),
    ("2024-2", "2024-02", date(2024, 2, 1), date(2024, 2, 29)),
    ("2025", "2025", date(2025, 1, 1), date(2025, 12, 31)),
    (None, "2025-Q2", date(2025, 4, 1), date(2025, 6, 30)),
]


@pytest.mark.parametrize(("text", "name", "first", "last"), PERIODS)
def test_periods(text, name, first, last):
    assert forecasts.period(text, date(2025, 6, 30)) == forecasts.Period(name, first, last)


@pytest.mark.parametrize("text", ["Q5-2025", "2025-13", "next quarter", "", "0000"])
def test_what_is_no_period_is_refused(text):
    with pytest.raises(MedallionError, match="no period"):
        forecasts.period(text or " ", date(2025, 6, 30))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_parts_add_up_and_intervals_lie_in_each_other(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 30))
    p = rng.choice([0.0, 1.0, *rng.random(5)], n)
    value, group = rng.integers(0, 1000, n).astype(float), rng.integers(0, 3, n)
    deals = Deals(value, group, p, np.maximum(p - 0.1, 0), np.minimum(p + 0.1, 1))
    new = NewDeals(rng.random(3), rng.integers(1, 1000, 4).astype(float))
    won = np.array([100.0, 0.0, 7.0])
    *parts, whole = expect(won, deals, new, 3)
    assert whole.open == pytest.approx(float(value @ p), abs=0.01)  # the sum of the deals
    for name in ("won", "open", "new", "commit", "best_case"):
        assert sum(getattr(part, name) for part in parts) == pytest.approx(getattr(whole, name), abs=0.05)
    for part in (*parts, whole):
        assert part.won <= part.low_80 <= part.low_50 <= part.high_50 <= part.high_80
        assert part.won <= part.commit <= part.best_case


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_curves_of_past_deals_never_fall_and_add_up_to_at_most_one(seed):
    """Of any age, also where none or all were won; and no part of the time has more wins than all of it."""
    from medallion.scoring.forecast import in_period

    rng = np.random.default_rng(seed)
    n, share = int(rng.integers(0, 40)), rng.choice([0.0, 0.3, 1.0])
    ended = rng.random(n) < rng.choice([0.0, 0.5, 1.0])
    won = ended & (rng.random(n) < share)
    found = LifeTable.of(rng.integers(0, 900, n).astype(float), won, ended & ~won).curves(rng.random(5) * 900, 90)
    for curve in (found.won, found.lost):
        assert (np.diff(curve, axis=1, prepend=0.0) >= 0).all()
    assert (found.won + found.lost <= 1 + 1e-9).all()
    whole, first, rest = (in_period(found, *ends, np.ones(365)) for ends in ((0, 90), (0, 30), (30, 90)))
    assert (whole <= found.at(90)[0] + 1e-9).all()
    assert first + rest == pytest.approx(whole)


def test_an_interval_covers_what_it_says():
    """200 deals with known probabilities: 80% of the sums that come lie in the 80% interval."""
    rng = np.random.default_rng(5)
    p, value = rng.random(200), rng.integers(1, 100, 200).astype(float)
    (_, whole) = expect(np.zeros(1), Deals(value, np.zeros(200, dtype=int), p, p, p), NewDeals(np.zeros(1), value), 1)
    came = ((rng.random((3000, 200)) < p) * value).sum(axis=1)
    inside = ((came >= whole.low_80) & (came <= whole.high_80)).mean()
    assert 0.77 < inside < 0.83
    assert abs(whole.total - came.mean()) < 30


@pytest.mark.parametrize(("shock", "low", "high"), [(0.0, 0.02, 0.2), (0.6, 0.3, 0.5)])
def test_good_and_bad_quarters_of_the_past_widen_the_interval(shock, low, high):
    """Deals of constant hazards, in half of whose months none is won and in the others twice as many."""
    from medallion.scoring.forecast import unrest

    rng = np.random.default_rng(3)
    opened = rng.integers(0, 900, 6000).astype(float)
    rate = 1 / 60 * np.exp(shock * rng.standard_normal(40))
    ended = np.full(6000, np.nan)
    for back in range(900, -1, -1):
        here = (opened >= back) & np.isnan(ended) & (rng.random(6000) < rate[back // 30])
        ended[here] = back
    won = ~np.isnan(ended)
    days = np.where(won, opened - ended, opened)
    found = unrest(
        opened,
        ended,
        won,
        np.ones(6000),
        LifeTable.of(days, won, np.zeros(6000, dtype=bool)),
        30,
        EVEN,
        date(2025, 6, 30),
    )
    assert low <= found <= high


def test_what_moves_together_widens_the_interval_and_not_the_mean():
    p, value = np.full(50, 0.5), np.full(50, 10.0)
    deals = Deals(value, np.zeros(50, dtype=int), p, p, p)
    nothing = NewDeals(np.zeros(1), value)
    (_, still), (_, moving) = (expect(np.zeros(1), deals, nothing, 1, unrest) for unrest in (0.0, 0.3))
    assert moving.total == still.total
    assert moving.high_80 - moving.low_80 > 2 * (still.high_80 - still.low_80)


def test_what_lies_after_the_period_does_not_count():
    found, even = table().curves(np.zeros(1), 90), np.ones(400)
    whole = in_period(found, -30, 90, even)
    assert whole == pytest.approx(found.at(90)[0])
    assert in_period(found, 30, 90, even) == pytest.approx(whole - found.at(30)[0])
    assert in_period(found, -60, 0, even) == in_period(found, -90, -10, even) == 0
    assert in_period(found, 0, 10_000, np.ones(10_000)) == pytest.approx(found.won[:, -1])
    assert arriving(table(), np.ones(1), -30, 0, 90) == 0
    one, two = (arriving(table(), np.ones(1), begins, 60, 90)[0] for begins in (-30, 30))
    assert one > two > 0


def ends_of_quarters(share):
    """Deals of two years, some of which are won on the last day of their quarter; `share` is that of these."""
    opened, ended, won = [], [], []
    day = date(2025, 12, 31)
    for back in range(730):
        for k in range(4):
            opened.append(back)
            born = day - back * DAY
            days = (forecasts.period(None, born).last - born).days if k < 4 * share else 40
            ended.append(back - days if back >= days else np.nan)
            won.append(not np.isnan(ended[-1]))
    return np.array(opened, dtype=float), np.array(ended, dtype=float), np.array(won, dtype=bool), day


def test_the_pace_of_the_weeks_of_a_quarter():
    opened, ended, won, day = ends_of_quarters(0.5)
    pace = Pace.of(opened, ended, won, day)
    assert pace.factors[0] > 3 > 1 > pace.factors[5]
    even = Pace.of(*ends_of_quarters(0.0))
    assert even.factors[:13] == pytest.approx(np.ones(13), abs=0.2)
    assert Pace.of(np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool), day).factors == pytest.approx(np.ones(14))
    days = pace.days(date(2026, 3, 20), 14)  # eleven days until the end of the quarter, then the next one
    assert (days[10], days[4], days[11]) == (pace.factors[0], pace.factors[0], pace.factors[12])


def test_a_curve_goes_at_the_pace_of_the_weeks():
    found = table().curves(np.array([0.0, 3.0]), 90)
    slow, fast = np.full(90, 0.5), np.full(90, 3.0)
    half, plain, more = (in_period(found, 0, 90, pace) for pace in (slow, np.ones(90), fast))
    assert (half < plain).all() and (plain < more).all() and (more <= 1).all()  # noqa: PT018
    late = np.ones(90)
    late[:30] = 0.0
    assert in_period(found, 0, 30, late) == pytest.approx(np.zeros(2))


def test_new_deals_are_won_as_in_the_same_part_of_the_quarters_before():
    """Ten deals opened a week; those of the last month of a quarter are won at its end, the others never."""
    rows = []
    for week in range(80):
        opened = date(2024, 1, 1) + 7 * DAY * week
        is_last = opened.month % 3 == 0
        for k in range(10):
            rows.append(
                {
                    "opened": opened, "grouped": "a" if k < 4 else "b", "value": 10.0, "has_value": True,
                    "status": "won" if is_last else "open",
                    "closed": forecasts.period(None, opened).last if is_last else None,
                }
            )  # fmt: skip
    day = date(2025, 4, 30)
    rows = [row for row in rows if row["opened"] <= day]
    made = forecasts._new(rows, {"a": 0, "b": 1}, table(), 90, day, forecasts.period("Q2-2025", day))
    assert made.expected.sum() == pytest.approx(10 / 7 * 30, rel=0.15)  # those of June
    assert made.expected[0] / made.expected.sum() == pytest.approx(0.4)
    month = forecasts._new(rows, {"a": 0, "b": 1}, table(), 90, day, forecasts.period("2025-05", day))
    assert month.expected.sum() < made.expected.sum() / 2
    over = forecasts._new(rows, {"a": 0, "b": 1}, table(), 90, day, forecasts.period("Q1-2025", day))
    assert over.expected.sum() == 0


def test_the_period_before():
    assert forecasts.period("Q1-2025", date(2025, 1, 1)).before(1).first == date(2024, 10, 1)
    assert forecasts.period("2024-03", date(2025, 1, 1)).before(1).last == date(2024, 2, 29)
    assert forecasts.period("2024", date(2025, 1, 1)).before(2).first == date(2022, 1, 1)


LEADS = """lead_id,customer_id,status,deal_value,created_at,closed_at,expected_close_date,owner
L1,C1,won,100,2025-01-01,2025-04-10,2025-04-01,Ann
L2,C1,won,50,2025-01-01,2025-03-10,2025-03-01,Ann
L3,C1,lost,70,2025-01-01,2025-02-01,2025-03-01,Bob
L4,C1,open,200,2025-05-01,,2025-06-20,Bob
L5,C1,open,,2025-05-01,,2025-04-20,Bob
L6,C1,open,30,2025-05-01,,2025-05-02,Ann
"""


@pytest.mark.slow
def test_a_forecast_of_few_deals_is_made_kept_and_compared(deliver, rows):
    from medallion.config import load

    _, lake = deliver({"leads.csv": LEADS, "customers.csv": "customer_id,customer_name\nC1,Acme\n"}, as_of="2025-05-10")
    given_settings = load(None, lakehouse=lake.root)
    found = forecasts.make(given_settings, NOW, "Q2-2025", "owner")
    assert (found.as_of, found.period.name) == (date(2025, 5, 10), "2025-Q2")
    assert found.total["won"] == 100
    opened = {row["lead_id"]: row for row in rows(lake, "select * from gold.deals where status = 'open'")}
    assert 0 < found.total["open"] < float(sum(row["deal_value"] for row in opened.values()))
    assert [row["owner"] for row in found.groups] == ["Ann", "Bob"]
    assert sum(row["expected"] for row in found.groups) == pytest.approx(found.total["expected"], abs=0.02)
    assert (found.open_deals, found.unknown, found.pipeline) == (2, 1, 230)
    assert found.overdue == {"deals": 2, "value": 30}
    with serve(lake) as serving:
        asked = [Tools(serving, Rules()).pipeline_forecast("2025-Q2", by) for by in (None, "owner")]
        with pytest.raises(MedallionError, match="by month is not split"):
            Tools(serving, Rules()).pipeline_forecast(by="owner")
    assert [[row["expected"] for row in one.rows] for one in asked] == [
        [found.total["expected"]],
        [row["expected"] for row in found.groups],
    ]
    assert found.stored
    assert not forecasts.make(given_settings, NOW + DAY, "Q2-2025", "owner").stored
    with lake.looking(Person("ann", "rep", ("Ann",), (), False, 1)):
        of_ann = forecasts.make(given_settings, NOW, "Q2-2025", "owner")
    assert ([row["owner"] for row in of_ann.groups], of_ann.stored) == (["Ann"], False)
    kept = rows(lake, "select * from ops.forecasts order by part nulls first")
    assert [row["part"] for row in kept] == [None, "Ann", "Bob"]
    assert kept[0]["manifest"] == found.manifest
    assert kept[0]["expected_amount"] == Decimal(str(found.total["expected"]))
    less = forecasts.make(given_settings, NOW, "Q2-2025", new_deals=False, keep=False)
    assert less.total["new"] == 0 < found.total["new"]
    assert forecasts.compared(lake, date(2025, 5, 10)) is None
    told = forecasts.compared(lake, date(2025, 6, 30))
    assert (told["forecasts"], told["periods"], told["last"]["revenue"]) == (1, 1, 100.0)
    assert told["error"] == pytest.approx(abs(found.total["expected"] - 100) / 100, abs=1e-3)
    with pytest.raises(MedallionError, match="nothing to split"):
        forecasts.make(given_settings, NOW, None, "mood")
    json.dumps(told, default=str)


def test_quotas_of_the_period_or_of_all_its_parts():
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("create schema gold")
        connection.execute(
            "create table gold.attainment as select * from (values "
            "('owner', 'Ann', date '2025-04-01', date '2025-06-30', 100), "
            "('owner', 'Ann', date '2025-04-01', date '2025-04-30', 7), "
            "('owner', 'Bob', date '2025-04-01', date '2025-04-30', 10), "
            "('owner', 'Bob', date '2025-05-01', date '2025-05-31', 20), "
            "('owner', 'Bob', date '2025-06-01', date '2025-06-30', 30), "
            "('owner', 'Cy', date '2025-06-01', date '2025-06-30', 5), "
            "('team', 'West', date '2025-04-01', date '2025-06-30', 900)) t(level, who, period_start, period_end, quota)"
        )
        when = forecasts.period("Q2-2025", date(2025, 6, 1))
        assert forecasts._quotas(connection, when) == {"Ann": 100, "Bob": 60, None: 160}
        assert forecasts._quotas(connection, when.before(1)) == {}


def test_a_deal_that_moved_out_of_the_period_has_slipped():
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("create schema gold; create schema silver")
        connection.execute(
            "create table gold.deals as select * from (values ('L1', 'open', date '2025-07-05'), ('L2', 'open', date '2025-06-05'), "
            "('L3', 'won', date '2025-07-05')) t(lead_id, status, expected_close_date)"
        )
        connection.execute(
            "create table silver.leads_history as select * from (values ('L1', date '2025-06-30'), ('L1', date '2025-07-05'), "
            "('L2', date '2025-06-01'), ('L3', date '2025-06-01')) t(lead_id, expected_close_date)"
        )
        when = forecasts.period("Q2-2025", datetime(2025, 6, 1).date())
        assert forecasts._slipped(connection, when) == {"L1"}


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
