"""Tables of rows: which columns they show, how they are sorted, searched, paged and written to a file, in DuckDB.

Pages are found by the key of the last row (keyset), so that the thousandth page costs what the first does. Names in
an address are looked up here and never put into SQL; values are bound.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import duckdb
import sqlglot

from medallion.dashboard import parameters, words
from medallion.dashboard.parameters import BadRequestError, Given
from medallion.dashboard.reading import Reading
from medallion.lakehouse import query
from medallion.metrics import Dimension, Filter, contradicted, metrics, threshold
from medallion.metrics.compilers.sql import counted, counted_above
from medallion.metrics.conditions import Test, both
from medallion.metrics.declared import with_parameters

Kind = Literal[
    "text", "badge", "status", "money", "number", "decimal", "percent", "day", "timestamp", "list", "why", "trend"
]
NUMBERS = ("money", "number", "decimal", "percent")
PAGE = 25
#: Filters of tables that are dimensions of deals too: a value that no row of the table has is still one.
_ELSEWHERE = {
    name: dimension
    for name in ("industry", "owner", "lead_quality")
    if (dimension := metrics()["total_leads"].view.dimension(name)) is not None
}
#: Parameter of tables behind metrics: the metric whose rows are listed.
OF = "of"
#: And which of them: those that the numerator of a ratio counts.
PART, ABOVE = "part", "above"
#: Parameters of every table.
STATE = ("sort", "q", "after", "at")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its name in the source.
        label: What stands above it.
        kind: How its values are written.
        link: Page that a value leads to, with `{}` for the value of `link_by`.
        link_by: Column whose value goes into the link; the column itself without.
        pii: Shown with --show-pii alone.
        help: What it means, where the label does not say it.
    """

    name: str
    label: str
    kind: Kind = "text"
    link: str | None = None
    link_by: str | None = None
    pii: bool = False
    help: str = ""


@dataclass(frozen=True)
class Table:
    """Rows that a page shows.

    Attributes:
        name: Name in addresses.
        title: Heading.
        says: What one row is.
        source: Relation that is read: the name of a table or a query in parentheses.
        key: The column that tells rows apart.
        columns: What is shown, in order.
        sort: Sorting without another wish, `-` before the name for the largest first.
        search: Columns that a search looks into.
        like: A metric whose view has the same rows: its dimensions become filters.
        dimensions: Filters beside these, name to expression of DuckDB.
        values: Values that these may have whether or not a row has them.
        needs: Tables without which there is nothing to show.
    """

    name: str
    title: str
    says: str
    source: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    sort: str
    search: tuple[str, ...] = ()
    like: str | None = None
    dimensions: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needs: tuple[str, ...] = ()

    @cached_property
    def filters(self) -> dict[str, Dimension]:
        """Its filters as dimensions, which understand their values."""
        own = {
            name: Dimension(
                name=name,
                expr=sql,
                display_name=name,
                comment="",
                type="day" if name == "day" else "text",
                values=self.values.get(name, ()),
            )
            for name, sql in self.dimensions.items()
        }
        return own | (
            {dimension.name: dimension for dimension in metrics()[self.like].view.dimensions} if self.like else {}
        )

    def understood(self, params: Given, reading: Reading) -> tuple[Filter, ...]:
        """The filters of an address.

        Raises:
            BadRequestError: A value cannot be read, or is not there.
        """

        def known(dimension: Dimension) -> tuple[str, ...]:
            if dimension.name in self.values:
                return self.values[dimension.name]
            if dimension.name not in self.dimensions:
                return reading.known(dimension)
            if dimension.name in _ELSEWHERE:
                return reading.known(_ELSEWHERE[dimension.name])
            return reading.values(self.source, self.dimensions[dimension.name])

        dimensions = tuple(self.filters.values())
        return parameters.to_filters(params, dimensions, known, reading.last_day if self._has_days else None)

    @cached_property
    def _has_days(self) -> bool:
        return any(dimension.is_time for dimension in self.filters.values())

    @cached_property
    def expressions(self) -> dict[str, str]:
        """Its filters as expressions of DuckDB."""
        own = dict(self.dimensions)
        if self.like:
            for dimension in metrics()[self.like].view.dimensions:
                own[dimension.name] = sqlglot.transpile(dimension.expr, read="spark", write="duckdb")[0]
        return own

    @property
    def allowed(self) -> list[str]:
        """Names of the parameters that it takes."""
        return [*STATE, *((OF, PART) if self.like else ()), *parameters.allowed_of(tuple(self.filters.values()))]


