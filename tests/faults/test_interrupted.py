"""Work that was killed between two table writes: the next command finds it, and what is there is before or after.

The tables here are small and written by delta-rs alone, so that every write can be hit. `test_on_demand` does
the same to the commands themselves, on the sample.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from medallion import addresses
from medallion.care import restore, verify
from medallion.config import load
from medallion.errors import LakehouseError
from medallion.lakehouse import locks, manifests, places, removal, store
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import journal

TABLES = ("bronze.leads", "silver.leads_clean", "gold.deals", "ops.corrections", "ops.runs")


class KilledError(BaseException):
    """Stands in for a process that ends."""


class Doors:
    """Counts what changes tables, and kills before or after a given one; from then on nothing gets through."""

    def __init__(self, monkeypatch, *doors):
        self.passed, self.at, self.after, self.dead = 0, None, False, False
        for owner, name in doors:
            monkeypatch.setattr(owner, name, self._guarded(getattr(owner, name)))

    def _guarded(self, real):
        def door(*given, **more):
            if self.dead or (self.passed == self.at and not self.after):
                self.dead = True
                raise KilledError
            result = real(*given, **more)
            self.passed += 1
            if self.passed - 1 == self.at:
                self.dead = True
                raise KilledError
            return result

        return door

    def kill(self, at, after):
        self.passed, self.at, self.after, self.dead = 0, at, after, False

    def open(self):
        self.kill(None, False)


def write(lake, values, names=TABLES):
    """One delivery: every table gets another value, `ops.runs` last."""
    for name in sorted(names, key=lambda one: one == restore.RUNS):
        write_deltalake(lake.path(name), pa.table({"value": [values]}), mode="overwrite")


def content(lake):
    names = [name for name in lake.tables() if name != manifests.TABLE]
    return {name: lake.delta(name).to_pyarrow_table()["value"].to_pylist() for name in names}


def all_have(value):
    return {name: [value] for name in TABLES}


@pytest.fixture
def lake(tmp_path):
    """Three deliveries; the last brought a table that was not there before."""
    found = Lakehouse(str(tmp_path / "lake"))
    write(found, 1)
    write(found, 2)
    write(found, 3, (*TABLES, "gold.stage_history"))
    return found


def doors_of_restore(monkeypatch):
    return Doors(monkeypatch, (DeltaTable, "restore"), (removal, "drop"))


def point(lake, version):
    return restore.points(lake)[version].ended.isoformat(timespec="milliseconds")


@pytest.mark.slow
def test_a_restore_that_is_killed_anywhere_is_before_or_after(tmp_path, monkeypatch):
    """Every write of it, before and after; then the next writer, killed in its own recovery too."""
    doors = doors_of_restore(monkeypatch)
    states = set()
    for at in range(6):
        for after in (False, True):
            lake = Lakehouse(str(tmp_path / f"lake_{at}_{after}"))
            write(lake, 1)
            write(lake, 2, (*TABLES, "gold.stage_history"))
            time, wanted, before = point(lake, 0), all_have(1), content(lake)
            doors.kill(at, after)
            with pytest.raises(KilledError):
                restore.apply(lake, time)
            doors.kill(at % 3, after)
            try:
                with journal.writing(lake):
                    pass
            except KilledError:
                doors.open()
                assert journal.unfinished_intent(lake)["kind"] == "restore"
                with journal.writing(lake) as writer:
                    assert "restore that began at" in writer.recovered[0]
            doors.open()
            found = content(lake)
            assert found in (before, wanted), (at, after)
            states.add(found == before)
            assert journal.unfinished_intent(lake) is None
            restore.apply(lake, time)
            assert content(lake) == wanted
    assert states == {True, False}, "one of the two outcomes was never seen"


def test_a_killed_restore_is_found_by_the_next_restore(lake, monkeypatch):
    doors = doors_of_restore(monkeypatch)
    doors.kill(2, True)
    with pytest.raises(KilledError):
        restore.apply(lake, point(lake, 0))
    doors.open()
    restore.apply(lake, point(lake, 1))
    assert content(lake) == all_have(2)


@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_what_was_written_under_an_intent_is_rolled_back(lake, done):
    """A table with a new version, one that is new, and that which tells of the run: the work ends with its manifest."""
    before = content(lake)
    with (
        pytest.raises(KilledError),
        journal.writing(lake) as writer,
        writer.intent(journal.SCORE, ["gold.deals", "gold.lead_scores", "ops.runs"]),
    ):
        write(lake, 9, ["gold.deals", "gold.lead_scores", "ops.runs"][:done])
        raise KilledError
    found = journal.unfinished_intent(lake)
    assert (found["kind"], found["before"]["gold.deals"]) == ("score", 2)
    with journal.writing(lake) as writer:
        assert len(writer.recovered) == 1
    assert content(lake) == before
    with journal.writing(lake) as writer:
        assert writer.recovered == []


@pytest.fixture
def address(tmp_path, monkeypatch):
    """An address, on this disk: what differs from object storage is delta-rs's business."""
    monkeypatch.setattr(addresses, "of_lakehouse", str)
    return f"file://{tmp_path}/elsewhere"


