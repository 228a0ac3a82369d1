"""What a user's own modules add to the pipeline: columns of `gold.customer_features`."""

from __future__ import annotations

import sys
from importlib import import_module
from inspect import getsource
from pathlib import Path

from medallion.config import Settings
from medallion.errors import ContractError

#: The modules that were loaded, each with its text: what they add is computed anew when it changes.
texts: dict[str, str] = {}


def load(settings: Settings) -> None:
    """Import the modules that the settings name, and check what they add.

    They are looked for as Python does, then in the working folder.

    Raises:
        ContractError: A module cannot be imported.
        MedallionError: A feature of theirs cannot be computed; names it.
    """
    texts.clear()
    if not settings.features:
        return
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    for name in settings.features:
        try:
            texts[name] = getsource(import_module(name))
        except Exception as error:
            raise ContractError(
                f"config.yaml: features: {name} cannot be imported: {type(error).__name__}: {error}",
                "Install it beside medallion, or run from the folder that holds it.",
            ) from error
    from medallion.gold.customer_features import check_own  # the engine's functions, for those who have features

    check_own()
