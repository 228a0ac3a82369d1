"""The figures of the dashboard: a split metric as a Vega-Lite chart, in the forms and colours of `medallion.charts`."""

from __future__ import annotations

from typing import Any, Literal

from medallion import charts, metrics
from medallion.charts import marks, theme
from medallion.dashboard.pages import Split

Size = Literal["wide", "normal", "narrow"]
#: Pixels of a whole chart: across the page, in half of it, on a phone.
ACROSS = {"wide": 1130, "normal": 520, "narrow": 318}
_COLOURS: dict[str, dict[str, str]] = {
    "lead_quality": dict(theme.QUALITY),
    "outcome": {name.replace("_", " "): colour for name, colour in theme.OUTCOME.items()},
    "status": dict(theme.STATUS),
}
_AXES = {"currency": "$~s", "percentage": ".0%", "number": "~s"}
_PADDING = 34


def draw(found: Split, size: Size) -> dict[str, Any]:
    """A split as a chart: without title, which the page has, and on whatever ground it stands."""
    part = found.part
    metric = metrics.named(part.metrics[0])
    across, form = ACROSS[size], _AXES[metric.measure.format.type]
    names = marks.distinct([row["label"] for row in found.rows], 16 if size == "narrow" else 30)
    made = [
        {"label": name, "value": row[metric.name], "text": metrics.written(metric.name, row[metric.name])}
        for name, row in zip(names, found.rows, strict=True)
        if row[metric.name] is not None
    ]
    if part.form == "columns":
        chart = marks.columns(
            made, part.title, "", part_axis(part.by), metric.measure.display_name, form=form,
            tilt=-45 if part.by.endswith("month") and len(made) > 6 else 0, width=across - 84, height=200,
        )  # fmt: skip
    else:
        gutter = min(theme.LABEL_LIMIT, max((len(row["label"]) for row in made), default=0) * 6.6) + 10
        chart = marks.bars(
            made, part.title, "", metric.measure.display_name, form=form, colours=_COLOURS.get(part.by),
            width=int(across - gutter - _PADDING),
        )  # fmt: skip
    chart = {key: value for key, value in chart.items() if key != "title"}
    return {**chart, "background": "transparent"}


def part_axis(by: str) -> str:
    """A dimension as an axis names it."""
    return {"hour": "hour of the day, UTC", "weekday": "weekday, UTC"}.get(by, "month")


def svg(found: Split, size: Size, mode: theme.Mode) -> str:
    """The chart as a picture."""
    return charts.svg(_document(found, size, mode))


def vega_lite(found: Split, size: Size, mode: theme.Mode) -> dict[str, Any]:
    """The chart as a document for Vega-Embed."""
    return _document(found, size, mode)


def _document(found: Split, size: Size, mode: theme.Mode) -> dict[str, Any]:
    document = charts.themed(draw(found, size), mode)
    return {**document, "config": {**document["config"], "background": "transparent", "padding": 4}}


def says(found: Split) -> str:
    """The figure in one sentence, for those who do not see it."""
    metric = metrics.named(found.part.metrics[0])
    told = [f"{row['label']} {metrics.written(metric.name, row[metric.name])}" for row in found.rows[:6]]
    more = f" and {len(found.rows) - 6} more" if len(found.rows) > 6 else ""
    return f"{found.part.title}: {', '.join(told)}{more}." if told else f"{found.part.title}: no rows."
