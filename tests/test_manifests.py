"""Manifests: which versions belong together, what readers open, and what upkeep may remove."""

import errno
import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, Field, write_deltalake
from deltalake.schema import PrimitiveType
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conftest import NOW, ROOT
from medallion import cli, contracts, door, pipeline
from medallion.care import doctor, erasure, export, maintain, restore, verify
from medallion.config import load
from medallion.errors import LakehouseError, StateRemovedError
from medallion.gold import gold_contract
from medallion.lakehouse import (
    commits,
    contracts_in_use,
    locks,
    maintenance,
    manifests,
    publishing,
    query,
    removal,
    store,
)
from medallion.lakehouse.manifests import Kept, Manifest
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import batches, journal

AT = datetime(2025, 7, 1, tzinfo=UTC)
HEAD = "apiVersion: v3.1.0\nkind: DataContract\nid: mine\nversion: 1.0.0\nstatus: active\nschema:"


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
        return sorted(row["key"] for row in query.rows(connection, "select key from silver.mine"))


@pytest.fixture
def lake(tmp_path):
    found = Lakehouse(str(tmp_path / "lake"))
    table(found, "silver.mine", "a")
    publishing.publish(found, "run")
    return found


def test_the_chain(lake):
    table(lake, "silver.mine", "b")
    publishing.publish(lake, "train")
    first, second = manifests.history(lake)
    assert (first.number, second.number, second.kind) == (1, 2, "train")
    assert second.previous == first.hash == first.computed()
    assert manifests.newest(lake) == second
    assert publishing.publish(lake, "run") is None  # nothing has changed


def test_readers_see_what_a_command_left_and_writers_what_they_write(lake):
    table(lake, "silver.mine", "b")
    assert keys(lake) == ["a"]
    assert keys(lake, newest=True) == ["a", "b"]
    with locks.hold(lake.root):
        assert keys(manifests.opened(lake)) == ["a", "b"]
    publishing.publish(lake, "run")
    assert keys(lake) == ["a", "b"]


def test_contracts_and_rates_are_those_of_the_state_that_is_read(lake):
    euros = "\n  - name: leads\n    properties:\n      - {name: currency, enum: [{value: EUR}], customProperties: "
    euros = f"""{HEAD}{euros}[{{property: default, value: "'EUR'"}}]}}\n"""
    with pytest.raises(KeyboardInterrupt), journal.writing(lake) as writer, writer.intent("run", []):
        texts = {"known_at": [AT], "path": ["mine.yaml"], "content": [euros]}
        write_deltalake(lake.path("ops.contracts"), pa.table({**texts, "position": [0]}))
        write_deltalake(lake.path("ops.rates"), pa.table(texts))
        assert contracts_in_use.currency(lake) == "EUR"  # who writes sees what it has written
        raise KeyboardInterrupt
    assert contracts_in_use.currency(lake) == "USD"
    assert contracts_in_use.overrides(lake) == ()
    assert contracts_in_use.rates(lake) is None
    assert [one.text for one in contracts_in_use.overrides(lake, newest=True)] == [euros]  # the next run continues it
    assert contracts_in_use.rates(lake, newest=True).text == euros
    publishing.publish(lake, "run")
    assert contracts_in_use.currency(lake) == "EUR"


def test_tables_beside_the_lock_are_read_at_their_newest(lake):
    write_deltalake(lake.path("ops.agent_log"), pa.table({"key": ["q"]}))
    opened = manifests.opened(lake)
    assert opened.exists("ops.agent_log")
    assert {*opened.tables()} == {"silver.mine", "ops.agent_log", "ops.manifests"}


def test_tables_of_somebody_else_are_there_but_in_no_earlier_state(lake):
    write_deltalake(lake.path("gold.theirs"), pa.table({"key": ["q"]}))
    assert manifests.opened(lake).exists("gold.theirs")
    assert not manifests.opened(lake, "1").exists("gold.theirs")


def test_tables_of_somebody_else_may_change_and_go_at_any_time(lake):
    """They are in no manifest: rebuilt or removed, they keep nobody from reading or writing the others."""
    write_deltalake(lake.path("gold.theirs"), pa.table({"key": ["q"]}))
    table(lake, "silver.mine", "b")
    publishing.publish(lake, "run")
    shutil.rmtree(lake.path("gold.theirs"))
    write_deltalake(lake.path("gold.theirs"), pa.table({"key": ["r"]}))
    with query.connect(lake) as connection:
        assert query.rows(connection, "select key from gold.theirs") == [{"key": "r"}]
    shutil.rmtree(lake.path("gold.theirs"))
    assert keys(lake) == ["a", "b"]
    assert not publishing.lost(lake)
    assert {one.state for one in verify.verify(settings(lake))} == {doctor.OK}


@pytest.mark.parametrize("at", ["1", "2025-07-01T12:00", "2025-07-01T14:00+02:00"])
def test_an_earlier_state_is_opened_by_number_or_time(tmp_path, at):
    lake = Lakehouse(str(tmp_path / "lake"))
    for place, key in enumerate("abc"):
        table(lake, "silver.mine", key)
        publishing.publish(lake, "run", now=AT + timedelta(days=place))
    assert keys(manifests.opened(lake, at)) == ["a"]


@pytest.mark.parametrize(
    ("at", "number"), [("00:00:00", 2), ("00:00:00.000", 1), ("00:00:00.3", 1), ("00:00:00.400", 2)]
)
def test_a_time_is_as_exact_as_it_is_written(tmp_path, at, number):
    """A whole second may be written with its milliseconds, and then what came later in it is not meant."""
    lake = Lakehouse(str(tmp_path / "lake"))
    for key, later in (("a", -1000), ("b", 400)):
        table(lake, "silver.mine", key)
        publishing.publish(lake, "run", now=AT + timedelta(milliseconds=later))
    assert manifests.found(lake, f"2025-07-01T{at}").number == number


@pytest.mark.parametrize(
    ("at", "problem"),
    [
        ("9", "there is no manifest 9; the first is 1, of 2025-07-01 00:00 UTC"),
        ("2020-01-01", "there is no manifest 2020-01-01"),
        ("yesterday", "--at 'yesterday' is neither the number of a manifest nor a time"),
        ("²", "--at '²' is neither the number of a manifest nor a time"),
        ("٢", "--at '٢' is neither the number of a manifest nor a time"),
    ],
)
def test_a_state_that_there_is_not(tmp_path, at, problem):
    lake = Lakehouse(str(tmp_path / "lake"))
    table(lake, "silver.mine", "a")
    publishing.publish(lake, "run", now=AT)
    with pytest.raises(LakehouseError) as error:
        manifests.opened(lake, at)
    assert problem in error.value.problem


def test_what_upkeep_found_expired_is_refused_though_its_log_is_there(tmp_path):
    lake = Lakehouse(str(tmp_path / "lake"))
    for days, kind in ((0, "run"), (1, "run"), (50, "run"), (60, "maintain")):
        table(lake, "silver.mine", str(days))
        publishing.publish(lake, kind, now=AT + timedelta(days=days))
    for number in "234":  # the last of a month, a recent one, the newest
        assert manifests.opened(lake, number).versions == {"silver.mine": int(number) - 1}
    with pytest.raises(LakehouseError, match="manifest 1 .* can no longer be opened: it has expired"):
        manifests.opened(lake, "1")


