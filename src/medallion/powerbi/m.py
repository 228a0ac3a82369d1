"""Power Query (M): where the model's tables come from when it is refreshed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from medallion.powerbi import rows
from medallion.powerbi.model import Model, Table, parameter_values

#: M types by type of the model.
_TYPES = {
    "String": "type text", "Int64": "Int64.Type", "Double": "type number", "Decimal": "Currency.Type",
    "DateTime": "type date", "Boolean": "type logical",
}  # fmt: skip


@dataclass(frozen=True)
class Folder:
    """The Parquet files that `medallion export --to` writes."""

    path: str = r"C:\medallion\export"


@dataclass(frozen=True)
class Databricks:
    """Tables of Unity Catalog through a SQL warehouse, copied at each refresh or, `live`, asked at each look."""

    host: str
    http_path: str
    catalog: str
    live: bool = False


Source = Folder | Databricks


@dataclass(frozen=True)
class Expression:
    """A shared query: a parameter, or a function that the tables call."""

    name: str
    text: str
    description: str
    parameter: bool = False


def text(value: str) -> str:
    """A text in M.

    >>> text('a "b" #(lf)')
    '"a ""b"" #(#)(lf)"'
    """
    escaped = value.replace('"', '""').replace("#(", "#(#)(").replace("\r", "#(cr)").replace("\n", "#(lf)")
    return f'"{escaped}"'


def expressions(source: Source) -> list[Expression]:
    """The parameters that say where the data lie, and the functions that read them."""
    if isinstance(source, Databricks):
        return [
            _parameter("DatabricksHost", source.host, "Server hostname of the SQL warehouse."),
            _parameter("DatabricksPath", source.http_path, "HTTP path of the SQL warehouse."),
            _parameter("DatabricksCatalog", source.catalog, "Catalog that holds the schemas silver and gold."),
        ]
    first = f"#date({rows.FIRST_DAY.year}, {rows.FIRST_DAY.month}, {rows.FIRST_DAY.day})"
    return [
        _parameter("GoldFolder", source.path, "Folder that `medallion export --to` wrote its Parquet files into."),
        Expression(
            "Gold",
            '(name as text) as table => Parquet.Document(File.Contents(GoldFolder & "\\" & name & ".parquet"))',
            "One exported table by its qualified name, such as gold.deals.",
        ),
        Expression(
            "Utc",
            "(value) => if value is datetimezone then DateTimeZone.RemoveZone(DateTimeZone.SwitchZone(value, 0)) "
            "else DateTime.From(value)",
            "A timestamp in UTC without its zone.",
        ),
        Expression(
            "Day",
            f"(value) => if value = null then null else List.Max({{DateTime.Date(Utc(value)), {first}}})",
            "The UTC day of a timestamp, none before the first that DAX counts.",
        ),
    ]


def _parameter(name: str, value: str, description: str) -> Expression:
    query = f'{text(value)} meta [IsParameterQuery=true, Type="Text", IsParameterQueryRequired=true]'
    return Expression(name, query, description, parameter=True)


def mode(table: Table, source: Source) -> str:
    """How a table is stored: a copy, or nothing but the query."""
    live = isinstance(source, Databricks) and source.live and table.kind in ("gold", "values", "dates")
    return "directQuery" if live else "import"


def partition(table: Table, model: Model, source: Source) -> str:
    """The query of a table."""
    if isinstance(source, Databricks) and table.kind in ("gold", "values", "dates"):
        return _warehouse(table)
    if table.kind == "dates":
        return _dates(model)
    if table.kind == "metrics":
        fields = ", ".join(f"{column.source} = text" for column in table.columns)
        listed = ",\n        ".join("{" + ", ".join(map(text, row)) + "}" for row in rows.dictionary())
        return f"#table(\n    type table [{fields}],\n    {{\n        {listed}\n    }}\n)"
    if table.kind == "parameter":
        name = table.columns[0].source
        values = json.dumps(parameter_values(name))[1:-1]
        return f"Table.FromColumns({{{{{values}}}}}, type table [{name} = Int64.Type])"
    return _values(table) if table.kind == "values" else _gold(table)


#: Stands in a query for the catalog, which is a parameter.
_CATALOG = "DatabricksCatalog"


def _warehouse(table: Table) -> str:
    """The table's SQL, run by the warehouse."""
    before, *after = rows.spark_sql(table, _CATALOG).split(_CATALOG)
    sql = " & DatabricksCatalog & ".join(map(text, [before, *after]))
    return _let(
        [
            (
                "Catalogs",
                "Databricks.Catalogs(DatabricksHost, DatabricksPath, "
                "[Catalog = null, Database = null, EnableAutomaticProxyDiscovery = null])",
            ),
            ("Catalog", 'Catalogs{[Name = DatabricksCatalog, Kind = "Database"]}[Data]'),
            ("Rows", f"Value.NativeQuery(Catalog, {sql}, null, [EnableFolding = true])"),
        ]
    )


