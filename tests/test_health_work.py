"""Data health as work: each figure opens its rows with file and line, and refused records are corrected and replayed here."""

from __future__ import annotations

import html
import re
import shutil
import sys
import threading
from datetime import timedelta

import pytest

from conftest import NOW, ROOT
from medallion import pipeline
from medallion.access import Person
from medallion.care import quarantine
from medallion.config import load
from medallion.dashboard.repairs import Replays
from medallion.errors import LakehouseError
from medallion.lakehouse import locks
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline.result import Result

HERE = {"origin": "http://testserver", "host": "testserver"}


@pytest.fixture(scope="module")
def lake(sample, tmp_path_factory):
    """The sample and its second day, of which ten records are refused. Read it, do not write to it."""
    found = Lakehouse(str(shutil.copytree(sample.root, tmp_path_factory.mktemp("health") / "lakehouse")))
    pipeline.run(load(None, source=str(ROOT / "data" / "updates"), lakehouse=found.root), NOW + timedelta(days=1))
    return found


def shown(client, address, status=200):
    answer = client.get(address)
    assert answer.status_code == status, (address, answer.text[:400])
    return html.unescape(answer.text)


def test_every_part_of_a_row_account_opens_exactly_its_rows(dashboard, lake):
    client = dashboard(lake)
    page = shown(client, "/health")
    parts = re.findall(r'<a href="(/health/rows/[^"]+)">([\d,]+)</a>', page)
    assert len(parts) > 15
    for address, figure in parts:
        assert re.search(r">\s*([\d,]+) rows?<", shown(client, address)).group(1) == figure, address
    totals = dict(re.findall(r'data-total="(\w+)">([\d,]+)<', shown(client, "/health/accounts")))
    cards = dict(re.findall(r'data-account="(\w+)">([\d,]+)<', page))
    assert cards.items() <= totals.items()
    refused = next(address for address, _ in parts if address.endswith("leads/quarantined"))
    assert "leads_2025-07-01.csv" in shown(client, refused)
    assert client.get(f"{refused}.csv").text.count("\n") == 6


def test_what_is_no_part_of_an_account_is_refused(dashboard, lake):
    client = dashboard(lake)
    for address in (
        "/health/rows/none/leads/accepted",
        "/health/duplicates?of=deals",
        "/health/quarantine?entity=deals",
    ):
        shown(client, address, 400)
    for address in ("/health/quarantine/FFFF", "/health/quarantine/A", "/health/proofs/none"):
        shown(client, address, 404)


def test_a_proof_says_what_was_read_and_what_is_lacking(dashboard, lake):
    client = dashboard(lake)
    (address, *_) = re.findall(r'href="(/health/proofs/[^"]+)"', shown(client, "/health"))
    told = shown(client, address)
    assert "Your CRM should show 7 won, $1,162,000" in told
    assert re.search(r"interactions</td>\s*<td[^>]*>occurred_at</td>", told)


def test_a_refused_value_is_seen_and_corrected_only_where_personal_data_is_shown(dashboard, lake):
    hidden, open_ = dashboard(lake), dashboard(lake, pii=True)
    (address,) = [one["quarantine_id"] for one in quarantine.waiting(lake, "status")]
    for page in ("/health/quarantine", f"/health/quarantine/{address}"):
        assert "maybe" not in shown(hidden, page)
        assert "status.accepted" in shown(hidden, page)
        assert "maybe" in shown(open_, page)
    assert 'name="value"' not in shown(hidden, f"/health/quarantine/{address}")
    form = {"column": "status", "value": "open"}
    assert hidden.post(f"/health/quarantine/{address}", data=form, headers=HERE).status_code == 403
    assert quarantine.record(lake, address)["corrections"] == []


