"""Which encoding a text without a mark is in, by the letters that its bytes would be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

#: Encodings of East Asia, two bytes a character.
_EAST_ASIA = ["cp932", "gb18030", "big5", "cp949"]
#: A text of fewer characters than this is too short to tell UTF-16 by.
_FEW_PAIRS = 8
#: The first bytes of the pairs that stand for usual signs.
_USUAL_LEADS = {"cp932": (0x81, 0x97), "gb18030": (0xB0, 0xD7), "big5": (0xA4, 0xC6), "cp949": (0xB0, 0xC8)}
_LEAST_USUAL = 0.75
_PAIR = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uff66-\uff9f]"
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


def without_mark(head: bytes) -> str | None:
    r"""UTF-16 without a mark, known by the zero bytes of its Latin letters, figures and delimiters.

    >>> [without_mark("id;name\n1;Acme\\n".encode(form)) for form in ("utf-16-le", "utf-16-be", "utf-8")]
    ['utf-16-le', 'utf-16-be', None]
    """
    pairs = len(head) // 2
    even, odd = head[0 : pairs * 2 : 2].count(0), head[1 : pairs * 2 : 2].count(0)
    for encoding, often, seldom in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if pairs >= _FEW_PAIRS and often > 0.3 * pairs and seldom < 0.01 * pairs:
            try:
                head[: pairs * 2].decode(encoding)
            except UnicodeDecodeError as error:
                if error.end < pairs * 2 - 2:
                    return None
            return encoding
    return None


def east_asian(head: bytes) -> str | None:
    r"""The double-byte encoding of an East Asian text; None where it is in none.

    >>> [east_asian(text.encode(form)) for text, form in (("案件番号,顧客\n1,青山物流", "cp932"), ("Cafés Núñez", "cp1252"))]
    ['cp932', None]
    """
    head = head[: head.rfind(b"\n") + 1] or head
    from charset_normalizer import from_bytes  # what is UTF-8 has no need of it

    guesses = list(from_bytes(head, cp_isolation=_EAST_ASIA))
    if not guesses:
        return None
    usual = {str(each.encoding): _usual(str(each), str(each.encoding)) for each in guesses}
    encoding = max(usual, key=lambda name: usual[name])
    text = next(str(each) for each in guesses if each.encoding == encoding)
    signs = re.findall(_PAIR, text)
    strange = re.findall(f"[A-Za-z]{_PAIR}|{_PAIR}[A-Za-z]", text)  # a letter with an accent, read as a pair
    if len(signs) < 4 or len(strange) > 0.1 * len(signs) or len(signs) < 0.5 * sum(not c.isascii() for c in text):
        return None
    if usual[encoding] < _LEAST_USUAL or sum(share > usual[encoding] - _MARGIN / 2 for share in usual.values()) > 1:
        return None
    return encoding


def _usual(text: str, encoding: str) -> float:
    """The share of signs that are usual ones of an encoding, which come first in it; a little more for Korean, of which
    each sign is a usual one of Chinese too.
    """
    first, last = _USUAL_LEADS[encoding]
    signs = re.findall(_PAIR, text)
    leads = [sign.encode(encoding) for sign in signs]
    good: int = sum(len(lead) == 2 and first <= lead[0] <= last for lead in leads)
    return float(good / max(len(signs), 1)) + (0.1 if encoding == "cp949" and good == len(signs) else 0.0)


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
    if _USUAL in shares and shares[_USUAL] >= best:
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
    encoded = bytes([byte])
    return encoded.decode("cp1252", "replace") != encoded.decode("cp1250", "replace")
