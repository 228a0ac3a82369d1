"""The report as one page that needs no network: text, tables, and charts that answer to the pointer."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from medallion import charts
from medallion.charts import theme
from medallion.report.document import Document, Paragraph, Picture, Table


def html(document: Document, javascript: str) -> str:
    """The page; `javascript` is what `charts.javascript` gives.

    Everything in the data is escaped, and the page's policy lets no script run but its own two and opens no
    connection.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.tests.update(
        paragraph=lambda block: isinstance(block, Paragraph),
        table=lambda block: isinstance(block, Table),
        picture=lambda block: isinstance(block, Picture),
    )
    template = environment.from_string(_resource("page.html.j2"))
    data = {
        "charts": {
            picture.name: {mode: _bare(charts.themed(dict(picture.chart), mode)) for mode in ("light", "dark")}
            for picture in document.pictures
        },
        "configs": {mode: theme.config(mode) for mode in ("light", "dark")},
    }
    own = _resource("page.js")
    return template.render(
        document=document,
        style=Markup(_resource("page.css")),  # noqa: S704 - the package's own file
        data=Markup(json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")),  # noqa: S704 - no tag can end in it
        scripts=[Markup(javascript), Markup(own)],  # noqa: S704 - the package's own files
        policy=f"default-src 'none'; script-src {_hash(javascript)} {_hash(own)}; style-src 'unsafe-inline'; img-src data: blob:",
        still={picture.name: _still(picture) for picture in document.pictures},
    )


def _bare(chart: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in chart.items() if key != "config"}


def _resource(name: str) -> str:
    return (files("medallion.report") / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _still(picture: Picture) -> str:
    drawn = charts.svg(charts.themed(dict(picture.chart)))
    return "data:image/svg+xml;base64," + base64.b64encode(drawn.encode()).decode()
