"""What `init` does not pass over: files that list merges or name known records, and several full states of one table."""

from __future__ import annotations

import zipfile
from datetime import date

import pytest

from medallion import contracts, proposal, sources
from medallion.contracts import Override
from medallion.pipeline import conventions

DEALS = "Opportunity ID,Account Name,Opportunity Name,Stage,Amount,Created Date,Close Date\n"


def deals(count=20, key="O-1{:02}") -> str:
    states = ("Closed Won", "Closed Lost", "Negotiation")
    return DEALS + "".join(
        f"{key.format(n)},Acme {n % 7},Renewal {n},{states[n % 3]},{n}00,2025-01-{n % 28 + 1:02},2025-06-{n % 28 + 1:02}\n"
        for n in range(1, count + 1)
    )


def proposed(folder, **files) -> proposal.Proposed:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return proposal.propose(str(folder), "mine")


def said(found: proposal.Proposed) -> contracts.Source:
    return contracts.entities([Override("mine.yaml", found.text)])["leads"].sources[-1]


def doubts(found: proposal.Proposed, word: str) -> list[str]:
    return [row["reason"] for row in found.columns if row["column"] == word]


MERGES = [
    ("merge_log", "object,winner_id,loser_id,merged_at", "Deal,{0},{1},2025-03-01", ("loser_id", "winner_id")),
    ("Protokoll", "Gewinner-ID,Verlierer-ID,Zeitpunkt", "{0},{1},2025-03-01", ("Verlierer-ID", "Gewinner-ID")),
    ("fusiones", "antiguo,nuevo,usuario", "{1},{0},Ana", ("antiguo", "nuevo")),
    ("dedup_2025", "MasterRecord,DuplicateRecord,By", "{0},{1},Bo", ("DuplicateRecord", "MasterRecord")),
    ("merges", "kept,kept_name,removed,removed_name,merged_by", "{0},A,{1},B,u-1", ("removed", "kept")),
    ("doublons", "Conservée,Supprimée", "{0},{1}", ("Supprimée", "Conservée")),
]


@pytest.mark.parametrize(("name", "header", "row", "columns"), MERGES, ids=[each[0] for each in MERGES])
@pytest.mark.parametrize("gone", ["O-9{:02}", "O-1{:02}"], ids=["not in the export", "in the export"])
def test_a_table_of_merges_is_found_by_what_it_pairs(tmp_path, name, header, row, columns, gone):
    rows = "\n".join(row.format(f"o-1{n:02}", gone.format(n + 10)) for n in range(1, 8))
    found = proposed(tmp_path, opportunities=deals(), **{name: f"{header}\n{rows}\n"})
    merged = said(found).merged_into
    assert (merged.file, merged.from_, merged.to, merged.where) == (name, *columns, None)
    sure = name != "Protokoll" and "O-9" in gone
    assert (merged.confidence >= contracts.CONFIDENT) == sure
    assert sure or "are these records of" in merged.reason
    assert f"{name}.csv" not in found.text.partition("# Not used")[2].replace(f"{name}.csv: lists merges of leads", "")


PARENTS = [
    ("renewals", "Opportunity ID,Primary Opportunity ID", "{1},{0}"),
    ("deal_bundles", "Deal,Master Deal,Share", "{1},{0},0.2"),
    ("buendel", "Chance,Hauptdatensatz Chance", "{1},{0}"),
    ("related", "opp_id,golden_opp_id,Principal", "{1},{0},x"),
    ("possible_duplicates", "Opportunity ID,Duplicate Opportunity ID,Score", "{2},{1},0.7"),
]


@pytest.mark.parametrize(("name", "header", "row"), PARENTS, ids=[each[0] for each in PARENTS])
def test_records_that_are_there_are_merged_into_a_parent_only_if_someone_says_so(tmp_path, name, header, row):
    rows = "\n".join(row.format(f"O-1{n % 2 + 1:02}", f"O-1{n:02}", f"O-1{n + 1:02}") for n in range(3, 18))
    (asks,) = doubts(proposed(tmp_path, opportunities=deals(), **{name: f"{header}\n{rows}\n"}), "mergedInto")
    assert "and 15 of those in " in asks
    assert " are in the export as records of their own: are these records of " in asks


@pytest.mark.parametrize("mark", ["IsDeleted", "_fivetran_deleted"])
def test_merged_records_that_are_marked_as_deleted_are_not_asked_about(tmp_path, mark):
    head, *rows = deals().splitlines()
    marked = "".join(f"{row},{'true' if n >= 10 else 'false'}\n" for n, row in enumerate(rows))
    pairs = "".join(f"O-1{n:02},O-1{n + 10}\n" for n in range(1, 11))
    found = proposed(tmp_path, opportunities=f"{head},{mark}\n{marked}", merge_log=f"winner,loser\n{pairs}")
    assert said(found).merged_into.confidence >= contracts.CONFIDENT


