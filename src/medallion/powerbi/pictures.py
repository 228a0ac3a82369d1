"""Pages as pictures, drawn with the charts of the product and with figures from evaluated DAX.

Power BI draws the pages itself; the pictures show a reader without it what is where, and with which figures.
"""

from __future__ import annotations

import itertools
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any, cast

from medallion import charts, figures
from medallion.charts import marks
from medallion.charts.theme import CATEGORY, FONT, GROUND, INK, RULE, SOFT
from medallion.errors import MedallionError
from medallion.powerbi.evaluate import Evaluator
from medallion.powerbi.evaluate import Field as Place
from medallion.powerbi.model import Model
from medallion.powerbi.pages import HEIGHT, WIDTH, Field, Page, Visual, pages
from medallion.powerbi.rows import Rows
from medallion.powerbi.theme import CANVAS

#: Rows of the model up to which pages are drawn: each figure is evaluated by itself.
MOST = 20_000
#: Rows of a table that fit, and the pixels that one takes.
_FITS, _LINE = 9, 18


def needed() -> None:
    """Raise where what draws is missing.

    Raises:
        MedallionError: It is; says how to install it.
    """
    if not charts.available():
        raise MedallionError(
            "Pictures cannot be drawn: altair or vl-convert-python is not installed",
            "Install what is missing with: pip install 'medallion-crm[powerbi]'",
        )


def fits(count: int) -> None:
    """Raise where there are too many rows to draw.

    Raises:
        MedallionError: There are.
    """
    if count > MOST:
        raise MedallionError(
            f"{count:,} rows: pages are drawn of at most {MOST:,}", "Leave --pictures away and open the report."
        )


def draw(model: Model, rows: Rows, folder: Path) -> list[Path]:
    """Each page as an SVG.

    Raises:
        MedallionError: There are too many rows, or what draws is not installed.
    """
    fits(rows.count)
    folder.mkdir(parents=True, exist_ok=True)
    evaluator, paths = Evaluator(model, rows), []
    for page in (page for page in pages() if not page.hidden):
        paths.append(folder / f"{page.name}.svg")
        paths[-1].write_text(svg(page, evaluator) + "\n", encoding="utf-8")
    return paths


def svg(page: Page, evaluator: Evaluator) -> str:
    """A page as SVG."""
    parts = [part for visual in page.visuals for part in _visual(visual, evaluator)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
            f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{FONT}">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{CANVAS}"/>',
            *parts,
            "</svg>",
        ]
    )


def _visual(visual: Visual, evaluator: Evaluator) -> list[str]:
    box = visual.box
    if visual.kind == "textbox":
        return [_text(box.x, box.y + 26, visual.title, 24, bold=True), _text(box.x, box.y + 50, visual.text, 13, SOFT)]
    parts = [
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="6" fill="{GROUND}" stroke="{RULE}"/>',
        _text(box.x + 12, box.y + 20, visual.title, 13, bold=True),
    ]
    if visual.kind == "slicer":
        parts.append(_text(box.x + 12, box.y + 46, "All", 12, SOFT))
    elif visual.kind == "card":
        measure = str(visual.fields["Values"][0])
        value = evaluator.values([measure], _where(visual))[measure]
        if visual.where:
            return [parts[0], _text(box.x + 12, box.y + 20, written(evaluator.model, measure, value), 12, SOFT)]
        parts.append(
            _text(
                box.x + 12,
                box.y + min(62, box.height - 12),
                written(evaluator.model, measure, value),
                26 if box.height > 80 else 22,
                bold=True,
            )
        )
    else:
        parts.append(_placed(_chart(visual, evaluator), visual))
    return parts


