"""Arrow arrays of times in the usual forms, read at once."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medallion.cells.times import LOCAL, SECOND, ZONED
from medallion.contracts import formats

_HOUR, _SIXTY = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
_ISO_DAY = "^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}"
#: The shape of texts, how Arrow reads them, and of how many characters; all of them where that is 0.
_ISO_FORMS = [
    (rf"{_ISO_DAY}[ T]{_HOUR}:{_SIXTY}:{_SIXTY}(?:\.0+)?Z?$", "%Y-%m-%d %H:%M:%S", 19),
    (f"{_ISO_DAY}$", "%Y-%m-%d", 0),
    (f"{_ISO_DAY}[ T]{_HOUR}:{_SIXTY}$", "%Y-%m-%d %H:%M", 16),
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
    zones = formats.zones(written)

    def read(texts: pa.Array) -> pa.Array:
        found = pa.nulls(len(texts), pa.timestamp("us"))
        left = pc.is_valid(texts)
        for shape, pattern, length in forms:
            if not pc.any(left).as_py():
                break
            fits = pc.and_(left, pc.fill_null(pc.match_substring_regex(texts, shape), False))
            if not pc.any(fits).as_py():
                continue
            some = texts if pc.all(fits).as_py() else pc.filter(texts, fits)
            cut = pc.replace_substring(pc.utf8_slice_codeunits(some, 0, length), "T", " ") if length else some
            at = pc.strptime(cut, format=pattern, unit="us", error_is_null=True)
            early = pc.if_else(pc.less_equal(pc.day(at), 3), some, pa.scalar(None, pa.string()))
            rolled = pc.fill_null(pc.match_substring_regex(early, "29|30|31"), False)
            found = pc.replace_with_mask(found, fits, pc.if_else(rolled, pa.scalar(None, at.type), at))
            left = pc.and_(left, pc.invert(fits))
        for zone in zones:
            found = _in_zone(found, texts, zone)
        return found.cast(type_) if pa.types.is_date(type_) else pc.assume_timezone(found, "UTC")

    return read


def _in_figures(format_: str) -> tuple[str, str, int] | None:
    """How Arrow reads a plain format of figures; None for one that is not."""
    tokens = re.findall("([A-Za-z])(\\1*)|(.)", format_)
    shape = pattern = ""
    for letter, more, mark in tokens:
        run = letter + more
        if mark and mark in "/.- :":
            shape, pattern = shape + re.escape(mark), pattern + mark
        elif run in _DIRECTIVES:
            shape, pattern = shape + _SHAPES.get(run, "[0-9]{1,2}"), pattern + _DIRECTIVES[run]
        else:
            return None
    runs = [letter + more for letter, more, mark in tokens if not mark]
    whole = {"d", "M", "yyyy"} <= {*runs} and len({*runs}) == len(runs) and ("a" in runs) == ("h" in runs)
    return (f"^{shape}$", pattern, 0) if whole else None


def _in_zone(local: pa.Array, texts: pa.Array, zone: str) -> pa.Array:
    """The times in UTC of wall clocks in a zone; days alone and times with a zone of their own as they are."""
    elsewhere = pc.match_substring_regex(texts, ZONED.pattern.replace(r"\Z", "$"))
    here = pc.and_(pc.match_substring_regex(texts, LOCAL.pattern), pc.invert(elsewhere))
    first, *later = formats.offsets(zone)
    ahead = np.array([first[1], *(offset for _, offset in later)], dtype="int64")
    seconds = pc.divide(pc.fill_null(local.cast(pa.int64()), 0), SECOND)
    place = np.searchsorted(np.array([since for since, _ in later], dtype="int64"), seconds.to_numpy(), side="right")
    shifted = pc.subtract(local.cast(pa.int64()), pa.array(ahead[place] * SECOND)).cast(local.type)
    return pc.if_else(pc.fill_null(here, False), shifted, local)
