"""Refused records as work: seen, corrected, reprocessed; every row is in one account all the while."""

from __future__ import annotations

import csv
import shutil
import sys
from datetime import timedelta

import pytest

from conftest import NOW
from medallion import contracts, pipeline
from medallion.care import quarantine
from medallion.care.quarantine import Correction
from medallion.config import load
from medallion.errors import LakehouseError, MedallionError
from medallion.lakehouse.store import Lakehouse

CUSTOMERS = "customer_id,customer_name\nC1,Anvil\nC22,Bolt\n"
LEADS = (
    "lead_id,customer_id,status,deal_value,created_at,email\n"
    "L1,C1,wonn,100,2025-01-01,a@x.example\n"
    "L2,C2,open,12k,2025-01-02,b@x.example\n"
    "L3,C1,open,300,13/02/2025,c@x.example\n"
    "L4,C1,open,400,01/24/2025,d@x.example\n"
    "L5,C1,=cmd|'/c calc'!A1,500,2025-01-05,e@x.example\n"
)
LATER = NOW + timedelta(hours=1)


@pytest.fixture(scope="module")
def delivered(spark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("refused")
    (folder / "customers.csv").write_text(CUSTOMERS)
    (folder / "leads.csv").write_text(LEADS)
    # dates in both orders stop the file, unless it is accepted: then the month comes first
    result = pipeline.run(load(None, source=str(folder), lakehouse=str(folder / "lakehouse"), accept=True), NOW)
    assert [(a["accepted"], a["quarantined"]) for a in result.accounts] == [(2, 0), (1, 4)]
    return folder / "lakehouse"


@pytest.fixture
def refused(delivered, tmp_path):
    """A lakehouse of one's own with two customers, a deal and four refused ones."""
    shutil.copytree(delivered, tmp_path / "lakehouse")
    return Lakehouse(str(tmp_path / "lakehouse"))


def settings(lake):
    return load(None, lakehouse=lake.root)


def ids(lake):
    return {row["record_key"]: row["quarantine_id"] for row in quarantine.waiting(lake)}


def again(lake, now=LATER, **chosen):
    return quarantine.reprocess_refused(settings(lake), now, lambda name, seconds: None, **chosen)


def test_they_are_listed_by_reason_and_entity(refused):
    assert set(ids(refused)) == {"L1", "L2", "L3", "L5"}
    assert [row["record_key"] for row in quarantine.waiting(refused, "status.accepted")] == ["L1", "L5"]
    assert [row["record_key"] for row in quarantine.waiting(refused, "created_at")] == ["L3"]
    assert quarantine.waiting(refused, "stat") == []
    assert quarantine.waiting(refused, entity="customers") == []


def test_one_shows_what_it_says_and_what_was_corrected(refused):
    key = ids(refused)["L2"]
    quarantine.fix(settings(refused), [Correction(key, "deal_value", "12000")], "ana", NOW)
    found = quarantine.record(refused, key[:6])
    assert found["cells"]["deal_value"] == "12k"
    assert found["columns"]["customer_id"] == "C2"
    (made,) = found["corrections"]
    assert (made["column_name"], made["before"], made["after"], made["corrected_by"]) == (
        "deal_value",
        "12k",
        "12000",
        "ana",
    )
    assert made["corrected_at"].replace(tzinfo=None) == NOW
    with pytest.raises(LakehouseError, match="no record has the identifier ZZ"):
        quarantine.record(refused, "ZZ")


def test_likely_repairs_are_suggested_with_their_reason(refused):
    found = {
        (row["source"], row["column"]): (row["value"], row["reason"])
        for row in quarantine.suggest(refused, settings(refused))
    }
    assert found == {
        ("leads.csv:2", "status"): ("won", "nearest known: 'won', 86 of 100 alike"),
        ("leads.csv:3", "deal_value"): ("12000.00", "thousands or millions written out"),
        ("leads.csv:4", "created_at"): ("2025-02-13", "day and month in the other order"),
    }


@pytest.mark.slow
def test_corrected_records_are_reprocessed_and_the_rest_waits(refused, rows):
    keys = ids(refused)
    quarantine.fix(
        settings(refused), [Correction(keys["L1"], "status", "won"), Correction(keys["L1"], "email", "")], "ana", NOW
    )
    quarantine.fix(settings(refused), [Correction(keys["L5"], "status", "perhaps")], "bo", NOW)
    result = again(refused)
    (account,) = result.accounts
    assert {name: account[name] for name in ("entity", "rows_read", "accepted", "quarantined", "balanced")} == {
        "entity": "leads", "rows_read": 2, "accepted": 1, "quarantined": 1, "balanced": True,
    }  # fmt: skip
    (lead,) = rows(
        refused, "select *, known_at at time zone 'UTC' as known from silver.leads_clean where lead_id = 'L1'"
    )
    assert (lead["status"], lead["email"], lead["_source_file"], lead["_source_row"]) == ("won", None, "leads.csv", 2)
    assert lead["known"] == LATER, "what was corrected was not known before"
    assert rows(refused, "select status, deal_value::int as v from gold.deals where lead_id = 'L1'") == [
        {"status": "won", "v": 100}
    ]
    waiting = {row["record_key"]: row for row in quarantine.waiting(refused)}
    assert set(waiting) == {"L2", "L3", "L5"}
    assert waiting["L5"]["reasons"] == ["status: is not an accepted value: 'perhaps'"]
    shown = quarantine.record(refused, waiting["L5"]["quarantine_id"])
    assert shown["cells"]["status"] == "=cmd|'/c calc'!A1"
    assert shown["cells"]["=status"] == "perhaps", "corrections before it was refused again stay with it"
    quarantine.fix(settings(refused), [Correction(waiting["L5"]["quarantine_id"], "status", "lost")], "bo", LATER)
    second = again(refused, LATER + timedelta(hours=1))
    assert [account["accepted"] for account in second.accounts] == [1]
    made = rows(
        refused,
        "select column_name, before, after, corrected_by from ops.corrections order by corrected_at, column_name, after",
    )
    assert [tuple(row.values()) for row in made] == [
        ("email", "a@x.example", "", "ana"),
        ("status", "=cmd|'/c calc'!A1", "perhaps", "bo"),
        ("status", "wonn", "won", "ana"),
        ("status", "perhaps", "lost", "bo"),
    ]


@pytest.mark.slow
def test_the_latest_correction_of_a_column_counts(refused, rows):
    key = ids(refused)["L1"]
    for minutes, state in enumerate(("won", "lost", "open")):
        quarantine.fix(settings(refused), [Correction(key, "status", state)], "ana", NOW + timedelta(minutes=minutes))
    again(refused)
    assert rows(refused, "select status from silver.leads_clean where lead_id = 'L1'") == [{"status": "open"}]


def test_nothing_to_reprocess(refused):
    assert again(refused) is None


@pytest.mark.slow
def test_an_account_that_arrives_later(refused, deliver):
    result, lake = deliver({"customers_2.csv": "customer_id,customer_name\nC2,Cog\n"}, now=LATER)
    assert result.changed
    suggested = {
        row["column"]: row["reason"] for row in quarantine.suggest(lake, settings(lake), "customer_id.reference")
    }
    assert suggested["customer_id"] == "customers knows it by now; reprocess the record"
    quarantine.fix(settings(lake), [Correction(ids(lake)["L2"], "deal_value", "12000")], "ana", LATER)
    done = again(lake, LATER + timedelta(hours=1), reason="customer_id.reference")
    assert [account["accepted"] for account in done.accounts] == [1]


@pytest.mark.slow
def test_a_contract_that_has_changed(refused, tmp_path):
    path = tmp_path / "mine.odcs.yaml"
    path.write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: m\nname: m\nversion: 1.0.0\nstatus: active\nschema:\n  - name: leads\n"
        "    properties:\n      - {name: status, customProperties: [{property: spellings, value: {won: [wonn]}}]}\n"
    )
    changed = load(None, lakehouse=refused.root, contracts=(path,))
    result = quarantine.reprocess_refused(changed, LATER, lambda name, seconds: None, everything=True)
    (account,) = result.accounts
    assert (account["rows_read"], account["accepted"], account["quarantined"]) == (4, 1, 3)


