"""Cells as texts: white space, the spellings of values, telephone numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping

from medallion.contracts.odcs import code

#: White space other than the plain space: tabs, line ends, no-break and typographic spaces, byte-order mark.
ODD_SPACE = "\t\n\r\x0b\x0c\u00a0\u2000-\u200b\u202f\u3000\ufeff"
#: So many digits are a telephone number, and not the beginning or the end of one.
_WHOLE_NUMBER = 7
_SPACES = re.compile(f"[ {ODD_SPACE}]+")


#: Figures of other scripts, and their marks of decimals and thousands: Arabic, Persian, Devanagari, and those of full width.
_FIGURES = str.maketrans(
    {chr(zero + digit): str(digit) for zero in (0x660, 0x6F0, 0x966, 0xFF10) for digit in range(10)}
    | {"٫": ".", "٬": ",", "．": ".", "，": ","}
)


def western(text: str) -> str:
    """A text with the figures of other scripts as those from 0 to 9.

    >>> western("١٧/٠٣/٢٠٢٦"), western("٦٤٬٧٥٠٫٠٠"), western("１２")
    ('17/03/2026', '64,750.00', '12')
    """
    return text if text.isascii() else text.translate(_FIGURES)


def squish(text: str) -> str:
    r"""Trim, and make every run of white space (no-break spaces and line ends too) one space.

    >>> squish("  Acme\u00a0 \n Corp ")
    'Acme Corp'
    """
    return _SPACES.sub(" ", text).strip(" ")


def canonical(text: str, spellings: Mapping[str, str]) -> str | None:
    """The value that a spelling stands for, None for a spelling that is not known.

    `spellings` maps lower-case spellings, and their `code` form, to values.

    >>> forms = {"won": "won", "closed_won": "won"}
    >>> canonical(" WON ", forms), canonical("Closed-Won", forms), canonical("maybe", forms)
    ('won', 'won', None)
    """
    bare = text.strip(" ").lower()
    return spellings[bare] if bare in spellings else spellings.get(code(text))


def phone(text: str) -> str | None:
    """A telephone number as digits with an optional leading plus, and `x` before an extension; never two in one.

    >>> [phone(text) for text in ("+1 (415) 555-0101", "415.555.0102 ext. 7", "ask", "+1 415 / +1 416")]
    ['+14155550101', '4155550102x7', None, None]
    >>> phone("0170/1234567"), phone("030 1234567 / 030 7654321"), phone("0301234567 0307654321")
    ('01701234567', None, None)
    """
    if sum(len(re.sub("[^0-9]", "", part)) >= _WHOLE_NUMBER for part in re.split(r"[/;,|\n]", text)) > 1:
        return None
    digits = re.sub("[^0-9+x]", "", re.sub("ext[a-z.]*", "x", text.lower()))
    return digits if re.fullmatch(r"\+?[0-9]{1,15}(x[0-9]+)?", digits) else None  # none has more


def email(text: str) -> str:
    """An address in lower case; that of `Jan Kern <jan@kern.example>` and of `mailto:jan@kern.example`.

    >>> email("Jan Kern <Jan@Kern.example>"), email("mailto:jan@kern.example"), email(" jan@kern.example")
    ('jan@kern.example', 'jan@kern.example', 'jan@kern.example')
    """
    named = re.fullmatch(r"[^<>@]*<\s*(?:mailto:)?([^<>@\s]+@[^<>@\s]+)\s*>\s*", text)
    return re.sub("^mailto:", "", identifier(named[1] if named else text).lower())


def identifier(text: str) -> str:
    """A key as written in upper case without any white space.

    >>> identifier(" c004 "), identifier("l-10 07")
    ('C004', 'L-1007')
    """
    return _SPACES.sub("", text).upper()
