-- Metric views of Unity Catalog, written by `medallion metrics databricks`; they need a SQL warehouse or Databricks Runtime 17.2.

CREATE OR REPLACE VIEW `crm`.gold.customers_metrics
WITH METRICS
LANGUAGE YAML
AS $$
version: '1.1'
comment: Customers with their features and score, one row per customer.
source: '`crm`.gold.customer_features'
dimensions:
- name: industry
  expr: industry
  display_name: Industry
  comment: Industry of the account
  synonyms:
  - industries
  - sector
  - sectors
- name: country
  expr: country
  display_name: Country
  comment: Country of the head office
  synonyms:
  - countries
- name: size_band
  expr: size_band
  display_name: Company size
  comment: Band of the number of employees
  synonyms:
  - company size
  - company sizes
  - size
  - sizes
- name: lead_quality
  expr: lead_quality
  display_name: Lead quality
  comment: Band of the rule score
  synonyms:
  - quality
  - band
  - bands
  - score band
  - lead quality
- name: segment
  expr: segment
  display_name: Segment
  comment: Segment by recency, frequency and monetary value
  synonyms:
  - segments
- name: preferred_channel
  expr: preferred_channel
  display_name: Preferred channel
  comment: Channel that the account answers best on
  synonyms:
  - preferred channel
- name: account_manager
  expr: account_manager
  display_name: Account manager
  comment: Who looks after the account
  synonyms:
  - account managers
measures:
- name: total_customers
  expr: COUNT(1)
  display_name: Customers
  comment: Accounts, whether they bought or not.
  synonyms:
  - customers
  - accounts
  - companies
  - clients
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
- name: buying_customers
  expr: COUNT(CASE WHEN won_leads > 0 THEN 1 END)
  display_name: Buying customers
  comment: Accounts with at least one deal won.
  synonyms:
  - buyers
  - customers who bought
  - customers with a won deal
  - buying accounts
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
- name: active_customers
  expr: COUNT(CASE WHEN interactions_90d > 0 THEN 1 END)
  display_name: Active customers
  comment: Accounts touched in the last 90 days.
  synonyms:
  - active accounts
  - customers touched recently
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
- name: average_lead_score
  expr: AVG(lead_score)
  display_name: Average lead score
  comment: Mean rule score over all customers, 0 to 100.
  synonyms:
  - average score
  - mean score
  - mean lead score
  - lead score
  format:
    type: number
    decimal_places:
      type: exact
      places: 1
- name: hot_customers
  expr: COUNT(CASE WHEN lead_quality = 'Hot' THEN 1 END)
  display_name: Hot customers
  comment: Customers in the Hot band of the score.
  synonyms:
  - hot accounts
  - hot leads
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
- name: hot_lead_share
  expr: COUNT(CASE WHEN lead_quality = 'Hot' THEN 1 END) / NULLIF(COUNT(1), 0)
  display_name: Hot share
  comment: Customers in the Hot band of the score as a share of all customers.
  synonyms:
  - share of hot customers
  - share of hot leads
  - hot lead share
  format:
    type: percentage
    decimal_places:
      type: exact
      places: 1
- name: average_engagement_score
  expr: AVG(engagement_score)
  display_name: Average engagement
  comment: Mean engagement score over all customers, 0 to 100.
  synonyms:
  - average engagement score
  - engagement score
  - engagement
  format:
    type: number
    decimal_places:
      type: exact
      places: 1
- name: revenue_per_customer
  expr: CAST(SUM(won_value) AS DOUBLE) / NULLIF(COUNT(CASE WHEN won_leads > 0 THEN 1 END), 0)
  display_name: Revenue per buying customer
  comment: Won value per account that bought.
  synonyms:
  - revenue per customer
  - revenue per buyer
  - average revenue per customer
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: top_customer_revenue
  expr: MAX(won_value)
  display_name: Top customer's revenue
  comment: Won value of the customer who brought most.
  synonyms:
  - biggest customer's revenue
  - largest customer's revenue
  - revenue of the top customer
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: top_customer_share
  expr: CAST(MAX(won_value) AS DOUBLE) / NULLIF(CAST(SUM(won_value) AS DOUBLE), 0)
  display_name: Top customer's share
  comment: Won value of the customer who brought most as a share of all won value; how much hangs on one account.
  synonyms:
  - share of the top customer
  - revenue concentration
  format:
    type: percentage
    decimal_places:
      type: exact
      places: 1
