"""What a metric is worth: asked with dimensions, filters and parameters, answered by DuckDB, with its query.

Names come from people, addresses and agents, so they are looked up and never put into SQL; values are bound.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache, partial
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from medallion.errors import ContractError
from medallion.metrics.conditions import Condition, tests
from medallion.metrics.declared import Dimension, Metric
from medallion.metrics.filters import Filter, Known, condition, of_filters, understood, within
from medallion.metrics.loading import metrics
from medallion.metrics.possible import about, may_hold
from medallion.metrics.relations import Relation, columns_of
from medallion.metrics.writing import plain

#: The figures that a run ends with, in the order in which they are told.
INSIGHTS = (
    "total_deal_value", "average_deal_value", "revenue", "open_pipeline", "weighted_pipeline",
    "total_customers", "total_interactions", "average_lead_score", "hot_lead_share",
    "conversion_rate", "win_rate", "top_customer_revenue",
)  # fmt: skip
#: Dimensions that tell the value of another.
TELLS = {"stage": "status"}


@dataclass(frozen=True)
class Answer:
    """A metric's values with where they come from.

    Attributes:
        metric: The metric.
        by: Dimensions that it is split by.
        rows: One per combination, in their order: the dimensions, `value` and `n`, the rows behind it. One row
            without dimensions. A value is None where there is nothing to compute it from.
        sql: The query that DuckDB ran, with `?` for each of `bindings`.
        bindings: The values of the filters, in order.
        filters: The filters.
        parameters: What the expression's parameters were.
    """

    metric: Metric
    by: tuple[str, ...]
    rows: list[dict[str, Any]]
    sql: str
    bindings: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    parameters: Mapping[str, float] = field(default_factory=dict)

    @property
    def value(self) -> float | int | None:
        """The total; that of the first row when split."""
        return self.rows[0]["value"] if self.rows else None


def named(name: str) -> Metric:
    """The metric of that name.

    Raises:
        ContractError: There is none; the message names the nearest.
    """
    known = metrics()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        raise ContractError(
            f"there is no metric {name!r}",
            f"Nearest: {', '.join(near)}." if near else "`medallion metrics list` has them all.",
        )
    return known[name]


def ask(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    by: str | Sequence[str] | None = None,
    where: Iterable[Filter] = (),
    parameters: Mapping[str, float] | None = None,
    largest: int | None = None,
    over: Relation | None = None,
    smallest: int | None = None,
    *,
    valued: bool = False,
) -> Answer:
    """Answer a question about a metric, once its filters are understood.

    Args:
        connection: From `medallion.lakehouse.query.connect`, with the layers gold and silver.
        name: The metric.
        by: Dimensions to split by.
        where: Filters, all of which must hold.
        parameters: Values of its parameters, where they are not the defaults.
        largest: Only that many rows, the largest values first, ties in the order of the dimensions, unknown ones last.
        smallest: Only that many rows, the smallest values first, likewise.
        over: What to read in place of the view's source, with the same values; it must cover the metric.
        valued: Whether rows without a value are left out of the largest or smallest.

    Raises:
        ContractError: There is no such metric, dimension, operator, value or parameter; or a stock is asked for by time.
    """
    metric, split = named(name), tuple(dict.fromkeys([by] if isinstance(by, str) else by or ()))
    given = tuple(where)
    first, last = days(connection) if any(_is_time(metric, filter_) for filter_ in given) else (None, None)
    filters = understand(metric, split, given, partial(values_of, connection), last, first)
    not_by_proxy(connection, metric, of_filters(filters))
    return computed(connection, metric, split, filters, parameters, largest, over, smallest, valued=valued)


def computed(
    connection: duckdb.DuckDBPyConnection,
    metric: Metric,
    split: tuple[str, ...] = (),
    filters: tuple[Filter, ...] = (),
    parameters: Mapping[str, float] | None = None,
    largest: int | None = None,
    over: Relation | None = None,
    smallest: int | None = None,
    *,
    valued: bool = False,
) -> Answer:
    """Compute a metric under filters that are understood already; `ask` without its checks of values and time."""
    conditions, bindings = _conditions(metric, filters)
    sql = _largest(
        metric.spark_sql(by=split, where=conditions, parameters=parameters), split, largest, smallest, valued=valued
    )
    ran = sql
    if over is not None:
        values = {"value": over.expression(metric.expression(parameters or {})), "n": over.expression("COUNT(1)")}
        ran = _largest(
            metric.spark_sql(over.sql, split, conditions, values=values), split, largest, smallest, valued=valued
        )
    result = connection.execute(ran, bindings)
    columns = [column[0] for column in result.description or ()]
    rows = [dict(zip(columns, row, strict=True)) for row in result.fetchall()]
    rows = [{**row, "value": plain(row["value"])} for row in rows]
    return Answer(metric, split, rows, sql, bindings, filters, metric.settled(parameters or {}))


def groups(connection: duckdb.DuckDBPyConnection, answer: Answer, *, unknown: bool = False) -> int:
    """How many rows an answer would have without its limit; those alone that have no value where they are asked for."""
    sql = query_of(answer.metric, answer.by, answer.filters)
    only = " WHERE value IS NULL" if unknown else ""
    row = connection.execute(f"SELECT COUNT(*) FROM ({sql}){only}", list(answer.bindings)).fetchone()
    return int(row[0]) if row else 0


def query_of(metric: Metric, by: tuple[str, ...] = (), where: Iterable[Filter] = ()) -> str:
    """The query that `ask` runs, with `?` for the values of the filters."""
    return _for_duckdb(metric.spark_sql(by=by, where=_conditions(metric, where)[0]))


def _largest(spark_sql: str, split: tuple[str, ...], largest: int | None, smallest: int | None, *, valued: bool) -> str:
    sql, most = _for_duckdb(spark_sql), smallest if largest is None else largest
    if not split or most is None:
        return sql
    order = ", ".join(str(place) for place in range(1, len(split) + 1))
    way = "ASC" if largest is None else "DESC"
    only = " WHERE NOT value IS NULL" if valued else ""
    return f"SELECT * FROM ({sql}){only} ORDER BY value {way} NULLS LAST, {order} LIMIT {int(most)}"


def together(
    connection: duckdb.DuckDBPyConnection,
    names: Sequence[str],
    where: Iterable[Filter] = (),
    over: Relation | None = None,
) -> list[Answer]:
    """Totals of metrics of one view under the same filters, as `computed` gives them, in one pass over its rows.

    Raises:
        ContractError: As `ask`; or the metrics are not of one view.
    """
    chosen = [named(name) for name in names]
    if len({metric.view.source for metric in chosen}) != 1:
        raise ContractError(f"{', '.join(names)}: are not metrics of one view", "Ask for them one by one.")
    filters = tuple(where)
    conditions, bindings = _conditions(chosen[0], filters)
    expressions = [*(metric.expression({}) for metric in chosen), "COUNT(1)"]
    values = {
        f"v{place}": over.expression(expression) if over else expression for place, expression in enumerate(expressions)
    }
    joined = chosen[0].spark_sql(over.sql if over else None, where=conditions, values=values)
    *totals, count = connection.execute(_for_duckdb(joined), bindings).fetchall()[0]
    return [
        Answer(
            metric, (), [{"value": plain(value), "n": count}], _for_duckdb(metric.spark_sql(where=conditions)),
            bindings, filters, metric.settled({}),
        )
        for metric, value in zip(chosen, totals, strict=True)
    ]  # fmt: skip


@lru_cache(maxsize=4096)
def _for_duckdb(spark_sql: str) -> str:
    """The same query for DuckDB. Values are bound, so the same question comes in the same words."""
    return sqlglot.transpile(spark_sql, read="spark", write="duckdb")[0]


def _conditions(metric: Metric, filters: Iterable[Filter]) -> tuple[list[str], tuple[str, ...]]:
    conditions = [condition(filter_, metric.dimension(filter_.dimension)) for filter_ in filters]
    return [text for text, _ in conditions], tuple(value for _, values in conditions for value in values)


def understand(
    metric: Metric,
    by: Iterable[str],
    where: Iterable[Filter],
    known: Known,
    last: date | None = None,
    first: date | None = None,
) -> tuple[Filter, ...]:
    """The filters of a question as the metric understands them.

    Args:
        metric: What is asked for.
        by: Dimensions that it is split by.
        where: Filters as they were written.
        known: Reads the values that a dimension has in the data.
        last: The last day of the data, where it is known.
        first: The first day of the data, where it is known.

    Raises:
        ContractError: A dimension, operator or value is not there or cannot be read; a stock is asked for by time; the
            metric tells the values apart itself; or the time is after the data, or before it.
    """
    filters, label = tuple(where), metric.measure.display_name
    if metric.measure.needs_period:
        remedy = f"`medallion metrics value {metric.name} --period 'this quarter'` answers it."
        raise ContractError(f"{label} means nothing without a period", remedy)
    for name in (*by, *(filter_.dimension for filter_ in filters)):
        dimension = metric.view.dimension(name)
        if dimension and dimension not in metric.dimensions and metric.measure.parts:
            raise ContractError(
                f"{label} counts its parts by times of their own, not by {name}",
                f"`medallion metrics value {metric.name} --period ...` answers it.",
            )
        if dimension and dimension not in metric.dimensions:
            raise ContractError(
                f"{label} is a stock: it is known as of the last day of the data, not by {name}",
                f"Ask for {metric.name} without {name}; `medallion replay DAY` gives the state of a past day.",
            )
    resolved = understood(filters, metric.view.dimensions, known, of=metric.name)
    within(resolved, metric.view.dimensions, last, first)
    if wrong := contradicted(metric, resolved):
        refuse(metric, metric.dimension(wrong.dimension), wrong)
    return resolved


def contradicted(metric: Metric, where: Iterable[Filter]) -> Filter | None:
    """The filter that undoes the metric: it leaves none of the values that the metric itself selects (revenue of open
    deals), or not all of those that it compares with each other (the win rate of won deals).
    """
    for filter_ in where:
        dimension = metric.view.dimension(filter_.dimension)
        if dimension and not _leaves(metric, dimension, filter_.values, besides=filter_.operator != "="):
            return filter_
    return None


def _leaves(metric: Metric, dimension: Dimension, values: Iterable[str], *, besides: bool) -> bool:
    """Whether a metric still means the same among rows of these values of a dimension, or of all values besides."""
    own, given = _selected(metric.measure.expr).get(dimension.expr), frozenset(values)
    if own is None:
        return True
    every = _together(own)
    if len(own) == 1:
        return bool(every - given if besides else every & given)
    if None in own:  # rows of every value are compared with some
        every |= frozenset(dimension.values)
        return bool(dimension.values) and not besides and every <= given
    return not every & given if besides else every <= given


def _together(own: Iterable[frozenset[str] | None]) -> frozenset[str]:
    return frozenset[str]().union(*(part for part in own if part is not None))


def refuse(metric: Metric, dimension: Dimension, wrong: Filter, as_written: str | None = None) -> None:
    """Refuse a filter that undoes a metric, with the metrics that it leaves alone.

    Raises:
        ContractError: Always.
    """
    label, own = metric.measure.display_name, _selected(metric.measure.expr)[dimension.expr]
    every = ",".join(sorted(_together(own)))
    if len(own) == 1:
        problem = f"{label} looks at {dimension.name}={every} itself, so {as_written or wrong} leaves nothing"
    else:
        against = "the other rows" if None in own else "each other"
        problem = (
            f"{label} compares {dimension.name}={every} with {against}, so {as_written or wrong} changes what it means"
        )
    near = [
        other.name
        for other in metrics().values()
        if other.view is metric.view
        and other.measure.additivity == "flow"
        and dimension.expr not in columns_of(other.measure.expr)
    ]
    raise ContractError(
        problem,
        f"Ask for {metric.name} without {as_written or wrong.dimension}, or for {' or '.join(near) or 'another metric'}.",
    )


def not_by_proxy(connection: duckdb.DuckDBPyConnection, metric: Metric, where: Condition | None) -> None:
    """Refuse a condition on what tells a column that the metric looks at, such as the stage, which tells the status.

    Raises:
        ContractError: It leaves none of what the metric looks at, or not all of what it compares.
    """
    view = metric.view
    fields = {dimension.name: dimension for dimension in (*view.dimensions, *view.fields)}
    for name in dict.fromkeys(test.name for test in tests(where) if test.name in TELLS):
        target = view.dimension(TELLS[name])
        if target is None or where is None or target.expr not in _selected(metric.measure.expr):
            continue
        sql = metric.spark_sql(by=(name, target.name), values={"n": "COUNT(1)"})
        pairs = [row[:2] for row in connection.execute(_for_duckdb(sql)).fetchall()]
        left = {value for proxy, value in pairs if may_hold(where, {name: proxy, target.name: value}, fields)}
        gone = {value for _, value in pairs} - left
        wrong = Filter(target.name, tuple(value for value in target.values if value not in gone))
        if gone and contradicted(metric, [wrong]):
            refuse(metric, target, wrong, about(where, name, fields))


@lru_cache(maxsize=1024)
def _selected(text: str) -> dict[str, frozenset[frozenset[str] | None]]:
    """Columns that an expression compares with texts and uses for nothing else, each with the sets of texts that its
    aggregates look at; None stands for an aggregate that looks at every row.

    >>> _selected("COUNT(CASE WHEN s = 'a' THEN 1 END) / COUNT(1)") == {"s": {frozenset({"a"}), None}}
    True
    """
    tree = sqlglot.parse_one(text, read="spark")
    sets: list[dict[str, set[str]]] = []
    other = set()
    for aggregate in tree.find_all(exp.AggFunc):
        texts: dict[str, set[str]] = {}
        for column in aggregate.find_all(exp.Column):
            above = column.parent
            values = above.expressions if isinstance(above, exp.In) else [getattr(above, "expression", None)]
            literals = [value.this for value in values if isinstance(value, exp.Literal) and value.is_string]
            if isinstance(above, exp.EQ | exp.In) and above.this is column and len(literals) == len(values) > 0:
                texts.setdefault(column.name, set()).update(literals)
            else:
                other.add(column.name)
        sets.append(texts)
    names = {name for texts in sets for name in texts} - other
    return {name: frozenset(frozenset(texts[name]) if name in texts else None for texts in sets) for name in names}


def _is_time(metric: Metric, filter_: Filter) -> bool:
    dimension = metric.view.dimension(filter_.dimension)
    return dimension is not None and dimension.is_time


def days(connection: duckdb.DuckDBPyConnection) -> tuple[date | None, date | None]:
    """The first and the last day that gold describes; None where it is empty or not there."""
    try:
        row = connection.execute("SELECT MIN(day), MAX(day) FROM gold.sales_summary").fetchone()
    except duckdb.CatalogException:
        return None, None
    return row or (None, None)


def values_of(
    connection: duckdb.DuckDBPyConnection, dimension: Dimension, at_hand: Callable[[str], str] = str
) -> tuple[str, ...]:
    """The values of a dimension in the data, as text: those of every view that has it, so that none is refused only
    because no deal has it.

    Args:
        connection: From `medallion.lakehouse.query.connect`.
        dimension: The dimension.
        at_hand: What to read in place of a view's source.
    """
    values: dict[str, None] = {}
    views = {id(metric.view): metric for metric in metrics().values() if dimension in metric.view.dimensions}
    simple = [metric for metric in views.values() if not metric.view.is_query]  # the others are made from these tables
    for metric in simple or views.values():
        sql = metric.spark_sql(None, dimension.name, values={"n": "COUNT(1)"})
        try:
            rows = connection.execute(at_hand(_for_duckdb(sql))).fetchall()
        except duckdb.CatalogException:  # a table that is not there yet
            continue
        values.update((str(row[0]), None) for row in rows if row[0] is not None)
    return tuple(values)


def value(connection: duckdb.DuckDBPyConnection, name: str) -> float | int | None:
    """The total of a metric; None where there is nothing to compute it from."""
    return ask(connection, name).value


def insights(connection: duckdb.DuckDBPyConnection) -> dict[str, float | int | None]:
    """The figures that a run ends with, by metric name: one query per view, as each takes longer to write than to answer."""
    of_view: dict[str, list[Metric]] = {}
    for metric in map(named, INSIGHTS):
        of_view.setdefault(metric.view.source, []).append(metric)
    figures: dict[str, float | int | None] = {}
    for group in of_view.values():
        sql = group[0].spark_sql(values={metric.name: metric.expression({}) for metric in group})
        (row,) = connection.execute(_for_duckdb(sql)).fetchall()
        figures |= {metric.name: plain(value) for metric, value in zip(group, row, strict=True)}
    return {name: figures[name] for name in INSIGHTS}
