"""Random questions asked of DuckDB and of Spark SQL on the engine, compared, and shrunk where they disagree."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb

from medallion import metrics
from medallion.config import Settings
from medallion.errors import ContractError
from medallion.lakehouse import query, store
from medallion.lakehouse.session import session
from medallion.lakehouse.store import Lakehouse
from medallion.metrics import Dimension, Metric
from medallion.metrics.compilers import duckdb as by_duckdb
from medallion.metrics.compilers.sql import DUCKDB, SPARK, Dialect, compile_question
from medallion.metrics.conditions import And, Condition, Not, Or, Test
from medallion.metrics.meaning import Facts
from medallion.metrics.periods import UNITS
from medallion.metrics.question import Order, Question, Split
from medallion.metrics.understanding import Understood, understand
from medallion.pipeline.steps import Report, Steps

#: Runs an understood question in a dialect and gives its rows.
Run = Callable[[Question, Dialect], list[tuple[Any, ...]]]
#: Gives what another says otherwise of an answer; None where it cannot be asked.
Other = Callable[[Understood, Sequence[Mapping[str, Any]]], list[str] | None]
_PERIODS = (
    "2025-Q1", "2025-Q2", "ytd", "qtd", "mtd", "last 30 days", "last 90 days", "last 3 months", "this quarter", "last quarter",
    "since 2025-03", "until 2025-04", "2025", "FY2025", "last 2 weeks", "2025-02-10 to 2025-05-09", "next 3 months", "this year",
)  # fmt: skip
#: What an engine says of questions that it refuses, with why; they do not count as different.
EXCEPTIONS = {
    "Physical input schema should be the same": "Sail plans a comparison that is split by a flag which is never null as "
    "one that may be, and refuses its own plan",
}
_TARGETS = {"sales_target": 500_000.0}
_MOST_VALUES = 40


@dataclass
class Maker:
    """Makes questions at random.

    Attributes:
        facts: What is known of the data.
        pick: Where chance comes from.
    """

    facts: Facts
    pick: random.Random

    def __post_init__(self) -> None:
        self._values: dict[tuple[str, str], tuple[str, ...]] = {}

    def question(self) -> Question:
        """A question, which may be one that is refused."""
        pick = self.pick
        every = list(metrics.metrics().values())
        first = pick.choice(every)
        alike = [metric for metric in every if metric.view is first.view] if pick.random() < 0.7 else every
        chosen = [first, *(pick.sample(alike, 1) if pick.random() < 0.25 else ())]
        names = tuple(dict.fromkeys(metric.name for metric in chosen))
        fields = [*first.view.dimensions, *(field for field in first.view.fields if field.name not in first.view.key)]
        if len({metric.view.entity for metric in chosen}) > 1:
            others = {field.name for field in (*chosen[1].view.dimensions, *chosen[1].view.fields)}
            fields = [field for field in fields if field.name in others]
        period = pick.choice(_PERIODS) if pick.random() < 0.5 else None
        by = tuple(dict.fromkeys(self._split(fields) for _ in range(pick.choice((0, 1, 1, 2))))) if fields else ()
        where = (self._tree(first, fields, 0),) if fields and pick.random() < 0.6 else ()
        needed = [
            name for name in ("sales_target",) if any(p.name == name for metric in chosen for p in metric.parameters)
        ]
        columns = [*names, "n", *(str(split) for split in by)]
        return Question(
            names, by, where, period,
            pick.choice(("previous", "year-ago")) if period and pick.random() < 0.35 else None,
            (Test(names[0], pick.choice(("<", ">=", ">", "<=")), (Decimal(pick.choice((0, 1, 5, 1000))),)),) if pick.random() < 0.15 else (),
            tuple(Order(name, pick.random() < 0.5) for name in pick.sample(columns, 1)) if pick.random() < 0.3 else (),
            pick.choice((1, 3, 10)) if pick.random() < 0.2 else None,
            self._day() if pick.random() < 0.1 else None,
            tuple((name, _TARGETS[name]) for name in needed),
        )  # fmt: skip

    def _split(self, fields: Sequence[Dimension]) -> Split:
        if self.pick.random() < 0.15:
            return Split("time", self.pick.choice(UNITS))
        field = self.pick.choice(fields)
        return Split(field.name, self.pick.choice((None, *UNITS)) if field.type == "day" else None)

    def _tree(self, metric: Metric, fields: Sequence[Dimension], depth: int) -> Condition:
        chance = self.pick.random()
        if depth < 2 and chance < 0.2:
            kind = And if chance < 0.1 else Or
            return kind(tuple(self._tree(metric, fields, depth + 1) for _ in range(2)))
        if depth < 2 and chance < 0.3:
            return Not(self._tree(metric, fields, depth + 1))
        return self._test(metric, self.pick.choice(fields))

    def _test(self, metric: Metric, field: Dimension) -> Test:
        pick = self.pick
        if pick.random() < 0.12:
            return Test(field.name, pick.choice(("unknown", "known")))
        if field.type == "boolean":
            return Test(field.name, "is")
        if field.type == "number":
            op = pick.choice(("<", "<=", ">", ">=", "between", "=", "!="))
            if field.values:
                return Test(field.name, pick.choice(("=", "!=")), tuple(pick.sample(field.values, 2)))
            numbers = sorted(
                Decimal(pick.choice((0, 1, 3, 7, 14, 30, 60, 90, 100, 1_000, 50_000, 100_000))) for _ in range(2)
            )
            return Test(field.name, op, tuple(numbers) if op == "between" else (numbers[0],))
        if field.type in ("day", "month"):
            text = (
                pick.choice(_PERIODS)
                if field.type == "day"
                else pick.choice(("2025-01", "2025-03", "2025-Q2", "last month"))
            )
            return Test(field.name, pick.choice(("=", "!=", ">=", "<=", "<", ">")), (text,))
        values = self._known(metric, field)
        if not values or pick.random() < 0.1:
            return Test(field.name, "contains", (pick.choice(("a", "er", "x'y", "%")),))
        return Test(
            field.name,
            pick.choice(("=", "!=")),
            tuple(pick.sample(values, min(len(values), pick.choice((1, 1, 2, 3))))),
        )

    def _known(self, metric: Metric, field: Dimension) -> tuple[str, ...]:
        key = metric.view.entity, field.name
        if key not in self._values:
            values = dict.fromkeys((*field.values, *self.facts.known(metric.view, field, ())))
            self._values[key] = tuple(sorted(values)[:_MOST_VALUES])
        return self._values[key]

    def _day(self) -> date:
        first, last = self.facts.first or date(2025, 1, 1), self.facts.last or date(2025, 6, 30)
        return first + timedelta(days=self.pick.randrange((last - first).days + 1))


def check(
    settings: Settings, lake: Lakehouse, count: int, seed: int, report: Report = lambda name, seconds: None
) -> dict[str, Any]:
    """Ask random questions of DuckDB and of the engine.

    Args:
        settings: Which engine.
        lake: The lakehouse.
        count: How many questions are to be answered; those that are refused do not count.
        seed: The same seed gives the same questions.
        report: Is told of the steps.

    Returns:
        `asked`, `refused`, and `different`: the questions that are answered otherwise, each shrunk to the smallest that
        still is, with both answers.

    Raises:
        LakehouseError: A table that a metric needs is missing.
    """
    steps = Steps(report)
    with steps.step("start the engine"):
        spark = session(settings.engine, settings.memory_gib)
        sources = {
            source
            for view in metrics.views().values()
            for source in (*view.tables, *(join.source for join in view.joins))
        }
        there = sorted(name for name in sources if lake.exists(name))
        for name in there:
            store.read(spark, lake, name).createOrReplaceTempView(name.replace(".", "_"))
    with query.connect(lake, layers=("gold", "silver")) as connection, steps.step("compare"):

        def run(sql: str) -> list[tuple[Any, ...]]:
            for name in there:
                sql = re.sub(rf"\b{re.escape(name)}\b", name.replace(".", "_"), sql)
            return [tuple(row) for row in spark.sql(sql).collect()]

        return compared(connection, run, count, seed)


def compared(
    connection: duckdb.DuckDBPyConnection, spark: Callable[[str], list[tuple[Any, ...]]], count: int, seed: int
) -> dict[str, Any]:
    """Ask random questions of DuckDB and of what runs Spark SQL; see `check`."""
    facts = by_duckdb.facts_of(connection)
    maker = Maker(facts, random.Random(seed))  # noqa: S311 - chance that can be repeated

    def run(question: Question, dialect: Dialect) -> list[tuple[Any, ...]]:
        compiled = compile_question(understand(question, facts), dialect)
        if dialect is SPARK:
            return spark(str(compiled))
        return connection.execute(compiled.sql, list(compiled.bindings)).fetchall()

    asked = refused = 0
    different: list[dict[str, Any]] = []
    while asked < count and refused < 50 * count:
        question = maker.question()
        try:
            understand(question, facts)
        except ContractError:
            refused += 1
            continue
        asked += 1
        if _differ(question, run):
            smallest = shrunk(question, lambda candidate: _differ(candidate, run))
            answers = {
                name: _answered(smallest, run, dialect) for name, dialect in (("duckdb", DUCKDB), ("spark", SPARK))
            }
            different.append({"question": str(understand(smallest, facts)), **answers})
    return {"asked": asked, "refused": refused, "different": different}


def compared_with(connection: duckdb.DuckDBPyConnection, other: Other, count: int, seed: int) -> dict[str, Any]:
    """Ask random questions of DuckDB and compare the answers with those of another engine.

    Returns:
        See `check`; `not_asked` counts the questions that the other engine cannot be asked.
    """
    facts = by_duckdb.facts_of(connection)
    maker = Maker(facts, random.Random(seed))  # noqa: S311 - chance that can be repeated

    def differs(question: Question) -> list[str] | None:
        answer = by_duckdb.answer(connection, question)
        return other(answer.understood, answer.rows) if isinstance(answer.understood, Understood) else None

    def still(question: Question) -> bool:
        try:
            by_duckdb.understood_by(connection, question, facts)
        except ContractError:
            return False
        return bool(differs(question))

    asked = refused = not_asked = 0
    different: list[dict[str, Any]] = []
    while asked < count and refused < 50 * count:
        question = replace(maker.question(), having=(), order=(), limit=None)
        try:  # an error after this is a defect, which must not count as a question that is refused
            by_duckdb.understood_by(connection, question, facts)
        except ContractError:
            refused += 1
            continue
        asked += 1
        differences = differs(question)
        not_asked += differences is None
        if differences:
            smallest = shrunk(question, still)
            different.append({"question": str(understand(smallest, facts)), "differences": differs(smallest)})
    return {"asked": asked, "refused": refused, "not_asked": not_asked, "different": different}


def shrunk(question: Question, differs: Callable[[Question], bool]) -> Question:
    """The smallest question made of parts of this one that still differs."""
    smallest = question
    while (smaller := next((candidate for candidate in _smaller(smallest) if differs(candidate)), None)) is not None:
        smallest = smaller
    return smallest


def _smaller(question: Question) -> Iterator[Question]:
    for name in question.metrics if len(question.metrics) > 1 else ():
        yield replace(question, metrics=(name,), order=(), having=())
    for empty in (
        {"limit": None},
        {"order": ()},
        {"having": ()},
        {"compare": None},
        {"as_of": None},
        {"period": None, "compare": None},
    ):
        if any(getattr(question, key) != value for key, value in empty.items()):
            yield replace(question, **empty)
    for split in question.by:
        yield replace(question, by=tuple(other for other in question.by if other != split), order=())
    for condition in question.where:
        yield replace(question, where=())
        if not isinstance(condition, str):
            yield from (replace(question, where=(part,)) for part in _parts(condition))


def _parts(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, And | Or):
        yield from condition.parts
    elif isinstance(condition, Not):
        yield condition.part
    elif len(condition.values) > 1 and condition.op in ("=", "!="):
        yield replace(condition, values=condition.values[:1])


def _differ(question: Question, run: Run) -> bool:
    try:
        first = run(question, DUCKDB)
    except ContractError:
        return False
    try:
        second = run(question, SPARK)
    except Exception as error:  # noqa: BLE001 - whatever an engine says: it does not answer
        return not any(text in str(error) for text in EXCEPTIONS)
    return len(first) != len(second) or not all(
        len(a) == len(b) and all(map(_same, a, b)) for a, b in zip(first, second, strict=True)
    )


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return left is right or left == right
    if isinstance(left, int | float | Decimal) and isinstance(right, int | float | Decimal):
        return math.isclose(float(left), float(right), rel_tol=1e-9, abs_tol=1e-9)
    return str(left) == str(right)


def _answered(question: Question, run: Run, dialect: Dialect) -> str:
    try:
        return str(run(question, dialect)[:3])[:500]
    except Exception as error:  # noqa: BLE001 - it is what is told
        return f"{type(error).__name__}: {str(error)[:300]}"
