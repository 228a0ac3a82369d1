"""The `medallion` command: which commands there are, what all of them share, and how errors are told."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Annotated, Any, Literal, NoReturn, cast

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from medallion import log
from medallion.cli import console
from medallion.errors import MedallionError
from medallion.version import VERSION

#: Commands by purpose, each with the module of this package that has it, and its help as the list of commands tells it:
#: the module is loaded when the command is called.
_PANELS: dict[str, dict[str, tuple[str, str]]] = {
    "Bring data in": {
        "run": ("run", "Bring new exports through bronze, silver and gold, and tell the insights."),
        "init": ("run", "Look at unknown exports and propose a contract for them, to be reviewed."),
        "upload": (
            "upload",
            "Send exports to the landing place: what is there is skipped, what was interrupted goes on.",
        ),
        "replay": ("run", "Compute gold as it was on a day, beside the lakehouse; the lakehouse itself is only read."),
        "reprocess": (
            "reprocess",
            "Read again what bronze has, by the present contract and code; the reading before stays replayable, and gold follows.",
        ),
        "demo": (
            "demo",
            "Make a simulated company of 3,000 accounts to look around in: two years of deals, loaded, scored and forecast.",
        ),
        "simulate": (
            "simulate",
            "Write exports of a simulated CRM world, with the true probability of every open deal beside them.",
        ),
    },
    "Ask for figures": {
        "insights": ("state", "Print the figures of the gold tables."),
        "metrics": ("metrics", "One definition per number: look it up, ask for its value, check it."),
        "records": ("records", "List records, with the question as it was understood: which deals, which accounts."),
        "forecast": (
            "forecast",
            "Forecast the revenue of a period with its intervals, and keep the forecast to be compared with what comes.",
        ),
        "dashboard": ("dashboard", "Show the dashboard in the browser, or write it as one file."),
        "eda": (
            "report",
            "Write the exploratory analysis: report as text and page, pictures, customer features as CSV.",
        ),
        "slides": ("report", "Write six slides with the figures of the lakehouse, and what to say to them."),
        "export": ("state", "Write tables as plain Parquet or CSV files."),
    },
    "Work with accounts": {
        "plan": (
            "agent",
            "Tell whom to contact: accounts with most expected value first, with channel, hour, reasons and what happened last.",
        ),
        "brief": (
            "agent",
            "Put one account on a page: worth, open deals, last touches, what notes say, and an agenda.",
        ),
        "draft": (
            "agent",
            "Write a draft to an account in its language and the tone of the settings, for you to finish and send.",
        ),
        "ask": (
            "agent",
            "Answer a question about sales, with a receipt for every figure; says so where it cannot (exit status 1).",
        ),
        "chat": (
            "agent",
            "Answer questions one after the other, each may go on from the one before; an empty line or `exit` ends.",
        ),
        "actions": ("actions", "Changes to the CRM that were proposed: decide on them, apply them."),
    },
    "Score deals": {
        "train": (
            "models",
            "Learn the probability of winning an open deal, test it on later deals, and activate the best model.",
        ),
        "score": ("models", "Score the open deals, bring gold up to date with the scores, and show the best."),
        "explain": (
            "models",
            "Tell why a deal or an account has its score, what would change it, and the rows behind it.",
        ),
        "monitor": ("models", "Compare the model with the open deals of today, and its forecasts with the outcomes."),
        "models": ("models", "List the trained models, or choose the active one."),
    },
    "Keep it right": {
        "status": ("state", "Show runs, manifests, batches, row accounts, quarantine and freshness."),
        "tables": ("state", "List the tables with their rows, version and grain."),
        "quarantine": ("quarantine", "Refused records: see them, correct them, reprocess them."),
        "duplicates": (
            "duplicates",
            "Accounts and contacts that may be one: see why, merge them, keep them apart, undo it.",
        ),
        "gate": ("state", "Check the newest delivery and gold; end with 1 when they must not be published."),
        "doctor": (
            "repair",
            "Examine a lakehouse: logs, files, schemas, keys, row accounts, models. Ends with 1 when something is broken.",
        ),
        "verify": ("repair", "Compare a lakehouse with its manifests. Ends with 1 when something is broken."),
        "maintain": (
            "repair",
            "Compact tables and delete files that no manifest you can still open needs (the last 30 days and each month's last).",
        ),
        "restore": ("repair", "Go back to how a command left the lakehouse; files that came later count as new again."),
        "forget": (
            "forget",
            "Forget an account and its people: out of every layer and version, and not back with the next export.",
        ),
        "access": (
            "access",
            "Check the declaration of who may see what. Ends with 1 when it names an owner or a team that nobody has.",
        ),
    },
    "Connect": {
        "mcp": (
            "agent",
            "Offer the agent's tools to clients of the Model Context Protocol, always over the newest state.",
        ),
        "powerbi": ("powerbi", "Power BI files from the gold tables and the metrics."),
        "databricks": ("databricks", "The job and what it needs in a Databricks workspace."),
    },
}
COMMANDS = {name: entry for panel in _PANELS.values() for name, entry in panel.items()}
_PANEL = {name: title for title, panel in _PANELS.items() for name in panel}


class _Loaded(MutableMapping[str, Any]):
    """The commands by name, each loaded when it is looked up."""

    def __getitem__(self, name: str) -> Any:
        module, _ = COMMANDS[name]
        loaded = get_command(import_module(f"medallion.cli.{module}").app)
        return loaded if loaded.name == name else cast(TyperGroup, loaded).commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)

    def __setitem__(self, name: str, value: Any) -> None:
        raise TypeError("commands are declared in COMMANDS")

    __delitem__ = __setitem__  # type: ignore[assignment]


class Commands(TyperGroup):
    """The group of all commands; its help lists them without loading their modules."""

    _listing = False

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = _Loaded()

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, as they are listed."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command; only its name and help while the commands are listed."""
        if self._listing and cmd_name in COMMANDS:
            return TyperCommand(cmd_name, help=COMMANDS[cmd_name][1], rich_help_panel=_PANEL[cmd_name])
        return self.commands[cmd_name] if cmd_name in COMMANDS else None

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


