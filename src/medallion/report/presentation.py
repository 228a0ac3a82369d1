"""The slides as PowerPoint: real titles, text, tables and charts that can be edited, and notes for the speaker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from itertools import pairwise
from typing import Any

from medallion.charts.theme import BLUE, GREY, INK, ORANGE, PALE, SOFT
from medallion.errors import extra
from medallion.report.deck import Bars, Slide
from medallion.report.facts import Facts

with extra("slides", "Slides"):
    from pptx import Presentation
    from pptx.chart.data import CategoryChartData
    from pptx.dml.color import RGBColor
    from pptx.enum.chart import XL_CHART_TYPE, XL_LABEL_POSITION, XL_LEGEND_POSITION
    from pptx.enum.shapes import MSO_CONNECTOR, MSO_SHAPE
    from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
    from pptx.oxml.ns import qn
    from pptx.oxml.xmlchemy import OxmlElement
    from pptx.util import Inches, Pt

#: Inches of a 16:9 slide, its margin and the height at which the content begins.
WIDTH, HEIGHT, MARGIN, TOP = 13.333, 7.5, 0.6, 1.6
_FONT = "Arial"
_BAND = "F3F6F9"
_FULL = WIDTH - 2 * MARGIN


def presentation(deck: Sequence[Slide], facts: Facts) -> bytes:
    """The file."""
    file = Presentation()
    file.slide_width, file.slide_height = Inches(WIDTH), Inches(HEIGHT)
    _properties(file, facts)
    drawers = (_problem, _architecture, _data, _scores, _results, _deployment)
    for place, (slide, draw) in enumerate(zip(deck, drawers, strict=True), 1):
        page = file.slides.add_slide(file.slide_layouts[5])
        _title(page, slide.title)
        draw(page, slide)
        foot = f"{place}   Medallion" + (f"   as of {facts.as_of}" if facts.as_of else "")
        _text(page, [foot], MARGIN, HEIGHT - 0.5, _FULL, 0.3, size=11, colour=SOFT, named="Footer")
        page.notes_slide.notes_text_frame.text = "\n\n".join(slide.notes)
    out = BytesIO()
    file.save(out)
    return out.getvalue()


def _properties(file: Any, facts: Facts) -> None:
    properties = file.core_properties
    properties.title, properties.author, properties.subject = (
        "Medallion: from CRM exports to a call list",
        "medallion",
        "Sales analysis",
    )
    created = datetime(facts.as_of.year, facts.as_of.month, facts.as_of.day) if facts.as_of else datetime(2000, 1, 1)  # noqa: DTZ001 - a day, not a time
    properties.created = properties.modified = created
    properties.last_modified_by = "medallion"


def _colour(text: str) -> Any:

    return RGBColor.from_string(text.lstrip("#"))


def _title(page: Any, text: str) -> None:

    shape = page.shapes.title
    shape.left, shape.top, shape.width, shape.height = (Inches(n) for n in (MARGIN, 0.28, _FULL, 1.0))
    frame = shape.text_frame
    frame.word_wrap, frame.vertical_anchor = True, MSO_ANCHOR.BOTTOM
    frame.margin_left = frame.margin_right = 0
    frame.text = text
    paragraph = frame.paragraphs[0]
    paragraph.alignment = PP_ALIGN.LEFT
    _font(paragraph.runs[0], 28 if len(text) <= 60 else 24, INK, bold=True)
    line = page.shapes.add_shape(1, Inches(MARGIN), Inches(1.38), Inches(1.1), Pt(4))
    _fill(line, BLUE)
    line.name = "Accent"


def _font(run: Any, size: float, colour: str, bold: bool = False) -> None:

    run.font.name, run.font.size, run.font.bold = _FONT, Pt(size), bold
    run.font.color.rgb = _colour(colour)


def _fill(shape: Any, colour: str) -> None:
    """One flat colour: no line, and no shadow of the template's."""
    shape.fill.solid()
    shape.fill.fore_color.rgb = _colour(colour)
    shape.line.fill.background()
    if (style := shape._element.find(qn("p:style"))) is not None:
        shape._element.remove(style)


