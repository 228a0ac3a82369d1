"""What training may look at, and what an interval holds: without an engine, in the default tests."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from conftest import NOW
from medallion.config import load
from medallion.learning import train
from medallion.weights import ScoreWeights

DAY = timedelta(days=1)
FIRST = datetime(2024, 1, 1)


def snapshots(count=1200, seed=3, until=None):
    """Labelled snapshots in which two signals tell, the rest is empty; `until` is the day of the last outcome known."""
    from medallion.scoring.signals import SIGNALS

    rng = np.random.default_rng(seed)
    touches, open_for = rng.poisson(3, count), rng.integers(0, 200, count)
    cutoffs = np.array([FIRST + 27 * DAY * (k * 20 // count) for k in range(count)])
    until = until or FIRST + 27 * DAY * 19 + 100 * DAY
    ends = rng.exponential(60 / np.exp(0.3 * (touches - 3)), count), rng.exponential(120, count)
    days, won = np.minimum(*ends).astype(int), ends[0] < ends[1]
    observed = np.array([(until - cutoff).days for cutoff in cutoffs])
    over = days < observed
    own = {"touches_30d": pa.array(touches, pa.int64()), "days_open": pa.array(open_for, pa.int64())}
    kinds = {"string": pa.string(), "double": pa.float64()}
    columns = {s.name: own.get(s.name, pa.nulls(count, kinds.get(s.type, pa.int64()))) for s in SIGNALS}
    rows = pa.table(
        {
            "lead_id": [f"L{k}" for k in range(count)],
            "customer_id": [f"C{k // 3}" for k in range(count)],
            "cutoff": pa.array(cutoffs, pa.timestamp("us")),
            "lead_score": pa.array(np.minimum(100, touches * 12), pa.int64()),
            "won": pa.array((won & (days < 90)).astype(int), pa.int64(), mask=observed < 90),
            "outcome": pa.array(np.where(won, "won", "lost"), pa.string(), mask=~over),
            "outcome_days": pa.array(days, pa.int64(), mask=~over),
            "observed_days": pa.array(observed, pa.int64()),
            **columns,
        }
    )
    return rows.filter(pa.array(observed >= 7))


def later_changed(rows, since):
    """The same snapshots with other outcomes from a time on: what was won then is lost, the rest is won at once."""
    at = np.array([(since - cutoff).days for cutoff in rows["cutoff"].to_pylist()])
    days = np.array([10**6 if d is None else d for d in rows["outcome_days"].to_pylist()])
    observed = rows["observed_days"].to_numpy()
    later = (days >= at) & (observed > at)
    outcome = np.array(rows["outcome"].to_pylist(), dtype=object)
    day = np.where(later, np.maximum(at, 0), np.minimum(days, observed))
    changed = {
        "won": pa.array(1 - rows["won"].fill_null(0).to_numpy(), pa.int64(), mask=observed < 90),
        "outcome": pa.array(np.where(later, np.where(outcome == "won", "lost", "won"), outcome), pa.string()),
        "outcome_days": pa.array(day, pa.int64(), mask=~later & (days == 10**6)),
    }
    for name, column in changed.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    return rows


def test_nothing_that_is_tested_on_is_learned_tuned_or_calibrated_on(monkeypatch):
    """With other outcomes from the first day of the test on, the recipes that are tested are the same to the last digit."""
    from threadpoolctl import threadpool_limits

    from medallion.scoring import models, training

    monkeypatch.setattr(models, "MOST_ROUNDS", 2 * models.ROUNDS_APART)
    rows = snapshots(800)
    parts = training.split(rows, 90)
    at = training.cutoffs_of(rows)
    assert at[parts.train].max() + np.timedelta64(7, "D") <= at[parts.test].min()
    assert len(parts.blocks) == training.BLOCKS
    with threadpool_limits(1):  # where others work too, threads would wait for each other over so few rows
        one, other = (
            training._learn(given, 90, ("logistic", "xgboost"), ScoreWeights(), 7)
            for given in (rows, later_changed(rows, parts.test_from))
        )
    for kind in ("logistic", "xgboost"):
        mine, theirs = one.candidates[kind], other.candidates[kind]
        assert mine.settings == theirs.settings
        assert mine.model.dump() == theirs.model.dump()
        assert mine.calibration == theirs.calibration
        assert np.array_equal(mine.forecast, theirs.forecast)
    assert np.array_equal(one.candidates["rules"].forecast, other.candidates["rules"].forecast)
    assert one.candidates["logistic"].calibration != training.Calibration()
    # and outcomes before the test do count
    other = training._Learning(later_changed(rows, FIRST), 90, 7).candidate("logistic", None)
    assert other.model.dump() != one.candidates["logistic"].model.dump()


def test_a_block_is_learned_for_from_what_was_known_when_it_began():
    from medallion.scoring import training

    rows = snapshots()
    for block in training.split(rows, 90).blocks:
        at = training.cutoffs_of(rows)
        assert at[block.earlier].max() + np.timedelta64(7, "D") <= block.begins <= at[block.later].min()
        changed = later_changed(rows, block.begins.astype("datetime64[us]").item())
        dumps = [
            training._Learning(given, 90, 7).fit("logistic", {"penalty": 30.0}, block.earlier, block.begins).dump()
            for given in (rows, changed)
        ]
        assert dumps[0] == dumps[1]


def test_what_is_still_open_is_not_a_loss():
    """Of a world that is cut off early the hazards are those of the whole; taken as lost they would be others."""
    from medallion.scoring import hazards

    whole = hazards.level(hazards.Outcomes.of(snapshots(4000), 90))
    cut = snapshots(4000, until=FIRST + 27 * DAY * 19 + 20 * DAY)
    assert cut["won"].null_count > 100
    outcomes = hazards.Outcomes.of(cut, 90)
    assert hazards.level(outcomes)[:, 0] == pytest.approx(whole[:, 0], abs=0.1)
    as_lost = hazards.Outcomes(outcomes.edges, outcomes.period, outcomes.won, np.full(len(outcomes), outcomes.periods))
    assert abs(hazards.level(as_lost)[0, 0] - whole[0, 0]) > 0.2


def test_cutoffs_of_a_training_end_a_week_before_the_day(monkeypatch, tmp_path):
    from medallion.lakehouse.store import Lakehouse
    from medallion.learning import train
    from medallion.pipeline.steps import Steps

    monkeypatch.setattr(train.query, "connect", lambda lake, layers: nullcontext())
    monkeypatch.setattr(train.query, "rows", lambda connection, sql: [{"first": datetime(2024, 1, 1)}])
    given_settings = load(None, lakehouse=str(tmp_path))
    work = train._Training(given_settings, Lakehouse(str(tmp_path)), tmp_path, NOW, Steps(lambda name, seconds: None))
    found = work._cutoffs(date(2025, 6, 30))
    assert datetime(2025, 7, 1) - 90 * DAY in found
    assert max(found) == datetime(2025, 7, 1) - 9 * DAY


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50)
@given(st.integers(0, 2**32 - 1))
@example(19972)  # nearly all is won, and then tilted to little
def test_curves_never_fall_and_everything_adds_up_to_one(seed):
    """Calibrated and tilted in any way: won, lost and open are shares of one, and what is won by a day is won by the next."""
    from medallion.scoring import hazards
    from medallion.scoring.calibration import Calibration

    rng = np.random.default_rng(seed)
    horizon = int(rng.choice([1, 10, 60, 90, 400]))
    marks = hazards.edges(horizon)
    base, margins = rng.normal(-3, 2, (2, len(marks) - 1)), rng.normal(0, 3, (12, 4))
    at = np.sort(rng.normal(0, 2, 4))
    weights = tuple(map(tuple, rng.normal(0, 0.5, (3, 4))))
    told = Calibration((0.1, -0.2), weights, tuple(at), tuple(np.sort(rng.normal(0, 2, 4)) - at))
    found = told.curves(base, margins, marks, horizon)
    for curve in (found.won, found.lost):
        assert (curve >= 0).all()
        assert (np.diff(curve, axis=1) >= -1e-12).all()
    assert (found.won + found.lost <= 1 + 1e-9).all()
    days = [found.at(day)[0] for day in range(0, 500, 20)]
    assert (np.diff(days, axis=0) >= -1e-12).all()
    quantiles = [found.days_until(share) for share in (0.1, 0.5, 0.9)]
    assert (np.diff(quantiles, axis=0) >= 0).all()


def test_tilted_curves_have_the_probability_that_was_asked_for():
    from medallion.scoring.hazards import Curves

    plain = Curves((0, 30, 90, 180), np.array([[0.1, 0.3, 0.4]]), np.array([[0.1, 0.3, 0.4]]))
    for aim in (0.01, 0.3, 0.6):
        found = plain.tilted(np.array([aim]), 90)
        assert found.at(90)[0] == pytest.approx(aim)
        assert found.won[0, -1] + found.lost[0, -1] <= 1
        assert found.at(60)[0] == pytest.approx((found.at(30)[0] + aim) / 2)
    assert plain.tilted(np.array([0.3]), 90).won == pytest.approx(plain.won)


def test_hazards_are_found_again():
    """Drawn from known weights, fitted to what was observed of it."""
    from medallion.scoring import hazards

    rng = np.random.default_rng(2)
    marks = hazards.edges(90)
    x, weights = rng.normal(size=(6000, 2)), np.array([[0.8, -0.2, 0.3, 0.0], [0.0, 0.5, 0.0, 0.0]])
    base, periods = np.array([[-3.5], [-2.8]]) * np.ones(len(marks) - 1), len(marks) - 1
    by = hazards.curves(base, x @ weights, marks)
    drawn = rng.random(6000)
    wins = (drawn[:, None] > by.won).sum(axis=1)
    losses = ((1 - drawn)[:, None] > by.lost).sum(axis=1)
    period = np.minimum(wins, losses)
    outcomes = hazards.Outcomes(marks, period, wins < periods, rng.integers(1, periods + 1, 6000))
    fitted = hazards.fit(x, outcomes, 1.0)
    assert fitted.weights == pytest.approx(weights, abs=0.2)
    assert fitted.base[:, :6] == pytest.approx(base[:, :6], abs=0.25)
    first, _ = hazards.gradient(fitted.base, x @ fitted.weights, outcomes)
    assert x.T @ first == pytest.approx(-fitted.weights[:, :2], abs=1e-4)


def test_reasons_add_up_to_the_log_odds():
    from medallion.scoring import training
    from medallion.scoring.models import logit
    from medallion.scoring.predict import Scorer

    rows = snapshots()
    work = training._Learning(rows, 90, 7)
    for kind, extra in (("logistic", {}), ("xgboost", {"rounds": 20, "depth": 2})):
        model = work.fit(kind, {"penalty": 3.0, **extra}, work.parts.train, np.datetime64(work.parts.test_from))
        scorer = Scorer("m", kind, model.dump(), getattr(model, "trees", None), training.Calibration(), [], 90)
        some = rows.slice(0, 50)
        exact = scorer.contributions(some, exact=True)
        odds = logit(scorer.probabilities(some))
        average = odds - exact.sum(axis=1)
        assert np.ptp(average) < 1e-3
        near = scorer.contributions(some)
        assert np.corrcoef(exact.ravel(), near.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("outcome", ["won", "lost", None])
def test_deals_that_all_end_alike_are_declined_in_words(outcome):
    from medallion.scoring.readiness import NotReadyError
    from medallion.scoring.training import learn

    rows = snapshots()
    place = rows.schema.get_field_index("outcome")
    same = pa.array([outcome] * rows.num_rows, pa.string())
    days = pa.array([3 if outcome else None] * rows.num_rows, pa.int64())
    rows = rows.set_column(place, "outcome", same).set_column(place + 1, "outcome_days", days)
    with pytest.raises(NotReadyError, match="Too little to learn from"):
        learn(rows, 90, ("logistic",), ScoreWeights(), 7)


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
    from medallion.scoring.calibration import Calibration
    from medallion.scoring.predict import Scorer

    rng = np.random.default_rng(seed)
    scorer = Scorer("m", "logistic", {}, None, Calibration(), drawn_tiers(rng), 90)
    drawn = np.concatenate([[0.0, 1.0, 1e-12, 1 - 1e-12], rng.random(20)])
    for p in (drawn, np.round(drawn, 6)):
        low, high = scorer.interval(p)
        assert (low <= p).all()
        assert (p <= high).all()
        assert (low >= 0).all()
        assert (high <= 1).all()


def test_scores_of_a_trained_model_keep_the_laws():
    """As they are published: low <= probability <= high, curves that never fall, won and lost at most one."""
    from medallion.scoring import training
    from medallion.scoring.predict import Scorer

    rows = snapshots(600)
    work = training._Learning(rows, 90, 7)
    one = work.candidate("logistic", None)
    model, calibration, tiers = work.final(one)
    batch = rows.filter(pa.array(work.parts.test)).combine_chunks().to_batches()[0]
    scores = Scorer("m", "logistic", model.dump(), None, calibration, tiers, 90)(batch).to_pylist()
    assert scores
    for row in scores:
        assert 0 <= row["probability_low"] <= row["probability"] <= row["probability_high"] <= 1
        assert row["probability"] in row["won_by"]
        assert row["probability_lost"] in row["lost_by"]
        for curve in ("won_by", "lost_by"):
            assert row[curve] == sorted(row[curve])
        assert all(won + lost <= 1 + 1e-6 for won, lost in zip(row["won_by"], row["lost_by"], strict=True))
        assert row["close_date_low"] <= row["close_date"] <= row["close_date_high"]


def test_an_interval_reaches_to_what_the_test_found():
    """Forecasts of 40% of which 20 to 30% were won: from a half as high odds up to the forecast itself."""
    from medallion.scoring.calibration import Calibration
    from medallion.scoring.predict import Scorer

    tier = {"from": 0.0, "forecast": 0.4, "low": 0.2, "high": 0.3}
    low, high = Scorer("m", "logistic", {}, None, Calibration(), [tier], 90).interval(np.array([0.4]))
    assert (low[0], high[0]) == pytest.approx((0.2, 0.4))


def test_what_a_model_is_weighed_on_does_not_depend_on_the_order_of_rows():
    days = [datetime(2025, 1, 1) + timedelta(days=30 * (n % 7)) for n in range(100)]
    rows = pa.table({"cutoff": days, "lead_id": [f"L{n:03}" for n in range(100)]})
    told = train._spread(rows, 30)
    assert len(told) == 30
    assert set(told["cutoff"].to_pylist()) == set(days)
    assert train._spread(rows.take(list(range(99, -1, -1))), 30).equals(told)
    assert len(train._spread(rows, 1000)) == 100


def afterwards_rows(rng, count=1200):
    """One snapshot per deal; a third is open, half of the closed ones were delivered while they were open."""
    end = rng.choice(["won", "lost", None], count)
    before = np.array([one is None for one in end]) | (rng.random(count) < 0.5)
    return (
        {
            "lead_id": [f"L{k}" for k in range(count)],
            "cutoff": pa.array([FIRST] * count, pa.timestamp("us")),
            "outcome": pa.array(end, pa.string()),
        },
        np.asarray(end, dtype=object),
        before,
    )


@pytest.mark.parametrize("partly", [True, False], ids=["some closed later", "closed at first"])
def test_fields_that_are_filled_when_a_deal_ends_are_named(partly):
    from medallion.scoring import afterwards

    rng = np.random.default_rng(5)
    rows, end, before = afterwards_rows(rng)
    before = before if partly else end == None  # noqa: E711
    count, won, after = len(end), end == "won", ~before
    noise = rng.random(count)
    rows |= {
        "partner": pa.array(np.where(after & (noise < np.where(won, 0.93, 0.05)), "P", None), pa.string()),
        "value": pa.array(np.where(after & (end == "lost"), 0.0, 1000 + 100 * noise)),
        "category": pa.array(np.where(after & (noise < 0.95), end, "pipeline"), pa.string()),
        # what is honest: it tells much, or is known of half of the deals, or came up only lately
        "competitor": pa.array(np.where(noise < np.where(won, 0.8, 0.35), "none", "Norvex"), pa.string()),
        "half": pa.array(np.where(noise < 0.5, "x", None), pa.string()),
        "lately": pa.array(np.where(before & (noise < 0.6), "x", None), pa.string()),
        "empty": pa.array([None] * count, pa.string()),
    }
    kinds = {
        name: "amount" if name == "value" else "category"
        for name in rows
        if name not in ("lead_id", "cutoff", "outcome")
    }
    found = afterwards.found(pa.table(rows), kinds, [f"L{k}" for k in np.flatnonzero(before)])
    assert set(found) == {"partner", "value", "category"}
    assert "of the deals that were delivered won" in found["partner"]
    assert "AUC of 0.9" in found["category"] or "AUC of 1.0" in found["category"]


def test_nothing_is_said_of_few_deals():
    from medallion.scoring import afterwards

    rows, end, before = afterwards_rows(np.random.default_rng(1), 30)
    table = pa.table({**rows, "told": pa.array(end, pa.string())})
    assert afterwards.found(table, {"told": "category"}, [f"L{k}" for k in np.flatnonzero(before)]) == {}
    assert afterwards.found(table.slice(0, 0), {"told": "category"}, []) == {}


def test_a_category_that_training_never_saw_and_a_missing_value_are_scored():
    from medallion.scoring.hazards import Outcomes
    from medallion.scoring.models import Logistic

    rows = snapshots(count=600)
    seen = pa.array(["a", "b", None] * len(rows), pa.string()).slice(0, len(rows))
    amounts = pa.array([None, -5.0, 900.0, 3.0] * len(rows), pa.float64()).slice(0, len(rows))
    rows = rows.append_column("mine", seen).append_column("size", amounts)
    kinds = {"touches_30d": "amount", "mine": "category", "size": "amount"}
    model = Logistic.fit(rows, Outcomes.of(rows, 90), 30.0, kinds)
    one = rows.slice(0, 4).drop_columns(["mine", "size"])
    new = one.append_column("mine", pa.array(["new", None, "a", "new"])).append_column(
        "size", pa.array([None, 1e9, -1e9, 0.0])
    )
    assert np.isfinite(model.margins(new)).all()


#: Files that have a header and no rows.
WITHOUT_ROWS = {
    "interactions.csv": "interaction_id,customer_id,lead_id,channel,outcome,occurred_at\n",
    "products.csv": "product_id,product_name\n",
    "stage_changes.csv": "lead_id,stage,entered_at\n",
    "contacts.csv": "contact_id,customer_id,contact_name\n",
}
EMPTY_BUT_VALID = [
    # what the deals are like, what the refusal says, None where there is something to learn from
    ("nothing but deals and accounts", None),
    ("files without rows", None),
    ("one owner, trusted", None),
    ("one account", None),
    ("all won", "won and 0 lost"),
    ("all lost", "0 won and"),
    ("all open", "0 won and 0 lost"),
    ("no dates of opening", "0 won and 0 lost"),
    ("opened and closed on one day", "no deal was open at a cutoff"),
]


CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: mine
version: 1.0.0
status: active
schema:
  - name: leads
    properties:
      - {name: competitor, physicalType: string, customProperties: [{property: signal, value: opening}]}
      - {name: partner, physicalType: string, customProperties: [{property: signal, value: opening}]}
"""


