"""Which currency a file's amounts are in: asked wherever a word for another one stands beside them."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from medallion import contracts, proposal, sources
from medallion.cells import arrays
from medallion.contracts import Override
from medallion.pipeline import amounts
from medallion.sources import currencies

DEALS = "lead_id,customer_id,status,deal_value,created_at"

CURRENCIES = [
    # header, cells of a row                              -> what is said of it
    ("{deals},Cur", "100,EUR", "column 'Cur' holds currencies (EUR (2)) and is not mapped to currency"),
    ("{deals},Cur", "100,USD", None),
    ("{deals},CurrencyIsoCode", "100,EUR", None),  # mapped: the contract refuses its rows
    ("{deals},Deal Currency", "100,", None),
    ("{amount}", '"€ 1.200"', "amounts such as '€ 1.200' are in EUR (2), and nothing maps a currency"),
    ("{amount}", "CHF 500", "amounts such as 'CHF 500' are in CHF (2), and nothing maps a currency"),
    ("{amount}", "$500", None),
    ("{amount},Deal Currency", "CHF 500,", "amounts such as 'CHF 500' are in CHF (2), and nothing maps a currency"),
    ("{amount in euro}", "500", "column 'Amount (EUR)' holds amounts in EUR and is not mapped to deal_value"),
    ("{amount in euro},Currency", "500,USD", "column 'Amount (EUR)' holds amounts in EUR and is not mapped to deal_value"),
    ("{deals},Currency,Amount in company currency", "100,EUR,108", "let a contract say `deal_value: Amount in company"),
]  # fmt: skip


@pytest.mark.parametrize(("header", "cells", "says"), CURRENCIES, ids=[f"{c[0]}: {c[1]}" for c in CURRENCIES])
def test_a_currency_that_is_there_is_not_ignored(tmp_path, header, cells, says):
    assert _currency(tmp_path, header, [cells, cells], says)


def test_an_empty_cell_beside_other_currencies_is_not_dollars(tmp_path):
    says = "column 'Deal Currency' is empty in 1 of its rows and says EUR (1) in others: an empty cell is not USD"
    assert _currency(tmp_path, "{deals},Deal Currency", ["100,EUR", "100,"], says)


def _currency(folder: Path, header: str, rows: list[str], says: str | None) -> bool:
    amount = DEALS.replace("deal_value", "Amount")
    columns = header.replace("{deals}", DEALS).replace("{amount}", amount)
    columns = columns.replace("{amount in euro}", amount.replace("Amount", "Amount (EUR)"))
    cells = [row.split(",", 1) if row[0] != '"' else [row] for row in rows]
    lines = [",".join([f"L{n}", "C1", "won", first, "2025-01-02", *rest]) for n, (first, *rest) in enumerate(cells)]
    (folder / "leads.csv").write_text("\n".join([columns, *lines]) + "\n")
    entities = contracts.entities()
    found = amounts.refused(sources.scan(str(folder), entities).files, entities)
    return (says in f"{found[0].problem}. {found[0].remedy}") if says and found else not found and not says


def test_a_column_that_says_otherwise_than_the_header_of_the_amounts():
    columns = [
        currencies.Cells("Deal value (EUR)", "deal_value_eur", Counter({"5": 2})),
        currencies.Cells("Currency", "currency", Counter({"USD": 2})),
    ]
    found = currencies.doubt(columns, {"deal_value_eur": "deal_value"}, "currency", "USD")
    assert found is not None
    assert found.problem == "the header of 'Deal value (EUR)' says EUR, but 'Currency' says USD (2)"
    assert currencies.doubt(columns, {"deal_value_eur": "deal_value"}, "currency", "USD", declared=True) is None


ACCOUNTS = [
    # header and cells beside customer_id,customer_name          -> what is said of it
    ("annual_revenue,CurrencyIsoCode", "1000,EUR", "every annual_revenue would count as USD"),
    ("annual_revenue,CurrencyIsoCode", "1000,USD", None),
    ("annual_revenue", "€1000", "column 'annual_revenue' holds amounts in EUR (2)"),
    ("annual_revenue", "$1000", None),
    ("employee_count,CurrencyIsoCode", "1000,EUR", None),  # no amount that would count
]


@pytest.mark.parametrize(("header", "cells", "says"), ACCOUNTS)
def test_amounts_of_accounts_have_a_currency_too(tmp_path, header, cells, says):
    rows = [f"C{n},Firm {n},{cells}" for n in (1, 2)]
    (tmp_path / "customers.csv").write_text("\n".join([f"customer_id,customer_name,{header}", *rows]) + "\n")
    entities = contracts.entities()
    found = amounts.refused(sources.scan(str(tmp_path), entities).files, entities)
    assert [says in item.problem for item in found if says] == [True] * (says is not None)
    assert bool(found) == (says is not None)
    proposed = proposal.propose(str(tmp_path), "x")
    asked = [column for column in proposed.columns if column["column"] == "annual_revenue" and says]
    assert all(says in column["reason"] and column["confidence"] <= 0.6 for column in asked)


IN_EUROS = "{name: currency, enum: [{value: EUR}], customProperties: [{property: default, value: \"'EUR'\"}]}"
INIT = [
    # header of the amount, cells; header of another column, cells -> what is filled from what, and what it says
    ("Amount (EUR)", "100 200", "", "", 'deal_value: {column: "Amount (EUR)", confidence: 0.6', IN_EUROS),
    ("Umsatz in EUR", "100 200", "", "", 'deal_value: {column: "Umsatz in EUR", confidence: 0.6', IN_EUROS),
    ("Amount", "€1.200 €300", "", "", "deal_value: {column: Amount, decimalComma: true, confidence: 0.6", IN_EUROS),
    ("Amount", "CHF1200 CHF300", "", "", "confidence: 0.6", "enum: [{value: CHF}]"),
    (
        "Amount",
        "€1.200 £300",
        "",
        "",
        "deal_value: {column: Amount, decimalComma: true, confidence: 0.6",
        "in EUR (1), GBP (1)",
    ),
    ("Amount", "100 200", "Devise", "EUR EUR", "currency: {column: Devise, confidence: 0.6", IN_EUROS),
    ("Amount", "100 200", "Cur", "EUR USD", "currency: {column: Cur, confidence: 0.6", "refused: EUR (1)"),
    ("Amount", "100 200", "Moneda", "EUR -", "currency: {column: Moneda, confidence: 0.6", IN_EUROS),
    ("Amount", "$100 $200", "", "", "deal_value: {column: Amount, confidence: 0.91", ""),
    ("Amount", "100 200", "Amount in company currency", "1 2", "deal_value: {column: Amount, confidence: 0.91", ""),
]


#: How amounts of one currency are written, what they are, and whether they have a decimal comma.
WRITTEN = [
    ("1'234.50 CHF", "CHF", "1234.50", False),
    ("CHF 1'234.50", "CHF", "1234.50", False),
    ("Fr. 1'234.50", "CHF", "1234.50", False),
    ("1 234,50 zł", "PLN", "1234.50", True),
    ("1 234,50 PLN", "PLN", "1234.50", True),
    ("¥1,234", "JPY", "1234.00", False),
    ("￥1,234", "JPY", "1234.00", False),
    ("1,234円", "JPY", "1234.00", False),
    ("R$ 1.234,50", "BRL", "1234.50", True),
    ("₹1,23,456", "INR", "123456.00", False),
    ("1.234,50 Euro", "EUR", "1234.50", True),
    ("1.234,50 kr", "SEK", "1234.50", True),
    ("(£15,134.05)", "GBP", "-15134.05", False),
    ("-£15,134.05", "GBP", "-15134.05", False),
    ("1 234,00- Kč", "CZK", "-1234.00", True),
    ("43.500,- €", "EUR", "43500.00", True),
    ("€ 350,--", "EUR", "350.00", True),
    ("1'500.– CHF", "CHF", "1500.00", False),
    ("CHF 350.-", "CHF", "350.00", False),
    ("-43.500,- €", "EUR", "-43500.00", True),
    ("1.234,50 руб.", "RUB", "1234.50", True),
    ("1 234,50 руб", "RUB", "1234.50", True),
    ("1.234,50 лв.", "BGN", "1234.50", True),
    ("S/. 1,234.50", "PEN", "1234.50", False),
    ("Rs. 1,23,456", "INR", "123456.00", False),
    ("12,50 kr.", "SEK", "12.50", True),
    ("12,50 Fr.", "CHF", "12.50", True),
]


@pytest.mark.parametrize(("cell", "code", "value", "comma"), WRITTEN)
def test_amounts_of_one_currency_are_proposed_as_they_are_read(tmp_path, cell, code, value, comma):
    rows = [f"D{n};Acme {n % 2};{('Won', 'Lost')[n % 2]};{cell};2025-01-0{n};2025-02-0{n}" for n in range(1, 7)]
    (tmp_path / "deals.csv").write_text("Deal ID;Company;Status;Amount;Created;Closed\n" + "\n".join(rows) + "\n")
    proposed = proposal.propose(str(tmp_path), "x")
    columns = {c["column"]: c for c in proposed.columns if c["entity"] == "leads"}
    assert columns["deal_value"]["confidence"] == 0.6, "it is asked about"
    entities = contracts.entities([Override("x", proposed.text)])
    (file,) = [each for each in sources.scan(str(tmp_path), entities).files if each.entity == "leads"]
    filling, column = file.mapping["deal_value"], entities["leads"].column("deal_value")
    assert (filling.column, filling.decimal_comma, column.unit) == ("amount", comma, code)
    assert arrays.reader(column, filling)(pa.array([cell])).to_pylist() == [Decimal(value)]
    assert ("are below 0: credits" in columns["deal_value"]["reason"]) == value.startswith("-")
    assert not amounts.refused([file], entities)


def test_a_contract_that_says_another_currency_than_that_of_the_figures_stops_the_file(tmp_path):
    (tmp_path / "leads.csv").write_text(f"{DEALS}\nL1,C1,won,¥500,2025-01-01\n")
    columns = (
        "lead_id: lead_id, customer_id: customer_id, status: status, deal_value: deal_value, created_at: created_at"
    )
    lines = [
        "apiVersion: v3.1.0", "kind: DataContract", "id: own", "version: 1.0.0", "status: active", "schema:", "  - name: leads",
        "    customProperties:", "      - property: sources", "        value:", "          - file: leads",
        "            columns: {" + columns + ", currency: {value: JPY}}",
    ]  # fmt: skip
    entities = contracts.entities([Override("own.yaml", "\n".join(lines))])
    (refusal,) = amounts.refused(sources.scan(str(tmp_path), entities).files, entities)
    assert "says `currency: {value: JPY}`, and figures are in USD" in refusal.problem
    assert "`- {name: currency, enum: [{value: JPY}]}` under the `properties` of leads" in refusal.remedy
    lines += ["    properties:", "      - {name: currency, enum: [{value: JPY}]}"]
    entities = contracts.entities([Override("own.yaml", "\n".join(lines))])
    assert not amounts.refused(sources.scan(str(tmp_path), entities).files, entities)


@pytest.mark.parametrize(("header", "cells", "other", "others", "filled", "says"), INIT)
def test_init_asks(tmp_path, header, cells, other, others, filled, says):
    lines = [
        f'{n},Acme {n},Closed {state},"{cell}",2025-01-0{n},Ines,{more}'
        for n, (state, cell, more) in enumerate(
            zip(("Won", "Lost"), cells.split(), others.split() or ("", ""), strict=True), start=1
        )
    ]
    head = f"Deal ID,Company,Stage,{header},Created,Owner,{other or 'Remark'}"
    (tmp_path / "deals.csv").write_text("\n".join([head, *lines]) + "\n")
    text = proposal.propose(str(tmp_path), "x").text
    assert filled in text
    assert says in text


def test_the_company_currency_may_be_the_answer(tmp_path):
    (tmp_path / "deals.csv").write_text(
        "Record ID,Deal Stage,Amount,Currency,Amount in company currency,Create Date\n"
        "1,Closed Won,10000,EUR,10800,2025-01-06\n2,Closed Lost,5000,USD,5000,2025-01-07\n"
    )
    proposed = proposal.propose(str(tmp_path), "x")
    (value,) = [column for column in proposed.columns if column["column"] == "deal_value"]
    assert value["confidence"] < 0.8
    assert "`deal_value: Amount in company currency` and `currency: {value: USD}`" in value["reason"]


BESIDE = [
    # a further column of the deals with its cells; another file with its content   -> what says which currency
    ("Weighted", "€500 €900", "", "", "Weighted says EUR", "column 'Weighted' says EUR (2)"),
    ("Expected revenue", "500EUR 900EUR", "", "", "Expected revenue says EUR", "column 'Expected revenue' says EUR (2)"),
    ("Weighted (EUR)", "500 900", "", "", "Weighted (EUR) says EUR", "column 'Weighted (EUR)' says EUR (2)"),
    ("Owner", "Ann Bob", "accounts.csv", "Account ID,Account Name,Currency\nA1,Acme,EUR\n", "Currency of accounts.csv says EUR",
     "column 'Currency' of accounts.csv says EUR (1)"),
    ("Owner", "Ann Bob", "accounts.csv", "Account ID,Account Name,Account Currency\nA1,Acme,GBP\nA2,Bolt,USD\n",
     "Account Currency of accounts.csv says GBP (1), USD (1)", "of accounts.csv says GBP (1), USD (1)"),
    ("Owner", "Ann Bob", "lines.csv", "Deal ID,Pos,Devise,Prix\nD1,1,EUR,5\nD2,1,EUR,5\n", "Devise of lines.csv says EUR", None),
    ("Owner", "Ann Bob", "accounts.csv", "Account ID,Account Name,Currency\nA1,Acme,USD\n", None, None),
    ("Weighted", "$500 $900", "", "", None, None),
    ("Weighted", "500 900", "", "", None, None),
]  # fmt: skip


@pytest.mark.parametrize(("header", "cells", "file", "content", "init", "plain"), BESIDE)
def test_a_currency_beside_amounts_that_name_none(tmp_path, header, cells, file, content, init, plain):
    rows = [f"D{n},A1,Won,{n}000,2025-01-0{n},2025-02-0{n},{cell}" for n, cell in enumerate(cells.split(), 1)]
    (tmp_path / "deals.csv").write_text(
        "\n".join([f"Deal ID,Account ID,Status,Amount,Created Date,Close Date,{header}", *rows]) + "\n"
    )
    (tmp_path / (file or "accounts.csv")).write_text(content or "Account ID,Account Name\nA1,Acme\n")
    found = proposal.propose(str(tmp_path), "x")
    (value,) = [column for column in found.columns if (column["entity"], column["column"]) == ("leads", "deal_value")]
    assert (value["confidence"] < 0.8) == bool(init)
    assert (init or "") in value["reason"]
    assert ("enum: [{value: EUR}]" in found.text) == bool(init and "EUR" in init)
    entities = contracts.entities()
    refused = amounts.refused(sources.scan(str(tmp_path), entities).files, entities)
    assert [plain in refusal.problem for refusal in refused if plain] == [True] * bool(plain)
    assert bool(refused) == bool(plain)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