@pytest.mark.parametrize("table", [None, "silver.mine"])
def test_a_number_to_go_back_to_is_one_in_plain_figures(lake, table):
    with pytest.raises(LakehouseError, match="--to '²' is neither the number of a manifest nor a time"):
        restore.plan(lake, "²", table)


def test_nothing_from_before_an_erasure_opens(lake):
    table(lake, "silver.mine", "b")
    publishing.publish(lake, "forget")
    with pytest.raises(LakehouseError, match="manifest 1 .* can no longer be opened"):
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
            return publishing.sums_of(connection, {"t": "from t"})["t"]

    mixed = random.sample(rows, len(rows))
    cut = random.randint(0, len(rows))
    assert content([rows]) == content([mixed[:cut], mixed[cut:]])
    if rows:
        assert content([rows]) != content([rows[1:]])
        assert content([rows]) != content([[*rows[1:], (rows[0][0] + "x", rows[0][1])]])


def appended(path):
    write_deltalake(path, pa.table({"key": ["b"]}), mode="append")
    write_deltalake(path, pa.table({"key": ["c"]}), mode="append")


def written_anew(path):
    write_deltalake(path, pa.table({"key": ["b"]}), mode="overwrite")
    write_deltalake(path, pa.table({"key": ["c"]}), mode="append")


def partly_removed(path):
    appended(path)
    DeltaTable(path).delete("key = 'b'")
    DeltaTable(path).delete("key = 'a'")
    write_deltalake(path, pa.table({"key": ["b"]}), mode="append")


def gone_back(path):
    written_anew(path)
    DeltaTable(path).restore(1)
    appended(path)


def compacted(path):
    appended(path)
    DeltaTable(path).optimize.compact()


def of_another_column(path):
    write_deltalake(path, pa.table({"key": ["b"], "more": [1]}), mode="append", schema_mode="merge")


def without_a_commit(path):
    appended(path)
    DeltaTable(path).create_checkpoint()
    Path(path, "_delta_log", f"{2:020d}.json").unlink()


@pytest.mark.parametrize(
    ("change", "hashed"),
    [
        (appended, 2),
        (written_anew, 2),
        (partly_removed, None),
        (gone_back, None),
        (compacted, 1),
        (of_another_column, None),
        (without_a_commit, None),
    ],
)
def test_only_what_a_table_has_gained_is_hashed(lake, monkeypatch, change, hashed):
    """Where its commits say that the rest is as it was, or gone; its rows, files and content are those of the whole."""
    table(lake, "silver.mine", "z")
    publishing.publish(lake, "run")
    asked, real = [], query.hashed
    monkeypatch.setattr(query, "hashed", lambda *given: asked.append(given[2]) or real(*given))
    change(lake.path("silver.mine"))
    by_parts = publishing.publish(lake, "run").tables["silver.mine"]
    assert by_parts == dict(publishing.kept(lake))["silver.mine"]
    assert (len(asked[0]) if asked[0] is not None else None) == hashed
    assert asked[1] is None


def test_content_is_the_same_in_every_time_zone(lake):
    """Apache Spark writes times as INT96, which DuckDB reads as local ones."""
    day = pa.table({"at": pa.array([datetime(2025, 7, 1, 12)], pa.timestamp("us", "UTC"))})
    write_deltalake(lake.path("silver.times"), day)
    (file,) = Path(lake.path("silver.times")).glob("*.parquet")
    pq.write_table(day, file, use_deprecated_int96_timestamps=True)
    code = "import sys; from medallion.lakehouse import publishing; from medallion.lakehouse.store import Lakehouse; "
    code += "print(dict(publishing.kept(Lakehouse(sys.argv[1]), only=['silver.times']))['silver.times'].content)"
    told = {
        zone: subprocess.run(
            [sys.executable, "-c", code, lake.root], env={**os.environ, "TZ": zone}, capture_output=True, check=True
        ).stdout
        for zone in ("UTC", "Asia/Tokyo")
    }
    assert len({*told.values()}) == 1


def test_what_a_table_has_lost_is_taken_from_its_content(lake, monkeypatch):
    """Where that is less to read than all of it, and the files are still there; else all is read."""
    few, many = (list(map(str, range(*ends))) for ends in ((0, 10), (10, 5000)))
    table(lake, "silver.mine", *many)
    for key in few:
        table(lake, "silver.mine", key)
    publishing.publish(lake, "run")
    known, asked, real = manifests.newest(lake).tables, [], query.hashed
    monkeypatch.setattr(query, "hashed", lambda *given: asked.append(given[2]) or real(*given))
    delta = DeltaTable(lake.path("silver.mine"))
    gone = [uri for uri in delta.file_uris() if Path(uri).stat().st_size < 2000]
    delta.optimize.compact(target_size=sum(Path(uri).stat().st_size for uri in gone) + 1)
    delta.delete("key = '3'")  # the merged file is written once more
    by_parts = dict(publishing.kept(lake, known))["silver.mine"]
    assert [len(files) for files in asked] == [1, len(few)]
    assert by_parts == dict(publishing.kept(lake))["silver.mine"]
    assert (by_parts.rows, by_parts.files) == (5000, 3)  # with the one that each lake has here
    assert by_parts.content != known["silver.mine"].content
    Path(gone[0]).unlink()
    asked.clear()
    assert dict(publishing.kept(lake, known))["silver.mine"] == by_parts
    assert asked == [None]


def test_large_tables_at_an_address_are_hashed_by_what_was_added(lake, monkeypatch):
    monkeypatch.setattr(publishing, "_LARGE", 0)
    table(lake, "silver.mine", "b")
    known = manifests.newest(lake).tables["silver.mine"]
    added, removed = publishing._changes_elsewhere(lake, "silver.mine", lake.delta("silver.mine"), known)
    assert (len(added), removed) == (1, {})
    assert known.bytes + sum(added.values()) == dict(publishing.kept(lake))["silver.mine"].bytes


@pytest.mark.parametrize("column", ["rows", "_whole_row"])
def test_every_column_counts_whatever_its_name(lake, column):
    """`hash(rows)` was that of the column `rows` where a table had one."""
    contents = set()
    for value in (1, 2):
        write_deltalake(lake.path("silver.mine"), pa.table({column: [7], "other": [value]}), mode="overwrite",
                        schema_mode="overwrite")  # fmt: skip
        contents.add(dict(publishing.kept(lake))["silver.mine"].content)
    assert len(contents) == 2


def test_a_column_that_no_file_has_yet_is_hashed_as_null(lake):
    DeltaTable(lake.path("silver.mine")).alter.add_columns(Field("more", PrimitiveType("long")))
    before = dict(publishing.kept(lake))["silver.mine"].content
    write_deltalake(lake.path("silver.mine"), pa.table({"key": ["a"], "more": pa.array([None], pa.int64())}), mode="overwrite")  # fmt: skip
    assert dict(publishing.kept(lake))["silver.mine"].content == before


