"""`medallion init`: what a CRM's own tables state comes before any guess by words."""

from __future__ import annotations

import duckdb
import pytest

from conftest import NOW
from medallion import contracts, pipeline, proposal
from medallion.config import load
from medallion.contracts import CONFIDENT, Override
from medallion.lakehouse import query
from medallion.lakehouse.store import Lakehouse
from medallion.proposal import profile, stages, vocabulary

ACCOUNTS = "Account ID,Account Name,Industry\n" + "".join(f"A{n},Firm {n},Food\n" for n in range(1, 7))


@pytest.fixture
def propose(tmp_path):
    def proposed(files: dict[str, str]) -> proposal.Proposed:
        for name, content in files.items():
            (tmp_path / name).write_text(content, encoding="utf-8")
        found = proposal.propose(str(tmp_path), "x")
        contracts.entities([Override("x", found.text)])
        return found

    return proposed


def filled(found: proposal.Proposed, entity: str, column: str) -> dict:
    (item,) = [c for c in found.columns if (c["entity"], c["column"]) == (entity, column)]
    return item


def deals(stage: str, *values: str, head: str = "", cells: str = "") -> str:
    """Deals that name a stage each; head and cells are a further column."""
    rows = [f"D{n},A{n % 5 + 1},{value},{n * 100},2025-01-{n:02d}{cells}" for n, value in enumerate(values, 1)]
    return f"Deal ID,Account ID,{stage},Amount,Created Date{head}\n" + "\n".join(rows) + "\n"


