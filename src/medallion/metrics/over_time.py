"""The pipeline over time, from `gold.deal_changes` alone: what is open on a day, and what becomes of it between two days.

Days are days in UTC, as those of every metric are, and a day's figures are those of its end. `by` names columns of `DIMENSIONS`.
With `known_as_of`, exclusive, only what was known before that time counts; without it, what is known now.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import duckdb

from medallion.errors import ContractError

Row = dict[str, Any]
#: What figures may be split by; accounts are described as they are now.
DIMENSIONS = {
    "stage": "c.stage",
    "owner": "c.owner",
    "customer_id": "c.customer_id",
    "product_id": "c.product_id",
    "source": "c.source",
    "expected_close_month": "strftime(c.expected_close_date, '%Y-%m')",
    "industry": "f.industry",
    "country": "f.country",
    "size_band": "f.size_band",
}
#: The parts of a movement, in the order in which they are told; with the start they add up to the end.
PARTS = ("opened", "reopened", "moved_in", "moved_out", "revalued", "won", "lost", "withdrawn")
_ACCOUNTS = ("industry", "country", "size_band")


def open_pipeline(
    connection: duckdb.DuckDBPyConnection, day: date, by: Sequence[str] = (), known_as_of: datetime | None = None
) -> list[Row]:
    """Deals open at the end of a day, one row per combination of `by` that has any: `deals`, their `value`, and how many
    and how much of them is `past_due`, expected to have closed before the day.

    Raises:
        ContractError: `by` names what is no dimension.
    """
    late = "expected_close_date < $day"
    sql = f"""{_changes(by, known_as_of)}
        select {_names(by)} count(*) as deals, sum(deal_value) as value, count(*) filter ({late}) as past_due,
            coalesce(sum(deal_value) filter ({late}), 0) as past_due_value
        from changes where {_open_at("$day")} {_grouped(by)}"""
    return _rows(connection, sql, known_as_of, day=day)


def movement(
    connection: duckdb.DuckDBPyConnection,
    start: date,
    end: date,
    by: Sequence[str] = (),
    known_as_of: datetime | None = None,
) -> list[Row]:
    """How the open pipeline at the end of one day became that at the end of a later one, one row per combination of `by`.

    Each row has `start` and `end`, the open value, the parts in `PARTS` between, and the same of deals as `start_deals` and
    so on: `start` and the parts add up to `end`, to the cent. A deal is opened with its first value; from then on changes of
    value are `revalued`, and won and lost deals leave with the value that they closed with, those withdrawn with their last
    one. A deal that goes from one combination of `by` to another moves out of the one and into the other, and comes to
    nothing in the total. Every step counts, also of a deal that was opened and won in between.

    Raises:
        ContractError: `by` names what is no dimension, or the days are not in order.
    """
    _in_order(start, end)
    value = ", ".join(
        f"coalesce(sum(value) filter (part = '{part}'), 0) as {part}" for part in ("start", *PARTS, "end")
    )
    deals = ", ".join(
        f"coalesce(sum(n) filter (part = '{part}'), 0)::bigint as {part}_deals"
        for part in ("start", *PARTS, "end")
        if part != "revalued"
    )
    sql = f"{_moves(by, known_as_of)} select {_names(by)} {value}, {deals} from parts {_grouped(by)}"
    return _rows(connection, sql, known_as_of, start=start, end=end)


def steps(
    connection: duckdb.DuckDBPyConnection,
    start: date,
    end: date,
    part: str,
    by: str | None = None,
    group: str | None = None,
    known_as_of: datetime | None = None,
) -> list[Row]:
    """What one part of a movement is made of: one row per deal that is open on the day, or per step of one in between.

    Each has `lead_id`, the `day` of the step, `owner` and `stage` as they were, the deal's `deal_value` after it, and `value`,
    which adds up to the part. With `by`, those of one group alone; None is the group without a value.

    Raises:
        ContractError: There is no such part or dimension, or the days are not in order.
    """
    _in_order(start, end)
    if part not in ("start", *PARTS, "end"):
        raise ContractError(f"a movement has no part {part!r}", f"Parts: start, {', '.join(PARTS)}, end.")
    names = () if by is None else (by,)
    given: dict[str, str | None] = {} if by is None else {"given": group}
    only = f"and cast({by} as varchar) is not distinct from $given" if by is not None else ""
    sql = f"""{_moves(names, known_as_of)} select lead_id, day, owner_then as owner, stage_then as stage, deal_value, value from parts
        where part = $part and (value <> 0 or n <> 0) {only} order by day, lead_id, value"""
    return _rows(connection, sql, known_as_of, start=start, end=end, part=part, **given)


def _moves(by: Sequence[str], known_as_of: datetime | None) -> str:
    """The beginning of a query over `parts`: every step of a movement with its part, its value and how many deals it adds."""
    same, was = _struct(by), "g is not distinct from was_g"
    columns = "lead_id, from_day as day, owner as owner_then, stage as stage_then, v as deal_value"
    at = f"select {same} as g, deal_value as v, lead_id, from_day, owner, stage from changes"
    return f"""{_changes(by, known_as_of)}, steps as (
            select lead_id, from_day, status, owner, stage, deal_value as v, {same} as g, lag(deal_value) over w as was_v,
                lag({same}) over w as was_g, lag(status) over w as was
            from changes window w as (partition by lead_id order by valid_from)
            qualify from_day > $start and from_day <= $end
        ), moves as (
            select g, 'start' as part, 1 as n, v as moved, {columns} from ({at} where {_open_at("$start")})
            union all select g, 'end', 1, v, {columns} from ({at} where {_open_at("$end")})
            union all select g, 'opened', 1, v, {columns} from steps where was is null and status <> 'withdrawn'
            union all select g, 'reopened', 1, v, {columns} from steps where was <> 'open' and status = 'open'
            union all select was_g, 'moved_out', -1, -was_v, {columns} from steps
                where was = 'open' and status <> 'withdrawn' and not {was}
            union all select g, 'moved_in', 1, was_v, {columns} from steps
                where was = 'open' and status <> 'withdrawn' and not {was}
            union all select g, 'revalued', 0, v - was_v, {columns} from steps where was = 'open' and status <> 'withdrawn'
            union all select g, status, -1, -v, {columns} from steps where status in ('won', 'lost') and (was is null or was = 'open')
            union all select was_g, 'withdrawn', -1, -was_v, {columns} from steps where was = 'open' and status = 'withdrawn'
        ), parts as (
            select {", ".join(f"g.{name} as {name}" for name in by) or "true as total"}, part, n, moved as value, lead_id, day,
                owner_then, stage_then, deal_value from moves)"""


def slips(
    connection: duckdb.DuckDBPyConnection,
    start: date,
    end: date,
    by: Sequence[str] = (),
    known_as_of: datetime | None = None,
) -> list[Row]:
    """Open deals whose expected close was moved between the ends of two days, one row per combination of `by` with any.

    `pushed` deals were moved later and `pulled_in` ones earlier at least once, `pushes` is how often the first happened,
    `days_pushed` by how many days in all, `pushed_value` the value of the pushes, each as the deal was after it.

    Raises:
        ContractError: `by` names what is no dimension, or the days are not in order.
    """
    _in_order(start, end)
    later = "expected_close_date > was_expected"
    sql = f"""{_dates_moved(by, known_as_of)} select {_names(by)} count(distinct lead_id) filter ({later}) as pushed, count(*) filter ({later}) as pushes,
            coalesce(sum(expected_close_date - was_expected) filter ({later}), 0)::bigint as days_pushed,
            coalesce(sum(deal_value) filter ({later}), 0) as pushed_value,
            count(distinct lead_id) filter (not {later}) as pulled_in
        from steps {_grouped(by)}"""
    return _rows(connection, sql, known_as_of, start=start, end=end)


def pushes(
    connection: duckdb.DuckDBPyConnection, start: date, end: date, known_as_of: datetime | None = None
) -> list[Row]:
    """The pushes that `slips` counts, one row per push: `lead_id`, `day`, `owner`, `stage`, the expected close dates `was_expected`
    and `expected_close_date`, `days` between them, and the deal's `deal_value` after it.

    Raises:
        ContractError: The days are not in order.
    """
    _in_order(start, end)
    sql = f"""{_dates_moved((), known_as_of)} select lead_id, from_day as day, owner, stage, was_expected, expected_close_date,
            (expected_close_date - was_expected)::bigint as days, deal_value
        from steps where expected_close_date > was_expected order by day, lead_id, was_expected"""
    return _rows(connection, sql, known_as_of, start=start, end=end)


def _dates_moved(by: Sequence[str], known_as_of: datetime | None) -> str:
    """The beginning of a query over `steps`: each time that the expected close of an open deal was moved."""
    return f"""{_changes(by, known_as_of)}, steps as (
            select * from (
                select *, lag(expected_close_date) over w as was_expected, lag(status) over w as was
                from changes window w as (partition by lead_id order by valid_from)
            ) where from_day > $start and from_day <= $end and status = 'open' and was = 'open'
                and expected_close_date <> was_expected
        )"""


def stage_conversion(
    connection: duckdb.DuckDBPyConnection, start: date, end: date, known_as_of: datetime | None = None
) -> list[Row]:
    """What became of the deals that entered a stage, open, between the ends of two days: a cohort, one row per stage.

    `entered` is how often; each stay ended in another stage (`moved_on`), as `won`, `lost` or `withdrawn`, or is `still` going
    on, and these five add up to it. `won_since` is how many of the stays belong to a deal that is won by now,
    `average_days` the mean days of the stays that ended.

    Raises:
        ContractError: The days are not in order.
    """
    _in_order(start, end)
    entered = "status = 'open' and (was is distinct from 'open' or stage is distinct from was_stage)"
    sql = f"""{_changes((), known_as_of)}, told as (
            select *, lag(status) over w as was, lag(stage) over w as was_stage,
                last_value(status) over (w rows between unbounded preceding and unbounded following) as last_status
            from changes window w as (partition by lead_id order by valid_from)
        ), stays as (
            select *, lead(valid_from) over w as left_at, lead(status) over w as next_status from told
            where ({entered}) or (status <> 'open' and was = 'open') window w as (partition by lead_id order by valid_from)
        )
        select stage, count(*) as entered, count(*) filter (next_status = 'open') as moved_on,
            count(*) filter (next_status = 'won') as won, count(*) filter (next_status = 'lost') as lost,
            count(*) filter (next_status = 'withdrawn') as withdrawn, count(*) filter (next_status is null) as still,
            count(*) filter (last_status = 'won') as won_since,
            round(avg(date_diff('microsecond', valid_from, left_at)) / 86400e6, 3) as average_days
        from stays where status = 'open' and stage is not null and from_day > $start and from_day <= $end
        group by stage order by stage"""
    return _rows(connection, sql, known_as_of, start=start, end=end)


def passed_on(
    connection: duckdb.DuckDBPyConnection,
    start: date,
    end: date,
    first: str,
    then: str,
    known_as_of: datetime | None = None,
) -> list[Row]:
    """Of the deals that entered a stage, open, between the ends of two days, how many came to another one later: one row.

    `entered` and `reached` count deals; `then` may be `won`. What came after the second day counts as well.

    Raises:
        ContractError: The days are not in order.
    """
    _in_order(start, end)
    reached = "c.status = 'won'" if then == "won" else "c.status = 'open' and c.stage = $then"
    sql = f"""{_changes((), known_as_of)}, began as (
            select lead_id, min(valid_from) as at from changes
            where status = 'open' and stage = $first and from_day > $start and from_day <= $end group by lead_id
        )
        select count(*) as entered, count(*) filter (exists (
            select 1 from changes c where c.lead_id = b.lead_id and c.valid_from > b.at and {reached})) as reached
        from began b"""
    given = {"first": first} if then == "won" else {"first": first, "then": then}
    return _rows(connection, sql, known_as_of, start=start, end=end, **given)


def _changes(by: Sequence[str], known_as_of: datetime | None) -> str:
    """The beginning of each query: the states of deals by what was known, with their dimensions.

    Raises:
        ContractError: One of the dimensions is none.
    """
    for place, name in enumerate(by):
        if name not in DIMENSIONS:
            near = difflib.get_close_matches(name, DIMENSIONS, 3) or [*DIMENSIONS]
            raise ContractError(f"the pipeline is not split by {name!r}", f"Nearest: {', '.join(near)}.")
        if name in by[:place]:
            raise ContractError(f"the pipeline is split by {name} twice", "Name it once.")
    known = "c.known_to is null"
    if known_as_of is not None:
        known = "c.known_from < $known and (c.known_to is null or c.known_to >= $known)"
    own = [name for name in by if name not in ("stage", "owner", "customer_id", "product_id", "source")]
    also = "".join(f", {DIMENSIONS[name]} as {name}" for name in own)
    accounts = "left join gold.customer_features f on c.customer_id = f.customer_id" if {*by} & {*_ACCOUNTS} else ""
    days = "cast(c.valid_from as date) as from_day, cast(c.valid_to as date) as to_day"
    return f"with changes as (select c.* replace ({days}){also} from gold.deal_changes c {accounts} where {known})"


def _open_at(day: str) -> str:
    return f"status = 'open' and from_day <= {day} and (to_day is null or to_day > {day})"


def _names(by: Sequence[str]) -> str:
    return "".join(f"{name}, " for name in by)


def _grouped(by: Sequence[str]) -> str:
    names = ", ".join(by)
    return f"group by {names} order by {names}" if by else ""


def _struct(by: Sequence[str]) -> str:
    return "struct_pack({})".format(", ".join(f"{name} := {name}" for name in by)) if by else "true"


def _in_order(start: date, end: date) -> None:
    if end < start:
        raise ContractError(f"{end} is before {start}", "Give the earlier day first.")


def _rows(
    connection: duckdb.DuckDBPyConnection, sql: str, known_as_of: datetime | None, **given: date | str | None
) -> list[Row]:
    known = {} if known_as_of is None else {"known": known_as_of.replace(tzinfo=UTC)}
    result = connection.execute(sql, {**given, **known})
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
