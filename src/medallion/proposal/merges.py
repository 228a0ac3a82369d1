"""Tables that feed nothing and name records of those that do: lists of merges, and others that someone has to tell of."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass

from medallion import figures
from medallion.contracts.filling import Merged
from medallion.contracts.odcs import code
from medallion.figures import percent
from medallion.proposal import links, vocabulary
from medallion.proposal.profile import Column, Table

#: Words of tables that list merges.
_MERGES = {"merged", "merge", "merges", "merging", "dedupe", "dedup", "deduplication", "duplicates", "duplicate", "fusion", "fusions",
           "fusiones", "fusionen", "zusammenfuhrung", "zusammenfuhrungen", "dubletten", "duplikate", "duplicados", "doublons",
           "duplicati", "fusao", "samenvoegingen", "scalenia"}  # fmt: skip
#: Words of their column for the record that is gone and of that for the one that stays: plain ones, and others.
_GONE = {"merged", "loser", "losing", "duplicate", "dup", "dupe", "gone", "removed", "deleted", "absorbed", "discarded", "victim",
         "secondary", "slave", "verlierer", "dublette", "duplikat", "doppelt", "entfernt", "geloscht", "aufgelost", "zusammengefuhrt",
         "perdedor", "duplicado", "duplicada", "eliminado", "eliminada", "absorbido", "absorbida", "fusionado", "perdant", "doublon",
         "supprime", "supprimee", "absorbe", "fusionne", "perdente", "duplicato", "eliminato", "rimosso", "verliezer", "removido"}  # fmt: skip
_KEPT = {"into", "survivor", "surviving", "survived", "master", "winner", "winning", "kept", "keep", "keeper", "retained", "golden", "primary",
         "gewinner", "behalten", "bleibt", "verbleibend", "uberlebend", "fuhrend", "hauptdatensatz", "ganador", "ganadora", "superviviente",
         "sobreviviente", "maestro", "maestra", "conservado", "conservada", "gagnant", "survivant", "maitre", "conserve", "conservee",
         "vincitore", "mantenuto", "mantenido", "sopravvissuto", "winnaar", "mantido", "vencedor", "principal"}  # fmt: skip
_FROM = {"old", "from", "source", "previous", "alt", "alte", "alter", "quelle", "von", "antiguo", "anterior", "origen", "desde", "ancien",
         "ancienne", "origine", "vecchio", "oud", "van", "antigo", "origem", "stary"}  # fmt: skip
_TO = {"new", "to", "target", "current", "neu", "neue", "neuer", "ziel", "nach", "nuevo", "destino", "hacia", "nouveau", "nouvelle", "cible",
       "vers", "nuovo", "destinazione", "nieuw", "naar", "novo", "nowy"}  # fmt: skip
#: Words of a column that says of which kind a row's records are.
_OBJECT = {"object", "objects", "type", "module", "entity", "kind", "table", "objekt", "objekttyp", "typ", "modul", "tipo", "objeto", "modulo",
           "entidad", "objet", "entite", "oggetto", "entita", "entiteit", "obiekt", "sobject"}  # fmt: skip
_FEW_KINDS = 12
#: How sure a list of merges is about which somebody has to be asked.
_ASKED = 0.7
#: Words of a column that says who merged, when or why.
_ABOUT = {"by", "at", "on", "am", "user", "reason", "grund", "motivo", "date", "datum", "fecha"}
#: Words of tables that are known to tell nothing that counts, beside those that no entity is named by.
_LINES = {"line", "lines", "item", "items", "lineitem", "lineitems", "position", "positionen", "posten", "partidas", "lineas", "lignes",
          "righe", "itens", "regels", "user", "users", "contact", "contacts", "product", "products", "association", "associations", "payment", "payments", "shipment", "shipments",
          "share", "shares", "asset", "assets", "case", "cases", "ticket", "tickets", "contract", "contracts", "vertrag", "vertrage", "contratos",
          "contrats", "contratti", "entitlement", "entitlements", "order", "orders", "auftrag", "auftrage", "pedidos", "commandes", "ordini",
          "quote", "quotes", "attachment", "attachments", "document", "documents", "competitor", "competitors", "split", "splits", "topic",
          "topics", "tag", "tags", "label", "labels", "subscription", "subscriptions", "address", "addresses", "adressen", "direcciones",
          "adresses", "indirizzi", "partner", "partners", "role", "roles", "member", "members", "follower", "followers", "forecast",
          "forecasts", "survey", "surveys"}  # fmt: skip
_PERSONS = {
    "first",
    "firstname",
    "lastname",
    "surname",
    "vorname",
    "nachname",
    "prenom",
    "apellido",
    "apellidos",
    "cognome",
}


def is_listed_in(
    table: Table, entity: str, keys: Mapping[str, Set[str]], live: Callable[[], Set[str]]
) -> Merged | None:
    """How a table lists which records of an entity were merged into which; None when it does not.

    It is asked about unless the name of the table says so, and none of those that are gone is `live`: renewals, groups
    and bundles pair records too, and a parent is called primary or master as a survivor is.

    Args:
        table: The table.
        entity: Whose records.
        keys: Per entity the keys of its records.
        live: Gives the keys of the entity's records that nothing in the export marks as ended.
    """
    named = is_named(table)
    words = {c.header: _words(c) for c in table.columns if c.filled and c.share("date") < 0.5}
    columns = [table.column(header) for header, header_words in words.items() if not header_words & _ABOUT]
    kept = _best(columns, words, _KEPT, _TO)
    gone = _best([c for c in columns if c.repeats < 0.2 and not words[c.header] & (_KEPT | _TO)], words, _GONE, _FROM)
    others = [c for c in columns if c.repeats < 0.2 and not words[c.header] & _MERGES]
    pairs = [(a, b) for a in gone or others for b in kept or others if a is not b] if gone or kept else []
    if not kept and not named:
        return None
    readings = [(pair, where, known) for pair in pairs for where, known in _where(table, *pair, entity, keys[entity])]
    if len(readings) > 1:
        readings = [each for each in readings if each[2].gone]
    if len(readings) != 1:
        return None
    (from_, to), where, known = readings[0]
    plain = bool(words[from_.header] & _GONE or words[to.header] & _KEPT)
    if not (named or plain):
        every = frozenset[str]().union(*keys.values())
        if not known.gone or any(_keys_among(c, every) for c in columns if c not in (from_, to)):
            return None  # a history of what records refer to, such as the accounts before and after
    still = len({_known_as(form) for form in known.forms} & {_known_as(key) for key in live()})
    sure = 0.95 if named and not still else _ASKED
    reason = f"{figures.count(known.rows, 'pair')}; {percent(known.survivors, 0)} of those in {to.header} are known"
    if still:
        reason += f", and {still:,} of those in {from_.header} are in the export as records of their own"
    if known.cut:
        sure = 0.6
        reason += (
            ", by their first 15 characters alone, and a run compares all: export the longer identifiers in both files"
        )
    elif sure == _ASKED:
        reason += f": are these records of {from_.header} merged into those of {to.header}? "
        reason += "Then delete this confidence, and they no longer count; else delete mergedInto"
    file = glob.escape(table.stems[-1])
    return Merged(file=file, from_=from_.header, to=to.header, where=where, confidence=sure, reason=reason)


def is_named(table: Table) -> bool:
    """Whether a table is called a list of merges."""
    return bool({word for stem in table.stems for word in vocabulary.words_of(stem)} & _MERGES)


def _words(column: Column) -> set[str]:
    words = {*vocabulary.words_of(column.header), *vocabulary.tokens(column.header)}
    return words | {word.removesuffix("id") for word in words if len(word) > 5}


def _best(columns: list[Column], words: Mapping[str, Set[str]], plain: Set[str], other: Set[str]) -> list[Column]:
    """The columns with plain words, else those with others; of these the ones that hold identifiers."""
    candidates = [c for c in columns if words[c.header] & plain] or [c for c in columns if words[c.header] & other]
    return [c for c in candidates if c.share("code") + c.share("number") > 0.9] or candidates


@dataclass(frozen=True)
class _Known:
    """Of pairs of records how many there are, how many of the survivors are known, by their first characters alone or
    not, whether those that are gone are known too, and which these are.
    """

    rows: int
    survivors: float
    cut: bool
    gone: bool
    forms: frozenset[str]


def _known(pairs: list[tuple[str, str]], keys: Set[str]) -> _Known:
    gone, kept = ({code(pair[place]) for pair in pairs} for place in (0, 1))
    own, whole = {_known_as(key) for key in keys}, len(kept & keys)
    share = len({_known_as(form) for form in kept} & own) / max(len(kept), 1)
    merged = len({_known_as(form) for form in gone} & own) >= 0.8 * len(gone)
    return _Known(len(pairs), share, whole < 0.8 * share * len(kept), merged, frozenset(gone))


def _where(table: Table, gone: Column, kept: Column, entity: str, keys: Set[str]) -> list[tuple[str | None, _Known]]:
    """Which rows of a table of merges are of an entity, as a condition, and what is known of their records."""
    objects = _objects(table, (gone, kept))
    for column in objects:
        texts = sorted(text for text in column.counts if _is_of(text, entity))
        rows = [(a, b) for text, a, b in table.together(column, gone, kept) if text in texts and a and b]
        if rows and (known := _known(rows, keys)).survivors >= 0.5:
            listed = ", ".join("'" + text.replace("'", "\\'") + "'" for text in texts)
            return [(None if len(texts) == column.distinct else f"trim(`{column.name}`) IN ({listed})", known)]
    pairs = [(a, b) for a, b in table.together(gone, kept) if a and b]
    if objects or not pairs or _says_other((gone, kept), table, entity):
        return []
    return [(None, known)] if (known := _known(pairs, keys)).survivors >= 0.8 else []


def _known_as(form: str) -> str:
    """An identifier as it is compared: of 18 characters the first 15."""
    return form[:15] if len(form) in (15, 18) else form


def _objects(table: Table, besides: tuple[Column, ...]) -> list[Column]:
    """The columns that say of which kind of record a row is, by their name and values."""
    return [
        c
        for c in table.columns
        if c.filled
        and c not in besides
        and c.distinct <= _FEW_KINDS
        and {*vocabulary.words_of(c.header)} & _OBJECT
        and any(_is_of(text, entity) for text in c.counts for entity in _KINDS)
    ]


_KINDS = ("leads", "customers", "interactions", "products")


def _is_of(text: str, entity: str) -> bool:
    return vocabulary.kind_of_file(text.removesuffix("__c"), entity) > 0.5


def _says_other(pair: tuple[Column, ...], table: Table, entity: str) -> bool:
    """Whether headers or the name of a table say that its records are of another entity."""
    texts = [*(c.header for c in pair), *table.stems]
    kinds = {
        kind
        for text in texts
        for kind in _KINDS
        if any(_is_of(word, kind) for word in vocabulary.words_of(text) if word != "log")
    }
    persons = {
        "contact",
        "contacts",
        "person",
        "persons",
        "people",
        "user",
        "users",
        "owner",
        "kontakt",
        "kontakte",
        "contacto",
    }
    named_persons = persons & {word for text in texts for word in vocabulary.words_of(text)}
    return bool(kinds or named_persons) and entity not in kinds


@dataclass(frozen=True)
class Unclear:
    """A table that feeds nothing, and whose column names records of an entity: how many, and how many there are.

    It may list merges where it `pairs` such records, and tell of what happened where it `is_dated`.
    """

    table: Table
    entity: str
    column: Column
    named: int
    of: int
    pairs: bool
    is_dated: bool

    @property
    def reason(self) -> str:
        """What is asked of it, with the possible answers."""
        what = {"leads": "deals", "customers": "accounts", "interactions": "touches"}[self.entity]
        merges = f"mergedInto: {{file: {self.table.stems[-1]}, from: COLUMN, to: COLUMN}}"
        answers = [
            f"a list of merges (write {merges} in the source of {self.entity} in place of this entry)"
        ] * self.pairs
        answers += ["a history of stages (a source of stage_changes)"] * (self.is_dated and self.entity == "leads")
        answers += ["activities (a source of interactions)"] * self.is_dated
        listed = "; ".join([*answers, "anything else (delete this confidence, and it is ignored)"])
        return (
            f"Nothing reads this file, but its column {self.column.header} names {self.named:,} of the {self.of:,} {what}. "
            f"What is it? {listed[0].upper()}{listed[1:]}"
        )


def unclear(table: Table, keys: Mapping[str, Set[str]]) -> Unclear | None:
    """The question about a table that feeds nothing: one that pairs records, or has a day and names them.

    None for every other table, and where its kind is known.
    """
    words = {word for stem in table.stems for word in (*vocabulary.words_of(stem), *vocabulary.tokens(stem))}
    is_known = any(vocabulary.kind_of_file(stem, "leads") == -1 for stem in table.stems) and not words & _MERGES
    is_known = is_known or bool(words & (_LINES | {"historie", "historial", "historique", "storico"}))
    persons = any(
        c.repeats < 0.2 and (_words(c) & _PERSONS or c.share("email") > 0.6) for c in table.columns if c.filled
    )
    spans = any(vocabulary.says_end(c.header) and c.share("date") > 0.5 for c in table.columns if c.filled)
    if not table.rows or is_known or persons or (links.is_junction(table, keys) and not spans):
        return None
    every = frozenset[str]().union(*keys.values())
    columns = [column for column in table.columns if _keys_among(column, every)]
    is_dated = any(c.share("date") > 0.5 for c in table.columns if c.filled and c not in columns)
    candidates = []
    for entity, own in keys.items():
        named = [(_named(c, own), c) for c in columns if own and not links.says_other(c, entity)]
        pairs = sum(_keys_among(c, own) for _, c in named) > 1
        count, column = max(named, key=lambda pair: pair[0], default=(0, None))
        if column and count and (pairs or is_dated):
            candidates.append(Unclear(table, entity, column, count, len(own), pairs, is_dated))
    return max(candidates, key=lambda item: (item.named, item.entity == "leads"), default=None)


def _named(column: Column, keys: Set[str]) -> int:
    """How many of the keys a column has."""
    return max(len(column.forms & keys), len(_short(column.forms) & _short(keys)))


def _keys_among(column: Column, keys: Set[str]) -> bool:
    """Whether a column has mostly keys; a number that may count anything has to be said to be one."""
    if not column.filled or column.distinct < 2 or column.share("date") > 0.5:
        return False
    plain = all(text.isdigit() for text in column.counts)
    if plain and (column.is_unique or max(map(len, column.counts)) < 5) and not links.says_any(column):
        return False
    return column.among(keys, 0.8) or len(_short(column.forms) & _short(keys)) >= 0.8 * column.distinct


def _short(forms: Iterable[str]) -> set[str]:
    """The first 15 characters of identifiers of 15 or 18 characters."""
    return {form[:15] for form in forms if len(form) in (15, 18)}
