"""Lakehouses that earlier versions wrote, the one of 0.1 among them: they are read as they are, and go on.

Each archive in `lakehouses/` is what the commit of its name made of the sample.
"""

from __future__ import annotations

import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conftest import ROOT
from medallion import pipeline
from medallion.care import doctor, erasure, maintain, restore, status, verify
from medallion.config import load
from medallion.lakehouse import manifests, publishing, query
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import journal

ARCHIVES = sorted((Path(__file__).parent / "lakehouses").glob("*.tar.xz"))
assert len(ARCHIVES) >= 3
NOW = datetime.now(UTC).replace(tzinfo=None)
#: What says when and from which file a row was written.
WRITTEN = {"known_at", "known_as_of"}
#: Scores once given are not given again, sums lie in as many parts as there were deliveries that added to them, and what was
#: known before is another thing where the deliveries came at other times.
GROWN = {"gold.lead_scores", "gold.touch_days", "gold.touch_totals", "gold.deal_changes"}


@pytest.fixture(scope="module")
def anew(tmp_path_factory):
    """The lakehouse that this version makes of the sample and its second delivery."""
    lake = tmp_path_factory.mktemp("anew") / "lake"
    for source in (ROOT / "data", ROOT / "data" / "updates"):
        pipeline.run(load(None, source=str(source), lakehouse=str(lake)), NOW)
    return Lakehouse(str(lake))


def content(lake, name):
    """The rows of a table in the order of their values."""
    with query.connect(lake) as connection:
        told = sorted(set(connection.table(name).columns) - WRITTEN)
        columns = [f'"{one}"' for one in told if not one.startswith("_")]
        return connection.sql(f"select {', '.join(columns)} from {name} order by all").fetchall()


def hashes(lake, names):
    """Rows and hash of the content of tables."""
    return {name: (one.rows, one.content) for name, one in publishing.kept(lake, only=names)}


def unpacked(archive, folder):
    with tarfile.open(archive) as stored:
        stored.extractall(folder, filter="data")
    (found,) = folder.iterdir()
    return Lakehouse(str(found))


@pytest.mark.slow
@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.name.split(".")[0])
def test_upkeep_and_going_back(archive, tmp_path):
    """Both work on a lakehouse as it was stored, without the engine, and change no content that they should not."""
    lake = unpacked(archive, tmp_path)
    settings = load(None, lakehouse=lake.root)
    tables = [name for name in lake.tables() if journal.is_kept_track_of(name)]
    before = hashes(lake, tables)
    assert {one.table for one in maintain.maintain(lake, NOW)} >= {*tables}
    assert hashes(lake, tables) == before
    assert [one.kind for one in manifests.history(lake)] == ["found", "maintain"]
    assert [one.manifest for one in restore.points(lake) if one.manifest] == [1, 2]
    lake.delta("gold.deals").delete()
    with journal.writing(lake) as writer:
        writer.kind = "score"
    assert hashes(lake, ["gold.deals"])["gold.deals"] == (0, "0")
    restore.apply(lake, "1")
    assert hashes(lake, tables) == before
    assert not [one for one in verify.verify(settings) if one.state == "broken"]
    assert {one.state for one in verify._contents(lake, manifests.newest(lake))} == {"ok"}


@pytest.mark.slow
@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.name.split(".")[0])
def test_a_lakehouse_of_an_earlier_version_is_read_and_goes_on(archive, anew, tmp_path):
    lake = unpacked(archive, tmp_path)
    settings = load(None, source=str(ROOT / "data" / "updates"), lakehouse=lake.root)
    assert status.status(lake, NOW, settings.contracts)["row_accounts"]
    assert not [one for one in verify.verify(settings) if one.state == "broken"]
    assert manifests.newest(lake) is None
    pipeline.run(settings, NOW + timedelta(days=1))
    before, after = manifests.history(lake)
    assert (before.kind, after.kind) == ("found", "run")  # it can go back to how it was
    assert not [one for one in verify.verify(settings, deep=True) if one.state != "ok"]
    names = [name for name in anew.tables() if name.endswith("_clean") or name.startswith("gold.")]
    names = [name for name in names if name not in GROWN]
    assert len(names) > 10
    assert [name for name in names if content(lake, name) != content(anew, name)] == []


@pytest.mark.slow
@pytest.mark.parametrize("archive", ARCHIVES[:1], ids=lambda path: path.name.split(".")[0])
def test_a_lakehouse_of_an_earlier_version_is_kept_up_and_forgets(archive, spark, tmp_path):
    """An erasure, upkeep and a restore come first, before any run has brought its tables up to date."""
    with tarfile.open(archive) as stored:
        stored.extractall(tmp_path, filter="data")
    (found,) = tmp_path.iterdir()
    lake, settings = Lakehouse(str(found)), load(None, source=str(ROOT / "data" / "updates"), lakehouse=str(found))
    maintain.maintain(lake, NOW)
    certificate = erasure.forget(settings, "C004", "request 17", "ana", NOW)
    assert certificate["found"] == []
    assert certificate["records"]["customers"] == 1
    restore.apply(lake, str(manifests.number(lake)))
    assert not [one for one in doctor.examine(settings) if one.state == doctor.BROKEN]
    assert not [one for one in verify.verify(settings, deep=True) if one.state == doctor.BROKEN]
