"""Contacts, owners, quotas, people in deals and line items: optional, and at home like the first four entities."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal as D

import duckdb
import pytest
from pyspark.sql import functions as F
from starlette.testclient import TestClient

from conftest import NOW
from medallion import contracts, metrics, proposal
from medallion.care.export import export
from medallion.config import load
from medallion.contracts import Override, own
from medallion.dashboard.safety import Door
from medallion.dashboard.web import application
from medallion.dashboard.web.options import Options
from medallion.features import AsOf
from medallion.gold import gold_contract, team
from medallion.gold.attainment import attainment
from medallion.gold.contact_activity import contact_activity
from medallion.gold.deal_people import deal_people
from medallion.gold.identity_links import identity_links
from medallion.gold.line_items import line_items
from medallion.lakehouse import contracts_in_use, query

ACCOUNTS = "customer_id,customer_name,account_manager\nC1,Acme Works,u2\nC2,Bolt Freight,Somebody Else\n"
DEALS = (
    "lead_id,customer_id,status,deal_value,created_at,closed_at,owner,product_id,next_step,next_step_at\n"
    "L1,C1,won,1000,2025-01-05,2025-02-01,U1,P-1,,\n"
    "L2,C2,open,5000,2025-03-05,,ann@us.example,,Send the offer,2025-07-10\n"
)
PRODUCTS = "product_id,product_name,list_price\nP-1,Suite,500\nP-2,Tracker,100\n"
TOUCHES = (
    "interaction_id,customer_id,lead_id,channel,occurred_at,outcome,contact_id\n"
    "I1,C1,L1,call,2025-01-10,positive,K1\nI2,C1,L1,email,2025-01-20,neutral,K2\nI3,C2,L2,call,2025-06-01,neutral,K9\n"
)
CONTACTS = (
    "Contact ID,First Name,Last Name,Email,Phone Number,Account ID,Job Title,Buying Role,Unsubscribed From All Email,"
    "Marketing Consent,Preferred Language,Last Modified Date\n"
    "k1,Ada,Byron,Ada@Acme.example,+1 555 100 2000,C1,Head of Sales,Decision Maker,No,Opted In,English,2025-05-01\n"
    "K2,Bob,,bob@acme.example,,C1,Buyer,Champion,Yes,Opted In,de,2025-05-01\n"
    "K3,Eve,Holt,eve@x.example,,C99,,,,,,2025-05-01\n"
)
USERS = (
    "User ID,Full Name,Email,Team,Manager ID,Active\n"
    "U1,Ann Lee,ann@us.example,East,U2,true\nU2,Max Boss,max@us.example,East,,true\n"
)
QUOTAS = (
    "Sales Rep,Team,Period,Quota\n"
    'Ann Lee,,2025-Q1,"1,500"\nAnn Lee,,Q2 2025,2000\n,East,2025,9000\nu2,,2025-02,100\nu2,,3/2025,100\nu2,,FY25,1\n'
)
ROLES = "Id,OpportunityId,ContactId,Role,IsPrimary\nR1,L1,K1,Decision Maker,true\nR2,L1,K9,Influencer,false\n"
LINES = "Deal ID,Product Code,Quantity,Price\nL1,P-1,2,100.50\nL1,P-9,1,5\n"
FILES = {
    "customers.csv": ACCOUNTS, "leads.csv": DEALS, "products.csv": PRODUCTS, "interactions.csv": TOUCHES,
    "contacts.csv": CONTACTS, "users.csv": USERS, "quotas.csv": QUOTAS, "opportunity_contact_roles.csv": ROLES,
    "line_items.csv": LINES,
}  # fmt: skip
FIRST = ("customers.csv", "leads.csv", "products.csv", "interactions.csv")


def test_they_are_read_checked_and_accounted_for(to_silver, rows):
    result, lake = to_silver(FILES)
    assert all(account["balanced"] for account in result.accounts)
    people = rows(lake, "select * from silver.contacts_clean order by contact_id")
    said = [(p["contact_id"], p["contact_name"], p["email"], p["role"], p["consent"], p["language"]) for p in people]
    assert said == [
        ("K1", "Ada Byron", "ada@acme.example", "decision_maker", "granted", "en"),
        ("K2", "Bob", "bob@acme.example", "champion", "denied", "de"),  # who opted out has denied it
        ("K3", "Eve Holt", "eve@x.example", None, "unknown", None),
    ]
    spans = rows(
        lake, "select period, period_start::varchar s, period_end::varchar e from silver.quotas_clean order by 1"
    )
    assert {(row["period"], row["s"], row["e"]) for row in spans} == {
        ("2025", "2025-01-01", "2025-12-31"), ("2025-02", "2025-02-01", "2025-02-28"), ("2025-Q1", "2025-01-01", "2025-03-31"),
        ("3/2025", "2025-03-01", "2025-03-31"), ("Q2 2025", "2025-04-01", "2025-06-30"),
    }  # fmt: skip
    refused = rows(lake, "select entity, reasons from silver.quarantine")
    assert refused == [{"entity": "quotas", "reasons": ["period_start: is missing", "period_end: is missing"]}]
    lines = rows(lake, "select product_id, amount::varchar amount from silver.deal_products_clean order by 1")
    assert [(row["product_id"], row["amount"]) for row in lines] == [("P-1", "201.00"), ("P-9", "5.00")]
    orphans = rows(
        lake, "select entity, column_name, failed from ops.quality_metrics where metric = 'integrity' and failed > 0"
    )
    assert {(row["entity"], row["column_name"], row["failed"]) for row in orphans} == {
        ("contacts", "customer_id", 1), ("deal_contacts", "contact_id", 1), ("deal_products", "product_id", 1),
        ("interactions", "contact_id", 1),
    }  # fmt: skip
    step = rows(lake, "select next_step, next_step_at::varchar as due from silver.leads_clean where lead_id = 'L2'")
    assert step == [{"next_step": "Send the offer", "due": "2025-07-10"}]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_exports_have_no_personal_data_of_contacts_unless_asked_for(to_silver, tmp_path, form):
    unread = CONTACTS.replace("2025-05-01\nK2", "no day, ada@acme.example\nK2")
    _, lake = to_silver({"customers.csv": ACCOUNTS, "contacts.csv": unread, "users.csv": USERS})
    written = {one["table"]: one for one in export(lake, tmp_path / "plain", form)}
    assert written["silver.contacts_clean"]["left_out"].startswith("first_name, last_name, contact_name")
    assert "left_out" not in written["silver.customers_clean"]
    texts = ["Byron", "Bob", "ada@acme", "bob@acme", "CTO", "Head of Sales", "ann@us"]
    with duckdb.connect() as connection:
        for shown, folder in ((False, "plain"), (True, "whole")):
            if shown:
                export(lake, tmp_path / folder, form, pii=True)
            files = sorted((tmp_path / folder).glob("*"))
            said = " ".join(str(connection.sql(f"select * from '{file}'").fetchall()) for file in files)
            assert [text in said for text in texts] == [shown and text != "CTO" for text in texts]


def test_a_person_has_a_history_and_repeats_add_nothing(to_silver, rows):
    to_silver({"customers.csv": ACCOUNTS, "contacts.csv": CONTACTS})
    newer = CONTACTS.replace("Champion,Yes,Opted In,de,2025-05-01", "Champion,Yes,Opted In,fr,2025-06-01")
    result, lake = to_silver({"contacts.csv": newer}, NOW + timedelta(days=1))
    (account,) = [each for each in result.accounts if each["entity"] == "contacts"]
    assert (account["rows_read"], account["accepted"], account["duplicate"]) == (3, 1, 2)
    versions = rows(lake, "select language from silver.contacts_history where contact_id = 'K2' order by known_at")
    assert [row["language"] for row in versions] == ["de", "fr"]


def test_without_files_there_is_no_table_of_them(sample):
    """The sample has none; a contract that names its files has none of those that it does not name either."""
    of_them = {name for name in sample.tables() if name.split(".")[1].startswith(contracts.OPTIONAL_NAMES)}
    assert not of_them


FOLDER = """
apiVersion: v3.1.0
kind: DataContract
schema:
  - name: leads
    customProperties: [{property: sources, value: [{file: deals}]}]
