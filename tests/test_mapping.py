"""Sources declared in a contract: which file feeds what, and what fills each column."""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import xlsxwriter

from conftest import NOW
from medallion import contracts, sources
from medallion.errors import ContractError, SourceError
from medallion.sources import readers
from medallion.sources.files import Place

HEAD = """apiVersion: v3.1.0
kind: DataContract
id: mine
name: mine
version: 1.0.0
status: active
schema:
"""
ACCOUNTS = "Id,Name\nA1,Anvil & Sons\nA2,Bolt GmbH\nA3,Twin\nA4,Twin\n"


def schema(entity: str, sources: str, more: str = "") -> str:
    indented = "".join(f"          {line}\n" for line in sources.strip("\n").splitlines())
    return f"  - name: {entity}\n    customProperties:\n      - property: sources\n        value:\n{indented}{more}"


CUSTOMERS = schema("customers", '- file: "Account*"\n  columns: {customer_id: Id, customer_name: Name}')
LEADS = schema(
    "leads",
    """
- file: Opportunity
  dateFormats: [d.M.yyyy]
  decimalComma: true
  columns:
    lead_id: Opp No
    customer_id: {column: Account, lookup: customers, by: customer_name}
    status: {column: Phase, values: {Gewonnen: won, Verloren: lost}, otherwise: open}
    stage: Phase
    deal_value: Wert
    created_at: Angelegt
    source: {value: website}
    owner: {sql: "concat(`rep_first`, ' ', `rep_last`)"}
""",
)
OPPS = (
    "Opp No,Account,Phase,Wert,Angelegt,Rep First,Rep Last\n"
    'O1,anvil  & sons,Gewonnen,"1.234,56",31.12.2024,Ana,Ruiz\n'
    "O2,BOLT GMBH,Angebot,98,1.2.2025,Bo,Li\n"
    "O3,Nobody,Verloren,1,1.2.2025,Bo,Li\n"
    "O4,Twin,Verloren,1,1.2.2025,Bo,Li\n"
    "O5,Bolt GmbH,Verloren,1,12/31/2024,Bo,Li\n"
)


@pytest.fixture
def contract(tmp_path):
    def write(*parts: str) -> Path:
        path = tmp_path / "mine.odcs.yaml"
        path.write_text(HEAD + "".join(parts))
        return path

    return write


def test_lookups_values_constants_and_expressions(to_silver, contract, rows):
    path = contract(CUSTOMERS, LEADS)
    result, lake = to_silver({"Account.csv": ACCOUNTS, "Opportunity.csv": OPPS}, contracts=(path,))
    assert result.new_columns == {}
    assert rows(lake, "select lead_id, customer_id, status, stage, deal_value::varchar as v, created_at::date::varchar as d, "
                "source, owner from silver.leads_clean order by 1") == [
        {"lead_id": "O1", "customer_id": "A1", "status": "won", "stage": "gewonnen", "v": "1234.56", "d": "2024-12-31",
         "source": "website", "owner": "Ana Ruiz"},
        {"lead_id": "O2", "customer_id": "A2", "status": "open", "stage": "angebot", "v": "98.00", "d": "2025-02-01",
         "source": "website", "owner": "Bo Li"},
    ]  # fmt: skip
    refused = {row["record_key"]: row["reasons"] for row in rows(lake, "select * from silver.quarantine")}
    assert refused == {
        "O3": ["customer_id: leads to no customer: 'Nobody'"],
        "O4": ["customer_id: leads to several customers: 'Twin'"],
        "O5": ["created_at: cannot be read as a date and time: '12/31/2024'"],  # never by another format than said
    }


