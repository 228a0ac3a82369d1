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
    """The parameters of an address; a form sends metrics and splits one by one.

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
    params = parameters.given([*joined.items(), *kept], (*PARAMETERS, *more), LONGEST)
    if params.get("show") not in (None, *SHOWS):
        raise BadRequestError(words.say("no_such_show", name=params.get("show")))
    return params


def question(params: Given) -> Question:
    """The question of an address.

    Raises:
        BadRequestError: It cannot be read.
    """
    asked = Given(tuple((name, text) for name, text in params.values if name in parameters.QUESTION))
    return parameters.question(asked if asked.get("metrics") else Given((*asked.values, ("metrics", FIRST))))


def answered(reading: Reading, asked: Question) -> Answer:
    """The answer, from the cache if it is there; stages in funnel order unless the question asks for another.

    Raises:
        BadRequestError: The question is not fully understood.
    """
    try:
        result = reading.once(("question", asked), lambda: reading.answer(lambda cursor: answer(cursor, asked)))
    except ContractError as error:
        raise BadRequestError(words.refused(error)) from error
    by = ",".join(str(split) for split in asked.by)
    return result if asked.order or by != "stage" else replace(result, rows=reading.in_funnel(result.rows, by, by))


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


def page(reading: Reading, params: Given) -> dict[str, Any]:
    """What the page shows of an answer.

    Raises:
        BadRequestError: The question is not fully understood.
    """
    result = answered(reading, question(params))
    understood = result.understood
    assert isinstance(understood, Understood)  # noqa: S101 - a question was asked
    figures = [column for column in shown(result, params) if column.role != "split"]
    texts = written_rows(result, reading.currency)
    first = next(column.name for column in figures if column.role == "value")
    most = max((abs(float(row[first])) for row in result.rows if row[first] is not None), default=0.0) or 1.0
    total = None
    if result.totals:
        (text,) = written_rows(_with_rows(result, [result.totals]), reading.currency)
        total = [_cell(column, result.totals, text, understood, params, (), most) for column in figures]
    return {
        "told": result,
        "understood": understood,
        "heads": [column for column in result.columns if column.role == "split"],
        "figures": figures,
        "rows": [
            _row(row, text, figures, understood, params, most)
            for row, text in zip(result.rows[:MOST], texts, strict=False)
        ],
        "totals": total,
        "chips": list(_chips(understood, params)),
        "definitions": understood.metrics,
    }


def shown(result: Answer, params: Given) -> list[Column]:
    """The columns of an answer that the page shows; a chart has only the change in percent of a comparison."""
    if (params.get("show") or SHOWS[0]) != "chart":
        return list(result.columns)
    return [column for column in result.columns if column.role != "before" and not column.name.endswith("_change")]


def _with_rows(result: Answer, rows: list[dict[str, Any]]) -> Answer:
    return Answer(result.understood, result.columns, rows, len(rows), {}, result.sql, result.bindings, result.tables)


def _row(
    row: dict[str, Any], text: dict[str, Any], figures: list[Column], understood: Understood, params: Given, most: float
) -> Row:
    keys = tuple(key_of(row[str(split)]) for split, _ in understood.splits)
    splits = tuple(
        (
            "not known" if key is None else key.replace("_", " "),
            narrowed(params, understood, split, dimension, row[str(split)]),
        )
        for key, (split, dimension) in zip(keys, understood.splits, strict=True)
    )
    return Row(splits, tuple(_cell(column, row, text, understood, params, keys, most) for column in figures))


def _cell(
    column: Column, row: dict[str, Any], text: dict[str, Any], understood: Understood, params: Given, keys: tuple[str | None, ...], most: float
) -> Cell:  # fmt: skip
    value = row.get(column.name)
    written = text.get(column.name)
    shown = "no data" if written is None else f"{written:,}" if isinstance(written, int) else str(written)
    if column.role not in ("value", "n") or column.metric is None:
        return Cell(shown, column=column.name)
    metric = next(metric for metric in understood.metrics if metric.name == column.metric)
    share = abs(float(value)) / most if column.role == "value" and value is not None else 0.0
    return Cell(shown, rows_address(params, metric, keys), min(share, 1.0), column.name)


def rows_address(params: Given, metric: Metric, keys: Sequence[str | None]) -> str:
    """The address of the rows behind a figure; for a metric with parts, those of the first part."""
    named = {f"key{place}": parameters.UNKNOWN if key is None else key for place, key in enumerate(keys)}
    asked = Given(
        tuple((name, text) for name, text in params.values if name not in ("show", "order", "limit", "having"))
    )
    if not asked.get("metrics"):
        asked = Given((*asked.values, ("metrics", FIRST)))
    return f"/explore/rows{asked.query(of=(metric.measure.parts or (metric.name,))[0], **named)}"


def key_of(value: Any) -> str | None:
    """A value of a split as an address and SQL have it."""
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def narrowed(params: Given, understood: Understood, split: Split, dimension: Dimension, value: Any) -> str | None:
    """The address of the page narrowed to one value of a split, which it no longer has; None where no condition says that."""
    grain = split.grain or (split.name if split.name in GRAINS and split.name != dimension.name else None)
    by = ",".join(str(other) for other, _ in understood.splits if other != split)
    if split.name != dimension.name and (split.name == TIME or split.name in GRAINS):  # the metrics' own time
        if value is None or understood.before:
            return None
        return f"/explore{params.query(by=by or None, period=_span(value, grain), having=None, order=None, limit=None)}"
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
    return f"/explore{params.query(by=by or None, where=where, having=None, order=None, limit=None)}"


def _span(value: Any, grain: str | None) -> str:
    """A unit of time as a period is written."""
    if grain == "week" and isinstance(value, date):
        return f"{value} to {value + timedelta(days=6)}"
    return str(value)


def _chips(understood: Understood, params: Given) -> Iterable[tuple[str, str, str]]:
    """What narrows the answer: its name, its text, and the address without it."""
    parts = conjuncts(understood.where)
    for part in parts:
        rest = both(*(other for other in parts if other is not part))
        yield "where", str(part), f"/explore{params.query(where=str(rest) if rest else None)}"
    for name in ("period", "compare", "having", "order", "limit", "as_of"):
        if text := params.get(name):
            without = {"compare": None} if name == "period" else {}
            yield name, text, f"/explore{params.query(**{name: None, **without})}"


def form(reading: Reading, params: Given) -> dict[str, Any]:
    """What the form offers, whether or not the question is understood."""
    names = [name.strip() for name in (params.get("metrics") or FIRST).split(",")]
    every = {name: metric for name, metric in metrics.metrics().items() if _there(reading, metric)}
    first = every.get(names[0]) or every[FIRST]
    dimensions = [(dimension.name, dimension.display_name) for dimension in first.view.dimensions]
    own = first.measure.period or first.measure.history
    times = [(grain, grain.replace("_", " ").capitalize()) for grain in GRAINS[:5]] if own else []
    splits = [name.strip() for name in (params.get("by") or "").split(",") if name.strip()]
    return {
        "every": [(name, metric.measure.display_name) for name, metric in every.items()],
        "chosen": [*names, *[""] * (2 - len(names))],
        "dimensions": [*times, *(dimension for dimension in dimensions if dimension[0] not in dict(times))],
        "splits": [*splits, *[""] * (SPLITS - len(splits))],
        "periods": list(parameters.presets(reading.last_day)),
        "compares": COMPARES,
        "show": params.get("show") or SHOWS[0],
    }


def _there(reading: Reading, metric: Metric) -> bool:
    return all(name in reading.tables for name in metric.view.tables)


def listed(reading: Reading, params: Given, most: int | None = None) -> Listing:
    """The rows behind one figure of an answer, as an address names it: `of` a metric or part, `key0` and so on its splits.

    At most `most` of them; by default all.

    Raises:
        BadRequestError: The question is not understood, or there is no such figure.
    """
    asked = question(Given(tuple((name, text) for name, text in params.values if name in parameters.QUESTION)))
    named = [params.get(f"key{place}") for place in range(len(asked.by))]
    given = sum(key.startswith("key") for key, _ in params.values)
    if given not in (0, len(asked.by)) or (given and None in named):
        raise BadRequestError(words.say("no_such_row", splits=len(asked.by)))
    keys = [parameters.stored(key) or None for key in named if key is not None]
    if keys and not any(
        [key_of(row[str(split)]) for split in asked.by] == keys for row in answered(reading, _whole(asked)).rows
    ):
        raise BadRequestError(words.say("no_row_of", keys=", ".join(key or "not known" for key in keys)[:80]))
    name = params.get("of") or ""
    try:
        result = reading.once(
            ("behind", asked, name, tuple(keys), most),
            lambda: reading.answer(lambda cursor: behind(cursor, asked, name, keys, most)),
        )
    except ContractError as error:
        raise BadRequestError(words.refused(error)) from error
    understood = answered(reading, asked).understood
    columns = tuple(
        Shown(
            column.name,
            column.label,
            _kind(column, result.rows),
            {"lead_id": "/deals/{}", "customer_id": "/customers/{}"}.get(column.name),
        )
        for column in result.columns
    )
    measure = result.metric.measure
    value = metrics.written(result.metric.name, result.value, reading.currency)
    chosen = [(str(split), key or "not known") for split, key in zip(asked.by, keys, strict=False)]
    narrowing = [("where", str(understood.where))] if isinstance(understood, Understood) and understood.where else []
    period = [("period", str(understood.span))] if isinstance(understood, Understood) and understood.span else []
    return Listing(
        result.metric.name, f"{measure.display_name}: {value}", measure.comment, columns, result.rows, {},
        (*chosen, *narrowing, *period, ("as of", str(reading.last_day))), result.n,
    )  # fmt: skip


def _whole(asked: Question) -> Question:
    """A question with every row of its answer."""
    return replace(asked, having=(), order=(), limit=None)


def _kind(column: Column, rows: Iterable[dict[str, Any]]) -> Kind:
    """How the values of a column are written."""
    if column.type == "number" and all(isinstance(row[column.name], int | None) for row in rows):
        return "number"
    kinds: dict[str, Kind] = {"currency": "money", "percentage": "percent", "number": "decimal", "day": "day"}
    return kinds.get(column.format.type if column.format else column.type, "text")


def file(reading: Reading, params: Given) -> Listing:
    """The answer as it is shown, for a file: every row and column of it."""
    result = answered(reading, question(params))
    columns = tuple(Shown(column.name, column.label) for column in shown(result, params))
    asked = [(name, text) for name, text in params.values if name != "show"]
    return Listing(
        "answer", str(result.understood), "", columns, result.rows, {}, (*asked, ("as of", str(reading.last_day)))
    )
