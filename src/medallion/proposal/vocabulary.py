"""The words of `vocabulary.yaml` and `languages.yaml`: how headers, values and names of files are compared with them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from rapidfuzz import fuzz

from medallion.contracts import Entity, yaml
from medallion.contracts.odcs import code

Tokens = tuple[str, ...]


@dataclass(frozen=True)
class Meaning:
    """What something probably means, how sure that is (0 to 1) and why; `standard` when a known system calls it so."""

    value: str
    confidence: float
    reason: str
    standard: bool = False


@cache
def _document() -> dict[str, Any]:
    folder = files("medallion.proposal")
    document: dict[str, Any] = yaml.load(folder.joinpath("vocabulary.yaml").read_text(encoding="utf-8"))
    _extend(document, yaml.load(folder.joinpath("languages.yaml").read_text(encoding="utf-8")))
    return document


def _extend(document: dict[str, Any], more: dict[str, Any]) -> None:
    """Add the words of lists to those of another document, in place."""
    for name, item in more.items():
        if isinstance(item, dict):
            _extend(document.setdefault(name, {}), item)
        else:
            document.setdefault(name, []).extend(item)


@cache
def tokens(text: str) -> Tokens:
    """Words of a header: camel case split, no accents, lower case, signs and abbreviations written out.

    >>> tokens("StageName"), tokens("Opp_Amt (USD)"), tokens("Größe m²"), tokens("property_hs_timestamp")
    (('stage', 'name'), ('opportunity', 'amount', 'usd'), ('grosse', 'm2'), ('property', 'hs', 'timestamp'))
    """
    short = _document()["abbreviations"]
    signs = re.sub(r"[$€£]+", " price ", text.replace("#", " number "))
    return tuple(short.get(word, word) for word in words_of(signs))


@cache
def parted(text: str) -> Tokens:
    """Words of a header, each that is none of the vocabulary's in those that make it up, as databases write names.

    >>> parted("actualvalue"), parted("lastmodifieddate"), parted("Abschlussdatum")
    (('actual', 'value'), ('last', 'modified', 'date'), ('abschlussdatum',))
    """
    short = _document()["abbreviations"]
    return tuple(short.get(part, part) for word in tokens(text) for part in _parted(word))


#: Letters of a word that may be made of others, and of each of these.
_GLUED, _PART = 8, 2
#: How near to a phrase a header that is parted has to be; and the letters of a word that others may end in.
_WHOLE, _LONG = 0.84, 6


def _parted(word: str) -> Tokens:
    """A word in as few words of the vocabulary as make it up; itself where none do."""
    words = _words()
    if len(word) < _GLUED or word in words or not word.isascii():
        return (word,)
    parted: dict[int, Tokens] = {0: ()}
    for end in range(_PART, len(word) + 1):
        ways = [(*parted[at], word[at:end]) for at in parted if end - at >= _PART and word[at:end] in words]
        if ways:
            parted[end] = min(ways, key=len)
    return parted.get(len(word), (word,))


@cache
def _words() -> frozenset[str]:
    """The words of the phrases for columns."""
    phrases = (
        phrase for columns in _document()["columns"].values() for listed in columns.values() for phrase in listed
    )
    return frozenset(word for phrase in phrases for word in words_of(str(phrase)))


#: Letters that are no letter with an accent.
_LETTERS = str.maketrans({"ß": "ss", "ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "Ae", "đ": "d", "ı": "i"})


@cache
def words_of(text: str) -> Tokens:
    """Words of a value: camel case split, no accents, lower case.

    >>> words_of("Closed - Won"), words_of("No contestó"), words_of("LinkedIn")
    (('closed', 'won'), ('no', 'contesto'), ('linked', 'in'))
    """
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text).translate(_LETTERS)
    plain = unicodedata.normalize("NFKD", split)
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter)).lower()
    return tuple(re.findall(r"[^\W_]+", bare))


@cache
def bare(text: str) -> str:
    """A header in small letters, without spaces, signs and the object that JSON wraps it in.

    >>> bare("Kunde-løpenr #"), bare("Номер сделки"), bare("properties.hs_object_id")
    ('kundeløpenr', 'номерсделки', 'hsobjectid')
    """
    return "".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFC", _unwrapped(text)).lower()))


def _unwrapped(written: str) -> str:
    """The name of a JSON record's column without the object that holds all of its columns.

    >>> _unwrapped("properties.amount"), _unwrapped("attributes.stage"), _unwrapped("attributes.type")
    ('amount', 'stage', 'attributes.type')
    """
    return re.sub(r"^(properties|fields|attributes(?!\.(type|url)$))\.", "", written)  # Salesforce tells the kind there


#: What OData writes after the name of a column of codes, for that with what a user sees in place of them.
_SHOWN = "@OData.Community.Display.V1.FormattedValue"


def _without_lookup(written: str) -> str:
    """The name of a column without what OData writes around that of a reference to another record.

    >>> _without_lookup("_ownerid_value"), _without_lookup("_ownerid_value@OData.Community.Display.V1.FormattedValue")
    ('ownerid', 'owner')
    """
    coded = written.removesuffix(_SHOWN)
    lookup = re.fullmatch(r"_(\w+)_value", coded)
    if lookup is None:
        return coded
    return lookup[1] if coded == written else lookup[1].removesuffix("id")


@cache
def without_noise(words: Tokens, entity: str) -> Tokens:
    """The words without those that say nothing, and without the entity's own name before them."""
    kept = tuple(word for word in words if word not in _document()["noise"]) or words
    for prefix in sorted(_document()["kinds"][entity]["prefixes"], key=len, reverse=True):
        head = tokens(prefix)
        if len(kept) > len(head) and kept[: len(head)] == head:
            return kept[len(head) :]
    return kept


