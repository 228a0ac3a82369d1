"""The commands `medallion eda` and `medallion slides`."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from medallion.figures import duration

Lake = Annotated[str | None, typer.Option("--lakehouse", help="Folder of the tables [default: lakehouse].")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings file [default: config/config.yaml].")]


def add_to(app: typer.Typer) -> None:
    """Give the app these commands."""
    app.command(
        epilog="**Examples**\n\n`medallion eda` · writes analysis/EDA_REPORT.html and what goes with it\n\n"
        "`medallion eda --lakehouse /data/lake --out june`"
    )(eda)
    app.command(
        epilog="**Examples**\n\n`medallion slides` · writes presentation/presentation.pptx and the speaker's notes\n\n"
        "`medallion slides --lakehouse /data/lake --out june`"
    )(slides)


def eda(
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("analysis"),
    lakehouse: Lake = None,
    config: Config = None,
) -> None:
    """Write the exploratory analysis: report as text and page, pictures, customer features as CSV."""
    from medallion import report as reporting
    from medallion.cli import console as show
    from medallion.config import load
    from medallion.lakehouse.store import Lakehouse

    begun = perf_counter()
    lake = Lakehouse(load(config, lakehouse=lakehouse).lakehouse)
    screen = show.screen()
    with show.Progressing(screen) as progress:
        written = reporting.eda(lake, out, progress)
    show.records(screen, "Written", [{"file": str(path), "kB": round(path.stat().st_size / 1000)} for path in written])
    show.line(screen, f"In {duration(perf_counter() - begun)}. Open {out / 'EDA_REPORT.html'} in a browser.")


def slides(
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("presentation"),
    lakehouse: Lake = None,
    config: Config = None,
) -> None:
    """Write six slides with the figures of the lakehouse, and what to say to them."""
    from medallion import report as reporting
    from medallion.cli import console as show
    from medallion.config import load
    from medallion.lakehouse.store import Lakehouse

    settings = load(config, lakehouse=lakehouse)
    screen = show.screen()
    with show.Progressing(screen) as progress:
        written = reporting.slides(Lakehouse(settings.lakehouse), out, settings.score, progress)
    show.records(screen, "Written", [{"file": str(path), "kB": round(path.stat().st_size / 1000)} for path in written])
