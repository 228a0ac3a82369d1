"""The figures by which `benchmarks/outside_worlds.py` compares forecasts with the truth."""

from __future__ import annotations

import csv
from datetime import date, timedelta

import numpy as np
import pytest
from worlds import committee, crm

from benchmarks import outside_worlds as bench


def test_expected_auc_is_the_mean_over_drawn_outcomes():
    rng = np.random.default_rng(1)
    truth, forecast = rng.random(40), np.round(rng.random(40), 1)
    drawn = []
    for _ in range(4000):
        won = rng.random(40) < truth
        above = (forecast[won][:, None] > forecast[~won][None, :]) + 0.5 * (
            forecast[won][:, None] == forecast[~won][None, :]
        )
        drawn.append((above.sum(), above.size))
    pairs = np.array(drawn, dtype=float).sum(axis=0)
    assert bench.expected_auc(truth, forecast) == pytest.approx(pairs[0] / pairs[1], abs=0.005)
    assert bench.expected_auc(truth, np.full(40, 0.3)) == pytest.approx(0.5)


def test_slope_is_above_one_where_probabilities_are_squeezed():
    truth = np.linspace(0.05, 0.95, 300)
    assert bench.slope(truth, truth) == pytest.approx(1)
    squeezed = 1 / (1 + np.exp(-0.5 * np.log(truth / (1 - truth))))
    assert bench.slope(truth, squeezed) == pytest.approx(2)


def test_forecasts_are_compared_deal_by_deal_and_tier_by_tier():
    truth = {f"D{i}": 0.1 + 0.008 * i for i in range(100)}
    deals = [
        {"lead_id": key, "probability": p, "probability_low": p - 0.05, "probability_high": p + 0.05, "tier": str(i // 10 + 1)}
        for i, (key, p) in enumerate(truth.items())
    ]  # fmt: skip
    exact = bench.against_truth(truth, deals)
    assert (exact["gap"], exact["ece"], exact["slope"], exact["deals_covered"]) == (0, 0, 1, 1)
    assert (exact["tiers"], exact["tiers_covered"], exact["tier_width"]) == (10, 10, 0.1)
    wrong = [deal | {"probability_low": 0.96, "probability": 0.97, "probability_high": 0.98} for deal in deals]
    found = bench.against_truth(truth, wrong)
    assert (found["deals_covered"], found["tiers_covered"]) == (0, 0)
    assert found["ece"] == pytest.approx(0.474, abs=1e-3)
    assert bench.against_truth(truth, [*deals, deals[0] | {"lead_id": "unknown"}])["compared"] == 100


def test_revenue_of_a_quarter_is_that_of_the_world(tmp_path):
    world = committee.World(committee.Params(seed=4, accounts=400, fit_grid=5))
    as_of = world.last - timedelta(days=20)
    crm.write(world.crm, tmp_path / "export", as_of)
    crm.write_outcomes(world.crm, tmp_path / "outcomes.csv", as_of)
    money = bench.Revenue(tmp_path / "export", tmp_path / "outcomes.csv", as_of)
    first, last = date(2025, 7, 1), date(2025, 9, 30)
    assert money.actual(first, last) == crm.revenue(world.crm, first, last) > 0
    assert money.so_far(first, as_of) == crm.revenue(world.crm, first, as_of)
    said, error = money.weighted_pipeline((as_of - first).days)
    assert money.so_far(first, as_of) < said < 3 * crm.revenue(world.crm, first, last)
    assert 0 < error < 1
    # What came later must not have a say.
    with (tmp_path / "outcomes.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow(["deal_id", "opened_on", "status", "closed_on", "deal_value"])
    assert bench.Revenue(tmp_path / "export", tmp_path / "outcomes.csv", as_of).weighted_pipeline(
        (as_of - first).days
    ) == (said, error)


def test_days_of_forecasts_lie_a_month_into_each_quarter():
    assert bench.cuts(date(2023, 8, 2), date(2025, 7, 31), 9) == [
        *(None, date(2025, 5, 1), date(2025, 1, 31), date(2024, 10, 31), date(2024, 7, 31), date(2024, 5, 1)),
    ]
    assert bench.numbers("1-3") == [1, 2, 3]
    assert bench.numbers("7") == [7]
