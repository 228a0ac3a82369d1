"""The templates of the pages, and what they may call."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from medallion import figures, metrics
from medallion.dashboard import searching, tables, words, writing
from medallion.version import VERSION


def environment() -> Environment:
    """The environment of the templates, which escapes everything."""
    templates = Environment(
        loader=PackageLoader("medallion.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals.update(
        words=words,
        cell=_cell,
        written=_written,
        count=figures.count,
        ratio=figures.ratio,
        NUMBERS=tables.NUMBERS,
        ANSWERED=searching.NUMBERS,
        LINKED=searching.LINKED,
        version=_version(),
    )
    templates.filters["spaced"] = lambda text: "" if text is None else str(text).replace("_", " ")
    templates.filters["fitting"] = writing.fitting
    templates.filters["commands"] = words.commands
    return templates


@pass_context
def _cell(context: Context, kind: str, value: Any) -> str:
    return writing.cell(kind, value, context["currency"])


@pass_context
def _written(context: Context, name: str, value: Any) -> str:
    return metrics.written(name, value, context["currency"])


def _version() -> str:
    """Changes with the package's own files, so that a browser does not keep old ones."""
    content = b"".join((files("medallion.dashboard") / "static" / name).read_bytes() for name in ("app.css", "app.js"))
    return f"{VERSION}-{hashlib.sha256(content).hexdigest()[:8]}"
