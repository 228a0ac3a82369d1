"""Training, registry, scores, explanation and monitoring on a small simulated world."""

from __future__ import annotations

import json
import pickle
import shutil
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from conftest import NOW
from medallion.errors import LakehouseError, MedallionError
from medallion.scoring.readiness import Evidence, NotReadyError

pytestmark = pytest.mark.slow  # CI runs them, and `just slow`


@pytest.fixture(scope="module")
def learned(spark, tmp_path_factory):
    """A lakehouse of a small world after training: its settings and the outcome."""
    from medallion import pipeline
    from medallion.config import load
    from medallion.learning import train
    from medallion.simulate import World, simulate

    folder = tmp_path_factory.mktemp("world")
    simulate(World(customers=1500, days=540, seed=11), folder / "exports")
    settings = load(None, source=str(folder / "exports"), lakehouse=str(folder / "lake"))
    pipeline.run(settings, NOW)
    return settings, train.train(settings, NOW)


@pytest.fixture
def copied(learned, tmp_path):
    """The same lakehouse, to be spoiled."""
    settings, _ = learned
    shutil.copytree(settings.lakehouse, tmp_path / "lake")
    return settings.model_copy(update={"lakehouse": str(tmp_path / "lake")})


def champion(settings):
    from medallion.pipeline import models

    return models.champion(settings)


def rows_of(settings):
    from medallion.lakehouse.store import Lakehouse

    return Lakehouse(settings.lakehouse).delta("gold.lead_snapshots").to_pyarrow_table()


# training


def test_a_model_is_trained_tested_later_and_registered(learned):
    settings, outcome = learned
    found = outcome.evaluation
    assert outcome.promoted
    assert outcome.version == champion(settings).scorer.version
    assert set(found["candidates"]) == {"rules", "logistic", "xgboost"}
    best = found["candidates"][found["champion"]]
    assert best["gain"]["low"] > 0
    assert best["roc_auc"] > found["candidates"]["rules"]["roc_auc"] > 0.5
    assert all(check["passed"] for check in found["leak_checks"])
    assert len(found["leak_checks"]) == 5
    gap = datetime.fromisoformat(found["test_from"]) - datetime.fromisoformat(found["train_until"])
    assert gap.days >= 7
    assert found["blocks"]
    folder = Path(outcome.folder, outcome.version)
    assert {path.name for path in folder.iterdir()} >= {"model.json", "evaluation.json", "model_card.md"}
    card = (folder / "model_card.md").read_text()
    assert "simulated world of 1500 customers" in card
    assert f"{best['roc_auc']:.3f}" in card
    assert json.loads((folder / "evaluation.json").read_text()) == json.loads(json.dumps(found))


def test_a_model_is_named_by_what_it_learned_and_not_by_who_trained_it():
    from medallion.scoring import registry

    one = {"as_of": "2025-06-30", "kind": "logistic", "trained_on": "x", "model": {"base": [1]}, "product": "0.1.0"}
    name = registry.named(one, None)["version"]
    assert registry.named({**one, "product": "0.2.0"}, None)["version"] == name
    assert registry.named({**one, "model": {"base": [2]}}, None)["version"] != name


def test_two_trainings_give_the_same_model(learned):
    from medallion.scoring.training import learn

    settings, _ = learned
    rows = rows_of(settings)
    shuffled = rows.take(np.random.default_rng(1).permutation(rows.num_rows))
    one, two = (learn(given, 90, ("logistic", "xgboost"), settings.score, 7) for given in (rows, shuffled))
    assert json.dumps(one.evaluation, sort_keys=True) == json.dumps(two.evaluation, sort_keys=True)
    for kind, candidate in one.candidates.items():
        other = two.candidates[kind]
        if candidate.model is not None:
            assert candidate.model.dump() == other.model.dump()
            assert getattr(candidate.model, "trees", None) == getattr(other.model, "trees", None)
            assert candidate.calibration == other.calibration
        assert np.array_equal(candidate.forecast, other.forecast)


def test_a_signal_that_is_the_outcome_would_show():
    """The figures are those of the forecasts: a perfect one has no error, a constant one has no rank."""
    from medallion.scoring.evaluation import figures

    won = np.array([0, 0, 0, 1, 1.0])
    assert figures(won, won).roc_auc == 1
    assert figures(won, won).ece == figures(won, won).brier == 0
    assert figures(won, np.full(5, 0.4)).roc_auc == 0.5
    assert figures(won, 1 - won).roc_auc == 0
    assert figures(np.ones(5), won).roc_auc is None


