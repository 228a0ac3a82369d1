"""The forms that charts are made of: each takes aggregated rows and gives a Vega-Lite document.

A row is a dict with the fields that the form names. Texts come ready to read: the caller formats values, and cuts
long names with `label`. Without rows every form says so in words instead of drawing an empty frame.

All forms take a `title`, a `caption` that says of what and n, `axis` and `side` (name and unit of what runs across and
upwards), `form` (d3 format of the axis), `before` (what comes before its figures, such as the sign of a currency), and
`width` and `height` of the plot in pixels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from medallion.charts.theme import BLUE, GREY, LABEL_LIMIT, SOFT

Row = Mapping[str, Any]
Chart = dict[str, Any]

WIDTH = 430
#: Categories up to which each bar carries its value; beyond that an axis does.
FEW = 15
#: Categories that a chart shows at most; the caller sums up the others.
MOST = 40
_LONGEST = 34
_LETTER = 6.6


def plain_labels(before: str = "") -> str:
    """What Vega makes of d3's labels: no `0k`, billions as people write them, and the sign of a currency before them.

    >>> plain_labels("€")
    'datum.value === 0 ? "0" : "€" + replace(datum.label, "G", "B")'
    """
    return f'datum.value === 0 ? "0" : {json.dumps(before, ensure_ascii=False)} + replace(datum.label, "G", "B")'


def label(text: object, longest: int = _LONGEST) -> str:
    r"""A name as an axis shows it: one line, no control characters, cut to `longest` letters.

    >>> label("  Big\nCorp "), label(None), label("x" * 50, 10)
    ('Big Corp', 'not known', 'xxxxxxxxx…')
    """
    if text is None:
        return "not known"
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)).split())
    return plain if len(plain) <= longest else plain[: longest - 1].rstrip() + "…"


def distinct(texts: Sequence[object], longest: int = _LONGEST) -> list[str]:
    """`label` of each text; labels that look alike get a number, so that an axis keeps them apart.

    >>> distinct(["Acme", "Acme ", None])
    ['Acme', 'Acme (2)', 'not known']
    """
    seen: dict[str, int] = {}
    names = []
    for text in texts:
        name = label(text, longest)
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def bars(
    rows: Sequence[Row],
    title: str,
    caption: str,
    axis: str,
    *,
    form: str = "~s",
    before: str = "",
    colours: Mapping[str, str] | None = None,
    width: int = WIDTH,
) -> Chart:
    """Horizontal bars in the order of the rows.

    A row has `label`, `value` and `text`, the value as it is written at the bar's end. `colours` are by label, blue where
    it has none; `form` is used where the bars carry no text.
    """
    import altair as alt

    if not rows:
        return nothing(title, caption, width)
    few = len(rows) <= FEW
    values = [
        {
            "label": row["label"],
            "value": float(row["value"]),
            "text": row["text"],
            "colour": (colours or {}).get(row["label"], BLUE),
        }
        for row in rows
    ]
    data = alt.InlineData(values=values)
    most = max((row["value"] for row in values), default=0) or 1
    longest = max(len(row["text"]) for row in values) * _LETTER if few else 0
    scale = alt.Scale(
        domain=[0, most * width / max(width - longest - 8, width / 3)] if few else [0, most], nice=not few
    )
    x = alt.X("value:Q", title=axis, scale=scale, axis=_value_axis(few, form, before))
    y = alt.Y("label:N", sort=None, title=None)
    base = alt.Chart(data)
    tips = [alt.Tooltip("label:N", title=" "), alt.Tooltip("text:N", title=axis)]
    drawn = base.mark_bar(cornerRadiusEnd=2).encode(x=x, y=y, color=alt.Color("colour:N", scale=None), tooltip=tips)
    layers = [drawn]
    if few:
        layers.append(base.mark_text(align="left", dx=5).encode(x=x, y=y, text="text:N"))
    return _document(alt.layer(*layers).properties(width=width, height=alt.Step(_step(len(rows)))), title, caption)


def stacks(
    rows: Sequence[Row],
    title: str,
    caption: str,
    axis: str,
    colours: Mapping[str, str],
    *,
    names: Mapping[str, str] | None = None,
    width: int = WIDTH,
) -> Chart:
    """Horizontal bars of parts, in the order of the rows; parts in the order of `colours`, the whole at the end.

    A row has `label`, `total` written as it is to be read, and `parts`, a mapping from part to number. `names` are the
    parts as the legend names them.
    """
    import altair as alt

    if not rows:
        return nothing(title, caption, width)
    named = {part: (names or {}).get(part, part) for part in colours}
    values = [
        {"label": row["label"], "part": named[part], "value": float(row["parts"].get(part) or 0), "place": place}
        for row in rows
        for place, part in enumerate(colours)
    ]
    totals = [{"label": row["label"], "value": float(sum(row["parts"].values())), "text": row["total"]} for row in rows]
    few = len(rows) <= FEW
    most = max(row["value"] for row in totals) or 1
    longest = max(len(row["text"]) for row in totals) * _LETTER if few else 0
    scale = alt.Scale(
        domain=[0, most * width / max(width - longest - 8, width / 3)] if few else [0, most], nice=not few
    )
    x = alt.X("value:Q", title=axis, scale=scale, axis=_value_axis(few, "~s"), stack="zero")
    y = alt.Y("label:N", sort=None, title=None)
    colour = alt.Color("part:N", scale=alt.Scale(domain=list(named.values()), range=list(colours.values())))
    tips = [
        alt.Tooltip("label:N", title=" "),
        alt.Tooltip("part:N", title="Part"),
        alt.Tooltip("value:Q", title=axis, format=","),
    ]
    drawn = (
        alt.Chart(alt.InlineData(values=values))
        .mark_bar()
        .encode(x=x, y=y, color=colour, order=alt.Order("place:Q"), tooltip=tips)
    )
    layers = [drawn]
    if few:
        end = alt.X("value:Q", title=axis, scale=scale, axis=_value_axis(few, "~s"), stack=None)
        written = alt.Chart(alt.InlineData(values=totals)).mark_text(align="left", dx=5)
        layers.append(written.encode(x=end, y=y, text="text:N"))
    return _document(alt.layer(*layers).properties(width=width, height=alt.Step(_step(len(rows)))), title, caption)


def intervals(
    rows: Sequence[Row],
    title: str,
    caption: str,
    axis: str,
    *,
    domain: tuple[float, float] = (0.0, 1.0),
    form: str = ".0%",
    reference: float | None = None,
    width: int = WIDTH,
) -> Chart:
    """A dot per row with its interval as a line, and a dashed line at a value to compare with.

    A row has `label`, `value`, `low`, `high`, and `text` written at the right; the caption says what the lines are.
    `domain` is the ends of the axis, `reference` the place of the dashed line.
    """
    import altair as alt

    if not rows:
        return nothing(title, caption, width)
    data = alt.InlineData(
        values=[
            {
                "label": row["label"],
                "text": row["text"],
                **{k: float(row[k]) for k in ("value", "low", "high")},
            }
            for row in rows
        ]
    )
    scale = alt.Scale(domain=list(domain), nice=False, padding=8)
    y = alt.Y("label:N", sort=None, title=None)
    value_axis = alt.Axis(format=form, grid=True, tickCount=5, titleAnchor="start")
    base = alt.Chart(data)
    tips = [
        alt.Tooltip("label:N", title=" "),
        alt.Tooltip("value:Q", title=axis, format=".3~f" if form != ".0%" else ".1%"),
        alt.Tooltip("text:N", title="n"),
    ]
    lines = base.mark_rule(color=BLUE, strokeWidth=3, opacity=0.45).encode(
        x=alt.X("low:Q", title=axis, scale=scale, axis=value_axis), x2="high:Q", y=y, tooltip=tips
    )
    dots = base.mark_point(color=BLUE, filled=True, size=90, opacity=1).encode(
        x=alt.X("value:Q", title=axis, scale=scale, axis=value_axis), y=y, tooltip=tips
    )
    written = base.mark_text(align="left", dx=8, color=SOFT).encode(x=alt.value(width), y=y, text="text:N")
    layers = [lines, dots, written]
    if reference is not None:
        at = alt.Chart(alt.InlineData(values=[{"at": float(reference)}])).mark_rule(color=GREY, strokeDash=[5, 4])
        layers.insert(0, at.encode(x=alt.X("at:Q", scale=scale, title=axis)))
    return _document(alt.layer(*layers).properties(width=width, height=alt.Step(_step(len(rows)))), title, caption)


def columns(
    rows: Sequence[Row],
    title: str,
    caption: str,
    axis: str,
    side: str,
    *,
    colours: Mapping[str, str] | None = None,
    form: str = "~s",
    before: str = "",
    tilt: int = 0,
    width: int = WIDTH,
    height: int = 220,
) -> Chart:
    """Upright columns in the order of the rows: a distribution, or a course of time.

    A row has `label`, `value`, `text` for the tooltip and, with `colours` (by part, in the order of the legend), `part`.
    `tilt` is the degrees by which the labels are turned.
    """
    import altair as alt

    if not rows:
        return nothing(title, caption, width)
    data = alt.InlineData(
        values=[
            {"label": row["label"], "value": float(row["value"]), "text": row["text"], "part": row.get("part", "")}
            for row in rows
        ]
    )
    labels = list(dict.fromkeys(row["label"] for row in rows))
    letters = max(map(len, labels)) * (_LETTER - 0.4)
    every = ceil((16 if tilt else letters) / (width / len(labels)))
    x = alt.X(
        "label:N",
        sort=None,
        title=axis,
        axis=alt.Axis(labelAngle=tilt, values=labels[::every], labelOverlap=False, labelFontSize=11, grid=False),
        scale=alt.Scale(paddingInner=0.12, paddingOuter=0.06),
    )
    most = max(float(row["value"]) for row in rows)
    few = most < 5 and all(float(row["value"]).is_integer() for row in rows)  # there is no half a customer
    at = list(range(int(most) + 1)) if few else alt.Undefined
    y = alt.Y("value:Q", title=side, axis=alt.Axis(format=form, labelExpr=plain_labels(before), tickCount=4, values=at))
    tips = [alt.Tooltip("label:N", title=axis), alt.Tooltip("text:N", title=side)]
    encoded: dict[str, Any] = {"x": x, "y": y, "tooltip": tips}
    if colours:
        scale = alt.Scale(domain=list(colours), range=list(colours.values()))
        encoded["color"] = alt.Color("part:N", scale=scale)
    bar = alt.Chart(data).mark_bar(color=BLUE, cornerRadiusEnd=2).encode(**encoded)
    return _document(bar.properties(width=width, height=height), title, caption)


def course(
    rows: Sequence[Row],
    title: str,
    caption: str,
    side: str,
    *,
    form: str = "~s",
    before: str = "",
    width: int = WIDTH,
    height: int = 200,
) -> Chart:
    """A line over days, with the ground under it filled; where it is drawn live, wheel and drag move along the days.

    A row has `day` as ISO text, `value` and `text` for the tooltip, in the order of the days; None leaves a gap.
    """
    import altair as alt

    if not any(row["value"] is not None for row in rows):
        return nothing(title, caption, width)
    values = [
        {"day": row["day"], "value": None if row["value"] is None else float(row["value"]), "text": row["text"]}
        for row in rows
    ]
    zoom = alt.selection_interval(bind="scales", encodings=["x"], name="zoom")
    base = alt.Chart(alt.InlineData(values=values)).encode(
        x=alt.X("day:T", title=None, axis=alt.Axis(grid=False, labelOverlap=True, tickCount=max(3, width // 90))),
        y=alt.Y("value:Q", title=side, axis=alt.Axis(format=form, labelExpr=plain_labels(before), tickCount=4)),
        tooltip=[alt.Tooltip("day:T", title="day", format="%Y-%m-%d"), alt.Tooltip("text:N", title=side)],
    )
    drawn = base.mark_area(color=BLUE, opacity=0.12) + base.mark_line(color=BLUE, strokeWidth=2, tooltip=True)
    return _document(drawn.add_params(zoom).properties(width=width, height=height), title, caption)


def nothing(title: str, caption: str, width: int = WIDTH) -> Chart:
    """The chart's place with the words that there is nothing to show."""
    import altair as alt

    text = alt.Chart(alt.InlineData(values=[{"text": "Nothing to show: no rows."}]))
    drawn = text.mark_text(fontSize=13, color=SOFT).encode(text="text:N", x=alt.value(width / 2), y=alt.value(30))
    return _document(drawn.properties(width=width, height=60), title, caption)


