"""Manifests: which versions belong together, what readers open, and what upkeep may remove."""

import json
import shutil
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conftest import NOW, ROOT
from medallion import cli, pipeline
from medallion.care import doctor, maintain, restore, verify
from medallion.config import load
from medallion.errors import LakehouseError
from medallion.lakehouse import locks, maintenance, manifests, publishing, query, store
from medallion.lakehouse.manifests import Kept, Manifest
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import journal

AT = datetime(2025, 7, 1, tzinfo=UTC)


def manifest(number, written_at=AT, opens_from=1, versions=None, previous=""):
    tables = {
        name: Kept("id", version, version, 1, 1, 1, "7")
        for name, version in (versions or {"gold.deals": number}).items()
    }
    return Manifest(number, written_at, "run", "", 1, "0.1.0", opens_from, "probe", tables, previous).sealed()


def settings(lake):
    return load(None, lakehouse=lake.root)


def table(lake, name, *rows):
    """A table of one column, written without the engine and without a manifest."""
    write_deltalake(lake.path(name), pa.table({"key": list(rows)}), mode="append")


def keys(lake, **how):
    with query.connect(lake, **how) as connection:
        return sorted(row["key"] for row in query.rows(connection, "select key from gold.mine"))


@pytest.fixture
def lake(tmp_path):
    found = Lakehouse(str(tmp_path / "lake"))
    table(found, "gold.mine", "a")
    publishing.publish(found, "run")
    return found


def test_the_chain(lake):
    table(lake, "gold.mine", "b")
    publishing.publish(lake, "train")
    first, second = manifests.history(lake)
    assert (first.number, second.number, second.kind) == (1, 2, "train")
    assert second.previous == first.hash == first.computed()
    assert manifests.newest(lake) == second
    assert publishing.publish(lake, "run") is None  # nothing has changed


def test_readers_see_what_a_command_left_and_writers_what_they_write(lake):
    table(lake, "gold.mine", "b")
    assert keys(lake) == ["a"]
    assert keys(lake, newest=True) == ["a", "b"]
    with locks.hold(lake.root):
        assert keys(manifests.opened(lake)) == ["a", "b"]
    publishing.publish(lake, "run")
    assert keys(lake) == ["a", "b"]


def test_tables_beside_the_lock_are_read_at_their_newest(lake):
    write_deltalake(lake.path("ops.agent_log"), pa.table({"key": ["q"]}))
    opened = manifests.opened(lake)
    assert opened.exists("ops.agent_log")
    assert {*opened.tables()} == {"gold.mine", "ops.agent_log", "ops.manifests"}


def test_tables_of_somebody_else_are_there_but_in_no_earlier_state(lake):
    write_deltalake(lake.path("gold.theirs"), pa.table({"key": ["q"]}))
    assert manifests.opened(lake).exists("gold.theirs")
    assert not manifests.opened(lake, "1").exists("gold.theirs")


@pytest.mark.parametrize("at", ["1", "2025-07-01T12:00", "2025-07-01T14:00+02:00"])
def test_an_earlier_state_is_opened_by_number_or_time(tmp_path, at):
    lake = Lakehouse(str(tmp_path / "lake"))
    for place, key in enumerate("abc"):
        table(lake, "gold.mine", key)
        publishing.publish(lake, "run", now=AT + timedelta(days=place))
    assert keys(manifests.opened(lake, at)) == ["a"]


@pytest.mark.parametrize(
    ("at", "problem"),
    [
        ("9", "there is no manifest 9; the first is 1, of 2025-07-01 00:00 UTC"),
        ("2020-01-01", "there is no manifest 2020-01-01"),
        ("yesterday", "--at 'yesterday' is neither the number of a manifest nor a time"),
    ],
)
def test_a_state_that_there_is_not(tmp_path, at, problem):
    lake = Lakehouse(str(tmp_path / "lake"))
    table(lake, "gold.mine", "a")
    publishing.publish(lake, "run", now=AT)
    with pytest.raises(LakehouseError) as error:
        manifests.opened(lake, at)
    assert problem in error.value.problem


