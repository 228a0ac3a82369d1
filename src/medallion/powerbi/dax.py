"""DAX from a metric's Spark SQL: the forms that metrics use, everything else refused by name.

What the two languages do differently, and how it is kept the same here:

- BLANK counts as 0 or empty text in a DAX comparison, NULL in SQL satisfies none: such operands are guarded.
- A count of nothing is BLANK in DAX and 0 in SQL: counts are written `COUNTROWS(...) + 0`, or a win rate of
  0 of 4 would be blank.
- A plain filter inside CALCULATE replaces the reader's own filter on the same column: every condition is in
  KEEPFILTERS, or the share of won deals among lost ones would not be 0.
- SQL shows no group without rows: `whole` leaves a measure blank there.
- Money divided by money is money with four digits in DAX: `CAST(... AS DOUBLE)` becomes CONVERT.

Texts are compared without regard to case in DAX; canonical values differ by more than case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import sqlglot
from sqlglot import exp

from medallion.errors import ContractError

_ORDER: dict[type[exp.Expr], str] = {exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}
_AGGREGATES: dict[type[exp.Expr], str] = {
    exp.Sum: "SUM",
    exp.Avg: "AVERAGE",
    exp.Median: "MEDIAN",
    exp.Max: "MAX",
    exp.Min: "MIN",
}
_DOUBLES = (exp.DataType.Type.DOUBLE,)


@dataclass(frozen=True)
class Place:
    """Where an expression is evaluated.

    Attributes:
        table: Table of the model.
        columns: Name of its column in the model by the name in SQL.
        parameters: DAX of each parameter by name.
        parts: Name of the measure of each metric that `MEASURE(...)` may name, and whether it is 0 of no rows.
    """

    table: str
    columns: Mapping[str, str]
    parameters: Mapping[str, str]
    parts: Mapping[str, tuple[str, bool]] = field(default_factory=dict)


def quoted(table: str) -> str:
    """A table's name in DAX.

    >>> quoted("Deals"), quoted("Bob's")
    ("'Deals'", "'Bob''s'")
    """
    return "'" + table.replace("'", "''") + "'"


def column(table: str, name: str) -> str:
    """A column in DAX.

    >>> column("Deals", "Value [USD]")
    "'Deals'[Value [USD]]]"
    """
    return f"{quoted(table)}[{name.replace(']', ']]')}]"


def measure(name: str) -> str:
    """A measure in DAX.

    >>> measure("Deals [open]")
    '[Deals [open]]]'
    """
    return f"[{name.replace(']', ']]')}]"


def text(value: str) -> str:
    """A text in DAX.

    >>> text('a "b" c')
    '"a ""b"" c"'
    """
    return '"' + value.replace('"', '""') + '"'


def number(value: str | float) -> str:
    """A number in DAX, which does not read every exponent.

    >>> number("1e-7"), number(1e21), number("2.50")
    ('0.0000001', '1000000000000000000000', '2.50')
    """
    return f"{Decimal(str(value)):f}"


def whole(expression: str, place: Place, condition: str | None = None) -> str:
    """A measure's DAX from a metric's expression, blank where no row is in the filter context.

    Args:
        expression: Spark SQL over one table.
        place: The table.
        condition: The metric view's own filter, in Spark SQL.

    Raises:
        ContractError: A form that is not translated.
    """
    value = scalar(expression, place)
    if condition:
        parts = _conditions(_parsed(condition), place)
        value = f"CALCULATE({value}, {', '.join(parts)})"
    return f"IF(NOT ISEMPTY({quoted(place.table)}), {value})"


def scalar(expression: str, place: Place) -> str:
    """The DAX of an expression over the rows in the filter context.

    Raises:
        ContractError: A form that is not translated.
    """
    return _scalar(_parsed(expression), place)


def _parsed(expression: str) -> exp.Expr:
    return sqlglot.parse_one(expression, read="spark")


def _refused(node: exp.Expr, why: str) -> ContractError:
    return ContractError(
        f"{node.sql('spark')}: {why} has no translation into DAX",
        "Write the metric with COUNT, SUM, AVG, MEDIAN, MIN, MAX over a column or CASE WHEN ... THEN ... END, "
        "products, and division by NULLIF(..., 0).",
    )


def _scalar(node: exp.Expr, place: Place) -> str:
    if isinstance(node, exp.Paren):
        return f"({_scalar(node.this, place)})"
    if isinstance(node, exp.Literal) and not node.is_string:
        return number(node.this)
    if isinstance(node, exp.Placeholder):
        return _parameter(node, place)
    if isinstance(node, exp.Cast) and node.to.this in _DOUBLES:
        return f"CONVERT({_scalar(node.this, place)}, DOUBLE)"
    if isinstance(node, exp.Coalesce):
        parts = [_scalar(part, place) for part in (node.this, *node.expressions)]
        return f"COALESCE({', '.join(parts)})"
    if isinstance(node, exp.Mul):
        return f"{_scalar(node.this, place)} * {_scalar(node.expression, place)}"
    if isinstance(node, exp.Add | exp.Sub):
        return _summed(node, place)
    if isinstance(node, exp.Div):
        return _divided(node, place)
    if isinstance(node, exp.Case):
        when, then = _case(node)
        return f"IF({_compared(when, place)}, {_scalar(then, place)})"
    if isinstance(node, exp.Anonymous) and node.name.upper() == "MEASURE":
        return _part(node, place)
    if isinstance(node, exp.Count):
        return f"({_count(node, place)} + 0)"
    if name := _AGGREGATES.get(type(node)):
        return _aggregate(node, name, place)
    raise _refused(node, type(node).__name__)


def _divided(node: exp.Div, place: Place) -> str:
    """A division whose divisor cannot be zero: NULLIF(x, 0), or a number. DIVIDE is BLANK where SQL is NULL."""
    by = node.expression
    if isinstance(by, exp.Nullif) and isinstance(by.expression, exp.Literal) and by.expression.this == "0":
        by = by.this
    elif not (isinstance(by, exp.Literal) and not by.is_string and float(by.this)):
        raise _refused(node, "a division by what may be zero")
    return f"DIVIDE({_scalar(node.this, place)}, {_scalar(by, place)})"


def _part(node: exp.Anonymous, place: Place) -> str:
    """Another measure; one that is 0 of no rows is so here too, where it is blank to a visual."""
    name = node.expressions[0].name
    if name not in place.parts:
        raise _refused(node, "a metric that the view does not have")
    label, from_zero = place.parts[name]
    return f"({measure(label)} + 0)" if from_zero else measure(label)


def _summed(node: exp.Add | exp.Sub, place: Place) -> str:
    """A sum or difference, blank where one of the sides is: DAX would take that one for 0."""
    left, right = _scalar(node.this, place), _scalar(node.expression, place)
    known = [f"NOT ISBLANK({side})" for side in (left, right)]
    return f"IF({' && '.join(known)}, {left} {'+' if isinstance(node, exp.Add) else '-'} {right})"


def _compared(node: exp.Expr, place: Place) -> str:
    """Whether two figures are in this order; neither may be blank."""
    sign = _ORDER.get(type(node))
    if sign is None:
        raise _refused(node, "a condition on figures that is no order")
    sides = [_scalar(side, place) for side in (node.this, node.expression)]
    return " && ".join([*(f"NOT ISBLANK({side})" for side in sides), f"{sides[0]} {sign} {sides[1]}"])


def _parameter(node: exp.Placeholder, place: Place) -> str:
    if node.name not in place.parameters:
        raise _refused(node, "a parameter that is not declared")
    return place.parameters[node.name]


def _count(node: exp.Count, place: Place) -> str:
    what = node.this
    if isinstance(what, exp.Star) or (isinstance(what, exp.Literal) and not what.is_string):
        return f"COUNTROWS({quoted(place.table)})"
    if isinstance(what, exp.Distinct):
        if len(what.expressions) != 1 or not isinstance(what.expressions[0], exp.Column):
            raise _refused(node, "COUNT(DISTINCT ...) of more than a column")
        return f"DISTINCTCOUNTNOBLANK({_column(what.expressions[0], place)})"
    if isinstance(what, exp.Case):
        when, then = _case(what)
        if not isinstance(then, exp.Literal):
            raise _refused(node, "COUNT of a CASE that does not give a constant")
        return f"CALCULATE(COUNTROWS({quoted(place.table)}), {', '.join(_conditions(when, place))})"
    if isinstance(what, exp.Column):
        return f"CALCULATE(COUNTROWS({quoted(place.table)}), KEEPFILTERS(NOT ISBLANK({_column(what, place)})))"
    raise _refused(node, f"COUNT of {type(what).__name__}")


def _aggregate(node: exp.Expr, name: str, place: Place) -> str:
    what, filters = node.this, ""
    if isinstance(what, exp.Case):
        when, what = _case(what)
        filters = ", ".join(_conditions(when, place))
    if isinstance(what, exp.Column):
        value = f"{name}({_column(what, place)})"
    elif isinstance(what, exp.Cast) and what.to.this in _DOUBLES and isinstance(what.this, exp.Column):
        value = f"{name}X({quoted(place.table)}, CONVERT({_column(what.this, place)}, DOUBLE))"
        # CONVERT makes 0 of BLANK, which an average or median would count
        blank = f"KEEPFILTERS(NOT ISBLANK({_column(what.this, place)}))"
        filters = f"{filters}, {blank}" if filters else blank
    elif isinstance(what, exp.Mul):
        parts = [part.this if isinstance(part, exp.Cast) else part for part in (what.this, what.expression)]
        if not all(isinstance(part, exp.Column) for part in parts):
            raise _refused(node, f"{type(node).__name__} of a product of anything but two columns")
        factors = [_column(part, place) for part in parts]
        value = f"{name}X({quoted(place.table)}, {' * '.join(f'CONVERT({factor}, DOUBLE)' for factor in factors)})"
        filters = ", ".join([*filter(None, [filters]), *(f"KEEPFILTERS(NOT ISBLANK({factor}))" for factor in factors)])
    else:
        raise _refused(node, f"{type(node).__name__} of {type(what).__name__}")
    return f"CALCULATE({value}, {filters})" if filters else value


def _case(node: exp.Case) -> tuple[exp.Expr, exp.Expr]:
    """The condition and the value of CASE WHEN c THEN v END."""
    branches = node.args["ifs"]
    if node.this is not None or len(branches) != 1 or node.args.get("default") is not None:
        raise _refused(node, "a CASE with ELSE, an operand or several branches")
    return branches[0].this, branches[0].args["true"]


def _conditions(node: exp.Expr, place: Place) -> list[str]:
    """Filter arguments of CALCULATE, one per part of a conjunction: simple ones are answered from the column."""
    if isinstance(node, exp.Paren):
        return _conditions(node.this, place)
    if isinstance(node, exp.And):
        return [*_conditions(node.this, place), *_conditions(node.expression, place)]
    return [f"KEEPFILTERS({_true(node, place)})"]


def _true(node: exp.Expr, place: Place) -> str:
    """DAX that is true exactly where the SQL condition is true, and false where that is NULL."""
    if isinstance(node, exp.Paren):
        return f"({_true(node.this, place)})"
    if isinstance(node, (exp.And, exp.Or)):
        sign = "&&" if isinstance(node, exp.And) else "||"
        return f"({_true(node.this, place)} {sign} {_true(node.expression, place)})"
    if isinstance(node, exp.Column):
        return f"{_column(node, place)} == TRUE()"
    if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
        return f"ISBLANK({_operand(node.this, place)})"
    if isinstance(node, exp.Not):
        inner = node.this
        if isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null):
            return f"NOT ISBLANK({_operand(inner.this, place)})"
        raise _refused(node, "NOT of anything but IS NULL")
    if isinstance(node, exp.In) and node.expressions and not node.args.get("query"):
        listed = ", ".join(_constant(item, place) for item in node.expressions)
        # IN compares strictly: a blank is in no list
        return f"{_operand(node.this, place)} IN {{{listed}}}"
    if isinstance(node, (exp.EQ, exp.NEQ)):
        sides = f"{_operand(node.this, place)} {{}} {_operand(node.expression, place)}"
        sign = "==" if isinstance(node, exp.EQ) else "<>"
        only_one = isinstance(node, exp.EQ) and not isinstance(node.expression, exp.Column)
        return sides.format(sign) if only_one else _guarded(sides.format(sign), [node.this, node.expression], place)
    if sign := _ORDER.get(type(node), ""):
        if any(isinstance(side, exp.Literal) and side.is_string for side in (node.this, node.expression)):
            raise _refused(node, "an order of texts")
        comparison = f"{_operand(node.this, place)} {sign} {_operand(node.expression, place)}"
        return _guarded(comparison, [node.this, node.expression], place)
    raise _refused(node, type(node).__name__)


def _guarded(comparison: str, operands: list[exp.Expr], place: Place) -> str:
    """The comparison, true only where none of the columns is blank."""
    guards = [f"NOT ISBLANK({_column(operand, place)})" for operand in operands if isinstance(operand, exp.Column)]
    return " && ".join([*guards, comparison])


def _operand(node: exp.Expr, place: Place) -> str:
    if isinstance(node, exp.Column):
        return _column(node, place)
    if isinstance(node, exp.Coalesce) and isinstance(node.this, exp.Column) and len(node.expressions) == 1:
        return f"COALESCE({_column(node.this, place)}, {_constant(node.expressions[0], place)})"
    return _constant(node, place)


def _constant(node: exp.Expr, place: Place) -> str:
    if isinstance(node, exp.Literal):
        return text(node.this) if node.is_string else number(node.this)
    if isinstance(node, exp.Placeholder):
        return _parameter(node, place)
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
        return f"-{number(node.this.this)}"
    raise _refused(node, f"a comparison with {type(node).__name__}")


def _column(node: exp.Expr, place: Place) -> str:
    if node.name not in place.columns:
        raise _refused(node, f"a column that the model's table {place.table} does not have")
    return column(place.table, place.columns[node.name])
