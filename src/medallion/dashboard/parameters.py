"""What stands in an address: which parameters a page takes, what they may be, and how they become filters.

Everything in an address is checked here, before anything else sees it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from medallion.dashboard import words
from medallion.dashboard.reading import Reading
from medallion.metrics import Filter, Metric

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

#: Metrics of deals that belong to a day; the others tell how things stand now, whatever the dates.
DATED = {
    **dict.fromkeys(
        ("revenue", "won_leads", "lost_leads", "lost_value", "win_rate", "win_rate_by_value", "average_won_value", "average_cycle_days"),
        "closed_date",
    ),
    **dict.fromkeys(
        ("total_leads", "total_deal_value", "average_deal_value", "median_deal_value", "conversion_rate", "conversion_rate_by_value"),
        "created_date",
    ),
}  # fmt: skip


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
        merged = {k.rstrip("_"): v for k, v in {**chosen, **changes}.items() if v}
        return f"?{urlencode(merged)}" if merged else ""


def given(pairs: Sequence[tuple[str, str]], allowed: Iterable[str]) -> Given:
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
        if len(value) > LONGEST or any(not letter.isprintable() for letter in value):
            raise BadRequestError(words.say("not_text", name=name, longest=LONGEST))
        if value.strip():
            seen[name] = value.strip()
    return Given(tuple(sorted(seen.items())))


def day(name: str, text: str) -> date:
    """A day from an address.

    Raises:
        BadRequestError: It is none.
    """
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or len(text) != 10:
        raise BadRequestError(words.say("not_a_day", name=name, value=text))
    return found


def checked(found: Given, reading: Reading) -> Given:
    """The filters of a page, each of which names something that is there.

    Raises:
        BadRequestError: One does not.
    """
    for name, text in found.values:
        if name in DATES:
            day(name, text)
        if name in CHOICES and text not in options(name, reading) and text != UNKNOWN:
            raise BadRequestError(words.say("no_such_value", name=name, value=text))
    start, end = found.get("from"), found.get("to")
    if start and end and start > end:
        raise BadRequestError(words.say("dates_turned", start=start, end=end))
    return found


def options(name: str, reading: Reading) -> tuple[str, ...]:
    """What a filter may be set to."""
    return BANDS if name == "band" else reading.values(*_COLUMNS[name])


def filters(metric: Metric, found: Given) -> tuple[Filter, ...]:
    """The filters of a page as far as they concern a metric."""
    chosen = []
    for name, dimension in CHOICES.items():
        text = found.get(name)
        if text and metric.view.dimension(dimension):
            chosen.append(Filter(dimension, ("" if text == UNKNOWN else text,)))
    dated = _dated(metric)
    for name, operator in (("from", ">="), ("to", "<=")):
        text = found.get(name)
        if text and dated:
            chosen.append(Filter(dated, (text,), operator))
    return tuple(chosen)


def left_out(metric: Metric, found: Given) -> tuple[str, ...]:
    """Filters of a page that say nothing of a metric: it is not narrowed by them."""
    concerned = [name for name, dimension in CHOICES.items() if metric.view.dimension(dimension)]
    concerned += DATES if _dated(metric) else []
    return tuple(
        dict.fromkeys(
            "dates" if n in DATES else n for n, _ in found.values if n in (*CHOICES, *DATES) and n not in concerned
        )
    )


def _dated(metric: Metric) -> str | None:
    return DATED.get(metric.name) or ("date" if metric.view.dimension("date") else None)


def of_dimensions(where: Iterable[Filter]) -> dict[str, str]:
    """Filters of a metric as parameters of the page of its rows: `dimension`, `dimension_from`, `dimension_to`."""
    found = {}
    for one in where:
        name = one.dimension + {"=": "", ">=": "_from", "<=": "_to"}[one.operator]
        found[name] = one.values[0] or UNKNOWN
    return found


def to_filters(found: Given, dimensions: Mapping[str, bool]) -> tuple[Filter, ...]:
    """The parameters of a page of rows as filters.

    Args:
        found: The parameters.
        dimensions: Names with whether they are days, which have `_from` and `_to` too.

    Raises:
        BadRequestError: A day is none.
    """
    chosen = []
    for name, is_day in dimensions.items():
        text = found.get(name)
        if text:
            chosen.append(Filter(name, ("" if text == UNKNOWN else text,)))
        if is_day:
            for end, operator in (("_from", ">="), ("_to", "<=")):
                text = found.get(name + end)
                if text:
                    chosen.append(Filter(name, (day(name + end, text).isoformat(),), operator))
    return tuple(chosen)


def is_day(expression: str) -> bool:
    """Whether a dimension's expression gives days, which may be narrowed from and to.

    >>> is_day("CAST(closed_at AS DATE)"), is_day("industry")
    (True, False)
    """
    return re.fullmatch(r"(TRY_)?CAST\([^()]+ AS DATE\)", expression) is not None


def allowed_of(dimensions: Mapping[str, bool]) -> list[str]:
    """Names of the parameters that `to_filters` takes."""
    return [*dimensions, *(name + end for name, is_day in dimensions.items() if is_day for end in ("_from", "_to"))]
