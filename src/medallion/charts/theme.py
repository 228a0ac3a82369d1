"""Colours and the look of all charts, light and dark.

The hues are those of Okabe and Ito (2008), which colour-blind readers tell apart; what is good or bad differs in blue
and orange, never in green and red. Contrast with the ground is at least 3:1, as WCAG 2.2 asks of graphics, but for
the palest step of a scale, which a label beside it says too.
"""

from __future__ import annotations

from typing import Any, Literal

Mode = Literal["light", "dark"]

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#767676"
SKY, AMBER, GREEN, PURPLE, PALE = "#56B4E9", "#E69F00", "#009E73", "#AA4499", "#B8C0C8"
INK, SOFT, RULE, GROUND = "#1F2933", "#52606D", "#E1E5EA", "#FFFFFF"

#: What replaces a light colour on a dark ground.
DARK = {
    BLUE: "#4DA3DB", ORANGE: "#F58A42", GREY: "#9AA5B1", SKY: "#9BD3F5", AMBER: "#F2C14E", GREEN: "#3CC8A0",
    PURPLE: "#D98BD0", PALE: "#5F6B76", INK: "#EDF0F3", SOFT: "#B3BDC7", RULE: "#333C45", GROUND: "#14181D",
}  # fmt: skip

#: Colours of the values that many charts share.
STATUS = {"won": BLUE, "open": PALE, "lost": ORANGE}
OUTCOME = {"meeting_booked": BLUE, "positive": SKY, "neutral": PALE, "no_answer": GREY, "negative": ORANGE}
QUALITY = {"Hot": ORANGE, "Warm": AMBER, "Cool": SKY, "Cold": BLUE}
#: Series without a meaning of their own, in order.
CATEGORY = (BLUE, ORANGE, SKY, AMBER, GREEN, PURPLE, GREY)

#: Pixels of a label beside an axis; what is longer is cut.
LABEL_LIMIT = 215
#: Arial has the widths of the Liberation Sans that vl-convert brings along: a picture and a page break lines alike.
FONT = "Arial, Helvetica, Liberation Sans, sans-serif"


def config(mode: Mode = "light") -> dict[str, Any]:
    """Vega-Lite's `config` for all charts."""

    def colour(name: str) -> str:
        return name if mode == "light" else DARK[name]

    return {
        "background": colour(GROUND),
        "font": FONT,
        "padding": 12,
        "view": {"stroke": None},
        "title": {
            "anchor": "start", "frame": "group", "fontSize": 15, "fontWeight": 600, "color": colour(INK), "offset": 12,
            "subtitleFontSize": 12, "subtitleColor": colour(SOFT), "subtitlePadding": 4,
        },
        "axis": {
            "domain": False, "ticks": False, "gridColor": colour(RULE), "labelColor": colour(INK),
            "titleColor": colour(SOFT), "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal",
            "labelPadding": 6, "labelLimit": LABEL_LIMIT, "titlePadding": 8, "domainColor": colour(SOFT),
        },
        "legend": {
            "orient": "top", "title": None, "labelColor": colour(INK), "labelFontSize": 12, "symbolType": "square",
            "symbolSize": 110, "offset": 4, "padding": 0, "columnPadding": 14,
        },
        "text": {"color": colour(INK), "fontSize": 12},
        "rule": {"color": colour(SOFT)},
        "concat": {"spacing": 34},
        "range": {"category": [colour(name) for name in CATEGORY]},
    }  # fmt: skip


def themed(chart: dict[str, Any], mode: Mode = "light") -> dict[str, Any]:
    """The chart with the look of `mode`: a whole Vega-Lite document."""
    swapped = chart if mode == "light" else _swapped(chart)
    return {"$schema": "https://vega.github.io/schema/vega-lite/v6.json", **swapped, "config": config(mode)}


def _swapped(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _repainted(value) if key == "values" else _swapped(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_swapped(value) for value in part]
    return DARK.get(part, part) if isinstance(part, str) else part


def _repainted(rows: Any) -> Any:
    """Data of a chart: of its values only `colour` is a colour, whatever a text may look like."""
    return [
        {**row, "colour": DARK.get(row["colour"], row["colour"])} if isinstance(row, dict) and "colour" in row else row
        for row in rows  # of data; those of an axis are its labels
    ]
