"""Records that are decided to be one: what follows the survivor, what stays, and what an undo brings back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from conftest import NOW
from medallion import contracts, pipeline
from medallion.care import doctor, erasure
from medallion.config import load
from medallion.contracts import Column, Entity
from medallion.errors import ContractError
from medallion.identities.decisions import KEEP_APART, MERGE, UNDO, Decision, in_effect, members, root
from medallion.lakehouse import manifests
from medallion.lakehouse.store import Lakehouse
from medallion.silver import resolved

CUSTOMERS = """customer_id,customer_name,industry,city,email,created_at,updated_at
A1,Acme Inc,Software,,info@acme.com,2024-01-05,2025-01-01
A2,ACME Incorporated,,Boston,,2024-01-02,2025-02-01
A3,Bolt,Energy,Berlin,,2024-02-01,2025-01-01
"""
LEADS = """lead_id,customer_id,status,deal_value,created_at,updated_at,closed_at
L1,A1,open,100,2025-01-02,2025-02-01,
L2,A2,open,50,2025-01-02,2025-02-01,
L3,A2,won,70,2025-01-02,2025-02-01,2025-03-01
L4,A3,open,7,2025-01-02,2025-02-01,
"""
TOUCHES = """interaction_id,customer_id,lead_id,channel,direction,occurred_at,outcome
T1,A1,L1,email,outbound,2025-02-02,positive
T2,A2,L2,call,outbound,2025-02-03,neutral
T3,A3,L4,call,outbound,2025-02-04,neutral
"""


def decision(number: int, action: str, key: str, other: str, *, undoes: str | None = None, hours: int = 0) -> Decision:
    return Decision(f"D{number}", "customers", action, key, other, NOW + timedelta(hours=hours), "ann", undoes=undoes)


def test_a_merge_counts_until_it_is_undone_and_the_rest_of_its_group_holds():
    made = [
        decision(1, MERGE, "A2", "A1"),
        decision(2, MERGE, "A1", "A0", hours=1),
        decision(3, KEEP_APART, "A7", "A8", hours=2),
        decision(4, UNDO, "A2", "A1", undoes="D1", hours=3),
    ]
    assert root("A2", "customers", made[:3]) == "A0"
    assert root("A2", "customers", made) == "A2"
    assert root("A1", "customers", made) == "A0"
    assert [one.decision_id for one in in_effect(made)] == ["D2", "D3"]
    assert {(m.key, m.root, m.rank) for m in members(made)["customers"]} == {("A0", "A0", 0), ("A1", "A0", 1)}
    before = members(made, NOW + timedelta(minutes=30))["customers"]
    assert {(m.key, m.root) for m in before} == {("A1", "A1"), ("A2", "A1")}


def sound(lake) -> None:
    found = [item for item in doctor.examine(load(None, lakehouse=lake.root)) if item.state != "ok"]
    assert [item for item in found if item.check in ("accounts", "current", "schema", "key")] == []


def gold(lake) -> dict[str, str]:
    """The content of every table of gold, but the log of scores."""
    last = manifests.newest(lake)
    return {
        name: one.content
        for name, one in last.tables.items()
        if name.startswith("gold.") and name != "gold.lead_scores"
    }


@pytest.mark.slow
def test_deals_and_touches_follow_the_survivor_and_an_undo_brings_everything_back(deliver, rows):
    _, lake = deliver({"customers.csv": CUSTOMERS, "leads.csv": LEADS, "interactions.csv": TOUCHES})
    settings, alone = load(None, lakehouse=lake.root), gold(lake)
    merge = decision(1, MERGE, "A2", "A1", hours=1)
    pipeline.decide(settings, merge.decided_at, [merge])
    assert rows(lake, "select * exclude (as_of) from (select customer_id, customer_name, open_leads, won_value::int as won, interactions as touches, as_of from gold.customer_features) order by 1") == [
        {"customer_id": "A1", "customer_name": "ACME Incorporated", "open_leads": 2, "won": 70, "touches": 2},
        {"customer_id": "A3", "customer_name": "Bolt", "open_leads": 1, "won": 0, "touches": 1},
    ]  # fmt: skip
    one = rows(lake, "select industry, city, email, created_at::date::text as created, _source_row as line from silver.customers_clean where customer_id = 'A1'")[0]  # fmt: skip
    assert one == {
        "industry": "Software",
        "city": "Boston",
        "email": "info@acme.com",
        "created": "2024-01-02",
        "line": 2,
    }
    assert rows(lake, "select customer_id as c from silver.interactions_clean order by interaction_id") == [
        {"c": "A1"}, {"c": "A1"}, {"c": "A3"}
    ]  # fmt: skip
    assert rows(lake, "select count(distinct customer_id) as n from silver.customers_history") == [{"n": 3}]
    assert rows(lake, "select source_key as k, entity_key as e, decision_id as d from silver.identities order by 1") == [
        {"k": "A1", "e": "A1", "d": None}, {"k": "A2", "e": "A1", "d": "D1"}
    ]  # fmt: skip
    sound(lake)
    together = gold(lake)
    assert together["gold.customer_features"] != alone["gold.customer_features"]
    undo = decision(2, UNDO, "A2", "A1", undoes="D1", hours=3)
    pipeline.decide(settings, undo.decided_at, [undo])
    assert gold(lake) == alone
    assert rows(lake, "select count(*) as n from silver.identities") == [{"n": 0}]
    sound(lake)
    merge = decision(3, MERGE, "A2", "A1", hours=4)
    pipeline.decide(settings, merge.decided_at, [merge])
    assert gold(lake) == together
    before = Lakehouse(str(Path(lake.root).parent / "before"))
    pipeline.replay(settings, NOW.date(), NOW + timedelta(minutes=1), before.root)
    assert rows(before, "select count(*) as n from gold.customer_features") == [{"n": 3}]
    since = Lakehouse(str(Path(lake.root).parent / "since"))
    pipeline.replay(settings, NOW.date(), NOW + timedelta(hours=5), since.root)
    assert rows(since, "select customer_id as c, open_leads as n from gold.customer_features order by 1") == [
        {"c": "A1", "n": 2}, {"c": "A3", "n": 1}
    ]  # fmt: skip


@pytest.mark.slow
def test_a_later_delivery_of_a_merged_record_is_an_account_of_its_own(deliver, rows):
    _, lake = deliver({"customers.csv": CUSTOMERS, "leads.csv": LEADS, "interactions.csv": TOUCHES})
    settings = load(None, lakehouse=lake.root)
    merge = decision(1, MERGE, "A2", "A1", hours=1)
    pipeline.decide(settings, merge.decided_at, [merge])
    result, _ = deliver(
        {
            "customers.csv": CUSTOMERS.replace("A2,ACME Incorporated,,Boston,,2024-01-02,2025-02-01", "A2,Acme,,Austin,,2024-01-02,2025-06-01"),
            "leads.csv": LEADS + "L5,A2,open,11,2025-06-02,2025-06-02,\n",
        },
        NOW + timedelta(days=1),
    )  # fmt: skip
    told = {row["entity"]: {name: row[name] for name in ("rows_read", "accepted", "duplicate", "merged")} for row in result.accounts}  # fmt: skip
    assert told["customers"] == {"rows_read": 3, "accepted": 0, "duplicate": 2, "merged": 1}
    assert told["leads"] == {"rows_read": 5, "accepted": 1, "duplicate": 4, "merged": 0}
    assert rows(lake, "select customer_id as c, customer_name as n, city from silver.customers_clean order by 1") == [
        {"c": "A1", "n": "Acme", "city": "Austin"}, {"c": "A3", "n": "Bolt", "city": "Berlin"}
    ]  # fmt: skip
    assert rows(lake, "select customer_id as c from gold.deals where lead_id = 'L5'") == [{"c": "A1"}]
    sound(lake)
    alone = LEADS.splitlines()[0] + "\nL6,A2,open,3,2025-06-03,2025-06-03,\n"
    result, _ = deliver({"leads.csv": alone}, NOW + timedelta(days=1, hours=1))
    assert result.accounts[0]["accepted"] == 1  # the account that it names is known, though it was merged
    assert rows(lake, "select customer_id as c from gold.deals where lead_id = 'L6'") == [{"c": "A1"}]
    undo = decision(2, UNDO, "A2", "A1", undoes="D1", hours=48)
    pipeline.decide(settings, undo.decided_at, [undo])
    assert rows(lake, "select customer_id as c, city from silver.customers_clean where customer_id < 'A3' order by 1") == [
        {"c": "A1", "city": None}, {"c": "A2", "city": "Austin"}
    ]  # fmt: skip
    assert rows(lake, "select customer_id as c from gold.deals where lead_id in ('L5', 'L2') order by lead_id") == [{"c": "A2"}, {"c": "A2"}]  # fmt: skip
    sound(lake)


@pytest.mark.slow
def test_forgetting_a_survivor_reaches_what_it_was_made_of(deliver, rows):
    _, lake = deliver({"customers.csv": CUSTOMERS, "leads.csv": LEADS, "interactions.csv": TOUCHES})
    settings = load(None, lakehouse=lake.root)
    merge = decision(1, MERGE, "A2", "A1", hours=1)
    pipeline.decide(settings, merge.decided_at, [merge])
    deliver({"customers.csv": CUSTOMERS.replace("2025-02-01", "2025-06-01")}, NOW + timedelta(days=1))
    erasure.forget(settings, "A1", "asked for it", "ann", NOW + timedelta(days=2))
    for name in (
        "silver.customers_history",
        "silver.customers_clean",
        "silver.leads_history",
        "gold.customer_features",
    ):
        assert {row["c"] for row in rows(lake, f"select distinct customer_id as c from {name}")} == {"A3"}
    for name in ("ops.identity_decisions", "silver.identities"):
        assert rows(lake, f"select count(*) as n from {name}") == [{"n": 0}]
    sound(lake)


LOOKED_UP = """apiVersion: v3.1.0
kind: DataContract
id: mine
name: mine
version: 1.0.0
status: active
schema:
  - name: customers
    customProperties: [{property: survivorship, value: complete}]
  - name: leads
    customProperties:
      - property: sources
        value:
          - file: leads
            columns:
              lead_id: lead_id
              customer_id: {column: account, lookup: customers, by: customer_name}
              status: status
              deal_value: deal_value
              created_at: created_at
