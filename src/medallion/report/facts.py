"""Every figure of report and slides: read here, once, from gold and silver; nothing is computed from it elsewhere.

Totals and splits come from the declarations in `medallion.metrics`, so that a figure in a sentence is the figure of
`medallion insights`. Everything is aggregated by DuckDB; what comes back has a row per category, bin or month.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Any

import duckdb
import numpy as np
import sqlglot
from numpy.typing import NDArray

from medallion import figures, metrics
from medallion.lakehouse import contracts_in_use, query
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import proof
from medallion.report import uncertainty
from medallion.report.uncertainty import z

Row = dict[str, Any]

#: Rows of a breakdown as it is shown.
MOST = 40
#: Rows of gold.top_customers that are told.
TOP = 15
#: Customers that correlations are computed from, at most: more would change the third decimal.
SAMPLE = 100_000
#: Customers with both figures known below which a pair is not looked at.
FEWEST = 10
#: Rows from which quantiles are approximate (t-digest).
EXACT = 5_000_000

#: Metrics that the report begins with.
FIGURES = (*metrics.INSIGHTS, "total_leads", "won_leads", "positive_rate")
_COUNTS = {
    "open_leads": "COUNT(CASE WHEN status = 'open' THEN 1 END)",
    "lost_leads": "COUNT(CASE WHEN status = 'lost' THEN 1 END)",
}
_DEAL_METRICS = (
    "total_leads", "won_leads", "total_deal_value", "average_deal_value", "revenue", "open_pipeline",
    "conversion_rate", "win_rate",
)  # fmt: skip

#: Numeric columns that are described: table, column, label, unit, condition.
DESCRIBED = (
    ("gold.deals", "deal_value", "Deal value", "money", "has_value"),
    ("gold.deals", "cycle_days", "Days from opening to close", "days", "cycle_days is not null"),
    ("gold.deals", "age_days", "Age of open deals", "days", "age_days is not null"),
    ("gold.customer_features", "employee_count", "Employees", "people", "true"),
    ("gold.customer_features", "annual_revenue", "Annual revenue of the account", "money", "true"),
    ("gold.customer_features", "won_value", "Revenue per customer", "money", "true"),
    ("silver.interactions_clean", "duration_minutes", "Minutes per touch", "minutes", "true"),
    ("gold.customer_features", "interactions", "Touches per customer", "touches", "true"),
    ("gold.customer_features", "days_since_last_interaction", "Days since the last touch", "days", "true"),
    ("gold.customer_features", "positive_rate", "Positive rate per customer", "share", "true"),
    ("gold.customer_features", "lead_score", "Lead score", "0-100", "true"),
    ("gold.customer_features", "engagement_score", "Engagement score", "0-100", "true"),
)

#: Columns of customers that are correlated, with their labels and what they are made of. Pairs with an ingredient in
#: common go together by construction and are left out.
CORRELATED: Mapping[str, tuple[str, frozenset[str]]] = {
    "employee_count": ("employees", frozenset({"size"})),
    "annual_revenue": ("annual revenue of the account", frozenset({"turnover"})),
    "account_age_days": ("age of the account", frozenset({"age"})),
    "leads": ("deals", frozenset({"deals"})),
    "won_value": ("revenue", frozenset({"deals", "value"})),
    "average_deal_value": ("average deal value", frozenset({"value"})),
    "average_cycle_days": ("average days to a win", frozenset({"cycle"})),
    "interactions": ("touches", frozenset({"touches"})),
    "average_duration_minutes": ("minutes per touch", frozenset({"minutes"})),
    "positive_rate": ("positive rate", frozenset({"touches", "outcomes"})),
    "hours_to_first_touch": ("hours to the first touch", frozenset({"speed", "age"})),
    "days_since_last_interaction": ("days since the last touch", frozenset({"touches", "recency"})),
    "lead_score": ("lead score", frozenset({"size", "touches", "outcomes", "recency", "score"})),
}


@dataclass(frozen=True)
class Facts:
    """What a lakehouse says, as plain values; amounts in `currency`, rates as shares, lists in the order they are shown.

    `by` maps a dimension to one row per value: the name under the dimension, metrics by their names, `open_leads`,
    `lost_leads`, and the ends of the 95% interval of the win rate.
    """

    as_of: date | None
    currency: str
    currencies: str
    figures: Mapping[str, float | int | None]
    by: Mapping[str, Sequence[Row]]
    customers_by: Mapping[str, Sequence[Row]]
    channels: Sequence[Row]
    outcomes: Sequence[Row]
    months: Sequence[Row]
    scores: Sequence[Row]
    described: Sequence[Row]
    correlations: Sequence[Row]
    correlated: int
    pairs: int
    top: Sequence[Row]
    concentration: Row
    attention: Row
    weekdays: Row
    probability: Sequence[Row]

    def written(self, name: str) -> str:
        """A metric's total as text for readers."""
        return metrics.written(name, self.figures[name], self.currency)

    def money(self, amount: float | Decimal | None) -> str:
        """An amount as text for readers."""
        return figures.money(amount, self.currency)


