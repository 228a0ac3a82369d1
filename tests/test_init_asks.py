"""What init keeps expecting although it cannot read it, and which identifiers it does not fold."""

from __future__ import annotations

import gzip
import re
import sys

import pytest

from medallion import contracts, proposal, sources
from medallion.contracts import Override
from medallion.pipeline import sample
from medallion.proposal import profile
from medallion.sources import files

ACCOUNTS = "Account ID,Account Name,Industry\n"
UNREADABLE = [
    # file, content                                                     -> the entity that expects it
    ("activities.csv", b"Activity ID,Account ID,Type,Date\nT1,A1,Call,2025-01-06\nT2,A1,Call,pasted\x00\n", "interactions"),
    ("Deals 2025.csv.gz", b"not gz at all", "leads"),
    ("opportunities.xlsx", b"PK\x03\x04 cut short [Content_Types].xml", "leads"),
    ("activities.json", b'[{"id": 1,', "interactions"),
    ("export_1.csv", b"Deal ID,Stage,Amount,Close Date,Owner\n1,Won,10,2025-01-02,Ines\n2,\x00Won,10,,\n", "leads"),
    ("notes.pdf", b"%PDF", None),  # never a table: left alone by name
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "entity"), UNREADABLE, ids=[item[0] for item in UNREADABLE])
def test_a_file_that_init_could_not_read_is_expected(tmp_path, name, content, entity):
    """It is unreadable, not left alone, until it can be read; then it is read."""
    (tmp_path / "accounts.csv").write_text(f"{ACCOUNTS}A1,Tarn Foods,Food\n")
    (tmp_path / name).write_bytes(content)
    proposed = proposal.propose(str(tmp_path), "x")
    entities = contracts.entities([Override("x", proposed.text)])
    scan = sources.scan(str(tmp_path), entities)
    assert [(item.name, item.entity) for item in scan.refused] == ([(name, entity)] if entity else [])
    assert scan.ignored == (() if entity else (name,))
    assert any("could not be read" in guess for guess in contracts.guesses(entities.values())) == bool(entity)
    if name == "activities.csv":
        (tmp_path / name).write_text("Activity ID,Account ID,Type,Occurred At,Outcome\nT1,A1,Call,2025-01-06,neutral\n")
        scan = sources.scan(str(tmp_path), entities)
        assert [file.entity for file in scan.files] == ["customers", "interactions"]


