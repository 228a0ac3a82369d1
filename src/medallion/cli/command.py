"""What every command has in common: options declared once, settings, lakehouse, screen, and how an answer is printed."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Literal

import typer

from medallion import addresses
from medallion.cli import console
from medallion.errors import ContractError, StateRemovedError

if TYPE_CHECKING:
    from rich.console import Console

    from medallion.access import Person
    from medallion.config import Settings
    from medallion.lakehouse.store import Lakehouse

Accept = Annotated[
    bool, typer.Option("--accept", help="Run on a contract's guesses too, and take in files that are held back.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings file [default: config/config.yaml].")]
Contract = Annotated[
    list[Path] | None,
    typer.Option("--contract", help="Contract file that overrides the shipped ones; may be given again. Stays in use."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")]
LakehousePath = Annotated[str | None, typer.Option("--lakehouse", help="Folder of the tables [default: lakehouse].")]
Models = Annotated[str | None, typer.Option("--models", help="Folder of the models [default: LAKEHOUSE/models].")]
UserHeader = Annotated[
    str | None,
    typer.Option("--user-header", metavar="NAME", help="Header in which a sign-in proxy in front names the user."),
]
Receipts = Annotated[bool, typer.Option("--receipts", help="Print where each figure comes from.")]
At = Annotated[
    str | None,
    typer.Option("--at", help="Read an earlier state: number of a manifest, or a time in UTC [default: the last]."),
]
Me = Annotated[
    str | None,
    typer.Option(
        "--me", metavar="USER", help="Who looks, where a file declares who may see what [default: the settings]."
    ),
]
MeAsks = Annotated[
    str | None,
    typer.Option(
        "--me",
        metavar="USER",
        help="Who asks: whom `I` and `my` mean; and who looks, where a file declares who may see what [default: the settings].",
    ),
]
#: What a command shows: what the person sees who looks, or who asks too; figures of everyone; or personal data, or records
#: as they came.
Shows = Literal["own", "asks", "all", "personal"]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def group(name: str | None = None, about: str | None = None) -> typer.Typer:
    """A group of commands; one without a name only collects commands of a module."""
    return typer.Typer(
        name=name,
        help=about,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
    )


def by(what: str) -> Any:
    """The option `--by`, which names who does `what`."""
    return typer.Option("--by", help=f"Who {what} [default: the user of this system].")


def user(given: str | None) -> str:
    """Who was named, or the user of this system."""
    from medallion.config import system_user  # `--help` has no need of settings

    return given or system_user()


@dataclass(frozen=True)
class Call:
    """One call of a command, with the options that every command has."""

    config: Path | None = None
    path: str | None = None
    as_json: bool = False
    at: str | None = None
    me: str | None = None

    def settings(self, **overrides: Any) -> Settings:
        """The settings, with what the command line says in place of what the file says.

        Raises:
            ContractError: A setting is wrong.
        """
        from medallion.config import load  # reads and checks YAML, which `--help` has no need of

        return load(self.config, lakehouse=self.path, **overrides).with_own_metrics()

    @cached_property
    def lake(self) -> Lakehouse:
        """The lakehouse that the settings name; with `--at` as an earlier manifest has it."""
        from medallion.lakehouse.store import Lakehouse

        return Lakehouse(self.settings().lakehouse)

    @cached_property
    def person(self) -> Person | None:
        """Who looks; None where nothing declares who may see what.

        Raises:
            ContractError: Something does, and does not know who is named; or nobody is named.
        """
        from medallion import access

        declared = self.settings().access
        return None if declared is None else access.who(declared, self.me or self.settings().me)

    def use_of_me(self, shows: Shows | None) -> None:
        """Refuse `--me` where it would change nothing.

        Raises:
            ContractError: No file declares who may see what, and nobody asks.
        """
        if self.me and shows != "asks" and self.settings().access is None:
            raise ContractError(
                "--me: no file declares who may see what", "Name one in config.yaml: `access:` (docs/ACCESS.md)."
            )

    @contextmanager
    def looking(self, shows: Shows) -> Iterator[None]:
        """Read of the lakehouse what the person sees who looks.

        Raises:
            ContractError: The person may not see what the command shows.
        """
        self.use_of_me(shows)
        person = self.person
        if person is None or (person.sees_all and person.personal):
            yield
        elif shows in ("own", "asks"):
            with self.lake.looking(person):
                yield
        elif not person.sees_all:
            raise ContractError(
                f"{person.user} sees {person.scope}, and this command shows everyone's", "See docs/ACCESS.md."
            )
        elif shows == "personal":
            raise ContractError(
                f"{person.user} may not see personal data, which this command reads", "See docs/ACCESS.md."
            )
        else:
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read one state from beginning to end: the last manifest, or with `--at` an earlier one."""
        from medallion.lakehouse import manifests, store

        versions = manifests.opened(self.lake, self.at).versions
        if versions is None:
            yield
            return
        with store.reading(self.lake.root, versions):
            yield

    @cached_property
    def currency(self) -> str:
        """The currency that the lakehouse's amounts are in."""
        from medallion.lakehouse import contracts_in_use

        return contracts_in_use.currency(self.lake)

    @cached_property
    def screen(self) -> Console:
        """Where people read; standard error when standard output is to hold one JSON document."""
        return console.screen(stderr=self.as_json)

    def steps(self) -> console.Progressing:
        """Steps, shown while they run."""
        return console.Progressing(self.screen)

    def say(self, *texts: str) -> None:
        """Lines for people."""
        for text in texts:
            console.line(self.screen, text)

    def typed(self, command: str) -> str:
        """The line to type for another command on the same lakehouse, with the same settings."""
        given = (("--lakehouse", self.path), ("--config", self.config))
        return " ".join(
            ["medallion", command, *(f"{name} {shlex.quote(str(value))}" for name, value in given if value is not None)]
        )

    def next(self, *commands: str) -> None:
        """What to do next, each a line to type."""
        for place, command in enumerate(commands):
            self.say(f"{'Next:' if not place else '':<8}{self.typed(command)}")

    def records(self, title: str, rows: Sequence[dict[str, Any]], note: str = "") -> None:
        """A table for people; none where there are no rows."""
        console.records(self.screen, title, rows, note)

    def answer(self, document: Any, tell: Callable[[], None]) -> None:
        """Print the document as JSON where that was asked for, else what `tell` says."""
        if self.as_json:
            console.dump(document)
        else:
            tell()


