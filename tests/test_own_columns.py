"""Columns of a contract that go to gold: to its tables, the metrics, the agent and Power BI."""

from __future__ import annotations

import json
import runpy
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import deltalake
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from conftest import NOW, ROOT
from medallion import contracts, metrics
from medallion.cli import app
from medallion.contracts import Override, own
from medallion.errors import ContractError
from medallion.lakehouse import contracts_in_use, query
from medallion.lakehouse.store import Lakehouse
from medallion.powerbi import model as powerbi
from medallion.powerbi import rows as powerbi_rows
from medallion.powerbi.check import check

HEAD = "apiVersion: v3.1.0\nkind: DataContract\nid: mine\nversion: 1.0.0\nstatus: active\n"
GOLD = "customProperties: [{property: gold, value: true}]"
PROBABILITY = (
    "{name: crm_probability, logicalType: number, physicalType: double, logicalTypeOptions: {minimum: 0, maximum: 1}, "
    f"{GOLD}}}"
)


def contract(leads: list[str], customers: list[str] = (), further: str = "") -> Override:
    """A contract with these columns."""
    parts = [
        f"  - name: {name}\n    properties:\n" + "".join(f"      - {one}\n" for one in columns)
        for name, columns in (("leads", leads), ("customers", customers))
        if columns
    ]
    return Override("mine.odcs.yaml", f"{HEAD}schema:\n{''.join(parts)}{further}")


def text(name: str, more: str = "") -> str:
    return f"{{name: {name}, logicalType: string, physicalType: string, {more}{GOLD}}}"


@pytest.fixture(autouse=True)
def nothing_of_ones_own():
    yield
    own.forget()


@pytest.mark.parametrize(
    ("leads", "customers", "says"),
    [
        (["{name: owner, customProperties: [{property: gold, value: true}]}"], (), "gold.deals has a column of that name"),
        ([text("lead_score")], (), "gold.deals has a column of that name"),
        ([text("closed_month")], (), "the metrics have a dimension of time of that name"),
        ([text("nickname", "classification: pii, ")], (), "the column is personal"),
        (["{name: kind, physicalType: string, customProperties: [{property: gold, value: ja}]}"], (), "gold is 'ja'"),
        ([PROBABILITY.replace("maximum: 1", "maximum: 100")], (), "a probability lies between 0 and 1"),
        ([], [PROBABILITY], "a probability is that of a deal"),
        ([], [text("closed_month")], "the metrics have a dimension of time of that name"),
        ([text("contact_mail", "semanticType: email, ")], (), "the column is personal"),
        ([], [text("direct_line", "semanticType: phone, ")], "the column is personal"),
        ([text("next_step", "semanticType: free_text, ")], (), "the column is personal"),
    ],
)  # fmt: skip
def test_a_column_that_cannot_go_to_gold_is_refused(leads, customers, says):
    with pytest.raises(ContractError, match=says):
        contracts.entities([contract(leads, customers)])


def test_other_entities_have_no_table_in_gold():
    with pytest.raises(ContractError, match="products have no table there"):
        contracts.entities([contract([], (), f"  - name: products\n    properties:\n      - {text('line')}\n")])


def test_a_column_of_gold_is_a_dimension_by_its_label_and_type():
    mine = [
        text("forecast_category", "businessName: Forecast, enum: [{value: commit}, {value: upside}], "),
        text("segment"),
        f"{{name: signed_at, logicalType: timestamp, physicalType: timestamp, {GOLD}}}",
        f"{{name: is_renewal, logicalType: boolean, physicalType: boolean, {GOLD}}}",
    ]
    own.bring(contracts.entities([contract(mine, [text("region"), text("segment")])]), "a")
    found = {one.name: one for one in metrics.named("win_rate").dimensions}
    assert (found["forecast_category"].display_name, found["forecast_category"].values) == (
        "Forecast",
        ("commit", "upside"),
    )
    assert (found["signed_at"].expr, found["signed_at"].type) == ("CAST(signed_at AS DATE)", "day")
    assert found["is_renewal"].type == "boolean"
    assert "region" in found  # of the account
    deals = powerbi.model().table("Deals")
    assert [deals.column(name).source for name in ("Forecast", "Segment")] == ["forecast_category", "segment"]
    assert powerbi.dimension(metrics.named("win_rate"), "region") == ("Customers", "Region")
    assert "crm_expected_revenue" not in metrics.metrics()
    own.bring(contracts.entities([contract([PROBABILITY])]), "a")
    assert "crm_expected_revenue" in metrics.metrics()
    assert "region" not in {one.name for one in metrics.named("win_rate").dimensions}


