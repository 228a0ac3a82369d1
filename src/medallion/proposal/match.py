"""Which table holds which entity, and which of its columns is which canonical column: names first, values as judges."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from medallion.contracts import CONFIDENT, Entity, yaml
from medallion.contracts.model import Column as Declared
from medallion.contracts.odcs import code
from medallion.figures import percent
from medallion.proposal import vocabulary
from medallion.proposal.profile import Column, Table
from medallion.proposal.systems import System
from medallion.proposal.vocabulary import Meaning

#: A column is proposed from this confidence on; below, it is only mentioned.
PROPOSED = 0.6
#: What finding a column says of the kind of table. Columns that any table may have say nothing.
TELLING = {
    "leads": {"deal_value": 2.5, "status": 1.5, "stage": 2.5, "expected_close_date": 1.5, "closed_at": 1.5, "source": 1.0,
              "lead_id": 0.5, "customer_id": 0.5, "company": 0.5, "owner": 0.5, "product_id": 0.5, "created_at": 0.3},
    "customers": {"industry": 2.0, "employee_count": 2.0, "annual_revenue": 1.5, "country": 1.0, "city": 1.0,
                  "customer_name": 1.0, "customer_id": 0.3, "account_manager": 0.5},
    "interactions": {"occurred_at": 1.5, "channel": 1.5, "direction": 2.0, "outcome": 2.0, "duration_minutes": 2.0,
                     "notes": 1.0, "customer_id": 0.5, "lead_id": 0.5},
    "products": {"list_price": 2.5, "category": 1.5, "launch_date": 1.5, "product_name": 1.0, "product_id": 0.5},
}  # fmt: skip
_BY_NAME = 3.0
#: What it says of activities that they have a beginning and an end, and the share of dates in a column of ends.
_FROM_TO, _DATED = 1.5, 0.8
_ENOUGH = 3.5
#: Points at which a table is as likely the entity as not.
_HALF = 1.6
#: A name is as good as certain from this confidence on.
_NAMED = 0.84
#: Kinds of column whose values can belie the name.
_TYPED = ("date", "timestamp", "money", "integer")
#: Words of what is no person, though people lead it.
PLACES = frozenset({
    "territory", "territories", "region", "regions", "area", "areas", "district", "branch", "branches", "zone", "office", "queue",
    "department", "division", "unit", "gebiet", "gebiete", "filiale", "abteilung", "bezirk", "territorio", "zona", "secteur",
})  # fmt: skip
#: Words of columns with names of people: whole ones, first and last ones; and of names that are of something else.
NAMES = {"name", "nombre", "nom", "nome", "naam"}
FIRST_NAMES = {"first", "firstname", "given", "vorname", "prenom"}
LAST_NAMES = {"last", "lastname", "family", "nachname", "surname", "apellido", "apellidos"}
OF_PERSONS = {*NAMES, *FIRST_NAMES, *LAST_NAMES}
NO_PERSONS = {*FIRST_NAMES, *LAST_NAMES, "user", "company", "team"}
_HOST = re.compile(r"(https?://)?[\w-]+(\.[\w-]+)+/?")
_CLOSED = {"leads": ("status", "source"), "interactions": ("channel", "direction", "outcome")}


@dataclass
class Match:
    """A table as an entity: per canonical column its header, and how sure both are.

    `perhaps` has columns whose names are too unsure, `unread` those whose names are sure and whose values are not
    what the name says.
    """

    table: Table
    entity: Entity
    confidence: float
    reason: str
    columns: dict[str, tuple[Column, Meaning]] = field(default_factory=dict)
    perhaps: dict[str, tuple[Column, Meaning]] = field(default_factory=dict)
    unread: dict[str, tuple[Column, Meaning]] = field(default_factory=dict)


def understood(entity: str, canonical: str, column: Column, declared: Declared) -> float:
    """Share of rows whose value of a closed column is understood."""
    if not column.filled:
        return 0.0
    good = sum(count for text, count in column.counts.items() if meaning(entity, declared, text))
    return good / column.filled


def meaning(entity: str, declared: Declared, text: str) -> Meaning | None:
    """What a value of a closed column means by the contract's spellings and the vocabulary."""
    if value := declared.spellings.get(text.strip().lower()) or declared.spellings.get(code(text)):
        return Meaning(value, 0.99, "a spelling that the contract knows")
    return vocabulary.value(f"{entity}.{declared.name}", text)


