"""What people and broken programs put into a folder: each has a clear account, nothing is lost in silence."""

from __future__ import annotations

import io
import warnings
import zipfile

import pytest
import xlsxwriter

from medallion import contracts, sources
from medallion.errors import ContractError, MedallionError

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
    "crm.zip": (archive(("inner.zip", "PK\x03\x04...")), "crm.zip/inner.zip: an archive inside an archive is not opened"),
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


def test_a_missing_quote_swallows_no_record(deliver, rows):
    """Three records between two quotation marks, of which neither is the other's."""
    text = 'customer_id,customer_name\nC1,"Anvil\nC2,Bolt\nC3,"Cog" Ltd\nC4,Dowel\nC5,"Elm, and\nfriends"\n'
    result, lake = deliver({"customers.csv": text})
    (account,) = result.accounts
    assert (account["accepted"], account["quarantined"]) == (2, 1)
    (refused,) = rows(lake, "select source_row, reasons[1] as reason, raw from silver.quarantine")
    assert refused["source_row"] == 2
    assert "a cell goes on over records; is a quotation mark missing?" in refused["reason"]
    assert "C2" in refused["raw"]
    assert "C3" in refused["raw"]
    kept = rows(lake, "select customer_id, customer_name as n from silver.customers_clean order by 1")
    assert [tuple(row.values()) for row in kept] == [("C4", "Dowel"), ("C5", "Elm, and friends")]


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_a_title_above_the_header_whatever_ends_a_line(deliver, end):
    text = end.join(["Report", "of June", "customer_id,customer_name", "C1,Anvil", "C2,Bolt", ""])
    result, _ = deliver({"customers.csv": text})
    assert [(a["rows_read"], a["accepted"]) for a in result.accounts] == [(2, 2)]


def test_a_header_within_the_records_is_no_record(deliver, rows):
    result, lake = deliver({"customers.csv": "\ufeff" + GOOD + "\ufeff" + GOOD.replace("C1", "C2")})
    assert [(a["accepted"], a["quarantined"]) for a in result.accounts] == [(2, 1)]
    assert "repeats the header" in rows(lake, "select reasons[1] as r from silver.quarantine")[0]["r"]


def test_numbers_in_json_stay_as_they_were_written(deliver):
    line = '{"product_id": 12345678901234567890.12, "product_name": "x", "list_price": 1234567890123456.78, "more": [1.10, {"a": 1e2}]}\n'
    _, lake = deliver({"products.jsonl": line})
    (found,) = _bronze(lake)
    assert found == ("12345678901234567890.12", "1234567890123456.78", '[1.10,{"a":1e2}]')


def _bronze(lake):
    from medallion import query

    with query.connect(lake, layers=["bronze"]) as connection:
        return connection.execute("select product_id, list_price, more from bronze.products").fetchall()


def test_json_lines_named_csv_are_json_lines(deliver, rows):
    result, lake = deliver(
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


def test_an_expression_that_the_engine_does_not_know_leaves_nothing_behind(deliver, tmp_path):
    path = tmp_path / "mine.odcs.yaml"
    path.write_text(CONTRACT.replace("SQL", "nosuchfunction(customer_id)"))
    with pytest.raises(ContractError, match=r"customers.city: 'nosuchfunction\(customer_id\)' cannot be evaluated"):
        deliver({"customers.csv": GOOD}, contracts=(path,))
    path.write_text(CONTRACT.replace("SQL", "upper(customer_name)"))
    result, _ = deliver({"customers.csv": GOOD}, contracts=(path,))
    assert result.accounts[0]["accepted"] == 1


def test_what_would_steer_a_terminal_is_spelled_out():
    from medallion.console import plain

    assert plain("na\x1b[31mme\x00 \u202eabc ü") == "na\\x1b[31mme\\x00 \\u202eabc ü"


@pytest.mark.parametrize("address", ["sc://127.0.0.1:9", "sc://127.0.0.1:9/;token=secret", "sc://127.0.0.1:not-a-port"])
def test_a_server_that_does_not_answer_is_not_waited_for(monkeypatch, address):
    from medallion import session

    monkeypatch.setenv("SPARK_REMOTE", address)
    with pytest.raises(MedallionError, match="nothing answers there") as error:
        session._remote(None)
    assert "secret" not in str(error.value)