def test_columns_of_two_lakehouses_are_told_apart(tmp_path):
    """By the connection that is open, also in threads; what is asked in a new thread is asked of the last one opened."""
    roots = {name: str(tmp_path / name) for name in ("kind", "sort")}
    for name, root in roots.items():
        deltalake.write_deltalake(f"{root}/gold/deals", pa.table({"lead_id": ["L1"]}))
        own.bring(contracts.entities([contract([text(name)])]), root)

    def told(name):
        with query.connect(Lakehouse(roots[name])):
            both.wait(10)
            return {one.name for one in metrics.named("revenue").dimensions} & {*roots}

    both = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(told, roots)) == [{"kind"}, {"sort"}]
    both = threading.Barrier(1)
    assert [told(name) for name in ("sort", "kind")] == [{"sort"}, {"kind"}]
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(own.brought, "leads").result() == own.brought("leads")


def test_an_amount_of_gold_beside_exchange_rates_is_refused():
    """Only deal_value is converted; others would be in several currencies under one sign."""
    margin = f"{{name: margin, logicalType: number, physicalType: 'decimal(18,2)', {GOLD}}}"
    days = f"{{name: days, logicalType: number, physicalType: double, {GOLD}}}"
    with pytest.raises(ContractError, match="leads.margin: gold: it is an amount"):
        contracts.entities([contract([margin])])["leads"].in_any_currency({})
    assert contracts.entities([contract([days])])["leads"].in_any_currency({}).column("currency").accepted == ()


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory):
    """One run on an export with columns of its own."""
    from medallion import pipeline
    from medallion.config import load

    folder = tmp_path_factory.mktemp("own")
    (folder / "in").mkdir()
    (folder / "in" / "customers.csv").write_text("customer_id,customer_name,Region\nC1,Acme,DACH\nC2,Bolt,Nordics\n")
    (folder / "in" / "leads.csv").write_text(
        "lead_id,customer_id,status,deal_value,created_at,closed_at,Forecast Category,Pipeline,Chance\n"
        "L1,C1,open,1000,2025-06-01,,Commit,New business,75%\n"
        "L2,C2,open,2000,2025-06-01,,Upside,Renewals,25\n"
        "L3,C1,won,300,2025-05-01,2025-06-01,Closed,Renewals,100 %\n"
        "L4,C1,open,50,2025-06-01,,,New business,\n"
    )
    (folder / "in" / "interactions.csv").write_text(
        "interaction_id,customer_id,channel,occurred_at,outcome\nI1,C1,call,2025-06-02,positive\n"
    )
    source = (
        "    customProperties:\n      - property: sources\n        value:\n          - file: leads\n            columns: {"
        + ", ".join(
            f"{name}: {name}" for name in ("lead_id", "customer_id", "status", "deal_value", "created_at", "closed_at")
        )
        + ", forecast_category: Forecast Category, pipeline: Pipeline, crm_probability: {column: Chance, unit: percent}}\n"
    )
    mine = contract(
        [text("forecast_category", "businessName: Forecast, "), text("pipeline"), PROBABILITY], [text("region")]
    )
    path = folder / "mine.odcs.yaml"
    path.write_text(mine.text.replace("  - name: leads\n", f"  - name: leads\n{source}"))
    lake = Lakehouse(str(folder / "lakehouse"))
    settings = load(None, source=str(folder / "in"), lakehouse=lake.root, contracts=(path,))
    assert pipeline.run(settings, NOW).wrong == []
    return lake


