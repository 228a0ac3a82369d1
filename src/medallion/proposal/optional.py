"""Which tables hold contacts, owners, quotas, people in deals or line items: what the four first entities have left over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from medallion.contracts import Entity
from medallion.figures import percent
from medallion.proposal import match, vocabulary
from medallion.proposal.match import Match, Pairs
from medallion.proposal.profile import Column, Table
from medallion.proposal.systems import System

#: Words in the name of a table that holds an entity; the keys in links and line items are enough to know them.
_NAMED = {
    "contacts": {"contact", "contacts", "person", "persons", "people", "kontakt", "kontakte", "ansprechpartner", "contacto", "contactos",
                 "personas", "contatti", "contatos", "contactpersonen"},
    "owners": {"user", "users", "owner", "owners", "rep", "reps", "systemuser", "systemusers", "employee", "employees", "salesteam",
               "mitarbeiter", "benutzer", "verkaufer", "vendedores", "usuarios", "utilisateurs"},
    "quotas": {"quota", "quotas", "target", "targets", "goal", "goals", "ziele", "verkaufsziele", "objetivos", "objectifs", "cuotas"},
}  # fmt: skip
#: Share of a column's values that are keys of another table, from which it refers to that table.
_REFERS = 0.5
#: Confidence in a table whose name and columns agree, and in one of which only the columns speak.
_SURE, _LIKELY = 0.9, 0.75


def matches(
    tables: Iterable[Table], entities: Iterable[Entity], system: System | None, keys: Mapping[str, Set[str]]
) -> list[Match]:
    """The tables that hold an optional entity, each as one.

    Args:
        tables: Those that hold none of the others.
        entities: Which optional entities are looked for, those first that others refer to.
        system: The CRM that they come from, if known.
        keys: Keys of the entities that they refer to, as they are compared.
    """
    by_table: dict[int, Match] = {}
    for entity in entities:
        for table in tables:
            if len(table.columns) > 1 and id(table) not in by_table and (item := _as(table, entity, system, keys)):
                by_table[id(table)] = item
    return [*by_table.values()]


def _as(table: Table, entity: Entity, system: System | None, keys: Mapping[str, Set[str]]) -> Match | None:
    """A table as an optional entity; None when it is not one."""
    chosen, perhaps, unread = match.pairs(table, entity, system)
    words = {word for stem in table.stems for word in vocabulary.words_of(stem)}
    named = bool(words & _NAMED.get(entity.name, set()))
    fits = {
        "contacts": _contacts,
        "owners": _owners,
        "quotas": _quotas,
        "deal_contacts": _links,
        "deal_products": _lines,
    }[entity.name]
    sure = fits(chosen, named, table, keys)
    if not sure:
        return None
    for canonical, target in _REFERRING.get(entity.name, {}).items():
        _refer(chosen, perhaps, table, canonical, keys.get(target, set()))
    reason = f"{len(chosen)} columns" + (" and its name" if named else "")
    return Match(table, entity, sure, reason, chosen, perhaps, unread)


#: Per entity the columns that refer to the keys of another.
_REFERRING = {
    "contacts": {"customer_id": "customers"},
    "deal_contacts": {"lead_id": "leads", "contact_id": "contacts"},
    "deal_products": {"lead_id": "leads", "product_id": "products"},
}


def _has_names(chosen: Pairs) -> bool:
    return bool({"contact_name", "owner_name"} & {*chosen}) or {"first_name", "last_name"} <= {*chosen}


def _contacts(chosen: Pairs, named: bool, table: Table, keys: Mapping[str, Set[str]]) -> float:
    reached = bool({"email", "phone"} & {*chosen})
    placed = bool({"customer_id", "company"} & {*chosen}) or _referring(table, keys.get("customers", set())) is not None
    if not _has_names(chosen) or not (reached or placed):
        return 0.0
    if named:
        return _SURE
    return _LIKELY if reached and placed and {"first_name", "last_name"} <= {*chosen} else 0.0


def _owners(chosen: Pairs, named: bool, table: Table, keys: Mapping[str, Set[str]]) -> float:
    telling = {"email", "team", "manager", "owner_id"} & {*chosen}
    is_place = match.PLACES & {word for stem in table.stems for word in vocabulary.words_of(stem)}
    return _SURE if named and _has_names(chosen) and telling and not is_place else 0.0


def _quotas(chosen: Pairs, named: bool, table: Table, keys: Mapping[str, Set[str]]) -> float:
    timed = "period" in chosen or {"period_start", "period_end"} <= {*chosen}
    return _SURE if named and "amount" in chosen and timed and {"owner", "team"} & {*chosen} else 0.0


def _links(chosen: Pairs, named: bool, table: Table, keys: Mapping[str, Set[str]]) -> float:
    ends = [_referring(table, keys.get(name, set())) for name in ("leads", "contacts")]
    return _SURE if None not in ends and ends[0] is not ends[1] and not {"amount", "quantity"} & {*chosen} else 0.0


def _lines(chosen: Pairs, named: bool, table: Table, keys: Mapping[str, Set[str]]) -> float:
    of_deal = _referring(table, keys.get("leads", set()))
    priced = {"quantity", "unit_price"} & {*chosen}
    return _SURE if of_deal is not None and priced and {"product_id", "product_name"} & {*chosen} else 0.0


def _referring(table: Table, keys: Set[str], but: Iterable[Column] = ()) -> tuple[Column, float] | None:
    """The column of which most values are keys of another table, with the share that are."""
    shares = [
        (len(column.forms & keys) / len(column.forms), column)
        for column in table.columns
        if column.filled and column not in [*but] and column.among(keys, _REFERS)
    ]
    share, best = max(shares, key=lambda pair: pair[0], default=(0.0, None))
    return (best, share) if best is not None else None


def _refer(chosen: Pairs, perhaps: Pairs, table: Table, canonical: str, keys: Set[str]) -> None:
    """Fill a reference by the column whose values lead to the other table, whatever it is called."""
    taken = [column for name, (column, _) in chosen.items() if name != canonical]
    reference = _referring(table, keys, taken)
    if reference is None:
        return
    column, share = reference
    mapped = chosen.get(canonical)
    if mapped is None or len(mapped[0].forms & keys) < len(column.forms & keys):
        reason = f"{percent(share, 0)} of its values are known there"
        chosen[canonical] = (column, vocabulary.Meaning(canonical, round(0.6 + 0.38 * share, 2), reason))
        perhaps.pop(canonical, None)
