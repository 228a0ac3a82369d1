"""The lint of the engine subset: calls that one engine gets silently wrong are not in the code (docs/ENGINES.md)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from conftest import ROOT

#: Attribute called, and what is used instead.
FORBIDDEN = {
    "cache": "does nothing on Sail: save a table",
    "persist": "does nothing on Sail: save a table",
    "checkpoint": "save a table",
    "localCheckpoint": "save a table",
    "intersectAll": "wrong on Sail: group and count",
    "union": "of int and double differs: unionByName, of columns cast to one type",
    "unionAll": "as union",
    "avg": "of decimals differs, of doubles in any order: sum of whole numbers, and share",
    "mean": "as avg",
    "median": "seconds per group on Sail",
    "first": "in no order: min, max or row_number",
    "last": "in no order: min, max or row_number",
    "any_value": "in no order",
    "extract": "of a weekday differs: dayofweek",
    "date_part": "of a weekday differs: dayofweek",
    "to_timestamp": "an error or null, by engine and setting: medallion.cells.times",
    "to_date": "as to_timestamp: medallion.cells.times",
    "date_format": "letters differ: cast to string",
    "format_number": "differs at ties",
    "dropDuplicates": "32 s and 6.6 GB on Sail: row_number",
    "drop_duplicates": "32 s and 6.6 GB on Sail: row_number",
    "max_by": "80 s and 15.7 GB on Sail: row_number",
    "min_by": "as max_by",
    "mode": "seconds per group on Sail",
    "collect_set": "slow on Sail, and in no order",
    "collect_list": "in no order",
    "initcap": "differs at hyphens",
    "rint": "differs at ties",
    "round": "differs at ties: medallion.columns.rounded",
    "bround": "differs at ties: medallion.columns.rounded",
    "approxQuantile": "not on Sail",
    "input_file_name": "not on Sail",
    "observe": "not on Sail",
    "zip_with": "not on Sail",
    "transform_values": "not on Sail",
    "current_timestamp": "no transformation reads the clock",
    "current_date": "no transformation reads the clock",
    "now": "no transformation reads the clock",
    "rand": "not repeatable",
    "randn": "not repeatable",
    "monotonically_increasing_id": "not repeatable",
    "to_utc_timestamp": "any zone but UTC is wrong on Sail",
    "convert_timezone": "any zone but UTC is wrong on Sail",
    "rangeBetween": "over dates wrong on Sail: unix_date, and say so here",
}
#: Settings and options that are ignored or do something else.
WORDS = (
    *("partitionOverwriteMode", "txnAppId", "txnVersion", "mergeSchema", "replaceWhere"),
    *("binaryFile", "wholetext", "input_file_name", "_metadata"),
)
#: SQL in a string that engines read in two ways.
SQL = re.compile(
    r"\b(intersect all|range between|try_to_date|initcap|extract\s*\(\s*dow)\b",
    re.I,
)
#: Calls with a regular expression: which argument it is of a function, and of a column's method.
PATTERNS = {"rlike": (1, 0), "regexp_like": (1, 0), "regexp_replace": (1, 0), "regexp_extract": (1, 0), "split": (1, 0)}
#: Regular expressions that Java and Rust read in two ways.
DIALECT = {
    r"(?<!\\)\$(?!\\z)\)?$": r"`$` is also before a last line end in Java: \z",
    r"\\[dswb]": r"letters of other scripts belong to it in Rust alone: write the class out, or \p{..}",
    r"\(\?i": "letters of other scripts are folded in Rust alone: lower() first",
    r"\(\?(=|!|<=|<!)": "no lookaround in Rust",
}
#: Rooms that build DataFrames.
ROOMS = (
    "columns.py",
    "bronze.py",
    "silver",
    "features",
    "scoring",
    "gold",
    "pipeline",
    "learning",
    "lakehouse/store.py",
)
_PLAIN_PYTHON = {"mode", "round", "now", "rand", "union", "first", "last", "mean", "median", "extract"}


def found(source: str) -> list[str]:
    """Forbidden calls in a module's text, with line and remedy."""
    told = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            told += [f"line {node.lineno}: {what}" for what in _of_call(node, node.func)]
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            told += [f"line {node.lineno}: {word}" for word in WORDS if word == node.value]
            # a text of one line is SQL or a name; a docstring may mention anything
            if "\n" not in node.value and (hit := SQL.search(node.value)):
                told.append(f"line {node.lineno}: {hit[0]}")
    return told


def _of_call(node: ast.Call, called: ast.Attribute) -> Iterator[str]:
    name, of_functions = called.attr, isinstance(called.value, ast.Name) and called.value.id == "F"
    if name in FORBIDDEN and (of_functions or name not in _PLAIN_PYTHON):
        yield f"{name}: {FORBIDDEN[name]}"
    texts = [_text(argument) for argument in node.args]
    if name in ("cast", "try_cast") and texts in (["int"], ["integer"]):
        yield f"{name} to int: overflow wraps on Sail: bigint"
    if name == "try_cast" and texts == ["date"]:
        yield "try_cast to date: padded texts differ: medallion.cells.times"
    if name in PATTERNS and (of_functions or name != "split"):
        place = PATTERNS[name][0 if of_functions else 1]
        pattern = texts[place] if place < len(texts) else None
        if name == "split" and pattern == "":
            yield "split by nothing: another list on each engine"
        yield from (
            f"{name} {pattern!r}: {why}" for what, why in DIALECT.items() if pattern and re.search(what, pattern)
        )


def _text(node: ast.expr) -> str | None:
    """A text as far as it is written there: what an f-string puts in is left out."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def modules():
    for room in ROOMS:
        path = ROOT / "src" / "medallion" / room
        assert path.exists(), path
        yield from ([path] if path.is_file() else sorted(path.rglob("*.py")))


@pytest.mark.parametrize("path", [*modules()], ids=lambda p: str(p.relative_to(ROOT / "src" / "medallion")))
def test_only_what_engines_do_alike(path):
    assert found(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "frame.dropDuplicates(['a'])",
        "F.round(x, 2)",
        "frame.cache()",
        "w.option('mergeSchema', 'true')",
        "F.max_by(a, b)",
        "text.rlike('^[0-9]+$')",
        "text.rlike(f'^({plain})$')",
        "F.regexp_replace(text, r'\\s+', ' ')",
        "F.split(text, '')",
        "F.expr('sum(n) over (order by day range between interval 1 day preceding and current row)')",
        "text.try_cast('date')",
        "amount.cast('int')",
        "F.avg('deal_value')",
    ],
)
def test_the_lint_finds(line):
    assert found(line)


def test_python_of_the_same_name_is_not_meant():
    assert not found("round(1.5)\nnp.round(x)\nframe.write.mode('append')\ndatetime.now()\nset().union(of)")
    assert not found(r"text.rlike(r'^[0-9]+\z')" + "\nF.regexp_replace(text, 'a', '$1')")
