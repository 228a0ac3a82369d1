"""One place, however it is spelled: folders, addresses, and what is refused."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.fs
import pytest
from deltalake import write_deltalake

from conftest import ROOT
from medallion import addresses, contracts, door, sources
from medallion.config import load
from medallion.errors import LakehouseError, MedallionError, SourceError
from medallion.lakehouse import locks, manifests, places, store
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import hold
from medallion.sources import azure, files

PACKAGE = ROOT / "src" / "medallion"


def test_only_one_module_looks_at_the_text_of_an_address():
    """Besides, Azure's addresses are known to `azure`, and a catalog's prefix where its tables are."""
    knows = {"addresses.py", "sources/azure.py", "lakehouse/unity.py"}
    pattern = re.compile(r"""(?<=["'{}])(file|uc|abfss?|s3|gs)?://(?=["'{])""")
    texts = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    assert {name for name, text in texts.items() if pattern.search(text)} == knows


def spellings(folder: Path) -> list[str]:
    """Other ways to write a folder, whose parent has a link to it beside it."""
    (folder.parent / "link").symlink_to(folder)
    return [
        f"{folder}/",
        folder.as_uri(),
        f"{folder.as_uri()}/",
        f"file://localhost{folder}",
        f"file:{folder}",
        f"FILE://{folder}".replace("lake", "%6Cake"),
        f"{folder}/../{folder.name}",
        f"{folder.parent}/./{folder.name}",
        f"{folder.parent}/link",
        f"~/{folder.name}",
        f"../{folder.parent.name}/{folder.name}",
    ]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "my lake"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_second_writer_is_refused_at_every_other_spelling(folder):
    for spelled in spellings(folder):
        for first, second in ((str(folder), spelled), (spelled, str(folder))):
            with locks.hold(first):
                assert locks.is_ours(second), (first, second)
                assert locks.is_held(second)
                with pytest.raises(LakehouseError, match="another run is writing"), locks.hold(second):
                    pytest.fail(f"{first} and {second} at once")
        assert not locks.is_ours(str(folder))
    assert [path.name for path in folder.iterdir()] in ([], [locks.LOCK_FILE])


def test_a_writer_in_another_process_is_refused_at_another_spelling(folder):
    code = "import sys; from medallion.lakehouse import locks\nwith locks.hold(sys.argv[1]): print('mine', flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code, folder.as_uri()], **pipes) as other:
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(LakehouseError, match="another run is writing"), locks.hold(str(folder)):
            pytest.fail("two at once")


def test_a_folder_is_read_the_same_at_every_spelling(folder):
    write_deltalake(str(folder / "gold" / "deals"), pa.table({"value": [1]}))
    for spelled in [str(folder), *spellings(folder)]:
        lake = Lakehouse(spelled)
        assert (lake.tables(), lake.version("gold.deals"), lake.place.reads_files) == (["gold.deals"], 0, True)
        assert lake.place.key == str(folder)
        assert Path(lake.path("gold.deals")).samefile(folder / "gold" / "deals")
        with store.reading(spelled, {"gold.deals": 0}):
            assert Lakehouse(str(folder)).pinned == {"gold.deals": 0}


def test_settings_name_a_folder_by_its_path(folder):
    settings = load(None, source="file:///my%20exports", lakehouse="~/lake")
    assert (settings.source, settings.lakehouse) == ("/my exports", f"{folder.parent}/lake")


def test_models_are_in_a_folder(folder):
    assert load(None, models=(folder / "models").as_uri()).models == str(folder / "models")
    for written in ("s3://bucket/models", "uc://crm", "foo://bar", "s3:/bucket/models"):
        with pytest.raises(MedallionError, match="is not on this machine"):
            load(None, models=written)


@pytest.mark.parametrize(
    "written", ["s3://bucket/out", "https://host/out", "C:\\out", "abfss://c@a.dfs.core.windows.net/x"]
)
def test_what_is_written_to_an_address_is_refused_and_not_put_into_a_folder_of_its_name(
    written, tmp_path, monkeypatch, capsys
):
    from medallion import cli

    monkeypatch.chdir(tmp_path)
    for line in (
        ["simulate", "--customers", "5", "--days", "5", "--seed", "1", "--out"],
        ["eda", "--out"],
        ["export", "--to"],
        ["run", "--contract"],
        ["dashboard", "--export"],
    ):
        monkeypatch.setattr(sys, "argv", ["medallion", *line, written])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr().err
        assert ended.value.code == 1
        assert f"{written}: is " in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("address", "words"), [("abfss://c@a", "az login"), ("s3://b", "AWS_ACCESS_KEY_ID"), ("gs://b", "GOOGLE_APPL")]
)
def test_what_helps_at_an_address_is_of_its_store(address, words):
    with pytest.raises(LakehouseError, match="cannot be reached: no route") as told, places._reached(address):
        raise OSError("no route")
    assert words in told.value.remedy


def test_exports_are_the_same_files_by_path_and_by_address(folder):
    (folder / "customers.csv").write_text(
        "customer_id,company,industry,country,created_at\nC1,Acme,Retail,US,2025-01-01\n"
    )
    entities = contracts.entities()
    by_path = sources.scan(str(folder), entities)
    for spelled in (folder.as_uri(), "~/my lake", f"{folder}/"):
        assert [file.uri for file in sources.scan(spelled, entities).files] == [file.uri for file in by_path.files]
    (file,) = by_path.files
    (folder.parent / "link").symlink_to(folder)
    (linked,) = sources.scan(str(folder.parent / "link"), entities).files
    earlier = replace(file, uri=f"{folder.as_uri()}/{file.name}")  # as a lakehouse of an earlier version has it
    assert hold._place(linked) == hold._place(earlier) == hold._place(file), "a corrected file is in its place"


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ("foo://bar", "Use a folder, or one of: abfss://..., s3://..., gs://"),
        ("http://host/lake", "Download the files into a folder"),
        ("ftp://host/lake", "Download the files into a folder"),
        ("s3a://bucket/lake", "Write s3://bucket/lake."),
        ("s3:/bucket/lake", "Write s3://bucket/lake."),
        ("gss://bucket/lake", "Write gs://bucket/lake, if that was meant."),
        ("az://container/lake", "Write abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/FOLDER."),
        ("wasbs://c@acc.blob.core.windows.net/x", "Write abfss://c@acc.dfs.core.windows.net/x."),
        ("https://acc.blob.core.windows.net/c/x?sig=secret", "Write abfss://c@acc.dfs.core.windows.net/x."),
        ("https://onelake.dfs.fabric.microsoft.com/ws/l.Lakehouse/Files", "Write abfss://ws@onelake.dfs.fabric.microsoft.com/l.Lakehouse/Files."),
        ("https://bucket.s3.eu-west-1.amazonaws.com/lake", "Write s3://bucket/lake."),
        ("https://storage.googleapis.com/bucket/lake", "Write gs://bucket/lake."),
        ("dbfs:/Volumes/crm/landing/exports", "Write /Volumes/crm/landing/exports."),
        ("file://host/lake", "Write a path, such as /host/lake, or file:///host/lake."),
        ("file:///lake%2", "Write the path instead."),
        ("C:\\crm\\lake", "Write it as WSL2 sees it, such as /mnt/c/crm/lake."),
        ("D:/crm", "Write it as WSL2 sees it, such as /mnt/d/crm."),
        ("~nobody-of-that-name/lake", "Write a path; a folder of that name is ./~nobody-of-that-name/lake."),
        ("\\\\server\\share", "Write it as WSL2 sees it"),
    ],
)  # fmt: skip
def test_an_address_of_another_kind_is_refused_with_the_nearest_one(written, remedy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for told, refused in (
        (LakehouseError, lambda: Lakehouse(written)),
        (LakehouseError, lambda: load(None, lakehouse=written)),
        (LakehouseError, lambda: locks.hold(written).__enter__()),
        (SourceError, lambda: load(None, source=written)),
        (SourceError, lambda: sources.scan(written, contracts.entities())),
        (SourceError, lambda: files.filesystem(written)),
    ):
        with pytest.raises(told) as error:
            refused()
        assert error.value.remedy.startswith(remedy)
        assert "secret" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_catalog_is_no_source_and_hdfs_no_lakehouse():
    with pytest.raises(SourceError, match="in a volume: write /Volumes/"):
        addresses.of_source("uc://crm")
    with pytest.raises(LakehouseError, match="Use a folder"):
        addresses.of_lakehouse("hdfs://node/lake")
    assert addresses.of_source("hdfs://node/exports") == "hdfs://node/exports"


@pytest.mark.parametrize("name", ["a:b", "lake@home", "1://2", "s3"])
def test_a_folder_may_have_odd_characters(name):
    assert Lakehouse(name).root == name
    assert Lakehouse(name).folder == Path(name)


def test_each_place_names_its_tables():
    assert Lakehouse("s3://bucket/lake/").path("gold.deals") == "s3://bucket/lake/gold/deals"
    assert Lakehouse("S3://bucket/lake").place.key == Lakehouse("s3://bucket/lake/").place.key
    assert (Lakehouse("s3://bucket").folder, Lakehouse("s3://bucket").catalog) == (None, None)
    assert (Lakehouse("uc://crm").folder, Lakehouse("uc://crm").catalog) == (None, "crm")
    assert Lakehouse("lake").path("gold.deals") == str(Path("lake/gold/deals").absolute())


@pytest.mark.parametrize(
    ("address", "account", "path"),
    [
        ("abfss://Sales Team@onelake.dfs.fabric.microsoft.com/crm.Lakehouse/Files/x", "onelake.blob.fabric.microsoft.com", "Sales Team/crm.Lakehouse/Files/x"),
        ("abfss://0d1f-ab@westus-onelake.dfs.fabric.microsoft.com/crm.Lakehouse", "westus-onelake.blob.fabric.microsoft.com", "0d1f-ab/crm.Lakehouse"),
        ("abfss://lake@crmlake.dfs.core.chinacloudapi.cn/x", "crmlake.blob.core.chinacloudapi.cn", "lake/x"),
        ("abfss://lake@crmlake.dfs.core.windows.net/x", "crmlake.blob.core.windows.net", "lake/x"),
    ],
)  # fmt: skip
def test_onelake_and_other_clouds_are_the_account_that_they_name(address, account, path, monkeypatch):
    """pyarrow takes a workspace for the account, and its first folder for the container."""
    monkeypatch.delenv("AZURE_STORAGE_USE_EMULATOR", raising=False)
    fs, found = files.filesystem(address)
    (options,) = fs.__reduce__()[1]
    assert isinstance(fs, pa.fs.AzureFileSystem)
    assert (options["account_name"] + options["blob_storage_authority"], found) == (account, path)
    assert azure.address(address).blob_url == f"https://{account}"


def test_proposals_at_an_address_are_refused_and_write_nothing_here(tmp_path, monkeypatch):
    from medallion.care import proposals

    monkeypatch.chdir(tmp_path)
    actions = proposals.Actions(Lakehouse("s3://bucket/lake"))
    assert list(actions.events()) == []
    with pytest.raises(LakehouseError, match="in a folder"):
        actions.path  # noqa: B018
    assert list(tmp_path.iterdir()) == []


def test_a_small_file_is_there_whole_or_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "x.json"
    door.write(path, "one")
    assert (path.read_text(), oct(path.stat().st_mode & 0o777)) == ("one", "0o600")
    path.with_name("x.json.part").write_text("left by a killed writer")
    path.with_name("x.json.part").chmod(0o644)
    door.write(path, b"two")
    assert (path.read_bytes(), oct(path.stat().st_mode & 0o777)) == (b"two", "0o600")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(LakehouseError, match="no room left"):
        door.write(path, "three")
    assert [(one.name, one.read_text()) for one in path.parent.iterdir()] == [("x.json", "two")]


def test_the_folders_of_a_new_file_last_through_a_power_failure_too(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(door, "flush", flushed.append)
    door.write(tmp_path / "models" / "2025" / "model.json", "one")
    assert flushed == [tmp_path / "models", tmp_path, tmp_path / "models" / "2025"]


def test_manifests_of_an_address_on_this_disk(tmp_path):
    """What is asked of an address works without its folder."""
    lake = Lakehouse(str(tmp_path / "lake"))
    assert manifests.history(lake) == []
    address = places.Address(f"file://{tmp_path}/lake")
    write_deltalake(address.path("gold.deals"), pa.table({"value": [1]}))
    assert (list(address.tables()), address.exists("gold.deals")) == (["gold.deals"], True)
    address.remove("gold.deals")
    assert (list(address.tables()), address.exists("gold.deals")) == ([], False)
    assert address.document().read() == {}
