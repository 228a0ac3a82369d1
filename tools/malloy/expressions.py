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

    def _of(self, tree: exp.Expr) -> str:
        for kind, sign in (_COMPARED | _SIGNS).items():
            if type(tree) is kind:
                return f"({self._of(tree.this)} {sign} {self._of(tree.expression)})"
        match tree:
            case exp.Column():
                return ".".join(f"`{name}`" for name in (tree.table, tree.name) if name)
            case exp.Literal():
                return quoted(tree.this) if tree.is_string else str(tree.this)
            case exp.Boolean():
                return "true" if tree.this else "false"
            case exp.Null():
                return "null"
            case exp.Paren() | exp.TsOrDsToDate() | exp.TimeStrToTime():
                return f"({self._of(tree.this)})"
            case exp.Neg():
                return f"(-{self._of(tree.this)})"
            case exp.And() | exp.Or():
                word = "and" if isinstance(tree, exp.And) else "or"
                return f"({self._of(tree.this)} {word} {self._of(tree.expression)})"
            case exp.Is(expression=exp.Null()):
                return f"({self._of(tree.this)} is null)"
            case exp.Not(this=exp.Is(expression=exp.Null())):
                return f"({self._of(tree.this.this)} is not null)"
            case exp.NEQ():
                sides = self._of(tree.this), self._of(tree.expression)
                return f"({sides[0]} is not null and {sides[1]} is not null and {sides[0]} != {sides[1]})"
            case exp.In() if tree.expressions:
                equal = [f"{self._of(tree.this)} = {self._of(value)}" for value in tree.expressions]
                return f"({' or '.join(equal)})"
            case exp.Coalesce(this=exp.Sum()) if [str(other) for other in tree.expressions] == ["0"]:
                return self._sum(tree.this.this)  # Malloy's sum of no rows is 0
            case exp.Coalesce():
                return "(" + " ?? ".join(map(self._of, (tree.this, *tree.expressions))) + ")"
            case exp.Nullif():
                return f"nullif({self._of(tree.this)}, {self._of(tree.expression)})"
            case exp.Case() if tree.this is None:
                picks = " ".join(
                    f"pick {self._of(each.args['true'])} when {self._of(each.this)}" for each in tree.args["ifs"]
                )
                default = tree.args.get("default")
                return f"({picks} else {self._of(default) if default else 'null'})"
            case exp.Cast() | exp.TryCast():
                return self._cast(tree)
            case exp.TimeToStr() if (
                str(tree.args["format"].this).startswith("%Y-%m") and "%d" not in tree.args["format"].this
            ):
                return f"({self._of(tree.this)}::date.month)"
            case exp.Hour():
                return f"hour({self._of(tree.this)})"
            case exp.DateDiff() if not tree.args.get("unit"):
                return f"days({self._of(tree.expression)} to {self._of(tree.this)})"
            case exp.Anonymous() if tree.name.upper() == "MEASURE":
                return f"({self.parts[tree.expressions[0].name]})"
            case exp.AggFunc():
                return self._aggregate(tree)
        raise UnsayableError(f"{UNKNOWN_FORM}: {tree.sql('spark')}")

    def _cast(self, tree: exp.Expr) -> str:
        kind = tree.args["to"].this.name
        if kind == "DATE" and isinstance(tree.this, exp.Literal):
            return f"@{tree.this.this}"
        into = {"DATE": "date", "TEXT": "string"}.get(kind, "number")
        return f"({self._of(tree.this)}::{into})"

    def _aggregate(self, tree: exp.Expr) -> str:
        value = tree.this
        if isinstance(tree, exp.Count):
            if isinstance(value, exp.Distinct) and len(value.expressions) == 1:
                counts, condition = self._conditional(value.expressions[0])
                return f"count({self._of(counts)}){self._where(condition)}"
            counts, condition = self._conditional(value)
            there = "" if isinstance(counts, exp.Literal | exp.Star) else f"{self._of(counts)} is not null"
            return f"count(){self._where(condition, there)}"
        counts, condition = self._conditional(value)
        if isinstance(tree, exp.Sum):
            some = f"count(){self._where(condition, f'{self._of(counts)} is not null')}"
            return f"(pick {self._sum(value)} when {some} > 0 else null)"
        for kind, name in ((exp.Avg, "avg"), (exp.Min, "min"), (exp.Max, "max")):
            if type(tree) is kind:
                return f"{name}({self._of(counts)}){self._where(condition)}"
        raise UnsayableError(f"{UNKNOWN_FORM}: {tree.sql('spark')}")

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
            (branch,) = value.args["ifs"]
            return branch.args["true"], self._of(branch.this)
        return value, ""

    def _where(self, *conditions: str) -> str:
        clauses = [clause for clause in (self.only, *conditions) if clause]
        return f" {{ where: {' and '.join(clauses)} }}" if clauses else ""


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
    dimensions = (*view.dimensions, *view.fields)
    by_alias = {alias: dimension for dimension in dimensions for alias in dimension.aliases}
    return by_alias | {dimension.name: dimension for dimension in dimensions}


def condition(given: Condition, view: MetricView, parameters: Mapping[str, float]) -> str:
    """A condition on the rows of a view: true or false, never unknown."""
    if isinstance(given, And | Or):
        word = " and " if isinstance(given, And) else " or "
        return "(" + word.join(condition(part, view, parameters) for part in given.parts) + ")"
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
    values = [_value(value, dimension, view, say) for value in given.values]
    if given.op == "between":
        return f"(({text} >= {values[0]} and {text} <= {values[1]}) ?? false)"
    if given.op in ("=", "!="):
        same = "((" + " or ".join(f"{text} = {value}" for value in values) + ") ?? false)"
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