def test_nothing_from_before_an_erasure_opens(lake):
    table(lake, "gold.mine", "b")
    publishing.publish(lake, "forget")
    with pytest.raises(LakehouseError, match="manifest 1 .* is not opened any more"):
        manifests.opened(lake, "1")


def test_a_later_format_is_refused_in_words(lake):
    later = replace(manifests.newest(lake), number=2, format=manifests.FORMAT + 1, written_by="9.0")
    manifests.add(lake, later.sealed())
    with pytest.raises(LakehouseError, match=r"was written by Medallion 9\.0 in format"):
        keys(lake)


def test_who_was_too_late_writes_no_manifest(lake):
    """Two that both took themselves for the holder: the one that ends later is refused."""
    before = manifests.newest(lake)
    theirs = manifests.reserved(lake)
    manifests.add(lake, replace(before, number=2).sealed())
    with pytest.raises(LakehouseError, match="another writer has ended meanwhile"):
        manifests.add(lake, replace(before, number=2).sealed(), theirs)


@hypothesis_settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=5), st.none() | st.integers(-5, 5)), max_size=12),
    st.randoms(use_true_random=False),
)
def test_content_knows_neither_order_nor_files(rows, random):
    """Any other rows have another content."""

    def content(parts):
        with query.empty() as connection:
            for part in parts:
                connection.execute("create table if not exists t (a varchar, b bigint)")
                connection.executemany("insert into t values (?, ?)", part) if part else None
            connection.execute("create table if not exists t (a varchar, b bigint)")
            return publishing.sums_of(connection, ["t"])["t"]

    mixed = random.sample(rows, len(rows))
    cut = random.randint(0, len(rows))
    assert content([rows]) == content([mixed[:cut], mixed[cut:]])
    if rows:
        assert content([rows]) != content([rows[1:]])
        assert content([rows]) != content([[*rows[1:], (rows[0][0] + "x", rows[0][1])]])


def test_large_tables_are_hashed_by_what_was_added(lake, monkeypatch):
    monkeypatch.setattr(publishing, "_LARGE", 0)
    hashed = []
    real = query.view
    monkeypatch.setattr(query, "view", lambda *given: hashed.append(given[4]) or real(*given))
    table(lake, "gold.mine", "b")
    by_parts = publishing.publish(lake, "run").tables["gold.mine"]
    assert len(hashed[0]) == 1  # one new file of two
    assert by_parts == dict(publishing.kept(lake))["gold.mine"]


# what may be removed ------------------------------------------------------------------------------------------------


def test_thirty_days_and_the_ends_of_months_can_be_opened():
    days = [AT - timedelta(days=age) for age in range(120, -1, -1)]
    known = [manifest(number, day) for number, day in enumerate(days, 1)]
    opens = maintenance.openable(known, AT)
    told = [one.written_at.date().isoformat() for one in known if one.number in opens]
    assert told[:3] == ["2025-03-31", "2025-04-30", "2025-05-31"]
    assert told[3:] == [(AT - timedelta(days=age)).date().isoformat() for age in range(30, -1, -1)]


def test_an_erasure_leaves_nothing_older_to_open():
    known = [manifest(number, AT - timedelta(days=10 - number), opens_from=1) for number in range(1, 6)]
    known.append(manifest(6, AT, opens_from=6))
    assert maintenance.openable(known, AT) == {6}


