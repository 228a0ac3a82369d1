"""Random questions answered in Malloy as DuckDB answers them, and faults planted in the compiler that they find."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlglot
from sqlglot import exp

from medallion import metrics
from medallion.care import metric_random
from medallion.lakehouse import contracts_in_use
from medallion.metrics import conditions, loading
from medallion.metrics.compilers import duckdb as by_duckdb
from medallion.metrics.compilers import sql
from medallion.metrics.declared import Calendar
from medallion.metrics.periods import Span
from tools.malloy import expressions
from tools.malloy.compiler import BY_HAND, unit
from tools.malloy.executor import asked_of
from tools.malloy.expressions import Speaker, condition

needs_malloy = pytest.mark.malloy


def test_all_that_is_shipped_can_be_said_in_malloy():
    """So the list of exceptions is for declarations of the user's own."""
    views = {one.view.entity or one.view.source: one.view for one in metrics.every_metric().values()}
    for view in views.values():
        assert not view.is_query or view.entity in BY_HAND, view.entity
        defaults = {one.name: one.default or 1.0 for one in view.parameters}
        for one in (*view.dimensions, *view.fields):
            assert Speaker(defaults).say(one.expr)
        for one in view.measures:
            tree = sqlglot.parse_one(one.expr, read="spark")
            text = tree.this.sql("spark") if isinstance(tree, exp.Median) else one.expr
            assert Speaker(defaults, parts=dict.fromkeys(one.parts, "1")).say(text)
            assert one.parts or Speaker(defaults).say(one.n)
    assert len(views) >= 10


def test_exceptions_are_few_and_have_reasons():
    assert 0 < len(expressions.EXCEPTIONS) <= 10
    assert all(expressions.EXCEPTIONS.values())


@pytest.mark.parametrize("text", ["STDDEV(x)", "SUBSTRING(a, 1, 2)", "MEDIAN(x) / 2", "CASE a WHEN 1 THEN 2 END"])
def test_what_cannot_be_said_is_not_said(text):
    with pytest.raises(expressions.UnsayableError, match=expressions.UNKNOWN_FORM):
        Speaker().say(text)


@pytest.mark.parametrize(
    ("text", "malloy"),
    [
        ("COUNT(CASE WHEN status = 'won' THEN 1 END)", "count() { where: (`status` = 'won') }"),
        ("COALESCE(SUM(x), 0)", "sum(`x`)"),
        ("SUM(x)", "(pick sum(`x`) when count() { where: `x` is not null } > 0 else null)"),
        ("COUNT(DISTINCT CASE WHEN d > 0 THEN k END)", "count(`k`) { where: (`d` > 0) }"),
        ("account.city", "`account`.`city`"),
        ("DATE_FORMAT(closed_at, 'yyyy-MM')", "((`closed_at`)::date.month)"),
    ],
)
def test_an_expression(text, malloy):
    assert Speaker().say(text) == malloy


def test_a_condition_is_true_or_false():
    view = metrics.views()["deals"]
    late = conditions.Test("closed_date", ">", (conditions.Beside("expected_close_date"),))
    closed = conditions.Not(conditions.Test("open", "is"))
    given = conditions.And((closed, late, conditions.Test("owner", "!=", ("O'Neil",))))
    assert condition(given, view, {}) == (
        "((not ((`status` = 'open') ?? false)) and (((`closed_at`::date) > `expected_close_date`) ?? false)"
        " and ((not ((`owner`::string = 'O\\'Neil') ?? false))))"
    )


def test_units_of_a_fiscal_year():
    ends = [day for n in range(365) if unit(day := date(2025, 1, 1) + timedelta(n), "fiscal_quarter", 2)
            != unit(day + timedelta(1), "fiscal_quarter", 2)]  # fmt: skip
    assert ends == [date(2025, 1, 31), date(2025, 4, 30), date(2025, 7, 31), date(2025, 10, 31)]


@pytest.fixture(scope="module")
def different(sample, two_reps):
    """`different(name, count, seed, ...)` is what is told otherwise of random questions on a lakehouse, up to the first seed of
    which something is.
    """
    lakes = {"sample": sample, "two_reps": two_reps}
    with ExitStack() as opened:
        served = {}

        def ask(name, count, *seeds):
            contracts_in_use.for_readers(lakes[name])
            if name not in served:
                served[name] = opened.enter_context(asked_of(lakes[name]))
            for seed in seeds:
                found = metric_random.compared_with(*served[name], count, seed)
                assert (found["asked"], found["not_asked"]) == (count, 0)
                if found["different"]:
                    return found["different"]
            return []

        yield ask


@needs_malloy
def test_random_questions_are_answered_the_same_in_malloy(different):
    """Those on the sample are in CI by themselves; here quotas, people and line items are among them."""
    assert different("two_reps", 25, 11) == []


@needs_malloy
def test_in_a_fiscal_calendar(different, sample, monkeypatch):
    contracts_in_use.for_readers(sample)
    declared = replace(loading.declarations(), calendar=Calendar(fiscal_year_starts=4))
    for module in ("understanding", "parts", "loading"):
        monkeypatch.setattr(f"medallion.metrics.{module}.declarations", lambda: declared)
    assert different("sample", 25, 12) == []


def _table(change):
    """The compiler's tables of figures with a part or the period changed."""
    inner = sql._table

    def faulty(name, group, asked, span, *more):
        group, span = change(group, span)
        return inner(name, group, asked, span, *more)

    return lambda monkeypatch: monkeypatch.setattr(sql, "_table", faulty)


def _by_day_opened(group, span):
    opened = group[0].metric.view.dimension("created_date")
    return [replace(one, time=opened) if one.time else one for one in group], span


def _quarter_before(group, span):
    if span is None or group[0].metric.view.entity != "attainment":
        return group, span
    days = [one and one - timedelta(days=91) for one in (span.first, span.last)]
    return group, Span(*days)


def _all_that_came(monkeypatch):
    """A deal that left a state counts in it ever after, as what came in adds up."""
    inner = sql.source
    left = " AND (source.to_day IS NULL OR source.to_day > asked.day)"
    monkeypatch.setattr(sql, "source", lambda *given: inner(*given).replace(left, ""))


def _without_blank(monkeypatch):
    inner = by_duckdb._rows

    def faulty(connection, compiled):
        rows, total = inner(connection, compiled)
        splits = [name for name in compiled.columns if name.split(":")[0] in ("owner", "product", "stage", "time")]
        return [row for row in rows if all(row[name] is not None for name in splits)], total

    monkeypatch.setattr(by_duckdb, "_rows", faulty)


FAULTS = {
    "the time column of another metric": (_table(_by_day_opened), "sample", "won_leads"),
    "a filter is dropped": (
        lambda monkeypatch: monkeypatch.setattr(sql, "_condition", lambda *given: ("", [])), "sample", "revenue"),
    "a flow for a stock": (_all_that_came, "sample", "open_pipeline"),
    "the rows of what is not known are lost": (_without_blank, "sample", "lost_leads"),
    "the quota of another period": (_table(_quarter_before), "two_reps", "quota"),
}  # fmt: skip


@needs_malloy
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(different, monkeypatch, fault):
    plant, lakehouse, name = FAULTS[fault]
    one = {name: metrics.every_metric()[name]}
    monkeypatch.setattr(metric_random.metrics, "metrics", lambda: one)
    assert different(lakehouse, 10, 1) == []
    plant(monkeypatch)
    assert different(lakehouse, 10, *range(1, 9))
