"""What a file is and what its cells and line numbers are, whatever dialect it is written in."""

from __future__ import annotations

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medallion import bronze, contracts, sources
from medallion.errors import SourceError
from medallion.sources import delivery, parsing, readers

HEADER = "product_id,product_name,category"


def read(folder, name: str, content: bytes):
    """Cells, line and malformed text of every record of one file, as bronze has them."""
    (folder / name).write_bytes(content)
    scan = sources.scan(str(folder), contracts.entities())
    if scan.refused:
        raise SourceError(scan.refused[0].problem, scan.refused[0].remedy)
    (file,) = scan.files
    columns = bronze.columns_of([file])
    table = pa.Table.from_batches(list(parsing.parse(file, columns)))
    return file, sorted(table.to_pylist(), key=lambda row: row["_source_row"])


def cells(rows, *names: str):
    return [(row["_source_row"], *(row[name] for name in names)) for row in rows]


GOOD = [(2, "P1", "Größe, 1"), (3, "P2", "x")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("products.csv", f'{HEADER}\nP1,"Größe, 1",a\nP2,x,b\n'.encode()),
        ("products.csv", f'{HEADER}\r\nP1,"Größe, 1",a\r\nP2,x,b'.encode()),
        ("products.csv", b"\xef\xbb\xbf" + f'{HEADER}\nP1,"Größe, 1",a\nP2,x,b\n'.encode()),
        ("products.csv", f'{HEADER}\nP1,"Größe, 1",a\nP2,x,b\n'.encode("cp1252")),
        ("products.csv", f'{HEADER}\nP1,"Größe, 1",a\nP2,x,b\n'.encode("utf-16")),
        ("products.csv", "product_id;product_name\nP1;Größe, 1\nP2;x\n".encode()),
        ("products.tsv", "product_id\tproduct_name\nP1\tGröße, 1\nP2\tx\n".encode()),
        ("products.txt", "product_id|product_name\nP1|Größe, 1\nP2|x\n".encode()),
        ("products.csv.gz", gzip.compress(f'{HEADER}\nP1,"Größe, 1",a\nP2,x,b\n'.encode())),
    ],
    ids=["plain", "crlf", "bom", "cp1252", "utf16", "semicolon", "tab", "pipe", "gz"],
)
def test_dialects_and_encodings(tmp_path, name, content):
    _, rows = read(tmp_path, name, content)
    assert cells(rows, "product_id", "product_name") == GOOD


def test_lines_after_quoted_line_ends_blank_lines_and_ragged_records(tmp_path):
    content = (
        f"{HEADER}\n"  # 1
        'P1,"two\nlines",a\n'  # 2, 3
        "\n"  # 4: blank
        "P2,x,b\n"  # 5
        "P3,x\n"  # 6: a cell short
        ",,\n"  # 7: delimiters alone
        'P4,"three\n\nlines",c\n'  # 8 to 10
        "P5,a,b,c,d\n"  # 11: cells too many
        "P6,x,y\n"  # 12
        "P7\n"  # 13: short at the end
    ).encode()
    _, rows = read(tmp_path, "products.csv", content)
    assert cells(rows, "product_id", "_malformed", "_malformed_reason") == [
        (2, "P1", None, None),
        (5, "P2", None, None),
        (6, None, "P3,x", "2 cells, the header has 3"),
        (8, "P4", None, None),
        (11, None, "P5,a,b,c,d", "5 cells, the header has 3"),
        (12, "P6", None, None),
        (13, None, "P7", "1 cells, the header has 3"),
    ]


def test_line_numbers_hold_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(parsing, "_BLOCK", 64)
    lines = [HEADER]
    expected = []
    for number in range(200):
        place = len("\n".join(lines).splitlines()) + 1
        if number % 7 == 3:
            lines.append(f"P{number},short")
            expected.append((place, None))
        elif number % 5 == 2:
            lines.append(f'P{number},"a\nb",c')
            expected.append((place, f"P{number}"))
        else:
            lines.append(f"P{number},b,c")
            expected.append((place, f"P{number}"))
    _, rows = read(tmp_path, "products.csv", "\n".join(lines).encode())
    assert cells(rows, "product_id") == expected


