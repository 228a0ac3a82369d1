"""DuckDB's answer to a question: what it runs, typed values, and where they come from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import duckdb

from medallion.errors import ContractError
from medallion.metrics.answers import days, not_by_proxy, values_of
from medallion.metrics.compilers.sql import (
    DUCKDB,
    Query,
    compile_behind,
    compile_question,
    compile_records,
    expression,
    source,
)
from medallion.metrics.conditions import Value
from medallion.metrics.declared import DecimalPlaces, Dimension, Format, Metric, MetricView
from medallion.metrics.loading import views
from medallion.metrics.meaning import Facts
from medallion.metrics.question import Question, Records
from medallion.metrics.understanding import Understood, UnderstoodRecords, understand, understand_records
from medallion.metrics.writing import formed, plain

#: Values of a dimension that are looked through for the nearest one.
_MOST_VALUES = 20_000


@dataclass(frozen=True)
class Column:
    """A column of an answer.

    Attributes:
        name: Its name in the rows.
        label: What people read.
        type: `text`, `number`, `boolean` or `day`; of a figure `number`, `percentage` or `currency`.
        unit: What it counts; the currency is the lakehouse's.
        role: `split`, `value`, `before`, `change`, `n` or `field`.
        metric: The metric that it is a figure of.
        format: How its numbers are written for readers; None for as they are.
    """

    name: str
    label: str
    type: str
    unit: str = ""
    role: str = "field"
    metric: str | None = None
    format: Format | None = None

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {key: value for key, value in self.__dict__.items() if key != "format" and value not in ("", None)}


@dataclass(frozen=True)
class Answer:
    """Rows with typed values, and how they came about.

    Attributes:
        understood: The question as it was understood.
        columns: What the rows have.
        rows: Numbers as numbers, days as days, what is not known as None.
        total: How many rows there are; `shown` of them are here.
        totals: The figures without splits; of a question that is split.
        sql: What DuckDB ran, with `?` for each of the bindings.
        bindings: The values of the conditions and of the period.
        tables: The tables that were read, with their versions where they are known.
        seconds: How long it took.
    """

    understood: Understood | UnderstoodRecords
    columns: tuple[Column, ...]
    rows: list[dict[str, Any]]
    total: int
    totals: dict[str, Any]
    sql: str
    bindings: tuple[Value, ...]
    tables: Mapping[str, int | None]
    seconds: float = field(default=0.0, compare=False)

    @property
    def is_list(self) -> bool:
        """Whether it is a list of records."""
        return isinstance(self.understood, UnderstoodRecords)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know beside the figures."""
        return self.understood.notes if isinstance(self.understood, Understood) else ()

    @property
    def shown(self) -> int:
        """How many rows are here."""
        return len(self.rows)

    @property
    def complete(self) -> bool:
        """Whether all rows are here."""
        return self.shown == self.total

    @property
    def value(self) -> float | int | None:
        """The one figure of a question that is not split."""
        return next(
            (self.rows[0][column.name] for column in self.columns if column.role == "value" and self.rows), None
        )

    def document(self) -> dict[str, Any]:
        """As JSON has it: typed values, days as ISO text."""
        understood = self.understood
        period: dict[str, Any] = {}
        if isinstance(understood, Understood):
            if understood.span is not None:
                period = {"period": _ends(understood.span)}
            if understood.before is not None:
                period["compared_with"] = _ends(understood.before[0])
        where = understood.where
        return {
            "understood": str(understood),
            "where": str(where) if where is not None else "",
            **period,
            "notes": list(self.notes),
            "columns": [column.document() for column in self.columns],
            "rows": [{name: _json(value) for name, value in row.items()} for row in self.rows],
            "totals": {name: _json(value) for name, value in self.totals.items()},
            "shown": self.shown,
            "total": self.total,
            "complete": self.complete,
            "sql": self.sql,
            "bindings": [_json(binding) for binding in self.bindings],
            "table_versions": dict(self.tables),
        }


