"""The reliability picture of a model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medallion.charts.theme import BLUE, GREY


def reliability(rows: Sequence[Mapping[str, float]], horizon_days: int) -> dict[str, Any]:
    """Forecast against share won, with 90% intervals; the line is where both are equal.

    Args:
        rows: Bins with `forecast`, `won_share`, `low`, `high` and `snapshots`, as `scoring.evaluation.reliability` gives.
        horizon_days: Horizon of the forecast.
    """
    import altair as alt

    top = min(1.0, max(0.1, *(max(row["forecast"], row["high"]) for row in rows)) * 1.05)
    scale = alt.Scale(domain=[0, round(top, 2)], nice=False)
    x = alt.X("forecast:Q", title="Mean forecast", axis=alt.Axis(format=".0%"), scale=scale)
    y_title = f"Won within {horizon_days} days"
    base = alt.Chart(alt.InlineData(values=[dict(row) for row in rows]))
    line = alt.Chart(alt.InlineData(values=[{"x": 0.0, "y": 0.0}, {"x": float(top), "y": float(top)}])).mark_line(
        color=GREY, strokeDash=[5, 4]
    )
    ideal = line.encode(x=alt.X("x:Q", scale=scale, title="Mean forecast"), y=alt.Y("y:Q", scale=scale, title=y_title))
    bars = base.mark_rule(color=BLUE, strokeWidth=2).encode(
        x=x, y=alt.Y("low:Q", title=y_title, axis=alt.Axis(format=".0%"), scale=scale), y2="high:Q"
    )
    dots = base.mark_point(color=BLUE, filled=True, size=55, opacity=1).encode(
        x=x, y=alt.Y("won_share:Q", title=y_title, axis=alt.Axis(format=".0%"), scale=scale)
    )
    count = sum(int(row["snapshots"]) for row in rows)
    title = alt.Title(
        "Forecast and share won on later deals",
        subtitle=f"{len(rows)} bins of equal size, n = {count:,} snapshots, 90% intervals; dashed: forecast = won",
        anchor="start",
    )
    chart = (ideal + bars + dots).properties(width=420, height=420, title=title, background="white")
    document: dict[str, Any] = chart.to_dict(validate=True)
    return document
