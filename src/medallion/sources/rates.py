"""The table of exchange rates that a user gives: read whole, or refused with its line, column and value."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

import pyarrow as pa

from medallion.contracts.money import CODES
from medallion.errors import ContractError

#: Rates have nine digits before the point and ten behind: times an amount that is DECIMAL(38), which engines have.
TYPE = "decimal(19,10)"
#: Columns of `by_day`.
BY_DAY = f"_code string, _day date, rate {TYPE}, rate_date date"
_UNIT, _MOST = Decimal("1e-10"), Decimal(10**9)
_FIRST, _LAST = date(1970, 1, 1), date(2100, 1, 1)
_HEADERS = (("date", "currency", "rate"), ("date", "from", "to", "rate"))
#: ISO 4217, currencies without a smaller unit: amounts in them are whole.
_WHOLE = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"]
)
_EXAMPLE = "The first line is `date,currency,rate`, a further one `2025-01-31,EUR,1.0422` (docs/CURRENCIES.md)."


@dataclass(frozen=True)
class Rate:
    """From a day on, what one unit of a currency is worth in the reporting currency."""

    currency: str
    day: date
    rate: Decimal
    line: int


def places(currency: str) -> int:
    """Decimal places to which amounts of a currency are rounded; never more than the cents that amounts are kept in.

    >>> places("USD"), places("JPY"), places("KWD")
    (2, 0, 2)
    """
    return 0 if currency in _WHOLE else 2


def read(text: str, path: str, reporting: str) -> tuple[Rate, ...]:
    r"""The rates of a table, by currency and day.

    >>> [f"{each.currency} {each.rate:f}" for each in read("date,from,to,rate\n2025-01-31,USD,EUR,0.8", "r.csv", "USD")]
    ['EUR 1.2500000000']

    Args:
        text: The file.
        path: Its name, for what is told of it.
        reporting: The reporting currency.

    Raises:
        ContractError: It cannot be used; names the line, the column and the value.
    """
    lines = text.removeprefix("\ufeff")
    head = lines.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    records = csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter)
    header = tuple(cell.strip().lower() for cell in next(records, []))
    if sorted(header) not in [sorted(known) for known in _HEADERS]:
        raise ContractError(f"{path}:1: the columns are {', '.join(header) or 'none'}", _EXAMPLE)
    rates: dict[tuple[str, date], Rate] = {}
    for cells in records:
        if not any(cell.strip() for cell in cells):
            continue
        line = records.line_num
        if len(cells) != len(header):
            raise ContractError(f"{path}:{line}: has {len(cells)} cells, and the first line {len(header)}", _EXAMPLE)
        each = _rate(dict(zip(header, map(str.strip, cells), strict=True)), f"{path}:{line}", line, reporting)
        if each is None:
            continue
        before = rates.setdefault((each.currency, each.day), each)
        if before.rate != each.rate:
            raise ContractError(
                f"{path}:{line}: rate: {each.currency} on {each.day} is worth {each.rate.normalize():f} here and "
                f"{before.rate.normalize():f} on line {before.line}",
                "Leave one of the two lines.",
            )
    return tuple(sorted(rates.values(), key=lambda each: (each.currency, each.day)))


def _rate(cells: dict[str, str], place: str, line: int, reporting: str) -> Rate | None:
    """One line; None for the reporting currency itself, of which one unit is one."""
    try:
        day = date.fromisoformat(cells["date"])
    except ValueError:
        raise ContractError(f"{place}: date: {cells['date']!r} is no day", "Write it as 2025-01-31.") from None
    if not _FIRST <= day < _LAST:
        raise ContractError(f"{place}: date: {day} lies outside of 1970 to 2099", "Correct the day.")
    codes = {name: _code(cells[name], name, place) for name in ("currency", "from", "to") if name in cells}
    try:
        number = Decimal(cells["rate"])
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or "_" in cells["rate"]:
        raise ContractError(
            f"{place}: rate: {cells['rate']!r} is no number", "Write it with a decimal point, as 1.0422."
        )
    if number <= 0:
        raise ContractError(
            f"{place}: rate: {cells['rate']!r} is not above 0", f"Say how many {reporting} one unit is."
        )
    code = codes.get("currency") or codes["from"]
    if "to" in codes and codes["to"] != reporting:
        if code != reporting:
            raise ContractError(
                f"{place}: neither {code} nor {codes['to']} is {reporting}, the reporting currency of the lakehouse",
                f"Give rates to {reporting}, or let the contract of leads accept another currency.",
            )
        code, number = codes["to"], 1 / number
    if code == reporting:
        if number != 1:
            raise ContractError(
                f"{place}: rate: {cells['rate']!r} of {reporting}, which is the reporting currency",
                "Leave the line out; or let the contract of leads accept the currency that these rates lead to.",
            )
        return None
    rate = number.quantize(_UNIT, ROUND_HALF_UP) if number < _MOST else _MOST
    if not 0 < rate < _MOST:
        raise ContractError(f"{place}: rate: {cells['rate']!r} is too small or too large", "Correct the rate.")
    return Rate(code, day, rate, line)


def _code(text: str, column: str, place: str) -> str:
    if text.upper() not in CODES:
        raise ContractError(f"{place}: {column}: {text!r} is no currency code of ISO 4217", "Write it as EUR.")
    return text.upper()


def by_day(rates: Iterable[Rate]) -> pa.Table:
    """Of every day from a currency's first rate to the last day of the table the rate that holds on it, and since when.

    One row per currency and day, so that engines can find it by equality.
    """
    rates = list(rates)
    last = max((each.day for each in rates), default=_FIRST)
    rows = []
    for place, each in enumerate(rates):
        follows = rates[place + 1] if place + 1 < len(rates) else None
        until = follows.day if follows and follows.currency == each.currency else last + timedelta(days=1)
        rows += [
            (each.currency, each.day + timedelta(days=n), each.rate, each.day) for n in range((until - each.day).days)
        ]
    kinds = {"_code": pa.string(), "_day": pa.date32(), "rate": pa.decimal128(19, 10), "rate_date": pa.date32()}
    columns = zip(*rows, strict=True) if rows else ([] for _ in kinds)
    return pa.table({name: pa.array(cells, kinds[name]) for name, cells in zip(kinds, columns, strict=True)})
