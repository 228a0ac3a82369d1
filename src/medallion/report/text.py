"""The report as plain text, 120 columns wide."""

from __future__ import annotations

from io import StringIO

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from medallion.report.document import Block, Bullets, Document, Paragraph, Picture, Table

WIDTH = 120


def text(document: Document) -> str:
    """The report for a terminal, a mail or a diff; charts are left to the page and the pictures."""
    out = StringIO()
    console = Console(file=out, width=WIDTH, color_system=None, force_terminal=False, legacy_windows=False)
    console.print(document.title.upper(), markup=False)
    console.print(document.subtitle, markup=False)
    for place, section in enumerate(document.sections, 1):
        heading = f"{place}. {section.title}"
        console.print(f"\n\n{heading}\n{'=' * len(heading)}", markup=False, highlight=False)
        for block in section.blocks:
            _print(console, block)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _print(console: Console, block: Block) -> None:
    if isinstance(block, Paragraph):
        console.print(f"\n{block.text}", markup=False, highlight=False)
    elif isinstance(block, Bullets):
        console.print()
        for item in block.items:
            console.print(_bullet(item))
    elif isinstance(block, Table):
        _table(console, block)
    elif isinstance(block, Picture):
        return


def _bullet(item: str) -> Grid:
    grid = Grid.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=1)
    grid.add_column(overflow="fold")
    grid.add_row("-", escape(item))
    return grid


def _table(console: Console, table: Table) -> None:
    grid = Grid(
        title=escape(table.title),
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1),
        caption=escape(table.note) or None,
        caption_justify="left",
        caption_style="",
    )
    for place, heading in enumerate(table.header):
        grid.add_column(
            escape(heading), justify="right" if place in table.numbers else "left", overflow="fold", no_wrap=place == 0
        )
    for row in table.rows:
        grid.add_row(*(escape(cell) for cell in row))
    console.print()
    console.print(grid)