def test_upkeep(tmp_path):
    """Files become few, each state that can be opened reads as it did, and gold is not computed again for it."""
    lake = Lakehouse(str(tmp_path / "lake"))
    for place in range(40):
        table(lake, "gold.mine", f"{place:02}")
        publishing.publish(lake, "run", now=AT + timedelta(days=place))
    assert maintenance.due(lake) == ["gold.mine", "ops.manifests"]
    now = (AT + timedelta(days=39)).replace(tzinfo=None)
    (done,) = [one for one in maintain.maintain(lake, now) if one.table == "gold.mine"]
    assert (done.files_before, done.files_after) == (40, 1)
    assert maintenance.due(lake) == []
    known = manifests.history(lake)
    assert known[-1].kind == "maintain"
    assert known[-1].tables["gold.mine"].since == known[-2].tables["gold.mine"].version
    for number in (31, 32, 40, 41):  # the last of July, and days of the last thirty
        count = min(number, 40)
        assert keys(manifests.opened(lake, str(number))) == [f"{place:02}" for place in range(count)]
    log = Path(lake.path("gold.mine"), "_delta_log")
    assert f"{4:020d}.json" not in {path.name for path in log.iterdir()}
    with pytest.raises(LakehouseError, match="has no version 4 any more|is not opened any more"):
        keys(manifests.opened(lake, "5"))
    table(lake, "gold.mine", "after")
    assert len(keys(lake, newest=True)) == 41


def test_compaction_that_would_change_rows_is_taken_back(tmp_path, monkeypatch):
    lake = Lakehouse(str(tmp_path / "lake"))
    for key in "abc":
        table(lake, "gold.mine", key)

    class Losing:
        def __init__(self, table):
            self.table = table

        def compact(self):
            self.table.delete("key = 'b'")

    monkeypatch.setattr(DeltaTable, "optimize", property(Losing))
    with journal.writing(lake) as writer, pytest.raises(LakehouseError, match="not the same after compaction"):
        writer.maintain(NOW, ["gold.mine"])
    assert keys(lake) == ["a", "b", "c"]


# verify -------------------------------------------------------------------------------------------------------------


def states(found):
    return {(one.check, one.about): one.state for one in found}


def test_a_lakehouse_that_is_whole(own_sample):
    found = verify.verify(settings(own_sample), deep=True)
    assert {one.state for one in found} == {doctor.OK}
    assert ("recomputed", "gold.deals") in states(found)


def test_a_manifest_that_was_changed(lake):
    known = manifests.history(lake)
    shutil.rmtree(lake.path("ops.manifests"))
    tampered = known[0].row() | {
        "tables": json.dumps({"gold.mine": {**known[0].tables["gold.mine"].__dict__, "rows": 5}})
    }
    write_deltalake(lake.path("ops.manifests"), pa.Table.from_pylist([tampered], schema=manifests.SCHEMA))
    (found,) = [one for one in verify.verify(settings(lake)) if one.check == "manifests"]
    assert found.state == doctor.BROKEN
    assert "changed after it was written" in found.says


def test_a_manifest_that_is_missing():
    first, third = manifest(1), manifest(3, previous="no such hash")
    (found,) = verify.chain([first, third])
    assert found.state == doctor.BROKEN
    assert "number 2 is missing" in found.says


def test_a_commit_that_is_lost(lake):
    table(lake, "gold.mine", "b")
    publishing.publish(lake, "run")
    Path(lake.path("gold.mine"), "_delta_log", f"{1:020d}.json").unlink()
    assert states(verify.verify(settings(lake)))["state", "gold.mine"] == doctor.BROKEN
    with pytest.raises(LakehouseError, match=r"gold\.mine has no version 1 any more"):
        keys(lake)


def test_something_else_has_written(lake):
    table(lake, "gold.mine", "b")
    assert states(verify.verify(settings(lake)))["state", "gold.mine"] == doctor.WARNING


def test_a_cell_that_was_changed_in_its_file(lake):
    """Of the same size and count, so that only the content tells."""
    (uri,) = lake.delta("gold.mine").file_uris()
    path = Path(uri.removeprefix("file://"))
    with duckdb.connect() as connection:
        connection.execute(f"copy (select 'b' as key) to '{path}.new' (format parquet)")
    data = Path(f"{path}.new").read_bytes()
    commit = Path(lake.path("gold.mine"), "_delta_log", f"{0:020d}.json")
    Path(f"{path}.new").replace(path)
    text = commit.read_text().splitlines()
    for place, line in enumerate(text):
        action = json.loads(line)
        if "add" in action:
            action["add"]["size"] = len(data)
            text[place] = json.dumps(action)
    commit.write_text("\n".join(text))
    assert ("content", "gold.mine") not in states(verify.verify(settings(lake)))
    assert states(verify.verify(settings(lake), deep=True))["content", "gold.mine"] == doctor.BROKEN


