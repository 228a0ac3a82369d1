"""`medallion init`: what is proposed for exports that no contract knows, and that it runs."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import pytest
import xlsxwriter

from conftest import NOW
from medallion import contracts, pipeline, proposal
from medallion.config import load
from medallion.contracts import CONFIDENT, Filling, Override
from medallion.errors import ContractError, SourceError
from medallion.lakehouse import query
from medallion.lakehouse.store import Lakehouse
from medallion.proposal import cells, marks, match, profile, vocabulary

# Small folders with the headers and the mess of real exports. Per table and entity: canonical column -> header.
SALESFORCE = {
    "Account.csv": "Id,Name,Industry,BillingCountry,BillingCity,NumberOfEmployees,AnnualRevenue,OwnerId,CreatedDate,LastModifiedDate,IsDeleted\n"
    "0011G00000aAAQAC,Acme Corp,Software,United States,Austin,250,12000000,005A,2024-01-05T09:00:00Z,2025-01-05T09:00:00Z,false\n"
    "0011G00000bBBQAC,Bolt GmbH,Retail,Germany,Berlin,40,,005B,2024-02-05T09:00:00Z,2025-01-06T09:00:00Z,false\n"
    "0011G00000cCCQAC,Cog SA,Energy,France,Lyon,,900000,005A,2024-03-05T09:00:00Z,2025-01-07T09:00:00Z,false\n",
    "Opportunity.csv": "Id,AccountId,Name,StageName,Amount,CloseDate,CreatedDate,LastModifiedDate,LeadSource,OwnerId,IsWon,IsClosed,Probability\n"
    "0061G00000d01QAA,0011G00000aAAQAC,Acme renewal,Closed Won,15000,2025-02-01,2024-12-01T10:00:00Z,2025-02-01T10:00:00Z,Web,005A,true,true,100\n"
    "0061G00000d02QAA,0011G00000bBBQAC,Bolt pilot,Closed Lost,9000.50,2025-02-03,2024-12-05T10:00:00Z,2025-02-03T10:00:00Z,Partner Referral,005B,false,true,0\n"
    "0061G00000d03QAA,0011G00000cCCQAC,Cog rollout,Negotiation/Review,72000,2025-09-01,2025-01-11T10:00:00Z,2025-03-01T10:00:00Z,Trade Show,005A,false,false,70\n",
    "Task.csv": "Id,AccountId,WhatId,TaskSubtype,CallType,ActivityDate,CallDurationInSeconds,CallDisposition,Description\n"
    "00T1G00000e01UAA,0011G00000aAAQAC,0061G00000d01QAA,Call,Outbound,2025-01-10,600,Interested,asked for a quote\n"
    "00T1G00000e02UAA,0011G00000bBBQAC,0061G00000d02QAA,Email,,2025-01-12,,Not Interested,\n"
    "00T1G00000e03UAA,0011G00000cCCQAC,0061G00000d03QAA,Call,Inbound,2025-01-15,95,No Answer,\n",
    "User.csv": "Id,Username,Profile\n005A,ana,Rep\n005B,bo,Rep\n",
}
SALESFORCE_KEY = {
    ("Account.csv", "customers"): {"customer_id": "Id", "customer_name": "Name", "industry": "Industry", "country": "BillingCountry",
                                   "city": "BillingCity", "employee_count": "NumberOfEmployees", "annual_revenue": "AnnualRevenue",
                                   "account_manager": "OwnerId", "created_at": "CreatedDate", "updated_at": "LastModifiedDate"},
    ("Opportunity.csv", "leads"): {"lead_id": "Id", "customer_id": "AccountId", "stage": "StageName", "deal_value": "Amount",
                                   "closed_at": "CloseDate", "created_at": "CreatedDate", "updated_at": "LastModifiedDate",
                                   "source": "LeadSource", "owner": "OwnerId"},
    ("Task.csv", "interactions"): {"interaction_id": "Id", "customer_id": "AccountId", "lead_id": "WhatId", "channel": "TaskSubtype",
                                   "direction": "CallType", "occurred_at": "ActivityDate", "outcome": "CallDisposition", "notes": "Description"},
}  # fmt: skip
GERMAN = {
    "Kunden.csv": "Kundennummer;Firma;Branche;Land;Ort;Mitarbeiterzahl;Jahresumsatz;Betreuer;angelegt am\n"
    "10001;Müller & Söhne;Maschinenbau;Deutschland;Ulm;120;1.250.000,50;Weber;01.02.2023\n"
    "10002;Hafen AG;Logistik;Deutschland;Kiel;35;980.000,00;Kraus;15.03.2023\n"
    "10003;Tal KG;Handel;Österreich;Linz;8;75.000,00;Weber;28.04.2023\n",
    "Verkaufschancen.csv": "Chancennummer;Kunde;Phase;Auftragswert;erstellt am;Abschlussdatum;Verkäufer\n"
    'V-1;Müller & Söhne;gewonnen;"12.500,00";13.01.2025;20.02.2025;Weber\n'
    "V-2;Hafen AG;verloren;8.000,50;14.01.2025;25.02.2025;Kraus\n"
    "V-3;Tal KG;Angebot;700,00;31.01.2025;;Weber\n",
}
GERMAN_KEY = {
    ("Kunden.csv", "customers"): {"customer_id": "Kundennummer", "customer_name": "Firma", "industry": "Branche", "country": "Land",
                                  "city": "Ort", "employee_count": "Mitarbeiterzahl", "annual_revenue": "Jahresumsatz",
                                  "account_manager": "Betreuer", "created_at": "angelegt am"},
    ("Verkaufschancen.csv", "leads"): {"lead_id": "Chancennummer", "customer_id": "Kunde", "status": "Phase", "stage": "Phase",
                                       "deal_value": "Auftragswert", "created_at": "erstellt am", "closed_at": "Abschlussdatum",
                                       "owner": "Verkäufer"},
}  # fmt: skip
NAMES_ONLY = {
    "accounts.csv": "account,sector,employees,office_location\nAcme Corporation,technolgy,2822,United States\n"
    "Betasoloin,medical,495,United States\nCancity,retail,2448,Kenya\n",
    "products.csv": "product,series,sales_price\nGTX Basic,GTX,550\nGTX Pro,GTX,4821\nMG Special,MG,55\n",
    "sales_pipeline.csv": "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value\n"
    "1C1I7A6R,Moses Frase,GTX Basic,Cancity,Won,2016-10-20,2017-03-01,1054\n"
    "Z063OYW0,Darcel Schlecht,GTXPro,Acme Corporation,Lost,2016-10-25,2017-03-11,0\n"
    "EC4QE1BX,Darcel Schlecht,MG Special,Cancity,Prospecting,,,\n"
    "MV1LWRNH,Moses Frase,GTX Basic,,Engaging,2016-10-25,,\n",
    "data_dictionary.csv": "Table,Field,Description\naccounts,account,Company name\n",
}
NAMES_ONLY_KEY = {
    ("accounts.csv", "customers"): {"customer_id": "account", "customer_name": "account", "industry": "sector",
                                    "employee_count": "employees", "country": "office_location"},
    ("products.csv", "products"): {"product_id": "product", "product_name": "product", "category": "series", "list_price": "sales_price"},
    ("sales_pipeline.csv", "leads"): {"lead_id": "opportunity_id", "owner": "sales_agent", "product_id": "product", "customer_id": "account",
                                      "status": "deal_stage", "stage": "deal_stage", "created_at": "engage_date",
                                      "closed_at": "close_date", "deal_value": "close_value"},
}  # fmt: skip
FOLDERS = {
    "salesforce": (SALESFORCE, SALESFORCE_KEY),
    "german": (GERMAN, GERMAN_KEY),
    "names": (NAMES_ONLY, NAMES_ONLY_KEY),
}


@pytest.fixture
def export(tmp_path):
    def write(files: dict[str, str | bytes]) -> str:
        folder = tmp_path / "export"
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return str(folder)

    return write


@pytest.mark.parametrize("name", FOLDERS)
def test_columns_are_those_of_the_answer_key(export, name):
    files, key = FOLDERS[name]
    found = proposal.propose(export(files), name)
    told = {}
    for row in found.columns:
        told.setdefault((row["table"], row["entity"]), {})[row["column"]] = row["from"]
    assert set(told) == set(key)
    wrong = {
        (*place, column): (told[place].get(column), header)
        for place, columns in key.items()
        for column, header in columns.items()
        if told[place].get(column) != header
    }
    assert wrong == {}
    for row in found.columns:
        assert 0 <= row["confidence"] <= 1
        assert row["reason"]


@pytest.mark.parametrize(
    "name", [name if name == "salesforce" else pytest.param(name, marks=pytest.mark.slow) for name in FOLDERS]
)
def test_a_proposal_runs_from_init_to_gold(spark, export, tmp_path, name):
    files, _ = FOLDERS[name]
    folder = export(files)
    path = tmp_path / "proposed.odcs.yaml"
    path.write_text(proposal.propose(folder, name).text)
    settings = load(None, source=folder, lakehouse=str(tmp_path / "lakehouse"), contracts=(path,), accept=True)
    result = pipeline.run(settings, NOW)
    assert result.refused == []
    counts = {account["entity"]: (account["accepted"], account["quarantined"]) for account in result.accounts}
    expected = {"salesforce": {"customers": (3, 0), "leads": (3, 0), "interactions": (3, 0)},
                "german": {"customers": (3, 0), "leads": (3, 0)},
                "names": {"customers": (3, 0), "products": (3, 0), "leads": (4, 0)}}[name]  # fmt: skip
    assert counts == expected
    with query.connect(Lakehouse(settings.lakehouse)) as connection:
        leads = (
            "select status, deal_value::varchar as v from silver.leads_clean order by created_at nulls last, lead_id"
        )
        states = [tuple(row.values()) for row in query.rows(connection, leads)]
    assert (
        states
        == {
            "salesforce": [("won", "15000.00"), ("lost", "9000.50"), ("open", "72000.00")],
            "german": [("won", "12500.00"), ("lost", "8000.50"), ("open", "700.00")],
            "names": [("won", "1054.00"), ("open", None), ("lost", "0.00"), ("open", None)],
        }[name]
    )


def test_what_is_not_sure_waits_for_a_person(export, tmp_path):
    """Nothing tells how a touch went, and a date may be of May or of March."""
    files = {
        "Accounts.csv": "Account ID,Account Name\nA1,Anvil\nA2,Bolt\n",
        "Calls.csv": "Call ID,Account ID,Call Date\nK1,A1,03/05/2025\nK2,A2,04/06/2025\n",
    }
    folder = export(files)
    found = proposal.propose(folder, "calls")
    doubtful = {row["column"]: row["reason"] for row in found.columns if row["confidence"] < contracts.CONFIDENT}
    assert doubtful == {
        "outcome": "nothing tells how it went",
        "occurred_at": "its name; dates; day or month first in '03/05/2025'?",
    }
    path = tmp_path / "calls.odcs.yaml"
    path.write_text(found.text)
    settings = load(None, source=folder, lakehouse=str(tmp_path / "lakehouse"), contracts=(path,))
    with pytest.raises(ContractError, match="still guesses: .*outcome from the value 'neutral' in Calls"):
        pipeline.run(settings, NOW)


@pytest.mark.slow
def test_what_was_accepted_once_is_not_asked_again(spark, export, tmp_path):
    """Neither for the contract in use nor for the same file; but for one with other guesses."""
    folder = export(
        {
            "Accounts.csv": "Account ID,Account Name\nA1,Anvil\n",
            "Calls.csv": "Call ID,Account ID,Call Date\nK1,A1,2025-05-03\n",
        }
    )
    path = tmp_path / "calls.odcs.yaml"
    path.write_text(proposal.propose(folder, "calls").text)
    settings = load(None, source=folder, lakehouse=str(tmp_path / "lakehouse"), contracts=(path,), accept=True)
    assert pipeline.run(settings, NOW).changed
    for given in ((), (path,)):
        again = settings.model_copy(update={"accept": False, "contracts": given})
        assert not pipeline.run(again, NOW + timedelta(days=1)).changed
    path.write_text(path.read_text().replace("value: neutral", "value: positive"))
    with pytest.raises(ContractError, match="still guesses"):
        pipeline.run(settings.model_copy(update={"accept": False}), NOW + timedelta(days=2))


def test_days_first_are_told_by_one_that_cannot_be_a_month(export):
    files = {"deals.csv": "Deal ID,Company,Status,Amount,Created\n1,Anvil,won,5,03/05/2025\n2,Bolt,lost,5,25/05/2025\n"}
    (row,) = (
        row
        for row in proposal.propose(export(files), "x").columns
        if (row["entity"], row["column"]) == ("leads", "created_at")
    )
    assert row["dateFormats"][0] == "d/M/yyyy"
    assert row["confidence"] > contracts.CONFIDENT


def test_accounts_are_told_by_deals_where_nothing_else_does(export):
    files = {
        "deals.csv": "Deal ID,Company,Status,Amount,Created\n1,Anvil,won,5,2025-01-01\n2,Anvil,lost,5,2025-01-01\n"
    }
    found = proposal.propose(export(files), "x")
    assert [(row["entity"], row["table"]) for row in found.tables] == [
        ("customers", "deals.csv"),
        ("leads", "deals.csv"),
    ]


@pytest.mark.slow
def test_a_workbook_with_a_title_and_foreign_words(export, spark, tmp_path):
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    customers, deals = book.add_worksheet("Clientes"), book.add_worksheet("Oportunidades")
    for place, row in enumerate([["Clientes 2025"], [], ["Código cliente", "Razón social", "País", "Nº empleados"],
                                 ["C-1", "Aceros Sur", "España", 25], ["C-2", "Bolsas Rey", "España", 8]]):  # fmt: skip
        customers.write_row(place, 0, row)
    for place, row in enumerate([["Código oportunidad", "Cliente", "Estado", "Importe", "Fecha de creación"],
                                 ["O-1", "Aceros Sur", "Ganada", "1.200,50", "25/01/2025"], ["O-2", "Bolsas Rey", "Perdida", "300,00", "03/02/2025"]]):  # fmt: skip
        deals.write_row(place, 0, row)
    book.close()
    folder = export({"CRM.xlsx": out.getvalue()})
    path = tmp_path / "crm.odcs.yaml"
    path.write_text(proposal.propose(folder, "crm").text)
    settings = load(None, source=folder, lakehouse=str(tmp_path / "lakehouse"), contracts=(path,), accept=True)
    pipeline.run(settings, NOW)
    with query.connect(Lakehouse(settings.lakehouse)) as connection:
        found = query.rows(
            connection,
            "select lead_id, customer_id, status, deal_value::varchar as v, created_at::date::varchar as d from silver.leads_clean order by 1",
        )
    assert [tuple(row.values()) for row in found] == [
        ("O-1", "C-1", "won", "1200.50", "2025-01-25"),
        ("O-2", "C-2", "lost", "300.00", "2025-02-03"),
    ]


def test_a_sheet_of_values_beside_the_deals_holds_none(export):
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    deals, lists = book.add_worksheet("Deals"), book.add_worksheet("Lists")
    deals.write_row(0, 0, ["Deal ID", "Account", "Stage", "Amount", "Opened", "Closed"])
    for n in range(1, 8):
        deals.write_row(
            n, 0, [f"D{n}", f"Firm {n % 3}", ("Won", "Lost")[n % 2], n * 100, f"2025-01-0{n}", f"2025-02-0{n}"]
        )
    for n, row in enumerate([["Stages", "Owners"], ["Won", "Ana"], ["Lost", "Bo"], ["Proposal", ""]]):
        lists.write_row(n, 0, row)
    book.close()
    found = proposal.propose(export({"Pipeline.xlsx": out.getvalue()}), "x")
    assert {c["table"] for c in found.columns} == {"Pipeline.xlsx#Deals"}
    assert found.not_used == {"Pipeline.xlsx#Lists": "has little of a deal beside Pipeline.xlsx#Deals"}


HOSTILE = [
    '=cmd|"/c calc"!A1',
    "a\nb: c",
    "# not a comment",
    "{{ x }}",
    "'; drop table",
    "[red]x[/]",
    '"',
    "\\",
    "x" * 5000,
    "- a",
    "&a *a",
    "!!python/object:os.system",
    "\u2028x",
    "客户",
    "a\x07b",
]


def test_hostile_headers_and_values_stay_text(export):
    """Whatever is in a cell, the contract is the YAML that was meant."""
    import csv

    header = io.StringIO()
    writer = csv.writer(header, lineterminator="\n")
    writer.writerow(["Deal ID", "Company", "Status", "Amount", "Created", "Source", *HOSTILE])
    for place, text in enumerate(HOSTILE):
        writer.writerow([f"D{place}", text, ["won", "lost", "open"][place % 3], "5", "2025-01-01", text, *HOSTILE])
    folder = export({"deals [1]*?.csv": header.getvalue()})
    found = proposal.propose(folder, "hostile")
    entities = contracts.entities([Override("hostile.yaml", found.text)])
    (source,) = entities["leads"].sources
    assert source.columns is not None
    assert source.columns["lead_id"].column == "Deal ID"
    from medallion import sources

    assert {file.entity for file in sources.scan(folder, entities).files} == {"customers", "leads"}


def test_nothing_that_looks_like_a_crm(export):
    with pytest.raises(SourceError, match=r"nothing here looks like a CRM export \(readings.csv: "):
        proposal.propose(export({"readings.csv": "sensor,celsius\nx,1\ny,2\n"}), "x")


@pytest.mark.parametrize(
    ("column", "text", "meant"),
    [
        ("leads.status", "Closed - Won", "won"), ("leads.status", "Closed Lost - Price", "lost"), ("leads.status", "Perdida", "lost"),
        ("leads.status", "Сделка успешна", "won"), ("leads.status", "Анализ причины провала", "lost"), ("leads.status", "تم الفوز", "won"),
        ("leads.status", "In Verhandlung", "open"), ("leads.status", "Blue", None), ("leads.source", "Word of mouth", "referral"),
        ("leads.source", "LinkedIn Ads", "linkedin"), ("interactions.outcome", "Not interested", "negative"),
        ("interactions.outcome", "Very interested", "positive"), ("interactions.outcome", "No contestó", "no_answer"),
        ("interactions.channel", "Video-Call", "meeting"), ("interactions.channel", "Anruf", "call"), ("interactions.outcome", "42", None),
    ],
)  # fmt: skip
def test_what_values_mean(column, text, meant):
    found = vocabulary.value(column, text)
    assert (found.value if found else None) == meant


@pytest.mark.parametrize(
    "text",
    [
        "Nicht gewonnen", "Non gagné", "No ganada", "Niet gewonnen", "Non vinta", "Nie wygrana", "Não ganho", "Nezískáno", "Nichtgewonnen",
        "Not yet won", "Noch nicht gewonnen", "Almost won", "Fast gewonnen", "Will be won", "Gagné à confirmer", "Won?", "Gewonnen: nein",
        "Not lost", "Won, pending signature", "80% won", "Won - cancelled", "Not won yet",
    ],
)  # fmt: skip
def test_a_state_that_is_denied_or_doubted_is_a_guess_and_never_the_state(text):
    found = vocabulary.value("leads.status", text)
    assert found is None or found.confidence < CONFIDENT
    assert not found or found.value != "won" or text == "Won?"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Lost - no budget", "lost"), ("Closed Lost (0%)", "lost"), ("6 - Closed Won (100%)", "won"), ("Lost: will revisit", "lost"),
        ("Verloren - kein Bedarf", "lost"), ("Auftrag verloren", "lost"), ("Lost - customer went elsewhere", "lost"), ("Not won", "lost"),
        ("Lost at proposal", "lost"), ("Closed Lost - No decision", "lost"),
    ],
)  # fmt: skip
def test_what_stands_behind_a_state_does_not_deny_it(text, meant):
    found = vocabulary.value("leads.status", text)
    assert (found.value, found.confidence >= CONFIDENT) == (meant, True)


def test_a_name_is_not_believed_against_its_values():
    leads = contracts.entities()["leads"]
    amounts = profile.Column("Amount", "amount", 3)
    amounts.counts.update(["soon", "later", "never"])
    assert match.score(amounts, leads, leads.column("deal_value"), None).confidence < match.PROPOSED
    amounts.counts.clear()
    amounts.counts.update(["$5", "1,200.50", "7"])
    assert match.score(amounts, leads, leads.column("deal_value"), None).confidence > contracts.CONFIDENT


@pytest.mark.parametrize(
    ("header", "texts", "minutes", "sure"),
    [
        ("Duration", ["1:30:10", "0:45:00"], [90, 45], True),
        ("Duration", ["39:05", "02:40"], [39, 3], True),
        ("Duration", ["12:31", "1:02:33"], [13, 62], True),
        ("Duration (mm:ss)", ["02:11", "11:02"], [2, 11], True),
        ("Duration (hh:mm)", ["02:11", "11:02"], [131, 662], True),
        ("Duration", ["0:15", "0:30", "1:00", "1:45"], [15, 30, 60, 105], True),
        ("Duration", ["02:11", "11:02"], [131, 662], False),
        ("Dauer (h)", ["1,50", "0,25"], [90, 15], True),
        ("Duration (hours)", ["2", "0.5"], [120, 30], True),
        ("hs_call_duration", ["120000", "61000", "40000"], [2, 1, 1], False),
        ("Call Length", ["1200", "900", "30"], [20, 15, 1], False),
    ],
)
def test_a_time_may_be_hours_or_minutes_or_less(spark, header, texts, minutes, sure):
    column = profile.Column(header, "duration", len(texts))
    column.counts.update(texts)
    table = profile.Table(None, ("calls",), len(texts), [column])
    read = cells.duration(Filling(column=header, confidence=0.94, reason="its name"), column, table)
    assert (read.confidence >= contracts.CONFIDENT) == sure
    rows = spark.createDataFrame([(text,) for text in texts], "duration string")
    assert [row[0] for row in rows.selectExpr(read.sql).collect()] == minutes


def test_won_and_lost_days_in_columns_of_their_own_are_one(export):
    deals = "Deal - ID,Deal - Title,Deal - Status,Deal - Value,Deal - Organization,Deal - Won time,Deal - Lost time\n"
    deals += "1,A,Won,100,Org 1,2025-01-02 10:00:00,\n2,B,Lost,200,Org 2,,2025-01-03 10:00:00\n3,C,Open,5,Org 1,,\n"
    text = proposal.propose(export({"deals.csv": deals}), "x").text
    assert (
        "closed_at: {sql: \"coalesce(nullif(trim(`deal_won_time`), ''), `deal_lost_time`)\", confidence: 0.97" in text
    )


def test_records_of_an_api(export):
    """Nested objects, a list under a key, references in lists, hours and minutes apart."""
    deals = "\n".join(
        f'{{"id": {n}, "name": "Deal {n}", "value": {{"amount": {n}00.5, "currency": "USD"}}, "organization_id": {n % 3},'
        f' "stage": {{"id": 1, "name": "{("Won", "Lost", "Incoming")[n % 3]}"}}, "owner": {{"name": "Zoe"}}}}'
        for n in range(9)
    )
    accounts = ",".join(
        f'{{"id": {n}, "properties": {{"name": "Org {n}", "industry": "Retail", "address": {{"city": "Ghent"}}}}}}'
        for n in range(3)
    )
    calls = "ID,Related to ID,Duration Hours,Duration Minutes,Start Date,Direction\n"
    calls += "".join(f"c{n},{n % 3},1,{n},2025-01-0{n} 10:00,Inbound\n" for n in range(1, 9))
    meetings = ",".join(
        f'{{"id": "m{n}", "type": "meeting", "done_at": "2025-01-02 10:00", "companies": [{{"id": {n}, "role": "host"}}]}}'
        for n in range(3)
    )
    files = {"deals.jsonl": deals, "organizations.json": f'{{"results": [{accounts}]}}', "Calls.csv": calls}
    files["meetings.json"] = f"[{meetings}]"
    text = proposal.propose(export(files), "x").text
    for line in (
        "deal_value: {column: value.amount, confidence: 0.94",
        "currency: {column: value.currency, confidence: 0.94",
        "stage: {column: stage.name, ",
        "owner: {column: owner.name, ",
        "customer_name: {column: properties.name, confidence: 0.9",
        "city: {column: properties.address.city, ",
        "sheet: results",
        'customer_id: {sql: "nullif(regexp_extract(`companies`, ',
        "the first identifier in companies; 100% are known accounts",
        'duration_minutes: {sql: "coalesce(try_cast(`duration_hours` as int), 0) * 60 + coalesce(try_cast(`duration_minutes`',
    ):
        assert line in text


def test_a_column_in_seconds_is_taken_before_a_time_and_a_name_before_an_identifier(export):
    calls = "Record Id,Call Type,Call Duration,Call Duration (in seconds),Call Start Time\n"
    calls += "".join(f"c{n},Outbound,0{n}:{n}1,{60 * n},2025-01-0{n} 10:00\n" for n in range(1, 6))
    accounts = "Record Id,Account Owner.id,Account Owner,Account Name,Industry,Employees\n"
    accounts += "".join(f"a{n},u{n % 2},{('Dana Ruiz', 'Li Wen')[n % 2]},Firm {n},Retail,1{n}\n" for n in range(1, 6))
    proposed = proposal.propose(export({"Calls.csv": calls, "Accounts.csv": accounts}), "x").text
    assert "`call_duration_in_seconds` as double) / 60" in proposed
    assert 'account_manager: {column: "Account Owner", ' in proposed


def test_the_command(export, tmp_path, monkeypatch, capsys):
    import sys

    from medallion import cli

    def call(*args: str) -> int:
        monkeypatch.setattr(sys, "argv", ["medallion", *args])
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    folder = export(SALESFORCE)
    monkeypatch.chdir(tmp_path)
    assert call("init", folder) == 0
    shown = capsys.readouterr().out
    assert "Looks like an export from Salesforce" in shown
    assert Path("config/sources/export.odcs.yaml").is_file()
    assert call("init", folder) == 1
    assert "is there already" in capsys.readouterr().err
    assert call("init", folder, "--force", "--json") == 0
    assert '"contract": "config/sources/export.odcs.yaml"' in capsys.readouterr().out
    assert call("init", str(tmp_path / "nope")) == 1
    assert "there is no such folder" in capsys.readouterr().err


def test_a_proposed_key_leaves_out_exactly_the_rows_that_are_counted_as_ended(frame):
    """Whatever the language, the case and the accents: what `init` announces is what the contract does."""
    from pyspark.sql import functions as F

    said = ["Não", "não", "Sim", "FALSE", "0.0", "0", "", " ", "-", "–", "X", "000000000000000AAA", "0015g", "是", None]
    words = {"Gelöscht", "SUPPRIMÉ", "Excluído", "Usunięty", "Zusammengeführt", "Archivé", *marks._ENDED}
    states = [*words, *(f"Soft {word}" for word in words), *(f"{word} on 2025-03-01 by Bob" for word in words)]
    states += ["Aktiv", "Not to be deleted", "undeleted", "Open", "soon deleted or so", "(Deleted)", "deleted!"]
    rows = frame("n bigint, cell string", *enumerate([*said, *states]))
    for header in ("Excluído", "IsDeleted", "MasterRecordId", "Record State", "Estado del registro"):
        left = {row["n"] for row in rows.filter(F.expr(marks.kept(header, "cell"))).collect()}
        ended = marks.marked(header, dict.fromkeys([text for text in (*said, *states) if text], 1))
        told = [(n not in left, text in ended, text) for n, text in enumerate([*said, *states])]
        assert [text for out, counted, text in told if out != counted] == [], header
    assert {"Gelöscht", "SUPPRIMÉ", "Usunięty"} <= marks.marked("Record State", dict.fromkeys(states, 1)).keys()


#: The file, headers and states of a list of deals as people of one language write it.
LISTS = [
    (
        "kansen",
        "Nummer;Relatie;Fase;Bedrag;Aangemaakt op;Sluitdatum",
        "Gewonnen;VERLOREN;Offerte verstuurd;onderhandeling",
    ),
    (
        "Offerten",
        "Offerte Nr;Firma;Status;Betrag;Erstellt um;Abgeschlossen am",
        "Gewonnen;kein Auftrag;Angebotsphase;LAUFEND",
    ),
    (
        "trattative",
        "Codice;Cliente;Fase;Importo;Data creazione;Data chiusura",
        "VINTA;Non aggiudicata;IN TRATTATIVA;Preventivo inviato",
    ),
    ("devis", "N°;Compte;Étape;Montant;Créé le;Date de clôture", "Conclue;PERDUE;Devis envoyé;Nouveau"),
    (
        "propostas",
        "Código;Empresa;Etapa;Valor;Criado em;Data fechamento",
        "GANHA;Perdida;Proposta enviada;Qualificação",
    ),
]


@pytest.mark.parametrize(("file", "header", "states"), LISTS, ids=[each[0] for each in LISTS])
def test_a_plain_list_of_deals_of_a_language_leaves_nothing_open(export, file, header, states):
    rows = [
        f"{header[0]}{n};Acme {n % 3};{states.split(';')[n % 4]};{n}00;{n % 28 + 1:02}.01.2025;{n % 28 + 1:02}.02.2025"
        for n in range(1, 17)
    ]
    found = proposal.propose(export({f"{file}.csv": ("\n".join([header, *rows]) + "\n").encode()}), "x")
    assert [(c["column"], c["reason"]) for c in found.columns if c["confidence"] < contracts.CONFIDENT] == []
    assert [table["to_review"] for table in found.tables] == [[], []]


#: Everyday headers and cells of one language: of accounts, of what was done, and the file of these.
LANGUAGES = {
    "Japanese": ("取引先コード,取引先名,メールアドレス,電話番号", "活動", "活動番号,取引先コード,種別,日付,時間（分）,結果", "電話,訪問,メール", "良好,不在,検討中"),
    "Chinese": ("客户编号,客户名称,邮箱,电话", "跟进记录", "活动编号,客户编号,跟进方式,日期,时长（分钟）,结果", "电话,拜访,邮件", "有意向,无人接听,考虑中"),
    "Russian": ("Код клиента,Компания,Электронная почта,Телефон", "активности", "Номер активности,Код клиента,Тип,Дата,Длительность (мин),Результат", "Звонок,Встреча,Письмо", "Положительный,Нет ответа,Нейтральный"),
    "Polish": ("Nr klienta,Nazwa firmy,Adres e-mail,Nr telefonu", "działania", "Nr działania,Nr klienta,Rodzaj,Data,Czas trwania (min),Wynik", "Rozmowa,Spotkanie,E-mail", "Pozytywny,Nie odebrano,Neutralny"),
    "Czech": ("Číslo zákazníka,Zákazník,E-mailová adresa,Telefonní číslo", "aktivity", "Číslo aktivity,Číslo zákazníka,Druh,Datum kontaktu,Délka hovoru,Výsledek", "Hovor,Schůzka,E-mail", "Pozitivní,Nezastižen,Neutrální"),
    "Swedish": ("Kundnummer,Kundnamn,E-postadress,Telefonnr", "aktiviteter", "Aktivitetsnummer,Kundnummer,Aktivitetstyp,Datum och tid,Varaktighet,Utfall", "Samtal,Besök,E-post", "Intresserad,Inget svar,Neutral"),
    "Danish": ("Kundenummer,Kundenavn,E-post,Mobilnummer", "aktiviteter", "Aktivitets id,Kundenummer,Aktivitetstype,Dato,Varighed,Udfald", "Opkald,Møde,E-mail", "Interesseret,Intet svar,Neutral"),
    "Dutch": ("Klantcode,Klantnaam,E-mailadres,Telefoonnr", "contactmomenten", "Activiteitnummer,Klantcode,Soort,Datum contact,Gespreksduur,Resultaat", "Gesprek,Bezoek,E-mail", "Positief,Geen gehoor,Neutraal"),
    "Turkish": ("Müşteri no,Müşteri adı,E-posta,Telefon numarası", "faaliyetler", "Faaliyet no,Müşteri no,Tür,Tarih,Süre,Sonuç", "Arama,Toplantı,E-posta", "Olumlu,Cevapsız,Nötr"),
    "French": ("Code client,Raison sociale,Courriel,Téléphone", "activités", "Identifiant,Code client,Type,Date,Durée,Résultat", "Appel,Rendez-vous,Courriel", "Positif,Injoignable,NEUTRE"),
    "Italian": ("Codice cliente,Ragione sociale,Email,Telefono", "attività", "ID,Codice cliente,Tipo,Data,Durata,Esito", "Chiamata,Riunione,Email", "Positivo,Nessuna risposta,Neutro"),
    "Hungarian": ("Ügyfélszám,Cégnév,E-mail cím,Telefonszám", "tevékenységek", "Tevékenység azonosító,Ügyfélszám,Típus,Időpont,Időtartam,Eredmény", "Hívás,Megbeszélés,E-mail", "Pozitív,Nem érhető el,Semleges"),
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_everyday_headers_of_a_language_are_known(tmp_path, language):
    accounts, name, activities, channels, outcomes = LANGUAGES[language]
    rows = [f"K10{n},Firm {n},a{n}@firm{n}.example,+49 30 555 12{n}0" for n in range(6)]
    (tmp_path / "accounts.csv").write_text("\n".join([accounts, *rows]) + "\n", encoding="utf-8")
    cells = zip(channels.split(",") * 4, outcomes.split(",") * 4, strict=True)
    rows = [
        f"T{n + 1:03},K10{n % 6},{channel},2025-01-{n + 1:02},{15 + n},{outcome}"
        for n, (channel, outcome) in enumerate(cells)
    ]
    (tmp_path / f"{name}.csv").write_text("\n".join([activities, *rows]) + "\n", encoding="utf-8")
    found = proposal.propose(str(tmp_path), "x").columns
    for entity, wanted in (
        ("customers", ("customer_id", "customer_name", "email", "phone")),
        ("interactions", ("interaction_id", "customer_id", "channel", "occurred_at", "duration_minutes", "outcome")),
    ):
        sure = {
            column["column"] for column in found if column["entity"] == entity and column["confidence"] >= CONFIDENT
        }
        assert {*wanted} <= sure, (entity, {*wanted} - sure)