def _text(
    page: Any,
    lines: Sequence[str],
    left: float,
    top: float,
    width: float,
    height: float,
    *,
    size: float = 18,
    colour: str = INK,
    bold: bool = False,
    bullets: bool = False,
    named: str = "Text",
) -> Any:

    box = page.shapes.add_textbox(Inches(left), Inches(top), Inches(width), Inches(height))
    box.name = named
    frame = box.text_frame
    frame.word_wrap = True
    frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
    for place, text in enumerate(lines):
        paragraph = frame.paragraphs[0] if place == 0 else frame.add_paragraph()
        run = paragraph.add_run()
        run.text = text
        _font(run, size, colour, bold)
        if bullets:
            _bullet(paragraph)
            paragraph.space_after = Pt(size * 0.7)
    return box


def _bullet(paragraph: Any) -> None:
    """A real bullet with a hanging indent."""
    properties = paragraph._p.get_or_add_pPr()
    properties.set("marL", "228600")
    properties.set("indent", "-228600")
    mark = OxmlElement("a:buChar")
    mark.set("char", "•")
    properties.append(mark)


def _tiles(page: Any, tiles: Sequence[tuple[str, str]], left: float, top: float, width: float, height: float) -> None:
    """Large figures side by side, each with what it is."""
    gap = 0.25
    each = (width - gap * (len(tiles) - 1)) / len(tiles)
    for place, (figure, meaning) in enumerate(tiles):
        shape = page.shapes.add_shape(
            MSO_SHAPE.RECTANGLE, Inches(left + place * (each + gap)), Inches(top), Inches(each), Inches(height)
        )
        _fill(shape, _BAND)
        shape.name = f"Figure: {meaning}"
        frame = shape.text_frame
        frame.word_wrap, frame.vertical_anchor = True, MSO_ANCHOR.MIDDLE
        frame.margin_left = frame.margin_right = Inches(0.18)
        longest = max(len(text) for text, _ in tiles)
        for line, size, colour, bold in (
            (figure, 30 if longest <= 11 else 22, BLUE, True),
            (meaning, 14, SOFT, False),
        ):
            paragraph = frame.paragraphs[0] if bold else frame.add_paragraph()
            paragraph.alignment = 1
            run = paragraph.add_run()
            run.text = line
            _font(run, size, colour, bold)
            paragraph.space_after = Pt(2)


def _table(
    page: Any,
    rows: Sequence[Sequence[str]],
    left: float,
    top: float,
    widths: Sequence[float],
    *,
    size: float = 14,
    row_height: float = 0.42,
    numbers: bool = True,
    last_bold: bool = False,
    header_height: float = 0.42,
    named: str = "Table",
) -> None:

    frame = page.shapes.add_table(
        len(rows),
        len(rows[0]),
        Inches(left),
        Inches(top),
        Inches(sum(widths)),
        Inches(header_height + row_height * (len(rows) - 1)),
    )
    frame.name = named
    table = frame.table
    _plain_style(frame)
    for place, width in enumerate(widths):
        table.columns[place].width = Inches(width)
    for line, row in enumerate(rows):
        table.rows[line].height = Inches(row_height if line else header_height)
        for place, text in enumerate(row):
            cell = table.cell(line, place)
            cell.vertical_anchor = MSO_ANCHOR.MIDDLE
            cell.margin_left = cell.margin_right = Inches(0.1)
            cell.fill.solid()
            cell.fill.fore_color.rgb = _colour(INK if line == 0 else "#FFFFFF" if line % 2 else _BAND)
            paragraph = cell.text_frame.paragraphs[0]
            paragraph.alignment = PP_ALIGN.RIGHT if numbers and place else PP_ALIGN.LEFT
            run = paragraph.add_run()
            run.text = text
            bold = line == 0 or (last_bold and line == len(rows) - 1)
            _font(run, size, "#FFFFFF" if line == 0 else INK, bold)


def _plain_style(frame: Any) -> None:
    """No style of its own: the cells say how they look."""
    properties = frame._element.graphic.graphicData.tbl.tblPr
    for child in list(properties):
        properties.remove(child)
    properties.set("bandRow", "0")