def panels(rows: Sequence[Sequence[Chart]], title: str, caption: str) -> Chart:
    """Charts side by side, row by row, under one title; each keeps its own scales.

    Plots of a column start at the same place, titles of a row stand at the same height, and a chart that has a row to
    itself is as wide as the others together.
    """
    columns = max(len(row) for row in rows)
    gutters = [max(_gutter(row[place]) for row in rows if place < len(row)) for place in range(columns)]
    across = columns * WIDTH + sum(gutters[1:]) + _APART_BY * (columns - 1)
    drawn = []
    for row in rows:
        legends = any(_has_legend(chart) for chart in row)
        alone = len(row) == 1 < columns
        drawn.append(
            [
                _placed(chart, gutter, across if alone else None, _LEGEND if legends and not _has_legend(chart) else 0)
                for chart, gutter in zip(row, gutters, strict=False)
            ]
        )
    return {
        "title": {
            "text": title, "subtitle": caption, "fontSize": 21, "subtitleFontSize": 13, "offset": 24, "frame": "bounds",
        },
        "vconcat": [{"hconcat": row, "spacing": _APART_BY, "resolve": _APART} for row in drawn],
        "spacing": 40,
        "resolve": _APART,
    }  # fmt: skip


_APART_BY = 44
_LEGEND = 17


