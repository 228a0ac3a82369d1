"""Questions answered a second time, in pandas, from the definitions in docs/METRICS.md and by no code of the compilers."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import pandas as pd

from medallion.metrics.conditions import And, Not, Or


@dataclass
class World:
    """The rows of one lakehouse, as frames with days in place of times."""

    deals: pd.DataFrame
    accounts: pd.DataFrame
    touches: pd.DataFrame
    changes: pd.DataFrame
    today: date


def world(connection) -> World:
    def frame(sql):
        result = connection.execute(sql)
        columns = [one[0] for one in result.description]
        return pd.DataFrame(result.fetchall(), columns=columns, dtype=object)

    deals = frame(
        "select lead_id, customer_id, status, stage, source, owner, industry, country, size_band, lead_quality, product_id, "
        "deal_value, has_value, created_at::date as created_date, closed_at::date as closed_date, expected_close_date, "
        "age_days, cycle_days, days_since_last_interaction as silence, weighted_value, probability_to_convert, as_of, "
        "lead_score from gold.deals"
    )
    accounts = frame("select *, interactions_90d as recent from gold.customer_features")
    today = connection.execute("select max(day) from gold.sales_summary").fetchone()[0]
    touches = frame(
        "select t.channel, t.outcome, t.direction, t.customer_id, t.occurred_at::date as date, a.industry, a.country, "
        "a.size_band from silver.interactions_clean t left join gold.customer_features a using (customer_id)"
    )
    touches = touches[touches["date"].map(lambda day: day <= deals["as_of"].iloc[0])]
    changes = frame(
        "select c.lead_id, c.status, c.stage, c.source, c.owner, c.product_id, c.from_day as from_date, c.to_day as to_date, "
        "c.expected_close_date, c.deal_value, c.has_value, a.industry, a.country, a.size_band from gold.deal_changes c "
        "left join gold.customer_features a using (customer_id) where c.known_to is null"
    )
    return World(deals, accounts, touches, changes, today)


def unknown(value) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, float) and value != value)


FLAGS = {
    "open": lambda row: row["status"] == "open",
    "won": lambda row: row["status"] == "won",
    "lost": lambda row: row["status"] == "lost",
    "touched": lambda row: not unknown(row["silence"]),
    "silent": lambda row: row["status"] == "open" and not unknown(row["silence"]) and row["silence"] > 30,
    "never_touched": lambda row: row["status"] == "open" and unknown(row["silence"]),
    "overdue": lambda row: row["status"] == "open" and not unknown(row["expected_close_date"]) and row["expected_close_date"] < row["as_of"],
    "has_value": lambda row: bool(row["has_value"]),
    "positive": lambda row: row["outcome"] in ("positive", "meeting_booked"),
}  # fmt: skip
FIELDS = {
    "deal_value": lambda row: float(row["deal_value"]),
    "days_silent": lambda row: row["age_days"] if unknown(row["silence"]) else row["silence"],
    "created_month": lambda row: f"{row['created_date']:%Y-%m}",
    "closed_month": lambda row: None if unknown(row["closed_date"]) else f"{row['closed_date']:%Y-%m}",
}  # fmt: skip


def of(row, name):
    if name in FIELDS:
        return FIELDS[name](row)
    if name in FLAGS:
        return FLAGS[name](row)
    value = row[name]
    return None if unknown(value) else value


def holds(condition, row) -> bool:
    """A row whose value is not known fulfills no condition but `is unknown`, and so its negation."""
    if condition is None:
        return True
    if isinstance(condition, And):
        return all(holds(one, row) for one in condition.parts)
    if isinstance(condition, Or):
        return any(holds(one, row) for one in condition.parts)
    if isinstance(condition, Not):
        return not holds(condition.part, row)
    if condition.op == "is":
        return FLAGS[condition.name](row)
    value = of(row, condition.name)
    if condition.op in ("unknown", "known"):
        return (value is None) == (condition.op == "unknown")
    if condition.op == "!=":
        return value is None or not any(equal(value, one) for one in condition.values)
    if value is None:
        return False
    first = condition.values[0]
    if condition.op == "=":
        return any(equal(value, one) for one in condition.values)
    if condition.op == "contains":
        return str(first).lower() in str(value).lower()
    if condition.op == "between":
        return number(first) <= number(value) <= number(condition.values[1])
    pair = number(value), number(first)
    return {"<": pair[0] < pair[1], "<=": pair[0] <= pair[1], ">": pair[0] > pair[1], ">=": pair[0] >= pair[1]}[
        condition.op
    ]


def number(value):
    return float(value) if isinstance(value, Decimal | int | float) else value


def equal(value, other) -> bool:
    return number(value) == number(other) if not isinstance(other, str) else str(value) == other


def total(values):
    return sum((Decimal(str(one)) for one in values if not unknown(one)), Decimal(0))


def ratio(part, whole):
    return None if not whole else float(part) / float(whole)


def won(rows):
    return rows[rows["status"] == "won"]


def lost(rows):
    return rows[rows["status"] == "lost"]


def still(rows):
    return rows[rows["status"] == "open"]


def mean(values):
    known = [float(one) for one in values if not unknown(one)]
    return sum(known) / len(known) if known else None


#: Metric: its rows, the day that a period restricts (None for a state), and what it is worth over some of these rows.
METRICS = {
    "total_leads": ("deals", "created_date", len),
    "total_deal_value": ("deals", "created_date", lambda d: total(d["deal_value"])),
    "won_leads": ("deals", "closed_date", lambda d: len(won(d))),
    "lost_leads": ("deals", "closed_date", lambda d: len(lost(d))),
    "revenue": ("deals", "closed_date", lambda d: total(won(d)["deal_value"])),
    "lost_value": ("deals", "closed_date", lambda d: total(lost(d)["deal_value"])),
    "win_rate": ("deals", "closed_date", lambda d: ratio(len(won(d)), len(won(d)) + len(lost(d)))),
    "conversion_rate": ("deals", "created_date", lambda d: ratio(len(won(d)), len(d))),
    "average_deal_value": ("deals", "created_date", lambda d: ratio(total(d["deal_value"]), d["has_value"].sum())),
    "average_won_value": ("deals", "closed_date", lambda d: ratio(total(won(d)["deal_value"]), won(d)["has_value"].sum())),
    "average_cycle_days": ("deals", "closed_date", lambda d: mean(won(d)["cycle_days"])),
    "open_leads": ("deals", None, lambda d: len(still(d))),
    "open_pipeline": ("deals", None, lambda d: total(still(d)["deal_value"])),
    "open_value_due": ("deals", "expected_close_date", lambda d: total(still(d)["deal_value"])),
    "weighted_pipeline": ("deals", None, lambda d: total(d["weighted_value"]) if d["weighted_value"].notna().any() else None),
    "silent_deals": ("deals", None, lambda d: int(d.apply(FLAGS["silent"], axis=1).sum()) if len(d) else 0),
    "never_touched_deals": ("deals", None, lambda d: int(d.apply(FLAGS["never_touched"], axis=1).sum()) if len(d) else 0),
    "overdue_deals": ("deals", None, lambda d: int(d.apply(FLAGS["overdue"], axis=1).sum()) if len(d) else 0),
    "total_customers": ("accounts", None, len),
    "buying_customers": ("accounts", None, lambda a: int((a["won_leads"] > 0).sum())),
    "active_customers": ("accounts", None, lambda a: int((a["recent"] > 0).sum())),
    "hot_customers": ("accounts", None, lambda a: int((a["lead_quality"] == "Hot").sum())),
    "average_lead_score": ("accounts", None, lambda a: mean(a["lead_score"])),
    "interactions_per_won_deal": ("accounts", None, lambda a: None if not len(a) or not (a["won_leads"] > 0).any()
                                  else ratio(a[a["won_leads"] > 0]["interactions"].sum(), a["won_leads"].sum())),
    "touches": ("touches", "date", len),
    "touched_customers": ("touches", "date", lambda t: t["customer_id"].nunique()),
    "touch_positive_rate": ("touches", "date", lambda t: ratio(t["outcome"].isin(["positive", "meeting_booked"]).sum(), len(t))),
}  # fmt: skip


def grain(day, unit, fiscal=1):
    """A day as the docs write its week, month, quarter or year."""
    if unknown(day):
        return None
    if unit == "week":
        return (day - timedelta(days=day.weekday())).isoformat()
    if unit == "month":
        return f"{day:%Y-%m}"
    if unit == "quarter":
        return f"{day.year}-Q{(day.month + 2) // 3}"
    if unit == "year":
        return str(day.year)
    if unit.startswith("fiscal"):
        year = day.year + (fiscal > 1 and day.month >= fiscal)
        quarter = (day.month - fiscal) % 12 // 3 + 1
        return f"FY{year}" + (f"-Q{quarter}" if "quarter" in unit else "")
    return day.isoformat()


def later(day, months):
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def past(given: World, name, where, by, days):
    """A stock at the end of each of some days, from the states that deals were in."""
    worth, found = METRICS[name][2], {}
    for day in days:
        rows = given.changes
        there = [a <= day and (unknown(b) or b > day) for a, b in zip(rows["from_date"], rows["to_date"], strict=True)]
        rows = kept(rows, there)
        rows = kept(rows, [holds(where, row) for row in rows.to_dict("records")])
        keys = [
            tuple(grain(day if n == "time" else row[n], u) if u else of(row, n) for n, u in by)
            for row in rows.to_dict("records")
        ]
        for one in dict.fromkeys(keys) if by else [()]:
            found[one] = worth(kept(rows, [other == one for other in keys]))
    return found


def kept(rows, which):
    return rows[pd.Series(which, index=rows.index, dtype=bool)]


def answered(given: World, name, where=None, by=(), first=None, last=None):
    """A metric under a condition and in a period, by the values of its splits: `(name, unit)`."""
    table, time, worth = METRICS[name]
    rows = getattr(given, table)
    rows = kept(rows, [holds(where, row) for row in rows.to_dict("records")])
    if time is not None and (first or last):
        day = rows[time]
        inside = [not unknown(one) and (first is None or one >= first) and (last is None or one <= last) for one in day]
        rows = kept(rows, inside)
    if not by:
        return {(): worth(rows)}
    keys = [
        tuple(
            grain(row[one], unit) if unit else of(row, one)
            for one, unit in ((time if n == "time" else n, u) for n, u in by)
        )
        for row in rows.to_dict("records")
    ]
    return {key: worth(kept(rows, [one == key for one in keys])) for key in dict.fromkeys(keys)}
