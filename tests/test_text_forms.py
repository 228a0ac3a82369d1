"""Files as programs write them: encodings, zero bytes, delimiters at the end of records, tables of HTML, folders."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import date

import pytest

from medallion import contracts, proposal, sources
from medallion.sources import parsing

HEADER = "lead_id,customer_id,created_at,company,status,deal_value"


def scan(folder):
    return sources.scan(str(folder), contracts.entities([]))


def records(file):
    """Per line of a file its cells by header, and what is malformed with why."""
    names = [name for _, name in file.columns]
    good, bad = {}, {}
    for batch in parsing.parse(file, names):
        for row in batch.to_pylist():
            if row["_malformed_reason"]:
                bad[row["_source_row"]] = row["_malformed_reason"]
            else:
                good[row["_source_row"]] = {written: row[name] for written, name in file.columns}
    return good, bad


def read(folder, name, content):
    (folder / name).write_bytes(content)
    found = scan(folder)
    assert not found.refused, found.refused
    return records(found.files[0])


@pytest.mark.parametrize(
    ("company", "encoding"),
    [
        ("青山物流株式会社", "cp932"), ("三浦ツール カブシキガイシャ", "cp932"), ("北京科技有限公司", "gb18030"),
        ("서울물산주식회사", "cp949"), ("台北科技股份有限公司", "big5"), ("Ślęza Małgorzata Żak Łódź", "cp1250"),
        ("Křižíkova Dvořák Čáslav ž ř", "cp1250"), ("Größe Müller Núñez", "cp1252"), ("Café Beauté Crémière", "cp1252"),
        ("Клиент Щукин Ёлкин Жданов Объём", "cp1251"), ("Acme", "utf-16-le"), ("Łódź Größe", "utf-16-le"), ("青山 Acme", "utf-16-be"),
    ],
)  # fmt: skip
def test_the_encoding_of_a_text_is_told_by_its_letters(tmp_path, company, encoding):
    rows = "".join(f"L{n},C{n},2025-01-02,{company},open,{n}\n" for n in range(1, 9))
    good, bad = read(tmp_path, "leads.csv", f"{HEADER}\n{rows}".encode(encoding))
    assert not bad
    assert {row["company"] for row in good.values()} == {company}
    assert good[3]["lead_id"] == "L2"


@pytest.mark.parametrize("place", [0, 3, 7])
@pytest.mark.parametrize("quoted", ["", '"'])
def test_a_zero_byte_refuses_its_record_alone(tmp_path, place, quoted):
    rows = [f"L{n},C{n},2025-01-02,{quoted}Acme {n}{quoted},open,{n}" for n in range(8)]
    rows[place] = rows[place].replace("Acme", "Ac\0me")
    good, bad = read(tmp_path, "leads.csv", "\n".join((HEADER, *rows, "")).encode())
    assert bad == {place + 2: "holds a NUL byte"}
    assert len(good) == 7


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("footer", ["", "Total\n"])
def test_records_that_end_in_one_more_delimiter_than_the_header(tmp_path, delimiter, footer):
    rows = "".join(f"L{n},C{n},2025-01-02,Acme,open,{n},\n" for n in range(1, 5))
    text = f"{HEADER}\n{rows}".replace(",", delimiter) + footer
    good, bad = read(tmp_path, "leads.csv", text.encode())
    assert [row["deal_value"] for row in good.values()] == ["1", "2", "3", "4"]
    assert set(bad.values()) <= {"1 cells, the header has 7"}


def test_a_value_after_the_last_named_cell_is_no_delimiter_at_the_end(tmp_path):
    text = f"{HEADER}\nL1,C1,2025-01-02,Acme,open,1,\nL2,C2,2025-01-02,Acme,open,2,left over\n"
    _, bad = read(tmp_path, "leads.csv", text.encode())
    assert len(bad) == 2


PAGE = """<html><head><meta charset=utf-8><script>alert("<table>")</script></head><body><h1>Report</h1>
<table border=1><tr><th>lead_id</th><th>customer_id</th><th>created_at</th><th>company</th><th>status</th></tr>
<tr><td>L1</td><td>C1</td><td rowspan=2>2025-01-02</td><td>Bolt &amp; S&ouml;hne</td><td>won</td></tr>
<tr><td>L2<td>C2<td>Acme<br>Inc.<td>open</tr>
<tr><td>L3</td><td colspan="2">C3</td><td></td><td>lost</td></tr></table></body></html>"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["leads.xls", "leads.csv"])
def test_a_table_of_a_web_page_is_read_whatever_the_name(tmp_path, name, encoding):
    good, bad = read(tmp_path, name, PAGE.encode(encoding))
    assert not bad
    assert [list(row.values()) for row in good.values()] == [
        ["L1", "C1", "2025-01-02", "Bolt & Söhne", "won"],
        ["L2", "C2", "2025-01-02", "Acme\nInc.", "open"],
        ["L3", "C3", "", "", "lost"],
    ]