def _layers(chart: Chart) -> list[dict[str, Any]]:
    return list(chart.get("layer", [chart]))


def _has_legend(chart: Chart) -> bool:
    return any("part" in str(layer.get("encoding", {}).get("color", {}).get("field")) for layer in _layers(chart))


def _gutter(chart: Chart) -> float:
    """Pixels that the labels to the left of a plot take."""
    longest = 4
    for layer in _layers(chart):
        if layer.get("encoding", {}).get("y", {}).get("field") == "label":
            longest = max(
                [
                    longest,
                    *(len(row["label"]) for row in (layer.get("data") or chart["data"])["values"] if "label" in row),
                ]
            )
    return min(LABEL_LIMIT, longest * _LETTER) + 8


def _placed(chart: Chart, gutter: float, width: float | None, lower: int) -> Chart:
    placed: Chart = json.loads(json.dumps(chart))
    for layer in _layers(placed):
        side = layer.get("encoding", {}).get("y", {})
        if "field" in side:
            side["axis"] = {**(side.get("axis") or {}), "minExtent": gutter, "maxExtent": gutter}
    placed["title"]["offset"] = 12 + lower
    if width:
        placed["width"] = width
    return placed


_APART = {"scale": {"color": "independent", "x": "independent", "y": "independent"}, "legend": {"color": "independent"}}


def _step(count: int) -> int:
    return 28 if count <= 8 else 22 if count <= FEW else 16


def _value_axis(few: bool, form: str, before: str = "") -> Any:
    import altair as alt

    return alt.Axis(
        labels=not few,
        grid=not few,
        format=form,
        labelExpr=plain_labels(before),
        tickCount=5,
        orient="bottom",
        titleAnchor="start",
    )


def _document(chart: Any, title: str, caption: str) -> Chart:
    import altair as alt

    drawn = chart.properties(title=alt.Title(title, subtitle=caption), description=f"{title}. {caption}")
    with alt.data_transformers.enable(consolidate_datasets=False):
        document: Chart = drawn.to_dict(validate=False)
    return {key: value for key, value in document.items() if key not in ("config", "$schema")}
