"""Row-level security: the declaration of access as one role of the model, whose filters know each user by name.

Whoever publishes the model puts its readers into the role; a user who is not declared sees no rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import duckdb

from medallion.access import Person
from medallion.lakehouse import query, visible

NAME = "Declared access"
#: The keys of the deals that someone sees, or of their accounts.
_OF_DEALS = "SELECTCOLUMNS(FILTER('Deals', 'Deals'[Owner] IN {owners}), \"key\", 'Deals'[%s])"
#: Filters of the tables: `{owners}` are the texts by which records call a person's owners. What has none here, and is not
#: among `OPEN`, is for those who see everything.
_FILTERS: Mapping[str, str] = {
    "Deals": "'Deals'[Owner] IN {owners}",
    "Deal changes": "'Deal changes'[lead_id] IN " + _OF_DEALS % "Deal",
    "Customers": "'Customers'[Account manager] IN {owners} || 'Customers'[customer_id] IN " + _OF_DEALS % "customer_id",
}
#: Tables without a filter: stages and touches follow deals and customers, channels are totals of everyone, and the others
#: have no row of a deal or an account.
OPEN = frozenset(
    {"Stages", "Touches", "Channels", "Reps", "Products", "Lead sources", "Pipeline stages", "Statuses"}
    | {"Date", "Time", "Metrics", "Sales target"}
)


def permissions(
    connection: duckdb.DuckDBPyConnection, people: Sequence[Person], tables: Iterable[str]
) -> tuple[tuple[str, str], ...]:
    """The DAX filter of each table that needs one; none where nobody is declared.

    Args:
        connection: From `medallion.lakehouse.query.connect`, with the layer silver.
        people: Those of the declaration.
        tables: Names of the model's tables.
    """
    if not people:
        return ()
    owners = []
    if query.readable(connection, ["silver.owners_clean"]):
        owners = query.rows(connection, "select owner_id, email, owner_name, team from silver.owners_clean")
    called = {person.user: _listed(visible.owners_of(person, owners)[1]) for person in people}
    return tuple((table, _filter(_FILTERS.get(table), people, called)) for table in tables if table not in OPEN)


def _filter(template: str | None, people: Sequence[Person], called: Mapping[str, str]) -> str:
    cases = []
    for person in people:
        seen = "TRUE()" if person.sees_all else "FALSE()"
        if not person.sees_all and template and called[person.user] != "{}":
            seen = template.replace("{owners}", called[person.user])
        cases.append(f"{_text(person.user.lower())}, {seen}")
    return f"SWITCH(LOWER(USERPRINCIPALNAME()), {', '.join(cases)}, FALSE())"


def _listed(texts: Iterable[str]) -> str:
    return f"{{{', '.join(map(_text, sorted(texts)))}}}"


def _text(text: str) -> str:
    return '"' + text.replace('"', '""').replace("\n", " ") + '"'
