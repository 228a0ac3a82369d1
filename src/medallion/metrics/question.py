"""The typed question: metrics, or a list of records, with splits, conditions, a period, a comparison and an order.

One form for Python, the command, MCP and addresses. Texts are read by `Question.read` and `Records.read` alone; what is
not understood is refused with what is nearest to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, cast

from medallion.errors import ContractError
from medallion.metrics.conditions import Condition
from medallion.metrics.periods import GRAINS

Compare = Literal["previous", "year-ago"]
COMPARES: tuple[Compare, ...] = ("previous", "year-ago")
#: Stands for the time column of each metric, in a split.
TIME = "time"
MOST_ROWS = 100_000


@dataclass(frozen=True)
class Split:
    """What an answer has a row for each value of.

    Attributes:
        name: A dimension or field; `time` for the time column of each metric.
        grain: Of a day: `day`, `week`, `month`, `quarter`, `year`, `fiscal_quarter` or `fiscal_year`.
    """

    name: str
    grain: str | None = None

    def __str__(self) -> str:
        return f"{self.name}:{self.grain}" if self.grain else self.name


@dataclass(frozen=True)
class Order:
    """A column by which rows are ordered, the largest first when `descending`; rows without a value come last."""

    name: str
    descending: bool = False

    def __str__(self) -> str:
        return f"-{self.name}" if self.descending else self.name


#: Conditions, or texts of some; all must hold.
Given = tuple[Condition | str, ...]


@dataclass(frozen=True)
class Question:
    """What metrics are worth.

    Attributes:
        metrics: Their names.
        by: What to split by; the total without.
        where: Which rows count.
        period: When, as in `2025-Q1`, `last 3 months`, `ytd`: a flow counts within it by its own time column, a stock is
            as of its end. All time without.
        compare: The period before, or the same a year ago, beside it.
        having: Which rows of the answer are shown, by metrics and `n`.
        order: By what they are ordered; by the splits without.
        limit: How many are shown.
        as_of: The day that relative periods count from and nothing after which counts; the last of the data without.
        parameters: Thresholds and targets, by name.
    """

    metrics: tuple[str, ...]
    by: tuple[Split, ...] = ()
    where: Given = ()
    period: str | None = None
    compare: Compare | None = None
    having: Given = ()
    order: tuple[Order, ...] = ()
    limit: int | None = None
    as_of: date | None = None
    parameters: tuple[tuple[str, float], ...] = ()

    @classmethod
    def read(
        cls,
        metrics: str | Iterable[str],
        by: str | Iterable[str] = (),
        where: str | Sequence[str] | Condition | None = None,
        period: str | None = None,
        compare: str | None = None,
        having: str | Sequence[str] | Condition | None = None,
        order: str | Iterable[str] = (),
        limit: int | str | None = None,
        as_of: date | str | None = None,
        parameters: Mapping[str, float] | Iterable[str] = (),
    ) -> Question:
        """A question from texts, as the command, MCP and addresses have them.

        Raises:
            ContractError: A text cannot be read.
        """
        names = listed(metrics)
        if not names:
            raise ContractError("no metric is asked for", "Name one, such as revenue.")
        if compare not in (None, "", *COMPARES):
            raise ContractError(f"{compare!r} is no comparison", f"There are: {', '.join(COMPARES)}.")
        return cls(
            names,
            tuple(dict.fromkeys(split(text) for text in listed(by))),
            _all(where),
            (period or "").strip() or None,
            cast("Compare | None", compare or None),
            _all(having),
            tuple(ordering(text) for text in listed(order)),
            limited(limit),
            _day(as_of),
            _parameters(parameters),
        )


@dataclass(frozen=True)
class Records:
    """A list: which deals, which accounts.

    Attributes:
        entity: Of what, such as deals.
        where: Which of them.
        period: When, by the first time column of the entity; all time without.
        order: By which columns; by the key without.
        limit: How many are shown; of each value of a column where `each` names one.
        columns: Which columns; those of the entity without.
        as_of: The day that relative periods count from and nothing after which counts, of events such as touches; the last
            of the data without.
        parameters: Thresholds, by name.
        each: A column of each of whose values the first records are shown, such as the largest deal of each owner.
    """

    entity: str
    where: Given = ()
    period: str | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = 50
    columns: tuple[str, ...] = ()
    as_of: date | None = None
    parameters: tuple[tuple[str, float], ...] = ()
    each: str | None = None

    @classmethod
    def read(
        cls,
        entity: str,
        where: str | Sequence[str] | Condition | None = None,
        period: str | None = None,
        order: str | Iterable[str] = (),
        limit: int | str | None = 50,
        columns: str | Iterable[str] = (),
        as_of: date | str | None = None,
        parameters: Mapping[str, float] | Iterable[str] = (),
        each: str | None = None,
    ) -> Records:
        """A list from texts, as the command, MCP and addresses have them.

        Raises:
            ContractError: A text cannot be read.
        """
        return cls(
            entity.strip(),
            _all(where),
            (period or "").strip() or None,
            tuple(ordering(text) for text in listed(order)),
            limited(limit),
            listed(columns),
            _day(as_of),
            _parameters(parameters),
            (each or "").strip() or None,
        )


def split(text: str) -> Split:
    """A split from text such as `owner`, `closed_date:month`, or `month` for the metrics' own time.

    Raises:
        ContractError: It is none.
    """
    match = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*(?::\s*([A-Za-z_ -]+?)\s*)?", text)
    if not match:
        raise ContractError(f"cannot split by {text[:80]!r}", "Write a dimension, or closed_date:month.")
    grain = match[2].casefold().replace(" ", "_").replace("-", "_") if match[2] else None
    if grain is not None and grain not in GRAINS:
        raise ContractError(
            f"{match[2][:40]!r} in {text.strip()[:80]!r} is no unit of time", f"Units: {', '.join(GRAINS)}."
        )
    return Split(match[1], grain)


def ordering(text: str) -> Order:
    """An order from text such as `-value` or `owner`.

    Raises:
        ContractError: It is none.
    """
    match = re.fullmatch(r"\s*([-+]?)\s*([A-Za-z_][\w:]*)\s*", text)
    if not match:
        raise ContractError(
            f"cannot order by {text[:80]!r}", "Write a column of the answer, -value for the largest first."
        )
    return Order(match[2], match[1] == "-")


def limited(limit: int | str | None) -> int | None:
    """How many rows are shown.

    Raises:
        ContractError: It is no whole number from 1 to 100,000.
    """
    if limit is None or limit == "":
        return None
    text = str(limit).strip()
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= MOST_ROWS:
        raise ContractError(
            f"limit {text[:40]!r} is no number of rows", f"Give a whole number from 1 to {MOST_ROWS:,}."
        )
    return int(text)


def listed(given: str | Iterable[str]) -> tuple[str, ...]:
    """Names from one text with commas, or from several texts; each once.

    Raises:
        ContractError: There is a comma too many.
    """
    texts = [given] if isinstance(given, str) else list(given)
    names = [part.strip() for text in texts for part in str(text).split(",")]
    if any(not name for name in names) and len(names) > 1:
        raise ContractError(f"{', '.join(map(str, texts))[:80]!r} has a comma too many", "Leave it out.")
    return tuple(dict.fromkeys(name for name in names if name))


def _all(given: str | Sequence[str] | Condition | None) -> Given:
    if given is None:
        return ()
    texts = given if isinstance(given, list | tuple) else [cast("Condition | str", given)]
    return tuple(text for text in texts if not isinstance(text, str) or text.strip())


def _day(given: date | str | None) -> date | None:
    if isinstance(given, date):
        return given
    if not given:
        return None
    try:
        return date.fromisoformat(given.strip())
    except ValueError:
        raise ContractError(f"{given[:40]!r} is not a day", "Write a day such as 2025-06-30.") from None


def _parameters(given: Mapping[str, float] | Iterable[str]) -> tuple[tuple[str, float], ...]:
    if isinstance(given, Mapping):
        return tuple((str(name), value) for name, value in given.items())
    parameters: dict[str, float] = {}
    for text in given:
        name, sign, number = text.partition("=")
        if name.strip() in parameters:
            raise ContractError(f"the parameter {name.strip()} is given twice", "Keep one of the two.")
        try:
            parameters[name.strip()] = float(number)
        except ValueError:
            sign = ""
        if not sign or not name.strip():
            raise ContractError(f"cannot read the parameter {text[:80]!r}", "Write NAME=NUMBER.")
    return tuple(parameters.items())