def test_figures_by_hand():
    from medallion.scoring.evaluation import calibration_error, figures

    won, forecast = np.array([1, 0, 1, 0.0]), np.array([0.9, 0.8, 0.6, 0.1])
    found = figures(won, forecast)
    assert found.roc_auc == 0.75
    assert found.brier == round((0.01 + 0.64 + 0.16 + 0.01) / 4, 4)
    assert found.log_loss == round(float(-(np.log(0.9) + np.log(0.2) + np.log(0.6) + np.log(0.9)) / 4), 4)
    assert calibration_error(won, forecast) == pytest.approx((0.1 + 0.8 + 0.4 + 0.1) / 4)


def test_gain_is_of_accounts_not_of_rows():
    """A thousand rows of one account are one piece of evidence."""
    from medallion.scoring.evaluation import gain

    won = np.array([1.0] * 1000 + [0.0, 1.0, 0.0])
    better, worse = np.where(won > 0, 0.9, 0.6), np.full(1003, 0.5)
    accounts = ["big"] * 1000 + ["a", "b", "c"]
    assert gain(won, worse, better, list(range(1003)), 1).beyond_doubt
    assert not gain(won, worse, better, accounts, 1).beyond_doubt
    assert gain(won, better, better, accounts, 1).log_loss == 0


# refusals


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (39, 500), (500, 39)])
def test_too_few_deals_are_refused(won, lost):
    with pytest.raises(NotReadyError, match=f"{won} won and {lost} lost") as caught:
        Evidence(won, lost).check()
    assert "score band" in caught.value.remedy
    assert caught.value.exit_status == 3


@pytest.mark.parametrize(
    ("won", "lost", "kinds"),
    [
        (40, 40, ("logistic",)),
        (119, 5000, ("logistic",)),
        (500, 499, ("logistic",)),
        (120, 880, ("logistic", "xgboost")),
    ],
)
def test_trees_need_more(won, lost, kinds):
    Evidence(won, lost).check()
    assert Evidence(won, lost).kinds == kinds


def spoiled(rows, **columns):
    for name, value in columns.items():
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(
            place, rows.schema.field(name), pa.array([value] * rows.num_rows, rows.schema.field(name).type)
        )
    return rows


SPOILED = [
    ({"outcome": "won", "outcome_days": 1}, "won and 0 other snapshots"),
    ({"outcome": "lost", "outcome_days": 1}, "0 won"),
    ({"outcome": None, "outcome_days": None}, "0 won"),
    ({"cutoff": datetime(2025, 1, 1)}, "0 won and 0 other snapshots to learn from"),
    ({"observed_days": 80}, "no deal was open at a cutoff whose horizon is over"),
]


@pytest.mark.parametrize(("columns", "message"), SPOILED)
def test_rows_of_one_kind_are_refused(learned, columns, message):
    from medallion.scoring.training import learn

    with pytest.raises(NotReadyError, match=message):
        learn(spoiled(rows_of(learned[0]), **columns), 90, ("logistic",), learned[0].score, 7)


def test_signals_without_news_are_left_out_and_nothing_else_is_refused(learned):
    from medallion.scoring.matrix import Encoder
    from medallion.scoring.signals import SIGNALS

    rows = rows_of(learned[0])
    names = [signal.name for signal in SIGNALS]
    less = spoiled(rows, source=None, days_open=5, industry="Retail")
    assert {"source", "days_open", "industry"}.isdisjoint(Encoder.fit(less).signals)
    assert {"source", "days_open", "industry"} <= set(Encoder.fit(rows).signals)
    with pytest.raises(NotReadyError, match="every signal is the same"):
        Encoder.fit(spoiled(rows, **dict.fromkeys(names)))
    with pytest.raises(NotReadyError):
        Encoder.fit(rows.slice(0, 0))


def test_the_sample_is_declined_with_status_3(tmp_path):
    import subprocess
    import sys

    lake = str(tmp_path / "lake")
    command = [sys.executable, "-m", "medallion"]
    assert subprocess.run([*command, "run", "--lakehouse", lake], capture_output=True).returncode == 0
    done = subprocess.run([*command, "train", "--lakehouse", lake], capture_output=True, text=True)
    assert done.returncode == 3
    assert "6 won and 5 lost deals, at least 40 won and 40 lost are needed" in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path(lake, "models", "champion.json").exists()


