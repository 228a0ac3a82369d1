"""Files that are held back: nothing of them enters silver, every run says so, and nothing is lost or doubled."""

from __future__ import annotations

import importlib
import json
import re
import sys
from dataclasses import replace
from datetime import datetime, timedelta

import duckdb
import pytest

from medallion import contracts, pipeline, sources
from medallion.config import HoldBack, load
from medallion.errors import SourceError
from medallion.lakehouse import query
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import conventions, hold
from medallion.pipeline.result import Result
from medallion.pipeline.work import Work
from medallion.sources import SourceFile

CUSTOMERS = "customer_id,customer_name\n" + "".join(f"C{n},Firm {n}\n" for n in range(10))
DEALS = "lead_id,customer_id,status,deal_value,created_at"
ONE, OTHER = "0015f00000Bx7aQ", "0015f00000Bx7aq"
FILE = SourceFile("/in/leads.csv", "leads.csv", "leads", "csv", "hash", 1)


@pytest.fixture
def folder(spark, tmp_path):
    """`folder({"leads.csv": "..."}, accept=True)` writes files into one folder and brings what is new to silver.

    Gives the result and the counts of rows by table.
    """
    source, lake, now = tmp_path / "in", Lakehouse(str(tmp_path / "lake")), [datetime(2025, 7, 1)]
    source.mkdir()

    def call(files=None, **settings):
        for name, content in (files or {}).items():
            (source / name).write_text(content)
        now[0] += timedelta(hours=1)
        given = load(None, source=str(source), lakehouse=lake.root, **settings)
        result = pipeline.run(given, now[0], stages=[pipeline.BRONZE_TO_SILVER])
        names = [f"{layer}.{name}" for name in ("customers", "leads") for layer in ("bronze", "silver")]
        names = [f"{name}_clean" if name.startswith("silver") else name for name in names] + ["silver.quarantine"]
        with query.connect(lake, layers=["bronze", "silver"]) as connection:
            counts = [
                connection.execute(f"select count(*) from {name}").fetchone()[0] if lake.exists(name) else 0
                for name in names
            ]
        return result, dict(zip(("read customers", "customers", "read leads", "leads", "waiting"), counts, strict=True))

    return call


def leads(rows: int, bad: int, value: str = "") -> str:
    """Deals of which the first have an amount that is none."""
    lines = [f"L{n},C{n % 10},won,{(value or f'call me {n}') if n < bad else n},2025-01-02" for n in range(rows)]
    return "\n".join([DEALS, *lines]) + "\n"


SHARES = [
    # rows, refused, without an account, a parent held -> held back, or said of it
    (60, 12, 0, False, None),
    (60, 13, 0, False, "leads.csv: 13 of 60 rows are refused (limit 20%)"),
    (60, 13, 13, False, "leads.csv: 13 of 60 rows are refused (limit 20%)"),
    (49, 25, 0, False, "leads.csv: 25 of 49 rows are refused"),
    (49, 24, 0, False, None),
    (3, 3, 0, False, "No row of leads.csv was accepted"),
    (3, 1, 0, True, "leads.csv: 1 of 3 rows are refused (limit 20%)"),
    (0, 0, 0, False, None),
]


@pytest.mark.parametrize(("rows", "refused", "empty", "parent", "says"), SHARES)
def test_shares(rows, refused, empty, parent, says):
    counts = hold.Counts(rows, refused, {"customer_id": empty})
    assert (hold.judged(FILE, counts, HoldBack(), parent) or hold.poor(FILE, counts)) == says


def test_a_share_of_empty_cells_has_a_limit_of_its_own():
    counts = hold.Counts(100, 10, {"customer_id": 10, "status": 0})
    limits = HoldBack(empty=0.05)
    assert hold.judged(FILE, counts, limits) == "leads.csv: 10 of 100 rows have no customer_id (limit 5%)"
    assert hold.judged(FILE, counts, HoldBack(rows=101, empty=0.05)) is None


@pytest.mark.parametrize(("unread", "filled", "held"), [(2, 3, True), (1, 2, False), (30, 60, False), (31, 60, True)])
def test_a_column_of_which_most_values_cannot_be_read_holds_its_file_whatever_its_size(unread, filled, held):
    counts = hold.Counts(filled + 2, 0, {}, {"employee_count": (unread, filled), "phone": (0, 9)})
    says = f"leads.csv: {unread} of {filled} values of employee_count cannot be read"
    assert hold.judged(FILE, counts, HoldBack()) == (says if held else None)


