"""The data contracts: one ODCS file per entity and per table that the pipeline makes.

`entities()` gives the four CRM entities, with a user's own contract files laid over them; `table(name)`
gives any gold, ops or quarantine table. Both are what code, checks and docs are made from.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files
from pathlib import Path

from medallion.contracts import odcs
from medallion.contracts.model import PROVENANCE, Column, Entity, Reference, Severity, Table
from medallion.errors import ContractError

ENTITY_NAMES = ("customers", "products", "leads", "interactions")
_HOME = Path(str(files("medallion.contracts")))


def entities(overrides: Iterable[Path] = ()) -> dict[str, Entity]:
    """The four entities by name, parents before children, with `overrides` laid over them in order.

    Raises:
        ContractError: A file cannot be used, names an entity that does not exist, or refers to one.
    """
    known = dict(_shipped())
    for path in overrides:
        for declared, contract in odcs.read_objects(path):
            name = str(declared.name)
            if name not in known:
                raise ContractError(
                    f"{path}: schema {name!r} is not an entity", f"Use one of {', '.join(ENTITY_NAMES)}."
                )
            known[name] = odcs.entity(declared, contract, path, known[name])
    for item in known.values():
        for column in item.references:
            target = column.reference
            if target and (target.entity not in known or target.column != known[target.entity].key):
                raise ContractError(
                    f"{item.name}.{column.name}: refers to {target.entity}.{target.column}, which is no key",
                    "Refer to the primary key of one of the entities.",
                )
    _parents_first(known)
    return known


def _parents_first(known: dict[str, Entity]) -> None:
    """Refuse references that go in a circle: no order of loading would know the parents first."""
    needs = {
        item.name: {c.reference.entity for c in item.references if c.reference}
        - (set() if item.name in item.depends_on else {item.name})
        for item in known.values()
    }
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = " to ".join(error.args[1])
        raise ContractError(
            f"references go in a circle: {circle}", "Leave one out; one to its own entity needs severity warn."
        ) from error


@cache
def _shipped() -> dict[str, Entity]:
    found = {}
    for name in ENTITY_NAMES:
        path = _HOME / f"{name}.odcs.yaml"
        for declared, contract in odcs.read_objects(path):
            found[name] = odcs.entity(declared, contract, path, None)
    return found


@cache
def tables() -> dict[str, Table]:
    """Tables declared in `tables/*.odcs.yaml`, by qualified name such as `gold.sales_summary`."""
    found = {}
    for path in sorted((_HOME / "tables").glob("*.odcs.yaml")):
        for declared, _ in odcs.read_objects(path):
            made = odcs.table(declared, path)
            found[made.name] = made
    return found


def table(name: str) -> Table:
    """The declared table of that qualified name."""
    return tables()[name]


__all__ = [
    "ENTITY_NAMES",
    "PROVENANCE",
    "Column",
    "Entity",
    "Reference",
    "Severity",
    "Table",
    "entities",
    "table",
    "tables",
]