@pytest.mark.slow
def test_columns_of_a_contract_are_learned_from_and_what_is_filled_at_the_end_is_not(deliver, tmp_path):
    """The competitor tells how deals end; a partner is written down when they are won."""
    rng = np.random.default_rng(6)
    lines = ["lead_id,customer_id,status,deal_value,created_at,closed_at,competitor,partner"]
    for k in range(950):
        opened = FIRST + DAY * int(rng.integers(0, 500))
        against = ("nobody", "Norvex")[int(rng.integers(0, 2))]
        closed = opened + DAY * int(rng.exponential(60) + 1)
        won = rng.random() < (0.8 if against == "nobody" else 0.2)
        is_open = closed > datetime(2025, 6, 30)
        status = "open" if is_open else "won" if won else "lost"
        partner = "Integrator" if status == "won" and rng.random() < 0.95 else ""
        day = "" if is_open else closed.date().isoformat()
        lines.append(f"L{k},C{k % 300},{status},{100 + k},{opened.date()},{day},{against},{partner}")
    accounts = ["customer_id,customer_name", *(f"C{k},Name {k}" for k in range(300))]
    (tmp_path / "mine.odcs.yaml").write_text(CONTRACT)
    contracts = (tmp_path / "mine.odcs.yaml",)
    _, lake = deliver(
        {"leads.csv": "\n".join(lines), "customers.csv": "\n".join(accounts)}, as_of="2025-06-30", contracts=contracts
    )
    settings = load(None, lakehouse=lake.root, contracts=contracts, as_of="2025-06-30")
    outcome = train.train(settings, NOW)
    assert set(outcome.evaluation["left_out"]) == {"partner"}
    assert "it is filled when a deal ends" in outcome.evaluation["left_out"]["partner"]
    assert outcome.evaluation["own_kinds"] == {"competitor": "category"}
    assert outcome.evaluation["candidates"]["logistic"]["roc_auc"] > 0.65


