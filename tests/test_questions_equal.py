"""Random questions have one answer, whoever gives it: DuckDB, Spark SQL, and pandas by the definitions in the docs."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import duckdb
import pytest
import recomputed
from in_memory import in_memory
from typer.testing import CliRunner

from medallion import metrics
from medallion.care import metric_random
from medallion.errors import ContractError
from medallion.lakehouse import query
from medallion.metrics import conditions
from medallion.metrics.compilers import duckdb as by_duckdb
from medallion.metrics.compilers import sql
from medallion.metrics.question import Question
from medallion.metrics.understanding import understand

SKIPPED = {"product", "product_category", "city", "segment", "account_manager", "employees", "score"}


@pytest.fixture(scope="module")
def served(sample):
    with query.connect(sample, layers=("gold", "silver")) as connection:
        yield in_memory(connection)


def same(one, other) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(float(one), float(other), rel_tol=1e-6, abs_tol=2e-6)


def key(value):
    """A value of a split, whatever kind of number or day it is."""
    if value is None or isinstance(value, bool):
        return value
    return float(value) if isinstance(value, int | float | Decimal) else str(value)


def disagreement(connection, world, question):
    """What DuckDB and pandas say otherwise of a question; None where they agree or pandas does not know it."""
    facts = by_duckdb.facts_of(connection)
    understood = understand(question, facts)
    (name,) = question.metrics
    days = understood.parts[name].days
    table = "changes" if days else recomputed.METRICS[name][0]
    known = {*getattr(world, table).columns}
    if table == "changes":
        known |= {"open", "won", "lost"}
    elif table == "deals":
        known |= recomputed.FLAGS.keys() | recomputed.FIELDS.keys()
    elif table == "touches":
        known |= {"positive"}
    used = {one.name for one in conditions.tests(understood.where)} | {
        one.name for one in question.by if one.name != "time"
    }
    if not used <= known or SKIPPED & used:
        return None
    found = by_duckdb.answer(connection, question)
    names = [str(one) for one in question.by]
    here = {tuple(key(row[n]) for n in names): row["value"] for row in found.rows}
    by = [(dimension.name if split.name != "time" else "time", split.grain) for split, dimension in understood.splits]
    span = understood.span
    ends = (span.first, span.last) if span is not None else (None, None)
    there = (
        recomputed.past(world, name, understood.where, by, days)
        if days
        else recomputed.answered(world, name, understood.where, by, *ends)
    )
    there = {tuple(map(key, keys)): value for keys, value in there.items()}
    if here.keys() != there.keys() or not all(same(value, there[keys]) for keys, value in here.items()):
        return {"question": str(understood), "duckdb": here, "pandas": there}
    return None


def ask_at_random(connection, count, seed, *, first=False):
    """Random questions that pandas knows, and what is said otherwise of them; only the `first` of these."""
    world = recomputed.world(connection)
    maker = metric_random.Maker(by_duckdb.facts_of(connection), random.Random(seed))  # noqa: S311
    asked, different = 0, []
    for _ in range(60 * count):
        question = replace(maker.question(), having=(), order=(), limit=None, compare=None)
        question = replace(question, metrics=question.metrics[:1])
        if question.metrics[0] not in recomputed.METRICS:
            continue
        try:
            found = disagreement(connection, world, question)
        except ContractError:
            continue
        asked += 1
        if found:
            different.append(found)
        if asked == count or (first and different):
            break
    return asked, different


def test_random_questions_are_answered_as_pandas_answers_them(served):
    asked, different = ask_at_random(served, 30, 5)
    assert asked == 30
    assert different == []


@pytest.mark.parametrize("fiscal", range(1, 13))
def test_units_of_time_are_those_of_the_docs_whenever_the_fiscal_year_starts(fiscal):
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(731)]
    for unit in ("day", "week", "month", "quarter", "year", "fiscal_quarter", "fiscal_year"):
        text = sql.DUCKDB.say(sql._grain("day", unit, fiscal))
        rows = duckdb.execute(f"SELECT CAST({text} AS STRING) FROM (SELECT UNNEST(CAST(? AS DATE[])) AS day)", [days])
        different = [
            (day, unit, found)
            for day, (found,) in zip(days, rows.fetchall(), strict=True)
            if found != recomputed.grain(day, unit, fiscal)
        ]
        assert not different[:3]


FAULTS = {
    "the time column of another metric": lambda monkeypatch: monkeypatch.setattr(
        sql, "_table", _timed_by(sql._table, "created_date")
    ),
    "a condition is dropped": lambda monkeypatch: monkeypatch.setattr(sql, "_condition", lambda *given: ("", [])),
    "a period is dropped": lambda monkeypatch: monkeypatch.setattr(
        sql, "_table", lambda name, group, asked, span, *more, inner=sql._table: inner(name, group, asked, None, *more)
    ),
    "what is unknown fulfills no negation": lambda monkeypatch: monkeypatch.setattr(
        sql.Dialect, "say", lambda self, text, inner=sql.Dialect.say: inner(self, text.replace("NOT COALESCE(", "NOT ("[:4] + "(").replace(", FALSE)", ")"))
    ),
    "the rows of what is not known are lost": lambda monkeypatch: monkeypatch.setattr(
        by_duckdb, "_rows", lambda connection, compiled, inner=by_duckdb._rows: _known_rows(inner(connection, compiled))
    ),
    "a flow is counted as a stock": lambda monkeypatch: monkeypatch.setattr(
        sql, "_table", _timed_by(sql._table, None)
    ),
}  # fmt: skip


def _timed_by(inner, name):
    def faulty(table, group, asked, *more):
        view = group[0].metric.view
        time = view.dimension(name) if name else None
        changed = [replace(one, time=time) if one.time is not None and view.entity == "deals" else one for one in group]
        return inner(table, changed, asked, *more)

    return faulty


def _known_rows(found):
    rows, total = found
    return [row for row in rows if None not in list(row.values())[:1] or len(row) == 2], total


@pytest.mark.parametrize(
    "fault", [*list(FAULTS)[:3], *(pytest.param(fault, marks=pytest.mark.slow) for fault in list(FAULTS)[3:])]
)
def test_a_planted_fault_is_found(served, monkeypatch, fault):
    FAULTS[fault](monkeypatch)
    assert any(ask_at_random(served, 120, seed, first=True)[1] for seed in (5, 6, 7))


def test_a_disagreement_is_shrunk_to_the_smallest_question():
    question = Question.read("revenue,win_rate", ["owner", "month"], "open or not (country = Germany and owner = Ann)", "ytd",
                             "previous", "revenue > 3", "-revenue", 4)  # fmt: skip
    question = replace(question, where=(conditions.parse(str(question.where[0])),))

    def differs(one):
        return "revenue" in one.metrics and any(
            test.name == "owner" for part in one.where for test in conditions.tests(part)
        )

    assert metric_random.shrunk(question, differs) == Question(
        ("revenue",), where=(conditions.Test("owner", "=", ("Ann",)),)
    )


@pytest.mark.slow
def test_random_questions_are_answered_the_same_by_spark(sample, spark):
    from medallion.cli.app import app

    found = CliRunner().invoke(
        app, ["metrics", "check", "--random", "40", "--seed", "3", "--json", "--lakehouse", sample.root]
    )
    assert found.exit_code == 0, found.output
    document = json.loads(found.stdout)
    assert (document["asked"], document["different"]) == (40, [])


def test_a_difference_of_the_engines_is_told(served):
    def wrong(text):
        raise ValueError(text)

    found = metric_random.compared(served, wrong, 2, 1)
    assert found["asked"] == 2
    assert all("ValueError" in one["spark"] for one in found["different"])
    assert len(found["different"]) == 2


def test_what_an_engine_refuses_by_a_fault_of_its_own_is_listed(served):
    def refuse(text):
        raise ValueError(next(iter(metric_random.EXCEPTIONS)))

    assert metric_random.compared(served, refuse, 2, 1)["different"] == []
    assert len(metric_random.EXCEPTIONS) <= 10


def test_every_metric_that_pandas_knows_is_there():
    assert recomputed.METRICS.keys() <= metrics.metrics().keys()
    assert len(recomputed.METRICS) >= 25
