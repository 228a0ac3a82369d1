"""Metric views and the AI/BI dashboard: what they say is what the metrics are."""

from __future__ import annotations

import itertools
import json
import re

import pytest
import sqlglot
import yaml
from sqlglot import exp

from conftest import ROOT
from medallion import metrics
from medallion.errors import ContractError
from medallion.lakehouse import query
from medallion.powerbi import databricks
from medallion.powerbi.model import modelled


def blocks(catalog="crm"):
    """The name and the declaration of each statement."""
    text = databricks.statements(catalog, "USD")
    found = re.findall(
        r"CREATE OR REPLACE VIEW `crm`\.gold\.(\w+)\nWITH METRICS\nLANGUAGE YAML\nAS \$\$\n(.*?)\$\$;\n", text, re.S
    )
    assert len(found) == text.count("CREATE OR REPLACE VIEW") == 7
    return {name: yaml.safe_load(body) for name, body in found}


def local(sql):
    """SQL for Databricks as the local tables have it."""
    return sqlglot.transpile(sql.replace("`crm`.", ""), read="databricks", write="duckdb")[0]


def test_every_metric_is_declared_once_and_worth_the_same(sample):
    declared = blocks()
    seen = []
    with query.connect(sample, layers=("gold", "silver")) as connection:
        for name, view in declared.items():
            if name.endswith("_by_day_metrics"):
                continue
            source = view["source"] if not view["source"].startswith("SELECT") else f"({view['source']})"
            for measure in view["measures"]:
                seen.append(measure["name"])
                metric = metrics.named(measure["name"])
                assert (measure["display_name"], measure["comment"]) == (
                    metric.measure.display_name, metric.measure.comment,
                )  # fmt: skip
                sql = local(f"SELECT {measure['expr']} AS value FROM {source}")
                (value,) = connection.execute(sql).fetchone()
                assert metrics.plain(value) == metrics.ask(connection, metric.name).value, metric.name
            assert [one["name"] for one in view["dimensions"]] == [
                one.name for one in metrics.named(view["measures"][0]["name"]).view.dimensions
            ]
    assert sorted(seen) == sorted(
        name for name, one in modelled().items() if one.stands_alone and not one.measure.parts
    )


def test_a_quarter_is_the_same_in_a_view_by_day_and_in_a_question(sample):
    """Deals opened, deals won and the ratio of both, under one filter."""
    from medallion.metrics.compilers.duckdb import answer
    from medallion.metrics.question import Question

    seen = 0
    with query.connect(sample, layers=("gold", "silver")) as connection:
        for name, view in blocks().items():
            if not name.endswith("_by_day_metrics"):
                continue
            quarter = next(one["expr"] for one in view["dimensions"] if one["name"] == "quarter")
            for measure in view["measures"]:
                for period, where in (
                    ("2025-Q1", f"{quarter} = '2025-Q1'"),
                    ("2025-Q2", f"{quarter} = '2025-Q2'"),
                    (None, "TRUE"),
                ):
                    sql = local(f"SELECT {measure['expr']} AS value FROM ({view['source']}) WHERE {where}")
                    (value,) = connection.execute(sql).fetchone()
                    asked = answer(connection, Question.read(measure["name"], period=period)).value
                    assert metrics.plain(value) == pytest.approx(asked, abs=1e-6), (measure["name"], period)
                    seen += 1
    assert seen > 50
    names = {one["name"] for one in blocks()["deals_by_day_metrics"]["measures"]}
    assert {"conversion_rate", "conversion_rate_by_period", "revenue", "total_leads"} <= names


def test_formats_are_those_that_databricks_knows():
    for view in blocks().values():
        assert set(view) <= {"version", "comment", "source", "filter", "dimensions", "measures"}
        for measure in view["measures"]:
            form = measure["format"]
            assert form["type"] in ("number", "percentage", "currency")
            assert ("currency_code" in form) == (form["type"] == "currency")
            assert form["decimal_places"]["type"] == "exact"
            assert ":" not in measure["expr"]


