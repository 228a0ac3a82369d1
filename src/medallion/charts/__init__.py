"""Charts, each defined once in Altair: Vega-Lite for pages, SVG and PNG for reports, cards and slides.

`marks` has the forms (bars, stacks, intervals, columns over time), `sales` the charts of this product made of them,
`theme` their colours, `render` the way out. A chart is a Vega-Lite document as a dict, in light colours and without a
theme; `theme.themed` gives it one.
"""

from __future__ import annotations

from medallion.charts.calibration import reliability
from medallion.charts.render import available, javascript, png, svg
from medallion.charts.theme import BLUE, GREY, ORANGE, themed

__all__ = ["BLUE", "GREY", "ORANGE", "available", "javascript", "png", "reliability", "svg", "themed"]
