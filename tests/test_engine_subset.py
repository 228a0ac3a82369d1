"""The lint of the engine subset: calls that one engine gets silently wrong are not in the code (docs/ENGINES.md)."""

from __future__ import annotations

import ast

import pytest

from conftest import ROOT

#: Attribute called, and what is used instead.
FORBIDDEN = {
    "cache": "does nothing on Sail: save a table",
    "persist": "does nothing on Sail: save a table",
    "intersectAll": "wrong on Sail: group and count",
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
    "current_timestamp": "no transformation reads the clock",
    "current_date": "no transformation reads the clock",
    "now": "no transformation reads the clock",
    "rand": "not repeatable",
    "randn": "not repeatable",
    "monotonically_increasing_id": "not repeatable",
    "from_utc_timestamp": "any zone but UTC is wrong on Sail",
    "to_utc_timestamp": "any zone but UTC is wrong on Sail",
    "rangeBetween": "over dates wrong on Sail: unix_date, and say so here",
}
#: Settings and options that are ignored or do something else.
WORDS = ("partitionOverwriteMode", "txnAppId", "mergeSchema", "binaryFile", "wholetext", "replaceWhere")
#: Rooms that build DataFrames.
ROOMS = (
    "columns.py",
    "quality.py",
    "bronze.py",
    "corrections.py",
    "erased.py",
    "silver.py",
    "features",
    "scoring",
    "gold",
    "pipeline",
    "store.py",
)
_PLAIN_PYTHON = {"mode", "round", "now", "rand"}


def found(source: str) -> list[str]:
    """Forbidden calls in a module's text, with line and remedy."""
    told = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in FORBIDDEN:
            owner = node.func.value
            name = node.func.attr
            if name in _PLAIN_PYTHON and not (isinstance(owner, ast.Name) and owner.id == "F"):
                continue
            told.append(f"line {node.lineno}: {name}: {FORBIDDEN[name]}")
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            told += [f"line {node.lineno}: {word}" for word in WORDS if word == node.value]
    return told


def modules():
    for room in ROOMS:
        path = ROOT / "src" / "medallion" / room
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
    ],
)
def test_the_lint_finds(line):
    assert found(line)


def test_python_of_the_same_name_is_not_meant():
    assert not found("round(1.5)\nnp.round(x)\nframe.write.mode('append')\ndatetime.now()")
