"""Arrow arrays of cells read at once: texts in the usual form in Arrow, of the others each distinct one by itself.

It runs inside the engine's tasks (`read_batches`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from medallion.cells import time_arrays
from medallion.cells.plain import NUMBERS, plain, read_type
from medallion.cells.texts import ODD_SPACE
from medallion.contracts.filling import Filling
from medallion.contracts.model import Column

#: What reads an array of texts.
Reader = Callable[[pa.Array], pa.Array]
_TYPES = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
_TIDY = f"^[^ {ODD_SPACE}]+( [^ {ODD_SPACE}]+)*$"
_VISIBLE = "^[!-~]+$"
#: Visible signs without those that are beside an address.
_ADDRESS, _NUMBER = "^[!-9;=?-~]+$", r"^\+?[0-9]{1,15}$"
_DIALED = r"^(?:\+[0-9]|[0-9(])[0-9() .-]*[0-9]$"


def read_batches(
    batches: Iterable[pa.RecordBatch], readings: Mapping[str, Sequence[tuple[str, Column, Filling]]]
) -> Iterator[pa.RecordBatch]:
    """Batches with the columns of `readings` before their own.

    Args:
        batches: Rows with texts.
        readings: Per new column the columns of texts that it is read from, each with the contract of its values and
            what fills them; the first that has a text counts.
    """
    for batch in batches:
        read = {}
        for name, parts in readings.items():
            values = None
            for text, column, filling in reversed(parts):
                texts = batch.column(text).cast(pa.string())
                parsed = reader(column, filling)(texts)
                values = parsed if values is None else pc.if_else(pc.is_valid(texts), parsed, values)
            read[name] = values
        names = [*read, *batch.schema.names]
        yield pa.RecordBatch.from_arrays([*read.values(), *batch.columns], names=names)


@cache
def reader(column: Column, filling: Filling) -> Reader:
    """What gives an array of texts as values of `read_type`, null where a text is null or cannot be read."""
    type_ = _arrow(read_type(column))
    if filling.lookup:
        return lambda texts: pa.nulls(len(texts), type_)
    usual = (
        None if column.spellings or column.accepted or filling.values or filling.otherwise else _usual(column, filling)
    )
    read = plain(column, filling)

    def all_of(texts: pa.Array) -> pa.Array:
        if usual is None:
            return _each(texts, read, type_)
        parsed = usual(texts)
        odd = pc.and_(pc.is_valid(texts), pc.is_null(parsed))
        if not pc.any(odd).as_py():
            return parsed
        return pc.replace_with_mask(parsed, odd, _each(pc.filter(texts, odd), read, type_))

    return all_of


def _each(texts: pa.Array, read: Callable[[str], Any], type_: pa.DataType) -> pa.Array:
    """Every distinct text read once."""
    encoded = texts.dictionary_encode()
    return pa.array([read(text) for text in encoded.dictionary.to_pylist()], type_).take(encoded.indices)


def _usual(column: Column, filling: Filling) -> Reader | None:
    """What reads texts in the usual form of a kind of column at once, null for all others; None where there is no such form."""
    kind, type_ = column.kind, _arrow(read_type(column))
    if column.is_time:
        return time_arrays.usual(filling.date_formats or column.date_formats, type_)
    if filling.unit:
        return None
    if kind == "integer" and not pa.types.is_decimal(type_):
        return lambda texts: pc.cast(_only(texts, "^-?[0-9]{1,15}$"), type_)
    if kind == "money" and NUMBERS.fullmatch(column.type):
        return _usual_amounts(filling, type_)
    if filling.decimal_comma:
        return None
    # not ascii_upper and ascii_lower: pyarrow 26 gives broken texts for an array that begins in the middle of its bytes
    return {
        "text": lambda texts: _only(texts, _TIDY),
        "free_text": lambda texts: pc.utf8_trim(texts, " "),
        "identifier": lambda texts: pc.utf8_upper(_only(texts, _VISIBLE)),
        "email": lambda texts: pc.utf8_lower(_only(texts, _ADDRESS)),
        "phone": lambda texts: _only(pc.replace_substring_regex(_only(texts, _DIALED), "[^0-9+]", ""), _NUMBER),
    }.get(kind)


def _usual_amounts(filling: Filling, type_: pa.DataType) -> Reader | None:
    """Amounts of up to 15 digits and two decimals, with a dollar sign and thousands marks or without."""
    if pa.types.is_integer(type_) or (
        pa.types.is_decimal(type_) and (type_.scale < 2 or type_.precision - type_.scale < 16)
    ):
        return None
    dressed, marks = r"^-?\$?([0-9]{1,3}(,[0-9]{3}){0,4}|[0-9]{1,15})(\.[0-9]{1,2})?$", "[$,]"
    if filling.decimal_comma:
        dressed, marks = r"^-?([0-9]{1,3}(\.[0-9]{3}){0,4}|[0-9]{1,15})(,[0-9]{1,2})?$", r"\."

    def read(texts: pa.Array) -> pa.Array:
        bare = pc.replace_substring_regex(_only(texts, dressed), marks, "")
        return pc.cast(pc.replace_substring(bare, ",", ".") if filling.decimal_comma else bare, type_)

    return read


def _only(texts: pa.Array, pattern: str) -> pa.Array:
    """The texts that fit a pattern, null in place of the others."""
    fits = pc.match_substring_regex(texts, pattern)
    return texts if pc.all(fits).as_py() else pc.if_else(fits, texts, pa.scalar(None, pa.string()))


def _arrow(type_: str) -> pa.DataType:
    match = NUMBERS.fullmatch(type_)
    return pa.decimal128(int(match[1]), int(match[2])) if match and match[1] else _TYPES[type_]
