"""Commands killed at a table write, on the sample with its second day: afterwards it is as before or as after.

After one write of each command; with `MEDALLION_EVERY_WRITE=N` at about every N-th, before it and after it in turn, and
with 1 at all of them. `just faults` takes a few.
"""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from faults.test_interrupted import Doors, KilledError
from faults.test_kills import content

from conftest import NOW, ROOT
from medallion import pipeline
from medallion.care import doctor, erasure, quarantine, restore, status
from medallion.config import load
from medallion.errors import LakehouseError
from medallion.lakehouse import store
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import journal

pytestmark = pytest.mark.slow

#: The write after which a command is killed, as a share of all of its writes.
ONE = 0.4
DAY = NOW + timedelta(days=1)


@pytest.fixture(scope="module")
def two_days(spark, tmp_path_factory):
    """The sample with its second day, and corrections of two refused records that wait for `quarantine replay`."""
    lake = Lakehouse(str(tmp_path_factory.mktemp("two_days") / "lakehouse"))
    for place, folder in enumerate(("data", "data/updates")):
        pipeline.run(settings(lake, source=str(ROOT / folder)), NOW + timedelta(minutes=place))
    return lake


def settings(lake, **more):
    return load(None, lakehouse=lake.root, **more)


def next_run(lake):
    """What comes next: the delivery that was read last, again. It has nothing to do unless something was lost."""
    return pipeline.run(settings(lake, source=str(ROOT / "data" / "updates")), DAY + timedelta(days=1))


def whole(lake):
    assert [one for one in doctor.examine(settings(lake)) if one.state != doctor.OK] == []


def go_back(lake):
    restore.apply(lake, restore.points(lake)[0][1].isoformat())


def score(lake):
    pipeline.run(settings(lake, as_of="2025-03-31"), DAY, stages=[pipeline.SILVER_TO_GOLD])


def replay(lake):
    quarantine.take_up(settings(lake), DAY, lambda *_: None, everything=True)


def forget(lake):
    erasure.forget(settings(lake), "C004", "request 17", "ana", DAY)


def killed_at(two_days, tmp_path, monkeypatch, command):
    """Per kill, a lakehouse that the command left, what is in it without the command, and what with it."""
    doors = Doors(
        monkeypatch,
        *((store, name) for name in ("_commit", "_execute", "_add_columns", "drop", "purge")),
        (DeltaTable, "restore"),
    )
    done = Lakehouse(str(tmp_path / "done"))
    shutil.copytree(two_days.root, done.root)
    before = content(done)
    doors.open()
    command(done)
    count, after = doors.passed, content(done)
    assert after != before
    assert count > 3
    every = [(at, late) for at in range(count) for late in (False, True)]
    stride = int(os.environ.get("MEDALLION_EVERY_WRITE", "0"))
    for at, late in every[:: 2 * stride - 1] if stride else [(round(ONE * (count - 1)), True)]:
        lake = Lakehouse(str(tmp_path / f"lake_{at}_{late}"))
        shutil.copytree(two_days.root, lake.root)
        doors.kill(at, late)
        with pytest.raises(KilledError):
            command(lake)
        doors.open()
        yield lake, before, after
        shutil.rmtree(lake.root)


def test_restore(two_days, tmp_path, monkeypatch):
    """A delivery is not lost, whatever the next run brings."""
    for lake, before, _ in killed_at(two_days, tmp_path, monkeypatch, go_back):
        assert status.status(lake, DAY)["unfinished"][0]["what"] == "restore"
        files = settings(lake, source=str(ROOT / "data"))
        result = pipeline.run(files, DAY, stages=[pipeline.BRONZE_TO_SILVER])
        assert "It was rolled back" in result.recovered[0]
        assert content(lake) == before
        whole(lake)


def test_score(two_days, tmp_path, monkeypatch):
    for lake, before, after in killed_at(two_days, tmp_path, monkeypatch, score):
        with journal.writing(lake) as writer:
            assert len(writer.recovered) == 1
        assert content(lake) in (before, after)
        whole(lake)


def test_quarantine_replay(two_days, tmp_path, monkeypatch):
    """The next run rolls it back or finishes it; what the run itself scores anew is left out of the comparison."""

    def but_scores(tables):
        return {name: rows for name, rows in tables.items() if name != "gold.lead_scores"}

    for lake, before, after in killed_at(two_days, tmp_path, monkeypatch, replay):
        next_run(lake)
        assert but_scores(content(lake)) in (but_scores(before), but_scores(after))
        whole(lake)


def test_forget(two_days, tmp_path, monkeypatch):
    """Nothing else writes before it is complete; then it is as if nobody had killed it."""
    for lake, _, after in killed_at(two_days, tmp_path, monkeypatch, forget):
        first, found = status.status(lake, DAY)["unfinished"][0], doctor.examine(settings(lake))[0]
        assert (first["what"], first["state"]) == ("forget", "interrupted")
        assert (found.about, found.state) == ("forget", doctor.BROKEN)
        with pytest.raises(LakehouseError, match="is not complete"):
            next_run(lake)
        certificate = erasure.resume(settings(lake))
        assert certificate["found"] == []
        assert content(lake) == after
        assert not Path(lake.root, ".intent.json").exists()
        whole(lake)
        with pytest.raises(LakehouseError, match="no erasure was interrupted"):
            erasure.resume(settings(lake))
