"""What people and broken programs put into a folder: each has a clear account, nothing is lost in silence."""

from __future__ import annotations

import gzip
import io
import os
import signal
import struct
import sys
import time
import warnings
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from medallion import contracts, sources
from medallion.errors import ContractError, MedallionError
from medallion.sources import confined, readers
from medallion.sources.files import Place

GOOD = "customer_id,customer_name\nC1,Anvil\n"


def workbook(*cells: tuple[int, int, object]) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    sheet = book.add_worksheet()
    for row, column, value in cells:
        sheet.write(row, column, value)
    book.close()
    return out.getvalue()


def archive(*members: tuple[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # two of one name
        for name, content in members:
            target.writestr(name, content)
    return out.getvalue()


def refusals(folder, **files: bytes) -> list[str]:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [item.problem for item in sources.scan(str(folder), contracts.entities()).refused]


CRM = archive(("leads.csv", "x" * 3000))
REFUSED = {
    "export.zip": (CRM[: len(CRM) // 2], "export.zip: cannot be read"),
    "anything.xlsx": (workbook((0, 0, "a"))[:2000], "anything.xlsx: is not a readable workbook"),
    "locked.xlsx": (b"\xd0\xcf\x11\xe0" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"), "locked.xlsx: the workbook needs a password"),
    "report.xls": (b"<html><body>x</body></html>", "report.xls: is a web page (HTML or XML)"),
    "crm.zip": (archive(("inner.zip", "PK\x03\x04...")), "crm.zip/inner.zip: cannot be read: File is not a zip file"),
    "twice.zip": (archive(("leads.csv", "a"), ("leads.csv", "b")), "twice.zip/leads.csv: is the second member of that name"),
    "leads.xlsx": (workbook((0, 0, "lead_id"), (1_048_575, 16_383, "far")), "a sheet reaches to row 1,048,576 and column 16,384"),
    "customers32.csv": (GOOD.encode("utf-32"), "customers32.csv: is UTF-32, which is not read"),
    "empty.zip": (archive(), "empty.zip: is an empty archive"),
    "leads.jsonl": (b'{"lead_id": "' + b"x" * (17 << 20) + b'"}', "a line is longer than 8 MiB"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_opened_is_told_whatever_its_name(tmp_path, name):
    content, says = REFUSED[name]
    found = refusals(tmp_path, **{"customers.csv": GOOD.encode(), name: content})
    assert any(says in problem for problem in found), found


def test_a_missing_quote_swallows_no_record(to_silver, rows):
    """Three records between two quotation marks, of which neither is the other's."""
    text = 'customer_id,customer_name\nC1,"Anvil\nC2,Bolt\nC3,"Cog" Ltd\nC4,Dowel\nC5,"Elm, and\nfriends"\n'
    result, lake = to_silver({"customers.csv": text})
    (account,) = result.accounts
    assert (account["accepted"], account["quarantined"]) == (2, 1)
    (refused,) = rows(lake, "select source_row, reasons[1] as reason, raw from silver.quarantine")
    assert refused["source_row"] == 2
    assert "a cell goes on over records; is a quotation mark missing?" in refused["reason"]
    assert "C2" in refused["raw"]
    assert "C3" in refused["raw"]
    kept = rows(lake, "select customer_id, customer_name as n from silver.customers_clean order by 1")
    assert [tuple(row.values()) for row in kept] == [("C4", "Dowel"), ("C5", "Elm, and friends")]


def test_a_note_may_have_lines_that_read_like_records(to_silver, rows):
    text = 'customer_id,customer_name\nC1,"Anvil\nC2,Bolt\nC3,Cog"\nC4,"Dowel\nC5,""Elm"""\n'
    result, lake = to_silver({"customers.csv": text})
    (account,) = result.accounts
    assert (account["accepted"], account["quarantined"]) == (1, 1)  # of two quotation marks it cannot be told
    assert [row["n"] for row in rows(lake, "select customer_name as n from silver.customers_clean")] == [
        "Anvil C2,Bolt C3,Cog"
    ]


@pytest.mark.parametrize(
    "end", ["\r", pytest.param("\r\n", marks=pytest.mark.slow), pytest.param("\n", marks=pytest.mark.slow)]
)
def test_a_title_above_the_header_whatever_ends_a_line(to_silver, end):
    text = end.join(["Report", "of June", "customer_id,customer_name", "C1,Anvil", "C2,Bolt", ""])
    result, _ = to_silver({"customers.csv": text})
    assert [(a["rows_read"], a["accepted"]) for a in result.accounts] == [(2, 2)]


def test_a_header_within_the_records_is_no_record(to_silver, rows):
    result, lake = to_silver({"customers.csv": "\ufeff" + GOOD + "\ufeff" + GOOD.replace("C1", "C2")})
    assert [(a["accepted"], a["quarantined"]) for a in result.accounts] == [(2, 1)]
    assert "repeats the header" in rows(lake, "select reasons[1] as r from silver.quarantine")[0]["r"]


def test_numbers_in_json_stay_as_they_were_written(to_silver):
    line = '{"product_id": 12345678901234567890.12, "product_name": "x", "list_price": 1234567890123456.78, "more": [1.10, {"a": 1e2}]}\n'
    _, lake = to_silver({"products.jsonl": line})
    (found,) = _bronze(lake)
    assert found == ("12345678901234567890.12", "1234567890123456.78", '[1.10,{"a":1e2}]')


def _bronze(lake):
    from medallion.lakehouse import query

    with query.connect(lake, layers=["bronze"]) as connection:
        return connection.execute("select product_id, list_price, more from bronze.products").fetchall()


def test_json_lines_named_csv_are_json_lines(to_silver, rows):
    result, lake = to_silver(
        {"customers.csv": '{"CUSTOMER_ID": "other", "customer_id": "C1", "customer_name": "Anvil"}\n'}
    )
    assert result.accounts[0]["accepted"] == 1
    assert rows(lake, "select customer_id from silver.customers_clean") == [{"customer_id": "C1"}]


def test_a_folder_has_things_in_it_that_are_no_files(tmp_path):
    (tmp_path / "customers.csv").write_text(GOOD)
    (tmp_path / "leads.csv").mkdir()
    (tmp_path / "interactions.csv").symlink_to(tmp_path / "interactions.csv")
    (tmp_path / "_products.csv").write_text("x")
    scan = sources.scan(str(tmp_path), contracts.entities())
    assert [file.name for file in scan.files] == ["customers.csv"]
    assert scan.ignored == ("_products.csv", "interactions.csv", "leads.csv")


def test_a_file_name_that_is_no_text(tmp_path):
    import os

    (tmp_path / "customers.csv").write_text(GOOD)
    with open(os.fsencode(tmp_path) + b"/leads\xff.csv", "w") as out:
        out.write("x")
    (refusal,) = sources.scan(str(tmp_path), contracts.entities()).refused
    assert "a file name that is not UTF-8" in refusal.problem


SQL = [
    ("count(val)", "looks at more than one row"), ("explode(array(1,2))", "looks at more than one row"),
    ("row_number() over (order by val)", "looks at more than one row"), ("exists(select 1)", "is a statement"),
    ("rand()", "is not the same every time"), ("current_timestamp()", "is not the same every time"),
]  # fmt: skip
CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: mine
name: mine
version: 1.0.0
status: active
schema:
  - name: customers
    customProperties:
      - property: sources
        value: [{file: customers, columns: {customer_id: customer_id, customer_name: customer_name, city: {sql: "SQL"}}}]
"""


@pytest.mark.parametrize(("sql", "says"), SQL, ids=[sql for sql, _ in SQL])
def test_an_expression_is_one_over_a_row(tmp_path, sql, says):
    path = tmp_path / "mine.odcs.yaml"
    path.write_text(CONTRACT.replace("SQL", sql))
    with pytest.raises(ContractError, match=says):
        contracts.entities([path])


def test_an_expression_that_the_engine_does_not_know_leaves_nothing_behind(to_silver, tmp_path):
    path = tmp_path / "mine.odcs.yaml"
    path.write_text(CONTRACT.replace("SQL", "nosuchfunction(customer_id)"))
    with pytest.raises(ContractError, match=r"customers.city: 'nosuchfunction\(customer_id\)' cannot be evaluated"):
        to_silver({"customers.csv": GOOD}, contracts=(path,))
    path.write_text(CONTRACT.replace("SQL", "upper(customer_name)"))
    result, _ = to_silver({"customers.csv": GOOD}, contracts=(path,))
    assert result.accounts[0]["accepted"] == 1


def test_what_would_steer_a_terminal_is_spelled_out():
    from medallion.cli.console import plain

    assert plain("na\x1b[31mme\x00 \u202eabc ü") == "na\\x1b[31mme\\x00 \\u202eabc ü"


@pytest.mark.parametrize("address", ["sc://127.0.0.1:9", "sc://127.0.0.1:9/;token=secret", "sc://127.0.0.1:not-a-port"])
def test_a_server_that_does_not_answer_is_not_waited_for(monkeypatch, address):
    from medallion.lakehouse import session

    monkeypatch.setenv("SPARK_REMOTE", address)
    with pytest.raises(MedallionError, match="nothing answers there") as error:
        session._remote(None)
    assert "secret" not in str(error.value)


FAR = {
    "single quotation marks": "<row r='9'><c r='XFD1048576' t='inlineStr'><is><t>x</t></is></c></row>",
    "attributes in another order": '<row r="9"><c t="inlineStr" r="XFD1048576"><is><t>x</t></is></c></row>',
    "a prefix": '<x:row r="9"><x:c r="XFD1048576" t="inlineStr"><x:is><x:t>x</x:t></x:is></x:c></x:row>',
}


def with_sheet(rows: str, sheet: str = "worksheets/sheet1.xml") -> bytes:
    """A workbook whose one sheet has these rows, and lies where its relationships say."""
    made, out = io.BytesIO(workbook((0, 0, "customer_id"))), io.BytesIO()
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    text = f'<worksheet xmlns="{main}" xmlns:x="{main}"><sheetData>{rows}</sheetData></worksheet>'
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.infolist():
            content = source.read(part)
            if part.filename == "xl/worksheets/sheet1.xml":
                target.writestr(f"xl/{sheet}", text)
            else:
                target.writestr(part.filename, content.replace(b"worksheets/sheet1.xml", sheet.encode()))
    return out.getvalue()


@pytest.mark.parametrize("rows", FAR.values(), ids=FAR.keys())
@pytest.mark.parametrize("sheet", ["worksheets/sheet1.xml", "elsewhere/sheet.xml"])
def test_a_cell_far_away_is_found_however_it_is_written(tmp_path, rows, sheet):
    """The native reader would ask for 512 GiB and end the process."""
    (problem,) = refusals(tmp_path, **{"customers.xlsx": with_sheet(rows, sheet), "products.csv": b"product_id\n1\n"})[
        :1
    ]
    assert problem.startswith("customers.xlsx: a sheet reaches to row 1,048,576 and column 16,384")


@pytest.fixture
def limits(monkeypatch):
    """`limits(memory=..., seconds=...)` are those of the processes that read files, until the end of a test."""

    def change(memory: int = 6 << 30, seconds: int = 600) -> None:
        confined.end_all()
        monkeypatch.setattr(confined, "_MEMORY", memory)
        monkeypatch.setattr(confined, "_SECONDS", seconds)

    yield change
    confined.end_all()


def far(rows: int) -> bytes:
    """A workbook that needs much memory, though no more cells than a sheet may have."""
    return with_sheet(f"<row r='1'><c r='A1'><v>1</v></c></row><row r='9'><c r='ZZ{rows}'><v>1</v></c></row>")


NEEDY = {
    "leads.xlsx": (lambda: far(40_000), "leads.xlsx#Sheet1: is not a readable workbook: reading it takes more than 200 MiB"),
    "leads.json": (lambda: b'[{"a":[' + b"[],[{}]," * 1_200_000 + b"0]}]", "leads.json: is not a readable JSON document: reading it takes more than 200 MiB"),
    "leads.xls": (lambda: b"<table>" + b"<tr><td colspan=9999>" * 4000, "leads.xls: is not a readable web page: reading it takes more than 200 MiB"),
}  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no limit of memory")
@pytest.mark.parametrize("name", NEEDY)
def test_a_file_that_ends_its_reader_is_refused_and_the_others_are_read(tmp_path, limits, name):
    make, says = NEEDY[name]
    limits(memory=200 << 20)
    (tmp_path / "customers.csv").write_text(GOOD)
    (tmp_path / "customers_2.xlsx").write_bytes(workbook((0, 0, "customer_id"), (0, 1, "customer_name"), (1, 0, "C2")))
    (tmp_path / name).write_bytes(make())
    found = sources.scan(str(tmp_path), contracts.entities())
    assert [file.name for file in found.files] == ["customers.csv", "customers_2.xlsx#Sheet1"]
    (refused,) = found.refused
    assert refused.problem.startswith(says)
    assert refused.remedy.endswith(".")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of processor time")
def test_a_file_that_takes_too_long_is_refused(tmp_path, limits):
    limits(seconds=1)
    content = b'[{"a":[' + b"[{}]," * 4_000_000 + b"0]}]"
    (problem,) = refusals(tmp_path, **{"customers.json": content})
    assert "is not a readable JSON document: reading it takes more than 1 seconds" in problem


def test_a_damaged_file_costs_its_reader_no_life(tmp_path):
    """What a library says of it is passed on, and the process reads the next file."""
    confined.end_all()
    begun = []
    whole = confined._Child.__init__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(confined._Child, "__init__", lambda self: begun.append(self) or whole(self))
        good = workbook((0, 0, "customer_id"), (0, 1, "customer_name"))
        damaged = {"leads.parquet": b"PAR1" + b"\0" * 99 + b"PAR1", "leads.json": b'{"a": [1,', "leads.zip": CRM[:-9]}
        assert len(refusals(tmp_path, **damaged, **{"products.xlsx": good[:900], "customers.xlsx": good})) == 4
    assert len(begun) == 1
    confined.end_all()
    assert not confined._IDLE
    assert begun[0].process.returncode is not None


@pytest.fixture
def reader(tmp_path):
    """A process that has read a document, and how to ask it again."""
    (tmp_path / "x.json").write_text('[{"a": 1}]')
    confined.end_all()

    def ask():
        return list(confined.ask(Place.at(str(tmp_path / "x.json")), "x.json", "documents.lists"))

    assert ask()
    yield confined._IDLE[-1], ask
    confined.end_all()


def test_a_reader_knows_no_secret_of_the_environment(monkeypatch, request):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    monkeypatch.setenv("AZURE_STORAGE_KEY", "secret")
    child, _ = request.getfixturevalue("reader")
    known = Path(f"/proc/{child.process.pid}/environ")
    if not known.exists():
        pytest.skip("only Linux tells the environment of a process")
    names = {entry.partition(b"=")[0].decode() for entry in known.read_bytes().split(b"\0") if entry}
    assert {"PATH", "ARROW_DEFAULT_MEMORY_POOL"} <= names
    assert all(confined._is_known(name) for name in names)
    assert b"secret" not in known.read_bytes()


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="stops a process")
def test_a_reader_that_waits_for_ever_is_ended(monkeypatch, reader):
    child, ask = reader
    monkeypatch.setattr(confined, "_SILENCE", 0.5)
    os.kill(child.process.pid, signal.SIGSTOP)
    with pytest.raises(OSError, match="come no further"):
        ask()
    assert child.process.poll() is not None
    monkeypatch.setattr(confined, "_SILENCE", 60.0)
    assert ask()  # by another one


def test_a_reader_is_not_believed_that_it_says_too_much(monkeypatch, reader):
    child, ask = reader
    monkeypatch.setattr(child, "_from_child", io.BytesIO(struct.pack(">cQ", b"J", 1 << 62)))
    with pytest.raises(OSError, match="in one piece"):
        ask()


def test_the_directory_of_an_archive_is_read_once(tmp_path):
    """Thousands of members, in an archive and in one within it, in seconds; another archive of that name is another."""
    memos = [(f"memo_{n}.txt", "hello\n") for n in range(4000)]
    inner = archive(("customers_2.csv", GOOD.replace("C1", "C2")), *memos)
    out = io.BytesIO(archive(("customers.csv", GOOD), *memos))
    with zipfile.ZipFile(out, "a") as target:
        target.writestr("inner.zip", inner)
    (tmp_path / "export.zip").write_bytes(out.getvalue())
    began = time.process_time()
    found = sources.scan(str(tmp_path), contracts.entities())
    assert time.process_time() - began < 10
    names = ["export.zip/customers.csv", "export.zip/inner.zip/customers_2.csv"]
    assert ([file.name for file in found.files], len(found.ignored)) == (names, 8000)
    (tmp_path / "export.zip").write_bytes(archive(("customers.csv", GOOD.replace("C1", "C2")), ("a.txt", "x")))
    assert len(sources.scan(str(tmp_path), contracts.entities()).ignored) == 1


def bomb(members: int, size: int) -> bytes:
    """An archive that says of its members that they unpack to so many bytes each."""
    content = archive(*((f"leads_{n}.csv", "x" * 100) for n in range(members)))
    return content.replace((100).to_bytes(4, "little"), size.to_bytes(4, "little"))


def packed(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return out.getvalue()


LEADING_OUT = ("../leads.csv", "/etc/leads.csv", "a/../../leads.csv", "C:\\leads.csv", "..\\leads.csv")
ARCHIVES = {
    **{name: (archive((name, "x")), f"crm.zip/{name}: is a member whose name leads out of the archive") for name in LEADING_OUT},
    "a bomb": (bomb(1, 3 << 30), "crm.zip: would unpack to 3,072 MiB, 500 times its size"),
    "a bomb of many members": (bomb(40, 99 << 20), "crm.zip: would unpack to 3,960 MiB, 500 times its size"),
    "an archive in archives": (packed(**{"a.zip": packed(**{"b.zip": packed(**{"c.zip": b"x"})})}), "crm.zip/a.zip/b.zip: an archive in an archive in an archive is not opened"),
    "encrypted": (archive(("leads.csv", "x")).replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0"), "crm.zip/leads.csv: is encrypted"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_archive_that_is_not_to_be_opened_is_refused_by_name(tmp_path, kind):
    content, says = ARCHIVES[kind]
    assert says in refusals(tmp_path, **{"customers.csv": GOOD.encode(), "crm.zip": content})


def test_a_packed_file_that_never_ends_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sources.files, "BOMB_BYTES", 1 << 20)
    (problem,) = refusals(
        tmp_path, **{"customers.csv.gz": gzip.compress(b"customer_id,customer_name\n" + b"\n" * (9 << 20))}
    )
    assert problem == "customers.csv.gz: cannot be read: it unpacks to more than 500 times its size"


def test_a_folder_in_an_archive_may_end_in_the_sign_of_an_archive(tmp_path):
    (tmp_path / "crm.zip").write_bytes(archive(("Wow!/customers.csv", GOOD)))
    (file,) = sources.scan(str(tmp_path), contracts.entities()).files
    assert file.name == "crm.zip/Wow!/customers.csv"


def test_a_text_of_which_the_bytes_are_none_is_refused(tmp_path):
    """In Parquet nothing else says whether they are; in bronze they could not be read."""
    from medallion.sources import parsing

    wrong = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xa8\xff"))
    pq.write_table(pa.table({"customer_id": ["C1"], "customer_name": wrong}), tmp_path / "customers.parquet")
    (file,) = sources.scan(str(tmp_path), contracts.entities()).files
    with pytest.raises(MedallionError, match=r"customers.parquet: is not a readable Parquet file: .*Invalid UTF8"):
        list(parsing.parse(file, ["customer_id", "customer_name"]))


def test_two_records_that_have_run_together_lose_nothing(tmp_path):
    from medallion.sources import parsing

    both = '{"customer_id": "C1", "customer_name": "Anvil", "customer_id": "C2", "customer_name": "Bolt"}'
    (tmp_path / "customers.jsonl").write_text('{"customer_id": "C0", "customer_name": "Axle"}\n' + both + "\n")
    (file,) = sources.scan(str(tmp_path), contracts.entities()).files
    rows = [row for batch in parsing.parse(file, ["customer_id"]) for row in batch.to_pylist()]
    assert [(row["customer_id"], row["_malformed"]) for row in rows] == [("C0", None), (None, both)]
    (tmp_path / "customers.jsonl").unlink()
    (problem,) = refusals(tmp_path, **{"customers.json": f"[{both}]".encode()})
    assert problem == "customers.json: is not readable JSON: an object has the key 'customer_id' twice"


def test_a_link_out_of_the_folder_is_refused_by_name(tmp_path):
    folder, other = tmp_path / "exports", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    (other / "leads.csv").write_text("secret")
    (folder / "customers_1.csv").write_text(GOOD)
    (folder / "customers.csv").symlink_to("customers_1.csv")
    (folder / "leads.csv").symlink_to(other / "leads.csv")
    found = sources.scan(str(folder), contracts.entities())
    assert [file.name for file in found.files] == ["customers.csv", "customers_1.csv"]
    (refused,) = found.refused
    assert refused.problem == "leads.csv: is a link to something outside of the folder"
    (tmp_path / "link").symlink_to(folder)
    assert len(sources.scan(str(tmp_path / "link"), contracts.entities()).files) == 2
    (other / "in").symlink_to(folder)
    (other / "leads.csv").unlink()
    (refused,) = sources.scan(str(other), contracts.entities()).refused
    assert refused.problem == "in: is a link to something outside of the folder"


def test_a_file_that_is_not_local_is_read_in_parts(tmp_path):
    """The process that reads it has no way to it but the one that asks."""
    import pyarrow.fs

    (tmp_path / "crm.zip").write_bytes(
        packed(
            **{"book.xlsx": workbook((0, 0, "customer_id"), (0, 1, "customer_name"), (1, 0, "C1")), "a.txt": b"x" * 9}
        )
    )
    away = sources.files.Place(pyarrow.fs.SubTreeFileSystem(str(tmp_path), pyarrow.fs.LocalFileSystem()), "crm.zip")
    assert next((name, size) for name, size, _, _ in away.members()) == ("a.txt", 9)
    book = sources.files.Place(away.fs, "crm.zip", "book.xlsx")
    assert readers.sheets(book, "book") == (["Sheet1"], [])
    rows = readers.rows(book, "book", "workbook", "Sheet1")
    assert next(rows) == ["customer_id", "customer_name"]
    rows.close()
    assert sources.files.Place(away.fs, "crm.zip", "a.txt").beginning(4) == b"xxxx"


@pytest.mark.parametrize("place", [1, 2], ids=["in the first record", "in the second"])
def test_a_note_longer_than_128_kib(tmp_path, place):
    from medallion.sources.parsing import parse

    note = "x" * 140_000
    records = ["C1,Anvil,", "C2,Bolt,"]
    records[place - 1] += note
    (tmp_path / "customers.csv").write_text("\n".join(["customer_id,customer_name,notes", *records]) + "\n")
    (file,) = sources.scan(str(tmp_path), contracts.entities()).files
    assert [written for written, _ in file.columns] == ["customer_id", "customer_name", "notes"]
    cells = [batch.column(2).to_pylist() for batch in parse(file, ["customer_id", "customer_name", "notes"])]
    assert [note in part for part in cells] == [True]
