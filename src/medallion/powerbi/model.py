"""The semantic model, told once: every file that Power BI opens is written from it.

A star: deals, their states over time, touches, stays in stages and days are facts; customers, channels, reps, products,
lead sources, stages, statuses and a marked date table are what they are looked at by. Measures are the metrics, one for
one, plus a few that need the date table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from typing import Any, Literal

from medallion import contracts
from medallion.contracts.own import brought, own_columns
from medallion.errors import ContractError
from medallion.figures import sign
from medallion.gold import gold_contract
from medallion.metrics import Format, Metric, Parameter, metrics
from medallion.metrics.compilers.sql import counts_from_zero
from medallion.metrics.declared import Measure as Declared
from medallion.metrics.loading import declarations, own_files
from medallion.metrics.parts import leaves_of
from medallion.powerbi import dates, dax, measures

Type = Literal["String", "Int64", "Double", "Decimal", "DateTime", "Boolean"]

#: What Power BI keeps a type of a contract as. Dates are days; money has four digits after the point.
TYPES: dict[str, Type] = {
    "string": "String", "bigint": "Int64", "int": "Int64", "double": "Double", "decimal(18,2)": "Decimal",
    "date": "DateTime", "boolean": "Boolean",
}  # fmt: skip
SHARE, WHOLE, DAY = "0.0%", "#,0", "yyyy-mm-dd"
#: Stands for the form of amounts until the currency is known.
MONEY = "money"


@dataclass(frozen=True)
class Column:
    """A column of the model.

    Attributes:
        name: What readers see.
        source: Its name in the table that the query gives.
        type: How Power BI keeps it.
        description: What it means.
        sql: Spark SQL where it is not simply the source column.
        m: The same in Power Query, over a row.
        hidden: Not in the list of fields.
        form: Format string.
        sort_by: Column of the same table that gives its order.
        key: Values are unique.
        category: What kind of place it names, for maps.
    """

    name: str
    source: str
    type: Type
    description: str
    sql: str | None = None
    m: str | None = None
    hidden: bool = False
    form: str | None = None
    sort_by: str | None = None
    key: bool = False
    category: str | None = None


@dataclass(frozen=True)
class Hierarchy:
    """Columns of a table that are gone down, the widest first."""

    name: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table of the model, read from one table or query of the lakehouse; from none when `kind` is not `gold`.

    Attributes:
        name: What readers see.
        source: Qualified table, such as `gold.deals`.
        description: What one row is.
        columns: Its columns.
        kind: `gold`, `dates`, `values` (the values of a key), `metrics` (the metric dictionary), `parameter`, or `items`
            (a calculation group).
        until: Whether only days up to the one that gold describes count, by this column.
        unless: Rows that have a value in this column do not count.
        keys: Of the kind `values`: the tables that have the key, the first column; `source` has the others.
        hidden: Not in the list of tables.
        hierarchies: Ways down through its columns.
        items: Of the kind `items`: its choices.
    """

    name: str
    source: str
    description: str
    columns: tuple[Column, ...]
    kind: Literal["gold", "dates", "values", "metrics", "parameter", "items"] = "gold"
    until: str | None = None
    unless: str | None = None
    keys: tuple[str, ...] = ()
    hidden: bool = False
    hierarchies: tuple[Hierarchy, ...] = ()
    items: tuple[dates.Item, ...] = ()

    @property
    def is_read(self) -> bool:
        """Whether its rows are read from tables of the lakehouse."""
        return self.kind in ("gold", "values")

    @property
    def sources(self) -> tuple[str, ...]:
        """The tables of the lakehouse that it is read from."""
        return tuple(dict.fromkeys((self.source, *self.keys))) if self.is_read else ()

    def column(self, name: str) -> Column:
        """The column that readers see under that name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}")

    @property
    def key(self) -> Column | None:
        """The column whose values are unique."""
        return next((column for column in self.columns if column.key), None)


@dataclass(frozen=True)
class Relationship:
    """Many rows of `table` belong to one row of `to`."""

    table: str
    column: str
    to: str
    to_column: str
    active: bool = True

    @property
    def name(self) -> str:
        """A name that stays when other things change."""
        return f"{self.table}.{self.column} to {self.to}.{self.to_column}"


@dataclass(frozen=True)
class Measure:
    """A measure.

    Attributes:
        name: What readers see.
        expression: Its DAX.
        description: What it means.
        form: Format string.
        folder: Display folder.
        metric: The metric that it is; None for those that need the date table.
        tables: The tables that it is computed from; none of what is the same whatever the reader chooses.
        is_dated: Whether it has a value in each period.
    """

    name: str
    expression: str
    description: str
    form: str
    folder: str
    metric: str | None = None
    tables: tuple[str, ...] = ()
    is_dated: bool = False


@dataclass(frozen=True)
class Model:
    """All of it; `permissions` are tables with the DAX filter of who reads them."""

    tables: tuple[Table, ...]
    relationships: tuple[Relationship, ...]
    measures: tuple[Measure, ...]
    permissions: tuple[tuple[str, str], ...] = ()

    def table(self, name: str) -> Table:
        """The table of that name; KeyError when there is none."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(f"there is no table {name}")

    def measure(self, name: str) -> Measure:
        """The measure of that name; KeyError when there is none."""
        for measure in self.measures:
            if measure.name == name:
                return measure
        raise KeyError(f"there is no measure {name}")


