"""What was asked for, doubted and promised, as notes of touches say it: by phrases as data, without a model.

Notes are free text of strangers. What comes out of them are kinds and subjects that the data name, never their words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from medallion.contracts import yaml

#: Letters of a note that are read, and letters before a phrase in which a word that denies it may stand.
_LONGEST, _BEFORE = 2_000, 18


@dataclass(frozen=True)
class Said:
    """What a note says: a kind, and what about."""

    kind: str
    subject: str


def read(note: str | None) -> list[Said]:
    """What a note says, in its order; each once.

    >>> read("Asked for a quote and sounded keen. Not convinced by the price.")
    [Said(kind='request', subject='quote'), Said(kind='objection', subject='price')]
    >>> read("It is not too expensive, and nobody asked for a demo.")
    []
    """
    text = " ".join(str(note or "").casefold().replace("\u2019", "'").split())[:_LONGEST]
    deny, patterns = _patterns()
    positions: dict[Said, int] = {}
    for statement, pattern in patterns:
        for match in pattern.finditer(text):
            before = re.split(r"[.;,!?]", text[max(0, match.start() - _BEFORE) : match.start()])[-1]
            if not deny.search(before):
                positions[statement] = min(match.start(), positions.get(statement, match.start()))
    return sorted(positions, key=lambda statement: positions[statement])


@cache
def _patterns() -> tuple[re.Pattern[str], list[tuple[Said, re.Pattern[str]]]]:
    text = files("medallion.agent").joinpath("notes.yaml").read_text(encoding="utf-8")
    vocabulary = yaml.load(text)
    deny = _pattern([str(phrase) for phrase in vocabulary.pop("not")])
    return deny, [
        (Said(kind, subject), _pattern(phrases))
        for kind, subjects in vocabulary.items()
        for subject, phrases in subjects.items()
    ]


def _pattern(phrases: list[str]) -> re.Pattern[str]:
    """Any of some phrases, between word boundaries."""
    forms = []
    for phrase in phrases:
        form = re.escape(phrase.casefold())
        form = form.replace(r"\ _\ ", r"(?:\s+[\w'-]+){0,3}\s+").replace(r"\ ", r"\s+").replace(r"\*", r"[\w'-]*")
        forms.append(form if phrase.startswith("n't") else rf"(?<!\w){form}")
    return re.compile(rf"(?:{'|'.join(forms)})(?!\w)")
