"""What the command line shows: progress, tables and figures, for a terminal or for a log."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from medallion.figures import duration
from medallion.log import one_line, plain

if TYPE_CHECKING:
    from medallion.pipeline.steps import Report

#: Identifiers, which a reader wants whole on one line.
_WHOLE = {"table", "entity", "batch_id", "run_id", "state", "failed_check"}
_LOG_WIDTH = 120


class Screen(Console):
    """A console whose texts are only texts: the one place where what comes from a CRM reaches the terminal.

    Strings are never read as markup (an account may be called `[/red]`), and whatever would steer a terminal, control
    characters, escape sequences and changes of direction, is spelled out. What is meant to be bold is a `Text`.
    """

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        super().__init__(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of what is printed, with their texts made plain."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(plain(segment.text), segment.style)


def screen(stderr: bool = False) -> Console:
    """A console as wide as the terminal, or wide enough for the tables where there is none."""
    console = Screen(stderr=stderr)
    if not console.is_terminal:
        console = Screen(stderr=stderr, width=max(console.width, _LOG_WIDTH))
    return console


def dump(document: dict[str, Any] | list[Any]) -> None:
    """Print a document as JSON; times without a zone are UTC."""

    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat(sep=" ", timespec="seconds")
        return value.isoformat() if isinstance(value, date) else str(value)

    sys.stdout.write(json.dumps(document, indent=2, default=plain) + "\n")


class Progressing:
    """Shows steps while they run: moving lines in a terminal, one plain line per finished step elsewhere."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live: Progress | None = None
        self.tasks: dict[str, Any] = {}

    def __enter__(self) -> Report:
        if self.console.is_terminal:
            self.live = Progress(
                SpinnerColumn(finished_text="[green]✓[/]"),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                console=self.console,
            )
            self.live.start()
        return self.report

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def report(self, name: str, seconds: float | None) -> None:
        """Take note that a step starts (no seconds) or has ended."""
        if self.live and seconds is None:
            self.tasks[name] = self.live.add_task(escape(one_line(name)), total=1)
        elif self.live:
            self.live.update(self.tasks[name], completed=1)
        elif seconds is not None:
            line(self.console, f"{duration(seconds, 2):>9}  {name}")


def records(console: Console, title: str, rows: Iterable[dict[str, Any]], note: str = "") -> None:
    """A table of records, numbers to the right."""
    rows = list(rows)
    if not rows:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in rows[0]:
        number = all(isinstance(row[name], int | float | None) and not isinstance(row[name], bool) for row in rows)
        table.add_column(
            Text(one_line(name.replace("_", " "))),
            justify="right" if number else "left",
            overflow="fold",
            no_wrap=name in _WHOLE,
        )
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    console.print(Text(one_line(title), style="bold"))
    console.print(table)
    if note:
        console.print(Text(plain(note), style="dim italic"))
        console.print()


def _cell(value: Any) -> Text:
    if value is None:
        return Text()
    if isinstance(value, bool):
        return Text("yes") if value else Text("no", style="red")
    if isinstance(value, int):
        return Text(f"{value:,}")
    return Text(plain(", ".join(str(item) for item in value) if isinstance(value, list) else str(value)))


def line(console: Console, text: str) -> None:
    """One line of text."""
    console.print(Text(one_line(text)), soft_wrap=True)


def lines(console: Console, text: str) -> None:
    """Lines of text that the program has set itself."""
    for part in text.split("\n"):
        line(console, part)


def wrong(what: str, problem: str, remedy: str) -> None:
    """What is wrong and what to do about it, on standard error."""
    console = screen(stderr=True)
    console.print(Text(what, style="bold red"), end=" ")
    lines(console, problem)
    if remedy:
        lines(console, remedy)
