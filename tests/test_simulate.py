"""The simulated world: the same from the same seed, true to its probabilities, and messy exactly as stated."""

from __future__ import annotations

import csv
import itertools
import json
import math
import re
from collections import Counter
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow.parquet as pq
import pytest

from conftest import NOW
from medallion.errors import MedallionError
from medallion.simulate import MESS, World, simulate
from medallion.simulate.process import Process, Truth
from medallion.simulate.world import WON, Calendar

SMALL = {"customers": 300, "days": 400, "strand": 64}
FILES = ("customers", "products", "leads", "interactions", "stage_history")


def read(folder, name):
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    out = tmp_path_factory.mktemp("world") / "clean"
    simulate(World(2000, 500, 3), out)
    return out


@pytest.fixture(scope="module")
def future():
    """Open deals of a world with both true probabilities, and whether each is won when the world goes on."""
    process = Process(World(60_000, 500, 11))
    truth, found = Truth(process), []
    for strand in range(process.strands()):
        accounts, leads, touches, _ = process.past(strand)
        of = np.flatnonzero(leads.stage < WON)
        given = truth.given_interest(leads.stage[of], leads.pace[of], leads.fit[of], leads.engagement[of])
        weights = np.exp(process.log_weights(accounts, leads, touches))[leads.account[of]]
        crm = (weights * given).sum(axis=1) / weights.sum(axis=1)
        hidden = given[np.arange(len(of)), leads.interest[of]]
        found.append(np.stack([crm, hidden, process.future(strand, leads)[of]]))
    return np.concatenate(found, axis=1)


@pytest.mark.parametrize(("mess", "batches"), [pytest.param("none", 1, marks=pytest.mark.slow), ("much", 4)])
def test_the_same_seed_gives_the_same_bytes_however_many_strands_are_held(tmp_path, mess, batches):
    for name, together in (("one", 1), ("three", 3), ("all", 99)):
        simulate(World(seed=5, **SMALL), tmp_path / name, mess, batches, together=together)
    assert contents(tmp_path / "one") == contents(tmp_path / "three") == contents(tmp_path / "all")


def test_another_seed_is_another_world(tmp_path):
    for seed in (5, 6):
        simulate(World(seed=seed, **SMALL), tmp_path / str(seed))
    for name in ("customers", "leads", "interactions", "stage_history"):
        assert (tmp_path / "5" / f"{name}.csv").read_bytes() != (tmp_path / "6" / f"{name}.csv").read_bytes()


def test_mess_and_deliveries_leave_the_truth_alone(tmp_path):
    for name, mess, batches in (("clean", "none", 1), ("messy", "much", 1), ("daily", "some", 9)):
        simulate(World(seed=5, **SMALL), tmp_path / name, mess, batches)
    truths = {(tmp_path / name / "truth.parquet").read_bytes() for name in ("clean", "messy", "daily")}
    assert len(truths) == 1


@pytest.mark.parametrize("which", [0, 1], ids=["what a CRM knows", "given the hidden interest"])
def test_deals_are_won_as_often_as_their_true_probability_says(future, which):
    probability, won = future[which], future[2]
    assert len(won) > 8000
    for tenth in np.array_split(np.argsort(probability, kind="stable"), 10):
        p = probability[tenth]
        deviation = math.sqrt((p * (1 - p)).sum())
        assert abs(won[tenth].sum() - p.sum()) < 4 * deviation
    assert abs(won.sum() - probability.sum()) < 4 * math.sqrt((probability * (1 - probability)).sum())


def test_what_is_hidden_would_help_and_still_not_suffice(future):
    crm, hidden, won = future
    error = {name: ((p - won) ** 2).mean() for name, p in (("base", won.mean()), ("crm", crm), ("hidden", hidden))}
    assert 0.05 < error["hidden"] < error["crm"] < error["base"]


@pytest.mark.nightly
@pytest.mark.slow
def test_the_grid_of_the_backward_equation_is_fine_enough():
    process = Process(World(10, 500, 1))
    coarse, fine = Truth(process), Truth(process, steps=6, fits=49, points=101)
    assert np.abs(coarse.won - fine.won[:, :, :, ::2, ::2]).max() < 0.001


def test_without_touches_the_probability_has_a_closed_form():
    """In the last stage, untouched and never engaged, both intensities follow the calendar alone."""
    flat = {"touch_rate": 0.0, "season": 0.0, "quarter_end": 0.0}
    world = World(10, 100, 1, **flat)
    process, calendar = Process(world), Calendar(world)
    win, loss = world.win_rate[3] * math.exp(0.2), world.loss_rate[3] * math.exp(world.fit_on_loss * 0.2)
    exposure = calendar.activity[100:190].sum()
    expected = win / (win + loss) * (1 - math.exp(-(win + loss) * exposure))
    given = Truth(process).given_interest(np.array([3]), np.array([1]), np.array([0.2]), np.array([0.0]))
    assert given[0, 2] == pytest.approx(expected, abs=1e-5)