"""


def test_a_contract_that_names_files_names_those_of_optional_entities_too():
    found = contracts.entities([Override("old", FOLDER)])
    assert not any(found[name].file_patterns for name in contracts.OPTIONAL_NAMES)
    more = FOLDER + "  - name: contacts\n    customProperties: [{property: filePatterns, value: [person*]}]\n"
    assert contracts.entities([Override("new", more)])["contacts"].file_patterns == ("person*",)


def test_a_table_of_ones_own_may_have_the_name_of_an_optional_entity():
    """Contracts that `init` wrote before there were contacts have such tables, to look records up in."""
    own = FOLDER + (
        "  - name: contacts\n    customProperties: [{property: sources, value: [{file: contacts}]}]\n    properties:\n"
        "      - {name: record_id, primaryKey: true, required: true, logicalType: string, physicalType: string}\n"
        "      - {name: customer_id, logicalType: string, physicalType: string}\n"
    )
    found = contracts.entities([Override("old", own)])
    assert found["contacts"].column_names == ("record_id", "customer_id")
    assert not contracts.is_shipped(found["contacts"])
    assert contracts.is_shipped(found["owners"])
    assert found["interactions"].column("contact_id").reference is None


@pytest.mark.slow
def test_forgetting_an_account_reaches_its_people(deliver, rows):
    from medallion.care import erasure

    notes = TOUCHES.replace("contact_id\n", "contact_id,notes\n").replace(
        ",K9\n", ",K9,Ada Byron (Head of Sales) called\n"
    )
    _, lake = deliver({**FILES, "interactions.csv": notes})
    settings = load(None, lakehouse=lake.root)
    certificate = erasure.forget(settings, "C1", "request", "ana", NOW + timedelta(days=1))
    assert {name: certificate["records"][name] for name in ("contacts", "deal_contacts", "deal_products")} == {
        "contacts": 2, "deal_contacts": 2, "deal_products": 2,
    }  # fmt: skip
    assert not certificate["found"]
    assert [row["contact_id"] for row in rows(lake, "select contact_id from silver.contacts_history")] == ["K3"]
    (left,) = rows(lake, "select notes from silver.interactions_clean")
    assert "Ada" not in left["notes"]
    assert "(Head of Sales)" in left["notes"]
    _result, lake = deliver({"contacts.csv": CONTACTS.replace("Head of Sales", "CEO")}, NOW + timedelta(days=2))
    assert len(rows(lake, "select * from silver.owners_clean")) == 2
    assert [row["contact_id"] for row in rows(lake, "select contact_id from silver.contacts_clean")] == ["K3"]


def _many(head, *cells):
    return head + "\n" + "".join(",".join(each.format(n) for each in cells) + "\n" for n in range(1, 6))


HUBSPOT = {
    "companies.csv": _many("Record ID,Company name,Industry,Number of Employees", "10{0}", "Firm {0}", "Tools", "{0}0"),
    "deals.csv": _many("Record ID,Deal Name,Deal Stage,Pipeline,Amount,Close Date,Create Date,Deal owner,Associated Company IDs",
                       "90{0}", "D{0}", "Closed Won", "Sales", "{0}000", "2025-02-0{0}", "2025-01-0{0}", "700{0}", "10{0}"),
    "contacts.csv": _many("Record ID,First Name,Last Name,Email,Contact owner,Primary Associated Company ID,Buying Role,Unsubscribed from all email",
                          "50{0}", "Ada", "Lee {0}", "a{0}@firm.example", "700{0}", "10{0}", "Champion", "false"),
    "owners.csv": _many("id,email,firstName,lastName,archived,teams", "700{0}", "r{0}@us.example", "Rep", "R{0}", "false", "East"),
    "line_items.csv": _many("Record ID,Name,Quantity,Unit price,Net price,Associated Deal IDs", "L{0}", "Suite", "{0}", "500", "{0}500", "90{0}"),
    "deal_to_contact.csv": _many("deal_id,contact_id,label", "90{0}", "50{0}", "Champion"),
    "quotas.csv": _many("Sales Rep,Quarter,Target", "Rep R{0}", "2025-Q1", "{0}0000"),
}  # fmt: skip
SALESFORCE = {
    "Account.csv": _many("Id,Name,Industry,NumberOfEmployees,OwnerId,IsDeleted", "001A{0}", "Firm {0}", "Tools", "{0}0", "005A{0}", "false"),
    "Opportunity.csv": _many("Id,AccountId,Name,StageName,Amount,CloseDate,IsClosed,IsWon,OwnerId,CreatedDate,IsDeleted",
                             "006A{0}", "001A{0}", "D{0}", "Closed Won", "{0}000", "2025-02-0{0}", "true", "true", "005A{0}", "2025-01-0{0}", "false"),
    "Contact.csv": _many("Id,IsDeleted,AccountId,LastName,FirstName,Name,Email,Title,HasOptedOutOfEmail,OwnerId",
                         "003A{0}", "false", "001A{0}", "Lee {0}", "Ada", "Ada Lee {0}", "a{0}@firm.example", "CTO", "false", "005A{0}"),
    "User.csv": _many("Id,Username,Name,Email,IsActive,ManagerId,Department", "005A{0}", "r{0}", "Rep R{0}", "r{0}@us.example", "true", "005A1", "East"),
    "OpportunityContactRole.csv": _many("Id,OpportunityId,ContactId,Role,IsPrimary", "00K{0}", "006A{0}", "003A{0}", "Decision Maker", "true"),
    "OpportunityLineItem.csv": _many("Id,OpportunityId,Product2Id,Name,Quantity,UnitPrice,TotalPrice", "00k{0}", "006A{0}", "01t{0}", "Suite", "{0}", "500", "{0}500"),
}  # fmt: skip
PIPEDRIVE = {
    "organizations.csv": _many("Organization - ID,Organization - Name,Organization - Owner", "1{0}", "Firm {0}", "Rep R{0}"),
    "deals.csv": _many("Deal - ID,Deal - Title,Deal - Value,Deal - Currency,Deal - Status,Deal - Stage,Deal - Owner,Deal - Deal created,Deal - Won time,Deal - Organization",
                       "2{0}", "D{0}", "{0}000", "USD", "Won", "Proposal", "Rep R{0}", "2025-01-0{0}", "2025-02-0{0}", "Firm {0}"),
    "people.csv": _many("Person - ID,Person - Name,Person - Organization,Person - Email - Work,Person - Owner,Person - Marketing status",
                        "3{0}", "Ada Lee {0}", "Firm {0}", "a{0}@firm.example", "Rep R{0}", "Subscribed"),
    "users.csv": _many("id,name,email,active_flag", "4{0}", "Rep R{0}", "r{0}@us.example", "true"),
}  # fmt: skip
DYNAMICS = {
    "Accounts.csv": _many("(Do Not Modify) Account,Account Name,Main Phone,Owner", "A{0}", "Firm {0}", "12345678{0}", "Rep R{0}"),
    "Opportunities.csv": _many("(Do Not Modify) Opportunity,Topic,Potential Customer,Est. Revenue,Est. Close Date,Actual Close Date,Status,Owner,Created On",
                               "O{0}", "D{0}", "Firm {0}", "{0}000", "2025-02-0{0}", "2025-02-0{0}", "Won", "Rep R{0}", "2025-01-0{0}"),
    "Contacts.csv": _many("(Do Not Modify) Contact,Full Name,Email,Company Name,Business Phone,Do not allow Emails,Owner",
                          "K{0}", "Ada Lee {0}", "a{0}@firm.example", "Firm {0}", "12345678{0}", "Allow", "Rep R{0}"),
    "Users.csv": _many("(Do Not Modify) User,Full Name,Primary Email,Manager,Business Unit,Status", "U{0}", "Rep R{0}", "r{0}@us.example", "Rep R1", "East", "Enabled"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("files", "entities"),
    [
        (HUBSPOT, {"contacts", "owners", "quotas", "deal_contacts", "deal_products"}),
        (SALESFORCE, {"contacts", "owners", "deal_contacts", "deal_products"}),
        (PIPEDRIVE, {"contacts", "owners"}),
        (DYNAMICS, {"contacts", "owners"}),
    ],
    ids=["HubSpot", "Salesforce", "Pipedrive", "Dynamics 365"],
)
def test_init_knows_the_files_of_crms(tmp_path, files, entities):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    found = proposal.propose(str(tmp_path), "crm")
    fed = {table["entity"]: table["to_review"] for table in found.tables}
    assert entities == {*fed} & {*contracts.OPTIONAL_NAMES}
    assert not found.not_used
    assert not any(fed[entity] for entity in entities)
    filled = {(row["entity"], row["column"]): row for row in found.columns}
    assert filled["contacts", "customer_id"]["confidence"] >= 0.9
    assert {"contact_id", "email", "owner"} < {column for entity, column in filled if entity == "contacts"}
    if files in (HUBSPOT, SALESFORCE):  # identifiers of owners become their names, by the table of users
        assert {filled[name]["lookup"] for name in (("leads", "owner"), ("contacts", "owner"))} == {"owners"}


TEAM = "owner_id string, owner_name string, email string, team string, manager string"
QUOTA = "owner string, team string, period_start date, period_end date, amount decimal(18,2)"
DEAL = (
    "lead_id string, customer_id string, status string, owner string, deal_value decimal(18,2), weighted_value decimal(18,2), "
    "created_at timestamp, closed_at timestamp, expected_close_date date"
)
LINK = "lead_id string, contact_id string, role string, is_primary string"
PERSON = "contact_id string, customer_id string, role string, consent string, language string, created_at timestamp"
REACHED = "interaction_id string, contact_id string, lead_id string, occurred_at timestamp, known_at timestamp"
AS_OF = AsOf(datetime(2025, 7, 1))


def _records(frame):
    return [row.asDict() for row in frame.collect()]


def test_attainment_adds_quotas_up_by_team_and_leader(frame):
    owners = frame(
        TEAM,
        ("U1", "Ann Lee", "ann@us.example", "East", "u2"),
        ("U2", "Max Boss", "max@us.example", "East", "The Board"),
        ("U3", "Kim Orr", None, "West", "Max Boss"),
        ("U4", "Jo Doe", None, "West", "ann@us.example"),  # led by Max through Ann
    )
    first, last = date(2025, 1, 1), date(2025, 12, 31)
    quotas = frame(
        QUOTA,
        ("ann@us.example", None, first, last, D(1000)), ("Kim Orr", None, first, last, D(500)), ("U4", None, first, last, D(100)),
        (None, "West", first, last, D(9000)), (None, None, first, last, D(20000)),
    )  # fmt: skip
    deals = frame(
        DEAL,
        ("L1", "C1", "won", "Ann Lee", D(250), None, datetime(2025, 1, 2), datetime(2025, 2, 1, 9), None),
        ("L2", "C1", "won", "Jo Doe", D(50), None, datetime(2025, 1, 2), datetime(2025, 12, 31, 23), None),
        ("L3", "C1", "won", "Ann Lee", D(7), None, datetime(2024, 1, 2), datetime(2024, 12, 31, 23), None),  # before
        ("L4", "C2", "open", "Max Boss", D(400), D("80.50"), datetime(2025, 1, 2), None, date(2025, 9, 1)),
        ("L5", "C2", "lost", "Ann Lee", D(999), None, datetime(2025, 1, 2), datetime(2025, 3, 1), date(2025, 3, 1)),
    )
    found = _records(attainment(quotas, deals, AS_OF, owners))
    said = {
        (row["level"], row["who"]): (
            row["quota"],
            row["is_declared"],
            row["won_value"],
            row["won_leads"],
            row["open_value"],
        )
        for row in found
    }
    assert said == {
        ("owner", "Ann Lee"): (D(1000), True, D(250), 1, D(0)),
        ("owner", "Kim Orr"): (D(500), True, D(0), 0, D(0)),
        ("owner", "Jo Doe"): (D(100), True, D(50), 1, D(0)),
        ("team", "East"): (D(1000), False, D(250), 1, D(400)),
        ("team", "West"): (D(9000), True, D(50), 1, D(0)),  # declared: not the sum of Kim's and Jo's
        ("leader", "Ann Lee"): (D(1100), False, D(300), 2, D(0)),
        ("leader", "Max Boss"): (D(1600), False, D(300), 2, D(400)),
        ("leader", "The Board"): (D(1600), False, D(300), 2, D(400)),
        ("everyone", "everyone"): (D(20000), True, D(300), 2, D(400)),
    }
    (ann,) = [row for row in found if (row["level"], row["who"]) == ("owner", "Ann Lee")]
    assert (ann["attainment"], str(ann["as_of"])) == (0.25, "2025-06-30")


def test_attainment_without_owners_goes_by_the_names_of_deals(frame):
    quotas = frame(QUOTA, ("Ann Lee", None, date(2025, 1, 1), date(2025, 3, 31), D(0)))
    deals = frame(DEAL, ("L1", "C1", "won", "Ann Lee", D(5), None, datetime(2025, 1, 2), datetime(2025, 2, 1), None))
    (row,) = _records(attainment(quotas, deals, AS_OF))
    assert (row["level"], row["who"], row["won_value"], row["attainment"]) == ("owner", "Ann Lee", D(5), None)


def test_an_owner_is_known_by_identifier_address_or_name_unless_two_have_it(frame):
    owners = frame(
        TEAM, ("U1", "Ann Lee", "ann@us.example", "East", None), ("U2", "Ann Lee", "lee@us.example", "West", "U1")
    )
    found = {row["_called"]: row for row in _records(team.directory(owners))}
    assert {called: row["_team"] for called, row in found.items()} == {
        "u1": "East", "u2": "West", "ann@us.example": "East", "lee@us.example": "West",
    }  # fmt: skip
    assert (found["u2"]["_manager"], found["u2"]["_led_by"]) == ("Ann Lee", "U1")


def test_a_deal_hangs_on_one_person_where_one_alone_was_touched(frame):
    links = frame(
        LINK,
        ("L1", "K1", "decision_maker", "yes"), ("L1", "K2", None, "no"),
        ("L2", "K1", "champion", None), ("L3", "K1", "champion", None), ("L3", "K3", None, None), ("L9", "K1", None, None),
    )  # fmt: skip
    opened = datetime(2025, 1, 1)
    deals = frame(
        DEAL,
        ("L1", "C1", "open", "Ann", D(1), None, opened, None, None),
        ("L2", "C1", "won", "Ann", D(2), None, opened, datetime(2025, 2, 1), None),
        ("L3", "C2", "open", "Ann", D(3), None, datetime(2025, 6, 1), None, None),
    )
    deals = deals.withColumns({"owner_team": F.lit("East"), "owner_manager": F.lit("Max")})
    people = frame(PERSON, ("K1", "C1", None, "granted", "en", None), ("K2", "C1", "buyer", "denied", None, None))
    touches = frame(
        REACHED,
        ("T1", "K1", None, datetime(2025, 1, 5), datetime(2025, 1, 6)),
        ("T2", "K2", None, datetime(2024, 12, 5), datetime(2025, 1, 6)),  # before the deals were opened
        ("T3", None, "L3", datetime(2025, 6, 5), datetime(2025, 6, 6)),
        ("T4", "K2", None, datetime(2025, 8, 5), datetime(2025, 8, 6)),  # after the as-of time
    )
    found = {row["lead_id"]: row for row in _records(deal_people(links, deals, touches, AS_OF, people))}
    said = {
        lead: (row["contacts"], row["contacts_touched"], row["roles"], row["roles_touched"], row["is_single_threaded"])
        for lead, row in found.items()
    }
    assert said == {
        "L1": (2, 1, 2, 1, True),
        "L2": (1, 1, 1, 1, True),
        "L3": (2, 0, 1, 0, None),
    }
    assert (len(found["L1"]["role_names"]), len(found["L1"]["role_names_touched"])) == (2, 1)
    assert set(found["L1"]["role_names_touched"]) < set(found["L1"]["role_names"])
    assert {(row["owner_team"], row["owner_manager"]) for row in found.values()} == {("East", "Max")}
    activity = {row["contact_id"]: row for row in _records(contact_activity(people, touches, AS_OF, links, deals))}
    assert (activity["K1"]["touches"], activity["K1"]["open_leads"], activity["K1"]["open_value"]) == (1, 2, D(4))
    assert (activity["K2"]["touches"], activity["K2"]["days_since_last_touch"]) == (1, 207)
    none_says_whom = touches.drop("contact_id")  # touches of before these said it
    assert {row["touches"] for row in _records(contact_activity(people, none_says_whom, AS_OF, None, deals))} == {0}


def test_records_of_two_entities_are_linked_by_what_leads_to_one_alone(frame):
    person = "contact_id string, customer_id string, contact_name string, email string, company string"
    people = frame(
        person,
        ("K1", "C1", "Ada Byron", "ada@acme.example", None), ("K2", "C1", "Bob Kay", None, None), ("K3", "C2", "Bob Kay", None, None),
        ("K4", "C2", "Info", "info@bolt.example", None), ("K5", "C2", "Sales", "info@bolt.example", None),
        ("K6", None, "Eve Holt", None, "ACME WORKS"), ("K7", "C9", "Cy Fox", None, "Twins"),
    )  # fmt: skip
    lead = "lead_id string, customer_id string, lead_name string, email string, company string, created_at timestamp, status string, stage string, closed_at timestamp"
    opened = datetime(2025, 1, 1)
    leads = frame(
        lead,
        ("L1", "C1", "A. Byron", "ada@acme.example", None, opened, "open", None, None),
        ("L2", "C1", "bob  kay", None, None, opened, "open", None, None),  # of the two the one at the account
        ("L3", "C2", "Ann", "info@bolt.example", None, opened, "open", None, None),  # an address of two people
        ("L4", "C8", "Ann", None, "Acme-Works", opened, "open", None, None),
        (
            "L5",
            "C1",
            "Ada Byron",
            "ada@acme.example",
            "Bolt",
            datetime(2025, 8, 1),
            "open",
            None,
            None,
        ),  # not yet opened
    )
    accounts = frame(
        "customer_id string, customer_name string",
        ("C1", "Acme Works"),
        ("C2", "Bolt"),
        ("C3", "Twins"),
        ("C4", "Twins"),
    )
    found = _records(identity_links(people, leads, accounts, AS_OF))
    assert {tuple(row.values())[:5] for row in found} == {
        ("leads", "L1", "contacts", "K1", "same e-mail address"),
        ("leads", "L2", "contacts", "K2", "same name at the same account"),
        ("leads", "L4", "customers", "C1", "it names the account"),
        ("contacts", "K6", "customers", "C1", "it names the account"),
    }


def test_line_items_are_in_the_currency_of_the_lakehouse(frame):
    lines = frame(
        "deal_product_id string, lead_id string, product_id string, product_name string, quantity double, "
        "unit_price decimal(18,2), amount decimal(18,2)",
        ("D1", "L1", "P-1", "as written", 2.0, D(5), D(10)), ("D2", "L2", None, "Setup", 1.0, None, D("99.99")),
        ("D3", "L3", "P-9", None, 1.0, D(7), D(7)), ("D4", "L9", "P-1", None, 1.0, D(1), D(1)),
    )  # fmt: skip
    said = ", ".join(
        f"{name} string" for name in ("customer_id", "customer_name", "status", "stage", "owner", "owner_team")
    )
    deals = frame(
        f"lead_id string, has_value boolean, {said}, created_at timestamp, closed_at timestamp, as_of date",
        *(
            (
                lead,
                valued,
                "C1",
                "Acme",
                "won",
                "won",
                "Ann",
                "East",
                datetime(2025, 1, 1),
                datetime(2025, 2, 1),
                date(2025, 6, 30),
            )
            for lead, valued in (("L1", True), ("L2", True), ("L3", False))
        ),
    )
    products = frame("product_id string, product_name string, category string", ("P-1", "Suite", "Platform"))
    plain = {row["deal_product_id"]: row for row in _records(line_items(lines, deals, products))}
    assert {key: (row["product_name"], row["category"], row["amount"]) for key, row in plain.items()} == {
        "D1": ("Suite", "Platform", D(10)), "D2": ("Setup", None, D("99.99")), "D3": ("P-9", None, D(7)),
    }  # fmt: skip
    rates = frame("lead_id string, rate decimal(19,10)", ("L2", D("1.1")))
    converted = {row["deal_product_id"]: row for row in _records(line_items(lines, deals, products, rates))}
    # nothing says in which currency the lines of a deal without a value are
    assert {key: row["amount"] for key, row in converted.items()} == {"D1": D(10), "D2": D("109.99"), "D3": None}


def test_a_column_of_ones_own_takes_the_place_of_one_that_gives_way():
    """Contracts from before gold had the column go on working."""
    text = FOLDER.replace("sources, value: [{file: deals}]", "filePatterns, value: [deal*]") + (
        "    properties:\n      - {name: owner_team, logicalType: string, physicalType: string, description: Ours., "
        "customProperties: [{property: gold, value: true}]}\n"
    )
    own.bring(contracts.entities([Override("own", text)]), "somewhere", {"silver.owners_clean"})
    try:
        (column,) = [one for one in gold_contract("gold.deals").columns if one.name == "owner_team"]
        assert column.description == "Ours."
        (dimension,) = [d for d in metrics.metrics()["revenue"].view.dimensions if d.name == "owner_team"]
        assert dimension.comment == "Ours."
    finally:
        own.forget()


OPTIONAL_METRICS = {name for name, one in metrics.every_metric().items() if one.view.needs}


def test_metrics_of_optional_tables_are_there_where_the_tables_are(sample):
    contracts_in_use.for_readers(sample)
    assert not OPTIONAL_METRICS & {*metrics.metrics()}
    assert metrics.metrics()["revenue"].view.dimension("owner_team") is None
    assert len(OPTIONAL_METRICS) == 17


@pytest.mark.slow
def test_the_page_of_an_account_names_its_people_by_permission_alone(deliver):
    _, lake = deliver(FILES)
    said = {}
    for pii in (False, True):
        options = Options(load(None, lakehouse=lake.root), Door(hosts=frozenset({"testserver"})), pii)
        with TestClient(application(options)) as client:
            said[pii] = client.get("/customers/C1").text
    assert all(text in page for page in said.values() for text in ("People", "K1", "decision maker", "granted"))
    names = ("Ada Byron", "ada@acme.example", "+15551002000", "Head of Sales")
    assert not [text for text in names if text in said[False]]
    assert all(text in said[True] for text in names)


@pytest.mark.slow
def test_gold_knows_owners_products_and_people_by_name(deliver, rows):
    result, lake = deliver({name: content for name, content in FILES.items() if name in FIRST})
    assert not {"gold.attainment", "gold.contact_activity", "gold.deal_people", "gold.line_items"} & {*lake.tables()}
    (before,) = rows(lake, "select owner, owner_team, product_name from gold.deals where lead_id = 'L1'")
    assert before == {"owner": "U1", "owner_team": None, "product_name": "Suite"}
    more = {name: content for name, content in FILES.items() if name not in FIRST}
    result, lake = deliver(more, NOW + timedelta(days=1))
    assert {"gold.deals", "gold.attainment"} <= {*result.rebuilt}
    assert "gold.touch_totals" not in result.rebuilt
    named = rows(lake, "select lead_id, owner, owner_team, owner_manager from gold.deals order by 1")
    assert [tuple(row.values()) for row in named] == [
        ("L1", "Ann Lee", "East", "Max Boss"), ("L2", "Ann Lee", "East", "Max Boss"),
    ]  # fmt: skip
    said = rows(
        lake,
        "select level, who, quota, won_value from gold.attainment where period_start = '2025-01-01' order by 1, 2, 3",
    )
    assert [(row["level"], row["who"], row["quota"], row["won_value"]) for row in said] == [
        ("leader", "Max Boss", D(1500), D(1000)), ("owner", "Ann Lee", D(1500), D(1000)),
        ("team", "East", D(1500), D(1000)), ("team", "East", D(9000), D(1000)),
    ]  # fmt: skip
    managers = rows(lake, "select account_manager from gold.customer_features order by customer_id")
    assert [row["account_manager"] for row in managers] == ["Max Boss", "Somebody Else"]
    people = rows(lake, "select * from gold.contact_activity order by contact_id")
    assert [(row["contact_id"], row["touches"], row["consent"]) for row in people] == [
        ("K1", 1, "granted"), ("K2", 1, "denied"), ("K3", 0, "unknown"),
    ]  # fmt: skip
    assert not {"contact_name", "email", "phone", "job_title"} & {*people[0]}
    (lines,) = rows(lake, "select count(*) n, sum(amount) total, min(product_name) first from gold.line_items")
    assert (lines["n"], lines["total"], lines["first"]) == (2, D("206.00"), "P-9")
    (deal,) = rows(lake, "select contacts, contacts_touched, has_primary from gold.deal_people")
    assert tuple(deal.values()) == (2, 1, True)
    result, lake = deliver({"customers.csv": ACCOUNTS}, NOW + timedelta(days=2))
    assert not result.rebuilt  # a repeated delivery brings nothing new
    contracts_in_use.for_readers(lake)
    with query.connect(lake) as connection:
        value = {name: metrics.value(connection, name) for name in OPTIONAL_METRICS}
        by_team = metrics.ask(connection, "revenue", by="owner_team").rows
    assert value == {
        "quota": 3700, "quota_attainment": 0.27027, "quota_gap": 2700, "contacts": 3, "contacts_never_touched": 1,
        "touches_per_contact": 0.666667, "single_threaded_deals": 0, "single_threaded_pipeline": 0, "contacts_per_deal": 2,
        "roles_touched_per_deal": 1, "team_quota": 12700, "team_quota_attainment": 0.23622,
        "quota_coverage": 0, "team_quota_coverage": 0,
        "line_items": 2, "line_item_revenue": 206, "line_item_pipeline": 0,
    }  # fmt: skip
    assert [(row["owner_team"], row["value"]) for row in by_team] == [("East", 1000)]