@pytest.mark.slow
def test_the_metrics_are_split_by_columns_of_ones_own(lake):
    contracts_in_use.for_readers(lake)
    with query.connect(lake, layers=("gold", "silver")) as connection:
        by = {
            name: [(row[name], row["value"]) for row in metrics.ask(connection, "open_pipeline", name).rows]
            for name in ("forecast_category", "pipeline", "region")
        }
        expected = metrics.ask(connection, "crm_expected_revenue", "region").rows
        where = metrics.ask(connection, "revenue", where=[metrics.Filter.parse("pipeline=renewals")])
    assert by["forecast_category"] == [(None, 50), ("Closed", 0), ("Commit", 1000), ("Upside", 2000)]
    assert by["pipeline"] == [("New business", 1050), ("Renewals", 2000)]
    assert by["region"] == [("DACH", 1050), ("Nordics", 2000)]
    assert [(row["region"], row["value"]) for row in expected] == [("DACH", 750), ("Nordics", 500)]
    assert where.value == 300


@pytest.mark.slow
def test_power_bi_has_columns_of_ones_own(lake):
    contracts_in_use.for_readers(lake)
    made = powerbi.model()
    with query.connect(lake, layers=("gold", "silver")) as connection:
        rows = powerbi_rows.read(connection, made)
        compared = {row["metric"]: row["different"] for row in check(connection, made, rows, most=2)}
    deals, customers = (
        [powerbi_rows.cells(made.table(name), row) for row in rows.tables[name]] for name in ("Deals", "Customers")
    )
    assert [(row["Deal"], row["Forecast"], row["Crm probability"]) for row in deals][:2] == [
        ("L1", "Commit", 0.75),
        ("L2", "Upside", 0.25),
    ]
    assert [row["Region"] for row in customers] == ["DACH", "Nordics"]
    assert compared["crm_expected_revenue"] == []
    assert not {name: told for name, told in compared.items() if told}


@pytest.mark.slow
def test_the_agent_answers_by_columns_of_ones_own(lake):
    from medallion.agent.planner import Planner, Understood
    from medallion.agent.serving import serve

    with serve(lake) as serving:
        found = [Planner(serving).understand(text) for text in
                 ("revenue by pipeline", "open pipeline by forecast", "expected revenue by the CRM by region")]  # fmt: skip
    assert all(isinstance(one, Understood) for one in found), found
    assert [(one.asked[0].metrics, str(one.asked[0].by[0])) for one in found] == [
        (("revenue",), "pipeline"), (("open_pipeline",), "forecast_category"), (("crm_expected_revenue",), "region"),
    ]  # fmt: skip


@pytest.mark.slow
def test_the_command_knows_the_columns_of_the_lakehouse(lake):
    called = CliRunner().invoke(
        app, ["metrics", "value", "open_pipeline", "--by", "region", "--lakehouse", lake.root, "--json"]
    )
    assert [(row["region"], row["value"]) for row in json.loads(called.output)["rows"]] == [
        ("DACH", 1050),
        ("Nordics", 2000),
    ]
    own.forget()
    called = CliRunner().invoke(app, ["metrics", "list", "--lakehouse", lake.root, "--json"])
    assert "crm_expected_revenue" in {row["metric"] for row in json.loads(called.output)}
    own.forget()
    called = CliRunner().invoke(app, ["metrics", "list", "--lakehouse", f"{lake.root}/none", "--json"])
    assert "crm_expected_revenue" not in {row["metric"] for row in json.loads(called.output)}


@pytest.mark.slow
def test_a_contract_that_comes_later_gives_gold_its_columns(deliver, rows, tmp_path):
    """Rows that were read before have none; a replay of a day before the last event does too."""
    files = {"customers.csv": "customer_id,customer_name,Region\nC1,Acme,DACH\n",
             "leads.csv": "lead_id,customer_id,status,deal_value,created_at\nL1,C1,open,10,2025-06-01\n",
             "interactions.csv": "interaction_id,customer_id,channel,occurred_at,outcome\nI1,C1,call,2025-06-02,positive\n"}  # fmt: skip
    deliver(files)
    path = tmp_path / "mine.odcs.yaml"
    path.write_text(contract([], [text("region")]).text)
    _, lake = deliver({"customers.csv": files["customers.csv"]}, contracts=(path,), as_of="2025-06-01")
    assert rows(lake, "select region from gold.deals") == [{"region": None}]
    deliver({"customers.csv": "customer_id,customer_name,Region\nC1,Acme SE,DACH\n"}, now=NOW + timedelta(days=1))
    assert rows(lake, "select region from gold.deals") == [{"region": "DACH"}]


