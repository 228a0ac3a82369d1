"""Files that are held back: nothing of them enters silver, every run says so, and nothing is lost or doubled."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from medallion import contracts, pipeline, query
from medallion.config import HoldBack, load
from medallion.pipeline import amounts, hold
from medallion.sources import SourceFile
from medallion.store import Lakehouse

CUSTOMERS = "customer_id,customer_name\n" + "".join(f"C{n},Firm {n}\n" for n in range(10))
DEALS = "lead_id,customer_id,status,deal_value,created_at"
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
        result = pipeline.run(given, now[0], halves=[pipeline.BRONZE_TO_SILVER])
        names = [f"{layer}.{name}" for name in ("customers", "leads") for layer in ("bronze", "silver")]
        names = [f"{name}_clean" if name.startswith("silver") else name for name in names] + ["silver.quarantine"]
        with query.connect(lake, layers=["bronze", "silver"]) as connection:
            counts = [
                connection.execute(f"select count(*) from {name}").fetchone()[0] if lake.exists(name) else 0
                for name in names
            ]
        return result, dict(zip(("read customers", "customers", "read leads", "leads", "waiting"), counts, strict=True))

    return call


def leads(rows: int, bad: int, status: str = "perhaps") -> str:
    lines = [f"L{n},C{n % 10},{status if n < bad else 'won'},{n},2025-01-02" for n in range(rows)]
    return "\n".join([DEALS, *lines]) + "\n"


SHARES = [
    # rows, refused, without an account, a parent held -> held back, or said of it
    (60, 12, 0, False, None),
    (60, 13, 0, False, "leads.csv: held back: 13 of 60 rows are refused (limit 20%)"),
    (60, 13, 13, False, "leads.csv: held back: 13 of 60 rows are refused (limit 20%)"),
    (49, 25, 0, False, "leads.csv: 25 of 49 rows are refused"),
    (49, 24, 0, False, None),
    (3, 3, 0, False, "No row of leads.csv was accepted"),
    (3, 1, 0, True, "leads.csv: held back: 1 of 3 rows are refused (limit 20%)"),
    (0, 0, 0, False, None),
]


@pytest.mark.parametrize(("rows", "refused", "empty", "parent", "says"), SHARES)
def test_shares(rows, refused, empty, parent, says):
    counts = hold.Counts(rows, refused, {"customer_id": empty})
    assert (hold.judged(FILE, counts, HoldBack(), parent) or hold.poor(FILE, counts)) == says


def test_a_share_of_empty_cells_has_a_limit_of_its_own():
    counts = hold.Counts(100, 10, {"customer_id": 10, "status": 0})
    limits = HoldBack(empty=0.05)
    assert hold.judged(FILE, counts, limits) == "leads.csv: held back: 10 of 100 rows have no customer_id (limit 5%)"
    assert hold.judged(FILE, counts, HoldBack(rows=101, empty=0.05)) is None


def test_a_file_of_which_too_much_is_refused(folder):
    """Bronze keeps it; accepted, it comes in once."""
    result, counts = folder({"customers.csv": CUSTOMERS, "leads.csv": leads(60, 13)})
    (held,) = result.held
    assert held.problem == (
        "leads.csv: held back: 13 of 60 rows are refused (limit 20%): "
        "status: is not an accepted value (13 rows, such as line 2: 'perhaps')"
    )
    assert "--accept takes the file in as it is" in held.remedy
    assert counts == {"read customers": 10, "customers": 10, "read leads": 60, "leads": 0, "waiting": 0}
    result, again = folder()
    assert not result.changed
    assert again == counts
    (held,) = result.held  # without the value: what is written down may be someone's name
    assert held.problem.endswith("status: is not an accepted value (13 rows, such as line 2)")
    result, counts = folder(accept=True)
    assert not result.held
    assert counts == {"read customers": 10, "customers": 10, "read leads": 60, "leads": 47, "waiting": 13}
    result, again = folder()
    assert not result.held
    assert not result.changed
    assert again == counts


@pytest.mark.slow
def test_a_file_is_held_until_it_is_corrected(folder, tmp_path):
    """By another contract, by another file in its place; killed half-way it is as if it had not been killed."""
    result, counts = folder({"customers.csv": CUSTOMERS, "leads.csv": leads(60, 13), "leads_2.csv": leads(60, 20)})
    assert [item.name for item in result.held] == ["leads.csv", "leads_2.csv"]
    result, counts = folder({"leads_2.csv": leads(60, 20, "lost")})
    assert [item.name for item in result.held] == ["leads.csv"]
    assert counts["leads"] == 60
    contract = tmp_path / "contract.yaml"
    contract.write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.0.0\nstatus: active\nschema:\n  - name: leads\n"
        "    properties:\n      - {name: status, customProperties: [{property: spellings, value: {open: [perhaps]}}]}\n"
    )
    half = sys.modules["medallion.pipeline.bronze_to_silver"]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(half, "_accounts", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
        folder(contracts=(contract,))
    result, counts = folder()
    assert not result.held
    assert counts == {"read customers": 10, "customers": 10, "read leads": 180, "leads": 60, "waiting": 0}
    assert not folder()[0].changed


def test_every_row_of_a_small_file_refused_ends_with_exit_status_1(folder, monkeypatch, capsys):
    """The rows wait in quarantine as ever."""
    from medallion import cli

    result, counts = folder({"customers.csv": CUSTOMERS, "leads.csv": leads(2, 2)})
    assert [item.problem for item in result.poor] == [
        "No row of leads.csv was accepted: status: is not an accepted value (2 rows, such as line 2: 'perhaps')"
    ]
    assert counts["waiting"] == 2
    # the command: what the result holds decides
    monkeypatch.setattr(pipeline, "run", lambda *given: result)
    monkeypatch.setattr("medallion.status.insights", lambda lake: {})
    monkeypatch.setattr("medallion.status.as_of", lambda lake: None)
    monkeypatch.setattr(sys, "argv", ["medallion", "run", "--json"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    printed = capsys.readouterr()
    assert end.value.code == 1
    assert json.loads(printed.out)["files_mostly_refused"][0]["file"] == "leads.csv"
    assert "Refused: No row of leads.csv was accepted" in printed.err


ACCOUNTS = "customer_id,customer_name\n"
LONG, OTHER = "0015f00000Bx7aQ", "0015f00000Bx7aq"
LOOKALIKES = {
    "within one file": (
        [{"customers.csv": f"{ACCOUNTS}{LONG},Halden\n{OTHER},Corvid\n"}],
        "customer_id: '0015f00000Bx7aQ' and '0015f00000Bx7aq' are equal only after folding case (2 rows",
    ),
    "across files": (
        [{"customers.csv": f"{ACCOUNTS}{LONG},Halden\n", "customers_2.csv": f"{ACCOUNTS}{OTHER},Corvid\n"}],
        "are equal only after folding case (1 row, such as line 2)",
    ),
    "against the lakehouse": (
        [{"customers.csv": f"{ACCOUNTS}{LONG},Halden\n"}, {"customers_2.csv": f"{ACCOUNTS}{OTHER},Corvid\n"}],
        "customer_id: '0015f00000Bx7aq' and '0015f00000Bx7aQ' are equal only after folding case",
    ),
    "a reference": (
        [{"customers.csv": f"{ACCOUNTS}{LONG},Halden\n", "leads.csv": f"{DEALS}\nL1,{OTHER},won,1,2025-01-02\n"}],
        "customer_id: '0015f00000Bx7aq' and '0015f00000Bx7aQ' are equal only after folding case",
    ),
    "another record in capitals": (
        [{"customers.csv": f"{ACCOUNTS}ab1,Halden\nAB1,Corvid\n"}],
        "customer_id: 'ab1' and 'AB1' are equal only after folding case",
    ),
    "the same record in capitals": ([{"customers.csv": f"{ACCOUNTS}ab1,Halden\nAB1,Halden\n"}], None),
    "15 and 18 characters": (
        [{"customers.csv": f"{ACCOUNTS}{LONG}AAR,Halden\n", "leads.csv": f"{DEALS}\nL1,{LONG},won,1,2025-01-02\n"}],
        "'0015F00000BX7AQ' and '0015F00000BX7AQAAR' are the short and the long form of one identifier",
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
        assert "customers: properties: - {name: customer_id, primaryKey: true, semanticType: text" in result.held[0].remedy


def test_case_tells_identifiers_apart_within_one_file(folder):
    """Merged by upper-casing, two accounts would be one; the deals wait with them."""
    deal = f"{DEALS}\nL1,{LONG},won,1,2025-01-02\n"
    result, counts = folder({"customers.csv": f"{ACCOUNTS}{LONG},Halden\n{OTHER},Corvid\n", "leads.csv": deal})
    assert [item.name for item in result.held] == ["customers.csv", "leads.csv"]
    assert "are equal only after folding case" in result.held[0].problem
    assert (counts["customers"], counts["leads"]) == (0, 0)


CURRENCIES = [
    # header, cells of a row                              -> what is said of it
    ("{deals},Cur", "100,EUR", "column 'Cur' holds currencies (EUR (2)) and is not mapped to currency"),
    ("{deals},Cur", "100,USD", None),
    ("{deals},CurrencyIsoCode", "100,EUR", None),  # mapped: the contract refuses its rows
    ("{deals},Deal Currency", "100,", None),
    ("{amount}", '"€ 1.200"', "amounts such as '€ 1.200' are in EUR (2), and nothing maps a currency"),
    ("{amount}", "CHF 500", "amounts such as 'CHF 500' are in CHF (2), and nothing maps a currency"),
    ("{amount}", "$500", None),
    ("{amount in euro}", "500", "column 'Amount (EUR)' holds amounts in EUR and is not mapped to deal_value"),
    ("{deals},Currency,Amount in company currency", "100,EUR,108", "let a contract say `deal_value: Amount in company"),
]  # fmt: skip


@pytest.mark.parametrize(("header", "cells", "says"), CURRENCIES, ids=[f"{c[0]}: {c[1]}" for c in CURRENCIES])
def test_a_currency_that_is_there_is_not_ignored(tmp_path, header, cells, says):
    assert _currency(tmp_path, header, [cells, cells], says)


def test_an_empty_cell_beside_other_currencies_is_not_dollars(tmp_path):
    says = "column 'Deal Currency' is empty in 1 of its rows and says EUR (1) in others: an empty cell is not USD"
    assert _currency(tmp_path, "{deals},Deal Currency", ["100,EUR", "100,"], says)


def _currency(folder: Path, header: str, rows: list[str], says: str | None) -> bool:
    from medallion import sources

    amount = DEALS.replace("deal_value", "Amount")
    columns = header.replace("{deals}", DEALS).replace("{amount}", amount)
    columns = columns.replace("{amount in euro}", amount.replace("Amount", "Amount (EUR)"))
    cells = [row.split(",", 1) if row[0] != '"' else [row] for row in rows]
    lines = [",".join([f"L{n}", "C1", "won", first, "2025-01-02", *rest]) for n, (first, *rest) in enumerate(cells)]
    (folder / "leads.csv").write_text("\n".join([columns, *lines]) + "\n")
    entities = contracts.entities()
    found = amounts.refused(sources.scan(str(folder), entities).files, entities)
    return (says in f"{found[0].problem}. {found[0].remedy}") if says and found else not found and not says


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
