"""Where a text mentions someone who is to be forgotten: addresses, numbers, keys and names in their usual forms.

What is looked for, and what is not, is stated by `Mentions.searched`. A form that would as well be somebody else is not
looked for: a given name, a surname of one word, a name that records of others bear, words of every day in lower case.
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
#: A company's name of one word without its legal form, which in a short cell may be anything.
_WORD = "word"
KINDS = (EMAIL, PHONE, KEY, NAME)
#: Digits that a number needs to be told from other figures by them alone.
_DIGITS = 7
#: Digits that one needs without anything between them.
_BARE = 8
#: Letters that an account's name of one word needs, which is then looked for with a capital letter only.
_LONG = 8
_MARKS = "".join(chr(code) for code in range(0x300, 0x11A00) if unicodedata.category(chr(code))[0] == "M")
#: A word: letters and digits with the vowel signs and accents that many scripts write as marks.
_TOKEN = re.compile(rf"[^\W_]+(?:[{_MARKS}]+[^\W_]*)*")
#: The same where a text has no marks, which is faster to find.
_LATIN_TOKEN = re.compile(r"[^\W_]+")
_BEYOND_LATIN = re.compile(r"[^\x00-\u02ff]")
_ADDRESS = re.compile(
    r"(?<![\w.+-])([\w.+-]{1,64})(?:\s?@\s?|%40|\s?[\[(]\s?at\s?[\])]\s?)([\w-]+(?:\.[\w-]+)+)", re.IGNORECASE
)
_MAY_BE_ADDRESS = re.compile(r"@|%40|[\[(]\s?at\s?[\])]", re.IGNORECASE)
_NUMBER = re.compile(r"\+?\(?\d(?:[ \t().\-/\u00a0\u2009\u2010-\u2013\u202f]{0,3}\d){6,}")
_EXTENSION = re.compile(r"[\s,;]{0,2}(?:x|ext[a-z]{0,6}|#|durchwahl|dw)[\s.:]{0,2}\d{1,6}(?!\d)", re.IGNORECASE)
#: Country codes have one digit (1, 7), two (these) or three.
_TWO_DIGITS = re.compile(r"2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TITLES = _words(
    "mr mrs ms miss mx sir madam dr prof professor herr herrn frau hr fr mme mlle monsieur madame sr sra senor senora sig "
    "signora signor dhr mevr mag ing dipl phd mba さん 様 さま 氏 先生 女士 小姐 씨 님"
)
_PARTICLES = _words(
    "von van vom zu zur der den de del della di da dal du des dos la le lo el al bin ibn ben ten ter af av mac mc o d st"
)
_LEGAL = _words(
    "gmbh ag kg kgaa ohg gbr ug se ev inc incorporated corp corporation co company llc llp lp ltd limited plc sa sas sarl "
    "sl spa srl bv nv oy oyj ab as aps pty pte kk mbh"
)
#: Given names that often are the second of two, and so no surname.
_GIVEN = _words(
    "maria marie mary ann anna anne anita antonio alexander andreas carlos carmen christian daniel david eduardo elena "
    "elisabeth elizabeth emilia enrique eva fernando francisco frank georg george grace guadalupe hans heinz helena henry "
    "ines ignacio isabel jack james jane javier jean jesus joao joachim joe john jose joseph josef juan julia karl klaus lee "
    "louis louise luis luisa lynn manuel marc marco margaret mark martin michael miguel mohamed muhammad nikolaus paul "
    "paulo pedro peter pierre rafael ray rita robert rosa rose ruth sofia sophie teresa theresa thomas uwe victoria werner "
    "wilhelm william wolfgang"
)
#: Words of every day that are names too, or titles of deals: a name of nothing else is looked for with its capitals only.
_ORDINARY = _words(
    "a able account ace act admin ads agency agent all alliance am an and annual any app april are art as ask at "
    "august autumn ball bank bar base basic bay be bear bell best big bill bird black blue board bond book booth box "
    "branch bright broad brook brown budget bull burn bush business but buy by call camp can capital care case cash "
    "center central chance change chapel charity chase check chief church city clay clear client close cloud coast "
    "cold cole contact contract cook cool core corn cost course cross crystal custom customer daily dash data dawn "
    "day deal dean deep deposit desk digital do done down draw drew drive due early earnest east easy email energy "
    "enterprise event ever every expert express extra fair faith fall farmer fast feather field final finance fire "
    "first fish fit five flat flow focus food for ford forest forms forward four frank free french fresh friend from "
    "full fund future garden gene general give glass global go gold golden good grace grand grant gray great green "
    "grey group grow guard guide gun guy hall hand hardware harmony head health heart heath help her high hill his "
    "hold home hope horn hot hotel house how hunt hunter i idea if in initial into is it jade job joy judge july june "
    "just keen key lake land lane large last law lead leads league legal level licence license life light lily line "
    "link list little live local lock long look love low main major make many march mark market master max may meet "
    "mercy mid mini mobile money moon more most mountain move must my near need network new next night noble north "
    "not now number of offer office old olive on one online open or order our out over own page paper park part "
    "partner party pat patience pay peace penny phase phone pick pilot pitch plan platform point pool power premium "
    "price prime prince prior pro process product program programme project proof proposal prospect public quarter "
    "query quick ray ready real red redesign reed referral refresh remote renewal rent report request retail review "
    "rice rich ring rise river road rob rock rollout rose round royal rush safe sales sample save sea search second "
    "see sell send senior service setup sharp shop short show side sign silver simple site six sky small smart snow "
    "social soft software solar some source south spring stack staff standard star start steel step still stock stone "
    "store storm street strong suite summer sun sunny support sure survey swift system talk tax team tech temple ten "
    "test that the third this three time to top total tour trade trial true trust two upgrade upsell urgent us user "
    "value van via video violet vision wade walker wall want ward was watch water way we web website week weekly well "
    "west white wholesale why wide wild will win winter wise with wood work workshop world worth year yes you young "
    "zone "
    "alt angebot auftrag braun bunt ernst erst fein fest frei fromm gross gut jahr jahres jung kalt klar klein klug "
    "kunde kurz lang laut neu projekt reich rot schnell schwarz stark vertrag weiss"
)
_ENDING = re.compile(
    r"\w{3,}(?:tion|sion|ment|ing|ity|ance|ence|ness|ware|ship|ized|ised|able|ible|ung|keit|heit|schaft)s?"
)
_AND = frozenset(("and", "und", "et", "y", "e", "en", "og", "och"))
_GERMAN = {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"}
_PLAIN = {
    "ø": "o",
    "æ": "ae",
    "œ": "oe",
    "ł": "l",
    "đ": "d",
    "ð": "d",
    "þ": "th",
    "ı": "i",
    "ى": "ي",
    "ی": "ي",
    "ک": "ك",
    "ة": "ه",
    "ـ": "",
}
_JOINT = r"[\s\-\u00ad\u2010-\u2014.'\u2019/\u00b7&+\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
_TAG = re.compile(r"</?(?:a|b|i|u|em|strong|span|font|p|br|div|t[dr]|li|ul|ol|h[1-6])\b[^<>]{0,300}>", re.IGNORECASE)
_BETWEEN = re.compile(rf"{_JOINT}{{1,4}}")
_COMMA = r"[,\u060c\u3001\uff0c]"
_WITH_COMMA = re.compile(rf"{_JOINT}{{0,3}}{_COMMA}?\s?")
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
#: One letter that Hebrew, Arabic and Amharic write together with the word after it: and, to, in, from.
_PREFIXES = frozenset("והבכלמשוفبكلለበከየو")
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
    digits = "".join(filter(str.isdecimal, text))
    return digits if digits.isascii() else "".join(str(unicodedata.decimal(each)) for each in digits)


def phone_forms(text: str) -> set[str]:
    """What a number may be within its country: as written, and without what may be its country code.

    >>> sorted(phone_forms("4930 5551 2345"))
    ['3055512345', '493055512345']
    """
    code, number = phone_form(text)
    forms = {number}
    if not code and len(number) > 2 * 5:
        width = 1 if number[0] in "17" else 2 if _TWO_DIGITS.match(number) else 3
        forms |= {number[width:].lstrip("0")}
    return {form for form in forms if len(form) >= _DIGITS}


def addresses(text: str) -> set[str]:
    """Every address of a cell, as they are compared.

    >>> sorted(addresses("Ann <Ann+x@x.example>; bob@x.example")), addresses("ask")
    (['ann@x.example', 'bob@x.example'], set())
    """
    forms = {email_form(f"{hit[1].lstrip('.-+')}@{hit[2]}") for hit in _ADDRESS.finditer(text)}
    return (forms or {email_form(text)}) - {""}


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
    forms = {
        "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.combining(c) in (0, _VOICED))
        for text in spelled
    }
    return frozenset(forms - {""} or {low})


#: The class of the marks that make another letter of kana.
_VOICED = 8


@lru_cache(maxsize=1 << 16)
def _openings(word: str) -> tuple[tuple[str, int], ...]:
    """The forms of a word, and of what follows a letter that is written together with it: how many letters that is."""
    after = _forms(word[1:]) if len(word) > 2 and word[0] in _PREFIXES else ()
    return (*((form, 0) for form in _forms(word)), *((form, 1) for form in after))


def _is_ordinary(word: str) -> bool:
    """Whether a word is one of every day, or a number."""
    return any(
        form.isdecimal() or form in _ORDINARY or form.removesuffix("s") in _ORDINARY or bool(_ENDING.fullmatch(form))
        for form in _forms(word)
    )


@dataclass(frozen=True)
class _Pattern:
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
        parts = [part.strip() for part in re.split(_COMMA, text)]
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
        text = unicodedata.normalize("NFC", self.text)
        text = re.split(_COMMA, text)[0]
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
            or bool(self.unspaced)
            or (not self.person and bool(words) and words[0].isalpha() and len(words[0]) >= _LONG)
        )

    def has_surname_of(self, other: Name) -> bool:
        """Whether its last name is that of another."""
        surname, other_surname = self.surname, other.surname
        return len(surname) == len(other_surname) > 0 and all(
            _forms(word) & _forms(other_word) for word, other_word in zip(surname, other_surname, strict=True)
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
        pieces = [piece for piece in re.split(rf"(?:{_BETWEEN_PIECES}|{_COMMA})+", text) if piece]
        pieces = [piece for piece in pieces if piece not in _TITLES] or pieces
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
            between = rf"(?:{_BETWEEN_PIECES}|{_COMMA}){{1,2}}"
            expression += rf"|{re.escape(pieces[1])}{between}{re.escape(pieces[0])}"
        return rf"(?:{expression})(?![{_MARKS}])"

    @property
    def readings(self) -> list[Name]:
        """The same name in each of the scripts that a record has it in, such as Wang Xiaoming (王小明)."""
        eastern = [word for word in _TOKEN.findall(self.text) if _UNSPACED.fullmatch(word)]
        rest = [word for word in self.words if word not in eastern]
        if not eastern or not rest:
            return [self]
        return [self, replace(self, text=" ".join(eastern)), replace(self, text=" ".join(rest))]

    @property
    def is_ordinary(self) -> bool:
        """Whether it is nothing but words of every day."""
        return all(map(_is_ordinary, self.words))

    def patterns(self, shared: bool) -> Iterator[_Pattern]:
        """Its usual forms; `shared` says that somebody else has its surname."""
        if not self.is_searched or self.unspaced:
            return
        joined_up = re.sub(r"(?<=\w)[-'\u2010\u2011\u2019](?=\w)", "", self.text)
        if joined_up != self.text:
            yield from replace(self, text=joined_up).patterns(shared)
        words = [_forms(word) for word in self.words]
        if len(words) == 1:
            capitals = frozenset(() if self.words[0][0].islower() else (0,))
            has_form = any(_forms(word) & _LEGAL for word in _TOKEN.findall(self.text)[1:])
            if has_form and self.is_ordinary:
                yield _Pattern((words[0], _LEGAL), capitals=frozenset((0,)))
            else:
                yield _Pattern((words[0],), capitals=capitals, alone=True)
            return
        yield from self._of_words(words, shared)

    def _of_words(self, words: list[frozenset[str]], shared: bool) -> Iterator[_Pattern]:
        tokens = _TOKEN.findall(self.text)
        joined = "&" in self.text or any(_forms(word) & _AND for word in tokens)
        lower = [word[0].islower() and not _forms(word) & _PARTICLES for word in self.words]
        # a title of a deal, such as "Website redesign", is no name, and as a phrase in lower case it is everyone's
        phrase = not lower[0] and any(lower)
        strict, first = self.is_ordinary, frozenset(() if lower[0] else (0,))
        if strict:
            capitals = frozenset(at for at in range(len(words)) if not (phrase and lower[at]))
        else:
            capitals = first if phrase or not self.person else frozenset()
        yield _Pattern(tuple(words), joined=joined, capitals=capitals, middle=self.person and not strict)
        plain = not (joined or phrase) and not any(map(str.isdecimal, "".join(self.words))) and len(words) <= 5
        if not plain or (not self.person and len(words) > 3):
            return
        every = frozenset(range(len(words))) if strict else frozenset(() if self.person else first)
        certain = strict or lower[0]  # turned round without a comma they are words
        for at in range(1, len(words)):
            yield _Pattern((*words[at:], *words[:at]), comma=len(words) - at - 1, strict=certain, capitals=every)
        if self.person:
            yield from self._of_person(words, every, shared)

    def _of_person(self, words: list[frozenset[str]], capitals: frozenset[int], shared: bool) -> Iterator[_Pattern]:
        family = [_forms(word) for word in self.surname]
        given = words[: len(words) - len(family)]
        if len(given) > 1:
            yield _Pattern((given[0], *family), capitals=capitals, middle=not capitals)
            yield _Pattern((*family, given[0]), comma=len(family) - 1, capitals=capitals, strict=bool(capitals))
        if first_surname := [] if capitals else self._first_surname(words, len(given)):
            for names in {tuple(words[: words.index(first_surname[0], 1)]), (words[0],)}:
                yield _Pattern((*names, *first_surname), last=True)
                yield _Pattern((*names, *first_surname, *family))
            yield _Pattern((*first_surname, words[0]), comma=len(first_surname) - 1, strict=True, last=True)
        if shared:
            return
        letters = [frozenset(form[0] for form in word) for word in given]
        for initials in {1, len(letters)}:
            some = letters[:initials]
            after = frozenset(range(len(some), len(some) + len(family))) if capitals else capitals
            yield _Pattern((*some, *family), initials=frozenset(range(len(some))), capitals=after)
            there = frozenset(range(len(family), len(family) + len(some)))
            yield _Pattern((*family, *some), comma=len(family) - 1, initials=there, capitals=capitals)
        surname = frozenset((1,) if all(map(_is_ordinary, self.surname)) else ())
        yield _Pattern((_TITLES, *family), title=True, capitals=surname)
        if re.search(rf"\w[-\u2010\u2011]{re.escape(self.surname[-1])}", self.text):
            yield _Pattern(tuple(family), capitals=frozenset((0,)))

    @staticmethod
    def _first_surname(words: list[frozenset[str]], last: int) -> list[frozenset[str]]:
        """The first of two surnames, such as García of José García López; `last` is where the second begins."""
        first = next((at for at in range(1, last) if not words[at] & _GIVEN and len(min(words[at])) > 1), last)
        end = first
        while end < last and words[end] & _PARTICLES:
            end += 1
        return words[first : end + 1] if end < last else []


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
            if len(number) >= _DIGITS:
                codes[number].add(code)
        return dict(codes)

    @cached_property
    def _literal(self) -> re.Pattern[str] | None:
        """Numbers that are too short to be known by their digits, as they are written; bare digits may be any figure."""
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
            if first := _TOKEN.search(key.casefold()):
                keys[first.group()].append((key.casefold(), first.start()))
        return {word: sorted(known, key=lambda entry: -len(entry[0])) for word, known in keys.items()}

    @cached_property
    def _patterns(self) -> dict[str, list[_Pattern]]:
        """Forms of names, longest first, by their first word; those with an initial or a title first by the surname."""
        patterns: dict[str, list[_Pattern]] = defaultdict(list)
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
        if EMAIL in kinds and self._emails and _MAY_BE_ADDRESS.search(text):
            for hit in _ADDRESS.finditer(text):
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
                text = _ADDRESS.sub(
                    lambda hit: hit.group() if "@" not in hit.group() else "\0" * len(hit.group()), text
                )
            tokens = list(_tokens_of(text).finditer(text))
            for at, token in enumerate(tokens):
                for form, skipped in _openings(token.group()):
                    for key, offset in keys.get(form, ()) if not skipped else ():
                        start = token.start() - offset
                        if start >= 0 and text[start : start + len(key)].casefold() == key and _is_alone(text, start, start + len(key)):  # fmt: skip
                            spans.append((start, start + len(key), KEY))
                            break
                    for pattern in names.get(form, ()):
                        if end := _matched(text, tokens, at, pattern, skipped):
                            start = tokens[at + 1].start() if pattern.title else token.start() + skipped
                            word = pattern.alone and not _is_legal(text, tokens, at + 1)
                            spans.append((start, end, _WORD if word else NAME))
                            break
        return spans

    @cached_property
    def _beginnings(self) -> frozenset[str]:
        return frozenset((*self._patterns, *self._keys))

    def _may_begin(self, text: str) -> bool:
        """Whether a word of the text begins a name or key; asked first, since few texts have one."""
        low = text.casefold()
        words = _tokens_of(low).findall(low)
        if not self._beginnings.isdisjoint(words):
            return True
        return not low.isascii() and any(
            form in self._beginnings for word in words if not word.isascii() for form, _ in _openings(word)
        )

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
        document = _document(text)
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
        mentioned: set[str] = set()
        for each in texts_in(text):
            composed = unicodedata.normalize("NFC", each)
            for plain in filter(None, (composed, _unescaped(composed))):
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
            {"kind": "telephone numbers", "count": len({*self._phones}) + len({t for t in self._written if len(phone_form(t)[1]) < _DIGITS}),
             "forms": f"by their digits, with or without country code, 00, leading 0 and extension; as written if they have fewer than {_DIGITS}",
             "not_searched": f"numbers without their area code; fewer than {_BARE} digits that nothing separates"},
            {"kind": "keys", "count": len(self.keys), "forms": "as whole words, in upper or lower case",
             "not_searched": "keys of fewer than 4 characters or, in digits alone, fewer than 8; keys that a record of another account also has. Rows are found by their key columns, whatever the key"},
            {"kind": "names of people", "count": people,
             "forms": "in any script and case, with or without accents (ü as u or ue), hyphens and titles; last name first; without middle names or the "
             "second of two surnames; and, if no one else in the lakehouse has the surname, with initials, after a title, or a hyphenated surname alone",
             "not_searched": "; ".join(["nicknames; given names and other surnames alone; inflected forms; the name in another script", *others])},
            {"kind": "names of accounts", "count": len(searched) - people,
             "forms": f"with a capital letter, with or without accents and legal form; a name of one word in running text from {_LONG} letters on, elsewhere with its legal form",
             "not_searched": "abbreviations; shorter names of one word; common words without their legal form"},
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


def _tokens_of(text: str) -> re.Pattern[str]:
    """The expression of a word in a text."""
    return _TOKEN if _BEYOND_LATIN.search(text) else _LATIN_TOKEN


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


def _matched(text: str, tokens: list[re.Match[str]], at: int, pattern: _Pattern, skipped: int = 0) -> int:
    """Where the pattern ends that begins at a word, after as many letters of it, 0 where it does not begin there."""
    first = tokens[at]
    start = first.start()
    if start >= 2 and text[start - 1] in "-\u2010\u2011" and text[start - 2].isalnum():
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
            before = tokens[place - 1].group()
            if re.search(r"\.\s", between) and len(before) > _ABBREVIATED and not _forms(before) & _TITLES:
                return 0  # the next sentence
            between = re.sub(r"\s+", " ", between)
            rule = _WITH_COMMA if pattern.comma == number - 1 else _BETWEEN
            if not rule.fullmatch(between):
                return 0
            must = pattern.strict or number in pattern.initials
            if pattern.comma == number - 1 and must and not re.search(_COMMA, between):
                return 0
        token = tokens[place].group() if number else first.group()[skipped:]
        if not _forms(token) & word:
            return 0
        end = tokens[place].end()
        if number in pattern.capitals and token[0].islower():
            return 0
        if number in pattern.initials:
            if any(map(str.islower, token)):
                return 0
            if pattern.comma < 0 and text[end : end + 1] != ".":
                return 0
    if text[end : end + 1] in ("-", "\u2010", "\u2011") and text[end + 1 : end + 2].isalpha():
        return 0
    following = tokens[place + 1] if pattern.comma >= 0 and place + 1 < len(tokens) else None
    if following and _forms(following.group()) & pattern.words[0] and _BETWEEN.fullmatch(text, end, following.start()):
        return 0  # a list of names: what follows belongs to the next one
    if pattern.last and (_is_name_beside(text, tokens, place, 1) or (pattern.comma >= 0 and _is_name_beside(text, tokens, at, -1))):  # fmt: skip
        return 0
    return end


#: Letters of what may be an abbreviation, such as St. or Chr.
_ABBREVIATED = 3


def _is_name_beside(text: str, tokens: list[re.Match[str]], at: int, step: int) -> bool:
    """Whether the word before or after one, with a space between, may belong to the same name."""
    if not 0 <= at + step < len(tokens):
        return False
    first, second = sorted((tokens[at], tokens[at + step]), key=re.Match.start)
    return text[first.end() : second.start()].isspace() and not tokens[at + step].group()[0].islower()


def _is_legal(text: str, tokens: list[re.Match[str]], at: int) -> bool:
    """Whether a word is a legal form, and belongs to the one before it."""
    if at >= len(tokens) or not _forms(tokens[at].group()) & _LEGAL:
        return False
    return bool(_WITH_COMMA.fullmatch(re.sub(r"\s+", " ", text[tokens[at - 1].end() : tokens[at].start()])))


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
        international = before[:2] == "00" or text[place - 1 : place] == "+"
        if not _is_prefix(before, known) or (
            known is None and before not in ("", "0") and last - first + 1 < 9 - international
        ):
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


def _may_be_others(text: str, spans: Collection[tuple[int, int, str]]) -> bool:
    """Whether what a text mentions may be somebody else's name, or no name."""
    certain = [span for span in spans if span[2] != _WORD]
    return bool(spans) and (not certain or _is_all(text, [span for span in spans if span[2] in (NAME, _WORD)]))


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
                touched = [was or after != before for was, after, before in zip(touched, new, cells[name], strict=True)]
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
