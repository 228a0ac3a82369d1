"""Expressions of Spark SQL and conditions of questions, in Malloy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import sqlglot
from sqlglot import exp

from medallion.metrics import Dimension, MetricView
from medallion.metrics.conditions import And, Beside, Condition, Not, Or, Value
from medallion.metrics.declared import with_parameters

UNKNOWN_FORM, UNKNOWN_QUERY = "an expression of your own in another form", "a source of your own that is a query"
#: What is not compared, each with its reason; ten at most. The shipped metrics are all compared.
EXCEPTIONS = {
    UNKNOWN_QUERY: "it is SQL, which would have to be said in Malloy by hand",
    UNKNOWN_FORM: "each form is translated one by one, those that the shipped metrics have",
}
_COMPARED = {exp.EQ: "=", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}
_SIGNS = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}


class UnsayableError(Exception):
    """What is not compared; its text is one of `EXCEPTIONS`, and what it is."""


@dataclass(frozen=True)
class Speaker:
    """Says expressions of Spark SQL in Malloy.

    Attributes:
        parameters: The values of the parameters.
        only: Which rows aggregates look at besides.
        parts: Metrics that `MEASURE` names, in Malloy.
    """

    parameters: Mapping[str, float] = field(default_factory=dict)
    only: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)

    def say(self, text: str) -> str:
        """An expression in Malloy.

        Raises:
            UnsayableError: It has a form that is not known.
        """
        return self._of(parsed(text, self.parameters))

    def _of(self, one: exp.Expr) -> str:
        for kind, sign in (_COMPARED | _SIGNS).items():
            if type(one) is kind:
                return f"({self._of(one.this)} {sign} {self._of(one.expression)})"
        match one:
            case exp.Column():
                return ".".join(f"`{name}`" for name in (one.table, one.name) if name)
            case exp.Literal():
                return quoted(one.this) if one.is_string else str(one.this)
            case exp.Boolean():
                return "true" if one.this else "false"
            case exp.Null():
                return "null"
            case exp.Paren() | exp.TsOrDsToDate() | exp.TimeStrToTime():
                return f"({self._of(one.this)})"
            case exp.Neg():
                return f"(-{self._of(one.this)})"
            case exp.And() | exp.Or():
                word = "and" if isinstance(one, exp.And) else "or"
                return f"({self._of(one.this)} {word} {self._of(one.expression)})"
            case exp.Is(expression=exp.Null()):
                return f"({self._of(one.this)} is null)"
            case exp.Not(this=exp.Is(expression=exp.Null())):
                return f"({self._of(one.this.this)} is not null)"
            case exp.NEQ():
                sides = self._of(one.this), self._of(one.expression)
                return f"({sides[0]} is not null and {sides[1]} is not null and {sides[0]} != {sides[1]})"
            case exp.In() if one.expressions:
                return "(" + " or ".join(f"{self._of(one.this)} = {self._of(value)}" for value in one.expressions) + ")"
            case exp.Coalesce(this=exp.Sum()) if [str(other) for other in one.expressions] == ["0"]:
                return self._sum(one.this.this)  # Malloy's sum of no rows is 0
            case exp.Coalesce():
                return "(" + " ?? ".join(map(self._of, (one.this, *one.expressions))) + ")"
            case exp.Nullif():
                return f"nullif({self._of(one.this)}, {self._of(one.expression)})"
            case exp.Case() if one.this is None:
                picks = " ".join(
                    f"pick {self._of(each.args['true'])} when {self._of(each.this)}" for each in one.args["ifs"]
                )
                default = one.args.get("default")
                return f"({picks} else {self._of(default) if default else 'null'})"
            case exp.Cast() | exp.TryCast():
                return self._cast(one)
            case exp.TimeToStr() if (
                str(one.args["format"].this).startswith("%Y-%m") and "%d" not in one.args["format"].this
            ):
                return f"({self._of(one.this)}::date.month)"
            case exp.Hour():
                return f"hour({self._of(one.this)})"
            case exp.DateDiff() if not one.args.get("unit"):
                return f"days({self._of(one.expression)} to {self._of(one.this)})"
            case exp.Anonymous() if one.name.upper() == "MEASURE":
                return f"({self.parts[one.expressions[0].name]})"
            case exp.AggFunc():
                return self._aggregate(one)
        raise UnsayableError(f"{UNKNOWN_FORM}: {one.sql('spark')}")

    def _cast(self, one: exp.Expr) -> str:
        kind = one.args["to"].this.name
        if kind == "DATE" and isinstance(one.this, exp.Literal):
            return f"@{one.this.this}"
        into = {"DATE": "date", "TEXT": "string"}.get(kind, "number")
        return f"({self._of(one.this)}::{into})"

    def _aggregate(self, one: exp.Expr) -> str:
        value = one.this
        if isinstance(one, exp.Count):
            if isinstance(value, exp.Distinct) and len(value.expressions) == 1:
                counts, condition = self._conditional(value.expressions[0])
                return f"count({self._of(counts)}){self._where(condition)}"
            counts, condition = self._conditional(value)
            there = "" if isinstance(counts, exp.Literal | exp.Star) else f"{self._of(counts)} is not null"
            return f"count(){self._where(condition, there)}"
        counts, condition = self._conditional(value)
        if isinstance(one, exp.Sum):
            some = f"count(){self._where(condition, f'{self._of(counts)} is not null')}"
            return f"(pick {self._sum(value)} when {some} > 0 else null)"
        for kind, name in ((exp.Avg, "avg"), (exp.Min, "min"), (exp.Max, "max")):
            if type(one) is kind:
                return f"{name}({self._of(counts)}){self._where(condition)}"
        raise UnsayableError(f"{UNKNOWN_FORM}: {one.sql('spark')}")

    def _sum(self, value: exp.Expr) -> str:
        counts, condition = self._conditional(value)
        return f"sum({self._of(counts)}){self._where(condition)}"

    def _conditional(self, value: exp.Expr) -> tuple[exp.Expr, str]:
        """What `CASE WHEN condition THEN value END` looks at, and the condition; of another expression none."""
        if (
            isinstance(value, exp.Case)
            and len(value.args["ifs"]) == 1
            and not value.args.get("default")
            and not value.this
        ):
            (one,) = value.args["ifs"]
            return one.args["true"], self._of(one.this)
        return value, ""

    def _where(self, *conditions: str) -> str:
        given = [one for one in (self.only, *conditions) if one]
        return f" {{ where: {' and '.join(given)} }}" if given else ""


def parsed(text: str, parameters: Mapping[str, float]) -> exp.Expr:
    """An expression with the values of its parameters."""
    return sqlglot.parse_one(with_parameters(text, parameters), read="spark")


def quoted(text: str) -> str:
    r"""A text as Malloy has it.

    >>> quoted("it's")
    "'it\\'s'"
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fields_of(view: MetricView) -> dict[str, Dimension]:
    """The dimensions and fields of a view by name and alias."""
    every = (*view.dimensions, *view.fields)
    return {name: one for one in every for name in one.aliases} | {one.name: one for one in every}