def answer(
    connection: duckdb.DuckDBPyConnection,
    asked: Question | Records,
    versions: Callable[[str], int | None] = lambda name: None,
) -> Answer:
    """Answer a question.

    Args:
        connection: From `medallion.lakehouse.query.connect`, with the layers gold and silver.
        asked: The question.
        versions: Gives the version of a table that the connection reads.

    Raises:
        ContractError: The question is not understood whole.
    """
    started = time.perf_counter()
    facts = facts_of(connection)
    if isinstance(asked, Records):
        listed = understand_records(asked, facts)
        return _records(connection, listed, versions, started)
    understood = understood_by(connection, asked, facts)
    query = compile_question(understood, DUCKDB, places=_places(connection, understood))
    rows, total = _rows(connection, query)
    totals = {}
    if understood.splits:
        whole = compile_question(understood, DUCKDB, whole=True)
        totals = _with_changes(understood, _fetched(connection, whole)[0])
    rows = [_with_changes(understood, row) for row in rows]
    tables = sorted({name for part in understood.parts.values() for name in _tables(part.metric.view, query.sql)})
    return Answer(
        understood, _columns(understood), rows, total, totals, query.sql, query.bindings,
        {name: versions(name) for name in tables}, time.perf_counter() - started,
    )  # fmt: skip


def understood_by(connection: duckdb.DuckDBPyConnection, question: Question, facts: Facts) -> Understood:
    """A question as it is understood, with what its conditions leave looked up.

    Raises:
        ContractError: It is not understood whole, or its conditions leave nothing of what a metric looks at.
    """
    understood = understand(question, facts)
    for part in understood.parts.values():
        not_by_proxy(connection, part.metric, part.where)
    return understood


#: The stages in the order in which deals pass them, by their mean place among those of a deal and by how old it is when it
#: enters them; those that end a deal last, won before lost. Of so many deals.
_FUNNEL = """
SELECT stage, place FROM (
  SELECT stage, AVG(place) AS place, AVG(age) AS age, AVG(CAST(status = 'won' AS INT)) AS won,
         COALESCE(AVG(CASE WHEN left_at IS NULL THEN CAST(status <> 'open' AS INT) END), 0) > 0.5 AS ends
  FROM (
    SELECT h.stage, d.status, h.left_at, h.entered_at - d.created_at AS age,
           ROW_NUMBER() OVER (PARTITION BY h.lead_id ORDER BY h.entered_at) AS place
    FROM gold.stage_history AS h
    JOIN (SELECT lead_id, status, created_at FROM gold.deals ORDER BY lead_id LIMIT 20000) AS d USING (lead_id))
  WHERE stage IS NOT NULL GROUP BY stage)
ORDER BY ends, CASE WHEN ends THEN won END DESC, place, age, stage"""


def funnel(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, float]]:
    """The stages in the order in which deals pass them, each with its mean place among those that a deal was in.

    Of stages of one place the one that younger deals enter comes first: no deal has passed from one to the other.
    """
    return connection.execute(_FUNNEL).fetchall()