def test_company_sizes_in_ranges_are_not_empty_cells(folder):
    rows = [f"C{n},Firm {n},{size}" for n, size in enumerate(("51-200", "1-50", "", "1000+", "12"), 1)]
    files = {"customers.csv": "\n".join(["customer_id,customer_name,employee_count", *rows]) + "\n"}
    result, _ = folder(files)
    assert [item.problem for item in result.held] == [
        "customers.csv: 3 of 4 values of employee_count cannot be read: "
        "employee_count: cannot be read as integer (3 rows, such as line 2)"
    ]
    result, counts = folder(accept=True)
    assert (result.held, counts["customers"]) == ([], 5)


@pytest.mark.slow
def test_what_is_held_back_and_what_is_not(folder):
    """Too much is refused, two products are one but for their case, and a small file is loaded with a warning."""
    files = {
        "customers.csv": CUSTOMERS,
        "leads.csv": leads(60, 13),
        "products.csv": f"product_id,product_name\n{ONE},Anvil\n{OTHER},Bolt\n",
        "stage_history.csv": "lead_id,stage,entered_at\nL1,,2025-01-01\n",
    }
    result, counts = folder(files)
    assert [(item.name, item.problem.partition(".csv: ")[2]) for item in result.held] == [
        (
            "products.csv",
            f"product_id: identifiers are equal only after folding case (2 rows, such as line 2: {ONE!r} and {OTHER!r})",
        ),
        (
            "leads.csv",
            "13 of 60 rows are refused (limit 20%): deal_value: cannot be read as an amount in USD (13 rows, such as line 2: 'call me 0')",
        ),
    ]
    assert "products: properties: - {name: product_id, primaryKey: true, semanticType: text" in result.held[0].remedy
    assert "--accept takes the file in as it is" in result.held[1].remedy
    assert [item.problem for item in result.poor] == [
        "No row of stage_history.csv was accepted: stage: is missing (1 row, such as line 2)"
    ]
    assert counts == {"read customers": 10, "customers": 10, "read leads": 60, "leads": 0, "waiting": 1}
    result, again = folder()
    assert not result.changed
    assert again == counts
    # without the values: one may be someone's name, and an erasure could not remove the other
    assert all("such as line 2)" in item.problem for item in result.held)
    result, counts = folder(accept=True)
    assert not result.held
    assert counts == {"read customers": 10, "customers": 10, "read leads": 60, "leads": 47, "waiting": 14}
    result, again = folder()
    assert not result.held
    assert not result.changed
    assert again == counts


