"""The commands `medallion metrics list`, `show`, `value` and `check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from medallion.figures import count

Lake = Annotated[str | None, typer.Option("--lakehouse", help="Folder of the tables [default: lakehouse].")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings file [default: config/config.yaml].")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
Name = Annotated[str, typer.Argument(help="A metric, such as win_rate.")]


def add_to(app: typer.Typer) -> None:
    """Give the app these commands."""
    group = typer.Typer(
        no_args_is_help=True, help="One definition per number: look it up, ask for its value, check it."
    )
    group.command("list", epilog="**Examples**\n\n`medallion metrics list`")(list_metrics)
    group.command("show", epilog="**Examples**\n\n`medallion metrics show win_rate`")(show_metric)
    group.command(
        "value",
        epilog="**Examples**\n\n`medallion metrics value win_rate --by source`\n\n"
        "`medallion metrics value revenue --by owner --where 'closed_month>=2025-01' --where industry=Retail,Media`\n\n"
        "`medallion metrics value pipeline_coverage --set sales_target=500000 --json`",
    )(value)
    group.command("check", epilog="**Examples**\n\n`medallion metrics check`\n\n`medallion metrics check --dax`")(check)
    group.command("databricks", epilog="**Examples**\n\n`medallion metrics databricks --catalog crm`")(databricks)
    app.add_typer(group, name="metrics")


def list_metrics(as_json: Json = False) -> None:
    """List all metrics with what they mean and what they may be split by."""
    from medallion import metrics
    from medallion.cli import console as show

    rows = [
        {
            "metric": name,
            "label": metric.measure.display_name,
            "means": metric.measure.comment,
            "dimensions": ", ".join(one.name for one in metric.dimensions),
        }
        for name, metric in metrics.metrics().items()
    ]
    if as_json:
        show.dump(rows)
    else:
        show.records(show.screen(), count(len(rows), "metric"), rows)


def show_metric(name: Name, as_json: Json = False) -> None:
    """Show a metric: meaning, expression, source, parameters, dimensions, and its query."""
    from medallion import metrics
    from medallion.cli import console as show

    metric = metrics.named(name)
    told: dict[str, Any] = {
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
    if as_json:
        show.dump(told)
        return
    screen = show.screen()
    for key in ("label", "means", "expression", "source", "spark_sql", "duckdb_sql"):
        show.line(screen, f"{key.replace('_', ' ')}: {told[key]}")
    show.records(screen, "Parameters", told["parameters"])
    show.records(screen, "Dimensions", told["dimensions"])


def value(
    name: Name,
    by: Annotated[list[str] | None, typer.Option("--by", help="Dimension to split by; may be given again.")] = None,
    where: Annotated[
        list[str] | None, typer.Option("--where", help="Filter such as industry=Retail,Media; all must hold.")
    ] = None,
    given: Annotated[list[str] | None, typer.Option("--set", help="Parameter such as sales_target=500000.")] = None,
    largest: Annotated[int | None, typer.Option("--top", min=1, help="Only the largest values.")] = None,
    lakehouse: Lake = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Tell the value of a metric, total or split, with the rows behind it and the query that was run."""
    from medallion import metrics
    from medallion.care import status
    from medallion.cli import console as show
    from medallion.config import load
    from medallion.errors import ContractError
    from medallion.lakehouse import query, remembered
    from medallion.lakehouse.store import Lakehouse

    metric = metrics.named(name)
    filters = [metrics.Filter.parse(text) for text in where or ()]
    try:
        parameters = {key: float(text) for key, _, text in (one.partition("=") for one in given or ())}
    except ValueError as error:
        raise ContractError(f"--set {given}: {error}", "Write NAME=NUMBER.") from error
    lake = Lakehouse(load(config, lakehouse=lakehouse).lakehouse)
    status.needs(lake, metric.view.tables)
    with query.connect(lake, layers=("gold", "silver")) as connection:
        found = metrics.ask(connection, name, by, filters, parameters, largest, valued=True)
        total = metrics.groups(connection, found) if largest else len(found.rows)
        unknown = metrics.groups(connection, found, unknown=True) if largest and found.by else 0
    if as_json:
        show.dump(
            {
                "metric": name,
                "as_of": status.as_of(lake),
                "by": list(found.by),
                "where": [str(one) for one in found.filters],
                "parameters": dict(found.parameters),
                "rows": found.rows,
                "shown": len(found.rows),
                "total": total,
                "sql": found.sql,
                "bindings": list(found.bindings),
                "table_versions": {table: lake.version(table) for table in metric.view.tables},
            }
        )
        return
    screen, currency = show.screen(), remembered.currency(lake)
    rows = [{**row, "value": metrics.written(name, row["value"], currency)} for row in found.rows]
    title = f"{metric.measure.display_name} as of {status.as_of(lake)}"
    title += f" where {' and '.join(map(str, found.filters))}" if found.filters else ""
    title += f", {len(rows):,} of {total:,} rows" if len(rows) < total else ""
    title += f", {unknown:,} without a value left out" if unknown else ""
    show.records(screen, title, rows, metric.measure.comment)
    if not rows:
        show.line(screen, "No rows.")


def check(
    dax: Annotated[bool, typer.Option("--dax", help="Evaluate the measures of the Power BI model instead.")] = False,
    lakehouse: Lake = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Compute every metric by two routes and compare: with Spark and with DuckDB, or in DAX and with DuckDB."""
    from medallion.care import metric_check
    from medallion.cli import console as show
    from medallion.config import load
    from medallion.lakehouse.store import Lakehouse

    settings = load(config, lakehouse=lakehouse)
    lake = Lakehouse(settings.lakehouse)
    screen = show.screen(stderr=as_json)
    with show.Progressing(screen) as report:
        found = _in_dax(lake) if dax else metric_check.check(settings, lake, report)
    different = [row for row in found if not row["same"]]
    if as_json:
        show.dump(found)
    else:
        show.records(screen, "Different", different)
        counted = sum(row["contexts" if dax else "queries"] for row in found)
        told = f"{counted} filter contexts" if dax else f"{counted} queries each way"
        show.line(screen, f"{count(len(found), 'metric')}, {told}, {len(different)} different.")
    if different:
        raise typer.Exit(1)


def _in_dax(lake: Any) -> list[dict[str, Any]]:
    from medallion import metrics
    from medallion.care import status
    from medallion.lakehouse import query
    from medallion.powerbi.check import check as compare
    from medallion.powerbi.model import model
    from medallion.powerbi.rows import read

    status.needs(lake, sorted({table for metric in metrics.metrics().values() for table in metric.view.tables}))
    with query.connect(lake, layers=("gold", "silver")) as connection:
        return compare(connection, model(), read(connection, model()))


def databricks(
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")] = Path("dashboards/databricks"),
    catalog: Annotated[str, typer.Option("--catalog", help="Catalog with the schemas silver and gold.")] = "crm",
    lakehouse: Lake = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Write the metrics as Unity Catalog metric views, and an AI/BI dashboard over them, in the lakehouse's currency."""
    from medallion.cli import console as show
    from medallion.config import load
    from medallion.lakehouse import remembered
    from medallion.lakehouse.store import Lakehouse
    from medallion.powerbi.databricks import write

    currency = remembered.currency(Lakehouse(load(config, lakehouse=lakehouse).lakehouse))
    rows = [{"file": str(path)} for path in write(out, catalog, currency)]
    if as_json:
        show.dump(rows)
    else:
        show.records(show.screen(), "Databricks files", rows)
