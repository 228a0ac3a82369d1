"""How figures are written in sentences and cells."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from medallion.charts.marks import label
from medallion.charts.sales import percent, spaced, usd

__all__ = ["among", "count", "enumerated", "money", "name", "number", "percent", "plainly", "spaced", "span"]


def count(number: int, noun: str) -> str:
    """A count with its noun.

    >>> count(1, "deal"), count(1200, "deal"), count(2, "industry")
    ('1 deal', '1,200 deals', '2 industries')
    """
    plural = noun if number == 1 else noun[:-1] + "ies" if noun.endswith("ry") else noun + "s"
    return f"{number:,} {plural}"


def money(amount: Any) -> str:
    """Whole dollars.

    >>> money(Decimal("1090000.00")), money(None)
    ('$1,090,000', 'no data')
    """
    return "no data" if amount is None else f"${float(amount):,.0f}"


def number(value: Any, unit: str = "") -> str:
    """A figure in a cell, by its unit: dollars whole (millions from ten on), shares in per cent, others with as many decimals as they need.

    >>> number(129133.33, "USD"), number(0.76, "share"), number(26.25, "days"), number(15.0), number(None)
    ('$129,133', '76.0 %', '26.2', '15', '')
    """
    if value is None:
        return ""
    if unit == "USD":
        return usd(float(value))
    if unit == "share":
        return percent(float(value))
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{float(value):,.1f}"


def span(low: float, high: float) -> str:
    """The ends of an interval of shares.

    >>> span(0.28, 0.787)
    '28.0 to 78.7 %'
    """
    return f"{low * 100:.1f} to {high * 100:.1f} %"


def among(part: int, whole: int) -> str:
    """A part of a whole with its share.

    >>> among(6, 11)
    '6 of 11 (54.5 %)'
    """
    return f"{part:,} of {whole:,}" + (f" ({percent(part / whole)})" if whole else "")


def name(text: object, longest: int = 60) -> str:
    """A name from the data in one line: it is untrusted text."""
    return label(text, longest)


def enumerated(items: Sequence[str]) -> str:
    """Words in a row.

    >>> enumerated(["a"]), enumerated(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def plainly(value: Any) -> str:
    """A least or greatest value as a cell.

    >>> plainly(datetime(2025, 6, 1, 10, 20)), plainly(date(2025, 6, 1)), plainly(Decimal("15000.00")), plainly(None)
    ('2025-06-01', '2025-06-01', '15,000', '')
    """
    if value is None:
        return ""
    if isinstance(value, date | datetime):
        return f"{value:%Y-%m-%d}"
    return number(float(value) if isinstance(value, Decimal) else value)
