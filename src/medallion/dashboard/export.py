"""The dashboard as one file: all pages below each other, pictures drawn, no script, no server, no network."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path

from markupsafe import Markup

from medallion import door
from medallion.access import Person
from medallion.charts import theme
from medallion.config import Settings, utc_now
from medallion.dashboard import health, pages, pictures, words
from medallion.dashboard.parameters import Given
from medallion.dashboard.reading import Reading
from medallion.dashboard.web.figures import page_context
from medallion.dashboard.web.templates import environment
from medallion.errors import MedallionError
from medallion.lakehouse.store import Lakehouse

#: Rows of each table.
ROWS = 50
MODES: tuple[theme.Mode, theme.Mode] = ("light", "dark")


def export(settings: Settings, target: Path, *, pii: bool = False, person: Person | None = None) -> None:
    """Write the file, whole or not at all; with what a person sees where one is given.

    Raises:
        LakehouseError: There is no lakehouse, or no gold in it.
        MedallionError: The file cannot be written, or charts are not installed.
    """
    reading = Reading(Lakehouse(settings.lakehouse, person=person))
    try:
        text = page(reading, settings, pii=pii)
    finally:
        reading.close()
    try:
        door.write(target, text, door.SHARED)
    except OSError as error:
        raise MedallionError(
            f"{target}: cannot be written: {error.strerror}", "Choose another --export FILE."
        ) from error


def page(reading: Reading, settings: Settings, *, pii: bool = False) -> str:
    """The file's content."""
    style = _resource("app.css") + _resource("export.css")
    return environment().get_template("export.html.j2").render(
        style=Markup(style),  # noqa: S704 - the package's own file
        policy=f"default-src 'none'; style-src {_hash(style)}; img-src data:",
        as_of=reading.as_of,
        currencies=reading.currencies,
        currency=reading.currency,
        lakehouse=Path(reading.lake.root).name,
        pages=[_page(page, reading, pii=pii) for page in pages.PAGES.values()],
        reliability=_reliability(health.model(reading, settings)),
        health=None if reading.person and not reading.person.sees_all else health.health(reading, settings, utc_now()),
        pii=pii,
        health_title=words.PAGES["health"][0],
    )  # fmt: skip


def _page(shown: pages.Page, reading: Reading, *, pii: bool) -> dict[str, object]:
    context = page_context(shown, Given(), reading, pii=pii, size=ROWS)
    drawn = []
    for part in shown.parts:
        size: pictures.Size = "wide" if part.wide else "normal"
        if isinstance(part, pages.Trend):
            chart, says = (
                pictures.trend(part, part.rows(Given(), reading), size, reading.currency),
                f"{part.title}, by day.",
            )
        else:
            split = pages.split(part, Given(), reading)
            chart, says = pictures.draw(split, size, reading.currency), pictures.says(split, reading.currency)
        light, dark = (_picture(pictures.svg(chart, mode)) for mode in MODES)
        drawn.append({"part": part, "says": says, "light": light, "dark": dark})
    return {**context, "drawn": drawn}


def _reliability(model: dict[str, object]) -> dict[str, str] | None:
    rows, days = model.get("reliability"), model.get("horizon_days")
    if not isinstance(rows, list) or not isinstance(days, int) or not rows:
        return None
    light, dark = (_picture(pictures.svg(pictures.reliability(rows, days, "normal"), mode)) for mode in MODES)
    return {"light": light, "dark": dark}


def _picture(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _resource(name: str) -> str:
    return (files("medallion.dashboard") / "static" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
