"""The exploratory analysis of a lakehouse: text, page, pictures and features as CSV; and its slides.

`facts` and `profile` read the figures, `sections` and `findings` say them, `text`, `html`, `pictures` and
`presentation` write them down. Nothing else computes a figure.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import duckdb

from medallion import charts, temporary
from medallion.errors import MedallionError
from medallion.lakehouse import manifests, query
from medallion.lakehouse.store import Lakehouse
from medallion.report import facts as figures
from medallion.report import profile, sections
from medallion.report.facts import Facts
from medallion.report.profile import Profile
from medallion.weights import ScoreWeights

Report = Callable[[str, float | None], None]

#: What DuckDB may take; beyond it, it goes on in files.
MEMORY = "2GB"


def eda(lake: Lakehouse, out: Path, report: Report = lambda *_: None) -> list[Path]:
    """Write the exploratory analysis of a lakehouse into a folder, and return the files.

    Args:
        lake: The lakehouse, which is only read.
        out: Folder, created when missing; a file of the same name is replaced once the new one is complete.
        report: Called with each step's name before it (no seconds) and after it.

    Raises:
        LakehouseError: There is no lakehouse, or no gold in it.
        MedallionError: Charts are not installed, or the folder cannot be written.
    """
    from medallion.report.html import html
    from medallion.report.pictures import pictures
    from medallion.report.text import text

    lake = manifests.as_read(lake)
    with ThreadPoolExecutor(1) as beside:
        script = beside.submit(charts.javascript)
        with _reading(lake) as connection:
            with _step(report, "report: figures"):
                facts = figures.gather(connection, lake)
            with _step(report, "report: data quality"):
                profiles = profile.profiles(connection, lake)
            with _step(report, "report: customer_features.csv"):
                written = [_features(connection, out)]
        with _step(report, "report: pictures"):
            drawn = pictures(facts)
            written = [
                _picture(out / f"{name}.png", charts.themed(dict(chart))) for name, chart in drawn.items()
            ] + written
        with _step(report, "report: text and page"):
            document = sections.document(facts, profiles)
            written.append(_put(out / "EDA_REPORT.txt", text(document).encode()))
            written.append(_put(out / "EDA_REPORT.html", html(document, script.result()).encode()))
    return written


def slides(lake: Lakehouse, out: Path, weights: ScoreWeights, report: Report = lambda *_: None) -> list[Path]:
    """Write the slides and the speaker's notes into a folder, and return the files.

    Args:
        lake: The lakehouse, which is only read.
        out: Folder, created when missing; a file of the same name is replaced once the new one is complete.
        weights: Weights of the rule score, which a slide shows.
        report: Called with each step's name before it (no seconds) and after it.

    Raises:
        LakehouseError: There is no lakehouse, or no gold in it.
        MedallionError: Slides are not installed, or the folder cannot be written.
    """
    from medallion.report import deck
    from medallion.report.presentation import presentation

    with _step(report, "slides: figures"):
        facts, profiles = gathered(lake)
    with _step(report, "slides: file and notes"):
        slide_deck = deck.slides(facts, profiles, weights)
        return [
            _put(out / "presentation.pptx", presentation(slide_deck, facts)),
            _put(out / "presentation_notes.md", deck.notes(slide_deck).encode()),
        ]


def gathered(lake: Lakehouse) -> tuple[Facts, list[Profile]]:
    """The figures and profiles of a lakehouse.

    Raises:
        LakehouseError: There is no lakehouse, or no gold in it.
    """
    lake = manifests.as_read(lake)
    with _reading(lake) as connection:
        return figures.gather(connection, lake), profile.profiles(connection, lake)


@contextmanager
def _reading(lake: Lakehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    with (
        temporary.folder() as spill,
        query.connect(lake, layers=("bronze", "silver", "gold", "ops"), alone=True) as connection,
    ):
        connection.execute(f"set memory_limit = '{MEMORY}'")
        connection.execute("set temp_directory = '" + spill.replace("'", "''") + "'")
        yield connection


def _features(connection: duckdb.DuckDBPyConnection, out: Path) -> Path:
    target = out / "customer_features.csv"
    select = f"{query.for_spreadsheets(connection, 'gold.customer_features')} order by customer_id"

    def copy(part: Path) -> None:
        place = str(part).replace("'", "''")
        connection.execute(f"copy ({select}) to '{place}' (format csv, header)")

    return _replaced(target, copy)


def _picture(target: Path, chart: Mapping[str, Any]) -> Path:
    """Draw a chart, unless the file has it: fonts differ by machine, and would change the picture of the same data."""
    stamp = hashlib.sha256(json.dumps(chart, sort_keys=True, default=str).encode()).hexdigest()
    mark = b"tEXt" + f"Chart\0{stamp}".encode()
    if target.is_file() and mark in target.read_bytes()[:1024]:
        return target
    return _put(target, _stamped(charts.png(chart), mark))


def _stamped(picture: bytes, mark: bytes) -> bytes:
    """A PNG with one more chunk, after its header of 33 bytes; `mark` is its type and content."""
    chunk = struct.pack(">I", len(mark) - 4) + mark + struct.pack(">I", zlib.crc32(mark))
    return picture[:33] + chunk + picture[33:]


def _put(target: Path, content: bytes) -> Path:
    return _replaced(target, lambda part: part.write_bytes(content))


def _replaced(target: Path, write: Callable[[Path], Any]) -> Path:
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write(part)
        part.replace(target)
    except (OSError, duckdb.IOException) as error:
        if isinstance(error, duckdb.Error) and part.name not in str(error):
            raise  # of what is read
        raise MedallionError(f"{target}: cannot be written: {error}", "Choose another folder with --out.") from error
    finally:
        if part.is_file():
            part.unlink()
    return target


@contextmanager
def _step(report: Report, name: str) -> Iterator[None]:
    begun = perf_counter()
    report(name, None)
    yield
    report(name, perf_counter() - begun)
