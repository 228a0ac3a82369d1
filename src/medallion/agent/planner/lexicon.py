"""The vocabulary: what phrases mean, by language, from `words/*.yaml`, and from the names and synonyms of the contracts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

from medallion.metrics.loading import Declarations, declarations

LANGUAGES = ("en", "de", "fr", "es")
Phrase = tuple[str, ...]

_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
#: Umlauts as they are typed on a keyboard that has none.
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_ENDINGS = re.compile(r"\(([^()]*)\)")
#: An article or pronoun that has lost its vowel: `d'affaires` is said as `affaires`.
ELIDED = re.compile(r"(?<![\w'’])(?:d|l|qu|s|n|j|m|t|c)['’](?=\w)", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:[-.][^\W_]*\d[^\W_]*)*\+?|[%€$£¥#]")


class Sense(NamedTuple):
    """A meaning: its kind, what it is of, and a value: `unit.week`, `neutral`, the value Germany of `country`."""

    kind: str
    name: str = ""
    value: str = ""


@dataclass
class Lexicon:
    """Phrases of one language with their senses, those that mean nothing by themselves among them.

    Attributes:
        language: Of which.
        phrases: Senses by phrase.
        longest: Words of the longest phrase.
        words: All words of the phrases.
        function: Words that only this language's own vocabulary has; they tell which language a question is in.
    """

    language: str
    phrases: dict[Phrase, list[Sense]] = field(default_factory=dict)
    longest: int = 1
    function: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()

    def add(self, text: str, sense: Sense) -> None:
        """Give a phrase a sense; the dimension that it is the name of comes before what it means elsewhere."""
        self.put(tuple(plain_words(text)), sense)

    def put(self, phrase: Phrase, sense: Sense) -> None:
        """As `add`, for a phrase that is split into words already."""
        if phrase:
            senses = self.phrases.setdefault(phrase, [])
            if sense not in senses:
                senses.insert(0 if sense.kind == "dim" else len(senses), sense)
            self.longest = max(self.longest, len(phrase))


def folded(text: str) -> str:
    """Lowercase letters without accents.

    >>> folded("Électrique Straße")
    'electrique strasse'
    """
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def plain_words(text: str) -> list[str]:
    """The words of a phrase or value in the form that is compared: hyphens and underscores split words without digits.

    >>> plain_words("Closed_Won"), plain_words("Pays-Bas"), plain_words("51-200"), plain_words("don't")
    (['closed', 'won'], ['pays', 'bas'], ['51-200'], ['dont'])
    >>> plain_words("chiffre d'affaires de l'année")
    ['chiffre', 'affaires', 'de', 'annee']
    """
    return _WORD.findall(re.sub(r"['’`]", "", ELIDED.sub("", folded(text))))


def expanded(text: str) -> Iterator[str]:
    """A phrase with each of the endings in parentheses.

    >>> list(expanded("opportunit(y|ies)"))
    ['opportunity', 'opportunities']
    """
    match = _ENDINGS.search(text)
    if not match:
        yield text
        return
    for ending in match[1].split("|"):
        yield from expanded(text[: match.start()] + ending.strip() + text[match.end() :])


def _loaded(name: str) -> dict[str, Any]:
    """A file of words; every word is read as a string, `no` and `on` included."""
    text = files("medallion.agent.planner").joinpath(f"words/{name}.yaml").read_text(encoding="utf-8")
    return dict(yaml.load(text, Loader=_Loader))  # noqa: S506 - makes strings only


def spellings(phrase: str) -> tuple[str, ...]:
    """A phrase as it is written, and with its umlauts as two letters where it has some.

    >>> spellings("für das Jahr"), spellings("Umsatz")
    (('für das Jahr', 'fuer das Jahr'), ('Umsatz',))
    """
    return tuple(dict.fromkeys((phrase, phrase.translate(_UMLAUTS))))


@cache
def _written(language: str) -> dict[str, list[Phrase]]:
    return {
        tag: [
            tuple(plain_words(spelling))
            for text in texts
            for phrase in expanded(text)
            for spelling in spellings(phrase)
        ]
        for tag, texts in _loaded(language).items()
    }


@cache
def meanings() -> dict[str, Any]:
    """What words are about, whatever the language: `words/meanings.yaml`."""
    return _loaded("meanings")


def sense_of(tag: str) -> Sense:
    """A tag of a file of words as a sense.

    >>> sense_of("unit.week"), sense_of("neutral")
    (Sense(kind='unit', name='week', value=''), Sense(kind='neutral', name='', value=''))
    """
    kind, _, name = tag.partition(".")
    if kind in ("country", "industry", "source", "stage", "consent", "role", "language"):
        return Sense("value", kind, name)
    return Sense(kind, name)


def lexicon(language: str) -> Lexicon:
    """The vocabulary of a language with that of the contracts in use."""
    return _of(language, _Same(declarations()))


@dataclass(frozen=True)
class _Same:
    """What is declared, the same as itself alone: comparing all of it would take longer than reading a question."""

    declared: Declarations

    def __hash__(self) -> int:
        return id(self.declared)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.declared is self.declared


@lru_cache(maxsize=32)
def _of(language: str, same: _Same) -> Lexicon:
    return _vocabulary(language, _declared(same.declared))


@cache
def _vocabulary(language: str, declared: tuple[tuple[str, Sense], ...]) -> Lexicon:
    vocabulary = Lexicon(language)
    own: set[str] = set()
    absent: list[tuple[Phrase, Sense]] = []
    known = {sense.name for _, sense in declared if sense.kind == "metric"}
    for tag, phrases in _written(language).items():
        sense = sense_of(tag)
        if sense.kind == "metric" and sense.name not in known:
            absent += [(phrase, Sense("absent", sense.name)) for phrase in phrases]
            continue  # of a table that this lakehouse does not have
        for phrase in phrases:
            vocabulary.put(phrase, sense)
            if sense.kind != "value" or sense.name in ("role", "language"):
                own.update(phrase)
    parts = {phrase[0] for phrase in vocabulary.phrases if len(phrase) == 1}
    composed = {name for of in meanings()["measures"].values() for name in of["count"].values()}
    composed |= set(meanings()["composed"])
    for text, sense in declared:
        words = plain_words(text)
        if sense.name in composed and (parts.issuperset(words) or (len(words) > 1 and parts.intersection(words))):
            continue  # a number of records in a state: said by the words of both
        vocabulary.add(text, sense)
    for phrase, sense in absent:
        if phrase not in vocabulary.phrases:
            vocabulary.put(phrase, sense)
    vocabulary.function = frozenset(own)
    vocabulary.words = frozenset(word for phrase in vocabulary.phrases for word in phrase)
    return vocabulary


def _declared(declared: Declarations) -> tuple[tuple[str, Sense], ...]:
    """Names and synonyms of metrics, dimensions and fields."""
    prefer: dict[str, str] = meanings()["prefer"]
    kept_out: list[str] = meanings()["not_said"]
    senses: list[tuple[str, Sense]] = []
    for name, metric in declared.metrics.items():
        for text in (name.replace("_", " "), metric.measure.display_name, *metric.measure.synonyms):
            senses.append((text, Sense("metric", prefer.get(name, name))))
    for view in declared.views.values():
        for column in (*view.dimensions, *view.fields):
            kind = "field" if column.type in ("number", "day") else "state" if column.type == "boolean" else "dim"
            if column.type == "month":
                continue
            for text in (column.name.replace("_", " "), column.display_name, *column.synonyms):
                if text.casefold() not in kept_out:
                    senses.append((text, Sense(kind, prefer.get(column.name, column.name))))
    return tuple(dict.fromkeys(senses))
