"""Tables that feed nothing and name records of those that do: lists of merges, and others that someone has to tell of."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping, Set
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
#: Words of a column that says who merged, when or why.
_ABOUT = {"by", "at", "on", "am", "user", "reason", "grund", "motivo", "date", "datum", "fecha"}
#: Words of tables that are known to tell nothing that counts, beside those that no entity is named by.
_LINES = {"line", "lines", "item", "items", "lineitem", "lineitems", "position", "positionen", "posten", "partidas", "lineas", "lignes",
          "righe", "itens", "regels", "user", "users", "contact", "contacts", "product", "products", "association", "associations", "payment", "payments", "shipment", "shipments"}  # fmt: skip
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


def is_listed_in(table: Table, entity: str, keys: Mapping[str, Set[str]]) -> Merged | None:
    """How a table lists which records of an entity were merged into which, given the keys of each; None when it does not."""
    named = is_named(table)
    words = {c.header: _words(c) for c in table.columns if c.filled and c.share("date") < 0.5}
    columns = [table.column(header) for header, said in words.items() if not said & _ABOUT]
    kept = _best(columns, words, _KEPT, _TO)
    gone = _best([c for c in columns if c.repeats < 0.2 and not words[c.header] & (_KEPT | _TO)], words, _GONE, _FROM)
    others = [c for c in columns if c.repeats < 0.2 and not words[c.header] & _MERGES]
    pairs = [(a, b) for a in gone or others for b in kept or others if a is not b] if gone or kept else []
    if not kept and not named:
        return None
    found = [(pair, where, known) for pair in pairs for where, known in _where(table, *pair, entity, keys[entity])]
    if len(found) > 1:
        found = [each for each in found if each[2].gone]
    if len(found) != 1:
        return None
    (from_, to), where, known = found[0]
    plain = bool(words[from_.header] & _GONE or words[to.header] & _KEPT)
    if not (named or plain):
        every = frozenset[str]().union(*keys.values())
        if not known.gone or any(_keys_among(c, every) for c in columns if c not in (from_, to)):
            return None  # a history of what records refer to, such as the accounts before and after
    sure = 0.95 if named else 0.9 if plain else 0.7
    reason = f"{figures.count(known.rows, 'merge')}; {percent(known.survivors, 0)} of the survivors are known"
    if known.cut:
        sure = 0.6
        reason += (
            ", by their first 15 characters alone, and a run compares all: export the longer identifiers in both files"
        )
    elif not (named or plain):
        reason += f": are these records of {from_.header} merged into those of {to.header}? Else delete mergedInto"
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
    found = [c for c in columns if words[c.header] & plain] or [c for c in columns if words[c.header] & other]
    return [c for c in found if c.share("code") + c.share("number") > 0.9] or found


@dataclass(frozen=True)
class _Known:
    """Of pairs of records how many there are, how many of the survivors are known, by their first characters alone or
    not, and whether those that are gone are known too.
    """

    rows: int
    survivors: float
    cut: bool
    gone: bool


def _known(pairs: list[tuple[str, str]], keys: Set[str]) -> _Known:
    gone, kept = ({code(pair[place]) for pair in pairs} for place in (0, 1))
    own, whole = {_known_as(key) for key in keys}, len(kept & keys)
    share = len({_known_as(form) for form in kept} & own) / max(len(kept), 1)
    merged = len({_known_as(form) for form in gone} & own) >= 0.8 * len(gone)
    return _Known(len(pairs), share, whole < 0.8 * share * len(kept), merged)


def _where(table: Table, gone: Column, kept: Column, entity: str, keys: Set[str]) -> list[tuple[str | None, _Known]]:
    """Which rows of a table of merges are of an entity, as a condition, and what is known of their records."""
    told = _objects(table, (gone, kept))
    for column in told:
        texts = sorted(text for text in column.counts if _is_of(text, entity))
        rows = [(a, b) for text, a, b in table.together(column, gone, kept) if text in texts and a and b]
        if rows and (found := _known(rows, keys)).survivors >= 0.5:
            listed = ", ".join("'" + text.replace("'", "\\'") + "'" for text in texts)
            return [(None if len(texts) == column.distinct else f"trim(`{column.name}`) IN ({listed})", found)]
    pairs = [(a, b) for a, b in table.together(gone, kept) if a and b]
    if told or not pairs or _says_other((gone, kept), table, entity):
        return []
    return [(None, found)] if (found := _known(pairs, keys)).survivors >= 0.8 else []


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
    said = {
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
    told = persons & {word for text in texts for word in vocabulary.words_of(text)}
    return bool(said or told) and entity not in said


@dataclass(frozen=True)
class Unclear:
    """A table that feeds nothing, and whose column names records of an entity: how many, and how many there are."""

    table: Table
    entity: str
    column: Column
    named: int
    of: int

    @property
    def reason(self) -> str:
        """What is asked of it, with the possible answers."""
        what, file = (
            {"leads": "deals", "customers": "accounts", "interactions": "touches"}[self.entity],
            self.table.stems[-1],
        )
        return (
            f"{self.column.header} of its {figures.count(self.table.rows, 'row')} names {self.named:,} of the {self.of:,} {what}, and nothing "
            f"reads it: does it list merges? Then write mergedInto: {{file: {file}, from: COLUMN, to: COLUMN}} in the source of "
            f"{self.entity} in place of this entry; a history of stages is a source of stage_changes, notes and activities are "
            "one of interactions; line items and what else counts nowhere: delete this confidence, and it is ignored"
        )


def unclear(table: Table, keys: Mapping[str, Set[str]]) -> Unclear | None:
    """The question about a table that feeds nothing; None where none of its columns has mostly keys, or its kind is known."""
    words = {word for stem in table.stems for word in (*vocabulary.words_of(stem), *vocabulary.tokens(stem))}
    is_known = any(vocabulary.kind_of_file(stem, "leads") == -1 for stem in table.stems) and not words & _MERGES
    is_known = is_known or bool(words & (_LINES | {"historie", "historial", "historique", "storico"}))
    persons = any(
        _words(c) & _PERSONS or (c.share("email") > 0.6 and c.repeats < 0.2) for c in table.columns if c.filled
    )
    if not table.rows or is_known or persons or links.is_junction(table, keys):
        return None
    every, found = frozenset[str]().union(*keys.values()), list[Unclear]()
    for column in table.columns:
        if not _keys_among(column, every):
            continue
        told = {
            entity: _named(column, own) for entity, own in keys.items() if own and not links.says_other(column, entity)
        }
        entity = max(told, key=lambda each: (told[each], each == "leads"), default="")
        if entity and told[entity]:
            found.append(Unclear(table, entity, column, told[entity], len(keys[entity])))
    return max(found, key=lambda item: item.named, default=None)


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