def test_init_ends_with_exit_status_1_when_a_file_cannot_be_read(tmp_path, monkeypatch, capsys):
    from medallion import cli

    (tmp_path / "accounts.csv").write_text(f"{ACCOUNTS}A1,Tarn Foods,Food\n")
    (tmp_path / "calls.csv").write_bytes(b"id\x00,date\n")
    out = tmp_path / "x.odcs.yaml"
    monkeypatch.setattr(sys, "argv", ["medallion", "init", str(tmp_path), "--out", str(out)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 1
    assert "calls.csv: line 1: holds a NUL byte" in capsys.readouterr().out
    assert "- file: calls" in out.read_text()


KEYS = [
    (["0015f00000Bx7aQ", "0015f00000Bx7aq"], True),
    (["ab1", "AB1", *map(str, range(10, 3010))], False),  # typed in capitals: one record
    (["aB1", "AB1", *map(str, range(10, 3010))], True),  # one pair among thousands
    (["C1", "C2"], False),
]


@pytest.mark.parametrize(("keys", "as_written"), KEYS, ids=["salesforce", "typed", "one pair", "plain"])
def test_keys_that_case_tells_apart_are_compared_as_written(tmp_path, keys, as_written):
    (tmp_path / "accounts.csv").write_text(ACCOUNTS + "".join(f"{key},Firm {n},Food\n" for n, key in enumerate(keys)))
    text = proposal.propose(str(tmp_path), "x").text
    assert ("semanticType: text" in text) == as_written


@pytest.mark.parametrize("turned", [False, True])
def test_short_and_long_identifiers_are_cut(tmp_path, turned):
    """The first 15 characters are the same record's; case tells them apart, so they are compared as written."""
    long, short = ["0015f00000Bx7aQAAR", "0015f00000Bx7aqAAR"], ["0015f00000Bx7aQ", "0015f00000Bx7aq"]
    (own, theirs) = (short, long) if turned else (long, short)
    (tmp_path / "accounts.csv").write_text(f"{ACCOUNTS}{own[0]},Halden,Marine\n{own[1]},Lumen,Optics\n")
    deals = (
        "Opportunity ID,Account ID,Stage,Amount,Created Date\n"
        f"0065f00000Cy1tX,{theirs[0]},Closed Won,10,2025-01-10\n"
        f"0065f00000Cy1tY,{theirs[1]},Closed Lost,20,2025-01-11\n"
    )
    (tmp_path / "opportunities.csv").write_text(deals)
    (tmp_path / "tasks.csv").write_text(
        f"Task ID,Account ID,Type,Date\nT1,{own[0]},Call,2025-01-06\nT2,{own[1]},Call,2025-01-07\n"
    )
    found = proposal.propose(str(tmp_path), "x")
    cut = {c["entity"]: c["from"] for c in found.columns if c["column"] == "customer_id"}
    assert cut == dict.fromkeys(("customers", "leads", "interactions"), "substring(`account_id`, 1, 15)")
    assert "semanticType: text" in found.text


@pytest.mark.parametrize("turned", [False, True])
def test_numbers_that_one_file_writes_with_leading_zeros_are_the_same(tmp_path, turned):
    long, short = ["0000104700", "0000104701"], ["104700", "104701"]
    (own, theirs) = (short, long) if turned else (long, short)
    (tmp_path / "accounts.csv").write_text(f"{ACCOUNTS}{own[0]},Halden,Marine\n{own[1]},Lumen,Optics\n")
    (tmp_path / "opportunities.csv").write_text(
        "Opportunity ID,Account ID,Stage,Amount,Created Date\n"
        f"7,{theirs[0]},Closed Won,10,2025-01-10\n8,{theirs[1]},Closed Lost,20,2025-01-11\n"
    )
    (tmp_path / "tasks.csv").write_text(
        f"Task ID,Account ID,Deal ID,Type,Date,Outcome\nT1,{own[0]},0007,Call,2025-01-06,ok\nT2,{own[1]},0008,Call,2025-01-07,ok\n"
    )
    found = proposal.propose(str(tmp_path), "x")
    bare = {(c["entity"], c["column"]): c["from"] for c in found.columns if str(c["from"]).startswith("regexp_replace")}
    accounts = {(entity, "customer_id"): "account_id" for entity in ("customers", "leads", "interactions")}
    deals = {("leads", "lead_id"): "opportunity_id", ("interactions", "lead_id"): "deal_id"}
    assert bare == {place: f"regexp_replace(trim(`{name}`), '^0+', '')" for place, name in (accounts | deals).items()}
    assert [c["column"] for c in found.columns if c["confidence"] < 0.8] == []
    told, why = sample.proved(str(tmp_path), found.text)
    assert (told and told.matched, why) == (2, "")


@pytest.mark.parametrize("kind", ["zeros", "short and long"])
def test_the_key_of_a_survivor_is_read_as_the_others_are(tmp_path, kind):
    own, theirs, sql = {
        "zeros": (["0000104700", "0000104701", "0000104702"], ["104700", "104701"], "regexp_replace(trim(`{}`), '^0+', '')"),
        "short and long": (
            ["0015f00000Bx7aQAAR", "0015f00000Bx7aqAAR", "0015f00000Bx7azAAR"],
            ["0015f00000Bx7aQ", "0015f00000Bx7aq"],
            "substring(`{}`, 1, 15)",
        ),
    }[kind]  # fmt: skip
    (tmp_path / "accounts.csv").write_text(
        f"Account ID,Account Name,Industry,Master Record ID\n{own[0]},Halden,Marine,\n{own[1]},Lumen,Optics,\n"
        f"{own[2]},Halden AS,Marine,{own[0]}\n"
    )
    (tmp_path / "opportunities.csv").write_text(
        "Opportunity ID,Account ID,Stage,Amount,Created Date\n"
        f"O7,{theirs[0]},Closed Won,10,2025-01-10\nO8,{theirs[1]},Closed Lost,20,2025-01-11\n"
    )
    entities = contracts.entities([Override("x", proposal.propose(str(tmp_path), "x").text)])
    (source,) = entities["customers"].sources
    assert source.columns["customer_id"].sql == sql.format("account_id")
    assert source.merged_into.sql == sql.format("master_record_id")


def test_a_list_of_merges_is_read_without_zeros_as_the_keys_are(tmp_path):
    (tmp_path / "accounts.csv").write_text(
        f"{ACCOUNTS}0000104700,Halden,Marine\n0000104701,Lumen,Optics\n0000104703,Tarn,Food\n"
    )
    (tmp_path / "opportunities.csv").write_text(
        "Opportunity ID,Account ID,Stage,Amount,Created Date\n"
        "O7,104700,Closed Won,10,2025-01-10\nO8,104701,Closed Lost,20,2025-01-11\n"
    )
    (tmp_path / "merged_accounts.csv").write_text("Loser ID,Winner ID\n0000104800,0000104700\n0000104801,0000104701\n")
    entities = contracts.entities([Override("x", proposal.propose(str(tmp_path), "x").text)])
    (listed,) = entities["customers_merges"].sources
    assert {name: item.sql for name, item in listed.columns.items()} == {
        "merged": "regexp_replace(trim(`loser_id`), '^0+', '')",
        "survivor": "regexp_replace(trim(`winner_id`), '^0+', '')",
    }


@pytest.mark.parametrize("own", [["0104700", "104700"], ["0000", "104701"], ["A0001", "A0002"]])
def test_keys_that_leading_zeros_tell_apart_stay_as_they_are(tmp_path, own):
    (tmp_path / "accounts.csv").write_text(f"{ACCOUNTS}{own[0]},Halden,Marine\n{own[1]},Lumen,Optics\n")
    (tmp_path / "opportunities.csv").write_text(
        "Opportunity ID,Account ID,Stage,Amount,Created Date\n"
        "7,104700,Closed Won,10,2025-01-10\n8,104701,Closed Lost,20,2025-01-11\n"
    )
    assert "'^0+'" not in proposal.propose(str(tmp_path), "x").text


def test_short_and_long_identifiers_that_lead_nowhere_are_named(tmp_path):
    (tmp_path / "accounts.csv").write_text(
        f"{ACCOUNTS}0015f00000Bx7aQAAR,Halden,Marine\n0015f00000Bx7aRAAR,Lumen,Optics\n"
    )
    (tmp_path / "opportunities.csv").write_text(
        "Opportunity ID,Account ID,Stage,Amount,Created Date\n"
        "0065f00000Cy1tX,0015f00000Bx7aQ,Closed Won,10,2025-01-10\n"
        "0065f00000Cy1tY,0015f00000Bx9aZ,Closed Lost,20,2025-01-11\n"
        "0065f00000Cy1tZ,0015f00000Bx9aX,Closed Lost,20,2025-01-11\n"
    )
    proposed = proposal.propose(str(tmp_path), "x")
    (item,) = [c for c in proposed.columns if (c["entity"], c["column"]) == ("leads", "customer_id")]
    assert item["confidence"] < 0.8
    assert "short (15) and long (18 characters) forms" in item["reason"]
    assert "substring(" in item["reason"]


def test_a_long_or_wide_export_is_proposed_from_its_beginning_and_says_so(tmp_path, monkeypatch):
    header = "Deal ID,Company,Deal Stage,Amount,Create Date,Close Date"
    rows = [f"D{n},Firm {n % 40},Closed Won,{n},2025-01-{n % 28 + 1:02},2025-03-01" for n in range(3_000)]
    (tmp_path / "deals.csv").write_text("\n".join((header, *rows)) + "\n")
    assert proposal.propose(str(tmp_path), "x").sampled == {}
    monkeypatch.setattr(profile, "_CELLS", 6 * 500)
    found = proposal.propose(str(tmp_path), "x")
    assert found.sampled == {"deals.csv": "the first 500 of about 3,000 rows"}
    assert "# Proposed from the first 500 of about 3,000 rows in deals.csv; a run looks at every row." in found.text
    monkeypatch.setattr(profile, "_CELLS", 1_000_000)
    monkeypatch.setattr(profile, "BEGINNING", 20_000)
    (shown,) = proposal.propose(str(tmp_path), "x").sampled.values()
    assert re.fullmatch(r"the first [34]\d\d of about [23],\d00 rows", shown), "cut at the end of a line"
    (tmp_path / "deals.csv.gz").write_bytes(gzip.compress((tmp_path / "deals.csv").read_bytes()))
    (tmp_path / "deals.csv").unlink()
    (shown,) = proposal.propose(str(tmp_path), "x").sampled.values()
    assert re.fullmatch(r"the first [34]\d\d of more rows", shown)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_the_beginning_of_a_text_ends_with_a_line(tmp_path, encoding):
    text = "".join(f"{n};Größe {n}\n" for n in range(500))
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    place = files.Place.at(str(tmp_path / "a.csv"))
    for size in range(1_000, 1_040):
        with files.beginnings(size), place.text() as stream:
            head = stream.read().decode(encoding)
        assert text.startswith(head.lstrip("\ufeff"))
        assert head.endswith("\n")
        assert place.lines() == 500


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))