@pytest.mark.slow
@pytest.mark.parametrize(("what", "refused"), EMPTY_BUT_VALID)
def test_deals_and_accounts_alone_are_enough_or_declined_in_words(deliver, what, refused):
    """No touches, no products, no stage changes, one owner, one source: it trains, or says why it does not."""
    from medallion.scoring.readiness import NotReadyError

    rng = np.random.default_rng(4)
    lines = ["lead_id,customer_id,status,deal_value,created_at,closed_at,owner,source"]
    for k in range(500):
        opened = FIRST + DAY * int(rng.integers(0, 500))
        closed = opened + DAY * int(rng.exponential(60) + 1)
        is_won = rng.random() < 0.4
        is_open = closed > datetime(2025, 6, 30)
        if what == "opened and closed on one day":
            closed, is_open = opened + timedelta(hours=3), False
        ended = what if what in ("all won", "all lost") else "all won" if is_won else "all lost"
        status = "open" if is_open or what == "all open" else ended.removeprefix("all ")
        account = "C0" if what == "one account" else f"C{k % 90}"
        day = "" if status == "open" else closed.isoformat()
        begin = "" if what == "no dates of opening" else opened.isoformat()
        lines.append(f"L{k},{account},{status},{100 + k},{begin},{day},Ann,website")
    accounts = ["customer_id,customer_name", *(f"C{k},Name {k}" for k in range(90))]
    files = {"leads.csv": "\n".join(lines), "customers.csv": "\n".join(accounts)}
    _, lake = deliver(files | (WITHOUT_ROWS if what == "files without rows" else {}), as_of="2025-06-30")
    fixed = ("owner",) if what == "one owner, trusted" else ()
    settings = load(None, lakehouse=lake.root, as_of="2025-06-30", fixed_columns=fixed)
    if refused:
        with pytest.raises(NotReadyError, match=refused):
            train.train(settings, NOW)
        return
    outcome = train.train(settings, NOW)
    assert outcome.version or "better beyond doubt" in outcome.reason
    assert outcome.evaluation["candidates"]["logistic"]["log_loss"] < 0.8


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
