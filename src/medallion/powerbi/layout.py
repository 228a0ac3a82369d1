"""Visuals as Power BI writes them: the classic layout of a .pbix and .pbit, and PBIR, the one of a project."""

from __future__ import annotations

import json
from typing import Any

from medallion.powerbi.model import HOME, Model
from medallion.powerbi.pages import TOOLTIP, Field, Page, Visual, pages
from medallion.powerbi.theme import NAME

THEME_FILE = f"{NAME}.json"
_BASE = {"name": "CY24SU10", "reportVersionAtImport": "5.61", "type": "SharedResources"}
_SCHEMAS = "https://developer.microsoft.com/json-schemas/fabric/item/report"
#: Roles whose first field is drilled through.
_DRILLED = ("Category", "Rows")
#: Codes of the classic layout: of a custom theme, of a page that is drilled through to and of its filter, of a page that
#: is shown beside figures, of a hidden page, of pages that fit and pages in their size.
_THEME, _DRILL, _BY_DRILL, _TIP, _HIDDEN, _FIT, _ACTUAL = 201, 1, 5, 2, 1, 1, 3


def layout(model: Model) -> dict[str, Any]:
    """Report/Layout of a .pbix or .pbit."""
    config = {
        "version": "5.61",
        "themeCollection": {
            "baseTheme": {"name": _BASE["name"], "version": _BASE["reportVersionAtImport"], "type": 2},
            "customTheme": {"name": THEME_FILE, "version": _BASE["reportVersionAtImport"], "type": 1},
        },
        "activeSectionIndex": 0,
        "linguisticSchemaSyncVersion": 2,
        "defaultDrillFilterOtherVisuals": True,
        "objects": {},
        "settings": {
            "useNewFilterPaneExperience": True, "allowChangeFilterTypes": True,
            "useStylableVisualContainerHeader": True,
        },
    }  # fmt: skip
    return {
        "id": 0,
        "resourcePackages": [
            {
                "resourcePackage": {
                    "name": "RegisteredResources", "type": 1, "disabled": False,
                    "items": [{"type": _THEME, "path": THEME_FILE, "name": THEME_FILE}],
                }
            }
        ],
        "config": _dumped(config),
        "sections": [_section(page, place, model) for place, page in enumerate(pages())],
        "pods": [pod for page in pages() for pod in _pods(page)],
    }  # fmt: skip


def _section(page: Page, place: int, model: Model) -> dict[str, Any]:
    return {
        "displayName": page.title,
        "name": page.name,
        "ordinal": place,
        "width": page.width,
        "height": page.height,
        "displayOption": _ACTUAL if page.is_tooltip else _FIT,
        "filters": _dumped(_drilled(page, classic=True)),
        "config": _dumped({"visibility": _HIDDEN} if page.hidden else {}),
        "visualContainers": [_container(visual, model) for visual in page.visuals],
    }


def _pods(page: Page) -> list[dict[str, Any]]:
    """What a page is bound to in the classic layout."""
    if not page.hidden:
        return []
    bound = {"name": f"pod_{page.name}", "boundSection": page.name, "config": "{}"}
    if page.is_tooltip:
        return [bound | {"type": _TIP}]
    return [bound | {"type": _DRILL, "parameters": _dumped([_parameter(page)])}]


def _parameter(page: Page) -> dict[str, Any]:
    """The value that readers bring along when they drill through to a page."""
    assert page.drill is not None  # noqa: S101 - of such pages alone
    field = _expression(page.drill, {"Entity": page.drill[0]})
    return {"name": f"parameter_{page.name}", "boundFilter": f"drill_{page.name}", "fieldExpr": field}


def _drilled(page: Page, classic: bool) -> list[dict[str, Any]]:
    """The filter of a page that the value fills."""
    if page.drill is None:
        return []
    field = _expression(page.drill, {"Entity": page.drill[0]})
    filter_ = {"name": f"drill_{page.name}", "type": "Categorical"}
    return [
        filter_ | {"expression": field, "howCreated": _BY_DRILL}
        if classic
        else filter_ | {"field": field, "howCreated": "Drillthrough"}
    ]


def _container(visual: Visual, model: Model) -> dict[str, Any]:
    from pbix_mcp.report_binding import compile_visual_binding

    single: dict[str, Any] = {"visualType": visual.kind}
    container: dict[str, Any] = {**_position(visual), "filters": _dumped(_filters(visual, classic=True))}
    if visual.fields:
        single["projections"] = {
            role: [{"queryRef": _reference(field), **({"active": True} if role in _DRILLED and not n else {})}
                   for n, field in enumerate(fields)]
            for role, fields in visual.fields.items()
        }  # fmt: skip
        single["prototypeQuery"] = _prototype(visual)
        query, transforms = compile_visual_binding(single, _types(model))
        container |= {"query": _dumped(query), "dataTransforms": _dumped(transforms)}
    single["drillFilterOtherVisuals"] = True
    single["objects"], single["vcObjects"] = _objects(visual), _frame(visual)
    container["config"] = _dumped(
        {
            "name": visual.name,
            "layouts": [{"id": 0, "position": _position(visual)}],
            "singleVisual": single,
        }
    )
    return container


