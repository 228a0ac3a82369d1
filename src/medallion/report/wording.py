"""How figures are written in sentences and cells."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from medallion.charts.marks import label
from medallion.charts.sales import spaced
from medallion.figures import count, day, money, percent, ratio

__all__ = ["among", "enumerated", "name", "number", "plainly", "spaced"]


def number(value: Any, unit: str = "", currency: str = "") -> str:
    """A figure in a cell, by its unit: money whole (millions from ten on), shares in per cent, others with as many decimals as they need.

    >>> number(129133.33, "money", "EUR"), number(0.76, "share"), number(26.25, "days"), number(15.0), number(None)
    ('€129,133', '76.0%', '26.2', '15', '')
    """
    if value is None:
        return ""
    if unit == "money":
        return money(value, currency, short=True)
    if unit == "share":
        return percent(value)
    return count(int(value)) if float(value).is_integer() else ratio(value)


def among(part: int, whole: int) -> str:
    """A part of a whole with its share.

    >>> among(6, 11)
    '6 of 11 (54.5%)'
    """
    return f"{count(part)} of {count(whole)}" + (f" ({percent(part / whole)})" if whole else "")


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

    >>> plainly(datetime(2025, 6, 1, 10, 20)), plainly(date(2025, 6, 1)), plainly(15000.0), plainly(None)
    ('2025-06-01', '2025-06-01', '15,000', '')
    """
    if value is None:
        return ""
    if isinstance(value, date | datetime):
        return day(value)
    return number(value)