# keys


def rows_of(header: str, cells: list[str]) -> str:
    """Deals without an identifier of their own, with one more column."""
    rows = (f"Deal {n % 3},Acme,Closed Won,{n}00,2025-01-0{n},2025-02-0{n},{cell}" for n, cell in enumerate(cells, 1))
    return "\n".join([f"Deal Name,Account Name,Stage,Amount,Created Date,Close Date,{header}", *rows]) + "\n"


@pytest.mark.parametrize(
    ("header", "cells", "sure"),
    [
        ("Weighted", "120 340 560 780", None),  # amounts that happen to differ
        ("Expected Revenue", "1200 3400 5600 7800", None),
        ("Umsatz gewichtet", "1200 3400 5600 7800", None),
        ("Probability", "10 20 30 40", None),
        ("Win rate", "10% 20% 30% 40%", None),
        ("First Name", "Ann1 Bob2 Cat3 Dan4", None),
        ("Signed", "2025-02-01 2025-02-02 2025-02-03 2025-02-04", None),
        ("Branch No", "7 8 8 9", None),  # not every row has its own
        ("Filing No", "7001 7002 7003 7004", True),
        ("Laufwerk", "A-7 A-8 B-1 B-2", True),
        ("N°", "OP1 OP2 OP3 OP4", True),
        ("Nummer", "7001 7002 7003 7004", True),
        ("Codice", "T1 T2 T3 T4", True),
        ("Laufwerk", "7001 7002 7003 7004", False),  # weak: asked about
    ],
)
def test_what_is_taken_for_a_key(tmp_path, header, cells, sure):
    (tmp_path / "opportunities.csv").write_text(rows_of(header, cells.split()))
    found = proposal.propose(str(tmp_path), "x")
    (key,) = [c for c in found.columns if (c["entity"], c["column"]) == ("leads", "lead_id")]
    assert (key["from"] == header) == (sure is not None), key
    assert (key["confidence"] >= contracts.CONFIDENT) == bool(sure), key


