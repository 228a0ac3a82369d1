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
    order = [query.name for query in queries] + [table.name for table in model.tables if not table.items]
    listed = ",".join(f'"{entry}"' for entry in order)
    files = {
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
                *(f"ref table {name(table.name)}" for table in model.tables),
                "",
            ]
        ),
        "relationships.tmdl": "\n".join(_relationships(model)),
        "expressions.tmdl": "\n".join(
            line
            for query in queries
            for line in (
                f"/// {query.description}",
                f"expression {query.name} =" + _block(query.text, 2),
                f"\tlineageTag: {tag('expression', query.name)}",
                "",
                f"\tannotation PBI_ResultType = {'Text' if query.parameter else 'Function'}",
                "",
            )
        ),
    }
    if model.permissions:
        files["model.tmdl"] += f"ref role {name(roles.NAME)}\n"
        filters = [f"\ttablePermission {name(table)} = {text}" for table, text in model.permissions]
        files[f"roles/{roles.NAME}.tmdl"] = "\n".join(
            [
                f"role {name(roles.NAME)}",
                "\tmodelPermission: read",
                "",
                *(line for permission in filters for line in (permission, "")),
            ]
        )
    for table in model.tables:
        files[f"tables/{table.name}.tmdl"] = "\n".join(_table(table, model, source))
    return files


def _block(value: str, indent: int) -> str:
    """A value on the same line, or on lines of its own below."""
    if "\n" not in value:
        return f" {value}"
    return "\n" + "\n".join("\t" * indent + line for line in value.split("\n"))


def _relationships(model: Model) -> list[str]:
    lines = []
    for link in model.relationships:
        lines.append(f"relationship {tag('relationship', link.name)}")
        if not link.active:
            lines.append("\tisActive: false")
        lines.append(f"\tfromColumn: {name(link.table)}.{name(link.column)}")
        lines += [f"\ttoColumn: {name(link.to)}.{name(link.to_column)}", ""]
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
    order = [query.name for query in queries] + [table.name for table in model.tables if not table.items]
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
                    "name": tag("relationship", link.name),
                    "fromTable": link.table, "fromColumn": link.column, "toTable": link.to, "toColumn": link.to_column,
                    **({} if link.active else {"isActive": False}),
                }
                for link in model.relationships
            ],
            **({"roles": [_role(model)]} if model.permissions else {}),
            "expressions": [
                {
                    "name": query.name, "kind": "m", "expression": query.text.split("\n"),
                    "description": query.description,
                    "lineageTag": tag("expression", query.name),
                    "annotations": [_annotation("PBI_ResultType", "Text" if query.parameter else "Function")],
                }
                for query in queries
            ],
            "annotations": [
                _annotation("PBI_QueryOrder", "[" + ",".join(f'"{entry}"' for entry in order) + "]"),
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
    definition: dict[str, Any] = {
        "name": table.name,
        "description": table.description,
        "lineageTag": tag("table", table.name),
    }
    if table.hidden:
        definition["isHidden"] = True
    if table.kind == "dates":
        definition["dataCategory"] = "Time"
    definition["columns"] = [
        {
            "name": column.name, "dataType": TYPES[column.type], "sourceColumn": column.source, "summarizeBy": "none",
            "lineageTag": tag("column", table.name, column.name),
            **({"description": column.description} if column.description else {}),
            **({"isHidden": True} if column.hidden else {}),
            **({"isKey": True} if column.key and table.kind == "dates" else {}),
            **({"formatString": column.form} if column.form else {}),
            **({"sortByColumn": column.sort_by} if column.sort_by else {}),
            **({"dataCategory": column.category} if column.category else {}),
            "annotations": [_annotation("SummarizationSetBy", "User")],
        }
        for column in table.columns
    ]  # fmt: skip
    if table.name == HOME:
        definition["measures"] = [
            {
                "name": measure.name, "expression": measure.expression, "description": measure.description,
                "formatString": measure.form, "displayFolder": measure.folder,
                "lineageTag": tag("measure", measure.name),
            }
            for measure in model.measures
        ]  # fmt: skip
    if table.hierarchies:
        definition["hierarchies"] = [
            {
                "name": hierarchy.name, "lineageTag": tag("hierarchy", table.name, hierarchy.name),
                "levels": [
                    {
                        "ordinal": place, "name": level, "column": level,
                        "lineageTag": tag("level", table.name, hierarchy.name, level),
                    }
                    for place, level in enumerate(hierarchy.levels)
                ],
            }
            for hierarchy in table.hierarchies
        ]  # fmt: skip
    if table.items:
        definition["calculationGroup"] = {
            "precedence": PRECEDENCE,
            "calculationItems": [
                {"name": item.name, "ordinal": place, "expression": item.expression, "description": item.description}
                for place, item in enumerate(table.items)
            ],
        }
        definition["partitions"] = [{"name": table.name, "mode": "import", "source": {"type": "calculationGroup"}}]
        return definition
    definition["partitions"] = [
        {
            "name": table.name,
            "mode": mode(table, source),
            "source": {"type": "m", "expression": partition(table, model, source).split("\n")},
        }
    ]
    definition["annotations"] = [_annotation("PBI_ResultType", "Table")]
    return definition
