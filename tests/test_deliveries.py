"""Any sequence of deliveries, corrections, replays and erasures: every row is in one account, and the past stays."""

from __future__ import annotations

import csv
import shutil
import tempfile
from datetime import date, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from conftest import NOW
from medallion import pipeline
from medallion.care import erasure, quarantine, status
from medallion.config import load
from medallion.errors import LakehouseError
from medallion.gold import possible
from medallion.lakehouse import query
from medallion.lakehouse.store import Lakehouse

IDS = st.integers(1, 6)
STATES = st.sampled_from(["open", "won", "lost", "Closed Won", "perhaps"])
VALUES = st.sampled_from(["100", "$2,500.00", "", "call me"])
DAYS = st.integers(1, 28)
LEAD = st.tuples(IDS, st.integers(1, 4), STATES, VALUES, DAYS)
HEADER = ("lead_id", "customer_id", "status", "deal_value", "created_at", "updated_at")


class Deliveries(RuleBasedStateMachine):
    """A lakehouse and, beside it, a count of every row that was ever delivered to it."""

    @initialize()
    def start(self):
        self.folder = Path(tempfile.mkdtemp(prefix="deliveries-"))
        self.lake = Lakehouse(str(self.folder / "lakehouse"))
        self.now = NOW
        self.delivered = 0
        self.reprocessed = 0
        self.seen: set[bytes] = set()
        self.last: list[tuple] = []
        self.count = 0
        self.deliver_customers([1, 2])

    def teardown(self):
        shutil.rmtree(getattr(self, "folder", ""), ignore_errors=True)

    def run(self, name: str, header: tuple, rows: list[tuple]) -> None:
        self.count += 1
        self.now += timedelta(hours=1)
        source = self.folder / f"source_{self.count}"
        source.mkdir()
        with (source / name).open("w", newline="") as out:
            csv.writer(out).writerows([header, *rows])
        content = (source / name).read_bytes()
        if content not in self.seen:
            self.seen.add(content)
            self.delivered += len(rows)
        # accepted, since an unknown status in several rows would hold its file back
        settings_ = load(None, source=str(source), lakehouse=self.lake.root, accept=True)
        pipeline.run(settings_, self.now, stages=[pipeline.BRONZE_TO_SILVER])

    @rule(known=st.lists(IDS, min_size=1, max_size=3))
    def deliver_customers(self, known):
        self.run(
            f"customers_{self.count}.csv", ("customer_id", "customer_name"), [(f"C{n}", f"Firm {n}") for n in known]
        )

    @rule(rows=st.lists(LEAD, min_size=1, max_size=6))
    def deliver_deals(self, rows):
        """Random deals: new ones, corrections that are newer or older, repeats, unknown accounts, unreadable values."""
        self.last = [
            (f"L{n}", f"C{c}", state, value, "2025-01-01", f"2025-02-{day:02d}") for n, c, state, value, day in rows
        ]
        self.run(f"leads_{self.count}.csv", HEADER, self.last)

    @precondition(lambda self: self.last)
    @rule()
    def deliver_the_same_again(self):
        """The same content under another name adds nothing."""
        before = self.counts()
        self.run(f"leads_copy_{self.count}.csv", HEADER, self.last)
        assert self.counts() == before

    @precondition(lambda self: self.waiting())
    @rule(state=st.sampled_from(["won", "open", "still wrong"]), data=st.data())
    def correct_and_reprocess(self, state, data):
        chosen = data.draw(st.sampled_from(sorted(row["quarantine_id"] for row in self.waiting())))
        settings_ = load(None, lakehouse=self.lake.root)
        self.now += timedelta(hours=1)
        quarantine.fix(settings_, [quarantine.Correction(chosen, "status", state)], "ana", self.now)
        result = quarantine.reprocess_refused(settings_, self.now, lambda name, seconds: None, ids=[chosen])
        assert [account["rows_read"] for account in result.accounts] == [1]
        self.reprocessed += 1

    @precondition(lambda self: self.waiting())
    @rule()
    def try_all_again(self):
        """An account may have arrived meanwhile."""
        waiting = len(self.waiting())
        self.now += timedelta(hours=1)
        result = quarantine.reprocess_refused(
            load(None, lakehouse=self.lake.root), self.now, lambda name, seconds: None, everything=True
        )
        assert sum(account["rows_read"] for account in result.accounts) == waiting
        self.reprocessed += waiting

    def waiting(self):
        return quarantine.waiting(self.lake) if hasattr(self, "lake") and self.lake.exists("silver.quarantine") else []

    def counts(self) -> dict[str, int]:
        names = [
            "silver.quarantine",
            *(f"silver.{n}_{k}" for n in ("customers", "leads") for k in ("clean", "history")),
        ]
        with query.connect(self.lake) as connection:
            return {
                name: query.rows(connection, f"select count(*) as n from {name}")[0]["n"]
                for name in names
                if self.lake.exists(name)
            }

    @invariant()
    def every_row_is_in_one_account(self):
        if not hasattr(self, "lake") or not self.lake.exists("ops.row_accounts"):
            return
        with query.connect(self.lake) as connection:
            (told,) = query.rows(
                connection,
                "select sum(rows_read) as read, sum(accepted + superseded) as kept, sum(duplicate) as duplicate, "
                "sum(quarantined) as refused, bool_and(balanced) as balanced from ops.row_accounts",
            )
        counts = self.counts()
        history = sum(count for name, count in counts.items() if name.endswith("_history"))
        assert told["balanced"]
        assert told["read"] == self.delivered + self.reprocessed
        assert told["kept"] == history
        assert told["refused"] == counts.get("silver.quarantine", 0)
        waiting = len(self.waiting())
        assert self.delivered == told["kept"] + told["duplicate"] + waiting
        for name in ("customers", "leads"):
            if f"silver.{name}_clean" in counts:
                key = {"customers": "customer_id", "leads": "lead_id"}[name]
                with query.connect(self.lake) as connection:
                    sql = f"select count(distinct {key}) as n from silver.{name}_history"
                    assert query.rows(connection, sql)[0]["n"] == counts[f"silver.{name}_clean"]


