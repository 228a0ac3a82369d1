"""Which tables of gold are as their inputs and their code have them, and why the others are rebuilt.

Of each table a run writes down the hash of its definition (its contract and the source that it is made from), the hash of
its inputs, and the version that it wrote. The next run rebuilds the tables of which one of these differs, and those that
are computed from such a table.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from graphlib import TopologicalSorter
from hashlib import sha256
from importlib.resources import files
from typing import Any

from medallion import contracts
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline.additions import DAYS, TOTALS
from medallion.pipeline.silver_to_gold import SCORED, STEPS, Stale, Step

#: Packages and modules that transformations are made of.
ROOMS = ("columns", "features", "gold", "scoring")
#: Why a table is rebuilt.
NEVER, REDEFINED, INPUTS, ELSEWHERE, ASKED = (
    "it was not computed by this version before",
    "its definition changed",
    "its inputs changed",
    "it was written by something else",
    "a full refresh was asked for",
)


def _follows(table: str) -> str:
    return f"{table.removeprefix('gold.')} is rebuilt"


@cache
def _module(path: str) -> tuple[str, tuple[tuple[str, str], ...]] | None:
    """Text of a module of the package, and what it imports: pairs of module and name; None where there is none."""
    place = files("medallion").joinpath(path)
    if not place.is_file():
        return None
    text = place.read_text(encoding="utf-8")
    return text, tuple(_imports(ast.parse(text)))


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "medallion":
            within = (node.module or "").partition(".")[2].replace(".", "/")
            yield from ((within, alias.name) for alias in node.names)


def _paths(within: str, name: str) -> Iterator[str]:
    """The modules that an imported name comes from; a name that a package passes on comes from where it has it from."""
    place = f"{within}/{name}".strip("/")
    if _module(f"{place}.py") or _module(f"{place}/__init__.py"):
        yield f"{place}.py" if _module(f"{place}.py") else f"{place}/__init__.py"
    elif found := _module(f"{within}/__init__.py"):
        for inner, passed_on in found[1]:
            if passed_on == name:
                yield from _paths(inner, name)
    else:
        yield f"{within}.py"


def sources(table: str) -> list[str]:
    """The modules of the package that a table of gold is made from, by way of imports: `gold/deals.py` and others."""
    waiting, found = [f"{table.replace('.', '/')}.py"], set[str]()
    while waiting:
        path = waiting.pop()
        if path in found or (module := _module(path)) is None:
            continue
        found.add(path)
        for within, name in module[1]:
            if (within or name).split("/")[0] in ROOMS:
                waiting += _paths(within, name)
    return sorted(found)


def definition(table: str) -> str:
    """Hash of a table's source, and of its contract where that is a declaration of its own."""
    parts = [f"{path}\n{module[0]}" for path in sources(table) if (module := _module(path))]
    if table in contracts.tables():
        declared = contracts.table(table)
        columns = [(column.name, column.type) for column in declared.columns]
        parts.append(repr((columns, declared.key, declared.invariants)))
    return _hash(parts)


def _hash(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Freshness:
    """What gold depends on now, and what the last run that computed it wrote down.

    Attributes:
        lake: The lakehouse.
        silver: Names of the tables that gold is computed from.
        goal: The last day to count; None is that of the newest event.
        given: What else a table depends on: per input of a step, or "" for every table.
        last: What `document` gave; empty when nothing was computed.
        refresh: Rebuild everything.
    """

    lake: Lakehouse
    silver: tuple[str, ...]
    goal: date | None
    given: Mapping[str, Any]
    last: Mapping[str, Any]
    refresh: bool = False
    _versions: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    def known_day(self) -> date | None:
        """The last day to count, known without looking at the events when nothing has come to them; else None."""
        same = self.last.get("silver") == self._silver() and self.last.get("goal") == str(self.goal)
        return date.fromisoformat(self.last["day"]) if same else None

    def stale(self, day: date) -> Stale:
        """Tables to rebuild, each with why, inputs first."""
        told: dict[str, str] = {}
        for step in _inputs_first():
            if why := self._why(step.table, step.inputs, day, told):
                told[step.table] = why
        return Stale(told, anew=any(told.get(name, INPUTS) != INPUTS for name in (TOTALS, DAYS)))

    def is_current(self) -> bool:
        """Whether nothing is to be rebuilt."""
        day = self.known_day()
        return day is not None and not self.stale(day).tables

    def document(self, day: date) -> str:
        """What there is to write down when everything has been computed."""
        self._versions.clear()
        tables = {
            step.table: {
                "definition": definition(step.table),
                "inputs": self._inputs(step.inputs, day),
                "version": self._version(step.table),
            }
            for step in STEPS
        }
        found = {"goal": str(self.goal), "day": day.isoformat(), "silver": self._silver(), "tables": tables}
        return json.dumps(found, sort_keys=True)

    def _why(self, table: str, inputs: tuple[str, ...], day: date, stale: Mapping[str, str]) -> str | None:
        kept = self.last.get("tables", {}).get(table)
        if self.refresh:
            return ASKED
        if kept is None or self._version(table) < 0:
            return NEVER
        if kept["definition"] != definition(table):
            return REDEFINED
        if kept["inputs"] != self._inputs(inputs, day):
            return INPUTS
        if kept["version"] != self._version(table):
            return ELSEWHERE
        return next((_follows(name) for name in inputs if name in stale), None)

    def _inputs(self, inputs: tuple[str, ...], day: date) -> str:
        """Hash of what a step is given, tables of gold left out."""
        found: dict[str, Any] = {"": self.given.get("")}
        for name in inputs:
            if name == "moment":
                found[name] = [day, self.given.get(name)]
            elif name == SCORED:  # a model reads all of silver
                found[name] = [day, self.given.get(name), self._silver() if self.given.get(name) else None]
            elif name.startswith("silver."):
                found[name] = self._version(name)
        return _hash(found)

    def _version(self, name: str) -> int:
        if name not in self._versions:
            self._versions[name] = self.lake.version(name)
        return self._versions[name]

    def _silver(self) -> dict[str, int]:
        return {name: self._version(name) for name in self.silver}


def _inputs_first() -> list[Step]:
    by_table = {step.table: step for step in STEPS}
    order = TopologicalSorter({step.table: [name for name in step.inputs if name in by_table] for step in STEPS})
    return [by_table[name] for name in order.static_order()]
