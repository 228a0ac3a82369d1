"""The vocabulary of cleaning, as tables: the text of a cell beside what it is read as."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal as D

import pyarrow as pa
import pytest

from medallion import columns as words
from medallion.cells import arrays, plain, texts, times
from medallion.contracts import Column, Filling, entities
from medallion.contracts.model import PLACEHOLDERS
from medallion.contracts.odcs import code


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def declared(kind: str, type_: str = "string", **said) -> Column:
    return Column("cell", type_, kind=kind, **said)


def spelled(entity: str, column: str) -> Column:
    return entities()[entity].column(column)


MONEY = [
    ("1200", D("1200.00")), ("0.125", D("0.13")), ("-0.005", D("-0.01")), ("1234.567", D("1234.57")),
    ("$350,000", D("350000.00")), ("USD 98,000.50 ", D("98000.50")), ("98,000 USD", D("98000.00")),
    ("US$5", D("5.00")), ("US $ 5", D("5.00")), ("-$5", D("-5.00")), ("$-5", D("-5.00")), ("$(5)", D("-5.00")),
    ("(1,200)", D("-1200.00")), ("($1,200.50)", D("-1200.50")), ("1.234,56", D("1234.56")), ("USD\u00a098\u00a0000", D("98000.00")),
    # either of two amounts, another currency, no amount
    ("1.234", None), ("350.000", None), ("1,5", None), ("1.234.567", None), ("1,2,456", None), ("1 2", None),
    ("5 USD 5", None), ("$$5", None), ("C$5", None), ("€5", None), ("5 EUR", None), ("5k", None), ("(5", None), ("(-5)", None),
    ("call me", None), ("", None), ("1e5", None), ("99999999999999999999", None), ("١٢", D("12.00")), (None, None),
]  # fmt: skip
INTEGERS = [
    ("350", 350), (" 350 ", 350), ("-5", -5), ("1,200", 1200), ("12.0", 12), ("12.00", 12),
    ("12.000", None), ("1.200", None), ("12.5", None), ("1,20", None), ("51-200", None), ("99999999999999999999", None),
    ("a few", None), (None, None),
]  # fmt: skip
TIMESTAMPS = [
    ("2025-06-12", at("2025-06-12")), ("2025-06-12 14:30", at("2025-06-12 14:30")),
    ("2025-06-12T14:30:00Z", at("2025-06-12 14:30")), ("2025-06-12T14:30:00+02:00", at("2025-06-12 12:30")),
    ("2025-06-12T14:30:00+05:30", at("2025-06-12 09:00")), ("2025-06-12T14:30:00-03:30:15", at("2025-06-12 18:00:15")),
    ("2025-06-12 23:59:59", at("2025-06-12 23:59:59")), ("6/12/2025 24:00", at("2025-06-12 23:59:59")), ("2025-06-12T18:00:00+18:00", at("2025-06-12")),
    ("2025-06-12T18:00:00-05:59:59", at("2025-06-12 23:59:59")),
    ("2025-06-12 03:00:00+00", at("2025-06-12 03:00")), ("06/05/2025", at("2025-06-05")), ("6/5/2025 9:05", at("2025-06-05 09:05")),
    ("6/12/2025 2:30 PM", at("2025-06-12 14:30")), ("06/12/2025 12:05:09 am", at("2025-06-12 00:05:09")),
    ("2025/06/14", at("2025-06-14")), ("12 JUN 2025", at("2025-06-12")), ("June 12, 2025", at("2025-06-12")),
    ("12.06.2025", at("2025-06-12")),
    # no such day or hour, a year of two digits, half a date, more than a date
    ("31/02/2025", None), ("2025-06-31", None), ("2025-02-29", None), ("13/06/2025", None), ("2025-06-12 25:00", None),
    ("2025-06-12 24:01", None), ("2025-06-12 14:60", None), ("2025-06-12 14:30:60", None), ("2025-06-12T18:00:00+18:01", None),
    ("2025-06-12T18:00:00+05:60", None), ("2025-06-12T18:00:00+05:00:60", None),
    ("6/12/25", None), ("12.06.25", None), ("2025-06", None), ("20250612", None), ("1749738600", None),
    ("06/12/2025 14:30 or so", None), ("6/12/2025 14:30 PM", None), ("soon", None), ("", None), (None, None),
]  # fmt: skip
#: Kinds of columns beside texts and their values.
CELLS = {
    "money": (declared("money", "decimal(18,2)"), MONEY),
    "money as double": (declared("money", "double"), [("12.345", 12.345), ("0.1234", 0.1234), ("x", None)]),
    "money as bigint": (declared("money", "bigint"), [("$1,200", 1200), ("12.0", None), ("9" * 5000, None)]),
    "integer": (declared("integer", "bigint"), INTEGERS),
    "timestamp": (declared("timestamp", "timestamp"), TIMESTAMPS),
    "date": (
        declared("date", "date"),
        [("2025-06-12T23:00:00-05:00", at("2025-06-13").date()), ("12 Jun 2025", at("2025-06-12").date()), ("x", None)],
    ),
    "day first": (
        declared("date", "date", date_formats=("d/M/yyyy",)),
        [("06/05/2025", at("2025-05-06").date()), ("2025-05-06", at("2025-05-06").date()), ("12/31/2025", None)],
    ),
    "text": (
        declared("text"),
        [("  Acme   Corp ", "Acme Corp"), ("A\u00a0B\r\nC", "A B C"), ("\u00a0", ""), ("a b", "a b"), (None, None)],
    ),
    "free text": (declared("free_text"), [(" a  b\n ", "a  b\n")]),
    "identifier": (declared("identifier"), [(" c004 ", "C004"), ("l-10\u00a007", "L-1007"), ("#REF!", "#REF!")]),
    "code": (
        declared("code"),
        [("Closed - Won", "closed_won"), ("Größe A", "größe_a"), ("谈判", "谈判"), ("Étape 2", "étape_2"), ("???", "")],
    ),
    "email": (
        declared("email"),
        [(" Ana.Ruiz@Example.com ", "ana.ruiz@example.com"), ("Ana Ruiz <Ana@Example.com>", "ana@example.com"),
         ("mailto:ana@example.com", "ana@example.com"), ("<ana@example.com>", "ana@example.com"), (None, None)],
    ),
    "two phones": (
        declared("phone"),
        [("030 1234567 / 030 7654321", None), ("030 1234567; 030 7654321", None), ("0301234567 0307654321", None),
         ("0170/1234567", "01701234567"), ("+49 30 1234567", "+49301234567")],
    ),
    "phone": (
        declared("phone"),
        [("+1 (415) 555-0101", "+14155550101"), ("415.555.0102 ext. 7", "4155550102x7"), ("ask", None),
         ("+1 415 / +1 416", None), ("fax 12", None), ("+", None)],
    ),
    "status": (
        spelled("leads", "status"),
        [(" Closed-Won ", "won"), ("CLOSED_LOST", "lost"), ("In Progress", "open"), ("wonn", None), ("not won", None)],
    ),
    "currency": (
        spelled("leads", "currency"),
        [("usd", "USD"), ("US$", "USD"), ("$", "USD"), ("C$", None), ("CAD", None), ("€", None)],
    ),
    "channel": (
        spelled("interactions", "channel"),
        [("E-mail", "email"), ("Whats App", "whatsapp"), ("Phone", "call"), ("fax", None)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
def test_cell_to_value(name):
    """At once, and each by itself: the usual form in Arrow may not mean another thing than the plain function says."""
    column, table = CELLS[name]
    filling = Filling(column="cell")
    found = arrays.reader(column, filling)(pa.array([text for text, _ in table], pa.string()))
    values = [value.replace(tzinfo=None) if isinstance(value, datetime) else value for value in found.to_pylist()]
    assert list(zip((text for text, _ in table), values, strict=True)) == table
    one = plain.plain(column, filling)
    alone = pa.array([None if text is None else one(text) for text, _ in table], found.type)
    assert alone.equals(found)


OPTIONS = [
    # kind, type, what the filling says, text, value
    ("money", "decimal(18,2)", {"decimal_comma": True}, "1.234,5", D("1234.50")),
    ("money", "decimal(18,2)", {"decimal_comma": True}, "1.234", D("1234.00")),
    ("money", "decimal(18,2)", {"unit": "cents"}, "1250", D("12.50")),
    ("money", "decimal(18,2)", {"unit": "cents"}, "12.5", None),
    ("money", "double", {"unit": "percent"}, "54.5 %", 0.545),
    ("integer", "bigint", {"unit": "thousands"}, "1.5", 1500),
    ("text", "string", {"values": {"A": "gold"}}, " a ", "gold"),
    ("text", "string", {"values": {"A": "gold"}}, "b  c", "b c"),
    ("text", "string", {"values": {"A": "gold"}, "otherwise": "none"}, "b", "none"),
    ("integer", "bigint", {"values": {"a few": "3"}}, "A few", 3),
]


@pytest.mark.parametrize(
    ("kind", "type_", "value"),
    [("integer", "bigint", 12), ("money", "decimal(18,2)", D("12.00")), ("identifier", "string", "12 a")],
)
def test_the_value_of_a_spelling_has_the_type_of_its_column(kind, type_, value):
    column = declared(kind, type_, spellings={"a_dozen": str(value)})
    found = arrays.reader(column, Filling(column="cell"))(pa.array(["a dozen", "A Dozen "]))
    assert found.to_pylist() == [value, value]


@pytest.mark.parametrize(("kind", "type_", "said", "text", "value"), OPTIONS)
def test_what_fills_a_column_says_how_it_is_read(kind, type_, said, text, value):
    read = arrays.reader(declared(kind, type_), Filling(column="cell", **said))
    assert read(pa.array([text])).to_pylist() == [value]


def test_times_that_arrow_would_roll_over_are_read_strictly():
    formats = ("M/d/yyyy", "d/M/yyyy", "d.M.yyyy H:mm")
    texts = [
        "6/31/2025",
        "2025-06-31",
        "2/29/2024",
        "1/2/2029",
        "1/2/2031",
        "31.4.2025 10:00",
        "30/2/2025",
        "2025-02-29 01:00:00",
    ]
    column = declared("timestamp", "timestamp", date_formats=formats)
    found = arrays.reader(column, Filling(column="cell"))(pa.array(texts)).cast(pa.int64()).to_pylist()
    assert found == [times.timestamp(text, formats) for text in texts]
    assert [value is not None for value in found] == [False, False, True, True, True, False, False, False]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_clocks_of_a_zone_are_read_at_once_as_one_by_one(zone):
    formats = ("M/d/yyyy H:mm", f"zone {zone}")
    day = datetime(2025, 1, 1)
    clocks = [day + timedelta(minutes=15 * n) for n in range(96 * 365)]
    texts = [
        *(f"{clock:%Y-%m-%d %H:%M:%S}" for clock in clocks),
        "2025-07-01T10:00:00Z",
        "2025-07-01",
        "7/1/2025 10:00",
    ]
    column = declared("timestamp", "timestamp", date_formats=formats)
    found = arrays.reader(column, Filling(column="cell"))(pa.array(texts)).cast(pa.int64()).to_pylist()
    assert found == [times.timestamp(text, formats) for text in texts]


TABLES = {
    "squish": (
        words.squish,
        [("  Acme   Corp ", "Acme Corp"), ("A\u00a0B\r\nC", "A B C"), ("\u00a0", ""), ("a b", "a b"), (None, None)],
    ),
    "placeholders": (
        lambda c: words.null_if_placeholder(c, PLACEHOLDERS),
        [("N/A", None), (" Select ", None), ("", None), ("               ", None), ("\u00a0", None), ("\tNULL\n", None),
         ("\u00a0n/a", None), ("Nash", "Nash"), (" x ", " x "), (None, None)],
    ),
    "identifier": (words.identifier, [(" c004 ", "C004"), ("l-10\u00a007", "L-1007"), ("#REF!", "#REF!")]),
    "code": (
        words.code,
        [("Closed - Won", "closed_won"), ("Größe A", "größe_a"), ("谈判", "谈判"), ("Étape 2", "étape_2"), ("???", "")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
def test_part_of_a_batch_is_read_as_the_whole(name):
    """The engine gives the rest of a batch as texts that begin in the middle of their bytes; not every kernel minds that."""
    column, table = CELLS[name]
    read = arrays.reader(column, Filling(column="cell"))
    for text in (text for text, _ in table if text is not None):
        whole = pa.array(["before", text], pa.string())
        found = read(pa.StringArray.from_buffers(1, whole.buffers()[1].slice(4), whole.buffers()[2]))
        found.validate(full=True)
        assert found.to_pylist() == read(whole.slice(1)).to_pylist()


@pytest.mark.parametrize("name", TABLES)
def test_raw_to_clean(spark, name):
    from pyspark.sql import functions as F

    function, table = TABLES[name]
    frame = spark.createDataFrame([(place, text) for place, (text, _) in enumerate(table)], "n int, text string")
    found = frame.select("n", "text", function(F.col("text")).alias("value")).orderBy("n").collect()
    assert [(row.text, row.value) for row in found] == table


def test_keys_are_compared_on_the_engine_as_cells_are_read(spark):
    from parity.texts import texts as every
    from pyspark.sql import functions as F

    pairs = {"squish": texts.squish, "identifier": texts.identifier, "code": code}
    written = every(300)
    frame = spark.createDataFrame(list(enumerate(written)), "n int, text string")
    columns = (getattr(words, name)(F.col("text")).alias(name) for name in pairs)
    found = frame.select("n", *columns).orderBy("n").toArrow()
    for name, read in pairs.items():
        assert found[name].to_pylist() == [read(text) for text in written], name


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