@dataclass(frozen=True)
class Slice:
    """One page of a table.

    Attributes:
        table: The table.
        columns: What may be shown of it.
        rows: The rows.
        count: Rows of all pages.
        at: Place of the first row, from 0.
        sort: Column that it is sorted by.
        descending: Whether the largest come first.
        search: What was searched for.
        after: Where the next page begins; None on the last.
    """

    table: Table
    columns: tuple[Column, ...]
    rows: list[dict[str, Any]]
    count: int
    at: int
    sort: str
    descending: bool
    search: str
    after: str | None


def page(
    reading: Reading, table: Table, params: Given, where: tuple[Filter, ...], *, pii: bool, size: int = PAGE
) -> Slice:
    """A page of a table.

    Raises:
        BadRequestError: The address names no column of it, or no place in it.
    """
    columns = tuple(column for column in table.columns if pii or not column.pii)
    sort, descending = _order(table, columns, params.get("sort") or table.sort)
    search = params.get("q") or ""
    if any(name not in reading.tables for name in table.needs):
        return Slice(table, columns, [], 0, 0, sort, descending, search, None)
    conditions, bindings = _conditions(table, where, search, params.get(OF), params.get(PART))
    source = reading.at_hand(table.source)
    narrowed = f"from {source}{_where(conditions)}"
    count = reading.rows(f"select count(*) as n {narrowed}", bindings)[0]["n"]
    place, at = params.get("after"), params.get("at")
    if at is not None and not (at.isdecimal() and len(at) < 12 and place):
        raise BadRequestError(words.say("no_such_place"))
    if place:
        condition, more = _beyond(table, _kinds(reading, source), sort, descending, place)
        conditions, bindings = [*conditions, condition], (*bindings, *more)
    keys = ", ".join(_quoted(name) for name in table.key)
    direction = "desc" if descending else "asc"
    tail = ", ".join(f"cast({_quoted(n)} as varchar) as _key{place}" for place, n in enumerate((sort, *table.key)))
    chosen = (
        f"from {source}{_where(conditions)} order by {_quoted(sort)} {direction} nulls last, {keys} limit {size + 1}"
    )
    if source != table.source:  # a copy: narrow enough
        rows = places = _asked(reading, f"select {_names(columns)}, {tail} {chosen}", bindings)
    else:  # find the rows by narrow columns alone, then read what is shown of these few
        places = _asked(reading, f"select {tail} {chosen}", bindings)
        rows = _shown(reading, table, columns, places[:size])
    last = places[size - 1] if len(places) > size else None
    after = [last[f"_key{place}"] for place in range(1 + len(table.key))] if last else None
    beyond = None if after is None else json.dumps(after, ensure_ascii=False)
    return Slice(table, columns, rows[:size], count, int(at or 0), sort, descending, search, beyond)