def _placed(chart: marks.Chart, visual: Visual) -> str:
    """A chart below the title of its visual, as wide and as high as the frame leaves room."""
    box = visual.box
    fit = {"autosize": {"type": "fit", "contains": "padding"}, "width": box.width - 2, "height": box.height - 28}
    whole = charts.themed({**_bare(chart), **fit})
    whole["config"]["scale"] = {"bandPaddingInner": 0.4}
    drawn = charts.svg(whole, clips=f"clip{visual.order}_")
    return drawn.replace("<svg ", f'<svg x="{box.x + 1}" y="{box.y + 26}" ', 1)


def _bare(chart: marks.Chart) -> marks.Chart:
    return {key: value for key, value in chart.items() if key not in ("title", "width", "height")}


def _chart(visual: Visual, evaluator: Evaluator) -> marks.Chart:
    if visual.kind == "tableEx":
        return _table(visual, evaluator)
    if visual.kind == "scatterChart":
        return _scatter(visual, evaluator)
    rows, names = _series(visual, evaluator)
    bars, width = visual.fields["Y"], visual.box.width
    side = str(bars[0]) if len(bars) == 1 and "Series" not in visual.fields else ""
    if visual.kind == "clusteredBarChart":
        return marks.bars(rows, visual.title, "", side, width=width - 160)
    before, percent = _form(evaluator.model, bars[0])[::2]
    form = ".0%" if percent else "~s"
    if visual.kind == "lineChart":
        days = [{**row, "day": f"{row['label']}-01"} for row in rows]
        return marks.course(days, visual.title, "", side, form=form, before=before, width=width)
    colours = {name: visual.colours.get(name, CATEGORY[n % len(CATEGORY)]) for n, name in enumerate(names)}
    line = [row for row in rows if row["part"] in visual.fields.get("Y2", ())]
    columns = marks.columns(
        [row for row in rows if row not in line], visual.title, "", "", side,
        colours=colours if len(names) > 1 else None, form=form, before=before, width=width,
    )  # fmt: skip
    if visual.kind == "clusteredColumnChart" and len(names) > 1:
        columns["encoding"]["xOffset"] = {"field": "part", "sort": names}
    return _with_line(columns, line) if line else columns


def _with_line(columns: marks.Chart, rows: list[dict[str, Any]]) -> marks.Chart:
    """Columns with a share as a line over them, which has an axis of its own at the right."""
    share = {
        "field": "value", "type": "quantitative", "title": rows[0]["part"],
        "axis": {"format": ".0%", "grid": False, "tickCount": 4, "orient": "right"},
    }  # fmt: skip
    line = {
        "data": {"values": rows},
        "mark": {"type": "line", "point": True},
        "encoding": {"x": columns["encoding"]["x"], "y": share, "color": columns["encoding"]["color"]},
    }
    return {"layer": [_bare(columns), line], "resolve": {"scale": {"y": "independent"}}}


def _scatter(visual: Visual, evaluator: Evaluator) -> marks.Chart:
    category, across, up = (visual.fields[role][0] for role in ("Category", "X", "Y"))
    by, measures = cast(Place, category), [str(across), str(up)]
    points = [evaluator.values(measures, {by: [value]}, by=[by]) for value in evaluator.distinct(by)]
    labels = marks.plain_labels(_form(evaluator.model, up)[0])
    side = {"field": up, "type": "quantitative", "axis": {"format": "~s", "labelExpr": labels, "tickCount": 4}}
    return {
        "data": {"values": [point for point in points if None not in point.values()]},
        "mark": {"type": "point", "filled": True, "size": 80, "color": CATEGORY[0]},
        "encoding": {"x": {"field": across, "type": "quantitative"}, "y": side},
    }