def named(column: Column, entity: Entity, declared: Declared, system: System | None) -> Meaning | None:
    """How well the header of a column names a canonical one; None when it does not."""
    standard = system.columns.get(entity.name) if system else None
    return vocabulary.header(column.header, entity, declared.name, standard, system.name if system else "")


def score(column: Column, entity: Entity, declared: Declared, system: System | None) -> Meaning | None:
    """How sure it is that a column is a canonical one; None when its name says nothing of it."""
    meant = named(column, entity, declared, system)
    if meant is None:
        return None
    factor, why = _judged(column, entity, declared)
    if factor > 0.5 and (two := _two_in_one(column, entity, system, declared.name)):
        factor, why = min(factor, PROPOSED / meant.confidence), two
    reason = f"{meant.reason}; {why}" if why else meant.reason
    return Meaning(declared.name, round(min(meant.confidence * factor, 0.99), 2), reason, meant.standard)


#: What joins two names in a header, and two texts in a cell.
_JOINS = re.compile(r"\s*[/&+|]\s*|\s+(?:-|–|and|und|et|y|e|en|i|ve)\s+")
_JOINED = re.compile(r".[/&+|,;].|\s[-–]\s|\(")


def _two_in_one(column: Column, entity: Entity, system: System | None, declared: str) -> str:
    """The two canonical columns that a header names, where most cells have two parts too; "" where it names one."""
    parts = [part for part in _JOINS.split(column.header) if part]
    if len(parts) != 2 or sum(bool(_JOINED.search(text)) for text in column.counts) < 0.8 * column.distinct:
        return ""
    standard = system.columns.get(entity.name) if system else None
    if standard and vocabulary.bare(column.header) in standard:
        return ""
    best = []
    for part in parts:
        meanings = [
            m for c in entity.columns if (m := vocabulary.header(part, entity, c.name)) and m.confidence >= _NAMED
        ]
        best.append(max(meanings, key=lambda m: m.confidence).value if meanings else "")
    is_deal = [vocabulary.kind_of_file(part, entity.name) > 0 for part in parts]
    parts_of = [name or ("its own name" if own else "") for name, own in zip(best, is_deal, strict=True)]
    if not all(parts_of) or parts_of[0] == parts_of[1]:
        return ""
    joint = column.header[len(parts[0]) : len(column.header) - len(parts[1])]
    if sum(text.count(joint) == 1 for text in column.counts) < 0.8 * column.distinct:
        joint = Counter(sign for text in column.counts for sign in "/&+|,;–-(" if sign in text).most_common(1)[0][0]
    sql = f"trim(split_part(`{column.name}`, '{joint}', {parts_of.index(declared) + 1 if declared in parts_of else 1}))"
    return f"are {parts_of[0]} and {parts_of[1]} in one cell? one part is sql: {yaml.quoted(sql)}"