def test_work_of_a_process_that_lives_on_is_interrupted_once_the_lock_is_free(tmp_path, address):
    """Ctrl-C in a notebook or in a server: the intent stays, the process too. In a folder and at an address."""
    for root in (f"{tmp_path}/lake", address):
        place = Lakehouse(root)
        assert (place.folder is None) == (root == address)
        with pytest.raises(KilledError), journal.writing(place) as writer, writer.intent(journal.TRAIN, ()):
            assert [one["state"] for one in journal.unfinished(place)] == ["in progress"]
            raise KilledError
        assert [one["state"] for one in journal.unfinished(place)] == ["interrupted"]


def test_what_fails_is_rolled_back_at_once(lake):
    before = content(lake)
    with (
        pytest.raises(ZeroDivisionError),
        journal.writing(lake) as writer,
        writer.intent(journal.TRAIN, ["gold.deals"]),
    ):
        write(lake, 9, ["gold.deals"])
        raise ZeroDivisionError
    assert content(lake) == before
    assert journal.unfinished_intent(lake) is None


def test_a_model_that_was_not_made_active_goes_with_the_training(lake, tmp_path):
    models = tmp_path / "models"
    for version, active in (("old", True), ("new", False)):
        (models / version).mkdir(parents=True)
        if active:
            (models / "champion.json").write_text(json.dumps({"version": version}))
    for active in ("old", "new"):
        with (
            pytest.raises(KilledError),
            journal.writing(lake) as writer,
            writer.intent(journal.TRAIN, ["gold.deals"], models=str(models)),
        ):
            (models / "new").mkdir(exist_ok=True)
            write(lake, 9, ["gold.deals"])
            writer.amend(registered="new")
            (models / "champion.json").write_text(json.dumps({"version": active}))
            raise KilledError
        with journal.writing(lake):
            pass
        assert (models / "new").exists() is (active == "new")
        assert content(lake)["gold.deals"] == [9 if active == "new" else 3]
        assert (models / "old").exists()


def test_an_erasure_is_never_rolled_back(lake):
    with (
        pytest.raises(KilledError),
        journal.writing(lake) as writer,
        writer.intent(journal.FORGET, (), subject="somebody"),
    ):
        write(lake, 9, ["gold.deals"])
        raise KilledError
    for _ in range(2):
        with pytest.raises(LakehouseError, match="erasure that began at .* is not complete") as told:
            restore.apply(lake, point(lake, 0))
        assert "medallion forget --resume" in told.value.remedy
    assert content(lake)["gold.deals"] == [9]
    assert oct(Path(lake.root, places.INTENT_FILE).stat().st_mode & 0o777) == "0o600"


