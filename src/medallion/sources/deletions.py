"""Lists of deleted records: files of which each row says no more than that a record is gone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise

#: Words of files that list deleted records, without accents; longer ones may begin so.
_WORDS = re.compile(
    r"deleted?|deletes|deletions?|removed|removals|trash(ed)?|recycle(bin|d)?|purged?|tombstones?|papierkorb|geloe?scht|eliminad[oa]|"
    r"borrad[oa]|papelera|supprime|corbeille|eliminat[iao]$|cestino|excluid[oa]|apagad[oa]|lixeira|verwijderd|prullenbak|usuniet|kosz$|"
    r"smazan|kos$|raderad|slettet|slettede|papirkurv|silinen|torolt|удален|корзина|削除|ゴミ箱|删除|刪除|回收站|삭제|휴지통"
)
#: Words beside them by which a file tells of something else, such as what is left without the records that were taken out.
_OTHER = frozenset(
    [
        "not",
        "without",
        "no",
        "non",
        "ohne",
        "sans",
        "sin",
        "senza",
        "sem",
        "zonder",
        "except",
        "excluding",
        "excl",
        "ausser",
        "hors",
        "salvo",
        "incl",
        "including",
        "duplicate",
        "duplicates",
        "undeleted",
        "restored",
        "false",
        "request",
        "requests",
        "pending",
        "candidates",
        "policy",
        "flag",
        "flags",
    ]
)
#: Words directly before them by which a file has deleted records among others.
_WITH = frozenset(["with", "mit", "avec", "con"])
#: Words of columns by which a list tells of each record whether it is gone, or that it came back.
_STATES = (
    "restor",
    "undelet",
    "recover",
    "wiederher",
    "status",
    "state",
    "action",
    "aktion",
    "request",
    "approv",
    "flag",
)
_LETTERS = str.maketrans({"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "ß": "ss"})
#: More columns than a list of deleted records has.
_MOST = 8


def words_of(text: str) -> list[str]:
    """The words of a name in lower case, without accents, camel case split."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    plain = unicodedata.normalize("NFKD", split.translate(_LETTERS))
    return re.findall(r"[^\W_]+", "".join(letter for letter in plain if not unicodedata.combining(letter)).lower())


def are_named(stems: Iterable[str]) -> bool:
    """Whether a file is called a list of deleted records.

    >>> [are_named([stem]) for stem in ("Opportunity_deleted", "Gelöschte Verkaufschancen", "recycle-bin", "削除済み商談", "deals")]
    [True, True, True, True, False]
    >>> [are_named([stem]) for stem in ("deals without duplicates removed", "kosten", "deals_with_deleted", "deleted_with_reason")]
    [False, False, False, True]
    """
    words = [word for stem in stems for word in words_of(stem)]
    if any(word.startswith("remov") and after == "from" for word, after in pairwise(words)):
        return False  # from a campaign, say
    return not {*words} & _OTHER and any(
        _WORDS.match(word) or (not word.isascii() and _WORDS.search(word))
        for before, word in pairwise(["", *words])
        if before not in _WITH
    )


def may_list(header: Sequence[str]) -> bool:
    """Whether a table with such a header is narrow enough to list records that are gone."""
    return 0 < sum(bool(cell.strip()) for cell in header) <= _MOST


def tells_state(header: str) -> bool:
    """Whether a column of a list tells of each record whether it is gone: `Restored At`, `Action`.

    >>> [tells_state(text) for text in ("Restored At", "Action", "Status", "Deleted At", "Deleted By", "Reason")]
    [True, True, True, False, False, False]
    """
    return any(word.startswith(_STATES) for word in words_of(header))


def ids_of(header: Sequence[str]) -> list[str]:
    """The headers that may name records, by an identifier or number: not who deleted them, and in which batch."""
    ids = {"id", "ids", "key", "number", "no", "nr", "nummer", "numero", "uuid", "guid", "code"}
    named = [cell for cell in header if {*words_of(cell)} & ids]
    return [cell for cell in named if not {"by", "user", "batch"} & {*words_of(cell)}]


def key_of(header: Sequence[str]) -> str:
    """The header that names the records, "" where none does.

    >>> key_of(["id", "deletedDate"]), key_of(["Deleted On", "Opportunity ID"]), key_of(["Deal No."]), key_of(["Reason"])
    ('id', 'Opportunity ID', 'Deal No.', '')
    """
    return next(iter(ids_of(header)), "")
