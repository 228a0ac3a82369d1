"""Columns by which an export says that a record is deleted, archived or merged into another."""

from __future__ import annotations

import re
import unicodedata
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


#: Letters with accents, and those that stand for them: cells are folded alike here and in the SQL of a contract.
_ACCENTED = "àáâãäåąçćčďèéêëęěğìíîïıłñńňòóôõöøőřśšşťùúûüůűýÿžźż"
_FOLDED = "aaaaaaacccdeeeeeegiiiiilnnnooooooorssstuuuuuuyyzzz"
#: A cell that denies a mark; Salesforce writes an identifier of zeros for none.
_DENIED = f"^({'|'.join(sorted(word.replace('.', '[.]') for word in _NO))}|0+a*)$"
#: A cell that says anything: a letter, also of another script, or a digit.
_SAID = "[a-z0-9]|[^ -~–—·]"
#: A state of a record that has ended, "Deleted on 1 March" or "Soft deleted", and not a sentence about one.
_STATE = rf"^([^a-z0-9]*|[^a-z0-9]*[a-z0-9]+[^a-z0-9]+)({'|'.join(sorted(_ENDED))})([^a-z0-9]|$)"


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip().lower().translate(str.maketrans(_ACCENTED, _FOLDED))


def _is_mark(words: Sequence[str]) -> bool:
    named = {word.removeprefix("is") for word in words} | set(words)
    return bool(named & _ENDED) and not (named & {"ids", "objects"}) and "not" not in named


def may_mark(header: str) -> bool:
    """Whether a column of that header may say that records have ended.

    >>> [may_mark(h) for h in ("IsDeleted", "archived", "merged_into_id", "Record Status", "hs_merged_object_ids", "Name")]
    [True, True, True, True, False, False]
    """
    return _is_mark_header(header) or bool(_STATES & set(words_of(header)))


def _is_mark_header(header: str) -> bool:
    """Whether any value of the column says that the record has ended, unless it denies it."""
    words = words_of(header)
    return _is_mark(words) or any(pair <= set(words) for pair in _INTO)


def marked(header: str, counts: Mapping[str, int]) -> dict[str, int]:
    """The texts of such a column that say so, each with its rows.

    >>> marked("IsDeleted", {"0": 4, "1": 1}), marked("MasterRecordId", {"0015g": 1}), marked("Excluído", {"Não": 3})
    ({'1': 1}, {'0015g': 1}, {})
    >>> marked("Record Status", {"Active": 3, "Gelöscht": 1}), marked("Status", {"Open": 3, "Not to be deleted": 1})
    ({'Gelöscht': 1}, {})
    """
    if _is_mark_header(header):
        said = {text: count for text, count in counts.items() if re.search(_SAID, _folded(text))}
        return {text: count for text, count in said.items() if not re.search(_DENIED, _folded(text))}
    return {text: count for text, count in counts.items() if re.search(_STATE, _folded(text))}


def kept(header: str, name: str) -> str:
    """The Spark SQL condition under which `marked` says nothing of a row's cell.

    >>> kept("Record Status", "record_status")[:66]
    "NOT translate(lower(trim(coalesce(`record_status`, ''))), 'àáâãäåą"
    """
    text = f"translate(lower(trim(coalesce(`{name}`, ''))), '{_ACCENTED}', '{_FOLDED}')"
    if _is_mark_header(header):
        return f"NOT {text} rlike '{_SAID}' OR {text} rlike '{_DENIED}'"
    return f"NOT {text} rlike '{_STATE}'"
