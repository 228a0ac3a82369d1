"""The charts of this product: which figures, in which form, under which words.

Rows are those of `medallion.report.facts` and of the gold tables: metrics under their names, amounts in the
currency that is given beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor

from medallion.charts import marks
from medallion.charts.marks import Chart, Row, distinct
from medallion.charts.theme import AMBER, OUTCOME, QUALITY, STATUS
from medallion.figures import money, percent, ratio, sign

#: Company sizes from small to large.
SIZES = ("1-50", "51-200", "201-1000", "1000+", "unknown")


def spaced(name: object) -> str | None:
    """A code such as `no_answer` in plain words; None stays None.

    >>> spaced("no_answer")
    'no answer'
    """
    return None if name is None else str(name).replace("_", " ")


def _money(amount: float, currency: str) -> str:
    return money(amount, currency, short=True)


def _n(rows: Sequence[Row], field: str, noun: str) -> str:
    return f"n = {sum(int(row[field]) for row in rows):,} {noun}"


def _labelled(rows: Sequence[Row], field: str) -> list[tuple[str, Row]]:
    return list(zip(distinct([spaced(row[field]) for row in rows]), rows, strict=True))


def deal_status(rows: Sequence[Row], currency: str) -> Chart:
    """Deals by status with their value."""
    data = [
        {
            "label": name,
            "value": row["total_leads"],
            "text": f"{row['total_leads']:,} · {_money(row['total_deal_value'], currency)}",
        }
        for name, row in _labelled(rows, "status")
    ]
    return marks.bars(
        data, "Deals by status", f"Deals and their value, {_n(rows, 'total_leads', 'deals')}", "deals", colours=STATUS
    )


def lead_sources(rows: Sequence[Row]) -> Chart:
    """Deals by source, parted by status."""
    return marks.stacks(
        [
            {
                "label": name,
                "parts": {"won": row["won_leads"], "open": row["open_leads"], "lost": row["lost_leads"]},
                "total": f"{row['total_leads']:,}",
            }
            for name, row in _labelled(rows, "source")
        ],
        "Lead sources",
        f"Deals by source and status, {_n(rows, 'total_leads', 'deals')}",
        "deals",
        STATUS,
    )


def channels(rows: Sequence[Row]) -> Chart:
    """Touches by channel, parted by outcome; channels without a touch are left out."""
    used = [row for row in rows if row["interactions"]]
    return marks.stacks(
        [
            {"label": name, "parts": {o: row[o] for o in OUTCOME}, "total": f"{row['interactions']:,}"}
            for name, row in _labelled(used, "channel")
        ],
        "Channels",
        f"Touches by channel and outcome, {_n(used, 'interactions', 'touches')}",
        "touches",
        OUTCOME,
        names={name: str(spaced(name)) for name in OUTCOME},
    )


def outcomes(rows: Sequence[Row]) -> Chart:
    """Touches by outcome, from the best to the worst."""
    whole = sum(row["interactions"] for row in rows)
    if not whole:
        return marks.nothing("Outcomes", "Touches by outcome, n = 0 touches")
    data = [
        {
            "label": spaced(row["outcome"]),
            "value": row["interactions"],
            "text": f"{row['interactions']:,} · {percent(row['interactions'] / whole)}",
        }
        for row in sorted(rows, key=lambda row: list(OUTCOME).index(row["outcome"]))
    ]
    return marks.bars(
        data,
        "Outcomes",
        f"Touches by outcome and share, n = {whole:,} touches",
        "touches",
        colours={str(spaced(name)): colour for name, colour in OUTCOME.items()},
    )


def rates(
    rows: Sequence[Row],
    field: str,
    title: str,
    *,
    rate: str = "win_rate",
    of: str = "closed_leads",
    noun: str = "closed deals",
    overall: float | None = None,
    width: int = marks.WIDTH,
) -> Chart:
    """A rate per category with its 95% interval and n; the dashed line is the rate of all."""
    known = [row for row in rows if row[of] and row[rate] is not None]
    data = [
        {
            "label": name,
            "value": row[rate],
            "low": row[f"{rate}_low"],
            "high": row[f"{rate}_high"],
            "text": f"{percent(row[rate])} of {row[of]:,}",
        }
        for name, row in _labelled(known, field)
    ]
    dashed = "" if overall is None else f"; dashed: all, {percent(overall)}"
    caption = f"Dots with 95% intervals, {_n(known, of, noun)}{dashed}"
    return marks.intervals(
        data, title, caption, str(spaced(rate)), domain=_tenths(data), reference=overall if data else None, width=width
    )


def _tenths(rows: Sequence[Row]) -> tuple[float, float]:
    """Ends of an axis of shares: whole tenths around all intervals."""
    low, high = min((row["low"] for row in rows), default=0), max((row["high"] for row in rows), default=1)
    return max(0, floor(low * 10 - 0.2)) / 10, min(10, ceil(high * 10 + 0.2)) / 10


def score_distribution(rows: Sequence[Row]) -> Chart:
    """Customers by lead score in steps of five, coloured by band."""
    if not rows:
        return marks.nothing("Lead score", "Customers by rule score, n = 0 customers", 2 * marks.WIDTH)
    bands = {name: colour for name, colour in QUALITY.items() if any(row["lead_quality"] == name for row in rows)}
    counts = {(row["low"], row["lead_quality"]): row["customers"] for row in rows}
    data = [
        {
            "label": f"{low}–{low + 4 if low < 95 else 100}",
            "value": counts.get((low, band), 0),
            "text": f"{counts.get((low, band), 0):,} {band}",
            "part": band,
        }
        for low in range(0, 100, 5)
        for band in ([name for name in bands if (low, name) in counts] or list(bands)[:1])
    ]
    return marks.columns(
        data,
        "Lead score",
        f"Customers by rule score, in steps of 5 points, {_n(rows, 'customers', 'customers')}",
        "lead score, 0 to 100",
        "customers",
        colours=bands,
        width=2 * marks.WIDTH,
    )


def quality_bands(rows: Sequence[Row]) -> Chart:
    """Customers by quality band and their share."""
    whole = sum(row["total_customers"] for row in rows) or 1
    order = list(QUALITY)
    ranked = sorted(
        rows, key=lambda row: order.index(row["lead_quality"]) if row["lead_quality"] in order else len(order)
    )
    data = [
        {
            "label": name,
            "value": row["total_customers"],
            "text": f"{row['total_customers']:,} · {percent(row['total_customers'] / whole)}",
        }
        for name, row in _labelled(ranked, "lead_quality")
    ]
    caption = f"Customers by band and share, {_n(rows, 'total_customers', 'customers')}"
    return marks.bars(data, "Quality bands", caption, "customers", colours=QUALITY)


def top_customers(rows: Sequence[Row], revenue: float, currency: str) -> Chart:
    """Customers with most revenue and their share of all of it."""
    names = distinct([row["customer_name"] or row["customer_id"] for row in rows])
    data = [
        {
            "label": name,
            "value": float(row["won_value"]),
            "text": f"{_money(row['won_value'], currency)} · {percent(row['revenue_share'])}",
        }
        for name, row in zip(names, rows, strict=True)
    ]
    caption = f"Revenue in {currency} and share of all {_money(revenue, currency)}, {len(data):,} customers with most"
    return marks.bars(data, "Revenue by customer", caption, f"revenue, {currency}", before=sign(currency))


def revenue_by(rows: Sequence[Row], field: str, title: str, currency: str) -> Chart:
    """Revenue by a category of the account, with the deals won."""
    data = [
        {
            "label": name,
            "value": row["revenue"],
            "text": f"{_money(row['revenue'], currency)} · {row['won_leads']:,} won"
            if row["won_leads"]
            else "none won",
        }
        for name, row in _labelled(rows, field)
    ]
    caption = f"Revenue in {currency} and deals won, {_n(rows, 'won_leads', 'deals won')} of {sum(r['total_leads'] for r in rows):,}"
    return marks.bars(data, title, caption, f"revenue, {currency}", before=sign(currency))


def company_size(rows: Sequence[Row]) -> Chart:
    """Customers by company size with their mean score."""
    order = {name: place for place, name in enumerate(SIZES)}
    ranked = sorted(rows, key=lambda row: order.get(row["size_band"], len(order)))
    data = [
        {
            "label": name,
            "value": row["total_customers"],
            "text": f"{row['total_customers']:,} · mean score {ratio(row['average_lead_score'])}",
        }
        for name, row in _labelled(ranked, "size_band")
    ]
    caption = f"Customers by employees, {_n(rows, 'total_customers', 'customers')}"
    return marks.bars(data, "Company size", caption, "customers", colours=dict.fromkeys(SIZES, AMBER))


def by_size(rows: Sequence[Row]) -> list[Row]:
    """Rows of company sizes from small to large."""
    order = {name: place for place, name in enumerate(SIZES)}
    return sorted(rows, key=lambda row: order.get(row["size_band"], len(order)))


def months(rows: Sequence[Row], currency: str) -> Chart:
    """Revenue by month of closing; the last month may not be over."""
    data = [
        {"label": f"{row['month']:%b %Y}", "value": row["revenue"], "text": _money(row["revenue"], currency)}
        for row in rows
    ]
    if not any(row["value"] for row in data):
        return marks.nothing("Revenue by month", "No revenue with a close date yet", 2 * marks.WIDTH)
    caption = f"Revenue in {currency} by the month of closing, {_n(rows, 'won_leads', 'deals won')}"
    return marks.columns(
        data,
        "Revenue by month",
        caption,
        "month",
        f"revenue, {currency}",
        before=sign(currency),
        tilt=-45,
        width=2 * marks.WIDTH,
    )


def correlations(rows: Sequence[Row], looks: int) -> Chart:
    """Rank correlations with intervals that hold for all pairs looked at together."""
    data = [
        {
            "label": f"{row['a']} – {row['b']}",
            "value": row["rho"],
            "low": row["safe_low"],
            "high": row["safe_high"],
            "text": f"{row['rho']:+.2f}, n = {row['n']:,}",
        }
        for row in rows
    ]
    return marks.intervals(
        data,
        "Strongest rank correlations",
        f"Spearman's rho with 95% intervals corrected for {looks:,} pairs",
        "rho",
        domain=(-1, 1),
        form="+.1f",
        reference=0 if data else None,
    )


def untidy(rows: Sequence[Mapping[str, object]]) -> Chart:
    """Columns by the share of their filled cells that were not written as the contract has them."""
    data = [
        {"label": row["column"], "value": float(row["share"]) * 100, "text": f"{percent(row['share'])} of {row['filled']:,}"}  # type: ignore[arg-type]
        for row in rows
    ]  # fmt: skip
    caption = f"Filled cells rewritten by cleaning, the {len(data)} columns with most"
    return marks.bars(data, "Cells that needed cleaning", caption, "% of filled cells", colours={}, form="~s")
