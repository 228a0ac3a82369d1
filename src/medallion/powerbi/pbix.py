"""The files that Power BI Desktop opens as one: `.pbix` with the data in it, `.pbit` without."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from typing import Any

from medallion.powerbi import roles, tmdl
from medallion.powerbi.layout import THEME_FILE, layout
from medallion.powerbi.m import Source, expressions, partition
from medallion.powerbi.model import HOME, Model
from medallion.powerbi.rows import Rows, cells
from medallion.powerbi.theme import theme

_VERSION = "1.28"
#: Codes of the data model's own tables.
_COLUMN, _MODEL, _EXPRESSION = 4, 1, 41
_NO_SUMMARY, _READ = 2, 2
#: Kind of a partition that is a calculation group.
_GROUP = 7


def pbix(model: Model, rows: Rows, source: Source) -> bytes:
    """A report with its data."""
    return _package({"DataModel": _data_model(model, rows, source)}, model)


def pbit(model: Model, source: Source) -> bytes:
    """A template: the report and the model without data; it asks for the parameters when opened."""
    schema = json.dumps(tmdl.tmsl(model, source), ensure_ascii=False, indent=2)
    return _package({"DataModelSchema": schema.encode("utf-16-le")}, model)


def _package(data: dict[str, bytes], model: Model) -> bytes:
    types = "".join(
        f'<Override PartName="/{part}" ContentType="{kind}" />'
        for part, kind in {
            "Version": "", "DiagramLayout": "", "Report/Layout": "", "Settings": "application/json",
            "Metadata": "application/json", **dict.fromkeys(data, ""),
        }.items()
    )  # fmt: skip
    settings = {
        "Version": 4,
        "ReportSettings": {},
        "QueriesSettings": {"TypeDetectionEnabled": True, "RelationshipImportEnabled": False, "Version": "2.126.29.0"},
    }
    metadata = {"Version": 5, "AutoCreatedRelationships": [], "CreatedFrom": "Cloud", "CreatedFromRelease": "2024.03"}
    parts: dict[str, bytes] = {
        "Version": _VERSION.encode("utf-16-le"),
        "[Content_Types].xml": (
            '\ufeff<?xml version="1.0" encoding="utf-8"?>'
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            f'<Default Extension="json" ContentType="" />{types}</Types>'
        ).encode(),
        "DiagramLayout": _wide(_diagram(model)),
        "Settings": _wide(settings),
        "Metadata": _wide(metadata),
        "Report/Layout": _wide(layout(model)),
        f"Report/StaticResources/RegisteredResources/{THEME_FILE}": json.dumps(theme(), indent=2).encode(),
        **data,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in parts.items():  # the data model is packed in itself, and Desktop stores it as it is
            packed = zipfile.ZIP_STORED if part == "DataModel" else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(part, (2000, 1, 1, 0, 0, 0)), content, packed)
    return buffer.getvalue()


def _wide(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-16-le")


def _diagram(model: Model) -> dict[str, Any]:
    """Where each table is in the model view: dimensions above, facts below."""
    dimensions = [link.to for link in model.relationships]
    above = [table.name for table in model.tables if table.name in dimensions and table.name != "Deals"]
    nodes = []
    for line, names in enumerate((above, [table.name for table in model.tables if table.name not in above])):
        nodes += [
            {
                "location": {"x": 40 + place * 280, "y": 40 + line * 380}, "nodeIndex": table,
                "nodeLineageTag": tmdl.tag("table", table), "size": {"height": 320, "width": 234}, "zIndex": 0,
            }
            for place, table in enumerate(names)
        ]  # fmt: skip
    shown = {
        "ordinal": 0, "scrollPosition": {"x": 0, "y": 0}, "nodes": nodes, "name": "All tables", "zoomValue": 100,
        "pinKeyFieldsToTop": False, "showExtraHeaderInfo": False, "hideKeyFieldsWhenCollapsed": False,
        "tablesLocked": False,
    }  # fmt: skip
    return {"version": "1.1.0", "diagrams": [shown], "selectedDiagram": "All tables", "defaultDiagram": "All tables"}


def _data_model(model: Model, rows: Rows, source: Source) -> bytes:
    """The data model: pbix-mcp encodes the columns and lays the container out, the metadata is completed between."""
    from pbix_mcp.builder import PBIXBuilder, _modify_metadata_and_encode, _stored_tables
    from pbix_mcp.builder_v2 import build_abf_clean
    from pbix_mcp.formats.datamodel_roundtrip import compress_datamodel
    from pbix_mcp.formats.metadata_schema import create_empty_metadata_db

    builder = PBIXBuilder("sales_pipeline_dashboard")
    for table in model.tables:
        columns = [{"name": column.name, "data_type": column.type} for column in table.columns]
        builder.add_table(table.name, columns, [cells(table, row) for row in rows.tables[table.name]])
    for measure in model.measures:
        builder.add_measure(
            HOME, measure.name, measure.expression, measure.description, format_string=measure.form, data_type="Double"
        )
    for link in model.relationships:
        builder.add_relationship(
            link.table, link.column, link.to, link.to_column, is_active=link.active, auto_orient=False
        )
    for table in model.tables:
        for hierarchy in table.hierarchies:
            levels = [{"name": level, "column": level} for level in hierarchy.levels]
            builder.add_user_hierarchy(table.name, hierarchy.name, levels)
    metadata, files = _modify_metadata_and_encode(
        create_empty_metadata_db(), _stored_tables(builder._tables), builder._measures, builder._relationships,
        user_hierarchies=builder._user_hierarchies,
    )  # fmt: skip
    return bytes(compress_datamodel(build_abf_clean(_completed(metadata, model, source), files)))


def _completed(metadata: bytes, model: Model, source: Source) -> bytes:
    """The metadata with all that the builder cannot write: queries, formats, order, what is hidden."""
    connection = sqlite3.connect(":memory:")
    connection.deserialize(metadata)
    with connection:
        _tables(connection, model, source)
        _queries(connection, model, source)
        _groups(connection, model)
        _ways_down(connection, model)
        for measure in model.measures:
            connection.execute(
                "UPDATE Measure SET DisplayFolder = ?, LineageTag = ? WHERE Name = ?",
                (measure.folder, tmdl.tag("measure", measure.name), measure.name),
            )
        connection.execute("UPDATE Model SET DiscourageImplicitMeasures = 1")
        connection.execute("UPDATE Annotation SET Value = '0' WHERE Name = '__PBI_TimeIntelligenceEnabled'")
        _named_relationships(connection, model)
        _role(connection, model)
        connection.execute("UPDATE DBPROPERTIES SET VALUE = ? WHERE NAME = 'MAXID'", (_largest(connection) + 1,))
    return connection.serialize()


def _tables(connection: sqlite3.Connection, model: Model, source: Source) -> None:
    for table in model.tables:
        (place,) = connection.execute("SELECT ID FROM [Table] WHERE Name = ? AND ModelID = 1", (table.name,)).fetchone()
        connection.execute(
            "UPDATE [Table] SET Description = ?, LineageTag = ?, DataCategory = ?, IsHidden = ? WHERE ID = ?",
            (
                table.description,
                tmdl.tag("table", table.name),
                "Time" if table.kind == "dates" else None,
                int(table.hidden),
                place,
            ),
        )
        if not table.items:
            connection.execute(
                "UPDATE [Partition] SET QueryDefinition = ? WHERE TableID = ?", (partition(table, model, source), place)
            )
        ids = dict(connection.execute("SELECT ExplicitName, ID FROM [Column] WHERE TableID = ?", (place,)))
        for column in table.columns:
            is_key = table.kind == "dates" and column.key
            connection.execute(
                "UPDATE [Column] SET Description = ?, LineageTag = ?, IsHidden = ?, FormatString = ?, SourceColumn = ?, "
                "SummarizeBy = ?, SortByColumnID = ?, IsKey = ?, IsUnique = ?, IsNullable = ?, DataCategory = ? WHERE ID = ?",
                (
                    column.description, tmdl.tag("column", table.name, column.name), int(column.hidden), column.form,
                    column.source, _NO_SUMMARY, ids[column.sort_by] if column.sort_by else 0,
                    int(is_key), int(is_key), int(not is_key), column.category, ids[column.name],
                ),
            )  # fmt: skip
            connection.execute(
                "UPDATE Annotation SET Value = 'User' WHERE ObjectID = ? AND ObjectType = ? "
                "AND Name = 'SummarizationSetBy'",
                (ids[column.name], _COLUMN),
            )


def _queries(connection: sqlite3.Connection, model: Model, source: Source) -> None:
    """The shared queries, and the order in which the editor lists all of them."""
    queries = expressions(source)
    ((modified,),) = connection.execute("SELECT ModifiedTime FROM Model").fetchall()
    for query in queries:
        place = _largest(connection) + 1
        connection.execute(
            "INSERT INTO Expression (ID, ModelID, Name, Description, Kind, Expression, ModifiedTime, QueryGroupID, "
            "ParameterValuesColumnID, LineageTag, ExpressionSourceID) VALUES (?, 1, ?, ?, 0, ?, ?, 0, 0, ?, 0)",
            (place, query.name, query.description, query.text, modified, tmdl.tag("expression", query.name)),
        )
        connection.execute(
            "INSERT INTO Annotation (ID, ObjectID, ObjectType, Name, Value, ModifiedTime) VALUES (?, ?, ?, ?, ?, ?)",
            (place + 1, place, _EXPRESSION, "PBI_ResultType", "Text" if query.parameter else "Function", modified),
        )
    order = [query.name for query in queries] + [table.name for table in model.tables if not table.items]
    connection.execute(
        "UPDATE Annotation SET Value = ? WHERE Name = 'PBI_QueryOrder' AND ObjectType = ?", (json.dumps(order), _MODEL)
    )


def _groups(connection: sqlite3.Connection, model: Model) -> None:
    """Calculation groups: a partition of their own kind, without a query, and their items."""
    ((modified,),) = connection.execute("SELECT ModifiedTime FROM Model").fetchall()
    for table in (table for table in model.tables if table.items):
        (place,) = connection.execute("SELECT ID FROM [Table] WHERE Name = ? AND ModelID = 1", (table.name,)).fetchone()
        group = _largest(connection) + 1
        connection.execute(
            "INSERT INTO CalculationGroup (ID, TableID, Precedence, ModifiedTime) VALUES (?, ?, ?, ?)",
            (group, place, tmdl.PRECEDENCE, modified),
        )
        connection.execute("UPDATE [Table] SET CalculationGroupID = ? WHERE ID = ?", (group, place))
        connection.execute(
            "UPDATE [Partition] SET Type = ?, QueryDefinition = NULL, DataView = 3 WHERE TableID = ?", (_GROUP, place)
        )
        for number, item in enumerate(table.items):
            connection.execute(
                "INSERT INTO CalculationItem (ID, CalculationGroupID, FormatStringDefinitionID, Name, Description, "
                "ModifiedTime, State, Expression, Ordinal) VALUES (?, ?, 0, ?, ?, ?, 1, ?, ?)",
                (group + 1 + number, group, item.name, item.description, modified, item.expression, number),
            )


def _ways_down(connection: sqlite3.Connection, model: Model) -> None:
    """Lineage tags of hierarchies and their levels, the same in every build."""
    for table in model.tables:
        for hierarchy in table.hierarchies:
            ((place,),) = connection.execute(
                "SELECT h.ID FROM Hierarchy h JOIN [Table] t ON t.ID = h.TableID WHERE t.Name = ? AND h.Name = ?",
                (table.name, hierarchy.name),
            ).fetchall()
            tag = tmdl.tag("hierarchy", table.name, hierarchy.name)
            connection.execute("UPDATE Hierarchy SET LineageTag = ? WHERE ID = ?", (tag, place))
            for level in hierarchy.levels:
                tag = tmdl.tag("level", table.name, hierarchy.name, level)
                connection.execute(
                    "UPDATE Level SET LineageTag = ? WHERE HierarchyID = ? AND Name = ?", (tag, place, level)
                )


def _named_relationships(connection: sqlite3.Connection, model: Model) -> None:
    """Names that stay from build to build; Power BI wants them to look like identifiers."""
    ids = {
        (table, column): place
        for table, column, place in connection.execute(
            "SELECT t.Name, c.ExplicitName, c.ID FROM [Column] c JOIN [Table] t ON t.ID = c.TableID"
        )
    }
    for link in model.relationships:
        connection.execute(
            "UPDATE Relationship SET Name = ? WHERE FromColumnID = ? AND ToColumnID = ?",
            (tmdl.tag("relationship", link.name), ids[link.table, link.column], ids[link.to, link.to_column]),
        )


def _role(connection: sqlite3.Connection, model: Model) -> None:
    """The role with the filters of who reads what."""
    if not model.permissions:
        return
    place = _largest(connection) + 1
    ((modified,),) = connection.execute("SELECT ModifiedTime FROM Model").fetchall()
    connection.execute(
        "INSERT INTO Role (ID, ModelID, Name, ModelPermission, ModifiedTime) VALUES (?, 1, ?, ?, ?)",
        (place, roles.NAME, _READ, modified),
    )
    for n, (table, text) in enumerate(model.permissions, 1):
        connection.execute(
            "INSERT INTO TablePermission (ID, RoleID, TableID, FilterExpression, ModifiedTime, State, MetadataPermission) "
            "SELECT ?, ?, ID, ?, ?, 1, 0 FROM [Table] WHERE Name = ? AND ModelID = 1",
            (place + n, place, text, modified, table),
        )


def _largest(connection: sqlite3.Connection) -> int:
    """The largest identifier in any table: all share one counter."""
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    having = [n for n in names if any(c[1] == "ID" for c in connection.execute(f"PRAGMA table_info([{n}])"))]
    return max(int(connection.execute(f"SELECT COALESCE(MAX(ID), 0) FROM [{n}]").fetchone()[0]) for n in having)
