"""Pages as pictures, drawn from the same specification with figures from evaluated DAX.

Power BI draws them itself; these show what stands where, and with which figures, to whom has no Power BI at hand.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from medallion import figures
from medallion.errors import MedallionError
from medallion.powerbi.evaluate import Evaluator
from medallion.powerbi.evaluate import Field as Place
from medallion.powerbi.model import Model
from medallion.powerbi.pages import HEIGHT, WIDTH, Box, Field, Page, Visual, pages
from medallion.powerbi.rows import Rows
from medallion.powerbi.theme import CANVAS, CATEGORY, GROUND, INK, RULE, SOFT

#: Rows of the model up to which pages are drawn: each figure is evaluated by itself.
MOST = 20_000
_FACE = "Arial, Liberation Sans, sans-serif"
_MARGIN = 12


def draw(model: Model, rows: Rows, folder: Path) -> list[Path]:
    """Each page as an SVG.

    Raises:
        MedallionError: There are too many rows.
    """
    if rows.count > MOST:
        raise MedallionError(
            f"{rows.count:,} rows: pages are drawn of at most {MOST:,}", "Leave --pictures away and open the report."
        )
    folder.mkdir(parents=True, exist_ok=True)
    evaluator, made = Evaluator(model, rows), []
    for page in pages():
        made.append(folder / f"{page.name}.svg")
        made[-1].write_text(svg(page, evaluator) + "\n", encoding="utf-8")
    return made


def svg(page: Page, evaluator: Evaluator) -> str:
    """A page as SVG."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="{_FACE}"><rect width="{WIDTH}" height="{HEIGHT}" fill="{CANVAS}"/>'
    ]
    for visual in page.visuals:
        parts += _visual(visual, evaluator)
    return "\n".join([*parts, "</svg>"])


def _visual(visual: Visual, evaluator: Evaluator) -> list[str]:
    box = visual.box
    if visual.kind == "textbox":
        return [
            _text(box.x, box.y + 26, visual.title, 24, bold=True),
            _text(box.x, box.y + 50, visual.text, 13, SOFT, width=box.width),
        ]
    frame = [
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="6" fill="{GROUND}" stroke="{RULE}"/>'
    ]
    frame.append(_text(box.x + _MARGIN, box.y + 20, visual.title, 13, bold=True, width=box.width - 2 * _MARGIN))
    inner = Box(box.x + _MARGIN, box.y + 32, box.width - 2 * _MARGIN, box.height - 32 - _MARGIN)
    if visual.kind == "slicer":
        return [
            *frame,
            f'<rect x="{inner.x}" y="{box.y + 30}" width="{inner.width}" height="24" fill="{GROUND}" stroke="{RULE}"/>',
            _text(inner.x + 8, box.y + 46, "All", 12, SOFT),
        ]
    if visual.kind == "card":
        (measure,) = visual.fields["Values"]
        told = evaluator.values([str(measure)], _where(visual))[str(measure)]
        return [*frame, _text(inner.x, box.y + 62, written(evaluator.model, measure, told), 26, bold=True)]
    if visual.kind == "tableEx":
        return [*frame, *_table(visual, inner, evaluator)]
    if visual.kind == "scatterChart":
        return [*frame, *_scatter(visual, inner, evaluator)]
    if visual.kind == "clusteredBarChart":
        return [*frame, *_bars(visual, inner, evaluator)]
    return [*frame, *_columns(visual, inner, evaluator)]


def _where(visual: Visual) -> dict[Place, list[Any]]:
    return {visual.where[0]: list(visual.where[1])} if visual.where else {}


def _column(field: Field) -> Place:
    if isinstance(field, str):
        raise TypeError(f"{field} is a measure where a column belongs")
    return field


def _series(visual: Visual, evaluator: Evaluator) -> tuple[list[tuple[Any, list[Any]]], list[str]]:
    """Categories with the value of each series, and the names of the series."""
    category = _column(visual.fields["Category"][0])
    measures = [str(one) for one in (*visual.fields["Y"], *visual.fields.get("Y2", ()))]
    split = [_column(one) for one in visual.fields.get("Series", ())]
    found = []
    for value in evaluator.distinct(category):
        here: dict[Place, list[Any]] = {**_where(visual), category: [value]}
        if split:
            legend = evaluator.distinct(split[0])
            told = [
                evaluator.values(measures, {**here, split[0]: [one]}, by=[category, split[0]])[measures[0]]
                for one in legend
            ]
        else:
            told = list(evaluator.values(measures, here, by=[category]).values())
        if any(one is not None for one in told):
            found.append((value, told))
    if visual.sort:
        at = measures.index(str(visual.sort))
        found.sort(key=lambda row: -(row[1][at] or 0))
    names = [_label(one) for one in evaluator.distinct(split[0])] if split else measures
    return found, names