@pytest.mark.slow
def test_a_lookup_over_two_tables_and_an_optional_one(to_silver, contract, rows):
    """deal -> contact -> company; a touch whose deal is not known is kept, since it may have none."""
    contacts = """  - name: contacts
    description: Looked up only.
    dataGranularityDescription: one row per contact
    customProperties:
      - property: sources
        value:
          - file: Contact
            columns: {contact_id: Id, customer_id: {column: Company, lookup: customers, by: customer_name}}
    properties:
      - {name: contact_id, primaryKey: true, required: true, logicalType: string, physicalType: string}
      - {name: customer_id, logicalType: string, physicalType: string}
"""
    leads = schema(
        "leads",
        """
- file: Opportunity
  columns:
    lead_id: Id
    customer_id: {column: Contact, lookup: contacts, by: contact_id, take: customer_id}
    status: Status
    created_at: Created
""",
    )
    touches = schema(
        "interactions",
        """
- file: Calls
  columns: &shape
    interaction_id: {sql: "concat('CALL-', id)"}
    customer_id: {column: Deal, lookup: leads, by: lead_id, take: customer_id}
    lead_id: Deal
    channel: {value: call}
    occurred_at: At
    outcome: {column: Result, empty: neutral}
- file: Mails
  columns: {interaction_id: {sql: "concat('MAIL-', id)"}, customer_id: Account, occurred_at: At, channel: {value: email}, outcome: {value: neutral}}
""",
    )
    result, lake = to_silver(
        {
            "Account.csv": ACCOUNTS,
            "Contact.csv": "Id,Company\nc1,Anvil & Sons\nc2,Unheard of\n",
            "Opportunity.csv": "Id,Contact,Status,Created\nO1,c1,open,2025-01-01\nO2,c2,open,2025-01-01\n",
            "Calls.csv": "Id,Deal,At,Result\n1,O1,2025-01-02,positive\n2,O1,2025-01-03,\n3,O9,2025-01-03,positive\n",
            "Mails.csv": "Id,Account,At\n1,A2,2025-01-04\n",
        },
        contracts=(contract(contacts, CUSTOMERS, leads, touches),),
    )
    assert [account["entity"] for account in result.accounts] == ["customers", "contacts", "leads", "interactions"]
    found = rows(lake, "select interaction_id, customer_id, channel, outcome from silver.interactions_clean order by 1")
    assert [tuple(row.values()) for row in found] == [
        ("CALL-1", "A1", "call", "positive"),
        ("CALL-2", "A1", "call", "neutral"),
        ("MAIL-1", "A2", "email", "neutral"),
    ]
    refused = rows(lake, "select record_key, reasons[1] as reason from silver.quarantine order by 1")
    assert [tuple(row.values()) for row in refused] == [
        ("CALL-3", "customer_id: leads to no lead: 'O9'"),
        ("O2", "customer_id: leads to no contact: 'c2'"),  # it is there, but leads to no account itself
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "severity", "kept"),
    [
        ("Id", "warn", ["O1", "O2"]),
        ("Id", "reject", ["O1"]),
        ("{sql: \"CASE WHEN lower(id) <> 'total' THEN id END\"}", "warn", ["O1", "O2"]),
    ],
)
def test_a_deal_that_no_pair_gives_an_account_has_none(to_silver, contract, rows, key, severity, kept):
    """It is looked up by its own key: that it is not there is no wrong key; an account that is not there still is."""
    pairs = """  - name: pairs
    description: Looked up only.
    dataGranularityDescription: one row per pair
    customProperties:
      - property: sources
        value:
          - file: pairs
            columns: {deal_id: Deal, account_id: Account}
    properties:
      - {name: deal_id, primaryKey: true, required: true, logicalType: string, physicalType: string}
      - {name: account_id, logicalType: string, physicalType: string}
"""
    optional = "{name: customer_id, required: false, quality: [{metric: nullValues, mustBe: 0, severity: SEVERITY}]}"
    leads = schema(
        "leads",
        f"- file: deals\n  columns: {{lead_id: {key}, status: Status, created_at: Created, "
        "customer_id: {column: Id, lookup: pairs, by: deal_id, take: account_id}}",
        f"    properties:\n      - {optional.replace('SEVERITY', severity)}\n",
    )
    _, lake = to_silver(
        {
            "Account.csv": ACCOUNTS,
            "pairs.csv": "Deal,Account\nO1,A1\nO3,A9\n",
            "deals.csv": "Id,Status,Created\nO1,won,2025-01-01\nO2,open,2025-01-01\nO3,open,2025-01-01\n",
        },
        contracts=(contract(pairs, CUSTOMERS, leads),),
    )
    assert [row["lead_id"] for row in rows(lake, "select lead_id from silver.leads_clean order by 1")] == kept
    (dangling,) = rows(lake, "select reasons[1] as reason from silver.quarantine where record_key = 'O3'")
    assert "customer" in dangling["reason"]