# commands -----------------------------------------------------------------------------------------------------------


def test_a_command_that_is_killed_after_its_manifest_is_complete(own_sample, monkeypatch):
    """What it wrote stays: the manifest is the commit point."""
    before = manifests.newest(own_sample).number
    with (
        pytest.raises(KeyboardInterrupt),
        journal.writing(own_sample) as writer,
        writer.intent("score", ["gold.deals"]),
    ):
        table(own_sample, "gold.mine", "a")
        monkeypatch.setattr(writer.held, "note", _interrupt)
    with journal.writing(own_sample) as writer:
        assert writer.recovered == [pytest.approx] or "Its manifest was written" in writer.recovered[0]
    assert manifests.newest(own_sample).number == before + 1
    assert keys(own_sample) == ["a"]


def _interrupt(_):
    raise KeyboardInterrupt


def test_a_run_has_one_manifest_and_one_that_finds_nothing_none(own_sample):
    (first,) = manifests.history(own_sample)
    assert (first.kind, first.number) == ("run", 1)
    pipeline.run(load(None, source=str(ROOT / "data"), lakehouse=own_sample.root), NOW + timedelta(minutes=1))
    assert len(manifests.history(own_sample)) == 1


@pytest.mark.parametrize(("folder", "file"), [(0o700, 0o600), (0o770, 0o660), (None, 0o600)])
def test_files_are_for_whom_the_folder_is_for(tmp_path, folder, file):
    """A lakehouse that a run makes is its user's alone; one that was there before stays shared as it was."""
    lake = Lakehouse(str(tmp_path / "lake"))
    if folder:
        Path(lake.root).mkdir()
        Path(lake.root).chmod(folder)
    with locks.hold(lake.root):
        table(lake, "gold.mine", "a")
    assert Path(lake.root).stat().st_mode & 0o777 == (folder or 0o700)
    modes = {path.stat().st_mode & 0o777 for path in Path(lake.root, "gold").rglob("*") if path.is_file()}
    assert modes == {file}


# going back, and reading an earlier state ----------------------------------------------------------------------------


def test_going_back_by_number_and_time(tmp_path):
    lake = Lakehouse(str(tmp_path / "lake"))
    for place, key in enumerate("abc"):
        table(lake, "gold.mine", key)
        publishing.publish(lake, "run", now=AT + timedelta(days=place, microseconds=345_678))
    told = [(one.manifest, one.by) for one in restore.points(lake)]
    assert told == [(1, "run"), (2, "run"), (3, "run")]
    assert [move.to for move in restore.apply(lake, "2")] == [1]
    assert (keys(lake), manifests.newest(lake).kind) == (["a", "b"], "restore")
    assert restore.plan(lake, "4") == []
    assert restore.apply(lake, "2025-07-01T00:00:00.345", "gold.mine")
    assert keys(lake) == ["a"]
    restore.apply(lake, "3")
    assert keys(lake) == ["a", "b", "c"]
    for to, problem in (("99", "there is no manifest 99"), ("yesterday", "--to 'yesterday' is not a time")):
        with pytest.raises(LakehouseError, match=problem):
            restore.plan(lake, to)


def test_what_was_asked_stays_when_a_lakehouse_goes_back(lake):
    write_deltalake(lake.path("ops.agent_log"), pa.table({"key": ["q"]}))
    table(lake, "gold.mine", "b")
    publishing.publish(lake, "run")
    write_deltalake(lake.path("ops.agent_log"), pa.table({"key": ["r"]}), mode="append")
    restore.apply(lake, "1")
    assert keys(lake) == ["a"]
    assert lake.delta("ops.agent_log").to_pyarrow_table().num_rows == 2


