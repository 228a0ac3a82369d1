"""Deals that wait for exchange rates: once they are out of date they wait no longer."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from conftest import NOW
from medallion import contracts
from medallion.contracts import Filling
from medallion.contracts.filling import COMPLETE
from medallion.lakehouse import query
from medallion.pipeline import awaiting, batches
from medallion.pipeline.batches import Batch
from medallion.sources import SourceFile

MAPPING = {"lead_id": Filling(column="id"), "updated_at": Filling(column="changed")}
WHOLE = {**MAPPING, COMPLETE: Filling(value="deals*")}
REFUSED, OTHERWISE = ["currency.accepted"], ["deal_value.readable"]


def waiting(*days, mapping=MAPPING, taken_up=False, version=None):
    """Who waits, as (key, day), after deliveries of rows (key, why refused or None, when changed), one a day in a file of one name."""
    known, entity = [], contracts.entities()["leads"]
    with query.empty() as connection:
        connection.execute(
            "create table bronze.leads (id varchar, changed varchar, _batch_id varchar, _source_file varchar, _source_row bigint)"
        )
        connection.execute(
            "create table silver.leads_history (lead_id varchar, updated_at timestamp, known_at timestamp, _batch_id varchar, "
            "_source_file varchar, _source_row bigint, _outcome varchar)"
        )
        connection.execute(
            "create table silver.quarantine (quarantine_id varchar, entity varchar, record_key varchar, failed_checks varchar[], "
            "source_file varchar, source_row bigint, raw varchar, known_at timestamp, batch_id varchar, resolved_by varchar)"
        )  # fmt: skip
        for day, rows in enumerate(days):
            file = SourceFile("/in/deals.csv", "deals.csv", "leads", "csv", str(day), 1, mapping=mapping)
            batch = replace(Batch.of((file,), NOW + timedelta(days=day)), state=batches.FINISHED)
            known.append(batch)
            for line, (key, why, *told) in enumerate(rows, 2):
                place = [batch.batch_id, "deals.csv", line]
                connection.execute(
                    "insert into bronze.leads values (?, ?, ?, ?, ?)",
                    [f" {key.lower()}\u00a0", *(told or [None]), *place],
                )
                if why:
                    mine = [
                        f"{day}-{line}",
                        "leads",
                        key,
                        why,
                        "deals.csv",
                        line,
                        json.dumps({"changed": told[0] if told else None}),
                        batch.known_at,
                        batch.batch_id,
                        None,
                    ]
                    connection.execute("insert into silver.quarantine values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", mine)
        if taken_up:  # refused once more: it is no newer than it was
            again = replace(
                Batch.again(known[0], known[0].files, ["0-2"], NOW + timedelta(days=9)), state=batches.FINISHED
            )
            known.append(again)
            connection.execute(
                "update silver.quarantine set batch_id = ?, known_at = ?", [again.batch_id, again.known_at]
            )
        if version:
            connection.execute(
                "insert into silver.leads_history values (?, ?, ?, 'b', 'other.csv', 2, ?)",
                [*version, NOW + timedelta(days=1), "accepted"],
            )
        there = {"silver.quarantine", "silver.leads_history", "bronze.leads"}
        found = awaiting.deals(connection, there, known, entity)
        return [(row["record_key"], row["quarantine_id"]) for row in found]


CASES = [
    # deliveries -> who waits
    ("a later version", [[("L1", REFUSED)], [("L1", None)]], []),
    ("a later version in one file", [[("L1", REFUSED), ("L1", None)]], []),
    ("an earlier version", [[("L1", None)], [("L1", REFUSED)]], [("L1", "1-2")]),
    ("what was before, once more", [[("L1", None)], [("L1", REFUSED)], [("L1", None)]], []),
    ("of several the oldest first", [[("L1", REFUSED)], [("L1", REFUSED)]], [("L1", "0-2"), ("L1", "1-2")]),
    ("a later one that cannot be read", [[("L1", REFUSED)], [("L1", OTHERWISE)]], [("L1", "0-2")]),
    (
        "a later one of an older version",
        [[("L1", REFUSED, "2025-03-01")], [("L1", None, "2025-01-01")]],
        [("L1", "0-2")],
    ),
    (
        "a later one of an older hour",
        [[("L1", REFUSED, "1/3/2025 11:00")], [("L1", None, "1/3/2025 9:00")]],
        [("L1", "0-2")],
    ),
    ("a later one that says no version", [[("L1", REFUSED, "2025-03-01")], [("L1", None, "")]], [("L1", "0-2")]),
    ("a later one of the same version", [[("L1", REFUSED, "2025-03-01")], [("L1", None, "2025-03-01")]], []),
    (
        "a later one of the same instant",
        [[("L1", REFUSED, "2025-03-01")], [("L1", None, "2025-03-01T01:00:00+01:00")]],
        [],
    ),
    ("a later one of the same day", [[("L1", REFUSED, "2025-03-01")], [("L1", None, "01/03/2025")]], []),
    ("a later one of a newer version", [[("L1", REFUSED, "2025-03-01")], [("L1", None, "2025-03-02")]], []),
    ("others", [[("L1", REFUSED)], [("L2", None)]], [("L1", "0-2")]),
]


@pytest.mark.parametrize(("days", "waits"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_deal_waits_until_a_later_record_of_it_can_be_read(days, waits):
    assert waiting(*days) == waits


def test_a_deal_that_a_later_complete_delivery_lacks_has_ended():
    assert waiting([("L1", REFUSED), ("L2", REFUSED)], [("L2", OTHERWISE)], mapping=WHOLE) == [("L2", "0-3")]
    assert waiting([("L1", REFUSED)], [("L2", None)], [("L1", REFUSED)], mapping=WHOLE) == [
        ("L1", "0-2"),
        ("L1", "2-2"),
    ]


def test_what_is_reprocessed_in_vain_is_as_old_as_it_was():
    assert waiting([("L1", REFUSED)], [("L1", None)], taken_up=True) == []


def test_versions_tell_of_keys_that_no_column_has_as_they_are():
    mapping = {"lead_id": Filling(sql="concat('L', id)")}
    assert waiting([("L1", REFUSED), ("L2", REFUSED)], [], mapping=mapping, version=("L1", None)) == [("L2", "0-3")]
    dated = {**mapping, "updated_at": Filling(column="changed")}
    days = [("L1", REFUSED, "2025-03-01")], []
    assert waiting(*days, mapping=dated, version=("L1", datetime(2025, 4, 1))) == []
    assert waiting(*days, mapping=dated, version=("L1", datetime(2025, 1, 1))) == [("L1", "0-2")]
