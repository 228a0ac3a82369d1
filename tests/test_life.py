"""The life of a record: which count, what ends one, what comes back, and what follows a merge."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import NOW
from medallion import contracts, pipeline, sources
from medallion.care import doctor
from medallion.config import load
from medallion.contracts import Filling, Override
from medallion.contracts.filling import COMPLETE, OF, SNAPSHOT
from medallion.errors import ContractError
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import backlog
from medallion.pipeline.batches import Batch
from medallion.sources import Refusal, Scan, SourceFile

HEAD = """apiVersion: v3.1.0
kind: DataContract
id: mine
name: mine
version: 1.0.0
status: active
schema:
"""
NAMES = ("rows_read", "accepted", "duplicate", "superseded", "quarantined", "excluded", "withdrawn", "implied")


def entity(name: str, columns: str, words: str = "", file: str = "") -> str:
    return (
        f"  - name: {name}\n    customProperties:\n      - property: sources\n        value:\n"
        f"          - file: {file or name}\n            columns: {columns}\n"
        + "".join(f"            {line}\n" for line in words.splitlines())
    )


CUSTOMERS = "{customer_id: Id, customer_name: Name, updated_at: Changed}"
LEADS = (
    "{lead_id: Id, customer_id: Account, status: Status, deal_value: Amount, created_at: Created, updated_at: Changed}"
)


@pytest.fixture
def contract(tmp_path):
    def write(customers: str = "", leads: str = "") -> Path:
        path = tmp_path / "mine.odcs.yaml"
        path.write_text(HEAD + entity("customers", CUSTOMERS, customers) + entity("leads", LEADS, leads))
        return path

    return write


def accounts(result) -> dict[str, dict[str, int]]:
    """Per entity the counts that are not zero."""
    return {row["entity"]: {name: row[name] for name in NAMES if row[name]} for row in result.accounts}


def sound(lake) -> None:
    found = [item for item in doctor.examine(load(None, lakehouse=lake.root)) if item.state != "ok"]
    assert [item for item in found if item.check in ("accounts", "current", "schema", "key")] == []


ACCOUNTS = "Id,Name,Changed,Flag\nA1,Acme,2025-01-01,0\nA2,Bolt,2025-01-01,0\n"
DEALS = "Id,Account,Status,Amount,Created,Changed,Flag\n"
L1, L2, L3 = (
    "L1,A1,won,100,2025-01-02,2025-02-01",
    "L2,A1,won,50,2025-01-02,2025-02-01",
    "L3,A2,open,7,2025-01-02,2025-02-01",
)
STATE = "select lead_id as id, status as s from silver.leads_clean order by 1"


@pytest.mark.slow
def test_a_flagged_record_ends_comes_back_and_gold_follows(deliver, contract, rows):
    path = contract(leads="absent: {when: flag = '1'}")
    first, lake = deliver(
        {"customers.csv": ACCOUNTS, "leads.csv": DEALS + f"{L1},0\n{L2},0\n{L3},1\nL9,A9,,,,,1\n"}, contracts=(path,)
    )
    assert accounts(first)["leads"] == {"rows_read": 4, "accepted": 2, "withdrawn": 2}
    assert rows(lake, "select count(*) as n, sum(deal_value)::int as v from gold.deals where status = 'won'") == [
        {"n": 2, "v": 150}
    ]
    second, lake = deliver({"leads.csv": DEALS + f"{L1},0\n{L2},1\n{L3},1\n"}, NOW + timedelta(days=1))
    assert accounts(second)["leads"] == {"rows_read": 3, "duplicate": 2, "withdrawn": 1}
    assert rows(lake, "select count(*) as n, sum(deal_value)::int as v from gold.deals where status = 'won'") == [
        {"n": 1, "v": 100}
    ]
    assert rows(lake, "select lead_id, _outcome, _ended_by, _ended_at = known_at as learned from silver.leads_history where lead_id = 'L2' order by known_at") == [
        {"lead_id": "L2", "_outcome": "accepted", "_ended_by": None, "learned": None},
        {"lead_id": "L2", "_outcome": "withdrawn", "_ended_by": "absent", "learned": True},
    ]  # fmt: skip
    last = "select status from gold.deal_changes where lead_id = 'L2' and valid_to is null and known_to is null"
    assert rows(lake, last) == [{"status": "withdrawn"}]
    sound(lake)
    known_before = Lakehouse(str(Path(lake.root).parent / "replayed"))
    settings = load(None, lakehouse=lake.root)
    pipeline.replay(settings, (NOW + timedelta(days=1)).date(), NOW + timedelta(hours=1), known_before.root)
    assert rows(known_before, "select count(*) as n from gold.deals where status = 'won'") == [{"n": 2}]
    third, lake = deliver({"leads.csv": DEALS + f"{L2},0\n{L3},0\n"}, NOW + timedelta(days=2))
    assert accounts(third)["leads"] == {"rows_read": 2, "accepted": 2}
    assert rows(lake, STATE) == [{"id": "L1", "s": "won"}, {"id": "L2", "s": "won"}, {"id": "L3", "s": "open"}]
    assert rows(lake, last) == [{"status": "won"}]
    sound(lake)


@pytest.mark.slow
def test_a_complete_delivery_ends_what_it_lacks(to_silver, contract, rows):
    path = contract(leads="complete: true")
    _, lake = to_silver({"customers.csv": ACCOUNTS, "leads.csv": DEALS + f"{L1},\n{L2},\n{L3},\n"}, contracts=(path,))
    second, lake = to_silver(
        {"leads.csv": DEALS + f"{L1},x\nL2,A1,perhaps,50,2025-01-02,2025-02-01,\n"}, NOW + timedelta(days=1)
    )
    assert accounts(second)["leads"] == {"rows_read": 2, "duplicate": 1, "quarantined": 1, "implied": 1}
    assert [row["id"] for row in rows(lake, STATE)] == ["L1", "L2"]  # what is refused is not gone
    third, lake = to_silver({"leads.csv": DEALS + f"{L1},y\n{L2},\n{L3},\n"}, NOW + timedelta(days=2))
    assert accounts(third)["leads"] == {"rows_read": 3, "accepted": 1, "duplicate": 2}
    assert [row["id"] for row in rows(lake, STATE)] == ["L1", "L2", "L3"]
    sound(lake)


def test_where_says_which_records_count(to_silver, contract, rows):
    path = contract(leads="where: \"CASE WHEN _malformed LIKE 'Total%' THEN false ELSE flag <> 'Case' END\"")
    first, lake = to_silver(
        {
            "customers.csv": ACCOUNTS,
            "leads.csv": DEALS + f"{L1},Deal\n{L2},Deal\n{L3},Case\nTotal 3\n,,,,,,\nL5,A1,open\n",
        },
        contracts=(path,),
    )
    assert accounts(first)["leads"] == {"rows_read": 5, "accepted": 2, "quarantined": 1, "excluded": 2}
    second, lake = to_silver({"leads.csv": DEALS + f"{L1},Case\n{L2},Deal\n"}, NOW + timedelta(days=1))
    assert accounts(second)["leads"] == {"rows_read": 2, "duplicate": 1, "excluded": 1, "implied": 1}
    assert [row["id"] for row in rows(lake, STATE)] == ["L2"]
    sound(lake)


@pytest.mark.slow
def test_references_follow_merged_records(to_silver, contract, rows):
    path = contract(customers="absent: flag\nmergedInto: Master")
    head = "Id,Name,Changed,Flag,Master\n"
    start = head + "A1,Acme,2025-01-01,0,\nA2,Acme Inc,2025-01-01,0,000000000000000\nA3,Old,2025-01-01,true,A2\n"
    _, lake = to_silver(
        {"customers.csv": start, "leads.csv": DEALS + f"{L1},\nL4,A3,open,1,2025-01-02,2025-02-01,\n{L3},\n"},
        contracts=(path,),
    )
    deals = "select lead_id, customer_id from silver.leads_clean order by 1"
    assert [tuple(row.values()) for row in rows(lake, deals)] == [("L1", "A1"), ("L3", "A2"), ("L4", "A2")]
    second, lake = to_silver({"customers.csv": head + "A2,Acme Inc,2025-01-01,1,A1\n"}, NOW + timedelta(days=1))
    assert accounts(second) == {"customers": {"rows_read": 1, "withdrawn": 1}, "leads": {"implied": 2}}
    assert [tuple(row.values()) for row in rows(lake, deals)] == [("L1", "A1"), ("L3", "A1"), ("L4", "A1")]
    third, lake = to_silver(
        {"leads.csv": DEALS + f"{L3},\nL5,A3,won,3,2025-01-02,2025-02-01,\n"}, NOW + timedelta(days=2)
    )
    assert accounts(third) == {"leads": {"rows_read": 2, "accepted": 1, "duplicate": 1}}
    assert {row["customer_id"] for row in rows(lake, deals)} == {"A1"}
    sound(lake)


@pytest.mark.slow
def test_the_survivor_of_a_merge_is_no_other_spelling_of_the_merged(to_silver, contract, rows):
    path = contract(customers="mergedInto: Master")
    accounts_ = "Id,Name,Changed,Master\n001aBc,Acme,2025-01-01,\n001xYz,Acme Inc,2025-01-01,001aBc\n"
    result, lake = to_silver(
        {"customers.csv": accounts_, "leads.csv": DEALS + "L1,001xYz,won,100,2025-01-02,2025-02-01,\n"},
        contracts=(path,),
    )
    assert accounts(result)["leads"] == {"rows_read": 1, "accepted": 1}
    assert rows(lake, "select customer_id from silver.leads_clean") == [{"customer_id": "001ABC"}]


def test_a_file_lists_the_merges(to_silver, contract, rows):
    path = contract(leads="mergedInto: {file: merged_deal, from: Gone, to: Kept, where: \"object = 'Deal'\"}")
    first, lake = to_silver(
        {
            "customers.csv": ACCOUNTS,
            "leads.csv": DEALS + f"{L1},\n{L2},\n{L3},\n",
            "merged_deal.csv": "Kept,Gone,Object\nL1,L2,Deal\nL1,L3,Contact\n",
        },
        contracts=(path,),
    )
    assert accounts(first)["leads"] == {"rows_read": 3, "accepted": 2, "withdrawn": 1}
    second, lake = to_silver({"merged_deal.csv": "Kept,Gone,Object\nL1,L3,Deal\nL1,L2,Deal\n"}, NOW + timedelta(days=1))
    assert accounts(second)["leads"] == {"implied": 1}
    assert [row["id"] for row in rows(lake, STATE)] == ["L1"]
    assert rows(
        lake,
        "select _merged_into as m, _ended_by as b from silver.leads_history where lead_id = 'L3' and _outcome = 'gone'",
    ) == [{"m": "L1", "b": "merged"}]
    sound(lake)


@pytest.mark.parametrize(
    "words", ["absent: {if: x}", "mergedInto: {file: m, from: a}", "where: 'select 1'", "complete: perhaps"]
)
def test_words_that_cannot_be_used_are_refused(words):
    with pytest.raises(ContractError, match="customers"):
        contracts.entities([Override("mine.yaml", HEAD + entity("customers", CUSTOMERS, words))])


def test_a_complete_delivery_that_lacks_most_is_held_back(to_silver, contract, rows):
    path = contract(leads="complete: true")
    many = "".join(f"L{n},A1,won,1,2025-01-02,2025-02-01,\n" for n in range(12))
    _, lake = to_silver({"customers.csv": ACCOUNTS, "leads.csv": DEALS + many}, contracts=(path,))
    second, lake = to_silver({"leads.csv": DEALS}, NOW + timedelta(days=1))
    assert "lacks 12 of 12 known records" in second.held[0].problem
    assert len(rows(lake, STATE)) == 12


@pytest.mark.parametrize(
    ("footer", "excluded", "quarantined"),
    [
        ('"All deals"\n"Copyright, Inc."\nGenerated By: I.\n', 3, 0),
        ("Summe: 7\nStand 1.9.2026\n", 2, 0),
        ("L4\n", 0, 1),
    ],
)
def test_footers_are_excluded_and_a_record_cut_short_is_not(to_silver, footer, excluded, quarantined):
    head = "lead_id,customer_id,status,created_at\nL1,A1,won,2025-01-02\nL2,A1,open,2025-01-02\n"
    customers = "customer_id,customer_name\nA1,Acme\n"
    result, _ = to_silver({"customers.csv": customers, "leads.csv": head + footer})
    (row,) = [row for row in result.accounts if row["entity"] == "leads"]
    assert (row["accepted"], row["excluded"], row["quarantined"]) == (2, excluded, quarantined)


#: Exports that mark what has ended, each with the words that are proposed for it, and whether they are asked about.
PROPOSED = [
    ("IsDeleted", "0 0 1", {"absent": "`isdeleted`"}, []),
    ("_fivetran_deleted", "false false false", {"absent": "`fivetran_deleted`"}, []),
    ("Gelöscht", "nein nein ja", {"absent": "lower(trim(coalesce(`gelöscht`, ''))) NOT IN"}, []),
    ("deleted_at", "- - 2025-03-01", {"absent": "lower(trim(coalesce(`deleted_at`, ''))) NOT IN"}, []),
    ("archived", "false false true", {"absent": "`archived`"}, ["absent"]),
    ("archived", "false false false", {}, []),
    ("Record Status", "Active Active Deleted", {"absent": "NOT (NOT translate(lower(trim(coalesce(`record_status`"}, ["absent"]),
    ("MASTERRECORDID", "- - O-101", {"mergedInto": "MASTERRECORDID"}, []),
    ("merged_into_id", "- O-101 O-101", {"mergedInto": "merged_into_id"}, []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "values", "words", "asked"), PROPOSED, ids=[f"{row[0]} {row[1]}" for row in PROPOSED]
)
def test_init_proposes_what_ends_a_record(tmp_path, header, values, words, asked):
    from medallion.proposal import propose

    rows = "".join(
        f"O-10{n},Acme {n},Deal {n},Closed Won,{n}00,2025-01-1{n},2025-02-1{n},{'' if value == '-' else value}\n"
        for n, value in enumerate(values.split(), 1)
    )
    (tmp_path / "opportunities.csv").write_text(
        f"Opportunity ID,Account Name,Opportunity Name,Stage,Amount,Created Date,Close Date,{header}\n{rows}"
    )
    entities = contracts.entities([Override("mine.yaml", propose(str(tmp_path), "mine").text)])
    (source,) = entities["leads"].sources
    said = {name: item for name, item in (("absent", source.absent), ("mergedInto", source.merged_into)) if item}
    assert set(said) == set(words)
    for name, text in words.items():
        assert (said[name].column if name == "mergedInto" else said[name].when).startswith(text)
    assert [name for name, item in said.items() if item.confidence < contracts.CONFIDENT] == asked
    (derived,) = entities["customers"].sources  # an account does not end with one of its deals
    assert derived.absent is derived.merged_into is None


@pytest.mark.parametrize(
    ("headers", "word", "asked"),
    [
        (
            (
                "Deal - ID",
                "Deal - Organization",
                "Deal - Status",
                "Deal - Value",
                "Deal - Deal created",
                "Deal - Owner",
            ),
            "Deleted",
            [],
        ),
        (("Deal ID", "Company", "Status", "Amount", "Created", "Owner"), "DELETED", ["absent"]),
        (("Deal ID", "Firma", "Phase", "Betrag", "Erstellt am", "Betreuer"), "Gelöscht", ["absent"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_state_of_deals_that_says_deleted_ends_them(tmp_path, headers, word, asked):
    from medallion.proposal import propose

    states = ["Won", "Lost", "Open", "Won", word]
    rows = "".join(f"D-{n},Acme {n},{state},{n}00,2025-01-1{n},Ana Prior\n" for n, state in enumerate(states, 1))
    (tmp_path / "deals.csv").write_text(",".join(headers) + f"\n{rows}")
    proposed = propose(str(tmp_path), "mine")
    (source,) = contracts.entities([Override("mine.yaml", proposed.text)])["leads"].sources
    assert source.absent.when.startswith("NOT (NOT translate(lower(trim(coalesce(`")
    told = {
        "absent": source.absent.confidence,
        **{c["column"]: c["confidence"] for c in proposed.columns if c["entity"] == "leads"},
    }
    assert [name for name, sure in told.items() if sure is not None and sure < contracts.CONFIDENT] == asked


@pytest.mark.parametrize("word", ["Archived", "Archiviert", "Merged", "Fusionné"])
def test_a_state_of_deals_that_says_archived_or_merged_is_asked_about(tmp_path, word):
    from medallion.proposal import propose

    states = ["Won", "Lost", "Open", "Won", word]
    rows = "".join(f"D-{n},Acme {n},{state},{n}00,2025-01-1{n},Ana Prior\n" for n, state in enumerate(states, 1))
    (tmp_path / "deals.csv").write_text(f"Deal ID,Company,Status,Amount,Created,Owner\n{rows}")
    proposed = propose(str(tmp_path), "mine")
    (status,) = [c for c in proposed.columns if (c["entity"], c["column"]) == ("leads", "status")]
    assert status["confidence"] < contracts.CONFIDENT
    assert f"open, won or lost: '{word}' (1)?" in status["reason"]
    (source,) = contracts.entities([Override("mine.yaml", proposed.text)])["leads"].sources
    assert source.absent.confidence < contracts.CONFIDENT


@pytest.mark.parametrize(
    ("file", "header"),
    [
        ("merged_deal.csv", "deal_id,merged_deal_id"),
        ("Merges.csv", "Survivor,Duplicate removed,By"),
        ("dedupe_log.csv", "winner,loser"),
    ],
)
def test_init_finds_the_file_that_lists_merges(tmp_path, file, header):
    from medallion.proposal import propose

    rows = "".join(f"O-10{n},Acme,Deal {n},Closed Won,{n}00,2025-01-1{n},2025-02-1{n}\n" for n in range(1, 6))
    (tmp_path / "opportunities.csv").write_text(
        f"Opportunity ID,Account Name,Opportunity Name,Stage,Amount,Created Date,Close Date\n{rows}"
    )
    (tmp_path / file).write_text(
        f"{header}\nO-101,O-999{',Bo' * (header.count(',') - 1)}\nO-102,O-103{',Al' * (header.count(',') - 1)}\n"
    )
    entities = contracts.entities([Override("mine.yaml", propose(str(tmp_path), "mine").text)])
    said = entities["leads"].sources[0].merged_into
    assert (said.file, said.to, said.from_) == (file.partition(".")[0], *header.split(",")[:2])
    assert entities["leads_merges"].sources[0].file == said.file


def test_a_complete_delivery_beside_an_earlier_one_is_refused():
    def file(name, content):
        mapping = {COMPLETE: Filling(value="deals*")}
        return SourceFile(f"/in/{name}", name, "leads", "csv", content, 1, mapping=mapping)

    one, two, changed = file("deals-a.csv", "a"), file("deals-b.csv", "b"), file("deals-b.csv", "c")
    first, second = Batch.of((one, two), NOW), Batch.of((changed,), NOW + timedelta(days=1))

    def said(files, known):
        return [item.problem for item in backlog._not_whole(Scan(files, (), ()), known)]

    assert said((one, two), []) == []
    assert said((changed,), [first]) == []
    assert said((one, changed), [first]) == [
        "deals-b.csv: is a complete delivery by the contract, but deals-a.csv lies beside"
    ]
    assert "content of an earlier delivery" in said((two,), [first, second])[0]


@pytest.mark.parametrize(
    ("word", "day", "beside", "loaded"),
    [
        (COMPLETE, None, "deals-b.csv", False),
        (SNAPSHOT, "2025-01-31", "b_2025-01-31.csv", False),
        (SNAPSHOT, "2025-01-31", "b_2025-02-28.csv", True),
        (SNAPSHOT, "2025-01-31", "b.csv", False),
        (SNAPSHOT, None, "b_2025-02-28.csv", False),  # a column tells the day
        (OF, None, "deals-b.csv", True),
    ],
)
def test_what_belongs_to_a_refused_file_is_not_loaded_where_its_records_would_end(word, day, beside, loaded):
    entities = contracts.entities()
    mapping = {word: Filling(value="deals*"), "updated_at": Filling(value=day) if day else Filling(column="changed")}
    file = SourceFile("/in/a.csv", "a.csv", "leads", "csv", "a", 1, mapping=mapping)
    scan = sources.hold_back([file], [Refusal(beside, "leads", "damaged", "mend")], (), entities, to_load=True)
    assert [kept.name for kept in scan.files] == ["a.csv"] * loaded
    assert [f"refused lies beside: {beside}" in item.problem for item in scan.refused[1:]] == [True] * (not loaded)


def test_a_damaged_file_of_a_complete_delivery_ends_nothing(to_silver, contract, rows, tmp_path):
    """The damage shows only while the file is read, after the delivery was found whole."""

    def south(*notes):
        names, values = DEALS.strip().split(","), [*L1.split(","), ""]
        cells = {
            name: [f"S{n}" if name == "Id" else value for n in range(len(notes))]
            for name, value in zip(names, values, strict=True)
        }
        cells["Flag"] = pa.StringArray.from_buffers(len(notes), *pa.array(notes, pa.binary()).buffers()[1:3])
        out = io.BytesIO()
        pq.write_table(pa.table(cells), out)
        return out.getvalue()

    path = tmp_path / "mine.odcs.yaml"
    path.write_text(HEAD + entity("customers", CUSTOMERS) + entity("leads", LEADS, "complete: true", "leads_*"))
    north = DEALS + f"{L1},\n{L2},\n"
    first = {"customers.csv": ACCOUNTS, "leads_north.csv": north, "leads_south.parquet": south(b"x", b"x")}
    _, lake = to_silver(first, contracts=(path,))
    second = {
        "customers.csv": ACCOUNTS + "A9,Zoo,2025-01-09\n",
        "leads_north.csv": DEALS + f"{L1},y\n{L2},\n",
        "leads_south.parquet": south(b"\xff\xfe", b"\xff\xfe"),
    }
    result, lake = to_silver(second, NOW + timedelta(days=1))
    assert {item.name for item in result.refused} == {"leads_north.csv", "leads_south.parquet"}
    assert [row["id"] for row in rows(lake, STATE)] == ["L1", "L2", "S0", "S1"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("snapshot: true\ncomplete: true", "say complete or snapshot"),
        ("snapshot: true", "snapshot says when a record was changed, and so does updated_at"),
    ],
)
def test_a_snapshot_that_cannot_be_meant_is_refused(contract, words, says):
    with pytest.raises(ContractError, match=says):
        contracts.entities([Override.read(contract(leads=words))])


@pytest.mark.slow
@pytest.mark.parametrize("way", ["names", "column"])
def test_the_newest_snapshot_counts_and_what_it_lacks_is_gone(to_silver, rows, tmp_path, way):
    days = {
        "2025-01-31": ["L1,C1,open,10", "L2,C1,open,20"],
        "2025-02-28": ["L1,C1,open,12"],
        "2025-03-31": ["L1,C1,won,15", "L3,C1,open,5"],
    }
    columns = LEADS.replace(", updated_at: Changed", "").replace(
        "created_at: Created", "created_at: {value: 2025-01-01}"
    )
    path = tmp_path / "mine.odcs.yaml"
    word = "snapshot: true" if way == "names" else "snapshot: Day"
    path.write_text(HEAD + entity("customers", CUSTOMERS) + entity("leads", columns, word, '"leads*"'))
    head = "Id,Account,Status,Amount"
    if way == "names":
        files = {f"leads_{day}.csv": "\n".join([head, *lines]) + "\n" for day, lines in days.items()}
    else:
        stacked = [f"{line},{day}" for day, lines in days.items() for line in lines]
        files = {"leads.csv": "\n".join([f"{head},Day", *stacked]) + "\n"}
    files["customers.csv"] = "Id,Name,Changed\nC1,Acme,2025-01-01\n"
    result, lake = to_silver(files, contracts=(path,))
    assert accounts(result)["leads"] == {"rows_read": 5, "accepted": 3, "superseded": 2, "implied": 1}
    clean = rows(lake, "select lead_id, status, deal_value::int as v from silver.leads_clean order by 1")
    assert [tuple(row.values()) for row in clean] == [("L1", "won", 15), ("L3", "open", 5)]
    gone = rows(
        lake, "select lead_id, _ended_at::date::varchar as at from silver.leads_history where _outcome = 'gone'"
    )
    assert [tuple(row.values()) for row in gone] == [("L2", "2025-02-28")]
    later = {"leads_2025-04-30.csv": f"{head}\nL3,C1,open,5\nL2,C1,open,21\n"} if way == "names" else {
        "leads.csv": f"{head},Day\nL3,C1,open,5,2025-04-30\nL2,C1,open,21,2025-04-30\n"
    }  # fmt: skip
    to_silver(later, now=NOW + timedelta(days=1), contracts=(path,))
    to_silver(  # a state of before comes late
        {"leads_2025-02-14.csv": f"{head}\nL9,C1,open,1\nL1,C1,open,11\n"} if way == "names" else {"leads.csv": f"{head},Day\nL9,C1,open,1,2025-02-14\nL1,C1,open,11,2025-02-14\n"},
        now=NOW + timedelta(days=2), contracts=(path,),
    )  # fmt: skip
    clean = rows(lake, "select lead_id, deal_value::int as v from silver.leads_clean order by 1")
    assert [tuple(row.values()) for row in clean] == [("L2", 21), ("L3", 5)]


@pytest.mark.slow
def test_a_snapshot_that_lacks_most_records_is_held_back(to_silver, rows, tmp_path):
    path = tmp_path / "mine.odcs.yaml"
    columns = LEADS.replace(", updated_at: Changed", "").replace(
        "created_at: Created", "created_at: {value: 2025-01-01}"
    )
    path.write_text(HEAD + entity("customers", CUSTOMERS) + entity("leads", columns, "snapshot: true", '"leads*"'))
    head = "Id,Account,Status,Amount\n"
    whole = "".join(f"L{n},C1,open,{n}\n" for n in range(12))
    files = {"customers.csv": "Id,Name,Changed\nC1,Acme,2025-01-01\n", "leads 28.2.2025.csv": head + whole}
    to_silver(files, contracts=(path,))
    result, lake = to_silver(
        {"leads 31.3.2025.csv": f"{head}L1,C1,won,1\n"}, now=NOW + timedelta(days=1), contracts=(path,)
    )
    assert [item.name for item in result.held] == ["leads 31.3.2025.csv"]
    result, lake = to_silver(  # a state of before ends nothing
        {"leads 31.1.2025.csv": f"{head}L1,C1,open,1\n"}, now=NOW + timedelta(days=2), contracts=(path,)
    )
    assert [item.name for item in result.held] == ["leads 31.3.2025.csv"]  # it still waits, and no other
    assert rows(lake, "select count(*)::int as n from silver.leads_clean") == [{"n": 12}]


def stacked(tmp_path, word):
    """A contract of snapshots."""
    path = tmp_path / "mine.odcs.yaml"
    columns = LEADS.replace(", updated_at: Changed", "").replace(
        "created_at: Created", "created_at: {value: 2025-01-01}"
    )
    path.write_text(HEAD + entity("customers", CUSTOMERS) + entity("leads", columns, word, '"leads*"'))
    return path


@pytest.mark.slow
def test_a_state_is_that_of_a_day_and_one_that_lacks_most_records_is_held_back_at_once(to_silver, rows, tmp_path):
    """Times within a day are of one export; after midnight it is a state of few records, and that is not taken for one."""
    path = stacked(tmp_path, "snapshot: Day")
    head, accounts = "Id,Account,Status,Amount,Day\n", "Id,Name,Changed\nC1,Acme,2025-01-01\n"
    before = "".join(f"L{n},C1,open,1,2025-02-28 09:00:0{n % 3}\n" for n in range(12))
    newest = "".join(f"L{n},C1,won,2,2025-03-31 23:59:5{n % 9}\n" for n in range(1, 12))
    result, lake = to_silver({"leads.csv": head + before + newest, "customers.csv": accounts}, contracts=(path,))
    clean = "select count(*)::int as n, count(*) filter (status = 'won')::int as won from silver.leads_clean"
    assert rows(lake, clean) == [{"n": 11, "won": 11}]
    gone = "select lead_id, _ended_at::date::varchar as at from silver.leads_history where _outcome = 'gone'"
    assert rows(lake, gone) == [{"lead_id": "L0", "at": "2025-03-31"}]
    night = newest.replace("2025-03-31", "2025-04-30") + "L12,C1,open,1,2025-05-01 00:00:01\n"
    result, lake = to_silver({"leads.csv": head + night}, now=NOW + timedelta(days=1), contracts=(path,))
    assert [item.name for item in result.held] == ["leads.csv"]
    assert "it lacks 11 of 11 records of the state before" in result.held[0].problem
    assert rows(lake, clean) == [{"n": 11, "won": 11}]


@pytest.mark.slow
def test_a_snapshot_without_a_record_ends_those_of_the_state_before(to_silver, rows, tmp_path):
    path = stacked(tmp_path, "snapshot: true")
    head, clean = "Id,Account,Status,Amount\n", "select lead_id from silver.leads_clean"
    files = {"customers.csv": "Id,Name,Changed\nC1,Acme,2025-01-01\n", "leads 28.2.2025.csv": f"{head}L1,C1,open,1\n"}
    to_silver(files, contracts=(path,))
    result, lake = to_silver({"leads 31.3.2025.csv": head}, now=NOW + timedelta(days=1), contracts=(path,))
    assert (result.held, rows(lake, clean)) == ([], [])
    late = {"leads 31.1.2025.csv": f"{head}L2,C1,open,1\n", "leads 15.3.2025.csv": f"{head}L3,C1,open,1\n"}
    to_silver(late, now=NOW + timedelta(days=2), contracts=(path,))
    gone = "select lead_id, _ended_at::date::varchar as at from silver.leads_history where _outcome = 'gone' order by 1"
    assert [tuple(row.values()) for row in rows(lake, gone)] == [
        ("L1", "2025-03-31"), ("L2", "2025-02-28"), ("L3", "2025-03-31"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "flags", "later"),
    [
        ("absent: flag", ("false", "true"), ""),  # deleted in the delivery that has the deal
        ("absent: {when: flag = 'x'}", ("", "x"), "A2,Bolt,2025-01-01,x\n"),  # and once more
    ],
)
@pytest.mark.slow
def test_a_deal_counts_though_its_account_was_deleted(deliver, contract, rows, words, flags, later):
    path = contract(customers=words)
    first = f"Id,Name,Changed,Flag\nA1,Acme,2025-01-01,{flags[0]}\nA2,Bolt,2025-01-01,{flags[1]}\n"
    start = {"customers.csv": first, "leads.csv": DEALS + f"{L1},\n{L3},\nL9,A9,won,1,2025-01-02,2025-02-01,\n"}
    result, lake = deliver(start, contracts=(path,))
    assert accounts(result) == {
        "customers": {"rows_read": 2, "accepted": 1, "withdrawn": 1},
        "leads": {"rows_read": 3, "accepted": 2, "quarantined": 1},  # A9 was never an account
    }
    deals = "select lead_id, customer_id, customer_name from gold.deals order by 1"
    assert [tuple(row.values()) for row in rows(lake, deals)] == [("L1", "A1", "Acme"), ("L3", "A2", None)]
    changed = {"leads.csv": DEALS + "L3,A2,won,8,2025-01-02,2025-03-01,\n"}
    changed |= {"customers.csv": "Id,Name,Changed,Flag\n" + later} if later else {}
    second, lake = deliver(changed, NOW + timedelta(days=1))
    assert accounts(second)["leads"] == {"rows_read": 1, "accepted": 1}
    assert rows(lake, "select sum(deal_value)::int as v from gold.deals where status = 'won'") == [{"v": 108}]
    sound(lake)
