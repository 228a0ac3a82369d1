"""Records of accounts and contacts in the forms in which they are compared: one row per record, all columns text or lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

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


def accounts(records: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Accounts in comparable forms.

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
    _unshare(rows, ("domain", "phone", "email"))
    for row in rows:
        row["label"] = row["domain"].split(".")[0] if row["domain"] else None
    _rarest(rows)
    return _table(rows, "accounts")


def contacts(records: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Contacts in comparable forms.

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
    _unshare(rows, ("phone", "email"))
    return _table(rows, "contacts")


def skeleton(words: Sequence[str]) -> str:
    """The consonants of a name, in which typing errors of vowels do not show."""
    joined = "".join(words)
    return joined[:1] + "".join(c for c in joined[1:] if c not in "aeiou")


def _unshare(rows: list[dict[str, Any]], columns: Sequence[str]) -> None:
    """Take out values that belong to many differently named records: they are nobody's in particular."""
    for column in columns:
        names: dict[str, set[str]] = {}
        for row in rows:
            if row[column]:
                names.setdefault(row[column], set()).add((row["name"] or "")[:4])
        shared = {value for value, known in names.items() if len(known) > _SHARED}
        for row in rows:
            if row[column] in shared:
                row[column] = None


def _rarest(rows: list[dict[str, Any]]) -> None:
    """The word of each name that the fewest others have, if it is told by it."""
    counts = Counter(word for row in rows for word in set(row["words"]))
    for row in rows:
        words = [word for word in row["words"] if len(word) > 2]
        row["rare"] = min(words, key=lambda word: (counts[word], word), default=None)


def _table(rows: list[dict[str, Any]], kind: str) -> pa.Table:
    looked_for = _LOOKED_FOR[kind]
    for column, parts in looked_for.items():
        values = ["\x1f".join(row[p] for p in parts) if all(row[p] for p in parts) else None for row in rows]
        counts = Counter(value for value in values if value)
        for row, value in zip(rows, values, strict=True):
            row[column] = value if value and 1 < counts[value] <= _COMMON else None
    names = ACCOUNT if kind == "accounts" else CONTACT
    text = {name: pa.array([row[name] for row in rows], pa.string()) for name in ("key", *names, *looked_for)}
    lists = {name: pa.array([row[name] for row in rows], pa.list_(pa.string())) for name in ("words", "deals")}
    return pa.table({"unique_id": text.pop("key"), **text, **lists})


def looked_for(kind: str) -> tuple[str, ...]:
    """The columns of which two candidates have one alike."""
    return tuple(_LOOKED_FOR[kind])