#: Table that the measures are in, and that lists what they mean.
HOME = "Metrics"
#: Table of the model for each source, which is also the display folder of its metrics.
_HOMES = {
    "gold.deals": "Deals",
    "gold.customer_features": "Customers",
    "gold.channel_performance": "Channels",
    "gold.stage_history": "Stages",
    "silver.interactions_clean": "Touches",
}
#: The table of the history of each entity that has one: what stocks of an earlier day are counted from.
HISTORIES = {"deal_changes": "Deal changes"}
#: Where a dimension of a metric is found when not in the table of the metric itself: table, column.
_OF_DEALS = {
    "owner": ("Reps", "Owner"), "owner_team": ("Reps", "Team"), "owner_manager": ("Reps", "Manager"),
    "product_id": ("Products", "Product"), "source": ("Lead sources", "Lead source"),
    "stage": ("Pipeline stages", "Stage"), "status": ("Statuses", "Status"),
}  # fmt: skip
_OF_CUSTOMERS = {
    "industry": ("Customers", "Industry"), "country": ("Customers", "Country"),
    "size_band": ("Customers", "Company size"), "lead_quality": ("Customers", "Lead quality"),
}  # fmt: skip
_ELSEWHERE = {"Deals": {**_OF_DEALS, **_OF_CUSTOMERS}, "Touches": {"channel": ("Channels", "Channel")}}
#: The date table.
DATE = ("Date", "Date")
_MONTH = ("Date", "Month")

_QUALITY = ("Hot", "Warm", "Cool", "Cold")
_SIZES = ("1-50", "51-200", "201-1000", "1000+")
_OUTCOMES = ("meeting_booked", "positive", "neutral", "no_answer", "negative")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _rank(name: str, source: str, values: tuple[str, ...]) -> Column:
    """A hidden number that gives the values of another column their order; what is none of them comes last."""
    listed = " ".join(f"WHEN {source} = '{value}' THEN {place}" for place, value in enumerate(values, 1))
    places = ", ".join(f'"{value}"' for value in values)
    return Column(
        name, name, "Int64", f"Order of {source}.",
        sql=f"CASE {listed} ELSE {len(values) + 1} END",
        m=f"let at = List.PositionOf({{{places}}}, [{source}]) in if at < 0 then {len(values) + 1} else at + 1",
        hidden=True, form="0",
    )  # fmt: skip


def _day(name: str, source: str, timestamp: str, description: str, hidden: bool = False) -> Column:
    """The UTC day of a timestamp."""
    return Column(
        name, source, "DateTime", description, sql=f"CAST({timestamp} AS DATE)", m=f"Day([{timestamp}])",
        hidden=hidden, form=DAY,
    )  # fmt: skip


