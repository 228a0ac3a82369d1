"""Files that are held back: nothing of them enters silver, every run says so, and nothing is lost or doubled."""

from __future__ import annotations

import json
import sys

import pytest

CUSTOMERS = "customer_id,customer_name\n" + "".join(f"C{n},Firm {n}\n" for n in range(10))


@pytest.fixture
def medallion(spark, capsys, monkeypatch, tmp_path):
    """`medallion({"leads.csv": "..."}, "--accept")` writes files into one folder, runs, and gives status, document and
    messages.
    """
    from medallion import cli

    source = tmp_path / "in"
    source.mkdir()

    def call(files, *args):
        for name, content in files.items():
            (source / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        given = ["medallion", "run", "--source", str(source), "--lakehouse", str(tmp_path / "lake"), "--json", *args]
        monkeypatch.setattr(sys, "argv", [str(arg) for arg in given])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return code, json.loads(printed.out or "{}"), " ".join(printed.err.split())

    call.lake = tmp_path / "lake"
    return call


def leads(rows: int, bad: int, status: str = "perhaps") -> str:
    lines = [f"L{n},C{n % 10},{status if n < bad else 'won'},{n},2025-01-02,2025-01-02" for n in range(rows)]
    return "\n".join(["lead_id,customer_id,status,deal_value,created_at,updated_at", *lines]) + "\n"


def count(lake, table: str) -> int:
    from medallion import query
    from medallion.store import Lakehouse

    with query.connect(Lakehouse(str(lake)), layers=["bronze", "silver", "gold", "ops"]) as connection:
        return connection.execute(f"select count(*) from {table}").fetchone()[0]


def test_a_file_of_which_too_much_is_refused(medallion):
    code, document, err = medallion({"customers.csv": CUSTOMERS, "leads.csv": leads(60, 13)})
    assert code == 1
    assert "Held back: leads.csv: held back: 13 of 60 rows are refused (limit 20%)" in err
    assert "status: is not an accepted value (13 rows, such as line 2: 'perhaps')" in err
    assert "--accept takes the file in as it is" in err
    assert [item["file"] for item in document["files_held"]] == ["leads.csv"]
    lake = medallion.lake
    assert (count(lake, "bronze.leads"), count(lake, "silver.leads_clean"), count(lake, "silver.quarantine")) == (
        60,
        0,
        0,
    )
    assert count(lake, "silver.customers_clean") == 10
    code, document, err = medallion({})
    assert (code, document["changed"]) == (1, False)
    assert "leads.csv: held back: 13 of 60 rows are refused" in err
    assert "perhaps" not in err  # values are not written down
    code, document, err = medallion({}, "--accept")
    assert code == 0, err
    assert [(row["rows_read"], row["accepted"], row["quarantined"]) for row in document["row_accounts"]] == [
        (60, 47, 13)
    ]
    code, document, _ = medallion({})
    assert (code, document["changed"]) == (0, False)
    assert (count(lake, "bronze.leads"), count(lake, "silver.leads_clean"), count(lake, "silver.quarantine")) == (
        60,
        47,
        13,
    )
