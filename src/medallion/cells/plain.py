"""Plain functions from the text of a cell to its value, None for a text that cannot be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from medallion.cells import amounts, times
from medallion.cells.texts import canonical, email, identifier, phone, squish, western
from medallion.contracts import money
from medallion.contracts.filling import Filling
from medallion.contracts.model import Column
from medallion.contracts.odcs import code

_FIGURES = ("money", "integer")
#: Types of figures as contracts write them.
NUMBERS = re.compile(r"bigint|double|decimal\((\d+),(\d+)\)")
_DAY = 86_400_000_000


def read_type(column: Column) -> str:
    """The type in which cells of a column are read; where it is not the column's own, the engine casts it."""
    if column.accepted:
        return "string"
    if column.kind in _FIGURES:
        other = "bigint" if column.kind == "integer" else "string"
        return column.type if NUMBERS.fullmatch(column.type) else other
    return column.kind if column.is_time else "string"


def plain(column: Column, filling: Filling) -> Callable[[str], Any]:
    """What gives the value of one text: microseconds or days since 1970 for times."""
    forms = _forms(filling.values)
    known = {**column.spellings, **forms}
    spellings = with_spaces(column.spellings)
    forms, known = with_spaces(forms), with_spaces(known)
    value, is_text = _values(column, filling), read_type(column) == "string"
    is_figure = column.is_time or column.kind in (*_FIGURES, "phone")
    currency = _currency(column)

    def read(text: str) -> Any:
        if is_figure:
            text = western(text)
        if filling.otherwise:
            meant = canonical(text, known)
            text = filling.otherwise if meant is None else meant
        elif forms:
            text = canonical(text, forms) or text
        if filling.decimal_comma:
            text = amounts.decimal_point(amounts.without_currency(text, currency) if column.kind == "money" else text)
        if filling.unit:
            return _number(amounts.in_unit(squish(text), filling.unit, currency), column.type)
        if column.kind not in _OWN_SPACE:
            text = squish(text)
        spelled = canonical(text, spellings) if spellings else None
        if column.accepted or (spelled is not None and is_text):
            return spelled
        return value(text if spelled is None else spelled)

    return read


_OWN_SPACE = {"identifier", "email", "free_text", "integer"}


def _values(column: Column, filling: Filling) -> Callable[[str], Any]:
    """What reads a text that is tidy, by the kind of its column."""
    if column.is_time:
        clock = times.reader(filling.date_formats or column.date_formats)
        return clock if column.kind == "timestamp" else lambda text: _day(clock(text))
    few = column.type.endswith((",0)", ",1)", ",2)"))
    currency, whole = _currency(column), amounts.minutes if column.unit == "minutes" else amounts.integer
    readers: dict[str, Callable[[str], Any]] = {
        "text": str,
        "free_text": lambda text: text.strip(" "),
        "identifier": identifier,
        "code": code,
        "money": lambda text: _number(amounts.figures(text, few, currency), column.type),
        "integer": lambda text: _number(whole(text), column.type),
        "email": email,
        "phone": phone,
    }
    return readers[column.kind]


def _currency(column: Column) -> str:
    return column.unit if column.kind == "money" and column.unit in money.CODES else "USD"


def _day(at: int | None) -> int | None:
    return None if at is None else at // _DAY


def _number(figure: str | int | Decimal | None, type_: str) -> Any:
    """A figure in the type of its column; None where it does not fit."""
    if figure is None or not (match := NUMBERS.fullmatch(type_)):
        return figure
    if match[1]:
        return amounts.decimal(figure, int(match[1]), int(match[2]))
    if type_ == "double":
        return float(figure)
    if isinstance(figure, str):
        return amounts.integer(figure) if "." not in figure else None
    whole = int(figure)
    return whole if -(2**63) <= whole < 2**63 else None


def with_spaces(spellings: Mapping[str, str]) -> dict[str, str]:
    """Spellings and the usual ways to write those with an underscore."""
    written = {form.replace("_", mark): value for form, value in spellings.items() for mark in " -" if "_" in form}
    return {**written, **spellings}


def _forms(values: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Every form of a spelling that a text is compared in; the first to claim a form has it."""
    forms: dict[str, str] = {}
    for written, value in values:
        for form in (written.strip().lower(), code(written)):
            if form:
                forms.setdefault(form, value)
    return forms