def _of(table: str, *wanted: Column | tuple[str, str | None]) -> Iterator[Column]:
    """Columns of a contract: source name and the name that readers see, None for hidden ones."""
    for column in wanted:
        if isinstance(column, Column):
            yield column
            continue
        source, seen = column
        declared = _declared(table, source)
        kind = TYPES.get(declared.type, "Decimal")
        form = {"Decimal": MONEY, "DateTime": DAY, "Int64": WHOLE}.get(kind)
        if declared.unit in ("share", "probability"):
            form = SHARE
        yield Column(
            seen or source, source, kind, declared.description, hidden=seen is None,
            form="#,0.0" if kind == "Double" and form is None else form,
        )  # fmt: skip


def _declared(table: str, column: str) -> contracts.Column:
    layer, name = table.split(".")
    owner = contracts.entities()[name.removesuffix("_clean")] if layer == "silver" else gold_contract(table)
    return owner.column(column)


def _with_own(table: Table) -> Table:
    """A table with the columns that the contracts in use bring to it; deals have those of their account by way of it."""
    of_deals = {column.name for column in brought("leads")}
    columns, names = list(table.columns), {column.name.lower() for column in table.columns}
    for column in own_columns(table.source):
        if table.source == "gold.deals" and column.name not in of_deals:
            continue
        seen = column.shown if column.shown.lower() not in names else f"{column.shown} (own)"
        names.add(seen.lower())
        if column.type == "timestamp":
            columns.append(_day(seen, column.name, column.name, column.description))
        else:
            columns += _of(table.source, (column.name, seen))
    return replace(table, columns=tuple(columns))


