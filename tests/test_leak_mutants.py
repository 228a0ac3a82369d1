"""Small changes of the code that let training see what it could not have known, each killed by a check.

A mutant is a replacement in the source of one function. Every check passes on the code as it is; a check of a mutant
fails, or the code refuses what the mutant made. Checks look at small tables and frames that all mutants share.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import textwrap
from contextlib import nullcontext
from dataclasses import replace
from datetime import date, datetime
from importlib import import_module
from types import FunctionType, SimpleNamespace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from test_snapshots import AFTER, BEFORE, CUSTOMER, CUTOFF, DAY, LABELS, LEAD, STAGE, TOUCH, lead, touch
from test_training import FIRST, afterwards_rows, later_changed
from test_training import snapshots as drawn

from conftest import NOW
from medallion.config import end_of_day, load
from medallion.errors import MedallionError
from medallion.learning import train
from medallion.pipeline.silver_to_gold import verify
from medallion.pipeline.steps import Steps
from medallion.scoring import afterwards, calibration, evaluation, hazards, leaks, models, signals, snapshots, training
from medallion.scoring.hazards import Outcomes
from medallion.scoring.leaks import Checked
from medallion.scoring.signals import Cutoff, Own
from medallion.scoring.snapshots import Facts
from medallion.weights import ScoreWeights

HORIZON = 90
#: Newton's steps of a fit that is to be near its optimum; where fits are only compared, few are enough.
STEPS, FEW_STEPS = hazards._STEPS, 2


class Mutant(NamedTuple):
    """A function of the package by module and name, what is replaced in its source by what, and the check that kills it."""

    function: str
    before: str
    after: str
    check: str


def function_of(name):
    """The function that a name such as `scoring.models.Logistic.shell` means, below its decorators."""
    module, *inside = name.split(":")
    found = import_module(f"medallion.{module}")
    for part in inside[0].split("."):
        found = inspect.getattr_static(found, part)
    found = found.fget if isinstance(found, property) else getattr(found, "__func__", found)
    assert isinstance(found, FunctionType), name
    return found


def mutated(function, before, after):
    """The code of a function with a replacement in its source.

    Raises:
        AssertionError: The source does not have the text exactly once: the mutant has to be written anew.
    """
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(before) == 1, f"{function.__qualname__} has {before!r} {source.count(before)} times"
    tree = ast.parse(source.replace(before, after))
    (definition,) = tree.body
    definition.decorator_list = []
    scope = dict(function.__globals__)
    exec(compile(tree, "<mutant>", "exec", flags=__future__.annotations.compiler_flag), scope)  # noqa: S102
    assert not function.__code__.co_freevars
    return scope[function.__name__].__code__


# what the checks look at


class World(NamedTuple):
    """Labelled snapshots of deals, and what the process that drew them says of each: P(won) and P(lost) in time."""

    rows: pa.Table
    won: np.ndarray
    lost: np.ndarray


@pytest.fixture(scope="module")
def world():
    """One signal tells, one is a category that tells nothing; the last horizons are not over."""
    rows = drawn(640, until=FIRST + 27 * DAY * 19 + 40 * DAY)
    source = np.random.default_rng(1).choice(["event", "referral", "website"], len(rows))
    rows = rows.set_column(rows.schema.get_field_index("source"), "source", pa.array(source))
    win, lose = np.exp(0.3 * (rows["touches_30d"].to_numpy() - 3.0)) / 60, 1 / 120
    ended = 1 - np.exp(-(win + lose) * HORIZON)
    return World(rows, ended * win / (win + lose), ended * lose / (win + lose))


#: Deals at the cutoff: as they were delivered in the end, and what of it was known before the cutoff.
OWN = [
    Own("competitor", "leads", "string", "opening", "Competitor"),
    Own("seats", "leads", "bigint", "delivery", "Seats"),
]
YEAR = CUTOFF - 90 * DAY
DEALS = [
    # as delivered, as known before the cutoff
    (
        lead("L1", "won", closed=AFTER, expected=(CUTOFF + DAY).date(), value=900, told=AFTER, seats=40),
        lead("L1", expected=None, value=0, told=AFTER),
    ),
    (lead("L2", "won", YEAR, BEFORE), lead("L2", "won", YEAR, BEFORE)),
    (lead("L3", "lost", YEAR, AFTER), lead("L3", "open", YEAR)),
    (lead("L4", "lost", YEAR, CUTOFF), lead("L4", "open", YEAR)),
    (lead("L5", created=CUTOFF), None),
    (lead("L6", "lost", YEAR, BEFORE, known=(AFTER, None)), None),
    (lead("L6", "open", YEAR, known=(None, AFTER)), lead("L6", "open", YEAR)),
    (lead("L7", "lost", YEAR, AFTER, customer="C2"), lead("L7", "open", YEAR, customer="C2")),
]
ACCOUNTS = [
    # versions of C1: the second was delivered after the cutoff
    ("C1", "Acme", "Retail", "Germany", 120, YEAR, None, "1", None, AFTER, None, "silver", None),
    ("C1", "Acme", "Energy", "Germany", 900, YEAR, "a@b", "1", AFTER, None, AFTER, "gold", None),
    ("C2", "Other", None, None, None, YEAR, *[None] * 7),
]
TOUCHES = [
    (touch(1, BEFORE), True),
    (touch(2, AFTER, outcome="meeting_booked"), False),
    (touch(3, CUTOFF, deal="L3"), False),
    (touch(4, BEFORE - DAY, known=(AFTER, None)), False),
    (touch(5, BEFORE - 2 * DAY, outcome="positive", known=(None, AFTER)), True),
    (touch(5, BEFORE - 2 * DAY, outcome="negative", known=(AFTER, None)), False),
]
STAGES = [
    (("L1", "new", CUTOFF - 20 * DAY, None, None), True),
    (("L1", "demo", BEFORE - DAY, AFTER, None), False),
    (("L1", "won", AFTER, None, None), False),
]


@pytest.fixture(scope="module")
def facts(spark):
    """Facts as they are delivered, and the same as they were known before the cutoff."""

    def made(deals, accounts, touches, stages):
        tables = ((CUSTOMER, accounts), (LEAD, deals), (TOUCH, touches), (STAGE, stages))
        return Facts(*(spark.createDataFrame(rows, schema) for schema, rows in tables))

    delivered = made([one for one, _ in DEALS], ACCOUNTS, [one for one, _ in TOUCHES], [one for one, _ in STAGES])
    accounts = [(*ACCOUNTS[0][:9], None, *ACCOUNTS[0][10:]), ACCOUNTS[2]]
    touches = [(*one[:7], None, *one[8:]) for one, was_known in TOUCHES if was_known]
    known = made(
        [one for _, one in DEALS if one is not None], accounts, touches, [one for one, was_known in STAGES if was_known]
    )
    return delivered, known


def parts_of(facts):
    """The parts that snapshots are joined from, each a table; cheaper than the whole."""
    cutoff = Cutoff(ScoreWeights())
    deals = snapshots.open_deals(facts.leads, [CUTOFF], OWN)
    return {
        "deals": lambda: deals,
        "account": lambda: snapshots._of_account(deals, facts.customers, ()),
        "touches": lambda: snapshots._of_touches(deals, facts.interactions, cutoff),
        "history": lambda: snapshots._of_history(deals, facts.leads, cutoff),
        "stages": lambda: snapshots._of_stages(deals, facts.stage_changes),
        "everyone": lambda: snapshots._of_everyone(facts.leads, [CUTOFF]),
        "owners": lambda: snapshots._of_owners(facts.leads, [CUTOFF]),
    }


def ordered(frame):
    return sorted((row.asDict() for row in frame.collect()), key=str)


@pytest.fixture(scope="module")
def expected(facts):
    """What the parts are made of what was known: computed by the code as it is."""
    _, known = facts
    return {name: ordered(part()) for name, part in parts_of(known).items()}


class Given(NamedTuple):
    """What a check is given; frames only where it asks for them."""

    world: World
    monkeypatch: pytest.MonkeyPatch
    request: pytest.FixtureRequest

    def __getitem__(self, name):
        return self.request.getfixturevalue(name)


CHECKS = {}


def check(function):
    CHECKS[function.__name__] = function
    return function


# checks of snapshots


def of_part(name):
    def as_known_then(given):
        delivered, _ = given["facts"]
        found = ordered(parts_of(delivered)[name]())
        truncated = leaks._truncated(delivered, CUTOFF, OWN)  # what training changes to see whether anything differs
        at_run_time = found == ordered(parts_of(truncated)[name]())
        assert at_run_time == (found == given["expected"][name]), "the leak checks of a training tell otherwise"
        assert at_run_time

    CHECKS[f"{name} as known then"] = as_known_then


for name in ("deals", "account", "touches", "history", "stages", "everyone", "owners"):
    of_part(name)


@check
def a_deal_is_not_its_own_past(given):
    """L7 is the only deal of its account."""
    delivered, _ = given["facts"]
    (row,) = (row for row in ordered(parts_of(delivered)["history"]()) if row["lead_id"] == "L7")
    assert (row["account_closed"], row["account_open"], row["account_won"]) == (0, 0, 0)


HISTORY = (
    "lead_id string, currency string, deal_value bigint, expected_close_date string, known_at timestamp, "
    "_source_file string, _source_row bigint, _outcome string"
)
VERSIONS = [
    ("L1", "USD", 10, "2025-01-01", CUTOFF - 60 * DAY, "a", 1, "accepted"),
    ("L1", "USD", 30, "2025-03-01", CUTOFF - 30 * DAY, "b", 1, "accepted"),
    ("L1", "USD", 90, "2025-05-01", AFTER, "c", 1, "accepted"),
    ("L2", "USD", 50, None, CUTOFF - 60 * DAY, "a", 2, "accepted"),
    ("L2", "USD", 50, None, AFTER, "c", 2, "withdrawn"),
]


@check
def versions_as_known_then(given):
    """Of the history up to now the same versions were known before the cutoff as of the history up to then."""
    make = given["frame"]
    full, then = (
        make(HISTORY, *(row for row in VERSIONS if row[4] < until)) for until in (datetime.max, CUTOFF)
    )  # fmt: skip

    def known(history):
        entered = snapshots.with_entry(snapshots.versions(history, "lead_id", VERSIONS[0][4]), "USD")
        at = snapshots._at(entered, [CUTOFF]).filter(snapshots.was_known())
        return ordered(at.select("lead_id", "deal_value", "entry_value", "pushes", "known_from", "told_at"))

    assert known(full) == known(then)
    assert [(row["entry_value"], row["pushes"]) for row in known(then)] == [(10, 1), (50, 0)]


@check
def labels_hold(given):
    """What the run-time check says of the labels of deals with every kind of end."""
    as_of = CUTOFF + 200 * DAY
    cases = [*LABELS, ("won", BEFORE, 200, *[None] * 3), ("lost", None, 200, *[None] * 3)]
    rows, leads = [], []
    for number, (status, closed, days, *_) in enumerate(cases):
        moved = as_of - days * DAY - CUTOFF
        rows.append((f"L{number}", CUTOFF + moved, 1, 1))
        leads.append(lead(f"L{number}", status, closed=None if closed is None else closed + moved))
    frame = given["frame"]
    found = snapshots.labelled(
        frame("lead_id string, cutoff timestamp, lead_score bigint, days_open bigint", *rows), frame(LEAD, *leads), HORIZON, as_of
    )  # fmt: skip
    verify(found, snapshots.contract(horizon_days=HORIZON))
    assert found.count() == len(LABELS)


# checks of learning


def as_signals(rows, **columns):
    """The rows with other values in some columns where they are given."""
    for name, (value, where) in columns.items():
        place = rows.schema.get_field_index(name)
        old = np.array(rows[name].to_pylist(), dtype=object)
        old[where] = value
        rows = rows.set_column(place, rows.schema.field(name), pa.array(old.tolist(), rows.schema.field(name).type))
    return rows


def learning(rows):
    known = signals.kinds()
    return training._Learning(
        rows, HORIZON, 7, {n: kind for n, kind in known.items() if rows[n].null_count < len(rows)}
    )


def everything(given, rows, kind="logistic"):
    """All that a candidate is made of: each fit and each loss on the way, settings, model, calibration and forecast."""
    from threadpoolctl import threadpool_limits

    seen = []
    with given.monkeypatch.context() as patch:
        for name in ("losses", "gradient"):
            real = getattr(hazards, name)

            def kept(*arguments, real=real, **options):
                seen.append(real(*arguments, **options))
                return seen[-1]

            patch.setattr(hazards, name, kept)
        patch.setattr(training, "DEPTHS", (2,))
        patch.setattr(training, "USUAL_ROUNDS", 20)
        patch.setattr(models, "MOST_ROUNDS", 20)
        patch.setattr(models, "TREES", {**models.TREES, "nthread": 1})
        line = None
        if kind == "xgboost":
            line = SimpleNamespace(settings={"penalty": 30.0})
        with threadpool_limits(1):
            one = learning(rows).candidate(kind, line)
    return seen, one


def same(one, other):
    (seen, mine), (again, theirs) = one, other
    assert len(seen) == len(again)
    assert all(np.array_equal(left, right) for left, right in zip(seen, again, strict=True))
    assert mine.settings == theirs.settings
    assert mine.model.dump() == theirs.model.dump()
    assert getattr(mine.model, "trees", None) == getattr(theirs.model, "trees", None)
    assert mine.calibration == theirs.calibration


@check
def outcomes_from_the_test_on_change_nothing(given):
    rows = given.world.rows
    since = training.split(rows, HORIZON).test_from
    one, other = everything(given, rows), everything(given, later_changed(rows, since))
    same(one, other)
    assert np.array_equal(one[1].forecast, other[1].forecast)
    assert one[1].calibration != calibration.Calibration()


@check
def outcomes_from_the_test_on_change_no_tree(given):
    rows = given.world.rows
    since = training.split(rows, HORIZON).test_from
    same(everything(given, rows, "xgboost"), everything(given, later_changed(rows, since), "xgboost"))


@check
def signals_of_the_test_change_nothing(given):
    rows = given.world.rows
    test = training.split(rows, HORIZON).test
    changed = as_signals(rows, touches_30d=(500, test), source=("new", test), days_open=(None, test))
    same(everything(given, rows), everything(given, changed))


@check
def rates_and_the_base_rate_are_those_before_the_test(given):
    rows = given.world.rows
    since = training.split(rows, HORIZON).test_from
    one, other = (training._learn(each, HORIZON, (), ScoreWeights(), 7) for each in (rows, later_changed(rows, since)))
    assert np.array_equal(one.candidates["rules"].forecast, other.candidates["rules"].forecast)
    assert one.evaluation["base_rate"]["mean_forecast"] == other.evaluation["base_rate"]["mean_forecast"]


@check
def another_recipe_is_learned_before_the_test(given):
    rows = given.world.rows
    since = training.split(rows, HORIZON).test_from
    known = {"touches_30d": "amount", "source": "category"}
    one, other = (
        training.again(each, HORIZON, "logistic", {"penalty": 30.0}, 7, known).forecast
        for each in (rows, later_changed(rows, since))
    )
    assert np.array_equal(one, other)


@check
def blocks_are_learned_for_before_they_begin(given):
    """With other outcomes from the beginning of a block on, what is said of it is the same, also in the last calibration."""
    rows, kept = given.world.rows, []
    real = calibration.fit
    given.monkeypatch.setattr(calibration, "fit", lambda held, *rest: kept.append(held) or real(held, *rest))

    def held(each):
        kept.clear()
        work = learning(each)
        work.final(work.candidate("logistic", None))
        return list(kept)

    parts, plain = training.split(rows, HORIZON), held(rows)
    begins = [*(block.begins.astype("datetime64[us]").item() for block in parts.blocks), parts.test_from]
    for place, time in enumerate(begins):
        for one, other in zip(plain, held(later_changed(rows, time)), strict=True):
            mine = one.block <= place
            assert np.array_equal(one.margins[mine], other.margins[mine])
            assert all(
                np.array_equal(*both) for both in zip(one.base[: place + 1], other.base[: place + 1], strict=True)
            )
    assert [len(one.base) for one in plain] == [len(begins) - 1, len(begins)]


@check
def settings_of_a_block_are_tried_on_what_was_known_when_it_began(given):
    """Each model that is tried, in the order of the blocks, with other outcomes and signals from a block on."""
    rows, tried = given.world.rows, []
    real = models.Logistic.learned

    def learned(self, *arguments):
        tried.append(real(self, *arguments))
        return tried[-1]

    given.monkeypatch.setattr(models.Logistic, "learned", learned)

    def dumps(each):
        tried.clear()
        learning(each).tuned("logistic", None)
        return [one.dump() for one in tried]

    blocks, plain, at = training.split(rows, HORIZON).blocks, dumps(rows), training.cutoffs_of(rows)
    for place, block in enumerate(blocks):
        changed = later_changed(rows, block.begins.astype("datetime64[us]").item())
        changed = as_signals(changed, touches_30d=(500, at >= block.begins))
        assert dumps(changed)[: place + 1] == plain[: place + 1]


@check
def parts_follow_each_other_in_time(given):
    rows = given.world.rows
    parts, at = training.split(rows, HORIZON), training.cutoffs_of(rows)
    week = np.timedelta64(snapshots.LEAST_OBSERVED, "D")
    over = ~np.asarray(rows["won"].is_null())
    assert over[parts.test].all()
    assert (at[parts.train] + week <= np.datetime64(parts.test_from)).all()
    assert np.array_equal(parts.test, over & (at >= np.datetime64(parts.test_from)))
    assert len(parts.blocks) == training.BLOCKS
    ends = np.datetime64("1970-01-01")
    for block in parts.blocks:
        assert (at[block.earlier] + week <= block.begins).all()
        assert ends < block.begins <= at[block.later].min()
        assert not (block.later & parts.test).any()
        ends = at[block.later].max()
    assert ends < np.datetime64(parts.test_from)


@check
def labels_are_those_of_the_snapshots(given):
    """Periods are an own reading of the outcome; `won` is that of the engine."""
    rows = given.world.rows
    outcomes, over = Outcomes.of(rows, HORIZON), ~np.asarray(rows["won"].is_null())
    assert np.array_equal(outcomes.seen >= outcomes.within(HORIZON), over)
    assert np.array_equal(calibration.won_within(outcomes, HORIZON)[over], rows["won"].to_numpy()[over])
    days = rows["outcome_days"].to_numpy()
    known = ~np.isnan(days) & (outcomes.period < outcomes.periods)
    marks = np.array(outcomes.edges)
    assert (marks[outcomes.period[known]] <= days[known]).all()
    assert (days[known] < marks[outcomes.period[known] + 1]).all()


@check
def what_was_not_observed_changes_nothing(given):
    """Periods that are not over, filled with other ends: nothing that is learned, lost or counted differs."""
    rng, rows = np.random.default_rng(8), given.world.rows
    whole = Outcomes.of(rows, HORIZON)
    outcomes = replace(whole, seen=np.minimum(whole.seen, rng.integers(1, whole.periods, len(whole))))
    unseen = outcomes.period >= outcomes.seen
    later = rng.integers(outcomes.seen, outcomes.periods + 1)
    other = replace(
        outcomes,
        period=np.where(unseen, later, outcomes.period),
        won=np.where(unseen, rng.random(len(whole)) < 0.9, outcomes.won),
    )
    assert (other.period != outcomes.period).sum() > 100
    x = rows["touches_30d"].to_numpy()[:, None] / 3.0 - 1.0
    one, two = (hazards.fit(x, each, 3.0) for each in (outcomes, other))
    assert np.array_equal(one.weights, two.weights)
    assert np.array_equal(one.base, two.base)
    margins = x @ one.weights
    for left, right in zip(*(hazards.gradient(one.base, margins, each) for each in (outcomes, other)), strict=True):
        assert np.array_equal(left, right)
    assert outcomes.counts() == other.counts()
    held = [
        calibration.Held(
            [one.base], margins, each, np.arange(len(x)), np.zeros(len(x), dtype=int), training.cutoffs_of(rows)
        )
        for each in (outcomes, other)
    ]
    fitted = [calibration.fit(each, HORIZON, 2) for each in held]
    assert fitted[0] == fitted[1]
    often = [replace(each, base=[one.base - 1.0]) for each in held]  # more wins came than are said
    assert len({calibration.unrest(each, calibration.Calibration(), HORIZON, 21) for each in often}) == 1


@check
def slopes_are_those_of_the_losses(given):
    """Of winning and of losing: fitting goes where the loss falls."""
    outcomes = Outcomes.of(given.world.rows, HORIZON)
    base, margins = hazards.level(outcomes), np.zeros((len(outcomes), hazards.MARGINS))
    first, _ = hazards.gradient(base, margins, outcomes)
    for end in range(2):
        step = np.eye(hazards.MARGINS)[end] * 1e-5
        up, down = (hazards.losses(base, margins + way * step, outcomes, outcomes.periods) for way in (1, -1))
        assert np.allclose(first[:, end], (up - down) / 2e-5, atol=1e-6)


@check
def a_forecast_does_not_depend_on_the_others(given):
    """Of a deal alone it is that of the deal among others."""
    rows = given.world.rows
    work = learning(rows)
    model = work.fit("logistic", {"penalty": 3.0}, work.parts.train, np.datetime64(work.parts.test_from))
    assert np.allclose(model.margins(rows)[:5], model.margins(rows.slice(0, 5)))


@check
def nothing_is_reported_that_beats_the_truth(given):
    """The forecasts are near the true probabilities, of winning and of losing, and no figure is better than theirs."""
    rows, won, lost = given.world
    work = learning(rows)
    given.monkeypatch.setattr(hazards, "_STEPS", STEPS)
    one = work.candidate("logistic", None)
    test = work.parts.test
    actual = rows["won"].to_numpy()[test]
    truth = evaluation.figures(actual, won[test])
    assert one.figures.roc_auc <= truth.roc_auc + 0.02
    assert one.figures.log_loss >= truth.log_loss - 0.02
    assert one.figures == evaluation.figures(actual, one.forecast)
    assert np.corrcoef(one.forecast, won[test])[0, 1] > 0.9
    assert abs(one.forecast.mean() - won[test].mean()) < 0.08
    curves = hazards.curves(one.model.base, one.model.margins(rows.filter(pa.array(test))), work.outcomes.edges)
    assert abs(curves.at(HORIZON)[1].mean() - lost[test].mean()) < 0.08


@check
def accounts_are_new_to_the_model_that_is_judged_by_them(given):
    """A model that remembers the accounts it learned from, and refuses to forecast for them."""
    work = learning(given.world.rows)

    class Memory:
        base = np.zeros((2, work.outcomes.periods))

        def __init__(self, which):
            self.accounts = set(work.rows.filter(pa.array(which))["customer_id"].to_pylist())

        def margins(self, rows):
            assert self.accounts.isdisjoint(rows["customer_id"].to_pylist())
            return np.zeros((len(rows), hazards.MARGINS))

    given.monkeypatch.setattr(work, "fit", lambda kind, settings, which, when: Memory(which))
    assert work.grouped("logistic", training.Candidate({}, np.zeros(0), None, model=Memory(work.parts.train)))


# checks of signals that are filled when a deal ends


@check
def a_field_that_is_filled_at_the_end_is_refused_by_name(given):
    rng = np.random.default_rng(5)
    rows, end, before = afterwards_rows(rng)
    noise = rng.random(len(end))
    rows["partner"] = pa.array(np.where(~before & (noise < 0.5), "P", None), pa.string())
    rows["product"] = pa.array(np.where(~before & (noise < 0.95), end, "pipeline"), pa.string())
    rows["amount_at_entry"] = pa.array(np.where(noise < 0.5, 10.0, 20.0))
    work = training_of(given, own=("partner",))
    told = [{"lead_id": f"L{k}"} for k in np.flatnonzero(before)]
    given.monkeypatch.setattr(train.query, "rows", lambda connection, sql: told)
    work.signals = {name: signals.kinds(work.own)[name] for name in ("partner", "product", "amount_at_entry")}
    work._leave_out(pa.table(rows))
    assert set(work.left_out) == {"partner", "product"}
    assert set(work.signals) == {"amount_at_entry"}


@check
def a_field_that_alone_tells_the_outcome_is_refused_by_name(given):
    """Where no deal was delivered before it closed."""
    rng = np.random.default_rng(5)
    rows, end, _ = afterwards_rows(rng)
    rows["code"] = pa.array(np.where(rng.random(len(end)) < 0.95, end, "x"), pa.string())
    is_open = np.array([one is None for one in end])
    rows["code"] = pa.array(np.where(is_open, "won", rows["code"]), pa.string())
    found = afterwards.found(pa.table(rows), {"code": "category"}, [f"L{k}" for k in np.flatnonzero(is_open)])
    assert set(found) == {"code"}


# checks of a training on a lakehouse


def training_of(given, own=()):
    settings = load(None, lakehouse=str(given["tmp_path"]))
    lake = SimpleNamespace(root=settings.lakehouse, exists=lambda name: False)
    given.monkeypatch.setattr(train.contracts_in_use, "overrides", lambda lake, paths: ())
    given.monkeypatch.setattr(train.query, "connect", lambda lake, layers: nullcontext())
    work = train._Training(settings, lake, given["tmp_path"], NOW, Steps(lambda name, seconds: None))
    work.own = tuple(Own(name, "leads", "string", "opening", name.capitalize()) for name in own)
    return work


@check
def a_failed_leak_check_stops_the_training(given):
    work, none = training_of(given), given["frame"]("x string")
    given.monkeypatch.setattr(leaks, "sample", lambda facts: Facts(none, none, none))
    given.monkeypatch.setattr(leaks, "check", lambda *rest: [Checked("order of rows", 9, 1)])
    with pytest.raises(MedallionError, match="depend on the future"):
        work._check_leaks(none.sparkSession, Facts(none, none, none), [CUTOFF])


@check
def a_training_for_an_earlier_day_knows_no_later_outcome(given):
    delivered, _ = given["facts"]
    work, saved, day = training_of(given), [], date(2025, 3, 9)
    given.monkeypatch.setattr(train.store, "read", lambda *rest: delivered.leads if not saved else saved[0])
    given.monkeypatch.setattr(train.store, "save", lambda frame, *rest: saved.append(frame))
    given.monkeypatch.setattr(train.query, "rows", lambda connection, sql: [{"first": YEAR - 300 * DAY}])
    cutoffs = work._cutoffs(day)
    assert max(cutoffs) <= end_of_day(day) - snapshots.LEAST_OBSERVED * DAY
    work._save_snapshots(delivered.leads.sparkSession, delivered, [CUTOFF], day)
    rows = {row["lead_id"]: row for row in ordered(saved[0])}
    assert {row["observed_days"] for row in rows.values()} == {9}
    assert {name: row["outcome"] for name, row in rows.items() if row["outcome"]} == {"L4": "lost"}


@check
def broken_labels_stop_the_training(given):
    """A deal that is in two rows of a cutoff, and labels of another horizon."""
    delivered, _ = given["facts"]
    columns = "lead_id string, cutoff timestamp, won bigint, outcome string, outcome_days bigint, observed_days bigint, lead_score bigint, days_open bigint"  # fmt: skip
    right = ("L1", CUTOFF, 0, "won", 95, 100, 1, 1)
    work = training_of(given)
    given.monkeypatch.setattr(train.store, "save", lambda *rest: None)
    given.monkeypatch.setattr(snapshots, "snapshots", lambda *rest, **options: None)
    for rows, rule in (
        ([right, right], "unique"),
        ([(*right[:2], 1, *right[3:])], "won ="),
        ([(*right[:2], None, *right[3:])], "won IS NULL"),
    ):
        table = given["frame"](columns, *rows)
        given.monkeypatch.setattr(snapshots, "labelled", lambda *rest: table)  # noqa: B023
        given.monkeypatch.setattr(train.store, "read", lambda *rest: table)  # noqa: B023
        with pytest.raises(MedallionError, match=rule):
            work._save_snapshots(delivered.leads.sparkSession, delivered, [CUTOFF], date(2025, 6, 30))


@check
def evidence_is_what_had_ended_by_the_day(given):
    import duckdb

    work, day = training_of(given), date(2025, 3, 9)
    with duckdb.connect() as connection:
        connection.execute("create schema silver; create table silver.leads_clean (status text, created_at timestamp, closed_at timestamp)")  # fmt: skip
        ends = [
            ("won", YEAR, BEFORE),
            ("lost", YEAR, BEFORE),
            ("won", YEAR, datetime(2025, 3, 10)),
            ("won", AFTER, BEFORE),
        ]
        connection.executemany("insert into silver.leads_clean values (?, ?, ?)", ends)

        def rows(_, sql, values):
            found = connection.execute(sql, values)
            return [dict(zip((c[0] for c in found.description), row, strict=True)) for row in found.fetchall()]

        given.monkeypatch.setattr(train.query, "rows", rows)
        evidence = work._evidence(day)
    assert (evidence.won, evidence.lost) == (1, 1)


@check
def only_the_first_delivery_is_history(given):
    """A second one is known from the run that read it."""
    work = training_of(given)
    make, journal = given["frame"], []
    for time in (CUTOFF - 60 * DAY, CUTOFF - 30 * DAY, AFTER):
        journal.append(SimpleNamespace(known_at=time, state=train.batches.FINISHED))
    keys = make(HISTORY.replace("lead_id", "customer_id") + ", lead_id string, interaction_id string", *((*row, "x", "y") for row in VERSIONS))  # fmt: skip
    tables = {"leads": make(HISTORY, *VERSIONS), "customers": keys, "interactions": keys}
    given.monkeypatch.setattr(train.store, "read", lambda spark, lake, name: tables[name.split(".")[1].split("_")[0]])
    given.monkeypatch.setattr(train.batches, "history", lambda lake: journal)
    given.monkeypatch.setattr(train.batches, "replaced", lambda journal: {})
    given.monkeypatch.setattr(train.identities, "frames", lambda *rest: {})
    given.monkeypatch.setattr(train, "without", lambda history, replaced: history)
    rows = ordered(work._facts(keys.sparkSession).leads.select("lead_id", "known_from").filter("lead_id = 'L1'"))
    assert {row["known_from"].replace(tzinfo=None) if row["known_from"] else None for row in rows} == {
        None, CUTOFF - 30 * DAY, AFTER,
    }  # fmt: skip


#: As `Mutant` says, by name.
MUTANTS = {
    # time: what happened, what was known
    "a cutoff includes its own instant": Mutant(
        "scoring.snapshots:happened", "event < F.col", "event <= F.col", "touches as known then",
    ),
    "touches after the cutoff count": Mutant(
        "scoring.snapshots:_of_touches", "happened(F.col(\"occurred_at\")) & was_known()", "was_known()", "touches as known then",
    ),
    "touches that were learned later count": Mutant(
        "scoring.snapshots:_of_touches", " & was_known() & recent", " & recent", "touches as known then",
    ),
    "what was learned later was always known": Mutant(
        "scoring.snapshots:was_known", "F.col(\"known_from\") < F.col(\"cutoff\")", "F.lit(True)", "touches as known then",
    ),
    "a version is known before it is learned": Mutant(
        "scoring.snapshots:was_known", "F.col(\"known_from\") < F.col(\"cutoff\")", "F.col(\"known_from\") < F.date_add(F.col(\"cutoff\"), 30)", "account as known then",
    ),
    "the account as of now": Mutant(
        "scoring.snapshots:_of_account", ".filter(was_known())", ".filter(\"known_until IS NULL\")", "account as known then",
    ),
    "a stage that was entered later": Mutant(
        "scoring.snapshots:_of_stages", "happened(F.col(\"entered_at\")) & was_known()", "was_known()", "stages as known then",
    ),
    "a stage that was learned later": Mutant(
        "scoring.snapshots:_of_stages", " & was_known())", ")", "stages as known then",
    ),
    "deals that were opened later": Mutant(
        "scoring.snapshots:open_deals", "happened(F.col(\"created_at\")) & ", "", "deals as known then",
    ),
    "only deals that are open now": Mutant(
        "scoring.snapshots:open_deals", "F.coalesce(has_ended(F.col(\"closed_at\")), F.lit(True))", "F.lit(True)", "deals as known then",
    ),
    "the closing date as the age": Mutant(
        "scoring.snapshots:open_deals", "\"owner\", \"created_at\"),", "\"owner\"), F.coalesce(\"closed_at\", \"created_at\").alias(\"created_at\"),", "deals as known then",
    ),
    "the status as the source": Mutant(
        "scoring.snapshots:open_deals", "\"cutoff\", \"source\", \"owner\",", "\"cutoff\", F.col(\"status\").alias(\"source\"), \"owner\",", "deals as known then",
    ),
    "the value of now as that at entry": Mutant(
        "scoring.snapshots:open_deals", "\"product_id\", \"entry_value\",", "\"product_id\", F.col(\"deal_value\").alias(\"entry_value\"),", "deals as known then",
    ),
    "the expected close of the last delivery": Mutant(
        "scoring.snapshots:was_told", "F.col(\"told_at\") < F.col(\"cutoff\")", "F.lit(True)", "deals as known then",
    ),
    "a contract's signal before a delivery says it": Mutant(
        "scoring.snapshots:_own_columns", "F.when(was_told(), F.col(signal.name))", "F.col(signal.name)", "deals as known then",
    ),
    # history and target statistics
    "outcomes of other deals that had not ended": Mutant(
        "scoring.snapshots:_of_history", "(F.col(\"status\") != \"open\") & has_ended(F.col(\"closed_at\"))", "F.col(\"status\") != \"open\"", "history as known then",
    ),
    "a closing date counts as an end": Mutant(
        "scoring.snapshots:has_ended", "happened(closed_at)", "closed_at.isNotNull()", "history as known then",
    ),
    "other deals as of now": Mutant(
        "scoring.snapshots:_of_history", " & was_known())", " & F.col(\"known_until\").isNull())", "history as known then",
    ),
    "a deal in its own past": Mutant(
        "scoring.snapshots:is_another", "lead_id != F.col(\"lead_id\")", "lead_id.isNotNull()", "a_deal_is_not_its_own_past",
    ),
    "the win rate of all holds later ends": Mutant(
        "scoring.snapshots:_ended", "has_ended(F.col(\"closed_at\")) & was_known()", "was_known()", "everyone as known then",
    ),
    "the win rate of an owner holds what was learned later": Mutant(
        "scoring.snapshots:_ended", " & was_known())", ")", "owners as known then",
    ),
    "the first value is the last": Mutant(
        "scoring.snapshots:with_entry", "F.row_number().over(in_order) == 1", "F.lit(True)", "versions_as_known_then",
    ),
    "pushes that were delivered later": Mutant(
        "scoring.snapshots:with_entry", "Window.currentRow", "Window.unboundedFollowing", "versions_as_known_then",
    ),
    "all history was known when it happened": Mutant(
        "scoring.snapshots:versions", "F.when(F.col(\"known_at\") > first, F.col(\"known_at\"))", "F.lit(None).cast(\"timestamp\")", "versions_as_known_then",
    ),
    "the last version was always the one known": Mutant(
        "scoring.snapshots:versions", "current.filter(F.col(\"_outcome\").isin(*STANDING))", "current.filter(F.col(\"known_until\").isNull())", "versions_as_known_then",
    ),
    "every delivery is a first one": Mutant(
        "learning.train:_Training._facts", "min(known)", "max(known)", "only_the_first_delivery_is_history",
    ),
    # labels
    "a longer horizon in the labels": Mutant(
        "scoring.snapshots:labelled", "{int(horizon_days)} days", "{int(horizon_days) + 30} days", "labels_hold",
    ),
    "ends after the as-of time": Mutant(
        "scoring.snapshots:labelled", "F.coalesce(is_known, F.lit(True))", "F.lit(True)", "labels_hold",
    ),
    "a horizon that is not over is a loss": Mutant(
        "scoring.snapshots:labelled", "F.when(observed >= horizon_days, won)", "won", "labels_hold",
    ),
    "wins and losses are swapped in the labels": Mutant(
        "scoring.snapshots:labelled", "F.col(\"end\") == \"won\"", "F.col(\"end\") == \"lost\"", "labels_hold",
    ),
    "deals that had ended before the cutoff": Mutant(
        "scoring.snapshots:labelled", "F.col(\"closed_at\") >= F.col(\"cutoff\")", "F.col(\"closed_at\").isNotNull()", "labels_hold",
    ),
    "deals that ended on an unknown day": Mutant(
        "scoring.snapshots:labelled", "& (F.col(\"end\") == \"open\")", "", "labels_hold",
    ),
    "outcomes of later than the day of the training": Mutant(
        "learning.train:_Training._save_snapshots", "end_of_day(day)", "self.now", "a_training_for_an_earlier_day_knows_no_later_outcome",
    ),
    "cutoffs of later than the day of the training": Mutant(
        "learning.train:_Training._cutoffs", "snapshots.cutoffs(end_of_day(day)", "snapshots.cutoffs(self.now", "a_training_for_an_earlier_day_knows_no_later_outcome",
    ),
    "evidence of later than the day of the training": Mutant(
        "learning.train:_Training._evidence", "closed_at < $1 and ", "closed_at > $1 - interval 900 days and ", "evidence_is_what_had_ended_by_the_day",
    ),
    "a period before the outcome": Mutant(
        "scoring.hazards:Outcomes.of", "np.inf), side=\"right\")", "np.inf), side=\"left\")", "labels_are_those_of_the_snapshots",
    ),
    "wins and losses are swapped in what is learned": Mutant(
        "scoring.hazards:Outcomes.of", "== \"won\"", "== \"lost\"", "labels_are_those_of_the_snapshots",
    ),
    "a win is one whenever it comes": Mutant(
        "scoring.calibration:won_within", "outcomes.period < outcomes.within(horizon_days)", "outcomes.period < outcomes.periods", "labels_are_those_of_the_snapshots",
    ),
    "the risks are swapped": Mutant(
        "scoring.hazards:_happened", "[ends & won, ends & ~won]", "[ends & ~won, ends & won]", "slopes_are_those_of_the_losses",
    ),
    # censoring
    "what is open was observed to the end": Mutant(
        "scoring.hazards:Outcomes.of", "np.searchsorted(marks[1:], observed, side=\"right\"))", "np.full(len(won), len(marks) - 1))", "labels_are_those_of_the_snapshots",
    ),
    "the level counts what was not observed": Mutant(
        "scoring.hazards:level", "(k < outcomes.seen) & (k <= outcomes.period)", "k <= outcomes.period", "what_was_not_observed_changes_nothing",
    ),
    "the likelihood counts what was not observed": Mutant(
        "scoring.hazards:losses", "(k < outcomes.seen) & (k <= outcomes.period)", "k <= outcomes.period", "what_was_not_observed_changes_nothing",
    ),
    "trees count what was not observed": Mutant(
        "scoring.hazards:gradient", "(k < outcomes.seen) & (k <= outcomes.period)", "k <= outcomes.period", "what_was_not_observed_changes_nothing",
    ),
    "an end that was not observed counts": Mutant(
        "scoring.hazards:Outcomes.ended", "self.period < self.seen", "self.period < self.periods", "what_was_not_observed_changes_nothing",
    ),
    "tiers count what was not observed": Mutant(
        "scoring.calibration:fit", "held_out.outcomes.seen >= held_out.outcomes.within(horizon_days)", "held_out.outcomes.seen >= 0", "what_was_not_observed_changes_nothing",
    ),
    "unrest counts what was not observed": Mutant(
        "scoring.calibration:unrest", "held_out.outcomes.seen >= held_out.outcomes.within(days)", "held_out.outcomes.seen >= 0", "what_was_not_observed_changes_nothing",
    ),
    # split and embargo
    "a split by row": Mutant(
        "scoring.training:split", "test = over & (at >= test_from)", "test = over & (np.arange(len(at)) % 5 == 0)", "parts_follow_each_other_in_time",
    ),
    "a test whose horizon is not over": Mutant(
        "scoring.training:split", "test = over & (at >= test_from)", "test = at >= test_from", "parts_follow_each_other_in_time",
    ),
    "the test is learned from": Mutant(
        "scoring.training:split", "train = known_at(outcomes, at, test_from).seen > 0", "train = outcomes.seen > 0", "parts_follow_each_other_in_time",
    ),
    "blocks from a row at random": Mutant(
        "scoring.training:_blocks", "later = train & (at >= begins) & (at <= part[-1])", "later = train & (np.arange(len(at)) % 3 == 0)", "parts_follow_each_other_in_time",
    ),
    "a block is learned from before it": Mutant(
        "scoring.training:_blocks", "earlier = known_at(outcomes, at, begins).seen > 0", "earlier = train", "parts_follow_each_other_in_time",
    ),
    "no embargo": Mutant(
        "scoring.training:known_at", "outcomes.known_after((when - at) / np.timedelta64(1, \"D\"))", "outcomes.take(np.arange(len(outcomes)))", "parts_follow_each_other_in_time",
    ),
    "an embargo of half the time": Mutant(
        "scoring.hazards:Outcomes.known_after", "self.edges[1:], days,", "self.edges[1:], days * 2,", "outcomes_from_the_test_on_change_nothing",
    ),
    "the tested model knows later outcomes": Mutant(
        "scoring.training:_Learning.known", "known_at(self.outcomes, self.at, when).take(which)", "self.outcomes.take(which)", "outcomes_from_the_test_on_change_nothing",
    ),
    "trees know later outcomes": Mutant(
        "scoring.training:_Learning.fit", "self.known(when, some)", "self.outcomes.take(some)", "outcomes_from_the_test_on_change_no_tree",
    ),
    "rates are those of all outcomes": Mutant(
        "scoring.training:_learn", "work.known(np.datetime64(parts.test_from), parts.train)", "outcomes.take(parts.train)", "rates_and_the_base_rate_are_those_before_the_test",
    ),
    "the base rate is that of the test": Mutant(
        "scoring.training:_learn", "(labels[over].sum() + 0.5) / (over.sum() + 1)", "actual.mean()", "rates_and_the_base_rate_are_those_before_the_test",
    ),
    "accounts of the other half are learned from": Mutant(
        "scoring.training:_Learning.grouped", "self.parts.test & ~side", "self.parts.test & side", "accounts_are_new_to_the_model_that_is_judged_by_them",
    ),
    # scaler and encoder
    "scales of all rows": Mutant(
        "scoring.training:_Learning.fit",
        "Logistic.fit(rows, self.known(when, which), settings[\"penalty\"], self.signals)",
        "(lambda shell: shell.learned(shell.matrix(rows), self.known(when, which), settings[\"penalty\"]))(Logistic.shell(self.rows, self.signals))",
        "signals_of_the_test_change_nothing",
    ),
    "scales of all rows while settings are tried": Mutant(
        "scoring.training:_Learning.tuned", "Logistic.shell(seen, self.signals)", "Logistic.shell(self.rows, self.signals)", "settings_of_a_block_are_tried_on_what_was_known_when_it_began",
    ),
    "scales of the rows that are forecast": Mutant(
        "scoring.models:Logistic.matrix", "(x - self.means) / self.scales", "(x - np.nanmean(x, axis=0)) / np.maximum(np.nanstd(x, axis=0), 1e-6)", "a_forecast_does_not_depend_on_the_others",
    ),
    # tuning and calibration
    "settings are chosen by the test": Mutant(
        "scoring.training:_Learning.tuned", "self.known(until, later)", "self.outcomes.take(later)", "outcomes_from_the_test_on_change_nothing",
    ),
    "settings are tried with what a block shows": Mutant(
        "scoring.training:_Learning.tuned", "self.known(block.begins, earlier)", "self.known(until, earlier)", "settings_of_a_block_are_tried_on_what_was_known_when_it_began",
    ),
    "calibrated by models that knew the block": Mutant(
        "scoring.training:_Learning.tuned",
        "[(self.fit(kind, settings, block.earlier, block.begins), block.later) for block in blocks]",
        "[(self.fit(kind, settings, self.parts.train, until), block.later) for block in blocks]",
        "blocks_are_learned_for_before_they_begin",
    ),
    "calibrated on the test": Mutant(
        "scoring.training:_Learning.calibrated", "self.held(models, np.datetime64(self.parts.test_from))", "self.held(models, self.at.max() + np.timedelta64(999, \"D\"))", "outcomes_from_the_test_on_change_nothing",
    ),
    "tested with the last calibration": Mutant(
        "scoring.training:_Learning.tested", "self.calibrated(models)", "self.calibrated([*models, (model, self.parts.test)])", "signals_of_the_test_change_nothing",
    ),
    "tested with the model of everything": Mutant(
        "scoring.training:_Learning.tested", "self.parts.train, np.datetime64(self.parts.test_from)", "self.parts.train | self.parts.test, self.at.max()", "outcomes_from_the_test_on_change_nothing",
    ),
    "the last calibration by the model of everything": Mutant(
        "scoring.training:_Learning.final", "(best.model, self.parts.test)", "(model, self.parts.test)", "blocks_are_learned_for_before_they_begin",
    ),
    "the recipe of the present model learns from later": Mutant(
        "scoring.training:again", "block.earlier, block.begins", "block.earlier | block.later, work.at.max()", "another_recipe_is_learned_before_the_test",
    ),
    # what is filled or told at the end
    "the outcome is a signal": Mutant(
        "scoring.signals:kinds", "{signal.name: kind(signal) for signal in SIGNALS}", "{\"outcome\": \"category\"} | {signal.name: kind(signal) for signal in SIGNALS}", "nothing_is_reported_that_beats_the_truth",
    ),
    "fields that are filled at the end": Mutant(
        "scoring.afterwards:found", "_filled(levels, outcome, before) or ", "", "a_field_that_is_filled_at_the_end_is_refused_by_name",
    ),
    "fields that are changed at the end": Mutant(
        "scoring.afterwards:found", " or _tells(levels, outcome, before)", "", "a_field_that_is_filled_at_the_end_is_refused_by_name",
    ),
    "fields that alone tell the outcome": Mutant(
        "scoring.afterwards:_tells", "alone > MOST_ALONE", "alone > 1", "a_field_that_alone_tells_the_outcome_is_refused_by_name",
    ),
    "a refused field is used all the same": Mutant(
        "learning.train:_Training._leave_out", "del self.signals[name]", "self.signals.get(name)", "a_field_that_is_filled_at_the_end_is_refused_by_name",
    ),
    "a contract's fields are not looked at": Mutant(
        "learning.train:_Training._leave_out", "*(signal.name for signal in self.own)", "", "a_field_that_is_filled_at_the_end_is_refused_by_name",
    ),
    "broken labels are passed over": Mutant(
        "learning.train:_Training._save_snapshots", "verify(", "(lambda *rest: None)(", "broken_labels_stop_the_training",
    ),
    "the account of all times at once": Mutant(
        "scoring.snapshots:_of_account", ".filter(was_known())", "", "a_training_for_an_earlier_day_knows_no_later_outcome",
    ),
    "a failed leak check is passed over": Mutant(
        "learning.train:_Training._check_leaks", "if item.differ]", "if item.rows < 0]", "a_failed_leak_check_stops_the_training",
    ),
}  # fmt: skip


@pytest.fixture
def given(world, monkeypatch, request):
    monkeypatch.setattr(hazards, "_STEPS", FEW_STEPS)
    monkeypatch.setattr(training, "PENALTIES", (30.0,))
    return Given(world, monkeypatch, request)


@pytest.mark.parametrize("name", CHECKS)
def test_the_code_as_it_is_passes(given, name):
    CHECKS[name](given)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_leak_is_noticed(given, name):
    mutant = MUTANTS[name]
    function = function_of(mutant.function)
    if " as known then" in mutant.check:
        given["expected"]  # by the code as it is
    given.monkeypatch.setattr(function, "__code__", mutated(function, mutant.before, mutant.after))
    with pytest.raises((AssertionError, MedallionError, pytest.fail.Exception)) as caught:
        CHECKS[mutant.check](given)
    assert "tell otherwise" not in str(caught.value)


def test_leak_checks_compare_at_a_cutoff_at_which_a_deal_was_open(facts):
    """Else a training whose sample had no deal in the middle of its time would have compared nothing."""
    delivered, _ = facts
    early, late = [CUTOFF - days * DAY for days in (900, 800, 700, 600)], [CUTOFF - 30 * DAY, CUTOFF]
    assert leaks._in_the_middle(delivered, [*early, *late]) == late[0]
    assert leaks._in_the_middle(delivered, [*early[:1], *late]) == late[0]
    assert leaks._in_the_middle(delivered, early) == early[2]


def test_every_check_kills_a_mutant():
    assert {mutant.check for mutant in MUTANTS.values()} == set(CHECKS)


def test_a_replacement_whose_text_is_gone_fails():
    with pytest.raises(AssertionError, match="0 times"):
        mutated(snapshots.happened, "no such text", "")


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