def _bars(page: Any, bars: Bars, left: float, top: float, width: float, height: float) -> None:
    """A native bar chart, largest category at the top, values at the bars' ends."""
    data = CategoryChartData(number_format=bars.form)
    data.categories = list(bars.categories)
    for label, values in bars.series.items():
        data.add_series(label, list(values))
    stacked = len(bars.series) > 1
    kind = XL_CHART_TYPE.BAR_STACKED if stacked else XL_CHART_TYPE.BAR_CLUSTERED
    _text(page, [bars.title], left, top, width, 0.35, size=16, bold=True, named=f"Chart title: {bars.title}")
    frame = page.shapes.add_chart(
        kind, Inches(left - 0.1), Inches(top + 0.38), Inches(width), Inches(height - 0.38), data
    )
    frame.name = f"Chart: {bars.title}"
    frame._element.nvGraphicFramePr.cNvPr.set("descr", _in_words(bars))
    chart = frame.chart
    chart.font.name, chart.font.size = _FONT, Pt(14)
    chart.font.color.rgb = _colour(INK)
    chart.has_title, chart.has_legend = False, stacked
    if stacked:
        chart.legend.position, chart.legend.include_in_layout = XL_LEGEND_POSITION.TOP, False
        chart.legend.font.size = Pt(14)
    across, upwards = chart.value_axis, chart.category_axis
    across.visible, across.has_major_gridlines, across.minimum_scale = False, False, 0
    totals = [sum(values) for values in zip(*bars.series.values(), strict=True)]
    across.maximum_scale = max(totals, default=1) * (1.05 if stacked else 1.35) or 1
    upwards.reverse_order, upwards.format.line.fill.background = True, upwards.format.line.fill.background
    upwards.format.line.fill.background()
    upwards.major_tick_mark = upwards.minor_tick_mark = -4142
    upwards.tick_labels.font.size = Pt(14)
    plot = chart.plots[0]
    plot.gap_width, plot.overlap = 45, 100 if stacked else 0
    plot.vary_by_categories = False
    for series, colour in zip(plot.series, bars.colours, strict=False):
        series.format.fill.solid()
        series.format.fill.fore_color.rgb = _colour(colour)
    if bars.each:
        for place, colour in enumerate(bars.colours):
            point = plot.series[0].points[place]
            point.format.fill.solid()
            point.format.fill.fore_color.rgb = _colour(colour)
    if stacked:
        readable = f'[<{0.05 * max(totals):.0f}]"";{bars.form}' if max(totals) >= 20 else f"{bars.form};;"
        for series, colour in zip(plot.series, bars.colours, strict=True):
            labels = series.data_labels
            labels.show_value, labels.number_format, labels.number_format_is_linked = True, readable, False
            labels.font.size, labels.font.color.rgb = Pt(12), _colour(INK if colour == PALE else "#FFFFFF")
    else:
        plot.has_data_labels = True
        labels = plot.data_labels
        labels.number_format, labels.number_format_is_linked = bars.form, False
        labels.position, labels.font.size = XL_LABEL_POSITION.OUTSIDE_END, Pt(14)


def _in_words(bars: Bars) -> str:
    """The chart in words, for those who cannot see it."""
    lines = [
        f"{category}: " + ", ".join(f"{label} {values[place]:g}" for label, values in bars.series.items())
        for place, category in enumerate(bars.categories)
    ]
    return f"{bars.title}. " + "; ".join(lines)


def _caption(page: Any, text: str, top: float = HEIGHT - 0.92) -> None:
    _text(page, [text], MARGIN, top, _FULL, 0.35, size=14, colour=SOFT, named="Caption")


def _problem(page: Any, slide: Slide) -> None:
    _tiles(page, slide.tiles, MARGIN, TOP + 0.1, _FULL, 1.5)
    _text(page, slide.bullets, MARGIN, TOP + 2.05, _FULL, 3.2, size=20, bullets=True, named="Points")


def _architecture(page: Any, slide: Slide) -> None:
    boxes = (
        ("CRM exports", "CSV, JSON, Parquet, workbooks", PALE, INK),
        ("Bronze", "every cell as text, with file and line", "#9A5B2E", "#FFFFFF"),
        ("Silver", "typed, checked, every version kept", "#52606D", "#FFFFFF"),
        ("Gold", "features, deals, channels, scores", "#8A6A00", "#FFFFFF"),
        ("Answers", "insights, report, slides, exports", BLUE, "#FFFFFF"),
    )
    gap, height, top = 0.5, 1.45, TOP + 0.25
    width = (_FULL - gap * (len(boxes) - 1)) / len(boxes)
    drawn = [
        _box(page, name, what, fill, ink, MARGIN + place * (width + gap), top, width, height)
        for place, (name, what, fill, ink) in enumerate(boxes)
    ]
    for left, right in pairwise(drawn):
        _arrow(page, left, 3, right, 1)
    below = _box(
        page,
        "Quarantine",
        "refused, each with its reasons",
        ORANGE,
        "#FFFFFF",
        MARGIN + 2 * (width + gap),
        top + height + 0.55,
        width,
        1.1,
    )
    _arrow(page, drawn[2], 2, below, 0)
    _text(
        page,
        ["a contract decides: accepted, superseded, or refused"],
        MARGIN + 3 * (width + gap),
        top + height + 0.85,
        2 * width + gap,
        0.6,
        size=16,
        colour=SOFT,
        named="Contract",
    )
    _text(
        page, ["Four laws, checked on every run"], MARGIN, HEIGHT - 2.45, _FULL, 0.35, size=16, bold=True, named="Laws"
    )
    _tiles(page, slide.tiles, MARGIN, HEIGHT - 2.0, _FULL, 1.3)  # fmt: skip