def _gold(table: Table) -> str:
    steps = [("Source", f"Gold({text(table.source)})")]
    if table.until:
        steps += [
            ("Until", 'List.Max(List.Transform(Gold("gold.customer_features")[as_of], Day))'),
            ("Kept", f"Table.SelectRows(Source, each Day([{table.until}]) <= Until)"),
        ]
    if table.unless:
        steps.append(("Kept", f"Table.SelectRows(Source, each [{table.unless}] = null)"))
    for column in table.columns:
        if column.m:
            last = steps[-1][0]
            steps.append((f"With_{column.source}", f'Table.AddColumn({last}, "{column.source}", each {column.m})'))
    names = ", ".join(f'"{column.source}"' for column in table.columns)
    steps.append(("Chosen", f"Table.SelectColumns({steps[-1][0]}, {{{names}}})"))
    days = [column.source for column in table.columns if column.type == "DateTime" and not column.m]
    if days:
        cut = ", ".join(f'{{"{name}", Day}}' for name in days)
        steps.append(("Days", f"Table.TransformColumns(Chosen, {{{cut}}})"))
    typed = ", ".join(f'{{"{column.source}", {_TYPES[column.type]}}}' for column in table.columns)
    steps.append(("Typed", f'Table.TransformColumnTypes({steps[-1][0]}, {{{typed}}}, "en-US")'))
    return _let(steps)


def _values(table: Table) -> str:
    """One row per value of the key, whatever its case, with what the source says of it."""
    key, *more = (column.source for column in table.columns)
    lists = ", ".join(f"Gold({text(name)})[{key}]" for name in table.keys)
    typed = ", ".join(f"{column.source} = {_TYPES[column.type]}" for column in table.columns[:1])
    steps = [
        ("Every", f"List.Transform(List.RemoveNulls(List.Combine({{{lists}}})), Text.TrimEnd)"),
        ("Keys", "List.Distinct(List.Sort(Every), Comparer.OrdinalIgnoreCase)"),
        ("Rows", f"Table.FromColumns({{Keys}}, type table [{typed}])"),
    ]
    if more:
        named = ", ".join(map(text, more))
        known = (
            f"Table.Group(Gold({text(table.source)}), {{{text(key)}}}, {{"
            + ", ".join(f"{{{text(name)}, each List.Max([{name}]), type text}}" for name in more)
            + "}, GroupKind.Global, Comparer.OrdinalIgnoreCase)"
        )
        steps += [
            ("Known", known),
            ("Joined", f'Table.NestedJoin(Rows, {{{text(key)}}}, Known, {{{text(key)}}}, "known", JoinKind.LeftOuter)'),
            ("Expanded", f'Table.ExpandTableColumn(Joined, "known", {{{named}}})'),
        ]
    return _let(steps)


def _dates(model: Model) -> str:
    columns = [
        f"{link.table}[{model.table(link.table).column(link.column).source}]"
        for link in model.relationships
        if link.to == "Date" and link.column not in rows.ANY_DAY
    ]
    columns.append("Customers[as_of]")
    first = f"#date({rows.FIRST_DAY.year}, {rows.FIRST_DAY.month}, {rows.FIRST_DAY.day})"
    return _let(
        [
            ("Known", f"List.RemoveNulls(List.Combine({{{', '.join(columns)}}}))"),
            ("Ends", "if List.IsEmpty(Known) then {#date(2000, 1, 1)} else Known"),
            ("First", f"List.Max({{#date(Date.Year(List.Min(Ends)), 1, 1), {first}}})"),
            ("Last", "#date(Date.Year(List.Max(Ends)) + 1, 12, 31)"),
            ("Days", "List.Dates(First, Duration.Days(Last - First) + 1, #duration(1, 0, 0, 0))"),
            ("Dates", "Table.FromColumns({Days}, type table [date = date])"),
            *_added("Dates", model.table("Date")),
        ]
    )


def _added(first: str, table: Table) -> Iterator[tuple[str, str]]:
    """Steps that add the columns that Power Query computes, each to the step before."""
    for column in table.columns:
        if column.m:
            yield (
                f"With_{column.source}",
                f'Table.AddColumn({first}, "{column.source}", each {column.m}, {_TYPES[column.type]})',
            )
            first = f"With_{column.source}"


def _let(steps: list[tuple[str, str]]) -> str:
    lines = ",\n".join(f"    {name} = {step}" for name, step in steps)
    return f"let\n{lines}\nin\n    {steps[-1][0]}"