@pytest.mark.slow
def test_the_declarative_pipeline_has_the_columns_and_deals_of_the_job(spark, deliver, rows, tmp_path, monkeypatch):
    """Held-out deals and their stages are in neither."""
    from pyspark import pipelines

    from medallion.lakehouse import store

    path, rates = tmp_path / "mine.odcs.yaml", tmp_path / "rates.csv"
    path.write_text(contract([text("forecast"), PROBABILITY], [text("region")]).text)
    rates.write_text("date,currency,rate\n2025-01-01,EUR,1.1\n")
    _, lake = deliver(
        {"customers.csv": "customer_id,customer_name,Region\nC1,Acme,DACH\n",
         "leads.csv": "lead_id,customer_id,status,stage,deal_value,currency,created_at,Forecast,crm_probability\n"
                      "L1,C1,open,demo,10,EUR,2025-06-01,Commit,0.5\nL2,C1,open,demo,10,GBP,2025-06-01,Upside,0.5\n",
         "interactions.csv": "interaction_id,customer_id,channel,occurred_at,outcome\nI1,C1,call,2025-06-02,positive\n"},
        contracts=(path,), rates=rates,
    )  # fmt: skip
    views = {}

    class Session:
        """The tables of the lakehouse and the views of the pipeline, as Spark has them under their names."""

        conf = type("", (), {"get": lambda _, name, default: default})()
        catalog = type("", (), {"tableExists": lambda _, name: lake.exists(name)})()
        read = type(
            "", (), {"table": lambda _, name: views[name]() if name in views else store.read(spark, lake, name)}
        )()

    monkeypatch.setattr("pyspark.sql.SparkSession.getActiveSession", lambda: Session())
    for kind in ("materialized_view", "temporary_view"):
        monkeypatch.setattr(pipelines, kind, lambda made, name, comment: views.update({name: made}))
    own.forget()
    runpy.run_path(str(ROOT / "pipelines" / "gold.py"))
    for name, columns in (("deals", "lead_id, forecast, crm_probability, region"), ("stage_history", "lead_id, stage")):
        wanted = rows(lake, f"select {columns} from gold.{name}")
        assert [row.asDict() for row in views[name]().select(*columns.split(", ")).collect()] == wanted
        assert [row["lead_id"] for row in wanted] == ["L1"]


SIGNAL = "customProperties: [{property: signal, value: %s}]"


@pytest.mark.parametrize(
    ("entity", "column", "says"),
    [
        ("leads", "{name: competitor, physicalType: string, " + SIGNAL % "sometimes" + "}", "signal is 'sometimes'"),
        ("leads", "{name: owner, " + SIGNAL % "opening" + "}", "it is a column of every lakehouse"),
        (
            "leads",
            "{name: boss, physicalType: string, classification: pii, " + SIGNAL % "opening" + "}",
            "do not learn",
        ),
        ("interactions", "{name: mood, physicalType: string, " + SIGNAL % "opening" + "}", "interactions are no part"),
    ],
)
def test_a_column_that_cannot_be_a_signal_is_refused(entity, column, says):
    text = f"{HEAD}schema:\n  - name: {entity}\n    properties:\n      - {column}\n"
    with pytest.raises(ContractError, match=says):
        contracts.entities([Override("mine.odcs.yaml", text)])


def test_signals_of_a_contract_have_a_kind_and_say_when_they_are_known():
    from medallion.scoring import signals

    columns = [
        "{name: competitor, businessName: Rival, physicalType: string, " + SIGNAL % "opening" + "}",
        "{name: seats, logicalType: integer, physicalType: bigint, " + SIGNAL % "delivery" + "}",
    ]
    own = signals.own(
        contracts.entities([contract(columns, ["{name: tier, physicalType: string, " + SIGNAL % "delivery" + "}"])])
    )
    told = [(one.name, one.entity, one.kind, one.known, one.label) for one in own]
    assert told == [
        ("competitor", "leads", "category", "opening", "Rival"),
        ("seats", "leads", "amount", "delivery", "Seats"),
        ("tier", "customers", "category", "delivery", "Tier"),
    ]
    assert signals.loaded({"own_signals": [one.dump() for one in own]}) == own
    assert signals.own(contracts.entities()) == ()
    taken = contract(["{name: days_open, physicalType: bigint, " + SIGNAL % "opening" + "}"])
    with pytest.raises(ContractError, match="there is a signal of that name"):
        signals.own(contracts.entities([taken]))
