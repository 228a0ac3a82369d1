"""The same job written by hand in Polars, for the exports of generate.py: another measure for Medallion.

    pip install polars
    python benchmarks/polars_pipeline.py EXPORTS OUT

Lazy throughout, sinks by the streaming engine: text to Parquet, cleaning, checks, quarantine, history and current
versions (only keys seen more than once are sorted), and the gold tables. It knows the spellings of these exports and
nothing else: no contracts, no batches, no resuming.
"""

from __future__ import annotations

import sys
from datetime import date, datetime, time, timedelta
from pathlib import Path

import polars as pl

KEYS = {"products": "product_id", "customers": "customer_id", "leads": "lead_id", "interactions": "interaction_id"}
VERSIONED = {"customers", "leads"}
OUTCOMES = ("meeting_booked", "positive", "neutral", "negative", "no_answer")
CHANNELS = ("call", "email", "meeting", "other", "whatsapp")
MONEY = pl.Decimal(18, 2)
c = pl.col


def text(name: str) -> pl.Expr:
    """Trimmed, placeholders null."""
    trimmed = c(name).str.strip_chars()
    return pl.when(~trimmed.is_in(["", "-", "N/A"])).then(trimmed)


def code(name: str) -> pl.Expr:
    return c(name).str.strip_chars().str.to_lowercase().str.replace_all(r"[^a-z0-9]+", "_")


def timestamp_of(name: str) -> pl.Expr:
    iso = text(name).str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
    day = text(name).str.to_datetime("%Y-%m-%d", strict=False, time_unit="us")
    return pl.coalesce(iso, text(name).str.to_datetime("%m/%d/%Y %H:%M", strict=False, time_unit="us"), day)


def money(name: str) -> pl.Expr:
    return text(name).str.replace_all("[$,]", "").cast(MONEY, strict=False)


def upper(name: str) -> pl.Expr:
    return text(name).str.to_uppercase()


def meant(name: str, known: dict[str, str], default: str | None = None) -> pl.Expr:
    written = c(name).str.strip_chars().str.to_lowercase()
    return written.replace_strict(known, default=default, return_dtype=pl.String)


STAGED = {
    "products": {
        "product_id": upper("product_id"), "product_name": text("product_name"), "category": text("category"),
        "list_price": money("list_price"), "currency": pl.lit("USD"), "launch_date": timestamp_of("launch_date").dt.date(),
    },
    "customers": {
        "customer_id": upper("customer_id"), "customer_name": text("customer_name"), "industry": text("industry"),
        "country": meant("country", {"usa": "United States", "uk": "United Kingdom", "germany": "Germany"}), "city": text("city"),
        "employee_count": text("employee_count").cast(pl.Int64, strict=False), "annual_revenue": money("annual_revenue"),
        "account_manager": text("account_manager"), "email": text("email").str.to_lowercase(),
        "phone": text("phone").str.replace_all("[^0-9+]", ""), "created_at": timestamp_of("created_at"), "updated_at": timestamp_of("updated_at"),
    },
    "leads": {
        "lead_id": upper("lead_id"), "customer_id": upper("customer_id"), "product_id": upper("product_id"), "lead_name": text("lead_name"),
        "email": text("email").str.to_lowercase(), "phone": text("phone"), "company": text("company"), "source": code("source"),
        "status": code("status").str.strip_chars("_").replace_strict({"closed_won": "won", "lost": "lost", "open": "open"}, default=None, return_dtype=pl.String),
        "stage": code("stage"), "deal_value": money("deal_value"), "currency": pl.lit("USD"), "created_at": timestamp_of("created_at"),
        "updated_at": timestamp_of("updated_at"), "closed_at": timestamp_of("closed_at"), "expected_close_date": timestamp_of("expected_close_date").dt.date(), "owner": text("owner"),
    },
    "interactions": {
        "interaction_id": upper("interaction_id"), "customer_id": upper("customer_id"), "lead_id": upper("lead_id"),
        "channel": meant("channel", {"call": "call", "e-mail": "email", "whatsapp": "whatsapp", "meeting": "meeting"}, "other"),
        "direction": c("direction").str.strip_chars().str.to_lowercase(), "occurred_at": timestamp_of("occurred_at"),
        "duration_minutes": text("duration_minutes").cast(pl.Int64, strict=False),
        "outcome": meant("outcome", {"positive": "positive", "neutral": "neutral", "negative": "negative", "no answer": "no_answer", "meeting booked": "meeting_booked"}),
        "notes": text("notes"),
    },
}  # fmt: skip
NEEDED = {"products": (), "customers": (), "leads": ("status", "created_at"), "interactions": ("occurred_at", "channel", "outcome")}  # fmt: skip


