"""Damaged lakehouses and hostile machines: a clear message, and nothing made worse."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from conftest import NOW, ROOT
from medallion import pipeline
from medallion.care import doctor, gate, maintain, restore, status, verify
from medallion.config import load
from medallion.errors import LakehouseError
from medallion.lakehouse import manifests, publishing, removal
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import journal


@pytest.fixture
def lake(sample, tmp_path):
    """A copy of the sample's lakehouse, to be damaged."""
    shutil.copytree(sample.root, tmp_path / "lake")
    return Lakehouse(str(tmp_path / "lake"))


def states(lake):
    return {(one.check, one.about): one.state for one in doctor.examine(load(None, lakehouse=lake.root))}


def data_file(lake, name):
    return next(path for path in Path(lake.path(name)).rglob("*.parquet") if "_delta_log" not in path.parts)


def test_a_whole_lakehouse_is_whole(lake):
    assert set(states(lake).values()) == {doctor.OK}


def test_a_deleted_file_is_told_and_other_checks_go_on(lake):
    data_file(lake, "gold.deals").unlink()
    found = states(lake)
    assert found["files", "gold.deals"] == doctor.BROKEN
    assert found["accounts", "leads"] == doctor.OK


def test_a_cut_file_is_told(lake):
    path = data_file(lake, "silver.leads_clean")
    path.write_bytes(path.read_bytes()[:-10])
    assert states(lake)["files", "silver.leads_clean"] == doctor.BROKEN


def test_a_damaged_log_is_told(lake):
    log = Path(lake.path("gold.deals"), "_delta_log")
    sorted(log.glob("*.json"))[-1].write_text("{not json")
    assert states(lake)["log", "gold.deals"] == doctor.BROKEN


def test_a_torn_commit_is_told_by_every_command(lake):
    """An empty last commit reads as if it were not there: figures of the version before would pass for the newest."""
    log = sorted(Path(lake.path("gold.deals"), "_delta_log").glob("*.json"))[-1]
    log.write_bytes(b"")
    assert states(lake)["log", "gold.deals"] == doctor.BROKEN
    settings = load(None, source=str(ROOT / "data"), lakehouse=lake.root)
    for command in (lambda: status.insights(lake), lambda: pipeline.run(settings, NOW), lambda: status.tables(lake)):
        with pytest.raises(LakehouseError, match="gold.deals: its last commit, .* is empty"):
            command()


@pytest.mark.parametrize("look", [doctor.examine, verify.verify])
@pytest.mark.parametrize("those", ["ops.batches", pytest.param("", marks=pytest.mark.slow)])
def test_a_torn_commit_of_any_table_is_told_and_nothing_else_fails(lake, those, look):
    """Most of what is asked of a lakehouse goes by `ops.batches`."""
    settings = load(None, lakehouse=lake.root)
    for name in [name for name in lake.tables() if name.startswith(those)]:
        commit = sorted(Path(lake.path(name), "_delta_log").glob("*.json"))[-1]
        data = commit.read_bytes()
        commit.write_bytes(b"")
        found = {(one.check, one.about): one.state for one in look(settings)}
        assert found["log", name] == doctor.BROKEN, name
        commit.write_bytes(data)


@pytest.mark.parametrize("damaged", ["ops.erasures", "ops.batches"])
def test_an_interrupted_erasure_is_told_also_when_a_journal_is_damaged(lake, damaged):
    if damaged == "ops.erasures":
        write_deltalake(lake.path(damaged), pa.table({"erasure_id": ["1"]}))
    max(Path(lake.path(damaged), "_delta_log").glob("*.json")).write_bytes(b"")
    began = "2025-07-01T10:00:00+00:00"
    intent = {"kind": journal.FORGET, "began_at": began, "before": {}, "all": False, "arguments": {}}
    Path(lake.root, ".intent.json").write_text(json.dumps({"intent": intent}))
    found = {(one.check, one.about): one for one in doctor.examine(load(None, lakehouse=lake.root))}
    assert found["log", damaged].state == doctor.BROKEN
    assert [one["what"] for one in journal.unfinished(lake)] == [journal.FORGET]
    assert found["journal", journal.FORGET].remedy == "`medallion forget --resume`"


