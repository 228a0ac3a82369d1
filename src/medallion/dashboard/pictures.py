"""The figures of the dashboard: a split metric as a Vega-Lite chart, in the forms and colours of `medallion.charts`."""

from __future__ import annotations

from typing import Any, Literal

from medallion import charts, figures, metrics
from medallion.charts import marks, theme
from medallion.dashboard import writing
from medallion.dashboard.pages import Split, Trend

Size = Literal["wide", "normal", "narrow"]
#: Pixels of a whole chart: across the page, in half of it, on a phone.
ACROSS = {"wide": 1130, "normal": 520, "narrow": 318}
_COLOURS: dict[str, dict[str, str]] = {
    "lead_quality": dict(theme.QUALITY),
    "outcome": {name.replace("_", " "): colour for name, colour in theme.OUTCOME.items()},
    "status": dict(theme.STATUS),
}
_AXES = {"percentage": ".0%", "percent": ".0%"}
_PADDING = 34


def draw(split: Split, size: Size, currency: str) -> dict[str, Any]:
    """A split as a chart, without a title, which the page has, and without a background."""
    part = split.part
    metric = metrics.named(part.metrics[0])
    across, form = ACROSS[size], _AXES.get(metric.measure.format.type, "~s")
    before = figures.sign(currency) if metric.measure.format.type == "currency" else ""
    names = marks.distinct([row["label"] for row in split.rows], 16 if size == "narrow" else 30)
    data = [
        {"label": name, "value": row[metric.name], "text": metrics.written(metric.name, row[metric.name], currency)}
        for name, row in zip(names, split.rows, strict=True)
        if row[metric.name] is not None
    ]
    if part.form == "columns":
        chart = marks.columns(
            data, part.title, "", part_axis(part.by), metric.measure.display_name, form=form, before=before,
            tilt=-45 if part.by.endswith("month") and len(data) > 6 else 0, width=min(across - 84, 90 * len(data) + 60), height=200,
        )  # fmt: skip
    else:
        gutter = min(theme.LABEL_LIMIT, max((len(row["label"]) for row in data), default=0) * 6.6) + 10
        chart = marks.bars(
            data, part.title, "", metric.measure.display_name, form=form, before=before, colours=_COLOURS.get(part.by),
            width=int(across - gutter - _PADDING),
        )  # fmt: skip
    return _untitled(chart)


def part_axis(by: str) -> str:
    """A dimension as an axis names it."""
    return {"hour": "hour of the day, UTC", "weekday": "weekday, UTC"}.get(by, "month")


def trend(figure: Trend, rows: list[dict[str, Any]], size: Size, currency: str) -> dict[str, Any]:
    """A column of the daily summary as a line."""
    data = [
        {
            "day": row["day"].isoformat(),
            "value": None if row["value"] is None else float(row["value"]),
            "text": writing.cell(figure.kind, row["value"], currency),
        }
        for row in rows
    ]
    chart = marks.course(
        data, figure.title, "", figure.title, form=_AXES.get(figure.kind, "~s"),
        before=figures.sign(currency) if figure.kind == "money" else "", width=ACROSS[size] - 84,
    )  # fmt: skip
    return _untitled(chart)


def reliability(rows: list[dict[str, Any]], horizon_days: int, size: Size) -> dict[str, Any]:
    """Forecast against share won, of the active model."""
    side = 240 if size == "narrow" else 400
    return {**_untitled(charts.reliability(rows, horizon_days)), "width": side, "height": side}


def _untitled(chart: dict[str, Any]) -> dict[str, Any]:
    return {**{key: value for key, value in chart.items() if key != "title"}, "background": "transparent"}


def svg(chart: dict[str, Any], mode: theme.Mode) -> str:
    """A chart as a picture."""
    return charts.svg(document(chart, mode))


def document(chart: dict[str, Any], mode: theme.Mode) -> dict[str, Any]:
    """A chart for Vega-Embed, in the colours of `mode`."""
    themed = charts.themed(chart, mode)
    return {**themed, "config": {**themed["config"], "background": "transparent", "padding": 4}}


def says(split: Split, currency: str) -> str:
    """The figure in one sentence, for those who cannot see it."""
    if not split.rows:
        return f"{split.part.title}: no rows."
    metric = metrics.named(split.part.metrics[0])
    values = [f"{row['label']} {metrics.written(metric.name, row[metric.name], currency)}" for row in split.rows[:6]]
    more = f" and {len(split.rows) - 6} more" if len(split.rows) > 6 else ""
    return f"{split.part.title}: {', '.join(values)}{more}."
