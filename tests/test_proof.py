"""The proof of a reading: figures by state and currency, dates, accounts, refused and empty cells, three deals."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from medallion import contracts, proposal
from medallion.cli.app import app
from medallion.cli.proof import show, side_by_side
from medallion.contracts import Filling
from medallion.lakehouse import query
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import proof, sample
from medallion.sources import SourceFile

DUCKDB = {"bigint": "bigint", "string": "varchar", "boolean": "boolean", "double": "double"}
FILE = SourceFile(
    "/in/deals.csv", "deals.csv", "leads", "csv", "hash", 1,
    columns=(("ID", "id"), ("Phase", "phase"), ("Wert", "wert")),
    mapping={"lead_id": Filling(column="id"), "status": Filling(sql="CASE WHEN `phase` = 'P5' THEN 'won' END"),
             "deal_value": Filling(column="wert"), "currency": Filling(value="EUR")},
)  # fmt: skip


def deals(*rows):
    """A connection with deals (key, account, state, value, currency, closed) and two accounts."""
    entities = contracts.entities()
    with query.empty() as connection:
        for name in ("customers", "leads"):
            columns = ", ".join(
                f'"{c.name}" {DUCKDB.get(c.type, c.type)}' for c in entities[name].clean.columns
            )  # fmt: skip
            connection.execute(f"create table silver.{name}_clean ({columns})")
        connection.execute(
            "insert into silver.customers_clean (customer_id, customer_name) values ('C1', 'Anvil'), ('C2', null)"
        )
        sql = (
            "insert into silver.leads_clean (lead_id, customer_id, status, deal_value, currency, closed_at, created_at) "
            "values (?, ?, ?, ?, ?, ?, timestamp '2025-01-01')"
        )
        for row in rows:
            connection.execute(sql, list(row))
        connection.execute(
            "create table silver.quarantine as select 'leads' as entity, 'Q1' as quarantine_id, "
            "['customer_id.reference', 'email.pattern'] as failed_checks, null::varchar as resolved_by "
            "union all select 'leads', 'Q2', ['status.accepted'], 'B2'"
        )
        there = {"silver.customers_clean", "silver.leads_clean", "silver.quarantine"}
        return proof.over(connection, entities, "USD", there)


AMOUNTS = [
    # cell, how the contract reads it -> the amount, None where it is not told
    ("1,070.50", {}, "1070.50"), ("1000", {}, "1000"), ("-12.5", {}, "-12.5"), ("", {}, "0"), ("1.234,56", {}, "1234.56"),
    ("1 234 567", {}, "1234567"), ("1'234.50", {}, "1234.50"), ("1,5", {}, None), ("1.234", {}, None), ("1,23", {}, None),
    ("12,34,567", {}, "1234567"), ("soon", {}, None), ("1.234,56", {"decimal_comma": True}, "1234.56"),
    ("1,5", {"decimal_comma": True}, "1.5"), ("1.234", {"decimal_comma": True}, "1234"), ("12.5", {"decimal_comma": True}, "12.5"),
    ("1.23.4", {"decimal_comma": True}, None), ("100000", {"unit": "cents"}, "1000"), ("12", {"unit": "thousands"}, "12000"),
    (None, {}, "0"), ("$5", {}, "5"), ("5 EUR", {}, None),
]  # fmt: skip


@pytest.mark.parametrize(("cell", "how", "amount"), AMOUNTS)
def test_an_amount_that_waits_is_told_as_silver_would_read_it(cell, how, amount):
    file = replace(FILE, mapping={"deal_value": Filling(column="wert", **how)})
    declared = contracts.entities()["leads"].column("deal_value")
    found = proof._amount(json.dumps({"wert": cell}), file, declared)
    assert found == (None if amount is None else Decimal(amount))


CASES = [
    # deals -> the sentence, accounts matched and not
    ([], "0 won, $0; 0 lost; 0 open", (0, 1)),
    ([("L1", "C1", "won", 3327500, "USD", datetime(2025, 2, 1)), ("L2", "C2", "lost", 5, "USD", None),
      ("L3", "C9", "open", None, "USD", None)], "1 won, $3,327,500; 1 lost; 1 open", (2, 2)),
    ([("L1", "C1", "won", 10, "EUR", None), ("L2", "C1", "won", 20, None, None), ("L3", "C1", "won", 40, "EUR", None)],
     "3 won, €50 and $20; 0 lost; 0 open", (3, 1)),
    ([("L1", None, "won", None, "CHF", None), ("L2", "C1", "open", 7, "EUR", None)], "1 won, CHF 0; 0 lost; 1 open", (1, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "says", "accounts"), CASES)
def test_the_sentence_and_the_accounts(rows, says, accounts):
    found = deals(*rows)
    assert found.question == f"Your CRM should show {says}. Is that so?"
    assert (found.matched, found.unmatched) == accounts


@pytest.mark.parametrize(("matched", "unmatched", "asked"), [(1, 39, True), (20, 20, False), (40, 0, False)])
def test_a_proof_with_mostly_unknown_accounts_is_a_doubt(matched, unmatched, asked):
    says: list[str] = []
    call = SimpleNamespace(say=says.append, records=lambda *_: None)
    show(call, replace(deals(), matched=matched, unmatched=unmatched))
    assert any("Most deals have no account: is that so?" in line for line in says) == asked


def test_refused_and_empty_cells_and_dates():
    found = deals(("L1", "C1", "won", None, "USD", None), ("L2", "C1", "lost", 5, "USD", datetime(2025, 3, 1)))
    filled = {(each.entity, each.column): (each.rows, each.refused, each.empty) for each in found.filled}
    assert filled["leads", "customer_id"] == (3, 1, 0)
    assert filled["leads", "status"] == (3, 0, 0)  # what was reprocessed no longer waits
    assert filled["leads", "deal_value"] == (3, 0, 1)
    assert filled["leads", "closed_at"] == (2, 0, 1)
    assert filled["customers", "customer_name"] == (2, 0, 1)
    spans = {(each.entity, each.column): str(each.first) for each in found.spans}
    assert spans["leads", "closed_at"] == "2025-03-01"


def test_won_is_what_the_metrics_say(monkeypatch):
    from medallion import metrics

    known = metrics.metrics()
    measure = known["won_leads"].measure.model_copy(update={"expr": "COUNT(CASE WHEN status = 'lost' THEN 1 END)"})
    changed = {**known, "won_leads": replace(known["won_leads"], measure=measure)}
    monkeypatch.setattr(metrics, "metrics", lambda: changed)
    monkeypatch.setattr(proof, "_sql", proof._sql.__wrapped__)
    assert deals(("L1", "C1", "lost", 5, "USD", None)).deals("won") == 1


def test_a_deal_beside_its_cells():
    row = {"lead_id": "7", "status": "won", "deal_value": 12.5, "currency": "EUR", "_source_file": "deals.csv", "_source_row": 2}  # fmt: skip
    one = proof.example(row, FILE, {"id": "007", "phase": "P5", "wert": "12,50"})
    assert (one.state, one.source) == ("won", "deals.csv:2")
    assert side_by_side((one,)) == [
        {"column": "lead_id", "won (deals.csv:2)": "007 → 7"},
        {"column": "status", "won (deals.csv:2)": "P5 → won"},
        {"column": "deal_value", "won (deals.csv:2)": "12,50 → 12.5"},
        {"column": "currency", "won (deals.csv:2)": "always EUR → EUR"},
    ]


def test_what_is_kept_quotes_no_cell():
    found = deals(("L1", "C1", "won", 10, "USD", None))
    one = proof.Example("won", "deals.csv:2", (("lead_name", "Ana Diaz", "Ana Diaz"),))
    kept = json.loads(proof.kept(replace(found, examples=(one,))))
    assert kept["examples"] == [{"state": "won", "source": "deals.csv:2"}]
    assert kept["won"] == 1


@pytest.mark.slow
def test_init_and_the_first_run_tell_the_same_and_it_is_kept(spark, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "deals.csv").write_text(
        "Record ID,Deal Stage,Amount,Create Date,Close Date,Associated Company\n"
        "1,Closed Won,1000,2025-01-06,2025-03-14,Velde Paper\n2,Closed Lost,500,2025-01-09,2025-03-17,Orrin Steel\n"
        "3,Negotiation,900,2025-01-13,2026-12-19,Tarn Foods\n"
    )
    says = "Your CRM should show 1 won, $1,000; 1 lost; 1 open. Is that so?"
    out, lake = tmp_path / "x.odcs.yaml", tmp_path / "lake"
    proposed = CliRunner().invoke(app, ["init", str(folder), "--out", str(out), "--json"])
    assert json.loads(proposed.stdout)["proof"]["question"] == says
    args = ["run", "--source", str(folder), "--lakehouse", str(lake), "--contract", str(out)]
    first = CliRunner().invoke(app, args)
    assert first.exit_code == 0, first.output
    assert says in first.output
    (folder / "more_deals.csv").write_text("Record ID,Deal Stage\n")
    assert says not in CliRunner().invoke(app, args).output  # asked once
    assert next(row["question"] for row in proof.recorded(Lakehouse(str(lake)))) == says


def test_what_cannot_be_proved_says_why(tmp_path):
    found, why = sample.proved(str(tmp_path), "kind: DataContract\n")
    assert found is None
    assert why


def test_what_has_ended_is_not_in_the_proof_of_init(tmp_path):
    (tmp_path / "deals.csv").write_text(
        "Record ID,Deal Stage,Amount,Create Date,Close Date,Associated Company,IsDeleted\n"
        "1,Closed Won,1000,2025-01-06,2025-03-14,Velde Paper,false\n2,Closed Won,500,2025-01-09,2025-03-17,Orrin Steel,true\n"
    )
    text = proposal.propose(str(tmp_path), "x").text
    found, why = sample.proved(str(tmp_path), text)
    assert (found and found.says, why) == ("1 won, $1,000; 0 lost; 0 open", "")
