"""What a DuckDB view shows is the Delta table, whatever its files and its folder are like."""

from __future__ import annotations

import contextlib
from datetime import date
from decimal import Decimal as D

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.schema import Field, PrimitiveType

from conftest import NOW
from medallion.care import status
from medallion.errors import LakehouseError
from medallion.lakehouse import query, store
from medallion.lakehouse.store import Lakehouse

SHOWN = ("silver.leads_clean", "silver.interactions_clean", "gold.customer_features", "gold.sales_summary", "ops.runs")


def plain(value):
    return value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value


@pytest.mark.parametrize("name", SHOWN)
def test_values_are_those_of_the_table(sample, spark, name):
    frame = store.read(spark, sample, name)
    with query.connect(sample) as connection:
        served = connection.execute(f"select * from {name}").fetchall()
    assert sorted(([plain(v) for v in row] for row in served), key=str) == sorted(
        ([plain(v) for v in row] for row in frame.collect()), key=str
    )
    assert served


TABLE = pa.table({"a": [1, 2], "b": ["x", None], "c": [D("1.10"), None], "d": [date(2025, 1, 1), None]})


@pytest.mark.parametrize("folder", ["plain", "two words", "Größe", "it's", 'a "b"', "50$", "a+b"])
def test_the_folder_may_have_any_name(tmp_path, folder):
    lake = Lakehouse(str(tmp_path / folder))
    write_deltalake(lake.path("gold.deals"), TABLE)
    with query.connect(lake) as connection:
        assert query.rows(connection, "select count(*) as n, sum(a) as a from gold.deals") == [{"n": 2, "a": 3}]


def test_a_table_that_is_not_there_is_no_variable_of_its_name(tmp_path):
    lake, customers = Lakehouse(str(tmp_path)), pa.table({"a": [1]})
    write_deltalake(lake.path("gold.deals"), TABLE)
    with query.connect(lake) as connection:
        for name in ("gold.customers", "customers"):
            with pytest.raises(duckdb.CatalogException):
                connection.execute(f"select a from {name}")
    assert customers.num_rows


def test_a_column_that_no_file_has_yet_is_null(tmp_path):
    """A table that has gained a column, and no row since."""
    lake = Lakehouse(str(tmp_path))
    write_deltalake(lake.path("gold.deals"), TABLE)
    lake.delta("gold.deals").alter.add_columns(
        [Field("e", PrimitiveType("long")), Field('say "f"', PrimitiveType("string"))]
    )
    with query.connect(lake) as connection:
        (first, _) = query.rows(connection, "select * from gold.deals order by a")
        types = dict(connection.execute("select column_name, column_type from (describe gold.deals)").fetchall())
    assert first == {"a": 1, "b": "x", "c": D("1.10"), "d": date(2025, 1, 1), "e": None, 'say "f"': None}
    assert (types["e"], types['say "f"'], types["c"]) == ("BIGINT", "VARCHAR", "DECIMAL(3,2)")


@pytest.mark.slow
def test_a_delivery_without_rows_may_bring_a_column(deliver):
    _, lake = deliver({"customers.csv": "customer_id,customer_name\nC1,Acme\n"})
    deliver({"customers.csv": "customer_id,customer_name,campaign\n"})
    assert {row["table"]: row["rows"] for row in status.tables(lake)}["bronze.customers"] == 1


def test_a_view_is_one_version(tmp_path):
    """Rows that come while a connection is open are seen by the next one."""
    lake = Lakehouse(str(tmp_path))
    count = "select count(*) as n from gold.deals"
    write_deltalake(lake.path("gold.deals"), TABLE)
    with query.connect(lake) as connection:
        write_deltalake(lake.path("gold.deals"), TABLE, mode="append")
        assert query.rows(connection, count) == [{"n": 2}]
        with query.connect(lake) as later:
            assert query.rows(later, count) == [{"n": 4}]


@pytest.mark.parametrize(
    "sql",
    [
        "insert into gold.deals values (9, 'x', 1, null)",
        "delete from gold.deals",
        "update gold.deals set a = 0",
        "drop table gold.deals",
    ],
)
def test_nothing_can_be_changed(tmp_path, sql):
    import duckdb

    lake = Lakehouse(str(tmp_path))
    write_deltalake(lake.path("gold.deals"), TABLE)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with query.connect(lake) as connection, pytest.raises(duckdb.Error):
        connection.execute(sql)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    assert DeltaTable(lake.path("gold.deals")).version() == 0


def test_parameters_are_no_sql(sample):
    with query.connect(sample) as connection:
        sql = "select customer_id from gold.deals where customer_id = ?"
        assert query.rows(connection, sql, ["x' or '1'='1"]) == []
        assert query.rows(connection, sql, ["C005"]) == [{"customer_id": "C005"}]


HALVES = [
    # tables that are there                     asked for       -> what is missing
    ({"bronze.leads"}, status.insights, "no table gold.channel_performance"),
    ({"gold.channel_performance", "gold.customer_features"}, status.insights, "no table gold.deals"),
    ({"gold.deals"}, status.as_of, "no table gold.sales_summary"),
    ({"silver.quarantine"}, lambda lake: status.status(lake, NOW), "no table ops.batches"),
]


@pytest.mark.parametrize(("names", "asked", "says"), HALVES)
def test_half_a_lakehouse_is_said_to_be_one(tmp_path, names, asked, says):
    lake = Lakehouse(str(tmp_path))
    for name in names:
        write_deltalake(lake.path(name), TABLE)
    with pytest.raises(LakehouseError, match=says):
        asked(lake)


@pytest.mark.slow
def test_a_plan_is_not_fresh_news(deliver):
    """A close in the future, which somebody planned or mistyped, makes no data fresher."""
    _, lake = deliver(
        {
            "customers.csv": "customer_id,customer_name\nC1,Acme\n",
            "leads.csv": "lead_id,customer_id,status,deal_value,created_at,closed_at\nL1,C1,won,10,2025-06-01,2025-12-31\n",
        }
    )
    fresh = {row["entity"]: row for row in status.status(lake, NOW)["freshness"]}
    assert fresh["leads"]["newest_event"] == "2025-06-01 00:00:00"
    assert (fresh["leads"]["hours_old"], fresh["leads"]["kept"]) == (728.0, False)
    assert fresh["interactions"]["kept"] is None


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))


def test_what_goes_wrong_inside_a_connection_is_what_is_told(sample):
    with pytest.raises(ValueError, match="mine"), query.connect(sample, only={"gold.deals"}) as connection:
        connection.execute("begin")
        with contextlib.suppress(duckdb.Error):
            connection.execute("select nothing_of_that_name")
        raise ValueError("mine")
    with query.connect(sample, only={"gold.deals"}) as connection:
        connection.close()
    with query.connect(sample, only={"gold.deals"}) as connection:
        named = [row["name"] for row in query.rows(connection, "select database_name as name from duckdb_databases()")]
    assert sum(name.startswith("lakehouse_") for name in named) == 1


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("from gold.deals", {"gold.deals"}),
        ("select 'gold.deals', 'it''s silver.leads_clean' from ops.runs", {"ops.runs"}),
        ("from ops.runs -- not gold.deals\n/* nor\nsilver.x */ join gold.top_customers", {"ops.runs", "gold.top_customers"}),
        ('select 1 as "Bob\'s", "gold.deals" from "gold"."deals" join GOLD . Sales_Summary', {"gold.deals", "gold.sales_summary"}),
        ("select gold from marigold.deals", set()),
    ],
)  # fmt: skip
def test_tables_are_those_that_a_query_names_outside_of_texts(sql, names):
    assert query.named(sql) == names
