"""Values as JSON and as text for readers."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from medallion import figures
from medallion.metrics.declared import Format
from medallion.metrics.loading import metrics


def plain(number: Any) -> float | int | None:
    """A figure as JSON has it: whole numbers as int, others as float rounded to six decimals.

    >>> plain(Decimal("1937000.00")), plain(0.84615384615), plain(None)
    (1937000, 0.846154, None)
    """
    if number is None or isinstance(number, int):
        return number
    if not math.isfinite(number):  # such as the logarithm of 0: nothing that can be written
        return None
    rounded = round(float(number), 6)
    return int(rounded) if isinstance(number, Decimal) and rounded.is_integer() else rounded


def written(name: str, number: float | int | None, currency: str) -> str:
    """A metric's value as text for readers; `currency` is that of the lakehouse.

    >>> written("revenue", 1937000, "EUR"), written("hot_lead_share", 0.846154, "EUR"), written("win_rate", None, "EUR")
    ('€1,937,000', '84.6%', 'no data')
    """
    return formed(metrics()[name].measure.format, number, currency)


def formed(form: Format, number: float | int | None, currency: str) -> str:
    """A number as its format has it; `currency` is that of the lakehouse."""
    places = form.decimal_places.places
    if form.type == "currency":
        return figures.money(number, currency, places)
    return figures.percent(number, places) if form.type == "percentage" else figures.ratio(number, places)
