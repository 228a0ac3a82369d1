"""What whoever keeps a lakehouse is told when a scheduled command needs them: a message as JSON, to a program or an address.

The line in `text` has words and counts of the product only, so that it can be shown anywhere. Names of files are in
`files`, and messages, which may quote a cell, only where the settings ask for `details`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any
from urllib.error import HTTPError

from medallion import addresses
from medallion.config import Notify
from medallion.errors import MedallionError
from medallion.figures import count

if TYPE_CHECKING:
    from medallion.learning.monitor import Watch
    from medallion.pipeline.result import Result

#: Files that a message names at most.
_MOST = 50


@dataclass(frozen=True)
class Notice:
    """What happened.

    Attributes:
        command: The command that found it: run or monitor.
        events: Of failure, held and drift those that happened.
        parts: What happened, in words and counts.
        files: What is wrong with which file: `what`, `file`, and as details `problem` and `remedy`.
        more: Other facts; those under `problem` and `remedy` are details.
    """

    command: str
    events: tuple[str, ...]
    parts: Sequence[str]
    files: Sequence[dict[str, str]] = ()
    more: dict[str, Any] = field(default_factory=dict)

    def document(self, lakehouse: str, now: datetime, *, details: bool) -> dict[str, Any]:
        """The message; `now` is UTC without zone."""

        def shown(facts: dict[str, Any]) -> dict[str, Any]:
            return facts if details else {k: v for k, v in facts.items() if k not in ("problem", "remedy")}

        return {
            "text": f"medallion {self.command}: {'; '.join(self.parts)} ({lakehouse})",
            "command": self.command,
            "events": list(self.events),
            "lakehouse": lakehouse,
            "time": f"{now.isoformat(timespec='seconds')}Z",
            **shown(self.more),
            "files": [shown(file) for file in self.files[:_MOST]],
            "files_not_named": max(0, len(self.files) - _MOST),
        }


def of_error(command: str, error: Exception) -> Notice:
    """A command that ended with an error."""
    known = isinstance(error, MedallionError)
    more = {
        "error": type(error).__name__,
        "problem": error.problem if isinstance(error, MedallionError) else str(error),
    }
    if isinstance(error, MedallionError):
        more["remedy"] = error.remedy
    return Notice(
        command, ("failure",), [f"failed with {type(error).__name__ if known else 'an unexpected error'}"], (), more
    )


def of_run(result: Result) -> Notice | None:
    """What is wrong with the files of a run, or None."""
    lists = (
        ("failure", "not read", result.refused, "could not be read"),
        ("failure", "mostly refused", result.poor, "had most of {its} rows refused"),
        ("held", "held back", result.held, "{is} held back"),
    )
    events, parts, files = [], [], []
    for event, what, refusals, words in lists:
        if refusals:
            is_one = len(refusals) == 1
            events.append(event)
            parts.append(
                f"{count(len(refusals), 'file')} {words.format(its='its' if is_one else 'their', **{'is': 'is' if is_one else 'are'})}"
            )
            files += [{"what": what, "file": r.name, "problem": r.problem, "remedy": r.remedy} for r in refusals]
    if result.missing_columns:
        lack = "lacks" if len(result.missing_columns) == 1 else "lack"
        events.append("drift")
        parts.append(f"{count(len(result.missing_columns), 'file')} {lack} columns that the one before it had")
        files += [
            {"what": "columns missing", "file": name, "problem": ", ".join(columns)}
            for name, columns in result.missing_columns.items()
        ]
    if not events:
        return None
    more = {"run_id": result.run_id, "as_of": None if result.as_of is None else f"{result.as_of}"}
    return Notice("run", tuple(dict.fromkeys(events)), parts, files, more)


def of_watch(watch: Watch) -> Notice | None:
    """What monitoring recommends to do about the model in use, or None where it may stay or there is none."""
    if not watch.asks:
        return None
    more = {
        "model": watch.champion,
        "recommendation": watch.recommendation,
        "because": watch.because,
        "as_of": f"{watch.as_of}",
    }
    return Notice("monitor", ("drift",), [f"the model should be changed: {watch.recommendation}"], (), more)


def send(settings: Notify, notice: Notice, lakehouse: str, now: datetime) -> list[MedallionError]:
    """Tell it where the settings say; gives what did not work, and raises nothing for that.

    Args:
        settings: Who is told, and of what.
        notice: What happened; nothing is sent where none of its events is one that the settings name.
        lakehouse: Where it happened.
        now: The clock, UTC without zone.
    """
    if not set(notice.events) & set(settings.on):
        return []
    body = json.dumps(notice.document(lakehouse, now, details=settings.details)).encode()
    ways: list[Callable[[Notify, bytes], None]] = []
    if settings.command:
        ways.append(_start)
    if settings.webhook or settings.webhook_env:
        ways.append(_post)
    failed = []
    for way in ways:
        try:
            way(settings, body)
        except MedallionError as error:
            failed.append(error)
    return failed


def _start(settings: Notify, body: bytes) -> None:
    """Give the message to a program; after the timeout it is ended with all that it has started."""
    program = settings.command[0]
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
        given.write(body)
        given.seek(0)
        try:
            started = subprocess.Popen(  # noqa: S603 - a list of words from the user's own settings, without a shell
                settings.command, stdin=given, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
            )
        except (OSError, ValueError) as error:
            raise MedallionError(
                f"notify.command: {program} cannot be started: {error}", "Name a program by its whole path."
            ) from error
        try:
            status = started.wait(settings.timeout_seconds)
        except subprocess.TimeoutExpired as error:
            if hasattr(os, "killpg"):
                os.killpg(started.pid, signal.SIGKILL)
            else:  # Windows has no groups of processes
                started.kill()
            started.wait()
            raise MedallionError(
                f"notify.command: {program} was ended after {settings.timeout_seconds:g} s",
                "Raise notify.timeout_seconds, or let the program do its work in the background.",
            ) from error
        if status:
            raise MedallionError(
                f"notify.command: {program} ended with {status}{_first_line(errors)}",
                "It gets one JSON document on standard input.",
            )


def _first_line(errors: IO[bytes]) -> str:
    errors.seek(0)
    line = errors.readline(300).decode(errors="replace").strip()
    return f": {line}" if line else ""


def _post(settings: Notify, body: bytes) -> None:
    """Post the message. No redirection is followed: it and its token go to the address that was named, and nowhere else."""
    from http.client import HTTPException  # few runs have something to tell
    from urllib import request

    address = settings.webhook or _secret("webhook_env", settings.webhook_env)
    name = "notify.webhook" if settings.webhook else f"notify.webhook_env: {settings.webhook_env}"
    try:
        addresses.of_service(address)
    except ValueError as error:  # whose words would quote what may be a secret
        raise MedallionError(f"{name}: is no https address", "Set it to the whole address.") from error
    headers = {"Content-Type": "application/json"}
    if settings.token_env:
        headers["Authorization"] = f"Bearer {_secret('token_env', settings.token_env)}"
    call = request.Request(address, body, headers, method="POST")  # noqa: S310 - https, or this machine
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPDefaultErrorHandler,
        request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    try:
        with opener.open(call, timeout=settings.timeout_seconds):
            return
    except HTTPError as error:
        raise MedallionError(
            f"{name}: the address answered {error.code}", "Check the address, and the token."
        ) from error
    except (OSError, HTTPException, ValueError) as error:  # a ValueError: a name of a host that cannot be one
        reason = getattr(error, "reason", None) or type(error).__name__
        raise MedallionError(f"{name}: no answer: {reason}", "Check the address and the network.") from error


def _secret(setting: str, variable: str | None) -> str:
    value = os.environ.get(variable or "", "").strip()
    if not value.isascii() or not value.isprintable():
        raise MedallionError(f"notify.{setting}: {variable} has characters that cannot be sent", "Set it again.")
    if not value:
        raise MedallionError(f"notify.{setting}: {variable} is not set", "Set it in the environment of the schedule.")
    return value
