"""What a user's own modules add to the pipeline: columns of `gold.customer_features`, and tables of gold."""

from __future__ import annotations

import re
import sys
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType

from medallion.config import Settings
from medallion.errors import ContractError
from medallion.gold import OWN_STEPS, STEPS, Step

#: The modules that were loaded, each with its text: what they add is computed anew when it changes.
texts: dict[str, str] = {}


def load(settings: Settings) -> None:
    """Import the modules that the settings name, and check what they add.

    They are looked for as Python does, then in the working folder.

    Raises:
        ContractError: A module cannot be imported, or does not say what makes a table.
        MedallionError: A feature of theirs cannot be computed; names it.
    """
    texts.clear()
    OWN_STEPS.clear()  # what another run of this process added
    if own := sys.modules.get("medallion.features.own"):
        own.OWN.clear()
    if not (settings.features or settings.gold):
        return
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    for name in settings.features:
        _import("features", name)
    if settings.features:
        from medallion.gold.customer_features import check_own  # the engine's functions, for those who have features

        check_own()
    for name in settings.gold:
        OWN_STEPS.append(_step(name, _import("gold", name)))


def own_texts(name: str) -> dict[str, str]:
    """The texts of a loaded module and of its package."""
    top = name.partition(".")[0]
    return {loaded: text for loaded, text in texts.items() if loaded == top or loaded.startswith(f"{top}.")}


def _import(key: str, name: str) -> ModuleType:
    """Import a module as it is now, so that it adds its features, and keep its text and that of its package."""
    for loaded in [loaded for loaded in sys.modules if loaded == name or loaded.startswith(f"{name}.")]:
        del sys.modules[loaded]
    invalidate_caches()
    try:
        imported = import_module(name)
    except Exception as error:
        raise ContractError(
            f"config.yaml: {key}: {name} cannot be imported: {type(error).__name__}: {error}",
            "Install it beside medallion, or run from the folder that holds it.",
        ) from error
    top = name.partition(".")[0]
    for loaded, module in sorted(sys.modules.items()):
        if loaded == top or loaded.startswith(f"{top}."):
            path = Path(getattr(module, "__file__", None) or "")
            texts[loaded] = path.read_text(encoding="utf-8") if path.suffix == ".py" and path.is_file() else ""
    return imported


def _step(name: str, module: ModuleType) -> Step:
    """The step of a module: the table has the name of the module, and so has the function that makes it."""
    table = name.rpartition(".")[2]
    if any(step.table == f"gold.{table}" for step in STEPS) or not re.fullmatch(r"[a-z][a-z0-9_]*", table):
        raise ContractError(f"config.yaml: gold: {name}: no table can be called {table}", "Name the module otherwise.")
    for attribute in (table, "contract", "INPUTS"):
        if not hasattr(module, attribute):
            raise ContractError(
                f"config.yaml: gold: {name} has no {attribute}",
                f"A module of a table has the function {table}, the tables that it is given as INPUTS, and contract().",
            )
    return Step(f"gold.{table}", tuple(module.INPUTS), module=name)