@pytest.mark.slow
@pytest.mark.parametrize(("which", "begun"), [(0, False), (1, False), (0, True)])
def test_restoring_goes_past_a_journal_whose_data_are_lost(lake, which, begun):
    """Of its newest commit, or of the one before: a run that a loss of power ended had written several."""
    point = str(manifests.newest(lake).number)
    rows = DeltaTable(lake.path("ops.batches")).to_pyarrow_table()
    added = []
    for place in range(2):
        if begun and place:
            before = {name: lake.version(name) for name in lake.tables()}
            intent = {"kind": journal.RUN, "began_at": "2025-07-01T10:00:00+00:00", "before": before, "all": True,
                      "manifest": manifests.number(lake), "arguments": {}}  # fmt: skip
            Path(lake.root, ".intent.json").write_text(json.dumps({"intent": intent}))
        there = set(Path(lake.path("ops.batches")).glob("*.parquet"))
        write_deltalake(lake.path("ops.batches"), rows, mode="append")
        added += set(Path(lake.path("ops.batches")).glob("*.parquet")) - there
    added[which].write_bytes(b"")
    with pytest.raises(LakehouseError), journal.writing(lake):
        journal.half_done(lake)
    restore.apply(lake, point)
    with journal.writing(lake):
        assert journal.half_done(lake) == []


@pytest.mark.parametrize(
    "name", ["silver.interactions_clean", pytest.param("bronze.interactions", marks=pytest.mark.slow)]
)
def test_upkeep_does_not_cover_a_loss_that_the_rollback_of_a_run_brings_to_light(lake, tmp_path, monkeypatch, name):
    """Killed after `ops.runs` and before its manifest: until that is rolled back, the batch seems to have its gold."""
    (tmp_path / "third").mkdir()
    text = next((ROOT / "data" / "updates").glob("*interactions*.csv")).read_text()
    (tmp_path / "third" / "interactions_2025-07-03.csv").write_text(text.replace("I-", "I-9"))
    third = load(None, source=str(tmp_path / "third"), lakehouse=lake.root)
    with monkeypatch.context() as patched:
        patched.setattr(publishing, "publish", lambda *_, **__: 1 / 0)
        patched.setattr(journal.Writer, "_undo_after_error", lambda _: None)
        with pytest.raises(ZeroDivisionError):
            pipeline.run(third, NOW + timedelta(days=3))
    max(Path(lake.path(name), "_delta_log").glob("*.json")).unlink()
    for command in (lambda: maintain.maintain(lake, NOW), lambda: pipeline.run(third, NOW + timedelta(days=4))):
        with pytest.raises(LakehouseError, match=f"{name}: its newest commits are lost") as told:
            command()
        assert "medallion restore" in told.value.remedy


@pytest.mark.parametrize("where", ["data", "log", "outside", "above", "named otherwise", "linked"])
def test_of_a_torn_commit_only_data_in_the_folder_of_its_table_are_removed(lake, tmp_path, where):
    folder, name = Path(lake.path("gold.deals")), "part-00000-3f2b8a52-8d3c-4a37-b21a-95a4a3c4e1b7-c000.parquet"
    paths = {
        "data": name,
        "log": f"_delta_log/{0:020d}.json",
        "outside": str(tmp_path / name),
        "above": f"../{name}",
        "named otherwise": "theirs.parquet",
        "linked": f"link/{name}",
    }
    (tmp_path / "else").mkdir()
    (folder / "link").symlink_to(tmp_path / "else")
    file = folder / paths[where]
    if where != "log":
        file.write_bytes(b"half")
    commit = max((folder / "_delta_log").glob("*.json"))
    torn = commit.with_name(f"{int(commit.stem) + 1:020d}.json")
    add = {"path": paths[where], "size": 99_999, "partitionValues": {}, "modificationTime": 0, "dataChange": True}
    torn.write_text(json.dumps({"add": add}))
    (found,) = journal.damaged(lake)
    found.set_aside()
    assert journal.damaged(lake) == []
    assert file.exists() == (where != "data")


