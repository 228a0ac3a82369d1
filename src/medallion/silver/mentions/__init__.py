"""Where a text mentions someone who is to be forgotten: addresses, numbers, keys and names in their usual forms.

What is looked for, and what is not, is stated by `Mentions.searched`. A form that would as well be somebody else is not
looked for: a given name, a surname of one word, a name that records of others bear, words of every day in lower case.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from medallion.silver.mentions.contacts import (
    ADDRESS,
    BARE,
    DIGITS,
    MAY_BE_ADDRESS,
    NUMBER,
    addresses,
    as_number,
    digits_of,
    email_form,
    numbers,
    phone_form,
)
from medallion.silver.mentions.documents import document_in, is_long, texts_in, unescaped
from medallion.silver.mentions.matching import is_legal, matched
from medallion.silver.mentions.names import LONG, Name, Pattern
from medallion.silver.mentions.spelling import TOKEN, forms, openings, tokens_of
from medallion.silver.mentions.vocabulary import LEGAL, TITLES

ERASED = "[erased]"
EMAIL, PHONE, KEY, NAME = "email", "phone", "key", "name"
#: A company's name of one word without its legal form, which in a short cell may be anything.
_WORD = "word"
KINDS = (EMAIL, PHONE, KEY, NAME)
_TAG = re.compile(r"</?(?:a|b|i|u|em|strong|span|font|p|br|div|t[dr]|li|ul|ol|h[1-6])\b[^<>]{0,300}>", re.IGNORECASE)
#: What documents of the journal call names of files and of columns, which tables go by.
_NAMES = frozenset(("name", "uri", "member", "sheet", "column", "columns"))


@dataclass(frozen=True)
class Mentions:
    """Whom to look for.

    Attributes:
        emails: Addresses.
        phones: Telephone numbers.
        keys: Keys that are no common figure.
        names: Names.
        shared: Names whose surname others have too: forms that the surname alone would tell are not looked for.
        common: Names that records of several other accounts bear: they are not looked for.
        files: Names of files and columns that mention them, as texts may cite them.
        vocabulary: Values of enumerated columns, in lower case: a cell that says one of them names no one.
        mark: What stands in the place of a mention.
        salt: Of the hashes by which erased file names stay different.
    """

    emails: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    names: frozenset[Name] = frozenset()
    shared: frozenset[str] = frozenset()
    common: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    vocabulary: frozenset[str] = frozenset()
    mark: str = ERASED
    salt: str = ""
    _memory: dict[str, str] = field(default_factory=dict, init=False, compare=False, repr=False)

    @cached_property
    def _emails(self) -> frozenset[str]:
        keys = {key for key in self.keys if "@" in key}
        return frozenset(form for text in self.emails | keys for form in addresses(text))

    @cached_property
    def _written(self) -> list[str]:
        return [number for text in self.phones for number in numbers(text)]

    @cached_property
    def _phones(self) -> dict[str, set[str]]:
        """Country codes by number within the country."""
        codes: dict[str, set[str]] = defaultdict(set)
        for text in self._written:
            code, number = phone_form(text)
            if len(number) >= DIGITS:
                codes[number].add(code)
        return dict(codes)

    @cached_property
    def _literal(self) -> re.Pattern[str] | None:
        """Numbers that are too short to be known by their digits, as they are written; bare digits may be any figure."""
        short = {text for text in self._written if len(phone_form(text)[1]) < DIGITS}
        short = {text for text in short if sum(map(str.isdecimal, text)) >= 4 and not text.isdecimal()}
        short |= {text.strip() for text in self.emails if "@" in text and not ADDRESS.fullmatch(text.strip())}
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(short, key=len, reverse=True)))})(?!\w)") if short else None  # fmt: skip

    @cached_property
    def _cited(self) -> re.Pattern[str] | None:
        """Names of files and columns, wherever a text cites them."""
        names = "|".join(map(re.escape, sorted(self.files, key=len, reverse=True)))
        return re.compile(rf"(?<!\w)(?:{names})(?!\w)") if names else None

    @cached_property
    def _unspaced(self) -> re.Pattern[str] | None:
        """Names in scripts without spaces, which are found within other words."""
        names = (reading for name in self.names if name.text not in self.common for reading in name.readings)
        known = {reading.unspaced for reading in names if reading.unspaced}
        return re.compile("|".join(sorted(known, key=len, reverse=True))) if known else None

    @cached_property
    def _keys(self) -> dict[str, list[tuple[str, int]]]:
        """Keys in lower case, longest first, with where their first word begins, by that word."""
        keys: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for key in self.keys:
            if first := TOKEN.search(key.casefold()):
                keys[first.group()].append((key.casefold(), first.start()))
        return {word: sorted(known, key=lambda entry: -len(entry[0])) for word, known in keys.items()}

    @cached_property
    def _patterns(self) -> dict[str, list[Pattern]]:
        """Forms of names, longest first, by their first word; those with an initial or a title first by the surname."""
        patterns: dict[str, list[Pattern]] = defaultdict(list)
        for name in self.names:
            if name.text in self.common:
                continue
            for pattern in {each for reading in name.readings for each in reading.patterns(name.text in self.shared)}:
                for form in pattern.words[0]:
                    patterns[form].append(pattern)
        return {word: sorted(known, key=lambda pattern: -len(pattern.words)) for word, known in patterns.items()}

    def spans(self, text: str, kinds: Collection[str] = KINDS) -> list[tuple[int, int, str]]:
        """Where the text mentions them and how: beginning, end and kind. The text is in composed form (NFC)."""
        spans = [(*hit.span(), KEY) for hit in (self._cited.finditer(text) if self._cited else ())]
        if NAME in kinds and self.vocabulary and text.strip().casefold() in self.vocabulary:
            kinds = [kind for kind in kinds if kind != NAME]
        if NAME in kinds and self._unspaced:
            spans += ((*hit.span(), NAME) for hit in self._unspaced.finditer(text))
        if EMAIL in kinds and self._emails and MAY_BE_ADDRESS.search(text):
            for hit in ADDRESS.finditer(text):
                local = hit[1].lstrip(".-+")
                if email_form(f"{local}@{hit[2]}") in self._emails:
                    spans.append((hit.end(1) - len(local), hit.end(), EMAIL))
        if PHONE in kinds and (self._phones or self._literal):
            spans += ((*span, PHONE) for span in self._numbers(text))
            spans += ((*hit.span(), PHONE) for hit in (self._literal.finditer(text) if self._literal else ()))
        names = self._patterns if NAME in kinds else {}
        keys = self._keys if KEY in kinds else {}
        if (names or keys) and self._may_begin(text):
            if "<" in text:
                text = _TAG.sub(_masked, text)
            if "@" in text:  # another address is somebody else's, though it has the same name
                text = ADDRESS.sub(lambda hit: hit.group() if "@" not in hit.group() else "\0" * len(hit.group()), text)
            tokens = list(tokens_of(text).finditer(text))
            for at, token in enumerate(tokens):
                for form, skipped in openings(token.group()):
                    for key, offset in keys.get(form, ()) if not skipped else ():
                        start = token.start() - offset
                        if start >= 0 and text[start : start + len(key)].casefold() == key and _is_alone(text, start, start + len(key)):  # fmt: skip
                            spans.append((start, start + len(key), KEY))
                            break
                    for pattern in names.get(form, ()):
                        if end := matched(text, tokens, at, pattern, skipped):
                            start = tokens[at + 1].start() if pattern.title else token.start() + skipped
                            word = pattern.alone and not is_legal(text, tokens, at + 1)
                            spans.append((start, end, _WORD if word else NAME))
                            break
        return spans

    @cached_property
    def _beginnings(self) -> frozenset[str]:
        return frozenset((*self._patterns, *self._keys))

    def _may_begin(self, text: str) -> bool:
        """Whether a word of the text begins a name or key; asked first, since few texts have one."""
        low = text.casefold()
        words = tokens_of(low).findall(low)
        if not self._beginnings.isdisjoint(words):
            return True
        return not low.isascii() and any(
            form in self._beginnings for word in words if not word.isascii() for form, _ in openings(word)
        )

    def _best(self, text: str) -> tuple[str, list[tuple[int, int, str]]]:
        """The text in composed form, with its entities of HTML as letters where it mentions more so, and the mentions."""
        composed = unicodedata.normalize("NFC", text)
        spans = self.spans(composed)
        if (plain := unescaped(composed)) and len(more := self.spans(plain)) > len(spans):
            return plain, more
        return composed, spans

    def _numbers(self, text: str) -> Iterator[tuple[int, int]]:
        for run in NUMBER.finditer(text):
            places = [place for place in range(run.start(), run.end()) if text[place].isdecimal()]
            digits = digits_of(run.group())
            for number, codes in self._phones.items():
                first = digits.find(number)
                while first >= 0:
                    last = first + len(number) - 1
                    if span := as_number(text, places, digits, first, last, codes):
                        yield span
                    first = digits.find(number, first + 1)

    def without(self, text: str, whole: bool = True) -> str:
        """The text with every mention blanked out; a document in JSON stays one.

        Args:
            text: What a cell says.
            whole: Also where a name is all that it says, or a company's only word is in it. Of a record of somebody else
                that may be somebody else's name, or no name.
        """
        known = self._memory.get(text) if whole and len(text) < 200 else None
        if known is not None:
            return known
        new = self._without(text, whole)
        if whole and len(text) < 200:
            if len(self._memory) > 50_000:
                self._memory.clear()
            self._memory[text] = new
        return new

    def _without(self, text: str, whole: bool) -> str:
        document = document_in(text)
        if document is not None:
            cleaned = self._in_document(document)
            return text if cleaned == document else json.dumps(cleaned, ensure_ascii="\\u" in text)
        if self._cited:
            text = self._cited.sub(lambda hit: self.in_file_name(hit.group()), text)
        composed, spans = self._best(text)
        if not whole and _may_be_others(composed, spans):
            return text
        while spans:  # what stood beside one may be another now
            text = _blanked(composed, spans, self.mark)
            composed, spans = self._best(text)
        return text

    def _in_document(self, value: Any, name: str = "") -> Any:
        if isinstance(value, str):
            return self.in_file_name(value) if name in _NAMES else self.without(value)
        if is_long(value):
            return self.mark if self.spans(str(value), (PHONE, KEY)) else value
        if isinstance(value, list):
            return [self._in_document(each, name) for each in value]
        if isinstance(value, dict):
            return {self.in_file_name(key): self._in_document(each, key) for key, each in value.items()}
        return value

    def in_file_name(self, text: str) -> str:
        """The name or place of a file, or the name of a column, the parts that mention them replaced, the same ones by the
        same ones.
        """
        return "/".join(self._part(part) for part in text.split("/"))

    def _part(self, part: str) -> str:
        composed = unicodedata.normalize("NFC", part)
        ending = PurePosixPath(composed).suffix
        ending = ending if re.fullmatch(r"\.[A-Za-z0-9]{1,5}", ending) else ""
        stem = composed.removesuffix(ending)
        if part not in self.files and not any(
            map(self.spans, (composed, stem, re.sub("_|%20", " ", composed), re.sub("_|%20", " ", stem)))
        ):
            return part
        return f"erased_{hashlib.sha256((self.salt + composed).encode()).hexdigest()[:8]}{ending}"

    def found(self, text: str, kinds: Collection[str] = KINDS) -> set[str]:
        """Kinds of mentions in a text; in a document in JSON those of its texts."""
        mentioned: set[str] = set()
        for each in texts_in(text):
            composed = unicodedata.normalize("NFC", each)
            for plain in filter(None, (composed, unescaped(composed))):
                mentioned |= {NAME if kind == _WORD else kind for _, _, kind in self.spans(plain, kinds)}
        return mentioned

    def is_contact(self, text: str) -> bool:
        """Whether a whole cell is one of the addresses or numbers."""
        return bool(addresses(text) & self._emails) if "@" in text else self._is_number(text)

    def _is_number(self, text: str) -> bool:
        composed = text.strip()
        return any(start <= 2 and end >= len(composed) - 1 for start, end in self._numbers(composed))

    def names_all(self, text: str) -> bool:
        """Whether a name is all that a text says, titles and punctuation aside, or a company's only word is in it."""
        return _may_be_others(*self._best(text))

    def searched(self) -> list[dict[str, Any]]:
        """What is looked for, by kind: how many, in which forms, and what is not; holds none of it."""
        searched = [name for name in self.names if name.is_searched and name.text not in self.common]
        ordinary = sum(name.is_ordinary for name in searched)
        shared = sum(name.person and name.text in self.shared for name in searched)
        alone = sum(len(name.words) <= 1 and not name.is_searched for name in self.names)
        people = sum(name.person for name in searched)
        counted = {
            "names of one word": alone,
            "names made of common words, in lower case": ordinary,
            "surnames that other people have": shared,
            "names that records of three or more other accounts have": len(self.common),
        }
        others = [f"{count} {what}" for what, count in counted.items() if count]
        return [
            {"kind": "e-mail addresses", "count": len(self._emails),
             "forms": "in upper or lower case, with a tag after a plus, and with %40 or (at) in place of @",
             "not_searched": "addresses of the person that no record of the account has"},
            {"kind": "telephone numbers", "count": len({*self._phones}) + len({t for t in self._written if len(phone_form(t)[1]) < DIGITS}),
             "forms": f"by their digits, with or without country code, 00, leading 0 and extension; as written if they have fewer than {DIGITS}",
             "not_searched": f"numbers without their area code; fewer than {BARE} digits that nothing separates"},
            {"kind": "keys", "count": len(self.keys), "forms": "as whole words, in upper or lower case",
             "not_searched": "keys of fewer than 4 characters or, in digits alone, fewer than 8; keys that a record of another account also has. Rows are found by their key columns, whatever the key"},
            {"kind": "names of people", "count": people,
             "forms": "in any script and case, with or without accents (ü as u or ue), hyphens and titles; last name first; without middle names or the "
             "second of two surnames; and, if no one else in the lakehouse has the surname, with initials, after a title, or a hyphenated surname alone",
             "not_searched": "; ".join(["nicknames; given names and other surnames alone; inflected forms; the name in another script", *others])},
            {"kind": "names of accounts", "count": len(searched) - people,
             "forms": f"with a capital letter, with or without accents and legal form; a name of one word in running text from {LONG} letters on, elsewhere with its legal form",
             "not_searched": "abbreviations; shorter names of one word; common words without their legal form"},
        ]  # fmt: skip