@pytest.mark.slow
def test_a_file_is_held_until_it_is_corrected(folder, tmp_path):
    """By another contract, by another file in its place; killed half-way it is as if it had not been killed."""
    result, counts = folder({"customers.csv": CUSTOMERS, "leads.csv": leads(60, 13), "leads_2.csv": leads(60, 20)})
    assert [item.name for item in result.held] == ["leads.csv", "leads_2.csv"]
    result, counts = folder({"leads_2.csv": leads(60, 20, "7")})
    assert [item.name for item in result.held] == ["leads.csv"]
    assert counts["leads"] == 60
    result, _ = folder({"leads_2.csv": leads(60, 30)})
    assert {item.name for item in result.held} == {"leads.csv", "leads_2.csv"}
    assert result.given_up == []
    result, _ = folder({"leads_2.csv": leads(60, 20, "7")})  # as it was, which was read before
    assert [item.name for item in result.held] == ["leads.csv"]
    assert result.given_up == [
        "leads_2.csv: the version that was held back on 2025-07-01 (60 rows) is given up, since other content is in its place"
    ]
    contract = tmp_path / "contract.yaml"
    contract.write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.0.0\nstatus: active\nschema:\n  - name: leads\n"
        "    properties:\n      - {name: deal_value, quality: [{type: custom, engine: medallion, implementation: readable, "
        "severity: warn}]}\n"
    )
    half = importlib.import_module("medallion.pipeline.bronze_to_silver")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(half, "_accounts", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
        folder(contracts=(contract,))
    result, counts = folder()
    assert not result.held
    assert counts == {"read customers": 10, "customers": 10, "read leads": 240, "leads": 60, "waiting": 0}
    assert not folder()[0].changed


@pytest.mark.parametrize(
    ("then", "stays"),
    [
        (leads(60, 0), False),
        (leads(50, 0), False),  # rows that are no deals were taken out
        (leads(2, 0), True),  # what changed since
        (DEALS + "\n", False),  # withdrawn
    ],
    ids=["corrected", "cleaned", "changes", "withdrawn"],
)
@pytest.mark.slow
def test_other_content_in_the_place_of_a_held_file_replaces_it_only_with_its_records(folder, then, stays):
    folder({"customers.csv": CUSTOMERS, "leads.csv": leads(60, 13)})
    result, _ = folder({"leads.csv": then})
    assert [item.name for item in result.held] == ["leads.csv"] * stays
    assert len(result.given_up) == (not stays)
    if stays:
        assert "58 of 60 records are in none that was read" in result.held[0].problem
        assert [item.name for item in folder()[0].held] == ["leads.csv"], "nor is it forgotten"
        result, counts = folder(accept=True)
        assert (result.held, counts["leads"]) == ([], 49)
    assert folder()[0].held == []


@pytest.mark.slow
def test_a_file_of_an_entity_that_the_contract_has_dropped_is_no_hindrance(folder, tmp_path):
    contract = tmp_path / "own.yaml"
    contract.write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.0.0\nstatus: active\nschema:\n  - name: visits\n"
        "    properties:\n      - {name: visit_id, primaryKey: true, required: true, logicalType: string, physicalType: string}\n"
        "      - {name: length, logicalType: integer, physicalType: bigint, required: true}\n"
        "    customProperties: [{property: sources, value: [{file: visits, columns: {visit_id: visit_id, length: length}}]}]\n"
    )
    visits = "visit_id,length\n" + "".join(f"V{n},long\n" for n in range(60))
    result, _ = folder({"customers.csv": CUSTOMERS, "visits.csv": visits}, contracts=(contract,))
    assert [item.name for item in result.held] == ["visits.csv"]
    folder({"visits.csv": "visit_id,length\nV0,1\n"}, contracts=(contract,))
    other = tmp_path / "other.yaml"
    other.write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.0.0\nstatus: active\nschema:\n  - name: leads\n"
    )
    result, _ = folder({"customers.csv": CUSTOMERS + "C99,More\n"}, contracts=(other,))
    assert result.changed


def filled(due: str, more: str = "") -> contracts.Override:
    """A contract that fills the expected close of deals from a column."""
    columns = {name: name for name in ("lead_id", "customer_id", "status", "created_at")}
    value = [
        {"file": "deals*", "columns": columns | {"expected_close_date": {"column": due} | json.loads(more or "{}")}}
    ]
    whole = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "x", "version": "1.0.0", "status": "active"}
    entity = {"name": "leads", "customProperties": [{"property": "sources", "value": value}]}
    return contracts.Override("contract.yaml", json.dumps(whole | {"schema": [entity]}))


