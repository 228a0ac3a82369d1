"""The report's look, in the colours of the charts and pages."""

from __future__ import annotations

from typing import Any

from medallion.charts.theme import AMBER, BLUE, CATEGORY, GROUND, INK, ORANGE, PALE, RULE, SKY, SOFT

NAME = "Medallion"
#: Colours of the counts of deals.
COUNTED = {"Deals": PALE, "Deals won": BLUE, "Deals lost": ORANGE}
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
