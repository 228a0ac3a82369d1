"""Activities: what has taken place counts, on the best day that there is; what is archived is old, not deleted."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta

import duckdb
import pytest
import sqlglot
import yaml

from conftest import NOW
from medallion import contracts, proposal, silver
from medallion.contracts import CONFIDENT, Override
from medallion.errors import ContractError
from medallion.pipeline import conventions
from medallion.proposal import activities, profile
from medallion.sources import scan

ACCOUNTS = "Account ID,Account Name,Industry\nA1,Acme,Food\nA2,Bolt,Food\nA3,Corn,Food\n"


@pytest.fixture
def touches(tmp_path):
    """`touches(header, rows)`: the source that `init` proposes for activities, what it asks, and what a plain run refuses."""

    def read(header: str, rows: list[str], name: str = "activities.csv"):
        lines = [f"T{n},A{n % 3 + 1},call,ok,{row}" for n, row in enumerate(rows, 1)]
        (tmp_path / name).write_text(
            "\n".join([f"Activity ID,Account ID,Activity Type,Outcome,{header}", *lines]) + "\n"
        )
        (tmp_path / "accounts.csv").write_text(ACCOUNTS)
        found = proposal.propose(str(tmp_path), "x")
        (source,) = contracts.entities([Override("x", found.text)])["interactions"].sources
        columns = {c["column"]: c for c in found.columns if c["entity"] == "interactions"}
        entities = contracts.entities()
        files = [file for file in scan(str(tmp_path), entities).files if file.entity == "interactions"]
        return source, columns, conventions.settle(files, entities, []).refused

    return read


# archived


@pytest.mark.parametrize(
    ("header", "values"),
    [("IsArchived", "true false false"), ("Archiviert", "ja nein nein"), ("Archived", "1 0 0"), ("Record State", "Archived Active Active")],
)  # fmt: skip
def test_an_archived_activity_is_an_old_one(touches, header, values):
    source, _, refused = touches(f"Activity Date,{header}", [f"2025-01-1{n},{v}" for n, v in enumerate(values.split())])
    assert source.absent is None
    assert source.where is None
    assert refused == []


@pytest.mark.parametrize(("header", "values"), [("IsDeleted", "true false"), ("Deleted at", "2025-02-01 -")])
def test_a_deleted_activity_has_ended(touches, header, values):
    source, _, refused = touches(
        f"Activity Date,IsArchived,{header}",
        [f"2025-01-1{n},true,{'' if v == '-' else v}" for n, v in enumerate(values.split())],
    )
    assert source.absent
    assert "archived" not in source.absent.when
    assert "as deleted" in refused[0].problem
    assert "IsArchived" not in refused[0].problem


@pytest.mark.parametrize(
    ("head", "file"),
    [("hs_object_id,dealname,dealstage,amount,closedate,createdate", "deals.csv"),
     ("Record ID,Deal Name,Deal Stage,Amount,Close Date,Create Date,Pipeline,Deal owner,dealname", "hubspot-deals.csv"),
     ("deal_id,portal_id,deal_pipeline_stage_id,property_dealname,property_amount,property_closedate,property_createdate", "deal.csv")],
)  # fmt: skip
def test_an_archived_deal_of_hubspot_is_deleted(tmp_path, head, file):
    cells = {
        "amount": "100",
        "stage": "closedwon",
        "date": "2025-01-02",
        "deal": "{n}",
        "object": "{n}",
        "record": "{n}",
    }
    row = ",".join(next((v for k, v in cells.items() if k in name.lower()), "x") for name in head.split(","))
    lines = [row.replace("{n}", str(n)) + f",{'true' if n == 3 else 'false'}" for n in range(1, 5)]
    (tmp_path / file).write_text("\n".join([f"{head},archived", *lines]) + "\n")
    found = proposal.propose(str(tmp_path), "x")
    assert found.system == "HubSpot"
    (source,) = contracts.entities([Override("x", found.text)])["leads"].sources
    assert source.absent.when == "`archived`"
    assert source.absent.confidence >= CONFIDENT


# planned


def counted(when, rows):
    """How many rows a condition of a contract lets count."""
    condition = sqlglot.transpile(when, read="spark", write="duckdb")[0]
    return duckdb.sql(f"select count(*) from ({rows}) where {condition}").fetchall()[0][0]


SPACED = ["Planned\u00a0", "\tPlanned", "not\u2003started", "Not  Started", "\ufeffplanned\u200b", "Done", "-"]


def test_white_space_around_a_state_changes_nothing(spark, frame):
    when = activities.when("state", ["Planned", "Not\u00a0started"])
    rows = " union all ".join(f"select '{text}' as state" for text in SPACED)
    assert counted(when, rows) == 2
    found = frame("state string", *((text,) for text in [*SPACED, None])).filter(when)
    assert {row["state"] for row in found.collect()} == {"Done", "-", None}


LATER = [
    # what the contract says, what a later delivery has in Status -> states that it is refused for
    (
        activities.when("status", ["planned"]),
        ["Cancelled", "Not Started", "Planned", "Completed"],
        ["Cancelled", "Not Started"],
    ),
    ("lower(trim(coalesce(`status`, ''))) NOT IN ('planned')", ["Cancelled", "PLANNED ", "Done"], ["Cancelled"]),
    ("`status` = 'Completed'", ["Cancelled", "Not Started", "Completed"], []),
    ("`status` IN ('Completed', 'Cancelled')", ["Cancelled", "Not Started"], []),
    ("`status` <> 'Planned' OR `status` = 'cancelled'", ["Cancelled", "Planned"], []),
    ("`activity_type` = 'call' AND `status` <> 'Planned'", ["Deferred", "Completed", "Planned"], ["Deferred"]),
    ("`activity_type` = 'call'", ["Planned", "Completed"], ["Planned"]),
    (activities.when("status", ["planned"]), ["x", "No", "Open", "Done"], ["Open"]),
    ("true", ["Planned", "Cancelled"], []),
    *(
        (condition, ["Planned", "Completed"], ["Planned"])
        for condition in (  # none says anything of the state, or not of every activity
            "activity_id IS NOT NULL",
            "coalesce(account_id, '') <> ''",
            "length(coalesce(activity_id, '')) > 0",
            "lower(coalesce(activity_type, '')) = 'call'",
            "NOT (account_id IS NULL)",
            "nullif(activity_type, '') IS NOT NULL",
            "coalesce(activity_type, '') = 'call' OR status = 'Completed'",
            "activity_id IS NOT NULL AND coalesce(status, '') <> 'Cancelled'",
            "upper(activity_type) = 'CALL' AND outcome LIKE 'o%' AND status IS NOT NULL",
            "a_function_of_spark_alone(status)",
        )
    ),
    ("activity_id IS NOT NULL AND status = 'Completed'", ["Planned", "Completed"], []),
    ("CASE WHEN _malformed LIKE 'Total%' THEN false ELSE status = 'Completed' END", ["Planned", "Completed"], []),
    ("coalesce(activity_type, '') = 'email' OR status = 'Completed'", ["Planned", "Completed"], []),
]


@pytest.mark.parametrize(("where", "states", "says"), LATER, ids=[case[0][:40] for case in LATER])
def test_a_state_that_the_contract_does_not_know_is_asked_about(tmp_path, where, states, says):
    rows = "".join(f"T{n},A1,call,ok,2025-01-1{n},{state}\n" for n, state in enumerate(states, 1))
    (tmp_path / "activities.csv").write_text(
        f"Activity ID,Account ID,Activity Type,Outcome,Activity Date,Status\n{rows}"
    )
    (tmp_path / "accounts.csv").write_text(ACCOUNTS)
    source = yaml.safe_load(proposal.propose(str(tmp_path), "x").text)
    (table,) = [each for each in source["schema"] if each["name"] == "interactions"]
    (said,) = [item["value"] for item in table["customProperties"] if item["property"] == "sources"]

    def settled(condition):
        said[0]["where"] = condition
        entities = contracts.entities([Override("x", yaml.safe_dump(source))])
        return conventions.settle(scan(str(tmp_path), entities).files, entities, []).refused

    refused = settled(where)
    assert len(refused) == bool(says)
    for item in refused:
        assert f"('Status' {', '.join(map(repr, says))})" in item.problem
        (pasted,) = re.findall("`(where: .*)`; `where: ", item.remedy)
        with_it = yaml.safe_load(pasted)["where"]
        assert where in with_it
        assert settled(with_it) == []
        if "spark_alone" in where:
            return
        rows = " union all ".join(
            f"select 'T1' as activity_id, 'A1' as account_id, 'ok' as outcome, 'call' as activity_type, '{text}' as status"
            for state in says
            for text in (state, f"\t{state}\u00a0")
        )
        assert counted(with_it, rows) == 0
        assert counted(with_it, rows.replace(says[0], "Completed")) == 2


def test_a_condition_that_no_engine_can_evaluate_is_refused_before_anything_is_read(spark):
    halved = activities.when("state", ["planned"]).replace("\\\\", "\\")  # as YAML reads what is not quoted for it
    for condition in (halved, "state rlike '['"):
        with pytest.raises(ContractError, match=r"interactions\.where: .* cannot be evaluated"):
            silver.tried(spark, ["state"], condition, "interactions.where")
    silver.tried(spark, ["state"], activities.when("state", ["planned"]), "interactions.where")


PLANNED = [
    # header, the state of each row, how many count, whether it is asked
    ("Status", ["Completed", "Not Started", "In Progress", "Completed", "Deferred"], 2, False),
    ("is_done", ["true", "false", "true", "false", "true"], 3, False),
    ("Activity - Done", ["Done", "To do", "To do", "Done", "Done"], 3, False),
    ("Aufgabenstatus", ["erledigt", "geplant", "erledigt", "in Bearbeitung", "erledigt"], 5, False),  # no word of its header
    ("Status der Aufgabe", ["erledigt", "geplant", "erledigt", "in Bearbeitung", "abgesagt"], 2, False),
    ("Estado", ["realizada", "pendiente", "programada", "realizada", "realizada"], 3, False),
    ("statut", ["terminé", "à faire", "prévue", "terminé", "annulé"], 2, False),
    ("Meeting outcome", ["SCHEDULED", "COMPLETED", "NO_SHOW", "CANCELED", "COMPLETED"], 3, False),
    ("Status", ["Planned", "Planned", "Scheduled", "Open", "Open"], 0, True),
    ("Status", ["Sent", "Replied", "Sent", "Bounced", "Sent"], 5, False),
    ("Lead Status", ["Open", "Working", "New", "Open", "New"], 5, False),
]  # fmt: skip


@pytest.mark.parametrize(("header", "states", "counting", "asked"), PLANNED, ids=[f"{p[0]} {p[1][0]}" for p in PLANNED])
def test_what_is_planned_does_not_count(touches, header, states, counting, asked):
    source, _, refused = touches(f"Activity Date,{header}", [f"2025-01-1{n},{s}" for n, s in enumerate(states)])
    if counting == len(states):
        assert source.where is None
        assert refused == []
        return
    assert (source.where.confidence < CONFIDENT) == asked
    name = source.where.when.split("`")[1]
    rows = " union all ".join(f"select '{state}' as \"{name}\"" for state in [*states, ""])
    assert counted(source.where.when, rows) == counting + 1
    assert f"{len(states) - counting} of {len(states)} activities have not taken place" in refused[0].problem
    assert "`where:" in refused[0].remedy


@pytest.mark.slow
def test_a_planned_activity_comes_back_when_it_is_done(to_silver, tmp_path, rows):
    head = "Activity ID,Account ID,Activity Type,Activity Date,Outcome,Status,Completed At\n"
    files = {
        "accounts.csv": ACCOUNTS,
        "activities.csv": head + "T1,A1,call,2025-01-10,ok,Completed,\nT2,A2,call,2025-12-30,ok,Not Started,\n"
        "T3,A3,call,,ok,Completed,2025-01-11\n",
    }
    folder = tmp_path / "export"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)
    (tmp_path / "mine.odcs.yaml").write_text(proposal.propose(str(folder), "x").text)
    first, lake = to_silver(files, contracts=(tmp_path / "mine.odcs.yaml",), accept=True)
    (told,) = [row for row in first.accounts if row["entity"] == "interactions"]
    assert (told["accepted"], told["excluded"], told["quarantined"]) == (2, 1, 0)
    days = "select interaction_id, occurred_at::date::varchar as day from silver.interactions_clean order by 1"
    assert [tuple(row.values()) for row in rows(lake, days)] == [("T1", "2025-01-10"), ("T3", "2025-01-11")]
    done = head + "T2,A2,call,2025-12-30,ok,Completed,2025-06-30\n"
    _second, lake = to_silver({"activities.csv": done}, NOW + timedelta(days=1))
    assert [tuple(row.values()) for row in rows(lake, days)][1] == ("T2", "2025-06-30")


# the day of an activity

DAYS = [
    ("ActivityDate,CompletedDateTime,CreatedDate",
     ["2025-01-10,2025-01-10T09:00:00Z,2025-01-09T09:00:00Z", ",2025-01-11T09:00:00Z,2025-01-09T09:00:00Z", ",,2025-01-08T09:00:00Z"],
     ["2025-01-10", "2025-01-11T09:00:00Z", "2025-01-08T09:00:00Z"], ["CompletedDateTime, when it was done", "CreatedDate, when it was entered"]),
    ("Due Date,Last Modified Date,Marked as done time", ["2025-01-10,,", ",2025-01-15,2025-01-11", ",2025-01-12,"],
     ["2025-01-10", "2025-01-11", "2025-01-12"], ["Marked as done time, when it was done", "Last Modified Date, when it was last changed"]),
    ("Fälligkeitsdatum,Erstellt am,Geändert am", ["10.01.2025,05.01.2025,", ",06.01.2025,13.02.2025", ",,25.01.2025"],
     ["10.01.2025", "06.01.2025", "25.01.2025"], ["Erstellt am, when it was entered", "Geändert am, when it was last changed"]),
    ("Activity Date,Completed On,Created On", ["2025-03-10,2025-01-20,2025-01-01", "2025-01-10,2025-01-10,2025-01-01", "2025-01-11,2025-03-01,"],
     ["2025-01-20", "2025-01-10", "2025-01-11"], ["Completed On where that was before (rows: 1)"]),
]  # fmt: skip


@pytest.mark.parametrize(("header", "cells", "days", "said"), DAYS, ids=[d[0] for d in DAYS])
def test_a_touch_has_the_best_day_that_there_is(touches, header, cells, days, said):
    _, columns, _ = touches(header, cells)
    item = columns["occurred_at"]
    assert item["confidence"] >= CONFIDENT, item
    for text in said:
        assert text in item["reason"]
    names = [name.lower().replace(" ", "_") for name in header.split(",")]
    rows = " union all ".join(
        "select " + ", ".join(f"'{cell}' as \"{name}\"" for name, cell in zip(names, row.split(","), strict=True))
        for row in cells
    )
    found = duckdb.sql(f"select {item['sql'].replace('`', chr(34))} from ({rows})").fetchall()
    assert sorted(day for (day,) in found) == sorted(days)


@pytest.mark.parametrize("state", ["NOT_STARTED", "Geplant", "To do"])
def test_a_state_that_is_read_as_an_outcome_stops_nothing(tmp_path, state):
    rows = [f"T{n},A1,call,2025-01-1{n},{'COMPLETED' if n % 2 else state}" for n in range(1, 7)]
    head = "Activity ID,Account ID,Activity Type,Activity Date,Task Status\n"
    (tmp_path / "activities.csv").write_text(head + "\n".join(rows) + "\n")
    (tmp_path / "accounts.csv").write_text(ACCOUNTS)
    entities = contracts.entities([Override("x", proposal.propose(str(tmp_path), "x").text)])
    assert entities["interactions"].sources[0].where
    assert conventions.settle(scan(str(tmp_path), entities).files, entities, []).refused == []


@pytest.mark.parametrize("flag", ["_fivetran_deleted", "IsDeleted", "archived"])
def test_a_retired_row_of_a_table_that_is_looked_up_in_stops_nothing(tmp_path, flag):
    (tmp_path / "stages.csv").write_text(
        f"stage_id,label,display_order,closed_won,is_closed,{flag}\ns1,Talks,0,false,false,false\ns2,Ink,1,true,true,false\n"
        "s3,Gone,2,false,true,false\ns4,Old talks,3,false,false,true\n"
    )
    deals = "".join(f"D{n},A{n % 3 + 1},s{n % 4 + 1},{n}00,2025-01-0{n},2025-02-0{n}\n" for n in range(1, 9))
    (tmp_path / "deals.csv").write_text(f"deal_id,Account ID,deal_stage_id,Amount,Created Date,Close Date\n{deals}")
    (tmp_path / "accounts.csv").write_text(ACCOUNTS)
    entities = contracts.entities([Override("x", proposal.propose(str(tmp_path), "x").text)])
    files = scan(str(tmp_path), entities).files
    assert "stages" in {file.entity for file in files}
    assert conventions.settle(files, entities, []).refused == []


# how long they took, where only beginning and end say so

SPANS = {
    "ISO": ("From,To", "2025-03-04 09:15,2025-03-04 10:00", "2025-03-05 23:30,2025-03-06 00:00"),
    "of SAP": ("Start Date/Time,End Date/Time", "04.03.2025 09:15,04.03.2025 10:00", "25.03.2025 23:30,26.03.2025 00:00"),
    "AM and PM": ("Start,End", "3/4/2025 11:30 AM,3/4/2025 12:15 PM", "3/25/2025 9:00 AM,3/25/2025 9:30 AM"),
    "in French": ("Heure de début,Heure de fin", "04/03/2025 09:15,04/03/2025 10:00", "25/03/2025 23:30,26/03/2025 00:00"),
    "an arrow": ("Date", '"March 4, 2025 3:30 PM → 4:15 PM"', '"March 25, 2025 11:30 PM → March 26, 2025 12:00 AM"'),
    "a dash": ("Date", "2025-03-04 09:15 – 10:00", "2025-03-25 23:30 – 2025-03-26 00:00"),
}  # fmt: skip


def meetings(folder, head, lines):
    """The files of one account and its meetings, and what is proposed for them."""
    files = {
        "accounts.csv": "Account ID,Account Name,Industry\nA1,Halden AS,Marine\n",
        "meetings.csv": f"Meeting ID,Account ID,{head}\n{lines}",
    }
    (folder / "in").mkdir()
    for name, text in files.items():
        (folder / "in" / name).write_text(text)
    return files, proposal.propose(str(folder / "in"), "x").text


@pytest.mark.parametrize(
    "kind",
    [
        kind if kind in ("ISO", "in French", "an arrow") else pytest.param(kind, marks=pytest.mark.slow)
        for kind in SPANS
    ],
)
def test_meetings_from_and_to_take_the_time_between(tmp_path, to_silver, rows, kind):
    head, first, second = SPANS[kind]
    single = (
        ""
        if "," in head
        else "M3,A1,2025-03-27 10:00\n"
        if "ISO" in kind or kind == "a dash"
        else 'M3,A1,"March 27, 2025 10:00 AM"\n'
    )
    files, text = meetings(tmp_path, head, f"M1,A1,{first}\nM2,A1,{second}\n{single}")
    (tmp_path / "c.yaml").write_text(re.sub(r"confidence: 0\.[0-7]\d*,? ?", "", text))
    _, lake = to_silver(files, contracts=(str(tmp_path / "c.yaml"),))
    found = rows(lake, "select interaction_id, occurred_at, duration_minutes from silver.interactions_clean order by 1")
    assert [row["duration_minutes"] for row in found] == [45, 30, *([None] if single else [])]
    assert found[0]["occurred_at"].day == 4


@pytest.mark.parametrize(
    ("head", "first", "second"),
    [("Date", "2025-03-04 - 09:15", "2025-03-05 - 11:30"), ("Start Date,End Date", "2025-03-04,2025-03-04", "2025-03-05,2025-03-06")],
    ids=["a dash before the time", "whole days"],
)  # fmt: skip
def test_what_is_no_span_of_time_gives_no_duration(tmp_path, head, first, second):
    _, text = meetings(tmp_path, head, f"M1,A1,{first}\nM2,A1,{second}\nM3,A1,{first}\n")
    assert not re.search(r"^ +duration_minutes: [^#]*sql", text, re.M)


UNITS = [
    # header, cells, minutes of the first, asked
    ("Duration", ("0.75", "1.0"), 45, True),
    ("Dauer", ("0,5", "1,25"), 30, True),
    ("Start,Stop,Duration", ("2025-03-04 09:00,2025-03-04 09:45,0.75", "2025-03-05 09:00,2025-03-05 10:00,1.0"), 45, False),
    ("Duration", ("0:45", ""), 45, True),
]  # fmt: skip


@pytest.mark.parametrize(("header", "cells", "minutes", "asked"), UNITS)
def test_durations_in_hours_and_beside_empty_cells(tmp_path, to_silver, rows, header, cells, minutes, asked):
    """Parts of an hour were refused, and an empty cell beside hours and minutes ended the run with an error."""
    lines = "".join(f'M{n},A1,2025-03-0{n} 09:00,"{cell}"\n' if "," not in header else f"M{n},A1,{cell}\n"
                    for n, cell in enumerate(cells, 1))  # fmt: skip
    head = header if "," in header else f"Date,{header}"
    files, text = meetings(tmp_path, head, lines)
    (line,) = [line for line in text.splitlines() if "duration_minutes: {" in line]
    assert ("confidence: 0.6," in line) == asked
    (tmp_path / "c.yaml").write_text(re.sub(r"confidence: 0\.[0-7]\d*,? ?", "", text))
    _, lake = to_silver(files, contracts=(str(tmp_path / "c.yaml"),))
    found = rows(lake, "select duration_minutes from silver.interactions_clean order by interaction_id")
    assert [row["duration_minutes"] for row in found][:1] == [minutes]
    assert len(found) == 2


def test_days_without_times_take_no_time(tmp_path):
    (tmp_path / "accounts.csv").write_text("Account ID,Account Name,Industry\nA1,Halden AS,Marine\n")
    (tmp_path / "tasks.csv").write_text(
        "Task ID,Account ID,Date,End Date\nT1,A1,2025-03-04,2025-03-04\nT2,A1,2025-03-05,2025-03-05\n"
    )
    assert "duration_minutes:" not in proposal.propose(str(tmp_path), "x").text


def test_updates_of_a_board_are_asked_about(tmp_path):
    """Who wrote them was taken for the persons of a list of contacts, and days with a month's name between slashes were none."""
    deals = "".join(f"18933{n:02}1,Halden,Closed Won,{n}0,2025-01-0{n}\n" for n in range(1, 7))
    (tmp_path / "deals.csv").write_text(f"Item ID,Account,Stage,Amount,Created\n{deals}")
    (tmp_path / "updates.csv").write_text(
        "Item ID,Content Type,User,Created At,Update Content\n"
        + "".join(f"18933{n:02}1,Update,Ines,0{n}/May/2025  01:15:00 PM,Spoke\n" for n in (1, 2, 3, 3, 2, 4))
    )
    found = proposal.propose(str(tmp_path), "x")
    assert "names 4 of the 6 deals. What is it?" in found.text


def test_a_span_of_closing_is_asked_about(tmp_path):
    (tmp_path / "deals.csv").write_text(
        "Deal ID,Account Name,Stage,Amount,Created Date,Close Date\nD1,Halden,Closed Won,10,2025-01-02,2025-03-01 → 2025-03-14\n"
        "D2,Lumen,Closed Lost,20,2025-01-03,2025-03-02\n"
    )
    found = proposal.propose(str(tmp_path), "x").columns
    (closing,) = [c for c in found if (c["entity"], c["column"]) == ("leads", "closed_at")]
    assert closing["confidence"] < CONFIDENT
    assert "or does its end count?" in closing["reason"]


def test_a_dash_in_a_text_is_no_span():
    column = profile.Column("Name", "name", 2, Counter(["2025-03-04 - kick-off", "2025-03-05 - demo"]))
    profile._leave_out_ends(column)
    assert (column.linked, column.distinct) == ("", 2)