def test_an_optional_lookup_that_leads_to_several_is_left_empty_and_counted(to_silver, contract, rows):
    products = schema("products", "- file: Products\n  columns: {product_id: Id, product_name: Name}")
    leads = schema(
        "leads",
        """
- file: Opportunity
  columns:
    lead_id: Id
    customer_id: Account
    product_id: {column: Product, lookup: products, by: product_name}
    status: {value: open}
    created_at: {value: "2025-01-01"}
""",
    )
    files = {
        "Account.csv": ACCOUNTS,
        "Products.csv": "Id,Name\nP1,Anvil\nP2,Bolt\nP3,BOLT\n",
        "Opportunity.csv": "Id,Account,Product\nO1,A1,anvil\nO2,A1,bolt\nO3,A1,Cog\n",
    }
    _, lake = to_silver(files, contracts=(contract(CUSTOMERS, products, leads),))
    found = rows(lake, "select lead_id, product_id from silver.leads_clean order by 1")
    assert [tuple(row.values()) for row in found] == [("O1", "P1"), ("O2", None), ("O3", None)]
    sql = "select failed::int as n from ops.quality_metrics where entity = 'leads' and column_name = 'product_id' and metric = 'integrity'"
    assert rows(lake, sql) == [{"n": 2}]


@pytest.mark.slow
def test_a_stage_behind_a_code_is_read_as_any_other(to_silver, contract, rows):
    """What a lookup takes goes through the column's own reading; values stand before it is looked up."""
    stages = """  - name: deal_stages
    customProperties:
      - property: sources
        value:
          - file: Stages
            columns: {stage_id: Id, label: Label, state: State}
    properties:
      - {name: stage_id, primaryKey: true, required: true, logicalType: string, physicalType: string}
      - {name: label, logicalType: string, physicalType: string}
      - {name: state, logicalType: string, physicalType: string}
"""
    leads = schema(
        "leads",
        """
- file: Opportunity
  columns:
    lead_id: Id
    customer_id: {column: Account, lookup: customers, by: customer_name, values: {The Bolts: Bolt GmbH}}
    status: {column: Stage, lookup: deal_stages, by: stage_id, take: state}
    stage: {column: Stage, lookup: deal_stages, by: stage_id, take: label}
    created_at: {value: "2025-01-01"}
""",
    )
    files = {
        "Account.csv": ACCOUNTS,
        "Stages.csv": "Id,Label,State\ns1,Contract Sent,Closed-Won\ns2,First Call,Odd\n",
        "Opportunity.csv": "Id,Account,Stage\nO1,The Bolts,s1\nO2,Anvil & Sons,s2\nO3,Bolt Gmb,s1\n",
    }
    _, lake = to_silver(files, contracts=(contract(CUSTOMERS, stages, leads),))
    found = rows(lake, "select lead_id, customer_id, status, stage from silver.leads_clean")
    assert [tuple(row.values()) for row in found] == [("O1", "A2", "won", "contract_sent")]
    refused = rows(lake, "select record_key, reasons[1] as reason from silver.quarantine order by 1")
    assert [tuple(row.values()) for row in refused] == [
        ("O2", "status: is not an accepted value: 's2'"),
        ("O3", "customer_id: leads to no customer: 'Bolt Gmb'"),
    ]
    from medallion.care import quarantine
    from medallion.config import load

    suggested = quarantine.suggest(lake, load(None, lakehouse=lake.root), "customer_id.lookup")
    assert [(row["value"], row["before"]) for row in suggested] == [("A2", "Bolt Gmb")], "a key, not a name"


def test_one_file_feeds_two_entities_and_is_read_once(to_silver, contract):
    """Accounts that only the deals name; delivered again under another name it adds nothing."""
    customers = schema("customers", '- file: "deals*"\n  columns: {customer_id: Account No, customer_name: Account}')
    leads = schema(
        "leads",
        '- file: "deals*"\n  columns: {lead_id: Id, customer_id: Account No, status: Status, created_at: Created}',
    )
    deals = "Id,Account No,Account,Status,Created\nO1,A1,Anvil,open,2025-01-01\nO2,A1,Anvil,won,2025-01-01\n"
    path = contract(customers, leads)
    result, _ = to_silver({"deals.csv": deals}, contracts=(path,))
    assert [(a["entity"], a["accepted"], a["duplicate"]) for a in result.accounts] == [
        ("customers", 1, 1),
        ("leads", 2, 0),
    ]
    again, _ = to_silver({"deals_copy.csv.gz": gzip.compress(deals.encode())}, contracts=(path,))
    assert not again.changed
    assert again.already_known == ["deals_copy.csv.gz"]