# the registry


def test_a_registered_model_scores_as_the_trained_one(learned):
    settings, outcome = learned
    rows = rows_of(settings)
    scorer = champion(settings).scorer
    again = pickle.loads(pickle.dumps(scorer))  # noqa: S301  what an engine does with it
    assert np.array_equal(scorer.probabilities(rows), again.probabilities(rows))
    assert scorer.kind == outcome.evaluation["champion"]


SPOILS = [
    ("champion.json", lambda text: text.replace('"version": "', '"version": "../'), "is not the name of a model"),
    ("champion.json", lambda text: "{", "is not JSON"),
    ("champion.json", lambda text: "[]", "is not a model"),
    ("model.json", lambda text: text.replace('"horizon_days": 90', '"horizon_days": 30'), "was changed since"),
    ("evaluation.json", lambda text: "x", None),
]


@pytest.mark.parametrize(("name", "change", "message"), SPOILS)
def test_a_model_that_was_changed_is_refused(copied, name, change, message):
    models = Path(copied.lakehouse, "models")
    path = next(iter(models.rglob(name)))
    path.write_text(change(path.read_text()))
    if message is None:
        assert champion(copied)
        return
    with pytest.raises(LakehouseError, match=message) as caught:
        champion(copied)
    assert str(path) in caught.value.problem


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 4}, "has format 4"),
        ({"calibration": {"means": [0.0]}}, "is not a model"),
        ({"signals": "other"}, "other signals"),
        ({"tiers": []}, "no tiers"),
        ({"model": {}}, "is not a model"),
        ({"kind": "pickle"}, "is no kind of model"),
        ({"as_of": "soon"}, "is not a model"),
    ],
)
def test_a_model_of_another_kind_is_refused(copied, change, message):
    from medallion.scoring import registry

    models = Path(copied.lakehouse, "models")
    path = next(iter(models.glob("*/model.json")))
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    registry.crown(models, path.parent.name)
    with pytest.raises(LakehouseError, match=message):
        champion(copied)


def test_trees_that_were_changed_are_refused(learned, tmp_path):
    from medallion.scoring import registry
    from medallion.scoring.hazards import Outcomes
    from medallion.scoring.models import Boosted, Logistic

    settings, _ = learned
    rows = rows_of(settings)
    outcomes = Outcomes.of(rows, 90)
    trees = Boosted.fit(Logistic.fit(rows, outcomes, 30.0), rows, outcomes, 7, 12, 2)
    told = {**champion(settings).document, "kind": "xgboost", "model": trees.dump()}
    version = registry.register(tmp_path, told, trees.trees, {})
    registry.crown(tmp_path, version)
    found = registry.champion(tmp_path)
    assert np.array_equal(found.scorer.model.margins(rows), trees.margins(rows))
    path = tmp_path / version / "model.ubj"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(LakehouseError, match=r"model\.ubj: was changed"):
        registry.champion(tmp_path)
    path.unlink()
    with pytest.raises(LakehouseError, match="cannot be read"):
        registry.champion(tmp_path)


def test_only_what_is_registered_can_be_active(copied):
    from medallion.learning import registered

    version = champion(copied).scorer.version
    registered.use(copied, "rules")
    assert champion(copied) is None
    with pytest.raises(LakehouseError, match=r"\.\./x: there is no such model"):
        registered.use(copied, "../x")
    registered.use(copied, version)
    assert champion(copied).scorer.version == version
    assert [row["active"] for row in registered.versions(copied)] == [True]


# scores


def gold(settings, sql):
    from medallion.lakehouse import query
    from medallion.lakehouse.store import Lakehouse

    with query.connect(Lakehouse(settings.lakehouse)) as connection:
        return query.rows(connection, sql)


