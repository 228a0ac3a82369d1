"""What pages of the documentation tell readers to type: blocks of code, command lines in them and in the text."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT

PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "dashboards/*.md", "data/*.md", "examples/**/*.md")
    for page in ROOT.glob(pattern)
    if page.name != "CHANGELOG.md"  # tells what was, not what is
)
_BLOCK = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code: its language, its text, and the line of the page on which it begins."""

    language: str
    text: str
    line: int

    @property
    def lines(self) -> list[str]:
        """Its lines without comments and empty ones; one that ends with a backslash, or in a quotation, goes on."""
        found: list[str] = []
        open_quotation = False
        for line in re.sub(r"\\\n\s*", " ", self.text).splitlines():
            if open_quotation:
                found[-1] += f"\n{line}"
            elif line.strip() and not line.lstrip().startswith("#"):
                found.append(line)
            try:
                shlex.split("\n".join(found[-1:]), comments=True)
                open_quotation = False
            except ValueError:
                open_quotation = True
        return found

    @property
    def file(self) -> str | None:
        """The file that the reader is to write: the first line is a comment with its name."""
        found = re.match(r"# (\S+\.(?:py|yaml))\n", self.text)
        return found[1] if found else None


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found[2], found[3], text[: found.start()].count("\n") + 2)
        for found in _BLOCK.finditer(text)
        if found[2] != "mermaid" and not found[2].startswith("{")  # pictures and the navigation of the site
    ]


def commands(line: str) -> Iterator[list[str]]:
    """The commands of a line of a shell, each as its words, without assignments before it and words such as `do`."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set(";&|"):
            while words and (words[0] in ("do", "time") or re.match(r"\w+=", words[0])):
                words.pop(0)
            if words:
                yield words
            words = []
        elif not set(word) <= set("<>"):
            words.append(word)


def in_the_text(page: Path) -> Iterator[str]:
    """Commands of the product that the text names: `medallion run --json`."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    yield from (found.replace("\\|", "|") for found in re.findall(r"`(medallion [a-z][^`\n]*)`", text))


def prose(page: Path) -> str:
    """The text of a page without blocks of code, words in code and comments."""
    text = re.sub(r"<!--.*?-->", "", _BLOCK.sub("", page.read_text(encoding="utf-8")), flags=re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)
