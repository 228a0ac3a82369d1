"""What drafts say, by language: one file of sentences for each, which `drafts` fills with an account's facts."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from medallion.contracts import yaml

#: The languages that drafts are written in.
LANGUAGES = ("en", "de", "fr", "es")


@cache
def sentences(language: str) -> dict[str, Any]:
    """The sentences of a language."""
    text = files("medallion.agent.letters").joinpath(f"{language}.yaml").read_text(encoding="utf-8")
    return dict(yaml.load(text))