def _prototype(visual: Visual) -> dict[str, Any]:
    fields = list(dict.fromkeys(field for group in visual.fields.values() for field in group))
    alias = {entity: f"t{n}" for n, entity in enumerate(dict.fromkeys(_entity(field) for field in fields))}
    query: dict[str, Any] = {
        "Version": 2,
        "From": [{"Name": short, "Entity": entity, "Type": 0} for entity, short in alias.items()],
        "Select": [
            {**_expression(field, {"Source": alias[_entity(field)]}), "Name": _reference(field)} for field in fields
        ],
    }
    if visual.sort:
        sort = _expression(visual.sort, {"Source": alias[_entity(visual.sort)]})
        query["OrderBy"] = [{"Direction": 2, "Expression": sort}]
    return query


def _types(model: Model) -> Any:
    def resolve(entity: str, name: str, is_measure: bool) -> str | None:
        return None if is_measure else model.table(entity).column(name).type

    resolve.summarize_by = lambda entity, name: 2  # type: ignore[attr-defined]
    resolve.data_category = lambda entity, name: None  # type: ignore[attr-defined]
    return resolve


def pbir() -> dict[str, Any]:
    """Files of a report's `definition` folder by path."""
    files: dict[str, Any] = {
        "version.json": {"$schema": f"{_SCHEMAS}/definition/versionMetadata/1.0.0/schema.json", "version": "2.0.0"},
        "report.json": {
            "$schema": f"{_SCHEMAS}/definition/report/2.0.0/schema.json",
            "themeCollection": {
                "baseTheme": _BASE,
                "customTheme": {**_BASE, "name": THEME_FILE, "type": "RegisteredResources"},
            },
            "resourcePackages": [
                {
                    "name": "RegisteredResources", "type": "RegisteredResources",
                    "items": [{"name": THEME_FILE, "path": THEME_FILE, "type": "CustomTheme"}],
                }
            ],
            "settings": {"useStylableVisualContainerHeader": True, "defaultDrillFilterOtherVisuals": True},
        },
        "pages/pages.json": {
            "$schema": f"{_SCHEMAS}/definition/pagesMetadata/1.0.0/schema.json",
            "pageOrder": [page.name for page in pages()],
            "activePageName": pages()[0].name,
        },
    }  # fmt: skip
    for page in pages():
        files[f"pages/{page.name}/page.json"] = {
            "$schema": f"{_SCHEMAS}/definition/page/2.0.0/schema.json",
            "name": page.name, "displayName": page.title, "displayOption": "ActualSize" if page.is_tooltip else "FitToPage",
            "height": page.height, "width": page.width, **_bound(page),
        }  # fmt: skip
        for visual in page.visuals:
            files[f"pages/{page.name}/visuals/{visual.name}/visual.json"] = _visual(visual)
    return files


def _bound(page: Page) -> dict[str, Any]:
    """How a page is used that is opened from others."""
    if not page.hidden:
        return {}
    kind = "Tooltip" if page.is_tooltip else "Drillthrough"
    binding: dict[str, Any] = {"name": f"pod_{page.name}", "type": kind}
    settings: dict[str, Any] = {"type": kind, "visibility": "HiddenInViewMode"}
    if page.drill:
        binding["parameters"] = [_parameter(page)]
        settings["filterConfig"] = {"filters": _drilled(page, classic=False)}
    return {**settings, "pageBinding": binding}


def _visual(visual: Visual) -> dict[str, Any]:
    body: dict[str, Any] = {"visualType": visual.kind}
    if visual.fields:
        body["query"] = {
            "queryState": {
                role: {
                    "projections": [
                        {
                            "field": _expression(field, {"Entity": _entity(field)}),
                            "queryRef": _reference(field),
                            "nativeQueryRef": _label(field),
                            **({"active": True} if role in _DRILLED and not n else {}),
                        }
                        for n, field in enumerate(fields)
                    ]
                }
                for role, fields in visual.fields.items()
            }
        }
        if visual.sort:
            sort = _expression(visual.sort, {"Entity": _entity(visual.sort)})
            body["query"]["sortDefinition"] = {"sort": [{"field": sort, "direction": "Descending"}]}
    if objects := _objects(visual):
        body["objects"] = objects
    body |= {"visualContainerObjects": _frame(visual), "drillFilterOtherVisuals": True}
    document = {
        "$schema": f"{_SCHEMAS}/definition/visualContainer/2.0.0/schema.json",
        "name": visual.name,
        "position": _position(visual),
        "visual": body,
    }
    if filters := _filters(visual, classic=False):
        document["filterConfig"] = {"filters": filters}
    return document


