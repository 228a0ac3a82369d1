"""Words of a text, and how one is compared: without case and accents, in any script."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

MARKS = "".join(chr(code) for code in range(0x300, 0x11A00) if unicodedata.category(chr(code))[0] == "M")
#: A word: letters and digits with the vowel signs and accents that many scripts write as marks.
TOKEN = re.compile(rf"[^\W_]+(?:[{MARKS}]+[^\W_]*)*")
#: The same where a text has no marks, which is faster to find.
_LATIN_TOKEN = re.compile(r"[^\W_]+")
_BEYOND_LATIN = re.compile(r"[^\x00-\u02ff]")
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
#: One letter that Hebrew, Arabic and Amharic write together with the word after it: and, to, in, from.
_PREFIXES = frozenset("והבכלמשוفبكلለበከየو")


@lru_cache(maxsize=1 << 16)
def forms(word: str) -> frozenset[str]:
    """A word without case and accents; one with German letters also as it is written without them.

    >>> sorted(forms("Müller")), sorted(forms("STRASSE")), sorted(forms("Straße"))
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
def openings(word: str) -> tuple[tuple[str, int], ...]:
    """The forms of a word, and of what follows a letter that is written together with it: how many letters that is."""
    after = forms(word[1:]) if len(word) > 2 and word[0] in _PREFIXES else ()
    return (*((form, 0) for form in forms(word)), *((form, 1) for form in after))


def tokens_of(text: str) -> re.Pattern[str]:
    """The expression of a word in a text."""
    return TOKEN if _BEYOND_LATIN.search(text) else _LATIN_TOKEN
