"""Saved views: questions with a name, as YAML files in the folder `views` beside the metrics of your own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from medallion import door
from medallion.contracts import yaml
from medallion.contracts.own import folder_of_metrics
from medallion.dashboard.explore import PARAMETERS
from medallion.dashboard.parameters import Given
from medallion.errors import MedallionError

#: Letters of a name.
LONGEST = 80


@dataclass(frozen=True)
class View:
    """A saved question.

    Attributes:
        name: What people call it.
        address: The page that shows it; empty where the file cannot be read.
        file: Its file.
        problem: Why it cannot be read.
    """

    name: str
    address: str
    file: Path
    problem: str = ""


def folder() -> Path | None:
    """Where views are; None without a folder for metrics of your own."""
    metrics = folder_of_metrics()
    return metrics / "views" if metrics else None


def views() -> list[View]:
    """All of them, by name."""
    place = folder()
    paths = sorted(place.glob("*.yaml")) if place and place.is_dir() else []
    return sorted((_read(path) for path in paths), key=lambda view: view.name.casefold())


def _read(path: Path) -> View:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        return View(path.stem, "", path, f"{path.name}: cannot be read: {str(error).splitlines()[0]}")
    if (
        not isinstance(document, dict)
        or {*document} != {"view", "question"}
        or not isinstance(document["question"], dict)
    ):
        return View(path.stem, "", path, f"{path.name}: has other words than view and question")
    asked = document["question"]
    wrong = [str(name) for name, text in asked.items() if name not in PARAMETERS or not isinstance(text, str)]
    if wrong:
        return View(path.stem, "", path, f"{path.name}: {wrong[0]} is no part of a question, or no text in quotes")
    return View(str(document["view"]), f"/explore{Given(tuple(sorted(asked.items()))).query()}", path)


def save(name: str, params: Given) -> View:
    """Keep a question under a name.

    Raises:
        MedallionError: There is no folder for views, the name is not valid, or another view has it.
    """
    place, title = folder(), " ".join(name.split())
    if place is None:
        raise MedallionError(
            "there is no folder for views", "Make the folder config/metrics, or name one as `metrics` in config.yaml."
        )
    short = re.sub(r"[^a-z0-9]+", "-", title.casefold()).strip("-")
    if not short or len(title) > LONGEST or not title.isprintable():
        raise MedallionError(f"{title[:80]!r} is no name for a view", f"Use letters and digits, at most {LONGEST}.")
    path = place / f"{short}.yaml"
    if path.exists():
        raise MedallionError(f"{path}: there is a view of this name", "Choose another name, or remove the file.")
    lines = [f"view: {yaml.quoted(title)}", "question:"]
    lines += [f"  {key}: {yaml.quoted(text)}" for key, text in params.values]
    try:
        door.write(path, "\n".join(lines) + "\n", door.SHARED)
    except OSError as error:
        raise MedallionError(f"{path}: cannot be written: {error.strerror}", "Check who may write there.") from error
    return _read(path)