def gather(connection: duckdb.DuckDBPyConnection, lake: Lakehouse) -> Facts:
    """All figures of the gold tables.

    Raises:
        LakehouseError: There is no gold yet, or not all of it.
    """
    for name in ("gold.deals", "gold.customer_features", "gold.channel_performance", "gold.sales_summary", "gold.top_customers"):  # fmt: skip
        lake.delta(name)
    correlations, correlated, pairs = _correlations(connection)
    return Facts(
        as_of=_row(connection, "select max(day) as day from gold.sales_summary")["day"],
        currency=contracts_in_use.currency(lake),
        currencies=proof.note(lake),
        figures={name: metrics.value(connection, name) for name in FIGURES},
        by={name: _deals_by(connection, name) for name in ("status", "source", "stage", "industry", "size_band", "lead_quality")},
        customers_by={name: _customers_by(connection, name) for name in ("lead_quality", "size_band", "industry", "segment", "country")},
        channels=_channels(connection),
        outcomes=_outcomes(connection),
        months=_months(connection),
        scores=_scores(connection),
        described=[_described(connection, *what) for what in DESCRIBED if lake.exists(what[0])],
        correlations=correlations,
        correlated=correlated,
        pairs=pairs,
        top=query.rows(connection, f"select * from gold.top_customers order by rank limit {TOP}"),
        concentration=_concentration(connection),
        attention=_attention(connection),
        weekdays=_weekdays(connection, lake),
        probability=_probability(connection),
    )  # fmt: skip


def _row(connection: duckdb.DuckDBPyConnection, sql: str) -> Row:
    return query.rows(connection, sql)[0]


def split(
    connection: duckdb.DuckDBPyConnection,
    dimension: str,
    names: Sequence[str],
    extra: Mapping[str, str] | None = None,
    order: str = "",
) -> list[Row]:
    """Metrics of one view by a column of its source, in one query.

    Args:
        connection: A connection to the lakehouse.
        dimension: The column.
        names: Metrics, all over the same source.
        extra: Further expressions over it, in Spark SQL.
        order: What to order by, in DuckDB SQL.
    """
    chosen = [metrics.metrics()[name] for name in names]
    view = chosen[0].view
    measures = {name: metric.measure.expr for name, metric in zip(names, chosen, strict=True)} | dict(extra or {})
    columns = ", ".join(f"{expression} AS {name}" for name, expression in measures.items())
    where = f" WHERE {view.filter}" if view.filter else ""
    sql = f"SELECT {dimension}, {columns} FROM {view.source}{where} GROUP BY {dimension}"
    text = sqlglot.transpile(sql, read="spark", write="duckdb")[0]
    rows = query.rows(connection, f"from ({text}) order by {order or dimension}, {dimension} nulls last")
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | date) else metrics.plain(value)