def test_hashes_of_another_way_are_made_anew_when_something_changes(lake, monkeypatch):
    """A command that changes nothing reads no content, and adds no manifest."""
    monkeypatch.setattr(publishing, "probe", lambda: "another way")
    with monkeypatch.context() as unread:
        unread.setattr(query, "hashed", lambda *given: pytest.fail("nothing has changed"))
        assert publishing.publish(lake, "run") is None
    table(lake, "silver.other", "b")
    manifest = publishing.publish(lake, "run")
    assert manifest.hashed_by == "another way"
    assert {*manifest.tables} == {"silver.mine", "silver.other"}


def test_a_manifest_opens_the_tables_that_changed_and_its_own_once(lake, monkeypatch):
    opened = []
    real = Lakehouse.delta
    monkeypatch.setattr(Lakehouse, "delta", lambda self, name: opened.append(name) or real(self, name))
    table(lake, "silver.mine", "b")
    publishing.publish(lake, "run")
    assert sorted(opened) == [manifests.TABLE, "silver.mine"]
    opened.clear()
    assert [manifests.newest(lake).number, manifests.number(lake), manifests.newest(lake).number] == [2, 2, 2]
    assert opened == [manifests.TABLE]


# what may be removed ------------------------------------------------------------------------------------------------


def test_thirty_days_and_the_ends_of_months_can_be_opened():
    days = [AT - timedelta(days=age) for age in range(120, -1, -1)]
    known = [manifest(number, day) for number, day in enumerate(days, 1)]
    opens = manifests.openable(known, AT)
    told = [one.written_at.date().isoformat() for one in known if one.number in opens]
    assert told[:3] == ["2025-03-31", "2025-04-30", "2025-05-31"]
    assert told[3:] == [(AT - timedelta(days=age)).date().isoformat() for age in range(30, -1, -1)]


def test_an_erasure_leaves_nothing_older_to_open():
    known = [manifest(number, AT - timedelta(days=10 - number), opens_from=1) for number in range(1, 6)]
    known.append(manifest(6, AT, opens_from=6))
    assert manifests.openable(known, AT) == {6}


def at_the_clock(monkeypatch, time):
    """Let manifests be written at a time; gives it without its zone."""
    clock = type("Clock", (datetime,), {"now": classmethod(lambda cls, zone: time)})
    monkeypatch.setattr(publishing, "datetime", clock)
    return time.replace(tzinfo=None)


def test_upkeep(tmp_path, monkeypatch):
    """Files become few, each state that can be opened reads as it did, and gold is not computed again for it."""
    monkeypatch.setattr(maintenance, "FILES", 32)
    lake = Lakehouse(str(tmp_path / "lake"))
    for place in range(40):
        table(lake, "silver.mine", f"{place:02}")
        publishing.publish(lake, "run", now=AT + timedelta(days=place))
    assert maintenance.due(lake) == ["silver.mine", "ops.manifests"]
    now = at_the_clock(monkeypatch, AT + timedelta(days=39))
    (done,) = [one for one in maintain.maintain(lake, now) if one.table == "silver.mine"]
    assert (done.files_before, done.files_after) == (40, 1)
    assert maintenance.due(lake) == []
    known = manifests.history(lake)
    assert known[-1].kind == "maintain"
    assert known[-1].tables["silver.mine"].since == known[-2].tables["silver.mine"].version
    for number in (31, 32, 40, 41):  # the last of July, and days of the last thirty
        count = min(number, 40)
        assert keys(manifests.opened(lake, str(number))) == [f"{place:02}" for place in range(count)]
    log = Path(lake.path("silver.mine"), "_delta_log")
    assert f"{4:020d}.json" not in {path.name for path in log.iterdir()}
    with pytest.raises(LakehouseError, match="manifest 5 .* can no longer be opened: it has expired"):
        keys(manifests.opened(lake, "5"))
    table(lake, "silver.mine", "after")
    assert len(keys(lake, newest=True)) == 41


def test_upkeep_settles(tmp_path, monkeypatch):
    """What it cannot remove, since it can be opened, makes nothing due; what is written beside the lock is shortened by age."""
    monkeypatch.setattr(maintenance, "COMMITS", 6)
    lake = Lakehouse(str(tmp_path / "lake"))
    log = {name: Path(lake.path(name), "_delta_log") for name in ("silver.mine", "ops.manifests")}
    upkeep = []
    for day in range(15):
        now = at_the_clock(monkeypatch, AT + timedelta(days=day))
        write_deltalake(lake.path("silver.mine"), pa.table({"key": [f"{day:02}"]}), mode="overwrite")
        publishing.publish(lake, "run", now=AT + timedelta(days=day))
        for path in log["ops.manifests"].iterdir():
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 86_400))
        if due := maintenance.due(lake):
            upkeep.append(day)
            with journal.writing(lake) as writer:
                writer.maintain(now, due)
    assert len(upkeep) <= 5
    assert len(list(log["ops.manifests"].glob("*.json"))) <= 10
    assert keys(manifests.opened(lake, "2")) == ["01"]
    assert len(manifests.history(lake)) >= 15
    assert maintenance.due(lake) == []


def test_files_are_compacted_more_often_than_removed(tmp_path, monkeypatch):
    """To find out which files nothing needs takes longer than to write a few small ones into one."""
    monkeypatch.setattr(maintenance, "FILES", 4)
    lake = Lakehouse(str(tmp_path / "lake"))
    for place in range(4):
        table(lake, "silver.mine", str(place))
    publishing.publish(lake, "run")
    assert maintenance.due(lake) == ["silver.mine"]
    with journal.writing(lake) as writer:
        (done,) = writer.maintain(NOW, maintenance.due(lake), thorough=False)
    assert (done.files_before, done.files_after, done.removed) == (4, 1, 0)
    assert len(list(Path(lake.path("silver.mine")).glob("*.parquet"))) == 5
    (done,) = [one for one in maintain.maintain(lake, NOW) if one.table == "silver.mine"]
    assert (done.files_after, done.removed) == (1, 0)  # the state before the compaction can be opened


def test_what_is_due_is_known_without_the_history(tmp_path, monkeypatch):
    """It grows with every command."""
    monkeypatch.setattr(maintenance, "COMMITS", 3)
    lake = Lakehouse(str(tmp_path / "lake"))
    for place in range(4):
        write_deltalake(lake.path("silver.mine"), pa.table({"key": [str(place)]}), mode="overwrite")
        publishing.publish(lake, "run")
    monkeypatch.setattr(manifests, "history", lambda _: pytest.fail("not for this"))
    assert maintenance.due(lake) == ["silver.mine"]