def _box(
    page: Any, name: str, what: str, fill: str, ink: str, left: float, top: float, width: float, height: float
) -> Any:

    shape = page.shapes.add_shape(MSO_SHAPE.RECTANGLE, Inches(left), Inches(top), Inches(width), Inches(height))
    _fill(shape, fill)
    shape.name = name
    frame = shape.text_frame
    frame.word_wrap, frame.vertical_anchor = True, MSO_ANCHOR.MIDDLE
    frame.margin_left = frame.margin_right = Inches(0.12)
    for text, size, bold in ((name, 18, True), (what, 14, False)):
        paragraph = frame.paragraphs[0] if bold else frame.add_paragraph()
        paragraph.alignment = 1
        run = paragraph.add_run()
        run.text = text
        _font(run, size, ink, bold)
    return shape


def _arrow(page: Any, start: Any, leaving: int, end: Any, entering: int) -> None:
    """A connector that stays attached when a box is moved; sides are 0 top, 1 left, 2 bottom, 3 right."""
    line = page.shapes.add_connector(MSO_CONNECTOR.STRAIGHT, 0, 0, 0, 0)
    line.begin_connect(start, leaving)
    line.end_connect(end, entering)
    line.line.width = Pt(2.25)
    line.line.color.rgb = _colour(GREY)
    head = OxmlElement("a:tailEnd")
    head.set("type", "triangle")
    line.line._get_or_add_ln().append(head)
    line.name = f"{start.name} to {end.name}"


def _data(page: Any, slide: Slide) -> None:
    longest = max(len(cell) for row in slide.table[1:] for cell in row[1:])
    widths = (1.45, 1.12, 1.12, 1.12, 1.28, 1.12)
    size = 13 if longest <= 8 else 12
    _table(page, slide.table, MARGIN, TOP + 0.15, widths, size=size, last_bold=True, named="Row accounts")
    below = TOP + 0.15 + 0.42 * len(slide.table) + 0.3
    _text(page, slide.bullets, MARGIN, below, 7.2, 1.4, size=16, bullets=True, named="Points")
    for bars in slide.bars:
        _bars(page, bars, MARGIN + 7.5, TOP + 0.1, _FULL - 7.5, 4.75)
    _caption(page, slide.caption)


def _scores(page: Any, slide: Slide) -> None:
    _table(page, slide.table, MARGIN, TOP + 0.15, (1.5, 0.9, 4.6), row_height=0.6, numbers=False, named="Score parts")
    _text(page, slide.bullets, MARGIN, TOP + 3.4, 7.0, 1.7, size=16, bullets=True, named="Points")
    right = _FULL - 7.5
    for bars in slide.bars:
        _bars(page, bars, MARGIN + 7.5, TOP + 0.1, right, 2.6)
    if len(slide.second) > 1:
        widths = (right * 0.22, right * 0.26, right * 0.28, right * 0.24)
        _table(page, slide.second, MARGIN + 7.5, TOP + 2.95, widths, row_height=0.38, named="Bands and outcomes")
    _caption(page, slide.caption)


def _results(page: Any, slide: Slide) -> None:
    _tiles(page, slide.tiles, MARGIN, TOP + 0.05, _FULL, 1.1)
    half = (_FULL - 0.5) / 2
    for place, bars in enumerate(slide.bars):
        _bars(page, bars, MARGIN + place * (half + 0.5), TOP + 1.4, half, 3.45)
    _caption(page, slide.caption)


def _deployment(page: Any, slide: Slide) -> None:
    half = _FULL / 2
    _table(
        page, slide.table, MARGIN, TOP + 0.2, (half, half), size=16, row_height=0.82, numbers=False, header_height=0.5,
        named="Deployment and agent",
    )  # fmt: skip
    _caption(page, slide.caption)
