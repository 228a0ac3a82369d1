"""The models of a lakehouse as files: JSON and UBJSON, with hashes that are checked before anything is used.

    <folder>/champion.json              the active version, and the hash of its model.json
    <folder>/<version>/model.json       what it learned, its tiers, the signature of its signals, the hash of its trees
    <folder>/<version>/model.ubj        trees, where it has any
    <folder>/<version>/evaluation.json  model_card.md  reliability.svg

Nothing here is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from medallion import door
from medallion.errors import LakehouseError
from medallion.scoring.calibration import Calibration
from medallion.scoring.predict import Scorer
from medallion.scoring.signals import SIGNALS, Own, loaded

FORMAT = 3
#: How the origin of a model begins that never saw a real customer; its name says so wherever it is used.
SIMULATED = "a simulated world"
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,80}")


def signature() -> str:
    """Hash of what the signals are: names, types and definitions. A model of other signals is not used."""
    definitions = [[s.name, s.type, s.definition] for s in SIGNALS]
    return hashlib.sha256(json.dumps(definitions).encode()).hexdigest()[:16]


class EarlierModelError(LakehouseError):
    """A model that an earlier version of the product has trained, which this one no longer scores with."""


@dataclass(frozen=True)
class Entry:
    """A registered model: what scores, and everything else that its file says."""

    scorer: Scorer
    document: Mapping[str, Any]
    folder: Path

    @property
    def as_of(self) -> date:
        """The last day whose outcomes it learned from: it says nothing of days before."""
        return date.fromisoformat(str(self.document["as_of"]))

    @property
    def fixed(self) -> tuple[str, ...]:
        """Columns of a deal that were trusted not to change."""
        return tuple(self.document.get("fixed_columns", ()))

    @property
    def own(self) -> tuple[Own, ...]:
        """Signals of a contract that it learned from."""
        return self.scorer.own

    @property
    def evaluation(self) -> dict[str, Any]:
        """The evaluation beside the model, or in the registry itself where it was published; empty without one."""
        paths = [folder / "evaluation.json" for folder in (self.folder, self.folder.parent)]
        return next((json.loads(path.read_text(encoding="utf-8")) for path in paths if path.is_file()), {})


def named(document: Mapping[str, Any], trees: bytes | None) -> dict[str, Any]:
    """The content of model.json: a document with its format, signature and hashes, and the version that it gets."""
    content = {
        **document,
        "format": FORMAT,
        "signals": signature(),
        "trees_sha256": _digest(trees) if trees else None,
    }
    content.pop("version", None)
    world = "-simulated" if str(content["trained_on"]).startswith(SIMULATED) else ""
    learned = {name: value for name, value in content.items() if name != "product"}  # who trained it changes no score
    content["version"] = (
        f"{content['as_of']}-{content['kind']}{world}-{_digest(json.dumps(learned, sort_keys=True).encode())[:8]}"
    )
    return content


def register(folder: Path, document: dict[str, Any], trees: bytes | None, texts: Mapping[str, str]) -> str:
    """Write a model as a version of its own and give its name; the same model is the same version.

    Args:
        folder: The registry.
        document: Content of model.json without `format`, `version`, `signals` and `trees_sha256`.
        trees: Content of model.ubj.
        texts: Further files by name.
    """
    content = named(document, trees)
    target = folder / str(content["version"])
    for name, text in texts.items():
        door.write(target / name, text, door.SHARED)
    if trees:
        door.write(target / "model.ubj", trees, door.SHARED)
    door.write(target / "model.json", json.dumps(content, indent=1) + "\n", door.SHARED)
    return str(content["version"])


def crown(folder: Path, version: str) -> None:
    """Make a version the active one."""
    seal = _digest((folder / version / "model.json").read_bytes())
    door.write(
        folder / "champion.json",
        json.dumps({"version": version, "sha256": seal}, indent=1) + "\n",
        door.SHARED,
    )


def champion(folder: Path) -> Entry | None:
    """The active version; None where none was trained.

    Raises:
        LakehouseError: Its files are missing, were changed since they were registered, or do not fit this program.
    """
    pointer = folder / "champion.json"
    if not pointer.is_file():
        return None
    content = _json(pointer)
    version = str(content.get("version"))
    if not _VERSION.fullmatch(version):
        raise LakehouseError(f"{pointer}: {version!r} is not the name of a model", _AGAIN)
    return load(folder / version, content.get("sha256"))


def versions(folder: Path) -> list[str]:
    """Names of all registered versions."""
    return sorted(path.parent.name for path in folder.glob("*/model.json"))


def load(folder: Path, seal: str | None = None) -> Entry:
    """The model of a folder.

    Args:
        folder: Folder with model.json.
        seal: SHA-256 that model.json must have; None where nothing vouches for it.

    Raises:
        LakehouseError: As `champion`.
    """
    path = folder / "model.json"
    document = _json(path, seal)
    if document.get("format") in range(1, FORMAT):
        raise EarlierModelError(f"{path}: an earlier version of the product has trained it", _AGAIN)
    if document.get("format") != FORMAT:
        raise LakehouseError(f"{path}: has format {document.get('format')!r}, this program reads {FORMAT}", _AGAIN)
    if document.get("signals") != signature():
        raise LakehouseError(f"{path}: was trained with other signals than this program computes", _AGAIN)
    trees = None
    if document.get("trees_sha256"):
        try:
            trees = (folder / "model.ubj").read_bytes()
        except OSError as error:
            raise LakehouseError(f"{folder / 'model.ubj'}: cannot be read: {error.strerror}", _AGAIN) from error
        if _digest(trees) != document["trees_sha256"]:
            raise LakehouseError(f"{folder / 'model.ubj'}: was changed since it was registered", _AGAIN)
    try:
        scorer = Scorer(
            version=str(document["version"]),
            kind=str(document["kind"]),
            document=document["model"],
            trees=trees,
            calibration=Calibration.load(document["calibration"]),
            tiers=[{name: float(value) for name, value in tier.items()} for tier in document["tiers"]],
            horizon_days=int(document["horizon_days"]),
            trained_on=str(document["trained_on"]),
            own=loaded(document),
            typical={name: float(value) for name, value in document.get("typical", {}).items()},
        )
        unknown = set(scorer.model.names) - {signal.name for signal in SIGNALS} - {"lead_score"}
        unknown -= {signal.name for signal in scorer.own}
        date.fromisoformat(str(document["as_of"]))
        if unknown or not scorer.tiers:
            raise ValueError(f"unknown signals {sorted(unknown)}" if unknown else "there are no tiers")
    except (KeyError, TypeError, ValueError) as error:
        raise LakehouseError(f"{path}: is not a model: {error}", _AGAIN) from error
    return Entry(scorer, document, folder)


_AGAIN = "Train again with `medallion train`, or put the file back as it was."


def _json(path: Path, seal: str | None = None) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LakehouseError(f"{path}: cannot be read: {error.strerror}", _AGAIN) from error
    if seal is not None and _digest(content) != seal:
        raise LakehouseError(f"{path}: was changed since it was registered", _AGAIN)
    try:
        document = json.loads(content)
    except ValueError as error:
        raise LakehouseError(f"{path}: is not JSON: {error}", _AGAIN) from error
    if not isinstance(document, dict):
        raise LakehouseError(f"{path}: is not a model", _AGAIN)
    return document


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