def _tables(fiscal: int) -> Iterator[Table]:
    yield Table("Customers", "gold.customer_features", "One row per account, with its features and score.", tuple(_of(
        "gold.customer_features",
        ("customer_id", None), ("customer_name", "Customer"), ("industry", "Industry"), ("country", "Country"),
        ("city", "City"), ("employee_count", "Employees"), ("size_band", "Company size"),
        _rank("size_band_order", "size_band", _SIZES),
        ("annual_revenue", "Annual revenue"), ("account_manager", "Account manager"),
        ("lead_score", "Lead score"), ("lead_quality", "Lead quality"),
        _rank("lead_quality_order", "lead_quality", _QUALITY),
        ("engagement_score", "Engagement score"), ("segment", "Segment"), ("preferred_channel", "Preferred channel"),
        ("probability_to_convert", "Probability to convert"), ("open_leads", "Deals open now"),
        ("open_value", "Open value"), ("won_leads", None), ("won_value", "Revenue won"),
        ("interactions", None), ("interactions_90d", None), ("hours_to_first_touch", None),
        ("days_since_last_interaction", "Days since last touch"), ("as_of", None),
    )), hierarchies=(Hierarchy("Geography", ("Country", "City", "Customer")),))  # fmt: skip
    yield Table("Deals", "gold.deals", "One row per deal.", tuple(_of(
        "gold.deals",
        ("lead_id", "Deal"), ("customer_id", None), ("product_id", None), ("source", None),
        ("status", None), ("stage", None), ("owner", None), ("deal_value", "Value"), ("has_value", None),
        _day("Day opened", "created_date", "created_at", "Day on which the deal was opened (UTC)."),
        _day("Day closed", "closed_date", "closed_at", "Day on which the deal was won or lost (UTC); blank while open."),
        ("expected_close_date", "Expected close"), ("age_days", "Age in days"), ("cycle_days", "Cycle in days"),
        ("lead_quality", None), ("probability_to_convert", "Probability"), ("weighted_value", "Weighted value"),
        ("days_since_last_interaction", None), ("as_of", None),
    )))  # fmt: skip
    yield Table("Deal changes", "gold.deal_changes", "One row per deal and interval in which nothing of it changed.",
        tuple(_of(
            "gold.deal_changes",
            ("lead_id", None), ("customer_id", None), ("product_id", None), ("source", None), ("owner", None),
            ("status", None), ("stage", None), ("deal_value", None), ("has_value", None),
            ("expected_close_date", None),
            _day("from_day", "from_day", "valid_from", "Day since which it was so (UTC).", hidden=True),
            _day("to_day", "to_day", "valid_to", "Day until which it was so (UTC); blank while it is.", hidden=True),
        )), unless="known_to", hidden=True)  # fmt: skip
    yield from _values()
    outcome = "silver.interactions_clean"
    weekday = "(DATEDIFF(CAST(occurred_at AS DATE), DATE '1900-01-01') % 7) + 1"
    yield Table("Touches", outcome, "One row per touch, up to the day that the other tables describe.", tuple(_of(
        outcome,
        ("customer_id", None), ("channel", None), ("outcome", "Outcome"),
        _rank("outcome_order", "outcome", _OUTCOMES), ("direction", "Direction"),
        ("duration_minutes", "Minutes"),
        _day("day", "occurred_date", "occurred_at", "Day of the touch (UTC).", hidden=True),
        Column("Hour", "hour", "Int64", "Hour of the day (UTC).", sql="HOUR(occurred_at)",
               m="Time.Hour(DateTime.Time(Utc([occurred_at])))", form="0"),
        Column("weekday_order", "weekday_order", "Int64", "Day of the week, 1 for Monday.", sql=weekday,
               m="Date.DayOfWeek(Day([occurred_at]), Day.Monday) + 1", hidden=True, form="0"),
        Column("Weekday", "weekday", "String", "Day of the week (UTC).",
               sql=f"CASE {weekday} {' '.join(f'WHEN {n} THEN {d!r}' for n, d in enumerate(_WEEKDAYS, 1))} END",
               m='Date.ToText(Day([occurred_at]), [Format = "ddd", Culture = "en-US"])'),
    )), until="occurred_at")  # fmt: skip
    yield Table("Channels", "gold.channel_performance", "One row per channel, all touches summed.", tuple(_of(
        "gold.channel_performance",
        ("channel", "Channel"), ("interactions", None), ("meeting_booked", None), ("positive_touches", None),
        ("no_answer", None), ("total_duration_minutes", None), ("attributed_revenue", None),
        ("positive_rate_low", "Positive rate low"), ("positive_rate_high", "Positive rate high"),
        ("minutes_per_positive", "Minutes per positive outcome"),
    )))  # fmt: skip
    yield Table("Stages", "gold.stage_history", "One row per deal and stay in a stage.", tuple(_of(
        "gold.stage_history",
        ("lead_id", None), ("stage", "Stage entered"),
        _day("Day entered", "entered_date", "entered_at", "Day on which the stage was entered (UTC)."),
        _day("Day left", "left_date", "left_at", "Day on which it was left (UTC); blank while the deal is in it."),
        ("days_in_stage", None),
    )))  # fmt: skip
    yield Table("Daily", "gold.sales_summary", "One row per day, without gaps.", tuple(_of(
        "gold.sales_summary",
        ("day", None), ("revenue_30d", None), ("cumulative_revenue", None),
    )))  # fmt: skip
    yield Table("Date", "", "One row per day of the years that the data touch, and of the year after.", (
        Column("Date", "date", "DateTime", "The day (UTC).", key=True, form=DAY),
        *(Column(part.name, part.source, "Int64" if part.is_number else "String", part.description,
                 sql=part.sql, m=part.m, hidden=part.hidden, form="0" if part.is_number else None, sort_by=part.sort_by)
          for part in dates.parts(fiscal)),
    ), kind="dates", hierarchies=(
        Hierarchy("Calendar", ("Year", "Quarter", "Month", "Date")),
        Hierarchy("Fiscal calendar", ("Fiscal year", "Fiscal quarter", "Month", "Date")),
    ))  # fmt: skip
    yield Table(dates.TIME[0], "", "How each measure looks at the chosen period: as it is, compared, or to date.", (
        Column(dates.TIME[1], "Name", "String", "What is made of the measures.", sort_by="Ordinal"),
        Column("Ordinal", "Ordinal", "Int64", "Order of the choices.", hidden=True, form="0"),
    ), kind="items", items=dates.items(fiscal))  # fmt: skip
    yield Table(HOME, "", "What each measure means, and the expression that it is declared with.", (
        Column("Metric", "metric", "String", "Label of the metric.", key=True),
        Column("Name", "name", "String", "Its name in `medallion metrics`."),
        Column("Meaning", "meaning", "String", "What it means."),
        Column("Declared as", "expression", "String", "Its expression in Spark SQL."),
        Column("Over", "over", "String", "Table that it is computed from."),
    ), kind="metrics")  # fmt: skip
    for parameter in _parameters():
        yield Table(titled(parameter), "", f"Values to choose from: {_comment(parameter)}.", (
            Column(titled(parameter), parameter, "Int64", _comment(parameter) + ".", key=True, form=MONEY),
        ), kind="parameter")  # fmt: skip


