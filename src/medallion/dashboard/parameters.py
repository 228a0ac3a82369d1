"""The parameters of an address: which parameters a page takes, what they may be, and how they become filters.

Everything in an address is checked here, before anything else sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal
from urllib.parse import urlencode

from medallion import metrics
from medallion.dashboard import words
from medallion.dashboard.reading import Reading
from medallion.errors import ContractError
from medallion.metrics import Dimension, Filter, Known, Metric, periods
from medallion.metrics.loading import declarations
from medallion.metrics.question import Question, Records

#: How an address writes that a value is not known.
UNKNOWN = "(not known)"
LONGEST = 200

#: Filters of the pages with the dimension of the metrics that they stand for.
CHOICES = {"industry": "industry", "owner": "owner", "band": "lead_quality", "channel": "channel"}
_COLUMNS = {
    "industry": ("gold.customer_features", "industry"),
    "owner": ("gold.deals", "owner"),
    "channel": ("gold.channel_performance", "channel"),
}
BANDS = ("Hot", "Warm", "Cool", "Cold")
DATES = ("from", "to")


def _dimension(name: str, kind: Literal["text", "day"], values: tuple[str, ...] = ()) -> Dimension:
    return Dimension(
        name=name, expr=f"`{name}`", display_name=words.FILTERS.get(name, name), comment="", type=kind, values=values
    )


#: The filters of the pages as dimensions, which understand their values.
_AS_DIMENSIONS = {
    **{name: _dimension(name, "text", BANDS if name == "band" else ()) for name in CHOICES},
    **{name: _dimension(name, "day") for name in DATES},
}

#: Periods that pages offer, as a question writes them, and those of a fiscal calendar.
PRESETS = (
    "last 7 days", "last 30 days", "this month", "last month", "this quarter", "last quarter", "this year", "last 12 months",
)  # fmt: skip
FISCAL = ("this fiscal quarter", "this fiscal year", "last fiscal year")

#: The parts of a question, and of a list of records, as parameters of an address.
QUESTION = ("metrics", "by", "where", "period", "compare", "having", "order", "limit", "as_of")
RECORDS = ("where", "period", "order", "limit", "columns", "as_of", "each")


class BadRequestError(Exception):
    """An address that asks for something that is not there; the message is for people."""


@dataclass(frozen=True)
class Given:
    """The checked parameters of one request.

    Attributes:
        values: Name to text, those that were given and are not empty.
    """

    values: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str | None:
        """A parameter; None where it was not given."""
        return dict(self.values).get(name)

    def query(self, only: Iterable[str] | None = None, **changes: str | None) -> str:
        """The parameters as the end of an address, with changes; None leaves one out."""
        chosen = {k: v for k, v in self.values if only is None or k in set(only)}
        merged = {k: v for k, v in {**chosen, **{k.rstrip("_"): v for k, v in changes.items()}}.items() if v}
        return f"?{urlencode(merged)}" if merged else ""


def given(pairs: Sequence[tuple[str, str]], allowed: Iterable[str], longest: int = LONGEST) -> Given:
    """The parameters of an address.

    Raises:
        BadRequestError: One is unknown, given twice, too long, or not text.
    """
    known, seen = set(allowed), {}
    for name, value in pairs:
        if name not in known:
            raise BadRequestError(
                words.say("unknown_parameter", name=name[:40], known=", ".join(sorted(known)) or "none")
            )
        if name in seen:
            raise BadRequestError(words.say("given_twice", name=name))
        if len(value) > longest or any(not letter.isprintable() for letter in value):
            raise BadRequestError(words.say("not_text", name=name, longest=longest))
        if value.strip():
            seen[name] = value.strip()
    return Given(tuple(sorted(seen.items())))


def checked(params: Given, reading: Reading) -> Given:
    """The filters of a page, checked against the data.

    Raises:
        BadRequestError: A value cannot be read or is not in the data, or the days are in the wrong order or after it.
    """
    dimensions = [_AS_DIMENSIONS[name] for name, _ in params.values if name in _AS_DIMENSIONS]
    wanted = [
        Filter(name, (stored(text),), {"from": ">=", "to": "<="}.get(name, "="))
        for name, text in params.values
        if name in _AS_DIMENSIONS
    ]
    read = understood(wanted, dimensions, lambda dimension: options(dimension.name, reading))
    first, last = (next((filter_.values[0] for filter_ in read if filter_.dimension == name), None) for name in DATES)
    if first and last and first > last:
        raise BadRequestError(words.say("turned", first=first, last=last))
    if first and reading.last_day and first > reading.last_day.isoformat():
        raise BadRequestError(words.say("after_the_data", day=first, last=reading.last_day))
    return Given(tuple({**dict(params.values), **of_page(read)}.items()))


def presets(last: date | None) -> dict[str, periods.Span]:
    """Spans of days to choose from, up to the last day of the data; those of the fiscal year where it is not the calendar's."""
    starts = declarations().calendar.fiscal_year_starts
    names = (*PRESETS, *(FISCAL if starts != 1 else ()))
    return {name: periods.read(name, periods.Today(last, starts)) for name in names} if last else {}