@pytest.mark.parametrize(
    ("file", "head", "row"),
    [
        ("accounts.csv", "Account Name,Industry,City", "{name},Food,Ulm"),
        ("Kunden.csv", "Firma,Branche,Ort", "{name},Handel,Ulm"),
        ("companies.csv", "Company Name,Country,Number of Employees", "{name},France,{n}"),
    ],
)
def test_names_that_repeat_are_asked_about_as_keys(tmp_path, file, head, row):
    for names, asked in (("Acme Bolt Corn", False), ("Acme Bolt Acme", True)):
        lines = [row.format(name=name, n=n) for n, name in enumerate(names.split(), 10)]
        (tmp_path / file).write_text("\n".join([head, *lines]) + "\n")
        found = proposal.propose(str(tmp_path), "x")
        (key,) = [c for c in found.columns if (c["entity"], c["column"]) == ("customers", "customer_id")]
        assert (key["confidence"] < contracts.CONFIDENT) == asked, key
        assert not asked or "'Acme' in 2: each becomes one" in key["reason"]


@pytest.mark.parametrize(
    ("mine", "theirs"), [("COMPANYEXTID", "COMPANEXTID"), ("Ext Key", "Kundenschlüssel"), ("Kundenref", "Firmenref")]
)
@pytest.mark.parametrize("numbers", ["90{n}01", "{n}"])
def test_a_key_is_what_deals_refer_to_whatever_it_is_called(tmp_path, mine, theirs, numbers):
    if numbers == "{n}" and mine != "COMPANYEXTID":
        theirs = mine  # numbers that count from one are among any others: the headers have to be alike
    accounts = "".join(f"{numbers.format(n=n)},{['Acme', 'Bolt'][n % 2]},Ulm\n" for n in range(1, 8))
    deals = "".join(f"D{n},Closed Won,{n}00,2025-01-0{n},2025-02-0{n},{numbers.format(n=n)}\n" for n in range(1, 7))
    (tmp_path / "accounts.csv").write_text(f"{mine},Company Name,City\n{accounts}")
    (tmp_path / "deals.csv").write_text(f"Deal ID,Stage,Amount,Created Date,Close Date,{theirs}\n{deals}")
    found = {(c["entity"], c["column"]): c for c in proposal.propose(str(tmp_path), "x").columns}
    assert found["customers", "customer_id"]["from"] == mine
    assert found["customers", "customer_id"]["confidence"] >= contracts.CONFIDENT
    assert found["leads", "customer_id"]["from"] == theirs
    assert "lookup" not in found["leads", "customer_id"]


@pytest.mark.parametrize(
    ("extra", "cells", "asked"),
    [("Owner", "ann bob ann", True), ("Last Modified Date", "2025-03-01 2025-03-02 2025-03-03", False), ("Owner", "ann ann ann", False)],
)  # fmt: skip
def test_a_key_in_rows_that_differ_is_asked_about_where_nothing_dates_them(tmp_path, extra, cells, asked):
    keys = [f"D-{n}" for n in range(1, 21)]
    rows = [f"{key},Acme,Closed Won,100,2025-01-01,2025-02-01,{cells.split()[0]}" for key in keys]
    rows += [f"D-7,Acme,Closed Won,100,2025-01-01,2025-02-01,{cells.split()[1]}"]
    (tmp_path / "deals.csv").write_text(
        "\n".join([f"Deal ID,Account Name,Stage,Amount,Created Date,Close Date,{extra}", *rows]) + "\n"
    )
    found = proposal.propose(str(tmp_path), "x")
    (key,) = [c for c in found.columns if (c["entity"], c["column"]) == ("leads", "lead_id")]
    assert (key["confidence"] < contracts.CONFIDENT) == asked, key
    assert not asked or "'D-7', in several rows" in key["reason"]


# names of accounts

LINKED = {
    "Notion": "{name} (https://www.notion.so/{key}?pvs=21)",
    "Markdown": "[{name}](https://example.com/{key})",
    "HTML": '<a href="https://example.com/{key}">{name}</a>',
    "a formula": '=HYPERLINK("https://example.com/{key}","{name}")',
}


