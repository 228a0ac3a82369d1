"""The declarations in force: the shipped ones, those of the user's folder, and the columns that contracts bring to gold.

What is wrong with a declaration is told with its file, line and reason.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

import sqlglot
import yaml as nodes
from pydantic import BaseModel, Field, ValidationError
from sqlglot import exp
from sqlglot.errors import SqlglotError

from medallion import contracts
from medallion.contracts import Column, yaml
from medallion.contracts.own import folder_of_metrics, optional_tables, own_columns
from medallion.errors import ContractError
from medallion.metrics.declared import (
    Calendar,
    Dimension,
    Join,
    Measure,
    Metric,
    MetricView,
    Parameter,
    _Strict,
    parts_of,
    with_parameters,
)

#: How a filter reads a column of each type that is no text; others are numbers.
_TYPES: dict[str, Literal["text", "number", "boolean", "day", "month"]] = {
    "string": "text", "boolean": "boolean", "date": "day", "timestamp": "day",
}  # fmt: skip
_REMEDY = "See `Your own metrics` in docs/METRICS.md."
_Kind = TypeVar("_Kind", bound=_Strict)
_NodeLoader = getattr(nodes, "CSafeLoader", nodes.SafeLoader)


class Own(_Strict):
    """A file of the user's folder: what it adds to the metrics of an entity, and settings of all.

    Attributes:
        entity: Whose metrics it adds to.
        thresholds: Defaults of parameters, by name.
        calendar: The fiscal calendar.
    """

    entity: str | None = None
    joins: tuple[Join, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    fields: tuple[Dimension, ...] = ()
    measures: tuple[Measure, ...] = ()
    thresholds: dict[str, float] = Field(default={})
    calendar: Calendar | None = None


@dataclass(frozen=True)
class Declarations:
    """All that is declared.

    Attributes:
        views: By entity.
        metrics: By name.
        calendar: How years are divided.
    """

    views: dict[str, MetricView]
    metrics: dict[str, Metric]
    calendar: Calendar


@dataclass(frozen=True)
class _File:
    """A file of declarations; its lines are looked for only when one is to be told."""

    path: Path
    text: str

    def at(self, *keys: Any) -> str:
        """The place, `path:line`, of what the keys lead to, or of the nearest above it."""
        known = dict(_lines(nodes.compose(self.text, Loader=_NodeLoader), ()))
        while keys and keys not in known:
            keys = keys[:-1]
        return f"{self.path}:{known.get(keys, 1)}"


#: Where metrics were declared, by name: the file and their number in it.
_Places = dict[str, tuple[_File, int]]


def metrics() -> dict[str, Metric]:
    """All metrics by name, with the columns that the contracts in use bring to gold (`contracts.own`) as dimensions.

    Those over tables of optional entities are there where the lakehouse has these tables.

    Raises:
        ContractError: A declaration is broken, or a name is given twice; says file, line and reason.
    """
    return declarations().metrics


def every_metric() -> dict[str, Metric]:
    """All shipped metrics by name, also those over tables of optional entities, wherever these are there."""
    return _declarations((), (), (), None).metrics


def views() -> dict[str, MetricView]:
    """All metric views by entity.

    Raises:
        ContractError: See `metrics`.
    """
    return declarations().views


def declarations() -> Declarations:
    """All that is declared, for the lakehouse that was opened last; a file of the user's folder counts at once.

    Raises:
        ContractError: See `metrics`.
    """
    return _declarations(
        own_columns("gold.deals"), own_columns("gold.customer_features"), own_files(), optional_tables()
    )


def flag(entity: str, name: str) -> str:
    """What a field of an entity's source says, as an expression of DuckDB, with thresholds at their defaults.

    Raises:
        KeyError: There is no such entity or field.
    """
    view = declarations().views[entity]
    field = view.field(name)
    if field is None:
        raise KeyError(name)
    defaults = {parameter.name: parameter.default for parameter in view.parameters if parameter.default is not None}
    return f"({sqlglot.transpile(with_parameters(field.expr, defaults), read='spark', write='duckdb')[0]})"


def threshold(name: str) -> float:
    """The default of a parameter; 0 where it has none."""
    known = (parameter for view in declarations().views.values() for parameter in view.parameters)
    return next((parameter.default or 0.0 for parameter in known if parameter.name == name), 0.0)


def own_files() -> tuple[tuple[Path, int, int], ...]:
    """The files of the user's folder, with what tells whether they have changed."""
    folder = folder_of_metrics()
    paths = sorted(path for path in folder.glob("*.y*ml") if path.suffix in (".yaml", ".yml")) if folder else []
    return tuple((path, status.st_mtime_ns, status.st_size) for path in paths if (status := path.stat()))


