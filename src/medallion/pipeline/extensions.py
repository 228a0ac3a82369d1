"""What a user's own modules add to the pipeline: columns of `gold.customer_features`."""

from __future__ import annotations

import sys
from importlib import import_module, invalidate_caches
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
    if own := sys.modules.get("medallion.features.own"):
        own.OWN.clear()  # what another run of this process added
    if not settings.features:
        return
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    for name in settings.features:
        _import(name)
    from medallion.gold.customer_features import check_own  # the engine's functions, for those who have features

    check_own()


def _import(name: str) -> None:
    """Import a module as it is now, so that it adds its features, and keep its text and that of its package."""
    for loaded in [loaded for loaded in sys.modules if loaded == name or loaded.startswith(f"{name}.")]:
        del sys.modules[loaded]
    invalidate_caches()
    try:
        import_module(name)
    except Exception as error:
        raise ContractError(
            f"config.yaml: features: {name} cannot be imported: {type(error).__name__}: {error}",
            "Install it beside medallion, or run from the folder that holds it.",
        ) from error
    top = name.partition(".")[0]
    for loaded, module in sorted(sys.modules.items()):
        if loaded == top or loaded.startswith(f"{top}."):
            path = Path(getattr(module, "__file__", None) or "")
            texts[loaded] = path.read_text(encoding="utf-8") if path.suffix == ".py" and path.is_file() else ""