@pytest.mark.parametrize("kept", [True, False])
def test_who_opens_a_table_reads_few_commits(tmp_path, kept):
    """Unless the table would lose commits then that manifests need, which upkeep sees to first."""
    lake, properties = Lakehouse(str(tmp_path / "lake")), store.KEEP_COMMITS if kept else {}
    for count in range(1, maintenance.UNREAD + 1):
        write_deltalake(lake.path("silver.mine"), pa.table({"key": ["a"]}), mode="append", configuration=properties)
        assert maintenance.sum_up(lake) == ["silver.mine"] * (kept and count == maintenance.UNREAD)
    log = Path(lake.path("silver.mine"), "_delta_log")
    newest = f"{maintenance.UNREAD - 1:020d}"
    assert [path.name for path in log.glob("*.checkpoint.parquet")] == [f"{newest}.checkpoint.parquet"] * kept
    assert lake.version("silver.mine") == maintenance.UNREAD - 1
    assert maintenance.sum_up(lake) == []


def test_tables_keep_their_commits_from_the_first(spark, tmp_path):
    lake = Lakehouse(str(tmp_path / "lake"))
    store.create(spark, lake, gold_contract("gold.deals"))
    assert lake.delta("gold.deals").metadata().configuration == store.KEEP_COMMITS


def test_of_many_checkpoints_the_newest_is_looked_at(lake, monkeypatch):
    """Upkeep leaves one for every state that can be opened."""
    for key in "bcd":
        table(lake, "silver.mine", key)
        DeltaTable(lake.path("silver.mine")).create_checkpoint()
    looked, real = [], commits._ends
    monkeypatch.setattr(commits, "_ends", lambda path: looked.append(path.name) or real(path))
    commits.mend(lake, "silver.mine")
    assert looked == [f"{3:020d}.checkpoint.parquet"]


def test_upkeep_leaves_tables_of_somebody_else_alone(lake, monkeypatch):
    """No manifest says which of their versions they need."""
    monkeypatch.setattr(maintenance, "COMMITS", 3)
    monkeypatch.setattr(maintenance, "FILES", 3)
    for place in range(5):
        write_deltalake(lake.path("gold.theirs"), pa.table({"key": [place]}), mode="overwrite")
        table(lake, "gold.theirs2", str(place))
        table(lake, "gold.deals", str(place))
    publishing.publish(lake, "run")
    assert not {"gold.theirs", "gold.theirs2"} & {*maintenance.due(lake)}
    assert "gold.theirs" not in {one.table for one in maintain.maintain(lake, NOW)}
    assert DeltaTable(lake.path("gold.theirs"), version=1).to_pyarrow_table()["key"].to_pylist() == [1]


def test_upkeep_removes_data_that_a_killed_writer_has_left_and_no_file_of_somebody_else(lake):
    folder = Path(lake.path("silver.mine"))
    left = folder / "part-00000-930fb11d-f543-43b2-bb8f-f88981e55f60-c000.snappy.parquet"
    theirs = [folder / "keep.txt", folder / "mine.parquet", folder / "more" / "part-of.parquet"]
    for path in (left, *theirs):
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    (done,) = [one for one in maintain.maintain(lake, NOW) if one.table == "silver.mine"]
    assert done.removed == 1
    assert not left.exists()
    assert all(path.exists() for path in theirs)
    assert keys(lake) == ["a"]


def test_compaction_that_would_change_rows_is_taken_back(tmp_path, monkeypatch):
    lake = Lakehouse(str(tmp_path / "lake"))
    for key in "abc":
        table(lake, "silver.mine", key)

    class Losing:
        def __init__(self, table):
            self.table = table

        def compact(self, **_):
            self.table.delete("key = 'b'")

    monkeypatch.setattr(DeltaTable, "optimize", property(Losing))
    with journal.writing(lake) as writer, pytest.raises(LakehouseError, match="not the same after compaction"):
        writer.maintain(NOW, ["silver.mine"])
    assert keys(lake) == ["a", "b", "c"]


# verify -------------------------------------------------------------------------------------------------------------


def states(found):
    return {(one.check, one.about): one.state for one in found}


def test_a_lakehouse_that_is_whole(own_sample):
    found = verify.verify(settings(own_sample), deep=True)
    assert {one.state for one in found} == {doctor.OK}
    assert {("recomputed", "gold.deals"), ("reference", "silver.leads_clean.customer_id")} <= set(states(found))