def _values() -> Iterator[Table]:
    """What deals and their states over time are looked at by, one row per value."""
    keys = ("gold.deals", "gold.deal_changes")
    for name, key, description, more in (
        (
            "Reps",
            ("owner", "Owner"),
            "One row per owner of deals.",
            (("owner_team", "Team"), ("owner_manager", "Manager")),
        ),
        ("Products", ("product_id", "Product"), "One row per product of deals.", (("product_name", "Product name"),)),
        ("Lead sources", ("source", "Lead source"), "One row per source of deals.", ()),
        ("Pipeline stages", ("stage", "Stage"), "One row per stage that deals are or were in.", ()),
        ("Statuses", ("status", "Status"), "One row per status of deals.", ()),
    ):
        columns = tuple(_of("gold.deals", key, *more))
        down = (Hierarchy("Teams", ("Team", "Owner")),) if name == "Reps" else ()
        yield Table(name, "gold.deals", description, columns, kind="values", keys=keys, hierarchies=down)


def _shared(table: str) -> Iterator[Relationship]:
    """What deals and their states over time have in common."""
    yield Relationship(table, "customer_id", "Customers", "customer_id")
    for source, (to, column) in _OF_DEALS.items():
        if source not in ("owner_team", "owner_manager"):
            yield Relationship(table, source, to, column)


#: One path to the date table is active: that of the day by which a table is looked at first. A measure takes the path of
#: its metric's time column.
RELATIONSHIPS = (
    *_shared("Deals"),
    Relationship("Deals", "Day closed", *DATE),
    Relationship("Deals", "Day opened", *DATE, active=False),
    Relationship("Deals", "Expected close", *DATE, active=False),
    *_shared("Deal changes"),
    Relationship("Touches", "customer_id", "Customers", "customer_id"),
    Relationship("Touches", "channel", "Channels", "Channel"),
    Relationship("Touches", "day", *DATE),
    Relationship("Stages", "lead_id", "Deals", "Deal"),
    Relationship("Stages", "Day entered", *DATE, active=False),
    Relationship("Stages", "Day left", *DATE, active=False),
    Relationship("Daily", "day", *DATE),
)
_KEYS = {(link.to, link.to_column) for link in RELATIONSHIPS}
_SORTED = {
    ("Customers", "Company size"): "size_band_order",
    ("Customers", "Lead quality"): "lead_quality_order",
    ("Touches", "Outcome"): "outcome_order",
    ("Touches", "Weekday"): "weekday_order",
}


_PLACES = {("Customers", "Country"): "Country", ("Customers", "City"): "City"}


def _last(column: str) -> str:
    """The value on the last day in the filter context that has one: stocks must not be summed over days."""
    return f"LASTNONBLANKVALUE('Date'[Date], CALCULATE(SUM('Daily'[{column}])))"


def _dated() -> Iterator[Measure]:
    yield Measure(measures.AS_OF, dates.AS_OF,
                  "Last day that the data describe.", DAY, "Days")  # fmt: skip
    yield Measure("Revenue of 30 days", _last("revenue_30d"),
                  "Revenue of the 30 days to the last day in view.", MONEY, "Days", tables=("Daily",))  # fmt: skip
    yield Measure("Revenue to date", _last("cumulative_revenue"),
                  "Revenue up to and with the last day in view.", MONEY, "Days", tables=("Daily",))  # fmt: skip


