"""Date formats, as Spark writes them: which texts each one reads, and which of them a column's values call for."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

#: Text that is read as ISO 8601 whatever the formats are.
ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T].*)?"
_DAY_MONTH_YEAR = re.compile(r"([0-9]{1,2})([/.-])([0-9]{1,2})\2([0-9]{4})(?![0-9])")
_TIMES = ("", " H:mm", " H:mm:ss", " h:mm a", " h:mm:ss a")
_MONTHS = "|".join((*calendar.month_name[1:], *calendar.month_abbr[1:]))
#: Formats in which the order of day and month cannot be mistaken.
_PLAIN = (
    *(f"d.M.yyyy{time}" for time in _TIMES),
    *(f"yyyy/M/d{time}" for time in _TIMES),
    *(f"d MMM yyyy{time}" for time in _TIMES),
    *(f"MMM d, yyyy{time}" for time in _TIMES),
    *(f"MMM d yyyy{time}" for time in _TIMES),
    *(f"d-MMM-yyyy{time}" for time in _TIMES),
    "yyyyMMdd",
    "yyyyMMddHHmmss",
)


@dataclass(frozen=True)
class DayOrder:
    """What texts such as 3/4/2025 say about the order of day and month: an example of each kind, "" for none.

    `day_first` and `month_first` are real dates in that order alone; `either` is two different dates.
    """

    day_first: str = ""
    month_first: str = ""
    either: str = ""

    @property
    def decided(self) -> bool | None:
        """True for day first, False for month first, None when the texts contradict each other or do not tell."""
        return None if bool(self.day_first) == bool(self.month_first) else bool(self.day_first)

    @property
    def contradicts(self) -> bool:
        """Whether some texts are dates only day first and others only month first."""
        return bool(self.day_first and self.month_first)


def day_order(texts: Iterable[str]) -> DayOrder:
    """What a column's texts say about the order of day and month. A date with dots has the day first and tells nothing
    of others.

    >>> day_order(["02/03/2025", "2025-01-31", "31/12/2024", "31/02/2025"])
    DayOrder(day_first='31/12/2024', month_first='', either='02/03/2025')
    >>> day_order(["5/5/2025", "12.01.2025"])
    DayOrder(day_first='', month_first='', either='')
    """
    found = {"day_first": "", "month_first": "", "either": ""}
    for text in texts:
        if not (match := _DAY_MONTH_YEAR.match(text.strip())) or match[2] == ".":
            continue
        first, second, year = int(match[1]), int(match[3]), int(match[4])
        day, month = _is_date(year, second, first), _is_date(year, first, second)
        kind = "" if first == second else "either" if day and month else "day_first" if day else "month_first" * month
        if kind and not found[kind]:
            found[kind] = text.strip()
            if all(found.values()):
                break
    return DayOrder(**found)


def _is_date(year: int, month: int, day: int) -> bool:
    return year > 0 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


def candidates(day_first: bool) -> tuple[str, ...]:
    """Every format that may be called for, with days or months first where figures stand for both."""
    order = "d{0}M{0}yyyy" if day_first else "M{0}d{0}yyyy"
    return (*(order.format(mark) + time for mark in "/-" for time in _TIMES), *_PLAIN)


def called_for(texts: Iterable[str], day_first: bool) -> tuple[tuple[str, ...], list[str]]:
    """The formats that read a column's texts, and the texts that none reads. ISO 8601 needs no format.

    >>> called_for(["2025-01-31", "31/12/2024", "5/1/2025 14:30", "soon"], day_first=True)
    (('d/M/yyyy', 'd/M/yyyy H:mm'), ['soon'])
    """
    iso = re.compile(ISO)
    left = [text.strip() for text in texts]
    left = [text for text in left if not iso.fullmatch(text)]
    needed = []
    for format_ in candidates(day_first):
        if not left:
            break
        unread = [text for text in left if not re.fullmatch(reader(format_), text)]
        if len(unread) < len(left):
            needed.append(format_)
            left = unread
    return tuple(needed), left


@cache
def reader(format_: str) -> str:
    """The regular expression of texts that a format reads, with the names of months."""
    return str(shape(format_)).replace("[^0-9]+", f"(?:{_MONTHS})")


def with_month_names(format_: str) -> Iterator[str]:
    """A format with month names, short and in full: one engine reads both by either."""
    names = re.search("M{3,4}", format_)
    yield from [format_] if not names else (format_.replace(names[0], month) for month in ("MMM", "MMMM"))


def shapes(formats: Iterable[str]) -> str:
    """The regular expression of texts in one of the formats: engines differ in signs and in digits not asked for."""
    found = [shape(format_) for format_ in formats]
    return "" if None in found else rf"^(?:{'|'.join(dict.fromkeys(map(str, found)))})\z"


def shape(format_: str) -> str | None:
    r"""The regular expression of texts in a format, None for a format with letters that are not known here.

    >>> shape("M/d/yyyy h:mm a"), shape("d. MMM yyyy"), shape("G")
    ('[0-9]{1,2}/[0-9]{1,2}/[0-9]{4} [0-9]{1,2}:[0-9]{2} [AaPp][Mm]', '[0-9]{1,2}\\. [^0-9]+ [0-9]{4}', None)
    """
    written = ""
    for found in re.finditer(r"'(?P<quoted>[^']*)'|(?P<letter>[A-Za-z])(?P=letter)*|.", format_):
        run, letter = found[0], found["letter"]
        if letter is None:
            literal = run if found["quoted"] is None else found["quoted"] or "'"
            written += "".join(sign if sign.isalnum() or sign in " ,/:-'" else f"\\{sign}" for sign in literal)
        elif letter in "dHhms" or run in ("M", "MM"):
            written += "[0-9]{1,2}" if len(run) == 1 else "[0-9]{2}"
        elif run in ("MMM", "MMMM"):
            written += "[^0-9]+"
        elif run in ("yyyy", "yy"):
            written += f"[0-9]{{{len(run)}}}"
        elif letter == "S":
            written += f"[0-9]{{1,{len(run)}}}"
        elif run == "a":
            written += "[AaPp][Mm]"
        else:
            return None
    return written
