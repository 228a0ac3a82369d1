"""Exported files: whole or not there, and harmless to the programs that open them."""

from __future__ import annotations

import csv
import os
from datetime import UTC, date, datetime
from decimal import Decimal as D

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from medallion.care.export import export
from medallion.errors import MedallionError
from medallion.lakehouse.store import Lakehouse

TEXTS = [
    # text                  -> cell in CSV
    ("=SUM(A1)", "'=SUM(A1)"),
    ("+1 757", "'+1 757"),
    ("-1", "'-1"),
    ("@cmd", "'@cmd"),
    ("\tx", "'\tx"),
    ("\rx", "'\rx"),
    ("1-2", "1-2"),
    ("a=b", "a=b"),
    ("'=x", "'=x"),
    ('say "hi", twice', 'say "hi", twice'),
    ("two\nlines", "two\nlines"),
    ("Größe 名前 🙂", "Größe 名前 🙂"),
    ("", ""),
    (" =1", " =1"),
    (None, ""),
]
TIMESTAMP = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path):
    """A table of texts and of figures that look like formulas but are none."""
    lake = Lakehouse(str(tmp_path / "lake"))
    count = len(TEXTS)
    table = pa.table(
        {
            "n": list(range(count)),
            "text": pa.array([text for text, _ in TEXTS], pa.string()),
            "money": pa.array([D("-1.50")] * count, pa.decimal128(18, 2)),
            "share": [-0.5] * count,
            "day": [date(2025, 1, 2)] * count,
            "at": pa.array([TIMESTAMP] * count, pa.timestamp("us", "UTC")),
            "yes": [True] * count,
            "list": pa.array([["=x", 'a"b']] * count, pa.list_(pa.string())),
        }
    )
    write_deltalake(lake.path("gold.deals"), table)
    write_deltalake(lake.path("gold.nothing"), table.slice(0, 0))
    write_deltalake(lake.path("bronze.leads"), table)
    write_deltalake(lake.path("ops.runs"), table)
    return lake


def test_csv(lake, tmp_path):
    (written,) = export(lake, tmp_path / "out", "csv", ["gold.deals"])
    with open(written["path"], newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: int(row["n"]))
    assert written["rows"] == len(rows) == len(TEXTS)
    assert [row["text"] for row in rows] == [cell for _, cell in TEXTS]
    assert {tuple(row[name] for name in ("money", "share", "day", "yes", "list")) for row in rows} == {
        ("-1.50", "-0.5", "2025-01-02", "true", '["=x","a\\"b"]')
    }
    assert {row["at"] for row in rows} == {"2025-01-02 03:04:05+00"}


def test_parquet(lake, tmp_path):
    (written,) = export(lake, tmp_path / "out", "parquet", ["gold.deals"])
    table = pq.read_table(written["path"])
    assert sorted(table["text"].to_pylist(), key=str) == sorted((text for text, _ in TEXTS), key=str)
    assert set(table["money"].to_pylist()) == {D("-1.50")}
    assert [str(field.type) for field in table.schema] == [
        "int64", "string", "decimal128(18, 2)", "double", "date32[day]", "timestamp[us, tz=UTC]", "bool",
        "list<element: string>",
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_which_tables(lake, tmp_path, form):
    """All of silver and gold, an empty table too; ops when named, bronze never."""
    written = export(lake, tmp_path / "out", form)
    assert [(row["table"], row["rows"]) for row in written] == [("gold.deals", len(TEXTS)), ("gold.nothing", 0)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"gold.deals.{form}", f"gold.nothing.{form}"]
    assert [row["table"] for row in export(lake, tmp_path / "out", form, ["ops.runs"])] == ["ops.runs"]
    with pytest.raises(MedallionError, match=r"no table bronze\.leads"):
        export(lake, tmp_path / "out", form, ["bronze.leads"])


def test_an_empty_table_has_its_header(lake, tmp_path):
    (written,) = export(lake, tmp_path / "out", "csv", ["gold.nothing"])
    with open(written["path"]) as file:
        assert file.read() == "n,text,money,share,day,at,yes,list\n"


def test_again_is_over_it(lake, tmp_path):
    for _ in range(2):
        export(lake, tmp_path / "it's out", "csv", ["gold.deals"])
    assert [path.name for path in (tmp_path / "it's out").iterdir()] == ["gold.deals.csv"]


def no_folder(out):
    out.write_text("a file")


def a_folder_in_its_place(out):
    (out / "gold.deals.csv").mkdir(parents=True)


def a_folder_beside_it(out):
    (out / "gold.deals.csv.part").mkdir(parents=True)


@pytest.mark.parametrize("obstacle", [no_folder, a_folder_in_its_place, a_folder_beside_it])
def test_where_nothing_can_be_written(lake, tmp_path, obstacle):
    out = tmp_path / "out"
    obstacle(out)
    before = sorted(out.rglob("*"))
    with pytest.raises(MedallionError, match="out: cannot be written"):
        export(lake, out, "csv", ["gold.deals"])
    assert sorted(out.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(lake, tmp_path):
    out = tmp_path / "out"
    out.mkdir(mode=0o500)
    with pytest.raises(MedallionError, match="out: cannot be written"):
        export(lake, out, "csv", ["gold.deals"])


def test_a_failure_leaves_the_file_that_was_there(lake, tmp_path):
    export(lake, tmp_path / "out", "csv", ["gold.deals"])
    whole = (tmp_path / "out" / "gold.deals.csv").read_bytes()
    (file,) = (tmp_path / "lake" / "gold" / "deals").glob("*.parquet")
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(Exception, match="(?i)parquet"):
        export(lake, tmp_path / "out", "csv", ["gold.deals"])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["gold.deals.csv"]
    assert (tmp_path / "out" / "gold.deals.csv").read_bytes() == whole


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
