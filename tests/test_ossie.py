"""The semantic model of Apache Ossie: what its text alone says is what the metrics are worth."""

from __future__ import annotations

import json
import re

import sqlglot
import yaml
from typer.testing import CliRunner

from medallion import metrics
from medallion.cli.app import app
from medallion.lakehouse import query
from medallion.metrics.compilers import ossie


def written(sample, tmp_path):
    out = tmp_path / "model.yaml"
    found = CliRunner().invoke(app, ["metrics", "ossie", "--out", str(out), "--lakehouse", sample.root])
    assert found.exit_code == 0, found.output
    document = yaml.safe_load(out.read_text())
    (model,) = document["semantic_model"]
    return document, model


def duckdb(text):
    return sqlglot.transpile(text, read="databricks", write="duckdb")[0]


def expression(one):
    (dialect,) = one["expression"]["dialects"]
    return dialect["expression"]


def test_every_metric_is_worth_the_same_by_the_text_alone(sample, tmp_path):
    document, model = written(sample, tmp_path)
    assert document["version"] == ossie.VERSION
    datasets = {one["name"]: one for one in model["datasets"]}
    seen = 0
    with query.connect(sample, layers=("gold", "silver")) as connection:
        for one in model["metrics"]:
            text = expression(one)
            (name,) = set(re.findall(r"\b([a-z_]+)\.\w+", text)) or {metrics.named(one["name"]).view.entity}
            fields = ", ".join(f"{expression(field)} AS {field['name']}" for field in datasets[name]["fields"])
            source = datasets[name]["source"]
            source = f"({source})" if source.startswith("SELECT") else source
            rows = f"(SELECT {fields} FROM {source}) AS {name}"
            (value,) = connection.execute(duckdb(f"SELECT {text} AS value FROM {rows}")).fetchone()
            metric = metrics.named(one["name"])
            expected = connection.execute(metric.duckdb_sql()).fetchone()[0]
            assert metrics.plain(value) == metrics.plain(expected), one["name"]
            (told,) = one["custom_extensions"]
            assert json.loads(told["data"])["additivity"] == metric.measure.additivity
            seen += 1
    needy = [name for name, one in metrics.metrics().items() if any(p.default is None for p in one.parameters)]
    assert seen + len(needy) == len(metrics.metrics())


def test_names_are_unique_and_links_lead_to_columns(sample, tmp_path):
    _, model = written(sample, tmp_path)
    datasets = {one["name"]: {field["name"] for field in one["fields"]} for one in model["datasets"]}
    assert len(datasets) == len(model["datasets"])
    for one in model["datasets"]:
        assert len(datasets[one["name"]]) == len(one["fields"]), one["name"]
    assert len({one["name"] for one in model["relationships"]}) == len(model["relationships"])
    assert len({one["name"] for one in model["metrics"]}) == len(model["metrics"])
    for one in model["relationships"]:
        assert {*one["from_columns"]} <= datasets[one["from"]], one
        assert {*one["to_columns"]} <= datasets[one["to"]], one
