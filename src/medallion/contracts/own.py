"""Columns of a user's own that the contracts in use bring to gold.

Each lakehouse has its own. Whatever asks is told those of the lakehouse that was opened last in its thread or task, or,
where it opened none itself, of the one that was opened last in the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

from medallion.contracts import TO_GOLD, Column, Entity
from medallion.contracts import table as gold_table

#: By the root of a lakehouse, what its contracts bring to gold by entity; an entry is replaced as a whole.
_BY_LAKEHOUSE: dict[str, Mapping[str, tuple[Column, ...]]] = {}
_LAST = ""
_HERE: ContextVar[str | None] = ContextVar("lakehouse", default=None)


def bring(entities: Mapping[str, Entity], root: str) -> None:
    """Make the columns that these contracts bring to gold those of a lakehouse, which counts as opened."""
    _BY_LAKEHOUSE[root] = {name: entities[name].in_gold for name in TO_GOLD}
    opened(root)


def opened(root: str) -> None:
    """From now on what is asked here is asked of this lakehouse, if its contracts are known."""
    global _LAST
    if root in _BY_LAKEHOUSE:
        _LAST = root
        _HERE.set(root)


def forget() -> None:
    """Know of no contracts."""
    _BY_LAKEHOUSE.clear()


def brought(entity: str) -> tuple[Column, ...]:
    """What the contracts in use bring to gold of the records of an entity."""
    here = _HERE.get()
    return _BY_LAKEHOUSE.get(_LAST if here is None else here, {}).get(entity, ())


def own_columns(table: str) -> tuple[Column, ...]:
    """What the contracts in use bring to a table of gold; deals have the columns of their account as well."""
    leads, customers = brought("leads"), brought("customers")
    if table == TO_GOLD["customers"]:
        return customers
    if table != TO_GOLD["leads"]:
        return ()
    taken = {*gold_table(table).column_names, *(column.name for column in leads)}
    return (*leads, *(column for column in customers if column.name not in taken))
