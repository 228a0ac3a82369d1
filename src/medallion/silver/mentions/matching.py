"""Where one of the forms of a name stands in a text."""

from __future__ import annotations

import re

from medallion.silver.mentions.names import COMMA, Pattern
from medallion.silver.mentions.spelling import forms
from medallion.silver.mentions.vocabulary import AND, LEGAL, TITLES

_JOINT = r"[\s\-\u00ad\u2010-\u2014.'\u2019/\u00b7&+\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
_BETWEEN = re.compile(rf"{_JOINT}{{1,4}}")
_WITH_COMMA = re.compile(rf"{_JOINT}{{0,3}}{COMMA}?\s?")


def matched(text: str, tokens: list[re.Match[str]], at: int, pattern: Pattern, skipped: int = 0) -> int:
    """Where the pattern ends that begins at a word, after as many letters of it, 0 where it does not begin there."""
    first = tokens[at]
    start = first.start()
    if start >= 2 and text[start - 1] in "-\u2010\u2011" and text[start - 2].isalnum():
        return 0
    place, end = at, first.end()
    for number, word in enumerate(pattern.words):
        if number:
            place += 1
            joined = pattern.joined and place + 1 < len(tokens) and bool(forms(tokens[place].group()) & AND)
            place += joined
            if place >= len(tokens):
                return 0
            if pattern.middle and _is_initial(text, tokens[place], end) and not forms(tokens[place].group()) & word:
                place, end = place + 1, tokens[place].end()
                if place >= len(tokens):
                    return 0
            between = " " if joined else text[end : tokens[place].start()]
            if between.count("\n") > 1:
                return 0
            before = tokens[place - 1].group()
            if re.search(r"\.\s", between) and len(before) > _ABBREVIATED and not forms(before) & TITLES:
                return 0  # the next sentence
            between = re.sub(r"\s+", " ", between)
            rule = _WITH_COMMA if pattern.comma == number - 1 else _BETWEEN
            if not rule.fullmatch(between):
                return 0
            must = pattern.strict or number in pattern.initials
            if pattern.comma == number - 1 and must and not re.search(COMMA, between):
                return 0
        token = tokens[place].group() if number else first.group()[skipped:]
        if not forms(token) & word:
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
    if following and forms(following.group()) & pattern.words[0] and _BETWEEN.fullmatch(text, end, following.start()):
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


def is_legal(text: str, tokens: list[re.Match[str]], at: int) -> bool:
    """Whether a word is a legal form, and belongs to the one before it."""
    if at >= len(tokens) or not forms(tokens[at].group()) & LEGAL:
        return False
    return bool(_WITH_COMMA.fullmatch(re.sub(r"\s+", " ", text[tokens[at - 1].end() : tokens[at].start()])))


def _is_initial(text: str, token: re.Match[str], after: int) -> bool:
    """Whether a word after another is one letter with a full stop."""
    alone = len(token.group()) == 1 and token.group().isupper() and text[after : token.start()].isspace()
    return alone and text[token.end() : token.end() + 1] == "."