def test_a_manifest_that_was_changed(lake):
    known = manifests.history(lake)
    shutil.rmtree(lake.path("ops.manifests"))
    tampered = known[0].row() | {
        "tables": json.dumps({"silver.mine": {**known[0].tables["silver.mine"].__dict__, "rows": 5}})
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
    table(lake, "silver.mine", "b")
    publishing.publish(lake, "run")
    Path(lake.path("silver.mine"), "_delta_log", f"{1:020d}.json").unlink()
    assert states(verify.verify(settings(lake)))["state", "silver.mine"] == doctor.BROKEN
    with pytest.raises(LakehouseError, match=r"silver\.mine has no version 1 any more"):
        keys(lake)
    with pytest.raises(LakehouseError) as error:
        manifests.opened(lake, "2")
    assert error.value.remedy == "See what `medallion doctor` says."  # there is no later one
    table(lake, "silver.new", "b")
    publishing.publish(lake, "run")
    with pytest.raises(LakehouseError) as error:
        manifests.opened(lake, "2")
    assert error.value.remedy == "Choose a later manifest."


def test_a_full_disk_is_told_of_the_table_and_not_of_a_statement(lake):
    class Spark:
        def sql(self, statement):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(LakehouseError) as error:
        store.delete_rows(Spark(), lake, "silver.mine", "true")
    assert error.value.problem == f"{lake.path('silver.mine')}: there is no room left to write it"


@pytest.mark.parametrize("look", [verify.verify, doctor.examine])
def test_a_commit_that_is_lost_is_told_whatever_is_unfinished(lake, look):
    table(lake, "silver.other", "x")
    table(lake, "silver.mine", "b")
    publishing.publish(lake, "run")
    with pytest.raises(KeyboardInterrupt), journal.writing(lake) as writer, writer.intent("score", ["silver.other"]):
        raise KeyboardInterrupt
    Path(lake.path("silver.mine"), "_delta_log", f"{1:020d}.json").unlink()
    found = look(settings(lake))
    assert states(found)["state", "silver.mine"] == doctor.BROKEN
    if look is verify.verify:
        (left_out,) = [one for one in found if (one.check, one.state) == ("state", doctor.WARNING)]
        assert left_out.says == "tables above it were not compared: score is unfinished (interrupted)"
        assert left_out.remedy == "The next command that writes rolls it back, then verify again."


def test_something_else_has_written(lake):
    table(lake, "silver.mine", "b")
    assert states(verify.verify(settings(lake)))["state", "silver.mine"] == doctor.WARNING


def test_a_cell_that_was_changed_in_its_file(lake):
    """Of the same size and count, so that only the content tells."""
    (uri,) = lake.delta("silver.mine").file_uris()
    path = Path(uri.removeprefix("file://"))
    with duckdb.connect() as connection:
        connection.execute(f"copy (select 'b' as key) to '{path}.new' (format parquet)")
    data = Path(f"{path}.new").read_bytes()
    commit = Path(lake.path("silver.mine"), "_delta_log", f"{0:020d}.json")
    Path(f"{path}.new").replace(path)
    text = commit.read_text().splitlines()
    for place, line in enumerate(text):
        action = json.loads(line)
        if "add" in action:
            action["add"]["size"] = len(data)
            text[place] = json.dumps(action)
    commit.write_text("\n".join(text))
    assert ("content", "silver.mine") not in states(verify.verify(settings(lake)))
    assert states(verify.verify(settings(lake), deep=True))["content", "silver.mine"] == doctor.BROKEN


def test_keys_that_repeat_and_references_that_lead_nowhere(own_sample):
    """Found by their rows, whatever manifest says that they are as they were written."""
    leads, customers = own_sample.delta("silver.leads_clean"), own_sample.delta("silver.customers_history")
    first = leads.to_pyarrow_table().slice(0, 1)
    write_deltalake(leads, first, mode="append")
    customers.delete(f"customer_id = '{first['customer_id'][0]}'")
    publishing.publish(own_sample, "run")
    found = {(one.check, one.about): one for one in verify.verify(settings(own_sample), deep=True)}
    assert found["key", "silver.leads_clean"].says == "1 rows repeat a key"
    lost = found["reference", "silver.leads_clean.customer_id"]
    assert (lost.state, lost.says.partition(" ")[2]) == (doctor.BROKEN, "rows name none of silver.customers_history")


# commands -----------------------------------------------------------------------------------------------------------


def test_a_command_that_is_killed_after_its_manifest_is_complete(own_sample, monkeypatch):
    """What it wrote stays: the manifest is the commit point."""
    before = manifests.newest(own_sample).number
    with (
        pytest.raises(KeyboardInterrupt),
        journal.writing(own_sample) as writer,
        writer.intent("score", ["gold.deals"]),
    ):
        table(own_sample, "silver.mine", "a")
        monkeypatch.setattr(writer.held, "note", _interrupt)
    with journal.writing(own_sample) as writer:
        assert "Its manifest was written" in writer.recovered[0]
    assert manifests.newest(own_sample).number == before + 1
    assert keys(own_sample) == ["a"]


def _interrupt(_):
    raise KeyboardInterrupt


def test_a_run_has_one_manifest_and_one_that_finds_nothing_none(own_sample):
    (first,) = manifests.history(own_sample)
    assert (first.kind, first.number) == ("run", 1)
    pipeline.run(load(None, source=str(ROOT / "data"), lakehouse=own_sample.root), NOW + timedelta(minutes=1))
    assert len(manifests.history(own_sample)) == 1


@pytest.mark.parametrize(
    ("folder", "file"), [(0o700, 0o600), (0o770, 0o660), (0o755, 0o644), (0o777, 0o664), (None, 0o600)]
)
def test_files_are_for_whom_the_folder_is_for(tmp_path, folder, file):
    """A lakehouse that a run makes is its user's alone; one that was there before stays shared as it was, but others only
    read it.
    """
    lake = Lakehouse(str(tmp_path / "lake"))
    if folder:
        Path(lake.root).mkdir()
        Path(lake.root).chmod(folder)
    with locks.hold(lake.root):
        table(lake, "silver.mine", "a")
    assert Path(lake.root).stat().st_mode & 0o777 == (folder or 0o700)
    modes = {path.stat().st_mode & 0o777 for path in Path(lake.root, "silver").rglob("*") if path.is_file()}
    assert modes == {file}


# going back, and reading an earlier state ----------------------------------------------------------------------------


def test_going_back_by_number_and_time(tmp_path):
    lake = Lakehouse(str(tmp_path / "lake"))
    for place, key in enumerate("abc"):
        table(lake, "silver.mine", key)
        publishing.publish(lake, "run", now=AT + timedelta(days=place, microseconds=345_678))
    told = [(one.manifest, one.by) for one in restore.points(lake)]
    assert told == [(1, "run"), (2, "run"), (3, "run")]
    assert [move.to for move in restore.apply(lake, "2")] == [1]
    assert (keys(lake), manifests.newest(lake).kind) == (["a", "b"], "restore")
    assert restore.plan(lake, "4") == []
    assert restore.apply(lake, "2025-07-01T00:00:00.345", "silver.mine")
    assert keys(lake) == ["a"]
    restore.apply(lake, "3")
    assert keys(lake) == ["a", "b", "c"]
    for to, problem in (
        ("99", "there is no manifest 99"),
        ("yesterday", "--to 'yesterday' is neither the number of a manifest nor a time"),
    ):
        with pytest.raises(LakehouseError, match=problem):
            restore.plan(lake, to)


def test_what_was_asked_stays_when_a_lakehouse_goes_back(lake):
    write_deltalake(lake.path("ops.agent_log"), pa.table({"key": ["q"]}))
    table(lake, "silver.mine", "b")
    publishing.publish(lake, "run")
    write_deltalake(lake.path("ops.agent_log"), pa.table({"key": ["r"]}), mode="append")
    restore.apply(lake, "1")
    assert keys(lake) == ["a"]
    assert lake.delta("ops.agent_log").to_pyarrow_table().num_rows == 2


def test_a_table_that_was_made_anew_is_not_the_one_of_an_earlier_manifest(lake):
    """Of the same name and version, and with other rows."""
    table(lake, "silver.mine", "b")
    table(lake, "silver.new", "x")
    publishing.publish(lake, "run")
    restore.apply(lake, "1")
    assert not lake.exists("silver.new")
    table(lake, "silver.new", "y")
    publishing.publish(lake, "run")
    for call in (manifests.opened, restore.plan):
        with pytest.raises(LakehouseError, match=r"silver\.new was removed and recreated since manifest 2"):
            call(lake, "2")
    assert keys(manifests.opened(lake, "1")) == ["a"]


def test_lost_commits_stop_writers_and_going_back_mends_it(lake):
    """And the manifest that named them opens no more: what has their numbers later is something else."""
    table(lake, "silver.mine", "b")
    publishing.publish(lake, "run")
    Path(lake.path("silver.mine"), "_delta_log", f"{1:020d}.json").unlink()
    with (
        pytest.raises(LakehouseError, match=r"silver\.mine: its newest commits are lost") as told,
        journal.writing(lake),
    ):
        pytest.fail("it may not write")
    assert "medallion restore" in told.value.remedy
    restore.apply(lake, "1")
    table(lake, "silver.mine", "c")
    publishing.publish(lake, "run")
    assert keys(lake) == ["a", "c"]
    with pytest.raises(LakehouseError, match="manifest 2 .* can no longer be opened"):
        manifests.opened(lake, "2")


@pytest.mark.parametrize("again", [True, False])
def test_what_lost_commits_had_is_not_taken_for_what_a_restore_has_written(lake, again):
    """Its commit may get the number of the one that was lost, of every table even: the content is hashed anew."""
    write_deltalake(lake.path("silver.mine"), pa.table({"key": ["b", "c"]}), mode="overwrite")
    publishing.publish(lake, "run")
    write_deltalake(lake.path("silver.mine"), pa.table({"key": ["d"]}), mode="overwrite")
    if again:
        table(lake, "silver.other", "x")
    publishing.publish(lake, "run")
    Path(lake.path("silver.mine"), "_delta_log", f"{2:020d}.json").unlink()
    restore.apply(lake, "1")
    assert keys(lake) == ["a"]
    assert [(one.number, one.opens_from) for one in manifests.history(lake)][3:] == [(4, 4)]
    assert {one.state for one in verify._contents(lake, manifests.newest(lake))} == {doctor.OK}
    with pytest.raises(LakehouseError, match="manifest 3 .* can no longer be opened"):
        manifests.opened(lake, "3")


@pytest.mark.parametrize("other", [True, False])
def test_gold_that_was_removed_and_computed_again_has_its_own_identity(lake, other):
    """With the number of the version that the last manifest names; whether or not anything else has changed."""
    table(lake, "gold.deals", "x")
    publishing.publish(lake, "run")
    shutil.rmtree(lake.path("gold.deals"))
    table(lake, "gold.deals", "y")
    if other:
        table(lake, "silver.mine", "b")
    publishing.publish(lake, "score")
    assert manifests.newest(lake).number == 3
    assert manifests.newest(lake).tables["gold.deals"].id == str(lake.delta("gold.deals").metadata().id)
    assert {one.state for one in verify._contents(lake, manifests.newest(lake))} == {doctor.OK}
    assert manifests.opened(lake, "3").exists("gold.deals")
    assert restore.plan(lake, "3") == []
    with pytest.raises(LakehouseError, match=r"gold\.deals was removed and recreated since manifest 2"):
        manifests.opened(lake, "2")
    assert publishing.publish(lake, "run") is None


def lost_while_something_was_begun(lake, name, began):
    """What a killed `train` has left, and in the same power failure the newest commit of a table, but for its checksum."""
    table(lake, "silver.mine", "b")
    table(lake, "silver.other", "x")
    publishing.publish(lake, "run")
    table(lake, "silver.mine", "c")
    table(lake, "silver.other", "y")
    publishing.publish(lake, "run")
    with pytest.raises(KeyboardInterrupt), journal.writing(lake) as writer, writer.intent("train", began):
        table(lake, "silver.new", "half")
        table(lake, "silver.mine", "half")
        raise KeyboardInterrupt
    log = Path(lake.path(name), "_delta_log")
    newest = manifests.newest(lake).versions[name]
    for commit in log.glob("*.json"):
        if int(commit.stem) >= newest:
            commit.unlink()
    crc = json.dumps({"tableSizeBytes": 1, "numFiles": 1, "numMetadata": 1, "numProtocol": 1})
    (log / f"{newest:020d}.crc").write_text(crc)


@pytest.mark.parametrize("name", ["silver.mine", "silver.other"])
@pytest.mark.parametrize("began", [None, ["silver.mine"]])
def test_lost_commits_beside_what_was_begun_are_mended_by_going_back(lake, name, began):
    lost_while_something_was_begun(lake, name, began)
    assert restore.plan(lake, "2")
    with pytest.raises(LakehouseError, match="its newest commits are lost"), journal.writing(lake):
        pytest.fail("it may not write")
    with pytest.raises(LakehouseError, match="has no version"):
        restore.apply(lake, "3")
    other = "silver.new" if name == "silver.mine" else "silver.mine"
    with pytest.raises(LakehouseError, match=f"{other}: cannot go back alone: {name}: its newest commits are lost"):
        restore.apply(lake, "0", other)
    restore.apply(lake, "2")
    assert keys(lake) == ["a", "b"]
    assert [(one.number, one.kind, one.opens_from) for one in manifests.history(lake)][3:] == [(4, "restore", 4)]
    assert lake.delta("silver.other").to_pyarrow_table().num_rows == 1
    assert not lake.exists("silver.new")
    with journal.writing(lake) as writer:
        assert writer.recovered == []


@pytest.mark.parametrize(
    ("cut", "told"), [(True, "`medallion restore --to NUMBER` again"), (False, "the next command")]
)
def test_what_to_do_about_a_killed_restore(lake, cut, told):
    with pytest.raises(KeyboardInterrupt), journal.writing(lake) as writer, writer.intent("restore", cut=cut):
        raise KeyboardInterrupt
    (entry,) = journal.unfinished(lake)
    assert entry["what_to_do"].startswith(told)


def test_an_erasure_does_not_make_lost_commits_the_good_state(lake):
    table(lake, "silver.customers_history", "C1")
    table(lake, "silver.mine", "b")
    publishing.publish(lake, "run")
    Path(lake.path("silver.mine"), "_delta_log", f"{1:020d}.json").unlink()
    told = settings(lake)
    for call in (lambda: erasure.forget(told, "C1", "asked", "ana", NOW), lambda: erasure.resume(told)):
        with pytest.raises(LakehouseError, match=r"silver\.mine: its newest commits are lost"):
            call()
    assert [one.opens_from for one in manifests.history(lake)] == [1, 1]


@pytest.mark.parametrize("at", range(1, 6))
def test_a_restore_after_lost_commits_that_is_killed_is_repeated(lake, at, monkeypatch):
    """What is described as the good state meanwhile is never the loss."""
    lost_while_something_was_begun(lake, "silver.other", None)
    calls, through = [], door.through

    def killed(path):
        calls.append(path)
        if len(calls) == at:
            raise KeyboardInterrupt
        return through(path)

    monkeypatch.setattr(door, "through", killed)
    with suppress(KeyboardInterrupt):
        restore.apply(lake, "2")
    monkeypatch.setattr(door, "through", through)
    assert len(calls) >= at
    if len(manifests.history(lake)) == 3:
        with suppress(LakehouseError), journal.writing(lake):
            assert not lake.exists("silver.new")  # only removals were left
    if len(manifests.history(lake)) == 3:
        restore.apply(lake, "2")
    assert keys(lake) == ["a", "b"]
    assert [(one.number, one.opens_from) for one in manifests.history(lake)][3:] == [(4, 4)]
    assert lake.delta("silver.other").to_pyarrow_table().num_rows == 1


def test_the_manifest_of_a_lakehouse_that_had_none(tmp_path):
    """The first writer describes it as it was found, so that readers have a state to open meanwhile."""
    lake = Lakehouse(str(tmp_path / "lake"))
    table(lake, "silver.mine", "a")
    with journal.writing(lake) as writer, writer.intent("score", ["silver.mine"]):
        table(lake, "silver.mine", "b")
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


def finish(lake, *names):
    """Batches that are in silver, as the journal has them; written without the engine."""
    for name in names:
        batches.record(None, lake, batches.Batch(name, NOW, ()), batches.FINISHED, NOW)


@pytest.mark.parametrize("killed", [True, False])
def test_a_batch_without_its_gold_is_not_what_readers_see(lake, killed):
    """Whatever ends in between: only the run that makes gold, and restore, give the next manifest."""
    with (
        pytest.raises(KeyboardInterrupt if killed else ZeroDivisionError),
        journal.writing(lake) as writer,
        writer.intent("run", ["gold.deals", "ops.runs"]),
    ):
        finish(lake, "first")
        table(lake, "silver.mine", "b")
        raise KeyboardInterrupt if killed else ZeroDivisionError
    with journal.writing(lake) as writer, writer.intent("quarantine fix", ["ops.corrections"]):
        table(lake, "ops.corrections", "c")
    assert [one.kind for one in manifests.history(lake)] == ["run"]
    assert keys(lake) == ["a"]
    (entry,) = journal.unfinished(lake)
    assert (entry["what"], entry["what_to_do"]) == (
        "batch first",
        "`medallion run` finishes it; until then gold lacks it",
    )
    with pytest.raises(LakehouseError, match="batch first is unfinished: .*, and gold lacks it") as refused:
        journal.needs_whole_batches(lake)
    assert refused.value.remedy == "Finish it with `medallion run`."
    journal.needs_whole_batches(lake, with_gold=False)
    with journal.writing(lake) as writer, writer.intent("run", ["gold.deals", "ops.runs"]):
        table(lake, "ops.runs", "r")
    assert [one.kind for one in manifests.history(lake)] == ["run", "run"]
    assert keys(lake) == ["a", "b"]
    assert journal.unfinished(lake) == []


def test_going_back_from_a_batch_without_its_gold(lake):
    finish(lake, "first")
    table(lake, "ops.runs", "r")
    publishing.publish(lake, "run")
    with pytest.raises(KeyboardInterrupt), journal.writing(lake) as writer, writer.intent("run", ["ops.runs"]):
        finish(lake, "second")
        table(lake, "silver.mine", "b")
        raise KeyboardInterrupt
    assert [one.batch_id for one in journal.half_done(lake)] == ["second"]
    restore.apply(lake, "2")
    assert [one.kind for one in manifests.history(lake)] == ["run", "run", "restore"]
    assert journal.half_done(lake) == []
    assert keys(lake) == ["a"]


@pytest.mark.parametrize("named", [True, False])
def test_a_checkpoint_that_is_cut_short_is_written_again(lake, named):
    """Also one that `_last_checkpoint` does not name: readers find it by the name of its file."""
    DeltaTable(lake.path("silver.mine")).create_checkpoint()
    (checkpoint,) = Path(lake.path("silver.mine"), "_delta_log").glob("*.checkpoint.parquet")
    if not named:
        checkpoint.with_name("_last_checkpoint").unlink()
    checkpoint.write_bytes(checkpoint.read_bytes()[:40])
    with pytest.raises(LakehouseError, match=r"silver\.mine has no version 0 any more"):
        keys(lake)
    with journal.writing(lake):
        pass
    assert keys(lake) == ["a"]
    aside = checkpoint.with_name(f"_{checkpoint.name}.torn")
    assert aside.stat().st_size == 40
    assert not checkpoint.exists()
    removal.purge(lake, "silver.mine")  # it has statistics, so that an erasure takes it too
    assert not aside.exists()


def test_a_checkpoint_that_was_set_aside_is_none_when_old_commits_are_removed(lake):
    """delta-rs removes the commits before whatever begins as the name of a checkpoint, whole or not."""
    table(lake, "silver.mine", "b")
    DeltaTable(lake.path("silver.mine")).alter.set_table_properties(
        {"delta.logRetentionDuration": "interval 0 seconds"}
    )
    DeltaTable(lake.path("silver.mine")).create_checkpoint()
    checkpoint = Path(lake.path("silver.mine"), "_delta_log", f"{2:020d}.checkpoint.parquet")
    checkpoint.write_bytes(checkpoint.read_bytes()[:40])
    commits.mend(lake, "silver.mine")
    table(lake, "silver.mine", "c")
    assert lake.delta("silver.mine").to_pyarrow_table().num_rows == 3


def in_parts(lake, name):
    """The checkpoint of the newest version in two parts, as Apache Spark may write it; the parts."""
    version = lake.version(name)
    DeltaTable(lake.path(name)).create_checkpoint()
    log = Path(lake.path(name), "_delta_log")
    (whole,) = log.glob("*.checkpoint.parquet")
    rows = pq.read_table(whole)
    parts = [whole.with_name(f"{version:020d}.checkpoint.{part:010d}.{2:010d}.parquet") for part in (1, 2)]
    for path, part in zip(parts, (rows.slice(0, 2), rows.slice(2)), strict=True):
        pq.write_table(part, path)
    whole.unlink()
    hint = log / "_last_checkpoint"
    hint.write_text(json.dumps({**json.loads(hint.read_text()), "parts": 2}))
    return parts


@pytest.mark.parametrize(
    "look", [lambda lake: doctor.files(settings(lake)), lambda lake: verify.verify(settings(lake))]
)
def test_a_checkpoint_that_lacks_a_part_is_told_and_mended(lake, look):
    parts = in_parts(lake, "silver.mine")
    assert {one.state for one in look(lake)} == {"ok"}
    parts[1].unlink()
    (log,) = (one for one in look(lake) if one.check == "log")
    assert (log.about, log.state) == ("silver.mine", "warning")
    assert log.says == "its checkpoint of version 0 was not written whole"
    with journal.writing(lake):
        pass
    assert not parts[0].exists()
    assert keys(lake) == ["a"]
    assert {one.state for one in look(lake)} == {"ok"}


def test_upkeep_takes_no_part_of_a_checkpoint_for_a_whole_one(lake):
    """It would remove the commits that only the part that is not there sums up."""
    table(lake, "silver.mine", "b")
    in_parts(lake, "silver.mine")[0].unlink()
    Path(lake.path("silver.mine"), "_delta_log", "_last_checkpoint").unlink()
    table(lake, "silver.mine", "c")
    maintenance.maintain(lake, ["silver.mine"], {"silver.mine": {1}})
    assert DeltaTable(lake.path("silver.mine"), version=1).to_pyarrow_table().num_rows == 2


def test_checkpoints_that_an_earlier_version_set_aside_get_the_name_of_today(lake):
    log = Path(lake.path("silver.mine"), "_delta_log")
    (log / f"{0:020d}.checkpoint.parquet.torn").write_bytes(b"half")
    (log / f"{1:020d}.json.torn").write_bytes(b"half")
    with journal.writing(lake):
        pass
    assert sorted(path.name for path in log.glob("*.torn")) == [
        f"{1:020d}.json.torn",
        f"_{0:020d}.checkpoint.parquet.torn",
    ]


@pytest.mark.parametrize("before", [True, False])
def test_a_checkpoint_that_is_all_that_is_left_of_its_commits_is_not_taken_away(lake, before):
    table(lake, "silver.mine", "b")
    if before:
        DeltaTable(lake.path("silver.mine")).create_checkpoint()
    for key in "cd":
        table(lake, "silver.mine", key)
    publishing.publish(lake, "run")
    DeltaTable(lake.path("silver.mine")).create_checkpoint()
    log = Path(lake.path("silver.mine"), "_delta_log")
    (log / f"{0:020d}.json").rename(log / "first")
    checkpoint = log / f"{3:020d}.checkpoint.parquet"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-10])
    if not before:
        there = {path.name for path in log.iterdir()}
        with pytest.raises(LakehouseError, match=r"no longer there, such as 0{20}\.json"), journal.writing(lake):
            pytest.fail("it may not write")
        assert {path.name for path in log.iterdir()} == there
        (log / "first").rename(log / f"{0:020d}.json")
    with journal.writing(lake):
        pass
    assert keys(lake) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("summed_up", [False, True])