def test_the_plan_of_reprocessed_records_is_as_deep_for_thirty_columns_as_for_three(spark):
    """The engine takes seconds to plan conditions within each other, one for each column that may be corrected."""
    from medallion.silver import corrections

    refused = spark.createDataFrame([], "quarantine_id string, source_file string, source_row bigint, raw string")
    said = spark.createDataFrame([], "quarantine_id string, column_name string, corrected_at timestamp, after string")

    def depth(message):
        inner = (value for _, value in message.ListFields())
        parts = (part for value in inner for part in (value if hasattr(value, "add") else [value]))
        return 1 + max((depth(part) for part in parts if hasattr(part, "ListFields")), default=0)

    few, many = (
        depth(
            corrections.reprocessed(
                refused, said, [f"={name}" for name in map(str, range(columns))], "b", "2025-01-01"
            )._plan.to_proto(spark.client)
        )
        for columns in (3, 30)
    )
    assert few == many


@pytest.mark.slow
def test_a_record_that_did_not_split_is_made_of_its_corrections(deliver, rows):
    _, lake = deliver({"customers.csv": "customer_id,customer_name\nC1,Anvil\nC2,Bolt,and more\n"})
    (key,) = (row["quarantine_id"] for row in quarantine.waiting(lake))
    quarantine.fix(
        settings(lake),
        [Correction(key, "customer_id", "C2"), Correction(key, "customer_name", "Bolt, and more")],
        "ana",
        NOW,
    )
    again(lake)
    assert rows(lake, "select customer_name as n from silver.customers_clean where customer_id = 'C2'") == [
        {"n": "Bolt, and more"}
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("killed_in", "is_finished"), [("_mark_reprocessed", False), ("_quarantine", True), ("_conserve", True)]
)
def test_a_killed_attempt_is_finished_or_forgotten(refused, monkeypatch, rows, killed_in, is_finished):
    import importlib

    steps = importlib.import_module("medallion.pipeline.bronze_to_silver")
    quarantine.fix(settings(refused), [Correction(ids(refused)["L1"], "status", "won")], "ana", NOW)

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(steps, killed_in, killed)
        with pytest.raises(KeyboardInterrupt):
            again(refused)
    pipeline.run(load(None, lakehouse=refused.root, source=str(_empty(refused))), LATER + timedelta(minutes=1))
    assert ("L1" not in ids(refused)) is is_finished
    versions = rows(refused, "select count(*) as n from silver.leads_history where lead_id = 'L1'")
    assert versions == [{"n": int(is_finished)}]
    assert rows(refused, "select bool_and(balanced) as b from ops.row_accounts") == [{"b": True}]