@pytest.mark.parametrize(
    ("header", "pair"), [("from,to", "{1},{0}"), ("old_id,new_id", "{1},{0}"), ("target,source", "{0},{1}")]
)
def test_words_that_may_mean_anything_are_asked_about(tmp_path, header, pair):
    rows = "\n".join(pair.format(f"O-1{n:02}", f"O-1{n + 10}") for n in range(1, 8))
    found = proposed(tmp_path, opportunities=deals(), crosswalk=f"{header}\n{rows}\n")
    (asks,) = doubts(found, "mergedInto")
    assert ": are these records of " in asks


def test_owners_or_accounts_before_and_after_are_no_merges(tmp_path):
    moves = "".join(f"O-1{n:02},U-{n},U-{n + 1}\n" for n in range(1, 8))
    found = proposed(tmp_path, opportunities=deals(), reassigned=f"deal,old_owner,new_owner\n{moves}")
    assert said(found).merged_into is None


def test_the_rows_of_another_object_do_not_count(tmp_path):
    rows = "".join(
        f"{kind},{mark}-1{n:02},{mark}-9{n:02}\n"
        for kind, mark in (("Opportunity", "O"), ("Contact", "P"))
        for n in range(1, 6)
    )
    found = proposed(tmp_path, opportunities=deals(), audit_of_merges=f"Object Type,Survivor Id,Merged Id\n{rows}")
    merged = said(found).merged_into
    assert (merged.from_, merged.to, merged.where) == (
        "Merged Id",
        "Survivor Id",
        "trim(`object_type`) IN ('Opportunity')",
    )
    listed = contracts.entities([Override("mine.yaml", found.text)])["leads_merges"]
    assert listed.sources[0].where.when == merged.where


UNUSED = [
    ("zuordnung", "Vorgang,Kennzahl,Am", "{0},{1},2025-03-0{1}", "Vorgang", "A history of stages"),
    ("remap", "deal_ref,batch,other_ref", "{0},B{1},o-11{1}", "deal_ref", "A list of merges"),
    ("export_3", "clave,nota,fecha", "{0},revisado {1},01/03/2025", "clave", "A history of stages"),
    ("steps", "deal_ref,next_ref,when", "{0},o-11{1},2025-03-0{1}", "deal_ref", "A list of merges"),
]


@pytest.mark.parametrize(("name", "header", "row", "column", "answer"), UNUSED, ids=[each[0] for each in UNUSED])
def test_an_unused_table_that_names_deals_is_asked_about(tmp_path, name, header, row, column, answer):
    rows = "\n".join(row.format(f"o-1{n:02}", n % 3 + 1) for n in range(1, 8))
    found = proposed(tmp_path, opportunities=deals(), **{name: f"{header}\n{rows}\n"})
    (asked,) = doubts(found, "ignore")
    assert asked.startswith(
        f"Nothing reads this file, but its column {column} names 7 of the 20 deals. What is it? {answer} ("
    )
    assert ("A list of merges" in asked, "activities (" in asked) == ("_ref," in header, "2025" in row)
    assert f"{name}.csv" not in found.not_used
    entities = contracts.entities([Override("mine.yaml", found.text)])
    assert any(f"that {name} is ignored" in guess for guess in contracts.guesses(entities.values()))
    assert [file.name for file in sources.scan(str(tmp_path), entities).files if file.entity == "leads"] == [
        "opportunities.csv"
    ]


@pytest.mark.parametrize(
    ("name", "header", "row"),
    [
        ("opportunity_line_items", "Line,Opportunity ID,SKU,Quantity", "{1},{0},S{1},2"),
        ("users", "Id,Name,Opportunity ID", "U{1},Ann {1},{0}"),
        ("opportunity_history", "Opportunity ID,Field,Value", "{0},Owner,V{1}"),
        ("cities", "Id,City", "{1},Town {1}"),
        ("Asset", "Id,OpportunityId,Name,CreatedDate", "02i{1},{0},Bike {1},2025-01-0{1}"),
        ("OpportunitySplit", "Id,OpportunityId,SplitPercentage,CreatedDate", "1Zs{1},{0},50,2025-01-0{1}"),
        ("ContentDocumentLink", "Id,LinkedEntityId,ShareType", "06A{1},{0},V"),
        ("TopicAssignment", "Id,EntityId,TopicId", "0T{1},{0},T{1}"),
        ("tickets", "Ticket,Deal,Opened", "{1},{0},2025-01-0{1}"),
        ("deal_scores", "Deal,Score", "{0},{1}"),
        ("zusatz", "Vorgang,Farbe", "{0},F{1}"),
    ],
)
def test_kinds_that_are_known_are_not_asked_about(tmp_path, name, header, row):
    rows = "\n".join(row.format(f"O-1{n:02}", n) for n in range(1, 8))
    found = proposed(tmp_path, opportunities=deals(), **{name: f"{header}\n{rows}\n"})
    assert doubts(found, "ignore") == []