"""


@pytest.mark.nightly
@pytest.mark.slow
def test_a_deal_that_names_a_merged_account_finds_it_and_the_most_complete_record_counts(deliver, rows, tmp_path):
    path = tmp_path / "mine.odcs.yaml"
    path.write_text(LOOKED_UP)
    head = "lead_id,account,status,deal_value,created_at\n"
    names = CUSTOMERS.replace("A3,Bolt", "A3,Acme Inc")
    _, lake = deliver(
        {"customers.csv": names, "leads.csv": f"{head}L1,Acme Inc,open,5,2025-01-02\n"}, contracts=(path,)
    )
    assert rows(lake, "select count(*) as n from silver.leads_clean") == [{"n": 0}]  # two accounts have that name
    settings = load(None, lakehouse=lake.root)
    made = [decision(1, MERGE, "A2", "A1", hours=1), decision(2, MERGE, "A3", "A1", hours=1)]
    pipeline.decide(settings, made[0].decided_at, made)
    assert rows(lake, "select customer_id as c, customer_name as n, industry from silver.customers_clean") == [
        {"c": "A1", "n": "Acme Inc", "industry": "Software"}
    ]
    _, lake = deliver(
        {"leads.csv": f"{head}L2,ACME Incorporated,open,5,2025-01-02\nL3,Acme Inc,open,5,2025-01-02\n"},
        NOW + timedelta(days=1),
    )
    assert rows(lake, "select lead_id as l, customer_id as c from silver.leads_clean order by 1") == [
        {"l": "L2", "c": "A1"}, {"l": "L3", "c": "A1"}
    ]  # fmt: skip
    assert rows(lake, "select customer_id as c from silver.leads_history where lead_id = 'L2'") == [{"c": "A2"}]
    sound(lake)


def person(*, survivorship: str = "newest", preferred: tuple[str, ...] = ()) -> Entity:
    text = tuple(Column(name, "string") for name in ("contact_id", "job_title", "city", "consent"))
    times = tuple(Column(name, "timestamp") for name in ("created_at", "updated_at"))
    return Entity("contacts", "one row per person", "", (*text, *times), "contact_id", "updated_at", (), survivorship=survivorship, preferred=preferred)  # fmt: skip


@pytest.mark.parametrize(
    ("contract", "title", "city"),
    [
        (person(), "Boss", "Bonn"),  # P2 is the newest, and says no city
        (person(survivorship="complete"), "Buyer", "Bonn"),
        (person(preferred=("erp*",)), "Chief", "Bonn"),
    ],
)
def test_a_survivor_has_the_first_value_by_the_contract_and_no_refusal_is_lost(frame, contract, title, city):
    rows = [
        ("P1", "Buyer", "Bonn", "granted", "2025-01-01", "2025-01-05", "crm.csv", 2),
        ("P2", "Boss", None, "denied", "2025-01-03", "2025-01-09", "crm.csv", 3),
        ("P3", "Chief", None, "unknown", "2025-01-02", "2025-01-01", "erp_1.csv", 4),
        ("P4", "Cook", "Jena", "granted", "2025-01-02", "2025-01-01", "crm.csv", 5),
    ]
    schema = "contact_id string, job_title string, city string, consent string, created_at string, updated_at string, _source_file string, _source_row bigint"  # fmt: skip
    told = frame(schema, *rows).selectExpr(
        "contact_id", "job_title", "city", "consent", "cast(created_at as timestamp) created_at",
        "cast(updated_at as timestamp) updated_at", "timestamp'2025-02-01' known_at", "'b' _batch_id", "_source_file", "_source_row",
        "1L _version_hash",
    )  # fmt: skip
    members = frame(resolved.MEMBERS, ("P0", "P0", 0), ("P1", "P0", 1), ("P2", "P0", 2), ("P3", "P0", 3))
    pairs = resolved.survivors(members, told, contract)  # P0 itself has ended: the next in line stands for it
    assert sorted(map(tuple, pairs.collect())) == [("P0", "P1"), ("P2", "P1"), ("P3", "P1")]
    one, other = sorted(resolved.composed(told, contract, pairs).collect(), key=lambda row: row["contact_id"])
    assert (one["contact_id"], one["job_title"], one["city"], one["consent"]) == ("P1", title, city, "denied")
    assert (one["created_at"].day, one["updated_at"].day, one["_source_row"]) == (1, 9, 2)
    assert (other["contact_id"], other["job_title"], other["_source_row"]) == ("P4", "Cook", 5)


def test_a_word_of_survivorship_that_is_none_is_refused(tmp_path):
    path = tmp_path / "mine.odcs.yaml"
    path.write_text(LOOKED_UP.replace("complete", "biggest"))
    with pytest.raises(ContractError, match="survivorship is 'biggest'"):
        contracts.entities([path])


STATED = LOOKED_UP.split("  - name: customers")[0] + """  - name: customers
    customProperties:
      - property: sources
        value:
          - file: customers
            mergedInto: into_id
            columns: {customer_id: customer_id, customer_name: customer_name, industry: industry, city: city, updated_at: updated_at}
