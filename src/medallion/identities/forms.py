"""Records of accounts and contacts in the forms in which they are compared: one row per record, all columns text or lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from medallion.identities import normal

#: A value that so many records have tells no two of them together: it is compared, and never looked for.
_COMMON = 60
#: Names of companies from which a domain or number is shared: a portal, a law firm's switchboard.
_SHARED = 5

ACCOUNT = ("name", "joined", "sorted", "figures", "legal", "initials", "skeleton", "domain", "label", "email", "phone", "country",
           "city", "street")  # fmt: skip
CONTACT = ("name", "sorted", "first", "last", "initial", "email", "local", "figures", "domain", "phone",
           "employer")  # fmt: skip
#: Columns by which candidates are looked for, with what they are made from.
_LOOKED_FOR = {
    "accounts": {
        "by_name": ("joined",), "by_sorted": ("sorted",), "by_domain": ("domain",), "by_phone": ("phone",),
        "by_email": ("email",), "by_sound": ("skeleton", "country"), "by_street": ("street", "city"),
        "by_rare": ("rare",), "by_start": ("start", "city"),
    },
    "contacts": {
        "by_email": ("email",), "by_phone": ("phone",), "by_name": ("sorted", "employer"), "by_local": ("local",),
        "by_last": ("last", "employer"), "by_first": ("first", "employer"), "by_full": ("sorted",),
        "by_initial": ("initial", "employer"),
    },
}  # fmt: skip
#: The forms that a record has by itself.
_OWN = {"accounts": (*(name for name in ACCOUNT if name != "label"), "start"), "contacts": CONTACT}
#: What may belong to many differently named records, a portal or a switchboard, and is then nobody's in particular.
_SHAREABLE = {"accounts": ("domain", "phone", "email"), "contacts": ("phone", "email")}
#: The word of each name that the fewest others have, if that identifies it.
_RAREST = """
with words as (select unique_id, unnest(list_distinct(words)) as word from own),
counted as (select word, count(*) as n from words group by 1)
select unique_id, word from words join counted using (word) where length(word) > 2
qualify row_number() over (partition by unique_id order by n, word) = 1"""


def accounts(records: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Accounts in comparable forms; see `of_accounts`."""
    return compared(of_accounts(records), "accounts")


