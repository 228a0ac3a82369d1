"""The model as text: TMDL, one file per table, and the same as JSON (TMSL) for the template."""

from __future__ import annotations

import uuid
from typing import Any

from medallion.powerbi import roles
from medallion.powerbi.m import Source, expressions, mode, partition
from medallion.powerbi.model import HOME, Column, Hierarchy, Measure, Model, Table

#: Names of types in TMDL and TMSL.
TYPES = {
    "String": "string", "Int64": "int64", "Double": "double", "Decimal": "decimal", "DateTime": "dateTime",
    "Boolean": "boolean",
}  # fmt: skip
_SPACE = uuid.UUID("6d65645a-6c6c-5569-8f6e-706f77657262")
COMPATIBILITY = 1550
#: Of the one calculation group.
PRECEDENCE = 10


def tag(*names: str) -> str:
    """A lineage tag that stays the same in every build."""
    return str(uuid.uuid5(_SPACE, "/".join(names)))


def name(value: str) -> str:
    """A name in TMDL.

    >>> name("Deals"), name("Win rate"), name("Top customer's share")
    ('Deals', "'Win rate'", "'Top customer''s share'")
    """
    return value if value.isidentifier() else "'" + value.replace("'", "''") + "'"


def tmdl(model: Model, source: Source, culture: str = "en-US") -> dict[str, str]:
    """Files of a semantic model's `definition` folder by path."""
    queries = expressions(source)
    order = [one.name for one in queries] + [one.name for one in model.tables if not one.items]
    listed = ",".join(f'"{one}"' for one in order)
    found = {
        "database.tmdl": f"database\n\tcompatibilityLevel: {COMPATIBILITY}\n",
        "model.tmdl": "\n".join(
            [
                "model Model",
                f"\tculture: {culture}",
                "\tdefaultPowerBIDataSourceVersion: powerBI_V3",
                "\tdiscourageImplicitMeasures",
                f"\tsourceQueryCulture: {culture}",
                "\tdataAccessOptions",
                "\t\tlegacyRedirects",
                "\t\treturnErrorValuesAsNull",
                "",
                f"annotation PBI_QueryOrder = [{listed}]",
                "",
                "annotation __PBI_TimeIntelligenceEnabled = 0",
                "",
                *(f"ref table {name(one.name)}" for one in model.tables),
                "",
            ]
        ),
        "relationships.tmdl": "\n".join(_relationships(model)),
        "expressions.tmdl": "\n".join(
            line
            for one in queries
            for line in (
                f"/// {one.description}",
                f"expression {one.name} =" + _block(one.text, 2),
                f"\tlineageTag: {tag('expression', one.name)}",
                "",
                f"\tannotation PBI_ResultType = {'Text' if one.parameter else 'Function'}",
                "",
            )
        ),
    }
    if model.permissions:
        found["model.tmdl"] += f"ref role {name(roles.NAME)}\n"
        filters = [f"\ttablePermission {name(table)} = {text}" for table, text in model.permissions]
        found[f"roles/{roles.NAME}.tmdl"] = "\n".join(
            [
                f"role {name(roles.NAME)}",
                "\tmodelPermission: read",
                "",
                *(line for one in filters for line in (one, "")),
            ]
        )
    for table in model.tables:
        found[f"tables/{table.name}.tmdl"] = "\n".join(_table(table, model, source))
    return found


def _block(value: str, indent: int) -> str:
    """A value on the same line, or on lines of its own below."""
    if "\n" not in value:
        return f" {value}"
    return "\n" + "\n".join("\t" * indent + line for line in value.split("\n"))


def _relationships(model: Model) -> list[str]:
    lines = []
    for one in model.relationships:
        lines.append(f"relationship {tag('relationship', one.name)}")
        if not one.active:
            lines.append("\tisActive: false")
        lines.append(f"\tfromColumn: {name(one.table)}.{name(one.column)}")
        lines += [f"\ttoColumn: {name(one.to)}.{name(one.to_column)}", ""]
    return lines


def _table(table: Table, model: Model, source: Source) -> list[str]:
    lines = [f"/// {table.description}", f"table {name(table.name)}", f"\tlineageTag: {tag('table', table.name)}"]
    if table.hidden:
        lines.append("\tisHidden")
    if table.kind == "dates":
        lines.append("\tdataCategory: Time")
    lines.append("")
    if table.items:
        lines += ["\tcalculationGroup", f"\t\tprecedence: {PRECEDENCE}", ""]
        for item in table.items:
            lines += [f"\t\t/// {item.description}", f"\t\tcalculationItem {name(item.name)} = {item.expression}", ""]
    if table.name == HOME:
        for measure in model.measures:
            lines += _measure(measure)
    for column in table.columns:
        lines += _column(table, column)
    for hierarchy in table.hierarchies:
        lines += _hierarchy(table, hierarchy)
    if table.items:
        return [*lines, f"\tpartition {name(table.name)} = calculationGroup", "\t\tmode: import", ""]
    lines += [f"\tpartition {name(table.name)} = m", f"\t\tmode: {mode(table, source)}"]
    text = partition(table, model, source)
    lines += ["\t\tsource =" + _block(text, 4), "", "\tannotation PBI_ResultType = Table", ""]
    return lines


def _measure(measure: Measure) -> list[str]:
    return [
        f"\t/// {measure.description}",
        f"\tmeasure {name(measure.name)} = {measure.expression}",
        f"\t\tformatString: {measure.form}",
        f"\t\tdisplayFolder: {measure.folder}",
        f"\t\tlineageTag: {tag('measure', measure.name)}",
        "",
    ]


