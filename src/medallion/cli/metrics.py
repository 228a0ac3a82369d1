"""The commands `medallion metrics list`, `show`, `value`, `check` and `databricks`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from medallion import figures, metrics
from medallion.care import metric_check, status
from medallion.cli.command import Call, command, group
from medallion.errors import ContractError, LakehouseError
from medallion.lakehouse import contracts_in_use, query
from medallion.lakehouse.store import Lakehouse

app = group("metrics", "One definition per number: look it up, ask for its value, check it.")

Name = Annotated[str, typer.Argument(help="A metric, such as win_rate.")]


def _of_the_lakehouse(call: Call) -> None:
    """Know the columns that the contracts of the lakehouse bring to gold, where there is one."""
    with suppress(LakehouseError):
        contracts_in_use.for_readers(call.lake)


@command(app, "list", examples=("`medallion metrics list`",))
def list_metrics(call: Call) -> None:
    """List all metrics with what they mean and what they may be split by."""
    _of_the_lakehouse(call)
    rows = [
        {
            "metric": name,
            "label": metric.measure.display_name,
            "means": metric.measure.comment,
            "dimensions": ", ".join(one.name for one in metric.dimensions),
        }
        for name, metric in metrics.metrics().items()
    ]
    call.answer(rows, lambda: call.records(figures.count(len(rows), "metric"), rows))


@command(app, "show", examples=("`medallion metrics show win_rate`",))
def show_metric(call: Call, name: Name) -> None:
    """Show a metric: meaning, expression, source, parameters, dimensions, and its query."""
    _of_the_lakehouse(call)
    metric = metrics.named(name)
    document: dict[str, Any] = {
        "metric": name,
        "label": metric.measure.display_name,
        "means": metric.measure.comment,
        "additivity": metric.measure.additivity,
        "format": metric.measure.format.model_dump(),
        "expression": metric.measure.expr,
        "source": metric.view.source,
        "parameters": [one.model_dump() for one in metric.parameters],
        "dimensions": [one.model_dump() for one in metric.dimensions],
        "spark_sql": metric.spark_sql(),
        "duckdb_sql": metric.duckdb_sql(),
    }

    def tell() -> None:
        for key in ("label", "means", "expression", "source", "spark_sql", "duckdb_sql"):
            call.say(f"{key.replace('_', ' ')}: {document[key]}")
        call.records("Parameters", document["parameters"])
        call.records("Dimensions", document["dimensions"])

    call.answer(document, tell)


@command(
    app,
    examples=(
        "`medallion metrics value win_rate --by source`",
        "`medallion metrics value revenue --by owner --where 'closed_month>=2025-01' --where industry=Retail,Media`",
        "`medallion metrics value pipeline_coverage --set sales_target=500000 --json`",
    ),
    at=True,
)
def value(
    call: Call,
    name: Name,
    by: Annotated[list[str] | None, typer.Option("--by", help="Dimension to split by; may be given again.")] = None,
    where: Annotated[
        list[str] | None, typer.Option("--where", help="Filter such as industry=Retail,Media; all must hold.")
    ] = None,
    given: Annotated[list[str] | None, typer.Option("--set", help="Parameter such as sales_target=500000.")] = None,
    largest: Annotated[int | None, typer.Option("--top", min=1, help="Only the largest values.")] = None,
) -> None:
    """Tell the value of a metric, total or split, with the rows behind it and the query that was run."""
    contracts_in_use.for_readers(call.lake)
    metric = metrics.named(name)
    filters = [metrics.Filter.parse(text) for text in where or ()]
    try:
        parameters = {key: float(text) for key, _, text in (one.partition("=") for one in given or ())}
    except ValueError as error:
        raise ContractError(f"--set {given}: {error}", "Write NAME=NUMBER.") from error
    status.needs(call.lake, metric.view.tables)
    with query.connect(call.lake, layers=("gold", "silver")) as connection:
        found = metrics.ask(connection, name, by, filters, parameters, largest, valued=True)
        total = metrics.groups(connection, found) if largest else len(found.rows)
        unknown = metrics.groups(connection, found, unknown=True) if largest and found.by else 0
    day = status.as_of(call.lake)
    document = {
        "metric": name,
        "as_of": day,
        "by": list(found.by),
        "where": [str(one) for one in found.filters],
        "parameters": dict(found.parameters),
        "rows": found.rows,
        "shown": len(found.rows),
        "total": total,
        "sql": found.sql,
        "bindings": list(found.bindings),
        "table_versions": {table: call.lake.version(table) for table in metric.view.tables},
    }

    def tell() -> None:
        rows = [{**row, "value": metrics.written(name, row["value"], call.currency)} for row in found.rows]
        title = f"{metric.measure.display_name} as of {day}"
        title += f" where {' and '.join(map(str, found.filters))}" if found.filters else ""
        title += f", {len(rows):,} of {total:,} rows" if len(rows) < total else ""
        title += f", {unknown:,} without a value left out" if unknown else ""
        call.records(title, rows, metric.measure.comment)
        if not rows:
            call.say("No rows.")

    call.answer(document, tell)


@command(app, examples=("`medallion metrics check`", "`medallion metrics check --dax`"), at=True)
def check(
    call: Call,
    dax: Annotated[bool, typer.Option("--dax", help="Evaluate the measures of the Power BI model instead.")] = False,
) -> None:
    """Compute every metric by two routes and compare: with Spark and with DuckDB, or in DAX and with DuckDB."""
    contracts_in_use.for_readers(call.lake)
    with call.steps() as report:
        found = _in_dax(call.lake) if dax else metric_check.check(call.settings(), call.lake, report)
    different = [row for row in found if not row["same"]]

    def tell() -> None:
        call.records("Different", different)
        counted = sum(row["contexts" if dax else "queries"] for row in found)
        asked = f"{counted} filter contexts" if dax else f"{counted} queries each way"
        call.say(f"{figures.count(len(found), 'metric')}, {asked}, {len(different)} different.")

    call.answer(found, tell)
    if different:
        raise typer.Exit(1)


def _in_dax(lake: Lakehouse) -> list[dict[str, Any]]:
    from medallion.powerbi.check import check as compare  # DAX and its evaluator, for this one comparison
    from medallion.powerbi.model import model
    from medallion.powerbi.rows import read

    status.needs(lake, sorted({table for metric in metrics.metrics().values() for table in metric.view.tables}))
    with query.connect(lake, layers=("gold", "silver")) as connection:
        return compare(connection, model(), read(connection, model()))


@command(app, examples=("`medallion metrics databricks --catalog crm`",))
def databricks(
    call: Call,
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")] = Path("dashboards/databricks"),
    catalog: Annotated[str, typer.Option("--catalog", help="Catalog with the schemas silver and gold.")] = "crm",
) -> None:
    """Write the metrics as Unity Catalog metric views, and an AI/BI dashboard over them, in the lakehouse's currency."""
    from medallion.powerbi.databricks import write

    rows = [{"file": str(path)} for path in write(out, catalog, call.currency)]
    call.answer(rows, lambda: call.records("Databricks files", rows))
