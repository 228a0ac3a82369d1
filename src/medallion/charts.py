"""Charts, each defined once: from a few aggregated rows to Vega-Lite, and from there to SVG for reports and cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medallion.errors import MedallionError

#: Colours that are told apart by colour-blind readers (Okabe and Ito 2008), on a light ground.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#767676"


def available() -> bool:
    """Whether the extra `charts` is installed."""
    try:
        import altair  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError:
        return False
    return True


def svg(chart: Mapping[str, Any]) -> str:
    """A Vega-Lite chart as SVG, drawn without a browser.

    Raises:
        MedallionError: The extra `charts` is not installed.
    """
    try:
        import vl_convert
    except ImportError as error:
        raise MedallionError(
            f"Charts are not installed: {error}", "Install them with: pip install 'medallion-crm[charts]'"
        ) from error
    return str(vl_convert.vegalite_to_svg(dict(chart)))


def reliability(rows: Sequence[Mapping[str, float]], horizon_days: int) -> dict[str, Any]:
    """Forecast against share won, with 90 % intervals; the line is where both are equal.

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
        subtitle=f"{len(rows)} bins of equal size, n = {count:,} snapshots, 90 % intervals; dashed: forecast = won",
        anchor="start",
    )
    chart = (ideal + bars + dots).properties(width=420, height=420, title=title, background="white")
    document: dict[str, Any] = chart.to_dict(validate=True)
    return document
