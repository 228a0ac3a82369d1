"""Forgetting an account: nothing of it is left in any file, nothing else changes, and it does not come back."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from conftest import NOW, ROOT
from medallion import contracts, pipeline
from medallion.agent import audit
from medallion.care import doctor, erasure, follow_ups, quarantine, status
from medallion.care.erasure.search import search, texts
from medallion.config import load
from medallion.errors import LakehouseError
from medallion.lakehouse import query, store
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import erasure_log, journal
from medallion.silver.mentions import Mentions

pytestmark = pytest.mark.slow  # CI runs them, and `just slow`

LATER = NOW + timedelta(days=1)


@pytest.fixture(scope="module")
def two_days(spark, tmp_path_factory):
    root = tmp_path_factory.mktemp("two_days") / "lakehouse"
    for place, folder in enumerate(("data", "data/updates")):
        pipeline.run(load(None, source=str(ROOT / folder), lakehouse=str(root)), NOW + timedelta(minutes=place))
    return root


@pytest.fixture
def lake(two_days, tmp_path):
    """A lakehouse of one's own with the sample and its second day."""
    shutil.copytree(two_days, tmp_path / "lakehouse")
    return Lakehouse(str(tmp_path / "lakehouse"))


def holds(lake, terms):
    """Files that hold one of the terms as a word: bytes, names and unpacked Parquet, statistics and schema included.

    Of a checkpoint the rows: its own statistics are cut in the middle of those of a table, and the last letter counted up.
    """
    pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, sorted(terms, key=len, reverse=True)))})(?![A-Za-z0-9])", re.IGNORECASE)  # fmt: skip
    files = sorted(path for path in Path(lake.root).rglob("*") if path.is_file())
    found = []
    for path in files:
        text = f"{path.relative_to(lake.root)}\n"
        if ".checkpoint." in path.name:
            text += f"{pq.read_schema(path)} {pq.read_metadata(path).metadata} {pq.read_table(path).to_pylist()}"
        else:
            text += path.read_bytes().decode("utf-8", "ignore")
        if path.suffix == ".parquet" and ".checkpoint." not in path.name:
            groups = [
                pq.read_metadata(path).row_group(i).to_dict() for i in range(pq.read_metadata(path).num_row_groups)
            ]
            text += (
                f"{groups} {pq.read_schema(path)} {pq.read_metadata(path).metadata} {pq.read_table(path).to_pylist()}"
            )
        if pattern.search(text) or ("\\u" in text and pattern.search(text.encode().decode("unicode_escape", "ignore"))):
            found.append(str(path.relative_to(lake.root)))
    return found


def forget(lake, customer="C004", **more):
    return erasure.forget(load(None, lakehouse=lake.root), customer, "request 17", "ana", LATER, **more)


def subject(rows, lake, customer="C004"):
    leads = rows(
        lake, f"select lead_id, lead_name, email, phone from silver.leads_history where customer_id = '{customer}'"
    )
    account = rows(
        lake, f"select customer_name, email, phone from silver.customers_history where customer_id = '{customer}'"
    )
    touches = rows(lake, f"select interaction_id from silver.interactions_history where customer_id = '{customer}'")
    return {str(value) for row in (*leads, *account, *touches) for value in row.values() if value} | {customer}


def everything(rows, lake):
    """The clean tables and gold without C004."""
    silver = {
        name: rows(
            lake, f"select * exclude (_batch_id) from silver.{name}_clean where customer_id <> 'C004' order by all"
        )
        for name in ("customers", "leads", "interactions")
    }
    return silver, rows(lake, "select * from gold.deals where customer_id <> 'C004' order by lead_id")