def question(params: Given) -> Question:
    """The question of an address, whose texts are those that the command takes.

    Raises:
        BadRequestError: It cannot be read.
    """
    try:
        return Question.read(**{"metrics": "", **dict(params.values)})
    except ContractError as error:
        raise BadRequestError(words.refused(error)) from error


def of_question(asked: Question) -> Given:
    """A question as the parameters of its address."""
    where, having = (
        " and ".join(f"({condition})" if len(some) > 1 else str(condition) for condition in some)
        for some in (asked.where, asked.having)
    )
    texts = {
        "metrics": ",".join(asked.metrics),
        "by": ",".join(map(str, asked.by)),
        "where": where,
        "period": asked.period,
        "compare": asked.compare,
        "having": having,
        "order": ",".join(map(str, asked.order)),
        "limit": asked.limit,
        "as_of": asked.as_of,
    }
    return Given(tuple((name, str(text)) for name, text in sorted(texts.items()) if text))


def records(entity: str, params: Given) -> Records:
    """The list of an address, whose texts are those that the command takes.

    Raises:
        BadRequestError: It cannot be read.
    """
    try:
        return Records.read(entity, **dict(params.values))
    except ContractError as error:
        raise BadRequestError(words.refused(error)) from error


def stored(text: str) -> str:
    """A value of an address as a filter has it: what is not known is empty there."""
    return "" if text == UNKNOWN else text


def of_page(where: Iterable[Filter]) -> dict[str, str]:
    """Filters of a page as its parameters."""
    return {filter_.dimension: filter_.values[0] or UNKNOWN for filter_ in where}


def understood(
    where: Sequence[Filter], dimensions: Sequence[Dimension], known: Known, last: date | None = None
) -> tuple[Filter, ...]:
    """Filters of an address as their dimensions understand them.

    Raises:
        BadRequestError: One cannot be read, or names what is not there.
    """
    try:
        read = metrics.understood(where, dimensions, known, of="this page")
        metrics.within(read, dimensions, last)
        return read
    except ContractError as error:
        raise BadRequestError(words.refused(error)) from error


def options(name: str, reading: Reading) -> tuple[str, ...]:
    """What a filter may be set to."""
    return BANDS if name == "band" else reading.values(*_COLUMNS[name])


def filters(metric: Metric, params: Given) -> tuple[Filter, ...]:
    """The filters of a page that apply to a metric."""
    chosen = []
    for name, dimension in CHOICES.items():
        text = params.get(name)
        if text and metric.view.dimension(dimension):
            chosen.append(Filter(dimension, (stored(text),)))
    dated = metric.measure.period
    for name, operator in (("from", ">="), ("to", "<=")):
        text = params.get(name)
        if text and dated:
            chosen.append(Filter(dated, (text,), operator))
    return tuple(chosen)


def unknown(metric: Metric, params: Given) -> tuple[str, ...]:
    """Filters of a page under which a metric has no value: dates for a stock, another band for the hot pipeline."""
    wrong = metrics.contradicted(metric, filters(metric, params))
    names = [name for name, dimension in CHOICES.items() if wrong and dimension == wrong.dimension]
    stock = metric.measure.additivity == "stock" and any(params.get(name) for name in DATES)
    return (*(("dates",) if stock else ()), *names)


def left_out(metric: Metric, params: Given) -> tuple[str, ...]:
    """Filters of a page that do not apply to a metric."""
    concerned = [name for name, dimension in CHOICES.items() if metric.view.dimension(dimension)]
    concerned += DATES if metric.measure.period else []
    return tuple(
        dict.fromkeys(
            "dates" if n in DATES else n for n, _ in params.values if n in (*CHOICES, *DATES) and n not in concerned
        )
    )


def of_dimensions(where: Iterable[Filter]) -> dict[str, str]:
    """Filters of a metric as parameters of the page of its rows: `dimension`, `dimension_from`, `dimension_to`."""
    params = {}
    for filter_ in where:
        name = filter_.dimension + {"=": "", ">=": "_from", "<=": "_to"}[filter_.operator]
        params[name] = filter_.values[0] or UNKNOWN
    return params


def to_filters(
    params: Given, dimensions: Sequence[Dimension], known: Known, last: date | None = None
) -> tuple[Filter, ...]:
    """The parameters of a page of rows, or of a metric, as filters.

    Args:
        params: The parameters.
        dimensions: What they may name; days have `_from` and `_to` too.
        known: Reads the values that a dimension has in the data.
        last: The last day of the data, where it is known.

    Raises:
        BadRequestError: A value cannot be read, or is not there.
    """
    chosen = []
    for dimension in dimensions:
        ends = (("", "="), ("_from", ">="), ("_to", "<=")) if dimension.type == "day" else (("", "="),)
        for end, operator in ends:
            if text := params.get(dimension.name + end):
                chosen.append(Filter(dimension.name, (stored(text),), operator))
    return understood(chosen, dimensions, known, last)


def allowed_of(dimensions: Sequence[Dimension]) -> list[str]:
    """Names of the parameters that `to_filters` takes."""
    days = [dimension.name + end for dimension in dimensions if dimension.type == "day" for end in ("_from", "_to")]
    return [*(dimension.name for dimension in dimensions), *days]