def _empty(lake):
    from pathlib import Path

    folder = Path(lake.root).parent / "again"
    folder.mkdir(exist_ok=True)
    (folder / "customers.csv").write_text(CUSTOMERS)
    return folder


def test_what_cannot_be_corrected(refused):
    key = ids(refused)["L1"]
    with pytest.raises(LakehouseError, match="leads have no column 'speed'"):
        quarantine.fix(settings(refused), [Correction(key, "status", "won"), Correction(key, "speed", "1")], "ana", NOW)
    with pytest.raises(LakehouseError, match="no waiting record has the identifier NOPE"):
        quarantine.fix(settings(refused), [Correction("NOPE", "status", "won")], "ana", NOW)
    assert not refused.exists("ops.corrections"), "nothing is written when something is wrong"


@pytest.mark.slow
def test_corrections_from_a_file(refused, tmp_path):
    path = tmp_path / "corrections.csv"
    quarantine.write_suggestions(quarantine.suggest(refused, settings(refused)), path)
    told = list(csv.reader(path.open()))
    assert told[0][:3] == ["quarantine_id", "column", "value"]
    assert quarantine.fix(settings(refused), quarantine.from_csv(path), "ana", NOW) == len(told) - 1
    assert again(refused).accounts[0]["accepted"] >= 2
    path.write_text("quarantine_id,column,value\nX,notes,'=1+1\n")
    assert list(quarantine.from_csv(path)) == [Correction("X", "notes", "=1+1")]
    path.write_text("quarantine_id,column\nX,notes\n")
    with pytest.raises(MedallionError, match="line 1: has no column value"):
        list(quarantine.from_csv(path))
    path.write_text("quarantine_id,column,value\n,notes,1\n")
    with pytest.raises(MedallionError, match="line 2: a cell is missing"):
        list(quarantine.from_csv(path))


def test_texts_that_a_spreadsheet_would_run_are_written_with_an_apostrophe(tmp_path):
    row = dict.fromkeys(("quarantine_id", "column", "value", "before", "reason", "source"), "x") | {
        "before": "=cmd|x",
        "value": "-1",
    }
    quarantine.write_suggestions([row], tmp_path / "s.csv")
    assert "'=cmd|x" in (tmp_path / "s.csv").read_text()
    assert next(iter(quarantine.from_csv(tmp_path / "s.csv"))).value == "-1"


@pytest.mark.slow
def test_the_commands(refused, monkeypatch, capsys, tmp_path):
    from medallion import cli

    def call(*args: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["medallion", "quarantine", *args, "--lakehouse", refused.root])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return code, " ".join((printed.out + printed.err).split())

    monkeypatch.chdir(tmp_path)
    code, shown = call("list")
    assert code == 0
    assert "4 waiting records" in shown
    key = ids(refused)["L1"]
    assert "status: is not an accepted value: 'wonn'" in call("show", key)[1]
    assert "1 suggestion" in call("suggest", "--reason", "created_at")[1]
    assert "Nothing to reprocess" in call("replay")[1]
    assert call("fix", key, "--set", "status")[0] == 2
    assert call("fix")[0] == 2
    assert "1 correction written down" in call("fix", key, "--set", "status=won", "--by", "ana")[1]
    code, shown = call("replay")
    assert code == 0
    assert "leads 1 1 0 0 0" in shown
    assert "3 waiting records" in call("list")[1]


def test_every_reason_can_be_asked_for(refused):
    for row in quarantine.waiting(refused):
        for code in row["failed_checks"]:
            assert row["quarantine_id"] in {found["quarantine_id"] for found in quarantine.waiting(refused, code)}
    assert contracts.table("silver.quarantine").column("resolved_by")
