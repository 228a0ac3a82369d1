"""Where a lakehouse keeps its models, and which one is the champion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medallion.config import Settings
from medallion.lakehouse.store import Lakehouse

if TYPE_CHECKING:
    from medallion.scoring.registry import Entry


def folder(settings: Settings) -> Path | None:
    """The registry of a lakehouse; None where the lakehouse is in an object store and no folder was named."""
    if settings.models:
        return Path(settings.models)
    where = Lakehouse(settings.lakehouse).folder
    return None if where is None else where / "models"


def champion(settings: Settings) -> Entry | None:
    """The champion of a lakehouse; None without one.

    Raises:
        LakehouseError: It was tampered with, or does not fit this program.
    """
    where = folder(settings)
    if where is None or not (where / "champion.json").is_file():
        return None
    from medallion.scoring import registry  # the arithmetic is loaded for those that have a model

    return registry.champion(where)