def test_a_commit_that_cannot_be_read_is_set_aside(lake, monkeypatch):
    commit, real = max(Path(lake.path("gold.deals"), "_delta_log").glob("*.json")), Path.read_bytes

    def read(path):
        if path == commit:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", read)
        (found,) = journal.damaged(lake)
        assert found.says == "cannot be read: Input/output error"
        found.set_aside()
    assert not commit.exists()


def test_a_state_whose_files_are_cut_is_refused_before_anything_is_changed(lake):
    rows = DeltaTable(lake.path("gold.deals")).to_pyarrow_table()
    there = DeltaTable(lake.path("gold.deals")).version()
    (cut,) = (Path(uri) for uri in DeltaTable(lake.path("gold.deals")).file_uris())
    write_deltalake(lake.path("gold.deals"), rows, mode="overwrite")
    cut.write_bytes(cut.read_bytes()[:-10])
    with pytest.raises(LakehouseError, match=f"1 files of version {there} are no longer there as they were written"):
        restore.apply(lake, str(there), "gold.deals")
    assert lake.delta("gold.deals").version() == there + 1


def test_unfinished_work_is_told_erasures_first(lake):
    for kind, state in ((journal.TRAIN, doctor.WARNING), (journal.FORGET, doctor.BROKEN)):
        intent = {"kind": kind, "began_at": "2025-07-01T10:00:00+00:00", "before": {}, "all": False, "arguments": {}}
        Path(lake.root, ".intent.json").write_text(json.dumps({"intent": intent}))
        found = doctor.examine(load(None, lakehouse=lake.root))[0]
        assert (found.check, found.about, found.state) == ("journal", kind, state)
        (told,) = status.status(lake, NOW)["unfinished"]
        assert (told["what"], told["began_at"]) == (kind, "2025-07-01 10:00:00")
        assert not {check.name: check.passed for check in gate.checks(lake)}["finished"]


def test_work_that_a_killed_first_run_left_is_told(tmp_path):
    """Before it had written a table, and before `ops.batches`."""
    intent = {"kind": journal.RUN, "began_at": "2025-07-01T10:00:00+00:00", "before": {}, "all": True, "arguments": {}}
    (tmp_path / ".intent.json").write_text(json.dumps({"intent": intent}))
    lake = Lakehouse(str(tmp_path))
    assert states(lake) == {("journal", "run"): doctor.WARNING}
    write_deltalake(lake.path("bronze.leads"), pa.table({"value": [1]}))
    assert states(lake)["journal", "run"] == doctor.WARNING


@pytest.mark.parametrize("version", ["before the delivery", "another version", "a key too many"])
def test_a_clean_table_that_is_not_what_its_history_says_is_told(lake, version):
    table = DeltaTable(lake.path("silver.leads_clean"))
    if version == "before the delivery":
        table.delete("lead_id = 'L-1001'")
    else:
        row = table.to_pyarrow_table(filters=[("lead_id", "=", "L-1001")])
        name, value = ("_version_hash", 1) if version == "another version" else ("lead_id", "L-9999")
        place = row.schema.get_field_index(name)
        row = row.set_column(place, row.schema.field(name), pa.array([value], row.schema.field(name).type))
        if version == "another version":
            table.delete("lead_id = 'L-1001'")
        write_deltalake(lake.path("silver.leads_clean"), row, mode="append")
    (found,) = (one for one in doctor.examine(load(None, lakehouse=lake.root)) if one.state != doctor.OK)
    assert (found.check, found.about, found.state) == ("current", "leads", doctor.BROKEN)
    assert "medallion restore --to NUMBER" in found.remedy