def _bars(visual: Visual, box: Box, evaluator: Evaluator) -> list[str]:
    rows, names = _series(visual, evaluator)
    colours = _colours(visual, names)
    parts, top = _legend(names, colours, box)
    most = max((value or 0 for _, told in rows for value in told), default=0) or 1
    label, figure = min(130, box.width * 0.38), 74
    step = (box.y + box.height - top) / max(len(rows), 1)
    thick = min(22.0, step * 0.76) / len(names)
    for place, (category, told) in enumerate(rows):
        y = top + place * step + (step - thick * len(names)) / 2
        parts.append(_text(box.x, y + thick * len(names) / 2 + 4, _label(category), 11.5, width=label - 8))
        for n, value in enumerate(told):
            if value is None:
                continue
            long = max(0.0, (box.width - label - figure) * float(value) / most)
            parts.append(_rect(box.x + label, y + n * thick, long, thick - 1, colours[n]))
            shown = written(evaluator.model, names[n], value)
            parts.append(_text(box.x + label + long + 5, y + n * thick + thick / 2 + 4, shown, min(11.5, thick + 3)))
    return parts


def _columns(visual: Visual, box: Box, evaluator: Evaluator) -> list[str]:
    rows, names = _series(visual, evaluator)
    stacked, line = visual.kind == "columnChart", len(visual.fields.get("Y2", ())) or visual.kind == "lineChart"
    bars, colours = len(names) - line, _colours(visual, names)
    parts, top = _legend(names, colours, box)
    top += 14
    heights = [[value or 0 for value in told[:bars]] for _, told in rows]
    most: float = float(max((sum(one) if stacked else max(one, default=0) for one in heights), default=0) or 1)
    # a share is drawn up to 1, a sum up to its largest
    highest = 1.0 if bars else max((float(told[-1] or 0) for _, told in rows), default=0.0) or 1.0
    step = box.width / max(len(rows), 1)
    wide = min(64.0, step * 0.7) / (1 if stacked or not bars else bars)
    bottom = box.y + box.height - 18
    room = bottom - top
    points = []
    for place, (category, told) in enumerate(rows):
        left = box.x + place * step + (step - wide * (1 if stacked else bars)) / 2
        if len(rows) <= 8 or place % (len(rows) // 8 + 1) == 0:
            parts.append(_text(box.x + (place + 0.5) * step, bottom + 14, _label(category), 11, SOFT, middle=True))
        base: float = bottom
        for n, value in enumerate(told[:bars]):
            tall = room * float(value or 0) / most
            x = left if stacked else left + n * wide
            parts.append(_rect(x, base - tall, wide - 1, tall, colours[n]))
            base -= tall if stacked else 0
            if bars == 1 and value is not None and step >= 26 and not line:
                shown = written(evaluator.model, names[n], value)
                if step < 44 and shown.endswith("%"):
                    shown = figures.percent(value, 0)
                parts.append(_text(x + wide / 2, bottom - tall - 4, shown, 11, middle=True))
        if line and told[-1] is not None:
            points.append((box.x + (place + 0.5) * step, bottom - room * float(told[-1]) / highest))
    if points:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colours[bars]}" stroke-width="2.5"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colours[bars]}"/>' for x, y in points]
        if not bars:
            shown = written(evaluator.model, names[-1], rows[-1][1][-1])
            parts.append(_text(points[-1][0] + 20, points[-1][1] - 8, shown, 11.5, end=True))
    return parts


def _scatter(visual: Visual, box: Box, evaluator: Evaluator) -> list[str]:
    category, across, up = _column(visual.fields["Category"][0]), str(visual.fields["X"][0]), str(visual.fields["Y"][0])
    points = []
    for value in evaluator.distinct(category):
        told = evaluator.values([across, up], {category: [value]}, by=[category])
        if None not in told.values():
            points.append((float(told[across]), float(told[up])))
    widest, highest = (max((one[n] for one in points), default=0) or 1 for n in (0, 1))
    bottom, left = box.y + box.height - 20, box.x + 10
    parts = [
        _rect(left, bottom, box.width - 20, 1, SOFT),
        _text(left + (box.width - 20) / 2, bottom + 16, f"{across} (0 to {widest:,.0f})", 11, SOFT, middle=True),
        _text(left, box.y + 8, f"{up} (0 to {written(evaluator.model, up, highest)})", 11, SOFT),
    ]
    for x, y in points:
        at = left + (box.width - 40) * x / widest
        parts.append(
            f'<circle cx="{at:.1f}" cy="{bottom - (bottom - box.y - 24) * y / highest:.1f}" r="5" '
            f'fill="{CATEGORY[0]}" fill-opacity=".7"/>'
        )
    return parts


