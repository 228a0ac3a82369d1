"""The pages of an account and of a deal to call from: what to say, what is open, products, and people who may be called and written to."""

from __future__ import annotations

import html
import re
from datetime import UTC, timedelta

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from conftest import NOW
from medallion import figures
from medallion.lakehouse import publishing

ADA = {
    "contact_id": "K1",
    "contact_name": "Ada Reyes",
    "job_title": "CFO",
    "email": "ada@example.com",
    "phone": "+1 555 010",
}
BEN = {
    "contact_id": "K2",
    "contact_name": "Ben <b>Ito</b>",
    "job_title": None,
    "email": "ben@example.com",
    "phone": "+1 555 011",
}


def body(client, address):
    answer = client.get(address)
    assert answer.status_code == 200, answer.text[:300]
    return answer.text


def test_what_to_say_and_what_is_open(dashboard, sample, rows):
    client = dashboard(sample)
    for row in rows(sample, "select * from gold.deals where status = 'open'"):
        text = html.unescape(body(client, f"/customers/{row['customer_id']}"))
        told = text.split("Before you call")[1].split("</section>")[0]
        (account,) = rows(
            sample, f"select next_step from gold.customer_features where customer_id = '{row['customer_id']}'"
        )
        assert account["next_step"] in told
        late = row["expected_close_date"] is not None and row["expected_close_date"] < row["as_of"]
        assert (f"{row['lead_id']} was expected to close on {row['expected_close_date']}" in told) == late
        assert re.search(r"<dt>Say</dt><dd>[A-Z]", told)


@pytest.mark.parametrize(
    ("direction", "channel", "says", "open_point"),
    [
        ("inbound", "call", "I am sorry that I missed your call on", "They tried to reach us on"),
        ("inbound", "email", "You wrote to us on", "They tried to reach us on"),
        ("outbound", "call", "I tried to reach you by phone on", "was not answered"),
    ],
)
def test_who_tried_to_reach_whom_is_one_on_every_page(
    dashboard, own_sample, rows, direction, channel, says, open_point
):
    keys = ("lead_id", "customer_id", "interaction_id")
    ((lead, customer, touch),) = [[row[name] for name in keys] for row in rows(
        own_sample, "select lead_id, customer_id, interaction_id from silver.interactions_clean i join gold.deals d "
        "using (lead_id, customer_id) where status = 'open' and occurred_at < as_of order by occurred_at desc limit 1")]  # fmt: skip
    own = own_sample.path("silver.interactions_clean")
    changes = {"direction": f"'{direction}'", "channel": f"'{channel}'", "outcome": "'no_answer'"}
    DeltaTable(own).update(updates=changes, predicate=f"interaction_id = '{touch}'")
    DeltaTable(own).delete(f"customer_id = '{customer}' and interaction_id <> '{touch}'")
    publishing.publish(own_sample, "run")
    client = dashboard(own_sample)
    for address in (f"/customers/{customer}", f"/deals/{lead}"):
        told = html.unescape(body(client, address)).split("Before you call")[1].split("</section>")[0]
        assert says in told
        assert open_point in told


def test_people_are_called_and_written_to_as_they_allow(dashboard, own_sample):
    people = [{**ADA, "customer_id": "C001"}, {**BEN, "customer_id": "C001"}]
    activity = [
        {"contact_id": one["contact_id"], "customer_id": "C001", "role": "decision_maker", "consent": consent, "language": "en",
         "touches": 3, "last_touch_at": NOW.replace(tzinfo=UTC), "open_leads": 1}
        for one, consent in zip(people, ("granted", "denied"), strict=True)
    ]  # fmt: skip
    write_deltalake(own_sample.path("silver.contacts_clean"), pa.Table.from_pylist(people))
    write_deltalake(own_sample.path("gold.contact_activity"), pa.Table.from_pylist(activity))
    deals = [{"lead_id": "L-1", "customer_id": "C001", "status": "open", "contacts": 4, "contacts_touched": 1}]
    write_deltalake(own_sample.path("gold.deal_people"), pa.Table.from_pylist(deals))
    publishing.publish(own_sample, "run")
    text = body(dashboard(own_sample, pii=True), "/customers/C001")
    assert 'href="mailto:ada%40example.com"' in text
    assert 'href="tel:%2B1555010"' in text
    assert "ben@example.com" in text
    assert "mailto:ben" not in text
    assert "tel:%2B1555011" not in text
    assert "Ben &lt;b&gt;Ito" in text
    assert "L-1: 1 of 4 contacts were touched." in text
    without = body(dashboard(own_sample), "/customers/C001")
    assert not [one for person in (ADA, BEN) for one in person.values() if one and len(one) > 2 and one in without]
    assert "decision maker" in without


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))


