"""The vocabulary of cleaning, as tables: the text of a cell beside what it is read as."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal as D

import pytest

from medallion import columns as words
from medallion.contracts import entities
from medallion.contracts.model import DATE_FORMATS, PLACEHOLDERS


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def spelled(entity: str, column: str):
    (found,) = (item for item in entities()[entity].columns if item.name == column)
    return lambda text: words.canonical(text, found.spellings)


MONEY = [
    ("1200", D("1200.00")), ("0.125", D("0.13")), ("-0.005", D("-0.01")), ("1234.567", D("1234.57")),
    ("$350,000", D("350000.00")), ("USD 98,000.50 ", D("98000.50")), ("98,000 USD", D("98000.00")),
    ("US$5", D("5.00")), ("US $ 5", D("5.00")), ("-$5", D("-5.00")), ("$-5", D("-5.00")), ("$(5)", D("-5.00")),
    ("(1,200)", D("-1200.00")), ("($1,200.50)", D("-1200.50")), ("1.234,56", D("1234.56")), ("USD\u00a098\u00a0000", D("98000.00")),
    # either of two amounts, another currency, no amount
    ("1.234", None), ("350.000", None), ("1,5", None), ("1.234.567", None), ("1,23,456", None), ("1 2", None),
    ("5 USD 5", None), ("$$5", None), ("C$5", None), ("€5", None), ("5 EUR", None), ("5k", None), ("(5", None), ("(-5)", None),
    ("call me", None), ("", None), ("1e5", None), ("99999999999999999999", None), ("١٢", None), (None, None),
]  # fmt: skip
INTEGERS = [
    ("350", 350), (" 350 ", 350), ("-5", -5), ("1,200", 1200), ("12.0", 12), ("12.00", 12),
    ("12.000", None), ("1.200", None), ("12.5", None), ("1,20", None), ("51-200", None), ("99999999999999999999", None),
    ("a few", None), (None, None),
]  # fmt: skip
TIMESTAMPS = [
    ("2025-06-12", at("2025-06-12")), ("2025-06-12 14:30", at("2025-06-12 14:30")),
    ("2025-06-12T14:30:00Z", at("2025-06-12 14:30")), ("2025-06-12T14:30:00+02:00", at("2025-06-12 12:30")),
    ("2025-06-12 03:00:00+00", at("2025-06-12 03:00")), ("06/05/2025", at("2025-06-05")), ("6/5/2025 9:05", at("2025-06-05 09:05")),
    ("6/12/2025 2:30 PM", at("2025-06-12 14:30")), ("06/12/2025 12:05:09 am", at("2025-06-12 00:05:09")),
    ("2025/06/14", at("2025-06-14")), ("12 JUN 2025", at("2025-06-12")), ("June 12, 2025", at("2025-06-12")),
    ("12.06.2025", at("2025-06-12")),
    # no such day or hour, a year of two digits, half a date, more than a date
    ("31/02/2025", None), ("2025-06-31", None), ("2025-02-29", None), ("13/06/2025", None), ("2025-06-12 25:00", None),
    ("6/12/25", None), ("12.06.25", None), ("2025-06", None), ("20250612", None), ("1749738600", None),
    ("06/12/2025 14:30 or so", None), ("6/12/2025 14:30 PM", None), ("soon", None), ("", None), (None, None),
]  # fmt: skip
TABLES = {
    "money": (words.money, MONEY),
    "money as double": (lambda c: words.money(c, "double"), [("12.345", 12.345), ("0.1234", 0.1234), ("x", None)]),
    "integer": (words.integer, INTEGERS),
    "timestamp": (lambda c: words.parse_timestamp(c, DATE_FORMATS), TIMESTAMPS),
    "date": (
        lambda c: words.parse_date(c, DATE_FORMATS),
        [("2025-06-12T23:00:00-05:00", at("2025-06-13").date()), ("12 Jun 2025", at("2025-06-12").date()), ("x", None)],
    ),
    "day first": (
        lambda c: words.parse_date(c, ["d/M/yyyy"]),
        [("06/05/2025", at("2025-05-06").date()), ("2025-05-06", at("2025-05-06").date()), ("12/31/2025", None)],
    ),
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
    "email": (words.email, [(" Ana.Ruiz@Example.com ", "ana.ruiz@example.com"), (None, None)]),
    "phone": (
        words.phone,
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


@pytest.mark.parametrize("name", TABLES)
def test_raw_to_clean(spark, name):
    from pyspark.sql import functions as F

    function, table = TABLES[name]
    frame = spark.createDataFrame([(place, text) for place, (text, _) in enumerate(table)], "n int, text string")
    found = frame.select("n", "text", function(F.col("text")).alias("value")).orderBy("n").collect()
    assert [(row.text, row.value) for row in found] == table


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
