"""Columns by which an export says that a record is deleted, archived or merged into another."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from medallion.proposal.vocabulary import words_of

#: Words for "deleted" in headers and cells, without accents.
_ENDED = frozenset({
    "deleted", "delete", "deletion", "removed", "remove", "trash", "trashed", "archived", "merged", "geloscht", "geloescht", "archiviert", "zusammengefuhrt",
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
#: Words of flags for records that are no business: tests, samples, junk, own ones, copies, patterns for others.
_NO_BUSINESS = frozenset({
    "test", "tests", "testing", "testdata", "testrecord", "dummy", "demo", "sample", "fake", "spam", "junk", "internal", "duplicate",
    "duplicated", "dup", "dupe", "template", "testdaten", "testdatensatz", "intern", "interne", "interner", "dublette", "duplikat", "doppelt",
    "vorlage", "muster", "beispiel", "prueba", "pruebas", "interno", "interna", "duplicado", "duplicada", "plantilla", "essai", "doublon",
    "modele", "prova", "duplicato", "modello", "teste", "modelo", "dubbel", "sjabloon", "testowy", "testowe", "testowa",
    "wewnetrzny", "szablon", "dublett", "mall",
})  # fmt: skip
#: What may stand beside them in the header of a flag.
_BESIDE = frozenset({
    "is", "ist", "es", "est", "e", "jest", "a", "flag", "record", "deal", "opportunity", "account", "lead", "customer", "activity", "data",
    "yn", "y", "n", "datensatz", "registro", "kunde", "cliente",
})  # fmt: skip
#: Names that people give to tests, and words that may stand beside them in such a name; others need one of these beside them.
_TESTS = frozenset({
    "test", "tests", "testing", "dummy", "fake", "asdf", "qwerty", "zzz", "xxx", "prueba", "pruebas", "essai", "prova", "teste",
    "testkunde", "testfirma", "testaccount", "testdeal", "testdaten", "testcompany",
})  # fmt: skip
_PERHAPS_TESTS = frozenset(
    {"demo", "sample", "example", "muster", "beispiel", "ejemplo", "exemple", "esempio", "exemplo"}
)
_IN_TESTS = frozenset({
    "account", "customer", "company", "client", "deal", "lead", "opportunity", "record", "entry", "data", "user", "contact", "kunde",
    "firma", "cliente", "empresa", "societe", "azienda",
})  # fmt: skip
_BESIDE_TESTS = frozenset({
    "please", "ignore", "do", "not", "use", "delete", "me", "only", "for", "the", "a", "this", "is", "my", "new", "bitte", "nicht",
    "loschen", "ignorieren", "gmbh", "inc", "ltd",
})  # fmt: skip
_STATES = frozenset({
    "operation", "op", "action", "cdc", "rowkind", "status", "state", "statecode", "estado", "statut", "stan", "zustand", "stato", "record", "lifecycle",
})  # fmt: skip
_NO = frozenset({
    "false", "0", "0.0", "no", "n", "f", "nein", "nie", "non", "nao", "falso", "falsch", "faux", "nej", "nee",
    "off", "active", "aktiv", "activo", "actif", "aktywny", "current",
})  # fmt: skip


#: Words for what was put away: an old activity, which took place all the same.
_PUT_AWAY = ("arch", "arkiv", "gearch", "zarch", "arqu")
#: Words for what was put aside, which may count all the same.
_ASIDE = frozenset(word for word in _ENDED if word.startswith((*_PUT_AWAY, "merged", "fus", "zusammen", "scal")))  # fmt: skip
_YES = frozenset(
    {"true", "1", "1.0", "yes", "y", "t", "x", "ja", "tak", "oui", "si", "sim", "wahr", "verdadero", "vrai", "on"}
)
#: What denies a mark in any contract, and what Spark reads as true or false.
_PLAIN_NO = ("", "false", "0", "no", "n", "f", "null", "none", "n/a", "-")
_BOOLEAN = frozenset({"true", "false", "t", "f", "yes", "no", "y", "n", "1", "0"})
#: Headers of such identifiers written as one word.
_RUN_TOGETHER = frozenset({"masterrecord", "mergedinto", "mergedto", "duplicateof", "survivor", "survivingrecord"})
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
    return _is_mark(words) or is_pointer(header)


def marked(header: str, counts: Mapping[str, int], is_flag: bool = False) -> dict[str, int]:
    """The texts of a column that mark a record as ended, each with its number of rows; of a flag all that do not deny it.

    >>> marked("IsDeleted", {"0": 4, "1": 1}), marked("MasterRecordId", {"0015g": 1}), marked("Excluído", {"Não": 3})
    ({'1': 1}, {'0015g': 1}, {})
    >>> marked("Record Status", {"Active": 3, "Gelöscht": 1}), marked("Status", {"Open": 3, "Not to be deleted": 1})
    ({'Gelöscht': 1}, {})
    >>> marked("LOEVM", {"X": 2}), marked("LOEVM", {"X": 2, "-": 1}, is_flag=True)
    ({}, {'X': 2})
    """
    if is_flag or _is_mark_header(header):
        marking = {text: count for text, count in counts.items() if re.search(_SAID, _folded(text))}
        return {text: count for text, count in marking.items() if not re.search(_DENIED, _folded(text))}
    return {text: count for text, count in counts.items() if re.search(_STATE, _folded(text))}


def is_no_business(header: str) -> bool:
    """Whether a flag of that header says that a record is a test, a copy, a template or the like, and does not count.

    >>> [is_no_business(h) for h in ("Is Test", "Dummy", "IsInternal", "Es prueba", "Duplicate Of", "Test Drive Date", "Demo Date")]
    [True, True, True, True, False, False, False]
    """
    words = {*words_of(header)}
    return bool(words & _NO_BUSINESS) and words <= _NO_BUSINESS | _BESIDE


def is_test_name(text: str) -> bool:
    """Whether a name says nothing but that it is a test.

    >>> [is_test_name(text) for text in ("TEST - please ignore", "Test Account 2", "Demo deal", "asdf", "Test Equipment Ltd", "Demo")]
    [True, True, True, True, False, False]
    """
    words = {word for word in words_of(text) if not word.isdigit()}
    return bool(words & _TESTS or (words & _PERHAPS_TESTS and words & _IN_TESTS)) and words <= (
        _TESTS | _PERHAPS_TESTS | _IN_TESTS | _BESIDE_TESTS
    )


def flagged(counts: Mapping[str, int]) -> dict[str, int]:
    """The texts of a flag that affirm it, each with its rows; none where a column is no flag.

    >>> flagged({"TRUE": 2, "FALSE": 9}), flagged({"x": 1}), flagged({"Yes": 2, "Maybe": 1}), flagged({"1": 4, "0": 3})
    ({'TRUE': 2}, {'x': 1}, {}, {'1': 4})
    """
    if not all(is_yes(text) or is_no(text) for text in counts):
        return {}
    return {text: count for text, count in counts.items() if is_yes(text)}


def unflagged(name: str, texts: Iterable[str]) -> str:
    """The Spark SQL condition under which a flag does not say any of these texts.

    >>> unflagged("is_test", ["TRUE"])
    "lower(trim(coalesce(`is_test`, ''))) NOT IN ('true')"
    """
    listed = ", ".join(f"'{text}'" for text in sorted({text.strip().lower() for text in texts}))
    return f"lower(trim(coalesce(`{name}`, ''))) NOT IN ({listed})"


def counts_all(name: str) -> str:
    """A condition that names a flag and holds for every row, by which a contract says that all count."""
    return f"coalesce(`{name}`, '') IS NOT NULL"


def is_put_away(header: str, texts: Iterable[str]) -> bool:
    """Whether a column says at most that records were archived, which activities are when they are old.

    >>> is_put_away("IsArchived", ["true"]), is_put_away("Record Status", ["Archived"]), is_put_away("IsDeleted", ["1"])
    (True, True, False)
    """
    phrases = [header] if _is_mark_header(header) else texts
    ended = {word.removeprefix("is") for text in phrases for word in words_of(_folded(text))} & _ENDED
    return bool(ended) and all(word.startswith(_PUT_AWAY) for word in ended)


def says_deleted(text: str) -> bool:
    """Whether a state that marks a record as ended says deleted, and neither archived nor merged, which may count.

    >>> [says_deleted(text) for text in ("Deleted", "Gelöscht am 1. März", "Archived", "Fusionné", "Merged, deleted")]
    [True, True, False, False, False]
    """
    words = {*words_of(_folded(text))} & _ENDED
    return bool(words) and not words & _ASIDE


def is_no(text: str) -> bool:
    """Whether a cell denies a flag."""
    return _folded(text) in _NO


def is_yes(text: str) -> bool:
    """Whether a cell affirms a flag."""
    return _folded(text) in _YES


def is_pointer(header: str) -> bool:
    """Whether a column of that header names the record that a merged one went into.

    >>> [is_pointer(header) for header in ("MasterRecordId", "MASTERRECORDID", "merged_into_id", "IsDeleted", "Merged")]
    [True, True, True, False, False]
    """
    words = words_of(header)
    run_together = "".join(words).removesuffix("id").removesuffix("key")
    return any(pair <= set(words) for pair in _INTO) or run_together in _RUN_TOGETHER


def is_sure(header: str, counts: Mapping[str, int], dates: bool = False) -> bool:
    """Whether nothing but deletions is said by such a column: a flag, or the days of deletion.

    What is archived may count or not, and a state may say so in passing: that is asked.

    >>> is_sure("IsDeleted", {"0": 4, "1": 1}), is_sure("archived", {"true": 1}), is_sure("Deleted By", {"Bob": 2})
    (True, False, False)
    """
    words = {word.removeprefix("is") for word in words_of(header)} | set(words_of(header))
    return bool(words & (_ENDED - _ASIDE)) and (dates or all(_folded(text) in _NO | _YES for text in counts))


def ended(header: str, name: str, counts: Mapping[str, int], alone: bool = True, is_flag: bool = False) -> str:
    """The Spark SQL condition under which `marked` says that a row's record has ended.

    A flag `alone` is its own condition: what is neither true nor false is then refused.

    >>> ended("IsDeleted", "isdeleted", {"0": 7}), ended("Gelöscht", "gelöscht", {"Ja": 2, "Nein": 9})
    ('`isdeleted`', "lower(trim(coalesce(`gelöscht`, ''))) NOT IN ('', '-', '0', 'f', 'false', 'n', 'n/a', 'nein', 'no', 'none', 'null')")
    """
    if not is_flag and not _is_mark_header(header):
        return f"NOT ({kept(header, name)})"
    if alone and counts and {text.strip().lower() for text in counts} <= _BOOLEAN:
        return f"`{name}`"
    denied = {text.strip().lower() for text in counts if re.search(_DENIED, _folded(text)) and "'" not in text}
    listed = ", ".join(f"'{word}'" for word in sorted({*denied, *_PLAIN_NO}))
    return f"lower(trim(coalesce(`{name}`, ''))) NOT IN ({listed})"


def kept(header: str, name: str) -> str:
    """The Spark SQL condition under which `marked` says nothing of a row's cell.

    >>> kept("Record Status", "record_status")[:66]
    "NOT translate(lower(trim(coalesce(`record_status`, ''))), 'àáâãäåą"
    """
    text = f"translate(lower(trim(coalesce(`{name}`, ''))), '{_ACCENTED}', '{_FOLDED}')"
    if _is_mark_header(header):
        return f"NOT {text} rlike '{_SAID}' OR {text} rlike '{_DENIED}'"
    return f"NOT {text} rlike '{_STATE}'"
