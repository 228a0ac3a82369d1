"""The data contracts: one ODCS file per entity and per table that the pipeline makes.

`entities()` gives the CRM entities, overridden by a user's own contract files; `table(name)`
gives any gold, ops or quarantine table. Both are what code, checks and docs are made from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files
from pathlib import Path

from medallion.contracts import odcs
from medallion.contracts.filling import CONFIDENT, Filling, Override, Source
from medallion.contracts.model import PROVENANCE, Column, Entity, Reference, Severity, Table
from medallion.errors import ContractError

ENTITY_NAMES = ("customers", "products", "leads", "interactions")
#: Shipped entities that not every export has; their tables are there once a file was.
OPTIONAL_NAMES = ("contacts", "owners", "quotas", "deal_contacts", "deal_products")
FURTHER_NAMES = ("stage_changes", *OPTIONAL_NAMES)
#: Entities whose columns a contract may bring to gold, with the tables that have a row for each of their records.
TO_GOLD = {"leads": "gold.deals", "customers": "gold.customer_features"}
#: Columns of `gold.deals` that give way to one of the same name that a contract brings there.
GIVING_WAY = ("product_name", "owner_team", "owner_manager")
#: The column with the probability by the CRM, from which a metric of its own is computed.
CRM_PROBABILITY = "crm_probability"
#: Names of dimensions of time, which no column of gold can have.
_OF_TIME = {"created_month", "closed_month", "created_date", "closed_date"}
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_HOME = Path(str(files("medallion.contracts")))


def entities(overrides: Iterable[Path | Override] = ()) -> dict[str, Entity]:
    """The entities by name, parents before children: the shipped ones with `overrides` applied in order.

    An override may describe further ones, such as a table of stages that deals are looked up in. One that names the files
    of an entity (`sources`) says of all files what they hold: optional entities that no override names have none then. An
    override that gives an optional entity another key describes one of its own in its place.

    Raises:
        ContractError: A file cannot be used, or refers to an entity or a column that does not exist.
    """
    known, named = dict(_shipped()), set[str]()
    for given in overrides:
        override = given if isinstance(given, Override) else Override.read(given)
        for declared, contract in odcs.read_objects(override):
            name = str(declared.name)
            if not _NAME.fullmatch(name) or name == "quarantine":
                raise ContractError(
                    f"{override.path}: schema {name!r} cannot be the name of an entity",
                    f"Use one of {', '.join(known)}, or a new name in lower_snake_case.",
                )
            if name not in known and not any(item.primaryKey for item in declared.properties or []):
                raise ContractError(
                    f"{override.path}: schema {name!r} is not an entity, and describes no new one",
                    f"Use one of {', '.join(known)}, or mark the key of a new one primaryKey: true.",
                )
            keys = {str(item.name) for item in declared.properties or [] if item.primaryKey}
            is_own = name in OPTIONAL_NAMES and bool(keys) and _shipped()[name].key not in keys
            base = known.get(name) if not is_own or name in named else None
            known[name] = odcs.entity(declared, contract, override.path, base)
            named.add(name)
            if name not in _shipped():
                _needs_files(known[name], override.path)
    for replaced in (name for name in OPTIONAL_NAMES if known[name].key != _shipped()[name].key):
        known = {name: _not_referring(item, replaced) for name, item in known.items()}
    if any(item.sources for item in known.values()):
        known |= {name: replace(known[name], file_patterns=()) for name in OPTIONAL_NAMES if name not in named}
    known |= {item.merges.name: item.merges for item in [*known.values()] if item.merges}
    for item in known.values():
        for column in item.references:
            target = column.reference
            if target and (target.entity not in known or target.column != known[target.entity].key):
                raise ContractError(
                    f"{item.name}.{column.name}: refers to {target.entity}.{target.column}, which is no key",
                    "Refer to the primary key of one of the entities.",
                )
        for source in item.sources:
            _check_lookups(item, source, known)
        for column in item.in_gold:
            _check_gold(item, column)
        for column in item.columns:
            if column.signal:
                _check_signal(item, column)
    return {name: known[name].in_currency(known["leads"].unsaid) for name in _parents_first(known)}


def _not_referring(item: Entity, replaced: str) -> Entity:
    """An entity without what its shipped columns say of an optional entity that is a user's own now."""
    shipped = Reference(replaced, _shipped()[replaced].key)
    columns = tuple(
        replace(c, reference=None, checks={name: how for name, how in c.checks.items() if name != "reference"})
        if c.reference == shipped
        else c
        for c in item.columns
    )
    return replace(item, columns=columns)


def is_shipped(item: Entity) -> bool:
    """Whether an optional entity is the shipped one, and not one of a user's own under its name."""
    return item.name in _shipped() and item.key == _shipped()[item.name].key


def _needs_files(item: Entity, path: str) -> None:
    if not item.sources and not item.file_patterns:
        raise ContractError(f"{path}: {item.name}: no file feeds it", "Give it the custom property sources.")