def contacts(records: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Contacts in comparable forms; see `of_contacts`."""
    return compared(of_contacts(records), "contacts")


def of_accounts(records: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Accounts in the forms that each record has by itself, whatever others there are.

    Args:
        records: `key` and, as far as known, `name`, `email`, `website`, `phone`, `country`, `city`, `street`, `postcode` and
            `deals`, a list of texts of which an account shares one with no other by accident.
    """
    rows = []
    for record in records:
        name = normal.company(record["name"]) if record.get("name") else ""
        words = name.split()
        email = normal.email(record["email"]) if record.get("email") else None
        place = " ".join(part for part in (record.get("street"), record.get("postcode")) if part)
        rows.append(
            {
                "key": record["key"],
                "name": name or None,
                "joined": "".join(words) or None,
                "sorted": " ".join(sorted(words)) or None,
                "figures": "".join(c for c in name if c.isdigit()),
                "legal": normal.legal_form(record["name"]) if record.get("name") else "",
                "initials": "".join(word[0] for word in words) if len(words) > 2 else None,
                "skeleton": skeleton(words)[:7] or None,
                "start": name[:4] or None,
                "domain": next(
                    (d for d in (normal.domain(record[c]) for c in ("website", "email") if record.get(c)) if d), None
                ),
                "email": email,
                "phone": normal.phone(record["phone"]) if record.get("phone") else None,
                "country": normal.country(record["country"]) if record.get("country") else None,
                "city": normal.city(record["city"]) if record.get("city") else None,
                "street": normal.street(place) if place else None,
                "words": words,
                "deals": list(record.get("deals") or ()),
            }
        )
    return _table(rows, "accounts")


def of_contacts(records: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Contacts in the forms that each record has by itself, whatever others there are.

    Args:
        records: `key` and, as far as known, `name` or `first` and `last`, `email`, `phone` and `employer`, the name of the
            account.
    """
    rows = []
    for record in records:
        first, last = (normal.person(record[part]) if record.get(part) else "" for part in ("first", "last"))
        name = f"{first} {last}".strip() or (normal.person(record["name"]) if record.get("name") else "")
        words = name.split()
        if words and not last:
            first, last = words[0], words[-1] if len(words) > 1 else ""
        email = normal.email(record["email"]) if record.get("email") else None
        rows.append(
            {
                "key": record["key"],
                "name": name or None,
                "sorted": " ".join(sorted(words)) or None,
                "first": first or None,
                "last": last or None,
                "initial": f"{first[:1]} {skeleton(last.split())[:5]}".strip() or None,
                "email": email,
                "local": email.partition("@")[0] if email else None,
                "figures": "".join(c for c in email.partition("@")[0] if c.isdigit()) if email else None,
                "domain": normal.domain(email) if email else None,
                "phone": normal.phone(record["phone"]) if record.get("phone") else None,
                "employer": normal.company(record["employer"]) if record.get("employer") else None,
                "words": words,
                "deals": [],
            }
        )
    return _table(rows, "contacts")


def skeleton(words: Sequence[str]) -> str:
    """The consonants of a name, in which typing errors of vowels do not show."""
    joined = "".join(words)
    return joined[:1] + "".join(c for c in joined[1:] if c not in "aeiou")


def _table(rows: list[dict[str, Any]], kind: str) -> pa.Table:
    text = {name: pa.array([row[name] for row in rows], pa.string()) for name in ("key", *_OWN[kind])}
    lists = {name: pa.array([row[name] for row in rows], pa.list_(pa.string())) for name in ("words", "deals")}
    return pa.table({"unique_id": text.pop("key"), **text, **lists})


def compared(own: pa.Table, kind: str) -> pa.Table:
    """Records as they are compared: without values that belong to nobody in particular, and with what is looked for.

    Args:
        own: What `of_accounts` or `of_contacts` gave.
        kind: `accounts` or `contacts`.
    """
    shared = {
        column: f"(select {column} from own where {column} is not null group by 1 "
        f"having count(distinct left(coalesce(name, ''), 4)) > {_SHARED})"
        for column in _SHAREABLE[kind]
    }
    plain = ", ".join(
        f"case when {column} not in {values} then {column} end as {column}" for column, values in shared.items()
    )
    more = ", split_part(domain, '.', 1) as label, rare.word as rare" if kind == "accounts" else ""
    joined = f"left join ({_RAREST}) rare using (unique_id)" if kind == "accounts" else ""
    looked_for = {
        column: " || chr(31) || ".join(f"nullif({part}, '')" for part in parts)
        for column, parts in _LOOKED_FOR[kind].items()
    }
    wanted = ", ".join(f"{value} as {column}" for column, value in looked_for.items())
    counted = ", ".join(
        f"case when {column} in (select {column} from sought where {column} is not null group by 1 "
        f"having count(*) between 2 and {_COMMON}) then {column} end as {column}"
        for column in looked_for
    )
    names = ", ".join(ACCOUNT if kind == "accounts" else CONTACT)
    with duckdb.connect() as connection:
        connection.register("given", own)
        connection.execute("create table own as select *, row_number() over () as place from given")
        return connection.sql(
            f"with plain as (select * replace ({plain}) from own), whole as (select plain.*{more} from plain {joined}), "
            f"sought as materialized (select *, {wanted} from whole) "
            f"select unique_id, {names}, {counted}, words, deals from sought order by place"
        ).to_arrow_table()


def looked_for(kind: str) -> tuple[str, ...]:
    """The columns of which two candidates have one alike."""
    return tuple(_LOOKED_FOR[kind])