def model(currency: str = "USD") -> Model:
    """The model, with amounts in a currency and the columns that the contracts in use bring to gold.

    Raises:
        ContractError: A metric stands over a table that the model does not have, or two labels are the same.
    """
    return _model(currency, own_files(), own_columns("gold.deals"), own_columns("gold.customer_features"))


@cache
def _model(currency: str, files: tuple[Any, ...], *own: tuple[contracts.Column, ...]) -> Model:
    tables = tuple(
        replace(
            table,
            columns=tuple(
                replace(
                    column,
                    form=form(_MONEY, currency) if column.form == MONEY else column.form,
                    key=column.key or (table.name, column.name) in _KEYS,
                    sort_by=column.sort_by or _SORTED.get((table.name, column.name)),
                    category=_PLACES.get((table.name, column.name)),
                )
                for column in table.columns
            ),
        )
        for table in map(_with_own, _tables(declarations().calendar.fiscal_year_starts))
    )
    links = _relationships(tables)
    all_measures = [
        *(_measure(metric, tables, links, currency) for metric in modelled().values()),
        *(replace(measure, form=form(_MONEY, currency)) if measure.form == MONEY else measure for measure in _dated()),
    ]
    seen: dict[str, Measure] = {}
    for measure in all_measures:
        if twin := seen.get(measure.name.lower()):
            raise ContractError(
                f"metrics {twin.metric} and {measure.metric} have the same label {measure.name!r}",
                "Measures of a Power BI model need names of their own.",
            )
        seen[measure.name.lower()] = measure
    return Model(tables, links, tuple(all_measures))


def modelled() -> dict[str, Metric]:
    """The metrics that the model has: those over its tables, which every lakehouse has."""
    return {name: metric for name, metric in metrics().items() if not metric.view.needs and _home(metric)}


def home(metric: Metric) -> str:
    """The model's table that a metric is computed from.

    Raises:
        ContractError: The model has none.
    """
    if table := _home(metric):
        return table
    raise ContractError(
        f"{metric.name}: the Power BI model has no table for {', '.join(metric.view.tables)}",
        "Add one to medallion.powerbi.model.",
    )


def _home(metric: Metric) -> str | None:
    source = "silver.interactions_clean" if metric.view.entity == "interactions" else metric.view.source
    return _HOMES.get(source)


def dimension(metric: Metric, name: str) -> tuple[str, str] | None:
    """Table and column of the model for a dimension of a metric.

    The metric's own time column is in the date table, and so is its month. None for the month of another day, and for a
    dimension of the user's own that is no column of the model.
    """
    table, own = home(metric), metric.dimension(name)
    if elsewhere := _ELSEWHERE.get(table, {}).get(name):
        return elsewhere
    period = metric.view.dimension(metric.measure.period or "")
    if period is not None and own.type == "month":
        day = re.search(r"\((\w+),", own.expr)
        return _MONTH if day and day[1] in period.expr else None
    if period is not None and own.expr == period.expr:
        return DATE
    for there in (table, *["Customers"] * (table == "Deals")):  # an account's own column, by way of the account
        for column in model().table(there).columns:
            if own.expr in (column.source, column.sql):
                return there, column.name
    return None


def _measure(metric: Metric, tables: tuple[Table, ...], links: tuple[Relationship, ...], currency: str) -> Measure:
    def place(name: str) -> dax.Place:
        columns = next(table for table in tables if table.name == name).columns
        return dax.Place(
            name,
            {(column.source if column.sql is None else _timestamp(column)): column.name for column in columns},
            {p.name: _chosen(p) for p in metric.parameters},
            {name: (part.display_name, counts_from_zero(part.expr)) for name, part in _parts(metric)},
        )

    table = home(metric)
    history = HISTORIES.get(metric.measure.history or "")
    return Measure(
        metric.measure.display_name,
        measures.timed(
            metric,
            place(table),
            path=_path(metric, table, tables, links),
            past=place(history) if history else None,
            unreached=tuple(_unreached(table, tables)) if history else (),
        ),
        metric.measure.comment,
        form(metric.measure.format, currency),
        table,
        metric.name,
        (table, history) if history else (table,),
        is_dated=all(leaf.measure.period or leaf.measure.history for leaf in leaves_of(metric)),
    )