def test_scores_reach_every_gold_table(copied):
    from medallion import pipeline
    from medallion.scoring.hazards import edges

    before = gold(copied, "select count(*) as n from gold.lead_scores")[0]["n"]
    result = pipeline.run(copied, datetime(2025, 7, 1, 9), stages=[pipeline.SILVER_TO_GOLD])
    assert result.changed
    version = champion(copied).scorer.version
    scores = gold(copied, "select * from gold.lead_scores where model_version is not null")
    opened = gold(copied, "select * from gold.deals where status = 'open'")
    assert gold(copied, "select count(*) as n from gold.lead_scores")[0]["n"] == before + len(scores)
    by_deal = {row["lead_id"]: row for row in scores}
    assert {row["lead_id"] for row in opened} == set(by_deal)
    for row in opened:
        assert row["probability_to_convert"] == by_deal[row["lead_id"]]["probability"]
    for row in scores:
        assert row["model_version"] == version
        assert row["probability_low"] <= row["probability"] <= row["probability_high"]
        assert 1 <= row["tier"] <= 10
        assert max(len(row["reasons_up"]), len(row["reasons_down"])) <= 5
        assert row["trend"] == "not enough information"
    assert sum(bool(row["reasons_up"] or row["reasons_down"]) for row in scores) > 0.85 * len(scores)
    for row in scores:
        assert row["probability"] == row["won_by"][edges(90).index(90) - 1]
        assert row["probability_lost"] == row["lost_by"][edges(90).index(90) - 1]
        assert row["close_date_low"] <= row["close_date"] <= row["close_date_high"]
    accounts = gold(copied, "select * from gold.customer_features")
    mine = {}
    for row in scores:
        mine.setdefault(row["customer_id"], []).append(row["probability"])
    for row in accounts:
        p = mine.get(row["customer_id"], [])
        assert row["probability_to_convert"] == pytest.approx(1 - np.prod([1 - x for x in p]), abs=2e-6)
        assert row["probability_source"] == (version if p else "base_rate_by_band")
    weighted = sum(float(row["weighted_value"] or 0) for row in opened)
    assert sum(float(row["weighted_pipeline"]) for row in accounts) == pytest.approx(weighted, abs=1)
    again = pipeline.run(copied, datetime(2025, 7, 1, 10), stages=[pipeline.SILVER_TO_GOLD])
    assert not again.changed


def test_a_model_is_silent_about_days_before_it(copied):
    from medallion import pipeline

    past = copied.model_copy(update={"as_of": "2025-05-31"})
    pipeline.run(past, datetime(2025, 7, 1, 9), stages=[pipeline.SILVER_TO_GOLD])
    found = gold(
        copied, "select distinct probability_source, model_version from gold.lead_scores where as_of = '2025-05-31'"
    )
    assert found == [{"probability_source": "base_rate_by_band", "model_version": None}]


def test_the_explanation_is_of_the_published_score(copied):
    from medallion import pipeline
    from medallion.care.explain import explain

    pipeline.run(copied, datetime(2025, 7, 1, 9), stages=[pipeline.SILVER_TO_GOLD])
    best = gold(
        copied,
        "select * from gold.lead_scores where model_version is not null order by probability desc, lead_id limit 1",
    )[0]
    found = explain(copied, best["lead_id"].lower())
    assert found["scores"][0]["probability"] == best["probability"]
    told = found["model"]["deals"][best["lead_id"]]
    scorer = champion(copied).scorer
    assert {item["signal"] for item in told["signals"]} == set(scorer.model.names)
    assert sum(item["effect_on_log_odds"] for item in told["signals"]) > 0
    assert sum(part["points"] for part in found["rule_score"]["parts"]) == pytest.approx(
        found["rule_score"]["lead_score"], abs=0.7
    )
    assert found["rows"]["touches"][0]["file"] == "interactions.csv"
    account = explain(copied, best["customer_id"])
    assert account["deal"] is None
    assert best["lead_id"] in [row["lead_id"] for row in account["scores"]]
    with pytest.raises(LakehouseError, match="nobody"):
        explain(copied, "nobody")


TRENDS = [
    (0.30, "base_rate_by_band", date(2025, 6, 1), "improving"),
    (0.50, "base_rate_by_band", date(2025, 6, 1), "steady"),
    (0.70, "base_rate_by_band", date(2025, 6, 1), "declining"),
    (0.30, "model", date(2025, 6, 1), "not enough information"),
    (0.30, "base_rate_by_band", date(2025, 6, 30), "not enough information"),
    (0.30, "base_rate_by_band", date(2024, 6, 1), "not enough information"),
]


