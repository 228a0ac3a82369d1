"""SQL from outside: parsed, checked against a list of what is allowed, written anew, and run where nothing can be reached."""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from medallion.errors import MedallionError

MOST_ROWS, MOST_LETTERS = 200, 4_000
#: What a statement may be made of; everything else is refused by name.
_ALLOWED = (
    exp.Select, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Limit, exp.Offset,
    exp.Table, exp.TableAlias, exp.Subquery, exp.With, exp.CTE, exp.Union, exp.Intersect, exp.Except, exp.Distinct,
    exp.Column, exp.Identifier, exp.Alias, exp.Star, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Tuple,
    exp.Binary, exp.Unary, exp.Between, exp.In, exp.Case, exp.If, exp.Cast, exp.TryCast, exp.DataType, exp.DataTypeParam,
    exp.Interval, exp.Var, exp.Window, exp.WindowSpec, exp.Filter, exp.Exists, exp.Not, exp.Is, exp.Like, exp.ILike,
    exp.AggFunc, exp.Coalesce, exp.Nullif, exp.Round, exp.Abs, exp.Floor, exp.Ceil, exp.Greatest, exp.Least,
    exp.Lower, exp.Upper, exp.Length, exp.Substring, exp.Trim, exp.Concat, exp.DPipe, exp.Extract, exp.Year, exp.Month,
    exp.Day, exp.DateTrunc, exp.TimestampTrunc, exp.DateDiff, exp.DateAdd, exp.DateSub, exp.RowNumber, exp.Rank,
    exp.DenseRank, exp.Lag, exp.Lead, exp.Qualify, exp.CurrentDate, exp.TimeToStr,
)  # fmt: skip
_REMEDY = "One SELECT over the agent's tables, with plain functions; `medallion ask` shows an example."


def checked(sql: str, tables: set[str], most: int = MOST_ROWS) -> str:
    """The statement written anew, with a limit, when nothing in it is outside the list.

    Args:
        sql: A statement, in DuckDB's dialect.
        tables: Names of the tables that may be read, `layer.table`.
        most: Rows at most.

    Raises:
        MedallionError: It cannot be parsed, is not one SELECT, reads something else, or uses what is not allowed.
    """
    if len(sql) > MOST_LETTERS:
        raise MedallionError(f"the query has more than {MOST_LETTERS} characters", _REMEDY)
    try:
        statements = [statement for statement in sqlglot.parse(sql, read="duckdb") if statement is not None]
    except (SqlglotError, RecursionError) as error:
        raise MedallionError(f"the query cannot be read: {str(error).splitlines()[0]}", _REMEDY) from error
    if len(statements) != 1 or not isinstance(statements[0], (exp.Select, exp.Union, exp.Intersect, exp.Except)):
        raise MedallionError("only one SELECT is allowed", _REMEDY)
    tree = statements[0]
    named = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for node in tree.walk():
        if not isinstance(node, _ALLOWED):
            raise MedallionError(f"{type(node).__name__.upper()} is not allowed: {node.sql()[:80]}", _REMEDY)
        if isinstance(node, exp.Table):
            if not isinstance(node.this, exp.Identifier):
                raise MedallionError(f"a table function is not allowed: {node.sql()[:80]}", _REMEDY)
            name = f"{node.db}.{node.name}".lower() if node.db else node.name.lower()
            if node.catalog or (name not in tables and not (not node.db and name in named)):
                raise MedallionError(
                    f"{node.sql()[:80]} is not a table that may be read", f"Tables: {', '.join(sorted(tables))}."
                )
    for select in tree.find_all(exp.Select):
        if not isinstance(select.parent, exp.Exists):
            _computed(select)
    return f"SELECT * FROM ({tree.sql(dialect='duckdb')}) LIMIT {most}"


def _computed(select: exp.Select) -> None:
    """Refuse a column that no table has a part in: a value somebody wrote is no fact.

    Raises:
        MedallionError: There is one.
    """
    for column in select.selects:
        counts = any(isinstance(node, exp.Count | exp.RowNumber | exp.Rank | exp.DenseRank) for node in column.walk())
        if not counts and not any(isinstance(node, exp.Column | exp.Star) for node in column.walk()):
            raise MedallionError(
                f"{column.sql()[:80]} is a value of the query, not of a table",
                "Select columns and what is computed from them; write other values into the conditions.",
            )
    if select.args.get("from_") is None and select.args.get("from") is None:
        raise MedallionError("a SELECT without FROM reads no table", _REMEDY)


def counting(checked: str) -> str:
    """The query of how many rows a checked statement has without its limit."""
    return f"SELECT COUNT(*) AS n FROM ({checked.rpartition(' LIMIT ')[0]})"


def tables(sql: str) -> set[str]:
    """Tables of a layer that a statement reads, `layer.table`."""
    read = sqlglot.parse_one(sql, read="duckdb").find_all(exp.Table)
    return {f"{table.db}.{table.name}".lower() for table in read if table.db}
