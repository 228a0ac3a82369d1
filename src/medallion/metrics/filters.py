"""Filters: a condition as it is written, and as it is understood by the dimension that it names.

A value is typed by its dimension. What the type cannot read, and what an enumerable dimension does not have, is refused
with the nearest values. The command, the dashboard, the agent and MCP all come through `understood`.
"""

from __future__ import annotations

import calendar
import difflib
import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

import sqlglot
from sqlglot import exp

from medallion.errors import ContractError
from medallion.metrics.conditions import And, Condition, Or, Test, both
from medallion.metrics.declared import Dimension

OPERATORS = ("!=", ">=", "<=", "=", ">", "<")
_CONDITION = re.compile(r"\s*([A-Za-z_]\w*)\s*(!=|>=|<=|=|>|<)\s*(.*?)\s*", re.DOTALL)
#: The parts of a list of values: text in matching quotes may hold commas.
_PART = re.compile(r"""\s*(?:('(?:[^']|'')*'|"(?:[^"]|"")*")\s*|([^,]*))(?:,|$)""")
_NEAREST, _LONGEST = 5, 80
_DAYS = ("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y%m%d", "%d %B %Y", "%B %d, %Y", "%d-%m-%Y", "%m-%d-%Y")
_MONTHS = ("%m/%Y", "%Y/%m", "%B %Y", "%b %Y", "%Y%m", "%m-%Y", "%Y-%m-%d")
#: The values that a dimension has in the data, as text.
Known = Callable[[Dimension], Collection[str]]


@dataclass(frozen=True)
class Filter:
    """A condition on a dimension.

    Attributes:
        dimension: Its name.
        values: What it may be (with `=`) or may not be (with `!=`); one value for the others. Empty text is unknown.
            Days and months are ISO text.
        operator: One of `=`, `!=`, `>=`, `<=`, `>`, `<`.
    """

    dimension: str
    values: tuple[str, ...]
    operator: str = "="

    @classmethod
    def parse(cls, text: str) -> Filter:
        """A filter from text such as `industry=Retail,Media` or `closed_month>=2025-01`.

        Raises:
            ContractError: It is none.
        """
        match = _CONDITION.fullmatch(text)
        if not match:
            raise ContractError(
                f"cannot read the filter {text!r}", "Write DIMENSION=VALUE, several values with commas; or >=, <=, !=."
            )
        name, operator, values = match.groups()
        parts = _parts(values) if operator in ("=", "!=") else [values.strip()]
        if len(parts) > 1 and "" in parts:
            raise ContractError(
                f"{text.strip()[:_LONGEST]!r} has an empty value beside others",
                f"Leave out the comma too many; {name}{operator} alone asks for what is not known.",
            )
        return cls(name, tuple(parts), operator)

    def __str__(self) -> str:
        return f"{self.dimension}{self.operator}{','.join(self.values)}"


def _parts(text: str) -> list[str]:
    """Values separated by commas; quoted ones keep their quotes.

    >>> _parts("Retail, 'Health, Care'"), _parts("O'Neil, 's Hertogenbosch"), _parts("")
    (['Retail', "'Health, Care'"], ["O'Neil", "'s Hertogenbosch"], [''])
    """
    parts, place = [], 0
    while match := _PART.match(text, place):
        parts.append(match[1] or match[2].strip())
        place = match.end()
        if not match[0].endswith(","):
            break
    return parts


def _bare(text: str) -> str | None:
    """The text in matching quotes, as SQL and shells write it; None without such quotes.

    >>> _bare("'Germany'"), _bare("'O''Neil'"), _bare("Germany'")
    ('Germany', "O'Neil", None)
    """
    if len(text) < 2 or text[0] not in "'\"" or text[-1] != text[0]:
        return None
    inner = text[1:-1]
    return None if text[0] in inner.replace(text[0] * 2, "") else inner.replace(text[0] * 2, text[0])


def understood(
    filters: Iterable[Filter], dimensions: Sequence[Dimension], known: Known, *, of: str
) -> tuple[Filter, ...]:
    """The filters with their values as the dimensions have them.

    A value that differs from a known one only in case, spaces, underscores or quotes around it becomes the known one;
    whoever shows the answer shows these filters.

    Args:
        filters: As they were written.
        dimensions: Those that there are.
        known: Reads the values that a dimension has in the data; asked only for what is not declared.
        of: What is filtered, for messages.

    Raises:
        ContractError: A dimension, operator or value is not there or cannot be read, or two conditions leave nothing.
    """
    resolved = tuple(_understood(filter_, dimensions, known, of) for filter_ in filters)
    leave_something(resolved, {dimension.name: dimension for dimension in dimensions})
    return resolved


