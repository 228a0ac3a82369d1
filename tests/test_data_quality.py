"""Checks: what is refused, what is tolerated and counted, and what the quality metrics say of it."""

from __future__ import annotations

from datetime import timedelta

try:
    import pytest

    from conftest import NOW
except ModuleNotFoundError as missing:
    raise SystemExit(f"{missing}. In the root of the repository run: pip install -r config/requirements.txt") from None

CUSTOMERS = "customer_id,customer_name,employee_count,created_at\n"
TOUCHES = "interaction_id,customer_id,lead_id,channel,occurred_at,outcome,duration_minutes\n"
GOOD = "I1,C1,,call,2025-06-01,positive,5"

CASES = [
    # record                                              -> refused because of             tolerated
    (GOOD, [], []),
    (",C1,,call,2025-06-01,positive,5", ["interaction_id.null"], []),
    ("I 1,C1,,call,2025-06-01,positive,5", [], []),  # white space in a key is cleaned away
    ("#%!,C1,,call,2025-06-01,positive,5", ["interaction_id.pattern"], []),
    ("I1,,,call,2025-06-01,positive,5", ["customer_id.null"], []),
    ("I1,C2,,call,2025-06-01,positive,5", ["customer_id.reference"], []),
    ("I1,C1,L9,call,2025-06-01,positive,5", [], []),  # no leads known at all: nothing to refer to
    ("I1,C1,,pigeon,2025-06-01,positive,5", [], ["channel.accepted"]),
    ("I1,C1,,,2025-06-01,positive,5", ["channel.null"], []),
    ("I1,C1,,call,31/02/2025,positive,5", ["occurred_at.readable"], []),
    ("I1,C1,,call,,positive,5", ["occurred_at.null"], []),
    ("I1,C1,,call,2099-01-01,positive,5", ["occurred_at.future"], []),
    ("I1,C1,,call,2025-06-01,great,5", ["outcome.accepted"], []),
    ("I1,C1,,call,2025-06-01,positive,ages", [], ["duration_minutes.readable"]),
    ("I1,C1,,call,2025-06-01,positive,-5", ["duration_minutes.range"], []),
    ("#,C2,,pigeon,soon,great,x", ["interaction_id.pattern", "customer_id.reference", "occurred_at.readable", "outcome.accepted"], ["channel.accepted", "duration_minutes.readable"]),
    ("I1,C1,call", ["record.shape"], []),
]  # fmt: skip


@pytest.fixture(scope="module")
def conformed(spark, tmp_path_factory):
    """All cases in one batch: staged rows by line."""
    from medallion import bronze, contracts, silver, sources

    folder = tmp_path_factory.mktemp("cases")
    (folder / "interactions.csv").write_text(TOUCHES + "".join(f"{record}\n" for record, _, _ in CASES))
    (file,) = sources.scan(str(folder), contracts.entities()).files
    import json

    listed = spark.createDataFrame([(json.dumps(file.as_dict()),)], "file string")
    raw = bronze.rows(listed, bronze.columns_of([file]), "b1", NOW.isoformat(sep=" "))
    known = spark.createDataFrame([("C1",)], "_key string")
    entity = contracts.entities()["interactions"]
    found = silver.readings(raw, entity, bronze.mapping_of([file]))
    orphan_keys = silver.orphan_keys(found, {"customer_id": known})
    staged = silver.conform(found, entity, {"customer_id": orphan_keys})
    return {row["_source_row"]: row.asDict() for row in staged.collect()}


@pytest.mark.parametrize("line", range(2, len(CASES) + 2), ids=[record for record, _, _ in CASES])
def test_checks(conformed, line):
    _, refused, tolerated = CASES[line - 2]
    row = conformed[line]
    assert sorted(row["_failed_checks"] or []) == sorted([*refused, *tolerated])
    assert len(row["_reasons"] or []) == len(refused)
    for reason, code in zip(row["_reasons"] or [], refused, strict=True):
        assert reason.startswith(code.split(".")[0] + ": ")
    assert (row["_raw"] is not None) == bool(refused)


def test_messages_name_the_value(conformed):
    assert conformed[11]["_reasons"] == ["occurred_at: cannot be read as a date and time: '31/02/2025'"]
    assert conformed[18]["_raw"] == '{"_record":"I1,C1,call"}'


def test_quality_metrics(to_silver, rows):
    _, lake = to_silver(
        {
            "customers.csv": CUSTOMERS + "C1,Acme,10,2025-01-01\nC2,Bolt,some,2025-01-01\nC2,Bolt,some,2025-01-01\n,None,1,2025-01-01\n",
            "interactions.csv": TOUCHES + GOOD + "\nI2,C9,,pigeon,2025-06-30 20:00,neutral,\nI3,C1,,fax,2025-06-01,great,1\n",
        },
        accept=True,  # more unknown channels than slips
    )  # fmt: skip
    found = rows(lake, "select entity, column_name, metric, rows, failed, value from ops.quality_metrics")
    by_name = {
        (row["entity"], row["column_name"], row["metric"]): (row["rows"], row["failed"], row["value"]) for row in found
    }
    assert by_name["customers", "customer_id", "completeness"] == (4, 1, 0.75)
    assert by_name["customers", "customer_id", "uniqueness"] == (4, 1, 0.75)
    assert by_name["customers", "employee_count", "validity"] == (4, 2, 0.5)
    assert by_name["interactions", "customer_id", "integrity"] == (3, 1, 0.666667)
    assert by_name["interactions", "channel", "validity"] == (3, 2, 0.333333)
    assert by_name["interactions", "outcome", "validity"] == (3, 1, 0.666667)
    assert by_name["interactions", "duration_minutes", "completeness"] == (3, 1, 0.666667)
    # the newest valid touch is on June 1st, since I2 is refused: 30 days and 8 hours before the reading
    assert by_name["interactions", "", "freshness"] == (3, None, 728.0)


def test_accounts_balance_in_the_tables(sample, rows):
    for row in rows(sample, "select * from ops.row_accounts"):
        assert row["rows_read"] == row["accepted"] + row["duplicate"] + row["superseded"] + row["quarantined"]
        assert row["balanced"]


def test_a_late_parent_lets_new_rows_in(to_silver, rows):
    refused, lake = to_silver(
        {"customers.csv": CUSTOMERS + "C1,Acme,,\n", "interactions.csv": TOUCHES + GOOD.replace("C1", "C2") + "\n"}
    )
    assert refused.accounts[1]["quarantined"] == 1
    accepted, _ = to_silver(
        {"customers.csv": CUSTOMERS + "C2,Bolt,,\n", "interactions.csv": TOUCHES + GOOD.replace("C1", "C2") + "\n\n"},
        now=NOW + timedelta(days=1),
    )
    assert accepted.accounts[1]["accepted"] == 1
    assert rows(lake, "select count(*) as n from silver.interactions_clean") == [{"n": 1}]


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