@pytest.mark.parametrize(
    "kind", [kind if kind == "Notion" else pytest.param(kind, marks=pytest.mark.slow) for kind in LINKED]
)
def test_names_with_a_link_are_read_without_it(tmp_path, to_silver, rows, kind):
    named = {"A1": "Halden AS", "A2": "Lumen, Optics", "A3": "Birch"}
    cells = ['"' + LINKED[kind].format(name=name, key=key).replace('"', '""') + '"' for key, name in named.items()]
    accounts = ACCOUNTS + "".join(f'{key},"{name}",Marine\n' for key, name in named.items())
    deals = "Deal ID,Company,Stage,Amount,Created Date\n" + "".join(
        f"D{n},{cell},Closed Won,{n}0,2025-01-1{n}\n" for n, cell in enumerate(cells, 1)
    )
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "accounts.csv").write_text(accounts)
    (tmp_path / "in" / "deals.csv").write_text(deals)
    (tmp_path / "c.yaml").write_text(proposal.propose(str(tmp_path / "in"), "x").text)
    _, lake = to_silver({"accounts.csv": accounts, "deals.csv": deals}, contracts=(str(tmp_path / "c.yaml"),))
    found = rows(lake, "select lead_id, customer_name, d.company from silver.leads_clean d join silver.customers_clean using (customer_id) order by 1")  # fmt: skip
    assert [(row["lead_id"], row["customer_name"], row["company"]) for row in found] == [
        (f"D{n}", name, name) for n, name in enumerate(named.values(), 1)
    ]


LINKED_DEALS = [
    # what reads linked cells: the header and the cells of one more column, and its deals by state, withdrawn or not
    ("absent", "Is Deleted", ["No", "No", "Yes"], {"D1": "won", "D2": "lost"}),
    ("absent by a state", "Record Status", ["Active", "Active", "Deleted"], {"D1": "won", "D2": "lost"}),
    ("where", "Is Test", ["No", "No", "Yes"], {"D1": "won", "D2": "lost"}),
    ("values", "Stage", ["Closed Won", "Closed Lost", "Gut unterwegs"], {"D1": "won", "D2": "lost", "D3": "open"}),
    ("flags", "Won", ["No", "Yes", "No"], {"D1": "open", "D2": "won", "D3": "open"}),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["Notion", pytest.param("Markdown", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("header", "cells", "states"),
    [
        pytest.param(*case[1:], id=case[0], marks=[pytest.mark.slow] if case[0] != "where" else [])
        for case in LINKED_DEALS
    ],
)
def test_what_reads_linked_cells_reads_them_without_the_link(tmp_path, to_silver, rows, kind, header, cells, states):
    stages = ["Closed Won", "Closed Lost", "Negotiation"]
    columns = {"Company": ["Halden AS", "HALDEN AS.", "Lumen"], "Stage": stages} | {header: cells}
    if header == "Won":
        columns = {**columns, "Closed": ["No", "Yes", "No"]}
        del columns["Stage"]
    linked = [
        [LINKED[kind].format(name=cell, key=n) for cell in each]
        for n, each in enumerate(zip(*columns.values(), strict=True))
    ]
    deals = f"Deal ID,Amount,Created Date,Closed Date,{','.join(columns)}\n" + "".join(
        f"D{n},{n}0,2025-01-1{n},2025-02-1{n},{','.join(each)}\n" for n, each in enumerate(linked, 1)
    )
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "deals.csv").write_text(deals)
    found = proposal.propose(str(tmp_path / "in"), "x")
    (tmp_path / "c.yaml").write_text(re.sub(r"confidence: 0\.[0-7]\d*,? ?", "", found.text))
    _, lake = to_silver({"deals.csv": deals}, contracts=(str(tmp_path / "c.yaml"),))
    read = rows(lake, "select lead_id, status from silver.leads_clean")
    assert {row["lead_id"]: row["status"] for row in read} == states
    # accounts that deals alone name are one, whatever their case, and have no link
    assert {row["customer_name"].strip(".").upper() for row in rows(lake, "select customer_name from silver.customers_clean")} <= {
        "HALDEN AS", "LUMEN"
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["Notion", pytest.param("Markdown", marks=pytest.mark.slow)])
def test_planned_activities_with_a_linked_state_do_not_count(tmp_path, to_silver, rows, kind):
    states = ["Completed", "Planned", "Completed", "Planned"]
    cells = [LINKED[kind].format(name=state, key=n) for n, state in enumerate(states)]
    deals = "Deal ID,Company,Stage,Amount,Created Date\nD1,Halden,Closed Won,10,2025-01-10\n"
    touches = "Activity ID,Deal ID,Type,Date,Status\n" + "".join(
        f"T{n},D1,Call,2025-02-0{n},{cell}\n" for n, cell in enumerate(cells, 1)
    )
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "deals.csv").write_text(deals)
    (tmp_path / "in" / "activities.csv").write_text(touches)
    text = proposal.propose(str(tmp_path / "in"), "x").text
    (tmp_path / "c.yaml").write_text(re.sub(r"confidence: 0\.[0-7]\d*,? ?", "", text))
    _, lake = to_silver({"deals.csv": deals, "activities.csv": touches}, contracts=(str(tmp_path / "c.yaml"),))
    assert [row["interaction_id"] for row in rows(lake, "select interaction_id from silver.interactions_clean order by 1")] == ["T1", "T3"]  # fmt: skip


