"""What can be asked for: metrics, dimensions, values, and the query that a question becomes; findings, as the tools give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from medallion import metrics
from medallion.agent.facts import Field, Found
from medallion.agent.tools import Tools
from medallion.errors import ContractError
from medallion.metrics.compilers.duckdb import facts_of
from medallion.metrics.compilers.sql import DUCKDB, SPARK, compile_question
from medallion.metrics.question import Question
from medallion.metrics.understanding import understand


def list_metrics(tools: Tools, text: str | None = None) -> Found:
    """The metrics of the dictionary: name, meaning, unit, how it adds up, and its expression.

    Args:
        tools: What reads.
        text: Only those whose name, label, meaning or synonyms hold this.
    """
    rows = [
        {
            "name": name,
            "label": metric.measure.display_name,
            "means": metric.measure.comment,
            "of": metric.view.entity,
            "kind": metric.measure.format.type,
            "unit": metric.measure.unit,
            "additivity": metric.measure.additivity,
            "counted_by": metric.measure.period,
            "synonyms": list(metric.measure.synonyms),
            "expression": metric.measure.expr,
        }
        for name, metric in metrics.metrics().items()
        if _holds(text, name, metric.measure.display_name, metric.measure.comment, *metric.measure.synonyms)
    ]
    fields = (
        Field("name", "Metric"), Field("label", "Label"), Field("means", "Meaning"), Field("of", "Of"),
        Field("kind", "Kind"), Field("unit", "Unit"), Field("additivity", "Adds up as"),
        Field("counted_by", "Counted by"), Field("synonyms", "Also called", "list"), Field("expression", "Computed as"),
    )  # fmt: skip
    return tools.found("list_metrics", "Metrics", fields, ("name",), rows)


def list_dimensions(tools: Tools, of: str) -> Found:
    """The dimensions and fields that a metric can be split and filtered by, or that records of an entity have.

    Args:
        tools: What reads.
        of: A metric such as win_rate, or an entity such as deals.

    Raises:
        ContractError: There is neither.
    """
    view = _view(of)
    rows = [
        {
            "name": field.name,
            "label": field.display_name,
            "means": field.comment,
            "type": field.type,
            "use": "split and filter" if field in view.dimensions else "filter and show",
            "values": list(field.values),
            "synonyms": list(field.synonyms),
        }
        for field in (*view.dimensions, *view.fields)
    ]
    fields = (
        Field("name", "Dimension"), Field("label", "Label"), Field("means", "Meaning"), Field("type", "Type"),
        Field("use", "Use"), Field("values", "Declared values", "list"), Field("synonyms", "Also called", "list"),
    )  # fmt: skip
    return tools.found("list_dimensions", f"Dimensions of {of}", fields, ("name",), rows)


def dimension_values(tools: Tools, of: str, dimension: str, text: str | None = None) -> Found:
    """The values that a dimension has in the data, as conditions name them.

    Args:
        tools: What reads.
        of: A metric or an entity that has the dimension.
        dimension: Its name.
        text: Only values that hold this.

    Raises:
        ContractError: There is no such dimension.
    """
    view = _view(of)
    field = view.field(dimension)
    if field is None:
        known = ", ".join(other.name for other in (*view.dimensions, *view.fields))
        raise ContractError(f"{of} has no dimension {dimension[:40]!r}", f"There are: {known}.")
    with tools.serving.reading() as connection:
        values = facts_of(connection).known(view, field, ())
    rows = [{"value": value} for value in sorted(values) if _holds(text, value)]
    title = f"Values of {field.display_name}"
    tables = tuple(view.tables)
    return tools.found("dimension_values", title, (Field("value", field.display_name),), ("value",), rows, tables)


def compile_query(
    tools: Tools,
    metric: str,
    by: list[str] | None = None,
    where: list[str] | None = None,
    period: str | None = None,
    compare: Literal["previous", "year-ago"] | None = None,
    having: list[str] | None = None,
    order: list[str] | None = None,
    limit: int | None = None,
    as_of: str | None = None,
    dialect: Literal["duckdb", "spark"] = "duckdb",
) -> Found:
    """The query that a question becomes, without running it: for a warehouse, or to check what is counted.

    Args:
        tools: What reads.
        metric: Its name, such as win_rate; several with commas.
        by: What to split by.
        where: Conditions; all must hold.
        period: Such as `2025-Q1` or `last 3 months`.
        compare: A period to compare with.
        having: Which rows are shown.
        order: Columns to order by, `-value` for the largest first.
        limit: Only that many rows.
        as_of: Day that relative periods count from.
        dialect: Whose SQL it is.

    Raises:
        ContractError: The question is not understood whole.
    """
    asked = Question.read(metric, by or (), where, period, compare, having, order or (), limit, as_of)
    with tools.serving.reading() as connection:
        understood = understand(asked, facts_of(connection))
        query = compile_question(understood, SPARK if dialect == "spark" else DUCKDB)
    row = {
        "question": str(understood),
        "query": query.sql,
        "bindings": [str(binding) for binding in query.bindings],
        "columns": list(query.columns),
    }
    fields = (
        Field("question", "Question"), Field("query", "Query"), Field("bindings", "Values of the marks", "list"),
        Field("columns", "Columns", "list"),
    )  # fmt: skip
    tables = tuple(sorted({name for part in understood.parts.values() for name in part.metric.view.tables}))
    return tools.found("compile_query", "Query", fields, (), [row], tables, query.sql)


def _view(of: str) -> metrics.MetricView:
    """The view of a metric or entity.

    Raises:
        ContractError: There is none.
    """
    views = metrics.views()
    return views[of] if of in views else metrics.named(of).view


def _holds(text: str | None, *values: str) -> bool:
    return not text or any(text.strip().casefold() in value.casefold() for value in values)


#: What a client may look up before it asks.
CATALOG: tuple[Callable[..., Found], ...] = (list_metrics, list_dimensions, dimension_values, compile_query)