def test_a_number_that_counts_anything_names_no_deals(tmp_path):
    found = proposed(
        tmp_path, opportunities=deals(key="{}"), lookup="id,colour\n" + "".join(f"{n},c{n}\n" for n in range(1, 9))
    )
    assert doubts(found, "ignore") == []


def part(numbers, names="Deal ID,Company ID,Company,Status,Amount,Create Date,Last Modified") -> str:
    states = ("Won", "Open", "Lost")
    return f"{names}\n" + "".join(
        f"D{n:04},F{n % 7},Firm {n % 7},{states[n % 3]},{n}00,2025-01-{n % 28 + 1:02},2025-08-{n % 28 + 1:02}\n"
        for n in numbers
    )


GERMAN = "Deal ID,Kundennummer,Firma,Status,Betrag,Erstellt am,Geändert am"
STATES = [
    ({"deals_2025-09-30.csv": range(40), "deals_2025-12-31.csv": range(6, 50)}, None),
    ({"2025-09/Deals.csv": range(40), "2025-12/Deals.csv": range(6, 50)}, None),
    ({"2025/09/Deals.csv": range(40), "2025/10/Deals.csv": range(3, 40), "2025/12/Deals.csv": range(6, 50)}, GERMAN),
    ({"backup.zip/2025-09/export.zip/Deals.csv": range(40), "backup.zip/2025-12/export.zip/Deals.csv": range(6, 50)}, None),
    ({"deals_20250930093000.csv": range(40), "deals_20251231093000.csv": range(6, 50)}, None),
    ({"deals_09-30-2025.csv": range(40), "deals_12-31-2025.csv": range(6, 50)}, None),
    ({"deals_Dec_2024.csv": range(40), "deals_Jan_2025.csv": range(6, 50)}, None),
    ({"Deals Januar 2025.csv": range(40), "Deals März 2025.csv": range(6, 50)}, GERMAN),
    ({"deals_2024_W52.csv": range(40), "deals_2025_W01.csv": range(6, 50)}, None),
    ({"31.01.2026 Deals.csv": range(40), "28.02.2026 Deals.csv": range(6, 46)}, GERMAN),
]  # fmt: skip
UNDATED = [
    {"deals_03-04-2025.csv": range(40), "deals_04-04-2025.csv": range(6, 40)},
    {"deals (1).csv": range(40), "deals (2).csv": range(6, 50)},
    {"January/deals.csv": range(6, 40), "February/deals.csv": range(40)},
    {"deals.csv": range(40), "deals_2.csv": range(6, 50), "deals_3.csv": range(50)},
]
PARTS = [
    {"deals_1.csv": range(40), "deals_2.csv": range(40, 80)},
    {"deals_1.csv": range(40), "deals_2.csv": range(40)},
    {"europe/deals.csv": range(40), "asia/deals.csv": range(6, 50)},
    {"deals_2025-09-30.csv": range(40), "deals_2025-12-31.csv": range(40, 80)},
    {"deals_2024.csv": range(40), "deals_2025.csv": range(40, 80)},
    {"deals_2025-09-30.csv": range(40), "deals_2025-12-31.csv": range(30, 42)},
    {"deals_2025-09-30.csv": range(40), "deals_2025-12-31.csv": range(60)},
]


def laid(folder, files, names=None):
    for path, numbers in files.items():
        text = part(numbers, *([names] if names else []))
        if ".zip/" not in path:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
            continue
        outer, middle, inner = path.split(".zip/")
        inside = folder / "inner.zip"
        with zipfile.ZipFile(inside, "w") as archive:
            archive.writestr(inner, text)
        with zipfile.ZipFile(folder / f"{outer}.zip", "a") as archive:
            archive.write(inside, f"{middle}.zip")
        inside.unlink()
    return str(folder)


def asked_by_a_run(folder, overrides=()) -> list[str]:
    entities = contracts.entities(list(overrides))
    settled = conventions.settle(list(sources.scan(folder, entities).files), entities, [], today=date(2026, 7, 1))
    return [item.problem for item in settled.refused if "files of the same kind" in item.problem]