@pytest.mark.parametrize("headers", [{}, {"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}], ids=str)
def test_a_page_elsewhere_corrects_and_replays_nothing(dashboard, lake, monkeypatch, headers):
    monkeypatch.setattr(quarantine, "fix", lambda *given: pytest.fail("it was written"))
    client = dashboard(lake, pii=True)
    (key,) = [one["quarantine_id"] for one in quarantine.waiting(lake, "status")]
    for address, form in ((f"/health/quarantine/{key}", {"column": "status", "value": "open"}), ("/health/replay", {})):
        assert client.post(address, data=form, headers=headers).status_code == 403


def test_a_rep_is_told_that_the_data_are_everyones(dashboard, lake):
    rep = Person("ann", "rep", ("Priya Nair",), (), True, 1)
    client = dashboard(lake, pii=True, people=(rep,), me=rep)
    (key,) = [one["quarantine_id"] for one in quarantine.waiting(lake, "status")]
    batch = re.search(r'href="/health/rows/([^/"]+)', shown(dashboard(lake), "/health")).group(1)
    pages = ("/health", "/health/quarantine", f"/health/quarantine/{key}", "/health/accounts", "/health/duplicates")
    for address in (*pages, "/health/accounts.csv", f"/health/rows/{batch}/leads/quarantined.csv", "/health/proofs/x"):
        assert "everyone's data" in shown(client, address, 403)
    for address in (f"/health/quarantine/{key}", "/health/replay"):
        assert client.post(address, data={"column": "status", "value": "open"}, headers=HERE).status_code == 403


def test_a_correction_is_written_down_and_offered_to_be_replayed(dashboard, lake, tmp_path):
    own = Lakehouse(str(shutil.copytree(lake.root, tmp_path / "lakehouse")))
    client = dashboard(own, pii=True)
    (key,) = [one["quarantine_id"] for one in quarantine.waiting(own, "status")]
    assert "Replay" not in re.sub(r"<title>.*?</title>", "", shown(client, "/health/quarantine")).split("<main")[1]
    for wrong in ({"column": "color", "value": "red"}, {"column": "", "value": "open"}):
        answer = client.post(f"/health/quarantine/{key}", data=wrong, headers=HERE)
        assert answer.status_code in (400, 409)
    answer = client.post(f"/health/quarantine/{key}", data={"column": "status", "value": "open"}, headers=HERE)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/health/quarantine/{key}")
    (made,) = quarantine.record(own, key)["corrections"]
    assert (made["column_name"], made["before"], made["after"]) == ("status", "maybe", "open")
    assert "Replay 1 corrected record" in shown(client, "/health/quarantine")


def test_no_page_shows_what_a_replay_has_not_finished(dashboard, lake, tmp_path):
    own = Lakehouse(str(shutil.copytree(lake.root, tmp_path / "lakehouse")))
    pages = ("/rows/deals", "/health", "/health/quarantine")
    before = [shown(dashboard(own), page) for page in pages]
    begun, ended = threading.Event(), threading.Event()

    def write():
        with locks.hold(own.root):
            for table in ("gold.deals", quarantine.TABLE):
                own.delta(table).delete()
            begun.set()
            ended.wait(60)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert begun.wait(60)
        assert [shown(dashboard(own), page) for page in pages] == before
    finally:
        ended.set()
        thread.join()


@pytest.mark.slow
def test_a_replay_takes_the_record_into_gold(dashboard, lake, rows, tmp_path):
    own = Lakehouse(str(shutil.copytree(lake.root, tmp_path / "lakehouse")))
    client = dashboard(own, pii=True)
    (key,) = [one["quarantine_id"] for one in quarantine.waiting(own, "status")]
    client.post(f"/health/quarantine/{key}", data={"column": "status", "value": "open"}, headers=HERE)
    answer = client.post("/health/replay", data={"back": f"/health/quarantine/{key}"}, headers=HERE)
    assert answer.headers["location"] == f"/health/quarantine/{key}"
    for _ in range(600):
        told = shown(client, f"/health/quarantine/{key}")
        if "A replay runs" not in told:
            break
        threading.Event().wait(0.5)
    assert "1 record replayed: 1 accepted, 0 refused again." in told
    assert "It does not wait any more." in told
    assert rows(own, "select status from gold.deals where lead_id = 'L-1019'") == [{"status": "open"}]


def test_one_replay_at_a_time_and_a_failure_is_told(sample):
    settings, going = load(None, lakehouse=sample.root), threading.Event()
    steps, ended = [], threading.Event()

    def replay(_settings, _now, report):
        report("silver", None)
        steps.append(replays.last.step)
        going.set()
        ended.wait(10)
        return Result("run", accounts=[{"rows_read": 3, "accepted": 2, "quarantined": 1}])

    replays = Replays(replay)
    assert replays.start(settings, "ann", NOW)
    going.wait(10)
    assert not replays.start(settings, "max", NOW)
    ended.set()
    replays.wait(10)
    assert (steps, replays.last.who, replays.last.step) == (["silver"], "ann", None)
    assert replays.last.says == "3 records replayed: 2 accepted, 1 refused again."

    def fails(*_given):
        raise LakehouseError("another run is writing", "Wait for it.")

    other = Replays(fails)
    other.start(settings, "ann", NOW)
    other.wait(10)
    assert (other.last.failed, other.last.says) == (True, "another run is writing. Wait for it.")


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