def reason(name: str, out: Path) -> pl.Expr:
    """Why a row is refused; null when it is not."""
    key = KEYS[name]
    found = pl.when(c(key).is_null()).then(pl.lit(f"{key}: is missing"))
    if name in ("leads", "interactions"):
        known = pl.scan_parquet(out / "silver_customers_clean.parquet").select("customer_id").collect().to_series()
        found = found.when(c("customer_id").is_null()).then(pl.lit("customer_id: is missing"))
        found = found.when(~c("customer_id").is_in(known.implode())).then(
            pl.lit("customer_id: is not a known customer")
        )
    for column in NEEDED[name]:
        found = found.when(c(column).is_null()).then(pl.lit(f"{column}: cannot be read"))
    return found


def silver(exports: Path, out: Path, name: str) -> dict[str, int | str]:
    key, values = KEYS[name], list(STAGED[name])
    raw = pl.scan_csv(
        exports / f"{name}.csv",
        infer_schema=False,
        empty_string_is_null=False,
        row_index_name="line",
        row_index_offset=2,
    )
    raw.sink_parquet(out / f"bronze_{name}.parquet")
    staged = pl.scan_parquet(out / f"bronze_{name}.parquet").select(
        *(value.alias(column) for column, value in STAGED[name].items()), c("line").cast(pl.Int64)
    )
    staged.with_columns(reason(name, out).alias("reason")).sink_parquet(out / f"staged_{name}.parquet")
    staged = pl.scan_parquet(out / f"staged_{name}.parquet")
    valid = staged.filter(c("reason").is_null()).drop("reason")
    repeated = valid.group_by(key).len().filter(c("len") > 1).select(key).collect(engine="streaming").lazy()
    newest = [c("updated_at"), c("line")] if name in VERSIONED else [c("line")]
    judged = (
        valid.join(repeated, on=key, how="semi")
        .with_columns(c("line").rank("ordinal").over(values).alias("n"))
        .with_columns(pl.struct(c("n") > 1, *(-column.cast(pl.Int64) for column in newest)).rank("ordinal").over(key).alias("rank"))
        .collect()
    )  # fmt: skip
    kept = judged.lazy().filter(c("n") == 1)
    account = pl.when(c("rank") == 1).then(pl.lit("accepted")).otherwise(pl.lit("superseded")).alias("account")
    unchanged = valid.join(repeated, on=key, how="anti").with_columns(pl.lit("accepted").alias("account"))
    history = pl.concat([unchanged, kept.with_columns(account).select(*values, "line", "account")])
    history.with_columns(pl.struct(values).hash().alias("version")).sink_parquet(out / f"silver_{name}_history.parquet")
    current = pl.scan_parquet(out / f"silver_{name}_history.parquet").filter(c("account") == "accepted")
    current.select(*values, "line").sink_parquet(out / f"silver_{name}_clean.parquet")
    staged.filter(c("reason").is_not_null()).sink_parquet(out / f"quarantine_{name}.parquet")
    counts = staged.select(pl.len().alias("rows_read"), c("reason").is_not_null().sum().alias("quarantined")).collect()
    (out / f"staged_{name}.parquet").unlink()
    return {
        "entity": name, "rows_read": counts["rows_read"][0], "quarantined": counts["quarantined"][0],
        "duplicate": judged.filter(c("n") > 1).height, "superseded": judged.filter((c("n") == 1) & (c("rank") > 1)).height,
    }  # fmt: skip


def weight(name: str, weights: dict[str, float], default: float) -> pl.Expr:
    return c(name).replace_strict(weights, default=default, return_dtype=pl.Float64)


def rounded(value: pl.Expr) -> pl.Expr:
    return (value * 1e6 + 0.5).floor() / 1e6