@pytest.mark.parametrize(
    ("due", "more", "gone", "reads"),
    [
        ("Start", "", False, ("M/d/yyyy",)),
        ("Due", "", False, ("d/M/yyyy",)),
        ("Either", "", False, "'02/06/2025' may be 2025-06-02 (day first) or 2025-02-06 (month first)"),
        ("Start", "", True, ("M/d/yyyy",)),
        (
            "Due",
            "",
            True,
            "deals.csv: the contract fills expected_close_date otherwise than before, and the file itself",
        ),
        ("Due", '{"dateFormats": ["d/M/yyyy"]}', True, ("d/M/yyyy",)),
    ],
)
def test_another_contract_has_dates_looked_at_again(tmp_path, monkeypatch, due, more, gone, reads):
    """Of a file that was read before, how a column is written holds for that column and no other."""
    monkeypatch.setattr(pipeline.models, "champion", lambda settings: None)
    (tmp_path / "deals.csv").write_text(
        "lead_id,customer_id,status,created_at,Start,Due,Either\n"
        "L1,C1,open,2025-01-02,12/31/2025,31/12/2025,02/06/2025\nL2,C1,open,2025-01-02,02/06/2025,02/06/2025,02/06/2025\n"
    )
    entities = contracts.entities([filled("Start")])
    scan = sources.scan(str(tmp_path), entities)
    before = conventions.settle(scan.files, entities, []).files[0]
    assert before.dates["expected_close_date"] == ("M/d/yyyy",)
    if due == "Either":  # its own order of before says nothing of it either
        before = replace(before, dates={})
    if gone:
        (tmp_path / "deals.csv").unlink()
    work = Work(load(None, lakehouse=str(tmp_path / "lake")), datetime(2025, 7, 1), lambda name, seconds: None)
    work.entities = contracts.entities([filled(due, more)])
    held = hold.Batch.held(hold.Batch.of((before,), datetime(2025, 6, 1)), before)
    again = replace(held, files=(sources.remapped(before, work.entities),))
    assert ("expected_close_date" in again.files[0].dates) == (due == "Start")
    checked = work._checked_again(again, [held])
    if isinstance(reads, str):
        assert checked is None
        assert reads in work.result.held[0].problem
        with pytest.raises(SourceError, match="expected_close_date|may be"):
            work.mapped_again(before, [held])
    else:
        for file in (
            checked.files[0],
            work.mapped_again(before, [held]),
        ):  # month first is what a contract tries anyway
            assert (file.mapping["expected_close_date"].date_formats or ("M/d/yyyy",)) == reads


@pytest.mark.slow
def test_a_small_file_waits_for_one_that_an_earlier_run_held_back(folder):
    folder({"customers.csv": f"{ACCOUNTS}{ONE},Halden\n{OTHER},Corvid\n"})
    result, counts = folder({"leads.csv": f"{DEALS}\nL1,{ONE},won,1,2025-01-02\n"})
    assert [item.name for item in result.held] == ["leads.csv", "customers.csv"]
    assert (counts["leads"], counts["waiting"]) == (0, 0)