@cache
def _declarations(
    of_deals: tuple[Column, ...],
    of_customers: tuple[Column, ...],
    own: tuple[tuple[Path, int, int], ...],
    optional: frozenset[str] | None,
) -> Declarations:
    columns = {"gold.deals": of_deals, "gold.customer_features": of_customers}
    views: dict[str, MetricView] = {}
    places: _Places = {}
    for path in sorted(Path(str(files("medallion.metrics"))).glob("*.yaml")):
        document, file = _read(path)
        view = _valid(MetricView, document, file)
        if optional is not None and not optional.issuperset(view.needs):
            continue
        view = _with_columns(view, columns, optional)
        _add(views, places, view, file, own=False)
    added, calendar = [], Calendar()
    for path, _, _ in own:
        document, file = _read(path)
        if "source" in document:
            view = _valid(MetricView, document, file)
            _add(views, places, view, file, own=True)
            continue
        addition = _valid(Own, document, file)
        calendar = addition.calendar or calendar
        added.append((addition, file))
    for addition, file in added:
        _join(views, places, addition, file)
    for addition, file in added:
        _set(views, addition, file)
    of_name = {measure.name: Metric(view, measure) for view in views.values() for measure in view.measures}
    return Declarations(views, of_name, calendar)


def _read(path: Path) -> tuple[dict[str, Any], _File]:
    """A file as plain values, and the line of each of them.

    Raises:
        ContractError: It cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = yaml.load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error)
        raise ContractError(f"{path}{line}: cannot be read: {reason}", "Check the YAML.") from error
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise ContractError(f"{path}:1: is not a list of `key: value` lines", _REMEDY)
    return document, _File(path, text)


def _lines(node: Any, keys: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], int]]:
    if node is None:
        return
    yield keys, node.start_mark.line + 1
    if isinstance(node, nodes.MappingNode):
        for key, value in node.value:
            yield from ((where, key.start_mark.line + 1 if where == (*keys, key.value) else line)
                        for where, line in _lines(value, (*keys, key.value)))  # fmt: skip
    elif isinstance(node, nodes.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _lines(value, (*keys, number))


def _valid(kind: type[_Kind], document: dict[str, Any], file: _File) -> _Kind:
    try:
        return kind(**document)
    except ValidationError as error:
        # a misspelled word explains a missing one
        first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
        keys = tuple(first["loc"])
        name = ".".join(str(part) for part in keys)
        reason, remedy = first["msg"].removeprefix("Value error, "), _REMEDY
        if first["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(keys[-1]), _words(kind, keys), n=2, cutoff=0.5)
            reason, remedy = "is not a word of a declaration", f"Nearest: {', '.join(near)}." if near else _REMEDY
        elif first["type"] == "string_pattern_mismatch":
            reason = f"{first.get('input')!r} is no name: use small letters, digits and _"
        raise ContractError(f"{file.at(*keys)}: {name}: {reason}", remedy) from error


def _words(kind: type[_Strict], keys: Sequence[Any]) -> list[str]:
    """The words that may stand beside the one that is not known."""
    of: dict[Any, type[BaseModel]] = {
        "dimensions": Dimension,
        "fields": Dimension,
        "measures": Measure,
        "parameters": Parameter,
        "joins": Join,
    }
    inner = next((of[key] for key in keys[:-1] if key in of), kind)
    return list(inner.model_fields)


def _with_columns(
    view: MetricView, columns: dict[str, tuple[Column, ...]], optional: frozenset[str] | None
) -> MetricView:
    """A view with the columns that contracts bring to its source as dimensions, and without measures that need more."""
    own = columns.get(view.source, ())
    there = {column.name for column in own}
    measures = tuple(measure for measure in view.measures if there.issuperset(measure.needs))
    known = (dimension for dimension in view.dimensions if optional is None or optional.issuperset(dimension.needs))
    dimensions = (*(dimension for dimension in known if dimension.name not in there), *map(_dimension, own))
    fields = tuple(dimension for dimension in view.fields if dimension.name not in there)
    return view.model_copy(update={"measures": measures, "dimensions": dimensions, "fields": fields})


def _dimension(column: Column) -> Dimension:
    """A column that a contract brings to gold, as a dimension."""
    kind = _TYPES.get(column.type, "number")
    return Dimension.model_construct(
        name=column.name,
        expr=f"CAST({column.name} AS DATE)" if column.type == "timestamp" else column.name,
        display_name=column.shown,
        comment=column.description or column.shown,
        type=kind,
        values=column.accepted if kind == "text" else (),
    )


def _add(views: dict[str, MetricView], places: _Places, view: MetricView, file: _File, *, own: bool) -> None:
    """Check a view and add it to the others."""
    entity = view.entity or file.path.stem
    if entity in views:
        raise ContractError(f"{file.at('entity')}: entity {entity} is declared twice", "Keep one view of it.")
    view = view.model_copy(update={"entity": entity})
    _checked(view, view, file, places, own=own)
    views[entity] = view


def _join(views: dict[str, MetricView], places: _Places, addition: Own, file: _File) -> None:
    """Add what a file of the user's folder declares to the view of its entity."""
    parts = ("joins", "parameters", "dimensions", "fields", "measures")
    if not any(getattr(addition, name) for name in parts):
        return
    if addition.entity is None or addition.entity not in views:
        problem = (
            f"there is no entity {addition.entity!r}"
            if addition.entity
            else "entity is missing: whose metrics are these?"
        )
        raise ContractError(f"{file.at('entity')}: {problem}", f"Entities: {', '.join(views)}.")
    view = views[addition.entity]
    whole = view.model_copy(update={name: (*getattr(view, name), *getattr(addition, name)) for name in parts})
    _checked(whole, addition, file, places, own=True)
    views[addition.entity] = whole


