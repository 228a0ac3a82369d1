r"""The vocabulary of cleaning: small functions from Column to Column.

Nothing here knows a table, a path or a clock. Each function keeps null as null and gives null for a text that
it cannot read; whether that refuses the row is for `medallion.silver.checks` to say. Only calls that give the same
result on Sail and on Apache Spark are used, and the fast test comes before the slow regular expression. Patterns
end in `\z`: for Java `$` also stands before a last line end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from pyspark.sql import Column
from pyspark.sql import functions as F

from medallion.contracts import formats as formats_of

#: White space other than the plain space: tabs, line ends, no-break and typographic spaces, byte-order mark.
_ODD_SPACE = "\t\n\r\x0b\x0c\u00a0\u2000-\u200b\u202f\u3000\ufeff"
_SPACES = " " + _ODD_SPACE.replace("\u2000-\u200b", "".join(map(chr, range(0x2000, 0x200C))))
#: Plain figures. One to three digits, a point and three more is either: 1.234 may be 1234 written on the Continent.
_PLAIN = r"0+\.[0-9]+|[0-9]+(\.([0-9]{1,2}|[0-9]{4,}))?|[0-9]{4,}\.[0-9]{3}"


def squish(text: Column) -> Column:
    r"""Trim, and make every run of white space (no-break spaces and line ends too) one space.

    >>> show(["  Acme   Corp ", "A\u00a0B", None], squish)
    ['Acme Corp', 'A B', None]
    """
    odd = text.rlike(f"[{_ODD_SPACE}]|  ")
    return F.trim(F.when(odd, F.regexp_replace(text, f"[ {_ODD_SPACE}]+", " ")).otherwise(text))


def null_if_placeholder(text: Column, placeholders: Iterable[str]) -> Column:
    r"""Null where the text without white space around it, in lower case, is one of `placeholders`.

    >>> show(["N/A", "-", "          ", "\u00a0", "Nash"], lambda c: null_if_placeholder(c, ["", "-", "n/a"]))
    [None, None, None, None, 'Nash']
    """
    words = sorted(set(placeholders))
    longest = max((len(word) for word in words), default=0)
    bare = F.btrim(text, F.lit(_SPACES))
    return F.when((F.length(bare) <= longest) & F.lower(bare).isin(words), F.lit(None)).otherwise(text)


def identifier(text: Column) -> Column:
    """A key as written in upper case without any white space.

    >>> show([" c004 ", "l-10 07"], identifier)
    ['C004', 'L-1007']
    """
    return F.upper(unspaced(text))


def key_hash(key: Column) -> Column:
    """64 bits of a key, for grouping and joining; two keys may have the same.

    Not `xxhash64`: on Sail 0.7 it fails on a file of several rows that all have one key.

    >>> show(["L1", "L2", None], lambda c: key_hash(c) == key_hash(F.lit("L1")))
    [True, False, None]
    """
    return F.hash(key).cast("bigint") * F.lit(1 << 32) + F.crc32(key)


def unspaced(text: Column) -> Column:
    """A text without any white space.

    >>> show([" c004 ", "l-10 07"], unspaced)
    ['c004', 'l-1007']
    """
    spaced = text.rlike(f"[ {_ODD_SPACE}]")
    return F.when(spaced, F.regexp_replace(text, f"[ {_ODD_SPACE}]+", "")).otherwise(text)


def code(text: Column) -> Column:
    """Lower case, every run of other characters than letters and digits (of any script) one underscore.

    >>> show(["Closed - Won", " Proposal/Quote ", "Größe A"], code)
    ['closed_won', 'proposal_quote', 'größe_a']
    """
    return F.trim(F.regexp_replace(F.lower(text), r"[^\p{L}\p{N}]+", "_"), F.lit("_"))


def canonical(text: Column, spellings: Mapping[str, str]) -> Column:
    """The value that a spelling stands for, null for a spelling that is not known.

    `spellings` maps lower-case spellings, and their `code` form, to values.

    >>> forms = {"won": "won", "closed_won": "won", "lost": "lost"}
    >>> show([" WON ", "Closed-Won", "maybe"], lambda c: canonical(c, forms))
    ['won', 'won', None]
    """
    # the usual ways to write a form, so that few texts need the slow `code`
    written = {form.replace("_", mark): value for form, value in spellings.items() for mark in " -" if "_" in form}
    return F.coalesce(_lookup(F.lower(F.trim(text)), {**written, **spellings}), _lookup(code(text), spellings))


def _lookup(key: Column, spellings: Mapping[str, str]) -> Column:
    forms: dict[str, list[str]] = {}
    for spelling, value in spellings.items():
        forms.setdefault(value, []).append(spelling)
    found = F.lit(None).cast("string")
    for value, spelled in reversed(forms.items()):
        found = F.when(key.isin(spelled), F.lit(value)).otherwise(found)
    return found


def money(text: Column, kind: str = "decimal(18,2)") -> Column:
    """An amount in US dollars, of type `kind`; as DECIMAL(18,2) it is rounded half up to cents.

    Reads a dollar sign or USD before or after, thousands commas, spaces or apostrophes, `1.234,56` and `1 234,56`
    (two marks, so not ambiguous), a minus after the figure and accountants' parentheses. Another currency, a word, a bare `1,5` is not read,
    nor `1.234` for a `kind` of up to two decimals.

    >>> show(["$350,000", "USD 98,000.50 ", "(1,200)", "1.234,56", "call me", "€5", "1.234"], money)
    ['350000.00', '98000.50', '-1200.00', '1234.56', None, None, None]
    >>> show(["43 308,50", "1'234.50", "1 234 567", "1,5", "1 23,5"], money)
    ['43308.50', '1234.50', '1234567.00', None, None]
    >>> show(["1,200.00-", "1.234,50- USD", "$50-", "\u2212300.00", "350.-", "51-200"], money)
    ['-1200.00', '-1234.50', '-50.00', '-300.00', None, None]
    """
    plain = _PLAIN if kind.endswith((",0)", ",1)", ",2)")) else r"[0-9]+(\.[0-9]+)?"
    sign = r"(?:US ?\$|USD|\$)"
    spaced = F.trim(F.regexp_replace(F.translate(F.upper(text), "\u2212", "-"), f"[ {_ODD_SPACE}]+", " "))
    bare = F.regexp_replace(F.regexp_replace(spaced, rf"^(-?\(?) ?{sign} ?", "$1"), rf" ?{sign}(\)?)\z", "$1")
    # each step names the one before it once: what is named twice is twice in the plan, and so on down the steps
    credit = F.regexp_replace(bare, r"^\( ?([^()-]*[^() -]) ?\)\z", "-$1")
    signed = F.regexp_replace(credit, r"^([^()-]*[0-9]) ?-\z", "-$1")
    english = signed.rlike(rf"^-?([0-9]{{1,3}}((,[0-9]{{3}})+|( [0-9]{{3}})+|(['’][0-9]{{3}})+)(\.[0-9]+)?|{plain})\z")
    continental = signed.rlike(r"^-?[0-9]{1,3}((\.[0-9]{3})+|( [0-9]{3})+),[0-9]+\z")
    written = (
        F.when(english, F.translate(signed, ", '’", ""))
        .when(continental, F.translate(F.translate(signed, ". ", ""), ",", "."))
        .otherwise(F.lit(None))
    )
    return F.when(text.rlike(rf"^-?({plain})\z"), text).otherwise(written).try_cast(kind)


def decimal_point(text: Column) -> Column:
    """Figures written with a decimal comma, `1.234,5` or `1.234`, with a decimal point; other texts as they are.

    >>> show(["1.234,56", "98,5", "1.234", "12.5", "$ 7 500,00", "soon"], decimal_point)
    ['1234.56', '98.5', '1234', '12.5', '$ 7500.00', 'soon']
    """
    bare = F.regexp_replace(text, f"([0-9])[ {_ODD_SPACE}]([0-9])", "$1$2")
    comma = bare.rlike(r"^[^0-9.,]*([0-9]{1,3}(\.[0-9]{3})*|[0-9]+)(,[0-9]+)?[^0-9.,]*\z")
    return F.when(comma, F.translate(F.translate(bare, ".", ""), ",", ".")).otherwise(text)


#: How much one of each is.
_UNITS = {
    "cents": Decimal("0.01"),
    "percent": Decimal("0.01"),
    "thousands": Decimal(1_000),
    "millions": Decimal(1_000_000),
}


def in_unit(text: Column, unit: str) -> Column:
    """Figures written in a unit of `_UNITS`, as a DECIMAL; read as amounts, a percent sign after them is left out.

    Cents are whole: what has decimals is none.

    >>> show(["75", "75%", "1,250", "-3.125", "soon"], lambda c: in_unit(c, "percent").cast("decimal(9,5)"))
    ['0.75000', '0.75000', '12.50000', '-0.03125', None]
    """
    bare = F.regexp_replace(text, r" ?%\z", "") if unit == "percent" else text
    read = money(bare, "decimal(24,8)")
    return (F.when(read == F.floor(read), read) if unit == "cents" else read) * F.lit(_UNITS[unit])


def integer(text: Column) -> Column:
    """A whole number as BIGINT; thousands commas, spaces or apostrophes and one or two decimal zeros are allowed.

    >>> show(["1,200", " 350 ", "12.0", "12.5", "1.200", "12.000", "a few", "1 200", "1'200"], integer)
    [1200, 350, 12, None, None, None, None, 1200, 1200]
    """
    trimmed = F.trim(text)
    plain = trimmed.rlike(r"^-?[0-9]+\z")
    grouped = trimmed.rlike(r"^-?([0-9]{1,3}((,[0-9]{3})+|( [0-9]{3})+|(['’][0-9]{3})+)|[0-9]+)(\.00?)?\z")
    written = F.when(grouped, F.regexp_replace(F.translate(trimmed, ", '’", ""), r"\.00?\z", ""))
    return F.when(plain, trimmed).otherwise(written).try_cast("bigint")


def parse_timestamp(text: Column, formats: Iterable[str]) -> Column:
    """A timestamp in UTC: ISO 8601 first, then `formats` in their order. A date alone is its midnight.

    An impossible date such as 31/02/2025 is not read. What formats there are beside Spark's own,
    `medallion.contracts.formats` says.

    >>> show(["3/2/25 3:30p.m.", "2/3/99", "45909.5", "1741777200000", "12. März 2025"],
    ...      lambda c: parse_timestamp(c, ["d/M/yy since 1950", "d/M/yy h:mm a since 1950", "serial 1900", "epoch ms",
    ...                                    "d LLLL yyyy"]).cast("string"))
    ['2025-02-03 15:30:00', '1999-03-02 00:00:00', '2025-09-09 12:00:00', '2025-03-12 11:00:00', '2025-03-12 00:00:00']
    >>> show(["12 Mar 25", "12 mars 1998"], lambda c: parse_timestamp(c, ["d LLLL yy", "d LLLL yyyy"]).cast("string"))
    ['2025-03-12 00:00:00', '1998-03-12 00:00:00']
    >>> show(["2025-06-12T14:30:00Z", "06/12/2025 14:30", "2025-06-31"],
    ...      lambda c: parse_timestamp(c, ["M/d/yyyy H:mm"]).cast("string"))
    ['2025-06-12 14:30:00', '2025-06-12 14:30:00', None]
    >>> show(["2025-01-15 12:00", "2025-07-15 12:00", "2025-07-15T12:00:00Z", "2025-07-15"],
    ...      lambda c: parse_timestamp(c, ["zone Europe/Berlin"]).cast("string"))
    ['2025-01-15 11:00:00', '2025-07-15 10:00:00', '2025-07-15 12:00:00', '2025-07-15 00:00:00']
    """
    return read_timestamp(dates_in_figures(text, formats), formats)


#: How `dates_in_figures` writes a day, unlike any text that is one already.
_IN_FIGURES = "yyyy|M|d"


def dates_in_figures(text: Column, formats: Iterable[str]) -> Column:
    """Texts with a month's name in any language or a year of two digits as `_IN_FIGURES` and the time; others as they are,
    but for am and pm, of which every spelling becomes one.

    The first half of `parse_timestamp`. What it gives is named once per format by the other half, so it should be a
    column of its own: as an expression within an expression it would be that often in the plan.

    >>> show(["3/2/25 3:30p.m.", "12 de marzo de 99", "2025-03-12", "3:30 AM"],
    ...      lambda c: dates_in_figures(c, ["d/M/yy h:mm a since 1950", "d LLLL yy since 1950"]))
    ['2025|2|3 3:30 PM', '1999|3|12', '2025-03-12', '3:30 AM']
    """
    listed = list(formats)
    plain = _meridiem(text) if any("a" in format_ for format_ in listed) else text
    found = None
    for (named, order, since), alike in _families(listed).items():
        shape, written = text.rlike(formats_of.shapes(alike)), _in_figures(text, named, order, since)
        found = F.when(shape, written) if found is None else found.when(shape, written)
    return plain if found is None else found.otherwise(plain)


def _families(formats: Iterable[str]) -> dict[tuple[bool, str, int], list[str]]:
    """Formats with a month's name or a year of two digits by how they are written in figures: whether by name, the order
    of day, month and year, and from which year two digits count, 0 where the year has four.
    """
    families: dict[tuple[bool, str, int], list[str]] = {}
    for format_ in formats:
        bare, since = formats_of.without_century(format_)
        named = "LLLL" in bare
        if not bare.endswith(" z") and (named or since is not None):
            order = "" if named else "".join(letter for letter in bare if letter in "dMy").replace("yy", "y")
            first = 0 if "yyyy" in bare else since or formats_of.SINCE
            families.setdefault((named, order, first), []).append(format_)
    return families


def read_timestamp(text: Column, formats: Iterable[str], local: Column | None = None) -> Column:
    """What `parse_timestamp` reads, of texts as `dates_in_figures` gives them for the same formats.

    Args:
        text: Such texts.
        formats: The formats.
        local: What `clock_time` makes of the same; where a format names a zone it should be a column of its own.
    """
    listed = list(formats)
    found = clock_time(text, listed) if local is None else local
    for zone in formats_of.zones(listed):
        here = text.rlike(r"[0-9]:[0-9]{2}") & ~text.rlike(r"(?:[A-LN-Za-ln-z]|[+-][0-9]{2}:?[0-9]{2})\z")
        found = F.when(here, _utc(found, zone)).otherwise(found)
    return found


def clock_time(text: Column, formats: Iterable[str]) -> Column:
    """What a clock showed, as a timestamp, where the text names no zone; the time in UTC where it does.

    >>> show(["2025-07-15 12:00", "2025-07-15T12:00:00Z"],
    ...      lambda c: clock_time(c, ["zone Europe/Berlin"]).cast("string"))
    ['2025-07-15 12:00:00', '2025-07-15 12:00:00']
    """
    listed = list(formats)
    iso = text.like("____-__-__") | text.like("____-__-__ %") | text.like("____-__-__T%")
    # engines differ in what they pass over at the end: white space of other scripts
    iso = iso & (F.octet_length(text) == F.length(text))
    rewritten = [format_ for alike in _families(listed).values() for format_ in alike]
    in_figures = list(map(_as_in_figures, rewritten))
    special = [each for each in listed if formats_of.is_special(each) or each.startswith("yyyy-")]
    plain = [each for format_ in listed if format_ not in special for each in formats_of.with_month_names(format_)]
    cases = [
        (text.rlike(formats_of.shapes([format_])), _special(text, format_))
        for format_ in special
        if format_ not in rewritten and not format_.startswith("zone ")
    ]
    cases.append((iso, text.try_cast("timestamp")))
    for every in (list(dict.fromkeys(in_figures)), plain):
        if every:
            read = [F.try_to_timestamp(text, F.lit(format_)) for format_ in every]
            cases.append((text.rlike(formats_of.shapes(every)), F.coalesce(*read)))
    found = F.when(*cases[0])
    for case in cases[1:]:
        found = found.when(*case)
    return found


def _utc(local: Column, zone: str) -> Column:
    """The time in UTC of a wall clock; of an hour that it shows twice, the first. No engine's own calls: Sail's differ."""
    seconds, (first, *later) = F.unix_timestamp(local), formats_of.offsets(zone)
    ahead = F.when(seconds.isNull(), F.lit(first[1]))
    for since, offset in reversed(later):
        ahead = ahead.when(seconds >= F.lit(since), F.lit(offset))
    ahead = ahead.otherwise(F.lit(first[1]))
    return F.timestamp_micros(F.unix_micros(local) - ahead.cast("bigint") * F.lit(1_000_000))


def _meridiem(text: Column) -> Column:
    """Every spelling of am and pm as one that engines read: `3:30p.m.` is `3:30 PM`."""
    morning = F.regexp_replace(text, r" ?[Aa]\.? ?[Mm]\.?\z", " AM")
    return F.regexp_replace(morning, r" ?[Pp]\.? ?[Mm]\.?\z", " PM")


def _special(text: Column, format_: str) -> Column:
    """A text in a format that is not the engines' own, and not rewritten in figures: a count of days or seconds, a zone."""
    if format_ in formats_of.EPOCHS:
        factor = 1_000_000 // formats_of.EPOCHS[format_]
        whole = (text.try_cast("decimal(28,9)") * F.lit(factor).cast("decimal(9,0)")).cast("bigint")
        return F.timestamp_micros(whole)
    if format_ in formats_of.SERIALS:
        days = F.translate(text, ",", ".").try_cast("decimal(18,9)")
        start = (formats_of.SERIALS[format_] - date(1970, 1, 1)).days
        seconds = (days + F.lit(start).cast("decimal(10,0)")) * F.lit(86_400).cast("decimal(10,0)")
        return F.timestamp_seconds(F.floor(seconds + F.lit("0.5").cast("decimal(2,1)")).cast("bigint"))
    if format_.endswith(" z"):
        zone = F.regexp_extract(text, f"({formats_of.ZONE})\\z", 1)
        bare = F.regexp_replace(text, f"{formats_of.ZONE}\\z", "")
        sign = F.when(zone.contains("-"), F.lit(-60)).otherwise(F.lit(60))
        hours, minutes = (F.regexp_extract(zone, "([0-9]{2}):?([0-9]{2})", part).try_cast("bigint") for part in (1, 2))
        seconds = sign * (F.coalesce(hours, F.lit(0)) * 60 + F.coalesce(minutes, F.lit(0)))
        name = F.regexp_extract(zone, "([A-Z]+)", 1)
        for known, ahead in formats_of.ZONES.items():
            if ahead:
                seconds = F.when(name == known, F.lit(ahead * 3_600)).otherwise(seconds)
        format_ = format_.removesuffix(" z")
        for named, order, since in _families([format_]):
            bare, format_ = _in_figures(bare, named, order, since), _as_in_figures(format_)
        return F.timestamp_seconds(F.unix_timestamp(_special(bare, format_)) - seconds)
    every = formats_of.with_month_names(format_)
    return F.coalesce(*(F.try_to_timestamp(_meridiem(text), F.lit(each)) for each in every))


