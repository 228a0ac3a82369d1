"""Exports as users bring them: stages by identifiers, numbers without their zeros, sums of groups, titles, lists of deletions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta

import pytest

from conftest import NOW
from medallion import proposal

ACCOUNTS = "Company ID,Company Name\n11,Tarn Foods\n12,Halden AS\n13,Lumen\n"


def _proposed(folder, files: Mapping[str, str]):
    (folder / "in").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "in" / name).write_text(text)
    return proposal.propose(str(folder / "in"), "mine")


def _asked(found) -> list[str]:
    return [f"{c['entity']}.{c['column']}" for c in found.columns if c["confidence"] < 0.8]


def _accepted(folder, text: str) -> str:
    """The path of a contract whose guesses have all been confirmed."""
    (folder / "c.yaml").write_text(re.sub(r"confidence: 0\.[0-7]\d*,? ?", "", text))
    return str(folder / "c.yaml")


STAGES = [
    # what lists the stages, and the stages of deals that are open, won, lost and won
    ("pipelines.csv", "pipeline_id,pipeline_label,stage_id,stage_label,display_order,is_closed,probability\n"
     "7,Renewals,701,Talks,0,false,0.5\n7,Renewals,702,Stays,1,true,1.0\n7,Renewals,703,Leaves,2,true,0.0\n", "701 702 703 702"),
    ("stages.csv", "stage_id,stage,position,is_won,is_lost\n1,Talks,1,no,no\n2,Stays,2,yes,no\n3,Leaves,3,no,yes\n", "1 2 3 2"),
    ("statuses.csv", "ENTITY_ID,STATUS_ID,NAME,SORT,SEMANTICS\nX,C2:NEW,Talks,10,P\nX,C2:S8,Stays,20,S\nX,C2:F8,Leaves,30,F\n",
     "C2:NEW C2:S8 C2:F8 C2:S8"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "content", "stages"), STAGES, ids=[item[0] for item in STAGES])
def test_a_list_of_stages_is_no_deals_and_says_how_each_stands(tmp_path, deliver, rows, file, content, stages):
    """The list had a name and a number in every row, and became seven deals worth 0 to 3 dollars."""
    deals = "".join(
        f"{n},Deal {n},{stage},{n}17,2025-01-0{n},2025-03-0{n},1{n % 3 + 1}\n"
        for n, stage in enumerate(stages.split(), 1)
    )
    header = "Deal ID,Deal Name,Stage ID,Amount,Created Date,Close Date,Company ID\n"
    files = {"companies.csv": ACCOUNTS, "deals.csv": header + deals, file: content}
    found = _proposed(tmp_path, files)
    assert [name for name in _asked(found) if name.startswith("leads.sta")] == []
    _, lake = deliver(files, contracts=(_accepted(tmp_path, found.text),))
    read = rows(lake, "select status, cast(deal_value as int) as value from silver.leads_clean order by lead_id")
    assert [tuple(row.values()) for row in read] == [("open", 117), ("won", 217), ("lost", 317), ("won", 417)]


ZEROS = [
    # headers of the number in accounts and in deals, what accounts and deals have before it
    ("Customer", "Customer", "0000", ""),
    ("Customer", "Customer", "", "0000"),
    ("Customer Number", "Customer", "0000", ""),
    ("Kunde", "Kunde", "0000", ""),
]


def _numbered(own: str, theirs: str, padded: str, bare: str) -> dict[str, str]:
    """Accounts and deals by number, with what stands before it in each."""
    accounts = "".join(f"{padded}{n};Firm {n};DE\n" for n in (104207, 104311, 198040))
    deals = "".join(
        f"O-{n};{bare}{key};Closed Won;{n}00;2025-01-1{n};2025-03-1{n}\n"
        for n, key in enumerate((104207, 198040, 104311, 104207), 1)
    )
    return {
        "customers.csv": f"{own};Name;Country\n{accounts}",
        "opportunities.csv": f"Opportunity ID;{theirs};Stage;Amount;Created Date;Close Date\n{deals}",
    }


@pytest.mark.parametrize(("own", "theirs", "padded", "bare"), ZEROS)
def test_deals_whose_account_numbers_have_lost_their_zeros_have_their_accounts(
    tmp_path, deliver, rows, own, theirs, padded, bare
):
    """They had none, and nothing was asked."""
    files = _numbered(own, theirs, padded, bare)
    found = _proposed(tmp_path, files)
    assert _asked(found) == []
    _, lake = deliver(files, contracts=(_accepted(tmp_path, found.text),))
    deals = rows(
        lake,
        "select lead_id, c.customer_name as account from silver.leads_clean l left join silver.customers_clean c "
        "using (customer_id) order by lead_id",
    )
    firms = ["Firm 104207", "Firm 198040", "Firm 104311", "Firm 104207"]
    assert [row["account"] for row in deals] == firms


def test_deals_of_numbers_that_no_account_has_are_asked_about(tmp_path):
    found = _proposed(tmp_path, _numbered("Customer", "Customer", "", "9"))
    assert "customer_id" not in {c["column"] for c in found.columns if c["entity"] == "leads"}
    assert "no column holds the account: is it 'Customer'" in found.text


def test_small_numbers_of_another_thing_are_no_accounts(tmp_path):
    """Quantities from 1 on are among the numbers of any accounts that count from one."""
    accounts = "".join(f"{n:04},Firm {n},DE\n" for n in range(1, 41))
    deals = "".join(f"O-{n},{n % 30 + 1},Closed Won,{n}00,2025-01-11,2025-03-11\n" for n in range(1, 31))
    products = "SKU,Product,Warranty Months\n" + "".join(f"A-{n},Pump {n},{n % 3 * 12 + 12}\n" for n in range(9))
    found = _proposed(
        tmp_path,
        {"customers.csv": f"Customer,Name,Country\n{accounts}", "products.csv": products,
         "opportunities.csv": f"Opportunity ID,Quantity,Stage,Amount,Created Date,Close Date\n{deals}"},
    )  # fmt: skip
    assert "customer_id" not in {c["column"] for c in found.columns if c["entity"] == "leads"}


REPORT = """Owner,Stage,Deal,Account,Amount,Close Date,Created
Colm,Proposal,Dryer,Wexcombe,41000,2026-12-18,2025-02-04
,Subtotal,Sum,,41000,,
,,Count,,1,,
,Closed Won,Spares,Ostrava,7250.5,2025-04-11,2025-01-15
,,Pilot,Wexcombe,3900,2025-02-28,2025-01-09
,Subtotal,Sum,,11150.5,,
Subtotal,,Sum,,52150.5,,
Yara,Closed Lost,Rack,Fenwick,18000,2025-06-02,2025-02-20
,,Bench,Ostrava,9900,2025-06-13,2025-04-01
,Subtotal,Sum,,27900,,
Total,,Sum,,{total},,
"""


def test_sums_of_a_report_in_groups_are_no_deals_and_groups_are_filled_down(tmp_path, deliver, rows):
    files = {"pipeline.csv": REPORT.format(total=80050.5)}
    found = _proposed(tmp_path, files)
    assert _asked(found) == ["leads.lead_id"]  # nothing else tells the deals apart
    _, lake = deliver(files, contracts=(_accepted(tmp_path, found.text),))
    read = rows(
        lake, "select owner, status, cast(deal_value as double) as value from silver.leads_clean order by value"
    )
    assert [tuple(row.values()) for row in read] == [
        ("Colm", "won", 3900), ("Colm", "won", 7250.5), ("Yara", "lost", 9900), ("Yara", "lost", 18000), ("Colm", "open", 41000),
    ]  # fmt: skip
    assert rows(lake, "select * from silver.quarantine") == []


def test_sums_that_no_line_confirms_are_asked_about(tmp_path):
    found = _proposed(tmp_path, {"pipeline.csv": REPORT.format(total=70000)})
    assert {"customers.where", "leads.where"} <= {*_asked(found)}


@pytest.mark.parametrize("empty", ["Account", "Owner"])
def test_a_list_with_a_grand_total_is_not_grouped(tmp_path, empty):
    """A cell that is empty stays so: the line above is another deal."""
    lines = ["Deal ID,Account,Owner,Stage,Amount,Created", "D-1,Tarn,Colm,Open,100,2025-01-02", "D-2,Halden,Yara,Open,200,2025-01-03",
             "D-3,Lumen,Colm,Open,300,2025-01-04", "D-4,Tarn,Yara,Open,400,2025-01-05"]  # fmt: skip
    at = lines[0].split(",").index(empty)
    lines[3] = ",".join("" if n == at else cell for n, cell in enumerate(lines[3].split(",")))
    total = ["", "", "", "", "1000", ""]
    total[at] = "Total"
    found = _proposed(tmp_path, {"pipeline.csv": "\n".join([*lines, ",".join(total), ""])})
    assert "fillDown" not in found.text


GROUPED = [
    # sums of groups below their amounts; sums without a grand total
    ["Yara,D-1,Open,Tarn,100,2025-01-02", ",D-2,Open,Halden,200,2025-01-03", ",,,,300,", "Colm,D-3,Open,Lumen,300,2025-01-04",
     ",D-4,Open,Tarn,400,2025-01-05", ",,,,700,", "Grand Total,,,,1000,"],
]  # fmt: skip


@pytest.mark.parametrize("lines", GROUPED)
def test_groups_whose_sums_stand_below_their_amounts_are_filled_down(tmp_path, lines):
    """Half of the deals had no owner."""
    header = "Owner,Deal ID,Stage,Account,Amount,Created"
    found = _proposed(tmp_path, {"pipeline.csv": "\n".join([header, *lines, ""])})
    assert "fillDown: true" in next(line for line in found.text.split("\n") if line.strip().startswith("owner:"))


LIST = "Project ID,Customer,Status,Value,Created Date,Closed Date\n"
ITEMS = "P-1,Anstey,Won,12.5,2025-01-10,2025-03-07\nP-2,Borden,Lost,7.25,2025-01-24,2025-05-19\nP-3,Anstey,Open,0.8,2025-03-12,\n"
ABOVE = [
    ("Deal list,,,,,\nAll amounts in k EUR,,,,,\n", "unit: thousands", "every figure is shown in EUR"),
    ("Deal,,,Money (k USD),Dates,\n", "unit: thousands", ""),
    ("Pipeline,,,,,\nCurrency: CHF,,,,,\n", "", "the line 'Currency: CHF' above the header says CHF"),
    ("Pipeline 2025 - all values in thousands of USD,,,,,\n", "unit: thousands", ""),
    ("Amounts in USD '000,,,,,\n", "unit: thousands", ""),
    ("Pipeline of Team K,,,,,\nSHOW ALL,,,,,\n", "", ""),
    ("Deals with an amount above 10 k USD,,,,,\n", "", ""),
    ("Amounts in k EUR for 3 regions,,,,,\n", "unit: thousands", "every figure is shown in EUR"),
    ("Revenue in EUR thousand FY24,,,,,\n", "unit: thousands", "every figure is shown in EUR"),
    ("kEUR: 12 deals,,,,,\n", "unit: thousands", "every figure is shown in EUR"),
]


@pytest.mark.parametrize(("above", "unit", "currency"), ABOVE)
def test_what_a_title_says_of_unit_and_currency_is_asked_about(tmp_path, above, unit, currency):
    """12.5 thousand euros were read as 12.5 dollars."""
    found = _proposed(tmp_path, {"projects.csv": above + LIST + ITEMS})
    assert _asked(found) == (["leads.deal_value"] if unit or currency else [])
    (value,) = [c for c in found.columns if c["column"] == "deal_value"]
    assert ("is '12.5' 12,500.00" in value["reason"]) == bool(unit)
    assert unit in found.text
    assert currency in value["reason"]


def test_a_run_without_a_contract_stops_at_a_title_that_says_another_unit_or_currency(deliver):
    deals = "lead_id,customer_id,status,deal_value,created_at\nL1,C1,won,12.5,2025-01-10\n"
    customers = "customer_id,customer_name\nC1,Anstey\n"
    for title, says in (("All amounts in k USD", "amounts are in thousands"), ("Currency: CHF", "says CHF (1)")):
        result, _ = deliver({"customers.csv": customers, "leads.csv": f"{title},,,,\n{deals}"})
        (refusal,) = result.refused
        assert f"the line '{title}' above the header" in refusal.problem
        assert says in refusal.problem


DEALS = "Deal ID,Company,Status,Amount,Created,Closed\nD-1,Tarn,won,100,2025-01-03,2025-02-01\nD-2,Halden,won,200,2025-01-04,2025-02-02\nD-3,Lumen,open,400,2025-01-05,\n"


def test_a_list_of_deleted_records_is_not_passed_over(tmp_path, deliver, rows):
    """It was no CRM export, left alone, and what it names still counted."""
    contract = _accepted(tmp_path, _proposed(tmp_path, {"deals.csv": DEALS}).text)
    deliver({"deals.csv": DEALS}, contracts=(contract,))
    listed = {"Deals_deleted.csv": "Deal ID,Deleted At\nD-2,2025-03-01\n"}
    result, lake = deliver(listed, contracts=(contract,))
    (refusal,) = result.refused
    assert "Deals_deleted.csv: line 1: is called a list of deleted records" in refusal.problem
    entry = re.search(r"`- (\{.*?\}\})`", refusal.remedy)[1]
    text = (tmp_path / "c.yaml").read_text()
    (tmp_path / "c.yaml").write_text(text.replace("  - name: products", f"          - {entry}\n  - name: products"))
    result, lake = deliver(listed, NOW + timedelta(days=1), contracts=(contract,))
    assert not result.refused
    assert [row["lead_id"] for row in rows(lake, "select lead_id from silver.leads_clean order by 1")] == ["D-1", "D-3"]


DELETED = [
    ("deals_deleted.csv", "Deal ID,Deleted At\nD-2,2025-03-01\n", []),
    ("gelöschte Deals.csv", "Deal ID;Gelöscht am\nD-2;01.03.2025\n", []),
    ("getDeleted.json", json.dumps({"deletedRecords": [{"id": "D-2", "deletedDate": "2025-03-01T08:15:00Z"}]}), []),
    ("deals removed.csv", DEALS.replace("D-", "E-"), ["leads.absent"]),  # whole records: are they deleted?
]  # fmt: skip


#: What names deals and may not mean that these are deleted.
NOT_ALL_DELETED = [
    ("notes_deleted.csv", "Note ID,Deal ID,Deleted At\nN-1,D-2,2025-03-01\n", "it has Note ID too"),
    ("recycle_bin.csv", "Deal ID,Action,Day\nD-2,deleted,2025-03-01\nD-2,restored,2025-03-02\n", "has some of them several times"),
    ("deals_deleted.csv", "Deal ID,Deleted At,Restored At\nD-2,2025-03-01,2025-03-02\n", "Restored At tells more"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "content", "doubt"), NOT_ALL_DELETED, ids=[item[0] for item in NOT_ALL_DELETED])
def test_a_list_that_says_more_than_what_is_deleted_is_asked_about(tmp_path, file, content, doubt):
    found = _proposed(tmp_path, {"deals.csv": DEALS, file: content})
    assert "leads.absent" in _asked(found)
    assert doubt in found.text


@pytest.mark.parametrize(
    "name", ["removed_from_campaign", "deletion_requests", "deals_deleted_flags", "deals_except_trash"]
)
def test_a_file_that_tells_of_something_else_deletes_nothing(tmp_path, name):
    found = _proposed(tmp_path, {"deals.csv": DEALS, f"{name}.csv": "Deal ID,Day\nD-2,2025-03-01\n"})
    assert "absent" not in found.text


def test_whole_records_under_the_name_of_deleted_ones_are_not_counted_without_a_contract(deliver):
    deals = "lead_id,customer_id,status,deal_value,created_at\nL1,C1,won,12.5,2025-01-10\n"
    customers = "customer_id,customer_name\n{}\n"
    files = {"customers.csv": customers.format("C1,Anstey"), "customers_deleted.csv": customers.format("C9,Borden")}
    result, _ = deliver({**files, "leads.csv": deals})
    assert ["customers_deleted.csv" in refusal.problem for refusal in result.refused] == [True]


@pytest.mark.parametrize(("file", "content", "asked"), DELETED, ids=[item[0] for item in DELETED])
def test_init_proposes_a_list_of_deleted_records(tmp_path, file, content, asked):
    found = _proposed(tmp_path, {"deals.csv": DEALS, file: content})
    assert [name for name in _asked(found) if name.endswith(".absent")] == asked
    assert 'absent: {when: "true"' in found.text


TIMES = "Deal ID,Company,Status,Stage,Value,Created,Won time,Lost time\n"


def test_days_of_winning_and_losing_confirm_the_state(tmp_path):
    good = "1,Tarn,Won,Proposal,100,2025-01-02,2025-02-01,\n2,Halden,Lost,Talks,200,2025-01-02,,2025-02-02\n3,Lumen,Open,Won - paperwork,400,2025-01-03,,\n"
    assert "leads.status" not in _asked(_proposed(tmp_path, {"deals.csv": TIMES + good}))
    other = good.replace("Won - paperwork,400,2025-01-03,,", "Won - paperwork,400,2025-01-03,2025-02-03,")
    assert "leads.status" in _asked(_proposed(tmp_path, {"deals.csv": TIMES + other}))


def test_an_offer_that_was_accepted_is_asked_about(tmp_path):
    rows = "4,Wex,Quotation not accepted,50,2025-01-02,2025-02-01\n1,Tarn,Proposal accepted,100,2025-01-02,2025-02-01\n2,Halden,Lost,200,2025-01-02,2025-02-02\n3,Lumen,Offer sent,400,2025-01-03,\n"
    found = _proposed(tmp_path, {"deals.csv": f"Deal ID,Company,Stage,Value,Created,Close Date\n{rows}"})
    (status,) = [c for c in found.columns if c["column"] == "status"]
    assert "open, won or lost: 'Quotation not accepted' (1), 'Proposal accepted' (1)?" in status["reason"]


LINES = "Opportunity ID,Account Name,Stage,Amount,Close Date,Created Date,Product Name,Quantity,Total Price\n"


@pytest.mark.parametrize(("last", "asked"), [(2000, []), (2500, ["leads.lead_id"])])
def test_lines_that_add_up_to_the_amount_are_lines_of_one_deal(tmp_path, last, asked):
    rows = "".join(
        f"{deal},{account},Closed Won,13000,2025-03-18,2025-01-23,{product},{number},{total}\n"
        for deal, account in (("O-1", "Hobart"), ("O-2", "Imber"))
        for product, number, total in (("Suite", 10, 11000), ("Start", 1, last))
    )
    assert _asked(_proposed(tmp_path, {"report.csv": LINES + rows})) == asked


def test_a_stage_that_comes_with_the_system_is_known_before_a_deal_is_in_it(tmp_path):
    rows = "0068c00000Fp2aA,0018c00000Gr5bA,Kiln,Closed Won,20000,2025-03-12,2025-01-15\n0068c00000Fp2aD,0018c00000Gr5bA,Hall,Prospecting,15000,2025-12-05,2025-02-06\n"
    found = _proposed(
        tmp_path,
        {"Account.csv": "Id,Name,BillingCountry\n0018c00000Gr5bA,Tarn,UK\n",
         "Opportunity.csv": f"Id,AccountId,Name,StageName,Amount,CloseDate,CreatedDate\n{rows}"},
    )  # fmt: skip
    (status,) = [c for c in found.columns if (c["entity"], c["column"]) == ("leads", "status")]
    assert {"Qualification", "Negotiation/Review"} <= {text for text, _ in status["values"]}


def test_a_status_is_no_country():
    from medallion import contracts
    from medallion.proposal import vocabulary

    entity = contracts.entities()["customers"]
    assert vocabulary.header("Status", entity, "country") is None
    assert vocabulary.header("Stát", entity, "country") is not None


def test_an_account_of_close_is_called_lead(tmp_path):
    rows = "".join(
        f"oppo_{n},lead_{n % 2},{('Pine', 'Oak')[n % 2]},won,Won,{n}00000,USD,2025-01-14,2025-03-03\n"
        for n in (1, 2, 3)
    )
    header = "id,lead_id,lead_name,status_type,status_label,value,value_currency,date_created,date_won\n"
    found = _proposed(tmp_path, {"opportunities.csv": header + rows})
    of = {c["column"]: c["from"] for c in found.columns if c["entity"] == "leads"}
    assert (of["customer_id"], of["company"], of.get("lead_name")) == ("lead_id", "lead_name", None)


def test_cents_of_close_are_asked_about_where_nothing_beside_them_says_so(tmp_path):
    deal = {"id": "oppo_1", "status_type": "won", "status_label": "Won", "value": 1250000, "value_currency": "USD",
            "value_period": "one_time", "date_created": "2025-01-14", "date_won": "2025-03-03", "user_name": "Hana"}  # fmt: skip
    lead = {
        "id": "lead_1",
        "display_name": "Pine",
        "status_label": "Customer",
        "opportunities": [deal, {**deal, "id": "oppo_2", "value": 300000}],
    }
    found = _proposed(tmp_path, {"leads.json": json.dumps([lead, {**lead, "id": "lead_2", "opportunities": []}])})
    (value,) = [c for c in found.columns if c["column"] == "deal_value"]
    assert "Close gives amounts in cents: is '1250000' 12,500.00" in value["reason"]


STATES_OF_MONTHS = [
    # names in the order of their letters, which is not that of their days; the state of the deals in each
    ({"deals Apr 2025.csv": "won", "deals Feb 2025.csv": "open", "deals Mar 2025.csv": "open"}, "won"),
    ({"deals_1.6.2025.csv": "open", "deals_5.5.2025.csv": "won"}, "open"),
    ({"deals Apr 2025.csv": "won", "deals Mar 2025.csv": "open", "deals.csv": "lost"}, None),
]


@pytest.mark.parametrize(("files", "newest"), STATES_OF_MONTHS)
def test_files_that_are_not_in_the_order_of_their_days_are_asked_about(tmp_path, deliver, rows, files, newest):
    """The last by name counted, which was March beside April."""
    exports = {
        name: "lead_id,customer_id,status,deal_value,created_at\n"
        + "".join(f"D-{n},C{n % 2},{state},{n}00,2025-01-0{n}\n" for n in range(1, 5))
        + "D-9,C1,lost,900,2025-01-09\n"
        for name, state in files.items()
    }
    exports["customers.csv"] = "customer_id,customer_name\nC0,Firm 0\nC1,Firm 1\n"
    result, _ = deliver(exports)
    assert {each.entity for each in result.refused} == {"leads"}
    why = "nothing tells which file" if newest is None else "the days in the names of the files are in another order"
    assert [each.problem for each in result.refused if why not in each.problem] == []
    found = _proposed(tmp_path, exports)
    if newest is None:  # of one the name tells no day
        assert "which counts?" in found.text
        return
    assert "leads.snapshot" in _asked(found)
    _, lake = deliver(exports, contracts=(_accepted(tmp_path, found.text),))
    states = rows(lake, "select distinct status from silver.leads_clean where lead_id <> 'D-9'")
    assert states == [{"status": newest}]


def test_two_columns_that_name_accounts_are_asked_about(tmp_path):
    """The first of them was taken, and nobody was asked whose the deals are."""
    accounts = "Account Number,Account Name\n" + "".join(f"A-{n},Firm {n}\n" for n in range(10, 18))
    deals = "".join(f"D-{n},A-{n},A-{n + 4},Closed Won,{n}00,2025-01-{n},2025-03-{n}\n" for n in range(10, 14))
    columns = "Deal Number,Sold-to Account,{},Stage,Amount,Created,Closed\n"
    found = _proposed(tmp_path, {"accounts.csv": accounts, "deals.csv": columns.format("End User Account") + deals})
    assert "leads.customer_id" in _asked(found)
    assert "End User Account names accounts too, another one in 4 of 4 deals" in found.text
    for first, second, plain in (
        ("Account Number", "Partner Account", "Account Number"),
        ("Partner Account", "Account", "Account"),
        ("Customer", "Partner", "Customer"),
    ):
        header = columns.format(second).replace("Sold-to Account", first)
        found = _proposed(tmp_path, {"accounts.csv": accounts, "deals.csv": header + deals})
        assert "leads.customer_id" not in _asked(found), "a header says it"
        assert {c["column"]: c["from"] for c in found.columns if c["entity"] == "leads"}["customer_id"] == plain


def test_an_answer_of_the_web_api_of_dataverse_is_read_by_what_a_user_sees(tmp_path, deliver, rows):
    """The owner was lost, and the states were numbers."""
    shown = "@OData.Community.Display.V1.FormattedValue"
    states = {0: "Open", 1: "Won", 2: "Lost"}
    deals = [
        {"opportunityid": f"9b20000{n}-51ab-f011-8f8e-000d3a000011", "name": f"Deal {n}", f"_parentaccountid_value{shown}": f"Firm {n}",
         "_parentaccountid_value": f"7a10000{n}-51ab-f011-8f8e-000d3a000010", f"statecode{shown}": states[n], "statecode": n,
         f"estimatedvalue{shown}": f"${n + 1},000.00", "estimatedvalue": (n + 1) * 1000, "actualvalue": 1900 if n == 1 else None,
         "createdon": f"2025-01-1{n}T09:15:22Z", "actualclosedate": f"2025-03-1{n}" if n else None,
         f"_ownerid_value{shown}": "Ines Calloway", "_ownerid_value": "c0000001-0000-f011-8f8e-000d3a000001"}
        for n in states
    ]  # fmt: skip
    accounts = [
        {"accountid": deal["_parentaccountid_value"], "name": deal[f"_parentaccountid_value{shown}"]} for deal in deals
    ]
    files = {"opportunities.json": json.dumps({"value": deals}), "accounts.json": json.dumps({"value": accounts})}
    found = _proposed(tmp_path, files)
    assert _asked(found) == []
    _, lake = deliver(files, contracts=(_accepted(tmp_path, found.text),))
    read = rows(lake, "select l.status, cast(deal_value as int) as value, owner, customer_name from silver.leads_clean l "
                      "join silver.customers_clean using (customer_id) order by lead_id")  # fmt: skip
    assert [tuple(row.values()) for row in read] == [
        ("open", 1000, "Ines Calloway", "Firm 0"), ("won", 1900, "Ines Calloway", "Firm 1"), ("lost", 3000, "Ines Calloway", "Firm 2"),
    ]  # fmt: skip


GLUED = "dealid,dealname,accountname,dealstage,dealvalue,createdon,actualclosedate,salesrep\n"


def test_names_that_a_database_writes_without_spaces_are_words(tmp_path):
    deals = "".join(f"{n},Deal {n},Firm {n},Closed Won,{n}17,2025-01-0{n},2025-03-0{n},Ines\n" for n in range(1, 6))
    found = _proposed(tmp_path, {"deals.csv": GLUED + deals})
    filled = {c["column"]: c["from"] for c in found.columns if c["entity"] == "leads"}
    expected = {
        "deal_value": "dealvalue",
        "created_at": "createdon",
        "closed_at": "actualclosedate",
        "owner": "salesrep",
    }
    assert {name: filled.get(name) for name in expected} == expected


def test_a_japanese_header_means_what_it_ends_in(tmp_path):
    header = "商談ID,取引先名,商談名,フェーズ,金額,作成日,商談所有者\n"
    deals = "".join(f"OP-{n},会社{n},装置{n},受注,{n}00,2025/01/0{n},佐藤 恵\n" for n in range(1, 6))
    found = _proposed(tmp_path, {"商談一覧.csv": header + deals})
    assert {c["column"]: c["from"] for c in found.columns if c["entity"] == "leads"}["owner"] == "商談所有者"


GLUED_OTHERWISE = ["usergroup", "customersegment", "companysize", "reportsto", "lastemaildate"]


@pytest.mark.parametrize("header", GLUED_OTHERWISE)
def test_a_name_that_only_has_a_word_of_a_column_in_it_fills_none(tmp_path, header):
    deals = "".join(f"{n},Deal {n},Firm {n},Closed Won,{n}17,2025-01-0{n},North {n}\n" for n in range(1, 6))
    found = _proposed(tmp_path, {"deals.csv": f"Deal ID,Deal Name,Account,Stage,Amount,Created Date,{header}\n{deals}"})
    assert header not in {c["from"] for c in found.columns}


@pytest.mark.parametrize("header", ["取引先担当者", "次回活動日"])
def test_a_contact_of_the_customer_is_nobody_of_ours(tmp_path, header):
    deals = "".join(f"OP-{n},会社{n},装置{n},受注,{n}00,2025/01/0{n},佐藤 恵{n}\n" for n in range(1, 6))
    found = _proposed(tmp_path, {"商談一覧.csv": f"商談ID,取引先名,商談名,フェーズ,金額,作成日,{header}\n{deals}"})
    assert header not in {c["from"] for c in found.columns if c["entity"] == "leads"}


def test_firms_in_a_column_of_names_are_asked_about_as_accounts(tmp_path):
    """`Nombre` became a person, and no deal had an account."""
    deals = "".join(f"D-{n};Firma {n % 7} SA;Ganado;{n}00;02/01/2025;13/03/2025;Eva\n" for n in range(1, 31))
    header = "ID;Nombre;Etapa;Importe;Fecha de creación;Fecha de cierre;Propietario\n"
    found = _proposed(tmp_path, {"oportunidades.csv": header + deals})
    assert "no column holds the account: is it 'Nombre'" in found.text
