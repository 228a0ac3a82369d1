"""What an erasure leaves of a table: its newest version, and nothing in its log that an older one said."""

from __future__ import annotations

import os
from datetime import datetime
from types import SimpleNamespace

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.transaction import AddAction

from conftest import NOW
from medallion import contracts
from medallion.care import doctor, erasure
from medallion.care.erasure import search
from medallion.care.erasure.work import Erasure
from medallion.config import load
from medallion.errors import LakehouseError
from medallion.lakehouse import locks, maintenance, places, removal
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import erasure_log
from medallion.silver.mentions import Mentions
from medallion.silver.mentions.names import Name
from medallion.silver.redaction import ErasureLog

WHO = Mentions(
    emails=frozenset({"ann@anvil.example"}), keys=frozenset({"C0042"}), names=frozenset({Name("Ann Müller")})
)


@pytest.mark.parametrize(("day", "state"), [(1, doctor.WARNING), (3, doctor.BROKEN)])
def test_an_erasure_that_did_not_count_excuses_no_later_loss(day, state):
    """Earlier versions removed rows without a count; what is lost of a later delivery shows all the same."""
    with duckdb.connect() as connection:
        connection.execute("create schema silver; create table silver.leads_history (_batch_id varchar)")
        connection.executemany("insert into silver.leads_history values (?)", [[f"b{n}"] for n in (1, 3) for _ in range(5 - (n == day))])  # fmt: skip
        counts = dict.fromkeys((*doctor._PARTS, "implied"), 0)
        rows = [
            {"batch_id": f"b{n}", "known_at": datetime(2025, 7, n), "rows_read": 5, **counts, "accepted": 5}
            for n in (1, 3)
        ]
        found = doctor._account(connection, ["silver.leads_history"], "leads", rows, set(), [], datetime(2025, 7, 2))
    assert found.state == state
    assert "has 9 rows" in found.says or "has 4 rows" in found.says


@pytest.fixture
def lake(tmp_path):
    """A table that said who Ann is, was kept up, and says it no more."""
    found = Lakehouse(str(tmp_path))
    path = found.path("silver.notes")
    for text in ("to Ann@anvil.example", "by Müller, Ann", "of C0042"):
        write_deltalake(path, pa.table({"note": [text], "list": [[text]]}), mode="append")
    (kept,) = maintenance.maintain(found, ["silver.notes"], {"silver.notes": {1, 2}})
    assert kept.commits_after >= 2
    log = tmp_path / "silver/notes/_delta_log"
    assert DeltaTable(path).metadata().configuration["delta.enableExpiredLogCleanup"] == "false"
    for name in ("00000000000000000009.json.torn", "00000000000000000002.crc", "_commit_1.json.tmp"):
        (log / name).write_text('{"add": {"stats": "Ann@anvil.example"}}')
    write_deltalake(path, pa.table({"note": ["none"], "list": [["none"]]}), mode="overwrite")
    return found


def test_nothing_of_an_older_version_is_left(lake, tmp_path):
    path = lake.path("silver.notes")
    assert len(search(tmp_path, WHO)[1]) > 8
    removal.purge(lake, "silver.notes")
    assert search(tmp_path, WHO)[1] == []
    raw = [file.read_bytes().lower() for file in tmp_path.rglob("*") if file.is_file()]
    tables = [str(pq.read_table(file).to_pylist()).lower().encode() for file in tmp_path.rglob("*.parquet")]
    assert not [one for one in (*raw, *tables) if b"anvil" in one or b"c0042" in one or "müller".encode() in one]
    assert DeltaTable(path).to_pyarrow_table()["note"].to_pylist() == ["none"]
    write_deltalake(path, pa.table({"note": ["more"], "list": [["more"]]}), mode="append")
    assert DeltaTable(path).to_pyarrow_table().num_rows == 2


def test_files_of_somebody_else_are_never_removed(lake, tmp_path):
    """In the folder of a table, or in one of their own; what a killed writer has left of a table of ours goes."""
    left = "part-00000-930fb11d-f543-43b2-bb8f-f88981e55f60-c000.snappy.parquet"
    ours = [tmp_path / f"silver/{name}/{left}" for name in ("notes", "never_was", "half/sub")]
    theirs = [
        *(tmp_path / f"silver/{name}" for name in ("notes/keep.txt", "notes/x.parquet", "half/keep.txt")),
        *(tmp_path / f"gold/mine/{name}" for name in ("x.parquet", left)),
    ]
    for path in (*ours, *theirs):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    removal.purge(lake, "silver.notes")
    Erasure._sweep(SimpleNamespace(lake=lake))
    assert [path for path in ours if path.exists()] == []
    assert [path for path in theirs if not path.exists()] == []
    assert not (tmp_path / "silver/never_was").exists()