- name: interactions_per_customer
  expr: SUM(interactions) / NULLIF(COUNT(1), 0)
  display_name: Interactions per customer
  comment: Touches per account, those never touched included.
  synonyms:
  - touches per customer
  - contacts per customer
  format:
    type: number
    decimal_places:
      type: exact
      places: 1
- name: interactions_per_won_deal
  expr: SUM(CASE WHEN won_leads > 0 THEN interactions END) / NULLIF(SUM(won_leads), 0)
  display_name: Interactions per won deal
  comment: Touches of the accounts that bought, per deal won.
  synonyms:
  - interactions per win
  - touches per won deal
  - touches per win
  format:
    type: number
    decimal_places:
      type: exact
      places: 1
- name: median_response_hours
  expr: MEDIAN(hours_to_first_touch)
  display_name: Lead response time
  comment: Median hours from an account's first deal to the first touch after it; accounts never touched since have none.
  synonyms:
  - response time
  - median response time
  - time to first touch
  - lead response hours
  format:
    type: number
    decimal_places:
      type: exact
      places: 1
$$;

CREATE OR REPLACE VIEW `crm`.gold.deals_metrics
WITH METRICS
LANGUAGE YAML
AS $$
version: '1.1'
comment: Deals, one row per deal.
source: '`crm`.gold.deals'
dimensions:
- name: status
  expr: status
  display_name: Status
  comment: open, won or lost
  synonyms:
  - statuses
- name: source
  expr: source
  display_name: Lead source
  comment: Where the deal came from
  synonyms:
  - sources
  - lead source
  - lead sources
- name: stage
  expr: stage
  display_name: Stage
  comment: Pipeline stage
  synonyms:
  - stages
  - pipeline stage
- name: industry
  expr: industry
  display_name: Industry
  comment: Industry of the account
  synonyms:
  - industries
  - sector
  - sectors
- name: country
  expr: country
  display_name: Country
  comment: Country of the head office
  synonyms:
  - countries
- name: size_band
  expr: size_band
  display_name: Company size
  comment: Band of the number of employees
  synonyms:
  - company size
  - company sizes
  - size
  - sizes
- name: lead_quality
  expr: lead_quality
  display_name: Lead quality
  comment: Band of the customer's rule score
  synonyms:
  - quality
  - band
  - bands
  - score band
  - lead quality
- name: owner
  expr: owner
  display_name: Owner
  comment: Sales rep who owns the deal
  synonyms:
  - owners
  - rep
  - reps
  - sales rep
  - sales reps
  - salesperson
  - seller
  - sellers
- name: product_id
  expr: product_id
  display_name: Product
  comment: Product of the deal
  synonyms:
  - product
  - products
- name: created_month
  expr: DATE_FORMAT(created_at, 'yyyy-MM')
  display_name: Month opened
  comment: Month in which the deal was opened, UTC
  synonyms:
  - month opened
  - month created
- name: closed_month
  expr: DATE_FORMAT(closed_at, 'yyyy-MM')
  display_name: Month closed
  comment: Month in which the deal was won or lost, UTC
  synonyms:
  - month closed
- name: created_date
  expr: CAST(created_at AS DATE)
  display_name: Day opened
  comment: Day on which the deal was opened, UTC
  synonyms:
  - day opened
- name: closed_date
  expr: CAST(closed_at AS DATE)
  display_name: Day closed
  comment: Day on which the deal was won or lost, UTC
  synonyms:
  - day closed
- name: expected_close_date
  expr: expected_close_date
  display_name: Expected close
  comment: Day on which the owner expects the deal to close
  synonyms: []
