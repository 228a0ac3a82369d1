"""What of a lakehouse someone sees: the rows of their deals and accounts, and personal columns by permission alone.

A person of `medallion.access` is compiled to one query per table, which `query.connect` reads in place of the table, so that no
reader can forget it. A table that says of no row whose it is is not there for who sees only some of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import duckdb

from medallion.access import Person
from medallion.cells.texts import ODD_SPACE, squish
from medallion.contracts import Entity, declared
from medallion.lakehouse import totals

#: What commands need to know of a lakehouse, whoever looks: read whole where nothing else is read. Totals of everyone are
#: in it, so beside other tables only those see it who see everything.
MACHINERY = frozenset(
    f"ops.{name}"
    for name in ("contracts", "rates", "runs", "manifests", "batches", "proofs", "erasures", "identity_decisions")
)
_LEADS, _CUSTOMERS, _OWNERS = "silver.leads_clean", "silver.customers_clean", "silver.owners_clean"
_CONTACTS, _LINKS = "silver.contacts_clean", "silver.deal_contacts_clean"
#: Whose rows these are, where no column has a key that says it.
_WHOSE = {
    "silver.identities": "(entity = 'customers' and entity_key in (from seen.accounts)) "
    "or (entity = 'contacts' and entity_key in (from seen.people))",
    "gold.identity_links": "(entity = 'leads' and source_key in (from seen.deals)) "
    "or (entity = 'contacts' and source_key in (from seen.people))",
    "gold.attainment": "(level = 'owner' and {who} in (from seen.names)) or (level = 'team' and {who} in (from seen.teams))",
    "gold.score_bands": "true",
    "silver.products_clean": "true",
    "silver.products_history": "true",
}
#: Columns in which everyone's deals and accounts are counted.
_OF_EVERYONE = {
    "gold.score_bands": ("customers", "open_leads", "closed_leads", "won_leads", "mature_leads", "converted_leads")
}
#: The keys that say whose a row is, the first that a table has, each with those that someone sees.
_KEYS = (("lead_id", "deals"), ("contact_id", "people"), ("customer_id", "accounts"))
#: The query of all rows of a table, and its columns.
Whole = tuple[str, Collection[str]]


def compiled(
    connection: duckdb.DuckDBPyConnection,
    person: Person,
    whole: Callable[[str], Whole | None],
    personal: Callable[[str], Collection[str]],
) -> Callable[[str], str | None]:
    """A function that gives the query of the rows of a table that a person sees; None where they see none of it.

    Args:
        connection: Where the queries will run; the keys of what the person sees are put down in its schema `seen`.
        person: Who looks.
        whole: All rows of a table; None where there is no such table.
        personal: The columns of a table that are personal.
    """
    if not person.sees_all:
        _put_down(connection, person, whole)

    def seen(name: str) -> str | None:
        table = whole(name)
        if table is None:
            return None
        rows, columns = table
        if name.startswith("bronze."):
            return rows if person.sees_all and person.personal else None
        hidden = [] if person.personal else [column for column in personal(name) if column in columns]
        if person.sees_all:
            return _masked(rows, hidden)
        if name in MACHINERY:
            return None
        if name in totals.QUERIES:
            parts = {short: seen(table) for short, table in totals.parts(name).items()}
            return None if None in parts.values() else totals.QUERIES[name].format(whole=rows, **parts)
        whose = _whose(name, columns)
        hidden += [column for column in _OF_EVERYONE.get(name, ()) if column in columns]
        return whose and f"{_masked(rows, hidden)} where {whose}"

    return seen


def personal(entities: Iterable[Entity]) -> Callable[[str], Collection[str]]:
    """A function that gives the personal columns of a table: those that contracts mark so, and free text.

    Columns that a contract brings to gold are never personal.
    """
    columns: dict[str, Collection[str]] = {}
    for entity in entities:
        for table in (entity.clean, entity.history, entity.staged):
            columns[table.name] = entity.personal

    def of(name: str) -> Collection[str]:
        table = None if name in columns else declared(name)
        return table.personal if table else columns.get(name, ())

    return of


def _masked(rows: str, hidden: Iterable[str]) -> str:
    replaced = ", ".join(f'case when false then "{column}" end as "{column}"' for column in dict.fromkeys(hidden))
    return f"select *{f' replace ({replaced})' * bool(replaced)} from ({rows})"


def _whose(name: str, columns: Collection[str]) -> str | None:
    """The condition of the rows that someone sees; None where nothing says whose a row is."""
    if name in _WHOSE:
        return _WHOSE[name].format(who=_called("who"))
    layer, _, table = name.partition(".")
    if layer == "silver" and table.startswith("owners_"):
        return "owner_id in (from seen.owners)"
    if layer == "silver" and table.startswith("contacts_"):
        return "contact_id in (from seen.people)"
    matches = [(column, keys) for column, keys in _KEYS if column in columns]
    if matches:
        column, keys = matches[0]
        whose = f'"{column}" in (from seen.{keys})'
        if column == "lead_id" and "customer_id" in columns:
            whose += " or (lead_id is null and customer_id in (from seen.accounts))"
        return whose
    parts = [f"{_called('owner')} in (from seen.names)"] if "owner" in columns else []
    if "team" in columns:
        parts.append(f"{_called('team')} in (from seen.teams)")
    return " or ".join(parts) or None


def _called(column: str) -> str:
    """The form in which what records call an owner is compared; that of `gold.team`."""
    return f"lower(trim(regexp_replace(\"{column}\", '[ {ODD_SPACE}]+', ' ', 'g')))"


def comparable(text: str) -> str:
    """The same of a text of the declaration."""
    return squish(text).lower()


def owners_of(person: Person, owners: Iterable[Mapping[str, str | None]]) -> tuple[set[str], set[str]]:
    """The identifiers of the owners whose rows someone sees, and every text that leads to one of them and to no other.

    A declared owner whom `silver.owners_clean` does not have is compared as it is written. A text that several owners have
    leads to none.
    """
    called: dict[str, set[str]] = {}
    owner_ids: set[str] = set()
    teams = {comparable(team) for team in person.teams}
    for row in owners:
        key = str(row["owner_id"])
        if teams and comparable(row["team"] or "") in teams:
            owner_ids.add(key)
        for name in ("owner_id", "email", "owner_name"):
            if row[name]:
                called.setdefault(comparable(str(row[name])), set()).add(key)
    declared = {comparable(owner) for owner in person.owners}
    owner_ids |= {key for text in declared for key in called.get(text, ()) if len(called[text]) == 1}
    texts = {text for text, keys in called.items() if len(keys) == 1 and keys <= owner_ids}
    return owner_ids, texts | {text for text in declared if text not in called}


def _put_down(connection: duckdb.DuckDBPyConnection, person: Person, whole: Callable[[str], Whole | None]) -> None:
    """The keys of what someone sees, as tables of one column each."""
    connection.execute("create schema seen")
    for name in ("deals", "accounts", "people", "owners", "names", "teams"):
        connection.execute(f"create table seen.{name} (key varchar)")
    rows: list[dict[str, str | None]] = []
    if owners := whole(_OWNERS):
        names = ("owner_id", "email", "owner_name", "team")
        listed = connection.execute(f"select {', '.join(names)} from ({owners[0]})").fetchall()
        rows = [dict(zip(names, row, strict=True)) for row in listed]
    owner_ids, texts = owners_of(person, rows)
    for name, keys in (("owners", owner_ids), ("names", texts), ("teams", {comparable(team) for team in person.teams})):
        connection.execute(f"insert into seen.{name} select unnest(?::varchar[])", [sorted(keys)])
    leads, customers, contacts, links = (whole(name) for name in (_LEADS, _CUSTOMERS, _CONTACTS, _LINKS))
    own = "in (from seen.names)"
    if leads:
        connection.execute(f"insert into seen.deals select lead_id from ({leads[0]}) where {_called('owner')} {own}")
        of_deals = (
            f"select customer_id from ({leads[0]}) where lead_id in (from seen.deals) and customer_id is not null"
        )
        connection.execute(f"insert into seen.accounts {of_deals}")
    if customers:
        of_owners = f"select customer_id from ({customers[0]}) where {_called('account_manager')} {own}"
        connection.execute(f"insert into seen.accounts {of_owners}")
    if contacts:
        of_owners = f" or {_called('owner')} {own}" if "owner" in contacts[1] else ""
        where = f"customer_id in (from seen.accounts){of_owners}"
        connection.execute(f"insert into seen.people select contact_id from ({contacts[0]}) where {where}")
    if links:
        of_deals = f"select contact_id from ({links[0]}) where lead_id in (from seen.deals) and contact_id is not null"
        connection.execute(f"insert into seen.people {of_deals}")
