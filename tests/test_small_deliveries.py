"""A small delivery asks the engine only what this process does not know: counts, which fail when they grow."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pyarrow as pa
import pytest
from counting import CONNECTIONS, OPENINGS, SCHEMAS, STATEMENTS, counting
from deltalake import write_deltalake
from pyspark.sql.types import StructType

from conftest import NOW, ROOT
from medallion import pipeline
from medallion.columns import with_known_names
from medallion.config import load
from medallion.features import AsOf
from medallion.lakehouse import store, unity
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import bronze_to_silver, silver_to_gold

#: At most so many of each; lower them with what a change saves.
SECOND_DAY = {STATEMENTS: 45, SCHEMAS: 1, OPENINGS: 38, CONNECTIONS: 9}
NOTHING_NEW = {STATEMENTS: 0, SCHEMAS: 0, OPENINGS: 4, CONNECTIONS: 2}


@pytest.mark.slow
def test_the_second_day_of_the_sample_asks_no_more_than_it_did(own_sample):
    with counting() as counts:
        settings = load(None, source=str(ROOT / "data/updates"), lakehouse=own_sample.root)
        assert pipeline.run(settings, NOW + timedelta(days=1)).changed
    assert not {what: n for what, n in counts.items() if n > SECOND_DAY[what]}, counts


def test_a_run_with_nothing_new_asks_no_more_than_it_did(own_sample):
    with counting() as counts:
        settings = load(None, source=str(ROOT / "data"), lakehouse=own_sample.root)
        assert not pipeline.run(settings, NOW + timedelta(days=1)).changed
    assert not {what: n for what, n in counts.items() if n > NOTHING_NEW[what]}, counts


def test_a_table_that_stays_open_reads_on_unless_it_was_made_anew(tmp_path):
    lake, name, rows = Lakehouse(str(tmp_path)), "gold.mine", pa.table({"a": [1]})
    path = lake.path(name)
    write_deltalake(path, rows)
    with store.kept_open(lake):
        table = lake.delta(name)
        write_deltalake(path, rows, mode="append")
        assert lake.delta(name) is table
        assert table.version() == 1
        shutil.rmtree(path)
        for _ in range(3):  # to a later version than the one that was open
            write_deltalake(path, pa.table({"b": [1]}), mode="append")
        assert [field.name for field in lake.delta(name).schema().fields] == ["b"]


def test_a_frame_of_known_columns_is_not_asked_for_them(spark):
    with counting() as counts:
        frame = with_known_names(spark.range(2).selectExpr("id", "id * 2 AS twice"), ["id", "twice"])
        mapped = frame.mapInArrow(lambda batches: batches, StructType().add("id", "long").add("twice", "long"))
        assert frame.columns == mapped.columns == ["id", "twice"]
        assert [tuple(row) for row in mapped.collect()] == [(0, 0), (1, 2)]
    assert not counts[SCHEMAS]


def test_a_command_and_a_table_of_a_catalog_take_one_round_trip(spark):
    spark.range(2).createOrReplaceTempView("asked_once")
    with counting() as counts:
        (row,) = [row for row in unity.ask("SHOW TABLES") if row["tableName"] == "asked_once"]
        rows = unity.fetch(spark.sql("SELECT id, TIMESTAMP '2025-07-01 00:00:00' AS at FROM asked_once"))
    assert row["isTemporary"]
    assert rows.to_pylist()[1] == {"id": 1, "at": datetime(2025, 7, 1, tzinfo=UTC)}
    assert counts == {STATEMENTS: 3}  # one to make the frame from SQL


def test_columns_of_a_table_of_a_catalog_are_asked_for_once_while_nobody_else_writes(spark, monkeypatch):
    spark.range(2).createOrReplaceTempView("asked_for_once")
    table = "`crm`.`gold`.`asked_for_once`"
    monkeypatch.setattr(unity, "session", lambda: SimpleNamespace(table=lambda name: spark.table("asked_for_once")))

    def asked():
        with counting() as counts:
            (field,) = unity.Table("uc://crm", "gold.asked_for_once").schema().fields
        assert (field.name, str(field.type.type)) == ("id", "long")
        return counts

    assert asked() == asked() == {SCHEMAS: 1}
    with unity.kept("uc://crm", ["gold"]):
        assert (asked(), asked()) == ({SCHEMAS: 1}, {})
        unity.written(table)
        assert asked() == {}
        unity.written(table, columns=True)
        assert asked() == {SCHEMAS: 1}
    assert asked() == {SCHEMAS: 1}


def test_types_that_spark_writes_are_not_asked_of_the_engine(spark):
    columns = [("a", "bigint"), ("b", "decimal(18,2)"), ("c", "array<string>"), ("d", "timestamp"), ("e", "date")]
    with counting() as counts:
        struct = unity.struct(columns)
        frame = spark.createDataFrame([], struct)
    assert not counts
    assert [(field.name, field.dataType.simpleString()) for field in frame.schema.fields] == columns
    assert all(field.nullable for field in frame.schema.fields)


@pytest.mark.slow
def test_many_conflicting_keys_are_a_table_and_few_are_not(to_silver, rows, monkeypatch):
    """The same rows and accounts, whichever way the keys that conflict are kept: as a list, a frame or a work table."""
    first, second = ("product_id,product_name,category,list_price\n" + text for text in (_FIRST, _SECOND))
    found = []
    for limits in ((300, 20_000), (1, 20_000), (1, 1)):
        monkeypatch.setattr(bronze_to_silver, "_FEW", limits[0])
        monkeypatch.setattr(bronze_to_silver, "_MANY", limits[1])
        to_silver({"products.csv": first})
        result, lake = to_silver({"products_2.csv": second}, NOW + timedelta(days=1))
        clean = rows(lake, "select product_id, list_price from silver.products_clean order by all")
        counted = ("accepted", "duplicate", "superseded")
        found.append((clean, [account[name] for account in result.accounts for name in counted]))
        shutil.rmtree(lake.root)
    assert found[0] == found[1] == found[2]
    assert found[0][1] == [3, 2, 1]


_FIRST = "P001,One,A,10\nP002,Two,A,20\nP003,Three,A,30\n"
#: Two that are as before, one that changed twice, and two that are new.
_SECOND = "P001,One,A,10\nP002,Two,A,20\nP003,Three,A,31\nP003,Three,A,32\nP004,Four,A,40\nP005,Five,A,50\n"


def test_scores_are_asked_for_alike_in_files_and_of_the_engine(sample, spark, monkeypatch):
    """What a run asks of its scores without the engine, it asks a catalog's engine in the same words."""
    from medallion.pipeline.context import Context

    asked = []

    class Both(Context):
        def ask(self, sql, *tables):
            rows = super().ask(sql, *tables)
            with monkeypatch.context() as catalog:
                catalog.setattr(type(self.lake.place), "reads_files", False)
                by_engine = super().ask(sql, *tables)
            asked.append((texts(rows), texts(by_engine)))
            return rows

    def texts(rows):
        return sorted([str(value).removesuffix("+00") for value in row.values()] for row in rows)

    context = Both(spark, sample, {}, None, NOW)
    days = silver_to_gold._delete_scores(context, "as_of = DATE '1999-01-01'", True)
    assert silver_to_gold._scores_before(context, days, AsOf(datetime(2027, 1, 1))) is not None
    assert len(asked) == 2
    assert all(files == engine for files, engine in asked)
    assert asked[0][0]
