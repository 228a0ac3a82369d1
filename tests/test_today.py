"""The page of today: the agent's plan as cards, what people do with it, and that it changes the next plan."""

from __future__ import annotations

import html
import re
import stat
import sys
from datetime import date, timedelta
from urllib.parse import unquote

import pytest

from conftest import NOW
from medallion import contracts
from medallion.agent.cards import cards, why_now
from medallion.agent.rules import Rules, Suppressed, rules
from medallion.agent.serving import serve
from medallion.agent.tools import Tools
from medallion.care import follow_ups
from medallion.care.proposals import Actions
from medallion.config import AgentSettings
from medallion.errors import LakehouseError, MedallionError

DAY = date(2025, 7, 1)
AS_OF = date(2025, 6, 30)
HERE = {"origin": "http://testserver", "host": "testserver"}


def planned(lake, day=DAY, **given):
    with serve(lake) as serving:
        return Tools(serving, rules(AgentSettings(**given), lake)).call_plan(capacity=50, day=day)


def shown(client, address="/today"):
    answer = client.get(address)
    assert answer.status_code == 200, answer.text[:300]
    return re.findall(r'<li class="call" data-customer="([^"]+)"', answer.text), html.unescape(answer.text)


def test_the_cards_are_the_plan(dashboard, sample):
    """The same accounts in the same order of value, each with its deal, a sentence, and how to open."""
    keys, text = shown(dashboard(sample))
    plan = planned(sample)
    assert keys == [row["customer_id"] for row in sorted(plan.rows, key=lambda row: -row["expected_value"])][:10]
    assert plan.note in text
    for row in plan.rows:
        assert row["lead_id"] in text
        assert row["deal_step"] in text
        assert all(one in text for one in (*row["reasons"][:1], *row["against"][:1]))
        if row["local_hour"] is not None:
            assert f"around {row['local_hour']:02d}:00 in {row['time_zone']}" in text
    owner = plan.rows[0]["owner"]
    mine, _ = shown(dashboard(sample), f"/today?owner={owner}")
    assert mine == [row["customer_id"] for row in plan.rows if row["owner"] == owner]
    assert dashboard(sample).get("/today?owner=Nobody").status_code == 400
    assert dashboard(sample).get("/").headers["location"] == "/today"


def test_why_now_is_the_most_pressing_reason():
    row = {
        "days_silent": 3, "last_outcome": "neutral", "at_stake": 5000, "reasons": [], "probability": 0.4,
    }  # fmt: skip
    told = [
        why_now(
            {**row, "last_outcome": "meeting_booked"}, {"expected_close_date": date(2025, 6, 1)}, {}, AS_OF, DAY, "USD"
        ),
        why_now(row, {"expected_close_date": date(2025, 6, 29)}, {}, AS_OF, DAY, "USD"),
        why_now(row, {"expected_close_date": date(2025, 6, 30)}, {}, AS_OF, DAY, "USD"),
        why_now(row, {"expected_close_date": date(2025, 7, 11)}, {}, AS_OF, DAY, "USD"),
        why_now({**row, "last_outcome": "positive"}, {"expected_close_date": date(2025, 12, 1)}, {}, AS_OF, DAY, "USD"),
        why_now(row, {}, {"trend": "improving", "previous_probability": 0.2, "probability": 0.4}, AS_OF, DAY, "USD"),
        why_now({**row, "days_silent": None}, {}, {}, AS_OF, DAY, "USD"),
        why_now({**row, "days_silent": 90}, {}, {}, AS_OF, DAY, "USD"),
        why_now({**row, "last_outcome": "no_answer"}, {}, {}, AS_OF, DAY, "USD"),
    ]
    assert told == [
        "A meeting was booked 3 days ago: confirm it and prepare.",
        "The deal was expected to close 2 days ago and is still open.",
        "The deal is expected to close on 2025-06-30.",
        "The deal is expected to close in 10 days.",
        "The last answer was positive, 3 days ago.",
        "The probability to win rose from 20% to 40% since the last score.",
        "$5,000 at stake, and nobody has been in touch yet.",
        "$5,000 at stake, and nobody has been in touch for 90 days.",
        "$5,000 at stake, 40% likely; last contact 3 days ago, without an answer.",
    ]


def test_what_is_done_is_out_of_the_next_plan_and_comes_back(own_sample):
    first = DAY + timedelta(days=5)  # everyone has rested
    plan = planned(own_sample, first)
    keys = [row["customer_id"] for row in plan.rows]
    done, snoozed, later, noted = keys[:4]
    told = [("done", done, {}), ("snoozed", snoozed, {"until": first + timedelta(days=7)}), ("not_now", later, {}),
            ("note", noted, {"note": "call\n back"})]  # fmt: skip
    for place, (kind, key, given) in enumerate(told):
        follow_ups.add(own_sample, kind, first, key, None, "ann", NOW + timedelta(seconds=place), **given)
    left = {row["customer_id"] for row in planned(own_sample, first).rows}
    assert {*keys} - left == {done, snoozed, later}
    assert "3 done or put off" in planned(own_sample, first).note
    out = {
        n: {*keys} - {row["customer_id"] for row in planned(own_sample, first + timedelta(days=n)).rows}
        for n in (1, 2, 3, 7)
    }
    assert out == {1: {done, snoozed}, 2: {done, snoozed}, 3: {snoozed}, 7: set()}
    follow_ups.add(own_sample, "undone", first, done, None, "ann", NOW + timedelta(seconds=8))
    assert done in {row["customer_id"] for row in planned(own_sample, first).rows}
    assert [one.note for one in follow_ups.every(own_sample)][3] == "call back"
    proposals = {(one.kind, one.key): dict(one.changes) for one in Actions(own_sample).all(NOW)}
    assert proposals == {
        ("customer", snoozed): {"next_contact_on": "2025-07-13"},
        ("customer", noted): {"note": "call back"},
    }
    follow_ups.add(own_sample, "undone", first, snoozed, None, "ann", NOW + timedelta(seconds=9))
    assert {one.key: one.state for one in Actions(own_sample).all(NOW)} == {snoozed: "rejected", noted: "proposed"}


