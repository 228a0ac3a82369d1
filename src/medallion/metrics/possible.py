"""What a condition leaves of the values of a column: which of them a row that fulfills it may have."""

from __future__ import annotations

from collections.abc import Mapping

from medallion.metrics.conditions import Condition, Not, Or, Test, both, conjuncts, tests
from medallion.metrics.declared import Dimension
from medallion.metrics.relations import columns_of

#: Stands for every value that is neither declared nor named.
OTHER = "\0"
#: Values of a row by the dimension; None for one that is not known.
Row = Mapping[str, str | None]


def values_left(given: Condition, dimension: Dimension, fields: Mapping[str, Dimension]) -> tuple[str | None, ...]:
    """The values of a dimension that rows which fulfill a condition may have, with None and `OTHER` where they may.

    Args:
        given: The condition, understood.
        dimension: Text, whose values are declared.
        fields: All that the view can be filtered by, by name.
    """
    named = [str(value) for test in tests(given) if test.name == dimension.name for value in test.values]
    every = dict.fromkeys((*dimension.values, *named, OTHER, None))
    return tuple(value for value in every if may_hold(given, {dimension.name: value}, fields))


def about(given: Condition, name: str, fields: Mapping[str, Dimension]) -> str:
    """The parts of a condition that say something of a dimension, in words."""

    def is_about(test: Test) -> bool:
        return test.name == name or name in dict(fields[test.name].implies)

    return str(both(*(part for part in conjuncts(given) if any(map(is_about, tests(part))))) or given)


def may_hold(given: Condition, row: Row, fields: Mapping[str, Dimension]) -> bool:
    """Whether a row with these values may fulfill a condition, whatever its other values are."""
    return _holds(given, row, fields) is not False


def _holds(given: Condition, row: Row, fields: Mapping[str, Dimension]) -> bool | None:
    """Whether it holds; None where that depends on other values."""
    if isinstance(given, Test):
        return _test(given, row, fields[given.name])
    if isinstance(given, Not):
        part = _holds(given.part, row, fields)
        return None if part is None else not part
    parts = {_holds(part, row, fields) for part in given.parts}
    settles = isinstance(given, Or)
    return settles if settles in parts else None if None in parts else not settles


def _test(test: Test, row: Row, dimension: Dimension) -> bool | None:
    if test.name in row:
        return _of_value(test, row[test.name])
    negative = test.op in ("!=", "unknown")
    for name, values in dimension.implies:
        if name in row and row[name] not in values:
            return negative
        if name in row and test.op == "is" and columns_of(dimension.expr) == {name}:
            return True
    return None


def _of_value(test: Test, value: str | None) -> bool | None:
    if test.op in ("unknown", "known") or value is None:
        return (value is None) == (test.op in ("unknown", "!="))
    if test.op == "contains":
        return None if value == OTHER else str(test.values[0]).lower() in value.lower()
    return (value in map(str, test.values)) == (test.op == "=")