def test_a_block_of_malformed_records_alone_repeats_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(parsing, "_BLOCK", 64)
    content = "product_id,product_name\nA,Anvil\nB,Bolt\n" + "only one cell\n" * 20
    _, rows = read(tmp_path, "products.csv", content.encode())
    assert [row["_source_row"] for row in rows] == list(range(2, 24))


def test_an_unclosed_quote_loses_nothing(tmp_path):
    _, rows = read(tmp_path, "products.csv", f'{HEADER}\nP1,x,a\nP2,"open,b\nP3,y,c\n'.encode())
    assert rows[0]["product_id"] == "P1"
    assert rows[1]["_malformed"] == 'P2,"open,b\nP3,y,c'
    assert rows[1]["_source_row"] == 3


def test_cells_survive_exactly(tmp_path):
    odd = ["  padded ", "=SUM(A1)", "0012", "1e5", "NULL", "\u00a0", 'quote " inside', "tab\tinside", "😀", "-"]
    content = HEADER + "".join(f'\nP{i},"{text.replace(chr(34), chr(34) * 2)}",c' for i, text in enumerate(odd))
    _, rows = read(tmp_path, "products.csv", content.encode())
    assert [row["product_name"] for row in rows] == odd


def test_headers(tmp_path):
    file, rows = read(tmp_path, "products.csv", "SKU,Product Name,Wert (€),Wert (€),客户,\nP1,a,1,2,3,4\n".encode())
    assert {name: item.column for name, item in file.mapping.items()} == {
        "product_id": "sku",
        "product_name": "product_name",
    }
    assert [name for _, name in file.columns] == ["sku", "product_name", "wert", "wert_2", "客户", "column_6"]
    assert rows[0]["wert_2"] == "2"


def test_json_lines(tmp_path):
    content = (
        b'{"product_id": "P1", "product_name": "Gr\\u00f6\\u00dfe", "list_price": 10.5, "tags": ["a", "b"]}\n'
        b"\n"
        b'{"product_id": "P2", "product_name": null}\n'
        b"not json\n"
        b'["a list"]\n'
        b'{"product_id": "P3", "product_name": "x", "big": 12345678901234567890123}'
    )
    _, rows = read(tmp_path, "products.jsonl", content)
    assert cells(rows, "product_id", "product_name", "list_price", "tags", "big", "_malformed") == [
        (1, "P1", "Größe", "10.5", '["a","b"]', None, None),
        (3, "P2", None, None, None, None, None),
        (4, None, None, None, None, None, "not json"),
        (5, None, None, None, None, None, '["a list"]'),
        (6, "P3", "x", None, None, "12345678901234567890123", None),
    ]


def test_records_within_records_are_a_table_of_their_own(tmp_path):
    """Each with the record that it belongs to; references that are no more than an identifier and a kind stay a cell."""
    stages = [{"id": f"s{n}", "label": f"Stage {n}", "metadata": {"probability": "0.5"}, "order": n} for n in range(2)]
    pipelines = [
        {"id": f"p{n}", "label": f"Pipeline {n}", "stages": stages, "teams": [{"id": "7", "type": "team"}]}
        for n in (1, 2)
    ]
    (tmp_path / "pipelines.json").write_text(json.dumps({"results": pipelines}))
    found = {part.name: part for part in delivery.parts(str(tmp_path)) if isinstance(part, delivery.Part)}
    assert [*found] == ["pipelines.json#results", "pipelines.json#results[].stages"]
    (stage_table,) = (part for name, part in found.items() if "[]" in name)
    assert stage_table.stems == ("stages",)
    header = readers.header(stage_table.place, stage_table.name, stage_table.sheet)
    assert header == ["id", "label", "metadata.probability", "order", "pipeline.id", "pipeline.label"]
    (rows,) = readers.objects(stage_table.place, stage_table.name, stage_table.sheet, ["id", "pipeline.id"])
    assert [cells for _, cells in rows] == [["s0", "p1"], ["s1", "p1"], ["s0", "p2"], ["s1", "p2"]]


