"""A proposal while it is worked out: the tables of a folder, what each feeds, and the keys that references are compared with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from datetime import date
from typing import Any

from medallion.contracts import Entity, Filling
from medallion.proposal import funnel
from medallion.proposal.feeds import Feed
from medallion.proposal.profile import Column, Table
from medallion.proposal.systems import System

#: Share of rows that may lack a required value before the requirement is questioned.
FEW = 0.02


class Draft:
    """Works the feeds out together: keys of one are what the references of another are compared with."""

    def __init__(
        self,
        tables: list[Table],
        entities: Mapping[str, Entity],
        settled: funnel.Settled,
        system: System | None,
        today: date | None,
    ) -> None:
        self.system, self.today = system, today
        self.tables, self.entities, self.matches = tables, entities, settled.matches
        self.settled = settled
        self.feeds: list[Feed] = []
        self.properties: dict[str, dict[str, dict[str, Any]]] = {}
        self.further: dict[str, tuple[str, ...]] = {}
        self.listing: dict[int, str] = {}
        #: Entities whose keys are compared without leading zeros, each with why.
        self.padded: dict[str, str] = {}
        self.foreign = any(column.comma for table in tables for column in table.columns)
        self.named = {
            name: self._values(name, "customer_name" if name == "customers" else "product_name")
            for name in ("customers", "products")
        }
        self.keys = {name: self._values(name, entities[name].key) for name in ("customers", "products", "leads")}

    def _values(self, entity: str, canonical: str) -> set[str]:
        values: set[str] = set()
        for item in self.matches:
            if item.entity.name == entity and canonical in item.columns:
                values |= item.columns[canonical][0].forms
        return values

    def as_written(self, entity: str, key: str) -> None:
        """Compare a key, and what refers to it, letter by letter."""
        self.change(
            entity, key, {"primaryKey": True, "semanticType": "text", "logicalTypeOptions": {"pattern": r"^\S.*$"}}
        )
        for other in self.entities.values():
            for declared in other.columns:
                if declared.reference and declared.reference.entity == entity:
                    self.change(other.name, declared.name, {"semanticType": "text"})

    def change(self, entity: str, column: str, what: dict[str, Any]) -> None:
        """Change what the shipped contract says of a column."""
        self.properties.setdefault(entity, {}).setdefault(column, {}).update(what)

    def best(
        self, table: Table, wanted: Set[str], first: str | None, but: str | None = None
    ) -> tuple[Column, float] | None:
        """The column whose values are most among those wanted; the one already matched by name wins a tie."""
        if not wanted:
            return None
        shares = []
        for column in table.columns:
            if column.header == but and but != first:
                continue
            forms = column.forms if column.among(wanted, 0.5) else frozenset()
            if forms and (column.header == first or len(forms) >= min(3, len(wanted))):
                shares.append((round(len(forms & wanted) / len(forms), 2), column.header == first, column))
        shares.sort(key=lambda item: (round(item[0] + 0.02 * item[1], 2), item[1]), reverse=True)
        return (shares[0][2], shares[0][0]) if shares and shares[0][0] >= 0.5 else None

    def free(self, feed: Feed) -> list[Table]:
        """The tables that hold no entity."""
        used = {id(item.table) for item in self.feeds if item.entity not in self.further}
        used |= {id(before.match.table) for before in self.settled.before}
        return [table for table in self.tables if id(table) not in used and table is not feed.table]

    def add_further(self, table: Table, reason: str, fillings: dict[str, Filling], confidence: float = 0.9) -> str:
        """A further entity that a table feeds, to be looked up in; the one that is there already if it says the same."""
        name = self._further_name(table)
        for other in self.feeds:
            if other.table is table and other.entity in self.further and _bare(other.fillings) == _bare(fillings):
                return other.entity
        while name in self.further:
            name = f"{name}_too"
        self.further[name] = tuple(fillings)
        self.feeds.append(Feed(table, name, confidence, reason, fillings))
        return name

    def own(self, feed: Feed) -> Column | None:
        """The column with the identifiers of a feed's records."""
        return feed.column_of(self.entities[feed.entity].key)

    def keys_of_all(self, feed: Feed) -> frozenset[str]:
        """Keys of the records of all files of an entity: one junction may be for calls, meetings and e-mails alike."""
        own = [self.own(other) for other in self.feeds if other.entity == feed.entity]
        return frozenset().union(*(column.forms for column in own if column))

    def _further_name(self, table: Table) -> str:
        name = re.sub(r"[^a-z0-9]+", "_", table.stems[0].lower()).strip("_")
        return name if re.match(r"[a-z]", name) and name not in self.entities else f"further_{name}"

    def is_derived(self, feed: Feed) -> bool:
        """Whether a table holds accounts only as far as its deals or touches name them."""
        others = (other for other in self.feeds if other.table is feed.table)
        return feed.entity == "customers" and any(other.entity != "customers" for other in others)

    def own_keys(self, feed: Feed) -> set[str]:
        """The identifiers of a feed's records."""
        own = self.own(feed)
        return set(own.forms) if own else set()

    def known_keys(self) -> dict[str, set[str]]:
        """Per entity the keys of its tables, where they are a column."""
        keys: dict[str, set[str]] = {}
        for feed in self.feeds:
            if feed.entity in ("leads", "customers", "interactions") and not self.is_derived(feed):
                keys.setdefault(feed.entity, set()).update(self.own_keys(feed))
        return keys


def is_opaque(column: Column) -> bool:
    """Whether a column has identifiers, which say nothing to a reader."""
    return column.share("code") + column.share("number") > 0.9 and column.share("email") == 0


def _bare(fillings: Mapping[str, Filling]) -> dict[str, Filling]:
    """What fills the columns, without why."""
    return {name: item.model_copy(update={"reason": ""}) for name, item in fillings.items()}


def sure(share: float) -> float:
    """How sure a reference is of which that share of the values leads to a record."""
    return round(0.6 + 0.38 * share, 2) if share >= 0.55 else 0.7
