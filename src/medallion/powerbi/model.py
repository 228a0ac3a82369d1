"""The semantic model, told once: every file that Power BI opens is written from it.

A star: deals, touches, stays in stages and days are facts; customers, channels and a marked date table are what
they are looked at by. Measures are the metrics, one for one, plus a few that need the date table.
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
from medallion.metrics.loading import own_files
from medallion.powerbi import dax

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


@dataclass(frozen=True)
class Table:
    """A table of the model, read from one table or query of the lakehouse; from none when `kind` is not `gold`.

    Attributes:
        name: What readers see.
        source: Qualified table, such as `gold.deals`.
        description: What one row is.
        columns: Its columns.
        kind: `gold`, `dates`, `metrics` (the metric dictionary) or `parameter`.
        until: Whether only days up to the one that gold describes count, by this column.
        hidden: Not in the list of tables.
    """

    name: str
    source: str
    description: str
    columns: tuple[Column, ...]
    kind: Literal["gold", "dates", "metrics", "parameter"] = "gold"
    until: str | None = None
    hidden: bool = False

    def column(self, name: str) -> Column:
        """The column that readers see under that name; KeyError when there is none."""
        for one in self.columns:
            if one.name == name:
                return one
        raise KeyError(f"{self.name} has no column {name}")

    @property
    def key(self) -> Column | None:
        """The column whose values are unique."""
        return next((one for one in self.columns if one.key), None)


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
    """A measure; `metric` names the metric that it is, None for those that need the date table."""

    name: str
    expression: str
    description: str
    form: str
    folder: str
    metric: str | None = None


@dataclass(frozen=True)
class Model:
    """All of it."""

    tables: tuple[Table, ...]
    relationships: tuple[Relationship, ...]
    measures: tuple[Measure, ...]

    def table(self, name: str) -> Table:
        """The table of that name; KeyError when there is none."""
        for one in self.tables:
            if one.name == name:
                return one
        raise KeyError(f"there is no table {name}")

    def measure(self, name: str) -> Measure:
        """The measure of that name; KeyError when there is none."""
        for one in self.measures:
            if one.name == name:
                return one
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
#: Where a dimension of a metric is found when not in the table of the metric itself: table, column.
_ELSEWHERE = {
    "Deals": {
        "industry": ("Customers", "Industry"), "country": ("Customers", "Country"),
        "size_band": ("Customers", "Company size"), "lead_quality": ("Customers", "Lead quality"),
        "closed_month": ("Date", "Month"), "closed_date": ("Date", "Date"),
    },
    "Touches": {"channel": ("Channels", "Channel"), "month": ("Date", "Month"), "date": ("Date", "Date")},
}  # fmt: skip
#: Dimensions by which the model has no active path: by the day that a deal was opened, `Deals opened` tells.
WITHOUT = {"Deals": ("created_month", "created_date")}

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
    for one in wanted:
        if isinstance(one, Column):
            yield one
            continue
        source, seen = one
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
    columns, names = list(table.columns), {one.name.lower() for one in table.columns}
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


def _tables() -> Iterator[Table]:
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
    )))  # fmt: skip
    yield Table("Deals", "gold.deals", "One row per deal.", tuple(_of(
        "gold.deals",
        ("lead_id", "Deal"), ("customer_id", None), ("product_id", "Product"), ("source", "Lead source"),
        ("status", "Status"), ("stage", "Stage"), ("owner", "Owner"), ("deal_value", "Value"), ("has_value", None),
        _day("Day opened", "created_date", "created_at", "Day on which the deal was opened (UTC)."),
        _day("Day closed", "closed_date", "closed_at", "Day on which the deal was won or lost (UTC); blank while open."),
        ("expected_close_date", "Expected close"), ("age_days", "Age in days"), ("cycle_days", "Cycle in days"),
        ("lead_quality", None), ("probability_to_convert", "Probability"), ("weighted_value", "Weighted value"),
        ("days_since_last_interaction", None), ("as_of", None),
    )))  # fmt: skip
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
        _day("left_at", "left_date", "left_at", "Day on which it was left (UTC); blank while the deal is in it.", True),
        ("days_in_stage", None),
    )))  # fmt: skip
    yield Table("Daily", "gold.sales_summary", "One row per day, without gaps.", tuple(_of(
        "gold.sales_summary",
        ("day", None), ("new_leads", None), ("won_leads", None), ("lost_leads", None), ("interactions", None),
        ("revenue", None), ("open_leads", None), ("open_pipeline", None), ("revenue_30d", None),
        ("cumulative_revenue", None),
    )))  # fmt: skip
    yield Table("Date", "", "One row per day of the years that the data touch.", (
        Column("Date", "date", "DateTime", "The day (UTC).", key=True, form=DAY),
        Column("Year", "year", "Int64", "Calendar year.", form="0"),
        Column("Quarter", "quarter", "String", "Year and quarter."),
        Column("Month", "month", "String", "Year and month."),
    ), kind="dates")  # fmt: skip
    yield Table(HOME, "", "What each measure means, and the expression that it is declared with.", (
        Column("Metric", "metric", "String", "Label of the metric.", key=True),
        Column("Name", "name", "String", "Its name in `medallion metrics`."),
        Column("Meaning", "meaning", "String", "What it means."),
        Column("Declared as", "expression", "String", "Its expression in Spark SQL."),
        Column("Over", "over", "String", "Table that it is computed from."),
    ), kind="metrics")  # fmt: skip
    for parameter in _parameters():
        yield Table(_titled(parameter), "", f"Values to choose from: {_comment(parameter)}.", (
            Column(_titled(parameter), parameter, "Int64", _comment(parameter) + ".", key=True, form=MONEY),
        ), kind="parameter")  # fmt: skip


RELATIONSHIPS = (
    Relationship("Deals", "customer_id", "Customers", "customer_id"),
    Relationship("Deals", "Day closed", "Date", "Date"),
    Relationship("Deals", "Day opened", "Date", "Date", active=False),
    Relationship("Touches", "customer_id", "Customers", "customer_id"),
    Relationship("Touches", "channel", "Channels", "Channel"),
    Relationship("Touches", "day", "Date", "Date"),
    Relationship("Stages", "lead_id", "Deals", "Deal"),
    Relationship("Daily", "day", "Date", "Date"),
)
_KEYS = {(one.to, one.to_column) for one in RELATIONSHIPS}
_SORTED = {
    ("Customers", "Company size"): "size_band_order",
    ("Customers", "Lead quality"): "lead_quality_order",
    ("Touches", "Outcome"): "outcome_order",
    ("Touches", "Weekday"): "weekday_order",
}


def _last(column: str) -> str:
    """The value on the last day in the filter context that has one: stocks must not be summed over days."""
    return f"LASTNONBLANKVALUE('Date'[Date], CALCULATE(SUM('Daily'[{column}])))"


def _dated() -> Iterator[Measure]:
    yield Measure("Deals opened", "CALCULATE([Deals], USERELATIONSHIP('Deals'[Day opened], 'Date'[Date]))",
                  "Deals by the day on which they were opened; other measures of deals go by the day they closed.",
                  WHOLE, "Days")  # fmt: skip
    yield Measure("Open pipeline at day's end", _last("open_pipeline"),
                  "Value of the deals open at the end of the last day in view.", MONEY, "Days")  # fmt: skip
    yield Measure("Revenue of 30 days", _last("revenue_30d"),
                  "Revenue of the 30 days to the last day in view.", MONEY, "Days")  # fmt: skip
    yield Measure("Revenue to date", _last("cumulative_revenue"),
                  "Revenue up to and with the last day in view.", MONEY, "Days")  # fmt: skip


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
                    one,
                    form=form(_MONEY, currency) if one.form == MONEY else one.form,
                    key=one.key or (table.name, one.name) in _KEYS,
                    sort_by=_SORTED.get((table.name, one.name)),
                )
                for one in table.columns
            ),
        )
        for table in map(_with_own, _tables())
    )
    measures = [
        *(_measure(metric, tables, currency) for metric in modelled().values()),
        *(replace(one, form=form(_MONEY, currency)) if one.form == MONEY else one for one in _dated()),
    ]
    seen: dict[str, Measure] = {}
    for measure in measures:
        if twin := seen.get(measure.name.lower()):
            raise ContractError(
                f"metrics {twin.metric} and {measure.metric} have the same label {measure.name!r}",
                "Measures of a Power BI model need names of their own.",
            )
        seen[measure.name.lower()] = measure
    return Model(tables, RELATIONSHIPS, tuple(measures))


def modelled() -> dict[str, Metric]:
    """The metrics that the model has: those over its tables, which every lakehouse has, that have no parts with times of
    their own.
    """
    return {name: one for name, one in metrics().items() if not (one.view.needs or one.measure.parts) and _home(one)}


def home(metric: Metric) -> str:
    """The model's table that a metric is computed from.

    Raises:
        ContractError: The model has none.
    """
    if found := _home(metric):
        return found
    raise ContractError(
        f"{metric.name}: the Power BI model has no table for {', '.join(metric.view.tables)}",
        "Add one to medallion.powerbi.model.",
    )


def _home(metric: Metric) -> str | None:
    source = "silver.interactions_clean" if metric.view.entity == "interactions" else metric.view.source
    return _HOMES.get(source)


def dimension(metric: Metric, name: str) -> tuple[str, str] | None:
    """Table and column of the model for a dimension of a metric.

    None where no active path leads there, and for a dimension of the user's own that is no column of the model.
    """
    table = home(metric)
    if found := _ELSEWHERE.get(table, {}).get(name):
        return found
    if name in WITHOUT.get(table, ()):
        return None
    expression = metric.dimension(name).expr
    for there in (table, *["Customers"] * (table == "Deals")):  # an account's own column, by way of the account
        for one in model().table(there).columns:
            if expression in (one.source, one.sql):
                return there, one.name
    return None


def _measure(metric: Metric, tables: tuple[Table, ...], currency: str) -> Measure:
    table = home(metric)
    columns = next(one for one in tables if one.name == table).columns
    place = dax.Place(
        table,
        {(one.source if one.sql is None else _timestamp(one)): one.name for one in columns},
        {p.name: _chosen(p) for p in metric.parameters},
    )  # fmt: skip
    return Measure(
        metric.measure.display_name,
        dax.whole(metric.measure.expr, place, metric.view.filter),
        metric.measure.comment,
        form(metric.measure.format, currency),
        table,
        metric.name,
    )


def _timestamp(column: Column) -> str:
    """The timestamp that a day was cut from: whether it is known is the same of both."""
    found = re.fullmatch(r"CAST\((\w+) AS DATE\)", column.sql or "")
    return found[1] if found else column.source


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
    return f"SELECTEDVALUE({dax.column(_titled(parameter.name), _titled(parameter.name))}, {default})"


def _parameters() -> Iterator[str]:
    yield from sorted({p.name for metric in modelled().values() for p in metric.parameters if p.what_if})


def parameter_values(name: str) -> list[int]:
    """Values to choose from: tenths of the default, up to five times."""
    default = next(p.default or _TARGET for m in modelled().values() for p in m.parameters if p.name == name)
    return [round(default * tenth / 10) for tenth in range(1, 51)]


def _comment(name: str) -> str:
    return next(p.comment for m in modelled().values() for p in m.parameters if p.name == name)


def _titled(name: str) -> str:
    return name.replace("_", " ").capitalize()
