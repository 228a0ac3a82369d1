"""The CRMs whose standard headers are known: one file each in `systems/`, or a preset that a user gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml as libyaml
from rapidfuzz import process

from medallion.contracts import ENTITY_NAMES, entities, yaml
from medallion.errors import ContractError
from medallion.proposal.vocabulary import bare

#: Headers of one system that a folder must have before it is taken for an export of it.
_ENOUGH = 3


@dataclass(frozen=True)
class System:
    """A CRM: its name, headers that tell it, and per entity which column each of its standard headers fills.

    Headers are in small letters without spaces and signs; a header that fills no column leads to None. `deleted` are
    those by which nothing but a deletion is said. `states` has headers of codes: those that say that a deal is over, and the
    header whose cells say then that it was lost. `stages` has per header the stages that the system comes with, each with the state
    of its deals.
    """

    name: str
    signature: frozenset[str]
    columns: Mapping[str, Mapping[str, str | None]]
    deleted: frozenset[str] = frozenset()
    states: Mapping[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    stages: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: Headers of amounts that the system writes in hundredths.
    cents: frozenset[str] = frozenset()


@cache
def shipped() -> tuple[System, ...]:
    """The presets that come with the package, by file name."""
    folder = Path(str(files("medallion.proposal").joinpath("systems")))
    return tuple(read(path) for path in sorted(folder.glob("*.yaml")))


def read(path: Path) -> System:
    """A preset from its file.

    Raises:
        ContractError: It cannot be read, or names an entity or a column that no contract has.
    """
    try:
        document: Any = yaml.load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, libyaml.YAMLError) as error:
        raise ContractError(f"{path}: cannot be read: {error}", "Give a preset with --preset FILE.") from error
    if not isinstance(document, dict) or not isinstance(document.get("name"), str):
        raise ContractError(f"{path}: has no name", "Begin it with `name: My CRM`.")
    lists: dict[str, frozenset[str]] = {}
    for word in ("signature", "deleted", "cents"):
        listed = document.get(word) or []
        if not isinstance(listed, list):
            raise ContractError(f"{path}: {word} is {listed!r}", "Write a list of headers: [stagename, closedate].")
        lists[word] = frozenset(bare(str(header)) for header in listed)
    states = {bare(header): (tuple(codes["over"]), bare(codes["lost"])) for header, codes in _states(document, path)}
    known = entities()
    columns: dict[str, dict[str, str | None]] = {}
    for entity, named in document.items():
        if entity in ("name", "states", "stages", *lists):
            continue
        if entity not in known or not isinstance(named, dict):
            raise ContractError(
                f"{path}: {entity!r} is no entity with headers", f"Entities are {', '.join(ENTITY_NAMES)}."
            )
        for header, column in named.items():
            if column is not None and column not in known[entity].column_names:
                near = process.extractOne(str(column), known[entity].column_names)
                raise ContractError(
                    f"{path}: {entity}: {header!r} fills {column!r}, which is no column of {entity}",
                    f"The nearest one is {near[0]}; null is for a header that fills none.",
                )
        columns[entity] = {bare(str(header)): column for header, column in named.items()}
    return System(
        document["name"], lists["signature"], columns, lists["deleted"], states, _stages(document, path), lists["cents"]
    )


def _states(document: Mapping[str, Any], path: Path) -> list[tuple[str, dict[str, Any]]]:
    """What a preset says of codes of states."""
    given = document.get("states") or {}
    if isinstance(given, dict) and all(
        isinstance(codes, dict) and isinstance(codes.get("over"), list) and isinstance(codes.get("lost"), str)
        for codes in given.values()
    ):
        return [(str(header), codes) for header, codes in given.items()]
    raise ContractError(f"{path}: states is {given!r}", "Write `states: {GBSTK: {over: [C], lost: ABGRU}}`.")


def _stages(document: Mapping[str, Any], path: Path) -> dict[str, dict[str, str]]:
    """What a preset says of the stages that its system comes with."""
    given = document.get("stages") or {}
    if not isinstance(given, dict) or not all(
        isinstance(by_state, dict)
        and {*by_state} <= {"open", "won", "lost"}
        and all(isinstance(each, list) for each in by_state.values())
        for by_state in given.values()
    ):
        raise ContractError(
            f"{path}: stages is {given!r}", "Write `stages: {Stage: {open: [Proposal], won: [Signed], lost: [Gone]}}`."
        )
    return {
        bare(str(header)): {str(stage): state for state, stages in by_state.items() for stage in stages}
        for header, by_state in given.items()
    }


def recognized(headers: Iterable[Iterable[str]]) -> System | None:
    """The shipped system that the headers of a folder suggest; None without enough headers of one."""
    seen = {bare(written) for row in headers for written in row}
    best = max(shipped(), key=lambda system: len(seen & system.signature))
    return best if len(seen & best.signature) >= _ENOUGH else None