def test_lost_rows_are_told(lake):
    DeltaTable(lake.path("silver.leads_history")).delete("lead_id = 'L-1001'")
    assert states(lake)["accounts", "leads"] == doctor.BROKEN


def test_a_repeated_key_is_told(lake):
    table = DeltaTable(lake.path("gold.deals"))
    write_deltalake(lake.path("gold.deals"), table.to_pyarrow_table().slice(0, 1), mode="append")
    assert states(lake)["key", "gold.deals"] == doctor.BROKEN


@pytest.mark.slow
def test_back_to_an_earlier_run_and_forth_again(lake, spark):
    from faults.test_kills import content

    before = content(lake)
    update = load(None, source=str(ROOT / "data" / "updates"), lakehouse=lake.root)
    time = restore.points(lake)[-1][1].isoformat()
    pipeline.run(update, NOW + timedelta(days=1))
    after = content(lake)
    assert after != before
    moves = restore.plan(lake, time)
    assert len(moves) > 10
    assert restore.apply(lake, time) == moves
    assert {name: rows for name, rows in content(lake).items() if rows} == {
        n: rows for n, rows in before.items() if rows
    }
    assert restore.plan(lake, time)[:1] != moves[:1]
    pipeline.run(update, NOW + timedelta(days=1))
    assert content(lake) == after


@pytest.mark.slow
def test_what_cannot_be_gone_back_to(lake):

    with pytest.raises(LakehouseError, match="no run had ended by"):
        restore.plan(lake, "2001-01-01")
    with pytest.raises(LakehouseError, match="is neither the number of a manifest nor a time"):
        restore.plan(lake, "yesterday")
    with pytest.raises(LakehouseError, match="there is no version 99"):
        restore.plan(lake, "99", "gold.deals")
    pipeline.run(load(None, source=str(ROOT / "data" / "updates"), lakehouse=lake.root), NOW + timedelta(days=1))
    removal.purge(lake, "gold.deals")
    with pytest.raises(LakehouseError, match=r"no version 0|no longer there"):
        restore.plan(lake, "0", "gold.deals")


def medallion(*words, **more):
    return subprocess.run([sys.executable, "-m", "medallion", *words], capture_output=True, text=True, **more)


@pytest.mark.slow
def test_a_disk_that_is_full(tmp_path):
    """A limit on the size of files replaces a full disk: writing fails in the same place."""
    limited = f"ulimit -f 8; exec {sys.executable} -m medallion run --source {ROOT}/data --lakehouse {tmp_path}/lake"
    done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    again = medallion("run", "--source", f"{ROOT}/data", "--lakehouse", f"{tmp_path}/lake", "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["total_deal_value"] == 1937000
    assert {one.state for one in doctor.examine(load(None, lakehouse=f"{tmp_path}/lake"))} == {doctor.OK}


@pytest.mark.slow
def test_a_clock_that_was_moved_back(lake, spark):
    """Between two runs, and between a run that was killed and the one that completes it."""
    from medallion.pipeline import batches

    update = load(None, source=str(ROOT / "data" / "updates"), lakehouse=lake.root)
    pipeline.run(update, NOW - timedelta(days=10))
    (done,) = (one for one in batches.history(lake) if len(one.files) == 3)
    batches.record(spark, lake, done, batches.INGESTED, NOW + timedelta(days=400))
    assert states(lake)["journal", done.batch_id] == doctor.WARNING
    later = NOW + timedelta(minutes=1)  # than the fixture's run: of two at the same time neither is the last
    pipeline.run(update, later)
    assert set(states(lake).values()) == {doctor.OK}
    assert not pipeline.run(update, later + timedelta(minutes=1)).changed


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written(lake):
    Path(lake.root, "gold").chmod(0o500)
    done = medallion("run", "--source", str(ROOT / "data" / "updates"), "--lakehouse", lake.root)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
