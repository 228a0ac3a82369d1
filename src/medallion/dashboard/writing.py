"""Cells as people read them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any


def cell(kind: str, value: Any) -> str:
    """A value of a table as it is read; empty where it is not known.

    >>> cell("usd", 1090000), cell("percent", 0.5454), cell("number", 1234), cell("text", None)
    ('$1,090,000', '54.5 %', '1,234', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if kind == "usd":
        return f"${float(value):,.0f}"
    if kind == "percent":
        return f"{float(value) * 100:,.1f} %"
    if kind == "decimal":
        return f"{float(value):,.1f}"
    if kind == "number":
        return f"{int(value):,}"
    if kind == "moment" and isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if kind == "day" and isinstance(value, date):
        return value.strftime("%Y-%m-%d")
    return str(value)