def test_notes_stand_in_the_time_line_by_permission(dashboard, sample, rows):
    (row,) = rows(
        sample, "select customer_id, notes from silver.interactions_clean where notes is not null and customer_id = 'C001' order by occurred_at desc limit 1"
    )  # fmt: skip
    assert f'<q class="whole">{html.escape(row["notes"])}</q>' in body(dashboard(sample, pii=True), "/customers/C001")
    assert row["notes"] not in html.unescape(body(dashboard(sample), "/customers/C001"))


def test_a_deal_has_a_page_of_its_own(dashboard, sample, rows):
    """Its value, what is open, its stages, and of what happened that which names it and nothing else."""
    client = dashboard(sample)
    every = rows(sample, "select * from gold.deals order by lead_id")
    touches = rows(
        sample, "select lead_id, count(*) as n from silver.interactions_clean where lead_id is not null group by 1"
    )
    named = {row["lead_id"]: row["n"] for row in touches}
    for row in every:
        text = html.unescape(body(client, f"/deals/{row['lead_id']}"))
        assert figures.money(row["deal_value"], "USD") in text
        assert ("Before you call" in text) == (row["status"] == "open")
        line = text.split('id="line"')[1]
        assert line.count('class="touch"') == named.get(row["lead_id"], 0), row["lead_id"]
        assert not [other for other in every if other != row and f"· {other['lead_id']} " in line]
    assert client.get("/deals/nobody").status_code == 404
    (deal,) = rows(sample, "select lead_id from gold.deals where status = 'open' order by lead_id limit 1")
    assert f'href="/deals/{deal["lead_id"]}"' in body(client, "/pipeline")


def test_people_of_a_deal_are_those_whom_the_export_names(dashboard, own_sample, rows):
    (deal,) = rows(
        own_sample, "select lead_id, customer_id from gold.deals where status = 'open' order by lead_id limit 1"
    )
    people = [{**one, "customer_id": deal["customer_id"]} for one in (ADA, BEN)]
    others = [{"contact_id": f"K{number:03}", "customer_id": deal["customer_id"]} for number in range(60)]
    activity = [
        {"contact_id": one["contact_id"], "customer_id": deal["customer_id"], "role": "user", "consent": "granted", "language": "en",
         "touches": 3, "last_touch_at": NOW.replace(tzinfo=UTC) - timedelta(days=place), "open_leads": 1}
        for place, one in enumerate([*others, *people])
    ]  # fmt: skip
    links = [{"deal_contact_id": "1", "lead_id": deal["lead_id"], "contact_id": "K1", "role": "decision_maker"}]
    for name, made in (
        ("silver.contacts_clean", people),
        ("gold.contact_activity", activity),
        ("silver.deal_contacts_clean", links),
    ):
        write_deltalake(own_sample.path(name), pa.Table.from_pylist(made))
    publishing.publish(own_sample, "run")
    text = body(dashboard(own_sample, pii=True), f"/deals/{deal['lead_id']}")
    assert "mailto:ada%40example.com" in text
    assert "decision maker" in text
    assert "ben@example.com" not in text
    assert "ada@example.com" not in body(dashboard(own_sample), f"/deals/{deal['lead_id']}")
