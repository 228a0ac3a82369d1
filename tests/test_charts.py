"""Each chart is valid Vega-Lite, tells what it shows at any number of categories, and keeps its colours apart in the dark."""

from __future__ import annotations

import json
from datetime import date

import altair as alt
import pytest

from medallion import charts
from medallion.charts import marks, sales, theme


def deals(count: int):
    return [
        {
            "status": "won", "source": f"source {n}", "industry": None if n == 1 else f"Industry {n}", "size_band": "1-50",
            "total_leads": 2 * n, "won_leads": n, "open_leads": 0, "lost_leads": n, "closed_leads": 2 * n,
            "total_deal_value": 1000.0 * n, "revenue": 1000.0 * n, "win_rate": 0.5, "win_rate_low": 0.2, "win_rate_high": 0.8,
        }
        for n in range(count, 0, -1)
    ]  # fmt: skip


def touches(count: int):
    names = ("meeting_booked", "positive", "neutral", "no_answer", "negative")
    return [{"channel": f"channel {n}", "interactions": 5, **dict.fromkeys(names, 1)} for n in range(count)]


CHARTS = {
    "status": lambda n: sales.deal_status(deals(min(n, 1)), "USD"),
    "sources": lambda n: sales.lead_sources(deals(n)),
    "channels": lambda n: sales.channels(touches(n)),
    "outcomes": lambda n: sales.outcomes([{"outcome": "positive", "interactions": n}]),
    "rates": lambda n: sales.rates(deals(n), "industry", "Win rate", overall=0.5),
    "revenue": lambda n: sales.revenue_by(deals(n), "industry", "Revenue", "USD"),
    "scores": lambda n: sales.score_distribution([{"low": 80, "lead_quality": "Hot", "customers": n}] if n else []),
    "bands": lambda n: sales.quality_bands([{"lead_quality": "Hot", "total_customers": n}] if n else []),
    "months": lambda n: sales.months([{"month": date(2020 + k // 12, k % 12 + 1, 1), "revenue": k + 1, "won_leads": 1} for k in range(n)], "USD"),
    "correlations": lambda n: sales.correlations([{"a": f"a{k}", "b": "b", "rho": 0.5, "n": 30, "safe_low": -0.1, "safe_high": 0.9} for k in range(n)], n),
    "untidy": lambda n: sales.untidy([{"column": f"leads.c{k}", "share": 0.5, "filled": 10} for k in range(n)]),
}  # fmt: skip


@pytest.mark.parametrize("count", [0, pytest.param(1, marks=pytest.mark.slow), 40])
@pytest.mark.parametrize("name", CHARTS)
def test_any_number_of_categories(name, count):
    chart = charts.themed(CHARTS[name](count))
    alt.Chart.from_dict(chart).to_dict(validate=True)
    drawn = charts.svg(chart)
    assert chart["title"]["text"].split()[0] in drawn
    assert chart["description"]
    if count == 0:
        assert "Nothing to show" in drawn
        return
    labels = {
        row["label"]
        for layer in chart.get("layer", [chart])
        for row in (layer.get("data") or chart["data"])["values"]
        if "label" in row
    }
    missing = [label for label in labels if str(label) not in drawn]
    assert not missing or name in ("months",), missing
    assert "NaN" not in drawn


def test_names_that_look_alike_keep_their_own_bars():
    rows = [
        {"label": name, "value": 1, "text": "1"}
        for name in marks.distinct(["A" * 60 + "x", "A" * 60 + "y", None, "not known"])
    ]
    assert len({row["label"] for row in rows}) == 4


@pytest.mark.parametrize("name", CHARTS)
def test_the_dark_look_has_none_of_the_light_colours(name):
    dark = json.dumps(charts.themed(CHARTS[name](5), "dark"))
    light = {colour for colour in theme.DARK if colour in dark}
    assert not light - set(theme.DARK.values())
    assert charts.themed(CHARTS[name](5), "light") != charts.themed(CHARTS[name](5), "dark")


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_labels_of_an_axis_are_no_data(mode):
    """Whole counts have whole steps, and a name may hold any word."""
    rows = [{"label": f"colour {n}", "value": n, "text": str(n)} for n in range(3)]
    axes = charts.themed(marks.columns(rows, "Customers", "n = 3", "colour", "customers"), mode)["encoding"]
    assert axes["x"]["axis"]["values"] == ["colour 0", "colour 1", "colour 2"]
    assert axes["y"]["axis"]["values"] == [0, 1, 2]


def contrast(one: str, other: str) -> float:
    """As WCAG 2.2 has it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_stand_off_their_ground():
    dark = theme.DARK
    for text in (theme.INK, theme.SOFT):
        assert contrast(text, theme.GROUND) > 4.5
        assert contrast(dark[text], dark[theme.GROUND]) > 4.5
    for mark in (theme.BLUE, theme.ORANGE, theme.GREY, theme.GREEN, theme.PURPLE):
        assert contrast(mark, theme.GROUND) >= 3, mark
        assert contrast(dark[mark], dark[theme.GROUND]) >= 3, mark


def test_png_is_a_picture_twice_as_large():
    import struct

    chart = charts.themed(CHARTS["status"](1))
    large, small = charts.png(chart), charts.png(chart, scale=1)
    width, height = struct.unpack(">II", large[16:24])
    assert large.startswith(b"\x89PNG")
    assert (width, height) == tuple(2 * side for side in struct.unpack(">II", small[16:24]))


def test_the_script_of_pages_is_that_of_the_installed_versions():
    from medallion.charts import render

    assert render.BUNDLE.read_text(encoding="utf-8") == render.bundle(), "run `just vega` and commit what it writes"


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
