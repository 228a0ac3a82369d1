"""The same job written by hand in DuckDB, for the exports of generate.py: what Medallion is measured against.

    python benchmarks/duckdb_pipeline.py EXPORTS OUT

Reads each CSV once as text, keeps it as Parquet, cleans, checks, quarantines, keeps history and current versions
(only keys seen more than once are sorted), and writes the gold tables. It knows the spellings of these exports and
nothing else: no contracts, no batches, no resuming.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

SIZE = """case when employee_count > 1000 then '1000+' when employee_count > 200 then '201-1000'
 when employee_count > 50 then '51-200' when employee_count > 0 then '1-50' else 'unknown' end"""
OUTCOME = "case outcome when 'meeting_booked' then 1.5 when 'positive' then 1.25 when 'neutral' then 1.0 when 'no_answer' then 0.3 else -0.5 end"
INTENT = "case outcome when 'meeting_booked' then 1.0 when 'positive' then 0.8 when 'neutral' then 0.4 when 'no_answer' then 0.1 else 0.0 end"
CHANNEL = "case channel when 'call' then 1.0 when 'meeting' then 1.0 when 'whatsapp' then 0.8 when 'email' then 0.6 else 0.5 end"
SOURCE = "case source when 'referral' then 1.0 when 'website' then 0.8 when 'event' then 0.8 when 'linkedin' then 0.7 when 'email' then 0.6 when 'cold_call' then 0.4 else 0.5 end"


def text(column: str) -> str:
    """Trimmed, placeholders null."""
    return f"case when trim({column}) not in ('', '-', 'N/A') then trim({column}) end"


def code(column: str) -> str:
    return f"regexp_replace(lower(trim({column})), '[^a-z0-9]+', '_', 'g')"


def timestamp_of(column: str) -> str:
    return f"coalesce(try_cast({text(column)} as timestamp), try_strptime({text(column)}, '%m/%d/%Y %H:%M'))"


def money(column: str) -> str:
    return f"try_cast(replace(replace({text(column)}, '$', ''), ',', '') as decimal(18, 2))"


STAGED = {
    "products": f"select upper(trim(product_id)) as product_id, {text('product_name')} as product_name, {text('category')} as category, {money('list_price')} as list_price, 'USD' as currency, try_cast(launch_date as date) as launch_date, line, case when nullif(trim(product_id), '') is null then 'product_id: is missing' end as reason from bronze_products",
    "customers": f"select upper(trim(customer_id)) as customer_id, {text('customer_name')} as customer_name, {text('industry')} as industry, case lower(trim(country)) when 'usa' then 'United States' when 'uk' then 'United Kingdom' else {text('country')} end as country, {text('city')} as city, try_cast({text('employee_count')} as bigint) as employee_count, {money('annual_revenue')} as annual_revenue, {text('account_manager')} as account_manager, lower({text('email')}) as email, regexp_replace({text('phone')}, '[^0-9+]', '', 'g') as phone, {timestamp_of('created_at')} as created_at, {timestamp_of('updated_at')} as updated_at, line, case when nullif(trim(customer_id), '') is null then 'customer_id: is missing' end as reason from bronze_customers",
    "leads": f"""select l.*, case when l.customer_id is null then 'customer_id: is missing' when c.customer_id is null then 'customer_id: is not a known customer'
        when l.status is null then 'status: is not accepted' when l.created_at is null then 'created_at: cannot be read' end as reason
        from (select upper(trim(lead_id)) as lead_id, upper({text("customer_id")}) as customer_id, upper({text("product_id")}) as product_id, {text("lead_name")} as lead_name, lower({text("email")}) as email, {text("phone")} as phone, {text("company")} as company, {code("source")} as source,
          case {code("status")} when '_closed_won_' then 'won' when 'closed_won' then 'won' when 'lost' then 'lost' when 'open' then 'open' end as status, {code("stage")} as stage, {money("deal_value")} as deal_value, 'USD' as currency, {timestamp_of("created_at")} as created_at, {timestamp_of("updated_at")} as updated_at,
          {timestamp_of("closed_at")} as closed_at, try_cast(expected_close_date as date) as expected_close_date, {text("owner")} as owner, line from bronze_leads) l
        left join customers_clean c on l.customer_id = c.customer_id""",
    "interactions": f"""select i.*, case when c.customer_id is null then 'customer_id: is not a known customer' when i.occurred_at is null then 'occurred_at: cannot be read'
        when i.channel is null then 'channel: is missing' when i.outcome is null then 'outcome: is not accepted' end as reason
        from (select upper(trim(interaction_id)) as interaction_id, upper({text("customer_id")}) as customer_id, upper({text("lead_id")}) as lead_id,
          case lower(trim(channel)) when 'call' then 'call' when 'e-mail' then 'email' when 'whatsapp' then 'whatsapp' when 'meeting' then 'meeting' else 'other' end as channel, lower(trim(direction)) as direction, {timestamp_of("occurred_at")} as occurred_at,
          try_cast({text("duration_minutes")} as bigint) as duration_minutes, case lower(trim(outcome)) when 'positive' then 'positive' when 'neutral' then 'neutral' when 'negative' then 'negative' when 'no answer' then 'no_answer' when 'meeting booked' then 'meeting_booked' end as outcome, {text("notes")} as notes, line from bronze_interactions) i
        left join customers_clean c on i.customer_id = c.customer_id""",
}
KEYS = {"products": "product_id", "customers": "customer_id", "leads": "lead_id", "interactions": "interaction_id"}
VERSION = {
    "products": "line",
    "customers": "updated_at desc, line",
    "leads": "updated_at desc, line",
    "interactions": "line",
}


def silver(db: duckdb.DuckDBPyConnection, out: Path, name: str) -> None:
    key = KEYS[name]
    db.execute(f"create table staged_{name} as {STAGED[name]}")
    columns = [row[0] for row in db.execute(f"describe staged_{name}").fetchall() if row[0] not in ("line", "reason")]
    values = ", ".join(c for c in columns)
    db.execute(
        f"create table repeated as select {key} from staged_{name} where reason is null group by 1 having count(*) > 1"
    )
    db.execute(f"""create table judged as select *, row_number() over (partition by {key} order by (n > 1), {VERSION[name]} desc) as rank from
        (select *, row_number() over (partition by {values} order by line) as n from staged_{name} where reason is null and {key} in (select {key} from repeated))""")
    unchanged = f"staged_{name} s anti join repeated r on s.{key} = r.{key} where reason is null"
    history = f"select {values}, line, 'accepted' as account, now() as known_at, hash({values}) as version from {unchanged} union all select {values}, line, case when rank = 1 then 'accepted' else 'superseded' end, now(), hash({values}) from judged where n = 1"
    db.execute(f"copy ({history}) to '{out}/silver_{name}_history.parquet'")
    db.execute(
        f"create table {name}_clean as select {values}, line from read_parquet('{out}/silver_{name}_history.parquet') where account = 'accepted'"
    )
    db.execute(f"copy {name}_clean to '{out}/silver_{name}_clean.parquet'")
    db.execute(f"copy (select * from staged_{name} where reason is not null) to '{out}/quarantine_{name}.parquet'")
    db.execute(f"""create table account_{name} as select count(*) as rows_read, count(*) filter (reason is not null) as quarantined,
        (select count(*) from judged where n > 1) as duplicate, (select count(*) from judged where n = 1 and rank > 1) as superseded from staged_{name}""")
    db.execute(f"drop table repeated; drop table judged; drop table staged_{name}")


def gold(db: duckdb.DuckDBPyConnection, out: Path) -> None:
    newest = "select greatest((select max(occurred_at) from interactions_clean), (select greatest(max(created_at), max(updated_at), max(closed_at)) from leads_clean))::date"
    day = db.execute(newest).fetchone()[0]
    age = f"date_diff('day', occurred_at::date, date '{day}')"
    channels = ", ".join(
        f"count(*) filter (channel = '{c}') as {c}" for c in ("call", "email", "whatsapp", "meeting", "other")
    )
    outcomes = ", ".join(
        f"count(*) filter (outcome = '{o}') as {o}"
        for o in ("meeting_booked", "positive", "neutral", "negative", "no_answer")
    )
    preferred = ", ".join(
        f"case when count(*) filter (channel = '{c}') > 0 then {{'rate': round((count(*) filter (channel = '{c}' and outcome in ('positive', 'meeting_booked')) + 1) / (count(*) filter (channel = '{c}') + 2), 6), 'last': max(occurred_at) filter (channel = '{c}'), 'place': {9 - i}, 'name': '{c}'}} end"
        for i, c in enumerate(("call", "email", "meeting", "other", "whatsapp"))
    )
    db.execute(f"""create table touched as select customer_id, count(*) as interactions, {channels}, {outcomes},
        count(*) filter (direction = 'inbound') as inbound, count(*) filter (direction = 'outbound') as outbound,
        min(occurred_at) as first_interaction_at, max(occurred_at) as last_interaction_at, sum(duration_minutes) as minutes,
        max(occurred_at) filter (outcome in ('positive', 'meeting_booked')) as last_positive_at,
        count(*) filter ({age} < 30) as interactions_30d, count(*) filter ({age} < 90) as interactions_90d,
        sum(round({CHANNEL} * {OUTCOME} * pow(2.0, -{age} / 45.0) * 1e9)::bigint) / 1e9 as engagement,
        max({INTENT}) filter ({age} <= 60) as intent, greatest({preferred}).name as preferred_channel
        from interactions_clean group by 1""")
    db.execute(f"""create table bought as select customer_id, count(*) as leads, count(*) filter (status = 'open') as open_leads,
        count(*) filter (status = 'won') as won_leads, count(*) filter (status = 'lost') as lost_leads, sum(deal_value) as total_deal_value,
        sum(deal_value) filter (status = 'open') as open_value, sum(deal_value) filter (status = 'won') as won_value,
        max(deal_value) as largest, min(created_at) as first_lead_at, max(closed_at) filter (status = 'won') as last_won_at, max({SOURCE}) as source_weight,
        sum(date_diff('day', created_at::date, closed_at::date)) filter (status = 'won') as cycle, count(email) > 0 as has_email, count(phone) > 0 as has_phone,
        count(*) filter (date_diff('day', created_at::date, date '{day}') >= 90) as mature,
        count(*) filter (date_diff('day', created_at::date, date '{day}') >= 90 and status = 'won' and date_diff('day', created_at::date, closed_at::date) < 90) as converted
        from leads_clean group by 1""")
    db.execute(f"""create table scored as select *, floor(round(30 * fit + 35 * eng + 20 * rec + 15 * int_, 6) + 0.5)::bigint as lead_score from (
        select c.customer_id, c.customer_name, c.industry, c.country, c.account_manager, c.employee_count, b.* exclude (customer_id, has_email, has_phone), t.* exclude (customer_id),
        round(0.5 * coalesce(source_weight, 0.5) + 0.3 * case {SIZE} when '1-50' then 0.5 when '51-200' then 0.8 when 'unknown' then 0.5 else 1.0 end
          + 0.2 * ((c.email is not null or coalesce(b.has_email, false))::int + (c.phone is not null or coalesce(b.has_phone, false))::int) / 2.0, 6) as fit,
        round(greatest(0, least(1, coalesce(engagement, 0) / 2)), 6) as eng,
        coalesce(round(case when last_interaction_at is not null then pow(2.0, -greatest(0, date_diff('day', last_interaction_at::date, date '{day}') - 14) / 30.0) end, 6), 0) as rec,
        coalesce(intent, 0) as int_
        from customers_clean c left join bought b using (customer_id) left join touched t using (customer_id))""")
    db.execute(
        """create table customer_features as with places as (
            select lead_score, 2 * sum(n) over (order by lead_score desc) - n as middle, sum(n) over () as open_deals
            from (select lead_score, sum(coalesce(open_leads, 0)) as n from scored group by 1))
        select scored.*, case when open_deals >= 200
            then ['Hot', 'Warm', 'Cool', 'Cold'][least(3, (2 * middle) // open_deals)::int + 1]
            else case when lead_score >= 80 then 'Hot' when lead_score >= 60 then 'Warm' when lead_score >= 40 then 'Cool' else 'Cold' end end as lead_quality
        from scored join places using (lead_score)"""
    )
    db.execute("""create table rates as select lead_quality, (sum(converted) + 10 * any_value(p)) / (sum(mature) + 10) as probability
        from customer_features, (select (sum(converted) + 0.5) / (sum(mature) + 1) as p from customer_features) group by 1""")
    db.execute(
        f"copy (select f.*, r.probability, 1 - pow(1 - r.probability, coalesce(open_leads, 0)) as probability_to_convert from customer_features f left join rates r using (lead_quality)) to '{out}/gold_customer_features.parquet'"
    )
    db.execute(
        f"copy (select l.*, f.customer_name, f.industry, f.lead_score, f.lead_quality, case when status = 'open' then r.probability end as probability from leads_clean l left join customer_features f using (customer_id) left join rates r using (lead_quality)) to '{out}/gold_deals.parquet'"
    )
    # the open pipeline of a day has the values of that day, which few deals changed while they were open
    db.execute(f"""create table spells as with history as (select * from read_parquet('{out}/silver_leads_history.parquet')),
      several as (select lead_id from history where account = 'superseded'),
      told as (select * from history semi join several using (lead_id)
        qualify status = 'open' or (account = 'accepted' and not bool_or(status = 'open') over (partition by lead_id))),
      versions as (select h.lead_id, h.deal_value, c.closed_at, case when row_number() over v = 1 then h.created_at else h.updated_at end as since,
          lead(h.updated_at) over v as changed
        from told h join leads_clean c using (lead_id) window v as (partition by h.lead_id order by h.updated_at, h.line))
      select created_at as since, closed_at as until, deal_value from leads_clean anti join several using (lead_id)
      union all select since, least(changed, closed_at), deal_value from versions where closed_at is null or since < closed_at""")
    db.execute(f"""create table sales_summary as with d as (
        select created_at::date as day, 1 as new, 0 as won, 0 as lost, 0::decimal(18,2) as revenue, 0::decimal(18,2) as moved, 0 as touches from leads_clean
        union all select closed_at::date, 0, (status = 'won')::int, (status = 'lost')::int, case when status = 'won' then deal_value else 0 end, 0, 0 from leads_clean where closed_at is not null
        union all select since::date, 0, 0, 0, 0, deal_value, 0 from spells
        union all select until::date, 0, 0, 0, 0, -deal_value, 0 from spells where until is not null
        union all select day, 0, 0, 0, 0, 0, n from (select occurred_at::date as day, count(*) as n from interactions_clean group by 1)
      ), daily as (select day, sum(new) as new_leads, sum(won) as won_leads, sum(lost) as lost_leads, sum(revenue) as revenue, sum(moved) as moved, sum(touches) as interactions from d group by 1),
      spine as (select unnest(generate_series((select min(day) from daily), date '{day}', interval 1 day))::date as day)
      select day, coalesce(new_leads, 0) as new_leads, coalesce(won_leads, 0) as won_leads, coalesce(lost_leads, 0) as lost_leads, coalesce(interactions, 0) as interactions, coalesce(revenue, 0) as revenue,
        sum(coalesce(moved, 0)) over w as open_pipeline, sum(revenue) over w as cumulative_revenue,
        sum(won_leads) over m / nullif(sum(won_leads) over m + sum(lost_leads) over m, 0) as win_rate_30d
      from spine left join daily using (day) window w as (order by day rows unbounded preceding), m as (order by day rows 29 preceding)""")
    db.execute(f"copy sales_summary to '{out}/gold_sales_summary.parquet'")
    db.execute(f"""create table channel_performance as with won as (select lead_id, customer_id, closed_at, coalesce((deal_value * 100)::bigint, 0) as cents from leads_clean where status = 'won'),
      counted as (select won.lead_id, any_value(cents) as cents, channel, count(*) as n from won join interactions_clean i using (customer_id)
        where i.occurred_at < closed_at and date_diff('day', i.occurred_at::date, closed_at::date) <= 90 group by won.lead_id, channel),
      parts as (select *, (cents * n) // sum(n) over (partition by lead_id) as part, row_number() over (partition by lead_id order by n desc, channel) as place from counted),
      whole as (select channel, part + case when place = 1 then cents - sum(part) over (partition by lead_id) else 0 end as part from parts
        union all select 'unattributed', cents from won anti join counted using (lead_id)),
      revenue as (select channel, sum(part) / 100.0 as attributed_revenue from whole group by 1)
      select * from (select channel, count(*) as interactions, count(distinct customer_id) as customers, {outcomes}, sum(duration_minutes) as minutes from interactions_clean group by 1) full join revenue using (channel)""")
    db.execute(f"copy channel_performance to '{out}/gold_channel_performance.parquet'")
    db.execute(f"""copy (select lead_id, entered_at, stage, left_at, round(date_diff('microsecond', entered_at, coalesce(left_at, date '{day}' + 1)) / 86400e6, 3) as days_in_stage from (
        select *, lead(entered_at) over (partition by lead_id order by entered_at) as left_at from (
          select *, lag(stage) over (partition by lead_id order by entered_at) as before from (
            select lead_id, coalesce(updated_at, created_at) as entered_at, max(stage) as stage from read_parquet('{out}/silver_leads_history.parquet') where stage is not null group by all))
        where before is distinct from stage)) to '{out}/gold_stage_history.parquet'""")
    db.execute(
        f"copy (select row_number() over (order by won_value desc, lead_score desc, customer_id) as rank, customer_id, won_value from customer_features where won_value > 0 order by rank limit 50) to '{out}/gold_top_customers.parquet'"
    )


def main(exports: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as db:
        db.execute("set enable_progress_bar = false")
        for name in KEYS:
            file = f"{out}/bronze_{name}.parquet"
            db.execute("set preserve_insertion_order = true")  # a row of Parquet is a line of its CSV
            db.execute(f"copy (from read_csv('{exports / name}.csv', all_varchar = true, header = true)) to '{file}'")
            db.execute(
                f"create view bronze_{name} as select * exclude (file_row_number), file_row_number + 2 as line "
                f"from read_parquet('{file}', file_row_number = true)"
            )
            db.execute("set preserve_insertion_order = false")
            silver(db, out, name)
        gold(db, out)
        db.execute(
            "copy (select * from ("
            + " union all ".join(f"select '{n}' as entity, * from account_{n}" for n in KEYS)
            + f")) to '{out}/accounts.parquet'"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