def test_nothing_is_left_and_nothing_else_changes(lake, rows):
    terms = subject(rows, lake)
    assert len(terms) > 8
    assert len(holds(lake, terms)) > 10, "the search does find what is there"
    others, deals = everything(rows, lake)
    name = rows(lake, "select customer_name from silver.customers_clean where customer_id = 'C004'")[0]["customer_name"]
    for key, note in (("C004", "call again"), ("C001", f"knows {name}")):
        follow_ups.add(lake, "note", NOW.date(), key, None, "ann", NOW, note=note)
    (lake.folder / "cache").mkdir()
    (lake.folder / "cache" / "duplicates_accounts.json").write_text(" ".join(terms))  # what was compared
    certificate = forget(lake)
    assert holds(lake, terms) == []
    assert [one.customer_id for one in follow_ups.every(lake)] == ["C001"]
    assert certificate["files_searched"] > 100
    assert everything(rows, lake)[0] == others
    kept = [
        {k: v for k, v in row.items() if k not in ("weighted_value", "probability_to_convert")}
        for row in everything(rows, lake)[1]
    ]
    assert [row["lead_id"] for row in kept] == [row["lead_id"] for row in deals]
    assert rows(lake, "select count(*) as n from gold.customer_features where customer_id = 'C004'") == [{"n": 0}]