class _Named(NamedTuple):
    """A phrase for a column: its words, whether it is weak, and what its words are compared by."""

    words: Tokens
    weak: bool
    as_set: frozenset[str]
    text: str
    letters: int


@cache
def _phrases(entity: str, column: str) -> tuple[_Named, ...]:
    """Phrases for a column as words."""
    phrases = []
    for phrase in _document()["columns"][entity].get(column, ()):
        words = tokens(str(phrase).removeprefix("~"))
        weak = str(phrase).startswith("~")
        phrases.append(_Named(words, weak, frozenset(words), " ".join(words), len("".join(words))))
    return tuple(phrases)


def header(
    written: str, entity: Entity, column: str, standard: Mapping[str, str | None] | None = None, system: str = ""
) -> Meaning | None:
    """How well a header names a canonical column; None when it does not.

    Args:
        written: The header.
        entity: Whose column.
        column: The canonical column.
        standard: The standard headers of the system that the export comes from, if any; see `systems`.
        system: What that system is called.
    """
    if standard and bare(written) in standard:
        named = standard[bare(written)] == column
        return Meaning(column, 0.97, f"{system} calls it so", standard=True) if named else None
    name = _without_lookup(_unwrapped(written))
    declared = entity.column(column)
    if any(bare(written) == bare(name) for name in (column, *declared.synonyms)):
        return Meaning(column, 0.96 if column == code(written) else 0.91, "its name")
    best, whole = (_nearest(words, entity.name, column) for words in (tokens(name), parted(name)))
    best = whole if whole >= _WHOLE else best  # a part of a name that is parted may say anything
    return Meaning(column, round(best, 2), "its name") if best >= 0.45 else None


def _ends_in(written: str, word: str, entity: str) -> bool:
    """Whether a word written together ends in another one: in a long one, or after the entity's name in letters that are words.

    >>> _ends_in("商談所有者", "所有者", "leads"), _ends_in("取引先担当者", "担当者", "leads"), _ends_in("projektleiter", "leiter", "leads")
    (True, False, True)
    """
    before = written.removesuffix(word)
    if before == written:
        return False
    return len(word) >= _LONG if word.isascii() else before in _document()["kinds"][entity]["prefixes"]


