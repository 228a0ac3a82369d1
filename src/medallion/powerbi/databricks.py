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
    told = [
        "-- Metric views of Unity Catalog, written by `medallion metrics databricks`; "
        "they need a SQL warehouse or Databricks Runtime 17.2."
    ]
    for name, view in views().items():
        body = yaml.safe_dump(_declared(view, catalog, currency), sort_keys=False, allow_unicode=True, width=1000)
        if "$$" in body:
            raise ContractError(f"{name}: a declaration holds $$, which ends the statement", "Write it without.")
        told.append(
            f"CREATE OR REPLACE VIEW {_qualified(catalog, name)}\nWITH METRICS\nLANGUAGE YAML\nAS $$\n{body}$$;"
        )
    return "\n\n".join(told) + "\n"


def views() -> dict[str, MetricView]:
    """The views by the name that they get in Databricks, each with the metrics that are told there.

    Beside those of the declarations, one by day for each that counts by several days.
    """
    declared = {_view(metric): metric.view for metric in modelled().values()}
    found = {}
    for name, view in declared.items():
        told = tuple(one for one in view.measures if Metric(view, one).stands_alone)
        found[name] = view.model_copy(update={"measures": tuple(one for one in told if not one.parts)})
        if len({one.period for one in told if one.period}) > 1:
            found[name.replace("_metrics", "_by_day_metrics")] = _by_day(view, told)
    return found


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


def _by_day(view: MetricView, told: tuple[Measure, ...]) -> MetricView:
    """A view in which each metric counts by its own day: one row per row of the source and day that metrics count by.

    Its `day` is the day opened to what counts deals opened and the day closed to what counts deals won, so that one
    filter is a period to all of them, and a ratio of metrics takes each by its own.
    """
    days = {one.period for one in told if one.period}
    rows = " UNION ALL ".join(
        f"SELECT '{one.name}' AS counted_by, {one.expr} AS day, one.* FROM {view.source} AS one"
        for one in view.dimensions
        if one.name in days
    )
    dated = {one.name: one for one in told if one.period}
    whole = view.model_copy(
        update={
            "source": rows,
            "comment": f"{view.comment.rstrip('.')}; each measure counts by its own day.",
            "dimensions": (*_UNITS, *(one for one in view.dimensions if not one.is_time)),
            "measures": tuple(one.model_copy(update={"expr": _counted_by(one)}) for one in dated.values()),
        }
    )
    made = tuple(one for one in told if one.parts and all(part in dated for part in one.parts))
    return whole.model_copy(update={"measures": (*whole.measures, *made)})


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
    found: dict[str, Any] = {"version": view.version, "comment": view.comment, "source": source}
    if view.filter:
        found["filter"] = view.filter
    found["dimensions"] = [
        one.model_dump(include={"name", "expr", "display_name", "comment", "synonyms"}) for one in view.dimensions
    ]
    found["measures"] = [
        {
            "name": one.name,
            "expr": " ".join(Metric(view, one).expression({}).split()),
            "display_name": one.display_name,
            "comment": one.comment,
            "synonyms": list(one.synonyms),
            "format": one.format.model_dump(exclude_none=True)
            | ({"currency_code": currency} if one.format.type == "currency" else {}),
        }
        for one in view.measures
    ]
    return found


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
    cards = [one for one in shown if one[0].kind == "card"]
    charts = [one for one in shown if one[0].kind in _WIDGETS]
    tables = [one for one in shown if one[0].kind == "tableEx"]
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
    if len({_view(one) for one in measures}) != 1 or columns is None:
        return None
    listed = [*columns, *(f"MEASURE({one.name}) AS {one.name}" for one in measures)]
    text = f"SELECT {', '.join(listed)} FROM {_qualified(catalog, _view(measures[0]))}"
    if visual.where and visual.where[0] == TIME:
        return None  # the calculation group is Power BI's
    if visual.where:
        field, values = visual.where
        name = _dimension(measures[0], field)
        if name is None:
            return None
        told = ", ".join("'" + str(value).replace("'", "''") + "'" for value in values)
        text += f" WHERE {name} IN ({told})"
    elif columns and columns[0] == "closed_month":
        # an open deal has none
        text += " WHERE closed_month IS NOT NULL"
    if columns:
        text += " GROUP BY ALL ORDER BY "
        text += f"{_sort(visual, measures)} DESC" if visual.sort else columns[0]
    return text


def _measures(visual: Visual) -> list[Metric]:
    """The metrics that a visual shows; none where one of its measures is no metric."""
    names = [one for role, fields in visual.fields.items() if role != "Y2" for one in fields if isinstance(one, str)]
    found = [model().measure(name).metric for name in names]
    chosen = [metrics()[name] for name in found if name]
    there = len(chosen) == len(found) and all(one.stands_alone for one in chosen)
    return chosen if there else []


def _columns(visual: Visual) -> list[str] | None:
    """Dimensions of a visual in its metrics' view; None where one of its columns is no dimension there, or is another one
    for each metric, as a month is that counts deals opened and deals won.
    """
    fields = [one for group in visual.fields.values() for one in group if not isinstance(one, str)]
    found, *others = ([_dimension(metric, field) for field in fields] for metric in _measures(visual))
    return None if None in found or any(one != found for one in others) else [str(one) for one in found]


def _dimension(metric: Metric, field: tuple[str, str]) -> str | None:
    """The dimension that a column of the model is; its day of the week is a number in the metric view."""
    if field == ("Touches", "Weekday"):
        return "weekday"
    return next((one.name for one in metric.view.dimensions if dimension(metric, one.name) == field), None)


def _sort(visual: Visual, measures: list[Metric]) -> str:
    return next(one.name for one in measures if one.measure.display_name == visual.sort)


def _widget(visual: Visual, dataset: str, currency: str) -> dict[str, Any]:
    measures, columns = _measures(visual), _columns(visual) or []
    title = visual.title
    if visual.kind == "lineClusteredColumnComboChart":
        title = f"{measures[0].measure.display_name} by month"
    names = [*columns, *(one.name for one in measures)]
    query = {
        "datasetName": dataset,
        "fields": [{"name": one, "expression": f"`{one}`"} for one in names],
        "disaggregated": True,
    }
    spec: dict[str, Any] = {"frame": {"showTitle": True, "title": title}}
    if visual.kind == "card":
        spec |= {"version": 2, "widgetType": "counter", "encodings": {"value": _value(measures[0], currency)}}
    elif visual.kind == "tableEx":
        listed = [{"fieldName": one, "displayName": one.replace("_", " ").capitalize()} for one in columns]
        spec |= {
            "version": 2, "widgetType": "table",
            "encodings": {"columns": [*listed, *(_value(one, currency) for one in measures)]},
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
        _value(measures[0], currency) if len(measures) == 1 else {"fields": [_value(one, currency) for one in measures]}
    )
    found = {"x": across, "y": up}
    if len(columns) > 1:
        found["color"] = {"fieldName": columns[1], "displayName": columns[1], "scale": {"type": "categorical"}}
        found["y"]["scale"]["stackMode"] = "stacked"
    return found


def _value(metric: Metric, currency: str) -> dict[str, Any]:
    """A measure in an encoding, with its format."""
    form = metric.measure.format
    kind = {"currency": "number-currency", "percentage": "number-percent", "number": "number-plain"}[form.type]
    told: dict[str, Any] = {"type": kind, "decimalPlaces": {"type": "exact", "places": form.decimal_places.places}}
    if form.type == "currency":
        told["currencyCode"] = currency
    return {"fieldName": metric.name, "displayName": metric.measure.display_name, "format": told}