measures:
- name: total_deal_value
  expr: COALESCE(SUM(deal_value), 0)
  display_name: Total deal value
  comment: Value of all deals, whatever their state.
  synonyms:
  - deal value
  - value of all deals
  - total value
  - total pipeline
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: average_deal_value
  expr: CAST(SUM(deal_value) AS DOUBLE) / NULLIF(COUNT(CASE WHEN has_value THEN 1 END), 0)
  display_name: Average deal value
  comment: Value per deal that has one.
  synonyms:
  - mean deal value
  - average value
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: median_deal_value
  expr: MEDIAN(CASE WHEN has_value THEN CAST(deal_value AS DOUBLE) END)
  display_name: Median deal value
  comment: Value that half of the deals with a value reach.
  synonyms:
  - median deal size
  - median value
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: total_leads
  expr: COUNT(1)
  display_name: Deals
  comment: All deals, whatever their state.
  synonyms:
  - leads
  - all deals
  - total deals
  - number of deals
  - opportunities
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
- name: open_leads
  expr: COUNT(CASE WHEN status = 'open' THEN 1 END)
  display_name: Open deals
  comment: Deals with status open.
  synonyms:
  - open leads
  - open opportunities
  - deals open
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
- name: won_leads
  expr: COUNT(CASE WHEN status = 'won' THEN 1 END)
  display_name: Deals won
  comment: Deals with status won.
  synonyms:
  - won deals
  - won leads
  - wins
  - closed won
  - deals closed won
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
- name: lost_leads
  expr: COUNT(CASE WHEN status = 'lost' THEN 1 END)
  display_name: Deals lost
  comment: Deals with status lost.
  synonyms:
  - lost deals
  - lost leads
  - losses
  - closed lost
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
- name: conversion_rate
  expr: COUNT(CASE WHEN status = 'won' THEN 1 END) / NULLIF(COUNT(1), 0)
  display_name: Conversion rate
  comment: Won deals as a share of all deals, open ones included; in a period, of the deals opened in it (a cohort).
  synonyms:
  - conversion
  - converted share
  - share of deals won
  format:
    type: percentage
    decimal_places:
      type: exact
      places: 1
- name: conversion_rate_by_value
  expr: CAST(SUM(CASE WHEN status = 'won' THEN deal_value END) AS DOUBLE) / NULLIF(CAST(SUM(deal_value) AS DOUBLE), 0)
  display_name: Conversion rate by value
  comment: Won value as a share of the value of all deals, open ones included; in a period, of the deals opened in it.
  synonyms:
  - value conversion rate
  format:
    type: percentage
    decimal_places:
      type: exact
      places: 1
- name: win_rate
  expr: COUNT(CASE WHEN status = 'won' THEN 1 END) / NULLIF(COUNT(CASE WHEN status IN ('won', 'lost') THEN 1 END), 0)
  display_name: Win rate
  comment: Won deals as a share of closed deals.
  synonyms:
  - close rate
  - success rate
  - winning rate
  format:
    type: percentage
    decimal_places:
      type: exact
      places: 1
- name: win_rate_by_value
  expr: CAST(SUM(CASE WHEN status = 'won' THEN deal_value END) AS DOUBLE) / NULLIF(CAST(SUM(CASE WHEN status IN ('won', 'lost') THEN deal_value END) AS DOUBLE), 0)
  display_name: Win rate by value
  comment: Won value as a share of the value of closed deals.
  synonyms:
  - value win rate
  - value weighted win rate
  format:
    type: percentage
    decimal_places:
      type: exact
      places: 1
- name: revenue
  expr: COALESCE(SUM(CASE WHEN status = 'won' THEN deal_value END), 0)
  display_name: Revenue
  comment: Value of the deals won.
  synonyms:
  - sales
  - won value
  - turnover
  - booked revenue
  - value won
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: average_won_value
  expr: CAST(SUM(CASE WHEN status = 'won' THEN deal_value END) AS DOUBLE) / NULLIF(COUNT(CASE WHEN status = 'won' AND has_value THEN 1 END), 0)
  display_name: Average won value
  comment: Value per deal won that has one.
  synonyms:
  - average won deal
  - average win
  - average won deal value
  - average size of won deals
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: lost_value
  expr: COALESCE(SUM(CASE WHEN status = 'lost' THEN deal_value END), 0)
  display_name: Lost value
  comment: Value of the deals lost.
  synonyms:
  - value lost
  - lost revenue
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: open_pipeline
  expr: COALESCE(SUM(CASE WHEN status = 'open' THEN deal_value END), 0)
  display_name: Open pipeline
  comment: Value of the open deals.
  synonyms:
  - pipeline
  - pipeline value
  - value of open deals
  - open value
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: weighted_pipeline
  expr: SUM(weighted_value)
  display_name: Weighted pipeline
  comment: Open value times the probability to be won within the horizon of the forecast (90 days by default); a deal without an account has none.
  synonyms:
  - weighted value
  - expected revenue
  - expected value
  - forecast revenue
  - probability weighted pipeline
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: hot_pipeline
  expr: COALESCE(SUM(CASE WHEN status = 'open' AND lead_quality = 'Hot' THEN deal_value END), 0)
  display_name: Hot pipeline
  comment: Value of the open deals of Hot customers.
  synonyms:
  - pipeline of hot customers
  - hot open value
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: open_value_due
  expr: COALESCE(SUM(CASE WHEN status = 'open' THEN deal_value END), 0)
  display_name: Open value due
  comment: Value of the open deals whose owners expect them to close in the period.
  synonyms:
  - pipeline due
  - value due
  - open value expected to close
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: expected_wins
  expr: SUM(CASE WHEN status = 'open' THEN probability_to_convert END)
  display_name: Expected wins
  comment: Sum of the probabilities of the open deals to be won within the horizon of the forecast (90 days by default).
  synonyms:
  - wins expected
  - expected number of wins
  format:
    type: number
    decimal_places:
      type: exact
      places: 1
