"""Quarantine in the browser: what waits and why, likely repairs, one record, its correction, and a replay that runs beside the pages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from medallion import figures
from medallion.care import quarantine
from medallion.config import Settings
from medallion.dashboard import words
from medallion.dashboard.parameters import BadRequestError, Given
from medallion.dashboard.reading import Reading
from medallion.errors import LakehouseError, MedallionError, StateRemovedError

PARAMETERS = ("entity", "reason")
#: Records that the page shows.
SHOWN = 200
#: Letters of a value.
LONGEST = 1000


def waiting(reading: Reading, settings: Settings, params: Given, *, pii: bool) -> dict[str, Any]:
    """What the page shows: records that wait, each with its likely repairs; no values where personal data is not shown.

    Raises:
        BadRequestError: Nothing waits of this entity or for this reason, though something else does.
    """
    entity, reason = params.get("entity"), params.get("reason")
    every = quarantine.waiting(reading.lake)
    checks = sorted({check for row in every for check in row["failed_checks"] or ()})
    for name, value, known in (("entity", entity, sorted({row["entity"] for row in every})), ("reason", reason, [*checks, *{check.rpartition(".")[0] for check in checks}])):  # fmt: skip
        if value is not None and value not in known:
            raise BadRequestError(
                words.say("nothing_waits", name=name, value=value[:60], known=", ".join(known) or "none")
            )
    chosen = quarantine.waiting(reading.lake, reason, entity)
    repairs: dict[str, list[dict[str, Any]]] = {}
    if pii and chosen:
        for suggestion in quarantine.suggest(reading.lake, settings, reason):
            repairs.setdefault(suggestion["quarantine_id"], []).append(suggestion)
    return {
        "entities": sorted({row["entity"] for row in every}),
        "checks": checks,
        "total": len(chosen),
        "corrected": sum(bool(row["corrections"]) for row in every),
        "rows": [
            {**row, "why": row["reasons"] if pii else row["failed_checks"], "repairs": repairs.get(row["quarantine_id"], [])}
            for row in chosen[:SHOWN]
        ],
    }  # fmt: skip


def record(reading: Reading, settings: Settings, quarantine_id: str, *, pii: bool) -> dict[str, Any] | None:
    """One record with its cells, what fills each column, and its corrections; None where there is no such record."""
    try:
        refused = quarantine.record(reading.lake, quarantine_id)
    except StateRemovedError:  # while a replay writes: the page is read again
        raise
    except LakehouseError:
        return None
    if refused["quarantine_id"] != quarantine_id:  # the identifier is abbreviated
        return None
    failed = [check.rpartition(".")[0] for check in refused["failed_checks"] or ()]
    repairs = [
        suggestion
        for suggestion in quarantine.suggest(reading.lake, settings)
        if suggestion["quarantine_id"] == quarantine_id
    ]
    columns = refused["columns"] if pii else dict.fromkeys(refused["columns"])
    return {
        **refused,
        "columns": columns,
        "cells": {name: text for name, text in refused["cells"].items() if text not in (None, "")} if pii else {},
        "corrections": refused["corrections"] if pii else [],
        "why": refused["reasons"] if pii else refused["failed_checks"],
        "failed": [name for name in dict.fromkeys(failed) if name in columns],
        "repairs": repairs if pii else [],
    }


def correct(settings: Settings, form: Mapping[str, str], quarantine_id: str, who: str, now: datetime) -> None:
    """Write down what a column of a record is to say, as `medallion quarantine fix` does.

    Raises:
        BadRequestError: No column is named, or the value is none.
        MedallionError: The record does not wait, has no such column, or something else is writing.
    """
    column, value = form.get("column", "").strip(), form.get("value", "").strip()
    if not column or len(value) > LONGEST or any(not letter.isprintable() for letter in value):
        raise BadRequestError(words.say("not_text", name="value" if column else "column", longest=LONGEST))
    quarantine.fix(settings, [quarantine.Correction(quarantine_id, column, value)], who, now)


@dataclass(frozen=True)
class Progress:
    """What the last replay does or came to.

    Attributes:
        began_at: When it began (UTC).
        who: Who began it.
        step: What it does now; None once it has ended.
        says: What it came to, or why it failed; empty while it runs.
        failed: Whether it failed.
    """

    began_at: datetime
    who: str
    step: str | None = "starting"
    says: str = ""
    failed: bool = False


class Replays:
    """Replays of the corrected records, one at a time, in a thread of its own: a run takes longer than a click."""

    def __init__(self, replay: Callable[..., Any] = quarantine.reprocess_refused) -> None:
        """`replay` is what `medallion quarantine replay` calls."""
        self._replay, self._lock = replay, threading.Lock()
        self.last: Progress | None = None
        self._thread: threading.Thread | None = None

    def start(self, settings: Settings, who: str, now: datetime) -> bool:
        """Begin one, and say whether it did: not while another runs."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return False
            self.last = Progress(now, who)
            self._thread = threading.Thread(target=self._run, args=(settings, self.last), daemon=True)
            self._thread.start()
            return True

    def wait(self, seconds: float) -> None:
        """Until the one that runs has ended."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self, settings: Settings, began: Progress) -> None:
        def step(name: str, seconds: float | None) -> None:
            if seconds is None:
                self.last = Progress(began.began_at, began.who, name)

        try:
            result = self._replay(settings, began.began_at, step)
        except MedallionError as error:
            self.last = Progress(began.began_at, began.who, None, f"{error.problem}. {error.remedy}", True)
        except Exception as error:  # the thread has nobody else to tell
            self.last = Progress(began.began_at, began.who, None, f"It failed: {type(error).__name__}.", True)
            raise
        else:
            self.last = Progress(began.began_at, began.who, None, _came_to(result))


def _came_to(result: Any) -> str:
    if result is None:
        return "Nothing was replayed: no waiting record has a correction."
    read, accepted, refused = (
        sum(row[name] for row in result.accounts) for name in ("rows_read", "accepted", "quarantined")
    )
    return f"{figures.count(read, 'record')} replayed: {accepted:,} accepted, {refused:,} refused again."
