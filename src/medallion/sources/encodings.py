"""Which single-byte encoding a text without a mark is in, by the letters that its bytes would be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

#: Per encoding, letters of the languages that are written in it beyond a to z.
_LETTERS = {
    "cp1252": ("äöüß", "àâæçéèêëîïôœùûüÿ", "áéíóúüñ", "ãáàâçéêíóôõúü", "àèéìíòóù", "åäöæøé", "ëïéèöüó", "áéíóúýðþæö", "àçèéíïòóúü"),
    "cp1250": ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž"),
    "cp1251": ("абвгдежзийклмнопрстуфхцчшщъыьэюяё", "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"),
    "cp1253": ("αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋ",),
    "cp1254": ("çğıiöşüâîû",),
}  # fmt: skip
#: Encodings of other scripts: no word of theirs has Latin letters too.
_OTHER_SCRIPTS = ("cp1251", "cp1253")
_WORD = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")
_USUAL = "cp1252"
#: How much more of the letters one encoding must explain than another, and the least that it must explain.
_MARGIN, _LEAST = 0.1, 0.5


def of_chunks(chunks: Iterable[bytes]) -> tuple[str | None, dict[str, str]]:
    """The encoding of a text that is not UTF-8, None when that cannot be told; and an example word per candidate.

    Words that Windows-1252 and Windows-1250 read alike do not count; Windows-1252 wins where both are as likely.

    >>> polish = "Zakład Łódź, Grażyna Wiśniewska"
    >>> of_chunks([polish.encode("cp1250")])[0], of_chunks(["Señor Núñez".encode("cp1252")])[0]
    ('cp1250', 'cp1252')
    >>> of_chunks(["Győri".encode("cp1250")])[0]
    'cp1252'
    """
    words: Counter[bytes] = Counter()
    for chunk in chunks:
        words.update(_WORD.findall(chunk))
    shares, examples = {}, {}
    for encoding in _LETTERS:
        known = _explained(words, encoding)
        if known is not None:
            shares[encoding] = known[0]
            examples[encoding] = known[1]
    ranked = sorted(shares, key=lambda encoding: -shares[encoding])
    if not ranked:
        return None, {}
    best = shares[ranked[0]]
    if shares.get(_USUAL, 0.0) >= best:
        return _USUAL, examples
    close = [encoding for encoding in ranked if shares[encoding] > best - _MARGIN]
    if best >= _LEAST and len({examples[encoding] for encoding in close}) == 1:
        return close[0], examples
    return None, {encoding: examples[encoding] for encoding in close}


def _explained(words: Counter[bytes], encoding: str) -> tuple[float, str] | None:
    """The share of letters that the best language of an encoding has, and a word that encodings read differently.

    None where a byte stands for nothing in the encoding.
    """
    letters: Counter[str] = Counter()
    example = ""
    for word, count in words.items():
        try:
            text = word.decode(encoding)
        except UnicodeDecodeError:
            return None
        if not any(_differs(byte) for byte in word) or (len(text) == 1 and not text.isalpha()):
            continue  # a sign that stands alone is no letter in any reading
        mixed = encoding in _OTHER_SCRIPTS and any(letter.isascii() for letter in text)
        for before, letter in zip(" " + text, text, strict=False):
            if not letter.isascii():
                strange = mixed or (letter.isupper() and before.islower())
                letters["" if strange else letter.lower()] += count
        example = example or text
    total = letters.total()
    best = max(sum(letters[letter] for letter in language) for language in _LETTERS[encoding])
    return (best / total if total else 1.0, example)


def _differs(byte: int) -> bool:
    """Whether Windows-1252 and Windows-1250 read a byte differently: what both read alike tells nothing."""
    one = bytes([byte])
    return one.decode("cp1252", "replace") != one.decode("cp1250", "replace")