- name: average_probability
  expr: AVG(CASE WHEN status = 'open' THEN probability_to_convert END)
  display_name: Average probability
  comment: Mean probability of the open deals to be won within the horizon of the forecast (90 days by default).
  synonyms:
  - mean probability
  - average probability to convert
  - average win probability
  format:
    type: percentage
    decimal_places:
      type: exact
      places: 1
- name: average_cycle_days
  expr: AVG(CASE WHEN status = 'won' THEN cycle_days END)
  display_name: Sales cycle
  comment: Mean days from opening to winning, of deals won.
  synonyms:
  - cycle time
  - sales cycle
  - sales cycle length
  - cycle length
  - average cycle
  - days to close
  format:
    type: number
    decimal_places:
      type: exact
      places: 1
- name: median_cycle_days
  expr: MEDIAN(CASE WHEN status = 'won' THEN cycle_days END)
  display_name: Median sales cycle
  comment: Days from opening to winning that half of the deals won needed at most.
  synonyms:
  - median cycle
  - median cycle time
  - median days to close
  format:
    type: number
    decimal_places:
      type: exact
      places: 1
- name: average_days_to_loss
  expr: AVG(CASE WHEN status = 'lost' THEN cycle_days END)
  display_name: Days to loss
  comment: Mean days from opening to losing, of deals lost.
  synonyms:
  - days to lose
  - time to loss
  - cycle of lost deals
  format:
    type: number
    decimal_places:
      type: exact
      places: 1
- name: average_deal_age
  expr: AVG(CASE WHEN status = 'open' THEN age_days END)
  display_name: Age of open deals
  comment: Mean days since the open deals were opened.
  synonyms:
  - deal age
  - average age of open deals
  - pipeline age
  - average days open
  format:
    type: number
    decimal_places:
      type: exact
      places: 1
- name: sales_velocity
  expr: COUNT(CASE WHEN status = 'open' THEN 1 END) * (CAST(SUM(CASE WHEN status = 'won' THEN deal_value END) AS DOUBLE) / NULLIF(COUNT(CASE WHEN status = 'won' AND has_value THEN 1 END), 0)) * (COUNT(CASE WHEN status = 'won' THEN 1 END) / NULLIF(COUNT(CASE WHEN status IN ('won', 'lost') THEN 1 END), 0)) / NULLIF(AVG(CASE WHEN status = 'won' THEN cycle_days END), 0)
  display_name: Sales velocity
  comment: 'Value per day that the pipeline yields: open deals times average won value times win rate over the sales cycle.'
  synonyms:
  - velocity
  - pipeline velocity
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: silent_deals
  expr: COUNT(CASE WHEN status = 'open' AND days_since_last_interaction > 30.0 THEN 1 END)
  display_name: Silent deals
  comment: Open deals whose account was touched, but not in the last 30 days (threshold silent_days).
  synonyms:
  - neglected deals
  - stale deals
  - deals gone silent
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
- name: never_touched_deals
  expr: COUNT(CASE WHEN status = 'open' AND days_since_last_interaction IS NULL THEN 1 END)
  display_name: Deals never touched
  comment: Open deals whose account was never touched; how long is counted from opening.
  synonyms:
  - untouched deals
  - deals without touches
  - deals without any touch
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
- name: overdue_deals
  expr: COUNT(CASE WHEN status = 'open' AND expected_close_date < as_of THEN 1 END)
  display_name: Overdue deals
  comment: Open deals whose expected close date has passed.
  synonyms:
  - late deals
  - deals past their expected close
  - past due deals
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
$$;