def _judged(column: Column, entity: Entity, declared: Declared) -> tuple[float, str]:
    """What the values say to a name: a factor, and why."""
    if not column.filled:
        return 0.88, "but it is empty"
    kind = declared.kind
    if declared.name in (*_CLOSED.get(entity.name, ()), "stage") and any(
        text.startswith("[{") for text in column.counts
    ):
        return 0.1, "but lists of records"
    if declared.name in ("owner", "account_manager") and {*vocabulary.words_of(column.header)} & {
        *PLACES,
        "team",
        "group",
    }:
        return 0.5, "but no person"
    if declared.name == entity.key:
        if column.is_unique:
            worded = sum(bool(re.search(r"[^\W\d_]{4,}\s|\s[^\W\d_]{4,}", text)) for text in column.counts)
            if worded > 0.5 * column.distinct:  # a title that happens to be said once
                return 0.8, "every row has its own, but of words"
            return 1.0, "every row has its own"
        if column.repeats < 0.1 and column.filled > 0.98 * column.rows:
            return 0.95, "nearly every row has its own"
        codes = column.share("code") + column.share("number")
        if not column.repeats and column.filled > 0.3 * column.rows and codes > 0.9:
            return 0.92, f"every row that has one has its own; {column.rows - column.filled:,} have none"
        return 0.3, "but values repeat"
    if kind in ("date", "timestamp"):
        dates = max(column.share("date"), column.counted_dates)
        return (1.0, "dates") if dates > 0.8 else (0.1, "but no dates")
    if declared.name == "duration_minutes" and column.share("clock") > 0.7:
        return 0.97, "times such as 1:30"  # a column that counts seconds or minutes is plainer
    if kind in ("money", "integer"):
        numbers = column.share("number")
        if numbers < 0.7 or column.share("date") > 0.5:
            return 0.15, "but no figures"
        return 1.0, "figures"
    if declared.name == "currency" and column.share("number") > 0.5:
        return 0.1, "but figures"
    if declared.name == "industry" and sum(map(bool, map(_HOST.fullmatch, column.counts))) > 0.6 * column.distinct:
        return 0.1, "but addresses of websites"
    if kind == "email":
        return (1.0, "addresses") if column.share("email") > 0.6 else (0.75, "but few look like addresses")
    if kind == "phone":
        return (1.0, "numbers") if column.share("phone") > 0.6 else (0.7, "but few look like telephone numbers")
    if declared.name in _CLOSED.get(entity.name, ()):
        share = understood(entity.name, declared.name, column, declared)
        meant = {value.value for text in column.counts if (value := meaning(entity.name, declared, text))}
        if declared.name == "status" and {"won", "lost"} <= meant and column.distinct <= 30:
            return 1.0, "it tells won from lost"
        if share >= 0.5:
            return 1.0, f"{percent(share, 0)} of its values are understood"
        if column.distinct > 60 or column.share("date") > 0.5 or column.share("number") > 0.6:
            return 0.2, "but its values are none of the expected"
        return (0.85 if declared.fallback else 0.6), f"but only {percent(share, 0)} of its values are understood"
    if declared.name == "stage":
        few = column.distinct <= max(12, 0.3 * column.filled)
        return (
            (1.0, f"{column.distinct} stages")
            if few and column.share("date") < 0.5
            else (0.4, "but it has many values")
        )
    if declared.name in (
        "customer_name",
        "lead_name",
        "company",
        "industry",
        "country",
        "city",
        "product_name",
        "category",
    ):
        if column.share("date") > 0.5 or column.share("number") > 0.8:
            return 0.3, "but figures, not words"
        codes = declared.name == "country" and all(len(text) == 2 and text.isupper() for text in column.counts)
        if column.share("flag") > 0.9 and not codes:  # NO is Norway, SI Slovenia
            return 0.2, "but only yes and no"
    if declared.name in ("owner", "account_manager"):
        if column.share("date") > 0.5 or column.share("flag") > 0.9:
            return 0.2, "but not names"
        if "id" in vocabulary.tokens(column.header):
            return 0.93, "an identifier"  # a name beside it says more
    return 1.0, ""


Pairs = dict[str, tuple[Column, Meaning]]


def pairs(table: Table, entity: Entity, system: System | None) -> tuple[Pairs, Pairs, Pairs]:
    """The best pairing of a table's columns with those of an entity, each header used once.

    Gives those that are proposed, those whose names are too unsure, and those whose values are not what the name says.
    """
    offers = []
    for column in table.columns:
        for declared in entity.columns:
            if guess := score(column, entity, declared, system):
                offers.append((guess.confidence, column.filled / max(column.rows, 1), column, guess))
    offers.sort(key=lambda offer: (-offer[0], -round(offer[1], 1), table.columns.index(offer[2])))
    chosen: Pairs = {}
    perhaps: Pairs = {}
    used: set[str] = set()
    for confidence, _, column, guess in offers:
        if guess.value in chosen or column.name in used:
            continue
        if confidence >= PROPOSED:
            chosen[guess.value] = (column, guess)
            used.add(column.name)
        elif guess.value not in perhaps:
            perhaps[guess.value] = (column, guess)
    unread: Pairs = {}
    for column in table.columns:
        for declared in entity.columns:
            if column.name in used or declared.name in {*chosen, *unread} or not column.filled:
                continue
            is_judged = declared.kind in _TYPED or declared.name in ("owner", "account_manager")
            meant = named(column, entity, declared, system) if is_judged else None
            if meant and meant.confidence >= PROPOSED:
                unread[declared.name] = (column, meant)
                used.add(column.name)
    perhaps = {name: pair for name, pair in perhaps.items() if name not in chosen and pair[0].name not in used}
    return chosen, perhaps, unread