def _understood(filter_: Filter, dimensions: Sequence[Dimension], known: Known, of: str) -> Filter:
    names = [dimension.name for dimension in dimensions]
    dimension = next((item for item in dimensions if item.name == filter_.dimension), None)
    if dimension is None:
        near = difflib.get_close_matches(filter_.dimension[:_LONGEST].lower(), names, n=3, cutoff=0.5)
        raise ContractError(
            f"{of} has no dimension {filter_.dimension[:_LONGEST]!r} to filter by",
            (f"Nearest: {', '.join(near)}. " if near else "") + f"Dimensions: {', '.join(names)}.",
        )
    if filter_.operator not in OPERATORS:
        raise ContractError(f"{filter_.operator!r} is not a filter operator", f"Operators: {' '.join(OPERATORS)}.")
    if filter_.operator not in ("=", "!="):
        if len(filter_.values) != 1:
            raise ContractError(f"{filter_}: {filter_.operator} takes one value", "Give several values with = or !=.")
        if dimension.type in ("text", "boolean"):
            raise ContractError(
                f"{filter_.dimension} is {_A[dimension.type]} and cannot be compared with {filter_.operator}",
                f"Name its values with = or !=: {some(_values(dimension, known))}.",
            )
        if filter_.values[0] in _EMPTY:
            raise ContractError(
                f"{filter_.dimension} needs {_HOW[dimension.type]}", f"Write it after {filter_.operator}."
            )
    values = _whole(filter_, dimension, known) or tuple(_value(value, dimension, known) for value in filter_.values)
    return Filter(filter_.dimension, values, filter_.operator)


_EMPTY = ("", "''", '""')
_A = {"text": "text", "boolean": "yes or no", "number": "a number", "day": "a day", "month": "a month"}
_HOW = {"number": "a number such as 7", "day": "a day such as 2025-06-30", "month": "a month such as 2025-06", "boolean": "true or false"}  # fmt: skip


def _whole(filter_: Filter, dimension: Dimension, known: Known) -> tuple[str, ...] | None:
    """The known value that contains the commas at which the text was split."""
    if dimension.type != "text" or len(filter_.values) < 2:
        return None
    joined = same(",".join(filter_.values))
    return next(((value,) for value in known(dimension) if "," in value and same(value) == joined), None)


def _value(text: str, dimension: Dimension, known: Known) -> str:
    """A value as the dimension has it, without quotes around it unless they are its own; empty text, which means
    unknown, as it is.
    """
    bare = _bare(text)
    if bare is not None and not (dimension.type == "text" and same(text) in map(same, _values(dimension, known))):
        text = bare
    if text == "":
        return text
    read = _READ[dimension.type](text) if dimension.type != "text" else text
    if read is None:
        near = meant(text, dimension.type)
        raise ContractError(
            f"{dimension.name}: {text[:_LONGEST]!r} is not {_A[dimension.type]}",
            f"Write {_HOW[dimension.type]}." + (f" Perhaps {' or '.join(near)}?" if near else ""),
        )
    if dimension.type != "text" and not dimension.values:
        return read
    if read in dimension.values:
        return read
    return one_of(read, dimension, _values(dimension, known) if dimension.type == "text" else dimension.values)


def _values(dimension: Dimension, known: Known) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*dimension.values, *known(dimension))))


def one_of(text: str, dimension: Dimension, values: Sequence[str]) -> str:
    """The known value that a text is."""
    if text in values:
        return text
    alike = [value for value in values if same(value) == same(text)]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise ContractError(
            f"{dimension.name}: {text[:_LONGEST]!r} may be {' or '.join(map(repr, alike))}", "Write it as it is there."
        )
    raise ContractError(
        f"{dimension.name} has no value {text[:_LONGEST]!r}", nearest(text, values) or "It has no values in this data."
    )


def nearest(text: str, values: Sequence[str]) -> str:
    """The values nearest to a text, in words."""
    if not values:
        return ""
    folded: dict[str, str] = {}
    for value in values:
        folded.setdefault(same(value)[:_LONGEST], value)
    near = difflib.get_close_matches(same(text)[:_LONGEST], folded, n=_NEAREST, cutoff=0.5)
    if near:
        return f"Nearest: {', '.join(folded[key] for key in near)}."
    return f"It has {some(values)}."


