"""Two processes that run into one lakehouse at the same time, where no lock file holds them apart: at addresses."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest

from conftest import ROOT
from medallion import addresses
from medallion.care import status, verify
from medallion.care.doctor import OK
from medallion.deploy import adls
from medallion.lakehouse import locks, manifests, publishing
from medallion.lakehouse.store import Lakehouse
from medallion.sources import azure


def run(root, *how):
    command = [sys.executable, *(how or ("-m", "medallion")), "run", "--source", str(ROOT / "data")]
    return subprocess.Popen(
        [*command, "--lakehouse", root], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def one_after_the_other_or_refused(root, *how):
    """Who comes second is refused in words, or finds what the first has done."""
    lake = Lakehouse(root)
    both = [run(root, *how) for _ in range(2)]
    said = [process.communicate(timeout=300)[1] for process in both]
    codes = [process.returncode for process in both]
    assert 0 in codes, said
    for code, error in zip(codes, said, strict=True):
        assert code == 0 or "another run is writing to this lakehouse" in error, error
    known = manifests.history(lake)
    assert [one.state for one in verify.chain(known)] == [OK]
    assert len(known) == 1, "the second found nothing new, and wrote nothing"
    kept = {name: (one.rows, one.content) for name, one in known[-1].tables.items()}
    assert {name: (one.rows, one.content) for name, one in publishing.kept(lake)} == kept
    assert status.insights(lake)["total_deal_value"] == 1_937_000
    assert (locks.peek(root).get("intent"), locks.peek(root).get("holder")) == (None, None)


@pytest.mark.slow
def test_at_an_address_on_this_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(addresses, "of_lakehouse", str)
    one_after_the_other_or_refused(f"file://{tmp_path}/lake", str(ROOT / "tests" / "doubles" / "at_addresses.py"))
    assert not (tmp_path / "lake" / locks.LOCK_FILE).exists()


@pytest.mark.azure
def test_at_the_storage_emulator(emulator):
    root = f"abfss://lake-{uuid.uuid4().hex[:12]}@devstoreaccount1.dfs.core.windows.net"
    adls.container(azure.address(root)).create_container()
    one_after_the_other_or_refused(f"{root}/lake")
