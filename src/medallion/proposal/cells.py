"""How the cells of one column are to be read: dates, amounts, durations, spellings."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from statistics import median
from typing import Any

from medallion.cells import times
from medallion.contracts import CONFIDENT, Filling, money
from medallion.contracts.dates import counts, day_order, inference, periods
from medallion.contracts.dates.day_order import Span
from medallion.contracts.model import DATE_FORMATS, NO_DATES, PLACEHOLDERS
from medallion.contracts.odcs import code
from medallion.proposal import asking, vocabulary
from medallion.proposal.profile import CLOCK, UNTIL, Column, Table
from medallion.sources import currencies

_MOST = 0.7
UNREAD = "but its values cannot be read so"
#: Share of values that may be unreadable before they are asked about.
_FEW = 0.02
#: A longer text is no value of a closed list.
_LONGEST_VALUE = 100
_HOURS = {
    "h",
    "hr",
    "hrs",
    "hour",
    "hours",
    "std",
    "stunde",
    "stunden",
    "heures",
    "heure",
    "horas",
    "hora",
    "ore",
    "uren",
    "uur",
    "godziny",
    "godz",
}
#: Half of the durations in hours are shorter.
_SHORT = 10
_SLASH = "\\"
#: Share of activities that end within a day of their beginning where a column says when they ended.
_MOSTLY = 0.9
_DAY = 86_400_000_000
_CLOCK = re.compile(r"\d{1,3}:\d{2}(:\d{2})?")
#: So many different durations in steps of five minutes were written by people, not counted by a telephone.
_SEVERAL = 4


def dated(
    item: Filling,
    column: Column,
    day_first: bool | None,
    guess: bool = False,
    span: Span | None = None,
    years: bool | None = None,
    dots: bool | None = None,
    after_year: bool | None = None,
    is_end: bool = False,
) -> Filling:
    """A column of dates with the formats that it needs.

    Args:
        item: How the column is filled so far.
        column: The column.
        day_first: The order of day and month elsewhere in the folder, None where nothing tells.
        guess: The order to propose when nothing tells.
        span: Other dates of the folder.
        years: Whether years of two digits come first elsewhere in the folder, None where nothing tells.
        dots: Whether dates with dots have the month first elsewhere in the folder, None where nothing tells.
        after_year: Whether the day comes right after the year elsewhere in the folder, None where nothing tells.
        is_end: Whether the last day of a period counts, since the column is of ends.
    """
    order = column.day_order
    known = order.decided if order.decided is not None else day_first
    short = day_order.year_first(column.counts, span)
    years = short if short is not None else years
    first = guess if known is None else known
    dots = order.dots.vote if order.dots.vote is not None else dots
    after_year = order.after_year.vote if order.after_year.vote is not None else after_year

    def called_for(day_first: bool) -> tuple[tuple[str, ...], list[str]]:
        return inference.called_for(column.counts, day_first, span, None, bool(years), bool(dots), bool(after_year))

    needed, unread = called_for(first)
    unread = [text for text in unread if text.lower() not in NO_DATES]
    doubts = []
    if unread and (wider := periods.wider(column.counts, column.name, is_end)):  # some are months, weeks or quarters
        item = item.model_copy(update={"column": None, "sql": wider.sql})
        example = next(text for text in unread if periods.period(text))
        doubts.append(f"{wider.what} such as {example!r}: is each to count as {wider.asks}?")
        unread = [text for text in unread if not periods.period(text)]
    if years is None:
        example = min(text for text in column.counts if "year" in day_order.as_read(text))
        doubts.append(f"day, month or year first in {example!r}?")
    elif years:
        pass
    elif order.contradicts:
        needed = tuple(dict.fromkeys((*needed, *called_for(not first)[0])))
        contradiction = f"{order.day_first!r} has the day first, {order.month_first!r} the month"
        both = [days for text in column.counts if len(days := {*day_order.as_read(text).values()}) > 1]
        others = f", and {len(both):,} others may be either and have the {'day' if first else 'month'} first by what is proposed"
        doubts.append(contradiction + (others if both else ""))
    elif known is None and order.either:
        doubts.append(f"day or month first in {order.either!r}?")
    for shown, usual, other in (
        (order.dots, "the day first", "the month"),
        (order.after_year, "the month after the year", "the day"),
    ):
        if shown.is_doubtful:
            contradicts = f"{shown.usual!r} has {usual}, {shown.other!r} {other}"
            doubts.append(contradicts if shown.usual else f"{shown.other!r} has {other}: so {shown.either!r} too?")
    if asked := counts.either_calendar(unread):
        doubts.append(asked)
    elif sum(column.counts[text] for text in unread) > _FEW * column.filled:
        doubts.append(f"not read as dates: {', '.join(repr(text[:30]) for text in unread[:3])}")
    if column.no_dates:
        item = item.model_copy(update={"reason": f"{item.reason}; no date: {', '.join(sorted(column.no_dates)[:3])}"})
    is_usual = set(needed) <= set(DATE_FORMATS) and not doubts
    update: dict[str, Any] = {"date_formats": () if is_usual else needed}
    if doubts:
        update |= {"confidence": min(item.confidence or 0, 0.6), "reason": "; ".join((item.reason, *doubts))}
    return item.model_copy(update=update)


def unread(column: Column, reason: str, is_time: bool, is_end: bool = False) -> Filling:
    """Fill from a column whose name is certain but whose values are no days; periods become one of their days, the last
    where the column is of ends.
    """
    if is_time and (behind := _behind_a_name(column)):
        return behind.model_copy(update={"reason": f"{reason}; the time that stands behind a name"})
    if is_time and (wider := periods.wider(column.counts, column.name, is_end)):
        example = next(text for text in column.counts if not wider.sql or periods.period(text))
        reason = f"{reason}; {wider.what} such as {example!r}: is each to count as {wider.asks}?"
        if wider.sql:
            return Filling(sql=wider.sql, confidence=0.6, reason=reason)
        return Filling(column=column.header, date_formats=(wider.format,), confidence=0.6, reason=reason)
    return Filling(column=column.header, confidence=0.3, reason=f"{reason}; {UNREAD}: {column.examples()}")


#: A day, and its time, at the end of a text, as boards write them behind whoever made a record.
_DAY_AT_END = (
    r"([A-Z][a-z]{2,8} \d{1,2}, \d{4}( \d{1,2}:\d{2}( [AP]M)?)?|\d{4}-\d{2}-\d{2}([ T]\d{1,2}:\d{2}(:\d{2})?)?)$"
)


def _behind_a_name(column: Column) -> Filling | None:
    """A column of which every text ends in a day; None where some do not."""
    days = [re.search(rf"(?<=\s){_DAY_AT_END}", text) for text in column.counts]
    if not all(days):
        return None
    written, unread = inference.called_for([day[1] for day in days if day], False)
    sql = f"regexp_extract(`{column.name}`, '{_DAY_AT_END.replace(_SLASH, _SLASH * 2)}', 1)"
    return None if unread else Filling(sql=sql, date_formats=written, confidence=0.85)


def without_denied(item: Filling, column: Column) -> Filling:
    """A column in which some systems write FALSE where there is no date, no account, no owner."""
    sql = f"CASE WHEN lower(`{column.name}`) <> 'false' THEN `{column.name}` END"
    return item.model_copy(update={"column": None, "sql": sql, "reason": f"{item.reason}; FALSE is empty"})


def beginning(item: Filling, column: Column, is_closing: bool = False) -> Filling:
    """A column of dates of which some are spans of time: their beginnings; the day of closing is asked about then."""
    reason, update = f"{item.reason}; its beginning where it is a span", dict[str, Any]()
    if is_closing:
        reason, update = f"{reason}: or does its end count?", {"confidence": min(item.confidence or 1, asking.ASKED)}
    return item.model_copy(update={"column": None, "sql": _begun(column), "reason": reason, **update})


def _begun(column: Column) -> str:
    """The texts of a column without the ends of spans."""
    return (
        f"regexp_replace(`{column.name}`, '{UNTIL.replace(_SLASH, _SLASH * 2)}', '')"
        if column.has_ends
        else f"`{column.name}`"
    )


def lasted(start: Column, written: tuple[str, ...], table: Table, least: int = 0) -> Filling | None:
    """How long activities took by when they began and when they ended: in a column of its own, or in the same cell.

    Args:
        start: The column with their beginning.
        written: The formats of its dates.
        table: Their table.
        least: So many activities say it at least where they end in a column of its own.
    """
    written = written or inference.called_for(start.counts, False)[0]
    if start.has_ends:
        rest = f"regexp_extract(`{start.name}`, '{UNTIL.replace(_SLASH, _SLASH * 2)}', 4)"
        clock = f"'^{CLOCK.replace(_SLASH, _SLASH * 2)}$'"
        day = f"regexp_replace(trim({_begun(start)}), '{f' *{CLOCK}$'.replace(_SLASH, _SLASH * 2)}', '')"
        end = f"CASE WHEN {rest} rlike {clock} THEN concat({day}, ' ', {rest}) ELSE {rest} END"
        return _between(_begun(start), end, written, written, f"from where {start.header} begins to where it ends")
    for column in table.columns:
        if column is start or column.has_ends or column.linked or not vocabulary.says_end(column.header):
            continue
        theirs = inference.called_for(column.counts, bool(written and written[0].startswith("d")))[0]
        begun, ended = times.reader(written), times.reader(theirs)
        spans = [
            None if (first := begun(own)) is None or (last := ended(other)) is None else last - first
            for own, other in table.together(start, column)
            if own and other
        ]
        if not (_has_times(start, begun) and _has_times(column, ended)):
            continue  # whole days say nothing of minutes
        if (
            sum(span is not None and 0 <= span <= _DAY for span in spans) > _MOSTLY * len(spans)
            and any(spans)
            and len(spans) >= least
        ):
            return _between(
                f"`{start.name}`", f"`{column.name}`", written, theirs, f"from {start.header} to {column.header}"
            )
    return None


def _has_times(column: Column, read: Callable[[str], int | None]) -> bool:
    """Whether some of its texts are not the beginning of a day."""
    return any(instant % _DAY for instant in map(read, islice(column.counts, 200)) if instant is not None)


def _between(start: str, end: str, written: tuple[str, ...], theirs: tuple[str, ...], reason: str) -> Filling | None:
    """The whole minutes between two texts; None where an engine cannot read their formats."""
    if any(re.search("epoch|serial|since|LLLL|zone|E|yyyy-d|z$|年|년", format_) for format_ in (*written, *theirs)):
        return None
    first, last = (f"unix_timestamp({_instant(text, own)})" for text, own in ((start, written), (end, theirs)))
    sql = f"CASE WHEN {last} >= {first} THEN cast(round(({last} - {first}) / 60) as bigint) END"
    return Filling(sql=sql, confidence=0.85, reason=reason)


def _instant(text: str, written: tuple[str, ...]) -> str:
    wordings = [format_ for each in written for format_ in dict.fromkeys((each, each.replace("MMM", "MMMM")))]
    listed = [f"try_to_timestamp(trim({text}), '{format_}')" for format_ in wordings or ()]
    return f"coalesce({', '.join([*listed, f'try_to_timestamp(trim({text}))'])})"


def amount(item: Filling, column: Column) -> Filling:
    """A column of amounts as its figures are written."""
    codes = {beside for text in column.counts if (beside := currencies.in_amount(text))}
    if len(codes) == 1 and "USD" not in codes:
        reason = f"amounts in {next(iter(codes))}; nothing is converted"
        item = Filling(column=column.header, confidence=0.6, reason=reason)
    if sum(bool(re.search(r"\d ?[kKmM]$", text)) for text in column.counts) > 0.05 * column.distinct:
        signs = [re.escape(sign).replace("\\", "\\\\") for code in codes for sign in money.spellings(code)]
        bare = f"lower(regexp_replace(`{column.name}`, '{'|'.join([*signs, '[$, ]'])}', ''))"
        times = f"cast(regexp_replace({bare}, '[km]$', '') as double)"
        sql = (
            f"CASE WHEN {bare} rlike '^[0-9.]+k$' THEN cast(cast({times} * 1000 as decimal(18,2)) as string) "
            f"WHEN {bare} rlike '^[0-9.]+m$' THEN cast(cast({times} * 1000000 as decimal(18,2)) as string) "
            f"ELSE `{column.name}` END"
        )
        return Filling(sql=sql, confidence=item.confidence, reason=f"{item.reason}; k and M written out")
    if column.dotted:
        reason = (
            f"{item.reason}; {column.dotted!r} may be thousands, as decimalComma says, or have three decimals: which?"
        )
        return item.model_copy(update={"decimal_comma": True, "confidence": 0.6, "reason": reason})
    return item.model_copy(update={"decimal_comma": column.comma})


def actual(item: Filling, column: Column, table: Table) -> Filling:
    """An amount that the deal brought in the end where there is one, before the one that was estimated."""
    words = vocabulary.tokens(column.header)
    ends, plans = {"actual", "final", "closed"}, {"estimated", "expected", "forecast", "planned"}
    bare = tuple(word for word in words if word not in ends | plans)
    for other in table.columns:
        theirs = vocabulary.tokens(other.header)
        if other is column or tuple(word for word in theirs if word not in ends | plans) != bare:
            continue
        if set(words) & plans and set(theirs) & ends and other.share("number") > _MOST:
            end, plan = other, column
        elif set(words) & ends and set(theirs) & plans and other.share("number") > _MOST:
            end, plan = column, other
        else:
            continue
        sql = f"CASE WHEN regexp_replace(`{end.name}`, '[^1-9]', '') <> '' THEN `{end.name}` ELSE `{plan.name}` END"
        reason = f"{end.header} where there is one, else {plan.header}"
        return item.model_copy(update={"column": None, "sql": sql, "reason": reason})
    return item


def spellings(entity: str, declared: Any, column: Column) -> tuple[tuple[tuple[str, str], ...], list[tuple[str, int]]]:
    """Values of a closed column that the contract does not know itself with what they mean, and those not understood."""
    values, unknown = [], []
    for text, count in column.counts.most_common(200):
        if len(text) > _LONGEST_VALUE:
            continue
        known = declared.spellings.get(text.strip().lower()) or declared.spellings.get(code(text))
        if known:
            continue
        meant = vocabulary.value(f"{entity}.{declared.name}", text)
        if meant and meant.confidence >= CONFIDENT:
            values.append((text, meant.value))
        else:
            unknown.append((text, count))
    return tuple(values), unknown


def won_or_lost(item: Filling, column: Column, table: Table) -> Filling:
    """When a deal was closed, of a table that has one column for deals won and another for deals lost."""
    there = _twin(column, table, "won", "lost") or _twin(column, table, "lost", "won")
    if there is None:
        return item
    sql = or_else(column, there, table)
    reason = f"{item.reason}; for the others {there.header}"
    return item.model_copy(update={"column": None, "sql": sql, "reason": reason})


def or_else(column: Column, other: Column, table: Table) -> str:
    """The SQL of a column that another fills where it is empty, or says no more than that it is: N/A."""
    place = next(place for place, each in enumerate(table.columns) if each is column)
    written = {(text or "").strip() for batch in table.records for text in batch.column(place).to_pylist()}
    none = sorted(text for text in written - {""} if text.lower() in (*PLACEHOLDERS, *NO_DATES))
    if not none:
        return f"coalesce(nullif(trim(`{column.name}`), ''), `{other.name}`)"
    listed = ", ".join("'" + text.replace(_SLASH, _SLASH * 2).replace("'", _SLASH + "'") + "'" for text in ("", *none))
    return f"CASE WHEN trim(`{column.name}`) IN ({listed}) THEN `{other.name}` ELSE `{column.name}` END"


def _twin(column: Column, table: Table, own: str, other: str) -> Column | None:
    """The column of a table whose header is this column's with one word replaced."""
    words = vocabulary.tokens(column.header)
    twin = tuple(other if word == own else word for word in words)
    return next((item for item in table.columns if own in words and vocabulary.tokens(item.header) == twin), None)


