"""The same metrics and pages for Databricks: metric views in SQL, and an AI/BI dashboard over them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlglot
import yaml
from sqlglot import exp

from medallion.errors import ContractError, MedallionError
from medallion.metrics import Dimension, Measure, Metric, MetricView, metrics
from medallion.powerbi.dates import TIME
from medallion.powerbi.model import dimension, home, model, modelled
from medallion.powerbi.pages import Page, Visual, pages

STATEMENTS, DASHBOARD = "metric_views.sql", "sales_pipeline.lvdash.json"
#: Width of a dashboard in columns of its grid.
_GRID = 6
_WIDGETS = {
    "clusteredBarChart": "bar", "clusteredColumnChart": "bar", "columnChart": "bar",
    "lineClusteredColumnComboChart": "bar", "lineChart": "line",
}  # fmt: skip


def write(folder: Path, catalog: str, currency: str) -> list[Path]:
    """Write the statements and the dashboard, with amounts in a currency; gives their paths.

    Raises:
        ContractError: The catalog is no name that can be told in SQL.
        MedallionError: The folder cannot be written.
    """
    contents = {
        STATEMENTS: statements(catalog, currency),
        DASHBOARD: json.dumps(dashboard(catalog, currency), indent=2, ensure_ascii=False) + "\n",
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise MedallionError(f"{folder}: cannot be written: {error}", "Choose another folder with --out.") from error
    return [folder / name for name in contents]


def statements(catalog: str, currency: str) -> str:
    """`CREATE OR REPLACE VIEW ... WITH METRICS` for each view of metrics, in the schema gold."""
    _named(catalog)
    blocks = [
        "-- Metric views of Unity Catalog, written by `medallion metrics databricks`; "
        "they need a SQL warehouse or Databricks Runtime 17.2."
    ]
    for name, view in views().items():
        body = yaml.safe_dump(_declared(view, catalog, currency), sort_keys=False, allow_unicode=True, width=1000)
        if "$$" in body:
            raise ContractError(f"{name}: a declaration holds $$, which ends the statement", "Write it without.")
        blocks.append(
            f"CREATE OR REPLACE VIEW {_qualified(catalog, name)}\nWITH METRICS\nLANGUAGE YAML\nAS $$\n{body}$$;"
        )
    return "\n\n".join(blocks) + "\n"


def views() -> dict[str, MetricView]:
    """The views by the name that they get in Databricks, each with the metrics that it has there.

    Beside those of the declarations, one by day for each that counts by several days.
    """
    declared = {_view(metric): metric.view for metric in modelled().values()}
    by_name = {}
    for name, view in declared.items():
        measures = tuple(measure for measure in view.measures if Metric(view, measure).stands_alone)
        by_name[name] = view.model_copy(
            update={"measures": tuple(measure for measure in measures if not measure.parts)}
        )
        if len({measure.period for measure in measures if measure.period}) > 1:
            by_name[name.replace("_metrics", "_by_day_metrics")] = _by_day(view, measures)
    return by_name


#: What the day of a view by day is also told as.
_UNITS = tuple(
    Dimension(
        name=name, expr=expr, display_name=name.capitalize(), comment=f"The {name} by which each measure counts, UTC"
    )
    for name, expr in (
        ("day", "day"),
        ("month", "DATE_FORMAT(day, 'yyyy-MM')"),
        ("quarter", "CONCAT(YEAR(day), '-Q', QUARTER(day))"),
        ("year", "YEAR(day)"),
    )
)


def _by_day(view: MetricView, measures: tuple[Measure, ...]) -> MetricView:
    """A view in which each metric counts by its own day: one row per row of the source and day that metrics count by.

    Its `day` is the day opened to what counts deals opened and the day closed to what counts deals won, so that one
    filter is a period to all of them, and a ratio of metrics takes each by its own.
    """
    days = {measure.period for measure in measures if measure.period}
    rows = " UNION ALL ".join(
        f"SELECT '{day.name}' AS counted_by, {day.expr} AS day, one.* FROM {view.source} AS one"
        for day in view.dimensions
        if day.name in days
    )
    dated = {measure.name: measure for measure in measures if measure.period}
    whole = view.model_copy(
        update={
            "source": rows,
            "comment": f"{view.comment.rstrip('.')}; each measure counts by its own day.",
            "dimensions": (*_UNITS, *(dimension for dimension in view.dimensions if not dimension.is_time)),
            "measures": tuple(measure.model_copy(update={"expr": _counted_by(measure)}) for measure in dated.values()),
        }
    )
    composites = tuple(
        measure for measure in measures if measure.parts and all(part in dated for part in measure.parts)
    )
    return whole.model_copy(update={"measures": (*whole.measures, *composites)})


def _counted_by(measure: Measure) -> str:
    """A measure's expression over the rows of its own day."""

    def narrowed(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.AggFunc):
            return node
        where = sqlglot.parse_one(f"counted_by = '{measure.period}'", read="spark")
        return exp.Filter(this=node, expression=exp.Where(this=where))

    return sqlglot.parse_one(measure.expr, read="spark").transform(narrowed).sql("spark")