"""  # fmt: skip


@pytest.mark.nightly
@pytest.mark.slow
def test_a_survivor_that_the_crm_merges_takes_along_what_it_was_made_of(deliver, rows, tmp_path):
    path = tmp_path / "mine.odcs.yaml"
    path.write_text(STATED)
    head, *lines = CUSTOMERS.splitlines()
    plain = "\n".join([f"{head},into_id", *(f"{line}," for line in lines)]) + "\n"
    files = {"customers.csv": plain, "leads.csv": LEADS, "interactions.csv": TOUCHES}
    _, lake = deliver(files, contracts=(path,))
    settings = load(None, lakehouse=lake.root)
    merge = decision(1, MERGE, "A2", "A1", hours=1)
    pipeline.decide(settings, merge.decided_at, [merge])
    merged = plain.replace("2024-01-05,2025-01-01,", "2024-01-05,2025-06-01,A3")
    deliver({"customers.csv": merged}, NOW + timedelta(days=1))
    assert rows(lake, "select customer_id as c, open_leads as n, interactions as t from gold.customer_features") == [
        {"c": "A3", "n": 3, "t": 3}
    ]
    assert rows(lake, "select source_key as k, entity_key as e, why from silver.identities order by 1") == [
        {"k": "A1", "e": "A3", "why": "merged in the CRM"},
        {"k": "A2", "e": "A3", "why": "merged by ann"},
        {"k": "A3", "e": "A3", "why": "the survivor"},
    ]
    sound(lake)
    undo = decision(2, UNDO, "A2", "A1", undoes="D1", hours=48)
    pipeline.decide(settings, undo.decided_at, [undo])
    assert rows(lake, "select customer_id as c, open_leads as n from gold.customer_features order by 1") == [
        {"c": "A2", "n": 1}, {"c": "A3", "n": 2}
    ]  # fmt: skip
    sound(lake)


PEOPLE = """contact_id,customer_id,first_name,last_name,email,opted_out,updated_at
P1,A1,Ann,Lee,ann@acme.com,,2025-03-01
P2,A2,Ann,Lee,,yes,2025-01-01
"""
ROLES = "lead_id,contact_id,role\nL1,P1,buyer\nL2,P2,buyer\n"


@pytest.mark.slow
def test_people_are_merged_with_their_deals_and_no_refusal_is_lost(deliver, rows):
    files = {"customers.csv": CUSTOMERS, "leads.csv": LEADS, "contacts.csv": PEOPLE, "deal_contacts.csv": ROLES}
    _, lake = deliver(files)
    settings = load(None, lakehouse=lake.root)
    at = NOW + timedelta(hours=1)
    made = [Decision("D1", "contacts", MERGE, "P2", "P1", at, "ann"), decision(2, MERGE, "A2", "A1", hours=1)]
    pipeline.decide(settings, at, made)
    assert rows(lake, "select contact_id as p, customer_id as c, email, consent from silver.contacts_clean") == [
        {"p": "P1", "c": "A1", "email": "ann@acme.com", "consent": "denied"}
    ]
    assert rows(lake, "select distinct contact_id as p from silver.deal_contacts_clean") == [{"p": "P1"}]
    assert rows(lake, "select entity, count(*) as n from silver.identities group by 1 order by 1") == [
        {"entity": "contacts", "n": 2}, {"entity": "customers", "n": 2}
    ]  # fmt: skip
    sound(lake)


def test_accepted_rows_of_records_that_were_merged_are_merged(frame):
    judged = frame("lead_id string, _outcome string", ("A", "accepted"), ("B", "accepted"), ("C", "quarantined"), ("D", "accepted"))  # fmt: skip
    marked = resolved.merged(judged, contracts.entities()["leads"], frame("_key string", ("B",), ("B",), ("C",)))
    assert sorted(map(tuple, marked.collect())) == [("A", "accepted"), ("B", "merged"), ("C", "quarantined"), ("D", "accepted")]  # fmt: skip