def _of_this_machine(value: Any) -> Any:
    """A path that an option was given as everything below it knows it: click takes an address for a path, too."""
    if isinstance(value, list):
        return [_of_this_machine(each) for each in value]
    return Path(addresses.of_path(str(value))) if isinstance(value, Path) else value


def command(
    app: typer.Typer,
    name: str | None = None,
    *,
    examples: Sequence[str],
    json: bool = True,
    lakehouse: bool = True,
    at: bool = False,
    live: bool = False,
    shows: Shows | Literal["by --at"] | None = "by --at",
) -> Callable[[Callable[Concatenate[Call, ...], None]], Callable[..., None]]:
    """Make a command of a function whose first parameter is the `Call` and whose others are its own options.

    Args:
        app: The command or group that it belongs to.
        name: Its name; by default the function's.
        examples: Lines of Markdown, each a call between backticks and perhaps what it does.
        json: It has `--json`.
        lakehouse: It has `--lakehouse` and `--config`.
        at: It has `--at`: it reads one state, the last or an earlier one.
        live: Without `--at` it follows what other commands do.
        shows: Which data it shows, where a file declares who may see what. With None it checks the user itself, or is for
            the administrator of the lakehouse.
    """
    shows = shows if shows != "by --at" else "personal" if at else None
    shared: dict[str, tuple[Any, Any]] = {}
    if lakehouse:
        shared |= {"lakehouse": (LakehousePath, None), "config": (Config, None)}
    if at:
        shared["at"] = (At, None)
    if at or shows:
        shared["me"] = (MeAsks if shows == "asks" else Me, None)
    if json:
        shared["as_json"] = (AsJson, False)

    def make(body: Callable[Concatenate[Call, ...], None]) -> Callable[..., None]:
        def run(**options: Any) -> None:
            options = {key: _of_this_machine(value) for key, value in options.items()}
            given = {key: options.pop(key) for key in shared}
            call = Call(
                given.get("config"),
                given.get("lakehouse"),
                given.get("as_json", False),
                given.get("at"),
                given.get("me"),
            )
            opened = at and (call.at or not live)
            with call.looking(shows) if shows else nullcontext():
                try:
                    with call.reading() if opened else nullcontext():
                        body(call, **options)
                except StateRemovedError:
                    if call.at or not at:
                        raise
                    with call.reading() if opened else nullcontext():  # once more, from the newest state
                        body(call, **options)

        own = list(inspect.signature(body, eval_str=True).parameters.values())[1:]
        kind = inspect.Parameter.KEYWORD_ONLY
        both = [parameter.replace(kind=kind) for parameter in own]
        both += [inspect.Parameter(key, kind, default=d, annotation=a) for key, (a, d) in shared.items()]
        run.__name__, run.__doc__, run.__annotations__ = body.__name__, body.__doc__, {}
        run.__signature__ = inspect.Signature(both)  # type: ignore[attr-defined]
        app.command(name, epilog="\n\n".join(("**Examples**", *examples)))(run)
        return run

    return make