def _view(metric: Metric) -> str:
    return f"{home(metric).lower()}_metrics"


def _qualified(catalog: str, name: str) -> str:
    return f"`{catalog}`.gold.{name}"


def _named(catalog: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", catalog):
        raise ContractError(f"{catalog!r} is no name of a catalog", "Use letters, digits, - and _.")


def _declared(view: MetricView, catalog: str, currency: str) -> dict[str, Any]:
    """A view as Databricks takes it: tables in their catalog, parameters at their defaults."""
    source = f"`{catalog}`.{view.source}"
    if view.is_query:
        tree = sqlglot.parse_one(view.source, read="databricks")
        for table in tree.find_all(exp.Table):
            table.set("catalog", exp.to_identifier(catalog, quoted=True))
        source = tree.sql("databricks")
    declaration: dict[str, Any] = {"version": view.version, "comment": view.comment, "source": source}
    if view.filter:
        declaration["filter"] = view.filter
    declaration["dimensions"] = [
        dimension.model_dump(include={"name", "expr", "display_name", "comment", "synonyms"})
        for dimension in view.dimensions
    ]
    declaration["measures"] = [
        {
            "name": measure.name,
            "expr": " ".join(Metric(view, measure).expression({}).split()),
            "display_name": measure.display_name,
            "comment": measure.comment,
            "synonyms": list(measure.synonyms),
            "format": measure.format.model_dump(exclude_none=True)
            | ({"currency_code": currency} if measure.format.type == "currency" else {}),
        }
        for measure in view.measures
    ]
    return declaration


def dashboard(catalog: str, currency: str) -> dict[str, Any]:
    """An AI/BI dashboard with what the pages show, as far as one metric view has it all.

    Each widget has a query of its own. Tables of single deals and customers, and what is looked at by a column that
    is no dimension of the metric, stay in Power BI and the call list.
    """
    _named(catalog)
    datasets: list[dict[str, Any]] = []
    shown = [_page(page, catalog, datasets, currency) for page in pages() if not page.hidden]
    return {"datasets": datasets, "pages": shown}


def _page(page: Page, catalog: str, datasets: list[dict[str, Any]], currency: str) -> dict[str, Any]:
    layout: list[dict[str, Any]] = [
        {
            "widget": {"name": f"{page.name}_heading", "multilineTextboxSpec": {
                "lines": [f"## {page.title}\n", page.question],
            }},
            "position": {"x": 0, "y": 0, "width": _GRID, "height": 2},
        }
    ]  # fmt: skip
    shown = [(visual, query) for visual in page.visuals if (query := query_of(visual, catalog))]
    cards = [pair for pair in shown if pair[0].kind == "card"]
    charts = [pair for pair in shown if pair[0].kind in _WIDGETS]
    tables = [pair for pair in shown if pair[0].kind == "tableEx"]
    places = [*_places(len(cards), 2, _GRID // 6, 3)]
    below = 2 + 3 * -(-len(cards) // 6)
    places += _places(len(charts), below, _GRID // 2, 6)
    below += 6 * -(-len(charts) // 2)
    places += _places(len(tables), below, _GRID, 6)
    for (visual, query), position in zip([*cards, *charts, *tables], places, strict=True):
        name = f"{page.name}_{visual.name}"
        datasets.append({"name": name, "displayName": visual.title, "queryLines": [query]})
        layout.append({"widget": _widget(visual, name, currency), "position": position})
    return {"name": page.name, "displayName": page.title, "layout": layout, "pageType": "PAGE_TYPE_CANVAS"}


def _places(count: int, top: int, width: int, height: int) -> Iterator[dict[str, int]]:
    across = _GRID // width
    for n in range(count):
        yield {"x": n % across * width, "y": top + n // across * height, "width": width, "height": height}


def query_of(visual: Visual, catalog: str) -> str | None:
    """The query of a visual over its metric view; None where no single view has all that it shows."""
    measures = _measures(visual)
    if not measures or visual.kind not in (*_WIDGETS, "card", "tableEx"):
        return None
    columns = _columns(visual)
    if len({_view(metric) for metric in measures}) != 1 or columns is None:
        return None
    listed = [*columns, *(f"MEASURE({metric.name}) AS {metric.name}" for metric in measures)]
    text = f"SELECT {', '.join(listed)} FROM {_qualified(catalog, _view(measures[0]))}"
    if visual.where and visual.where[0] == TIME:
        return None  # the calculation group is Power BI's
    if visual.where:
        field, values = visual.where
        name = _dimension(measures[0], field)
        if name is None:
            return None
        literals = ", ".join("'" + str(value).replace("'", "''") + "'" for value in values)
        text += f" WHERE {name} IN ({literals})"
    elif columns and columns[0] == "closed_month":
        # an open deal has none
        text += " WHERE closed_month IS NOT NULL"
    if columns:
        text += " GROUP BY ALL ORDER BY "
        text += f"{_sort(visual, measures)} DESC" if visual.sort else columns[0]
    return text


def _measures(visual: Visual) -> list[Metric]:
    """The metrics that a visual shows; none where one of its measures is no metric."""
    names = [
        field for role, fields in visual.fields.items() if role != "Y2" for field in fields if isinstance(field, str)
    ]
    metric_names = [model().measure(name).metric for name in names]
    chosen = [metrics()[name] for name in metric_names if name]
    there = len(chosen) == len(metric_names) and all(metric.stands_alone for metric in chosen)
    return chosen if there else []


def _columns(visual: Visual) -> list[str] | None:
    """Dimensions of a visual in its metrics' view; None where one of its columns is no dimension there, or is another one
    for each metric, as a month is that counts deals opened and deals won.
    """
    fields = [field for group in visual.fields.values() for field in group if not isinstance(field, str)]
    first, *others = ([_dimension(metric, field) for field in fields] for metric in _measures(visual))
    return None if None in first or any(columns != first for columns in others) else [str(name) for name in first]


def _dimension(metric: Metric, field: tuple[str, str]) -> str | None:
    """The dimension that a column of the model is; its day of the week is a number in the metric view."""
    if field == ("Touches", "Weekday"):
        return "weekday"
    return next((own.name for own in metric.view.dimensions if dimension(metric, own.name) == field), None)


def _sort(visual: Visual, measures: list[Metric]) -> str:
    return next(metric.name for metric in measures if metric.measure.display_name == visual.sort)


def _widget(visual: Visual, dataset: str, currency: str) -> dict[str, Any]:
    measures, columns = _measures(visual), _columns(visual) or []
    title = visual.title
    if visual.kind == "lineClusteredColumnComboChart":
        title = f"{measures[0].measure.display_name} by month"
    names = [*columns, *(metric.name for metric in measures)]
    query = {
        "datasetName": dataset,
        "fields": [{"name": name, "expression": f"`{name}`"} for name in names],
        "disaggregated": True,
    }
    spec: dict[str, Any] = {"frame": {"showTitle": True, "title": title}}
    if visual.kind == "card":
        spec |= {"version": 2, "widgetType": "counter", "encodings": {"value": _value(measures[0], currency)}}
    elif visual.kind == "tableEx":
        listed = [{"fieldName": column, "displayName": column.replace("_", " ").capitalize()} for column in columns]
        spec |= {
            "version": 2, "widgetType": "table",
            "encodings": {"columns": [*listed, *(_value(metric, currency) for metric in measures)]},
        }  # fmt: skip
    else:
        spec |= {
            "version": 3,
            "widgetType": _WIDGETS[visual.kind],
            "encodings": _axes(visual, columns, measures, currency),
        }
    return {"name": dataset, "queries": [{"name": "main_query", "query": query}], "spec": spec}


def _axes(visual: Visual, columns: list[str], measures: list[Metric], currency: str) -> dict[str, Any]:
    across: dict[str, Any] = {
        "fieldName": columns[0],
        "displayName": columns[0].replace("_", " ").capitalize(),
        "scale": {"type": "categorical", **({"sort": {"by": "y-reversed"}} if visual.sort else {})},
    }
    up: dict[str, Any] = {"scale": {"type": "quantitative"}}
    up |= (
        _value(measures[0], currency)
        if len(measures) == 1
        else {"fields": [_value(metric, currency) for metric in measures]}
    )
    encodings = {"x": across, "y": up}
    if len(columns) > 1:
        encodings["color"] = {"fieldName": columns[1], "displayName": columns[1], "scale": {"type": "categorical"}}
        encodings["y"]["scale"]["stackMode"] = "stacked"
    return encodings


def _value(metric: Metric, currency: str) -> dict[str, Any]:
    """A measure in an encoding, with its format."""
    form = metric.measure.format
    kind = {"currency": "number-currency", "percentage": "number-percent", "number": "number-plain"}[form.type]
    number_format: dict[str, Any] = {
        "type": kind,
        "decimalPlaces": {"type": "exact", "places": form.decimal_places.places},
    }
    if form.type == "currency":
        number_format["currencyCode"] = currency
    return {"fieldName": metric.name, "displayName": metric.measure.display_name, "format": number_format}