Deliveries.TestCase.settings = settings(
    max_examples=3, stateful_step_count=6, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.usefixtures("spark")
@pytest.mark.slow
class TestDeliveries(Deliveries.TestCase):
    """The state machine as a test."""


DAY = date(2025, 6, 30)
FIRST = {
    "customers.csv": "customer_id,customer_name,updated_at\nC1,Anvil,2025-06-01\nC2,Bolt,2025-06-01\n",
    "leads.csv": "lead_id,customer_id,status,stage,deal_value,created_at,updated_at,closed_at\n"
    "L1,C1,won,closed,100,2025-05-01,2025-06-10,2025-06-10\nL2,C1,open,proposal,200,2025-05-02,2025-06-11,\n"
    "L3,C2,open,new,300,2025-06-01,2025-06-12,\n",
    "interactions.csv": "interaction_id,customer_id,channel,outcome,occurred_at\nI1,C1,call,positive,2025-06-20 10:00:00\n"
    "I2,C2,email,neutral,2025-06-30 10:00:00\n",
}
LATER = {
    "customers_2.csv": "customer_id,customer_name,updated_at\nC1,Anvil AG,2025-06-15\nC3,Cog,2025-06-20\n",
    "leads_2.csv": "lead_id,customer_id,status,stage,deal_value,created_at,updated_at,closed_at\n"
    "L2,C1,won,closed,250,2025-05-02,2025-06-29,2025-06-29\nL4,C3,won,closed,900,2025-06-02,2025-06-28,2025-06-28\n",
    "interactions_2.csv": "interaction_id,customer_id,channel,outcome,occurred_at\nI3,C1,call,negative,2025-06-21 10:00:00\n"
    "I1,C1,email,negative,2025-06-20 11:00:00\n",
}


def gold(lake):
    with query.connect(lake, layers=("gold",)) as connection:
        return {step.table: query.rows(connection, f"select * from {step.table} order by all") for step in possible(())}


@pytest.mark.slow
def test_a_replay_is_what_was_computed_then(deliver, tmp_path):
    """Gold of 30 June as known that night is the same before and after late rows and corrections arrived, to the byte."""
    _, lake = deliver(FIRST, now=datetime(2025, 6, 30, 22))
    sent = gold(lake)
    replayed = []
    for place, files in enumerate(({}, LATER)):
        if files:
            deliver(files, now=datetime(2025, 7, 2, 8), as_of="2025-07-02")
        target = Lakehouse(str(tmp_path / f"replay_{place}"))
        pipeline.replay(load(None, lakehouse=lake.root), DAY, datetime(2025, 7, 1), target.root)
        replayed.append(gold(target))
    assert replayed[0] == sent
    assert replayed[1] == sent
    assert gold(lake) != sent
    now_known = Lakehouse(str(tmp_path / "now_known"))
    pipeline.replay(load(None, lakehouse=lake.root), DAY, None, now_known.root)
    deals = {row["lead_id"]: (row["status"], int(row["deal_value"])) for row in gold(now_known)["gold.deals"]}
    assert deals == {"L1": ("won", 100), "L2": ("won", 250), "L3": ("open", 300), "L4": ("won", 900)}
    assert status.insights(now_known)["total_deal_value"] == 1550


@pytest.mark.slow
def test_what_cannot_be_replayed(deliver, tmp_path):
    _, lake = deliver(FIRST)
    settings_ = load(None, lakehouse=lake.root)
    with pytest.raises(
        LakehouseError, match="nothing was known before 2024-01-01 00:00:00 UTC; the first batch was read at"
    ):
        pipeline.replay(settings_, DAY, datetime(2024, 1, 1), str(tmp_path / "x"))
    with pytest.raises(LakehouseError, match="is a lakehouse with batches of its own"):
        pipeline.replay(settings_, DAY, None, lake.root)
    with pytest.raises(LakehouseError, match="there is no table silver.customers_history"):
        pipeline.replay(load(None, lakehouse=str(tmp_path / "none")), DAY, None, str(tmp_path / "x"))


@pytest.mark.slow
def test_a_replay_outlives_an_erasure_for_everyone_else(deliver, tmp_path):
    _, lake = deliver(FIRST, now=datetime(2025, 6, 30, 22))
    kept = [row["lead_id"] for row in gold(lake)["gold.deals"] if row["customer_id"] == "C1"]
    erasure.forget(load(None, lakehouse=lake.root), "C2", "x", "ana", datetime(2025, 7, 3))
    target = Lakehouse(str(tmp_path / "replay"))
    pipeline.replay(load(None, lakehouse=lake.root), DAY, datetime(2025, 7, 1), target.root)
    assert [row["lead_id"] for row in gold(target)["gold.deals"]] == kept


@pytest.mark.slow
def test_stages_are_told_by_files_first_then_by_versions(deliver, rows):
    _, lake = deliver(
        {
            **FIRST,
            "deal_stage_history.csv": "deal_id,stage,date_entered\nL3,New,2025-06-01 00:00:00\nL3,Demo,2025-06-05 12:00:00\n"
            "L3,Demo,2025-06-07 00:00:00\nL9,New,2025-06-01 00:00:00\n",
        }
    )
    later = FIRST["leads.csv"].splitlines()[0] + "\nL2,C1,open,Negotiation,200,2025-05-02,2025-06-21,\n"
    deliver({"leads_2.csv": later}, now=NOW + timedelta(days=1), as_of="2025-06-30")
    found = rows(
        lake,
        "select lead_id, stage, left(entered_at::varchar, 16) as entered, left(left_at::varchar, 10) as gone, days_in_stage as days, told_by "
        "from gold.stage_history where lead_id in ('L2', 'L3') order by 1, 3",
    )
    assert [tuple(row.values()) for row in found] == [
        ("L2", "proposal", "2025-06-11 00:00", "2025-06-21", 10.0, "version"),
        ("L2", "negotiation", "2025-06-21 00:00", None, 10.0, "version"),
        ("L3", "new", "2025-06-01 00:00", "2025-06-05", 4.5, "file"),
        ("L3", "demo", "2025-06-05 12:00", None, 25.5, "file"),
    ]


LEADS = "lead_id,customer_id,status,stage,deal_value,created_at,updated_at,closed_at,owner\n"
STAGED = {
    "customers.csv": "customer_id,customer_name\nC1,Anvil\n",
    # from the file: L1, L2 (closed later), L5 (its file ends before it is won); by versions alone: L3, L4, L6
    "leads.csv": LEADS
    + "L1,C1,open,negotiation,1000,2025-01-05,,,Ann\nL2,C1,won,closed_won,2000,2025-01-05,,2025-06-01,Ann\n"
    "L3,C1,won,closed_won,30,2025-01-05,,2025-05-01,Ann\nL4,C1,open,demo,40,2025-01-05,2025-04-01,,Ann\n"
    "L5,C1,won,closed_won,50,2025-01-05,2025-05-20,2025-05-10,Ann\nL6,C1,open,demo,60,2025-01-05,,,Ann\n",
    "stage_changes.csv": "lead_id,stage,entered_at\nL1,prospecting,2025-01-05\nL1,proposal,2025-02-01\nL1,negotiation,2025-05-15\n"
    "L2,prospecting,2025-01-05\nL2,proposal,2025-03-01\nL2,closed_won,2025-06-01\nL5,demo,2025-02-01\n",
}
STAGED_LATER = {
    "leads_2.csv": LEADS
    + "L4,C1,open,proposal,44,2025-01-05,2025-05-05,,Bob\nL6,C1,open,proposal,66,2025-01-05,,,Bob\n"
    "L1,C1,open,contract,1100,2025-01-05,,,Bob\n",
}


@pytest.mark.nightly
@pytest.mark.slow
def test_a_replay_shows_one_stage_and_the_whole_row_as_it_was(deliver, tmp_path):
    """The stage of a deal in `gold.deals` is that of its last stay in `gold.stage_history`, whatever the day."""
    _, lake = deliver(STAGED, now=datetime(2025, 6, 5, 8))
    deliver(STAGED_LATER, now=datetime(2025, 6, 10, 8))
    seen = {}
    for day in ("2025-01-10", "2025-04-15", "2025-05-31", "2025-06-30"):
        target = Lakehouse(str(tmp_path / day))
        pipeline.replay(load(None, lakehouse=lake.root), date.fromisoformat(day), None, target.root)
        tables = gold(target)
        last = {row["lead_id"]: row["stage"] for row in tables["gold.stage_history"] if row["left_at"] is None}
        assert {row["lead_id"]: row["stage"] for row in tables["gold.deals"] if row["stage"]} == last, day
        seen[day] = {row["lead_id"]: row for row in tables["gold.deals"]}
    told = {day: {key: row["stage"] for key, row in found.items()} for day, found in seen.items()}
    assert told["2025-04-15"] == {
        "L1": "proposal",
        "L2": "proposal",
        "L3": None,
        "L4": "demo",
        "L5": "demo",
        "L6": "demo",
    }
    assert told["2025-01-10"] == {
        "L1": "prospecting",
        "L2": "prospecting",
        "L3": None,
        "L4": None,
        "L5": None,
        "L6": "demo",
    }
    assert (told["2025-05-31"]["L1"], told["2025-06-30"]["L1"]) == ("negotiation", "contract")
    for day, value, owner in (("2025-04-15", 60, "Ann"), ("2025-06-30", 66, "Bob")):
        row = seen[day]["L6"]
        assert (int(row["deal_value"]), row["owner"]) == (value, owner), day
    assert (told["2025-05-31"]["L5"], told["2025-05-31"]["L4"]) == ("closed_won", "proposal")


@pytest.mark.slow
def test_a_deal_that_is_in_one_delivery_twice_and_alone_in_its_file(deliver, rows):
    head = "lead_id,customer_id,status,deal_value,stage,created_at,updated_at\n"
    twice = "D1,C1,open,100,Demo,2025-06-01,2025-06-02\nD1,C1,open,200,Offer,2025-06-01,2025-06-03\n"
    _, lake = deliver({"customers.csv": "customer_id,customer_name\nC1,Acme\n", "leads.csv": head + twice})
    deals = "select deal_value, stage from gold.deals"
    assert rows(lake, deals) == [{"deal_value": D("200.00"), "stage": "offer"}]
    deliver({"leads.csv": head + "D1,C1,won,300,Won,2025-06-01,2025-06-04\n"}, now=NOW + timedelta(days=1))
    assert rows(lake, deals) == [{"deal_value": D("300.00"), "stage": "won"}]
    stays = rows(lake, "select stage from gold.stage_history order by entered_at")
    assert [row["stage"] for row in stays] == ["demo", "offer", "won"]


def test_stages_of_a_deal_that_was_refused_are_not_counted(deliver, rows):
    _, lake = deliver(
        {
            "customers.csv": "customer_id,customer_name\nC1,Acme\n",
            "leads.csv": "lead_id,customer_id,status,deal_value,stage,created_at\nL1,C1,open,100,Demo,2025-06-01\nL2,C9,open,100,Demo,2025-06-01\n",
            "stage_history.csv": "lead_id,stage,entered_at\nL1,New,2025-06-01\nL1,Demo,2025-06-02\nL2,New,2025-06-01\nL2,Demo,2025-06-02\n",
        }
    )
    assert rows(lake, "select lead_id from silver.leads_clean") == [{"lead_id": "L1"}]
    stays = rows(lake, "select lead_id, stage from gold.stage_history order by entered_at")
    assert stays == [{"lead_id": "L1", "stage": "new"}, {"lead_id": "L1", "stage": "demo"}]