@pytest.mark.parametrize(
    ("linked", "asked", "names"),
    [
        (19, [], {"Halden", "Lumen"}),  # of 20 rows: nearly all, though two of the three texts have none
        (8, ["company"], {"Halden", "Lumen"}),
        (1, ["company"], {"Halden", "Lumen"}),
        (0, [], {"Halden", "Lumen"}),
    ],
)
def test_names_of_which_some_have_a_link_are_asked_about(tmp_path, linked, asked, names):
    """Also where the address has brackets itself; notes that mention an address are none of these."""
    link = " (https://en.wikipedia.org/wiki/Halden_(Norway)?a=1)"
    deals = "".join(
        f"D{n},{'Lumen' if n == 20 else 'Halden'}{link if n <= linked else ''},Closed Won,10,2025-01-10,recorded (https://x.example/{n}) twice\n"
        for n in range(1, 21)
    )
    (tmp_path / "deals.csv").write_text(f"Deal ID,Company,Stage,Amount,Created Date,Next Step\n{deals}")
    found = proposal.propose(str(tmp_path), "x")
    assert [c["column"] for c in found.columns if c["confidence"] < 0.8] == asked
    assert ("cells have a link" in found.text) == bool(asked)
    (company,) = [c for c in found.columns if (c["entity"], c["column"]) == ("leads", "company")]
    assert company["from"].startswith("regexp_replace") == bool(linked)
    (table,) = [t for t in profile.tables(str(tmp_path), lambda _: 0) if isinstance(t, profile.Table)]
    assert {*table.column("Company").counts} == names


KNOWN_NAMES = [
    # deals that name a known account, of ten -> what is asked about, and deals that have an account
    (0, ["company"], 0),
    pytest.param(1, ["customer_id"], 1, marks=pytest.mark.slow),
    (4, ["customer_id"], 4),
    (9, [], 9),
    (10, [], 10),
]


@pytest.mark.parametrize(("known", "asked", "matched"), KNOWN_NAMES)
def test_deals_most_of_which_name_unknown_accounts_are_asked_about(tmp_path, to_silver, rows, known, asked, matched):
    """Those that are known keep their account, and the others stay as deals without one."""
    accounts = ACCOUNTS + "".join(f"A{n},Halden {n},Marine\n" for n in range(10))
    deals = "Deal ID,Company,Stage,Amount,Created Date\n" + "".join(
        f"D{n},Halden {n}{'' if n < known else ' - renewal'},Closed Won,10,2025-01-1{n}\n" for n in range(10)
    )
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "accounts.csv").write_text(accounts)
    (tmp_path / "in" / "deals.csv").write_text(deals)
    found = proposal.propose(str(tmp_path / "in"), "x")
    assert [c["column"] for c in found.columns if c["confidence"] < 0.8 and "no account" in c["reason"]] == asked
    if asked:
        assert f"{10 - known} of 10 deals name accounts that are not in the table of accounts" in found.text
        (tmp_path / "c.yaml").write_text(re.sub(r"confidence: 0\.[0-7]\d*,? ?", "", found.text))
        _, lake = to_silver({"accounts.csv": accounts, "deals.csv": deals}, contracts=(str(tmp_path / "c.yaml"),))
        read = rows(lake, "select count(*) as n, count(customer_id) as matched from silver.leads_clean")
        assert read == [{"n": 10, "matched": matched}]


def test_names_of_many_deals_are_counted_by_deals(tmp_path):
    """Half of the different names are known, and one deal in ten."""
    (tmp_path / "accounts.csv").write_text(f"{ACCOUNTS}A1,Halden,Marine\nA2,Lumen,Optics\nA3,Birch,Food\n")
    names = ["Halden", "Lumen", "Birch", *["Someone", "Nobody"] * 13]
    deals = "".join(f"D{n},{name},Closed Won,10,2025-01-10\n" for n, name in enumerate(names))
    (tmp_path / "deals.csv").write_text(f"Deal ID,Company,Stage,Amount,Created Date\n{deals}")
    columns = proposal.propose(str(tmp_path), "x").columns
    (asked,) = [c for c in columns if c["confidence"] < 0.8 and "no account" in c["reason"]]
    assert asked["column"] == "customer_id"
    assert "26 of 29 deals" in asked["reason"]


# parts of one table

DEALS = "Record Id,Account Name,Stage,Amount,Created Time,Test Record\n"


