"""What filters and sorts read again and again, in a narrow form: made in the background after a version was opened.

Tables that pages sort and narrow are copied with the columns that are asked for. Touches of one hour, channel and
outcome become one row that says how many they were. Visits tell which accounts a range of days reached. All of it
is in a DuckDB file in a temporary folder that goes with the reading. Until a copy is there, and for whatever it
cannot answer, the tables themselves are read; values are the same.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from time import sleep
from typing import Any

import duckdb
import sqlglot

from medallion import metrics
from medallion.dashboard import pages, tables
from medallion.dashboard.parameters import Given
from medallion.dashboard.reading import Reading, quoted
from medallion.metrics import Answer, Filter, Relation
from medallion.metrics.relations import columns_of

_TOUCHES = metrics.named("touches").view
#: Touches that are sorted at a time to tell visits: what fits into memory.
_AT_A_TIME = 5_000_000
#: What lies together in a copy: a filter then reads its own part alone.
_TOGETHER = {
    "customers": "industry, lead_quality",
    "deals": "status, owner, industry",
    "calls": "owner, industry, lead_quality",
}


def make(reading: Reading) -> None:
    """Make the copies, each in use as soon as it is there, and the answers of the pages as they open."""
    try:
        with reading.cursor() as cursor:
            reading.working = cursor
            work = _Work(reading, cursor)
            # one thread: sorting then needs less memory, and readers have the other cores
            work.do(f"attach '{quoted(reading.folder)}/copies.duckdb' as copies")
            work.do("set threads = 1")
            _rows(work, "customers")
            _rows(work, "deals")
            if "gold.lead_scores" in reading.tables:
                _rows(work, "calls")
            if "silver.interactions_clean" in reading.tables:
                _touches(work)
                _visits(work)
            work.do("reset threads")
        for page in pages.PAGES.values():
            pages.cards(page, Given(), reading)
            for part in page.parts:
                if isinstance(part, pages.Part):
                    pages.split(part, Given(), reading)
    except duckdb.Error as error:  # such as a full disk
        if not reading.closed:
            sys.stderr.write(f"The dashboard reads the tables themselves, which is slower: {error}\n")
    finally:
        reading.working = None
        reading.complete.set()


@dataclass(frozen=True)
class _Work:
    """Statements in the background, one at a time, which give way to readers where memory is short."""

    reading: Reading
    cursor: duckdb.DuckDBPyConnection

    def do(self, sql: str) -> list[Any]:
        for patience in (5, 4, 3, 2, 1, 0):
            if self.reading.closed:
                raise duckdb.InterruptException("closed")
            try:
                with self.reading.alone:
                    return self.cursor.execute(sql).fetchall()
            except duckdb.OutOfMemoryException:
                if not patience:
                    raise
                sleep(1)  # a reader has the memory
        raise AssertionError


def _rows(work: _Work, name: str) -> None:
    """Copy the rows of a table of the dashboard, with what metrics over them read."""
    table = tables.TABLES[name]
    needed = {*table.key, *table.search}
    needed.update(name for column in _columns(table) for name in (column.name, column.link_by or column.name))
    needed.update(*map(columns_of, table.dimensions.values()))
    view = metrics.named(table.like).view if table.like else None
    if view:
        expressions = [*(dimension.expr for dimension in view.dimensions), *(measure.expr for measure in view.measures)]
        needed.update(*map(columns_of, expressions), {"as_of"})
    reading, source = work.reading, work.reading.at_hand(table.source)
    # a timestamp in UTC without a zone reads the same, and its day and month are found much faster
    kinds = {row[0]: row[1] for row in work.do(f"describe (from {source})") if row[0] in needed}
    shown = ", ".join(
        f'cast("{column}" as timestamp) as "{column}"' if kind == "TIMESTAMP WITH TIME ZONE" else f'"{column}"'
        for column, kind in kinds.items()
    )
    work.do(f"create table copies.{name} as select {shown} from {source} order by {_TOGETHER[name]}")
    reading.copies = {table.source: f"copies.{name}", source: f"copies.{name}", **reading.copies}
    if view:
        reading.relations = {**reading.relations, view.source: Relation(f"copies.{name}", frozenset(kinds))}


def _columns(table: tables.Table) -> Iterable[tables.Column]:
    return table.columns + (tables.TABLES["moves"].columns if table.name == "calls" else ())


def _touches(work: _Work) -> None:
    """Fold the touches of one hour, channel and outcome into one row."""
    # counts are doubles here: DuckDB 2.0 underestimates the range of a sum of small integers, and fails
    work.do(
        "create table copies.touches as select date_trunc('hour', cast(occurred_at as timestamp)) as occurred_at, "
        "channel, outcome, cast(count(*) as double) as rows_folded from silver.interactions_clean group by all order by 1"
    )
    source = _touches_from("copies.touches")
    columns = frozenset({"occurred_at", "channel", "outcome"})
    relation = Relation(f"({source})", columns, "rows_folded")
    work.reading.relations = {**work.reading.relations, _TOUCHES.source: relation}


def _touches_from(rows: str) -> str:
    """The source of the view of touches over other rows than those of silver, in Spark SQL."""
    return _TOUCHES.source.replace("silver.interactions_clean", rows).replace(
        "gold.customer_features", "copies.customers"
    )


def _visits(work: _Work) -> None:
    """How many accounts were touched on a day and on which day before that last, by any channel ('') and by each.

    Whoever was touched in a range has exactly one touch in it whose day before lies outside: so these add up to
    distinct accounts for every range.
    """
    turns = work.do("select count(*) from silver.interactions_clean")[0][0] // _AT_A_TIME + 1
    source = sqlglot.transpile(_touches_from("copies.picked"), read="spark", write="duckdb")[0].replace(
        "copies.picked",
        "(select customer_id, channel, cast(occurred_at as timestamp) as occurred_at from silver.interactions_clean)",
    )
    # numbers are sorted in a third of the time that identifiers take
    work.do(
        "create table copies.accounts as select customer_id, cast(row_number() over () as int) as account from "
        "(select distinct customer_id from silver.interactions_clean where customer_id is not null)"
    )
    work.do(
        "create table copies.channels as select channel, cast(row_number() over () as smallint) as within from "
        "(select distinct channel from silver.interactions_clean where channel is not null)"
    )
    work.do(
        "create table copies.days as select account, coalesce(within, -1::smallint) as within, "
        f"cast(occurred_at as date) as day from ({source}) join copies.accounts using (customer_id) "
        "left join copies.channels using (channel)"
    )
    work.do("create table copies.turns (within smallint, day date, before date, accounts double)")
    for turn in range(turns):
        for within, by in (("0::smallint", "account"), ("within", "account, within")):
            work.do(
                f"insert into copies.turns select within, day, before, count(*) from (select {within} as within, day, "
                f"lag(day) over (partition by {by} order by day) as before from copies.days "
                f"where account % {turns} = {turn}) where before is null or before < day group by all"
            )
    work.do(
        "create table copies.visits as select coalesce(channel, '') as within, day, before, "
        "cast(sum(accounts) as double) as accounts from copies.turns left join copies.channels using (within) "
        "where within >= 0 group by all order by 1, 2"
    )
    for name in ("turns", "days", "accounts", "channels"):
        work.do(f"drop table copies.{name}")
    over = work.reading.relations[_TOUCHES.source]
    work.reading.shortcut = lambda cursor, name, by, where: _reached(cursor, over, name, by, where)


def _reached(
    cursor: duckdb.DuckDBPyConnection, over: Relation, name: str, by: tuple[str, ...], where: tuple[Filter, ...]
) -> Answer | None:
    """Accounts touched on any days, by one channel or any, in total or by month; None for another question."""
    metric = metrics.named(name)
    if (
        metric.view is not _TOUCHES
        or metric.measure.expr != "COUNT(DISTINCT customer_id)"
        or by not in ((), ("month",))
    ):
        return None
    within, conditions, bindings, start = "", ["within = ?"], [], None
    for filter_ in where:
        if (
            filter_.dimension == "channel"
            and filter_.operator == "="
            and len(filter_.values) == 1
            and filter_.values[0]
            and not within
        ):
            within = filter_.values[0]
        elif filter_.dimension == "date" and filter_.operator in (">=", "<="):
            conditions.append(f"day {filter_.operator} cast(? as date)")
            bindings.append(filter_.values[0])
            start = max(start or "", filter_.values[0]) if filter_.operator == ">=" else start
        else:
            return None
    month, begin = ("strftime(day, '%Y-%m')", "date_trunc('month', day)") if by else ("''", "date '-infinity'")
    sql = (
        f"select {month}, sum(accounts)::bigint from copies.visits where {' and '.join(conditions)} "
        f"and coalesce(before < greatest({begin}, cast(? as date)), true) group by 1"
    )
    accounts = dict(cursor.execute(sql, [within, *bindings, start or "-infinity"]).fetchall())
    rows = metrics.computed(cursor, metrics.named("touches"), by, where, over=over)
    counted = [{**row, "value": accounts.get(row[by[0]] if by else "", 0)} for row in rows.rows]
    return dataclasses.replace(rows, metric=metric, rows=counted, sql=metrics.query_of(metric, by, where))