@pytest.mark.parametrize(("before", "means", "day", "trend"), TRENDS)
def test_trend_against_the_last_score_by_the_same_means(frame, before, means, day, trend):
    from medallion.features import AsOf
    from medallion.gold.lead_scores import lead_scores

    deals = frame(
        "lead_id string, customer_id string, status string, probability_to_convert double, probability_low double, "
        "probability_high double, lead_score bigint, lead_quality string, as_of date",
        ("L1", "C1", "open", 0.5, 0.4, 0.6, 80, "Hot", date(2025, 6, 30)),
        ("L2", "C1", "won", None, None, None, 80, "Hot", date(2025, 6, 30)),
    )
    account = frame(
        "customer_id string, score_fit double, score_engagement double, score_recency double, score_intent double, "
        "days_since_last_interaction bigint",
        ("C1", 0.9, 0.1, 0.9, None, 1),
    )
    previous = frame(
        "lead_id string, as_of date, known_as_of timestamp, probability double, model_version string, "
        "probability_source string",
        ("L1", day, NOW, before, "m" if means == "model" else None, means),
    )
    rows = lead_scores(deals, account, None, previous, AsOf(datetime(2025, 7, 1)), NOW).collect()
    assert [(row["lead_id"], row["trend"]) for row in rows] == [("L1", trend)]
    assert rows[0]["reasons_up"] == ["Fits well (27 of 30 points)", "In touch (last touch 1 day ago; 18 of 20 points)"]
    assert rows[0]["reasons_down"] == ["Little engagement (4 of 35 points)"]


def test_reasons_in_words():
    from medallion.scoring.reasons import reasons

    rows = pa.table(
        {
            "days_open": pa.array([0, 1, 39, None], pa.int64()),
            "source": pa.array(["referral", None, "x{}y", "event"], pa.string()),
            "account_closed": pa.array([2, 1, 0, 3], pa.int64()),
            "account_win_lift": pa.array([0.2, -0.2, 0.0, 0.1], pa.float64()),
        }
    )
    names = ["days_open", "source", "account_closed", "account_win_lift"]
    effects = np.array([[0.5, -0.4, 0.0, 0.1], [0.3, 0.2, 0.0, -0.1], [0.01, 0.3, 0.1, 0.1], [-0.2, -0.3, 0.1, -0.1]])
    up, down = (part.to_pylist() for part in reasons(rows, names, effects))
    assert up == [
        ["Opened today", "2 deals closed before, wins above the average"],
        ["Open for 1 day", "Source unknown"],
        ["Source: x{}y", "No deal closed before"],
        [],
    ]
    assert down == [
        ["Source: referral"],
        ["1 deal closed before, wins below the average"],
        [],
        ["Source: event", "Opening date unknown"],
    ]


def test_what_a_rep_sees_as_one_thing_is_one_reason_with_its_contrast():
    from medallion.scoring.reasons import reasons

    names = [
        "deal_touches",
        "days_since_deal_touch",
        "deal_trend",
        "days_open",
        "source",
        "country",
        "industry",
        "size_band",
    ]
    rows = pa.table(
        {
            "deal_touches": pa.array([12, 0], pa.int64()),
            "days_since_deal_touch": pa.array([21, None], pa.int64()),
            "deal_trend": pa.array([-1.0, 0.0]),
            "days_open": pa.array([40, 40], pa.int64()),
            "source": ["event", "event"],
            "country": ["Germany", None],
            "industry": ["Retail", None],
            "size_band": ["51-200", "unknown"],
        }
    )
    effects = np.array([[0.4, -0.6, -0.1, 0.3, 0.1, 0.5, -0.1, 0.0], [-0.2, 0.0, 0.0, 0.01, 0.1, -0.3, 0.0, 0.0]])
    typical = {"deal_touches": 8.0, "days_since_deal_touch": 6.0}
    up, down = (part.to_pylist() for part in reasons(rows, names, effects, (), typical))
    assert up == [["Account: Retail, size 51-200, Germany", "Open for 40 days", "Source: event"], ["Source: event"]]
    assert down == [
        ["12 touches about this deal, last 21 days ago; deals that were won: 8, last 6 days ago"],
        [
            "Account of unknown industry, size unknown",
            "No touch about this deal; deals that were won: 8, last 6 days ago",
        ],
    ]
    assert all(len(part) <= 3 for part in (*up, *down))


def test_a_reason_without_words_leaves_the_others_where_they_are():
    """Signals of one thing that are all unknown for a deal say nothing of it; the next deal has its own words."""
    from medallion.scoring.reasons import reasons

    names = ["touches_90d", "days_since_touch", "positive_365d"]
    rows = pa.table({name: pa.array([None, 3], pa.int64()) for name in names})
    up, _ = reasons(rows, names, np.full((2, 3), 0.4), typical={"touches_90d": 4})
    assert [len(texts) for texts in up.to_pylist()] == [0, 1]
    assert "3 touches" in up.to_pylist()[1][0]


