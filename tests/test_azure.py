"""Azure storage for real, as far as the emulator goes, and the real parser of the Azure CLI: `just azure`."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shlex
import subprocess
import sys
import time
import uuid

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from conftest import NOW, ROOT
from medallion import pipeline
from medallion.config import load
from medallion.deploy import adls, upload
from medallion.errors import MedallionError
from medallion.lakehouse import locks
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import journal
from medallion.sources import azure

pytestmark = pytest.mark.azure

TOOLS = ROOT / ".tools"


@pytest.fixture
def root(emulator):
    """The address of a new container."""
    name = f"lake-{uuid.uuid4().hex[:12]}"
    uri = f"abfss://{name}@devstoreaccount1.dfs.core.windows.net"
    adls.container(azure.address(uri)).create_container()
    return uri


def contents(uri):
    """Every blob of a container: name, content and MD5."""
    client = adls.container(azure.address(uri))
    return {blob.name: client.download_blob(blob.name).readall() for blob in client.list_blobs()}


def exports(folder, **sizes):
    folder.mkdir()
    maker = random.Random(7)  # noqa: S311
    for name, size in sizes.items():
        (folder / f"{name}.csv").write_bytes(maker.randbytes(size))
    return upload.listed(folder)


def send(items, uri, **options):
    seen = []
    done = upload.upload(items, adls.Adls(uri), seen.append, **options)
    assert sum(seen) == sum(item.size for item in items if item)
    return {item.name: item.outcome for item in done}


def test_everything_arrives_once(root, tmp_path):
    items = exports(tmp_path / "exports", leads=3 << 20, customers=17 << 20, empty=0)
    uri = f"{root}/landing"
    assert send(items, uri) == {"customers.csv": "sent", "empty.csv": "sent", "leads.csv": "sent"}
    found = contents(uri)
    assert set(found) == {f"landing/{item.name}" for item in items}
    for item in items:
        assert found[f"landing/{item.name}"] == item.path.read_bytes()
        properties = adls.container(azure.address(uri)).get_blob_client(f"landing/{item.name}").get_blob_properties()
        assert (
            properties.content_settings.content_md5
            == hashlib.md5(item.path.read_bytes(), usedforsecurity=False).digest()
        )
    assert set(send(items, uri).values()) == {"there"}


def test_other_content_is_written_over_only_when_asked(root, tmp_path):
    (item,) = exports(tmp_path / "exports", leads=1000)
    send([item], root)
    item.path.write_bytes(b"z" * 1000)
    refused = upload.upload([item], adls.Adls(root), lambda size: None)
    assert refused[0].outcome == "refused"
    assert "--replace" in refused[0].problem
    assert contents(root)["leads.csv"] != b"z" * 1000
    assert send([item], root, replace=True) == {"leads.csv": "sent"}
    assert contents(root)["leads.csv"] == b"z" * 1000


@pytest.mark.parametrize("seed", range(4))
def test_an_upload_cut_at_any_block_goes_on_from_there(root, tmp_path, monkeypatch, seed):
    from azure.core.exceptions import ServiceRequestError
    from azure.storage.blob import BlobClient

    monkeypatch.setattr(upload, "BLOCK_BYTES", 64 << 10)
    (item,) = exports(tmp_path / "exports", leads=(20 * 64 << 10) + 5)
    at, calls, real = random.Random(seed).randrange(21), [], BlobClient.stage_block  # noqa: S311

    def cut(self, block_id, data, **options):
        calls.append(len(data))
        if len(calls) > at:
            raise ServiceRequestError("cut")
        return real(self, block_id, data, **options)

    monkeypatch.setattr(BlobClient, "stage_block", cut)
    with pytest.raises(MedallionError, match="does not answer"):
        upload.upload([item], adls.Adls(root), lambda size: None)
    assert contents(root) == {}, "a file that is not whole is not seen"

    sent = []
    monkeypatch.setattr(BlobClient, "stage_block", lambda *a, **o: sent.append(len(a[2])) or real(*a, **o))
    (done,) = upload.upload([item], adls.Adls(root), lambda size: None)
    assert done.outcome == "sent"
    assert sum(sent) + done.resumed_bytes == item.size
    assert len(sent) == 21 - at
    assert contents(root)["leads.csv"] == item.path.read_bytes()


def test_a_killed_upload_goes_on_from_there(root, tmp_path):
    (item,) = exports(tmp_path / "exports", leads=200 << 20)
    line = [
        sys.executable,
        str(ROOT / "scripts" / "upload_data.py"),
        str(item.path.parent),
        "--to",
        "adls",
        "--at",
        root,
    ]
    blob = adls.container(azure.address(root)).get_blob_client("leads.csv")
    killed = subprocess.Popen([*line, "--workers", "1"], stderr=subprocess.DEVNULL)
    for _ in range(600):
        if len(adls._uncommitted(blob)) >= 3:
            break
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    assert contents(root) == {}
    done = json.loads(subprocess.check_output([*line, "--json"], stderr=subprocess.DEVNULL))
    assert done["files"][0]["outcome"] == "sent"
    assert 3 * upload.BLOCK_BYTES <= done["files"][0]["resumed_bytes"] < item.size
    assert hashlib.sha256(contents(root)["leads.csv"]).hexdigest() == done["files"][0]["sha256"]


def test_a_file_that_grows_meanwhile_is_not_sent(root, tmp_path, monkeypatch):
    monkeypatch.setattr(upload, "BLOCK_BYTES", 1000)
    first, second = exports(tmp_path / "exports", a=5000, b=5000)
    found = upload.fingerprint(first)
    first.path.write_bytes(b"y" * 5000)
    with pytest.raises(MedallionError, match="changes while it is sent"):
        adls.Adls(root).put(first, found, lambda size: None, replace=False)
    assert send([second], root) == {"b.csv": "sent"}


def test_no_container(emulator, tmp_path):
    items = exports(tmp_path / "exports", leads=10)
    with pytest.raises(MedallionError, match="ContainerNotFound") as told:
        upload.upload(items, adls.Adls("abfss://nowhere@devstoreaccount1.dfs.core.windows.net/x"), lambda size: None)
    assert "setup_azure_storage.sh" in told.value.remedy


def test_no_key_is_ever_printed(root, tmp_path):
    exports(tmp_path / "exports", leads=10)
    line = [sys.executable, str(ROOT / "scripts" / "upload_data.py"), str(tmp_path / "exports"), "--to", "adls", "--at"]
    for at in (root, "abfss://nowhere@devstoreaccount1.dfs.core.windows.net/x"):
        for options in ([], ["--json"]):
            done = subprocess.run([*line, at, *options], capture_output=True, text=True)
            assert azure.EMULATOR_KEY[:12] not in done.stdout + done.stderr
            assert "Authorization" not in done.stdout + done.stderr


# --- two writers -----------------------------------------------------------------------------------------------------


def test_a_second_writer_is_refused_before_it_writes(root):
    with locks.hold(root):
        before = set(contents(root))
        with pytest.raises(MedallionError, match=r"another run is writing to this lakehouse \(process \d+ on ") as told:
            pipeline.run(load(None, source=str(ROOT / "data"), lakehouse=root), NOW)
        assert "expires 10 minutes after its last sign of life" in told.value.remedy
        assert set(contents(root)) == before
    assert not locks.peek(root)["holder"]
    assert Lakehouse(root).tables() == [], "the lock is no table of the lakehouse"


def test_of_many_at_the_same_time_one_writes(root):
    """Each in a process of its own. The first time the lock is created, then it is taken."""
    code = (
        "import sys, time\nfrom medallion.lakehouse import locks\nfrom medallion.errors import LakehouseError\n"
        "print('ready', flush=True)\nsys.stdin.readline()\n"
        "try:\n    with locks.hold(sys.argv[1]): print('mine', flush=True); sys.stdin.read()\n"
        "except LakehouseError as error: print('refused' if 'another run is writing' in str(error) else error, flush=True)\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    for _ in range(2):
        racing = [subprocess.Popen([sys.executable, "-c", code, root], **pipes) for _ in range(4)]
        assert [one.stdout.readline() for one in racing] == ["ready\n"] * 4
        for one in racing:
            print(file=one.stdin, flush=True)
        said = sorted(one.stdout.readline().strip() for one in racing)
        for one in racing:
            one.communicate()
        assert said == ["mine", "refused", "refused", "refused"]


def test_what_a_killed_writer_left_is_rolled_back(root):
    lake = Lakehouse(root)
    for value in (1, 2):
        write_deltalake(lake.path("gold.deals"), pa.table({"value": [value]}), mode="overwrite")
    code = (
        "import os, sys\nimport pyarrow as pa\nfrom deltalake import write_deltalake\n"
        "from medallion.pipeline import journal\nfrom medallion.lakehouse.store import Lakehouse\nlake = Lakehouse(sys.argv[1])\n"
        "with journal.writing(lake) as writer, writer.intent('score', ['gold.deals', 'gold.attribution', 'ops.runs']):\n"
        "    for name in ('gold.deals', 'gold.attribution'):\n"
        "        write_deltalake(lake.path(name), pa.table({'value': [3]}), mode='overwrite')\n"
        "    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, root]).returncode == 9
    assert journal.unfinished_intent(lake)["kind"] == "score"
    with journal.writing(lake) as writer:
        assert "The score that began at" in writer.recovered[0]
    assert lake.tables() == ["gold.deals", "ops.manifests"]
    assert lake.delta("gold.deals").to_pyarrow_table()["value"].to_pylist() == [2]


# --- the Azure CLI ---------------------------------------------------------------------------------------------------


@pytest.fixture
def az(tmp_path):
    """Runs the setup script with the real parser of `az` in front of nothing."""
    shim = tmp_path / "az"
    shim.write_text(f'#!/bin/sh\nexec {TOOLS}/az/bin/python {ROOT}/tests/doubles/az.py "$@"\n')
    shim.chmod(0o755)
    log = tmp_path / "az.jsonl"
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "AZ_LOG": str(log)}
    environment["AZURE_CONFIG_DIR"] = str(tmp_path / "config")

    def run(*line, **more):
        log.write_text("")
        done = subprocess.run(line, capture_output=True, text=True, env={**environment, **more})
        return done, [json.loads(item) for item in log.read_text().splitlines()]

    return run


def test_the_azure_cli_takes_every_line(az):
    everything = [
        "--with-workspace",
        "--with-key-vault",
        "--with-data-factory",
        "https://adb-1.2.azuredatabricks.net",
        "42",
    ]
    everything += ["--uploader", "11111111-2222-3333-4444-555555555555", "--allow-ip", "203.0.113.0/24"]
    here = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers"
    everything += ["--allow-subnet", f"{here}/Microsoft.Network/virtualNetworks/v/subnets/s"]
    everything += ["--logs-to", f"{here}/Microsoft.OperationalInsights/workspaces/w"]
    script = ["bash", str(ROOT / "scripts" / "setup_azure_storage.sh")]
    arguments = ["--group", "rg-crm", "--account", "crmlake01", "--location", "westeurope", *everything]
    done, lines = az(*script, *arguments)
    assert done.returncode == 0, done.stderr
    assert len(lines) == 11
    done, lines = az(*script, *arguments, "--what-if", AZ_GROUP_EXISTS="true")
    assert done.returncode == 0, done.stderr
    assert [line[2] for line in lines if line[0] == "deployment"] == ["what-if"] * 3
    assert not [line for line in lines if line[:2] == ["group", "create"]]
    assert [line[:3] for line in lines if line[0] == "storage"] == [["storage", "account", "list"]]


def test_the_azure_cli_takes_every_line_of_the_docs(az):
    told = "".join((ROOT / "docs" / name).read_text() for name in ("AZURE_NETWORK.md", "DEPLOYMENT.md", "CI_CD.md"))
    lines = re.findall(r"^ *az (?:[^\n\\]|\\\n)*", told.replace("$(az ", "\naz "), re.MULTILINE)
    written = [shlex.split(line.replace("\\\n", " ").split(")")[0].strip('" ')) for line in lines]
    assert len(written) >= 4
    for line in written:
        done, seen = az(*line)
        assert (done.returncode, len(seen)) == (0, 1), f"{' '.join(line)}: {done.stderr}"


def test_the_parser_is_the_real_one(az):
    done, lines = az("az", "group", "create", "--name", "x", "--location", "westeurope", "--nonsense", "1")
    assert (done.returncode, lines) == (2, [])
    assert "unrecognized arguments: --nonsense" in done.stderr


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, "-m", "azure", "-n", "0"]))