@cache
def _nearest(words: Tokens, entity: str, column: str) -> float:
    """How well the words of a header name a column by the phrase that is nearest to them; 0 by none."""
    rest = without_noise(words, entity)
    both, kept, text = set(words), set(rest), " ".join(rest)
    best = 0.0
    for phrase, weak, of_phrase, written, letters in _phrases(entity, column):
        if phrase in (words, rest):
            score = 0.7 if weak else 0.94 if phrase == words else 0.92
        elif weak or not rest:
            continue
        elif len(phrase) > 1 and of_phrase in (both, kept):
            score = 0.88
        elif len(phrase) == len(rest) and all(map(_begins, rest, phrase)):
            score = 0.84
        elif letters > 4 and (close := fuzz.ratio(written, text, score_cutoff=86)) >= 86:
            score = 0.8 * close / 100
        elif len(rest) == 1 and len(phrase) == 1 and _ends_in(rest[0], phrase[0], entity):
            score = 0.8
        elif of_phrase <= kept:
            score = 0.76 - 0.07 * (len(rest) - len(phrase))
        elif kept < of_phrase and len(rest[0]) > 2:
            score = 0.55
        else:
            continue
        best = max(best, score)
    return best


def _begins(short: str, word: str) -> bool:
    """Whether a word is another one cut short.

    >>> _begins("vorauss", "voraussichtlicher"), _begins("last", "lasting"), _begins("date", "date")
    (True, False, True)
    """
    return short == word or (len(short) >= 4 and len(word) >= len(short) + 4 and word.startswith(short))


def kind_of_file(stem: str, entity: str) -> float:
    """How much a file's name suggests an entity: 1 for one of its words, -1 for a word of something else."""
    words = set(tokens(re.sub(r"\d{4,}", " ", stem)))
    named = bool(words & set(_document()["kinds"][entity]["names"]))
    none = bool(words & set(_document()["kinds"]["none"]["names"]))
    others = any(
        words & set(known["names"]) for name, known in _document()["kinds"].items() if name not in (entity, "none")
    )
    if none:
        return -1.0
    if named:
        return 0.5 if others else 1.0
    return -0.3 if others else 0.0


@cache
def _values(column: str) -> list[tuple[Tokens, str]]:
    return [
        (words_of(str(phrase)), value) for value, listed in _document()["values"][column].items() for phrase in listed
    ]


@dataclass(frozen=True)
class _Phrase:
    """A phrase in a spelling: how much it weighs, how sure it is, what it means, and the words before and after it."""

    weight: int
    confidence: float
    value: str
    said: str
    before: Tokens
    after: Tokens
    why: str = "says"


