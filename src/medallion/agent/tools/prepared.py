"""The tables that tools read, and what of them is prepared once for the call plan and for names."""

from __future__ import annotations

from medallion.agent import countries

FEATURES, DEALS, SCORES = "gold.customer_features", "gold.deals", "gold.lead_scores"
BANDS, CHANGES, ATTAINMENT = "gold.score_bands", "gold.deal_changes", "gold.attainment"
TOUCHES, IDENTITIES = "silver.interactions_clean", "silver.identities"
#: One row per account with an open deal, with its best one, at its position in a call list of everybody.
OPEN_ACCOUNTS = f"""
select row_number() over (order by owner nulls last, expected_value desc nulls last, lead_score desc, customer_id) as position, *
from (
  select b.owner, f.customer_id, f.customer_name, f.country, b.lead_id, b.product_name, b.expected_close_date, f.next_step, f.preferred_channel, f.has_email, f.has_phone,
         b.expected_value, b.at_stake, b.probability_to_convert as probability, f.lead_score, f.lead_quality,
         f.last_interaction_at, f.days_since_last_interaction as days_since_last, f.as_of
  from (select *, sum(weighted_value) over (partition by customer_id) as expected_value,
               sum(deal_value) over (partition by customer_id) as at_stake,
               row_number() over (partition by customer_id order by weighted_value desc nulls last, lead_id) as place
        from {DEALS} where status = 'open' and customer_id is not null) b
  join {FEATURES} f using (customer_id) where b.place = 1)"""
#: Those that may be contacted: `owner` or anybody's, rested by the day, not to be left alone; so many of each rep.
CONTACTABLE = """(? is null or lower(owner) = lower(?)) and not (customer_id in (select unnest(?)))
    and coalesce(last_interaction_at < cast(? as date) - cast(? as integer), true)"""
CALL_LIST = f"""
select *, row_number() over (partition by owner order by position) as rank,
       days_since_last + date_diff('day', as_of, cast(? as date)) as days_silent
from open_accounts where position in (
  select unnest(min(position, ?)) from open_accounts
  where {CONTACTABLE}
  group by owner)
order by position"""
#: Channel and outcome of each account's last touch, whose time gold knows.
_LAST_TOUCHES = f"""
select position, channel as last_channel, outcome as last_outcome, direction as last_direction from {TOUCHES} i
join open_accounts o on i.customer_id = o.customer_id and i.occurred_at = o.last_interaction_at
qualify row_number() over (partition by position order by interaction_id) = 1 order by position"""
#: The best reasons of each account's best deal, for it and against it.
_REASONS = f"""
select position, reasons_up[:3] as reasons, reasons_down[:3] as against from {SCORES} s join open_accounts o on s.lead_id = o.lead_id and s.as_of = o.as_of
qualify row_number() over (partition by position order by known_as_of desc) = 1 order by position"""
_ZONES = ", ".join(f"('{country}', '{place.zone}')" for country, place in countries.countries().items())
#: Touches by channel and hour of the account's own day.
_HOURS = f"""
select channel, hour(timezone(coalesce(zone, 'UTC'), occurred_at)) as hour, count(*) as n,
       count(*) filter (outcome in ('positive', 'meeting_booked')) as well
from {TOUCHES} left join (select customer_id, zone from {FEATURES} join (values {_ZONES}) z(country, zone) using (country))
using (customer_id) group by 1, 2"""
#: How often the expected close of each open deal was moved later.
_PUSHES = f"""
select lead_id, count(*) as pushes from (
  select lead_id, expected_close_date, lag(expected_close_date) over (partition by lead_id order by valid_from) as before
  from {CHANGES} where known_to is null and lead_id in (select lead_id from open_accounts))
where expected_close_date > before group by 1"""
#: What the call list is made from, in the order in which one rests on another; prepared once, since it does not change.
PREPARED = {
    "owners": f"select distinct owner from {DEALS}",
    "open_accounts": OPEN_ACCOUNTS,
    "last_touches": _LAST_TOUCHES,
    "reasons": _REASONS,
    "hours": _HOURS,
    "pushes": _PUSHES,
    "names": "select customer_id, customer_name, lower(customer_name) as name_lower, industry, country, lead_score "
    f"from {FEATURES}",
}
#: What `PREPARED` needs that not every lakehouse has.
NEEDS = {"reasons": SCORES, "pushes": CHANGES}
