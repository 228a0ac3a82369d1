"""A model's prose: it may refer to cells and must not write a figure of its own; the program writes the figures.

Whatever reads as a number is refused: digits of any script, number words, Roman numerals, shares such as "half", and
signs that go with amounts. A figure is written with its label beside it, so that a right figure under a wrong name shows.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from importlib.resources import files

from medallion.agent.facts import REFERENCE, Ledger, Receipt
from medallion.contracts import yaml

_WORD_LISTS = yaml.load(files("medallion.agent").joinpath("prose.yaml").read_text(encoding="utf-8"))
WORDS: dict[str, frozenset[str]] = {name: frozenset(text.split()) for name, text in _WORD_LISTS.items()}
_ROMAN = re.compile(r"(?=[mdclxvi])m{0,4}(cm|cd|d?c{0,3})(xc|xl|l?x{0,3})(ix|iv|v?i{0,3})")
#: Words that only look like Roman numerals.
_NO_ROMAN = frozenset({"i", "mix", "mi", "di", "d", "c", "m", "l"})
_SIGNS = "%‰$€£¥₹½¼¾"
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_LINK = re.compile(r"@|https?:|www\.|\]\(|<[a-z!/]|\b[a-z0-9-]+\.(?:com|org|net|io|de|ai|co)\b", re.IGNORECASE)
_DEED = re.compile(
    r"\b(?:i|we)(?: have|'ve)? (?:approved|updated|changed|deleted|sent|applied|written|emailed|called|scheduled|booked)\b"
    r"|\b(?:has|have) been (?:approved|updated|changed|deleted|sent|applied|emailed)\b|\bapproved\b",
    re.IGNORECASE,
)
MOST_LETTERS = 3_000


@dataclass(frozen=True)
class Prose:
    """Checked prose with its figures written in, and a receipt for each."""

    text: str
    receipts: tuple[Receipt, ...]


def faults(text: str, ledger: Ledger) -> list[str]:
    """What is wrong with a model's prose, in words for the model; empty when it may be shown."""
    problems = []
    if len(text) > MOST_LETTERS:
        problems.append("the answer is too long")
    for name, row, column in REFERENCE.findall(text):
        if ledger.receipt(name, int(row), column) is None:
            problems.append(f"there is no cell {{{name}.{row}.{column}}}")
    if not REFERENCE.search(text):
        problems.append("an answer rests on cells: refer to at least one, such as {F1.0.value}")
    bare = unicodedata.normalize("NFKC", REFERENCE.sub(" ", text))
    if "{" in bare or "}" in bare:
        problems.append("a reference must look like {F1.0.value}")
    if digits := [c for c in bare if unicodedata.category(c) in ("Nd", "Nl", "No")]:
        problems.append(f"figures must be references, not written: {digits[0]!r}")
    if any(unicodedata.category(c) in ("Cf", "Cc", "Co", "Cn") and c != "\n" for c in text):
        problems.append("letters that cannot be seen are not allowed")
    if signs := [c for c in text if c in _SIGNS]:
        problems.append(f"{signs[0]!r} goes with a figure, and references bring their own")
    for token in _TOKEN.findall(_without_marks(bare).casefold()):
        if token in WORDS["figures"]:
            problems.append(f"number words must be references, not written: {token!r}")
        elif token not in _NO_ROMAN and _ROMAN.fullmatch(token):
            problems.append(f"Roman numerals must be references, not written: {token!r}")
    if link := _LINK.search(text):
        problems.append(f"addresses and links are not allowed: {link[0]!r}")
    if deed := _DEED.search(bare):
        problems.append(f"nothing can be done from a conversation, so do not say it was: {deed[0]!r}")
    problems += [f"call {name!r} by a reference: it is in no finding" for name in _unknown_names(text, ledger)]
    return problems


def _unknown_names(text: str, ledger: Ledger) -> list[str]:
    """Words written as names that neither the findings nor the labels hold: accounts and people that do not exist."""
    known = set(WORDS["beginnings"])
    for finding in ledger.found:
        texts = [finding.title, finding.note, *(about.label for about in finding.fields)]
        texts += [
            str(row[about.name]) for row in finding.rows for about in finding.fields if about.kind in ("text", "list")
        ]
        known |= {word.casefold() for part in texts for word in _TOKEN.findall(part)}
    bare = REFERENCE.sub(" value ", text)
    return [word for word in dict.fromkeys(_TOKEN.findall(bare)) if word[0].isupper() and word.casefold() not in known]


def _without_marks(text: str) -> str:
    """Letters without accents and without signs that cannot be seen, which could hide a number word."""
    parts = unicodedata.normalize("NFD", text)
    kept = "".join(c for c in parts if unicodedata.category(c) not in ("Mn", "Cf"))
    return kept.translate(_LOOKALIKES)


#: Letters of other scripts that look like Latin ones.
_LOOKALIKES = str.maketrans("аеорсухіѕјԁոтвнмкαεοντικρυχ", "aeopcyxisjdntbhmkaeovtikpyx")


def rendered(text: str, ledger: Ledger) -> Prose:
    """Prose with each reference written as its value and label; call only on prose without faults."""
    receipts: list[Receipt] = []

    def write(match: re.Match[str]) -> str:
        receipt = ledger.receipt(match[1], int(match[2]), match[3])
        if receipt is None:
            return "unknown"
        receipts.append(receipt)
        text_only = isinstance(receipt.value, str)
        return receipt.written if text_only else f"{receipt.written} ({receipt.label}{_of(receipt)})"

    return Prose(REFERENCE.sub(write, text), tuple(receipts))


def _of(receipt: Receipt) -> str:
    """What the row of a receipt is about."""
    parts = [str(value) for value in receipt.key.values() if value is not None]
    return f", {', '.join(parts)}" if parts else ""