def test_a_table_that_was_made_anew_is_not_the_one_of_an_earlier_manifest(lake):
    """Of the same name and version, and with other rows."""
    table(lake, "gold.mine", "b")
    table(lake, "gold.new", "x")
    publishing.publish(lake, "run")
    restore.apply(lake, "1")
    assert not lake.exists("gold.new")
    table(lake, "gold.new", "y")
    publishing.publish(lake, "run")
    for call in (manifests.opened, restore.plan):
        with pytest.raises(LakehouseError, match=r"gold\.new was removed and made anew since manifest 2"):
            call(lake, "2")
    assert keys(manifests.opened(lake, "1")) == ["a"]


def test_lost_commits_stop_writers_and_going_back_mends_it(lake):
    """And the manifest that named them opens no more: what has their numbers later is something else."""
    table(lake, "gold.mine", "b")
    publishing.publish(lake, "run")
    Path(lake.path("gold.mine"), "_delta_log", f"{1:020d}.json").unlink()
    with pytest.raises(LakehouseError, match=r"gold\.mine: its newest commits are lost") as told, journal.writing(lake):
        pytest.fail("it may not write")
    assert "medallion restore" in told.value.remedy
    restore.apply(lake, "1")
    table(lake, "gold.mine", "c")
    publishing.publish(lake, "run")
    assert keys(lake) == ["a", "c"]
    with pytest.raises(LakehouseError, match="manifest 2 .* is not opened any more"):
        manifests.opened(lake, "2")


def test_the_manifest_of_a_lakehouse_that_had_none(tmp_path):
    """The first writer describes it as it was found, so that readers have a state to open meanwhile."""
    lake = Lakehouse(str(tmp_path / "lake"))
    table(lake, "gold.mine", "a")
    with journal.writing(lake) as writer, writer.intent("score", ["gold.mine"]):
        table(lake, "gold.mine", "b")
    assert [one.kind for one in manifests.history(lake)] == ["found", "score"]
    assert keys(manifests.opened(lake, "1")) == ["a"]


def test_tables_that_a_command_has_made_are_not_there_until_it_has_ended(lake):
    with pytest.raises(KeyboardInterrupt), journal.writing(lake) as writer, writer.intent("run", []):
        for name in ("ops.corrections", "gold.deals"):
            table(lake, name, "half")
        raise KeyboardInterrupt
    opened = manifests.opened(lake)
    assert not opened.exists("ops.corrections")
    assert not opened.exists("gold.deals")


def test_a_checkpoint_that_is_cut_short_is_written_again(lake):
    DeltaTable(lake.path("gold.mine")).create_checkpoint()
    (checkpoint,) = Path(lake.path("gold.mine"), "_delta_log").glob("*.checkpoint.parquet")
    checkpoint.write_bytes(checkpoint.read_bytes()[:40])
    with pytest.raises(LakehouseError, match=r"gold\.mine has no version 0 any more"):
        keys(lake)
    with journal.writing(lake):
        pass
    assert keys(lake) == ["a"]


def test_data_that_was_not_written_whole_is_told_in_words(lake):
    (uri,) = lake.delta("gold.mine").file_uris()
    path = Path(uri.removeprefix("file://"))
    path.write_bytes(path.read_bytes()[:50])
    for call in (keys, lambda lake: journal.writing(lake).__enter__()):
        with pytest.raises(LakehouseError, match=r"gold\.mine: its last commit.* has data that is of another size"):
            call(lake)


def test_the_manifest_of_a_command_that_lost_power_is_written_again(lake):
    table(lake, "gold.mine", "b")
    publishing.publish(lake, "run")
    log = Path(lake.path("ops.manifests"), "_delta_log", f"{1:020d}.json")
    log.write_text(log.read_text()[:100])
    with journal.writing(lake):
        pass
    assert keys(lake) == ["a", "b"]
    assert [one.number for one in manifests.history(lake)] == [1, 2]