def test_references_hold_and_keys_are_unique(clean):
    rows = {name: read(clean, name) for name in FILES}
    keys = {name: [row[key] for row in rows[name]] for name, key in
            (("customers", "customer_id"), ("products", "product_id"), ("leads", "lead_id"),
             ("interactions", "interaction_id"))}  # fmt: skip
    for name, values in keys.items():
        assert len(values) == len({*values}), name
    owner = {row["lead_id"]: row["customer_id"] for row in rows["leads"]}
    assert {*owner.values()} <= {*keys["customers"]}
    assert {row["product_id"] for row in rows["leads"]} <= {*keys["products"]}
    for row in rows["interactions"]:
        assert row["customer_id"] == owner.get(row["lead_id"], row["customer_id"])
        assert not row["lead_id"] or row["lead_id"] in owner
    assert {row["customer_id"] for row in rows["interactions"]} <= {*keys["customers"]}
    assert {row["lead_id"] for row in rows["stage_history"]} == {*owner}
    opened = {row["lead_id"] for row in rows["leads"] if row["status"] == "open"}
    assert {*pq.read_table(clean / "truth.parquet")["lead_id"].to_pylist()} == opened


def test_nothing_gives_the_outcome_away(clean):
    leads = {row["lead_id"]: row for row in read(clean, "leads")}
    end = "2025-07-01"
    for row in leads.values():
        assert (row["status"] == "open") == (not row["closed_at"])
        assert row["created_at"] <= row["updated_at"] < end
        assert not row["closed_at"] or row["closed_at"] == row["updated_at"]
    for touch in read(clean, "interactions"):
        assert touch["occurred_at"] < end
        if touch["lead_id"]:
            lead = leads[touch["lead_id"]]
            assert lead["created_at"] <= touch["occurred_at"] <= (lead["closed_at"] or end)
    history = {}
    for row in read(clean, "stage_history"):
        history.setdefault(row["lead_id"], []).append((row["entered_at"], row["stage"]))
    for lead_id, stages in history.items():
        assert [at for at, _ in stages] == sorted(at for at, _ in stages)
        assert stages[0] == (leads[lead_id]["created_at"], "new")
        assert stages[-1] == (leads[lead_id]["updated_at"], leads[lead_id]["stage"])
    closed = [row for row in leads.values() if row["closed_at"]]
    mean = {
        status: np.mean([float(row["deal_value"]) for row in closed if row["status"] == status])
        for status in ("won", "lost")
    }
    assert 0.7 < mean["won"] / mean["lost"] < 1.5


def test_every_known_effect_is_there():
    """More fit, engagement, a later stage and more interest each raise the true probability."""
    won = Truth(Process(World(10, 500, 1))).won[:, :, :, ::4, ::5]
    for axis in (0, 2, 3, 4):
        assert (np.diff(won, axis=axis) > 0).all()


@pytest.mark.parametrize("level", ["none", "some", "much"])
def test_the_mess_is_planted_as_stated(tmp_path, level):
    made = simulate(World(2000, 500, 3), tmp_path / "world", level)
    known = {row["customer_id"] for row in read(tmp_path / "world", "customers")}
    for name, dated in (("leads", "created_at"), ("interactions", "occurred_at"), ("stage_history", "entered_at")):
        rows, planted = read(tmp_path / "world", name), made["planted"][name]
        assert len(rows) == made["rows"][name] == planted["rows"] + planted["repeated"]
        assert sum(row == before for before, row in itertools.pairwise(rows)) == planted["repeated"]
        if name != "stage_history":
            assert sum(row["customer_id"] not in known for row in rows) == planted["unknown_customer"]
        bad = sum(row[dated] in ("31/02/2025 11:00", "2025-13-45 10:00:00", "last week") for row in rows)
        assert bad == planted["unreadable_date"]
        for kind in ("repeated", "unknown_customer", "unreadable_date", "date_format"):
            share = getattr(MESS[level], kind) * (name != "stage_history" or kind != "unknown_customer")
            _is_share(planted[kind], planted["rows"], share)
        if name == "interactions":
            odd = sum(row["channel"] not in ("call", "email", "whatsapp", "meeting") for row in rows)
            _is_share(odd, len(rows), MESS[level].spelling)
    leads = made["planted"]["leads"]
    _is_share(leads["corrected_leads"], leads["leads"], MESS[level].correction)
    assert leads["rows"] == leads["leads"] + leads["corrected_leads"]


