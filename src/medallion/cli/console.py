"""What the command line shows: progress, tables and figures, for a terminal or for a log."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from medallion.contracts import CONFIDENT
from medallion.figures import count, duration, minute
from medallion.log import one_line, plain
from medallion.pipeline import Result, freshness
from medallion.pipeline.steps import Report

if TYPE_CHECKING:
    from medallion.proposal import Proposed

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
    """Print a document as JSON; moments without zone are UTC."""

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
    table = Table(
        title=Text(one_line(title)),
        title_justify="left",
        title_style="bold",
        caption=Text(plain(note)) if note else None,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
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
    console.print(table)


def _cell(value: Any) -> Text:
    if value is None:
        return Text()
    if isinstance(value, bool):
        return Text("yes") if value else Text("no", style="red")
    if isinstance(value, int):
        return Text(f"{value:,}")
    return Text(plain(", ".join(str(item) for item in value) if isinstance(value, list) else str(value)))


def insights(console: Console, figures: dict[str, Any], day: Any, currency: str) -> None:
    """The figures with their labels and definitions."""
    from medallion import metrics  # parsers of SQL, which nothing else here needs

    title = f"Insights as of {day}" if day else "Insights (no events in the data yet)"
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        show_header=False,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column(style="bold")
    table.add_column(justify="right", style="cyan", no_wrap=True)
    table.add_column(style="dim")
    for name, value in figures.items():
        measure = metrics.metrics()[name].measure
        table.add_row(measure.display_name, metrics.written(name, value, currency), measure.comment)
    console.print(table)


def proposed(console: Console, found: Proposed, folder: str, target: str) -> None:
    """What a proposed contract says, what needs a person's eyes, and what to do next."""
    if found.system:
        line(console, f"Looks like an export from {found.system}.")
    records(console, "Proposed", found.tables)
    doubtful = [
        {name: row.get(name) for name in ("table", "entity", "column", "from", "confidence", "reason")}
        for row in found.columns
        if row.get("confidence") is not None and row["confidence"] < CONFIDENT
    ]
    records(console, "To review: nothing runs on these unless you confirm them", doubtful)
    for table, columns in found.not_mapped.items():
        shown = ", ".join(columns[:12]) + (f" and {len(columns) - 12} more" if len(columns) > 12 else "")
        line(console, f"{table}: not mapped: {shown}")
    for table, why in found.not_used.items():
        line(console, f"Not used: {table}: {why}")
    for error in found.unreadable:
        line(console, f"Not read: {error.problem}")
    console.print()
    line(console, f"Written: {target}")
    line(
        console,
        f"Next:    read it, then medallion run --source {shlex.quote(folder)} --contract {shlex.quote(target)}",
    )


def line(console: Console, text: str) -> None:
    """One line of text."""
    console.print(Text(one_line(text)), soft_wrap=True)


def lines(console: Console, text: str) -> None:
    """Lines of text that the program has set itself."""
    for part in text.split("\n"):
        line(console, part)


def queue(console: Console, waiting: int, limit: int) -> None:
    """What to do about waiting records."""
    if waiting > limit:
        line(console, f"The first {limit} of {waiting:,}; --limit shows more.")
    if waiting:
        line(console, "Next: medallion quarantine show ID · suggest · fix ID --set column=value · replay")
    else:
        line(console, "Nothing waits in quarantine.")


def refused(console: Console, record: dict[str, Any]) -> None:
    """One refused record: why, what it says and what was corrected."""
    state = f"taken up by {record['resolved_by']}" if record["resolved_by"] else "waiting"
    line(console, f"{record['quarantine_id']}  {record['entity']}  {state}")
    line(console, f"{record['source_file']}, line {record['source_row']}, read {minute(record['known_at'])} UTC")
    for reason in record["reasons"] or ():
        line(console, f"  {reason}")
    columns = [{"column": name, "says": said} for name, said in record["columns"].items()]
    records(console, "What fills the columns", columns)
    filled = {name for name in record["cells"] if record["cells"][name]}
    records(console, "Its cells", [{"cell": name, "text": record["cells"][name]} for name in sorted(filled)])
    records(console, "Corrections", record["corrections"])


