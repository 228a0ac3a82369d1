"""The report's look, in the colours of the charts and pages."""

from __future__ import annotations

from typing import Any

NAME = "Medallion"
# the colours of medallion's charts; the hues are those of Okabe and Ito (2008)
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#767676"
SKY, AMBER, GREEN, PURPLE, PALE = "#56B4E9", "#E69F00", "#009E73", "#AA4499", "#B8C0C8"
INK, SOFT, RULE, GROUND = "#1F2933", "#52606D", "#E1E5EA", "#FFFFFF"
CATEGORY = (BLUE, ORANGE, SKY, AMBER, GREEN, PURPLE, GREY)
OUTCOME = {"meeting_booked": BLUE, "positive": SKY, "neutral": PALE, "no_answer": GREY, "negative": ORANGE}
#: Colours of the counts of deals.
COUNTED = {"Deals opened": PALE, "Deals won": BLUE, "Deals lost": ORANGE}
CANVAS, FACE, BOLD = "#F4F6F8", "Segoe UI", "Segoe UI Semibold"


def theme() -> dict[str, Any]:
    """Power BI's report theme."""

    def colour(value: str) -> dict[str, Any]:
        return {"solid": {"color": value}}

    everywhere = {
        "background": [{"show": True, "color": colour(GROUND), "transparency": 0}],
        "border": [{"show": True, "color": colour(RULE), "radius": 6, "width": 1}],
        "title": [{"show": True, "fontColor": colour(INK), "fontSize": 10, "fontFamily": BOLD, "alignment": "left"}],
        "visualHeader": [{"show": True}],
    }
    return {
        "name": NAME,
        "dataColors": list(CATEGORY),
        "background": GROUND,
        "foreground": INK,
        "foregroundNeutralSecondary": SOFT,
        "backgroundLight": CANVAS,
        "backgroundNeutral": RULE,
        "tableAccent": BLUE,
        "good": BLUE,
        "neutral": AMBER,
        "bad": ORANGE,
        "maximum": BLUE,
        "center": SKY,
        "minimum": "#E1EDF5",
        "textClasses": {
            "label": {"fontFace": FACE, "fontSize": 10, "color": INK},
            "title": {"fontFace": BOLD, "fontSize": 11, "color": INK},
            "header": {"fontFace": BOLD, "fontSize": 11, "color": INK},
            "callout": {"fontFace": BOLD, "fontSize": 22, "color": INK},
        },
        "visualStyles": {
            "*": {"*": everywhere},
            "page": {"*": {"background": [{"color": colour(CANVAS), "transparency": 0}]}},
            "textbox": {
                "*": {"background": [{"show": False}], "border": [{"show": False}], "title": [{"show": False}]}
            },
            "card": {"*": {"categoryLabels": [{"show": False}], "labels": [{"fontSize": 20, "labelDisplayUnits": 1}]}},
            "slicer": {"*": {"data": [{"mode": "Dropdown"}], "header": [{"show": False}]}},
        },
    }
