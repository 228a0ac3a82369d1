"""Whom to erase: keys of an account, its deals, touches and records, and the texts by which they would be recognized."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from medallion.contracts import Column, Entity
from medallion.errors import LakehouseError
from medallion.lakehouse import query, store
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import decisions, erasure_log
from medallion.silver import redaction
from medallion.silver.mentions import Mentions, contacts
from medallion.silver.mentions.names import Name

_SHORTEST = 4
#: A name that records of so many other accounts bear is not looked for in texts: it is no one's in particular.
_COMMON = 3


@dataclass
class Subject:
    """Whom to erase: keys by entity, and the texts by which they would be recognised."""

    keys: dict[str, set[str]] = field(default_factory=dict)
    names: dict[str, set[str]] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)
    spoken: set[str] = field(default_factory=set)
    companies: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)
    common: set[str] = field(default_factory=set)
    theirs: set[str] = field(default_factory=set)
    switchboards: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Subject:
        """From what `told` gave."""
        keys, names = ({name: set(known) for name, known in document[what].items()} for what in ("keys", "names"))
        return cls(keys, names, *(set(document.get(name, ())) for name in _TEXTS))

    def told(self) -> dict[str, Any]:
        """As values that JSON has."""
        keys, names = ({name: sorted(known) for name, known in what.items()} for what in (self.keys, self.names))
        return {"keys": keys, "names": names, **{name: sorted(getattr(self, name)) for name in _TEXTS}}

    def is_account(self, customer_id: str) -> bool:
        """Whether it is the account of that key, as someone writes it."""
        return bool({re.sub(r"\s+", "", customer_id).upper(), customer_id.strip()} & self.keys["customers"])

    def _own_numbers(self) -> set[str]:
        """Numbers of the account that no other account has as its own."""
        numbers = {text for text in self.texts if "@" not in text}
        if not self.switchboards:
            return numbers
        parts = {part for text in numbers for part in contacts.numbers(text)}
        return {part for part in parts if not _number_forms(part) & self.switchboards}

    def mentions(self, salt: str) -> Mentions:
        """What must not be found anywhere: addresses, numbers, keys that are no common figure, and names in texts."""
        return Mentions(
            emails=frozenset(text for text in self.texts if "@" in text),
            phones=frozenset(self._own_numbers()),
            keys=frozenset(key for known in self.keys.values() for key in known - self.theirs if _is_telling(key)),
            names=frozenset(
                {*(Name(text) for text in self.spoken), *(Name(text, person=False) for text in self.companies)}
            ),
            shared=frozenset(self.shared),
            common=frozenset(self.common),
            files=frozenset(self.files),
            salt=salt,
        )


_TEXTS = ("texts", "spoken", "companies", "shared", "common", "theirs", "switchboards", "files")


def _number_forms(text: str) -> set[str]:
    return erasure_log.contacts((), [text])[erasure_log.PHONE]


def _is_telling(key: str) -> bool:
    return (len(key) >= _SHORTEST and bool(re.search(r"\d", key)) and bool(re.search(r"[^\W\d]", key))) or len(key) >= 8


#: Columns with the name of a company.
COMPANIES = ("customer_name", "company")


#: Personal texts that are no name by themselves: others have them too.
_NO_NAMES = ("first_name", "last_name", "job_title")


def _is_person(column: Column) -> bool:
    return column.pii and column.kind not in ("email", "phone", "free_text") and column.name not in _NO_NAMES


def _is_name(column: Column) -> bool:
    return column.name in COMPANIES or _is_person(column)


def vocabulary(entities: Iterable[Entity]) -> frozenset[str]:
    """Values of enumerated columns, as exports may spell them."""
    columns = [column for entity in entities for column in entity.columns if column.accepted]
    known = {text.casefold() for column in columns for text in (*column.accepted, *column.spellings)}
    return frozenset(known | {text.replace("_", " ") for text in known})


def form(entities: Mapping[str, Entity], entity: str, column: str, text: str) -> str:
    """A text as values of a column are compared."""
    return redaction.comparable(text, entities[entity].column(column))


def found(lake: Lakehouse, entities: Mapping[str, Entity], customer_id: str) -> Subject:
    """Keys of the account, its deals, touches and further records, from every version that was ever known."""
    subject = Subject({"customers": _merged_into(lake, entities, {customer_id})})
    looked_by = {
        (str(item.lookup), str(item.by))
        for entity in entities.values()
        for source in entity.sources
        for item in (source.columns or {}).values()
        if item.lookup
    } | {("customers", "customer_name")}
    with query.connect(lake) as connection:
        for entity in entities.values():
            if entity.name == "products" or not lake.exists(entity.history.name):
                continue
            where, values = _links_sql(entities, entity, subject)
            rows = query.rows(connection, f"select * from {entity.history.name} where {where}", values)
            subject.keys.setdefault(entity.name, set()).update(str(row[entity.key]) for row in rows)
            for column in entity.columns:
                texts = {str(row[column.name]) for row in rows if row[column.name] is not None}
                if (entity.name, column.name) in looked_by:
                    subject.names.setdefault(f"{entity.name}.{column.name}", set()).update(texts)
                if column.kind in ("email", "phone"):
                    subject.texts |= texts
                elif column.name in COMPANIES:
                    subject.companies |= texts
                elif _is_person(column):
                    subject.spoken |= texts
            if entity.name == "customers" and not rows and _was_begun(lake, entities, customer_id):
                if not erasure_log.unfinished(lake):
                    raise LakehouseError(
                        f"{lake.root}: customer {customer_id} was forgotten already; its names and addresses are no "
                        "longer known, so nothing could be searched for",
                        "Its certificate is in `certificates` in ops of the lakehouse. Where that found something, `medallion forget --resume` searches again.",
                    )
            elif entity.name == "customers" and not rows:
                raise LakehouseError(
                    f"{lake.root}: there is no customer {customer_id}",
                    "Look it up in silver.customers_clean; the key is written as there.",
                )
        _compare(lake, entities, connection, subject)
    return subject


def _compare(lake: Lakehouse, entities: Mapping[str, Entity], connection: Any, subject: Subject) -> None:
    """Note which surnames, names and keys others have too."""
    names = {Name(text) for text in subject.spoken} | {Name(text, person=False) for text in subject.companies}
    accounts: dict[str, set[str]] = {}
    for entity in entities.values():
        if entity.name == "products" or not lake.exists(entity.history.name):
            continue
        where, values = _links_sql(entities, entity, subject)
        keys = sorted(key for name, known in subject.keys.items() if name != entity.name for key in known)
        sql = f'select distinct "{entity.key}" as key from {entity.history.name} where list_contains(?, "{entity.key}") and not coalesce({where}, false)'
        subject.theirs |= {str(row["key"]) for row in query.rows(connection, sql, [keys, *values])}
    for entity in entities.values():
        columns = [column.name for column in entity.columns if _is_name(column)]
        if not columns or not lake.exists(entity.clean.name):
            continue
        where, values = _links_sql(entities, entity, subject)
        account = '"customer_id"' if "customer_id" in entity.column_names else f'"{entity.key}"'
        for name in columns:
            sql = f'select distinct "{name}" as name, {account} as account from {entity.clean.name} where "{name}" is not null and not coalesce({where}, false)'
            for row in query.rows(connection, sql, values):
                accounts.setdefault(str(row["name"]), set()).add(str(row["account"]))
    subject.switchboards = _switchboards(lake, entities, connection, subject)
    folded: dict[str, set[str]] = {}
    for text, known in accounts.items():
        folded.setdefault(text.casefold(), set()).update(known)
    subject.common = {name.text for name in names if len(folded.get(name.text.casefold(), ())) >= _COMMON}
    people = [name for name in names if name.person and name.surname]
    for text in accounts if people else ():
        other = Name(text)
        subject.shared |= {
            name.text for name in people if name.has_surname_of(other) and name.text.casefold() != text.casefold()
        }


def _switchboards(lake: Lakehouse, entities: Mapping[str, Entity], connection: Any, subject: Subject) -> set[str]:
    """Numbers of theirs that the record of another account has too, in the forms in which they are hashed."""
    wanted = {form for text in subject.texts if "@" not in text for form in _number_forms(text)}
    entity, numbers = entities["customers"], set()
    columns = [column.name for column in entity.columns if column.kind == "phone"]
    if not wanted or not columns or not lake.exists(entity.clean.name):
        return set()
    ends = {form[-_SHORTEST:] for form in wanted}
    where, values = _links_sql(entities, entity, subject)
    for name in columns:
        sql = f'select distinct "{name}" as said from {entity.clean.name} where "{name}" is not null and not coalesce({where}, false)'
        for row in query.rows(connection, sql, values):
            digits = re.sub(r"\D", "", str(row["said"]))
            if any(end in digits for end in ends):  # its forms take longer
                numbers |= wanted & _number_forms(str(row["said"]))
    return numbers


def _merged_into(lake: Lakehouse, entities: Mapping[str, Entity], keys: set[str]) -> set[str]:
    """These accounts, those that were merged into them, however many merges ago, and those that a decision has merged
    with them.
    """
    entity = entities["customers"]
    members = decisions.groups(lake, entities).get("customers", [])
    roots = {member.root for member in members if member.key in keys}
    keys = keys | {member.key for member in members if member.root in roots}
    if not lake.exists(entity.history.name) or "_merged_into" not in dict(store.spark_types(lake, entity.history.name)):
        return keys
    accounts, more = set(keys), set(keys)
    with query.connect(lake, layers=["silver"], only={entity.history.name}) as connection:
        while more:
            sql = (
                f'select distinct "{entity.key}" as key from {entity.history.name} where list_contains(?, _merged_into)'
            )
            more = {str(row["key"]) for row in query.rows(connection, sql, [sorted(more)])} - accounts
            accounts |= more
    return accounts


def _was_begun(lake: Lakehouse, entities: Mapping[str, Entity], customer_id: str) -> bool:
    known = erasure_log.read(lake)
    kind = f"customers.{entities['customers'].key}"
    key = form(entities, "customers", entities["customers"].key, customer_id)
    return known.hashed(kind, key) in known.hashes.get(kind, frozenset())


def _links_sql(entities: Mapping[str, Entity], entity: Entity, subject: Subject) -> tuple[str, list[Any]]:
    tests, values = [], []
    for column, (target, _) in redaction.links(entity, entities).items():
        if known := subject.keys.get(target):
            tests.append(f'list_contains(?, "{column}")')
            values.append(sorted(known))
    return " or ".join(tests) or "false", values
