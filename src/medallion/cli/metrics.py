"""The commands `medallion metrics list`, `show`, `value`, `movement`, `check`, `databricks` and `ossie`."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from medallion import figures, metrics
from medallion.care import metric_check, metric_random, status
from medallion.cli import days
from medallion.cli.command import Call, command, group
from medallion.errors import ContractError, LakehouseError, MedallionError
from medallion.lakehouse import contracts_in_use, query
from medallion.lakehouse.store import Lakehouse
from medallion.metrics import over_time
from medallion.metrics.compilers.duckdb import answer, written_rows
from medallion.metrics.conditions import conjuncts
from medallion.metrics.question import Question, listed
from medallion.metrics.understanding import Understood

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
            "dimensions": ", ".join(dimension.name for dimension in metric.dimensions),
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
        "time": metric.measure.period or ("that of each part" if metric.measure.parts else None),
        "unit": metric.measure.unit,
        "synonyms": list(metric.measure.synonyms),
        "format": metric.measure.format.model_dump(),
        "expression": metric.measure.expr,
        "source": metric.view.source,
        "parameters": [parameter.model_dump() for parameter in metric.parameters],
        "dimensions": [dimension.model_dump() for dimension in metric.dimensions],
        "spark_sql": metric.spark_sql(),
        "duckdb_sql": metric.duckdb_sql(),
    }

    def tell() -> None:
        for key in ("label", "means", "additivity", "time", "expression", "source", "spark_sql", "duckdb_sql"):
            call.say(f"{key.replace('_', ' ')}: {document[key] or 'none'}")
        call.records("Parameters", document["parameters"])
        call.records("Dimensions", document["dimensions"])

    call.answer(document, tell)


By = Annotated[
    list[str] | None,
    typer.Option(
        "--by",
        help="What to split by: a dimension, closed_at:month, or month for the metric's own time; may be given again.",
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", help="Condition such as 'open and country in (Germany, France)'; all must hold."),
]
Period = Annotated[
    str | None, typer.Option("--period", help="Period such as 2025-Q1, 'last 3 months', ytd or '2025-01 to 2025-03'.")
]
OrderBy = Annotated[
    list[str] | None,
    typer.Option("--order", help="Column to order by, -value for the largest first; may be given again."),
]
Set = Annotated[list[str] | None, typer.Option("--set", help="Parameter such as sales_target=500000.")]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Day that relative periods count from and nothing after which counts.")
]


@command(
    app,
    examples=(
        "`medallion metrics value win_rate --by source`",
        "`medallion metrics value revenue --by closed_at:month --period ytd --compare year-ago`",
        "`medallion metrics value revenue --by owner --where 'country in (Germany, France) and not stage = closed_lost' --order -value --limit 10`",
        "`medallion metrics value revenue --by owner --where 'closed_month>=2025-01' --where industry=Retail,Media`",
        "`medallion metrics value pipeline_coverage --set sales_target=500000 --json`",
    ),
    at=True,
    shows="own",
)
def value(
    call: Call,
    name: Annotated[str, typer.Argument(help="A metric, such as win_rate; several with commas.")],
    by: By = None,
    where: Where = None,
    period: Period = None,
    compare: Annotated[
        str | None, typer.Option("--compare", help="previous for the period before, year-ago for the same a year ago.")
    ] = None,
    having: Annotated[
        list[str] | None, typer.Option("--having", help="Which rows are shown, such as 'value > 10000 and n >= 5'.")
    ] = None,
    order: OrderBy = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only so many rows.")] = None,
    given: Set = None,
    largest: Annotated[
        int | None, typer.Option("--top", min=1, help="Only the largest values: --order -value --limit.")
    ] = None,
    as_of: AsOf = None,
) -> None:
    """Tell the value of a metric, total or split, with the rows behind it and the query that was run."""
    contracts_in_use.for_readers(call.lake)
    if largest is not None and (order or limit):
        raise ContractError("--top stands for --order and --limit", "Give one or the others.")
    names = Question.read(name).metrics
    first = metrics.named(names[0])
    if largest is not None:
        order, limit = [f"-{first.name if len(names) > 1 else 'value'}"], largest
    question = Question.read(name, by or (), where, period, compare, having, order or (), limit, as_of, given or ())
    status.needs(
        call.lake, sorted({table for metric_name in names for table in metrics.named(metric_name).view.tables})
    )
    with query.connect(call.lake, layers=("gold", "silver")) as connection:
        result = answer(connection, question, call.lake.version)
    understood = result.understood
    assert isinstance(understood, Understood)  # noqa: S101 - a question was asked
    day = status.as_of(call.lake)
    document = {
        "metric": name,
        "as_of": day,
        "by": [str(split) for split, _ in understood.splits],
        "parameters": {
            p.name: understood.parameters[p.name] for metric in understood.metrics for p in metric.parameters
        },
        **result.document(),
        "where": [str(condition) for condition in conjuncts(understood.where)],
    }

    def tell() -> None:
        title = f"{understood}, as of {understood.today.day}"
        title += f", {result.shown:,} of {result.total:,} rows" if not result.complete else ""
        call.records(title, written_rows(result, call.currency), " ".join((first.measure.comment, *understood.notes)))
        if not result.rows:
            call.say("No rows.")
        elif result.totals:
            totals = written_rows(dataclasses.replace(result, rows=[result.totals]), call.currency)[0]
            call.say("In total: " + ", ".join(f"{key.replace('_', ' ')} {text}" for key, text in totals.items()))

    call.answer(document, tell)


@command(
    app,
    examples=(
        "`medallion metrics movement 2025-05-31 2025-06-30`",
        "`medallion metrics movement 2025-05-31 2025-06-30 --by owner` · deals that change hands move out and in",
        "`medallion metrics movement 2025-05-31 2025-06-30 --by expected_close_month --known-as-of 2025-06-30`",
    ),
    at=True,
    shows="own",
)
def movement(
    call: Call,
    start: Annotated[str, typer.Argument(help="Day from whose end on, such as 2025-05-31.")],
    end: Annotated[str, typer.Argument(help="Day to whose end, such as 2025-06-30.")],
    by: Annotated[
        list[str] | None, typer.Option("--by", help=f"Split by {', '.join(over_time.DIMENSIONS)}; may be given again.")
    ] = None,
    known_as_of: days.KnownAsOf = None,
) -> None:
    """Tell how the open pipeline of one day became that of a later one: opened, won, lost and so on, which add up."""
    first, last, known = days.day(start, "START"), days.day(end, "END"), days.time(known_as_of)
    names = listed(by or ())
    contracts_in_use.for_readers(call.lake)
    status.needs(call.lake, ("gold.deal_changes", "gold.customer_features"))
    newest = status.as_of(call.lake)
    if newest and last > newest:
        raise ContractError(f"{last} is after {newest}, the last day of the data", f"Give a day up to {newest}.")
    with query.connect(call.lake, layers=("gold",)) as connection:
        begins, _ = metrics.days(connection)
        if begins and last < begins:
            raise ContractError(f"{last} is before {begins}, the first day of the data", "Give later days.")
        movements = over_time.movement(connection, first, last, names, known)
    rows = [
        {name: metrics.plain(cell) if isinstance(cell, Decimal) else cell for name, cell in row.items()}
        for row in movements
    ]

    def tell() -> None:
        parts = [name for name in ("start", *over_time.PARTS, "end") if name in ("start", "end") or _moves(rows, name)]
        shown = [
            {
                **{name: row[name] for name in names},
                **{part: figures.money(row[part], call.currency) for part in parts},
            }
            for row in rows
        ]
        if not names:  # one row reads better downwards
            counted = {part: rows[0].get(f"{part}_deals", "") for part in parts}
            shown = [{"part": part, "value": shown[0][part], "deals": counted[part]} for part in parts]
        call.records(f"Open pipeline from {first} to {last}", shown, "The start and the parts add up to the end.")

    call.answer({"start": first, "end": last, "by": list(names), "known_as_of": known, "rows": rows}, tell)


def _moves(rows: list[dict[str, Any]], part: str) -> bool:
    return any(row[part] or row.get(f"{part}_deals") for row in rows)


@command(
    app,
    examples=(
        "`medallion metrics check`",
        "`medallion metrics check --dax`",
        "`medallion metrics check --random 300 --seed 7`",
        "`medallion metrics check --random 300 --dax`",
    ),
    at=True,
    shows="all",
)
def check(
    call: Call,
    dax: Annotated[bool, typer.Option("--dax", help="Evaluate the measures of the Power BI model instead.")] = False,
    count: Annotated[
        int | None,
        typer.Option(
            "--random", min=1, help="Ask so many random questions of DuckDB and of Spark SQL, or in DAX, instead."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Of --random: the same seed asks the same questions; 1 without.")
    ] = None,
) -> None:
    """Compute every metric by two routes and compare: with Spark and with DuckDB, or in DAX and with DuckDB."""
    if seed is not None and not count:
        raise ContractError("--seed is of random questions", "Give --random too, with how many.")
    contracts_in_use.for_readers(call.lake)
    if count:
        _random(call, count, 1 if seed is None else seed, dax=dax)
        return
    with call.steps() as report:
        results = _in_dax(call.lake) if dax else metric_check.check(call.settings(), call.lake, report)
    different = [row for row in results if not row["same"]]

    def tell() -> None:
        call.records("Different", different)
        counted = sum(row["contexts" if dax else "queries"] for row in results)
        asked = f"{counted} filter contexts" if dax else f"{counted} queries each way"
        call.say(f"{figures.count(len(results), 'metric')}, {asked}, {len(different)} different.")

    call.answer(results, tell)
    if different:
        raise typer.Exit(1)


def _random(call: Call, count: int, seed: int, *, dax: bool) -> None:
    status.needs(call.lake, sorted({table for metric in metrics.metrics().values() for table in metric.view.tables}))
    with call.steps() as report:
        if dax:
            outcome = _in_dax(call.lake, count, seed)
        else:
            outcome = metric_random.check(call.settings(), call.lake, count, seed, report)

    def tell() -> None:
        call.records("Different", outcome["different"])
        asked = f"{figures.count(outcome['asked'], 'question')} each way, {outcome['refused']:,} refused"
        if dax:
            asked += f", {outcome['not_asked']:,} that a report cannot ask"
        call.say(f"{asked}, {len(outcome['different'])} different.")

    call.answer(outcome, tell)
    if outcome["different"]:
        raise typer.Exit(1)


def _in_dax(lake: Lakehouse, count: int | None = None, seed: int = 1) -> Any:
    """Every measure in its filter contexts, or so many random questions."""
    from medallion.powerbi import asked, check, evaluate, model, rows  # DAX and its evaluator, for this one comparison

    whole = model.model()
    tables = {table for metric in metrics.metrics().values() for table in metric.view.tables}
    status.needs(lake, sorted(tables.union(*(table.sources for table in whole.tables))))
    with query.connect(lake, layers=("gold", "silver")) as connection:
        data = rows.read(connection, whole)
        if count is None:
            return check.check(connection, whole, data)
        other = partial(asked.differences, evaluate.Evaluator(whole, data))
        return metric_random.compared_with(connection, other, count, seed)


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


@command(app, examples=("`medallion metrics ossie --out semantic_model.yaml`",))
def ossie(
    call: Call,
    out: Annotated[Path, typer.Option("--out", help="File to write.")] = Path("semantic_model.yaml"),
) -> None:
    """Write the metrics as a semantic model of Apache Ossie (formerly Open Semantic Interchange), for other tools."""
    from medallion.metrics.compilers import ossie as compiler

    _of_the_lakehouse(call)
    document = compiler.document(call.currency)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(compiler.text(document), encoding="utf-8")
    except OSError as error:
        raise MedallionError(f"{out}: cannot be written: {error}", "Choose another file with --out.") from error
    (model,) = document["semantic_model"]
    row = {"file": str(out), "datasets": len(model["datasets"]), "metrics": len(model["metrics"])}
    call.answer(row, lambda: call.records("Apache Ossie", [row]))