def test_commits_after_one_that_is_lost_are_set_aside(lake, summed_up):
    """What is left is a table whose newest commits are lost, which a restore goes back from."""
    if summed_up:
        DeltaTable(lake.path("silver.mine")).create_checkpoint()
    for key in "bcd":
        table(lake, "silver.mine", key)
        publishing.publish(lake, "run")
    log = Path(lake.path("silver.mine"), "_delta_log")
    (log / f"{2:020d}.json").unlink()
    with pytest.raises(LakehouseError, match="its newest commits are lost: the newest is 1"), journal.writing(lake):
        pytest.fail("it may not write")
    assert sorted(path.name for path in log.glob("*.torn")) == [f"{3:020d}.json.torn"]
    restore.apply(lake, "2")
    assert keys(lake) == ["a", "b"]
    with journal.writing(lake) as writer:
        assert writer.recovered == []


def test_commits_that_a_checkpoint_sums_up_need_not_be_there(lake):
    for key in "bcd":
        table(lake, "silver.mine", key)
    publishing.publish(lake, "run")
    DeltaTable(lake.path("silver.mine")).create_checkpoint()
    table(lake, "silver.mine", "e")
    Path(lake.path("silver.mine"), "_delta_log", f"{2:020d}.json").unlink()
    with journal.writing(lake):
        pass
    assert keys(lake) == ["a", "b", "c", "d", "e"]