def test_the_calendar_is_no_reason():
    from medallion.scoring.reasons import reasons

    rows = pa.table({"season_cos": pa.array([0.5], pa.float64()), "days_open": pa.array([3], pa.int64())})
    up, down = reasons(rows, ["season_cos", "days_open"], np.array([[2.0, 0.5]]))
    assert (up.to_pylist(), down.to_pylist()) == ([["Open for 3 days"]], [[]])


def test_every_signal_has_words():
    from medallion.scoring.reasons import PHRASES
    from medallion.scoring.signals import SIGNALS

    assert {signal.name for signal in SIGNALS} | {"lead_score"} == set(PHRASES)


def test_signals_of_a_contract_are_reasons_by_their_label():
    from medallion.scoring.reasons import reasons
    from medallion.scoring.signals import Own

    own = [
        Own("rival", "leads", "string", "opening", "Competitor"),
        Own("renewal", "customers", "date", "delivery", "Renewal"),
    ]
    rows = pa.table({"rival": ["Norvex", None], "renewal": pa.array([12.0, None], pa.float64())})
    up, down = reasons(rows, ["rival", "renewal"], np.array([[0.4, -0.2], [0.1, 0.2]]), own)
    assert up.to_pylist() == [["Competitor: Norvex"], ["Renewal unknown", "Competitor unknown"]]
    assert down.to_pylist() == [["Renewal: 12 days away"], []]


def test_every_signal_is_in_one_group_at_most_and_groups_say_what_they_hold():
    from medallion.scoring.reasons import CONTRASTED, GROUPS
    from medallion.scoring.signals import SIGNALS

    names = [name for group in GROUPS for name in group.signals]
    assert len(names) == len({*names})
    assert {*names} <= {signal.name for signal in SIGNALS}
    for group in GROUPS:
        assert {name for name, _ in group.says} <= {*group.signals}
        assert not group.won or group.contrast(dict.fromkeys(CONTRASTED, 1.0))


# again, and watching


@pytest.mark.slow
def test_the_same_recipe_learned_from_later_deals_takes_over(copied):
    from medallion.learning import train

    before = champion(copied).scorer.version
    later = train.train(copied.model_copy(update={"as_of": "2025-06-29"}), NOW)
    assert later.promoted
    assert champion(copied).scorer.version == later.version != before


@pytest.mark.slow
def test_a_model_of_an_earlier_format_is_replaced(copied):
    from medallion.learning import train
    from medallion.scoring import registry

    models = Path(copied.lakehouse, "models")
    path = next(iter(models.glob("*/model.json")))
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 1}))
    registry.crown(models, path.parent.name)
    assert champion(copied) is None
    outcome = train.train(copied, NOW)
    assert outcome.promoted
    assert champion(copied).scorer.version == outcome.version


@pytest.mark.parametrize("killed_in", ["registered", "crowned"])
def test_a_killed_training_leaves_nothing_or_a_model(copied, monkeypatch, killed_in):
    """Killed when its model is registered but not yet active, and when it is active."""
    from medallion.lakehouse.store import Lakehouse
    from medallion.learning import train
    from medallion.pipeline import journal, models
    from medallion.scoring import registry

    real, folder, lake = registry.crown, Path(copied.lakehouse, "models"), Lakehouse(copied.lakehouse)
    present, snapshots = models.champion(copied).scorer.version, lake.delta("gold.lead_snapshots").to_pyarrow_table()

    def killed(*given):
        if killed_in == "crowned":
            real(*given)
        raise KeyboardInterrupt

    before = registry.versions(folder)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(registry, "crown", killed)
        train.train(copied.model_copy(update={"as_of": "2025-06-29"}), NOW, anyway=True)
    assert len(registry.versions(folder)) == len(before) + 1
    with journal.writing(lake) as writer:
        assert "train that began at" in writer.recovered[0]
    is_new = models.champion(copied).scorer.version != present
    assert is_new is (killed_in == "crowned") is (len(registry.versions(folder)) > len(before))
    assert (lake.delta("gold.lead_snapshots").to_pyarrow_table() != snapshots) is is_new