def _hierarchy(table: Table, hierarchy: Hierarchy) -> list[str]:
    lines = [
        f"\thierarchy {name(hierarchy.name)}",
        f"\t\tlineageTag: {tag('hierarchy', table.name, hierarchy.name)}",
        "",
    ]
    for level in hierarchy.levels:
        lines += [
            f"\t\tlevel {name(level)}",
            f"\t\t\tlineageTag: {tag('level', table.name, hierarchy.name, level)}",
            f"\t\t\tcolumn: {name(level)}",
            "",
        ]
    return lines


def _column(table: Table, column: Column) -> list[str]:
    lines = [
        f"\t/// {column.description}" if column.description else "",
        f"\tcolumn {name(column.name)}",
        f"\t\tdataType: {TYPES[column.type]}",
        "\t\tisHidden" if column.hidden else "",
        "\t\tisKey" if table.kind == "dates" and column.key else "",
        f"\t\tdataCategory: {column.category}" if column.category else "",
        f"\t\tformatString: {column.form}" if column.form else "",
        f"\t\tlineageTag: {tag('column', table.name, column.name)}",
        "\t\tsummarizeBy: none",
        f"\t\tsourceColumn: {column.source}",
        f"\t\tsortByColumn: {name(column.sort_by)}" if column.sort_by else "",
    ]
    return [*(line for line in lines if line), "", "\t\tannotation SummarizationSetBy = User", ""]


def tmsl(model: Model, source: Source, culture: str = "en-US") -> dict[str, Any]:
    """The model as a template carries it: definitions without data."""
    queries = expressions(source)
    order = [one.name for one in queries] + [one.name for one in model.tables if not one.items]
    return {
        "name": "sales_pipeline_dashboard",
        "compatibilityLevel": COMPATIBILITY,
        "model": {
            "culture": culture,
            "dataAccessOptions": {"legacyRedirects": True, "returnErrorValuesAsNull": True},
            "defaultPowerBIDataSourceVersion": "powerBI_V3",
            "discourageImplicitMeasures": True,
            "sourceQueryCulture": culture,
            "tables": [_tmsl_table(table, model, source) for table in model.tables],
            "relationships": [
                {
                    "name": tag("relationship", one.name),
                    "fromTable": one.table, "fromColumn": one.column, "toTable": one.to, "toColumn": one.to_column,
                    **({} if one.active else {"isActive": False}),
                }
                for one in model.relationships
            ],
            **({"roles": [_role(model)]} if model.permissions else {}),
            "expressions": [
                {
                    "name": one.name, "kind": "m", "expression": one.text.split("\n"), "description": one.description,
                    "lineageTag": tag("expression", one.name),
                    "annotations": [_annotation("PBI_ResultType", "Text" if one.parameter else "Function")],
                }
                for one in queries
            ],
            "annotations": [
                _annotation("PBI_QueryOrder", "[" + ",".join(f'"{one}"' for one in order) + "]"),
                _annotation("__PBI_TimeIntelligenceEnabled", "0"),
            ],
        },
    }  # fmt: skip


def _role(model: Model) -> dict[str, Any]:
    filters = [{"name": table, "filterExpression": text} for table, text in model.permissions]
    return {"name": roles.NAME, "modelPermission": "read", "tablePermissions": filters}


def _annotation(key: str, value: str) -> dict[str, str]:
    return {"name": key, "value": value}


def _tmsl_table(table: Table, model: Model, source: Source) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": table.name,
        "description": table.description,
        "lineageTag": tag("table", table.name),
    }
    if table.hidden:
        found["isHidden"] = True
    if table.kind == "dates":
        found["dataCategory"] = "Time"
    found["columns"] = [
        {
            "name": one.name, "dataType": TYPES[one.type], "sourceColumn": one.source, "summarizeBy": "none",
            "lineageTag": tag("column", table.name, one.name),
            **({"description": one.description} if one.description else {}),
            **({"isHidden": True} if one.hidden else {}),
            **({"isKey": True} if one.key and table.kind == "dates" else {}),
            **({"formatString": one.form} if one.form else {}),
            **({"sortByColumn": one.sort_by} if one.sort_by else {}),
            **({"dataCategory": one.category} if one.category else {}),
            "annotations": [_annotation("SummarizationSetBy", "User")],
        }
        for one in table.columns
    ]  # fmt: skip
    if table.name == HOME:
        found["measures"] = [
            {
                "name": one.name, "expression": one.expression, "description": one.description,
                "formatString": one.form, "displayFolder": one.folder, "lineageTag": tag("measure", one.name),
            }
            for one in model.measures
        ]  # fmt: skip
    if table.hierarchies:
        found["hierarchies"] = [
            {
                "name": one.name, "lineageTag": tag("hierarchy", table.name, one.name),
                "levels": [
                    {"ordinal": place, "name": level, "column": level, "lineageTag": tag("level", table.name, one.name, level)}
                    for place, level in enumerate(one.levels)
                ],
            }
            for one in table.hierarchies
        ]  # fmt: skip
    if table.items:
        found["calculationGroup"] = {
            "precedence": PRECEDENCE,
            "calculationItems": [
                {"name": one.name, "ordinal": place, "expression": one.expression, "description": one.description}
                for place, one in enumerate(table.items)
            ],
        }
        found["partitions"] = [{"name": table.name, "mode": "import", "source": {"type": "calculationGroup"}}]
        return found
    found["partitions"] = [
        {
            "name": table.name,
            "mode": mode(table, source),
            "source": {"type": "m", "expression": partition(table, model, source).split("\n")},
        }
    ]
    found["annotations"] = [_annotation("PBI_ResultType", "Table")]
    return found