def _shown(
    reading: Reading, table: Table, columns: tuple[Column, ...], places: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The rows at these places, in their order."""
    if not places:
        return []
    (key,) = table.key
    kind = _kinds(reading, table.source)[key]
    marks = ", ".join([f"cast(? as {kind})"] * len(places))
    rows = reading.rows(
        f"select {_names(columns)}, cast({_quoted(key)} as varchar) as _key1 from {table.source} where {_quoted(key)} in ({marks})",
        [place["_key1"] for place in places],
    )
    by_key = {row["_key1"]: row for row in rows}
    return [by_key[place["_key1"]] for place in places]


def _names(columns: tuple[Column, ...]) -> str:
    return ", ".join(dict.fromkeys(_quoted(n) for c in columns for n in (c.name, c.link_by or c.name)))


def _asked(reading: Reading, sql: str, bindings: tuple[Any, ...]) -> list[dict[str, Any]]:

    try:
        return reading.rows(sql, bindings)
    except (duckdb.ConversionException, duckdb.InvalidInputException) as error:  # a place that is none of this table's
        raise BadRequestError(words.say("no_such_place")) from error


def _order(table: Table, columns: tuple[Column, ...], text: str) -> tuple[str, bool]:
    name = text.removeprefix("-")
    known = [column.name for column in columns if column.kind not in ("list", "why")]
    if name not in known:
        raise BadRequestError(words.say("no_such_column", name=name[:40], known=", ".join(known)))
    return name, text.startswith("-")


def _conditions(
    table: Table, where: tuple[Filter, ...], search: str, of: str | None = None, part: str | None = None
) -> tuple[list[str], tuple[Any, ...]]:
    conditions: list[str] = []
    bindings: list[Any] = []
    if of is not None and _BEHIND.get(metrics()[of].view.source if of in metrics() else "") != table.name:
        raise BadRequestError(words.say("not_of_this_table", table=table.title, name=of[:60]))
    if of is not None and (condition := _condition(of)):
        conditions.append(f"({condition})")
    if part is not None:
        if part != ABOVE or of is None or (condition := _condition(of, above=True)) is None:
            raise BadRequestError(words.say("no_such_part_of", name=part[:40], of=of or "no metric"))
        conditions += [f"({condition})"] if condition else []
    for filter_ in where:
        text = f"cast({table.expressions[filter_.dimension]} as varchar)"
        if filter_.values[0] == "" and filter_.operator == "=":
            conditions.append(f"{text} is null")
            continue
        among = filter_.operator == "=" and len(filter_.values) > 1
        conditions.append(
            f"{text} in ({', '.join('?' * len(filter_.values))})" if among else f"{text} {filter_.operator} ?"
        )
        bindings += filter_.values
    if search and table.search:
        parts = [f"contains(lower(cast({_quoted(name)} as varchar)), lower(?))" for name in table.search]
        conditions.append(f"({' or '.join(parts)})")
        bindings += [search] * len(parts)
    return conditions, tuple(bindings)


def _beyond(
    table: Table, kinds: Mapping[str, str], sort: str, descending: bool, text: str
) -> tuple[str, tuple[Any, ...]]:
    """The rows after one: of equal ones those with a larger key, and unknown values at the end."""
    try:
        place = json.loads(text)
    except ValueError:
        place = None
    if not isinstance(place, list) or len(place) != 1 + len(table.key) or not all(isinstance(p, str | None) for p in place) or None in place[1:]:  # fmt: skip
        raise BadRequestError(words.say("no_such_place"))
    value, *keys = place
    column = _quoted(sort)
    key = f"({', '.join(_quoted(name) for name in table.key)}) > ({', '.join(_as(kinds, name) for name in table.key)})"
    if value is None:
        return f"({column} is null and {key})", tuple(keys)
    beyond = "<" if descending else ">"
    bound = _as(kinds, sort)
    condition = f"({column} is null or {column} {beyond} {bound} or ({column} = {bound} and {key}))"
    return condition, (value, value, *keys)


def _as(kinds: Mapping[str, str], name: str) -> str:
    """A bound value, compared as the column's own type."""
    return f"cast(? as {kinds[name]})"


def _kinds(reading: Reading, source: str) -> dict[str, str]:
    described = reading.rows(f"describe (from {source})")
    return {row["column_name"]: row["column_type"] for row in described}


def _where(conditions: list[str]) -> str:
    return f" where {' and '.join(conditions)}" if conditions else ""


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def download(
    reading: Reading,
    table: Table,
    params: Given,
    where: tuple[Filter, ...],
    to: Path,
    narrowing: Iterable[tuple[str, str]],
    *,
    pii: bool,
) -> None:
    """Write all rows, narrowed and sorted, to CSV that is safe in a spreadsheet, or to Parquet with `narrowing` as metadata.

    Raises:
        BadRequestError: The address names no column of it.
    """
    columns = tuple(column for column in table.columns if pii or not column.pii)
    sort, descending = _order(table, columns, params.get("sort") or table.sort)
    conditions, bindings = _conditions(table, where, params.get("q") or "", params.get(OF), params.get(PART))
    if any(name not in reading.tables for name in table.needs):
        raise BadRequestError(words.say("nothing_to_download"))
    keys = ", ".join(_quoted(name) for name in table.key)
    direction = "desc" if descending else "asc"
    chosen = f"select {_names(columns)} from {table.source}{_where(conditions)} order by {_quoted(sort)} {direction} nulls last, {keys}"
    name = str(to).replace("'", "''")
    with reading.cursor() as cursor:
        if to.suffix == ".parquet":
            says = json.dumps(dict(narrowing)).replace("'", "''")
            cursor.execute(
                f"copy ({chosen}) to '{name}' (format parquet, kv_metadata {{medallion: '{says}'}})", list(bindings)
            )
            return
        part = name + ".part.parquet"
        cursor.execute(f"copy ({chosen}) to '{part}' (format parquet)", list(bindings))
        safe = query.for_spreadsheets(cursor, f"(from read_parquet('{part}'))")
        cursor.execute(f"copy ({safe}) to '{name}' (format csv, header)")
        Path(str(to) + ".part.parquet").unlink()


_NEWEST = (
    "(as_of, known_as_of) = (select (as_of, known_as_of) from gold.lead_scores "
    "order by known_as_of desc, as_of desc limit 1)"
)
_CUSTOMER = "/customers/{}"
#: Reasons of a refusal without the value that was refused: it may be a person's.
_REASONS = "list_transform(reasons, lambda x: regexp_replace(x, ':? ''.*$', ''))"

_CALLS = Table(
    "calls",
    "Who to call now, and why",
    "One row per open deal with its last score; the likeliest first.",
    "(select s.lead_id, s.customer_id, coalesce(d.customer_name, s.customer_id, s.lead_id) as customer_name, d.owner, d.industry, d.stage, "
    "d.deal_value, d.weighted_value, s.probability, s.probability_low, s.probability_high, s.lead_score, s.lead_quality, s.trend, "
    "s.reasons_up, s.reasons_down, d.days_since_last_interaction, d.expected_close_date, s.previous_probability, s.probability_source "
    f"from (from gold.lead_scores where {_NEWEST}) s join gold.deals d using (lead_id) where d.status = 'open')",
    ("lead_id",),
    (
        Column("customer_name", "Customer", link=_CUSTOMER, link_by="customer_id"),
        Column("lead_id", "Deal", link="/deals/{}"),
        Column("probability", "Probability", "percent", help="Probability that the deal is won within the horizon of the forecast"),
        Column("trend", "Trend", "trend", help="Against the last score of an earlier day"),
        Column("lead_quality", "Band", "badge", help="Band of the rule score, Hot first; with 200 open deals or more, quarters of these"),
        Column("deal_value", "Value", "money"),
        Column("weighted_value", "Expected", "money", help="Value times probability"),
        Column("days_since_last_interaction", "Days silent", "number", help="Days since the account was last touched"),
        Column("owner", "Owner"),
        Column("reasons_up", "Why", "why", link_by="reasons_down", help="Reasons for the deal, and against it"),
    ),
    "-probability",
    ("customer_name", "lead_id", "owner"),
    dimensions={"industry": "industry", "owner": "owner", "lead_quality": "lead_quality"},
    needs=("gold.lead_scores",),
)  # fmt: skip

_MOVES = Table(
    "moves",
    "What changed since the last score",
    "One row per open deal whose odds moved by more than a tenth.",
    f"(select *, probability - previous_probability as moved from {_CALLS.source} where trend in ('improving', 'declining'))",
    ("lead_id",),
    (
        Column("customer_name", "Customer", link=_CUSTOMER, link_by="customer_id"),
        Column("lead_id", "Deal", link="/deals/{}"),
        Column("trend", "Trend", "trend"),
        Column("previous_probability", "Before", "percent"),
        Column("probability", "Now", "percent"),
        Column("deal_value", "Value", "money"),
        Column("owner", "Owner"),
    ),
    "-deal_value",
    ("customer_name", "lead_id", "owner"),
    dimensions=_CALLS.dimensions,
    needs=("gold.lead_scores",),
)

_DEALS = Table(
    "deals",
    "Deals",
    "One row per deal.",
    "gold.deals",
    ("lead_id",),
    (
        Column("lead_id", "Deal"),
        Column("customer_name", "Customer", link=_CUSTOMER, link_by="customer_id"),
        Column("status", "Status", "status"),
        Column("stage", "Stage"),
        Column("deal_value", "Value", "money"),
        Column("probability_to_convert", "Probability", "percent"),
        Column("weighted_value", "Expected", "money"),
        Column("owner", "Owner"),
        Column("source", "Source"),
        Column("industry", "Industry"),
        Column("lead_quality", "Band", "badge"),
        Column("created_at", "Opened", "day"),
        Column("closed_at", "Closed", "day"),
        Column("cycle_days", "Cycle days", "number"),
        Column(
            "days_since_last_interaction",
            "Days since touch",
            "number",
            help="Blank where the account was never touched",
        ),
    ),
    "-deal_value",
    ("lead_id", "customer_name", "owner", "customer_id"),
    like="total_leads",
    dimensions={
        "last_touch": "CASE WHEN days_since_last_interaction IS NULL THEN 'never' "
        f"WHEN days_since_last_interaction > {threshold('silent_days'):g} THEN 'silent' ELSE 'recent' END",
        "due": "CASE WHEN expected_close_date < as_of THEN 'overdue' ELSE 'later' END",
    },
    values={"last_touch": ("never", "silent", "recent"), "due": ("overdue", "later")},
)

_CUSTOMERS = Table(
    "customers",
    "Customers",
    "One row per account.",
    "gold.customer_features",
    ("customer_id",),
    (
        Column("customer_name", "Customer", link=_CUSTOMER, link_by="customer_id"),
        Column("segment", "Segment"),
        Column("lead_score", "Score", "number", help="Rule score, 0 to 100"),
        Column("lead_quality", "Band", "badge"),
        Column("won_value", "Revenue", "money"),
        Column("open_value", "Open value", "money"),
        Column("win_rate", "Win rate", "percent"),
        Column("interactions", "Touches", "number"),
        Column("days_since_last_interaction", "Days silent", "number"),
        Column("preferred_channel", "Answers best on"),
        Column("industry", "Industry"),
        Column("size_band", "Employees"),
    ),
    "-lead_score",
    ("customer_name", "customer_id"),
    like="total_customers",
)

_CHANNELS = Table(
    "channels",
    "Channels",
    "One row per channel, over all time.",
    "gold.channel_performance",
    ("channel",),
    (
        Column("channel", "Channel"),
        Column("interactions", "Touches", "number"),
        Column("customers", "Customers", "number"),
        Column("positive_rate", "Positive rate", "percent"),
        Column("meeting_booked", "Meetings booked", "number"),
        Column("no_answer", "No answer", "number"),
        Column("average_duration_minutes", "Minutes each", "decimal"),
        Column("attributed_revenue", "Attributed revenue", "money"),
        Column("revenue_per_interaction", "Revenue per touch", "money"),
    ),
    "-interactions",
    like="total_interactions",
)

_TOUCHES = Table(
    "touches",
    "Touches",
    "One row per touch, up to the day that gold describes.",
    f"({sqlglot.transpile(metrics()['touches'].view.source, read='spark', write='duckdb')[0]})",
    ("interaction_id",),
    (
        Column("interaction_id", "Touch"),
        Column("occurred_at", "When (UTC)", "timestamp"),
        Column("channel", "Channel"),
        Column("direction", "Direction"),
        Column("outcome", "Outcome"),
        Column("duration_minutes", "Minutes", "number"),
        Column("customer_id", "Account", link=_CUSTOMER),
        Column("lead_id", "Deal", link="/deals/{}"),
        Column("notes", "Notes", pii=True),
        Column("_source_file", "File"),
        Column("_source_row", "Line", "number"),
    ),
    "-occurred_at",
    ("interaction_id", "customer_id", "lead_id"),
    like="touches",
    needs=("silver.interactions_clean",),
)

_STAGES = Table(
    "stages",
    "Stays in stages",
    "One row per deal and stay in a stage.",
    "(select *, lead_id || ' ' || cast(entered_at as varchar) as stay from gold.stage_history)",
    ("stay",),
    (
        Column("lead_id", "Deal", link="/deals/{}"),
        Column("stage", "Stage"),
        Column("entered_at", "Entered (UTC)", "timestamp"),
        Column("left_at", "Left (UTC)", "timestamp"),
        Column("days_in_stage", "Days", "decimal"),
        Column("told_by", "Source"),
    ),
    "-entered_at",
    ("lead_id", "stage"),
    like="stage_entries",
    needs=("gold.stage_history",),
)

_TOP = Table(
    "top",
    "Customers with most revenue",
    "One row per customer, at most 50, over all time.",
    "gold.top_customers",
    ("rank",),
    (
        Column("rank", "Rank", "number"),
        Column("customer_name", "Customer", link=_CUSTOMER, link_by="customer_id"),
        Column("won_value", "Revenue", "money"),
        Column("revenue_share", "Share", "percent"),
        Column("cumulative_share", "Share so far", "percent"),
        Column("open_value", "Open value", "money"),
        Column("lead_quality", "Band", "badge"),
        Column("segment", "Segment"),
        Column("next_step", "Next step"),
        Column("account_manager", "Account manager"),
    ),
    "rank",
    ("customer_name", "account_manager"),
    dimensions={"industry": "industry"},
)

_DAYS = Table(
    "days",
    "Days of the sales team",
    "One row per day, without gaps.",
    "gold.sales_summary",
    ("day",),
    (
        Column("day", "Day", "day"),
        Column("new_leads", "Opened", "number"),
        Column("won_leads", "Won", "number"),
        Column("lost_leads", "Lost", "number"),
        Column("revenue", "Revenue", "money"),
        Column("interactions", "Touches", "number"),
        Column("open_leads", "Open deals", "number"),
        Column("open_pipeline", "Open pipeline", "money"),
        Column("win_rate_30d", "Win rate, 30 days", "percent"),
        Column("revenue_30d", "Revenue, 30 days", "money"),
    ),
    "-day",
    dimensions={"day": "CAST(day AS DATE)"},
)

_QUARANTINE = Table(
    "quarantine",
    "Records waiting in quarantine",
    "One row per refused record with its place in the file.",
    f"(select *, {_REASONS} as told from silver.quarantine where resolved_by is null)",
    ("quarantine_id",),
    (
        Column("entity", "Entity"),
        Column("record_key", "Key"),
        Column("source_file", "File"),
        Column("source_row", "Line", "number"),
        Column("told", "Why", "list"),
        Column("reasons", "Why, with the value", "list", pii=True),
        Column("known_at", "Read (UTC)", "timestamp"),
        Column("quarantine_id", "Identifier", link="/health/quarantine/{}"),
    ),
    "-known_at",
    ("entity", "record_key", "source_file"),
    dimensions={"entity": "entity"},
    needs=("silver.quarantine",),
)

TABLES = {
    table.name: table
    for table in (_CALLS, _MOVES, _DEALS, _CUSTOMERS, _CHANNELS, _TOUCHES, _STAGES, _TOP, _DAYS, _QUARANTINE)
}
#: Which table has the rows behind a metric, by the source of its view.
_BEHIND = {metrics()[table.like].view.source: table.name for table in TABLES.values() if table.like}


def behind(reading: Reading, asked: Mapping[str, tuple[Filter, ...]]) -> dict[str, tuple[str, int]]:
    """The address of the rows that each metric counts or sums under its filters, and how many there are."""
    addresses: dict[str, tuple[str, int]] = {}
    together: dict[tuple[str, tuple[Filter, ...]], list[str]] = {}
    for name, where in asked.items():
        table = _table_of(name)
        if table is None or not (_condition(name) or contradicted(metrics()[name], where)):
            addresses[name] = (rows_address(name, where), int(reading.ask(name, where=where).rows[0]["n"]))
        else:
            together.setdefault((table.name, where), []).append(name)
    for (table_name, where), names in together.items():
        counts = _counts(reading, TABLES[table_name], names, where)
        addresses.update({name: (rows_address(name, where), counts[None][name]) for name in names})
    return addresses


def behind_split(reading: Reading, name: str, by: str, where: tuple[Filter, ...]) -> dict[str | None, int] | None:
    """Of a metric by a dimension how many rows are behind each value; None where its answer says so itself."""
    table = _table_of(name)
    if table is None or not _condition(name):
        return None
    return {key: row[name] for key, row in _counts(reading, table, [name], where, by).items()}


def _counts(
    reading: Reading, table: Table, names: list[str], where: tuple[Filter, ...], by: str | None = None
) -> dict[str | None, dict[str, int]]:
    conditions, bindings = _conditions(table, where, "")
    key = f"cast({table.expressions[by]} as varchar)" if by else "null"
    counts = ", ".join(
        f"count(*) filter (where {_condition(name) or 'true'}) as n{place}" for place, name in enumerate(names)
    )
    sql = f"select {key} as key, {counts} from {reading.at_hand(table.source)}{_where(conditions)} group by all"
    by_key = {
        row["key"]: {name: row[f"n{place}"] for place, name in enumerate(names)} for row in reading.rows(sql, bindings)
    }
    return by_key if by or by_key else {None: dict.fromkeys(names, 0)}


def _table_of(name: str) -> Table | None:
    """The table that has the rows of a metric."""
    table = _BEHIND.get(metrics()[name].view.source)
    return TABLES[table] if table else None


@cache
def _condition(name: str, *, above: bool = False) -> str | None:
    """The condition in DuckDB SQL of the rows that a metric counts or sums, or that its numerator does; empty for all rows,
    None where there is no such numerator.
    """
    metric = metrics()[name]
    expression = counted_above(metric) if above else counted(metric)
    if expression is None:
        return None
    defaults = {parameter.name: parameter.default for parameter in metric.parameters if parameter.default is not None}
    return (
        sqlglot.transpile(with_parameters(expression, defaults), read="spark", write="duckdb")[0] if expression else ""
    )


def above_address(reading: Reading, name: str, where: tuple[Filter, ...]) -> tuple[str, int] | None:
    """The address of the rows that the numerator of a ratio counts, and how many there are; None where it counts no rows."""
    table = _table_of(name)
    if table is None or _condition(name, above=True) is None or any(len(filter_.values) != 1 for filter_ in where):
        return None
    asked = Given(tuple(parameters.of_dimensions(where).items())).query(of=name, part=ABOVE)
    conditions, bindings = _conditions(table, where, "", name, ABOVE)
    count = reading.rows(f"select count(*) as n from {reading.at_hand(table.source)}{_where(conditions)}", bindings)
    return f"/rows/{table.name}{asked}", int(count[0]["n"])


def rows_address(name: str, where: tuple[Filter, ...]) -> str:
    """The address of the rows that a metric counts or sums."""
    table = _table_of(name)
    if table is None:
        metric = metrics()[name]
        condition = both(
            *(
                Test(filter_.dimension, "unknown")
                if filter_.values == ("",)
                else Test(filter_.dimension, filter_.operator, filter_.values)
                for filter_ in where
            )
        )
        asked = {
            "metrics": name,
            "of": (metric.measure.parts or (name,))[0],
            "where": str(condition) if condition else None,
        }
        return f"/explore/rows{Given().query(**asked)}"
    # several values are of what the metric counts itself
    alone = tuple(filter_ for filter_ in where if len(filter_.values) == 1)
    of = name if _condition(name) else None
    return f"/rows/{table.name}{Given(tuple(parameters.of_dimensions(alone).items())).query(of=of)}"