def test_recipes_are_compared_on_the_same_later_deals(learned):
    """A recipe that learns nothing is no rival, and one that is the same is as good."""
    from types import SimpleNamespace

    from medallion.learning import train
    from medallion.scoring.training import learn

    settings, _ = learned
    rows = rows_of(settings)
    new = learn(rows, 90, ("logistic",), settings.score, 7)
    new.evaluation["horizon_days"] = 90
    same = new.candidates["logistic"].settings

    def against(recipe):
        scorer = SimpleNamespace(version="before", kind="logistic")
        return train._not_as_good(SimpleNamespace(scorer=scorer, document={"settings": recipe}), new, rows, {})

    assert against(same) is None
    assert against({"penalty": 1e9}) is None
    blind = {"penalty": 1e9}
    new.candidates["logistic"].forecast = training_again(rows, blind)
    assert "which stays active" in against(same)


def training_again(rows, settings):
    from medallion.scoring import training

    return training.again(rows, 90, "logistic", settings, 7).forecast


@pytest.mark.slow
def test_watching(copied):
    from medallion import pipeline
    from medallion.learning import monitor, train

    shutil.rmtree(Path(copied.lakehouse, "models"))
    assert monitor.watch(copied).recommendation == monitor.TRAIN
    early = copied.model_copy(update={"as_of": "2025-02-28"})
    assert train.train(early, NOW).promoted
    pipeline.run(early, datetime(2025, 7, 1, 9), stages=[pipeline.SILVER_TO_GOLD])
    pipeline.run(copied, datetime(2025, 7, 1, 10), stages=[pipeline.SILVER_TO_GOLD])
    found = monitor.watch(copied)
    mine = found.ended[champion(copied).scorer.version]
    truth = gold(
        copied,
        "select count(*) as n, sum((d.status = 'won' and d.closed_at < timestamp '2025-05-30')::int) as won from "
        "gold.lead_scores s join gold.deals d using (lead_id) where s.model_version is not null and s.as_of = '2025-02-28'",
    )[0]
    assert (mine["n"], mine["won"]) == (truth["n"], truth["won"])
    assert mine["roc_auc"] > 0.55
    assert set(found.drift) <= set(champion(copied).scorer.model.names)
    assert found.recommendation in (monitor.KEEP, monitor.RETRAIN)
    assert {row["lead_quality"] for row in found.bands} <= {"Hot", "Warm", "Cool", "Cold"}


def test_drift_is_none_for_the_same_rows_and_much_for_others(learned):
    from medallion.scoring import drift

    rows = rows_of(learned[0])
    names = ["source", "days_open", "deal_positive", "season_cos"]
    kept = drift.profile(rows, names, np.ones((3, 4)))
    assert "season_cos" not in kept
    assert set(drift.stability(rows, kept).values()) == {0.0}
    other = spoiled(rows, source="somewhere new", days_open=None)
    found = drift.stability(other, kept)
    assert found["source"] > drift.DRIFTED
    assert found["days_open"] > drift.DRIFTED
    assert found["deal_positive"] == 0


WATCHED = [
    # figures of matured scores, drift, age in days, recommendation
    ({}, 0.0, 30, "keep"),
    ({"mean_forecast": 0.34}, 0.0, 30, "keep"),
    ({"mean_forecast": 0.45}, 0.0, 30, "retrain"),
    ({"mean_forecast": 0.45, "won": 20}, 0.0, 30, "keep"),
    ({}, 0.4, 30, "retrain"),
    ({}, 0.4, 3, "keep"),
    ({}, 0.0, 200, "retrain"),
    ({"against_flat": {"high": -0.01}}, 0.0, 30, "roll back"),
]


@pytest.mark.parametrize(("figures", "psi", "age", "recommendation"), WATCHED)
def test_recommendations(learned, figures, psi, age, recommendation):
    from datetime import timedelta

    from medallion.learning import monitor

    entry = champion(learned[0])
    name = next(name for name, kept in entry.document["profile"].items() if kept["weight"] > 0.05)
    usual = {
        "n": 1000,
        "deals": 1000,
        "won": 330,
        "won_share": 0.33,
        "mean_forecast": 0.33,
        "log_loss": 0.5,
        "against_flat": {"high": 0.1},
    }
    found = monitor.Watch(entry.as_of + timedelta(days=age), entry.scorer.version, {name: psi})
    found.ended = {entry.scorer.version: {**usual, **figures}}
    assert monitor._recommend(found, entry)[0] == recommendation