def gold(out: Path) -> None:
    customers, leads, touches = (pl.scan_parquet(out / f"silver_{name}_clean.parquet") for name in ("customers", "leads", "interactions"))  # fmt: skip
    ends = [touches.select(c("occurred_at").max()), leads.select(pl.max_horizontal(c("created_at").max(), c("updated_at").max(), c("closed_at").max()))]  # fmt: skip
    day = max(frame.collect().item() for frame in ends).date()

    def age(name: str) -> pl.Expr:
        return (pl.lit(day) - c(name).dt.date()).dt.total_days()

    won, closed = c("status") == "won", (c("closed_at").dt.date() - c("created_at").dt.date()).dt.total_days()
    good = c("outcome").is_in(["positive", "meeting_booked"])
    pulls = [
        pl.when(((mine := c("channel") == name)).sum() > 0).then(
            (((mine & good).sum() + 1) / (mine.sum() + 2) * 1e6).round().cast(pl.Int64) * 10**12
            + c("occurred_at").filter(mine).max().dt.epoch("s") * 10 + 9 - place
        ).alias(f"pull_{name}")
        for place, name in enumerate(CHANNELS)
    ]  # fmt: skip
    touched = touches.group_by("customer_id").agg(
        pl.len().alias("interactions"), *((c("channel") == name).sum().alias(name) for name in CHANNELS),
        *((c("outcome") == name).sum().alias(name) for name in OUTCOMES),
        *((c("direction") == name).sum().alias(name) for name in ("inbound", "outbound")),
        c("occurred_at").min().alias("first_interaction_at"), c("occurred_at").max().alias("last_interaction_at"),
        c("duration_minutes").sum().alias("minutes"), c("occurred_at").filter(good).max().alias("last_positive_at"),
        (age("occurred_at") < 30).sum().alias("interactions_30d"), (age("occurred_at") < 90).sum().alias("interactions_90d"),
        (weight("channel", {"call": 1.0, "meeting": 1.0, "whatsapp": 0.8, "email": 0.6}, 0.5)
         * weight("outcome", {"meeting_booked": 1.5, "positive": 1.25, "neutral": 1.0, "no_answer": 0.3}, -0.5)
         * (2.0 ** (-age("occurred_at") / 45.0)) * 1e9).round().cast(pl.Int64).sum().alias("nano"),
        weight("outcome", {"meeting_booked": 1.0, "positive": 0.8, "neutral": 0.4, "no_answer": 0.1}, 0.0).filter(age("occurred_at") <= 60).max().alias("intent"),
        *pulls,
    )  # fmt: skip
    bought = leads.group_by("customer_id").agg(
        pl.len().alias("leads"), *((c("status") == name).sum().alias(f"{name}_leads") for name in ("open", "won", "lost")),
        c("deal_value").sum().alias("total_deal_value"), *(c("deal_value").filter(c("status") == name).sum().alias(f"{name}_value") for name in ("open", "won")),
        c("deal_value").max().alias("largest"), c("created_at").min().alias("first_lead_at"), c("closed_at").filter(won).max().alias("last_won_at"),
        weight("source", {"referral": 1.0, "website": 0.8, "event": 0.8, "linkedin": 0.7, "email": 0.6, "cold_call": 0.4}, 0.5).max().alias("source_weight"),
        closed.filter(won).sum().alias("cycle"), c("email").is_not_null().any().alias("deal_email"), c("phone").is_not_null().any().alias("deal_phone"),
        (age("created_at") >= 90).sum().alias("mature"), ((age("created_at") >= 90) & won & (closed < 90)).sum().alias("converted"),
    )  # fmt: skip
    count, yes = c("employee_count"), pl.lit(False)
    size = pl.when(count > 200).then(1.0).when(count > 50).then(0.8).otherwise(0.5)
    reach = ((c("email").is_not_null() | c("deal_email").fill_null(yes)).cast(pl.Float64) + (c("phone").is_not_null() | c("deal_phone").fill_null(yes)).cast(pl.Float64)) / 2.0  # fmt: skip
    late = pl.max_horizontal(age("last_interaction_at") - 14, pl.lit(0))
    scored = (
        customers.select("customer_id", "customer_name", "industry", "country", "account_manager", "employee_count", "email", "phone")
        .join(bought, on="customer_id", how="left").join(touched, on="customer_id", how="left")
        .with_columns(
            rounded(0.5 * c("source_weight").fill_null(0.5) + 0.3 * size + 0.2 * reach).alias("fit"),
            rounded((c("nano").fill_null(0) / 1e9 / 2).clip(0, 1)).alias("eng"),
            rounded(2.0 ** (-late / 30.0)).fill_null(0.0).alias("rec"), c("intent").fill_null(0.0),
            (9 - pl.max_horizontal(f"pull_{name}" for name in CHANNELS) % 10).replace_strict(dict(enumerate(CHANNELS)), default=None, return_dtype=pl.String).alias("preferred_channel"),
        )
        .with_columns((rounded(30 * c("fit") + 35 * c("eng") + 20 * c("rec") + 15 * c("intent")) + 0.5).floor().cast(pl.Int64).alias("lead_score"))
        .drop([f"pull_{name}" for name in CHANNELS])
        .collect(engine="streaming")
    )  # fmt: skip
    places = scored.group_by("lead_score").agg(c("open_leads").fill_null(0).sum().alias("n")).sort("lead_score", descending=True)  # fmt: skip
    total = places["n"].sum()
    quarter = ((c("n").cum_sum() * 4 - c("n") * 2) // max(total, 1)).clip(0, 3)
    fixed = 3 - pl.sum_horizontal((c("lead_score") >= low).cast(pl.Int64) for low in (40, 60, 80))
    band = (quarter if total >= 200 else fixed).replace_strict(dict(enumerate(("Hot", "Warm", "Cool", "Cold"))), return_dtype=pl.String)  # fmt: skip
    scored = scored.join(places.select("lead_score", band.alias("lead_quality")), on="lead_score")
    p = (scored["converted"].sum() + 0.5) / (scored["mature"].sum() + 1)
    rates = scored.group_by("lead_quality").agg(((c("converted").sum() + 10 * p) / (c("mature").sum() + 10)).alias("probability"))  # fmt: skip
    features = scored.join(rates, on="lead_quality", how="left")
    features = features.with_columns((1 - (1 - c("probability")) ** c("open_leads").fill_null(0)).alias("probability_to_convert"))  # fmt: skip
    features.write_parquet(out / "gold_customer_features.parquet")
    account = features.select("customer_id", "customer_name", "industry", "lead_score", "lead_quality", "probability").lazy()  # fmt: skip
    leads.join(account, on="customer_id", how="left").sink_parquet(out / "gold_deals.parquet")
    best = features.filter(c("won_value") > 0).sort(["won_value", "lead_score", "customer_id"], descending=[True, True, False]).head(50)  # fmt: skip
    best.select("customer_id", "won_value").with_row_index("rank", 1).write_parquet(out / "gold_top_customers.parquet")
    stages(out, day)
    days(out, leads, touches, day)
    channels(out, leads, touches)


def stages(out: Path, day: date) -> None:
    entered = pl.coalesce("updated_at", "created_at").alias("entered_at")
    versions = pl.scan_parquet(out / "silver_leads_history.parquet").filter(c("stage").is_not_null())
    one = versions.group_by("lead_id", entered).agg(c("stage").max()).sort("lead_id", "entered_at")
    same = (c("lead_id") == c("lead_id").shift()) & (c("stage") == c("stage").shift())
    changed = one.filter(~same.fill_null(value=False))
    left = pl.when(c("lead_id") == c("lead_id").shift(-1)).then(c("entered_at").shift(-1)).alias("left_at")
    until = c("left_at").fill_null(pl.lit(datetime.combine(day, time()) + timedelta(days=1)))
    spent = ((until - c("entered_at")).dt.total_microseconds() / 86_400e6).round(3).alias("days_in_stage")
    changed.with_columns(left).with_columns(spent).sink_parquet(out / "gold_stage_history.parquet")


def days(out: Path, leads: pl.LazyFrame, touches: pl.LazyFrame, day: date) -> None:
    value, zero = c("deal_value").fill_null(0), pl.lit(0, MONEY)
    opened = leads.group_by(c("created_at").dt.date().alias("day")).agg(pl.len().alias("new_leads"), value.sum().alias("new_value"))  # fmt: skip
    ended = leads.filter(c("closed_at").is_not_null()).group_by(c("closed_at").dt.date().alias("day")).agg(
        (c("status") == "won").sum().alias("won_leads"), (c("status") == "lost").sum().alias("lost_leads"),
        value.filter(c("status") == "won").sum().alias("revenue"),
    )  # fmt: skip
    touched = touches.group_by(c("occurred_at").dt.date().alias("day")).agg(pl.len().alias("interactions"))
    moved = spells(out, leads)
    first = min(frame.select(c("day").min()).collect().item() for frame in (opened, ended, touched))
    spine = pl.select(pl.date_range(pl.lit(first), pl.lit(day), "1d").alias("day")).lazy()
    for part in (opened, ended, touched, moved):
        spine = spine.join(part, on="day", how="left")
    counts = [c(name).fill_null(0) for name in ("new_leads", "won_leads", "lost_leads", "interactions")]
    filled = spine.sort("day").with_columns(*counts, *(pl.coalesce(c(name), zero) for name in ("new_value", "revenue", "moved")))  # fmt: skip
    closed = c("won_leads").rolling_sum(30, min_samples=1) + c("lost_leads").rolling_sum(30, min_samples=1)
    filled.with_columns(
        c("moved").cum_sum().alias("open_pipeline"), c("revenue").cum_sum().alias("cumulative_revenue"),
        (c("won_leads").rolling_sum(30, min_samples=1) / closed).alias("win_rate_30d"),
    ).collect().write_parquet(out / "gold_sales_summary.parquet")  # fmt: skip


def spells(out: Path, leads: pl.LazyFrame) -> pl.LazyFrame:
    """By how much the open pipeline grows on a day, with the values of that day, which few deals changed while open."""
    history = pl.scan_parquet(out / "silver_leads_history.parquet")
    several = history.filter(c("account") == "superseded").select("lead_id").unique()
    once = leads.join(several, on="lead_id", how="anti").select(c("created_at").alias("since"), c("closed_at").alias("until"), "deal_value")  # fmt: skip
    was_open = c("status") == "open"
    told = was_open | ((c("account") == "accepted") & ~was_open.any().over("lead_id"))
    versions = history.join(several, on="lead_id", how="semi").filter(told)
    versions = versions.drop("closed_at").join(leads.select("lead_id", "closed_at"), on="lead_id")
    same = c("lead_id") == c("lead_id").shift()
    changed = pl.when(c("lead_id") == c("lead_id").shift(-1)).then(c("updated_at").shift(-1))
    each = versions.sort("lead_id", "updated_at", "line").with_columns(
        pl.when(same).then("updated_at").otherwise("created_at").alias("since"),
        pl.min_horizontal(changed, "closed_at").alias("until"),
    )
    each = each.filter(c("closed_at").is_null() | (c("since") < c("closed_at"))).select("since", "until", "deal_value")
    both = pl.concat([once, each])
    signs = [("since", c("deal_value")), ("until", -c("deal_value"))]
    moves = [both.select(c(at).dt.date().alias("day"), value.alias("moved")) for at, value in signs]
    return pl.concat(moves).filter(c("day").is_not_null()).group_by("day").agg(c("moved").sum())


def channels(out: Path, leads: pl.LazyFrame, touches: pl.LazyFrame) -> None:
    won = leads.filter(c("status") == "won").select("lead_id", "customer_id", "closed_at", (c("deal_value").fill_null(0) * 100).cast(pl.Int64).alias("cents"))  # fmt: skip
    near = (c("occurred_at") < c("closed_at")) & (
        (c("closed_at").dt.date() - c("occurred_at").dt.date()).dt.total_days() <= 90
    )
    joined = won.join(touches.select("customer_id", "channel", "occurred_at"), on="customer_id").filter(near)
    counted = joined.group_by("lead_id", "channel").agg(pl.len().cast(pl.Int64).alias("n"), c("cents").first()).collect(engine="streaming")  # fmt: skip
    parts = counted.sort("lead_id", "n", "channel", descending=[False, True, False]).with_columns(
        (c("cents") * c("n") // c("n").sum().over("lead_id")).alias("part"), pl.int_range(pl.len()).over("lead_id").alias("place")
    ).with_columns(c("part") + pl.when(c("place") == 0).then(c("cents") - c("part").sum().over("lead_id")).otherwise(0))  # fmt: skip
    rest = won.collect().join(counted, on="lead_id", how="anti").select(pl.lit("unattributed").alias("channel"), c("cents").alias("part"))  # fmt: skip
    revenue = pl.concat([parts.select("channel", "part"), rest]).group_by("channel").agg((c("part").sum() / 100).alias("attributed_revenue"))  # fmt: skip
    measured = touches.group_by("channel").agg(
        pl.len().alias("interactions"), c("customer_id").n_unique().alias("customers"),
        *((c("outcome") == name).sum().alias(name) for name in OUTCOMES), c("duration_minutes").sum().alias("minutes"),
    ).collect(engine="streaming")  # fmt: skip
    measured.join(revenue, on="channel", how="full", coalesce=True).write_parquet(
        out / "gold_channel_performance.parquet"
    )


def main(exports: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    accounts = [silver(exports, out, name) for name in KEYS]
    gold(out)
    pl.DataFrame(accounts).write_parquet(out / "accounts.parquet")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