def _check_gold(item: Entity, column: Column) -> None:
    """Refuse a column that cannot be one of gold beside those that are there."""
    place = f"{item.name}.{column.name}: gold"
    if item.name not in TO_GOLD:
        raise ContractError(f"{place}: {item.name} have no table there", f"Leave it out; {', '.join(TO_GOLD)} have.")
    if column.is_personal:
        raise ContractError(f"{place}: the column is personal, and gold is read by everyone", "Leave gold out.")
    of_deals = item.name == "leads" and column.name in {*table("gold.deals").column_names} - {*GIVING_WAY}
    if of_deals or column.name in _OF_TIME:
        has = "gold.deals has a column" if of_deals else "the metrics have a dimension of time"
        raise ContractError(f"{place}: {has} of that name", "Rename your column, or drop `gold`.")
    if column.name == CRM_PROBABILITY and item.name != "leads":
        raise ContractError(f"{place}: a probability is that of a deal", "Declare it on leads, or rename it.")
    if column.name == CRM_PROBABILITY and (column.type, column.minimum, column.maximum) != ("double", 0, 1):
        raise ContractError(
            f"{place}: a probability lies between 0 and 1",
            "Write physicalType: double, logicalTypeOptions: {minimum: 0, maximum: 1}; its source may say unit: percent.",
        )


def _check_signal(item: Entity, column: Column) -> None:
    """Refuse a column that models cannot learn from."""
    place = f"{item.name}.{column.name}: signal"
    if item.name not in TO_GOLD:
        raise ContractError(
            f"{place}: {item.name} are no part of a deal",
            f"Leave it out; columns of {' and '.join(TO_GOLD)} can be signals.",
        )
    if column.is_personal or column.type.startswith("array"):
        raise ContractError(f"{place}: models do not learn from texts about people, or lists", "Leave signal out.")
    if column.name in {c.name for c in _shipped()[item.name].columns}:
        raise ContractError(
            f"{place}: it is a column of every lakehouse, which models use as docs/LEAD_SCORING.md says",
            "Leave signal out, or give your column a name of its own.",
        )


def _check_lookups(item: Entity, source: Source, known: dict[str, Entity]) -> None:
    for name, filling in (source.columns or {}).items():
        if filling.lookup is None:
            continue
        place = f"{item.name}.{name} from {source.file}"
        target = known.get(filling.lookup)
        if target is None or target is item:
            raise ContractError(f"{place}: {filling.lookup!r} is no other entity", f"Use one of {', '.join(known)}.")
        for column in (str(filling.by), filling.take or target.key):
            if column not in target.column_names:
                raise ContractError(
                    f"{place}: {target.name} has no column {column!r}", f"Columns: {', '.join(target.column_names)}."
                )


def _parents_first(known: dict[str, Entity]) -> list[str]:
    """Names in an order of loading; refuses references that go in a circle, where none knows the parents first."""
    needs = {item.name: set(item.parents) | ({item.name} & item.depends_on) for item in known.values()}
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        circle = " to ".join(error.args[1])
        raise ContractError(
            f"references go in a circle: {circle}", "Leave one out; one to its own entity needs severity warn."
        ) from error


def guesses(contracts: Iterable[Entity]) -> list[str]:
    """What the contracts say with too little confidence to run on, one sentence each."""
    return [f"{item.name}: {guess}" for item in contracts for source in item.sources for guess in source.guesses()]


@cache
def _shipped() -> dict[str, Entity]:
    shipped = {}
    for name in (*ENTITY_NAMES, *FURTHER_NAMES):
        override = Override.read(_HOME / f"{name}.odcs.yaml")
        for declared, contract in odcs.read_objects(override):
            shipped[name] = odcs.entity(declared, contract, override.path, None)
    return shipped


def tables() -> dict[str, Table]:
    """Tables declared in `tables/*.odcs.yaml`, by qualified name such as `gold.sales_summary`."""
    paths = sorted((_HOME / "tables").glob("*.odcs.yaml"))
    return {name: table for path in paths for name, table in _tables_in(path.name).items()}


def table(name: str) -> Table:
    """The declared table of that qualified name; only its file is read."""
    return _tables_in(f"{name.rpartition('.')[2]}.odcs.yaml")[name]


def declared(name: str) -> Table | None:
    """As `table`; None where no file declares a table of that name."""
    return _tables_in(f"{name.rpartition('.')[2]}.odcs.yaml").get(name)


@cache
def _tables_in(file: str) -> dict[str, Table]:
    path = _HOME / "tables" / file
    declared = odcs.read_objects(Override.read(path)) if path.is_file() else ()
    return {parsed.name: parsed for item, _ in declared if (parsed := odcs.table(item, str(path)))}


__all__ = [
    "CONFIDENT",
    "CRM_PROBABILITY",
    "ENTITY_NAMES",
    "FURTHER_NAMES",
    "GIVING_WAY",
    "OPTIONAL_NAMES",
    "PROVENANCE",
    "TO_GOLD",
    "Column",
    "Entity",
    "Filling",
    "Override",
    "Reference",
    "Severity",
    "Source",
    "Table",
    "declared",
    "entities",
    "guesses",
    "is_shipped",
    "table",
    "tables",
]