def as_metric_views_do(sql, declared):
    """The query with MEASURE and dimensions replaced by what the view declares, as Databricks reads it."""
    tree = sqlglot.parse_one(sql, read="databricks")
    (table,) = tree.find_all(exp.Table)
    view = declared[table.name]
    known = {one["name"]: one["expr"] for one in (*view["dimensions"], *view["measures"])}

    def replaced(node):
        if isinstance(node, exp.Anonymous) and node.name.upper() == "MEASURE":
            return sqlglot.parse_one(known[node.expressions[0].name], read="databricks")
        if isinstance(node, exp.Column) and node.name in known and not node.find_ancestor(exp.Order):
            return sqlglot.parse_one(known[node.name], read="databricks")
        return node

    source = view["source"] if not view["source"].startswith("SELECT") else f"({view['source']})"
    table.replace(exp.to_identifier("__source"))
    tree.set("order", None)
    return local(tree.transform(replaced).sql("databricks").replace("__source", source))


def test_queries_of_the_dashboard_give_what_the_metrics_are(sample):
    declared, board = blocks(), databricks.dashboard("crm", "USD")
    assert len(board["datasets"]) > 30
    with query.connect(sample, layers=("gold", "silver")) as connection:
        for dataset in board["datasets"]:
            (sql,) = dataset["queryLines"]
            names = re.findall(r"MEASURE\((\w+)\)", sql)
            split = [one for one in re.findall(r"(?<=SELECT )(.*?)MEASURE", sql)[0].split(", ") if one]
            filters = [metrics.Filter.parse("status=open")] if "IN ('open')" in sql else []
            filters += [metrics.Filter.parse("status=won,lost")] if "IN ('won', 'lost')" in sql else []
            filters += [metrics.Filter("closed_month", ("",), "!=")] if "closed_month IS NOT NULL" in sql else []
            found = connection.execute(as_metric_views_do(sql, declared)).fetchall()
            for place, name in enumerate(names):
                answer = metrics.ask(connection, name, by=split, where=filters)
                expected = {tuple(row[one] for one in split): row["value"] for row in answer.rows}
                told = {row[: len(split)]: metrics.plain(row[len(split) + place]) for row in found}
                assert told == expected, dataset["name"]
                if "closed_month" in split:
                    assert (None,) not in told, "open deals in a chart by month closed"


def test_widgets_show_columns_of_their_query_and_lie_apart():
    board = databricks.dashboard("crm", "USD")
    queries = {one["name"]: one["queryLines"][0] for one in board["datasets"]}
    used = set()
    for page in board["pages"]:
        for item in page["layout"]:
            place = item["position"]
            assert place["x"] + place["width"] <= 6
            if "queries" in item["widget"]:
                (asked,) = item["widget"]["queries"]
                used.add(asked["query"]["datasetName"])
                fields = {one["name"] for one in asked["query"]["fields"]}
                sql = queries[asked["query"]["datasetName"]]
                for one in fields:
                    assert re.search(rf"\b{one}\b", sql.split(" FROM ")[0])
                encoded = re.findall(r'"fieldName": "(\w+)"', json.dumps(item["widget"]["spec"]))
                assert set(encoded) == fields
        for one, other in itertools.combinations([item["position"] for item in page["layout"]], 2):
            assert (
                one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
                or one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
            )  # fmt: skip
    assert used == set(queries)


@pytest.mark.parametrize("catalog", ["a b", "x`; DROP", "", "a.b"])
def test_what_is_no_catalog_is_refused(catalog):
    with pytest.raises(ContractError, match="is no name of a catalog"):
        databricks.statements(catalog, "USD")


def test_the_shipped_files_are_current(tmp_path):
    """`dashboards/databricks` is what `medallion metrics databricks` writes."""
    for path in databricks.write(tmp_path, "crm", "USD"):
        assert path.read_text() == (ROOT / "dashboards" / "databricks" / path.name).read_text()