CREATE OR REPLACE VIEW `crm`.gold.deals_by_day_metrics
WITH METRICS
LANGUAGE YAML
AS $$
version: '1.1'
comment: Deals, one row per deal; each measure counts by its own day.
source: SELECT 'created_date' AS counted_by, CAST(created_at AS DATE) AS day, one.* FROM `crm`.gold.deals AS one UNION ALL SELECT 'closed_date' AS counted_by, CAST(closed_at AS DATE) AS day, one.* FROM `crm`.gold.deals AS one UNION ALL SELECT 'expected_close_date' AS counted_by, expected_close_date AS day, one.* FROM `crm`.gold.deals AS one
dimensions:
- name: day
  expr: day
  display_name: Day
  comment: The day by which each measure counts, UTC
  synonyms: []
- name: month
  expr: DATE_FORMAT(day, 'yyyy-MM')
  display_name: Month
  comment: The month by which each measure counts, UTC
  synonyms: []
- name: quarter
  expr: CONCAT(YEAR(day), '-Q', QUARTER(day))
  display_name: Quarter
  comment: The quarter by which each measure counts, UTC
  synonyms: []
- name: year
  expr: YEAR(day)
  display_name: Year
  comment: The year by which each measure counts, UTC
  synonyms: []
- name: status
  expr: status
  display_name: Status
  comment: open, won or lost
  synonyms:
  - statuses
- name: source
  expr: source
  display_name: Lead source
  comment: Where the deal came from
  synonyms:
  - sources
  - lead source
  - lead sources
- name: stage
  expr: stage
  display_name: Stage
  comment: Pipeline stage
  synonyms:
  - stages
  - pipeline stage
- name: industry
  expr: industry
  display_name: Industry
  comment: Industry of the account
  synonyms:
  - industries
  - sector
  - sectors
- name: country
  expr: country
  display_name: Country
  comment: Country of the head office
  synonyms:
  - countries
- name: size_band
  expr: size_band
  display_name: Company size
  comment: Band of the number of employees
  synonyms:
  - company size
  - company sizes
  - size
  - sizes
- name: lead_quality
  expr: lead_quality
  display_name: Lead quality
  comment: Band of the customer's rule score
  synonyms:
  - quality
  - band
  - bands
  - score band
  - lead quality
- name: owner
  expr: owner
  display_name: Owner
  comment: Sales rep who owns the deal
  synonyms:
  - owners
  - rep
  - reps
  - sales rep
  - sales reps
  - salesperson
  - seller
  - sellers
- name: product_id
  expr: product_id
  display_name: Product
  comment: Product of the deal
  synonyms:
  - product
  - products
measures:
- name: total_deal_value
  expr: COALESCE(SUM(deal_value) FILTER(WHERE counted_by = 'created_date'), 0)
  display_name: Total deal value
  comment: Value of all deals, whatever their state.
  synonyms:
  - deal value
  - value of all deals
  - total value
  - total pipeline
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: average_deal_value
  expr: CAST(SUM(deal_value) FILTER(WHERE counted_by = 'created_date') AS DOUBLE) / NULLIF(COUNT(CASE WHEN has_value THEN 1 END) FILTER(WHERE counted_by = 'created_date'), 0)
  display_name: Average deal value
  comment: Value per deal that has one.
  synonyms:
  - mean deal value
  - average value
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: median_deal_value
  expr: MEDIAN(CASE WHEN has_value THEN CAST(deal_value AS DOUBLE) END) FILTER(WHERE counted_by = 'created_date')
  display_name: Median deal value
  comment: Value that half of the deals with a value reach.
  synonyms:
  - median deal size
  - median value
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: total_leads
  expr: COUNT(1) FILTER(WHERE counted_by = 'created_date')
  display_name: Deals
  comment: All deals, whatever their state.
  synonyms:
  - leads
  - all deals
  - total deals
  - number of deals
  - opportunities
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
- name: won_leads
  expr: COUNT(CASE WHEN status = 'won' THEN 1 END) FILTER(WHERE counted_by = 'closed_date')
  display_name: Deals won
  comment: Deals with status won.
  synonyms:
  - won deals
  - won leads
  - wins
  - closed won
  - deals closed won
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
- name: lost_leads
  expr: COUNT(CASE WHEN status = 'lost' THEN 1 END) FILTER(WHERE counted_by = 'closed_date')
  display_name: Deals lost
  comment: Deals with status lost.
  synonyms:
  - lost deals
  - lost leads
  - losses
  - closed lost
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
- name: conversion_rate
  expr: COUNT(CASE WHEN status = 'won' THEN 1 END) FILTER(WHERE counted_by = 'created_date') / NULLIF(COUNT(1) FILTER(WHERE counted_by = 'created_date'), 0)
  display_name: Conversion rate
  comment: Won deals as a share of all deals, open ones included; in a period, of the deals opened in it (a cohort).
  synonyms:
  - conversion
  - converted share
  - share of deals won
  format:
    type: percentage
    decimal_places:
      type: exact
      places: 1
