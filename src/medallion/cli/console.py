"""What the command line shows: progress, tables and figures, for a terminal or for a log."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from datetime import date, datetime
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING, Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from medallion import progress
from medallion.figures import count, duration, minute
from medallion.log import one_line, plain

if TYPE_CHECKING:
    from medallion.pipeline.steps import Report

#: Values up to this width are never split: dates with their time, amounts, keys, names. Longer texts are, between words,
#: into lines of at least the other width.
_WHOLE, _LINE = 24, 16
#: Values that say nothing.
_NOTHING: tuple[Any, ...] = (None, "", [], ())
#: What stands between two columns of a table.
_BETWEEN = 3
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
    """A console as wide as the terminal; without one as `COLUMNS` says, or wide enough for the tables."""
    console = Screen(stderr=stderr)
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console = Screen(stderr=stderr, width=max(console.width, _LOG_WIDTH))
    return console


def dump(document: dict[str, Any] | list[Any]) -> None:
    """Print a document as JSON; times without a zone are UTC."""

    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat(sep=" ", timespec="seconds")
        return value.isoformat() if isinstance(value, date) else str(value)

    sys.stdout.write(json.dumps(document, indent=2, default=plain) + "\n")


class _Amount(ProgressColumn):
    """Rows, their rate and the time that is left, beside the step that is running."""

    def __init__(self, shown: Progressing) -> None:
        super().__init__()
        self.shown = shown

    def render(self, task: Task) -> Text:
        """What there is to say of a step."""
        if task.finished or task.id != self.shown.newest:
            return Text()
        return Text(self.shown.amount(perf_counter()), style="dim")


class Progressing:
    """Shows steps while they run: moving lines in a terminal, one plain line per finished step elsewhere.

    A terminal gets them on standard error, with the rows that were read, their rate, and about how long a long run takes
    yet: what reading took, times what the rest of a run takes of that (measured at 5 and 50 million rows on the embedded
    engine).
    """

    #: Seconds of all other steps per second of reading, and from how many seconds in all the time left is told.
    REST, LONG = 5.0, 20.0

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live: Progress | None = None
        self.tasks: dict[str, TaskID] = {}
        self.newest: TaskID | None = None
        self.began = 0.0
        self.read_in: float | None = None

    def __enter__(self) -> Report:
        there = screen(stderr=True)
        if there.is_terminal:
            self.live = Progress(
                SpinnerColumn(finished_text="[green]✓[/]"),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                _Amount(self),
                console=there,
            )
            self.live.start()
        return self.report

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def report(self, name: str, seconds: float | None) -> None:
        """Take note that a step starts (no seconds) or has ended."""
        if name == progress.STEP:
            self.began, self.read_in = (perf_counter(), None) if seconds is None else (self.began, seconds)
        if self.live and seconds is None:
            self.newest = self.tasks[name] = self.live.add_task(escape(one_line(name)), total=1)
        elif self.live:
            self.live.update(self.tasks[name], completed=1)
        elif seconds is not None:
            line(self.console, f"{duration(seconds, 2):>9}  {name}")

    def amount(self, now: float) -> str:
        """Rows and rate while files are read, and about how long the run takes yet; empty where nothing is known."""
        if not self.began:
            return ""
        since, rows = now - self.began, progress.reading.rows
        parts = []
        if self.read_in is None and rows and since > 0:
            parts.append(f"{count(rows, 'row')}, {count(round(rows / since))} a second")
        share = progress.reading.share
        read_in = self.read_in if self.read_in is not None else since / share if share else None
        if read_in is not None and (whole := read_in * (1 + self.REST)) >= self.LONG and whole > since:
            left = whole - since
            parts.append(
                f"about {max(10, round(left, -1)):.0f} s left" if left < 90 else f"about {left / 60:.0f} min left"
            )
        return "  ".join(parts)


def records(console: Console, title: str, rows: Iterable[dict[str, Any]], note: str = "") -> None:
    """A table of records, numbers to the right; where the screen is too narrow for it, each record as lines of its own.

    Nothing is split inside a value: only texts of several words are wrapped, between them. Columns without any value are
    left out.
    """
    rows = list(rows)
    if not rows:
        return
    names = [
        name for name in dict.fromkeys(chain.from_iterable(rows)) if any(row.get(name) not in _NOTHING for row in rows)
    ]
    heads = [plain(name.replace("_", " ")).replace("\n", " ") for name in names]
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    widths = _widths(heads, cells, console.width)
    console.print(Text(one_line(title), style="bold"))
    console.print(_blocks(heads, cells) if widths is None else _table(heads, cells, widths, _numbers(names, rows)))
    if note:
        console.print(Text(plain(note), style="dim italic"))
        console.print()


def _numbers(names: list[str], rows: list[dict[str, Any]]) -> list[bool]:
    """Which columns hold numbers only."""
    return [
        all(isinstance(row.get(name), int | float | None) and not isinstance(row.get(name), bool) for row in rows)
        for name in names
    ]


def _table(heads: list[str], cells: list[list[Text]], widths: list[int], numbers: list[bool]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head, width, number in zip(heads, widths, numbers, strict=True):
        table.add_column(Text(head), justify="right" if number else "left", overflow="fold", width=width)
    for row in cells:
        table.add_row(*row)
    return table


def _blocks(heads: list[str], cells: list[list[Text]]) -> Table:
    """Each record as lines of name and value, without those that say nothing."""
    table = Table(box=None, pad_edge=True, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for row in cells:
        table.add_row("", "")
        for head, cell in zip(heads, row, strict=True):
            if cell.plain.strip():
                table.add_row(Text(head), cell)
    table.add_row("", "")
    return table


def _widths(heads: list[str], cells: list[list[Text]], screen: int) -> list[int] | None:
    """How wide each column is, or None where a table would have to split a value: the widest texts give way first."""
    columns = list(zip(heads, *([cell.plain for cell in row] for row in cells), strict=True))
    least = [max(_word(head), *map(_least, texts)) for head, *texts in columns]
    widths = [max(_longest(text) for text in texts) for texts in columns]
    room = screen - 2 - _BETWEEN * (len(heads) - 1)
    if sum(least) > room:
        return None
    while (over := sum(widths) - room) > 0:
        widest = max((width, place) for place, width in enumerate(widths) if width > least[place])
        others = max((w for p, w in enumerate(widths) if p != widest[1] and w > least[p]), default=0)
        widths[widest[1]] = max(widest[0] - over, least[widest[1]], min(others - 1, widest[0] - 1))
    return widths


def _longest(text: str) -> int:
    return max(map(cell_len, text.splitlines()), default=0)


def _word(text: str) -> int:
    return max(map(cell_len, text.split()), default=0)


def _least(text: str) -> int:
    """The width that a value needs: all of it, or of a longer text its longest word and enough to be read."""
    longest = _longest(text)
    return longest if longest <= _WHOLE else max(_LINE, _word(text))


def _cell(value: Any) -> Text:
    if value is None:
        return Text()
    if isinstance(value, bool):
        return Text("yes") if value else Text("no", style="red")
    if isinstance(value, int):
        return Text(f"{value:,}")
    if isinstance(value, datetime):
        return Text(minute(value))
    return Text(plain(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)))


#: Lines to be copied, which a terminal must not get in parts.
_TYPED = re.compile(r"(Next:)?\s*medallion ")


def line(console: Console, text: str) -> None:
    """One line of text; a terminal gets it wrapped between words, but for lines that are to be typed."""
    console.print(Text(one_line(text)), soft_wrap=not console.is_terminal or bool(_TYPED.match(text)))


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
