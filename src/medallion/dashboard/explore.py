"""Any question of metrics in the browser: a form over the typed question's address, its answer, and the rows behind each figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from medallion import metrics
from medallion.dashboard import parameters, words
from medallion.dashboard.listing import Listing
from medallion.dashboard.parameters import BadRequestError, Given
from medallion.dashboard.reading import Reading
from medallion.dashboard.tables import Column as Shown
from medallion.dashboard.tables import Kind
from medallion.errors import ContractError
from medallion.metrics.compilers.duckdb import Answer, Column, answer, behind, written_rows
from medallion.metrics.conditions import Condition, Test, both, conjuncts
from medallion.metrics.declared import Dimension, Metric
from medallion.metrics.periods import GRAINS
from medallion.metrics.question import COMPARES, TIME, Question, Split
from medallion.metrics.understanding import Understood

#: Parameters of the page, and letters of one: conditions are long.
PARAMETERS = (*parameters.QUESTION, "show")
LONGEST = 2000
#: What is asked without a wish.
FIRST = "revenue"
#: Splits that the form offers; the address takes more.
SPLITS = 2
#: How the answer is shown.
SHOWS = ("chart", "table")
#: Rows that the page shows; a file has all of them.
MOST = 500


def given(items: Sequence[tuple[str, str]], more: Iterable[str] = ()) -> Given:
    """The parameters of an address; a form gives metrics and splits one by one.

    Raises:
        BadRequestError: One is unknown, too long, or not text.
    """
    joined: dict[str, str] = {}
    kept = []
    for name, text in items:
        if name not in ("metrics", "by"):
            kept.append((name, text))
        elif text.strip():
            joined[name] = ",".join(filter(None, (joined.get(name), text)))
    found = parameters.given([*joined.items(), *kept], (*PARAMETERS, *more), LONGEST)
    if found.get("show") not in (None, *SHOWS):
        raise BadRequestError(words.say("no_such_show", name=found.get("show")))
    return found


def question(found: Given) -> Question:
    """The question of an address.

    Raises:
        BadRequestError: It cannot be read.
    """
    asked = Given(tuple((name, text) for name, text in found.values if name in parameters.QUESTION))
    return parameters.question(asked if asked.get("metrics") else Given((*asked.values, ("metrics", FIRST))))


def answered(reading: Reading, asked: Question) -> Answer:
    """The answer, remembered; stages in the order of the funnel where the question wishes no other.

    Raises:
        BadRequestError: The question is not understood whole.
    """
    try:
        told = reading.once(("question", asked), lambda: reading.answer(lambda cursor: answer(cursor, asked)))
    except ContractError as error:
        raise BadRequestError(words.refused(error)) from error
    by = ",".join(str(one) for one in asked.by)
    return told if asked.order or by != "stage" else replace(told, rows=reading.in_funnel(told.rows, by, by))


@dataclass(frozen=True)
class Cell:
    """A figure of a row: its text, the address of the rows that it counts or sums, and how long its bar is."""

    text: str
    address: str | None = None
    share: float = 0.0
    column: str = ""


@dataclass(frozen=True)
class Row:
    """A row of the answer: its splits with the addresses that narrow the page to them, and its figures."""

    splits: tuple[tuple[str, str | None], ...]
    cells: tuple[Cell, ...]


def page(reading: Reading, found: Given) -> dict[str, Any]:
    """What the page shows of an answer.

    Raises:
        BadRequestError: The question is not understood whole.
    """
    told = answered(reading, question(found))
    understood = told.understood
    assert isinstance(understood, Understood)  # noqa: S101 - a question was asked
    figures = [one for one in shown(told, found) if one.role != "split"]
    texts = written_rows(told, reading.currency)
    first = next(one.name for one in figures if one.role == "value")
    most = max((abs(float(row[first])) for row in told.rows if row[first] is not None), default=0.0) or 1.0
    total = None
    if told.totals:
        (text,) = written_rows(_with_rows(told, [told.totals]), reading.currency)
        total = [_cell(one, told.totals, text, understood, found, (), most) for one in figures]
    return {
        "told": told,
        "understood": understood,
        "heads": [one for one in told.columns if one.role == "split"],
        "figures": figures,
        "rows": [
            _row(row, text, figures, understood, found, most)
            for row, text in zip(told.rows[:MOST], texts, strict=False)
        ],
        "totals": total,
        "chips": list(_chips(understood, found)),
        "definitions": understood.metrics,
    }


def shown(told: Answer, found: Given) -> list[Column]:
    """The columns of an answer that the page shows: beside bars, of a comparison the change in percent alone."""
    if (found.get("show") or SHOWS[0]) != "chart":
        return list(told.columns)
    return [one for one in told.columns if one.role != "before" and not one.name.endswith("_change")]


def _with_rows(told: Answer, rows: list[dict[str, Any]]) -> Answer:
    return Answer(told.understood, told.columns, rows, len(rows), {}, told.sql, told.bindings, told.tables)


def _row(
    row: dict[str, Any], text: dict[str, Any], figures: list[Column], understood: Understood, found: Given, most: float
) -> Row:
    keys = tuple(key_of(row[str(split)]) for split, _ in understood.splits)
    splits = tuple(
        (
            "not known" if key is None else key.replace("_", " "),
            narrowed(found, understood, split, dimension, row[str(split)]),
        )
        for key, (split, dimension) in zip(keys, understood.splits, strict=True)
    )
    return Row(splits, tuple(_cell(one, row, text, understood, found, keys, most) for one in figures))


def _cell(
    one: Column, row: dict[str, Any], text: dict[str, Any], understood: Understood, found: Given, keys: tuple[str | None, ...], most: float
) -> Cell:  # fmt: skip
    value = row.get(one.name)
    written = text.get(one.name)
    shown = "no data" if written is None else f"{written:,}" if isinstance(written, int) else str(written)
    if one.role not in ("value", "n") or one.metric is None:
        return Cell(shown, column=one.name)
    metric = next(metric for metric in understood.metrics if metric.name == one.metric)
    share = abs(float(value)) / most if one.role == "value" and value is not None else 0.0
    return Cell(shown, rows_address(found, metric, keys), min(share, 1.0), one.name)


def rows_address(found: Given, metric: Metric, keys: Sequence[str | None]) -> str:
    """The page of the rows behind a figure; of a metric with parts, those of the first."""
    named = {f"key{place}": parameters.UNKNOWN if key is None else key for place, key in enumerate(keys)}
    asked = Given(
        tuple((name, text) for name, text in found.values if name not in ("show", "order", "limit", "having"))
    )
    if not asked.get("metrics"):
        asked = Given((*asked.values, ("metrics", FIRST)))
    return f"/explore/rows{asked.query(of=(metric.measure.parts or (metric.name,))[0], **named)}"


def key_of(value: Any) -> str | None:
    """A value of a split as an address and SQL have it."""
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def narrowed(found: Given, understood: Understood, split: Split, dimension: Dimension, value: Any) -> str | None:
    """The address of the page for one value of a split, which is then no split any more; None where no condition says it."""
    grain = split.grain or (split.name if split.name in GRAINS and split.name != dimension.name else None)
    by = ",".join(str(one) for one, _ in understood.splits if one != split)
    if split.name != dimension.name and (split.name == TIME or split.name in GRAINS):  # the metrics' own time
        if value is None or understood.before:
            return None
        return f"/explore{found.query(by=by or None, period=_span(value, grain), having=None, order=None, limit=None)}"
    test: Condition
    if value is None:
        test = Test(split.name, "unknown")
    elif grain in ("day", "week") and isinstance(value, date):
        test = Test(split.name, "between", (value, value + timedelta(days=0 if grain == "day" else 6)))
    elif dimension.type == "boolean":
        test = Test(split.name, "=", (bool(value),))
    else:
        test = Test(split.name, "=", (value if isinstance(value, date) else str(value),))
    where = str(both(understood.where, test))
    return f"/explore{found.query(by=by or None, where=where, having=None, order=None, limit=None)}"


def _span(value: Any, grain: str | None) -> str:
    """A unit of time as a period is written."""
    if grain == "week" and isinstance(value, date):
        return f"{value} to {value + timedelta(days=6)}"
    return str(value)


def _chips(understood: Understood, found: Given) -> Iterable[tuple[str, str, str]]:
    """What narrows the answer: its name, its text, and the address without it."""
    parts = conjuncts(understood.where)
    for one in parts:
        rest = both(*(other for other in parts if other is not one))
        yield "where", str(one), f"/explore{found.query(where=str(rest) if rest else None)}"
    for name in ("period", "compare", "having", "order", "limit", "as_of"):
        if text := found.get(name):
            without = {"compare": None} if name == "period" else {}
            yield name, text, f"/explore{found.query(**{name: None, **without})}"


def form(reading: Reading, found: Given) -> dict[str, Any]:
    """What the form offers, whether or not the question is understood."""
    names = [one.strip() for one in (found.get("metrics") or FIRST).split(",")]
    every = {name: one for name, one in metrics.metrics().items() if _there(reading, one)}
    first = every.get(names[0]) or every[FIRST]
    dimensions = [(one.name, one.display_name) for one in first.view.dimensions]
    own = first.measure.period or first.measure.history
    times = [(grain, grain.replace("_", " ").capitalize()) for grain in GRAINS[:5]] if own else []
    splits = [one.strip() for one in (found.get("by") or "").split(",") if one.strip()]
    return {
        "every": [(name, one.measure.display_name) for name, one in every.items()],
        "chosen": [*names, *[""] * (2 - len(names))],
        "dimensions": [*times, *(one for one in dimensions if one[0] not in dict(times))],
        "splits": [*splits, *[""] * (SPLITS - len(splits))],
        "periods": list(parameters.presets(reading.last_day)),
        "compares": COMPARES,
        "show": found.get("show") or SHOWS[0],
    }


def _there(reading: Reading, metric: Metric) -> bool:
    return all(name in reading.tables for name in metric.view.tables)


def listed(reading: Reading, found: Given, most: int | None = None) -> Listing:
    """The rows behind one figure of an answer, as an address names it: `of` a metric or part, `key0` and so on its splits.

    At most `most` of them, all without.

    Raises:
        BadRequestError: The question is not understood, or there is no such figure.
    """
    asked = question(Given(tuple((name, text) for name, text in found.values if name in parameters.QUESTION)))
    named = [found.get(f"key{place}") for place in range(len(asked.by))]
    given = sum(key.startswith("key") for key, _ in found.values)
    if given not in (0, len(asked.by)) or (given and None in named):
        raise BadRequestError(words.say("no_such_row", splits=len(asked.by)))
    keys = [parameters.stored(one) or None for one in named if one is not None]
    if keys and not any(
        [key_of(row[str(split)]) for split in asked.by] == keys for row in answered(reading, _whole(asked)).rows
    ):
        raise BadRequestError(words.say("no_row_of", keys=", ".join(key or "not known" for key in keys)[:80]))
    name = found.get("of") or ""
    try:
        told = reading.once(
            ("behind", asked, name, tuple(keys), most),
            lambda: reading.answer(lambda cursor: behind(cursor, asked, name, keys, most)),
        )
    except ContractError as error:
        raise BadRequestError(words.refused(error)) from error
    understood = answered(reading, asked).understood
    columns = tuple(
        Shown(
            one.name,
            one.label,
            _kind(one, told.rows),
            {"lead_id": "/deals/{}", "customer_id": "/customers/{}"}.get(one.name),
        )
        for one in told.columns
    )
    measure = told.metric.measure
    value = metrics.written(told.metric.name, told.value, reading.currency)
    chosen = [(str(split), key or "not known") for split, key in zip(asked.by, keys, strict=False)]
    narrowing = [("where", str(understood.where))] if isinstance(understood, Understood) and understood.where else []
    period = [("period", str(understood.span))] if isinstance(understood, Understood) and understood.span else []
    return Listing(
        told.metric.name, f"{measure.display_name}: {value}", measure.comment, columns, told.rows, {},
        (*chosen, *narrowing, *period, ("as of", str(reading.last_day))), told.n,
    )  # fmt: skip


def _whole(asked: Question) -> Question:
    """A question with every row of its answer."""
    return replace(asked, having=(), order=(), limit=None)


def _kind(one: Column, rows: Iterable[dict[str, Any]]) -> Kind:
    """How the values of a column are written."""
    if one.type == "number" and all(isinstance(row[one.name], int | None) for row in rows):
        return "number"
    kinds: dict[str, Kind] = {"currency": "money", "percentage": "percent", "number": "decimal", "day": "day"}
    return kinds.get(one.format.type if one.format else one.type, "text")


def file(reading: Reading, found: Given) -> Listing:
    """The answer as it is shown, for a file: every row and column of it."""
    told = answered(reading, question(found))
    columns = tuple(Shown(one.name, one.label) for one in shown(told, found))
    asked = [(name, text) for name, text in found.values if name != "show"]
    return Listing(
        "answer", str(told.understood), "", columns, told.rows, {}, (*asked, ("as of", str(reading.last_day)))
    )
