"""Date formats, as Spark writes them: which texts each one reads.

Beside Spark's own there are `d/M/yy since 1950` (two digits stand for 1950 to 2049), `d LLLL yyyy` (month names of any
language that is known), `epoch s`, `ms` and `us`, `serial 1900` and `1904` (days of Excel's two calendars), ` z` at the
end (a zone or offset), `E, ` at the beginning (the name of a weekday in any language that is known, which must be that of
the day), `yyyy-d-M` (ISO 8601 with the day before the month, with any time of day), and `zone Europe/Berlin` (where times
without a zone of their own are local).
"""

from __future__ import annotations

import re
from functools import cache

from medallion.contracts.dates.counts import EPOCH_ENDS, EPOCH_SHAPES, EPOCHS, SERIAL, SERIALS, counted
from medallion.contracts.dates.names import ANY_ENGLISH_MONTH, WEEKDAY, WEEKDAY_AFTER, month_in
from medallion.contracts.dates.time_zones import ZONE

#: Text that is read as ISO 8601 whatever the formats are.
ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T].*)?"
#: ISO 8601 with the day before the month.
DAY_BEFORE_MONTH = "yyyy-d-M"
_MERIDIEM = r" ?(?P<a>[AaPp])\.? ?[Mm]\.?"
_BEFORE = re.compile("E{1,4}(?:, ?| )")


def is_iso(text: str) -> bool:
    """Whether a text is read as ISO 8601; a day with am or pm, or with the name of a zone, is not."""
    return bool(re.fullmatch(ISO, text)) and not re.search("[a-zA-Z.]$", text.removesuffix("Z"))


def reads(format_: str, text: str) -> bool:
    """Whether a format reads a text; a figure only when it stands for a plausible time."""
    if not re.fullmatch(reader(format_), text):
        return False
    if format_ in EPOCHS:
        first, last = EPOCH_ENDS
        return first <= counted(text) / EPOCHS[format_] < last
    return "LLLL" not in format_ or month_in(text) is not None


@cache
def reader(format_: str) -> str:
    """The regular expression of texts that a format reads, with the names of months."""
    return str(shape(format_)).replace("[^0-9]+", f"(?:{ANY_ENGLISH_MONTH})")


def is_special(format_: str) -> bool:
    """Whether a format is none of Spark's own."""
    return bool(re.search("LLLL| z$| since [0-9]{4}$|^(epoch|serial|zone) |^E", format_))


def without_century(format_: str) -> tuple[str, int | None]:
    """A format without ` since 1950`, and that year.

    >>> without_century("d/M/yy since 1950"), without_century("d/M/yyyy")
    (('d/M/yy', 1950), ('d/M/yyyy', None))
    """
    bare, _, since = format_.partition(" since ")
    return bare, int(since) if since else None


def fits(format_: str, text: str) -> bool:
    """Whether a text has the shape of a format, whether or not there is such a day or hour.

    >>> fits("M/d/yyyy", "31/31/2025"), fits("M/d/yyyy", "31/31/25")
    (True, False)
    """
    pattern = _compiled(format_)
    return pattern is not None and pattern.fullmatch(text) is not None


@cache
def _compiled(format_: str) -> re.Pattern[str] | None:
    pattern = shape(format_)
    return None if pattern is None else re.compile(pattern)


