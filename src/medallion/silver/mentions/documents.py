"""Texts within a cell: those of a document in JSON, and of HTML with its entities as letters."""

from __future__ import annotations

import html
import json
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from medallion.silver.mentions.contacts import DIGITS


def texts_in(document: Any) -> Iterator[str]:
    """Every text of a document, of documents within it in their place, and whole numbers as long as a telephone number."""
    if isinstance(document, str):
        within = document_in(document)
        yield from [document] if within is None else texts_in(within)
    elif isinstance(document, list):
        for each in document:
            yield from texts_in(each)
    elif isinstance(document, Mapping):
        for key, each in document.items():
            yield from texts_in(str(key))
            yield from texts_in(each)
    elif is_long(document):
        yield str(document)


def document_in(text: str) -> Any:
    """What a text in JSON says, None where it is none."""
    bare = text.strip()
    if bare[:1] not in ("{", "[") or bare[-1:] not in ("}", "]"):
        return None
    try:
        return json.loads(bare)
    except (ValueError, RecursionError):
        return None


def is_long(value: Any) -> bool:
    """Whether a value is a whole number as long as a telephone number."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 10 ** (DIGITS - 1)


def unescaped(text: str) -> str:
    """A text of HTML with its entities as letters; empty where it has none."""
    if "&" not in text or ";" not in text:
        return ""
    plain = unicodedata.normalize("NFC", html.unescape(text))
    return "" if plain == text else plain
