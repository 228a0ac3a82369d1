"""What happens, for machines: one line per event, as JSON or as text, from the standard library's logging.

Off unless asked for. Events name the run, the step, tables, counts and seconds; values of records are never in them.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from medallion.errors import MedallionError

Format = Literal["json", "text"]

#: What every event says, such as the run that this process is at; threads share it.
common: dict[str, Any] = {}
_logger = logging.getLogger("medallion")
_logger.addHandler(logging.NullHandler())


def plain(text: str) -> str:
    r"""A text without what would steer a terminal: control characters and changes of direction are spelled out.

    >>> plain("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return "".join(letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text)


def one_line(text: str) -> str:
    """A text as one line: what came from elsewhere must not look like the next line of the program's own."""
    return plain(text).replace("\n", "\\n")


def event(name: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log an event with its fields, such as `event("step finished", step="gold: deals", seconds=0.8)`."""
    _logger.log(level, name, extra={"fields": {**common, **fields}})


def start(target: str, written: Format, level: str = "info") -> None:
    """Append events to a file, or write them to standard error for `-`.

    Args:
        target: The file, or `-`.
        written: One JSON object per line, or text.
        level: debug, info, warning or error.

    Raises:
        MedallionError: The file cannot be written, or there is no such level.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise MedallionError(f"--log-level {level}: is no level", "Use debug, info, warning or error.")
    try:
        handler = logging.StreamHandler(sys.stderr) if target == "-" else logging.FileHandler(Path(target))
    except OSError as error:
        raise MedallionError(f"{target}: cannot be written: {error.strerror}", "Name another --log-file.") from error
    handler.setFormatter(_Json() if written == "json" else _Text())
    for old in [existing for existing in _logger.handlers if not isinstance(existing, logging.NullHandler)]:
        _logger.removeHandler(old)
        old.close()
    _logger.addHandler(handler)
    _logger.setLevel(number)
    _logger.propagate = False


def _parts(record: logging.LogRecord) -> dict[str, Any]:
    time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    fields = {name: value for name, value in getattr(record, "fields", {}).items() if value is not None}
    return {"time": time, "level": record.levelname.lower(), "event": record.getMessage(), **fields}


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_parts(record), default=str)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        parts = _parts(record)
        fields = [f"{name}={json.dumps(value, default=str)}" for name, value in parts.items()][3:]
        return " ".join([parts["time"], f"{parts['level']:<7}", parts["event"], *fields])