# Tables of stages of several systems and languages: file, content, what deals have in their column, and the state of each.
TABLES = {
    "closed and probability": (
        "stages.csv", "stage_id,pipeline_id,label,probability,display_order,is_closed\n"
        "811,p,Coffee had,0.1,0,false\n812,p,Ink dry,1.0,1,true\n813,p,Walked off,0.0,2,true\n",
        "deal_stage_id", {"811": "open", "812": "won", "813": "lost"},
    ),
    "flags, by name": (
        "OpportunityStage.csv", '"Id","MasterLabel","IsActive","SortOrder","IsClosed","IsWon","DefaultProbability"\n'
        '"01Ja","Kettle on","true","1","false","false","10"\n"01Jb","Handshake","true","2","true","true","100"\n'
        '"01Jc","Gone cold","true","3","true","false","0"\n',
        "StageName", {"Kettle on": "open", "Handshake": "won", "Gone cold": "lost"},
    ),
    "HubSpot's pipelines": (
        "pipelines.json", '{"results": [{"id": "default", "label": "Sales", "stages": ['
        '{"id": "811", "label": "Coffee had", "displayOrder": 0, "metadata": {"isClosed": "false", "probability": "0.2"}},'
        '{"id": "812", "label": "Ink dry", "displayOrder": 1, "metadata": {"isClosed": "true", "probability": "1.0"}},'
        '{"id": "813", "label": "Walked off", "displayOrder": 2, "metadata": {"isClosed": "true", "probability": "0.0"}}]}]}',
        "dealstage", {"811": "open", "812": "won", "813": "lost"},
    ),
    "German": (
        "Phasen.csv", "Phasen-ID;Bezeichnung;Reihenfolge;gewonnen;abgeschlossen\n"
        "71;Muster verschickt;1;nein;nein\n72;Bestellung da;2;ja;ja\n73;Kein Bedarf;3;nein;ja\n",
        "Phase", {"Muster verschickt": "open", "Bestellung da": "won", "Kein Bedarf": "lost"},
    ),
    "a type of forecast": (
        "deal_stages.csv", "id,name,position,forecast_type,probability\n"
        "40201,Samples out,1,Open,20\n40202,Handshake,2,Closed Won,100\n40203,No budget,3,Closed Lost,0\n",
        "deal_stage_id", {"40201": "open", "40202": "won", "40203": "lost"},
    ),
    "Spanish, percent": (
        "etapas.csv", "codigo,nombre,orden,probabilidad\nE10,Muestra enviada,1,25 %\nE20,Pedido en casa,2,100 %\nE30,Se fue,3,0 %\n",
        "Etapa", {"E10": "open", "E20": "won", "E30": "lost"},
    ),
    "won and lost": (
        "stage.csv", "key,title,won,lost\ns-1,Samples,0,0\ns-2,Signed off,1,0\ns-3,Shelved,0,1\n",
        "Stage", {"s-1": "open", "s-2": "won", "s-3": "lost"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_stages_are_told_by_their_table(propose, name):
    file, content, header, states = TABLES[name]
    found = propose({"accounts.csv": ACCOUNTS, "deals.csv": deals(header, *(list(states) * 2)), file: content})
    status = filled(found, "leads", "status")
    assert (status["from"], status["take"], status["confidence"]) == (header, "state", 0.95)
    assert filled(found, "leads", "stage").get("take") == (
        None if "Kettle on" in states or name == "German" else "label"
    )
    tables = profile.tables(found_folder(found), vocabulary.known)
    table = next(t for t in tables if t.file.name.startswith(file) and stages.of(t))
    told = stages.of(table)
    by = next(c for c in table.columns if set(states) <= set(c.counts))
    assert {text: next(iter(told.state_of(by)[stages.code(text)])) for text in states} == states
    assert list(told.states) == evaluated(table, told.sql) == list(states.values())


def found_folder(found: proposal.Proposed) -> str:
    return (
        found.text.splitlines()[0].removeprefix("# Proposed by `medallion init` for ").split(", which")[0].rstrip(".")
    )


def evaluated(table: profile.Table, sql: str) -> list[str]:
    names = [column.name for column in table.columns]
    records = duckdb.connect()
    records.execute("create table t (" + ", ".join(f'"{name}" varchar' for name in names) + ")")
    records.executemany(
        f"insert into t values ({', '.join('?' * len(names))})", [list(r.values()) for r in table.as_records]
    )
    sql = sql.replace("`", '"').replace("'[^0-9.]', '')", "'[^0-9.]', '', 'g')")  # all of them, as Spark does
    return [row[0] for row in records.execute(f"select {sql} from t").fetchall()]


STAGES = "id,name,sort,probability\n511,First call,1,10\n512,Ink dry,2,100\n513,Walked away,3,0\n"
ASKED = {
    "a stage that the table lacks": (STAGES, ["511", "512", "513", "519", "511"], "'519' (2)"),
    "a first stage of probability 0": (
        "id,name,sort,probability\n510,New,0,0\n" + STAGES.split("\n", 1)[1], ["510", "511", "512", "513"], "is it lost or a first stage?",
    ),
    "several of probability 0": (
        "id,name,probability\n511,First call,10\n512,Ink dry,100\n513,Walked away,0\n514,Parked,0\n", ["511", "512", "513", "514"],
        "are all of them lost?",
    ),
    "a name that says otherwise": (
        "id,name,is_won,is_closed\n511,Closed Won,false,true\n512,Closed Lost,true,true\n513,Call,false,false\n", ["511", "512", "513"],
        "'Closed Won' is lost there",
    ),
    "won alone": ("id,name,is_won\n511,New,false\n512,Done,true\n513,Off,false\n", ["511", "512", "513"], "is none of the others lost?"),
}  # fmt: skip


@pytest.mark.parametrize("name", ASKED)
def test_what_the_table_does_not_tell_is_asked(propose, name):
    content, used, question = ASKED[name]
    found = propose({"accounts.csv": ACCOUNTS, "deals.csv": deals("stage_id", *used * 2), "stages.csv": content})
    status = filled(found, "leads", "status")
    assert status["confidence"] < 0.8
    assert question in status["reason"]


def test_a_state_of_the_deals_own_goes_before_a_probability_of_the_stage(propose):
    """As in Pipedrive, whose stages all have 100 unless someone says otherwise."""
    found = propose({
        "accounts.csv": ACCOUNTS,
        "deals.csv": deals("stage_id", *"1112223334", head=",status", cells=",won").replace(",won\n", ",lost\n", 3),
        "stages.csv": "id,name,order_nr,deal_probability\n1,Qualified,1,100\n2,Demo,2,50\n3,Terms,3,0\n4,Order,4,100\n",
    })  # fmt: skip
    assert filled(found, "leads", "status")["from"] == "status"
    assert filled(found, "leads", "stage")["take"] == "label"


def test_names_that_repeat_are_told_apart_by_their_pipeline(propose):
    found = propose({
        "accounts.csv": ACCOUNTS,
        "deals.csv": deals("Stage", *["Done", "Off", "Talks"] * 2, head=",Pipeline", cells=",New business"),
        "stages.csv": "pipeline,stage,is_won,is_closed\nNew business,Talks,false,false\nNew business,Done,true,true\nNew business,Off,false,true\n"
        "Returns,Talks,false,false\nReturns,Done,false,true\nReturns,Off,true,true\n",
    })  # fmt: skip
    status = filled(found, "leads", "status")
    assert status["from"] == "concat_ws('|', `pipeline`, `stage`)"
    assert filled(found, "stages", "record_id")["from"] == "concat_ws('|', `pipeline`, `stage`)"


# Which account is a deal's: file, content, the SQL of the rows that count, least confidence, what the reason says.
PAIRS = [(f"D{n}", f"A{n % 5 + 1}", f"A{(n + 1) % 5 + 1}") for n in range(1, 7)]
JUNCTIONS = {
    "HubSpot's labels": ("associations.csv", "Deal ID,Company ID,Association label\n"
                         + "".join(f"{d},{b},\n{d},{a},Primary\n" for d, a, b in PAIRS), "'primary'", 0.8, "100%"),
    "HubSpot's numbers": ("deal_company.csv", "deal_id,company_id,type_id\n"
                          + "".join(f"{d},{a},5\n{d},{a},341\n{d},{b},341\n" for d, a, b in PAIRS), "'5'", 0.8, "100%"),
    "a flag": ("OpportunityAccounts.csv", "Id,OpportunityId,AccountId,IsPrimary\n"
               + "".join(f"r{d}1,{d},{a},true\nr{d}2,{d},{b},false\n" for d, a, b in PAIRS), "'true'", 0.8, "100%"),
    "German": ("Zuordnung.csv", "Chance;Firma;Rolle\n" + "".join(f"{d};{a};Hauptfirma\n{d};{b};Händler\n" for d, a, b in PAIRS),
               "'hauptfirma'", 0.8, "100%"),
    "one each": ("deal_accounts.csv", "deal,account\n" + "".join(f"{d},{a}\n" for d, a, _ in PAIRS), None, 0.8, "100%"),
    "a role that is there once": ("links.csv", "deal,account,role\n" + "".join(f"{d},{a},buyer\n{d},{b},agent\n{d},A1,agent\n" for d, a, b in PAIRS),
                                  "'buyer'", 0, "is it the primary one?"),
    "nothing marks one": ("links.csv", "deal,account\n" + "".join(f"{d},{a}\n{d},{b}\n" for d, a, b in PAIRS), None, 0, "nothing marks one"),
    "some without": ("links.csv", "deal,account\n" + "".join(f"{d},{a}\n" for d, a, _ in PAIRS[:4]), None, 0, "2 have none"),
}  # fmt: skip


@pytest.mark.parametrize("total", ["", "Total,,600,\n", "Summe,,600,\n"], ids=["no total", "Total", "Summe"])
@pytest.mark.parametrize("name", JUNCTIONS)
def test_accounts_of_deals_are_told_by_junctions(propose, name, total):
    file, content, marked, least, said = JUNCTIONS[name]
    table = "Deal ID,Stage,Amount,Created Date\n" + "".join(f"{d},Closed Won,100,2025-01-02\n" for d, _, _ in PAIRS)
    table += total
    found = propose({"accounts.csv": ACCOUNTS, "deals.csv": table, file: content})
    customer = filled(found, "leads", "customer_id")
    assert (customer["from"], customer["take"]) == ("Deal ID", "customer_id")
    assert said in customer["reason"]
    assert (customer["confidence"] >= 0.8) == bool(least)
    of = filled(found, customer["lookup"], "of_record")["from"]
    assert of.startswith("CASE WHEN") and marked in of if marked else not of.startswith("CASE")
    assert filled(found, "leads", "lead_id")["from"].startswith("CASE WHEN") == bool(total)
    assert [row for row in found.columns if row["column"] == "ignore"] == []


def test_activities_have_their_accounts_and_deals_by_junctions(propose):
    """Of several companies none is guessed where the deal tells the account; contacts lead on where they alone know it."""
    calls = "call_id,call_date,call_outcome,duration\n" + "".join(
        f"C{n},2025-01-0{n},No answer,60\n" for n in range(1, 7)
    )
    found = propose({
        "accounts.csv": ACCOUNTS,
        "deals.csv": deals("Stage", *["Closed Won", "Closed Lost"] * 3),
        "calls.csv": calls,
        "call_company.csv": "call_id,company_id\n" + "".join(f"C{n},A{n % 5 + 1}\nC{n},A6\n" for n in range(1, 7)),
        "call_deal.csv": "call_id,deal_id\n" + "".join(f"C{n},D{n}\n" for n in range(1, 7)),
    })  # fmt: skip
    lead, customer = (filled(found, "interactions", name) for name in ("lead_id", "customer_id"))
    assert (lead["lookup"], lead["take"]) == (customer["lookup"], "lead_id") == ("call_deal", "lead_id")
    assert customer["take"] == "customer_id"


@pytest.mark.parametrize(
    ("kinds", "junction", "key"),
    [
        (("engagement_call", "engagement_email", "engagement_note"), "engagement_deal", "engagement_id"),
        (("calls", "meetings", "emails", "notes"), "activity_deal", "activity_id"),
    ],
)
def test_one_junction_tells_the_deals_of_all_kinds_of_activity(propose, kinds, junction, key):
    """No file alone has half of the records that it pairs."""
    files, pairs = {}, f"deal_id,{key}\n"
    for place, kind in enumerate(kinds):
        ids = [f"T{place}{n}" for n in range(1, 7)]
        files[f"{kind}.csv"] = f"{key},type,call_date,outcome\n" + "".join(
            f"{each},CALL,2025-01-0{n},No answer\n" for n, each in enumerate(ids, 1)
        )
        pairs += "".join(f"D{n},{each}\n" for n, each in enumerate(ids, 1))
    found = propose({
        "accounts.csv": ACCOUNTS, "deals.csv": deals("Stage", *["Closed Won", "Closed Lost"] * 3), f"{junction}.csv": pairs, **files,
    })  # fmt: skip
    told = [c for c in found.columns if (c["entity"], c["column"]) == ("interactions", "lead_id")]
    assert [(item["lookup"], item["take"]) for item in told] == [(junction, "lead_id")] * len(kinds)


@pytest.mark.parametrize(
    ("file", "head", "mark", "other"),
    [
        ("call_company.csv", "call_id,company_id,label", "Primary", ""),
        ("EngagementCompany.csv", "engagement_id,company_id,type_id", "5", "341"),
        ("Anruf_Firma.csv", "Anruf,Firma,Hauptfirma", "ja", "nein"),
    ],
)
def test_what_a_touch_of_several_accounts_leaves_out_is_told(propose, file, head, mark, other):
    calls = "call_id,call_date,call_outcome,duration\n" + "".join(
        f"C{n},2025-01-0{n},No answer,60\n" for n in range(1, 7)
    )
    pairs = "".join(f"C{n},A{n % 5 + 1},{mark}\nC{n},A6,{other}\n" for n in range(1, 7))
    found = propose({
        "accounts.csv": ACCOUNTS, "deals.csv": deals("Stage", *["Closed Won", "Closed Lost"] * 3), "calls.csv": calls, file: f"{head}\n{pairs}",
    })  # fmt: skip
    account = filled(found, "interactions", "customer_id")
    assert account["confidence"] >= CONFIDENT
    assert "6 further accounts of the same records do not count" in account["reason"]


def test_the_proof_counts_the_pairs_that_are_left_out():
    from medallion.contracts import entities
    from medallion.pipeline import proof

    text = (
        "apiVersion: v3.1.0\nkind: DataContract\nid: m\nname: m\nversion: 1.0.0\nstatus: draft\nschema:\n  - name: call_company\n"
        "    dataGranularityDescription: one row per pair\n    description: x\n    customProperties:\n      - property: sources\n"
        "        value: [{file: call_company, columns: {record_id: id, of_record: call, customer_id: company}}]\n    properties:\n"
        "      - {name: record_id, primaryKey: true, required: true, logicalType: string, physicalType: string}\n"
        "      - {name: of_record, logicalType: string, physicalType: string}\n"
        "      - {name: customer_id, logicalType: string, physicalType: string}\n"
    )
    known = entities([Override("m", text)])
    with duckdb.connect() as connection:
        connection.execute("create schema silver")
        connection.execute(
            "create table silver.call_company_clean as select * from (values ('1', 'C1', 'A1'), ('2', null, 'A2'), ('3', null, 'A3')) "
            "t(record_id, of_record, customer_id)"
        )
        columns = ", ".join(
            f'cast(null as {"decimal" if c.kind == "money" else "timestamp" if c.kind in ("date", "timestamp") else "varchar"}) as "{c.name}"'
            for c in known["leads"].columns
        )
        connection.execute(f"create table silver.leads_clean as select {columns}")
        tables = {"silver.call_company_clean", "silver.leads_clean"}
        told = proof.over(connection, known, "USD", tables).left_out
    assert told == (proof.LeftOut("call_company", 3, 2),)


def test_activities_have_their_accounts_through_contacts(propose):
    emails = "email_id,sent at,subject,direction\n" + "".join(
        f"E{n},2025-01-0{n},Hello,outbound\n" for n in range(1, 7)
    )
    found = propose({
        "accounts.csv": ACCOUNTS,
        "emails.csv": emails,
        "contacts.csv": "contact_id,full_name,company_id\n" + "".join(f"P{n},Person {n},A{n}\n" for n in range(1, 7)),
        "email_contact.csv": "email_id,contact_id\n" + "".join(f"E{n},P{n}\n" for n in range(1, 7)),
    })  # fmt: skip
    assert filled(found, "interactions", "customer_id")["lookup"] == "email_contact"
    assert filled(found, "email_contact", "customer_id")["lookup"] == "contacts"


def test_an_identifier_of_the_deal_itself_is_not_its_account(propose):
    """Records of two kinds may be numbered alike."""
    found = propose({
        "accounts.csv": "id,account name,industry\n" + "".join(f"{n},Firm {n},Food\n" for n in range(1, 30)),
        "deals.csv": "id,deal name,stage,amount,created date\n" + "".join(f"{n},Deal {n},Closed Won,100,2025-01-02\n" for n in range(1, 9)),
    })  # fmt: skip
    assert not [c for c in found.columns if (c["entity"], c["column"], c["from"]) == ("leads", "customer_id", "id")]


def test_accounts_are_sure_where_deals_refer_to_them(propose):
    found = propose({"accounts.csv": "Id,Name\nA1,Firm 1\nA2,Firm 2\nA3,Firm 3\nA4,Firm 4\nA5,Firm 5\n", "deals.csv": deals("Stage", *["Closed Won", "Closed Lost"] * 3)})  # fmt: skip
    (row,) = [table for table in found.tables if table["entity"] == "customers"]
    assert row["confidence"] >= CONFIDENT


def test_a_requirement_of_a_reason_is_no_flag_of_lost(propose):
    """A stage that asks for a reason is not lost."""
    content = "id,name,is_won,asks_lost_reason,is_closed\n511,Call,no,yes,no\n512,Done,yes,no,yes\n513,Off,no,no,yes\n"
    found = propose(
        {"accounts.csv": ACCOUNTS, "deals.csv": deals("stage_id", *["511", "512", "513"] * 2), "stages.csv": content}
    )
    assert "asks_lost_reason" not in filled(found, "stages", "state")["from"]
    assert "`is_closed`" in filled(found, "stages", "state")["from"]


USERS = {
    "User.csv": "Id,Username,FirstName,LastName,Name,IsActive\n5aA,mo@x.example,Mo,Adeyemi,Mo Adeyemi,1\n5aB,ri@x.example,Rita,Sorel,Rita Sorel,0\n",
    "owners.csv": "owner_id,email,first_name,last_name,archived\n5aA,mo@x.example,Mo,Adeyemi,false\n5aB,ri@x.example,Rita,Sorel,true\n",
    "Mitarbeiter.csv": "Kürzel;Name;aktiv\n5aA;Mo Adeyemi;ja\n5aB;Rita Sorel;nein\n",
}  # fmt: skip


@pytest.mark.parametrize("file", USERS)
def test_owners_have_names_also_those_who_left(propose, file):
    table = deals("Stage", *["Closed Won", "Closed Lost"] * 3, head=",Owner ID", cells=",5aA").replace(
        ",5aA\n", ",5aB\n", 2
    )
    found = propose({"accounts.csv": ACCOUNTS, "deals.csv": table, file: USERS[file]})
    owner = filled(found, "leads", "owner")
    assert (owner["from"], owner["lookup"], owner["take"]) == ("Owner ID", "owners", "owner_name")
    assert owner["confidence"] >= 0.8
    assert "archived" not in str(filled(found, "owners", "owner_id")["from"])


ELSEWHERE = {
    "Freshsales": ("sales_accounts.csv", "id,name,created_at\n" + "".join(f"7{n}01,Firm {n},2024-01-02\n" for n in range(1, 5)), "sales_account_id", "7{}01"),
    "Close": ("leads.csv", "id,display_name,status_label\n" + "".join(f"lead_x{n},Firm {n},Potential\n" for n in range(1, 5)), "lead_id", "lead_x{}"),
    "German": ("Stammdaten.csv", "Nummer;Firma;PLZ\n" + "".join(f"K-{n};Firm {n};1000{n}\n" for n in range(1, 5)), "Kundennummer", "K-{}"),
}  # fmt: skip


@pytest.mark.parametrize("name", ELSEWHERE)
def test_accounts_are_told_by_what_deals_refer_to(propose, name):
    file, content, header, form = ELSEWHERE[name]
    rows = [f"opp_{n},{form.format(n % 4 + 1)},Closed Won,{n}00,2025-01-0{n},2025-02-0{n}" for n in range(1, 9)]
    found = propose(
        {"opportunities.csv": f"id,{header},stage,amount,created_at,closed_at\n" + "\n".join(rows), file: content}
    )
    assert {c["table"] for c in found.columns if c["entity"] == "customers"} == {file}
    assert filled(found, "customers", "customer_name")["from"] in ("name", "display_name", "Firma")
    assert filled(found, "leads", "customer_id")["from"] == header
    assert filled(found, "leads", "lead_id")["from"] == "id"


OPPORTUNITIES = [f"O{n},A{n},Closed Won,{n}00,2025-01-0{n},2025-02-0{n}" for n in range(1, 6)]
FUNNELS = {
    "Salesforce": ("Lead.csv", "Id,Company,Status,LeadSource,IsConverted,ConvertedOpportunityId\n"
                   + "".join(f"Q{n},Firm,Open,Web,{n < 6},{f'O{n}' if n < 6 else ''}\n" for n in range(1, 12)), ""),
    "by the deal": ("leads.csv", "lead number,status,source,created\n"
                    + "".join(f"L-{n},New,Website,2025-01-01\n" for n in range(1, 12)), "originating lead"),
    "Spanish": ("prospectos.csv", "id;estado;origen;convertido;oportunidad\n"
                + "".join(f"PR{n};nuevo;web;{'si' if n < 6 else 'no'};{f'O{n}' if n < 6 else ''}\n" for n in range(1, 12)), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNNELS)
def test_leads_beside_deals_are_the_stage_before(propose, name):
    file, content, header = FUNNELS[name]
    rows = [row + (f",L-{n}" if header else "") for n, row in enumerate(OPPORTUNITIES, 1)]
    head = "Opportunity ID,Account ID,Stage,Amount,Created Date,Close Date" + (f",{header}" if header else "")
    found = propose({"accounts.csv": ACCOUNTS, "opportunities.csv": "\n".join([head, *rows]) + "\n", file: content})
    assert {c["table"] for c in found.columns if c["entity"] == "leads"} == {"opportunities.csv"}
    (row,) = [table for table in found.tables if table["table"] == file]
    assert row["to_review"] == []
    source = filled(found, "leads", "source")
    assert (source["lookup"], source["by"]) == (row["entity"], "record_id" if header else "deal_id")


def test_a_second_table_without_amounts_is_asked_about(propose):
    found = propose({
        "accounts.csv": ACCOUNTS,
        "opportunities.csv": "Opportunity ID,Account ID,Stage,Amount,Created Date,Close Date\n" + "\n".join(OPPORTUNITIES) + "\n",
        "leads.csv": "lead id,company,lead status,lead source,created date,owner\n" + "".join(f"X{n},Some {n},New,Web,2025-01-01,Ines\n" for n in range(9)),
    })  # fmt: skip
    (asked,) = [table for table in found.tables if (table["table"], table["entity"]) == ("leads.csv", "leads")]
    assert "the entity" in asked["to_review"]
    assert "are they deals? then there are" in found.text


PIVOTS = [
    # header and rows of a pivot table of deals, and a list of values, as sheets or files beside them
    ("Row Labels,Closed Lost,Closed Won,Grand Total", "Acme,10,20,30"),
    ("Zeilenbeschriftungen,Summe von Betrag", "Acme,30"),
    ("Account ID,Stage,Sum of Amount,Count of Deals", "A1,Closed Won,300,3"),
    ("Compte,Étape,Somme de Montant", "Acme,Gagnée,300"),
]


@pytest.mark.parametrize(("header", "row"), PIVOTS, ids=[header for header, _ in PIVOTS])
def test_a_pivot_table_is_no_list_of_deals(propose, header, row):
    deals = "Opportunity ID,Account ID,Stage,Amount,Created Date,Close Date\n" + "\n".join(OPPORTUNITIES) + "\n"
    rows = "".join(row.replace("Acme", f"Acme {n}").replace("A1", f"A{n}") + "\n" for n in range(1, 6))
    found = propose({"accounts.csv": ACCOUNTS, "opportunities.csv": deals, "deals by firm.csv": f"{header}\n{rows}"})
    assert {c["table"] for c in found.columns} == {"accounts.csv", "opportunities.csv"}
    assert found.not_used == {"deals by firm.csv": "a pivot table, which adds up what another table has"}


@pytest.mark.parametrize(
    ("header", "row", "asks"),
    [
        ("Müşteri;Aşama;Toplam Tutar;Oluşturma tarihi", "Firma {n};Kazanıldı;{n}00;2025-01-0{n}", False),
        ("Account;Stage;Sum of Amount;Created Date", "Firm {n};Closed Won;{n}00;2025-01-0{n}", True),
        ("Deal ID;Account;Stage;Sum of Amount;Created", "D{n};Firm {n};Closed Won;{n}00;2025-01-0{n}", True),
    ],
)
def test_a_list_of_deals_alone_with_a_header_of_a_pivot_table_is_proposed(propose, header, row, asks):
    rows = [row.format(n=n) for n in (1, 2, 3, 4, 5, 5)]  # one is exported twice
    found = propose({"deals.csv": "\n".join([header, *rows]) + "\n"})
    (table,) = [each for each in found.tables if each["entity"] == "leads"]
    assert (table["confidence"] < CONFIDENT and "over a pivot table: is each row" in found.text) == asks
    assert ("delete this source, and that of customers with its accounts" in found.text) == asks


def test_deals_with_a_key_are_deals_whatever_their_amount_is_called(propose):
    deals = "Opportunity ID,Account ID,Stage,Sum of Amount,Created Date,Close Date\n" + "\n".join(OPPORTUNITIES) + "\n"
    found = propose({"accounts.csv": ACCOUNTS, "opportunities.csv": deals})
    assert {c["table"] for c in found.columns if c["entity"] == "leads"} == {"opportunities.csv"}


@pytest.mark.parametrize("amount", ["", ",Amount"])
def test_lines_of_deals_in_another_file_are_no_deals_and_their_amounts_are_asked_about(propose, amount):
    rows = [f"D{n},Firm {n % 3},{('Won', 'Lost', 'Open')[n % 3]},2025-01-0{n},2025-02-0{n}" for n in range(1, 9)]
    head = f"Deal ID,Account,Stage,Created,Close Date{amount}\n"
    deals = head + "".join(f"{row}{',100' if amount else ''}\n" for row in rows)
    lines = "Deal ID,Line No,Product,Quantity,Unit Price,Total\n" + "".join(
        f"D{n},{line},Licence {line},2,{n}0,{n}0{line}\n" for n in range(1, 9) for line in (1, 2)
    )
    found = propose({"deals.csv": deals, "deal lines.csv": lines})
    assert {c["table"]: c["entity"] for c in found.columns if c["entity"] != "customers"} == {
        "deals.csv": "leads", "deal lines.csv": "deal_products",
    }  # fmt: skip
    assert ("deal lines.csv has Total for each line, and a contract adds no rows up" in found.text) == (not amount)


def test_a_country_of_which_the_code_is_a_word_is_one(propose):
    accounts = "Account ID,Account Name,Country\n" + "".join(f"A{n},Firm {n},NO\n" for n in range(1, 7))
    assert filled(propose({"accounts.csv": accounts}), "customers", "country")["from"] == "Country"


CASES = {
    "Case.csv": "Id,CaseNumber,AccountId,Subject,Status,Priority,IsClosed,CreatedDate,ClosedDate\n",
    "tickets.csv": "Ticket ID,Ticket name,Account ID,Pipeline,Ticket status,Priority,Create date,Close date,Source\n",
    "Vorgaenge.csv": "Incident Nr,Kunde,Status,Priorität,Angelegt am,SLA,Resolution,Erledigt am,Betreuer\n",
}


@pytest.mark.parametrize("file", CASES)
def test_support_cases_are_no_deals(propose, file):
    head = CASES[file]
    values = {"Status": "New", "Ticket status": "New", "Account ID": "A1", "AccountId": "A1", "Kunde": "A1"}
    rows = [
        ",".join(values.get(h, f"2025-01-0{n}" if "ate" in h or " am" in h else f"{h[0]}{n}") for h in head.strip().split(","))
        for n in range(1, 9)
    ]  # fmt: skip
    deals = "Opportunity ID,Account ID,Stage,Amount,Created Date,Close Date\n" + "\n".join(OPPORTUNITIES) + "\n"
    found = propose({"accounts.csv": ACCOUNTS, "opportunities.csv": deals, file: head + "\n".join(rows) + "\n"})
    assert {c["table"] for c in found.columns if c["entity"] in ("leads", "interactions")} == {"opportunities.csv"}


def test_calls_of_a_call_centre_are_no_support_cases(propose):
    calls = "Call ID,Account ID,Call date,Direction,Duration,Priority,Resolution,Satisfaction,SLA\n"
    rows = [f"C{n},A{n},2025-01-0{n},inbound,60,High,solved,5,met" for n in range(1, 7)]
    found = propose({"accounts.csv": ACCOUNTS, "calls.csv": calls + "\n".join(rows) + "\n"})
    assert {c["table"] for c in found.columns if c["entity"] == "interactions"} == {"calls.csv"}


def test_renewals_are_deals_as_what_they_renew(propose):
    head = "Opportunity ID,Account ID,Stage,Amount,Created Date"
    old = "\n".join([f"{head},Close Date", *OPPORTUNITIES]) + "\n"
    rows = [f"R{n},A{n},Negotiation,{n}00,2026-01-0{n},O{n}" for n in range(1, 6)]
    found = propose({"accounts.csv": ACCOUNTS, "opportunities_old.csv": old, "opportunities_new.csv": "\n".join([f"{head},Renewed opportunity", *rows]) + "\n"})  # fmt: skip
    assert {c["table"] for c in found.columns if c["entity"] == "leads"} == {
        "opportunities_old.csv",
        "opportunities_new.csv",
    }


def test_lines_that_repeat_the_stage_of_their_deal_are_no_history(propose):
    lines = "line_id,deal_id,stage,quantity,created\n" + "".join(f"{n}{m},D{n},{'Talks' if n % 2 else 'Closed Won'},1,2025-01-0{n}\n" for n in range(1, 7) for m in "ab")  # fmt: skip
    found = propose({"accounts.csv": ACCOUNTS, "deals.csv": deals("Stage", *["Talks", "Closed Won"] * 3), "lines.csv": lines})  # fmt: skip
    assert not [c for c in found.columns if c["entity"] == "stage_changes"]


HISTORIES = {
    "Salesforce": ("OpportunityHistory.csv", "Id,OpportunityId,StageName,Amount,CloseDate,CreatedDate", "{n}x,D{n},{stage},10,2025-09-01,2025-01-0{n}",
                   ("OpportunityId", "StageName", "CreatedDate")),
    "HubSpot": ("deal_stage.csv", "deal_id,date_entered,value,source,_synced", "D{n},2025-01-0{n},{stage},CRM_UI,2025-09-01",
                ("deal_id", "value", "date_entered")),
    "German": ("Phasenverlauf.csv", "Chance;alte Phase;neue Phase;geändert am;bis", "D{n};Angebot;{stage};0{n}.01.2025;31.01.2025",
               ("Chance", "neue Phase", "geändert am")),
}  # fmt: skip


@pytest.mark.parametrize("name", HISTORIES)
def test_changes_of_stage_are_proposed(propose, name):
    file, head, row, expected = HISTORIES[name]
    known = ["Closed Won", "Closed Lost", "Angebot"]
    rows = [row.format(n=n, stage=stage) for stage in known for n in range(1, 7)]
    found = propose(
        {"accounts.csv": ACCOUNTS, "deals.csv": deals("Stage", *known * 2), file: "\n".join([head, *rows]) + "\n"}
    )
    assert tuple(filled(found, "stage_changes", c)["from"] for c in ("lead_id", "stage", "entered_at")) == expected
    assert {c["table"] for c in found.columns if c["entity"] == "leads"} == {"deals.csv"}


@pytest.mark.parametrize("flag", ["IsDeleted", "Gelöscht", "_fivetran_deleted"])
def test_a_deleted_change_of_stage_has_ended(propose, flag):
    known = ["Closed Won", "Closed Lost", "Angebot"]
    rows = [
        f"{stage[-3:]}{n},D{n},{stage},2025-01-0{n},{'true' if n == 2 else 'false'}"
        for stage in known
        for n in range(1, 7)
    ]
    history = "\n".join([f"Id,OpportunityId,StageName,CreatedDate,{flag}", *rows]) + "\n"
    found = propose(
        {"accounts.csv": ACCOUNTS, "deals.csv": deals("Stage", *known * 2), "OpportunityHistory.csv": history}
    )
    (source,) = contracts.entities([Override("x", found.text)])["stage_changes"].sources
    assert source.absent
    assert source.absent.confidence >= CONFIDENT


@pytest.mark.slow
def test_states_and_accounts_of_the_tables_reach_silver(spark, propose, tmp_path):
    file, content, header, states = TABLES["closed and probability"]
    table = deals(header, *list(states) * 2).replace(",Account ID", ",Note").replace(",A", ",n")
    found = propose({"accounts.csv": ACCOUNTS, "deals.csv": table, file: content, JUNCTIONS["HubSpot's labels"][0]: JUNCTIONS["HubSpot's labels"][1],
                     "deal_stage.csv": "deal_id,date_entered,value\n" + "".join(f"D{n},2025-01-0{n},811\nD{n},2025-02-0{n},812\n" for n in range(1, 7))})  # fmt: skip
    path = tmp_path / "x.odcs.yaml"
    path.write_text(found.text)
    settings = load(None, source=str(tmp_path), lakehouse=str(tmp_path / "lakehouse"), contracts=(path,), accept=True)
    pipeline.run(settings, NOW)
    with query.connect(Lakehouse(settings.lakehouse)) as connection:
        rows = query.rows(
            connection, "select lead_id, customer_id, status, stage from silver.leads_clean order by lead_id"
        )
        told = query.rows(connection, "select distinct stage from silver.stage_changes_clean order by stage")
    assert [tuple(row.values()) for row in rows][:3] == [
        ("D1", "A2", "open", "coffee_had"), ("D2", "A3", "won", "ink_dry"), ("D3", "A4", "lost", "walked_off"),
    ]  # fmt: skip
    assert [row["stage"] for row in told] == ["coffee_had", "ink_dry"]


@pytest.mark.parametrize(
    ("header", "label"),
    [("Stage ID,Stage Name", "Stage Name"), ("Phase Key,Phase", "Phase"), ("Stage Code,Label", "Label"), ("Name,Stage ID", "Name"),
     ("Etapa ID,Etapa", "Etapa")],
)  # fmt: skip
def test_the_label_of_a_stage_is_not_its_identifier(tmp_path, header, label):
    stages_of = [
        ("new", "Neu", "0", "0"),
        ("neg", "Verhandlung", "0", "0"),
        ("w1", "Gewonnen", "1", "1"),
        ("l1", "Verloren", "0", "1"),
    ]
    rows = "".join(f"{','.join(row)}\n" for row in stages_of)
    (tmp_path / "stages.csv").write_text(f"{header},Is Won,Is Closed\n{rows}", encoding="utf-8")
    (table,) = profile.tables(str(tmp_path), vocabulary.known)
    found = stages.of(table)
    assert found
    assert found.label
    assert found.label.header == label