- name: conversion_rate_by_value
  expr: CAST(SUM(CASE WHEN status = 'won' THEN deal_value END) FILTER(WHERE counted_by = 'created_date') AS DOUBLE) / NULLIF(CAST(SUM(deal_value) FILTER(WHERE counted_by = 'created_date') AS DOUBLE), 0)
  display_name: Conversion rate by value
  comment: Won value as a share of the value of all deals, open ones included; in a period, of the deals opened in it.
  synonyms:
  - value conversion rate
  format:
    type: percentage
    decimal_places:
      type: exact
      places: 1
- name: win_rate
  expr: COUNT(CASE WHEN status = 'won' THEN 1 END) FILTER(WHERE counted_by = 'closed_date') / NULLIF(COUNT(CASE WHEN status IN ('won', 'lost') THEN 1 END) FILTER(WHERE counted_by = 'closed_date'), 0)
  display_name: Win rate
  comment: Won deals as a share of closed deals.
  synonyms:
  - close rate
  - success rate
  - winning rate
  format:
    type: percentage
    decimal_places:
      type: exact
      places: 1
- name: win_rate_by_value
  expr: CAST(SUM(CASE WHEN status = 'won' THEN deal_value END) FILTER(WHERE counted_by = 'closed_date') AS DOUBLE) / NULLIF(CAST(SUM(CASE WHEN status IN ('won', 'lost') THEN deal_value END) FILTER(WHERE counted_by = 'closed_date') AS DOUBLE), 0)
  display_name: Win rate by value
  comment: Won value as a share of the value of closed deals.
  synonyms:
  - value win rate
  - value weighted win rate
  format:
    type: percentage
    decimal_places:
      type: exact
      places: 1
- name: revenue
  expr: COALESCE(SUM(CASE WHEN status = 'won' THEN deal_value END) FILTER(WHERE counted_by = 'closed_date'), 0)
  display_name: Revenue
  comment: Value of the deals won.
  synonyms:
  - sales
  - won value
  - turnover
  - booked revenue
  - value won
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: average_won_value
  expr: CAST(SUM(CASE WHEN status = 'won' THEN deal_value END) FILTER(WHERE counted_by = 'closed_date') AS DOUBLE) / NULLIF(COUNT(CASE WHEN status = 'won' AND has_value THEN 1 END) FILTER(WHERE counted_by = 'closed_date'), 0)
  display_name: Average won value
  comment: Value per deal won that has one.
  synonyms:
  - average won deal
  - average win
  - average won deal value
  - average size of won deals
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: lost_value
  expr: COALESCE(SUM(CASE WHEN status = 'lost' THEN deal_value END) FILTER(WHERE counted_by = 'closed_date'), 0)
  display_name: Lost value
  comment: Value of the deals lost.
  synonyms:
  - value lost
  - lost revenue
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: open_value_due
  expr: COALESCE(SUM(CASE WHEN status = 'open' THEN deal_value END) FILTER(WHERE counted_by = 'expected_close_date'), 0)
  display_name: Open value due
  comment: Value of the open deals whose owners expect them to close in the period.
  synonyms:
  - pipeline due
  - value due
  - open value expected to close
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
- name: average_cycle_days
  expr: AVG(CASE WHEN status = 'won' THEN cycle_days END) FILTER(WHERE counted_by = 'closed_date')
  display_name: Sales cycle
  comment: Mean days from opening to winning, of deals won.
  synonyms:
  - cycle time
  - sales cycle
  - sales cycle length
  - cycle length
  - average cycle
  - days to close
  format:
    type: number
    decimal_places:
      type: exact
      places: 1
- name: median_cycle_days
  expr: MEDIAN(CASE WHEN status = 'won' THEN cycle_days END) FILTER(WHERE counted_by = 'closed_date')
  display_name: Median sales cycle
  comment: Days from opening to winning that half of the deals won needed at most.
  synonyms:
  - median cycle
  - median cycle time
  - median days to close
  format:
    type: number
    decimal_places:
      type: exact
      places: 1
