"""Columns of a user's own that the contracts in use bring to gold, known to everything in this process."""

from __future__ import annotations

from collections.abc import Mapping

from medallion.contracts import TO_GOLD, Column, Entity
from medallion.contracts import table as gold_table

#: Columns that the contracts in use bring to gold, by entity.
OWN_COLUMNS: dict[str, tuple[Column, ...]] = {}


def bring(entities: Mapping[str, Entity]) -> None:
    """Make the columns that these contracts bring to gold those of its tables and of the metrics, in this process."""
    OWN_COLUMNS.clear()
    OWN_COLUMNS.update({name: entities[name].in_gold for name in TO_GOLD})


def own_columns(table: str) -> tuple[Column, ...]:
    """What the contracts in use bring to a table of gold; deals have the columns of their account as well."""
    leads, customers = (OWN_COLUMNS.get(name, ()) for name in TO_GOLD)
    if table == TO_GOLD["customers"]:
        return customers
    if table != TO_GOLD["leads"]:
        return ()
    taken = {*gold_table(table).column_names, *(column.name for column in leads)}
    return (*leads, *(column for column in customers if column.name not in taken))