def test_data_that_was_not_written_whole_is_told_in_words(lake):
    (uri,) = lake.delta("silver.mine").file_uris()
    path = Path(uri.removeprefix("file://"))
    path.write_bytes(path.read_bytes()[:50])
    for call in (keys, lambda lake: journal.writing(lake).__enter__()):
        with pytest.raises(LakehouseError, match=r"silver\.mine: its last commit.* has data that is of another size"):
            call(lake)


def test_the_manifest_of_a_command_that_lost_power_is_written_again(lake):
    table(lake, "silver.mine", "b")
    publishing.publish(lake, "run")
    log = Path(lake.path("ops.manifests"), "_delta_log", f"{1:020d}.json")
    log.write_text(log.read_text()[:100])
    with journal.writing(lake):
        pass
    assert keys(lake) == ["a", "b"]
    assert [one.number for one in manifests.history(lake)] == [1, 2]


@pytest.mark.parametrize("how", ["commit", "data"])
def test_a_manifest_that_was_not_written_whole_is_told_in_words(lake, how):
    table(lake, "silver.mine", "b")
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
        table(lake, "silver.mine", key)
    publishing.publish(lake, "run")
    with pytest.raises(KeyboardInterrupt), journal.writing(lake) as writer, writer.intent("maintain", ["silver.mine"]):
        lake.delta("silver.mine").optimize.compact()
        raise KeyboardInterrupt
    with journal.writing(lake) as writer:
        assert "it is complete" in writer.recovered[0]
    assert len(lake.delta("silver.mine").file_uris()) == 1
    assert manifests.newest(lake).tables["silver.mine"].since == 2
    with pytest.raises(KeyboardInterrupt), journal.writing(lake) as writer, writer.intent("maintain", ["silver.mine"]):
        lake.delta("silver.mine").delete("key = 'b'")
        raise KeyboardInterrupt
    with journal.writing(lake) as writer:
        assert "rolled back" in writer.recovered[0]
    assert keys(lake) == ["a", "b", "c"]