def _is_share(count, of, share):
    assert abs(count - share * of) <= 4 * math.sqrt(share * (1 - share) * of)


def _take_in(lake_folder, *folders):
    from medallion import pipeline
    from medallion.config import load
    from medallion.lakehouse.store import Lakehouse

    lake = Lakehouse(str(lake_folder))
    results = [pipeline.run(load(None, source=str(folder), lakehouse=lake.root), NOW) for folder in folders]
    return results, lake


@pytest.mark.slow
def test_the_pipeline_refuses_exactly_what_was_planted(spark, rows, tmp_path):
    made = simulate(World(600, 500, 9), tmp_path / "world", "some")
    (result,), lake = _take_in(tmp_path / "lake", tmp_path / "world")
    assert sorted(result.ignored) == ["simulation.json", "truth.parquet"]
    assert not result.refused
    accounts = {row["entity"]: row for row in result.accounts}
    for entity, file in (("customers", "customers"), ("leads", "leads"), ("interactions", "interactions"),
                         ("stage_changes", "stage_history")):  # fmt: skip
        planted, account = made["planted"][file], accounts[entity]
        assert account["rows_read"] == made["rows"][file]
        assert account["quarantined"] == planted["unknown_customer"] + planted["unreadable_date"], entity
        assert account["duplicate"] == planted["repeated"], entity
    assert accounts["interactions"]["superseded"] == 0
    assert 0 < accounts["leads"]["superseded"] <= made["planted"]["leads"]["corrected_leads"]
    unread = rows(lake, "select count(*) n from ops.quality_metrics where metric = 'validity' and failed > 0 "
                        "and column_name not in ('created_at', 'occurred_at', 'entered_at')")  # fmt: skip
    assert unread[0]["n"] == 0


@pytest.mark.nightly
@pytest.mark.slow
def test_deliveries_add_up_to_one_export(spark, rows, tmp_path):
    world = World(300, 400, 9)
    simulate(world, tmp_path / "whole")
    made = simulate(world, tmp_path / "daily", batches=4)
    folders = sorted((tmp_path / "daily").glob("day_*"))
    assert [folder.name for folder in folders] == ["day_001", "day_002", "day_003", "day_004"]
    for folder in folders[1:]:
        day = date(2025, 6, 26 + int(folder.name[-1]))
        for row in read(folder, "interactions"):
            assert datetime.fromisoformat(row["occurred_at"]).date() == day
    results, daily = _take_in(tmp_path / "lake", *folders)
    _, whole = _take_in(tmp_path / "other", tmp_path / "whole")
    assert sum(account["quarantined"] for result in results for account in result.accounts) == 0
    for table in ("leads", "interactions", "customers"):
        key = "lead_id" if table == "leads" else f"{table.removesuffix('s')}_id"
        columns = f"select * exclude (known_at, _batch_id, _source_file, _source_row) from silver.{table}_clean"
        assert rows(daily, f"{columns} order by {key}") == rows(whole, f"{columns} order by {key}")
    assert made["rows"]["leads"] >= made["leads"]


def test_corrections_and_late_touches_come_in_later_deliveries(tmp_path):
    made = simulate(World(3000, 300, 4), tmp_path / "world", "much", batches=60)
    changed, values, late = 0, {}, 0
    for number, folder in enumerate(sorted((tmp_path / "world").glob("day_*"))):
        day = datetime(2025, 5, 2) + timedelta(days=number)
        for row in read(folder, "interactions"):
            written_plainly = re.fullmatch(r"\d{4}-[01]\d-[0-3]\d \S{8}", row["occurred_at"])
            if number and written_plainly and "-13-" not in row["occurred_at"]:
                late += datetime.fromisoformat(row["occurred_at"]) < day
        for row in read(folder, "leads"):
            changed += values.setdefault(row["lead_id"], row["deal_value"]) != row["deal_value"]
            values[row["lead_id"]] = row["deal_value"]
    planted = made["planted"]
    assert 0 < changed <= 1.3 * planted["leads"]["corrected_leads"]
    assert 0 < late <= planted["interactions"]["late"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"customers": 0}, "customers: 0"),
        ({"days": 0}, "days: 0"),
        ({"seed": -1}, "seed: -1"),
        ({"last_day": date(1000, 1, 1)}, "last_day"),
        ({"strand": 0}, "strand"),
    ],
)
def test_impossible_worlds(wrong, told):
    with pytest.raises(MedallionError, match=told):
        World(**{"customers": 10, "days": 10, "seed": 1, **wrong})


