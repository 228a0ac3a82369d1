"""An erasure that was interrupted: it can be completed, readers are told so, and nothing is certified that was not looked for."""

from __future__ import annotations

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from conftest import NOW
from medallion.care import doctor, restore, status, verify
from medallion.care.erasure import _without, search
from medallion.config import load
from medallion.contracts import table
from medallion.errors import LakehouseError
from medallion.lakehouse import locks, manifests, publishing, removal, store
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import erasure_log, journal
from medallion.silver.mentions import Mentions

WHO = Mentions(emails=frozenset({"ann@anvil.example"}))


def test_the_log_of_erasures_without_rows_is_as_if_it_were_not_there(tmp_path):
    """A process ended between making the table and its first rows."""
    lake = Lakehouse(str(tmp_path))
    store._make(None, lake, erasure_log.TABLE, store._wanted(table(erasure_log.TABLE)))
    assert len(erasure_log.read(lake).salt) == 32
    assert erasure_log.read(lake).hashes == {}
    assert erasure_log.unfinished(lake) == []


@pytest.fixture
def lake(tmp_path):
    """A lakehouse of three tables, of which an erasure has begun to remove older versions."""
    found = Lakehouse(str(tmp_path / "lake"))
    for name in ("bronze.customers", "silver.notes", "gold.deals"):
        for text in ("by Ann", "none"):
            write_deltalake(found.path(name), pa.table({"a": [text]}), mode="overwrite")
    publishing.publish(found, "run")
    with journal.writing(found) as writer:
        intent = writer.intent(journal.FORGET, (), erasure_id="1")
        intent.__enter__()
        for name in ("bronze.customers", "gold.deals"):
            write_deltalake(found.path(name), pa.table({"a": ["gone"]}), mode="overwrite")
        removal.purge(found, "bronze.customers")
        writer.published = True  # as a process that ends here
    return found


def test_readers_are_told_of_an_erasure_that_was_interrupted(lake):
    opened = manifests.opened(lake)
    with pytest.raises(LakehouseError, match="an erasure was interrupted") as told:
        opened.delta("bronze.customers")
    assert "forget --resume" in told.value.remedy
    with pytest.raises(LakehouseError, match="an erasure was interrupted"):
        manifests.opened(lake, "1")
    assert [one["what"] for one in status.status(lake, NOW)["unfinished"]] == ["forget"]
    (told_of,) = (one for one in doctor.examine(load(None, lakehouse=lake.root)) if one.about == "forget")
    assert (told_of.state, told_of.remedy) == (doctor.BROKEN, "`medallion forget --resume`")
    assert not [one for one in verify.verify(load(None, lakehouse=lake.root), deep=True) if one.check == "content"]


def test_readers_are_told_of_an_erasure_that_runs(lake, monkeypatch):
    monkeypatch.setattr(locks, "is_held", lambda root: True)
    with pytest.raises(LakehouseError, match="an erasure is under way") as told:
        manifests.opened(lake).delta("bronze.customers")
    assert told.value.remedy == "Wait until it has ended."


def _torn(lake, name):
    commit = max(path for path in lake.folder.joinpath(*name.split("."), "_delta_log").glob("[0-9]*.json"))
    commit.write_bytes(b"")
    return commit


@pytest.mark.parametrize("name", ["bronze.customers", "gold.deals"])
def test_a_torn_commit_of_an_interrupted_erasure_is_set_aside(lake, name):
    """Before the purge of a table and after it; every other command refuses and says how to go on."""
    commit = _torn(lake, name)
    for command in (lambda: restore.apply(lake, "1"), lambda: journal.writing(lake).__enter__()):
        with pytest.raises(LakehouseError, match="is not complete") as told:
            command()
        assert "forget --resume" in told.value.remedy
    with journal.writing(lake, recover=False) as writer:
        (found,) = journal.damaged(lake)
        _without(found, writer)
        assert journal.damaged(lake) == []
        assert lake.delta(name).version() == int(commit.stem) - 1
        writer.published = True


def test_a_torn_commit_without_the_version_before_is_refused(lake):
    commit = _torn(lake, "bronze.customers")
    for path in commit.parent.iterdir():
        if path != commit:
            path.unlink()
    with journal.writing(lake, recover=False) as writer:
        (found,) = journal.damaged(lake)
        with pytest.raises(LakehouseError, match="the version before is not there") as told:
            _without(found, writer)
        writer.published = True
    assert "from a backup" in told.value.remedy


def test_a_table_of_which_nothing_else_is_known_is_never_dropped(lake):
    write_deltalake(lake.path("gold.theirs"), pa.table({"a": [1]}))
    _torn(lake, "gold.theirs")
    with journal.writing(lake, recover=False) as writer:
        (found,) = journal.damaged(lake)
        with pytest.raises(LakehouseError, match="the version before is not there"):
            _without(found, writer)
        writer.published = True
    assert (lake.folder / "gold" / "theirs").is_dir()


def test_a_log_of_erasures_that_was_not_made_whole_is_made_again(lake):
    write_deltalake(lake.path(erasure_log.TABLE), pa.table({"a": [1]}))
    _torn(lake, erasure_log.TABLE)
    with journal.writing(lake, recover=False) as writer:
        (found,) = journal.damaged(lake)
        _without(found, writer)
        writer.published = True
    assert not lake.exists(erasure_log.TABLE)


def test_a_torn_commit_of_another_command_is_no_erasure_s(tmp_path):
    lake = Lakehouse(str(tmp_path))
    write_deltalake(lake.path("silver.notes"), pa.table({"a": [1]}))
    write_deltalake(lake.path("silver.notes"), pa.table({"a": [1]}), mode="append")
    _torn(lake, "silver.notes")
    with journal.writing(lake, recover=False) as writer:
        with pytest.raises(LakehouseError, match="its last commit"):
            _without(journal.damaged(lake)[0], writer)
        writer.published = True


@pytest.mark.parametrize("data", [b"", b"PAR1 and no more", b"for Ann@anvil.example"])
def test_a_file_that_cannot_be_read_counts_as_found(tmp_path, data):
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies" / "part.parquet").write_bytes(data)
    write_deltalake(str(tmp_path / "silver" / "notes"), pa.table({"a": ["none"]}))
    assert search(tmp_path, WHO)[1] == ["copies/part.parquet: cannot be read"]
    assert DeltaTable(str(tmp_path / "silver" / "notes")).version() == 0