def test_parts_of_a_table_are_read_as_one(tmp_path):
    """What one part has, such as marked rows, holds for all, and what refers to the deals of any is linked."""
    (tmp_path / "Deals_001.csv").write_text(
        f"{DEALS}zcrm_11,Halden,Closed Won,10,2025-01-10,false\nzcrm_12,Lumen,Closed Lost,20,2025-01-11,false\n"
    )
    (tmp_path / "Deals_002.csv").write_text(
        f"{DEALS}zcrm_21,Halden,Closed Won,30,2025-02-10,true\nzcrm_22,Birch,Closed Lost,40,2025-02-11,false\n"
    )
    (tmp_path / "Calls_001.csv").write_text(
        "Record Id,Call Start Time,Related To,Related To.id\nc1,2025-02-01 10:30:00,Halden – Audit,zcrm_21\n"
        "c2,2025-02-02 10:30:00,Birch – Audit,zcrm_22\nc3,2025-02-03 10:30:00,Lumen – Audit,zcrm_12\n"
    )
    found = proposal.propose(str(tmp_path), "x")
    entities = contracts.entities([Override("x", found.text)])
    (deals,) = entities["leads"].sources
    assert (deals.file, "test_record" in str(deals.where)) == ("Deals*", True)
    (calls,) = entities["interactions"].sources
    assert calls.columns["lead_id"].column == "Related To.id"
    assert (calls.columns["customer_id"].lookup, calls.columns["customer_id"].take) == ("leads", "customer_id")


def test_states_of_the_same_deals_stay_apart(tmp_path):
    rows = [f"zcrm_{n},Halden,Closed Won,10,2025-01-10,\n" for n in range(10, 20)]
    for day, some in (("2025-01-31", rows), ("2025-02-28", rows[2:])):
        (tmp_path / f"Deals_{day}.csv").write_text(DEALS + "".join(some))
    assert proposal.propose(str(tmp_path), "x").text.count("snapshot: {value: true") == 2


COPIES = (
    # closing of D2 in the second file, columns besides  -> asked
    ("Won,25", "", True),
    ("Open,20", "", False),  # the same of each
    ("Won,25", "2025-01-05", False),  # dated
)


@pytest.mark.parametrize(("other", "changed", "asked"), COPIES, ids=["contradict", "agree", "dated"])
def test_copies_that_contradict_each_other_are_asked_about(tmp_path, to_silver, other, changed, asked):
    head = "Lead ID,Account ID,Company,Status,Amount,Created Date" + (",Last Modified Date" if changed else "")
    row = f",2025-01-02{',' if changed else ''}{changed}\n"
    names = {"leads_dana.csv": "Open,20", "leads_marcus.csv": other}
    files = {
        name: f"{head}\nD1,A1,Halden AS,Won,10{row}D2,A2,Lumen,{second}{row}D3,A2,Lumen,Open,30{row}"
        for name, second in names.items()
    }
    files["accounts.csv"] = f"{ACCOUNTS}A1,Halden AS,Marine\nA2,Lumen,Optics\n"
    (tmp_path / "in").mkdir()
    for name, text in files.items():
        (tmp_path / "in" / name).write_text(text)
    found = proposal.propose(str(tmp_path / "in"), "x").text
    assert ("1 of the 3 deals that stand in several files" in found) == asked
    result, _ = to_silver(files)
    unread = [item.name for item in result.refused if "nothing tells which file" in str(item)]
    assert unread == (["leads_dana.csv", "leads_marcus.csv"] if asked else [])


@pytest.mark.parametrize(
    ("head", "row", "parts"),
    [
        # what is in the rows of two months, of which the deals are the same -> whether these are parts of a table
        ("Deal ID,Last Modified", "D-{n},2025-0{month}-{n}", False),
        ("Deal ID,Row", "D-{n},{month}{n}", False),
        (
            "Deal ID,Last Modified,Export Line",
            "D-{half},2025-0{month}-{n},L{month}{n}",
            False,
        ),  # lines of the same deals
        ("Opportunity Number,Last Modified", "{n},2025-0{month}-{n}", False),
        ("Ref,Amount USD", "R-{month}-{n},{n}", True),  # amounts recur
        ("Deal ID,Last Modified", "D-{month}-{n},2025-0{month}-{n}", True),
    ],
)
def test_parts_have_no_record_in_common(tmp_path, head, row, parts):
    """A day or a number of the row that differs does not make two states of the same deals parts of one table."""
    for month in (1, 2):
        rows = "".join(
            f"{row.format(n=n, half=n // 2, month=month)},Halden,Closed Won,10{n},2025-01-10\n" for n in range(10, 20)
        )
        (tmp_path / f"Deals_2025-0{month}-28.csv").write_text(f"{head},Account Name,Stage,Amount,Created Date\n{rows}")
    found = proposal.propose(str(tmp_path), "x")
    assert ("and 1 more" in found.text) == parts
    assert parts or not any(source.key for source in contracts.entities([Override("x", found.text)])["leads"].sources)


