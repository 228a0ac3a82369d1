"""Where a text mentions someone who is to be forgotten: addresses, numbers, keys and names in their usual forms.

What is looked for, and what is not, is stated by `Mentions.searched`. A form that would as well be somebody else is not
looked for: a given name, a surname of one word, a name that records of others bear.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import PurePosixPath
from typing import Any

ERASED = "[erased]"
EMAIL, PHONE, KEY, NAME = "email", "phone", "key", "name"
KINDS = (EMAIL, PHONE, KEY, NAME)
#: Digits that a number needs to be told from other figures by them alone.
_DIGITS = 7
#: Digits that one needs without anything between them.
_BARE = 8
#: Letters that an account's name of one word needs, which is then looked for with a capital letter only.
_LONG = 8
_TOKEN = re.compile(r"[^\W_]+")
_ADDRESS = re.compile(r"([\w.+-]+)(?:\s?@\s?|%40|\s?[\[(]\s?at\s?[\])]\s?)([\w-]+(?:\.[\w-]+)+)", re.IGNORECASE)
_MAY_BE_ADDRESS = re.compile(r"@|%40|[\[(]\s?at\s?[\])]", re.IGNORECASE)
_NUMBER = re.compile(r"\+?\(?\d(?:[ \t().\-/\u00a0\u2009\u2010-\u2013\u202f]{0,3}\d){6,}")
_EXTENSION = re.compile(r"[\s,;]{0,2}(?:x|ext[a-z]{0,6}|#|durchwahl|dw)[\s.:]{0,2}\d{1,6}(?!\d)", re.IGNORECASE)
#: Country codes have one digit (1, 7), two (these) or three.
_TWO_DIGITS = re.compile(r"2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TITLES = _words(
    "mr mrs ms miss mx sir madam dr prof professor herr herrn frau hr fr mme mlle monsieur madame sr sra senor senora sig "
    "signora signor dhr mevr mag ing dipl phd mba"
)
_PARTICLES = _words(
    "von van vom zu zur der den de del della di da dal du des dos la le lo el al bin ibn ben ten ter af av mac mc o d st"
)
_LEGAL = _words(
    "gmbh ag kg kgaa ohg gbr ug se ev inc incorporated corp corporation co company llc llp lp ltd limited plc sa sas sarl "
    "sl spa srl bv nv oy oyj ab as aps pty pte kk mbh"
)
_AND = frozenset(("and", "und", "et", "y", "e", "en", "og", "och"))
_GERMAN = {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"}
_PLAIN = {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
_JOINT = r"[\s\-\u00ad\u2010-\u2014.'\u2019/\u00b7&+\u200b-\u200d\ufeff]"
_TAG = re.compile(r"</?(?:a|b|i|u|em|strong|span|font|p|br|div|t[dr]|li|ul|ol|h[1-6])\b[^<>]{0,300}>", re.IGNORECASE)
_BETWEEN = re.compile(rf"{_JOINT}{{1,4}}")
_WITH_COMMA = re.compile(rf"{_JOINT}{{0,3}},?\s?")
#: Names in scripts that have no spaces between words are found within others.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]{3,}")
#: What documents of the journal call names of files and of columns, which tables go by.
_NAMES = frozenset(("name", "uri", "member", "sheet", "column", "columns"))


def email_form(text: str) -> str:
    """An address as it is compared: lower case, and without what follows a plus.

    >>> email_form(" Ana.Ruiz+crm@Example.com ")
    'ana.ruiz@example.com'
    """
    local, _, domain = unicodedata.normalize("NFC", "".join(text.split())).casefold().rpartition("@")
    return f"{local.partition('+')[0].lstrip('.-')}@{domain.rstrip('.')}" if local and domain else ""


def phone_form(text: str) -> tuple[str, str]:
    """Country code, empty where it is not said, and the number within the country without leading zeros or extension.

    >>> [phone_form(t) for t in ("+49 (0)30 5551-2345 ext. 12", "0049 30 55512345", "030/55512345", "(415) 555-0101", "1-415-555-0101")]
    [('49', '3055512345'), ('49', '3055512345'), ('', '3055512345'), ('', '4155550101'), ('1', '4155550101')]
    """
    bare = re.sub(r"\(0\)", "", text)
    bare = re.split(r"(?i)x|ext|#|durchwahl|dw", bare, maxsplit=1)[0]
    digits = _digits_of(bare)
    international = bare.strip().lstrip("(").startswith("+")
    for prefix in ("00", "011"):
        if not international and digits.startswith(prefix) and len(digits) > len(prefix) + _DIGITS:
            international, digits = True, digits[len(prefix) :]
    if international and digits:
        width = 1 if digits[0] in "17" else 2 if _TWO_DIGITS.match(digits) else 3
        return digits[:width], digits[width:].lstrip("0")
    if len(digits) == 11 and digits[0] == "1":
        return "1", digits[1:]
    return "", digits.lstrip("0")


def _digits_of(text: str) -> str:
    """The digits of a text, those of any script as 0 to 9."""
    return "".join(str(unicodedata.decimal(each)) for each in text if each.isdecimal())


def phone_forms(text: str) -> set[str]:
    """What a number may be within its country: as written, and without what may be its country code.

    >>> sorted(phone_forms("4930 5551 2345"))
    ['3055512345', '493055512345']
    """
    code, number = phone_form(text)
    found = {number}
    if not code and len(number) > 2 * 5:
        width = 1 if number[0] in "17" else 2 if _TWO_DIGITS.match(number) else 3
        found |= {number[width:].lstrip("0")}
    return {one for one in found if len(one) >= _DIGITS}


def addresses(text: str) -> set[str]:
    """Every address of a cell, as they are compared.

    >>> sorted(addresses("Ann <Ann+x@x.example>; bob@x.example")), addresses("ask")
    (['ann@x.example', 'bob@x.example'], set())
    """
    found = {email_form(f"{hit[1].lstrip('.-+')}@{hit[2]}") for hit in _ADDRESS.finditer(text)}
    return (found or {email_form(text)}) - {""}


def numbers(text: str) -> list[str]:
    """Every telephone number of a cell, as it is written.

    >>> numbers("+1 415 555 0101 / +1 415 555 0102"), numbers("030/5551 2345")
    (['+1 415 555 0101', '+1 415 555 0102'], ['030/5551 2345'])
    """
    parts = [part.strip() for part in re.split(r"[;|\n]|,| / |\bor\b", text)]
    return [part for part in parts if any(map(str.isdecimal, part))]


@lru_cache(maxsize=1 << 16)
def _forms(word: str) -> frozenset[str]:
    """A word without case and accents; one with German letters also as it is written without them.

    >>> sorted(_forms("Müller")), sorted(_forms("STRASSE")), sorted(_forms("Straße"))
    (['mueller', 'muller'], ['strasse'], ['strasse'])
    """
    low = word.casefold()
    if low.isascii():
        return frozenset((low,))
    low = unicodedata.normalize("NFC", low)
    spelled = ("".join(letters.get(letter, letter) for letter in low) for letters in (_PLAIN, _GERMAN | {"æ": "ae"}))
    return frozenset(
        "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)) for text in spelled
    )


@dataclass(frozen=True)
class _Pattern:
    """Words in a row. `comma` is the place after which a comma may stand, `initials` those that are one letter.

    A `capital` says that the first word needs a capital letter, `joined` that "and" may stand between words, `middle` that
    an initial may.
    """

    words: tuple[frozenset[str], ...]
    comma: int = -1
    initials: frozenset[int] = frozenset()
    title: bool = False
    capital: bool = False
    joined: bool = False
    middle: bool = False


@dataclass(frozen=True)
class Name:
    """A name as a record has it: a person's or a company's."""

    text: str
    person: bool = True

    @property
    def words(self) -> list[str]:
        """Its words, the given names first, without titles, legal forms and "and"."""
        text = unicodedata.normalize("NFC", self.text)
        parts = [part.strip() for part in text.split(",")]
        if len(parts) == 2 and self.person and all(parts):
            text = f"{parts[1]} {parts[0]}"
        words = _TOKEN.findall(text)
        left_out = _TITLES if self.person else _LEGAL
        kept = [word for word in words if not _forms(word) & (left_out | _AND)]
        return kept or words

    @property
    def surname(self) -> list[str]:
        """The words of a person's last name: those joined by a hyphen, and particles before them."""
        words = self.words
        text = unicodedata.normalize("NFC", self.text).partition(",")[0]
        first = len(words) - 1
        while first > 1 and re.search(
            rf"{re.escape(words[first - 1])}[-\u2010-\u2013'\u2019]{re.escape(words[first])}", text
        ):
            first -= 1
        while first > 1 and _forms(words[first - 1]) & _PARTICLES:
            first -= 1
        return words[first:] if len(words) > 1 else []

    @property
    def is_searched(self) -> bool:
        """Whether it is looked for in texts: of two words, or a company's long one."""
        words = self.words
        return (
            len(words) > 1
            or bool(_UNSPACED.fullmatch(self.text.strip()))
            or (not self.person and bool(words) and words[0].isalpha() and len(words[0]) >= _LONG)
        )

    def has_surname_of(self, other: Name) -> bool:
        """Whether its last name is that of another."""
        mine, theirs = self.surname, other.surname
        return len(mine) == len(theirs) > 0 and all(
            _forms(one) & _forms(two) for one, two in zip(mine, theirs, strict=True)
        )

    def patterns(self, shared: bool) -> Iterator[_Pattern]:
        """Its usual forms; `shared` says that somebody else has its surname."""
        if not self.is_searched or _UNSPACED.fullmatch(self.text.strip()):
            return
        joined_up = re.sub(r"(?<=\w)[-'\u2010\u2011\u2019](?=\w)", "", self.text)
        if joined_up != self.text:
            yield from replace(self, text=joined_up).patterns(shared)
        words = [_forms(word) for word in self.words]
        if len(words) == 1:
            yield _Pattern((words[0],), capital=True)
            return
        joined = "&" in self.text or any(_forms(word) & _AND for word in _TOKEN.findall(self.text))
        # a title of a deal, such as "Website redesign", is no name, and as a phrase in lower case it is everyone's
        capital = not all(word[0].isupper() or _forms(word) & _PARTICLES for word in self.words if word[0].isalpha())
        yield _Pattern(tuple(words), joined=joined, capital=capital or not self.person, middle=self.person)
        plain = not (joined or capital) and all(word.isalpha() for word in self.words) and len(words) <= 5
        if not plain or (not self.person and len(words) > 3):
            return
        for at in range(1, len(words)):
            yield _Pattern((*words[at:], *words[:at]), comma=len(words) - at - 1, capital=not self.person)
        if not self.person:
            return
        family = [_forms(word) for word in self.surname]
        given = words[: len(words) - len(family)]
        if len(given) > 1:
            yield _Pattern((given[0], *family))
            yield _Pattern((*family, given[0]), comma=len(family) - 1)
        if shared:
            return
        letters = [frozenset(form[0] for form in word) for word in given]
        for initials in {1, len(letters)}:
            some = letters[:initials]
            yield _Pattern((*some, *family), initials=frozenset(range(len(some))))
            there = frozenset(range(len(family), len(family) + len(some)))
            yield _Pattern((*family, *some), comma=len(family) - 1, initials=there)
        yield _Pattern((_TITLES, *family), title=True)
        if re.search(rf"\w[-\u2010\u2011]{re.escape(self.surname[-1])}", self.text):
            yield _Pattern(tuple(family), capital=True)


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
    mark: str = ERASED
    salt: str = ""
    _memory: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def _emails(self) -> frozenset[str]:
        keys = {key for key in self.keys if "@" in key}
        return frozenset(form for text in self.emails | keys for form in addresses(text))

    @cached_property
    def _written(self) -> list[str]:
        return [one for text in self.phones for one in numbers(text)]

    @cached_property
    def _phones(self) -> dict[str, set[str]]:
        """Country codes by number within the country."""
        found: dict[str, set[str]] = defaultdict(set)
        for text in self._written:
            code, number = phone_form(text)
            if len(number) >= _DIGITS:
                found[number].add(code)
        return dict(found)

    @cached_property
    def _literal(self) -> re.Pattern[str] | None:
        """Numbers that are too short to be told by their digits, as they are written; bare digits may be any figure."""
        short = {text for text in self._written if len(phone_form(text)[1]) < _DIGITS}
        short = {text for text in short if sum(map(str.isdecimal, text)) >= 4 and not text.isdecimal()}
        short |= {text.strip() for text in self.emails if "@" in text and not _ADDRESS.fullmatch(text.strip())}
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(short, key=len, reverse=True)))})(?!\w)") if short else None  # fmt: skip

    @cached_property
    def _cited(self) -> re.Pattern[str] | None:
        """Names of files and columns, wherever a text cites them."""
        names = "|".join(map(re.escape, sorted(self.files, key=len, reverse=True)))
        return re.compile(rf"(?<!\w)(?:{names})(?!\w)") if names else None

    @cached_property
    def _unspaced(self) -> list[str]:
        texts = {unicodedata.normalize("NFC", one.text.strip()) for one in self.names if one.text not in self.common}
        return sorted(text for text in texts if _UNSPACED.fullmatch(text))

    @cached_property
    def _keys(self) -> dict[str, list[tuple[str, int]]]:
        """Keys in lower case, longest first, with where their first word begins, by that word."""
        found: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for key in self.keys:
            if first := _TOKEN.search(key.casefold()):
                found[first.group()].append((key.casefold(), first.start()))
        return {word: sorted(known, key=lambda one: -len(one[0])) for word, known in found.items()}

    @cached_property
    def _patterns(self) -> dict[str, list[_Pattern]]:
        """Forms of names, longest first, by their first word; those with an initial or a title first by the surname."""
        found: dict[str, list[_Pattern]] = defaultdict(list)
        for name in self.names:
            if name.text in self.common:
                continue
            for pattern in set(name.patterns(name.text in self.shared)):
                for form in pattern.words[0]:
                    found[form].append(pattern)
        return {word: sorted(known, key=lambda one: -len(one.words)) for word, known in found.items()}

    def spans(self, text: str, kinds: Collection[str] = KINDS) -> list[tuple[int, int, str]]:
        """Where the text mentions them and how: beginning, end and kind. The text is in composed form (NFC)."""
        found = [(*hit.span(), KEY) for hit in (self._cited.finditer(text) if self._cited else ())]
        if NAME in kinds:
            found += ((*hit.span(), NAME) for name in self._unspaced for hit in re.finditer(re.escape(name), text))
        if EMAIL in kinds and self._emails and _MAY_BE_ADDRESS.search(text):
            for hit in _ADDRESS.finditer(text):
                local = hit[1].lstrip(".-+")
                if email_form(f"{local}@{hit[2]}") in self._emails:
                    found.append((hit.end(1) - len(local), hit.end(), EMAIL))
        if PHONE in kinds and (self._phones or self._literal):
            found += ((*span, PHONE) for span in self._numbers(text))
            found += ((*hit.span(), PHONE) for hit in (self._literal.finditer(text) if self._literal else ()))
        names = self._patterns if NAME in kinds else {}
        keys = self._keys if KEY in kinds else {}
        if (names or keys) and self._may_begin(text):
            if "<" in text:
                text = _TAG.sub(_masked, text)
            if "@" in text:  # another address is somebody else's, though it has the same name
                text = _ADDRESS.sub(
                    lambda hit: hit.group() if "@" not in hit.group() else "\0" * len(hit.group()), text
                )
            tokens = list(_TOKEN.finditer(text))
            for at, token in enumerate(tokens):
                forms = _forms(token.group())
                for form in forms:
                    for key, offset in keys.get(form, ()):
                        start = token.start() - offset
                        if start >= 0 and text[start : start + len(key)].casefold() == key and _is_alone(text, start, start + len(key)):  # fmt: skip
                            found.append((start, start + len(key), KEY))
                            break
                    for pattern in names.get(form, ()):
                        if end := _matched(text, tokens, at, pattern):
                            start = tokens[at + 1].start() if pattern.title else token.start()
                            found.append((start, end, NAME))
                            break
        return found

    @cached_property
    def _beginnings(self) -> frozenset[str]:
        return frozenset((*self._patterns, *self._keys))

    def _may_begin(self, text: str) -> bool:
        """Whether a word of the text begins a name or key; asked first, since few texts have one."""
        low = text.casefold()
        words = _TOKEN.findall(low)
        if not self._beginnings.isdisjoint(words):
            return True
        return not low.isascii() and any(not self._beginnings.isdisjoint(_forms(word)) for word in words)

    def _best(self, text: str) -> tuple[str, list[tuple[int, int, str]]]:
        """The text in composed form, with its entities of HTML as letters where it mentions more so, and the mentions."""
        composed = unicodedata.normalize("NFC", text)
        spans = self.spans(composed)
        if (plain := _unescaped(composed)) and len(more := self.spans(plain)) > len(spans):
            return plain, more
        return composed, spans

    def _numbers(self, text: str) -> Iterator[tuple[int, int]]:
        for run in _NUMBER.finditer(text):
            places = [place for place in range(run.start(), run.end()) if text[place].isdecimal()]
            digits = _digits_of(run.group())
            for number, codes in self._phones.items():
                first = digits.find(number)
                while first >= 0:
                    last = first + len(number) - 1
                    if span := _as_number(text, places, digits, first, last, codes):
                        yield span
                    first = digits.find(number, first + 1)

    def without(self, text: str, whole: bool = True) -> str:
        """The text with every mention blanked out; a document in JSON stays one.

        Args:
            text: What a cell says.
            whole: Also where a name is all that it says. Of a record of somebody else that may be somebody else's name.
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
        document = _document(text)
        if document is not None:
            cleaned = self._in_document(document)
            return text if cleaned == document else json.dumps(cleaned, ensure_ascii="\\u" in text)
        if self._cited:
            text = self._cited.sub(lambda hit: self.in_file_name(hit.group()), text)
        composed, spans = self._best(text)
        if not whole and spans and _is_all(composed, [span for span in spans if span[2] == NAME]):
            return text
        while spans:  # what stood beside one may be another now
            text = _blanked(composed, spans, self.mark)
            composed, spans = self._best(text)
        return text

    def _in_document(self, value: Any, name: str = "") -> Any:
        if isinstance(value, str):
            return self.in_file_name(value) if name in _NAMES else self.without(value)
        if _is_long(value):
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
        found: set[str] = set()
        for each in texts_in(text):
            composed = unicodedata.normalize("NFC", each)
            for plain in filter(None, (composed, _unescaped(composed))):
                found |= {kind for _, _, kind in self.spans(plain, kinds)}
        return found

    def is_contact(self, text: str) -> bool:
        """Whether a whole cell is one of the addresses or numbers."""
        return bool(addresses(text) & self._emails) if "@" in text else self._is_number(text)

    def _is_number(self, text: str) -> bool:
        composed = text.strip()
        return any(start <= 2 and end >= len(composed) - 1 for start, end in self._numbers(composed))

    def names_all(self, text: str) -> bool:
        """Whether a name is all that a text says, titles and punctuation aside."""
        composed, spans = self._best(text)
        return bool(spans) and _is_all(composed, [span for span in spans if span[2] == NAME])

    def searched(self) -> list[dict[str, Any]]:
        """What is looked for, by kind: how many, in which forms, and what is not; holds none of it."""
        told = [name for name in self.names if name.is_searched and name.text not in self.common]
        shared = sum(name.person and name.text in self.shared for name in told)
        alone = sum(len(name.words) <= 1 and not name.is_searched for name in self.names)
        people = sum(name.person for name in told)
        return [
            {"kind": "e-mail addresses", "count": len(self._emails),
             "forms": "in any case, with anything after a plus, with %40 or (at) for @", "not_searched": "an address under another name or domain"},
            {"kind": "telephone numbers", "count": len({*self._phones}) + len({t for t in self._written if len(phone_form(t)[1]) < _DIGITS}),
             "forms": f"by their digits, with and without country code, 00, 0 and extension; as written where they have fewer than {_DIGITS}",
             "not_searched": f"a number without its area code, and fewer than {_BARE} digits with nothing between them"},
            {"kind": "keys", "count": len(self.keys), "forms": "as whole words, in any case",
             "not_searched": "keys of fewer than 4 characters, of digits alone below 8, and those that a record of somebody else has too; records are found by column whatever their key"},
            {"kind": "names of persons", "count": people,
             "forms": "in any case, with and without accents (ü as u and ue), with or without hyphens and titles, last name first, without "
             "middle names, and where nobody else here has the surname with initials, after a title, and a hyphenated surname alone",
             "not_searched": f"nicknames, given names and other surnames alone; {alone} names of one word; {shared} surnames that others have; "
             f"{len(self.common)} names that records of three or more other accounts bear"},
            {"kind": "names of accounts", "count": len(told) - people,
             "forms": f"with a capital letter, with and without accents and legal form; of one word from {_LONG} letters", "not_searched": "abbreviations, shorter names of one word"},
        ]  # fmt: skip


def texts_in(document: Any) -> Iterator[str]:
    """Every text of a document, of documents within it in their place, and whole numbers as long as a telephone number."""
    if isinstance(document, str):
        within = _document(document)
        yield from [document] if within is None else texts_in(within)
    elif isinstance(document, list):
        for each in document:
            yield from texts_in(each)
    elif isinstance(document, Mapping):
        for key, each in document.items():
            yield from texts_in(str(key))
            yield from texts_in(each)
    elif _is_long(document):
        yield str(document)


def _document(text: str) -> Any:
    """What a text in JSON says, None where it is none."""
    bare = text.strip()
    if bare[:1] not in ("{", "[") or bare[-1:] not in ("}", "]"):
        return None
    try:
        return json.loads(bare)
    except (ValueError, RecursionError):
        return None


def _is_long(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 10 ** (_DIGITS - 1)


def _unescaped(text: str) -> str:
    """A text of HTML with its entities as letters; empty where it has none."""
    if "&" not in text or ";" not in text:
        return ""
    plain = unicodedata.normalize("NFC", html.unescape(text))
    return "" if plain == text else plain


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


def _matched(text: str, tokens: list[re.Match[str]], at: int, pattern: _Pattern) -> int:
    """Where the pattern ends that begins at a word, 0 where it does not begin there."""
    first = tokens[at]
    start = first.start()
    if start >= 2 and text[start - 1] in "-\u2010\u2011" and text[start - 2].isalnum():
        return 0
    if pattern.capital and not first.group()[0].isupper():
        return 0
    place, end = at, first.end()
    for number, word in enumerate(pattern.words):
        if number:
            place += 1
            joined = pattern.joined and place + 1 < len(tokens) and bool(_forms(tokens[place].group()) & _AND)
            place += joined
            if place >= len(tokens):
                return 0
            if pattern.middle and _is_initial(text, tokens[place], end) and not _forms(tokens[place].group()) & word:
                place, end = place + 1, tokens[place].end()
                if place >= len(tokens):
                    return 0
            between = " " if joined else text[end : tokens[place].start()]
            if between.count("\n") > 1:
                return 0
            between = re.sub(r"\s+", " ", between)
            rule = _WITH_COMMA if pattern.comma == number - 1 else _BETWEEN
            if not rule.fullmatch(between):
                return 0
            if pattern.comma == number - 1 and (number in pattern.initials) and "," not in between:
                return 0
        token = tokens[place].group()
        if not _forms(token) & word:
            return 0
        end = tokens[place].end()
        if number in pattern.initials:
            if not token.isupper():
                return 0
            if pattern.comma < 0 and text[end : end + 1] != ".":
                return 0
    if text[end : end + 1] in ("-", "\u2010", "\u2011") and text[end + 1 : end + 2].isalpha():
        return 0
    if pattern.comma >= 0 and place + 1 < len(tokens) and _forms(tokens[place + 1].group()) & pattern.words[0]:
        return 0  # a list of names: what follows belongs to the next one
    return end


def _is_initial(text: str, token: re.Match[str], after: int) -> bool:
    """Whether a word after another is one letter with a full stop."""
    alone = len(token.group()) == 1 and token.group().isupper() and text[after : token.start()].isspace()
    return alone and text[token.end() : token.end() + 1] == "."


def _as_number(
    text: str, places: list[int], digits: str, first: int, last: int, codes: Collection[str]
) -> tuple[int, int] | None:
    """Where a number stands whose digits within the country are these, with what may stand before them and its extension."""
    end = places[last] + 1
    if text[end : end + 1].isalnum() and not _EXTENSION.match(text, end):
        return None
    if re.match(r"[.,]\d\d?(?!\d)", text[end : end + 4]) and text[places[first] : end].isdecimal():
        return None  # a figure with decimals
    known = [code for code in codes if code] or None
    for start in range(max(first - 7, 0), first + 1):
        before = digits[start:first]
        place = places[start]
        if text[place - 1 : place].isalnum() if place else False:
            continue
        if start and last - first + 1 < 9 and text[place - 1 : place] != "+":
            continue  # what stands before may be the area code of another number
        said = before[:2] == "00" or text[place - 1 : place] == "+"
        if not _is_prefix(before, known) or (known is None and before not in ("", "0") and last - first + 1 < 9 - said):
            continue
        if not before and last - first + 1 < _BARE and text[places[first] : end].isdecimal() and not _EXTENSION.match(text, end):  # fmt: skip
            continue
        place -= text[max(place - 2, 0) : place].endswith("(")
        place -= text[max(place - 1, 0) : place] == "+"
        longer = _EXTENSION.match(text, end)
        return place, longer.end() if longer else end
    return None


def _is_prefix(before: str, codes: Collection[str] | None) -> bool:
    """Whether digits may stand before a number: nothing, a zero, or its country code with or without both."""
    if before in ("", "0"):
        return True
    bare = re.sub(r"^(00|011)", "", before)
    bare = bare[:-1] if bare.endswith("0") and bare not in (codes or ()) else bare
    if codes is not None:
        return bare in codes
    if not bare or bare[0] == "0":
        return False
    return len(bare) == (1 if bare[0] in "17" else 2 if _TWO_DIGITS.match(bare) else 3)


def _is_all(text: str, spans: Iterable[tuple[int, int, str]]) -> bool:
    """Whether the text says nothing besides; titles do not count."""
    spans = list(spans)
    rest = _blanked(text, spans).replace(ERASED, " ") if spans else text
    return bool(spans) and not any(not _forms(word) & (_TITLES | _LEGAL) for word in _TOKEN.findall(rest))


def _blanked(text: str, spans: Iterable[tuple[int, int, str]], mark: str = ERASED) -> str:
    parts, at = [], 0
    for start, end, _ in sorted(spans):
        if start >= at:
            parts += [text[at:start], mark]
        at = max(at, end)
    return "".join([*parts, text[at:]])


def cleaner(
    mentions: Mentions, kept: Collection[str], own_names: Collection[str], file_names: Collection[str]
) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """What `mapInArrow` runs over a table: its rows with mentions blanked, in `_touched` whether a row had one, and in
    `_alike` whether a name stays in it that may be somebody else's.

    Args:
        mentions: Whom to look for.
        kept: Columns that stay as they are: keys, references and times.
        own_names: Columns that may hold a name of somebody else's record: what is only a name stays there, unless the
            row has an address or number of theirs.
        file_names: Columns that hold names of files.
    """
    import pyarrow as pa

    def clean(cell: Any, name: str, same: bool) -> Any:
        if cell is None:
            return None
        if isinstance(cell, list):
            return [clean(each, name, same) for each in cell]
        if name in file_names:
            return mentions.in_file_name(cell)
        return mentions.without(cell, name not in own_names or same)

    def run(batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            names = batch.schema.names
            texts = [
                name
                for name, field in zip(names, batch.schema, strict=True)
                if name not in kept and (_is_text(field.type) or (pa.types.is_list(field.type) and _is_text(field.type.value_type)))
            ]  # fmt: skip
            cells = {name: batch.column(name).to_pylist() for name in texts}
            touched, alike = [False] * batch.num_rows, [False] * batch.num_rows
            same = [False] * batch.num_rows
            for name in set(own_names) & set(texts):
                same = [is_so or (isinstance(cell, str) and mentions.is_contact(cell)) for is_so, cell in zip(same, cells[name], strict=True)]  # fmt: skip
            columns = []
            for name, declared in zip(names, batch.schema, strict=True):
                if name not in cells:
                    columns.append(batch.column(name))
                    continue
                new = [clean(cell, name, is_same) for cell, is_same in zip(cells[name], same, strict=True)]
                touched = [was or one != two for was, one, two in zip(touched, new, cells[name], strict=True)]
                if name in own_names:
                    alike = [was or (isinstance(cell, str) and mentions.names_all(cell)) for was, cell in zip(alike, new, strict=True)]  # fmt: skip
                columns.append(pa.array(new, declared.type))
            columns += [pa.array(touched, pa.bool_()), pa.array(alike, pa.bool_())]
            yield pa.RecordBatch.from_arrays(columns, names=[*names, "_touched", "_alike"])

    return run


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view")


__all__ = [
    *("ERASED", "KINDS", "NAME", "Mentions", "Name", "addresses", "cleaner", "email_form", "numbers", "phone_form"),
    *("phone_forms", "texts_in"),
]