def _table(visual: Visual, evaluator: Evaluator) -> marks.Chart:
    """The first rows as texts, each column as wide as its longest text asks for."""
    fields = visual.fields["Values"]
    rows = _rows(visual, evaluator)
    lines = [[written(evaluator.model, field, row[field]) for field in fields] for row in rows[:_FITS]]
    lines.insert(0, [field if isinstance(field, str) else field[1] for field in fields])
    if len(rows) > _FITS:
        lines.append([f"{len(rows) - _FITS} more rows", *[""] * (len(fields) - 1)])
    needs = [max(len(line[n]) for line in lines) + 2 for n in range(len(fields))]
    ends = list(itertools.accumulate((visual.box.width - 26) * need / sum(needs) for need in needs))
    cells = [
        {
            "text": line[n],
            "x": end - 12 if isinstance(field, str) else [0, *ends][n],
            "y": place * _LINE + 8,
            "align": "right" if isinstance(field, str) else "left",
            "weight": "normal" if place else "bold",
        }
        for place, line in enumerate(lines)
        for n, (field, end) in enumerate(zip(fields, ends, strict=True))
    ]
    at = {"type": "quantitative", "scale": None, "axis": None}
    return {
        "data": {"values": cells},
        "mark": {"type": "text", "align": {"expr": "datum.align"}, "fontWeight": {"expr": "datum.weight"}, "fontSize": 11.5},
        "encoding": {"x": {"field": "x", **at}, "y": {"field": "y", **at}, "text": {"field": "text"}},
    }  # fmt: skip


def _where(visual: Visual) -> dict[Place, tuple[Any, ...]]:
    return dict([visual.where]) if visual.where else {}


def _series(visual: Visual, evaluator: Evaluator) -> tuple[list[dict[str, Any]], list[str]]:
    """Values by category and series as rows of a chart, without blanks, and the names of the series."""
    measures = [str(field) for field in (*visual.fields["Y"], *visual.fields.get("Y2", ()))]
    columns = [cast(Place, visual.fields[role][0]) for role in ("Category", "Series") if role in visual.fields]
    rows = []
    for key in itertools.product(*map(evaluator.distinct, columns)):
        group = {column: [value] for column, value in zip(columns, key, strict=True)}
        for measure, value in evaluator.values(measures, {**_where(visual), **group}, by=columns).items():
            if value is not None:
                part = key[1] if len(key) > 1 else measure
                text = written(evaluator.model, measure, value)
                rows.append({"label": marks.label(key[0]), "part": marks.label(part), "value": value, "text": text})
    if visual.sort:
        rows.sort(key=lambda row: -row["value"])
    parts = evaluator.distinct(columns[1]) if len(columns) > 1 else measures
    return rows, [marks.label(part) for part in parts]


def _rows(visual: Visual, evaluator: Evaluator) -> list[dict[Field, Any]]:
    """Rows of a table: every combination of its columns in the data with a measure that is not blank."""
    fields, where = visual.fields["Values"], _where(visual)
    columns = [field for field in fields if not isinstance(field, str)]
    measures = [field for field in fields if isinstance(field, str)]
    rows: list[dict[Field, Any]] = []
    for key in evaluator.combinations(columns, where):
        group = dict(zip(columns, key, strict=True))
        values = evaluator.values(measures, where | {column: (value,) for column, value in group.items()}, by=columns)
        if any(value is not None for value in values.values()):
            rows.append(dict([*group.items(), *values.items()]))
    if sort := visual.sort:
        rows.sort(key=lambda row: -(row[sort] or 0))
    return rows


def _form(model: Model, field: Field) -> tuple[str, int, bool]:
    """What comes before a figure of this field, its decimal places, and whether it is a share."""
    form = model.measure(field).form if isinstance(field, str) else model.table(field[0]).column(field[1]).form
    before, _, rest = (form or "").replace("\\", "").rpartition("#")
    return before, len(rest.rstrip("%").partition(".")[2]), rest.endswith("%")


def written(model: Model, field: Field, value: Any) -> str:
    """A value by its format string, as Power BI writes it."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if value is None or isinstance(value, str):
        return (value or "").replace("\\", "")  # the evaluator leaves the escapes of a format string in its texts
    before, places, percent = _form(model, field)
    return figures.percent(value, places) if percent else figures.ratio(value, places, before=before)


def _text(x: int, y: int, text: str, size: int, fill: str = INK, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{fill}"{weight}>{escape(text)}</text>'
