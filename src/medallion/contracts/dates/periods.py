"""Dates that are no days: months, weeks, quarters and half years, and the day that each counts as."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from medallion.contracts.dates.formats import fits
from medallion.contracts.dates.inference import called_for
from medallion.contracts.dates.names import ENGLISH_MONTHS, MONTHS

#: Formats of months, each of which is read as its first day where a contract says so.
_OF_MONTHS = ("M/yyyy", "M.yyyy", "M-yyyy", "yyyy-M", "yyyy/M", "yyyy.M", "MMM yyyy")


@dataclass(frozen=True)
class Wider:
    """What dates tell that are no days: months, weeks and other periods, the format or the Spark SQL that reads one day of
    each, and whether that is its `last`.
    """

    what: str
    format: str = ""
    sql: str = ""
    last: bool = False

    @property
    def asks(self) -> str:
        """Which day each is to count as."""
        return f"its {'last' if self.last else 'first'} day"


#: What is between the parts of a period, and after the number of one.
_SIGNS, _ORDINAL = "[-/ .,_']*", "(?:[.ºª°]|er|ère|e|ème|st|nd|rd|th)?"
_YEAR = "(?:19|20)[0-9]{2}"
#: Kinds of periods: their words, the figures that they take, and the Spark SQL of the first and of the last day of one
#: with the year {y} and the number {n}.
_PERIODS = {
    "weeks": (
        "w|wk|ww|kw|cw|week|woche|kalenderwoche|semaine|semana|settimana|tydzie[nń]|t[yý]den|hafta|vecka|uke|uge",
        "0?[1-9]|[1-4][0-9]|5[0-3]",
        "date_add(date_trunc('week', make_date({y}, 1, 4)), 7 * {n} - 7)",
        "date_add(date_trunc('week', make_date({y}, 1, 4)), 7 * {n} - 1)",
    ),
    "quarters": (
        "q|qtr|quarter|quartal|t|trim|trimestre|kwarta[lł]|kwartaal|kvart[aá]l|[cč]tvrtlet[ií]|[cç]eyrek",
        "0?[1-4]",
        "make_date({y}, 3 * (({n} + 3) % 4) + 1, 1)",
        "last_day(make_date({y}, 3 * (({n} + 3) % 4) + 3, 1))",
    ),
    "half years": (
        "h|hj|hy|s|half|half[- ]?year|halbjahr|semestre|semester|halfjaar|p[oó][lł]rocze|pololet[ií]",
        "0?[12]",
        "make_date({y}, 6 * (({n} + 1) % 2) + 1, 1)",
        "last_day(make_date({y}, 6 * (({n} + 1) % 2) + 6, 1))",
    ),
    "months": (
        "|".join(sorted(MONTHS, key=len, reverse=True)),
        "0?[1-9]|1[0-2]",
        "make_date({y}, (({n} + 11) % 12) + 1, 1)",
        "last_day(make_date({y}, (({n} + 11) % 12) + 1, 1))",
    ),
}


@cache
def _period(kind: str) -> str:
    """The regular expression of texts that are a period of a kind: `2025-W14`, `KW 14/2025`, `1. Quartal 2025`, `mars 2025`."""
    words, number, *_ = _PERIODS[kind]
    word, number, of = f"(?:{words})[.]?", f"(?:{number})", "(?:de |del |of )?"
    shapes = (
        [f"{word}{_SIGNS}{of}{_YEAR}", f"{_YEAR}{_SIGNS}{word}", f"{number}[-/.]{_YEAR}", f"{_YEAR}[-/.]{number}"]
        if kind == "months"
        else [
            f"{_YEAR}{_SIGNS}{word}{_SIGNS}{number}",
            f"{word}{_SIGNS}{number}{_SIGNS}{of}{_YEAR}",
            f"{number}{_ORDINAL}{_SIGNS}{word}{_SIGNS}{of}{_YEAR}",
            f"{_YEAR}{_SIGNS}{number}{_ORDINAL}{_SIGNS}{word}",
        ]
    )
    return f"(?i)^(?:{'|'.join(shapes)})$"


def period(text: str) -> str | None:
    """What kind of period a text is, None for a day or something else.

    >>> [period(text) for text in ("2025-W14", "KW 14/2025", "Q1 2025", "1. Quartal 2025", "H1 2025", "mars 2025", "2025-05-09")]
    ['weeks', 'weeks', 'quarters', 'quarters', 'half years', 'months', None]
    """
    return next((kind for kind in _PERIODS if re.match(_period(kind), text)), None)


def wider(texts: Iterable[str], column: str, is_end: bool = False) -> Wider | None:
    """The periods that a column of bronze holds, days beside them too; None where some of its texts are something else.

    Months and weeks alone are read as their first days. Of other periods, and of several kinds together, the last day
    counts in a column of ends (`is_end`), since a deal is closed in a period that has begun before it was opened.

    >>> wider(["08/2025", "11/2025"], "closed"), wider(["2025-08-01"], "closed"), wider(["2025-W33"], "closed").what
    (Wider(what='months', format='M/yyyy', sql='', last=False), None, 'weeks')
    >>> wider(["Q1 2025", "2025-05-09", "W22 2025"], "closed", True).what, wider(["Q1 2025", "soon"], "closed")
    ('weeks and quarters', None)
    """
    texts = list(texts)
    for format_ in _OF_MONTHS if texts else ():
        if all(fits(format_, text) for text in texts) and (
            "MMM" not in format_ or all(text.split()[0].lower() in ENGLISH_MONTHS for text in texts)
        ):
            return Wider("months", format_)
    if texts and all(re.fullmatch(r"[0-9]{4}[-/ ]?W[0-9]{1,2}", text) for text in texts):
        year, week = f"substring(`{column}`, 1, 4)", f"regexp_extract(`{column}`, 'W([0-9]+)', 1)"
        first = f"date_trunc('week', make_date(try_cast({year} as int), 1, 4))"  # 4 January is in the first
        return Wider("weeks", sql=f"date_add({first}, 7 * try_cast({week} as int) - 7)")
    kinds = {text: kind for text in texts if (kind := period(text))}
    if not kinds or called_for([text for text in texts if text not in kinds], day_first=False)[1]:
        return None
    there = [kind for kind in _PERIODS if kind in kinds.values()]
    last = is_end and there != ["months"]
    of_kind = {kind: [text.lower() for text in texts if kinds.get(text) == kind] for kind in there}
    whens = (
        f"WHEN {_is_period(kind, of_kind[kind], column)} THEN {_day_of_period(kind, column, last)}" for kind in there
    )
    what = " and ".join(filter(None, (", ".join(there[:-1]), there[-1])))
    return Wider(what, sql=f"CASE {' '.join(whens)} ELSE `{column}` END", last=last)


def _is_period(kind: str, texts: list[str], column: str) -> str:
    """The Spark SQL of whether a text is such a period, by the words that stand in some of them."""
    if kind == "months":
        return f"lower(trim(`{column}`)) rlike '^([^0-9]+[0-9]{{4}}|[0-9]{{4}}[^0-9]+|[0-9]{{1,2}}[-/.][0-9]{{4}}|[0-9]{{4}}[-/.][0-9]{{1,2}})$'"
    whole = re.compile(rf"(?<![^\W\d_])(?:{_PERIODS[kind][0]})(?![^\W\d_])")
    words = sorted({word for text in texts for word in whole.findall(text)}, key=lambda word: (-len(word), word))
    return f"lower(`{column}`) rlike '(^|[^a-z])({'|'.join(words)})([^a-z]|$)'"


def _day_of_period(kind: str, column: str, last: bool) -> str:
    """The Spark SQL of one day of a period as text."""
    year = f"try_cast(regexp_extract(`{column}`, '({_YEAR})', 1) as int)"
    rest = f"regexp_replace(`{column}`, '{_YEAR}', '')"
    number = f"try_cast(regexp_extract({rest}, '([0-9]+)', 1) as int)"
    if kind == "months":
        names = {month: "|".join(name for name, its in MONTHS.items() if its == month) for month in range(1, 13)}
        named = (f"WHEN lower(`{column}`) rlike '(^|[^a-z])({names[month]})([^a-z]|$)' THEN {month}" for month in names)
        number = f"coalesce({number}, CASE {' '.join(named)} END)"
    return f"cast({_PERIODS[kind][2 + last].format(y=year, n=number)} as string)"