def test_what_cannot_be_recorded_is_refused(own_sample):
    for kind, given in (("phoned", {}), ("snoozed", {}), ("snoozed", {"until": DAY}), ("done", {"until": DAY}), ("note", {}),
                        ("note", {"note": "x" * 1001}), ("note", {"note": "\x1b[31m"})):  # fmt: skip
        with pytest.raises(MedallionError):
            follow_ups.add(own_sample, kind, DAY, "C001", None, "ann", NOW, **given)
    assert not own_sample.exists(follow_ups.TABLE)
    assert contracts.table(follow_ups.TABLE).column_names == tuple(follow_ups.SCHEMA.names)


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no modes on Windows")
def test_a_lakehouse_that_cannot_be_written_says_so(dashboard, own_sample, monkeypatch):
    monkeypatch.setattr("medallion.care.follow_ups.os.access", lambda path, mode: False)
    with pytest.raises(LakehouseError, match="cannot be written"):
        follow_ups.add(own_sample, "done", DAY, "C001", None, "ann", NOW)
    answer = dashboard(own_sample).post(
        "/today/done", data={"kind": "done", "customer_id": shown(dashboard(own_sample))[0][0]}, headers=HERE
    )
    assert (answer.status_code, "Nothing was recorded" in answer.text) == (409, True)
    assert stat.S_ISDIR((own_sample.folder / "ops").stat().st_mode)


def test_the_buttons_of_a_card_record_and_undo(dashboard, own_sample):
    client = dashboard(own_sample)
    keys, _ = shown(client)
    form = {"customer_id": keys[0], "owner": ""}
    assert client.post("/today/done", data={**form, "kind": "done"}, headers=HERE).headers["location"] == "/today"
    after, text = shown(client)
    assert after == keys[1:]
    assert "Dealt with" in text
    client.post("/today/done", data={**form, "customer_id": keys[1], "kind": "snoozed", "days": "7"}, headers=HERE)
    assert "Snoozed until 2025-07-08" in shown(client)[1]
    client.post("/today/done", data={**form, "kind": "undone"}, headers=HERE)
    assert keys[0] in shown(client)[0]
    client.post("/today/done", data={**form, "kind": "note", "note": "<b>likes tea</b>"}, headers=HERE)
    assert [one.kind for one in follow_ups.every(own_sample)] == ["done", "snoozed", "undone", "note"]
    for wrong in ({"customer_id": "C999"}, {"lead_id": "L-none"}):
        assert client.post("/today/done", data={**form, "kind": "done", **wrong}, headers=HERE).status_code == 400
    assert client.post("/today/done", data={**form, "kind": "snoozed", "days": "900"}, headers=HERE).status_code == 409
    assert len(follow_ups.every(own_sample)) == 4


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "origin": "http://testserver"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)
def test_a_form_from_elsewhere_records_nothing(dashboard, own_sample, headers):
    client = dashboard(own_sample)
    for address in ("/today/done", "/today/mine"):
        answer = client.post(address, data={"kind": "done", "customer_id": "C001", "owner": "x"}, headers=headers)
        assert (answer.status_code, answer.headers.get("set-cookie")) == (403, None)
    assert not own_sample.exists(follow_ups.TABLE)


def test_mine_is_remembered(dashboard, sample):
    client = dashboard(sample)
    owner = planned(sample).rows[0]["owner"]
    client.post("/today/mine", data={"owner": owner}, headers=HERE)
    assert unquote(client.get("/").headers["location"]).replace("+", " ") == f"/today?owner={owner}"
    client.post("/today/mine", data={"owner": ""}, headers=HERE)
    assert client.get("/").headers["location"] == "/today"


def test_people_and_words_are_shown_with_permission_alone(dashboard, sample, rows):
    """Telephone, e-mail with the draft, and what was noted: of the people of the sample, whose deals name them."""
    told = rows(
        sample, "select email, phone, lead_name from silver.leads_clean where status = 'open' and email is not null"
    )
    notes = rows(sample, "select notes from silver.interactions_clean where notes is not null")
    without, text = dashboard(sample), ""
    text = shown(without)[1]
    assert not [one for row in told for one in row.values() if one and one in text]
    assert not [row["notes"] for row in notes if row["notes"] in text]
    assert "mailto:?subject=" in text
    permitted = shown(dashboard(sample, pii=True))[1]
    assert re.search(r'href="tel:\+?\d+"', permitted)
    assert re.search(r'href="mailto:[^"?]+@[^"?]+\?subject=', permitted)
    assert [row["notes"] for row in notes if row["notes"] in permitted]


def test_a_channel_that_is_refused_is_not_offered(sample):
    with serve(sample) as serving:
        first = cards(Tools(serving, Rules(rest_days=0)), DAY)[1][0]
        key = first.row["customer_id"]
        blocked = Rules(rest_days=0, suppressed=(Suppressed(key, "email"),))
        again = {one.row["customer_id"]: one for one in cards(Tools(serving, blocked), DAY)[1]}
    assert again[key].refused == {"email"}
    assert first.refused == frozenset()
    assert first.letter(AgentSettings(), "Ann")[1].startswith("Hi Ann,")


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
