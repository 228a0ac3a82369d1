"""What a user adds: columns that the contracts in use bring to gold, and the folder with metrics of their own.

Each lakehouse has its own. Whatever asks is told those of the lakehouse that was opened last in its thread or task, or,
where it opened none itself, of the one that was opened last in the process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from pathlib import Path

from medallion.contracts import GIVING_WAY, TO_GOLD, Column, Entity
from medallion.contracts import table as gold_table

#: By the root of a lakehouse, what its contracts bring to gold by entity; an entry is replaced as a whole.
_BY_LAKEHOUSE: dict[str, Mapping[str, tuple[Column, ...]]] = {}
#: By the root of a lakehouse, the tables of optional entities that it has.
_OPTIONAL: dict[str, frozenset[str]] = {}
_LAST = ""
_LAKEHOUSE: ContextVar[str | None] = ContextVar("lakehouse", default=None)
#: Folder with metrics of the user's own.
_METRICS: Path | None = None


def bring(entities: Mapping[str, Entity], root: str, there: Iterable[str] = ()) -> None:
    """Make the columns that these contracts bring to gold those of a lakehouse, which counts as opened.

    `there` are tables of optional entities that it has.
    """
    _BY_LAKEHOUSE[root], _OPTIONAL[root] = {name: entities[name].in_gold for name in TO_GOLD}, frozenset(there)
    opened(root)


def opened(root: str) -> None:
    """Answer for this lakehouse from now on, if its contracts are known."""
    global _LAST
    if root in _BY_LAKEHOUSE:
        _LAST = root
        _LAKEHOUSE.set(root)


def metrics_in(folder: Path | None) -> None:
    """From now on the metrics of this folder count beside the shipped ones; of none when None."""
    global _METRICS
    _METRICS = folder


def folder_of_metrics() -> Path | None:
    """The folder with metrics of the user's own; None where there is none."""
    return _METRICS


def forget() -> None:
    """Know of no contracts."""
    _BY_LAKEHOUSE.clear()
    _OPTIONAL.clear()


def optional_tables() -> frozenset[str]:
    """Tables of optional entities that the lakehouse has; some metrics read them."""
    lakehouse = _LAKEHOUSE.get()
    return _OPTIONAL.get(_LAST if lakehouse is None else lakehouse, frozenset())


def brought(entity: str) -> tuple[Column, ...]:
    """The columns that the contracts in use bring to gold for an entity."""
    lakehouse = _LAKEHOUSE.get()
    return _BY_LAKEHOUSE.get(_LAST if lakehouse is None else lakehouse, {}).get(entity, ())


def own_columns(table: str) -> tuple[Column, ...]:
    """What the contracts in use bring to a table of gold; deals have the columns of their account as well."""
    leads, customers = brought("leads"), brought("customers")
    if table == TO_GOLD["customers"]:
        return customers
    if table != TO_GOLD["leads"]:
        return ()
    taken = {*gold_table(table).column_names} - {*GIVING_WAY} | {column.name for column in leads}
    return (*leads, *(column for column in customers if column.name not in taken))
