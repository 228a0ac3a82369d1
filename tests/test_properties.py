"""Properties that hold for whatever is thrown at them."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import NOW

CALM = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)


def computed(spark, texts, function):
    from pyspark.sql import functions as F

    frame = spark.createDataFrame(list(enumerate(texts)), "n int, text string")
    return [row.value for row in frame.select("n", function(F.col("text")).alias("value")).orderBy("n").collect()]


@CALM
@given(st.lists(TEXT, min_size=1, max_size=60))
def test_reading_never_fails(spark, texts):
    from medallion import columns as words
    from medallion.contracts.model import DATE_FORMATS

    for function in (words.money, words.integer, words.squish, words.identifier, words.code, words.phone, words.email):
        computed(spark, texts, function)
    computed(spark, texts, lambda c: words.parse_timestamp(c, DATE_FORMATS))


@CALM
@given(st.lists(st.decimals(0, 10**12, places=2, allow_nan=False), min_size=1, max_size=60))
def test_money_reads_what_is_written(spark, amounts):
    from medallion import columns as words

    forms = ["{}", "${:,}", "USD {:,}", " {} ", "({:,})", "{:,} USD"]
    texts = [forms[i % 6].format(amount) for i, amount in enumerate(amounts)]
    expected = [-amount if i % 6 == 4 else amount for i, amount in enumerate(amounts)]
    assert computed(spark, texts, words.money) == expected


@CALM
@given(st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)), min_size=1, max_size=60))
def test_timestamps_read_what_is_written(spark, moments):
    from medallion import columns as words
    from medallion.contracts.model import DATE_FORMATS

    whole = [moment.replace(second=0, microsecond=0) for moment in moments]
    forms = [
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M:00Z",
        "%m/%d/%Y %H:%M",
        "%Y/%m/%d %H:%M",
        "%d %b %Y %H:%M",
        "%b %d, %Y %H:%M",
    ]
    texts = [moment.strftime(forms[i % len(forms)]) for i, moment in enumerate(whole)]
    assert computed(spark, texts, lambda c: words.parse_timestamp(c, DATE_FORMATS)) == whole


VERSION = st.tuples(
    st.sampled_from(["A", "B", "C", "D", "E"]),  # key
    st.one_of(st.none(), st.integers(0, 3)),  # version time
    st.integers(0, 2),  # value
    st.booleans(),  # refused
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(VERSION, min_size=1, max_size=12), min_size=1, max_size=3))
def test_every_row_of_random_batches_is_in_one_account(spark, deliveries):
    """The engine's accounts are those of a plain model that goes through the rows one by one."""
    from pyspark.sql import functions as F

    from medallion import contracts, silver

    entity = contracts.entities()["leads"]
    day = datetime(2025, 1, 1)
    history = None
    known: list[tuple] = []
    for number, delivery in enumerate(deliveries):
        now = NOW + timedelta(days=number)
        rows = [
            (
                key,
                None if version is None else day + timedelta(days=version),
                Decimal(value),
                refused,
                now,
                f"b{number}",
                "f",
                place,
            )
            for place, (key, version, value, refused) in enumerate(delivery)
        ]
        schema = "lead_id string, updated_at timestamp, deal_value decimal(18,2), refused boolean, known_at timestamp, _batch_id string, _source_file string, _source_row bigint"
        raw = spark.createDataFrame(rows, schema)
        have = {"lead_id", "updated_at", "deal_value", "known_at", "_batch_id", "_source_file", "_source_row"}
        staged = raw.select(
            *(F.col(c.name) if c.name in have else F.lit(None).cast(c.type).alias(c.name) for c in entity.columns),
            "known_at", "_batch_id", "_source_file", "_source_row",
            F.xxhash64("lead_id", "updated_at", "deal_value").alias("_version_hash"),
            F.when(F.col("refused"), F.array(F.lit("no"))).alias("_reasons"),
        )  # fmt: skip
        judged = [row.asDict() for row in silver.outcomes(staged, history, entity).collect()]
        accounts = Counter(row["_outcome"] for row in judged)
        assert accounts.total() + sum(1 for row in rows if row[3]) == len(rows)
        assert {row["_source_row"]: row["_outcome"] for row in judged} == model(known, rows)
        known += [row for row in rows if not row[3]]
        added = silver.versions(silver.outcomes(staged, history, entity))
        kept = spark.createDataFrame([tuple(row) for row in added.collect()], added.schema)
        history = kept if history is None else history.unionByName(kept)
    latest = {key: max((r for r in known if r[0] == key), key=order)[2] for key in {row[0] for row in known}}
    if history is not None and known:
        found = silver.rewind(history, entity, F.lit("2100-01-01").cast("timestamp"), None)
        assert {row["lead_id"]: row["deal_value"] for row in found.collect()} == latest


def order(row):
    """Newest version time, then first known among equals is no rival, then last known, then place."""
    return (row[1] is not None, row[1] or datetime.min, row[4], row[7])


def model(known, rows):
    """Account of each valid row by going through them in the order of arrival."""
    found, seen = {}, {(row[0], row[1], row[2]) for row in known}
    versions = {}
    for row in known:
        if row[0] not in versions or order(row) > order(versions[row[0]]):
            versions[row[0]] = row
    fresh = []
    for row in rows:
        if row[3]:
            continue
        if (row[0], row[1], row[2]) in seen:
            found[row[7]] = "duplicate"
        else:
            seen.add((row[0], row[1], row[2]))
            fresh.append(row)
            if row[0] not in versions or order(row) > order(versions[row[0]]):
                versions[row[0]] = row
    for row in fresh:
        found[row[7]] = "accepted" if versions[row[0]] is row else "superseded"
    return found


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