@pytest.mark.parametrize("wrong", [{"mess": "total"}, {"batches": 0}, {"batches": 11}])
def test_impossible_exports(tmp_path, wrong):
    with pytest.raises(MedallionError, match=next(iter(wrong))):
        simulate(World(10, 10, 1), tmp_path / "world", **wrong)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(("customers", "days"), [(1, 1), (1, 900), (3, 2)])
def test_the_smallest_worlds(tmp_path, customers, days):
    made = simulate(World(customers, days, 1), tmp_path / "world", "much", batches=days if days < 9 else 1)
    assert made["leads"] >= customers
    assert pq.read_table(tmp_path / "world" / "truth.parquet").num_rows == made["open_leads"]


def test_what_is_there_is_kept(tmp_path):
    world, out = World(10, 10, 1), tmp_path / "out"
    out.mkdir()
    simulate(world, out)
    first = contents(out)
    with pytest.raises(MedallionError, match="holds a simulation already"):
        simulate(world, out)
    simulate(World(10, 10, 2), out, force=True)
    assert contents(out) != first
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("dear")
    with pytest.raises(MedallionError, match="not a simulation"):
        simulate(world, tmp_path / "letters", force=True)
    with pytest.raises(MedallionError, match="is not a folder"):
        simulate(world, tmp_path / "letters" / "dear.txt", force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["letters", "out"]


def test_the_command(tmp_path):
    from typer.testing import CliRunner

    from medallion.cli import app

    args = ["simulate", "--customers", "20", "--days", "30", "--seed", "1", "--out", str(tmp_path / "world")]
    told = CliRunner().invoke(app, args)
    assert told.exit_code == 0, told.output
    assert "Next:   medallion run --source" in told.output
    again = CliRunner().invoke(app, args)
    assert isinstance(again.exception, MedallionError)
    document = json.loads(CliRunner().invoke(app, [*args, "--force", "--json"]).output)
    assert document["rows"]["customers"] == 20
    wrong = CliRunner().invoke(app, [*args[:-1], str(tmp_path / "other"), "--last-day", "tomorrow"])
    assert wrong.exit_code == 2
    assert not (tmp_path / "other").exists()


def test_people_come_beside_the_same_world(tmp_path):
    """The other files are as without them, but that touches say whom they reached; every reference leads somewhere."""
    world = World(**SMALL, seed=5)
    simulate(world, tmp_path / "plain", batches=3)
    made = simulate(world, tmp_path / "people", batches=3, people=True)
    plain, more = contents(tmp_path / "plain"), contents(tmp_path / "people")
    assert made["rows"]["quotas"] == world.reps * 5  # quarters of 400 days
    for name in plain.keys() - {"simulation.json"}:
        if name.endswith("interactions.csv"):
            lines = more[name].decode().splitlines()
            assert [line.rpartition(",")[0] for line in lines] == plain[name].decode().splitlines()
        else:
            assert more[name] == plain[name]
    rows = {
        name: []
        for name in (
            "customers",
            "leads",
            "interactions",
            "contacts",
            "owners",
            "quotas",
            "deal_contacts",
            "deal_products",
        )
    }
    for path in sorted((tmp_path / "people").rglob("*.csv")):
        if path.stem in rows:
            rows[path.stem] += read(path.parent, path.stem)
    keys = {
        name: {row[key] for row in rows[name]}
        for name, key in (("customers", "customer_id"), ("leads", "lead_id"), ("contacts", "contact_id"))
    }
    assert {row["customer_id"] for row in rows["contacts"]} == keys["customers"]
    assert {row["contact_id"] for row in rows["interactions"]} - {""} <= keys["contacts"]
    assert (
        {row["lead_id"] for row in rows["deal_contacts"]}
        == {row["lead_id"] for row in rows["deal_products"]}
        == keys["leads"]
    )
    assert {row["contact_id"] for row in rows["deal_contacts"]} <= keys["contacts"]
    assert (
        {row["Sales Rep"] for row in rows["quotas"]}
        == {row["owner_name"] for row in rows["owners"]}
        >= {row["owner"] for row in rows["leads"]}
    )
    value = {row["lead_id"]: int(row["deal_value"]) for row in rows["leads"]}
    lines = Counter()
    for row in rows["deal_products"]:
        lines[row["lead_id"]] += int(row["amount"])
    assert lines == value
    account = {row["contact_id"]: row["customer_id"] for row in rows["contacts"]}
    assert all(account[row["contact_id"]] == row["customer_id"] for row in rows["interactions"] if row["contact_id"])