def shape(format_: str) -> str | None:
    r"""The regular expression of texts in a format, None for a format with letters that are not known here.

    Its groups are named by the letters of the format, but for `offset` and `zone`.

    >>> shape("M/d/yyyy h a"), shape("d. MMM yyyy"), shape("G")
    ('(?P<M>[0-9]{1,2})/(?P<d>[0-9]{1,2})/(?P<y>[0-9]{4}) (?P<h>[0-9]{1,2}) ?(?P<a>[AaPp])\\.? ?[Mm]\\.?', '(?P<d>[0-9]{1,2})\\. (?P<MMM>[^0-9]+) (?P<y>[0-9]{4})', None)
    """
    if format_ in EPOCHS or format_ in SERIALS:
        return f"(?:{EPOCH_SHAPES[format_]})" if format_ in EPOCHS else SERIAL
    if format_.startswith("zone "):
        return r"[^\s\S]"  # says nothing of the text
    if format_.endswith(" z"):
        bare = shape(format_.removesuffix(" z"))
        return None if bare is None else f"(?:{bare})(?P<zone>{ZONE})"
    if match := _BEFORE.match(format_):
        bare = shape(format_[match.end() :])
        return None if bare is None else f"(?i:{WEEKDAY.pattern})?{bare}(?:{WEEKDAY_AFTER.pattern})?"
    format_, _ = without_century(format_)
    if "LLLL" in format_:
        return _named(format_)
    written = ""
    seen: set[str] = set()
    for part in re.finditer(r"'(?P<quoted>[^']*)'|(?P<letter>[A-Za-z])(?P=letter)*|.", format_):
        run, letter = part[0], part["letter"]
        if letter is None:
            literal = run if part["quoted"] is None else part["quoted"] or "'"
            written += "".join(sign if sign.isalnum() or sign in " ,/:-'" else f"\\{sign}" for sign in literal)
            continue
        if run == "a":
            written = written.removesuffix(" ") + _MERIDIEM
            continue
        name = "offset" if letter in "XxZV" else "MMM" if run in ("MMM", "MMMM") else letter
        digits = "{1,2}" if len(run) == 1 else "{2}"
        digits = {"y": "{1,4}", "yy": "{2}", "yyyy": "{4}"}.get(run, f"{{1,{len(run)}}}" if letter == "S" else digits)
        pattern = _OFFSETS.get(run, "[^0-9]+" if name == "MMM" else f"[0-9]{digits}")
        if run not in _OFFSETS and (letter not in "yMdHhKkmsS" or run == "yyy" or (len(run) > 4 and letter != "S")):
            return None
        written += f"(?P={name})" if name in seen else f"(?P<{name}>{pattern})"
        seen.add(name)
    return written.replace("日", f"日(?:{WEEKDAY_AFTER.pattern})?")


#: Offsets from UTC and zones by the letters of a format.
_OFFSETS = {
    "X": "Z|[+-][0-9]{2}(?:[0-9]{2})?", "XX": "Z|[+-][0-9]{4}", "XXX": "Z|[+-][0-9]{2}:[0-9]{2}",
    "x": "[+-][0-9]{2}(?:[0-9]{2})?", "xx": "[+-][0-9]{4}", "xxx": "[+-][0-9]{2}:[0-9]{2}",
    **dict.fromkeys(("Z", "ZZ", "ZZZ"), "[+-][0-9]{4}"), "ZZZZZ": "Z|[+-][0-9]{2}:[0-9]{2}",
    "VV": "[A-Za-z][A-Za-z0-9_+/-]*",
}  # fmt: skip


def _named(format_: str) -> str:
    """The regular expression of a format with month names: `12. März 2025`, `12 de marzo de 2025`, `12-MAR-25`."""
    year = "(?P<y>[0-9]{4})" if "yyyy" in format_ else "(?P<y>[0-9]{2})"
    day, name = r"(?P<d>[0-9]{1,2})(?:\.|º|er)?", r"[^0-9\s.,/-]{3,12}\.?"
    first = rf"{name} {day}" if format_.startswith("L") else rf"{day}(?: | de |-|/)?{name}"
    letter = "h" if "h" in format_ else "H"
    minutes = rf",? (?P<{letter}>[0-9]{{1,2}}):(?P<m>[0-9]{{2}})"
    time = {"": "", "H:mm": minutes, "H:mm:ss": minutes + ":(?P<s>[0-9]{2})"}
    time["h:mm a"], time["h:mm:ss a"] = time["H:mm"] + _MERIDIEM, time["H:mm:ss"] + _MERIDIEM
    return rf"{first}(?:,? | de | del |-|/){year}{time[format_.rpartition('y')[2].strip()]}"
