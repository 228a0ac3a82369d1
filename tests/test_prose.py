"""What users read is plain English: pages, help and messages keep to the words of the field."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from typed import PAGES, prose

from conftest import ROOT

#: What is not written, as a pattern, and what is written in its place.
WORDS = {
    r"tak(?:e|es|en) up": "reprocess",
    r"tak(?:e|es|en) back": "delete, roll back, undo",
    r"h[eo]lds? against": "compare with, evaluate on",
    r"laid over": "overrides",
    r"(?:stands?|stood) in for": "is used in place of",
    r"foretells?": "predict",
    r"contested": "conflicting keys",
    r"hangs? together": "fits",
    r"speaks? (?:for|against)": "suggests, is evidence of",
    r"persons": "people",
    r"(?:colour|behaviour|favour|centre|labelled|optimis|recognis|organis)\w*": "American spelling",
    r"\d+ %": "a percent sign without a space",
    r"(?:https?://)?(?:pypi\.org|files\.pythonhosted\.org|registry\.npmjs\.org|npmjs\.com)": "the project's own page",
}
PATTERNS = {re.compile(rf"(?<![\w-])(?:{words})(?!\w)", re.IGNORECASE): instead for words, instead in WORDS.items()}


ANY = re.compile("|".join(f"(?:{pattern.pattern})" for pattern in PATTERNS), re.IGNORECASE)


def odd(text: str) -> list[str]:
    if not ANY.search(text):
        return []
    return [f"{found[0]!r}: {instead}" for pattern, instead in PATTERNS.items() for found in pattern.finditer(text)]


def help_of(command: object, name: str = "medallion") -> Iterator[tuple[str, str]]:
    """Every text of a command's help and of those below it."""
    yield name, f"{command.help} {getattr(command, 'epilog', '')}"  # type: ignore[attr-defined]
    yield from ((f"{name} {option.name}", getattr(option, "help", "") or "") for option in command.params)  # type: ignore[attr-defined]
    for below, one in getattr(command, "commands", {}).items():
        yield from help_of(one, f"{name} {below}")


def messages() -> Iterator[tuple[str, str]]:
    """Texts of at least three words in the package that are no docstring."""
    for path in sorted((ROOT / "src" / "medallion").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        nodes = list(ast.walk(tree))
        alone = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            text = node.value if isinstance(node, ast.Constant) and id(node) not in alone else None
            if isinstance(text, str) and text.count(" ") >= 2:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pages_are_in_plain_words(page):
    assert odd(prose(page)) == []


def test_help_and_messages_are_in_plain_words():
    from typer.main import get_command

    from medallion.cli import app

    texts = [*help_of(get_command(app)), *messages()]
    assert len(texts) > 1000
    assert {place: found for place, text in texts if (found := odd(text))} == {}


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "tutorials").glob("*.md")), ids=lambda page: page.stem)
def test_a_tutorial_is_short(page):
    assert len(page.read_text(encoding="utf-8").split()) < 1500


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
