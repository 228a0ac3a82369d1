"""SQL of an understood question, for Spark and for DuckDB.

Expressions are declared in Spark SQL; each is translated by itself, once, and the query is put together around them.

One common table expression per source and time column; figures of several are put side by side by their splits. Each
condition is true or false, never unknown: a row whose value is not known fulfills no condition, and so its negation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp

from medallion.metrics.conditions import And, Beside, Condition, Not, Or, Test, Value
from medallion.metrics.declared import Dimension, Metric, MetricView, with_parameters
from medallion.metrics.filters import subject
from medallion.metrics.meaning import joins_of
from medallion.metrics.parts import Part
from medallion.metrics.periods import Shift, Span
from medallion.metrics.understanding import Understood, UnderstoodRecords

#: Records of a list that shows the first of each value of a column.
MOST_OF_EACH = 1_000


@dataclass(frozen=True)
class Dialect:
    """What an engine reads.

    Attributes:
        name: As sqlglot calls it.
        same: The comparison that takes two unknown values for the same.
    """

    name: str
    same: str

    def say(self, expression: str) -> str:
        """An expression, condition or query in Spark SQL as the engine reads it."""
        return expression if self.name == "spark" else _translated(expression, self.name)


SPARK, DUCKDB = Dialect("spark", "<=>"), Dialect("duckdb", "IS NOT DISTINCT FROM")


@lru_cache(maxsize=8192)
def _translated(expression: str, name: str) -> str:
    return sqlglot.transpile(expression, read="spark", write=name)[0]


@dataclass(frozen=True)
class Query:
    """A query, with `?` for each of the bindings.

    Attributes:
        sql: SQL of the dialect.
        bindings: The values, in order.
        columns: What each column is called in the answer.
    """

    sql: str
    bindings: tuple[Value, ...]
    columns: tuple[str, ...]

    def __str__(self) -> str:
        """The query with the values in it, to run by hand."""
        parts = self.sql.split("?")
        return "".join(
            part + (literal(self.bindings[n]) if n < len(self.bindings) else "") for n, part in enumerate(parts)
        )


@dataclass
class _Table:
    """One common table expression: figures of one source under one time column and period."""

    name: str
    sql: str
    bindings: list[Value]


def compile_question(
    asked: Understood, dialect: Dialect, *, whole: bool = False, places: Mapping[str, Sequence[str]] | None = None
) -> Query:
    """The query of a question: columns of the splits, per metric its figures, and `total`, the number of all rows.

    Args:
        asked: The question.
        dialect: What it is written in.
        whole: Without its splits, order, limit and `having`: the totals.
        places: Values of splits in the order that rows have where the question asks for none.
    """
    keys = [] if whole else [f"k{place}" for place in range(len(asked.splits))]
    tables: list[_Table] = []
    place: dict[str, tuple[str, str]] = {}
    earlier: dict[str, tuple[str, str]] = {}
    for into, span, shift in ((place, asked.span, None), (earlier, *(asked.before or (None, None)))):
        if into is earlier and asked.before is None:
            continue
        for group in _groups(asked):
            table = _table(f"t{len(tables)}", group, asked, span, shift, keys, dialect)
            tables.append(table)
            into.update({part.metric.name: (table.name, f"v{n}") for n, part in enumerate(group)})
    figures, columns = _figures(asked, place, earlier, dialect)
    text = _side_by_side(tables, keys, figures, dialect)
    bindings = [value for table in tables for value in table.bindings]
    columns = [*(str(split) for split, _ in ([] if whole else asked.splits)), *columns]
    if whole:
        return Query(text, tuple(bindings), tuple(columns))
    outer, more = _shown(text, asked, keys, columns, places or {}, dialect)
    return Query(outer, (*bindings, *more), (*columns, "total"))


def compile_records(asked: UnderstoodRecords, dialect: Dialect) -> Query:
    """The query of a list: its columns, and `total`, the number of all its records."""
    view, fields = asked.view, {dimension.name: dimension for dimension in (*asked.view.dimensions, *asked.view.fields)}

    def of(dimension: Dimension) -> str:
        return dialect.say(expression(dimension, view, asked.parameters))

    used = [*asked.columns, *(dimension for dimension, _ in asked.order), *_named(asked.where, view)]
    used += [asked.each] if asked.each else []
    where, bindings = _condition(asked.where, view, asked.parameters, dialect)
    shown = ", ".join(f"{of(dimension)} AS c{n}" for n, dimension in enumerate(asked.columns))
    ties = (*(fields[name] for name in view.key if name in fields), *asked.columns)
    ways: dict[str, str] = {}
    for dimension, down in (*asked.order, *((dimension, False) for dimension in ties)):
        ways.setdefault(of(dimension), "DESC" if down else "ASC")
    conditions = [f"({condition})" for condition in (view.filter and dialect.say(view.filter), where) if condition]
    read = f"FROM {source(view, used, dialect)}" + (" WHERE " + " AND ".join(conditions) if conditions else "")
    order = "ORDER BY " + ", ".join(f"{text} {way} NULLS LAST" for text, way in ways.items())
    if asked.each is None:
        parts = [f"SELECT {shown}, COUNT(1) OVER () AS total {read} {order}"]
        parts += [f"LIMIT {asked.asked.limit}"] if asked.asked.limit else []
    else:
        group = of(asked.each)
        place = f"ROW_NUMBER() OVER (PARTITION BY {group} {order}) AS place"
        columns = ", ".join(f"c{n}" for n in range(len(asked.columns)))
        parts = [
            f"SELECT {columns}, COUNT(1) OVER () AS total FROM (SELECT {shown}, {group} AS of_each, {place} {read}) AS t"
        ]
        parts += [f"WHERE place <= {asked.asked.limit} ORDER BY of_each ASC NULLS LAST, place LIMIT {MOST_OF_EACH}"]
    return Query(" ".join(parts), tuple(bindings), (*(dimension.name for dimension in asked.columns), "total"))


def compile_behind(
    asked: Understood, name: str, keys: Sequence[str | None], columns: Sequence[Dimension], dialect: Dialect
) -> tuple[Query, Query]:
    """The rows that one figure of an answer counts or sums, and the figure computed from these rows.

    Args:
        asked: The question.
        name: A metric without parts, or a part of one.
        keys: What the splits are worth in the row of the figure, as text; none for the total.
        columns: What is shown of the rows.
        dialect: What it is written in.
    """
    part = asked.parts[name]
    view, time, parameters = part.metric.view, part.time, asked.parameters
    where, bindings = _condition(part.where, view, parameters, dialect)
    conditions = [f"({condition})" for condition in (view.filter and dialect.say(view.filter), where) if condition]
    if asked.span is not None and time is not None:
        day = expression(time, view, parameters)
        for sign, edge in ((">=", asked.span.first), ("<=", asked.span.last)):
            if edge is not None:
                conditions.append(dialect.say(f"{day} {sign} CAST(? AS DATE)"))
                bindings.append(edge)
    for key, (dimension, grain) in zip(keys, part.splits, strict=False):
        text = _grain(expression(dimension, view, parameters), grain, asked.today.fiscal)
        conditions.append(
            dialect.say(f"CAST({text} AS STRING) IS NULL" if key is None else f"CAST({text} AS STRING) = ?")
        )
        bindings += [] if key is None else [key]
    if condition := counted(part.metric):
        conditions.append(f"({dialect.say(with_parameters(condition, parameters))})")
    fields = {dimension.name: dimension for dimension in (*view.dimensions, *view.fields)}
    used = [*(dimension for dimension, _ in part.splits), *_named(part.where, view), *columns]
    days = part.days if keys else part.days[-1:]  # a stock does not add up over time
    rest = f"FROM {source(view, used, dialect, days)}{' WHERE ' + ' AND '.join(conditions) if conditions else ''}"
    shown = ", ".join(
        f"{dialect.say(expression(dimension, view, parameters))} AS c{n}" for n, dimension in enumerate(columns)
    )
    order = ", ".join(dialect.say(expression(fields[key], view, parameters)) for key in view.key if key in fields)
    of_metric = {p.name: parameters[p.name] for p in part.metric.parameters}
    figure = f"SELECT {dialect.say(part.metric.expression(of_metric))} AS value, COUNT(1) AS n {rest}"
    listed = f"SELECT {shown} {rest}{f' ORDER BY {order}' if order else ''}"
    return Query(listed, tuple(bindings), tuple(dimension.name for dimension in columns)), Query(
        figure, tuple(bindings), ("value", "n")
    )


def counted(metric: Metric) -> str:
    """Which rows a metric counts, as a condition of Spark SQL; empty for all of its view.

    What it counts itself says so, or else what its `n` counts.
    """
    conditions = (_counted(_parsed(text)) for text in (metric.measure.expr, metric.measure.n))
    return next((condition for condition in conditions if condition is not None), "")


def counted_above(metric: Metric) -> str | None:
    """Which rows the numerator of a ratio counts, as a condition of Spark SQL; None where it is no count."""
    tree = _parsed(metric.measure.expr)
    return _counted(tree.this.unnest()) if isinstance(tree, exp.Div) else None


def _parsed(text: str) -> exp.Expr:
    return sqlglot.parse_one(re.sub(r":(\w+)", r"__given__\1", text), read="spark")


def _counted(tree: exp.Expr) -> str | None:
    """Which rows an expression counts; None where it is no count of rows."""
    if not isinstance(tree, exp.Count) or isinstance(tree.this, exp.Distinct):
        return None
    counts, conditions = tree.this, []
    if (
        isinstance(counts, exp.Case)
        and counts.this is None
        and len(counts.args["ifs"]) == 1
        and not counts.args.get("default")
    ):
        (branch,) = counts.args["ifs"]
        conditions.append(branch.this)
        counts = branch.args["true"]
    if not isinstance(counts, exp.Literal):
        conditions.append(exp.Not(this=exp.Is(this=counts, expression=exp.Null())))
    text = " AND ".join(f"({condition.sql(dialect='spark')})" for condition in conditions)
    return re.sub(r"__given__(\w+)", r":\1", text)


def _groups(asked: Understood) -> list[list[Part]]:
    """The parts of the metrics that one pass over a source gives."""
    groups: dict[tuple[Any, ...], list[Part]] = {}
    for part in asked.parts.values():
        time = part.time.expr if part.time and asked.span is not None else None
        keys = tuple(f"{dimension.expr}:{grain}" for dimension, grain in part.splits)
        groups.setdefault((part.metric.view.entity, time, keys, part.days), []).append(part)
    return list(groups.values())


def _table(
    name: str,
    group: Sequence[Part],
    asked: Understood,
    span: Span | None,
    shift: Shift | None,
    keys: Sequence[str],
    dialect: Dialect,
) -> _Table:
    view, time = group[0].metric.view, group[0].time
    used = [*(dimension for dimension, _ in group[0].splits), *_named(group[0].where, view)]
    columns = []
    for key, (dimension, grain) in zip(keys, group[0].splits, strict=False):
        day = expression(dimension, view, asked.parameters)
        if time is not None and shift is not None and _tells(dimension, time):
            day, grain = expression(time, view, asked.parameters), "month" if dimension.type == "month" else grain
            day = _moved(day, shift)
        text = _grain(day, grain, asked.today.fiscal)
        columns.append(f"{dialect.say(text)} AS {key}")
    for number, part in enumerate(group):
        of_metric = {p.name: asked.parameters[p.name] for p in part.metric.parameters}
        columns.append(f"{dialect.say(part.metric.expression(of_metric))} AS v{number}")
        columns.append(f"{dialect.say(with_parameters(part.metric.measure.n, asked.parameters))} AS n{number}")
    where, bindings = _condition(group[0].where, view, asked.parameters, dialect)
    conditions = [f"({condition})" for condition in (view.filter and dialect.say(view.filter), where) if condition]
    if span is not None and time is not None:
        day = expression(time, view, asked.parameters)
        for sign, edge in ((">=", span.first), ("<=", span.last)):
            if edge is not None:
                conditions.append(dialect.say(f"{day} {sign} CAST(? AS DATE)"))
                bindings.append(edge)
    days = group[0].days if shift is None else group[0].days_before
    days = days if keys else days[-1:]  # a stock does not add up over time
    sql = f"SELECT {', '.join(columns)} FROM {source(view, used, dialect, days)}"
    if conditions:
        sql += " WHERE " + " AND ".join(conditions)
    if keys:
        sql += " GROUP BY " + ", ".join(str(place + 1) for place in range(len(keys)))
    return _Table(name, sql, bindings)


def _tells(dimension: Dimension, time: Dimension) -> bool:
    """Whether a dimension is the time column, or its month."""
    return dimension.expr == time.expr or (dimension.type == "month" and subject(dimension) == subject(time))


def _figures(
    asked: Understood,
    place: Mapping[str, tuple[str, str]],
    earlier: Mapping[str, tuple[str, str]],
    dialect: Dialect,
) -> tuple[list[str], list[str]]:
    """The figures of each metric as expressions over the tables, and what they are called."""
    figures, columns = [], []
    alone = len(asked.metrics) == 1
    for number, metric in enumerate(asked.metrics):
        name = "value" if alone else metric.name
        figures.append(f"{dialect.say(_value(metric, asked, place))} AS m{number}")
        columns.append(name)
        if earlier:
            figures.append(f"{dialect.say(_value(metric, asked, earlier))} AS b{number}")
            columns.append(f"{name}_before")
        table, column = place[_counting(metric)]
        figures.append(f"COALESCE({table}.n{column[1:]}, 0) AS n{number}")
        columns.append("n" if alone else f"{name}_n")
    return figures, columns


def _counting(metric: Metric) -> str:
    """The part whose rows count as those behind a metric."""
    match = re.search(r"MEASURE\(\s*(\w+)\s*\)", metric.measure.n, re.IGNORECASE)
    return match[1] if match else (metric.measure.parts or (metric.name,))[0]


def _value(metric: Metric, asked: Understood, place: Mapping[str, tuple[str, str]]) -> str:
    """A metric over the tables of its parts; of no rows, what the metric is worth over none."""
    if not metric.measure.parts:
        return _or_nothing(metric, place[metric.name])
    text = with_parameters(metric.measure.expr, asked.parameters)
    for name in metric.measure.parts:
        value = _or_nothing(asked.parts[name].metric, place[name])
        text = re.sub(rf"\bMEASURE\(\s*{name}\s*\)", value, text, flags=re.IGNORECASE)
    return text


def _or_nothing(metric: Metric, where: tuple[str, str]) -> str:
    column = ".".join(where)
    return f"COALESCE({column}, 0)" if counts_from_zero(metric.measure.expr) else column


@lru_cache(maxsize=1024)
def counts_from_zero(text: str) -> bool:
    """Whether an expression is worth 0 over no rows, and not unknown.

    >>> counts_from_zero("COALESCE(SUM(x), 0)"), counts_from_zero("COUNT(1)"), counts_from_zero("SUM(x) / COUNT(1)")
    (True, True, False)
    """
    tree = sqlglot.parse_one(text, read="spark")
    return isinstance(tree, exp.Count) or (
        isinstance(tree, exp.Coalesce) and tree.expressions[-1].sql() == "0" and isinstance(tree.this, exp.AggFunc)
    )


def _side_by_side(tables: Sequence[_Table], keys: Sequence[str], figures: Sequence[str], dialect: Dialect) -> str:
    head = "WITH " + ", ".join(f"{table.name} AS ({table.sql})" for table in tables)
    if not keys:
        others = "".join(f" CROSS JOIN {table.name}" for table in tables[1:])
        return f"{head} SELECT {', '.join(figures)} FROM {tables[0].name}{others}"
    listed = ", ".join(keys)
    if len(tables) == 1:
        return f"{head} SELECT {listed}, {', '.join(figures)} FROM t0"
    every = " UNION ".join(f"SELECT {listed} FROM {table.name}" for table in tables)
    joined = "".join(
        f" LEFT JOIN {table.name} ON " + " AND ".join(f"every.{key} {dialect.same} {table.name}.{key}" for key in keys)
        for table in tables
    )
    shown = ", ".join(f"every.{key}" for key in keys)
    return f"{head}, every AS ({every}) SELECT {shown}, {', '.join(figures)} FROM every{joined}"


def _shown(
    text: str,
    asked: Understood,
    keys: Sequence[str],
    columns: Sequence[str],
    places: Mapping[str, Sequence[str]],
    dialect: Dialect,
) -> tuple[str, list[Value]]:
    """The rows that are shown, in their order."""
    names = {metric.name: f"m{n}" for n, metric in enumerate(asked.metrics)}
    share = dialect.say("(m0 - b0) / NULLIF(ABS(b0), 0)")
    names |= {"n": "n0", "change": "m0 - b0", "change_share": share}
    of_order = names | {str(split): key for (split, _), key in zip(asked.splits, keys, strict=False)}
    bindings: list[Value] = []
    having = ""
    if asked.having is not None:
        condition, bindings = _having(asked.having, names, dialect)
        having = f" WHERE {condition}"
    order = [
        f"{of_order[ordering.name]} {'DESC' if ordering.descending else 'ASC'} NULLS LAST" for ordering in asked.order
    ]
    for (split, _), key in zip(asked.splits, keys, strict=False):
        if known := () if asked.order else places.get(str(split), ()):
            cases = " ".join(f"WHEN ? THEN {place}" for place in range(len(known)))
            order.append(f"CASE {key} {cases} ELSE {len(known)} END")
            bindings = [*bindings, *known]
        order.append(f"{key} ASC NULLS LAST")
    listed = ", ".join([*keys, *(_alias(n, asked) for n in range(len(columns) - len(keys)))])
    sql = f"SELECT {listed}, COUNT(1) OVER () AS total FROM ({text}) AS answer{having}"
    if order:
        sql += " ORDER BY " + ", ".join(order)
    if asked.question.limit:
        sql += f" LIMIT {asked.question.limit}"
    return sql, bindings


def _alias(number: int, asked: Understood) -> str:
    kinds = ("m", "b", "n") if asked.before else ("m", "n")
    return f"{kinds[number % len(kinds)]}{number // len(kinds)}"


def _having(given: Condition, names: Mapping[str, str], dialect: Dialect) -> tuple[str, list[Value]]:
    if isinstance(given, And | Or):
        parts = [_having(part, names, dialect) for part in given.parts]
        sign = " AND " if isinstance(given, And) else " OR "
        return sign.join(f"({text})" for text, _ in parts), [value for _, values in parts for value in values]
    if isinstance(given, Not):
        text, values = _having(given.part, names, dialect)
        return f"NOT ({text})", values
    return _tested(f"CAST({names[given.name]} AS DOUBLE)", given, "number", dialect)


def _condition(
    given: Condition | None, view: MetricView, parameters: Mapping[str, float], dialect: Dialect
) -> tuple[str, list[Value]]:
    """A condition in Spark SQL, and its values; empty for none."""
    if given is None:
        return "", []
    if isinstance(given, And | Or):
        parts = [_condition(part, view, parameters, dialect) for part in given.parts]
        sign = " AND " if isinstance(given, And) else " OR "
        return sign.join(f"({text})" for text, _ in parts), [value for _, values in parts for value in values]
    if isinstance(given, Not):
        text, values = _condition(given.part, view, parameters, dialect)
        return f"NOT ({text})", values
    fields = {dimension.name: dimension for dimension in (*view.dimensions, *view.fields)}
    dimension = fields[given.name]
    text = expression(dimension, view, parameters)
    if given.values and isinstance(given.values[0], Beside):
        other = expression(fields[given.values[0].name], view, parameters)
        return dialect.say(f"COALESCE({text} {given.op} {other}, FALSE)"), []
    return _tested(text, given, dimension.type, dialect)


def _tested(text: str, test: Test, kind: str, dialect: Dialect) -> tuple[str, list[Value]]:
    """A test of an expression: true or false, never unknown."""
    mark = {"number": "CAST(? AS DOUBLE)", "day": "CAST(? AS DATE)"}.get(kind, "?")
    text = f"CAST({text} AS STRING)" if kind in ("text", "month") else text
    if test.op in ("unknown", "known"):
        return dialect.say(f"{text} IS {'NOT ' if test.op == 'known' else ''}NULL"), []
    condition = {
        "is": text,
        "contains": f"CONTAINS(LOWER({text}), LOWER(?))",
        "between": f"{text} >= {mark} AND {text} <= {mark}",
    }.get(test.op, f"{text} {test.op} {mark}")
    if test.op in ("=", "!="):
        condition = f"{text} IN ({', '.join([mark] * len(test.values))})"
    condition = f"COALESCE({condition}, FALSE)"
    return dialect.say(f"NOT {condition}" if test.op == "!=" else condition), list(test.values)


def _named(given: Condition | None, view: MetricView) -> list[Dimension]:
    """The dimensions that a condition names."""
    from_text = {dimension.name: dimension for dimension in (*view.dimensions, *view.fields)}
    if given is None:
        return []
    if isinstance(given, Test):
        beside = [from_text[value.name] for value in given.values if isinstance(value, Beside)]
        return [from_text[given.name], *beside]
    parts = (given.part,) if isinstance(given, Not) else given.parts
    return [dimension for part in parts for dimension in _named(part, view)]


def source(view: MetricView, used: Sequence[Dimension], dialect: Dialect, days: Sequence[date] = ()) -> str:
    """What is read: the view's source, with the columns of other tables that the dimensions take.

    Args:
        view: The view.
        used: The dimensions.
        dialect: What it is written in.
        days: Of a history: each row once per day at whose end it was so, with that `day`.
    """
    wanted = {name for dimension in used for name in joins_of(view, dimension)}
    own = f"({dialect.say(view.source)})" if view.is_query else view.source
    if not wanted and not days:
        return f"{own} AS source" if view.is_query else own
    columns, joined = ["source.*"], []
    for join in view.joins:
        if join.name not in wanted:
            continue
        taken = sorted({name for dimension in used for name in _taken(dimension.expr, join.name)})
        columns += [f"{join.name}.{name} AS {join.name}__{name}" for name in taken]
        on = " AND ".join(f"source.{name} = {join.name}.{name}" for name in join.using)
        joined.append(f" LEFT JOIN {join.source} AS {join.name} ON {on}")
    if days:
        listed = " UNION ALL ".join(f"SELECT DATE '{day.isoformat()}' AS day" for day in days)
        on = "source.from_day <= asked.day AND (source.to_day IS NULL OR source.to_day > asked.day)"
        columns.append("asked.day AS day")
        joined.append(f" JOIN ({listed}) AS asked ON {on}")
    return f"(SELECT {', '.join(columns)} FROM {own} AS source{''.join(joined)}) AS source"


def _taken(text: str, join: str) -> list[str]:
    return re.findall(rf"\b{join}\.(\w+)", text)


def expression(dimension: Dimension, view: MetricView, parameters: Mapping[str, float]) -> str:
    """The expression of a dimension over what `source` reads."""
    text = with_parameters(dimension.expr, parameters)
    for join in view.joins:
        text = re.sub(rf"\b{join.name}\.(\w+)", rf"{join.name}__\1", text)
    return f"({text})" if not re.fullmatch(r"\w+", text) else text


def _moved(day: str, shift: Shift | None) -> str:
    """A day of the period that is compared with as the day that it is compared to."""
    if shift is None:
        return day
    return f"ADD_MONTHS({day}, {shift.months})" if shift.months else f"DATE_ADD({day}, {shift.days})"


def _grain(day: str, grain: str | None, fiscal: int) -> str:
    """A day as the week, month, quarter or year that it is in; weeks by their Monday."""
    if grain is None or grain == "day":
        return f"CAST({day} AS DATE)" if grain else day
    if grain == "week":
        return f"CAST(DATE_SUB({day}, DATEDIFF({day}, DATE '1900-01-01') % 7) AS DATE)"
    if grain == "month":
        return f"DATE_FORMAT({day}, 'yyyy-MM')"
    within = f"ADD_MONTHS({day}, {(13 - fiscal) % 12})" if grain.startswith("fiscal") and fiscal > 1 else day
    year = f"CAST(YEAR({within}) AS STRING)"
    before = "'FY' || " if grain.startswith("fiscal") else ""
    return f"{before}{year}" + (f" || '-Q' || CAST(QUARTER({within}) AS STRING)" if "quarter" in grain else "")


def literal(value: Value) -> str:
    r"""A value as a literal of Spark SQL.

    >>> literal("O'Neil"), literal(date(2025, 1, 31)), literal(Decimal("1.50"))
    ("'O\\'Neil'", "'2025-01-31'", '1.50')
    """
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return f"'{value.isoformat()}'"
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"