- name: average_days_to_loss
  expr: AVG(CASE WHEN status = 'lost' THEN cycle_days END) FILTER(WHERE counted_by = 'closed_date')
  display_name: Days to loss
  comment: Mean days from opening to losing, of deals lost.
  synonyms:
  - days to lose
  - time to loss
  - cycle of lost deals
  format:
    type: number
    decimal_places:
      type: exact
      places: 1
- name: conversion_rate_by_period
  expr: (COUNT(CASE WHEN status = 'won' THEN 1 END) FILTER(WHERE counted_by = 'closed_date')) / NULLIF((COUNT(1) FILTER(WHERE counted_by = 'created_date')), 0)
  display_name: Conversion by period
  comment: Deals won in the period, whenever they were opened, per deal opened in it.
  synonyms:
  - conversion rate by period
  - period conversion
  format:
    type: percentage
    decimal_places:
      type: exact
      places: 1
$$;

CREATE OR REPLACE VIEW `crm`.gold.channels_metrics
WITH METRICS
LANGUAGE YAML
AS $$
version: '1.1'
comment: Touches, summed per channel.
source: '`crm`.gold.channel_performance'
dimensions:
- name: channel
  expr: channel
  display_name: Channel
  comment: How the account was reached
  synonyms:
  - channels
measures:
- name: total_interactions
  expr: COALESCE(SUM(interactions), 0)
  display_name: Interactions
  comment: Touches of any channel.
  synonyms:
  - interactions
  - contacts made
  - number of interactions
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
- name: positive_rate
  expr: SUM(positive_touches) / NULLIF(SUM(interactions), 0)
  display_name: Positive rate
  comment: Touches with a positive answer or a booked meeting as a share of all touches.
  synonyms:
  - positive response rate
  - positive share
  - share of positive interactions
  format:
    type: percentage
    decimal_places:
      type: exact
      places: 1
- name: no_answer_rate
  expr: SUM(no_answer) / NULLIF(SUM(interactions), 0)
  display_name: No-answer rate
  comment: Touches without an answer as a share of all touches.
  synonyms:
  - no answer rate
  - unanswered rate
  - share without an answer
  format:
    type: percentage
    decimal_places:
      type: exact
      places: 1
- name: meetings_booked
  expr: COALESCE(SUM(meeting_booked), 0)
  display_name: Meetings booked
  comment: Touches that ended with a booked meeting.
  synonyms:
  - booked meetings
  - meetings
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
- name: average_duration_minutes
  expr: SUM(total_duration_minutes) / NULLIF(SUM(interactions), 0)
  display_name: Minutes per interaction
  comment: Minutes spent per touch, those without a duration counting as none.
  synonyms:
  - average duration
  - duration
  - minutes per touch
  - length of an interaction
  format:
    type: number
    decimal_places:
      type: exact
      places: 1
- name: attributed_revenue
  expr: COALESCE(SUM(attributed_revenue), 0)
  display_name: Attributed revenue
  comment: Won value shared among the touches of the 90 days before each win; adds up to all revenue.
  synonyms:
  - revenue attributed
  - channel revenue
  format:
    type: currency
    currency_code: USD
    decimal_places:
      type: exact
      places: 0
$$;

CREATE OR REPLACE VIEW `crm`.gold.stages_metrics
WITH METRICS
LANGUAGE YAML
AS $$
version: '1.1'
comment: Stays of deals in stages, one row each.
source: '`crm`.gold.stage_history'
dimensions:
- name: stage
  expr: stage
  display_name: Stage
  comment: Stage that the deal was in
  synonyms:
  - stages
  - pipeline stage
- name: entered_date
  expr: CAST(entered_at AS DATE)
  display_name: Day entered
  comment: Day on which the stage was entered, UTC
  synonyms: []
- name: left_date
  expr: CAST(left_at AS DATE)
  display_name: Day left
  comment: Day on which the stage was left, UTC; unknown while the deal is in it
  synonyms: []
measures:
- name: average_days_in_stage
  expr: AVG(CASE WHEN left_at IS NOT NULL THEN days_in_stage END)
  display_name: Days in stage
  comment: Mean days that deals stayed in a stage before they left it.
  synonyms:
  - time in stage
  - days in stage
  - stage duration
  format:
    type: number
    decimal_places:
      type: exact
      places: 1
- name: stage_entries
  expr: COUNT(1)
  display_name: Stages entered
  comment: How often deals entered a stage.
  synonyms:
  - stage entries
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
$$;