def test_one_state_from_beginning_to_end(lake):
    """A command that reads sees nothing of what ends meanwhile, however it opens the lakehouse."""
    with store.reading(lake.root, manifests.opened(lake).versions):
        with locks.hold(lake.root):
            table(lake, "silver.mine", "b")
            publishing.publish(lake, "run")
        again = Lakehouse(lake.root)
        assert keys(again) == ["a"]
        assert again.version("silver.mine") == 0
    assert keys(lake) == ["a", "b"]


def erase(lake, monkeypatch):
    """What an erasure in another process does to the files of readers: nothing from before it can be read."""
    with monkeypatch.context() as other:
        other.setattr(store, "_reading", {})
        _erase(lake)


def _erase(lake):
    write_deltalake(lake.path("silver.mine"), pa.table({"key": ["left"]}), mode="overwrite")
    removal.purge(lake, "silver.mine")
    publishing.publish(lake, "forget")


def test_what_is_removed_while_it_is_read_is_told_in_words(lake, monkeypatch):
    with (
        pytest.raises(StateRemovedError, match="has removed files of the state that was being read"),
        query.connect(lake) as connection,
    ):
        erase(lake, monkeypatch)
        connection.execute("from silver.mine").fetchall()


@pytest.mark.parametrize("at", [[], ["--at", "1"]])
def test_a_command_whose_files_are_removed_reads_the_newest_state(lake, tmp_path, at, monkeypatch, capsys):
    """Once more, and without a word; an earlier state that was asked for is refused."""
    write, calls = export._write, []

    def first_erased(*given):
        calls.append(given)
        if len(calls) == 1:
            erase(lake, monkeypatch)
        return write(*given)

    monkeypatch.setattr(export, "_write", first_erased)
    out = tmp_path / "out"
    line = ["medallion", "export", "--lakehouse", lake.root, "--table", "silver.mine", "--format", "csv", "--to"]
    monkeypatch.setattr(sys, "argv", [*line, str(out), *at])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = " ".join(capsys.readouterr().err.split())
    assert (ended.value.code, len(calls)) == ((1, 1) if at else (0, 2))
    assert ("an erasure or upkeep has removed files of the state that was being read" in told) == bool(at)
    assert at or (out / "silver.mine.csv").read_text() == "key\nleft\n"


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


def test_the_published_contract_is_the_table_as_it_is_written():
    declared = contracts.table(manifests.TABLE)
    kinds = {"string": "string", "bigint": "int64", "timestamp": "timestamp[us, tz=UTC]"}
    assert [(each.name, kinds[each.type]) for each in declared.columns] == [
        (field.name, str(field.type)) for field in manifests.SCHEMA
    ]


def test_a_work_table_that_a_power_loss_tore_is_dropped_by_the_next_writer(own_sample):
    log = Path(own_sample.path("silver.leads_staged"), "_delta_log")
    log.mkdir(parents=True)
    (log / f"{0:020d}.json").write_text('{"commitInfo": {"timest')
    with journal.writing(own_sample):
        assert not log.parent.exists()


def test_the_journal_in_memory_is_the_one_on_disk(spark, tmp_path):
    """Of two records of one time the state that comes last counts, in whatever order they were written."""
    lake = Lakehouse(str(tmp_path / "lakehouse"))
    batch = batches.Batch.of((), NOW)
    for state in (batches.FINISHED, batches.STARTED):
        batches.record(spark, lake, batch, state, NOW)
        remembered = batches.history(lake)
        batches._read.clear()
        assert remembered == batches.history(lake)
