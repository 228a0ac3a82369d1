"""Addresses and telephone numbers: as they are compared, and where a text has one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

#: Digits that a number needs to be told from other figures by them alone.
DIGITS = 7
#: Digits that one needs without anything between them.
BARE = 8
ADDRESS = re.compile(
    r"(?<![\w.+-])([\w.+-]{1,64})(?:\s?@\s?|%40|\s?[\[(]\s?at\s?[\])]\s?)([\w-]+(?:\.[\w-]+)+)", re.IGNORECASE
)
MAY_BE_ADDRESS = re.compile(r"@|%40|[\[(]\s?at\s?[\])]", re.IGNORECASE)
NUMBER = re.compile(r"\+?\(?\d(?:[ \t().\-/\u00a0\u2009\u2010-\u2013\u202f]{0,3}\d){6,}")
_EXTENSION = re.compile(r"[\s,;]{0,2}(?:x|ext[a-z]{0,6}|#|durchwahl|dw)[\s.:]{0,2}\d{1,6}(?!\d)", re.IGNORECASE)
#: Country codes have one digit (1, 7), two (these) or three.
_TWO_DIGITS = re.compile(r"2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]")


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
    digits = digits_of(bare)
    international = bare.strip().lstrip("(").startswith("+")
    for prefix in ("00", "011"):
        if not international and digits.startswith(prefix) and len(digits) > len(prefix) + DIGITS:
            international, digits = True, digits[len(prefix) :]
    if international and digits:
        width = 1 if digits[0] in "17" else 2 if _TWO_DIGITS.match(digits) else 3
        return digits[:width], digits[width:].lstrip("0")
    if len(digits) == 11 and digits[0] == "1":
        return "1", digits[1:]
    return "", digits.lstrip("0")


def digits_of(text: str) -> str:
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
    return {form for form in forms if len(form) >= DIGITS}


def addresses(text: str) -> set[str]:
    """Every address of a cell, as they are compared.

    >>> sorted(addresses("Ann <Ann+x@x.example>; bob@x.example")), addresses("ask")
    (['ann@x.example', 'bob@x.example'], set())
    """
    forms = {email_form(f"{hit[1].lstrip('.-+')}@{hit[2]}") for hit in ADDRESS.finditer(text)}
    return (forms or {email_form(text)}) - {""}


def numbers(text: str) -> list[str]:
    """Every telephone number of a cell, as it is written.

    >>> numbers("+1 415 555 0101 / +1 415 555 0102"), numbers("030/5551 2345")
    (['+1 415 555 0101', '+1 415 555 0102'], ['030/5551 2345'])
    """
    parts = [part.strip() for part in re.split(r"[;|\n]|,| / |\bor\b", text)]
    return [part for part in parts if any(map(str.isdecimal, part))]


def as_number(
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
        if not before and last - first + 1 < BARE and text[places[first] : end].isdecimal() and not _EXTENSION.match(text, end):  # fmt: skip
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