def assign(table: Table, entity: Entity, system: System | None) -> Match:
    """A table as an entity, with how well it fits."""
    chosen, perhaps, unread = pairs(table, entity, system)
    points = sum(TELLING[entity.name].get(name, 0.0) * guess.confidence for name, (_, guess) in chosen.items())
    if "occurred_at" in chosen and any(
        vocabulary.says_end(c.header) and c.share("date") > _DATED for c in table.columns
    ):
        points += _FROM_TO
    named = max(vocabulary.kind_of_file(stem, entity.name) for stem in table.stems)
    standard = system.columns.get(entity.name, {}) if system else {}
    by_preset = bool(chosen) and all(vocabulary.bare(column.header) in standard for column in table.columns)
    if by_preset:
        named = 1.0
    total = points + _BY_NAME * named
    basis = "all its headers, which the preset has" if by_preset else "its name"
    reasons = [f"{len(chosen)} columns"] + ([basis] if named > 0 else [])
    confidence = round(max(0.0, min(0.99, total / (total + _HALF))), 2) if total > 0 else 0.0
    dated = {"closed_at", "expected_close_date"} & {*chosen} and {"company", "customer_id"} & {*chosen}
    whole = named > 0 or (named > -1 and entity.name == "leads" and bool(dated))
    if whole and _is_complete({name: guess for name, (_, guess) in chosen.items()}, entity):
        confidence = max(confidence, CONFIDENT)
    return Match(
        table,
        entity,
        confidence,
        " and ".join(reasons),
        chosen,
        perhaps,
        unread,
    )


def kind_of_unread(stems: tuple[str, ...], cells: tuple[str, ...], entities: Mapping[str, Entity]) -> str | None:
    """The entity that a file's name suggests, or else its first line; None when neither does."""
    says = {entity: max(vocabulary.kind_of_file(stem, entity) for stem in stems) for entity in TELLING}
    best = max(says, key=lambda entity: says[entity])
    if says[best] > 0:
        return best
    points = {
        entity: sum(
            weight
            for name, weight in telling.items()
            if any(vocabulary.header(cell, entities[entity], name) for cell in cells)
        )
        for entity, telling in TELLING.items()
    }
    best = max(points, key=lambda entity: points[entity])
    return best if points[best] >= _ENOUGH else None


def kinds(tables: list[Table], entities: Mapping[str, Entity], system: System | None) -> list[Match]:
    """The tables that hold an entity, each as the one that it fits best."""
    matches = []
    for table in tables:
        if len(table.columns) < 2:  # more likely a delimiter that is not known
            continue
        best = max((assign(table, entities[name], system) for name in TELLING), key=lambda match: match.confidence)
        if best.confidence >= _ENOUGH / (_ENOUGH + _HALF) and _has_essentials(best):
            matches.append(best)
    return matches


def _is_complete(named: Mapping[str, Meaning], entity: Entity) -> bool:
    """Whether a table of that name has, beyond doubt, what the entity is about."""
    essentials = {
        "leads": ((entity.key,), ("status", "stage"), ("deal_value",)),
        "customers": ((entity.key,), ("customer_name",)),
        "interactions": (("occurred_at",), ("customer_id", "lead_id")),
        "products": ((entity.key,), ("product_name",), ("list_price",)),
    }[entity.name]
    sure = {name for name, guess in named.items() if guess.confidence >= _NAMED}
    return all(sure & {*names} for names in essentials)


def _has_essentials(match: Match) -> bool:
    """Without these a table cannot be the entity, however it is named."""
    have = match.columns
    if match.entity.name == "leads":
        return bool({"status", "stage", "deal_value", "closed_at"} & {*have})
    if match.entity.name == "interactions":
        return "occurred_at" in have
    if match.entity.name == "customers":
        return bool({"customer_name", "customer_id"} & {*have})
    return bool({"product_name", "product_id"} & {*have})