@pytest.mark.parametrize("killed", [True, False])
def test_a_table_that_is_dropped_leaves_files_of_somebody_else(lake, killed, tmp_path, monkeypatch):
    """Also where a writer was killed between taking the table away and putting them back."""
    folder = tmp_path / "silver/notes"
    theirs = [folder / "keep.txt", folder / "mine/x.parquet"]
    for path in theirs:
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    named = folder / "named.parquet"  # by the log alone
    pq.write_table(pa.table({"note": ["n"], "list": [["n"]]}), named)
    add = AddAction(named.name, named.stat().st_size, {}, 0, True, "{}")
    table = DeltaTable(folder)
    table.create_write_transaction([add], "append", table.schema())
    if killed:
        monkeypatch.setattr(removal, "sweep", lambda lake: None)
    removal.drop(lake, ["silver.notes"])
    monkeypatch.undo()
    removal.sweep(lake)
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == theirs
    assert not (tmp_path / places.GONE).exists()
    assert not lake.exists("silver.notes")
    found = doctor.files(load(None, lakehouse=lake.root))
    assert [one.says for one in found if one.about == "silver.notes"] == []


def test_a_table_of_an_object_store_that_is_dropped_leaves_files_of_somebody_else(lake, tmp_path):
    address = places.Address(lake.root)  # pyarrow reads a path as it reads an address
    (tmp_path / "silver/notes/keep.txt").write_text("x")
    address.remove("silver.notes")
    assert [path.name for path in (tmp_path / "silver/notes").rglob("*") if path.is_file()] == ["keep.txt"]
    (tmp_path / "silver/notes/keep.txt").unlink()
    address.remove("silver.notes")
    assert not (tmp_path / "silver/notes").exists()


def test_the_list_of_source_files_goes_with_an_erasure(lake):
    """A file without a header has its first row there."""
    locks.remember_sources(lake.root, {"files": {"leads.csv": {"cells": ["Ann Anvil"]}}})
    Erasure._sweep(SimpleNamespace(lake=lake))
    assert locks.sources(lake.root) == {}


def test_what_is_being_written_beside_the_lock_is_left_alone(tmp_path):
    """A question that is asked during an erasure: its data has no commit yet, its commit no name, or one already."""
    lake, name = Lakehouse(str(tmp_path)), "ops.agent_log"
    for text in ("of Ann", "none"):
        write_deltalake(lake.path(name), pa.table({"note": [text]}), mode="overwrite")
    folder = tmp_path / "ops/agent_log"
    files = [folder / f"part-0000{n}-930fb11d-f543-43b2-bb8f-f88981e55f60-c000.snappy.parquet" for n in (1, 2)]
    files += [folder / "_delta_log" / f"_commit_{n}.json.tmp" for n in (1, 2)]
    for path in files:
        path.write_text("x")
    for path in files[1::2]:
        os.utime(path, (0, 0))
    removal.purge(lake, name)
    assert [path.exists() for path in files] == [True, False, True, False]
    assert len([*folder.glob("part-*")]) == 2
    assert lake.delta(name).to_pyarrow_table()["note"].to_pylist() == ["none"]


def test_what_is_written_beside_the_lock_during_a_purge_is_still_there(tmp_path, monkeypatch):
    """The log is cut off at the version that has a checkpoint, whatever came after it."""
    lake, name = Lakehouse(str(tmp_path)), "ops.agent_log"
    write_deltalake(lake.path(name), pa.table({"note": ["one"]}))
    real = DeltaTable.create_checkpoint

    def asked(table):
        real(table)
        write_deltalake(lake.path(name), pa.table({"note": ["two"]}), mode="append")

    monkeypatch.setattr(DeltaTable, "create_checkpoint", asked)
    removal.purge(lake, name)
    assert sorted(lake.delta(name).to_pyarrow_table()["note"].to_pylist()) == ["one", "two"]