@pytest.mark.parametrize("what", ["refused", "held", "poor"])
def test_whatever_is_wrong_with_a_file_ends_with_exit_status_1(monkeypatch, capsys, what):
    from medallion import cli
    from medallion.sources import Refusal

    result = Result(
        "run",
        given_up=["old.csv: is given up"],
        **{what: [Refusal("leads.csv", "leads", "leads.csv: is odd", "Correct it.")]},
    )
    monkeypatch.setattr(pipeline, "run", lambda *given, **more: result)
    monkeypatch.setattr("medallion.care.status.insights", lambda lake: {})
    monkeypatch.setattr("medallion.care.status.as_of", lambda lake: None)
    monkeypatch.setattr(sys, "argv", ["medallion", "run", "--json"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    printed = capsys.readouterr()
    assert end.value.code == 1
    listed = [
        item["file"]
        for name in ("refused", "held", "mostly_refused")
        for item in json.loads(printed.out)[f"files_{name}"]
    ]
    assert listed == ["leads.csv"]
    assert "leads.csv: is odd\nCorrect it." in printed.err
    assert json.loads(printed.out)["files_given_up"] == ["old.csv: is given up"]


@pytest.mark.slow
def test_the_lines_below_a_report_are_no_records(folder):
    """Five of them below two accounts are excluded; between records they are refused, and end with exit status 1."""
    below = "Report\nby Ines\non 1 July\nfiltered\nconfidential\n"
    result, counts = folder({"customers.csv": f"customer_id,customer_name\nC1,Tarn Foods\nC2,Orrin Steel\n{below}"})
    assert (counts["customers"], counts["waiting"], result.poor) == (2, 0, [])
    assert [account["excluded"] for account in result.accounts] == [5]
    result, _ = folder({"customers_2.csv": f"customer_id,customer_name\nC3,Velde Paper\n{below}C4,Pell Textiles\n"})
    assert result.poor[0].problem.startswith("customers_2.csv: 5 of 7 rows are refused: record: cannot be read")


ACCOUNTS = "customer_id,customer_name\n"
LOOKALIKES = {
    "within one file": (
        [{"customers.csv": f"{ACCOUNTS}{ONE},Halden\n{OTHER},Corvid\n"}],
        "customer_id: identifiers are equal only after folding case (2 rows, such as line 2: '0015f00000Bx7aQ' and '0015f00000Bx7aq')",
    ),
    "across files": (
        [{"customers.csv": f"{ACCOUNTS}{ONE},Halden\n", "customers_2.csv": f"{ACCOUNTS}{OTHER},Corvid\n"}],
        "are equal only after folding case (1 row, such as line 2: ",
    ),
    "against the lakehouse": (
        [{"customers.csv": f"{ACCOUNTS}{ONE},Halden\n"}, {"customers_2.csv": f"{ACCOUNTS}{OTHER},Corvid\n"}],
        "customer_id: identifiers are equal only after folding case (1 row, such as line 2: '0015f00000Bx7aq' and '0015f00000Bx7aQ')",
    ),
    "capitals against the lakehouse": (
        [{"customers.csv": f"{ACCOUNTS}aB1,Halden\n"}, {"customers_2.csv": f"{ACCOUNTS}AB1,Corvid\n"}],
        "customer_id: identifiers are equal only after folding case (1 row, such as line 2: 'AB1' and 'aB1')",
    ),
    "capitals against small letters": (
        [{"customers.csv": f"{ACCOUNTS}ab1,Halden\n"}, {"customers_2.csv": f"{ACCOUNTS}AB1,Corvid\n"}],
        None,
    ),
    "a reference": (
        [{"customers.csv": f"{ACCOUNTS}{ONE},Halden\n", "leads.csv": f"{DEALS}\nL1,{OTHER},won,1,2025-01-02\n"}],
        "customer_id: identifiers are equal only after folding case (1 row, such as line 2: '0015f00000Bx7aq' and '0015f00000Bx7aQ')",
    ),
    "another record in capitals": (
        [{"customers.csv": f"{ACCOUNTS}ab1,Halden\nAB1,Corvid\n"}],
        "customer_id: identifiers are equal only after folding case (2 rows, such as line 2: 'ab1' and 'AB1')",
    ),
    "the same record in capitals": ([{"customers.csv": f"{ACCOUNTS}ab1,Halden\nAB1,Halden\n"}], None),
    "a number that has lost its zeros": (
        [
            {"customers.csv": f"{ACCOUNTS}000123,Halden\n456,Corvid\n"},
            {"customers_2.csv": f"{ACCOUNTS}123,Halden\n456,Corvid\n"},
        ],
        "customer_id: identifiers are known with other leading zeros (1 row, such as line 2: '123' and '000123')",
    ),
    "a number that has got zeros": (
        [{"customers.csv": f"{ACCOUNTS}123,Halden\n"}, {"customers_2.csv": f"{ACCOUNTS}0123,Halden\n"}],
        "customer_id: identifiers are known with other leading zeros (1 row, such as line 2: '0123' and '123')",
    ),
    "numbers with zeros that are others": (
        [
            {"customers.csv": f"{ACCOUNTS}000123,Halden\n"},
            {"customers_2.csv": f"{ACCOUNTS}000123,Halden\n124,Corvid\n"},
        ],
        None,
    ),
    "15 and 18 characters": (
        [{"customers.csv": f"{ACCOUNTS}{ONE}AAR,Halden\n", "leads.csv": f"{DEALS}\nL1,{ONE},won,1,2025-01-02\n"}],
        "an identifier has a short and a long form (1 row, such as line 2: '0015F00000BX7AQ' and '0015F00000BX7AQAAR')",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", LOOKALIKES)
def test_identifiers_that_may_be_one_or_two(folder, case):
    deliveries, says = LOOKALIKES[case]
    for files in deliveries:
        result, _ = folder(files)
    assert [says in item.problem for item in result.held][:1] == ([True] if says else [])
    if says and "folding" in says:
        assert (
            "customers: properties: - {name: customer_id, primaryKey: true, semanticType: text" in result.held[0].remedy
        )


def test_what_gives_numbers_back_their_zeros_leaves_longer_ones_alone():
    (sql,) = re.findall('sql: "([^"]+)"', hold.padded(FILE, "lead_id", 4))
    read = duckdb.sql(f"select {sql.replace('`', chr(34))} from (values ('980'), ('0980'), ('12375')) t(id)").fetchall()
    assert read == [("0980",), ("0980",), ("12375",)]


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
