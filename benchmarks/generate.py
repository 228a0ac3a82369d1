"""Write CRM exports of any size, with a known share of mess, deterministic by size and seed.

    python benchmarks/generate.py --interactions 5m --out /tmp/exports

There are 20 interactions a customer and 12 a lead. Planted: 0.1% repeated interactions, 0.02% of unknown
customers, 0.01% with an unreadable date, 10% of dates and many categories in another spelling, 0.2% of leads
corrected by a newer row.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb

TIMESTAMP = "(timestamp '2023-01-01' + to_seconds((hash(i + {salt}) % 77760000)::int))"


def count(text: str) -> int:
    """`5m`, `200k` or `1000` as a number."""
    units = {"k": 1_000, "m": 1_000_000}
    return int(float(text[:-1]) * units[text[-1].lower()]) if text[-1].lower() in units else int(text)


def generate(interactions: int, out: Path, seed: int = 1) -> None:
    """Write customers.csv, leads.csv, interactions.csv and products.csv into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    customers, leads = max(interactions // 20, 1), max(interactions // 12, 1)
    salt = seed * 1000
    queries = {
        "products": """
            select 'P-' || (100 + i) as product_id, 'Product ' || i as product_name,
                   ['Platform', 'Service'][1 + i % 2] as category, '$' || (100 * (i + 1)) || '.00' as list_price,
                   'USD' as currency, '2022-01-01' as launch_date
            from range(8) t(i)""",
        "customers": f"""
            select 'C' || lpad(i::varchar, 8, '0') as customer_id, 'Customer ' || i as customer_name,
                   ['Software', 'Retail', 'Health', 'Energy', 'Finance'][1 + i % 5] as industry,
                   ['USA', 'Germany', 'uk'][1 + i % 3] as country, 'City ' || (i % 100) as city,
                   case when i % 50 = 0 then 'N/A' else (hash(i + {salt}) % 3000)::varchar end as employee_count,
                   (hash(i + {salt + 1}) % 100000000)::varchar as annual_revenue, 'Rep ' || (i % 50) as account_manager,
                   case when i % 4 = 0 then '' else 'c' || i || '@x.example' end as email,
                   case when i % 3 = 0 then '-' else '+1 415-555-01' || lpad((i % 100)::varchar, 2, '0') end as phone,
                   '2022-06-01' as created_at, '2022-12-01 10:00:00' as updated_at
            from range({customers}) t(i)""",
        "leads": f"""
            with base as (
              select i, 0 as again from range({leads}) t(i)
              union all
              select i, 1 from range({leads}) t(i) where i % 500 = 0
            ), made as (
              select i, again, hash(i + {salt + 3}) % 10 as luck, {TIMESTAMP.format(salt=salt + 4)} as opened,
                     10 + hash(i + {salt + 5}) % 120 as days from base
            )
            select 'L' || lpad(i::varchar, 8, '0') as lead_id,
                   'C' || lpad((hash(i + {salt + 6}) % {customers})::varchar, 8, '0') as customer_id,
                   'P-' || (100 + i % 8) as product_id, 'Person ' || i as lead_name, 'l' || i || '@x.example' as email,
                   '' as phone, 'Company ' || i as company,
                   ['website', 'Referral', ' LinkedIn', 'event', 'Cold Call', 'email'][1 + (hash(i + {salt + 7}) % 6)::int] as source,
                   case when luck < 3 then ' Closed-Won ' when luck < 6 then 'lost' else 'Open' end as status,
                   case when luck < 6 then 'closed' else 'Proposal' end as stage,
                   '$' || (1000 + hash(i + {salt + 8} + again) % 90000) || '.50' as deal_value, 'USD' as currency,
                   opened::varchar as created_at, (opened + to_days((days + again)::int))::varchar as updated_at,
                   case when luck < 6 then (opened + to_days(days::int))::varchar end as closed_at,
                   '2025-09-01' as expected_close_date, 'Rep ' || (i % 50) as owner
            from made""",
        "interactions": f"""
            select 'I' || lpad((case when i % 1000 = 7 then i - 1 else i end)::varchar, 10, '0') as interaction_id,
                   case when i % 5000 = 3 then 'C99999999'
                        else 'C' || lpad((hash(j + {salt + 9}) % {customers})::varchar, 8, '0') end as customer_id,
                   '' as lead_id,
                   ['Call', 'E-mail', ' whatsapp', 'Meeting', 'other'][1 + (hash(j + {salt + 10}) % 5)::int] as channel,
                   ['inbound', 'Outbound'][1 + (hash(j + {salt + 11}) % 2)::int] as direction,
                   case when i % 10000 = 5 then 'garbage' when j % 10 = 0 then strftime(happened, '%m/%d/%Y %H:%M')
                        else happened::varchar end as occurred_at,
                   (hash(j + {salt + 12}) % 90)::varchar as duration_minutes,
                   ['positive', 'Neutral', 'negative', 'No Answer', 'Meeting Booked'][1 + (hash(j + {salt + 13}) % 5)::int] as outcome,
                   'note about touch number ' || j as notes
            from (select i, j, timestamp '2023-01-01' + to_seconds((hash(j + {salt + 14}) % 77760000)::int) as happened
                  from (select i, case when i % 1000 = 7 then i - 1 else i end as j from range({interactions}) t(i)))""",
    }
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        for name, query in queries.items():
            connection.execute(f"copy ({query}) to '{out / name}.csv' (header)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", default="100k", type=count)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--seed", default=1, type=int)
    arguments = parser.parse_args()
    generate(arguments.interactions, arguments.out, arguments.seed)