def test_without_the_extra_training_says_what_to_install(learned, monkeypatch):
    import sys

    from medallion.learning import train

    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MedallionError, match="not installed") as caught:
        train.train(learned[0], NOW)
    assert "medallion-crm[ml]" in caught.value.remedy


@pytest.mark.slow
def test_mlflow_holds_runs_and_the_alias(learned, tmp_path):
    from mlflow.tracking import MlflowClient

    from medallion.learning import tracking
    from medallion.scoring import signals

    _, outcome = learned
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    tracking.track(uri, outcome)
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    version = client.get_model_version_by_alias(tracking.MODEL, tracking.ALIAS)
    from mlflow.models import Model

    described = Model.load(version.source.removeprefix("file://"))
    assert [column.name for column in described.signature.inputs.inputs] == [signal.name for signal in signals.SIGNALS]
    assert described.signature.outputs.input_names() == ["probability"]
    run = client.get_run(version.run_id)
    kind = outcome.evaluation["champion"]
    assert run.data.metrics[f"{kind}_roc_auc"] == outcome.evaluation["candidates"][kind]["roc_auc"]
    assert "simulated" in run.data.params["trained_on"]
    assert {item.path for item in client.list_artifacts(version.run_id)} >= {"model.json", "model_card.md"}
    (tmp_path / "words.db").write_text("no database, only words, and enough of them to be read as a header" * 4)
    for bad in (f"sqlite:///{tmp_path}/words.db", f"sqlite:///{tmp_path}/missing/mlflow.db"):
        with pytest.raises(MedallionError, match="MLflow at"):
            tracking.track(bad, outcome)


def test_the_shipped_model_says_what_it_is_and_is_current(tmp_path):
    from conftest import ROOT
    from medallion.scoring import registry

    entry = registry.champion(ROOT / "models")
    assert "-simulated-" in entry.scorer.version
    assert "not your customers" in (ROOT / "models" / "model_card.md").read_text()
    assert entry.evaluation["leak_checks"]
    assert entry.scorer.version.startswith(entry.evaluation["as_of"])
    # the pickle is for others; its content is that of the safe files
    expected = pickle.loads((ROOT / "models" / "lead_scoring_model.pkl").read_bytes())  # noqa: S301
    assert (expected.version, expected.document) == (entry.scorer.version, entry.scorer.document)


def test_nothing_of_ours_unpickles():
    from conftest import ROOT

    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text()
        assert "pickle.load" not in text, path
        assert "joblib" not in text, path


def test_a_published_model_scores_with_predict_proba(learned, tmp_path):
    from medallion.scoring import registry
    from models import publish

    settings, _ = learned
    entry = champion(settings)
    written = publish.publish(entry, tmp_path)
    assert publish.publish(entry, tmp_path) == written
    assert registry.champion(tmp_path).scorer.version == entry.scorer.version
    rows = rows_of(settings).slice(0, 50)
    found = pickle.loads((tmp_path / publish.PICKLE).read_bytes()).predict_proba(rows.to_pandas())  # noqa: S301
    assert found.shape == (50, 2)
    assert np.allclose(found[:, 1], entry.scorer.probabilities(rows))
    assert np.allclose(found.sum(axis=1), 1)


def test_expected_auc_by_hand():
    from models.publish import expected_auc, expected_calibration_error

    truth = np.array([0.0, 1.0, 1.0, 0.0])
    assert expected_auc(truth, np.array([0.1, 0.9, 0.8, 0.2])) == 1
    assert expected_auc(truth, np.array([0.9, 0.1, 0.2, 0.8])) == 0
    assert expected_auc(truth, np.full(4, 0.5)) == 0.5
    p = np.array([0.2, 0.6, 0.7])
    pairs = [(a, b) for a in range(3) for b in range(3) if a != b]
    q = np.array([0.3, 0.3, 0.9])
    better = sum(p[a] * (1 - p[b]) * ((q[a] > q[b]) + (q[a] == q[b]) / 2) for a, b in pairs)
    assert expected_auc(p, q) == pytest.approx(better / sum(p[a] * (1 - p[b]) for a, b in pairs))
    assert expected_calibration_error(p, p, 3) == 0
    assert expected_calibration_error(p, p + 0.1, 3) == pytest.approx(0.1)
