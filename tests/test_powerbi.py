"""The Power BI files, read back by a reader of its own (pbixray), and every field, box and name in them."""

from __future__ import annotations

import itertools
import json
import re
import sys
import zipfile
from datetime import datetime
from decimal import Decimal

import pytest

from conftest import NOW, ROOT
from medallion import metrics
from medallion.errors import MedallionError
from medallion.lakehouse import query
from medallion.powerbi import build, m, model, pages, rows, tmdl
from medallion.powerbi.check import check
from medallion.powerbi.evaluate import Evaluator

pytest.importorskip("pbix_mcp.builder", reason="needs the extra powerbi")
pbixray = pytest.importorskip("pbixray")

#: Names and texts that someone else chose.
HOSTILE = {
    "customers.csv": (
        "customer_id,customer_name,industry,country,employee_count\n"
        'C1,"Bob\'s ""Best"", Inc.",Retail,France,9\n'
        "C2,東京 & <b>Ünï</b>,=1+1,France,99\n"
        'C3,"two\nlines",Media,,\n'
        "C4,#(lf) tail ,Media,Chad,5000\n"
    ),
    "leads.csv": (
        "lead_id,customer_id,source,status,stage,deal_value,created_at,closed_at,expected_close_date,owner\n"
        "L1,C1,referral,won,closed_won,100.25,2025-01-03,2025-02-01,2025-02-02,O'Brien [x]\n"
        "L2,C2,event,open,demo,,2025-01-05,,1850-01-01,\n"
        "L3,C3,event,lost,closed_lost,7.10,2025-01-09,2025-03-01,,Ann\n"
        "L4,,website,open,demo,70000000.01,2025-01-09,,2025-09-01,Ann\n"
    ),
    "interactions.csv": (
        "interaction_id,customer_id,channel,occurred_at,outcome\n"
        "I1,C1,call,2025-01-20 23:59:59,positive\n"
        "I2,C2,email,2025-02-01,no_answer\n"
        "I3,C2,whatsapp,2025-02-28,\n"
    ),
}


def read(lake):
    with query.connect(lake, layers=("gold", "silver")) as connection:
        return rows.read(connection, model.model())


def written(lake, folder):
    with query.connect(lake, layers=("gold", "silver")) as connection:
        return build.build(connection, folder, currency="USD")


@pytest.fixture(scope="module")
def hostile(spark, tmp_path_factory):
    """A lakehouse of those."""
    from medallion import pipeline
    from medallion.config import load
    from medallion.lakehouse.store import Lakehouse

    folder = tmp_path_factory.mktemp("hostile")
    for name, text in HOSTILE.items():
        (folder / name).write_text(text, encoding="utf-8")
    lake = Lakehouse(str(folder / "lakehouse"))
    pipeline.run(load(None, source=str(folder), lakehouse=lake.root), NOW)
    return lake