def some(values: Collection[str]) -> str:
    """The first values, and how many more there are."""
    most = 12
    more = f" and {len(values) - most:,} more" if len(values) > most else ""
    return (", ".join(sorted(values)[:most]) or "no values") + more


def same(text: str) -> str:
    """A text without what does not tell values apart: case, and what stands between words."""
    return " ".join(re.sub(r"[\s_\-,]+", " ", text).split()).casefold()


def _day(text: str) -> str | None:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def _month(text: str) -> str | None:
    return text if re.fullmatch(r"[0-9]{4}-[0-9]{2}", text) and _day(f"{text}-01") else None


def number(text: str) -> str | None:
    """A number in its canonical form; None where the text is not one."""
    if not re.fullmatch(r"[+-]?[0-9]+([.][0-9]+)?", text):
        return None
    value = float(text)
    return None if not math.isfinite(value) else str(int(value)) if value.is_integer() else repr(value)


def boolean(text: str) -> str | None:
    """`true` or `false`; None where the text is neither."""
    return {"true": "true", "yes": "true", "false": "false", "no": "false"}.get(text.casefold())


_READ: dict[str, Callable[[str], str | None]] = {"day": _day, "month": _month, "number": number, "boolean": boolean}


def meant(text: str, kind: str) -> list[str]:
    """Days or months that a text in another form may mean."""
    readings = []
    for form in {"day": _DAYS, "month": _MONTHS}.get(kind, ()):
        try:
            parsed = datetime.strptime(text[:_LONGEST], form)  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
        readings.append(f"{parsed:%Y-%m-%d}" if kind == "day" else f"{parsed:%Y-%m}")
    return list(dict.fromkeys(readings))


def leave_something(filters: Sequence[Filter], dimensions: dict[str, Dimension]) -> None:
    """Refuse conditions that no row can meet together: two values at once, or bounds that were turned round."""
    for place, second in enumerate(filters):
        for first in filters[:place]:
            pair = dimensions[first.dimension], dimensions[second.dimension]
            if first.dimension == second.dimension and {first.operator, second.operator} <= {"=", "!="}:
                _a_value_left(first, second)
            elif "!=" not in (first.operator, second.operator) and subject(pair[0]) == subject(pair[1]):
                _a_place_left(first, second, pair)
    for name in dimensions:  # of three, each two may leave something
        own = [filter_ for filter_ in filters if filter_.dimension == name and filter_.operator in ("=", "!=")]
        sets = [set(filter_.values) for filter_ in own if filter_.operator == "="]
        excluded = [filter_.values for filter_ in own if filter_.operator == "!="]
        if sets and not set.intersection(*sets).difference(*excluded):
            raise ContractError(f"{' and '.join(map(str, own))} leave nothing", "Leave one of them out.")


def _a_value_left(first: Filter, second: Filter) -> None:
    if (first.operator, second.operator) == ("!=", "!="):
        return
    if first.operator == "!=":
        first, second = second, first
    left = set(first.values) & set(second.values) if second.operator == "=" else set(first.values) - set(second.values)
    if not left:
        either = f"{first.dimension}={','.join(dict.fromkeys((*first.values, *second.values)))}"
        known = second.operator == "=" and "" not in (*first.values, *second.values)
        remedy = f"Write {either} for either." if known else "Leave one of the two out."
        raise ContractError(f"{first} and {second} leave nothing", remedy)


def _a_place_left(first: Filter, second: Filter, pair: tuple[Dimension, Dimension]) -> None:
    spans = _spans(first, pair[0]), _spans(second, pair[1])
    unknown = all(filter_.operator == "=" and "" in filter_.values for filter_ in (first, second))
    if unknown or any(max(a[0], b[0]) <= min(a[1], b[1]) for a in spans[0] for b in spans[1]):
        return
    if first.operator in ("<", "<="):
        first, second = second, first
    turned = first.operator in (">", ">=") and second.operator in ("<", "<=")
    raise ContractError(
        f"{first} and {second} leave nothing" + (": the first is after the last" if turned else ""),
        "Change one of the two.",
    )


def subject(dimension: Dimension) -> tuple[str, str]:
    """What a dimension is about: the day and the month of a column are about one event, whatever they are called."""
    column = _event(dimension.expr) if dimension.is_time else None
    return ("time", column) if column else ("name", dimension.name)


