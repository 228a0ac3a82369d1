"""A question as spans: each word or phrase with all that it may mean, in the language that the question is in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from medallion.agent.planner.lexicon import (
    ELIDED,
    LANGUAGES,
    Lexicon,
    Phrase,
    Sense,
    folded,
    lexicon,
    meanings,
    plain_words,
)
from medallion.agent.planner.names import Names

_TOKEN = re.compile(
    r"""(?P<day>\d{4}-\d{2}-\d{2}(?![\d-])|\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d{2})(?![\d./]))
    |(?P<month>(?:0?[1-9]|1[0-2])/\d{4}(?![\d/]))
    |(?P<short_day>\d{1,2}/\d{1,2}(?![\d/])|\d{1,2}\.\d{1,2}\.(?=\s*\w|\s*$|[,;?!]))
    |(?P<period>(?i:\d{4}[-\s]?q[1-4]|q[1-4][-/]\d{4}|fy\s?\d{4}(?:-q[1-4])?|\d{4}-w\d{2}|\d{4}-\d{2})(?![\w-]))
    |(?P<band>\d+-\d+(?![\w-])|\d+\+)
    |(?P<number>\d{1,3}(?:[.,\u00a0\u202f]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?)
    |(?P<op>>=|<=|!=|<>|[=<>≥≤≠])
    |(?P<word>[^\W\d_][^\W_]*(?:[-.'’&_][^\W_]+)*)
    |(?P<sign>[%€$£¥#&])
    |(?P<comma>[,;])
    |(?P<quiet>[.?!:()"'’‘“”„«»…¿¡\s])
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_OPS = {
    ">": "gt",
    ">=": "ge",
    "≥": "ge",
    "<": "lt",
    "<=": "le",
    "≤": "le",
    "=": "eq",
    "!=": "not",
    "<>": "not",
    "≠": "not",
}
#: Words after which a number with two dots is a day: `on 13.6.`, `vom 1.5. bis 15.5.`
_BEFORE_DAYS = frozenset(
    {"on", "am", "vom", "zum", "bis", "ab", "seit", "vor", "nach", "dem", "since", "until", "till", "from", "to", "by", "and", "und"}
    | {"the", "before", "after", "between", "zwischen", "le", "du", "au", "el", "del", "al", "desde", "hasta", "entre", "et", "y", "-"}
)  # fmt: skip
#: What makes a number that it follows an ordinal, in any of the languages.
_ORDINALS = ("st", "nd", "rd", "th", "er", "eme", "ème", "e", "o", "a")
#: Ways to write a word short that would be parted at their signs.
_SHORT_FORMS = re.compile(r"(?<![\w/])(w/o?)(?=[\s\w])(?!\w*/)", re.IGNORECASE)
_ENDING = re.compile(r"['’]s$|(?<=s)['’]$", re.IGNORECASE)
#: That of a name that ends with a number: `Lumen Works 7's deals`.
_ENDING_OF_NUMBER = re.compile(r"(?<=\d)['’]s(?!\w)", re.IGNORECASE)
#: The dash between two amounts of thousands or millions: `10k-50k`, `10-50k`.
_TO_OF_NUMBERS = re.compile(
    r"(?<![\w-])(\d+(?:[.,]\d+)?[km]?)\s*[-\u2013]\s*(?=\d+(?:[.,]\d+)?\s?[km]\b)", re.IGNORECASE
)
#: Kinds of spans that a question begins with.
_ASKING = ("list", "who", "when", "why", "how", "how_long", "count", "amount", "yes_no", "exists", "intent", "define")
#: Signs that a clause ends with.
_CLOSING = frozenset(".?!:…")
#: Those that a sentence ends with.
_SENTENCE = _CLOSING - {":"}
#: `top10`, `Top-10-Kunden`.
_TOP = re.compile(r"(top)-?(\d+)(?:-([^\W\d]+))?", re.IGNORECASE)
#: Words of at least so many letters may be misspelt, by so many letters.
_MISSPELT = ((9, 2), (4, 1))
_SHORT = 5
#: Letters that are left out first where words are written short.
_VOWELS = frozenset("aeiou")
#: Letters of the shortest part of a word that is made of two, and kinds of such parts.
_PART = 4
_OF_COMPOUNDS = frozenset({"metric", "entity", "kind", "up", "down", "field", "dim", "list", "count", "trend"})
#: Letters of the shortest word that may be misspelt.
_SHORTEST = 3


@dataclass
class Span:
    """A word or phrase of a question.

    Attributes:
        text: As it was written.
        senses: All that it may mean.
        first: The place of its first token.
        last: The place after its last token.
        capital: Whether it is written with a capital.
        used: Whether the reading has understood it.
        ends: Whether a clause ends with it: a sign such as a colon or a full stop follows.
    """

    text: str
    senses: tuple[Sense, ...]
    first: int
    last: int
    capital: bool = False
    used: bool = False
    ends: bool = False

    def of(self, *kinds: str) -> Sense | None:
        """The sense of one of some kinds, in their order; None where there is none."""
        return next((sense for kind in kinds for sense in self.senses if sense.kind == kind), None)

    def all(self, kind: str) -> list[Sense]:
        """Its senses of a kind."""
        return [sense for sense in self.senses if sense.kind == kind]


@dataclass(frozen=True)
class Token:
    """A token: as it was written, and as it is compared; a clause may end with it."""

    text: str
    plain: str
    kind: str
    ends: bool = False


@dataclass
class Lexed:
    """A question as spans.

    Attributes:
        spans: In order.
        language: The one that it is in.
        corrected: What was taken for a misspelling, and of what.
        also: Names of accounts that stand in the question and are words of it too, with their keys.
    """

    spans: list[Span]
    language: str
    corrected: list[tuple[str, str]] = field(default_factory=list)
    also: dict[str, list[str]] = field(default_factory=dict)


def tokens(question: str) -> list[Token]:
    """The tokens of a question; signs that say nothing are left out."""
    pieces: list[Token] = []
    question = _TO_OF_NUMBERS.sub(r"\1 - ", question)
    question = _ENDING_OF_NUMBER.sub("", question)
    question = _SHORT_FORMS.sub(lambda match: "without " if match[1].casefold() == "w/o" else "with ", question)
    for match in _TOKEN.finditer(question):
        kind, text = str(match.lastgroup), match[0]
        if kind == "quiet":
            if pieces and text in _CLOSING and not question[match.end() : match.end() + 1].strip():
                pieces[-1] = replace(pieces[-1], ends=True)
            continue
        if kind == "short_day" and "." in text and not (pieces and pieces[-1].plain in _BEFORE_DAYS):
            number = text.removesuffix(".")  # a decimal at the end of a sentence
            pieces.append(Token(number, number, "number", ends=not question[match.end() :].strip()))
            continue
        if kind != "word":
            pieces.append(Token(text, folded(text), kind))
            continue
        after = pieces and pieces[-1].kind == "number" and question[match.start() - 1 : match.start()].isdigit()
        if after and text.casefold() in _ORDINALS and _is_ordinal(pieces[-1].plain, text.casefold()):
            pieces[-1] = Token(pieces[-1].text + text, pieces[-1].plain + text.casefold(), "ordinal")
            continue
        pieces += _words(text)
    return pieces


def _is_ordinal(digits: str, ending: str) -> bool:
    """Whether digits with these letters are an ordinal: `1er`, `2e`, `3a`; `40e` and `5er` are none."""
    return ending in ("st", "nd", "rd", "th") or digits == "1" or (digits in ("2", "3", "4") and ending != "er")


def _with_names(question: str, signed: Mapping[str, Any]) -> list[Token]:
    """The tokens of a question in which names that hold signs stay whole."""
    if not signed:
        return tokens(question)
    every = "|".join(re.escape(name) for name in sorted(signed, key=len, reverse=True))
    pieces: list[Token] = []
    last = 0
    for match in re.finditer(rf"(?<!\w)(?:{every})(?!\w)", question, re.IGNORECASE):
        ends = question[match.end() : match.end() + 1] in _CLOSING
        pieces += [*tokens(question[last : match.start()]), Token(match[0], match[0].casefold(), "name", ends)]
        last = match.end()
    return pieces + tokens(question[last:])


def _joined(tokens: Sequence[Token]) -> list[Token]:
    """Tokens with numbers whose thousands are separated by spaces, as in French, joined into one."""
    joined: list[Token] = []
    for token in tokens:
        last = joined[-1] if joined else None
        thousands = last and last.kind == token.kind == "number" and re.fullmatch(r"\d{3}", token.text)
        if last and thousands and re.fullmatch(r"\d{1,3}(?: \d{3})*", last.text):
            joined[-1] = Token(f"{last.text} {token.text}", f"{last.plain} {token.plain}", "number", token.ends)
        else:
            joined.append(token)
    return joined


def _parted_words(tokens: Sequence[Token], words: Lexicon, names: Names) -> list[Token]:
    """Tokens with words that are said for two written as those: `Abschlüsse` as won deals, `Umsatzanstieg` as its parts."""
    written_as = {folded(word): text for word, text in meanings()["said_as"][words.language].items()}
    parted: list[Token] = []
    for token in tokens:
        before = words.phrases.get((parted[-1].plain,), ()) if parted else ()
        stated = any(sense.kind == "state" for sense in before)
        if token.kind == "word" and token.plain in written_as and not stated:
            parts = plain_words(written_as[token.plain])
        elif token.kind == "word" and words.language == "de" and len(token.plain) >= 2 * _PART:
            parts = _parts(token.plain, words, names)
        else:
            parts = []
        ends = [token.ends] if parts else []
        parted += [
            Token(part if at else token.text, part, "word", last)
            for at, (part, last) in enumerate(zip(parts, [False] * (len(parts) - 1) + ends, strict=True))
        ] or [token]
    return parted


def _parts(word: str, words: Lexicon, names: Names) -> list[str]:
    """The two nouns that a German word which means nothing itself is made of: a figure or records, and what is said of it."""
    if word in words.words or word in names.words:
        return []
    for at in range(_PART, len(word) - _PART + 1):
        first, then = word[:at], word[at:]
        heads = (first, first.removesuffix("s")) if first.endswith("s") else (first,)
        kinds = {sense.kind for sense in words.phrases.get((then,), ())} & _OF_COMPOUNDS
        known = next(
            (head for head in heads if any(s.kind in _OF_COMPOUNDS for s in words.phrases.get((head,), ()))), ""
        )
        if kinds and known:
            return [known, then]
    return []


def _words(text: str) -> list[Token]:
    """The words of a text without blanks: keys stay whole, hyphens part the others, endings and elisions fall."""
    text = _ENDING.sub("", ELIDED.sub("", text))
    if top := _TOP.fullmatch(text):
        return [Token(top[1], "top", "word"), Token(top[2], top[2], "number"), *(_words(top[3]) if top[3] else ())]
    if any(letter.isdigit() for letter in text):
        return [Token(text, folded(text).replace("_", " "), "word")]
    parts = [part for part in re.split(r"[-_&.]", text) if part]
    return [Token(part, re.sub(r"['’]", "", folded(part)), "word") for part in parts]


def lex(question: str, names: Names, before: str | None = None) -> Lexed:
    """A question as spans.

    Args:
        question: As it was asked.
        names: The names of the lakehouse.
        before: The language of what was asked before; a question whose own is not clear is in it.
    """
    names.read()
    accounts, signed = names.accounts(question)
    signed = {name: [*names.signed.get(name, ()), *signed.get(name, ())] for name in {**names.signed, **signed}}
    tokens = _with_names(question, signed)
    language = _language(tokens, before)
    words = lexicon(language)
    tokens = _joined(tokens) if language == "fr" else tokens
    tokens = _parted_words(tokens, words, names)
    tokens, corrected = _corrected(tokens, words, names, {word for phrase in accounts for word in phrase})
    lexed = Lexed([], language, corrected)
    place = 0
    while place < len(tokens):
        token = tokens[place]
        if token.kind == "name":
            span = Span(token.text, tuple(signed[token.plain]), place, place + 1)
        else:
            span = _span(tokens, place, words, names, accounts, lexed)
        lexed.spans.append(span)
        span.ends = tokens[span.last - 1].ends
        place = span.last
    return lexed


def _language(tokens: Sequence[Token], before: str | None) -> str:
    """The language whose own words a question has most of."""
    words = [token.plain for token in tokens if token.kind == "word"]
    own = {name: lexicon(name).function for name in LANGUAGES}
    count = {name: sum(word in own[name] for word in words) for name in LANGUAGES}
    most = max(count.values())
    best = [name for name in LANGUAGES if count[name] == most]
    known = {name: sum(word in lexicon(name).words for word in words) for name in best}  # names of countries, too
    best = [name for name in best if known[name] == max(known.values())]
    return before if before in best else best[0]


def _span(
    tokens: Sequence[Token],
    place: int,
    words: Lexicon,
    names: Names,
    accounts: Mapping[Phrase, list[Sense]],
    lexed: Lexed,
) -> Span:
    """The longest phrase from a place on, with what it means; a token alone where it means nothing."""
    most = max(words.longest, names.longest, *(len(phrase) for phrase in accounts), 1)
    for length in range(min(most, len(tokens) - place), 0, -1):
        part = tokens[place : place + length]
        if any(token.kind in ("comma", "op", "other", "name") for token in part):
            continue
        phrase = tuple(token.plain for token in part)
        if length > 1 and _begins_a_time(tokens[place + length - 1 : place + length + 1], words):
            continue
        if length > 1 and _goes_on_inside(part, words, lexed.spans):
            continue
        if length > 1 and _begins_a_number(tokens[place + length - 1 : place + length + 1], words):
            continue
        if length > 1 and place and tokens[place - 1].kind == "number" and _ends_a_duration(part[:2], words):
            continue
        senses = [*words.phrases.get(phrase, ()), *names.phrases.get(phrase, ())]
        if not senses and length > 1 and (product := names.abbreviated(phrase)):
            senses = [product]
            lexed.corrected.append((" ".join(token.text for token in part), product.value))
        own = list(accounts.get(phrase, ()))
        if own and (senses or _all_known(phrase, words, names)) and not _is_name(tokens, place, length):
            lexed.also[" ".join(token.text for token in part)] = [sense.name for sense in own]
            own = []
        if senses or own:
            text = " ".join(token.text for token in part)
            capital = tokens[place].text[:1].isupper() and place > 0
            return Span(text, tuple(dict.fromkeys((*senses, *own))), place, place + length, capital)
    token = tokens[place]
    if product := _part_of_name(token, words, names):
        lexed.corrected.append((token.text, product.value))
        return Span(token.text, (product,), place, place + 1, token.text[:1].isupper() and place > 0)
    return Span(token.text, tuple(_alone(token, names)), place, place + 1, token.text[:1].isupper() and place > 0)


def _goes_on_inside(part: Sequence[Token], words: Lexicon, before: Sequence[Span]) -> bool:
    """Whether words that begin a question that goes on, such as `and in`, stand after what is asked: each is read alone there."""
    kinds = {sense.kind for sense in words.phrases.get(tuple(token.plain for token in part), ())}
    joint = {sense.kind for sense in words.phrases.get((part[0].plain,), ())}
    asked = any(
        span.of("value", "month", "metric", "entity", "kind", "day", "last", "this", "quarter") for span in before
    )
    return kinds == {"carry"} and "and" in joint and asked


def _begins_a_time(pair: Sequence[Token], words: Lexicon) -> bool:
    """Whether a word and the next are `this` and a unit of time, which no phrase before them parts: `of this year`."""
    kinds = [{sense.kind for sense in words.phrases.get((token.plain,), ())} for token in pair]
    return len(pair) == len(("this", "unit")) and bool(kinds[0] & {"this", "last"}) and "unit" in kinds[1]


def _begins_a_number(pair: Sequence[Token], words: Lexicon) -> bool:
    """Whether a word and the next ask for a number, which no phrase before them parts: `und wie viele`."""
    senses = words.phrases.get(tuple(token.plain for token in pair), ())
    return len(pair) == len(("how", "many")) and any(sense.kind in ("count", "amount") for sense in senses)


def _part_of_name(token: Token, words: Lexicon, names: Names) -> Sense | None:
    """The product that a word is a part or the plural of the name of; None where its singular means something: forecasts."""
    means = (token.plain.removesuffix("s"),) in words.phrases
    return names.parts.get((token.plain,)) if token.kind == "word" and not means else None


def _ends_a_duration(pair: Sequence[Token], words: Lexicon) -> bool:
    """Whether a word after a number is a unit of time, and the next one denies something: `30 Tage ohne Kontakt`."""
    kinds = [{sense.kind for sense in words.phrases.get((token.plain,), ())} for token in pair]
    return "unit" in kinds[0] and bool(kinds[1] & {"no", "not"})


def _all_known(phrase: Phrase, words: Lexicon, names: Names) -> bool:
    """Whether each word of a name means something else in questions too."""
    return all((word,) in words.phrases or (word,) in names.phrases for word in phrase)


def _is_name(tokens: Sequence[Token], place: int, length: int) -> bool:
    """Whether a name follows a word such as account, customer or company."""
    before = tokens[place - 1].plain if place else ""
    return before in ("account", "customer", "client", "company", "kunde", "kunden", "compte", "cliente", "cuenta")


def _alone(token: Token, names: Names) -> list[Sense]:
    """What a token means by itself."""
    if token.kind == "day":
        return [Sense("day", token.text)]
    if token.kind == "month":
        month, _, year = token.text.partition("/")
        return [Sense("period", f"{year}-{month.zfill(2)}")]
    if token.kind == "short_day":
        return [Sense("short_day", token.text)]
    if token.kind == "period":
        return [Sense("period", re.sub(r"[\s/]+", "-", token.text.upper()))]
    if token.kind in ("number", "ordinal"):
        return [Sense("number", number(token.plain))] + [Sense("ordinal", number(token.plain))] * (
            token.kind == "ordinal"
        )
    if token.kind == "op":
        return [Sense(_OPS[token.text])]
    if token.kind == "comma":
        return [Sense("comma")]
    return names.keys(token.text) if token.kind in ("word", "band") else []


def number(text: str) -> str:
    """A written number as Python writes it: three digits after a mark are thousands.

    >>> number("1,250.5"), number("5.000"), number("1,5"), number("20th")
    ('1250.5', '5000', '1.5', '20')
    """
    bare = re.sub(rf"(?:{'|'.join(_ORDINALS)})$", "", text)
    bare = re.sub(r"[.,\u00a0\u202f ](?=\d{3}(?!\d))", "", bare)
    return bare.replace(",", ".")


def _corrected(
    tokens: Sequence[Token], words: Lexicon, names: Names, in_names: set[str]
) -> tuple[list[Token], list[tuple[str, str]]]:
    """The tokens with misspelt words written right, and which they were.

    A word of an account's name in the question is never corrected, nor is one with two equally near words.
    """
    known = words.words | names.words
    corrections: list[tuple[str, str]] = []
    right: list[Token] = []
    for token in tokens:
        near = None
        if _part_of_name(token, words, names):
            pass
        elif (
            token.kind == "word" and token.plain not in known and token.plain not in in_names and token.plain.isalpha()
        ):
            near = nearest(token.plain, known) or _common(token.plain, words.language, known)
        if near:
            corrections.append((token.text, near))
            token = Token(token.text, near, "word", token.ends)
        right.append(token)
    return right, corrections


def _common(word: str, language: str, known: Set[str]) -> str | None:
    """The common word of which a word lacks its vowels, or one letter of four: `hw`, `whch`, `mny`; None where it is none or may be two.

    Of all known words, none lacks as few vowels in it: `ht` may be `hat` as well as `heute`.
    """
    common = [folded(other) for other in meanings()["common"][language]]
    if word[0] not in _VOWELS and not _VOWELS & {*word[1:]}:  # hw, shld, wht
        same = [other for other in {*common, *known} if _consonants(other) == word]
        fewest = min(map(len, same), default=0)
        nearest_words = [other for other in same if len(other) == fewest]
        return nearest_words[0] if len(nearest_words) == 1 and nearest_words[0] in common else None
    if len(word) != _SHORTEST:
        return None
    near = [
        other
        for other in common
        if other[0] == word[0]
        and len(other) == len(word) + 1
        and any(other[:at] + other[at + 1 :] == word for at in range(len(other)))
    ]
    return near[0] if len(near) == 1 else None


def _consonants(word: str) -> str:
    return "".join(letter for letter in word if letter not in _VOWELS)


def nearest(word: str, known: Any) -> str | None:
    """The known word nearest to a misspelt one; None if no word is near enough or two are equally near."""
    most = next((most for letters, most in _MISSPELT if len(word) >= letters), 0)
    if not most:
        return None
    same = [
        candidate
        for candidate in known
        if candidate[:1] == word[:1] and abs(len(candidate) - len(word)) <= most and len(candidate) > 3
    ]
    if len(word) < _SHORT:  # a letter too few, or two in the wrong order; another letter makes another word
        same = [candidate for candidate in same if len(candidate) > len(word) or sorted(candidate) == sorted(word)]
    matches = process.extract(word, same, scorer=DamerauLevenshtein.distance, score_cutoff=most, limit=4)
    best = [candidate for candidate, distance, _ in matches if distance == matches[0][1]]
    stems = {candidate.removesuffix("s") for candidate in best}
    return best[0] if best and len(stems) == 1 else None


def parted(question: str, names: Names) -> list[tuple[str, str, bool]]:
    """The ways to part a question in two: at the end of a sentence, or at an `and` before what begins a question.

    Each with its halves, and whether a sentence ends between them.
    """
    words = question.split()
    language = lex(question, names).language
    ways: list[tuple[str, str, bool]] = []
    for place in range(2, len(words) - 1):
        before, after = " ".join(words[:place]), " ".join(words[place:])
        if words[place - 1][-1] in _SENTENCE:
            ways.append((before, after, True))
            continue
        joint = lex(words[place - 1], names, language).spans
        if len(joint) == 1 and joint[0].of("and") and _begins(lex(after, names, language).spans):
            ways.append((" ".join(words[: place - 1]), after, False))
    return ways


def _begins(spans: Sequence[Span]) -> bool:
    """Whether a question begins with these spans."""
    asks = next((span for span in spans if not all(sense.kind in ("carry", "neutral") for sense in span.senses)), None)
    return asks is not None and asks.of(*_ASKING) is not None
