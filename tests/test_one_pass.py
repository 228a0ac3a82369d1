"""Several tables from one pass over their rows: what is in the files, in the log, and after a kill."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medallion import door
from medallion.contracts import Column, Table
from medallion.lakehouse import commits, onepass, places, store
from medallion.lakehouse.store import Lakehouse

SHARED = (
    Column("id", "string"),
    Column("amount", "decimal(18,2)"),
    Column("at", "timestamp"),
    Column("tags", "array<string>"),
)
EVERY = Table(
    "silver.all_rows", "one row per row", "", ("id",), (*SHARED, Column("kept", "boolean"), Column("gone", "int"))
)
SOME = Table("silver.some_rows", "one row per row", "", ("id",), SHARED)
TABLES = {EVERY: "true", SOME: "kept"}
AT = datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)
ROWS = [("a", Decimal("1.50"), AT, ["x", None], True), ("b", None, None, None, False), ("c", Decimal(-2), AT, [], None)]
SCHEMA = "id string, amount decimal(18,2), at timestamp, tags array<string>, kept boolean"


@pytest.fixture
def lake(tmp_path):
    return Lakehouse(str(tmp_path / "lakehouse"))


def content(lake, table):
    return sorted(lake.delta(table.name).to_pyarrow_table().to_pylist(), key=lambda row: row["id"])


def save(spark, lake, rows=ROWS, **options):
    store.save_files(spark.createDataFrame(rows, SCHEMA), spark, lake, TABLES, **options)


def test_each_table_has_its_rows_and_columns_as_the_engine_would_write_them(spark, tmp_path, lake, monkeypatch):
    save(spark, lake)
    assert [row["id"] for row in content(lake, EVERY)] == ["a", "b", "c"]
    assert content(lake, SOME) == [{"id": "a", "amount": Decimal("1.50"), "at": AT, "tags": ["x", None]}]
    by_engine = Lakehouse(str(tmp_path / "by_engine"))
    with monkeypatch.context() as patch:
        patch.setattr(store, "_takes_files", lambda *_: False)
        save(spark, by_engine)
    for table in TABLES:
        assert content(lake, table) == content(by_engine, table)
        assert lake.delta(table.name).schema() == by_engine.delta(table.name).schema()
        read = [
            store.read(spark, one, table.name).selectExpr("*", "amount + 1", "cast(at as string)")
            for one in (lake, by_engine)
        ]
        assert sorted(map(str, read[0].collect())) == sorted(map(str, read[1].collect()))


def test_rows_are_added_or_take_the_place_of_others(spark, lake):
    save(spark, lake)
    save(spark, lake)
    assert len(content(lake, EVERY)) == 6
    save(spark, lake, ROWS[:1], append=False)
    assert [len(content(lake, table)) for table in TABLES] == [1, 1]
    save(spark, lake, [], append=False)
    assert [len(content(lake, table)) for table in TABLES] == [0, 0]


def test_a_table_that_is_replaced_may_have_other_columns_by_then(spark, lake):
    save(spark, lake)
    wider = [Column("amount", "string") if column.name == "amount" else column for column in EVERY.columns]
    other = Table(EVERY.name, EVERY.grain, "", EVERY.key, tuple(wider))
    frame = spark.createDataFrame([("d", "much")], "id string, amount string")
    store.save_files(frame, spark, lake, {other: "true"}, append=False)
    assert [row["amount"] for row in content(lake, EVERY)] == ["much"]


def test_few_rows_are_one_file_however_many_tasks_they_pass(spark, lake):
    frame = spark.createDataFrame(ROWS, SCHEMA)
    store.save_files(frame.unionByName(frame).unionByName(frame), spark, lake, {EVERY: "true"})
    assert len(content(lake, EVERY)) == 9
    assert len(lake.delta(EVERY.name).file_uris()) == 1


def test_files_come_first_and_commits_last_in_the_order_of_the_tables(spark, lake, monkeypatch):
    passed = []

    @contextmanager
    def through(path):
        yield
        files = [len(list(Path(lake.path(table.name)).glob("*.parquet"))) for table in TABLES]
        passed.append((Path(path).name, files, [lake.version(table.name) for table in TABLES]))

    for table in TABLES:
        store.create(spark, lake, table)
    monkeypatch.setattr(door, "through", through)
    save(spark, lake)
    assert passed == [("all_rows", [1, 1], [0, 0]), ("all_rows", [1, 1], [1, 0]), ("some_rows", [1, 1], [1, 1])]
    left = [places.is_data_file(path) for path in Path(lake.root).rglob("*.parquet")]
    assert left == [True, True]  # so that what a kill leaves is removed by upkeep


def test_a_commit_says_how_many_files_it_adds(spark, lake):
    save(spark, lake)
    log = Path(lake.path(SOME.name), "_delta_log", f"{1:020}.json")
    lines = log.read_text().splitlines()
    assert commits.damage(lake, SOME.name) is None
    log.write_text("\n".join(line for line in lines if '"add"' not in line) + "\n")
    assert "0 of 1 files to add" in commits.damage(lake, SOME.name).says


def test_a_pass_that_fails_leaves_no_file(tmp_path):
    schema = pa.schema([("id", pa.int64())])
    write = onepass.written_to({"t": str(tmp_path)}, {"t": schema})

    def batches():
        for _ in range(5):
            yield pa.record_batch({"id": pa.array(range(1 << 16))})
        raise ValueError("the file ends here")

    with pytest.raises(ValueError, match="ends here"):
        list(write(batches()))
    assert list(tmp_path.iterdir()) == []


def test_bounds_in_the_log_hold_though_they_are_rounded(tmp_path):
    columns = {
        "text": ["b" * 40, "a" * 40],
        "time": pa.array(
            [datetime(2024, 1, 1, 0, 0, 0, 1001), datetime(2024, 1, 1, 0, 0, 0, 2500)], pa.timestamp("us", "UTC")
        ),
        "day": [date(2024, 1, 2), None],
        "amount": pa.array([Decimal("0.10"), Decimal("9999999999999999.99")], pa.decimal128(18, 2)),
        "whole": [3, -3],
        "none": pa.nulls(2, pa.string()),
        "list": [["x"], None],
        "not_finite": [float("inf"), float("-inf")],
    }
    table = pa.table(columns)
    pq.write_table(table, tmp_path / "one.parquet", store_decimal_as_integer=True)
    found = onepass.statistics(pq.read_metadata(tmp_path / "one.parquet"), table.schema)
    assert json.loads(json.dumps(found)) == {
        "numRecords": 2,
        "minValues": {
            "text": "a" * 32,
            "time": "2024-01-01T00:00:00.001Z",
            "day": "2024-01-02",
            "amount": 0.1,
            "whole": -3,
        },
        "maxValues": {
            "text": "b" * 32 + "\U0010ffff",
            "time": "2024-01-01T00:00:00.003Z",
            "day": "2024-01-02",
            "whole": 3,
        },
        "nullCount": {"text": 0, "time": 0, "day": 1, "amount": 0, "whole": 0, "none": 2, "not_finite": 0},
    }


def test_a_bound_that_an_earlier_pyarrow_does_not_read_is_left_out():
    """Version 21, which serverless compute has, refuses those of decimal numbers."""

    class Known:
        has_null_count = has_min_max = True
        null_count = 0

        @property
        def min(self):
            raise pa.ArrowNotImplementedError("Cannot extract statistics for type ")

    column = SimpleNamespace(path="amount", statistics=Known(), num_values=1)
    group = SimpleNamespace(column=lambda place: column)
    metadata = SimpleNamespace(
        num_rows=1, num_columns=1, num_row_groups=1, row_group=lambda at: group,
        schema=SimpleNamespace(column=lambda place: column),
    )  # fmt: skip
    found = onepass.statistics(metadata, pa.schema([("amount", pa.decimal128(18, 2))]))
    assert found == {"numRecords": 1, "minValues": {}, "maxValues": {}, "nullCount": {"amount": 0}}


def test_long_texts_of_few_rows_are_written_where_they_pass(spark, lake):
    long = "concat(cast(id as string), repeat('x', 40000)) as id"  # more than one message may have
    others = (
        "cast(null as decimal(18,2)) as amount",
        "cast(null as timestamp) as at",
        "cast(null as array<string>) as tags",
    )
    store.save_files(spark.range(4000).selectExpr(long, *others, "true as kept"), spark, lake, TABLES)
    assert len(content(lake, EVERY)) == len(content(lake, SOME)) == 4000


@pytest.mark.parametrize(
    ("at", "bound"),
    [
        (datetime(9999, 12, 31, 23, 59, 59, 999999), None),
        (datetime(99, 1, 1, 12, 0, 0, 1), "0099-01-01T12:00:00.001Z"),
    ],
)
def test_the_ends_of_time_have_bounds_that_can_be_read_or_none(at, bound):
    assert onepass._bound(at, upper=True) == bound