CREATE OR REPLACE VIEW `crm`.gold.stages_by_day_metrics
WITH METRICS
LANGUAGE YAML
AS $$
version: '1.1'
comment: Stays of deals in stages, one row each; each measure counts by its own day.
source: SELECT 'entered_date' AS counted_by, CAST(entered_at AS DATE) AS day, one.* FROM `crm`.gold.stage_history AS one UNION ALL SELECT 'left_date' AS counted_by, CAST(left_at AS DATE) AS day, one.* FROM `crm`.gold.stage_history AS one
dimensions:
- name: day
  expr: day
  display_name: Day
  comment: The day by which each measure counts, UTC
  synonyms: []
- name: month
  expr: DATE_FORMAT(day, 'yyyy-MM')
  display_name: Month
  comment: The month by which each measure counts, UTC
  synonyms: []
- name: quarter
  expr: CONCAT(YEAR(day), '-Q', QUARTER(day))
  display_name: Quarter
  comment: The quarter by which each measure counts, UTC
  synonyms: []
- name: year
  expr: YEAR(day)
  display_name: Year
  comment: The year by which each measure counts, UTC
  synonyms: []
- name: stage
  expr: stage
  display_name: Stage
  comment: Stage that the deal was in
  synonyms:
  - stages
  - pipeline stage
measures:
- name: average_days_in_stage
  expr: AVG(CASE WHEN NOT left_at IS NULL THEN days_in_stage END) FILTER(WHERE counted_by = 'left_date')
  display_name: Days in stage
  comment: Mean days that deals stayed in a stage before they left it.
  synonyms:
  - time in stage
  - days in stage
  - stage duration
  format:
    type: number
    decimal_places:
      type: exact
      places: 1
- name: stage_entries
  expr: COUNT(1) FILTER(WHERE counted_by = 'entered_date')
  display_name: Stages entered
  comment: How often deals entered a stage.
  synonyms:
  - stage entries
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
$$;

CREATE OR REPLACE VIEW `crm`.gold.touches_metrics
WITH METRICS
LANGUAGE YAML
AS $$
version: '1.1'
comment: Touches, one row each, up to the day that gold describes.
source: SELECT t.*, m.as_of FROM `crm`.silver.interactions_clean AS t CROSS JOIN (SELECT MAX(as_of) AS as_of FROM `crm`.gold.customer_features) AS m WHERE CAST(t.occurred_at AS DATE) <= m.as_of
dimensions:
- name: channel
  expr: channel
  display_name: Channel
  comment: How the account was reached
  synonyms:
  - channels
- name: outcome
  expr: outcome
  display_name: Outcome
  comment: What came of the touch
  synonyms:
  - outcomes
- name: direction
  expr: direction
  display_name: Direction
  comment: inbound, outbound, or unknown
  synonyms:
  - directions
- name: hour
  expr: HOUR(occurred_at)
  display_name: Hour
  comment: Hour of the day, UTC
  synonyms:
  - hours
  - hour of the day
- name: weekday
  expr: (DATEDIFF(CAST(occurred_at AS DATE), DATE '1900-01-01') % 7) + 1
  display_name: Weekday
  comment: Day of the week, 1 for Monday to 7 for Sunday, UTC
  synonyms:
  - weekdays
  - day of the week
- name: month
  expr: DATE_FORMAT(occurred_at, 'yyyy-MM')
  display_name: Month
  comment: Month of the touch, UTC
  synonyms:
  - months
- name: date
  expr: CAST(occurred_at AS DATE)
  display_name: Day
  comment: Day of the touch, UTC
  synonyms:
  - day
  - days
measures:
- name: touches
  expr: COUNT(1)
  display_name: Touches
  comment: Touches, for a look by hour, day, outcome or direction.
  synonyms:
  - number of touches
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
- name: touched_customers
  expr: COUNT(DISTINCT customer_id)
  display_name: Customers touched
  comment: Accounts with at least one touch.
  synonyms:
  - customers contacted
  - contacted customers
  format:
    type: number
    decimal_places:
      type: exact
      places: 0
- name: touch_positive_rate
  expr: COUNT(CASE WHEN outcome IN ('positive', 'meeting_booked') THEN 1 END) / NULLIF(COUNT(1), 0)
  display_name: Positive rate of touches
  comment: Touches with a positive answer or a booked meeting as a share of touches, for a look by hour, day or direction.
  synonyms:
  - positive touch rate
  format:
    type: percentage
    decimal_places:
      type: exact
      places: 1
$$;