def test_two_states_of_the_same_deals_count_once(tmp_path, to_silver, rows):
    """The newest version of each counts, by the column of modification."""
    files = {
        f"deals_2025-0{month}-28.csv": "Deal ID,Account,Stage,Amount,Created,Last Modified\n"
        + "".join(
            f"D-{n},Halden,{'Closed Won' if month == 2 else 'Negotiation'},10{n},2025-01-01,2025-0{month}-{n}\n"
            for n in range(10, 20)
        )
        for month in (1, 2)
    }
    (tmp_path / "in").mkdir()
    for name, text in files.items():
        (tmp_path / "in" / name).write_text(text)
    found = proposal.propose(str(tmp_path / "in"), "x")
    assert [c for c in found.columns if c["column"] == "lead_id" and c["confidence"] < 0.8] == []
    (tmp_path / "c.yaml").write_text(re.sub(r"confidence: 0\.[0-7]\d*,? ?", "", found.text))
    _, lake = to_silver(files, contracts=(str(tmp_path / "c.yaml"),))
    read = rows(lake, "select count(*) as n, count_if(status = 'won') as won from silver.leads_clean")
    assert read == [{"n": 10, "won": 10}]


def test_touches_of_nobody_are_asked_about(tmp_path):
    (tmp_path / "accounts.csv").write_text(f"{ACCOUNTS}A1,Halden AS,Marine\nA2,Lumen,Optics\n")
    (tmp_path / "calls.csv").write_text(
        "Call ID,Start Time,Minutes,Subject\nc1,2025-02-01 10:30:00,10,Audit\nc2,2025-02-02 10:30:00,5,Renewal\n"
    )
    text = proposal.propose(str(tmp_path), "x").text
    assert "no column says of whom, so no account and no deal gets any of these: is it so?" in text


# lists of deals whose headers say little


def test_deals_by_their_values_beside_known_accounts(tmp_path, to_silver, rows):
    """The header of the amount says its unit, and the row number is no amount."""
    (tmp_path / "in").mkdir()
    names = ["Halden", "Lumen", "Birch"] * 3
    files = {
        "客户.csv": "客户名称,电话,邮箱\n"
        + "".join(f"{name},+4755512{n},x{n}@y.example\n" for n, name in enumerate(names[:3])),
        "商机.csv": "序号,商机编号,商机名称,客户名称,预计销售金额(万元),币种,销售阶段,结单日期\n"
        + "".join(
            f"{n},SJ{n:03},P{n},{name},{n}8.15,人民币,{'赢单' if n % 2 else '输单'},2025-02-1{n}\n"
            for n, name in enumerate(names, 1)
        ),
    }
    for name, text in files.items():
        (tmp_path / "in" / name).write_text(text)
    found = proposal.propose(str(tmp_path / "in"), "x")
    asked = {(c["entity"], c["column"]) for c in found.columns if c["confidence"] < 0.8}
    assert {("leads", "deal_value"), ("leads", "currency")} <= asked
    assert "by its values a list of deals" in found.text
    (tmp_path / "c.yaml").write_text(re.sub(r"confidence: 0\.[0-7]\d*,? ?", "", found.text))
    _, lake = to_silver(files, contracts=(str(tmp_path / "c.yaml"),))
    read = rows(lake, "select lead_id, deal_value, currency, status from silver.leads_clean order by 1")
    assert [tuple(row.values()) for row in read][:2] == [
        ("SJ001", 181500, "CNY", "won"),
        ("SJ002", 281500, "CNY", "lost"),
    ]


# owners and kinds of activity


@pytest.mark.parametrize(
    ("file", "head"),
    [("Territory.csv", "Manager,Territory Name"), ("regions.csv", "Lead,Name"), ("Gebiete.csv", "Leiter,Bezeichnung,Name"), ("managers.csv", "Manager,Region Name")],
)  # fmt: skip
def test_a_territory_is_no_owner(tmp_path, file, head):
    deals = "".join(f"D{n},Acme,Closed Won,{n}00,2025-01-01,2025-02-01,{['Ann', 'Bob'][n % 2]}\n" for n in range(1, 5))
    (tmp_path / "deals.csv").write_text(f"Deal ID,Account Name,Stage,Amount,Created Date,Close Date,Owner\n{deals}")
    cells = ("Ann,North", "Bob,South") if head.count(",") == 1 else ("Ann,N,North", "Bob,S,South")
    (tmp_path / file).write_text("\n".join([head, *cells]) + "\n")
    found = proposal.propose(str(tmp_path), "x")
    (owner,) = [c for c in found.columns if (c["entity"], c["column"]) == ("leads", "owner")]
    assert owner["from"] == "Owner"
    assert "lookup" not in owner


def test_an_invoice_is_no_call():
    from medallion.proposal import vocabulary

    assert [
        vocabulary.value("interactions.channel", text) for text in ("Invoice", "Sales Invoice", "Proforma invoices")
    ] == [None] * 3
    called = [
        vocabulary.value("interactions.channel", text) for text in ("Voice", "Voice call", "Telefonanruf", "Rückanruf")
    ]
    assert {found.value for found in called if found} == {"call"}
    assert all(called)