@pytest.mark.parametrize(("files", "names"), STATES, ids=[next(iter(each[0])) for each in STATES])
def test_states_of_several_days_are_asked_about(tmp_path, files, names):
    folder = laid(tmp_path, files, names)
    found = proposal.propose(folder, "mine")
    (asks,) = set(doubts(found, "snapshot"))
    assert "the newest lacks 6 of the 40 in the older ones (2 open worth 500, 2 won worth 300)" in asks
    assert said(found).snapshot.value is True
    assert said(found).snapshot.confidence < contracts.CONFIDENT
    assert "updated_at" not in said(found).columns
    refused = asked_by_a_run(folder)
    assert names or len(refused) == len(files)
    assert all(asks in problem for problem in refused)
    assert asked_by_a_run(folder, [Override("mine.yaml", found.text)]) == []


def test_states_with_a_total_row_are_asked_about(tmp_path):
    files = STATES[0][0]
    for (name, numbers), total in zip(files.items(), (78_000, 98_000), strict=True):
        (tmp_path / name).write_text(f"{part(numbers)}Total,,,,{total},,\n")
    (asks,) = set(doubts(proposal.propose(str(tmp_path), "mine"), "snapshot"))
    assert "the newest lacks 6 of the 40 in the older ones" in asks


@pytest.mark.parametrize("files", UNDATED, ids=[next(iter(each)) for each in UNDATED])
def test_states_of_no_known_day_are_asked_about_and_have_to_be_named(tmp_path, files):
    folder = laid(tmp_path, files)
    (asks,) = set(doubts(proposal.propose(folder, "mine"), "snapshot"))
    assert "the names tell no day: is each file a complete state?" in asks
    assert "each file has to be named by its day" in asks
    refused = asked_by_a_run(folder)
    assert len(refused) == len(files)
    assert all(asks in problem for problem in refused)


@pytest.mark.parametrize("files", PARTS, ids=["numbers", "twice", "names", "parts", "years", "changes", "nothing gone"])
def test_parts_and_changes_are_not_asked_about(tmp_path, files):
    folder = laid(tmp_path, files)
    assert doubts(proposal.propose(folder, "mine"), "snapshot") == []
    assert asked_by_a_run(folder) == []


@pytest.mark.parametrize("answer", [0, 1], ids=["complete", "changes"])
def test_the_answer_is_written(tmp_path, answer):
    folder = laid(tmp_path, STATES[0][0])
    found = proposal.propose(
        folder, "mine", None, lambda each: each.answers[answer] if "snapshot" in each.line else None
    )
    source = said(found)
    assert doubts(found, "snapshot") == []
    assert (source.snapshot is None, "updated_at" in source.columns) == ((True, True) if answer else (False, False))


def test_an_unused_table_may_be_ignored_by_answer(tmp_path):
    (tmp_path / "opportunities.csv").write_text(deals())
    (tmp_path / "remap.csv").write_text("deal_ref,on\n" + "".join(f"O-1{n:02},2025-01-01\n" for n in range(1, 8)))
    found = proposal.propose(
        str(tmp_path), "mine", None, lambda each: each.answers[0] if "ignore" in each.line else None
    )
    assert doubts(found, "ignore") == []
    (ignored,) = (s for s in contracts.entities([Override("x", found.text)])["leads"].sources if s.ignore)
    assert (ignored.file, ignored.confidence) == ("remap", None)


def test_accounts_that_deals_of_two_years_name_are_not_asked_about(tmp_path):
    head = "Deal ID,Account,Stage,Amount,Created,Close Date\n"
    for year in (2024, 2025):
        rows = [f"{year}-{n},Firm {n % 7 + year % 2},Won,100,{year}-01-05,{year}-02-05\n" for n in range(20)]
        (tmp_path / f"deals {year}.csv").write_text(head + "".join(rows))
    assert doubts(proposal.propose(str(tmp_path), "mine"), "snapshot") == []


@pytest.mark.parametrize(
    "accounts", ["", "Account ID,Account Name,Industry\n" + "".join(f"A-{n},Acme {n},Food\n" for n in range(7))]
)
def test_an_unused_table_that_names_accounts_is_asked_about(tmp_path, accounts):
    visits = "Report No,Visited,Customer visited,Summary\n" + "".join(
        f"V{n},2025-04-{n + 1:02},Acme {n},Good talk\n" for n in range(7)
    )
    more = {"accounts": accounts} if accounts else {}
    found = proposed(tmp_path, opportunities=deals(), reports=visits, **more)
    (asked,) = doubts(found, "ignore")
    assert asked == (
        "Nothing reads this file, but its column Customer visited names 7 of the 7 accounts. What is it? Activities (a source of "
        "interactions); anything else (delete this confidence, and it is ignored)"
    )
