"""What is sent, and under which names; the places themselves are in test_azure.py and test_deploy.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.deploy import upload
from medallion.deploy.upload import Sent, fingerprint, listed, read_block, safe_name
from medallion.errors import MedallionError, SourceError
from medallion.sources import azure


def test_the_files_of_a_folder_in_order_without_hidden_ones(tmp_path):
    for name in ("b.csv", "a.csv", ".hidden", "_note", "2025/leads.csv", ".git/config", "_old/leads.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    assert [item.name for item in listed(tmp_path)] == ["2025/leads.csv", "a.csv", "b.csv"]


@pytest.mark.parametrize(
    "name",
    [
        "../a.csv",
        "a/../../b",
        "/etc/passwd",
        "..",
        ".",
        "",
        "a//b",
        "a\\..\\b",
        "C:\\a",
        "a\nb",
        "a\0b",
        "a?b",
        "a/",
        "a.",
    ],
)
def test_names_that_lead_elsewhere_are_refused(name):
    with pytest.raises(SourceError, match="not a name"):
        safe_name(name)


@given(st.text(max_size=40))
def test_a_safe_name_stays_below_its_folder(name):
    try:
        safe = safe_name(name)
    except SourceError:
        return
    home = Path("/landing")
    assert Path(os.path.normpath(home / safe)).is_relative_to(home)
    assert Path(os.path.normpath(home / safe)) != home
    assert safe == name


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_that_leads_out_is_refused(tmp_path, kind):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_text("x")
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "leads.csv").symlink_to(outside / "secret.csv" if kind == "file" else outside)
    with pytest.raises(SourceError, match="leads out of"):
        listed(folder)


def test_what_cannot_be_sent_is_told(tmp_path):
    with pytest.raises(SourceError, match="no such folder"):
        listed(tmp_path / "none")
    with pytest.raises(SourceError, match="no file in it"):
        listed(tmp_path)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(SourceError, match="is not a file"):
        listed(tmp_path)


def test_blocks_are_named_by_place_and_content(tmp_path, monkeypatch):
    monkeypatch.setattr(upload, "BLOCK_BYTES", 4)
    path = tmp_path / "a.csv"
    path.write_bytes(b"aaaaaaaabb")
    (item,) = listed(tmp_path)
    found = fingerprint(item)
    assert [(block.offset, block.size) for block in found.blocks] == [(0, 4), (4, 4), (8, 2)]
    assert len({block.id for block in found.blocks}) == 3
    assert len({len(block.id) for block in found.blocks}) == 1
    assert read_block(item, found.blocks[2]) == b"bb"
    path.write_bytes(b"aaaaaaaabc")
    with pytest.raises(SourceError, match="changes while it is sent"):
        read_block(item, found.blocks[2])


def test_a_refused_file_stops_no_other(tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(name)

    class Picky:
        def put(self, item, found, advance, *, replace):
            if item.name == "a.csv":
                raise SourceError("a.csv: odd", "Mend it.")
            return Sent(item.name, item.size, "sent", found.sha256)

    outcomes = upload.upload(listed(tmp_path), Picky(), lambda size: None)
    assert [(item.name, item.outcome) for item in outcomes] == [("a.csv", "refused"), ("b.csv", "sent")]
    assert outcomes[0].problem == "a.csv: odd. Mend it."


def test_addresses():
    found = azure.address("abfss://lakehouse@crmlake.dfs.core.windows.net/landing/2025/")
    assert (found.account, found.container, found.path) == ("crmlake", "lakehouse", "landing/2025")
    assert found.blob_url == "https://crmlake.blob.core.windows.net"
    assert str(found) == "abfss://lakehouse@crmlake.dfs.core.windows.net/landing/2025"
    for wrong in ("https://crmlake.blob.core.windows.net/x", "abfss://crmlake/x", "abfss://A@b.dfs.c", "lakehouse"):
        with pytest.raises(MedallionError, match="no address in Azure storage"):
            azure.address(wrong)


def test_the_emulator_is_used_only_when_asked_for(monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_USE_EMULATOR", raising=False)
    assert azure.emulator() is None
    monkeypatch.setenv("AZURE_STORAGE_USE_EMULATOR", "true")
    monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", "http://127.0.0.1:10009/")
    assert azure.emulator() == "http://127.0.0.1:10009"


def test_an_address_that_cannot_be_reached_is_told_in_words(monkeypatch, tmp_path):
    """Storage and sources ask `az login` for a token when told to, and its refusal is passed on."""
    from medallion import sources
    from medallion.contracts import entities
    from medallion.errors import LakehouseError
    from medallion.lakehouse.store import Lakehouse

    asked = tmp_path / "asked"
    (tmp_path / "az").write_text(f"#!/bin/sh\necho \"$*\" >> {asked}\necho 'ERROR: Please run az login' >&2\nexit 1\n")
    (tmp_path / "az").chmod(0o755)
    monkeypatch.delenv("AZURE_STORAGE_USE_EMULATOR", raising=False)
    monkeypatch.setenv("AZURE_USE_AZURE_CLI", "true")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    address = "abfss://lakehouse@crmlakenowhere.dfs.core.windows.net/tables"
    with pytest.raises(LakehouseError, match="cannot be reached: .*az login") as told:
        Lakehouse(address).delta("gold.deals")
    assert "\x1b" not in str(told.value)
    assert "AZURE_USE_AZURE_CLI" in told.value.remedy
    with pytest.raises(SourceError, match="cannot be reached"):
        sources.scan(address, entities())
    assert set(asked.read_text().splitlines()) == {
        "account get-access-token --output json --scope https://storage.azure.com/.default"
    }


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