def test_nested_objects_of_json_lines_become_columns(tmp_path):
    content = (
        b'{"product_id": "P1", "product_name": "x", "list": {"price": 1.10, "unit": {"code": "kg"}}, "kind": {"a": 1}}\n'
        b'{"product_id": "P2", "product_name": "y", "list": null, "kind": "plain", "deep": {"a":{"b":{"c":{"d":1}}}}}\n'
    )
    file, rows = read(tmp_path, "products.jsonl", content)
    assert [header for header, _ in file.columns][2:] == ["list.price", "list.unit.code", "kind", "deep.a.b.c"]
    assert cells(rows, "list_price", "list_unit_code", "kind", "deep_a_b_c") == [
        (1, "1.10", "kg", '{"a":1}', None),
        (2, None, None, "plain", '{"d":1}'),
    ]


RECORDS = '[{"product_id": "P1", "product_name": "Größe, 1"},\n 7, {"product_id": "P2", "product_name": "x"}]'


@pytest.mark.parametrize(
    ("name", "content", "shown"),
    [
        ("products.json", RECORDS.encode(), "products.json"),
        ("products.json", RECORDS.encode("utf-16"), "products.json"),
        ("products.json", b"\xef\xbb\xbf" + RECORDS.encode(), "products.json"),
        ("products.json.gz", gzip.compress(RECORDS.encode()), "products.json.gz"),
        ("products.jsonl", RECORDS.encode(), "products.jsonl"),
        ("products.csv", RECORDS.encode(), "products.csv"),
        ("products.json", f'{{"ok": true, "data": {RECORDS}}}'.encode(), "products.json#data"),
        ("export.json", f'{{"result": {{"products": {RECORDS}}}}}'.encode(), "export.json#result.products"),
        (
            "export.json",
            '{"a.products": [{"product_id": "P1", "product_name": "Größe, 1"}, 7], '
            '"a": {"products": [{"product_id": "P2", "product_name": "x"}]}}'.encode(),
            "export.json#a.products",
        ),
    ],
    ids=["plain", "utf16", "bom", "gz", "jsonl", "csv", "data", "deeper", "two of one path"],
)
def test_a_json_document(tmp_path, name, content, shown):
    """Records are counted from 1; what is no object among them is malformed."""
    file, rows = read(tmp_path, name, content)
    assert file.name == shown
    assert cells(rows, "product_id", "product_name", "_malformed") == [
        (1, "P1", "Größe, 1", None),
        (2, None, None, "7"),
        (3, "P2", "x", None),
    ]
    sources.unchanged(file)


def test_every_list_of_a_json_document_is_a_table(tmp_path):
    products, customers = '{"product_id": "P1", "product_name": "x"}', '{"customer_id": "C1", "customer_name": "Acme"}'
    text = f'{{"products": [{products}], "customers": [{customers}], "tags": ["a"], "settings": {{"a": 1}}}}'
    (tmp_path / "crm.json").write_text(text)
    (tmp_path / "settings.json").write_text('{"theme": "dark", "sizes": [1, 2]}')
    (tmp_path / "leads_lines.json").write_text('{"lead_id": "L1"}\n{"lead_id": "L2"}\n')
    scan = sources.scan(str(tmp_path), contracts.entities())
    assert {(file.name, file.entity) for file in scan.files} == {
        ("crm.json#products", "products"),
        ("crm.json#customers", "customers"),
    }
    assert scan.ignored == ("settings.json",)
    assert [item.problem.split(" (")[0] for item in scan.refused] == [
        "leads_lines.json: line 1: no column holds customer_id, which leads need"
    ]


