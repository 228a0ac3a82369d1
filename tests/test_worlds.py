"""The outside worlds themselves: the same from the same seed, honest exports, and a truth that comes true."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from worlds import committee, crm, hazards

WORLDS = {"hazards": hazards, "committee": committee}
#: A coarser table makes the committee's truth quicker, and less exact by .004 at most.
QUICK = {hazards: {}, committee: {"fit_grid": 9}}
SMALL = {"accounts": 250, "days": 400}


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module", params=sorted(WORLDS))
def module(request):
    return WORLDS[request.param]


@pytest.fixture(scope="module")
def world(module):
    return module.World(module.Params(seed=5, **SMALL, **QUICK[module]))


def command(module, out, *more):
    line = [sys.executable, "-m", module.__name__, "--accounts", "120", "--days", "200", "--out", str(out), *more]
    return subprocess.run(line, cwd=Path(__file__).parent, check=True, capture_output=True)


def test_the_same_seed_writes_the_same_bytes(module, tmp_path):
    params = tmp_path / "quick.json"
    params.write_text(json.dumps(QUICK[module]), encoding="utf-8")
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        command(module, tmp_path / name, "--seed", seed, "--params", str(params))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a")["export/deals.csv"] != contents(tmp_path / "c")["export/deals.csv"]
    names = {"accounts", "products", "deals", "interactions", "stage_history"}
    assert {path.stem for path in (tmp_path / "a/export").iterdir()} == names
    assert tuple(read(tmp_path / "a/truth.csv")[0]) == crm.TRUTH


def test_parameters_come_from_a_file_and_unknown_ones_are_refused(module, tmp_path):
    file = tmp_path / "params.json"
    file.write_text(json.dumps({"reps": 3, "days": 250}), encoding="utf-8")
    params = crm.load(module.Params, file, seed=9, days=None)
    assert (params.reps, params.days, params.seed) == (3, 250, 9)
    file.write_text(json.dumps({"repz": 3}), encoding="utf-8")
    with pytest.raises(ValueError, match="repz"):
        crm.load(module.Params, file)


def test_an_export_holds_nothing_later_than_its_day(world, tmp_path):
    until = world.last - timedelta(days=40)
    crm.write(world.crm, tmp_path, until)
    for name in ("accounts", "deals", "interactions", "stage_history"):
        for row in read(tmp_path / f"{name}.csv"):
            for column in ("created_at", "closed_at", "updated_at", "occurred_at", "logged_on", "entered_at"):
                assert row.get(column, "")[:10] <= until.isoformat(), (name, row)
    deals = {row["deal_id"]: row for row in read(tmp_path / "deals.csv")}
    still = {row["deal_id"] for row in deals.values() if row["status"] == "open"}
    assert still == {row[0] for row in world.truth(until)}
    for row in deals.values():
        assert (row["closed_at"] == "") == (row["status"] == "open")
        assert row["closed_at"] == "" or row["closed_at"] >= row["created_at"]
        assert row["updated_at"] >= max(row["created_at"], row["closed_at"])
    accounts = {row["account_id"] for row in read(tmp_path / "accounts.csv")}
    touches = read(tmp_path / "interactions.csv")
    assert {row["account_id"] for row in [*deals.values(), *touches]} <= accounts
    assert {row["deal_id"] for row in touches} - {""} <= set(deals)
    for row in touches:
        opened = deals[row["deal_id"]]["created_at"] if row["deal_id"] else ""
        assert opened <= row["occurred_at"]
        assert row["occurred_at"][:10] <= row["logged_on"]


def test_monthly_deliveries_add_up_to_the_one_export(world, tmp_path):
    crm.write(world.crm, tmp_path / "one", world.last)
    folders = crm.write(world.crm, tmp_path / "many", world.last, "monthly")
    assert len(folders) == 14
    for name, key in (("accounts", "account_id"), ("interactions", "interaction_id"), ("deals", "deal_id")):
        rows = {}
        for folder in folders:
            rows |= {row[key]: row for row in read(folder / f"{name}.csv")}  # a later version replaces an earlier one
        assert rows == {row[key]: row for row in read(tmp_path / "one" / f"{name}.csv")}
    moves = [tuple(r.values()) for folder in folders for r in read(folder / "stage_history.csv")]
    assert sorted(moves) == sorted(tuple(row.values()) for row in read(tmp_path / "one/stage_history.csv"))


def test_the_truth_is_about_open_deals_and_keeps_the_laws_of_probability(world, tmp_path):
    crm.write(world.crm, tmp_path, world.last)
    still = {row["deal_id"] for row in read(tmp_path / "deals.csv") if row["status"] == "open"}
    rows = [dict(zip(crm.TRUTH, row, strict=True)) for row in world.truth(world.last)]
    assert {row["deal_id"] for row in rows} == still
    for row in rows:
        assert 0 < row["p_won_90"] <= row["p_won_ever"] < 1
        assert 0 <= row["p_won_quarter"] <= row["p_won_ever"]
        assert row["as_of"] < row["close_p10"] <= row["close_p90"]
        assert row["close_p10"] <= row["expected_close"]
    crm.write_outcomes(world.crm, tmp_path / "outcomes.csv", world.last)
    came = read(tmp_path / "outcomes.csv")
    assert still <= {row["deal_id"] for row in came}
    assert all(row["closed_on"] == "" or row["closed_on"] > world.last.isoformat() for row in came)
    assert all((row["closed_on"] == "") == (row["status"] == "open") for row in came)


def test_the_truth_comes_true(module):
    """In each fifth of the probabilities, and over all, within 3.5 standard errors; within the quarter too."""
    chances, won, within, quarter, decided = [], [], [], [], []
    for seed in (11, 12, 13):
        world = module.World(module.Params(seed=seed, accounts=2500, **QUICK[module]))
        day, closed = crm.day_of(world.crm, world.last), world.crm.closed
        rows = [dict(zip(crm.TRUTH, row, strict=True)) for row in world.truth(world.last)]
        of = np.array([int(row["deal_id"][1:]) - 1 for row in rows])
        ended, left = closed["day"][of] - day, (crm.quarter_end(world.last + timedelta(days=1)) - world.last).days
        chances += [row["p_won_90"] for row in rows]
        won += (closed["won"][of] & (ended > 0) & (ended <= 90)).tolist()
        within += [row["p_won_quarter"] for row in rows]
        quarter += (closed["won"][of] & (ended > 0) & (ended <= left)).tolist()
        first = np.array([crm.day_of(world.crm, row["close_p10"]) for row in rows]) - day
        decided += ((ended > 0) & (ended <= first)).tolist()
    for forecast, outcome in ((chances, won), (within, quarter)):
        p, y = np.array(forecast), np.array(outcome)
        for part in [np.arange(len(p)), *np.array_split(np.argsort(p), 5)]:
            assert abs((y[part] - p[part]).sum()) < 3.5 * np.sqrt((p[part] * (1 - p[part])).sum())
    assert 0.09 < np.mean(decided) < 0.14  # days are whole, so the first tenth ends a little late


def test_the_hidden_state_is_believed_in_as_often_as_it_holds(module):
    beliefs, states = [], []
    for seed in (21, 22):
        world = module.World(module.Params(seed=seed, accounts=2500))
        day = crm.day_of(world.crm, world.last)
        of, state = world.hidden
        believed = world.belief(of, day) if module is hazards else world.kept[day][-1]
        beliefs, states = [*beliefs, *believed], [*states, *state]
    p, y = np.array(beliefs), np.array(states)
    for part in [np.arange(len(p)), *np.array_split(np.argsort(p), 5)]:
        assert abs((y[part] - p[part]).sum()) < 3.5 * np.sqrt((p[part] * (1 - p[part])).sum())


def test_the_truth_knows_only_what_was_recorded(module):
    """Later touches, stages and outcomes are changed, and the truth is not."""
    world = module.World(module.Params(seed=6, **SMALL, **QUICK[module]))
    as_of = world.last
    before, day = world.truth(as_of), crm.day_of(world.crm, as_of)
    touches, stages, closed = world.crm.touches, world.crm.stages, world.crm.closed
    touches["deal"][touches["recorded"] > day] = 0
    stages["stage"][stages["day"] > day] = "proposal"
    closed["won"][closed["day"] > day] ^= True
    assert world.truth(as_of) == before


def test_touches_are_entered_late_and_follow_progress():
    world = hazards.World(hazards.Params(seed=2, accounts=1500))
    touches, closed = world.crm.touches, world.crm.closed
    delay = touches["recorded"] - touches["day"]
    assert (delay.min(), delay.max()) == (0, 20)
    assert 0.4 < (delay > 0).mean() < 0.6
    ended = np.flatnonzero((closed["day"] >= 0) & (closed["day"] - world.crm.deals["created"] > 40))
    deal, day = touches["deal"][: world.evidence], touches["day"][: world.evidence]
    last = np.bincount(deal[day > closed["day"][deal] - 30], minlength=len(closed["day"]))[ended]
    assert last[closed["won"][ended]].mean() > 1.2 * last[~closed["won"][ended]].mean()


def test_a_break_changes_what_comes_after_it_alone():
    one = hazards.World(hazards.Params(seed=3, accounts=800))
    two = hazards.World(hazards.Params(seed=3, accounts=800, break_day=500))
    ends = [world.crm.closed["day"] for world in (one, two)]
    assert np.array_equal((ends[0] >= 0) & (ends[0] < 500), (ends[1] >= 0) & (ends[1] < 500))
    later = [
        world.crm.closed["won"][(end >= 500) & (end < 700)].mean() for world, end in zip((one, two), ends, strict=True)
    ]
    assert later[1] < later[0] - 0.03
    early, late = one.first + timedelta(days=380), one.first + timedelta(days=560)
    assert [row[:3] for row in one.truth(early)] == [row[:3] for row in two.truth(early)]  # within 90 days
    assert one.truth(late) != two.truth(late)


def test_the_committee_has_custom_fields_one_of_which_tells_the_outcome(tmp_path):
    world = committee.World(committee.Params(seed=2, accounts=1500))
    crm.write(world.crm, tmp_path, world.last)
    deals = read(tmp_path / "deals.csv")
    told = {
        status: [row["rollout_partner"] != "" for row in deals if row["status"] == status]
        for status in ("open", "won", "lost")
    }
    assert not any(told["open"])
    assert np.mean(told["won"]) > 0.88
    assert np.mean(told["lost"]) < 0.1
    rates = {}
    for row in deals:
        if row["status"] != "open":
            rates.setdefault(row["competitor"], []).append(row["status"] == "won")
    shares = [np.mean(rate) for rate in rates.values() if len(rate) > 100]
    assert max(shares) - min(shares) > 0.1
    assert len({row["owner"] for row in deals}) > 20  # more than there are places: reps leave
    due, opened = world.crm.changes["expected_close_date"], world.crm.deals["created"]
    assert (np.bincount(due[0], minlength=len(opened)) > 1).mean() > 0.2  # pushed at least once
    last = {
        f"D{deal + 1:06d}": day for deal, at, day in zip(*due, strict=True) if at <= crm.day_of(world.crm, world.last)
    }
    for row in deals[:500]:
        assert crm.day_of(world.crm, row["expected_close_date"]) == last[row["deal_id"]]
    contacts = {row["contact"] for row in read(tmp_path / "interactions.csv")}
    assert len(contacts) > 1500


def test_calendar_helpers():
    assert crm.quarter_end(date(2024, 2, 29)) == date(2024, 3, 31)
    assert crm.quarter_end(date(2024, 12, 31)) == date(2024, 12, 31)
    assert crm.month_ends(date(2023, 12, 5), date(2024, 2, 10)) == [
        date(2023, 12, 31),
        date(2024, 1, 31),
        date(2024, 2, 10),
    ]
