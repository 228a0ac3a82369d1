"""Which tables of gold are as their inputs and their code have them, and why the others are rebuilt.

Of each table a run writes down the hash of its definition (its contract and the source that it is made from), the hash of
its inputs, and the version that it wrote. The next run rebuilds the tables of which one of these differs, and those that
are computed from such a table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from graphlib import TopologicalSorter
from hashlib import sha256
from importlib.resources import files
from typing import Any

from medallion.contracts import OPTIONAL_NAMES, Entity, is_shipped
from medallion.gold import SCORED, SCORED_FROM, Step, possible
from medallion.lakehouse import manifests, publishing
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import extensions
from medallion.version import VERSION

#: Packages and modules that transformations are made of; the source of a table is looked for in these only.
ROOMS = ("columns", "features", "gold", "scoring")
#: Where the making of an input begins, besides the module of the table itself.
_BEFORE, _SCORED_BY = ("silver/rewinding.py", "silver/converted.py"), ("scoring/predict.py", "scoring/snapshots.py")
#: Why a table is rebuilt.
MISSING, UNRECORDED, REDEFINED, INPUTS, ELSEWHERE, ASKED = (
    "it does not exist",
    "no run has recorded what it was computed from",
    "its definition changed",
    "its inputs changed",
    "it is not as the last run left it",
    "a full refresh was asked for",
)
#: Tables whose versions are looked up at a time.
_AT_ONCE = 8
_IMPORT = re.compile(r"^[ \t]*from medallion(?:\.([\w.]+))? import (\([^)]*\)|[^\n]+)", re.MULTILINE)


def _follows(table: str) -> str:
    return f"{table.removeprefix('gold.')} is rebuilt"


@cache
def _module(path: str) -> str | None:
    """Text of a file of the package; None where there is none."""
    place = files("medallion").joinpath(path)
    return place.read_text(encoding="utf-8") if place.is_file() else None


@cache
def _imports(path: str) -> tuple[tuple[str, str, str], ...]:
    """What a module imports from the package: from where, the name there, and the name here.

    Found in the text: parsing some twenty modules would take every run four times as long.
    """
    imports = []
    for place, names in _IMPORT.findall(_module(path) or ""):
        for name in re.sub(r"#.*|[()]", "", names).split(","):
            if words := name.split():
                imports.append((place.replace(".", "/"), words[0], words[-1]))
    return tuple(imports)


def _paths(within: str, name: str) -> Iterator[str]:
    """The modules that an imported name comes from, through the packages that pass it on."""
    place, package = f"{within}/{name}".strip("/"), f"{within}/__init__.py"
    if path := next((path for path in (f"{place}.py", f"{place}/__init__.py") if _module(path) is not None), None):
        yield path
    elif _module(package) is None:
        yield f"{within}.py"
    elif passed_on := [(inner, there) for inner, there, alias in _imports(package) if alias == name]:
        for inner, there in passed_on:
            yield from _paths(inner, there)
    else:
        yield package


def sources(*starts: str) -> list[str]:
    """These modules of the package, such as `gold/deals.py`, and those of its rooms that they import, directly or not."""
    waiting, paths = list(starts), set[str]()
    while waiting:
        path = waiting.pop()
        if path not in paths:
            paths.add(path)
            imported = {source for within, name, _ in _imports(path) for source in _paths(within, name)}
            waiting += [source for source in imported if source.split("/")[0].removesuffix(".py") in ROOMS]
    return sorted(paths)


def definition(step: Step) -> str:
    """Hash of a table's contract, where that is a file of its own, of its inputs, and of the source that it is made from."""
    layer, name = step.table.split(".")
    module = f"{layer}/{name}.py"
    starts = [module, *(_BEFORE if any(given.startswith("silver.") for given in step.inputs) else ())]
    # a package without its sources says by its version alone that it is another
    version = VERSION if _module(module) is None else None
    with_features = step.table == "gold.customer_features"
    own = extensions.texts.get("features", {}) if with_features else extensions.own_texts(step.module)
    parts = [_texts(*starts), _module(f"contracts/tables/{name}.odcs.yaml"), step.inputs, version, own]
    return _hash([*parts, repr(step.contract)] if step.module else parts)  # a shipped one is in the texts


def _texts(*starts: str) -> dict[str, str | None]:
    return {path: _module(path) for path in sources(*starts)}