def test_parquet(tmp_path):
    from datetime import datetime
    from decimal import Decimal

    table = pa.table(
        {
            "Product ID": pa.array([1, 2], pa.int64()),
            "product_name": ["a", None],
            "list_price": pa.array([Decimal("10.50"), None], pa.decimal128(18, 2)),
            "launched": pa.array([datetime(2025, 1, 2, 3), None], pa.timestamp("us")),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    _, rows = read(tmp_path, "products.parquet", (tmp_path / "x.parquet").read_bytes())
    assert cells(rows, "product_name", "list_price", "launched") == [
        (1, "a", "10.50", "2025-01-02 03:00:00"),
        (2, None, None, None),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("leads.csv", b"", "leads.csv: the file is empty"),
        ("leads.csv", b"\n\n", "leads.csv: the file is empty"),
        ("leads.csv", b"\x7fELF\x00\x01", "leads.csv: line 1: holds a NUL byte"),
        ("leads.csv", b"lead_id\nL1\nL2\x00\n", "leads.csv: line 3: holds a NUL byte"),
        ("leads.csv", b"lead_id,source\nL1,x\n", "leads.csv: line 1: no column holds customer_id"),
        ("leads.csv.gz", gzip.compress(b"lead_id,customer_id\n" * 9999)[:-20], "leads.csv.gz: cannot be read"),
        ("leads.csv.gz", b"not gz at all", "leads.csv.gz: cannot be read"),
        ("leads.jsonl", b"hello\n", "leads.jsonl: line 1: is not a JSON object"),
        ("leads.json", b'[{"lead_id": 1,}]', "leads.json: line 1, column 1[56]: is not JSON"),
        ("leads.json", b'[{"lead_id": "\xff"}]', "leads.json: is not readable JSON"),
        ("leads.json", b"[" * 100_000, "leads.json: is not readable JSON: maximum recursion"),
        ("leads.json", b'[{"a": "' + b"x" * (65 << 20) + b'"}]', "leads.json: is a JSON document of more than 64 MiB"),
        ("leads.json", b"", "leads.json: the file is empty"),
        ("leads.parquet", b"PAR1 no", "leads.parquet: is not a readable Parquet file"),
    ],
)
def test_files_that_are_refused(tmp_path, name, content, message):
    with pytest.raises(SourceError, match=message) as refused:
        read(tmp_path, name, content)
    assert refused.value.remedy


def test_what_holds_back_what(tmp_path):
    sample = {
        "customers": b"broken",
        "leads": b"lead_id,customer_id,status,created_at\n",
        "products": b"product_id,product_name\n",
    }
    for name, content in sample.items():
        (tmp_path / f"{name}.csv").write_bytes(content)
    scan = sources.scan(str(tmp_path), contracts.entities())
    assert [file.entity for file in scan.files] == ["products"]
    assert {item.entity: item.problem.split(":")[1].split(",")[0].strip() for item in scan.refused} == {
        "customers": "line 1",
        "leads": "held back",
    }


def test_a_file_is_remembered_by_its_whole_path(tmp_path, monkeypatch):
    """A killed run may be continued from another folder, and an engine may run in one."""
    (tmp_path / "products.csv").write_text("product_id,product_name\nP1,x\n")
    monkeypatch.chdir(tmp_path)
    (file,) = sources.scan(".", contracts.entities()).files
    monkeypatch.chdir("/")
    assert len(list(parsing.parse(file, bronze.columns_of([file])))) == 1


def test_the_header_decides_between_entities(tmp_path):
    (tmp_path / "customer_interactions.csv").write_text(
        "activity_id,account_id,type,date,result\n1,2,call,2025-01-01,good\n"
    )
    patterns = contracts.entities()["interactions"].file_patterns
    assert "interaction*" in patterns
    scan = sources.scan(str(tmp_path), contracts.entities())
    assert [item.entity for item in (*scan.files, *scan.refused)] == ["interactions"]


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
