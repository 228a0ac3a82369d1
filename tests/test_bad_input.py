"""Whatever is wrong with what someone hands over: one message with place and remedy, and nothing half-done."""

from __future__ import annotations

import contextlib
import gzip
import json
import sys

import pytest
from filelock import FileLock

CUSTOMERS = "customer_id,customer_name\nC1,Acme\n"
TOUCHES = "interaction_id,customer_id,channel,occurred_at,outcome\nI1,C1,call,2025-01-01,good\n"
HEAD = "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.0.0\nstatus: active\n"


@pytest.fixture
def medallion(spark, capsys, monkeypatch):
    """`medallion("run", ...)` gives exit status, standard output and standard error in one line."""
    from medallion import cli

    def call(*args):
        monkeypatch.setattr(sys, "argv", ["medallion", *map(str, args)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, " ".join(printed.err.split())

    return call


FILES = [
    # file, its content                                     -> the message, of which a part
    ("leads.csv", b"", "leads.csv: the file is empty"),
    ("leads.csv", b"\r\n \n", "leads.csv: the file is empty"),
    ("leads.csv", b"\n\nlead_id,customer_id,status\n", "leads.csv: line 3: no column holds created_at"),
    ("leads.csv", b"\x89PNG\r\n\x1a\n\x00\x00", "leads.csv: line 3: holds a NUL byte, so this is not text"),
    ("leads.csv", b"PK\x03\x04\xff\xfe rubbish", "leads.csv: cannot be read"),
    ("leads.csv", b"lead_id,customer_id\nL1,C1\nL2,C\x001\n", "leads.csv: line 3: holds a NUL byte"),
    ("leads.csv", "lead_id,customer_id\nL1,ü\n".encode() + b"L2,\xff\n", "leads.csv: line 3: holds a byte that is not UTF-8"),
    ("leads.csv", b'"lead_id,' + b"x" * 200_000, "leads.csv: line 1: no column holds lead_id"),
    ("leads.csv", b"lead_id,customer_id,created_at\n", "no column holds status, which leads need (header: lead_id, customer_id, created_at)"),
    ("leads.csv", b"sep=;\nlead_id;customer_id\n", "leads.csv: line 2: no column holds status, which leads need (header: lead_id, customer_id)"),
    ("leads.csv.gz", gzip.compress(b"lead_id,customer_id\n" * 999)[:-9], "leads.csv.gz: cannot be read"),
    ("leads.csv.gz", b"lead_id,customer_id\n", "leads.csv.gz: cannot be read"),
    ("leads.jsonl", b"lead_id,customer_id\nL1,C1\n", "leads.jsonl: line 1: is not a JSON object"),
    ("leads.jsonl", b'[{"lead_id": "L1"}]', "leads.jsonl: line 1: no column holds customer_id"),
    ("leads.json", b'[{"lead_id": "L1"', "leads.json: line 1, column 18: is not JSON: Expecting ',' delimiter"),
    ("leads.jsonl", b'{"lead_id": "\xff"}', "leads.jsonl: JSON lines must be UTF-8"),
    ("leads.parquet", b"PAR1", "leads.parquet: is not a readable Parquet file"),
    ("notes.xlsx", b"PK", "no file here is recognized (notes.xlsx)"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "says"), FILES, ids=[f"{f[0]}: {f[2][-40:]}" for f in FILES])
def test_a_file_that_cannot_be_read(medallion, sample, tmp_path, name, content, says):
    """Told with its remedy; into a new lakehouse nothing is written, an old one stays as it was and readable."""
    (tmp_path / name).write_bytes(content)
    new = tmp_path / "lake"
    code, _, err = medallion("run", "--source", tmp_path, "--lakehouse", new)
    assert code == 1
    assert says in err
    assert err.rstrip().endswith("."), "the remedy is a sentence"
    assert not list(new.glob("*/*"))
    before = {table: sample.version(table) for table in sample.tables()}
    code, _, err = medallion("run", "--source", tmp_path, "--lakehouse", sample.root)
    assert code == 1
    assert says in err
    assert {table: sample.version(table) for table in sample.tables()} == before
    assert medallion("insights", "--lakehouse", sample.root)[0] == 0


COMMANDS = [
    (["--source", "{tmp}/nope"], "nope: there is no such folder Name the folder of your exports with --source.", 1),
    (["--source", "{tmp}/empty"], "no file here is recognized (the folder is empty)", 1),
    (["--source", "{tmp}/customers.csv"], "customers.csv: there is no such folder", 1),
    (["--as-of", "31/02/2025"], "as_of: use latest, today or a date such as 2025-06-30 (value: '31/02/2025')", 1),
    (["--as-of", "2025-02-30"], "as_of", 1),
    (["--config", "{tmp}/bad.yaml"], "bad.yaml: lakehose: is not a setting", 1),
    (["--contract", "{tmp}/nope.yaml"], "nope.yaml: cannot be read: No such file or directory", 1),
    (["--contract", "{tmp}/wrong.yaml"], "wrong.yaml: leads.deal_value: minimum or maximum 'low' does not fit", 1),
    (["--contract", "{tmp}"], "cannot be read: Is a directory", 1),
    (["--lakehouse", "{tmp}/customers.csv"], "customers.csv: cannot be written", 1),
    (["--lakehouse", "/proc/lake"], "/proc/lake: cannot be written", 1),
    (["--as-of"], "--as-of", 2),
    (["elsewhere"], "unexpected extra argument", 2),
]  # fmt: skip


@pytest.mark.parametrize(("args", "says", "status"), COMMANDS, ids=[" ".join(args) for args, _, _ in COMMANDS])
def test_a_command_line_that_cannot_be_followed(medallion, tmp_path, args, says, status):
    (tmp_path / "customers.csv").write_text(CUSTOMERS)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.yaml").write_text("lakehose: x\n")
    wrong = "{name: deal_value, logicalTypeOptions: {minimum: low}}"
    (tmp_path / "wrong.yaml").write_text(f"{HEAD}schema:\n  - name: leads\n    properties:\n      - {wrong}\n")
    before = sorted(tmp_path.rglob("*"))
    given = [arg.format(tmp=tmp_path) for arg in args]
    for option, value in (("--source", tmp_path), ("--lakehouse", tmp_path / "lake")):
        if option not in given:
            given = [option, str(value), *given]
    code, _, err = medallion("run", *given)
    assert code == status
    assert says in err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_lakehouse_that_is_held(medallion, sample, tmp_path):
    (tmp_path / "customers.csv").write_text(CUSTOMERS)
    before = {table: sample.version(table) for table in sample.tables()}
    with FileLock(f"{sample.root}/.lock"):
        code, _, err = medallion("run", "--source", tmp_path, "--lakehouse", sample.root)
        assert medallion("insights", "--lakehouse", sample.root)[0] == 0
    assert code == 1
    assert "another run is writing to this lakehouse Wait for it to end" in err
    assert {table: sample.version(table) for table in sample.tables()} == before


def test_one_bad_file_among_good_ones(medallion, tmp_path):
    """The rest is loaded; what refers to the bad one waits, and comes in once that is mended; a header alone is fine."""
    source, lake = tmp_path / "in", tmp_path / "lake"
    source.mkdir()
    (source / "customers.csv").write_bytes(b"customer_id,customer_name\nC1,Acme\nC2,\x00\n")
    (source / "interactions.csv").write_text(TOUCHES)
    (source / "products.csv").write_text("product_id,product_name")  # not even a line end
    args = ("run", "--source", source, "--lakehouse", lake, "--json")
    code, out, err = medallion(*args)
    assert code == 1
    document = json.loads(out)
    assert document["files_read"] == ["products.csv"]
    assert [row["rows_read"] for row in document["row_accounts"]] == [0]
    assert "customers.csv: line 3: holds a NUL byte" in err
    assert "interactions.csv: held back, since its rows refer to customers" in err
    (source / "customers.csv").write_text(CUSTOMERS)
    code, out, _ = medallion(*args)
    assert code == 0
    document = json.loads(out)
    assert document["files_read"] == ["customers.csv", "interactions.csv"]
    assert [(row["entity"], row["accepted"]) for row in document["row_accounts"]] == [
        ("customers", 1),
        ("interactions", 1),
    ]


@pytest.mark.slow
def test_one_file_that_cannot_be_read_to_its_end_stops_no_other(to_silver):
    """Found when it is loaded, since nothing of it has to be looked at before: what was loaded is rolled back and read again."""
    endless = 'product_id,product_name\nP1,Anvil\nP2,"' + ("x" * 99 + "\n") * 200_000
    result, _ = to_silver({"customers.csv": CUSTOMERS, "interactions.csv": TOUCHES, "products.csv": endless})
    assert [(row["entity"], row["accepted"]) for row in result.accounts] == [("customers", 1), ("interactions", 1)]
    assert [item.problem for _, item in result.wrong] == [
        "products.csv: cannot be read to its end: a record is longer than 8 MiB; is a quotation mark never closed?"
    ]
    result, _ = to_silver({"products.csv": endless[:60], "customers.csv": CUSTOMERS})
    assert [(row["entity"], row["accepted"]) for row in result.accounts] == [("products", 2)]


@pytest.mark.slow
def test_a_file_that_changes_while_a_run_is_interrupted(medallion, tmp_path, monkeypatch):
    """What the journal says of a file must be what is read: the batch is given up, the next run takes the new file."""
    import importlib

    half = importlib.import_module("medallion.pipeline.bronze_to_silver")
    (tmp_path / "customers.csv").write_text(CUSTOMERS)
    args = ("run", "--source", tmp_path, "--lakehouse", tmp_path / "lake", "--json")

    def killed(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(half, "_ingest", killed)
        medallion(*args)
    (tmp_path / "customers.csv").write_text("customer_name,customer_id\nAcme,C1\nBolt,C2\n")  # other order, other rows
    code, _, err = medallion(*args)
    assert code == 1
    assert "customers.csv: has changed since a run was interrupted" in err
    code, out, _ = medallion(*args)
    assert code == 0
    assert [(row["rows_read"], row["accepted"]) for row in json.loads(out)["row_accounts"]] == [(2, 2)]


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