def _parts(metric: Metric) -> Iterator[tuple[str, Declared]]:
    for name in metric.measure.parts:
        if part := metric.view.measure(name):
            yield name, part


def _path(
    metric: Metric, table: str, tables: tuple[Table, ...], links: tuple[Relationship, ...]
) -> measures.Path | None:
    """How the date table reaches a metric: by the column of its time."""
    if metric.measure.period is None:
        return None
    column = _timed_by(metric, table, tables)
    active = next(link.active for link in links if (link.table, link.column, link.to) == (table, column, DATE[0]))
    return measures.Path((table, column), active)


def _timed_by(metric: Metric, table: str, tables: tuple[Table, ...]) -> str:
    """The column of the model that is a metric's time column.

    Raises:
        ContractError: The model does not have it.
    """
    expression = metric.dimension(metric.measure.period or "").expr
    for column in next(t for t in tables if t.name == table).columns:
        if expression in (column.source, column.sql):
            return column.name
    raise ContractError(
        f"{metric.name}: the Power BI model has no column for its time column {metric.measure.period}",
        "Name a day that is a column of the source.",
    )


def _relationships(tables: tuple[Table, ...]) -> tuple[Relationship, ...]:
    """The relationships, with paths from the time columns of the user's own metrics to the date table."""
    relationships = {(link.table, link.column): link for link in RELATIONSHIPS}
    for metric in modelled().values():
        if metric.measure.period is not None:
            table = home(metric)
            column = _timed_by(metric, table, tables)
            relationships.setdefault((table, column), Relationship(table, column, *DATE, active=False))
    return tuple(relationships.values())


def _unreached(table: str, tables: tuple[Table, ...]) -> Iterator[tuple[str, str]]:
    """The columns of a table that readers may filter by and that its history does not have."""
    linked = {link.column for link in RELATIONSHIPS if link.table == table and link.to != DATE[0]}
    for column in next(t for t in tables if t.name == table).columns:
        if column.name not in linked and not column.hidden:
            yield table, column.name


def _timestamp(column: Column) -> str:
    """The timestamp that a day was cut from: whether it is known is the same of both."""
    match = re.fullmatch(r"CAST\((\w+) AS DATE\)", column.sql or "")
    return match[1] if match else column.source


#: A target around which its values lie where it has no default.
_TARGET = 1_000_000.0
_MONEY = Format(type="currency")


def form(given: Format, currency: str) -> str:
    r"""A format string of Power BI; signs are escaped, since TMDL would take a quote for the start of a text.

    >>> form(Format(type="percentage"), "EUR"), form(_MONEY, "EUR"), form(_MONEY, "CHF")
    ('0%', '\\€#,0', '\\C\\H\\F #,0')
    """
    places = "." + "0" * given.decimal_places.places if given.decimal_places.places else ""
    if given.type == "percentage":
        return f"0{places}%"
    if given.type == "currency":
        return "".join(letter if letter == " " else f"\\{letter}" for letter in sign(currency)) + f"#,0{places}"
    return f"#,0{places}"


def _chosen(parameter: Parameter) -> str:
    """What a reader has chosen, or the threshold as it is declared."""
    default = "BLANK()" if parameter.default is None else f"{Decimal(repr(parameter.default)).normalize():f}"
    if not parameter.what_if:
        return default
    return f"SELECTEDVALUE({dax.column(titled(parameter.name), titled(parameter.name))}, {default})"


def _parameters() -> Iterator[str]:
    yield from sorted({p.name for metric in modelled().values() for p in metric.parameters if p.what_if})


def parameter_values(name: str) -> list[int]:
    """Values to choose from: tenths of the default, up to five times."""
    default = next(p.default or _TARGET for m in modelled().values() for p in m.parameters if p.name == name)
    return [round(default * tenth / 10) for tenth in range(1, 51)]


def _comment(name: str) -> str:
    return next(p.comment for m in modelled().values() for p in m.parameters if p.name == name)


def titled(name: str) -> str:
    """The name of a parameter's table and column."""
    return name.replace("_", " ").capitalize()
