"""What monitoring sees within weeks, and what is no alarm: without an engine, in the default tests."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date, timedelta
from types import SimpleNamespace

import duckdb
import numpy as np
import pytest

from medallion.learning import monitor
from medallion.scoring.hazards import edges

DAY = date(2025, 6, 30)


def active(profile=None, unrest=(1.0, 1.0)):
    document = {"profile": profile or {}, "unrest": {str(days): list(unrest) for days in monitor.SHORT_DAYS}}
    scorer = SimpleNamespace(version="m", edges=edges(90))
    return SimpleNamespace(scorer=scorer, document=document, as_of=DAY - timedelta(days=40))


def scored(rate, count=200, seed=1):
    """Tables of deals scored 21 days ago with a probability of 20% to be won by then, of which a share was won."""
    rng = np.random.default_rng(seed)
    won = rng.random(count) < rate
    periods = len(edges(90)) - 1
    curve = [0.2 * min(1.0, (k + 1) / 3) for k in range(periods)]
    connection = duckdb.connect()
    connection.execute("create schema gold; create schema silver")
    connection.execute(
        "create table gold.lead_scores(lead_id varchar, model_version varchar, as_of date, known_as_of timestamp, "
        "won_by double[], lost_by double[])"
    )
    connection.execute("create table silver.leads_clean(lead_id varchar, status varchar, closed_at timestamp)")
    at = DAY - timedelta(days=21)
    connection.execute("set timezone = 'UTC'")
    connection.executemany(
        "insert into gold.lead_scores values (?, 'm', ?, ?, ?, ?)",
        [(f"L{k}", at, at, curve, [0.1 * p for p in curve]) for k in range(count)],
    )
    connection.executemany(
        "insert into silver.leads_clean values (?, ?, ?)",
        [(f"L{k}", "won" if w else "open", at + timedelta(days=9) if w else None) for k, w in enumerate(won)],
    )
    return connection


@pytest.fixture
def watched(monkeypatch):
    """`watched(rate)` gives what came within weeks of scores."""

    def short(rate, entry=None):
        @contextmanager
        def connect(lake, layers):
            yield scored(rate)

        monkeypatch.setattr(monitor.query, "connect", connect)
        return monitor._short(None, DAY, entry or active())

    return short


def test_a_break_shows_within_three_weeks(watched):
    rows = {(row["days"], row["end"]): row for row in watched(0.05)}
    assert set(rows) == {(days, end) for days in (14, 21) for end in ("won", "lost")}
    assert rows[21, "won"]["scores"] == 200
    assert rows[21, "won"]["expected"] == 40
    assert rows[21, "won"]["off"] < -monitor.BREAK
    found = monitor.Watch(DAY, "m", short=list(rows.values()))
    recommendation, because = monitor._recommend(found, active())
    assert recommendation == monitor.RETRAIN
    assert "of 200 scored deals were won, 40.0 were expected" in " ".join(because)


def test_what_came_as_expected_is_no_alarm(watched):
    rows = [row for row in watched(0.2) if row["end"] == "won" and row["days"] == 21]
    assert abs(rows[0]["off"]) < monitor.BREAK
    found = monitor.Watch(DAY, "m", short=rows)
    assert monitor._recommend(found, active())[0] == monitor.KEEP


def test_weeks_that_always_vary_more_alarm_less(watched):
    plain, wide = (
        next(row["off"] for row in watched(0.05, active(unrest=unrest)) if row["days"] == 21 and row["end"] == "won")
        for unrest in ((1.0, 1.0), (9.0, 1.0))
    )
    assert wide == pytest.approx(plain / 3, abs=0.01)


@pytest.mark.parametrize(("name", "recommendation"), [("account_age_days", "keep"), ("source", "retrain")])
def test_what_grows_by_itself_is_no_reason_to_train(name, recommendation):
    found = monitor.Watch(DAY, "m", drift={name: 0.9})
    assert monitor._recommend(found, active({name: {"weight": 0.5}}))[0] == recommendation


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