@pytest.mark.slow
def test_a_contract_stays_in_use(to_silver, contract):
    path = contract(CUSTOMERS, LEADS)
    _, lake = to_silver({"Account.csv": ACCOUNTS, "Opportunity.csv": OPPS}, contracts=(path,))
    path.unlink()
    later = OPPS.splitlines()[0] + "\nO7,Bolt GmbH,Gewonnen,7,1.2.2025,Bo,Li\n"
    result, _ = to_silver({"Opportunity.csv": later})
    assert result.contracts == [str(path)]
    assert [(a["entity"], a["accepted"]) for a in result.accounts] == [("leads", 1)]
    from medallion.care import status

    assert status.status(lake, NOW)["contracts"] == [str(path)]


def test_nothing_runs_on_a_guess(to_silver, contract):
    guessed = LEADS.replace("stage: Phase", "stage: {column: Phase, confidence: 0.62, reason: only its place}")
    path = contract(CUSTOMERS, guessed)
    files = {"Account.csv": ACCOUNTS, "Opportunity.csv": OPPS}
    with pytest.raises(
        ContractError, match=r"still guesses: leads: stage from Phase in Opportunity \(0.62: only its place\)"
    ):
        to_silver(files, contracts=(path,))
    result, _ = to_silver(files, contracts=(path,), accept=True)
    assert result.changed


WRONG = [
    ('- file: x\n  columns: {lead_id: Id, speed: Km}', "'speed' is not a column of leads"),
    ('- file: x\n  columns: {lead_id: {column: Id, value: 1}}', "say one of column, value and sql"),
    ('- file: x\n  columns: {lead_id: {column: Id, lookup: customers}}', "lookup and by go together"),
    ('- file: x\n  columns: {customer_id: {column: Id, lookup: nobody, by: name}}', "'nobody' is no other entity"),
    ('- file: x\n  columns: {customer_id: {column: Id, lookup: customers, by: shoe_size}}', "customers has no column 'shoe_size'"),
    ('- file: x\n  columns: {customer_id: {column: Id, lookup: interactions, by: interaction_id}}', "references go in a circle"),
    ('- file: x\n  columns: {status: {column: Id, values: {a: maybe}}}', "'maybe' is not one of open, won, lost"),
    ('- file: x\n  columns: {owner: {sql: "(select 1)"}}', "is a statement, not an expression"),
    ('- file: x\n  columns: {owner: {sql: "concat("}}', "is not an SQL expression"),
    ('- file: x\n  dateFormats: [soon]\n  columns: {lead_id: Id}', "'soon' is not a date format"),
    ("- file: x\n  dateFormats: [d/M/yyyy O]\n  columns: {lead_id: Id}", "'d/M/yyyy O' is not a date format"),
    ('- file: x\n  headerLine: 0', "headerLine: Input should be greater than or equal to 1"),
    ('- file: x\n  colour: red', "colour: Extra inputs are not permitted"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "says"), WRONG, ids=[says for _, says in WRONG])
def test_a_source_that_cannot_be_used(contract, source, says):
    with pytest.raises(ContractError, match=says.replace("(", r"\(")):
        contracts.entities([contract(schema("leads", source))])


def test_a_column_that_the_contract_needs_is_gone(tmp_path, contract):
    entities = contracts.entities([contract(CUSTOMERS, LEADS)])
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "Account.csv").write_text(ACCOUNTS)
    (folder / "Opportunity.csv").write_text(OPPS.replace("Phase", "Etappe").replace("Rep First", "Rep"))
    scan = sources.scan(str(folder), entities)
    assert [file.name for file in scan.files] == ["Account.csv"]
    assert "line 1: has no column 'Phase', which leads.status is filled from" in scan.refused[0].problem
    (folder / "Opportunity.csv").write_text(OPPS.replace("Rep First", "Rep"))  # the owner may be missing
    scan = sources.scan(str(folder), entities)
    assert "owner" not in next(file for file in scan.files if file.entity == "leads").mapping


# workbooks, archives, headers that are not the first line


def workbook(**sheets: list[list[object]]) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"default_date_format": "yyyy-mm-dd hh:mm"})
    for name, table in sheets.items():
        sheet = book.add_worksheet(name.removeprefix("hidden_"))
        for place, row in enumerate(table):
            sheet.write_row(place, 0, row)
        if name.startswith("hidden_"):
            sheet.hide()
    book.close()
    return out.getvalue()


PRODUCTS = [
    ["Product ID", "Product Name", "List Price"],
    ["P1", "Anvil", 1200.0],
    ["P2", "Bolt", 0.5],
    ["", "", ""],
    ["P3", "Cog", "n/a"],
]
CLEAN = "select product_id, product_name, list_price::varchar as price, _source_row as line from silver.products_clean order by 1"