def test_an_intent_is_whole_or_not_there(lake, monkeypatch):
    """Killed while it is written: the one before it holds."""
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KilledError()))
    with pytest.raises(KilledError), journal.writing(lake) as writer, writer.intent(journal.TRAIN, ["gold.deals"]):
        pytest.fail("nothing may be done without it")
    monkeypatch.undo()
    assert journal.unfinished_intent(lake) is None


# --- commits that were not written whole ------------------------------------------------------------------------------


def torn(lake, name, how):
    log = sorted(Path(lake.path(name), "_delta_log").glob("*.json"))[-1]
    lines = log.read_text().splitlines()
    assert len(lines) > 2
    log.write_text({"empty": "", "cut": "\n".join(lines)[:-20], "short": "\n".join(lines[:-1])}[how])
    return log


@pytest.mark.parametrize("how", ["empty", "cut", "short"])
def test_a_torn_commit_stops_writers_and_is_mended_by_restore(lake, how):
    log = torn(lake, "gold.deals", how)
    with (
        pytest.raises(LakehouseError, match="gold.deals: its last commit, 0+2.json, is ") as told,
        journal.writing(lake),
    ):
        pytest.fail("it may not write")
    assert "restore --table gold.deals --to 1" in told.value.remedy
    if how != "short":  # with all that it says, and less than it counts: only whoever counts sees it
        with pytest.raises(LakehouseError, match="its last commit"):
            lake.delta("gold.deals")
    assert [found.table for found in journal.damaged(lake)] == ["gold.deals"]
    restore.apply(lake, "1", "gold.deals")
    assert content(lake)["gold.deals"] == [2]
    assert journal.damaged(lake) == []
    assert log.with_name(log.name + ".torn").exists()
    restore.apply(lake, point(lake, 0))
    assert content(lake) == all_have(1)


@pytest.mark.parametrize("name", ["bronze.leads", "silver.leads_clean", "ops.corrections"])
def test_a_run_whose_commit_is_torn_is_not_gone_back_to(lake, name):
    """Only the table would stay behind, and its part of the delivery would never come again: the run before is whole."""
    log, before = torn(lake, name, "empty"), point(lake, 1)
    assert "--table" not in journal.damaged(lake)[0].remedy
    for table in (None, name):
        with pytest.raises(LakehouseError, match=f"cannot be gone back to: {name}: its last commit") as told:
            restore.apply(lake, point(lake, 2), table)
        assert before[:19] in told.value.remedy
        assert log.exists()
    restore.apply(lake, before)
    assert content(lake) == all_have(2)


def test_a_table_that_goes_back_alone_leaves_the_torn_commits_of_others(lake):
    log = torn(lake, "silver.leads_clean", "empty")
    with pytest.raises(LakehouseError, match="gold.deals: cannot go back alone: silver.leads_clean: its last commit"):
        restore.apply(lake, "1", "gold.deals")
    assert log.exists()
    assert content_of(lake, "gold.deals") == [3]


def content_of(lake, name):
    return lake.delta(name).to_pyarrow_table()["value"].to_pylist()


def test_a_torn_first_commit_goes_with_its_run(lake):
    write(lake, 1, ["silver.leads_history"])
    torn(lake, "silver.leads_history", "empty")
    restore.apply(lake, point(lake, 1))
    assert content(lake) == all_have(2)


def test_a_torn_commit_of_a_killed_command_goes_with_it(lake):
    """The machine lost power: the intent is there, and the last commit is empty."""
    with pytest.raises(KilledError), journal.writing(lake) as writer, writer.intent(journal.SCORE, ["gold.deals"]):
        write(lake, 9, ["gold.deals"])
        torn(lake, "gold.deals", "empty")
        raise KilledError
    restore.apply(lake, point(lake, 1))
    assert content(lake) == all_have(2)


