"""Contacts, owners, quotas, people in deals and line items: optional, and at home like the first four entities."""

from __future__ import annotations

from datetime import timedelta

import pytest

from conftest import NOW
from medallion import contracts, proposal
from medallion.contracts import Override

ACCOUNTS = "customer_id,customer_name\nC1,Acme Works\nC2,Bolt Freight\n"
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
    from medallion.config import load

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
