"""Where a lakehouse keeps its models, and which one is the champion."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from medallion import log
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
    """The champion of a lakehouse; None without one, or where an earlier version of the product has trained it.

    Raises:
        LakehouseError: It was tampered with, or does not fit this program.
    """
    where = folder(settings)
    if where is None or not (where / "champion.json").is_file():
        return None
    from medallion.scoring import registry  # the arithmetic is loaded for those that have a model

    try:
        return registry.champion(where)
    except registry.EarlierModelError as error:
        log.event("the active model is not used", logging.WARNING, problem=error.problem, remedy=error.remedy)
        return None
