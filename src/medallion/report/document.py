"""What a report is made of, whatever it is written as: sections of sentences, tables and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Paragraph:
    """Sentences."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """Sentences that stand each for itself."""

    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Cells ready to read. `numbers` says which columns stand to the right; `note` explains below."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A chart by its name, and what it says in one sentence for those who do not see it."""

    name: str
    chart: Mapping[str, Any]


Block = Paragraph | Bullets | Table | Picture


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """Its name within a page."""
        return "-".join("".join(letter if letter.isalnum() else " " for letter in self.title.lower()).split())


@dataclass(frozen=True)
class Document:
    """A whole report."""

    title: str
    subtitle: str
    sections: Sequence[Section]

    @property
    def pictures(self) -> list[Picture]:
        """Its charts in their order."""
        return [block for section in self.sections for block in section.blocks if isinstance(block, Picture)]