@cache
def value(entity_column: str, written: str) -> Meaning | None:
    """What a spelling of a closed column means, such as `leads.status`; None when no word of it is known.

    A word beside it that denies it, or puts it in doubt or in the future, leaves a guess that someone has to confirm.
    """
    words = words_of(written)
    if not words:
        return None
    joined = "".join(words)
    phrases: list[_Phrase] = []
    for phrase, meant in _values(entity_column):
        wording, size = " ".join(phrase), len(phrase)
        if phrase == words or wording.replace(" ", "") == joined:
            doubt = entity_column in _QUALIFIED and "?" in written
            return Meaning(meant, 0.7 if doubt else 0.95, "asked with '?'" if doubt else "the word for it")
        for place in range(len(words) - size + 1):
            if words[place : place + size] == phrase:
                rest = words[:place], words[place + size :]
                phrases.append(_Phrase(len(wording), 0.9 if size > 1 else 0.84, meant, wording, *rest))
                break
        else:
            ends = [word for word in words if word.endswith(wording) and len(word) > len(wording) + 2]
            if len(wording) >= 5 and ends:  # not in-voice
                begins = (ends[0].removesuffix(wording),)
                phrases.append(_Phrase(len(wording) - 1, 0.82, meant, wording, begins, (), "ends in"))
    if phrases:
        longest = max(item.weight for item in phrases)
        best, *others = [item for item in phrases if item.weight == longest]
        is_one = len({best.value, *(item.value for item in others)}) == 1
        plain = Meaning(best.value, best.confidence if is_one else 0.7, f"{best.why} {best.said!r}")
        return _qualified(plain, phrases, best, written) if entity_column in _QUALIFIED else plain
    listed = _values(entity_column)
    score, meant, wording = max(
        (fuzz.ratio(" ".join(phrase), " ".join(words)), meant, " ".join(phrase)) for phrase, meant in listed
    )
    if score >= 85 and len(joined) >= 5:
        begins = (joined.removesuffix(wording.replace(" ", "")),)
        almost = Meaning(meant, 0.8, f"almost {wording!r}")
        best = _Phrase(0, 0.8, meant, wording, begins, ())
        return _qualified(almost, [], best, written) if entity_column in _QUALIFIED else almost
    return None


#: Closed columns of which a word that is denied or doubted means something else.
_QUALIFIED = ("leads.status", "interactions.outcome")


def _qualified(plain: Meaning, phrases: Sequence[_Phrase], best: _Phrase, written: str) -> Meaning:
    """What a phrase means among the words beside it: as it is, or as a guess where they deny it or put it in doubt."""
    beside = _document()["beside"]
    others = [item for item in phrases if item.said not in best.said]
    decisive = [item for item in others if item.said in beside["decisive"]]
    if decisive and best.said not in beside["decisive"]:
        best = max(decisive, key=lambda item: item.weight)
        plain = Meaning(best.value, best.confidence, f"says {best.said!r}")
        others = [item for item in phrases if item.said not in best.said]
    if (best.value == "won" and any(item.value == "lost" for item in others)) or (
        best.value == "lost" and any(item.value == "won" and item.said in beside["decisive"] for item in others)
    ):
        return Meaning("lost", 0.7, "says both won and lost")
    around = f" {' '.join((*best.before, '|', *best.after))} "
    hedged = any(f" {hedge} " in around for hedge in beside["hedged"]) or bool({*best.before} & {*beside["ahead"]})
    other_words = {word for item in others if best.said not in item.said for word in item.said.split()}
    denied = {*best.before} & {*beside["denied"]} - other_words or (
        len(best.after) == 1 and {*best.after} & {*beside["denied"]}
    )
    if denied and best.value in _DENIED:
        meant = "open" if hedged and best.value == "won" else _DENIED[best.value]
        return Meaning(meant, 0.7, f"denies {best.said!r}")
    words, in_order = {*best.before, *best.after}, (*best.before, "", *best.after)
    refused = [
        {*in_order[max(0, at - 2) : at]} & {*beside["denied"]}
        for at, word in enumerate(in_order)
        if word in beside["accepted"]
    ]
    if best.value == "open" and any(refused):
        return plain if hedged or "yet" in words else Meaning("lost", 0.7, f"says that {best.said!r} was not accepted")
    if best.value == "open" and words & {*beside["accepted"]} and not hedged:
        return Meaning("won", 0.7, f"says that {best.said!r} was accepted")
    percents = {*re.findall(r"(\d+)(?:[.,]\d+)?\s*%", written)} - {"0", "100"}
    if best.value in ("won", "lost") and (hedged or "?" in written or percents):
        return Meaning("open", 0.7, f"puts {best.said!r} in doubt")
    return plain


#: What a value probably is when it is denied.
_DENIED = {"won": "lost", "lost": "open", "open": "open", "positive": "negative", "negative": "neutral"}