def _position(visual: Visual) -> dict[str, int]:
    box, place = visual.box, visual.order * 1000
    return {"x": box.x, "y": box.y, "z": place, "width": box.width, "height": box.height, "tabOrder": place}


def _filters(visual: Visual, classic: bool) -> list[dict[str, Any]]:
    if not visual.where:
        return []
    (table, column), values = visual.where
    field = _expression((table, column), {"Entity": table})
    within = {
        "Expressions": [_expression((table, column), {"Source": "f"})],
        "Values": [[{"Literal": {"Value": _literal(value)}}] for value in values],
    }
    condition = {
        "Version": 2,
        "From": [{"Name": "f", "Entity": table, "Type": 0}],
        "Where": [{"Condition": {"In": within}}],
    }
    name = f"filter_{visual.name}"[:50]
    if classic:
        return [{"name": name, "expression": field, "filter": condition, "type": "Categorical", "howCreated": 1}]
    return [{"name": name, "field": field, "type": "Categorical", "filter": condition}]


def _objects(visual: Visual) -> dict[str, Any]:
    """Formatting that belongs to the kind of visual."""
    if visual.kind == "textbox":
        heading = {"fontSize": "18pt", "fontWeight": "bold"}
        lines = [
            {"textRuns": [{"value": visual.title, "textStyle": heading}]},
            {"textRuns": [{"value": visual.text, "textStyle": {"fontSize": "11pt"}}]},
        ]
        return {"general": [{"properties": {"paragraphs": lines}}]}
    if visual.kind == "slicer":
        objects: dict[str, Any] = {"data": [{"properties": {"mode": _text("Dropdown")}}]}
        if visual.title == "Sales target":
            objects["selection"] = [{"properties": {"singleSelect": _value("true")}}]
        return objects
    if visual.kind == "card":
        objects = {"categoryLabels": [{"properties": {"show": _value("false")}}]}
        size = "10D" if visual.where else "20D" if visual.box.height < 80 else ""
        return objects | ({"labels": [{"properties": {"fontSize": _value(size)}}]} if size else {})
    if visual.colours:
        return {"dataPoint": [_coloured(visual, name, colour) for name, colour in visual.colours.items()]}
    if visual.kind in ("clusteredBarChart", "clusteredColumnChart") and len(visual.fields["Y"]) == 1:
        return {
            "labels": [{"properties": {"show": _value("true")}}],
            "valueAxis": [{"properties": {"show": _value("false")}}],
            "categoryAxis": [{"properties": {"showAxisTitle": _value("false")}}],
        }
    return {}


def _coloured(visual: Visual, name: str, colour: str) -> dict[str, Any]:
    """The colour of one series: of a measure, or of a value of the column that makes the series."""
    selector: dict[str, Any] = {"metadata": _reference(name)}
    if series := visual.fields.get("Series"):
        equal = {
            "ComparisonKind": 0,
            "Left": _expression(series[0], {"Entity": _entity(series[0])}),
            "Right": {"Literal": {"Value": _literal(name)}},
        }
        selector = {"data": [{"scopeId": {"Comparison": equal}}]}
    fill = {"solid": {"color": _text(colour)}}
    return {"properties": {"fill": fill}, "selector": selector}


def _frame(visual: Visual) -> dict[str, Any]:
    """Title and alternative text of the container."""
    shown = visual.kind != "textbox" and not (visual.kind == "card" and visual.where)
    title: dict[str, Any] = {"show": _value("true" if shown else "false")}
    if shown:
        title["text"] = _text(visual.title)
    frame = {"title": [{"properties": title}], "general": [{"properties": {"altText": _text(visual.alt)}}]}
    if visual.tips:
        tip = {"show": _value("true"), "type": _text("Canvas"), "section": _text(TOOLTIP)}
        frame["visualTooltip"] = [{"properties": tip}]
    return frame


def _value(literal: str) -> dict[str, Any]:
    return {"expr": {"Literal": {"Value": literal}}}


def _text(value: str) -> dict[str, Any]:
    return _value(_literal(value))


def _literal(value: Any) -> str:
    """A literal of a report's queries.

    >>> _literal("customer's"), _literal(3)
    ("'customer''s'", '3L')
    """
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else f"{value}L"


def _entity(field: Field) -> str:
    return HOME if isinstance(field, str) else field[0]


def _label(field: Field) -> str:
    return field if isinstance(field, str) else field[1]


def _reference(field: Field) -> str:
    return f"{_entity(field)}.{_label(field)}"


def _expression(field: Field, source: dict[str, str]) -> dict[str, Any]:
    kind = "Measure" if isinstance(field, str) else "Column"
    return {kind: {"Expression": {"SourceRef": source}, "Property": _label(field)}}


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
