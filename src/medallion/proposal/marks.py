"""Columns by which an export says that a record is deleted, archived or merged into another."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from medallion.proposal.vocabulary import words_of

#: Words for "deleted" in headers and cells, without accents.
_ENDED = frozenset({
    "deleted", "delete", "deletion", "trash", "trashed", "archived", "merged", "geloscht", "geloescht", "archiviert", "zusammengefuhrt",
    "papierkorb", "eliminado", "eliminada", "borrado", "borrada", "archivado", "archivada", "fusionado",
    "fusionada", "supprime", "supprimee", "archive", "archivee", "fusionne", "fusionnee", "eliminato",
    "eliminata", "archiviato", "archiviata", "excluido", "excluida", "arquivado", "arquivada", "verwijderd",
    "gearchiveerd", "usuniety", "usunieta", "usuniete", "zarchiwizowany", "zarchiwizowane", "scalony",
    "slettet", "arkiverad", "raderad",
})  # fmt: skip
#: Pairs of words that head the identifier of the record that a merged one went into.
_INTO = tuple(
    map(frozenset, (("merged", "into"), ("merged", "to"), ("master", "record"), ("master", "id"), ("duplicate", "of"),
                    ("surviving", "record"), ("winning", "record"), ("survivor", "id")))
)  # fmt: skip
_STATES = frozenset({
    "status", "state", "statecode", "estado", "statut", "stan", "zustand", "stato", "record", "lifecycle",
})  # fmt: skip
_NO = frozenset({
    "false", "0", "0.0", "no", "n", "f", "nein", "nie", "non", "nao", "falso", "falsch", "faux", "nej", "nee",
    "off", "active", "aktiv", "activo", "actif", "aktywny", "current",
})  # fmt: skip


def _is_mark(words: Sequence[str]) -> bool:
    named = {word.removeprefix("is") for word in words} | set(words)
    return bool(named & _ENDED) and not (named & {"ids", "objects"}) and "not" not in named


def _says_no(text: str) -> bool:
    """Whether a cell denies the mark; Salesforce writes an identifier of zeros for none."""
    return text.strip().lower() in _NO or bool(re.fullmatch("0+A*", text.strip()))


def may_mark(header: str) -> bool:
    """Whether a column of that header may say that records have ended.

    >>> [may_mark(h) for h in ("IsDeleted", "archived", "merged_into_id", "Record Status", "hs_merged_object_ids", "Name")]
    [True, True, True, True, False, False]
    """
    words = words_of(header)
    return _is_mark(words) or any(pair <= set(words) for pair in _INTO) or bool(_STATES & set(words))


def marked(header: str, counts: Mapping[str, int]) -> dict[str, int]:
    """The texts of such a column that say so, each with its rows.

    >>> marked("IsDeleted", {"0": 4, "1": 1}), marked("MasterRecordId", {"0015g": 1})
    ({'1': 1}, {'0015g': 1})
    >>> marked("Record Status", {"Active": 3, "Archived": 1}), marked("Status", {"Open": 3})
    ({'Archived': 1}, {})
    """
    words = words_of(header)
    if _is_mark(words) or any(pair <= set(words) for pair in _INTO):
        return {text: count for text, count in counts.items() if words_of(text) and not _says_no(text)}
    return {text: count for text, count in counts.items() if _says_ended(words_of(text))}


def _says_ended(words: Sequence[str]) -> bool:
    """Whether a state is that of a record that has ended, such as "Deleted on 1 March", and not a sentence about one."""
    return bool(words) and (words[0] in _ENDED or (len(words) <= 2 and bool(set(words) & _ENDED)))


def kept(header: str, name: str) -> str:
    """The Spark SQL condition under which a row is not marked by such a column.

    >>> kept("Record Status", "record_status")[:60]
    "NOT coalesce(lower(trim(`record_status`)), '') rlike '(^|[^a"
    """
    words, text = words_of(header), f"lower(trim(`{name}`))"
    if _is_mark(words) or any(pair <= set(words) for pair in _INTO):
        listed = ", ".join(f"'{word}'" for word in sorted(_NO))
        return f"coalesce({text}, '') IN ('', {listed}) OR {text} rlike '^0+a*$'"
    return f"NOT coalesce({text}, '') rlike '(^|[^a-z])({'|'.join(sorted(_ENDED))})($|[^a-z])'"