@cache
def kind_of_amount(header: str) -> str:
    """What the words of a header say an amount to be besides the value of a deal; "" where they say nothing of it.

    >>> kind_of_amount("Unit Price"), kind_of_amount("MRR (USD)"), kind_of_amount("Customer Budget"), kind_of_amount("Offer Value")
    ('per piece', 'per month', 'a target', '')
    """
    wording = f" {' '.join(words_of(header))} "
    kinds = _document()["amounts"].items()
    return next((kind for kind, phrases in kinds if any(f" {phrase} " in wording for phrase in phrases)), "")


def says_closed(header: str) -> bool:
    """Whether a header says that a deal was closed, with nothing beside that but particles and words for days.

    >>> [says_closed(h) for h in ("Closed", "Closed Month", "Cerrada el", "Final Payment", "Closed Amount", "Expected Closed")]
    [True, True, True, False, False, False]
    """
    closed, beside = (frozenset(_document()["closings"][name]) for name in ("closed", "beside"))
    return any(closed & {*words} and {*words} <= closed | beside for words in (words_of(header), tokens(header)))


@cache
def flag_words(name: str) -> frozenset[str]:
    """The words of headers of flags that say `won`, `lost` or `closed`, or of their cells, `yes` and `no`."""
    return frozenset(_document()["flags"][name])


def says_yes(text: str) -> bool | None:
    """Whether the cell of a flag affirms or denies it; None for another text.

    >>> [says_yes(text) for text in ("Sì", "não", "TRUE", "Hayır", "", "maybe")]
    [True, False, True, False, False, None]
    """
    word = "".join(words_of(text))
    return True if word in flag_words("yes") else False if not text.strip() or word in flag_words("no") else None


def says_ended(header: str, end: str) -> bool:
    """Whether a header has a word for deals that were won, or for those that were lost.

    >>> says_ended("Zeitpunkt des Gewinns", "won"), says_ended("Lost time", "lost"), says_ended("Go Live", "won")
    (True, True, False)
    """
    words = {*words_of(header), *tokens(header)}
    meant = (value("leads.status", word) for word in words)
    return bool(words & {*_document()["closings"][end]}) or any(
        known is not None and known.value == end for known in meant
    )


def says_end(header: str) -> bool:
    """Whether a header is of the time at which something ended.

    >>> [says_end(header) for header in ("To", "End Date/Time", "Heure de fin de la réunion", "From", "Send date")]
    [True, True, True, False, False]
    """
    return bool({*_document()["ends"]} & {*words_of(header)})


def heads_pivot(header: str, of: str) -> bool:
    """Whether a spreadsheet writes such a header over the `groups` or the `figures` of a pivot table.

    >>> heads_pivot("Row Labels", "groups"), heads_pivot("Summe von Betrag", "figures"), heads_pivot("Sum", "figures")
    (True, True, False)
    """
    wording = f"{' '.join(words_of(header))} "
    phrases = _document()["pivots"][of]
    return wording.strip() in phrases if of == "groups" else any(wording.startswith(f"{phrase} ") for phrase in phrases)


def known(cells: Sequence[str]) -> int:
    """How many cells of a header are words for some column, also with the kind of record before them.

    >>> known(["Deal ID", "Amount", "12"]), known(["Aktivität - Typ", "Aktivität - Dauer"])
    (2, 2)
    """
    phrases = _all_phrases()
    short = {cell for cell in cells if len(cell) < 80}
    ways = ({tokens(cell), parted(cell), tokens(cell.rpartition(" - ")[2])} for cell in short)
    return sum(not phrases.isdisjoint(way) for way in ways)


@cache
def _all_phrases() -> frozenset[Tokens]:
    listed = _document()["columns"].values()
    return frozenset(
        tokens(str(phrase))
        for columns in listed
        for phrases in columns.values()
        for phrase in phrases
        if phrase[0] != "~"
    )