def _set(views: dict[str, MetricView], addition: Own, file: _File) -> None:
    """Set the defaults of parameters."""
    known = {parameter.name for view in views.values() for parameter in view.parameters}
    for name, value in addition.thresholds.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or sorted(known)
            raise ContractError(
                f"{file.at('thresholds', name)}: there is no threshold {name!r}", f"There are: {', '.join(near)}."
            )
        for entity, view in views.items():
            changed = tuple(
                parameter.model_copy(update={"default": value}) if parameter.name == name else parameter
                for parameter in view.parameters
            )
            views[entity] = view.model_copy(update={"parameters": changed})


def _checked(view: MetricView, declared: MetricView | Own, file: _File, places: _Places, *, own: bool) -> None:
    """Refuse names that are given twice; of a user's own, also expressions that cannot be computed.

    Args:
        view: The whole view.
        declared: The part of it that this file declares.
        file: The file.
        places: Where metrics were declared, by name; those of this file are added.
        own: Whether the file is of the user's folder. Those of the package are checked by its tests.

    Raises:
        ContractError: See `metrics`.
    """
    for number, measure in enumerate(declared.measures):
        if measure.name in places:
            first, there = places[measure.name]
            raise ContractError(
                f"{file.at('measures', number)}: metric {measure.name} is declared twice, "
                f"first in {first.at('measures', there)}",
                "Keep one definition.",
            )
        places[measure.name] = file, number
        if own:
            with _at(file, "measures", number):
                check_measure(view, measure)
    seen: set[str] = set()
    of_file = {
        id(dimension): (part, n)
        for part in ("dimensions", "fields")
        for n, dimension in enumerate(getattr(declared, part))
    }
    for dimension in (*view.dimensions, *view.fields):
        with _at(file, *of_file.get(id(dimension), ())):
            if twice := seen.intersection((dimension.name, *dimension.aliases)):
                raise ContractError(f"{sorted(twice)[0]} is declared twice", "Name one of them otherwise.")
            if own and id(dimension) in of_file:
                check_expression(view, dimension.expr, dimension.name, aggregates=False)
        seen.update((dimension.name, *dimension.aliases))


@contextmanager
def _at(file: _File, *keys: Any) -> Iterator[None]:
    """Tell of what is wrong with its place in a file."""
    try:
        yield
    except ContractError as error:
        raise ContractError(f"{file.at(*keys)}: {error.problem}", error.remedy) from error


