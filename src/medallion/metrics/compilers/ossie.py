"""The metrics as a semantic model of Apache Ossie (formerly Open Semantic Interchange), version 0.2.0.dev0.

https://github.com/apache/ossie/blob/main/core-spec/spec.md. A dataset per entity, with the columns that metrics look at as
fields beside the dimensions; expressions are Spark SQL. What the format has no word for, such as a metric's time column and
additivity, is in extensions named `MEDALLION`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import sqlglot
import yaml
from sqlglot import exp

from medallion.metrics.declared import Dimension, Metric, MetricView, with_parameters
from medallion.metrics.loading import declarations
from medallion.metrics.meaning import joins_of
from medallion.metrics.relations import columns_of

VERSION, DIALECT, VENDOR = "0.2.0.dev0", "DATABRICKS", "MEDALLION"
_TYPES = {"text": "String", "number": "Float", "boolean": "Boolean", "day": "Date", "month": "String"}


def document(currency: str) -> dict[str, Any]:
    """The semantic model, with amounts in a currency. A metric that needs a parameter without a default is not in it."""
    views = declarations().views
    there = {view.source: entity for entity, view in views.items() if not view.is_query and not view.filter}
    joined: dict[str, set[str]] = {}
    for view in views.values():
        for join in view.joins:
            joined.setdefault(join.source, set()).update(_taken(view, join.name), join.using)
    datasets = [_dataset(entity, view, joined.get(view.source, ())) for entity, view in views.items()]
    datasets += [_joined(source, columns) for source, columns in joined.items() if source not in there]
    links = [
        {
            "name": f"{entity}_{join.name}",
            "from": entity,
            "to": there.get(join.source, _plain(join.source)),
            "from_columns": [*join.using],
            "to_columns": [*join.using],
        }
        for entity, view in views.items()
        for join in view.joins
    ]
    metrics = [
        metric for view in views.values() for measure in view.measures if _is_whole(metric := Metric(view, measure))
    ]
    whole = {
        "name": "medallion",
        "description": "Figures of a CRM: deals, accounts, touches, stages.",
        "datasets": datasets,
        "relationships": links,
        "metrics": [_metric(metric, currency) for metric in metrics],
    }
    return {"version": VERSION, "semantic_model": [whole]}


def text(model: dict[str, Any]) -> str:
    """A semantic model as YAML."""
    return str(yaml.safe_dump(model, sort_keys=False, allow_unicode=True, width=1000))


def _is_whole(metric: Metric) -> bool:
    return all(parameter.default is not None for parameter in metric.parameters)


def _dataset(entity: str, view: MetricView, more: Iterable[str]) -> dict[str, Any]:
    known = [dimension for dimension in (*view.dimensions, *view.fields) if not joins_of(view, dimension)]
    names = {dimension.name for dimension in known}
    used = {*more, *(name for join in view.joins for name in join.using)}
    for measure in view.measures:
        used |= columns_of(Metric(view, measure).expanded)
    source = " ".join(view.source.split())
    if view.filter:
        source = f"SELECT * FROM {source} WHERE {view.filter}"
    key = [dimension.expr for name in view.key if (dimension := view.field(name))]
    return {
        "name": entity,
        "source": source,
        **({"primary_key": key} if key else {}),
        "description": view.comment,
        "fields": [
            *(_field(view, dimension) for dimension in known),
            *(_column(name) for name in sorted(used - names)),
        ],
    }


def _joined(source: str, columns: Iterable[str]) -> dict[str, Any]:
    """A table that is no entity, of which dimensions take columns."""
    return {"name": _plain(source), "source": source, "fields": [_column(name) for name in sorted(columns)]}


def _plain(source: str) -> str:
    return source.partition(".")[2].removesuffix("_clean")


def _taken(view: MetricView, join: str) -> Iterator[str]:
    for dimension in (*view.dimensions, *view.fields):
        for column in sqlglot.parse_one(dimension.expr, read="spark").find_all(exp.Column):
            if column.table == join:
                yield column.name


def _field(view: MetricView, dimension: Dimension) -> dict[str, Any]:
    defaults = {parameter.name: parameter.default or 0.0 for parameter in view.parameters}
    return {
        "name": dimension.name,
        "expression": _expression(with_parameters(dimension.expr, defaults)),
        "dimension": {"is_time": dimension.is_time},
        "label": dimension.display_name,
        "description": dimension.comment,
        "datatype": _TYPES[dimension.type],
        **_synonyms(dimension.synonyms),
    }


def _column(name: str) -> dict[str, Any]:
    return {"name": name, "expression": _expression(name)}


def _metric(metric: Metric, currency: str) -> dict[str, Any]:
    measure = metric.measure

    def qualified(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column):
            node.set("table", exp.to_identifier(metric.view.entity))
        return node

    text = sqlglot.parse_one(metric.expression({}), read="spark").transform(qualified).sql("spark")
    form = measure.format.model_dump(exclude_none=True)
    data = {
        "label": measure.display_name,
        "additivity": measure.additivity,
        "time_column": measure.period,
        "parts": [*measure.parts],
        "unit": measure.unit,
        "format": form | ({"currency_code": currency} if measure.format.type == "currency" else {}),
    }
    return {
        "name": metric.name,
        "expression": _expression(text),
        "description": measure.comment,
        **_synonyms(measure.synonyms),
        "custom_extensions": [{"vendor_name": VENDOR, "data": json.dumps(data)}],
    }


def _expression(text: str) -> dict[str, Any]:
    return {"dialects": [{"dialect": DIALECT, "expression": " ".join(text.split())}]}


def _synonyms(given: Iterable[str]) -> dict[str, Any]:
    listed = [*given]
    return {"ai_context": {"synonyms": listed}} if listed else {}