def _table(visual: Visual, box: Box, evaluator: Evaluator) -> list[str]:
    fields = visual.fields["Values"]
    rows = _rows(visual, fields, evaluator)
    fits = int((box.height - 22) // 18)
    shown = [
        [written(evaluator.model, one, cell) for one, cell in zip(fields, row, strict=True)] for row in rows[:fits]
    ]
    heads = [one if isinstance(one, str) else one[1] for one in fields]
    needs = [max(len(head), *(len(row[n]) for row in shown), 5) for n, head in enumerate(heads)]
    edges = [0.0, *itertools.accumulate(box.width * need / sum(needs) for need in needs)]
    parts = [_rect(box.x, box.y + 16, box.width, 1, SOFT)]
    for n, (head, field) in enumerate(zip(heads, fields, strict=True)):
        right, width = isinstance(field, str), edges[n + 1] - edges[n] - 10
        x = box.x + (edges[n + 1] - 10 if right else edges[n])
        parts.append(_text(x, box.y + 10, head, 11.5, bold=True, width=width, end=right))
        for place, row in enumerate(shown):
            parts.append(_text(x, box.y + 33 + place * 18, row[n], 11.5, width=width, end=right))
    if len(rows) > fits:
        told = f"{len(rows) - fits} more rows"
        parts.append(_text(box.x + box.width, box.y - 12, told, 11, SOFT, end=True))
    return parts


def _rows(visual: Visual, fields: Sequence[Field], evaluator: Evaluator) -> list[list[Any]]:
    """Rows of a table: every combination of its columns in the data with a measure that is not blank."""
    columns = [one for one in fields if not isinstance(one, str)]
    measures = [one for one in fields if isinstance(one, str)]
    found = []
    for key in evaluator.combinations(columns, _where(visual)):
        here = {**_where(visual), **{column: [value] for column, value in zip(columns, key, strict=True)}}
        told = evaluator.values(measures, here, by=columns)
        if any(value is not None for value in told.values()):
            cells = iter(key)
            found.append([told[one] if isinstance(one, str) else next(cells) for one in fields])
    if visual.sort:
        at = fields.index(visual.sort)
        found.sort(key=lambda row: -(row[at] or 0))
    return found


def written(model: Model, field: Field, value: Any) -> str:
    """A value by its format string, as Power BI writes it."""
    if value is None:
        return ""
    form = model.measure(field).form if isinstance(field, str) else model.table(field[0]).column(field[1]).form
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, str) or form is None:
        return str(value)
    bare = form.replace("\\", "")
    places = len(bare.rpartition(".")[2].rstrip("%")) if "." in bare else 0
    if bare.endswith("%"):
        return figures.percent(value, places)
    return figures.ratio(value, places, before=bare.partition("#")[0] if "#" in bare else "")


def _label(value: Any) -> str:
    return "(Blank)" if value is None else str(value)


def _colours(visual: Visual, names: Sequence[str]) -> list[str]:
    """The colour of each series: its own where it has a meaning, else the next of the theme."""
    return [visual.colours.get(one, CATEGORY[n % len(CATEGORY)]) for n, one in enumerate(names)]


def _legend(names: Sequence[str], colours: Sequence[str], box: Box) -> tuple[list[str], float]:
    """Names of the series with their colours, and where the drawing begins below."""
    if len(names) < 2:
        return [], box.y + 4
    parts, x, y = [], float(box.x), float(box.y)
    for n, one in enumerate(names):
        wide = 24 + len(one) * 6.4
        if x + wide > box.x + box.width and x > box.x:
            x, y = float(box.x), y + 16
        parts += [_rect(x, y, 10, 10, colours[n]), _text(x + 14, y + 9, one, 11, SOFT)]
        x += wide
    return parts, y + 18


def _rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(height, 0):.1f}" fill="{fill}"/>'


def _text(
    x: float, y: float, value: str, size: float, fill: str = INK, *, bold: bool = False, width: float | None = None,
    middle: bool = False, end: bool = False,
) -> str:  # fmt: skip
    """A line of text, cut where it would be wider than `width`."""
    value = " ".join(value.split())
    if width is not None and len(value) * size * (0.57 if bold else 0.53) > width:
        value = value[: max(1, int(width / (size * (0.57 if bold else 0.53))) - 1)] + "…"
    anchor = ' text-anchor="middle"' if middle else ' text-anchor="end"' if end else ""
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}"{weight}{anchor}>{escape(value)}</text>'
