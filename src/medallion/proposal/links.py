"""Junction files: which record belongs to which, one row per pair, and which of several is the primary one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from medallion.contracts.odcs import code
from medallion.proposal import vocabulary
from medallion.proposal.profile import Column, Table

#: A junction has hardly more columns than its two identifiers, a label and times.
_WIDEST = 9
_PRIMARY = {"primary", "main", "principal", "principale", "haupt", "hauptfirma", "hauptkontakt", "hauptunternehmen", "primar", "primaire",
            "primario", "primaria", "glowna", "glowny", "default", "direct"}  # fmt: skip
#: HubSpot's numbers for a primary company, of a deal, a ticket and a contact, beside those without a label.
_PRIMARY_TYPES = {"5", "26", "1"}
_PLAIN_TYPES = {"341", "339", "279"}
_YES = {"true", "1", "yes", "y", "t", "x", "ja", "si", "oui", "tak"}


@dataclass(frozen=True)
class Link:
    """A junction: its column of one record and that of the other, and which rows count where there are several.

    `one` is the SQL that gives the first record's identifier in rows that count. `several` records have more than one
    other and no row that counts alone; `lacking` have others but no row that counts. `further` is how many pairs do not
    count, since another of their record does.
    """

    table: Table
    of: Column
    to: Column
    share: float
    one: str | None = None
    because: str = ""
    guessed: bool = False
    several: int = 0
    lacking: int = 0
    records: int = 0
    further: int = 0


def between(tables: Iterable[Table], of: tuple[str, Set[str]], to: tuple[str, Set[str]]) -> Link | None:
    """The fullest junction between records of two kinds, each given as the entity's name and its keys."""
    junctions = [link for table in tables if (link := _link(table, of, to))]
    return max(junctions, key=lambda link: (link.share, link.one is not None), default=None)


def is_junction(table: Table, kinds: Mapping[str, Set[str]]) -> bool:
    """Whether a table pairs the keys of two kinds of record and says nothing more of them."""
    names = list(kinds)
    return any(_link(table, (a, kinds[a]), (b, kinds[b])) for a in names for b in names if a != b)


def _link(table: Table, of: tuple[str, Set[str]], to: tuple[str, Set[str]]) -> Link | None:
    if not table.rows or not 2 <= len(table.columns) <= _WIDEST or not of[1] or not to[1]:
        return None
    offers = []
    for left in table.columns:
        for right in table.columns:
            if left is right or not left.filled or not right.filled:
                continue
            shares = [_within(left, of[1]), _within(right, to[1])]
            if min(shares) < 0.5 or says_other(left, of[0]) or says_other(right, to[0]):
                continue
            named = _names(left, of[0]) + _names(right, to[0])
            offers.append((named, sum(shares), left, right, shares[0]))
    if not offers:
        return None
    _, _, left, right, share = max(offers, key=lambda offer: offer[:2])
    if any(_tells_more(column) for column in table.columns if column not in (left, right)):
        return None
    return _primary(table, left, right, share)


def _within(column: Column, keys: Set[str]) -> float:
    forms = column.forms
    return len(forms & keys) / max(len(forms), 1)


_WORDS = {
    "leads": {"deal", "deals", "opportunity", "opp", "lead", "potential"},
    "customers": {"company", "companies", "account", "organization", "customer", "client", "firm"},
    "contacts": {"contact", "person", "people"},
    "interactions": {"engagement", "activity", "call", "email", "meeting", "note", "task", "event"},
}


def _says(column: Column) -> set[str]:
    words = set(vocabulary.tokens(column.header)) | set(vocabulary.words_of(column.header))
    known = {name for name, kind_words in _WORDS.items() if words & kind_words}
    return known | {
        name for name in _WORDS if name != "contacts" and any(vocabulary.kind_of_file(word, name) > 0 for word in words)
    }


def _names(column: Column, kind: str) -> int:
    return int(kind in _says(column))


def says_other(column: Column, kind: str) -> bool:
    """Whether a header names another kind of record."""
    kinds = _says(column)
    return bool(kinds) and kind not in kinds


def says_any(column: Column) -> bool:
    """Whether a header names a kind of record."""
    return bool(_says(column))


def _tells_more(column: Column) -> bool:
    """Whether a column has words or figures of its own, as an activity has, and a junction has not."""
    if not column.filled or column.share("date") > 0.5 or column.share("flag") > 0.9 or column.is_unique:
        return False
    return column.distinct > max(30, 0.2 * column.filled)


def _primary(table: Table, left: Column, right: Column, share: float) -> Link:
    records = [record for record in table.as_records if record[left.name] and record[right.name]]
    pairs: dict[str, set[str]] = {}
    for record in records:
        pairs.setdefault(code(record[left.name]), set()).add(code(record[right.name]))
    repeated = sum(len(others) > 1 for others in pairs.values())
    if not repeated:
        return Link(table, left, right, share, records=len(pairs))
    best: tuple[bool, int, str, str, Column] | None = None
    for column in table.columns:
        if column in (left, right) or not column.filled or column.distinct > 30 or column.share("date") > 0.5:
            continue
        by_text: dict[str, dict[str, set[str]]] = {}
        for record in records:
            if text := record[column.name]:
                by_text.setdefault(text, {}).setdefault(code(record[left.name]), set()).add(code(record[right.name]))
        for text, marked in by_text.items():
            alone = sum(len(others) == 1 for others in marked.values())
            if len(marked) - alone > 0.02 * len(marked):
                continue
            says_primary = _is_primary(column, text)
            every = len(marked) == len(pairs)
            if (says_primary or every) and (best is None or (says_primary, alone) > best[:2]):
                best = (says_primary, alone, column.header, text, column)
    if best is None:
        return Link(table, left, right, share, several=repeated, records=len(pairs))
    says_primary, alone, header, text, column = best
    further = sum(map(len, pairs.values())) - alone
    quoted = text.strip().lower().replace("\\", "\\\\").replace("'", "\\'")
    sql = f"CASE WHEN lower(trim(`{column.name}`)) = '{quoted}' THEN `{left.name}` END"
    because = f"{header} {text!r} marks one of several" if says_primary else f"{header} {text!r} is there once for each"
    return Link(table, left, right, share, sql, because, not says_primary, 0, len(pairs) - alone, len(pairs), further)


def _is_primary(column: Column, text: str) -> bool:
    words, head = set(vocabulary.words_of(text)), set(vocabulary.words_of(column.header))
    if head & {"non", "not", "no"}:
        return False
    if head & _PRIMARY and text.strip().lower() in _YES:
        return True
    if words & _PRIMARY and not words & {"non", "not", "no"}:
        return True
    return bool(head & {"type", "typeid"}) and text in _PRIMARY_TYPES and bool(_PLAIN_TYPES & {*column.counts})
