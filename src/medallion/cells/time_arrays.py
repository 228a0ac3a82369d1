"""Arrow arrays of times in the usual forms, read at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medallion.cells.times import LOCAL, SECOND, ZONED
from medallion.contracts.dates import time_zones

_HOUR, _SIXTY = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
_ISO_DAY = "^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}"
#: Days that not every month has.
_LAST = "(?:29|30|31)"
_TIMESTAMP = pa.timestamp("us")


class _Form(NamedTuple):
    """A form of texts: its shape, how Arrow reads it, its shape on the last days of a month, and for ISO 8601 how many
    characters count (all of them where that is 0).
    """

    shape: str
    pattern: str
    last_days: str
    length: int | None = None


_ISO_FORMS = [
    _Form(rf"{_ISO_DAY}[ T]{_HOUR}:{_SIXTY}:{_SIXTY}(?:\.0+)?Z?$", "%Y-%m-%d %H:%M:%S", f"^.{{8}}{_LAST}", 19),
    _Form(f"{_ISO_DAY}$", "%Y-%m-%d", f"{_LAST}$", 0),
    _Form(f"{_ISO_DAY}[ T]{_HOUR}:{_SIXTY}$", "%Y-%m-%d %H:%M", f"^.{{8}}{_LAST}", 0),
]
_DIRECTIVES = {"d": "%d", "M": "%m", "yyyy": "%Y", "H": "%H", "h": "%I", "mm": "%M", "ss": "%S", "a": "%p"}
_SHAPES = {"yyyy": "[1-9][0-9]{3}", "mm": _SIXTY, "ss": _SIXTY, "a": "[AP]M"}


def usual(written: tuple[str, ...], type_: pa.DataType) -> Callable[[pa.Array], pa.Array] | None:
    """What reads times in figures with years from 1000 on at once, null for all other texts.

    Arrow reads 31 June as 1 July: what may be that is left to the plain reader. So is every text that a format with a
    zone, or one that comes before ISO 8601, would read; None where that may be any.
    """
    if any(format_.endswith(" z") or (format_.startswith("yyyy-") and "a" not in format_) for format_ in written):
        return None
    forms = [*_ISO_FORMS, *(form for format_ in written if (form := _in_figures(format_)))]
    zones = time_zones.zones(written)

    def read(texts: pa.Array) -> pa.Array:
        times = pa.nulls(len(texts), _TIMESTAMP)
        left = pc.is_valid(texts)
        rest = texts.drop_null()
        for form in forms:
            if not len(rest):
                break
            fits = pc.match_substring_regex(rest, form.shape)
            if not pc.any(fits).as_py():
                continue
            if len(rest) == len(texts) and pc.all(fits).as_py():
                times = _read(texts, form)
                break
            fitting = pc.replace_with_mask(left, left, fits)
            times = pc.replace_with_mask(times, fitting, _read(rest.filter(fits), form))
            left, rest = pc.and_not(left, fitting), rest.filter(pc.invert(fits))
        for zone in zones:
            times = _in_zone(times, texts, zone)
        return times.cast(type_) if pa.types.is_date(type_) else pc.assume_timezone(times, "UTC")

    return read


def _read(texts: pa.Array, form: _Form) -> pa.Array:
    """Texts of a form as times, null where the day is none."""
    if form.length is not None:
        texts = pc.utf8_slice_codeunits(texts, 0, form.length) if form.length else texts
        try:
            return texts.cast(_TIMESTAMP)  # three times as fast, and knows how long a month is
        except pa.ArrowInvalid:
            texts = pc.replace_substring(texts, "T", " ")
    at = pc.strptime(texts, format=form.pattern, unit="us", error_is_null=True)
    early = pc.if_else(pc.less_equal(pc.day(at), 3), texts, pa.scalar(None, pa.string()))
    rolled = pc.fill_null(pc.match_substring_regex(early, form.last_days), False)
    return pc.if_else(rolled, pa.scalar(None, at.type), at)


def _in_figures(format_: str) -> _Form | None:
    """How Arrow reads a plain format of figures; None for one that is not."""
    tokens = re.findall("([A-Za-z])(\\1*)|(.)", format_)
    shape = pattern = last_days = ""
    for letter, more, mark in tokens:
        run = letter + more
        if mark and mark in "/.- :":
            shape, pattern, last_days = shape + re.escape(mark), pattern + mark, last_days + re.escape(mark)
        elif run in _DIRECTIVES:
            figures = _SHAPES.get(run, "[0-9]{1,2}")
            shape, pattern = shape + figures, pattern + _DIRECTIVES[run]
            last_days += _LAST if run == "d" else figures
        else:
            return None
    runs = [letter + more for letter, more, mark in tokens if not mark]
    whole = {"d", "M", "yyyy"} <= {*runs} and len({*runs}) == len(runs) and ("a" in runs) == ("h" in runs)
    return _Form(f"^{shape}$", pattern, f"^{last_days}$") if whole else None


def _in_zone(local: pa.Array, texts: pa.Array, zone: str) -> pa.Array:
    """The times in UTC of wall clocks in a zone; days alone and times with a zone of their own as they are."""
    elsewhere = pc.match_substring_regex(texts, ZONED.pattern.replace(r"\Z", "$"))
    is_local = pc.and_(pc.match_substring_regex(texts, LOCAL.pattern), pc.invert(elsewhere))
    first, *later = time_zones.offsets(zone)
    ahead = np.array([first[1], *(offset for _, offset in later)], dtype="int64")
    seconds = pc.divide(pc.fill_null(local.cast(pa.int64()), 0), SECOND)
    place = np.searchsorted(np.array([since for since, _ in later], dtype="int64"), seconds.to_numpy(), side="right")
    shifted = pc.subtract(local.cast(pa.int64()), pa.array(ahead[place] * SECOND)).cast(local.type)
    return pc.if_else(pc.fill_null(is_local, False), shifted, local)