def duration(item: Filling, column: Column, table: Table, standard: bool = False) -> Filling:
    """A column of durations in minutes, whatever it counts in; `standard` when a known system writes it."""
    if hours := _twin(column, table, "minutes", "hours"):
        whole, rest = (f"coalesce(try_cast(`{name}` as int), 0)" for name in (hours.name, column.name))
        return Filling(
            sql=f"{whole} * 60 + {rest}", confidence=item.confidence, reason=f"{item.reason}; with {hours.header}"
        )
    words = set(vocabulary.tokens(column.header))
    if any(_CLOCK.fullmatch(text) for text in column.counts):
        return _clock(item, column, words, standard)
    for word, parts in (
        ("milliseconds", 60_000),
        ("millis", 60_000),
        ("ms", 60_000),
        ("seconds", 60),
        ("segundos", 60),
        ("sekunden", 60),
    ):
        if word in words:
            sql = f"cast(round(try_cast(`{column.name}` as double) / {parts}) as bigint)"
            return Filling(sql=sql, confidence=item.confidence, reason=f"{item.reason}; in {word}")
    if words & _HOURS:
        number = f"try_cast(replace(`{column.name}`, ',', '.') as double)"
        sql = f"cast(round({number} * 60) as bigint)"
        return Filling(sql=sql, confidence=item.confidence, reason=f"{item.reason}; in hours, as its name says")
    figures = [float(text.replace(",", ".")) for text in column.counts if re.fullmatch(r"\d+([.,]\d+)?", text)]
    if figures and not words & {"minutes", "minuten", "minutos"} and median(figures) < _SHORT:
        shares = [text for text in column.counts if re.search(r"[.,]0*[1-9]", text)]
        if shares:  # no one counts parts of a minute
            sql = f"cast(round(try_cast(replace(`{column.name}`, ',', '.') as double) * 60) as bigint)"
            return Filling(sql=sql, confidence=0.6, reason=f"figures such as {shares[0]!r}; in hours?")
    if figures and not words & {"minutes", "minuten", "minutos"}:
        usual = median(figures)
        for word, least, parts in (("milliseconds", 36_000, 60_000), ("seconds", 600, 60)):
            if usual >= least:  # ten hours, or more, if it were the next larger unit
                sql = f"cast(round(try_cast(`{column.name}` as double) / {parts}) as bigint)"
                return Filling(sql=sql, confidence=0.6, reason=f"half are {usual:,.0f} or more; in {word}?")
    return item