@lru_cache(maxsize=1024)
def _event(text: str) -> str | None:
    """The column whose day, month or time of day an expression is as it stands; None where it computes another time of it.

    >>> _event("DATE_FORMAT(closed_at, 'yyyy-MM')"), _event("CAST(closed_at AS DATE)"), _event("closed_at")
    ('closed_at', 'closed_at', 'closed_at')
    >>> _event("DATE_ADD(CAST(closed_at AS DATE), 365)")
    """
    expression = sqlglot.parse_one(text, read="spark")
    while isinstance(expression, exp.Cast | exp.TimeToStr | exp.TimeStrToTime | exp.Paren):
        expression = expression.this
    return expression.sql() if isinstance(expression, exp.Column) else None


def _spans(filter_: Filter, dimension: Dimension) -> list[tuple[tuple[float, int], tuple[float, int]]]:
    """The ranges of values that a filter allows: days and months as ordinals of days, numbers as they are."""
    spans = []
    for value in filter_.values:
        if value == "":
            continue
        first, last = _ends(value, dimension.type)
        low, high = (-math.inf, 0), (math.inf, 0)
        if filter_.operator in ("=", ">="):
            low = (first, 0)
        if filter_.operator in ("=", "<="):
            high = (last, 0)
        if filter_.operator == ">":
            low = (last, 1)
        if filter_.operator == "<":
            high = (first, -1)
        spans.append((low, high))
    return spans


def _ends(value: str, kind: str) -> tuple[float, float]:
    """The first and the last number or day that a value covers."""
    if kind == "number":
        return float(value), float(value)
    if kind == "day":
        return float(date.fromisoformat(value).toordinal()), float(date.fromisoformat(value).toordinal())
    if kind == "month":
        year, month = int(value[:4]), int(value[5:])
        first = date(year, month, 1).toordinal()
        return float(first), float(first + calendar.monthrange(year, month)[1] - 1)
    return 0.0, 0.0  # text and booleans have no order


def within(
    filters: Iterable[Filter], dimensions: Sequence[Dimension], last: date | None, first: date | None = None
) -> None:
    """Refuse a time that lies wholly after the last day of the data, or before the first: zero would read as a figure.

    Days that may lie in the future, such as that on which a deal is expected to close, may be any.

    Raises:
        ContractError: A filter begins after the last day, or ends before the first.
    """
    times = {dimension.name: dimension for dimension in dimensions if dimension.is_time and not dimension.future}
    for filter_ in filters:
        if filter_.dimension not in times or filter_.operator == "!=" or "" in filter_.values:
            continue
        spans = _spans(filter_, times[filter_.dimension])
        if last is not None and all(low > (float(last.toordinal()), 0) for low, _ in spans):
            raise ContractError(f"{filter_}: the data ends on {last.isoformat()}", "Ask for a time up to that day.")
        if first is not None and all(high < (float(first.toordinal()), 0) for _, high in spans):
            raise ContractError(
                f"{filter_}: the data begins on {first.isoformat()}", "Ask for a time that reaches to that day."
            )


def of_filters(filters: Iterable[Filter]) -> Condition | None:
    """Filters as the condition of a question; None for none."""
    return both(*map(_of_filter, filters))


def _of_filter(filter_: Filter) -> Condition:
    known, unknown = tuple(value for value in filter_.values if value), "" in filter_.values
    if not unknown:
        return Test(filter_.dimension, filter_.operator, known)
    alone = Test(filter_.dimension, "unknown" if filter_.operator == "=" else "known")
    if not known:
        return alone
    test = Test(filter_.dimension, filter_.operator, known)
    return Or((test, alone)) if filter_.operator == "=" else And((test, alone))


def condition(filter_: Filter, dimension: Dimension) -> tuple[str, list[str]]:
    """An understood filter as Spark SQL with `?` for its values, and the values."""
    cast = {"day": "DATE", "number": "DOUBLE"}.get(dimension.type)
    if filter_.operator not in ("=", "!="):
        if cast:
            return f"{dimension.expr} {filter_.operator} CAST(? AS {cast})", list(filter_.values)
        return f"CAST({dimension.expr} AS STRING) {filter_.operator} ?", list(filter_.values)
    known = [value for value in filter_.values if value != ""]
    text = f"CAST({dimension.expr} AS STRING)"
    parts = [f"{text} IN ({', '.join('?' * len(known))})"] if known else []
    if dimension.type == "number" and known:
        parts = [f"{dimension.expr} IN ({', '.join(['CAST(? AS DOUBLE)'] * len(known))})"]
    if len(known) < len(filter_.values):
        parts.append(f"{text} IS NULL")
    chosen = " OR ".join(parts) or "FALSE"
    return (chosen if filter_.operator == "=" else f"COALESCE(NOT ({chosen}), TRUE)"), known