def stages(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """The stages in the order that the contract declares, or as deals pass them; none where neither is known."""
    declared = views()["deals"].field("stage")
    if declared and declared.values:
        return declared.values
    return tuple(stage for stage, _ in funnel(connection)) if _there(connection, "gold.stage_history") else ()


def _places(connection: duckdb.DuckDBPyConnection, understood: Understood) -> dict[str, tuple[str, ...]]:
    """The values, in order, of the splits that have an order of their own."""
    ordered = {str(split): dimension.values for split, dimension in understood.splits if dimension.ordered}
    passed = () if all(ordered.values()) else stages(connection)
    return {name: values or passed for name, values in ordered.items()}


def _records(
    connection: duckdb.DuckDBPyConnection,
    understood: UnderstoodRecords,
    versions: Callable[[str], int | None],
    started: float,
) -> Answer:
    query = compile_records(understood, DUCKDB)
    rows, total = _rows(connection, query)
    columns = tuple(
        Column(dimension.name, dimension.display_name, dimension.type, format=dimension.format)
        for dimension in understood.columns
    )
    rows = [{name: _typed(value) for name, value in row.items()} for row in rows]
    tables = {name: versions(name) for name in _tables(understood.view, query.sql)}
    return Answer(
        understood, columns, rows, total, {}, query.sql, query.bindings, tables, time.perf_counter() - started
    )


@dataclass(frozen=True)
class Behind:
    """The rows that a figure of an answer counts or sums.

    Attributes:
        metric: The metric, or the part of one.
        columns: What is shown of the rows.
        rows: All of them, or the first.
        value: The figure, computed from all of these rows alone.
        n: How many there are.
        sql: What DuckDB ran, with `?` for each of the bindings.
        bindings: The values.
    """

    metric: Metric
    columns: tuple[Column, ...]
    rows: list[dict[str, Any]]
    value: float | int | None
    n: int
    sql: str
    bindings: tuple[Value, ...]


def behind(
    connection: duckdb.DuckDBPyConnection,
    asked: Question,
    name: str,
    keys: Sequence[str | None] = (),
    most: int | None = None,
) -> Behind:
    """The rows behind one figure of an answer.

    Args:
        connection: As for `answer`.
        asked: The question.
        name: A metric of the question without parts, or a part of one.
        keys: What the splits are worth in the figure's row, as text and None; none for the total.
        most: So many rows at most; all of them without.

    Raises:
        ContractError: The question is not understood whole, or has no such metric or row.
    """
    facts = facts_of(connection)
    understood = understand(asked, facts)
    if name not in understood.parts:
        raise ContractError(f"{name[:60]!r} is no part of this question", f"Parts: {', '.join(understood.parts)}.")
    if len(keys) not in (0, len(understood.splits)):
        raise ContractError("a row has a value for every split", f"Give {len(understood.splits)} values, or none.")
    view = understood.parts[name].metric.view
    listed = understand_records(Records(view.entity), facts).columns
    listing, figure = compile_behind(understood, name, keys, listed, DUCKDB)
    first = replace(listing, sql=f"{listing.sql} LIMIT {most}") if most is not None else listing
    rows = [{key: _typed(value) for key, value in row.items()} for row in _fetched(connection, first)]
    columns = tuple(
        Column(dimension.name, dimension.display_name, dimension.type, format=dimension.format) for dimension in listed
    )
    (again,) = _fetched(connection, figure)
    return Behind(
        understood.parts[name].metric,
        columns,
        rows,
        plain(again["value"]),
        int(again["n"]),
        listing.sql,
        listing.bindings,
    )


def facts_of(connection: duckdb.DuckDBPyConnection) -> Facts:
    """What a question is read with."""
    first, last = days(connection)
    return Facts(first, last, partial(_known, connection), partial(_there, connection))


def _there(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether a table is there."""
    try:
        connection.execute(f"SELECT 1 FROM {name} LIMIT 0")
    except duckdb.CatalogException:
        return False
    return True


def _known(
    connection: duckdb.DuckDBPyConnection, view: MetricView, dimension: Dimension, texts: Sequence[str]
) -> tuple[str, ...]:
    """Those of the texts that are values of a dimension; without texts all of its values, of a field up to `_MOST_VALUES`.

    Raises:
        ContractError: Its expression cannot be computed.
    """
    if not texts and dimension in view.dimensions:
        with _of_declarations():
            return values_of(connection, dimension)
    parameters = {parameter.name: parameter.default or 0.0 for parameter in view.parameters}
    value = DUCKDB.say(f"CAST({expression(dimension, view, parameters)} AS STRING)")
    only = f"{value} IN ({', '.join('?' * len(texts))})" if texts else f"{value} IS NOT NULL"
    sql = f"SELECT DISTINCT {value} AS value FROM {source(view, [dimension], DUCKDB)} WHERE {only} LIMIT {_MOST_VALUES}"
    with _of_declarations():
        values = tuple(str(row[0]) for row in connection.execute(sql, list(texts)).fetchall())
    if len(values) < len(texts) and dimension in view.dimensions:  # of no row here, perhaps of one elsewhere
        return tuple(dict.fromkeys((*values, *values_of(connection, dimension))))
    return values


@contextmanager
def _of_declarations() -> Iterator[None]:
    """Tell what an engine says of a declared expression that it cannot compute.

    Raises:
        ContractError: It said something.
    """
    try:
        yield
    except (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError) as error:
        reason = str(error).split("\n")[0]
        raise ContractError(
            f"the declaration of this metric or dimension cannot be computed: {reason}",
            "Run `medallion run`, which writes tables of earlier versions anew, or correct its expression in your folder of metrics.",
        ) from error


def _fetched(connection: duckdb.DuckDBPyConnection, query: Query) -> list[dict[str, Any]]:
    with _of_declarations():
        rows = connection.execute(query.sql, list(query.bindings)).fetchall()
    return [dict(zip(query.columns, row, strict=True)) for row in rows]


def _rows(connection: duckdb.DuckDBPyConnection, query: Query) -> tuple[list[dict[str, Any]], int]:
    rows = _fetched(connection, query)
    total = int(rows[0]["total"]) if rows else 0
    return [{name: value for name, value in row.items() if name != "total"} for row in rows], total


def _with_changes(understood: Understood, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with figures as JSON has them, and the changes since the period before."""
    values = {str(split): _typed(row[str(split)]) for split, _ in understood.splits if str(split) in row}
    for metric in understood.metrics:
        name = "value" if len(understood.metrics) == 1 else metric.name
        if isinstance(row[name], str | date):
            raise ContractError(
                f"{metric.name} is {row[name]!s:.40} and not a number",
                "Correct its expression in your folder of metrics.",
            )
        values[name] = plain(row[name])
        if understood.before:
            then = values[f"{name}_before"] = plain(row[f"{name}_before"])
            both = values[name] is not None and then is not None
            values[f"{name}_change"] = plain(Decimal(str(values[name])) - Decimal(str(then))) if both else None
            values[f"{name}_change_share"] = plain((values[name] - then) / abs(then)) if both and then else None
        count = "n" if len(understood.metrics) == 1 else f"{name}_n"
        values[count] = plain(row[count])
    return values


def written_rows(answer: Answer, currency: str) -> list[dict[str, Any]]:
    """The rows of an answer with figures as text for readers; `currency` is that of the lakehouse."""
    forms = {column.name: column.format for column in answer.columns if column.format}
    return [
        {name: formed(forms[name], value, currency) if name in forms and (value is not None or not answer.is_list) else value
         for name, value in row.items()}
        for row in answer.rows
    ]  # fmt: skip


def _columns(understood: Understood) -> tuple[Column, ...]:
    columns = []
    for split, dimension in understood.splits:
        kind = "text" if split.grain not in (None, "day", "week") else dimension.type
        label = dimension.display_name + (f" ({split.grain.replace('_', ' ')})" if split.grain else "")
        columns.append(Column(str(split), label, kind, role="split"))
    for metric in understood.metrics:
        columns += _of_metric(metric, alone=len(understood.metrics) == 1, compared=understood.before is not None)
    return tuple(columns)


def _of_metric(metric: Metric, *, alone: bool, compared: bool) -> Iterable[Column]:
    name, measure = "value" if alone else metric.name, metric.measure
    kind, unit, label = measure.format.type, measure.unit, measure.display_name
    form = measure.format
    yield Column(name, label, kind, unit, "value", metric.name, form)
    if compared:
        share = Format(type="percentage", decimal_places=DecimalPlaces(places=1))
        yield Column(f"{name}_before", f"{label} before", kind, unit, "before", metric.name, form)
        yield Column(f"{name}_change", "Change", kind, unit, "change", metric.name, form)
        yield Column(f"{name}_change_share", "Change in %", "percentage", "", "change", metric.name, share)
    yield Column("n" if alone else f"{name}_n", "Rows behind it", "number", "", "n", metric.name)


def _tables(view: MetricView, sql: str) -> list[str]:
    return [*view.tables, *(join.source for join in view.joins if f"{join.source} AS {join.name} " in sql)]


def _ends(span: Any) -> dict[str, Any]:
    return {"from": _json(span.first), "to": _json(span.last), "written": span.text}


def _typed(value: Any) -> Any:
    """A value of a split or field: numbers as JSON has them, times as days."""
    if isinstance(value, datetime):
        return value.date()
    return plain(value) if isinstance(value, Decimal | float) else value


def _json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    return value.isoformat() if isinstance(value, date) else value