def _deals_by(connection: duckdb.DuckDBPyConnection, dimension: str) -> list[Row]:
    order = {"revenue": "revenue desc, total_leads desc", "count": "total_leads desc"}
    rows = split(
        connection,
        dimension,
        _DEAL_METRICS,
        _COUNTS,
        order["revenue" if dimension in ("industry", "size_band") else "count"],
    )
    for row in rows:
        row["closed_leads"] = row["won_leads"] + row["lost_leads"]
        row["win_rate_low"], row["win_rate_high"] = figures.wilson(row["won_leads"], row["closed_leads"], z())
    return rows


def _customers_by(connection: duckdb.DuckDBPyConnection, dimension: str) -> list[Row]:
    return split(
        connection,
        dimension,
        ("total_customers", "average_lead_score", "hot_lead_share"),
        {"revenue": "COALESCE(SUM(won_value), 0)", "touches": "COALESCE(SUM(interactions), 0)"},
        "total_customers desc",
    )


def _channels(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    rows = query.rows(connection, "from gold.channel_performance order by interactions desc, channel")
    return [{name: _plain(value) for name, value in row.items() if name != "last_interaction_at"} for row in rows]


def _outcomes(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    sums = ", ".join(f"coalesce(sum({name}), 0) as {name}" for name in OUTCOMES)
    row = _row(connection, f"select {sums} from gold.channel_performance")
    return [{"outcome": name, "interactions": int(row[name])} for name in OUTCOMES]


OUTCOMES = ("meeting_booked", "positive", "neutral", "no_answer", "negative")


def _months(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    rows = query.rows(
        connection,
        "select cast(date_trunc('month', day) as date) as month, cast(sum(new_leads) as bigint) as new_leads, "
        "cast(sum(won_leads) as bigint) as won_leads, cast(sum(lost_leads) as bigint) as lost_leads, "
        "sum(revenue) as revenue, cast(sum(interactions) as bigint) as interactions, max(day) as last_day "
        "from gold.sales_summary group by 1 order by 1",
    )
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _scores(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    return query.rows(
        connection,
        "select least(lead_score // 5, 19) * 5 as low, lead_quality, count(*) as customers "
        "from gold.customer_features group by 1, 2 order by 1, 2",
    )


def _described(
    connection: duckdb.DuckDBPyConnection, table: str, column: str, label: str, unit: str, where: str
) -> Row:
    count = _row(connection, f"select count(*) as n, count({column}) as known from {table} where {where}")
    middle = "approx_quantile" if count["known"] > EXACT else "quantile_cont"
    ends = ", ".join(
        f"{middle}(cast({column} as double), {p}) as {name}"
        for p, name in ((0.25, "q1"), (0.5, "median"), (0.75, "q3"))
    )
    summary = _row(
        connection,
        f"select avg({column}) as mean, stddev_samp(cast({column} as double)) as sd, min({column}) as least, "
        f"max({column}) as most, {ends} from {table} where {where}",
    )  # fmt: skip
    return {
        "label": label,
        "unit": unit,
        "n": count["known"],
        "missing": count["n"] - count["known"],
        **{name: None if value is None else float(value) for name, value in summary.items()},
    }


def _correlations(connection: duckdb.DuckDBPyConnection) -> tuple[list[Row], int, int]:
    """Spearman's rho of each pair over the customers with both known, strongest first; with the number of customers and of pairs."""
    names = list(CORRELATED)
    columns = ", ".join(f"cast({name} as double) as {name}" for name in names)
    sampled = connection.execute(
        f"select {columns} from gold.customer_features order by hash(customer_id), customer_id limit {SAMPLE}"
    ).fetchnumpy()
    values: dict[str, NDArray[np.float64]] = {
        name: np.ma.filled(np.ma.asarray(sampled[name], dtype=float), np.nan) for name in names
    }
    pairs: list[Row] = []
    for a, b in combinations(names, 2):
        if CORRELATED[a][1] & CORRELATED[b][1]:
            continue
        known = ~(np.isnan(values[a]) | np.isnan(values[b]))
        if (n := int(known.sum())) < FEWEST:
            continue
        x, y = _ranks(values[a][known]), _ranks(values[b][known])
        if x.std() and y.std():
            rho = float(np.clip(np.corrcoef(x, y)[0, 1], -1, 1))
            pairs.append({"a": CORRELATED[a][0], "b": CORRELATED[b][0], "rho": round(rho, 9), "n": n})
    for row in pairs:
        row["low"], row["high"] = uncertainty.rank_correlation(row["rho"], row["n"])
        row["safe_low"], row["safe_high"] = uncertainty.rank_correlation(row["rho"], row["n"], looks=len(pairs))
    pairs.sort(key=lambda row: (-abs(row["rho"]), row["a"], row["b"]))
    return pairs, len(values[names[0]]), len(pairs)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1, equal values sharing the mean of theirs.

    >>> _ranks(np.array([10.0, 30.0, 10.0, 20.0])).tolist()
    [1.5, 4.0, 1.5, 3.0]
    """
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    shared: NDArray[np.float64] = (last - (count - 1) / 2)[place]
    return shared


def _concentration(connection: duckdb.DuckDBPyConnection) -> Row:
    return _row(
        connection,
        "select count(*) as buyers, coalesce(sum(won_value), 0) as revenue, "
        "coalesce(sum(won_value) filter (place = 1), 0) as first, coalesce(sum(won_value) filter (place <= 3), 0) as three, "
        "coalesce(sum(won_value) filter (place <= ceil(everyone * 0.1)), 0) as tenth, "
        "cast(ceil(max(everyone) * 0.1) as bigint) as tenth_count from (select won_value, count(*) over () as everyone, "
        "row_number() over (order by won_value desc, customer_id) as place from gold.customer_features where won_value > 0)",
    )


_REVERSED = "cast(closed_at as date) < cast(created_at as date)"


def _attention(connection: duckdb.DuckDBPyConnection) -> Row:
    flagged = ", ".join(
        f"count(*) filter ({where}) as {name}, coalesce(sum(deal_value) filter ({where}), 0) as {name}_value"
        for name in ("overdue", "silent", "never_touched")
        if (where := metrics.flag("deals", name))
    )
    return _row(
        connection,
        "select count(*) as open_leads, coalesce(sum(deal_value), 0) as open_value, "
        f"{flagged}, "
        "count(*) filter (not has_value) as without_value, "
        f"(select count(*) from gold.deals where {_REVERSED}) as reversed, "
        f"(select min(lead_id) from gold.deals where {_REVERSED}) as reversed_example from gold.deals where status = 'open'",
    )


def _weekdays(connection: duckdb.DuckDBPyConnection, lake: Lakehouse) -> Row:
    if not lake.exists("silver.interactions_clean"):
        return {"interactions": 0, "weekend": 0, "first": None, "last": None}
    return _row(
        connection,
        "select count(*) as interactions, count(*) filter (isodow(occurred_at) >= 6) as weekend, "
        "cast(min(occurred_at) as date) as first, cast(max(occurred_at) as date) as last "
        "from silver.interactions_clean where occurred_at < coalesce((select max(day) from gold.sales_summary), "
        "date '9999-01-01') + interval 1 day",
    )


def _probability(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """What the probabilities of the open deals rest on, and how many deals each."""
    return query.rows(
        connection,
        "select probability_source, count(*) as customers, sum(open_leads) as deals from gold.customer_features "
        "where open_leads > 0 group by 1 order by 2 desc",
    )


_SUMMED = (
    "total_leads", "won_leads", "lost_leads", "open_leads", "closed_leads", "total_deal_value", "revenue", "open_pipeline",
)  # fmt: skip


def folded(rows: Sequence[Row], field: str, most: int = MOST) -> list[Row]:
    """At most `most` rows of a split of deals: those that would come after are summed up in the last."""
    if len(rows) <= most:
        return list(rows)
    kept, rest = rows[: most - 1], rows[most - 1 :]
    other: Row = {name: sum(row[name] for row in rest) for name in _SUMMED}
    low, high = figures.wilson(other["won_leads"], other["closed_leads"], z())
    return [
        *kept,
        {
            **other,
            field: f"{len(rest):,} others",
            "win_rate": other["won_leads"] / other["closed_leads"] if other["closed_leads"] else None,
            "win_rate_low": low,
            "win_rate_high": high,
        },
    ]