def _clock(item: Filling, column: Column, words: set[str], standard: bool) -> Filling:
    """Durations such as 1:30, which may be an hour and a half or a minute and a half."""
    whole = [text.split(":") for text in column.counts if _CLOCK.fullmatch(text)]
    short = [parts for parts in whole if len(parts) == 2]
    first, second = (f"try_cast(split_part(`{column.name}`, ':', {place}) as int)" for place in (1, 2))
    hours = f"{first} * 60 + {second}"
    minutes = f"cast(round({first} + {second} / 60.0D) as bigint)"
    if not short:
        return Filling(sql=hours, confidence=0.85, reason="hours, minutes and seconds")
    if len(short) < len(whole):
        sql = f"CASE WHEN size(split(`{column.name}`, ':')) = 3 THEN {hours} ELSE {minutes} END"
        return Filling(sql=sql, confidence=0.85, reason="minutes and seconds, hours before them where there are any")
    if "ss" in words or any(int(parts[0]) >= 24 for parts in short):
        return Filling(sql=minutes, confidence=0.85, reason="minutes and seconds")
    planned = len(short) >= _SEVERAL and all(int(parts[1]) % 5 == 0 for parts in short)
    if planned or words & {"hh", "hours", "h"} or standard:
        return Filling(sql=hours, confidence=0.85, reason="hours and minutes")
    return Filling(sql=hours, confidence=0.6, reason="hours and minutes, or minutes and seconds?")