def _hash(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def optional_tables(lake: Lakehouse, entities: Mapping[str, Entity]) -> frozenset[str]:
    """Tables of the package's optional entities that are there; entities of a user's own by the same names do not count."""
    shipped = (entities[name] for name in OPTIONAL_NAMES if is_shipped(entities[name]))
    return frozenset(entity.clean.name for entity in shipped if lake.exists(entity.clean.name))


@dataclass(frozen=True)
class Stale:
    """Gold tables to compute, each with why.

    `anew` adds up every touch again, whatever gold has. `kept` are those whose rows may be kept where nothing has come
    to them: they are as the last run left them, and their definition is as it was. `rows` says how many rows tables had.
    """

    tables: Mapping[str, str]
    anew: bool
    kept: frozenset[str] = frozenset()
    rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Freshness:
    """What gold depends on now, and what the last run that computed it wrote down.

    Attributes:
        lake: The lakehouse.
        dated: Names of the tables of silver that have events, of which the newest gives the last day to count.
        goal: The last day to count; None is that of the newest event.
        given: What else a table depends on: per input of a step, or "" for every table.
        last: What `document` gave, as `recorded` reads it.
        refresh: Rebuild everything.
        there: Tables of optional entities that are there.
        identities: Which records are one, as a hash; touches are added up again where that has changed.
    """

    lake: Lakehouse
    dated: tuple[str, ...]
    goal: date | None
    given: Mapping[str, Any]
    last: Mapping[str, Any]
    refresh: bool = False
    there: frozenset[str] = frozenset()
    identities: str = ""
    _versions: dict[str, int] = field(default_factory=dict, init=False, repr=False)
    _rows: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    def known_day(self) -> date | None:
        """The last day to count, known without looking at the events when nothing has come to them; else None."""
        same = self.last.get("dated") == self._all_versions(self.dated) and self.last.get("goal") == str(self.goal)
        same = same and not self._resolved_otherwise()
        return date.fromisoformat(self.last["day"]) if same else None

    def stale(self, day: date) -> Stale:
        """Tables to rebuild, each with why, inputs first."""
        reasons: dict[str, str] = {}
        for step in self._inputs_first():
            if why := self._why(step, day, reasons):
                reasons[step.table] = why
        sums = [step.table for step in possible(self.there) if step.adds and step.table in reasons]
        kept = frozenset(filter(self._may_grow, reasons))
        anew = self.refresh or self._resolved_otherwise() or not kept.issuperset(sums)
        return Stale(reasons, anew=anew, kept=kept, rows=self._rows)

    def _resolved_otherwise(self) -> bool:
        """Whether other records are one than when gold was computed last."""
        return bool(self.last.get("identities", "") != self.identities)

    def is_current(self) -> bool:
        """Whether nothing is to be rebuilt."""
        day = self.known_day()
        return day is not None and not self.stale(day).tables

    def document(self, day: date) -> str:
        """What there is to write down when everything has been computed."""
        self._versions.clear()
        tables = {
            step.table: {
                "definition": definition(step),
                "inputs": self._inputs(step.inputs, day),
                "version": self._version(step.table),
            }
            for step in possible(self.there)
        }
        dated = self._all_versions(self.dated)
        return json.dumps(
            {
                "goal": str(self.goal),
                "day": day.isoformat(),
                "dated": dated,
                "identities": self.identities,
                "tables": tables,
            },
            sort_keys=True,
        )

    def _why(self, step: Step, day: date, stale: Mapping[str, str]) -> str | None:
        kept = self._kept(step.table)
        if self.refresh:
            return ASKED
        if self._version(step.table) < 0:
            return MISSING
        if not kept:
            return UNRECORDED
        if kept["definition"] != definition(step):
            return REDEFINED
        if kept["inputs"] != self._inputs(step.inputs, day):
            return INPUTS
        if kept["version"] != self._version(step.table):
            return ELSEWHERE
        return next((_follows(name) for name in step.inputs if name in stale), None)

    def _inputs_first(self) -> list[Step]:
        by_table = {step.table: step for step in possible(self.there)}
        order = TopologicalSorter({step.table: [n for n in step.inputs if n in by_table] for step in by_table.values()})
        return [by_table[name] for name in order.static_order()]

    def _may_grow(self, table: str) -> bool:
        """Whether a table is as the last run left it, and would be made as it was then: rows may be added to it."""
        kept = self._kept(table)
        step = next(step for step in possible(self.there) if step.table == table)
        return bool(kept) and kept["version"] == self._version(table) and kept["definition"] == definition(step)

    def _kept(self, table: str) -> Mapping[str, Any]:
        entry: Mapping[str, Any] = self.last.get("tables", {}).get(table, {})
        return entry

    def _inputs(self, inputs: tuple[str, ...], day: date) -> str:
        """Hash of what a step is given, tables of gold left out."""
        inputs_seen: dict[str, Any] = {"": self.given.get("")}
        for name in inputs:
            if name == "as_of":
                inputs_seen[name] = [day, self.given.get(name)]
            elif name == "time_zone":
                inputs_seen[name] = self.given.get(name)
            elif name == SCORED and (model := self.given.get(name)):
                inputs_seen[name] = [day, model, self._all_versions(SCORED_FROM), _texts(*_SCORED_BY)]
            elif name.startswith("silver."):
                entity = name.removeprefix("silver.").rpartition("_")[0]
                inputs_seen[name] = [self._version(name), _module(f"contracts/{entity}.odcs.yaml")]
        return _hash(inputs_seen)

    def _version(self, name: str) -> int:
        if not self._versions:  # all at once: at an address each of them takes a while
            steps = possible(self.there)
            read = {given for step in steps for given in step.inputs if given.startswith("silver.")}
            names = sorted({*self.dated, *SCORED_FROM, *read, *(step.table for step in steps)})
            with ThreadPoolExecutor(_AT_ONCE if self.lake.place.reads_files else 1) as pool:
                self._versions.update(zip(names, pool.map(self.lake.version, names), strict=True))
            if manifest := manifests.newest(self.lake):  # a compaction is no other content
                there = {name: table for name, table in manifest.tables.items() if self._versions.get(name, -1) >= 0}
                kept = {
                    n: table for n, table in there.items() if publishing.is_as(self.lake, n, table, self._versions[n])
                }
                self._versions.update({name: table.since for name, table in kept.items()})
                self._rows.update({name: table.rows for name, table in kept.items()})
        return self._versions[name]

    def _all_versions(self, names: Iterable[str]) -> dict[str, int]:
        return {name: self._version(name) for name in names}


def recorded(text: str | None) -> dict[str, Any]:
    """What `Freshness.document` gave; empty without one, or where an earlier version of the package wrote a hash."""
    try:
        document = json.loads(text or "")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}  # a hash may read as a number
