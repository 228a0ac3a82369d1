"""The totals of gold over some of the accounts, deals and touches alone, by the definitions of `medallion.gold`, in DuckDB.

A test compares them with the tables of gold over all of them.
"""

from __future__ import annotations

from collections.abc import Mapping

#: What the queries are made from, by the name that they know it by; `whole` is the table of all deals itself.
PARTS = {
    "accounts": "gold.customer_features",
    "deals": "gold.deals",
    "changes": "gold.deal_changes",
    "attribution": "gold.attribution",
    "touches": "silver.interactions_clean",
}


def _rounded(number: str, places: int) -> str:
    """As `columns.rounded`."""
    return f"(floor(({number}) * 1e{places} + 0.5)::bigint::double / 1e{places})"


def _share(part: str, whole: str) -> str:
    """As `columns.share`."""
    return f"case when ({whole}) <> 0 then {_rounded(f'({part})::double / ({whole})::double', 6)} end"


_SALES_SUMMARY = f"""
with events as (
  select created_at::date as day, 1 as new_leads, deal_value as new_value from ({{deals}})
  union all by name
  select closed_at::date as day, (status = 'won')::int as won_leads, (status = 'lost')::int as lost_leads,
    case when status = 'won' then deal_value end as revenue, case when status = 'lost' then deal_value end as lost_value
    from ({{deals}})
  union all by name select occurred_at::date as day, 1 as interactions from ({{touches}})
  union all by name
  select valid_from::date as day, 1 as moved, deal_value as moved_value
    from ({{changes}}) where status = 'open' and known_to is null
  union all by name
  select valid_to::date as day, -1 as moved, -deal_value as moved_value
    from ({{changes}}) where status = 'open' and known_to is null and valid_to is not null),
daily as (
  select day, coalesce(sum(new_leads), 0) as new_leads, coalesce(sum(won_leads), 0) as won_leads,
    coalesce(sum(lost_leads), 0) as lost_leads, coalesce(sum(interactions), 0) as interactions,
    coalesce(sum(new_value), 0) as new_value, coalesce(sum(revenue), 0) as revenue,
    coalesce(sum(lost_value), 0) as lost_value, coalesce(sum(moved), 0) as moved,
    coalesce(sum(moved_value), 0) as moved_value
  from (select day from ({{whole}})) left join events using (day) group by day)
select day, new_leads::bigint as new_leads, won_leads::bigint as won_leads, lost_leads::bigint as lost_leads,
  interactions::bigint as interactions, new_value::decimal(18,2) as new_value, revenue::decimal(18,2) as revenue,
  lost_value::decimal(18,2) as lost_value, (sum(moved) over so_far)::bigint as open_leads,
  (sum(moved_value) over so_far)::decimal(18,2) as open_pipeline,
  {_share("sum(won_leads) over month", "sum(won_leads) over month + sum(lost_leads) over month")} as win_rate_30d,
  (sum(revenue) over month)::decimal(18,2) as revenue_30d,
  (sum(revenue) over so_far)::decimal(18,2) as cumulative_revenue,
  (sum(new_leads) over so_far)::bigint as cumulative_leads,
  (sum(won_leads) over so_far)::bigint as cumulative_won_leads,
  (sum(interactions) over so_far)::bigint as cumulative_interactions
from daily
window so_far as (order by day rows unbounded preceding), month as (order by day rows 29 preceding)"""

_OUTCOMES = ("meeting_booked", "positive", "neutral", "negative", "no_answer")
#: Wilson's interval, as `columns.wilson` has it.
_SPREAD = "1.96 * sqrt(w - w * w / n + 0.9604)"
_CHANNEL_PERFORMANCE = f"""
with measured as (
  select channel, count(*) as interactions, count(distinct customer_id) as customers,
    {", ".join(f"count(*) filter (outcome = '{outcome}') as {outcome}" for outcome in _OUTCOMES)},
    count(*) filter (outcome in ('meeting_booked', 'positive')) as positive_touches,
    coalesce(sum(duration_minutes), 0)::bigint as total_duration_minutes, max(occurred_at) as last_interaction_at
  from ({{touches}}) where occurred_at::date <= (select max(as_of) from ({{deals}})) group by 1),
brought as (
  select channel, sum(attributed_revenue)::decimal(18,2) as attributed_revenue,
    {_rounded("sum(deal_millionths) / 1e6", 4)} as attributed_deals
  from ({{attribution}}) group by 1),
joined as (
  select channel, coalesce(interactions, 0) as interactions, coalesce(customers, 0) as customers,
    {", ".join(f"coalesce({outcome}, 0) as {outcome}" for outcome in _OUTCOMES)}, coalesce(positive_touches, 0) as positive_touches,
    coalesce(total_duration_minutes, 0) as total_duration_minutes,
    coalesce(attributed_revenue, 0)::decimal(18,2) as attributed_revenue, coalesce(attributed_deals, 0) as attributed_deals,
    last_interaction_at, coalesce(positive_touches, 0)::double as w, nullif(coalesce(interactions, 0), 0)::double as n
  from (select channel from ({{whole}})) left join measured using (channel) left join brought using (channel))
select channel, interactions, customers, {", ".join(_OUTCOMES)}, positive_touches, total_duration_minutes,
  {_rounded(_share("total_duration_minutes", "interactions"), 2)} as average_duration_minutes,
  {_share("positive_touches", "interactions")} as positive_rate,
  case when n > 0 then greatest({_rounded(f"(w + 1.9208 - {_SPREAD}) / (n + 3.8416)", 6)}, 0.0) end as positive_rate_low,
  case when n > 0 then least({_rounded(f"(w + 1.9208 + {_SPREAD}) / (n + 3.8416)", 6)}, 1.0) end as positive_rate_high,
  attributed_revenue, attributed_deals,
  {_rounded(_share("attributed_revenue", "interactions"), 2)} as revenue_per_interaction,
  {_rounded(_share("total_duration_minutes", "positive_touches"), 2)} as minutes_per_positive,
  {_rounded(_share("total_duration_minutes * 1000", "attributed_revenue"), 4)} as minutes_per_1000_usd,
  last_interaction_at
from joined"""

_BEST = "won_value desc, lead_score desc, customer_id"
_TOP_CUSTOMERS = f"""
with best as (from ({{accounts}}) where won_value > 0 order by {_BEST} limit 50),
ranked as (select *, row_number() over (order by {_BEST})::int as rank from best),
whole as (select sum(won_value) as revenue from ({{accounts}}))
select rank, customer_id, customer_name, industry, country, account_manager, won_value, won_leads,
  {_share("won_value", "revenue")} as revenue_share, {_share("sum(won_value) over so_far", "revenue")} as cumulative_share,
  open_value, lead_score, lead_quality, probability_to_convert, segment, days_since_last_interaction, next_step, as_of
from ranked cross join whole
window so_far as (order by rank rows unbounded preceding)"""

#: By the table in whose place they are read.
QUERIES = {
    "gold.sales_summary": _SALES_SUMMARY,
    "gold.channel_performance": _CHANNEL_PERFORMANCE,
    "gold.top_customers": _TOP_CUSTOMERS,
}


def parts(name: str) -> Mapping[str, str]:
    """What the query of a table is made from, as in `PARTS`."""
    return {short: table for short, table in PARTS.items() if f"{{{short}}}" in QUERIES[name]}
