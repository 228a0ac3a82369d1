"""Random questions answered in DAX as DuckDB answers them, and faults planted in the model that they find."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from in_memory import in_memory

from medallion.care import metric_random
from medallion.lakehouse import query
from medallion.powerbi import model, rows
from medallion.powerbi.asked import differences

pytest.importorskip("pbix_mcp.dax.engine", reason="needs the extra powerbi")

from medallion.powerbi.evaluate import Evaluator


@pytest.fixture(scope="module")
def served(sample):
    with query.connect(sample, layers=("gold", "silver")) as connection:
        yield in_memory(connection), rows.read(connection, model.model())


def asked(served, whole, count, seed):
    connection, read = served
    return metric_random.compared_with(connection, partial(differences, Evaluator(whole, read)), count, seed)


def test_random_questions_are_answered_the_same_in_dax(served):
    found = asked(served, model.model(), 60, 11)
    assert found["different"] == []
    assert found["asked"] - found["not_asked"] >= 15


def changed(name, change):
    """The model with the DAX of a measure changed."""
    whole = model.model()
    assert change(whole.measure(name).expression) != whole.measure(name).expression
    return replace(
        whole,
        measures=tuple(
            replace(one, expression=change(one.expression)) if one.name == name else one for one in whole.measures
        ),
    )


def without(table, to):
    """The model without a relationship."""
    whole = model.model()
    kept = tuple(one for one in whole.relationships if (one.table, one.to) != (table, to))
    assert len(kept) < len(whole.relationships)
    return replace(whole, relationships=kept)


FAULTS = {
    "the time column of another metric": (
        lambda: changed("Deals", lambda told: told.replace("[Day opened]", "[Day closed]")), "total_leads"),
    "a filter is dropped": (lambda: without("Deals", "Lead sources"), "revenue"),
    "a flow for a stock": (
        lambda: changed("Open pipeline", lambda told: "CALCULATE(SUM('Deals'[Value]), 'Deals'[status] = \"open\")"),
        "open_pipeline"),
    "the rows of what is not known are lost": (
        lambda: changed("Deals won", lambda told: f"CALCULATE({told}, KEEPFILTERS(NOT ISBLANK('Products'[Product])))"),
        "won_leads"),
    "the target of another period": (
        lambda: changed("Target attainment", lambda told: f"CALCULATE({told}, DATEADD('Date'[Date], -1, QUARTER))"),
        "target_attainment"),
}  # fmt: skip


@pytest.mark.parametrize(
    "fault", [*list(FAULTS)[:2], *(pytest.param(fault, marks=pytest.mark.slow) for fault in list(FAULTS)[2:])]
)
def test_a_planted_fault_is_found(served, monkeypatch, fault):
    planted, metric = FAULTS[fault]
    whole = planted()
    names = metric_random.metrics.metrics()
    monkeypatch.setattr(metric_random.metrics, "metrics", lambda: {metric: names[metric]})
    different = []
    for seed in range(1, 6):
        different += asked(served, whole, 40, seed)["different"]
        if different:
            break
    assert different