def _masked(hit: re.Match[str]) -> str:
    return " " * len(hit.group())


def _is_alone(text: str, start: int, end: int) -> bool:
    """Whether a key is a word of its own, and not the beginning or end of a longer key."""
    before, after = text[max(start - 2, 0) : start], text[end : end + 2]
    if before[-1:].isalnum() or after[:1].isalnum():
        return False
    return not (
        (before[-1:] in ("-", "_") and before[:-1].isalnum()) or (after[:1] in ("-", "_") and after[1:].isalnum())
    )


def _may_be_others(text: str, spans: Collection[tuple[int, int, str]]) -> bool:
    """Whether what a text mentions may be somebody else's name, or no name."""
    certain = [span for span in spans if span[2] != _WORD]
    return bool(spans) and (not certain or _is_all(text, [span for span in spans if span[2] in (NAME, _WORD)]))


def _is_all(text: str, spans: Iterable[tuple[int, int, str]]) -> bool:
    """Whether the text says nothing besides; titles do not count."""
    spans = list(spans)
    rest = _blanked(text, spans).replace(ERASED, " ") if spans else text
    return bool(spans) and not any(not forms(word) & (TITLES | LEGAL) for word in TOKEN.findall(rest))


def _blanked(text: str, spans: Iterable[tuple[int, int, str]], mark: str = ERASED) -> str:
    parts, at = [], 0
    for start, end, _ in sorted(spans):
        if start >= at:
            parts += [text[at:start], mark]
        at = max(at, end)
    return "".join([*parts, text[at:]])