def condition(given: Condition, view: MetricView, parameters: Mapping[str, float]) -> str:
    """A condition on the rows of a view: true or false, never unknown."""
    if isinstance(given, And | Or):
        word = " and " if isinstance(given, And) else " or "
        return "(" + word.join(condition(one, view, parameters) for one in given.parts) + ")"
    if isinstance(given, Not):
        return f"(not {condition(given.part, view, parameters)})"
    dimension, say = fields_of(view)[given.name], Speaker(parameters)
    text = say.say(dimension.expr)
    if given.op in ("unknown", "known"):
        return f"({text} is {'not ' if given.op == 'known' else ''}null)"
    if given.op == "is":
        return f"({text} ?? false)"
    if dimension.type == "text":
        text = f"{text}::string"
    if given.op == "contains":
        return f"((strpos(lower({text}), lower({quoted(str(given.values[0]))})) > 0) ?? false)"
    values = [_value(one, dimension, view, say) for one in given.values]
    if given.op == "between":
        return f"(({text} >= {values[0]} and {text} <= {values[1]}) ?? false)"
    if given.op in ("=", "!="):
        same = "((" + " or ".join(f"{text} = {one}" for one in values) + ") ?? false)"
        beside = isinstance(given.values[0], Beside)  # two columns that differ are both known
        known = f" and {text} is not null and {values[0]} is not null" if beside else ""
        return same if given.op == "=" else f"((not {same}){known})"
    return f"(({text} {given.op} {values[0]}) ?? false)"


def _value(value: Value, dimension: Dimension, view: MetricView, say: Speaker) -> str:
    if isinstance(value, Beside):
        return say.say(fields_of(view)[value.name].expr)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"({value:f})"
    if isinstance(value, date):
        return f"@{value}"
    return f"@{value}-01" if dimension.type == "month" else quoted(str(value))
