"""The commands `medallion eda` and `medallion slides`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from medallion import report as reporting
from medallion.cli.command import Call, command, group
from medallion.figures import duration

app = group()


@command(
    app,
    examples=(
        "`medallion eda` · writes analysis/EDA_REPORT.html and what goes with it",
        "`medallion eda --lakehouse /data/lake --out june`",
    ),
    json=False,
    at=True,
    shows="all",
)
def eda(call: Call, out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("analysis")) -> None:
    """Write the exploratory analysis: report as text and page, pictures, customer features as CSV."""
    begun = perf_counter()
    with call.steps() as progress:
        written = reporting.eda(call.lake, out, progress)
    _show_files(call, written)
    call.say(f"In {duration(perf_counter() - begun)}. Open {out / 'EDA_REPORT.html'} in a browser.")


@command(
    app,
    examples=(
        "`medallion slides` · writes presentation/presentation.pptx and the speaker's notes",
        "`medallion slides --lakehouse /data/lake --out june`",
    ),
    json=False,
    at=True,
    shows="all",
)
def slides(call: Call, out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("presentation")) -> None:
    """Write six slides with the figures of the lakehouse, and what to say to them."""
    with call.steps() as progress:
        written = reporting.slides(call.lake, out, call.settings().score, progress)
    _show_files(call, written)


def _show_files(call: Call, paths: Iterable[Path]) -> None:
    call.records("Written", [{"file": str(path), "kB": round(path.stat().st_size / 1000)} for path in paths])