def test_a_web_page_without_a_table_says_what_it_is(tmp_path):
    (tmp_path / "leads.xls").write_text("<html><body>Please sign in</body></html>")
    assert "is a web page (HTML or XML) without a table" in scan(tmp_path).refused[0].problem


def csv(*keys):
    return "\n".join((HEADER, *(f"{key},C1,2025-01-02,Acme,open,1" for key in keys), ""))


@pytest.mark.parametrize("folders", [("2025-09", "2025-10"), ("2025/09", "2025/10"), ("export a", "export b")])
def test_files_of_folders_are_named_by_their_path(tmp_path, folders):
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "leads.csv").write_text(csv(folder))
    (tmp_path / "README.md").write_text("of the months")
    assert [file.name for file in scan(tmp_path).files] == [f"{folder}/leads.csv" for folder in folders]


def test_folders_beside_tables_are_other_deliveries(tmp_path):
    (tmp_path / "later").mkdir()
    for name in ("leads.csv", "later/leads.csv"):
        (tmp_path / name).write_text(csv(name))
    assert [file.name for file in scan(tmp_path).files] == ["leads.csv"]


def packed(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


def test_an_archive_in_an_archive_is_opened_and_one_further_in_is_not(tmp_path):
    inner = packed(leads__csv=csv("L1", "L2"))
    (tmp_path / "export.zip").write_bytes(packed(march__zip=inner, far__zip=packed(leads__zip=inner)))
    found = scan(tmp_path)
    assert [file.name for file in found.files] == ["export.zip/march.zip/leads.csv"]
    assert len(records(found.files[0])[0]) == 2
    assert "an archive in an archive in an archive" in found.refused[0].problem


# figures of other scripts

SCRIPTS = {
    "Arabic": (
        "رقم الصفقة,العميل,المرحلة,القيمة,تاريخ الإنشاء,تاريخ الإغلاق",
        "تم الفوز,٦٤٬٧٥٠٫٠٠,١٧/٠٣/٢٠٢٥,٢٨/٠٤/٢٠٢٥", "خسرت,٩٬٠٠٠٫٥٠,٠٢/٠٢/٢٠٢٥,٠٣/٠٤/٢٠٢٥",
    ),
    "Hebrew": (
        "מספר עסקה,לקוח,שלב,סכום,תאריך יצירה,תאריך סגירה",
        'זכייה,"64,750.00",17/03/2025,28/04/2025', 'הפסד,"9,000.50",02/02/2025,03/04/2025',
    ),
    "full width": (
        "案件番号,取引先名,フェーズ,金額,作成日,完了日",
        "受注,６４，７５０．００,２０２５/０３/１７,２０２５/０４/２８", "失注,９，０００．５０,２０２５/０２/０２,２０２５/０４/０３",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "script", [one if one == "Arabic" else pytest.param(one, marks=pytest.mark.slow) for one in SCRIPTS]
)
def test_headers_and_figures_of_other_scripts_are_read(tmp_path, to_silver, rows, script):
    head, won, lost = SCRIPTS[script]
    deals = f"{head}\nD1,Halden,{won}\nD2,Lumen,{lost}\nD3,Halden,{won}\n"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "deals.csv").write_text(deals)
    text = re.sub(r"confidence: 0\.[0-7]\d*,? ?", "", proposal.propose(str(tmp_path / "in"), "x").text)
    (tmp_path / "c.yaml").write_text(text)
    _, lake = to_silver({"deals.csv": deals}, contracts=(str(tmp_path / "c.yaml"),))
    query = "select status, cast(deal_value as double) as value, cast(created_at as date) as opened from silver.leads_clean order by lead_id"
    found = [tuple(row.values()) for row in rows(lake, query)]
    assert found[:2] == [("won", 64750.0, date(2025, 3, 17)), ("lost", 9000.5, date(2025, 2, 2))]