def test_the_certificate_says_what_was_done_and_names_no_one(lake, rows, tmp_path, monkeypatch):
    """What failed runs and killed dashboards have left of the account goes too."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / "medallion-killed"
    left.mkdir()
    (left / ".in-use").touch()
    write_deltalake(lake.path("silver.leads_staged"), lake.delta("silver.leads_clean").to_pyarrow_table())
    terms = subject(rows, lake)
    rehearsal = forget(lake, dry_run=True)
    certificate = forget(lake)
    text = Path(certificate["certificate"]).read_text()
    assert not any(term in text for term in terms)
    told = json.loads(text)
    assert (told["reason"], told["forgotten_by"], told["found"]) == ("request 17", "ana", [])
    would = {row["table"]: row["about_the_account"] for row in rehearsal["tables"] if row["about_the_account"]}
    assert would == {row["table"]: row["rows_removed"] for row in told["tables"] if row["rows_removed"]}
    assert would["silver.leads_clean"] == told["records"]["leads"]
    assert all(row["versions_purged"] for row in told["tables"])
    assert "leads.csv" in told["not_touched"]
    assert not left.exists()
    assert not Path(lake.path("silver.leads_staged")).exists()
    assert told["temporary_folders"] == {"removed": 1, "in_use": 0}
    assert [one["where"] for one in told["searched_in"]] == ["tables", "files"]
    assert "without a search" in told["older_versions"]
    stored = rows(lake, "select * from ops.erasures")
    assert {row["state"] for row in stored} == {"started", "finished"}
    assert all(len(row["value_hash"]) == 64 for row in stored)


def test_conservation_is_checked_on(lake, rows):
    """What went is accounted for as erased, and a row that is lost afterwards still shows."""
    removed = {row["table"]: row["rows_removed"] for row in forget(lake)["tables"]}
    sums = "rows_read, accepted + duplicate + superseded + quarantined + erased as accounted, erased"
    found = rows(lake, f"select entity, {sums} from ops.row_accounts")
    assert all(row["rows_read"] == row["accounted"] for row in found)
    for entity in ("customers", "leads", "interactions"):
        assert sum(row["erased"] for row in found if row["entity"] == entity) == removed[f"bronze.{entity}"] > 0

    def accounts():
        return {one.about: one for one in doctor.examine(load(None, lakehouse=lake.root)) if one.check == "accounts"}

    assert {one.state for one in accounts().values()} == {doctor.OK}
    assert {one.state for one in doctor.examine(load(None, lakehouse=lake.root)) if one.check == "current"} == {
        doctor.OK
    }
    assert "of them erased since" in accounts()["leads"].says
    for name in ("silver.leads_history", "bronze.customers", "silver.quarantine"):
        before, table = lake.version(name), DeltaTable(lake.path(name))
        table.delete(_first_row(table))
        assert doctor.BROKEN in {one.state for one in accounts().values()}, name
        DeltaTable(lake.path(name)).restore(before)
    assert {one.state for one in accounts().values()} == {doctor.OK}


def test_conservation_of_files_that_were_held_back(deliver, rows):
    """Rows of a held file count for its own batch once it is accepted, and for no batch before."""
    first = {
        "customers.csv": "customer_id,customer_name\nC0042,Anvil\nC0043,Bolt\n",
        "leads.csv": "lead_id,customer_id,status,deal_value,created_at\nL0001,C0042,open,1,2025-01-01\nL0001,C0042,open,1,2025-01-01\n"
        "L0002,C0043,open,2,2025-01-02\nL0003,C0042,perhaps,2,2025-01-02\n",
    }
    header = "lead_id,customer_id,status,deal_value,created_at\n"
    still = {"leads_2.csv": f"{header}L0007,C0042,perhaps,7,2025-01-01\nL0008,C0043,,8,2025-01-02\n"}
    limits = {"hold_back": {"rows": 1}}
    result, _ = deliver(first, **limits)
    assert [item.name for item in result.held] == ["leads.csv"]
    deliver(first, now=NOW + timedelta(hours=1), accept=True, **limits)
    result, lake = deliver(still, now=NOW + timedelta(hours=2), **limits)
    assert [item.name for item in result.held] == ["leads_2.csv"]
    certificate = forget(lake, "C0042")
    assert certificate["found"] == []
    left = DeltaTable(lake.path("bronze.leads")).to_pyarrow_table()["lead_id"].to_pylist()
    assert sorted(left) == ["L0002", "L0008"]
    found = rows(
        lake,
        "select rows_read, accepted, duplicate, quarantined, erased from ops.row_accounts where entity = 'leads' and rows_read > 0",
    )
    assert found == [{"rows_read": 4, "accepted": 1, "duplicate": 0, "quarantined": 0, "erased": 3}]
    examined = doctor.examine(load(None, lakehouse=lake.root))
    assert {one.state for one in examined if one.check == "accounts"} == {doctor.OK}


def test_an_erasure_without_a_dated_event(deliver, rows):
    """Gold is computed again though it has no day, and the journal holds no identifier of a held file."""
    files = {"customers.csv": "customer_id,customer_name\nC0042,Anvil Works\nC0043,Bolt\nCxY44,Corvid\nCxy44,Dorn\n"}
    result, _ = deliver({"customers.csv": files["customers.csv"].replace("CxY44", "C0045")})
    result, lake = deliver({"customers_2.csv": files["customers.csv"]}, now=NOW + timedelta(hours=1))
    assert [item.name for item in result.held] == ["customers_2.csv"]
    assert rows(lake, "select count(*) as n from gold.customer_features") == [{"n": 4}]
    assert forget(lake, "CXY44")["found"] == []
    assert rows(lake, "select count(*) as n from gold.customer_features") == [{"n": 3}]


def _first_row(table):
    """A condition for one row of a table."""
    names = [field.name for field in table.schema().fields]
    key = next(name for name in ("quarantine_id", "lead_id", "customer_id") if name in names)
    return f"{key} = '{table.to_pyarrow_table()[key][0].as_py()}'"


def test_a_rehearsal_changes_nothing(lake):
    versions = {name: lake.version(name) for name in lake.tables()}
    forget(lake, dry_run=True)
    assert {name: lake.version(name) for name in lake.tables()} == versions


def test_the_next_export_does_not_bring_it_back(lake, deliver, rows):
    """Neither the account, nor a new deal or touch of it, nor a record that does not even split into cells."""
    terms = subject(rows, lake)
    forget(lake)
    result, same = deliver(
        {
            "customers.csv": "customer_id,customer_name,email\n c004 ,Somebody,new@cobalt.example\nC900,Nova,n@nova.example\n",
            "leads.csv": "lead_id,customer_id,status,created_at,lead_name\nL-9001,C004,open,2025-06-30,Ivy Stone\n"
            "L-9002,C900,open,2025-06-30,Kim Park\nL-9003,C004,open,2025-06-30,Ivy Stone,and one cell too many\n",
            "interactions.csv": "interaction_id,customer_id,channel,outcome,occurred_at,notes\n"
            "I-9001,C004,call,positive,2025-06-30,Ivy Stone called back\nI-9002,C900,call,positive,2025-06-30,fine\n",
        },
        now=LATER + timedelta(hours=1),
        accept=True,  # without the other columns of the sample
    )
    assert same.root == lake.root
    accounts = {a["entity"]: (a["rows_read"], a["accepted"], a["quarantined"], a["balanced"]) for a in result.accounts}
    assert accounts == {"customers": (2, 1, 1, True), "leads": (3, 1, 2, True), "interactions": (2, 1, 1, True)}
    assert holds(lake, terms | {"Ivy Stone", "new@cobalt.example"}) == []
    assert quarantine.waiting(lake, "record.erased") == [], "there is nothing to correct about them"
    reasons = rows(
        lake,
        "select distinct reasons[1] as r from silver.quarantine where list_contains(failed_checks, 'record.erased')",
    )
    assert reasons == [{"r": "record: withheld, since it is about someone who was forgotten"}]


def test_mentions_in_the_records_of_others_are_blanked(deliver, rows):
    _, lake = deliver(
        {
            "customers.csv": "customer_id,customer_name,email,phone\nC1,Anvil Works,ann@anvil.example,+1 (415) 555-0101\nC2,Bolt,b@bolt.example,\n",
            "interactions.csv": "interaction_id,customer_id,channel,outcome,occurred_at,notes\n"
            '1,C1,call,positive,2025-01-01,hello\n2,C2,call,positive,2025-01-02,"Met Anvil Works; write to ANN@anvil.example, not annex"\n',
        }
    )
    certificate = forget(lake, "C1")
    assert rows(lake, "select notes from silver.interactions_clean") == [
        {"notes": "Met [erased]; write to [erased], not annex"}
    ]
    blanked = {row["table"]: row["rows_blanked"] for row in certificate["tables"] if row["rows_blanked"]}
    assert blanked == {"bronze.interactions": 1, "silver.interactions_clean": 1, "silver.interactions_history": 1}


#: Forms of Jürgen Müller-Özdemir of Brandt Maschinenbau GmbH in notes of others.
PLANTED = (
    *("Call Jürgen Müller-Özdemir", "MÜLLER-ÖZDEMIR, JÜRGEN agreed", "J. Müller-Özdemir", "Juergen Mueller-Oezdemir", "Jurgen Muller-Ozdemir"),
    *("Herr Müller-Özdemir", "Ju\u0308rgen Mu\u0308ller-O\u0308zdemir", "030 5551 2345", "0049-30-55512345", "+49 (0)30 5551-2345 ext. 12"),
    *("JUERGEN.MUELLER@BRANDT-MA.EXAMPLE", "juergen.mueller+crm@brandt-ma.example", "BRANDT MASCHINENBAU", "ACC-0031"),
    '{""contact"":{""mail"":""Juergen.Mueller@brandt-ma.example""}}', "Jürgen\nMüller-Özdemir",
)  # fmt: skip
NEAR = ("Müller, Hans", "Jürgen Schmidt", "030 5551 2346", "4930555123459", "xjuergen.mueller@brandt-ma.example", "Anna Brandt", "55512345.00", "ACC-00310")  # fmt: skip


def test_usual_forms_in_rows_of_others_go_and_near_misses_stay(deliver, rows):
    """Notes, cells without a column, refused and malformed rows, file names, statistics, what stays of an old commit."""
    touch = "interaction_id,customer_id,channel,outcome,occurred_at,notes,For juergen.mueller@brandt-ma.example\n"
    noted = [f'{n},C2,call,positive,2025-01-01,"{text}","{text}"' for n, text in enumerate((*PLANTED, *NEAR), 100)]
    _, lake = deliver(
        {
            "customers.csv": "customer_id,customer_name,email,phone\nACC-0031,Brandt Maschinenbau GmbH,juergen.mueller@brandt-ma.example,+49 30 5551 2345\n"
            "C2,Bolt,b@bolt.example,\n",
            "leads_juergen.mueller@brandt-ma.example.csv": "lead_id,customer_id,status,created_at,lead_name\nL-9001,ACC-0031,open,2025-01-01,Jürgen Müller-Özdemir\n"
            "L-9002,C2,open,2025-01-01,Jürgen Müller-Özdemir\nL-9003,C2,perhaps,2025-01-01,by JÜRGEN MÜLLER-ÖZDEMIR\n"
            "L-9004,C2,open,2025-01-01,Kim,Jürgen Müller-Özdemir and more\n",
            "interactions.csv": touch + "\n".join(noted) + "\n",
        }
    )
    log = Path(lake.path("silver.interactions_clean"), "_delta_log")
    shutil.copy(min(log.glob("*.json")), log / "00000000000000000009.json.torn")
    asked = [
        {"entry_id": str(n), "question": text}
        for n, text in enumerate(("Who is Müller-Özdemir, Jürgen?", "Who is Mark?"))
    ]
    write_deltalake(lake.path(audit.TABLE), pa.Table.from_pylist(asked, schema=audit.SCHEMA))
    certificate = forget(lake, "ACC-0031")
    assert certificate["found"] == []
    assert rows(lake, f"select question as q from {audit.TABLE}") == [{"q": "Who is Mark?"}]
    assert not list(log.glob("*.torn"))
    notes = " | ".join(row["notes"] for row in rows(lake, "select notes from silver.interactions_clean order by interaction_id"))  # fmt: skip
    assert notes.count("[erased]") == len(PLANTED)
    assert [text for text in NEAR if text not in notes] == []
    forms = [text for text in PLANTED if not text.startswith("{")]
    assert (
        holds(
            lake,
            [
                *forms,
                "juergen.mueller@brandt-ma.example",
                "L-9001",
                "(030) 555.123.45",
                "leads_juergen",
                "for_juergen_mueller_brandt_ma_example",
            ],
        )
        == []
    )
    columns = [field.name for field in DeltaTable(lake.path("bronze.interactions")).schema().fields]
    assert sum(name.startswith("erased_") for name in columns) == 1
    assert certificate["names_that_stay"] == {"silver.leads_clean": 1}, "L-9002 may be somebody else"
    assert rows(lake, "select lead_name as n from silver.leads_clean") == [{"n": "Jürgen Müller-Özdemir"}]
    assert {one.state for one in doctor.examine(load(None, lakehouse=lake.root))} == {doctor.OK}
    again = "customer_id,customer_name,email,phone\nC3,Nova,Juergen.Mueller+x@brandt-ma.example,\nC4,Orb,,030/5551 2345\nC5,Pit,p@pit.example,030 5551 2346\n"
    result, _ = deliver({"customers.csv": again}, now=LATER + timedelta(hours=1))
    back = [warning for warning in result.warnings if "forgotten" in warning]
    assert [warning.split(" of someone")[0] for warning in back] == [
        "customers C3 has the e-mail address", "customers C4 has the telephone number"
    ]  # fmt: skip
    entities = contracts.entities()
    assert [one.key for one in erasure_log.returned(lake, entities)] == ["C3", "C4"]
    warned = [one for one in doctor.examine(load(None, lakehouse=lake.root)) if one.check == "erasure"]
    assert [(one.about, one.state) for one in warned] == [("customers", doctor.WARNING)]
    corrected = "customer_id,customer_name,email,phone\nC3,Nova,n@nova.example,\n"
    result, _ = deliver({"customers.csv": corrected}, now=LATER + timedelta(hours=2))
    assert not [warning for warning in result.warnings if "forgotten" in warning]
    told = [one["what"] for one in status.status(lake, LATER)["returned"]]
    assert [text.split(" has")[0] for text in told] == ["customers C3", "customers C4"], "nobody has decided about C3"
    forget(lake, "C3")
    erasure.keep(load(None, lakehouse=lake.root), "C4", "a switchboard", "ana", LATER)
    assert rows(lake, "select distinct record_key from ops.returned") == [{"record_key": "C4"}]
    assert status.status(lake, LATER)["returned"] == []


@pytest.mark.nightly
def test_a_grouped_report_of_several_accounts(deliver, rows, tmp_path):
    """What has the account from the row above is about it too; what has its state from a row that went keeps it."""
    path = tmp_path / "mine.odcs.yaml"
    path.write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: mine\nversion: 1.0.0\nstatus: active\nschema:\n"
        "  - name: leads\n    customProperties:\n      - property: sources\n        value:\n          - file: report\n"
        "            columns: {lead_id: Deal, customer_id: {column: Account, fillDown: true}, created_at: Opened, "
        "status: {column: State, fillDown: true}, closed_at: Closed, deal_value: Amount}\n"
    )
    head, end = "State,Account,Deal,Opened,Closed,Amount\n", "2025-01-02,2025-02-02"
    accounts = "customer_id,customer_name\nC1,Acme\nC2,Bolt\n"
    report = f"{head}Lost,C2,D1,{end},5\nWon,C1,D2,{end},7\n,C2,D3,{end},100\n,,D4,{end},3\n"
    deals = "select lead_id, customer_id, status, deal_value::int as v from silver.leads_clean order by 1"
    kept = [("D1", "C2", "lost", 5), ("D3", "C2", "won", 100), ("D4", "C2", "won", 3)]
    _, lake = deliver({"report.csv": report, "customers.csv": accounts}, contracts=(path,))
    forget(lake, "C1")
    with query.connect(lake, layers=["bronze"]) as connection:
        raw = query.rows(connection, "select State, Account, Deal from bronze.leads order by _source_row")
    assert [tuple(row.values()) for row in raw][:2] == [("Lost", "C2", "D1"), ("Won", "C2", "D3")]
    assert [tuple(row.values()) for row in rows(lake, deals)] == kept
    report = f"{head}Lost,C2,D1,{end},5\nLost,C1,D2,{end},7\n,,D5,{end},900\n,C2,D3,{end},101\n,,D4,{end},3\n"
    deliver({"report.csv": report}, contracts=(path,), now=LATER + timedelta(days=1))
    assert [tuple(row.values()) for row in rows(lake, deals)] == kept
    refused = rows(lake, "select record_key as k, reasons[1] as r from silver.quarantine order by source_row")
    withheld, unread = "record: withheld, since it is about someone who was forgotten", "status: the head of its group cannot be read"  # fmt: skip
    assert [tuple(row.values()) for row in refused] == [(None, withheld), (None, withheld), ("D3", unread), ("D4", unread)]  # fmt: skip


@pytest.mark.nightly
def test_the_same_row_below_another_account_stays(deliver, rows, tmp_path):
    """Rows that look alike are told apart by what they have from the row above."""
    path = tmp_path / "mine.odcs.yaml"
    path.write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: mine\nversion: 1.0.0\nstatus: active\nschema:\n"
        "  - name: leads\n    customProperties:\n      - property: sources\n        value:\n          - file: report\n"
        "            columns: {lead_id: {sql: \"concat(account, '-', product)\"}, customer_id: {column: Account, fillDown: true}, "
        "created_at: Opened, status: State}\n"
    )
    rest = "2025-01-02,Won"
    report = f"Account,Product,Opened,State\nC1,P1,{rest}\n,P2,{rest}\nC2,P1,{rest}\n,P2,{rest}\n"
    accounts = "customer_id,customer_name\nC1,Acme\nC2,Bolt\n"
    _, lake = deliver({"report.csv": report, "customers.csv": accounts}, contracts=(path,))
    forget(lake, "C1")
    with query.connect(lake, layers=["bronze"]) as connection:
        raw = query.rows(connection, "select account, product from bronze.leads order by _source_row")
    assert [row["product"] for row in raw] == ["P1", "P2"]
    counts = "select rows_read, accepted, duplicate, excluded, erased from ops.row_accounts where entity = 'leads'"
    assert [tuple(row.values()) for row in rows(lake, counts)] == [(4, 2, 0, 0, 2)]
    pipeline.reprocess(load(None, lakehouse=lake.root, contracts=(path,)), LATER + timedelta(hours=1), ["leads"])
    assert [row["k"] for row in rows(lake, "select lead_id as k from silver.leads_clean order by 1")] == [
        "C2-P1",
        "C2-P2",
    ]


@pytest.mark.nightly
def test_a_number_that_other_accounts_have_decides_nothing(deliver, rows):
    """Neither whose a refused record is, nor what is blanked in records of others; a number of the account alone does."""
    _, lake = deliver(
        {
            "customers.csv": "customer_id,customer_name,email,phone\nC1,Anvil,hello@anvil.example,+49 30 55501001\n"
            "C2,Bolt,b@bolt.example,030 55501001\nC3,Corvid,,\n",
            "leads.csv": "lead_id,customer_id,status,created_at,phone,email\nL1,C1,open,2025-01-01,+49 30 55507777,\n"
            "L2,C2,perhaps,2025-01-01,+49 30 55501001,\nL3,C3,perhaps,2025-01-01,030 55507777,\nL4,,perhaps,2025-01-01,030 55507777,\n"
            "L5,C3,open,2025-01-01,030 55507777,\nL6,C3,perhaps,2025-01-01,,hello@anvil.example\n",
        },
        accept=True,
    )
    certificate = forget(lake, "C1")
    assert certificate["numbers_that_stay"] == 1
    assert certificate["found"] == []
    assert rows(lake, "select customer_id as k, phone as p from silver.customers_clean where phone is not null") == [
        {"k": "C2", "p": "03055501001"}
    ]
    waiting = {row["record_key"]: row["raw"] for row in quarantine.waiting(lake)}
    assert sorted(waiting) == ["L2", "L3", "L6"], "L4 names no account"
    assert "55501001" in waiting["L2"]
    assert holds(lake, ["hello@anvil.example", "030 55507777", "+49 30 55507777"]) == []
    assert erasure_log.returned(lake, contracts.entities()) == []
    assert {one.state for one in doctor.examine(load(None, lakehouse=lake.root)) if one.check == "accounts"} == {
        doctor.OK
    }


@pytest.mark.nightly
def test_short_keys_are_told_apart_by_their_column(deliver, rows):
    """Customer 5 goes; the 5 minutes of a call with customer 6 stay."""
    _, lake = deliver(
        {
            "customers.csv": "customer_id,customer_name\n5,Five\n6,Six\n",
            "leads.csv": "lead_id,customer_id,status,created_at\n5,6,open,2025-01-01\n6,5,open,2025-01-01\n",
            "interactions.csv": "interaction_id,customer_id,lead_id,channel,outcome,occurred_at,duration_minutes\n"
            "5,6,5,call,positive,2025-01-01,5\n6,5,6,call,positive,2025-01-01,6\n",
        }
    )
    forget(lake, "5")
    assert rows(lake, "select lead_id, customer_id from silver.leads_clean") == [{"lead_id": "5", "customer_id": "6"}]
    assert rows(lake, "select interaction_id, duration_minutes as d from silver.interactions_clean") == [
        {"interaction_id": "5", "d": 5}
    ]


def test_a_refused_record_of_it_goes_too(deliver, rows):
    _, lake = deliver(
        {
            "customers.csv": "customer_id,customer_name\nC1,Anvil\nC2,Bolt\n",
            "leads.csv": "lead_id,customer_id,status,created_at,email\nL1,C1,perhaps,2025-01-01,ann@anvil.example\nL2,C2,,2025-01-01,b@bolt.example\n"
            "L3,C1,open,2025-01-01\n",
        }
    )
    assert len(quarantine.waiting(lake)) == 3
    forget(lake, "C1")
    assert [row["record_key"] for row in quarantine.waiting(lake)] == ["L2"]
    assert holds(lake, ["ann@anvil.example"]) == []


def test_an_interrupted_erasure_is_done_again(lake, rows, monkeypatch):
    terms = subject(rows, lake)
    calls = []

    def fails(*arguments, **how):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return replace(*arguments, **how)

    replace = store.replace
    with monkeypatch.context() as patch:
        patch.setattr(store, "replace", fails)
        with pytest.raises(KeyboardInterrupt):
            forget(lake)
    forget(lake)
    assert holds(lake, terms) == []


def test_what_a_search_found_is_searched_for_again(lake, rows):
    """The names are gone from every table by then; the second search has them, and nothing is certified without one."""
    notes = Path(lake.root, "notes.txt")
    name = rows(lake, "select customer_name as n from silver.customers_clean where customer_id = 'C004'")[0]["n"]
    notes.write_text(f"call {name}")
    settings = load(None, lakehouse=lake.root)
    for again in (lambda: forget(lake), lambda: forget(lake), lambda: erasure.resume(settings)):
        with pytest.raises(LakehouseError, match=r"still there.*notes.txt") as told:
            again()
        assert "forget --resume" in told.value.remedy
        assert status.status(lake, LATER)["unfinished"][0]["state"] == "something of the account was found"
    assert [one.about for one in doctor.examine(settings) if one.check == "journal"] == ["forget"]
    kept = Path(lake.root, erasure_log.LEFT_FILE)
    assert kept.stat().st_mode & 0o777 == 0o600
    with journal.writing(lake) as writer:  # others may write meanwhile
        assert writer.recovered == []
    notes.unlink()
    certificate = erasure.resume(settings)
    assert certificate["found"] == []
    assert certificate["terms_searched"] > 8
    assert sum(row["rows_removed"] for row in certificate["tables"]) > 8
    assert not kept.exists()
    with pytest.raises(LakehouseError, match="was forgotten already"):
        forget(lake)
    with pytest.raises(LakehouseError, match="no erasure was interrupted"):
        erasure.resume(settings)


def test_a_text_that_nobody_wrote_is_not_found(tmp_path):
    """Statistics of Parquet are cut to 64 letters, and the last letter of a cut maximum is counted up: C003 becomes C004."""
    said = pa.table({"note": ["x" * 59 + " C003, and so on", "nothing"]})
    write_deltalake(tmp_path / "notes", said)
    (file,) = (tmp_path / "notes").glob("*.parquet")
    assert pq.ParquetFile(file).metadata.row_group(0).column(0).statistics.max.endswith("C004")
    assert not search(file.parent, Mentions(keys=frozenset({"C004"})))[1]
    assert search(file.parent, Mentions(keys=frozenset({"C003"})))[1]


def test_who_is_not_there(lake):
    with pytest.raises(LakehouseError, match="there is no customer C777"):
        forget(lake, "C777")
    with pytest.raises(LakehouseError, match="there is no table silver.customers_history"):
        erasure.forget(load(None, lakehouse=lake.root + "-none"), "C1", "x", "ana", NOW)


def test_the_command_asks_first(lake, monkeypatch, capsys):
    from medallion import cli

    monkeypatch.setattr(sys, "argv", ["medallion", "forget", "C004", "--reason", "x", "--lakehouse", lake.root])
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 1
    assert "Remove everything about C004?" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--dry-run"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "Would be removed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("maximum", "tells"),
    [
        ("somebody.with.a.long.name@example.com", True),
        ("a" * 45 + "somebody@example.con", True),
        ("somebody.with.a.longer.name@exampl", True),
        ("z" * 51 + "ann@example.d", False),  # 64 bytes: it may have been `ann@example.c` and more
        ("z" * 19 + "ann@example.d", False),
    ],
)
def test_a_maximum_in_a_log_is_searched_whole_unless_it_may_have_been_cut(tmp_path, maximum, tells):
    log = tmp_path / "_delta_log"
    log.mkdir()
    add = {"path": "part.parquet", "stats": json.dumps({"maxValues": {"email": maximum}})}
    (log / f"{0:020d}.json").write_text(json.dumps({"add": add}))
    assert any(maximum in text for text in texts(log / f"{0:020d}.json")) == tells