@pytest.mark.parametrize("how", ["commit", "data"])
def test_a_manifest_that_was_not_written_whole_is_told_in_words(lake, how):
    table(lake, "gold.mine", "b")
    publishing.publish(lake, "run")
    folder = Path(lake.path("ops.manifests"))
    spoiled = max((folder / "_delta_log").glob("*.json")) if how == "commit" else None
    spoiled = spoiled or max(folder.glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    spoiled.write_bytes(spoiled.read_bytes()[:60])
    with pytest.raises(LakehouseError, match=r"ops\.manifests: its last commit") as told:
        keys(lake)
    assert "The next command that writes" in told.value.remedy
    with journal.writing(lake):
        pass
    assert keys(lake) == ["a", "b"]


def test_upkeep_that_is_killed_is_complete_where_the_content_is_the_same(lake):
    for key in "bc":
        table(lake, "gold.mine", key)
    publishing.publish(lake, "run")
    with pytest.raises(KeyboardInterrupt), journal.writing(lake) as writer, writer.intent("maintain", ["gold.mine"]):
        lake.delta("gold.mine").optimize.compact()
        raise KeyboardInterrupt
    with journal.writing(lake) as writer:
        assert "it is complete" in writer.recovered[0]
    assert len(lake.delta("gold.mine").file_uris()) == 1
    assert manifests.newest(lake).tables["gold.mine"].since == 2
    with pytest.raises(KeyboardInterrupt), journal.writing(lake) as writer, writer.intent("maintain", ["gold.mine"]):
        lake.delta("gold.mine").delete("key = 'b'")
        raise KeyboardInterrupt
    with journal.writing(lake) as writer:
        assert "rolled back" in writer.recovered[0]
    assert keys(lake) == ["a", "b", "c"]


def test_one_state_from_beginning_to_end(lake):
    """A command that reads sees nothing of what ends meanwhile, however it opens the lakehouse."""
    with store.reading(lake.root, manifests.opened(lake).versions):
        with locks.hold(lake.root):
            table(lake, "gold.mine", "b")
            publishing.publish(lake, "run")
        again = Lakehouse(lake.root)
        assert keys(again) == ["a"]
        assert again.version("gold.mine") == 0
    assert keys(lake) == ["a", "b"]


@pytest.mark.slow
def test_commands_that_read_an_earlier_state(own_sample, capsys, monkeypatch, tmp_path):
    """Each says of manifest 1 what it said when that was the last; `restore` goes back to it, and a run forth again."""

    def said(*words):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["medallion", *words, "--lakehouse", own_sample.root])
        with suppress(SystemExit):
            cli.main()
        out, err = capsys.readouterr()
        assert "Error" not in err, (words, err)
        return out

    commands = [
        "insights --json", "tables --json", "metrics value revenue --json", "plan --json", "brief C004 --json",
        "explain L-1012 --json", "quarantine list --json", "gate --json",
        "export --to {out} --format csv --json",
    ]  # fmt: skip

    def everything(at, out):
        found = {line: said(*line.format(out=out).split(), *at) for line in commands}
        found["deals"] = Path(out, "gold.deals.csv").read_text()
        found["tables --json"] = [one for one in json.loads(found["tables --json"]) if one["table"] != "ops.manifests"]
        return {name: str(text).replace(str(out), "") for name, text in found.items()}

    first = everything([], tmp_path / "first")
    pipeline.run(load(None, source=str(ROOT / "data/updates"), lakehouse=own_sample.root), NOW + timedelta(days=1))
    second = said("insights", "--json")
    assert second != first["insights --json"]
    again = everything(["--at", "1"], tmp_path / "again")
    assert {name for name in first if first[name] != again[name]} == set()
    known = json.loads(said("status", "--json"))["manifests"]
    assert [(one["manifest"], one["by"], one["opens"]) for one in known] == [(2, "run", True), (1, "run", True)]
    assert json.loads(said("status", "--json", "--at", known[1]["written_at"]))["tables"] == {
        **manifests.history(own_sample)[0].versions,
        "ops.manifests": 1,
    }
    said("restore", "--to", "1")
    assert said("insights", "--json") == first["insights --json"]
    pipeline.run(load(None, source=str(ROOT / "data/updates"), lakehouse=own_sample.root), NOW + timedelta(days=1))
    assert said("insights", "--json") == second
