"""Properties that hold for whatever is thrown at them."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import NOW
from medallion.cells import arrays, plain
from medallion.contracts import Column, Filling, entities
from medallion.contracts.dates import inference

CALM = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)


#: Kinds of columns that the shipped contracts do not have, and ways to fill one.
KINDS = (
    *(Column("cell", "string", kind=kind) for kind in ("text", "free_text", "identifier", "code", "email", "phone")),
    *(Column("cell", type_, kind="money") for type_ in ("double", "bigint", "string", "decimal(5,1)", "decimal(38,0)")),
    Column(
        "cell", "timestamp", kind="timestamp", date_formats=inference.declared("day", 1950, "ms", 1900, "Europe/Berlin")
    ),
)
FILLINGS = (
    Filling(column="cell"),
    Filling(column="cell", decimal_comma=True),
    Filling(column="cell", values={"a": "1"}, otherwise="0"),
)


def read(texts, column, filling=FILLINGS[0]):
    return arrays.reader(column, filling)(pa.array(texts, pa.string()))


@CALM
@given(st.lists(TEXT, min_size=1, max_size=60))
def test_reading_never_fails(texts):
    for column in (*KINDS, *(column for entity in entities().values() for column in entity.columns)):
        for filling in FILLINGS:
            found = read(texts, column, filling)
            one = plain.plain(column, filling)
            assert found.equals(pa.array([one(text) for text in texts], found.type))


@CALM
@given(st.lists(st.decimals(0, 10**12, places=2, allow_nan=False), min_size=1, max_size=60))
def test_money_reads_what_is_written(amounts):
    forms = ["{}", "${:,}", "USD {:,}", " {} ", "({:,})", "{:,} USD"]
    texts = [forms[i % 6].format(amount) for i, amount in enumerate(amounts)]
    expected = [-amount if i % 6 == 4 else amount for i, amount in enumerate(amounts)]
    assert read(texts, Column("cell", "decimal(18,2)", kind="money")).to_pylist() == expected


@CALM
@given(st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)), min_size=1, max_size=60))
def test_timestamps_read_what_is_written(timestamps):
    whole = [timestamp.replace(second=0, microsecond=0) for timestamp in timestamps]
    forms = [
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M:00Z",
        "%m/%d/%Y %H:%M",
        "%Y/%m/%d %H:%M",
        "%d %b %Y %H:%M",
        "%b %d, %Y %H:%M",
    ]
    texts = [timestamp.strftime(forms[i % len(forms)]) for i, timestamp in enumerate(whole)]
    found = read(texts, Column("cell", "timestamp", kind="timestamp")).to_pylist()
    assert [value.replace(tzinfo=None) for value in found] == whole


VERSION = st.tuples(
    st.sampled_from(["A", "B", "C", "D", "E"]),  # key
    st.one_of(st.none(), st.integers(0, 3)),  # version time
    st.integers(0, 2),  # value
    st.booleans(),  # refused
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(VERSION, min_size=1, max_size=12), min_size=1, max_size=3))
@pytest.mark.slow
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
        conflicting = silver.conflicting_keys(staged, history, entity)
        if number % 2:  # as a run has them where they are few
            conflicting = [row["key_hash"] for row in conflicting.collect()]
        told = silver.outcomes(staged, conflicting, history, entity)
        judged = [row.asDict() for row in told.collect()]
        accounts = Counter(row["_outcome"] for row in judged)
        assert accounts.total() + sum(1 for row in rows if row[3]) == len(rows)
        assert {row["_source_row"]: row["_outcome"] for row in judged} == model(known, rows)
        known += [row for row in rows if not row[3]]
        added = silver.versions(told)
        kept = spark.createDataFrame([tuple(row) for row in added.collect()], added.schema)
        history = kept if history is None else history.unionByName(kept)
    latest = {key: max((r for r in known if r[0] == key), key=order)[2] for key in {row[0] for row in known}}
    if history is not None and known:
        found = silver.rewind(history, entity, F.lit("2100-01-01").cast("timestamp"), None)
        assert {row["lead_id"]: row["deal_value"] for row in found.collect()} == latest


def order(row):
    """Oldest version time first, none before any, then first known, then place."""
    return (row[1] is not None, row[1] or datetime.min, row[4], row[7])


def model(known, rows):
    """Account of each valid row: a repeat of its predecessor in order, else the newest of its key or not."""
    fresh = [row for row in rows if not row[3]]
    found = {}
    for key in {row[0] for row in fresh}:
        line = sorted((row for row in (*known, *fresh) if row[0] == key), key=order)
        repeats = [later for earlier, later in pairwise(line) if (earlier[1], earlier[2]) == (later[1], later[2])]
        newest = [row for row in line if row not in repeats][-1]
        for row in line:
            if row in fresh:
                found[row[7]] = "duplicate" if row in repeats else "accepted" if row is newest else "superseded"
    return found


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r", exclude_categories=("Cs",)), max_size=6)
#: Too many cells, the last of them not blank: where all records end with a delimiter, it is no cell.
OTHER = st.lists(CELL, min_size=1, max_size=5).filter(lambda cells: len(cells) <= 3 or cells[-1].strip() != "")
RECORDS = st.lists(st.one_of(st.lists(CELL, min_size=3, max_size=3), OTHER, st.just([])), max_size=25)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RECORDS, st.sampled_from([",", ";", "\t", "|"]), st.sampled_from(["\n", "\r\n"]), st.sampled_from([64, 1 << 20]))
def test_records_and_lines_are_those_of_the_csv_module(tmp_path, records, delimiter, end, block):
    """Whatever is written comes back cell for cell, on its line; what does not split is kept whole."""
    import csv
    import io

    import pyarrow as pa

    from medallion import bronze, contracts, sources
    from medallion.sources import parsing

    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerow(["product_id", "product_name", "category"])
    expected = []
    for record in records:
        line = text.getvalue().count("\n") + 1
        writer.writerow(record)
        if any(record) or record == [""]:  # the last is written as "", which is a cell
            expected.append((line, tuple(record) if len(record) == 3 else None))
    (tmp_path / "products.csv").write_bytes(text.getvalue().encode())
    longest = max((len(",".join(record).encode()) for record in records), default=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "_BLOCK", max(block, 4 * longest + 64))
        (file,) = sources.scan(str(tmp_path), contracts.entities()).files
        batches = list(parsing.parse(file, bronze.columns_of([file])))
    rows = pa.Table.from_batches(batches).to_pylist() if batches else []
    found = [
        (r["_source_row"], None if r["_malformed"] else (r["product_id"], r["product_name"], r["category"]))
        for r in rows
    ]
    assert sorted(found, key=lambda row: row[0]) == expected


PLAIN = st.text('ab1 ,"\n', max_size=4)


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["A", "B", " a", "#", ""]), PLAIN), min_size=1, max_size=30))
def test_every_row_of_a_file_is_in_the_tables(spark, tmp_path_factory, records):
    """The whole pipeline on any file: what the csv module counts is what is accounted for, table by table."""
    import csv

    from medallion import pipeline
    from medallion.config import load
    from medallion.lakehouse import query
    from medallion.lakehouse.store import Lakehouse

    folder = tmp_path_factory.mktemp("any")
    with (folder / "customers.csv").open("w", newline="") as out:
        csv.writer(out).writerows([("customer_id", "customer_name"), *records])
    lake = Lakehouse(str(folder / "lakehouse"))
    # accepted, since keys that differ by case alone may hold the file back
    given = load(None, source=str(folder), lakehouse=lake.root, accept=True)
    (account,) = pipeline.run(given, NOW, stages=[pipeline.BRONZE_TO_SILVER]).accounts
    count = "select count(*) as n from {}"
    with query.connect(lake) as connection:
        kept = query.rows(connection, count.format("silver.customers_history"))[0]["n"]
        clean = query.rows(connection, "select customer_id from silver.customers_clean")
        refused = query.rows(connection, count.format("silver.quarantine"))[0]["n"]
    good = [key.strip().upper() for key, name in records if key.strip(" ") in ("A", "B", "a") and name.strip()]
    assert account["rows_read"] == sum(1 for record in records if any(record))
    assert account["rows_read"] == kept + refused + account["duplicate"]
    assert refused == account["rows_read"] - len(good)
    assert {row["customer_id"] for row in clean} == set(good)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