def test_the_search_reads_what_a_file_says_in_any_place(tmp_path):
    """In data, in nested values, in statistics, in a name of a column, of a file; but a name that is all of a text may be another's."""
    places = {
        "data": pa.table({"a": ["x", "for Ann Müller, soon"]}),
        "nested": pa.table({"a": [[{"b": "ann@anvil.example"}]]}),
        "column": pa.table({"ann@anvil.example": [1]}),
        "c0042": pa.table({"a": [1]}),
    }
    for name, table in places.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    pq.write_table(pa.table({"a": ["Dr. Ann Müller"]}), tmp_path / "other.parquet")
    (tmp_path / "model.json").write_text('{"of": "M\\u00fcller, Ann"}')
    assert search(tmp_path, WHO) == (6, ["c0042.parquet", "column.parquet", "data.parquet", "model.json", "nested.parquet"])  # fmt: skip


def test_who_comes_back_under_another_key_is_told(tmp_path):
    """By address and number in any format; without hashes of contacts, or without an erasure, nothing is asked."""
    lake, known = Lakehouse(str(tmp_path)), contracts.entities()
    rows = {
        "customer_id": ["C1", "C2", "C3", "C4"],
        "email": ["ann+new@anvil.example", None, "zann@anvil.example", None],
        "phone": [None, "03055512345", "+493055512346", "ask"],
        "_batch_id": ["b1", "b2", "b2", "b2"],
    }
    write_deltalake(lake.path("silver.customers_clean"), pa.table(rows))
    assert erasure_log.returned(lake, known) == []
    log = ErasureLog("5a")
    forms = erasure_log.contacts(["Ann@anvil.example"], ["+49 (0)30 5551 2345"])
    hashes = [(kind, log.hashed(kind, form)) for kind, some in forms.items() for form in sorted(some)]
    table = pa.table(
        {"kind": [kind for kind, _ in hashes], "value_hash": [value for _, value in hashes], "salt": ["5a"] * 2}
    )
    write_deltalake(lake.path("ops.erasures"), table)
    assert [(one.key, one.what) for one in erasure_log.returned(lake, known)] == [
        ("C1", "e-mail address"), ("C2", "telephone number")
    ]  # fmt: skip
    assert [one.key for one in erasure_log.returned(lake, known, {"b2"})] == ["C2"]
    found = list(doctor._returned(lake, ["ops.erasures", "silver.customers_clean"], known))
    assert [(one.about, one.state) for one in found] == [("customers", doctor.WARNING)]
    assert "customers C1 has the e-mail address of someone who was forgotten, and 1 more like it" in found[0].says
    assert [one.key for one in erasure_log.waiting(lake, known)] == ["C1", "C2"], (
        "of those of today, before any is kept"
    )


def test_a_flag_stays_until_someone_decides(tmp_path):
    """Also where the record is changed or gone meanwhile; one that is somebody else's is flagged no more."""
    lake, known = Lakehouse(str(tmp_path)), contracts.entities()
    log = ErasureLog("5a")
    rows = {"customer_id": ["C1", "C2"], "email": ["a@anvil.example", "b@anvil.example"], "phone": ["1", "2"]}
    write_deltalake(lake.path("silver.customers_clean"), pa.table(rows))
    hashes = [log.hashed(erasure_log.EMAIL, form) for form in rows["email"]]
    table = pa.table({"kind": [erasure_log.EMAIL] * 2, "value_hash": hashes, "salt": ["5a"] * 2})
    write_deltalake(lake.path("ops.erasures"), table)
    for _ in range(2):  # a run that is repeated
        erasure_log.note(None, lake, erasure_log.returned(lake, known), erasure_log.FLAGGED, NOW)
    assert lake.delta("ops.returned").to_pyarrow_table().num_rows == 2
    write_deltalake(lake.path("silver.customers_clean"), pa.table(rows).slice(0, 1), mode="overwrite")
    assert [one.key for one in erasure_log.waiting(lake, known)] == ["C1", "C2"]
    names = ["ops.erasures", "silver.customers_clean"]
    (finding,) = doctor._returned(lake, names, known)
    assert "customers C1" in finding.says
    assert "1 more" in finding.says
    with pytest.raises(LakehouseError, match="no record of account C3 waits for a decision"):
        erasure.keep(load(None, lakehouse=lake.root), "C3", "a shared mailbox", "ana", NOW)
    for key, left in (("c1 ", ["C2"]), ("C2", [])):
        erasure.keep(load(None, lakehouse=lake.root), key, "a shared mailbox", "ana", NOW)
        assert [one.key for one in erasure_log.waiting(lake, known)] == left
    assert erasure_log.returned(lake, known) == []
    (finding,) = doctor._returned(lake, names, known)
    assert finding.state == doctor.OK
