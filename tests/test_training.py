"""What training may look at, and what an interval holds: without an engine, in the default tests."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import NOW
from medallion.learning import train
from medallion.weights import ScoreWeights

DAY = timedelta(days=1)
FIRST = datetime(2024, 1, 1)


def snapshots(count=900, seed=3):
    """Labelled snapshots in which two signals tell, the rest is empty."""
    from medallion.scoring.signals import SIGNALS

    rng = np.random.default_rng(seed)
    touches, open_for = rng.poisson(3, count), rng.integers(0, 200, count)
    won = rng.random(count) < 1 / (1 + np.exp(1.2 - 0.35 * touches))
    own = {"touches_30d": pa.array(touches, pa.int64()), "days_open": pa.array(open_for, pa.int64())}
    kinds = {"string": pa.string(), "double": pa.float64()}
    columns = {s.name: own.get(s.name, pa.nulls(count, kinds.get(s.type, pa.int64()))) for s in SIGNALS}
    cutoffs = [FIRST + 27 * DAY * (k * 20 // count) for k in range(count)]
    return pa.table(
        {
            "lead_id": [f"L{k}" for k in range(count)],
            "customer_id": [f"C{k // 3}" for k in range(count)],
            "cutoff": pa.array(cutoffs, pa.timestamp("us")),
            "lead_score": pa.array(np.minimum(100, touches * 12), pa.int64()),
            "won": pa.array(won.astype(int), pa.int64()),
            **columns,
        }
    )


def test_nothing_that_is_tested_on_is_learned_tuned_or_calibrated_on(monkeypatch):
    from medallion.scoring import training

    monkeypatch.setattr(training, "LEAST_CALIBRATION", 20)
    rows = snapshots()
    parts = training.split(rows, 90)
    at = training.cutoffs_of(rows)
    starts = at[parts.test].min()
    assert at[parts.train].max() <= starts - np.timedelta64(90, "D")
    assert parts.later.any()
    assert not (parts.later & ~parts.train).any()
    assert at[parts.earlier].max() <= at[parts.later].min() - np.timedelta64(90, "D")
    won = rows["won"].to_numpy().astype(float)
    others = np.where(parts.train, won, 1 - won)
    for kind in ("rules", "logistic"):
        one, other = (
            training._fitted(kind, rows, labels, parts, ScoreWeights(), 7) for labels in (won, others)
        )  # fmt: skip
        assert one[0].dump() == other[0].dump()
        assert one[1:] == other[1:]
        assert kind == "rules" or one[1] != training.Calibrator()
    # and the labels of the training part do count
    other = training._fitted("logistic", rows, 1 - won, parts, ScoreWeights(), 7)
    assert other[0].dump() != one[0].dump()


def test_no_cutoff_whose_horizon_is_not_over(monkeypatch, tmp_path):
    from medallion.config import load
    from medallion.lakehouse.store import Lakehouse
    from medallion.learning import train
    from medallion.pipeline.steps import Steps

    monkeypatch.setattr(train.query, "connect", lambda lake, layers: nullcontext())
    monkeypatch.setattr(train.query, "rows", lambda connection, sql: [{"first": datetime(2024, 1, 1)}])
    given_settings = load(None, lakehouse=str(tmp_path))
    work = train._Training(given_settings, Lakehouse(str(tmp_path)), tmp_path, NOW, Steps(lambda name, seconds: None))
    found = work._cutoffs(date(2025, 6, 30))
    assert max(found) == datetime(2025, 7, 1) - 90 * DAY


def drawn_tiers(rng):
    """Tiers of which some forecasts lie outside the interval of what was won, as on a test that went badly."""
    ends = np.sort(rng.choice([0.0, 0.2, 0.5, 1.0, *rng.random(4)], (5, 2)), axis=1)
    forecasts = np.sort(rng.choice([0.0, 1.0, *rng.random(8)], 5))
    return [
        {"from": float(f), "forecast": float(f), "low": float(low), "high": float(high)}
        for f, (low, high) in zip(forecasts, ends, strict=True)
    ]


def test_tables_without_rows_are_taken_by_the_leak_checks(frame):
    """Such as touches, where no file has any."""
    from medallion.learning.train import _local
    from medallion.scoring.leaks import _backwards

    touches = frame("interaction_id string, occurred_at timestamp", ("I1", datetime(2025, 1, 1)))
    none = touches.filter("interaction_id IS NULL")
    assert _local(touches.sparkSession, none).schema == none.schema
    assert (_backwards(none).count(), _backwards(touches).count()) == (0, 1)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1))
def test_a_forecast_lies_in_its_interval(seed):
    from medallion.scoring.predict import Scorer

    rng = np.random.default_rng(seed)
    scorer = Scorer("m", "logistic", {}, None, (0.0, 1.0), drawn_tiers(rng), 90)
    drawn = np.concatenate([[0.0, 1.0, 1e-12, 1 - 1e-12], rng.random(20)])
    for p in (drawn, np.round(drawn, 6)):
        low, high = scorer.interval(p)
        assert (low <= p).all()
        assert (p <= high).all()
        assert (low >= 0).all()
        assert (high <= 1).all()


def test_an_interval_reaches_to_what_the_test_found():
    """Forecasts of 40% of which 20 to 30% were won: from a half as high odds up to the forecast itself."""
    from medallion.scoring.predict import Scorer

    tier = {"from": 0.0, "forecast": 0.4, "low": 0.2, "high": 0.3}
    low, high = Scorer("m", "logistic", {}, None, (0.0, 1.0), [tier], 90).interval(np.array([0.4]))
    assert (low[0], high[0]) == pytest.approx((0.2, 0.4))


def test_what_a_model_is_weighed_on_does_not_depend_on_the_order_of_rows():
    days = [datetime(2025, 1, 1) + timedelta(days=30 * (n % 7)) for n in range(100)]
    rows = pa.table({"cutoff": days, "lead_id": [f"L{n:03}" for n in range(100)]})
    told = train._spread(rows, 30)
    assert len(told) == 30
    assert set(told["cutoff"].to_pylist()) == set(days)
    assert train._spread(rows.take(list(range(99, -1, -1))), 30).equals(told)
    assert len(train._spread(rows, 1000)) == 100


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