app = typer.Typer(
    name="medallion",
    cls=Commands,
    help="CRM exports to trusted gold tables and insights, on a laptop or on Databricks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog="**Examples**\n\n`medallion run` · then `medallion insights`, `medallion status`, "
    "`medallion export --format csv --to export`\n\n"
    "Exit status: 0 the laws hold and every file was taken in; 1 something is wrong, the message says what; "
    "2 the command line is wrong; 3 too little to learn from.",
)
_debug = False
#: New objects after which garbage is looked for, and how often all of them are looked at. Python's own 700 make it look at
#: the modules, contracts and plans of a command again and again, and these live as long as it does: a small delivery makes
#: some 260,000 of them.
_COLLECT = (300_000, 20, 20)


def main() -> None:
    """Run the command; a user's mistake is told in one message, a traceback only with `--debug`."""
    global _debug
    gc.set_threshold(*_COLLECT)
    _debug = "--debug" in sys.argv  # before a command's module is loaded, which may fail
    before = signal.signal(signal.SIGINT, lambda *_: _stop())
    try:
        app()
    except MedallionError as error:
        _fail(error)
    except OSError as error:  # a path that cannot be, a file that someone took away, a full disk
        if _debug:
            raise
        place = f"{error.filename}: " if error.filename else ""
        _fail(
            MedallionError(
                f"{place}cannot be used: {error.strerror or error}",
                "Check the path, that this user may read and write it, and that there is space.",
            )
        )
    except Exception as error:
        if _debug:
            raise
        reason = str(error).strip().splitlines() or [type(error).__name__]
        _fail(
            MedallionError(
                f"Unexpected {type(error).__name__}: {reason[0][:300]}", "Run again with --debug for the traceback."
            )
        )
    finally:
        signal.signal(signal.SIGINT, before)


def _stop() -> NoReturn:
    """End at once: threads would wait for what the engine is at, and nothing half-written counts."""
    Console(stderr=True).print("\nStopped. The next command that writes continues or rolls back what was begun.")
    os._exit(130)


def _fail(error: MedallionError) -> NoReturn:
    if _debug:
        raise error
    log.event("error", logging.ERROR, kind=type(error).__name__, exit_status=error.exit_status)
    console.wrong("Error:", error.problem, error.remedy)
    sys.exit(error.exit_status)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"medallion {VERSION}")
        raise typer.Exit


@app.callback()
def _common(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    log_file: Annotated[
        str | None,
        typer.Option(
            "--log-file",
            envvar="MEDALLION_LOG_FILE",
            help="Add events to this file, one a line; `-` is standard error.",
        ),
    ] = None,
    log_format: Annotated[
        Literal["json", "text"],
        typer.Option("--log-format", envvar="MEDALLION_LOG_FORMAT", help="How events are written."),
    ] = "json",
    log_level: Annotated[
        str,
        typer.Option("--log-level", envvar="MEDALLION_LOG_LEVEL", help="debug, info, warning or error."),
    ] = "info",
) -> None:
    global _debug
    _debug = debug
    if log_file:
        log.start(log_file, log_format, log_level)
