"""Reference tables for the docs, made from contracts, features and metrics (see the cog blocks in docs/)."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from pathlib import Path

from medallion import contracts, metrics
from medallion.contracts import Column, Table
from medallion.features import Feature
from medallion.gold.customer_features import FEATURES
from medallion.pipeline.silver_to_gold import STEPS, gold_contract


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = list(header)
    lines = [" | ".join(header), " | ".join("---" for _ in header)]
    lines += [" | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _checks(column: Column) -> str:
    words = {
        "null": "required",
        "readable": "readable",
        "accepted": "accepted value",
        "range": "range",
        "pattern": "well-formed",
        "future": "not in the future",
        "reference": f"known {column.reference.entity.removesuffix('s')}" if column.reference else "",
    }
    return ", ".join(f"{words[name]} ({severity})" for name, severity in column.checks.items())


def entity_columns(name: str) -> str:
    """Columns of a silver entity: type, checks, meaning, accepted values and header synonyms."""
    rows = [
        (
            _code(column.name),
            column.type,
            column.description
            + (f" One of {', '.join(map(_code, column.accepted))}." if column.accepted else "")
            + (f" Unit: {column.unit}." if column.unit else "")
            + (" PII." if column.pii else ""),
            _checks(column),
            ", ".join(column.synonyms),
        )
        for column in contracts.entities()[name].columns
    ]
    return _table(("column", "type", "meaning", "checks", "headers also read"), rows)


def provenance() -> str:
    """Columns that every silver row carries."""
    rows = [(_code(column.name), column.type, column.description) for column in contracts.PROVENANCE]
    return _table(("column", "type", "meaning"), rows)


def table_columns(name: str) -> str:
    """Columns of a gold, ops or quarantine table, after its grain, key and invariants."""
    table: Table = gold_contract(name) if name.startswith("gold.") else contracts.table(name)
    head = [f"{table.description} Grain: {table.grain}. Key: {', '.join(map(_code, table.key))}."]
    if table.invariants:
        head.append("Checked after every write: " + "; ".join(map(_code, table.invariants)) + ".")
    rows = [(_code(column.name), column.type, column.unit, column.description) for column in table.columns]
    return "\n\n".join([*head, _table(("column", "type", "unit", "meaning"), rows)])


def gold_tables() -> str:
    """The gold tables with their grain and inputs."""
    rows = [
        (
            f"[`{step.table}`](#{step.table.removeprefix('gold.')})",
            gold_contract(step.table).grain,
            ", ".join(_code(name) for name in step.inputs if name != "moment"),
        )
        for step in STEPS
    ]
    return _table(("table", "grain", "made from"), rows)


def features() -> str:
    """The feature dictionary, by where the feature comes from."""
    groups: dict[str, list[Feature]] = {}
    for feature in FEATURES:
        groups.setdefault(feature.source, []).append(feature)
    parts = []
    for source, members in groups.items():
        rows = [(_code(f.name), f.type, f.unit, f.definition) for f in members]
        parts.append(f"### From {source}\n\n" + _table(("feature", "type", "unit", "definition"), rows))
    return "\n\n".join(parts)


def metric_dictionary() -> str:
    """Every metric with its expression and source."""
    rows = [
        (
            _code(name),
            metric.measure.display_name,
            metric.measure.comment,
            _code(metric.measure.expr),
            _code(metric.view.source),
            ", ".join(dimension.name for dimension in metric.view.dimensions),
        )
        for name, metric in metrics.metrics().items()
    ]
    return _table(("metric", "label", "definition", "expression (Spark SQL)", "source", "dimensions"), rows)


def benchmark(path: Path) -> str:
    """The figures that benchmarks/pipeline.py kept."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    rows = []
    for label, key in (("Medallion on Sail", "medallion"), ("DuckDB by hand", "duckdb_by_hand")):
        middle = {name: statistics.median(run[name] for run in kept[key]) for name in ("wall", "cpu", "peak_mib")}
        rows.append((label, f"{middle['wall']:.1f}", f"{middle['cpu']:.1f}", f"{middle['peak_mib']:,.0f}"))
    versions = ", ".join(f"{name} {version}" for name, version in kept["versions"].items())
    return "\n\n".join(
        [
            f"{kept['interactions']:,} interactions, {len(kept['medallion'])} pairs of runs, {kept['machine']['cores']} "
            f"cores, Python {kept['machine']['python']}, {versions}; medians:",
            _table(("", "seconds", "CPU seconds", "peak MiB"), rows),
            f"Ratio of the seconds, pair by pair, median: **{kept['ratio_median']:.2f}**.",
        ]
    )


def stages(path: Path) -> str:
    """Median seconds of each step of the pipeline in a kept benchmark."""
    runs = json.loads(path.read_text(encoding="utf-8"))["medallion"]
    rows = [(step, f"{statistics.median(run['steps'][step] for run in runs):.1f}") for step in runs[0]["steps"]]
    return _table(("step", "seconds"), rows)
