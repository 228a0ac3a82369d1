"""Owners, contacts and the other optional entities among the tables that are left."""

from __future__ import annotations

from medallion.contracts import Filling
from medallion.figures import percent
from medallion.proposal import feeding, key_columns, match, optional, vocabulary
from medallion.proposal.draft import Draft, is_opaque, sure
from medallion.proposal.feeds import Feed, feed_of
from medallion.proposal.match import Match
from medallion.proposal.profile import Column, Table

#: Share of a column's values that lead to another table, from which it is filled by them.
_REFERS = 0.5
#: What the column by which deals name an owner says of them, and by the one with the names.
_OF_OWNERS = {"owner_id", "owner_name", "first_name", "last_name"}


def owner(draft: Draft, feed: Feed, canonical: str) -> None:
    """An owner named by an identifier is looked up in the table of users that the folder has."""
    item = feed.fillings.get(canonical)
    if item is None or item.column is None:
        return
    wanted = feed.table.column(item.column).forms
    used = {id(each.table) for each in draft.feeds if each.entity not in (*draft.further, "owners")}
    for table in draft.tables:
        if id(table) in used or not wanted:
            continue
        for key in table.columns:
            known = key.forms if key.filled and key.is_unique else set()
            if len(known & wanted) < 0.5 * len(wanted) or not (named := _person(table, key)):
                continue
            by = _people(draft, table, key, named, f"the people behind {item.column} of {feed.table.file.name}")
            if by is None:
                continue
            share = len(known & wanted) / len(wanted)
            feed.fillings[canonical] = Filling(
                column=item.column,
                lookup="owners",
                by=by,
                take="owner_name",
                confidence=sure(share),
                reason=f"{percent(share, 0)} of its values are in {table.file.name}, which has the names",
            )
            return
    if is_opaque(feed.table.column(item.column)):
        reason = f"{item.reason}; identifiers, and no table here has the names"
        feed.fillings[canonical] = item.model_copy(update={"reason": reason})


def _people(draft: Draft, table: Table, key: Column, named: Filling, reason: str) -> str | None:
    """The column of owners that has these identifiers; None where another table holds them, or they are another key."""
    owners = feed_of(draft.feeds, "owners")
    if owners is None:
        chosen, perhaps, _ = match.pairs(table, draft.entities["owners"], draft.system)
        taken = {key.name, *([table.column(named.column).name] if named.column else ())}
        kept = {name: pair for name, pair in chosen.items() if pair[0].name not in taken and name not in _OF_OWNERS}
        owners = feeding.feed(draft, Match(table, draft.entities["owners"], 0.9, reason, kept, perhaps, {}))
        own = Filling(column=key.header, confidence=0.95, reason="every row has its own")
        owners.fillings = {"owner_id": own, "owner_name": named, **owners.fillings}
        key_columns.settle(draft, owners)
    if owners.table is not table:
        return None
    return next((name for name in ("owner_id", "email") if owners.column_of(name) is key), None)


def add_optional(draft: Draft, *names: str) -> None:
    """Optional entities of these names, from tables that hold none of the others."""
    used = {id(feed.table) for feed in draft.feeds if feed.entity not in draft.further} | {*draft.listing}
    used |= {id(before.match.table) for before in draft.settled.before}
    tables = [table for table in draft.tables if id(table) not in used and table.file.name not in draft.settled.left]
    known = {item.entity for item in draft.feeds}
    for item in optional.matches(tables, [draft.entities[name] for name in names], draft.system, draft.keys):
        name = item.entity.name
        if name == "owners" and name in known:
            continue
        feed = feeding.feed(draft, item)
        if item.entity.key in feed.fillings:
            key_columns.settle(draft, feed)
            draft.keys.setdefault(name, set()).update(c.forms if (c := draft.own(feed)) else ())
        if "customer_id" in item.entity.column_names and "customer_id" not in feed.fillings:
            _by_name(draft, feed, "customer_id", "company", "customers")
        if name == "deal_products" and "product_id" not in feed.fillings:
            _by_name(draft, feed, "product_id", "product_name", "products")
        if name == "contacts":
            _in_place_of_further(draft, feed)
    for feed in [item for item in draft.feeds if item.entity == "interactions" and "contacts" in names]:
        filling = feed.fillings.get("contact_id")
        best = draft.best(feed.table, draft.keys.get("contacts", set()), filling.column if filling else None)
        if best and best[1] >= _REFERS:
            reason = f"{percent(best[1], 0)} of its values are known contacts"
            reached = Filling(column=best[0].header, confidence=sure(best[1]), reason=reason)
            feed.fillings["contact_id"] = reached


def _in_place_of_further(draft: Draft, contacts: Feed) -> None:
    """What is looked up in a table of contacts is looked up in them, and in nothing else that the table feeds."""
    for other in [each for each in draft.feeds if each.table is contacts.table and each.entity in draft.further]:
        key, account = other.fillings.get("record_id"), other.fillings.get("customer_id")
        own = contacts.fillings.get("contact_id")
        if not key or not account or not own or key.column != own.column:
            continue
        contacts.fillings["customer_id"] = account
        to = {"lookup": "contacts", "by": "contact_id"}
        for feed in draft.feeds:
            for name, item in feed.fillings.items():
                if item.lookup == other.entity:
                    feed.fillings[name] = item.model_copy(update=to)
        del draft.further[other.entity]
        draft.feeds.remove(other)


def _by_name(draft: Draft, feed: Feed, canonical: str, written: str, entity: str) -> None:
    """Look a reference up by the name that is written in a row, where the other table has most of these names."""
    item = feed.fillings.get(written)
    forms = feed.table.column(item.column).forms if item and item.column else frozenset()
    share = len(forms & draft.named[entity]) / max(len(forms), 1)
    if item and share >= _REFERS:
        by = {"customers": "customer_name", "products": "product_name"}[entity]
        reason = f"{percent(share, 0)} of its values are names of {'accounts' if entity == 'customers' else entity}"
        filling = Filling(column=item.column, lookup=entity, by=by, confidence=sure(share), reason=reason)
        feed.fillings[canonical] = filling


def _person(table: Table, key: Column) -> Filling | None:
    """The column that has the name of a contact, or first and last name together."""
    worded = [(column, set(vocabulary.words_of(column.header))) for column in table.columns if column.filled]
    worded = [(column, words) for column, words in worded if column is not key]
    if match.PLACES & {word for stem in table.stems for word in vocabulary.words_of(stem)}:
        return None
    worded = [(column, words) for column, words in worded if not words & match.PLACES]
    for longest in (1, 2):
        for column, words in worded:
            if words & match.NAMES and len(words) <= longest and not words & match.NO_PERSONS:
                return Filling(column=column.header, confidence=0.9, reason="its name")
    first, last = (
        next((column for column, words in worded if words & names), None)
        for names in (match.FIRST_NAMES, match.LAST_NAMES)
    )
    if first and last:
        sql = f"trim(concat_ws(' ', `{first.name}`, `{last.name}`))"
        return Filling(sql=sql, confidence=0.9, reason="first and last name")
    return None