@pytest.fixture(scope="module")
def built(sample, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dashboards")
    written(sample, folder)
    return folder


def plain(value):
    """A cell as text or number, None where there is none."""
    if value is None or str(value) in ("<NA>", "NaT", "nan"):
        return None
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime()
    if isinstance(value, (Decimal, float)):
        return round(float(value), 9)
    return value if isinstance(value, (str, datetime, bool)) else int(value)


def cells(reader, table):
    frame = reader.get_table(table.name)
    return [tuple(map(plain, row)) for row in frame[[one.name for one in table.columns]].itertuples(index=False)]


@pytest.mark.parametrize("which", ["sample", "hostile"])
@pytest.mark.slow
def test_an_independent_reader_sees_the_same_cells(which, request, tmp_path):
    lake = request.getfixturevalue(which)
    written(lake, tmp_path)
    reader, expected = pbixray.PBIXRay(str(tmp_path / f"{build.NAME}.pbix")), read(lake)
    assert sorted(reader.tables) == sorted(one.name for one in model.model().tables)
    for table in model.model().tables:
        # Power BI strips blanks at the end of texts
        told = [
            tuple(c.rstrip() if isinstance(c, str) else plain(c) for c in row) for row in expected.tables[table.name]
        ]
        assert cells(reader, table) == told, table.name
    if which == "hostile":
        names = {row[1] for row in cells(reader, model.model().table("Customers"))}
        assert {'Bob\'s "Best", Inc.', "東京 & <b>Ünï</b>", "#(lf) tail"} <= names
        assert any("1850" in note or "before 1900-03-01" in note for note in expected.notes)
        assert datetime(1900, 3, 1) in {row[11] for row in expected.tables["Deals"]}


def test_the_rows_are_those_of_gold(sample):
    """Cell for cell, where a column is not derived."""
    found = read(sample)
    with query.connect(sample, layers=("gold", "silver")) as connection:
        for table in model.model().tables:
            plainly = [n for n, one in enumerate(table.columns) if not one.sql]
            if table.kind != "gold":
                continue
            names = ", ".join(table.columns[n].source for n in plainly)
            gold = connection.execute(f"select {names} from {table.source}").fetchall()
            here = [tuple(row[n] for n in plainly) for row in found.tables[table.name]]
            days = [tuple(v.date() if isinstance(v, datetime) else v for v in row) for row in here]
            assert sorted(map(str, days)) == sorted(map(str, gold)), table.name


def test_an_independent_reader_sees_measures_relationships_and_queries(built):
    reader, whole = pbixray.PBIXRay(str(built / f"{build.NAME}.pbix")), model.model()
    measures = {r.Name: r for r in reader.dax_measures.itertuples()}
    assert {name: r.Expression for name, r in measures.items()} == {one.name: one.expression for one in whole.measures}
    assert {name: r.DisplayFolder for name, r in measures.items()} == {one.name: one.folder for one in whole.measures}
    found = {
        (r.FromTableName, r.FromColumnName, r.ToTableName, r.ToColumnName, bool(r.IsActive))
        for r in reader.relationships.itertuples()
    }
    assert found == {(one.table, one.column, one.to, one.to_column, one.active) for one in whole.relationships}
    queries = {r.TableName: r.Expression for r in reader.power_query.itertuples()}
    assert {name: text for name, text in queries.items() if name != "Time"} == {
        one.name: m.partition(one, whole, m.Folder()) for one in whole.tables if not one.items
    }
    parameters = {r.ParameterName: r.Expression for r in reader.m_parameters.itertuples()}
    assert parameters == {one.name: one.text for one in m.expressions(m.Folder())}


def metadata(path):
    """The data model's own tables."""
    import sqlite3

    from pbix_mcp.formats.abf_rebuild import read_metadata_sqlite
    from pbix_mcp.formats.datamodel_roundtrip import decompress_datamodel

    content = read_metadata_sqlite(decompress_datamodel(zipfile.ZipFile(path).read("DataModel")))
    connection = sqlite3.connect(":memory:")
    connection.deserialize(content)
    return connection


def test_what_the_builder_has_no_words_for_is_in_the_model(built):
    found = metadata(built / f"{build.NAME}.pbix")
    assert found.execute("select DataCategory from [Table] where Name = 'Date' and ModelID = 1").fetchone() == ("Time",)
    keys = found.execute("select ExplicitName from [Column] where IsKey = 1 and Type = 1").fetchall()
    assert keys == [("Date",)]
    sorted_by = dict(
        found.execute(
            "select c.ExplicitName, s.ExplicitName from [Column] c join [Column] s on s.ID = c.SortByColumnID"
        )
    )
    assert sorted_by["Lead quality"] == "lead_quality_order"
    hidden = {name for (name,) in found.execute("select ExplicitName from [Column] where IsHidden = 1 and Type = 1")}
    assert hidden == {one.name for table in model.model().tables for one in table.columns if one.hidden}
    summed = found.execute(
        "select count(*) from [Column] c join [Table] t on t.ID = c.TableID "
        "where SummarizeBy <> 2 and Type = 1 and ModelID = 1"
    ).fetchone()
    assert summed == (0,)
    (largest,) = found.execute("select VALUE from DBPROPERTIES where NAME = 'MAXID'").fetchone()
    tables = [row[0] for row in found.execute("select name from sqlite_master where type = 'table'")]
    ids = []
    for table in tables:
        if any(column[1] == "ID" for column in found.execute(f"pragma table_info([{table}])")):
            ids += [row[0] for row in found.execute(f"select ID from [{table}]")]
    assert max(ids) <= int(largest)
    names = list(found.execute("select ObjectID, ObjectType, Name from Annotation"))
    assert len(names) == len(set(names)), "an annotation is there twice"


@pytest.mark.parametrize("which", [pytest.param("sample", marks=pytest.mark.nightly), "hostile"])
@pytest.mark.slow
def test_every_measure_is_its_metric_in_every_filter_context(which, request):
    with query.connect(request.getfixturevalue(which), layers=("gold", "silver")) as connection:
        found = check(connection, model.model(), rows.read(connection, model.model()), most=3)
    assert [row for row in found if not row["same"]] == []
    assert {row["metric"] for row in found} == model.modelled().keys()
    assert sum(row["contexts"] for row in found) > 800
    assert min(row["contexts"] for row in found) >= 10


def test_a_measure_that_is_not_its_metric_is_told(sample, monkeypatch):
    """Conversion by the day closed, where it is by the day opened."""
    from dataclasses import replace

    whole = model.model()
    wrong = replace(whole, measures=tuple(
        replace(one, expression=one.expression.replace("[Day opened]", "[Day closed]")) for one in whole.measures
        if one.metric == "conversion_rate"
    ))  # fmt: skip
    with query.connect(sample, layers=("gold", "silver")) as connection:
        (found,) = check(connection, wrong, rows.read(connection, whole), most=3)
    assert not found["same"]
    assert any(text.startswith("period 2025-Q") for text in found["different"])


def test_measures_that_need_the_date_table(sample):
    """Figures at the end of a month, against SQL."""
    evaluator = Evaluator(model.model(), read(sample))
    with query.connect(sample, layers=("gold",)) as connection:
        last = query.rows(
            connection,
            "select strftime(day, '%Y-%m') as month, max_by(revenue_30d, day) as r, "
            "max_by(cumulative_revenue, day) as c from gold.sales_summary group by 1",
        )
    assert len(last) == 9
    for row in last:
        told = evaluator.values(
            ["Revenue of 30 days", "Revenue to date"], {("Date", "Month"): [row["month"]]}, by=[("Date", "Month")],
        )  # fmt: skip
        assert [float(v) for v in told.values()] == [float(row[key]) for key in "rc"], row["month"]


def test_a_quarter_is_the_same_in_power_bi_and_in_a_question(sample):
    """Conversion by the deals opened, revenue by the deals closed, open pipeline at the end."""
    from medallion.metrics.compilers.duckdb import answer
    from medallion.metrics.question import Question

    evaluator = Evaluator(model.model(), read(sample))
    with query.connect(sample, layers=("gold", "silver")) as connection:
        for period in ("2025-Q1", "2025-Q2"):
            for field, where in (({}, ()), ({("Reps", "Owner"): ["Priya Nair"]}, ("owner = Priya Nair",))):
                context = {("Date", "Quarter"): [period], **field}
                for name in ("conversion_rate", "conversion_rate_by_period", "revenue", "open_pipeline", "total_leads",
                             "open_value_due", "stage_entries"):  # fmt: skip
                    if where and name == "stage_entries":
                        continue
                    asked = answer(connection, Question.read(name, where=list(where), period=period))
                    label = metrics.named(name).measure.display_name
                    told = evaluator.values([label], context)[label]
                    assert (told or 0) == pytest.approx(asked.value or 0, rel=1e-9), (name, period)
    past = evaluator.values(["Open pipeline", "Silent deals", "Customers"], {("Date", "Quarter"): ["2025-Q1"]})
    assert past["Open pipeline"] > 0
    assert (past["Silent deals"], past["Customers"]) == (None, None), "known as of the last day alone"
    ahead = evaluator.values(["Open pipeline", "Open value due"], {("Date", "Year"): [2026]})
    assert ahead["Open pipeline"] is None


def test_days_of_states_are_those_that_questions_count():
    """Whatever the business time zone, which the columns `from_day` and `to_day` of gold follow."""
    columns = {one.source: one.sql for one in model.model().table("Deal changes").columns}
    assert columns["from_day"] == "CAST(valid_from AS DATE)"
    assert columns["to_day"] == "CAST(valid_to AS DATE)"


def test_a_stock_of_an_earlier_day_is_blank_where_its_history_cannot_be_filtered(sample):
    evaluator = Evaluator(model.model(), read(sample))
    deal = evaluator.distinct(("Deals", "Deal"))[:1]
    for period, known in (("2025-Q1", False), ("2025-Q2", True)):
        told = evaluator.values(["Open deals"], {("Date", "Quarter"): [period], ("Deals", "Deal"): deal})
        assert (told["Open deals"] is not None) == known


def test_what_has_no_time_column_is_blank_in_a_period(sample):
    evaluator = Evaluator(model.model(), read(sample))
    names = ["Interactions", "Revenue per buying customer"]
    assert None not in evaluator.values(names).values()
    assert set(evaluator.values(names, {("Date", "Year"): [2025]}).values()) == {None}


def test_the_calculation_group_compares_as_a_question_does(sample):
    from medallion.metrics.compilers.duckdb import answer
    from medallion.metrics.question import Question

    evaluator = Evaluator(model.model(), read(sample))
    with query.connect(sample, layers=("gold", "silver")) as connection:
        for name in ("revenue", "open_pipeline", "conversion_rate_by_period"):
            label = metrics.named(name).measure.display_name
            for field, value in (
                ("Month", "2025-06"),
                ("Quarter", "2025-Q2"),
                ("Week", "2025-W24"),
            ):
                for item, compare in (("Previous", "previous"), ("Year ago", "year-ago"), ("Change", "previous")):
                    try:
                        row = answer(connection, Question.read(name, period=value, compare=compare)).rows[0]
                    except MedallionError:  # before the data begins
                        row = {"value_before": 0, "value_change": 0}
                    told = evaluator.values([label], {("Date", field): [value], ("Time", "Time"): [item]})[label]
                    expected = row["value_change" if item == "Change" else "value_before"]
                    assert told is None or told == pytest.approx(expected, abs=1e-6), (name, value, item)
                    assert told is not None or not expected or item == "Change", (name, value, item)
            for item, period in (("Month to date", "mtd"), ("Quarter to date", "qtd"), ("Year to date", "ytd")):
                asked = answer(connection, Question.read(name, period=period)).value
                told = evaluator.values([label], {("Time", "Time"): [item]})[label]
                assert (told or 0) == pytest.approx(asked or 0, abs=1e-6), (name, item)


def test_the_date_table_names_periods_as_questions_do(monkeypatch):
    from datetime import date

    from medallion.metrics import periods
    from medallion.powerbi import dates

    for fiscal in (1, 4):
        names = ["Date", *(one.name for one in dates.parts(fiscal))]
        for row in dates.days(date(2024, 12, 20), date(2025, 4, 5), fiscal):
            told = dict(zip(names, row, strict=True))
            for column in ("Year", "Quarter", "Month", "Week", "Fiscal year", "Fiscal quarter"):
                span = periods.read(str(told[column]), periods.Today(None, fiscal))
                assert span.first <= told["Date"].date() <= span.last, (column, told)
            assert told["Month name"] == f"{told['Date']:%B}"
            assert told["Day of week"] == f"{told['Date']:%A}"
    assert "Fiscal year to date" in [one.name for one in dates.items(4)]
    assert "Fiscal year to date" not in [one.name for one in dates.items(1)]


def test_hierarchies_and_the_calculation_group_are_in_every_file(built):
    whole, found = model.model(), metadata(built / f"{build.NAME}.pbix")
    ways = [
        (t.name, one.name, place, level)
        for t in whole.tables for one in t.hierarchies for place, level in enumerate(one.levels)
    ]  # fmt: skip
    told = found.execute(
        "select t.Name, h.Name, l.Ordinal, c.ExplicitName from Level l join Hierarchy h on h.ID = l.HierarchyID "
        "join [Table] t on t.ID = h.TableID join [Column] c on c.ID = l.ColumnID where t.ModelID = 1"
    ).fetchall()
    assert sorted(told) == sorted(ways)
    items = [(one.name, one.expression) for one in whole.table("Time").items]
    assert found.execute("select Name, Expression from CalculationItem order by Ordinal").fetchall() == items
    (partition,) = found.execute(
        "select p.Type, p.QueryDefinition from [Partition] p join [Table] t on t.ID = p.TableID where t.Name = 'Time'"
    ).fetchall()
    assert partition == (7, None)
    schema = json.loads(zipfile.ZipFile(built / f"{build.NAME}.pbit").read("DataModelSchema").decode("utf-16-le"))
    (time,) = [one for one in schema["model"]["tables"] if one["name"] == "Time"]
    assert [(one["name"], one["expression"]) for one in time["calculationGroup"]["calculationItems"]] == items
    text = (built / f"{build.NAME}.SemanticModel/definition/tables/Time.tmdl").read_text()
    assert [line.strip() for line in text.splitlines() if "calculationItem" in line] == [
        f"calculationItem {tmdl.name(name)} = {expression}" for name, expression in items
    ]
    dates = (built / f"{build.NAME}.SemanticModel/definition/tables/Date.tmdl").read_text()
    assert re.findall(r"hierarchy (.*)|level (.*)", dates)[:3] == [("Calendar", ""), ("", "Year"), ("", "Quarter")]


def test_a_slicer_reaches_every_visual_of_its_page():
    from dataclasses import replace

    from medallion.errors import ContractError
    from medallion.powerbi import reach

    whole = model.model()
    by_name = {page.name: page for page in pages.pages()}
    for page in by_name.values():
        reach.check(page, whole)
    chosen = {
        name: pages.Visual("slicer", name, {"Values": (field,)}, name)
        for name, field in (
            ("Quarter", ("Date", "Quarter")), ("Industry", ("Customers", "Industry")), ("Value", ("Deals", "Value")),
        )
    }  # fmt: skip
    for page, slicer, told in (
        ("channels", "Quarter", "the slicer Quarter does not reach Interactions of 'Interactions'"),
        ("channels", "Industry", "the slicer Industry does not reach Interactions"),
        ("lead_scoring_pipeline", "Quarter", "Quarter does not reach Weighted pipeline"),
        ("lead_scoring_pipeline", "Value", "Value does not reach Open pipeline"),
        ("account", "Value", "Value does not reach Open pipeline"),
    ):
        wrong = replace(by_name[page], visuals=(*by_name[page].visuals, chosen[slicer]))
        with pytest.raises(ContractError, match=told):
            reach.check(wrong, whole)


def test_an_account_is_drilled_through_to_where_it_reaches_every_figure():
    from dataclasses import replace

    from medallion.errors import ContractError
    from medallion.powerbi import reach

    (page,) = (one for one in pages.pages() if one.drill)
    wrong = replace(
        page, visuals=(*page.visuals, pages.Visual("card", "All", {"Values": ("Attributed revenue",)}, "All"))
    )
    with pytest.raises(ContractError, match="Customer does not reach Attributed revenue of 'All'"):
        reach.check(wrong, model.model())


def test_a_card_says_the_change_on_the_period_before(sample):
    evaluator = Evaluator(model.model(), read(sample))
    item = {("Time", "Time"): ["Compared"]}
    assert evaluator.values(["Revenue"], item)["Revenue"] == "Choose a period"
    quarters = [{**item, ("Date", "Quarter"): [one]} for one in ("2025-Q2", "2024-Q4")]
    assert [evaluator.values(["Revenue"], one)["Revenue"].replace("\\", "") for one in quarters] == [
        "$210,000 on previous",
        "Nothing to compare",
    ]


def test_fields_of_the_pages_are_in_the_model():
    for page in pages.pages():
        for visual in page.visuals:
            assert visual.fields or visual.kind == "textbox"
            for field in visual.used:
                found = model.model().measure(field) if isinstance(field, str) else model.model().table(field[0])
                if not isinstance(field, str):
                    assert not found.column(field[1]).hidden, field


def test_shipped_dimensions_are_columns_of_the_model_and_own_ones_may_not_be():
    for metric in model.modelled().values():
        left_out = {one.name for one in metric.view.dimensions if model.dimension(metric, one.name) is None}
        assert {metric.dimension(name).type for name in left_out} <= {"month"}, metric.name
    revenue = metrics.metrics()["revenue"]
    own = revenue.view.dimensions[0].model_copy(update={"name": "size_class", "expr": "length(owner)"})
    view = revenue.view.model_copy(update={"dimensions": (*revenue.view.dimensions, own)})
    assert model.dimension(metrics.Metric(view, revenue.measure), "size_class") is None


def test_visuals_lie_on_the_canvas_and_apart():
    for page in pages.pages():
        for visual in page.visuals:
            box = visual.box
            assert box.x >= 0
            assert box.y >= 0
            assert box.x + box.width <= page.width
            assert box.y + box.height <= page.height
            assert min(box.width, box.height) >= 30
        for one, other in itertools.combinations([visual.box for visual in page.visuals], 2):
            apart = (
                one.x + one.width <= other.x or other.x + other.width <= one.x
                or one.y + one.height <= other.y or other.y + other.height <= one.y
            )  # fmt: skip
            assert apart, (page.name, one, other)


def test_pages_are_told_to_those_who_do_not_see_them(built):
    for page in pages.pages():
        assert [visual.order for visual in page.visuals] == list(range(1, len(page.visuals) + 1))
        assert len({visual.name for visual in page.visuals}) == len(page.visuals)
        assert page.question.endswith("?")
        for visual in page.visuals:
            path = f"{build.NAME}.Report/definition/pages/{page.name}/visuals/{visual.name}/visual.json"
            frame = json.loads((built / path).read_text())["visual"]["visualContainerObjects"]
            told = frame["general"][0]["properties"]["altText"]["expr"]["Literal"]["Value"]
            assert told.strip("'")


def test_pbix_and_project_show_the_same(built):
    """Visuals, positions and fields of the classic layout and of PBIR."""
    archive = zipfile.ZipFile(built / f"{build.NAME}.pbix")
    layout = json.loads(archive.read("Report/Layout").decode("utf-16-le"))
    assert [section["displayName"] for section in layout["sections"]] == [page.title for page in pages.pages()]
    for section in layout["sections"]:
        for container in section["visualContainers"]:
            config = json.loads(container["config"])
            place = f"{build.NAME}.Report/definition/pages/{section['name']}/visuals/{config['name']}/visual.json"
            other = json.loads((built / place).read_text())
            assert {k: container[k] for k in ("x", "y", "width", "height")} == {
                k: other["position"][k] for k in ("x", "y", "width", "height")
            }
            single, visual = config["singleVisual"], other["visual"]
            assert single["visualType"] == visual["visualType"]
            here = {role: [f["queryRef"] for f in fields] for role, fields in single.get("projections", {}).items()}
            state = visual.get("query", {}).get("queryState", {})
            assert here == {role: [p["queryRef"] for p in one["projections"]] for role, one in state.items()}
    for page in pages.pages():
        (section,) = (one for one in layout["sections"] if one["name"] == page.name)
        told = json.loads((built / f"{build.NAME}.Report/definition/pages/{page.name}/page.json").read_text())
        pods = [one for one in layout["pods"] if one["boundSection"] == page.name]
        assert (
            (told.get("visibility") == "HiddenInViewMode") == (section["config"] != "{}") == bool(pods) == page.hidden
        )
        if page.hidden:
            assert (pods[0]["name"], pods[0]["type"]) == (
                told["pageBinding"]["name"], {"Drillthrough": 1, "Tooltip": 2}[told["pageBinding"]["type"]],
            )  # fmt: skip
        filters = json.loads(section["filters"]), told.get("filterConfig", {}).get("filters", [])
        assert [one["expression"] for one in filters[0]] == [one["field"] for one in filters[1]]
        if page.drill:
            assert json.loads(pods[0]["parameters"]) == told["pageBinding"]["parameters"]
            assert told["pageBinding"]["parameters"][0]["boundFilter"] == filters[1][0]["name"]
    tips = [one.name for page in pages.pages() for one in page.visuals if one.tips]
    assert len(tips) == json.dumps(layout).count("visualTooltip") == 4
    template = zipfile.ZipFile(built / f"{build.NAME}.pbit")
    assert archive.getinfo("DataModel").compress_type == zipfile.ZIP_STORED
    assert json.loads(template.read("Report/Layout").decode("utf-16-le")) == layout
    assert "DataModel" not in template.namelist()
    assert archive.read("[Content_Types].xml").startswith(b"\xef\xbb\xbf<?xml")


def test_the_project_and_the_template_tell_the_same_model(built):
    schema = json.loads(zipfile.ZipFile(built / f"{build.NAME}.pbit").read("DataModelSchema").decode("utf-16-le"))
    folder = built / f"{build.NAME}.SemanticModel" / "definition"
    for table in schema["model"]["tables"]:
        text = (folder / "tables" / f"{table['name']}.tmdl").read_text()
        assert re.findall(r"^\tcolumn (.*)$", text, re.M) == [tmdl.name(one["name"]) for one in table["columns"]]
        assert re.findall(r"^\tmeasure ('(?:[^']|'')+'|\w+) = ", text, re.M) == [
            tmdl.name(one["name"]) for one in table.get("measures", [])
        ]
        for line in table["partitions"][0]["source"].get("expression", ()):
            assert line in text
        assert "    \n" not in text
    assert (folder / "relationships.tmdl").read_text().count("relationship ") == len(schema["model"]["relationships"])
    assert "isActive: false" in (folder / "relationships.tmdl").read_text()


def test_a_reader_of_tmdl_sees_the_model(built):
    """The parser of pbix-mcp, which takes no part in writing the text."""
    from pbix_mcp.formats.tmdl_reader import parse_tmdl_folder

    found, whole = parse_tmdl_folder(str(built / f"{build.NAME}.SemanticModel" / "definition")), model.model()
    tables = {one["name"]: one for one in found["tables"]}
    assert sorted(tables) == sorted(one.name for one in whole.tables)
    for table in whole.tables:
        told = [
            (c["name"], c["data_type"], c["source_column"], c["is_hidden"], c["sort_by_column"], c["format_string"])
            for c in tables[table.name]["columns"]
        ]
        assert told == [(c.name, c.type, c.source, c.hidden, c.sort_by, c.form) for c in table.columns]
        if table.items:
            continue
        (query_,) = tables[table.name]["partitions"]
        assert query_["source"] == m.partition(table, whole, m.Folder())
    measures = [(one["name"], one["expression"], one["format_string"]) for one in tables["Metrics"]["measures"]]
    assert measures == [(one.name, one.expression, one.form) for one in whole.measures]
    links = [
        (r["from_table"], r["from_column"], r["to_table"], r["to_column"], r["is_active"])
        for r in found["relationships"]
    ]
    assert links == [(r.table, r.column, r.to, r.to_column, r.active) for r in whole.relationships]
    assert [one["name"] for one in found["expressions"]] == [one.name for one in m.expressions(m.Folder())]


def test_a_build_after_new_data_changes_the_data_and_nothing_else(built, sample, hostile, tmp_path):
    again, other = tmp_path / "again", tmp_path / "other"
    written(sample, again)
    written(hostile, other)
    for path in built.rglob("*"):
        if path.is_file() and path.suffix != ".pbix":
            content = path.read_bytes()
            assert content == (again / path.relative_to(built)).read_bytes(), path
            assert content == (other / path.relative_to(built)).read_bytes(), path
    first, second = (pbixray.PBIXRay(str(one / f"{build.NAME}.pbix")) for one in (built, again))
    for table in model.model().tables:
        assert cells(first, table) == cells(second, table)
    third = pbixray.PBIXRay(str(other / f"{build.NAME}.pbix"))
    assert cells(third, model.model().table("Deals")) != cells(first, model.model().table("Deals"))
    assert third.dax_measures.equals(first.dax_measures)


def test_what_a_warehouse_is_asked_gives_the_same_rows(hostile, spark):
    """The SQL of the Databricks source, run by Spark, against what DuckDB read."""
    from medallion.lakehouse import store

    found, whole = read(hostile), model.model()
    names = {name for one in whole.tables for name in one.sources}
    for name in names:
        store.read(spark, hostile, name).createOrReplaceTempView(name.replace(".", "_"))
    for table in whole.tables:
        if not (table.is_read or table.kind == "dates"):
            continue
        sql = rows.spark_sql(table, "crm")
        for name in names:
            sql = sql.replace(f"`crm`.{name}", name.replace(".", "_"))
        told = [tuple(row) for row in spark.sql(sql).collect()]
        days = [tuple(v.date() if isinstance(v, datetime) else v for v in row) for row in found.tables[table.name]]
        assert sorted(map(str, told)) == sorted(map(str, days)), table.name


def test_a_live_report_asks_the_warehouse(sample, tmp_path):
    source = m.Databricks("adb-1.azuredatabricks.net", "/sql/1.0/warehouses/x", "crm", live=True)
    with query.connect(sample, layers=("gold", "silver")) as connection:
        with pytest.raises(MedallionError, match="a live report holds no data"):
            build.build(connection, tmp_path, source, currency="USD")
        build.build(connection, tmp_path, source, with_data=False, currency="USD")
    tables = tmp_path / f"{build.NAME}.SemanticModel/definition/tables"
    modes = {path.stem: re.search(r"mode: (\w+)", path.read_text())[1] for path in tables.iterdir()}
    assert {name for name, mode in modes.items() if mode == "import"} == {"Metrics", "Sales target", "Time"}
    deals = (tables / "Deals.tmdl").read_text()
    assert 'FROM `" & DatabricksCatalog & "`.gold.deals"' in deals
    assert "Gold(" not in deals
    assert not (tmp_path / f"{build.NAME}.pbix").exists()


def test_what_was_told_before_does_not_stay_behind(built, sample, tmp_path):
    written(sample, tmp_path)
    old = tmp_path / f"{build.NAME}.Report/definition/pages/old/page.json"
    kept = tmp_path / "mine.txt"
    old.parent.mkdir()
    old.write_text("{}")
    kept.write_text("mine")
    written(sample, tmp_path)
    assert not old.exists()
    assert kept.read_text() == "mine"


class Given:
    """In place of a connection: these rows of one table, none of the others."""

    def __init__(self, source, *found):
        self.source, self.found = source, found

    def execute(self, sql):
        self.chosen = self.found if self.source in sql.split("FROM", 1)[1] else ()
        return self

    def fetchall(self):
        return list(self.chosen)


def customer(**values):
    return tuple(values.get(one.source) for one in model.model().table("Customers").columns)


def test_keys_that_power_bi_takes_for_one_are_refused():
    given = Given("gold.customer_features", customer(customer_id="C1"), customer(customer_id="c1 "))
    with pytest.raises(MedallionError, match=r"customer_id 'C1' and 'c1 ' are one and the same to Power BI"):
        rows.read(given, model.model())


def test_money_beyond_what_power_bi_holds_is_refused():
    most = Decimal("922337203685477.00")
    given = Given("gold.customer_features", customer(customer_id="C1", annual_revenue=most))
    assert rows.read(given, model.model()).tables["Customers"][0][8] == most
    given = Given("gold.customer_features", customer(customer_id="C1", annual_revenue=most + 1))
    with pytest.raises(MedallionError, match=r"annual_revenue has 922337203685478.00"):
        rows.read(given, model.model())


def test_more_rows_than_a_file_holds_are_refused(sample, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "MOST_ROWS", 100)
    with query.connect(sample, layers=("gold", "silver")) as connection:
        with pytest.raises(MedallionError, match=r"386 rows, and a .pbix is written with at most 100\nAdd --no-data"):
            build.build(connection, tmp_path, currency="USD")
        made = build.build(connection, tmp_path, with_data=False, currency="USD")
    assert not (tmp_path / f"{build.NAME}.pbix").exists()
    assert (tmp_path / f"{build.NAME}.pbit") in made.files


@pytest.mark.slow
def test_empty_tables_make_a_report_too(deliver, tmp_path):
    """Customers alone: no deal, no touch, no day."""
    _, lake = deliver({"customers.csv": HOSTILE["customers.csv"], "leads.csv": HOSTILE["leads.csv"].split("\n")[0] + "\n",
                       "interactions.csv": HOSTILE["interactions.csv"].split("\n")[0] + "\n"})  # fmt: skip
    made = written(lake, tmp_path)
    assert made.rows["Deals"] == made.rows["Touches"] == 0
    assert made.rows["Customers"] == 4
    reader = pbixray.PBIXRay(str(tmp_path / f"{build.NAME}.pbix"))
    assert len(reader.get_table("Customers")) == 4


def test_the_guide_tells_the_figures_of_the_sample(sample):
    guide = (ROOT / "dashboards" / "dashboard_guide.md").read_text(encoding="utf-8")
    (checklist,) = re.findall(r"## Five minutes in Desktop\n(.*)", guide, re.S)
    with query.connect(sample, layers=("gold", "silver")) as connection:

        def told(name, *where):
            answer = metrics.ask(connection, name, where=[metrics.Filter.parse(one) for one in where])
            return metrics.written(name, answer.value, "USD")

        for text, name in [("open pipeline", "open_pipeline"), ("weighted pipeline", "weighted_pipeline"),
                           ("revenue", "revenue"), ("win rate", "win_rate")]:  # fmt: skip
            assert f"{text} {told(name)}" in checklist
        one = "source=referral"
        assert f"revenue {told('revenue', one)}, win rate {told('win_rate', one)}" in checklist
        for table in ("Customers", "Deals", "Touches"):
            count = len(rows.read(connection, model.model()).tables[table])
            assert f"{table} {count} rows" in checklist or f"{table} {count}" in checklist
    for page in pages.pages():
        assert f"### {page.title}\n\n*{page.question}*\n" in guide


def test_texts_in_power_query_are_texts():
    assert m.text('a"b #(lf)\n') == '"a""b #(#)(lf)#(lf)"'
    for source in (m.Folder('C:\\a "b"'), m.Databricks("host", "/path", 'cat"alog')):
        for one in m.expressions(source):
            assert one.text.count('"') % 2 == 0


def test_the_shipped_files_are_those_of_the_sample(built):
    """`dashboards/` is what `medallion powerbi build` writes from the shipped sample."""
    shipped = ROOT / "dashboards"
    for path in built.rglob("*"):
        if path.is_file() and path.suffix not in (".pbix", ".svg"):
            assert path.read_bytes() == (shipped / path.relative_to(built)).read_bytes(), path
    first, second = (pbixray.PBIXRay(str(one / f"{build.NAME}.pbix")) for one in (built, shipped))
    for table in model.model().tables:
        assert cells(first, table) == cells(second, table), table.name


def test_pages_are_drawn_whatever_the_names(hostile):
    from xml.etree import ElementTree

    from medallion.powerbi import pictures

    evaluator = Evaluator(model.model(), read(hostile))
    for page in (one for one in pages.pages() if not one.hidden):
        drawn = ElementTree.fromstring(pictures.svg(page, evaluator))  # noqa: S314
        texts = {one.text for one in drawn.iter() if one.text}
        assert page.title in texts
        assert not any("None" in text for text in texts)
    assert 'Bob\'s "Best", Inc.' in " ".join(texts | set(map(str, evaluator.distinct(("Customers", "Customer")))))


def test_without_what_draws_pictures_nothing_is_written(sample, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "altair", None)
    out = tmp_path / "report"
    with (
        query.connect(sample, layers=("gold", "silver")) as connection,
        pytest.raises(MedallionError, match="Pictures cannot be drawn") as told,
    ):
        build.build(connection, out, pictures=True, currency="USD")
    assert "medallion-crm[powerbi]" in told.value.remedy
    assert not out.exists()


def test_too_many_rows_for_pictures_are_refused_before_anything_is_written(sample, tmp_path, monkeypatch):
    monkeypatch.setattr(build.drawings, "MOST", 10)
    out = tmp_path / "report"
    with (
        query.connect(sample, layers=("gold", "silver")) as connection,
        pytest.raises(MedallionError, match="pages are drawn of at most 10"),
    ):
        build.build(connection, out, pictures=True, currency="USD")
    assert not out.exists()
