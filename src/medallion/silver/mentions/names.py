"""Names of people and companies in their usual forms."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from medallion.silver.mentions.spelling import MARKS, TOKEN, forms
from medallion.silver.mentions.vocabulary import AND, GIVEN, LEGAL, PARTICLES, TITLES, is_ordinary

#: Letters that an account's name of one word needs, which is then looked for with a capital letter only.
LONG = 8
COMMA = r"[,\u060c\u3001\uff0c]"
#: Scripts that have no spaces between words, or add endings to names: Han, kana and Hangul; Thai, Lao, Burmese, Khmer.
_EASTERN = (
    r"\u3005-\u3007\u3041-\u3096\u30a1-\u30fa\u30fc-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSPACED = re.compile(rf"[{_EASTERN}]+|[\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff]+")
_KOREAN = r"\uac00-\ud7a3"
#: What is written together with a Korean name: the beginnings of particles and titles.
_KOREAN_ENDINGS = "[은는이가을를의에와과도만께한로으랑라입고측씨님군양]|대표|과장|부장|차장|사장|이사|팀장|선생|교수"
_EASTERN_LEGAL = re.compile("株式会社|有限会社|合同会社|股份有限公司|有限责任公司|有限公司|주식회사|유한회사|集团|公司")
_BETWEEN_PIECES = r"[\s\u00b7\u2022\u30fb=\uff1d]"
#: Letters of those scripts that a name needs to be found within others.
_UNMISTAKABLE = 3
_AFTER_NAME = "さん|様|さま|氏|先生|女士|小姐|씨|님"


@dataclass(frozen=True)
class Pattern:
    """Words in a row.

    Attributes:
        words: Their forms.
        comma: The place after which a comma may stand.
        strict: The comma must.
        initials: Places of words that are one letter.
        capitals: Places of words that need a capital letter, in scripts that have them.
        title: The first word is a title, which is no part of the name.
        joined: "And" may stand between words.
        middle: An initial may.
        last: No further name may follow, which would make it somebody else's.
        alone: It is a company's only word.
    """

    words: tuple[frozenset[str], ...]
    comma: int = -1
    strict: bool = False
    initials: frozenset[int] = frozenset()
    capitals: frozenset[int] = frozenset()
    title: bool = False
    joined: bool = False
    middle: bool = False
    last: bool = False
    alone: bool = False


@dataclass(frozen=True)
class Name:
    """A name as a record has it: a person's or a company's."""

    text: str
    person: bool = True

    @property
    def words(self) -> list[str]:
        """Its words, the given names first, without titles, legal forms and "and"."""
        text = unicodedata.normalize("NFC", self.text)
        parts = [part.strip() for part in re.split(COMMA, text)]
        if len(parts) == 2 and self.person and all(parts):
            text = f"{parts[1]} {parts[0]}"
        words = TOKEN.findall(text)
        left_out = TITLES if self.person else LEGAL
        kept = [word for word in words if not forms(word) & (left_out | AND)]
        return kept or words

    @property
    def surname(self) -> list[str]:
        """The words of a person's last name: those joined by a hyphen, and particles before them."""
        words = self.words
        text = unicodedata.normalize("NFC", self.text)
        text = re.split(COMMA, text)[0]
        first = len(words) - 1
        while first > 1 and re.search(
            rf"{re.escape(words[first - 1])}[-\u2010-\u2013'\u2019]{re.escape(words[first])}", text
        ):
            first -= 1
        while first > 1 and forms(words[first - 1]) & PARTICLES:
            first -= 1
        return words[first:] if len(words) > 1 else []

    @property
    def is_searched(self) -> bool:
        """Whether it is looked for in texts: of two words, or a company's long one."""
        words = self.words
        return (
            len(words) > 1
            or bool(self.unspaced)
            or (not self.person and bool(words) and words[0].isalpha() and len(words[0]) >= LONG)
        )

    def has_surname_of(self, other: Name) -> bool:
        """Whether its last name is that of another."""
        surname, other_surname = self.surname, other.surname
        return len(surname) == len(other_surname) > 0 and all(
            forms(word) & forms(other_word) for word, other_word in zip(surname, other_surname, strict=True)
        )

    @cached_property
    def unspaced(self) -> str:
        """The expression that finds it within other words, where its script has no spaces or adds endings to names; empty
        for other scripts, and where it is too short for that.
        """
        text = unicodedata.normalize("NFC", self.text.strip())
        company = _EASTERN_LEGAL.sub("", text)
        if not self.person and company != text and len(company.strip()) < _UNMISTAKABLE:
            return r"\s?".join(map(re.escape, "".join(text.split()))) if company.strip() else ""
        text = text if self.person else company
        pieces = [piece for piece in re.split(rf"(?:{_BETWEEN_PIECES}|{COMMA})+", text) if piece]
        pieces = [piece for piece in pieces if piece not in TITLES] or pieces
        letters = "".join(pieces)
        if not all(map(_UNSPACED.fullmatch, pieces)):
            return ""
        eastern = bool(re.match(rf"[{_EASTERN}]", letters))
        if len(letters) < 2 or (not eastern and len(pieces) < 2):
            return ""
        parts, gap = (letters, rf"{_BETWEEN_PIECES}?") if eastern else (pieces, r"[\s\u200b]{0,3}")
        expression = gap.join(map(re.escape, parts))
        if len(letters) < _UNMISTAKABLE:
            expression = rf"(?<![{_EASTERN}]){expression}(?=(?:{_AFTER_NAME})|(?![{_EASTERN}]))"
        elif re.match(rf"[{_KOREAN}]", letters):
            expression = rf"(?<![{_KOREAN}]){expression}(?={_KOREAN_ENDINGS}|(?![{_KOREAN}]))"
        if len(pieces) == 2:
            between = rf"(?:{_BETWEEN_PIECES}|{COMMA}){{1,2}}"
            expression += rf"|{re.escape(pieces[1])}{between}{re.escape(pieces[0])}"
        return rf"(?:{expression})(?![{MARKS}])"

    @property
    def readings(self) -> list[Name]:
        """The same name in each of the scripts that a record has it in, such as Wang Xiaoming (王小明)."""
        eastern = [word for word in TOKEN.findall(self.text) if _UNSPACED.fullmatch(word)]
        rest = [word for word in self.words if word not in eastern]
        if not eastern or not rest:
            return [self]
        return [self, replace(self, text=" ".join(eastern)), replace(self, text=" ".join(rest))]

    @property
    def is_ordinary(self) -> bool:
        """Whether it is nothing but words of every day."""
        return all(map(is_ordinary, self.words))

    def patterns(self, shared: bool) -> Iterator[Pattern]:
        """Its usual forms; `shared` says that somebody else has its surname."""
        if not self.is_searched or self.unspaced:
            return
        joined_up = re.sub(r"(?<=\w)[-'\u2010\u2011\u2019](?=\w)", "", self.text)
        if joined_up != self.text:
            yield from replace(self, text=joined_up).patterns(shared)
        words = [forms(word) for word in self.words]
        if len(words) == 1:
            capitals = frozenset(() if self.words[0][0].islower() else (0,))
            has_form = any(forms(word) & LEGAL for word in TOKEN.findall(self.text)[1:])
            if has_form and self.is_ordinary:
                yield Pattern((words[0], LEGAL), capitals=frozenset((0,)))
            else:
                yield Pattern((words[0],), capitals=capitals, alone=True)
            return
        yield from self._of_words(words, shared)

    def _of_words(self, words: list[frozenset[str]], shared: bool) -> Iterator[Pattern]:
        tokens = TOKEN.findall(self.text)
        joined = "&" in self.text or any(forms(word) & AND for word in tokens)
        lower = [word[0].islower() and not forms(word) & PARTICLES for word in self.words]
        # a title of a deal, such as "Website redesign", is no name, and as a phrase in lower case it is everyone's
        phrase = not lower[0] and any(lower)
        strict, first = self.is_ordinary, frozenset(() if lower[0] else (0,))
        if strict:
            capitals = frozenset(at for at in range(len(words)) if not (phrase and lower[at]))
        else:
            capitals = first if phrase or not self.person else frozenset()
        yield Pattern(tuple(words), joined=joined, capitals=capitals, middle=self.person and not strict)
        plain = not (joined or phrase) and not any(map(str.isdecimal, "".join(self.words))) and len(words) <= 5
        if not plain or (not self.person and len(words) > 3):
            return
        every = frozenset(range(len(words))) if strict else frozenset(() if self.person else first)
        certain = strict or lower[0]  # turned round without a comma they are words
        for at in range(1, len(words)):
            yield Pattern((*words[at:], *words[:at]), comma=len(words) - at - 1, strict=certain, capitals=every)
        if self.person:
            yield from self._of_person(words, every, shared)

    def _of_person(self, words: list[frozenset[str]], capitals: frozenset[int], shared: bool) -> Iterator[Pattern]:
        family = [forms(word) for word in self.surname]
        given = words[: len(words) - len(family)]
        if len(given) > 1:
            yield Pattern((given[0], *family), capitals=capitals, middle=not capitals)
            yield Pattern((*family, given[0]), comma=len(family) - 1, capitals=capitals, strict=bool(capitals))
        if first_surname := [] if capitals else self._first_surname(words, len(given)):
            for names in {tuple(words[: words.index(first_surname[0], 1)]), (words[0],)}:
                yield Pattern((*names, *first_surname), last=True)
                yield Pattern((*names, *first_surname, *family))
            yield Pattern((*first_surname, words[0]), comma=len(first_surname) - 1, strict=True, last=True)
        if shared:
            return
        letters = [frozenset(form[0] for form in word) for word in given]
        for initials in {1, len(letters)}:
            some = letters[:initials]
            after = frozenset(range(len(some), len(some) + len(family))) if capitals else capitals
            yield Pattern((*some, *family), initials=frozenset(range(len(some))), capitals=after)
            there = frozenset(range(len(family), len(family) + len(some)))
            yield Pattern((*family, *some), comma=len(family) - 1, initials=there, capitals=capitals)
        surname = frozenset((1,) if all(map(is_ordinary, self.surname)) else ())
        yield Pattern((TITLES, *family), title=True, capitals=surname)
        if re.search(rf"\w[-\u2010\u2011]{re.escape(self.surname[-1])}", self.text):
            yield Pattern(tuple(family), capitals=frozenset((0,)))

    @staticmethod
    def _first_surname(words: list[frozenset[str]], last: int) -> list[frozenset[str]]:
        """The first of two surnames, such as García of José García López; `last` is where the second begins."""
        first = next((at for at in range(1, last) if not words[at] & GIVEN and len(min(words[at])) > 1), last)
        end = first
        while end < last and words[end] & PARTICLES:
            end += 1
        return words[first : end + 1] if end < last else []