def check_measure(view: MetricView, measure: Measure) -> None:
    """Refuse a measure that cannot be computed over its view.

    Raises:
        ContractError: Says the measure and why.
    """
    name = measure.name
    if measure.period is not None:
        time = view.dimension(measure.period)
        if time is None or time.type != "day":
            days = ", ".join(dimension.name for dimension in view.dimensions if dimension.type == "day")
            raise ContractError(f"{name}: period {measure.period!r} is no day of the view", f"Days: {days or 'none'}.")
    for part in measure.parts:
        inner = view.measure(part)
        if inner is None:
            near = difflib.get_close_matches(part, [other.name for other in view.measures], n=3, cutoff=0.4)
            raise ContractError(
                f"{name}: MEASURE({part}): the view has no such metric", f"Nearest: {', '.join(near) or 'none'}."
            )
        if inner.parts:
            raise ContractError(f"{name}: MEASURE({part}) is made of others itself", "Name its parts.")
    counted = parts_of(measure.n)
    if (
        len(counted) > 1
        or not {*counted} <= {*measure.parts}
        or (measure.parts and "n" in measure.model_fields_set and not counted)
    ):
        made_of = f" MEASURE({measure.parts[0]})" if measure.parts else " COUNT(1)"
        raise ContractError(
            f"{name}: n is of no one part of the metric", f"Write one whose rows count, such as{made_of}."
        )
    for text, label in ((measure.expr, name), (measure.n, f"{name}: n")):
        whole = re.sub(r"\bMEASURE\(\s*(\w+)\s*\)", "SUM(1)", text, flags=re.IGNORECASE)
        check_expression(view, whole, label, aggregates=True)


def check_expression(view: MetricView, text: str, name: str, *, aggregates: bool) -> None:
    """Refuse an expression that is not one, names what is not there, or adds up where it must not (or does not).

    Raises:
        ContractError: Says the name and why.
    """
    try:
        tree = sqlglot.parse_one(text, read="spark")
    except SqlglotError as error:
        reason = str(error).split("\n")[0].split(". Line")[0]
        raise ContractError(f"{name}: {text!r} is no expression: {reason}", "Write it in Spark SQL.") from error
    if isinstance(tree, exp.Query | exp.Command) or tree.find(exp.Select, exp.Subquery):
        raise ContractError(f"{name}: {text!r} is a query", "Write an expression over the view's columns.")
    known = {parameter.name for parameter in view.parameters}
    for place in tree.find_all(exp.Placeholder):
        if place.name not in known:
            raise ContractError(
                f"{name}: there is no parameter :{place.name}", f"Parameters: {', '.join(sorted(known)) or 'none'}."
            )
    sums = list(tree.find_all(exp.AggFunc))
    if aggregates and not sums:
        raise ContractError(f"{name}: {text!r} adds nothing up", "Write an aggregate such as SUM, COUNT or AVG.")
    if not aggregates and sums:
        raise ContractError(f"{name}: {text!r} adds rows up", "A dimension is of one row; make it a measure.")
    inside = {id(column) for aggregate in sums for column in aggregate.find_all(exp.Column)}
    joins = {join.name for join in view.joins}
    there = _columns(view)
    for column in tree.find_all(exp.Column):
        if aggregates and id(column) not in inside:
            raise ContractError(f"{name}: {column.sql()} stands outside of an aggregate", "Put it into one.")
        if column.table and (aggregates or column.table not in joins):
            which = f"Joins: {', '.join(sorted(joins)) or 'none'}; a measure uses the source alone."
            raise ContractError(f"{name}: there is no {column.table} to take {column.name} from", which)
        if not column.table and there and column.name not in there:
            near = difflib.get_close_matches(column.name, there, n=3, cutoff=0.5)
            raise ContractError(
                f"{name}: {view.source} has no column {column.name!r}",
                f"Nearest: {', '.join(near)}." if near else f"Columns: {', '.join(sorted(there))}.",
            )


def _columns(view: MetricView) -> set[str]:
    """The columns of a view's source where its contract is at hand; none where it is not known here."""
    if view.is_query:
        return set()
    try:
        declared = contracts.table(view.source).column_names
    except KeyError:
        return set()
    return {*declared, *(column.name for column in own_columns(view.source))}
