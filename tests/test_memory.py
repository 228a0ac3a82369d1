"""A run with nothing new lists the source files and reads none of them; whatever has changed is read."""

from __future__ import annotations

import json
import os
import zipfile
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from medallion import contracts, pipeline, sources
from medallion.config import load
from medallion.errors import LakehouseError
from medallion.lakehouse import locks
from medallion.sources import confined, files, memory
from medallion.sources.memory import Memory

ROOT = Path(__file__).parents[1]
ENTITIES = contracts.entities()
CUSTOMERS = "customer_id,customer_name,industry\nC1,Acme,Software\n"
LEADS = "lead_id,customer_id,status,deal_value,created_at\nL1,C1,won,100,2025-01-01\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_SETTLED", 0)  # the files were written just now
    (tmp_path / "in").mkdir()
    (tmp_path / "in/customers.csv").write_text(CUSTOMERS)
    (tmp_path / "in/products.jsonl").write_text(
        '{"product_id": "P1", "product_name": "Suite", "category": "Software"}\n'
    )
    with zipfile.ZipFile(tmp_path / "in/export.zip", "w") as archive:
        archive.writestr("leads.csv", LEADS)
    return tmp_path / "in"


@pytest.fixture
def opened(monkeypatch):
    """What is opened, in this process or in one that reads for it."""
    found = []
    real, ask = files.Place.open, confined.ask

    @contextmanager
    def through(self):
        found.append(Path(self.path).name)
        with real(self) as stream:
            yield stream

    monkeypatch.setattr(files.Place, "open", through)
    monkeypatch.setattr(
        confined, "ask", lambda place, *given: found.append(Path(place.path).name) or ask(place, *given)
    )
    return found


def scanned(folder, document, basis="contracts"):
    """A scan, and what it leaves for the next one, as a file keeps it."""
    remembered = Memory.of(document, basis)
    found = sources.scan(str(folder), ENTITIES, remembered)
    return found, json.loads(json.dumps(remembered.document()))


def test_what_is_as_it_was_is_not_read(folder, opened):
    before, document = scanned(folder, {})
    assert set(opened) == {"customers.csv", "products.jsonl", "export.zip"}
    opened.clear()
    after, again = scanned(folder, document)
    assert opened == []
    assert (after, again) == (before, document)
    assert {file.entity for file in after.files} == {"customers", "products", "leads"}


@pytest.mark.parametrize("restored", [False, True])
def test_other_content_of_the_same_size_is_read(folder, opened, restored):
    path = folder / "customers.csv"
    before, document = scanned(folder, {})
    times = path.stat()
    opened.clear()
    path.write_text(CUSTOMERS.replace("Acme", "Emca"))
    if restored:  # by a copy that keeps the time of its source
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    after, _ = scanned(folder, document)
    assert set(opened) == {"customers.csv"}
    assert path.stat().st_size == times.st_size
    assert after.files[0].content_hash != before.files[0].content_hash
    assert after.files[1:] == before.files[1:]


def test_a_file_that_was_only_touched_is_read_and_has_the_same_content(folder, opened):
    before, document = scanned(folder, {})
    opened.clear()
    os.utime(folder / "customers.csv")
    after, again = scanned(folder, document)
    assert set(opened) == {"customers.csv"}
    assert after == before
    opened.clear()
    scanned(folder, again)
    assert opened == []


def test_another_file_in_its_place_is_read(folder, opened):
    _, document = scanned(folder, {})
    opened.clear()
    (folder / "other").write_text(CUSTOMERS)
    (folder / "other").replace(folder / "customers.csv")
    scanned(folder, document)
    assert set(opened) == {"customers.csv"}


def test_what_was_changed_just_before_it_was_read_is_read_again(folder, opened, monkeypatch):
    """A second change within the tick of the clock leaves the same size and times."""
    monkeypatch.setattr(memory, "_SETTLED", 2_000_000_000)
    _, document = scanned(folder, {})
    assert document["files"] == {}
    at = (folder / "customers.csv").stat().st_mtime_ns
    monkeypatch.setattr(memory.time, "time_ns", lambda: at + 3_000_000_000)
    _, document = scanned(folder, document)
    assert len(document["files"]) == 3


def test_what_was_changed_while_it_was_read_is_read_again(folder, monkeypatch):
    real = sources.look

    def look(part, *given):
        found = real(part, *given)
        if part.name == "customers.csv":
            (folder / part.name).write_text(CUSTOMERS + "C2,Other,Software\n")
        return found

    monkeypatch.setattr(sources, "look", look)
    _, document = scanned(folder, {})
    assert {Path(uri).name for uri in document["files"]} == {"products.jsonl", "export.zip"}


@pytest.mark.parametrize("damage", [{"basis": "other"}, {"sum": "other"}, {"files": {}}, {"files": 3}])
def test_by_other_contracts_or_from_a_damaged_record_all_is_read(folder, opened, damage):
    before, document = scanned(folder, {})
    opened.clear()
    after, _ = scanned(folder, document | damage)
    assert set(opened) == {"customers.csv", "products.jsonl", "export.zip"}
    assert after == before


def test_what_cannot_be_read_is_told_each_time(folder):
    (folder / "customers.csv").write_bytes(b"")
    (folder / "leads.xlsx").write_bytes(b"PK\x03\x04 cut short")
    before, document = scanned(folder, {})
    after, _ = scanned(folder, document)
    assert [item.problem for item in after.refused] == [item.problem for item in before.refused]
    assert {"customers.csv", "leads.xlsx"} <= {item.name for item in after.refused}


def test_a_run_with_nothing_new_reads_no_source_file(own_sample, opened, monkeypatch):
    """The lakehouse remembers what is in them; a full refresh reads them all the same."""
    monkeypatch.setattr(memory, "_SETTLED", 0)
    source, times = ROOT / "data", iter(datetime(2026, 1, 1) + timedelta(minutes=each) for each in range(9))
    settings = load(None, source=str(source), lakehouse=own_sample.root)
    names = {path.name for path in source.glob("*.csv")}
    pipeline.run(settings, next(times))
    remembered = locks.sources(own_sample.root)
    opened.clear()
    result = pipeline.run(settings, next(times))
    assert (opened, result.changed, set(result.already_known)) == ([], False, names)
    kept = Path(own_sample.root, locks.SOURCES_FILE)
    assert kept.stat().st_mode & 0o077 == 0
    kept.write_bytes(b"{")
    result = pipeline.run(settings, next(times))
    assert (names <= set(opened), result.changed) == (True, False)
    assert locks.sources(own_sample.root) == remembered
    opened.clear()
    monkeypatch.setattr(pipeline.journal, "writing", lambda lake: (_ for _ in ()).throw(LakehouseError("far enough")))
    with pytest.raises(LakehouseError, match="far enough"):
        pipeline.run(settings, next(times), full_refresh=True)
    assert names <= set(opened)