@pytest.mark.parametrize("name", ["products.xlsx", "products.csv", "products.xlsx.gz"])
def test_a_workbook_whatever_it_is_called(to_silver, rows, name):
    content = workbook(
        Sheet1=[[*row, datetime(2024, 5, 1, 9)] if i else [*row, "Launch Date"] for i, row in enumerate(PRODUCTS)][:3]
        + PRODUCTS[3:]
    )
    result, lake = to_silver({name: gzip.compress(content) if name.endswith("gz") else content})
    assert result.files == [f"{name}#Sheet1"]
    assert [tuple(row.values()) for row in rows(lake, CLEAN)] == [
        ("P1", "Anvil", "1200.00", 2),
        ("P2", "Bolt", "0.50", 3),
        ("P3", "Cog", None, 5),
    ]
    assert rows(lake, "select launch_date::varchar as d from silver.products_clean where product_id = 'P1'") == [
        {"d": "2024-05-01"}
    ]


@pytest.mark.parametrize("wide", [0, 2])
def test_a_text_that_is_merged_over_rows_counts_in_each(tmp_path, wide):
    path = tmp_path / "report.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("Deals")
        sheet.write_row(1, wide, ["Rep", "Deal", "Value"])
        for row, deal in enumerate(("D1", "D2", "D3", "D4"), start=2):
            sheet.write_row(row, wide + 1, [deal] if deal == "D3" else [deal, 10])
        sheet.merge_range(2, wide, 4, wide, "Ann")
        sheet.merge_range(3, wide + 2, 4, wide + 2, 20)
        sheet.write(5, wide, "Bo")
    found = [
        [cell for cell in row if cell]
        for row in readers.rows(Place.at(str(path), ""), "report.xlsx", "workbook", "Deals")
    ]
    assert found == [
        [],
        ["Rep", "Deal", "Value"],
        ["Ann", "D1", "10"],
        ["Ann", "D2", "20"],
        ["Ann", "D3"],
        ["Bo", "D4", "10"],
    ]


def test_sheets_are_tables_and_hidden_ones_are_not(to_silver):
    book = workbook(Products=PRODUCTS, Customers=[["Customer ID", "Customer Name"], ["C1", "Anvil"]], Readme=[["hello"]],
                    hidden_Leads=[["Lead ID"], ["L1"]])  # fmt: skip
    result, _ = to_silver({"crm export.xlsx": book})
    assert sorted(result.files) == ["crm export.xlsx#Customers", "crm export.xlsx#Products"]
    assert result.ignored == ["crm export.xlsx#Leads", "crm export.xlsx#Readme"]


def test_cells_beyond_the_header_are_not_lost(to_silver, rows):
    table = [*PRODUCTS[:2], ["P9", "Stray", 1.0, "a remark"]]
    result, lake = to_silver({"products.xlsx": workbook(Sheet1=table)})
    assert (result.accounts[0]["rows_read"], result.accounts[0]["quarantined"]) == (2, 1)
    refused = rows(lake, "select source_row, reasons[1] as reason from silver.quarantine")
    assert refused[0]["source_row"] == 3
    assert "cells to the right of the header's 3" in refused[0]["reason"]


def test_an_archive(to_silver, rows):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("2025/products.csv", "Product ID,Product Name\nP1,Anvil\n")
        archive.writestr("2025/customers.xlsx", workbook(Sheet1=[["Customer ID", "Customer Name"], ["C1", "Anvil"]]))
        archive.writestr("__MACOSX/products.csv", "x")
        archive.writestr("../../readme.md", "hello")
    result, lake = to_silver({"export.zip": out.getvalue()})
    assert result.files == ["export.zip/2025/customers.xlsx#Sheet1", "export.zip/2025/products.csv"]
    assert result.ignored == ["export.zip/../../readme.md"]
    assert rows(lake, "select _source_file as f from silver.products_clean") == [{"f": "export.zip/2025/products.csv"}]
    again, _ = to_silver({"products.csv": "Product ID,Product Name\nP1,Anvil\n"})
    assert again.already_known == ["products.csv"]


