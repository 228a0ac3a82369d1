"""Cells as people read them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from medallion import figures

#: Letters of a word that is broken over lines; shorter ones stay whole.
LONG = 18


def fitting(text: Any) -> str:
    """The class of a cell whose text has a word too long for a column; empty for others.

    >>> fitting("Amara Adler"), fitting("someone@a-long-name.example")
    ('', 'long')
    """
    return "long" if any(len(word) > LONG for word in str(text or "").split()) else ""


def cell(kind: str, value: Any, currency: str) -> str:
    """A value of a table as it is read; empty where it is not known.

    >>> [cell(kind, 1090, "EUR") for kind in ("money", "percent", "number", "decimal")], cell("text", None, "EUR")
    (['€1,090', '109,000.0%', '1,090', '1,090.0'], '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if kind == "money":
        return figures.money(value, currency)
    if kind == "percent":
        return figures.percent(value)
    if kind == "decimal":
        return figures.ratio(value)
    if kind == "number":
        return figures.count(int(value))
    if kind == "timestamp" and isinstance(value, datetime):
        return figures.minute(value)
    if kind == "day" and isinstance(value, date):
        return figures.day(value)
    return str(value)