def erased(console: Console, result: dict[str, Any]) -> None:
    """What an erasure removed, or would remove."""
    if result.get("dry_run"):
        rows = [row for row in result["tables"] if row["about_the_account"]]
        records(console, "Would be removed", rows, "gold is computed again without the account")
        return
    rows = [row for row in result["tables"] if row["rows_removed"] or row["rows_blanked"]]
    records(console, "Removed", rows)
    versions = sum(row["versions_purged"] for row in result["tables"])
    line(console, f"{versions} older versions purged in {len(result['tables'])} tables; time travel into them is gone.")
    line(
        console,
        f"{result['files_searched']} remaining files searched for {result['terms_searched']} terms: nothing found.",
    )
    line(console, f"Not touched: {result['not_touched']}")
    line(console, f"Certificate: {result['certificate']}")


def _some(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    return ", ".join(names[:20]) + (f" and {len(names) - 20:,} more" if len(names) > 20 else "")


_ACCOUNT = ("entity", "rows_read", "accepted", "duplicate", "superseded", "quarantined")


def run(console: Console, result: Result, lakehouse: str) -> None:
    """What a run did with every row, what it did not read and why."""
    for text in result.recovered:
        line(console, text)
    if not result.changed:
        known = f" ({len(result.already_known)} files, all read before)" if result.already_known else ""
        console.print(Text.assemble(("Nothing new", "bold"), f"{known}; every table is as it was."))
    elif not result.accounts:
        console.print(
            Text.assemble(("No new rows", "bold"), f"; {count(len(result.rebuilt), 'table')} of gold rebuilt.")
        )
    for table, reason in result.rebuilt.items():
        if reason in (freshness.REDEFINED, freshness.ELSEWHERE) or not result.accounts:
            line(console, f"{table.removeprefix('gold.')} is rebuilt: {reason}")
    rows = [{name: account[name] for name in _ACCOUNT} for account in result.accounts]
    if len(rows) > 1:
        total: dict[str, Any] = {"entity": "all"}
        total |= {name: sum(row[name] for row in rows) for name in _ACCOUNT[1:]}
        rows.append(total)
    note = "rows read = accepted + duplicate + superseded + quarantined: holds"
    records(console, "What happened to every row", rows, note)
    for account in result.accounts:
        if not account["rows_read"] and account["entity"] not in {item.entity for item in result.held}:
            line(console, f"{account['entity']}: a header and no rows")
    for text in result.given_up:
        line(console, text)
    for file, columns in result.new_columns.items():
        line(console, f"{file}: kept in bronze, not mapped: {_some(columns)}")
    for file, columns in result.missing_columns.items():
        line(console, f"{file}: lacks what the file before it had: {_some(columns)}")
    for file, skipped in result.skipped_lines.items():
        line(console, f"{file}: {count(skipped, 'line')} above the header not read")
    if result.unfed and result.changed:
        line(console, f"No file here for these sources of the contract: {_some(result.unfed)}")
    for path in result.contracts:
        line(console, f"Read by the contract {path}")
    if quarantined := sum(account["quarantined"] for account in result.accounts):
        line(
            console,
            f"{quarantined:,} {'row waits' if quarantined == 1 else 'rows wait'} in quarantine with "
            f"{'its' if quarantined == 1 else 'their'} reasons: medallion quarantine list{_at(lakehouse)}",
        )
    for note in result.notes:
        line(console, f"Accepted: {note}")
    for text in result.warnings:
        line(console, f"Warning: {text}")
    if result.ignored and result.changed:
        line(console, f"Not a CRM export, left alone: {_some(result.ignored)}")


def _at(lakehouse: str) -> str:
    """The option that names the lakehouse, where it is not the usual one."""
    return "" if lakehouse == "lakehouse" else f" --lakehouse {shlex.quote(lakehouse)}"


def next_steps(console: Console, source: str, lakehouse: str) -> None:
    """Where the tables are and what to try."""
    told = [
        "",
        f"Tables: {lakehouse}/{{bronze,silver,gold,ops}} (Delta)",
        f"Next:   medallion tables{_at(lakehouse)} · medallion status{_at(lakehouse)}",
        f"        medallion export --format csv --to export{_at(lakehouse)}",
    ]
    if (updates := Path(source, "updates")).is_dir():
        told.append(
            f"        medallion run --source {updates}{_at(lakehouse)}   (a second delivery into the same tables)"
        )
    lines(console, "\n".join(told))