def _in_figures(text: Column, named: bool, order: str, since: int) -> Column:
    return _named(text, since) if named else _long_year(text, order, since)


def _as_in_figures(format_: str) -> str:
    """The format of a date in figures for one whose month is named or whose year has two digits."""
    time = re.search(r" [Hh]:mm.*$", formats_of.without_century(format_)[0])
    return _IN_FIGURES + (time[0] if time else "")


def _long_year(text: Column, order: str, since: int) -> Column:
    """A date with two digits of the year as `_IN_FIGURES`, with its time; `order` is that of day, month and year."""
    parts = r"^([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{1,2})(.*)\z"
    year, month, day = (F.regexp_extract(text, parts, order.index(letter) + 1) for letter in "yMd")
    time = F.regexp_extract(_meridiem(text), parts, 4)
    return F.concat(_century(year, since), year, F.lit("|"), month, F.lit("|"), day, time)


def _century(year: Column, since: int) -> Column:
    """The first two digits of a year of two, by the year from which they count."""
    late = year.try_cast("bigint") >= since % 100
    return F.when(late, F.lit(str(since // 100))).otherwise(F.lit(str(since // 100 + 1)))


def _named(text: Column, since: int) -> Column:
    """A date with a month's name as `_IN_FIGURES`, with its time; null where the month has no name that is known."""
    name = F.regexp_extract(F.lower(text), r"([^0-9 .,/-]{3,12})", 1)
    month = _lookup(name, {name: str(number) for name, number in formats_of.MONTHS.items()})
    day = F.regexp_extract(text, r"^[^0-9]*([0-9]{1,2})", 1)
    parts = rf"^[^0-9]*[0-9]{{1,2}}[^0-9]+([0-9]{{{2 if since else 4}}})(.*)\z"
    year = F.regexp_extract(text, parts, 1)
    time = F.trim(F.translate(F.regexp_extract(_meridiem(text), parts, 2), ",", " "))
    written = [_century(year, since)] * bool(since) + [year, F.lit("|"), month, F.lit("|"), day]
    return F.rtrim(F.concat(*written, F.lit(" "), time))


def parse_date(text: Column, formats: Iterable[str]) -> Column:
    """The day of `parse_timestamp`.

    >>> show(["12 Jun 2025", "soon"], lambda c: parse_date(c, ["d MMM yyyy"]).cast("string"))
    ['2025-06-12', None]
    """
    return parse_timestamp(text, formats).cast("date")


def email(text: Column) -> Column:
    """An e-mail address in lower case without white space.

    >>> show([" Ana.Ruiz@Example.com "], email)
    ['ana.ruiz@example.com']
    """
    return F.lower(identifier(text))


def phone(text: Column) -> Column:
    """A telephone number as digits with an optional leading plus, and `x` before an extension; never two in one.

    >>> show(["+1 (415) 555-0101", "415.555.0102 ext. 7", "ask", "+1 415 / +1 416"], phone)
    ['+14155550101', '4155550102x7', None, None]
    """
    digits = F.regexp_replace(F.regexp_replace(F.lower(text), "ext[a-z.]*", "x"), "[^0-9+x]", "")
    return F.when(digits.rlike(r"^\+?[0-9]+(x[0-9]+)?\z"), digits).otherwise(F.lit(None))


def rounded(number: Column, places: int = 0) -> Column:
    """A double rounded to some decimal places, halves up; the same on every engine, which `round` is not.

    Apache Spark rounds what the shortest text of a number says, others its binary value: 1.005 gives 1.01 or 1.0.
    Multiplication, addition and `floor` are the same everywhere.

    >>> show(["0.125", "1.005", "-0.125", None], lambda c: rounded(c.cast("double"), 2))
    [0.13, 1.0, -0.12, None]
    """
    scale = F.lit(float(10**places))
    return F.floor(number * scale + F.lit(0.5)).cast("bigint").cast("double") / scale


def half_up(number: Column) -> Column:
    """A double rounded half up to a whole number, as BIGINT.

    Rounded to six decimals first, so that 95.49999999999999, which is 95.5 summed in another order, is 96 on
    every engine.

    >>> show(["95.5", "95.49999999999999", "44.4"], lambda c: half_up(c.cast("double")))
    [96, 96, 44]
    """
    return F.floor(rounded(number, 6) + F.lit(0.5)).cast("bigint")


def share(part: Column, whole: Column) -> Column:
    """`part / whole` as a double rounded to six decimals, null when `whole` is zero."""
    return F.when(whole != 0, rounded(part.cast("double") / whole.cast("double"), 6))


def wilson(successes: Column, trials: Column, z: float) -> tuple[Column, Column]:
    """Lower and upper end of Wilson's score interval for a share, null for no trials.

    E. B. Wilson, Probable inference, JASA 22 (1927). `z` is the normal quantile: 1.96 for 95%, 1.645 for 90%.

    >>> low, high = wilson(F.lit(6.0), F.lit(15.0), 1.645)
    >>> show(["x"], lambda c: rounded(low, 2)), show(["x"], lambda c: rounded(high, 2))
    ([0.22], [0.61])
    """
    n, won = trials.cast("double"), successes.cast("double")
    spread = F.lit(z) * F.sqrt(won - won * won / n + F.lit(z * z / 4))
    middle, below = won + F.lit(z * z / 2), n + F.lit(z * z)
    low = F.greatest(rounded((middle - spread) / below, 6), F.lit(0.0))
    high = F.least(rounded((middle + spread) / below, 6), F.lit(1.0))
    return F.when(trials > 0, low), F.when(trials > 0, high)
