"""What a user's own modules add to the pipeline: columns of `gold.customer_features`, and tables of gold."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType

from medallion import contracts
from medallion.config import Settings
from medallion.contracts import Table
from medallion.contracts.own import brought
from medallion.errors import ContractError
from medallion.gold import OWN_STEPS, STEPS, Step

#: The modules that were loaded for `features` and for `gold`, each with its text: what they add is computed anew when
#: it changes.
texts: dict[str, dict[str, str]] = {}
#: Names that a user's own table cannot have, besides those of `STEPS` and of the contracts.
_TAKEN = ("gold.lead_snapshots",)
#: The working folder of the last run, where it was not among Python's own.
_folder: list[str] = []


def load(settings: Settings) -> None:
    """Import the modules that the settings name as they are now, and check what they add.

    They are looked for on Python's path, then in the working folder.

    Raises:
        ContractError: A module cannot be imported, or does not say what makes a table; names it.
        MedallionError: A feature of theirs cannot be computed; names it.
    """
    _clear()  # what another run of this process added
    if not (settings.features or settings.gold):
        _check()
        return
    folder = str(Path.cwd())
    while _folder and (before := _folder.pop()) != folder:
        if before in sys.path:
            sys.path.remove(before)  # its modules are not those of this folder
    if folder not in sys.path:
        sys.path.append(folder)
        _folder.append(folder)
    _forget((*settings.features, *settings.gold))
    try:
        _load(settings)
    except BaseException:
        _clear()  # all of it or nothing
        raise


def own_texts(name: str) -> dict[str, str]:
    """The texts of the module of a table and of its package."""
    top = name.partition(".")[0]
    return {loaded: text for loaded, text in texts.get("gold", {}).items() if _is_part(loaded, top)}


def _load(settings: Settings) -> None:
    for name in settings.features:
        _import("features", name)
    added = _own_features()
    for name in settings.gold:
        step = _step(name, _import("gold", name))
        if more := [feature for feature in _own_features() if feature not in added]:
            raise ContractError(
                f"config.yaml: gold: {name} adds the feature {more[0]}", "Name the module under features, too."
            )
        if other := next((own for own in OWN_STEPS if own.table == step.table), None):
            raise ContractError(
                f"config.yaml: gold: {name} makes {step.table}, and so does {other.module}",
                "Name each module once, and give each table a name of its own.",
            )
        OWN_STEPS.append(step)
    needs = {step.table: set(step.inputs) for step in OWN_STEPS}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        raise ContractError(
            f"config.yaml: gold: tables of your own are made from one another in a circle: {' to '.join(error.args[1])}",
            "Take one of them out of the INPUTS of another.",
        ) from error
    _check()


def _check() -> None:
    """Refuse what cannot be computed of customers, where there is anything of a user's own."""
    if _own_features() or brought("customers"):
        from medallion.gold.customer_features import check_own  # the engine's functions, for those who have something

        check_own()


def _clear() -> None:
    texts.clear()
    OWN_STEPS.clear()
    if own := sys.modules.get("medallion.features.own"):
        own.OWN.clear()


def _own_features() -> list[str]:
    own = sys.modules.get("medallion.features.own")
    return [feature.name for feature in own.OWN] if own else []


def _is_part(loaded: str, package: str) -> bool:
    return loaded == package or loaded.startswith(f"{package}.")


def _forget(names: Iterable[str]) -> None:
    """Drop modules that were loaded before, and those of their packages: they are imported as they are now.

    Modules of Python, of medallion and of another folder than the package's stay.
    """
    for name in names:
        top = name.partition(".")[0]
        if top == "medallion" or top in sys.stdlib_module_names:
            continue
        package, root = top, sys.modules.get(top)
        folders = [Path(folder).resolve() for folder in getattr(root, "__path__", ())]
        if not getattr(root, "__file__", None) and any("-packages" in str(folder) for folder in folders):
            package = ".".join(name.split(".")[:2])  # a name that packages of several makers share
        for loaded in [loaded for loaded in sys.modules if _is_part(loaded, package)]:
            file = getattr(sys.modules[loaded], "__file__", None)
            is_within = root is None or any(Path(file or "").resolve().is_relative_to(folder) for folder in folders)
            if is_within or loaded == name or not file:
                del sys.modules[loaded]
    invalidate_caches()


def _import(key: str, name: str) -> ModuleType:
    """Import a module, so that it adds its features, and keep its text and that of its package."""
    writes_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # it would hide a change within a second
    try:
        imported = import_module(name)
    except (Exception, SystemExit) as error:
        raise ContractError(
            f"config.yaml: {key}: {name} cannot be imported: {_in_words(error)}",
            "Install it beside medallion, or run from the folder that holds it.",
        ) from error
    finally:
        sys.dont_write_bytecode = writes_bytecode
    top = name.partition(".")[0]
    for loaded, module in sorted(sys.modules.items()):
        if _is_part(loaded, top):
            path = Path(getattr(module, "__file__", None) or "")
            is_text = path.suffix == ".py" and path.is_file()
            texts.setdefault(key, {})[loaded] = path.read_text(encoding="utf-8") if is_text else ""
    return imported


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _step(name: str, module: ModuleType) -> Step:
    """The step of a module: the table has the name of the module, and so has the function that makes it."""
    short, where = name.rpartition(".")[2], f"config.yaml: gold: {name}"
    table = f"gold.{short}"
    taken = {*contracts.tables(), *_TAKEN, *(step.table for step in STEPS)}
    if table in taken or not re.fullmatch(r"[a-z][a-z0-9_]*", short):
        raise ContractError(f"{where}: no table can be called {short}", "Name the module otherwise.")
    for attribute in (short, "contract", "INPUTS"):
        if not hasattr(module, attribute):
            raise ContractError(
                f"{where} has no {attribute}",
                f"A module of a table has the function {short}, the tables that it is given as INPUTS, and contract().",
            )
    for attribute in (short, "contract"):
        if not callable(getattr(module, attribute)):
            raise ContractError(f"{where}: {attribute} is no function", f"Write def {attribute}(...): in the module.")
    inputs = module.INPUTS
    if not isinstance(inputs, tuple | list) or not all(isinstance(given, str) for given in inputs):
        raise ContractError(
            f"{where}: INPUTS is {inputs!r}, which is no tuple of names",
            'Name tables of silver or gold, or as_of, such as INPUTS = ("silver.leads_clean", "as_of").',
        )
    try:
        contract = module.contract()
    except (Exception, SystemExit) as error:
        raise ContractError(
            f"{where}: contract() fails: {_in_words(error)}", "Correct it: it gives a medallion.contracts.Table."
        ) from error
    if not isinstance(contract, Table):
        raise ContractError(
            f"{where}: contract() gives {type(contract).__name__}, not a Table",
            "Give a medallion.contracts.Table.",
        )
    if contract.name != table:
        raise ContractError(
            f"{where}: contract() is that of {contract.name}, and the module makes {table}",
            f"Write name={table!r} in the contract, or name the module otherwise.",
        )
    return Step(table, tuple(inputs), module=name)