@pytest.mark.slow
def test_an_archive_that_is_not_opened(tmp_path):
    def refused(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        scan = sources.scan(str(tmp_path), contracts.entities())
        (tmp_path / name).unlink()
        return " ".join(item.problem for item in scan.refused)

    inner, bomb = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("products.zip", b"PK\x03\x04")
    assert "export.zip/products.zip: cannot be read: File is not a zip file" in refused("export.zip", inner.getvalue())
    with (
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("products.csv", "w", force_zip64=True) as member,
    ):
        for _ in range(1100):
            member.write(b"0" * (1 << 20))
    assert "would unpack to 1,100 MiB, 500 times its size" in refused("export.zip", bomb.getvalue())
    assert "is a web page" in refused("products.xls", b"<html><table><tr><td>Product ID</td></tr></table></html>")
    assert "is not a readable workbook" in refused("products.xls", b"\xd0\xcf\x11\xe0" + b"x" * 600)


TITLED = "Product list\n\nmade on,2025-07-01\nProduct ID,Product Name\nP1,Anvil\nonly one\nP2,Bolt\n"


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_header_below_a_title(to_silver, rows, kind):
    if kind == "csv":
        result, lake = to_silver({"products.csv": TITLED})
        name, refused = "products.csv", 1
    else:
        table = [line.split(",") for line in TITLED.splitlines() if line != "only one"]
        result, lake = to_silver({"products.xlsx": workbook(Sheet1=table)})
        name, refused = "products.xlsx#Sheet1", 0
    assert result.skipped_lines == {name: 3}
    lines = {"csv": [("P1", 5), ("P2", 7)], "xlsx": [("P1", 5), ("P2", 6)]}[kind]
    assert [
        tuple(r.values()) for r in rows(lake, "select product_id, _source_row from silver.products_clean order by 1")
    ] == lines
    assert result.accounts[0]["quarantined"] == refused
    if refused:
        assert rows(lake, "select source_row from silver.quarantine") == [{"source_row": 6}]


def computed(result, *, stored: bool) -> bytes:
    """A workbook of products whose prices are formulas, with their results or as a program leaves them."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet("List")
        for place, row in enumerate(
            [["Product ID", "Product Name", "List Price"], ["P1", "Anvil"], ["P2", "Bolt"], ["P3", "Nut"]]
        ):
            sheet.write_row(place, 0, row)
        for place, value in enumerate(result, 1):
            sheet.write_formula(place, 2, "=A1*2", None, value)
    if stored:
        return out.getvalue()
    bare = io.BytesIO()
    with zipfile.ZipFile(out) as whole, zipfile.ZipFile(bare, "w") as left:
        for part in whole.namelist():
            left.writestr(part, whole.read(part).replace(b"</f><v>0</v>", b"</f><v/>"))
    return bare.getvalue()


@pytest.mark.parametrize("stored", [True, False])  # xlsxwriter stores 0 for what it does not compute
def test_formulas_without_results_are_refused_with_their_columns(tmp_path, stored):
    (tmp_path / "products.xlsx").write_bytes(computed([0, 0, 0], stored=stored))
    (refusal,) = sources.scan(str(tmp_path), contracts.entities()).refused
    assert refusal.problem == (
        "products.xlsx#List: formulas without a stored result: column C ('List Price') has 3; their cells would be empty"
    )
    assert "save it once" in refusal.remedy


def test_formulas_with_results_and_errors_are_read(to_silver, rows):
    result, lake = to_silver({"products.xlsx": computed([4, "#N/A", 6], stored=True)})
    assert rows(lake, "select list_price from silver.products_clean order by product_id") == [
        {"list_price": Decimal(4)}, {"list_price": None}, {"list_price": Decimal(6)},
    ]  # fmt: skip
    assert (
        "products.xlsx#List: 'List Price': 1 cell of 3 has an error of a spreadsheet such as '#N/A' and is empty"
        in result.notes
    )


def test_columns_that_come_and_go_are_told(to_silver):
    from medallion.care import status

    first = "Product ID,Product Name,Category\nP1,Anvil,Iron\n"
    second = "Product ID,Product Name,Colour\nP2,Bolt,grey\n"
    to_silver({"products.csv": first})
    result, lake = to_silver({"products_2.csv": second}, now=NOW + timedelta(days=1))
    assert result.new_columns == {"products_2.csv": ["Colour"]}
    assert result.missing_columns == {"products_2.csv": ["Category"]}
    (drift,) = status.status(lake, NOW)["drift"]
    assert (drift["file"], drift["new_columns"], drift["missing_columns"]) == (
        "products_2.csv",
        ["Colour"],
        ["Category"],
    )


def test_files_without_a_name_that_tells(tmp_path):
    (tmp_path / "Q3.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match="medallion init"):
        sources.scan(str(tmp_path), contracts.entities())