def test_a_first_commit_that_is_torn_says_what_to_do(lake):
    write(lake, 1, ["gold.attribution"])
    torn(lake, "gold.attribution", "empty")
    with pytest.raises(LakehouseError, match="is empty") as told, journal.writing(lake):
        pytest.fail("it may not write")
    assert "Delete the folder" in told.value.remedy


# --- two writers where there are no lock files ------------------------------------------------------------------------


def test_an_address_goes_back_and_is_verified_but_for_its_files(address):
    lake = Lakehouse(address)
    for value in (1, 2):
        with journal.writing(lake) as writer, writer.intent(journal.TRAIN, TABLES):
            write(lake, value)
    assert len(restore.apply(lake, "1")) == len(TABLES)
    assert content(lake) == all_have(1)
    found = verify.verify(load(None, lakehouse=address))
    assert [one.says for one in found if one.state != "ok"] == [
        "sizes and names of data files were not compared: tables are read by delta-rs"
    ]


def test_a_second_writer_is_refused(address):
    with locks.hold(address) as held:
        with (
            pytest.raises(LakehouseError, match=f"another run is writing .*process {os.getpid()} on") as told,
            locks.hold(address),
        ):
            pytest.fail("two at once")
        assert "expires 10 minutes after" in told.value.remedy
        held.note({"kind": "train"})
        held.note(None)
    with locks.hold(address) as held:
        assert held.intent is None


@pytest.mark.parametrize("there", [False, True])
def test_of_two_at_the_same_time_one_writes(address, there, monkeypatch):
    """Both have read that nobody holds it."""
    if there:
        with locks.hold(address):
            pass
    real, other = places._Commits.write, []

    def raced(self, document):
        if not other:
            other.append(places._Commits(self.place))
            other[0].read()
            real(other[0], {"holder": {**locks._myself(), "renewed_at": datetime.now(UTC).isoformat()}})
        real(self, document)

    monkeypatch.setattr(places._Commits, "write", raced)
    with pytest.raises(LakehouseError, match="another run is writing"), locks.hold(address):
        pytest.fail("two at once")


def test_the_lock_of_a_dead_writer(address):
    """Taken over at once where its process is known to be gone, else after the lease; its intent is found."""

    def left_by(holder):
        place = places._Commits(places.Address(address))
        place.read()
        place.write({"holder": {**locks._myself(), **holder}, "intent": {"kind": "train"}})

    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    now = datetime.now(UTC)
    left_by({"pid": gone.pid, "renewed_at": now.isoformat()})
    with locks.hold(address) as held:
        assert held.intent == {"kind": "train"}
    left_by({"machine": "elsewhere", "renewed_at": (now - timedelta(minutes=9)).isoformat()})
    with pytest.raises(LakehouseError, match="another run is writing"), locks.hold(address):
        pytest.fail("it may live")
    left_by({"machine": "elsewhere", "renewed_at": (now - timedelta(minutes=11)).isoformat()})
    with locks.hold(address) as held:
        assert held.intent == {"kind": "train"}


def test_a_writer_that_lost_its_lock_stops(address, spark):
    with locks.hold(address) as held:
        other = places._Commits(places.Address(address))
        other.read()
        other.write({"holder": None})
        with pytest.raises(LakehouseError, match="may no longer write"):
            held.renew()
        with pytest.raises(LakehouseError, match="may no longer write"):
            store._commit(spark.range(1), f"{address}/gold/deals", "append", {})
    locks.check()


def test_a_lock_is_renewed(address, monkeypatch):
    monkeypatch.setattr(locks, "RENEWAL", 0.02)
    with locks.hold(address):
        first = locks.peek(address)["holder"]["id"]
        version = DeltaTable(f"{address}/ops/_writer").version()
        for _ in range(200):
            if DeltaTable(f"{address}/ops/_writer").version() > version + 1:
                break
            datetime.now(UTC)
            __import__("time").sleep(0.02)
        else:
            pytest.fail("it gave no sign of life")
        assert locks.peek(address)["holder"]["id"] == first
    assert locks.peek(address)["holder"] is None
