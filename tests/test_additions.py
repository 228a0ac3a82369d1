"""Gold that follows a delivery is the gold that all rows together give, to the last cell."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest

from conftest import NOW
from medallion import pipeline
from medallion.config import load
from medallion.lakehouse import query
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import additions, freshness

CUSTOMERS = "customer_id,customer_name,employee_count,email,created_at,updated_at\n"
LEADS = "lead_id,customer_id,source,status,stage,deal_value,created_at,updated_at,closed_at\n"
TOUCHES = "interaction_id,customer_id,channel,direction,occurred_at,duration_minutes,outcome\n"

FIRST = {
    "customers.csv": CUSTOMERS + "C1,Acme,300,a@x.example,2024-05-01,2024-05-01\nC2,Bolt,20,,2024-05-01,2024-05-01\n"
    "C3,Core,,,2024-05-01,2024-05-01\n",
    "leads.csv": LEADS + "L1,C1,referral,won,closed,1000,2025-03-01,2025-05-20,2025-05-20\n"
    "L2,C2,website,open,demo,500,2025-04-01,2025-06-01,\nL3,C1,event,lost,closed,,2025-01-01,2025-02-01,2025-02-01\n",
    "interactions.csv": TOUCHES + "I1,C1,call,inbound,2025-05-01 10:00,10,positive\n"
    "I2,C1,email,outbound,2025-05-02 10:00,,neutral\nI3,C2,call,,2025-06-01 09:30,5,no_answer\n",
}
#: What comes next, and how many readings the totals then consist of: 1 where every touch was added up again.
DELIVERIES = [
    ("new touches only", {"interactions_2.csv": TOUCHES + "I4,C2,meeting,outbound,2025-06-03 10:00,60,meeting_booked\nI5,C3,whatsapp,inbound,2025-06-03 11:00,,positive\n"}, 2),
    ("a late touch, within 90 days of a win", {"interactions_3.csv": TOUCHES + "I6,C1,meeting,inbound,2025-05-19 10:00,30,positive\n"}, 3),
    ("no touches, a deal is won", {"leads_4.csv": LEADS + "L2,C2,website,won,closed,700,2025-04-01,2025-06-05,2025-06-05\n"}, 3),
    ("a touch of a new account, and the account", {"customers_5.csv": CUSTOMERS + "C4,Dune,5,d@x.example,2025-06-01,2025-06-01\n",
      "interactions_5.csv": TOUCHES + "I7,C4,call,inbound,2025-06-06 10:00,5,negative\n"}, 4),
    ("a corrected touch", {"interactions_6.csv": TOUCHES + "I4,C1,call,inbound,2025-06-04 10:00,15,positive\n"}, 1),
    ("the value of a win changes", {"leads_7.csv": LEADS + "L1,C1,referral,won,closed,1001,2025-03-01,2025-06-07,2025-05-20\n"}, 1),
    ("a touch that was there, and a new one", {"interactions_8.csv": TOUCHES + "I3,C2,call,,2025-06-01 09:30,5,no_answer\nI8,C2,email,inbound,2025-06-08 10:00,,positive\n"}, 2),
    ("three months later, in another block of days", {"interactions_9.csv": TOUCHES + "I9,C3,email,inbound,2025-09-20 10:00,,positive\n"}, 1),
]  # fmt: skip

#: What is compared; the totals are added up first, since a delivery adds rows of its own.
TABLES = {
    name: f"select * from gold.{name}"
    for name in (
        "customer_features",
        "score_bands",
        "deals",
        "sales_summary",
        "channel_performance",
        "top_customers",
        "stage_history",
        "attribution",
        "deal_changes",
    )
}
TABLES["touch_totals"] = (
    "select customer_id, sum(touches) as touches, sum(call_positive) as p, max(last_at) as last_at, "
    "sum(weighed_nano) as weighed, min(first_at) as first_at from gold.touch_totals group by all"
)
TABLES["touch_days"] = (
    "select day, channel, outcome, sum(touches) as n, sum(duration_minutes) as minutes, max(last_at) as last_at "
    "from gold.touch_days group by all"
)


def tables(lake: Lakehouse) -> dict[str, list[tuple]]:
    with query.connect(lake, layers=["gold"]) as connection:
        return {name: sorted(map(repr, connection.execute(sql).fetchall())) for name, sql in TABLES.items()}


def readings(lake: Lakehouse, table: str = "touch_totals") -> int:
    with query.connect(lake, layers=["gold"]) as connection:
        return connection.execute(f"select count(distinct known_to) from gold.{table}").fetchone()[0]


def computed_again(lake: Lakehouse, day, folder) -> dict[str, list[tuple]]:
    """Gold of the same rows, in another lakehouse, without anything that was there before."""
    pipeline.replay(load(None, lakehouse=lake.root), day, None, str(folder))
    return tables(Lakehouse(str(folder)))


@pytest.mark.slow
def test_gold_follows_each_delivery(deliver, tmp_path):
    result, lake = deliver(FIRST)
    assert tables(lake) == computed_again(lake, result.as_of, tmp_path / "again_0")
    for number, (what, files, expected) in enumerate(DELIVERIES, start=1):
        result, lake = deliver(files, now=NOW + timedelta(days=100 * (number > 7) + number))
        assert readings(lake) == expected, what
        assert tables(lake) == computed_again(lake, result.as_of, tmp_path / f"again_{number}"), what


def random_delivery(pick: random.Random, number: int, day: date) -> dict[str, str]:
    """Touches and deals, new ones and corrections of earlier ones, some of them late; of a day, or of days before it."""
    accounts, sources = ("C1", "C2", "C3", "C9"), ("referral", "website", "event")

    def before(days: int) -> date:
        return day - timedelta(days=pick.randrange(days))

    touches = [
        f"N{number if pick.random() < 0.9 else max(0, number - 1)}-{n},{pick.choice(accounts)},"
        f"{pick.choice(('call', 'email', 'meeting'))},inbound,{before(120)} 1{n}:00,{n},positive\n"
        for n in range(pick.randrange(5))
    ]
    deals = []
    for n in range(pick.randrange(4)):
        status, opened = pick.choice(("open", "won", "won", "lost")), before(150)
        closed = before((day - opened).days + 1) if status != "open" else ""
        lead = f"D{pick.randrange(6)}"
        deals.append(
            f"{lead},{pick.choice(accounts)},{pick.choice(sources)},{status},demo,{pick.randrange(900)},{opened},{day} 0{n}:00,{closed}\n"
        )
    files = {f"interactions_{number}.csv": TOUCHES + "".join(touches), f"leads_{number}.csv": LEADS + "".join(deals)}
    return {name: text for name, text in files.items() if text.count("\n") > 1}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in (2, 3))])
def test_rows_that_are_kept_are_those_of_a_full_refresh(deliver, tmp_path, monkeypatch, seed):
    """After deliveries that move the day and that do not, with late touches, corrections and deals won no longer."""
    import importlib

    half = importlib.import_module("medallion.pipeline.silver_to_gold")
    monkeypatch.setattr(half, "_MANY_TOUCHES", 0)
    monkeypatch.setattr(half, "_MANY_ROWS", 0)
    kept, find = [], half._few

    def few(*given):
        found = find(*given)
        kept.append(found is not None)
        return found

    monkeypatch.setattr(half, "_few", few)
    pick, day = random.Random(seed), date(2025, 6, 10)  # noqa: S311
    deliver(FIRST)
    for number in range(6):
        day += timedelta(days=pick.choice((0, 0, 1, 9)))
        files = random_delivery(pick, number, day) or {
            "interactions_none.csv": TOUCHES + f"X{seed},C1,call,inbound,{day} 09:00,5,neutral\n"
        }
        deliver(files, now=NOW + timedelta(days=number + 1))
    lost = {
        "leads_lost.csv": LEADS + f"L1,C1,referral,lost,closed,1000,2025-03-01,{day},2025-05-20\n",
        "interactions_last.csv": TOUCHES + f"Y1,C3,call,inbound,{day} 09:00,5,neutral\n",
    }
    result, lake = deliver(lost, now=NOW + timedelta(days=9))
    assert kept[-1]
    assert tables(lake) == computed_again(lake, result.as_of, tmp_path / "again")


@pytest.mark.slow
def test_other_weights_add_up_everything_again(deliver, tmp_path):
    deliver(FIRST)
    more = {"interactions_2.csv": TOUCHES + "I4,C2,meeting,outbound,2025-06-03 10:00,60,positive\n"}
    config = tmp_path / "config.yaml"
    config.write_text("score:\n  channel: {call: 0.5}\n")
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "interactions_2.csv").write_text(more["interactions_2.csv"])
    lake = Lakehouse(str(tmp_path / "lakehouse"))
    pipeline.run(load(config, source=str(folder), lakehouse=lake.root), NOW + timedelta(days=1))
    assert readings(lake) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("edited", "expected"), [("touch_totals", (1, 2)), ("touch_days", (2, 1))])
def test_totals_whose_code_alone_has_changed_are_added_up_again(deliver, tmp_path, monkeypatch, edited, expected):
    """The other table keeps its readings, and the next delivery comes to the same whichever has been rebuilt."""
    deliver(FIRST)
    _, lake = deliver(DELIVERIES[0][1], now=NOW + timedelta(days=1))
    assert readings(lake) == readings(lake, "touch_days") == 2
    read = freshness._module
    another = {f"gold/{edited}.py": "another source"}
    monkeypatch.setattr(freshness, "_module", lambda path: another.get(path, read(path)))
    settings = load(None, source=str(tmp_path / "delivery_2"), lakehouse=lake.root)
    result = pipeline.run(settings, NOW + timedelta(days=2))
    assert result.rebuilt[f"gold.{edited}"] == "its definition changed"
    assert not result.accounts
    assert (readings(lake), readings(lake, "touch_days")) == expected
    result, lake = deliver(DELIVERIES[1][1], now=NOW + timedelta(days=3))
    assert tables(lake) == computed_again(lake, result.as_of, tmp_path / "again")


@pytest.mark.slow
def test_an_earlier_day_leaves_nothing_to_add_to(deliver, rows):
    """Totals of an earlier day are not those of all touches, whatever comes next."""
    deliver(FIRST)
    _, lake = deliver(
        {"customers_2.csv": CUSTOMERS + "C5,Edge,,,2025-01-01,2025-01-01\n"},
        now=NOW + timedelta(days=1),
        as_of="2025-05-15",
    )
    assert rows(lake, "select sum(touches) as n, max(known_to) as mark from gold.touch_totals") == [
        {"n": 2, "mark": None}
    ]
    _, lake = deliver({"customers_3.csv": CUSTOMERS + "C6,Flux,,,2025-01-01,2025-01-01\n"}, now=NOW + timedelta(days=2))
    assert rows(lake, "select sum(touches) as n from gold.touch_totals") == [{"n": 3}]


@pytest.mark.slow
def test_totals_are_added_up_again_once_they_are_many(deliver, monkeypatch):
    monkeypatch.setattr(additions, "AT_MOST", 2)
    deliver(FIRST)
    found = []
    for number in range(3):
        touch = f"N{number},C2,call,inbound,2025-06-0{3 + number} 10:00,5,positive\n"
        _, lake = deliver({f"interactions_{number}.csv": TOUCHES + touch}, now=NOW + timedelta(days=number + 1))
        found.append(readings(lake))
    assert found == [2, 1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["gold.touch_totals", "gold.touch_days"])
def test_a_run_that_was_killed_between_the_totals_is_made_good(deliver, tmp_path, monkeypatch, broken):
    """What one table has already taken in and the other has not is not added twice."""
    import importlib

    half = importlib.import_module("medallion.pipeline.silver_to_gold")
    deliver(FIRST)
    write = half._write

    def killed(context, step, contract, *rest):
        done = write(context, step, contract, *rest)
        if contract.name == broken:
            raise KeyboardInterrupt
        return done

    with monkeypatch.context() as patch:
        patch.setattr(half, "_write", killed)
        patch.setattr(half, "_WORKERS", 1)  # nothing else is written meanwhile
        with pytest.raises(KeyboardInterrupt):
            deliver(DELIVERIES[0][1], now=NOW + timedelta(days=1))
    result, lake = deliver(DELIVERIES[0][1], now=NOW + timedelta(days=2))
    assert tables(lake) == computed_again(lake, result.as_of, tmp_path / "again")
